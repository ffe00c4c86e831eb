//! Uniswap V3: ticks, prices, swaps and positions as the pool computes them.
//!
//! Mirrors `@uniswap/v3-core` 1.0.1 to the last base unit, with what a trader needs of
//! `v3-periphery` 1.4.4 (`LiquidityAmounts`) and of the swap routers.
//!
//! | here | contract |
//! | --- | --- |
//! | [`Pool::initialize`], [`Pool::swap`], [`Pool::mint`], [`Pool::burn`], [`Pool::collect`], [`Pool::flash`], [`Pool::set_fee_protocol`], [`Pool::collect_protocol`] | `UniswapV3Pool` |
//! | [`Pool::quote`] | `QuoterV2`: the swap without its effects |
//! | [`sqrt_ratio_at_tick`], [`tick_at_sqrt_ratio`] | `TickMath` |
//! | [`amount0_delta`], [`amount1_delta`], [`next_sqrt_price_from_input`], [`next_sqrt_price_from_output`] | `SqrtPriceMath` |
//! | [`compute_swap_step`] | `SwapMath` |
//! | [`max_liquidity_per_tick`] | `Tick` |
//! | [`liquidity_for_amounts`], [`amounts_for_liquidity`] | `LiquidityAmounts` |
//! | [`exact_output_single`], [`Route`] | `SwapRouter`, `SwapRouter02` |
//!
//! # What it is not
//! The observation oracle (cumulative ticks and seconds) is left out: no amount depends on it. Tokens
//! are not moved, balances not kept and callbacks not called, so the contract's checks of payment
//! ("M0", "M1", "IIA") have no counterpart: what a method returns is what the caller has to move.
//!
//! # Units and signs
//! Amounts are [`U256`](basis_core::num::U256) base units and never negative: `amount_in` is what the pool
//! takes, `amount_out` what it pays. The contract's signed `amount0` and `amount1` (positive: the
//! pool takes) are [`SwapOutcome::amount0`] and [`SwapOutcome::amount1`]. A sqrt price is
//! `sqrt(token1 per token0)` in base units as Q64.96, fee growth Q128.128, a fee hundredths of a
//! basis point.
//!
//! # Rounding
//! For the pool: what it takes is rounded up, what it pays down, fees up.
//!
//! # Invariants
//! * A method that returns an error has changed nothing, as a revert.
//! * A quote and the swap after it are equal.
//! * Arithmetic that wraps in the contract on purpose (fee growth, owed tokens) wraps here; all
//!   other is exact or an error.

#![warn(clippy::arithmetic_side_effects, clippy::float_arithmetic)]

mod error;
mod liquidity_amounts;
mod pool;
mod position;
mod price;
#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "oracles read best in plain operators; tests trap overflow"
)]
mod property_tests;
mod restore;
mod router;
mod sqrt_price;
mod swap;
mod swap_step;
mod tick_math;
mod ticks;

pub use error::UniswapV3Error;
pub use liquidity_amounts::{
    amounts_for_liquidity, liquidity_for_amount0, liquidity_for_amount1, liquidity_for_amounts,
};
pub use pool::{Amounts, Pool, PoolState, check_range};
pub use position::{Owner, Position, PositionKey};
pub use price::{PairDecimals, value_in_token0, value_in_token1};
pub use router::{Hop, Route, RouteError, RouteOutcome, exact_output_single};
pub use sqrt_price::{
    amount0_delta, amount1_delta, next_sqrt_price_from_input, next_sqrt_price_from_output,
};
pub use swap::{PoolFlow, SwapOutcome, SwapRequest};
pub use swap_step::{FEE_PIPS_ONE, SwapAmount, SwapStep, compute_swap_step};
pub use tick_math::{
    SQRT_RATIO_MAX, SQRT_RATIO_MIN, TICK_MAX, TICK_MIN, sqrt_ratio_at_tick, tick_at_sqrt_ratio,
};
pub use ticks::{TICK_SPACING_MAX, TickInfo, max_liquidity_per_tick};
