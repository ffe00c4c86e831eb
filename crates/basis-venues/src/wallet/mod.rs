//! Our own on-chain wallet: where outside capital arrives, and from where venues are funded.
//!
//! Simulated in backtests: it holds assets in `wallet.main`, sends them to venues for the fee and
//! delay of its rules (`configs/venues/wallet.yaml`), and takes deposits and withdrawals from the
//! world's [`Transit`]. It wraps ETH into WETH and back as a transaction on the chain, gas and all. It
//! trades nothing and is not listed among the venues.
//!
//! **Invariants.** Its balance never falls below zero: a withdrawal that is not covered waits in
//! [`Transit::external_queued`] and is tried at every step. [`ExecutionInterface::positions`] also
//! reports what is in flight between any two venues of the run.

#[cfg(test)]
mod tests;
mod weth;

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use basis_core::config::{Node, Problems, Reader};
use basis_core::error::{ComponentError, Rejection, VenueError, VenueErrorKind};
use basis_core::execution::{Execution, ExecutionStatus, Position, VenueEvent, VenueEventKind};
use basis_core::executor::BoxFuture;
use basis_core::health::Health;
use basis_core::instruction::{Instruction, Operation, OperationKind, Transfer};
use basis_core::ledger::{EntryKind, Occurrence};
use basis_core::market::MarketView;
use basis_core::num::Quantity;
use basis_core::rules::VenueRules;
use basis_core::transit::{ExternalFlow, Shipment, Transit};
use basis_core::types::{Account, Asset, InstructionId, Item, Label, Span, Timestamp, Venue};
use basis_core::venue::{
    Capabilities, DataProvider, Dependencies, ExecutionInterface, ExecutionMode, VenueDriver,
    VenueSettings, VenueType,
};

use self::weth::Weth;
use crate::cex::{
    self, Failing, InitialBalance, Lines, TransferFailure, TransferRefusal as Refusal,
};
use crate::chain::SimulatedChain;
use crate::credentials;

const OPERATIONS: &[OperationKind] = &[
    OperationKind::Transfer,
    OperationKind::Wrap,
    OperationKind::Unwrap,
];

/// The row of the wallet in the driver table.
pub const DRIVER: VenueDriver = VenueDriver {
    venue: Venue::WALLET,
    venue_type: VenueType::OnChain,
    class_name: "WalletExecutionInterface",
    module: module_path!(),
    description: "Our on-chain wallet: deposits, withdrawals, funding of venues",
    dependencies: &["position_monitor", "event_logger", "data_provider"],
    credentials: credentials::ALCHEMY,
    modes: &[ExecutionMode::Backtest],
    operations: OPERATIONS,
    listed: false,
    parse_settings,
    build,
};

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
        let network = cex::read_common(&reader, VenueType::OnChain).network;
        let initial_balances = cex::read_balances(&reader);
        let transfer_failures = cex::read_transfer_failures(&reader);
        reader.finish();
        Self {
            initial_balances,
            network,
            transfer_failures,
        }
    }
}

fn parse_settings(node: &Node, problems: &Problems) -> Arc<dyn Any + Send + Sync> {
    Arc::new(WalletSettings::read(node, problems))
}

fn build(
    settings: &VenueSettings,
    mode: ExecutionMode,
    dependencies: Dependencies,
) -> BoxFuture<'_, Result<Box<dyn ExecutionInterface>, ComponentError>> {
    Box::pin(async move {
        cex::backtest_only(Venue::WALLET, mode)?;
        let parsed = settings.parsed::<WalletSettings>().cloned();
        let parsed = parsed.unwrap_or_default();
        if let Some(data) = dependencies.data_provider.as_ref() {
            let rules = data.rules(Venue::WALLET);
            let rules = rules.ok_or_else(|| cex::no_rules(Venue::WALLET))?;
            cex::check_accounts(Venue::WALLET, &rules, &parsed.initial_balances)?;
        }
        let mut wallet = WalletExecutionInterface::new(&parsed);
        wallet.set_dependencies(dependencies);
        Ok(Box::new(wallet) as Box<dyn ExecutionInterface>)
    })
}

/// The simulated wallet.
#[derive(Debug)]
pub struct WalletExecutionInterface {
    world: Option<World>,
    /// Keeps what the wallet holds; shared with the on-chain venues when the dependencies have one.
    chain: SimulatedChain,
    failures: Vec<TransferFailure>,
    failing: Failing,
    health: Health,
}

#[derive(Clone, Debug)]
struct World {
    rules: Arc<VenueRules>,
    data: Arc<dyn DataProvider>,
    transit: Option<Arc<Transit>>,
}

impl WalletExecutionInterface {
    /// A wallet without dependencies; until they are set every instruction is refused.
    #[must_use]
    pub fn new(settings: &WalletSettings) -> Self {
        let chain = SimulatedChain::default();
        for balance in &settings.initial_balances {
            let account = Account::new(Venue::WALLET, balance.account);
            // Sums of settings cannot leave the range: each is far below it.
            let mut state = chain.state();
            let added = state.wallet.add(account, balance.asset, balance.quantity);
            debug_assert!(added.is_ok(), "invariant: initial balances are in range");
        }
        Self {
            world: None,
            chain,
            failures: settings.transfer_failures.clone(),
            failing: Failing::default(),
            health: Health::default(),
        }
    }

    /// Takes what the wallet holds to the chain it shares from now on.
    fn join(&mut self, shared: SimulatedChain) {
        let held = std::mem::take(&mut self.chain.state().wallet);
        if held.positions().next().is_some() {
            shared.state().take_over(held);
        }
        self.chain = shared;
    }

    fn dispatch(
        &mut self,
        view: &MarketView,
        instruction: &Instruction,
    ) -> Result<Execution, Refusal> {
        let Some(world) = self.world.clone() else {
            return Err(Refusal::new(VenueErrorKind::NotReady));
        };
        match &instruction.operation {
            Operation::Transfer(transfer) => self.transfer(&world, view, instruction.id, transfer),
            Operation::Wrap(_) | Operation::Unwrap(_) => {
                let mut state = self.chain.state();
                state.execute(Venue::WALLET, view, &*world.data, instruction)
            }
            other => Err(cex::unsupported(Venue::WALLET, other.kind(), OPERATIONS)),
        }
    }

    fn transfer(
        &mut self,
        world: &World,
        view: &MarketView,
        instruction: InstructionId,
        transfer: &Transfer,
    ) -> Result<Execution, Refusal> {
        let now = view.now();
        let snapshot = world.rules.at(now);
        let route = cex::route(Venue::WALLET, snapshot, &*world.data, transfer, now)?;
        cex::refuse_halted(Venue::WALLET, view)?;
        let Some(transit) = world.transit.as_ref() else {
            return Err(Refusal::new(VenueErrorKind::NotReady));
        };
        let asset = transfer.asset;
        let needed = transfer.amount.add(route.fee)?;
        let available = self.chain.state().wallet.get(transfer.from, asset);
        if needed > available {
            let reason = Rejection::InsufficientBalance {
                asset,
                needed,
                available,
            };
            return Err(Refusal::rejected(reason, None));
        }
        let returns = self.failing.count(&self.failures, instruction, route.fee)?;
        let price = cex::dollar_price(view, asset, Venue::WALLET);
        let flight = Account::IN_FLIGHT;
        let entries = cex::departure(now, instruction, transfer, route.fee, flight, price)?;
        self.chain.state().post(now, &entries)?;
        let arrives_at = now.plus(route.delay);
        transit.send(Shipment {
            instruction,
            to: if returns { transfer.from } else { transfer.to },
            asset,
            amount: transfer.amount,
            arrives_at,
        });
        Ok(Execution {
            instruction,
            venue: Venue::WALLET,
            status: ExecutionStatus::Pending {
                until: Some(arrives_at),
            },
            fills: Vec::new(),
            venue_reference: None,
            entries,
            at: now,
        })
    }

    fn advance_to(&mut self, view: &MarketView) -> Result<Vec<VenueEvent>, Refusal> {
        let mut events = Vec::new();
        let Some(transit) = self.world.as_ref().and_then(|world| world.transit.clone()) else {
            return Ok(events);
        };
        let now = view.now();
        for shipment in transit.collect(Venue::WALLET, now) {
            let event = match self.failing.returned(Venue::WALLET, view, &shipment)? {
                Some(event) => event,
                None => cex::arrival(Venue::WALLET, view, &shipment)?,
            };
            self.chain.state().post(now, &event.entries)?;
            events.push(event);
        }
        let mut failure = None;
        transit.take_external(now, |flow| match self.external(view, flow) {
            Ok(event) => {
                let taken = event.is_some();
                events.extend(event);
                taken
            }
            Err(refusal) => {
                failure = Some(refusal);
                false
            }
        });
        match failure {
            Some(refusal) => Err(refusal),
            None => {
                events.sort_by_key(|event| event.at);
                Ok(events)
            }
        }
    }

    /// Books a deposit or withdrawal; `None` for a withdrawal that is not covered.
    fn external(
        &mut self,
        view: &MarketView,
        flow: &ExternalFlow,
    ) -> Result<Option<VenueEvent>, Refusal> {
        let (account, asset) = (Account::WALLET, flow.asset);
        let held = self.chain.state().wallet.get(account, asset);
        if held.add(flow.amount)?.is_negative() {
            return Ok(None);
        }
        let (kind, name) = if flow.amount.is_positive() {
            (EntryKind::Deposit, Label::literal("deposit"))
        } else {
            (EntryKind::Withdrawal, Label::literal("withdrawal"))
        };
        let occurrence = Occurrence::External {
            at: flow.at,
            number: flow.number,
        };
        // A deposit counts from its own instant; a withdrawal from when it was covered.
        let at = if flow.amount.is_positive() {
            flow.at
        } else {
            view.now()
        };
        let mut lines = Lines::new(at, occurrence, None);
        let price = cex::dollar_price(view, asset, Venue::WALLET);
        lines.booked(kind, (account, asset), flow.amount, price)?;
        self.chain.state().post(view.now(), &lines.entries)?;
        Ok(Some(VenueEvent {
            venue: Venue::WALLET,
            at,
            kind: VenueEventKind::Other {
                name,
                instruction: None,
            },
            entries: lines.entries,
        }))
    }

    fn in_flight(&self) -> Result<BTreeMap<Asset, Quantity>, Refusal> {
        let transit = self.world.as_ref().and_then(|world| world.transit.as_ref());
        let mut sums = BTreeMap::new();
        for shipment in transit
            .map(|transit| transit.in_flight())
            .unwrap_or_default()
        {
            let sum = sums.entry(shipment.asset).or_insert(Quantity::ZERO);
            *sum = sum.add(shipment.amount)?;
        }
        Ok(sums)
    }
}

fn venue_error(operation: &'static str, refusal: Refusal) -> VenueError {
    VenueError::new(Venue::WALLET, operation, *refusal.0)
}

#[async_trait]
impl ExecutionInterface for WalletExecutionInterface {
    fn venue(&self) -> Venue {
        Venue::WALLET
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            operations: OPERATIONS.to_vec(),
            hedge_mode: false,
        }
    }

    fn set_dependencies(&mut self, dependencies: Dependencies) {
        self.world = None;
        if !dependencies.missing().is_empty() {
            return;
        }
        if let Some(shared) = SimulatedChain::of(&dependencies) {
            self.join(shared);
        }
        self.chain.state().install(Box::new(Weth));
        let Some(data) = dependencies.data_provider else {
            return;
        };
        let rules = data.rules(Venue::WALLET);
        self.world = rules.map(|rules| World {
            rules,
            data,
            transit: dependencies.transit,
        });
    }

    async fn execute_instruction(
        &mut self,
        view: &MarketView,
        instruction: &Instruction,
    ) -> Result<Execution, VenueError> {
        match self.dispatch(view, instruction) {
            Ok(execution) => {
                self.health.succeeded(view.now(), Span::ZERO);
                Ok(execution)
            }
            Err(refusal) => {
                let e = venue_error(instruction.operation.kind().as_str(), refusal);
                let failure = ComponentError::from(e.clone());
                self.health.failed(view.now(), &failure);
                Err(e)
            }
        }
    }

    async fn advance(&mut self, view: &MarketView) -> Result<Vec<VenueEvent>, VenueError> {
        self.advance_to(view)
            .map_err(|refusal| venue_error("advance", refusal))
    }

    fn next_event_at(&self) -> Option<Timestamp> {
        let transit = self.world.as_ref()?.transit.as_ref()?;
        let arrival = transit.next_arrival(Venue::WALLET);
        arrival.into_iter().chain(transit.next_external()).min()
    }

    async fn positions(&mut self, _view: &MarketView) -> Result<Vec<Position>, VenueError> {
        let failed = |refusal| venue_error("positions", refusal);
        let in_flight = self.in_flight().map_err(failed)?;
        let held = self.chain.state().positions(Venue::WALLET);
        let mut rows = held.map_err(failed)?;
        rows.extend(in_flight.into_iter().map(|(asset, quantity)| {
            Position::new(Account::IN_FLIGHT, Item::Asset(asset), quantity)
        }));
        rows.sort_by_key(|row| (row.account, row.item));
        Ok(rows)
    }

    fn health(&self) -> Health {
        self.health.clone()
    }
}
