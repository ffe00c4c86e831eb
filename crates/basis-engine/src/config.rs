//! The configuration of one run, read from located text.

use std::sync::Arc;

use basis_core::config::{Entry, NodeValue, Reader};
use basis_core::fixed18;
use basis_core::num::{Bps, Fixed18, Quantity, Rate};
use basis_core::plan::FailurePolicy;
use basis_core::types::{Asset, SeriesId, SeriesKind, Span, Symbol, Timestamp, Venue};
use basis_core::venue::FillAt;
use basis_market::{Bounds, GapPolicy, Shock, ShockSet, ViewPolicy};

pub use crate::limits::RiskConfig;

/// Everything one run is decided by. The same values give the same result, byte for byte.
#[derive(Clone, Debug)]
pub struct RunConfig {
    /// Name of the strategy mode, one of the program's [`Modes`](crate::mode::Modes).
    pub mode: &'static str,
    /// The currency capital is given and results are stated in.
    pub share_class: Asset,
    /// The underlying that is bought and hedged.
    pub asset: Asset,
    /// Capital at the start, in the share class, > 0.
    pub initial_capital: Quantity,
    /// Share of equity that stays in the wallet, 0 to 0.9.
    pub reserve_ratio: Rate,
    /// Relative change of the equity since the last rebalance, or of a position in the share class from
    /// its target, that triggers a rebalance.
    pub equity_deviation: Rate,
    /// Relative distance of a hedged notional from what the equity would hold, and of a venue's short from
    /// its share, that triggers a rebalance.
    pub utilization_band: Rate,
    /// Relative distance of a venue's margin balance from its target that triggers a transfer.
    pub margin_deviation_threshold: Rate,
    /// Net delta over spot quantity that triggers a rebalance.
    pub delta_tolerance: Rate,
    /// Longest time that the entry may take at the volume of the market.
    pub entry_time_max: Span,
    /// Least time between two rebalances; risk is exempt.
    pub rebalance_min_interval: Span,
    /// How far a rebalance goes.
    pub rebalance_to: RebalanceTo,
    /// What added exposure must be expected to earn; `None` asks nothing.
    pub expected_carry: Option<CarryRule>,
    /// Smallest transfer between venues, in the share class.
    pub min_transfer: Quantity,
    /// Leftover base units worth less than this stay, in the share class.
    pub dust_threshold: Quantity,
    /// The spot series the attribution measures price moves against.
    pub reference_price: SeriesId,
    /// When the orders of simulated venues fill.
    pub fill_at: FillAt,
    /// Exclusive start: the first step is one step later.
    pub from: Timestamp,
    /// Inclusive end.
    pub to: Timestamp,
    /// Step of the clock; bars of this length are read.
    pub step: Span,
    /// Gaps, proxies and ages, and the shocks of a stress run.
    pub view: ViewPolicy,
    /// Limits.
    pub risk: RiskConfig,
    /// What happens to a block when a leg fails. Its bound on open delta is in the share class here:
    /// [`Context::failure_policy`](crate::strategy::Context::failure_policy) has it in base units.
    pub failure_policy: FailurePolicy,
    /// Scheduled capital flows, in order of time.
    pub flows: Vec<ExternalFlow>,
    /// Venues whose holdings of the start are taken into the books, in order.
    pub adopt: Vec<Venue>,
    /// Venues to create interfaces for: the keys of `venue_settings`, in order.
    pub venues: Vec<Venue>,
}

/// Capital that comes from (> 0) or goes (< 0) outside, in the share class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExternalFlow {
    /// When.
    pub at: Timestamp,
    /// Signed amount.
    pub amount: Quantity,
}

/// How far a rebalance goes that the band of the position has triggered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebalanceTo {
    /// To the target.
    Target,
    /// To the edge of an inner band, this share of the outer one, 0 to 1.
    InnerBand(Rate),
}

/// Exposure is added only where the funding of the last `lookback`, had it gone on for `horizon`,
/// would pay more than opening and closing costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarryRule {
    /// How long the added exposure is expected to be held.
    pub horizon: Span,
    /// How far back funding is looked at.
    pub lookback: Span,
    /// Expected slippage of every order.
    pub slippage: Bps,
    /// How long the mean carry of a book held must have been negative before it is left.
    pub stand_aside_after: Span,
    /// Whether it must also earn what the capital would at the recorded supply rate of its dollar token.
    pub above_supply_rate: bool,
}

/// What a run is asked to do beyond its config tree: the command line's own words.
#[derive(Clone, Debug, Default)]
pub struct RunRequest {
    /// Overrides `initial_capital`.
    pub capital: Option<Quantity>,
    /// Exclusive start instant.
    pub from: Option<Timestamp>,
    /// Inclusive end instant.
    pub to: Option<Timestamp>,
}

impl RunConfig {
    /// Reads the keys that all modes have from the root of a configuration for the mode `mode`, and the
    /// health factors of `risk` where it `lends`; every problem is reported with its place.
    ///
    /// Returns `None` when a value without which there is no run is missing or wrong; the caller
    /// must refuse whenever there are problems.
    pub(crate) fn read(
        r: &Reader<'_>,
        mode: &'static str,
        lends: bool,
        request: &RunRequest,
    ) -> Option<Self> {
        // Every key is read before anything is given up, so that all problems show at once; the
        // stand-ins for missing values never leave this function.
        let share_class = r.required::<Asset>("share_class");
        let asset = r.required::<Asset>("asset");
        let reference = r.required::<SeriesId>("reference_price");
        let capital = positive(r, "initial_capital");
        let (from, to) = (r.parse("from"), r.parse("to"));
        let (step, mut view) = r
            .section("data")
            .map_or((Span::HOUR, ViewPolicy::default()), read_data);
        view.shocks = read_shocks(r);
        refuse_renamed(r);
        // Sections that other parts read.
        for key in ["component_config", "execution_mode", "log_level", "rules"] {
            let _read_elsewhere = r.node(key);
        }
        let config = Self {
            mode,
            share_class: share_class.unwrap_or(Asset::literal("USDT")),
            asset: asset.unwrap_or(Asset::literal("BTC")),
            initial_capital: request.capital.or(capital).unwrap_or_default(),
            reserve_ratio: ratio(r, "reserve_ratio", "0.9", "0"),
            equity_deviation: ratio(r, "equity_deviation", "1", "0.02"),
            utilization_band: ratio(r, "utilization_band", "1", "0.25"),
            margin_deviation_threshold: ratio(r, "margin_deviation_threshold", "1", "0.2"),
            delta_tolerance: ratio(r, "delta_tolerance", "1", "0.005"),
            entry_time_max: Span::from_hours(r.integer("entry_time_max_hours", 1..=8_760, 72)),
            rebalance_min_interval: minutes(r, "rebalance_min_interval_minutes"),
            rebalance_to: read_rebalance_to(r),
            expected_carry: r.section("expected_carry").and_then(read_carry),
            min_transfer: amount(r, "min_transfer", 100),
            dust_threshold: amount(r, "dust_threshold", 10),
            reference_price: reference.unwrap_or(STAND_IN),
            fill_at: r.choice("fill_at", &FILLS, FillAt::Close),
            from: request.from.or(from).unwrap_or(Timestamp::MIN),
            to: request.to.or(to).unwrap_or(Timestamp::MAX),
            step,
            view,
            risk: r
                .section("risk")
                .map_or(RiskConfig::DEFAULT, |section| read_risk(section, lends)),
            failure_policy: read_failure_policy(r),
            flows: read_flows(r),
            adopt: read_adopt(r),
            venues: r
                .map("venue_settings")
                .iter()
                .filter_map(|e| venue_key(r, e))
                .collect(),
        };
        let complete = !mode.is_empty()
            && share_class.is_some()
            && asset.is_some()
            && reference.is_some()
            && config.initial_capital.is_positive();
        complete.then_some(config)
    }

    /// Whether capital comes and goes in the underlying itself: then amounts are in it too.
    #[must_use]
    pub fn is_in_kind(&self) -> bool {
        match self.base() {
            Some(base) => base == self.share_class.as_str(),
            None => self.share_class == self.asset,
        }
    }

    /// The sentences of the shocks, in order; none in a run without.
    pub fn shocks(&self) -> impl Iterator<Item = &Shock> + '_ {
        self.view.shocks.iter().flat_map(|set| set.shocks())
    }

    /// What the reference price prices: the unit that deltas are counted in.
    #[must_use]
    pub fn underlying(&self) -> Asset {
        let base = self.base().and_then(|base| Asset::new(base).ok());
        base.unwrap_or(self.asset)
    }

    /// What the symbol of the reference price leaves without its quote.
    fn base(&self) -> Option<&str> {
        let symbol = self.reference_price.symbol.as_str();
        let mut quotes = ["USDT", "USDC"].iter();
        let base = quotes.find_map(|quote| symbol.strip_suffix(quote));
        base.filter(|base| !base.is_empty())
    }

    /// The dollar token that everything is counted in: the share class, or what the reference price is quoted in.
    #[must_use]
    pub fn dollar(&self) -> Asset {
        if !self.is_in_kind() {
            return self.share_class;
        }
        let symbol = self.reference_price.symbol.as_str();
        let quote = self.base().and_then(|base| symbol.strip_prefix(base));
        quote
            .and_then(|quote| Asset::new(quote).ok())
            .unwrap_or(self.share_class)
    }

    /// The symbol of the underlying against the share class's quote asset.
    #[must_use]
    pub fn symbol(&self) -> Symbol {
        self.reference_price.symbol
    }
}

/// Words for when orders fill.
const FILLS: [(&str, FillAt); 2] = [
    (FillAt::Close.as_str(), FillAt::Close),
    (FillAt::NextOpen.as_str(), FillAt::NextOpen),
];

/// Stands in for a missing reference series until the configuration is refused.
const STAND_IN: SeriesId = SeriesId::new(SeriesKind::Spot, Venue::WALLET, Symbol::literal("NONE"));

/// Names what has come in the place of keys that are no more.
fn refuse_renamed(r: &Reader<'_>) {
    let renamed = "position_deviation_threshold";
    if r.node(renamed).is_some() {
        let message = "it is now `equity_deviation` (equity since the last rebalance) and `utilization_band` \
                       (notional against what the equity would hold)";
        r.problem(renamed, message);
    }
}

fn ratio(r: &Reader<'_>, key: &str, most: &str, default: &str) -> Rate {
    let bounds = Fixed18::ZERO..=Fixed18::literal(most);
    Rate::new(r.fixed(key, bounds, Fixed18::literal(default)))
}

fn amount(r: &Reader<'_>, key: &str, default: i64) -> Quantity {
    let bounds = Fixed18::ZERO..=Fixed18::from_int(1_000_000_000_000);
    Quantity::new(r.fixed(key, bounds, Fixed18::from_int(default)))
}

fn minutes(r: &Reader<'_>, key: &str) -> Span {
    Span::from_minutes(r.integer(key, 0..=525_600, 0))
}

fn read_rebalance_to(r: &Reader<'_>) -> RebalanceTo {
    let inner = ratio(r, "rebalance_inner_band", "1", "0.5");
    let choices = [
        ("target", RebalanceTo::Target),
        ("inner_band", RebalanceTo::InnerBand(inner)),
    ];
    r.choice("rebalance_to", &choices, RebalanceTo::Target)
}

fn read_carry(r: Reader<'_>) -> Option<CarryRule> {
    let horizon = r.within("horizon_hours", 1..=87_600);
    let lookback = r.integer("lookback_hours", 1..=87_600, 168);
    let slippage = r.fixed(
        "slippage_bps",
        Fixed18::ZERO..=fixed18!("1000"),
        Fixed18::ONE,
    );
    let aside = r.integer("stand_aside_after_days", 1..=3_650, 30);
    let above_supply_rate = r.choice(
        "benchmark",
        &[("none", false), ("supply_rate", true)],
        false,
    );
    if above_supply_rate && horizon.is_none() {
        r.problem(
            "benchmark",
            "supply_rate compares over horizon_hours, which is null; set it or leave benchmark at none",
        );
    }
    r.finish();
    horizon.map(|hours| CarryRule {
        horizon: Span::from_hours(hours),
        lookback: Span::from_hours(lookback),
        slippage: Bps::new(slippage),
        stand_aside_after: Span::DAY.times(aside),
        above_supply_rate,
    })
}

fn positive(r: &Reader<'_>, key: &str) -> Option<Quantity> {
    let value = r.required::<Quantity>(key)?;
    if value.is_positive() {
        return Some(value);
    }
    r.problem(key, format!("{value} is not above zero"));
    None
}

fn venue_key(r: &Reader<'_>, entry: &Entry) -> Option<Venue> {
    Venue::new(&entry.key)
        .map_err(|e| {
            r.problems()
                .add(&entry.location, r.path_of("venue_settings"), e.to_string());
        })
        .ok()
}

fn read_data(r: Reader<'_>) -> (Span, ViewPolicy) {
    let gaps = [("refuse", GapPolicy::Refuse), ("hold", GapPolicy::Hold)];
    let mut policy = ViewPolicy {
        gaps: r.choice("gaps", &gaps, GapPolicy::Refuse),
        bar_age_max: r
            .within("bar_age_max_minutes", 1..=525_600)
            .map(Span::from_minutes),
        ..ViewPolicy::default()
    };
    let step = Span::from_minutes(r.integer("step_minutes", 1..=1_440, 60));
    if let Some(bounds) = r.section("bounds") {
        policy.bounds = read_bounds(bounds);
    }
    if let Some(kinds) = r.section("proxies") {
        for kind in SeriesKind::ALL {
            for venue in kinds.map(kind.as_str()) {
                for symbol in venue.node.entries() {
                    let path = format!("data.proxies.{kind}.{}.{}", venue.key, symbol.key);
                    let own = format!("{kind}.{}.{}", venue.key, symbol.key).parse::<SeriesId>();
                    let proxy = match &symbol.node.value {
                        NodeValue::Text(text) => text.parse::<SeriesId>(),
                        _ => Err("expected one series, as perp.bybit.BTCUSDT".to_owned()),
                    };
                    match (own, proxy) {
                        (Ok(own), Ok(proxy)) => {
                            policy.proxies.insert(own, proxy);
                        }
                        (Err(e), _) | (_, Err(e)) => {
                            r.problems().add(&symbol.node.location, path, e);
                        }
                    }
                }
            }
        }
        kinds.finish();
    }
    r.finish();
    (step, policy)
}

/// What recorded values may be: those given, else the usual ones.
fn read_bounds(r: Reader<'_>) -> Bounds {
    let usual = Bounds::default();
    let most = Fixed18::from_int(1_000_000_000_000_000_000);
    let number = |key: &str, usual: Fixed18| r.fixed(key, Fixed18::ZERO..=most, usual);
    let bounds = Bounds {
        price_ratio_max: number("price_ratio_max", usual.price_ratio_max),
        basis_ratio_max: number("basis_ratio_max", usual.basis_ratio_max),
        peg_ratio_max: number("peg_ratio_max", usual.peg_ratio_max),
        repeated_bars_max: number("repeated_bars_max", usual.repeated_bars_max),
        rate_ratio_max: number("rate_ratio_max", usual.rate_ratio_max),
        lending_rate_max: number("lending_rate_max", usual.lending_rate_max),
        index_ratio_max: number("index_ratio_max", usual.index_ratio_max),
        gas_price_max_gwei: number("gas_price_max_gwei", usual.gas_price_max_gwei),
        reward_per_eth_max: number("reward_per_eth_max", usual.reward_per_eth_max),
        funding_rate_max: r.parse("funding_rate_max"),
    };
    r.finish();
    bounds
}

/// The sentences of `shocks`; none without one, so that nothing is asked about them at every step.
fn read_shocks(r: &Reader<'_>) -> Option<Arc<ShockSet>> {
    let mut shocks = Vec::new();
    for (at, node) in r.list("shocks").iter().enumerate() {
        let shock = match &node.value {
            NodeValue::Text(text) => Shock::parse(text).map_err(|e| e.to_string()),
            _ => Err("expected a sentence, as `ETH -20% at 2025-02-03T00:00Z over 1h`".to_owned()),
        };
        match shock {
            Ok(shock) => shocks.push(shock),
            Err(e) => r.problems().add(&node.location, format!("shocks[{at}]"), e),
        }
    }
    (!shocks.is_empty()).then(|| Arc::new(ShockSet::new(shocks)))
}

fn read_risk(r: Reader<'_>, lends: bool) -> RiskConfig {
    let risk = RiskConfig::read(&r, lends);
    r.finish();
    risk
}

/// Open delta that a failed block may leave unless configured, in the share class.
const NAKED_DELTA_MAX: Quantity = Quantity::literal("1000");

fn read_failure_policy(r: &Reader<'_>) -> FailurePolicy {
    let Some(section) = r.section("execution") else {
        return compensate(NAKED_DELTA_MAX, Span::from_minutes(1));
    };
    let delta: Quantity = section.parse("naked_delta_max").unwrap_or(NAKED_DELTA_MAX);
    let seconds = section.integer("naked_time_max_seconds", 0..=86_400, 60);
    let policies = [
        ("halt", FailurePolicy::Halt),
        ("continue", FailurePolicy::Continue),
        ("compensate", compensate(delta, Span::from_seconds(seconds))),
    ];
    let policy = section.choice(
        "failure_policy",
        &policies,
        compensate(delta, Span::from_seconds(seconds)),
    );
    section.finish();
    policy
}

const fn compensate(naked_delta_max: Quantity, naked_time_max: Span) -> FailurePolicy {
    FailurePolicy::Compensate {
        naked_delta_max,
        naked_time_max,
    }
}

fn read_adopt(r: &Reader<'_>) -> Vec<Venue> {
    let mut adopt = Vec::new();
    for (at, node) in r.list("adopt").iter().enumerate() {
        let path = format!("adopt[{at}]");
        let known: Vec<_> = r
            .map("venue_settings")
            .iter()
            .map(|entry| entry.key.as_str())
            .collect();
        let NodeValue::Text(text) = &node.value else {
            r.problems()
                .add(&node.location, path, "a venue is wanted here");
            continue;
        };
        match Venue::new(text) {
            Ok(venue) if known.contains(&text.as_str()) || venue == Venue::WALLET => adopt.push(venue),
            Ok(_) => r.problems().add(
                &node.location,
                path,
                format!(
                    "`{text}` is not among venue_settings ({}) and is not the wallet; nothing is held there",
                    known.join(", ")
                ),
            ),
            Err(e) => r.problems().add(&node.location, path, e.to_string()),
        }
    }
    for entry in r.map("venue_settings") {
        let held = entry.node.get("initial_balances");
        let held = held.filter(|held| !held.entries().is_empty());
        let is_adopted = adopt.iter().any(|venue| venue.as_str() == entry.key);
        if let Some(held) = held.filter(|_| !is_adopted) {
            let path = format!("venue_settings.{}.initial_balances", entry.key);
            let message = format!(
                "what {0} holds at the start is no part of the book, and books that differ from a venue end \
                 the run; take it in with adopt: [{0}], or leave it out",
                entry.key
            );
            r.problems().add(&held.location, path, message);
        }
    }
    adopt
}

fn read_flows(r: &Reader<'_>) -> Vec<ExternalFlow> {
    let mut flows = Vec::new();
    for (key, sign) in [("deposits", 1), ("withdrawals", -1)] {
        for (at, node) in r.list(key).iter().enumerate() {
            let row = Reader::new(node, format!("{key}[{at}]"), r.problems());
            let instant = row.required::<Timestamp>("at");
            let amount = positive(&row, "amount");
            row.finish();
            if let (Some(at), Some(amount)) = (instant, amount) {
                let amount = if sign < 0 {
                    amount.neg().unwrap_or(amount)
                } else {
                    amount
                };
                flows.push(ExternalFlow { at, amount });
            }
        }
    }
    flows.sort_by_key(|flow| flow.at);
    flows
}
