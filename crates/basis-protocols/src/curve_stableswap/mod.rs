//! Curve StableSwap: invariant, exchange and liquidity as the pool computes them, to the last unit.
//!
//! What it is: the integer arithmetic of Curve's pools of two to four coins, in the order of
//! operations and with the roundings of the contracts. The same [`Pool`] serves simulated venues
//! (clone it to keep a snapshot) and previews of live ones.
//!
//! What it is not: tokens and their holders (no allowance, no fee on transfer, no rebase), price
//! oracles, lending pools, meta pools, the kill switch, or the owner's powers. A pool's
//! coins, parameters and addresses are configuration.
//!
//! # Which contract
//!
//! | [`Template`] | contract | `A` kept as | product in `D` | fees on unbalanced liquidity |
//! | --- | --- | --- | --- | --- |
//! | [`ThreePool`](Template::ThreePool) | `StableSwap3Pool.vy` | `A` | divided by `n·x` coin by coin | flat |
//! | [`Base`](Template::Base) | `SwapTemplateBase.vy` | `A × 100` | divided by `n·x` coin by coin | flat |
//! | [`StableSwapNg`](Template::StableSwapNg) | `CurveStableSwapNG.vy` v7.0.0 | `A × 100` | divided by `x`, at last by `n^n` | off-peg |
//!
//! The invariant, with `A` as the pool states it (`A·n^(n−1)` of the whitepaper):
//! `A·n·Σx + D = A·n·D + D^(n+1) ÷ (n^n·Πx)`, where `x` are balances × rate ÷ 10^18.
//!
//! # Units
//!
//! Balances and amounts are base units of each coin; `x`, `y` and `D` have 18 decimals; fees are in
//! [`FEE_DENOMINATOR`]ths; a rate is `10^(36 − decimals)`, times the coin's exchange rate when it
//! is quoted in another asset: weETH worth 1.05 has 1.05 × 10^18.
//!
//! # Invariants
//!
//! A refused operation changes no bit. Every division rounds down, in the order of the contract;
//! an operation that overflows 256 bits or falls below zero there is refused here. Fast paths for
//! operands of 128 bits give the same integers.

#![warn(clippy::arithmetic_side_effects, clippy::float_arithmetic)]

mod arithmetic;
mod curve;
mod error;
mod exchange;
mod liquidity;
mod narrow;
mod parameters;
mod per_coin;
mod pool;
#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "test operands are bounded; tests trap overflow"
)]
mod property_tests;
mod root;
mod spot;

pub use curve::Curve;
pub use error::StableSwapError;
pub use exchange::Exchange;
pub use liquidity::{Deposit, ImbalancedWithdrawal, OneCoinWithdrawal};
pub use parameters::{Amplification, FEE_DENOMINATOR, Parameters, RATE_ONE, Template};
pub use per_coin::{COINS_MAX, COINS_MIN, PerCoin};
pub use pool::Pool;
pub use spot::{IMBALANCE_MAX, PriceMove};
