//! What replies say of balances, positions and their settings.

use basis_core::instruction::MarginMode;
use basis_core::num::{Fixed18, Price, Quantity, Rate, Value};
use basis_core::rules::RuleSnapshot;
use basis_core::types::{InstrumentKind, PositionSide, Timestamp};
use serde::Deserialize;

use super::wire::{
    data, instant_text, margin_mode, only, optional, position_side, text_or_null, unit,
};
use crate::okx::codec::AccountLevel;
use crate::okx::codec::contracts::base_units;
use crate::wire::fill::of_symbol;
use crate::wire::{DecodeError, FillError};

/// What an account holds of a currency, to the digit the venue keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The venue's name of it.
    pub ccy: String,
    /// All of it, what orders hold included, open results left out; below zero where more was lent than is
    /// there.
    pub total: Quantity,
    /// What can be used.
    pub free: Quantity,
    /// What of it is owed.
    pub borrowed: Quantity,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CurrencyRow {
    ccy: String,
    #[serde(deserialize_with = "unit")]
    cash_bal: Quantity,
    #[serde(default, deserialize_with = "optional")]
    avail_bal: Option<Quantity>,
    #[serde(default, deserialize_with = "optional")]
    avail_eq: Option<Quantity>,
    #[serde(default, deserialize_with = "optional")]
    liab: Option<Quantity>,
}

/// The trading account: its currencies, and how near it is to a liquidation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TradingAccount {
    /// What it holds.
    pub balances: Vec<Balance>,
    /// Adjusted equity over what maintenance needs: at 1 the account is liquidated. Absent below level 3, where
    /// it is each currency's own.
    pub margin_ratio: Option<Rate>,
    /// Equity in dollars.
    pub equity: Option<Value>,
    /// When it was so.
    pub at: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::okx::codec) struct AccountRow {
    details: Vec<CurrencyRow>,
    #[serde(default, deserialize_with = "optional")]
    mgn_ratio: Option<Rate>,
    #[serde(default, deserialize_with = "optional")]
    total_eq: Option<Value>,
    #[serde(deserialize_with = "instant_text")]
    u_time: Timestamp,
}

impl AccountRow {
    pub(in crate::okx::codec) fn account(self) -> Result<TradingAccount, DecodeError> {
        let balance = |row: CurrencyRow| -> Result<Balance, DecodeError> {
            let free = row.avail_bal.or(row.avail_eq);
            let free = free.ok_or_else(|| {
                DecodeError::new("balances", &row.ccy, "neither availBal nor availEq")
            })?;
            // Debts are written below zero.
            let owed = row.liab.unwrap_or_default().abs();
            Ok(Balance {
                total: row.cash_bal,
                free,
                borrowed: owed.map_err(|e| DecodeError::new("balances", "liab", e.to_string()))?,
                ccy: row.ccy,
            })
        };
        Ok(TradingAccount {
            balances: self
                .details
                .into_iter()
                .map(balance)
                .collect::<Result<_, _>>()?,
            margin_ratio: self.mgn_ratio,
            equity: self.total_eq,
            at: self.u_time,
        })
    }
}

/// Reads balances and margin of the trading account.
///
/// # Errors
/// [`DecodeError`].
pub fn balances(body: &[u8]) -> Result<TradingAccount, DecodeError> {
    only::<AccountRow>("balances", body)?.account()
}

/// Reads the balances of the funding account.
///
/// # Errors
/// [`DecodeError`].
pub fn funding_balances(body: &[u8]) -> Result<Vec<Balance>, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row {
        ccy: String,
        #[serde(deserialize_with = "unit")]
        bal: Quantity,
        #[serde(deserialize_with = "unit")]
        avail_bal: Quantity,
    }
    let rows = data::<Row>("funding balances", body)?;
    let balance = |row: Row| Balance {
        ccy: row.ccy,
        total: row.bal,
        free: row.avail_bal,
        borrowed: Quantity::ZERO,
    };
    Ok(rows.into_iter().map(balance).collect())
}

/// A position, in contracts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    /// The venue's symbol.
    pub inst_id: String,
    /// Which position of hedge mode; `None` in one-way mode.
    #[serde(deserialize_with = "position_side")]
    pub pos_side: Option<PositionSide>,
    /// Contracts: signed in one-way mode, and above zero on both sides of hedge mode; [`Position::amount`] is
    /// signed and in base units.
    #[serde(deserialize_with = "unit")]
    pub pos: Quantity,
    /// On which collateral it stands.
    #[serde(deserialize_with = "margin_mode")]
    pub mgn_mode: MarginMode,
    /// Average entry price; none without a position.
    #[serde(deserialize_with = "optional")]
    pub avg_px: Option<Price>,
    /// Mark.
    #[serde(deserialize_with = "optional")]
    pub mark_px: Option<Price>,
    /// Where the venue expects to liquidate; none for nowhere.
    #[serde(deserialize_with = "optional")]
    pub liq_px: Option<Price>,
    /// Notional per unit of initial margin.
    #[serde(deserialize_with = "optional")]
    pub lever: Option<Fixed18>,
    /// When it last changed.
    #[serde(deserialize_with = "instant_text")]
    pub u_time: Timestamp,
}

impl Position {
    /// Returns the position in base units, below zero for a short one.
    ///
    /// # Errors
    /// [`FillError`] where the rules do not list the swap: its contracts cannot be counted.
    pub fn amount(&self, rules: &RuleSnapshot) -> Result<Quantity, FillError> {
        let listed = of_symbol(rules, InstrumentKind::Perp, &self.inst_id)?;
        let amount = base_units(listed, self.pos)?;
        Ok(match self.pos_side {
            Some(PositionSide::Short) => amount.neg()?,
            Some(PositionSide::Long) | None => amount,
        })
    }

    /// Checks that a side of hedge mode has no sign.
    pub(in crate::okx::codec) fn checked(self) -> Result<Self, DecodeError> {
        if self.pos_side.is_some() && self.pos.is_negative() {
            let reason = format!("{} holds {} of one side", self.inst_id, self.pos);
            return Err(DecodeError::new("positions", "pos", reason));
        }
        Ok(self)
    }
}

/// Reads positions.
///
/// # Errors
/// [`DecodeError`], also for a side of hedge mode below zero.
pub fn positions(body: &[u8]) -> Result<Vec<Position>, DecodeError> {
    let rows = data::<Position>("positions", body)?;
    rows.into_iter().map(Position::checked).collect()
}

/// Leverage of a swap in cross mode.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Leverage {
    /// The venue's symbol.
    pub inst_id: String,
    /// On which collateral.
    #[serde(deserialize_with = "margin_mode")]
    pub mgn_mode: MarginMode,
    /// Notional per unit of initial margin.
    #[serde(deserialize_with = "unit")]
    pub lever: Fixed18,
}

/// Reads leverages.
///
/// # Errors
/// [`DecodeError`].
pub fn leverage(body: &[u8]) -> Result<Vec<Leverage>, DecodeError> {
    data("leverage", body)
}

/// How the account is set up, and what the key may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountConfig {
    /// What it can do.
    pub level: AccountLevel,
    /// Whether there is a long and a short position of each swap.
    pub hedge: bool,
    /// Whether spot orders in cross mode may borrow.
    pub auto_loan: bool,
    /// Withdraw to an address outside; `None` where the reply does not say.
    pub withdraw: Option<bool>,
    /// Trade, and transfer between accounts.
    pub trade: Option<bool>,
    /// Whether the key works from listed addresses alone.
    pub ip_restricted: bool,
}

/// Reads how the account is set up.
///
/// # Errors
/// [`DecodeError`], also for a level or a position mode that is not known.
pub fn account_config(body: &[u8]) -> Result<AccountConfig, DecodeError> {
    const WHAT: &str = "account configuration";
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row {
        acct_lv: String,
        pos_mode: String,
        #[serde(default)]
        auto_loan: bool,
        #[serde(default)]
        perm: Option<String>,
        #[serde(default, deserialize_with = "text_or_null")]
        ip: String,
    }
    let row = only::<Row>(WHAT, body)?;
    let unknown =
        |field: &str, word: &str| DecodeError::new(WHAT, field, format!("unknown word `{word}`"));
    let may = |what: &str| {
        let perm = row.perm.as_ref()?;
        Some(perm.split(',').any(|word| word.trim() == what))
    };
    Ok(AccountConfig {
        level: match row.acct_lv.as_str() {
            "1" => AccountLevel::Spot,
            "2" => AccountLevel::Futures,
            "3" => AccountLevel::MultiCurrency,
            "4" => AccountLevel::Portfolio,
            other => return Err(unknown("acctLv", other)),
        },
        hedge: match row.pos_mode.as_str() {
            "net_mode" => false,
            "long_short_mode" => true,
            other => return Err(unknown("posMode", other)),
        },
        auto_loan: row.auto_loan,
        withdraw: may("withdraw"),
        trade: may("trade"),
        ip_restricted: !row.ip.is_empty(),
    })
}
