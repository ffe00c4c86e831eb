//! Bybit's own ways: each case fails if the venue is treated as Binance is.

use basis_core::instruction::MarginMode;
use basis_core::instruction::TimeInForce;
use basis_core::types::{Side, Timestamp};
use basis_core::venue_event::{OrderState, TransferStage};
use basis_live::actor::Command;
use basis_sim::server::bybit::{Permissions, Verifier, busy, refusal};
use basis_sim::server::faults::{Fault, Rule, When};
use basis_testkit::{BTC, perp_limit, perp_market, set_leverage, spot_limit, spot_market};
use serde_json::Value;

use super::bench::{Bybit, keys};
use crate::book::Outcome;
use crate::kit::plan::{Move, Plan, moved};
use crate::kit::schedules::Run;
use crate::kit::teeth::Tooth;
use crate::kit::venue::Temper;
use crate::kit::verdict::came_back;
use crate::process::InMemory;
use crate::venue::{KEY, SECRET, after};

const CREATE: &str = "/v5/order/create";

fn plan(temper: Temper, moves: Vec<(i64, Move)>) -> Plan {
    Plan {
        seed: 5,
        temper,
        faults: Vec::new(),
        moves,
        tooth: Tooth::None,
        faults_until_ms: 6_000,
    }
}

/// Carries a plan out, and returns what became of its instructions.
fn outcomes(plan: &Plan) -> (Run<Bybit, InMemory>, Vec<Outcome>) {
    let mut run = Run::<Bybit, _>::new(InMemory::new(), plan);
    run.carry_out(plan);
    assert_eq!(run.verdict(), Vec::<String>::new());
    let outcomes = run.ledger().outcomes.into_values().collect();
    (run, outcomes)
}

fn sent(run: &mut Run<Bybit, InMemory>, path: &str) -> usize {
    let sent = &run.process().driver.network.sent;
    let to_path = sent
        .iter()
        .filter(|(_, request)| request.url.contains(path));
    to_path.count()
}

#[test]
fn an_acceptance_is_no_outcome_and_the_engine_may_still_reject() {
    let temper = Temper {
        engine_ms: 400,
        ..Temper::default()
    };
    let moves = vec![
        (0, Move::RejectNext),
        (1, Move::Execute(perp_market(BTC, Side::Buy, "0.02"))),
        (2_000, Move::Execute(perp_market(BTC, Side::Buy, "0.02"))),
    ];
    let (_, outcomes) = outcomes(&plan(temper, moves));
    let text = outcomes[0].rejected.clone().unwrap();
    assert!(text.contains("EC_Others"), "{text}");
    assert_eq!(outcomes[1].state, Some(OrderState::Filled));
}

#[test]
fn a_post_only_order_that_would_take_is_taken_and_then_expires() {
    let order = spot_limit(Side::Buy, "0.02", "50010", TimeInForce::PostOnly);
    let (_, outcomes) = outcomes(&plan(Temper::default(), vec![(0, Move::Execute(order))]));
    assert_eq!(
        (outcomes[0].state, outcomes[0].rejected.is_none()),
        (Some(OrderState::Expired), true)
    );
}

#[test]
fn a_clash_of_ids_says_that_the_order_is_there() {
    // The venue took it and says so of the second look at the id: the first reply was lost on a way that
    // repeats requests.
    for taken in [true, false] {
        let clash = refusal(200, 110_072, "OrderLinkedID is duplicate");
        let fault = Fault::Reply {
            reply: clash,
            taken,
        };
        let mut plan = plan(
            Temper::default(),
            vec![(0, Move::Execute(perp_market(BTC, Side::Buy, "0.02")))],
        );
        plan.faults = vec![Rule::on("POST", CREATE, When::Nth(1), fault)];
        let (mut run, outcomes) = outcomes(&plan);
        let wanted = if taken {
            OrderState::Filled
        } else {
            OrderState::Lost
        };
        assert_eq!(
            (outcomes[0].state, outcomes[0].unknown),
            (Some(wanted), true)
        );
        assert_eq!(sent(&mut run, CREATE), 1);
    }
}

#[test]
fn an_order_of_another_kind_under_our_id_halts_the_venue() {
    let mut run = Run::<Bybit, _>::new(InMemory::new(), &plan(Temper::default(), Vec::new()));
    run.get_ready();
    let clash = refusal(200, 170_141, "Duplicate clientOrderId");
    let fault = Fault::Reply {
        reply: clash,
        taken: false,
    };
    run.process()
        .driver
        .network
        .set_faults(vec![Rule::on("POST", CREATE, When::Nth(1), fault)]);
    run.make(&Move::Execute(spot_limit(
        Side::Buy,
        "0.02",
        "49000",
        TimeInForce::Gtc,
    )));
    let now = run.process().now();
    run.run_to(after(now, 50));
    // Somebody placed another order under the very id.
    let id = *run.ledger().instructions.keys().next().unwrap();
    let client = basis_core::types::ClientOrderId::derive(crate::process::book(), id);
    place_foreign(&mut run, client.as_str());
    let now = run.process().now();
    run.run_to(after(now, 30_000));
    let notices = format!("{:?}", run.process().mailbox.take_notices());
    assert!(
        notices.contains("halted") && notices.contains("quantity"),
        "{notices}"
    );
    run.make(&Move::Execute(spot_market(Side::Buy, "0.02")));
    let now = run.process().now();
    run.run_to(after(now, 1_000));
    assert_eq!(sent(&mut run, CREATE), 1, "nothing is sent any more");
}

/// Places an order of 0.5 under `client`, with the same key.
fn place_foreign(run: &mut Run<Bybit, InMemory>, client: &str) {
    use basis_venues::wire::HeaderSigner;

    let now: Timestamp = run.process().now();
    let body = format!(
        r#"{{"category":"spot","symbol":"BTCUSDT","side":"Buy","orderType":"Limit","qty":"0.5","price":"49000","orderLinkId":"{client}"}}"#
    );
    let stamp = (now.nanos() / 1_000_000).to_string();
    let signature = keys()
        .sign(&format!("{stamp}{KEY}5000{body}"))
        .expose()
        .to_owned();
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let request = basis_core::transport::Request {
        method: "POST",
        url: format!("http://127.0.0.1:9{CREATE}"),
        headers: vec![
            header("X-BAPI-API-KEY", KEY),
            header("X-BAPI-TIMESTAMP", &stamp),
            header("X-BAPI-RECV-WINDOW", "5000"),
            header("X-BAPI-SIGN", &signature),
        ],
        body: body.into_bytes(),
    };
    let (_, answer) = run.process().driver.network.server.call(now, request);
    let body: Value = serde_json::from_slice(&answer.unwrap().body).unwrap();
    assert_eq!(body["retCode"], 0, "{body}");
}

#[test]
fn an_order_is_found_in_the_history_after_the_venue_forgot_the_recent_ones() {
    let restart = Fault::Restart(2_000);
    let fills = spot_limit(Side::Buy, "0.02", "50010", TimeInForce::Ioc);
    let mut plan = plan(
        Temper {
            engine_ms: 0,
            ..Temper::default()
        },
        vec![(0, Move::Execute(fills))],
    );
    // The reply is lost, and the first question restarts the venue: the lately closed orders are gone.
    plan.faults = vec![
        Rule::on("POST", CREATE, When::Nth(1), Fault::DropReply),
        Rule::on("GET", "/v5/order/realtime", When::Nth(1), restart),
    ];
    let (mut run, outcomes) = outcomes(&plan);
    assert_eq!(outcomes[0].state, Some(OrderState::Filled));
    assert!(sent(&mut run, "/v5/order/history") > 0);
}

#[test]
fn an_order_is_lost_only_after_its_window_and_a_round_of_all_lists() {
    let mut plan = plan(
        Temper::default(),
        vec![(
            0,
            Move::Execute(perp_limit(Side::Buy, "0.02", "49000", TimeInForce::Gtc)),
        )],
    );
    plan.faults = vec![Rule::on("POST", CREATE, When::Nth(1), Fault::DropRequest)];
    let (mut run, outcomes) = outcomes(&plan);
    assert_eq!(outcomes[0].state, Some(OrderState::Lost));
    let sent = run.process().driver.network.sent.clone();
    let at = |path: &str| {
        let mut of_path = sent
            .iter()
            .filter(|(_, request)| request.url.contains(path));
        of_path.next().map(|(at, _)| *at)
    };
    let (placed, proven) = (
        at(CREATE).unwrap(),
        at("/v5/execution/list?category=linear&orderLinkId").unwrap(),
    );
    // Three seconds of its window, five of visibility.
    assert!(
        proven.since(placed).nanos() >= 8_000_000_000,
        "{placed} {proven}"
    );
}

#[test]
fn transfers_are_found_by_the_id_that_they_bear() {
    for fault in [Fault::DropReply, Fault::DropRequest] {
        let took = fault == Fault::DropReply;
        // Two alike at once: Binance's list could not tell them apart.
        let moves = vec![
            (0, Move::Execute(moved::<Bybit>("100", true))),
            (1, Move::Execute(moved::<Bybit>("100", true))),
        ];
        let mut plan = plan(
            Temper {
                transfer_delay_ms: 3_000,
                ..Temper::default()
            },
            moves,
        );
        let path = "/v5/asset/transfer/inter-transfer";
        plan.faults = vec![Rule::on("POST", path, When::Nth(1), fault)];
        let (mut run, outcomes) = outcomes(&plan);
        let first = if took {
            Some(TransferStage::Credited)
        } else {
            None
        };
        assert_eq!(
            (outcomes[0].transfer, outcomes[0].rejected.is_some()),
            (first, !took)
        );
        assert_eq!(outcomes[1].transfer, Some(TransferStage::Credited));
        assert_eq!(sent(&mut run, path), 2);
    }
}

#[test]
fn a_transfer_that_failed_came_back() {
    let temper = Temper {
        transfers_fail: true,
        transfer_delay_ms: 1_000,
        ..Temper::default()
    };
    let (run, _) = outcomes(&plan(
        temper,
        vec![(0, Move::Execute(moved::<Bybit>("100", false)))],
    ));
    assert!(came_back(&run.ledger()));
}

#[test]
fn an_address_that_is_turned_away_sends_nothing_for_ten_minutes() {
    let order = perp_limit(Side::Buy, "0.02", "49000", TimeInForce::Gtc);
    let moves = vec![
        (0, Move::Execute(order.clone())),
        (3_000, Move::Execute(order)),
    ];
    let mut plan = plan(Temper::default(), moves);
    let fault = Fault::Reply {
        reply: busy(),
        taken: true,
    };
    plan.faults = vec![Rule::on("POST", CREATE, When::Nth(1), fault)];
    let (mut run, outcomes) = outcomes(&plan);
    assert_eq!(
        outcomes[0].state,
        Some(OrderState::Working),
        "403 proves nothing of an order"
    );
    assert!(outcomes[1].rejected.is_some());
    let sent = run.process().driver.network.sent.clone();
    let placed = sent
        .iter()
        .position(|(_, request)| request.url.contains(CREATE))
        .unwrap();
    let gap = sent[placed + 1].0.since(sent[placed].0);
    assert!(gap.nanos() >= 600_000_000_000, "{gap}");
}

#[test]
fn margin_is_cross_for_the_whole_account_and_isolated_is_refused_before_a_byte_leaves() {
    let moves = vec![
        (
            0,
            Move::Execute(set_leverage("5", Some(MarginMode::Isolated))),
        ),
        (
            10,
            Move::Execute(set_leverage("5", Some(MarginMode::Cross))),
        ),
        (2_000, Move::Execute(set_leverage("5", None))),
    ];
    let (mut run, outcomes) = outcomes(&plan(Temper::default(), moves));
    assert!(
        outcomes[0]
            .rejected
            .as_ref()
            .unwrap()
            .contains("whole account")
    );
    assert!(outcomes[1].done && outcomes[2].done, "unchanged is done");
    assert_eq!(sent(&mut run, "/v5/account/set-margin-mode"), 1);
}

/// Starts against a venue that was changed first; returns why it refuses.
fn refusal_of(change: impl FnOnce(&mut basis_sim::server::bybit::Exchange, u32)) -> String {
    let mut run = Run::<Bybit, _>::new(InMemory::new(), &plan(Temper::default(), Vec::new()));
    let (now, account) = (run.process().now(), run.process().driver.network.account);
    run.process()
        .driver
        .network
        .act(now, |exchange| change(exchange, account));
    run.process().run_until(after(now, 40_000)).unwrap();
    match run.process().readiness() {
        Err(e) => format!("{} {}", e.reason.unwrap_or_default(), e.message),
        Ok(ready) => format!("ready: {ready}"),
    }
}

#[test]
fn a_start_names_what_stands_against_trading() {
    let key = |permissions| {
        move |exchange: &mut basis_sim::server::bybit::Exchange, account| {
            exchange.add_key(account, KEY, Verifier::Hmac(SECRET.into()), permissions);
        }
    };
    let all = Permissions::trading();
    let rows = [
        (
            refusal_of(key(Permissions {
                withdraw: true,
                ..all
            })),
            "withdrawals",
        ),
        (
            refusal_of(key(Permissions {
                read_only: true,
                ..all
            })),
            "read_only",
        ),
        (
            refusal_of(key(Permissions {
                contracts: false,
                ..all
            })),
            "futures",
        ),
        (refusal_of(key(Permissions { spot: false, ..all })), "spot"),
        (
            refusal_of(|exchange, _| exchange.remove_key(KEY)),
            "refused",
        ),
        (
            refusal_of(|exchange, _| exchange.set_clock_ahead(2_500)),
            "clock",
        ),
        (
            refusal_of(|exchange, account| exchange.set_isolated(account, true)),
            "margin_mode",
        ),
        (
            refusal_of(|exchange, account| exchange.set_hedge(account, BTC, true)),
            "position_mode",
        ),
        (refusal_of(|exchange, _| exchange.ban(600)), "bybit"),
    ];
    for (found, wanted) in rows {
        assert!(found.contains(wanted), "{wanted}: {found}");
    }
}

#[test]
fn the_account_is_read_from_both_wallets_with_positions_and_orders() {
    use basis_core::types::Item;

    let rest = perp_limit(Side::Buy, "0.02", "49000", TimeInForce::Gtc);
    let moves = vec![
        (0, Move::Execute(rest)),
        (500, Move::Execute(perp_market(BTC, Side::Sell, "0.02"))),
    ];
    let (mut run, _) = outcomes(&plan(Temper::default(), moves));
    run.process().driver.command(Command::Snapshot).unwrap();
    let now = run.process().now();
    run.run_to(after(now, 2_000));
    let account = run.process().mailbox.account();
    let count = account.positions.len();
    assert_eq!(
        count, 4,
        "USDT and BTC unified, the position, USDT in funding: {account:?}"
    );
    let position = account
        .positions
        .iter()
        .find(|row| matches!(row.item, Item::Position(_)));
    assert!(position.unwrap().quantity.is_negative());
    assert_eq!(account.orders.len(), 1);
}
