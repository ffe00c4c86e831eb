//! What replies say of transfers, deposits, withdrawals and keys.

use basis_core::num::{Quantity, Rate};
use basis_core::types::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::wire::{
    Page, instant_text, list, optional, optional_instant_text, result, text_or_null, unit,
};
use crate::wire::DecodeError;

/// How a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferStatus {
    /// Done.
    Success,
    /// Under way.
    Pending,
    /// Nothing moved.
    Failed,
    /// The venue does not know: it is asked again.
    Unknown,
}

fn transfer_status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TransferStatus, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "SUCCESS" => Ok(TransferStatus::Success),
        "PENDING" => Ok(TransferStatus::Pending),
        "FAILED" => Ok(TransferStatus::Failed),
        "STATUS_UNKNOWN" => Ok(TransferStatus::Unknown),
        other => Err(D::Error::custom(format_args!(
            "unknown state of a transfer `{other}`"
        ))),
    }
}

/// Reads the answer to a transfer: its id, which is ours, and how it stands.
///
/// # Errors
/// [`DecodeError`].
pub fn transferred(body: &[u8]) -> Result<(String, TransferStatus), DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Reply {
        transfer_id: String,
        #[serde(deserialize_with = "transfer_status")]
        status: TransferStatus,
    }
    let reply = result::<Reply>("transfer", body)?;
    Ok((reply.transfer_id, reply.status))
}

/// A transfer between two accounts of the venue.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferRow {
    /// The id it was asked for under.
    pub transfer_id: String,
    /// What.
    pub coin: String,
    /// How much.
    #[serde(deserialize_with = "unit")]
    pub amount: Quantity,
    /// From where.
    pub from_account_type: String,
    /// To where.
    pub to_account_type: String,
    /// How it stands.
    #[serde(deserialize_with = "transfer_status")]
    pub status: TransferStatus,
    /// When it was asked for.
    #[serde(deserialize_with = "instant_text")]
    pub timestamp: Timestamp,
}

/// Reads transfers, newest first.
///
/// # Errors
/// [`DecodeError`], also for a state that is not known.
pub fn transfers(body: &[u8]) -> Result<Page<TransferRow>, DecodeError> {
    Ok(list("transfers", body)?.0)
}

/// Where deposits arrive.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DepositAddress {
    /// The venue's name of the chain, as withdrawals name it.
    pub chain: String,
    /// The address.
    pub address_deposit: String,
    /// Memo or tag; empty where the chain has none.
    pub tag_deposit: String,
}

/// Reads the deposit addresses of a coin, a chain each.
///
/// # Errors
/// [`DecodeError`].
pub fn deposit_address(body: &[u8]) -> Result<Vec<DepositAddress>, DecodeError> {
    #[derive(Deserialize)]
    struct Reply {
        chains: Vec<DepositAddress>,
    }
    result::<Reply>("deposit address", body).map(|reply| reply.chains)
}

/// A deposit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deposit {
    /// The venue's id of it.
    pub id: String,
    /// What.
    pub coin: String,
    /// Over which chain.
    pub chain: String,
    /// How much.
    #[serde(deserialize_with = "unit")]
    pub amount: Quantity,
    /// The transaction that brought it.
    #[serde(rename = "txID")]
    pub tx_id: String,
    /// 1 to confirm, 2 processing, 3 credited, 4 failed, 7 and 700xx rolled back on the chain, 10011 and 10012
    /// on the way to the funding pool.
    pub status: u32,
    /// 0 for one without more ado; anything else is held.
    #[serde(default, deserialize_with = "text_or_null")]
    pub deposit_type: String,
    /// When it was credited.
    #[serde(default, deserialize_with = "optional_instant_text")]
    pub success_at: Option<Timestamp>,
}

impl Deposit {
    /// Whether it can be used.
    #[must_use]
    pub fn is_credited(&self) -> bool {
        self.status == 3 && ["", "0"].contains(&self.deposit_type.as_str())
    }
}

/// Reads deposits, newest first.
///
/// # Errors
/// [`DecodeError`].
pub fn deposits(body: &[u8]) -> Result<Page<Deposit>, DecodeError> {
    Ok(list("deposits", body)?.0)
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
    result::<Reply>("withdrawal", body).map(|reply| reply.id)
}

/// A withdrawal. It does not name the id that it was asked for under.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Withdrawn {
    /// The venue's id of it.
    pub withdraw_id: String,
    /// What.
    pub coin: String,
    /// Over which chain.
    pub chain: String,
    /// How much arrives.
    #[serde(deserialize_with = "unit")]
    pub amount: Quantity,
    /// The fee, on top.
    #[serde(default, deserialize_with = "optional")]
    pub withdraw_fee: Option<Quantity>,
    /// `success`, `CancelByUser`, `Reject` and `Fail` are final; every other word is under way.
    pub status: String,
    /// To where.
    pub to_address: String,
    /// The transaction that carries it; empty until there is one.
    #[serde(rename = "txID", default, deserialize_with = "text_or_null")]
    pub tx_id: String,
    /// When it was asked for.
    #[serde(deserialize_with = "instant_text")]
    pub create_time: Timestamp,
}

/// Reads withdrawals, newest first.
///
/// # Errors
/// [`DecodeError`].
pub fn withdrawals(body: &[u8]) -> Result<Page<Withdrawn>, DecodeError> {
    Ok(list("withdrawals", body)?.0)
}

/// Reads how much of a coin can leave the unified account.
///
/// # Errors
/// [`DecodeError`].
pub fn withdrawable(body: &[u8]) -> Result<Quantity, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Reply {
        #[serde(deserialize_with = "unit")]
        available_withdrawal: Quantity,
    }
    result::<Reply>("withdrawable amount", body).map(|reply| reply.available_withdrawal)
}

/// A coin and the chains it moves over.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Coin {
    /// What.
    pub coin: String,
    /// Its chains.
    pub chains: Vec<Chain>,
}

/// A chain that a coin moves over.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Chain {
    /// The name that requests take.
    pub chain: String,
    /// Flat fee; none where it cannot be withdrawn over.
    #[serde(default, deserialize_with = "optional")]
    pub withdraw_fee: Option<Quantity>,
    /// Fee beside it, a fraction of the amount.
    #[serde(default, deserialize_with = "optional")]
    pub withdraw_percentage_fee: Option<Rate>,
    /// Smallest withdrawal.
    #[serde(default, deserialize_with = "optional")]
    pub withdraw_min: Option<Quantity>,
    /// Decimals of an accepted amount.
    #[serde(default, deserialize_with = "text_or_null")]
    pub min_accuracy: String,
    /// `1` where deposits are open.
    #[serde(default, deserialize_with = "text_or_null")]
    pub chain_deposit: String,
    /// `1` where withdrawals are open.
    #[serde(default, deserialize_with = "text_or_null")]
    pub chain_withdraw: String,
}

/// Reads coins with their chains.
///
/// # Errors
/// [`DecodeError`].
pub fn coins(body: &[u8]) -> Result<Vec<Coin>, DecodeError> {
    Ok(list("coins", body)?.0.rows)
}

/// What a key may do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the venue's own switches")]
pub struct KeyPermissions {
    /// Nothing but read.
    pub read_only: bool,
    /// Withdraw to an address outside.
    pub withdraw: bool,
    /// Transfer between accounts.
    pub transfer: bool,
    /// Trade spot.
    pub spot: bool,
    /// Trade perpetuals.
    pub perps: bool,
    /// Whether it works from listed addresses alone.
    pub ip_restricted: bool,
}

/// Reads what the key may do.
///
/// # Errors
/// [`DecodeError`].
pub fn key_permissions(body: &[u8]) -> Result<KeyPermissions, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Permissions {
        #[serde(default)]
        wallet: Vec<String>,
        #[serde(default)]
        spot: Vec<String>,
        #[serde(default)]
        contract_trade: Vec<String>,
        #[serde(default)]
        derivatives: Vec<String>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Reply {
        read_only: u8,
        permissions: Permissions,
        #[serde(default)]
        ips: Vec<String>,
    }
    let reply = result::<Reply>("key permissions", body)?;
    let has = |list: &[String], word: &str| list.iter().any(|have| have == word);
    let permissions = &reply.permissions;
    Ok(KeyPermissions {
        read_only: reply.read_only != 0,
        withdraw: has(&permissions.wallet, "Withdraw"),
        transfer: has(&permissions.wallet, "AccountTransfer"),
        spot: has(&permissions.spot, "SpotTrade"),
        perps: has(&permissions.contract_trade, "Order")
            || has(&permissions.derivatives, "DerivativesTrade"),
        ip_restricted: reply.ips.iter().any(|ip| ip != "*"),
    })
}
