//! A venue in process, mounted on a port of this machine: plain HTTP/1.1 and WebSocket on 127.0.0.1.
//!
//! For tests of the real binary and of the real transport alone: it keeps real time and one thread for each
//! connection. Everything else speaks to the [`Server`] itself under virtual time.

mod http;
mod websocket;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use basis_core::transport::{Request, Response};
use basis_core::types::Timestamp;
use basis_sim::server::{ConnectionId, Content, RequestId, ServedVenue, Server, binance};

/// How long the pump sleeps when nothing is due.
const IDLE: Duration = Duration::from_secs(1);

/// What a stream's connection is to send.
#[derive(Debug)]
enum Frame {
    Text(String),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16),
}

#[derive(Debug)]
struct State<V: ServedVenue> {
    server: Server<V>,
    /// Who waits for what; `None` is sent where the connection breaks.
    requests: BTreeMap<RequestId, Sender<Option<Response>>>,
    streams: BTreeMap<ConnectionId, Sender<Frame>>,
    is_stopped: bool,
}

#[derive(Debug)]
struct Shared<V: ServedVenue> {
    state: Mutex<State<V>>,
    changed: Condvar,
    clock: fn() -> Timestamp,
}

/// A venue on a port of this machine, until it is dropped.
#[derive(Debug)]
pub struct Loopback<V: ServedVenue + Send + 'static = binance::Exchange> {
    shared: Arc<Shared<V>>,
    address: SocketAddr,
}

impl<V: ServedVenue + Send + 'static> Loopback<V> {
    /// Mounts a venue on a free port, in the time of `clock`.
    ///
    /// # Errors
    /// Where no port can be had.
    pub fn start(server: Server<V>, clock: fn() -> Timestamp) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let state = State {
            server,
            requests: BTreeMap::new(),
            streams: BTreeMap::new(),
            is_stopped: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            clock,
        });
        let pump = Arc::clone(&shared);
        thread::spawn(move || pump.run());
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&accepting, &listener));
        Ok(Self { shared, address })
    }

    /// Returns `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn http_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns `ws://127.0.0.1:PORT`.
    #[must_use]
    pub fn stream_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Does something at the venue, now.
    pub fn with<T>(&self, act: impl FnOnce(&mut Server<V>, Timestamp) -> T) -> T {
        self.shared.with(|state, now| act(&mut state.server, now))
    }
}

impl<V: ServedVenue + Send + 'static> Drop for Loopback<V> {
    fn drop(&mut self) {
        self.shared.lock().is_stopped = true;
        self.shared.changed.notify_all();
        // The thread that accepts wakes up, sees that it is over, and closes the port.
        drop(TcpStream::connect(self.address));
    }
}

impl<V: ServedVenue> Shared<V> {
    fn lock(&self) -> MutexGuard<'_, State<V>> {
        // A test that failed elsewhere may still look at the venue.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Acts on the state, hands out what that made due, and wakes the pump.
    fn with<T>(&self, act: impl FnOnce(&mut State<V>, Timestamp) -> T) -> T {
        let mut state = self.lock();
        let result = act(&mut state, (self.clock)());
        state.deliver((self.clock)());
        drop(state);
        self.changed.notify_all();
        result
    }

    /// Hands out what is due, until the venue is dropped.
    fn run(&self) {
        let mut state = self.lock();
        while !state.is_stopped {
            let now = (self.clock)();
            state.deliver(now);
            let due = state.server.next_due();
            let nanos = due.map(|due| due.nanos().saturating_sub(now.nanos()).max(0));
            let sleep = nanos.map(|nanos| Duration::from_nanos(nanos.unsigned_abs()));
            let sleep = sleep.unwrap_or(IDLE).min(IDLE);
            let waited = self.changed.wait_timeout(state, sleep);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Sends a request to the venue and waits for its answer; `None` where the connection breaks.
    fn answer(&self, request: Request) -> Option<Response> {
        let (sender, answer) = channel();
        self.with(|state, now| {
            let id = state.server.send(now, request);
            state.requests.insert(id, sender);
        });
        answer.recv().ok().flatten()
    }

    /// Opens a stream.
    fn open(
        &self,
        target: &str,
    ) -> Result<(ConnectionId, Sender<Frame>, Receiver<Frame>), Response> {
        let (sender, frames) = channel();
        self.with(|state, now| {
            let id = state.server.connect(now, target)?;
            state.streams.insert(id, sender.clone());
            Ok((id, sender, frames))
        })
    }
}

impl<V: ServedVenue> State<V> {
    /// Hands out what reached the clients until `now`. A client that is gone misses it.
    fn deliver(&mut self, now: Timestamp) {
        for delivery in self.server.advance(now) {
            match delivery.content {
                Content::Answer(id, response) => self.settle(id, Some(response)),
                Content::Broken(id) => self.settle(id, None),
                Content::Text(id, text) => self.frame(id, Frame::Text(text)),
                Content::Ping(id, payload) => self.frame(id, Frame::Ping(payload)),
                Content::Closed(id, code) => {
                    self.frame(id, Frame::Close(code));
                    self.streams.remove(&id);
                }
            }
        }
    }

    fn settle(&mut self, id: RequestId, response: Option<Response>) {
        if let Some(sender) = self.requests.remove(&id) {
            drop(sender.send(response));
        }
    }

    fn frame(&mut self, id: ConnectionId, frame: Frame) {
        if let Some(sender) = self.streams.get(&id) {
            drop(sender.send(frame));
        }
    }
}

fn accept<V: ServedVenue + Send + 'static>(shared: &Arc<Shared<V>>, listener: &TcpListener) {
    for connection in listener.incoming() {
        if shared.lock().is_stopped {
            return;
        }
        let Ok(connection) = connection else {
            continue;
        };
        let shared = Arc::clone(shared);
        // A connection that ends in an error is one that the client sees broken.
        thread::spawn(move || drop(http::serve(&shared, connection)));
    }
}
