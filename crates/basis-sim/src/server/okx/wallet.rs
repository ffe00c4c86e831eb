//! The funding account: balances, transfers to and from the trading account, currencies and their chains.

use std::collections::{BTreeMap, BTreeSet};

use basis_core::num::Quantity;
use serde_json::{Value, json};

use super::error::ApiError;
use super::routes::Call;
use super::withdrawals::Movement;
use super::{Chain, Exchange};
use crate::server::unified::{Transfer, TransferState, Wallet};

/// How long transfers are known.
const KEPT_MS: i64 = 14 * 86_400_000;

/// What moves between the funding account and the world.
#[derive(Debug)]
pub(super) struct Funding {
    pub(super) chains: Vec<Chain>,
    pub(super) movements: Vec<Movement>,
    /// Whether withdrawals fail on their way.
    pub(super) fails: bool,
    /// Addresses that accounts may withdraw to.
    allowed: BTreeMap<u32, BTreeSet<String>>,
}

impl Funding {
    pub(super) const fn new(chains: Vec<Chain>) -> Self {
        Self {
            chains,
            movements: Vec::new(),
            fails: false,
            allowed: BTreeMap::new(),
        }
    }

    pub(super) fn allow(&mut self, account: u32, addresses: Vec<String>) {
        self.allowed
            .insert(account, addresses.into_iter().collect());
    }

    pub(super) fn is_allowed(&self, account: u32, address: &str) -> bool {
        let addresses = self.allowed.get(&account);
        addresses.is_some_and(|addresses| addresses.contains(address))
    }

    pub(super) const fn set_failing(&mut self, fails: bool) {
        self.fails = fails;
    }
}

const fn wallet_word(wallet: Wallet) -> &'static str {
    match wallet {
        Wallet::Fund => "6",
        Wallet::Unified => "18",
    }
}

fn read_wallet(text: &str, name: &str) -> Result<Wallet, ApiError> {
    match text {
        "6" => Ok(Wallet::Fund),
        "18" => Ok(Wallet::Unified),
        _ => Err(ApiError::parameter(name)),
    }
}

/// `GET /api/v5/asset/balances`.
pub(super) fn balances(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Value>, ApiError> {
    let wanted = call.params().coins()?;
    let holdings = exchange.account(call.account).at(exchange.read_ms());
    let held = holdings.fund.iter();
    let held = held.filter(|(coin, _)| wanted.as_ref().is_none_or(|wanted| wanted.contains(coin)));
    let rows = held.map(|(coin, amount)| {
        json!({
            "ccy": coin.as_str(),
            "bal": amount.to_string(),
            "availBal": amount.to_string(),
            "frozenBal": "0",
        })
    });
    Ok(rows.collect())
}

/// `POST /api/v5/asset/transfer`. An id may be used again once the transfer that bore it has ended.
pub(super) fn transfer(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Value>, ApiError> {
    let params = call.params();
    let coin = params.coin()?;
    let amount = params.decimal("amt")?.filter(|amount| amount.is_positive());
    let amount = Quantity::new(amount.ok_or_else(|| ApiError::parameter("amt"))?);
    let from = read_wallet(params.required("from")?, "from")?;
    let to = read_wallet(params.required("to")?, "to")?;
    if from == to || !matches!(params.text("type"), None | Some("0")) {
        return Err(ApiError::parameter("to"));
    }
    let id = params.text("clientId").unwrap_or_default();
    if id.len() > 32 || !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(ApiError::parameter("clientId"));
    }
    let mut known = exchange.transfers.iter();
    let under_way = known.find(|transfer| {
        let bears = transfer.account == call.account && !id.is_empty() && transfer.id == id;
        bears && transfer.state == TransferState::Pending
    });
    if let Some(transfer) = under_way {
        let number = transfer.number;
        let text = format!("Your transfer is currently being processed with transfer ID {number}.");
        return Err(ApiError::new(58_124, text));
    }
    if exchange.movable(call.account, from, coin)? < amount {
        return Err(ApiError::new(58_350, "Insufficient balance"));
    }
    let (number, _) = exchange.start_transfer((call.account, id), (coin, amount), (from, to))?;
    Ok(vec![json!({
        "transId": number.to_string(),
        "clientId": id,
        "ccy": coin.as_str(),
        "amt": amount.to_string(),
        "from": wallet_word(from),
        "to": wallet_word(to),
    })])
}

/// `GET /api/v5/asset/transfer-state`: by the venue's id, else the latest with the client's; of two weeks.
pub(super) fn transfer_state(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Value>, ApiError> {
    let params = call.params();
    let (id, client_id) = (params.text("transId"), params.text("clientId"));
    if id.is_none() && client_id.is_none() {
        let text = "Either parameter transId or clientId is required";
        return Err(ApiError::new(50_015, text));
    }
    let (now, at) = (exchange.now, exchange.rows_ms());
    let mut newest_first = exchange.transfers.iter().rev();
    let found = newest_first.find(|transfer| {
        let is_known = transfer.account == call.account
            && transfer.made_ms <= at
            && now.saturating_sub(transfer.made_ms) <= KEPT_MS;
        is_known
            && match (id, client_id) {
                (Some(id), _) => transfer.number.to_string() == id,
                (None, Some(client_id)) => transfer.id == client_id,
                (None, None) => false,
            }
    });
    let Some(transfer) = found else {
        let text = "transId is incorrect or transId does not match with type";
        return Err(ApiError::new(58_129, text));
    };
    Ok(vec![state_row(transfer)])
}

fn state_row(transfer: &Transfer) -> Value {
    json!({
        "transId": transfer.number.to_string(),
        "clientId": transfer.id,
        "ccy": transfer.coin.as_str(),
        "amt": transfer.amount.to_string(),
        "type": "0",
        "from": wallet_word(transfer.from),
        "to": wallet_word(transfer.to),
        "subAcct": "",
        "instId": "",
        "toInstId": "",
        "state": match transfer.state {
            TransferState::Pending => "pending",
            TransferState::Success => "success",
            TransferState::Failed => "failed",
        },
    })
}

/// `GET /api/v5/asset/currencies`: a row for each chain.
pub(super) fn currencies(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Value>, ApiError> {
    let wanted = call.params().coins()?;
    let chains = exchange.own.funding.chains.iter();
    let chains = chains.filter(|chain| {
        wanted
            .as_ref()
            .is_none_or(|wanted| wanted.contains(&chain.coin))
    });
    let rows = chains.map(|chain| {
        let step = match chain.decimals {
            0 => "0".to_owned(),
            decimals => decimals.to_string(),
        };
        json!({
            "ccy": chain.coin.as_str(),
            "name": chain.coin.as_str(),
            "logoLink": "",
            "chain": chain.name,
            "ctAddr": "",
            "mainNet": false,
            "canDep": true,
            "canWd": true,
            "canInternal": true,
            "needTag": false,
            "depEstOpenTime": "",
            "wdEstOpenTime": "",
            "minDep": "0",
            "minDepArrivalConfirm": "1",
            "minWdUnlockConfirm": "2",
            "minWd": chain.minimum.to_string(),
            "minInternal": "0",
            "maxWd": "10000000",
            "wdTickSz": step,
            "wdQuota": "10000000",
            "usedWdQuota": "0",
            "fee": chain.fee.to_string(),
            "minFee": chain.fee.to_string(),
            "maxFee": chain.fee.to_string(),
            "minFeeForCtAddr": "",
            "maxFeeForCtAddr": "",
            "burningFeeRate": "",
            "depQuotaFixed": "",
            "usedDepQuotaFixed": "",
            "depQuoteDailyLayer2": "",
        })
    });
    Ok(rows.collect())
}
