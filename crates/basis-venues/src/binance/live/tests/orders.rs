use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use basis_core::instruction::{CancelOrder, Instruction, OpenInstruction, Operation, TimeInForce};
use basis_core::journal::VenueRecord;
use basis_core::num::Value;
use basis_core::types::{InstructionId, Side, Span};
use basis_core::venue_event::OrderState;
use basis_live::actor::{Command, KillSwitch};
use basis_testkit::{BTC, START, perp_limit, perp_market, spot_limit, spot_market};

use super::super::BinanceMachine;
use super::script::{
    Reply, client, count, driver_under, driver_with, events, execute, ready, reply, run,
};
use super::{kinds, refusal, states};

fn order(number: u32, operation: Operation) -> Instruction {
    Instruction::new(InstructionId::plain(number), operation)
}

fn spot_market_buy() -> Instruction {
    order(1, spot_market(Side::Buy, "0.01"))
}

/// A spot order as a query shows it.
fn shown(number: u32, state: &str, filled: &str) -> String {
    format!(
        r#"{{"symbol":"BTCUSDT","orderId":11,"clientOrderId":"{}","side":"BUY","status":"{state}","origQty":"0.01",
        "executedQty":"{filled}","cummulativeQuoteQty":"500","price":"50250","updateTime":$NOW,"positionSide":"BOTH"}}"#,
        client(number)
    )
}

/// The same as spot's reply to placing it, with one fill.
fn filled(number: u32) -> String {
    let fills = r#""fills":[{"price":"50000","qty":"0.01","commission":"0.00001","commissionAsset":"BTC",
        "tradeId":70}]}"#;
    shown(number, "FILLED", "0.01").replacen('}', &format!(",{fills}"), 1)
}

const SPOT_FILL: &str = r#"[{"symbol":"BTCUSDT","id":70,"orderId":11,"price":"50000","qty":"0.01",
    "quoteQty":"500","commission":"0.00001","commissionAsset":"BTC","time":$NOW,"isBuyer":true,"isMaker":false}]"#;

const PERP_FILL: &str = r#"[{"symbol":"BTCUSDT","id":71,"orderId":11,"side":"BUY","positionSide":"BOTH",
    "price":"50000","qty":"0.01","quoteQty":"500","realizedPnl":"0","commission":"0.25","commissionAsset":"USDT",
    "time":$NOW,"maker":false}]"#;

const GONE: &str = r#"{"code":-2013,"msg":"Order does not exist."}"#;

#[test]
fn a_spot_market_order_leaves_as_a_limit_at_the_collar_and_fills() {
    let (mut driver, mailbox) = ready(vec![reply("POST /api/v3/order", filled(1))]);
    execute(&driver, &spot_market_buy());
    run(&mut driver, 5);
    assert_eq!(kinds(&events(&mailbox)), ["filled 0.01", "fill 70"]);
    let sent = driver
        .network
        .sent
        .iter()
        .find(|line| line.starts_with("POST"));
    let sent = sent.unwrap();
    assert!(
        sent.contains("timeInForce=IOC&quantity=0.01&price=50250&"),
        "{sent}"
    );
    assert_eq!(count(&driver, "POST /api/v3/order"), 1);
    assert_eq!(count(&driver, "GET /api/v3/order"), 0);
}

#[test]
fn a_perp_order_is_done_when_its_fills_add_up() {
    let (mut driver, mailbox) = ready(vec![
        reply("POST /fapi/v1/order", shown(1, "FILLED", "0.01")),
        // The start's own read, and the first after the order.
        Reply {
            times: 2,
            ..reply("GET /userTrades", "[]")
        },
        reply("GET /fapi/v1/order", shown(1, "FILLED", "0.01")),
        reply("GET /userTrades", PERP_FILL),
    ]);
    execute(&driver, &order(1, perp_market(BTC, Side::Buy, "0.01")));
    run(&mut driver, 5);
    assert_eq!(kinds(&events(&mailbox)), ["filled 0.01", "fill 71"]);
    assert_eq!(count(&driver, "GET /userTrades"), 3);
    run(&mut driver, 100);
    // What it was asked for since then shows the fill again, and it is reported once.
    assert_eq!(kinds(&events(&mailbox)), Vec::<String>::new());
}

#[test]
fn a_resting_order_is_asked_for_until_it_ends() {
    let (mut driver, mailbox) = ready(vec![
        reply("POST /api/v3/order", shown(1, "NEW", "0")),
        reply("GET /api/v3/order", shown(1, "NEW", "0")).once(),
        reply("GET /api/v3/order", shown(1, "CANCELED", "0")),
    ]);
    execute(
        &driver,
        &order(1, spot_limit(Side::Buy, "0.01", "50250", TimeInForce::Gtc)),
    );
    run(&mut driver, 30);
    let found = states(&events(&mailbox));
    assert_eq!(found, [OrderState::Working, OrderState::Cancelled]);
    assert_eq!(count(&driver, "GET /api/v3/order"), 2);
}

fn lost_reply(product: &'static str) -> Reply {
    reply(product, "").lost()
}

#[test]
fn a_lost_reply_is_asked_for_and_never_sent_again() {
    let (mut driver, mailbox) = ready(vec![
        lost_reply("POST /api/v3/order"),
        reply("GET /api/v3/order", GONE).status(400).once(),
        reply("GET /api/v3/order", shown(1, "FILLED", "0.01")),
        reply("GET /myTrades", SPOT_FILL),
    ]);
    execute(&driver, &spot_market_buy());
    run(&mut driver, 10);
    let found = kinds(&events(&mailbox));
    assert_eq!(found, ["outcome_unknown", "filled 0.01", "fill 70"]);
    assert_eq!(count(&driver, "POST /api/v3/order"), 1);
}

#[test]
fn an_order_is_lost_only_by_every_list_and_after_its_last_instant() {
    let (mut driver, mailbox) = ready(vec![
        lost_reply("POST /api/v3/order"),
        reply("GET /api/v3/order", GONE).status(400),
    ]);
    execute(&driver, &spot_market_buy());
    // Window 3 s, engine 10 s, visibility 5 s.
    run(&mut driver, 17);
    assert_eq!(kinds(&events(&mailbox)), ["outcome_unknown"]);
    let lists = ["GET /openOrders", "GET /allOrders", "GET /myTrades"];
    let before = lists.map(|list| count(&driver, list));
    run(&mut driver, 10);
    assert_eq!(states(&events(&mailbox)), [OrderState::Lost]);
    let after = lists.map(|list| count(&driver, list));
    assert_eq!(after, before.map(|count| count + 1));
}

#[test]
fn a_perp_order_is_lost_sooner_for_its_engine_checks_the_window() {
    let (mut driver, mailbox) = ready(vec![
        lost_reply("POST /fapi/v1/order"),
        reply("GET /fapi/v1/order", GONE).status(400),
    ]);
    execute(&driver, &order(1, perp_market(BTC, Side::Buy, "0.01")));
    run(&mut driver, 7);
    assert_eq!(kinds(&events(&mailbox)), ["outcome_unknown"]);
    run(&mut driver, 7);
    assert_eq!(states(&events(&mailbox)), [OrderState::Lost]);
}

#[test]
fn a_fill_of_an_order_nobody_knows_keeps_an_order_from_being_lost() {
    let stranger = shown(1, "FILLED", "0.01");
    let (mut driver, mailbox) = ready(vec![
        lost_reply("POST /api/v3/order"),
        reply("GET /myTrades", SPOT_FILL),
        Reply {
            times: 8,
            ..reply("GET /api/v3/order", GONE).status(400)
        },
        reply("GET /api/v3/order", stranger),
    ]);
    execute(&driver, &spot_market_buy());
    run(&mut driver, 60);
    let found = kinds(&events(&mailbox));
    assert_eq!(found, ["outcome_unknown", "filled 0.01", "fill 70"]);
}

#[test]
fn nothing_new_leaves_while_an_outcome_is_unknown() {
    let (mut driver, mailbox) = ready(vec![
        lost_reply("POST /api/v3/order"),
        reply("GET /api/v3/order", GONE).status(400),
    ]);
    execute(&driver, &spot_market_buy());
    run(&mut driver, 2);
    execute(&driver, &order(2, spot_market(Side::Buy, "0.01")));
    run(&mut driver, 12);
    let found = events(&mailbox);
    assert_eq!(kinds(&found), ["outcome_unknown", "rejected"]);
    assert!(
        refusal(&found).contains("found no turn"),
        "{}",
        refusal(&found)
    );
    assert_eq!(count(&driver, "POST /api/v3/order"), 1);
}

#[test]
fn a_refusal_by_the_venues_word_ends_the_order() {
    let body = r#"{"code":-2010,"msg":"Account has insufficient balance for requested action."}"#;
    let (mut driver, mailbox) = ready(vec![reply("POST /api/v3/order", body).status(400)]);
    execute(&driver, &spot_market_buy());
    run(&mut driver, 60);
    let found = events(&mailbox);
    assert_eq!(kinds(&found), ["rejected"]);
    assert!(refusal(&found).contains("insufficient balance"));
    assert_eq!(count(&driver, "GET /api/v3/order"), 0);
}

#[test]
fn a_duplicate_id_is_asked_for_and_compared() {
    let body = r#"{"code":-2010,"msg":"Duplicate order sent."}"#;
    let (mut driver, mailbox) = ready(vec![
        reply("POST /api/v3/order", body).status(400),
        reply(
            "GET /api/v3/order",
            shown(1, "FILLED", "0.02").replace("0.01", "0.02"),
        ),
    ]);
    execute(&driver, &spot_market_buy());
    run(&mut driver, 5);
    // It is twice as large: not this order, and a venue that shows it is not traded at any more.
    let found = kinds(&events(&mailbox));
    assert_eq!(found, ["outcome_unknown", "connectivity"]);
}

#[test]
fn what_fails_a_filter_never_leaves() {
    let (mut driver, mailbox) = ready(Vec::new());
    let cases = [
        (
            spot_limit(Side::Buy, "0.000001", "50000", TimeInForce::Gtc),
            "LOT_SIZE",
        ),
        (
            spot_limit(Side::Buy, "0.0001", "1", TimeInForce::Gtc),
            "NOTIONAL",
        ),
        (
            perp_limit(Side::Buy, "0.001", "50000", TimeInForce::Gtc),
            "MIN_NOTIONAL",
        ),
        (
            perp_market(basis_testkit::ETH, Side::Buy, "1"),
            "not among the managed",
        ),
    ];
    for (number, (operation, part)) in (1..).zip(cases) {
        execute(&driver, &order(number, operation));
        run(&mut driver, 3);
        let text = refusal(&events(&mailbox));
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        driver
            .network
            .sent
            .iter()
            .all(|line| line.starts_with("GET"))
    );
}

/// A switch that the test throws.
#[derive(Debug, Default)]
struct Hand(AtomicBool);

impl KillSwitch for Hand {
    fn thrown(&self) -> Option<String> {
        let thrown = self.0.load(Ordering::Relaxed);
        thrown.then(|| "by hand".to_owned())
    }
}

#[test]
fn a_thrown_switch_holds_back_what_has_not_left_and_lets_cancellations_go() {
    let switch = Arc::new(Hand::default());
    let shared: Arc<dyn KillSwitch> = switch.clone();
    let replies = vec![
        reply("POST /api/v3/order", shown(1, "NEW", "0")),
        reply("GET /api/v3/order", shown(1, "NEW", "0")),
        reply("DELETE /api/v3/order", shown(1, "CANCELED", "0")),
    ];
    let (mut driver, mailbox) = driver_under(replies, |_| {}, Some(shared));
    run(&mut driver, 3);
    execute(
        &driver,
        &order(1, spot_limit(Side::Buy, "0.01", "50250", TimeInForce::Gtc)),
    );
    run(&mut driver, 1);
    events(&mailbox);
    // It is taken on, and waits for its quote.
    execute(&driver, &order(2, spot_market(Side::Buy, "0.01")));
    let soon = driver.now().plus(Span::from_nanos(5_000_000));
    driver.run_until(soon, &mut |_| false).unwrap();
    switch.0.store(true, Ordering::Relaxed);
    execute(&driver, &order(3, spot_market(Side::Buy, "0.01")));
    run(&mut driver, 2);
    let found = events(&mailbox);
    assert_eq!(kinds(&found), ["rejected", "rejected"]);
    assert!(refusal(&found).contains("by hand"), "{}", refusal(&found));
    let cancel = CancelOrder {
        symbol: BTC,
        order: InstructionId::plain(1),
    };
    execute(&driver, &order(4, Operation::CancelOrder(cancel)));
    run(&mut driver, 2);
    assert_eq!(kinds(&events(&mailbox)), ["cancelled 0", "done"]);
    assert_eq!(count(&driver, "POST /api/v3/order"), 1);
}

#[test]
fn an_order_of_days_ago_is_looked_for_in_windows() {
    let (mut driver, mailbox) =
        driver_with(vec![reply("GET /api/v3/order", GONE).status(400)], |_| {});
    let open = OpenInstruction {
        venue: BinanceMachine::VENUE,
        submitted_at: START.minus(Span::from_hours(60)),
        instruction: spot_market_buy(),
    };
    let record = VenueRecord {
        open: vec![open],
        ..VenueRecord::default()
    };
    driver.command(Command::Recover(Box::new(record))).unwrap();
    run(&mut driver, 30);
    assert_eq!(states(&events(&mailbox)), [OrderState::Lost]);
    // Sixty hours are three days of lists, each of orders and of fills.
    assert_eq!(count(&driver, "GET /allOrders"), 3);
    let fills = driver.network.sent.iter();
    let fills = fills.filter(|line| line.contains("myTrades") && line.contains("startTime"));
    assert_eq!(fills.count(), 3);
}

#[test]
fn an_order_above_the_limit_of_value_never_leaves() {
    let (mut driver, mailbox) = driver_with(Vec::new(), |settings| {
        settings.order_value_max = Some(Value::literal("500"));
    });
    run(&mut driver, 3);
    events(&mailbox);
    execute(&driver, &spot_market_buy());
    run(&mut driver, 3);
    let text = refusal(&events(&mailbox));
    assert!(
        text.contains("502.5 is above order_value_max of 500"),
        "{text}"
    );
}
