//! Venues, settings, dependencies, and what the factory tells of itself.

use basis_core::health::HealthState;
use basis_core::instruction::{CancelOrder, Operation};
use basis_core::types::{InstructionId, Symbol};
use basis_market::{MarketData, ViewPolicy};

use super::*;

fn lenient() -> Bench {
    Bench::new(
        ExecutionMode::Backtest,
        BasisEnvironment::Dev,
        &[],
        "validation_strict false",
    )
}

fn view() -> MarketView {
    MarketView::new(Arc::new(MarketData::default()), &[], ViewPolicy::default()).unwrap()
}

fn cancel() -> Instruction {
    Instruction::new(
        InstructionId::default(),
        Operation::CancelOrder(CancelOrder {
            symbol: Symbol::literal("BTCUSDT"),
            order: InstructionId::default(),
        }),
    )
}

#[test]
fn initialization_is_recorded_with_venues_and_config_hash() {
    let bench = Bench::backtest();
    let EventData::ComponentInitialization {
        available_venues,
        config_hash,
    } = bench.log.events().remove(0).data
    else {
        panic!("initialization comes first");
    };
    assert_eq!(config_hash, "c0ffee");
    assert_eq!(available_venues, bench.factory.available_venues());
    assert!(!available_venues.contains(&Venue::WALLET), "unlisted");
    assert_eq!(
        bench.factory.interface_map()[&Venue::literal("aave")],
        "AAVEExecutionInterface"
    );
}

#[test]
fn unknown_venue_is_refused_with_place_and_suggestion() {
    let mut bench = Bench::backtest();
    let e = bench.create("binanse", "").err().unwrap();
    assert_eq!(
        (e.code, e.reason),
        (Code::VenueInvalid, Some("unknown_venue"))
    );
    assert_eq!(
        e.message,
        "m.yaml:1: unknown venue `binanse`; did you mean `binance`? \
         (available: binance, bybit, okx, uniswap, aave, paper, timed)"
    );
    assert!(!bench.factory.venue_validation()["binanse"]);
    assert_eq!(bench.factory.health().state(), HealthState::Degraded);
    assert!(bench.create("binance", "").is_ok());
    assert!(bench.factory.venue_validation()["binance"]);
    assert_eq!(bench.factory.health().state(), HealthState::Healthy);
    assert_eq!(bench.factory.health().counts(), (2, 1));
}

#[test]
fn validate_venue_remembers_its_answer() {
    let mut bench = Bench::backtest();
    assert!(bench.factory.validate_venue("okx") && bench.factory.validate_venue("wallet"));
    assert!(!bench.factory.validate_venue("") && !bench.factory.validate_venue("OKX"));
    assert_eq!(bench.factory.venue_validation().len(), 4);
}

#[test]
fn strict_settings_fail_with_every_problem_and_its_place() {
    let mut bench = Bench::backtest();
    let e = bench
        .create("okx", "size 11\ntestnet yes\nsiez 3")
        .err()
        .unwrap();
    assert_eq!((e.code, e.reason), (Code::VenueInvalid, Some("settings")));
    for part in [
        "okx: 3 problems in venue settings:",
        "m.yaml:1: venue_settings.okx.size: 11 is outside 1 to 10",
        "m.yaml:2: venue_settings.okx.testnet: `yes`",
        "m.yaml:3: venue_settings.okx.siez: unknown key; did you mean `size`?",
    ] {
        assert!(e.message.contains(part), "{part} in {e}");
    }
    assert!(!bench.factory.venue_validation()["okx"]);
}

#[test]
fn a_section_that_is_a_bare_value_is_named_in_full() {
    let mut bench = Bench::backtest();
    let created = bench.create_all(tree("v", "okx 5").get("v").unwrap());
    assert_eq!(
        created.failures[0].1.message,
        "okx: venue settings: m.yaml:1: venue_settings.okx: expected a section with keys"
    );
}

#[test]
fn lenient_settings_warn_and_take_the_default() {
    let mut bench = lenient();
    let settings = tree("v", "okx.size 11\naave.siez 3");
    let created = bench.create_all(settings.get("v").unwrap());
    assert_eq!(created.interfaces.len(), 2);
    assert!(created.failures.is_empty());
    let warnings: Vec<_> = created.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings[0],
        "m.yaml:1: venue_settings.okx.size: 11 is outside 1 to 10"
    );
    assert!(warnings[1].starts_with("m.yaml:2: venue_settings.aave.siez"));
    assert_eq!(
        created.interfaces[0].horizon(&view()).at,
        Some(Timestamp::from_seconds(5)),
        "the default size"
    );
    assert!(bench.log.types().contains(&"state_update"));
}

#[test]
fn one_failing_venue_keeps_the_others_in_order() {
    let mut bench = Bench::backtest();
    let lines = "okx.size 2\nnowhere.size 1\nbinance.size 0\nbad!key.size 1\nbad key\nbybit.size 3";
    let settings = tree("v", lines);
    let created = bench.create_all(settings.get("v").unwrap());
    let made: Vec<_> = created
        .interfaces
        .iter()
        .map(|i| i.venue().as_str().to_owned())
        .collect();
    assert_eq!(made, ["okx", "bybit"]);
    let failed: Vec<_> = created
        .failures
        .iter()
        .map(|(venue, e)| (venue.to_string(), e.code.as_str()))
        .collect();
    assert_eq!(
        failed,
        [
            ("nowhere".to_owned(), "EIF-002"),
            ("binance".to_owned(), "EIF-002"),
            ("bad_key".to_owned(), "EIF-002"),
            ("bad".to_owned(), "EIF-002")
        ]
    );
    assert!(
        created.failures[0]
            .1
            .message
            .starts_with("m.yaml:2: unknown venue")
    );
    let text = format!("{created:?}");
    assert!(text.contains("`okx`") && text.contains("nowhere"), "{text}");
}

#[test]
fn venue_settings_that_are_no_section_create_nothing_and_say_so() {
    let mut bench = Bench::backtest();
    let created = bench.create_all(&Node::text("binance", Location::new("m.yaml", 7)));
    assert!(created.interfaces.is_empty());
    assert_eq!(
        created.warnings[0].to_string(),
        "m.yaml:7: venue_settings: expected a section with keys"
    );
}

#[test]
fn the_specifications_example_loads_unchanged_in_a_backtest() {
    let mut bench = Bench::new(
        ExecutionMode::Backtest,
        BasisEnvironment::Dev,
        &[],
        "timeout 30\nmax_retries 3\nvalidation_strict true",
    );
    let lines = "binance.testnet false\nbinance.rate_limits.requests_per_minute 1200\n\
                 aave.network mainnet\naave.gas_strategy standard\n\
                 uniswap.network mainnet\nuniswap.gas_strategy fast";
    let created = bench.create_all(tree("v", lines).get("v").unwrap());
    assert!(
        created.failures.is_empty() && created.warnings.is_empty(),
        "{created:?}"
    );
    assert_eq!(created.interfaces.len(), 3);
}

#[test]
fn builtin_exchanges_take_the_specifications_settings() {
    let mut bench = Bench::backtest();
    bench.factory.inputs.registry = Registry::builtin();
    let lines = "testnet false\nvenue_type CEX\nrate_limits.requests_per_minute 1200";
    for venue in ["binance", "bybit", "okx"] {
        let section = section(lines);
        let created = bench.factory.create_interface(venue, Some(&section), None);
        let interface = created.unwrap();
        assert_eq!(interface.venue().as_str(), venue);
    }
    let e = bench.create("binance", "testent true").err().unwrap();
    assert!(
        e.message
            .contains("m.yaml:1: venue_settings.binance.testent: unknown key"),
        "{e}"
    );
}

#[test]
fn missing_dependencies_are_named_as_the_specification_names_them() {
    let mut bench = Bench::backtest();
    let incomplete = Dependencies {
        event_sink: Some(Arc::clone(&bench.log) as Arc<dyn EventSink>),
        ..Dependencies::default()
    };
    let created = bench
        .factory
        .create_interface("okx", None, Some(incomplete.clone()));
    let e = created.err().unwrap();
    assert_eq!(
        (e.code, e.reason),
        (Code::CreationFailed, Some("dependencies"))
    );
    assert!(
        e.message
            .starts_with("okx: missing dependencies: position_monitor, data_provider;"),
        "{e}"
    );
    let without_clock = Dependencies {
        clock: None,
        ..bench.dependencies()
    };
    let created = bench
        .factory
        .create_interface("timed", None, Some(without_clock));
    let e = created.err().unwrap();
    assert!(e.message.contains("missing dependencies: clock;"), "{e}");
    let e = bench
        .factory
        .set_interface_dependencies(&mut [], incomplete)
        .unwrap_err();
    assert!(e.message.contains("position_monitor, data_provider"), "{e}");
    assert_eq!(bench.log.types().len(), 4, "{:?}", bench.log.types());
}

#[test]
fn an_interface_without_dependencies_is_not_ready_until_they_are_set() {
    let mut bench = Bench::backtest();
    let created = bench.factory.create_interface("okx", None, None);
    let mut interfaces = vec![created.unwrap()];
    let view = view();
    let answer = |interfaces: &mut [Box<dyn ExecutionInterface>]| {
        let mut events = Events::new();
        interfaces[0].execute_instructions(&view, &[cancel()], &mut events);
        assert_eq!(events.len(), 1);
        events.remove(0).kind
    };
    let EventKind::Rejected { error, .. } = answer(&mut interfaces) else {
        panic!("refused until then");
    };
    assert_eq!(error.kind, VenueErrorKind::NotReady);
    assert_eq!(error.code().as_str(), "EIF-001");
    let dependencies = bench.dependencies();
    bench
        .factory
        .set_interface_dependencies(&mut interfaces, dependencies)
        .unwrap();
    assert_eq!(
        answer(&mut interfaces),
        EventKind::Done {
            instruction: InstructionId::default()
        }
    );
}

#[test]
fn venue_info_holds_the_row_and_whether_this_mode_works() {
    let bench = Bench::backtest();
    let info = bench.factory.venue_info("paper").unwrap();
    assert_eq!(
        (info.class_name, info.module, info.is_available),
        ("PaperExecutionInterface", "tests", true)
    );
    assert_eq!(
        info.dependencies,
        ["position_monitor", "event_logger", "data_provider"]
    );
    assert_eq!(bench.factory.venue_type("aave"), Some(VenueType::OnChain));
    assert_eq!(bench.factory.venue_type("nowhere"), None);
    assert!(
        bench
            .factory
            .venue_info("papr")
            .unwrap_err()
            .message
            .contains("`paper`")
    );
}

#[test]
fn a_factory_and_what_it_creates_can_cross_threads() {
    fn is_send<T: Send>(_: &T) {}
    let mut bench = Bench::backtest();
    is_send(&bench.factory);
    is_send(&bench.create("okx", "").unwrap());
    is_send(&bench.create_all(&section("")));
}
