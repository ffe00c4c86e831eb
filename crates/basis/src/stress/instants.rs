//! Instants of the shocks of a table over several: whole weeks apart, and where the base run stands worst.

use basis_core::error::{Code, ComponentError};
use basis_core::types::{Span, Timestamp};
use basis_engine::RunResult;

use super::outcome::least_distance;

const WEEK: Span = Span::from_hours(7 * 24);

/// Returns `count` instants of the run `base`: the step with the least distance to a liquidation, and whole
/// weeks from the start, as far apart as the run allows; ascending. The first and the last week are left out:
/// there the book is entered, and there is no time to see what a shock does. A mode that nothing can liquidate
/// gets weeks alone.
///
/// # Errors
/// CFG-005 when the run is too short for so many.
pub fn spread(base: &RunResult, count: usize) -> Result<Vec<Timestamp>, ComponentError> {
    let (from, to) = base.range;
    let first = from.plus(WEEK);
    let worst = least_distance(&base.steps, first)
        .map(|(_, at)| at)
        .filter(|at| *at < to);
    let weekly = count.saturating_sub(usize::from(worst.is_some()));
    let weeks = to.since(from).nanos() / WEEK.nanos() - 1;
    let asked = i64::try_from(weekly).unwrap_or(i64::MAX);
    if weeks < asked {
        let message = format!(
            "--instants {count}: {from} to {to} has room for {}, a week apart and a week from either end; \
             ask for fewer, or for a longer run",
            weeks.max(0)
        );
        return Err(ComponentError::new(Code::Usage, message));
    }
    let apart = WEEK.times(weeks / asked.max(1));
    let mut all: Vec<_> = (0..asked).map(|n| first.plus(apart.times(n))).collect();
    all.extend(worst);
    all.sort_unstable();
    all.dedup();
    Ok(all)
}
