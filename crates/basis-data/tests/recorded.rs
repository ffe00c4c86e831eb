//! The recorded data beside the checkout, as a run would read it.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "the helpers of tests may fail as loudly as the tests"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use basis_core::num::{Fixed18, Rate};
use basis_core::rules::RuleBook;
use basis_core::types::{Asset, SeriesId, SeriesKind, Span, Timestamp};
use basis_data::catalogue::Catalogue;
use basis_data::{DateRange, LoadRequest, ModeRequirement, check, load, runnable};
use basis_market::{
    BarSeriesBuilder, GasFees, MarketData, MarketView, PriceState, Quote, RateSeries, ReserveRow,
    Reward, RowSeries, SeriesRequest, SeriesRow, ViewPolicy, coverage,
};

fn recorded() -> Option<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if dir.join("aave").is_dir() {
        return Some(dir);
    }
    eprintln!("SKIPPED: no recorded data in {}", dir.display());
    None
}

fn everything(dir: &Path) -> Arc<MarketData> {
    let catalogue = Catalogue::scan(dir).unwrap();
    let request = LoadRequest {
        ids: catalogue.files.iter().map(|file| file.id).collect(),
        ..LoadRequest::default()
    };
    load(dir, &request, &|_| {}).unwrap().data
}

fn id(text: &str) -> SeriesId {
    text.parse().unwrap()
}

fn date(year: i64, month: i64, day: i64) -> Timestamp {
    Timestamp::from_date(year, month, day).unwrap()
}

fn number(text: &str) -> Fixed18 {
    Fixed18::parse(text).unwrap()
}

/// Rows, first and last instant of a series that is no bars.
fn shape<T: SeriesRow>(data: &MarketData, text: &str) -> (usize, Timestamp, Timestamp) {
    let series = data.rows::<T>(id(text)).unwrap();
    let at = series.at();
    (at.len(), *at.first().unwrap(), *at.last().unwrap())
}

#[test]
fn every_series_has_its_rows_and_its_exact_ends() {
    let Some(dir) = recorded() else { return };
    let data = everything(&dir);
    let (end, may) = (date(2025, 5, 31), date(2024, 5, 13));
    let last_hour = end.plus(Span::from_hours(23));
    for (asset, rows, first) in [
        ("USDT", 517, date(2024, 1, 1)),
        ("WETH", 517, date(2024, 1, 1)),
        ("weETH", 385, date(2024, 5, 12)),
        ("wstETH", 385, date(2024, 5, 12)),
    ] {
        let text = format!("aave_reserve.aave.{asset}");
        assert_eq!(
            shape::<ReserveRow>(&data, &text),
            (rows, first, end),
            "{text}"
        );
        assert!(
            data.risk_parameters_of(Asset::new(asset).unwrap())
                .is_some()
        );
    }
    for (text, rows, first) in [
        ("oracle.aave.USDT_USD", 517, date(2024, 1, 1)),
        ("oracle.aave.WETH_USD", 516, date(2024, 1, 2)),
        ("oracle.aave.weETH_ETH", 384, may),
        ("oracle.aave.weETH_USD", 384, may),
        ("oracle.aave.wstETH_ETH", 384, may),
        ("oracle.aave.wstETH_USD", 384, may),
        ("staking_rate.etherfi.weETH_ETH", 383, date(2024, 5, 14)),
        ("staking_rate.lido.wstETH_ETH", 384, may),
    ] {
        assert_eq!(shape::<Fixed18>(&data, text), (rows, first, end), "{text}");
    }
    let market = shape::<Fixed18>(&data, "staking_market.curve.weETH_ETH");
    assert_eq!(market, (9_212, may.plus(Span::from_hours(4)), last_hour));
    let market = shape::<Fixed18>(&data, "staking_market.uniswap.wstETH_ETH");
    assert_eq!(market, (9_217, may.minus(Span::HOUR), last_hour));
    let gas = shape::<GasFees>(&data, "gas.ethereum.gwei");
    assert_eq!(gas, (12_408, date(2024, 1, 1), last_hour));
    let eigen = shape::<Reward>(&data, "reward_rate.etherfi.EIGEN");
    assert_eq!(eigen, (44, date(2024, 10, 6), date(2025, 8, 3)));
    let ethfi = shape::<Reward>(&data, "reward_top_up.etherfi.ETHFI");
    assert_eq!(ethfi, (7, date(2024, 10, 19), date(2024, 12, 20)));
    for (text, rows) in [
        ("dex.uniswap.WETHUSDT_3000", 12_408),
        ("dex.uniswap.EIGENWETH_3000", 5_736),
        ("dex.uniswap.ETHFIWETH_3000", 10_224),
    ] {
        let bars = data.bars(id(text)).unwrap();
        assert_eq!(
            (bars.len(), bars.last_opened()),
            (rows, Some(last_hour)),
            "{text}"
        );
    }
    assert_eq!(data.ids().count(), 34);
}

#[test]
fn first_and_last_values_are_those_of_the_files_to_the_last_digit() {
    let Some(dir) = recorded() else { return };
    let data = everything(&dir);
    let reserves = data
        .rows::<ReserveRow>(id("aave_reserve.aave.weETH"))
        .unwrap();
    let (first, last) = (
        reserves.rows().first().unwrap(),
        reserves.rows().last().unwrap(),
    );
    assert_eq!(first.block, 19_850_229);
    assert_eq!(
        first.liquidity_index_ray,
        1_000_040_438_306_301_500_000_000_000
    );
    assert_eq!(first.liquidity_rate_ray, 1_131_295_347_522_400_000_000_000);
    assert_eq!(last.liquidity_rate_ray, 5_008_303_178_400_000_000_000);
    assert_eq!(
        last.variable_borrow_index_ray,
        1_019_083_178_890_309_000_000_000_000
    );
    assert_eq!(last.total_supplied, number("1834914.0661008717"));
    assert_eq!(last.total_variable_debt, number("1636.8110899459316"));
    let points = |text: &str| Arc::clone(data.rows::<Fixed18>(id(text)).unwrap());
    let rate = points("staking_rate.lido.wstETH_ETH");
    assert_eq!(rate.rows().first(), Some(&number("1.1663913710912035")));
    assert_eq!(rate.rows().last(), Some(&number("1.2041001440597714")));
    let market = points("staking_market.curve.weETH_ETH");
    assert_eq!(market.rows().last(), Some(&number("1.06850225544191")));
    let oracle = points("oracle.aave.WETH_USD");
    assert_eq!(oracle.rows().last(), Some(&number("2524.59374722")));
    let gas = data.rows::<GasFees>(id("gas.ethereum.gwei")).unwrap();
    let last = gas.rows().last().unwrap();
    assert_eq!(
        (last.block, last.gas_price_gwei),
        (22_605_846, number("1.27"))
    );
    assert_eq!(last.base_fee_gwei, number("0.77"));
    let eigen = data
        .rows::<Reward>(id("reward_rate.etherfi.EIGEN"))
        .unwrap();
    let first = eigen.rows().first().unwrap();
    assert_eq!(first.per_eth, number("1.2311682169163858"));
    assert_eq!(first.period_start, date(2024, 8, 15));
    let weth = data.risk_parameters_of(Asset::literal("WETH")).unwrap();
    assert_eq!(weth.reserve_factor, Rate::literal("0.15"));
    let emode = weth.emode.as_ref().unwrap();
    assert_eq!(
        (emode.category.as_str(), emode.ltv),
        ("ETH-correlated", Rate::literal("0.93"))
    );
    let usdt = data.risk_parameters_of(Asset::literal("USDT")).unwrap();
    assert_eq!(usdt.emode, None);
}

/// The market as somebody would have it who knows nothing that became known after `now`.
fn known_by(data: &MarketData, now: Timestamp) -> MarketData {
    fn rows<T: SeriesRow>(known: &mut MarketData, data: &MarketData, id: SeriesId, now: Timestamp) {
        let Some(series) = data.rows::<T>(id) else {
            return;
        };
        let count = series.known_by(now);
        let (at, rows) = (series.at().iter(), series.rows().iter());
        let at = at.copied().take(count).collect();
        let rows = rows.copied().take(count).collect();
        let series = RowSeries::new(id, series.interval(), at, rows).unwrap();
        known.add_rows(series).unwrap();
    }
    let mut known = MarketData::new("known", false);
    for id in data.ids() {
        if let Some(bars) = data.bars(id) {
            let mut builder = BarSeriesBuilder::new(id, bars.length, bars.len());
            for bar in bars.bars().take(bars.closed_by(now)) {
                let prices = [bar.open, bar.high, bar.low, bar.close];
                builder.push(bar.opened_at, prices, bar.volume).unwrap();
            }
            known.add_bars(builder.finish()).unwrap();
        } else if let Some(rates) = data.rates(id) {
            let count = rates.at.partition_point(|at| *at <= now);
            let series = RateSeries {
                id,
                at: rates.at.iter().copied().take(count).collect(),
                rate: rates.rate.iter().copied().take(count).collect(),
            };
            known.add_rates(series).unwrap();
        }
        rows::<Fixed18>(&mut known, data, id, now);
        rows::<ReserveRow>(&mut known, data, id, now);
        rows::<GasFees>(&mut known, data, id, now);
        rows::<Reward>(&mut known, data, id, now);
    }
    known
}

/// Everything a view shows, as text.
fn shown(view: &MarketView, ids: &[SeriesId]) -> Vec<String> {
    fn rows<T: SeriesRow>(view: &MarketView, id: SeriesId) -> Option<String> {
        let slot = view.row_slot::<T>(id)?;
        let (newest, before) = (view.newest(slot), view.before(slot));
        let all = view.between(slot, Timestamp::MIN, Timestamp::MAX).count();
        let last = view.between(slot, Timestamp::MIN, Timestamp::MAX).last();
        Some(format!("{id} {newest:?} {before:?} {all} {last:?}"))
    }
    let quote = |quote: &Quote| format!("{quote:?}");
    ids.iter()
        .map(|id| {
            view.quote_of(*id)
                .map(quote)
                .or_else(|| rows::<Fixed18>(view, *id))
                .or_else(|| rows::<ReserveRow>(view, *id))
                .or_else(|| rows::<GasFees>(view, *id))
                .or_else(|| rows::<Reward>(view, *id))
                .unwrap()
        })
        .collect()
}

#[test]
fn what_a_view_shows_never_depends_on_what_became_known_later() {
    let Some(dir) = recorded() else { return };
    let data = everything(&dir);
    let ids: Vec<_> = data
        .ids()
        .filter(|id| id.kind != SeriesKind::Funding)
        .collect();
    let requests: Vec<_> = ids
        .iter()
        .map(|id| SeriesRequest {
            id: *id,
            reference: None,
        })
        .collect();
    let view =
        |data: Arc<MarketData>| MarketView::new(data, &requests, ViewPolicy::default()).unwrap();
    let mut whole = view(Arc::clone(&data));
    // Odd steps, so that instants on and off the grids of hours and days come up.
    let step = Span::from_minutes(37 * 24 * 60 + 7);
    let steps: Vec<_> = (0..15)
        .map(|number| date(2024, 1, 1).plus(step.times(number)))
        .collect();
    for (done, now) in steps.iter().enumerate() {
        whole.advance_to(*now).unwrap();
        let mut then = view(Arc::new(known_by(&data, *now)));
        // The same steps: a quote covers what happened since the one before.
        for earlier in steps.iter().take(done + 1) {
            then.advance_to(*earlier).unwrap();
        }
        for (one, other) in shown(&whole, &ids).iter().zip(shown(&then, &ids)) {
            assert_eq!(*one, other, "{now}");
        }
    }
}

#[test]
fn daily_rows_hold_over_the_day_and_the_lst_range_has_no_gap() {
    let Some(dir) = recorded() else { return };
    let data = everything(&dir);
    let reserve = id("aave_reserve.aave.WETH");
    let request = SeriesRequest {
        id: reserve,
        reference: None,
    };
    let policy = ViewPolicy::default();
    let mut view = MarketView::new(Arc::clone(&data), &[request], policy.clone()).unwrap();
    let slot = view.row_slot::<ReserveRow>(reserve).unwrap();
    let (start, end) = (date(2024, 1, 1), date(2025, 6, 1));
    view.advance_to(start.plus(Span::from_hours(23))).unwrap();
    let known = view.reserve(slot).unwrap();
    assert_eq!((known.state, known.known_at), (PriceState::Fresh, start));
    view.advance_to(end).unwrap();
    let last = view.reserve(slot).unwrap();
    assert_eq!((last.state, last.age), (PriceState::Fresh, Span::DAY));
    view.advance_to(end.plus(Span::HOUR)).unwrap();
    assert_eq!(view.reserve(slot).unwrap().state, PriceState::Held);
    let from = date(2024, 5, 14);
    for id in data
        .ids()
        .filter(|id| !id.kind.has_bars() && !id.kind.is_event())
    {
        let every = data.interval(id).unwrap();
        let found = coverage(&data, &policy, id, every, (from, end));
        assert_eq!(found.gaps, [], "{id}");
        assert_eq!(found.expected, found.present, "{id}");
    }
}

#[test]
fn a_mode_of_liquid_staking_runs_where_all_of_its_series_are() {
    let Some(dir) = recorded() else { return };
    let report = check(&dir, &RuleBook::default()).unwrap();
    let requirement = ModeRequirement {
        mode: "leveraged".to_owned(),
        needed: [
            "aave_reserve.aave.WETH",
            "aave_reserve.aave.weETH",
            "oracle.aave.weETH_ETH",
            "staking_rate.etherfi.weETH_ETH",
            "staking_market.curve.weETH_ETH",
            "gas.ethereum.gwei",
            "reward_rate.etherfi.EIGEN",
            "reward_top_up.etherfi.ETHFI",
            "spot.bybit.ETHUSDT",
        ]
        .map(id)
        .to_vec(),
        ..ModeRequirement::default()
    };
    let modes = runnable(&report, &[requirement]);
    let mode = modes.first().unwrap();
    assert_eq!(mode.blocked_by, [""; 0]);
    let range = DateRange {
        from: date(2024, 5, 14),
        to: date(2025, 6, 1),
    };
    assert_eq!(mode.without_gaps, [range]);
    assert_eq!(mode.holding, Some(range));
    assert_eq!(mode.missing, []);
}
