//! The section `venue_settings.morpho` of the simulated contract.

use basis_core::config::{Node, Problems, Reader};
use basis_core::num::{Fixed18, Rate};
use basis_core::types::{Asset, Label};
use basis_core::venue::VenueType;
use basis_sim::settings::{by_asset, read_common};

/// One market and how it stands when the run first meets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketSettings {
    /// Our name for it; the account is `morpho.<name>`.
    pub name: Label,
    /// What is lent.
    pub loan: Asset,
    /// What stands for it.
    pub collateral: Asset,
    /// Debt over collateral at which liquidation begins, below 1.
    pub lltv: Rate,
    /// What others supplied, units of the loan asset.
    pub total_supply: Fixed18,
    /// What others owe, at most what they supplied.
    pub total_borrow: Fixed18,
    /// The part of interest that goes to the fee recipient, at most 0.25.
    pub fee: Rate,
    /// Yearly rate of the adaptive curve at its target utilization, 0.001–2.
    pub rate_at_target: Rate,
}

/// Settings of the simulated contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MorphoSettings {
    /// The markets of the run.
    pub markets: Vec<MarketSettings>,
    /// What the contract holds in other markets, for flash loans.
    pub balances: Vec<(Asset, Fixed18)>,
    /// The network named in the section.
    pub network: Option<String>,
}

impl MorphoSettings {
    /// Reads the section. Problems go to `problems`; a market that is not whole is left out.
    #[must_use]
    pub fn read(node: &Node, problems: &Problems) -> Self {
        let reader = Reader::new(node, "", problems);
        let network = read_common(&reader, VenueType::OnChain).network;
        let mut markets: Vec<MarketSettings> = Vec::new();
        for (node, at) in reader.list("markets").iter().zip(0..) {
            let path = reader.path_of(&format!("markets[{at}]"));
            let row = Reader::new(node, path, problems);
            let market = read_market(&row);
            row.finish();
            let Some(market) = market else { continue };
            if markets.iter().any(|known| known.name == market.name) {
                reader.problem("markets", format!("{} is there twice", market.name));
                continue;
            }
            markets.push(market);
        }
        let balances = by_asset(&reader, "balances", |row, key| row.within(key, amounts()));
        reader.finish();
        Self {
            markets,
            balances,
            network,
        }
    }
}

const fn amounts() -> std::ops::RangeInclusive<Fixed18> {
    Fixed18::ZERO..=Fixed18::from_int(1_000_000_000_000)
}

fn read_market(row: &Reader<'_>) -> Option<MarketSettings> {
    let name = row.required::<Label>("name");
    let loan = row.required::<Asset>("loan");
    let collateral = row.required::<Asset>("collateral");
    let lltv = row.within("lltv", Fixed18::ZERO..=Fixed18::literal("0.999"));
    if lltv.is_none() {
        row.problem("lltv", "is required, a fraction from 0 to 0.999");
    }
    let total_supply = row.within("total_supply", amounts());
    if total_supply.is_none() {
        row.problem(
            "total_supply",
            "is required: no market's totals are recorded",
        );
    }
    let total_supply = total_supply.unwrap_or_default();
    let total_borrow = row.fixed("total_borrow", amounts(), Fixed18::ZERO);
    if total_borrow > total_supply {
        let text = format!("{total_borrow} is above total_supply, {total_supply}");
        row.problem("total_borrow", text);
        return None;
    }
    let fee = row.fixed(
        "fee",
        Fixed18::ZERO..=Fixed18::literal("0.25"),
        Fixed18::ZERO,
    );
    let rate_at_target = row.fixed(
        "rate_at_target",
        Fixed18::literal("0.001")..=Fixed18::from_int(2),
        Fixed18::literal("0.04"),
    );
    if loan.is_some() && loan == collateral {
        row.problem("collateral", "is the loan asset; a market has two assets");
        return None;
    }
    Some(MarketSettings {
        name: name?,
        loan: loan?,
        collateral: collateral?,
        lltv: Rate::new(lltv?),
        total_supply,
        total_borrow,
        fee: Rate::new(fee),
        rate_at_target: Rate::new(rate_at_target),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use basis_testkit::node;

    fn read(json: &serde_json::Value) -> (MorphoSettings, Vec<String>) {
        let problems = Problems::new();
        let settings = MorphoSettings::read(&node(json), &problems);
        let problems = problems.into_sorted();
        (settings, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn markets_are_read_with_their_defaults() {
        let (settings, problems) = read(&json!({
            "markets": [{
                "name": "weeth_weth", "loan": "WETH", "collateral": "weETH", "lltv": "0.945",
                "total_supply": "10000", "total_borrow": "9000",
            }],
            "balances": { "WETH": "50000" },
        }));
        assert_eq!(problems, Vec::<String>::new());
        let market = &settings.markets[0];
        assert_eq!(market.name, Label::literal("weeth_weth"));
        assert_eq!(market.rate_at_target, Rate::literal("0.04"));
        assert_eq!(market.fee, Rate::ZERO);
        let weth = Asset::literal("WETH");
        assert_eq!(settings.balances, [(weth, Fixed18::from_int(50_000))]);
        assert_eq!(read(&json!({})).0, MorphoSettings::default());
    }

    #[test]
    fn markets_that_are_not_whole_are_left_out_and_named() {
        let (settings, problems) = read(&json!({
            "markets": [
                { "name": "a", "loan": "WETH", "collateral": "weETH" },
                { "name": "b", "loan": "WETH", "collateral": "WETH", "lltv": "0.9",
                  "total_supply": "1" },
                { "name": "c", "loan": "WETH", "collateral": "weETH", "lltv": "0.9",
                  "total_supply": "1", "total_borrow": "2" },
                { "name": "d", "loan": "WETH", "collateral": "weETH", "lltv": "0.9",
                  "total_supply": "1", "fee": "0.3", "rate": "1" },
                { "name": "d", "loan": "WETH", "collateral": "weETH", "lltv": "0.9",
                  "total_supply": "1" },
            ],
        }));
        assert_eq!(settings.markets.len(), 1);
        for place in [
            "markets[0].lltv",
            "markets[0].total_supply",
            "markets[1].collateral",
            "markets[2].total_borrow",
            "markets[3].fee",
            "markets[3].rate",
            "d is there twice",
        ] {
            let found = problems.iter().any(|problem| problem.contains(place));
            assert!(found, "{place}: {problems:?}");
        }
    }
}
