//! Faults on the way: the same rules as at every venue in process, with Bybit's answers.

use basis_sim::server::bybit::{busy, refusal, server_error};
use basis_sim::server::faults::{Fault, Rule, When};
use serde_json::Value;

use super::kit::{Bybit, limit};

const CREATE: &str = "/v5/order/create";

fn struck(fault: Fault) -> (Bybit, Option<(u16, Value)>) {
    let mut venue = Bybit::quoted();
    venue
        .server
        .set_faults(vec![Rule::on("POST", CREATE, When::Nth(1), fault)]);
    let fields = limit("linear", "Buy", "0.01", "36000").to_string();
    let request = venue.signed("POST", CREATE, "", &fields);
    let (at, answer) = venue.server.call(venue.now, request);
    venue.now = venue.now.max(at);
    let answer = answer.ok().map(|response| {
        let body = serde_json::from_slice(&response.body).unwrap_or_default();
        (response.status, body)
    });
    (venue, answer)
}

fn orders(venue: &Bybit) -> usize {
    venue.server.exchange().orders(venue.account).len()
}

#[test]
fn lost_requests_take_nothing_and_lost_replies_took_it() {
    let (venue, answer) = struck(Fault::DropRequest);
    assert_eq!((answer, orders(&venue)), (None, 0));
    let (venue, answer) = struck(Fault::DropReply);
    assert_eq!((answer, orders(&venue)), (None, 1));
    let (venue, answer) = struck(Fault::Garble);
    assert_eq!((answer.unwrap().1, orders(&venue)), (Value::Null, 1));
    let (venue, answer) = struck(Fault::Restart(1_000));
    assert_eq!((answer, orders(&venue)), (None, 0));
}

#[test]
fn what_arrives_after_its_window_is_refused() {
    for fault in [Fault::DelayRequest(5_001), Fault::DelayEngine(5_001)] {
        let (venue, answer) = struck(fault);
        assert_eq!(
            (answer.unwrap().1["retCode"].as_i64(), orders(&venue)),
            (Some(10_002), 0)
        );
    }
    for fault in [
        Fault::DelayRequest(5_000),
        Fault::DelayReply(60_000),
        Fault::Freeze(4_000),
    ] {
        let (venue, answer) = struck(fault);
        assert_eq!(
            (answer.unwrap().1["retCode"].as_i64(), orders(&venue)),
            (Some(0), 1)
        );
    }
}

#[test]
fn answers_of_the_venue_s_own_may_stand_for_a_request_that_was_taken() {
    for (reply, status, code) in [
        (server_error(), 200, Some(10_016)),
        (busy(), 403, None),
        (refusal(200, 10_006, "Too many visits."), 200, Some(10_006)),
        (refusal(500, 10_016, "Server error."), 500, Some(10_016)),
    ] {
        for taken in [false, true] {
            let reply = reply.clone();
            let (venue, answer) = struck(Fault::Reply { reply, taken });
            let (found, body) = answer.unwrap();
            assert_eq!((found, body["retCode"].as_i64()), (status, code));
            assert_eq!(orders(&venue), usize::from(taken));
        }
    }
}

#[test]
fn a_seed_is_one_venue() {
    let run = || {
        let mut venue = Bybit::quoted();
        venue.server.set_faults(vec![Rule::on(
            "POST",
            CREATE,
            When::Chance(5_000),
            Fault::DropReply,
        )]);
        let fields = limit("linear", "Buy", "0.01", "36000").to_string();
        let mut answers = Vec::new();
        for _ in 0..8 {
            let request = venue.signed("POST", CREATE, "", &fields);
            answers.push(venue.server.call(venue.now, request));
        }
        answers
    };
    assert_eq!(run(), run());
}
