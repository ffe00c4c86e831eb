use basis_core::types::{Account, Asset, Label, Venue};
use basis_core::venue_event::{CapitalFlow, EventKind, FlowId};
use basis_testkit::{q, rules, transfer};

use crate::testing::chain::{ChainDesk, World, at, lines, unwrap, wrap};

fn desk() -> ChainDesk {
    ChainDesk::new(World::new(), &[], &[("ETH", "2"), ("USDT", "50")])
}

#[test]
fn ether_is_wrapped_and_unwrapped_one_for_one() {
    let mut desk = desk();
    let done = desk.run("wallet", wrap("ETH", "WETH", "1.5"));
    assert_eq!(done.at, at(0));
    assert_eq!(
        lines(&done.entries),
        [
            "wallet.main ETH trade -1.5 $-3000",
            "wallet.main WETH trade 1.5 $3000",
            "wallet.main ETH gas -0.0009 $-1.8",
        ]
    );
    let reference = done.venue_reference.unwrap();
    assert_eq!(reference.len(), 66);
    let done = desk.run("wallet", unwrap("WETH", "ETH", "all"));
    assert_eq!(
        lines(&done.entries)[..2],
        [
            "wallet.main WETH trade -1.5 $-3000",
            "wallet.main ETH trade 1.5 $3000",
        ]
    );
    assert_ne!(done.venue_reference.unwrap(), reference);
    assert_eq!(desk.held("wallet.main", "WETH").0, "0");
}

#[test]
fn other_pairs_too_much_and_gas_that_is_not_there_are_refused() {
    let mut desk = desk();
    let mut said = |operation| desk.refused("wallet", operation).1;
    let text = said(wrap("WETH", "ETH", "1"));
    assert!(text.contains("it wraps ETH into WETH"), "{text}");
    let text = said(wrap("USDT", "WETH", "1"));
    assert!(text.contains("does not wrap USDT into WETH"), "{text}");
    let text = said(wrap("ETH", "WETH", "3"));
    assert_eq!(text, "insufficient balance: 3 ETH needed, 2 free");
    let text = said(wrap("ETH", "WETH", "2"));
    assert_eq!(text, "insufficient balance: 0.0009 ETH needed, 0 free");
    let text = said(unwrap("WETH", "ETH", "all"));
    assert!(text.contains("must be above zero"), "{text}");
}

const USDT: Asset = Asset::literal("USDT");

#[test]
fn capital_comes_at_its_instant_and_goes_once_it_is_covered() {
    let mut desk = desk();
    desk.transit.deposit(USDT, q("7"), at(3), 4).unwrap();
    desk.transit.withdraw(USDT, q("60"), at(2), 1).unwrap();
    let flow = |scheduled, number, amount| {
        EventKind::CapitalFlow(CapitalFlow {
            id: FlowId {
                scheduled: at(scheduled),
                number,
                part: 0,
            },
            account: Account::WALLET,
            asset: USDT,
            amount: q(amount),
        })
    };
    // 50 do not cover 60, and 57 do not.
    assert_eq!(desk.to(2), []);
    let events = desk.to(5);
    let [deposit] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((deposit.at, &deposit.kind), (at(3), &flow(3, 4, "7")));
    assert_eq!(lines(&deposit.entries), ["wallet.main USDT deposit 7 $7"]);
    desk.transit.deposit(USDT, q("3"), at(6), 0).unwrap();
    // The withdrawal is tried first, by its instant, and covered a step later.
    assert_eq!(desk.to(6).len(), 1);
    let events = desk.to(8);
    let [withdrawal] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(
        (withdrawal.at, &withdrawal.kind),
        (at(8), &flow(2, 1, "-60"))
    );
    assert_eq!(
        lines(&withdrawal.entries),
        ["wallet.main USDT withdrawal -60 $-60"]
    );
    assert_eq!(desk.held("wallet.main", "USDT").0, "0");
}

#[test]
fn what_is_covered_by_an_instant_s_instructions_is_paid_at_the_next() {
    let mut desk = desk();
    let weth = Asset::literal("WETH");
    desk.transit.withdraw(weth, q("1"), at(2), 0).unwrap();
    assert_eq!(desk.to(2), []);
    desk.run("wallet", wrap("ETH", "WETH", "1"));
    assert_eq!(desk.to(2), [], "the instant was polled");
    assert_eq!(desk.to(3).len(), 1);
}

#[test]
fn what_arrives_at_an_instant_nothing_was_due_at_waits_for_the_next() {
    let mut desk = desk();
    desk.to(2);
    desk.run("wallet", wrap("ETH", "WETH", "1"));
    desk.transit.deposit(USDT, q("1"), at(2), 0).unwrap();
    assert_eq!(desk.to(2), []);
    let events = desk.to(3);
    assert_eq!((events.len(), events[0].at), (1, at(2)));
}

#[test]
fn a_send_needs_a_receiver_with_rules() {
    let mut desk = desk();
    let bybit = rules("bybit").at(at(0)).accounts.deposit;
    let (_, text) = desk.refused("wallet", transfer("USDT", "20", Account::WALLET, bybit));
    assert!(text.contains("receives no deposits"), "{text}");
    let nobody = Account::new(Venue::WALLET, Label::literal("other"));
    let (_, text) = desk.refused("wallet", transfer("USDT", "20", Account::WALLET, nobody));
    assert!(text.contains("is no account of wallet"), "{text}");
}
