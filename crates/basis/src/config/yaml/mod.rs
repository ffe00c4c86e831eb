//! YAML to a located tree and back.
//!
//! Reading. Every scalar stays text exactly as written, so that `4.687e-05` and `0.10` keep their
//! digits; a plain `null`, `~` or nothing is no value. What a configuration does not need and what
//! hides things from a reader is refused: anchors, aliases, tags, several documents, a key twice.
//!
//! Writing. [`to_yaml`] emits a strict subset that a short parser of anybody's can read:
//!
//! - block style only, two blanks per level, `\n` line ends, no comments, no blank lines;
//! - a map entry is `key: scalar`, or `key:` followed by a deeper map or list;
//! - a list item is `- scalar`; `- key: scalar` starts a map whose other keys stand two blanks deeper
//!   than the dash; a list within a list is a `-` alone, followed by the deeper list;
//! - an empty map is `{}`, an empty list `[]`;
//! - a scalar is a JSON number, `true`, `false`, `null`, or a JSON string in double quotes;
//! - a key is plain when it is made of letters, digits, `_`, `-` and `.`, begins with a letter or
//!   `_`, and is no word YAML reads otherwise; else it is a JSON string.

mod read;
mod write;

pub use read::{parse, parse_value};
pub use write::to_yaml;
