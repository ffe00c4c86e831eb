//! The disk as the journal uses it.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::random::Random;
use crate::vfs;
use crate::vfs::State;

/// A disk in memory whose power can be cut.
///
/// Its clones are the same disk.
#[derive(Clone)]
pub struct Disk {
    state: Arc<Mutex<State>>,
    number: u64,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Disk({})", self.number)
    }
}

impl Disk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::of(State::default())
    }

    fn of(state: State) -> Self {
        let state = Arc::new(Mutex::new(state));
        let number = vfs::mount(&state);
        Self { state, number }
    }

    /// The path of a file on this disk.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(vfs::path_of(self.number, name))
    }

    /// Cuts the power at the operation of this number, the first being 1: a write, a change of a length, a
    /// sync, a file that is made or removed.
    pub fn cut_at(&self, operation: u64) {
        self.state().cut_at(operation);
    }

    /// How many operations there were.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations()
    }

    /// The disk that is found after a cut, with the power back.
    #[must_use]
    pub fn after_cut(&self, seed: u64) -> Self {
        let survivor = self.state().survivor(&mut Random::new(seed));
        Self::of(survivor)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        vfs::lock(&self.state)
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self::new()
    }
}

impl basis_live::sqlite::Disk for Disk {
    fn vfs(&self) -> Option<&'static str> {
        Some(vfs::NAME)
    }

    fn is_there(&self, path: &Path) -> io::Result<bool> {
        let state = self.state();
        state.powered()?;
        Ok(state.is_there(&name_of(path)))
    }

    fn make(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let name = name_of(path);
        if state.is_there(&name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(state.make(&name)?)
    }

    fn hold(&self, _: &Path) -> io::Result<Option<File>> {
        Ok(None)
    }

    fn sync_directory(&self, _: &Path) -> io::Result<()> {
        Ok(self.state().sync_directory()?)
    }

    /// Few, so that a short script has the log taken over several times.
    fn log_pages(&self) -> u32 {
        12
    }

    fn reserve_log(&self, path: &Path, bytes: usize) -> io::Result<()> {
        let mut state = self.state();
        let name = format!("{}-wal", name_of(path));
        let length = state.length(&name);
        if let Some(missing) = bytes.checked_sub(length) {
            state.write(&name, length, &vec![0; missing])?;
        }
        Ok(state.sync(&name)?)
    }
}

fn name_of(path: &Path) -> String {
    vfs::name_of(&path.to_string_lossy()).to_owned()
}
