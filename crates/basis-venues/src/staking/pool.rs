//! What a liquid-staking protocol does, in the words both of ours share.

use std::fmt;

use basis_core::instruction::OperationKind;
use basis_core::num::{Fixed18, U256};
use basis_core::types::{Account, Asset, SeriesId, Span, Timestamp, Venue};
use basis_protocols::gas::GasOperation;
use basis_protocols::liquid_staking::RequestId;

use crate::chain::Refusal;

/// Names of a protocol and its tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StakingNames {
    /// The venue.
    pub(crate) venue: Venue,
    /// The token whose balance grows by itself.
    pub(crate) rebasing: Asset,
    /// The token that is a share of the pool.
    pub(crate) wrapped: Asset,
    /// The recorded protocol rate: ETH per wrapped token.
    pub(crate) rate: SeriesId,
    /// Where redemption tickets are kept.
    pub(crate) queue: Account,
    /// What it executes.
    pub(crate) operations: &'static [OperationKind],
    /// Where rewards wait to be claimed.
    pub(crate) rewards: Account,
    /// The contract's word for a ticket that is not final.
    pub(crate) not_final: &'static str,
    /// What each operation uses.
    pub(crate) gas: StakingGas,
}

/// Gas of the operations of a protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StakingGas {
    pub(crate) stake: GasOperation,
    pub(crate) wrap: GasOperation,
    pub(crate) unwrap: GasOperation,
    /// One request.
    pub(crate) request: GasOperation,
    /// One request.
    pub(crate) claim: GasOperation,
}

/// A pool of the protocol's arithmetic with our wallet in it. Amounts are wei.
///
/// Wrapped tokens are counted by the wallet and wherever it has sent them, not here: a pool takes those
/// it is asked to unwrap or redeem as ours. Cloning it is a snapshot.
pub(crate) trait StakingPool: Clone + fmt::Debug + Send + Sized + 'static {
    /// Names of the protocol.
    const NAMES: StakingNames;

    /// A pool at `rate`, ETH per wrapped token, in which we hold nothing.
    fn at_rate(rate: Fixed18) -> Result<Self, Refusal>;

    /// The protocol's report: the rate from now on.
    fn set_rate(&mut self, rate: Fixed18) -> Result<(), Refusal>;

    /// Our shares behind the rebasing token.
    fn shares(&self) -> U256;

    /// What they stand for.
    fn balance(&self) -> Result<U256, Refusal>;

    /// What any number of shares stands for.
    fn value_of(&self, shares: U256) -> Result<U256, Refusal>;

    /// Stakes ether for the rebasing token.
    fn stake(&mut self, wei: U256) -> Result<(), Refusal>;

    /// Stakes ether for the wrapped token and returns how much of it.
    fn stake_wrapped(&mut self, wei: U256) -> Result<U256, Refusal>;

    /// Wraps so much of the rebasing token and returns the wrapped tokens minted.
    fn wrap(&mut self, amount: U256) -> Result<U256, Refusal>;

    /// Unwraps so many wrapped tokens.
    fn unwrap(&mut self, amount: U256) -> Result<(), Refusal>;

    /// Sends so much of the rebasing token into the queue, in as many requests as its limits ask for.
    fn request(&mut self, amount: U256, now: Timestamp) -> Result<Vec<RequestId>, Refusal>;

    /// The same with wrapped tokens; also how many of them were taken.
    fn request_wrapped(
        &mut self,
        amount: U256,
        now: Timestamp,
    ) -> Result<(U256, Vec<RequestId>), Refusal>;

    /// Makes the requests final that have waited for `delay`.
    fn finalize_due(&mut self, now: Timestamp, delay: Span) -> Result<(), Refusal>;

    /// What a request pays as things stand.
    fn claimable(&self, request: RequestId) -> Result<U256, Refusal>;

    /// Pays out a request that is final.
    fn claim(&mut self, request: RequestId) -> Result<U256, Refusal>;
}
