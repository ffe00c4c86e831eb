//! The built-in synthetic market: what a run uses when it is given no data, and what benchmarks
//! use so that they need none.
//!
//! One index price per symbol walks at random (four steps a bar, about 2.5 % a day for BTC, pulled
//! gently back to its start); each venue's spot and perp trade at the index plus a mean-reverting
//! basis; funding follows the perp's basis of the eight hours before it. Beside the exchanges there is
//! what a chain has: pools, a lending market, staking, gas and rewards. It resembles a market
//! enough to exercise every path, and says nothing about returns.
//!
//! **Invariants.** Integers only, no clock, no randomness but the seed: the same
//! [`SyntheticSpec`] gives the same data everywhere. Removing values (gaps) changes no other value.

mod chain;

use basis_core::num::{Fixed18, Price, Quantity, Rate};
use basis_core::types::{SeriesId, SeriesKind, Span, Symbol, Timestamp, Venue};
use basis_market::{BarColumns, MarketData, RateSeries};

use crate::catalogue::FUNDING_INTERVAL;

/// Values to leave out of one series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntheticGap {
    /// The series.
    pub series: SeriesId,
    /// The first opening time (or funding instant) left out.
    pub from: Timestamp,
    /// The first one there again.
    pub to: Timestamp,
}

/// Which market to generate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntheticSpec {
    /// Opening time of the first bar; moved back to the full hour.
    pub start: Timestamp,
    /// Hourly bars per price series.
    pub bars: usize,
    /// Chooses the random walk.
    pub seed: u64,
    /// Values left out, none unless asked.
    pub gaps: Vec<SyntheticGap>,
}

impl Default for SyntheticSpec {
    /// 2024-01-01 to 2024-07-01 (182 days), seed 1, no gaps.
    fn default() -> Self {
        Self {
            start: Timestamp::from_date(2024, 1, 1).unwrap_or_default(),
            bars: 182 * 24,
            seed: 1,
            gaps: Vec::new(),
        }
    }
}

/// What to generate of one symbol. Prices are in ticks of 0.01.
struct Coin {
    symbol: Symbol,
    /// Where the index starts and is pulled to, in ticks.
    anchor: i64,
    /// Standard deviation of a quarter hour, in millionths.
    volatility: i64,
    /// How much of the shared shock it takes, in tenths; the rest is its own.
    shared: i64,
    /// Its own shock, in tenths.
    own: i64,
    /// Volume of an average hour in thousandths of a base unit.
    volume: i64,
}

// 2.5 % a day is 2,550 millionths per quarter hour; 3.2 % is 3,270.
const COINS: [Coin; 2] = [
    Coin {
        symbol: Symbol::literal("BTCUSDT"),
        anchor: 6_000_000,
        volatility: 2_550,
        shared: 10,
        own: 0,
        volume: 1_200_000,
    },
    Coin {
        symbol: Symbol::literal("ETHUSDT"),
        anchor: 300_000,
        volatility: 3_270,
        shared: 8,
        own: 6,
        volume: 20_000_000,
    },
];

/// What to generate of one venue's price series.
struct Listing {
    kind: SeriesKind,
    venue: Venue,
    /// Where its basis is pulled to, in millionths of the index.
    basis: i64,
    /// Standard deviation of a bar's change of basis, in millionths.
    basis_volatility: i64,
    /// Ticks per price step: spot trades in 0.01, perps in 0.1 of BTC's quote.
    step: i64,
    /// Share of the coin's volume, in tenths.
    volume: i64,
}

impl Listing {
    const fn spot(venue: &str, volume: i64) -> Self {
        Self {
            kind: SeriesKind::Spot,
            venue: Venue::literal(venue),
            basis: 0,
            basis_volatility: 30,
            step: 1,
            volume,
        }
    }

    const fn perp(venue: &str, basis: i64, volume: i64) -> Self {
        Self {
            kind: SeriesKind::Perp,
            venue: Venue::literal(venue),
            basis,
            basis_volatility: 110,
            step: 10,
            volume,
        }
    }
}

const LISTINGS: [Listing; 5] = [
    Listing::spot("binance", 10),
    Listing::spot("bybit", 3),
    Listing::perp("binance", 150, 60),
    Listing::perp("bybit", 120, 25),
    Listing::perp("okx", 90, 30),
];

/// Quarter hours in a bar.
const STEPS: usize = 4;
/// How far the index returns to its anchor per step: a quarter of the way in about 30 days.
const INDEX_PULL_MILLIONTHS: i64 = 100;
/// The part of its distance a basis returns per bar, as a divisor: half in about eight hours.
const BASIS_PULL_DIVISOR: i64 = 12;
/// The rate charged at no basis: 0.01 %, in units of 1e-8.
const FUNDING_BASE: i64 = 10_000;
/// The largest rate either way: 0.3 %, in units of 1e-8.
const FUNDING_MAX: i64 = 300_000;

/// `SplitMix64`: a counter whose every value is mixed; public domain (Sebastiano Vigna, 2015).
struct SplitMix64(u64);

impl SplitMix64 {
    /// An independent stream of `seed`.
    const fn stream(seed: u64, stream: u64) -> Self {
        let mut mixed = Self(seed ^ stream.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        Self(mixed.next())
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Roughly normal with mean 0 and standard deviation `deviation`, at most 3.5 times it.
    fn normal(&mut self, deviation: i64) -> i64 {
        // Four uniform numbers of 16 bits: the sum has a deviation of 65,536 / sqrt(3).
        const DEVIATION: i64 = 37_837;
        let bits = self.next();
        let sum: u64 = [0, 16, 32, 48]
            .iter()
            .map(|shift| bits >> shift & 0xFFFF)
            .sum();
        (i64::try_from(sum).unwrap_or_default() - 2 * 65_535) * deviation / DEVIATION
    }

    /// A number from 0 to `below - 1`; the bias is far below what anyone could notice.
    fn below(&mut self, below: u32) -> i64 {
        i64::from(u32::try_from(((self.next() >> 32) * u64::from(below)) >> 32).unwrap_or_default())
    }
}

/// Generates the market: spot at Binance and Bybit, perps and funding at Binance, Bybit and OKX,
/// for BTCUSDT and ETHUSDT; Uniswap pools, Aave reserves and oracle, weETH and wstETH, gas, and
/// EtherFi's rewards. Labeled synthetic. Volumes are in base units, a pool's in USD.
///
/// # Panics
/// Never: what is generated is a series by construction, which tests prove.
#[must_use]
pub fn synthetic(spec: &SyntheticSpec) -> MarketData {
    let source = format!(
        "built-in synthetic market (seed {}, {} hourly bars from {})",
        spec.seed,
        spec.bars,
        spec.start.floor_to(Span::HOUR)
    );
    let mut data = MarketData::new(source, true);
    let mut eth = Vec::new();
    for (coin, number) in COINS.iter().zip(1..) {
        let index = index_path(coin, number, spec);
        for (listing, stream) in LISTINGS.iter().zip(number * 100..) {
            let mut random = SplitMix64::stream(spec.seed, stream);
            let generated = trade(coin, listing, &index, spec, &mut random);
            let (bars, rates) = (generated.bars, generated.rates);
            data.add_bars(without_gaps(bars, spec))
                .expect("invariant: generated bars are a series");
            if listing.kind == SeriesKind::Perp {
                data.add_rates(rates_without_gaps(rates, spec))
                    .expect("invariant: generated rates are a series");
            }
        }
        // The last coin is ETH.
        eth = index;
    }
    chain::add(&mut data, spec, &eth);
    data
}

/// The index at the end of every quarter hour, in ticks.
fn index_path(coin: &Coin, number: u64, spec: &SyntheticSpec) -> Vec<i64> {
    let mut shared = SplitMix64::stream(spec.seed, 0);
    let mut own = SplitMix64::stream(spec.seed, number);
    let mut price = coin.anchor;
    (0..spec.bars.saturating_mul(STEPS))
        .map(|_| {
            let shock = shared.normal(coin.volatility) * coin.shared / 10
                + own.normal(coin.volatility) * coin.own / 10;
            let pull = (coin.anchor - price) * INDEX_PULL_MILLIONTHS;
            price += (price * shock + pull) / 1_000_000;
            // The walk does not get there in practice; this keeps prices above zero for any seed.
            price = price.max(coin.anchor / 10);
            price
        })
        .collect()
}

struct Generated {
    bars: BarColumns,
    rates: RateSeries,
}

/// One venue's bars and funding rates along the index.
fn trade(
    coin: &Coin,
    listing: &Listing,
    index: &[i64],
    spec: &SyntheticSpec,
    random: &mut SplitMix64,
) -> Generated {
    let mut basis = listing.basis;
    let mut last = at_basis(coin.anchor, basis, listing.step);
    let mut opened_at = spec.start.floor_to(Span::HOUR);
    let mut made = empty(coin, listing, spec.bars);
    let mut premium = Average::default();
    if opened_at.floor_to(FUNDING_INTERVAL) == opened_at {
        made.rates.at.push(opened_at);
        made.rates.rate.push(funding_rate(listing.basis, random));
    }
    for steps in index.chunks_exact(STEPS) {
        basis += random.normal(listing.basis_volatility);
        basis += (listing.basis - basis) / BASIS_PULL_DIVISOR;
        let (open, mut high, mut low) = (last, last, last);
        for step in steps {
            last = at_basis(*step, basis, listing.step);
            high = high.max(last);
            low = low.min(last);
        }
        // Busier when the price moves: half to one and a half times, more by the range.
        let range = (high - low) * 100 / low;
        let volume = coin.volume * listing.volume / 10 * (50 + random.below(100) + 40 * range);
        made.bars.opened_at.push(opened_at);
        made.bars.open.push(price(open));
        made.bars.high.push(price(high));
        made.bars.low.push(price(low));
        made.bars.close.push(price(last));
        made.bars
            .volume
            .push(Quantity::new(scaled(volume / 100, 3)));
        opened_at = opened_at.plus(Span::HOUR);
        premium.add(basis);
        if opened_at.floor_to(FUNDING_INTERVAL) == opened_at {
            made.rates.at.push(opened_at);
            made.rates.rate.push(funding_rate(premium.take(), random));
        }
    }
    made
}

fn empty(coin: &Coin, listing: &Listing, bars: usize) -> Generated {
    let id = |kind| SeriesId::new(kind, listing.venue, coin.symbol);
    Generated {
        bars: BarColumns {
            id: id(listing.kind),
            length: Span::HOUR,
            opened_at: Vec::with_capacity(bars),
            open: Vec::with_capacity(bars),
            high: Vec::with_capacity(bars),
            low: Vec::with_capacity(bars),
            close: Vec::with_capacity(bars),
            volume: Vec::with_capacity(bars),
        },
        rates: RateSeries {
            id: id(SeriesKind::Funding),
            at: Vec::with_capacity(bars / 8 + 2),
            rate: Vec::with_capacity(bars / 8 + 2),
        },
    }
}

/// The mean basis since the last settlement, in millionths.
#[derive(Default)]
struct Average {
    sum: i64,
    count: i64,
}

impl Average {
    const fn add(&mut self, value: i64) {
        self.sum += value;
        self.count += 1;
    }

    fn take(&mut self) -> i64 {
        let Self { sum, count } = std::mem::take(self);
        if count == 0 { 0 } else { sum / count }
    }
}

/// A third of the mean basis above its usual size, on top of 0.01 %, and a little noise.
fn funding_rate(premium: i64, random: &mut SplitMix64) -> Rate {
    // Millionths of basis are hundreds of 1e-8.
    let rate = FUNDING_BASE + (premium - 120) * 100 / 3 + random.normal(1_500);
    Rate::new(scaled(rate.clamp(-FUNDING_MAX, FUNDING_MAX), 8))
}

/// The index moved by `basis` millionths, on the price grid, in ticks of 0.01.
fn at_basis(index: i64, basis: i64, step: i64) -> i64 {
    let price = index + index * basis / 1_000_000;
    (price + step / 2) / step * step
}

/// A price of so many ticks of 0.01.
fn price(ticks: i64) -> Price {
    Price::positive(scaled(ticks, 2))
        .expect("invariant: the walk stays above a tenth of its anchor")
}

/// `units` with `decimals` (at most 18) decimals.
fn scaled(units: i64, decimals: u32) -> Fixed18 {
    Fixed18::from_mantissa(i128::from(units) * 10_i128.pow(Fixed18::DECIMALS - decimals))
}

fn is_in_gap(spec: &SyntheticSpec, series: SeriesId, at: Timestamp) -> bool {
    spec.gaps
        .iter()
        .any(|gap| gap.series == series && gap.from <= at && at < gap.to)
}

fn without_gaps(mut bars: BarColumns, spec: &SyntheticSpec) -> BarColumns {
    if spec.gaps.iter().all(|gap| gap.series != bars.id) {
        return bars;
    }
    let kept: Vec<bool> = bars
        .opened_at
        .iter()
        .map(|at| !is_in_gap(spec, bars.id, *at))
        .collect();
    keep(&mut bars.opened_at, &kept);
    keep(&mut bars.open, &kept);
    keep(&mut bars.high, &kept);
    keep(&mut bars.low, &kept);
    keep(&mut bars.close, &kept);
    keep(&mut bars.volume, &kept);
    bars
}

fn rates_without_gaps(mut rates: RateSeries, spec: &SyntheticSpec) -> RateSeries {
    let kept: Vec<bool> = rates
        .at
        .iter()
        .map(|at| !is_in_gap(spec, rates.id, *at))
        .collect();
    keep(&mut rates.at, &kept);
    keep(&mut rates.rate, &kept);
    rates
}

fn keep<T>(column: &mut Vec<T>, kept: &[bool]) {
    let mut kept = kept.iter();
    column.retain(|_| kept.next().copied().unwrap_or(true));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> SeriesId {
        text.parse().unwrap()
    }

    fn spec(seed: u64, bars: usize) -> SyntheticSpec {
        SyntheticSpec {
            seed,
            bars,
            ..SyntheticSpec::default()
        }
    }

    #[test]
    fn default_market_is_labeled_and_has_every_series() {
        let data = synthetic(&SyntheticSpec::default());
        assert!(data.is_synthetic());
        assert!(data.source().contains("synthetic"), "{}", data.source());
        let ids: Vec<_> = data.ids().map(|id| id.to_string()).collect();
        let expected = [
            "spot.binance.BTCUSDT",
            "spot.binance.ETHUSDT",
            "spot.bybit.BTCUSDT",
            "spot.bybit.ETHUSDT",
            "perp.binance.BTCUSDT",
            "perp.binance.ETHUSDT",
            "perp.bybit.BTCUSDT",
            "perp.bybit.ETHUSDT",
            "perp.okx.BTCUSDT",
            "perp.okx.ETHUSDT",
            "funding.binance.BTCUSDT",
            "funding.binance.ETHUSDT",
            "funding.bybit.BTCUSDT",
            "funding.bybit.ETHUSDT",
            "funding.okx.BTCUSDT",
            "funding.okx.ETHUSDT",
            "dex.uniswap.EIGENWETH_3000",
            "dex.uniswap.ETHFIWETH_3000",
            "dex.uniswap.WETHUSDT_3000",
            "aave_reserve.aave.USDT",
            "aave_reserve.aave.WETH",
            "aave_reserve.aave.weETH",
            "aave_reserve.aave.wstETH",
            "oracle.aave.USDT_USD",
            "oracle.aave.WETH_USD",
            "oracle.aave.weETH_ETH",
            "oracle.aave.weETH_USD",
            "oracle.aave.wstETH_ETH",
            "oracle.aave.wstETH_USD",
            "staking_rate.etherfi.weETH_ETH",
            "staking_rate.lido.wstETH_ETH",
            "staking_market.curve.weETH_ETH",
            "staking_market.uniswap.wstETH_ETH",
            "gas.ethereum.gwei",
            "reward_rate.etherfi.EIGEN",
            "reward_top_up.etherfi.ETHFI",
        ];
        assert_eq!(ids, expected);
        let bars = data.bars(id("perp.okx.BTCUSDT")).unwrap();
        assert_eq!(bars.len(), 4_368);
        let end = bars.last_opened().unwrap().plus(Span::HOUR);
        assert_eq!(end, Timestamp::from_date(2024, 7, 1).unwrap());
        let rates = data.rates(id("funding.okx.BTCUSDT")).unwrap();
        assert_eq!(rates.at.len(), 182 * 3 + 1);
        assert_eq!(*rates.at.last().unwrap(), end);
        let interval = FUNDING_INTERVAL;
        assert!(rates.at.iter().all(|at| at.floor_to(interval) == *at));
    }

    fn closes_of(data: &MarketData, series: &str) -> Vec<Price> {
        let bars = data.bars(id(series)).unwrap();
        bars.bars().map(|bar| bar.close).collect()
    }

    #[test]
    fn equal_seeds_give_equal_data_and_others_do_not() {
        let text = |seed| format!("{:?}", synthetic(&spec(seed, 500)));
        assert_eq!(text(7), text(7));
        let closes = |seed| {
            let data = synthetic(&spec(seed, 500));
            closes_of(&data, "spot.binance.BTCUSDT")
        };
        assert_ne!(closes(7), closes(8));
    }

    #[test]
    fn more_bars_extend_the_same_market() {
        let (short, long) = (synthetic(&spec(1, 300)), synthetic(&spec(1, 600)));
        for series in short.ids().filter_map(|id| short.bars(id)) {
            let longer = long.bars(series.id).unwrap();
            assert!(series.bars().eq(longer.bars().take(300)));
        }
    }

    #[test]
    fn bars_of_many_seeds_are_series_within_reason() {
        for seed in 0..20 {
            let data = synthetic(&spec(seed, 12_132));
            let listed = data.ids().filter(|id| id.kind != SeriesKind::Dex);
            for bars in listed.filter_map(|id| data.bars(id)) {
                let btc = bars.id.symbol.as_str() == "BTCUSDT";
                let (low, high) = if btc {
                    ("15000", "240000")
                } else {
                    ("500", "18000")
                };
                let range = Price::literal(low)..Price::literal(high);
                assert!(
                    bars.bars().all(|bar| range.contains(&bar.close)),
                    "{}",
                    bars.id
                );
                assert!(bars.bars().all(|bar| bar.volume.is_positive()));
            }
        }
    }

    #[test]
    fn perps_stay_near_spot_and_funding_changes_sign_around_a_hundredth_of_a_percent() {
        let data = synthetic(&SyntheticSpec::default());
        let spot = closes_of(&data, "spot.binance.BTCUSDT");
        for venue in ["binance", "bybit", "okx"] {
            let perp = closes_of(&data, &format!("perp.{venue}.BTCUSDT"));
            let bps: Vec<f64> = perp
                .iter()
                .zip(&spot)
                .map(|(perp, spot)| (perp.to_f64() / spot.to_f64() - 1.0) * 1e4)
                .collect();
            assert!(bps.iter().all(|bps| bps.abs() < 30.0), "{venue}");
            assert!(bps.iter().any(|bps| *bps < -1.0), "{venue} is never below");
            let rates = &data
                .rates(id(&format!("funding.{venue}.BTCUSDT")))
                .unwrap()
                .rate;
            let percent: Vec<f64> = rates.iter().map(|rate| rate.to_f64() * 100.0).collect();
            let count = f64::from(u32::try_from(percent.len()).unwrap());
            let mean = percent.iter().sum::<f64>() / count;
            assert!((0.004..0.02).contains(&mean), "{venue} {mean}");
            let negative = rates.iter().filter(|rate| rate.is_negative()).count();
            assert!((20..250).contains(&negative), "{venue} {negative}");
        }
    }

    #[test]
    fn daily_volatility_is_about_two_and_a_half_percent() {
        let data = synthetic(&spec(1, 12_000));
        let closes = closes_of(&data, "spot.binance.BTCUSDT");
        let daily: Vec<f64> = closes.iter().step_by(24).map(|c| c.to_f64()).collect();
        let squares = daily
            .windows(2)
            .map(|pair| (pair[1] / pair[0]).ln().powi(2));
        let days = f64::from(u32::try_from(daily.len() - 1).unwrap());
        let deviation = (squares.sum::<f64>() / days).sqrt();
        assert!((0.022..0.028).contains(&deviation), "{deviation}");
    }

    #[test]
    fn gaps_leave_out_what_they_name_and_change_nothing_else() {
        let whole = synthetic(&spec(1, 100));
        let at = |hours| SyntheticSpec::default().start.plus(Span::from_hours(hours));
        let gap = |series, from, to| SyntheticGap {
            series: id(series),
            from: at(from),
            to: at(to),
        };
        let mut spec = spec(1, 100);
        spec.gaps = vec![
            gap("perp.okx.BTCUSDT", 10, 13),
            gap("funding.okx.BTCUSDT", 8, 24),
        ];
        let holed = synthetic(&spec);
        for id in whole.ids() {
            if let (Some(a), Some(b)) = (whole.bars(id), holed.bars(id)) {
                let missing = if id == spec.gaps[0].series { 3 } else { 0 };
                assert_eq!(a.len(), b.len() + missing, "{id}");
                assert_eq!(a.bars().last(), b.bars().last());
                assert!(a.bars().take(10).eq(b.bars().take(10)));
            }
            if let (Some(a), Some(b)) = (whole.rates(id), holed.rates(id)) {
                let missing = if id == spec.gaps[1].series { 2 } else { 0 };
                assert_eq!(a.at.len(), b.at.len() + missing, "{id}");
            }
        }
        let okx = holed.bars(id("perp.okx.BTCUSDT")).unwrap();
        assert_eq!(okx.opened_at(10), Some(at(13)));
    }

    #[test]
    fn no_bars_is_an_empty_market_not_a_panic() {
        let data = synthetic(&spec(1, 0));
        assert!(data.bars(id("spot.binance.BTCUSDT")).unwrap().is_empty());
    }
}
