//! What replies say of balances, positions and their settings.

use basis_core::instruction::MarginMode;
use basis_core::num::{Fixed18, Price, Quantity};
use basis_core::types::{PositionSide, Timestamp};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::wire::{DecodeError, decode, instant, position_side, unit};

/// What an account holds of an asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The venue's name of it.
    pub asset: String,
    /// All of it, what orders hold included; at USD-M the wallet balance, open results left out.
    pub total: Quantity,
    /// What can be used: free at spot, available for new orders at USD-M.
    pub free: Quantity,
}

/// Reads the balances of the spot account.
///
/// # Errors
/// [`DecodeError`].
pub fn spot_balances(body: &[u8]) -> Result<Vec<Balance>, DecodeError> {
    const WHAT: &str = "spot account";
    #[derive(Deserialize)]
    struct Row {
        asset: String,
        #[serde(deserialize_with = "unit")]
        free: Quantity,
        #[serde(deserialize_with = "unit")]
        locked: Quantity,
    }
    #[derive(Deserialize)]
    struct Reply {
        balances: Vec<Row>,
    }
    let rows = decode::<Reply>(WHAT, body)?.balances;
    let balance = |row: Row| {
        let total = row.free.add(row.locked);
        Ok(Balance {
            total: total.map_err(|e| DecodeError::new(WHAT, "free", e.to_string()))?,
            free: row.free,
            asset: row.asset,
        })
    };
    rows.into_iter().map(balance).collect()
}

/// Reads the balances of the USD-M account.
///
/// # Errors
/// [`DecodeError`].
pub fn perp_balances(body: &[u8]) -> Result<Vec<Balance>, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row {
        asset: String,
        #[serde(deserialize_with = "unit")]
        balance: Quantity,
        #[serde(deserialize_with = "unit")]
        available_balance: Quantity,
    }
    let rows = decode::<Vec<Row>>("USD-M balances", body)?;
    let balance = |row: Row| Balance {
        asset: row.asset,
        total: row.balance,
        free: row.available_balance,
    };
    Ok(rows.into_iter().map(balance).collect())
}

/// A position of the USD-M account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PerpPosition {
    /// The venue's symbol.
    pub symbol: String,
    /// Which position of hedge mode; `None` in one-way mode.
    #[serde(deserialize_with = "position_side")]
    pub position_side: Option<PositionSide>,
    /// Signed base units, below zero for a short one in hedge mode too.
    #[serde(deserialize_with = "unit")]
    pub position_amt: Quantity,
    /// Average entry price; zero without a position.
    #[serde(deserialize_with = "unit")]
    pub entry_price: Price,
    /// Mark.
    #[serde(deserialize_with = "unit")]
    pub mark_price: Price,
    /// Where the venue expects to liquidate; zero for nowhere.
    #[serde(deserialize_with = "unit")]
    pub liquidation_price: Price,
    /// Collateral of an isolated position, its open result left out; zero in cross mode.
    #[serde(deserialize_with = "unit")]
    pub isolated_wallet: Quantity,
    /// When it last changed.
    #[serde(deserialize_with = "instant")]
    pub update_time: Timestamp,
}

/// Reads the positions of the USD-M account.
///
/// # Errors
/// [`DecodeError`], also for a side of hedge mode whose sign is the other one's.
pub fn positions(body: &[u8]) -> Result<Vec<PerpPosition>, DecodeError> {
    const WHAT: &str = "positions";
    let rows = decode::<Vec<PerpPosition>>(WHAT, body)?;
    for row in &rows {
        let amount = row.position_amt;
        let wrong = match row.position_side {
            None => false,
            Some(PositionSide::Long) => amount.is_negative(),
            Some(PositionSide::Short) => amount.is_positive(),
        };
        if wrong {
            let reason = format!("{} holds {amount} on the other side", row.symbol);
            return Err(DecodeError::new(WHAT, "positionAmt", reason));
        }
    }
    Ok(rows)
}

/// Leverage and margin mode of a symbol.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Leverage {
    /// The venue's symbol.
    pub symbol: String,
    /// On which collateral positions stand.
    #[serde(deserialize_with = "margin_mode")]
    pub margin_type: MarginMode,
    /// Notional per unit of initial margin.
    #[serde(deserialize_with = "unit")]
    pub leverage: Fixed18,
}

fn margin_mode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MarginMode, D::Error> {
    match <&str>::deserialize(deserializer)? {
        "CROSSED" => Ok(MarginMode::Cross),
        "ISOLATED" => Ok(MarginMode::Isolated),
        other => Err(D::Error::custom(format_args!(
            "unknown margin type `{other}`"
        ))),
    }
}

/// Reads leverage and margin mode of symbols.
///
/// # Errors
/// [`DecodeError`].
pub fn leverages(body: &[u8]) -> Result<Vec<Leverage>, DecodeError> {
    decode("symbol configuration", body)
}

/// Reads whether the account is in hedge mode.
///
/// # Errors
/// [`DecodeError`].
pub fn hedge_mode(body: &[u8]) -> Result<bool, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Reply {
        dual_side_position: bool,
    }
    decode::<Reply>("position mode", body).map(|reply| reply.dual_side_position)
}
