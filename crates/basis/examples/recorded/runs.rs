//! Every mode at its defaults: 2024, 2025 and the whole span, beside what lending the same capital earned.

use std::path::Path;

use basis::core::error::ComponentError;
use basis::engine::RunResult;
use basis::engine::pnl::Attribution;

use crate::figures::{Figures, markdown, or_dash, percent};
use crate::market::{Market, Mode, Range, year_2025};

const HEADS: [&str; 13] = [
    "mode",
    "span",
    "unit",
    "return",
    "a year",
    "lending",
    "drawdown",
    "on exit value",
    "Sharpe",
    "exit cost",
    "costs, USD",
    "cost per carry",
    "rebalances",
];

pub(crate) fn table(data: &Path, modes: &[&'static Mode]) -> Result<String, ComponentError> {
    let lending = lending(data)?;
    let mut rows = Vec::new();
    let mut driven = Vec::new();
    for mode in modes {
        let market = Market::load(data, mode)?;
        let spans = [
            ("2024", mode.year_2024()?),
            ("2025", year_2025()?),
            ("whole", mode.whole()?),
        ];
        for (name, range) in spans {
            let run = market.run(range, &[])?;
            let lent = lent(&lending, range, Figures::of(&run).capital_usd)?;
            rows.push(row(mode, name, &run, lent));
            if name == "whole" {
                driven.push((mode.name, run.attribution));
            }
        }
    }
    Ok(format!("{}\n{}", markdown(&HEADS, &rows), buckets(&driven)))
}

/// What drives each over the whole span: a line per bucket of the attribution, USD.
fn buckets(driven: &[(&str, Attribution)]) -> String {
    let names: Vec<String> = driven.iter().map(|(mode, _)| format!("`{mode}`")).collect();
    let mut heads = vec!["USD"];
    heads.extend(names.iter().map(String::as_str));
    let mut lines: Vec<Vec<String>> = Vec::new();
    for (_, attribution) in driven {
        for (at, (bucket, value)) in attribution.rows().iter().enumerate() {
            if lines.len() <= at {
                lines.push(vec![(*bucket).to_owned()]);
            }
            if let Some(line) = lines.get_mut(at) {
                line.push(match value.is_zero() {
                    true => "0".to_owned(),
                    false if value.to_f64().abs() < 0.005 => format!("{:.0e}", value.to_f64()),
                    false => format!("{:.2}", value.to_f64()),
                });
            }
        }
    }
    markdown(&heads, &lines)
}

/// The market of the benchmark.
pub(crate) fn lending(data: &Path) -> Result<Market, ComponentError> {
    let mode = Mode::named("pure_lending");
    Market::load(data, mode.unwrap_or(&crate::market::MODES[2]))
}

/// What `pure_lending` returns on as many dollars over the same span, own size included.
pub(crate) fn lent(market: &Market, range: Range, capital_usd: f64) -> Result<f64, ComponentError> {
    let sets = [format!("initial_capital={capital_usd:.2}")];
    let run = market.run(range, &sets)?;
    Ok(run.headline().total_return)
}

fn row(mode: &Mode, name: &str, run: &RunResult, lent: f64) -> Vec<String> {
    let own = Figures::of(run);
    let per_carry = (own.carry > 0.0).then(|| own.costs / own.carry);
    let halted = if run.halted.is_some() { ", halted" } else { "" };
    vec![
        format!("`{}`", mode.name),
        format!("{name}{halted}"),
        run.share_class.to_string(),
        percent(own.total_return),
        percent(own.apy),
        percent(lent),
        percent(own.max_drawdown),
        percent(own.max_drawdown_exit),
        or_dash(own.sharpe, 1),
        percent(own.exit_cost),
        format!("{:.0}", own.costs),
        per_carry.map_or_else(|| "-".to_owned(), percent),
        run.counts.rebalances.to_string(),
    ]
}
