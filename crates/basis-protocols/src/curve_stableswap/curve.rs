//! The invariant `D` and the balance `y` that keeps it, by the contract's Newton iterations.
//!
//! Here on 256 bits with every check of the contract; [`narrow`](super::narrow) computes the same
//! integers on 128 bits, and is asked first.

use super::arithmetic::{add, div, mul, narrow, sub, widen};
use super::error::StableSwapError;
use super::narrow;
use super::parameters::Template;
use super::per_coin::PerCoin;
use basis_core::num::U256;

/// Rounds of Newton's iteration that the contracts allow.
pub(super) const ROUNDS: u32 = 255;

/// The curve that a pool of so many coins follows at one moment.
///
/// `xp` everywhere is one number for each coin: balance × rate ÷ 10^18, so 18 decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Curve {
    /// Whose order of operations.
    pub template: Template,
    /// `A` as the contract stores it, times [`Template::a_precision`].
    pub amplification: u64,
}

impl Curve {
    /// `Ann`: `A` × coins, times the precision of `A`.
    #[inline]
    pub(super) const fn ann(&self, coins: usize) -> Option<u64> {
        self.amplification.checked_mul(coins as u64)
    }

    /// `get_D`: the invariant of `xp`, 18 decimals. Zero for an empty pool.
    ///
    /// Starts at `Σx` and ends when a step moves by at most 1, so the result can be off the exact
    /// root by that much.
    ///
    /// # Errors
    /// [`StableSwapError::Math`] when one coin is missing (division by zero) or numbers leave 256
    /// bits; [`StableSwapError::NotConverging`] after 255 rounds, but for
    /// [`Template::ThreePool`], whose contract keeps what it has.
    #[inline]
    pub fn get_d(&self, xp: &PerCoin) -> Result<U256, StableSwapError> {
        match narrow::get_d(self, xp) {
            Some(d) => Ok(widen(d)),
            None => self.get_d_wide(xp),
        }
    }

    /// `get_y`: the balance of coin `j` that keeps the invariant `d` when coin `i` has `x`, 18
    /// decimals, within 1 of the exact root.
    ///
    /// # Errors
    /// [`StableSwapError::SameCoin`], [`StableSwapError::NoSuchCoin`], and as [`Curve::get_d`].
    #[inline]
    pub fn get_y(
        &self,
        i: usize,
        j: usize,
        x: U256,
        xp: &PerCoin,
        d: U256,
    ) -> Result<U256, StableSwapError> {
        if i == j {
            return Err(StableSwapError::SameCoin { coin: i });
        }
        // On the peg a coin leaves for each that comes in: a start for the search of y.
        let start = xp.of(j)?.saturating_sub(x.saturating_sub(xp.of(i)?));
        self.get_y_d(j, &xp.with(i, x).with(j, start), d)
    }

    /// `get_y_D`: the balance of coin `i` that makes the invariant `d` while the others stay at
    /// `xp`, 18 decimals, within 1 of the exact root. Coin `i`'s own entry does not change it.
    ///
    /// # Errors
    /// [`StableSwapError::NoSuchCoin`], and as [`Curve::get_d`].
    #[inline]
    pub fn get_y_d(&self, i: usize, xp: &PerCoin, d: U256) -> Result<U256, StableSwapError> {
        xp.of(i)?;
        match narrow(&d).and_then(|d| narrow::get_y_d(self, i, xp, d)) {
            Some(y) => Ok(widen(y)),
            None => self.get_y_d_wide(i, xp, d),
        }
    }

    /// [`Curve::get_d`] as the contract computes it.
    #[cold]
    pub(super) fn get_d_wide(&self, xp: &PerCoin) -> Result<U256, StableSwapError> {
        const OP: &str = "get_D";
        let sum = xp.iter().try_fold(U256::ZERO, |sum, x| add(sum, *x, OP))?;
        if sum.is_zero() {
            return Ok(U256::ZERO);
        }
        let coins = U256::from(xp.len());
        let coins_up = add(coins, U256::ONE, OP)?;
        let ann = mul(U256::from(self.amplification), coins, OP)?;
        let precision = U256::from(self.template.a_precision());
        let weighted = div(mul(ann, sum, OP)?, precision, OP)?;
        let ann_less = sub(ann, precision, OP)?;
        let mut d = sum;
        let mut moved = U256::ZERO;
        for _ in 0..ROUNDS {
            let product = self.product_over_balances(xp, d)?;
            let top = mul(add(weighted, mul(product, coins, OP)?, OP)?, d, OP)?;
            let bottom = add(
                div(mul(ann_less, d, OP)?, precision, OP)?,
                mul(coins_up, product, OP)?,
                OP,
            )?;
            let next = div(top, bottom, OP)?;
            moved = next.abs_diff(d);
            d = next;
            if moved <= U256::ONE {
                return Ok(d);
            }
        }
        self.unsettled("D", d, moved)
    }

    /// `D_P`: `D^(n+1) ÷ (n^n·Πx)`, rounded down at each division that the contract makes.
    fn product_over_balances(&self, xp: &PerCoin, d: U256) -> Result<U256, StableSwapError> {
        const OP: &str = "get_D";
        let coins = U256::from(xp.len());
        let mut product = d;
        match self.template {
            Template::ThreePool | Template::Base => {
                for x in xp.iter() {
                    product = div(mul(product, d, OP)?, mul(*x, coins, OP)?, OP)?;
                }
                Ok(product)
            }
            Template::StableSwapNg => {
                for x in xp.iter() {
                    product = div(mul(product, d, OP)?, *x, OP)?;
                }
                div(product, coins.pow(coins), OP)
            }
        }
    }

    /// [`Curve::get_y_d`] as the contract computes it.
    #[cold]
    pub(super) fn get_y_d_wide(
        &self,
        i: usize,
        xp: &PerCoin,
        d: U256,
    ) -> Result<U256, StableSwapError> {
        const OP: &str = "get_y";
        let coins = U256::from(xp.len());
        let ann = mul(U256::from(self.amplification), coins, OP)?;
        let precision = U256::from(self.template.a_precision());
        let mut sum = U256::ZERO;
        let mut c = d;
        for (_, x) in xp.iter().enumerate().filter(|(coin, _)| *coin != i) {
            sum = add(sum, *x, OP)?;
            c = div(mul(c, d, OP)?, mul(*x, coins, OP)?, OP)?;
        }
        c = div(
            mul(mul(c, d, OP)?, precision, OP)?,
            mul(ann, coins, OP)?,
            OP,
        )?;
        let b = add(sum, div(mul(d, precision, OP)?, ann, OP)?, OP)?;
        let mut y = d;
        let mut moved = U256::ZERO;
        for _ in 0..ROUNDS {
            let bottom = sub(add(mul(y, U256::from(2_u64), OP)?, b, OP)?, d, OP)?;
            let next = div(add(mul(y, y, OP)?, c, OP)?, bottom, OP)?;
            moved = next.abs_diff(y);
            y = next;
            if moved <= U256::ONE {
                return Ok(y);
            }
        }
        self.unsettled("y", y, moved)
    }

    fn unsettled(
        &self,
        what: &'static str,
        last: U256,
        moved: U256,
    ) -> Result<U256, StableSwapError> {
        match self.template {
            Template::ThreePool => Ok(last),
            Template::Base | Template::StableSwapNg => Err(StableSwapError::NotConverging {
                what,
                moved,
                rounds: ROUNDS,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use basis_core::num::MathError;

    fn units(tokens: [u64; 3]) -> PerCoin {
        let wad = U256::from(10_u64).pow(U256::from(18_u64));
        PerCoin::new(&tokens.map(|t| U256::from(t).wrapping_mul(wad))).unwrap()
    }

    const TEMPLATES: [Template; 3] = [Template::ThreePool, Template::Base, Template::StableSwapNg];

    fn curve(template: Template) -> Curve {
        Curve {
            template,
            amplification: template.a_precision().saturating_mul(200),
        }
    }

    #[test]
    fn a_balanced_pool_is_worth_the_sum_of_its_coins() {
        for template in TEMPLATES {
            let xp = units([1_000, 1_000, 1_000]);
            let d = curve(template).get_d(&xp).unwrap();
            assert_eq!(d, units([3_000, 0, 0])[0]);
            let y = curve(template).get_y(0, 1, xp[0], &xp, d).unwrap();
            assert!(y.abs_diff(xp[1]) <= U256::ONE);
        }
    }

    #[test]
    fn an_empty_pool_has_no_invariant_and_a_missing_coin_breaks_it() {
        for template in TEMPLATES {
            let curve = curve(template);
            assert_eq!(curve.get_d(&units([0, 0, 0])), Ok(U256::ZERO));
            let zero = MathError::DivideByZero { op: "get_D" }.into();
            assert_eq!(curve.get_d(&units([5, 0, 5])), Err(zero));
            let xp = units([5, 5, 5]);
            let same = StableSwapError::SameCoin { coin: 1 };
            assert_eq!(curve.get_y(1, 1, xp[1], &xp, xp[0]), Err(same));
            let absent = StableSwapError::NoSuchCoin { coin: 3, coins: 3 };
            assert_eq!(curve.get_y(3, 1, xp[1], &xp, xp[0]), Err(absent));
            assert_eq!(curve.get_y(1, 3, xp[1], &xp, xp[0]), Err(absent));
        }
    }

    #[test]
    fn balances_beyond_256_bits_of_products_are_refused() {
        for template in TEMPLATES {
            let huge = PerCoin::new(&[U256::ONE << 200, U256::ONE << 200]).unwrap();
            let overflow = MathError::Overflow256 { op: "get_D" }.into();
            assert_eq!(curve(template).get_d(&huge), Err(overflow));
        }
    }

    #[test]
    fn a_drained_pool_goes_round_in_circles_and_only_the_3pool_keeps_what_it_has() {
        let drained = PerCoin::new(&units([1_000_000, 1, 0])[..2]).unwrap();
        let curve = |template: Template| Curve {
            template,
            amplification: template.a_precision(),
        };
        let kept = U256::from(19_933_340_269_956_185_014_309_u128);
        assert_eq!(curve(Template::ThreePool).get_d(&drained), Ok(kept));
        let endless = StableSwapError::NotConverging {
            what: "D",
            moved: U256::from(13_u64),
            rounds: 255,
        };
        assert_eq!(curve(Template::Base).get_d(&drained), Err(endless));
        assert_eq!(
            endless.to_string(),
            "D does not converge: it still moved by 13 after 255 rounds"
        );
    }
}
