//! How far a rebalance goes, and whether exposure is worth its cost: `rebalance_to` and
//! `expected_carry`.

#![expect(
    clippy::indexing_slicing,
    reason = "helpers of tests: a failure is a failed test"
)]

use std::sync::Arc;

use basis::core::event::EventData;
use basis::core::num::{Fixed18, Price, Quantity, Rate, Rounding, Value};
use basis::core::types::{Item, SeriesId, Span, Timestamp};
use basis::data::synthetic::{SyntheticSpec, synthetic};
use basis::engine::RunResult;
use basis::market::{BarColumns, MarketData, RateSeries};

use crate::runner::backtest;

const HOURS: i64 = 24 * 40;

fn hour(number: i64) -> Timestamp {
    SyntheticSpec::default()
        .start
        .plus(Span::from_hours(number))
}

fn plans(result: &RunResult) -> Vec<(Timestamp, &str)> {
    let plans = result.events.iter().filter_map(|event| match &event.data {
        EventData::Plan { reason, .. } => Some((event.at, reason.as_ref())),
        _ => None,
    });
    plans.collect()
}

/// Worth of spot over its target after a step, less one.
fn deviation(result: &RunResult, at: Timestamp) -> f64 {
    let step = result.steps.at.iter().position(|step| *step == at).unwrap();
    let rows = usize::try_from(result.steps.ledger_rows[step]).unwrap();
    let btc = Item::Asset("BTC".parse().unwrap());
    let lines = result
        .ledger
        .iter()
        .take(rows)
        .filter(|line| line.item == btc);
    let held = lines.map(|line| line.quantity.to_f64()).sum::<f64>();
    let series: SeriesId = "spot.binance.BTCUSDT".parse().unwrap();
    let prices = result
        .steps
        .prices
        .iter()
        .find(|p| p.series == series)
        .unwrap();
    // A reserve of 5 %, and at a leverage of 1 half of the rest in spot.
    let target = result.steps.equity_usd[step].to_f64() * 0.95 / 2.0;
    held * prices.mark[step].to_f64() / target - 1.0
}

fn turnover(result: &RunResult) -> Value {
    let fills = result.executions.iter().filter_map(|row| row.fill.as_ref());
    let notional = fills.map(|fill| fill.quantity.notional(fill.price, Rounding::Floor).unwrap());
    notional.fold(Value::ZERO, |sum, notional| sum.add(notional).unwrap())
}

#[test]
fn a_rebalance_to_the_inner_band_stops_at_its_edge_and_trades_less() {
    let data = Arc::new(synthetic(&SyntheticSpec {
        bars: usize::try_from(HOURS).unwrap(),
        ..SyntheticSpec::default()
    }));
    let range = (hour(0), hour(HOURS));
    let capital = "initial_capital=1000000";
    let (band, scale) = ("utilization_band=0.02", "equity_deviation=1");
    let one = "hedge_leverage=1";
    let target = backtest(&data, "btc_basis", &[capital, one, band, scale], range);
    let inner = [capital, one, band, scale, "rebalance_to=inner_band"];
    let inner = backtest(&data, "btc_basis", &inner, range);
    for (result, left) in [(&target, 0.0), (&inner, 0.01)] {
        // With the free balance short of the whole way, less is bought.
        let rebalances: Vec<_> = plans(result)
            .into_iter()
            .filter(|(_, reason)| *reason == "utilization")
            .map(|(at, _)| deviation(result, at).abs())
            .collect();
        assert!(rebalances.len() > 10, "{rebalances:?}");
        let near = rebalances
            .iter()
            .filter(|off| (**off - left).abs() < 0.0015);
        assert!(near.count() * 10 >= rebalances.len() * 9, "{rebalances:?}");
    }
    assert!(turnover(&inner) < turnover(&target));
    assert!(inner.attribution.fees.abs().unwrap() < target.attribution.fees.abs().unwrap());
    assert_eq!(inner.halted, None);
    let whole = "rebalance_inner_band=0";
    let whole = [capital, one, band, scale, "rebalance_to=inner_band", whole];
    let whole = backtest(&data, "btc_basis", &whole, range);
    assert_eq!(
        whole.ledger, target.ledger,
        "a band of nothing is the target"
    );
}

/// A market that stands still at 50,000 and pays `rate` at every settlement of Binance.
fn still(rate: &str) -> Arc<MarketData> {
    let mut data = MarketData::new("in code", true);
    let rows = usize::try_from(HOURS).unwrap();
    for name in [
        "spot.bybit.BTCUSDT",
        "spot.binance.BTCUSDT",
        "perp.binance.BTCUSDT",
    ] {
        let price = vec![Price::literal("50000"); rows];
        data.add_bars(BarColumns {
            id: name.parse().unwrap(),
            length: Span::HOUR,
            opened_at: (0..HOURS).map(hour).collect(),
            open: price.clone(),
            high: price.clone(),
            low: price.clone(),
            close: price,
            volume: vec![Quantity::literal("1000"); rows],
        })
        .unwrap();
    }
    let at: Vec<_> = (0..=HOURS / 8).map(|number| hour(number * 8)).collect();
    data.add_rates(RateSeries {
        id: "funding.binance.BTCUSDT".parse().unwrap(),
        rate: vec![rate.parse::<Rate>().unwrap(); at.len()],
        at,
    })
    .unwrap();
    Arc::new(data)
}

fn entered(rate: &str, horizon: &str) -> RunResult {
    let horizon = format!("expected_carry.horizon_hours={horizon}");
    let alone = "hedge_allocation={ binance: 1, bybit: 0, okx: 0 }";
    // A week of rates lies before the run.
    let range = (hour(168), hour(168 + 48));
    backtest(&still(rate), "btc_basis", &[&horizon, alone], range)
}

#[test]
fn capital_waits_until_the_carry_over_the_horizon_exceeds_the_round_trip() {
    // 21 settlements of 1 bps a week against 2 x (10 + 1 + 5 + 1) bps: 272 hours earn just that.
    let waits = entered("0.0001", "272");
    assert_eq!(waits.counts.orders, 0);
    assert_eq!(waits.counts.transfers, 0, "nor is anything moved for it");
    let said = waits.events.iter().filter(|event| {
        matches!(
            &event.data,
            EventData::StateUpdate { state, .. } if *state == "carry_below_cost"
        )
    });
    assert_eq!(said.count(), 1, "said once");
    assert!(entered("0.0001", "273").counts.orders > 0);
    assert_eq!(entered("-0.0001", "87600").counts.orders, 0);
    assert!(
        entered("0", "null").counts.orders > 0,
        "without a horizon nothing is asked"
    );
}

#[test]
fn a_lower_target_never_waits_for_carry() {
    let alone = "hedge_allocation={ binance: 1, bybit: 0, okx: 0 }";
    let mut data = MarketData::new("in code", true);
    let still = still("0.0001");
    for id in still.ids() {
        if let Some(bars) = still.bars(id) {
            // A fifth more from the third day on: spot is then worth more than its target.
            let prices: Vec<_> = (0..HOURS)
                .map(|n| Price::literal(if n < 168 + 72 { "50000" } else { "60000" }))
                .collect();
            data.add_bars(BarColumns {
                id,
                length: bars.length,
                opened_at: bars.bars().map(|bar| bar.opened_at).collect(),
                open: prices.clone(),
                high: prices.clone(),
                low: prices.clone(),
                close: prices,
                volume: bars.bars().map(|bar| bar.volume).collect(),
            })
            .unwrap();
        }
        if let Some(rates) = still.rates(id) {
            // Once the position is open the funding turns against it.
            let rate = rates.at.iter().map(|at| {
                Rate::new(Fixed18::literal(if *at < hour(180) {
                    "0.001"
                } else {
                    "-0.001"
                }))
            });
            data.add_rates(RateSeries {
                id,
                at: rates.at.clone(),
                rate: rate.collect(),
            })
            .unwrap();
        }
    }
    let band = "utilization_band=0.02";
    let sets = [
        "expected_carry.horizon_hours=720",
        "hedge_leverage=1",
        alone,
        band,
    ];
    let range = (hour(168), hour(168 + 120));
    let result = backtest(&Arc::new(data), "btc_basis", &sets, range);
    let traded = plans(&result)
        .into_iter()
        .filter(|(_, reason)| *reason == "utilization");
    assert!(traded.count() > 0, "{:?}", plans(&result));
    assert!(deviation(&result, hour(168 + 120)).abs() < 0.02);
}

/// Binance alone, entered at 50,000; the price is `to` from the third day on.
fn moved(to: &str) -> Arc<MarketData> {
    let still = still("0.0001");
    let mut data = MarketData::new("in code", true);
    for id in still.ids() {
        if let Some(bars) = still.bars(id) {
            let prices: Vec<_> = (0..HOURS)
                .map(|n| if n < 72 { "50000" } else { to }.parse().unwrap())
                .collect();
            data.add_bars(BarColumns {
                id,
                length: bars.length,
                opened_at: bars.bars().map(|bar| bar.opened_at).collect(),
                open: prices.clone(),
                high: prices.clone(),
                low: prices.clone(),
                close: prices,
                volume: bars.bars().map(|bar| bar.volume).collect(),
            })
            .unwrap();
        }
        if let Some(rates) = still.rates(id) {
            data.add_rates(RateSeries {
                id,
                at: rates.at.clone(),
                rate: rates.rate.clone(),
            })
            .unwrap();
        }
    }
    Arc::new(data)
}

#[test]
fn a_price_move_within_the_bands_trades_nothing() {
    let alone = "hedge_allocation={ binance: 1, bybit: 0, okx: 0 }";
    for (to, trades) in [
        ("59000", false),
        ("41000", false),
        ("75000", true),
        ("35000", true),
    ] {
        let result = backtest(&moved(to), "btc_basis", &[alone], (hour(0), hour(120)));
        let later = plans(&result).into_iter();
        let later: Vec<_> = later.filter(|(at, _)| *at >= hour(72)).collect();
        let traded = later.iter().any(|(_, reason)| *reason == "utilization");
        assert_eq!(traded, trades, "{to}: {later:?}");
        assert!(trades || later.is_empty(), "{to}: {later:?}");
        assert_eq!(result.halted, None);
    }
}

#[test]
fn equity_that_has_left_its_band_scales_the_book() {
    let alone = "hedge_allocation={ binance: 1, bybit: 0, okx: 0 }";
    // A funding of 0.4 % every eight hours on half of the capital.
    let data = still("0.004");
    let scaled = |sets: &[&str]| {
        let sets = [&[alone], sets].concat();
        let result = backtest(&data, "btc_basis", &sets, (hour(0), hour(240)));
        let plans = plans(&result).into_iter();
        plans.filter(|(_, r)| *r == "equity_deviation").count()
    };
    let times = scaled(&[]);
    assert!((2..=4).contains(&times), "{times}");
    assert_eq!(scaled(&["equity_deviation=1"]), 0);
}

#[test]
fn the_old_name_of_a_band_is_refused_with_the_new_ones() {
    let scratch = crate::runner::Scratch::new();
    let outcome = scratch.basis("backtest btc_basis --set position_deviation_threshold=0.02");
    assert_eq!(outcome.code, 2, "{}", outcome.err);
    for name in ["equity_deviation", "utilization_band"] {
        assert!(outcome.err.contains(name), "{}", outcome.err);
    }
}
