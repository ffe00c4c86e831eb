//! Where series have holes within a range, found before a run starts.

use super::series::{BarSeries, MarketData};
use super::view::ViewPolicy;
use basis_core::types::{SeriesId, SeriesKind, Span, Timestamp};

/// How a gap is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapTreatment {
    /// The proxy fills it.
    Proxied(SeriesId),
    /// The mark is held on the reference, a row as it was; no orders there.
    Held,
    /// A funding instant that books nothing.
    Unbooked,
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

/// What one series holds of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// The series.
    pub series: SeriesId,
    /// Values expected in the range.
    pub expected: u64,
    /// Values the series has itself.
    pub present: u64,
    /// What is missing, in order of time.
    pub gaps: Vec<Gap>,
}

/// The instants at which a series' values became known, walked once from early to late.
struct Walk<'a> {
    times: Times<'a>,
    /// The first row whose value was not known at the instant last asked.
    next: usize,
}

/// Where the instants stand.
enum Times<'a> {
    Bars(&'a BarSeries),
    /// Values known at their own instants: funding rates and rows.
    Instants(&'a [Timestamp]),
    Absent,
}

impl<'a> Walk<'a> {
    /// The values of `id` known after `from`; none when the series is not there.
    fn new(data: &'a MarketData, id: SeriesId, from: Timestamp) -> Self {
        let instants = data
            .rates(id)
            .map(|rates| rates.at.as_slice())
            .or_else(|| data.row_times(id));
        let (times, next) = match (data.bars(id), instants) {
            (Some(bars), _) => (Times::Bars(bars), bars.closed_by(from)),
            (None, Some(at)) => {
                let next = at.partition_point(|time| *time <= from);
                (Times::Instants(at), next)
            }
            (None, None) => (Times::Absent, 0),
        };
        Self { times, next }
    }

    /// When the next value became known.
    fn known_at(&self) -> Option<Timestamp> {
        match self.times {
            Times::Bars(bars) => Some(bars.opened_at(self.next)?.plus(bars.length)),
            Times::Instants(at) => at.get(self.next).copied(),
            Times::Absent => None,
        }
    }

    /// Whether a value became known exactly `at`, which is not before the last instant asked.
    fn has(&mut self, at: Timestamp) -> bool {
        while let Some(known_at) = self.known_at() {
            if known_at >= at {
                return known_at == at;
            }
            self.next += 1;
        }
        false
    }
}

/// The first instant at which a value is due, the instant after which it must have become known, and
/// the last one at which one is due.
fn due(
    policy: &ViewPolicy,
    kind: SeriesKind,
    every: Span,
    (from, to): (Timestamp, Timestamp),
) -> (Timestamp, Timestamp, Timestamp) {
    let inside = from.floor_to(every).plus(every);
    if kind.has_bars() || kind.is_event() {
        return (inside, from, to);
    }
    // The row in force at the start, and none whose absence the slack covers until the end.
    let first = from.floor_to(every);
    (
        first,
        first.minus(Span::from_nanos(1)),
        to.minus(policy.slack()),
    )
}

impl Coverage {
    /// Adds the value due `at` to the gaps.
    fn miss(&mut self, at: Timestamp, every: Span, treatment: GapTreatment) {
        match self.gaps.last_mut() {
            Some(gap) if gap.treatment == treatment && gap.last.plus(every) == at => {
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
}

/// Looks for the values of `series` that should become known in `(from, to]`, one every `every`,
/// on instants that are multiples of `every` since the epoch.
///
/// Rows that hold until the next one differ at both ends: the one in force at `from` is looked for too,
/// and one due so late that its absence would not be felt by `to` ([`ViewPolicy::slack`]) is not.
/// Rewards are due at no instant but their own, so nothing of them is ever missing.
///
/// A gap that a proxy covers in part is split where the treatment changes. Linear in the range.
///
/// # Panics
/// When `every` is not positive.
#[must_use]
pub fn coverage(
    data: &MarketData,
    policy: &ViewPolicy,
    series: SeriesId,
    every: Span,
    (from, to): (Timestamp, Timestamp),
) -> Coverage {
    assert!(
        every > Span::ZERO,
        "invariant: a series has a positive interval"
    );
    let (mut at, from, to) = due(policy, series.kind, every, (from, to));
    let mut own = Walk::new(data, series, from);
    let mut proxied = policy
        .proxies
        .get(&series)
        .map(|proxy| (*proxy, Walk::new(data, *proxy, from)));
    let otherwise = if series.kind == SeriesKind::Funding {
        GapTreatment::Unbooked
    } else {
        GapTreatment::Held
    };
    let mut result = Coverage {
        series,
        expected: 0,
        present: 0,
        gaps: Vec::new(),
    };
    if matches!(
        series.kind,
        SeriesKind::RewardRate | SeriesKind::RewardTopUp
    ) {
        while own.known_at().is_some_and(|known_at| known_at <= to) {
            own.next += 1;
            result.expected += 1;
            result.present += 1;
        }
        return result;
    }
    while at <= to {
        result.expected += 1;
        if own.has(at) {
            result.present += 1;
        } else {
            let treatment = match &mut proxied {
                Some((proxy, walk)) => {
                    if walk.has(at) {
                        GapTreatment::Proxied(*proxy)
                    } else {
                        otherwise
                    }
                }
                None => otherwise,
            };
            result.miss(at, every, treatment);
        }
        at = at.plus(every);
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
    fn rewards_are_never_missing() {
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
    fn values_off_the_grid_do_not_count() {
        let series = "funding.okx.BTCUSDT";
        let data = market(vec![], vec![rates(series, &[4, 8, 9, 16])]);
        let policy = ViewPolicy::default();
        let interval = Span::from_hours(8);
        let found = coverage(&data, &policy, id(series), interval, (hour(0), hour(16)));
        assert_eq!((found.expected, found.present), (2, 2));
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
