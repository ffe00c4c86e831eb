//! What an order costs here before a byte leaves: instruction to signed request, and the reply read.

use std::hint::black_box;

use basis_core::instruction::Instruction;
use basis_core::secret::Secret;
use basis_core::types::{BookId, InstructionId, Side, Timestamp};
use basis_testkit::{START, p, rules, spot_market};
use basis_venues::binance::codec::signing::Keys;
use basis_venues::binance::codec::{COLLAR_WIDTH, Collar, Context, Stamp, replies, requests};
use basis_venues::binance::live::BinanceMachine;
use criterion::{Criterion, criterion_group, criterion_main};

const REPLY: &[u8] = br#"{"symbol":"BTCUSDT","orderId":28,"orderListId":-1,"clientOrderId":"000000070s6k2o000000000000001",
"transactTime":1507725176595,"price":"50250.00","origQty":"0.01000000","executedQty":"0.01000000","origQuoteOrderQty":"0",
"cummulativeQuoteQty":"500.00000000","status":"FILLED","timeInForce":"IOC","type":"LIMIT","side":"BUY",
"workingTime":1507725176595,"fills":[{"price":"50000.00","qty":"0.01000000","commission":"0.00001000",
"commissionAsset":"BTC","tradeId":56}],"selfTradePreventionMode":"NONE"}"#;

fn orders(c: &mut Criterion) {
    let secret = |text: &str| Secret::new(text.to_owned());
    let keys = Keys::new(
        secret("name"),
        &secret("a secret of some length for the HMAC key"),
    );
    let keys = keys.expect("invariant: the secret is there");
    let rules = rules("binance");
    let context = Context {
        book: BookId::from_number(7),
        rules: rules.at(START),
        collar: Some(Collar {
            reference: p("50000"),
            width: COLLAR_WIDTH,
        }),
        order: None,
        withdrawal: None,
    };
    let instruction = Instruction::new(InstructionId::plain(1), spot_market(Side::Buy, "0.01"));
    let stamp = Stamp::new(Timestamp::from_seconds(1_704_067_200));
    c.bench_function("binance/build_and_sign", |b| {
        b.iter(|| {
            let drafts = requests(BinanceMachine::VENUE, black_box(&instruction), &context);
            let drafts = drafts.unwrap_or_default();
            let draft = drafts.first();
            draft.map(|draft| draft.finish_at("https://api.binance.com", stamp, &keys))
        });
    });
    c.bench_function("binance/read_reply", |b| {
        b.iter(|| replies::order(black_box(REPLY)));
    });
}

criterion_group!(benches, orders);
criterion_main!(benches);
