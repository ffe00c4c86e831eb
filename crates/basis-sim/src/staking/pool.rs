//! What a liquid-staking protocol does, in the words both of ours share.

use std::fmt;

use basis_core::instruction::OperationKind;
use basis_core::num::{Fixed18, U256};
use basis_core::types::{Account, Asset, SeriesId, Span, Timestamp, Venue};
use basis_protocols::gas::GasOperation;
use basis_protocols::liquid_staking::RequestId;

use crate::refusal::Refusal;

/// Names of a protocol and its tokens.
#[derive(Clone, Copy, Debug)]
pub struct StakingNames {
    /// The venue.
    pub venue: Venue,
    /// The token whose balance grows by itself.
    pub rebasing: Asset,
    /// The token that is a share of the pool.
    pub wrapped: Asset,
    /// The recorded protocol rate: ETH per wrapped token.
    pub rate: SeriesId,
    /// Where withdrawal requests are kept.
    pub queue: Account,
    /// What it executes.
    pub operations: &'static [OperationKind],
    /// Where rewards wait to be claimed.
    pub rewards: Account,
    /// The contract's word for a withdrawal request that is not final.
    pub not_final: &'static str,
    /// What each operation uses.
    pub gas: StakingGas,
}

/// Gas of the operations of a protocol.
#[derive(Clone, Copy, Debug)]
pub struct StakingGas {
    /// Ether staked, for either token.
    pub stake: GasOperation,
    /// One wrap.
    pub wrap: GasOperation,
    /// One unwrap.
    pub unwrap: GasOperation,
    /// One request.
    pub request: GasOperation,
    /// One request.
    pub claim: GasOperation,
}

/// A pool of the protocol's arithmetic with our wallet in it. Amounts are wei.
///
/// Wrapped tokens are counted by the wallet and wherever it has sent them, not here: a pool takes those
/// it is asked to unwrap or redeem as ours. Cloning it is a snapshot.
pub trait StakingPool: Clone + fmt::Debug + Send + Sized + 'static {
    /// Names of the protocol.
    const NAMES: StakingNames;

    /// A pool at `rate`, ETH per wrapped token, in which we hold nothing.
    ///
    /// # Errors
    /// A refusal in the contract's words, and when an amount leaves the range.
    fn at_rate(rate: Fixed18) -> Result<Self, Refusal>;

    /// The protocol's report: the rate from now on.
    ///
    /// # Errors
    /// A refusal in the contract's words, and when an amount leaves the range.
    fn set_rate(&mut self, rate: Fixed18) -> Result<(), Refusal>;

    /// Our shares behind the rebasing token.
    fn shares(&self) -> U256;

    /// What they stand for.
    ///
    /// # Errors
    /// A refusal in the contract's words, and when an amount leaves the range.
    fn balance(&self) -> Result<U256, Refusal>;

    /// What any number of shares stands for.
    ///
    /// # Errors
    /// A refusal in the contract's words, and when an amount leaves the range.
    fn value_of(&self, shares: U256) -> Result<U256, Refusal>;

    /// Stakes ether for the rebasing token.
    ///
    /// # Errors
    /// A refusal in the contract's words, and when an amount leaves the range.
    fn stake(&mut self, wei: U256) -> Result<(), Refusal>;

    /// Stakes ether for the wrapped token and returns how much of it.
    ///
    /// # Errors
    /// A refusal in the contract's words, and when an amount leaves the range.
    fn stake_wrapped(&mut self, wei: U256) -> Result<U256, Refusal>;

    /// Wraps so much of the rebasing token and returns the wrapped tokens minted.
    ///
    /// # Errors
    /// A refusal in the contract's words, and when an amount leaves the range.
    fn wrap(&mut self, amount: U256) -> Result<U256, Refusal>;

    /// Unwraps so many wrapped tokens.
    ///
    /// # Errors
    /// A refusal in the contract's words, and when an amount leaves the range.
    fn unwrap(&mut self, amount: U256) -> Result<(), Refusal>;

    /// Sends so much of the rebasing token into the queue, in as many requests as its limits ask for.
    ///
    /// # Errors
    /// A refusal in the contract's words, and when an amount leaves the range.
    fn request(&mut self, amount: U256, now: Timestamp) -> Result<Vec<RequestId>, Refusal>;

    /// The same with wrapped tokens; also how many of them were taken.
    ///
    /// # Errors
    /// A refusal in the contract's words, and when an amount leaves the range.
    fn request_wrapped(
        &mut self,
        amount: U256,
        now: Timestamp,
    ) -> Result<(U256, Vec<RequestId>), Refusal>;

    /// Makes the requests final that have waited for `delay`.
    ///
    /// # Errors
    /// A refusal in the contract's words, and when an amount leaves the range.
    fn finalize_due(&mut self, now: Timestamp, delay: Span) -> Result<(), Refusal>;

    /// What a request pays as things stand.
    ///
    /// # Errors
    /// A refusal in the contract's words, and when an amount leaves the range.
    fn claimable(&self, request: RequestId) -> Result<U256, Refusal>;

    /// Pays out a request that is final.
    ///
    /// # Errors
    /// A refusal in the contract's words, and when an amount leaves the range.
    fn claim(&mut self, request: RequestId) -> Result<U256, Refusal>;
}
