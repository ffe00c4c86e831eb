//! Morpho Blue and its adaptive-curve interest rate model.
//!
//! An isolated lending market: one loan asset, one collateral asset, one oracle, one liquidation
//! loan-to-value, one interest rate model. What is supplied and owed is kept in shares; interest
//! raises the assets behind them. Mirrors Morpho Blue 1.0.0 (`Morpho`, `MathLib`, `SharesMathLib`,
//! `MorphoBalancesLib`) and `AdaptiveCurveIrm` of morpho-blue-irm, to the last base unit and to the
//! message of every refusal; the contracts' code is immutable.
//!
//! It is not a vault (`MetaMorpho`), has no tokens, callbacks or authorizations: outcomes say what
//! to move, and who may say so is the caller's. Positions of users who never act here need not
//! be known: the totals carry them.
//!
//! | unit | scale |
//! | --- | --- |
//! | assets | base units of the loan asset, of the collateral asset for collateral |
//! | shares | about 1e6 to a base unit at first, ever fewer as interest accrues |
//! | price | loan base units per collateral base unit × 1e36 |
//! | wad | 1e18 = 1 |
//! | rate | wad per second |
//! | time | seconds |
//!
//! **Invariants.** A refused operation changes nothing. Rounding never favors the one who acts. The
//! supply share's price falls only by bad debt.

// Tests compute their expectations in plain operators, which trap overflow there.
#![cfg_attr(
    not(test),
    warn(clippy::arithmetic_side_effects, clippy::float_arithmetic)
)]

mod flash_loan;
mod irm;
mod liquidation;
mod market;
pub mod math;
#[cfg(test)]
mod property_tests;
mod rate;
mod refusal;
mod signed;
mod state;
mod views;

pub use flash_loan::flash_loan;
pub use irm::{AdaptiveCurve, InterestRateModel, w_exp};
pub use liquidation::{Liquidation, LiquidationInput};
pub use market::Market;
pub use rate::{RatePerSecond, SECONDS_PER_YEAR, rate_of_wad};
pub use refusal::Refusal;
pub use signed::I256;
pub use state::{Accrual, AmountInput, MarketTerms, Moved, Position, Totals, User};
pub use views::{MarketRates, PositionHealth};
