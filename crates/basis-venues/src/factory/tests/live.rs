//! Live only: modes, credentials, and networks that must fit the environment.

use basis_core::health::HealthState;

use super::*;
use crate::credentials::SETS;

const SECRET: &str = "https://node.invalid/v2/s3cr3t-k3y";

/// Every variable of every set, usable in `environment`.
fn variables(environment: BasisEnvironment) -> Vec<(String, String)> {
    let (network, chain) = if environment.is_mainnet() {
        ("mainnet", "1")
    } else {
        ("sepolia", "11155111")
    };
    SETS.iter()
        .flat_map(|set| set.variables)
        .map(|&(field, suffix)| {
            let value = match field {
                "network" => network,
                "chain_id" => chain,
                _ => SECRET,
            };
            (environment.variable(suffix), value.to_owned())
        })
        .collect()
}

fn live(environment: BasisEnvironment, variables: &[(String, String)]) -> Bench {
    Bench::new(ExecutionMode::Live, environment, variables, "")
}

#[test]
fn every_set_is_routed_to_its_venues() {
    for environment in BasisEnvironment::ALL {
        let mut bench = live(environment, &variables(environment));
        for venue in ["binance", "bybit", "okx", "uniswap", "aave", "wallet"] {
            assert!(bench.create(venue, "").is_ok(), "{venue} in {environment}");
        }
        assert!(!bench.log_text().contains(SECRET));
    }
}

#[test]
fn missing_and_placeholder_credentials_are_refused_for_every_set() {
    let environment = BasisEnvironment::Prod;
    for (venue, set) in [
        ("binance", BINANCE),
        ("bybit", BYBIT),
        ("okx", OKX),
        ("aave", ALCHEMY),
    ] {
        let names: Vec<_> = set
            .variables
            .iter()
            .map(|(_, suffix)| environment.variable(suffix))
            .collect();
        let mut placeholder = variables(environment);
        for (name, value) in &mut placeholder {
            if *name == names[0] {
                *value = "your_key_goes_here".to_owned();
            }
        }
        let cases = [
            (Vec::new(), "missing", &names[..]),
            (placeholder, "placeholder", &names[..1]),
        ];
        for (variables, reason, named) in cases {
            let mut bench = live(environment, &variables);
            let e = bench.create(venue, "").err().unwrap();
            assert_eq!(
                (e.code, e.reason),
                (Code::CredentialsInvalid, Some(reason)),
                "{e}"
            );
            assert!(e.message.starts_with(venue), "{e}");
            for name in named {
                assert!(e.message.contains(name.as_str()), "{name} in {e}");
            }
            let text = format!("{e} {e:?} {} {:?}", bench.log_text(), bench.factory);
            assert!(
                !text.contains(SECRET) && !text.contains("goes_here"),
                "{text}"
            );
            assert_eq!(bench.elapsed(), 0, "never retried");
            assert_eq!(bench.factory.health().state(), HealthState::Unhealthy);
            assert_eq!(bench.log.types().last(), Some(&"error"));
        }
    }
}

#[test]
fn an_unknown_credential_set_is_refused() {
    let unknown = CredentialSet {
        name: "somewhere",
        variables: &[],
    };
    let mut bench = live(BasisEnvironment::Dev, &[]);
    let mut somewhere = VenueDriver::of::<FakeDriver<0>>();
    somewhere.facts = row("somewhere", VenueType::Cex, "Somewhere", unknown);
    bench.factory.inputs.registry = Registry::empty().with(somewhere).unwrap();
    let e = bench.create("somewhere", "").err().unwrap();
    assert_eq!(
        (e.code, e.reason),
        (Code::CredentialsInvalid, Some("unknown_set"))
    );
}

#[test]
fn a_backtest_never_looks_at_credentials() {
    assert!(Bench::backtest().create("binance", "").is_ok());
}

#[test]
fn a_backtest_only_driver_says_what_works() {
    let mut bench = live(BasisEnvironment::Dev, &variables(BasisEnvironment::Dev));
    let e = bench.create("paper", "").err().unwrap();
    assert_eq!((e.code, e.reason), (Code::CreationFailed, Some("mode")));
    assert_eq!(
        e.message,
        "paper: PaperExecutionInterface does not support mode `live`; it works in backtest"
    );
    assert!(!bench.factory.venue_info("paper").unwrap().is_available);
}

#[test]
fn checks_run_in_the_documented_order() {
    // Everything is wrong each time, but for what the earlier rows have put right.
    for (venue, has_dependencies, settings, reason) in [
        ("papr", false, "size 0", "unknown_venue"),
        ("paper", false, "size 0", "mode"),
        ("okx", false, "size 0", "dependencies"),
        ("okx", true, "size 0", "settings"),
        ("okx", true, "size 1", "missing"),
    ] {
        let mut bench = live(BasisEnvironment::Dev, &[]);
        let dependencies = if has_dependencies {
            bench.dependencies()
        } else {
            Dependencies::default()
        };
        let section = section(settings);
        let created = bench
            .factory
            .create_interface(venue, Some(&section), Some(dependencies));
        let e = created.err().unwrap();
        assert_eq!(e.reason, Some(reason), "{e}");
    }
}

#[test]
fn a_network_that_contradicts_the_environment_is_refused_even_when_lenient() {
    for (environment, venue, line, fits) in [
        (
            BasisEnvironment::Dev,
            "binance",
            "testnet false",
            "testnet true",
        ),
        (
            BasisEnvironment::Staging,
            "okx",
            "testnet true",
            "testnet false",
        ),
        (
            BasisEnvironment::Prod,
            "bybit",
            "testnet true",
            "testnet false",
        ),
        (
            BasisEnvironment::Dev,
            "aave",
            "network mainnet",
            "network sepolia",
        ),
        (
            BasisEnvironment::Prod,
            "uniswap",
            "network sepolia",
            "network mainnet",
        ),
        (
            BasisEnvironment::Dev,
            "aave",
            "chain_id 1",
            "chain_id 11155111",
        ),
        (BasisEnvironment::Prod, "aave", "chain_id 5", "chain_id 1"),
    ] {
        let variables = variables(environment);
        for strictness in ["validation_strict true", "validation_strict false"] {
            let mut bench = Bench::new(ExecutionMode::Live, environment, &variables, strictness);
            let e = bench.create(venue, line).err().unwrap();
            assert_eq!(
                (e.code, e.reason),
                (Code::VenueInvalid, Some("environment"))
            );
            let (key, value) = line.split_once(' ').unwrap();
            let part = format!(
                "m.yaml:1: venue_settings.{venue}.{key}: `{value}` contradicts \
                 BASIS_ENVIRONMENT={environment}"
            );
            assert!(e.message.contains(&part), "{part} in {e}");
            assert!(bench.create(venue, fits).is_ok(), "{venue} {fits}");
        }
    }
}

#[test]
fn alchemy_variables_that_contradict_the_environment_are_named_without_their_values() {
    let environment = BasisEnvironment::Dev;
    let mut variables = variables(environment);
    for (name, value) in &mut variables {
        if name.ends_with("CHAIN_ID") {
            *value = "1".to_owned();
        }
        if name.ends_with("NETWORK") {
            *value = "eth-mainnet".to_owned();
        }
    }
    let mut bench = live(environment, &variables);
    let e = bench.create("aave", "").err().unwrap();
    assert_eq!(
        (e.code, e.reason),
        (Code::VenueInvalid, Some("environment"))
    );
    assert!(
        e.message
            .contains("BASIS_DEV__ALCHEMY__CHAIN_ID contradicts")
    );
    assert!(
        e.message
            .contains("BASIS_DEV__ALCHEMY__NETWORK contradicts")
    );
    assert!(!e.message.contains("eth-mainnet"), "{e}");
    assert!(!bench.factory.venue_validation()["aave"]);
    assert!(bench.create("okx", "").is_ok(), "no chain, no matter");
}

#[test]
fn a_driver_that_shows_a_credential_in_its_error_is_silenced() {
    let environment = BasisEnvironment::Prod;
    let mut bench = live(environment, &variables(environment));
    let e = bench
        .create("aave", "failures 1000\nfailure leak")
        .err()
        .unwrap();
    assert!(e.message.contains("no answer from [secret]"), "{e}");
    assert_eq!(bench.elapsed(), 7, "still retried");
    let text = format!("{e} {e:?} {:?} {}", e.chain(), bench.log_text());
    assert!(!text.contains(SECRET), "{text}");
}
