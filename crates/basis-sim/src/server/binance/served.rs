//! Binance as its network sees it.

use basis_core::transport::{Request, Response};
use basis_core::types::Timestamp;

use super::stream::Channel;
use super::{Event, Exchange, Listening, Settings};
use crate::server::http::target_of;
use crate::server::venue::{self, Latency, ServedVenue, VenueSettings};

/// How long spot waits for its engine before it answers without it.
const ENGINE_WAIT_MS: i64 = 10_000;

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
    type Event = Event;
    type Listening = Listening;

    fn answer(&mut self, request: &Request) -> Response {
        Self::answer(self, request)
    }

    fn answer_late(&mut self, request: &Request, let_in_ms: i64) -> Response {
        Self::answer_late(self, request, let_in_ms)
    }

    fn engine_wait_ms(&self, request: &Request) -> Option<i64> {
        let is_spot = target_of(&request.url).starts_with("/api/");
        is_spot.then_some(ENGINE_WAIT_MS)
    }

    fn latency(&self) -> Latency {
        self.settings.latency
    }

    fn clock(&self, at: Timestamp) -> i64 {
        Self::clock(self, at)
    }

    fn instant(&self, ms: i64) -> Timestamp {
        Self::instant(self, ms)
    }

    fn next_due(&self) -> Option<i64> {
        Self::next_due(self)
    }

    fn advance(&mut self, ms: i64) {
        Self::advance(self, ms);
    }

    fn open_channel(&self, url: &str) -> Result<Box<dyn venue::Channel<Self> + Send>, Response> {
        Ok(Box::new(Channel::open(self, url)?))
    }

    fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    fn event_name(event: &Event) -> &str {
        let name = event.body.get("e").and_then(serde_json::Value::as_str);
        name.unwrap_or_default()
    }

    fn set_listening(&mut self, listening: Listening) {
        self.listening = listening;
    }
}
