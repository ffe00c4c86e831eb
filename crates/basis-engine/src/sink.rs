//! Where closed steps go while a run is under way, so that a long run need not hold them.

use std::fmt;

use basis_core::error::ComponentError;
use basis_core::ledger::LedgerEntry;

use crate::result::StepColumns;

/// Steps handed over at a time: few enough that their columns stay in the cache.
pub(crate) const CHUNK_STEPS: usize = 1_024;

/// Closed steps, in order of time, and the ledger lines posted within them.
///
/// Price columns come in the same order in every chunk; margin columns too, and an account that gets
/// its first margin later adds its column behind those that were there.
#[derive(Debug)]
pub struct StepChunk {
    /// The steps; their `ledger_rows` count from the start of the run.
    pub steps: StepColumns,
    /// The lines posted since the chunk before.
    pub ledger: Vec<LedgerEntry>,
}

/// Takes closed steps.
pub trait StepSink: fmt::Debug {
    /// Takes the steps closed since the call before; the last call of a run may bring few.
    ///
    /// # Errors
    /// Whatever keeps the steps from being kept; it stops the run.
    fn take(&mut self, chunk: StepChunk) -> Result<(), ComponentError>;

    /// Whether more than the totals is wanted; otherwise steps, executions and events are not collected.
    fn keeps(&self) -> bool {
        true
    }
}

/// Forgets every step: for those who want the totals only.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullSink;

impl StepSink for NullSink {
    fn take(&mut self, _: StepChunk) -> Result<(), ComponentError> {
        Ok(())
    }

    fn keeps(&self) -> bool {
        false
    }
}
