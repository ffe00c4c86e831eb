//! The point-in-time view: the only door to market data.
//!
//! **Invariants.** A bar is visible from its close until its maximum age (one bar length unless
//! configured); a funding rate at its own instant. A gap is never filled silently: the proxy series
//! named in the policy fills it, else the mark is held on the reference and flagged.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::series::{BarSeries, MarketData, RateSeries};
use crate::num::{MathError, Price, Quantity, Rate, Rounding};
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
    /// The spot series its mark follows through a gap; `None` holds the mark flat.
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
}

/// Index of a price series within a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(u32);

impl SlotId {
    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where a price comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceState {
    /// The series' own newest bar.
    Fresh,
    /// The proxy series' newest bar.
    Proxied,
    /// The last mark × reference now ÷ reference then; no order may use it.
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
    /// First price since the view's previous instant (the mark when held).
    pub open: Price,
    /// Highest price since the view's previous instant (the mark when held).
    pub high: Price,
    /// Lowest price since the view's previous instant (the mark when held).
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
    /// A held mark left the range of exact arithmetic.
    #[error(transparent)]
    Math(#[from] MathError),
}

/// Decimals of a held mark; below every venue's tick.
const HELD_MARK_DECIMALS: u32 = 8;

#[derive(Clone, Debug)]
struct Cursor {
    series: Arc<BarSeries>,
    /// Bars whose close has come; the newest is `visible - 1`.
    visible: usize,
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
}

impl Cursor {
    /// Makes the bars closed by `now` visible; first price, highest and lowest of the new ones.
    fn advance(&mut self, now: Timestamp) -> Option<(Price, Price, Price)> {
        let series = &*self.series;
        let mut extremes: Option<(Price, Price, Price)> = None;
        while let (Some(opened), Some(&open), Some(&high), Some(&low)) = (
            series.opened_at.get(self.visible),
            series.open.get(self.visible),
            series.high.get(self.visible),
            series.low.get(self.visible),
        ) {
            if opened.plus(series.length) > now {
                break;
            }
            extremes = Some(match extremes {
                Some((first, h, l)) => (first, h.max(high), l.min(low)),
                None => (open, high, low),
            });
            self.visible += 1;
        }
        extremes
    }

    /// The newest visible bar if it is not too old: close, volume, when known.
    fn newest(
        &self,
        now: Timestamp,
        age_max: Option<Span>,
    ) -> Option<(Price, Quantity, Timestamp)> {
        let at = self.visible.checked_sub(1)?;
        let known_at = self.series.opened_at.get(at)?.plus(self.series.length);
        let age_max = age_max.unwrap_or(self.series.length);
        if now.since(known_at) >= age_max {
            return None;
        }
        Some((
            *self.series.close.get(at)?,
            *self.series.volume.get(at)?,
            known_at,
        ))
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
            if (series.kind == SeriesKind::Funding) != (proxy.kind == SeriesKind::Funding) {
                return error("prices and funding rates cannot stand in for each other");
            }
            if data.bars(proxy).is_none() && data.rates(proxy).is_none() {
                return error("is not in the data");
            }
        }
        let mut view = Self {
            data,
            policy,
            now: Timestamp::MIN,
            slots: Vec::with_capacity(requests.len() + 1),
            by_id: BTreeMap::new(),
        };
        for reference in requests.iter().filter_map(|request| request.reference) {
            view.add_slot(reference, None)?;
        }
        for request in requests {
            let reference = request
                .reference
                .filter(|reference| *reference != request.id);
            view.add_slot(request.id, reference)?;
        }
        Ok(view)
    }

    fn add_slot(&mut self, id: SeriesId, reference: Option<SeriesId>) -> Result<(), ViewError> {
        if self.by_id.contains_key(&id) {
            return Ok(());
        }
        let cursor = |id: SeriesId| {
            self.data.bars(id).map(|series| Cursor {
                series: Arc::clone(series),
                visible: 0,
            })
        };
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
    pub fn advance_to(&mut self, now: Timestamp) -> Result<(), ViewError> {
        assert!(now >= self.now, "invariant: a view never moves back");
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
        Ok(())
    }

    /// The view's instant.
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
    #[must_use]
    pub fn quote(&self, slot: SlotId) -> &Quote {
        &self
            .slots
            .get(slot.index())
            .expect("invariant: slots come from this view")
            .quote
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

    /// The data behind the view: for coverage and lists, never for prices.
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

impl Price {
    /// This mark × `now` ÷ `then`, half-even at eight decimals: how a mark is held through a gap.
    ///
    /// # Errors
    /// [`MathError`] when the result leaves the range, or `then` is zero.
    pub fn scaled(self, now: Self, then: Self) -> Result<Self, MathError> {
        let value = self
            .get()
            .mul_div(now.get(), then.get(), Rounding::HalfEven)?
            .round_to_decimals(HELD_MARK_DECIMALS, Rounding::HalfEven)?;
        Self::new(value)
    }
}
