//! A desk for tests: a chain with its venues, recorded series in code, a ledger that is checked.

mod world;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use basis_core::config::Problems;
use basis_core::error::{VenueError, VenueErrorKind};
use basis_core::in_flight::InFlightTransfers;
use basis_core::instruction::{
    AmountOrAll, ClaimRewards, ClaimUnstake, FlashLoan, Instruction, Operation, Staking,
};
use basis_core::ledger::LedgerEntry;
use basis_core::num::Quantity;
use basis_core::rules::RuleBook;
use basis_core::types::{Account, Asset, InstructionId, Item, Span, Timestamp, Venue};
use basis_core::venue::Dependencies;
use basis_core::venue_event::{EventKind, Position, VenueEvent};
use basis_market::ExecutionInterface;
use basis_market::MarketView;
use basis_sim::chain::{Protocol, SimulatedChain};
use basis_sim::world::SimulatedWorld;
use basis_testkit::{dependencies, node, posted, q, read_rules, rules_json};
use serde_json::{Value as Json, json};

use crate::driver::{BuildContext, Handles, VenueDriver};

pub(crate) use self::world::World;

/// Midnight of 1 January 2024.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_704_067_200);

pub(crate) fn at(hour: i64) -> Timestamp {
    START.plus(Span::from_hours(hour))
}

pub(crate) fn asset(text: &str) -> Asset {
    Asset::new(text).unwrap()
}

/// An event and its ledger lines.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reported {
    pub(crate) at: Timestamp,
    pub(crate) venue: Venue,
    pub(crate) kind: EventKind,
    pub(crate) entries: Vec<LedgerEntry>,
}

/// What an instruction came to.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) at: Timestamp,
    /// Whether its transaction began something that goes on by itself.
    pub(crate) waits: bool,
    /// The hash of its transaction.
    pub(crate) venue_reference: Option<String>,
    /// Everything that was reported, what had to be caught up with first.
    pub(crate) events: Vec<VenueEvent>,
    /// The lines of all of it.
    pub(crate) entries: Vec<LedgerEntry>,
}

/// `event`, which was received now, with its lines.
pub(crate) fn reported(event: VenueEvent, view: &MarketView) -> Reported {
    assert_eq!(event.received_at, view.now());
    Reported {
        at: event.at,
        venue: event.venue,
        entries: posted(std::slice::from_ref(&event), view),
        kind: event.kind,
    }
}

/// Venues on one chain and every line of what they have reported.
pub(crate) struct ChainDesk {
    pub(crate) chain: SimulatedChain,
    pub(crate) view: MarketView,
    pub(crate) ledger: Vec<LedgerEntry>,
    pub(crate) transit: Arc<InFlightTransfers>,
    venues: Vec<Box<dyn ExecutionInterface>>,
    initial: Vec<(Asset, Quantity)>,
    next: u32,
}

/// What a venue of `world` is built into.
pub(crate) fn context(world: &SimulatedWorld, dependencies: Dependencies) -> BuildContext {
    let handles = Handles {
        dependencies,
        deadline: Timestamp::MAX,
    };
    BuildContext::Simulated(world.clone(), handles)
}

/// Creates the venue of `driver` from its section.
pub(crate) fn create(
    driver: &VenueDriver,
    settings: &Json,
    context: BuildContext,
) -> Box<dyn ExecutionInterface> {
    let problems = Problems::new();
    let build = driver.read(&node(settings), &problems);
    assert_eq!(problems.into_sorted(), []);
    build(context).unwrap()
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
        let shared = SimulatedWorld::default();
        let handles = || {
            let dependencies = Dependencies {
                data_provider: Some(Arc::new(wallet_rules())),
                ..dependencies(&[])
            };
            context(&shared, dependencies)
        };
        let held: BTreeMap<_, _> = balances.iter().copied().collect();
        let section = json!({ "initial_balances": { "main": held } });
        let mut venues = vec![create(&crate::wallet::DRIVER, &section, handles())];
        for (driver, section) in drivers {
            venues.push(create(driver, section, handles()));
        }
        let initial = balances.iter().map(|(a, units)| (asset(a), q(units)));
        Self {
            chain: shared.chain,
            view: world.view(series),
            ledger: Vec::new(),
            transit: shared.transit,
            venues,
            initial: initial.collect(),
            next: 1,
        }
    }

    pub(crate) fn install(&mut self, protocol: Box<dyn Protocol>) {
        self.chain.state().install(protocol);
    }

    pub(crate) fn venue(&mut self, venue: &str) -> &mut Box<dyn ExecutionInterface> {
        let mut venues = self.venues.iter_mut();
        let found = venues.find(|known| known.venue().as_str() == venue);
        found.expect("a venue of the desk")
    }

    /// Moves to `hour` in one step and collects what happened at the venues that are due, the wallet
    /// last, as the engine does.
    pub(crate) fn to(&mut self, hour: i64) -> Vec<Reported> {
        self.view.advance_to(at(hour)).unwrap();
        let mut events = Vec::new();
        self.venues.rotate_left(1);
        for venue in &mut self.venues {
            if venue.horizon(&self.view).is_due(&self.view) {
                venue.poll_events(&self.view, &mut events);
                let reported = events.len();
                venue.poll_events(&self.view, &mut events);
                assert_eq!(events.len(), reported, "reported once");
            }
        }
        self.venues.rotate_right(1);
        let events = events.into_iter();
        let events: Vec<_> = events.map(|event| reported(event, &self.view)).collect();
        let entries = events.iter().flat_map(|event| event.entries.iter());
        self.ledger.extend(entries.cloned());
        self.check();
        self.check_snapshots();
        events
    }

    /// Sends an instruction with an id that is new.
    pub(crate) fn try_run(
        &mut self,
        venue: &str,
        operation: Operation,
    ) -> Result<Done, VenueError> {
        let id = InstructionId::plain(self.next);
        self.next += 1;
        self.send(venue, &Instruction::new(id, operation))
    }

    fn send(&mut self, venue: &str, instruction: &Instruction) -> Result<Done, VenueError> {
        let mut events = Vec::new();
        let view = self.view.clone();
        let sent = std::slice::from_ref(instruction);
        self.venue(venue)
            .execute_instructions(&view, sent, &mut events);
        let entries = posted(&events, &self.view);
        self.ledger.extend(entries.iter().cloned());
        self.check();
        let last = events.last().expect("an instruction ends in an event");
        assert_eq!(last.venue.as_str(), venue);
        assert_eq!(last.instruction(), Some(instruction.id));
        if let EventKind::Rejected { error, .. } = &last.kind {
            assert_eq!(events.len(), 1, "a refusal is all that is reported");
            return Err((**error).clone());
        }
        let (waits, hash) = match &last.kind {
            EventKind::Transaction(mined) => (mined.waits, Some(mined.hash.to_string())),
            _ => (false, None),
        };
        Ok(Done {
            at: last.at,
            waits,
            venue_reference: hash,
            events,
            entries,
        })
    }

    pub(crate) fn run(&mut self, venue: &str, operation: Operation) -> Done {
        self.try_run(venue, operation).unwrap()
    }

    /// The code and text of a refusal, which must change nothing.
    pub(crate) fn refused(
        &mut self,
        venue: &str,
        operation: Operation,
    ) -> (Option<String>, String) {
        let before = format!("{:?}", self.chain.state());
        let e = self.try_run(venue, operation).unwrap_err();
        assert_eq!(before, format!("{:?}", self.chain.state()), "{e}");
        match e.kind {
            VenueErrorKind::Rejected { reason, venue_code } => {
                (venue_code.map(|code| code.into_owned()), reason.to_string())
            }
            other => (None, other.to_string()),
        }
    }

    /// What the chain keeps in the accounts of a venue.
    fn kept(&self, venue: Venue) -> Vec<Position> {
        let mut rows = Vec::new();
        let state = self.chain.state();
        state.positions(venue, &mut rows).unwrap();
        rows
    }

    pub(crate) fn positions(&self) -> Vec<Position> {
        let venues = self.venues.iter().map(|venue| venue.venue());
        let mut rows: Vec<_> = venues.flat_map(|venue| self.kept(venue)).collect();
        let mut in_flight = BTreeMap::new();
        for transfer in self.transit.in_flight() {
            let sum: &mut Quantity = in_flight.entry(transfer.asset).or_default();
            *sum = sum.add(transfer.amount).unwrap();
        }
        rows.extend(in_flight.into_iter().map(|(asset, quantity)| {
            Position::new(Account::IN_FLIGHT, Item::Asset(asset), quantity)
        }));
        rows
    }

    /// What the venues answer when asked is what the chain keeps and what is in flight.
    fn check_snapshots(&mut self) {
        let mut answered = Vec::new();
        for venue in &mut self.venues {
            let mut events = Vec::new();
            venue.request_snapshot();
            assert!(venue.horizon(&self.view).is_due(&self.view));
            venue.poll_events(&self.view, &mut events);
            let (asked, answered_at) = (self.view.now(), self.view.now());
            let kinds: Vec<_> = events.into_iter().map(|event| event.kind).collect();
            let answer = EventKind::Snapshot {
                asked,
                answered: answered_at,
            };
            assert_eq!(kinds, [answer], "{}", venue.venue());
            let account = venue.account();
            assert_eq!(account.contradiction(), None);
            assert_eq!((account.asked, account.answered), (asked, answered_at));
            let order = |row: &Position| (row.account, row.item);
            assert!(account.positions.is_sorted_by_key(order));
            answered.extend(account.positions.iter().copied());
        }
        let mut held = self.positions();
        held.sort_by_key(|row| (row.account, row.item));
        answered.sort_by_key(|row| (row.account, row.item));
        assert_eq!(answered, held);
    }

    /// Quantity and units of `item` in `account`, as `shares:stETH` in `wallet.main`.
    pub(crate) fn held(&self, account: &str, item: &str) -> (String, String) {
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
    fn check(&self) {
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
        sums.retain(|key, _| of_known(&key.0) || key.0 == Account::IN_FLIGHT);
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

pub(crate) fn claim(request: u32) -> Operation {
    let request = Some(InstructionId::plain(request));
    Operation::ClaimUnstake(ClaimUnstake { request })
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
    Instruction::new(InstructionId::plain(0), Operation::FlashLoan(loan))
}

/// A step that names its venue.
pub(crate) fn step(venue: &str, operation: Operation) -> Instruction {
    Instruction::step(Venue::new(venue).unwrap(), operation)
}

/// A step that does not.
pub(crate) fn unaddressed(operation: Operation) -> Instruction {
    Instruction::new(InstructionId::plain(0), operation)
}
