//! What replies say of transfers, deposits, withdrawals and the key.

use basis_core::num::Quantity;
use basis_core::types::Timestamp;
use serde::Deserialize;

use super::wire::{DecodeError, decode, instant, optional, unit};

/// Reads the venue's number of a transfer it has taken.
///
/// # Errors
/// [`DecodeError`].
pub fn transfer_id(body: &[u8]) -> Result<u64, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Reply {
        tran_id: u64,
    }
    decode::<Reply>("transfer", body).map(|reply| reply.tran_id)
}

/// A transfer between two accounts of the venue. It bears no id of ours.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferRow {
    /// What.
    pub asset: String,
    /// How much.
    #[serde(deserialize_with = "unit")]
    pub amount: Quantity,
    /// From where to where, as `MAIN_UMFUTURE`.
    #[serde(rename = "type")]
    pub direction: String,
    /// `PENDING`, `CONFIRMED` or `FAILED`.
    pub status: String,
    /// The venue's number of it.
    pub tran_id: u64,
    /// When it was asked for.
    #[serde(deserialize_with = "instant")]
    pub timestamp: Timestamp,
}

/// Reads transfers, newest first.
///
/// # Errors
/// [`DecodeError`], also for a state that is not known.
pub fn transfers(body: &[u8]) -> Result<Vec<TransferRow>, DecodeError> {
    const WHAT: &str = "transfers";
    #[derive(Deserialize)]
    struct Reply {
        #[serde(default)]
        rows: Vec<TransferRow>,
    }
    let rows = decode::<Reply>(WHAT, body)?.rows;
    let known = ["PENDING", "CONFIRMED", "FAILED"];
    if let Some(other) = rows
        .iter()
        .find(|row| !known.contains(&row.status.as_str()))
    {
        let reason = format!("unknown state `{}`", other.status);
        return Err(DecodeError::new(WHAT, "status", reason));
    }
    Ok(rows)
}

/// Where deposits arrive.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DepositAddress {
    /// What arrives there.
    pub coin: String,
    /// The address.
    pub address: String,
    /// Memo or tag; empty where the chain has none.
    pub tag: String,
}

/// Reads a deposit address.
///
/// # Errors
/// [`DecodeError`].
pub fn deposit_address(body: &[u8]) -> Result<DepositAddress, DecodeError> {
    decode("deposit address", body)
}

/// A deposit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deposit {
    /// The venue's id of it.
    pub id: String,
    /// What.
    pub coin: String,
    /// How much.
    #[serde(deserialize_with = "unit")]
    pub amount: Quantity,
    /// Over which chain.
    pub network: String,
    /// The transaction that brought it.
    pub tx_id: String,
    /// 0 pending, 6 credited but locked, 1 credited, 2 rejected, 7 wrong, 8 waits for the user.
    pub status: u8,
    /// When it was first seen.
    #[serde(deserialize_with = "instant")]
    pub insert_time: Timestamp,
}

impl Deposit {
    /// Whether it can be traded with.
    #[must_use]
    pub const fn is_credited(&self) -> bool {
        matches!(self.status, 1 | 6)
    }
}

/// Reads deposits, newest first.
///
/// # Errors
/// [`DecodeError`].
pub fn deposits(body: &[u8]) -> Result<Vec<Deposit>, DecodeError> {
    decode("deposits", body)
}

/// Reads the venue's id of a withdrawal it has taken.
///
/// # Errors
/// [`DecodeError`].
pub fn withdrawal_id(body: &[u8]) -> Result<String, DecodeError> {
    #[derive(Deserialize)]
    struct Reply {
        id: String,
    }
    decode::<Reply>("withdrawal", body).map(|reply| reply.id)
}

/// A withdrawal.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Withdrawn {
    /// The venue's id of it.
    pub id: String,
    /// Our id of it, where it is ours.
    #[serde(default)]
    pub withdraw_order_id: Option<String>,
    /// What.
    pub coin: String,
    /// How much; whether the fee is a part of it is told by what arrives.
    #[serde(deserialize_with = "unit")]
    pub amount: Quantity,
    /// The fee.
    #[serde(default, deserialize_with = "optional")]
    pub transaction_fee: Option<Quantity>,
    /// 0 and 2 wait for approval, 3 rejected, 4 under way, 6 completed.
    pub status: u8,
    /// The transaction that carries it; empty until there is one.
    #[serde(default)]
    pub tx_id: String,
}

/// Reads withdrawals.
///
/// # Errors
/// [`DecodeError`].
pub fn withdrawals(body: &[u8]) -> Result<Vec<Withdrawn>, DecodeError> {
    decode("withdrawals", body)
}

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the venue's own switches")]
pub struct KeyPermissions {
    /// Withdraw to an address outside.
    pub enable_withdrawals: bool,
    /// Trade spot.
    pub enable_spot_and_margin_trading: bool,
    /// Trade futures.
    pub enable_futures: bool,
    /// Transfer between accounts.
    pub permits_universal_transfer: bool,
    /// Whether it works from listed addresses alone.
    pub ip_restrict: bool,
}

/// Reads what the key may do.
///
/// # Errors
/// [`DecodeError`].
pub fn key_permissions(body: &[u8]) -> Result<KeyPermissions, DecodeError> {
    decode("key permissions", body)
}
