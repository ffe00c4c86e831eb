//! Nothing is made and nothing is lost, whatever is traded.

use basis_core::num::Quantity;
use basis_core::types::{Asset, Side};
use basis_sim::server::bybit::{Category, HOUSE};
use proptest::prelude::*;
use serde_json::json;

use super::kit::{Bybit, limit, with};
use crate::kit::{BTC, BTCUSDT, USDT, q};

/// All of a coin: of the account, of the house, and what was taken in fees.
fn total(venue: &Bybit, coin: Asset) -> Quantity {
    let exchange = venue.server.exchange();
    let of = |account| {
        exchange
            .unified(account, coin)
            .wallet
            .add(exchange.fund(account, coin))
            .unwrap()
    };
    let held = of(venue.account).add(of(HOUSE)).unwrap();
    held.add(exchange.fees_taken(coin)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn prop_coins_positions_and_logs_add_up(
        steps in proptest::collection::vec((0_u8..6, 1_u32..60, 36_900_u32..37_100), 1..40),
    ) {
        let mut venue = Bybit::quoted();
        let before = (total(&venue, USDT), total(&venue, BTC));
        for (kind, hundredths, price) in steps {
            let quantity = format!("0.{hundredths:02}");
            let (category, word) = if kind % 2 == 0 { (Category::Spot, "spot") } else { (Category::Linear, "linear") };
            let side = if hundredths % 2 == 0 { Side::Buy } else { Side::Sell };
            let name = if side == Side::Buy { "Buy" } else { "Sell" };
            match kind {
                0..=3 => {
                    let force = ["GTC", "IOC", "PostOnly", "FOK"][usize::from(kind)];
                    let fields = limit(word, name, &quantity, &price.to_string());
                    venue.act("/v5/order/create", &with(fields, &json!({ "timeInForce": force })));
                }
                4 => venue.trade(category, side, &quantity),
                _ => { venue.act("/v5/order/cancel-all", &json!({ "category": word, "symbol": "BTCUSDT" })); }
            }
            venue.later(1_100);
        }
        let exchange = venue.server.exchange();
        // Results of positions are between the two; what is open is settled at any one price.
        let ours = exchange.position(venue.account, BTCUSDT, 0).perp;
        let theirs = exchange.position(HOUSE, BTCUSDT, 0).perp;
        prop_assert_eq!(ours.quantity.add(theirs.quantity).unwrap(), q("0"));
        let open_cost = Quantity::new(ours.cost.add(theirs.cost).unwrap().get());
        prop_assert_eq!(total(&venue, USDT).add(open_cost.neg().unwrap()).unwrap(), before.0);
        prop_assert_eq!(total(&venue, BTC), before.1);
        let changes = exchange.transaction_log(venue.account).iter().filter(|row| row.coin == USDT);
        let sum = changes.fold(q("100000"), |sum, row| sum.add(row.change).unwrap());
        prop_assert_eq!(sum, exchange.unified(venue.account, USDT).wallet);
        for (_, _, order) in exchange.orders(venue.account) {
            prop_assert!(order.state.executed <= order.state.quantity);
        }
        // Canceling everything frees everything.
        for category in ["spot", "linear"] {
            venue.act("/v5/order/cancel-all", &json!({ "category": category, "symbol": "BTCUSDT" }));
        }
        for coin in [USDT, BTC] {
            prop_assert_eq!(venue.server.exchange().unified(venue.account, coin).locked, q("0"));
        }
    }
}
