//! Rules of a venue in code.

use basis_core::config::Problems;
use basis_core::rules::VenueRules;
use serde_json::{Value as Json, json};

use crate::values::node;

/// Rules from JSON, without a problem.
pub fn read_rules(json: &Json) -> VenueRules {
    let problems = Problems::new();
    let rules = VenueRules::read(&node(json), &problems);
    assert_eq!(problems.into_sorted(), []);
    rules.unwrap()
}

fn perp(symbol: &str, base: &str, contracts: bool) -> Json {
    let (size, lot) = if contracts {
        ("0.01", "1")
    } else {
        ("1", "0.001")
    };
    // OKX names its instruments by base and quote, and counts tiers in contracts.
    let named = if contracts {
        format!("{base}-USDT-SWAP")
    } else {
        symbol.to_owned()
    };
    let (unit, method, bounds, deduction) = if contracts {
        ("contracts", "whole", ["100", "1000"], "0")
    } else {
        ("notional", "deduction", ["50000", "500000"], "50")
    };
    json!({
        "kind": "perp", "symbol": symbol, "venue_symbol": named, "base": base, "quote": "USDT",
        "tick_size": "0.1", "lot_size": lot, "min_quantity": lot, "max_quantity": if contracts { "100000" } else { "1000" },
        "max_market_quantity": if contracts { "12000" } else { "120" }, "min_notional": if contracts { "0" } else { "100" },
        "contract_size": size, "quantity_unit": if contracts { "contracts" } else { "base" },
        "funding": { "interval_hours": "8", "anchor_hour_utc": "0" },
        "max_leverage": "100", "liquidation_fee_bps": "50",
        "tier_method": method, "tier_unit": unit,
        "tiers": [
            { "up_to": bounds[0], "initial_margin_rate": "0.01",
              "maintenance_margin_rate": "0.004", "deduction": "0", "max_leverage": "100" },
            { "up_to": bounds[1], "initial_margin_rate": "0.02",
              "maintenance_margin_rate": "0.005", "deduction": deduction, "max_leverage": "50" },
        ],
    })
}

/// Rules of one venue with accounts as the real one names them.
pub fn rules(venue: &str) -> VenueRules {
    rules_with(venue, |_| {})
}

/// The same with every perp changed.
pub fn rules_with(venue: &str, change: impl Fn(&mut Json)) -> VenueRules {
    let mut json = rules_json(venue);
    let instruments = json["snapshots"][0]["instruments"].as_array_mut().unwrap();
    for instrument in instruments {
        if instrument["kind"] == "perp" {
            change(instrument);
        }
    }
    read_rules(&json)
}

/// The JSON that [`rules`] reads.
pub fn rules_json(venue: &str) -> Json {
    let (deposit, spot, margin) = match venue {
        "binance" => ("spot", "spot", "usdm"),
        "bybit" => ("unified", "unified", "unified"),
        "okx" => ("funding", "trading", "trading"),
        _ => ("main", "main", "main"),
    };
    let contracts = venue == "okx";
    let spot_market = json!({
        "kind": "spot", "symbol": "BTCUSDT",
        "venue_symbol": if contracts { "BTC-USDT" } else { "BTCUSDT" }, "base": "BTC",
        "quote": "USDT", "tick_size": "0.01", "lot_size": "0.00001", "min_quantity": "0.0001",
        "max_quantity": "9000", "max_market_quantity": "90", "min_notional": "5",
    });
    let instruments = match venue {
        "wallet" => json!([]),
        _ => json!([
            spot_market,
            perp("BTCUSDT", "BTC", contracts),
            perp("ETHUSDT", "ETH", contracts)
        ]),
    };
    json!({
        "venue": venue,
        "snapshots": [{
            "effective_from": "2024-01-01",
            "accounts": { "deposit": deposit, "spot": spot, "perp": margin },
            "fees": {
                "spot": { "maker_bps": "8", "taker_bps": "10" },
                "perp": { "maker_bps": "2", "taker_bps": "5" },
                "spot_buy_fee_asset": if venue == "bybit" { "quote" } else { "base" },
            },
            "instruments": instruments,
            "transfers": {
                "internal": {
                    "delay_seconds": if venue == "okx" { "60" } else { "0" }, "fee": "0"
                },
                "withdrawals": [{
                    "asset": "USDT", "network": "ethereum", "fee": "4", "minimum": "16",
                    "decimals": "6", "delay_seconds": "1200",
                }],
            },
            "assets": [
                { "asset": "USDT", "decimals": "6" },
                { "asset": "BTC", "decimals": "8" },
                { "asset": "ETH", "decimals": "8" },
            ],
        }],
    })
}
