//! Such a venue as its network sees it, and what happens at it by itself.

use basis_core::transport::{Request, Response};
use basis_core::types::Timestamp;

use super::{Exchange, Refusal, Ways};
use crate::server::http::html;
use crate::server::venue::{Channel, Latency, ServedVenue};

impl<W: Ways> ServedVenue for Exchange<W> {
    type Event = std::convert::Infallible;
    type Listening = ();

    fn answer(&mut self, request: &Request) -> Response {
        W::answer(self, request, self.now)
    }

    fn answer_late(&mut self, request: &Request, let_in_ms: i64) -> Response {
        W::answer(self, request, let_in_ms)
    }

    fn engine_wait_ms(&self, _: &Request) -> Option<i64> {
        None
    }

    fn latency(&self) -> Latency {
        self.latency
    }

    fn clock(&self, at: Timestamp) -> i64 {
        Self::clock(self, at)
    }

    fn instant(&self, ms: i64) -> Timestamp {
        Timestamp::from_millis(ms - self.clock_ahead_ms)
    }

    fn next_due(&self) -> Option<i64> {
        let dues = [
            self.next_task(),
            self.next_funding(),
            self.next_transfer(),
            W::next_due(self),
        ];
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
        W::restarted(self);
    }
}

impl<W: Ways> Exchange<W> {
    fn run_due(&mut self) -> Result<(), Refusal> {
        self.run_transfers();
        self.run_funding()?;
        W::run_due(self);
        self.run_tasks()
    }
}
