//! Runs that outlive their process: beginning a journal file, and going on from one.
//!
//! **Invariants.** A file that holds a journal is never begun anew. A start is committed before it
//! numbers an instruction. Nothing goes on whose configuration differs from the journal's in more than
//! the keys of [`changes`].

pub mod changes;

use std::path::Path;
use std::sync::Arc;

use basis_core::error::ComponentError;
use basis_core::journal::{JournalError, JournalHead};
use basis_core::types::{BookId, Timestamp, Venue};
use basis_engine::journal::overview;
use basis_engine::{EngineJournal, JournalSync, Recovery};
use basis_live::sqlite::{Durability, SqliteJournal, SqliteReader};
use basis_market::MarketData;
use sha2::{Digest, Sha256};

use crate::assembly::{Backtest, Setup};

/// What a journal is asked for.
#[derive(Clone, Copy, Debug)]
pub struct JournalRequest<'a> {
    /// The file.
    pub path: &'a Path,
    /// Whether the run goes on from it; otherwise it must not be there.
    pub resume: bool,
    /// How often it is committed.
    pub sync: JournalSync,
}

/// Prepares a run that keeps a journal, and brings it to where the journal ends.
///
/// # Errors
/// As [`Backtest::prepare`] and [`Backtest::recover`]; EXEC-005 for a file that cannot be used or was
/// begun for another run, EXEC-006 for one that is damaged.
pub fn prepare(
    data: Arc<MarketData>,
    setup: &Setup,
    request: JournalRequest<'_>,
) -> Result<(Backtest, Recovery), ComponentError> {
    let setup = setup.clone().fitted(&data)?;
    let started = if request.resume {
        resumed(&setup, request.path)?
    } else {
        (begun(&setup, request.path)?, None)
    };
    let (mut journal, last) = started;
    let at = last.unwrap_or(setup.run().from);
    // The clock of a backtest is the run's own, so that two runs are the same byte for byte.
    let epoch = journal.begin_start(at, 0, env!("CARGO_PKG_VERSION"))?;
    let journal = EngineJournal {
        journal: Box::new(journal),
        epoch,
        sync: request.sync,
    };
    let mut backtest = Backtest::journaled(data, &setup, Some(journal))?;
    let reader = SqliteReader::open(request.path)?;
    let recovery = backtest.recover(&reader)?;
    Ok((backtest, recovery))
}

/// Takes what `venue` holds beyond the books of a journal into them, and commits that; how many holdings
/// that were.
///
/// # Errors
/// As [`prepare`] and [`basis_engine::Engine::adopt`].
pub fn adopt(
    data: Arc<MarketData>,
    setup: &Setup,
    (path, venue): (&Path, Venue),
) -> Result<usize, ComponentError> {
    let request = JournalRequest {
        path,
        resume: true,
        sync: JournalSync::Step,
    };
    let (mut backtest, _) = prepare(data, setup, request)?;
    backtest.adopt(venue)
}

fn begun(setup: &Setup, path: &Path) -> Result<SqliteJournal, ComponentError> {
    Ok(SqliteJournal::create(
        path,
        &head(setup),
        Durability::Commit,
    )?)
}

/// The journal at `path` and the instant of its last commit; one that holds nothing is begun.
fn resumed(
    setup: &Setup,
    path: &Path,
) -> Result<(SqliteJournal, Option<Timestamp>), ComponentError> {
    let journal = match SqliteJournal::open(path, Durability::Commit) {
        Err(JournalError::Unbegun { .. }) => return Ok((begun(setup, path)?, None)),
        opened => opened?,
    };
    let reader = SqliteReader::open(path)?;
    let last = overview(&reader)?.map(|overview| overview.at);
    changes::refuse(&reader_head(&reader)?, setup, last)?;
    Ok((journal, last))
}

fn reader_head(reader: &SqliteReader) -> Result<JournalHead, JournalError> {
    basis_core::journal::JournalReader::head(reader)
}

/// What a journal of this run says of it. The book's id is a part of the configuration's hash: two books
/// of one configuration are simulated alike, instruction by instruction.
fn head(setup: &Setup) -> JournalHead {
    let hash = Sha256::digest(setup.config_yaml().as_bytes());
    let number = hash.iter().take(8);
    let number = number.fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    JournalHead {
        book: BookId::from_number(number).to_string(),
        mode: setup.run().mode.to_owned(),
        config: setup.config_yaml().to_owned(),
        config_hash: setup.config_hash().to_owned(),
    }
}
