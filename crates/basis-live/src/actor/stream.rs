//! What happens on a stream, as a machine is told.

use std::fmt;

/// Numbers a stream within the life of a machine.
pub type StreamId = u64;

/// Something that happened on a stream. Nothing follows [`StreamNews::Closed`].
#[derive(Clone, PartialEq, Eq)]
pub enum StreamNews {
    /// It is open.
    Opened,
    /// A text frame, whole.
    Frame(String),
    /// The venue pinged, and was answered: the connection lives.
    Pinged,
    /// It could not be opened or has ended, for this reason.
    Closed(String),
}

impl fmt::Debug for StreamNews {
    /// Frames by their length alone: some hold the name of a private stream.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened => f.write_str("Opened"),
            Self::Frame(text) => write!(f, "Frame({} bytes)", text.len()),
            Self::Pinged => f.write_str("Pinged"),
            Self::Closed(reason) => write!(f, "Closed({reason:?})"),
        }
    }
}
