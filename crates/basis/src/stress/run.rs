//! Runs base and scenarios on threads over one data set.
//!
//! **Invariant.** Only a base run that fails stops the others; a scenario that fails, or panics, is a
//! row that says so.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use basis_core::config::{Location, Node, NodeValue};
use basis_core::error::{Code, ComponentError};
use basis_core::types::{Span, Timestamp};
use basis_engine::RunResult;
use basis_market::{MarketData, Shock, ShockError};
use basis_report::stress::{BASE, Criterion, Row, ScenarioOutcome};

use super::instants;
use super::outcome::{Measure, without_steps};
use super::scenarios::{self, About, Placeholders, Resolved, Scenario};
use crate::assembly::{Backtest, Setup};
use crate::config::layers::Template;
use crate::config::yaml;
use crate::sweep::run::{UNITS, each};

/// When the shocks of a table come, and what its sentences leave open then.
#[derive(Clone, Copy, Debug)]
struct Occasion {
    /// What stands in the open places, `T` among it.
    terms: Placeholders,
    /// Inclusive end of the runs; that of the base run where it is none.
    to: Option<Timestamp>,
}

impl Occasion {
    /// The one of the run of `setup` at `at`; its runs end `horizon` later, or with the dates.
    fn of(setup: &Setup, at: Timestamp, horizon: Option<Span>) -> Self {
        let to = horizon.map(|horizon| at.plus(horizon).min(setup.run().to));
        Self {
            terms: Placeholders::of(setup, at),
            to,
        }
    }
}

/// A scenario about one occasion, or the reason why it says nothing.
#[derive(Debug)]
struct Ready {
    name: String,
    at: Timestamp,
    to: Timestamp,
    criterion: Criterion,
    about: About,
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

/// Makes a run of each of `scenarios` on each of `occasions`: the layers of `template`, with its sentences behind
/// those that these have.
///
/// # Errors
/// CFG-001 for a sentence that is no shock, and whatever refuses the configuration.
fn ready(
    scenarios: &[Scenario],
    occasions: &[Occasion],
    template: &Template<'_>,
    common: Common<'_>,
) -> Result<Vec<Ready>, ComponentError> {
    let mut all = Vec::with_capacity(scenarios.len() * occasions.len());
    for scenario in scenarios {
        for occasion in occasions {
            let (about, setup) = match scenario.resolve(&occasion.terms)? {
                Resolved::Inapplicable(why) => (About::default(), Err(why)),
                Resolved::About(about) => {
                    let layer = layer(template, &about.shocks, occasion.to);
                    let setup = template.resolve(&[&layer])?.setup.fitted(common.data)?;
                    (about, Ok(setup))
                }
            };
            all.push(Ready {
                name: scenario.name().to_owned(),
                at: occasion.terms.at,
                to: occasion.to.unwrap_or(common.base.run().to),
                criterion: scenario.criterion(),
                about,
                setup,
            });
        }
    }
    Ok(all)
}

fn layer(template: &Template<'_>, shocks: &[Shock], to: Option<Timestamp>) -> Node {
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
    if let Some(to) = to {
        layer.set_path("to", Node::text(to.to_string(), place()));
    }
    layer
}

/// At which instants every scenario of a table comes.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// At this one.
    At(Timestamp),
    /// At so many of the run, as [`instants::spread`] chooses them.
    Spread(usize),
}

/// A whole table: the instants of its scenarios, and its rows.
#[derive(Debug)]
pub struct Ran {
    /// What `T` stood for.
    pub instants: Vec<Timestamp>,
    /// The base, then scenario by scenario.
    pub rows: Vec<Row>,
}

/// Runs the base and every scenario of `list` that it can be about, `horizon` long after each instant, or to the
/// end of the dates. `progress` is told how many of [`UNITS`] per run, and of how many runs in all, have been done
/// since.
///
/// # Errors
/// Whatever stops the base run, CFG-004 when it has no step, CFG-005 when it is too short for so many instants,
/// CFG-001 for a sentence that is no shock, and whatever refuses the configuration of a scenario.
pub fn table(
    common: Common<'_>,
    template: &Template<'_>,
    list: &[Scenario],
    (when, horizon): (When, Option<Span>),
    (jobs, progress): (usize, &(dyn Fn(u64, usize) + Sync)),
) -> Result<Ran, ComponentError> {
    let base = base(common, &|_| {})?;
    let instants = match when {
        When::At(at) => vec![at],
        When::Spread(count) => instants::spread(&base, count)?,
    };
    let occasion = |at: &Timestamp| Occasion::of(common.base, *at, horizon);
    let occasions: Vec<_> = instants.iter().map(occasion).collect();
    let exchanges = scenarios::exchanges(common.base);
    let each = list.iter().flat_map(|scenario| scenario.each(&exchanges));
    let ready = ready(&each.collect::<Vec<_>>(), &occasions, template, common)?;
    let told = |units| progress(units, ready.len());
    let rows = run(common, &base, &ready, jobs, &told)?;
    Ok(Ran { instants, rows })
}

/// Runs the base. `progress` is told how many of [`UNITS`] have been done since.
///
/// # Errors
/// Whatever stops it, and CFG-004 when it has no step.
fn base(common: Common<'_>, progress: &(dyn Fn(u64) + Sync)) -> Result<RunResult, ComponentError> {
    let base = ran(common, common.base, progress)?;
    if base.steps.at.is_empty() {
        return Err(without_steps());
    }
    Ok(base)
}

/// Runs every scenario on `jobs` threads, each held against the run `base`. The row of the base comes first, the
/// others in their order. `progress` is told how many of [`UNITS`] per run have been done since.
///
/// # Errors
/// POS-002 when an amount of the base leaves the range of exact arithmetic.
fn run(
    common: Common<'_>,
    base: &RunResult,
    scenarios: &[Ready],
    jobs: usize,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Row>, ComponentError> {
    let measure = Measure {
        config: common.base.run(),
        registry: common.base.registry(),
        hedges: !common.base.mode().trades().perps.is_empty(),
        base,
    };
    let figures = measure.figures(base, &About::default())?;
    let first = Row {
        name: BASE.to_owned(),
        at: None,
        to: common.base.run().to,
        criterion: Criterion::Report,
        lost: None,
        shocks: Vec::new(),
        config_hash: common.base.config_hash().to_owned(),
        outcome: ScenarioOutcome::Ran(Box::new(figures)),
    };
    let rows = each(jobs, scenarios.len(), &|index| {
        let scenario = scenarios.get(index)?;
        let (config_hash, outcome) = match &scenario.setup {
            Err(why) => {
                progress(UNITS);
                (String::new(), ScenarioOutcome::Skipped(why.clone()))
            }
            Ok(setup) => {
                let outcome = outcome(common, measure, setup, &scenario.about, progress);
                let hash = match &outcome {
                    ScenarioOutcome::Skipped(_) => String::new(),
                    ScenarioOutcome::Ran(_) | ScenarioOutcome::Failed(_) => {
                        setup.config_hash().to_owned()
                    }
                };
                (hash, outcome)
            }
        };
        let texts = scenario.about.shocks.iter();
        Some(Row {
            name: scenario.name.clone(),
            at: Some(scenario.at),
            to: scenario.to,
            criterion: scenario.criterion,
            lost: scenario.about.lost,
            shocks: texts.map(|shock| shock.text().to_owned()).collect(),
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
    about: &About,
    progress: &(dyn Fn(u64) + Sync),
) -> ScenarioOutcome {
    let work = || {
        let result = ran(common, setup, progress)?;
        measure.figures(&result, about)
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
/// not in it. Of several instants each has its number in the name.
#[must_use]
pub fn resolved(rows: &[Row]) -> String {
    let mut all = Node::empty_map(place());
    let mut names: Vec<&str> = Vec::new();
    let ran = rows
        .iter()
        .filter(|row| row.name != BASE && !matches!(row.outcome, ScenarioOutcome::Skipped(_)));
    for row in ran {
        let before = names.iter().filter(|name| **name == row.name).count();
        let name = match before {
            0 => row.name.clone(),
            count => format!("{}-{}", row.name, count + 1),
        };
        names.push(&row.name);
        all.set_path(&name, scenario(row));
    }
    let mut root = Node::empty_map(place());
    root.set_path("scenarios", all);
    yaml::to_yaml(&root)
}

fn place() -> Location {
    Location::new("resolved", 0)
}

/// A row as a file of scenarios has it: its sentences, with what it has to show where that is something.
fn scenario(row: &Row) -> Node {
    let texts = row.shocks.iter().map(|text| Node::text(text, place()));
    let shocks = Node {
        value: NodeValue::List(texts.collect()),
        location: place(),
    };
    let must = match row.criterion {
        Criterion::Survive => Some(("must", "survive".to_owned())),
        Criterion::LossBelow(bound) => Some(("loss_below", bound.to_string())),
        Criterion::Report => None,
    };
    let lost = row.lost.map(|venue| ("lost", venue.to_string()));
    let keys: Vec<_> = must.into_iter().chain(lost).collect();
    if keys.is_empty() {
        return shocks;
    }
    let mut map = Node::empty_map(place());
    for (key, value) in keys {
        map.set_path(key, Node::text(value, place()));
    }
    map.set_path("shocks", shocks);
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_that_did_not_run_is_not_in_the_list() {
        let row = Row {
            name: "a".to_owned(),
            at: None,
            to: Timestamp::EPOCH,
            criterion: Criterion::Report,
            lost: None,
            shocks: vec!["gas x20 at 2025-02-03".to_owned()],
            config_hash: String::new(),
            outcome: ScenarioOutcome::Skipped("no gas".to_owned()),
        };
        assert_eq!(resolved(&[row]), "scenarios: {}\n");
    }
}
