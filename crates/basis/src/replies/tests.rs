//! Replies in the venues' documented forms, with values of our own.

use basis_core::config::Problems;
use basis_core::num::{Fixed18, Price, Quantity, Rate};
use basis_core::rules::VenueRules;
use basis_core::types::{InstrumentKind, Symbol, Timestamp};

use super::*;
use crate::config::rules::over_builtin;
use crate::config::yaml;

const BINANCE_SPOT: &str = include_str!("../../tests/replies/binance-spot.json");
const BINANCE_PERP: &str = include_str!("../../tests/replies/binance-perp.json");
const BINANCE_BRACKETS: &str = include_str!("../../tests/replies/binance-brackets.json");
const BYBIT_SPOT: &str = include_str!("../../tests/replies/bybit-spot.json");
const BYBIT_LINEAR: &str = include_str!("../../tests/replies/bybit-linear.json");
const BYBIT_TIERS: &str = include_str!("../../tests/replies/bybit-tiers.json");
const OKX_SPOT: &str = include_str!("../../tests/replies/okx-spot.json");
const OKX_SWAP: &str = include_str!("../../tests/replies/okx-swap.json");
const OKX_TIERS: &str = include_str!("../../tests/replies/okx-tiers.json");

fn made(venue: &str, symbols: &[&str], replies: &[&str]) -> Result<Snapshot, String> {
    let symbols: Vec<_> = symbols.iter().map(|symbol| (*symbol).to_owned()).collect();
    let replies: Vec<_> = replies
        .iter()
        .zip(1..)
        .map(|(text, at)| (format!("{at}.json"), text.as_bytes().to_vec()))
        .collect();
    snapshot(&RulesRequest {
        venue,
        symbols: &symbols,
        replies: &replies,
        effective_from: (venue == "okx").then_some("2024-06-01"),
    })
    .map_err(|e| e.message)
}

fn rules(snapshot: &Snapshot) -> VenueRules {
    let text = snapshot.yaml(over_builtin).unwrap();
    let problems = Problems::new();
    let tree = yaml::parse(&text, "imported").unwrap();
    let rules = VenueRules::read(&over_builtin(tree), &problems).unwrap();
    assert!(problems.is_empty());
    rules
}

fn quantity(text: &str) -> Quantity {
    text.parse().unwrap()
}

#[test]
fn binance_filters_brackets_and_the_rules_built_in() {
    let replies = [BINANCE_SPOT, BINANCE_PERP, BINANCE_BRACKETS];
    let rules = rules(&made("binance", &["SOLUSDT"], &replies).unwrap());
    let snapshot = rules.at(Timestamp::from_date(2024, 7, 1).unwrap());
    let sol = Symbol::literal("SOLUSDT");
    let spot = snapshot.instrument(InstrumentKind::Spot, sol).unwrap();
    assert_eq!(spot.max_market_quantity, quantity("4500.5"));
    assert_eq!(spot.lot_size, quantity("0.001"));
    let perp = snapshot.instrument(InstrumentKind::Perp, sol).unwrap();
    let only = perp.perp.as_ref().unwrap();
    assert_eq!(only.tiers.len(), 2);
    assert_eq!(
        only.tiers[0].initial_margin_rate,
        Rate::literal("0.01333334")
    );
    assert_eq!(only.tiers[1].deduction.get(), Fixed18::from_int(15));
    assert_eq!(only.liquidation_fee.get(), Fixed18::from_int(150));
    assert_eq!(rules.asset_decimals("SOL".parse().unwrap()), Some(8));
    // What is built in stays.
    let btc = Symbol::literal("BTCUSDT");
    assert!(snapshot.instrument(InstrumentKind::Perp, btc).is_some());
    assert!(snapshot.withdrawal("USDT".parse().unwrap()).is_some());
}

#[test]
fn a_contract_of_a_thousand_is_counted_and_priced_per_one() {
    let rules = rules(
        &made(
            "bybit",
            &["PEPEUSDT", "1000PEPEUSDT"],
            &[BYBIT_SPOT, BYBIT_LINEAR, BYBIT_TIERS],
        )
        .unwrap(),
    );
    let snapshot = rules.at(Timestamp::from_date(2024, 7, 1).unwrap());
    let perp = snapshot
        .instrument(InstrumentKind::Perp, Symbol::literal("1000PEPEUSDT"))
        .unwrap();
    assert_eq!(perp.base.as_str(), "PEPE");
    assert_eq!(perp.lot_size, quantity("100000"));
    assert_eq!(perp.tick_size, Price::literal("0.0000000001"));
    let only = perp.perp.as_ref().unwrap();
    assert!(only.counts_contracts && only.prices_contracts);
    assert_eq!(only.contract_size, quantity("1000"));
    // Percent, told by initial margin × leverage; the deduction computed.
    assert_eq!(only.tiers[0].maintenance_margin_rate, Rate::literal("0.01"));
    assert_eq!(only.tiers[1].deduction.get(), Fixed18::from_int(1_500));
    let spot = snapshot
        .instrument(InstrumentKind::Spot, Symbol::literal("PEPEUSDT"))
        .unwrap();
    assert_eq!(spot.max_quantity, quantity("13000000000.5"));
    let at_binance = made(
        "binance",
        &["1000PEPEUSDT"],
        &[BINANCE_PERP, BINANCE_BRACKETS],
    )
    .unwrap();
    assert!(at_binance.notes()[0].contains("a contract is 1000 PEPE, by its name"));
    assert!(at_binance.notes()[0].contains("assumed: funding every 8 hours"));
}

#[test]
fn okx_contracts_tiers_and_days() {
    let snapshot = made("okx", &["SOLUSDT"], &[OKX_SPOT, OKX_SWAP, OKX_TIERS]).unwrap();
    let rules = rules(&snapshot);
    let snapshot = rules.at(Timestamp::from_date(2024, 7, 1).unwrap());
    let perp = snapshot
        .instrument(InstrumentKind::Perp, Symbol::literal("SOLUSDT"))
        .unwrap();
    assert_eq!(perp.venue_symbol.as_str(), "SOL-USDT-SWAP");
    assert_eq!(perp.max_market_quantity, quantity("25000"));
    let only = perp.perp.as_ref().unwrap();
    assert_eq!(only.tiers[0].up_to, Fixed18::from_int(1_000));
    assert_eq!(only.liquidation_fee.get(), Fixed18::from_int(70));
}

#[test]
fn fees_are_taken_and_must_agree() {
    let fee = |symbol: &str, taker: &str| {
        format!(
            r#"{{"symbol":"{symbol}","makerCommissionRate":"0.0002","takerCommissionRate":"{taker}"}}"#
        )
    };
    let standard =
        r#"{"symbol":"SOLUSDT","standardCommission":{"maker":"0.00100000","taker":"0.00100000"}}"#;
    let one = fee("SOLUSDT", "0.0004");
    let replies = [BINANCE_SPOT, BINANCE_PERP, BINANCE_BRACKETS, &one, standard];
    let rules = rules(&made("binance", &["SOLUSDT"], &replies).unwrap());
    let fees = rules.at(Timestamp::from_date(2024, 7, 1).unwrap()).fees;
    assert_eq!(fees.perp.taker, Rate::literal("0.0004"));
    assert_eq!(fees.spot.maker, Rate::literal("0.001"));
    let other = fee("1000PEPEUSDT", "0.0005");
    let replies = [BINANCE_PERP, BINANCE_BRACKETS, &one, &other];
    let said = made("binance", &["SOLUSDT", "1000PEPEUSDT"], &replies).unwrap_err();
    assert!(said.contains("import them apart"), "{said}");
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
#[test]
fn what_no_run_could_trade_is_refused() {
    let error = r#"{"retCode":10001,"retMsg":"params error"}"#;
    let inverse = r#"{"code":"0","data":[{"instType":"SWAP","instId":"BTC-USD-SWAP","ctType":"inverse","tickSz":"0.1"}]}"#;
    let odd = BYBIT_LINEAR.replace("480", "8");
    let settled = BYBIT_LINEAR.replace(r#""settleCoin":"USDT""#, r#""settleCoin":"USDC""#);
    let coefficient = BINANCE_BRACKETS.replace("1.0,", "1.5,");
    for (venue, symbol, replies, expected) in [
        (
            "binance",
            "SOLUSDT",
            vec![BINANCE_PERP],
            "no margin tiers among the replies",
        ),
        (
            "binance",
            "ADAUSDT",
            vec![BINANCE_PERP],
            "is in no exchangeInfo",
        ),
        (
            "binance",
            "SOLUSDT_240628",
            vec![BINANCE_PERP],
            "only perpetuals are run",
        ),
        (
            "binance",
            "SOLUSDT",
            vec![BINANCE_PERP, &coefficient],
            "notionalCoef 1.5",
        ),
        (
            "bybit",
            "1000PEPEUSDT",
            vec![BYBIT_LINEAR],
            "market/risk-limit",
        ),
        (
            "bybit",
            "1000PEPEUSDT",
            vec![&odd, BYBIT_TIERS],
            "is 8 minutes, no whole hours",
        ),
        (
            "bybit",
            "1000PEPEUSDT",
            vec![&settled, BYBIT_TIERS],
            "not settled in its quote",
        ),
        (
            "bybit",
            "SOLUSDT",
            vec![error],
            "is an error of the venue: 10001 params error",
        ),
        (
            "okx",
            "BTC-USD-SWAP",
            vec![inverse],
            "only linear swaps are run",
        ),
        ("okx", "SOLUSDT", vec![OKX_SWAP], "position-tiers"),
        (
            "kraken",
            "SOLUSDT",
            vec![OKX_SWAP],
            "replies of kraken are not read",
        ),
        ("okx", "SOLUSDT", vec!["[1,"], "cut off"),
    ] {
        let said = made(venue, &[symbol], &replies).unwrap_err();
        assert!(said.contains(expected), "{symbol}: {said}");
    }
}
