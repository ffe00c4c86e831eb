//! The marginal price, and the exchange that brings a pool of two coins to one.

use std::cmp::Ordering;

use super::arithmetic::{add, div, mul, mul_div, sub};
use super::error::StableSwapError;
use super::exchange::{EXCHANGE, Exchange};
use super::parameters::RATE_ONE;
use super::pool::Pool;
use basis_core::num::U256;

/// What refusals in this file name as the operation.
const OP: &str = "exchange to a price";

/// How many times as much of one coin as of the other an exchange to a price may leave, both in the
/// common unit. Beyond it the contracts' iterations may not settle, or are off by more than a unit.
pub const IMBALANCE_MAX: u64 = 100;

/// An exchange that brought a pool to a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceMove {
    /// The coin given.
    pub coin_in: usize,
    /// The coin taken.
    pub coin_out: usize,
    /// What was given, in base units of its coin.
    pub given: U256,
    /// What it got.
    pub exchange: Exchange,
}

/// Where an exchange of some amount ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    /// At the price.
    Met,
    /// At this price, on the near side of the one sought; also where the amount is too little to be
    /// exchanged.
    Short(U256),
    /// At this price, beyond the one sought.
    Crossed(U256),
    /// The pool refuses it, or is left further from balance than [`IMBALANCE_MAX`].
    Beyond,
}

/// A search for an amount of coin `i` that brings the price to `target`.
#[derive(Clone, Copy, Debug)]
struct Search {
    i: usize,
    j: usize,
    target: U256,
    /// The greatest amount known to be short, and the price it leads to.
    short: (U256, U256),
    /// The least amount known to be too much, and the price it leads to; none where it is
    /// [`Probe::Beyond`].
    long: (U256, Option<U256>),
}

impl Pool {
    /// `get_p` of `CurveStableSwapNG.vy`: what a unit of coin `i + 1` costs of coin 0 at the margin,
    /// before fees, both in the common unit (rates apart); 18 decimals, every division rounded down as
    /// there.
    ///
    /// The older contracts have no such view; for them it is the same formula with their own `A` and
    /// `D`.
    ///
    /// # Errors
    /// [`StableSwapError::NoSuchCoin`]; [`StableSwapError::Math`] in an empty pool; and as
    /// [`Curve::get_d`](super::Curve::get_d).
    pub fn get_p(&self, i: usize) -> Result<U256, StableSwapError> {
        const OP: &str = "get_p";
        let (curve, xp) = (self.curve()?, self.xp()?);
        let (first, other) = (xp.of(0)?, xp.of(i.saturating_add(1))?);
        let d = curve.get_d(&xp)?;
        let coins = U256::from(xp.len());
        let mut product = div(d, coins.pow(coins), OP)?;
        for x in xp.iter() {
            product = div(mul(product, d, OP)?, *x, OP)?;
        }
        let ann = mul(U256::from(curve.amplification), coins, OP)?;
        let precision = U256::from(curve.template.a_precision());
        let weighted = div(mul(ann, first, OP)?, precision, OP)?;
        let ratio = div(mul(product, first, OP)?, other, OP)?;
        let top = mul(RATE_ONE, add(weighted, ratio, OP)?, OP)?;
        div(top, add(weighted, product, OP)?, OP)
    }

    /// Exchanges, in a pool of two coins, an amount that leaves [`Pool::get_p`] of coin 1 at `target`;
    /// where none tried does, the one that leaves it on this side while one base unit more would cross
    /// it. The fee is paid. `None`, and nothing changed, where it stands there already, or nearer than
    /// the least exchange would leave it.
    ///
    /// The amount is bracketed by doubling, at most 256 times, then sought between the two prices, each
    /// fourth time by halving, so at most 1,024 times; a dozen do as a rule.
    ///
    /// # Errors
    /// [`StableSwapError::TwoCoinsOnly`]; [`StableSwapError::PriceOutOfReach`] when the pool would have
    /// to leave [`IMBALANCE_MAX`] or refuses before; and as [`Pool::get_p`].
    pub fn exchange_to_price(
        &mut self,
        target: U256,
    ) -> Result<Option<PriceMove>, StableSwapError> {
        let coins = self.balances.len();
        if coins != 2 {
            return Err(StableSwapError::TwoCoinsOnly { coins });
        }
        let start = self.get_p(0)?;
        // More of a coin in the pool makes it cheaper.
        let (i, j) = match start.cmp(&target) {
            Ordering::Equal => return Ok(None),
            Ordering::Greater => (1, 0),
            Ordering::Less => (0, 1),
        };
        let mut search = Search {
            i,
            j,
            target,
            short: (U256::ZERO, start),
            long: (self.balances.of(i)?.wrapping_shr(10).max(U256::ONE), None),
        };
        let given = match search.bracket(self)? {
            Some(met) => met,
            None => search.narrow(self)?,
        };
        let exchange = self.exchange_any((i, j), given)?;
        Ok(exchange.map(|exchange| PriceMove {
            coin_in: i,
            coin_out: j,
            given,
            exchange,
        }))
    }

    /// Exchanges `dx` base units of coin `i` for coin `j`; nothing where that is too little to give
    /// anything.
    fn exchange_any(
        &mut self,
        (i, j): (usize, usize),
        dx: U256,
    ) -> Result<Option<Exchange>, StableSwapError> {
        if dx.is_zero() {
            return Ok(None);
        }
        match self.exchange(i, j, dx, U256::ZERO) {
            Ok(exchange) => Ok(Some(exchange)),
            Err(StableSwapError::BelowZero { op: EXCHANGE, .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }
}

impl Search {
    /// Doubles the amount until it is too much; the amount where the price is met on the way.
    fn bracket(&mut self, pool: &Pool) -> Result<Option<U256>, StableSwapError> {
        loop {
            let amount = self.long.0;
            match self.probe(pool, amount) {
                Probe::Met => return Ok(Some(amount)),
                Probe::Crossed(price) => self.long.1 = Some(price),
                Probe::Beyond => {}
                Probe::Short(price) => {
                    self.short = (amount, price);
                    self.long.0 = add(amount, amount, OP)?;
                    continue;
                }
            }
            return Ok(None);
        }
    }

    /// The amount between the two that meets the price, or the last that is short of it.
    fn narrow(&mut self, pool: &Pool) -> Result<U256, StableSwapError> {
        let mut tried = 0_u32;
        loop {
            let width = sub(self.long.0, self.short.0, OP)?;
            if width <= U256::ONE {
                break;
            }
            tried = tried.wrapping_add(1);
            let guess = self.between(width).filter(|_| !tried.is_multiple_of(4));
            let part = guess.unwrap_or_else(|| width.wrapping_shr(1));
            let amount = add(self.short.0, part, OP)?;
            match self.probe(pool, amount) {
                Probe::Met => return Ok(amount),
                Probe::Short(price) => self.short = (amount, price),
                Probe::Crossed(price) => self.long = (amount, Some(price)),
                Probe::Beyond => self.long = (amount, None),
            }
        }
        if self.long.1.is_none() {
            return Err(StableSwapError::PriceOutOfReach {
                target: self.target,
                reached: self.short.1,
            });
        }
        Ok(self.short.0)
    }

    /// Where a straight line between the two prices meets the one sought: that much above the short
    /// amount, within `width` of it.
    fn between(&self, width: U256) -> Option<U256> {
        let (near, far) = (self.short.1, self.long.1?);
        let way = near.abs_diff(self.target);
        let part = mul_div(width, way, near.abs_diff(far), OP).ok()?;
        Some(part.clamp(U256::ONE, width.saturating_sub(U256::ONE)))
    }

    /// Where an exchange of `amount` ends.
    fn probe(&self, pool: &Pool, amount: U256) -> Probe {
        let mut after = *pool;
        match after.exchange_any((self.i, self.j), amount) {
            Ok(Some(_)) => {}
            Ok(None) => return Probe::Short(self.short.1),
            Err(_) => return Probe::Beyond,
        }
        let (Ok(price), Ok(xp)) = (after.get_p(0), after.xp()) else {
            return Probe::Beyond;
        };
        // Giving coin 1 makes the price fall.
        let nearer = match self.i {
            1 => price.cmp(&self.target),
            _ => self.target.cmp(&price),
        };
        let bound = |x: U256| x.saturating_mul(U256::from(IMBALANCE_MAX));
        match (nearer, xp.of(self.i), xp.of(self.j)) {
            (Ordering::Equal, ..) => Probe::Met,
            (Ordering::Less, ..) => Probe::Crossed(price),
            (Ordering::Greater, Ok(given), Ok(taken)) if given <= bound(taken) => {
                Probe::Short(price)
            }
            _ => Probe::Beyond,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Amplification, Parameters, PerCoin, Template};
    use super::*;

    const E18: u128 = 1_000_000_000_000_000_000;

    fn pool(template: Template, balances: &[u64], fee: u64) -> Pool {
        let parameters = Parameters {
            template,
            amplification: Amplification::constant(template.a_precision().saturating_mul(100)),
            fee,
            admin_fee: 5_000_000_000,
            offpeg_fee_multiplier: 0,
            rates: PerCoin::new(&vec![RATE_ONE; balances.len()]).unwrap(),
        };
        let units = |tokens: &u64| U256::from(*tokens).wrapping_mul(U256::from(E18));
        let balances: Vec<_> = balances.iter().map(units).collect();
        let nothing = vec![U256::ZERO; balances.len()];
        let supply = balances.iter().sum();
        Pool::with_state(parameters, &balances, &nothing, supply).unwrap()
    }

    #[test]
    fn the_price_is_one_in_balance_and_what_a_little_exchange_pays_off_it() {
        for template in [Template::ThreePool, Template::Base, Template::StableSwapNg] {
            let balanced = pool(template, &[1_000, 1_000, 1_000], 0);
            for i in [0, 1] {
                let price = balanced.get_p(i).unwrap();
                assert!(price.abs_diff(RATE_ONE) <= U256::ONE, "{price}");
            }
            let absent = StableSwapError::NoSuchCoin { coin: 3, coins: 3 };
            assert_eq!(balanced.get_p(2), Err(absent));
            // 10^-9 of the pool, without a fee: the slope moves the price by no more than that.
            let tilted = pool(template, &[3_000, 1_000, 2_000], 0);
            for coin in [1, 2] {
                let price = tilted.get_p(coin - 1).unwrap();
                let dust = U256::from(E18 / 1_000_000);
                let paid = tilted.quote(coin, 0, dust).unwrap().received;
                let paid = paid.wrapping_mul(RATE_ONE).wrapping_div(dust);
                assert!(price > RATE_ONE, "coin 0 is plenty");
                assert!(paid <= price, "{paid} {price}");
                assert!(price.wrapping_sub(paid) < U256::from(E18 / 100_000_000));
            }
        }
    }

    #[test]
    fn a_pool_of_three_and_a_price_out_of_reach_are_refused_and_nothing_changes() {
        let three = StableSwapError::TwoCoinsOnly { coins: 3 };
        let mut pool_of_three = pool(Template::Base, &[1, 1, 1], 0);
        assert_eq!(pool_of_three.exchange_to_price(RATE_ONE), Err(three));
        for target in [U256::ZERO, U256::from(2_000_u64).wrapping_mul(RATE_ONE)] {
            let mut tried = pool(Template::StableSwapNg, &[1_000, 1_000], 4_000_000);
            let before = tried;
            let refused = tried.exchange_to_price(target).unwrap_err();
            assert_eq!(tried, before);
            let StableSwapError::PriceOutOfReach { reached, .. } = refused else {
                panic!("{refused}")
            };
            assert!(
                reached.abs_diff(RATE_ONE) > U256::from(E18 / 2),
                "{reached}"
            );
            let text = refused.to_string();
            assert!(text.contains("100 times as much of one coin"), "{text}");
        }
    }
}
