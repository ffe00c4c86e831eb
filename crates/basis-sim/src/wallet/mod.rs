//! Our own on-chain wallet: where outside capital arrives, and from where venues are funded.
//!
//! Simulated in backtests: it holds assets in `wallet.main`, sends them to venues for the gas of a transfer at
//! the recorded price, or the flat fee of its rules (`configs/venues/wallet.yaml`) where that is not known, and
//! for the delay of the rules, and takes deposits and withdrawals from the
//! world's [`InFlightTransfers`](basis_core::in_flight::InFlightTransfers). It wraps ETH into WETH and back as a transaction on
//! the chain, gas and all. It trades nothing and is not listed among the venues.
//!
//! **Invariants.** Its balance never falls below zero: a withdrawal that is not covered waits in
//! [`external_queued`](basis_core::in_flight::InFlightTransfers::external_queued) and is tried at every step.
//! [`ExecutionInterface::account`] also has what is in flight between any two venues of the run.

mod weth;

use std::collections::BTreeMap;
use std::sync::Arc;

use basis_core::config::{Node, Problems, Reader};
use basis_core::error::{ComponentError, Rejection, VenueErrorKind};
use basis_core::health::Health;
use basis_core::in_flight::{ExternalFlow, InFlightTransfer};
use basis_core::instruction::{Instruction, Operation, OperationKind, Transfer};
use basis_core::num::{MathError, Quantity};
use basis_core::rules::VenueRules;
use basis_core::types::{Account, Asset, InstructionId, Item, Timestamp, Venue};
use basis_core::venue::{Capabilities, DataProvider, Dependencies, VenueType};
use basis_core::venue_event::{
    AccountSnapshot, CapitalFlow, EventKind, Events, FlowId, Position, TransferStage, VenueEvent,
};
use basis_market::MarketView;
use basis_market::{ExecutionInterface, Horizon};

use self::weth::Weth;
use crate::failing::FailingTransfers;
use crate::holdings::Holdings;
use crate::interface::{Executor, Polls, unreadable};
use crate::refusal::Refusal;
use crate::settings::{self, InitialBalance, TransferFailure};
use crate::transfer::{departure, refuse_halted, route};
use crate::world::SimulatedWorld;

/// Operations of the wallet.
pub const OPERATIONS: &[OperationKind] = &[
    OperationKind::Transfer,
    OperationKind::Wrap,
    OperationKind::Unwrap,
];

/// Settings of the wallet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WalletSettings {
    /// Holdings without ledger lines: for single instructions and tests.
    pub initial_balances: Vec<InitialBalance>,
    /// The network named in the section.
    pub network: Option<String>,
    /// Sends that fail on purpose.
    pub transfer_failures: Vec<TransferFailure>,
}

impl WalletSettings {
    /// Reads `venue_settings.wallet`. Problems go to `problems`; what is wrong reads as its default.
    #[must_use]
    pub fn read(node: &Node, problems: &Problems) -> Self {
        let reader = Reader::new(node, "", problems);
        let network = settings::read_common(&reader, VenueType::OnChain).network;
        let initial_balances = settings::read_balances(&reader);
        let transfer_failures = settings::read_transfer_failures(&reader);
        reader.finish();
        Self {
            initial_balances,
            network,
            transfer_failures,
        }
    }
}

/// Creates the wallet of `world`.
///
/// # Errors
/// [`ComponentError`] without rules of the wallet, and for initial balances in accounts that they do not
/// name.
pub fn create(
    settings: &WalletSettings,
    world: SimulatedWorld,
    dependencies: Dependencies,
) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
    settings::check_balances(Venue::WALLET, &dependencies, &settings.initial_balances)?;
    let mut wallet = WalletExecutionInterface::new(settings, world);
    wallet.set_dependencies(dependencies);
    Ok(Box::new(wallet))
}

/// The simulated wallet.
#[derive(Debug)]
pub struct WalletExecutionInterface {
    capabilities: Capabilities,
    /// Its chain keeps what the wallet holds.
    world: SimulatedWorld,
    ready: Option<Ready>,
    failures: Vec<TransferFailure>,
    failing: FailingTransfers,
    polls: Polls,
    health: Health,
}

/// What it has once its dependencies are there.
#[derive(Clone, Debug)]
struct Ready {
    rules: Arc<VenueRules>,
    data: Arc<dyn DataProvider>,
}

impl WalletExecutionInterface {
    /// A wallet of `world` without dependencies; until they are set every instruction is refused.
    #[must_use]
    pub fn new(settings: &WalletSettings, world: SimulatedWorld) -> Self {
        let mut held = Holdings::default();
        for balance in &settings.initial_balances {
            let account = Account::new(Venue::WALLET, balance.account);
            // Sums of settings cannot leave the range: each is far below it.
            let added = held.add(account, balance.asset, balance.quantity);
            debug_assert!(added.is_ok(), "invariant: initial balances are in range");
        }
        if held.positions().next().is_some() {
            world.chain.state().take_over(held);
        }
        Self {
            capabilities: Capabilities {
                operations: OPERATIONS.to_vec(),
                ..Capabilities::default()
            },
            world,
            ready: None,
            failures: settings.transfer_failures.clone(),
            failing: FailingTransfers::default(),
            polls: Polls::default(),
            health: Health::default(),
        }
    }

    fn transfer(
        &mut self,
        ready: &Ready,
        view: &MarketView,
        instruction: InstructionId,
        transfer: &Transfer,
    ) -> Result<VenueEvent, Refusal> {
        let now = view.now();
        let snapshot = ready.rules.at(now);
        let mut route = route(Venue::WALLET, snapshot, &*ready.data, transfer, now)?;
        refuse_halted(Venue::WALLET, view)?;
        let (from, asset) = (transfer.from, transfer.asset);
        if let Some(gas) = view
            .wallet_send_cost(asset, route.decimals)?
            .filter(|_| !route.internal)
        {
            route.fee = gas;
        }
        let needed = transfer.amount.add(route.fee)?;
        let mut state = self.world.chain.state();
        let available = state.wallet.get(from, asset);
        if needed > available {
            let reason = Rejection::InsufficientBalance {
                asset,
                needed,
                available,
            };
            return Err(Refusal::rejected(reason, None));
        }
        let returns = self.failing.count(&self.failures, instruction, route.fee)?;
        state.move_wallet(now, (from, asset), needed.neg()?)?;
        let arrives_at = now.plus(route.delay);
        self.world.transit.send(InFlightTransfer {
            instruction,
            from: if returns { transfer.to } else { from },
            to: if returns { from } else { transfer.to },
            asset,
            amount: transfer.amount,
            arrives_at,
        });
        Ok(departure(
            Venue::WALLET,
            now,
            instruction,
            transfer,
            route.fee,
            Some(arrives_at),
            TransferStage::Sent,
        ))
    }

    /// Takes what has arrived and what comes from or goes to outside, in order of its instants.
    fn advance(&mut self, view: &MarketView, events: &mut Events) {
        let now = view.now();
        let known = events.len();
        let mut failure = None;
        for arrived in self.world.transit.collect(Venue::WALLET, now) {
            match self.arrive(now, &arrived) {
                Ok(event) => events.push(event),
                Err(refusal) => failure = Some(refusal),
            }
        }
        self.world.transit.take_external(now, |flow| {
            let taken = self.external(now, flow).unwrap_or_else(|refusal| {
                failure = Some(refusal);
                None
            });
            let is_taken = taken.is_some() && flow.amount.is_zero();
            events.extend(taken);
            is_taken
        });
        if let Some(happened) = events.get_mut(known..) {
            happened.sort_by_key(|event| event.at);
        }
        if let Some(refusal) = failure {
            events.push(unreadable(now, refusal.at(Venue::WALLET, "advance")));
        }
    }

    /// Takes what has arrived, or has come back with its fee.
    fn arrive(
        &mut self,
        now: Timestamp,
        arrived: &InFlightTransfer,
    ) -> Result<VenueEvent, Refusal> {
        let (amount, event) = self.failing.credit(Venue::WALLET, now, arrived)?;
        let place = (arrived.to, arrived.asset);
        self.world.chain.state().move_wallet(now, place, amount)?;
        Ok(event)
    }

    /// Takes a deposit or withdrawal, or pays as much of a withdrawal as is there, which leaves the rest in
    /// `flow`; `None` where nothing is paid.
    fn external(
        &self,
        now: Timestamp,
        flow: &mut ExternalFlow,
    ) -> Result<Option<VenueEvent>, Refusal> {
        let (account, asset) = (Account::WALLET, flow.asset);
        let mut state = self.world.chain.state();
        let held = state.wallet.get(account, asset);
        let mut amount = flow.amount;
        if held.add(amount)?.is_negative() {
            let rule = self.world.transit.paid_in_parts();
            let Some(part) = rule.and_then(|rule| rule.part(now, flow, held)) else {
                return Ok(None);
            };
            amount = part.neg()?;
        }
        state.move_wallet(now, (account, asset), amount)?;
        let part = flow.parts;
        flow.amount = flow.amount.sub(amount)?;
        flow.parts += 1;
        // A deposit counts from its own instant; a withdrawal from when it was covered.
        let at = if amount.is_positive() { flow.at } else { now };
        let kind = EventKind::CapitalFlow(CapitalFlow {
            id: FlowId {
                scheduled: flow.at,
                number: flow.number,
                part,
            },
            account,
            asset,
            amount,
        });
        Ok(Some(VenueEvent::new(Venue::WALLET, at, now, kind)))
    }

    fn next_event_at(&self) -> Option<Timestamp> {
        self.ready.as_ref()?;
        let transit = &self.world.transit;
        let arrival = transit.next_arrival(Venue::WALLET);
        arrival.into_iter().chain(transit.next_external()).min()
    }

    fn is_due(&self, view: &MarketView) -> bool {
        Horizon::at(self.next_event_at()).is_due(view)
    }
}

/// What is on its way between any two venues of `world`, by asset.
fn in_flight(world: &SimulatedWorld) -> Result<BTreeMap<Asset, Quantity>, MathError> {
    let mut sums = BTreeMap::new();
    for transfer in world.transit.in_flight() {
        let sum = sums.entry(transfer.asset).or_insert(Quantity::ZERO);
        *sum = sum.add(transfer.amount)?;
    }
    Ok(sums)
}

/// What the wallet holds, and what is in flight, sorted.
fn holdings(world: &SimulatedWorld, positions: &mut Vec<Position>) -> Result<(), Refusal> {
    world.chain.state().positions(Venue::WALLET, positions)?;
    let sums = in_flight(world)?;
    if !sums.is_empty() {
        positions.extend(sums.into_iter().map(|(asset, quantity)| {
            Position::new(Account::IN_FLIGHT, Item::Asset(asset), quantity)
        }));
        positions.sort_by_key(|row| (row.account, row.item));
    }
    Ok(())
}

impl Executor for WalletExecutionInterface {
    fn executing(&self) -> Venue {
        Venue::WALLET
    }

    fn take_on(&mut self, instruction: InstructionId) -> bool {
        self.ready.is_none() || self.world.chain.take_on(instruction)
    }

    fn dispatch(
        &mut self,
        view: &MarketView,
        instruction: &Instruction,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let Some(ready) = self.ready.as_mut() else {
            return Err(Refusal::new(VenueErrorKind::NotReady));
        };
        // Rules may have been added since the last call.
        if let Some(rules) = ready.data.rules(Venue::WALLET) {
            ready.rules = rules;
        }
        let ready = ready.clone();
        match &instruction.operation {
            Operation::Transfer(transfer) => {
                events.push(self.transfer(&ready, view, instruction.id, transfer)?);
                Ok(())
            }
            Operation::Wrap(_) | Operation::Unwrap(_) => {
                let mut state = self.world.chain.state();
                state.execute(Venue::WALLET, view, &*ready.data, instruction, events)
            }
            other => Err(Refusal::unsupported(
                Venue::WALLET,
                other.kind(),
                OPERATIONS,
            )),
        }
    }

    fn health_mut(&mut self) -> &mut Health {
        &mut self.health
    }
}

impl ExecutionInterface for WalletExecutionInterface {
    fn venue(&self) -> Venue {
        Venue::WALLET
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn set_dependencies(&mut self, dependencies: Dependencies) {
        self.ready = None;
        if !dependencies.missing().is_empty() {
            return;
        }
        self.world.chain.state().install(Box::new(Weth));
        let Some(data) = dependencies.data_provider else {
            return;
        };
        let rules = data.rules(Venue::WALLET);
        self.ready = rules.map(|rules| Ready { rules, data });
    }

    fn execute_instructions(
        &mut self,
        view: &MarketView,
        instructions: &[Instruction],
        events: &mut Events,
    ) {
        self.polls.act(view.now(), self.is_due(view));
        self.execute_each(view, instructions, events);
    }

    fn poll_events(&mut self, view: &MarketView, events: &mut Events) {
        let now = view.now();
        let is_due = self.is_due(view);
        if self.polls.moves(now, is_due) {
            self.advance(view, events);
        }
        let world = &self.world;
        self.polls.answer(Venue::WALLET, now, events, |account| {
            let read = holdings(world, &mut account.positions);
            read.map_err(|refusal| refusal.at(Venue::WALLET, "positions"))
        });
    }

    fn horizon(&self, _view: &MarketView) -> Horizon {
        self.polls.horizon(self.next_event_at())
    }

    fn account(&self) -> &AccountSnapshot {
        &self.polls.account
    }

    fn request_snapshot(&mut self) {
        self.polls.request();
    }

    fn health(&self) -> Health {
        self.health.clone()
    }
}
