//! Columns that hold exact numbers in half the room: mantissas of 64 bits over one count of
//! decimals, and opening times as counts of bar lengths.
//!
//! **Invariants.** What goes in comes out, to the last digit and nanosecond: a column that cannot
//! hold a value in the narrow form becomes a wide one, it never rounds.

use crate::num::Fixed18;
use crate::types::{Span, Timestamp};

/// The units a narrow column may count in, as mantissas of [`Fixed18`]: 1, 0.1, 0.01 and so on.
fn units() -> impl Iterator<Item = i64> {
    (0..=Fixed18::DECIMALS).rev().map(|power| 10_i64.pow(power))
}

/// Numbers of one field.
#[derive(Clone, Debug)]
pub(super) enum NumberColumn {
    /// Each number is its mantissa × `unit`, in units of 1e-18.
    Narrow {
        /// A power of ten, at most 1e18.
        unit: i64,
        /// Mantissas.
        mantissas: Vec<i64>,
    },
    /// Numbers that share no narrow form.
    Wide(Vec<Fixed18>),
}

impl NumberColumn {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self::Narrow {
            unit: 10_i64.pow(Fixed18::DECIMALS),
            mantissas: Vec::with_capacity(rows),
        }
    }

    #[inline]
    pub(super) fn get(&self, row: usize) -> Option<Fixed18> {
        match self {
            Self::Narrow { unit, mantissas } => {
                let mantissa = *mantissas.get(row)?;
                Some(Fixed18::from_mantissa(
                    i128::from(mantissa) * i128::from(*unit),
                ))
            }
            Self::Wide(numbers) => numbers.get(row).copied(),
        }
    }

    pub(super) fn push(&mut self, number: Fixed18) {
        match self {
            Self::Wide(numbers) => numbers.push(number),
            Self::Narrow { unit, mantissas } => match narrow(number, *unit) {
                Some(mantissa) => mantissas.push(mantissa),
                None => self.push_unfit(number),
            },
        }
    }

    /// Refines the column until `number` fits, else widens it.
    #[cold]
    fn push_unfit(&mut self, number: Fixed18) {
        if let Self::Narrow { unit, mantissas } = self {
            for finer in units().filter(|finer| *finer < *unit) {
                let Some(mantissa) = narrow(number, finer) else {
                    continue;
                };
                let factor = *unit / finer;
                let refined: Option<Vec<i64>> = mantissas
                    .iter()
                    .map(|mantissa| mantissa.checked_mul(factor))
                    .collect();
                let Some(mut refined) = refined else { break };
                // Keeps the room that was reserved.
                refined.reserve_exact(mantissas.capacity().saturating_sub(refined.len()));
                refined.push(mantissa);
                *self = Self::Narrow {
                    unit: finer,
                    mantissas: refined,
                };
                return;
            }
        }
        let mut wide: Vec<Fixed18> = (0..).map_while(|row| self.get(row)).collect();
        wide.push(number);
        *self = Self::Wide(wide);
    }

    pub(super) fn shrink(&mut self) {
        match self {
            Self::Narrow { mantissas, .. } => mantissas.shrink_to_fit(),
            Self::Wide(numbers) => numbers.shrink_to_fit(),
        }
    }

    #[cfg(test)]
    pub(super) const fn is_narrow(&self) -> bool {
        matches!(self, Self::Narrow { .. })
    }
}

/// `number` in whole `unit`s; `None` when it is no multiple of it or too large.
fn narrow(number: Fixed18, unit: i64) -> Option<i64> {
    let mantissa = number.mantissa();
    let count = i64::try_from(mantissa / i128::from(unit)).ok()?;
    (i128::from(count) * i128::from(unit) == mantissa).then_some(count)
}

/// Strictly ascending instants.
#[derive(Clone, Debug)]
pub(super) enum TimeColumn {
    /// `first` plus so many times `step`.
    Steps {
        first: Timestamp,
        step: Span,
        counts: Vec<u32>,
    },
    /// Instants that are on no common grid, or too far apart.
    Any(Vec<Timestamp>),
}

impl TimeColumn {
    pub(super) fn with_capacity(step: Span, rows: usize) -> Self {
        Self::Steps {
            first: Timestamp::EPOCH,
            step,
            counts: Vec::with_capacity(rows),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Steps { counts, .. } => counts.len(),
            Self::Any(times) => times.len(),
        }
    }

    #[inline]
    pub(super) fn get(&self, row: usize) -> Option<Timestamp> {
        match self {
            Self::Steps {
                first,
                step,
                counts,
            } => Some(first.plus(step.times(i64::from(*counts.get(row)?)))),
            Self::Any(times) => times.get(row).copied(),
        }
    }

    pub(super) fn push(&mut self, at: Timestamp) {
        match self {
            Self::Any(times) => times.push(at),
            Self::Steps {
                first,
                step,
                counts,
            } => {
                if counts.is_empty() {
                    *first = at;
                }
                match steps_between(*first, at, *step) {
                    Some(count) => counts.push(count),
                    None => {
                        let mut times: Vec<_> = (0..).map_while(|row| self.get(row)).collect();
                        times.push(at);
                        *self = Self::Any(times);
                    }
                }
            }
        }
    }

    /// How many instants satisfy `holds`, which must be true of the first ones and then false.
    pub(super) fn partition_point(&self, holds: impl Fn(Timestamp) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.get(middle).is_some_and(&holds) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    pub(super) fn shrink(&mut self) {
        match self {
            Self::Steps { counts, .. } => counts.shrink_to_fit(),
            Self::Any(times) => times.shrink_to_fit(),
        }
    }
}

/// How many whole steps lie between; `None` when the distance is no multiple or too long.
fn steps_between(first: Timestamp, at: Timestamp, step: Span) -> Option<u32> {
    let distance = at.nanos().checked_sub(first.nanos())?;
    if distance.checked_rem(step.nanos())? != 0 {
        return None;
    }
    u32::try_from(distance.checked_div(step.nanos())?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn column(numbers: &[Fixed18]) -> NumberColumn {
        let mut column = NumberColumn::with_capacity(0);
        for number in numbers {
            column.push(*number);
        }
        column
    }

    #[test]
    fn recorded_prices_stay_narrow_and_exact() {
        let numbers = ["65000", "64999.5", "0.01", "104591.88", "547874.5999999999"];
        let numbers = numbers.map(|text| Fixed18::parse(text).unwrap());
        let column = column(&numbers);
        assert!(column.is_narrow());
        for (row, number) in numbers.iter().enumerate() {
            assert_eq!(column.get(row), Some(*number));
        }
        assert_eq!(column.get(numbers.len()), None);
    }

    #[test]
    fn number_that_fits_no_common_unit_widens_the_column() {
        let numbers = ["100000000000", "0.000000000000000001"];
        let numbers = numbers.map(|text| Fixed18::parse(text).unwrap());
        let column = column(&numbers);
        assert!(!column.is_narrow());
        assert_eq!(column.get(0), Some(numbers[0]));
        assert_eq!(column.get(1), Some(numbers[1]));
    }

    #[test]
    fn time_off_the_grid_is_kept_as_it_is() {
        let mut column = TimeColumn::with_capacity(Span::HOUR, 0);
        let times = [0, 3_600, 10_800, 10_801].map(Timestamp::from_seconds);
        for at in times {
            column.push(at);
        }
        assert!(matches!(column, TimeColumn::Any(_)));
        let found: Vec<_> = (0..).map_while(|row| column.get(row)).collect();
        assert_eq!(found, times);
    }

    proptest! {
        #[test]
        fn prop_numbers_come_out_as_they_went_in(
            numbers in prop::collection::vec((-1_000_000_i128..1_000_000, 0_u32..34), 0..40),
        ) {
            let numbers: Vec<_> = numbers
                .into_iter()
                .map(|(digits, zeros)| Fixed18::from_mantissa(digits * 10_i128.pow(zeros % 30)))
                .collect();
            let column = column(&numbers);
            let found: Vec<_> = (0..).map_while(|row| column.get(row)).collect();
            prop_assert_eq!(found, numbers);
        }

        #[test]
        fn prop_times_come_out_as_they_went_in(
            times in prop::collection::btree_set(-400_000_000_000_000_i64..400_000_000_000_000, 0..40),
            step in prop::sample::select(vec![1_i64, 1_000, 60_000_000_000]),
            cut in -400_000_000_000_000_i64..400_000_000_000_000,
        ) {
            let times: Vec<_> = times
                .into_iter()
                .map(|at| Timestamp::from_nanos(at / step * step))
                .collect();
            let mut column = TimeColumn::with_capacity(Span::from_nanos(step), 0);
            for at in &times {
                column.push(*at);
            }
            let found: Vec<_> = (0..).map_while(|row| column.get(row)).collect();
            prop_assert_eq!(&found, &times);
            let holds = |at: Timestamp| at.nanos() <= cut;
            let expected = times.partition_point(|at| holds(*at));
            prop_assert_eq!(column.partition_point(holds), expected);
        }
    }
}
