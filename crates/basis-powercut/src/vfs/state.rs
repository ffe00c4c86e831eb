//! What stands on the disk, and what of it is durable.

use std::collections::BTreeMap;
use std::io;

use super::Shared;
use crate::random::Random;

/// What is written whole or not at all.
const SECTOR: usize = 512;

/// The power is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut;

impl From<Cut> for io::Error {
    fn from(_: Cut) -> Self {
        Self::other("the power is gone")
    }
}

/// A change of a file that was not synced yet.
#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => write(content, *at, bytes),
            Self::Length(length) => content.resize(*length, 0),
        }
    }

    /// Applies each sector's part of a write by the toss of a coin.
    fn tear(&self, content: &mut Vec<u8>, random: &mut Random) {
        let Self::Write { at, bytes } = self else {
            if random.coin() {
                self.apply(content);
            }
            return;
        };
        let (mut at, mut rest) = (*at, bytes.as_slice());
        while !rest.is_empty() {
            let length = (SECTOR - at % SECTOR).min(rest.len());
            let (part, others) = rest.split_at(length);
            if random.coin() {
                write(content, at, part);
            }
            at += length;
            rest = others;
        }
    }
}

fn write(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if content.len() == at {
        content.extend_from_slice(bytes);
        return;
    }
    let end = at + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    if let Some(range) = content.get_mut(at..end) {
        range.copy_from_slice(bytes);
    }
}

#[derive(Clone, Debug, Default)]
struct File {
    durable: Vec<u8>,
    current: Vec<u8>,
    /// From durable to current.
    changes: Vec<Change>,
    /// Whether its name was synced with its directory.
    is_named: bool,
}

impl File {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.current);
        self.changes.push(change);
    }

    fn sync(&mut self) {
        for change in self.changes.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// The file as it is found after a cut.
    fn survivor(&self, random: &mut Random) -> Self {
        let mut content = self.durable.clone();
        match random.below(4) {
            0 => {}
            1 => {
                let whole = random.below(self.changes.len() as u64 + 1);
                let whole = usize::try_from(whole).unwrap_or_default();
                for change in self.changes.iter().take(whole) {
                    change.apply(&mut content);
                }
                if let Some(torn) = self.changes.get(whole) {
                    torn.tear(&mut content, random);
                }
            }
            2 => {
                for change in &self.changes {
                    change.tear(&mut content, random);
                }
            }
            _ => content.clone_from(&self.current),
        }
        Self {
            current: content.clone(),
            durable: content,
            changes: Vec::new(),
            is_named: true,
        }
    }
}

/// One directory of files, and what the process has of them in memory.
#[derive(Debug, Default)]
pub(crate) struct State {
    files: BTreeMap<String, File>,
    /// Files whose names were removed without a sync of the directory since.
    removed: BTreeMap<String, File>,
    operations: u64,
    cut_at: Option<u64>,
    is_cut: bool,
    /// Locks and shared memory: the process's, gone with it.
    pub(crate) shared: BTreeMap<String, Shared>,
}

impl State {
    /// What is found after a cut.
    pub(crate) fn survivor(&self, random: &mut Random) -> Self {
        let mut files = BTreeMap::new();
        let names = self.removed.keys().chain(self.files.keys());
        for name in names {
            if files.contains_key(name) {
                continue;
            }
            let now = self.files.get(name);
            let before = self.removed.get(name);
            let found = match (now, before) {
                (Some(now), _) if now.is_named => Some(now),
                (Some(now), _) if random.coin() => Some(now),
                (_, before) => before.filter(|_| random.coin()),
            };
            if let Some(found) = found {
                files.insert(name.clone(), found.survivor(random));
            }
        }
        Self {
            files,
            ..Self::default()
        }
    }

    pub(crate) const fn operations(&self) -> u64 {
        self.operations
    }

    pub(crate) fn cut_at(&mut self, operation: u64) {
        self.cut_at = Some(operation);
    }

    /// Counts an operation that changes something; what it wants to change is done by then, but not durable.
    fn operate(&mut self) -> Result<(), Cut> {
        self.operations += 1;
        if self.cut_at == Some(self.operations) {
            self.is_cut = true;
        }
        self.powered()
    }

    pub(crate) const fn powered(&self) -> Result<(), Cut> {
        if self.is_cut { Err(Cut) } else { Ok(()) }
    }

    pub(crate) fn is_there(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    pub(crate) fn make(&mut self, name: &str) -> Result<(), Cut> {
        self.powered()?;
        self.files.insert(name.to_owned(), File::default());
        self.operate()
    }

    pub(crate) fn remove(&mut self, name: &str, sync: bool) -> Result<bool, Cut> {
        self.powered()?;
        let Some(file) = self.files.remove(name) else {
            return Ok(false);
        };
        if file.is_named {
            self.removed.insert(name.to_owned(), file);
        }
        self.operate()?;
        if sync {
            self.sync_directory()?;
        }
        Ok(true)
    }

    /// What stands in `into.len()` bytes from `at`; returns how many of them there are, the others are zero.
    pub(crate) fn read(&self, name: &str, at: usize, into: &mut [u8]) -> Result<usize, Cut> {
        self.powered()?;
        let content = self.files.get(name).map_or(&[][..], |file| &file.current);
        let found = content.get(at..).unwrap_or_default();
        let length = found.len().min(into.len());
        let (to, rest) = into.split_at_mut(length);
        to.copy_from_slice(found.split_at(length).0);
        rest.fill(0);
        Ok(length)
    }

    pub(crate) fn write(&mut self, name: &str, at: usize, bytes: &[u8]) -> Result<(), Cut> {
        self.change(
            name,
            Change::Write {
                at,
                bytes: bytes.to_vec(),
            },
        )
    }

    pub(crate) fn set_length(&mut self, name: &str, length: usize) -> Result<(), Cut> {
        self.change(name, Change::Length(length))
    }

    fn change(&mut self, name: &str, change: Change) -> Result<(), Cut> {
        self.powered()?;
        if let Some(file) = self.files.get_mut(name) {
            file.change(change);
        }
        self.operate()
    }

    pub(crate) fn length(&self, name: &str) -> usize {
        self.files.get(name).map_or(0, |file| file.current.len())
    }

    pub(crate) fn sync(&mut self, name: &str) -> Result<(), Cut> {
        self.operate()?;
        if let Some(file) = self.files.get_mut(name) {
            file.sync();
        }
        Ok(())
    }

    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.files.get(name).is_some_and(|file| file.is_named)
    }

    pub(crate) fn sync_directory(&mut self) -> Result<(), Cut> {
        self.operate()?;
        for file in self.files.values_mut() {
            file.is_named = true;
        }
        self.removed.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(state: &State, name: &str, seed: u64) -> Option<Vec<u8>> {
        let after = state.survivor(&mut Random::new(seed));
        after.files.get(name).map(|file| file.current.clone())
    }

    #[test]
    fn what_was_synced_is_there_for_every_seed() {
        let mut state = State::default();
        state.make("a").unwrap();
        state.write("a", 0, &[1; 2_000]).unwrap();
        state.sync("a").unwrap();
        state.sync_directory().unwrap();
        state.write("a", 2_000, &[2; 2_000]).unwrap();
        let mut lengths = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let content = found(&state, "a", seed).unwrap();
            assert_eq!(content[..2_000], [1; 2_000]);
            assert!(content[2_000..].iter().all(|byte| [0, 2].contains(byte)));
            lengths.insert(content.len());
        }
        assert!(lengths.contains(&2_000) && lengths.contains(&4_000));
        assert!(lengths.len() > 3, "some are torn: {lengths:?}");
    }

    #[test]
    fn a_name_without_a_sync_of_its_directory_may_be_gone() {
        let mut state = State::default();
        state.make("a").unwrap();
        state.write("a", 0, &[1]).unwrap();
        state.sync("a").unwrap();
        let there = (0..100).filter(|seed| found(&state, "a", *seed).is_some());
        assert!((1..100).contains(&there.count()));
        state.sync_directory().unwrap();
        state.remove("a", false).unwrap();
        let back = (0..100).filter(|seed| found(&state, "a", *seed).is_some());
        assert!((1..100).contains(&back.count()));
        state.sync_directory().unwrap();
        assert!((0..100).all(|seed| found(&state, "a", seed).is_none()));
    }

    #[test]
    fn nothing_happens_without_power() {
        let mut state = State::default();
        state.make("a").unwrap();
        state.cut_at(3);
        state.write("a", 0, &[1]).unwrap();
        assert_eq!(state.write("a", 1, &[1]), Err(Cut));
        assert_eq!(state.sync("a"), Err(Cut));
        assert_eq!(state.read("a", 0, &mut [0]), Err(Cut));
        assert_eq!(state.make("b"), Err(Cut));
        assert!(!state.is_there("b"));
    }
}
