//! What a venue in process is to its network.

use std::fmt;

use basis_core::transport::{Request, Response};
use basis_core::types::Timestamp;

/// How long the ways take, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// From the client to the venue.
    pub request_ms: i64,
    /// From the venue back.
    pub reply_ms: i64,
    /// A stream's frame.
    pub frame_ms: i64,
}

/// What a real venue does to its readers, off by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behavior {
    /// Orders, balances and positions are read as they were so long ago.
    pub stale_reads_ms: i64,
    /// Fills and income are listed so much later than they happened.
    pub late_rows_ms: i64,
    /// Every row of a list of fills or income comes twice.
    pub duplicate_rows: bool,
    /// How long a transfer between wallets takes.
    pub transfer_delay_ms: i64,
}

/// What a venue is opened from.
pub trait VenueSettings {
    /// The venue that it opens.
    type Venue: ServedVenue;

    /// Returns the seed of ids and drawn faults.
    fn seed(&self) -> u64;

    /// Opens the venue at `at`.
    fn open(self, at: Timestamp) -> Self::Venue;
}

/// A venue at an instant: requests are answered the moment they arrive, and events are kept until they are
/// taken.
pub trait ServedVenue: fmt::Debug + Sized {
    /// Something that streams say.
    type Event;
    /// What of it anybody listens to.
    type Listening: Default;

    /// Answers a request that arrives now.
    fn answer(&mut self, request: &Request) -> Response;

    /// Answers a request that was let in at `let_in_ms` and reaches the engine now.
    fn answer_late(&mut self, request: &Request, let_in_ms: i64) -> Response;

    /// Returns how long the venue waits for its engine before it answers `request` without it, in
    /// milliseconds; `None` where it waits.
    fn engine_wait_ms(&self, request: &Request) -> Option<i64>;

    /// Returns how long the ways take.
    fn latency(&self) -> Latency;

    /// Returns the venue's milliseconds at an instant of the caller's.
    fn clock(&self, at: Timestamp) -> i64;

    /// Returns the caller's instant of the venue's milliseconds.
    fn instant(&self, ms: i64) -> Timestamp;

    /// Returns when something is next due, in the venue's milliseconds.
    fn next_due(&self) -> Option<i64>;

    /// Moves on to `ms` on the venue's clock; what is due until then happens at its own instant.
    fn advance(&mut self, ms: i64);

    /// Opens the stream that a URL or a path names.
    ///
    /// # Errors
    /// The answer to the upgrade that the venue refuses.
    fn open_channel(&self, url: &str) -> Result<Box<dyn Channel<Self> + Send>, Response>;

    /// Takes what has happened since the last call.
    fn take_events(&mut self) -> Vec<Self::Event>;

    /// Returns the name that rules of faults know an event by.
    fn event_name(event: &Self::Event) -> &str;

    /// Takes what anybody listens to: what nobody would get need not be made.
    fn set_listening(&mut self, listening: Self::Listening);

    /// Notes that the venue was restarted, with all it keeps.
    fn restarted(&mut self) {}
}

/// One stream connection: what a client may say on it, and what it gets.
pub trait Channel<V: ServedVenue>: fmt::Debug {
    /// Takes what a client says; returns what the venue answers.
    fn text(&mut self, venue: &mut V, text: &str) -> Vec<String>;

    /// Returns the frame in which it is told of an event; `None` for an event that is not for it.
    fn frame(&self, venue: &V, event: &V::Event) -> Option<String>;

    /// Returns how many messages a client may send in a second.
    fn messages_per_second_max(&self) -> u32;

    /// Returns how often it is pinged, and how long its pong may take, in milliseconds.
    fn ping_rules(&self) -> (i64, i64);

    /// Adds what it listens to.
    fn add_to(&self, listening: &mut V::Listening);
}
