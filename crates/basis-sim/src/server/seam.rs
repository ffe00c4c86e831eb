//! What crosses between the venue and whoever drives it.

use basis_core::transport::Response;
use basis_core::types::Timestamp;

/// A request that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(super) u64);

/// A stream connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub(super) u64);

/// Something that reaches a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// When, on the caller's clock.
    pub at: Timestamp,
    /// What.
    pub content: Content,
}

/// What reaches a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The answer to a request.
    Answer(RequestId, Response),
    /// The connection of a request broke before an answer came. Whether the request was taken is not said.
    Broken(RequestId),
    /// A text frame of a stream.
    Text(ConnectionId, String),
    /// A ping of a stream, to be answered with its payload.
    Ping(ConnectionId, Vec<u8>),
    /// A stream was closed by the venue, with this close code.
    Closed(ConnectionId, u16),
}
