//! The point-in-time view: the only door to market data.
//!
//! **Invariants.** A bar is visible from its close until its maximum age (one bar length unless
//! configured); a funding rate at its own instant. A gap is never filled silently: the proxy series
//! named in the policy fills it, else the mark is held on the reference and flagged.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::BarColumns;
    use crate::num::Rate;
    use proptest::prelude::*;

    const SPOT: &str = "spot.binance.BTCUSDT";
    const OKX: &str = "perp.okx.BTCUSDT";
    const BYBIT: &str = "perp.bybit.BTCUSDT";
    const FUNDING_OKX: &str = "funding.okx.BTCUSDT";
    const FUNDING_BYBIT: &str = "funding.bybit.BTCUSDT";

    fn id(text: &str) -> SeriesId {
        text.parse().unwrap()
    }

    fn hour(hour: i64) -> Timestamp {
        Timestamp::EPOCH.plus(Span::from_hours(hour))
    }

    fn units(price: i64) -> Price {
        Price::new(crate::num::Fixed18::from_int(price)).unwrap()
    }

    /// Bars of `(opening hour, close)`: open one below, high five above, low five below the close.
    fn bars(name: &str, rows: &[(i64, i64)]) -> BarColumns {
        let column = |shift: i64| rows.iter().map(|(_, close)| units(close + shift)).collect();
        BarColumns {
            id: id(name),
            length: Span::HOUR,
            opened_at: rows.iter().map(|(opened, _)| hour(*opened)).collect(),
            open: column(-1),
            high: column(5),
            low: column(-5),
            close: column(0),
            volume: rows.iter().map(|_| Quantity::literal("7")).collect(),
        }
    }

    fn rates(name: &str, rows: &[(i64, &'static str)]) -> RateSeries {
        RateSeries {
            id: id(name),
            at: rows.iter().map(|(at, _)| hour(*at)).collect(),
            rate: rows.iter().map(|(_, rate)| Rate::literal(rate)).collect(),
        }
    }

    fn market(bar_series: Vec<BarColumns>, rate_series: Vec<RateSeries>) -> Arc<MarketData> {
        let mut data = MarketData::new("test", true);
        for series in bar_series {
            data.add_bars(series).unwrap();
        }
        for series in rate_series {
            data.add_rates(series).unwrap();
        }
        Arc::new(data)
    }

    fn request(series: &str, reference: Option<&str>) -> SeriesRequest {
        SeriesRequest {
            id: id(series),
            reference: reference.map(id),
        }
    }

    fn proxies(pairs: &[(&str, &str)]) -> ViewPolicy {
        ViewPolicy {
            proxies: pairs
                .iter()
                .map(|(own, proxy)| (id(own), id(proxy)))
                .collect(),
            ..ViewPolicy::default()
        }
    }

    fn view(data: &Arc<MarketData>, requests: &[SeriesRequest], policy: ViewPolicy) -> MarketView {
        MarketView::new(Arc::clone(data), requests, policy).unwrap()
    }

    fn at(view: &mut MarketView, now: Timestamp, series: &str) -> Quote {
        view.advance_to(now).unwrap();
        *view.quote_of(id(series)).unwrap()
    }

    #[test]
    fn bar_is_visible_exactly_at_its_close_and_not_before() {
        let data = market(vec![bars(OKX, &[(0, 100), (1, 110)])], vec![]);
        let mut view = view(&data, &[request(OKX, None)], ViewPolicy::default());
        let early = at(&mut view, hour(1).minus(Span::from_nanos(1)), OKX);
        assert_eq!(
            (early.state, early.mark),
            (PriceState::Missing, Price::ZERO)
        );
        assert!(!early.state.is_tradable());
        let first = at(&mut view, hour(1), OKX);
        assert_eq!((first.state, first.mark), (PriceState::Fresh, units(100)));
        assert_eq!(
            (first.open, first.high, first.low),
            (units(99), units(105), units(95))
        );
        assert_eq!(first.volume, Quantity::literal("7"));
        assert_eq!(first.known_at, hour(1));
        let before_second = at(&mut view, hour(2).minus(Span::from_nanos(1)), OKX);
        assert_eq!(before_second.mark, units(100));
        assert_eq!(at(&mut view, hour(2), OKX).mark, units(110));
    }

    #[test]
    fn bar_ages_out_when_the_next_is_due_or_at_the_configured_age() {
        let data = market(vec![bars(OKX, &[(0, 100)])], vec![]);
        let mut policy = ViewPolicy::default();
        let mut default = view(&data, &[request(OKX, None)], policy.clone());
        assert_eq!(at(&mut default, hour(1), OKX).state, PriceState::Fresh);
        assert_eq!(at(&mut default, hour(2), OKX).state, PriceState::Held);
        policy.bar_age_max = Some(Span::from_hours(3));
        let mut longer = view(&data, &[request(OKX, None)], policy);
        assert_eq!(at(&mut longer, hour(3), OKX).state, PriceState::Fresh);
        let end = hour(4);
        let last = at(&mut longer, end.minus(Span::from_nanos(1)), OKX);
        assert_eq!((last.state, last.known_at), (PriceState::Fresh, hour(1)));
        assert_eq!(at(&mut longer, end, OKX).state, PriceState::Held);
    }

    #[test]
    fn extremes_cover_every_bar_since_the_previous_instant() {
        let rows = [(0, 100), (1, 130), (2, 90), (3, 105), (4, 106)];
        let data = market(vec![bars(OKX, &rows)], vec![]);
        let mut view = view(&data, &[request(OKX, None)], ViewPolicy::default());
        at(&mut view, hour(1), OKX);
        let quote = at(&mut view, hour(4), OKX);
        assert_eq!(quote.mark, units(105));
        assert_eq!(
            (quote.open, quote.high, quote.low),
            (units(129), units(135), units(85))
        );
        let between = at(&mut view, hour(4).plus(Span::from_minutes(30)), OKX);
        let mark = units(105);
        assert_eq!(
            (between.open, between.high, between.low),
            (mark, mark, mark)
        );
    }

    #[test]
    fn first_instant_shows_its_own_bar_and_nothing_from_before_it() {
        let data = market(
            vec![
                bars(OKX, &[(0, 10), (1, 1_000), (2, 105)]),
                bars(BYBIT, &[(0, 10), (1, 1_000), (2, 107)]),
            ],
            vec![],
        );
        let policy = proxies(&[(OKX, BYBIT)]);
        let mut view = view(&data, &[request(OKX, None), request(BYBIT, None)], policy);
        let own = at(&mut view, hour(3), OKX);
        assert_eq!(
            (own.open, own.high, own.low),
            (units(104), units(110), units(100))
        );
        let other = at(&mut view, hour(3), BYBIT);
        assert_eq!((other.mark, other.low), (units(107), units(107)));
    }

    #[test]
    fn proxy_fills_only_gaps_and_says_so() {
        let data = market(
            vec![
                bars(OKX, &[(0, 100), (3, 103)]),
                bars(BYBIT, &[(0, 200), (1, 201), (3, 203)]),
            ],
            vec![],
        );
        let policy = proxies(&[(OKX, BYBIT)]);
        let mut view = view(&data, &[request(OKX, None)], policy);
        assert_eq!(at(&mut view, hour(1), OKX).mark, units(100));
        let filled = at(&mut view, hour(2), OKX);
        assert_eq!(
            (filled.state, filled.mark),
            (PriceState::Proxied, units(201))
        );
        assert_eq!((filled.high, filled.low), (units(206), units(196)));
        assert!(filled.state.is_tradable());
        let held = at(&mut view, hour(3), OKX);
        assert_eq!((held.state, held.mark), (PriceState::Held, units(201)));
        assert_eq!(held.known_at, hour(2));
        let back = at(&mut view, hour(4), OKX);
        assert_eq!((back.state, back.mark), (PriceState::Fresh, units(103)));
    }

    #[test]
    fn series_that_is_not_there_lives_off_its_proxy() {
        let data = market(vec![bars(BYBIT, &[(0, 200)])], vec![]);
        let mut view = view(&data, &[request(OKX, None)], proxies(&[(OKX, BYBIT)]));
        let quote = at(&mut view, hour(1), OKX);
        assert_eq!((quote.state, quote.mark), (PriceState::Proxied, units(200)));
        assert!(view.quote_of(id(BYBIT)).is_none());
    }

    #[test]
    fn held_mark_follows_the_reference_since_the_last_real_mark() {
        let spot = [(0, 100), (1, 110), (2, 90), (3, 95)];
        let data = market(
            vec![bars(SPOT, &spot), bars(OKX, &[(0, 102), (3, 97)])],
            vec![],
        );
        let requests = [request(OKX, Some(SPOT))];
        let mut view = view(&data, &requests, ViewPolicy::default());
        assert_eq!(at(&mut view, hour(1), OKX).state, PriceState::Fresh);
        let held = at(&mut view, hour(2), OKX);
        assert_eq!(held.state, PriceState::Held);
        assert_eq!(held.mark, Price::literal("112.2"));
        assert_eq!(
            (held.open, held.high, held.low),
            (held.mark, held.mark, held.mark)
        );
        assert_eq!((held.volume, held.known_at), (Quantity::ZERO, hour(1)));
        assert!(!held.state.is_tradable());
        // From the anchor, not from the mark held before.
        assert_eq!(at(&mut view, hour(3), OKX).mark, Price::literal("91.8"));
        assert_eq!(at(&mut view, hour(4), OKX).mark, units(97));
        let order: Vec<_> = view.series().map(|(id, _)| id.to_string()).collect();
        assert_eq!(order, [SPOT, OKX]);
    }

    #[test]
    fn held_mark_is_flat_without_a_reference_or_before_it_has_a_price() {
        let data = market(
            vec![bars(SPOT, &[(5, 100)]), bars(OKX, &[(0, 102)])],
            vec![],
        );
        for reference in [None, Some(SPOT)] {
            let requests = [request(OKX, reference)];
            let mut view = view(&data, &requests, ViewPolicy::default());
            at(&mut view, hour(1), OKX);
            for now in [2, 6] {
                let held = at(&mut view, hour(now), OKX);
                assert_eq!((held.state, held.mark), (PriceState::Held, units(102)));
            }
        }
    }

    #[test]
    fn held_marks_have_at_most_eight_decimals() {
        let mark = units(100).scaled(units(2), units(3)).unwrap();
        assert_eq!(mark, Price::literal("66.66666667"));
        assert!(units(1).scaled(units(1), Price::ZERO).is_err());
    }

    #[test]
    fn funding_is_known_at_its_instant_own_first_then_the_proxy_then_missing() {
        let data = market(
            vec![],
            vec![
                rates(FUNDING_OKX, &[(8, "0.0001"), (24, "0.0003")]),
                rates(FUNDING_BYBIT, &[(8, "0.5"), (16, "-0.0002")]),
            ],
        );
        let policy = proxies(&[(FUNDING_OKX, FUNDING_BYBIT)]);
        let mut view = view(&data, &[], policy);
        let okx = id(FUNDING_OKX);
        view.advance_to(hour(8).minus(Span::from_nanos(1))).unwrap();
        assert_eq!(view.funding(okx, hour(8)), FundingLookup::Missing);
        view.advance_to(hour(23)).unwrap();
        let own = FundingLookup::Rate(Rate::literal("0.0001"));
        assert_eq!(view.funding(okx, hour(8)), own);
        let proxied = FundingLookup::Proxied(Rate::literal("-0.0002"), id(FUNDING_BYBIT));
        assert_eq!(view.funding(okx, hour(16)), proxied);
        assert_eq!(view.funding(okx, hour(24)), FundingLookup::Missing);
        assert_eq!(view.funding(okx, hour(9)), FundingLookup::Missing);
        assert_eq!(
            view.funding(id("funding.x.Y"), hour(8)),
            FundingLookup::Missing
        );
    }

    #[test]
    fn missing_series_and_unusable_proxies_are_errors_that_name_them() {
        let data = market(
            vec![bars(OKX, &[(0, 10)])],
            vec![rates(FUNDING_OKX, &[(0, "0")])],
        );
        let error = |requests: &[SeriesRequest], policy| {
            let e = MarketView::new(Arc::clone(&data), requests, policy).unwrap_err();
            e.to_string()
        };
        let missing = error(&[request(BYBIT, None)], ViewPolicy::default());
        assert!(
            missing.contains(BYBIT) && missing.contains("no proxy"),
            "{missing}"
        );
        let reference = error(&[request(OKX, Some(SPOT))], ViewPolicy::default());
        assert!(reference.contains(SPOT), "{reference}");
        for (own, proxy, what) in [
            (OKX, OKX, "its own proxy"),
            (OKX, FUNDING_OKX, "cannot stand in"),
            (FUNDING_OKX, OKX, "cannot stand in"),
            (OKX, BYBIT, "is not in the data"),
        ] {
            let message = error(&[request(OKX, None)], proxies(&[(own, proxy)]));
            assert!(
                message.contains(what) && message.contains(proxy),
                "{message}"
            );
        }
    }

    #[test]
    #[should_panic(expected = "a view never moves back")]
    fn moving_back_is_our_mistake() {
        let data = market(vec![bars(OKX, &[(0, 10)])], vec![]);
        let mut view = view(&data, &[request(OKX, None)], ViewPolicy::default());
        view.advance_to(hour(5)).unwrap();
        drop(view.advance_to(hour(4)));
    }

    /// What one bar of a random market is: there or not, and its close.
    type Cell = Option<i64>;

    fn column() -> impl Strategy<Value = Vec<Cell>> {
        prop::collection::vec(prop::option::weighted(0.7, 50_i64..150), 24)
    }

    /// The market whose bars known after `cut` are `after`'s, those up to it `before`'s.
    fn spliced(before: &[Vec<Cell>], after: &[Vec<Cell>], cut: i64) -> Arc<MarketData> {
        let rows = |series: usize| -> Vec<(i64, i64)> {
            (0..24)
                .filter_map(|opened: i64| {
                    let from = if opened + 1 > cut { after } else { before };
                    from[series][usize::try_from(opened).unwrap()].map(|close| (opened, close))
                })
                .collect()
        };
        let funding: Vec<(i64, &str)> = rows(3)
            .into_iter()
            .map(|(opened, close)| (opened + 1, if close < 100 { "-0.1" } else { "0.2" }))
            .collect();
        market(
            [SPOT, OKX, BYBIT]
                .into_iter()
                .zip(0..)
                .map(|(name, series)| bars(name, &rows(series)))
                .collect(),
            vec![rates(FUNDING_OKX, &funding)],
        )
    }

    proptest! {
        #[test]
        fn prop_what_becomes_known_later_changes_nothing_seen_before(
            before in prop::collection::vec(column(), 4),
            after in prop::collection::vec(column(), 4),
            cut in 0_i64..25,
            start in 0_i64..25,
        ) {
            let requests = [request(OKX, Some(SPOT)), request(BYBIT, None)];
            let policy = proxies(&[(OKX, BYBIT)]);
            let mut one = view(&spliced(&before, &before, cut), &requests, policy.clone());
            let mut two = view(&spliced(&before, &after, cut), &requests, policy);
            for half_hours in start.min(cut) * 2..=cut * 2 {
                let now = Timestamp::EPOCH.plus(Span::from_minutes(30 * half_hours));
                one.advance_to(now).unwrap();
                two.advance_to(now).unwrap();
                for (id, slot) in one.series() {
                    prop_assert_eq!(one.quote(slot), two.quote_of(id).unwrap());
                }
                for instant in 0..26 {
                    let lookup = |view: &MarketView| view.funding(id(FUNDING_OKX), hour(instant));
                    prop_assert_eq!(lookup(&one), lookup(&two));
                }
            }
        }
    }
}
