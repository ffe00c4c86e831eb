//! Conservation: whatever is asked, holdings are the sum of the ledger, and free cash is never
//! negative.

use basis_core::instruction::{CancelOrder, MarginMode, Operation, PerpTrade, TimeInForce};
use basis_core::num::{Bps, Quantity, Rate};
use basis_core::types::{Asset, InstructionId, Item, PositionSide, Side};
use proptest::prelude::*;

use crate::exchange::liquidation::{Pool, TestPrice};
use crate::exchange::testing::*;
use crate::exchange::testing::{binance, bybit, okx};
use crate::exchange::{ExchangeProfile, PositionMode};
use basis_core::venue::TakingTerms;

#[derive(Clone, Debug)]
enum Step {
    Spot(bool, u32),
    SpotLimit(bool, u32, u32),
    Perp(bool, u32),
    PerpLimit(bool, u32, u32),
    Close(bool, u32),
    Eth(bool, u32),
    Cancel(u32),
    Amend(u32, u32, u32),
    Leverage(u8, Option<bool>),
    Move(bool, u32),
    Hours(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let price = 400u32..600;
    prop_oneof![
        1 => (any::<bool>(), 1u32..25).prop_map(|(b, n)| Step::Spot(b, n)),
        1 => (any::<bool>(), 1u32..25, price.clone()).prop_map(|(b, n, p)| Step::SpotLimit(b, n, p)),
        1 => (any::<bool>(), 1u32..400).prop_map(|(b, n)| Step::Perp(b, n)),
        1 => (any::<bool>(), 1u32..400, price).prop_map(|(b, n, p)| Step::PerpLimit(b, n, p)),
        1 => (any::<bool>(), 1u32..400).prop_map(|(b, n)| Step::Close(b, n)),
        1 => (any::<bool>(), 1u32..400).prop_map(|(b, n)| Step::Eth(b, n)),
        1 => (1u32..40).prop_map(Step::Cancel),
        1 => (1u32..40, 1u32..400, 400u32..600).prop_map(|(o, n, p)| Step::Amend(o, n, p)),
        1 => (1u8..60, any::<Option<bool>>()).prop_map(|(n, m)| Step::Leverage(n, m)),
        1 => (any::<bool>(), 1u32..20_000).prop_map(|(b, n)| Step::Move(b, n)),
        4 => (1u8..4).prop_map(Step::Hours),
    ]
}

const fn side(buy: bool) -> Side {
    if buy { Side::Buy } else { Side::Sell }
}

fn operation(desk: &Desk, step: &Step, (from, to): (&str, &str)) -> Option<Operation> {
    let centi = |n: u32| format!("{}", f64::from(n) / 100.0);
    let hundreds = |n: u32| format!("{}", n * 100);
    Some(match step {
        Step::Spot(buy, n) => spot_market(side(*buy), &centi(*n)),
        Step::SpotLimit(buy, n, price) => {
            spot_limit(side(*buy), &centi(*n), &hundreds(*price), TimeInForce::Gtc)
        }
        Step::Perp(buy, n) => perp_market(BTC, side(*buy), &centi(*n)),
        Step::PerpLimit(buy, n, price) => {
            perp_limit(side(*buy), &centi(*n), &hundreds(*price), TimeInForce::Gtc)
        }
        Step::Close(buy, n) => reduce_only(side(*buy), &centi(*n)),
        Step::Eth(buy, n) => perp_market(ETH, side(*buy), &centi(*n)),
        Step::Cancel(order) => Operation::CancelOrder(CancelOrder {
            symbol: BTC,
            order: InstructionId::plain(*order),
        }),
        Step::Amend(order, n, price) => amend(*order, Some(&centi(*n)), Some(&hundreds(*price))),
        Step::Leverage(n, mode) => {
            let modes = |isolated: bool| match isolated {
                true => MarginMode::Isolated,
                false => MarginMode::Cross,
            };
            set_leverage(&n.to_string(), mode.map(modes))
        }
        Step::Move(out, amount) => {
            let (from, to) = (desk.account(from), desk.account(to));
            let (from, to) = if *out { (from, to) } else { (to, from) };
            transfer("USDT", &amount.to_string(), from, to)
        }
        Step::Hours(_) => return None,
    })
}

/// The order for the long side in odd hours, else for the short one.
fn addressed(operation: Operation, hour: i64) -> Operation {
    let side = match hour % 2 {
        1 => PositionSide::Long,
        _ => PositionSide::Short,
    };
    match operation {
        Operation::PerpTrade(trade) => Operation::PerpTrade(PerpTrade {
            position_side: Some(side),
            reduce_only: false,
            ..trade
        }),
        other => other,
    }
}

/// After a step no tradable position stands on a margin at or below maintenance.
fn check_margins(desk: &Desk, step: &Step) {
    let world = desk.venue.ready.clone().unwrap();
    let cx = world.context(&desk.view);
    for open in &desk.venue.books.positions {
        let pool = match open.margin {
            Some(_) => Pool::Isolated(open.key),
            None => Pool::Cross,
        };
        let margin = desk.venue.pool_margin(&cx, TestPrice::Close, pool, None);
        let margin = margin.unwrap();
        assert!(
            margin.balance > margin.maintenance,
            "{open:?}: {margin:?} after {step:?}"
        );
    }
}

fn play(
    profile: &'static ExchangeProfile,
    accounts: (&str, &str),
    steps: &[Step],
    closes: &[u32],
    (hedge, lends, next_open): (bool, bool, bool),
) {
    let mut bars = Bars::flat("50000");
    for (hour, close) in (2..).zip(closes) {
        let (close, high, low) = (close * 100, close * 100 + 1500, close * 100 - 1500);
        let texts = [close, high, low, close].map(|price| price.to_string());
        bars = bars.bar(hour, [&texts[0], &texts[1], &texts[2], &texts[3]]);
    }
    let balances: &[_] = if accounts.0 == accounts.1 {
        &[(accounts.0, "USDT", "20000"), (accounts.0, "BTC", "1")]
    } else {
        &[
            (accounts.0, "USDT", "10000"),
            (accounts.0, "BTC", "1"),
            (accounts.1, "USDT", "10000"),
        ]
    };
    let rates = [(8, "0.0005"), (16, "-0.0007"), (24, "0.001")];
    let mut desk =
        Desk::new(profile, &bars, &rates, balances).taking(TakingTerms::fixed(Bps::literal("3")));
    if hedge {
        desk = desk.with(|settings| settings.position_mode = PositionMode::Hedge);
    }
    if next_open {
        desk = desk.at_next_open();
    }
    if lends {
        let rate = Rate::literal("0.00001");
        desk = desk.with(|settings| {
            settings.spot_margin = true;
            settings.borrow = vec![(USDT, rate), (Asset::literal("BTC"), rate)];
        });
    }
    let mut hour = 1;
    for step in steps {
        if let Step::Hours(hours) = step {
            hour += i64::from(*hours);
            desk.to(hour);
            check_margins(&desk, step);
        } else if let Some(operation) = operation(&desk, step, accounts) {
            let operation = if hedge {
                addressed(operation, hour)
            } else {
                operation
            };
            // Refused or not: the desk checks the sums after every call.
            drop(desk.run(operation));
        }
        let isolated = desk.venue.books.isolated(None).unwrap();
        assert!(isolated >= Quantity::ZERO, "{isolated} after {step:?}");
        let flat = desk.venue.books.positions.is_empty();
        for row in desk.holdings() {
            let margin = row.account == desk.account(accounts.1);
            if matches!(row.item, Item::Asset(_)) && (flat || !margin) && !lends {
                assert!(row.quantity >= Quantity::ZERO, "{row:?} after {step:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn prop_holdings_are_the_sum_of_the_ledger(
        steps in prop::collection::vec(step(), 1..40),
        closes in prop::collection::vec(400u32..600, 50),
        modes in any::<(bool, bool, bool)>(),
    ) {
        play(&binance::PROFILE, ("spot", "usdm"), &steps, &closes, modes);
        play(&bybit::PROFILE, ("unified", "unified"), &steps, &closes, modes);
        play(&okx::PROFILE, ("funding", "trading"), &steps, &closes, modes);
    }
}
