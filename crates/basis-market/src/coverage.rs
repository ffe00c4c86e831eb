//! Where series have holes within a range, and which rows lie off their schedule, found before a run
//! starts.
//!
//! **Invariant.** Every row of a settlement series within the range is either the value of a due instant
//! or listed as unscheduled; every due instant has a value or lies in a gap. `data check`, the run and its
//! result ask here and nowhere else.

use super::agreement::{SuspectMonth, suspect_months};
use super::plausible::{Implausible, implausible};
use super::schedule::{Schedule, Shifts, on_grid};
use super::series::{BarSeries, MarketData};
use super::view::ViewPolicy;
use basis_core::rules::RuleBook;
use basis_core::types::{SeriesId, SeriesKind, Span, Timestamp};

/// A reward series of one payment is over when nothing follows it for so long.
const LONE_PAYMENT: Span = Span::DAY.times(31);

/// How a gap is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapTreatment {
    /// The proxy fills it.
    Proxied(SeriesId),
    /// The mark is held on the reference, a row as it was; no orders there.
    Held,
    /// A funding instant that books nothing.
    Unbooked,
    /// Nothing was recorded after the last payment; nothing is paid.
    Ended,
    /// Nothing is missing: a month whose funding disagrees with that of the other venues.
    Suspect,
}

/// Consecutive missing values of one series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The series.
    pub series: SeriesId,
    /// When the first missing value would have been known.
    pub first: Timestamp,
    /// When the last missing value would have been known.
    pub last: Timestamp,
    /// How many values are missing.
    pub missing: u64,
    /// How they are treated.
    pub treatment: GapTreatment,
}

/// Rows that are the value of no due instant: nothing settles by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unscheduled {
    /// How many.
    pub rows: u64,
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
}

/// What one series holds of a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Coverage {
    /// The series.
    pub series: SeriesId,
    /// Values expected in the range.
    pub expected: u64,
    /// Values the series has itself.
    pub present: u64,
    /// What is missing, in order of time.
    pub gaps: Vec<Gap>,
    /// Rows that stand for a due instant without lying on it.
    pub shifts: Option<Shifts>,
    /// Rows that no due instant expects.
    pub unscheduled: Option<Unscheduled>,
    /// Rows beyond a bound of what is plausible.
    pub implausible: Option<Implausible>,
    /// Months whose funding disagrees with that of the other venues.
    pub suspects: Vec<SuspectMonth>,
}

/// Lists the months of `found` series in `(from, to]` whose funding disagrees with that of the other
/// venues, each as a gap in which nothing is missing.
pub fn mark_suspects(
    found: &mut [Coverage],
    data: &MarketData,
    rules: &RuleBook,
    (from, to): (Timestamp, Timestamp),
) {
    let suspects = suspect_months(data, rules);
    for coverage in found {
        let inside = |month: &&SuspectMonth| {
            month.series == coverage.series && month.last > from && month.first <= to
        };
        coverage.suspects = suspects.iter().filter(inside).copied().collect();
        coverage
            .gaps
            .extend(coverage.suspects.iter().map(|month| Gap {
                series: month.series,
                first: month.first,
                last: month.last,
                missing: 0,
                treatment: GapTreatment::Suspect,
            }));
    }
}

impl Coverage {
    const fn empty(series: SeriesId) -> Self {
        Self {
            series,
            expected: 0,
            present: 0,
            gaps: Vec::new(),
            shifts: None,
            unscheduled: None,
            implausible: None,
            suspects: Vec::new(),
        }
    }

    /// What is to be said of rows beside their instants and of rows that stand for none.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(Shifts {
            rows, least, most, ..
        }) = self.shifts
        {
            notes.push(format!(
                "{rows} row(s) of {} are stamped {} to {} ms off the instants they stand for",
                self.series,
                least.nanos() / 1_000_000,
                most.nanos() / 1_000_000
            ));
        }
        if let Some(Unscheduled { rows, first, last }) = self.unscheduled {
            notes.push(format!(
                "{rows} row(s) of {} from {first} to {last} lie on no settlement of the rules: they \
                 book nothing",
                self.series
            ));
        }
        notes.extend(self.suspects.iter().map(SuspectMonth::note));
        if let Some(found) = &self.implausible {
            let taken = if found.refused {
                ""
            } else {
                "; data.bounds takes them"
            };
            notes.push(format!(
                "{} row(s) of {} are not plausible: {}{taken}",
                found.rows, self.series, found.what
            ));
        }
        notes
    }

    /// Adds the value due `at` to the gaps.
    fn miss(&mut self, at: Timestamp, follows: Timestamp, treatment: GapTreatment) {
        match self.gaps.last_mut() {
            Some(gap) if gap.treatment == treatment && gap.last == follows => {
                gap.last = at;
                gap.missing += 1;
            }
            _ => self.gaps.push(Gap {
                series: self.series,
                first: at,
                last: at,
                missing: 1,
                treatment,
            }),
        }
    }

    /// Counts the row of `at` as the value due at `due`.
    fn take(&mut self, due: Timestamp, at: Timestamp) {
        self.present += 1;
        if at != due {
            self.shifts
                .get_or_insert_with(|| Shifts::new(at))
                .add(at.since(due), at);
        }
    }

    fn add_unscheduled(&mut self, at: Timestamp) {
        let found = self.unscheduled.get_or_insert(Unscheduled {
            rows: 0,
            first: at,
            last: at,
        });
        found.rows += 1;
        found.last = at;
    }
}

/// The closes of bars, walked once from early to late.
struct Closes<'a> {
    bars: Option<&'a BarSeries>,
    /// The first bar that was not closed at the instant last asked.
    next: usize,
}

impl<'a> Closes<'a> {
    fn new(data: &'a MarketData, id: SeriesId, from: Timestamp) -> Self {
        let bars = data.bars(id).map(std::convert::AsRef::as_ref);
        let next = bars.map_or(0, |bars| bars.closed_by(from));
        Self { bars, next }
    }

    /// Whether a bar closed exactly `at`, which is not before the last instant asked.
    fn has(&mut self, at: Timestamp) -> bool {
        let Some(bars) = self.bars else { return false };
        while let Some(opened_at) = bars.opened_at(self.next) {
            let closed_at = opened_at.plus(bars.length);
            if closed_at >= at {
                return closed_at == at;
            }
            self.next += 1;
        }
        false
    }
}

/// The instants of a series that is no bars; none when it is not there.
fn instants(data: &MarketData, id: SeriesId) -> &[Timestamp] {
    data.rates(id)
        .map(|rates| rates.at.as_slice())
        .or_else(|| data.row_times(id))
        .unwrap_or_default()
}

/// Looks for the values of `series` that should become known in `(from, to]`, by its schedule.
///
/// - Bars are due at the multiples of their length since the epoch.
/// - Settlements are due when the venue's rules say; a row within [`SCHEDULE_TOLERANCE`](super::SCHEDULE_TOLERANCE) of such an
///   instant is its value, and the shift is listed. Any other row is unscheduled.
/// - Rows that hold until the next one are due one interval after the row before, wherever within the
///   interval that was read: the one in force at `from` is looked for too, and one due so late that its
///   absence would not be felt by `to` ([`ViewPolicy::slack`]) is not.
/// - Rewards are due at no instant but their own. A series that ends long before `to` is a gap from there.
///
/// A gap that a proxy covers in part is split where the treatment changes. Linear in the range.
///
/// # Panics
/// When the schedule's interval is not positive.
#[must_use]
pub fn coverage<'a>(
    data: &MarketData,
    policy: &ViewPolicy,
    series: SeriesId,
    schedule: impl Into<Schedule<'a>>,
    range: (Timestamp, Timestamp),
) -> Coverage {
    let schedule = schedule.into();
    assert!(
        schedule.is_positive(),
        "invariant: a series has a positive interval"
    );
    let proxy = policy.proxies.get(&series).copied();
    let every = schedule.interval(series.symbol, range.0);
    let mut found = match series.kind {
        SeriesKind::Funding => settlements(data, (series, proxy), schedule, range),
        SeriesKind::RewardRate | SeriesKind::RewardTopUp => rewards(data, series, range),
        kind if kind.has_bars() => bars(data, (series, proxy), every, range),
        _ => {
            let slack = policy.slack();
            let range = (range.0, range.1.minus(slack));
            held_rows(data, (series, proxy), (every, slack), range)
        }
    };
    found.implausible = implausible(data, &policy.bounds, series, schedule, range);
    found
}

fn bars(
    data: &MarketData,
    (series, proxy): (SeriesId, Option<SeriesId>),
    every: Span,
    (from, to): (Timestamp, Timestamp),
) -> Coverage {
    let mut result = Coverage::empty(series);
    let mut own = Closes::new(data, series, from);
    let mut other = proxy.map(|proxy| (proxy, Closes::new(data, proxy, from)));
    let mut at = from.floor_to(every).plus(every);
    while at <= to {
        result.expected += 1;
        if own.has(at) {
            result.present += 1;
        } else {
            let proxied = other
                .as_mut()
                .and_then(|(proxy, closes)| closes.has(at).then_some(*proxy));
            let treatment = proxied.map_or(GapTreatment::Held, GapTreatment::Proxied);
            result.miss(at, at.minus(every), treatment);
        }
        at = at.plus(every);
    }
    result
}

fn settlements(
    data: &MarketData,
    (series, proxy): (SeriesId, Option<SeriesId>),
    schedule: Schedule<'_>,
    (from, to): (Timestamp, Timestamp),
) -> Coverage {
    let mut result = Coverage::empty(series);
    let (own, stray) = schedule.settled(series.symbol, instants(data, series), (from, to));
    let other = proxy.map(|proxy| {
        let (settled, _) = schedule.settled(series.symbol, instants(data, proxy), (from, to));
        (proxy, settled)
    });
    let mut own = own.into_iter().peekable();
    let mut other = other.map(|(proxy, settled)| (proxy, settled.into_iter().peekable()));
    let (mut after, mut before) = (from, from);
    while let Some(due) = schedule.next(series.symbol, after).filter(|due| *due <= to) {
        result.expected += 1;
        if let Some((_, at)) = own.next_if(|(settles, _)| *settles == due) {
            result.take(due, at);
        } else {
            let mut proxied = None;
            if let Some((proxy, settled)) = &mut other {
                while settled.next_if(|(settles, _)| *settles < due).is_some() {}
                proxied = settled
                    .next_if(|(settles, _)| *settles == due)
                    .map(|_| GapTreatment::Proxied(*proxy));
            }
            result.miss(due, before, proxied.unwrap_or(GapTreatment::Unbooked));
        }
        (after, before) = (due, due);
    }
    for at in stray {
        result.add_unscheduled(at);
    }
    result
}

/// The row nearest to `due` that is no further from it than `early` and `late` allow.
fn nearest(times: &[Timestamp], due: Timestamp, (early, late): (Span, Span)) -> Option<Timestamp> {
    let first = times.partition_point(|at| *at <= due.minus(early));
    let inside = times.get(first..).unwrap_or_default();
    let next = inside.partition_point(|at| *at < due);
    let after = inside.get(next).copied().filter(|at| *at <= due.plus(late));
    let before = next
        .checked_sub(1)
        .and_then(|last| inside.get(last))
        .copied();
    match (before, after) {
        (Some(before), Some(after)) if after.since(due) > due.since(before) => Some(before),
        (before, after) => after.or(before),
    }
}

fn held_rows(
    data: &MarketData,
    (series, proxy): (SeriesId, Option<SeriesId>),
    (every, slack): (Span, Span),
    (from, to): (Timestamp, Timestamp),
) -> Coverage {
    let mut result = Coverage::empty(series);
    let own = instants(data, series);
    let other = proxy.map(|proxy| (proxy, instants(data, proxy)));
    // Every row stands for one due instant: a little late it is still fresh, else early.
    let late = slack.min(Span::from_nanos(every.nanos() / 2));
    let reach = (Span::from_nanos(every.nanos() - late.nanos()), late);
    let mut due = from.floor_to(every);
    while due <= to {
        result.expected += 1;
        if let Some(at) = nearest(own, due, reach) {
            let grid = on_grid(at, every);
            result.take(grid.unwrap_or_else(|| at.floor_to(every)), at);
            // A row of block time sets when the next one is due.
            due = grid.unwrap_or(at);
        } else {
            let proxied = other.filter(|(_, times)| nearest(times, due, reach).is_some());
            let treatment = proxied.map_or(GapTreatment::Held, |(proxy, _)| {
                GapTreatment::Proxied(proxy)
            });
            result.miss(due, due.minus(every), treatment);
        }
        due = due.plus(every);
    }
    result
}

fn rewards(data: &MarketData, series: SeriesId, (from, to): (Timestamp, Timestamp)) -> Coverage {
    let mut result = Coverage::empty(series);
    let times = instants(data, series);
    let paid = times.iter().filter(|at| **at > from && **at <= to).count();
    result.expected = u64::try_from(paid).unwrap_or(u64::MAX);
    result.present = result.expected;
    let Some(last) = times.last().copied() else {
        return result;
    };
    let longest = times
        .windows(2)
        .filter_map(|pair| Some(pair.get(1)?.since(*pair.first()?)))
        .max()
        .unwrap_or(LONE_PAYMENT);
    if to.since(last) > longest {
        let gap = Gap {
            series,
            first: last.max(from),
            last: to,
            missing: 1,
            treatment: GapTreatment::Ended,
        };
        result.expected += 1;
        result.gaps.push(gap);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BarColumns, RateSeries};
    use basis_core::num::{Price, Quantity, Rate};

    fn id(text: &str) -> SeriesId {
        text.parse().unwrap()
    }

    fn hour(hour: i64) -> Timestamp {
        Timestamp::EPOCH.plus(Span::from_hours(hour))
    }

    fn bars(name: &str, opened: impl IntoIterator<Item = i64>) -> BarColumns {
        let opened_at: Vec<_> = opened.into_iter().map(hour).collect();
        let prices = vec![Price::literal("1"); opened_at.len()];
        BarColumns {
            id: id(name),
            length: Span::HOUR,
            open: prices.clone(),
            high: prices.clone(),
            low: prices.clone(),
            close: prices,
            volume: vec![Quantity::ZERO; opened_at.len()],
            opened_at,
        }
    }

    fn rates(name: &str, hours: &[i64]) -> RateSeries {
        RateSeries {
            id: id(name),
            at: hours.iter().copied().map(hour).collect(),
            rate: vec![Rate::ZERO; hours.len()],
        }
    }

    fn market(bar_series: Vec<BarColumns>, rate_series: Vec<RateSeries>) -> MarketData {
        let mut data = MarketData::new("test", true);
        for series in bar_series {
            data.add_bars(series).unwrap();
        }
        for series in rate_series {
            data.add_rates(series).unwrap();
        }
        data
    }

    fn gap(series: &str, (first, last): (i64, i64), missing: u64, treatment: GapTreatment) -> Gap {
        Gap {
            series: id(series),
            first: hour(first),
            last: hour(last),
            missing,
            treatment,
        }
    }

    #[test]
    fn rows_need_the_one_in_force_at_the_start_and_none_that_the_slack_covers() {
        use crate::series::rows::tests::points;
        let oracle = "oracle.aave.WETH_USD";
        let mut data = MarketData::new("test", true);
        let days = [(24, 1), (48, 1), (120, 1), (144, 1)];
        data.add_rows(points(oracle, Span::DAY, &days)).unwrap();
        let policy = ViewPolicy::default();
        let find = |from, to| {
            let range = (hour(from), hour(to));
            coverage(&data, &policy, id(oracle), Span::DAY, range)
        };
        let whole = find(30, 72);
        assert_eq!(
            (whole.expected, whole.present),
            (2, 2),
            "72 is not felt yet"
        );
        assert_eq!(whole.gaps, []);
        let held = GapTreatment::Held;
        assert_eq!(find(24, 73).gaps, [gap(oracle, (72, 72), 1, held)]);
        assert_eq!(find(80, 150).gaps, [gap(oracle, (72, 96), 2, held)]);
        assert_eq!(find(23, 30).gaps, [gap(oracle, (0, 0), 1, held)]);
        let absent = coverage(
            &data,
            &policy,
            id("gas.ethereum.gwei"),
            Span::HOUR,
            (hour(0), hour(3)),
        );
        assert_eq!((absent.expected, absent.present), (3, 0));
    }

    #[test]
    fn rewards_are_missing_only_when_they_end() {
        use crate::{Reward, RowSeries};
        use basis_core::num::Fixed18;
        let name = "reward_top_up.etherfi.ETHFI";
        let reward = Reward {
            period_start: hour(0),
            period_end: hour(5),
            total: Fixed18::ONE,
            per_eth: Fixed18::ONE,
        };
        let at = vec![hour(10), hour(500), hour(501)];
        let mut data = MarketData::new("test", true);
        let series = RowSeries::new(id(name), None, at, vec![reward; 3]);
        data.add_rows(series.unwrap()).unwrap();
        let policy = ViewPolicy::default();
        let range = (hour(10), hour(500));
        let found = coverage(&data, &policy, id(name), Span::HOUR, range);
        assert_eq!((found.expected, found.present), (1, 1));
        assert_eq!(found.gaps, []);
        let beyond = (hour(10), hour(501 + 491));
        let found = coverage(&data, &policy, id(name), Span::HOUR, beyond);
        assert_eq!(
            found.gaps,
            [gap(name, (501, 992), 1, GapTreatment::Ended)],
            "longer than any time between two payments"
        );
    }

    #[test]
    fn whole_series_has_no_gaps_and_the_range_excludes_its_start() {
        let data = market(vec![bars("perp.okx.BTCUSDT", 0..10)], vec![]);
        let policy = ViewPolicy::default();
        let found = coverage(
            &data,
            &policy,
            id("perp.okx.BTCUSDT"),
            Span::HOUR,
            (hour(0), hour(10)),
        );
        assert_eq!((found.expected, found.present), (10, 10));
        assert_eq!(found.gaps, []);
    }

    #[test]
    fn gap_is_named_by_when_its_values_would_have_been_known() {
        let data = market(vec![bars("perp.okx.BTCUSDT", [0, 1, 2, 5, 6, 8])], vec![]);
        let policy = ViewPolicy::default();
        let series = "perp.okx.BTCUSDT";
        let found = coverage(&data, &policy, id(series), Span::HOUR, (hour(0), hour(11)));
        assert_eq!((found.expected, found.present), (11, 6));
        let held = GapTreatment::Held;
        assert_eq!(
            found.gaps,
            [
                gap(series, (4, 5), 2, held),
                gap(series, (8, 8), 1, held),
                gap(series, (10, 11), 2, held),
            ]
        );
    }

    #[test]
    fn proxy_fills_its_part_and_the_gap_is_split_there() {
        let (own, other) = ("perp.okx.BTCUSDT", "perp.bybit.BTCUSDT");
        let data = market(vec![bars(own, [0, 5]), bars(other, [0, 2, 3])], vec![]);
        let mut policy = ViewPolicy::default();
        policy.proxies.insert(id(own), id(other));
        let found = coverage(&data, &policy, id(own), Span::HOUR, (hour(0), hour(6)));
        assert_eq!(found.present, 2);
        assert_eq!(
            found.gaps,
            [
                gap(own, (2, 2), 1, GapTreatment::Held),
                gap(own, (3, 4), 2, GapTreatment::Proxied(id(other))),
                gap(own, (5, 5), 1, GapTreatment::Held),
            ]
        );
    }

    #[test]
    fn series_that_is_not_there_is_one_gap_its_proxy_may_fill() {
        let (own, other) = ("perp.okx.BTCUSDT", "perp.bybit.BTCUSDT");
        let data = market(vec![bars(other, 0..4)], vec![]);
        let mut policy = ViewPolicy::default();
        let range = (hour(0), hour(4));
        let found = coverage(&data, &policy, id(own), Span::HOUR, range);
        assert_eq!(found.gaps, [gap(own, (1, 4), 4, GapTreatment::Held)]);
        policy.proxies.insert(id(own), id(other));
        let found = coverage(&data, &policy, id(own), Span::HOUR, range);
        let proxied = GapTreatment::Proxied(id(other));
        assert_eq!(found.gaps, [gap(own, (1, 4), 4, proxied)]);
    }

    #[test]
    fn missing_funding_instants_are_unbooked_and_known_at_their_own_instant() {
        let series = "funding.okx.BTCUSDT";
        let data = market(vec![], vec![rates(series, &[0, 8, 32])]);
        let policy = ViewPolicy::default();
        let interval = Span::from_hours(8);
        let found = coverage(&data, &policy, id(series), interval, (hour(3), hour(32)));
        assert_eq!((found.expected, found.present), (4, 2));
        assert_eq!(
            found.gaps,
            [gap(series, (16, 24), 2, GapTreatment::Unbooked)]
        );
    }

    #[test]
    fn rates_that_no_instant_expects_are_listed() {
        let series = "funding.okx.BTCUSDT";
        let data = market(vec![], vec![rates(series, &[4, 8, 9, 16])]);
        let policy = ViewPolicy::default();
        let interval = Span::from_hours(8);
        let found = coverage(&data, &policy, id(series), interval, (hour(0), hour(16)));
        assert_eq!((found.expected, found.present), (2, 2));
        let unscheduled = found.unscheduled.unwrap();
        assert_eq!((unscheduled.rows, unscheduled.first), (2, hour(4)));
    }

    #[test]
    fn empty_range_expects_nothing() {
        let data = market(vec![bars("perp.okx.BTCUSDT", 0..10)], vec![]);
        let policy = ViewPolicy::default();
        let series = id("perp.okx.BTCUSDT");
        let range = (hour(5), hour(5));
        assert_eq!(
            coverage(&data, &policy, series, Span::HOUR, range).expected,
            0
        );
    }

    proptest::proptest! {
        #[test]
        fn prop_walk_agrees_with_looking_every_value_up(
            own in proptest::collection::btree_set(0_i64..60, 0..40),
            other in proptest::collection::btree_set(0_i64..60, 0..40),
            from in 0_i64..40,
            length in 0_i64..40,
            every in 1_i64..5,
        ) {
            let (name, proxy) = ("perp.okx.BTCUSDT", "perp.bybit.BTCUSDT");
            let data = market(
                vec![bars(name, own.iter().copied()), bars(proxy, other.iter().copied())],
                vec![],
            );
            let mut policy = ViewPolicy::default();
            policy.proxies.insert(id(name), id(proxy));
            let range = (hour(from), hour(from + length));
            let found = coverage(&data, &policy, id(name), Span::from_hours(every), range);
            let due: Vec<_> = (from + 1..=from + length).filter(|at| at % every == 0).collect();
            let present = due.iter().filter(|at| own.contains(&(**at - 1))).count();
            let proxied = due
                .iter()
                .filter(|at| !own.contains(&(**at - 1)) && other.contains(&(**at - 1)))
                .count();
            let filled: u64 = found
                .gaps
                .iter()
                .filter(|gap| gap.treatment == GapTreatment::Proxied(id(proxy)))
                .map(|gap| gap.missing)
                .sum();
            let missing: u64 = found.gaps.iter().map(|gap| gap.missing).sum();
            proptest::prop_assert_eq!(found.expected, due.len() as u64);
            proptest::prop_assert_eq!(found.present, present as u64);
            proptest::prop_assert_eq!(filled, proxied as u64);
            proptest::prop_assert_eq!(missing, found.expected - found.present);
        }
    }
}
