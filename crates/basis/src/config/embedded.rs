//! The files built into the program: one per strategy mode, one of dated rules per venue.

use basis_core::config::nearest;
use basis_core::error::{Code, ComponentError};

/// A file built into the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedded {
    /// Mode or venue.
    pub name: &'static str,
    /// What it is called in messages.
    pub source: &'static str,
    /// Its text.
    pub text: &'static str,
}

macro_rules! embedded {
    ($($folder:literal / $name:literal),* $(,)?) => {
        &[$(Embedded {
            name: $name,
            source: concat!("embedded configs/", $folder, "/", $name, ".yaml"),
            text: include_str!(concat!("../../../../configs/", $folder, "/", $name, ".yaml")),
        }),*]
    };
}

/// The strategy modes.
pub const MODES: &[Embedded] = embedded![
    "modes" / "btc_basis",
    "modes" / "eth_basis",
    "modes" / "pure_lending",
    "modes" / "eth_staking_only",
    "modes" / "eth_leveraged",
    "modes" / "usdt_market_neutral_no_leverage",
    "modes" / "usdt_market_neutral",
];

/// The rules of venues.
pub const VENUES: &[Embedded] = embedded![
    "venues" / "binance",
    "venues" / "bybit",
    "venues" / "okx",
    "venues" / "wallet"
];

/// The scenarios of `basis stress`.
pub const SCENARIOS: &[Embedded] = embedded!["stress" / "default"];

/// The file of the mode `name`.
///
/// # Errors
/// CFG-003 with the nearest mode and the list of them.
pub fn mode(name: &str) -> Result<&'static Embedded, ComponentError> {
    let found = MODES.iter().find(|mode| mode.name == name);
    found.ok_or_else(|| {
        let names: Vec<_> = MODES.iter().map(|mode| mode.name).collect();
        let near = nearest(name, names.iter().copied())
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        let message = format!(
            "unknown mode `{name}`{near} (available: {})",
            names.join(", ")
        );
        ComponentError::new(Code::ModeUnknown, message)
    })
}

/// The rules of the venue `name`, if the program has any.
#[must_use]
pub fn venue(name: &str) -> Option<&'static Embedded> {
    VENUES.iter().find(|venue| venue.name == name)
}

#[cfg(test)]
mod tests {
    use basis_core::config::Problems;
    use basis_core::rules::VenueRules;

    use super::*;
    use crate::config::yaml;

    #[test]
    fn every_embedded_file_reads_without_a_problem() {
        for file in MODES {
            let node = yaml::parse(file.text, file.source).unwrap();
            assert!(node.get("mode").is_some(), "{}", file.source);
        }
        for file in VENUES {
            let node = yaml::parse(file.text, file.source).unwrap();
            let problems = Problems::new();
            let rules = VenueRules::read(&node, &problems).unwrap();
            assert_eq!(problems.into_sorted(), [], "{}", file.source);
            assert_eq!(rules.venue.as_str(), file.name);
        }
    }

    #[test]
    fn unknown_modes_get_the_nearest_one_and_the_list() {
        let e = mode("btc_bass").unwrap_err();
        assert_eq!(e.code, Code::ModeUnknown);
        assert!(
            e.message.contains("did you mean `btc_basis`?"),
            "{}",
            e.message
        );
    }
}
