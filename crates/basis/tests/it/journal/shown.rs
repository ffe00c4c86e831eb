//! A result as lines, in which instruction numbers are replaced by their order of use.

use std::collections::BTreeMap;

use basis::core::types::InstructionId;
use basis::engine::RunResult;

/// Everything that a resumed run has in common with one that was never cut off.
pub(super) fn shown(result: &RunResult) -> Vec<String> {
    let order = order_of_use(result);
    let mut lines: Vec<_> = ledger(result).map(|line| renamed(&order, &line)).collect();
    lines.extend(executions(result).map(|line| renamed(&order, &line)));
    lines.extend(steps(result));
    lines.push(format!("{:?} {:?}", result.counts, result.statistics));
    lines.push(format!(
        "{:?} {:?}",
        result.attribution, result.share_attribution
    ));
    lines.push(format!("{:?} {:?}", result.risk, result.halted));
    lines.push(renamed(&order, &format!("{:?}", result.health)));
    lines
}

/// Compares two results line by line.
#[track_caller]
pub(super) fn assert_same(whole: &[String], resumed: &[String], what: &str) {
    for (one, other) in whole.iter().zip(resumed) {
        assert_eq!(one, other, "{what}");
    }
    assert_eq!(whole.len(), resumed.len(), "{what}");
}

/// The texts of all instruction numbers with their places, the longest first, so that none is taken for a
/// part of another.
fn order_of_use(result: &RunResult) -> Vec<(String, usize)> {
    let rows = result.executions.iter().map(|row| row.instruction);
    let lines = result.ledger.iter().filter_map(|line| line.instruction);
    let mut ids: Vec<InstructionId> = rows.chain(lines).collect();
    ids.sort_unstable();
    ids.dedup();
    let order: BTreeMap<_, _> = ids.into_iter().zip(1..).collect();
    let mut texts: Vec<_> = order
        .into_iter()
        .map(|(id, place)| (id.to_string(), place))
        .collect();
    texts.sort_by_key(|(id, _)| std::cmp::Reverse(id.len()));
    texts
}

fn renamed(order: &[(String, usize)], line: &str) -> String {
    let mut line = line.to_owned();
    for (id, place) in order {
        // Plain numbers of worlds in code would be found everywhere.
        if id.contains('-') && line.contains(id.as_str()) {
            line = line.replace(id.as_str(), &format!("#{place}"));
        }
    }
    line
}

fn ledger(result: &RunResult) -> impl Iterator<Item = String> + '_ {
    result.ledger.iter().map(|line| {
        let id = line
            .instruction
            .map(|id| id.to_string())
            .unwrap_or_default();
        format!(
            "{} {} {} {} {} {} {:?} {} {id} {}",
            line.at,
            line.account,
            line.item,
            line.quantity,
            line.units,
            line.value,
            line.kind,
            line.reference_price,
            line.cause,
        )
    })
}

fn executions(result: &RunResult) -> impl Iterator<Item = String> + '_ {
    result.executions.iter().map(|row| {
        let (id, at) = (row.instruction, row.at);
        format!(
            "{id} {} {} {} {} {at}",
            row.venue, row.operation, row.action, row.status
        )
    })
}

fn steps(result: &RunResult) -> Vec<String> {
    let steps = &result.steps;
    let figures = steps
        .equity_usd
        .iter()
        .zip(&steps.net_delta)
        .zip(&steps.attribution);
    let others = steps.ledger_rows.iter().zip(&steps.parked);
    let all = steps.at.iter().zip(figures).zip(others).enumerate();
    let mut lines: Vec<_> = all
        .map(|(place, ((at, figures), others))| {
            let risk = steps.risk.rows_of(place);
            format!("{at} {figures:?} {others:?} {risk:?}")
        })
        .collect();
    lines.extend(steps.margins.iter().map(|column| format!("{column:?}")));
    lines.extend(steps.prices.iter().map(|column| format!("{column:?}")));
    lines.extend(steps.tokens.iter().map(|column| format!("{column:?}")));
    lines
}
