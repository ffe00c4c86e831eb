//! The section `venue_settings.aave` of the simulated pool.

use basis_core::config::{Node, NodeValue, Problems, Reader};
use basis_core::num::{Fixed18, Rate};
use basis_core::types::Asset;
use basis_core::venue::VenueType;
use basis_protocols::aave_v3::Version;
use basis_sim::settings::{by_asset, read_common};

/// The second slope of a rate curve where the settings name none: 80 %.
const SLOPE2: Rate = Rate::literal("0.8");
/// The pool's present flash loan premium, basis points.
const FLASH_LOAN_PREMIUM_BPS: i64 = 5;
/// The treasury's present part of the liquidation bonus, basis points.
const LIQUIDATION_PROTOCOL_FEE_BPS: i64 = 1_000;
/// Caps are in fields of 36 bits.
const CAP_MAX: i64 = (1 << 36) - 1;

/// Settings of the simulated pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AaveSettings {
    /// Which deployment is simulated.
    pub version: Version,
    /// Which reserves there are; none named: all with risk parameters and recorded rows.
    pub assets: Vec<Asset>,
    /// Whether our own supply and debt move utilization and with it the rates.
    pub own_size: bool,
    /// The second slope of a reserve's rate curve, a yearly rate; the first follows from each row.
    pub slope2: Vec<(Asset, Rate)>,
    /// Most that everybody together may supply, whole tokens; none where absent.
    pub supply_caps: Vec<(Asset, u64)>,
    /// Most that everybody together may borrow, whole tokens; none where absent.
    pub borrow_caps: Vec<(Asset, u64)>,
    /// Premium of flash loans, basis points of the amount.
    pub flash_loan_premium_bps: u16,
    /// The treasury's part of the liquidation bonus, basis points of the bonus.
    pub liquidation_protocol_fee_bps: u16,
    /// The network named in the section.
    pub network: Option<String>,
}

impl Default for AaveSettings {
    fn default() -> Self {
        Self {
            version: Version::V3_2,
            assets: Vec::new(),
            own_size: true,
            slope2: Vec::new(),
            supply_caps: Vec::new(),
            borrow_caps: Vec::new(),
            flash_loan_premium_bps: 5,
            liquidation_protocol_fee_bps: 1_000,
            network: None,
        }
    }
}

impl AaveSettings {
    /// Reads the section. Problems go to `problems`; what is wrong reads as its default.
    #[must_use]
    pub fn read(node: &Node, problems: &Problems) -> Self {
        let reader = Reader::new(node, "", problems);
        let network = read_common(&reader, VenueType::OnChain).network;
        let versions = [("3.0", Version::V3_0), ("3.2", Version::V3_2)];
        let version = reader.choice("version", &versions, Version::V3_2);
        let assets = read_assets(&reader, "assets");
        let own_size = reader.boolean("own_size", true);
        let slopes = Fixed18::ZERO..=Fixed18::from_int(10);
        let slope2 = by_asset(&reader, "slope2", |row, key| {
            row.within(key, slopes.clone()).map(Rate::new)
        });
        let cap = |row: &Reader<'_>, key: &str| {
            let cap = row.within(key, 1..=CAP_MAX);
            cap.and_then(|cap| u64::try_from(cap).ok())
        };
        let supply_caps = by_asset(&reader, "supply_caps", cap);
        let borrow_caps = by_asset(&reader, "borrow_caps", cap);
        let bps = |key: &str, default| {
            let bps = reader.integer(key, 0..=10_000, default);
            u16::try_from(bps).unwrap_or_default()
        };
        let flash_loan_premium_bps = bps("flash_loan_premium_bps", FLASH_LOAN_PREMIUM_BPS);
        let liquidation_protocol_fee_bps =
            bps("liquidation_protocol_fee_bps", LIQUIDATION_PROTOCOL_FEE_BPS);
        reader.finish();
        Self {
            version,
            assets,
            own_size,
            slope2,
            supply_caps,
            borrow_caps,
            flash_loan_premium_bps,
            liquidation_protocol_fee_bps,
            network,
        }
    }

    /// The second slope of the curve of `asset`.
    pub(super) fn slope2_of(&self, asset: Asset) -> Rate {
        of(&self.slope2, asset).unwrap_or(SLOPE2)
    }

    /// Supply and borrow cap of `asset`; 0 is none, as in the contract.
    pub(super) fn caps_of(&self, asset: Asset) -> (u64, u64) {
        let supply = of(&self.supply_caps, asset).unwrap_or_default();
        (supply, of(&self.borrow_caps, asset).unwrap_or_default())
    }
}

fn of<T: Copy>(rows: &[(Asset, T)], asset: Asset) -> Option<T> {
    let row = rows.iter().find(|(named, _)| *named == asset);
    row.map(|(_, value)| *value)
}

/// Reads a list of assets.
fn read_assets(reader: &Reader<'_>, key: &str) -> Vec<Asset> {
    let mut assets = Vec::new();
    for node in reader.list(key) {
        let asset = match &node.value {
            NodeValue::Text(text) => Asset::new(text).map_err(|e| e.to_string()),
            _ => Err("expected the name of an asset".to_owned()),
        };
        match asset {
            Ok(asset) if assets.contains(&asset) => {
                reader.problem(key, format!("{asset} is there twice"));
            }
            Ok(asset) => assets.push(asset),
            Err(what) => reader.problem(key, what),
        }
    }
    assets
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use basis_testkit::node;

    fn read(json: &serde_json::Value) -> (AaveSettings, Vec<String>) {
        let problems = Problems::new();
        let settings = AaveSettings::read(&node(json), &problems);
        let problems = problems.into_sorted();
        (settings, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn an_empty_section_is_the_defaults_and_every_key_is_read() {
        let (defaults, problems) = read(&json!({}));
        assert_eq!((defaults, problems.len()), (AaveSettings::default(), 0));
        let (settings, problems) = read(&json!({
            "venue_type": "OnChain",
            "network": "mainnet",
            "version": "3.0",
            "assets": ["WETH", "weETH"],
            "own_size": "false",
            "slope2": { "WETH": "0.85" },
            "supply_caps": { "weETH": "1000" },
            "borrow_caps": { "WETH": "2000" },
            "flash_loan_premium_bps": "9",
            "liquidation_protocol_fee_bps": "0",
        }));
        assert_eq!(problems, Vec::<String>::new());
        let (weth, weeth) = (Asset::literal("WETH"), Asset::literal("weETH"));
        assert_eq!(settings.version, Version::V3_0);
        assert_eq!(settings.assets, [weth, weeth]);
        assert!(!settings.own_size);
        assert_eq!(settings.slope2_of(weth), Rate::literal("0.85"));
        assert_eq!(settings.slope2_of(weeth), SLOPE2);
        assert_eq!(settings.caps_of(weeth), (1_000, 0));
        assert_eq!(settings.caps_of(weth), (0, 2_000));
        assert_eq!(settings.flash_loan_premium_bps, 9);
        assert_eq!(settings.liquidation_protocol_fee_bps, 0);
        assert_eq!(settings.network.as_deref(), Some("mainnet"));
    }

    #[test]
    fn wrong_values_name_their_place() {
        let (settings, problems) = read(&json!({
            "venue_type": "CEX",
            "version": "3.1",
            "assets": ["WETH", "WETH"],
            "slope2": { "WETH": "11" },
            "supply_caps": { "WETH": "0" },
            "flash_loan_premium_bps": "10001",
            "own_sise": "true",
        }));
        assert_eq!(settings.assets, [Asset::literal("WETH")]);
        for place in [
            "venue_type",
            "version",
            "assets",
            "slope2.WETH",
            "supply_caps.WETH",
            "flash_loan_premium_bps",
            "own_sise",
        ] {
            let found = problems.iter().any(|problem| problem.contains(place));
            assert!(found, "{place}: {problems:?}");
        }
    }
}
