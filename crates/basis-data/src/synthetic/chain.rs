//! What the synthetic market has of a chain: pools, a lending market, staking, gas, rewards.
//!
//! Everything follows the same ETH index as the exchanges. A lending reserve's utilization walks
//! around its usual value and sets its rates by a curve with one kink; its indices grow from row to row
//! as Aave's own formulas grow them at the rates of the row before, so that what a simulation accrues
//! over a day is what the next row says. Liquid staking tokens earn about 3 % a year and trade a few
//! basis points below that. Rewards are weekly.
//!
//! **Invariants.** As [`super`]; streams of its own, so that nothing here moves an exchange's price.

use basis_core::num::{Fixed18, Price, Rate, U256};
use basis_core::types::{Asset, Label, SeriesId, SeriesKind, Span, Symbol, Timestamp, Venue};
use basis_market::{
    AaveEMode, AaveRiskParameters, BarColumns, GasFees, MarketData, ReserveRow, Reward, RowSeries,
    SeriesRow,
};

use super::{
    Coin, Listing, STEPS, SplitMix64, SyntheticSpec, index_path, is_in_gap, scaled, trade,
};

/// Random streams from here on are the chain's.
const STREAMS: u64 = 1_000;

const AAVE: Venue = Venue::literal("aave");
const CURVE: Venue = Venue::literal("curve");
const ETHERFI: Venue = Venue::literal("etherfi");
const ETHEREUM: Venue = Venue::literal("ethereum");
const LIDO: Venue = Venue::literal("lido");
const UNISWAP: Venue = Venue::literal("uniswap");

/// The block at the market's start, and how many follow in an hour.
const FIRST_BLOCK: u64 = 18_900_000;
const BLOCKS_PER_HOUR: u64 = 298;

/// Adds everything but exchanges; `eth` is the ETH index per quarter hour, in ticks of 0.01.
pub(super) fn add(data: &mut MarketData, spec: &SyntheticSpec, eth: &[i64]) {
    let chain = Chain { spec, eth };
    chain.add_pools(data);
    chain.add_gas(data);
    chain.add_lending(data);
    chain.add_rewards(data);
}

/// A pool whose price is its own walk, in ticks of 10^-8 ETH.
struct Pool {
    symbol: Symbol,
    anchor: i64,
}

const POOLS: [Pool; 2] = [
    Pool {
        symbol: Symbol::literal("EIGENWETH_3000"),
        anchor: 120_000,
    },
    Pool {
        symbol: Symbol::literal("ETHFIWETH_3000"),
        anchor: 60_000,
    },
];

/// A liquid staking token; rates in 10^-6 ETH.
struct Token {
    name: &'static str,
    protocol: Venue,
    pool: Venue,
    start: i128,
    /// The usual discount of the pool, and its standard deviation per hour, in millionths.
    discount: i64,
    volatility: i64,
}

const TOKENS: [Token; 2] = [
    Token {
        name: "weETH",
        protocol: ETHERFI,
        pool: CURVE,
        start: 1_035_000,
        discount: 600,
        volatility: 60,
    },
    Token {
        name: "wstETH",
        protocol: LIDO,
        pool: UNISWAP,
        start: 1_155_000,
        discount: 250,
        volatility: 30,
    },
];

/// A lending reserve; rates and shares in basis points.
struct Reserve {
    asset: &'static str,
    supplied: i64,
    utilization: i64,
    optimal: i64,
    slope: i64,
    steep: i64,
    reserve_factor: i64,
    ltv: &'static str,
    threshold: &'static str,
    bonus: &'static str,
    correlated: bool,
}

const RESERVES: [Reserve; 4] = [
    Reserve {
        asset: "WETH",
        supplied: 1_500_000,
        utilization: 8_700,
        optimal: 9_000,
        slope: 270,
        steep: 8_000,
        reserve_factor: 1_500,
        ltv: "0.8",
        threshold: "0.83",
        bonus: "0.05",
        correlated: true,
    },
    Reserve {
        asset: "weETH",
        supplied: 900_000,
        utilization: 50,
        optimal: 3_000,
        slope: 700,
        steep: 30_000,
        reserve_factor: 4_500,
        ltv: "0.77",
        threshold: "0.8",
        bonus: "0.07",
        correlated: true,
    },
    Reserve {
        asset: "wstETH",
        supplied: 1_100_000,
        utilization: 900,
        optimal: 8_000,
        slope: 450,
        steep: 8_000,
        reserve_factor: 3_500,
        ltv: "0.78",
        threshold: "0.81",
        bonus: "0.06",
        correlated: true,
    },
    Reserve {
        asset: "USDT",
        supplied: 1_800_000_000,
        utilization: 8_200,
        optimal: 9_000,
        slope: 550,
        steep: 7_500,
        reserve_factor: 1_000,
        ltv: "0.75",
        threshold: "0.78",
        bonus: "0.045",
        correlated: false,
    },
];

struct Chain<'a> {
    spec: &'a SyntheticSpec,
    eth: &'a [i64],
}

/// Daily values of one token, and the instants they are known at.
struct Daily {
    at: Vec<Timestamp>,
    rates: Vec<Fixed18>,
}

impl Chain<'_> {
    fn start(&self) -> Timestamp {
        self.spec.start.floor_to(Span::HOUR)
    }

    fn end(&self) -> Timestamp {
        let hours = i64::try_from(self.spec.bars).unwrap_or(i64::MAX);
        self.start().plus(Span::HOUR.times(hours))
    }

    /// Instants every `span` from the last one before the market's start to its end.
    fn instants(&self, span: Span) -> impl Iterator<Item = Timestamp> {
        let end = self.end();
        let first = self.start().floor_to(span);
        std::iter::successors(Some(first), move |at| Some(at.plus(span)))
            .take_while(move |at| *at <= end)
    }

    fn random(&self, stream: u64) -> SplitMix64 {
        SplitMix64::stream(self.spec.seed, STREAMS + stream)
    }

    fn block(&self, at: Timestamp) -> u64 {
        let hours = at.since(self.start()).seconds() / 3_600;
        let hours = u64::try_from(hours).unwrap_or_default();
        FIRST_BLOCK + hours * BLOCKS_PER_HOUR
    }

    /// The index at `at`, in ticks of 0.01.
    fn eth_at(&self, at: Timestamp) -> i64 {
        let hours = at.since(self.start()).seconds() / 3_600;
        let steps = usize::try_from(hours).unwrap_or_default() * STEPS;
        let newest = steps.checked_sub(1).and_then(|step| self.eth.get(step));
        newest.copied().unwrap_or(300_000)
    }

    /// Adds a series without the values the market is to lack.
    fn add<T: SeriesRow>(
        &self,
        data: &mut MarketData,
        id: SeriesId,
        interval: Option<Span>,
        rows: impl Iterator<Item = (Timestamp, T)>,
    ) {
        let (at, rows) = rows
            .filter(|(at, _)| !is_in_gap(self.spec, id, *at))
            .unzip();
        let series =
            RowSeries::new(id, interval, at, rows).expect("invariant: generated rows are a series");
        data.add_rows(series)
            .expect("invariant: every generated series is generated once");
    }

    fn add_pools(&self, data: &mut MarketData) {
        let bars = |coin: &Coin, volatility: i64, index: &[i64], stream: u64| {
            let listing = Listing {
                kind: SeriesKind::Dex,
                venue: UNISWAP,
                basis: 0,
                basis_volatility: volatility,
                step: 1,
                volume: 10,
            };
            let mut random = self.random(stream);
            trade(coin, &listing, index, self.spec, &mut random).bars
        };
        let eth = Coin {
            symbol: Symbol::literal("WETHUSDT_3000"),
            anchor: 300_000,
            volatility: 0,
            shared: 0,
            own: 0,
            // 400,000 USD an hour, in thousandths.
            volume: 400_000_000,
        };
        add_bars(data, self.spec, bars(&eth, 60, self.eth, 0));
        for (pool, number) in POOLS.iter().zip(1..) {
            let coin = Coin {
                symbol: pool.symbol,
                anchor: pool.anchor,
                volatility: 4_500,
                shared: 0,
                own: 10,
                volume: 30_000_000,
            };
            let index = index_path(&coin, STREAMS + 100 + number, self.spec);
            let mut bars = bars(&coin, 100, &index, number);
            for prices in [
                &mut bars.open,
                &mut bars.high,
                &mut bars.low,
                &mut bars.close,
            ] {
                for price in prices {
                    *price = millionth(*price);
                }
            }
            add_bars(data, self.spec, bars);
        }
    }

    fn add_gas(&self, data: &mut MarketData) {
        // In hundredths of a gwei.
        let (usual, least, most) = (1_500, 500, 6_000);
        let mut random = self.random(10);
        let mut base = usual;
        let rows = self.instants(Span::HOUR).map(|at| {
            base += base * random.normal(120_000) / 1_000_000 + (usual - base) / 24;
            base = base.clamp(least, most);
            let priority = 5 + random.below(150);
            let fees = GasFees {
                block: self.block(at),
                base_fee_gwei: scaled(base, 2),
                priority_fee_gwei: scaled(priority, 2),
                gas_price_gwei: scaled(base + priority, 2),
            };
            (at, fees)
        });
        let rows: Vec<_> = rows.collect();
        let id = SeriesId::new(SeriesKind::Gas, ETHEREUM, Symbol::literal("gwei"));
        self.add(data, id, Some(Span::HOUR), rows.into_iter());
    }

    /// Staking rates, oracle values, reserves.
    fn add_lending(&self, data: &mut MarketData) {
        let eth: Vec<_> = self
            .instants(Span::DAY)
            .map(|at| (at, scaled(self.eth_at(at), 2)))
            .collect();
        let mut random = self.random(20);
        let usdt: Vec<_> = self
            .instants(Span::DAY)
            .map(|at| (at, scaled(100_000_000 + random.normal(30_000), 8)))
            .collect();
        self.add_oracle(data, "WETH_USD", &eth);
        self.add_oracle(data, "USDT_USD", &usdt);
        for (reserve, number) in RESERVES.iter().zip(0..) {
            let token = TOKENS.iter().find(|token| token.name == reserve.asset);
            let prices = match token {
                Some(token) => {
                    let daily = self.add_token(data, token, 30 + number);
                    let rates = daily.at.iter().copied().zip(daily.rates);
                    let rates: Vec<_> = rates.collect();
                    let usd: Vec<_> = eth
                        .iter()
                        .zip(&rates)
                        .map(|((at, eth), (_, rate))| (*at, times(*eth, *rate, 8)))
                        .collect();
                    self.add_oracle(data, &format!("{}_ETH", token.name), &rates);
                    self.add_oracle(data, &format!("{}_USD", token.name), &usd);
                    usd
                }
                None if reserve.asset == "USDT" => usdt.clone(),
                None => eth.clone(),
            };
            self.add_reserve(data, reserve, &prices, 40 + number);
        }
        data.set_risk_parameters(RESERVES.iter().map(Reserve::risk_parameters).collect());
    }

    fn add_oracle(&self, data: &mut MarketData, symbol: &str, rows: &[(Timestamp, Fixed18)]) {
        let id = SeriesId::new(SeriesKind::Oracle, AAVE, label(symbol));
        self.add(data, id, Some(Span::DAY), rows.iter().copied());
    }

    /// The rates of a token, by its protocol once a day and in its pool once an hour.
    fn add_token(&self, data: &mut MarketData, token: &Token, stream: u64) -> Daily {
        let mut random = self.random(stream);
        let mut rate = token.start * 1_000_000_000_000;
        let mut daily = Daily {
            at: Vec::new(),
            rates: Vec::new(),
        };
        for at in self.instants(Span::DAY) {
            daily.at.push(at);
            daily.rates.push(Fixed18::from_mantissa(rate));
            // 3 % a year is 82,192 billionths a day.
            rate += rate * i128::from(82_192 + random.normal(6_000)) / 1_000_000_000;
        }
        let symbol = label(&format!("{}_ETH", token.name));
        let id = SeriesId::new(SeriesKind::StakingRate, token.protocol, symbol);
        let rows = daily.at.iter().copied().zip(daily.rates.iter().copied());
        self.add(data, id, Some(Span::DAY), rows);
        let mut discount = token.discount;
        let first = self.start().floor_to(Span::DAY);
        let rows = self.instants(Span::HOUR).map(|at| {
            discount += random.normal(token.volatility) + (token.discount - discount) / 24;
            let day = at.since(first).seconds() / 86_400;
            let rate = daily.rates.get(usize::try_from(day).unwrap_or_default());
            let rate = rate.copied().unwrap_or(Fixed18::ONE).mantissa();
            let market = rate - rate * i128::from(discount) / 1_000_000;
            (at, Fixed18::from_mantissa(market / 1_000 * 1_000))
        });
        let rows: Vec<_> = rows.collect();
        let id = SeriesId::new(SeriesKind::StakingMarket, token.pool, symbol);
        self.add(data, id, Some(Span::HOUR), rows.into_iter());
        daily
    }

    fn add_reserve(
        &self,
        data: &mut MarketData,
        reserve: &Reserve,
        prices: &[(Timestamp, Fixed18)],
        stream: u64,
    ) {
        let mut random = self.random(stream);
        let mut utilization = reserve.utilization;
        let mut supplied = reserve.supplied;
        let mut row: Option<ReserveRow> = None;
        let rows = prices.iter().map(|(at, price)| {
            utilization += random.normal(reserve.utilization / 250 + 1);
            utilization += (reserve.utilization - utilization) / 10;
            utilization = utilization.clamp(1, 9_900);
            supplied += supplied * random.normal(4_000) / 1_000_000;
            let borrow = reserve.borrow_rate_ray(utilization);
            let kept = u128::try_from(10_000 - reserve.reserve_factor).unwrap_or_default();
            let used = u128::try_from(utilization).unwrap_or_default();
            let (liquidity_index_ray, variable_borrow_index_ray) =
                row.as_ref().map_or((RAY, RAY), after_a_day);
            let next = ReserveRow {
                block: self.block(*at),
                liquidity_index_ray,
                liquidity_rate_ray: borrow / 10_000 * used / 10_000 * kept,
                variable_borrow_index_ray,
                variable_borrow_rate_ray: borrow,
                total_supplied: scaled(supplied, 0),
                total_variable_debt: scaled(supplied / 100 * utilization, 2),
                oracle_price_usd: *price,
            };
            row = Some(next);
            (*at, next)
        });
        let rows: Vec<_> = rows.collect();
        let id = SeriesId::new(SeriesKind::AaveReserve, AAVE, label(reserve.asset));
        self.add(data, id, Some(Span::DAY), rows.into_iter());
    }

    /// Weekly EIGEN at the end of each week, and ETHFI five days later.
    fn add_rewards(&self, data: &mut MarketData) {
        let week = Span::DAY.times(7);
        let first = self.start().floor_to(Span::DAY);
        let end = self.end();
        for (kind, symbol, usual, delay, stream) in [
            (SeriesKind::RewardRate, "EIGEN", 180_000, 0, 50),
            (SeriesKind::RewardTopUp, "ETHFI", 150_000, 5, 51),
        ] {
            let mut random = self.random(stream);
            let weeks = std::iter::successors(Some(first), |start| Some(start.plus(week)));
            let rows = weeks.map(|period_start| {
                let period_end = period_start.plus(week);
                // Millionths of a token per ETH, and two million ETH.
                let per_eth = usual + random.normal(usual / 20);
                let reward = Reward {
                    period_start,
                    period_end,
                    total: Fixed18::from_int(per_eth * 2),
                    per_eth: scaled(per_eth, 6),
                };
                (period_end.plus(Span::DAY.times(delay)), reward)
            });
            let id = SeriesId::new(kind, ETHERFI, label(symbol));
            let rows: Vec<_> = rows.take_while(|(at, _)| *at <= end).collect();
            self.add(data, id, None, rows.into_iter());
        }
    }
}

const RAY: u128 = 10_u128.pow(27);
const SECONDS_PER_YEAR: u64 = 365 * 86_400;

impl Reserve {
    /// What variable debt costs at a utilization in basis points: a straight line to the optimum, a
    /// steep one after it.
    fn borrow_rate_ray(&self, utilization: i64) -> u128 {
        let below = utilization.min(self.optimal);
        let above = utilization - below;
        // In basis points of basis points: 10^-8.
        let flat = self.slope * 10_000 * below / self.optimal;
        let steep = self.steep * 10_000 * above / (10_000 - self.optimal);
        u128::try_from(flat + steep).unwrap_or_default() * 10_u128.pow(19)
    }

    fn risk_parameters(&self) -> AaveRiskParameters {
        let share = |basis_points: i64| Rate::new(scaled(basis_points, 4));
        AaveRiskParameters {
            asset: Asset::literal(self.asset),
            ltv: Rate::literal(self.ltv),
            liquidation_threshold: Rate::literal(self.threshold),
            liquidation_bonus: Rate::literal(self.bonus),
            reserve_factor: share(self.reserve_factor),
            optimal_utilization: share(self.optimal),
            emode: self.correlated.then(|| AaveEMode {
                category: Label::literal("ETH-correlated"),
                ltv: Rate::literal("0.93"),
                liquidation_threshold: Rate::literal("0.95"),
                liquidation_bonus: Rate::literal("0.01"),
            }),
        }
    }
}

/// Both indices of a reserve a day after `row`, by `MathUtils.calculateLinearInterest` and
/// `calculateCompoundedInterest` of Aave V3 at the row's rates.
fn after_a_day(row: &ReserveRow) -> (u128, u128) {
    let (day, year) = (U256::from(86_400_u64), U256::from(SECONDS_PER_YEAR));
    let (one, ray) = (U256::ONE, U256::from(RAY));
    let ray_mul = |a: U256, b: U256| (a * b + ray / U256::from(2_u64)) / ray;
    let linear = ray + U256::from(row.liquidity_rate_ray) * day / year;
    let rate = U256::from(row.variable_borrow_rate_ray);
    let squared = ray_mul(rate, rate) / (year * year);
    let cubed = ray_mul(squared, rate) / year;
    let second = day * (day - one) * squared / U256::from(2_u64);
    let third = day * (day - one) * (day - one - one) * cubed / U256::from(6_u64);
    let compounded = ray + rate * day / year + second + third;
    let grown = |factor: U256, index: u128| {
        u128::try_from(ray_mul(factor, U256::from(index)))
            .expect("invariant: a rate below 200 % keeps an index small for centuries")
    };
    (
        grown(linear, row.liquidity_index_ray),
        grown(compounded, row.variable_borrow_index_ray),
    )
}

fn label(symbol: &str) -> Symbol {
    Symbol::new(symbol).expect("invariant: the constants above are symbols")
}

/// The product rounded down to `decimals`.
fn times(a: Fixed18, b: Fixed18, decimals: u32) -> Fixed18 {
    use basis_core::num::Rounding::Down;
    let product = a.mul(b, Down);
    product
        .and_then(|product| product.round_to_decimals(decimals, Down))
        .expect("invariant: prices of a few thousand")
}

/// A price of ticks of 0.01 read as one of ticks of 10^-8.
fn millionth(price: Price) -> Price {
    let mantissa = price.get().mantissa() / 1_000_000;
    Price::positive(Fixed18::from_mantissa(mantissa))
        .expect("invariant: the walk stays above a tenth of its anchor")
}

fn add_bars(data: &mut MarketData, spec: &SyntheticSpec, bars: BarColumns) {
    data.add_bars(super::without_gaps(bars, spec))
        .expect("invariant: generated bars are a series");
}

#[cfg(test)]
mod tests {
    use super::super::{SyntheticGap, synthetic};
    use super::*;

    fn id(text: &str) -> SeriesId {
        text.parse().unwrap()
    }

    fn market(seed: u64, bars: usize) -> MarketData {
        synthetic(&SyntheticSpec {
            seed,
            bars,
            ..SyntheticSpec::default()
        })
    }

    fn values(data: &MarketData, text: &str) -> Vec<f64> {
        let series = data.rows::<Fixed18>(id(text)).unwrap();
        series.rows().iter().map(|value| value.to_f64()).collect()
    }

    #[test]
    fn rows_cover_the_market_from_its_first_instant_to_its_last() {
        let data = market(1, 182 * 24);
        let (start, end) = (
            Timestamp::from_date(2024, 1, 1).unwrap(),
            Timestamp::from_date(2024, 7, 1).unwrap(),
        );
        let rows: Vec<_> = data
            .ids()
            .filter(|id| !id.kind.has_bars() && !id.kind.is_event())
            .collect();
        assert_eq!(rows.len(), 4 + 6 + 2 + 2 + 1);
        for id in rows {
            let (first, due) = data.extent(id).unwrap();
            let every = data.interval(id).unwrap();
            assert_eq!((first, due), (start, end.plus(every)), "{id}");
        }
        let eigen = data
            .rows::<Reward>(id("reward_rate.etherfi.EIGEN"))
            .unwrap();
        let week = Timestamp::from_date(2024, 1, 8).unwrap();
        assert_eq!((eigen.at().len(), eigen.at()[0]), (26, week));
        let ethfi = data
            .rows::<Reward>(id("reward_top_up.etherfi.ETHFI"))
            .unwrap();
        assert_eq!(ethfi.at().len(), 25);
        assert_eq!(
            ethfi.at()[0].since(ethfi.rows()[0].period_end),
            Span::DAY.times(5)
        );
        assert_eq!(data.risk_parameters().len(), 4);
    }

    #[test]
    fn many_seeds_stay_within_reason() {
        for seed in 0..12 {
            let data = market(seed, 500 * 24);
            for token in ["etherfi.weETH", "lido.wstETH"] {
                let rates = values(&data, &format!("staking_rate.{token}_ETH"));
                assert!(rates.windows(2).all(|pair| pair[0] < pair[1]));
                let years = 500.0 / 365.0;
                let yearly = (rates[500] / rates[0]).ln() / years;
                assert!((0.027..0.033).contains(&yearly), "{token} {yearly}");
            }
            let (market, protocol) = (
                values(&data, "staking_market.curve.weETH_ETH"),
                values(&data, "staking_rate.etherfi.weETH_ETH"),
            );
            for (hour, rate) in market.iter().enumerate() {
                let discount = 1.0 - rate / protocol[hour / 24];
                assert!((-0.001..0.003).contains(&discount), "{discount}");
            }
            let gas = data.rows::<GasFees>(id("gas.ethereum.gwei")).unwrap();
            for fees in gas.rows() {
                let base = fees.base_fee_gwei.to_f64();
                assert!((5.0..=60.0).contains(&base), "{base}");
            }
            let eigen = data.bars(id("dex.uniswap.EIGENWETH_3000")).unwrap();
            let range = Price::literal("0.0001")..Price::literal("0.02");
            assert!(eigen.bars().all(|bar| range.contains(&bar.close)));
        }
    }

    #[test]
    fn pool_and_oracle_follow_the_exchanges() {
        let data = market(3, 100 * 24);
        let spot = data.bars(id("spot.bybit.ETHUSDT")).unwrap();
        let pool = data.bars(id("dex.uniswap.WETHUSDT_3000")).unwrap();
        for (spot, pool) in spot.bars().zip(pool.bars()) {
            let bps = (pool.close.to_f64() / spot.close.to_f64() - 1.0) * 1e4;
            assert!(bps.abs() < 30.0, "{bps}");
        }
        let oracle = values(&data, "oracle.aave.WETH_USD");
        for (day, price) in oracle.iter().enumerate().skip(1) {
            let close = spot.close(day * 24 - 1).unwrap().to_f64();
            assert!((price / close - 1.0).abs() < 0.003, "{price} {close}");
        }
    }

    #[test]
    fn indices_grow_by_the_rates_of_the_row_before() {
        let data = market(1, 200 * 24);
        for (asset, low, high) in [
            ("WETH", 0.02, 0.04),
            ("USDT", 0.04, 0.07),
            ("weETH", 0.0005, 0.01),
            ("wstETH", 0.003, 0.01),
        ] {
            let series = data.rows::<ReserveRow>(id(&format!("aave_reserve.aave.{asset}")));
            let rows = series.unwrap().rows();
            for pair in rows.windows(2) {
                let borrow = after_a_day(&pair[0]);
                let found = (
                    pair[1].liquidity_index_ray,
                    pair[1].variable_borrow_index_ray,
                );
                assert_eq!(found, borrow);
                assert!(pair[0].liquidity_rate_ray < pair[0].variable_borrow_rate_ray);
                assert!(pair[0].total_variable_debt < pair[0].total_supplied);
            }
            let last = Fixed18::from_mantissa(
                i128::try_from(rows[200].variable_borrow_index_ray / 1_000_000_000).unwrap(),
            );
            let yearly = last.to_f64().ln() * 365.0 / 200.0;
            assert!((low..high).contains(&yearly), "{asset} {yearly}");
        }
    }

    #[test]
    fn gaps_leave_out_rows_too() {
        let start = SyntheticSpec::default().start;
        let gap = SyntheticGap {
            series: id("oracle.aave.weETH_ETH"),
            from: start.plus(Span::DAY),
            to: start.plus(Span::DAY.times(3)),
        };
        let whole = market(1, 240);
        let holed = synthetic(&SyntheticSpec {
            bars: 240,
            gaps: vec![gap],
            ..SyntheticSpec::default()
        });
        let rows = |data: &MarketData| data.rows::<Fixed18>(gap.series).unwrap().rows().to_vec();
        let mut expected = rows(&whole);
        expected.drain(1..3);
        assert_eq!(rows(&holed), expected);
    }
}
