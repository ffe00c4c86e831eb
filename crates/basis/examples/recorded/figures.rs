//! What the tables say of a run: statistics, for reading.

use basis::core::num::Value;
use basis::core::types::{Span, Timestamp};
use basis::engine::RunResult;
use basis::market::{GapTreatment, is_dollar};

const WEEK: Span = Span::from_hours(7 * 24);
const HOURS_PER_YEAR: f64 = 8_760.0;

/// Shares of equity and USD.
pub(crate) struct Figures {
    pub(crate) total_return: f64,
    pub(crate) apy: f64,
    pub(crate) max_drawdown: f64,
    pub(crate) max_drawdown_exit: f64,
    pub(crate) sharpe: Option<f64>,
    /// Yield less what was borrowed for, USD.
    pub(crate) carry: f64,
    /// Fees, slippage, gas and transfers, USD.
    pub(crate) costs: f64,
    /// What leaving takes at the end, over the equity.
    pub(crate) exit_cost: f64,
    pub(crate) exit_hours: Option<f64>,
    /// Return less what leaving takes, a year; −1 where it takes more than there is.
    pub(crate) net_carry: f64,
    /// Equity of the first step, USD.
    pub(crate) capital_usd: f64,
}

impl Figures {
    pub(crate) fn of(run: &RunResult) -> Self {
        let headline = run.headline();
        let buckets = &run.attribution;
        let sum = |values: &[Value]| values.iter().map(|value| value.to_f64()).sum::<f64>();
        let carry = sum(&[
            buckets.funding,
            buckets.interest,
            buckets.staking_yield,
            buckets.rewards,
            buckets.liquidity_fees,
            buckets.borrow_cost,
        ]);
        let costs = -sum(&[
            buckets.fees,
            buckets.slippage,
            buckets.gas,
            buckets.transfer_cost,
        ]);
        let [first, last] = match &run.ends {
            Some([first, last]) => [first.equity_usd.to_f64(), last.equity_usd.to_f64()],
            None => [0.0, 0.0],
        };
        let leaving = run.exit.map_or(0.0, |exit| exit.last.cost.to_f64());
        let exit_cost = if last > 0.0 { leaving / last } else { 0.0 };
        let hours = hours(run.range.1.since(run.range.0));
        let kept = (1.0 + headline.total_return) * (1.0 - exit_cost);
        Self {
            total_return: headline.total_return,
            apy: headline.apy,
            max_drawdown: headline.max_drawdown,
            max_drawdown_exit: run.exit.map_or(0.0, |exit| exit.max_drawdown),
            sharpe: headline.sharpe,
            carry,
            costs,
            exit_cost,
            exit_hours: run.exit.and_then(|exit| Some(exit.last.hours?.to_f64())),
            net_carry: kept.max(0.0).powf(HOURS_PER_YEAR / hours.max(1.0)) - 1.0,
            capital_usd: first,
        }
    }
}

pub(crate) fn hours(span: Span) -> f64 {
    let hours = span.seconds() / 3_600;
    i32::try_from(hours).map_or(f64::MAX, f64::from)
}

/// Hours until a hedged book stood at 95 % of the most that it held in its first 30 days; `None` where it held
/// nothing.
pub(crate) fn entry_hours(run: &RunResult) -> Option<f64> {
    let from = run.range.0;
    let month = run
        .steps
        .at
        .iter()
        .zip(&run.steps.risk.gross_delta)
        .take_while(|(at, _)| at.since(from) <= Span::from_hours(30 * 24));
    let most = month
        .clone()
        .map(|(_, gross)| gross.to_f64())
        .fold(0.0, f64::max);
    if most <= 0.0 {
        return None;
    }
    let mut reached = month.filter(|(_, gross)| gross.to_f64() >= 0.95 * most);
    reached.next().map(|(at, _)| hours(at.since(from)))
}

/// The return of every whole week of a run without flows, in the share class, with the week's first instant.
/// Weeks in which a series of the run is suspect are `None`.
pub(crate) fn weekly(run: &RunResult) -> Vec<Option<f64>> {
    let steps = &run.steps;
    let equity_at = |at: Timestamp| {
        let step = steps
            .at
            .partition_point(|other| *other <= at)
            .checked_sub(1)?;
        let equity = steps.equity_usd.get(step)?.to_f64();
        let reference = steps.reference.get(step)?.to_f64();
        Some(if is_dollar(run.share_class) {
            equity
        } else {
            equity / reference
        })
    };
    let suspect: Vec<(Timestamp, Timestamp)> = run
        .coverage
        .iter()
        .flat_map(|coverage| &coverage.gaps)
        .filter(|gap| matches!(gap.treatment, GapTreatment::Suspect))
        .map(|gap| (gap.first, gap.last))
        .collect();
    let (from, to) = run.range;
    let mut weeks = Vec::new();
    // The first week begins at the first step: before it there is no equity.
    let mut at = from.plus(Span::HOUR);
    while at.plus(WEEK) <= to {
        let end = at.plus(WEEK);
        let is_suspect = suspect
            .iter()
            .any(|(first, last)| *first < end && *last >= at);
        let own = equity_at(at).zip(equity_at(end));
        let own = own.filter(|(before, _)| !is_suspect && *before > 0.0);
        weeks.push(own.map(|(before, after)| after / before - 1.0));
        at = end;
    }
    weeks
}

/// `4.62 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// `-` where there is none.
pub(crate) fn or_dash(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

/// A markdown table: heads, a rule, rows.
pub(crate) fn markdown(heads: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    let rule = vec!["---".to_owned(); heads.len()];
    let lines = rows.iter().map(|row| line(row));
    [line(&heads), line(&rule)]
        .into_iter()
        .chain(lines)
        .collect()
}
