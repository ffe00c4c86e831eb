//! The balance `y` that the contract's last loop finds, found in fewer rounds.
//!
//! With `P(y) = y² + (b − D)·y − c`, whose roots are `r ≥ 0 ≥ r'`, the contract starts at `y = D` and
//! repeats `g(y) = (y² + c) ÷ (2y + b − D)`, rounded down, until a step moves by at most 1. From a
//! good start the same iteration takes half the rounds; that it ends at the same integer is checked
//! each time, by what follows.
//!
//! `w = r − r'` and `e = y − r` give `2y + b − D = 2e + w` and `g(y) − r = e² ÷ (2e + w) ≥ 0`, so the
//! contract never falls below `q = ⌊r⌋` and halves its distance at least. It stops only where
//! `y − g(y) ≤ 1`, which needs `e ≤ 2`, or, coming from below, where `g(y) − y < 2`, which needs
//! `e > −2`. Then `g(y) − r ≤ 4 ÷ (w − 4)`. The next integer is `t = q + 1 − r` above `r`, and
//! `P(q + 1) = t·(t + w)`, so `t ≥ P(q + 1) ÷ (1 + w)`. Hence `P(q + 1) ≥ 17` says two things: `w` is
//! above 15, and `g(y) < q + 1`. The contract's answer is `q`, whatever its path was. As `q` is where
//! `P` changes sign, both are seen by looking at `P` in two places.

use super::curve::ROUNDS;
use basis_core::num::wide::{self, U256};

/// Rounds from the given start; from within a few percent three are enough.
const SHORT_ROUNDS: u32 = 8;
/// What `P` must reach one above the root for the root to be beyond doubt.
const BEYOND_DOUBT: u128 = 17;

/// `y² + (b − d)·y = c`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quadratic {
    pub(super) b: u128,
    pub(super) c: U256,
    pub(super) d: u128,
}

impl Quadratic {
    /// What the contract's loop ends with; `None` where that needs more than 128 bits or more
    /// rounds than the contract has. `start` changes the time it takes, not the result.
    #[inline]
    pub(super) fn settle(&self, start: u128) -> Option<u128> {
        self.settle_from(start)
            .or_else(|| self.settle_as_the_contract())
    }

    fn settle_as_the_contract(&self) -> Option<u128> {
        let mut y = self.d;
        for _ in 0..ROUNDS {
            let next = self.round(y)?;
            let moved = next.abs_diff(y);
            y = next;
            if moved <= 1 {
                return Some(y);
            }
        }
        None
    }

    #[inline]
    fn settle_from(&self, start: u128) -> Option<u128> {
        if !self.fits_all_along() {
            return None;
        }
        let mut y = start;
        for _ in 0..SHORT_ROUNDS {
            let next = self.round(y)?;
            let moved = next.abs_diff(y);
            y = next;
            if moved <= 1 {
                break;
            }
        }
        let above = y.checked_add(1)?;
        let (left, right) = self.sides(y)?;
        let (left_above, right_above) = self.sides(above)?;
        let doubtless = add(right_above, wide::mul(BEYOND_DOUBT, 1))?;
        (is_at_most(left, right) && is_at_most(doubtless, left_above)).then_some(y)
    }

    /// Whether the contract's own path stays within 256 bits: its first step is at most
    /// `d + c ÷ d`, and the later ones fall.
    #[inline]
    const fn fits_all_along(&self) -> bool {
        let c_bits = if self.c.hi == 0 {
            128_u32.wrapping_sub(self.c.lo.leading_zeros())
        } else {
            256_u32.wrapping_sub(self.c.hi.leading_zeros())
        };
        let d_bits = 128_u32.wrapping_sub(self.d.leading_zeros());
        // c ÷ d below 2^125 and d below 2^126, so y below 2^127 and y² + c below 2^255.
        d_bits <= 126 && c_bits <= d_bits.wrapping_add(124)
    }

    /// `(y² + c) ÷ (2y + b − d)`.
    #[inline]
    fn round(&self, y: u128) -> Option<u128> {
        let bottom = y.checked_add(y)?.checked_add(self.b)?.checked_sub(self.d)?;
        let top = add(wide::mul(y, y), self.c)?;
        wide::div(top, bottom).map(|(quotient, _)| quotient)
    }

    /// `y² + b·y` and `c + d·y`, whose difference is `P(y)`.
    #[inline]
    fn sides(&self, y: u128) -> Option<(U256, U256)> {
        let left = add(wide::mul(y, y), wide::mul(self.b, y))?;
        let right = add(self.c, wide::mul(self.d, y))?;
        Some((left, right))
    }
}

#[inline]
fn add(a: U256, b: U256) -> Option<U256> {
    let (lo, carry) = a.lo.overflowing_add(b.lo);
    let hi = a.hi.checked_add(b.hi)?.checked_add(u128::from(carry))?;
    Some(U256 { hi, lo })
}

#[inline]
const fn is_at_most(a: U256, b: U256) -> bool {
    a.hi < b.hi || (a.hi == b.hi && a.lo <= b.lo)
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "test operands are bounded; tests trap overflow"
)]
mod tests {
    use super::*;
    use basis_core::num::uint256;
    use proptest::prelude::*;

    /// The contract's loop on the contract's integers; `None` where it reverts.
    fn contract(quadratic: &Quadratic) -> Option<uint256::U256> {
        let wide = uint256::U256::from::<u128>;
        let Quadratic { b, c, d } = *quadratic;
        let c = (wide(c.hi) << 128) + wide(c.lo);
        let mut y = wide(d);
        for _ in 0..ROUNDS {
            let bottom = (y + y).checked_add(wide(b))?.checked_sub(wide(d))?;
            let next = y.checked_mul(y)?.checked_add(c)?.checked_div(bottom)?;
            let moved = next.abs_diff(y);
            y = next;
            if moved <= wide(1) {
                return Some(y);
            }
        }
        None
    }

    /// Uniform in bit length.
    fn any_width() -> impl Strategy<Value = u128> {
        (any::<u128>(), 0_u32..128).prop_map(|(x, shift)| x >> shift)
    }

    /// Every quadratic of small numbers, where an integer near the root is the rule.
    #[test]
    fn small_quadratics_settle_alike_from_every_start() {
        let mut short = 0;
        for (b, c, d) in (1..40)
            .flat_map(|b| (0..40).map(move |c| (b, c)))
            .flat_map(|(b, c)| (0..40).map(move |d| (b, c, d)))
        {
            let quadratic = Quadratic {
                b,
                c: wide::mul(c, c),
                d,
            };
            let expected = contract(&quadratic);
            for start in [0, 1, d, 100] {
                if let Some(found) = quadratic.settle_from(start) {
                    assert_eq!(
                        Some(uint256::U256::from(found)),
                        expected,
                        "{quadratic:?} from {start}"
                    );
                    short += 1;
                }
            }
        }
        assert!(short > 10_000, "{short} found the short way");
    }

    proptest! {
        #[test]
        fn prop_the_start_does_not_change_the_result(
            b in any_width(), c in (any_width(), any_width()), d in any_width(),
            start in any_width(),
        ) {
            let quadratic = Quadratic { b, c: wide::mul(c.0, c.1), d };
            let ways = [quadratic.settle_from(start), quadratic.settle_as_the_contract()];
            for found in ways.into_iter().flatten() {
                prop_assert_eq!(Some(uint256::U256::from(found)), contract(&quadratic));
            }
        }

        /// Roots an integer or next to one, where the contract's paths could part.
        #[test]
        fn prop_integers_near_the_root_settle_alike(
            root in 1_u128..1 << 60, other in 0_u128..1 << 60, off in -40_i128..40,
            start in 1_u128..1 << 61, sum in 1_u128..1 << 60,
        ) {
            // (y − root)·(y + other) = y² + (other − root)·y − root·other.
            let Some(c) = (root * other).checked_add_signed(off) else {
                return Ok(());
            };
            let quadratic = Quadratic { b: sum + other, c: wide::mul(c, 1), d: sum + root };
            let ways = [quadratic.settle_from(start), quadratic.settle_as_the_contract()];
            for found in ways.into_iter().flatten() {
                prop_assert_eq!(Some(uint256::U256::from(found)), contract(&quadratic));
            }
        }
    }
}
