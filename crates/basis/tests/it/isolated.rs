//! Risk on isolated margin: a position stands on its own collateral, whatever else the account holds.

use std::sync::Arc;

use basis::core::event::EventData;
use basis::core::num::{Fixed18, Price, Quantity, Rate};
use basis::core::types::{Span, Timestamp};
use basis::data::synthetic::SyntheticSpec;
use basis::engine::RunResult;
use basis::market::{BarColumns, MarketData, RateSeries};

use crate::runner::backtest;

const HOURS: i64 = 80;

fn hour(number: i64) -> Timestamp {
    SyntheticSpec::default()
        .start
        .plus(Span::from_hours(number))
}

/// A market that stands at 50,000 for ten hours and then rises by 150 an hour.
fn rising() -> Arc<MarketData> {
    let mut data = MarketData::new("in code", true);
    let price = |at: i64| {
        let price = 50_000 + 150 * (at - 10).clamp(0, HOURS);
        Price::new(Fixed18::from_int(price)).unwrap()
    };
    for name in [
        "spot.bybit.BTCUSDT",
        "spot.binance.BTCUSDT",
        "perp.bybit.BTCUSDT",
    ] {
        let open: Vec<_> = (0..HOURS).map(price).collect();
        let close: Vec<_> = (1..=HOURS).map(price).collect();
        data.add_bars(BarColumns {
            id: name.parse().unwrap(),
            length: Span::HOUR,
            opened_at: (0..HOURS).map(hour).collect(),
            high: close.clone(),
            low: open.clone(),
            volume: vec![Quantity::literal("1000"); close.len()],
            open,
            close,
        })
        .unwrap();
    }
    let at: Vec<_> = (0..=HOURS / 8).map(|number| hour(number * 8)).collect();
    data.add_rates(RateSeries {
        id: "funding.bybit.BTCUSDT".parse().unwrap(),
        rate: vec![Rate::ZERO; at.len()],
        at,
    })
    .unwrap();
    Arc::new(data)
}

fn run(mode: &str, deleverage: &str) -> RunResult {
    let sets = [
        "hedge_allocation={ binance: 0, bybit: 1, okx: 0 }".to_owned(),
        "hedge_leverage=3".to_owned(),
        format!("venue_settings.bybit.margin_mode={mode}"),
        "risk.distance_warn=0.05".to_owned(),
        "risk.distance_reduce_only=0.04".to_owned(),
        format!("risk.distance_top_up={deleverage}"),
        format!("risk.distance_deleverage={deleverage}"),
        "risk.distance_halt=0".to_owned(),
        "risk.net_delta_halt=10".to_owned(),
    ];
    let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
    backtest(&rising(), "btc_basis", &sets, (hour(0), hour(HOURS)))
}

fn levels(result: &RunResult) -> Vec<(&str, String)> {
    let risks = result.events.iter().filter_map(|event| match &event.data {
        EventData::Risk { level, account, .. } => Some((
            level.as_ref(),
            account
                .map(|account| account.to_string())
                .unwrap_or_default(),
        )),
        _ => None,
    });
    risks.collect()
}

#[test]
fn an_isolated_position_is_closed_before_its_own_margin_is_gone() {
    let saved = run("isolated", "0.03");
    let deleveraged = ("deleverage", "bybit.unified".to_owned());
    assert!(
        levels(&saved).contains(&deleveraged),
        "{:?}",
        levels(&saved)
    );
    assert_eq!(saved.counts.liquidations, 0);
    // Left alone, the venue closes it, though the account has cash enough for years.
    let lost = run("isolated", "0");
    assert!(lost.counts.liquidations > 0);
    // On cross margin all of that cash stands for it, and nothing is near.
    let cross = run("cross", "0.03");
    assert_eq!(cross.counts.liquidations, 0);
    assert_eq!(levels(&cross), []);
}
