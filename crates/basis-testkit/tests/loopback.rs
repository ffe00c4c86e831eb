//! The venue on a port of this machine, spoken to over bare sockets.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that meets a wrong value fails there, and a port keeps real time"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::SystemTime;

use basis_core::num::Quantity;
use basis_core::transport::Request;
use basis_core::types::{Asset, Timestamp};
use basis_sim::server::Server;
use basis_sim::server::binance::{AccountSettings, Permissions, Settings, Verifier};
use basis_sim::server::faults::{Fault, Rule, When};
use basis_testkit::{loopback::Loopback, rules};

fn clock() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap())
}

fn venue() -> Loopback {
    let now = clock();
    let rules = rules("binance");
    let mut server = Server::new(Settings::of_rules(rules.at(now), 1), now);
    server.at(now, |venue| {
        let account = venue.add_account(AccountSettings {
            usdm: vec![(Asset::literal("USDT"), Quantity::literal("100"))],
            ..AccountSettings::entry_tier()
        });
        let verifier = Verifier::Hmac(b"secret".to_vec());
        venue.add_key(account, "key", verifier, Permissions::trading());
    });
    Loopback::start(server, clock).unwrap()
}

fn connect(venue: &Loopback) -> TcpStream {
    let address = venue.http_url().replace("http://", "");
    let stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(std::time::Duration::from_secs(20)))
        .unwrap();
    stream
}

/// Reads until the text holds `end`, or the connection ends.
fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !String::from_utf8_lossy(&bytes).contains(end) && stream.read(&mut byte).unwrap() == 1 {
        bytes.push(byte[0]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

const TIME: &str = "GET /api/v3/time HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn requests_follow_each_other_on_a_connection_and_a_fault_breaks_it() {
    let venue = venue();
    let mut stream = connect(&venue);
    for _ in 0..2 {
        stream.write_all(TIME.as_bytes()).unwrap();
        let answer = read_until(&mut stream, "}");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("{\"serverTime\":"), "{answer}");
    }
    venue.with(|server, _| {
        let rule = Rule::on("GET", "/api/v3/time", When::Nth(1), Fault::DropReply);
        server.set_faults(vec![rule]);
    });
    stream.write_all(TIME.as_bytes()).unwrap();
    assert_eq!(
        read_until(&mut stream, "}"),
        "",
        "the connection ends without a byte"
    );
    let mut stream = connect(&venue);
    stream.write_all(TIME.as_bytes()).unwrap();
    assert!(read_until(&mut stream, "}").contains("200 OK"));
}

#[test]
fn a_stream_is_upgraded_answers_and_hears_events() {
    let venue = venue();
    let mut stream = connect(&venue);
    let upgrade = "GET /ws/btcusdt@bookTicker HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    stream.write_all(upgrade.as_bytes()).unwrap();
    let head = read_until(&mut stream, "\r\n\r\n");
    // The key and its answer are those of RFC 6455.
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    let message = br#"{"method":"LIST_SUBSCRIPTIONS","id":9}"#;
    let mut frame = vec![
        0x81,
        0x80 | u8::try_from(message.len()).unwrap(),
        1,
        2,
        3,
        4,
    ];
    frame.extend(
        message
            .iter()
            .zip([1, 2, 3, 4].iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    stream.write_all(&frame).unwrap();
    let answer = read_until(&mut stream, "}");
    assert!(
        answer.contains("btcusdt@bookTicker") && answer.contains("\"id\":9"),
        "{answer}"
    );
    venue.with(|server, now| {
        use basis_core::types::{Side, Symbol};
        use basis_sim::server::binance::Product;
        let (price, quantity) = ("36000".parse().unwrap(), "1".parse().unwrap());
        let rest = |venue: &mut basis_sim::server::binance::Exchange| {
            venue.rest(
                Product::Spot,
                Symbol::literal("BTCUSDT"),
                Side::Buy,
                price,
                quantity,
            )
        };
        server.at(now, rest).unwrap();
    });
    let event = read_until(&mut stream, "}");
    assert!(event.contains("36000.00000000"), "{event}");
    // Ping and pong, then the client goes.
    stream.write_all(&[0x89, 0x80, 0, 0, 0, 0]).unwrap();
    let mut pong = [0; 2];
    stream.read_exact(&mut pong).unwrap();
    assert_eq!(pong, [0x8a, 0]);
}

#[test]
fn the_venue_behind_the_port_is_the_one_in_process() {
    let venue = venue();
    let answer = venue.with(|server, now| {
        let request = Request {
            method: "GET",
            url: "/fapi/v1/time".to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        server.call(now, request).1.unwrap()
    });
    assert_eq!(answer.status, 200);
    let mut stream = connect(&venue);
    let request = "GET /fapi/v1/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 404 Not Found\r\n") && answer.contains("-5000"),
        "{answer}"
    );
}
