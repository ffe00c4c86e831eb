//! Deposits and withdrawals: what comes to the funding account over a chain, and what leaves it.

use basis_core::num::{Fixed18, Quantity};
use basis_core::types::Asset;
use serde_json::{Value, json};

use super::error::ApiError;
use super::params::Page;
use super::routes::Call;
use super::{Chain, Exchange, Refusal};
use crate::server::unified::Wallet;

const ROWS_MAX: usize = 100;

/// Which way something moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    In,
    Out,
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    UnderWay,
    Done,
    Failed,
}

/// A deposit or a withdrawal.
#[derive(Clone, Debug)]
pub(super) struct Movement {
    number: u64,
    account: u32,
    direction: Direction,
    coin: Asset,
    chain: String,
    amount: Quantity,
    /// On top of the amount.
    fee: Quantity,
    address: String,
    /// The client's id of a withdrawal.
    client_id: String,
    /// Empty until it is on its way.
    tx_id: String,
    state: State,
    made_ms: i64,
    due_ms: i64,
}

/// Refuses what the demo does not have.
fn needs_network(exchange: &Exchange) -> Result<(), ApiError> {
    if exchange.own.is_demo {
        let text = "This feature is unavailable in demo trading.";
        return Err(ApiError::new(50_038, text));
    }
    Ok(())
}

impl Exchange {
    fn chain(&self, coin: Asset, name: &str) -> Result<&Chain, ApiError> {
        let mut chains = self.own.funding.chains.iter();
        let found = chains.find(|chain| chain.coin == coin && chain.name == name);
        found.ok_or_else(|| ApiError::parameter("chain"))
    }

    pub(super) fn take_deposit(
        &mut self,
        account: u32,
        (coin, chain): (Asset, &str),
        amount: Quantity,
        tx_id: &str,
    ) -> u64 {
        let known = self.chain(coin, chain);
        let known = known.expect("invariant: the caller names a chain of the settings");
        let delay = known.delay.nanos() / 1_000_000;
        let number = self.next_id();
        self.own.funding.movements.push(Movement {
            number,
            account,
            direction: Direction::In,
            coin,
            chain: chain.to_owned(),
            amount,
            fee: Quantity::ZERO,
            address: address_of(account, chain),
            client_id: String::new(),
            tx_id: tx_id.to_owned(),
            state: State::UnderWay,
            made_ms: self.now,
            due_ms: self.now.saturating_add(delay),
        });
        number
    }

    /// When a deposit is next credited, or a withdrawal next arrives.
    pub(super) fn next_movement(&self) -> Option<i64> {
        let movements = self.own.funding.movements.iter();
        let under_way = movements.filter(|movement| movement.state == State::UnderWay);
        under_way.map(|movement| movement.due_ms).min()
    }

    /// Credits deposits that are due; ends withdrawals, which come back with their fee where they fail.
    ///
    /// # Panics
    /// Never: what has left an account fits into it again.
    pub(super) fn run_movements(&mut self) {
        let (now, fails) = (self.now, self.own.funding.fails);
        for at in 0..self.own.funding.movements.len() {
            let due = self
                .own
                .funding
                .movements
                .get_mut(at)
                .filter(|movement| movement.state == State::UnderWay && movement.due_ms <= now);
            let Some(movement) = due else {
                continue;
            };
            let is_out = movement.direction == Direction::Out;
            movement.state = if is_out && fails {
                State::Failed
            } else {
                State::Done
            };
            if is_out && !fails {
                movement.tx_id = format!("0x{:064x}", movement.number);
                continue;
            }
            let (account, coin) = (movement.account, movement.coin);
            let back = movement.amount.add(movement.fee);
            back.map_err(Refusal::from)
                .and_then(|back| self.move_coin(account, Wallet::Fund, coin, back))
                .expect("invariant: what has left an account fits into it again");
        }
    }
}

/// Where deposits of an account arrive.
fn address_of(account: u32, chain: &str) -> String {
    let sum = chain.bytes().fold(account, |sum, b| {
        sum.wrapping_mul(31).wrapping_add(u32::from(b))
    });
    format!("0x{sum:040x}")
}

/// `GET /api/v5/asset/deposit-address`: of every chain.
pub(super) fn address(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Value>, ApiError> {
    needs_network(exchange)?;
    let coin = call.params().coin()?;
    let chains = exchange
        .own
        .funding
        .chains
        .iter()
        .filter(|chain| chain.coin == coin);
    let rows = chains.map(|chain| {
        json!({
            "chain": chain.name,
            "ccy": coin.as_str(),
            "ctAddr": "",
            "to": "6",
            "addr": address_of(call.account, &chain.name),
            "verifiedName": "",
            "selected": true,
        })
    });
    Ok(rows.collect())
}

/// `POST /api/v5/asset/withdrawal`: on chain, to an address that is allowed; the fee comes on top.
pub(super) fn withdraw(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Value>, ApiError> {
    needs_network(exchange)?;
    let params = call.params();
    let coin = params.coin()?;
    if params.required("dest")? != "4" {
        return Err(ApiError::parameter("dest"));
    }
    let (address, name) = (params.required("toAddr")?, params.required("chain")?);
    let chain = exchange.chain(coin, name)?.clone();
    let amount = params.decimal("amt")?.map(Quantity::new);
    let amount = amount.ok_or_else(|| ApiError::missing("amt"))?;
    let rounded = amount
        .get()
        .round_to_decimals(chain.decimals, basis_core::num::Rounding::Down)?;
    if amount < chain.minimum || rounded != amount.get() {
        return Err(ApiError::parameter("amt"));
    }
    if !exchange.own.funding.is_allowed(call.account, address) {
        let text = "Withdrawal address isn't on the verified address list.";
        return Err(ApiError::new(58_207, text));
    }
    let client_id = params.text("clientId").unwrap_or_default();
    if client_id.len() > 32 || !client_id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(ApiError::parameter("clientId"));
    }
    let needed = amount.add(chain.fee)?;
    if exchange.movable(call.account, Wallet::Fund, coin)? < needed {
        return Err(ApiError::new(58_350, "Insufficient balance"));
    }
    exchange.move_coin(call.account, Wallet::Fund, coin, needed.neg()?)?;
    let number = exchange.next_id();
    let delay_ms = chain.delay.nanos() / 1_000_000;
    let movement = Movement {
        number,
        account: call.account,
        direction: Direction::Out,
        coin,
        chain: name.to_owned(),
        amount,
        fee: chain.fee,
        address: address.to_owned(),
        client_id: client_id.to_owned(),
        tx_id: String::new(),
        state: State::UnderWay,
        made_ms: exchange.now,
        due_ms: exchange.now.saturating_add(delay_ms),
    };
    exchange.own.funding.movements.push(movement);
    Ok(vec![json!({
        "wdId": number.to_string(),
        "ccy": coin.as_str(),
        "chain": name,
        "amt": amount.to_string(),
        "clientId": client_id,
    })])
}

/// Rows of one direction that a request asks for, newest first. `before` and `after` are instants here.
fn rows(
    exchange: &Exchange,
    call: &Call<'_>,
    direction: Direction,
    row: impl Fn(&Movement, i64) -> Value,
) -> Result<Vec<Value>, ApiError> {
    let params = call.params();
    let (coins, page) = (params.coins()?, Page::read(params, ROWS_MAX)?);
    let text = |name| params.text(name);
    let (now, at) = (exchange.now, exchange.rows_ms());
    let movements = exchange.own.funding.movements.iter().filter(|movement| {
        movement.account == call.account
            && movement.direction == direction
            && movement.made_ms <= at
            && coins
                .as_ref()
                .is_none_or(|coins| coins.contains(&movement.coin))
            && text("clientId").is_none_or(|id| id == movement.client_id)
            && text("txId").is_none_or(|id| id == movement.tx_id)
            && ["wdId", "depId"]
                .iter()
                .all(|name| text(name).is_none_or(|id| id == movement.number.to_string()))
    });
    let rows = movements.map(|movement| {
        let instant = u64::try_from(movement.made_ms).unwrap_or(0);
        (instant, movement.made_ms, row(movement, now))
    });
    Ok(exchange.rows(page.cut(rows.collect())))
}

/// `GET /api/v5/asset/withdrawal-history`.
pub(super) fn history(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Value>, ApiError> {
    needs_network(exchange)?;
    rows(exchange, call, Direction::Out, |movement, _| {
        let state = match movement.state {
            State::UnderWay => "1",
            State::Done => "2",
            State::Failed => "-1",
        };
        json!({
            "wdId": movement.number.to_string(),
            "clientId": movement.client_id,
            "ccy": movement.coin.as_str(),
            "chain": movement.chain,
            "amt": movement.amount.to_string(),
            "fee": movement.fee.to_string(),
            "feeCcy": movement.coin.as_str(),
            "from": "",
            "areaCodeFrom": "",
            "to": movement.address,
            "areaCodeTo": "",
            "toAddrType": "1",
            "tag": "",
            "pmtId": "",
            "memo": "",
            "addrEx": {},
            "txId": movement.tx_id,
            "state": state,
            "nonTradableAsset": false,
            "note": "",
            "ts": movement.made_ms.to_string(),
        })
    })
}

/// `GET /api/v5/asset/deposit-history`.
pub(super) fn deposits(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Value>, ApiError> {
    needs_network(exchange)?;
    rows(exchange, call, Direction::In, |movement, _| {
        let (state, confirmed) = match movement.state {
            State::UnderWay => ("0", Fixed18::ZERO),
            State::Done | State::Failed => ("2", Fixed18::from_int(2)),
        };
        json!({
            "depId": movement.number.to_string(),
            "ccy": movement.coin.as_str(),
            "chain": movement.chain,
            "amt": movement.amount.to_string(),
            "from": "",
            "areaCodeFrom": "",
            "to": movement.address,
            "toAddrType": "1",
            "txId": movement.tx_id,
            "fromWdId": "",
            "actualDepBlkConfirm": confirmed.to_string(),
            "state": state,
            "ts": movement.made_ms.to_string(),
        })
    })
}
