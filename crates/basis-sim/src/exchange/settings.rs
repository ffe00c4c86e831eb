//! The section `venue_settings.<venue>` of a simulated exchange.

use basis_core::config::{Node, Problems, Reader};
use basis_core::instruction::MarginMode;
use basis_core::num::{Bps, Fixed18, Rate};
use basis_core::types::Asset;
use basis_core::venue::{TakingTerms, VenueType};

use crate::settings::{
    InitialBalance, TransferFailure, read_balances, read_common, read_transfer_failures,
};

/// The part of the newest bar's volume that orders take at most, unless configured.
const MAX_PARTICIPATION: Rate = Rate::literal("0.05");

/// Keys of an earlier model, each with the way out.
const RENAMED: [(&str, &str); 2] = [
    (
        "impact_bps",
        "the impact is measured on the market's own bars; `impact` is its factor, 1 by default",
    ),
    (
        "impact_max_bps",
        "`max_participation` bounds the size of an order and so its impact",
    ),
];

/// How many positions a perp has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PositionMode {
    /// One, long or short.
    #[default]
    OneWay,
    /// A long and a short one side by side.
    Hedge,
}

/// Settings of a simulated exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeSettings {
    /// Price and size of taking orders.
    pub taking: TakingTerms,
    /// Notional per unit of initial margin of perps until `SetLeverage`, 1–125.
    pub leverage: Fixed18,
    /// Whether perp positions share collateral, until `SetLeverage` says otherwise.
    pub margin_mode: MarginMode,
    /// Whether a perp has one position or a long and a short one.
    pub position_mode: PositionMode,
    /// Whether spot trades may borrow what they sell or pay with.
    pub spot_margin: bool,
    /// What can be borrowed, and at what simple rate per hour.
    pub borrow: Vec<(Asset, Rate)>,
    /// Worth of assets per unit of own worth up to which spot trades may borrow, 1–10.
    pub spot_margin_leverage: Fixed18,
    /// Transfers that fail on purpose.
    pub transfer_failures: Vec<TransferFailure>,
    /// Holdings without ledger lines: for single instructions and tests.
    pub initial_balances: Vec<InitialBalance>,
    /// Whether the venue's test network is meant; live only.
    pub testnet: bool,
    /// The network named in the section; on-chain only, accepted everywhere.
    pub network: Option<String>,
    /// Requests or orders per span of time, by key; live only.
    pub rate_limits: Vec<(&'static str, i64)>,
}

impl Default for ExchangeSettings {
    fn default() -> Self {
        Self {
            taking: TakingTerms {
                half_spread: Bps::new(Fixed18::ONE),
                impact: Fixed18::ONE,
                max_participation: Some(MAX_PARTICIPATION),
            },
            leverage: Fixed18::from_int(5),
            margin_mode: MarginMode::Cross,
            position_mode: PositionMode::OneWay,
            spot_margin: false,
            borrow: Vec::new(),
            spot_margin_leverage: Fixed18::from_int(3),
            transfer_failures: Vec::new(),
            initial_balances: Vec::new(),
            testnet: false,
            network: None,
            rate_limits: Vec::new(),
        }
    }
}

impl ExchangeSettings {
    /// Reads the section. Problems go to `problems`; what is wrong reads as its default.
    #[must_use]
    pub fn read(node: &Node, problems: &Problems) -> Self {
        let reader = Reader::new(node, "", problems);
        let common = read_common(&reader, VenueType::Cex);
        let taking = read_taking(&reader);
        let leverage = reader.fixed(
            "leverage",
            Fixed18::ONE..=Fixed18::from_int(125),
            Fixed18::from_int(5),
        );
        let initial_balances = read_balances(&reader);
        let margin_modes = [
            ("cross", MarginMode::Cross),
            ("isolated", MarginMode::Isolated),
        ];
        let margin_mode = reader.choice("margin_mode", &margin_modes, MarginMode::Cross);
        let position_modes = [
            ("one_way", PositionMode::OneWay),
            ("hedge", PositionMode::Hedge),
        ];
        let position_mode = reader.choice("position_mode", &position_modes, PositionMode::OneWay);
        let spot_margin = reader.boolean("spot_margin", false);
        let borrow = read_borrow(&reader);
        let spot_margin_leverage = reader.fixed(
            "spot_margin_leverage",
            Fixed18::ONE..=Fixed18::from_int(10),
            Fixed18::from_int(3),
        );
        let transfer_failures = read_transfer_failures(&reader);
        // What only live trading reads, which also checks it.
        let _live = reader.node("live");
        reader.finish();
        Self {
            taking,
            leverage,
            margin_mode,
            position_mode,
            spot_margin,
            borrow,
            spot_margin_leverage,
            transfer_failures,
            initial_balances,
            testnet: common.testnet,
            network: common.network,
            rate_limits: common.rate_limits,
        }
    }
}

fn read_taking(reader: &Reader<'_>) -> TakingTerms {
    #[derive(Clone, Copy, PartialEq)]
    enum Model {
        None,
        Fixed,
        Impact,
    }
    for (old, way_out) in RENAMED {
        if reader.node(old).is_some() {
            reader.problem(old, format!("is no key any more; {way_out}"));
        }
    }
    let models = [
        ("none", Model::None),
        ("fixed_bps", Model::Fixed),
        ("sqrt_impact", Model::Impact),
    ];
    let model = reader.choice("slippage", &models, Model::Impact);
    let bounds = |max: i64| Fixed18::ZERO..=Fixed18::from_int(max);
    let half_spread = Bps::new(reader.fixed("slippage_bps", bounds(1_000), Fixed18::ONE));
    let impact = reader.fixed("impact", bounds(10), Fixed18::ONE);
    let (key, most) = ("max_participation", MAX_PARTICIPATION.get());
    let bounded = reader.text(key) != Some("none");
    let most = bounded.then(|| reader.fixed(key, bounds(1), most));
    TakingTerms {
        half_spread: if model == Model::None {
            Bps::ZERO
        } else {
            half_spread
        },
        impact: if model == Model::Impact {
            impact
        } else {
            Fixed18::ZERO
        },
        max_participation: most.map(Rate::new),
    }
}

/// Reads `borrow`: a list of `{asset, hourly_rate}`.
fn read_borrow(reader: &Reader<'_>) -> Vec<(Asset, Rate)> {
    let mut rates = Vec::new();
    for (node, at) in reader.list("borrow").iter().zip(0..) {
        let path = reader.path_of(&format!("borrow[{at}]"));
        let row = Reader::new(node, path, reader.problems());
        let asset = row.required::<Asset>("asset");
        let rate = row.within("hourly_rate", Fixed18::ZERO..=Fixed18::ONE);
        if rate.is_none() {
            row.problem("hourly_rate", "is required, a fraction from 0 to 1");
        }
        row.finish();
        rates.extend(asset.zip(rate.map(Rate::new)));
    }
    rates
}

#[cfg(test)]
mod tests {
    use basis_core::config::Location;
    use basis_core::fixed18;
    use basis_core::num::Quantity;
    use basis_core::types::Label;

    use super::*;
    use crate::settings::{FailingTransfer, FailureStage};

    fn read(pairs: &[(&str, &str)]) -> (ExchangeSettings, Vec<String>) {
        let mut root = Node::empty_map(Location::new("m.yaml", 1));
        for (path, text) in pairs {
            root.set_path(path, Node::text(*text, Location::new("m.yaml", 2)));
        }
        let problems = Problems::new();
        let settings = ExchangeSettings::read(&root, &problems);
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
        assert_eq!(read(&[]).0, ExchangeSettings::default());
    }

    #[test]
    fn every_key_of_ours_is_read() {
        let (settings, problems) = read(&[
            ("venue_type", "CEX"),
            ("slippage", "sqrt_impact"),
            ("slippage_bps", "2"),
            ("impact", "0.5"),
            ("max_participation", "0.1"),
            ("leverage", "3"),
            ("initial_balances.spot.USDT", "100.5"),
        ]);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(
            settings.taking,
            TakingTerms {
                half_spread: Bps::literal("2"),
                impact: fixed18!("0.5"),
                max_participation: Some(Rate::literal("0.1")),
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
    fn slippage_models_are_the_terms_that_they_come_to() {
        let of = |pairs: &[(&str, &str)]| {
            let (settings, problems) = read(pairs);
            assert_eq!(problems, Vec::<String>::new());
            settings.taking
        };
        let unbounded = [("max_participation", "none"), ("slippage_bps", "3")];
        let none = of(&[&unbounded[..1], &[("slippage", "none")]].concat());
        assert_eq!(none, TakingTerms::fixed(Bps::ZERO));
        let fixed = of(&[unbounded.as_slice(), &[("slippage", "fixed_bps")]].concat());
        assert_eq!(fixed, TakingTerms::fixed(Bps::literal("3")));
        let bounded = of(&[("slippage", "fixed_bps")]);
        assert_eq!(bounded.max_participation, Some(MAX_PARTICIPATION));
    }

    #[test]
    fn keys_of_the_earlier_impact_are_refused_with_the_way_out() {
        let (_, problems) = read(&[("impact_bps", "10"), ("impact_max_bps", "500")]);
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(
            problems[0].contains("`impact` is its factor"),
            "{problems:?}"
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
        assert_eq!(settings, ExchangeSettings::default());
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(problems.iter().any(|p| p.contains("did you mean")));
    }

    fn read_json(node: &Node) -> (ExchangeSettings, Vec<String>) {
        let problems = Problems::new();
        let settings = ExchangeSettings::read(node, &problems);
        let problems = problems.into_sorted();
        (settings, problems.iter().map(ToString::to_string).collect())
    }

    fn node(json: &serde_json::Value) -> Node {
        basis_testkit::node(json)
    }

    #[test]
    fn modes_loans_and_failures_are_read() {
        let (settings, problems) = read_json(&node(&serde_json::json!({
            "margin_mode": "isolated",
            "position_mode": "hedge",
            "spot_margin": "true",
            "spot_margin_leverage": "5",
            "borrow": [{ "asset": "BTC", "hourly_rate": "0.00002" }],
            "transfer_failures": [
                { "nth": "2", "stage": "returned" },
                { "instruction": "7", "stage": "rejected" },
            ],
        })));
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(settings.margin_mode, MarginMode::Isolated);
        assert_eq!(settings.position_mode, PositionMode::Hedge);
        assert!(settings.spot_margin);
        assert_eq!(settings.spot_margin_leverage, Fixed18::from_int(5));
        let btc = Asset::literal("BTC");
        assert_eq!(settings.borrow, [(btc, Rate::literal("0.00002"))]);
        let failures = settings.transfer_failures.iter();
        let failures: Vec<_> = failures.map(|f| (f.transfer, f.stage)).collect();
        let expected = [
            (FailingTransfer::Nth(2), FailureStage::Returned),
            (FailingTransfer::Instruction(7), FailureStage::Rejected),
        ];
        assert_eq!(failures, expected);
    }

    #[test]
    fn wrong_modes_loans_and_failures_name_their_place() {
        let (settings, problems) = read_json(&node(&serde_json::json!({
            "margin_mode": "crossed",
            "position_mode": "both",
            "borrow": [{ "asset": "BTC", "hourly_rate": "2" }],
            "transfer_failures": [{ "nth": "1", "instruction": "1" }, { "nth": "0" }],
        })));
        assert_eq!(settings, ExchangeSettings::default());
        for place in [
            "margin_mode",
            "position_mode",
            "borrow[0].hourly_rate",
            "transfer_failures[0].nth",
            "transfer_failures[1].nth",
        ] {
            assert!(
                problems.iter().any(|p| p.contains(place)),
                "{place}: {problems:?}"
            );
        }
    }
}
