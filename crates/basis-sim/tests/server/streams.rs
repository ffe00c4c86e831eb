//! User streams, public streams, and the life of their connections.

use basis_core::types::Side;
use basis_sim::server::binance::{Latency, Permissions, Product, Verifier};
use basis_sim::server::{ConnectionId, Content};
use serde_json::{Value, json};

use crate::kit::{BTCUSDT, KEY, SECRET, Venue, funded, settings, sign};
use crate::samples::{differences, sample};

const ORDER: &str = "/api/v3/order";

/// Text frames of a connection that are due by now.
pub(crate) fn frames(venue: &mut Venue, connection: ConnectionId) -> Vec<Value> {
    let deliveries = venue.server.advance(venue.now).into_iter();
    let texts = deliveries.filter_map(|delivery| match delivery.content {
        Content::Text(of, text) if of == connection => Some(serde_json::from_str(&text).unwrap()),
        _ => None,
    });
    texts.collect()
}

/// The USD-M user stream.
pub(crate) fn usdm_stream(venue: &mut Venue) -> ConnectionId {
    let key = venue.ok("POST", "/fapi/v1/listenKey", "");
    let key = key["listenKey"].as_str().unwrap().to_owned();
    venue
        .server
        .connect(venue.now, &format!("/private/ws/{key}"))
        .unwrap()
}

/// The spot user stream over the WebSocket API.
pub(crate) fn spot_stream(venue: &mut Venue) -> ConnectionId {
    let connection = venue.server.connect(venue.now, "/ws-api/v3").unwrap();
    let stamp = venue.now_ms();
    let signature = sign(SECRET, &format!("apiKey={KEY}&timestamp={stamp}"));
    let message = json!({
        "id": "1", "method": "userDataStream.subscribe.signature",
        "params": { "apiKey": KEY, "timestamp": stamp, "signature": signature },
    });
    venue
        .server
        .send_text(venue.now, connection, &message.to_string());
    let answers = frames(venue, connection);
    assert_eq!(
        (&answers[0]["status"], &answers[0]["result"]),
        (&200.into(), &json!({ "subscriptionId": 0 }))
    );
    connection
}

fn has_form(frame: &Value, file: &str, name: &str) {
    if let Some(sample) = sample(file, name) {
        let sample = if sample.is_array() {
            &sample[0]
        } else {
            &sample
        };
        let differences = differences(frame, sample);
        // The samples of futures frames are older than these fields.
        let differences: Vec<_> = differences
            .into_iter()
            .filter(|text| {
                ![".o.er", ".o.pm", ".o.gtd"]
                    .iter()
                    .any(|new| text.starts_with(new))
            })
            .collect();
        assert!(differences.is_empty(), "{name}: {differences:#?}\n{frame}");
    }
}

#[test]
fn the_spot_stream_reports_orders_fills_and_balances() {
    let mut venue = Venue::quoted();
    let stream = spot_stream(&mut venue);
    venue.ok(
        "POST",
        ORDER,
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.1&newClientOrderId=a",
    );
    let heard = frames(&mut venue, stream);
    let kinds: Vec<_> = heard
        .iter()
        .map(|f| {
            (
                f["event"]["e"].as_str().unwrap(),
                f["event"]["x"].as_str().unwrap_or(""),
            )
        })
        .collect();
    assert_eq!(
        kinds,
        [
            ("executionReport", "NEW"),
            ("executionReport", "TRADE"),
            ("outboundAccountPosition", "")
        ]
    );
    let docs = "binance_spot_docs";
    has_form(&heard[0], docs, "user-data-stream.md: Order Update");
    has_form(&heard[1], docs, "user-data-stream.md: Order Update");
    has_form(&heard[2], docs, "user-data-stream.md: Account Update");
    let trade = &heard[1]["event"];
    assert_eq!(
        (&trade["X"], &trade["l"], &trade["n"], &trade["N"]),
        (
            &"FILLED".into(),
            &"0.10000000".into(),
            &"0.00010000".into(),
            &"BTC".into()
        )
    );
    assert_eq!(heard[2]["event"]["B"][1]["f"], "96299.00000000");
    let rests = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=36000&newClientOrderId=b";
    venue.ok("POST", ORDER, rests);
    venue.ok(
        "DELETE",
        ORDER,
        "symbol=BTCUSDT&origClientOrderId=b&newClientOrderId=bye",
    );
    let heard = frames(&mut venue, stream);
    let canceled = heard
        .iter()
        .find(|f| f["event"]["x"] == "CANCELED")
        .unwrap();
    assert_eq!(
        (&canceled["event"]["c"], &canceled["event"]["C"]),
        (&"bye".into(), &"b".into())
    );
    venue.ok(
        "POST",
        "/sapi/v1/asset/transfer",
        "type=MAIN_UMFUTURE&asset=USDT&amount=5",
    );
    let heard = frames(&mut venue, stream);
    has_form(&heard[0], docs, "user-data-stream.md: Balance Update");
    assert_eq!(heard[0]["event"]["d"], "-5.00000000");
}

#[test]
fn the_usdm_stream_reports_in_the_venue_s_order() {
    let mut venue = Venue::quoted();
    let stream = usdm_stream(&mut venue);
    venue.ok(
        "POST",
        "/fapi/v1/order",
        "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.1&newClientOrderId=a",
    );
    let heard = frames(&mut venue, stream);
    let kinds: Vec<_> = heard.iter().map(|f| f["e"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "ORDER_TRADE_UPDATE",
            "TRADE_LITE",
            "ACCOUNT_UPDATE",
            "ORDER_TRADE_UPDATE"
        ]
    );
    let nautilus = "nautilus_binance";
    has_form(
        &heard[3],
        nautilus,
        "futures/user_data_json/order_update_trade.json",
    );
    has_form(
        &heard[2],
        nautilus,
        "futures/user_data_json/account_update.json",
    );
    has_form(
        &heard[1],
        nautilus,
        "futures/user_data_json/trade_lite.json",
    );
    let (update, account) = (&heard[3]["o"], &heard[2]["a"]);
    assert_eq!(
        (&update["X"], &update["ap"], &update["n"]),
        (&"FILLED".into(), &"36990".into(), &"1.84950000".into())
    );
    assert_eq!(
        (&account["m"], &account["P"][0]["pa"]),
        (&"ORDER".into(), &"-0.1".into())
    );
    assert_eq!(account["B"][0]["wb"], "49998.15050000");
    venue.ok(
        "POST",
        "/sapi/v1/asset/transfer",
        "type=MAIN_UMFUTURE&asset=USDT&amount=5",
    );
    let heard = frames(&mut venue, stream);
    assert_eq!(
        (&heard[0]["a"]["m"], &heard[0]["a"]["B"][0]["bc"]),
        (&"DEPOSIT".into(), &"5.00000000".into())
    );
}

#[test]
fn only_an_ed25519_key_logs_on_to_a_session() {
    let mut venue = Venue::new();
    let connection = venue.server.connect(venue.now, "/ws-api/v3").unwrap();
    let stamp = venue.now_ms();
    let ask = |venue: &mut Venue, method: &str, signature: &str| {
        // No more than five messages a second.
        venue.later(250);
        let params = json!({ "apiKey": KEY, "timestamp": stamp, "signature": signature });
        let message = json!({ "id": 7, "method": method, "params": params });
        venue
            .server
            .send_text(venue.now, connection, &message.to_string());
        frames(venue, connection).remove(0)
    };
    let signature = sign(SECRET, &format!("apiKey={KEY}&timestamp={stamp}"));
    let answer = ask(&mut venue, "session.logon", &signature);
    assert_eq!((&answer["status"], &answer["id"]), (&400.into(), &7.into()));
    let answer = ask(&mut venue, "userDataStream.subscribe", "");
    assert_eq!(
        (&answer["status"], &answer["error"]["code"]),
        (&401.into(), &(-2015).into())
    );
    let answer = ask(&mut venue, "userDataStream.subscribe.signature", "00");
    assert_eq!(answer["error"]["code"], -1022);
    let seed = [7_u8; 32];
    let pair = aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let public = aws_lc_rs::signature::KeyPair::public_key(&pair)
        .as_ref()
        .try_into()
        .unwrap();
    let (now, account) = (venue.now, venue.account);
    venue.server.at(now, |exchange| {
        exchange.add_key(
            account,
            KEY,
            Verifier::Ed25519(public),
            Permissions::trading(),
        );
    });
    let signed = pair.sign(format!("apiKey={KEY}&timestamp={stamp}").as_bytes());
    let signature = crate::security::base64_text(signed.as_ref());
    let answer = ask(&mut venue, "session.logon", &signature);
    assert_eq!(
        (&answer["status"], &answer["result"]["apiKey"]),
        (&200.into(), &KEY.into())
    );
    let answer = ask(&mut venue, "userDataStream.subscribe", "");
    assert_eq!(answer["result"]["subscriptionId"], 0);
    let again = ask(&mut venue, "userDataStream.subscribe", "");
    assert_eq!(again["error"]["code"], -2035);
}

#[test]
fn a_listen_key_runs_out_unless_it_is_extended() {
    let mut venue = Venue::quoted();
    assert_eq!(venue.refused("PUT", "/fapi/v1/listenKey", ""), (400, -1125));
    let stream = usdm_stream(&mut venue);
    let mut expired = Vec::new();
    let mut wait = |venue: &mut Venue, steps: usize| {
        for _ in 0..steps {
            venue.later(100_000);
            expired.extend(frames(venue, stream));
            venue.server.pong(venue.now, stream);
        }
    };
    wait(&mut venue, 35);
    venue.ok("PUT", "/fapi/v1/listenKey", "");
    wait(&mut venue, 35);
    venue.ok(
        "POST",
        "/fapi/v1/order",
        "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.1",
    );
    wait(&mut venue, 1);
    venue.ok(
        "POST",
        "/fapi/v1/order",
        "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.1",
    );
    wait(&mut venue, 1);
    let kinds: Vec<_> = expired
        .iter()
        .map(|frame| frame["e"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds.len(),
        5,
        "four of the first order, the end, and no more: {kinds:?}"
    );
    assert_eq!(kinds[4], "listenKeyExpired");
    venue.ok(
        "POST",
        "/fapi/v1/order",
        "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.1",
    );
    assert_eq!(venue.refused("PUT", "/fapi/v1/listenKey", ""), (400, -1125));
}

#[test]
fn depth_frames_follow_each_other_without_a_gap_and_end_at_the_book() {
    for (product, path) in [
        (Product::Spot, "/ws/btcusdt@depth@100ms"),
        (Product::UsdM, "/public/ws/btcusdt@depth"),
    ] {
        let mut venue = Venue::new();
        let stream = venue.server.connect(venue.now, path).unwrap();
        let mut book = std::collections::BTreeMap::new();
        let mut last = None;
        for step in 0..40 {
            let price = (36_990 + step % 7 * 3).to_string();
            let side = if step % 3 == 0 { Side::Sell } else { Side::Buy };
            venue.rest(product, side, &price, "0.5");
            for frame in frames(&mut venue, stream) {
                let first = frame["U"].as_u64().unwrap();
                if let Some(last) = last {
                    assert_eq!(first, last + 1);
                    if product == Product::UsdM {
                        assert_eq!(frame["pu"], last);
                    }
                }
                last = frame["u"].as_u64();
                for (side, name) in [(0, "b"), (1, "a")] {
                    for level in frame[name].as_array().unwrap() {
                        let price = level[0].as_str().unwrap().to_owned();
                        let quantity = level[1].as_str().unwrap().to_owned();
                        book.insert((side, price), quantity);
                    }
                }
            }
        }
        book.retain(|_, quantity| quantity.parse::<f64>().unwrap() > 0.0);
        let path = if product == Product::Spot {
            "/api/v3/depth"
        } else {
            "/fapi/v1/depth"
        };
        let depth = venue.get(&format!("{path}?symbol=BTCUSDT"));
        assert_eq!(depth["lastUpdateId"].as_u64(), last);
        let mut whole = std::collections::BTreeMap::new();
        for (side, name) in [(0, "bids"), (1, "asks")] {
            for level in depth[name].as_array().unwrap() {
                let text = |at: usize| level[at].as_str().unwrap().to_owned();
                whole.insert((side, text(0)), text(1));
            }
        }
        assert_eq!(book, whole);
    }
}

#[test]
fn public_streams_can_be_combined_and_subscribed_to_later() {
    let mut venue = Venue::new();
    let stream = venue
        .server
        .connect(venue.now, "/stream?streams=btcusdt@bookTicker")
        .unwrap();
    venue.rest(Product::Spot, Side::Buy, "36000", "1");
    let heard = frames(&mut venue, stream);
    assert_eq!(
        (&heard[0]["stream"], &heard[0]["data"]["b"]),
        (&"btcusdt@bookTicker".into(), &"36000.00000000".into())
    );
    let say = |venue: &mut Venue, method: &str| {
        let message = json!({ "method": method, "params": ["btcusdt@depth"], "id": 3 });
        venue
            .server
            .send_text(venue.now, stream, &message.to_string());
        frames(venue, stream)
    };
    assert_eq!(
        say(&mut venue, "SUBSCRIBE"),
        [json!({ "result": null, "id": 3 })]
    );
    venue.rest(Product::Spot, Side::Buy, "36001", "1");
    assert_eq!(frames(&mut venue, stream).len(), 2);
    say(&mut venue, "UNSUBSCRIBE");
    venue.rest(Product::Spot, Side::Buy, "36002", "1");
    assert_eq!(frames(&mut venue, stream).len(), 1);
    let marks = venue
        .server
        .connect(venue.now, "/market/ws/btcusdt@markPrice@1s")
        .unwrap();
    let now = venue.now;
    venue
        .server
        .at(now, |exchange| {
            exchange.set_mark(BTCUSDT, crate::kit::p("1"), crate::kit::p("2"))
        })
        .unwrap();
    let heard = frames(&mut venue, marks);
    has_form(
        &heard[0],
        "nautilus_binance",
        "futures/market_data_json/mark_price_stream.json",
    );
    let response = venue.server.connect(venue.now, "/nowhere").unwrap_err();
    assert_eq!(response.status, 404);
}

#[test]
fn a_silent_connection_is_closed_and_so_is_one_of_a_day() {
    let mut venue = Venue::new();
    let stream = venue.server.connect(venue.now, "/ws-api/v3").unwrap();
    venue.later(79_999);
    let pings = venue.server.advance(venue.now);
    assert_eq!(pings.len(), 3, "every 20 seconds: {pings:?}");
    assert!(venue.server.is_connected(stream));
    venue.later(1);
    let closed = venue.server.advance(venue.now);
    assert!(
        closed
            .iter()
            .any(|d| d.content == Content::Closed(stream, 1008)),
        "{closed:?}"
    );
    let stream = venue.server.connect(venue.now, "/ws-api/v3").unwrap();
    let mut closed = None;
    for step in 0..=1440 {
        venue.later(60_000);
        let all = venue.server.advance(venue.now);
        if all
            .iter()
            .any(|d| d.content == Content::Closed(stream, 1001))
        {
            closed = Some(step);
            break;
        }
        venue.server.pong(venue.now, stream);
    }
    assert_eq!(closed, Some(1439));
}

#[test]
fn a_fill_can_arrive_before_its_acknowledgement() {
    let mut settings = settings();
    settings.latency = Latency {
        request_ms: 5,
        reply_ms: 50,
        frame_ms: 1,
    };
    let mut venue = Venue::with(settings, funded());
    venue.rest(Product::UsdM, Side::Buy, "36990", "1");
    let stream = usdm_stream(&mut venue);
    venue.now = venue.server.next_due().unwrap_or(venue.now);
    venue.later(100);
    let request = venue.signed(
        "POST",
        "/fapi/v1/order",
        "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.1",
    );
    let id = venue.server.send(venue.now, request);
    venue.later(200);
    let deliveries = venue.server.advance(venue.now);
    let at = |wanted: &dyn Fn(&Content) -> bool| {
        deliveries.iter().position(|d| wanted(&d.content)).unwrap()
    };
    let fill = at(
        &|content| matches!(content, Content::Text(of, text) if *of == stream && text.contains("\"x\":\"TRADE\"")),
    );
    let answer = at(&|content| matches!(content, Content::Answer(of, _) if *of == id));
    assert!(fill < answer);
    let ms = |at: usize| deliveries[at].at.nanos() / 1_000_000 - (venue.now_ms() - 200);
    assert_eq!((ms(fill), ms(answer)), (6, 55));
}

#[test]
fn a_client_that_says_too_much_or_connects_too_often_is_turned_away() {
    let mut venue = Venue::new();
    for (path, most) in [("/ws/btcusdt@depth", 5), ("/public/ws/btcusdt@depth", 10)] {
        let stream = venue.server.connect(venue.now, path).unwrap();
        let message = r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#;
        for _ in 0..most {
            venue.server.send_text(venue.now, stream, message);
        }
        assert_eq!(frames(&mut venue, stream).len(), most);
        venue.server.send_text(venue.now, stream, message);
        let closed = venue.server.advance(venue.now);
        assert_eq!(closed[0].content, Content::Closed(stream, 1008));
        venue.later(1000);
    }
    let mut refused = 0;
    for _ in 0..300 {
        let result = venue.server.connect(venue.now, "/ws/btcusdt@depth");
        refused += u32::from(result.is_err_and(|response| response.status == 429));
    }
    assert_eq!(refused, 2, "three hundred in five minutes, two were there");
    venue.later(300_000);
    venue
        .server
        .connect(venue.now, "/ws/btcusdt@depth")
        .unwrap();
}

#[test]
fn a_venue_that_is_about_to_restart_says_so() {
    let mut venue = Venue::new();
    let stream = spot_stream(&mut venue);
    let now = venue.now;
    venue
        .server
        .at(now, |exchange| exchange.announce_shutdown());
    let heard = frames(&mut venue, stream);
    has_form(
        &heard[0],
        "binance_spot_docs",
        "web-socket-api.md: Server Shutdown",
    );
}
