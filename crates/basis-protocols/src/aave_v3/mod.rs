//! Aave V3: interest, positions, health and liquidation as the pool computes them, to the last unit.
//!
//! [`Market`] is the state of one pool: reserves, users' scaled balances, e-mode categories. Its
//! operations take the time in seconds and do what the pool's functions of the same names do, in the
//! same order and with the same roundings; a refused operation changes nothing and says the pool's
//! own number ([`Revert`]). [`Version`] picks between the two deployments mirrored:
//!
//! | | 3.0 | 3.2 |
//! | --- | --- | --- |
//! | contracts | core-v3 1.19.3, pool revision 1 | aave-v3-origin 3.2, pool revision 5 |
//! | cash | the aToken contract's balance | virtual balance |
//! | e-mode | one category per asset | bitmaps of collateral and borrowable assets |
//! | entering an e-mode | health checked only when leaving another | always checked |
//! | asset not in the user's e-mode | 58 | 100 |
//! | rates | stable and variable averaged | variable only, curve in basis points |
//! | borrowing above the aToken supply | panic `0x11` or 36 | 26 |
//! | reserve factor and curve | change at once | interest is accrued first |
//!
//! # What is absent
//!
//! Stable debt, the e-mode's own oracle (3.0), reserves without virtual accounting (3.2), bridging
//! (unbacked aTokens), repaying with aTokens, aToken transfers between users, credit delegation, flash
//! loans of several assets or left open as debt, the sequencer's sentinel, the liquidation grace
//! period, dropping reserves, underlying asset sent to an aToken contract past the pool. Users' wallets
//! are outside: an operation says what moves, and that somebody has it is the caller's affair.
//!
//! # Invariants
//!
//! - A reserve's scaled totals are the sums of the users' and the treasury's scaled balances and of
//!   what the reserve was listed or recorded with.
//! - Indices never fall, except where [`Market::snap`] sets them to what was recorded.
//! - No float, no clock, no allocation in an operation; the same calls give the same state.
//!
//! Sources: the contracts named above; functions say which one they mirror. The tests compare every
//! number with recorded runs of the contracts, and run both versions' bytecode beside this module.

#![warn(clippy::arithmetic_side_effects, clippy::float_arithmetic)]

mod account;
mod borrow;
mod e_mode;
mod error;
mod flash_loan;
mod limbs;
mod liquidation;
mod market;
pub mod math;
#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "oracles read best in plain operators"
)]
mod property_tests;
mod rates;
mod recorded;
mod reserve;
mod scaled;
mod supply;
#[cfg(test)]
mod test_market;
mod views;
mod word;

pub use account::AccountData;
pub use borrow::Payer;
pub use e_mode::EModeCategory;
pub use error::{PoolError, Revert};
pub use flash_loan::{FlashLoan, FlashLoanOutcome};
pub use liquidation::{LiquidationCall, LiquidationOutcome, Seized};
pub use market::{Account, Market, Outcome, Position};
pub use rates::{RateStrategy, Rates, ReserveLiquidity};
pub use recorded::RecordedReserve;
pub use reserve::{Reserve, ReserveConfig, ReserveState};

/// Unix time in whole seconds, as `block.timestamp`.
pub type Seconds = u64;

/// The amount that means everything: `type(uint256).max`.
pub const ALL: basis_core::num::U256 = basis_core::num::U256::MAX;

/// Which deployment is mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// Core 1.19.3, pool revision 1.
    V3_0,
    /// Origin 3.2, pool revision 5.
    V3_2,
}

/// A reserve's place in its market's list, from 0; at most 128 reserves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReserveId(pub u8);

/// A user's place in the market, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub u16);
