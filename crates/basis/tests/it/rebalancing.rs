//! How far a rebalance goes, and whether exposure is worth its cost: `rebalance_to` and
//! `expected_carry`.

use std::sync::Arc;

use basis::core::event::EventData;
use basis::core::num::{Price, Quantity, Rate, Rounding, Value};
use basis::core::types::{Item, Span, Timestamp};
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
    // A fall of the price is what takes the notional below its band.
    for result in [&target, &inner] {
        let rebalances = plans(result).into_iter();
        assert!(
            rebalances
                .filter(|(_, reason)| *reason == "utilization")
                .count()
                > 0
        );
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
    let rate: Rate = rate.parse().unwrap();
    paying(&[("binance", &|_| rate)])
}

/// The rate of a venue by instant.
type Paid<'a> = (&'a str, &'a dyn Fn(Timestamp) -> Rate);

/// The same with the rates of several venues.
fn paying(rates: &[Paid<'_>]) -> Arc<MarketData> {
    let mut data = MarketData::new("in code", true);
    let rows = usize::try_from(HOURS).unwrap();
    let perps = rates
        .iter()
        .map(|(venue, _)| format!("perp.{venue}.BTCUSDT"));
    let spots = ["spot.bybit.BTCUSDT", "spot.binance.BTCUSDT"].map(str::to_owned);
    for name in spots.into_iter().chain(perps) {
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
    for (venue, rate) in rates {
        let at: Vec<_> = (0..=HOURS / 8).map(|number| hour(number * 8)).collect();
        data.add_rates(RateSeries {
            id: format!("funding.{venue}.BTCUSDT").parse().unwrap(),
            rate: at.iter().map(|at| rate(*at)).collect(),
            at,
        })
        .unwrap();
    }
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
    // 21 settlements of 1 bps a week against 2 x (10 + 1 + 5 + 1) bps: 272 hours earn just that, and the
    // transfers that bring the margin come on top.
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
    assert!(entered("0.0001", "310").counts.orders > 0);
    assert_eq!(entered("-0.0001", "87600").counts.orders, 0);
    assert!(
        entered("0", "null").counts.orders > 0,
        "without a horizon nothing is asked"
    );
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
        // Above the band too: the ladder alone decides, and a distance of .32 is above its first act.
        ("63000", false),
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

/// What the log says of a state, in order.
fn said<'a>(result: &'a RunResult, wanted: &str) -> Vec<(Timestamp, &'a str)> {
    let said = result.events.iter().filter_map(|event| match &event.data {
        EventData::StateUpdate { state, detail } if *state == wanted => {
            Some((event.at, detail.as_str()))
        }
        _ => None,
    });
    said.collect()
}

const HURDLE: &str = "expected_carry.horizon_hours=720";

/// A short of Binance alone from day 7 on, whose funding turns after `turns` days and back after `back`.
fn turning(turns: i64, back: i64, sets: &[&str]) -> RunResult {
    let rate = |at: Timestamp| {
        let is_negative = at >= hour(24 * turns) && at < hour(24 * back);
        Rate::literal(if is_negative { "-0.0005" } else { "0.001" })
    };
    let data = paying(&[("binance", &rate)]);
    let alone = "hedge_allocation={ binance: 1, bybit: 0, okx: 0 }";
    let sets = [&[alone, HURDLE, "equity_deviation=1"], sets].concat();
    backtest(&data, "btc_basis", &sets, (hour(168), hour(HOURS)))
}

#[test]
fn a_book_is_left_after_days_of_negative_carry_and_entered_again_when_it_pays() {
    let days = "expected_carry.stand_aside_after_days=6";
    let lookback = "expected_carry.lookback_hours=72";
    let result = turning(12, 24, &[days, lookback]);
    let left = said(&result, "stands_aside");
    let [(at, why)] = left[..] else {
        panic!("{left:?}")
    };
    // Two thirds of the six days at half the rate outweigh a third of them: from the fourth day on.
    assert!((hour(24 * 16)..=hour(24 * 17)).contains(&at), "{at}");
    assert!(
        why.contains("over 6 days (18 of 18 settlements recorded)"),
        "{why}"
    );
    let trades = plans(&result);
    let closed = trades
        .iter()
        .filter(|(_, reason)| *reason == "stands_aside");
    assert_eq!(closed.count(), 1, "{trades:?}");
    let flat = |at: Timestamp| {
        let step = result.steps.at.iter().position(|step| *step == at).unwrap();
        result.steps.risk.gross_delta[step] < Quantity::literal("0.001")
    };
    assert!(flat(hour(24 * 20)), "never the other way round");
    let entries: Vec<_> = trades
        .iter()
        .filter(|(_, reason)| *reason == "entry")
        .collect();
    assert_eq!(entries.len(), 2, "{trades:?}");
    assert!(entries[1].0 >= hour(24 * 24), "{trades:?}");
    assert!(!flat(hour(HOURS)));
    assert!(result.counts.stood_aside_steps > 100, "{:?}", result.counts);
    assert_eq!(result.never_held, None);
}

#[test]
fn a_week_of_negative_funding_is_sat_out() {
    let result = turning(12, 19, &[]);
    assert_eq!(said(&result, "stands_aside"), Vec::new());
    let entries = plans(&result)
        .into_iter()
        .filter(|(_, reason)| *reason == "entry");
    assert_eq!(entries.count(), 1);
}

#[test]
fn the_numbers_of_an_entry_stand_in_its_event() {
    let result = turning(30, 31, &[]);
    let entered = said(&result, "carry_above_cost");
    let (at, numbers) = entered[0];
    assert_eq!(
        plans(&result)
            .iter()
            .find(|(_, r)| *r == "entry")
            .unwrap()
            .0,
        at
    );
    for words in [
        "the expected carry of ",
        " USD is above the round trip of ",
        " USD of it for transfers",
    ] {
        assert!(numbers.contains(words), "{numbers}");
    }
}

#[test]
fn new_notional_stays_away_from_a_venue_whose_funding_is_far_below_the_median() {
    // 10.95 % a year at two venues, 4.4 % or 5.5 % less at the third.
    for (third, share) in [("0.00006", 0.3), ("0.00005", 0.0)] {
        let third: Rate = third.parse().unwrap();
        let usual = Rate::literal("0.0001");
        let data = paying(&[
            ("binance", &|_| usual),
            ("bybit", &|_| usual),
            ("okx", &|_| third),
        ]);
        let sets = ["expected_carry.horizon_hours=8760"];
        let result = backtest(&data, "btc_basis", &sets, (hour(168), hour(240)));
        let held = |venue: &str| {
            let lines = result.ledger.iter();
            let perp = lines.filter(
                |line| matches!(line.item, Item::Position(key) if key.venue.as_str() == venue),
            );
            perp.map(|line| line.quantity.to_f64()).sum::<f64>()
        };
        let whole = held("binance") + held("bybit") + held("okx");
        assert!(whole < -0.5, "{whole}");
        assert!(
            (held("okx") / whole - share).abs() < 0.01,
            "{third}: {}",
            held("okx")
        );
        // The others take its share in proportion to theirs.
        let first = 0.4 / (0.7 + share);
        assert!((held("binance") / whole - first).abs() < 0.01, "{third}");
        let says = said(&result, "carry_above_cost")[0].1;
        assert_eq!(says.contains("nothing more at okx"), share == 0.0, "{says}");
        assert_eq!(result.counts.rejections, 0);
    }
}
