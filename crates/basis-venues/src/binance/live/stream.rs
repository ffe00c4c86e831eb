//! The private streams: opened, kept open, listened to, and never the only proof.
//!
//! A stream says sooner what REST says anyway, by the same facts with the same keys. Nothing is replayed: after
//! each opening and each loss, fills since the cursor and orders that work are read. A stream that is silent
//! past the venue's own pings, that cannot be read, or that does not show what REST has shown, is given up and
//! opened anew. Source of the rules (pings, an hour of a listen key, a day of a connection): Binance's spot
//! documentation and its USD-M general information.

use std::collections::BTreeMap;

use basis_core::error::{VenueError, VenueErrorKind};
use basis_core::secret::Secret;
use basis_core::types::{Span, Timestamp};
use basis_core::venue_event::OrderState;
use basis_live::actor::{Output, StreamId, StreamNews};

use super::BinanceMachine;
use super::admit::product_of;
use super::purpose::{Answered, Purpose};
use crate::binance::codec::replies::{self, FillReply};
use crate::binance::codec::{Product, open_listen_key, perp_stream, spot_stream};

/// How long opening may take, each step of it.
const OPEN_MAX: Span = Span::from_seconds(10);
/// How long a connection is used: the venue ends it after 24 hours.
const AGE_MAX: Span = Span::from_hours(23);
/// How often the listen key is asked for again, which keeps it for another hour.
const EXTEND_EVERY: Span = Span::from_seconds(1_800);
/// The wait after that failed.
const EXTEND_AGAIN: Span = Span::from_seconds(60);
/// How long a stream may take to show a fill that REST has shown.
const GAP_MAX: Span = Span::from_seconds(10);
/// A stream that lived as long was no failure.
const SETTLED: Span = Span::from_seconds(60);
/// The waits before opening again: 0.25 s, doubled up to this.
const WAIT_FIRST: Span = Span::from_nanos(250_000_000);
const WAIT_MAX: Span = Span::from_seconds(60);

/// How long nothing at all may come: spot pings every 20 seconds, USD-M every three minutes.
const fn silence_max(product: Product) -> Span {
    match product {
        Product::UsdM => Span::from_seconds(240),
        Product::Spot | Product::Wallet => Span::from_seconds(60),
    }
}

const fn name(product: Product) -> &'static str {
    match product {
        Product::UsdM => "the private stream of USD-M",
        Product::Spot | Product::Wallet => "the private stream of spot",
    }
}

/// How far a stream has come.
#[derive(Debug)]
enum State {
    /// It is opened at this instant.
    Waiting(Timestamp),
    /// The listen key is asked for.
    AskingKey,
    /// The connection is being made, until this instant.
    Opening(StreamId, Timestamp),
    /// The subscription is not answered yet.
    Subscribing(StreamId, Timestamp),
    /// It is listened to.
    Live(Listening),
}

/// A stream that is listened to.
#[derive(Debug)]
struct Listening {
    id: StreamId,
    since: Timestamp,
    /// When anything came last.
    heard: Timestamp,
    /// When the listen key is asked for again.
    extend: Option<Timestamp>,
    /// Fills that REST has shown and it has not, with the instant until which it may.
    owed: BTreeMap<(String, u64), Timestamp>,
}

/// The private stream of a product.
#[derive(Debug)]
struct PrivateStream {
    product: Product,
    state: State,
    /// How often in a row it came to nothing.
    failures: u32,
    key: Option<Secret>,
}

impl PrivateStream {
    const fn id(&self) -> Option<StreamId> {
        match &self.state {
            State::Waiting(_) | State::AskingKey => None,
            State::Opening(id, _) | State::Subscribing(id, _) => Some(*id),
            State::Live(live) => Some(live.id),
        }
    }

    fn due(&self) -> Option<Timestamp> {
        match &self.state {
            State::Waiting(due) | State::Opening(_, due) | State::Subscribing(_, due) => Some(*due),
            State::AskingKey => None,
            State::Live(live) => {
                let silent = live.heard.plus(silence_max(self.product));
                let old = live.since.plus(AGE_MAX);
                let owed = live.owed.values().copied();
                owed.chain(live.extend).chain([silent, old]).min()
            }
        }
    }

    /// Why a stream that is listened to is given up at `now`, and whether that was to be expected.
    fn given_up(&self, now: Timestamp) -> Option<(String, Loss)> {
        match &self.state {
            State::Opening(_, until) | State::Subscribing(_, until) if *until <= now => {
                Some((format!("not open within {OPEN_MAX}"), Loss::Unexpected))
            }
            State::Live(live) => {
                let silence = silence_max(self.product);
                if live.heard.plus(silence) <= now {
                    return Some((format!("silent for {silence}"), Loss::Unexpected));
                }
                let late = live.owed.iter().find(|(_, until)| **until <= now);
                if let Some(((symbol, trade), _)) = late {
                    let text =
                        format!("fill {trade} of {symbol} was read {GAP_MAX} ago and is not on it");
                    return Some((text, Loss::Unexpected));
                }
                let is_old = live.since.plus(AGE_MAX) <= now;
                is_old.then(|| ("renewed before its day is over".to_owned(), Loss::Planned))
            }
            State::Waiting(_) | State::AskingKey | State::Opening(..) | State::Subscribing(..) => {
                None
            }
        }
    }
}

/// Whether a stream was given up by plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    Planned,
    Unexpected,
}

/// The private streams.
#[derive(Debug, Default)]
pub(super) struct Streams {
    all: Vec<PrivateStream>,
    next_id: StreamId,
}

impl Streams {
    /// Whether the stream of `product` is listened to.
    pub(super) fn are_live(&self, product: Product) -> bool {
        let mut own = self.all.iter().filter(|stream| stream.product == product);
        own.any(|stream| matches!(stream.state, State::Live(_)))
    }

    pub(super) fn due(&self) -> Option<Timestamp> {
        self.all.iter().filter_map(PrivateStream::due).min()
    }

    fn place_of(&self, id: StreamId) -> Option<usize> {
        self.all.iter().position(|stream| stream.id() == Some(id))
    }

    fn of_usdm(&mut self) -> Option<&mut PrivateStream> {
        let mut all = self.all.iter_mut();
        all.find(|stream| stream.product == Product::UsdM)
    }
}

impl BinanceMachine {
    /// Opens the streams of what is traded.
    pub(super) fn begin_streams(&mut self) {
        if !self.settings.streams {
            return;
        }
        let now = self.now;
        let streams = self.settings.products().map(|product| PrivateStream {
            product,
            state: State::Waiting(now),
            failures: 0,
            key: None,
        });
        self.streams.all = streams.collect();
    }

    /// Opens, keeps and gives up what is due.
    pub(super) fn look_after_streams(&mut self) {
        let now = self.now;
        for place in 0..self.streams.all.len() {
            let Some(stream) = self.streams.all.get_mut(place) else {
                return;
            };
            if let Some((reason, loss)) = stream.given_up(now) {
                self.lose_stream(place, &reason, loss);
                continue;
            }
            match &mut stream.state {
                State::Waiting(due) if *due <= now => self.open_stream(place),
                State::Live(live) if live.extend.is_some_and(|due| due <= now) => {
                    live.extend = Some(now.plus(EXTEND_EVERY));
                    self.wire.read(now, open_listen_key(), Purpose::ListenKey);
                }
                _ => {}
            }
        }
    }

    /// Goes on to open a stream: USD-M's needs its name first.
    fn open_stream(&mut self, place: usize) {
        let now = self.now;
        let Some(stream) = self.streams.all.get_mut(place) else {
            return;
        };
        let origin = self.wire.stream_origin(stream.product);
        let url = match (stream.product, stream.key.as_ref()) {
            (Product::UsdM, None) => {
                stream.state = State::AskingKey;
                return self.wire.read(now, open_listen_key(), Purpose::ListenKey);
            }
            (Product::UsdM, Some(key)) => perp_stream(origin, key),
            _ => spot_stream(origin),
        };
        let id = self.streams.next_id;
        self.streams.next_id = id.saturating_add(1);
        stream.state = State::Opening(id, now.plus(OPEN_MAX));
        self.out.push(Output::OpenStream { id, url });
    }

    /// Takes the name of USD-M's stream; another one than before opens it anew.
    pub(super) fn listen_key_answered(&mut self, answered: Answered) {
        let body = match answered.result {
            Ok(body) => body,
            Err(failure) => {
                self.read_failed("listen_key", &failure);
                return self.listen_key_failed(&failure.kind.to_string());
            }
        };
        let key = match replies::listen_key(&body) {
            Ok(key) => key,
            Err(e) => return self.listen_key_failed(&e.to_string()),
        };
        let Some(stream) = self.streams.of_usdm() else {
            return;
        };
        let is_same = stream
            .key
            .as_ref()
            .is_some_and(|own| own.expose() == key.expose());
        let is_live = matches!(stream.state, State::Live(_));
        stream.key = Some(key);
        let place = self
            .streams
            .all
            .iter()
            .position(|s| s.product == Product::UsdM);
        match place {
            Some(place) if is_live && !is_same => {
                self.lose_stream(place, "its listen key is another one now", Loss::Unexpected);
            }
            Some(place) if !is_live => self.open_stream(place),
            _ => {}
        }
    }

    pub(super) fn listen_key_failed(&mut self, reason: &str) {
        let now = self.now;
        let Some(place) = self
            .streams
            .all
            .iter()
            .position(|s| s.product == Product::UsdM)
        else {
            return;
        };
        match self
            .streams
            .all
            .get_mut(place)
            .map(|stream| &mut stream.state)
        {
            Some(State::Live(live)) => live.extend = Some(now.plus(EXTEND_AGAIN)),
            Some(State::AskingKey) => {
                let reason = format!("no listen key: {reason}");
                self.lose_stream(place, &reason, Loss::Unexpected);
            }
            _ => {}
        }
    }

    /// Takes what happened on a stream; one that was given up says nothing any more.
    pub(super) fn stream_news(&mut self, id: StreamId, news: StreamNews) {
        let now = self.now;
        let Some(place) = self.streams.place_of(id) else {
            return;
        };
        let Some(stream) = self.streams.all.get_mut(place) else {
            return;
        };
        if let State::Live(live) = &mut stream.state {
            live.heard = now;
        }
        match news {
            StreamNews::Opened if stream.product == Product::UsdM => self.stream_is_live(place, id),
            StreamNews::Opened => {
                stream.state = State::Subscribing(id, now.plus(OPEN_MAX));
                let text = self.wire.spot_subscription(now, id);
                self.out.push(Output::SendText { id, text });
            }
            StreamNews::Frame(text) => self.stream_frame(place, id, text.as_bytes()),
            StreamNews::Pinged => {}
            StreamNews::Closed(reason) => self.lose_stream(place, &reason, Loss::Unexpected),
        }
    }

    pub(super) fn stream_is_live(&mut self, place: usize, id: StreamId) {
        let now = self.now;
        let Some(stream) = self.streams.all.get_mut(place) else {
            return;
        };
        let product = stream.product;
        stream.state = State::Live(Listening {
            id,
            since: now,
            heard: now,
            extend: (product == Product::UsdM).then(|| now.plus(EXTEND_EVERY)),
            owed: BTreeMap::new(),
        });
        self.resynchronize(product);
    }

    /// The product of a stream, and whether its subscription is still to be answered.
    pub(super) fn stream_at(&self, place: usize) -> Option<(Product, bool)> {
        let stream = self.streams.all.get(place)?;
        let is_subscribing = matches!(stream.state, State::Subscribing(..));
        Some((stream.product, is_subscribing))
    }

    /// The venue or a frame says that nothing more of use comes on a stream.
    pub(super) fn stream_ended(&mut self, place: usize, reason: &str) {
        self.lose_stream(place, reason, Loss::Unexpected);
    }

    /// Gives a stream up and opens it anew, later each time that it came to nothing.
    fn lose_stream(&mut self, place: usize, reason: &str, loss: Loss) {
        let now = self.now;
        let Some(stream) = self.streams.all.get_mut(place) else {
            return;
        };
        let product = stream.product;
        if let Some(id) = stream.id() {
            self.out.push(Output::CloseStream { id });
        }
        let lived = match &stream.state {
            State::Live(live) => Some(now.since(live.since)),
            _ => None,
        };
        if lived.is_some_and(|lived| lived >= SETTLED) {
            stream.failures = 0;
        }
        let wait = WAIT_FIRST
            .times(1_i64 << stream.failures.min(8))
            .min(WAIT_MAX);
        stream.failures = stream.failures.saturating_add(1);
        stream.state = State::Waiting(now.plus(wait));
        // The venue answers with the key that is good; an expired one is not tried again.
        stream.key = None;
        let text = format!("{}: {reason}; it is opened anew in {wait}", name(product));
        if lived.is_some() && loss == Loss::Unexpected {
            let kind = VenueErrorKind::Unavailable(text.clone());
            self.disconnected(VenueError::new(Self::VENUE, "stream", kind));
        }
        self.notice(text);
        if lived.is_some() {
            self.resynchronize(product);
        }
    }

    /// Reads what a stream may have missed: fills since the cursor, and how the orders that work stand.
    fn resynchronize(&mut self, product: Product) {
        let now = self.now;
        self.read_recent(product);
        let own = self.orders.values_mut();
        for order in own.filter(|order| product_of(order.kind()) == product) {
            let is_known = matches!(order.state, OrderState::Submitted | OrderState::Working)
                && order.venue_id.is_some();
            if is_known && !order.look.asking {
                order.look.at(now);
            }
        }
    }

    /// Notes that REST has shown a fill that the stream must show too.
    pub(super) fn expect_on_stream(&mut self, fill: &FillReply) {
        let (now, product) = (self.now, product_of(fill.kind));
        let at = self.ours(product, fill.at);
        let mut all = self.streams.all.iter_mut();
        let Some(stream) = all.find(|stream| stream.product == product) else {
            return;
        };
        if let State::Live(live) = &mut stream.state
            && at >= live.since.plus(Span::from_seconds(1))
        {
            let key = (fill.symbol.clone(), fill.trade_id);
            live.owed.insert(key, now.plus(GAP_MAX));
        }
    }

    /// Notes that the stream has shown a fill.
    pub(super) fn shown_on_stream(&mut self, place: usize, fill: &FillReply) {
        if let Some(stream) = self.streams.all.get_mut(place)
            && let State::Live(live) = &mut stream.state
        {
            live.owed.remove(&(fill.symbol.clone(), fill.trade_id));
        }
    }
}
