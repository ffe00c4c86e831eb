//! Every recorded request of pybit and CCXT: ours, or a reason why not.

use basis_core::types::{Asset, BookId, ClientOrderId, InstructionId, InstrumentKind, Timestamp};
use basis_venues::bybit::codec::{
    Category, Network, cancel_on_disconnect, finish, finish_at, open_orders_of, order_history,
    query, reads, set_margin_mode, set_position_mode,
};
use basis_venues::wire::{Masked, NamedOrder, Range, Stamp};
use serde_json::{Value, json};

use super::{account, bench};
use crate::bench::Bench;
use crate::compare::{Comparison, Ours, limit, trade};
use crate::vectors::BTC;

const COLLARED: &[&str] = &["orderType", "price", "timeInForce", "marketUnit"];
const COLLAR: &str = "a market order leaves as an IOC limit at the collar, in base units, so that it cannot fill anywhere";
const BY_ID: &[&str] = &["orderId", "orderLinkId", "orderFilter"];
const OWN_ID: &str = "an order is named by our client id, which is known before the venue answers";

fn order(bench: &Bench, case: &str) -> Option<Ours> {
    use Ours::{But, Same};
    let order = |kind: &str, side: &str, more: Value| bench.drafts(trade(kind, side, "0.01", more));
    let market = || json!({"order_type": "market"});
    let timed = |price: &str, time: &str| limit(price, json!({"time_in_force": time}));
    let ours = match case {
        "spot.market.buy.base" => But(COLLARED, COLLAR, order("spot_trade", "buy", market())),
        "spot.market.sell" => But(COLLARED, COLLAR, order("spot_trade", "sell", market())),
        "perp.market.buy" => But(COLLARED, COLLAR, order("perp_trade", "buy", market())),
        "perp.market.sell.reduce" => {
            let reduce = json!({"order_type": "market", "reduce_only": true});
            But(COLLARED, COLLAR, order("perp_trade", "sell", reduce))
        }
        "spot.limit.gtc" | "spot.limit.gtc@testnet" => {
            Same(order("spot_trade", "buy", limit("36000", json!({}))))
        }
        "spot.limit.gtc.explicit" => But(
            &["timeInForce"],
            "good till cancelled is the venue's default, and not sent",
            order("spot_trade", "buy", limit("36000", json!({}))),
        ),
        "spot.limit.ioc" => Same(order("spot_trade", "buy", timed("36000", "ioc"))),
        "spot.limit.postonly" => Same(order("spot_trade", "buy", timed("36000", "post_only"))),
        "perp.limit.gtc"
        | "perp.limit.gtc.clientid"
        | "perp.limit.gtc@demo"
        | "perp.limit.gtc@testnet" => Same(order("perp_trade", "sell", limit("38000", json!({})))),
        "perp.limit.ioc" => Same(order("perp_trade", "sell", timed("37000", "ioc"))),
        "perp.limit.fok" => Same(order("perp_trade", "sell", timed("37000", "fok"))),
        "perp.limit.postonly" => Same(order("perp_trade", "sell", timed("38000", "post_only"))),
        "perp.limit.hedge.short" => {
            let terms = limit("38000", json!({"position_side": "short"}));
            Same(order("perp_trade", "sell", terms))
        }
        _ => return None,
    };
    Some(ours)
}

fn change(bench: &Bench, case: &str) -> Option<Ours> {
    use Ours::{But, Same};
    let known = |kind: &str, operation: Value| {
        bench
            .attempt(operation, Some(&Bench::known(kind, "buy")))
            .unwrap()
    };
    let cancel = || json!({"cancel_order": {"symbol": "BTCUSDT", "order": 1}});
    let transfer = |from: &str, to: &str| {
        bench.drafts(json!({"transfer": {"asset": "USDT", "amount": "25",
            "from": account(from), "to": account(to)}}))
    };
    let perp = bench.rules.instrument(InstrumentKind::Perp, BTC).unwrap();
    let ours = match case {
        "spot.cancel.id" => But(BY_ID, OWN_ID, known("spot_trade", cancel())),
        "spot.cancel.clientid" => Same(known("spot_trade", cancel())),
        "spot.amend" => {
            let amend = json!({"amend_order": {"symbol": "BTCUSDT", "order": 1, "quantity": "0.02",
                "limit_price": "36100"}});
            But(BY_ID, OWN_ID, known("spot_trade", amend))
        }
        "perp.amend.clientid" => {
            let amend =
                json!({"amend_order": {"symbol": "BTCUSDT", "order": 1, "limit_price": "38100"}});
            Same(known("perp_trade", amend))
        }
        "perp.posmode.oneway" => Same(vec![set_position_mode(perp, false)]),
        "perp.marginmode.raw" => Same(vec![set_margin_mode(
            basis_core::instruction::MarginMode::Cross,
        )]),
        "perp.cancel.after" => Same(vec![cancel_on_disconnect(Category::Linear, 60).unwrap()]),
        "perp.dcp.raw" => Same(vec![cancel_on_disconnect(Category::Linear, 40).unwrap()]),
        "wallet.transfer.fund.unified" => Same(transfer("funding", "unified")),
        "wallet.transfer.unified.fund" => Same(transfer("unified", "funding")),
        _ => return None,
    };
    Some(ours)
}

fn read(bench: &Bench, case: &str) -> Ours {
    use Ours::{But, Not, Same};
    let rules = |kind| bench.rules.instrument(kind, BTC).unwrap();
    let (spot, perp) = (rules(InstrumentKind::Spot), rules(InstrumentKind::Perp));
    let book = BookId::from_number(Bench::BOOK);
    let id = NamedOrder::Client(ClientOrderId::derive(book, InstructionId::plain(1)));
    let number = NamedOrder::Venue("1234567890".to_owned());
    let (all, usdt) = (Range::default(), Asset::literal("USDT"));
    match case {
        "spot.open" => Same(vec![open_orders_of(spot, &all)]),
        "perp.open" => Same(vec![open_orders_of(perp, &all)]),
        "spot.closed" => But(
            &["orderStatus"],
            "orders are asked for whatever became of them",
            vec![reads::closed_orders(spot, &all)],
        ),
        "perp.closed" => But(
            &["orderStatus"],
            "orders are asked for whatever became of them",
            vec![reads::closed_orders(perp, &all)],
        ),
        "spot.order.id" | "spot.order.id.ack" => Same(vec![query(spot, &number)]),
        "spot.order.clientid" => Same(vec![query(spot, &id)]),
        "perp.order.clientid" => Same(vec![query(perp, &id)]),
        "perp.order.history.clientid" => Same(vec![order_history(Category::Linear, &id)]),
        "spot.balance" | "perp.balance" => Same(vec![reads::balances()]),
        "spot.fee" => Same(vec![reads::fee_rates(spot)]),
        "perp.fee" => Same(vec![reads::fee_rates(perp)]),
        "spot.book" => Same(vec![reads::book(spot, 5)]),
        "spot.ticker" => Same(vec![reads::ticker(spot)]),
        "perp.funding" => Same(vec![reads::ticker(perp)]),
        "perp.position" | "perp.leverage.get" => Same(vec![reads::position(perp)]),
        "perp.funding.income" | "perp.txlog.raw" => Same(vec![reads::funding_payments(&all)]),
        "wallet.transfers" => Same(vec![reads::transfers(usdt, &all)]),
        "wallet.withdrawals" => Same(vec![reads::withdrawals(usdt, &all)]),
        "wallet.currencies" => Same(vec![reads::coins(Some(usdt))]),
        "wallet.transferable.raw" => Same(vec![reads::withdrawable(usdt)]),
        "server.time" => Same(vec![reads::server_time()]),
        "spot.instruments" => Same(vec![reads::instrument(spot)]),
        "spot.stop.limit" | "perp.stop.market" => Not("no instruction is conditional"),
        "perp.batch" => Not("orders leave one by one, each with an answer of its own"),
        "perp.cancel.many" => Not("only our own orders are cancelled, one by one"),
        "perp.close" => Not("a position is closed by an order of its size, which is known"),
        "perp.openinterest" => Not("open interest decides nothing here"),
        "spot.order.clientid.ack" | "perp.switchisolated.raw" => {
            Not("no client's request is right: the material says so itself")
        }
        other => panic!("{other} is not in the table: is it one of our operations?"),
    }
}

#[test]
fn every_recorded_request_is_ours_or_has_a_reason() {
    let Some(bench) = bench() else { return };
    let comparison = Comparison {
        file: "requests/bybit.json",
        finish: &|draft, case| {
            let stamp = Stamp::new(Timestamp::from_millis(1_700_000_000_000));
            let signer = Masked::default();
            match case.rsplit_once('@') {
                Some((_, "demo")) => finish(draft, Network::Demo, stamp, &signer).unwrap(),
                // The testnet is another network than the demo that is traded on here.
                Some(_) => finish_at(draft, "https://api-testnet.bybit.com", stamp, &signer),
                None => finish(draft, Network::Live, stamp, &signer).unwrap(),
            }
        },
        own: &[
            ("/v5/asset/transfer/inter-transfer", "transferId"),
            // Clients that were given no id of an order send none; every order of ours has one.
            ("/v5/order/create", "orderLinkId"),
        ],
        id: "orderLinkId",
        hosts: &[],
        paths: &[],
    };
    let ours = |case: &str| {
        let ours = order(&bench, case).or_else(|| change(&bench, case));
        ours.unwrap_or_else(|| read(&bench, case))
    };
    let counts = comparison.run(ours);
    assert_eq!(counts, Some((44, 8, 8)));
}
