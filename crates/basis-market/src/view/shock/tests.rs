//! Every kind of shock on a small market made in code.

use std::sync::Arc;

use basis_core::num::uint256::mul_div_floor;
use basis_core::num::{Price, Quantity, Rate, U256};
use basis_protocols::aave_v3::math::{compounded_interest, linear_interest};
use proptest::prelude::*;

use super::*;
use crate::series::rows::tests::{hour, id, points, reserve};
use crate::{
    BarColumns, FundingLookup, GasFees, MarketData, MarketView, PriceState, RateSeries, ReserveRow,
    RowSeries, SeriesRequest, ViewPolicy,
};

const SPOT: &str = "spot.bybit.ETHUSDT";
const PERP: &str = "perp.binance.ETHUSDT";
const POOL: &str = "dex.uniswap.WETHUSDT_3000";
const RATIO: &str = "dex.uniswap.EIGENWETH_3000";
const ORACLE: &str = "oracle.aave.WETH_USD";
const LST_ORACLE: &str = "oracle.aave.weETH_ETH";
const RATE: &str = "staking_rate.etherfi.weETH_ETH";
const LST: &str = "staking_market.uniswap.weETH_ETH";
const WETH: &str = "aave_reserve.aave.WETH";
const GAS: &str = "gas.ethereum.gwei";
const FUNDING: &str = "funding.binance.ETHUSDT";
const ROWS: [&str; 6] = [ORACLE, LST_ORACLE, RATE, LST, WETH, GAS];
const RAY: u128 = 10_u128.pow(27);

/// Hourly bars that open at 100, close at 100 and reach from 90 to 110.
fn bars(name: &str, opened: impl Iterator<Item = i64>) -> BarColumns {
    let opened_at: Vec<_> = opened.map(hour).collect();
    let column = |price| vec![Price::literal(price); opened_at.len()];
    BarColumns {
        id: id(name),
        length: Span::HOUR,
        open: column("100"),
        high: column("110"),
        low: column("90"),
        close: column("100"),
        volume: vec![Quantity::literal("7"); opened_at.len()],
        opened_at,
    }
}

fn fees(gwei: i64) -> GasFees {
    GasFees {
        block: 1,
        base_fee_gwei: Fixed18::from_int(gwei - 1),
        priority_fee_gwei: Fixed18::ONE,
        gas_price_gwei: Fixed18::from_int(gwei),
    }
}

/// Four days: bars and gas by the hour, rows by the day, funding every eight hours.
fn market() -> MarketData {
    let mut data = MarketData::new("test", true);
    for name in [SPOT, PERP, POOL, RATIO] {
        data.add_bars(bars(name, 0..96)).unwrap();
    }
    let days = [0, 24, 48, 72];
    for name in [ORACLE, LST_ORACLE, RATE] {
        let rows = days.map(|at| (at, 100));
        data.add_rows(points(name, Span::DAY, &rows)).unwrap();
    }
    let hours: Vec<_> = (0..96).map(|at| (at, 100)).collect();
    data.add_rows(points(LST, Span::HOUR, &hours)).unwrap();
    let reserves = days.iter().map(|at| ReserveRow {
        liquidity_rate_ray: RAY / 50,
        variable_borrow_rate_ray: RAY / 25,
        variable_borrow_index_ray: RAY + RAY / 10_000 * u128::try_from(at / 24).unwrap(),
        oracle_price_usd: Fixed18::from_int(100),
        ..reserve(RAY + RAY / 20_000 * u128::try_from(at / 24).unwrap())
    });
    let at = days.map(hour).to_vec();
    let series = RowSeries::new(id(WETH), Some(Span::DAY), at, reserves.collect());
    data.add_rows(series.unwrap()).unwrap();
    let at: Vec<_> = (0..96).map(hour).collect();
    let gas = RowSeries::new(id(GAS), Some(Span::HOUR), at, vec![fees(10); 96]);
    data.add_rows(gas.unwrap()).unwrap();
    data.add_rates(RateSeries {
        id: id(FUNDING),
        at: (0..12).map(|at| hour(8 * at)).collect(),
        rate: vec![Rate::literal("0.0001"); 12],
    })
    .unwrap();
    data
}

/// `{}` in a sentence is hour 30: 1970-01-02T06:00Z.
fn set(sentences: &[&str]) -> ShockSet {
    let texts: Vec<_> = sentences
        .iter()
        .map(|text| text.replace("{}", "1970-01-02T06:00Z"))
        .collect();
    ShockSet::parse(&texts).unwrap()
}

fn view_of(data: MarketData, shocks: Option<ShockSet>) -> MarketView {
    let series = [SPOT, PERP, POOL, RATIO].into_iter().chain(ROWS);
    let requests: Vec<_> = series
        .map(|series| SeriesRequest {
            id: id(series),
            reference: Some(id(SPOT)),
        })
        .collect();
    let policy = ViewPolicy {
        shocks: shocks.map(Arc::new),
        ..ViewPolicy::default()
    };
    MarketView::new(Arc::new(data), &requests, policy).unwrap()
}

fn view(sentences: &[&str]) -> MarketView {
    view_of(market(), Some(set(sentences)))
}

fn marks(view: &mut MarketView, series: &str, hours: &[i64]) -> Vec<String> {
    let shown = hours.iter().map(|at| {
        view.advance_to(hour(*at)).unwrap();
        view.quote_of(id(series)).unwrap().mark.to_string()
    });
    shown.collect()
}

fn values(view: &mut MarketView, series: &str, hours: &[i64]) -> Vec<String> {
    let shown = hours.iter().map(|at| {
        view.advance_to(hour(*at)).unwrap();
        let slot = view.row_slot::<Fixed18>(id(series)).unwrap();
        view.point(slot).unwrap().value.to_string()
    });
    shown.collect()
}

fn prices(view: &mut MarketView, hours: &[i64]) -> Vec<String> {
    let shown = hours.iter().map(|at| {
        view.advance_to(hour(*at)).unwrap();
        let slot = view.row_slot::<ReserveRow>(id(WETH)).unwrap();
        view.reserve(slot).unwrap().row.oracle_price_usd.to_string()
    });
    shown.collect()
}

#[test]
fn a_price_falls_over_its_span_and_stays_or_comes_back() {
    let mut stays = view(&["ETH -20% at {} over 2h"]);
    let shown = marks(&mut stays, SPOT, &[30, 31, 32, 33, 90]);
    assert_eq!(shown, ["100", "90", "80", "80", "80"]);
    let mut returns = view(&["ETH -20% at {} over 2h for 4h"]);
    let shown = marks(&mut returns, SPOT, &[30, 32, 34, 35, 36, 90]);
    assert_eq!(shown, ["100", "80", "80", "90", "100", "100"]);
}

#[test]
fn the_bar_of_a_jump_holds_both_prices_and_the_adverse_extreme() {
    let mut view = view(&["ETH -20% at {}"]);
    view.advance_to(hour(29)).unwrap();
    view.advance_to(hour(30)).unwrap();
    let bar = *view.quote_of(id(SPOT)).unwrap();
    let texts = [bar.open, bar.high, bar.low, bar.mark].map(|price| price.to_string());
    assert_eq!(texts, ["100", "110", "72", "80"]);
    view.advance_to(hour(31)).unwrap();
    let bar = view.quote_of(id(SPOT)).unwrap();
    let texts = [bar.open, bar.high, bar.low, bar.mark].map(|price| price.to_string());
    assert_eq!(texts, ["80", "88", "72", "80"]);
    assert_eq!(bar.volume, Quantity::literal("7"));
    assert!(bar.state.is_tradable());
}

#[test]
fn a_spike_within_one_bar_is_in_its_extremes() {
    let mut view = view(&["ETH +50% at 1970-01-02T06:15Z over 15min for 15min"]);
    view.advance_to(hour(30)).unwrap();
    view.advance_to(hour(31)).unwrap();
    let bar = view.quote_of(id(SPOT)).unwrap();
    assert_eq!(
        (bar.high, bar.mark),
        (Price::literal("165"), Price::literal("100"))
    );
}

#[test]
fn a_sentence_reaches_what_it_names_and_nothing_else() {
    let shown = |text: &str| {
        let mut view = view(&[text]);
        [SPOT, PERP, POOL, RATIO].map(|series| marks(&mut view, series, &[40]).remove(0))
    };
    assert_eq!(shown("ETH -20% at {}"), ["80", "80", "80", "100"]);
    assert_eq!(shown("perp ETH -20% at {}"), ["100", "80", "100", "100"]);
    assert_eq!(
        shown("market.bybit ETH -20% at {}"),
        ["80", "100", "100", "100"]
    );
    assert_eq!(shown("dex ETH -20% at {}"), ["100", "100", "80", "100"]);
    assert_eq!(
        shown("market EIGEN x0.5 at {}"),
        ["100", "100", "100", "50"]
    );
    assert_eq!(shown("oracle ETH -20% at {}"), ["100"; 4]);
    assert_eq!(shown("weETH -20% at {}"), ["100"; 4]);
}

#[test]
fn several_shocks_multiply_in_order() {
    let mut view = view(&[
        "ETH -20% at {}",
        "perp.binance ETH x1.1 at {}",
        "ETH -50% at {} for 2h",
    ]);
    assert_eq!(marks(&mut view, PERP, &[30]), ["44"]);
    assert_eq!(marks(&mut view, SPOT, &[31, 32]), ["40", "80"]);
}

#[test]
fn the_oracle_goes_with_the_asset_and_its_rows_need_no_others() {
    let mut view = view(&["ETH -20% at {} over 2h"]);
    // Between its rows whoever reads it follows the reference, which fell.
    assert_eq!(
        values(&mut view, ORACLE, &[24, 32, 47, 48]),
        ["100", "100", "100", "80"]
    );
    assert_eq!(prices(&mut view, &[48, 72]), ["80", "80"]);
    let slot = view.row_slot::<ReserveRow>(id(WETH)).unwrap();
    assert_eq!(view.between(slot, hour(-1), hour(96)).count(), 4);
    assert_eq!(values(&mut view, LST_ORACLE, &[80]), ["100"], "a ratio");
}

#[test]
fn an_oracle_alone_moves_between_its_rows() {
    let mut view = view(&["oracle ETH -20% at {} over 2h"]);
    let shown = values(&mut view, ORACLE, &[30, 31, 32, 47, 48]);
    assert_eq!(shown, ["100", "90", "80", "80", "80"]);
    assert_eq!(marks(&mut view, SPOT, &[50]), ["100"]);
    assert_eq!(prices(&mut view, &[50]), ["80"]);
}

#[test]
fn what_moves_a_price_leaves_the_interest_of_a_reserve_alone() {
    let indices = |sentences: &[&str]| {
        let mut view = view(sentences);
        view.advance_to(hour(90)).unwrap();
        let slot = view.row_slot::<ReserveRow>(id(WETH)).unwrap();
        let index = |row: &ReserveRow| (row.liquidity_index_ray, row.variable_borrow_index_ray);
        let rows = view.between(slot, hour(-1), hour(90));
        rows.map(|(at, row)| (at, index(row))).collect::<Vec<_>>()
    };
    let plain = indices(&[]);
    for sentence in [
        "oracle ETH -20% at {} over 2h for 5h",
        "market ETH -20% at {} over 2h",
        "ETH -20% at {} over 2h",
    ] {
        assert_eq!(indices(&[sentence]), plain, "{sentence}");
    }
}

#[test]
fn a_market_alone_leaves_the_oracle_where_it_was() {
    for sentence in [
        "market ETH -20% at {} over 2h",
        "market ETH -20% at {}",
        "market ETH -20% at 1970-01-02T06:40Z over 130min for 5h",
    ] {
        let mut view = view(&[sentence]);
        let slot = view.row_slot::<Fixed18>(id(ORACLE)).unwrap();
        for at in 25..60 {
            view.advance_to(hour(at)).unwrap();
            let point = view.point(slot).unwrap();
            // What a reader makes of it: the row × the reference now ÷ the reference then.
            let close = |at: Timestamp| {
                let spot = view.slot(id(SPOT)).unwrap();
                view.mark_at(spot, at).unwrap().unwrap().get()
            };
            let (now, then) = (close(view.now()), close(point.known_at));
            let read = point.value.mul_div(now, then, Rounding::HalfEven).unwrap();
            let off = read.sub(Fixed18::from_int(100)).unwrap().abs().unwrap();
            assert!(
                off < Fixed18::literal("0.000001"),
                "{sentence}: {read} at hour {at}"
            );
        }
    }
}

#[test]
fn a_staking_token_has_a_market_an_oracle_and_a_protocol() {
    let shown = |text: &str| {
        let mut view = view(&[text]);
        [LST, LST_ORACLE, RATE].map(|series| values(&mut view, series, &[40]).remove(0))
    };
    assert_eq!(shown("weETH -5% at {}"), ["95", "100", "100"]);
    assert_eq!(shown("market eETH -5% at {}"), ["95", "100", "100"]);
    assert_eq!(shown("oracle weETH -5% at {}"), ["100", "95", "100"]);
    assert_eq!(shown("protocol weETH -1% at {}"), ["100", "100", "99"]);
    assert_eq!(shown("market wstETH -5% at 1970-01-01"), ["100"; 3]);
}

#[test]
fn funding_is_added_to_or_flipped_within_its_time() {
    let rates = |text: &str| {
        let mut view = view(&[text]);
        view.advance_to(hour(90)).unwrap();
        [24, 32, 40, 48].map(|at| match view.funding(id(FUNDING), hour(at)) {
            FundingLookup::Rate(rate) => rate.to_string(),
            other => format!("{other:?}"),
        })
    };
    let plus = rates("funding ETH -0.05% at {} for 16h");
    assert_eq!(plus, ["0.0001", "-0.0004", "-0.0004", "0.0001"]);
    let flip = rates("funding.binance ETH x-1 at {} for 16h");
    assert_eq!(flip, ["0.0001", "-0.0001", "-0.0001", "0.0001"]);
    assert_eq!(rates("funding.okx ETH x-1 at {}"), ["0.0001"; 4]);
}

#[test]
fn a_borrow_spike_is_in_the_rate_and_then_in_the_index() {
    let mut plain = view(&[]);
    let mut shocked = view(&["borrow WETH +30% at {} for 24h"]);
    let row = |view: &mut MarketView, at: i64| {
        view.advance_to(hour(at)).unwrap();
        let slot = view.row_slot::<ReserveRow>(id(WETH)).unwrap();
        *view.reserve(slot).unwrap().row
    };
    assert_eq!(row(&mut shocked, 24), row(&mut plain, 24));
    let (before, spike) = (row(&mut plain, 24), row(&mut shocked, 30));
    assert_eq!(spike.variable_borrow_rate_ray, RAY / 25 + RAY * 3 / 10);
    assert_eq!(spike.liquidity_rate_ray, RAY / 50);
    let ray = U256::from(RAY);
    let grown = |index: u128, growth: U256| mul_div_floor(U256::from(index), growth, ray).unwrap();
    let quarter = compounded_interest(RAY / 25, 6 * 3_600).unwrap();
    assert_eq!(
        U256::from(spike.variable_borrow_index_ray),
        grown(before.variable_borrow_index_ray, quarter)
    );
    let supplied = linear_interest(RAY / 50, 6 * 3_600);
    assert_eq!(
        U256::from(spike.liquidity_index_ray),
        grown(before.liquidity_index_ray, supplied)
    );
    // Nobody's supply changes: at the next row its index is the recorded one again, to a unit or two
    // that the divisions cost.
    let (plain_48, shocked_48) = (row(&mut plain, 48), row(&mut shocked, 48));
    assert_eq!(shocked_48.liquidity_index_ray, plain_48.liquidity_index_ray);
    let extra = shocked_48.variable_borrow_index_ray - plain_48.variable_borrow_index_ray;
    let expected = RAY / 10 * 3 * 18 / (365 * 24);
    assert!(
        extra.abs_diff(expected) < expected / 500,
        "{extra} for {expected}"
    );
    // A day later the rate is back, the interest owed stays.
    let (plain_72, shocked_72) = (row(&mut plain, 72), row(&mut shocked, 72));
    assert_eq!(shocked_72.variable_borrow_rate_ray, RAY / 25);
    let extra = shocked_72.variable_borrow_index_ray - plain_72.variable_borrow_index_ray;
    let expected = RAY / 10 * 3 / 365;
    assert!(
        extra.abs_diff(expected) < expected / 500,
        "{extra} for {expected}"
    );
}

#[test]
fn a_rate_does_not_fall_below_zero() {
    let mut view = view(&["supply WETH -30% at {}"]);
    view.advance_to(hour(40)).unwrap();
    let slot = view.row_slot::<ReserveRow>(id(WETH)).unwrap();
    let row = *view.reserve(slot).unwrap().row;
    assert_eq!(
        (row.liquidity_rate_ray, row.variable_borrow_rate_ray),
        (0, RAY / 25)
    );
}

#[test]
fn gas_is_dear_for_a_while() {
    let mut view = view(&["gas x20 at 1970-01-02T06:30Z for 12h"]);
    let slot = view.row_slot::<GasFees>(id(GAS)).unwrap();
    for (minutes, gwei) in [
        (1_800, 10),
        (1_830, 200),
        (1_860, 200),
        (2_549, 200),
        (2_550, 10),
    ] {
        view.advance_to(Timestamp::EPOCH.plus(Span::from_minutes(minutes)))
            .unwrap();
        let fees = view.gas(slot).unwrap().row;
        assert_eq!(
            fees.gas_price_gwei,
            Fixed18::from_int(gwei),
            "minute {minutes}"
        );
        assert_eq!(
            fees.base_fee_gwei,
            fees.gas_price_gwei.sub(fees.priority_fee_gwei).unwrap()
        );
    }
}

#[test]
fn nothing_trades_at_a_venue_that_is_out_and_others_go_on() {
    let mut view = view(&[
        "outage binance at {} for 6h",
        "outage ethereum at {} for 2h",
    ]);
    let states = |view: &mut MarketView, at: i64| {
        view.advance_to(hour(at)).unwrap();
        let gas = view.row_slot::<GasFees>(id(GAS)).unwrap();
        let quote = |series| view.quote_of(id(series)).unwrap().state;
        [quote(PERP), quote(SPOT), view.gas(gas).unwrap().state]
    };
    let (fresh, held) = (PriceState::Fresh, PriceState::Held);
    assert_eq!(states(&mut view, 29), [fresh; 3]);
    assert_eq!(states(&mut view, 30), [held, fresh, held]);
    assert!(view.is_out(Venue::literal("binance")));
    assert_eq!(states(&mut view, 32), [held, fresh, fresh]);
    assert_eq!(states(&mut view, 36), [fresh; 3]);
    let settled = view.funding(id(FUNDING), hour(32));
    assert_eq!(
        settled,
        FundingLookup::Rate(Rate::literal("0.0001")),
        "funding settles"
    );
}

#[test]
fn withdrawals_are_halted_where_and_while_the_sentence_says() {
    let mut view = view(&["halt withdrawals bybit at {} for 2d"]);
    let bybit = Venue::literal("bybit");
    let mut halted = |at: i64| {
        view.advance_to(hour(at)).unwrap();
        assert!(!view.withdrawals_halted(Venue::literal("okx")));
        assert!(view.quote_of(id(SPOT)).unwrap().state.is_tradable());
        view.withdrawals_halted(bybit)
    };
    assert_eq!(
        [29, 30, 77, 78].map(&mut halted),
        [false, true, true, false]
    );
}

#[test]
fn a_shock_of_nothing_is_refused_with_what_there_is() {
    let series = [SPOT, WETH].map(id);
    let venues = ["bybit", "aave"].map(Venue::literal);
    let check = |text: &str| {
        set(&[text])
            .check(&series, &venues)
            .map_err(|e| e.to_string())
    };
    assert_eq!(check("ETH -20% at {}"), Ok(()));
    assert_eq!(check("halt withdrawals bybit at {} for 1d"), Ok(()));
    let message = check("BTC -20% at {}").unwrap_err();
    assert!(
        message.ends_with("it reads spot.bybit.ETHUSDT, aave_reserve.aave.WETH"),
        "{message}"
    );
    let message = check("halt withdrawals lido at {} for 1d").unwrap_err();
    assert!(message.ends_with("it reads bybit, aave"), "{message}");
    assert!(check("gas x2 at {}").is_err());
    assert!(check("outage binance at {} for 1h").is_err());
}

#[test]
fn without_a_shock_the_view_reads_the_very_data() {
    let data = Arc::new(market());
    let policy = |shocks: Option<ShockSet>| ViewPolicy {
        shocks: shocks.map(Arc::new),
        ..ViewPolicy::default()
    };
    let requests = [SPOT, PERP].map(|series| SeriesRequest {
        id: id(series),
        reference: None,
    });
    let is_shared = |view: &MarketView, series: &str| {
        let slot = view.slot(id(series)).unwrap();
        let ours = view.bars_of(slot).unwrap();
        Arc::ptr_eq(ours, data.bars(id(series)).unwrap())
    };
    for shocks in [None, Some(ShockSet::default())] {
        let view = MarketView::new(Arc::clone(&data), &requests, policy(shocks)).unwrap();
        assert!(is_shared(&view, SPOT) && is_shared(&view, PERP));
    }
    let shocks = Some(set(&["perp ETH -20% at {}"]));
    let view = MarketView::new(Arc::clone(&data), &requests, policy(shocks)).unwrap();
    assert!(is_shared(&view, SPOT) && !is_shared(&view, PERP));
}

const EVERY: [&str; 8] = [
    "ETH -20% at {} over 3h for 9h",
    "market ETH +7% at {} over 5h",
    "oracle weETH -5% at {} for 1d",
    "weETH -3% at {} over 2h",
    "borrow WETH +30% at {} over 4h for 20h",
    "gas x20 at {} over 90min for 12h",
    "protocol weETH -1% at {}",
    "outage binance at {} for 6h",
];

/// Everything a view shows at its instant, as text.
fn shown(view: &MarketView) -> String {
    let mut text = String::new();
    for (_, slot) in view.series() {
        text += &format!("{:?}", view.quote(slot));
    }
    for (_, slot) in view.points() {
        text += &format!("{:?}{:?}", view.point(slot), view.before(slot));
    }
    let reserve = view.row_slot::<ReserveRow>(id(WETH)).unwrap();
    let gas = view.row_slot::<GasFees>(id(GAS)).unwrap();
    text += &format!("{:?}{:?}", view.reserve(reserve), view.gas(gas));
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn prop_what_is_recorded_later_changes_nothing_shown_before(cut in 1_i64..95) {
        let whole = market();
        let mut cropped = market();
        for series in cropped.bars.values_mut() {
            let kept = bars(&series.id.to_string(), 0..cut);
            *series = Arc::new(kept.try_into().unwrap());
        }
        let until = hour(cut);
        for series in cropped.rows.points.values_mut() {
            let known = series.known_by(until);
            let (at, rows) = (series.at()[..known].to_vec(), series.rows()[..known].to_vec());
            *series = Arc::new(RowSeries::new(series.id(), series.interval(), at, rows).unwrap());
        }
        for series in cropped.rows.reserves.values_mut() {
            let known = series.known_by(until);
            let (at, rows) = (series.at()[..known].to_vec(), series.rows()[..known].to_vec());
            *series = Arc::new(RowSeries::new(series.id(), series.interval(), at, rows).unwrap());
        }
        let mut one = view_of(whole, Some(set(&EVERY)));
        let mut two = view_of(cropped, Some(set(&EVERY)));
        for at in 1..=cut {
            one.advance_to(hour(at)).unwrap();
            two.advance_to(hour(at)).unwrap();
            prop_assert_eq!(shown(&one), shown(&two));
        }
    }
}
