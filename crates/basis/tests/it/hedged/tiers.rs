//! The tiers that must be survived, and those with a bound on the loss, of every mode at its defaults.

use std::sync::Arc;

use basis::assembly::Backtest;
use basis::config::environment::Environment;
use basis::config::layers::{self, Request, Template};
use basis::core::num::Value;
use basis::core::types::Span;
use basis::engine::risk::RiskLevel;
use basis::report::stress::{Criterion, worst};
use basis::stress::run::{self, Common, When};
use basis::stress::scenarios;
use basis::venues::registry::Registry;

use super::{Recorded, is_full};

#[test]
fn hedged_modes_survive_what_they_must() {
    for mode in [
        "btc_basis",
        "eth_basis",
        "usdt_market_neutral_no_leverage",
        "usdt_market_neutral",
    ] {
        let Some(recorded) = Recorded::of(mode, &[]) else {
            return;
        };
        let (to, count) = match is_full() {
            true => ("2025-05-31", 24),
            false => ("2024-09-01", 2),
        };
        let environment = Environment::default();
        let request = Request {
            mode,
            sets: &recorded.sets,
            from: Some("2024-06-01"),
            to: Some(to),
            ..Request::default()
        };
        let template = Template::new(&request, &environment, Registry::builtin()).unwrap();
        let base = template.resolve(&[]).unwrap().setup;
        let base = base.fitted(&recorded.data).unwrap();
        let asked = |scenario: &scenarios::Scenario| scenario.criterion() != Criterion::Report;
        let list: Vec<_> = scenarios::tiers()
            .unwrap()
            .into_iter()
            .filter(asked)
            .collect();
        let common = Common {
            data: &recorded.data,
            base: &base,
        };
        let when = (When::Spread(count), Some(Span::from_hours(10 * 24)));
        let ran = run::table(common, &template, &list, when, (2, &|_, _| {})).unwrap();
        let all = worst(&ran.rows);
        assert!(all.len() > 10, "{mode}: {}", all.len());
        for worst in all {
            let cells = worst.cells();
            eprintln!("{mode} {}: {}", worst.row.name, cells.join(" | "));
            assert!(!worst.is_failed(), "{mode}: {:?} {cells:?}", worst.row);
        }
    }
}

/// OKX is dark while its short nears liquidation: what could not be cut there kept no spot, and the book stood short
/// by two thirds of its size until risk halted it.
#[test]
fn an_exchange_that_is_out_keeps_the_spot_of_its_short() {
    let Some(recorded) = Recorded::of("btc_basis", &[]) else {
        return;
    };
    let outage = "outage okx at 2024-02-27T02:00:00Z for 6h";
    let rise = "BTC +20% at 2024-02-27T02:00:00Z over 3h";
    let shocks = [outage.to_owned(), rise.to_owned()];
    let environment = Environment::default();
    let request = Request {
        mode: "btc_basis",
        sets: &recorded.sets,
        from: Some("2024-01-01T01:00:00Z"),
        to: Some("2024-03-06T01:00:00Z"),
        shocks: &shocks,
        ..Request::default()
    };
    let setup = layers::resolve(&request, &environment, Registry::builtin());
    let run = Backtest::run(Arc::clone(&recorded.data), &setup.unwrap().setup).unwrap();
    assert_eq!((run.halted.as_deref(), run.counts.liquidations), (None, 0));
    assert!(run.steps.risk.level.contains(&RiskLevel::Deleverage));
    // It was 2,135 USD; half of a thousandth of the capital is the bound of a book that is hedged.
    let price = run.attribution.price.abs().unwrap();
    assert!(price < Value::literal("50"), "{price}");
}
