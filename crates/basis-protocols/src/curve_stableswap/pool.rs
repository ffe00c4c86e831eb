//! A pool: what it holds, and the views of it.

use super::arithmetic::{PRECISION, add, div, mul, mul_div, mul_div_constant, narrow, sub, widen};
use super::curve::Curve;
use super::error::StableSwapError;
use super::parameters::{FEE_DENOMINATOR, Parameters, RATE_ONE, Template};
use super::per_coin::PerCoin;
use basis_core::num::U256;
use basis_core::num::wide::{self, Divisor};

/// `10^18`.
const WAD: u128 = 1_000_000_000_000_000_000;

/// A pool's parameters and books; operations are in the sections of this type.
///
/// Copying it is a snapshot, and assigning the copy is a rollback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pool {
    pub(super) parameters: Parameters,
    pub(super) balances: PerCoin,
    pub(super) admin_balances: PerCoin,
    pub(super) lp_supply: U256,
    /// `block.timestamp` of the next operation, in seconds; only a ramp of `A` looks at it.
    pub(super) timestamp: u64,
}

impl Pool {
    /// An empty pool.
    ///
    /// # Errors
    /// [`StableSwapError::InvalidParameter`].
    pub fn new(parameters: Parameters) -> Result<Self, StableSwapError> {
        let nothing = parameters.rates.zeroed();
        Self::with_state(parameters, &nothing, &nothing, U256::ZERO)
    }

    /// A pool as it stands on the chain: `balances` as the contract's `balances(i)` gives them
    /// (without the admin's part), `admin_balances`, and the supply of its liquidity token.
    ///
    /// # Errors
    /// [`StableSwapError::InvalidParameter`] or [`StableSwapError::WrongCount`].
    pub fn with_state(
        parameters: Parameters,
        balances: &[U256],
        admin_balances: &[U256],
        lp_supply: U256,
    ) -> Result<Self, StableSwapError> {
        parameters.validate()?;
        Ok(Self {
            balances: parameters.rates.like(balances)?,
            admin_balances: parameters.rates.like(admin_balances)?,
            parameters,
            lp_supply,
            timestamp: 0,
        })
    }

    /// What it is set up with.
    #[must_use]
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// What belongs to the holders of liquidity tokens, in base units of each coin.
    #[must_use]
    pub const fn balances(&self) -> &PerCoin {
        &self.balances
    }

    /// Fees that wait for the admin, in base units of each coin.
    #[must_use]
    pub const fn admin_balances(&self) -> &PerCoin {
        &self.admin_balances
    }

    /// Liquidity tokens in existence, 18 decimals.
    #[must_use]
    pub const fn lp_supply(&self) -> U256 {
        self.lp_supply
    }

    /// Sets the time of the operations to come, in seconds; a pool without a ramp needs none.
    pub const fn advance_to(&mut self, timestamp: u64) {
        self.timestamp = timestamp;
    }

    /// Takes over new rates, as when an exchange-rate oracle moves: what a contract with
    /// `stored_rates()` reads anew in each operation.
    ///
    /// # Errors
    /// [`StableSwapError::InvalidParameter`] or [`StableSwapError::WrongCount`]; the old rates
    /// stay.
    pub fn update_rates(&mut self, rates: &[U256]) -> Result<(), StableSwapError> {
        let parameters = Parameters {
            rates: self.parameters.rates.like(rates)?,
            ..self.parameters
        };
        parameters.validate_rates()?;
        self.parameters = parameters;
        Ok(())
    }

    /// Pays the admin's fees out: `withdraw_admin_fees`, and what `remove_liquidity` of
    /// `StableSwapNG` does at its end unless told otherwise. Returns base units of each coin.
    pub const fn withdraw_admin_fees(&mut self) -> PerCoin {
        let paid = self.admin_balances;
        self.admin_balances = paid.zeroed();
        paid
    }

    /// `get_virtual_price`: `D` for each liquidity token, 18 decimals, rounded down.
    ///
    /// # Errors
    /// [`StableSwapError::Math`] without supply (division by zero), and as [`Curve::get_d`].
    pub fn virtual_price(&self) -> Result<U256, StableSwapError> {
        mul_div(self.invariant()?, RATE_ONE, self.lp_supply, "virtual price")
    }

    /// `D` of the pool as it stands, 18 decimals.
    ///
    /// # Errors
    /// As [`Curve::get_d`].
    pub fn invariant(&self) -> Result<U256, StableSwapError> {
        self.curve()?.get_d(&self.xp()?)
    }

    /// The curve at the pool's time.
    ///
    /// # Errors
    /// As [`Amplification::at`](super::Amplification::at).
    pub fn curve(&self) -> Result<Curve, StableSwapError> {
        Ok(Curve {
            template: self.parameters.template,
            amplification: self.parameters.amplification.at(self.timestamp)?,
        })
    }

    /// `_xp`: the balances × rate ÷ 10^18, rounded down: 18 decimals of the common unit.
    ///
    /// # Errors
    /// [`StableSwapError::Math`] beyond 256 bits.
    pub fn xp(&self) -> Result<PerCoin, StableSwapError> {
        self.scale(&self.balances)
    }

    /// `_xp_mem`.
    #[inline]
    pub(super) fn scale(&self, balances: &PerCoin) -> Result<PerCoin, StableSwapError> {
        self.parameters.rates.zip_with(balances, scale_one)
    }

    /// `get_D_mem`.
    #[inline]
    pub(super) fn invariant_of(
        &self,
        curve: &Curve,
        balances: &PerCoin,
    ) -> Result<U256, StableSwapError> {
        curve.get_d(&self.scale(balances)?)
    }

    /// The fee between `xpi` and `xpj`, which are balances near each other on the peg, in
    /// [`FEE_DENOMINATOR`]ths: `_dynamic_fee`, or `base` without a
    /// multiplier.
    #[inline]
    pub(super) fn offpeg_fee(
        &self,
        xpi: U256,
        xpj: U256,
        base: U256,
    ) -> Result<U256, StableSwapError> {
        let multiplier = self.parameters.offpeg_fee_multiplier;
        let Some(excess) = multiplier
            .checked_sub(FEE_DENOMINATOR)
            .filter(|excess| *excess > 0)
        else {
            return Ok(base);
        };
        grown_fee(multiplier, excess, xpi, xpj, base)
    }

    /// Whether unbalanced liquidity pays the off-peg fee.
    #[inline]
    pub(super) const fn grows_liquidity_fees(&self) -> bool {
        matches!(self.parameters.template, Template::StableSwapNg)
            && self.parameters.offpeg_fee_multiplier > FEE_DENOMINATOR
    }
}

/// `multiplier × base ÷ (4 × excess × xpi × xpj ÷ (xpi + xpj)² + 1)`, all fees in
/// [`FEE_DENOMINATOR`]ths.
fn grown_fee(
    multiplier: u64,
    excess: u64,
    xpi: U256,
    xpj: U256,
    base: U256,
) -> Result<U256, StableSwapError> {
    const OP: &str = "off-peg fee";
    let sum = add(xpi, xpj, OP)?;
    let squared = mul(sum, sum, OP)?;
    // Below 2^66, so it keeps no limb but the first two.
    let fourfold = U256::from(u128::from(excess).wrapping_mul(4));
    let weight = mul(fourfold, xpi, OP)?;
    let near = div(mul(weight, xpj, OP)?, squared, OP)?;
    let bottom = add(near, U256::from(FEE_DENOMINATOR), OP)?;
    mul_div(U256::from(multiplier), base, bottom, OP)
}

/// `rate × balance ÷ 10^18`, rounded down.
#[inline]
pub(super) fn scale_one(rate: U256, balance: U256) -> Result<U256, StableSwapError> {
    if rate == RATE_ONE && narrow(&balance).is_some() {
        return Ok(balance);
    }
    mul_div_constant(rate, balance, &PRECISION, "balance at rate")
}

/// Each of `values` × 10^18 ÷ rate, rounded down.
#[inline]
pub(super) fn unscale<const N: usize>(
    mut values: [U256; N],
    rate: U256,
) -> Result<[U256; N], StableSwapError> {
    const OP: &str = "amount at rate";
    if rate == RATE_ONE && values.iter().all(|value| narrow(value).is_some()) {
        return Ok(values);
    }
    let divisor = narrow(&rate).and_then(Divisor::new);
    for value in &mut values {
        let short = match (divisor, narrow(value)) {
            (Some(divisor), Some(value)) => divisor.quotient(wide::mul(value, WAD)),
            _ => None,
        };
        *value = match short {
            Some(quotient) => widen(quotient),
            None => mul_div(*value, RATE_ONE, rate, OP)?,
        };
    }
    Ok(values)
}

/// Adds one of two numbers for each coin.
#[inline]
pub(super) fn add_each(a: &PerCoin, b: &PerCoin) -> Result<PerCoin, StableSwapError> {
    a.zip_with(b, |a, b| add(a, b, "balances"))
}

/// Subtracts one of two numbers for each coin.
#[inline]
pub(super) fn sub_each(a: &PerCoin, b: &PerCoin) -> Result<PerCoin, StableSwapError> {
    a.zip_with(b, |a, b| sub(a, b, "balances"))
}

#[cfg(test)]
mod tests {
    use super::super::{Amplification, StableSwapError};
    use super::*;
    use basis_core::num::MathError;

    fn uint(text: &str) -> U256 {
        text.parse().unwrap()
    }

    /// weETH worth 1.05 and WETH, 0.04 % fee, half of it the admin's, `A` of 100.
    fn parameters(template: Template) -> Parameters {
        Parameters {
            template,
            amplification: Amplification::constant(template.a_precision().saturating_mul(100)),
            fee: 4_000_000,
            admin_fee: 5_000_000_000,
            offpeg_fee_multiplier: 0,
            rates: PerCoin::new(&[uint("1050000000000000000"), RATE_ONE]).unwrap(),
        }
    }

    /// 1000 weETH and 1050 WETH: on the peg.
    fn on_peg(template: Template) -> Pool {
        let mut pool = Pool::new(parameters(template)).unwrap();
        let given = [
            uint("1000000000000000000000"),
            uint("1050000000000000000000"),
        ];
        let deposit = pool.add_liquidity(&given, U256::ZERO).unwrap();
        assert_eq!(deposit.minted, uint("2100000000000000000000"), "D");
        assert!(deposit.fees.iter().all(U256::is_zero));
        pool
    }

    #[test]
    fn the_first_deposit_needs_all_coins_and_mints_the_invariant() {
        for template in [Template::ThreePool, Template::Base, Template::StableSwapNg] {
            let mut pool = Pool::new(parameters(template)).unwrap();
            let one = [U256::ONE, U256::ZERO];
            assert_eq!(
                pool.add_liquidity(&one, U256::ZERO),
                Err(StableSwapError::InitialDepositIncomplete { coin: 1 })
            );
            let zero = MathError::DivideByZero {
                op: "virtual price",
            };
            assert_eq!(pool.virtual_price(), Err(zero.into()));
            assert_eq!(on_peg(template).virtual_price(), Ok(RATE_ONE));
        }
    }

    #[test]
    fn a_coin_quoted_in_another_exchanges_at_its_rate() {
        let pool = on_peg(Template::StableSwapNg);
        let quote = pool.quote(0, 1, RATE_ONE).unwrap();
        // 1.05 less 0.04 % and a little slippage.
        assert_eq!(quote.received, uint("1049569608211513947"));
        assert_eq!(quote.fee, uint("419995841621254"));
        assert_eq!(quote.admin_fee, uint("209997920810627"));
        let mut dearer = pool;
        dearer
            .update_rates(&[uint("1060000000000000000"), RATE_ONE])
            .unwrap();
        let more = dearer.quote(0, 1, RATE_ONE).unwrap();
        assert!(more.received > quote.received);
        assert!(dearer.update_rates(&[RATE_ONE]).is_err());
        assert!(dearer.update_rates(&[RATE_ONE, U256::ZERO]).is_err());
    }

    #[test]
    fn a_minimum_that_is_not_met_is_refused_in_the_words_of_the_contract() {
        let mut pool = on_peg(Template::Base);
        let minimum = uint("1050000000000000000");
        let refused = pool.exchange(0, 1, RATE_ONE, minimum).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "Exchange resulted in fewer coins than expected: 1049569608211513947 below minimum \
             1050000000000000000"
        );
        let minted = pool.add_liquidity(&[RATE_ONE, U256::ZERO], uint("1050000000000000000"));
        let text = minted.unwrap_err().to_string();
        assert!(text.starts_with("Slippage screwed you: 1049"), "{text}");
    }

    #[test]
    fn the_fee_grows_off_the_peg_and_the_admin_gets_a_part() {
        let mut flat = on_peg(Template::StableSwapNg);
        let mut growing = flat;
        growing.parameters.offpeg_fee_multiplier = 50_000_000_000;
        let much = uint("900000000000000000000");
        let quotes = [flat, growing].map(|pool| pool.quote(0, 1, much).unwrap());
        assert!(quotes[1].fee > quotes[0].fee);
        let little = [flat, growing].map(|pool| pool.quote(0, 1, RATE_ONE).unwrap().fee);
        assert!(little[1].abs_diff(little[0]) < U256::from(1_000_000_000_000_u64));
        let done = flat.exchange(0, 1, much, U256::ZERO).unwrap();
        assert_eq!(flat.admin_balances()[1], done.admin_fee);
        let balances = *flat.balances();
        assert_eq!(flat.withdraw_admin_fees()[1], done.admin_fee);
        assert_eq!(*flat.balances(), balances);
        assert_eq!(flat.withdraw_admin_fees(), balances.zeroed());
    }

    #[test]
    fn a_ramp_moves_the_price_with_time_and_cannot_be_asked_before_it_begins() {
        let mut parameters = parameters(Template::Base);
        parameters.amplification = Amplification {
            initial: 10_000,
            future: 100_000,
            initial_time: 1_000,
            future_time: 2_000,
        };
        let balances = [
            uint("3000000000000000000000"),
            uint("1050000000000000000000"),
        ];
        let supply = uint("4000000000000000000000");
        let nothing = [U256::ZERO; 2];
        let mut pool = Pool::with_state(parameters, &balances, &nothing, supply).unwrap();
        assert!(pool.quote(0, 1, RATE_ONE).is_err());
        let mut last = U256::ZERO;
        for now in [1_000, 1_500, 2_000] {
            pool.advance_to(now);
            let received = pool.quote(0, 1, RATE_ONE).unwrap().received;
            assert!(received > last, "nearer to the peg as A grows");
            last = received;
        }
    }
}
