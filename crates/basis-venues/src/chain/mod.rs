//! The simulated chain: one wallet, every protocol of the run, transactions that happen whole or not
//! at all.
//!
//! An on-chain interface is a thin handle (`OnChainInterface`) on the chain it shares with the
//! others. Executing an instruction is one transaction: the state is kept aside, the steps run, gas is
//! paid in ETH from the wallet, and when anything refuses the state is put back to the last bit.
//!
//! It is not a virtual machine: each `Protocol` is its contract's arithmetic from
//! [`basis_core::protocol`] with our position in it, moved along by the recorded data of the view.
//! There are no blocks and no mempool; a transaction is mined at the step it is sent.
//!
//! What happens by itself is reported once: lines that a transaction had to catch up with come first in
//! its execution, and the rest of those events (a ticket that became ready, a reward) follows without
//! lines when the venue is next asked.
//!
//! **Invariants.** Wallet and protocol holdings are the sum of the reported ledger lines (initial
//! balances of the settings apart). A refused instruction changes nothing. No wallet balance falls
//! below zero.

mod atomic;
mod interface;
mod lending;
mod lines;
mod protocol;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod transaction;

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use basis_core::chain::Chain;
use basis_core::error::VenueErrorKind;
use basis_core::execution::{Execution, LendingHealth, Position, VenueEvent, VenueEventKind};
use basis_core::instruction::{Instruction, Operation};
use basis_core::ledger::LedgerEntry;
use basis_core::market::MarketView;
use basis_core::types::{Account, Timestamp, Venue};
use basis_core::venue::{DataProvider, Dependencies, Terms};

use crate::cex::Holdings;

pub(crate) use self::interface::{OnChainDriver, OnChainInterface};
pub(crate) use self::lending::{oracle_refusal, seconds, stale, wrap_first};
pub(crate) use self::lines::{EventLines, Lines};
pub(crate) use self::protocol::{Protocol, Sync};
pub(crate) use self::transaction::{ETH, Transaction, WETH, base_units, price_of};
pub(crate) use crate::cex::TransferRefusal as Refusal;

/// Ethereum mainnet.
const CHAIN_ID: u64 = 1;

/// The chain of one simulated world; clones are the same chain.
#[derive(Clone, Debug, Default)]
pub struct SimulatedChain {
    state: Arc<Mutex<State>>,
}

/// All that a transaction may change.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// What the wallet holds.
    pub(crate) wallet: Holdings,
    /// In the order they were created.
    pub(crate) protocols: Vec<Box<dyn Protocol>>,
    /// Events whose lines an execution has reported, for the venue's next advance.
    notices: Vec<VenueEvent>,
    /// Transactions so far; their hashes count up.
    transactions: u64,
    /// Whether the protocols that watch an asset know how much of it is held.
    observed: bool,
}

impl Chain for SimulatedChain {
    fn chain_id(&self) -> u64 {
        CHAIN_ID
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl SimulatedChain {
    /// The chain that `dependencies` share; none when they have none, or not a simulated one.
    pub(crate) fn of(dependencies: &Dependencies) -> Option<Self> {
        let chain = dependencies.chain.as_ref()?;
        chain.as_any().downcast_ref::<Self>().cloned()
    }

    /// What a reader of the results has to know of how the protocols were simulated, a sentence each,
    /// in the order the venues were created.
    #[must_use]
    pub fn assumptions(&self) -> Vec<String> {
        let state = self.state();
        let protocols = state.protocols.iter();
        protocols
            .flat_map(|protocol| protocol.assumptions())
            .collect()
    }

    /// The state, for one call.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes over what a wallet holds.
    pub(crate) fn take_over(&mut self, wallet: Holdings) {
        self.wallet = wallet;
        self.observed = false;
    }

    /// Adds a protocol, or replaces the one of the same venue. Its place stays for good, as none is ever
    /// taken out.
    pub(crate) fn install(&mut self, protocol: Box<dyn Protocol>) -> usize {
        self.observed = false;
        let venue = protocol.venue();
        let known = self.protocols.iter().position(|p| p.venue() == venue);
        match known.and_then(|at| self.protocols.get_mut(at)) {
            Some(place) => *place = protocol,
            None => self.protocols.push(protocol),
        }
        known.unwrap_or(self.protocols.len() - 1)
    }

    pub(crate) fn protocol(&self, venue: Venue) -> Option<&dyn Protocol> {
        let found = self.protocols.iter().find(|p| p.venue() == venue);
        found.map(|protocol| &**protocol)
    }

    pub(crate) fn protocol_mut(&mut self, venue: Venue) -> Option<&mut Box<dyn Protocol>> {
        self.protocols.iter_mut().find(|p| p.venue() == venue)
    }

    /// Moves the protocol of `venue` to the view and reports what happened by itself.
    ///
    /// # Errors
    /// The protocol's refusal; the state is then of no more use.
    pub(crate) fn advance(
        &mut self,
        venue: Venue,
        view: &MarketView,
        data: &dyn DataProvider,
    ) -> Result<Vec<VenueEvent>, Refusal> {
        let noticed = |event: &mut VenueEvent| event.venue == venue;
        let mut events: Vec<_> = self.notices.extract_if(.., noticed).collect();
        let known = events.len();
        let context = Sync { view, data };
        if let Some(protocol) = self.protocol_mut(venue) {
            protocol.sync(&context, &mut events)?;
        }
        for event in events.iter().skip(known) {
            self.wallet.post(Venue::WALLET, &event.entries)?;
        }
        if events.len() > known || !self.observed {
            self.observe(view.now())?;
        }
        Ok(events)
    }

    /// When the protocol of `venue`, which stands at `place`, next has something to report.
    pub(crate) fn next_event_at(&self, venue: Venue, place: usize) -> Option<Timestamp> {
        if self.notices.iter().any(|event| event.venue == venue) {
            return Some(Timestamp::MIN);
        }
        let protocol = self.protocols.get(place)?;
        debug_assert_eq!(protocol.venue(), venue, "invariant: a place is kept");
        protocol.next_event_at()
    }

    /// What we hold in the accounts of `venue`. The wallet's are its assets and the scaled tokens that
    /// protocols keep for it.
    pub(crate) fn positions(&self, venue: Venue) -> Result<Vec<Position>, Refusal> {
        let mut positions = Vec::new();
        if venue == Venue::WALLET {
            positions.extend(self.wallet.positions());
            for protocol in &self.protocols {
                protocol.positions(&mut positions)?;
            }
        } else if let Some(protocol) = self.protocol(venue) {
            protocol.positions(&mut positions)?;
        }
        positions
            .retain(|p| p.account.venue == venue && !(p.quantity.is_zero() && p.units.is_zero()));
        // By reference: a key of both is 120 bytes to copy for every comparison.
        positions.sort_by(|a, b| a.account.cmp(&b.account).then_with(|| a.item.cmp(&b.item)));
        Ok(positions)
    }

    /// Books lines of the wallet that no transaction caused: deposits, arrivals.
    pub(crate) fn post(&mut self, at: Timestamp, entries: &[LedgerEntry]) -> Result<(), Refusal> {
        self.wallet.post(Venue::WALLET, entries)?;
        self.observe(at)
    }

    /// Tells the protocols that watch an asset how much of it is held from `at` on.
    fn observe(&mut self, at: Timestamp) -> Result<(), Refusal> {
        for index in 0..self.protocols.len() {
            let watched = self.protocols.get(index).and_then(|p| p.watches());
            let Some(asset) = watched else { continue };
            let mut held = self.wallet.get(Account::WALLET, asset);
            for protocol in &self.protocols {
                held = held.add(protocol.holding_of(asset)?)?;
            }
            if let Some(protocol) = self.protocols.get_mut(index) {
                protocol.observe(at, held)?;
            }
        }
        self.observed = true;
        Ok(())
    }

    /// How far our lending accounts at `venue` are from liquidation.
    pub(crate) fn lending(&self, venue: Venue) -> Result<Vec<LendingHealth>, Refusal> {
        let mut lending = Vec::new();
        if let Some(protocol) = self.protocol(venue) {
            protocol.lending(&mut lending)?;
        }
        lending.sort_by_key(|health| health.account);
        Ok(lending)
    }

    /// How the protocol of `venue` deals at the view. A copy moves there, for one that nothing happens to
    /// is not asked at every step.
    pub(crate) fn terms(
        &self,
        venue: Venue,
        view: &MarketView,
        data: &dyn DataProvider,
    ) -> Result<Terms, Refusal> {
        let Some(protocol) = self.protocol(venue) else {
            return Ok(Terms::default());
        };
        let context = Sync { view, data };
        let mut now = protocol.snapshot();
        now.sync(&context, &mut Vec::new())?;
        now.terms(&context)
    }

    /// Executes one instruction addressed to `venue` as one transaction, or changes nothing.
    pub(crate) fn execute(
        &mut self,
        venue: Venue,
        view: &MarketView,
        data: &dyn DataProvider,
        instruction: &Instruction,
    ) -> Result<Execution, Refusal> {
        let wallet = self.wallet.clone();
        let protocols: Vec<_> = self.protocols.iter().map(|p| p.snapshot()).collect();
        let noticed = self.notices.len();
        match self.attempt(venue, view, data, instruction) {
            Ok(execution) => {
                self.transactions += 1;
                Ok(execution)
            }
            Err(refusal) => {
                self.wallet = wallet;
                self.protocols = protocols;
                self.notices.truncate(noticed);
                Err(refusal)
            }
        }
    }

    fn attempt(
        &mut self,
        venue: Venue,
        view: &MarketView,
        data: &dyn DataProvider,
        instruction: &Instruction,
    ) -> Result<Execution, Refusal> {
        let caught_up = self.catch_up(view, data)?;
        let mut transaction = Transaction::new(
            view,
            data,
            instruction.id,
            self.transactions,
            &mut self.wallet,
        );
        match &instruction.operation {
            Operation::Atomic(steps) => {
                atomic::execute(&mut transaction, &mut self.protocols, steps)?;
            }
            operation => {
                let protocol = self.protocols.iter_mut().find(|p| p.venue() == venue);
                let Some(protocol) = protocol else {
                    return Err(Refusal::new(VenueErrorKind::NotReady));
                };
                protocol.execute(&mut transaction, operation)?;
            }
        }
        let execution = transaction.finish(venue, caught_up)?;
        self.observe(view.now())?;
        Ok(execution)
    }

    /// Moves every protocol to the view, so that the transaction meets them as they are now. Their lines
    /// are part of the execution; what else their events say is kept for [`State::advance`].
    fn catch_up(
        &mut self,
        view: &MarketView,
        data: &dyn DataProvider,
    ) -> Result<Vec<LedgerEntry>, Refusal> {
        let context = Sync { view, data };
        let mut events = Vec::new();
        for protocol in &mut self.protocols {
            protocol.sync(&context, &mut events)?;
        }
        let mut lines = Vec::new();
        for mut event in events {
            lines.append(&mut event.entries);
            if event.kind != VenueEventKind::Accrual {
                self.notices.push(event);
            }
        }
        self.wallet.post(Venue::WALLET, &lines)?;
        Ok(lines)
    }
}
