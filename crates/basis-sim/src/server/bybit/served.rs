//! Bybit as its network sees it, and what happens at it by itself.

use basis_core::transport::{Request, Response};
use basis_core::types::Timestamp;

use super::error::ApiError;
use super::{Exchange, Settings};
use crate::server::http::html;
use crate::server::venue::{Channel, Latency, ServedVenue, VenueSettings};

impl VenueSettings for Settings {
    type Venue = Exchange;

    fn seed(&self) -> u64 {
        self.seed
    }

    fn open(self, at: Timestamp) -> Exchange {
        Exchange::new(self, at)
    }
}

impl ServedVenue for Exchange {
    type Event = std::convert::Infallible;
    type Listening = ();

    fn answer(&mut self, request: &Request) -> Response {
        Self::answer(self, request)
    }

    /// The window is checked where the request is worked off: what grew old on its way is refused.
    fn answer_late(&mut self, request: &Request, _let_in_ms: i64) -> Response {
        Self::answer(self, request)
    }

    fn engine_wait_ms(&self, _: &Request) -> Option<i64> {
        None
    }

    fn latency(&self) -> Latency {
        self.settings.latency
    }

    fn clock(&self, at: Timestamp) -> i64 {
        Self::clock(self, at)
    }

    fn instant(&self, ms: i64) -> Timestamp {
        Timestamp::from_millis(ms - self.settings.clock_ahead_ms)
    }

    fn next_due(&self) -> Option<i64> {
        let dues = [self.next_task(), self.next_funding(), self.next_transfer()];
        dues.into_iter().flatten().min()
    }

    fn advance(&mut self, ms: i64) {
        while let Some(due) = ServedVenue::next_due(self).filter(|due| *due <= ms) {
            self.now = due.max(self.now);
            self.run_due()
                .expect("invariant: what was accepted can be settled");
        }
        self.now = ms;
    }

    fn open_channel(&self, _: &str) -> Result<Box<dyn Channel<Self> + Send>, Response> {
        Err(html(404, "Not Found"))
    }

    fn take_events(&mut self) -> Vec<Self::Event> {
        Vec::new()
    }

    fn event_name(event: &Self::Event) -> &str {
        match *event {}
    }

    fn set_listening(&mut self, (): ()) {}

    fn restarted(&mut self) {
        self.recent_since_ms = self.now;
    }
}

impl Exchange {
    fn run_due(&mut self) -> Result<(), ApiError> {
        self.run_transfers();
        self.run_funding()?;
        self.run_tasks()
    }
}
