//! One power cut: the script until the power goes, then what is found.

use std::sync::{Arc, LazyLock};

use basis_core::journal::{Content, Journal as _, JournalError, JournalReader as _};
use basis_live::sqlite::{Durability, SqliteJournal, SqliteReader};
use basis_powercut::{Disk, Random};

use super::script::{self, Acknowledged};

/// What came of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The journal did not stand yet, and began anew.
    NeverBegun,
    /// It went on.
    Resumed,
    /// The power went again while it was opened; then it went on.
    ResumedAtTheSecondTry,
}

/// Operations of the whole script.
static OPERATIONS: LazyLock<u64> = LazyLock::new(|| {
    let disk = Disk::new();
    let mut done = Acknowledged::default();
    script::play(&disk, Durability::Commit, &mut done).expect("the power is on");
    assert_eq!((done.commits.len(), done.epochs.len()), (8, 2));
    disk.operations()
});

/// Plays the script, cuts the power where `seed` says, and looks at what is found; says what is wrong.
pub(crate) fn run(durability: Durability, seed: u64) -> Result<Outcome, String> {
    let mut random = Random::new(seed);
    let disk = Disk::new();
    disk.cut_at(1 + random.below(*OPERATIONS));
    let mut done = Acknowledged::default();
    // Also when the script went to its end: the power goes while the journal is closed, or after that.
    script::play(&disk, durability, &mut done).ok();
    let mut found = disk.after_cut(random.next());
    let mut outcome = Outcome::Resumed;
    if seed.is_multiple_of(3) {
        found.cut_at(1 + random.below(12));
        // Whatever comes of it, the power goes.
        if go_on(&found, durability, &done).is_err() {
            outcome = Outcome::ResumedAtTheSecondTry;
        }
        found = found.after_cut(random.next());
    }
    if go_on(&found, durability, &done)? {
        Ok(outcome)
    } else {
        Ok(Outcome::NeverBegun)
    }
}

/// Opens what is found, compares it with what was acknowledged, and goes on; returns whether there was a
/// journal.
fn go_on(disk: &Disk, durability: Durability, done: &Acknowledged) -> Result<bool, String> {
    let path = disk.path(script::NAME);
    let shared: Arc<dyn basis_live::sqlite::Disk> = Arc::new(disk.clone());
    let opened = SqliteJournal::open_on(Arc::clone(&shared), &path, durability);
    let (mut journal, is_found) = match opened {
        Ok(journal) => {
            compare(&journal, done)?;
            (journal, true)
        }
        Err(JournalError::Missing { .. } | JournalError::Unbegun { .. }) if !done.is_begun => {
            let begun =
                SqliteJournal::create_on(Arc::clone(&shared), &path, &script::head(), durability);
            (begun.map_err(|e| format!("not begun anew: {e}"))?, false)
        }
        Err(e) => return Err(format!("acknowledged, and then: {e}")),
    };
    let problem = |e: JournalError| e.to_string();
    let at = script::at(40);
    let epoch = journal.begin_start(at, 40, "1.0.0").map_err(problem)?;
    if done.epochs.iter().any(|before| *before >= epoch) {
        return Err(format!("epoch {epoch} is not after all acknowledged ones"));
    }
    let commit = script::commit(epoch, 40);
    journal.commit(&commit).map_err(problem)?;
    drop(journal);
    let reader = SqliteReader::open_on(shared, &path).map_err(problem)?;
    let problems = reader.check().map_err(problem)?;
    match problems.first() {
        Some(first) => Err(format!("{} problems: {first}", problems.len())),
        None => Ok(is_found),
    }
}

fn compare(journal: &SqliteJournal, done: &Acknowledged) -> Result<(), String> {
    let problem = |e: JournalError| e.to_string();
    let problems = journal.check().map_err(problem)?;
    if let Some(first) = problems.first() {
        return Err(format!("{} problems: {first}", problems.len()));
    }
    if journal.head().map_err(problem)? != script::head() {
        return Err("another head".to_owned());
    }
    let starts = journal.starts().map_err(problem)?;
    let epochs: Vec<_> = starts.iter().map(|start| start.epoch).collect();
    if !epochs.starts_with(&done.epochs) {
        return Err(format!(
            "acknowledged epochs {:?}, found {epochs:?}",
            done.epochs
        ));
    }
    let mut commits = Vec::new();
    let read = journal.read(Content::ALL, &mut |commit| {
        commits.push(commit);
        Ok(())
    });
    read.map_err(|e| e.to_string())?;
    let state = journal.state().map_err(problem)?;
    let durable = done.commits.len();
    if commits.len() < durable {
        return Err(format!(
            "acknowledged {durable} commits, found {}",
            commits.len()
        ));
    }
    for (found, acknowledged) in commits.iter().zip(&done.commits) {
        let mut acknowledged = acknowledged.clone();
        acknowledged.state.clear();
        if *found != acknowledged {
            return Err(format!("acknowledged {acknowledged:?}, found {found:?}"));
        }
    }
    // The state is that of the last commit that is there.
    let last = commits
        .len()
        .checked_sub(1)
        .and_then(|last| done.commits.get(last));
    if last.is_some_and(|last| last.state != state) {
        return Err(format!("found state {state:?}"));
    }
    for entry in &done.outbox {
        let entries = journal
            .outbox()
            .entries(entry.instruction)
            .map_err(problem)?;
        if !entries.contains(entry) {
            return Err(format!("acknowledged {entry:?}, found {entries:?}"));
        }
    }
    Ok(())
}
