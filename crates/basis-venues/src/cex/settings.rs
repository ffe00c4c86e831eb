//! The section `venue_settings.<venue>` of a simulated exchange.

use std::any::Any;
use std::sync::Arc;

use basis_core::config::{Node, NodeValue, Problems, Reader};
use basis_core::num::{Bps, Fixed18, Quantity};
use basis_core::types::{Asset, Label};
use basis_core::venue::VenueType;

/// How far a taking order's price is from the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slippage {
    /// At the mark, rounded to the tick against us.
    None,
    /// This many basis points worse than the mark.
    FixedBps(Bps),
    /// `impact` × √(order ÷ volume of the newest bar), at most `max`; `max` when there was no volume.
    SqrtImpact {
        /// Cost in basis points of an order as large as the whole bar's volume.
        impact: Bps,
        /// Upper bound in basis points.
        max: Bps,
    },
}

/// Assets an account holds from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitialBalance {
    /// The venue's name for the account.
    pub account: Label,
    /// The asset.
    pub asset: Asset,
    /// Units, >= 0.
    pub quantity: Quantity,
}

/// Settings of a simulated exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CexSettings {
    /// Price of taking orders.
    pub slippage: Slippage,
    /// Notional per unit of initial margin of perps until `SetLeverage`, 1–125.
    pub leverage: Fixed18,
    /// Holdings without ledger lines: for single instructions and tests.
    pub initial_balances: Vec<InitialBalance>,
    /// Whether the venue's test network is meant; live only.
    pub testnet: bool,
    /// The network named in the section; on-chain only, accepted everywhere.
    pub network: Option<String>,
    /// Requests or orders per span of time, by key; live only.
    pub rate_limits: Vec<(&'static str, i64)>,
}

impl Default for CexSettings {
    fn default() -> Self {
        Self {
            slippage: Slippage::FixedBps(Bps::new(Fixed18::ONE)),
            leverage: Fixed18::from_int(5),
            initial_balances: Vec::new(),
            testnet: false,
            network: None,
            rate_limits: Vec::new(),
        }
    }
}

impl CexSettings {
    /// Reads the section. Problems go to `problems`; what is wrong reads as its default.
    #[must_use]
    pub fn read(node: &Node, problems: &Problems) -> Self {
        let reader = Reader::new(node, "", problems);
        let common = read_common(&reader, VenueType::Cex);
        let slippage = read_slippage(&reader);
        let leverage = reader.fixed(
            "leverage",
            Fixed18::ONE..=Fixed18::from_int(125),
            Fixed18::from_int(5),
        );
        let initial_balances = read_balances(&reader);
        reader.finish();
        Self {
            slippage,
            leverage,
            initial_balances,
            testnet: common.testnet,
            network: common.network,
            rate_limits: common.rate_limits,
        }
    }
}

/// [`CexSettings::read`] in the shape of a driver row.
pub(crate) fn parse_settings(node: &Node, problems: &Problems) -> Arc<dyn Any + Send + Sync> {
    Arc::new(CexSettings::read(node, problems))
}

/// The keys every venue's section may hold.
pub(crate) struct CommonSettings {
    pub(crate) testnet: bool,
    pub(crate) network: Option<String>,
    pub(crate) rate_limits: Vec<(&'static str, i64)>,
}

/// Reads venue type, dependencies, network and limits.
pub(crate) fn read_common(reader: &Reader<'_>, venue_type: VenueType) -> CommonSettings {
    if let Some(written) = reader.text("venue_type")
        && !written.eq_ignore_ascii_case(venue_type.as_str())
    {
        let expected = venue_type.as_str();
        reader.problem(
            "venue_type",
            format!("`{written}` does not fit this venue; it is {expected}"),
        );
    }
    for node in reader.list("dependencies") {
        if !matches!(node.value, NodeValue::Text(_)) {
            reader.problem("dependencies", "expected a list of names");
        }
    }
    let strategies = ["slow", "standard", "fast"];
    if let Some(written) = reader.text("gas_strategy")
        && !strategies.contains(&written)
    {
        let known = strategies.join(", ");
        reader.problem("gas_strategy", format!("`{written}` is none of {known}"));
    }
    let mut rate_limits = Vec::new();
    if let Some(limits) = reader.section("rate_limits") {
        for key in [
            "requests_per_minute",
            "requests_per_second",
            "orders_per_second",
            "orders_per_day",
        ] {
            let limit = limits.within(key, 1..=10_000_000);
            rate_limits.extend(limit.map(|limit| (key, limit)));
        }
        limits.finish();
    }
    CommonSettings {
        testnet: reader.boolean("testnet", false),
        network: reader.text("network").map(str::to_owned),
        rate_limits,
    }
}

fn read_slippage(reader: &Reader<'_>) -> Slippage {
    #[derive(Clone, Copy)]
    enum Model {
        None,
        Fixed,
        Impact,
    }
    let models = [
        ("none", Model::None),
        ("fixed_bps", Model::Fixed),
        ("sqrt_impact", Model::Impact),
    ];
    let model = reader.choice("slippage", &models, Model::Fixed);
    let bps = |key: &str, max: i64, default: i64| {
        let bounds = Fixed18::ZERO..=Fixed18::from_int(max);
        Bps::new(reader.fixed(key, bounds, Fixed18::from_int(default)))
    };
    let fixed = bps("slippage_bps", 1_000, 1);
    let impact = bps("impact_bps", 10_000, 10);
    let max = bps("impact_max_bps", 5_000, 500);
    match model {
        Model::None => Slippage::None,
        Model::Fixed => Slippage::FixedBps(fixed),
        Model::Impact => Slippage::SqrtImpact { impact, max },
    }
}

/// Reads `initial_balances`: account → asset → quantity.
pub(crate) fn read_balances(reader: &Reader<'_>) -> Vec<InitialBalance> {
    let mut balances = Vec::new();
    for entry in reader.map("initial_balances") {
        let path = format!("initial_balances.{}", entry.key);
        let Ok(account) = Label::new(&entry.key) else {
            reader.problem(
                "initial_balances",
                format!("`{}` is no account name", entry.key),
            );
            continue;
        };
        let assets = Reader::new(&entry.node, reader.path_of(&path), reader.problems());
        for held in entry.node.entries() {
            let asset = Asset::new(&held.key)
                .map_err(|e| assets.problem(&held.key, e.to_string()))
                .ok();
            let quantity = assets.required::<Quantity>(&held.key);
            let (Some(asset), Some(quantity)) = (asset, quantity) else {
                continue;
            };
            if quantity.is_negative() {
                assets.problem(&held.key, format!("{quantity} is below zero"));
                continue;
            }
            balances.push(InitialBalance {
                account,
                asset,
                quantity,
            });
        }
        assets.finish();
    }
    balances
}

#[cfg(test)]
mod tests {
    use basis_core::config::Location;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (CexSettings, Vec<String>) {
        let mut root = Node::empty_map(Location::new("m.yaml", 1));
        for (path, text) in pairs {
            root.set_path(path, Node::text(*text, Location::new("m.yaml", 2)));
        }
        let problems = Problems::new();
        let settings = CexSettings::read(&root, &problems);
        let problems = problems.into_sorted();
        (settings, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_specification_example_and_an_empty_section_are_the_defaults() {
        let (settings, problems) = read(&[
            ("testnet", "false"),
            ("rate_limits.requests_per_minute", "1200"),
        ]);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(settings.rate_limits, [("requests_per_minute", 1200)]);
        assert_eq!(read(&[]).0, CexSettings::default());
    }

    #[test]
    fn every_key_of_ours_is_read() {
        let (settings, problems) = read(&[
            ("venue_type", "CEX"),
            ("slippage", "sqrt_impact"),
            ("impact_bps", "25"),
            ("impact_max_bps", "100"),
            ("leverage", "3"),
            ("initial_balances.spot.USDT", "100.5"),
        ]);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(
            settings.slippage,
            Slippage::SqrtImpact {
                impact: Bps::literal("25"),
                max: Bps::literal("100"),
            }
        );
        assert_eq!(settings.leverage, Fixed18::from_int(3));
        assert_eq!(
            settings.initial_balances,
            [InitialBalance {
                account: Label::literal("spot"),
                asset: Asset::literal("USDT"),
                quantity: Quantity::literal("100.5"),
            }]
        );
    }

    #[test]
    fn wrong_values_and_unknown_keys_are_all_reported() {
        let (settings, problems) = read(&[
            ("venue_type", "DEX"),
            ("slippage_bps", "1001"),
            ("slipage", "none"),
            ("initial_balances.spot.USDT", "-1"),
        ]);
        assert_eq!(settings, CexSettings::default());
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(problems.iter().any(|p| p.contains("did you mean")));
    }
}
