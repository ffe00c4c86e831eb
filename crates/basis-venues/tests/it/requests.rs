//! Every recorded request of the official SDKs and CCXT: ours has the same method, path and parameters, or
//! the table says why not.

use std::collections::BTreeMap;

use basis_core::instruction::{Instruction, Operation};
use basis_core::num::{Bps, Price};
use basis_core::rules::RuleSnapshot;
use basis_core::types::{Asset, BookId, ClientOrderId, InstructionId, InstrumentKind, Timestamp};
use basis_venues::binance::codec::reads::{self, FillsOf, Range};
use basis_venues::binance::codec::{
    Collar, Context, Draft, KnownOrder, Masked, Network, OrderRef, Product, Stamp, open_orders,
    query, requests, set_position_mode,
};
use serde_json::{Value, json};

use crate::vectors::{BINANCE, BTC, account, file, rules};

const CLOCK_MS: i64 = 1_700_000_000_000;

/// What ours is compared with.
enum Ours {
    /// The same request.
    Same(Vec<Draft>),
    /// The same but for these parameters, which differ for the reason.
    But(&'static [&'static str], &'static str, Vec<Draft>),
    /// Not an operation of ours, for the reason.
    Not(&'static str),
}

/// Everything that makes requests in these tests.
struct Bench {
    rules: RuleSnapshot,
    book: BookId,
}

impl Bench {
    fn drafts(&self, operation: Value, order: Option<&KnownOrder>) -> Vec<Draft> {
        self.attempt(operation, order).unwrap()
    }

    fn attempt(&self, operation: Value, order: Option<&KnownOrder>) -> Result<Vec<Draft>, String> {
        let operation: Operation = serde_json::from_value(operation).unwrap();
        let instruction = Instruction::new(InstructionId::plain(2), operation);
        let collar = Collar {
            reference: Price::literal("37000"),
            width: Bps::literal("50"),
        };
        let context = Context {
            book: self.book,
            rules: &self.rules,
            collar: Some(collar),
            order,
            withdrawal: None,
        };
        requests(BINANCE, &instruction, &context).map_err(|e| e.to_string())
    }

    fn order(&self, kind: &str, side: &str, quantity: &str, more: Value) -> Vec<Draft> {
        self.drafts(trade(kind, side, quantity, more), None)
    }

    fn known(kind: InstrumentKind, side: &str) -> KnownOrder {
        let more = json!({"limit_price": "36000", "order_type": "limit"});
        let name = if kind == InstrumentKind::Spot {
            "spot_trade"
        } else {
            "perp_trade"
        };
        let operation = serde_json::from_value(trade(name, side, "0.01", more)).unwrap();
        match operation {
            Operation::SpotTrade(trade) => KnownOrder::of_spot(InstructionId::plain(1), &trade),
            Operation::PerpTrade(trade) => KnownOrder::of_perp(InstructionId::plain(1), &trade),
            other => panic!("{other:?}"),
        }
        .unwrap()
    }

    /// What ours is for a recorded case.
    fn ours(&self, case: &str) -> Ours {
        use Ours::{But, Not, Same};
        const COLLARED: &[&str] = &["type", "timeInForce", "price"];
        const COLLAR: &str =
            "a market order leaves as an IOC limit at the collar, so that it cannot fill anywhere";
        const OWN_ID: &str =
            "an order is named by our client id, which is known before the venue answers";
        let limit = |price: &str, more: Value| {
            let mut fields = json!({"order_type": "limit", "limit_price": price});
            fields
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            fields
        };
        let market = || json!({"order_type": "market"});
        let rules = |kind| self.rules.instrument(kind, BTC).unwrap();
        let (spot, perp) = (rules(InstrumentKind::Spot), rules(InstrumentKind::Perp));
        let id = OrderRef::Client(ClientOrderId::derive(self.book, InstructionId::plain(1)));
        let range = |from: i64, rows: u32| Range {
            from: Some(Timestamp::from_millis(from)),
            to: None,
            rows: Some(rows),
        };
        let leverage =
            json!({"set_leverage": {"symbol": "BTCUSDT", "leverage": "5", "margin_mode": "cross"}});
        match case {
            "spot.market.buy.base" => But(
                COLLARED,
                COLLAR,
                self.order("spot_trade", "buy", "0.01", market()),
            ),
            "spot.market.sell" => But(
                COLLARED,
                COLLAR,
                self.order("spot_trade", "sell", "0.01", market()),
            ),
            "perp.market.buy" => But(
                COLLARED,
                COLLAR,
                self.order("perp_trade", "buy", "0.01", market()),
            ),
            "perp.market.sell.reduce" => {
                let reduce = json!({"order_type": "market", "reduce_only": true});
                But(
                    COLLARED,
                    COLLAR,
                    self.order("perp_trade", "sell", "0.01", reduce),
                )
            }
            "spot.limit.gtc"
            | "spot.limit.gtc.clientid"
            | "spot.limit.gtc@demo"
            | "spot.limit.gtc@testnet" => {
                Same(self.order("spot_trade", "buy", "0.01", limit("36000", json!({}))))
            }
            "spot.limit.postonly" => {
                let terms = limit("36000", json!({"time_in_force": "post_only"}));
                Same(self.order("spot_trade", "buy", "0.01", terms))
            }
            "perp.limit.gtc" | "perp.limit.gtc.clientid" => {
                Same(self.order("perp_trade", "sell", "0.01", limit("38000", json!({}))))
            }
            "perp.limit.ioc" => {
                let terms = limit("37000", json!({"time_in_force": "ioc"}));
                Same(self.order("perp_trade", "sell", "0.01", terms))
            }
            "perp.limit.fok" => {
                let terms = limit("37000", json!({"time_in_force": "fok"}));
                Same(self.order("perp_trade", "sell", "0.01", terms))
            }
            "perp.limit.hedge.explicit" => {
                let terms = limit("38000", json!({"position_side": "short"}));
                Same(self.order("perp_trade", "sell", "0.01", terms))
            }
            "spot.cancel.clientid" => {
                let cancel = json!({"cancel_order": {"symbol": "BTCUSDT", "order": 1}});
                Same(self.drafts(cancel, Some(&Self::known(InstrumentKind::Spot, "buy"))))
            }
            "spot.amend" => {
                let amend = json!({"amend_order":
                    {"symbol": "BTCUSDT", "order": 1, "quantity": "0.02", "limit_price": "36100"}});
                let differ = &[
                    "cancelOrderId",
                    "cancelOrigClientOrderId",
                    "cancelRestrictions",
                ];
                let reason = "named by our client id; and replaced only while nothing of it has filled, for a \
                              fill that meets the replacement would be bought twice";
                But(
                    differ,
                    reason,
                    self.drafts(amend, Some(&Self::known(InstrumentKind::Spot, "buy"))),
                )
            }
            "perp.amend" => {
                let amend = json!({"amend_order":
                    {"symbol": "BTCUSDT", "order": 1, "quantity": "0.02", "limit_price": "38100"}});
                let drafts = self.drafts(amend, Some(&Self::known(InstrumentKind::Perp, "sell")));
                But(&["orderId", "origClientOrderId"], OWN_ID, drafts)
            }
            "perp.order.clientid" => Same(vec![query(perp, &id)]),
            "spot.closed" => Same(vec![reads::all_orders(spot, Range::default())]),
            "spot.trades" => Same(vec![reads::fills(
                spot,
                FillsOf::Between(range(1_699_996_400_000, 50)),
            )]),
            "spot.balance" => But(
                &["omitZeroBalances"],
                "thousands of assets are zero",
                vec![reads::balances(Product::Spot)],
            ),
            "spot.balance.nonzero" => Same(vec![reads::balances(Product::Spot)]),
            "spot.open.all" => Same(vec![open_orders(Product::Spot)]),
            "perp.open.all" => Same(vec![open_orders(Product::UsdM)]),
            "spot.commission" => Same(vec![reads::fee_rates(spot)]),
            "perp.commission.raw" => Same(vec![reads::fee_rates(perp)]),
            "perp.leverage.get" => Same(vec![reads::tiers(None), reads::symbol_config(None)]),
            "perp.positions@demo" => Same(vec![reads::tiers(None), reads::positions(None)]),
            "perp.positionriskv3.raw" => Same(vec![reads::positions(Some(perp))]),
            "perp.margin.cross" | "perp.margin.cross.raw" => {
                let mut drafts = self.drafts(leverage, None);
                drafts.truncate(1);
                Same(drafts)
            }
            "perp.posmode.hedge" => Same(vec![set_position_mode(true)]),
            "perp.posmode.oneway" => Same(vec![set_position_mode(false)]),
            "perp.posmode.get" => Same(vec![reads::position_mode()]),
            "perp.funding.income" => Same(vec![reads::funding_payments(
                perp,
                range(1_699_913_600_000, 10),
            )]),
            "perp.funding.interval" | "perp.fundinginfo.raw" => {
                Same(vec![reads::funding_intervals()])
            }
            "perp.mark" => Same(vec![reads::mark_price(perp)]),
            "wallet.deposits" => Same(vec![reads::deposits(
                Asset::literal("USDT"),
                Range::default(),
            )]),
            "wallet.deposit.address.arbitrum" => Same(vec![reads::deposit_address(
                Asset::literal("USDT"),
                "ARBITRUM",
            )]),
            "wallet.transfer.legacy.in" => Same(self.drafts(
                json!({"transfer": {"asset": "USDT", "amount": "25",
                    "from": account("spot"), "to": account("usdm")}}),
                None,
            )),
            "spot.limit.tiny" => {
                Not("0.36 USDT is below the minimum notional, which is refused here")
            }
            "spot.cancel.all" | "perp.cancel.many" => {
                Not("only our own orders are cancelled, one by one")
            }
            "perp.stop.market" | "perp.stop.closeposition" => Not("no instruction is conditional"),
            "perp.limit.gtd" => Not("no instruction has an end of its own: time is the engine's"),
            "perp.open.one" => {
                Not("it says `does not exist` of a filled order too: `order` is asked instead")
            }
            "perp.countdown.raw" => Not("a dead-man switch cancels orders that are not ours"),
            "perp.multiassets.raw" => Not("the asset mode is not read on its own"),
            "perp.adl.raw" => Not("the place in the ADL queue decides nothing here"),
            other => panic!("{other} is not in the table: is it one of our operations?"),
        }
    }
}

fn trade(kind: &str, side: &str, quantity: &str, more: Value) -> Value {
    let mut fields = json!({"symbol": "BTCUSDT", "side": side, "quantity": quantity});
    fields
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!({ kind: fields })
}

/// Method, host, path and parameters, what every request has of its own left out and ids made alike.
type Comparable = (String, String, String, BTreeMap<String, Value>);

fn comparable(draft: &Draft, network: Network) -> Comparable {
    let stamp = Stamp::new(Timestamp::from_millis(CLOCK_MS));
    let request = draft.finish(network, stamp, &Masked::default()).unwrap();
    let (place, query) = request.url.split_once('?').unwrap_or((&request.url, ""));
    let host = place.strip_suffix(draft.path).unwrap().to_owned();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let params = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap();
        assert!(!value.contains('%'), "{pair}");
        (name.to_owned(), Value::from(value))
    });
    let params = params.collect();
    (
        request.method.to_owned(),
        host,
        draft.path.to_owned(),
        normalised(params),
    )
}

fn normalised(mut params: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    for own in [
        "recvWindow",
        "signature",
        "timestamp",
        "newClientOrderId",
        "newOrderRespType",
    ] {
        params.remove(own);
    }
    if let Some(id) = params.get_mut("origClientOrderId") {
        *id = Value::from("an id");
    }
    params
}

#[test]
fn every_recorded_request_is_ours_or_has_a_reason() {
    let (Some(text), Some(rules)) = (file("requests/binance.json"), rules()) else {
        return;
    };
    let bench = Bench {
        rules,
        book: BookId::from_number(7),
    };
    let recorded: Value = serde_json::from_str(&text).unwrap();
    let (mut same, mut but, mut not) = (0, 0, 0);
    for case in recorded["cases"].as_array().unwrap() {
        let name = case["id"].as_str().unwrap();
        let (differing, drafts): (&[&str], _) = match bench.ours(name) {
            Ours::Same(drafts) => {
                same += 1;
                (&[], drafts)
            }
            Ours::But(differing, reason, drafts) => {
                assert!(!reason.is_empty());
                but += 1;
                (differing, drafts)
            }
            Ours::Not(reason) => {
                assert!(!reason.is_empty());
                not += 1;
                continue;
            }
        };
        let is_demo = name.ends_with("@demo");
        let network = if is_demo {
            Network::Demo
        } else {
            Network::Live
        };
        // The testnet of spot is another network than the demo that is traded on here.
        let compare_host = !name.ends_with("@testnet");
        let ours = drafts.iter().map(|draft| {
            let (method, host, path, mut params) = comparable(draft, network);
            params.retain(|key, _| !differing.contains(&key.as_str()));
            (
                method,
                if compare_host { host } else { String::new() },
                path,
                params,
            )
        });
        let ours: Vec<_> = ours.collect();
        let variants = case["variants"].as_array().unwrap();
        let mut matching = 0;
        for variant in variants
            .iter()
            .filter(|variant| variant["do_not_expect"].is_null())
        {
            let theirs = variant["requests"]
                .as_array()
                .unwrap()
                .iter()
                .map(|request| {
                    let text = |key: &str| request[key].as_str().unwrap().to_owned();
                    let params = request["params_normalised"].as_object().unwrap();
                    let mut params = normalised(params.clone().into_iter().collect());
                    params.retain(|key, _| !differing.contains(&key.as_str()));
                    let host = if compare_host {
                        text("base")
                    } else {
                        String::new()
                    };
                    (text("method"), host, text("path"), params)
                });
            let theirs: Vec<_> = theirs.collect();
            if ours == theirs {
                matching += 1;
            } else {
                // Where the clients disagree, the venue's documentation decides: base units are `quantity`.
                assert_eq!(
                    case["agree"],
                    Value::Bool(false),
                    "{name}: {ours:#?} {theirs:#?}"
                );
            }
        }
        assert!(matching > 0, "{name}: {ours:#?}");
    }
    assert_eq!((same, but, not), (34, 7, 10));
}

#[test]
fn quantities_round_down_and_prices_never_against_the_instruction() {
    let Some(rules) = rules() else { return };
    let bench = Bench {
        rules,
        book: BookId::from_number(7),
    };
    let sent = |side: &str| {
        let terms = json!({"order_type": "limit", "limit_price": "36000.019"});
        let drafts = bench.order("spot_trade", side, "0.0123459", terms);
        let (_, _, _, params) = comparable(&drafts[0], Network::Live);
        (params["quantity"].clone(), params["price"].clone())
    };
    assert_eq!(sent("buy"), (json!("0.01234"), json!("36000.01")));
    assert_eq!(sent("sell"), (json!("0.01234"), json!("36000.02")));
    let collared = |side: &str| {
        let drafts = bench.order("perp_trade", side, "0.01", json!({"order_type": "market"}));
        let (_, _, _, params) = comparable(&drafts[0], Network::Live);
        (params["price"].clone(), params["timeInForce"].clone())
    };
    assert_eq!(collared("buy"), (json!("37185"), json!("IOC")));
    assert_eq!(collared("sell"), (json!("36815"), json!("IOC")));
}

#[test]
fn what_the_venue_would_refuse_is_refused_here_by_name_value_and_bound() {
    let Some(rules) = rules() else { return };
    let bench = Bench {
        rules,
        book: BookId::from_number(7),
    };
    let refused = |operation: Value, order: Option<&KnownOrder>, parts: &[&str]| {
        let message = bench.attempt(operation, order).unwrap_err();
        for part in parts {
            assert!(message.contains(part), "{part}: {message}");
        }
    };
    let limit = |price: &str| json!({"order_type": "limit", "limit_price": price});
    let order = |kind: &str, quantity: &str, more: Value| trade(kind, "buy", quantity, more);
    refused(
        order("spot_trade", "0.000001", limit("36000")),
        None,
        &["0.000001 BTC", "LOT_SIZE", "0.00001"],
    );
    refused(
        order("spot_trade", "9001", limit("36000")),
        None,
        &["9001 BTC", "LOT_SIZE", "maximum of 9000"],
    );
    refused(
        order("spot_trade", "0.00001", limit("36000")),
        None,
        &["0.36", "NOTIONAL", "minimum of 5 USDT"],
    );
    refused(
        order("spot_trade", "1", limit("0.001")),
        None,
        &["0.001", "PRICE_FILTER", "0.01"],
    );
    refused(
        order("spot_trade", "0", limit("36000")),
        None,
        &["LOT_SIZE", "above zero"],
    );
    refused(
        order("spot_trade", "1", json!({"order_type": "limit"})),
        None,
        &["PRICE_FILTER", "limit_price"],
    );
    refused(
        order("perp_trade", "0.001", limit("100")),
        None,
        &["0.1", "MIN_NOTIONAL"],
    );
    let hedge = json!({"order_type": "market", "reduce_only": true, "position_side": "short"});
    refused(
        order("perp_trade", "1", hedge),
        None,
        &["reduce_only", "position_side"],
    );
    let post = json!({"order_type": "market", "time_in_force": "post_only"});
    refused(order("spot_trade", "1", post), None, &["post_only"]);
    let symbol = json!({"spot_trade": {"symbol": "NOPEUSDT", "side": "buy", "quantity": "1", "order_type": "market"}});
    refused(symbol, None, &["the rules list no spot NOPEUSDT"]);
    let leverage =
        |leverage: &str| json!({"set_leverage": {"symbol": "BTCUSDT", "leverage": leverage}});
    refused(
        leverage("2.5"),
        None,
        &["leverage 2.5", "whole number from 1 to"],
    );
    refused(
        leverage("126"),
        None,
        &["leverage 126", "whole number from 1 to"],
    );
    // Reduce-only orders skip the minimum notional.
    let small = json!({"order_type": "limit", "limit_price": "100", "reduce_only": true});
    assert!(
        bench
            .attempt(order("perp_trade", "0.001", small), None)
            .is_ok()
    );

    let amend = |quantity: &str| json!({"amend_order": {"symbol": "BTCUSDT", "order": 1, "quantity": quantity}});
    refused(amend("1"), None, &["no resting order of instruction 1"]);
    let mut known = Bench::known(InstrumentKind::Spot, "buy");
    known.filled = basis_core::num::Quantity::literal("0.004");
    refused(
        amend("0.004"),
        Some(&known),
        &["0.004", "would cancel the order"],
    );
    refused(
        amend("0.02"),
        Some(&known),
        &["filled 0.004 of 0.01", "cancel it"],
    );
    // It may still shrink: that keeps its place, and its id.
    let drafts = bench.drafts(amend("0.005"), Some(&known));
    assert_eq!(drafts[0].path, "/api/v3/order/amend/keepPriority");
    let pairs = drafts[0].params.pairs();
    let value = |name: &str| {
        pairs
            .iter()
            .find(|(key, _)| *key == name)
            .unwrap()
            .1
            .clone()
    };
    assert_eq!(value("newClientOrderId"), value("origClientOrderId"));
    let transfer = |from: &str, to: Value| json!({"transfer": {"asset": "USDT", "amount": "25", "from": account(from), "to": to}});
    let wallet = json!({"venue": "wallet", "name": "main"});
    refused(
        transfer("spot", wallet.clone()),
        None,
        &["withdrawals are off"],
    );
    refused(
        transfer("usdm", wallet),
        None,
        &["withdrawals leave from binance.spot"],
    );
    refused(
        transfer("spot", json!(account("spot"))),
        None,
        &["cannot transfer to itself"],
    );
    refused(
        transfer("margin", json!(account("spot"))),
        None,
        &["`margin` is no account"],
    );
    let stake = json!({"stake": {"asset_in": "ETH", "asset_out": "wstETH", "amount": "1"}});
    refused(stake, None, &["does not execute stake"]);
}
