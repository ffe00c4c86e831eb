//! The point-in-time view: the only door to market data.
//!
//! **Invariants.** A bar is visible from its close until its maximum age (one bar length unless
//! configured); a funding rate at its own instant. A gap is never filled silently: the proxy series
//! named in the policy fills it, else the mark is held on the reference and flagged. Nothing that a view
//! shows changes but by [`MarketView::advance_to`], and it never moves back.
//!
//! A view reads recorded and rolling series by the same code: a rolling one is a series that starts with
//! few rows or none and grows by a [`MarketWriter`](crate::MarketWriter).

mod funding;
mod mark;
mod oracle;
mod recent;
mod row_view;
mod shock;
mod slot;
#[cfg(test)]
mod tests;
mod wallet;

use std::collections::BTreeMap;
use std::sync::Arc;

use basis_core::num::{MathError, Price, Quantity};
use basis_core::types::{SeriesId, SeriesKind, Span, Timestamp};
use basis_protocols::exchange::impact::Activity;
use serde::{Deserialize, Serialize};

use self::funding::RateEntries;
use self::mark::{Marks, held_mark};
use self::oracle::Oracles;
use self::row_view::{RowEntries, may_stand_in};
use self::slot::{Cursor, Slot};
use crate::plausible::Bounds;
use crate::series::{AaveRiskParameters, Bar, MarketData, Provenance};

pub use self::funding::FundingLookup;
pub use self::mark::{Mark, RateSource, is_dollar};
pub use self::oracle::{OracleError, OracleQuote, OracleRatio};
pub use self::row_view::{GasSlot, Known, PointQuote, PointSlot, ReserveSlot, RewardSlot, RowSlot};
pub use self::shock::{Shock, ShockError, ShockParseError, ShockSet};
pub use self::wallet::{ETHER_POOL_SERIES, GAS_SERIES};

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
    /// What recorded values may be before they are refused.
    pub bounds: Bounds,
    /// What the view shows differently from the data; `None`: nothing.
    pub shocks: Option<Arc<ShockSet>>,
    /// How far back series that are written to are kept: the longest look-back of anybody who reads
    /// them. `None`: everything is kept.
    pub look_back: Option<Span>,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// An instant before the one the view stands at.
    #[error("the view stands at {now} and cannot move back to {to}")]
    Backward {
        /// Where it stands.
        now: Timestamp,
        /// Where it was to go.
        to: Timestamp,
    },
}

/// Point-in-time read of the data.
#[derive(Clone, Debug)]
pub struct MarketView {
    provenance: Arc<Provenance>,
    risk_parameters: Arc<[AaveRiskParameters]>,
    pub(super) policy: ViewPolicy,
    pub(super) now: Timestamp,
    /// In the order they are advanced: references first.
    pub(super) slots: Vec<Slot>,
    by_id: BTreeMap<SeriesId, SlotId>,
    pub(super) rates: RateEntries,
    pub(super) rows: RowEntries,
    pub(super) marks: Marks,
    pub(super) oracles: Oracles,
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
            provenance: Arc::clone(&data.provenance),
            risk_parameters: Arc::clone(&data.risk_parameters),
            policy,
            now: Timestamp::MIN,
            slots: Vec::with_capacity(requests.len() + 1),
            by_id: BTreeMap::new(),
            rates: RateEntries::of(&data),
            rows: RowEntries::default(),
            marks: Marks::default(),
            oracles: Oracles::default(),
        };
        let bars = requests.iter().filter(|request| request.id.kind.has_bars());
        for reference in bars.filter_map(|request| request.reference) {
            view.add_slot(&data, reference, None)?;
        }
        for request in requests {
            if !request.id.kind.has_bars() {
                view.add_row_slot(&data, request.id)?;
                continue;
            }
            let reference = request
                .reference
                .filter(|reference| *reference != request.id);
            view.add_slot(&data, request.id, reference)?;
        }
        view.mark_perps();
        view.marks = Marks::of(&view);
        view.oracles = Oracles::of(&view);
        Ok(view)
    }

    fn add_slot(
        &mut self,
        data: &MarketData,
        id: SeriesId,
        reference: Option<SeriesId>,
    ) -> Result<(), ViewError> {
        if self.by_id.contains_key(&id) {
            return Ok(());
        }
        let cursor = |id: SeriesId| data.bars(id).map(Cursor::new);
        let own = cursor(id);
        let proxy = self.policy.proxies.get(&id).copied().and_then(cursor);
        if own.is_none() && proxy.is_none() {
            return Err(ViewError::Missing(id));
        }
        let reference = reference.and_then(|reference| self.by_id.get(&reference).copied());
        let slot = SlotId(u32::try_from(self.slots.len()).unwrap_or(u32::MAX));
        self.slots.push(Slot::new(id, own, proxy, reference));
        self.by_id.insert(id, slot);
        Ok(())
    }

    /// Moves forward to `now` (never back) and refreshes every quote.
    ///
    /// # Errors
    /// [`ViewError::Backward`] when `now` is before the view's instant, and then nothing has changed;
    /// [`ViewError::Math`] when a held mark leaves the range of exact arithmetic.
    pub fn advance_to(&mut self, now: Timestamp) -> Result<(), ViewError> {
        if now < self.now {
            let (now, to) = (self.now, now);
            return Err(ViewError::Backward { now, to });
        }
        let first = self.now == Timestamp::MIN;
        self.rates.advance();
        self.rows.advance(now, first);
        if first {
            // Prices from before the view's first instant are not part of its first step.
            for slot in &mut self.slots {
                for cursor in slot.cursors_mut() {
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
        self.price_ether()?;
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
        &self.slot_of(slot).quote
    }

    #[inline]
    fn slot_of(&self, slot: SlotId) -> &Slot {
        let slot = self.slots.get(slot.index());
        slot.expect("invariant: slots come from this view")
    }

    /// The series of a slot.
    pub(super) fn id_of(&self, slot: SlotId) -> SeriesId {
        self.slot_of(slot).id
    }

    /// Where what trades in `slot` is marked: in the mark series of a perp where the view carries one, else in
    /// `slot` itself.
    ///
    /// # Panics
    /// When the slot belongs to another view.
    #[inline]
    #[must_use]
    pub fn mark_slot(&self, slot: SlotId) -> SlotId {
        self.slot_of(slot).marked_by.unwrap_or(slot)
    }

    /// Notes which series mark the perps.
    fn mark_perps(&mut self) {
        for slot in &mut self.slots {
            let mark = slot.id.mark_of_perp();
            slot.marked_by = mark.and_then(|mark| self.by_id.get(&mark).copied());
        }
    }

    /// The length of the bars of `slot`: its own, else its proxy's where it has none itself.
    ///
    /// # Panics
    /// When the slot belongs to another view.
    #[must_use]
    pub fn bar_length(&self, slot: SlotId) -> Span {
        let mut cursors = self.slot_of(slot).cursors();
        cursors.next().map_or(Span::ZERO, |c| c.series().length)
    }

    /// The bars of `slot`: its own, else its proxy's.
    #[cfg(test)]
    pub(super) fn bars_of(&self, slot: SlotId) -> Option<&Arc<super::BarSeries>> {
        Some(self.slot_of(slot).cursors().next()?.series())
    }

    /// The first bar that was still to close at `at` and is visible now, and when it became known. It
    /// may have opened before `at`. It is of the series that the quote of `slot` comes from: `None` while
    /// that is held or missing, and for an `at` from which on the bars are no longer kept
    /// ([`ViewPolicy::look_back`]).
    ///
    /// # Panics
    /// When the slot belongs to another view.
    #[must_use]
    pub fn first_closed_after(&self, slot: SlotId, at: Timestamp) -> Option<(Bar, Timestamp)> {
        self.slot_of(slot).first_closed_after(at)
    }

    /// What the market of `slot` did over the newest completed bars of the series that its quote comes from,
    /// those from before the view's first instant included; nothing while it is held or missing.
    ///
    /// # Errors
    /// [`MathError`] out of range.
    ///
    /// # Panics
    /// When the slot belongs to another view.
    pub fn activity(&self, slot: SlotId) -> Result<Activity, MathError> {
        self.slot_of(slot).activity()
    }

    /// The mark of `slot` at `at`, an instant of the past or the present: the close of the newest bar
    /// closed by then, its proxy's where that is too old, else the one that was fresh last, held on the
    /// reference. So the mark at an instant within a step does not depend on the length of the step.
    /// `None` when nothing was visible, what it follows from is no longer kept
    /// ([`ViewPolicy::look_back`]), or `at` is to come.
    ///
    /// # Errors
    /// [`MathError`] when a held mark leaves the range of exact arithmetic.
    ///
    /// # Panics
    /// When the slot belongs to another view.
    pub fn mark_at(&self, slot: SlotId, at: Timestamp) -> Result<Option<Price>, MathError> {
        let slot = self.slot_of(slot);
        if at > self.now {
            return Ok(None);
        }
        if at == self.now && slot.quote.state != PriceState::Missing {
            return Ok(Some(slot.quote.mark));
        }
        let Some(bar) = slot.newest_at(at, self.policy.bar_age_max) else {
            return Ok(None);
        };
        if at < bar.fresh_until {
            return Ok(Some(bar.close));
        }
        let Some(reference) = slot.reference else {
            return Ok(Some(bar.close));
        };
        let last_fresh = bar.fresh_until.minus(Span::from_nanos(1));
        if !self.slot_of(reference).keeps(last_fresh) {
            return Ok(None);
        }
        let (then, now) = (
            self.mark_at(reference, last_fresh)?,
            self.mark_at(reference, at)?,
        );
        match (then, now) {
            (Some(then), Some(now)) if then > Price::ZERO && now > Price::ZERO => {
                held_mark(bar.close, now, then).map(Some)
            }
            _ => Ok(Some(bar.close)),
        }
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

    /// The policy the view was built with.
    #[must_use]
    pub const fn policy(&self) -> &ViewPolicy {
        &self.policy
    }

    /// Aave's risk parameters of every asset there is: one table for the whole range.
    #[must_use]
    pub fn risk_parameters(&self) -> &[AaveRiskParameters] {
        &self.risk_parameters
    }

    /// Where the data behind the view came from, for results: no venue has a use for it.
    #[must_use]
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }
}
