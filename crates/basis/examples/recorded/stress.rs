//! The three tiers of stress, per mode at its default and at the largest leverage that starts.

use std::path::Path;

use basis::core::error::ComponentError;
use basis::core::types::Span;
use basis::report::stress::{Criterion, Row, WORST, Worst, worst};
use basis::stress::run::{self, Common, When};
use basis::stress::scenarios::{self, Scenario};

use crate::figures::{markdown, percent};
use crate::market::{Market, Mode, Range};

/// As `basis stress --tiers` has it.
const INSTANTS: usize = 24;
const HORIZON: Span = Span::from_hours(45 * 24);

pub(crate) fn table(data: &Path, modes: &[&'static Mode]) -> Result<String, ComponentError> {
    let mut heads = vec!["mode", "leverage", "scenario"];
    heads.extend(WORST);
    let (mut lines, mut sums) = (Vec::new(), Vec::new());
    let list = scenarios::tiers()?;
    for mode in modes {
        let market = Market::load(data, mode)?;
        let mut cases = vec![("default".to_owned(), Vec::new())];
        cases.extend(largest(&market)?.map(|set| (set.clone(), vec![set])));
        for (name, sets) in cases {
            let rows = rows(&market, mode.whole()?, &sets, &list)?;
            sums.push(summed(mode.name, &name, &worst(&rows)));
            for worst in worst(&rows) {
                let mut line = vec![format!("`{}`", mode.name), name.clone()];
                line.push(worst.row.name.clone());
                line.extend(worst.cells());
                lines.push(line);
            }
        }
    }
    Ok(format!(
        "{}\n{}",
        markdown(&SUM, &sums),
        markdown(&heads, &lines)
    ))
}

const SUM: [&str; 9] = [
    "mode",
    "leverage",
    "must survive",
    "worst loss of these",
    "loss < 3 %",
    "worst loss of these",
    "instants of 24 with a liquidation: ±30 % in 1 h",
    "±50 % in 1 h",
    "exchange lost, worst",
];

/// One line of all scenarios of a case.
fn summed(mode: &str, leverage: &str, all: &[Worst<'_>]) -> Vec<String> {
    let tier = |is: fn(Criterion) -> bool| {
        let own: Vec<_> = all.iter().filter(|worst| is(worst.row.criterion)).collect();
        let failed: Vec<_> = own
            .iter()
            .filter(|worst| worst.is_failed())
            .map(|worst| format!("{} ({} of {})", worst.row.name, worst.failed, worst.ran))
            .collect();
        let passed = format!("{} of {} pass", own.len() - failed.len(), own.len());
        match failed.is_empty() {
            true => [passed, worst_loss(own.into_iter())],
            false => [
                format!("{passed}; fail: {}", failed.join(", ")),
                worst_loss(own.into_iter()),
            ],
        }
    };
    let named = |part: &'static str| {
        all.iter()
            .filter(move |worst| worst.row.name.contains(part))
    };
    let liquidated = |part| {
        let counts: Vec<_> = named(part).map(|w| (&w.row.name, w.liquidated)).collect();
        match counts.as_slice() {
            [] => "-".to_owned(),
            counts => counts
                .iter()
                .map(|(name, count)| {
                    format!("{} {count}", name.split('_').next().unwrap_or_default())
                })
                .collect::<Vec<_>>()
                .join(", "),
        }
    };
    let [survive, survive_loss] = tier(|criterion| criterion == Criterion::Survive);
    let [bound, bound_loss] = tier(|criterion| matches!(criterion, Criterion::LossBelow(_)));
    vec![
        format!("`{mode}`"),
        leverage.to_owned(),
        survive,
        survive_loss,
        bound,
        bound_loss,
        liquidated("_30_1h"),
        liquidated("_50_1h"),
        worst_loss(named("exchange_lost")),
    ]
}

/// The largest loss of the worst instants, with its scenario.
fn worst_loss<'a>(all: impl Iterator<Item = &'a Worst<'a>>) -> String {
    let losses = all.filter_map(|worst| {
        let loss = worst.row.figures()?.loss_of_equity?;
        Some((loss, &worst.row.name))
    });
    losses.max().map_or_else(
        || "-".to_owned(),
        |(loss, name)| format!("{} ({name})", percent(loss.to_f64())),
    )
}

/// The rows of `list` over `range` with `sets` over the defaults.
pub(crate) fn rows(
    market: &Market,
    range: Range,
    sets: &[String],
    list: &[Scenario],
) -> Result<Vec<Row>, ComponentError> {
    let template = market.template(range, sets)?;
    let base = template.resolve(&[])?.setup.fitted(&market.data)?;
    let common = Common {
        data: &market.data,
        base: &base,
    };
    let when = (When::Spread(INSTANTS), Some(HORIZON));
    let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(run::table(common, &template, list, when, (jobs, &|_, _| {}))?.rows)
}

/// What a mode with `sets` fails of what it must show over `range`; nothing when it may be chosen.
pub(crate) fn failures(
    market: &Market,
    range: Range,
    sets: &[String],
    list: &[Scenario],
) -> Result<Vec<String>, ComponentError> {
    let rows = rows(market, range, sets, list)?;
    let failed = worst(&rows).into_iter().filter(Worst::is_failed);
    Ok(failed.map(|worst| worst.row.name.clone()).collect())
}

/// The setting of the largest leverage that starts, in steps of a twentieth; `None` in a mode without one, and
/// where that is the default.
fn largest(market: &Market) -> Result<Option<String>, ComponentError> {
    let Some(key) = market.mode.leverage else {
        return Ok(None);
    };
    let range = market.mode.whole()?;
    // A day decides: what does not start is refused before its first step.
    let day = (range.0, range.0.plus(Span::from_hours(24)));
    let values: &[&str] = match key {
        "target_ltv" => &[
            "0.75", "0.74", "0.73", "0.72", "0.71", "0.7", "0.69", "0.68", "0.67",
        ],
        _ => &[
            "3", "2.75", "2.5", "2.4", "2.3", "2.25", "2.2", "2.18", "2.15", "2.1", "2.05", "2",
            "1.9", "1.8", "1.7", "1.6",
        ],
    };
    for value in values {
        let set = format!("{key}={value}");
        if market.run(day, std::slice::from_ref(&set)).is_ok() {
            return Ok(Some(set));
        }
    }
    Ok(None)
}
