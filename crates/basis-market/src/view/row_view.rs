//! Rows as a view shows them.
//!
//! **Invariants.** A row is visible from its instant on and never before. The newest one is fresh for
//! its series' interval and a slack ([`ViewPolicy::row_slack`]); after that it is shown as held, never
//! replaced and never interpolated. Reading costs no search: a slot is an index, and the cursor moves
//! with the view.

use std::marker::PhantomData;
use std::sync::Arc;

use basis_core::num::Fixed18;
use basis_core::types::{SeriesId, SeriesKind, Span, Timestamp};

use super::{MarketView, PriceState, ViewError, ViewPolicy};
use crate::series::rows::{ByKind, PerKind};
use crate::series::{GasFees, ReserveRow, Reward, RowSeries, SeriesRow};
use crate::series::{MarketData, SeriesError};

/// How much longer than its interval a row stays fresh, unless the policy says otherwise: an hour.
const SLACK: Span = Span::HOUR;

impl ViewPolicy {
    /// How much longer than its series' interval a row stays fresh.
    #[must_use]
    pub fn slack(&self) -> Span {
        self.row_slack.unwrap_or(SLACK)
    }
}

/// Index of a row series within a view, which knows what its rows are.
#[derive(Debug)]
pub struct RowSlot<T> {
    index: u32,
    rows: PhantomData<fn() -> T>,
}

impl<T> Clone for RowSlot<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for RowSlot<T> {}

impl<T> PartialEq for RowSlot<T> {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index
    }
}

impl<T> Eq for RowSlot<T> {}

/// Slot of an oracle or a staking rate.
pub type PointSlot = RowSlot<Fixed18>;
/// Slot of a lending reserve.
pub type ReserveSlot = RowSlot<ReserveRow>;
/// Slot of a chain's gas fees.
pub type GasSlot = RowSlot<GasFees>;
/// Slot of a rewards program.
pub type RewardSlot = RowSlot<Reward>;

/// A row that is visible, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known<'a, T> {
    /// The row.
    pub row: &'a T,
    /// When it became known.
    pub known_at: Timestamp,
    /// Fresh, proxied, or held beyond its age.
    pub state: PriceState,
    /// How long ago, at the view's instant, it became known.
    pub age: Span,
}

/// A visible value, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PointQuote {
    /// The value.
    pub value: Fixed18,
    /// When it became known.
    pub known_at: Timestamp,
    /// Fresh, proxied, or held beyond its age.
    pub state: PriceState,
}

/// One series and how many of its rows are known.
#[derive(Clone, Debug)]
struct RowCursor<T> {
    series: Arc<RowSeries<T>>,
    known: usize,
    /// When the next row will be known; the end of time after the last.
    next_at: Timestamp,
}

impl<T: SeriesRow> RowCursor<T> {
    fn new(series: &Arc<RowSeries<T>>) -> Self {
        let mut cursor = Self {
            series: Arc::clone(series),
            known: 0,
            next_at: Timestamp::MAX,
        };
        cursor.stand_at(0);
        cursor
    }

    fn stand_at(&mut self, known: usize) {
        self.known = known;
        let next = self.series.at().get(known);
        self.next_at = next.copied().unwrap_or(Timestamp::MAX);
    }

    fn advance(&mut self, now: Timestamp) {
        while self.next_at <= now && self.known < self.series.at().len() {
            self.stand_at(self.known + 1);
        }
    }

    /// The row `back` rows before the newest known one.
    #[inline]
    fn row(&self, back: usize) -> Option<(&T, Timestamp)> {
        let row = self.known.checked_sub(back + 1)?;
        Some((self.series.rows().get(row)?, *self.series.at().get(row)?))
    }

    /// Appends a row; it is visible from its instant on, but not before the view moves.
    fn push(&mut self, at: Timestamp, row: T) {
        Arc::make_mut(&mut self.series).push(at, row);
        self.stand_at(self.known);
    }

    /// Drops the rows that no instant from `from` on shows, nor as the one before the newest, once they
    /// are as many as those kept.
    fn forget_before(&mut self, from: Timestamp) {
        let rows = self.series.known_by(from).min(self.known);
        let rows = rows.saturating_sub(2);
        if rows * 2 > self.series.at().len() {
            Arc::make_mut(&mut self.series).drop_first(rows);
            self.stand_at(self.known - rows);
        }
    }

    /// Whether a row known at `known_at` is fresh at `now`; one that happens at a date is for good.
    #[inline]
    fn is_fresh(&self, known_at: Timestamp, now: Timestamp, slack: Span) -> bool {
        let interval = self.series.interval();
        interval.is_none_or(|interval| now < known_at.plus(interval).plus(slack))
    }
}

/// One row series of a view.
#[derive(Clone, Debug)]
pub(crate) struct RowEntry<T> {
    id: SeriesId,
    own: Option<RowCursor<T>>,
    proxy: Option<RowCursor<T>>,
}

impl<T: SeriesRow> RowEntry<T> {
    /// The cursors on the series `id`.
    fn cursors_on(&mut self, id: SeriesId) -> impl Iterator<Item = &mut RowCursor<T>> {
        let cursors = self.own.iter_mut().chain(&mut self.proxy);
        cursors.filter(move |cursor| cursor.series.id() == id)
    }
}

/// The row series of a view.
#[derive(Debug)]
pub(crate) enum ViewedRows {}

impl PerKind for ViewedRows {
    type Of<T: SeriesRow> = Vec<RowEntry<T>>;
}

/// The row series of a view, by what their rows are.
pub(crate) type RowEntries = ByKind<ViewedRows>;

impl RowEntries {
    /// Makes what is known at `now` visible; `first` moves there in one step.
    pub(crate) fn advance(&mut self, now: Timestamp, first: bool) {
        fn all<T: SeriesRow>(entries: &mut [RowEntry<T>], now: Timestamp, first: bool) {
            for entry in entries {
                for cursor in entry.own.iter_mut().chain(&mut entry.proxy) {
                    if first {
                        cursor.stand_at(cursor.series.known_by(now));
                    } else {
                        cursor.advance(now);
                    }
                }
            }
        }
        all(&mut self.points, now, first);
        all(&mut self.reserves, now, first);
        all(&mut self.gas, now, first);
        all(&mut self.rewards, now, first);
    }

    /// How many rows each cursor on points and reserves keeps.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> Vec<usize> {
        fn of<T: SeriesRow>(entries: &[RowEntry<T>]) -> impl Iterator<Item = usize> {
            let cursors = entries
                .iter()
                .flat_map(|entry| entry.own.iter().chain(&entry.proxy));
            cursors.map(|cursor| cursor.series.at().len())
        }
        of(&self.points).chain(of(&self.reserves)).collect()
    }
}

/// Whether a series of one kind may fill the gaps of another's: bars for bars, funding for funding,
/// rates and oracle values for each other.
pub(crate) fn may_stand_in(series: SeriesKind, proxy: SeriesKind) -> bool {
    let is_point = |kind: SeriesKind| <Fixed18 as SeriesRow>::KINDS.contains(&kind);
    (series.has_bars() && proxy.has_bars())
        || (series == SeriesKind::Funding && proxy == series)
        || (is_point(series) && is_point(proxy))
}

impl MarketView {
    /// Carries the rows of `id`, which is no series of bars; nothing when the view carries them
    /// already.
    pub(crate) fn add_row_slot(
        &mut self,
        data: &MarketData,
        id: SeriesId,
    ) -> Result<(), ViewError> {
        match id.kind {
            SeriesKind::Oracle | SeriesKind::StakingRate | SeriesKind::StakingMarket => {
                self.add_entry::<Fixed18>(data, id)
            }
            SeriesKind::AaveReserve => self.add_entry::<ReserveRow>(data, id),
            SeriesKind::Gas => self.add_entry::<GasFees>(data, id),
            SeriesKind::RewardRate | SeriesKind::RewardTopUp => self.add_entry::<Reward>(data, id),
            SeriesKind::Spot
            | SeriesKind::Perp
            | SeriesKind::Mark
            | SeriesKind::Index
            | SeriesKind::Peg
            | SeriesKind::Dex
            | SeriesKind::Funding => Err(ViewError::Missing(id)),
        }
    }

    fn add_entry<T: SeriesRow>(
        &mut self,
        data: &MarketData,
        id: SeriesId,
    ) -> Result<(), ViewError> {
        if T::of_kind(&self.rows).iter().any(|entry| entry.id == id) {
            return Ok(());
        }
        let cursor = |id: SeriesId| data.rows::<T>(id).map(RowCursor::new);
        let own = cursor(id);
        let proxy = self.policy().proxies.get(&id).copied().and_then(cursor);
        if own.is_none() && proxy.is_none() {
            return Err(ViewError::Missing(id));
        }
        T::of_kind_mut(&mut self.rows).push(RowEntry { id, own, proxy });
        Ok(())
    }

    /// Appends a row to the series `id` wherever the view reads it, and drops what is from before
    /// `keep_from`.
    pub(crate) fn push_row<T: SeriesRow>(
        &mut self,
        id: SeriesId,
        at: Timestamp,
        row: T,
        keep_from: Option<Timestamp>,
    ) -> Result<(), SeriesError> {
        let mut is_read = false;
        for entry in T::of_kind_mut(&mut self.rows) {
            for cursor in entry.cursors_on(id) {
                // Every cursor on a series has the same rows, so the first refusal is before any change.
                cursor.series.check_next(at, &row)?;
                cursor.push(at, row);
                if let Some(from) = keep_from {
                    cursor.forget_before(from);
                }
                is_read = true;
            }
        }
        if is_read {
            Ok(())
        } else {
            Err(SeriesError::NotRead(id))
        }
    }

    /// The slot of a row series, for repeated reads: `view.row_slot::<ReserveRow>(id)`.
    ///
    /// `None` when the view was not asked for `id`, or its rows are others.
    #[must_use]
    pub fn row_slot<T: SeriesRow>(&self, id: SeriesId) -> Option<RowSlot<T>> {
        let index = T::of_kind(&self.rows)
            .iter()
            .position(|entry| entry.id == id)?;
        Some(RowSlot {
            index: u32::try_from(index).ok()?,
            rows: PhantomData,
        })
    }

    /// Every series of single values with its slot.
    pub fn points(&self) -> impl Iterator<Item = (SeriesId, PointSlot)> + '_ {
        let slots = self.rows.points.iter().zip(0u32..);
        slots.map(|(entry, index)| {
            let rows = PhantomData;
            (entry.id, RowSlot { index, rows })
        })
    }

    fn entry<T: SeriesRow>(&self, slot: RowSlot<T>) -> &RowEntry<T> {
        T::of_kind(&self.rows)
            .get(slot.index as usize)
            .expect("invariant: slots come from this view")
    }

    /// The newest visible row: the series' own while it is fresh, else its proxy's while that is,
    /// else the own one held (the proxy's where there is none). `None` before the first.
    ///
    /// # Panics
    /// When the slot belongs to another view.
    #[inline]
    #[must_use]
    pub fn newest<T: SeriesRow>(&self, slot: RowSlot<T>) -> Option<Known<'_, T>> {
        let (now, slack) = (self.now(), self.policy().slack());
        let entry = self.entry(slot);
        let is_out = self.is_out(entry.id.venue);
        let mut held = None;
        for (cursor, fresh) in [
            (&entry.own, PriceState::Fresh),
            (&entry.proxy, PriceState::Proxied),
        ] {
            let Some(cursor) = cursor else { continue };
            let Some((row, known_at)) = cursor.row(0) else {
                continue;
            };
            let known = |state| Known {
                row,
                known_at,
                state,
                age: now.since(known_at),
            };
            if cursor.is_fresh(known_at, now, slack) {
                return Some(known(if is_out { PriceState::Held } else { fresh }));
            }
            held = held.or(Some(known(PriceState::Held)));
        }
        held
    }

    /// The row before the newest visible one of the series itself, shown as held: where the interest
    /// of the time between the two began.
    ///
    /// # Panics
    /// When the slot belongs to another view.
    #[must_use]
    pub fn before<T: SeriesRow>(&self, slot: RowSlot<T>) -> Option<Known<'_, T>> {
        let (row, known_at) = self.entry(slot).own.as_ref()?.row(1)?;
        Some(Known {
            row,
            known_at,
            state: PriceState::Held,
            age: self.now().since(known_at),
        })
    }

    /// The series' own rows that became known in `(after, until]`, from early to late; never one that
    /// is still to come, wherever `until` lies.
    ///
    /// # Panics
    /// When the slot belongs to another view.
    pub fn between<T: SeriesRow>(
        &self,
        slot: RowSlot<T>,
        after: Timestamp,
        until: Timestamp,
    ) -> impl DoubleEndedIterator<Item = (Timestamp, &T)> {
        let (at, rows) = self
            .entry(slot)
            .own
            .as_ref()
            .map_or((&[][..], &[][..]), |cursor| {
                let series = &cursor.series;
                let at = series.at().get(..cursor.known).unwrap_or_default();
                // Mostly nothing is new since the step before.
                let is_past = at.last().is_none_or(|newest| *newest <= after);
                let (start, end) = if is_past {
                    (at.len(), at.len())
                } else {
                    let end = at.partition_point(|at| *at <= until);
                    (at.partition_point(|at| *at <= after).min(end), end)
                };
                let rows = series.rows().get(start..end).unwrap_or_default();
                (at.get(start..end).unwrap_or_default(), rows)
            });
        at.iter().copied().zip(rows)
    }

    /// The newest visible value of an oracle or staking rate; [`MarketView::newest`] says which.
    ///
    /// # Panics
    /// When the slot belongs to another view.
    #[inline]
    #[must_use]
    pub fn point(&self, slot: PointSlot) -> Option<PointQuote> {
        self.newest(slot).map(|known| PointQuote {
            value: *known.row,
            known_at: known.known_at,
            state: known.state,
        })
    }

    /// The newest visible reading of a lending reserve.
    ///
    /// # Panics
    /// When the slot belongs to another view.
    #[must_use]
    pub fn reserve(&self, slot: ReserveSlot) -> Option<Known<'_, ReserveRow>> {
        self.newest(slot)
    }

    /// The newest visible gas fees.
    ///
    /// # Panics
    /// When the slot belongs to another view.
    #[must_use]
    pub fn gas(&self, slot: GasSlot) -> Option<Known<'_, GasFees>> {
        self.newest(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeriesRequest;
    use crate::series::rows::tests::{hour, id, points, reserve};
    use proptest::prelude::*;

    const ORACLE: &str = "oracle.aave.weETH_ETH";
    const RATE: &str = "staking_rate.etherfi.weETH_ETH";
    const WETH: &str = "aave_reserve.aave.WETH";
    const EIGEN: &str = "reward_rate.etherfi.EIGEN";
    const RAY: u128 = 10_u128.pow(27);

    fn request(series: &str) -> SeriesRequest {
        SeriesRequest {
            id: id(series),
            reference: None,
        }
    }

    fn view(data: MarketData, series: &[&str], policy: ViewPolicy) -> MarketView {
        let requests: Vec<_> = series.iter().map(|series| request(series)).collect();
        MarketView::new(Arc::new(data), &requests, policy).unwrap()
    }

    fn at(view: &mut MarketView, hours: i64, series: &str) -> Option<(i64, PriceState, i64)> {
        view.advance_to(hour(hours)).unwrap();
        let slot = view.row_slot::<Fixed18>(id(series)).unwrap();
        let quote = view.point(slot)?;
        let value = i64::try_from(quote.value.mantissa() / Fixed18::SCALE).unwrap();
        let known = quote.known_at.since(hour(0)).seconds() / 3_600;
        Some((value, quote.state, known))
    }

    #[test]
    fn a_daily_value_is_seen_at_its_instant_and_held_an_hour_after_the_next_is_due() {
        let mut data = MarketData::new("test", true);
        data.add_rows(points(ORACLE, Span::DAY, &[(24, 5), (48, 6), (120, 7)]))
            .unwrap();
        let mut view = view(data, &[ORACLE], ViewPolicy::default());
        assert_eq!(at(&mut view, 23, ORACLE), None);
        assert_eq!(at(&mut view, 24, ORACLE), Some((5, PriceState::Fresh, 24)));
        assert_eq!(at(&mut view, 47, ORACLE), Some((5, PriceState::Fresh, 24)));
        assert_eq!(at(&mut view, 72, ORACLE), Some((6, PriceState::Fresh, 48)));
        assert_eq!(at(&mut view, 73, ORACLE), Some((6, PriceState::Held, 48)));
        assert_eq!(
            at(&mut view, 120, ORACLE),
            Some((7, PriceState::Fresh, 120))
        );
    }

    #[test]
    fn slack_is_the_policy_s_and_a_proxy_fills_only_gaps() {
        let mut data = MarketData::new("test", true);
        data.add_rows(points(RATE, Span::DAY, &[(24, 1), (96, 4)]))
            .unwrap();
        data.add_rows(points(ORACLE, Span::DAY, &[(24, 11), (48, 12)]))
            .unwrap();
        let policy = ViewPolicy {
            proxies: [(id(RATE), id(ORACLE))].into(),
            row_slack: Some(Span::ZERO),
            ..ViewPolicy::default()
        };
        let mut view = view(data, &[RATE], policy);
        assert_eq!(at(&mut view, 47, RATE), Some((1, PriceState::Fresh, 24)));
        assert_eq!(at(&mut view, 48, RATE), Some((12, PriceState::Proxied, 48)));
        assert_eq!(at(&mut view, 72, RATE), Some((1, PriceState::Held, 24)));
        assert_eq!(at(&mut view, 96, RATE), Some((4, PriceState::Fresh, 96)));
    }

    #[test]
    fn reserves_show_the_newest_row_and_the_one_before_it() {
        let mut data = MarketData::new("test", true);
        let rows = [RAY, RAY + 3, RAY + 9].map(reserve);
        let times = [0, 24, 48].map(hour).to_vec();
        let series = RowSeries::new(id(WETH), Some(Span::DAY), times, rows.to_vec());
        data.add_rows(series.unwrap()).unwrap();
        let mut view = view(data, &[WETH], ViewPolicy::default());
        let slot = view.row_slot::<ReserveRow>(id(WETH)).unwrap();
        assert!(view.reserve(slot).is_none());
        view.advance_to(hour(30)).unwrap();
        let newest = view.reserve(slot).unwrap();
        assert_eq!(newest.row, &rows[1]);
        assert_eq!(
            (newest.known_at, newest.age),
            (hour(24), Span::from_hours(6))
        );
        assert_eq!(view.before(slot).unwrap().row, &rows[0]);
        let seen: Vec<_> = view.between(slot, hour(0), hour(100)).collect();
        assert_eq!(seen, [(hour(24), &rows[1])]);
        assert_eq!(view.between(slot, hour(30), hour(24)).count(), 0);
        assert!(view.row_slot::<Fixed18>(id(WETH)).is_none());
        assert!(view.slot(id(WETH)).is_none());
    }

    #[test]
    fn rewards_are_read_by_their_payout_instants() {
        let reward = |week: i64| Reward {
            period_start: hour(168 * week),
            period_end: hour(168 * (week + 1)),
            total: Fixed18::from_int(100),
            per_eth: Fixed18::from_int(week + 1),
        };
        let rows: Vec<_> = (0..4).map(reward).collect();
        let times = rows.iter().map(|reward| reward.period_end).collect();
        let series = RowSeries::new(id(EIGEN), None, times, rows.clone()).unwrap();
        let mut data = MarketData::new("test", true);
        data.add_rows(series).unwrap();
        let mut view = view(data, &[EIGEN], ViewPolicy::default());
        let slot = view.row_slot::<Reward>(id(EIGEN)).unwrap();
        view.advance_to(hour(168 * 3)).unwrap();
        let paid: Vec<_> = view.between(slot, hour(168), view.now()).collect();
        assert_eq!(paid, [(hour(336), &rows[1]), (hour(504), &rows[2])]);
        assert_eq!(view.newest(slot).unwrap().state, PriceState::Fresh);
    }

    #[test]
    fn what_is_not_there_or_cannot_stand_in_is_an_error() {
        let mut data = MarketData::new("test", true);
        data.add_rows(points(ORACLE, Span::DAY, &[(0, 1)])).unwrap();
        let data = Arc::new(data);
        let error = |series: &str, proxies: &[(&str, &str)]| {
            let policy = ViewPolicy {
                proxies: proxies.iter().map(|(a, b)| (id(a), id(b))).collect(),
                ..ViewPolicy::default()
            };
            let view = MarketView::new(Arc::clone(&data), &[request(series)], policy);
            view.map(|_| ()).unwrap_err().to_string()
        };
        assert!(error(WETH, &[]).contains("no proxy is named"));
        assert!(error(WETH, &[(WETH, ORACLE)]).contains("cannot stand in"));
        assert!(error(ORACLE, &[(ORACLE, RATE)]).contains("is not in the data"));
    }

    proptest! {
        #[test]
        fn prop_rows_to_come_change_nothing_seen_before(
            before in prop::collection::btree_map(0_i64..60, 1_i64..100, 0..30),
            after in prop::collection::btree_map(0_i64..60, 1_i64..100, 0..30),
            cut in 0_i64..60,
            start in 0_i64..60,
        ) {
            let known = before.iter().filter(|(at, _)| **at <= cut);
            let spliced = known.chain(after.iter().filter(|(at, _)| **at > cut));
            let spliced: Vec<_> = spliced.map(|(at, value)| (*at, *value)).collect();
            let whole: Vec<_> = before.into_iter().collect();
            let market = |rows: &[(i64, i64)]| {
                let mut data = MarketData::new("test", true);
                data.add_rows(points(RATE, Span::from_hours(2), rows)).unwrap();
                view(data, &[RATE], ViewPolicy::default())
            };
            let (mut one, mut two) = (market(&whole), market(&spliced));
            let slot = one.row_slot::<Fixed18>(id(RATE)).unwrap();
            for now in start.min(cut)..=cut {
                one.advance_to(hour(now)).unwrap();
                two.advance_to(hour(now)).unwrap();
                prop_assert_eq!(one.point(slot), two.point(slot));
                prop_assert_eq!(one.before(slot), two.before(slot));
                let all = |view: &MarketView| {
                    let rows = view.between(slot, Timestamp::MIN, Timestamp::MAX);
                    rows.map(|(at, value)| (at, *value)).collect::<Vec<_>>()
                };
                prop_assert_eq!(all(&one), all(&two));
                let newest = all(&one).last().copied();
                prop_assert_eq!(one.point(slot).map(|q| (q.known_at, q.value)), newest);
            }
        }
    }
}
