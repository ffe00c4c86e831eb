//! What replies say of transfers, deposits and withdrawals.

use basis_core::num::Quantity;
use basis_core::types::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::wire::{data, instant_text, only, optional, text_or_null, unit};
use crate::wire::DecodeError;

/// Reads the venue's id of a transfer it has taken. Whether it is done is asked for.
///
/// # Errors
/// [`DecodeError`].
pub fn transfer_id(body: &[u8]) -> Result<String, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row {
        trans_id: String,
    }
    only::<Row>("transfer", body).map(|row| row.trans_id)
}

/// How a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferStatus {
    /// Done.
    Success,
    /// Under way.
    Pending,
    /// Nothing moved.
    Failed,
}

fn transfer_status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TransferStatus, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "success" => Ok(TransferStatus::Success),
        "pending" => Ok(TransferStatus::Pending),
        "failed" => Ok(TransferStatus::Failed),
        other => Err(D::Error::custom(format_args!(
            "unknown state of a transfer `{other}`"
        ))),
    }
}

/// A transfer between two accounts of the venue.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferState {
    /// The venue's id of it.
    pub trans_id: String,
    /// The id it was asked for under.
    #[serde(default, deserialize_with = "text_or_null")]
    pub client_id: String,
    /// What.
    pub ccy: String,
    /// How much.
    #[serde(deserialize_with = "unit")]
    pub amt: Quantity,
    /// From where, by the venue's number.
    pub from: String,
    /// To where.
    pub to: String,
    /// How it stands.
    #[serde(deserialize_with = "transfer_status")]
    pub state: TransferStatus,
}

/// Reads how a transfer stands.
///
/// # Errors
/// [`DecodeError`], also for a state that is not known.
pub fn transfer_state(body: &[u8]) -> Result<TransferState, DecodeError> {
    only("transfer", body)
}

/// Reads transfers as they stand: one, or none.
///
/// # Errors
/// As [`transfer_state`].
pub fn transfer_states(body: &[u8]) -> Result<Vec<TransferState>, DecodeError> {
    data("transfer", body)
}

/// Where deposits arrive.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DepositAddress {
    /// The venue's name of the chain, as withdrawals name it.
    pub chain: String,
    /// What arrives there.
    pub ccy: String,
    /// The address.
    pub addr: String,
    /// Memo or tag, where the chain has one.
    #[serde(default)]
    pub tag: Option<String>,
    /// The account that is credited, by the venue's number.
    pub to: String,
}

/// Reads the deposit addresses of a currency.
///
/// # Errors
/// [`DecodeError`].
pub fn deposit_address(body: &[u8]) -> Result<Vec<DepositAddress>, DecodeError> {
    data("deposit address", body)
}

/// A deposit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deposit {
    /// The venue's id of it.
    pub dep_id: String,
    /// What.
    pub ccy: String,
    /// Over which chain.
    pub chain: String,
    /// How much.
    #[serde(deserialize_with = "unit")]
    pub amt: Quantity,
    /// The transaction that brought it.
    pub tx_id: String,
    /// `0` confirming, `1` credited but locked, `2` done; every other number is held.
    pub state: String,
    /// When it was first seen.
    #[serde(deserialize_with = "instant_text")]
    pub ts: Timestamp,
}

impl Deposit {
    /// Whether it can be traded with.
    #[must_use]
    pub fn is_credited(&self) -> bool {
        matches!(self.state.as_str(), "1" | "2")
    }
}

/// Reads deposits, newest first.
///
/// # Errors
/// [`DecodeError`].
pub fn deposits(body: &[u8]) -> Result<Vec<Deposit>, DecodeError> {
    data("deposits", body)
}

/// Reads the venue's id of a withdrawal it has taken.
///
/// # Errors
/// [`DecodeError`].
pub fn withdrawal_id(body: &[u8]) -> Result<String, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row {
        wd_id: String,
    }
    only::<Row>("withdrawal", body).map(|row| row.wd_id)
}

/// A withdrawal.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Withdrawn {
    /// The venue's id of it.
    pub wd_id: String,
    /// The id it was asked for under.
    #[serde(default, deserialize_with = "text_or_null")]
    pub client_id: String,
    /// What.
    pub ccy: String,
    /// Over which chain.
    pub chain: String,
    /// How much arrives.
    #[serde(deserialize_with = "unit")]
    pub amt: Quantity,
    /// The fee, on top.
    #[serde(default, deserialize_with = "optional")]
    pub fee: Option<Quantity>,
    /// `2` done, `-1` failed, `-2` cancelled; every other number is under way.
    pub state: String,
    /// To where.
    pub to: String,
    /// The transaction that carries it; empty until there is one.
    #[serde(default, deserialize_with = "text_or_null")]
    pub tx_id: String,
    /// When it was asked for.
    #[serde(deserialize_with = "instant_text")]
    pub ts: Timestamp,
}

/// Reads withdrawals, newest first.
///
/// # Errors
/// [`DecodeError`].
pub fn withdrawals(body: &[u8]) -> Result<Vec<Withdrawn>, DecodeError> {
    data("withdrawals", body)
}

/// Reads how much of a currency can leave the trading account, nothing of it lent.
///
/// # Errors
/// [`DecodeError`].
pub fn withdrawable(body: &[u8]) -> Result<Quantity, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row {
        #[serde(deserialize_with = "unit")]
        max_wd: Quantity,
    }
    only::<Row>("withdrawable amount", body).map(|row| row.max_wd)
}

/// A chain that a currency moves over.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Currency {
    /// What.
    pub ccy: String,
    /// The name that requests take, as `USDT-ERC20`.
    pub chain: String,
    /// Whether deposits are open.
    pub can_dep: bool,
    /// Whether withdrawals are open.
    pub can_wd: bool,
    /// Fee of a withdrawal, on top.
    #[serde(default, deserialize_with = "optional")]
    pub fee: Option<Quantity>,
    /// Smallest withdrawal.
    #[serde(default, deserialize_with = "optional")]
    pub min_wd: Option<Quantity>,
    /// Decimals of an accepted amount.
    #[serde(default, deserialize_with = "text_or_null")]
    pub wd_tick_sz: String,
}

/// Reads currencies, a row a chain.
///
/// # Errors
/// [`DecodeError`].
pub fn currencies(body: &[u8]) -> Result<Vec<Currency>, DecodeError> {
    data("currencies", body)
}
