use basis_core::instruction::{CancelOrder, Instruction, Operation, TimeInForce, Transfer};
use basis_core::types::{Account, InstructionId, Label, Side};
use basis_testkit::{BTC, amend, perp_limit, q, set_leverage};

use super::super::BinanceMachine;
use super::script::{client, count, events, execute, ready, reply, run};
use super::{kinds, refusal};

fn instruction(number: u32, operation: Operation) -> Instruction {
    Instruction::new(InstructionId::plain(number), operation)
}

fn rest() -> Instruction {
    instruction(1, perp_limit(Side::Buy, "0.01", "40000", TimeInForce::Gtc))
}

fn cancel() -> Instruction {
    let cancel = CancelOrder {
        symbol: BTC,
        order: InstructionId::plain(1),
    };
    instruction(2, Operation::CancelOrder(cancel))
}

fn shown(state: &str, quantity: &str, price: &str) -> String {
    format!(
        r#"{{"symbol":"BTCUSDT","orderId":11,"clientOrderId":"{}","side":"BUY","status":"{state}","origQty":
        "{quantity}","executedQty":"0","cumQuote":"0","price":"{price}","updateTime":$NOW,"positionSide":"BOTH"}}"#,
        client(1)
    )
}

fn working() -> String {
    shown("NEW", "0.01", "40000")
}

#[test]
fn a_cancellation_ends_the_order_and_is_done() {
    let (mut driver, mailbox) = ready(vec![
        reply("POST /fapi/v1/order", working()),
        reply("DELETE /fapi/v1/order", shown("CANCELED", "0.01", "40000")),
    ]);
    execute(&driver, &rest());
    run(&mut driver, 1);
    execute(&driver, &cancel());
    run(&mut driver, 1);
    assert_eq!(
        kinds(&events(&mailbox)),
        ["working 0", "cancelled 0", "done"]
    );
}

#[test]
fn a_cancellation_whose_reply_is_lost_is_concluded_by_the_order() {
    for (later, word) in [("CANCELED", "done"), ("NEW", "rejected")] {
        let (mut driver, mailbox) = ready(vec![
            reply("POST /fapi/v1/order", working()),
            reply("DELETE /fapi/v1/order", "").lost(),
            reply("GET /fapi/v1/order", shown(later, "0.01", "40000")),
        ]);
        execute(&driver, &rest());
        run(&mut driver, 1);
        execute(&driver, &cancel());
        run(&mut driver, 20);
        let found = kinds(&events(&mailbox));
        assert_eq!(found.get(1).map(String::as_str), Some("outcome_unknown"));
        assert_eq!(found.last().map(String::as_str), Some(word), "{found:?}");
        assert_eq!(count(&driver, "DELETE /fapi/v1/order"), 1);
    }
}

#[test]
fn a_cancellation_that_finds_no_order_asks_what_became_of_it() {
    let gone = r#"{"code":-2011,"msg":"Unknown order sent."}"#;
    let (mut driver, mailbox) = ready(vec![
        reply("POST /fapi/v1/order", working()),
        reply("DELETE /fapi/v1/order", gone).status(400),
        reply("GET /fapi/v1/order", shown("EXPIRED", "0.01", "40000")),
    ]);
    execute(&driver, &rest());
    run(&mut driver, 1);
    execute(&driver, &cancel());
    run(&mut driver, 3);
    let found = events(&mailbox);
    assert_eq!(kinds(&found), ["working 0", "expired 0", "rejected"]);
    assert!(refusal(&found).contains("the order is expired"));
}

#[test]
fn an_amendment_whose_reply_is_lost_is_concluded_by_its_terms() {
    for (quantity, price, word) in [("0.02", "40000", "done"), ("0.01", "40000", "rejected")] {
        let (mut driver, mailbox) = ready(vec![
            reply("POST /fapi/v1/order", working()),
            reply("PUT /fapi/v1/order", "").lost(),
            reply("GET /fapi/v1/order", shown("NEW", quantity, price)),
        ]);
        execute(&driver, &rest());
        run(&mut driver, 1);
        execute(&driver, &instruction(2, amend(1, Some("0.02"), None)));
        run(&mut driver, 20);
        let found = kinds(&events(&mailbox));
        assert_eq!(found.last().map(String::as_str), Some(word), "{found:?}");
    }
}

#[test]
fn leverage_whose_reply_is_lost_is_read_back() {
    for (leverage, word) in [("7", "done"), ("20", "rejected")] {
        let row =
            format!(r#"[{{"symbol":"BTCUSDT","marginType":"CROSSED","leverage":{leverage}}}]"#);
        let (mut driver, mailbox) = ready(vec![
            reply("POST /leverage", "").lost(),
            reply("GET /symbolConfig", row),
        ]);
        execute(&driver, &instruction(1, set_leverage("7", None)));
        run(&mut driver, 20);
        assert_eq!(kinds(&events(&mailbox)), ["outcome_unknown", word]);
        assert_eq!(count(&driver, "POST /leverage"), 1);
    }
}

fn transfer() -> Instruction {
    let account = |name| Account::new(BinanceMachine::VENUE, Label::literal(name));
    let transfer = Transfer {
        asset: basis_testkit::USDT,
        amount: q("100"),
        from: account("spot"),
        to: account("usdm"),
    };
    instruction(1, Operation::Transfer(transfer))
}

fn row(number: u64, status: &str) -> String {
    format!(
        r#"{{"asset":"USDT","amount":"100","type":"MAIN_UMFUTURE","status":"{status}","tranId":{number},
        "timestamp":$NOW}}"#
    )
}

fn list(rows: &[String]) -> String {
    format!(r#"{{"total":{},"rows":[{}]}}"#, rows.len(), rows.join(","))
}

#[test]
fn a_transfer_goes_by_the_list_of_transfers() {
    let (mut driver, mailbox) = ready(vec![
        reply("POST /asset/transfer", r#"{"tranId":5}"#),
        reply("GET /asset/transfer", list(&[row(5, "PENDING")])).once(),
        reply("GET /asset/transfer", list(&[row(5, "CONFIRMED")])),
    ]);
    execute(&driver, &transfer());
    run(&mut driver, 5);
    assert_eq!(kinds(&events(&mailbox)), ["sent", "credited"]);
}

#[test]
fn a_transfer_whose_reply_is_lost_is_found_by_what_it_moves() {
    let (mut driver, mailbox) = ready(vec![
        reply("POST /asset/transfer", "").lost(),
        reply("GET /asset/transfer", list(&[])).once(),
        reply("GET /asset/transfer", list(&[row(5, "CONFIRMED")])),
    ]);
    execute(&driver, &transfer());
    run(&mut driver, 10);
    assert_eq!(
        kinds(&events(&mailbox)),
        ["outcome_unknown", "sent", "credited"]
    );
    assert_eq!(count(&driver, "POST /asset/transfer"), 1);
}

#[test]
fn a_transfer_that_no_list_shows_was_never_taken() {
    let (mut driver, mailbox) = ready(vec![
        reply("POST /asset/transfer", "").lost(),
        reply("GET /asset/transfer", list(&[])),
    ]);
    execute(&driver, &transfer());
    run(&mut driver, 17);
    assert_eq!(kinds(&events(&mailbox)), ["outcome_unknown"]);
    run(&mut driver, 10);
    assert_eq!(kinds(&events(&mailbox)), ["rejected"]);
}

#[test]
fn two_transfers_that_fit_settle_nothing() {
    let (mut driver, mailbox) = ready(vec![
        reply("POST /asset/transfer", "").lost(),
        reply(
            "GET /asset/transfer",
            list(&[row(5, "CONFIRMED"), row(6, "CONFIRMED")]),
        ),
    ]);
    execute(&driver, &transfer());
    run(&mut driver, 60);
    assert_eq!(
        kinds(&events(&mailbox)),
        ["outcome_unknown", "connectivity"]
    );
}
