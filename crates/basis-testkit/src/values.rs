//! Values from text, and configuration nodes from JSON.

use basis_core::config::{Entry, Location, Node, NodeValue};
use basis_core::num::{Price, Quantity};
use basis_core::types::{Asset, Symbol, Timestamp};
use serde_json::Value as Json;

/// Midnight of 1 January 2024, the opening of the first bar.
pub const START: Timestamp = Timestamp::from_seconds(1_704_067_200);

/// BTC in USDT.
pub const BTC: Symbol = Symbol::literal("BTCUSDT");
/// ETH in USDT.
pub const ETH: Symbol = Symbol::literal("ETHUSDT");
/// What perps settle in.
pub const USDT: Asset = Asset::literal("USDT");

/// A quantity from text.
pub fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

/// A price from text.
pub fn p(text: &str) -> Price {
    text.parse().unwrap()
}

/// A configuration node from JSON, as if it stood in a file.
pub fn node(json: &Json) -> Node {
    let location = Location::new("rules in code", 0);
    let value = match json {
        Json::Null => NodeValue::Null,
        Json::String(text) => NodeValue::Text(text.clone()),
        Json::Array(items) => NodeValue::List(items.iter().map(node).collect()),
        Json::Object(map) => {
            let entry = |(key, value): (&String, &Json)| Entry {
                key: key.clone(),
                location: location.clone(),
                node: node(value),
            };
            NodeValue::Map(map.iter().map(entry).collect())
        }
        other => NodeValue::Text(other.to_string()),
    };
    Node { value, location }
}
