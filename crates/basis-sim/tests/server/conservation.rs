//! Nothing comes from nowhere: balances, fees and positions over all accounts, whatever was traded.

use basis_core::num::{Quantity, Rate, Value};
use basis_core::rules::MakerTaker;
use basis_core::types::{Asset, Side};
use basis_sim::server::binance::{AccountSettings, HOUSE, Permissions, Product, Verifier};
use proptest::prelude::*;

use crate::kit::{BNB, BTC, BTCUSDT, SECRET, USDT, Venue, q, settings};

/// Two clients beside the house: one pays in BNB, one has a rebate.
fn venue() -> (Venue, [u32; 3]) {
    let funds = vec![(USDT, q("1000000")), (BTC, q("30")), (BNB, q("0.5"))];
    let first = AccountSettings {
        spot: funds.clone(),
        usdm: funds.clone(),
        spot_bnb_burn: true,
        usdm_bnb_burn: true,
        ..AccountSettings::entry_tier()
    };
    let mut venue = Venue::with(settings(), first);
    let rates = MakerTaker {
        maker: Rate::literal("-0.0001"),
        taker: Rate::literal("0.00037"),
    };
    let now = venue.now;
    let second = venue.server.at(now, |exchange| {
        let account = exchange.add_account(AccountSettings {
            spot: funds.clone(),
            usdm: funds,
            spot_fees: rates,
            usdm_fees: rates,
            ..AccountSettings::default()
        });
        let verifier = Verifier::Hmac(SECRET.into());
        exchange.add_key(account, "second", verifier, Permissions::trading());
        account
    });
    let accounts = [HOUSE, venue.account, second];
    (venue, accounts)
}

fn spot_total(venue: &Venue, accounts: &[u32], asset: Asset) -> Quantity {
    let exchange = venue.server.exchange();
    let balances = accounts
        .iter()
        .map(|account| exchange.spot_balance(*account, asset));
    let mut totals = balances.map(|balance| balance.total().unwrap());
    totals.try_fold(Quantity::ZERO, Quantity::add).unwrap()
}

type Action = (u8, bool, bool, u32, u32, u32);

fn action() -> impl Strategy<Value = Action> {
    (
        0..6_u8,
        any::<bool>(),
        any::<bool>(),
        0..40_u32,
        1..400_u32,
        0..3_u32,
    )
}

/// Sends one order or trades for the house; what is refused changes nothing and is fine.
fn act(venue: &mut Venue, product: Product, action: Action, lot: &str) {
    let (kind, is_buy, is_second, ticks, lots, force) = action;
    let side = if is_buy { "BUY" } else { "SELL" };
    let quantity = q(lot).get().mul_int(i64::from(lots)).unwrap();
    let price = 36_980 + ticks;
    venue.key = if is_second { "second" } else { crate::kit::KEY }.to_owned();
    let path = match product {
        Product::Spot => "/api/v3/order",
        Product::UsdM => "/fapi/v1/order",
    };
    let force = ["GTC", "IOC", "FOK"][usize::try_from(force).unwrap()];
    let terms = format!("symbol=BTCUSDT&side={side}&quantity={quantity}");
    let house = if is_buy { Side::Buy } else { Side::Sell };
    match kind {
        0 => venue.trade(product, house, &quantity.to_string()),
        1 => drop(venue.rest(product, house, &price.to_string(), &quantity.to_string())),
        2 => drop(venue.call("POST", path, &format!("{terms}&type=MARKET"))),
        3 => {
            let open = format!("{}s", path.replace("/order", "/openOrder"));
            let open = open.replace("/fapi/v1/openOrders", "/fapi/v1/allOpenOrders");
            drop(venue.call("DELETE", &open, "symbol=BTCUSDT"));
        }
        _ => {
            let terms = format!("{terms}&type=LIMIT&timeInForce={force}&price={price}");
            drop(venue.call("POST", path, &terms));
        }
    }
    venue.later(7);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn prop_what_spot_buyers_pay_sellers_and_the_venue_get(
        actions in prop::collection::vec(action(), 1..60),
    ) {
        let (mut venue, accounts) = venue();
        let before = [USDT, BTC, BNB].map(|asset| spot_total(&venue, &accounts, asset));
        for action in actions {
            act(&mut venue, Product::Spot, action, "0.00037");
        }
        for (asset, before) in [USDT, BTC, BNB].into_iter().zip(before) {
            let after = spot_total(&venue, &accounts, asset);
            let fees = venue.server.exchange().fees_taken(asset);
            prop_assert_eq!(after.add(fees).unwrap(), before, "{}", asset);
        }
        for account in &accounts[1..] {
            let exchange = venue.server.exchange();
            for asset in [USDT, BTC, BNB] {
                let balance = exchange.spot_balance(*account, asset);
                prop_assert!(!balance.free.is_negative() && !balance.locked.is_negative());
            }
        }
        for key in [crate::kit::KEY, "second"] {
            venue.key = key.to_owned();
            drop(venue.call("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT"));
        }
        for account in &accounts[1..] {
            for asset in [USDT, BTC] {
                let locked = venue.server.exchange().spot_balance(*account, asset).locked;
                prop_assert!(locked.is_zero(), "{} of {} stays locked", locked, asset);
            }
        }
    }

    #[test]
    fn prop_positions_sum_to_zero_and_results_to_what_is_open(
        actions in prop::collection::vec(action(), 1..60),
    ) {
        let (mut venue, accounts) = venue();
        let wallets = |venue: &Venue| {
            let exchange = venue.server.exchange();
            let mut all = accounts.iter().map(|account| exchange.usdm_balance(*account, USDT));
            all.try_fold(Quantity::ZERO, Quantity::add).unwrap()
        };
        let before = wallets(&venue);
        for action in actions {
            act(&mut venue, Product::UsdM, action, "0.003");
        }
        let exchange = venue.server.exchange();
        let (mut size, mut cost) = (Quantity::ZERO, Value::ZERO);
        for account in accounts {
            let perp = exchange.position(account, BTCUSDT, None).perp;
            size = size.add(perp.quantity).unwrap();
            cost = cost.add(perp.cost).unwrap();
        }
        prop_assert!(size.is_zero(), "{}", size);
        // Realised results are what open costs no longer hold: their sums differ by nothing.
        let fees = exchange.fees_taken(USDT);
        let held = wallets(&venue).add(fees).unwrap().get().sub(cost.get()).unwrap();
        prop_assert_eq!(held, before.get());
    }
}
