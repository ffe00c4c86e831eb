//! What lies between the venue and its clients: latency, connections, faults, virtual time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use basis_core::transport::{Request, Response};
use basis_core::types::Timestamp;

use super::binance;
use super::faults::{Failure, Fault, Faults, Rule, Traffic};
use super::http::{html, target_of};
use super::seam::{ConnectionId, Content, Delivery, RequestId};
use super::venue::{Channel, ServedVenue, VenueSettings};

const NANOS_PER_MILLI: i64 = 1_000_000;
/// How long a stream connection lives.
const CONNECTION_MS: i64 = 86_400_000;
/// How many stream connections may be asked for in how long.
const ATTEMPTS_MAX: usize = 300;
const ATTEMPTS_MS: i64 = 300_000;
/// WebSocket close codes.
const GOING_AWAY: u16 = 1001;
const NORMAL: u16 = 1000;
const POLICY: u16 = 1008;

/// A venue with its network: requests and frames go in at an instant, and what the clients get comes out at
/// its own.
#[derive(Debug)]
pub struct Server<V: ServedVenue = binance::Exchange> {
    exchange: V,
    faults: Faults,
    now: Timestamp,
    /// What is due, by instant and by the order in which it was put there.
    queue: BTreeMap<(Timestamp, u64), Pending>,
    sequence: u64,
    connections: BTreeMap<ConnectionId, Connection<V>>,
    outbox: VecDeque<Delivery>,
    /// When stream connections were lately asked for.
    attempts: VecDeque<Timestamp>,
    /// Until when nothing is taken or sent.
    frozen_until: Timestamp,
    /// Until when nobody is there.
    down_until: Timestamp,
}

#[derive(Debug)]
struct Connection<V: ServedVenue> {
    channel: Box<dyn Channel<V> + Send>,
    /// No frame leaves before the one in front of it.
    last_frame: Timestamp,
    opened: Timestamp,
    last_ping: Timestamp,
    last_pong: Timestamp,
    /// A second, and how many messages came in it.
    messages: (i64, u32),
}

#[derive(Debug)]
enum Pending {
    Arrival(RequestId, Request, RequestFaults),
    /// What was let in at an instant of the venue's clock reaches the engine.
    Engine(RequestId, Request, RequestFaults, i64),
    /// The venue stops waiting for its engine.
    GivenUp(RequestId),
    Answer(RequestId, Response),
    Broken(RequestId),
    ClientText(ConnectionId, String),
    Frame(ConnectionId, String),
    Close(ConnectionId, u16),
}

impl Pending {
    /// The request whose client still waits.
    const fn request(&self) -> Option<RequestId> {
        match self {
            Self::Arrival(id, ..) | Self::GivenUp(id) | Self::Answer(id, _) | Self::Broken(id) => {
                Some(*id)
            }
            Self::Engine(id, _, faults, _) if !faults.is_given_up => Some(*id),
            Self::Engine(..) | Self::ClientText(..) | Self::Frame(..) | Self::Close(..) => None,
        }
    }
}

/// What was drawn for a request when it was sent.
#[derive(Debug, Default)]
struct RequestFaults {
    is_dropped: bool,
    drops_reply: bool,
    engine_delay_ms: i64,
    reply_delay_ms: i64,
    is_garbled: bool,
    /// The client was told already that the engine did not answer.
    is_given_up: bool,
    instead: Option<(Response, bool)>,
    freeze_ms: i64,
    restart_ms: Option<i64>,
}

/// The connection of a request broke before an answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection broke before an answer came")]
pub struct Broken;

impl<V: ServedVenue> Server<V> {
    /// Opens a venue at `at`.
    #[must_use]
    pub fn new(settings: impl VenueSettings<Venue = V>, at: Timestamp) -> Self {
        Self {
            faults: Faults::new(settings.seed()),
            exchange: settings.open(at),
            now: at,
            queue: BTreeMap::new(),
            sequence: 0,
            connections: BTreeMap::new(),
            outbox: VecDeque::new(),
            attempts: VecDeque::new(),
            frozen_until: at,
            down_until: at,
        }
    }

    /// Returns the venue itself, to look at.
    #[must_use]
    pub const fn exchange(&self) -> &V {
        &self.exchange
    }

    /// Does something at the venue at an instant, beside every wire form; streams get their frames.
    pub fn at<T>(&mut self, now: Timestamp, act: impl FnOnce(&mut V) -> T) -> T {
        self.run_to(now);
        let result = act(&mut self.exchange);
        self.route_events();
        result
    }

    /// Puts rules of faults in force instead of those before; an empty list ends all faults.
    pub fn set_faults(&mut self, rules: Vec<Rule>) {
        self.faults.set(rules);
    }

    /// Returns how many faults have struck.
    #[must_use]
    pub const fn faults_injected(&self) -> u64 {
        self.faults.injected()
    }

    /// Sends a request at `now`; what comes of it is delivered later.
    pub fn send(&mut self, now: Timestamp, request: Request) -> RequestId {
        self.run_to(now);
        self.sequence += 1;
        let id = RequestId(self.sequence);
        let (faults, delay_ms) = self.draw_request_faults(&request);
        let latency = self.exchange.latency().request_ms;
        let arrival = later(self.now, latency.saturating_add(delay_ms));
        self.put(arrival, Pending::Arrival(id, request, faults));
        id
    }

    /// Sends a request and waits for what comes of it, moving on as far as that takes; other deliveries are
    /// kept for [`Server::advance`]. Returns the instant and the answer.
    ///
    /// # Errors
    /// [`Broken`] when the connection breaks instead.
    ///
    /// # Panics
    /// Never: every request ends in an answer or a broken connection.
    pub fn call(
        &mut self,
        now: Timestamp,
        request: Request,
    ) -> (Timestamp, Result<Response, Broken>) {
        let id = self.send(now, request);
        loop {
            self.run_to(self.now);
            let mut outbox = self.outbox.iter();
            let found = outbox.position(|delivery| match &delivery.content {
                Content::Answer(of, _) | Content::Broken(of) => *of == id,
                Content::Text(..) | Content::Ping(..) | Content::Closed(..) => false,
            });
            if let Some(delivery) = found.and_then(|at| self.outbox.remove(at)) {
                let result = match delivery.content {
                    Content::Answer(_, response) => Ok(response),
                    _ => Err(Broken),
                };
                return (delivery.at, result);
            }
            let due = self.queue.keys().next().map(|(at, _)| *at);
            let due =
                due.expect("invariant: every request ends in an answer or a broken connection");
            self.run_to(due.max(self.now));
        }
    }

    /// Opens a stream connection to a URL or a path.
    ///
    /// # Errors
    /// The answer to the upgrade when it is refused.
    pub fn connect(&mut self, now: Timestamp, url: &str) -> Result<ConnectionId, Response> {
        self.run_to(now);
        self.attempts.retain(|at| later(*at, ATTEMPTS_MS) > now);
        self.attempts.push_back(now);
        if self.attempts.len() > ATTEMPTS_MAX {
            return Err(html(429, "Too Many Requests"));
        }
        let refused = self
            .faults
            .draw(Traffic::Connection)
            .contains(&Fault::RefuseConnection);
        if refused || now < self.down_until {
            return Err(html(503, "Service Unavailable"));
        }
        let channel = self.exchange.open_channel(url)?;
        self.sequence += 1;
        let id = ConnectionId(self.sequence);
        let connection = Connection {
            channel,
            last_frame: now,
            opened: now,
            last_ping: now,
            last_pong: now,
            messages: (now.seconds(), 0),
        };
        self.connections.insert(id, connection);
        self.update_listening();
        Ok(id)
    }

    /// Sends a text frame on a stream; on one that is closed it goes nowhere.
    pub fn send_text(&mut self, now: Timestamp, connection: ConnectionId, text: &str) {
        self.run_to(now);
        let latency = self.exchange.latency().request_ms;
        let arrival = later(self.now, latency);
        self.put(arrival, Pending::ClientText(connection, text.to_owned()));
    }

    /// Answers a ping.
    pub fn pong(&mut self, now: Timestamp, connection: ConnectionId) {
        self.run_to(now);
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.last_pong = now;
        }
    }

    /// Closes a stream from the client's side.
    pub fn disconnect(&mut self, now: Timestamp, connection: ConnectionId) {
        self.run_to(now);
        self.connections.remove(&connection);
    }

    /// Tells whether the venue still holds a stream open.
    #[must_use]
    pub fn is_connected(&self, connection: ConnectionId) -> bool {
        self.connections.contains_key(&connection)
    }

    /// Returns when something is next due to happen; `None` when nothing is, and nothing waits to be taken.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        if let Some(delivery) = self.outbox.front() {
            return Some(delivery.at);
        }
        let queued = self.queue.keys().next().map(|(at, _)| *at);
        let timed = self.exchange.next_due().map(|ms| self.exchange.instant(ms));
        [queued, timed, self.next_ping()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Moves on to `now` and returns what reached the clients until then, in order.
    pub fn advance(&mut self, now: Timestamp) -> Vec<Delivery> {
        self.run_to(now);
        self.outbox.drain(..).collect()
    }

    fn put(&mut self, at: Timestamp, pending: Pending) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), pending);
    }

    fn deliver(&mut self, content: Content) {
        let at = self.now;
        self.outbox.push_back(Delivery { at, content });
    }

    /// Lets everything happen that is due until `to`, each at its instant.
    fn run_to(&mut self, to: Timestamp) {
        loop {
            let queued = self.queue.keys().next().map(|(at, _)| *at);
            let timed = self.exchange.next_due().map(|ms| self.exchange.instant(ms));
            let due = [queued, timed, self.next_ping()]
                .into_iter()
                .flatten()
                .min();
            let Some(due) = due.filter(|due| *due <= to) else {
                break;
            };
            self.now = self.now.max(due);
            self.move_exchange();
            if queued.is_some_and(|queued| queued <= self.now) {
                if let Some((_, pending)) = self.queue.pop_first() {
                    self.process(pending);
                }
            } else {
                self.keep_connections();
            }
        }
        self.now = self.now.max(to);
        self.move_exchange();
    }

    fn move_exchange(&mut self) {
        let ms = self.exchange.clock(self.now);
        self.exchange.advance(ms);
        self.route_events();
    }

    fn process(&mut self, pending: Pending) {
        // What a frozen venue would take or send waits, in its order.
        if self.now < self.frozen_until {
            self.put(self.frozen_until, pending);
            return;
        }
        match pending {
            Pending::Arrival(id, request, faults) => self.arrive(id, &request, faults),
            Pending::Engine(id, request, faults, let_in_ms) => {
                let response = self.exchange.answer_late(&request, let_in_ms);
                self.answer(id, response, &faults);
            }
            Pending::GivenUp(id) => {
                let response = Failure::BackendTimeout.response();
                self.deliver(Content::Answer(id, response));
            }
            Pending::Answer(id, response) => self.deliver(Content::Answer(id, response)),
            Pending::Broken(id) => self.deliver(Content::Broken(id)),
            Pending::ClientText(id, text) => self.client_text(id, &text),
            Pending::Frame(id, text) => {
                if self.connections.contains_key(&id) {
                    self.deliver(Content::Text(id, text));
                }
            }
            Pending::Close(id, code) => {
                if self.connections.remove(&id).is_some() {
                    self.deliver(Content::Closed(id, code));
                }
            }
        }
    }

    fn draw_request_faults(&mut self, request: &Request) -> (RequestFaults, i64) {
        let mut faults = RequestFaults::default();
        let mut delay_ms = 0;
        if self.faults.is_empty() {
            return (faults, delay_ms);
        }
        let target = target_of(&request.url);
        let path = target.split('?').next().unwrap_or_default();
        let traffic = Traffic::Request {
            method: request.method,
            path,
        };
        for fault in self.faults.draw(traffic) {
            match fault {
                Fault::DropRequest => faults.is_dropped = true,
                Fault::DropReply => faults.drops_reply = true,
                Fault::DelayRequest(ms) => delay_ms += ms,
                Fault::DelayEngine(ms) => faults.engine_delay_ms += ms,
                Fault::DelayReply(ms) => faults.reply_delay_ms += ms,
                Fault::Garble => faults.is_garbled = true,
                Fault::Reply { reply, taken } => faults.instead = Some((reply.response(), taken)),
                Fault::Freeze(ms) => faults.freeze_ms = ms,
                Fault::Restart(ms) => faults.restart_ms = Some(ms),
                Fault::CloseStream
                | Fault::DropFrame
                | Fault::DuplicateFrame
                | Fault::DelayFrame(_)
                | Fault::GarbleFrame
                | Fault::RefuseConnection => {}
            }
        }
        (faults, delay_ms)
    }

    fn arrive(&mut self, id: RequestId, request: &Request, faults: RequestFaults) {
        if let Some(ms) = faults.restart_ms {
            self.restart(ms);
        }
        if faults.is_dropped || self.now < self.down_until {
            self.deliver(Content::Broken(id));
            return;
        }
        if faults.freeze_ms > 0 {
            self.frozen_until = later(self.now, faults.freeze_ms);
            let unfrozen = RequestFaults {
                freeze_ms: 0,
                ..faults
            };
            self.put(
                self.frozen_until,
                Pending::Arrival(id, request.clone(), unfrozen),
            );
            return;
        }
        if faults.engine_delay_ms > 0 {
            self.delay_engine(id, request, faults);
            return;
        }
        let response = match &faults.instead {
            Some((response, taken)) => {
                if *taken {
                    self.exchange.answer(request);
                }
                response.clone()
            }
            None => self.exchange.answer(request),
        };
        self.answer(id, response, &faults);
    }

    /// Lets a request in that its engine takes later.
    fn delay_engine(&mut self, id: RequestId, request: &Request, mut faults: RequestFaults) {
        let let_in_ms = self.exchange.clock(self.now);
        let engine = later(self.now, faults.engine_delay_ms);
        let wait_ms = self.exchange.engine_wait_ms(request);
        if let Some(wait_ms) = wait_ms.filter(|wait_ms| faults.engine_delay_ms > *wait_ms) {
            self.put(later(self.now, wait_ms), Pending::GivenUp(id));
            faults.is_given_up = true;
        }
        self.put(
            engine,
            Pending::Engine(id, request.clone(), faults, let_in_ms),
        );
    }

    /// Sends what a request was answered with, as far as its faults let it.
    fn answer(&mut self, id: RequestId, mut response: Response, faults: &RequestFaults) {
        if faults.is_garbled {
            response.body = self.faults.garble(&response.body);
        }
        let latency = self.exchange.latency().reply_ms;
        let at = later(self.now, latency.saturating_add(faults.reply_delay_ms));
        // Frames of what the request did are put before its answer, as a venue's engine sends them.
        self.route_events();
        if faults.is_given_up {
            return;
        }
        if self.now < self.down_until {
            // One of them stopped the venue.
            self.deliver(Content::Broken(id));
            return;
        }
        let pending = if faults.drops_reply {
            Pending::Broken(id)
        } else {
            Pending::Answer(id, response)
        };
        self.put(at, pending);
    }

    /// Stops the venue for `ms`; it forgets nothing but what was under way.
    fn restart(&mut self, ms: i64) {
        self.down_until = later(self.now, ms);
        self.exchange.restarted();
        let connections = std::mem::take(&mut self.connections);
        for id in connections.into_keys() {
            self.deliver(Content::Closed(id, GOING_AWAY));
        }
        let mut broken = BTreeSet::new();
        let queue = std::mem::take(&mut self.queue);
        for pending in queue.into_values() {
            if let Some(id) = pending.request() {
                broken.insert(id);
            }
        }
        for id in broken {
            self.deliver(Content::Broken(id));
        }
    }

    fn client_text(&mut self, id: ConnectionId, text: &str) {
        let second = self.now.seconds();
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let (counted, count) = connection.messages;
        let count = if counted == second { count + 1 } else { 1 };
        connection.messages = (second, count);
        if count > connection.channel.messages_per_second_max() {
            self.connections.remove(&id);
            self.deliver(Content::Closed(id, POLICY));
            return;
        }
        let answers = connection.channel.text(&mut self.exchange, text);
        for answer in answers {
            self.frame(id, answer, "");
        }
    }

    /// Sends each event to the connections it is for.
    fn route_events(&mut self) {
        for event in self.exchange.take_events() {
            let name = V::event_name(&event).to_owned();
            let frames: Vec<(ConnectionId, String)> = self
                .connections
                .iter()
                .filter_map(|(id, connection)| {
                    Some((*id, connection.channel.frame(&self.exchange, &event)?))
                })
                .collect();
            for (id, text) in frames {
                self.frame(id, text, &name);
            }
        }
    }

    fn frame(&mut self, id: ConnectionId, text: String, event: &str) {
        let latency = self.exchange.latency().frame_ms;
        let (mut delay_ms, mut copies, mut text) = (0, 1, text);
        let traffic = Traffic::Frame { event };
        for fault in self.faults.draw(traffic) {
            match fault {
                Fault::CloseStream => {
                    self.put(later(self.now, latency), Pending::Close(id, NORMAL));
                    return;
                }
                Fault::DropFrame => return,
                Fault::DuplicateFrame => copies += 1,
                Fault::DelayFrame(ms) => delay_ms += ms,
                Fault::GarbleFrame => {
                    let spoiled = self.faults.garble(text.as_bytes());
                    text = String::from_utf8_lossy(&spoiled).into_owned();
                }
                Fault::Restart(ms) => {
                    self.restart(ms);
                    return;
                }
                Fault::Freeze(ms) => self.frozen_until = later(self.now, ms),
                Fault::DropRequest
                | Fault::DropReply
                | Fault::DelayRequest(_)
                | Fault::DelayEngine(_)
                | Fault::DelayReply(_)
                | Fault::Garble
                | Fault::Reply { .. }
                | Fault::RefuseConnection => {}
            }
        }
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let at = later(self.now, latency.saturating_add(delay_ms)).max(connection.last_frame);
        connection.last_frame = at;
        for _ in 0..copies {
            self.put(at, Pending::Frame(id, text.clone()));
        }
    }

    /// Tells the venue what is worth saying. Connections that ended are counted until the next one opens.
    fn update_listening(&mut self) {
        let mut listening = V::Listening::default();
        for connection in self.connections.values() {
            connection.channel.add_to(&mut listening);
        }
        self.exchange.set_listening(listening);
    }

    /// When a connection is next pinged or closed.
    fn next_ping(&self) -> Option<Timestamp> {
        let dues = self.connections.values().map(|connection| {
            let (every_ms, wait_ms) = connection.channel.ping_rules();
            let ping = later(connection.last_ping, every_ms);
            let silent = later(connection.last_pong, every_ms.saturating_add(wait_ms));
            let old = later(connection.opened, CONNECTION_MS);
            ping.min(silent).min(old)
        });
        dues.min()
    }

    /// Pings what is due, and closes what was silent for too long or is too old.
    fn keep_connections(&mut self) {
        let now = self.now;
        let mut contents = Vec::new();
        self.connections.retain(|id, connection| {
            let (every_ms, wait_ms) = connection.channel.ping_rules();
            let silent = later(connection.last_pong, every_ms.saturating_add(wait_ms));
            if silent <= now {
                contents.push(Content::Closed(*id, POLICY));
                return false;
            }
            if later(connection.opened, CONNECTION_MS) <= now {
                contents.push(Content::Closed(*id, GOING_AWAY));
                return false;
            }
            if later(connection.last_ping, every_ms) <= now {
                connection.last_ping = now;
                let payload = (now.nanos() / NANOS_PER_MILLI).to_string().into_bytes();
                contents.push(Content::Ping(*id, payload));
            }
            true
        });
        for content in contents {
            self.deliver(content);
        }
    }
}

const fn later(at: Timestamp, ms: i64) -> Timestamp {
    Timestamp::from_nanos(
        at.nanos()
            .saturating_add(ms.saturating_mul(NANOS_PER_MILLI)),
    )
}
