//! A journal in memory, for tests: it can fail at a commit, and lose what came after one.

use std::sync::{Arc, Mutex, MutexGuard};

use basis_core::error::ComponentError;
use basis_core::journal::{
    Commit, Content, Journal, JournalError, JournalHead, JournalReader, Outbox, OutboxEntry, Start,
    StatePart,
};
use basis_core::types::{Epoch, InstructionId, Timestamp};

/// A journal in memory. Its clones are the same journal: one goes to the engine, another shows what it
/// wrote.
#[derive(Clone, Debug)]
pub struct MemoryJournal {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Clone, Debug)]
struct Kept {
    head: JournalHead,
    starts: Vec<Start>,
    commits: Vec<Commit>,
    outbox: Vec<OutboxEntry>,
    fail_at: Option<usize>,
    failed: Option<String>,
}

impl MemoryJournal {
    /// An empty journal.
    #[must_use]
    pub fn new(head: JournalHead) -> Self {
        Self {
            kept: Arc::new(Mutex::new(Kept {
                head,
                starts: Vec::new(),
                commits: Vec::new(),
                outbox: Vec::new(),
                fail_at: None,
                failed: None,
            })),
        }
    }

    /// Begins a start, as a journal file does.
    ///
    /// # Errors
    /// [`JournalError::Inconsistent`] when the epochs are used up.
    pub fn begin_start(
        &self,
        at: Timestamp,
        random: u32,
        version: &str,
    ) -> Result<Epoch, JournalError> {
        let mut kept = self.kept()?;
        kept.usable()?;
        let last = kept.starts.last().map(|start| start.epoch);
        let epoch = Epoch::after(last, at)
            .map(|epoch| epoch.with_random(random))
            .ok_or_else(|| JournalError::Inconsistent(format!("no epoch follows at {at}")))?;
        kept.starts.push(Start {
            epoch,
            at,
            version: version.to_owned(),
        });
        Ok(epoch)
    }

    /// Lets the commit after `count` more fail, and all after it.
    ///
    /// # Errors
    /// When a thread panicked while it wrote.
    pub fn fail_after(&self, count: usize) -> Result<(), JournalError> {
        let mut kept = self.kept()?;
        kept.fail_at = Some(kept.commits.len().saturating_add(count));
        Ok(())
    }

    /// A journal as a process finds it that was killed after `count` commits: another one, with the starts
    /// and the outbox of this one.
    ///
    /// # Errors
    /// When a thread panicked while it wrote.
    pub fn killed_after(&self, count: usize) -> Result<Self, JournalError> {
        let mut kept = self.kept()?.clone();
        kept.commits.truncate(count);
        kept.fail_at = None;
        kept.failed = None;
        Ok(Self {
            kept: Arc::new(Mutex::new(kept)),
        })
    }

    /// All commits.
    ///
    /// # Errors
    /// When a thread panicked while it wrote.
    pub fn commits(&self) -> Result<Vec<Commit>, JournalError> {
        Ok(self.kept()?.commits.clone())
    }

    /// The side that actors write to.
    #[must_use]
    pub fn outbox(&self) -> Arc<dyn Outbox> {
        Arc::new(self.clone())
    }

    fn kept(&self) -> Result<MutexGuard<'_, Kept>, JournalError> {
        self.kept.lock().map_err(|e| JournalError::Stopped {
            first: e.to_string(),
        })
    }
}

impl Kept {
    fn usable(&self) -> Result<(), JournalError> {
        match &self.failed {
            Some(first) => Err(JournalError::Stopped {
                first: first.clone(),
            }),
            None => Ok(()),
        }
    }
}

impl Journal for MemoryJournal {
    fn commit(&mut self, commit: &Commit) -> Result<(), JournalError> {
        let mut kept = self.kept()?;
        kept.usable()?;
        let refused = if kept.fail_at.is_some_and(|at| kept.commits.len() >= at) {
            Some("the journal was told to fail here")
        } else if kept.starts.is_empty() {
            Some("a commit before the start it belongs to")
        } else {
            None
        };
        if let Some(problem) = refused {
            kept.failed = Some(problem.to_owned());
            return Err(JournalError::Inconsistent(problem.to_owned()));
        }
        kept.commits.push(commit.clone());
        Ok(())
    }
}

impl JournalReader for MemoryJournal {
    fn head(&self) -> Result<JournalHead, JournalError> {
        Ok(self.kept()?.head.clone())
    }

    fn starts(&self) -> Result<Vec<Start>, JournalError> {
        Ok(self.kept()?.starts.clone())
    }

    fn state(&self) -> Result<Vec<StatePart>, JournalError> {
        let kept = self.kept()?;
        let parts = kept.commits.iter().flat_map(|commit| &commit.state);
        let latest: std::collections::BTreeMap<_, _> =
            parts.map(|part| (part.name.clone(), part)).collect();
        Ok(latest.into_values().cloned().collect())
    }

    fn read(
        &self,
        content: Content,
        each: &mut dyn FnMut(Commit) -> Result<(), ComponentError>,
    ) -> Result<(), ComponentError> {
        let commits = self.commits()?;
        for commit in commits {
            each(wanted(commit, content))?;
        }
        Ok(())
    }
}

impl Outbox for MemoryJournal {
    fn record(&self, entry: &OutboxEntry) -> Result<(), JournalError> {
        let mut kept = self.kept()?;
        kept.usable()?;
        kept.outbox.push(entry.clone());
        Ok(())
    }

    fn entries(&self, instruction: InstructionId) -> Result<Vec<OutboxEntry>, JournalError> {
        let kept = self.kept()?;
        let own = kept
            .outbox
            .iter()
            .filter(|entry| entry.instruction == instruction);
        Ok(own.cloned().collect())
    }
}

/// The wanted parts of a commit.
fn wanted(mut commit: Commit, content: Content) -> Commit {
    commit.state.clear();
    if !content.calls {
        commit.calls.clear();
    }
    if !content.instructions {
        commit.instructions.clear();
    }
    if !content.events {
        commit.events.clear();
    }
    if !content.lines {
        commit.lines.clear();
    }
    if !content.rows {
        commit.rows.clear();
    }
    commit
}

#[cfg(test)]
mod tests {
    use basis_core::journal::OutboxStage;

    use super::*;

    fn journal() -> MemoryJournal {
        let journal = MemoryJournal::new(JournalHead {
            book: "00000000".to_owned(),
            mode: "btc_basis".to_owned(),
            config: String::new(),
            config_hash: String::new(),
        });
        journal.begin_start(at(0), 0, "1.0.0").unwrap();
        journal
    }

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_seconds(3_600 * (hour + 1))
    }

    fn commit(hour: i64) -> Commit {
        Commit {
            at: at(hour),
            state: vec![StatePart {
                name: "step".to_owned(),
                json: hour.to_string(),
            }],
            ..Commit::default()
        }
    }

    #[test]
    fn what_was_not_committed_is_lost() {
        let mut journal = journal();
        for hour in 0..5 {
            journal.commit(&commit(hour)).unwrap();
        }
        let found = journal.killed_after(3).unwrap();
        assert_eq!(found.commits().unwrap().len(), 3);
        assert_eq!(found.state().unwrap(), commit(2).state);
        assert_eq!(found.starts().unwrap(), journal.starts().unwrap());
        let epoch = found.begin_start(at(0), 0, "1.0.0").unwrap();
        assert!(epoch > journal.starts().unwrap()[0].epoch);
        assert_eq!(journal.commits().unwrap().len(), 5);
    }

    #[test]
    fn it_fails_where_it_was_told_to_and_stays_failed() {
        let mut journal = journal();
        journal.commit(&commit(0)).unwrap();
        journal.fail_after(1).unwrap();
        journal.commit(&commit(1)).unwrap();
        journal.commit(&commit(2)).unwrap_err();
        let again = journal.commit(&commit(2)).unwrap_err();
        assert!(matches!(again, JournalError::Stopped { .. }), "{again}");
        let entry = OutboxEntry {
            instruction: InstructionId::plain(1),
            at: at(0),
            stage: OutboxStage::Sent,
            nonce: None,
            hash: None,
            bytes: Vec::new(),
        };
        journal.outbox().record(&entry).unwrap_err();
        let found = journal.killed_after(9).unwrap();
        assert_eq!(found.commits().unwrap().len(), 2);
        found.outbox().record(&entry).unwrap();
        assert_eq!(found.entries(entry.instruction).unwrap(), [entry]);
    }
}
