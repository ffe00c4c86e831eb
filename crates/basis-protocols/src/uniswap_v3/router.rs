//! Several pools one behind the other, and what the routers refuse.
//!
//! Mirrors `SwapRouter` and `SwapRouter02` as far as amounts go. Slippage limits, deadlines and the
//! wrapping of the native coin are the caller's.

use super::{Pool, SwapOutcome, SwapRequest, UniswapV3Error};
use basis_core::num::U256;

/// Takes exactly `amount_out` base units from one pool.
///
/// Mirrors `exactOutputSingle`: without a price limit the pool must give all of it, or nothing
/// happens; with one, what is reached before it is taken. `exactInputSingle` has no such rule and is
/// [`Pool::swap`]: it takes less of the input when the liquidity ends.
///
/// # Errors
/// [`UniswapV3Error::OutputIncomplete`], and those of [`Pool::swap`].
pub fn exact_output_single(
    pool: &mut Pool,
    zero_for_one: bool,
    amount_out: U256,
    sqrt_price_limit_x96: Option<U256>,
) -> Result<SwapOutcome, UniswapV3Error> {
    let request = SwapRequest {
        sqrt_price_limit_x96,
        ..SwapRequest::exact_out(zero_for_one, amount_out)
    };
    if sqrt_price_limit_x96.is_none() {
        check_complete(&pool.quote(&request)?, amount_out)?;
    }
    pool.swap(&request)
}

fn check_complete(outcome: &SwapOutcome, wanted: U256) -> Result<(), UniswapV3Error> {
    if outcome.is_complete() {
        return Ok(());
    }
    let given = outcome.amount_out;
    Err(UniswapV3Error::OutputIncomplete { given, wanted })
}

/// One pool of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The pool's place in the slice given to the route's methods.
    pub pool: usize,
    /// The direction through it.
    pub zero_for_one: bool,
}

/// A way through one or more pools, each at most once; what one pays the next takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    hops: Vec<Hop>,
}

/// What a route does, or would do. Amounts in base units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteOutcome {
    /// What the first pool takes, fee included.
    pub amount_in: U256,
    /// What the last pool pays.
    pub amount_out: U256,
    /// What is left of an exact input, because the first pool's liquidity ended.
    pub amount_unfilled: U256,
    /// Each pool's part, in the order of the route.
    pub hops: Vec<SwapOutcome>,
}

/// Why a route is refused. No pool has been changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// A route through no pool.
    #[error("a route without pools")]
    Empty,
    /// A pool that appears twice. A quote could not see the first swap's effect on the second, and
    /// an exact output is refused by the pool's own lock.
    #[error("pool {pool} appears twice in the route")]
    PoolTwice {
        /// The pool's place.
        pool: usize,
    },
    /// A pool that is not among those given.
    #[error("pool {pool} is not among the {pools} given")]
    NoPool {
        /// The pool's place.
        pool: usize,
        /// How many were given.
        pools: usize,
    },
    /// A pool's own refusal.
    #[error("hop {hop}: {source}")]
    Hop {
        /// Which hop, from 0.
        hop: usize,
        /// The pool's reason.
        source: UniswapV3Error,
    },
    /// A later pool cannot take all that the one before pays. The contract goes on and leaves the
    /// rest in the router, where anyone can take it.
    #[error("hop {hop} takes {taken} of {offered} units: the rest would be lost in the router")]
    Stranded {
        /// Which hop, from 0.
        hop: usize,
        /// What it would take, in base units.
        taken: U256,
        /// What the hop before pays, in base units.
        offered: U256,
    },
}

impl Route {
    /// Makes a route of these hops, in the order of the input's way.
    ///
    /// # Errors
    /// [`RouteError::Empty`] or [`RouteError::PoolTwice`].
    pub fn new(hops: &[Hop]) -> Result<Self, RouteError> {
        if hops.is_empty() {
            return Err(RouteError::Empty);
        }
        for (at, hop) in hops.iter().enumerate() {
            if hops.iter().take(at).any(|other| other.pool == hop.pool) {
                return Err(RouteError::PoolTwice { pool: hop.pool });
            }
        }
        let hops = hops.to_vec();
        Ok(Self { hops })
    }

    /// The hops, in the order of the input's way.
    #[must_use]
    pub fn hops(&self) -> &[Hop] {
        &self.hops
    }

    /// Returns what giving `amount_in` base units would do.
    ///
    /// Mirrors `exactInput`, but for [`RouteError::Stranded`]. When the first pool cannot take all,
    /// less is taken.
    ///
    /// # Errors
    /// [`RouteError`].
    pub fn quote_exact_in(
        &self,
        pools: &[Pool],
        amount_in: U256,
    ) -> Result<RouteOutcome, RouteError> {
        let mut outcomes: Vec<SwapOutcome> = Vec::with_capacity(self.hops.len());
        for (at, hop) in self.hops.iter().enumerate() {
            let offered = outcomes.last().map_or(amount_in, |last| last.amount_out);
            let request = SwapRequest::exact_in(hop.zero_for_one, offered);
            let outcome = self.quote_hop(pools, at, &request)?;
            if at > 0 && !outcome.is_complete() {
                let taken = outcome.amount_in;
                return Err(RouteError::Stranded {
                    hop: at,
                    taken,
                    offered,
                });
            }
            outcomes.push(outcome);
        }
        Ok(RouteOutcome::of(outcomes))
    }

    /// Returns what taking exactly `amount_out` base units would do.
    ///
    /// Mirrors `exactOutput`: the last pool is asked first, and each must give all that it is asked.
    ///
    /// # Errors
    /// [`RouteError`].
    pub fn quote_exact_out(
        &self,
        pools: &[Pool],
        amount_out: U256,
    ) -> Result<RouteOutcome, RouteError> {
        let mut outcomes: Vec<SwapOutcome> = Vec::with_capacity(self.hops.len());
        for (at, hop) in self.hops.iter().enumerate().rev() {
            let wanted = outcomes.last().map_or(amount_out, |later| later.amount_in);
            let request = SwapRequest::exact_out(hop.zero_for_one, wanted);
            let outcome = self.quote_hop(pools, at, &request)?;
            check_complete(&outcome, wanted)
                .map_err(|source| RouteError::Hop { hop: at, source })?;
            outcomes.push(outcome);
        }
        outcomes.reverse();
        Ok(RouteOutcome::of(outcomes))
    }

    /// Gives `amount_in` base units: [`Route::quote_exact_in`], carried out.
    ///
    /// # Errors
    /// [`RouteError`].
    pub fn swap_exact_in(
        &self,
        pools: &mut [Pool],
        amount_in: U256,
    ) -> Result<RouteOutcome, RouteError> {
        let outcome = self.quote_exact_in(pools, amount_in)?;
        let requests = outcome
            .hops
            .iter()
            .map(|hop| SwapRequest::exact_in(hop.zero_for_one, hop.amount_in));
        // The first pool is asked for all, so that a part filled ends at the same price.
        let mut requests: Vec<_> = requests.collect();
        if let (Some(first), Some(hop)) = (requests.first_mut(), self.hops.first()) {
            *first = SwapRequest::exact_in(hop.zero_for_one, amount_in);
        }
        self.carry_out(pools, &requests)?;
        Ok(outcome)
    }

    /// Takes exactly `amount_out` base units: [`Route::quote_exact_out`], carried out.
    ///
    /// # Errors
    /// [`RouteError`].
    pub fn swap_exact_out(
        &self,
        pools: &mut [Pool],
        amount_out: U256,
    ) -> Result<RouteOutcome, RouteError> {
        let outcome = self.quote_exact_out(pools, amount_out)?;
        let requests = outcome
            .hops
            .iter()
            .map(|hop| SwapRequest::exact_out(hop.zero_for_one, hop.amount_out));
        let requests: Vec<_> = requests.collect();
        self.carry_out(pools, &requests)?;
        Ok(outcome)
    }

    /// Swaps what has been quoted; a quote that succeeded makes the swap succeed.
    fn carry_out(&self, pools: &mut [Pool], requests: &[SwapRequest]) -> Result<(), RouteError> {
        for ((at, hop), request) in self.hops.iter().enumerate().zip(requests) {
            if let Some(pool) = pools.get_mut(hop.pool) {
                pool.swap(request)
                    .map_err(|source| RouteError::Hop { hop: at, source })?;
            }
        }
        Ok(())
    }

    fn quote_hop(
        &self,
        pools: &[Pool],
        at: usize,
        request: &SwapRequest,
    ) -> Result<SwapOutcome, RouteError> {
        let place = self.hops.get(at).map_or(usize::MAX, |hop| hop.pool);
        let pool = pools.get(place).ok_or(RouteError::NoPool {
            pool: place,
            pools: pools.len(),
        })?;
        pool.quote(request)
            .map_err(|source| RouteError::Hop { hop: at, source })
    }
}

impl RouteOutcome {
    fn of(hops: Vec<SwapOutcome>) -> Self {
        let first = hops.first();
        Self {
            amount_in: first.map_or(U256::ZERO, |hop| hop.amount_in),
            amount_unfilled: first.map_or(U256::ZERO, |hop| hop.amount_unfilled),
            amount_out: hops.last().map_or(U256::ZERO, |hop| hop.amount_out),
            hops,
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "oracles read best in plain operators; tests trap overflow"
)]
mod tests {
    use super::*;
    use crate::uniswap_v3::{Owner, PositionKey};

    fn pool(fee_pips: u32, tick_spacing: i32, reach: i32, liquidity: u128) -> Pool {
        let mut pool = Pool::new(fee_pips, tick_spacing).unwrap();
        pool.initialize(U256::ONE << 96).unwrap();
        let key = PositionKey {
            owner: Owner::default(),
            tick_lower: -reach,
            tick_upper: reach,
        };
        pool.mint(key, liquidity).unwrap();
        pool
    }

    fn route() -> Route {
        let hops = [(1, true), (0, false)].map(|(pool, zero_for_one)| Hop { pool, zero_for_one });
        Route::new(&hops).unwrap()
    }

    fn units(n: u64) -> U256 {
        U256::from(n)
    }

    #[test]
    fn a_route_is_its_hops_one_after_the_other() {
        let pools = [
            pool(500, 10, 6000, 10_u128.pow(12)),
            pool(3000, 60, 6000, 10_u128.pow(12)),
        ];
        let quote = route().quote_exact_in(&pools, units(1_000_000)).unwrap();
        let first = pools[1]
            .quote(&SwapRequest::exact_in(true, units(1_000_000)))
            .unwrap();
        let second = pools[0]
            .quote(&SwapRequest::exact_in(false, first.amount_out))
            .unwrap();
        assert_eq!(quote.hops, [first, second]);
        assert_eq!(quote.amount_out, second.amount_out);
        let mut traded = pools;
        assert_eq!(
            route()
                .swap_exact_in(&mut traded, units(1_000_000))
                .unwrap(),
            quote
        );
        assert_eq!(traded[0].state().sqrt_price_x96, second.sqrt_price_x96);
        assert_eq!(traded[1].state().sqrt_price_x96, first.sqrt_price_x96);
    }

    #[test]
    fn an_exact_output_costs_at_least_what_gives_it() {
        let mut pools = [
            pool(500, 10, 6000, 10_u128.pow(12)),
            pool(3000, 60, 6000, 10_u128.pow(12)),
        ];
        let wanted = units(996_000);
        let quote = route().quote_exact_out(&pools, wanted).unwrap();
        assert_eq!(quote.amount_out, wanted);
        let forward = route().quote_exact_in(&pools, quote.amount_in).unwrap();
        assert!(forward.amount_out >= wanted);
        let done = route().swap_exact_out(&mut pools, wanted).unwrap();
        assert_eq!(done, quote);
        assert_eq!(
            pools[1].state().sqrt_price_x96,
            quote.hops[0].sqrt_price_x96
        );
    }

    #[test]
    fn a_first_pool_that_runs_dry_takes_less_and_a_later_one_refuses() {
        let deep = pool(500, 10, 6000, 10_u128.pow(15));
        let shallow = pool(3000, 60, 60, 1_000_000);
        let mut pools = [deep.clone(), shallow.clone()];
        let done = route().swap_exact_in(&mut pools, units(1_000_000)).unwrap();
        assert!(done.amount_in < units(5000));
        assert_eq!(
            done.amount_in.wrapping_add(done.amount_unfilled),
            units(1_000_000)
        );
        assert_eq!(pools[1].state().liquidity, 0);
        let pools = [shallow, deep];
        let refused = route().quote_exact_in(&pools, units(1_000_000));
        assert!(matches!(refused, Err(RouteError::Stranded { hop: 1, .. })));
        let refused = route()
            .quote_exact_out(&pools, units(1_000_000))
            .unwrap_err();
        assert!(matches!(
            refused,
            RouteError::Hop {
                hop: 1,
                source: UniswapV3Error::OutputIncomplete { .. }
            }
        ));
    }

    #[test]
    fn an_exact_output_beyond_the_liquidity_changes_nothing_but_with_a_limit_it_is_partial() {
        let before = pool(3000, 60, 60, 1_000_000);
        let mut pool = before.clone();
        let refused = exact_output_single(&mut pool, true, units(1_000_000), None).unwrap_err();
        assert_eq!(refused.to_string(), "the pool gives 2995 of 1000000 units");
        assert_eq!(pool.state(), before.state());
        let limit = super::super::SQRT_RATIO_MIN.wrapping_add(U256::ONE);
        let partial = exact_output_single(&mut pool, true, units(1_000_000), Some(limit)).unwrap();
        assert_eq!(partial.amount_out, units(2995));
        assert_eq!(pool.state().sqrt_price_x96, limit);
    }

    #[test]
    fn routes_that_make_no_sense_are_refused() {
        let hop = |pool| Hop {
            pool,
            zero_for_one: true,
        };
        assert_eq!(Route::new(&[]), Err(RouteError::Empty));
        assert_eq!(
            Route::new(&[hop(1), hop(0), hop(1)]),
            Err(RouteError::PoolTwice { pool: 1 })
        );
        let route = Route::new(&[hop(3)]).unwrap();
        let refused = route.quote_exact_in(&[], U256::ONE).unwrap_err();
        assert_eq!(refused.to_string(), "pool 3 is not among the 0 given");
    }
}
