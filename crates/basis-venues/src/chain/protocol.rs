//! What the simulated chain asks of a protocol.

use std::fmt;

use basis_core::execution::{LendingHealth, Position, VenueEvent};
use basis_core::instruction::{FlashLoan, Operation};
use basis_core::market::MarketView;
use basis_core::num::Quantity;
use basis_core::types::{Timestamp, Venue};
use basis_core::venue::DataProvider;

use super::{Refusal, Transaction};

/// What a protocol may look at while it moves along by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sync<'a> {
    /// Market data at this instant.
    pub(crate) view: &'a MarketView,
    /// Decimals and rules.
    pub(crate) data: &'a dyn DataProvider,
}

/// One protocol on the simulated chain, with our position in it.
pub(crate) trait Protocol: Send + fmt::Debug {
    /// The venue it stands behind.
    fn venue(&self) -> Venue;

    /// A copy of the whole state, to put back when a transaction reverts.
    fn snapshot(&self) -> Box<dyn Protocol>;

    /// Moves to the instant of the view: recorded rows, interest, rebases, rewards, liquidation. What
    /// changed a holding of ours goes to `events`, in order of time. Called again at the same instant
    /// it does nothing.
    ///
    /// # Errors
    /// A refusal when a needed series is missing or an amount leaves the range; the caller puts the
    /// state back.
    fn sync(&mut self, context: &Sync<'_>, events: &mut Vec<VenueEvent>) -> Result<(), Refusal>;

    /// When [`Protocol::sync`] next has something to report; in the past: at every step. `None` while
    /// we hold nothing that moves by itself.
    fn next_event_at(&self) -> Option<Timestamp>;

    /// Executes one operation within `transaction`. The chain has called [`Protocol::sync`] before and
    /// puts the state back when this fails.
    ///
    /// # Errors
    /// A refusal in the protocol's own words and numbers.
    fn execute(
        &mut self,
        transaction: &mut Transaction<'_>,
        operation: &Operation,
    ) -> Result<(), Refusal>;

    /// What we hold here, with what scaled units stand for at the instant of the last sync.
    ///
    /// # Errors
    /// A refusal when an amount leaves the range.
    fn positions(&self, positions: &mut Vec<Position>) -> Result<(), Refusal>;

    /// How far our lending accounts are from liquidation at the instant of the last sync. Provided:
    /// there are none.
    ///
    /// # Errors
    /// A refusal when an amount leaves the range.
    fn lending(&self, _lending: &mut Vec<LendingHealth>) -> Result<(), Refusal> {
        Ok(())
    }

    /// Whether it executes `operation`, by kind, pool and assets: how a step of an atomic group that
    /// names no venue finds its protocol.
    fn accepts(&self, operation: &Operation) -> bool;

    /// The premium of a flash loan, in the asset of the loan. Provided: none are given here.
    ///
    /// # Errors
    /// A refusal when this protocol lends no such amount.
    fn flash_loan_premium(
        &self,
        _transaction: &Transaction<'_>,
        loan: &FlashLoan,
    ) -> Result<Quantity, Refusal> {
        Err(Refusal::other(
            format!("{} gives no flash loans of {}", self.venue(), loan.asset),
            None,
        ))
    }
}
