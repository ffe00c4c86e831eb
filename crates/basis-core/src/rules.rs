//! Dated rules of a venue: filters, fees, margin tiers, contract sizes, transfers.
//!
//! The simulated venue enforces them, strategies size by them, and the run copies them into its
//! `config.yaml` so that an auditor computes with the same tables. Sources stand in the files under
//! `configs/venues`. Sizes that a venue counts in contracts are converted to base units here, once.

mod shared;

pub use shared::SharedRules;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{Node, Problems, Reader};
use crate::num::{Bps, Fixed18, MathError, Price, Quantity, Rate, Rounding, Value};
use crate::types::{
    Account, Asset, InstrumentKey, InstrumentKind, Label, Span, Symbol, Timestamp, Venue,
};

/// All dated rules of one venue, oldest first.
#[derive(Clone, Debug)]
pub struct VenueRules {
    /// Whose.
    pub venue: Venue,
    snapshots: Vec<RuleSnapshot>,
}

/// The rules in force from one day on.
#[derive(Clone, Debug)]
pub struct RuleSnapshot {
    /// First instant, inclusive.
    pub effective_from: Timestamp,
    /// The venue's accounts.
    pub accounts: Accounts,
    /// Entry-tier trading fees.
    pub fees: Fees,
    /// Instruments, spot before perp as written.
    pub instruments: Vec<InstrumentRules>,
    /// Moving assets.
    pub transfers: TransferRules,
    /// Decimals with which the venue keeps assets; what it does not list it keeps as the chain does, whose
    /// decimals the wallet's file has.
    pub assets: Vec<(Asset, u32)>,
}

/// Which account does what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accounts {
    /// Where deposits arrive and withdrawals leave.
    pub deposit: Account,
    /// Pays for spot trades and holds what they buy.
    pub spot: Account,
    /// Collateral of perps.
    pub perp: Account,
}

/// Trading fees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fees {
    /// Spot maker and taker.
    pub spot: MakerTaker,
    /// Perp maker and taker.
    pub perp: MakerTaker,
    /// Whether the fee on a spot buy comes out of the base received (else out of the quote paid).
    pub spot_buy_fee_in_base: bool,
    /// The least that a flash loan in front of an atomic group costs, of the loan, whoever lends it.
    pub flash_loan: Rate,
}

impl Fees {
    /// Returns what a flash loan of `amount` costs of which the lender asks `premium`: no less than the
    /// venue's own fee, rounded up to a multiple of the loan's unit (`decimals`).
    ///
    /// # Errors
    /// [`MathError`] out of range.
    pub fn flash_loan_cost(
        &self,
        amount: Quantity,
        premium: Quantity,
        decimals: u32,
    ) -> Result<Quantity, MathError> {
        let least = amount.at_rate(self.flash_loan, Rounding::Ceil)?.get();
        let least = least.round_to_decimals(decimals, Rounding::Ceil)?;
        Ok(premium.max(Quantity::new(least)))
    }
}

/// A pair of fee rates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MakerTaker {
    /// On fills that rested.
    pub maker: Rate,
    /// On fills that took.
    pub taker: Rate,
}

/// Filters of one instrument, quantities in base units.
#[derive(Clone, Debug)]
pub struct InstrumentRules {
    /// Which.
    pub key: InstrumentKey,
    /// The venue's own spelling.
    pub venue_symbol: Label,
    /// What is traded.
    pub base: Asset,
    /// What it is priced and settled in.
    pub quote: Asset,
    /// Price step.
    pub tick_size: Price,
    /// Quantity step.
    pub lot_size: Quantity,
    /// Smallest order.
    pub min_quantity: Quantity,
    /// Largest order.
    pub max_quantity: Quantity,
    /// Largest market order.
    pub max_market_quantity: Quantity,
    /// Smallest quantity × price; zero for none.
    pub min_notional: Value,
    /// What only perps have.
    pub perp: Option<PerpRules>,
}

/// How maintenance margin follows from the tiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TierMethod {
    /// Notional × rate − deduction, in the tier the size falls into (Binance `cum`, Bybit
    /// `mmDeduction`).
    Deduction,
    /// The tier's rate applies to the whole position (OKX).
    Whole,
}

/// What a tier's bound is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TierUnit {
    /// Quote notional at mark.
    Notional,
    /// Base units (contracts of the file × contract size).
    Base,
}

/// One margin tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarginTier {
    /// Upper bound, inclusive, in the tier unit.
    pub up_to: Fixed18,
    /// Initial margin at the tier's highest leverage.
    pub initial_margin_rate: Rate,
    /// Maintenance margin rate.
    pub maintenance_margin_rate: Rate,
    /// Subtracted from notional × rate under [`TierMethod::Deduction`]; in quote.
    pub deduction: Value,
    /// Highest leverage.
    pub max_leverage: Fixed18,
}

/// What only perps have.
#[derive(Clone, Debug)]
pub struct PerpRules {
    /// Base units per contract; 1 where the venue counts base units.
    pub contract_size: Quantity,
    /// Whether the venue counts contracts.
    pub counts_contracts: bool,
    /// Whether the venue's prices are of a contract, as those of 1000PEPEUSDT are of 1000 PEPE; else of a
    /// base unit. Recorded prices are divided by the contract size where they are read.
    pub prices_contracts: bool,
    /// Time between settlements.
    pub funding_interval: Span,
    /// Time of day of one settlement.
    pub funding_anchor: Span,
    /// The most that one settlement takes of the notional, where the venue says so.
    pub funding_rate_max: Option<Rate>,
    /// Highest leverage of all tiers.
    pub max_leverage: Fixed18,
    /// Charged on notional at liquidation.
    pub liquidation_fee: Bps,
    /// How maintenance follows from tiers.
    pub tier_method: TierMethod,
    /// What bounds count.
    pub tier_unit: TierUnit,
    /// Tiers, ascending.
    pub tiers: Vec<MarginTier>,
}

/// Moving assets within and out of a venue.
#[derive(Clone, Debug)]
pub struct TransferRules {
    /// Delay of an internal transfer.
    pub internal_delay: Span,
    /// Cost of an internal transfer, in the asset.
    pub internal_fee: Quantity,
    /// Withdrawals, or sends of the wallet.
    pub withdrawals: Vec<WithdrawalRules>,
}

/// Sending one asset out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithdrawalRules {
    /// The asset.
    pub asset: Asset,
    /// The chain it goes over.
    pub network: Label,
    /// Flat cost in the asset.
    pub fee: Quantity,
    /// Smallest amount.
    pub minimum: Quantity,
    /// Decimals of an accepted amount.
    pub decimals: u32,
    /// From request to credit at the other end.
    pub delay: Span,
}

/// The rules of every venue of a run.
#[derive(Clone, Debug, Default)]
pub struct RuleBook {
    venues: BTreeMap<Venue, Arc<VenueRules>>,
}

impl RuleBook {
    /// From the rules of each venue.
    #[must_use]
    pub fn new(rules: impl IntoIterator<Item = VenueRules>) -> Self {
        Self {
            venues: rules
                .into_iter()
                .map(|rules| (rules.venue, Arc::new(rules)))
                .collect(),
        }
    }

    /// The rules of `venue`.
    #[must_use]
    pub fn venue(&self, venue: Venue) -> Option<&Arc<VenueRules>> {
        self.venues.get(&venue)
    }

    /// Decimals with which `venue` keeps `asset`: by its own rules, else those of the token on the chain
    /// (the wallet's rules), else those of any venue that has them.
    #[must_use]
    pub fn asset_decimals(&self, venue: Venue, asset: Asset) -> Option<u32> {
        let by = |venue: Venue| self.venue(venue)?.asset_decimals(asset);
        by(venue)
            .or_else(|| by(Venue::WALLET))
            .or_else(|| self.venues.keys().find_map(|venue| by(*venue)))
    }
}

impl VenueRules {
    /// Reads a file of `configs/venues`; problems are reported and the broken parts left out.
    #[must_use]
    pub fn read(node: &Node, problems: &Problems) -> Option<Self> {
        let reader = Reader::new(node, "", problems);
        let venue: Venue = reader.required("venue")?;
        let mut snapshots: Vec<RuleSnapshot> = reader
            .list("snapshots")
            .iter()
            .zip(0..)
            .filter_map(|(node, at)| {
                let path = format!("{venue}.snapshots[{at}]");
                read_snapshot(Reader::new(node, path, problems), venue)
            })
            .collect();
        snapshots.sort_by_key(|snapshot| snapshot.effective_from);
        if snapshots.is_empty() {
            reader.problem("snapshots", "at least one dated snapshot is required");
            return None;
        }
        reader.finish();
        Some(Self { venue, snapshots })
    }

    /// The rules in force at `at`; before the first snapshot, the first.
    ///
    /// # Panics
    /// Never: [`VenueRules::read`] refuses rules without a snapshot.
    #[must_use]
    pub fn at(&self, at: Timestamp) -> &RuleSnapshot {
        self.snapshots
            .iter()
            .rev()
            .find(|snapshot| snapshot.effective_from <= at)
            .or(self.snapshots.first())
            .expect("invariant: read() refuses rules without a snapshot")
    }

    /// Decimals with which the venue keeps `asset`, the same in every snapshot that says so; `None` where
    /// none does.
    #[must_use]
    pub fn asset_decimals(&self, asset: Asset) -> Option<u32> {
        let assets = self.snapshots.iter().flat_map(|snapshot| &snapshot.assets);
        let mut of_asset = assets.filter(|(candidate, _)| *candidate == asset);
        of_asset.next().map(|(_, decimals)| *decimals)
    }

    /// Every snapshot, oldest first.
    #[must_use]
    pub fn snapshots(&self) -> &[RuleSnapshot] {
        &self.snapshots
    }

    /// When the next snapshot after `at` takes effect.
    #[must_use]
    pub fn next_change(&self, at: Timestamp) -> Option<Timestamp> {
        self.snapshots
            .iter()
            .map(|s| s.effective_from)
            .find(|from| *from > at)
    }
}

impl VenueRules {
    /// The first settlement of the perpetual `symbol` after `at`: each instant is one of the
    /// snapshot in force at that instant, so a change of interval neither skips nor doubles one.
    /// `None` when no snapshot from `at` on lists it.
    #[must_use]
    pub fn next_funding(&self, symbol: Symbol, at: Timestamp) -> Option<Timestamp> {
        let mut after = at;
        loop {
            // The instant looked for lies after `after`; the snapshot of the next tick rules it.
            let from = after.plus(Span::from_nanos(1));
            let change = self.next_change(from);
            let listed = self.at(from).instrument(InstrumentKind::Perp, symbol);
            let next = listed
                .and_then(|i| i.perp.as_ref())
                .map(|perp| perp.next_funding(after));
            match (next, change) {
                (Some(next), Some(change)) if next >= change => {}
                (Some(next), _) => return Some(next),
                (None, None) => return None,
                (None, Some(_)) => {}
            }
            after = change?.minus(Span::from_nanos(1));
        }
    }
}

impl RuleSnapshot {
    /// The rules of `symbol` as `kind`; either side of a perpetual has those of the perpetual.
    #[must_use]
    pub fn instrument(&self, kind: InstrumentKind, symbol: Symbol) -> Option<&InstrumentRules> {
        self.instruments
            .iter()
            .find(|i| i.key.kind == kind.contract() && i.key.symbol == symbol)
    }

    /// How `asset` leaves the venue; the first network listed.
    #[must_use]
    pub fn withdrawal(&self, asset: Asset) -> Option<&WithdrawalRules> {
        self.transfers.withdrawals.iter().find(|w| w.asset == asset)
    }
}

impl PerpRules {
    /// The first settlement after `at`.
    #[must_use]
    pub fn next_funding(&self, at: Timestamp) -> Timestamp {
        at.minus(self.funding_anchor)
            .floor_to(self.funding_interval)
            .plus(self.funding_anchor)
            .plus(self.funding_interval)
    }
}

struct Days(Timestamp);

impl std::str::FromStr for Days {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let full = format!("{text}T00:00:00Z");
        Timestamp::parse(&full)
            .map(Self)
            .map_err(|_reason| "write a date as YYYY-MM-DD")
    }
}

fn read_snapshot(reader: Reader<'_>, venue: Venue) -> Option<RuleSnapshot> {
    let effective_from = reader.required::<Days>("effective_from").map(|day| day.0);
    note_source(&reader);
    let accounts = reader.section("accounts").and_then(|section| {
        let account = |key: &str| {
            section
                .parse::<Label>(key)
                .map(|name| Account::new(venue, name))
        };
        let deposit = account("deposit");
        if deposit.is_none() {
            section.problem("deposit", "is required");
        }
        let (spot, perp) = (account("spot").or(deposit), account("perp").or(deposit));
        section.finish();
        Some(Accounts {
            deposit: deposit?,
            spot: spot?,
            perp: perp?,
        })
    });
    let fees = reader.section("fees").map(read_fees).unwrap_or_default();
    let instruments = reader
        .list("instruments")
        .iter()
        .zip(0..)
        .filter_map(|(node, at)| {
            let path = reader.path_of(&format!("instruments[{at}]"));
            read_instrument(Reader::new(node, path, reader.problems()), venue)
        })
        .collect();
    let transfers = reader
        .section("transfers")
        .map(read_transfers)
        .unwrap_or_default();
    let assets = reader
        .list("assets")
        .iter()
        .filter_map(|node| {
            let section = Reader::new(node, reader.path_of("assets"), reader.problems());
            let asset = section.required::<Asset>("asset");
            let decimals = section.within("decimals", 0..=18);
            section.finish();
            Some((asset?, decimals?))
        })
        .collect();
    if accounts.is_none() {
        reader.problem("accounts", "is required");
    }
    reader.finish();
    Some(RuleSnapshot {
        effective_from: effective_from?,
        accounts: accounts?,
        fees,
        instruments,
        transfers,
        assets,
    })
}

fn bps_rate(section: &Reader<'_>, key: &str) -> Rate {
    let limit = Fixed18::from_int(1_000);
    let zero = Fixed18::ZERO;
    let bps = section.fixed(key, limit.neg().unwrap_or(zero)..=limit, zero);
    Bps::new(bps)
        .to_rate(Rounding::HalfEven)
        .unwrap_or_default()
}

fn read_fees(section: Reader<'_>) -> Fees {
    note_source(&section);
    let pair = |key: &str| {
        section
            .section(key)
            .map_or_else(MakerTaker::default, |pair| {
                let rates = MakerTaker {
                    maker: bps_rate(&pair, "maker_bps"),
                    taker: bps_rate(&pair, "taker_bps"),
                };
                pair.finish();
                rates
            })
    };
    let fees = Fees {
        spot: pair("spot"),
        perp: pair("perp"),
        spot_buy_fee_in_base: section.choice(
            "spot_buy_fee_asset",
            &[("base", true), ("quote", false)],
            true,
        ),
        flash_loan: Bps::new(section.fixed(
            "flash_loan_bps",
            Fixed18::ZERO..=Fixed18::from_int(1_000),
            Fixed18::ZERO,
        ))
        .to_rate(Rounding::HalfEven)
        .unwrap_or_default(),
    };
    section.finish();
    fees
}

/// Marks the keys that only document where values come from as known.
fn note_source(section: &Reader<'_>) {
    for key in ["source", "confidence"] {
        // Read and dropped: the text is for people.
        let _documented = section.text(key);
    }
}

fn read_transfers(section: Reader<'_>) -> TransferRules {
    note_source(&section);
    let mut rules = TransferRules::default();
    if let Some(internal) = section.section("internal") {
        rules.internal_delay = seconds(&internal, "delay_seconds");
        rules.internal_fee = internal.parse("fee").unwrap_or_default();
        internal.finish();
    }
    rules.withdrawals = section
        .list("withdrawals")
        .iter()
        .zip(0..)
        .filter_map(|(node, at)| {
            let path = section.path_of(&format!("withdrawals[{at}]"));
            let row = Reader::new(node, path, section.problems());
            let asset = row.required("asset");
            let network = row.required("network");
            let fee = row.required("fee");
            let minimum = row.required("minimum");
            let decimals = row.within("decimals", 0..=18);
            let delay = seconds(&row, "delay_seconds");
            row.finish();
            Some(WithdrawalRules {
                asset: asset?,
                network: network?,
                fee: fee?,
                minimum: minimum?,
                decimals: decimals?,
                delay,
            })
        })
        .collect();
    section.finish();
    rules
}

fn seconds(section: &Reader<'_>, key: &str) -> Span {
    Span::from_seconds(section.integer(key, 0..=30 * 86_400, 0))
}

fn read_instrument(reader: Reader<'_>, venue: Venue) -> Option<InstrumentRules> {
    note_source(&reader);
    let kinds = [
        ("spot", InstrumentKind::Spot),
        ("perp", InstrumentKind::Perp),
    ];
    let kind = reader.choice("kind", &kinds, InstrumentKind::Spot);
    let symbol: Option<Symbol> = reader.required("symbol");
    let venue_symbol = reader.required("venue_symbol");
    let base = reader.required("base");
    let quote = reader.required("quote");
    let tick_size = reader.required::<Price>("tick_size");
    let lot_size = reader.required::<Quantity>("lot_size");
    let min_quantity = reader.required::<Quantity>("min_quantity");
    let max_quantity = reader.required::<Quantity>("max_quantity");
    let max_market_quantity = reader.required::<Quantity>("max_market_quantity");
    let min_notional = reader.parse::<Value>("min_notional").unwrap_or_default();
    let perp = match kind {
        InstrumentKind::Perp => Some(read_perp(&reader)),
        _ => None,
    };
    for (key, positive) in [
        ("tick_size", tick_size.is_none_or(|p| p.is_positive())),
        ("lot_size", lot_size.is_none_or(Quantity::is_positive)),
        (
            "max_quantity",
            max_quantity.is_none_or(Quantity::is_positive),
        ),
    ] {
        if !positive {
            reader.problem(key, "must be above zero");
            return None;
        }
    }
    reader.finish();
    let perp = match perp {
        Some(perp) => Some(perp?),
        None => None,
    };
    let tick_size = match &perp {
        Some(perp) if perp.prices_contracts => {
            let tick = tick_size?
                .get()
                .div(perp.contract_size.get(), Rounding::HalfEven);
            tick.ok().and_then(|tick| Price::positive(tick).ok())
        }
        _ => tick_size,
    };
    let unit = perp
        .as_ref()
        .map_or(Fixed18::ONE, |perp| perp.contract_size.get());
    let base_units = |quantity: Option<Quantity>| -> Option<Quantity> {
        quantity?
            .get()
            .mul(unit, Rounding::HalfEven)
            .ok()
            .map(Quantity::new)
    };
    Some(InstrumentRules {
        key: InstrumentKey::new(venue, kind, symbol?),
        venue_symbol: venue_symbol?,
        base: base?,
        quote: quote?,
        tick_size: tick_size?,
        lot_size: base_units(lot_size)?,
        min_quantity: base_units(min_quantity)?,
        max_quantity: base_units(max_quantity)?,
        max_market_quantity: base_units(max_market_quantity)?,
        min_notional,
        perp,
    })
}

fn read_perp(reader: &Reader<'_>) -> Option<PerpRules> {
    let contract_size = reader.required::<Quantity>("contract_size");
    let units = [("base", false), ("contracts", true)];
    let counts_contracts = reader.choice("quantity_unit", &units, false);
    let price_units = [("base", false), ("contract", true)];
    let prices_contracts = reader.choice("price_unit", &price_units, false);
    let (mut interval, mut anchor) = (Span::from_hours(8), Span::ZERO);
    let mut funding_rate_max = None;
    if let Some(funding) = reader.section("funding") {
        interval = Span::from_hours(funding.integer("interval_hours", 1..=24, 8));
        anchor = Span::from_hours(funding.integer("anchor_hour_utc", 0..=23, 0));
        funding_rate_max = funding.parse::<Rate>("rate_max");
        funding.finish();
    }
    let max_leverage = reader.required::<Fixed18>("max_leverage");
    let liquidation_fee = reader.required::<Bps>("liquidation_fee_bps");
    let methods = [
        ("deduction", TierMethod::Deduction),
        ("whole", TierMethod::Whole),
    ];
    let tier_method = reader.choice("tier_method", &methods, TierMethod::Deduction);
    let tier_units = [
        ("notional", TierUnit::Notional),
        ("contracts", TierUnit::Base),
    ];
    let tier_unit = reader.choice("tier_unit", &tier_units, TierUnit::Notional);
    let size = contract_size?;
    if !size.is_positive() {
        reader.problem("contract_size", "must be above zero");
        return None;
    }
    let scale = match tier_unit {
        TierUnit::Notional => Fixed18::ONE,
        TierUnit::Base => size.get(),
    };
    let tiers: Vec<_> = reader
        .list("tiers")
        .iter()
        .zip(0..)
        .filter_map(|(node, at)| {
            let path = reader.path_of(&format!("tiers[{at}]"));
            read_tier(Reader::new(node, path, reader.problems()), scale)
        })
        .collect();
    if tiers.is_empty()
        || tiers
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if a.up_to >= b.up_to))
    {
        reader.problem(
            "tiers",
            "at least one tier, with ascending up_to, is required",
        );
        return None;
    }
    Some(PerpRules {
        contract_size: size,
        counts_contracts,
        prices_contracts,
        funding_interval: interval,
        funding_anchor: anchor,
        funding_rate_max,
        max_leverage: max_leverage?,
        liquidation_fee: liquidation_fee?,
        tier_method,
        tier_unit,
        tiers,
    })
}

fn read_tier(row: Reader<'_>, scale: Fixed18) -> Option<MarginTier> {
    let up_to = row.required::<Fixed18>("up_to");
    let initial_margin_rate = row.required("initial_margin_rate");
    let maintenance_margin_rate = row.required("maintenance_margin_rate");
    let deduction = row.parse("deduction").unwrap_or_default();
    let max_leverage = row.required("max_leverage");
    row.finish();
    Some(MarginTier {
        up_to: up_to?.mul(scale, Rounding::HalfEven).ok()?,
        initial_margin_rate: initial_margin_rate?,
        maintenance_margin_rate: maintenance_margin_rate?,
        deduction,
        max_leverage: max_leverage?,
    })
}

impl Default for TransferRules {
    fn default() -> Self {
        Self {
            internal_delay: Span::ZERO,
            internal_fee: Quantity::ZERO,
            withdrawals: Vec::new(),
        }
    }
}

/// Returns how many units a contract of the venue's `base` holds, and of what: `1000PEPE` is a thousand PEPE.
#[must_use]
pub fn contract_multiple(base: &str) -> (Fixed18, &str) {
    let zeros = base.strip_prefix('1').map(|rest| {
        let name = rest.trim_start_matches('0');
        (rest.len() - name.len(), name)
    });
    match zeros {
        Some((zeros @ 2..=9, name)) if !name.is_empty() => {
            let power = u32::try_from(zeros).unwrap_or_default();
            (Fixed18::from_int(10_i64.pow(power)), name)
        }
        _ => (Fixed18::ONE, base),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::DataProvider;

    pub(super) const BTC: Symbol = Symbol::literal("BTCUSDT");

    /// Snapshots of day, interval and anchor in hours; no perp for an interval of zero.
    pub(super) fn rules(snapshots: &[(i64, i64, i64)]) -> VenueRules {
        let venue = Venue::literal("binance");
        let account = Account::new(venue, Label::literal("usdm"));
        let perp = |interval, anchor| PerpRules {
            contract_size: Quantity::literal("1"),
            counts_contracts: false,
            prices_contracts: false,
            funding_interval: Span::from_hours(interval),
            funding_anchor: Span::from_hours(anchor),
            funding_rate_max: None,
            max_leverage: Fixed18::ONE,
            liquidation_fee: Bps::ZERO,
            tier_method: TierMethod::Whole,
            tier_unit: TierUnit::Base,
            tiers: Vec::new(),
        };
        let instrument = |interval, anchor| InstrumentRules {
            key: InstrumentKey::new(venue, InstrumentKind::Perp, BTC),
            venue_symbol: Label::literal("BTCUSDT"),
            base: Asset::literal("BTC"),
            quote: Asset::literal("USDT"),
            tick_size: Price::literal("0.1"),
            lot_size: Quantity::literal("0.001"),
            min_quantity: Quantity::literal("0.001"),
            max_quantity: Quantity::literal("1"),
            max_market_quantity: Quantity::literal("1"),
            min_notional: Value::ZERO,
            perp: Some(perp(interval, anchor)),
        };
        let snapshot = |&(day, interval, anchor): &(i64, i64, i64)| RuleSnapshot {
            effective_from: at(day * 24),
            accounts: Accounts {
                deposit: account,
                spot: account,
                perp: account,
            },
            fees: Fees::default(),
            instruments: (interval > 0)
                .then(|| instrument(interval, anchor))
                .into_iter()
                .collect(),
            transfers: TransferRules::default(),
            assets: Vec::new(),
        };
        VenueRules {
            venue,
            snapshots: snapshots.iter().map(snapshot).collect(),
        }
    }

    #[test]
    fn decimals_are_the_venue_s_own_then_the_token_s_then_anybody_s() {
        let (usdt, dai) = (Asset::literal("USDT"), Asset::literal("DAI"));
        let of = |venue, assets: &[(Asset, u32)]| {
            let mut rules = rules(&[(0, 8, 0)]);
            rules.venue = venue;
            rules.snapshots[0].assets = assets.to_vec();
            rules
        };
        let venue = Venue::literal;
        let book = RuleBook::new([
            of(venue("binance"), &[(usdt, 8)]),
            of(venue("bybit"), &[]),
            of(venue("okx"), &[(dai, 12)]),
            of(Venue::WALLET, &[(usdt, 6)]),
        ]);
        assert_eq!(book.decimals(venue("binance"), usdt), Some(8));
        assert_eq!(book.decimals(venue("bybit"), usdt), Some(6));
        assert_eq!(book.decimals(venue("aave"), usdt), Some(6));
        assert_eq!(book.decimals(Venue::WALLET, dai), Some(12));
        assert_eq!(book.decimals(venue("okx"), Asset::literal("KING")), None);
    }

    pub(super) fn at(hour: i64) -> Timestamp {
        Timestamp::from_seconds(hour * 3600)
    }

    pub(super) fn hours(rules: &VenueRules, from: i64, count: usize) -> Vec<i64> {
        let next = |t: &Timestamp| rules.next_funding(BTC, *t);
        std::iter::successors(Some(at(from)), next)
            .skip(1)
            .take(count)
            .map(|instant| instant.seconds() / 3600)
            .collect()
    }

    #[test]
    fn settlements_follow_the_snapshot_in_force_at_each_instant() {
        let wider = rules(&[(0, 1, 0), (1, 8, 0)]);
        assert_eq!(hours(&wider, 21, 5), [22, 23, 24, 32, 40]);
        let narrower = rules(&[(0, 8, 0), (1, 4, 0), (2, 1, 0)]);
        assert_eq!(hours(&narrower, 12, 4), [16, 24, 28, 32]);
        assert_eq!(hours(&narrower, 40, 4), [44, 48, 49, 50]);
    }

    #[test]
    fn an_instant_beyond_the_change_is_the_next_snapshot_s_to_name() {
        // The old table would settle at 25 next; from 24 on the new one does, at 24 first.
        let moved = rules(&[(0, 8, 1), (1, 8, 0)]);
        assert_eq!(hours(&moved, 9, 3), [17, 24, 32]);
        let later = rules(&[(0, 8, 0), (1, 8, 4)]);
        assert_eq!(hours(&later, 16, 2), [28, 36], "24 is the old table's");
    }

    #[test]
    fn a_delisted_perp_settles_no_more_and_a_new_one_from_its_first_day() {
        let new = rules(&[(0, 0, 0), (1, 8, 0)]);
        assert_eq!(hours(&new, 2, 2), [24, 32]);
        let gone = rules(&[(0, 8, 0), (1, 0, 0)]);
        assert_eq!(hours(&gone, 2, 9), [8, 16]);
    }
}
