//! Journals: a run is cut off at every commit and goes on to the same ledger.

mod files;
mod kept;
mod killed;
mod resumed;
mod seams;
mod shown;
