//! A rolling view shows what a recorded one shows, and keeps no more than it has to.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::series::rows::tests::{hour, id, reserve};
use crate::{
    BarSeriesBuilder, FundingLookup, GasFees, MarketData, Quote, RateSeries, ReserveRow, Reward,
    RowSeries, SeriesRequest, ShockSet, ViewPolicy,
};
use basis_core::num::{Fixed18, Price, Quantity};
use basis_core::types::{Asset, Span};

const SPOT: &str = "spot.binance.ETHUSDT";
const OKX: &str = "perp.okx.ETHUSDT";
const BYBIT: &str = "perp.bybit.ETHUSDT";
const FUNDING_OKX: &str = "funding.okx.ETHUSDT";
const FUNDING_BYBIT: &str = "funding.bybit.ETHUSDT";
const ORACLE: &str = "oracle.aave.WETH_USD";
const RATE: &str = "staking_rate.etherfi.weETH_ETH";
const OTHER_RATE: &str = "oracle.aave.weETH_ETH";
const WETH: &str = "aave_reserve.aave.WETH";
const GAS: &str = "gas.ethereum.gwei";
const EIGEN: &str = "reward_rate.etherfi.EIGEN";

const BARS: [&str; 3] = [SPOT, OKX, BYBIT];
const RATES: [&str; 2] = [FUNDING_OKX, FUNDING_BYBIT];
const POINTS: [&str; 3] = [ORACLE, RATE, OTHER_RATE];
/// Series of the three kinds that have no points, in the order of their columns.
const ROWS: [&str; 3] = [WETH, GAS, EIGEN];
const HOURS: i64 = 24;
const POINT_INTERVAL: Span = Span::from_hours(3);

fn price(units: i64) -> Price {
    Price::new(Fixed18::from_int(units)).unwrap()
}

fn bar(opened: i64, close: i64) -> Bar {
    Bar {
        opened_at: hour(opened),
        open: price(close - 1),
        high: price(close + 5),
        low: price(close - 5),
        close: price(close),
        volume: Quantity::literal("7"),
    }
}

fn gas(units: i64) -> GasFees {
    GasFees {
        block: 1,
        base_fee_gwei: Fixed18::from_int(units),
        priority_fee_gwei: Fixed18::ZERO,
        gas_price_gwei: Fixed18::from_int(units),
    }
}

fn reward(units: i64) -> Reward {
    Reward {
        period_start: hour(0),
        period_end: hour(1),
        total: Fixed18::from_int(units),
        per_eth: Fixed18::ONE,
    }
}

fn read_reserve(units: i64) -> ReserveRow {
    reserve(10_u128.pow(27) * u128::from(units.unsigned_abs()))
}

/// One record of a market and when it is known.
#[derive(Clone, Copy, Debug)]
enum Record {
    Bar(&'static str, Bar),
    Rate(&'static str, Timestamp, Rate),
    Point(&'static str, Timestamp, Fixed18),
    Reserve(Timestamp, ReserveRow),
    Gas(Timestamp, GasFees),
    Reward(Timestamp, Reward),
}

impl Record {
    fn known_at(&self) -> Timestamp {
        match *self {
            Self::Bar(_, bar) => bar.opened_at.plus(Span::HOUR),
            Self::Rate(_, at, _) | Self::Point(_, at, _) => at,
            Self::Reserve(at, _) | Self::Gas(at, _) | Self::Reward(at, _) => at,
        }
    }

    fn write(self, writer: &mut MarketWriter<'_>) -> Result<(), SeriesError> {
        match self {
            Self::Bar(name, bar) => writer.push_bar(id(name), bar),
            Self::Rate(name, at, rate) => writer.push_rate(id(name), at, rate),
            Self::Point(name, at, value) => writer.push_row(id(name), at, value),
            Self::Reserve(at, row) => writer.push_row(id(WETH), at, row),
            Self::Gas(at, row) => writer.push_row(id(GAS), at, row),
            Self::Reward(at, row) => writer.push_row(id(EIGEN), at, row),
        }
    }
}

/// A market of `records`, which come in the order of their instants; of none, every series is empty.
fn market(records: &[Record]) -> Arc<MarketData> {
    let mut data = MarketData::new("test", true);
    for name in BARS {
        let mut builder = BarSeriesBuilder::new(id(name), Span::HOUR, 0);
        for record in records {
            if let Record::Bar(of, bar) = record
                && *of == name
            {
                let prices = [bar.open, bar.high, bar.low, bar.close];
                builder.push(bar.opened_at, prices, bar.volume).unwrap();
            }
        }
        data.add_bars(builder.finish()).unwrap();
    }
    for name in RATES {
        let (at, rate) = records
            .iter()
            .filter_map(|record| match *record {
                Record::Rate(of, at, rate) if of == name => Some((at, rate)),
                _ => None,
            })
            .unzip();
        let id = id(name);
        data.add_rates(RateSeries { id, at, rate }).unwrap();
    }
    for name in POINTS {
        let of = |record: &Record| match *record {
            Record::Point(of, at, value) if of == name => Some((at, value)),
            _ => None,
        };
        add(&mut data, name, Some(POINT_INTERVAL), records, of);
    }
    let of = |record: &Record| match *record {
        Record::Reserve(at, row) => Some((at, row)),
        _ => None,
    };
    add(&mut data, WETH, Some(Span::HOUR), records, of);
    let of = |record: &Record| match *record {
        Record::Gas(at, row) => Some((at, row)),
        _ => None,
    };
    add(&mut data, GAS, Some(Span::HOUR), records, of);
    let of = |record: &Record| match *record {
        Record::Reward(at, row) => Some((at, row)),
        _ => None,
    };
    add(&mut data, EIGEN, None, records, of);
    Arc::new(data)
}

fn add<T: SeriesRow>(
    data: &mut MarketData,
    name: &str,
    interval: Option<Span>,
    records: &[Record],
    of: impl Fn(&Record) -> Option<(Timestamp, T)>,
) {
    let (at, rows) = records.iter().filter_map(of).unzip();
    data.add_rows(RowSeries::new(id(name), interval, at, rows).unwrap())
        .unwrap();
}

fn view(data: &Arc<MarketData>, policy: ViewPolicy) -> MarketView {
    let request = |name: &str| SeriesRequest {
        id: id(name),
        reference: (name == OKX || name == BYBIT).then(|| id(SPOT)),
    };
    let names = BARS.iter().chain(&POINTS).chain(&ROWS);
    let requests: Vec<_> = names.map(|name| request(name)).collect();
    MarketView::new(Arc::clone(data), &requests, policy).unwrap()
}

/// OKX lives off Bybit in its gaps, the protocol's rate off an oracle.
fn policy(look_back: Option<i64>) -> ViewPolicy {
    let proxies = [
        (OKX, BYBIT),
        (FUNDING_OKX, FUNDING_BYBIT),
        (RATE, OTHER_RATE),
    ];
    ViewPolicy {
        proxies: proxies.map(|(own, proxy)| (id(own), id(proxy))).into(),
        look_back: look_back.map(Span::from_hours),
        ..ViewPolicy::default()
    }
}

/// Everything that `view` shows of instants after `from`, as text.
fn shown(view: &MarketView, from: Timestamp) -> String {
    use std::fmt::Write as _;
    fn rows<T: SeriesRow>(view: &MarketView, name: &str, from: Timestamp) -> String {
        let slot = view.row_slot::<T>(id(name)).unwrap();
        let between: Vec<_> = view.between(slot, from, Timestamp::MAX).collect();
        format!(
            "{:?} {:?} {between:?}\n",
            view.newest(slot),
            view.before(slot)
        )
    }
    let mut text = String::new();
    for (id, slot) in view.series() {
        writeln!(text, "{id} {:?}", view.quote(slot)).unwrap();
        for half_hours in 0..=HOURS * 2 {
            let at = Timestamp::EPOCH.plus(Span::from_minutes(30 * half_hours));
            if at >= from {
                writeln!(text, "{at} {:?}", view.first_closed_after(slot, at)).unwrap();
            }
        }
    }
    for name in RATES {
        for instant in (0..=HOURS).map(hour).filter(|at| *at >= from) {
            writeln!(text, "{instant} {:?}", view.funding(id(name), instant)).unwrap();
        }
    }
    for name in POINTS {
        text += &rows::<Fixed18>(view, name, from);
    }
    text += &rows::<ReserveRow>(view, WETH, from);
    text += &rows::<GasFees>(view, GAS, from);
    text += &rows::<Reward>(view, EIGEN, from);
    for asset in ["ETH", "weETH", "EIGEN"].map(Asset::literal) {
        let mark = view.mark_of(asset);
        let value = mark.map(|mark| (view.price_usd(mark), view.state_of(mark)));
        writeln!(text, "{asset} {value:?} {:?}", view.aave_oracle(asset)).unwrap();
    }
    text
}

/// The marks of every price series at the instants from `from` on.
fn past_marks(view: &MarketView, from: Timestamp) -> BTreeMap<(usize, Timestamp), Option<Price>> {
    let mut marks = BTreeMap::new();
    for (index, (_, slot)) in view.series().enumerate() {
        for half_hours in 0..=HOURS * 2 {
            let at = Timestamp::EPOCH.plus(Span::from_minutes(30 * half_hours));
            if at >= from && at <= view.now() {
                marks.insert((index, at), view.mark_at(slot, at).unwrap());
            }
        }
    }
    marks
}

/// Whether a row is there, and its value.
type Cell = Option<i64>;

fn columns() -> impl Strategy<Value = Vec<Vec<Cell>>> {
    let hours = usize::try_from(HOURS).unwrap();
    let column = prop::collection::vec(prop::option::weighted(0.6, 50_i64..150), hours);
    prop::collection::vec(column, BARS.len() + RATES.len() + POINTS.len() + ROWS.len())
}

/// The records of `columns`, in the order of their instants.
fn records(columns: &[Vec<Cell>]) -> Vec<Record> {
    let mut records = Vec::new();
    for (series, column) in columns.iter().enumerate() {
        for (opened, units) in (0_i64..).zip(column) {
            let Some(units) = *units else { continue };
            let at = hour(opened + 1);
            let value = Fixed18::from_int(units);
            records.push(match series {
                0..3 => Record::Bar(BARS[series], bar(opened, units)),
                3..5 => {
                    let rate = if units < 100 { "-0.1" } else { "0.2" };
                    Record::Rate(RATES[series - 3], at, Rate::literal(rate))
                }
                5..8 => Record::Point(POINTS[series - 5], at, value),
                8 => Record::Reserve(at, read_reserve(units)),
                9 => Record::Gas(at, gas(units)),
                _ => Record::Reward(at, reward(units)),
            });
        }
    }
    records.sort_by_key(Record::known_at);
    records
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn prop_a_rolling_view_shows_at_every_step_what_a_recorded_one_shows(
        columns in columns(),
        start in 0_i64..8,
        steps in prop::collection::vec(1_i64..5, 1..48),
        look_back in prop::option::of(4_i64..10),
    ) {
        let records = records(&columns);
        let mut recorded = view(&market(&records), policy(None));
        let mut rolling = view(&market(&[]), policy(look_back));
        let mut written = 0;
        let mut half_hours = start * 2;
        for step in std::iter::once(0).chain(steps) {
            half_hours = (half_hours + step).min(HOURS * 2);
            let now = Timestamp::EPOCH.plus(Span::from_minutes(30 * half_hours));
            while let Some(record) = records.get(written).filter(|r| r.known_at() <= now) {
                record.write(&mut rolling.writer()).unwrap();
                written += 1;
            }
            recorded.advance_to(now).unwrap();
            rolling.advance_to(now).unwrap();
            let from = look_back.map_or(Timestamp::MIN, |hours| now.minus(Span::from_hours(hours)));
            prop_assert_eq!(shown(&recorded, from), shown(&rolling, from));
            let (all, kept) = (past_marks(&recorded, from), past_marks(&rolling, from));
            for (key, mark) in &all {
                if *mark == kept[key] {
                    continue;
                }
                // Held since longer than is kept: the reference then is gone, and no mark is made up.
                let (series, at) = *key;
                let bar_since = records.iter().any(|record| match record {
                    Record::Bar(name, _) => {
                        let is_shown = *name == BARS[series] || (series == 1 && *name == BYBIT);
                        is_shown && (from..=at).contains(&record.known_at())
                    }
                    _ => false,
                });
                let is_gone = kept[key].is_none() && look_back.is_some() && series > 0;
                prop_assert!(is_gone && !bar_since, "{key:?} {mark:?} {:?}", kept[key]);
            }
        }
    }

    #[test]
    fn prop_a_mark_of_the_past_is_the_one_that_was_shown_then(
        columns in columns(),
        age in prop::option::of(1_i64..4),
    ) {
        let data = market(&records(&columns));
        let policy = ViewPolicy { bar_age_max: age.map(Span::from_hours), ..policy(None) };
        let (mut hourly, mut at_once) = (view(&data, policy.clone()), view(&data, policy));
        let mut marks: Vec<Vec<Quote>> = Vec::new();
        for now in 0..=HOURS {
            hourly.advance_to(hour(now)).unwrap();
            marks.push(hourly.series().map(|(_, slot)| *hourly.quote(slot)).collect());
        }
        at_once.advance_to(hour(0)).unwrap();
        at_once.advance_to(hour(HOURS)).unwrap();
        for (now, quotes) in (0_i64..).zip(&marks) {
            for ((id, slot), quote) in at_once.series().zip(quotes) {
                let shown = (quote.state != crate::PriceState::Missing).then_some(quote.mark);
                if now < HOURS {
                    prop_assert_eq!(at_once.mark_at(slot, hour(now)).unwrap(), shown, "{} {}", id, now);
                }
                prop_assert_eq!(hourly.mark_at(slot, hour(now)).unwrap(), shown);
            }
        }
    }
}

#[test]
fn a_record_is_invisible_before_its_instant_and_until_the_view_moves() {
    let mut view = view(&market(&[]), policy(None));
    view.advance_to(hour(5)).unwrap();
    let before = shown(&view, Timestamp::MIN);
    let late = [
        Record::Bar(OKX, bar(3, 100)),
        Record::Bar(SPOT, bar(3, 100)),
        Record::Rate(FUNDING_OKX, hour(4), Rate::literal("0.1")),
        Record::Point(ORACLE, hour(4), Fixed18::ONE),
        Record::Reserve(hour(4), read_reserve(2)),
    ];
    let to_come = [
        Record::Bar(OKX, bar(6, 110)),
        Record::Rate(FUNDING_OKX, hour(7), Rate::literal("0.2")),
        Record::Point(ORACLE, hour(7), Fixed18::ONE),
    ];
    for record in late.into_iter().chain(to_come) {
        record.write(&mut view.writer()).unwrap();
    }
    assert_eq!(shown(&view, Timestamp::MIN), before);
    let slot = view.slot(id(OKX)).unwrap();
    assert_eq!(view.mark_at(slot, hour(4)).unwrap(), None);
    view.advance_to(hour(5)).unwrap();
    assert_eq!(
        view.quote(slot).mark,
        Price::ZERO,
        "too old, and never shown"
    );
    assert_eq!(view.mark_at(slot, hour(4)).unwrap(), Some(price(100)));
    let oracle = view.row_slot::<Fixed18>(id(ORACLE)).unwrap();
    assert_eq!(view.newest(oracle).unwrap().known_at, hour(4));
    let rate = |view: &MarketView, at| view.funding(id(FUNDING_OKX), hour(at));
    assert_eq!(rate(&view, 4), FundingLookup::Rate(Rate::literal("0.1")));
    assert_eq!(rate(&view, 7), FundingLookup::Missing);
    view.advance_to(hour(7)).unwrap();
    assert_eq!(view.quote(slot).mark, price(110));
    assert_eq!(rate(&view, 7), FundingLookup::Rate(Rate::literal("0.2")));
    assert_eq!(view.newest(oracle).unwrap().known_at, hour(7));
}

#[test]
fn what_is_not_newer_not_read_or_no_row_is_refused_and_changes_nothing() {
    let mut view = view(&market(&[]), policy(None));
    let first = [
        Record::Bar(BYBIT, bar(3, 100)),
        Record::Rate(FUNDING_OKX, hour(4), Rate::literal("0.1")),
        Record::Point(OTHER_RATE, hour(4), Fixed18::ONE),
        Record::Gas(hour(4), gas(5)),
    ];
    for record in first {
        record.write(&mut view.writer()).unwrap();
    }
    view.advance_to(hour(4)).unwrap();
    let before = format!("{view:?}");
    let mut refused = |record: Record| record.write(&mut view.writer()).unwrap_err();
    let order = |name: &str, at| SeriesError::Order {
        id: id(name),
        row: 1,
        at: hour(at),
    };
    for opened in [2, 3] {
        let error = refused(Record::Bar(BYBIT, bar(opened, 101)));
        assert_eq!(error, order(BYBIT, opened));
        let error = refused(Record::Point(OTHER_RATE, hour(opened + 1), Fixed18::ONE));
        assert_eq!(error, order(OTHER_RATE, opened + 1));
        let error = refused(Record::Gas(hour(opened + 1), gas(1)));
        assert_eq!(error, order(GAS, opened + 1));
        let error = refused(Record::Rate(
            FUNDING_OKX,
            hour(opened + 1),
            Rate::literal("0"),
        ));
        assert_eq!(error, order(FUNDING_OKX, opened + 1));
    }
    let upside_down = Bar {
        low: price(200),
        ..bar(4, 100)
    };
    let error = refused(Record::Bar(BYBIT, upside_down)).to_string();
    assert!(error.contains("are not within low 200"), "{error}");
    let error = refused(Record::Gas(hour(5), gas(0))).to_string();
    assert!(
        error.contains("gas_price_gwei: 0 is not above zero"),
        "{error}"
    );
    for record in [
        Record::Bar("spot.okx.ETHUSDT", bar(4, 100)),
        Record::Bar(FUNDING_OKX, bar(4, 100)),
        Record::Rate("funding.x.ETHUSDT", hour(5), Rate::literal("0")),
        Record::Point(GAS, hour(5), Fixed18::ONE),
    ] {
        let error = refused(record);
        assert!(matches!(error, SeriesError::NotRead(_)), "{error}");
    }
    assert_eq!(format!("{view:?}"), before);
}

#[test]
fn a_view_with_shocks_is_not_written_to() {
    let shocks = ShockSet::parse(&["outage okx at 1970-01-01 for 1h".to_owned()]).unwrap();
    let policy = ViewPolicy {
        shocks: Some(Arc::new(shocks)),
        ..policy(None)
    };
    let mut view = view(&market(&[]), policy);
    let refused = view.writer().push_bar(id(OKX), bar(0, 100)).unwrap_err();
    assert_eq!(refused, SeriesError::Shocked(id(OKX)));
}

#[test]
fn a_rolling_series_keeps_its_look_back_and_about_as_much_again() {
    const LOOK_BACK: i64 = 48;
    let mut view = view(&market(&[]), policy(Some(LOOK_BACK)));
    let kept_max = usize::try_from(LOOK_BACK).unwrap() * 2 + 6;
    let mut most = 0;
    for opened in 0..2_000 {
        let at = hour(opened + 1);
        let mut writer = view.writer();
        for name in BARS {
            writer.push_bar(id(name), bar(opened, 100)).unwrap();
        }
        for name in RATES {
            writer
                .push_rate(id(name), at, Rate::literal("0.1"))
                .unwrap();
        }
        writer.push_row(id(WETH), at, read_reserve(2)).unwrap();
        for name in [RATE, OTHER_RATE] {
            writer.push_row(id(name), at, Fixed18::ONE).unwrap();
        }
        view.advance_to(at).unwrap();
        let cursors = view.slots.iter().flat_map(|slot| slot.cursors());
        let bars = cursors.map(|cursor| cursor.series().len());
        let rates = RATES.map(|name| view.rates.kept(id(name)).unwrap());
        let rows = view.rows.kept();
        for kept in bars.chain(rates).chain(rows) {
            most = most.max(kept);
            assert!(kept <= kept_max, "{kept} rows at hour {opened}");
            let look_back = usize::try_from(LOOK_BACK.min(opened)).unwrap();
            assert!(
                kept >= look_back || kept == 0,
                "{kept} rows at hour {opened}"
            );
        }
    }
    assert!(most > kept_max - 8, "in bulk, not one by one: {most}");
    let slot = view.slot(id(OKX)).unwrap();
    let mark = |hours| view.mark_at(slot, hour(2_000 - hours)).unwrap();
    assert_eq!((mark(LOOK_BACK), mark(200)), (Some(price(100)), None));
    assert_eq!(view.first_closed_after(slot, hour(1_800)), None);
}

#[test]
fn what_is_newest_is_kept_however_old_and_so_is_the_row_before_it() {
    let mut view = view(&market(&[]), policy(Some(4)));
    for at in 1..=9 {
        let mut writer = view.writer();
        writer.push_bar(id(OKX), bar(at - 1, 100 + at)).unwrap();
        writer.push_row(id(GAS), hour(at), gas(at)).unwrap();
    }
    view.advance_to(hour(40)).unwrap();
    // To come: it drops what is old, and shows nothing yet.
    view.writer().push_bar(id(OKX), bar(49, 300)).unwrap();
    view.writer().push_row(id(GAS), hour(50), gas(50)).unwrap();
    view.advance_to(hour(41)).unwrap();
    assert!(
        view.slots
            .iter()
            .all(|slot| slot.cursors().all(|c| c.series().len() < 9))
    );
    let slot = view.row_slot::<GasFees>(id(GAS)).unwrap();
    let base_fee = |units| Some(Fixed18::from_int(units));
    let newest = view.newest(slot).map(|known| known.row.base_fee_gwei);
    let before = view.before(slot).map(|known| known.row.base_fee_gwei);
    assert_eq!((newest, before), (base_fee(9), base_fee(8)));
    let slot = view.slot(id(OKX)).unwrap();
    assert_eq!(view.mark_at(slot, hour(37)).unwrap(), Some(price(109)));
}

#[test]
fn recorded_series_that_are_written_to_stay_as_they_are_for_others() {
    let data = market(&[Record::Bar(OKX, bar(0, 100))]);
    let (mut one, mut two) = (view(&data, policy(None)), view(&data, policy(None)));
    one.writer().push_bar(id(OKX), bar(1, 110)).unwrap();
    let mark = |view: &mut MarketView| {
        view.advance_to(hour(2)).unwrap();
        view.quote_of(id(OKX)).unwrap().mark
    };
    assert_eq!((mark(&mut one), mark(&mut two)), (price(110), Price::ZERO));
    assert_eq!(data.bars(id(OKX)).unwrap().len(), 1);
}
