//! What the simulated chain asks of a protocol.

use std::fmt;

use basis_core::instruction::{FlashLoan, Operation, Swap};
use basis_core::num::Quantity;
use basis_core::types::{Account, Asset, Timestamp, Venue};
use basis_core::venue::{DataProvider, Terms};
use basis_core::venue_event::{Events, LendingHealth, Position};
use basis_market::MarketView;

use super::Transaction;
use super::transaction::decimals;
use crate::refusal::Refusal;

/// What a protocol may look at while it moves along by itself.
#[derive(Clone, Copy, Debug)]
pub struct Sync<'a> {
    /// Market data at this instant.
    pub view: &'a MarketView,
    /// Decimals and rules.
    pub data: &'a dyn DataProvider,
}

impl Sync<'_> {
    /// Decimals of `asset` on the chain.
    ///
    /// # Errors
    /// A refusal when no rules file has them.
    pub fn decimals(&self, asset: Asset) -> Result<u32, Refusal> {
        decimals(self.data, asset)
    }
}

/// One protocol on the simulated chain, with our position in it.
pub trait Protocol: Send + fmt::Debug {
    /// The venue it stands behind.
    fn venue(&self) -> Venue;

    /// A copy of the whole state, to put back when a transaction reverts.
    fn snapshot(&self) -> Box<dyn Protocol>;

    /// Moves to the instant of the view: recorded rows, interest, rebases, rewards, liquidation. What
    /// changed a holding of ours goes to `events`, as events of this protocol's venue in order of time,
    /// received at the view's instant. Called again at the same instant it does nothing. The wallet's
    /// plain assets stay as they are.
    ///
    /// # Errors
    /// A refusal when a needed series is missing or an amount leaves the range. Within a transaction
    /// the chain puts the state back; anywhere else the run ends.
    fn sync(&mut self, context: &Sync<'_>, events: &mut Events) -> Result<(), Refusal>;

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

    /// What we hold here, with what scaled units stand for at the instant of the last sync; what is
    /// nothing may be left out. Scaled
    /// tokens in the wallet whose shares the protocol keeps are among them; the chain shows those as
    /// the wallet's.
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

    /// How much of `asset` we hold here as our own: supplied, collateral, in a pool. Provided: what
    /// [`Protocol::positions`] reports of it at the protocol's own accounts, debts aside.
    ///
    /// # Errors
    /// A refusal when an amount leaves the range.
    fn holding_of(&self, asset: Asset) -> Result<Quantity, Refusal> {
        let mut positions = Vec::new();
        self.positions(&mut positions)?;
        let held = positions.iter().filter(|p| {
            p.account != Account::WALLET && !p.item.is_debt() && p.item.asset() == Some(asset)
        });
        Ok(held
            .map(|p| p.units)
            .try_fold(Quantity::ZERO, Quantity::add)?)
    }

    /// The asset whose holdings anywhere on the chain it wants to know of; rewards depend on them.
    /// Provided: none.
    fn watches(&self) -> Option<Asset> {
        None
    }

    /// Takes note that from `at` on the wallet and all protocols hold `held` of the asset it watches;
    /// [`Protocol::sync`] sees to it at its time. Provided: nothing to do.
    ///
    /// # Errors
    /// A refusal when an amount leaves the range.
    fn observe(&mut self, _at: Timestamp, _held: Quantity) -> Result<(), Refusal> {
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

    /// Pays out a flash loan, whose principal the chain brings to the wallet: until
    /// [`Protocol::end_flash_loan`] the steps of the group find the lender without it. Provided: none are
    /// given here.
    ///
    /// # Errors
    /// As [`Protocol::flash_loan_premium`].
    fn begin_flash_loan(
        &mut self,
        transaction: &mut Transaction<'_>,
        loan: &FlashLoan,
    ) -> Result<(), Refusal> {
        self.flash_loan_premium(transaction, loan).map(drop)
    }

    /// Takes the flash loan under way back, which the chain has taken from the wallet with its premium.
    /// Provided: nothing to do.
    ///
    /// # Errors
    /// A refusal when an amount leaves the range.
    fn end_flash_loan(&mut self, _transaction: &mut Transaction<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    /// How it deals at the instant of the last sync. Provided: no queue, no flash loans, no efficiency
    /// modes, no pools.
    ///
    /// # Errors
    /// A refusal when an amount leaves the range.
    fn terms(&self, _context: &Sync<'_>) -> Result<Terms, Refusal> {
        Ok(Terms::default())
    }

    /// What `swap` would pay now, where the state says so as it stands. Provided: it takes a copy that trades.
    fn quote(&self, _context: &Sync<'_>, _swap: &Swap) -> Option<Result<Quantity, Refusal>> {
        None
    }

    /// What a reader of the results has to know of how it was simulated, a sentence each. Provided:
    /// nothing.
    fn assumptions(&self) -> Vec<String> {
        Vec::new()
    }
}
