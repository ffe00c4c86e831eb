//! Text of venues.

use std::borrow::Cow;

/// Text that a venue sent, or a word of ours.
pub type Text = Cow<'static, str>;
