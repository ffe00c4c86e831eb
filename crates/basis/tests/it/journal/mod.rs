//! Journals: a run is cut off at every commit and goes on to the same ledger.

mod files;
mod killed;
mod resumed;
mod seams;
mod shown;

use basis::core::journal::JournalHead;
use basis::live::memory::MemoryJournal;

/// An empty journal in memory.
fn in_memory() -> MemoryJournal {
    MemoryJournal::new(JournalHead {
        book: "00000001".to_owned(),
        mode: "test".to_owned(),
        config: String::new(),
        config_hash: String::new(),
    })
}
