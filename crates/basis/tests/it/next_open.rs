//! `fill_at: next_open` over whole runs: when orders fill and at what, that nothing is known before
//! its time, and what a leg whose market is gone does to its block.

use std::collections::BTreeMap;
use std::sync::Arc;

use basis::core::event::EventData;
use basis::core::num::{Fixed18, Price, Quantity, Rounding};
use basis::core::types::{InstructionId, SeriesId, Span, Timestamp};
use basis::core::venue_event::LiquiditySide;
use basis::data::synthetic::{SyntheticGap, SyntheticSpec, synthetic};
use basis::engine::RunResult;
use basis::engine::result::ExecutionRow;
use basis::market::{BarColumns, GasFees, MarketData, RateSeries};

use crate::runner::backtest;

const BARS: usize = 24 * 20;
const NANOSECOND: Span = Span::from_nanos(1);

fn start() -> Timestamp {
    SyntheticSpec::default().start
}

fn hour(number: i64) -> Timestamp {
    start().plus(Span::from_hours(number))
}

fn market(gaps: Vec<SyntheticGap>) -> Arc<MarketData> {
    Arc::new(synthetic(&SyntheticSpec {
        bars: BARS,
        gaps,
        ..SyntheticSpec::default()
    }))
}

fn run(data: &Arc<MarketData>, mode: &str, sets: &[&str]) -> RunResult {
    let sets = [sets, &["fill_at=next_open"]].concat();
    let to = hour(i64::try_from(BARS).unwrap());
    backtest(data, mode, &sets, (start(), to))
}

fn is_order(row: &ExecutionRow) -> bool {
    matches!(row.operation.as_ref(), "spot_trade" | "perp_trade")
}

/// When each order was sent.
fn sent(result: &RunResult) -> BTreeMap<InstructionId, Timestamp> {
    let rows = result.executions.iter().filter(|row| is_order(row));
    rows.map(|row| (row.instruction, row.at)).collect()
}

#[test]
fn every_order_fills_at_the_open_of_the_bar_after_its_decision() {
    let narrow = [
        "initial_capital=1000000",
        "utilization_band=0.02",
        "equity_deviation=1",
    ];
    for mode in ["btc_basis", "eth_basis"] {
        let data = market(Vec::new());
        let result = run(&data, mode, &narrow);
        let sent = sent(&result);
        assert!(result.counts.rebalances > 1, "{:?}", result.counts);
        assert_eq!(result.halted, None);
        let mut fills = 0;
        for row in &result.executions {
            assert!(!is_order(row) || row.status == "pending", "{row:?}");
            let Some(fill) = &row.fill else { continue };
            let decided = sent[&row.instruction];
            assert_eq!(row.at, decided.plus(NANOSECOND));
            assert_eq!(fill.liquidity, LiquiditySide::Taker);
            let bars = data.bars(fill.instrument.series()).unwrap();
            let bar = bars.bars().find(|bar| bar.opened_at == decided).unwrap();
            assert_eq!(fill.reference, bar.open, "{row:?}");
            fills += 1;
        }
        assert_eq!(fills, result.counts.fills);
        assert!(fills <= sent.len() as u64);
        // The book is hedged: what its fills drift within their bar is no result of the price.
        let price = result.attribution.price.abs().unwrap();
        let turnover = result.attribution.basis.abs().unwrap();
        assert!(
            mode != "btc_basis" || price < turnover.max("50".parse().unwrap()),
            "{price} {turnover}"
        );
    }
}

/// The same market until `cut`; every price of bars that open then or later is changed.
fn changed_from(data: &MarketData, cut: Timestamp) -> Arc<MarketData> {
    let mut other = MarketData::new("changed", true);
    let ids: Vec<SeriesId> = data.ids().collect();
    for id in ids {
        if let Some(gas) = data.rows::<GasFees>(id) {
            other.add_rows(gas.as_ref().clone()).unwrap();
        }
        if let Some(bars) = data.bars(id) {
            let rows: Vec<_> = bars.bars().collect();
            let times = |price: Price, opened: Timestamp| {
                let more = Fixed18::literal("1.05");
                let price = if opened < cut {
                    price.get()
                } else {
                    price.get().mul(more, Rounding::Floor).unwrap()
                };
                Price::new(price.round_to_decimals(12, Rounding::Floor).unwrap()).unwrap()
            };
            let column = |pick: fn(&basis::market::Bar) -> Price| {
                rows.iter()
                    .map(|bar| times(pick(bar), bar.opened_at))
                    .collect()
            };
            other
                .add_bars(BarColumns {
                    id,
                    length: bars.length,
                    opened_at: rows.iter().map(|bar| bar.opened_at).collect(),
                    open: column(|bar| bar.open),
                    high: column(|bar| bar.high),
                    low: column(|bar| bar.low),
                    close: column(|bar| bar.close),
                    volume: rows.iter().map(|bar| bar.volume).collect(),
                })
                .unwrap();
        }
        if let Some(rates) = data.rates(id) {
            other
                .add_rates(RateSeries {
                    id,
                    at: rates.at.clone(),
                    rate: rates.rate.clone(),
                })
                .unwrap();
        }
    }
    Arc::new(other)
}

#[test]
fn what_is_decided_and_booked_up_to_an_instant_knows_nothing_after_it() {
    let data = market(Vec::new());
    let one = run(&data, "btc_basis", &[]);
    let orders: Vec<Timestamp> = sent(&one).into_values().collect();
    // The instant of a rebalance: its orders are the same, and their fills lie behind it.
    let cut = orders[orders.len() / 2];
    let two = run(&changed_from(&data, cut), "btc_basis", &[]);
    let until = |result: &RunResult| -> Vec<ExecutionRow> {
        let rows = result.executions.iter().filter(|row| row.at <= cut);
        rows.cloned().collect()
    };
    assert!(until(&one).iter().any(|row| is_order(row) && row.at == cut));
    assert_eq!(until(&one), until(&two));
    let booked = |result: &RunResult| -> Vec<_> {
        let lines = result.ledger.iter().filter(|line| line.at <= cut);
        lines.cloned().collect()
    };
    assert_eq!(booked(&one), booked(&two));
    let prices = |result: &RunResult| -> Vec<Price> {
        let rows = result.executions.iter();
        let next = rows.filter(|row| row.at == cut.plus(NANOSECOND));
        next.filter_map(|row| row.fill.as_ref().map(|fill| fill.price))
            .collect()
    };
    assert!(!prices(&one).is_empty());
    assert_ne!(prices(&one), prices(&two), "the open is what changed");
}

#[test]
fn a_leg_whose_market_is_gone_at_the_open_has_its_block_undone_a_step_later() {
    let whole = run(&market(Vec::new()), "btc_basis", &[]);
    let entry = *sent(&whole).values().next().unwrap();
    let gap = SyntheticGap {
        series: "spot.binance.BTCUSDT".parse().unwrap(),
        from: entry,
        to: entry.plus(Span::from_hours(5)),
    };
    let result = run(&market(vec![gap]), "btc_basis", &["data.gaps=hold"]);
    assert_eq!(result.halted, None);
    let fills = |at: Timestamp| -> Vec<(&str, i64)> {
        let rows = result.executions.iter().filter(|row| row.at == at);
        let fills =
            rows.filter_map(|row| Some((row.operation.as_ref(), row.fill.as_ref()?.side.sign())));
        fills.collect()
    };
    let after = |hours: i64| entry.plus(Span::from_hours(hours)).plus(NANOSECOND);
    // The shorts open without their spot, and are bought back as soon as that is known.
    assert_eq!(fills(after(0)), [("perp", -1); 3]);
    assert_eq!(fills(after(1)), [("perp", 1); 3]);
    let net = |hours: i64| {
        let at = entry.plus(Span::from_hours(hours));
        let step = result.steps.at.iter().position(|step| *step == at).unwrap();
        result.steps.net_delta[step]
    };
    assert!(net(1).is_negative());
    assert_eq!(net(2), Quantity::ZERO);
    let policies = result.events.iter().filter_map(|event| match &event.data {
        EventData::FailurePolicyApplied {
            policy,
            failed,
            unwinding,
        } => Some((event.at, policy.as_ref(), failed.len(), unwinding.len())),
        _ => None,
    });
    let known = entry.plus(Span::from_hours(1));
    assert_eq!(policies.collect::<Vec<_>>(), [(known, "compensate", 1, 3)]);
    // Once the market is back the book is built.
    let last = result.steps.net_delta.last().unwrap();
    assert!(last.abs().unwrap() < "0.05".parse().unwrap());
    assert!(result.counts.fills >= 6 + 4);
}
