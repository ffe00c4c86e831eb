//! What the newest completed bars of a series did, kept along as they come.

use basis_core::num::{Fixed18, MathError, Quantity};
use basis_protocols::exchange::impact::{ACTIVITY_BARS, Activity, squared_return};

use crate::series::BarSeries;

/// The activity of the newest bars before a row.
///
/// **Invariants.** The sums are exact, so that they are those of the same bars summed anew.
#[derive(Clone, Debug, Default)]
pub(super) struct RecentBars {
    /// The first row that is not in the sums; `None` when nothing was summed, or the rows have moved.
    next: Option<usize>,
    /// Squared return and volume of each bar in the sums, a ring.
    bars: [(Fixed18, Quantity); ACTIVITY_BARS],
    /// How many of them there are.
    count: usize,
    /// Where the oldest of them is once the ring is full, and the next one goes.
    place: usize,
    sums: Activity,
}

impl RecentBars {
    /// The activity over the newest of the rows of `series` before `next`.
    pub(super) fn follow(
        &mut self,
        series: &BarSeries,
        next: usize,
    ) -> Result<Activity, MathError> {
        if self.next == Some(next) {
            return Ok(self.sums);
        }
        let first = next.saturating_sub(ACTIVITY_BARS);
        let from = match self.next.take() {
            Some(known) if (first..next).contains(&known) => known,
            _ => {
                *self = Self::default();
                first
            }
        };
        for row in from..next {
            if let Some(bar) = series.bar(row) {
                self.push((squared_return(bar.open, bar.close)?, bar.volume))?;
            }
        }
        self.next = Some(next);
        Ok(self.sums)
    }

    /// Forgets the sums: the rows are numbered anew.
    pub(super) const fn forget(&mut self) {
        self.next = None;
    }

    fn push(&mut self, bar: (Fixed18, Quantity)) -> Result<(), MathError> {
        let sums = &mut self.sums;
        let Some(kept) = self.bars.get_mut(self.place) else {
            return Ok(());
        };
        let (gone, traded) = std::mem::replace(kept, bar);
        if self.count == ACTIVITY_BARS {
            sums.squared_returns = sums.squared_returns.sub(gone)?;
            sums.volume = sums.volume.sub(traded)?;
        } else {
            self.count += 1;
        }
        self.place = (self.place + 1) % ACTIVITY_BARS;
        let (squared, volume) = bar;
        sums.squared_returns = sums.squared_returns.add(squared)?;
        sums.volume = sums.volume.add(volume)?;
        sums.last_volume = volume;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::BarColumns;
    use basis_core::num::Price;
    use basis_core::types::{SeriesId, Span, Timestamp};

    /// Bars whose returns and volumes all differ.
    fn series(rows: i64) -> BarSeries {
        let price = |row: i64| Price::new(Fixed18::from_int(100 + row * row % 17)).unwrap();
        let open: Vec<_> = (0..rows).map(price).collect();
        let close: Vec<_> = (1..=rows).map(price).collect();
        let larger = |(open, close): (&Price, &Price)| *open.max(close);
        let less = |(open, close): (&Price, &Price)| *open.min(close);
        let at = |row| Timestamp::from_nanos(0).plus(Span::from_hours(row));
        let columns = BarColumns {
            id: "spot.binance.BTCUSDT".parse::<SeriesId>().unwrap(),
            length: Span::from_hours(1),
            opened_at: (0..rows).map(at).collect(),
            high: open.iter().zip(&close).map(larger).collect(),
            low: open.iter().zip(&close).map(less).collect(),
            volume: (0..rows)
                .map(|row| Quantity::new(Fixed18::from_int(row % 7)))
                .collect(),
            open,
            close,
        };
        columns.try_into().unwrap()
    }

    fn summed(series: &BarSeries, next: usize) -> Activity {
        let bars = (0..next).rev().filter_map(|row| series.bar(row));
        Activity::of(bars.map(|bar| (bar.open, bar.close, bar.volume))).unwrap()
    }

    #[test]
    fn followed_bars_sum_to_what_they_sum_to_anew_whatever_the_stride() {
        let series = series(200);
        for stride in [1, 2, 5, 23, 24, 25, 60] {
            let mut recent = RecentBars::default();
            for next in (0..=200).step_by(stride) {
                let followed = recent.follow(&series, next).unwrap();
                assert_eq!(followed, summed(&series, next), "{stride} {next}");
            }
        }
    }

    #[test]
    fn after_rows_have_moved_the_sums_are_made_anew() {
        let series = series(60);
        let mut recent = RecentBars::default();
        recent.follow(&series, 50).unwrap();
        recent.forget();
        assert_eq!(recent.follow(&series, 20).unwrap(), summed(&series, 20));
    }
}
