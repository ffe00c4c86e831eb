//! One pool of ether, its shares, and who holds them.

use basis_core::num::{Fixed18, MathError, U256};

/// One token: 10^18 wei or shares.
pub const ONE_TOKEN: U256 = U256::from_limbs([1_000_000_000_000_000_000, 0, 0, 0]);
/// One in ray: 10^27.
pub const RAY: U256 = U256::from_limbs([11_515_845_246_265_065_472, 54_210_108, 0, 0]);

/// Shares of a pool made by [`SharePool::at_rate`]: 10^27, a billion tokens, of which an account of
/// ours is a small part.
pub const SHARES_AT_RATE: U256 = RAY;

/// Total shares and the ether they stand for.
///
/// `StETH.getPooledEthByShares` and `getSharesByPooledEth` of Lido, `LiquidityPool.amountForShare`
/// and `sharesForAmount` of EtherFi. A product beyond 256 bits is an error, as in the contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharePool {
    /// Shares in existence.
    pub total_shares: U256,
    /// Wei they stand for, rewards and penalties included.
    pub total_pooled_ether: U256,
}

impl SharePool {
    /// A pool of so many shares and wei.
    #[must_use]
    pub const fn new(total_shares: U256, total_pooled_ether: U256) -> Self {
        Self {
            total_shares,
            total_pooled_ether,
        }
    }

    /// A pool of [`SHARES_AT_RATE`] shares whose [`SharePool::rate`] is exactly `rate`, ether per
    /// token (> 0).
    ///
    /// # Errors
    /// [`MathError::OutOfRange`] unless `rate` is positive.
    pub fn at_rate(rate: Fixed18) -> Result<Self, MathError> {
        let mut pool = Self::new(SHARES_AT_RATE, U256::ZERO);
        pool.set_rate(rate)?;
        Ok(pool)
    }

    /// Sets pooled ether to `rate` (ether per token, > 0) × total shares, rounded up, so that
    /// [`SharePool::rate`] returns `rate` to the last digit as long as a whole token exists.
    ///
    /// # Errors
    /// [`MathError::OutOfRange`] unless `rate` is positive; [`MathError::Overflow256`].
    pub fn set_rate(&mut self, rate: Fixed18) -> Result<(), MathError> {
        if !rate.is_positive() {
            return Err(MathError::OutOfRange {
                what: "protocol rate",
                min: Fixed18::from_mantissa(1),
                max: Fixed18::MAX,
                value: rate,
            });
        }
        let rate = U256::from(rate.mantissa().unsigned_abs());
        self.total_pooled_ether =
            product_over_ceil(rate, self.total_shares, ONE_TOKEN, "protocol rate")?;
        Ok(())
    }

    /// Wei per token as the contracts' views return it, floor(10^18 × ether ÷ shares):
    /// `WstETH.stEthPerToken`, `WeETH.getRate`.
    ///
    /// # Errors
    /// [`MathError::DivideByZero`] without shares; [`MathError::Overflow256`].
    pub fn rate_wei(&self) -> Result<U256, MathError> {
        self.amount_for_shares(ONE_TOKEN)
    }

    /// As [`SharePool::rate_wei`], as a number: ether per token, 18 decimals, rounded down.
    ///
    /// # Errors
    /// As [`SharePool::rate_wei`]; [`MathError::Overflow`] beyond 10^20.
    pub fn rate(&self) -> Result<Fixed18, MathError> {
        let wei = i128::try_from(self.rate_wei()?);
        let wei = wei.ok().ok_or(MathError::Overflow { op: "rate" })?;
        Ok(Fixed18::from_mantissa(wei))
    }

    /// Ether per share in ray, rounded down: the rate at which a queue finalizes.
    ///
    /// # Errors
    /// [`MathError::DivideByZero`] without shares; [`MathError::Overflow256`].
    pub fn rate_ray(&self) -> Result<U256, MathError> {
        product_over_floor(
            self.total_pooled_ether,
            RAY,
            self.total_shares,
            "share rate",
        )
    }

    /// Wei that `shares` stand for, rounded down.
    ///
    /// # Errors
    /// [`MathError::DivideByZero`] without shares; [`MathError::Overflow256`].
    #[inline]
    pub fn amount_for_shares(&self, shares: U256) -> Result<U256, MathError> {
        product_over_floor(
            shares,
            self.total_pooled_ether,
            self.total_shares,
            "amount for shares",
        )
    }

    /// Shares that `amount` wei stand for, rounded down.
    ///
    /// # Errors
    /// [`MathError::DivideByZero`] without ether; [`MathError::Overflow256`].
    #[inline]
    pub fn shares_for_amount(&self, amount: U256) -> Result<U256, MathError> {
        product_over_floor(
            amount,
            self.total_shares,
            self.total_pooled_ether,
            "shares for amount",
        )
    }

    /// Shares that `amount` wei stand for, rounded up: `LiquidityPool.sharesForWithdrawalAmount`.
    ///
    /// # Errors
    /// [`MathError::DivideByZero`] without ether; [`MathError::Overflow256`].
    #[inline]
    pub fn shares_for_amount_ceil(&self, amount: U256) -> Result<U256, MathError> {
        product_over_ceil(
            amount,
            self.total_shares,
            self.total_pooled_ether,
            "shares for amount",
        )
    }

    /// The pool after `shares` and `ether` came in.
    pub(super) fn grown(&self, shares: U256, ether: U256) -> Result<Self, MathError> {
        Ok(Self {
            total_shares: sum(self.total_shares, shares)?,
            total_pooled_ether: sum(self.total_pooled_ether, ether)?,
        })
    }

    /// The pool after `shares` and `ether` went out.
    pub(super) fn shrunk(&self, shares: U256, ether: U256) -> Result<Self, MathError> {
        Ok(Self {
            total_shares: difference(self.total_shares, shares)?,
            total_pooled_ether: difference(self.total_pooled_ether, ether)?,
        })
    }
}

/// `a × b ÷ divisor`, rounded down; the product must fit 256 bits, as a contract's does.
#[inline]
pub(super) fn product_over_floor(
    a: U256,
    b: U256,
    divisor: U256,
    op: &'static str,
) -> Result<U256, MathError> {
    let product = a.checked_mul(b).ok_or(MathError::Overflow256 { op })?;
    product
        .checked_div(divisor)
        .ok_or(MathError::DivideByZero { op })
}

/// `a × b ÷ divisor`, rounded up; the product must fit 256 bits.
fn product_over_ceil(a: U256, b: U256, divisor: U256, op: &'static str) -> Result<U256, MathError> {
    let product = a.checked_mul(b).ok_or(MathError::Overflow256 { op })?;
    if divisor.is_zero() {
        return Err(MathError::DivideByZero { op });
    }
    let (quotient, remainder) = product.div_rem(divisor);
    let up = U256::from(u8::from(!remainder.is_zero()));
    quotient
        .checked_add(up)
        .ok_or(MathError::Overflow256 { op })
}

pub(super) fn sum(a: U256, b: U256) -> Result<U256, MathError> {
    a.checked_add(b).ok_or(MathError::Overflow256 { op: "add" })
}

/// `a − b`; less than nothing is what the contracts' checked subtraction refuses.
pub(super) fn difference(a: U256, b: U256) -> Result<U256, MathError> {
    a.checked_sub(b)
        .ok_or(MathError::Overflow256 { op: "subtract" })
}

/// One holder of a simulated token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder(u32);

impl Holder {
    /// The contract of the wrapped token.
    pub const WRAPPER: Self = Self(0);
    /// The contract of the withdrawal queue.
    pub const QUEUE: Self = Self(1);
    /// The first holder that is nobody's contract; the wallet of a simulation.
    pub const WALLET: Self = Self(2);

    /// The holder `number` places after the wallet.
    #[must_use]
    pub const fn after_wallet(number: u32) -> Self {
        Self(number.saturating_add(Self::WALLET.0))
    }

    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// How much each holder has of one token (or of shares); a holder never seen has nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShareBook {
    held: Vec<U256>,
}

impl ShareBook {
    /// What `holder` has.
    #[inline]
    #[must_use]
    pub fn of(&self, holder: Holder) -> U256 {
        self.held.get(holder.index()).copied().unwrap_or(U256::ZERO)
    }

    /// What all of them have together.
    ///
    /// # Errors
    /// [`MathError::Overflow256`].
    pub fn total(&self) -> Result<U256, MathError> {
        self.held.iter().try_fold(U256::ZERO, |a, b| sum(a, *b))
    }

    /// Replaces what `holder` has.
    pub(super) fn set(&mut self, holder: Holder, amount: U256) {
        let index = holder.index();
        if index >= self.held.len() {
            self.held.resize(index.saturating_add(1), U256::ZERO);
        }
        if let Some(held) = self.held.get_mut(index) {
            *held = amount;
        }
    }

    /// Moves `amount`, which `from` must have; `false`, and nothing done, when it has not.
    pub(super) fn shift(
        &mut self,
        from: Holder,
        to: Holder,
        amount: U256,
    ) -> Result<bool, MathError> {
        let Some(left) = self.of(from).checked_sub(amount) else {
            return Ok(false);
        };
        if from == to {
            return Ok(true);
        }
        let arrived = sum(self.of(to), amount)?;
        self.set(from, left);
        self.set(to, arrived);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn constants_are_the_powers_of_ten_they_say() {
        let ten = U256::from(10_u64);
        assert_eq!(ONE_TOKEN, ten.pow(U256::from(18_u64)));
        assert_eq!(RAY, ten.pow(U256::from(27_u64)));
    }

    #[test]
    fn a_pool_without_shares_or_ether_divides_by_zero() {
        let empty = SharePool::new(U256::ZERO, U256::ZERO);
        assert_eq!(
            empty.rate_wei(),
            Err(MathError::DivideByZero {
                op: "amount for shares"
            })
        );
        assert!(empty.shares_for_amount(U256::ONE).is_err());
        assert!(empty.shares_for_amount_ceil(U256::ONE).is_err());
        assert!(SharePool::at_rate(Fixed18::ZERO).is_err());
        assert!(SharePool::at_rate(Fixed18::from_int(-1)).is_err());
    }

    #[test]
    fn a_product_beyond_256_bits_is_refused_as_the_contract_refuses_it() {
        let pool = SharePool::at_rate(Fixed18::literal("1.2")).unwrap();
        assert_eq!(
            pool.shares_for_amount(U256::MAX),
            Err(MathError::Overflow256 {
                op: "shares for amount"
            })
        );
    }

    proptest! {
        #[test]
        fn prop_the_rate_set_is_the_rate_read(
            first in 1_i128..100_000_000_000_000_000_000,
            second in 1_i128..100_000_000_000_000_000_000,
            grown in 0_u128..1_000_000_000_000_000_000_000_000_000,
        ) {
            let mut pool = SharePool::at_rate(Fixed18::from_mantissa(first)).unwrap();
            prop_assert_eq!(pool.rate().unwrap(), Fixed18::from_mantissa(first));
            // Whatever number of shares there is later, as long as one token is left.
            pool.total_shares = ONE_TOKEN + U256::from(grown);
            pool.set_rate(Fixed18::from_mantissa(second)).unwrap();
            prop_assert_eq!(pool.rate().unwrap(), Fixed18::from_mantissa(second));
        }

        #[test]
        fn prop_round_trips_never_gain(
            shares in 1_u128.., ether in 1_u128.., amount: u64,
        ) {
            let pool = SharePool::new(U256::from(shares), U256::from(ether));
            let amount = U256::from(amount);
            let there = pool.shares_for_amount(amount).unwrap();
            prop_assert!(pool.amount_for_shares(there).unwrap() <= amount);
            let back = pool.amount_for_shares(amount).unwrap();
            prop_assert!(pool.shares_for_amount(back).unwrap() <= amount);
            prop_assert!(pool.shares_for_amount_ceil(back).unwrap() <= amount);
        }
    }
}
