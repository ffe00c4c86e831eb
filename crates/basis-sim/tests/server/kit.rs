//! A venue, an account with a key, and requests as a client sends them.

use std::fmt::Write;

use aws_lc_rs::hmac;
use basis_core::num::{Price, Quantity};
use basis_core::transport::{Request, Response};
use basis_core::types::{Asset, Side, Symbol, Timestamp};
use basis_sim::server::Server;
use basis_sim::server::binance::{AccountSettings, Permissions, Product, Settings, Verifier};
use basis_testkit::rules;
use serde_json::Value;

pub(crate) const BTCUSDT: Symbol = Symbol::literal("BTCUSDT");
pub(crate) const USDT: Asset = Asset::literal("USDT");
pub(crate) const BTC: Asset = Asset::literal("BTC");
pub(crate) const BNB: Asset = Asset::literal("BNB");
pub(crate) const KEY: &str = "vectorkey0123456789";
pub(crate) const SECRET: &str = "vectorsecret0123456789";
/// The instant of the recorded requests.
pub(crate) const START_MS: i64 = 1_700_000_000_000;

/// A venue with one client.
pub(crate) struct Venue {
    pub(crate) server: Server,
    pub(crate) account: u32,
    pub(crate) now: Timestamp,
    pub(crate) key: String,
    pub(crate) secret: String,
}

pub(crate) fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

pub(crate) fn p(text: &str) -> Price {
    text.parse().unwrap()
}

/// An account with something of everything.
pub(crate) fn funded() -> AccountSettings {
    AccountSettings {
        spot: vec![(USDT, q("100000")), (BTC, q("2"))],
        usdm: vec![(USDT, q("50000"))],
        ..AccountSettings::entry_tier()
    }
}

pub(crate) fn settings() -> Settings {
    let rules = rules("binance");
    Settings::of_rules(rules.at(Timestamp::from_millis(START_MS)), 7)
}

impl Venue {
    pub(crate) fn new() -> Self {
        Self::with(settings(), funded())
    }

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
        let (key, secret) = (KEY.to_owned(), SECRET.to_owned());
        Self {
            server,
            account,
            now,
            key,
            secret,
        }
    }

    /// With a book of one level on each side of 37,000 in both products.
    pub(crate) fn quoted() -> Self {
        let mut venue = Self::new();
        for product in [Product::Spot, Product::UsdM] {
            venue.rest(product, Side::Buy, "36990", "5");
            venue.rest(product, Side::Sell, "37010", "5");
        }
        venue
    }

    pub(crate) fn rest(
        &mut self,
        product: Product,
        side: Side,
        price: &str,
        quantity: &str,
    ) -> u64 {
        let (price, quantity) = (p(price), q(quantity));
        let rest = |exchange: &mut basis_sim::server::binance::Exchange| {
            exchange.rest(product, BTCUSDT, side, price, quantity)
        };
        self.server.at(self.now, rest).unwrap()
    }

    pub(crate) fn trade(&mut self, product: Product, side: Side, quantity: &str) {
        let quantity = q(quantity);
        let trade = |exchange: &mut basis_sim::server::binance::Exchange| {
            exchange.trade(product, BTCUSDT, side, quantity)
        };
        self.server.at(self.now, trade).unwrap();
    }

    pub(crate) fn later(&mut self, ms: i64) {
        self.now = Timestamp::from_nanos(self.now.nanos() + ms * 1_000_000);
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.now.nanos() / 1_000_000
    }

    /// A signed request with its parameters in the query.
    pub(crate) fn signed(&self, method: &'static str, path: &str, params: &str) -> Request {
        let stamp = format!("timestamp={}", self.now_ms());
        let query = if params.is_empty() {
            stamp
        } else {
            format!("{params}&{stamp}")
        };
        let signature = sign(&self.secret, &query);
        Request {
            method,
            url: format!("http://127.0.0.1{path}?{query}&signature={signature}"),
            headers: vec![("X-MBX-APIKEY".to_owned(), self.key.clone())],
            body: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, request: Request) -> Response {
        self.server.call(self.now, request).1.unwrap()
    }

    /// Sends a signed request and returns status and body.
    pub(crate) fn call(&mut self, method: &'static str, path: &str, params: &str) -> (u16, Value) {
        let request = self.signed(method, path, params);
        let response = self.send(request);
        (response.status, body(&response))
    }

    /// Sends a signed request that must succeed.
    pub(crate) fn ok(&mut self, method: &'static str, path: &str, params: &str) -> Value {
        let (status, body) = self.call(method, path, params);
        assert_eq!(status, 200, "{method} {path} {params}: {body}");
        body
    }

    /// Sends a signed request that must be refused; returns status and code.
    pub(crate) fn refused(&mut self, method: &'static str, path: &str, params: &str) -> (u16, i64) {
        let (status, body) = self.call(method, path, params);
        assert_ne!(status, 200, "{method} {path} {params}: {body}");
        (status, body["code"].as_i64().unwrap())
    }

    pub(crate) fn get(&mut self, path: &str) -> Value {
        let response = self.send(unsigned("GET", path));
        assert_eq!(response.status, 200, "{path}");
        body(&response)
    }
}

pub(crate) fn unsigned(method: &'static str, path: &str) -> Request {
    Request {
        method,
        url: format!("http://127.0.0.1{path}"),
        headers: Vec::new(),
        body: Vec::new(),
    }
}

pub(crate) fn body(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

pub(crate) fn sign(secret: &str, payload: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, payload.as_bytes());
    let mut text = String::new();
    for byte in tag.as_ref() {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}
