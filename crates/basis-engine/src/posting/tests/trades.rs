//! Fills, forced closes, funding: rows 1 to 11.

use basis_core::instruction::MarginMode;
use basis_core::types::PositionSide;
use basis_core::venue_event::{Funding, FundingMissing, Liquidation};

use super::*;

fn filled(fill: Fill) -> VenueEvent {
    event(ALPHA, EventKind::Fill(Box::new(fill)))
}

fn lines(fill: Fill) -> Vec<String> {
    written(&filled(fill), Some(INSTRUCTION))
}

#[test]
fn a_spot_purchase_has_base_quote_and_fee_in_quote() {
    let fill = Fill {
        fee: quantity("1.00002"),
        // Not quantity × price: as the venue rounded it up.
        turnover: quantity("1000.02"),
        ..fill(InstrumentKind::Spot, Side::Buy, "0.02", "50000.5")
    };
    assert_eq!(
        lines(fill),
        [
            "alpha.spot BTC 0.02 1000.02 trade 50000",
            "alpha.spot USDT -1000.02 -1000.02 trade 1",
            "alpha.spot USDT -1.00002 -1.00002 fee 1",
        ]
    );
}

#[test]
fn a_fee_in_base_is_valued_at_the_fill_s_reference() {
    let fill = Fill {
        fee_asset: BTC,
        fee: quantity("0.00002"),
        ..fill(InstrumentKind::Spot, Side::Buy, "0.02", "50010")
    };
    assert_eq!(
        lines(fill),
        [
            "alpha.spot BTC 0.02 1000.2 trade 50000",
            "alpha.spot USDT -1000.2 -1000.2 trade 1",
            "alpha.spot BTC -0.00002 -1 fee 50000",
        ]
    );
}

#[test]
fn a_spot_sale_without_a_fee_has_two_lines() {
    assert_eq!(
        lines(fill(InstrumentKind::Spot, Side::Sell, "0.02", "49990")),
        [
            "alpha.spot BTC -0.02 -999.8 trade 50000",
            "alpha.spot USDT 999.8 999.8 trade 1",
        ]
    );
}

#[test]
fn a_fee_in_a_third_coin_is_valued_at_that_coin_s_mark() {
    let fill = Fill {
        fee_asset: ETH,
        fee: quantity("0.0004"),
        ..fill(InstrumentKind::Spot, Side::Sell, "0.02", "50000")
    };
    assert_eq!(lines(fill)[2], "alpha.spot ETH -0.0004 -1.2 fee 3000");
}

#[test]
fn a_fee_in_a_coin_without_a_price_is_booked_at_zero_and_listed() {
    let fill = Fill {
        fee_asset: XYZ,
        fee: quantity("3"),
        ..fill(InstrumentKind::Spot, Side::Buy, "0.02", "50000")
    };
    assert_eq!(lines(fill.clone())[2], "alpha.spot XYZ -3 0 fee 0");
    assert_eq!(unpriced(&filled(fill)), [(SPOT, Item::Asset(XYZ))]);
}

#[test]
fn a_rebate_is_a_fee_line_above_zero() {
    let spot = Fill {
        fee: quantity("-0.1"),
        ..fill(InstrumentKind::Spot, Side::Sell, "0.02", "50000")
    };
    assert_eq!(lines(spot)[2], "alpha.spot USDT 0.1 0.1 fee 1");
    let perp = Fill {
        fee: quantity("-0.1"),
        ..fill(InstrumentKind::Perp, Side::Sell, "0.02", "50000")
    };
    assert_eq!(lines(perp)[1], "alpha.perp USDT 0.1 0.1 fee 1");
}

#[test]
fn a_perp_fill_that_opens_has_position_and_fee() {
    let fill = Fill {
        fee: quantity("0.5"),
        ..fill(InstrumentKind::Perp, Side::Sell, "0.02", "50090")
    };
    assert_eq!(
        lines(fill),
        [
            "alpha.perp alpha:perp:BTCUSDT -0.02 -1001.8 trade 50100",
            "alpha.perp USDT -0.5 -0.5 fee 1",
        ]
    );
}

#[test]
fn position_lines_are_rounded_half_even_at_18_decimals() {
    let fill = fill(
        InstrumentKind::Perp,
        Side::Buy,
        "0.000000000000000001",
        "2.5",
    );
    let position = "alpha.perp alpha:perp:BTCUSDT 0.000000000000000001 0.000000000000000002 trade";
    assert_eq!(lines(fill), [format!("{position} 50100")]);
}

#[test]
fn a_perp_fill_that_closes_settles_the_reported_result() {
    let fill = Fill {
        realized: Some(quantity("-1.25")),
        fee: quantity("0.5"),
        covered: quantity("0.75"),
        ..fill(InstrumentKind::Perp, Side::Buy, "0.02", "50100")
    };
    assert_eq!(
        lines(fill),
        [
            "alpha.perp alpha:perp:BTCUSDT 0.02 1002 trade 50100",
            "alpha.perp USDT -1.25 -1.25 realized_pnl 1",
            "alpha.perp USDT -0.5 -0.5 fee 1",
            "alpha.perp USDT 0.75 0.75 write_off 1",
        ]
    );
}

#[test]
fn without_a_reported_result_the_average_cost_decides() {
    // Short 3 at 150000 in all: 50000 on average.
    let held = OnePosition(quantity("-3"), Value::literal("-150000"));
    let realized = |side, amount, price| {
        let fill = filled(fill(InstrumentKind::Perp, side, amount, price));
        let lines = written_by(&fill, Some(INSTRUCTION), &held).unwrap();
        lines.get(1).cloned()
    };
    let line = |amount: &str| Some(format!("alpha.perp USDT {amount} {amount} realized_pnl 1"));
    assert_eq!(realized(Side::Buy, "1", "49000"), line("1000"));
    assert_eq!(realized(Side::Buy, "3", "50010"), line("-30"));
    // Through zero: three are closed, the fourth is opened.
    assert_eq!(realized(Side::Buy, "4", "49000"), line("3000"));
    assert_eq!(realized(Side::Buy, "1", "50000"), None, "a result of 0");
    assert_eq!(realized(Side::Sell, "1", "49000"), None, "it only adds");
}

#[test]
fn a_result_that_never_ends_is_kept_to_18_decimals() {
    let held = OnePosition(quantity("3"), Value::literal("100"));
    let fill = filled(fill(InstrumentKind::Perp, Side::Sell, "1", "40"));
    let lines = written_by(&fill, Some(INSTRUCTION), &held).unwrap();
    // Two keep 100 × 2 ÷ 3, half-even; one has cost the rest.
    let realized = "6.666666666666666667";
    assert_eq!(
        lines[1],
        format!("alpha.perp USDT {realized} {realized} realized_pnl 1")
    );
}

#[test]
fn a_fill_of_no_order_of_ours_bears_no_instruction() {
    let fill = Fill {
        instruction: None,
        ..fill(InstrumentKind::Spot, Side::Sell, "0.02", "50000")
    };
    assert_eq!(written(&filled(fill), None).len(), 2);
}

#[test]
fn hedge_mode_names_the_side_of_the_position() {
    let fill = fill(InstrumentKind::PerpShort, Side::Sell, "0.02", "50100");
    assert_eq!(
        lines(fill),
        ["alpha.perp alpha:perp:BTCUSDT:short -0.02 -1002 trade 50100"]
    );
}

#[test]
fn a_quote_asset_that_moves_is_valued_at_its_mark() {
    let instrument = InstrumentKey::new(ALPHA, InstrumentKind::Spot, Symbol::literal("BTCETH"));
    let fill = Fill {
        instrument,
        quote: ETH,
        fee_asset: ETH,
        fee: quantity("0.001"),
        reference: Price::literal("16.5"),
        ..fill(InstrumentKind::Spot, Side::Buy, "2", "16")
    };
    assert_eq!(
        lines(fill),
        [
            "alpha.spot BTC 2 96000 trade 49500",
            "alpha.spot ETH -32 -96000 trade 3000",
            "alpha.spot ETH -0.001 -3 fee 3000",
        ]
    );
}

fn closed() -> Liquidation {
    Liquidation {
        account: PERP,
        instrument: perp(),
        quote: USDT,
        trade: TradeId::Number(9),
        closing: quantity("0.5"),
        price: Price::literal("60000"),
        realized: quantity("-5000"),
        fee: quantity("150"),
        covered: Quantity::ZERO,
        margin_balance: Value::literal("100"),
        maintenance_margin: Value::literal("120"),
    }
}

#[test]
fn a_forced_close_has_its_price_as_reference_and_its_fee_as_liquidation() {
    let lines = |close| written(&event(ALPHA, EventKind::Liquidation(Box::new(close))), None);
    let position = "alpha.perp alpha:perp:BTCUSDT 0.5 30000 trade 60000";
    let result = "alpha.perp USDT -5000 -5000 realized_pnl 1";
    assert_eq!(
        lines(closed()),
        [position, result, "alpha.perp USDT -150 -150 liquidation 1"]
    );
    let covered = Liquidation {
        fee: Quantity::ZERO,
        covered: quantity("40"),
        ..closed()
    };
    assert_eq!(
        lines(covered),
        [position, result, "alpha.perp USDT 40 40 write_off 1"]
    );
    let nothing_settled = Liquidation {
        fee: Quantity::ZERO,
        realized: Quantity::ZERO,
        ..closed()
    };
    assert_eq!(lines(nothing_settled), [position]);
}

fn funding(instrument: InstrumentKey, amount: &str) -> VenueEvent {
    let funding = Funding {
        account: PERP,
        instrument,
        margin: MarginMode::Cross,
        scheduled: at(),
        asset: USDT,
        position: quantity("-0.02"),
        mark: Price::literal("50100"),
        rate: "0.0001".parse().unwrap(),
        amount: quantity(amount),
        proxy: None,
    };
    event(ALPHA, EventKind::Funding(Box::new(funding)))
}

#[test]
fn funding_is_always_a_line() {
    for amount in ["0.1002", "-0.1003", "0"] {
        assert_eq!(
            written(&funding(perp(), amount), None),
            [format!("alpha.perp USDT {amount} {amount} funding 1")]
        );
    }
}

#[test]
fn both_sides_of_hedge_mode_settle_under_keys_of_their_own() {
    let [long, short] = [PositionSide::Long, PositionSide::Short]
        .map(|side| funding(perp().sided(Some(side)), "1"));
    assert_ne!(long.key(), short.key());
    assert_eq!(written(&long, None), written(&short, None));
}

#[test]
fn funding_without_a_rate_has_no_line() {
    let missing = FundingMissing {
        account: PERP,
        instrument: perp(),
        scheduled: at(),
        position: quantity("1"),
        mark: Price::literal("50100"),
        exposed_notional: Value::literal("50100"),
    };
    let missing = event(ALPHA, EventKind::FundingMissing(Box::new(missing)));
    assert!(written(&missing, None).is_empty());
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let spot = || fill(InstrumentKind::Spot, Side::Buy, "1", "50000");
    let perp = || fill(InstrumentKind::Perp, Side::Buy, "1", "50000");
    let refused = |fill| refusal(&filled(fill));
    let quantity_of = |text| Fill {
        quantity: quantity(text),
        ..spot()
    };
    assert_eq!(
        refused(quantity_of("0")),
        "fill quantity 0 must be above zero"
    );
    assert_eq!(
        refused(quantity_of("-1")),
        "fill quantity -1 must be above zero"
    );
    let free = Fill {
        price: Price::ZERO,
        ..perp()
    };
    assert_eq!(refused(free), "fill price 0 must be above zero");
    let turnover = Fill {
        turnover: quantity("-0.5"),
        ..spot()
    };
    assert_eq!(refused(turnover), "turnover -0.5 must not be below zero");
    let covered = Fill {
        covered: quantity("-2"),
        ..perp()
    };
    assert_eq!(refused(covered), "covered -2 must not be below zero");
    let result = Fill {
        realized: Some(quantity("2")),
        ..spot()
    };
    assert_eq!(refused(result), "alpha:spot:BTCUSDT is no perpetual");
    let settled = Fill {
        quote: ETH,
        ..perp()
    };
    assert_eq!(
        refused(settled),
        "alpha:perp:BTCUSDT settles in ETH, which is not valued at one dollar"
    );
    let huge = Fill {
        quantity: quantity("100000000000000000000"),
        ..perp()
    };
    assert!(refused(huge).starts_with("overflow in "));
}

#[test]
fn a_forced_close_that_cannot_be_is_refused() {
    let refused = |close| refusal(&event(ALPHA, EventKind::Liquidation(Box::new(close))));
    let nothing = Liquidation {
        closing: Quantity::ZERO,
        ..closed()
    };
    assert_eq!(refused(nothing), "quantity of a forced close is zero");
    let free = Liquidation {
        price: Price::ZERO,
        ..closed()
    };
    assert_eq!(
        refused(free),
        "price of a forced close 0 must be above zero"
    );
    let fee = Liquidation {
        fee: quantity("-1"),
        ..closed()
    };
    assert_eq!(refused(fee), "liquidation fee -1 must not be below zero");
    let covered = Liquidation {
        covered: quantity("-1"),
        ..closed()
    };
    assert_eq!(refused(covered), "covered -1 must not be below zero");
    let spot = Liquidation {
        instrument: InstrumentKey::new(ALPHA, InstrumentKind::Spot, BTCUSDT),
        ..closed()
    };
    assert_eq!(refused(spot), "alpha:spot:BTCUSDT is no perpetual");
}
