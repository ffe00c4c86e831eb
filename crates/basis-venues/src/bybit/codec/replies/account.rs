//! What replies say of balances, positions and their settings.

use basis_core::instruction::MarginMode;
use basis_core::num::{Fixed18, Price, Quantity, Rate, Value};
use basis_core::types::{PositionSide, Side, Timestamp};
use serde::Deserialize;

use super::wire::{
    Page, instant_text, list, optional, optional_side, position_side, result, text_or_null, unit,
};
use crate::wire::DecodeError;

/// What an account holds of a coin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The venue's name of it.
    pub coin: String,
    /// All of it, open results left out; below zero where more was lent than is there.
    pub total: Quantity,
    /// What spot orders hold of it.
    pub locked: Quantity,
    /// What of it is borrowed.
    pub borrowed: Quantity,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CoinRow {
    coin: String,
    #[serde(deserialize_with = "unit")]
    wallet_balance: Quantity,
    #[serde(default, deserialize_with = "optional")]
    locked: Option<Quantity>,
    #[serde(default, deserialize_with = "optional")]
    borrow_amount: Option<Quantity>,
}

impl From<CoinRow> for Balance {
    fn from(row: CoinRow) -> Self {
        Self {
            coin: row.coin,
            total: row.wallet_balance,
            locked: row.locked.unwrap_or_default(),
            borrowed: row.borrow_amount.unwrap_or_default(),
        }
    }
}

/// The unified account: its coins, and how near it is to a liquidation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnifiedAccount {
    /// What it holds.
    pub balances: Vec<Balance>,
    /// Maintenance margin over margin balance: at 1 the account is liquidated. Absent in isolated mode.
    pub maintenance_rate: Option<Rate>,
    /// Equity in dollars.
    pub equity: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::bybit::codec) struct AccountRow {
    coin: Vec<CoinRow>,
    #[serde(default, rename = "accountMMRate", deserialize_with = "optional")]
    maintenance_rate: Option<Rate>,
    #[serde(default, deserialize_with = "optional")]
    total_equity: Option<Value>,
}

impl From<AccountRow> for UnifiedAccount {
    fn from(row: AccountRow) -> Self {
        Self {
            balances: row.coin.into_iter().map(Into::into).collect(),
            maintenance_rate: row.maintenance_rate,
            equity: row.total_equity,
        }
    }
}

/// Reads balances and margin of the unified account.
///
/// # Errors
/// [`DecodeError`], also for a reply about no account or several.
pub fn balances(body: &[u8]) -> Result<UnifiedAccount, DecodeError> {
    const WHAT: &str = "balances";
    let rows = list::<AccountRow>(WHAT, body)?.0.rows;
    let [row] = <[AccountRow; 1]>::try_from(rows)
        .map_err(|rows| DecodeError::new(WHAT, "list", format!("{} accounts", rows.len())))?;
    Ok(row.into())
}

/// Reads the balances of the funding account.
///
/// # Errors
/// [`DecodeError`].
pub fn funding_balances(body: &[u8]) -> Result<Vec<Balance>, DecodeError> {
    #[derive(Deserialize)]
    struct Reply {
        balance: Vec<CoinRow>,
    }
    let reply = result::<Reply>("funding balances", body)?;
    Ok(reply.balance.into_iter().map(Into::into).collect())
}

/// A position.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    /// The venue's symbol.
    pub symbol: String,
    /// Which position of hedge mode; `None` in one-way mode.
    #[serde(deserialize_with = "position_side")]
    pub position_idx: Option<PositionSide>,
    /// `Buy` for a long one; none where there is nothing.
    #[serde(deserialize_with = "optional_side")]
    pub side: Option<Side>,
    /// Base units, >= 0; [`Position::amount`] has the sign.
    #[serde(deserialize_with = "unit")]
    pub size: Quantity,
    /// Average entry price; none without a position.
    #[serde(default, alias = "entryPrice", deserialize_with = "optional")]
    pub avg_price: Option<Price>,
    /// Mark.
    #[serde(deserialize_with = "optional")]
    pub mark_price: Option<Price>,
    /// Where the venue expects to liquidate; none for nowhere.
    #[serde(default, deserialize_with = "optional")]
    pub liq_price: Option<Price>,
    /// Notional per unit of initial margin; none in portfolio mode.
    #[serde(default, deserialize_with = "optional")]
    pub leverage: Option<Fixed18>,
    /// `Normal`, or `Liq` or `Adl` while it is being closed by force.
    #[serde(default, deserialize_with = "text_or_null")]
    pub position_status: String,
    /// When it last changed.
    #[serde(deserialize_with = "instant_text")]
    pub updated_time: Timestamp,
}

impl Position {
    /// Returns the position in base units, below zero for a short one.
    ///
    /// # Errors
    /// [`DecodeError`] for a size without a side, and for a side that is not that of hedge mode.
    pub fn amount(&self) -> Result<Quantity, DecodeError> {
        const WHAT: &str = "positions";
        let wrong = |reason: String| DecodeError::new(WHAT, "side", reason);
        if self.size.is_zero() {
            return Ok(Quantity::ZERO);
        }
        let Some(side) = self.side.filter(|_| self.size.is_positive()) else {
            return Err(wrong(format!(
                "{} holds {} without a side",
                self.symbol, self.size
            )));
        };
        if self
            .position_idx
            .is_some_and(|position| position.opens_with() != side)
        {
            let text = format!("{} holds {} on the other side", self.symbol, self.size);
            return Err(wrong(text));
        }
        match side {
            Side::Buy => Ok(self.size),
            Side::Sell => {
                let below = self.size.neg();
                below.map_err(|e| DecodeError::new(WHAT, "size", e.to_string()))
            }
        }
    }
}

/// Reads positions; the row of a perpetual without one has its leverage.
///
/// # Errors
/// [`DecodeError`], also for a side of hedge mode that holds the other one's.
pub fn positions(body: &[u8]) -> Result<Page<Position>, DecodeError> {
    let (page, _) = list::<Position>("positions", body)?;
    for row in &page.rows {
        row.amount()?;
    }
    Ok(page)
}

/// What the account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountInfo {
    /// On which collateral all positions stand; `None` for portfolio margin, which is not traded in here.
    pub margin_mode: Option<MarginMode>,
    /// The venue's number: 5 and 6 are a unified account of the second generation.
    pub unified_margin_status: i64,
}

/// Reads the account's margin mode.
///
/// # Errors
/// [`DecodeError`], also for a mode that is not known.
pub fn account_info(body: &[u8]) -> Result<AccountInfo, DecodeError> {
    const WHAT: &str = "account information";
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Reply {
        margin_mode: String,
        unified_margin_status: i64,
    }
    let reply = result::<Reply>(WHAT, body)?;
    let margin_mode = match reply.margin_mode.as_str() {
        "REGULAR_MARGIN" => Some(MarginMode::Cross),
        "ISOLATED_MARGIN" => Some(MarginMode::Isolated),
        "PORTFOLIO_MARGIN" => None,
        other => {
            let reason = format!("unknown margin mode `{other}`");
            return Err(DecodeError::new(WHAT, "marginMode", reason));
        }
    };
    Ok(AccountInfo {
        margin_mode,
        unified_margin_status: reply.unified_margin_status,
    })
}
