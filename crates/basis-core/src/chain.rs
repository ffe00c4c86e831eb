//! What the on-chain interfaces of a run share: one chain.
//!
//! In a backtest it is the simulated world, which executes whole instructions and can be put back to
//! a snapshot; in live the wallet with its one owner of nonces. An interface is a thin handle on it.

use std::any::Any;
use std::fmt;

/// One chain, simulated or real.
///
/// Its users know which one their mode gives them: they ask for it by type, through
/// [`Chain::as_any`], and refuse to be created without it.
pub trait Chain: Any + Send + Sync + fmt::Debug {
    /// The chain's id by EIP-155; 1 is Ethereum mainnet.
    fn chain_id(&self) -> u64;

    /// The chain itself, for those who know its type.
    fn as_any(&self) -> &dyn Any;
}
