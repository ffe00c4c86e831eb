//! OKX's own ways: each case fails if the venue is treated as Bybit or Binance is.

use basis_core::instruction::{MarginMode, TimeInForce};
use basis_core::transport::Request;
use basis_core::types::{Side, Timestamp};
use basis_core::venue_event::{OrderState, TransferStage};
use basis_live::actor::Command;
use basis_sim::server::faults::{Fault, Rule, When};
use basis_sim::server::okx::{AccountLevel, Exchange, Permissions, busy, order_refusal};
use basis_testkit::{BTC, perp_limit, perp_market, set_leverage, spot_limit, spot_market};

use super::bench::{Okx, verifier};
use crate::book::Outcome;
use crate::kit::plan::{Move, Plan, moved};
use crate::kit::schedules::Run;
use crate::kit::teeth::Tooth;
use crate::kit::venue::Temper;
use crate::kit::verdict::came_back;
use crate::kit::{Bench, header, value_after};
use crate::process::{InMemory, Store};
use crate::venue::{KEY, after};

const PLACE: &str = Okx::PATHS.place;

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
fn outcomes(plan: &Plan) -> (Run<Okx, InMemory>, Vec<Outcome>) {
    let mut run = Run::<Okx, _>::new(InMemory::new(), plan);
    run.carry_out(plan);
    assert_eq!(run.verdict(), Vec::<String>::new());
    let outcomes = run.ledger().outcomes.into_values().collect();
    (run, outcomes)
}

/// What was sent to a path, in order.
fn sent(run: &mut Run<Okx, InMemory>, path: &str) -> Vec<(Timestamp, Request)> {
    let sent = run.process().driver.network.sent.iter();
    let to_path = sent.filter(|(_, request)| {
        let url = request.url.split('?').next().unwrap_or_default();
        url.ends_with(path)
    });
    to_path.cloned().collect()
}

/// The placements among what was sent.
fn placements(run: &mut Run<Okx, InMemory>) -> Vec<(Timestamp, Request)> {
    let mut sent = sent(run, PLACE);
    sent.retain(|(_, request)| request.method == "POST");
    sent
}

#[test]
fn swaps_leave_in_contracts_and_come_back_in_base_units() {
    let moves = vec![(0, Move::Execute(perp_market(BTC, Side::Buy, "0.02")))];
    let (mut run, outcomes) = outcomes(&plan(Temper::default(), moves));
    let body = String::from_utf8(placements(&mut run)[0].1.body.clone()).unwrap();
    assert_eq!(
        value_after(&body, "\"sz\":\"").as_deref(),
        Some("2"),
        "{body}"
    );
    assert_eq!(outcomes[0].filled, basis_testkit::q("0.02"));
}

#[test]
fn a_spot_market_buy_leaves_as_a_limit_at_the_collar_in_base_units() {
    let moves = vec![(0, Move::Execute(spot_market(Side::Buy, "0.02")))];
    let (mut run, outcomes) = outcomes(&plan(Temper::default(), moves));
    let body = String::from_utf8(placements(&mut run)[0].1.body.clone()).unwrap();
    assert!(
        body.contains("\"ordType\":\"ioc\"") && body.contains("\"tdMode\":\"cash\""),
        "{body}"
    );
    assert_eq!(
        value_after(&body, "\"sz\":\"").as_deref(),
        Some("0.02"),
        "{body}"
    );
    assert_eq!(outcomes[0].state, Some(OrderState::Filled));
}

#[test]
fn an_order_that_fails_in_a_request_that_succeeded_is_refused() {
    let fault = Fault::Reply {
        reply: order_refusal(51_008, "Order failed. Insufficient balance in the account."),
        taken: false,
    };
    let moves = vec![(0, Move::Execute(perp_market(BTC, Side::Buy, "0.02")))];
    let mut plan = plan(Temper::default(), moves);
    plan.faults = vec![Rule::on("POST", PLACE, When::Nth(1), fault)];
    let (_, outcomes) = outcomes(&plan);
    assert!(outcomes[0].rejected.as_ref().unwrap().contains("51008"));
    assert!(!outcomes[0].unknown);
}

#[test]
fn a_busy_venue_proves_nothing_whatever_its_http_status() {
    for (taken, wanted) in [(true, OrderState::Filled), (false, OrderState::Lost)] {
        let fault = Fault::Reply {
            reply: busy(),
            taken,
        };
        let moves = vec![(0, Move::Execute(perp_market(BTC, Side::Buy, "0.02")))];
        let mut plan = plan(Temper::default(), moves);
        plan.faults = vec![Rule::on("POST", PLACE, When::Nth(1), fault)];
        let (mut run, outcomes) = outcomes(&plan);
        assert_eq!(
            (outcomes[0].state, outcomes[0].unknown),
            (Some(wanted), true)
        );
        assert_eq!(placements(&mut run).len(), 1);
    }
}

#[test]
fn a_clash_of_ids_says_that_an_order_may_be_there() {
    for (taken, wanted) in [(true, OrderState::Working), (false, OrderState::Lost)] {
        let fault = Fault::Reply {
            reply: order_refusal(51_016, "Client order ID already exists."),
            taken,
        };
        let order = spot_limit(Side::Buy, "0.02", "49000", TimeInForce::Gtc);
        let mut plan = plan(Temper::default(), vec![(0, Move::Execute(order))]);
        plan.faults = vec![Rule::on("POST", PLACE, When::Nth(1), fault)];
        let (mut run, outcomes) = outcomes(&plan);
        assert_eq!(
            (outcomes[0].state, outcomes[0].unknown),
            (Some(wanted), true)
        );
        assert_eq!(placements(&mut run).len(), 1);
    }
}

#[test]
fn placements_and_amendments_bear_a_deadline_and_cancellations_none() {
    let order = spot_limit(Side::Buy, "0.02", "49000", TimeInForce::Gtc);
    let moves = vec![
        (0, Move::Execute(order)),
        (1_000, Move::Amend(0, Some("0.03"), None)),
        (2_000, Move::Cancel(1)),
    ];
    let (mut run, _) = outcomes(&plan(Temper::default(), moves));
    let bears = |request: &Request| header(request, "expTime").is_some();
    assert!(
        placements(&mut run)
            .iter()
            .all(|(_, request)| bears(request))
    );
    let (amend, cancel) = (Okx::PATHS.amend, Okx::PATHS.cancel);
    assert!(
        sent(&mut run, amend)
            .iter()
            .all(|(_, request)| bears(request))
    );
    let cancelled = sent(&mut run, cancel);
    assert!(!cancelled.is_empty() && cancelled.iter().all(|(_, request)| !bears(request)));
}

#[test]
fn a_lost_cancellation_is_given_up_only_when_its_stamp_has_run_out() {
    let order = spot_limit(Side::Buy, "0.02", "49000", TimeInForce::Gtc);
    let moves = vec![(0, Move::Execute(order)), (1_000, Move::Cancel(0))];
    let mut plan = plan(Temper::default(), moves);
    plan.faults = vec![Rule::on(
        "POST",
        Okx::PATHS.cancel,
        When::Nth(1),
        Fault::DropRequest,
    )];
    let mut run = Run::<Okx, _>::new(InMemory::new(), &plan);
    run.carry_out(&plan);
    let (cancelled, _) = sent(&mut run, Okx::PATHS.cancel)[0].clone();
    let commits = run.store.commits();
    let rejected = commits.iter().find_map(|commit| {
        let mut events = commit.events.iter();
        let is_rejection = |kind: &basis_core::venue_event::EventKind| {
            matches!(kind, basis_core::venue_event::EventKind::Rejected { .. })
        };
        let found = events.find(|taken| is_rejection(&taken.event.kind));
        found.map(|taken| taken.event.received_at)
    });
    let waited = rejected.unwrap().since(cancelled);
    assert!(waited.nanos() >= 35_000_000_000, "{waited}");
    assert_eq!(run.verdict(), Vec::<String>::new());
}

#[test]
fn an_order_is_lost_only_after_its_deadline_and_a_round_of_all_lists() {
    let order = perp_limit(Side::Buy, "0.02", "49000", TimeInForce::Gtc);
    let mut plan = plan(Temper::default(), vec![(0, Move::Execute(order))]);
    plan.faults = vec![Rule::on("POST", PLACE, When::Nth(1), Fault::DropRequest)];
    let (mut run, outcomes) = outcomes(&plan);
    assert_eq!(outcomes[0].state, Some(OrderState::Lost));
    let placed = placements(&mut run)[0].0;
    for path in [
        "/api/v5/trade/orders-pending",
        "/api/v5/trade/orders-history",
    ] {
        let asked = sent(&mut run, path);
        assert!(asked.iter().any(|(at, _)| *at > placed), "{path}");
    }
    // Three seconds of its deadline, five of visibility.
    let proven = sent(&mut run, "/api/v5/trade/fills");
    let proven = proven.iter().find(|(at, _)| *at > placed).unwrap();
    assert!(proven.0.since(placed).nanos() >= 8_000_000_000);
}

#[test]
fn an_order_that_died_unfilled_hours_ago_is_not_called_lost() {
    let rests = spot_limit(Side::Buy, "0.02", "49000", TimeInForce::Gtc);
    let plan = plan(Temper::default(), vec![(0, Move::Execute(rests))]);
    let mut run = Run::<Okx, _>::new(InMemory::new(), &plan);
    run.carry_out(&plan);
    // The process is down; somebody takes the order back, and three hours later nobody remembers it.
    let now = run.process().now();
    let id = *run.ledger().instructions.keys().next().unwrap();
    let client = basis_core::types::ClientOrderId::derive(crate::process::book(), id);
    run.interrupted(|venue| {
        cancel_by_hand(venue, now, client.as_str());
        after(now, 3 * 3_600_000)
    });
    let at = run.process().now();
    run.run_to(after(at, 60_000));
    let outcome = &run.ledger().outcomes[&id];
    assert_eq!(outcome.state, Some(OrderState::Cancelled), "{outcome:?}");
    assert!(run.ledger().contradictions.is_empty());
}

/// Cancels an order with the same key, beside the client.
fn cancel_by_hand(venue: &mut crate::kit::venue::Venue<Okx>, now: Timestamp, client: &str) {
    use basis_venues::okx::codec::{Network, finish_at};
    use basis_venues::wire::{Fields, JsonDraft, Payload, Stamp};

    let fields = Fields::default()
        .with("instId", "BTC-USDT")
        .with("clOrdId", client);
    let draft = JsonDraft {
        path: Okx::PATHS.cancel,
        payload: Payload::Body(fields),
        signed: true,
        effect: basis_venues::wire::Effect::Act,
        live_only: false,
    };
    let host = ("http://127.0.0.1:9", Network::Live);
    let request = finish_at(&draft, host, Stamp::new(now), &super::bench::keys());
    let (_, answer) = venue.server.call(now, request);
    let body = String::from_utf8(answer.unwrap().body).unwrap();
    assert!(body.contains("\"sCode\":\"0\""), "{body}");
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
fn transfers_are_found_by_the_id_that_they_bear() {
    for fault in [Fault::DropReply, Fault::DropRequest] {
        let took = fault == Fault::DropReply;
        let moves = vec![
            (0, Move::Execute(moved::<Okx>("100", true))),
            (1, Move::Execute(moved::<Okx>("100", true))),
        ];
        let temper = Temper {
            transfer_delay_ms: 3_000,
            ..Temper::default()
        };
        let mut plan = plan(temper, moves);
        let path = Okx::PATHS.transfer;
        plan.faults = vec![Rule::on("POST", path, When::Nth(1), fault)];
        let (mut run, outcomes) = outcomes(&plan);
        let first = took.then_some(TransferStage::Credited);
        assert_eq!(
            (outcomes[0].transfer, outcomes[0].rejected.is_some()),
            (first, !took)
        );
        assert_eq!(outcomes[1].transfer, Some(TransferStage::Credited));
        assert_eq!(sent(&mut run, path).len(), 2);
    }
}

#[test]
fn a_transfer_that_failed_came_back() {
    let temper = Temper {
        transfers_fail: true,
        transfer_delay_ms: 1_000,
        ..Temper::default()
    };
    let moves = vec![(0, Move::Execute(moved::<Okx>("100", false)))];
    let (run, _) = outcomes(&plan(temper, moves));
    assert!(came_back(&run.ledger()));
}

#[test]
fn isolated_margin_is_refused_before_a_byte_leaves() {
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
    assert!(outcomes[0].rejected.as_ref().unwrap().contains("isolated"));
    assert!(outcomes[1].done && outcomes[2].done);
    assert_eq!(sent(&mut run, Okx::PATHS.leverage).len(), 2);
}

/// Starts against a venue that was changed first; returns why it refuses.
fn refusal_of(change: impl FnOnce(&mut Exchange, u32)) -> String {
    let mut run = Run::<Okx, _>::new(InMemory::new(), &plan(Temper::default(), Vec::new()));
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
        move |exchange: &mut Exchange, account| {
            exchange.add_key(account, KEY, verifier(), permissions);
        }
    };
    let other_passphrase = |exchange: &mut Exchange, account| {
        let (secret, _) = verifier();
        exchange.add_key(account, KEY, (secret, "another"), Permissions::trading());
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
                trade: false,
                ..all
            })),
            "read_only",
        ),
        (
            refusal_of(|exchange, _| exchange.remove_key(KEY)),
            "refused",
        ),
        (refusal_of(other_passphrase), "refused"),
        (
            refusal_of(|exchange, _| exchange.set_clock_ahead(2_500)),
            "clock",
        ),
        (
            refusal_of(|exchange, account| exchange.set_hedge(account, true)),
            "position_mode",
        ),
        (
            refusal_of(|exchange, account| exchange.set_level(account, AccountLevel::Spot)),
            "account_mode",
        ),
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
        "USDT and BTC, the position, USDT in funding: {account:?}"
    );
    let mut positions = account.positions.iter();
    let position = positions.find(|row| matches!(row.item, Item::Position(_)));
    assert_eq!(position.unwrap().quantity, basis_testkit::q("-0.02"));
    assert_eq!(account.orders.len(), 1);
}
