//! The same schedules on a journal in an SQLite file.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};

use basis_core::journal::{Commit, Content, Journal, JournalError, JournalHead, JournalReader};
use basis_core::types::{Epoch, Timestamp};
use basis_live::sqlite::{Durability, SqliteJournal, SqliteReader};

use crate::plan::Plan;
use crate::process::{Store, book};
use crate::schedules::Run;

/// A folder that goes when it is dropped.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("basis-live-{name}-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

/// How many commits are left before the disk is full.
type Left = Arc<std::sync::Mutex<Option<usize>>>;

/// A journal file whose disk can be full.
#[derive(Debug)]
pub(crate) struct OnDisk {
    path: PathBuf,
    left: Left,
    _folder: Folder,
}

/// A journal that fails when its disk is full.
#[derive(Debug)]
pub(crate) struct Limited {
    inner: SqliteJournal,
    path: PathBuf,
    left: Left,
}

impl OnDisk {
    pub(crate) fn new() -> Self {
        let folder = Folder::new("journal");
        let path = folder.0.join("book.journal");
        let head = JournalHead {
            book: book().as_str().to_owned(),
            mode: "test".to_owned(),
            config: String::new(),
            config_hash: String::new(),
        };
        // What is not synced is of the power cuts' own tests; here processes are killed.
        drop(SqliteJournal::create(&path, &head, Durability::Never).unwrap());
        Self {
            path,
            left: Left::default(),
            _folder: folder,
        }
    }
}

fn read(path: &Path) -> Vec<Commit> {
    let reader = SqliteReader::open(path).unwrap();
    let mut commits = Vec::new();
    reader
        .read(Content::ALL, &mut |commit| {
            commits.push(commit);
            Ok(())
        })
        .unwrap();
    commits
}

impl Store for OnDisk {
    type Journal = Limited;

    fn commits(&self) -> Vec<Commit> {
        read(&self.path)
    }

    fn reader(&self) -> Box<dyn JournalReader> {
        Box::new(SqliteReader::open(&self.path).unwrap())
    }

    fn begin(&mut self, at: Timestamp, random: u32) -> (Limited, Epoch) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let mut inner = SqliteJournal::open(&self.path, Durability::Never).unwrap();
        let epoch = inner.begin_start(at, random, "test").unwrap();
        let journal = Limited {
            inner,
            path: self.path.clone(),
            left: Arc::clone(&self.left),
        };
        (journal, epoch)
    }

    fn fail_after(&mut self, commits: usize) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(commits);
    }
}

impl Journal for Limited {
    fn commit(&mut self, commit: &Commit) -> Result<(), JournalError> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        match left.as_mut() {
            Some(0) => {
                return Err(JournalError::Storage {
                    path: self.path.clone(),
                    problem: "no space left on device".to_owned(),
                });
            }
            Some(left) => *left -= 1,
            None => {}
        }
        drop(left);
        self.inner.commit(commit)
    }
}

#[test]
fn random_schedules_on_a_journal_file_end_as_the_venue_has_them() {
    for seed in 10_000..10_200 {
        let plan = Plan::random(seed);
        let mut run = Run::new(OnDisk::new(), &plan);
        run.carry_out(&plan);
        assert_eq!(run.verdict(), Vec::<String>::new(), "seed {seed}");
    }
}
