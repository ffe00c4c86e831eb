//! A Curve StableSwap pool over balances that the settings give.
//!
//! The arithmetic is the contract's ([`basis_protocols::curve_stableswap`]). A rate may follow a
//! recorded series, as the contract asks its rate oracle in each exchange. The price of a pool of two
//! coins may follow one too.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use basis_core::config::Reader;
use basis_core::instruction::Withdrawal;
use basis_core::num::uint256::units_of;
use basis_core::num::{Fixed18, MathError, Quantity, Rate, Rounding, U256};
use basis_core::types::{Asset, Label, SeriesId, SeriesKind, TickRange, Timestamp};
use basis_market::MarketView;
use basis_protocols::curve_stableswap::{
    Amplification, FEE_DENOMINATOR, IMBALANCE_MAX, Parameters, PerCoin, Pool, RATE_ONE,
    StableSwapError, Template,
};
use basis_protocols::gas::GasOperation;
use basis_sim::chain::{Sync, base_units};
use basis_sim::pools::{
    Dex, Exact, Followed, Model, Moved, PoolPrice, Scope, Stake, StatePool, Swapped, Trade,
    no_exact_output, read_list, unreachable,
};
use basis_sim::refusal::Refusal;

use crate::curve::FEE_DENOMINATOR as FEE_UNIT;

/// A pool of two to four coins.
#[derive(Clone, Debug)]
pub(crate) struct StablePool {
    given: Arc<Given>,
    /// Whether our exchanges move the pool for good.
    pub(super) own_size: bool,
    /// Put together at the first operation, when the assets' decimals are known.
    pub(super) opened: Option<Box<Opened>>,
    /// Our pool tokens, 18 decimals.
    pub(super) ours: U256,
    /// When the value was known that the outside trader moved it to last.
    followed: Option<Timestamp>,
}

/// The pool at work.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    pub(super) pool: Pool,
    /// Of each coin.
    pub(super) decimals: Vec<u32>,
}

/// The state as given.
#[derive(Debug)]
struct Given {
    template: Template,
    /// `A()`, without the contract's further decimals.
    a: u64,
    fee: u64,
    admin_fee: u64,
    offpeg_fee_multiplier: u64,
    balances: Vec<Quantity>,
    rates: Vec<RateSource>,
    /// Pool tokens that stand for the balances; the invariant at the first operation where it is not
    /// given, as if the balances were the first deposit.
    lp_supply: Option<Quantity>,
    /// Coin 1 per coin 0, where an outside trader moves a pool of two coins to at each new value.
    follows: Option<SeriesId>,
}

/// Common units that one of a coin is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RateSource {
    Fixed(Fixed18),
    Series(SeriesId),
}

/// A text that is neither a number nor a series.
#[derive(Debug)]
struct NoRate;

impl fmt::Display for NoRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is neither a number above zero nor a staking_rate series")
    }
}

impl FromStr for RateSource {
    type Err = NoRate;

    fn from_str(text: &str) -> Result<Self, NoRate> {
        if let Ok(rate) = text.parse::<Fixed18>() {
            return Some(rate)
                .filter(|rate| rate.is_positive())
                .map(Self::Fixed)
                .ok_or(NoRate);
        }
        let series = text.parse::<SeriesId>().ok();
        let series = series.filter(|series| series.kind == SeriesKind::StakingRate);
        series.map(Self::Series).ok_or(NoRate)
    }
}

impl Given {
    fn parameters(&self, rates: PerCoin) -> Parameters {
        let stored = self.a.saturating_mul(self.template.a_precision());
        Parameters {
            template: self.template,
            amplification: Amplification::constant(stored),
            fee: self.fee,
            admin_fee: self.admin_fee,
            offpeg_fee_multiplier: self.offpeg_fee_multiplier,
            rates,
        }
    }

    /// Common units that one of each coin is worth now.
    fn rates(&self, name: Label, view: &MarketView) -> Result<Vec<Fixed18>, Refusal> {
        let sources = self.rates.iter();
        sources
            .map(|source| match source {
                RateSource::Fixed(rate) => Ok(*rate),
                RateSource::Series(series) => Ok(PoolPrice::of(view, name, *series)?.value),
            })
            .collect()
    }

    fn open(&self, assets: &[Asset], decimals: &[u32], rates: &[U256]) -> Result<Pool, Opening> {
        let mut balances = Vec::with_capacity(assets.len());
        for ((asset, decimals), balance) in assets.iter().zip(decimals).zip(&self.balances) {
            balances.push(base_units(*asset, *decimals, *balance)?);
        }
        let nothing = vec![U256::ZERO; balances.len()];
        let parameters = self.parameters(PerCoin::new(rates)?);
        let pool = |supply| Pool::with_state(parameters, &balances, &nothing, supply);
        let supply = match self.lp_supply {
            Some(supply) => units_of(supply.get(), Fixed18::DECIMALS, Rounding::Down)?,
            None => pool(U256::ZERO)?.invariant()?,
        };
        Ok(pool(supply)?)
    }
}

/// What each coin's balance is multiplied by: its rate × 10^(36 − decimals).
fn multipliers(rates: &[Fixed18], decimals: &[u32]) -> Result<Vec<U256>, Refusal> {
    let pairs = rates.iter().zip(decimals);
    pairs
        .map(|(rate, decimals)| {
            let missing = Fixed18::DECIMALS.saturating_sub(*decimals);
            let scale = U256::from(10).pow(U256::from(missing));
            let rate = units_of(*rate, Fixed18::DECIMALS, Rounding::Down)?;
            Ok(rate.saturating_mul(scale))
        })
        .collect()
}

/// A recorded price, coin 1 per coin 0, as `get_p` has it: rate 0 ÷ (rate 1 × price), 18 decimals,
/// rounded down.
fn state_price(rates: &[Fixed18], price: Fixed18) -> Result<U256, Refusal> {
    let &[rate0, rate1] = rates else {
        return Err(Refusal::invalid(format!(
            "{} coins; only a pool of 2 follows a series",
            rates.len()
        )));
    };
    let integer = |value: Fixed18| units_of(value, Fixed18::DECIMALS, Rounding::Down);
    // Mantissas of 127 bits: neither product leaves 256.
    let below = integer(rate1)?.saturating_mul(integer(price)?);
    let above = integer(rate0)?.saturating_mul(U256::from(10).pow(U256::from(36)));
    Ok(above
        .checked_div(below)
        .ok_or(MathError::DivideByZero { op: "state price" })?)
}

/// Why the given state is no pool.
enum Opening {
    Refusal(Refusal),
    Pool(StableSwapError),
}

impl From<Refusal> for Opening {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl From<MathError> for Opening {
    fn from(e: MathError) -> Self {
        Self::Refusal(e.into())
    }
}

impl From<StableSwapError> for Opening {
    fn from(e: StableSwapError) -> Self {
        Self::Pool(e)
    }
}

impl StablePool {
    /// The pool as it stands, at the rates of now.
    ///
    /// # Errors
    /// A refusal when the series that it follows or a rate's is not read, or its newest value is too old.
    pub(super) fn open(&self, scope: Scope<'_, '_>) -> Result<Opened, Refusal> {
        let (name, view) = (scope.name, scope.transaction.view());
        if let Some(series) = self.given.follows {
            PoolPrice::of(view, name, series)?;
        }
        let rates = self.given.rates(name, view)?;
        self.open_with(name, scope.assets, &rates, &|asset| {
            scope.transaction.decimals(asset)
        })
    }

    fn open_with(
        &self,
        name: Label,
        assets: &[Asset],
        rates: &[Fixed18],
        decimals_of: &dyn Fn(Asset) -> Result<u32, Refusal>,
    ) -> Result<Opened, Refusal> {
        if let Some(opened) = &self.opened {
            let mut opened = Opened::clone(opened);
            let rates = multipliers(rates, &opened.decimals)?;
            let updated = opened.pool.update_rates(&rates);
            updated.map_err(|e| refused(name, &e))?;
            return Ok(opened);
        }
        let decimals = assets.iter().map(|asset| decimals_of(*asset));
        let decimals = decimals.collect::<Result<Vec<_>, _>>()?;
        let pool = self
            .given
            .open(assets, &decimals, &multipliers(rates, &decimals)?);
        let pool = pool.map_err(|opening| match opening {
            Opening::Refusal(refusal) => refusal,
            Opening::Pool(e) => refused(name, &e),
        })?;
        Ok(Opened { pool, decimals })
    }
}

impl StatePool for StablePool {
    fn snapshot(&self) -> Box<dyn StatePool> {
        Box::new(self.clone())
    }

    fn own_size(&self) -> bool {
        self.own_size
    }

    fn follows(&self) -> Option<SeriesId> {
        self.given.follows
    }

    /// The fees of those moves stay in what it exchanges.
    fn is_moved(&self) -> bool {
        true
    }

    fn fee(&self) -> Result<Rate, Refusal> {
        let fee = i64::try_from(self.given.fee).unwrap_or(i64::MAX);
        let rate = Fixed18::from_ratio(fee, FEE_UNIT, Rounding::Up)?;
        Ok(Rate::new(rate))
    }

    fn swap(&mut self, scope: Scope<'_, '_>, trade: &Trade) -> Result<Swapped, Refusal> {
        let Exact::Input(amount_in) = trade.exact else {
            return Err(no_exact_output(scope.name));
        };
        let (from, to) = (trade.from, trade.to);
        let Scope {
            name,
            assets,
            transaction,
        } = scope;
        let asset = |at: usize| {
            let asset = assets.get(at).copied();
            asset.ok_or_else(|| Refusal::invalid(format!("pool {name} has no coin {at}")))
        };
        let mut opened = self.open(scope)?;
        let pool = &mut opened.pool;
        let units = transaction.units(asset(from)?, amount_in)?;
        let exchange = if self.own_size {
            pool.exchange(from, to, units, U256::ZERO)
        } else {
            pool.quote(from, to, units)
        };
        let exchange = exchange.map_err(|e| refused(name, &e))?;
        let earned = self.earned(&opened, to, &exchange)?;
        self.opened = Some(Box::new(opened));
        Ok(Swapped {
            amount_in,
            amount_out: transaction.amount(asset(to)?, exchange.received)?,
            gas: match assets.len() {
                2 => GasOperation::CurveExchange2,
                _ => GasOperation::CurveExchange3,
            },
            earned,
        })
    }

    fn follow(
        &mut self,
        name: Label,
        assets: &[Asset],
        context: &Sync<'_>,
    ) -> Result<Option<Followed>, Refusal> {
        let Some(series) = self.given.follows else {
            return Ok(None);
        };
        let shown = PoolPrice::of(context.view, name, series);
        let rates = self.given.rates(name, context.view);
        let (Ok(shown), Ok(rates)) = (shown, rates) else {
            return Ok(None);
        };
        if self.followed == Some(shown.known_at) {
            return Ok(None);
        }
        let mut opened = self.open_with(name, assets, &rates, &|asset| context.decimals(asset))?;
        let target = state_price(&rates, shown.value)?;
        let moved = opened.pool.exchange_to_price(target).map_err(|e| match e {
            StableSwapError::PriceOutOfReach { .. } => Refusal::other(
                format!(
                    "pool {name} does not reach {}, which {series} shows: its balances would be more than \
                     {IMBALANCE_MAX} to 1; give it more `balances`, another `a`, or the `rates` of its \
                     coins",
                    shown.value
                ),
                None,
            ),
            e => refused(name, &e),
        })?;
        let earned = match &moved {
            Some(moved) => self.earned(&opened, moved.coin_out, &moved.exchange)?,
            None => None,
        };
        self.followed = Some(shown.known_at);
        self.opened = Some(Box::new(opened));
        Ok(Some(Followed { earned }))
    }

    fn stakes(&self, name: Label) -> Result<Vec<Stake>, Refusal> {
        self.pool_tokens(name)
    }

    fn has_ranges(&self) -> bool {
        false
    }

    fn check_range(&self, name: Label, _: TickRange) -> Result<(), Refusal> {
        Err(unreachable(name))
    }

    fn add(
        &mut self,
        scope: Scope<'_, '_>,
        _: Option<TickRange>,
        amounts: &[Quantity],
    ) -> Result<Moved, Refusal> {
        self.deposit(scope, amounts)
    }

    fn remove(
        &mut self,
        scope: Scope<'_, '_>,
        _: Option<TickRange>,
        liquidity: Quantity,
        withdrawal: &Withdrawal,
    ) -> Result<Moved, Refusal> {
        match withdrawal {
            Withdrawal::InProportion { .. } => self.remove_in_proportion(scope, liquidity),
            Withdrawal::InOneAsset {
                asset_out,
                minimum_out,
                ..
            } => self.remove_one(scope, liquidity, (*asset_out, *minimum_out)),
            Withdrawal::Exactly {
                amounts,
                maximum_liquidity,
            } => self.remove_exactly(scope, amounts, Quantity::new(*maximum_liquidity)),
        }
    }

    /// Its fees stay in the pool and are never collected.
    fn collect(
        &mut self,
        scope: Scope<'_, '_>,
        _: Option<TickRange>,
    ) -> Result<(Vec<Quantity>, u64), Refusal> {
        Err(unreachable(scope.name))
    }
}

/// The contract's refusal, with the pool.
pub(super) fn refused(name: Label, e: &StableSwapError) -> Refusal {
    Refusal::other(format!("pool {name}: {e}"), None)
}

/// Reads the keys of a pool given by its state; `None` after a problem.
pub(in crate::curve) fn read(dex: &Dex, row: &Reader<'_>, assets: &[Asset]) -> Option<Model> {
    let templates = [
        ("stableswap_ng", Template::StableSwapNg),
        ("base", Template::Base),
        ("three_pool", Template::ThreePool),
    ];
    let template = row.choice("template", &templates, Template::StableSwapNg);
    let fee = dex.read_fee(row, None);
    let one = FEE_DENOMINATOR;
    let admin_fee = row.within("admin_fee", 0..=one).unwrap_or(one / 2);
    let multiplier = row.within("offpeg_fee_multiplier", 0..=u64::MAX);
    let a = row.within("a", 1..=999_999_u64);
    if row.node("a").is_none() {
        row.problem("a", "is required: A() of the contract");
    }
    let balances = read_list::<Quantity>(row, "balances");
    let rates = if row.node("rates").is_some() {
        read_list::<RateSource>(row, "rates")
    } else {
        Some(vec![RateSource::Fixed(Fixed18::ONE); assets.len()])
    };
    let own_size = row.boolean("own_size", true);
    let lp_supply = row.parse::<Quantity>("lp_supply");
    let follows = row.parse::<SeriesId>("follows");
    let given = Given {
        template,
        a: a?,
        fee: u64::try_from(fee?).ok()?,
        admin_fee,
        offpeg_fee_multiplier: multiplier.unwrap_or(0),
        balances: balances?,
        rates: rates?,
        lp_supply,
        follows,
    };
    check(row, &given, assets).then(|| {
        Model::State(Box::new(StablePool {
            given: Arc::new(given),
            own_size,
            opened: None,
            ours: U256::ZERO,
            followed: None,
        }))
    })
}

/// Whether the state fits together; reports what does not.
fn check(row: &Reader<'_>, given: &Given, assets: &[Asset]) -> bool {
    let counts = [
        ("balances", given.balances.len()),
        ("rates", given.rates.len()),
    ];
    let mut fits = !assets.is_empty();
    for (key, count) in counts {
        if count != assets.len() {
            row.problem(key, format!("{count} given for {} assets", assets.len()));
            fits = false;
        }
    }
    if let Some(none) = given.balances.iter().find(|balance| !balance.is_positive()) {
        row.problem("balances", format!("{none} is not above zero"));
        fits = false;
    }
    if let Some(none) = given.lp_supply.filter(|supply| !supply.is_positive()) {
        row.problem("lp_supply", format!("{none} is not above zero"));
        fits = false;
    }
    if let Some(series) = given.follows {
        fits &= check_follows(row, series, assets);
    }
    let at_par = |rate: &RateSource| *rate == RateSource::Fixed(Fixed18::ONE);
    if given.template != Template::StableSwapNg && !given.rates.iter().all(at_par) {
        row.problem(
            "rates",
            "only pools of the template stableswap_ng have rates",
        );
        fits = false;
    }
    let ones = vec![RATE_ONE; assets.len()];
    let checked = PerCoin::new(&ones).and_then(|rates| given.parameters(rates).validate());
    if fits && let Err(e) = checked {
        row.problem("a", e.to_string());
        fits = false;
    }
    fits
}

/// Whether a pool of `assets` can follow `series`; reports why not.
fn check_follows(row: &Reader<'_>, series: SeriesId, assets: &[Asset]) -> bool {
    if !matches!(series.kind, SeriesKind::Dex | SeriesKind::StakingMarket) {
        let text = format!(
            "{series} is no series of a pool; write dex.VENUE.SYMBOL or staking_market.VENUE.SYMBOL"
        );
        row.problem("follows", text);
        return false;
    }
    if assets.len() > 2 {
        let text = format!(
            "only a pool of two coins follows a series, and this one has {}; leave `follows` out",
            assets.len()
        );
        row.problem("follows", text);
        return false;
    }
    true
}
