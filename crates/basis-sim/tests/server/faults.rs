//! Each kind of fault, stale and repeated reads, and that a seed repeats.

use basis_core::types::{Side, Timestamp};
use basis_sim::server::binance::{Behavior, Latency, Product};
use basis_sim::server::faults::{Failure, Fault, Rule, Target, When};
use basis_sim::server::{Broken, Content, Delivery};

use crate::kit::{Venue, body, funded, settings};
use crate::streams::{frames, spot_stream, usdm_stream};

const ORDER: &str = "/api/v3/order";
const BUY: &str = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.1&newClientOrderId=a";

fn with(fault: Fault) -> Venue {
    let mut venue = Venue::quoted();
    venue
        .server
        .set_faults(vec![Rule::on("POST", ORDER, When::Nth(1), fault)]);
    venue
}

fn orders(venue: &Venue) -> usize {
    venue.server.exchange().orders(venue.account).len()
}

fn send(venue: &mut Venue) -> (Timestamp, Result<basis_core::transport::Response, Broken>) {
    let request = venue.signed("POST", ORDER, BUY);
    venue.server.call(venue.now, request)
}

#[test]
fn a_dropped_request_makes_no_order_and_a_dropped_reply_makes_one() {
    for (fault, count) in [(Fault::DropRequest, 0), (Fault::DropReply, 1)] {
        let mut venue = with(fault);
        assert_eq!(send(&mut venue).1, Err(Broken));
        assert_eq!(orders(&venue), count);
        assert_eq!(venue.server.faults_injected(), 1);
        // The rule was for the first alone.
        assert_eq!(send(&mut venue).1.unwrap().status, 200);
    }
}

#[test]
fn a_request_that_is_late_meets_its_window_and_a_late_answer_does_not() {
    let mut venue = with(Fault::DelayRequest(5001));
    let (at, answer) = send(&mut venue);
    assert_eq!(body(&answer.unwrap())["code"], -1021);
    assert_eq!(at.nanos() - venue.now.nanos(), 5_001_000_000);
    let mut venue = with(Fault::DelayReply(20_000));
    let (at, answer) = send(&mut venue);
    assert_eq!(answer.unwrap().status, 200);
    assert_eq!(at.nanos() - venue.now.nanos(), 20_000_000_000);
    assert_eq!(orders(&venue), 1);
}

#[test]
fn an_engine_that_is_late_takes_old_spot_orders_and_refuses_old_usdm_ones() {
    let mut venue = with(Fault::DelayEngine(9000));
    let (at, answer) = send(&mut venue);
    assert_eq!(
        answer.unwrap().status,
        200,
        "spot's engine does not look at the stamp"
    );
    assert_eq!(at.nanos() - venue.now.nanos(), 9_000_000_000);
    let mut venue = with(Fault::DelayEngine(11_000));
    let (at, answer) = send(&mut venue);
    let answer = answer.unwrap();
    assert_eq!(
        (answer.status, &body(&answer)["code"]),
        (408, &(-1007).into())
    );
    assert_eq!(at.nanos() - venue.now.nanos(), 10_000_000_000);
    venue.later(10_999);
    venue.server.advance(venue.now);
    assert_eq!(orders(&venue), 0);
    venue.later(1);
    venue.server.advance(venue.now);
    assert_eq!(orders(&venue), 1, "it traded after the answer");
    for (delay, code) in [(5000, None), (5001, Some(-5028))] {
        let mut venue = Venue::quoted();
        let fault = Fault::DelayEngine(delay);
        venue.server.set_faults(vec![Rule::on(
            "POST",
            "/fapi/v1/order",
            When::Always,
            fault,
        )]);
        let (_, body) = venue.call("POST", "/fapi/v1/order", BUY);
        assert_eq!(body["code"].as_i64(), code);
    }
}

#[test]
fn a_garbled_answer_is_no_json_and_the_order_is_there() {
    for seed in 0..20 {
        let mut settings = settings();
        settings.seed = seed;
        let mut venue = Venue::with(settings, funded());
        venue.rest(Product::Spot, Side::Sell, "37010", "5");
        venue
            .server
            .set_faults(vec![Rule::on("POST", ORDER, When::Always, Fault::Garble)]);
        let answer = send(&mut venue).1.unwrap();
        assert_eq!(answer.status, 200);
        assert!(serde_json::from_slice::<serde_json::Value>(&answer.body).is_err());
        assert_eq!(orders(&venue), 1);
    }
}

#[test]
fn other_answers_come_with_the_order_taken_or_not() {
    for (reply, status, code) in [
        (Failure::TooManyRequests(7), 429, Some(-1003)),
        (Failure::Banned(120), 418, Some(-1003)),
        (Failure::Firewall, 403, None),
        (Failure::BackendTimeout, 408, Some(-1007)),
        (Failure::UnknownError, 503, Some(-1000)),
        (Failure::ServiceUnavailable, 503, Some(-1000)),
        (Failure::InternalError, 503, Some(-1001)),
        (Failure::Overloaded, 503, Some(-1008)),
        (Failure::UnexpectedResponse, 500, Some(-1006)),
        (Failure::BadGateway, 502, None),
        (Failure::GatewayTimeout, 504, None),
        (Failure::Page, 200, None),
        (
            Failure::Error {
                status: 400,
                code: -2010,
                msg: "x",
            },
            400,
            Some(-2010),
        ),
    ] {
        for taken in [false, true] {
            let reply = reply.clone();
            let mut venue = with(Fault::Reply { reply, taken });
            let answer = send(&mut venue).1.unwrap();
            assert_eq!(answer.status, status);
            let json: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
            assert_eq!(json.and_then(|json| json["code"].as_i64()), code);
            assert_eq!(orders(&venue), usize::from(taken));
        }
    }
}

#[test]
fn a_frozen_venue_takes_everything_later_in_its_order() {
    let mut venue = with(Fault::Freeze(4000));
    let first = venue.signed("POST", ORDER, BUY);
    let first = venue.server.send(venue.now, first);
    venue.later(10);
    let second = venue.signed("GET", ORDER, "symbol=BTCUSDT&origClientOrderId=a");
    let second = venue.server.send(venue.now, second);
    venue.later(3900);
    assert_eq!(venue.server.advance(venue.now), []);
    venue.later(90);
    let answers: Vec<_> = venue
        .server
        .advance(venue.now)
        .into_iter()
        .map(|d| d.content)
        .collect();
    let statuses: Vec<_> = answers
        .iter()
        .map(|content| match content {
            Content::Answer(id, response) => (*id, response.status),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(statuses, [(first, 200), (second, 200)]);
}

#[test]
fn a_restart_breaks_what_is_under_way_and_forgets_nothing() {
    let mut venue = Venue::quoted();
    let stream = usdm_stream(&mut venue);
    let rests = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=36000&newClientOrderId=r";
    venue.ok("POST", ORDER, rests);
    venue.server.set_faults(vec![Rule::on(
        "POST",
        ORDER,
        When::Always,
        Fault::Restart(1000),
    )]);
    assert_eq!(send(&mut venue).1, Err(Broken));
    venue.server.set_faults(Vec::new());
    let closed = venue.server.advance(venue.now);
    assert!(
        closed
            .iter()
            .any(|d| d.content == Content::Closed(stream, 1001))
    );
    assert!(venue.server.connect(venue.now, "/ws-api/v3").is_err());
    venue.later(999);
    assert_eq!(send(&mut venue).1, Err(Broken), "nobody is there");
    venue.later(1);
    let order = venue.ok("GET", ORDER, "symbol=BTCUSDT&origClientOrderId=r");
    assert_eq!(order["status"], "NEW");
    assert_eq!(orders(&venue), 1);
    let again = usdm_stream(&mut venue);
    venue.ok(
        "POST",
        "/fapi/v1/order",
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.1",
    );
    assert_eq!(frames(&mut venue, again).len(), 4);
}

#[test]
fn a_restart_after_acceptance_breaks_the_answer_and_keeps_the_order() {
    let mut venue = Venue::quoted();
    spot_stream(&mut venue);
    let rule = Rule::on_frame("executionReport", When::Nth(2), Fault::Restart(500));
    venue.server.set_faults(vec![rule]);
    assert_eq!(send(&mut venue).1, Err(Broken));
    assert_eq!(orders(&venue), 1);
}

#[test]
fn frames_are_dropped_doubled_delayed_garbled_or_end_their_stream() {
    let market = |venue: &mut Venue| venue.ok("POST", ORDER, &BUY.replace("=a", "=b"));
    let run = |fault: Fault| {
        let mut venue = Venue::quoted();
        let stream = spot_stream(&mut venue);
        let rule = Rule::on_frame("executionReport", When::Nth(2), fault);
        venue.server.set_faults(vec![rule]);
        market(&mut venue);
        (venue, stream)
    };
    let (mut venue, stream) = run(Fault::DropFrame);
    assert_eq!(frames(&mut venue, stream).len(), 2);
    let (mut venue, stream) = run(Fault::DuplicateFrame);
    let heard = frames(&mut venue, stream);
    assert_eq!(heard.len(), 4);
    assert_eq!(heard[1], heard[2]);
    let (mut venue, stream) = run(Fault::DelayFrame(300));
    assert_eq!(frames(&mut venue, stream).len(), 1);
    venue.later(300);
    let heard = frames(&mut venue, stream);
    assert_eq!(
        (heard.len(), &heard[0]["event"]["x"]),
        (2, &"TRADE".into()),
        "order is kept"
    );
    let (mut venue, stream) = run(Fault::GarbleFrame);
    let texts = venue.server.advance(venue.now);
    let is_json = |delivery: &Delivery| match &delivery.content {
        Content::Text(_, text) => serde_json::from_str::<serde_json::Value>(text).is_ok(),
        _ => false,
    };
    assert_eq!(texts.iter().filter(|text| is_json(text)).count(), 2);
    assert_eq!(texts.len(), 3);
    assert!(venue.server.is_connected(stream));
    let (mut venue, stream) = run(Fault::CloseStream);
    let closed = venue.server.advance(venue.now);
    assert!(
        closed
            .iter()
            .any(|d| d.content == Content::Closed(stream, 1000))
    );
    assert!(!venue.server.is_connected(stream));
    let refuse = Rule {
        target: Target::Connection,
        when: When::Nth(1),
        fault: Fault::RefuseConnection,
    };
    venue.server.set_faults(vec![refuse]);
    assert_eq!(
        venue
            .server
            .connect(venue.now, "/ws-api/v3")
            .unwrap_err()
            .status,
        503
    );
    venue.server.connect(venue.now, "/ws-api/v3").unwrap();
}

fn set(venue: &mut Venue, behavior: Behavior) {
    let now = venue.now;
    venue
        .server
        .at(now, |exchange| exchange.set_behavior(behavior));
}

#[test]
fn stale_reads_show_the_account_as_it_was() {
    let mut venue = Venue::quoted();
    set(
        &mut venue,
        Behavior {
            stale_reads_ms: 500,
            ..Behavior::default()
        },
    );
    venue.later(1000);
    let rests = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=36000&newClientOrderId=r";
    let named = "symbol=BTCUSDT&origClientOrderId=r";
    for (path, order, free) in [(ORDER, rests, "balances"), ("/fapi/v1/order", rests, "")] {
        venue.ok("POST", path, order);
        assert_eq!(
            venue.refused("GET", path, named),
            (400, -2013),
            "accepted, and not to be seen"
        );
        let list = path.replace("/order", "/openOrders");
        assert_eq!(
            venue
                .ok("GET", &list, "symbol=BTCUSDT")
                .as_array()
                .unwrap()
                .len(),
            0
        );
        if !free.is_empty() {
            let account = venue.ok("GET", "/api/v3/account", "");
            assert_eq!(account[free][1]["locked"], "0.00000000");
        }
        venue.later(500);
        assert_eq!(venue.ok("GET", path, named)["status"], "NEW");
        venue.ok("DELETE", path, named);
        assert_eq!(venue.ok("GET", path, named)["status"], "NEW");
        venue.later(500);
        assert_eq!(venue.ok("GET", path, named)["status"], "CANCELED");
    }
    venue.ok(
        "POST",
        "/fapi/v1/order",
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.1",
    );
    let risk = venue.ok("GET", "/fapi/v3/positionRisk", "");
    assert_eq!(risk.as_array().unwrap().len(), 0);
    venue.later(500);
    let risk = venue.ok("GET", "/fapi/v3/positionRisk", "");
    assert_eq!(risk[0]["positionAmt"], "0.1");
}

#[test]
fn rows_come_late_and_twice() {
    let mut venue = Venue::quoted();
    set(
        &mut venue,
        Behavior {
            late_rows_ms: 700,
            duplicate_rows: true,
            ..Behavior::default()
        },
    );
    venue.ok("POST", ORDER, BUY);
    venue.ok("POST", "/fapi/v1/order", BUY);
    let paths = ["/api/v3/myTrades", "/fapi/v1/userTrades", "/fapi/v1/income"];
    for path in paths {
        assert_eq!(
            venue
                .ok("GET", path, "symbol=BTCUSDT")
                .as_array()
                .unwrap()
                .len(),
            0,
            "{path}"
        );
    }
    venue.later(700);
    for path in paths {
        let rows = venue.ok("GET", path, "symbol=BTCUSDT");
        assert_eq!(rows.as_array().unwrap().len(), 2, "{path}");
        assert_eq!(rows[0], rows[1]);
    }
}

/// A hundred requests under drawn faults, and everything that reached the client, as text.
fn transcript(seed: u64) -> String {
    let mut settings = settings();
    settings.seed = seed;
    settings.latency = Latency {
        request_ms: 3,
        reply_ms: 4,
        frame_ms: 2,
    };
    let mut venue = Venue::with(settings, funded());
    for product in [Product::Spot, Product::UsdM] {
        venue.rest(product, Side::Buy, "36990", "5");
        venue.rest(product, Side::Sell, "37010", "5");
    }
    spot_stream_late(&mut venue);
    let any = |fault| Rule {
        target: Target::Request {
            method: None,
            path: None,
        },
        when: When::Chance(900),
        fault,
    };
    venue.server.set_faults(vec![
        any(Fault::DropRequest),
        any(Fault::DropReply),
        any(Fault::DelayRequest(40)),
        any(Fault::Garble),
        any(Fault::Reply {
            reply: Failure::UnknownError,
            taken: true,
        }),
        Rule {
            target: Target::Frame { event: None },
            when: When::Chance(1500),
            fault: Fault::DuplicateFrame,
        },
    ]);
    let mut text = String::new();
    for step in 0..100 {
        let side = if step % 2 == 0 { "BUY" } else { "SELL" };
        let path = if step % 3 == 0 {
            "/fapi/v1/order"
        } else {
            ORDER
        };
        let request = venue.signed(
            "POST",
            path,
            &format!("symbol=BTCUSDT&side={side}&type=MARKET&quantity=0.01"),
        );
        venue.server.send(venue.now, request);
        venue.later(13);
        for delivery in venue.server.advance(venue.now) {
            text += &match delivery.content {
                Content::Answer(id, r) => format!(
                    "{:?} {id:?} {} {:?} {}\n",
                    delivery.at,
                    r.status,
                    r.headers,
                    String::from_utf8_lossy(&r.body)
                ),
                other => format!("{:?} {other:?}\n", delivery.at),
            };
        }
    }
    text
}

fn spot_stream_late(venue: &mut Venue) {
    let connection = venue.server.connect(venue.now, "/ws-api/v3").unwrap();
    let stamp = venue.now_ms();
    let key = crate::kit::KEY;
    let signature = crate::kit::sign(
        crate::kit::SECRET,
        &format!("apiKey={key}&timestamp={stamp}"),
    );
    let message = format!(
        r#"{{"id":1,"method":"userDataStream.subscribe.signature","params":{{"apiKey":"{key}","timestamp":{stamp},"signature":"{signature}"}}}}"#
    );
    venue.server.send_text(venue.now, connection, &message);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let first = transcript(3);
    assert_eq!(first, transcript(3));
    assert_ne!(first, transcript(4));
    assert!(
        first.contains("executionReport") && first.contains("Broken"),
        "{first}"
    );
}
