//! Every recorded request of OKX's SDK and CCXT: ours, or a reason why not.

use basis_core::types::{Asset, BookId, ClientOrderId, InstructionId, InstrumentKind, Timestamp};
use basis_venues::okx::codec::{
    Network, Product, finish, open_orders_of, query, reads, set_position_mode,
};
use basis_venues::wire::{Masked, NamedOrder, Range, Stamp};
use serde_json::{Value, json};

use super::{account, bench};
use crate::bench::Bench;
use crate::compare::{Comparison, Ours, limit, trade};
use crate::vectors::BTC;

const COLLARED: &[&str] = &["ordType", "px", "tgtCcy"];
const COLLAR: &str = "a market order leaves as an IOC limit at the collar, in base units, so that it cannot fill anywhere";
const BY_ID: &[&str] = &["ordId", "clOrdId"];
const OWN_ID: &str = "an order is named by our client id, which is known before the venue answers";
const ISOLATED: &str = "isolated swaps are refused: the venue's pages contradict one another, and some account levels lack them";

fn order(bench: &Bench, case: &str) -> Option<Ours> {
    use Ours::{But, Same};
    let spot = |side: &str, more: Value| bench.drafts(trade("spot_trade", side, "0.01", more));
    // One contract is 0.01 BTC.
    let swap = |side: &str, more: Value| bench.drafts(trade("perp_trade", side, "0.01", more));
    let market = || json!({"order_type": "market"});
    let timed = |price: &str, time: &str| limit(price, json!({"time_in_force": time}));
    let ours = match case {
        "spot.market.buy.base" => But(COLLARED, COLLAR, spot("buy", market())),
        "spot.market.sell" => But(COLLARED, COLLAR, spot("sell", market())),
        "perp.market.buy" => But(COLLARED, COLLAR, swap("buy", market())),
        "perp.market.sell.reduce" => {
            let reduce = json!({"order_type": "market", "reduce_only": true});
            But(COLLARED, COLLAR, swap("sell", reduce))
        }
        "spot.limit.gtc" | "spot.limit.gtc.clientid" => {
            Same(spot("buy", limit("36000", json!({}))))
        }
        "spot.limit.ioc" => Same(spot("buy", timed("36000", "ioc"))),
        "perp.limit.gtc.clientid" => Same(swap("sell", limit("38000", json!({})))),
        "perp.limit.ioc" => Same(swap("sell", timed("37000", "ioc"))),
        "perp.limit.fok" => Same(swap("sell", timed("37000", "fok"))),
        "perp.limit.hedge.short" | "perp.hedge.posside" => Same(swap(
            "sell",
            limit("38000", json!({"position_side": "short"})),
        )),
        "single.order.raw" => {
            let terms = json!({"time_in_force": "post_only", "reduce_only": true});
            Same(swap("sell", limit("38000", terms)))
        }
        _ => return None,
    };
    // Clients send even one order as a batch: where only they are recorded, path and body differ so.
    Some(ours)
}

fn change(bench: &Bench, case: &str) -> Option<Ours> {
    use Ours::{But, Same};
    let known = |kind: &str, operation: Value| {
        bench
            .attempt(operation, Some(&Bench::known(kind, "buy")))
            .unwrap()
    };
    let amend = |quantity: &str, price: &str| {
        json!({"amend_order": {"symbol": "BTCUSDT", "order": 1, "quantity": quantity,
            "limit_price": price}})
    };
    let ours = match case {
        "spot.cancel.clientid" => {
            let cancel = json!({"cancel_order": {"symbol": "BTCUSDT", "order": 1}});
            Same(known("spot_trade", cancel))
        }
        "spot.amend" => But(BY_ID, OWN_ID, known("spot_trade", amend("0.02", "36100"))),
        // Two contracts.
        "perp.amend" => But(BY_ID, OWN_ID, known("perp_trade", amend("0.02", "38100"))),
        "perp.posmode.hedge" => Same(vec![set_position_mode(true)]),
        "wallet.transfer.trading.fund" => Same(
            bench.drafts(json!({"transfer": {"asset": "USDT", "amount": "25",
                "from": account("trading"), "to": account("funding")}})),
        ),
        _ => return None,
    };
    Some(ours)
}

fn read(bench: &Bench, case: &str) -> Ours {
    use Ours::{But, Not, Same};
    let rules = |kind| bench.rules.instrument(kind, BTC).unwrap();
    let (spot, swap) = (rules(InstrumentKind::Spot), rules(InstrumentKind::Perp));
    let book = BookId::from_number(Bench::BOOK);
    let id = NamedOrder::Client(ClientOrderId::derive(book, InstructionId::plain(1)));
    let number = NamedOrder::Venue("1234567890".to_owned());
    let (all, usdt) = (Range::default(), Asset::literal("USDT"));
    match case {
        "spot.order.id" => Same(vec![query(spot, &number)]),
        "perp.order.clientid" => Same(vec![query(swap, &id)]),
        "spot.open" => Same(vec![open_orders_of(spot, &all)]),
        "perp.closed" => But(
            &["state"],
            "orders are asked for whatever became of them",
            vec![reads::closed_orders(swap, &all)],
        ),
        "perp.trades" => Same(vec![reads::fills(swap, &all)]),
        "spot.balance" | "perp.balance" => Same(vec![reads::balances()]),
        "wallet.balance.funding" => Same(vec![reads::funding_balances()]),
        "spot.fee" => Same(vec![reads::fee_rates(spot)]),
        "spot.book" => Same(vec![reads::book(spot, 5)]),
        "perp.leverage.get" => Same(vec![reads::leverage(swap)]),
        "perp.posmode.get" => Same(vec![reads::account_config()]),
        "perp.position" => Same(vec![reads::positions(Some(swap))]),
        "perp.funding.history" => {
            let range = Range {
                from: Some(Timestamp::from_millis(1_699_913_600_000)),
                rows: Some(10),
                ..Range::default()
            };
            Same(vec![reads::funding_history(swap, &range)])
        }
        "perp.funding.interval" => Same(vec![reads::funding_rate(swap)]),
        "perp.mark" => Same(vec![reads::mark_price(swap)]),
        "perp.tiers.raw" => Same(vec![reads::tiers(swap)]),
        "wallet.withdrawals" => Same(vec![reads::withdrawals(usdt)]),
        "wallet.currencies" => Same(vec![reads::currencies(Some(usdt))]),
        "wallet.transfer.state" => Same(vec![reads::transfer_by_venue_id("1")]),
        "server.time" => Same(vec![reads::server_time()]),
        "spot.instruments" => Same(vec![reads::instruments(Product::Spot)]),
        "spot.limit.rounding" => Not("an order of another instrument, rounded by the client"),
        "perp.batch" => Not("orders leave one by one, each with an answer of its own"),
        "perp.massclose.raw" => Not("a mass cancellation is for makers of options"),
        "perp.margin.isolated.lev" | "perp.leverage.isolated" | "perp.isolated.order" => {
            Not(ISOLATED)
        }
        "account.setlevel.raw" => Not("the account's level is its owner's choice"),
        "wallet.transfer.in" | "wallet.transfer.out" => {
            Not("no client's request is right: the material says so itself")
        }
        other => panic!("{other} is not in the table: is it one of our operations?"),
    }
}

#[test]
fn every_recorded_request_is_ours_or_has_a_reason() {
    let Some(bench) = bench() else { return };
    let comparison = Comparison {
        file: "requests/okx.json",
        finish: &|draft, _case| {
            let stamp = Stamp::new(Timestamp::from_millis(1_700_000_000_000));
            finish(draft, Network::Live, stamp, &Masked::default()).unwrap()
        },
        own: &[
            ("/api/v5/asset/transfer", "clientId"),
            // Clients that were given no id of an order send none; every order of ours has one.
            ("/api/v5/trade/order", "clOrdId"),
        ],
        id: "clOrdId",
        // The documentation names another host than the official SDK; both lead to the same place.
        hosts: &[("https://www.okx.com", "https://openapi.okx.com")],
        // One order may be sent as a batch of one.
        paths: &[("/api/v5/trade/batch-orders", "/api/v5/trade/order")],
    };
    let ours = |case: &str| {
        let ours = order(&bench, case).or_else(|| change(&bench, case));
        ours.unwrap_or_else(|| read(&bench, case))
    };
    let counts = comparison.run(ours);
    assert_eq!(counts, Some((33, 6, 9)));
}
