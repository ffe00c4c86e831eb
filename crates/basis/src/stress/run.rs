//! Runs base and scenarios on threads over one data set.
//!
//! **Invariant.** Only a base run that fails stops the others; a scenario that fails, or panics, is a
//! row that says so.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use basis_core::config::{Location, Node, NodeValue};
use basis_core::error::{Code, ComponentError};
use basis_engine::RunResult;
use basis_market::{MarketData, Shock, ShockError};
use basis_report::stress::{BASE, Row, ScenarioOutcome};

use super::outcome::{Measure, without_steps};
use super::scenarios::{Placeholders, Resolved, Scenario};
use crate::assembly::{Backtest, Setup};
use crate::config::layers::Template;
use crate::config::yaml;
use crate::sweep::run::{UNITS, each};

/// A scenario with its sentences, or with the reason why it has none.
#[derive(Debug)]
pub struct Ready {
    name: String,
    shocks: Vec<Shock>,
    setup: Result<Setup, String>,
}

/// What all runs of a table share.
#[derive(Clone, Copy)]
pub struct Common<'a> {
    /// The market.
    pub data: &'a Arc<MarketData>,
    /// The base run's configuration, fitted to the data.
    pub base: &'a Setup,
}

impl std::fmt::Debug for Common<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Common")
            .field("base", self.base)
            .finish_non_exhaustive()
    }
}

/// Puts `terms` into the sentences of `scenarios` and resolves a configuration for each: the layers of
/// `template`, with the sentences behind those that it has.
///
/// # Errors
/// CFG-001 for a sentence that is no shock, and whatever refuses the configuration.
pub fn ready(
    scenarios: &[Scenario],
    terms: &Placeholders,
    template: &Template<'_>,
    data: &MarketData,
) -> Result<Vec<Ready>, ComponentError> {
    let mut all = Vec::with_capacity(scenarios.len());
    for scenario in scenarios {
        let name = scenario.name().to_owned();
        all.push(match scenario.resolve(terms)? {
            Resolved::Inapplicable(why) => Ready {
                name,
                shocks: Vec::new(),
                setup: Err(why),
            },
            Resolved::Shocks(shocks) => {
                let layer = layer(template, &shocks);
                let setup = template.resolve(&[&layer])?.setup.fitted(data)?;
                Ready {
                    name,
                    shocks,
                    setup: Ok(setup),
                }
            }
        });
    }
    Ok(all)
}

fn layer(template: &Template<'_>, shocks: &[Shock]) -> Node {
    let place = || Location::new("scenario", 0);
    let shared = template.shocks();
    let texts = shared.into_iter().chain(shocks.iter().map(Shock::text));
    let list = texts.map(|text| Node::text(text, place())).collect();
    let mut layer = Node::empty_map(place());
    let value = NodeValue::List(list);
    layer.set_path(
        "shocks",
        Node {
            value,
            location: place(),
        },
    );
    layer
}

/// Runs the base, then every scenario on `jobs` threads. The row of the base comes first, the others in
/// their order. `progress` is told how many of [`UNITS`] per run have been done since.
///
/// # Errors
/// Whatever stops the base run.
pub fn run(
    common: Common<'_>,
    scenarios: &[Ready],
    jobs: usize,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Row>, ComponentError> {
    let base = ran(common, common.base, progress)?;
    if base.steps.at.is_empty() {
        return Err(without_steps());
    }
    let measure = Measure {
        config: common.base.run(),
        registry: common.base.registry(),
        hedges: !common.base.mode().trades().perps.is_empty(),
        base: &base,
    };
    let first = Row {
        name: BASE.to_owned(),
        shocks: Vec::new(),
        config_hash: common.base.config_hash().to_owned(),
        outcome: ScenarioOutcome::Ran(Box::new(measure.figures(&base, &[])?)),
    };
    let rows = each(jobs, scenarios.len(), &|index| {
        let scenario = scenarios.get(index)?;
        let (config_hash, outcome) = match &scenario.setup {
            Err(why) => {
                progress(UNITS);
                (String::new(), ScenarioOutcome::Skipped(why.clone()))
            }
            Ok(setup) => {
                let outcome = outcome(common, measure, setup, &scenario.shocks, progress);
                let hash = match &outcome {
                    ScenarioOutcome::Skipped(_) => String::new(),
                    ScenarioOutcome::Ran(_) | ScenarioOutcome::Failed(_) => {
                        setup.config_hash().to_owned()
                    }
                };
                (hash, outcome)
            }
        };
        let texts = scenario.shocks.iter().map(|shock| shock.text().to_owned());
        Some(Row {
            name: scenario.name.clone(),
            shocks: texts.collect(),
            config_hash,
            outcome,
        })
    });
    Ok(std::iter::once(first)
        .chain(rows.into_iter().flatten())
        .collect())
}

/// One scenario; a panic is a failure of this one alone.
fn outcome(
    common: Common<'_>,
    measure: Measure<'_>,
    setup: &Setup,
    shocks: &[Shock],
    progress: &(dyn Fn(u64) + Sync),
) -> ScenarioOutcome {
    let work = || {
        let result = ran(common, setup, progress)?;
        measure.figures(&result, shocks)
    };
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(figures)) => ScenarioOutcome::Ran(Box::new(figures)),
        Ok(Err(e)) => match untouched(&e) {
            Some(why) => ScenarioOutcome::Skipped(why),
            None => ScenarioOutcome::Failed(e),
        },
        Err(_) => ScenarioOutcome::Failed(ComponentError::new(
            Code::ComponentUnhealthy,
            "the run panicked (see stderr): a defect, please report it with this scenario",
        )),
    }
}

/// Why a scenario says nothing about this run, if that is what stopped it.
fn untouched(e: &ComponentError) -> Option<String> {
    let source = e.source.as_deref()?;
    match source.downcast_ref::<ShockError>()? {
        ShockError::Untouched { shock, .. } => {
            Some(format!("the mode reads nothing that `{shock}` touches"))
        }
        _ => None,
    }
}

fn ran(
    common: Common<'_>,
    setup: &Setup,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<RunResult, ComponentError> {
    let done = AtomicU64::new(0);
    let reach = |share: u64| progress(share.saturating_sub(done.swap(share, Ordering::Relaxed)));
    let backtest = Backtest::prepare(Arc::clone(common.data), setup);
    let result = backtest.and_then(|backtest| {
        backtest.run_here(&mut |step| reach(step.step * UNITS / step.steps.max(1)))
    });
    reach(UNITS);
    result
}

/// The scenarios with everything filled in, as a file for `--scenarios`; those that were skipped are
/// not in it.
#[must_use]
pub fn resolved(rows: &[Row]) -> String {
    let place = || Location::new("resolved", 0);
    let mut all = Node::empty_map(place());
    let ran = rows
        .iter()
        .filter(|row| row.name != BASE && !matches!(row.outcome, ScenarioOutcome::Skipped(_)));
    for row in ran {
        let texts = row.shocks.iter().map(|text| Node::text(text, place()));
        let value = NodeValue::List(texts.collect());
        all.set_path(
            &row.name,
            Node {
                value,
                location: place(),
            },
        );
    }
    let mut root = Node::empty_map(place());
    root.set_path("scenarios", all);
    yaml::to_yaml(&root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_that_did_not_run_is_not_in_the_list() {
        let row = Row {
            name: "a".to_owned(),
            shocks: vec!["gas x20 at 2025-02-03".to_owned()],
            config_hash: String::new(),
            outcome: ScenarioOutcome::Skipped("no gas".to_owned()),
        };
        assert_eq!(resolved(&[row]), "scenarios: {}\n");
    }
}
