//! A Uniswap V3 pool over a state that the settings give.
//!
//! The arithmetic is the contract's ([`basis_protocols::uniswap_v3`]). One thing differs: where the
//! liquidity ends before the whole input is taken, the contract takes less, and a swap here is refused,
//! for the state given may simply not reach as far as the real one. An exact output that ends there is
//! refused by the router too (`exactOutputSingle` without a price limit).

use std::sync::Arc;

use basis_core::config::Reader;
use basis_core::instruction::Withdrawal;
use basis_core::num::{Fixed18, Price, Quantity, Rate, Rounding, U256};
use basis_core::types::{Asset, Label, SeriesId, SeriesKind, TickRange, Timestamp};
use basis_protocols::gas::GasOperation;
use basis_protocols::uniswap_v3::{
    Owner, PairDecimals, Pool, PositionKey, SQRT_RATIO_MAX, SQRT_RATIO_MIN, SwapRequest, TICK_MAX,
    TICK_MIN, TICK_SPACING_MAX, UniswapV3Error, check_range,
};
use basis_sim::chain::Sync;
use basis_sim::pools::{
    Dex, Exact, Followed, Model, Moved, PoolPrice, Scope, Stake, StatePool, Swapped, Trade,
    unreachable,
};
use basis_sim::refusal::Refusal;

use crate::uniswap::FEE_DENOMINATOR;

/// Whoever provides the liquidity.
const OTHERS: Owner = Owner([0; 20]);

/// A pool of two assets, token0 and token1.
#[derive(Clone, Debug)]
pub(crate) struct RangePool {
    given: Arc<Given>,
    /// Whether our swaps move the pool for good.
    own_size: bool,
    /// Put together at the first operation, when the assets' decimals are known.
    pub(super) opened: Option<Opened>,
    /// The ranges in which we have liquidity or fees, in order.
    pub(crate) ours: Vec<TickRange>,
    /// When the value was known that the outside trader moved it to last.
    followed: Option<Timestamp>,
}

/// The pool at work.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    pub(super) pool: Pool,
    pub(super) decimals: PairDecimals,
}

/// The state as given.
#[derive(Debug)]
struct Given {
    fee: u32,
    tick_spacing: i32,
    price: StartPrice,
    ranges: Vec<Range>,
    /// token1 per token0, where an outside trader moves the pool to at each new value.
    follows: Option<SeriesId>,
}

#[derive(Clone, Copy, Debug)]
enum StartPrice {
    /// `sqrt(token1 per token0)` in base units, Q64.96.
    SqrtX96(U256),
    /// token1 per token0 in whole units; the sqrt price is rounded down.
    Price(Price),
}

/// Liquidity between two ticks.
#[derive(Clone, Copy, Debug)]
struct Range {
    lower: i32,
    upper: i32,
    liquidity: u128,
}

impl Given {
    /// The pool at a sqrt price.
    fn at(&self, sqrt_price_x96: U256) -> Result<Pool, UniswapV3Error> {
        let mut pool = Pool::new(self.fee, self.tick_spacing)?;
        pool.initialize(sqrt_price_x96)?;
        for range in &self.ranges {
            let key = PositionKey {
                owner: OTHERS,
                tick_lower: range.lower,
                tick_upper: range.upper,
            };
            pool.mint(key, range.liquidity)?;
        }
        Ok(pool)
    }

    fn open(&self, decimals: PairDecimals) -> Result<Pool, UniswapV3Error> {
        self.at(match self.price {
            StartPrice::SqrtX96(price) => price,
            StartPrice::Price(price) => decimals.sqrt_price_of_token0(price, false)?,
        })
    }
}

impl RangePool {
    /// The pool as it stands.
    ///
    /// # Errors
    /// A refusal when the series that it follows is not read, or its newest value is too old.
    pub(super) fn open(&self, scope: Scope<'_, '_>) -> Result<Opened, Refusal> {
        if let Some(series) = self.given.follows {
            PoolPrice::of(scope.transaction.view(), scope.name, series)?;
        }
        self.open_with(scope.name, scope.assets, &|asset| {
            scope.transaction.decimals(asset)
        })
    }

    fn open_with(
        &self,
        name: Label,
        assets: &[Asset],
        decimals_of: &dyn Fn(Asset) -> Result<u32, Refusal>,
    ) -> Result<Opened, Refusal> {
        if let Some(opened) = &self.opened {
            return Ok(opened.clone());
        }
        let [asset0, asset1] = assets else {
            return Err(two_assets(name));
        };
        let decimals = PairDecimals {
            token0: decimals_of(*asset0)?,
            token1: decimals_of(*asset1)?,
        };
        let pool = self.given.open(decimals).map_err(|e| refused(name, &e))?;
        Ok(Opened { pool, decimals })
    }
}

impl StatePool for RangePool {
    fn snapshot(&self) -> Box<dyn StatePool> {
        Box::new(self.clone())
    }

    fn own_size(&self) -> bool {
        self.own_size
    }

    fn follows(&self) -> Option<SeriesId> {
        self.given.follows
    }

    /// Nothing of it is ours where we hold no liquidity: then it moves when somebody asks.
    fn is_moved(&self) -> bool {
        !self.ours.is_empty()
    }

    fn fee(&self) -> Result<Rate, Refusal> {
        let (fee, of) = (i64::from(self.given.fee), FEE_DENOMINATOR);
        Ok(Rate::new(Fixed18::from_ratio(fee, of, Rounding::Up)?))
    }

    fn swap(&mut self, scope: Scope<'_, '_>, trade: &Trade) -> Result<Swapped, Refusal> {
        let Scope {
            name,
            assets,
            transaction,
        } = scope;
        let asset = |at: usize| assets.get(at).copied().ok_or_else(|| two_assets(name));
        let (asset_in, asset_out) = (asset(trade.from)?, asset(trade.to)?);
        let zero_for_one = trade.from == 0;
        let request = match trade.exact {
            Exact::Input(amount) => {
                SwapRequest::exact_in(zero_for_one, transaction.units(asset_in, amount)?)
            }
            Exact::Output(amount) => {
                SwapRequest::exact_out(zero_for_one, transaction.units(asset_out, amount)?)
            }
        };
        let mut opened = self.open(scope)?;
        let outcome = if self.own_size {
            opened.pool.swap(&request)
        } else {
            opened.pool.quote(&request)
        };
        let outcome = outcome.map_err(|e| refused(name, &e))?;
        let amount_in = || transaction.amount(asset_in, outcome.amount_in);
        let amount_out = || transaction.amount(asset_out, outcome.amount_out);
        if !outcome.is_complete() {
            let most = match trade.exact {
                Exact::Input(all) => {
                    format!("takes no more than {} of {all} {asset_in}", amount_in()?)
                }
                Exact::Output(all) => {
                    format!("gives no more than {} of {all} {asset_out}", amount_out()?)
                }
            };
            return Err(Refusal::other(
                format!(
                    "pool {name} {most}: there its liquidity as given in the settings ends; swap less, \
                     or give more `ranges`"
                ),
                None,
            ));
        }
        self.opened = Some(opened);
        Ok(Swapped {
            amount_in: amount_in()?,
            amount_out: amount_out()?,
            gas: GasOperation::UniswapV3Swap {
                ticks_crossed: outcome.ticks_crossed,
            },
            earned: None,
        })
    }

    fn follow(
        &mut self,
        name: Label,
        assets: &[Asset],
        context: &Sync<'_>,
    ) -> Result<Option<Followed>, Refusal> {
        let shown = self
            .given
            .follows
            .map(|series| PoolPrice::of(context.view, name, series));
        let Some(Ok(shown)) = shown else {
            return Ok(None);
        };
        if self.followed == Some(shown.known_at) {
            return Ok(None);
        }
        let mut opened = self.open_with(name, assets, &|asset| context.decimals(asset))?;
        let wrong = |e: UniswapV3Error| refused(name, &e);
        let price = Price::new(shown.value)?;
        let target = opened
            .decimals
            .sqrt_price_of_token0(price, false)
            .map_err(wrong)?;
        let now = opened.pool.state().sqrt_price_x96;
        if target != now {
            // More than any pool takes on the way: the price is what ends it.
            let request = SwapRequest::exact_in(target < now, U256::ONE << 200).with_limit(target);
            opened.pool.swap(&request).map_err(wrong)?;
        }
        self.followed = Some(shown.known_at);
        self.opened = Some(opened);
        Ok(Some(Followed::default()))
    }

    fn stakes(&self, name: Label) -> Result<Vec<Stake>, Refusal> {
        let Some(opened) = &self.opened else {
            return Ok(Vec::new());
        };
        let ranges = self.ours.iter();
        ranges.map(|ticks| opened.stake(name, *ticks)).collect()
    }

    fn has_ranges(&self) -> bool {
        true
    }

    fn check_range(&self, name: Label, ticks: TickRange) -> Result<(), Refusal> {
        let probe = check_range(ticks.lower(), ticks.upper(), self.given.tick_spacing);
        probe.map_err(|e| Refusal::invalid(format!("pool {name}: {e}")))
    }

    fn add(
        &mut self,
        scope: Scope<'_, '_>,
        ticks: Option<TickRange>,
        amounts: &[Quantity],
    ) -> Result<Moved, Refusal> {
        self.mint(
            scope,
            ticks.ok_or_else(|| unreachable(scope.name))?,
            amounts,
        )
    }

    fn remove(
        &mut self,
        scope: Scope<'_, '_>,
        ticks: Option<TickRange>,
        liquidity: Quantity,
        withdrawal: &Withdrawal,
    ) -> Result<Moved, Refusal> {
        match (withdrawal, ticks) {
            (Withdrawal::InProportion { .. }, Some(ticks)) => self.burn(scope, ticks, liquidity),
            _ => Err(unreachable(scope.name)),
        }
    }

    fn collect(
        &mut self,
        scope: Scope<'_, '_>,
        ticks: Option<TickRange>,
    ) -> Result<(Vec<Quantity>, u64), Refusal> {
        self.collect_fees(scope, ticks.ok_or_else(|| unreachable(scope.name))?)
    }
}

/// The contract's refusal, with the pool.
pub(super) fn refused(name: Label, e: &UniswapV3Error) -> Refusal {
    Refusal::other(format!("pool {name}: {e}"), None)
}

fn two_assets(name: Label) -> Refusal {
    Refusal::invalid(format!("pool {name} has not two assets"))
}

/// Reads the keys of a pool given by its state; `None` after a problem.
pub(in crate::uniswap) fn read(dex: &Dex, row: &Reader<'_>, assets: &[Asset]) -> Option<Model> {
    if !assets.is_empty() && assets.len() != 2 {
        row.problem("assets", "a pool of Uniswap has 2: token0 and token1");
    }
    let fee = dex.read_fee(row, None);
    let spacing = row.within("tick_spacing", 1..=TICK_SPACING_MAX);
    if row.node("tick_spacing").is_none() {
        let text = "is required: 60 goes with a fee of 3000, 10 with 500, 1 with 100";
        row.problem("tick_spacing", text);
    }
    let price = read_price(row);
    let ranges = read_ranges(row);
    let own_size = row.boolean("own_size", true);
    let follows = row.parse::<SeriesId>("follows");
    if let Some(series) = follows.filter(|series| series.kind != SeriesKind::Dex) {
        row.problem(
            "follows",
            format!("{series} is no series of a pool; write dex.VENUE.SYMBOL"),
        );
    }
    let given = Given {
        fee: u32::try_from(fee?).ok()?,
        tick_spacing: spacing?,
        price: price?,
        ranges: ranges?,
        follows,
    };
    // Without the decimals of the assets a price is no sqrt price yet; ticks can be checked at any.
    let probe = match given.price {
        StartPrice::SqrtX96(price) => price,
        StartPrice::Price(_) => U256::ONE << 96,
    };
    if let Err(e) = given.at(probe) {
        row.problem("ranges", e.to_string());
        return None;
    }
    (assets.len() == 2).then(|| {
        Model::State(Box::new(RangePool {
            given: Arc::new(given),
            own_size,
            opened: None,
            ours: Vec::new(),
            followed: None,
        }))
    })
}

fn read_price(row: &Reader<'_>) -> Option<StartPrice> {
    let given = (row.node("sqrt_price_x96"), row.node("price"));
    match given {
        (Some(_), None) => {
            // The contract takes the maximum itself no more.
            let bounds = SQRT_RATIO_MIN..=SQRT_RATIO_MAX.wrapping_sub(U256::ONE);
            row.within("sqrt_price_x96", bounds)
                .map(StartPrice::SqrtX96)
        }
        (None, Some(_)) => {
            let price = row.parse::<Price>("price")?;
            if !price.get().is_positive() {
                row.problem("price", format!("{price} is not above zero"));
                return None;
            }
            Some(StartPrice::Price(price))
        }
        _ => {
            let text = "give either price (token1 per token0) or sqrt_price_x96";
            row.problem("price", text);
            None
        }
    }
}

fn read_ranges(row: &Reader<'_>) -> Option<Vec<Range>> {
    let nodes = row.list("ranges");
    if nodes.is_empty() {
        let text = "is required: a list of {lower, upper, liquidity}, ticks and units of liquidity";
        row.problem("ranges", text);
        return None;
    }
    let mut ranges = Some(Vec::new());
    for (node, at) in nodes.iter().zip(0..) {
        let path = row.path_of(&format!("ranges[{at}]"));
        let range = Reader::new(node, path, row.problems());
        let tick = |key| {
            range.required_text(key)?;
            range.within(key, TICK_MIN..=TICK_MAX)
        };
        let (lower, upper) = (tick("lower"), tick("upper"));
        let liquidity = range.required_text("liquidity");
        let liquidity = liquidity.and_then(|_| range.within("liquidity", 1..=u128::MAX));
        range.finish();
        let read = match (lower, upper, liquidity) {
            (Some(lower), Some(upper), Some(liquidity)) => Some(Range {
                lower,
                upper,
                liquidity,
            }),
            _ => None,
        };
        match (&mut ranges, read) {
            (Some(ranges), Some(read)) => ranges.push(read),
            _ => ranges = None,
        }
    }
    ranges
}
