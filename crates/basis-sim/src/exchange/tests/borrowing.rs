//! Spot margin: debts, interest, limits, repayment.

use basis_core::ledger::EntryKind;
use basis_core::num::{Quantity, Rate};
use basis_core::types::{Asset, Side};

use crate::exchange::testing::*;
use crate::exchange::testing::{binance, bybit};

/// USDT at 1/100,000 and BTC at 2/100,000 an hour, debts up to twice the own worth.
fn desk(usdt: &str, bars: &Bars) -> Desk {
    Desk::new(&binance::PROFILE, bars, &[], &[("spot", "USDT", usdt)]).with(|settings| {
        settings.spot_margin = true;
        settings.borrow = vec![
            (USDT, Rate::literal("0.00001")),
            (Asset::literal("BTC"), Rate::literal("0.00002")),
        ];
    })
}

fn interest(events: &[Reported]) -> Vec<Quantity> {
    let lines = events.iter().flat_map(|event| &event.entries);
    let lines = lines.filter(|line| line.kind == EntryKind::BorrowCost);
    lines.map(|line| line.quantity).collect()
}

#[test]
fn a_bought_asset_may_be_paid_with_a_loan_that_costs_interest_every_hour() {
    let mut desk = desk("10000", &Bars::flat("50000"));
    desk.run(spot_market(Side::Buy, "0.3")).unwrap();
    assert_eq!(desk.held("spot", "USDT"), q("-5000"));
    // 5,000 ÷ 100,000 an hour, on what is owed by then, rounded up to 6 decimals.
    assert_eq!(interest(&desk.to(2)), [q("-0.05")]);
    assert_eq!(interest(&desk.to(4)), [q("-0.050001"), q("-0.050002")]);
    assert_eq!(desk.held("spot", "USDT"), q("-5000.150003"));
}

#[test]
fn a_short_sale_of_spot_owes_the_base_and_buying_back_repays() {
    let mut desk = desk("10000", &Bars::flat("50000"));
    desk.run(spot_market(Side::Sell, "0.2")).unwrap();
    assert_eq!(desk.held("spot", "BTC"), q("-0.2"));
    assert_eq!(interest(&desk.to(2)), [q("-0.000004")]);
    // 0.2003 less the fee of 0.1 % in BTC covers 0.200004.
    desk.run(spot_market(Side::Buy, "0.20030")).unwrap();
    assert_eq!(desk.held("spot", "BTC"), q("0.0000957"));
    assert_eq!(interest(&desk.to(5)), []);
}

#[test]
fn debts_stay_within_the_account_s_own_worth() {
    let mut desk = desk("10000", &Bars::flat("50000"));
    // 0.6 BTC for 30,000: owed 20,000, own worth 9,970 less the fee, times 2 is below it.
    let (code, text) = desk.refused(spot_market(Side::Buy, "0.6"));
    assert_eq!(code, Some("-2010"));
    assert!(text.contains("2 times the account's own worth"), "{text}");
    desk.run(spot_market(Side::Buy, "0.59")).unwrap();
    let (_, text) = desk.refused(spot_market(Side::Buy, "0.1"));
    assert!(text.contains("a debt worth 24500 USD"), "{text}");
}

#[test]
fn nothing_leaves_an_account_that_owes() {
    let mut desk = desk("10000", &Bars::flat("50000"));
    desk.run(spot_market(Side::Sell, "0.1")).unwrap();
    let (spot, usdm) = (desk.account("spot"), desk.account("usdm"));
    let (_, text) = desk.refused(transfer("USDT", "1", spot, usdm));
    assert!(text.contains("owes borrowed assets"), "{text}");
}

#[test]
fn without_the_setting_or_the_asset_nothing_is_lent() {
    let mut plain = desk("10000", &Bars::flat("50000")).with(|s| s.spot_margin = false);
    assert_eq!(
        plain.refused(spot_market(Side::Sell, "0.1")).0,
        Some("-2010")
    );
    let mut unlisted = desk("10000", &Bars::flat("50000")).with(|s| s.borrow.clear());
    assert_eq!(
        unlisted.refused(spot_market(Side::Sell, "0.1")).0,
        Some("-2010")
    );
}

#[test]
fn collateral_under_perps_is_not_lent_out() {
    let balances = [("unified", "USDT", "10000")];
    let mut desk = Desk::new(&bybit::PROFILE, &Bars::flat("50000"), &[], &balances).with(|s| {
        s.spot_margin = true;
        s.borrow = vec![(USDT, Rate::literal("0.00001"))];
    });
    desk.perp(Side::Sell, "0.1").unwrap();
    let (code, _) = desk.refused(spot_market(Side::Buy, "0.3"));
    assert_eq!(code, Some("170131"));
}
