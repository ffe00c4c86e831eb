//! The wallet: transfers between the funding and the unified account, and what a key may do.

use basis_core::num::Quantity;
use basis_core::types::Asset;
use serde_json::{Value, json};

use super::account::LogRow;
use super::error::ApiError;
use super::params::Page;
use super::routes::Call;
use super::{Exchange, joined};

/// The window of the list of transfers.
const WEEK_MS: i64 = 7 * 86_400_000;

/// The accounts that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wallet {
    Fund,
    Unified,
}

impl Wallet {
    fn read(text: &str) -> Result<Self, ApiError> {
        match text {
            "FUND" => Ok(Self::Fund),
            "UNIFIED" => Ok(Self::Unified),
            _ => Err(ApiError::new(131_211, "account type error")),
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Fund => "FUND",
            Self::Unified => "UNIFIED",
        }
    }
}

/// How a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Pending,
    Success,
    Failed,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Success => "SUCCESS",
            Self::Failed => "FAILED",
        }
    }
}

/// A transfer: it has left its account, and arrives in the other at its time, or comes back.
#[derive(Clone, Debug)]
pub(super) struct Transfer {
    number: u64,
    id: String,
    account: u32,
    coin: Asset,
    amount: Quantity,
    from: Wallet,
    to: Wallet,
    state: State,
    made_ms: i64,
    due_ms: i64,
}

fn needs_wallet(exchange: &Exchange) -> Result<(), ApiError> {
    if exchange.settings.has_wallet {
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
    let from = Wallet::read(params.required("fromAccountType")?)?;
    let to = Wallet::read(params.required("toAccountType")?)?;
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
    exchange.move_coin(call.account, from, coin, amount.neg()?)?;
    let number = exchange.next_id();
    let delay = exchange.settings.behavior.transfer_delay_ms;
    exchange.transfers.push(Transfer {
        number,
        id: id.clone(),
        account: call.account,
        coin,
        amount,
        from,
        to,
        state: State::Pending,
        made_ms: exchange.now,
        due_ms: exchange.now.saturating_add(delay),
    });
    exchange.run_transfers();
    let state = exchange.transfers.last().map(|transfer| transfer.state);
    let state = state.unwrap_or(State::Pending);
    Ok(json!({ "transferId": id, "status": state.word() }))
}

impl Exchange {
    /// When a transfer next arrives.
    pub(super) fn next_transfer(&self) -> Option<i64> {
        let pending = self
            .transfers
            .iter()
            .filter(|transfer| transfer.state == State::Pending);
        pending.map(|transfer| transfer.due_ms).min()
    }

    /// Credits what has arrived; gives back what failed.
    ///
    /// # Panics
    /// Never: what has left an account fits into one.
    pub(super) fn run_transfers(&mut self) {
        let (now, fails) = (self.now, self.transfers_fail);
        for at in 0..self.transfers.len() {
            let due = self
                .transfers
                .get_mut(at)
                .filter(|transfer| transfer.state == State::Pending && transfer.due_ms <= now);
            let Some(transfer) = due else {
                continue;
            };
            transfer.state = if fails { State::Failed } else { State::Success };
            let into = if fails { transfer.from } else { transfer.to };
            let (account, coin, amount) = (transfer.account, transfer.coin, transfer.amount);
            self.move_coin(account, into, coin, amount)
                .expect("invariant: what left an account fits into one");
        }
    }

    /// What may leave an account.
    fn movable(&self, id: u32, from: Wallet, coin: Asset) -> Result<Quantity, ApiError> {
        match from {
            Wallet::Fund => Ok(self.account(id).fund(coin)),
            Wallet::Unified => {
                let payable = self.margins_now(id, coin)?.payable()?;
                let free = Quantity::new(payable.get());
                Ok(free.max(Quantity::ZERO))
            }
        }
    }

    fn move_coin(
        &mut self,
        id: u32,
        wallet: Wallet,
        coin: Asset,
        by: Quantity,
    ) -> Result<(), ApiError> {
        let (now, number) = (self.now, self.next_id());
        let account = self.account_mut(id);
        match wallet {
            Wallet::Fund => account.move_fund(coin, by)?,
            Wallet::Unified => {
                account.move_wallet(coin, by)?;
                let row = LogRow {
                    number,
                    kind: if by.is_positive() {
                        "TRANSFER_IN"
                    } else {
                        "TRANSFER_OUT"
                    },
                    of: None,
                    side: "None",
                    coin,
                    change: by,
                    cash_flow: by,
                    funding: Quantity::ZERO,
                    fee: Quantity::ZERO,
                    rate: basis_core::num::Fixed18::ZERO,
                    size: Quantity::ZERO,
                    quantity: by.abs()?,
                    price: basis_core::num::Fixed18::ZERO,
                    ids: (String::new(), String::new()),
                    balance: account.coin(coin).wallet,
                    time_ms: now,
                };
                account.log.push(row);
            }
        }
        account.snapshot(now);
        Ok(())
    }
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
            && status.is_none_or(|status| status == row.state.word())
    });
    let rows = rows.map(|row| {
        let json = json!({
            "transferId": row.id,
            "coin": row.coin.as_str(),
            "amount": row.amount.to_string(),
            "fromAccountType": row.from.word(),
            "toAccountType": row.to.word(),
            "timestamp": (row.made_ms.div_euclid(1000) * 1000).to_string(),
            "status": row.state.word(),
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
    let of = Wallet::read(call.params.required("accountType")?)?;
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
        "memberId": call.account.to_string(), "accountType": of.word(), "balance": list
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
    let key = exchange.keys.get(call.key);
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
