//! What leaves, when, and over which connection.
//!
//! **Invariants.** A request is stamped and signed when it leaves, not when it is asked for. Each lane has one
//! request under way. A request that acts is handed out once; what has waited too long is given back unsent.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use basis_core::error::VenueErrorKind;
use basis_core::transport::{Response, TransportError};
use basis_core::types::{Span, Timestamp};
use basis_live::actor::{Lane, Limit, Output, RateLimiter, RequestId};

use super::codec::{Group, LiveCodec};
use super::purpose::{Answered, Purpose, judge};
use crate::wire::{Class, Effect, Failure, JsonDraft, Stamp};

/// How long an answer may take.
const ANSWER_MAX: Span = Span::from_seconds(12);
/// How long a read may wait for its turn: longer than the gateway turns an address away.
const READ_WAIT_MAX: Span = Span::from_seconds(720);
/// How long an endpoint rests that is asked too much and does not say how long.
const REST: Span = Span::from_seconds(1);

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
    draft: JsonDraft,
    purpose: Purpose,
    not_after: Timestamp,
}

struct Pending {
    purpose: Purpose,
    lane: Lane,
    effect: Effect,
    group: Group,
    sent_at: Timestamp,
    until: Timestamp,
}

/// What happened to requests without an answer.
#[derive(Debug, Default)]
pub(super) struct Pumped {
    /// These left, each with the last instant at which the venue can accept it.
    pub(super) sent: Vec<(Purpose, Timestamp)>,
    /// These did not, and never will.
    pub(super) expired: Vec<Purpose>,
}

/// Queues, limits and the clock.
pub(super) struct Wire {
    next_id: RequestId,
    queues: BTreeMap<Lane, VecDeque<Queued>>,
    pending: BTreeMap<RequestId, Pending>,
    /// Of the address, and of each endpoint.
    address: RateLimiter,
    endpoints: BTreeMap<Group, RateLimiter>,
    pub(super) clock: Offset,
    /// When a lane that is held by a limit may go on.
    blocked: BTreeMap<Lane, Timestamp>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("pending", &self.pending.len())
            .finish_non_exhaustive()
    }
}

impl Wire {
    pub(super) fn new(address: &[Limit]) -> Self {
        Self {
            next_id: 0,
            queues: BTreeMap::new(),
            pending: BTreeMap::new(),
            address: RateLimiter::new(address),
            endpoints: BTreeMap::new(),
            clock: Offset::default(),
            blocked: BTreeMap::new(),
        }
    }

    /// Queues a request that acts, for at most `wait`.
    pub(super) fn act(&mut self, now: Timestamp, draft: JsonDraft, purpose: Purpose, wait: Span) {
        self.push(draft, purpose, now.plus(wait));
    }

    /// Queues a read.
    pub(super) fn read(&mut self, now: Timestamp, draft: JsonDraft, purpose: Purpose) {
        self.push(draft, purpose, now.plus(READ_WAIT_MAX));
    }

    fn push(&mut self, draft: JsonDraft, purpose: Purpose, not_after: Timestamp) {
        let lane = Lane {
            host: 0,
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
    pub(super) fn pump(
        &mut self,
        now: Timestamp,
        held: bool,
        codec: &dyn LiveCodec,
        outputs: &mut Vec<Output>,
    ) -> Pumped {
        let mut pumped = Pumped::default();
        self.blocked.clear();
        let lanes: Vec<Lane> = self.queues.keys().copied().collect();
        for lane in lanes {
            self.expire(lane, now, &mut pumped);
            if self.pending.values().all(|pending| pending.lane != lane) {
                self.pump_lane(lane, (now, held), codec, (&mut pumped, outputs));
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

    /// When a request may leave, counted at its endpoint and at the address; the venue counts by its own
    /// clock.
    fn admit(
        &mut self,
        now: Timestamp,
        draft: &JsonDraft,
        codec: &dyn LiveCodec,
    ) -> Result<(), Timestamp> {
        let (group, cost) = codec.group(draft);
        let venue = self.clock.venue(now);
        let endpoint = self.endpoints.entry(group);
        let endpoint = endpoint.or_insert_with(|| RateLimiter::new(&[codec.limit(group)]));
        let admitted = endpoint
            .admit(venue, cost)
            .and_then(|()| self.address.admit(venue, cost));
        admitted.map_err(|at| self.clock.ours(at))
    }

    fn pump_lane(
        &mut self,
        lane: Lane,
        (now, held): (Timestamp, bool),
        codec: &dyn LiveCodec,
        (pumped, outputs): (&mut Pumped, &mut Vec<Output>),
    ) {
        let Some(queue) = self.queues.get_mut(&lane) else {
            return;
        };
        let goes = |queued: &Queued| !(held && queued.purpose.waits_for_unknown());
        let Some(place) = queue.iter().position(goes) else {
            return;
        };
        let Some(queued) = queue.remove(place) else {
            return;
        };
        if let Err(at) = self.admit(now, &queued.draft, codec) {
            // A turn at least later, whatever the clocks say.
            self.blocked
                .insert(lane, at.max(now.plus(Span::from_nanos(1))));
            if let Some(queue) = self.queues.get_mut(&lane) {
                queue.insert(place, queued);
            }
            return;
        }
        let stamp = Stamp::new(self.clock.venue(now));
        let request = codec.finish(&queued.draft, stamp);
        let id = self.next_id;
        self.next_id = self.next_id.saturating_add(1);
        let pending = Pending {
            purpose: queued.purpose,
            lane,
            effect: queued.draft.effect,
            group: codec.group(&queued.draft).0,
            sent_at: now,
            until: now.plus(ANSWER_MAX),
        };
        self.pending.insert(id, pending);
        let accepted_until = codec.accepted_until(&queued.draft, stamp);
        pumped.sent.push((queued.purpose, accepted_until));
        outputs.push(Output::Send { id, lane, request });
    }

    /// Takes the answer to a request; `None` for one that is no longer waited for.
    pub(super) fn answered(
        &mut self,
        now: Timestamp,
        (id, result): (RequestId, Result<Response, TransportError>),
        codec: &dyn LiveCodec,
    ) -> Option<Answered> {
        let pending = self.pending.remove(&id)?;
        let answer = result.as_ref().ok();
        let turned_away = answer.and_then(|response| codec.turned_away(response));
        let result = judge(codec, pending.effect, result);
        if let Some(wait) = turned_away {
            self.address.hold(self.clock.venue(now.plus(wait)));
        }
        if let Err(failure) = &result
            && failure.class == Class::Limit
        {
            let wait = match failure.kind {
                VenueErrorKind::RateLimited { retry_after } => retry_after,
                _ => None,
            };
            let until = self.clock.venue(now.plus(wait.unwrap_or(REST)));
            if let Some(endpoint) = self.endpoints.get_mut(&pending.group) {
                endpoint.hold(until);
            }
        }
        Some(Answered {
            purpose: pending.purpose,
            sent_at: pending.sent_at,
            result,
        })
    }

    /// Gives up requests that are not answered in time: what acts has an unknown outcome.
    pub(super) fn time_out(&mut self, now: Timestamp, codec: &dyn LiveCodec) -> Vec<Answered> {
        let late: Vec<_> = self
            .pending
            .iter()
            .filter(|(_, pending)| pending.until <= now)
            .map(|(id, _)| *id)
            .collect();
        let given_up = late.into_iter().filter_map(|id| {
            let text = format!("no answer within {ANSWER_MAX}");
            self.answered(now, (id, Err(TransportError::Unanswered(text))), codec)
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

/// Whether a failed read may pass when it is repeated.
pub(super) const fn may_pass(failure: &Failure) -> bool {
    !matches!(failure.kind, VenueErrorKind::Auth(_))
}
