//! The wallet: transfers between an account's wallets, and what its keys may do.

use basis_core::num::Quantity;
use basis_core::types::Asset;
use serde_json::{Value, json};

use super::account::Income;
use super::error::ApiError;
use super::market::padded;
use super::routes::Call;
use super::{Audience, Exchange};

const DAY_MS: i64 = 86_400_000;
/// The window of the transfer history when none is named.
const WINDOW_MS: i64 = 7 * DAY_MS;
/// How long transfers are kept.
const KEPT_MS: i64 = 180 * DAY_MS;

/// Ways between wallets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    MainToUsdM,
    UsdMToMain,
}

impl Direction {
    const fn word(self) -> &'static str {
        match self {
            Self::MainToUsdM => "MAIN_UMFUTURE",
            Self::UsdMToMain => "UMFUTURE_MAIN",
        }
    }

    fn read(text: &str) -> Result<Self, ApiError> {
        match text {
            "MAIN_UMFUTURE" => Ok(Self::MainToUsdM),
            "UMFUTURE_MAIN" => Ok(Self::UsdMToMain),
            _ => Err(ApiError::new(
                -1130,
                "Data sent for parameter 'type' is not valid.",
            )),
        }
    }
}

/// A transfer: it has left its wallet, and arrives in the other at its time.
#[derive(Clone, Debug)]
pub(super) struct Transfer {
    id: u64,
    account: u32,
    asset: Asset,
    amount: Quantity,
    direction: Direction,
    made_ms: i64,
    due_ms: i64,
    has_arrived: bool,
}

/// `POST /sapi/v1/asset/transfer`.
pub(super) fn transfer(exchange: &mut Exchange, call: &Call<'_>) -> Result<Value, ApiError> {
    let direction = Direction::read(call.params.required("type")?)?;
    let asset = call.params.asset("asset")?;
    let amount = call.params.quantity("amount")?;
    let amount = amount.ok_or_else(|| ApiError::missing("amount"))?;
    if !amount.is_positive() {
        return Err(ApiError::missing("amount"));
    }
    let insufficient = || ApiError::new(-5013, "Asset transfer failed: insufficient balance");
    let out = amount.neg()?;
    match direction {
        Direction::MainToUsdM => {
            if exchange.account(call.account).free(asset) < amount {
                return Err(insufficient());
            }
            exchange.account_mut(call.account).move_free(asset, out)?;
            exchange.spot_moved(call.account, asset, out);
        }
        Direction::UsdMToMain => {
            if exchange.transferable(call.account, asset)? < amount {
                return Err(insufficient());
            }
            exchange.margin_moved(call.account, asset, out, "WITHDRAW")?;
        }
    }
    let id = exchange.next_id();
    let delay = exchange.settings.behavior.transfer_delay_ms;
    exchange.transfers.push(Transfer {
        id,
        account: call.account,
        asset,
        amount,
        direction,
        made_ms: exchange.now,
        due_ms: exchange.now.saturating_add(delay),
        has_arrived: false,
    });
    exchange.run_transfers()?;
    Ok(json!({ "tranId": id }))
}

impl Exchange {
    /// When a transfer next arrives.
    pub(super) fn next_transfer(&self) -> Option<i64> {
        let under_way = self
            .transfers
            .iter()
            .filter(|transfer| !transfer.has_arrived);
        under_way.map(|transfer| transfer.due_ms).min()
    }

    /// Credits what has arrived.
    pub(super) fn run_transfers(&mut self) -> Result<(), ApiError> {
        let now = self.now;
        for at in 0..self.transfers.len() {
            let Some(transfer) = self.transfers.get_mut(at) else {
                continue;
            };
            if transfer.has_arrived || transfer.due_ms > now {
                continue;
            }
            transfer.has_arrived = true;
            let Transfer {
                account,
                asset,
                amount,
                direction,
                ..
            } = *transfer;
            match direction {
                Direction::MainToUsdM => self.margin_moved(account, asset, amount, "DEPOSIT")?,
                Direction::UsdMToMain => {
                    self.account_mut(account).move_free(asset, amount)?;
                    self.spot_moved(account, asset, amount);
                }
            }
        }
        Ok(())
    }

    /// Tells an account of what came to or left its spot wallet.
    fn spot_moved(&mut self, account: u32, asset: Asset, by: Quantity) {
        let now = self.now;
        self.account_mut(account).snapshot_spot(now);
        let frame = json!({
            "e": "balanceUpdate", "E": now, "a": asset.as_str(), "d": padded(by.get(), 8), "T": now
        });
        self.emit(Audience::SpotUser(account), frame);
    }

    fn margin_moved(
        &mut self,
        account: u32,
        asset: Asset,
        by: Quantity,
        reason: &str,
    ) -> Result<(), ApiError> {
        self.account_mut(account).move_margin(asset, by)?;
        let income = Income {
            kind: "TRANSFER",
            symbol: None,
            amount: by,
            asset,
            id: self.next_id(),
            trade: None,
            time_ms: self.now,
        };
        self.account_mut(account).usdm.income.push(income);
        self.account_update(account, reason, &[asset], &[], by)
    }
}

/// `GET /sapi/v1/asset/transfer`: newest first.
pub(super) fn transfers(exchange: &mut Exchange, call: &Call<'_>) -> Result<Value, ApiError> {
    let direction = Direction::read(call.params.required("type")?)?;
    let now = exchange.now;
    let start = call.params.integer("startTime")?;
    let end = call.params.integer("endTime")?.unwrap_or(now);
    let start = start.unwrap_or_else(|| end.saturating_sub(WINDOW_MS));
    let size = call.params.integer("size")?.unwrap_or(10).clamp(1, 100);
    let size = usize::try_from(size).unwrap_or(10);
    let page = call.params.integer("current")?.unwrap_or(1).max(1);
    let page = usize::try_from(page).unwrap_or(1);
    let at = exchange.rows_ms();
    let listed: Vec<&Transfer> = exchange
        .transfers
        .iter()
        .rev()
        .filter(|row| row.account == call.account && row.direction == direction)
        .filter(|row| (start..=end).contains(&row.made_ms) && row.made_ms <= at)
        .filter(|row| now.saturating_sub(row.made_ms) <= KEPT_MS)
        .collect();
    let rows = listed.iter().skip((page - 1) * size).take(size).map(|row| {
        json!({
            "asset": row.asset.as_str(),
            "amount": row.amount.to_string(),
            "type": direction.word(),
            "status": if row.has_arrived { "CONFIRMED" } else { "PENDING" },
            "tranId": row.id,
            "timestamp": row.made_ms,
        })
    });
    let rows = super::rows(rows.collect(), exchange.settings.behavior);
    Ok(json!({ "total": listed.len(), "rows": rows }))
}

/// `GET /sapi/v1/account/apiRestrictions`.
pub(super) fn key_permissions(exchange: &mut Exchange, call: &Call<'_>) -> Result<Value, ApiError> {
    let key = exchange.keys.get(call.key);
    let key = key.ok_or_else(ApiError::rejected_key)?;
    let may = &key.permissions;
    Ok(json!({
        "ipRestrict": may.ip_restrict,
        "createTime": key.created_ms,
        "enableReading": may.reading,
        "enableWithdrawals": may.withdrawals,
        "enableInternalTransfer": false,
        "enableMargin": false,
        "enableFutures": may.futures,
        "permitsUniversalTransfer": may.universal_transfer,
        "enableVanillaOptions": false,
        "enableFixApiTrade": false,
        "enableFixReadOnly": false,
        "enableSpotAndMarginTrading": may.spot,
        "enablePortfolioMarginTrading": false,
    }))
}
