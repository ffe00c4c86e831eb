//! An OKX, an account with a key, and requests as a client sends them.

use aws_lc_rs::hmac;
use basis_core::transport::{Request, Response};
use basis_core::types::{Side, Timestamp};
use basis_sim::server::Server;
use basis_sim::server::okx::{
    AccountSettings, Category, Exchange, Permissions, Settings, Verifier,
};
use basis_testkit::rules;
use serde_json::{Value, json};

use crate::kit::{BTC, BTCUSDT, KEY, SECRET, START_MS, USDT, body, p, q};

pub(crate) const PASSPHRASE: &str = "vectorpass";
pub(crate) const SPOT: &str = "BTC-USDT";
pub(crate) const SWAP: &str = "BTC-USDT-SWAP";

/// A venue with one client.
pub(crate) struct Okx {
    pub(crate) server: Server<Exchange>,
    pub(crate) account: u32,
    pub(crate) now: Timestamp,
    pub(crate) key: String,
    pub(crate) secret: String,
    pub(crate) passphrase: String,
    /// The deadline of what can have one.
    pub(crate) deadline_ms: Option<i64>,
    pub(crate) is_demo: bool,
}

/// An account with something of everything.
pub(crate) fn funded() -> AccountSettings {
    AccountSettings {
        trading: vec![(USDT, q("100000")), (BTC, q("2"))],
        funding: vec![(USDT, q("500"))],
        addresses: vec!["0xours".to_owned()],
        ..AccountSettings::entry_tier()
    }
}

pub(crate) fn settings() -> Settings {
    let rules = rules("okx");
    Settings::of_rules(rules.at(Timestamp::from_millis(START_MS)), 7)
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let at = |n: usize| u32::from(chunk.get(n).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for n in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * n) & 63) as usize];
            text.push(if n <= chunk.len() {
                char::from(letter)
            } else {
                '='
            });
        }
    }
    text
}

pub(crate) fn sign(secret: &str, payload: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    base64(hmac::sign(&key, payload.as_bytes()).as_ref())
}

/// An instant as the venue reads stamps.
pub(crate) fn stamp(at: Timestamp) -> String {
    let ms = at.nanos() / 1_000_000;
    let whole = Timestamp::from_seconds(ms.div_euclid(1_000)).to_string();
    format!("{}.{:03}Z", &whole[..19], ms.rem_euclid(1_000))
}

impl Okx {
    pub(crate) fn with(settings: Settings, account: AccountSettings) -> Self {
        let now = Timestamp::from_millis(START_MS);
        let is_demo = settings.is_demo;
        let mut server = Server::new(settings, now);
        let account = server.at(now, |exchange| {
            let account = exchange.add_account(account);
            let secret = (Verifier::HmacBase64(SECRET.into()), PASSPHRASE);
            exchange.add_key(account, KEY, secret, Permissions::trading());
            exchange.set_mark(BTCUSDT, p("37000"), p("37000")).unwrap();
            account
        });
        Self {
            server,
            account,
            now,
            key: KEY.to_owned(),
            secret: SECRET.to_owned(),
            passphrase: PASSPHRASE.to_owned(),
            deadline_ms: None,
            is_demo,
        }
    }

    /// With a book of one level on each side of 37,000 in both products.
    pub(crate) fn quoted() -> Self {
        Self::quoted_with(settings(), funded())
    }

    pub(crate) fn quoted_with(settings: Settings, account: AccountSettings) -> Self {
        let mut venue = Self::with(settings, account);
        for category in [Category::Spot, Category::Linear] {
            venue.rest(category, Side::Buy, "36990", "5");
            venue.rest(category, Side::Sell, "37010", "5");
        }
        venue
    }

    pub(crate) fn rest(&mut self, category: Category, side: Side, price: &str, quantity: &str) {
        let (price, quantity) = (p(price), q(quantity));
        let rest =
            |exchange: &mut Exchange| exchange.rest(category, BTCUSDT, side, price, quantity);
        self.server.at(self.now, rest).unwrap();
    }

    pub(crate) fn trade(&mut self, category: Category, side: Side, quantity: &str) {
        let quantity = q(quantity);
        let trade = |exchange: &mut Exchange| exchange.trade(category, BTCUSDT, side, quantity);
        self.server.at(self.now, trade).unwrap();
    }

    pub(crate) fn later(&mut self, ms: i64) {
        self.now = Timestamp::from_nanos(self.now.nanos() + ms * 1_000_000);
        self.server.advance(self.now);
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.now.nanos() / 1_000_000
    }

    /// A signed request.
    pub(crate) fn signed(
        &self,
        method: &'static str,
        path: &str,
        query: &str,
        body: &str,
    ) -> Request {
        let question = if query.is_empty() { "" } else { "?" };
        let (stamp, target) = (stamp(self.now), format!("{path}{question}{query}"));
        let payload = format!("{stamp}{method}{target}{body}");
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut headers = vec![
            header("OK-ACCESS-KEY", &self.key),
            header("OK-ACCESS-SIGN", &sign(&self.secret, &payload)),
            header("OK-ACCESS-TIMESTAMP", &stamp),
            header("OK-ACCESS-PASSPHRASE", &self.passphrase),
        ];
        if let Some(deadline_ms) = self.deadline_ms {
            headers.push(header("expTime", &deadline_ms.to_string()));
        }
        if self.is_demo {
            headers.push(header("x-simulated-trading", "1"));
        }
        Request {
            method,
            url: format!("http://127.0.0.1{target}"),
            headers,
            body: body.into(),
        }
    }

    pub(crate) fn send(&mut self, request: Request) -> Response {
        self.server.call(self.now, request).1.unwrap()
    }

    /// Sends a signed read; returns the whole reply.
    pub(crate) fn read(&mut self, path: &str, query: &str) -> Value {
        let request = self.signed("GET", path, query, "");
        body(&self.send(request))
    }

    /// Sends a signed request that acts; returns the whole reply.
    pub(crate) fn act(&mut self, path: &str, fields: &Value) -> Value {
        let request = self.signed("POST", path, "", &fields.to_string());
        body(&self.send(request))
    }

    /// The rows of a read that must succeed.
    pub(crate) fn get(&mut self, path: &str, query: &str) -> Vec<Value> {
        let mut reply = self.read(path, query);
        assert_eq!(reply["code"], "0", "{path} {query}: {reply}");
        rows(reply["data"].take())
    }

    /// The first row of an act that must succeed.
    pub(crate) fn ok(&mut self, path: &str, fields: &Value) -> Value {
        let mut reply = self.act(path, fields);
        assert_eq!(reply["code"], "0", "{path} {fields}: {reply}");
        reply["data"][0].take()
    }

    /// The code of an act that must be refused: the order's, where it has one.
    pub(crate) fn refused(&mut self, path: &str, fields: &Value) -> u32 {
        let reply = self.act(path, fields);
        assert_ne!(reply["code"], "0", "{path} {fields}: {reply}");
        code_of(&reply)
    }

    /// Places an order that must be taken; returns its id.
    pub(crate) fn place(&mut self, fields: &Value) -> String {
        let taken = self.ok("/api/v5/trade/order", fields);
        assert_eq!(taken["sCode"], "0");
        taken["ordId"].as_str().unwrap().to_owned()
    }

    /// The code with which an order is refused.
    pub(crate) fn refused_order(&mut self, fields: &Value) -> u32 {
        self.refused("/api/v5/trade/order", fields)
    }

    /// One order as a query shows it.
    pub(crate) fn order(&mut self, instrument: &str, id: &str) -> Value {
        let query = format!("instId={instrument}&ordId={id}");
        self.get("/api/v5/trade/order", &query).remove(0)
    }

    /// What the trading account holds of a currency.
    pub(crate) fn balance(&mut self, coin: &str) -> Value {
        let query = format!("ccy={coin}");
        let reply = self.get("/api/v5/account/balance", &query);
        reply[0]["details"][0].clone()
    }
}

/// The code of a reply: that of its first order, where it has one.
pub(crate) fn code_of(reply: &Value) -> u32 {
    let of_order = reply["data"][0]["sCode"].as_str();
    let code = of_order.unwrap_or_else(|| reply["code"].as_str().unwrap());
    code.parse().unwrap()
}

pub(crate) fn rows(data: Value) -> Vec<Value> {
    match data {
        Value::Array(rows) => rows,
        other => panic!("no rows: {other}"),
    }
}

/// A limit order, good till canceled, of spot or of a swap by its name.
pub(crate) fn limit(instrument: &str, side: &str, size: &str, price: &str) -> Value {
    let mode = if instrument == SPOT { "cash" } else { "cross" };
    json!({
        "instId": instrument, "tdMode": mode, "side": side, "ordType": "limit", "sz": size, "px": price
    })
}

/// A market order.
pub(crate) fn market(instrument: &str, side: &str, size: &str) -> Value {
    let mode = if instrument == SPOT { "cash" } else { "cross" };
    json!({ "instId": instrument, "tdMode": mode, "side": side, "ordType": "market", "sz": size })
}

/// The same with more fields.
pub(crate) fn with(mut fields: Value, more: &Value) -> Value {
    let all = fields.as_object_mut().unwrap();
    all.extend(more.as_object().unwrap().clone());
    fields
}
