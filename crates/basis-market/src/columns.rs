//! Rows of exact numbers in half the room: mantissas of 64 bits over one count of decimals per field,
//! and opening times as counts of bar lengths. The fields of a row lie side by side, for a view reads
//! all of them at once.
//!
//! **Invariants.** What goes in comes out, to the last digit and nanosecond: rows that cannot hold a
//! value in the narrow form become wide ones, they never round.

use basis_core::num::Fixed18;
use basis_core::types::{Span, Timestamp};

/// The units a narrow column may count in, as mantissas of [`Fixed18`]: 1, 0.1, 0.01 and so on.
fn units() -> impl Iterator<Item = i64> {
    (0..=Fixed18::DECIMALS).rev().map(|power| 10_i64.pow(power))
}

/// Numbers of a bar: open, high, low, close, volume.
pub(super) const FIELDS: usize = 5;

/// The numbers of every bar.
#[derive(Clone, Debug)]
pub(super) enum NumberRows {
    /// Each number is its mantissa × the unit of its field, in units of 1e-18.
    Narrow {
        /// Powers of ten, at most 1e18.
        units: [i64; FIELDS],
        /// Mantissas.
        rows: Vec<[i64; FIELDS]>,
    },
    /// Numbers of which some field has no common narrow form.
    Wide(Vec<[Fixed18; FIELDS]>),
}

impl NumberRows {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self::Narrow {
            units: [10_i64.pow(Fixed18::DECIMALS); FIELDS],
            rows: Vec::with_capacity(rows),
        }
    }

    #[inline]
    pub(super) fn get(&self, row: usize) -> Option<[Fixed18; FIELDS]> {
        match self {
            Self::Narrow { units, rows } => {
                let mut numbers = [Fixed18::ZERO; FIELDS];
                let pairs = rows.get(row)?.iter().zip(units);
                for (number, (mantissa, unit)) in numbers.iter_mut().zip(pairs) {
                    *number = Fixed18::from_mantissa(i128::from(*mantissa) * i128::from(*unit));
                }
                Some(numbers)
            }
            Self::Wide(rows) => rows.get(row).copied(),
        }
    }

    pub(super) fn push(&mut self, numbers: [Fixed18; FIELDS]) {
        match self {
            Self::Wide(rows) => rows.push(numbers),
            Self::Narrow { units, rows } => match narrow_row(&numbers, units) {
                Some(row) => rows.push(row),
                None => self.push_unfit(numbers),
            },
        }
    }

    /// Refines the fields until `numbers` fit, else widens the rows.
    #[cold]
    fn push_unfit(&mut self, numbers: [Fixed18; FIELDS]) {
        if let Self::Narrow { units, rows } = self
            && let Some(finer) = finer_units(&numbers, units)
            && let Some(row) = narrow_row(&numbers, &finer)
            && refine(rows, units, &finer)
        {
            *units = finer;
            rows.push(row);
            return;
        }
        let mut wide: Vec<_> = (0..).map_while(|row| self.get(row)).collect();
        wide.push(numbers);
        *self = Self::Wide(wide);
    }

    /// Drops the first `count` rows, at most those there are.
    pub(super) fn drop_first(&mut self, count: usize) {
        match self {
            Self::Narrow { rows, .. } => drop(rows.drain(..count.min(rows.len()))),
            Self::Wide(rows) => drop(rows.drain(..count.min(rows.len()))),
        }
    }

    pub(super) fn shrink(&mut self) {
        match self {
            Self::Narrow { rows, .. } => rows.shrink_to_fit(),
            Self::Wide(rows) => rows.shrink_to_fit(),
        }
    }

    #[cfg(test)]
    pub(super) const fn is_narrow(&self) -> bool {
        matches!(self, Self::Narrow { .. })
    }
}

fn narrow_row(numbers: &[Fixed18; FIELDS], units: &[i64; FIELDS]) -> Option<[i64; FIELDS]> {
    let mut row = [0; FIELDS];
    for (mantissa, (number, unit)) in row.iter_mut().zip(numbers.iter().zip(units)) {
        *mantissa = narrow(*number, *unit)?;
    }
    Some(row)
}

/// For each field the coarsest unit, not above its own, that `numbers` fit.
fn finer_units(numbers: &[Fixed18; FIELDS], own: &[i64; FIELDS]) -> Option<[i64; FIELDS]> {
    let mut finer = *own;
    for (unit, number) in finer.iter_mut().zip(numbers) {
        *unit = units().find(|finer| finer <= unit && narrow(*number, *finer).is_some())?;
    }
    Some(finer)
}

/// Counts `rows` in `finer` units instead; `false`, and nothing done, when one leaves 64 bits.
fn refine(rows: &mut [[i64; FIELDS]], own: &[i64; FIELDS], finer: &[i64; FIELDS]) -> bool {
    let mut factors = [1; FIELDS];
    for (factor, (own, finer)) in factors.iter_mut().zip(own.iter().zip(finer)) {
        *factor = *own / *finer;
    }
    let fit = rows.iter().all(|row| {
        let mut pairs = row.iter().zip(&factors);
        pairs.all(|(mantissa, factor)| mantissa.checked_mul(*factor).is_some())
    });
    if fit {
        for (mantissa, factor) in rows.iter_mut().flat_map(|row| row.iter_mut().zip(&factors)) {
            *mantissa *= factor;
        }
    }
    fit
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

    /// Drops the first `count` instants, at most those there are.
    pub(super) fn drop_first(&mut self, count: usize) {
        match self {
            Self::Steps { counts, .. } => drop(counts.drain(..count.min(counts.len()))),
            Self::Any(times) => drop(times.drain(..count.min(times.len()))),
        }
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

    /// Rows whose every field has the same number, but for their sign and the last, which is one.
    fn rows(numbers: &[Fixed18]) -> NumberRows {
        let mut rows = NumberRows::with_capacity(0);
        for number in numbers {
            rows.push(row(*number));
        }
        rows
    }

    fn row(number: Fixed18) -> [Fixed18; FIELDS] {
        let negative = number.neg().unwrap();
        [number, number, negative, negative, Fixed18::ONE]
    }

    #[test]
    fn recorded_prices_stay_narrow_and_exact() {
        let numbers = ["65000", "64999.5", "0.01", "104591.88", "547874.5999999999"];
        let numbers = numbers.map(|text| Fixed18::parse(text).unwrap());
        let rows = rows(&numbers);
        assert!(rows.is_narrow());
        for (at, number) in numbers.iter().enumerate() {
            assert_eq!(rows.get(at), Some(row(*number)));
        }
        assert_eq!(rows.get(numbers.len()), None);
    }

    #[test]
    fn number_that_fits_no_common_unit_widens_the_rows() {
        let numbers = ["100000000000", "0.000000000000000001"];
        let numbers = numbers.map(|text| Fixed18::parse(text).unwrap());
        let rows = rows(&numbers);
        assert!(!rows.is_narrow());
        assert_eq!(rows.get(0), Some(row(numbers[0])));
        assert_eq!(rows.get(1), Some(row(numbers[1])));
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
            let rows = rows(&numbers);
            let found: Vec<_> = (0..).map_while(|at| rows.get(at)).collect();
            let expected: Vec<_> = numbers.into_iter().map(row).collect();
            prop_assert_eq!(found, expected);
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
