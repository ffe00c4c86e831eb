//! The simulated chain: one wallet, every protocol of the run, transactions that happen whole or not
//! at all.
//!
//! An on-chain interface is a thin handle (`OnChainInterface`) on the chain it shares with the
//! others. Executing an instruction is one transaction: the state is kept aside, the steps run, gas is
//! paid in ETH from the wallet, and when anything refuses the state is put back to the last bit.
//!
//! It is not a virtual machine: each `Protocol` is its contract's arithmetic from
//! [`basis_protocols`] with our position in it, moved along by the recorded data of the view.
//! There are no blocks and no mempool; a transaction is mined at the step it is sent.
//!
//! What happens by itself is reported once: what a transaction had to catch up with comes before it, as
//! events of the venues it happened at; anything else follows when its venue is next polled.
//!
//! **Invariants.** The wallet and each protocol change their own tallies; that the reported changes add
//! up to these (initial balances of the settings apart) is for others to check. A refused instruction
//! changes nothing. No wallet balance falls below zero.

mod atomic;
mod changes;
mod interface;
mod protocol;
mod transaction;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use basis_core::error::VenueErrorKind;
use basis_core::instruction::{AmountOrAll, Instruction, Operation, Swap, SwapAmounts};
use basis_core::num::Quantity;
use basis_core::types::{Account, Asset, InstructionId, Timestamp, Venue};
use basis_core::venue::{DataProvider, Terms};
use basis_core::venue_event::{Events, LendingHealth, Position, VenueEvent};
use basis_market::MarketView;

use crate::holdings::Holdings;
use crate::refusal::Refusal;

pub use self::changes::Changes;
pub use self::interface::create;
pub use self::protocol::{Protocol, Sync};
pub use self::transaction::{ETH, Transaction, WETH, base_units, price_of};

/// The chain of one simulated world; clones are the same chain.
#[derive(Clone, Debug, Default)]
pub struct SimulatedChain {
    state: Arc<Mutex<State>>,
    /// The instructions that its venues have taken on.
    taken_on: Arc<Mutex<BTreeSet<InstructionId>>>,
}

/// All that a transaction may change.
#[derive(Debug, Default)]
pub struct State {
    /// What the wallet holds.
    pub wallet: Holdings,
    /// In the order they were created.
    pub protocols: Vec<Box<dyn Protocol>>,
    /// Transactions so far; their hashes count up.
    transactions: u64,
    /// Whether the protocols that watch an asset know how much of it is held.
    observed: bool,
}

impl SimulatedChain {
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
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an instruction on; `false` when one of the chain's venues has done so before.
    pub fn take_on(&self, instruction: InstructionId) -> bool {
        let mut taken_on = self.taken_on.lock().unwrap_or_else(PoisonError::into_inner);
        taken_on.insert(instruction)
    }
}

impl State {
    /// Takes over what a wallet holds.
    pub fn take_over(&mut self, wallet: Holdings) {
        self.wallet = wallet;
        self.observed = false;
    }

    /// Adds a protocol, or replaces the one of the same venue. Its place stays for good, as none is ever
    /// taken out.
    pub fn install(&mut self, protocol: Box<dyn Protocol>) -> usize {
        self.observed = false;
        let venue = protocol.venue();
        let known = self.protocols.iter().position(|p| p.venue() == venue);
        match known.and_then(|at| self.protocols.get_mut(at)) {
            Some(place) => *place = protocol,
            None => self.protocols.push(protocol),
        }
        known.unwrap_or(self.protocols.len() - 1)
    }

    /// Returns the protocol of `venue`.
    #[must_use]
    pub fn protocol(&self, venue: Venue) -> Option<&dyn Protocol> {
        let found = self.protocols.iter().find(|p| p.venue() == venue);
        found.map(|protocol| &**protocol)
    }

    fn protocol_mut(&mut self, venue: Venue) -> Option<&mut Box<dyn Protocol>> {
        self.protocols.iter_mut().find(|p| p.venue() == venue)
    }

    /// Moves the protocol of `venue` to the view and reports what happened by itself.
    ///
    /// # Errors
    /// The protocol's refusal; the state is then of no more use.
    pub fn advance(
        &mut self,
        venue: Venue,
        view: &MarketView,
        data: &dyn DataProvider,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let known = events.len();
        if let Some(protocol) = self.protocol_mut(venue) {
            protocol.sync(&Sync { view, data }, events)?;
        }
        if events.len() > known || !self.observed {
            self.observe(view.now())?;
        }
        Ok(())
    }

    /// When the protocol of `venue`, which stands at `place`, next has something to report.
    pub fn next_event_at(&self, venue: Venue, place: usize) -> Option<Timestamp> {
        let protocol = self.protocols.get(place)?;
        debug_assert_eq!(protocol.venue(), venue, "invariant: a place is kept");
        protocol.next_event_at()
    }

    /// What we hold in the accounts of `venue`, sorted, in place of what `positions` has. The wallet's are
    /// its assets and the scaled tokens that protocols keep for it.
    ///
    /// # Errors
    /// A refusal when an amount leaves the range.
    pub fn positions(&self, venue: Venue, positions: &mut Vec<Position>) -> Result<(), Refusal> {
        positions.clear();
        if venue == Venue::WALLET {
            positions.extend(self.wallet.positions());
            for protocol in &self.protocols {
                protocol.positions(positions)?;
            }
        } else if let Some(protocol) = self.protocol(venue) {
            protocol.positions(positions)?;
        }
        positions
            .retain(|p| p.account.venue == venue && !(p.quantity.is_zero() && p.units.is_zero()));
        // By reference: a key of both is 120 bytes to copy for every comparison.
        positions.sort_by(|a, b| a.account.cmp(&b.account).then_with(|| a.item.cmp(&b.item)));
        Ok(())
    }

    /// Moves the wallet's `asset` in `account` by `change` without a transaction: a deposit, an arrival,
    /// what was sent.
    ///
    /// # Errors
    /// A refusal when an amount leaves the range.
    pub fn move_wallet(
        &mut self,
        at: Timestamp,
        (account, asset): (Account, Asset),
        change: Quantity,
    ) -> Result<(), Refusal> {
        self.wallet.add(account, asset, change)?;
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

    /// How far our lending accounts at `venue` are from liquidation, in order of account and in place of
    /// what `lending` has.
    ///
    /// # Errors
    /// A refusal when an amount leaves the range.
    pub fn lending(&self, venue: Venue, lending: &mut Vec<LendingHealth>) -> Result<(), Refusal> {
        lending.clear();
        if let Some(protocol) = self.protocol(venue) {
            protocol.lending(lending)?;
        }
        lending.sort_by_key(|health| health.account);
        Ok(())
    }

    /// How the protocol of `venue` deals at the view. A copy moves there, for one that nothing happens to
    /// is not asked at every step.
    ///
    /// # Errors
    /// The refusal of the protocol.
    pub fn terms(
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

    /// What a swap at `venue` would pay now. Where the protocol cannot say so by itself a copy of it trades,
    /// for a wallet that has what the swap gives.
    ///
    /// # Errors
    /// The refusal of the protocol.
    pub fn quote(
        &self,
        venue: Venue,
        view: &MarketView,
        data: &dyn DataProvider,
        swap: &Swap,
    ) -> Result<Quantity, Refusal> {
        let Some(protocol) = self.protocol(venue) else {
            return Err(Refusal::new(VenueErrorKind::NotReady));
        };
        let context = Sync { view, data };
        if let Some(paid) = protocol.quote(&context, swap) {
            return paid;
        }
        let mut pool = protocol.snapshot();
        pool.sync(&context, &mut Vec::new())?;
        let mut wallet = Holdings::default();
        if let SwapAmounts::ExactInput {
            amount_in: AmountOrAll::Exactly(amount),
            ..
        } = swap.amounts
        {
            wallet.add(Account::WALLET, swap.asset_in, amount)?;
        }
        let id = InstructionId::plain(0);
        let mut transaction = Transaction::new(view, data, id, 0, &mut wallet);
        pool.execute(&mut transaction, &Operation::Swap(swap.clone()))?;
        Ok(wallet.get(Account::WALLET, swap.asset_out))
    }

    /// Executes one instruction addressed to `venue` as one transaction, or changes and reports nothing.
    /// What the protocols had to catch up with is reported before the transaction.
    ///
    /// # Errors
    /// The refusal of whatever refused it.
    pub fn execute(
        &mut self,
        venue: Venue,
        view: &MarketView,
        data: &dyn DataProvider,
        instruction: &Instruction,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let wallet = self.wallet.clone();
        let protocols: Vec<_> = self.protocols.iter().map(|p| p.snapshot()).collect();
        let known = events.len();
        match self.attempt(venue, view, data, instruction, events) {
            Ok(mined) => {
                self.transactions += 1;
                events.push(mined);
                Ok(())
            }
            Err(refusal) => {
                self.wallet = wallet;
                self.protocols = protocols;
                events.truncate(known);
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
        events: &mut Events,
    ) -> Result<VenueEvent, Refusal> {
        // The transaction meets the protocols as they are now.
        let context = Sync { view, data };
        for protocol in &mut self.protocols {
            protocol.sync(&context, events)?;
        }
        let mut transaction = Transaction::new(
            view,
            data,
            instruction.id,
            self.transactions,
            &mut self.wallet,
        );
        match &instruction.operation {
            Operation::Atomic(steps) => {
                let rules = data.rules(venue);
                let fees = rules.map(|rules| rules.at(view.now()).fees);
                let fees = fees.unwrap_or_default();
                atomic::execute(&mut transaction, &mut self.protocols, &fees, steps)?;
            }
            operation => {
                let protocol = self.protocols.iter_mut().find(|p| p.venue() == venue);
                let Some(protocol) = protocol else {
                    return Err(Refusal::new(VenueErrorKind::NotReady));
                };
                protocol.execute(&mut transaction, operation)?;
            }
        }
        let mined = transaction.finish(venue)?;
        self.observe(view.now())?;
        Ok(mined)
    }
}
