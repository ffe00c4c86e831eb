//! Checks the variants of a grid, then runs them on threads over one data set.
//!
//! **Invariants.** A row depends on its variant and the data only, never on threads or order. A
//! variant that fails, or panics, is a row; only a row that cannot be kept stops the others.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use basis_core::config::Node;
use basis_core::error::{Code, ComponentError};
use basis_core::types::RunId;
use basis_engine::NullSink;
use basis_market::MarketData;
use basis_report::run::{OutputContext, Timing, summary};
use basis_report::sweep::grid::Grid;
use basis_report::sweep::results::{self, Row, VariantOutcome};
use basis_report::sweep::store::Store;

use super::parse;
use crate::assembly::{self, Backtest, Setup};
use crate::config::layers::{Resolved, Template};

/// Most variants whose resolved setups are held in memory; beyond, they are resolved again.
const HELD_MAX: usize = 1_000;

/// Most lines of a report of unsound variants.
const PROBLEMS_SHOWN_MAX: usize = 50;

/// Units of progress of one variant.
pub const UNITS: u64 = 100;

/// The sound variants of a grid.
pub struct Variants<'a> {
    grid: &'a Grid,
    template: &'a Template<'a>,
    layers: Vec<Vec<Node>>,
    held: Vec<Setup>,
    jobs: usize,
}

impl std::fmt::Debug for Variants<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Variants")
            .field("grid", &self.grid)
            .field("jobs", &self.jobs)
            .finish_non_exhaustive()
    }
}

impl<'a> Variants<'a> {
    /// Resolves every variant of `grid` over `template`, creates its venues once, and hands it
    /// to `look`; what that returns comes back in the order of the grid. `jobs` threads, at
    /// least 1.
    ///
    /// # Errors
    /// One error with every problem of every variant, each with the variants that have it.
    pub fn check<T: Send>(
        grid: &'a Grid,
        template: &'a Template<'a>,
        jobs: usize,
        look: &(dyn Fn(&Resolved) -> Result<T, ComponentError> + Sync),
    ) -> Result<(Self, Vec<T>), ComponentError> {
        let mut all = Self {
            grid,
            template,
            layers: parse::layers(grid)?,
            held: Vec::new(),
            jobs,
        };
        let hold = grid.count() <= HELD_MAX;
        let checked = each(jobs, grid.count(), &|index| {
            let resolved = all.resolve(index)?;
            assembly::check_venues(&resolved.setup)?;
            let seen = look(&resolved)?;
            Ok((hold.then_some(resolved.setup), seen))
        });
        let (setups, seen): (Vec<_>, Vec<_>) = sound(grid, checked)?.into_iter().unzip();
        all.held = setups.into_iter().flatten().collect();
        Ok((all, seen))
    }

    fn resolve(&self, index: usize) -> Result<Resolved, ComponentError> {
        let places = self.grid.places(index);
        let layers: Vec<_> = self
            .layers
            .iter()
            .zip(places)
            .filter_map(|(values, place)| values.get(place))
            .collect();
        self.template.resolve(&layers)
    }

    /// Gives every variant its dates on `data`.
    ///
    /// # Errors
    /// As [`Variants::check`].
    pub fn fit(&mut self, data: &MarketData) -> Result<(), ComponentError> {
        let hold = !self.held.is_empty();
        let fitted = each(self.jobs, self.grid.count(), &|index| {
            let setup = self.setup(index)?.into_owned().fitted(data)?;
            Ok(hold.then_some(setup))
        });
        self.held = sound(self.grid, fitted)?.into_iter().flatten().collect();
        Ok(())
    }

    fn setup(&self, index: usize) -> Result<Cow<'_, Setup>, ComponentError> {
        match self.held.get(index) {
            Some(setup) => Ok(Cow::Borrowed(setup)),
            None => self
                .resolve(index)
                .map(|resolved| Cow::Owned(resolved.setup)),
        }
    }

    /// Runs every fitted variant that `store` does not hold yet, and keeps each row there as soon as
    /// it is known. `progress` is told how many of [`UNITS`] per variant have been done since.
    ///
    /// # Errors
    /// EVT-002 when a row cannot be kept; the rows kept so far stay.
    pub fn run(
        &self,
        data: &Arc<MarketData>,
        store: Option<&Store>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<Row>, ComponentError> {
        let stopped = AtomicBool::new(false);
        let rows = each(self.jobs, self.grid.count(), &|index| {
            if stopped.load(Ordering::Relaxed) {
                return Ok(None);
            }
            self.row(index, data, store, progress)
                .inspect_err(|_| stopped.store(true, Ordering::Relaxed))
                .map(Some)
        });
        let rows: Result<Vec<_>, _> = rows.into_iter().collect();
        Ok(rows?.into_iter().flatten().collect())
    }

    fn row(
        &self,
        index: usize,
        data: &Arc<MarketData>,
        store: Option<&Store>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Row, ComponentError> {
        let number = index + 1;
        let values = self.grid.values(index);
        let ready = self.setup(index).and_then(|setup| match setup {
            Cow::Borrowed(_) => Ok(setup),
            Cow::Owned(setup) => setup.fitted(data).map(Cow::Owned),
        });
        let mut done = 0;
        let (config_hash, outcome) = match ready {
            Err(e) => (String::new(), failed(&e)),
            Ok(setup) => {
                let hash = setup.config_hash();
                if let Some(row) = store.and_then(|store| store.finished(number, &values, hash)) {
                    progress(UNITS);
                    return Ok(row);
                }
                let mut step = |share: u64| {
                    progress(share.saturating_sub(done));
                    done = share;
                };
                let outcome = outcome(|| ran(data, &setup, &mut step));
                (hash.to_owned(), outcome)
            }
        };
        let row = Row {
            number,
            values: values.into_iter().map(str::to_owned).collect(),
            config_hash,
            outcome,
        };
        if let Some(store) = store {
            store.keep(&row)?;
        }
        progress(UNITS.saturating_sub(done));
        Ok(row)
    }
}

fn failed(e: &ComponentError) -> VariantOutcome {
    VariantOutcome::Failed {
        code: e.code.as_str().to_owned(),
        message: e.message.clone(),
    }
}

/// Runs one variant; a panic is a failure of this variant alone.
fn outcome(run: impl FnOnce() -> Result<VariantOutcome, ComponentError>) -> VariantOutcome {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(e)) => failed(&e),
        Err(_) => failed(&ComponentError::new(
            Code::ComponentUnhealthy,
            "the run panicked (see stderr): a defect, please report it with this variant",
        )),
    }
}

fn ran(
    data: &Arc<MarketData>,
    setup: &Setup,
    step: &mut dyn FnMut(u64),
) -> Result<VariantOutcome, ComponentError> {
    let backtest = Backtest::prepare(Arc::clone(data), setup)?;
    let warnings = backtest.warnings().iter().map(ToString::to_string);
    let unavailable = backtest
        .unavailable()
        .iter()
        .map(|(_, e)| format!("{e} (the mode does not need this venue)"));
    let mut notes: Vec<String> = warnings.chain(unavailable).collect();
    let result = backtest.run_into(&mut NullSink, &mut |progress| {
        step(progress.step * UNITS / progress.steps.max(1));
    })?;
    // The figures come from the very summary a single run prints.
    let context = OutputContext {
        config_yaml: String::new(),
        config_hash: setup.config_hash().to_owned(),
        run_id: RunId::from_number(0),
        flows: setup.run().flows.clone(),
        timing: Timing::default(),
        versions: Vec::new(),
    };
    let figures = results::figures(&summary(&result, &context));
    let refused = result.refused_withdrawals.iter();
    notes.extend(refused.map(|refused| format!("{} {refused}", refused.at)));
    Ok(VariantOutcome::Ran {
        halted: result.halted,
        notes,
        figures,
    })
}

/// Calls `work` for every index below `count` on `jobs` threads; results in order of index.
pub(crate) fn each<T: Send>(
    jobs: usize,
    count: usize,
    work: &(dyn Fn(usize) -> T + Sync),
) -> Vec<T> {
    if jobs <= 1 || count <= 1 {
        return (0..count).map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let take = || {
        let mut own = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return own;
            }
            own.push((index, work(index)));
        }
    };
    let mut all: Vec<(usize, T)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs.min(count)).map(|_| scope.spawn(take)).collect();
        let joined = threads.into_iter().map(|thread| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        joined.flatten().collect()
    });
    all.sort_unstable_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, result)| result).collect()
}

/// All results, or one error with every problem and the variants that have it.
fn sound<T>(
    grid: &Grid,
    results: Vec<Result<T, ComponentError>>,
) -> Result<Vec<T>, ComponentError> {
    let mut all = Vec::with_capacity(results.len());
    let mut code = None;
    // Problem to variants, in the order the problems were met.
    let mut order: Vec<String> = Vec::new();
    let mut met: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, result) in results.into_iter().enumerate() {
        match result {
            Ok(one) => all.push(one),
            Err(e) => {
                code = code.or(Some(e.code));
                for line in problem_lines(&e) {
                    let indices = met.entry(line.clone()).or_insert_with(|| {
                        order.push(line);
                        Vec::new()
                    });
                    indices.push(index);
                }
            }
        }
    }
    let Some(code) = code else { return Ok(all) };
    let lines: String = order
        .iter()
        .take(PROBLEMS_SHOWN_MAX)
        .map(|line| {
            let indices = met.get(line).map(Vec::as_slice).unwrap_or_default();
            format!("\n  {line} ({})", names(grid, indices))
        })
        .collect();
    let more = match order.len().saturating_sub(PROBLEMS_SHOWN_MAX) {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    let unsound = grid.count() - all.len();
    let message = format!(
        "{unsound} of {} variants are not sound, nothing was run:{lines}{more}",
        grid.count()
    );
    Err(ComponentError::new(code, message))
}

/// The problems an error lists, each with its code.
fn problem_lines(e: &ComponentError) -> Vec<String> {
    let mut lines: Vec<_> = e.message.split("\n  ").collect();
    if lines.len() > 1 && lines.first().is_some_and(|head| head.ends_with(':')) {
        lines.remove(0);
    }
    let with_code = |line: &&str| format!("{} {}", e.code, line.trim());
    lines.iter().map(with_code).collect()
}

/// Which variants `indices` (ascending) are, in words.
#[must_use]
pub fn names(grid: &Grid, indices: &[usize]) -> String {
    const SHOWN_MAX: usize = 10;
    if let [index] = indices {
        return format!("variant {}: {}", index + 1, grid.describe(*index));
    }
    if indices.len() == grid.count() {
        return format!("all {} variants", grid.count());
    }
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for number in indices.iter().map(|index| index + 1) {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let text = |&(first, last): &(usize, usize)| match last - first {
        0 => first.to_string(),
        _ => format!("{first}-{last}"),
    };
    let shown: Vec<_> = ranges.iter().take(SHOWN_MAX).map(text).collect();
    let more = if ranges.len() > SHOWN_MAX {
        ", …"
    } else {
        ""
    };
    format!("variants {}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_whatever_the_threads() {
        for jobs in [1, 3, 8] {
            let squares = each(jobs, 100, &|index| index * index);
            assert_eq!(squares, (0..100).map(|n| n * n).collect::<Vec<_>>());
        }
        assert_eq!(each(4, 0, &|index| index), Vec::<usize>::new());
    }

    #[test]
    fn a_panic_fails_its_variant_alone() {
        let VariantOutcome::Failed { code, message } = outcome(|| panic!("of this test")) else {
            panic!("it failed")
        };
        assert_eq!(code, "HEALTH-001");
        assert!(message.contains("panicked"), "{message}");
    }

    #[test]
    fn problems_are_listed_once_with_their_variants() {
        let grid = parse::grid(&["a=1,2".to_owned(), "b=1,2".to_owned()]).unwrap();
        let two = |a: &str| {
            let message = format!("the configuration has problems:\n  x: {a}\n  y: same");
            Err(ComponentError::new(Code::ConfigInvalid, message))
        };
        let e = sound::<()>(&grid, vec![two("1"), Ok(()), two("1"), two("2")]).unwrap_err();
        assert_eq!(
            e.message,
            "3 of 4 variants are not sound, nothing was run:\
             \n  CFG-001 x: 1 (variants 1, 3)\
             \n  CFG-001 y: same (variants 1, 3-4)\
             \n  CFG-001 x: 2 (variant 4: a=2, b=2)"
        );
        assert_eq!(names(&grid, &[0, 1, 2, 3]), "all 4 variants");
    }
}
