//! A machine on sockets: a thread of its own with a runtime of its own.
//!
//! Requests go out over one transport a lane, each once, and streams over a socket each; commands, answers,
//! news of streams and the machine's own instants are its inputs, in the order they come. The thread ends when the mailbox is closed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use basis_core::clock::Clock;
use basis_core::transport::{Request, Transport, TransportError};
use basis_core::types::Timestamp;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::socket::{News, Streams};
use super::{Input, Lane, Mailbox, Output, RequestId, StreamId, StreamNews, VenueMachine};
use crate::net::Settings;

/// Answers that wait for the machine.
const ANSWERS_MAX: usize = 256;
/// The longest the machine sleeps without looking for commands that were left without a wake.
const SLEEP_MAX: Duration = Duration::from_secs(1);
/// How long a machine whose events nobody takes waits before it looks again.
const FULL_WAIT: Duration = Duration::from_millis(5);

/// Makes the transport of a lane to an origin, as `https://api.binance.com`.
type MakeTransport =
    Box<dyn Fn(Lane, &str) -> Result<Arc<dyn Transport>, TransportError> + Send + Sync>;

/// How the connections of a machine are made: a transport for each lane, a socket for each stream.
pub struct Transports {
    make: MakeTransport,
    streams: Settings,
}

impl Transports {
    /// Transports of `make`, and streams with `streams`.
    #[must_use]
    pub fn new(
        make: impl Fn(Lane, &str) -> Result<Arc<dyn Transport>, TransportError> + Send + Sync + 'static,
        streams: Settings,
    ) -> Self {
        Self {
            make: Box::new(make),
            streams,
        }
    }
}

impl fmt::Debug for Transports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transports").finish_non_exhaustive()
    }
}

/// The thread or its runtime could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the venue's thread could not be started: {0}")]
pub struct NotSpawned(#[from] std::io::Error);

/// A machine that runs. Dropping it ends it.
pub struct Task {
    mailbox: Mailbox,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").finish_non_exhaustive()
    }
}

/// What wakes the machine beside its own instants.
enum Wakeup {
    Input(Box<Input>),
    Command,
}

impl News for Sender<Wakeup> {
    async fn tell(&self, id: StreamId, news: StreamNews) -> bool {
        let input = Wakeup::Input(Box::new(Input::Stream { id, news }));
        self.send(input).await.is_ok()
    }
}

impl Task {
    /// Starts `machine` on a thread of its own.
    ///
    /// # Errors
    /// [`NotSpawned`].
    pub fn spawn(
        machine: Box<dyn VenueMachine>,
        mailbox: Mailbox,
        clock: Arc<dyn Clock>,
        transports: Transports,
    ) -> Result<Self, NotSpawned> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (sender, receiver) = channel(ANSWERS_MAX);
        let waker = sender.clone();
        // A full queue wakes the machine anyway.
        mailbox.on_command(Box::new(move || waker.try_send(Wakeup::Command).is_ok()));
        let actor = Actor {
            machine,
            mailbox: mailbox.clone(),
            clock,
            make: transports.make,
            lanes: BTreeMap::new(),
            streams: Streams::new(transports.streams, sender.clone()),
            sender,
        };
        let thread = std::thread::Builder::new().name("basis-venue".to_owned());
        let thread = thread.spawn(move || runtime.block_on(actor.run(receiver)))?;
        Ok(Self {
            mailbox,
            thread: Some(thread),
        })
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.mailbox.close();
        if let Some(thread) = self.thread.take() {
            // A panic there has closed the mailbox; nothing is left to be done here.
            thread.join().ok();
        }
    }
}

/// Closes the mailbox however the thread ends.
struct ClosesMailbox(Mailbox);

impl Drop for ClosesMailbox {
    fn drop(&mut self) {
        self.0.close();
    }
}

struct Actor {
    machine: Box<dyn VenueMachine>,
    mailbox: Mailbox,
    clock: Arc<dyn Clock>,
    make: MakeTransport,
    lanes: BTreeMap<Lane, Arc<dyn Transport>>,
    streams: Streams<Sender<Wakeup>>,
    sender: Sender<Wakeup>,
}

impl Actor {
    async fn run(mut self, mut receiver: Receiver<Wakeup>) {
        let _closes = ClosesMailbox(self.mailbox.clone());
        let mut outputs = Vec::new();
        while !self.mailbox.is_closed() {
            if !self.mailbox.has_room() {
                tokio::time::sleep(FULL_WAIT).await;
                continue;
            }
            while let Some(command) = self.mailbox.next_command() {
                self.input(Input::Command(command), &mut outputs);
            }
            if self.wait().is_zero() {
                self.input(Input::Timer, &mut outputs);
            }
            let wait = self.wait();
            match tokio::time::timeout(wait, receiver.recv()).await {
                Ok(Some(Wakeup::Input(input))) => self.input(*input, &mut outputs),
                Ok(Some(Wakeup::Command)) | Err(_) => {}
                Ok(None) => return,
            }
        }
    }

    /// How long until the machine's own instant.
    fn wait(&self) -> Duration {
        let due = self.machine.due().unwrap_or(Timestamp::MAX);
        let nanos = due.since(self.clock.now()).nanos().max(0);
        Duration::from_nanos(nanos.unsigned_abs()).min(SLEEP_MAX)
    }

    fn input(&mut self, input: Input, outputs: &mut Vec<Output>) {
        self.machine.handle(self.clock.now(), input, outputs);
        for output in outputs.drain(..) {
            match self.mailbox.deliver(output) {
                Some(Output::Send { id, lane, request }) => self.send(id, lane, request),
                Some(Output::OpenStream { id, url }) => self.streams.open(id, url),
                Some(Output::SendText { id, text }) => self.streams.send(id, text),
                Some(Output::CloseStream { id }) => self.streams.close(id),
                _ => {}
            }
        }
    }

    fn send(&mut self, id: RequestId, lane: Lane, request: Request) {
        let transport = match self.lanes.get(&lane) {
            Some(transport) => Ok(Arc::clone(transport)),
            None => (self.make)(lane, origin_of(&request)),
        };
        if let Ok(transport) = &transport {
            self.lanes
                .entry(lane)
                .or_insert_with(|| Arc::clone(transport));
        }
        let sender = self.sender.clone();
        tokio::spawn(async move {
            let result = match transport {
                Ok(transport) => transport.send(request).await,
                Err(e) => Err(e),
            };
            let answer = Wakeup::Input(Box::new(Input::Answer { id, result }));
            // Without a receiver the machine has ended, and nobody waits.
            sender.send(answer).await.ok();
        });
    }
}

/// Scheme, host and port of a request.
fn origin_of(request: &Request) -> &str {
    let url = request.url.as_str();
    let host = url.find("://").map_or(0, |at| at.saturating_add(3));
    let path = url.get(host..).and_then(|rest| rest.find('/'));
    path.and_then(|path| url.get(..host.saturating_add(path)))
        .unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_ends_where_the_path_begins() {
        for (url, origin) in [
            (
                "https://api.binance.com/api/v3/time?a=/b",
                "https://api.binance.com",
            ),
            ("http://127.0.0.1:80/x", "http://127.0.0.1:80"),
            ("http://127.0.0.1:80", "http://127.0.0.1:80"),
        ] {
            let request = Request {
                method: "GET",
                url: url.to_owned(),
                headers: Vec::new(),
                body: Vec::new(),
            };
            assert_eq!(origin_of(&request), origin);
        }
    }
}
