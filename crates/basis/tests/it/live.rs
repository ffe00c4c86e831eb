//! `basis instruct --mode live` and `check --connect` over loopback, against the venue in process.

use std::time::{Duration, SystemTime};

use basis::core::types::{Side, Timestamp};
use basis::sim::server::Server;
use basis::sim::server::binance::{AccountSettings, Permissions, Product, Settings, Verifier};
use basis::sim::server::faults::{Failure, Fault, Rule, When};
use basis_testkit::loopback::Loopback;
use basis_testkit::{BTC, START, USDT, p, q, rules};
use serde_json::Value as Json;

use crate::runner::{Outcome, Scratch};

const KEY: &str = "thekeyofthebinary001";
const SECRET: &str = "thesecretofthebinary001";

const MARKET: &str =
    r#"{"spot_trade":{"symbol":"BTCUSDT","side":"buy","quantity":"0.01","order_type":"market"}}"#;
const PERP: &str =
    r#"{"perp_trade":{"symbol":"BTCUSDT","side":"sell","quantity":"0.02","order_type":"market"}}"#;
const RESTING: &str = r#"{"spot_trade":{"symbol":"BTCUSDT","side":"buy","quantity":"0.01","order_type":"limit",
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
    venue: Loopback,
    account: u32,
    folder: Scratch,
}

impl Desk {
    fn new() -> Self {
        Self::with(Permissions::trading(), |_| {})
    }

    fn with(permissions: Permissions, change: impl FnOnce(&mut Settings)) -> Self {
        let now = wall_clock();
        let rules = rules("binance");
        let mut settings = Settings::of_rules(rules.at(START), 5);
        change(&mut settings);
        let mut server = Server::new(settings, now);
        let funded = AccountSettings {
            spot: vec![(USDT, q("10000"))],
            usdm: vec![(USDT, q("10000"))],
            ..AccountSettings::entry_tier()
        };
        let account = server.at(now, |exchange| {
            let account = exchange.add_account(funded);
            exchange.add_key(account, KEY, Verifier::Hmac(SECRET.into()), permissions);
            exchange.set_mark(BTC, p("50000"), p("50000")).unwrap();
            for product in [Product::Spot, Product::UsdM] {
                for (side, price) in [(Side::Buy, "49990"), (Side::Sell, "50000")] {
                    exchange.rest(product, BTC, side, p(price), q("5")).unwrap();
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
            ("BASIS_DEV__CEX__BINANCE_SPOT_API_KEY", KEY),
            ("BASIS_DEV__CEX__BINANCE_SPOT_SECRET", SECRET),
            ("BASIS_DEV__CEX__BINANCE_FUTURES_API_KEY", KEY),
            ("BASIS_DEV__CEX__BINANCE_FUTURES_SECRET", SECRET),
        ]
    }

    fn endpoint(&self) -> String {
        let origin = self.venue.http_url();
        format!("venue_settings.binance.live.endpoint={origin}")
    }

    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let first = ["instruct", "--venue", "binance", "--mode", "live"];
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
        for secret in [KEY, SECRET] {
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

    fn set_faults(&self, rules: Vec<Rule>) {
        self.venue.with(|server, _| server.set_faults(rules));
    }
}

fn events(desk: &Desk) -> Vec<Json> {
    let outcome = desk.run(&["journal", "book.journal", "--events", "--json"]);
    outcome.json().as_array().unwrap().clone()
}

#[test]
fn one_order_is_journaled_sent_and_told_of() {
    let desk = Desk::new();
    let result = desk.instruct(&[MARKET]).json();
    assert_eq!(result["outcome"], "filled");
    assert_eq!(result["fills"][0]["price"], "50000");
    assert_eq!(result["filled"], "0.01");
    let result = desk.instruct(&[PERP]).json();
    assert_eq!(result["outcome"], "filled");
    assert_eq!(result["resumed"], serde_json::json!([]));
    assert_eq!(desk.orders(), 2);
    assert!(events(&desk).len() >= 4);
    let bytes = std::fs::read(desk.folder.path().join("book.journal")).unwrap();
    for secret in [KEY, SECRET] {
        let found = bytes
            .windows(secret.len())
            .any(|part| part == secret.as_bytes());
        assert!(!found, "a secret in the journal");
    }
}

#[test]
fn a_resting_order_is_found_again_and_taken_back() {
    let desk = Desk::new();
    let placed = desk.instruct(&[RESTING]).json();
    assert_eq!(placed["outcome"], "working");
    let id = placed["instruction_id"].as_str().unwrap();
    let cancel = format!(r#"{{"cancel_order":{{"symbol":"BTCUSDT","order":"{id}"}}}}"#);
    let cancelled = desk.instruct(&[&cancel]).json();
    assert_eq!(cancelled["outcome"], "done");
    assert_eq!(cancelled["resumed"][0]["instruction_id"], id);
    let again = desk.instruct(&[&cancel]);
    again.fails(1, &["EXI-001", "no order of instruction"]);
    assert_eq!(desk.orders(), 1);
}

#[test]
fn a_lost_reply_is_resolved_and_the_order_is_one() {
    let desk = Desk::new();
    let rule = Rule::on("POST", "/api/v3/order", When::Always, Fault::DropReply);
    desk.set_faults(vec![rule]);
    let result = desk.instruct(&[MARKET]).json();
    assert_eq!(result["outcome"], "filled");
    assert_eq!(desk.orders(), 1);
}

#[test]
fn a_frame_tells_what_neither_answers_nor_reads_do() {
    for (order, path, reads) in [
        (
            MARKET,
            "/api/v3/order",
            ["/api/v3/order", "/api/v3/myTrades"],
        ),
        (
            PERP,
            "/fapi/v1/order",
            ["/fapi/v1/order", "/fapi/v1/userTrades"],
        ),
    ] {
        let desk = Desk::new();
        let failed = || Fault::Reply {
            reply: Failure::BadGateway,
            taken: false,
        };
        // The first read of the fills is of the start. The order is on its way while the stream opens.
        let mut rules = vec![
            Rule::on("POST", path, When::Always, Fault::DelayRequest(800)),
            Rule::on("POST", path, When::Always, Fault::DropReply),
            Rule::on("GET", reads[0], When::Always, failed()),
        ];
        let nth = (2..30).map(|n| Rule::on("GET", reads[1], When::Nth(n), failed()));
        rules.extend(nth);
        desk.set_faults(rules);
        let result = desk.instruct(&[order]).json();
        assert_eq!(result["outcome"], "filled", "{path}");
        assert_eq!(result["fills"].as_array().unwrap().len(), 1, "{path}");
        assert_eq!(desk.orders(), 1);
    }
}

#[test]
fn what_the_venue_refuses_fails_the_command() {
    let desk = Desk::new();
    let large = MARKET.replace("0.01", "5");
    desk.instruct(&[&large]).fails(1, &["EXI-001", "-2010"]);
    let tiny = MARKET.replace("0.01", "0.00001");
    desk.instruct(&[&tiny]).fails(1, &["LOT_SIZE"]);
    let page = Rule::on(
        "GET",
        "/sapi/v1/account/apiRestrictions",
        When::Always,
        Fault::Reply {
            reply: Failure::Error {
                status: 401,
                code: -2015,
                msg: "Invalid API-key, IP, or permissions for action.",
            },
            taken: false,
        },
    );
    desk.set_faults(vec![page]);
    desk.instruct(&[MARKET]).fails(2, &["EXI-004"]);
    assert_eq!(desk.orders(), 0);
}

#[test]
fn what_is_not_in_order_is_refused_before_a_byte_that_acts() {
    let withdraws = Permissions {
        withdrawals: true,
        ..Permissions::trading()
    };
    let desk = Desk::with(withdraws, |_| {});
    desk.instruct(&[MARKET])
        .fails(2, &["EIF-003", "withdrawals"]);
    let desk = Desk::with(Permissions::trading(), |settings| {
        settings.clock_ahead_ms = 3_000;
    });
    desk.instruct(&[MARKET]).fails(2, &["EIF-001", "clock"]);
    let desk = Desk::new();
    let hedge = ["--set", "venue_settings.binance.position_mode=hedge", PERP];
    desk.instruct(&hedge).fails(2, &["position_mode"]);
    let kill = desk.folder.write("kill", "");
    let kill = format!("venue_settings.binance.live.kill_file={}", kill.display());
    desk.instruct(&["--set", &kill, MARKET])
        .fails(1, &["EXI-003", "kill file"]);
    let value = "venue_settings.binance.live.order_value_max=100";
    desk.instruct(&["--set", value, MARKET])
        .fails(1, &["order_value_max"]);
    let numbered = MARKET.replacen('{', r#"{"id":"5","#, 1);
    desk.instruct(&[&numbered]).fails(2, &["EXI-006", "`id`"]);
    assert_eq!(desk.orders(), 0);
    let live = "venue_settings.binance.live.endpoint=https://api.binance.com";
    let elsewhere = [
        "instruct",
        "--venue",
        "binance",
        "--mode",
        "live",
        "--journal",
        "x",
        "--set",
    ];
    desk.run(&[&elsewhere[..], &[live, MARKET]].concat())
        .fails(2, &["EIF-002", "endpoint"]);
    desk.run(&["instruct", "--venue", "binance", "--mode", "live", MARKET])
        .fails(2, &["--journal"]);
}

#[test]
fn check_connects_and_says_what_it_found() {
    let desk = Desk::new();
    let endpoint = desk.endpoint();
    let check = ["check", "btc_basis", "--connect", "--set", &endpoint];
    let outcome = desk.run(&check);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    for line in [
        "clock: ",
        "key: ",
        "position mode: one-way",
        "USD-M trades BTCUSDT",
    ] {
        assert!(
            outcome.out.contains(line),
            "`{line}` is not in {}",
            outcome.out
        );
    }
    assert_eq!(desk.orders(), 0);
}

/// At how many points the binary is killed: few where everything is tested, `BASIS_KILLS` says otherwise.
#[expect(
    clippy::disallowed_methods,
    reason = "how many kills there are is said from outside"
)]
fn kills() -> u64 {
    let text = std::env::var("BASIS_KILLS");
    text.map_or(16, |text| text.parse().unwrap())
}

#[test]
fn a_binary_killed_anywhere_sends_an_order_once() {
    let desk = Desk::with(Permissions::trading(), |settings| {
        settings.latency.request_ms = 5;
        settings.latency.reply_ms = 5;
    });
    let arguments = desk.arguments(&[MARKET]);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let kills = kills();
    for kill in 0..kills {
        let before = desk.orders();
        desk.folder.kill_after(
            &arguments,
            &desk.environment(),
            // From before the first request to after the last one, in another order each time.
            Duration::from_millis(20 + (kill * 173) % 460),
        );
        // The next start knows what became of it, before anything new is sent.
        let cancel = r#"{"cancel_order":{"symbol":"BTCUSDT","order":"1"}}"#;
        let outcome = desk.instruct(&[cancel]);
        outcome.fails(1, &["no order of instruction"]);
        let sent = desk.orders() - before;
        assert!(sent <= 1, "{sent} orders of one instruction");
    }
    let told: Vec<_> = events(&desk)
        .iter()
        .filter(|event| event["event"]["kind"]["fill"].is_object())
        .cloned()
        .collect();
    let account = desk.account;
    let fills = desk
        .venue
        .with(|server, _| server.exchange().fills(account).len());
    assert_eq!(told.len(), fills, "{told:?}");
}
