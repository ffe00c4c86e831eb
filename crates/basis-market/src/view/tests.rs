//! What a view shows, and when.

use basis_core::num::Rate;
use proptest::prelude::*;

use super::mark::held_mark;
use super::*;
use crate::{BarColumns, FundingLookup, RateSeries};

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
    Price::new(basis_core::num::Fixed18::from_int(price)).unwrap()
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
    let mark = held_mark(units(100), units(2), units(3)).unwrap();
    assert_eq!(mark, Price::literal("66.66666667"));
    assert!(held_mark(units(1), units(1), Price::ZERO).is_err());
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
fn moving_back_is_refused_and_changes_nothing() {
    let data = market(vec![bars(OKX, &[(0, 10), (4, 20)])], vec![]);
    let mut view = view(&data, &[request(OKX, None)], ViewPolicy::default());
    let shown = at(&mut view, hour(5), OKX);
    let before = format!("{view:?}");
    let refused = view.advance_to(hour(4)).unwrap_err();
    let (now, to) = (hour(5), hour(4));
    assert_eq!(refused, ViewError::Backward { now, to });
    assert!(
        refused
            .to_string()
            .contains("cannot move back to 1970-01-01T04")
    );
    assert_eq!(format!("{view:?}"), before);
    assert_eq!(
        at(&mut view, hour(5), OKX).mark,
        shown.mark,
        "it may stand still"
    );
}

#[test]
fn the_mark_within_a_longer_step_is_that_of_its_instant() {
    let spot = [(0, 100), (1, 110), (2, 90), (3, 95), (4, 100)];
    let okx = [(0, 102), (2, 92)];
    let data = market(vec![bars(SPOT, &spot), bars(OKX, &okx)], vec![]);
    let requests = [request(OKX, Some(SPOT))];
    let mut view = view(&data, &requests, ViewPolicy::default());
    view.advance_to(hour(1)).unwrap();
    view.advance_to(hour(5)).unwrap();
    let slot = view.slot(id(OKX)).unwrap();
    let mark = |at| view.mark_at(slot, at).unwrap();
    assert_eq!(mark(hour(0)), None);
    assert_eq!(mark(hour(1)), Some(units(102)));
    assert_eq!(mark(hour(2)), Some(Price::literal("112.2")), "held on spot");
    assert_eq!(mark(hour(3).plus(Span::from_minutes(59))), Some(units(92)));
    assert_eq!(mark(hour(5)), Some(view.quote(slot).mark));
    assert_eq!(mark(hour(6)), None, "to come");
}

#[test]
fn the_first_bar_after_an_instant_is_of_the_series_that_is_shown() {
    let data = market(
        vec![
            bars(OKX, &[(0, 100), (3, 103)]),
            bars(BYBIT, &[(0, 200), (1, 201), (3, 203)]),
        ],
        vec![],
    );
    let policy = proxies(&[(OKX, BYBIT)]);
    let mut view = view(&data, &[request(OKX, None)], policy);
    let slot = view.slot(id(OKX)).unwrap();
    let mut first = |now: i64, after: Timestamp| {
        view.advance_to(hour(now)).unwrap();
        assert_eq!(view.bar_length(slot), Span::HOUR);
        let bar = view.first_closed_after(slot, after);
        bar.map(|(bar, known_at)| (bar.opened_at, bar.open, known_at))
    };
    assert_eq!(first(1, hour(1)), None, "no bar has closed since");
    assert_eq!(first(1, hour(0)), Some((hour(0), units(99), hour(1))));
    assert_eq!(first(2, hour(1)), Some((hour(1), units(200), hour(2))));
    assert_eq!(first(3, hour(1)), None, "held");
    let half_past = hour(2).plus(Span::from_minutes(30));
    assert_eq!(first(4, half_past), Some((hour(3), units(102), hour(4))));
    let within = hour(3).plus(Span::from_minutes(30));
    assert_eq!(first(4, within), Some((hour(3), units(102), hour(4))));
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
