//! Faults on the way: the same rules as at every venue in process, with OKX's answers.

use basis_sim::server::faults::{Fault, Rule, When};
use basis_sim::server::okx::{busy, maintenance, order_refusal, refusal, server_error, timed_out};
use serde_json::Value;

use super::kit::{Okx, SWAP, code_of, limit};

const ORDER: &str = "/api/v5/trade/order";

fn struck(fault: Fault) -> (Okx, Option<(u16, Value)>) {
    let mut venue = Okx::quoted();
    venue
        .server
        .set_faults(vec![Rule::on("POST", ORDER, When::Nth(1), fault)]);
    let fields = limit(SWAP, "buy", "1", "36000").to_string();
    let request = venue.signed("POST", ORDER, "", &fields);
    let (at, answer) = venue.server.call(venue.now, request);
    venue.now = venue.now.max(at);
    let answer = answer.ok().map(|response| {
        let body = serde_json::from_slice(&response.body).unwrap_or_default();
        (response.status, body)
    });
    (venue, answer)
}

fn orders(venue: &Okx) -> usize {
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
fn a_stamp_grows_old_on_the_way_and_not_between_gateway_and_engine() {
    let (venue, answer) = struck(Fault::DelayRequest(30_001));
    assert_eq!((code_of(&answer.unwrap().1), orders(&venue)), (50_102, 0));
    for fault in [
        Fault::DelayRequest(30_000),
        Fault::DelayEngine(60_000),
        Fault::DelayReply(60_000),
        Fault::Freeze(29_000),
    ] {
        let (venue, answer) = struck(fault);
        assert_eq!((code_of(&answer.unwrap().1), orders(&venue)), (0, 1));
    }
}

#[test]
fn answers_of_the_venue_s_own_may_stand_for_a_request_that_was_taken() {
    for (reply, status, code) in [
        (server_error(), 500, 50_026),
        (busy(), 429, 50_013),
        (maintenance(), 503, 50_001),
        (timed_out(), 400, 50_004),
        (order_refusal(51_149, "Order timed out."), 200, 51_149),
        (refusal(429, 50_011, "Too Many Requests"), 429, 50_011),
    ] {
        for taken in [false, true] {
            let reply = reply.clone();
            let (venue, answer) = struck(Fault::Reply { reply, taken });
            let (found, body) = answer.unwrap();
            assert_eq!((found, code_of(&body)), (status, code));
            assert_eq!(orders(&venue), usize::from(taken));
        }
    }
}

#[test]
fn a_restart_keeps_what_was_known() {
    let mut venue = Okx::quoted();
    let id = venue.place(&limit(SWAP, "buy", "1", "36000"));
    venue.server.set_faults(vec![Rule::on(
        "GET",
        "/api/v5/public/time",
        When::Always,
        Fault::Restart(10),
    )]);
    let time = venue.signed("GET", "/api/v5/public/time", "", "");
    assert!(venue.server.call(venue.now, time).1.is_err());
    venue.server.set_faults(Vec::new());
    venue.later(1_000);
    assert_eq!(venue.order(SWAP, &id)["state"], "live");
}

#[test]
fn a_seed_is_one_venue() {
    let run = || {
        let mut venue = Okx::quoted();
        venue.server.set_faults(vec![Rule::on(
            "POST",
            ORDER,
            When::Chance(5_000),
            Fault::DropReply,
        )]);
        let fields = limit(SWAP, "buy", "1", "36000").to_string();
        let mut answers = Vec::new();
        for _ in 0..8 {
            let request = venue.signed("POST", ORDER, "", &fields);
            answers.push(venue.server.call(venue.now, request));
        }
        answers
    };
    assert_eq!(run(), run());
}
