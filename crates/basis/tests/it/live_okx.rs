//! `basis instruct --mode live` and `check --connect` at OKX over loopback, against the venue in process.

use std::time::{Duration, SystemTime};

use basis::core::types::{Side, Timestamp};
use basis::sim::server::Server;
use basis::sim::server::faults::{Fault, Rule, When};
use basis::sim::server::okx::{
    AccountSettings, Category, Exchange, Permissions, Settings, Verifier,
};
use basis_testkit::loopback::Loopback;
use basis_testkit::{BTC, START, USDT, p, q, rules};

use crate::runner::{Outcome, Scratch};

const KEY: &str = "thekeyofthebinary002";
const SECRET: &str = "thesecretofthebinary002";
const PASSPHRASE: &str = "thepassphraseofthebinary002";

const MARKET: &str =
    r#"{"spot_trade":{"symbol":"BTCUSDT","side":"buy","quantity":"0.01","order_type":"market"}}"#;
const PERP: &str =
    r#"{"perp_trade":{"symbol":"BTCUSDT","side":"sell","quantity":"0.02","order_type":"market"}}"#;
const RESTING: &str = r#"{"perp_trade":{"symbol":"BTCUSDT","side":"buy","quantity":"0.01","order_type":"limit",
    "limit_price":"49000"}}"#;

#[expect(
    clippy::disallowed_methods,
    reason = "the venue keeps the binary's time"
)]
fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp::from_nanos(i64::try_from(since.unwrap().as_nanos()).unwrap())
}

/// A venue on a port of this machine, and a folder to trade from.
struct Desk {
    venue: Loopback<Exchange>,
    account: u32,
    folder: Scratch,
}

impl Desk {
    fn new() -> Self {
        Self::with(Permissions::trading(), |_| {})
    }

    fn with(permissions: Permissions, change: impl FnOnce(&mut Settings)) -> Self {
        let now = wall_clock();
        let rules = rules("okx");
        let mut settings = Settings::of_rules(rules.at(START), 5);
        // `dev` trades on the demo.
        settings.is_demo = true;
        change(&mut settings);
        let mut server = Server::new(settings, now);
        let funded = AccountSettings {
            trading: vec![(USDT, q("20000"))],
            funding: vec![(USDT, q("500"))],
            ..AccountSettings::entry_tier()
        };
        let account = server.at(now, |exchange| {
            let account = exchange.add_account(funded);
            let secret = (Verifier::HmacBase64(SECRET.into()), PASSPHRASE);
            exchange.add_key(account, KEY, secret, permissions);
            exchange.set_mark(BTC, p("50000"), p("50000")).unwrap();
            for category in [Category::Spot, Category::Linear] {
                for (side, price) in [(Side::Buy, "49990"), (Side::Sell, "50000")] {
                    exchange
                        .rest(category, BTC, side, p(price), q("5"))
                        .unwrap();
                }
            }
            account
        });
        Self {
            venue: Loopback::start(server, wall_clock).unwrap(),
            account,
            folder: Scratch::new(),
        }
    }

    fn environment(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            ("BASIS_DEV__CEX__OKX_API_KEY", KEY),
            ("BASIS_DEV__CEX__OKX_SECRET", SECRET),
            ("BASIS_DEV__CEX__OKX_PASSPHRASE", PASSPHRASE),
        ]
    }

    fn endpoint(&self) -> String {
        let origin = self.venue.http_url();
        format!("venue_settings.okx.live.endpoint={origin}")
    }

    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let first = ["instruct", "--venue", "okx", "--mode", "live"];
        let journal = ["--journal", "book.journal", "--set"];
        let all = first.iter().chain(&journal).map(|text| (*text).to_owned());
        let all = all.chain([self.endpoint()]);
        all.chain(more.iter().map(|text| (*text).to_owned()))
            .collect()
    }

    fn instruct(&self, more: &[&str]) -> Outcome {
        let arguments = self.arguments(more);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        self.run(&arguments)
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.folder.run(arguments, &self.environment());
        for secret in [KEY, SECRET, PASSPHRASE] {
            let shown = outcome.out.contains(secret) || outcome.err.contains(secret);
            assert!(!shown, "{outcome:?}");
        }
        outcome
    }

    fn orders(&self) -> usize {
        let account = self.account;
        self.venue
            .with(|server, _| server.exchange().orders(account).len())
    }
}

#[test]
fn an_order_at_okx_is_journaled_sent_and_told_of() {
    let desk = Desk::new();
    let result = desk.instruct(&[MARKET]).json();
    assert_eq!(result["outcome"], "filled");
    assert_eq!(result["fills"][0]["price"], "50000");
    let result = desk.instruct(&[PERP]).json();
    assert_eq!(result["outcome"], "filled");
    assert_eq!(result["filled"], "0.02");
    assert_eq!(desk.orders(), 2);
    let bytes = std::fs::read(desk.folder.path().join("book.journal")).unwrap();
    for secret in [KEY, SECRET, PASSPHRASE] {
        let mut parts = bytes.windows(secret.len());
        assert!(
            !parts.any(|part| part == secret.as_bytes()),
            "a secret in the journal"
        );
    }
}

#[test]
fn a_resting_order_at_okx_is_found_again_and_taken_back() {
    let desk = Desk::new();
    let placed = desk.instruct(&[RESTING]).json();
    assert_eq!(placed["outcome"], "working");
    let id = placed["instruction_id"].as_str().unwrap();
    let cancel = format!(r#"{{"cancel_order":{{"symbol":"BTCUSDT","order":"{id}"}}}}"#);
    let cancelled = desk.instruct(&[&cancel]).json();
    assert_eq!(cancelled["outcome"], "done");
    assert_eq!(desk.orders(), 1);
}

#[test]
fn what_okx_refuses_fails_the_command() {
    let desk = Desk::new();
    let large = MARKET.replace("0.01", "5");
    desk.instruct(&[&large]).fails(1, &["EXI-001", "51008"]);
    let rule = Rule::on(
        "POST",
        "/api/v5/trade/order",
        When::Always,
        Fault::DropReply,
    );
    desk.venue.with(|server, _| server.set_faults(vec![rule]));
    assert_eq!(desk.instruct(&[MARKET]).json()["outcome"], "filled");
    assert_eq!(desk.orders(), 1, "the lost reply was of one order");
}

#[test]
fn what_is_not_in_order_at_okx_is_refused_before_a_byte_that_acts() {
    let withdraws = Permissions {
        withdraw: true,
        ..Permissions::trading()
    };
    let desk = Desk::with(withdraws, |_| {});
    desk.instruct(&[MARKET])
        .fails(2, &["EIF-003", "withdrawals"]);
    let desk = Desk::new();
    let hedge = ["--set", "venue_settings.okx.position_mode=hedge", PERP];
    desk.instruct(&hedge).fails(2, &["position_mode"]);
    let kill = desk.folder.write("kill", "");
    let kill = format!("venue_settings.okx.live.kill_file={}", kill.display());
    desk.instruct(&["--set", &kill, MARKET])
        .fails(1, &["EXI-003", "kill file"]);
    let value = "venue_settings.okx.live.order_value_max=100";
    desk.instruct(&["--set", value, MARKET])
        .fails(1, &["order_value_max"]);
    assert_eq!(desk.orders(), 0);
}

#[test]
fn check_connects_to_okx_and_says_what_it_found() {
    let desk = Desk::new();
    let endpoint = desk.endpoint();
    let check = [
        "check",
        "btc_basis",
        "--connect",
        "--set",
        &endpoint,
        "--set",
        "spot_venue=okx",
        "--set",
        "hedge_allocation={ binance: 0, bybit: 0, okx: 1 }",
    ];
    let outcome = desk.run(&check);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    for line in [
        "clock: ",
        "key and account: ",
        "level 2",
        "one-way",
        "SPOT trades BTC-USDT",
        "SWAP trades BTC-USDT-SWAP",
    ] {
        assert!(
            outcome.out.contains(line),
            "`{line}` is not in {}",
            outcome.out
        );
    }
    assert_eq!(desk.orders(), 0);
}

#[test]
fn a_binary_killed_anywhere_at_okx_sends_an_order_once() {
    let desk = Desk::with(Permissions::trading(), |settings| {
        settings.latency.request_ms = 5;
        settings.latency.reply_ms = 5;
        settings.engine_ms = 10;
    });
    let arguments = desk.arguments(&[MARKET]);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    for kill in 0..8_u64 {
        let before = desk.orders();
        let wait = Duration::from_millis(60 + 45 * kill);
        desk.folder
            .kill_after(&arguments, &desk.environment(), wait);
        // The next start knows what became of it, before anything new is sent.
        let cancel = r#"{"cancel_order":{"symbol":"BTCUSDT","order":"1"}}"#;
        desk.instruct(&[cancel])
            .fails(1, &["no order of instruction"]);
        let sent = desk.orders() - before;
        assert!(sent <= 1, "{sent} orders of one instruction");
    }
    let outcome = desk.run(&["journal", "book.journal", "--events", "--json"]);
    let events = outcome.json();
    let is_fill = |event: &&serde_json::Value| event["event"]["kind"]["fill"].is_object();
    let told = events.as_array().unwrap().iter().filter(is_fill).count();
    let account = desk.account;
    let fills = desk
        .venue
        .with(|server, _| server.exchange().executions(account).len());
    assert_eq!(told, fills);
}
