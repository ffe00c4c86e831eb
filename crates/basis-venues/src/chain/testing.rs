//! A desk for tests: a chain with its venues, recorded series in code, a ledger that is checked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use basis_core::config::Problems;
use basis_core::error::{VenueError, VenueErrorKind};
use basis_core::execution::{Execution, Position, VenueEvent};
use basis_core::instruction::{
    AmountOrAll, ClaimRewards, ClaimUnstake, FlashLoan, Instruction, Operation, Staking,
};
use basis_core::ledger::LedgerEntry;
use basis_core::market::{
    BarColumns, GasFees, MarketData, MarketView, PointSeries, Reward, RowSeries, SeriesRequest,
    ViewPolicy,
};
use basis_core::num::{Fixed18, Price, Quantity};
use basis_core::rules::RuleBook;
use basis_core::transit::Transit;
use basis_core::types::{Account, Asset, InstructionId, Item, SeriesId, Span, Timestamp, Venue};
use basis_core::venue::{
    Dependencies, ExecutionInterface, ExecutionMode, VenueDriver, VenueSettings,
};
use serde_json::{Value as Json, json};

use super::{Protocol, SimulatedChain};
use crate::cex::testing::{dependencies, node, q, read_rules, ready, rules_json};

/// Midnight of 1 January 2024.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_704_067_200);
const HOURS: usize = 2_400;

pub(crate) fn at(hour: i64) -> Timestamp {
    START.plus(Span::from_hours(hour))
}

pub(crate) fn asset(text: &str) -> Asset {
    Asset::new(text).unwrap()
}

fn id(text: &str) -> SeriesId {
    text.parse().unwrap()
}

/// Recorded series: hourly bars and gas that never change, daily rates, rewards.
pub(crate) struct World {
    data: MarketData,
    requests: Vec<SeriesRequest>,
}

impl World {
    /// ETH at 2000 dollars, gas at 20 gwei.
    pub(crate) fn new() -> Self {
        let mut world = Self {
            data: MarketData::new("in code", true),
            requests: Vec::new(),
        };
        world.bars("spot.bybit.ETHUSDT", "2000");
        let fees = GasFees {
            block: 1,
            base_fee_gwei: Fixed18::literal("19"),
            priority_fee_gwei: Fixed18::ONE,
            gas_price_gwei: Fixed18::literal("20"),
        };
        let hours: Vec<_> = (0..).take(HOURS).map(at).collect();
        let rows = vec![fees; hours.len()];
        let series = id("gas.ethereum.gwei");
        let gas = RowSeries::new(series, Some(Span::HOUR), hours, rows).unwrap();
        world.data.add_rows(gas).unwrap();
        world.request(series);
        world
    }

    fn request(&mut self, id: SeriesId) {
        let reference = None;
        self.requests.push(SeriesRequest { id, reference });
    }

    pub(crate) fn bars(&mut self, series: &str, price: &str) {
        let price: Price = price.parse().unwrap();
        let length = Span::HOUR;
        let opened_at: Vec<_> = (-1..).take(HOURS).map(at).collect();
        let prices = vec![price; opened_at.len()];
        let columns = BarColumns {
            id: id(series),
            length,
            open: prices.clone(),
            high: prices.clone(),
            low: prices.clone(),
            close: prices,
            volume: vec![q("1"); opened_at.len()],
            opened_at,
        };
        self.data.add_bars(columns).unwrap();
        self.request(id(series));
    }

    /// Rates from hour 0 on, a day apart.
    pub(crate) fn rates(mut self, series: &str, rates: &[&str]) -> Self {
        let days = (0..).take(rates.len()).map(|day| at(24 * day)).collect();
        let rates = rates.iter().map(|rate| rate.parse().unwrap()).collect();
        let points = PointSeries::new(id(series), Some(Span::DAY), days, rates).unwrap();
        self.data.add_rows(points).unwrap();
        self.request(id(series));
        self
    }

    /// Rewards: hour of the payment, start and end of the period, per ETH.
    pub(crate) fn rewards(mut self, series: &str, rows: &[(i64, i64, i64, &str)]) -> Self {
        let hours = rows.iter().map(|row| at(row.0)).collect();
        let reward = |row: &(i64, i64, i64, &str)| Reward {
            period_start: at(row.1),
            period_end: at(row.2),
            total: Fixed18::ONE,
            per_eth: row.3.parse().unwrap(),
        };
        let rows = rows.iter().map(reward).collect();
        let rows = RowSeries::new(id(series), None, hours, rows).unwrap();
        self.data.add_rows(rows).unwrap();
        self.request(id(series));
        self
    }

    /// A view at hour 0 that does not carry `without`.
    fn view(mut self, without: &str) -> MarketView {
        self.requests.retain(|r| r.id.to_string() != without);
        let data = Arc::new(self.data);
        let mut view = MarketView::new(data, &self.requests, ViewPolicy::default()).unwrap();
        view.advance_to(at(0)).unwrap();
        view
    }
}

/// Venues on one chain and every line they have reported.
pub(crate) struct ChainDesk {
    pub(crate) chain: SimulatedChain,
    pub(crate) view: MarketView,
    pub(crate) ledger: Vec<LedgerEntry>,
    pub(crate) transit: Arc<Transit>,
    venues: Vec<Box<dyn ExecutionInterface>>,
    initial: Vec<(Asset, Quantity)>,
    next: u64,
}

/// Creates the venue of `driver` from its section.
pub(crate) fn create(
    driver: &VenueDriver,
    settings: &Json,
    dependencies: Dependencies,
) -> Box<dyn ExecutionInterface> {
    let problems = Problems::new();
    let node = node(settings);
    let parsed = (driver.parse_settings)(&node, &problems);
    assert_eq!(problems.into_sorted(), []);
    let settings = VenueSettings {
        venue: driver.venue,
        node,
        parsed,
        credentials: None,
    };
    ready((driver.build)(
        &settings,
        ExecutionMode::Backtest,
        dependencies,
    ))
    .unwrap()
}

fn wallet_rules() -> RuleBook {
    let mut json = rules_json("wallet");
    let assets = [
        "ETH", "WETH", "stETH", "wstETH", "eETH", "weETH", "EIGEN", "ETHFI",
    ];
    let known = json["snapshots"][0]["assets"].as_array_mut().unwrap();
    known.retain(|row| row["asset"] != "ETH");
    known.extend(assets.map(|asset| json!({ "asset": asset, "decimals": "18" })));
    RuleBook::new([read_rules(&json)])
}

impl ChainDesk {
    /// Venues of `drivers` with their sections, and a wallet that holds `balances`, at hour 0.
    pub(crate) fn new(
        world: World,
        drivers: &[(&VenueDriver, Json)],
        balances: &[(&str, &str)],
    ) -> Self {
        Self::without("", world, drivers, balances)
    }

    /// The same, but that the run does not read one of the series.
    pub(crate) fn without(
        series: &str,
        world: World,
        drivers: &[(&VenueDriver, Json)],
        balances: &[(&str, &str)],
    ) -> Self {
        let chain = SimulatedChain::default();
        let transit = Arc::new(Transit::default());
        let handles = || Dependencies {
            data_provider: Some(Arc::new(wallet_rules())),
            chain: Some(Arc::new(chain.clone())),
            ..dependencies(&[], &transit)
        };
        let held: BTreeMap<_, _> = balances.iter().copied().collect();
        let section = json!({ "initial_balances": { "main": held } });
        let mut venues = vec![create(&crate::wallet::DRIVER, &section, handles())];
        for (driver, section) in drivers {
            venues.push(create(driver, section, handles()));
        }
        let initial = balances.iter().map(|(a, units)| (asset(a), q(units)));
        Self {
            chain,
            view: world.view(series),
            ledger: Vec::new(),
            transit,
            venues,
            initial: initial.collect(),
            next: 1,
        }
    }

    pub(crate) fn install(&mut self, protocol: Box<dyn Protocol>) {
        self.chain.state().install(protocol);
    }

    fn venue(&mut self, venue: &str) -> &mut Box<dyn ExecutionInterface> {
        let mut venues = self.venues.iter_mut();
        let found = venues.find(|known| known.venue().as_str() == venue);
        found.expect("a venue of the desk")
    }

    /// Moves to `hour` in one step and collects what happened at the venues that are due, the wallet
    /// last, as the engine does.
    pub(crate) fn to(&mut self, hour: i64) -> Vec<VenueEvent> {
        self.view.advance_to(at(hour)).unwrap();
        let mut events = Vec::new();
        self.venues.rotate_left(1);
        for venue in &mut self.venues {
            if venue.is_due(&self.view) {
                events.extend(ready(venue.advance(&self.view)).unwrap());
                assert_eq!(ready(venue.advance(&self.view)).unwrap(), [], "said once");
            }
        }
        self.venues.rotate_right(1);
        let entries = events.iter().flat_map(|event| event.entries.iter());
        self.ledger.extend(entries.cloned());
        self.check();
        events
    }

    pub(crate) fn try_run(
        &mut self,
        venue: &str,
        operation: Operation,
    ) -> Result<Execution, VenueError> {
        let instruction = Instruction::new(InstructionId(self.next), operation);
        self.next += 1;
        let view = self.view.clone();
        let result = ready(self.venue(venue).execute_instruction(&view, &instruction));
        if let Ok(execution) = &result {
            self.ledger.extend(execution.entries.iter().cloned());
        }
        self.check();
        result
    }

    pub(crate) fn run(&mut self, venue: &str, operation: Operation) -> Execution {
        self.try_run(venue, operation).unwrap()
    }

    /// The code and text of a refusal, which must change nothing.
    pub(crate) fn refused(
        &mut self,
        venue: &str,
        operation: Operation,
    ) -> (Option<&'static str>, String) {
        let before = format!("{:?}", self.chain.state());
        let e = self.try_run(venue, operation).unwrap_err();
        assert_eq!(before, format!("{:?}", self.chain.state()), "{e}");
        match e.kind {
            VenueErrorKind::Rejected { reason, venue_code } => (venue_code, reason.to_string()),
            other => (None, other.to_string()),
        }
    }

    pub(crate) fn positions(&mut self) -> Vec<Position> {
        let view = self.view.clone();
        let mut rows = Vec::new();
        for venue in &mut self.venues {
            rows.extend(ready(venue.positions(&view)).unwrap());
        }
        rows
    }

    /// Quantity and units of `item` in `account`, as `shares:stETH` in `wallet.main`.
    pub(crate) fn held(&mut self, account: &str, item: &str) -> (String, String) {
        let rows = self.positions();
        let mut rows = rows
            .iter()
            .filter(|row| row.account.to_string() == account && row.item.to_string() == item);
        let row = rows.next();
        let of = |units: fn(&Position) -> Quantity| {
            row.map_or_else(|| "0".to_owned(), |row| units(row).to_string())
        };
        (of(|row| row.quantity), of(|row| row.units))
    }

    /// Quantities and units of the lines add up to what the venues report, and causes are unique.
    fn check(&mut self) {
        let mut sums: BTreeMap<(Account, Item), (Quantity, Quantity)> = BTreeMap::new();
        let mut add = |key, quantity: Quantity, units: Quantity| {
            let sum: &mut (Quantity, Quantity) = sums.entry(key).or_default();
            *sum = (sum.0.add(quantity).unwrap(), sum.1.add(units).unwrap());
        };
        for (asset, quantity) in &self.initial {
            add((Account::WALLET, Item::Asset(*asset)), *quantity, *quantity);
        }
        for entry in &self.ledger {
            add((entry.account, entry.item), entry.quantity, entry.units);
        }
        sums.retain(|_, sum| !sum.0.is_zero() || !sum.1.is_zero());
        let mut causes: Vec<_> = self.ledger.iter().map(|entry| &entry.cause).collect();
        let count = causes.len();
        causes.sort();
        causes.dedup();
        assert_eq!(causes.len(), count, "causes are unique");
        let mut held = BTreeMap::new();
        for row in self.positions() {
            // Protocols that a test installed have no interface of their own.
            let key = (row.account, row.item);
            assert_eq!(held.insert(key, (row.quantity, row.units)), None, "{key:?}");
        }
        let known: Vec<_> = self.venues.iter().map(|venue| venue.venue()).collect();
        let of_known = |account: &Account| known.contains(&account.venue);
        sums.retain(|key, _| of_known(&key.0));
        assert_eq!(sums, held, "holdings are the sum of the ledger");
    }
}

/// Lines as text: account, item, kind, quantity, units where they differ, value.
pub(crate) fn lines(entries: &[LedgerEntry]) -> Vec<String> {
    let line = |entry: &LedgerEntry| {
        let mut text = format!(
            "{} {} {} {}",
            entry.account, entry.item, entry.kind, entry.quantity
        );
        if entry.units != entry.quantity {
            write!(text, " ({})", entry.units).unwrap();
        }
        write!(text, " ${}", entry.value).unwrap();
        text
    };
    entries.iter().map(line).collect()
}

fn staking(given: &str, taken: &str, amount: &str) -> Staking {
    Staking {
        asset_in: asset(given),
        asset_out: asset(taken),
        amount: match amount {
            "all" => AmountOrAll::All,
            amount => AmountOrAll::Exactly(q(amount)),
        },
    }
}

pub(crate) fn stake(given: &str, taken: &str, amount: &str) -> Operation {
    Operation::Stake(staking(given, taken, amount))
}

pub(crate) fn unstake(given: &str, amount: &str) -> Operation {
    Operation::Unstake(staking(given, "ETH", amount))
}

pub(crate) fn wrap(given: &str, taken: &str, amount: &str) -> Operation {
    Operation::Wrap(staking(given, taken, amount))
}

pub(crate) fn unwrap(given: &str, taken: &str, amount: &str) -> Operation {
    Operation::Unwrap(staking(given, taken, amount))
}

pub(crate) fn claim(ticket: u64) -> Operation {
    let ticket = Some(InstructionId(ticket));
    Operation::ClaimUnstake(ClaimUnstake { ticket })
}

pub(crate) fn claim_rewards(reward: Option<&str>) -> Operation {
    let asset = reward.map(asset);
    Operation::ClaimRewards(ClaimRewards { asset })
}

pub(crate) fn flash_loan(of: &str, amount: &str) -> Instruction {
    let loan = FlashLoan {
        asset: asset(of),
        amount: q(amount),
    };
    Instruction::new(InstructionId(0), Operation::FlashLoan(loan))
}

/// A step that names its venue.
pub(crate) fn step(venue: &str, operation: Operation) -> Instruction {
    Instruction::step(Venue::new(venue).unwrap(), operation)
}

/// A step that does not.
pub(crate) fn unaddressed(operation: Operation) -> Instruction {
    Instruction::new(InstructionId(0), operation)
}
