//! One price series of a view: its own bars, its proxy's, and what they show now.

use std::cell::RefCell;
use std::sync::Arc;

use basis_core::num::{MathError, Price, Quantity};
use basis_core::types::{SeriesId, Span, Timestamp};
use basis_protocols::exchange::impact::{ACTIVITY_BARS, Activity};

use super::mark::held_mark;
use super::recent::RecentBars;
use super::{PriceState, Quote, SlotId};
use crate::series::{Bar, BarSeries, SeriesError};

/// Bars and how many of them are visible.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    series: Arc<BarSeries>,
    /// The first row that is not visible.
    next: usize,
    /// When it will be known; none after the last.
    next_at: Option<Timestamp>,
    /// The newest visible bar: close, volume, when known.
    newest: Option<(Price, Quantity, Timestamp)>,
    /// When the newest of the bars no longer kept was known.
    dropped_until: Timestamp,
    /// Summed when somebody asks.
    recent: RefCell<RecentBars>,
}

#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) id: SeriesId,
    pub(crate) own: Option<Cursor>,
    pub(crate) proxy: Option<Cursor>,
    pub(crate) reference: Option<SlotId>,
    /// The mark series of a perp.
    pub(crate) marked_by: Option<SlotId>,
    pub(crate) quote: Quote,
    /// Mark and reference price when a real bar was last visible.
    anchor: Option<(Price, Price)>,
}

/// A bar that was the newest one at some instant of the past.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PastBar {
    pub(crate) close: Price,
    /// The first instant at which it was too old.
    pub(crate) fresh_until: Timestamp,
}

impl Cursor {
    pub(crate) fn new(series: &Arc<BarSeries>) -> Self {
        let mut cursor = Self {
            series: Arc::clone(series),
            next: 0,
            next_at: None,
            newest: None,
            dropped_until: Timestamp::MIN,
            recent: RefCell::default(),
        };
        cursor.stand_at(0);
        cursor
    }

    fn stand_at(&mut self, row: usize) {
        self.next = row;
        let opened_at = self.series.opened_at(row);
        self.next_at = opened_at.map(|at| at.plus(self.series.length));
    }

    /// Passes over every bar closed by `now` but the newest, as if the view began there.
    pub(crate) fn skip_to(&mut self, now: Timestamp) {
        self.stand_at(self.series.closed_by(now).saturating_sub(1));
    }

    /// Makes the bars closed by `now` visible; first price, highest and lowest of the new ones.
    fn advance(&mut self, now: Timestamp) -> Option<(Price, Price, Price)> {
        let mut extremes: Option<(Price, Price, Price)> = None;
        while let Some(known_at) = self.next_at
            && known_at <= now
            && let Some(bar) = self.series.bar(self.next)
        {
            extremes = Some(match extremes {
                Some((first, high, low)) => (first, high.max(bar.high), low.min(bar.low)),
                None => (bar.open, bar.high, bar.low),
            });
            self.newest = Some((bar.close, bar.volume, known_at));
            self.stand_at(self.next + 1);
        }
        extremes
    }

    /// The newest visible bar if it is not too old: close, volume, when known.
    fn newest(
        &self,
        now: Timestamp,
        age_max: Option<Span>,
    ) -> Option<(Price, Quantity, Timestamp)> {
        let age_max = age_max.unwrap_or(self.series.length);
        self.newest
            .filter(|(_, _, known_at)| now.since(*known_at) < age_max)
    }

    /// The bar that was the newest one at `at`, among those visible now.
    fn newest_at(&self, at: Timestamp, age_max: Option<Span>) -> Option<PastBar> {
        let series = &self.series;
        let row = series.closed_by(at).min(self.next).checked_sub(1)?;
        let known_at = series.opened_at(row)?.plus(series.length);
        Some(PastBar {
            close: series.close(row)?,
            fresh_until: known_at.plus(age_max.unwrap_or(series.length)),
        })
    }

    /// The first bar that was not closed at `at`, once it is visible.
    fn first_closed_after(&self, at: Timestamp) -> Option<(Bar, Timestamp)> {
        if at < self.dropped_until {
            return None;
        }
        let row = self.series.closed_by(at);
        let bar = self.series.bar(row).filter(|_| row < self.next)?;
        Some((bar, bar.opened_at.plus(self.series.length)))
    }

    /// What the newest visible bars did.
    fn activity(&self) -> Result<Activity, MathError> {
        self.recent.borrow_mut().follow(&self.series, self.next)
    }

    pub(crate) fn series(&self) -> &Arc<BarSeries> {
        &self.series
    }

    /// Appends a bar; it is visible from its close on, but not before the view moves.
    pub(crate) fn push(&mut self, bar: Bar) -> Result<(), SeriesError> {
        self.series.check_next(&bar)?;
        Arc::make_mut(&mut self.series).push(bar);
        if self.next_at.is_none() {
            self.stand_at(self.next);
        }
        Ok(())
    }

    /// Drops the bars that no instant from `from` on shows or measures by, once they are as many as those
    /// kept.
    pub(crate) fn forget_before(&mut self, from: Timestamp) {
        // The bars that an impact is computed from stay behind the newest one.
        let rows = self.series.closed_by(from).min(self.next);
        let rows = rows.saturating_sub(ACTIVITY_BARS);
        if rows * 2 <= self.series.len() {
            return;
        }
        // What was the newest bar is known from the first one kept on.
        if let Some(opened_at) = self.series.opened_at(rows) {
            self.dropped_until = opened_at.plus(self.series.length);
        }
        Arc::make_mut(&mut self.series).drop_first(rows);
        self.recent.get_mut().forget();
        self.stand_at(self.next - rows);
    }
}

impl Slot {
    pub(crate) const fn new(
        id: SeriesId,
        own: Option<Cursor>,
        proxy: Option<Cursor>,
        reference: Option<SlotId>,
    ) -> Self {
        Self {
            id,
            own,
            proxy,
            reference,
            marked_by: None,
            quote: Quote {
                mark: Price::ZERO,
                open: Price::ZERO,
                high: Price::ZERO,
                low: Price::ZERO,
                volume: Quantity::ZERO,
                state: PriceState::Missing,
                known_at: Timestamp::MIN,
            },
            anchor: None,
        }
    }

    /// Its bars, and those of its proxy.
    pub(crate) fn cursors(&self) -> impl Iterator<Item = &Cursor> {
        self.own.iter().chain(&self.proxy)
    }

    pub(crate) fn cursors_mut(&mut self) -> impl Iterator<Item = &mut Cursor> {
        self.own.iter_mut().chain(&mut self.proxy)
    }

    /// The bar whose close was the mark at `at`, else the one that was held then: that which was fresh
    /// last.
    pub(crate) fn newest_at(&self, at: Timestamp, age_max: Option<Span>) -> Option<PastBar> {
        let mut last: Option<PastBar> = None;
        for bar in self.cursors().filter_map(|c| c.newest_at(at, age_max)) {
            if at < bar.fresh_until {
                return Some(bar);
            }
            if last.is_none_or(|last| bar.fresh_until > last.fresh_until) {
                last = Some(bar);
            }
        }
        last
    }

    /// Whether the bars that were the newest at `at` are still kept.
    pub(crate) fn keeps(&self, at: Timestamp) -> bool {
        self.cursors().all(|cursor| at >= cursor.dropped_until)
    }

    /// The series that is shown now.
    fn shown(&self) -> Option<&Cursor> {
        match self.quote.state {
            PriceState::Fresh => self.own.as_ref(),
            PriceState::Proxied => self.proxy.as_ref(),
            PriceState::Held | PriceState::Missing => None,
        }
    }

    /// The first bar not closed at `at` of the series that is shown now.
    pub(crate) fn first_closed_after(&self, at: Timestamp) -> Option<(Bar, Timestamp)> {
        self.shown()?.first_closed_after(at)
    }

    /// What the newest visible bars of the series that is shown now did; nothing where none is.
    pub(crate) fn activity(&self) -> Result<Activity, MathError> {
        self.shown()
            .map_or_else(|| Ok(Activity::default()), Cursor::activity)
    }

    pub(crate) fn refresh(
        &mut self,
        now: Timestamp,
        age_max: Option<Span>,
        reference: Option<Price>,
    ) -> Result<(), MathError> {
        let own_extremes = self.own.as_mut().and_then(|cursor| cursor.advance(now));
        let proxy_extremes = self.proxy.as_mut().and_then(|cursor| cursor.advance(now));
        let own = self
            .own
            .as_ref()
            .and_then(|cursor| cursor.newest(now, age_max));
        let proxied = || {
            self.proxy
                .as_ref()
                .and_then(|cursor| cursor.newest(now, age_max))
        };
        let (newest, extremes, state) = match own {
            Some(newest) => (Some(newest), own_extremes, PriceState::Fresh),
            None => (proxied(), proxy_extremes, PriceState::Proxied),
        };
        if let Some((mark, volume, known_at)) = newest {
            let (open, high, low) = extremes.unwrap_or((mark, mark, mark));
            self.quote = Quote {
                mark,
                open,
                high,
                low,
                volume,
                state,
                known_at,
            };
            self.anchor = Some((mark, reference.unwrap_or(mark)));
            return Ok(());
        }
        let Some((mark, then)) = self.anchor else {
            return Ok(());
        };
        let held = match reference {
            Some(price) if then > Price::ZERO && price > Price::ZERO => {
                held_mark(mark, price, then)?
            }
            _ => mark,
        };
        self.quote = Quote {
            mark: held,
            open: held,
            high: held,
            low: held,
            volume: Quantity::ZERO,
            state: PriceState::Held,
            known_at: self.quote.known_at,
        };
        Ok(())
    }
}
