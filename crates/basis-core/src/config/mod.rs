//! Configuration as located text: every value knows its file, line and key path.
//!
//! Core knows no YAML. The binary turns files, environment and `--set` into [`Node`] trees, lays
//! them over each other, and the readers here turn the result into types, collecting every problem
//! instead of stopping at the first.

mod node;
mod reader;

pub use node::{Entry, Location, Node, NodeValue};
pub use reader::{Problem, Problems, Reader, nearest};
