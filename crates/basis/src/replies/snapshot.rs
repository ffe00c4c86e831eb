//! A dated snapshot in the form of `configs/venues`.

use basis_core::config::{Entry, Location, Node, NodeValue, Problems};
use basis_core::num::{Fixed18, Rounding};
use basis_core::rules::VenueRules;
use basis_core::types::Venue;

use crate::config::yaml;

/// One margin tier.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tier {
    pub(super) up_to: Fixed18,
    pub(super) initial: Fixed18,
    pub(super) maintenance: Fixed18,
    pub(super) deduction: Fixed18,
    pub(super) leverage: Fixed18,
}

/// What only perpetuals have.
#[derive(Clone, Debug)]
pub(super) struct Perp {
    pub(super) contract_size: Fixed18,
    pub(super) contracts: bool,
    pub(super) prices_contracts: bool,
    pub(super) interval_hours: i64,
    pub(super) liquidation_fee_bps: Fixed18,
    /// The tier of the whole position applies to all of it, and counts contracts.
    pub(super) whole: bool,
    pub(super) tiers: Vec<Tier>,
}

/// One instrument.
#[derive(Clone, Debug)]
pub(super) struct Instrument {
    pub(super) symbol: String,
    pub(super) venue_symbol: String,
    pub(super) base: String,
    pub(super) quote: String,
    pub(super) tick: Fixed18,
    pub(super) lot: Fixed18,
    pub(super) least: Fixed18,
    pub(super) most: Fixed18,
    pub(super) most_at_market: Fixed18,
    pub(super) least_notional: Fixed18,
    pub(super) perp: Option<Perp>,
    /// Which replies it is from, and what was assumed.
    pub(super) source: Vec<String>,
}

/// Maker and taker, in basis points.
pub(super) type Pair = (Fixed18, Fixed18);

/// A snapshot of one venue.
#[derive(Clone, Debug)]
pub struct Snapshot {
    venue: Venue,
    pub(super) effective_from: String,
    pub(super) source: String,
    pub(super) instruments: Vec<Instrument>,
    /// Fees of spot and of perpetuals, where a reply has them.
    pub(super) fees: (Option<Pair>, Option<Pair>),
    /// Decimals of balances.
    pub(super) assets: Vec<(String, u32)>,
}

impl Snapshot {
    pub(super) fn new(venue: Venue) -> Self {
        Self {
            venue,
            effective_from: String::new(),
            source: String::new(),
            instruments: Vec::new(),
            fees: (None, None),
            assets: Vec::new(),
        }
    }

    pub(super) fn keeps(&mut self, asset: &str, decimals: u32) {
        if !self.assets.iter().any(|(known, _)| known == asset) {
            self.assets.push((asset.to_owned(), decimals));
        }
    }

    /// Takes the fees of one more instrument, which must be those of the others: rules have one pair for
    /// all.
    pub(super) fn fees(&mut self, perp: bool, pair: Pair, what: &str) -> Result<(), String> {
        let known = if perp {
            &mut self.fees.1
        } else {
            &mut self.fees.0
        };
        let first = *known.get_or_insert(pair);
        if first == pair {
            return Ok(());
        }
        Err(format!(
            "{what}: fees of {} and {} bps differ from {} and {} of another instrument, and rules have \
             one pair for all of a venue; import them apart",
            pair.0, pair.1, first.0, first.1
        ))
    }

    /// What was assumed of each instrument, for people.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let rows = self.instruments.iter();
        rows.map(|row| {
            let kind = if row.perp.is_some() { "perp" } else { "spot" };
            format!("{kind} {}: {}", row.symbol, row.source.join("; "))
        })
        .collect()
    }

    /// The snapshot as a file of rules, read back by the reader of rules.
    ///
    /// # Errors
    /// What that reader says is wrong with it; `builtin` is what it will be merged over.
    pub fn yaml(&self, builtin: impl Fn(Node) -> Node) -> Result<String, String> {
        let tree = self.tree();
        let problems = Problems::new();
        let read = VenueRules::read(&builtin(tree.clone()), &problems);
        let list = problems.into_sorted();
        if let (Some(_), true) = (&read, list.is_empty()) {
            return Ok(yaml::to_yaml(&tree));
        }
        let lines: Vec<_> = list.iter().map(ToString::to_string).collect();
        Err(format!("the replies make no rules: {}", lines.join("; ")))
    }

    fn tree(&self) -> Node {
        let mut snapshot = vec![
            ("effective_from", text(&self.effective_from)),
            ("source", text(&self.source)),
        ];
        if let Some(fees) = self.fees_tree() {
            snapshot.push(("fees", fees));
        }
        let rows = self.instruments.iter().map(instrument).collect();
        snapshot.push(("instruments", list(rows)));
        let assets = self.assets.iter().map(|(asset, decimals)| {
            map(vec![
                ("asset", text(asset)),
                ("decimals", text(&decimals.to_string())),
            ])
        });
        snapshot.push(("assets", list(assets.collect())));
        map(vec![
            ("venue", text(self.venue.as_str())),
            ("snapshots", list(vec![map(snapshot)])),
        ])
    }

    fn fees_tree(&self) -> Option<Node> {
        // A pair that no reply has would be none at all.
        let (spot, perp) = (self.fees.0?, self.fees.1?);
        let pair = |(maker, taker): Pair| {
            map(vec![
                ("maker_bps", number(maker)),
                ("taker_bps", number(taker)),
            ])
        };
        Some(map(vec![
            ("source", text(&self.source)),
            ("confidence", text("documented")),
            ("spot", pair(spot)),
            ("perp", pair(perp)),
            ("spot_buy_fee_asset", text("base")),
        ]))
    }
}

fn instrument(row: &Instrument) -> Node {
    let kind = if row.perp.is_some() { "perp" } else { "spot" };
    let mut out = vec![
        ("kind", text(kind)),
        ("symbol", text(&row.symbol)),
        ("venue_symbol", text(&row.venue_symbol)),
        ("base", text(&row.base)),
        ("quote", text(&row.quote)),
        ("source", text(&row.source.join("; "))),
        ("confidence", text("documented")),
        ("tick_size", number(row.tick)),
        ("lot_size", number(row.lot)),
        ("min_quantity", number(row.least)),
        ("max_quantity", number(row.most)),
        ("max_market_quantity", number(row.most_at_market)),
        ("min_notional", number(row.least_notional)),
    ];
    if let Some(perp) = &row.perp {
        let choose = |yes: bool, one: &str, other: &str| text(if yes { one } else { other });
        let leverage = perp.tiers.iter().map(|tier| tier.leverage).max();
        out.extend([
            ("contract_size", number(perp.contract_size)),
            ("quantity_unit", choose(perp.contracts, "contracts", "base")),
            (
                "price_unit",
                choose(perp.prices_contracts, "contract", "base"),
            ),
            (
                "funding",
                map(vec![
                    ("interval_hours", text(&perp.interval_hours.to_string())),
                    ("anchor_hour_utc", text("0")),
                ]),
            ),
            ("max_leverage", number(leverage.unwrap_or(Fixed18::ONE))),
            ("liquidation_fee_bps", number(perp.liquidation_fee_bps)),
            ("tier_method", choose(perp.whole, "whole", "deduction")),
            ("tier_unit", choose(perp.whole, "contracts", "notional")),
            ("tiers", list(perp.tiers.iter().map(tier).collect())),
        ]);
    }
    map(out)
}

fn tier(tier: &Tier) -> Node {
    map(vec![
        ("up_to", number(tier.up_to)),
        ("initial_margin_rate", number(tier.initial)),
        ("maintenance_margin_rate", number(tier.maintenance)),
        ("deduction", number(tier.deduction)),
        ("max_leverage", number(tier.leverage)),
    ])
}

/// Fills in deductions that are not given: the one before + its bound × the step of the rate.
///
/// # Errors
/// An amount that is out of range.
pub(super) fn deductions(tiers: &mut [Tier], given: &[Option<Fixed18>]) -> Result<(), String> {
    let mut before: Option<Tier> = None;
    for (tier, given) in tiers.iter_mut().zip(given) {
        if let Some(before) = before {
            let computed = tier
                .maintenance
                .sub(before.maintenance)
                .and_then(|step| step.mul(before.up_to, Rounding::Floor))
                .and_then(|more| before.deduction.add(more))
                .map_err(|e| format!("deduction of the tier up to {}: {e}", tier.up_to))?;
            tier.deduction = given.unwrap_or(computed);
        }
        before = Some(*tier);
    }
    Ok(())
}

fn place() -> Location {
    Location::new("replies", 0)
}

fn text(text: &str) -> Node {
    Node::text(text, place())
}

fn number(number: Fixed18) -> Node {
    text(&number.to_string())
}

fn list(items: Vec<Node>) -> Node {
    Node {
        value: NodeValue::List(items),
        location: place(),
    }
}

fn map(entries: Vec<(&str, Node)>) -> Node {
    let entries = entries.into_iter().map(|(key, node)| Entry {
        key: key.to_owned(),
        location: place(),
        node,
    });
    Node {
        value: NodeValue::Map(entries.collect()),
        location: place(),
    }
}
