//! Attempts, waits and time limits on the virtual clock.

use super::*;

#[test]
fn two_failures_then_success_wait_one_and_two_seconds() {
    let mut bench = Bench::backtest();
    let interface = bench.create("okx", "failures 2").unwrap();
    assert_eq!(interface.venue().as_str(), "okx");
    assert_eq!(bench.elapsed(), 3);
    assert_eq!(
        bench.log.types(),
        [
            "component_initialization",
            "state_update",
            "state_update",
            "interface_created"
        ]
    );
    let events = bench.log.events();
    let times: Vec<_> = events
        .iter()
        .map(|event| event.at.since(start()).seconds())
        .collect();
    assert_eq!(times, [0, 0, 1, 3]);
    assert_eq!(
        events[1].data,
        EventData::StateUpdate {
            state: "interface_creation_retry".into(),
            detail: "okx: attempt 1 of 4 failed, next in 1s: EIF-001 not yet there".to_owned(),
        }
    );
    assert_eq!(
        events[3].data,
        EventData::InterfaceCreated {
            venue: Venue::literal("okx"),
            interface_class: "OKXExecutionInterface".into(),
            processing_time_ms: 3_000,
        }
    );
    let created = bench.factory.created_interfaces()[&Venue::literal("okx")];
    assert_eq!(
        (created.class_name, created.at.since(start()).seconds()),
        ("OKXExecutionInterface", 3)
    );
}

#[test]
fn retries_end_after_one_attempt_more_than_max_retries() {
    for (retries, waited) in [(1, 1), (3, 7), (10, 1 + 2 + 4 + 8 + 16 + 5 * 30)] {
        let mut bench = Bench::new(
            ExecutionMode::Backtest,
            BasisEnvironment::Dev,
            &[],
            &format!("max_retries {retries}"),
        );
        let e = bench.create("okx", "failures 1000").err().unwrap();
        assert_eq!(bench.elapsed(), waited);
        assert_eq!(
            e.to_string(),
            format!(
                "EIF-001 okx: not yet there (after {} attempts)",
                retries + 1
            )
        );
        assert_eq!(bench.log.types().last(), Some(&"error"));
        assert!(bench.factory.created_interfaces().is_empty());
    }
}

#[test]
fn an_attempt_that_is_not_done_in_time_fails_whatever_it_returns() {
    for failure in ["hang", "late"] {
        let settings = "timeout 10\nmax_retries 2";
        let mut bench = Bench::new(
            ExecutionMode::Backtest,
            BasisEnvironment::Dev,
            &[],
            settings,
        );
        let e = bench
            .create("binance", &format!("failures 1000\nfailure {failure}"))
            .err()
            .unwrap();
        assert_eq!(bench.elapsed(), 3 * 10 + 1 + 2);
        assert_eq!(
            (e.code, e.reason, e.retryable),
            (Code::CreationFailed, Some("timeout"), true)
        );
        assert!(
            e.message.contains(
                "not done within 10s (component_config.execution_interface_factory.timeout)"
            ),
            "{e}"
        );
        assert!(e.message.ends_with("(after 3 attempts)"), "{e}");
        assert!(bench.factory.created_interfaces().is_empty());
    }
}

#[test]
fn a_first_attempt_out_of_time_is_followed_by_one_that_works() {
    for failure in ["hang", "late"] {
        let mut bench = Bench::backtest();
        let settings = format!("failures 1\nfailure {failure}");
        assert!(bench.create("binance", &settings).is_ok());
        assert_eq!(bench.elapsed(), 31);
    }
}

#[test]
fn final_failures_are_tried_once() {
    for (failure, code) in [
        ("final", Code::CreationFailed),
        ("venue", Code::VenueInvalid),
        ("credentials", Code::CredentialsInvalid),
    ] {
        let mut bench = Bench::backtest();
        let e = bench
            .create("bybit", &format!("failures 1\nfailure {failure}"))
            .err()
            .unwrap();
        assert_eq!((e.code, bench.elapsed()), (code, 0), "{failure}");
        assert!(!e.message.contains("attempts"), "{e}");
        assert_eq!(bench.log.types(), ["component_initialization", "error"]);
    }
}

#[test]
fn a_venue_error_becomes_creation_failed_with_its_cause() {
    let mut bench = Bench::backtest();
    let e = bench
        .create("bybit", "failures 1000\nfailure unavailable")
        .err()
        .unwrap();
    assert_eq!(bench.elapsed(), 7, "unavailable is retryable");
    assert_eq!(e.code, Code::CreationFailed);
    let chain = e.chain();
    assert!(
        chain[0].starts_with("bybit: BybitExecutionInterface could not be created: EXI-003"),
        "{chain:?}"
    );
    assert!(chain.len() > 1 && chain.last().unwrap().contains("connection refused"));
    let Some(EventData::Error { causes, .. }) = bench.log.events().pop().map(|event| event.data)
    else {
        panic!("an error event is last");
    };
    assert_eq!(causes, chain[1..]);
}
