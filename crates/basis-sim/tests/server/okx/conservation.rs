//! Nothing is made and nothing is lost, whatever is traded.

use basis_core::num::Quantity;
use basis_core::types::{Asset, Side};
use basis_sim::server::okx::{Category, HOUSE};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::kit::{Okx, SPOT, SWAP, limit, market, with};
use crate::kit::{BTC, BTCUSDT, USDT, q};

/// All of a coin: of the account, of the house, and what was taken in fees.
fn total(venue: &Okx, coin: Asset) -> Quantity {
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

fn cancel_all(venue: &mut Okx) {
    let open = venue.get("/api/v5/trade/orders-pending", "");
    for row in open {
        let named: Value = json!({ "instId": row["instId"], "ordId": row["ordId"] });
        venue.ok("/api/v5/trade/cancel-order", &named);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn prop_coins_positions_and_bills_add_up(
        steps in proptest::collection::vec((0_u8..7, 1_u32..60, 36_900_u32..37_100), 1..40),
    ) {
        let mut venue = Okx::quoted();
        let before = (total(&venue, USDT), total(&venue, BTC));
        for (kind, hundredths, price) in steps {
            let (category, name) = if kind % 2 == 0 { (Category::Spot, SPOT) } else { (Category::Linear, SWAP) };
            let quantity = format!("0.{hundredths:02}");
            let size = if name == SPOT { quantity.clone() } else { hundredths.to_string() };
            let side = if hundredths % 3 == 0 { Side::Buy } else { Side::Sell };
            let word = if side == Side::Buy { "buy" } else { "sell" };
            match kind {
                0..=3 => {
                    let force = ["limit", "ioc", "post_only", "fok"][usize::from(kind)];
                    let fields = limit(name, word, &size, &price.to_string());
                    venue.act("/api/v5/trade/order", &with(fields, &json!({ "ordType": force })));
                }
                4 => venue.trade(category, side, &quantity),
                5 => { venue.act("/api/v5/trade/order", &market(SPOT, word, &quantity)); }
                _ => cancel_all(&mut venue),
            }
            venue.later(2_100);
        }
        let exchange = venue.server.exchange();
        // Results of positions are between the two; what is open is settled at any one price.
        let ours = exchange.position(venue.account, BTCUSDT, 0).perp;
        let theirs = exchange.position(HOUSE, BTCUSDT, 0).perp;
        prop_assert_eq!(ours.quantity.add(theirs.quantity).unwrap(), q("0"));
        let open_cost = Quantity::new(ours.cost.add(theirs.cost).unwrap().get());
        prop_assert_eq!(total(&venue, USDT).add(open_cost.neg().unwrap()).unwrap(), before.0);
        prop_assert_eq!(total(&venue, BTC), before.1);
        for (coin, start) in [(USDT, "100000"), (BTC, "2")] {
            let bills = exchange.transaction_log(venue.account).iter().filter(|row| row.coin == coin);
            let sum = bills.fold(q(start), |sum, row| sum.add(row.change).unwrap());
            prop_assert_eq!(sum, exchange.unified(venue.account, coin).wallet);
        }
        for (_, _, order) in exchange.orders(venue.account) {
            prop_assert!(order.in_quote || order.state.executed <= order.state.quantity);
        }
        // Canceling everything frees everything.
        cancel_all(&mut venue);
        for coin in [USDT, BTC] {
            prop_assert_eq!(venue.server.exchange().unified(venue.account, coin).locked, q("0"));
        }
    }
}
