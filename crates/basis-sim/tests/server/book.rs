//! The order book against a plain list of orders, and its rules of price and time.

use basis_core::num::{Price, Quantity};
use basis_core::types::Side;
use basis_sim::server::book::{OrderBook, Resting, SelfTrade, Taker};
use proptest::prelude::*;

use crate::kit::{p, q};

/// An order of the list: number, side, price, what is left.
#[derive(Clone, Debug)]
struct Listed {
    order: u64,
    side: Side,
    price: Price,
    remaining: Quantity,
}

fn price(ticks: u32) -> Price {
    p(&(100 + ticks).to_string())
}

/// What is best for a taker of `side`, by price, then by number.
fn best(list: &[Listed], side: Side, limit: Price) -> Option<usize> {
    let reachable = list.iter().enumerate().filter(|(_, o)| {
        o.side != side
            && match side {
                Side::Buy => o.price <= limit,
                Side::Sell => o.price >= limit,
            }
    });
    let order = reachable.min_by(|(_, a), (_, b)| {
        let by_price = match side {
            Side::Buy => a.price.cmp(&b.price),
            Side::Sell => b.price.cmp(&a.price),
        };
        by_price.then(a.order.cmp(&b.order))
    });
    order.map(|(at, _)| at)
}

fn action() -> impl Strategy<Value = (bool, bool, u32, u32, u32)> {
    (any::<bool>(), any::<bool>(), 0..12_u32, 1..9_u32, 1..4_u32)
}

proptest! {
    #[test]
    fn prop_a_taker_meets_best_prices_first_and_older_orders_before_newer(
        actions in prop::collection::vec(action(), 1..60),
    ) {
        let mut book = OrderBook::default();
        let mut list: Vec<Listed> = Vec::new();
        for ((is_buy, cancels, ticks, lots, owner), order) in actions.into_iter().zip(1_u64..) {
            let side = if is_buy { Side::Buy } else { Side::Sell };
            if cancels && !list.is_empty() {
                let gone = list.remove(usize::try_from(ticks).unwrap() % list.len());
                prop_assert_eq!(book.remove(gone.order).unwrap().remaining, gone.remaining);
                continue;
            }
            let (limit, quantity) = (price(ticks), q(&lots.to_string()));
            let taker = Taker { owner, side, limit: Some(limit), quantity, self_trade: SelfTrade::Allow };
            let plan = book.plan(&taker).unwrap();
            book.apply(&plan).unwrap();
            let mut left = quantity;
            for m in &plan.matches {
                let at = best(&list, side, limit).unwrap();
                prop_assert_eq!((m.maker, m.price), (list[at].order, list[at].price));
                let expected = list[at].remaining.min(left);
                prop_assert_eq!(m.quantity, expected);
                left = left.sub(expected).unwrap();
                list[at].remaining = list[at].remaining.sub(expected).unwrap();
                if list[at].remaining.is_zero() {
                    list.remove(at);
                }
            }
            prop_assert_eq!(plan.remaining, left);
            if left.is_positive() {
                prop_assert!(best(&list, side, limit).is_none(), "it stopped before its limit");
                book.insert(side, limit, Resting { order, owner, remaining: left });
                list.push(Listed { order, side, price: limit, remaining: left });
            }
            prop_assert_eq!(book.len(), list.len());
            let (bid, ask) = (book.best_bid(), book.best_ask());
            if let (Some((bid, _)), Some((ask, _))) = (bid, ask) {
                prop_assert!(bid < ask, "crossed: {bid} {ask}");
            }
        }
    }
}

fn resting(order: u64, owner: u32, remaining: &str) -> Resting {
    Resting {
        order,
        owner,
        remaining: q(remaining),
    }
}

#[test]
fn a_smaller_order_keeps_its_place_in_the_queue() {
    let mut book = OrderBook::default();
    book.insert(Side::Sell, p("10"), resting(1, 1, "5"));
    book.insert(Side::Sell, p("10"), resting(2, 2, "5"));
    book.reduce(1, q("3")).unwrap();
    let taker = Taker {
        owner: 3,
        side: Side::Buy,
        limit: None,
        quantity: q("3"),
        self_trade: SelfTrade::Allow,
    };
    let plan = book.plan(&taker).unwrap();
    let makers: Vec<u64> = plan.matches.iter().map(|m| m.maker).collect();
    assert_eq!(makers, [1, 2]);
    assert_eq!(plan.matches[0].quantity, q("2"));
}

#[test]
fn self_trade_prevention_takes_out_the_maker_the_taker_or_both() {
    let mut book = OrderBook::default();
    book.insert(Side::Sell, p("10"), resting(1, 1, "1"));
    book.insert(Side::Sell, p("11"), resting(2, 2, "1"));
    let plan = |self_trade| {
        let taker = Taker {
            owner: 1,
            side: Side::Buy,
            limit: None,
            quantity: q("2"),
            self_trade,
        };
        let plan = book.plan(&taker).unwrap();
        let makers: Vec<u64> = plan.matches.iter().map(|m| m.maker).collect();
        (makers, plan.expired_makers, plan.taker_expired)
    };
    assert_eq!(plan(SelfTrade::Allow), (vec![1, 2], vec![], false));
    assert_eq!(plan(SelfTrade::ExpireMaker), (vec![2], vec![1], false));
    assert_eq!(plan(SelfTrade::ExpireTaker), (vec![], vec![], true));
    assert_eq!(plan(SelfTrade::ExpireBoth), (vec![], vec![1], true));
}
