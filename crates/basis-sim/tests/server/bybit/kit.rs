//! A Bybit, an account with a key, and requests as a client sends them.

use basis_core::transport::{Request, Response};
use basis_core::types::{Side, Timestamp};
use basis_sim::server::Server;
use basis_sim::server::bybit::{
    AccountSettings, Category, Exchange, Permissions, Settings, Verifier,
};
use basis_testkit::rules;
use serde_json::{Value, json};

use crate::kit::{BTC, BTCUSDT, KEY, SECRET, START_MS, USDT, body, p, q, sign};

/// A venue with one client.
pub(crate) struct Bybit {
    pub(crate) server: Server<Exchange>,
    pub(crate) account: u32,
    pub(crate) now: Timestamp,
    pub(crate) key: String,
    pub(crate) secret: String,
}

/// An account with something of everything.
pub(crate) fn funded() -> AccountSettings {
    AccountSettings {
        unified: vec![(USDT, q("100000")), (BTC, q("2"))],
        fund: vec![(USDT, q("500"))],
        ..AccountSettings::entry_tier()
    }
}

pub(crate) fn settings() -> Settings {
    let rules = rules("bybit");
    Settings::of_rules(rules.at(Timestamp::from_millis(START_MS)), 7)
}

impl Bybit {
    pub(crate) fn with(settings: Settings, account: AccountSettings) -> Self {
        let now = Timestamp::from_millis(START_MS);
        let mut server = Server::new(settings, now);
        let account = server.at(now, |exchange| {
            let account = exchange.add_account(account);
            let secret = Verifier::Hmac(SECRET.into());
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
        }
    }

    /// With a book of one level on each side of 37,000 in both categories.
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

    /// A signed request, its window the venue's usual one.
    pub(crate) fn signed(
        &self,
        method: &'static str,
        path: &str,
        query: &str,
        body: &str,
    ) -> Request {
        let stamp = (self.now.nanos() / 1_000_000).to_string();
        let payload = format!("{stamp}{}5000{query}{body}", self.key);
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let question = if query.is_empty() { "" } else { "?" };
        Request {
            method,
            url: format!("http://127.0.0.1{path}{question}{query}"),
            headers: vec![
                header("X-BAPI-API-KEY", &self.key),
                header("X-BAPI-TIMESTAMP", &stamp),
                header("X-BAPI-RECV-WINDOW", "5000"),
                header("X-BAPI-SIGN", &sign(&self.secret, &payload)),
            ],
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

    /// The result of a read that must succeed.
    pub(crate) fn get(&mut self, path: &str, query: &str) -> Value {
        let mut reply = self.read(path, query);
        assert_eq!(reply["retCode"], 0, "{path} {query}: {reply}");
        reply["result"].take()
    }

    /// The result of an act that must succeed.
    pub(crate) fn ok(&mut self, path: &str, fields: &Value) -> Value {
        let mut reply = self.act(path, fields);
        assert_eq!(reply["retCode"], 0, "{path} {fields}: {reply}");
        reply["result"].take()
    }

    /// The code of an act that must be refused.
    pub(crate) fn refused(&mut self, path: &str, fields: &Value) -> i64 {
        let reply = self.act(path, fields);
        assert_ne!(reply["retCode"], 0, "{path} {fields}: {reply}");
        reply["retCode"].as_i64().unwrap()
    }

    /// Places an order that must be taken; returns its id.
    pub(crate) fn place(&mut self, fields: &Value) -> String {
        let taken = self.ok("/v5/order/create", fields);
        taken["orderId"].as_str().unwrap().to_owned()
    }

    /// One order as `realtime` shows it; null where it shows none.
    pub(crate) fn order(&mut self, category: &str, id: &str) -> Value {
        let query = format!("category={category}&symbol=BTCUSDT&orderId={id}");
        let reply = self.get("/v5/order/realtime", &query);
        reply["list"].get(0).cloned().unwrap_or_default()
    }
}

/// A limit order, good till canceled.
pub(crate) fn limit(category: &str, side: &str, quantity: &str, price: &str) -> Value {
    json!({
        "category": category, "symbol": "BTCUSDT", "side": side, "orderType": "Limit", "qty": quantity, "price": price
    })
}

/// The same with more fields.
pub(crate) fn with(mut fields: Value, more: &Value) -> Value {
    let all = fields.as_object_mut().unwrap();
    all.extend(more.as_object().unwrap().clone());
    fields
}
