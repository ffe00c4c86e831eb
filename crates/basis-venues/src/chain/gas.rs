//! Gas of the operations of lending protocols.

pub(crate) const AAVE_SUPPLY: u64 = 250_000;
pub(crate) const AAVE_WITHDRAW: u64 = 250_000;
pub(crate) const AAVE_BORROW: u64 = 320_000;
pub(crate) const AAVE_REPAY: u64 = 220_000;
pub(crate) const AAVE_SET_E_MODE: u64 = 150_000;
pub(crate) const MORPHO_SUPPLY: u64 = 150_000;
pub(crate) const MORPHO_SUPPLY_COLLATERAL: u64 = 100_000;
pub(crate) const MORPHO_WITHDRAW: u64 = 150_000;
pub(crate) const MORPHO_WITHDRAW_COLLATERAL: u64 = 150_000;
pub(crate) const MORPHO_BORROW: u64 = 180_000;
pub(crate) const MORPHO_REPAY: u64 = 150_000;
