//! What leaves, when, and over which connection.
//!
//! **Invariants.** A request is stamped and signed when it leaves, not when it is asked for. Each lane has one
//! request under way. A request that acts is handed out once; what has waited too long is given back unsent.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use basis_core::error::VenueErrorKind;
use basis_core::secret::Secret;
use basis_core::transport::{Response, TransportError};
use basis_core::types::{Span, Timestamp};
use basis_live::actor::{Lane, Output, RateLimiter, RequestId, StreamId};

use super::purpose::{Answered, Purpose, judge};
use super::settings::Endpoints;
use crate::binance::answer::Failure;
use crate::binance::codec::{Draft, Effect, Product, Signer, Stamp, spot_subscription};
use crate::binance::codes::Class;
use crate::binance::weights;

/// How long an answer may take; longer than spot's own wait for its engine.
const ANSWER_MAX: Span = Span::from_seconds(12);
/// How long a read may wait for its turn, and how many may.
const READ_WAIT_MAX: Span = Span::from_seconds(120);
/// How long a limit status without a time to wait holds everything.
const HOLD: Span = Span::from_seconds(60);

/// The venue's clock against ours.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Offset {
    /// The venue's time minus ours.
    pub(super) offset: Span,
    /// How far off that may be.
    pub(super) skew: Span,
}

impl Offset {
    pub(super) const fn venue(&self, ours: Timestamp) -> Timestamp {
        ours.plus(self.offset)
    }

    pub(super) fn ours(&self, venue: Timestamp) -> Timestamp {
        venue.plus(self.offset.times(-1))
    }
}

struct Queued {
    draft: Draft,
    purpose: Purpose,
    not_after: Timestamp,
}

struct Pending {
    purpose: Purpose,
    lane: Lane,
    product: Product,
    effect: Effect,
    sent_at: Timestamp,
    until: Timestamp,
}

/// What happened to requests without an answer.
#[derive(Debug, Default)]
pub(super) struct Pumped {
    /// These left, with their stamps.
    pub(super) sent: Vec<(Purpose, Stamp)>,
    /// These did not, and never will.
    pub(super) expired: Vec<Purpose>,
}

/// Who signs: spot and the wallet have one key, USD-M may have another.
pub struct Signers {
    /// Of spot and the wallet.
    pub spot: Box<dyn Signer + Send>,
    /// Of USD-M.
    pub usdm: Box<dyn Signer + Send>,
}

impl fmt::Debug for Signers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signers")
    }
}

impl Signers {
    fn of(&self, product: Product) -> &dyn Signer {
        match product {
            Product::UsdM => self.usdm.as_ref(),
            Product::Spot | Product::Wallet => self.spot.as_ref(),
        }
    }
}

/// Queues, limits and clocks of all hosts.
pub(super) struct Wire {
    endpoints: Endpoints,
    signers: Signers,
    next_id: RequestId,
    queues: BTreeMap<Lane, VecDeque<Queued>>,
    pending: BTreeMap<RequestId, Pending>,
    limiters: [RateLimiter; 3],
    clocks: [Offset; 3],
    /// When a lane that is held by a limit may go on.
    blocked: BTreeMap<Lane, Timestamp>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("endpoints", &self.endpoints)
            .field("pending", &self.pending.len())
            .finish_non_exhaustive()
    }
}

const fn host(product: Product) -> u8 {
    match product {
        Product::Spot => 0,
        Product::UsdM => 1,
        Product::Wallet => 2,
    }
}

impl Wire {
    pub(super) fn new(endpoints: Endpoints, signers: Signers) -> Self {
        let limiter = |product| RateLimiter::new(&weights::first_limits(product));
        Self {
            endpoints,
            signers,
            next_id: 0,
            queues: BTreeMap::new(),
            pending: BTreeMap::new(),
            limiters: [Product::Spot, Product::UsdM, Product::Wallet].map(limiter),
            clocks: [Offset::default(); 3],
            blocked: BTreeMap::new(),
        }
    }

    fn limiter(&mut self, product: Product) -> &mut RateLimiter {
        let [spot, usdm, wallet] = &mut self.limiters;
        match product {
            Product::Spot => spot,
            Product::UsdM => usdm,
            Product::Wallet => wallet,
        }
    }

    pub(super) const fn clock(&self, product: Product) -> &Offset {
        let [spot, usdm, wallet] = &self.clocks;
        match product {
            Product::Spot => spot,
            Product::UsdM => usdm,
            Product::Wallet => wallet,
        }
    }

    /// Takes a measured offset; the wallet's host is spot's.
    pub(super) const fn set_clock(&mut self, product: Product, measured: Offset) {
        let [spot, usdm, wallet] = &mut self.clocks;
        match product {
            Product::UsdM => *usdm = measured,
            Product::Spot | Product::Wallet => (*spot, *wallet) = (measured, measured),
        }
    }

    pub(super) fn set_limits(&mut self, product: Product, rows: &[basis_live::actor::Limit]) {
        self.limiter(product).set_limits(rows);
    }

    /// Whether the product is spoken to at all.
    pub(super) fn has(&self, product: Product) -> bool {
        self.endpoints.origin(product).is_some()
    }

    /// Returns the text that subscribes to spot's private stream at `now`.
    pub(super) fn spot_subscription(&self, now: Timestamp, id: StreamId) -> Secret {
        let stamp = Stamp::new(self.clock(Product::Spot).venue(now));
        spot_subscription(id, stamp, self.signers.of(Product::Spot))
    }

    /// Returns scheme and host of the private stream of `product`.
    pub(super) fn stream_origin(&self, product: Product) -> &str {
        match product {
            Product::UsdM => &self.endpoints.usdm_stream,
            Product::Spot | Product::Wallet => &self.endpoints.spot_stream,
        }
    }

    /// Queues a request that acts, for at most `wait`.
    pub(super) fn act(&mut self, now: Timestamp, draft: Draft, purpose: Purpose, wait: Span) {
        self.push(draft, purpose, now.plus(wait));
    }

    /// Queues a read.
    pub(super) fn read(&mut self, now: Timestamp, draft: Draft, purpose: Purpose) {
        self.push(draft, purpose, now.plus(READ_WAIT_MAX));
    }

    fn push(&mut self, draft: Draft, purpose: Purpose, not_after: Timestamp) {
        let lane = Lane {
            host: host(draft.product),
            acts: draft.effect == Effect::Act,
        };
        self.queues.entry(lane).or_default().push_back(Queued {
            draft,
            purpose,
            not_after,
        });
    }

    /// Takes queued requests for `purpose` back, unsent; whether there was one.
    pub(super) fn withdraw(&mut self, purpose: Purpose) -> bool {
        let mut found = false;
        for queue in self.queues.values_mut() {
            queue.retain(|queued| {
                let keeps = queued.purpose != purpose;
                found |= !keeps;
                keeps
            });
        }
        found
    }

    /// What waits to act.
    pub(super) fn waiting_acts(&self) -> Vec<Purpose> {
        let acts = self.queues.iter().filter(|(lane, _)| lane.acts);
        acts.flat_map(|(_, queue)| queue.iter().map(|queued| queued.purpose))
            .collect()
    }

    /// Hands out what may leave at `now`. While `held`, new orders wait.
    pub(super) fn pump(&mut self, now: Timestamp, held: bool, outputs: &mut Vec<Output>) -> Pumped {
        let mut pumped = Pumped::default();
        self.blocked.clear();
        let lanes: Vec<Lane> = self.queues.keys().copied().collect();
        for lane in lanes {
            self.expire(lane, now, &mut pumped);
            if self.pending.values().all(|pending| pending.lane != lane) {
                self.pump_lane(lane, now, held, (&mut pumped, outputs));
            }
        }
        pumped
    }

    fn expire(&mut self, lane: Lane, now: Timestamp, pumped: &mut Pumped) {
        if let Some(queue) = self.queues.get_mut(&lane) {
            queue.retain(|queued| {
                let is_late = queued.not_after <= now;
                if is_late {
                    pumped.expired.push(queued.purpose);
                }
                !is_late
            });
        }
    }

    fn pump_lane(
        &mut self,
        lane: Lane,
        now: Timestamp,
        held: bool,
        (pumped, outputs): (&mut Pumped, &mut Vec<Output>),
    ) {
        let Some(queue) = self.queues.get(&lane) else {
            return;
        };
        let goes = |queued: &Queued| !(held && queued.purpose.waits_for_unknown());
        let Some((place, first)) = queue.iter().enumerate().find(|(_, queued)| goes(queued)) else {
            return;
        };
        let cost = weights::cost(&first.draft);
        let product = first.draft.product;
        if let Err(at) = self.limiter(product).admit(now, cost) {
            self.blocked.insert(lane, at);
            return;
        }
        let queue = self.queues.get_mut(&lane);
        let Some(queued) = queue.and_then(|queue| queue.remove(place)) else {
            return;
        };
        let stamp = Stamp::new(self.clock(product).venue(now));
        let origin = self.endpoints.origin(product).unwrap_or_default();
        let request = queued
            .draft
            .finish_at(origin, stamp, self.signers.of(product));
        let id = self.next_id;
        self.next_id = self.next_id.saturating_add(1);
        let pending = Pending {
            purpose: queued.purpose,
            lane,
            product,
            effect: queued.draft.effect,
            sent_at: now,
            until: now.plus(ANSWER_MAX),
        };
        self.pending.insert(id, pending);
        pumped.sent.push((queued.purpose, stamp));
        outputs.push(Output::Send { id, lane, request });
    }

    /// Takes the answer to a request; `None` for one that is no longer waited for.
    pub(super) fn answered(
        &mut self,
        now: Timestamp,
        id: RequestId,
        result: Result<Response, TransportError>,
    ) -> Option<Answered> {
        let pending = self.pending.remove(&id)?;
        let product = pending.product;
        if let Ok(response) = &result {
            for (counted, interval, amount) in weights::used(response) {
                let limiter = self.limiter(product);
                limiter.observe(now, counted, interval, amount);
            }
        }
        let status = result.as_ref().map(|response| response.status);
        let is_limit = matches!(status, Ok(418 | 429));
        let wait = result.as_ref().ok().and_then(retry_after);
        let result = judge((product, pending.effect), result);
        self.hold(now, product, (is_limit, wait), &result);
        Some(Answered {
            purpose: pending.purpose,
            sent_at: pending.sent_at,
            result,
        })
    }

    /// Holds a host that says that it is asked too much.
    fn hold(
        &mut self,
        now: Timestamp,
        product: Product,
        (is_limit, wait): (bool, Option<Span>),
        result: &Result<Vec<u8>, Failure>,
    ) {
        let failure = result.as_ref().err();
        let by_code = failure.is_some_and(|failure| failure.class == Class::Limit);
        if !is_limit && !by_code {
            return;
        }
        let banned = failure.and_then(|failure| failure.banned_until);
        let banned = banned.map(|until| self.clock(product).ours(until));
        // A limit code alone is of one interval, a status of the whole address.
        let default = if is_limit {
            HOLD
        } else {
            Span::from_seconds(10)
        };
        let until = now.plus(wait.unwrap_or(default));
        let until = banned.map_or(until, |banned| banned.max(until));
        self.limiter(product).hold(until);
    }

    /// Gives up requests that are not answered in time: what acts has an unknown outcome.
    pub(super) fn time_out(&mut self, now: Timestamp) -> Vec<Answered> {
        let late: Vec<_> = self
            .pending
            .iter()
            .filter(|(_, pending)| pending.until <= now)
            .map(|(id, _)| *id)
            .collect();
        let given_up = late.into_iter().filter_map(|id| {
            let text = format!("no answer within {ANSWER_MAX}");
            self.answered(now, id, Err(TransportError::Unanswered(text)))
        });
        given_up.collect()
    }

    /// When something here is due by itself.
    pub(super) fn due(&self) -> Option<Timestamp> {
        let answers = self.pending.values().map(|pending| pending.until);
        let waits = self
            .queues
            .values()
            .flatten()
            .map(|queued| queued.not_after);
        let blocked = self.blocked.values().copied();
        answers.chain(waits).chain(blocked).min()
    }
}

fn retry_after(response: &Response) -> Option<Span> {
    let mut headers = response.headers.iter();
    let (_, value) = headers.find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?;
    let seconds: u32 = value.trim().parse().ok()?;
    Some(Span::from_seconds(i64::from(seconds)))
}

/// Whether a failed read may pass when it is repeated.
pub(super) const fn may_pass(failure: &Failure) -> bool {
    !matches!(failure.kind, VenueErrorKind::Auth(_))
}
