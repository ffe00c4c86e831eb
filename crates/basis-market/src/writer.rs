//! Appending to the series behind a view: what a live market, or one under virtual time, records as it
//! goes.
//!
//! A view keeps one copy of a series for every place that reads it (as a series of its own and as
//! another's proxy), and a writer appends to each of them. Reading needs no lock and no search, so a
//! view whose series were recorded pays nothing for the possibility; the first record for a shared
//! series copies it, every later one is amortized constant time.
//!
//! **Invariants.** Rows of a series ascend: what is not newer than the newest row is refused, and nothing
//! has changed then. A record shows nothing before its own instant, and nothing before the view moves: a
//! late one is visible at the next instant as if it had been known at its own.

#[cfg(test)]
mod tests;

use super::series::{Bar, SeriesError};
use super::view::MarketView;
use crate::series::SeriesRow;
use basis_core::num::Rate;
use basis_core::types::{SeriesId, Timestamp};

/// Appends records to the series that a view reads.
///
/// A series has to be there, with rows or without, when the view is built: its kind, its length and its
/// interval are nothing that a record says. What happened before the view's first instant goes in before
/// the view first moves. With [`ViewPolicy::look_back`](super::ViewPolicy::look_back) rows that nobody
/// who looks back so far can need are dropped in bulk, so that a series never holds more than about
/// twice its look-back.
#[derive(Debug)]
pub struct MarketWriter<'a> {
    view: &'a mut MarketView,
}

impl MarketView {
    /// Appends to the series of this view.
    pub const fn writer(&mut self) -> MarketWriter<'_> {
        MarketWriter { view: self }
    }

    /// From when on rows are kept; `None` when all of them are.
    fn keep_from(&self) -> Option<Timestamp> {
        let look_back = self.policy.look_back?;
        Some(self.now.minus(look_back))
    }
}

impl MarketWriter<'_> {
    /// The instant of the view: what is known later is not visible yet.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.view.now()
    }

    /// Appends a bar, known at its close.
    ///
    /// # Errors
    /// [`SeriesError`] when the view does not read `id` or has shocks, the bar does not come after the
    /// last one, or its prices cannot be.
    pub fn push_bar(&mut self, id: SeriesId, bar: Bar) -> Result<(), SeriesError> {
        self.check_shocks(id)?;
        let keep_from = self.view.keep_from();
        let cursors = self
            .view
            .slots
            .iter_mut()
            .flat_map(|slot| slot.cursors_mut());
        let mut is_read = false;
        for cursor in cursors.filter(|cursor| cursor.series().id == id) {
            // Every cursor on a series has the same bars, so the first refusal is before any change.
            cursor.push(bar)?;
            if let Some(from) = keep_from {
                cursor.forget_before(from);
            }
            is_read = true;
        }
        if is_read {
            Ok(())
        } else {
            Err(SeriesError::NotRead(id))
        }
    }

    /// Appends a funding rate, known at its settlement instant. Positive: longs pay shorts.
    ///
    /// # Errors
    /// [`SeriesError`] when the view has no rates of `id` or has shocks, or `at` does not come after the
    /// last instant.
    pub fn push_rate(
        &mut self,
        id: SeriesId,
        at: Timestamp,
        rate: Rate,
    ) -> Result<(), SeriesError> {
        self.check_shocks(id)?;
        self.view.rates.push(id, at, rate)?;
        if let Some(from) = self.view.keep_from() {
            self.view.rates.forget_before(id, from);
        }
        Ok(())
    }

    /// Appends a row, known at `at`.
    ///
    /// # Errors
    /// [`SeriesError`] when the view reads no such rows of `id` or has shocks, `at` does not come after
    /// the last row, or the row fails its check.
    pub fn push_row<T: SeriesRow>(
        &mut self,
        id: SeriesId,
        at: Timestamp,
        row: T,
    ) -> Result<(), SeriesError> {
        self.check_shocks(id)?;
        let keep_from = self.view.keep_from();
        self.view.push_row(id, at, row, keep_from)
    }

    fn check_shocks(&self, id: SeriesId) -> Result<(), SeriesError> {
        let shocks = self.view.policy.shocks.as_ref();
        if shocks.is_some_and(|shocks| !shocks.is_empty()) {
            return Err(SeriesError::Shocked(id));
        }
        Ok(())
    }
}
