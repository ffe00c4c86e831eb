//! Live only: no test credentials on a main network and no real money on a test network.
//!
//! A contradiction is refused even where validation is lenient, because its "default" would be
//! the wrong network.

use basis_core::config::{Node, NodeValue, Problems};
use basis_core::secret::Credentials;
use basis_core::types::Venue;
use basis_core::venue::{CredentialSet, VenueType};

use crate::credentials::{ALCHEMY, BasisEnvironment, ENVIRONMENT_VARIABLE};
use crate::driver::VenueDriver;

/// Chain id of the Ethereum main network.
const MAINNET_CHAIN_ID: u64 = 1;

/// Reports every key of `venue_settings.<venue>` that contradicts the environment.
pub fn check_section(
    driver: &VenueDriver,
    section: &Node,
    environment: BasisEnvironment,
    problems: &Problems,
) {
    let facts = &driver.facts;
    let on_chain = facts.venue_type != VenueType::Cex || facts.credentials.name == ALCHEMY.name;
    check(
        facts.venue,
        section,
        "testnet",
        environment,
        problems,
        |text| {
            let expected = if environment.is_mainnet() {
                "false"
            } else {
                "true"
            };
            text == expected
        },
    );
    check(
        facts.venue,
        section,
        "network",
        environment,
        problems,
        |text| network_fits(text, environment),
    );
    if on_chain {
        check(
            facts.venue,
            section,
            "chain_id",
            environment,
            problems,
            |text| chain_id_fits(text, environment),
        );
    }
}

fn check(
    venue: Venue,
    section: &Node,
    key: &str,
    environment: BasisEnvironment,
    problems: &Problems,
    fits: impl Fn(&str) -> bool,
) {
    let Some(node) = section.get(key) else { return };
    let NodeValue::Text(text) = &node.value else {
        return;
    };
    if !fits(text) {
        let message = format!(
            "`{text}` contradicts {ENVIRONMENT_VARIABLE}={environment}; it must be {}",
            wanted(key, environment)
        );
        problems.add(
            &node.location,
            format!("venue_settings.{venue}.{key}"),
            message,
        );
    }
}

/// The variables of the `alchemy` set that contradict the environment, each with what it must be.
/// Their values are not shown: a key may have been put into the wrong variable.
pub(super) fn contradicting_variables(
    set: &CredentialSet,
    credentials: &Credentials,
    environment: BasisEnvironment,
) -> Vec<String> {
    if set.name != ALCHEMY.name {
        return Vec::new();
    }
    let mut found = Vec::new();
    for &(field, suffix) in set.variables {
        let Some(value) = credentials.get(field) else {
            continue;
        };
        let fits = match field {
            "network" => network_fits(value.expose(), environment),
            "chain_id" => chain_id_fits(value.expose(), environment),
            _ => true,
        };
        if !fits {
            let name = environment.variable(suffix);
            found.push(format!(
                "{name} contradicts {ENVIRONMENT_VARIABLE}={environment}; it must be {}",
                wanted(field, environment)
            ));
        }
    }
    found
}

fn wanted(key: &str, environment: BasisEnvironment) -> &'static str {
    match (key, environment.is_mainnet()) {
        ("testnet", true) => "false",
        ("testnet", false) => "true",
        ("network", true) => "mainnet",
        ("network", false) => "the name of a test network, as sepolia or demo",
        (_, true) => "1",
        (_, false) => "the number of a test network, as 11155111, and not 1",
    }
}

/// Main networks are recognized by exact name, but anything that looks like one is kept out of dev.
fn network_fits(text: &str, environment: BasisEnvironment) -> bool {
    let name = text.trim().to_ascii_lowercase();
    let is_main = matches!(
        name.as_str(),
        "mainnet" | "live" | "eth-mainnet" | "ethereum-mainnet" | "ethereum"
    );
    if environment.is_mainnet() {
        is_main
    } else {
        !is_main && !name.contains("mainnet") && name != "homestead"
    }
}

fn chain_id_fits(text: &str, environment: BasisEnvironment) -> bool {
    text.trim()
        .parse::<u64>()
        .is_ok_and(|id| (id == MAINNET_CHAIN_ID) == environment.is_mainnet())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_fit_their_environment() {
        let fits = |text, environment| network_fits(text, environment);
        for text in ["mainnet", "eth-mainnet", "Ethereum", "live"] {
            assert!(fits(text, BasisEnvironment::Prod) && fits(text, BasisEnvironment::Staging));
            assert!(!fits(text, BasisEnvironment::Dev));
        }
        for text in ["sepolia", "holesky", "demo"] {
            assert!(fits(text, BasisEnvironment::Dev) && !fits(text, BasisEnvironment::Prod));
        }
        assert!(!fits("arb-mainnet", BasisEnvironment::Dev));
        assert!(!fits("arb-mainnet", BasisEnvironment::Prod));
    }

    #[test]
    fn chain_ids_fit_their_environment() {
        assert!(chain_id_fits("1", BasisEnvironment::Prod));
        assert!(!chain_id_fits("1", BasisEnvironment::Dev));
        assert!(chain_id_fits("11155111", BasisEnvironment::Dev));
        assert!(!chain_id_fits("11155111", BasisEnvironment::Staging));
        for environment in BasisEnvironment::ALL {
            assert!(!chain_id_fits("one", environment));
        }
    }
}
