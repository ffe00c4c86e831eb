//! The durability seam: intents are written down before anything is sent.

use crate::error::VenueError;
use crate::execution::Execution;
use crate::instruction::Intent;
use crate::types::InstructionId;

/// What is known of an intent afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The venue confirmed it; its ledger entries commit in the same transaction.
    Confirmed(Execution),
    /// The venue certainly did nothing.
    Failed(VenueError),
    /// Nobody knows yet; the intent stays open.
    Unknown(VenueError),
}

/// A journal could not be written or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("journal: {0}")]
pub struct JournalError(pub String);

/// The durable record of what was asked and what came of it.
///
/// The tight loop calls [`Journal::record_intents`] before a block's first byte leaves and
/// [`Journal::record_outcomes`] before the next block starts. A backtest has nothing to lose and
/// runs without one.
pub trait Journal: Send + std::fmt::Debug {
    /// Commits all intents of a block in one transaction.
    ///
    /// # Errors
    /// When they are not durable; then nothing may be sent.
    fn record_intents(&mut self, intents: &[Intent]) -> Result<(), JournalError>;

    /// Commits the outcomes of a block, with their ledger entries, in one transaction.
    ///
    /// # Errors
    /// When they are not durable; then the run must stop.
    fn record_outcomes(
        &mut self,
        outcomes: &[(InstructionId, Outcome)],
    ) -> Result<(), JournalError>;

    /// Intents without a final outcome, oldest first: resolved with the venue before anything else.
    ///
    /// # Errors
    /// When the journal cannot be read.
    fn open_intents(&self) -> Result<Vec<Intent>, JournalError>;
}
