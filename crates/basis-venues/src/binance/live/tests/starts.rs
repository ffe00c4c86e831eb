use basis_core::error::Code;
use basis_core::instruction::{Instruction, OpenInstruction};
use basis_core::journal::VenueRecord;
use basis_core::types::{Account, InstructionId, Label, Side, Span};
use basis_live::actor::{Command, Mailbox, Readiness};
use basis_testkit::{START, spot_market, transfer};

use super::kinds;
use super::script::{Reply, client, count, driver, events, execute, ready, reply, run};

fn refused(mailbox: &Mailbox) -> (Code, Option<&'static str>, String) {
    match mailbox.readiness() {
        Readiness::Refused(e) => (e.code, e.reason, e.message),
        other => panic!("{other:?}"),
    }
}

fn account(name: &'static str) -> Account {
    Account::new(super::super::BinanceMachine::VENUE, Label::literal(name))
}

fn outcome(replies: Vec<Reply>) -> (Code, Option<&'static str>, String) {
    let (mut driver, mailbox) = driver(replies);
    run(&mut driver, 40);
    // What comes after a refused start is refused too.
    let instruction = Instruction::new(InstructionId::plain(1), spot_market(Side::Buy, "0.01"));
    execute(&driver, &instruction);
    run(&mut driver, 1);
    assert_eq!(kinds(&events(&mailbox)).last().unwrap(), "rejected");
    assert!(
        driver
            .network
            .sent
            .iter()
            .all(|line| line.starts_with("GET"))
    );
    refused(&mailbox)
}

#[test]
fn a_clock_that_is_two_seconds_off_is_refused() {
    let ahead = START.nanos() / 1_000_000 + 2_500;
    let body = format!(r#"{{"serverTime":{ahead}}}"#);
    let (code, reason, text) = outcome(vec![reply("GET /time", body)]);
    assert_eq!((code, reason), (Code::CreationFailed, Some("clock")));
    assert!(text.contains("set it by NTP"), "{text}");
}

#[test]
fn a_key_that_may_withdraw_is_refused_and_so_is_one_without_futures() {
    for (withdraws, futures, wanted) in [(true, true, "withdrawals"), (false, false, "futures")] {
        let body = format!(
            r#"{{"enableWithdrawals":{withdraws},"enableSpotAndMarginTrading":true,"enableFutures":{futures},
            "permitsUniversalTransfer":true,"ipRestrict":true}}"#
        );
        let (code, reason, _) = outcome(vec![reply("GET /apiRestrictions", body)]);
        assert_eq!((code, reason), (Code::CredentialsInvalid, Some(wanted)));
    }
}

#[test]
fn the_wrong_position_mode_is_refused() {
    let body = r#"{"dualSidePosition":true}"#;
    let (code, reason, text) = outcome(vec![reply("GET /positionSide/dual", body)]);
    assert_eq!(
        (code, reason),
        (Code::CreationFailed, Some("position_mode"))
    );
    assert!(text.contains("hedge mode"), "{text}");
}

#[test]
fn a_key_that_the_venue_refuses_is_refused_at_once() {
    let body = r#"{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}"#;
    let (code, ..) = outcome(vec![reply("GET /positionSide/dual", body).status(401)]);
    assert_eq!(code, Code::VenueCredentials);
}

#[test]
fn a_venue_that_answers_html_is_not_ready_and_says_so_in_time() {
    let html = "<html><body>Service Unavailable</body></html>";
    let (code, _, text) = outcome(vec![reply("GET /fapi/v1/exchangeInfo", html)]);
    assert_eq!(code, Code::VenueUnavailable);
    assert!(text.contains("exchange information"), "{text}");
}

#[test]
fn one_failed_read_of_the_start_is_asked_again() {
    let (driver, _) = ready(vec![reply("GET /leverageBracket", "").status(502).once()]);
    assert_eq!(count(&driver, "GET /leverageBracket"), 2);
}

#[test]
fn an_instruction_of_an_earlier_process_is_resolved_and_not_sent() {
    let filled = format!(
        r#"{{"symbol":"BTCUSDT","orderId":11,"clientOrderId":"{}","side":"BUY","status":"FILLED","origQty":"0.01",
        "executedQty":"0.01","cummulativeQuoteQty":"500","price":"50250","updateTime":$NOW}}"#,
        client(1)
    );
    let fills = r#"[{"symbol":"BTCUSDT","id":70,"orderId":11,"price":"50000","qty":"0.01","quoteQty":"500",
        "commission":"0","commissionAsset":"BNB","time":$NOW,"isBuyer":true,"isMaker":false}]"#;
    let (mut driver, mailbox) = driver(vec![
        reply("GET /api/v3/order", filled),
        reply("GET /myTrades", "[]").once(),
        reply("GET /myTrades", fills),
    ]);
    let open = OpenInstruction {
        venue: super::super::BinanceMachine::VENUE,
        submitted_at: START,
        instruction: Instruction::new(InstructionId::plain(1), spot_market(Side::Buy, "0.01")),
    };
    let record = VenueRecord {
        open: vec![open],
        ..VenueRecord::default()
    };
    driver.command(Command::Recover(Box::new(record))).unwrap();
    run(&mut driver, 5);
    let found = kinds(&events(&mailbox));
    assert_eq!(found, ["rules", "rules", "filled 0.01", "fill 70"]);
    assert!(
        driver
            .network
            .sent
            .iter()
            .all(|line| line.starts_with("GET"))
    );
}

#[test]
fn a_start_that_is_refused_rests() {
    let both_sides = r#"{"dualSidePosition":true}"#;
    let (mut driver, mailbox) = driver(vec![reply("GET /positionSide/dual", both_sides)]);
    let record = VenueRecord {
        committed_at: Some(START.minus(Span::from_hours(1))),
        ..VenueRecord::default()
    };
    driver.command(Command::Recover(Box::new(record))).unwrap();
    run(&mut driver, 60);
    assert!(matches!(mailbox.readiness(), Readiness::Refused(_)));
    assert_eq!(count(&driver, "GET /income"), 0);
}

/// One that was reported as sent is credited by its own row; the row of an earlier one is no answer to it.
#[test]
fn a_transfer_that_was_reported_before_a_restart_is_found_by_its_number() {
    let row = |number: u64, at: i64| {
        format!(
            r#"{{"asset":"USDT","amount":"100","type":"MAIN_UMFUTURE","status":"CONFIRMED","tranId":{number},
            "timestamp":{at}}}"#
        )
    };
    let at = START.nanos() / 1_000_000;
    let rows = format!(
        r#"{{"total":2,"rows":[{},{}]}}"#,
        row(8, at - 1_000),
        row(9, at - 2_000)
    );
    let (mut driver, mailbox) = driver(vec![reply("GET /asset/transfer", rows)]);
    let (from, to) = (account("spot"), account("usdm"));
    let open = OpenInstruction {
        venue: super::super::BinanceMachine::VENUE,
        submitted_at: START.minus(Span::from_seconds(3)),
        instruction: Instruction::new(InstructionId::plain(2), transfer("USDT", "100", from, to)),
    };
    let record = VenueRecord {
        open: vec![open],
        transfers: [
            ("8".into(), Some(InstructionId::plain(1))),
            ("9".into(), Some(InstructionId::plain(2))),
        ]
        .into(),
        committed_at: None,
    };
    driver.command(Command::Recover(Box::new(record))).unwrap();
    run(&mut driver, 5);
    let found = kinds(&events(&mailbox));
    assert_eq!(found, ["rules", "rules", "sent", "credited"]);
}
