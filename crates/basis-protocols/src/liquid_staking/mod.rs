//! Share arithmetic of Lido (stETH, wstETH) and EtherFi (eETH, weETH, KING).
//!
//! Both protocols count shares of one pool of ether: a balance is shares × pooled ether ÷ total
//! shares, and the wrapped token (wstETH, weETH) *is* the share. What differs is rounding at the
//! edges, the withdrawal queue and the words of a refusal; each has its file.
//!
//! | file | mirrors |
//! | --- | --- |
//! | [`shares`] | what both have in common: one pool, holders, the two conversions |
//! | [`lido`] | `Lido` and `StETH` (Lido V2), `WstETH` |
//! | [`lido_queue`] | `WithdrawalQueueERC721` and its base (Lido V2) |
//! | [`etherfi`] | `LiquidityPool`, `EETH`, `WeETH`, `WithdrawRequestNFT` |
//! | [`king`] | `LRTSquaredCore` (KING) and its `CumulativeMerkleDrop` |
//!
//! It is not a token: allowances, permits, pausing, roles and Lido's daily staking limit are not
//! modeled. It is not an oracle: the rate is set from outside ([`SharePool::set_rate`]), as the
//! daily report sets it on chain.
//!
//! # Amounts
//!
//! Every amount is a [`U256`](basis_core::num::U256) in wei of an 18-decimal asset; a share rate of the
//! queue is ether per share in ray (27 decimals). Results round down unless a name says otherwise.
//!
//! # Rates from recorded data
//!
//! A recorded rate is a decimal with at most 18 decimals. [`SharePool::at_rate`] makes a pool of
//! 10^27 shares (a billion tokens), so that rate × shares is a whole number of wei; later
//! [`SharePool::set_rate`] sets pooled ether to rate × shares rounded up. With at least 10^18 shares
//! in existence the contract's own view, floor(10^18 × ether ÷ shares), then returns exactly the
//! recorded rate: rounding up adds less than one wei, which is less than one unit of the 18th
//! decimal per token.
//!
//! # Invariants
//!
//! An operation either does all of what it says or is refused and changes nothing. No operation but
//! the ones that set the rate takes value from the other holders: the share rate never falls (by less
//! than a wei per request when Lido's queue compares rates in ray). The wrapped tokens in existence
//! never exceed the shares their wrapper holds.

#![warn(clippy::float_arithmetic)]
// Tests trap overflow by themselves and read best in plain operators.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod etherfi;
pub mod king;
pub mod lido;
pub mod lido_queue;
pub mod shares;

pub use etherfi::{EtherFi, EtherFiError, EtherFiRequest};
pub use king::{KingClaims, KingError, KingRedemption, KingVault};
pub use lido::{Lido, LidoError};
pub use lido_queue::{LidoRequest, LidoRequestState, RequestId};
pub use shares::{Holder, ShareBook, SharePool};
