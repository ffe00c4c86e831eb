//! The point-in-time view: the only door to market data.
//!
//! **Invariants.** A bar is visible from its close until its maximum age (one bar length unless
//! configured); a funding rate at its own instant. A gap is never filled silently: the proxy series
//! named in the policy fills it, else the mark is held on the reference and flagged.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::mark::Marks;
use super::oracle::Oracles;
use super::row_view::{RowEntries, may_stand_in};
use super::series::{BarSeries, MarketData, RateSeries};
use super::shock::{ShockError, ShockSet};
use crate::num::{MathError, Price, Quantity, Rate};
use crate::types::{SeriesId, SeriesKind, Span, Timestamp};

/// What to do where a needed price series has no value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GapPolicy {
    /// The run does not start.
    #[default]
    Refuse,
    /// The last mark moves with the reference and is flagged; no orders there.
    Hold,
}

/// One series that a run wants to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesRequest {
    /// The series.
    pub id: SeriesId,
    /// The spot series its mark follows through a gap; `None` holds the mark flat. Of no meaning to a
    /// series that is not bars.
    pub reference: Option<SeriesId>,
}

/// How a view treats gaps and ages.
#[derive(Clone, Debug, Default)]
pub struct ViewPolicy {
    /// Refuse or hold.
    pub gaps: GapPolicy,
    /// Series that fill another's gaps, prices and funding alike.
    pub proxies: BTreeMap<SeriesId, SeriesId>,
    /// How long the last bar stays visible after its close; `None`: until the next one is due.
    pub bar_age_max: Option<Span>,
    /// How much longer than its interval a row that is no bar stays fresh; `None`: an hour.
    pub row_slack: Option<Span>,
    /// What the view shows differently from the data; `None`: nothing.
    pub shocks: Option<Arc<ShockSet>>,
}

/// Index of a price series within a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(u32);

impl SlotId {
    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where a price (or another value) comes from.
/// From the most certain to the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PriceState {
    /// The series' own newest bar or row.
    Fresh,
    /// The proxy series' newest bar or row.
    Proxied,
    /// The last mark × reference now ÷ reference then, or a row beyond its age; no order may use it.
    Held,
    /// Nothing has been visible yet.
    Missing,
}

impl PriceState {
    /// Whether orders may be placed on such a price.
    #[must_use]
    pub const fn is_tradable(self) -> bool {
        matches!(self, Self::Fresh | Self::Proxied)
    }
}

/// What a view shows of one price series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The mark, quote per base unit; zero only while `Missing`.
    pub mark: Price,
    /// First price since the view's previous instant (of the newest bar when there is none; the
    /// mark when held).
    pub open: Price,
    /// Highest price since the view's previous instant (as for `open`).
    pub high: Price,
    /// Lowest price since the view's previous instant (as for `open`).
    pub low: Price,
    /// Volume in base units of the newest bar; zero when held.
    pub volume: Quantity,
    /// Where the price comes from.
    pub state: PriceState,
    /// When the newest real bar became known.
    pub known_at: Timestamp,
}

/// What a view knows of one funding instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FundingLookup {
    /// The series' own rate.
    Rate(Rate),
    /// The proxy's rate, and which series it is.
    Proxied(Rate, SeriesId),
    /// Nobody recorded one.
    Missing,
}

/// A view cannot be built or moved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// A needed series is not there and has no proxy.
    #[error("series {0} is not there and no proxy is named for it")]
    Missing(SeriesId),
    /// A proxy that is not there, is of another kind, or is the series itself.
    #[error("proxy {proxy} for {series}: {what}")]
    Proxy {
        /// The series with gaps.
        series: SeriesId,
        /// The named proxy.
        proxy: SeriesId,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The shocks of the policy do not fit the data.
    #[error(transparent)]
    Shock(#[from] ShockError),
    /// A held mark left the range of exact arithmetic.
    #[error(transparent)]
    Math(#[from] MathError),
}

#[derive(Clone, Debug)]
struct Cursor {
    series: Arc<BarSeries>,
    /// The first row that is not visible.
    next: usize,
    /// When it will be known; none after the last.
    next_at: Option<Timestamp>,
    /// The newest visible bar: close, volume, when known.
    newest: Option<(Price, Quantity, Timestamp)>,
}

#[derive(Clone, Debug)]
struct Slot {
    id: SeriesId,
    own: Option<Cursor>,
    proxy: Option<Cursor>,
    reference: Option<SlotId>,
    quote: Quote,
    /// Mark and reference price when a real bar was last visible.
    anchor: Option<(Price, Price)>,
}

/// Point-in-time read of the data.
#[derive(Clone, Debug)]
pub struct MarketView {
    data: Arc<MarketData>,
    policy: ViewPolicy,
    now: Timestamp,
    /// In the order they are advanced: references first.
    slots: Vec<Slot>,
    by_id: BTreeMap<SeriesId, SlotId>,
    pub(super) rows: RowEntries,
    pub(super) marks: Marks,
    pub(super) oracles: Oracles,
}

impl Cursor {
    fn new(series: &Arc<BarSeries>) -> Self {
        let mut cursor = Self {
            series: Arc::clone(series),
            next: 0,
            next_at: None,
            newest: None,
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
    fn skip_to(&mut self, now: Timestamp) {
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
}

impl MarketView {
    /// A view of `requests` at the beginning of time; call [`MarketView::advance_to`] before reading.
    ///
    /// References are added when not requested themselves.
    ///
    /// # Errors
    /// [`ViewError`] for a series without data or proxy, or an unusable proxy.
    pub fn new(
        data: Arc<MarketData>,
        requests: &[SeriesRequest],
        policy: ViewPolicy,
    ) -> Result<Self, ViewError> {
        for (&series, &proxy) in &policy.proxies {
            let error = |what| {
                Err(ViewError::Proxy {
                    series,
                    proxy,
                    what,
                })
            };
            if series == proxy {
                return error("a series cannot be its own proxy");
            }
            if !may_stand_in(series.kind, proxy.kind) {
                return error(
                    if series.kind == SeriesKind::Funding || series.kind.has_bars() {
                        "prices and funding rates cannot stand in for each other"
                    } else {
                        "a series of that kind cannot stand in for it"
                    },
                );
            }
            if !data.contains(proxy) {
                return error("is not in the data");
            }
        }
        let data = match &policy.shocks {
            Some(shocks) => shocks.shocked(&data, requests, &policy)?,
            None => data,
        };
        let mut view = Self {
            data,
            policy,
            now: Timestamp::MIN,
            slots: Vec::with_capacity(requests.len() + 1),
            by_id: BTreeMap::new(),
            rows: RowEntries::default(),
            marks: Marks::default(),
            oracles: Oracles::default(),
        };
        let bars = requests.iter().filter(|request| request.id.kind.has_bars());
        for reference in bars.filter_map(|request| request.reference) {
            view.add_slot(reference, None)?;
        }
        for request in requests {
            if !request.id.kind.has_bars() {
                view.add_row_slot(request.id)?;
                continue;
            }
            let reference = request
                .reference
                .filter(|reference| *reference != request.id);
            view.add_slot(request.id, reference)?;
        }
        view.marks = Marks::of(&view);
        view.oracles = Oracles::of(&view);
        Ok(view)
    }

    fn add_slot(&mut self, id: SeriesId, reference: Option<SeriesId>) -> Result<(), ViewError> {
        if self.by_id.contains_key(&id) {
            return Ok(());
        }
        let cursor = |id: SeriesId| self.data.bars(id).map(Cursor::new);
        let own = cursor(id);
        let proxy = self.policy.proxies.get(&id).copied().and_then(cursor);
        if own.is_none() && proxy.is_none() {
            return Err(ViewError::Missing(id));
        }
        let quote = Quote {
            mark: Price::ZERO,
            open: Price::ZERO,
            high: Price::ZERO,
            low: Price::ZERO,
            volume: Quantity::ZERO,
            state: PriceState::Missing,
            known_at: Timestamp::MIN,
        };
        let reference = reference.and_then(|reference| self.by_id.get(&reference).copied());
        let slot = SlotId(u32::try_from(self.slots.len()).unwrap_or(u32::MAX));
        self.slots.push(Slot {
            id,
            own,
            proxy,
            reference,
            quote,
            anchor: None,
        });
        self.by_id.insert(id, slot);
        Ok(())
    }

    /// Moves forward to `now` (never back) and refreshes every quote.
    ///
    /// # Errors
    /// [`ViewError::Math`] when a held mark leaves the range of exact arithmetic.
    ///
    /// # Panics
    /// When `now` is before the view's instant.
    pub fn advance_to(&mut self, now: Timestamp) -> Result<(), ViewError> {
        assert!(now >= self.now, "invariant: a view never moves back");
        let first = self.now == Timestamp::MIN;
        self.rows.advance(now, first);
        if first {
            // Prices from before the view's first instant are not part of its first step.
            for slot in &mut self.slots {
                for cursor in slot.own.iter_mut().chain(&mut slot.proxy) {
                    cursor.skip_to(now);
                }
            }
        }
        self.now = now;
        let age_max = self.policy.bar_age_max;
        for at in 0..self.slots.len() {
            let (before, rest) = self.slots.split_at_mut(at);
            let Some(slot) = rest.first_mut() else { break };
            let reference = match slot.reference {
                Some(reference) => before.get(reference.index()).map(|r| r.quote.mark),
                None => None,
            };
            slot.refresh(now, age_max, reference)?;
        }
        if let Some(shocks) = &self.policy.shocks {
            for slot in &mut self.slots {
                if slot.quote.state.is_tradable() && shocks.is_out(slot.id.venue, now) {
                    slot.quote.state = PriceState::Held;
                }
            }
        }
        self.price_ether();
        Ok(())
    }

    /// The view's instant.
    #[inline]
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The slot of a price series, for repeated reads.
    #[must_use]
    pub fn slot(&self, id: SeriesId) -> Option<SlotId> {
        self.by_id.get(&id).copied()
    }

    /// What is visible of the series in `slot`.
    ///
    /// # Panics
    /// When the slot belongs to another view.
    #[inline]
    #[must_use]
    pub fn quote(&self, slot: SlotId) -> &Quote {
        &self
            .slots
            .get(slot.index())
            .expect("invariant: slots come from this view")
            .quote
    }

    /// The series of a slot.
    pub(super) fn id_of(&self, slot: SlotId) -> SeriesId {
        let slot = self.slots.get(slot.index());
        slot.expect("invariant: slots come from this view").id
    }

    /// The mark that `slot` showed at `at`, an instant of the past: the newest bar then, else the
    /// proxy's, else the newest one held flat. `None` when nothing was visible, or `at` is to come.
    pub(super) fn mark_at(&self, slot: SlotId, at: Timestamp) -> Option<Price> {
        let slot = self.slots.get(slot.index()).filter(|_| at <= self.now)?;
        let age_max = self.policy.bar_age_max;
        let cursors = [&slot.own, &slot.proxy].into_iter().flatten();
        let mut held = None;
        for cursor in cursors {
            let series = &cursor.series;
            let Some(row) = series.closed_by(at).checked_sub(1) else {
                continue;
            };
            let (close, opened_at) = (series.close(row)?, series.opened_at(row)?);
            let age = at.since(opened_at.plus(series.length));
            if age < age_max.unwrap_or(series.length) {
                return Some(close);
            }
            held = held.or(Some(close));
        }
        held
    }

    /// What is visible of the series `id`; `None` when the view does not carry it.
    #[must_use]
    pub fn quote_of(&self, id: SeriesId) -> Option<&Quote> {
        self.slot(id).map(|slot| self.quote(slot))
    }

    /// The series of every slot, references first.
    pub fn series(&self) -> impl Iterator<Item = (SeriesId, SlotId)> + '_ {
        self.slots
            .iter()
            .zip(0u32..)
            .map(|(slot, at)| (slot.id, SlotId(at)))
    }

    /// The funding rate that `id` settled at `instant`; `Missing` for an instant still to come.
    #[must_use]
    pub fn funding(&self, id: SeriesId, instant: Timestamp) -> FundingLookup {
        if instant > self.now {
            return FundingLookup::Missing;
        }
        let find = |series: &Arc<RateSeries>| {
            let at = series.at.binary_search(&instant).ok()?;
            series.rate.get(at).copied()
        };
        if let Some(rate) = self.data.rates(id).and_then(find) {
            return FundingLookup::Rate(rate);
        }
        let proxied = self.policy.proxies.get(&id).and_then(|proxy| {
            self.data
                .rates(*proxy)
                .and_then(find)
                .map(|rate| FundingLookup::Proxied(rate, *proxy))
        });
        proxied.unwrap_or(FundingLookup::Missing)
    }

    /// The policy the view was built with.
    #[must_use]
    pub const fn policy(&self) -> &ViewPolicy {
        &self.policy
    }

    /// The data behind the view, shocked where it has shocks: for coverage and lists, never for prices.
    #[must_use]
    pub const fn data(&self) -> &Arc<MarketData> {
        &self.data
    }
}

impl Slot {
    fn refresh(
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
            Some(price) if then > Price::ZERO && price > Price::ZERO => mark.scaled(price, then)?,
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
