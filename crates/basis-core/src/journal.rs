//! The durability seam: instructions are written down before anything is sent, and what came of them
//! before anything else is.

use crate::instruction::OpenInstruction;
use crate::venue_event::VenueEvent;

/// A journal could not be written or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("journal: {0}")]
pub struct JournalError(pub String);

/// The durable record of what was asked and what came of it.
///
/// The engine calls [`Journal::submit`] before a block's first byte leaves and [`Journal::record`]
/// before the next block starts. A backtest has nothing to lose and runs without one.
pub trait Journal: Send + std::fmt::Debug {
    /// Commits all instructions of a block in one transaction.
    ///
    /// # Errors
    /// When they are not durable; then nothing may be sent.
    fn submit(&mut self, instructions: &[OpenInstruction]) -> Result<(), JournalError>;

    /// Commits the events that were posted, in their order, in one transaction.
    ///
    /// # Errors
    /// When they are not durable; then the run must stop.
    fn record(&mut self, events: &[VenueEvent]) -> Result<(), JournalError>;
}
