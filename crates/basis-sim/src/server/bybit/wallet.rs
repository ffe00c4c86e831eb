//! The wallet: transfers between the funding and the unified account, and what a key may do.

use basis_core::num::Quantity;
use basis_core::types::Asset;
use serde_json::{Value, json};

use super::Exchange;
use super::error::ApiError;
use super::params::Page;
use super::routes::Call;
use crate::server::unified::{TransferState, Wallet, joined};

/// The window of the list of transfers.
const WEEK_MS: i64 = 7 * 86_400_000;

fn read_wallet(text: &str) -> Result<Wallet, ApiError> {
    match text {
        "FUND" => Ok(Wallet::Fund),
        "UNIFIED" => Ok(Wallet::Unified),
        _ => Err(ApiError::new(131_211, "account type error")),
    }
}

const fn wallet_word(wallet: Wallet) -> &'static str {
    match wallet {
        Wallet::Fund => "FUND",
        Wallet::Unified => "UNIFIED",
    }
}

const fn state_word(state: TransferState) -> &'static str {
    match state {
        TransferState::Pending => "PENDING",
        TransferState::Success => "SUCCESS",
        TransferState::Failed => "FAILED",
    }
}

fn needs_wallet(exchange: &Exchange) -> Result<(), ApiError> {
    if exchange.own.has_wallet {
        return Ok(());
    }
    Err(ApiError::new(10_032, "Demo trading are not supported."))
}

/// `POST /v5/asset/transfer/inter-transfer`.
pub(super) fn transfer(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Value, ApiError> {
    needs_wallet(exchange)?;
    let params = call.params;
    let id = params.required("transferId")?.to_owned();
    let coin = params.asset("coin")?;
    let coin = coin.ok_or_else(|| ApiError::params("coin"))?;
    let amount = params
        .quantity("amount")?
        .filter(|amount| amount.is_positive());
    let amount = amount.ok_or_else(|| ApiError::params("amount"))?;
    let from = read_wallet(params.required("fromAccountType")?)?;
    let to = read_wallet(params.required("toAccountType")?)?;
    if from == to {
        return Err(ApiError::new(131_210, "from and to are the same account"));
    }
    let mut known = exchange.transfers.iter();
    if known.any(|transfer| transfer.account == call.account && transfer.id == id) {
        return Err(ApiError::new(131_214, "the transferId already exists"));
    }
    if exchange.movable(call.account, from, coin)? < amount {
        return Err(ApiError::new(131_212, "insufficient balance"));
    }
    let (_, state) = exchange.start_transfer((call.account, &id), (coin, amount), (from, to))?;
    Ok(json!({ "transferId": id, "status": state_word(state) }))
}

/// `GET /v5/asset/transfer/query-inter-transfer-list`: newest first; its times count whole seconds.
pub(super) fn transfers(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Value, ApiError> {
    needs_wallet(exchange)?;
    let params = call.params;
    let (id, coin) = (params.text("transferId"), params.asset("coin")?);
    let status = params.text("status");
    let page = Page::read(params, exchange.now, (20, 50), Some((WEEK_MS, WEEK_MS)))?;
    let at = exchange.rows_ms();
    let rows = exchange.transfers.iter().rev().filter(|row| {
        row.account == call.account
            && row.made_ms <= at
            && id.is_none_or(|id| id == row.id)
            && coin.is_none_or(|coin| coin == row.coin)
            && status.is_none_or(|status| status == state_word(row.state))
    });
    let rows = rows.map(|row| {
        let json = json!({
            "transferId": row.id,
            "coin": row.coin.as_str(),
            "amount": row.amount.to_string(),
            "fromAccountType": wallet_word(row.from),
            "toAccountType": wallet_word(row.to),
            "timestamp": (row.made_ms.div_euclid(1000) * 1000).to_string(),
            "status": state_word(row.state),
        });
        (row.number, row.made_ms, json)
    });
    let (list, cursor) = page.cut(rows.collect());
    let list = exchange.rows(list);
    Ok(json!({ "list": list, "nextPageCursor": cursor }))
}

/// `GET /v5/asset/transfer/query-account-coins-balance`.
pub(super) fn coins(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Value, ApiError> {
    needs_wallet(exchange)?;
    let of = read_wallet(call.params.required("accountType")?)?;
    let account = exchange.account(call.account);
    let holdings = account.at(exchange.read_ms());
    let mut list = Vec::new();
    let mut add = |coin: Asset, amount: Quantity| {
        list.push(json!({
            "coin": coin.as_str(),
            "transferBalance": amount.to_string(),
            "walletBalance": amount.to_string(),
            "bonus": "",
        }));
    };
    match of {
        Wallet::Fund => holdings
            .fund
            .iter()
            .for_each(|(coin, amount)| add(*coin, *amount)),
        Wallet::Unified => {
            for (coin, held) in &holdings.unified {
                add(*coin, held.wallet);
            }
        }
    }
    Ok(json!({
        "memberId": call.account.to_string(), "accountType": wallet_word(of), "balance": list
    }))
}

/// `GET /v5/account/withdrawal`: how much of a coin can leave the unified account.
pub(super) fn withdrawable(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Value, ApiError> {
    let coin = call.params.asset("coinName")?;
    let coin = coin.ok_or_else(|| ApiError::params("coinName"))?;
    let amount = exchange.movable(call.account, Wallet::Unified, coin)?;
    let mut by_coin = serde_json::Map::new();
    by_coin.insert(coin.as_str().to_owned(), json!(amount.to_string()));
    Ok(json!({ "availableWithdrawal": amount.to_string(), "availableWithdrawalMap": by_coin }))
}

/// `GET /v5/user/query-api`.
pub(super) fn key(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Value, ApiError> {
    let key = exchange.own.keys.get(call.key);
    let key = key.ok_or_else(|| ApiError::new(10_003, "API key is invalid."))?;
    let may = &key.permissions;
    let when =
        |allowed: bool, words: &[&str]| -> Value { if allowed { json!(words) } else { json!([]) } };
    let wallet = [
        ("AccountTransfer", may.transfer),
        ("Withdraw", may.withdraw),
    ];
    let wallet = wallet.iter().filter(|(_, allowed)| *allowed);
    let wallet: Vec<&str> = wallet.map(|(word, _)| *word).collect();
    let row = json!({
        "id": "1",
        "note": "",
        "apiKey": call.key,
        "readOnly": u8::from(may.read_only),
        "secret": "",
        "permissions": {
            "ContractTrade": when(may.contracts, &["Order", "Position"]),
            "Spot": when(may.spot, &["SpotTrade"]),
            "Wallet": wallet,
            "Options": [],
            "Derivatives": when(may.contracts, &["DerivativesTrade"]),
            "CopyTrading": [],
            "BlockTrade": [],
            "Exchange": [],
            "NFT": [],
            "Affiliate": [],
            "Earn": [],
            "FiatP2P": [],
            "FiatConvertBroker": [],
            "FiatGlobalPay": [],
            "FiatBitPay": [],
            "BitCard": [],
            "ByXPost": [],
        },
        "ips": if may.ip_restrict { json!(["127.0.0.1"]) } else { json!(["*"]) },
        "type": 1,
        "deadlineDay": 90,
        "expiredAt": "2100-01-01T00:00:00Z",
        "createdAt": "2020-01-01T00:00:00Z",
        "uta": 1,
        "userID": call.account,
    });
    let more = json!({
        "unified": 0,
        "inviterID": 0,
        "vipLevel": "No VIP",
        "mktMakerLevel": "0",
        "affiliateID": 0,
        "rsaPublicKey": "",
        "isMaster": true,
        "parentUid": "0",
        "kycLevel": "LEVEL_1",
        "kycRegion": "",
        "userIDInt64": "0",
        "inviterIDInt64": "0",
        "affiliateIDInt64": "0",
    });
    Ok(joined(row, more))
}
