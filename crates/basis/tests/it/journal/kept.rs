//! A journal in memory that loses what was not committed, and can be cut off at a commit.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use basis::core::error::ComponentError;
use basis::core::journal::{
    Commit, Content, Journal, JournalError, JournalHead, JournalReader, Start, StatePart,
};

/// What was committed; it outlives the run that wrote it.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    commits: Arc<Mutex<Vec<Commit>>>,
    /// The next commits that succeed; none fails without.
    left: Option<usize>,
}

impl Kept {
    /// The same commits; the `left`-th commit from here on fails, and nothing of it is kept.
    pub(super) fn cut_after(&self, left: Option<usize>) -> Self {
        Self {
            commits: Arc::clone(&self.commits),
            left,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.commits.lock().unwrap().len()
    }

    pub(super) fn commits(&self) -> Vec<Commit> {
        self.commits.lock().unwrap().clone()
    }

    /// A copy that ends after `count` commits.
    pub(super) fn first(&self, count: usize) -> Self {
        let commits = self.commits().into_iter().take(count).collect();
        Self {
            commits: Arc::new(Mutex::new(commits)),
            left: None,
        }
    }
}

impl Journal for Kept {
    fn commit(&mut self, commit: &Commit) -> Result<(), JournalError> {
        if self.left == Some(0) {
            return Err(JournalError::Storage {
                path: "kept".into(),
                problem: "cut off".to_owned(),
            });
        }
        self.left = self.left.map(|left| left - 1);
        self.commits.lock().unwrap().push(commit.clone());
        Ok(())
    }
}

impl JournalReader for Kept {
    fn head(&self) -> Result<JournalHead, JournalError> {
        Err(JournalError::Inconsistent("it has no head".to_owned()))
    }

    fn starts(&self) -> Result<Vec<Start>, JournalError> {
        Ok(Vec::new())
    }

    fn state(&self) -> Result<Vec<StatePart>, JournalError> {
        let mut parts = BTreeMap::new();
        for part in self.commits().into_iter().flat_map(|commit| commit.state) {
            parts.insert(part.name.clone(), part);
        }
        Ok(parts.into_values().collect())
    }

    fn read(
        &self,
        _: Content,
        each: &mut dyn FnMut(Commit) -> Result<(), ComponentError>,
    ) -> Result<(), ComponentError> {
        self.commits().into_iter().try_for_each(each)
    }
}
