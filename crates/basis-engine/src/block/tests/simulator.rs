//! Venues that do with the legs of one block what a script says, on virtual time, and an engine that
//! drives the machine as the real one does: after every event, and a nanosecond after its deadline.

use std::collections::BTreeMap;

use basis_core::instruction::Operation;
use basis_core::num::Quantity;
use basis_core::plan::{FailurePolicy, Leg};
use basis_core::types::{InstructionId, Side, Span, Timestamp, Venue};
use basis_core::venue_event::{EventKind, OrderState};

use super::super::leg::{Applied, Role, order_of};
use super::super::{BlockEnd, BlockRun, Next, Purpose};
use super::{LOT, atto, delta_of, event, fill, of_atto, order, rejected, revoked, unknown, update};

/// When an unknown order is found out about, when a late one fills, and when a late unwinding one does
/// after it was sent, or so late that it has been given up: seconds.
pub(super) const RESOLVED_AT: i64 = 20;
pub(super) const LATE_AT: i64 = 25;
pub(super) const UNWOUND_AFTER: i64 = 20;
const UNWOUND_TOO_LATE_AFTER: i64 = 90;

/// What a leg of the plan does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    Filled,
    /// A part fills, then the venue cancels the rest.
    Partly,
    Rejected,
    UnknownFilled,
    UnknownDead,
    UnknownForEver,
    /// Nothing is accepted at the venue any more.
    KeyRevoked,
    FilledLate,
    Resting,
    /// A part fills at once.
    RestingPartly,
}

/// What comes of a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cancel {
    Accepted,
    Refused,
    /// The order fills before it.
    TooLate,
}

/// What comes of an order that completes another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    Filled,
    /// Half of it.
    Partly,
    Rejected,
    Unknown,
}

/// What comes of an order that unwinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unwinding {
    Filled,
    /// Half of it.
    Partly,
    Rejected,
    Unknown,
    Late,
    /// It fills when nobody waits for it any more.
    Slow,
}

/// A leg of the plan and what will come of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scripted {
    pub(super) venue: Venue,
    pub(super) side: Side,
    pub(super) quantity: Quantity,
    /// What fills of one that fills in part.
    pub(super) part: Quantity,
    pub(super) behaviour: Behaviour,
    pub(super) cancel: Cancel,
    pub(super) rest: Rest,
    pub(super) unwinding: Unwinding,
}

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) legs: Vec<Scripted>,
    pub(super) policy: FailurePolicy,
    /// How long every answer takes: seconds.
    pub(super) latency: i64,
    /// When risk goes first.
    pub(super) abandoned_at: Option<Timestamp>,
}

/// What came of a block.
#[derive(Debug)]
pub(super) struct Outcome {
    /// How it ended and when; `None` when it waits for ever.
    pub(super) end: Option<(BlockEnd, Timestamp)>,
    /// What the machine sent after the plan's legs, in words.
    pub(super) sent: Vec<String>,
    /// Per leg of the plan, with what completed and unwound it: signed base units net of fees.
    pub(super) net: Vec<i128>,
    /// When anything filled before the block ended: the first and the last.
    pub(super) fills: Option<(Timestamp, Timestamp)>,
    /// How many instructions of each purpose were sent.
    pub(super) counts: BTreeMap<&'static str, usize>,
    /// When what unwinds was sent.
    pub(super) unwound_at: Option<Timestamp>,
}

/// An order at a venue: the leg of the plan it belongs to, and what is still open of it.
#[derive(Debug)]
struct Placed {
    root: usize,
    role: Role,
    leg: Leg,
    filled: Quantity,
    is_final: bool,
    is_unknown: bool,
    is_cancelled_by_us: bool,
}

struct Simulator<'a> {
    world: &'a World,
    now: Timestamp,
    orders: Vec<Placed>,
    /// What the venues will do and report, by instant, in order.
    queue: BTreeMap<Timestamp, Vec<(InstructionId, Act)>>,
    trades: u64,
    outcome: Outcome,
}

/// What happens to an order at an instant.
#[derive(Clone, Copy, Debug)]
enum Act {
    Fills(Quantity),
    Becomes(OrderState),
    Refused,
    Unknown,
    /// A cancellation of the order arrives, with this instruction.
    CancelArrives(InstructionId, Cancel),
}

pub(super) fn run(world: &World) -> Outcome {
    let numbered = (1..).zip(&world.legs);
    let legs: Vec<_> = numbered
        .map(|(id, leg)| order(id, leg.venue, leg.side, leg.quantity))
        .collect();
    let start = super::second(0);
    let mut simulator = Simulator {
        world,
        now: start,
        orders: Vec::new(),
        queue: BTreeMap::new(),
        trades: 0,
        outcome: Outcome {
            end: None,
            sent: Vec::new(),
            net: vec![0; legs.len()],
            fills: None,
            counts: BTreeMap::new(),
            unwound_at: None,
        },
    };
    let mut block = BlockRun::new(legs.clone(), world.policy, start);
    for leg in legs {
        simulator.take_on(leg, Role::Original);
    }
    simulator.deliver(&mut block);
    simulator.go(&mut block);
    simulator.outcome
}

impl Simulator<'_> {
    fn go(&mut self, block: &mut BlockRun) {
        let mut deadline = self.drive(block);
        while self.outcome.end.is_none() {
            // The deadline is a bound: events of its very instant were in time.
            let passed = deadline.map(|at| at.plus(Span::from_nanos(1)).max(self.now));
            let risk = self.world.abandoned_at.filter(|at| *at > self.now);
            let news = self.queue.keys().next().copied();
            let Some(at) = news.into_iter().chain(passed).chain(risk).min() else {
                return;
            };
            self.now = at;
            self.deliver(block);
            if self.world.abandoned_at == Some(at) {
                block.abandon();
            }
            deadline = self.drive(block);
        }
        // What comes later is for the books and the strategy; the block has nothing more to send.
        while let Some(at) = self.queue.keys().next().copied() {
            self.now = at;
            self.deliver(block);
        }
        let next = block.next(self.now, &|_| Some(LOT)).unwrap();
        assert!(
            !matches!(next, Next::Send(..)),
            "sent after the end: {next:?}"
        );
    }

    fn drive(&mut self, block: &mut BlockRun) -> Option<Timestamp> {
        for _ in 0..16 {
            let is_waiting = block.is_waiting(self.now, &|_| Some(LOT));
            let next = block.next(self.now, &|_| Some(LOT)).unwrap();
            assert_eq!(is_waiting, matches!(next, Next::Wait(_)));
            match next {
                Next::Wait(until) => return until,
                Next::End(end) => {
                    self.outcome.end = Some((end, self.now));
                    return None;
                }
                Next::Send(legs, purpose) => self.send(block, legs, purpose),
            }
        }
        panic!("it never stops sending: {:?}", self.outcome.sent);
    }

    fn send(&mut self, block: &mut BlockRun, mut legs: Vec<(Leg, Role)>, purpose: Purpose) {
        assert!(!legs.is_empty(), "{purpose:?} of nothing");
        let sent = u32::try_from(block.legs.len()).unwrap();
        for (id, (leg, role)) in (sent + 1..).zip(&mut legs) {
            leg.instruction.id = InstructionId::plain(id);
            self.note(leg, *role, purpose);
        }
        block.add(legs.clone());
        for (leg, role) in legs {
            match &leg.instruction.operation {
                Operation::CancelOrder(cancel) => self.cancel(leg.instruction.id, cancel.order),
                _ => self.take_on(leg, role),
            }
        }
        self.deliver(block);
    }

    /// Writes down what is sent, and checks that it may be.
    fn note(&mut self, leg: &Leg, role: Role, purpose: Purpose) {
        let (word, root) = match (purpose, role) {
            (Purpose::Cancel, Role::Cancels(at)) => ("cancel", at),
            (Purpose::Complete, Role::Completes(at)) => ("complete", at),
            (Purpose::Cut, Role::Unwinds(at)) => ("cut", at),
            (Purpose::Unwind, Role::Unwinds(at)) => ("unwind", at),
            mixed => panic!("{mixed:?}"),
        };
        let what = order_of(leg).map_or_else(String::new, |asked| {
            format!(" {} {}", asked.side.as_str(), asked.quantity)
        });
        let seconds = self.now.since(super::second(0)).seconds();
        let line = format!("{seconds}s {word}{what} {}", leg.venue);
        self.outcome.sent.push(line);
        *self.outcome.counts.entry(word).or_default() += 1;
        let late = |order: &Placed| {
            // Nothing of an unfinished order is replaced before its time is up.
            let (first, _) = self.outcome.fills.unwrap_or_default();
            order.is_final || self.now >= first.plus(Span::from_seconds(60))
        };
        match role {
            Role::Completes(_) => {
                let mut own = self.orders.iter().filter(|order| order.root == root);
                assert!(own.all(|order| order.is_final), "{:?}", self.outcome.sent);
            }
            Role::Unwinds(_) => {
                self.outcome.unwound_at = Some(self.now);
                let twice = |order: &Placed| order.root == root && order.role == role;
                assert!(!self.orders.iter().any(twice), "{:?}", self.outcome.sent);
                let abandoned = self.world.abandoned_at == Some(self.now);
                let mut others = self.orders.iter().filter(|order| order.role != role);
                let in_turn =
                    |order| late(order) || abandoned || matches!(order.role, Role::Unwinds(_));
                assert!(others.all(in_turn), "{:?}", self.outcome.sent);
            }
            Role::Cancels(_) | Role::Original => {}
        }
    }

    /// Takes an order on and plans what will come of it.
    fn take_on(&mut self, leg: Leg, role: Role) {
        let id = leg.instruction.id;
        let asked = order_of(&leg).unwrap();
        let root = match role {
            Role::Original => self.orders.len(),
            Role::Completes(at) | Role::Unwinds(at) | Role::Cancels(at) => at,
        };
        let script = self.world.legs[root];
        self.orders.push(Placed {
            root,
            role,
            leg,
            filled: Quantity::ZERO,
            is_final: false,
            is_unknown: false,
            is_cancelled_by_us: false,
        });
        let soon = self.now.plus(Span::from_seconds(self.world.latency));
        let resolved = super::second(RESOLVED_AT);
        let (all, half) = (asked.quantity, half_of(asked.quantity));
        match role {
            _ if script.behaviour == Behaviour::KeyRevoked => self.plan(soon, id, &[Act::Refused]),
            Role::Original => match script.behaviour {
                Behaviour::Filled => self.plan(soon, id, &filled(all)),
                Behaviour::Partly => self.plan(soon, id, &cut_off(script.part)),
                Behaviour::Rejected | Behaviour::KeyRevoked => {
                    self.plan(soon, id, &[Act::Refused]);
                }
                Behaviour::UnknownFilled => {
                    self.plan(soon, id, &[Act::Unknown]);
                    self.plan(resolved, id, &filled(all));
                }
                Behaviour::UnknownDead => {
                    self.plan(soon, id, &[Act::Unknown]);
                    self.plan(resolved, id, &[Act::Becomes(OrderState::Lost)]);
                }
                Behaviour::UnknownForEver => self.plan(soon, id, &[Act::Unknown]),
                Behaviour::FilledLate => self.plan(super::second(LATE_AT), id, &filled(all)),
                Behaviour::Resting => {
                    self.plan(soon, id, &[Act::Becomes(OrderState::Working)]);
                }
                Behaviour::RestingPartly => {
                    let part = Act::Fills(script.part);
                    self.plan(soon, id, &[Act::Becomes(OrderState::Working), part]);
                }
            },
            Role::Completes(_) => match script.rest {
                Rest::Filled => self.plan(soon, id, &filled(all)),
                Rest::Partly => self.plan(soon, id, &cut_off(half)),
                Rest::Rejected => self.plan(soon, id, &[Act::Refused]),
                Rest::Unknown => self.plan(soon, id, &[Act::Unknown]),
            },
            Role::Unwinds(_) => match script.unwinding {
                Unwinding::Filled => self.plan(soon, id, &filled(all)),
                Unwinding::Partly => self.plan(soon, id, &cut_off(half)),
                Unwinding::Rejected => self.plan(soon, id, &[Act::Refused]),
                Unwinding::Unknown => self.plan(soon, id, &[Act::Unknown]),
                Unwinding::Slow => {
                    let late = self.now.plus(Span::from_seconds(UNWOUND_TOO_LATE_AFTER));
                    self.plan(late, id, &filled(all));
                }
                // A market order is often reported as taken on before it fills.
                Unwinding::Late => {
                    self.plan(soon, id, &[Act::Becomes(OrderState::Working)]);
                    let late = self.now.plus(Span::from_seconds(UNWOUND_AFTER));
                    self.plan(late, id, &filled(all));
                }
            },
            Role::Cancels(_) => {}
        }
    }

    fn cancel(&mut self, id: InstructionId, target: InstructionId) {
        let order = &mut self
            .orders
            .iter_mut()
            .find(|o| o.leg.instruction.id == target);
        let order = order.as_mut().expect("an order of the block");
        assert!(!order.is_final && !order.is_unknown && !order.is_cancelled_by_us);
        assert!(
            !matches!(order.role, Role::Unwinds(_)),
            "an unwinding order is taken back"
        );
        order.is_cancelled_by_us = true;
        let what = self.world.legs[order.root].cancel;
        let soon = self.now.plus(Span::from_seconds(self.world.latency));
        self.plan(soon, target, &[Act::CancelArrives(id, what)]);
    }

    fn plan(&mut self, at: Timestamp, id: InstructionId, acts: &[Act]) {
        let acts = acts.iter().map(|act| (id, *act));
        self.queue.entry(at).or_default().extend(acts);
    }

    /// Lets everything happen that is due now, and tells the legs.
    fn deliver(&mut self, block: &mut BlockRun) {
        while let Some(entry) = self
            .queue
            .first_entry()
            .filter(|entry| *entry.key() <= self.now)
        {
            for (id, act) in entry.remove() {
                self.act(block, id, act);
            }
        }
    }

    fn act(&mut self, block: &mut BlockRun, id: InstructionId, act: Act) {
        let index = self
            .orders
            .iter()
            .position(|o| o.leg.instruction.id == id)
            .unwrap();
        let order = &mut self.orders[index];
        if order.is_final {
            return;
        }
        let venue = order.leg.venue;
        match act {
            Act::Fills(quantity) => {
                let asked = order_of(&order.leg).unwrap();
                order.filled = order.filled.add(quantity).unwrap();
                self.trades += 1;
                let kind = fill(id, asked, self.trades, quantity);
                self.outcome.net[order.root] += atto(delta_of(&kind));
                if self.outcome.end.is_none() {
                    let (first, _) = self.outcome.fills.unwrap_or((self.now, self.now));
                    self.outcome.fills = Some((first, self.now));
                }
                self.tell(block, id, venue, kind);
            }
            Act::Becomes(state) => {
                order.is_final = state.is_final();
                order.is_unknown = false;
                let kind = update(id, state, order.filled);
                self.tell(block, id, venue, kind);
            }
            Act::Refused => {
                order.is_final = true;
                let is_revoked = self.world.legs[order.root].behaviour == Behaviour::KeyRevoked;
                let kind = if is_revoked {
                    revoked(id, venue)
                } else {
                    rejected(id, venue)
                };
                self.tell(block, id, venue, kind);
            }
            Act::Unknown => {
                order.is_unknown = true;
                self.tell(block, id, venue, unknown(id, venue));
            }
            Act::CancelArrives(by, what) => {
                let asked = order_of(&order.leg).unwrap();
                let open = asked.quantity.sub(order.filled).unwrap();
                let answer = match what {
                    Cancel::Accepted => {
                        self.act(block, id, Act::Becomes(OrderState::Cancelled));
                        EventKind::Done { instruction: by }
                    }
                    Cancel::Refused => rejected(by, venue),
                    Cancel::TooLate => {
                        self.act(block, id, Act::Fills(open));
                        self.act(block, id, Act::Becomes(OrderState::Filled));
                        rejected(by, venue)
                    }
                };
                self.tell(block, by, venue, answer);
            }
        }
    }

    /// Tells a leg, twice where the books would not notice that it is the same.
    fn tell(&self, block: &mut BlockRun, id: InstructionId, venue: Venue, kind: EventKind) {
        let times = if matches!(kind, EventKind::Fill(_)) {
            1
        } else {
            2
        };
        let leg = block.leg_mut(id).unwrap();
        leg.delta = leg.delta.add(delta_of(&kind)).unwrap();
        let event = event(venue, self.now, kind);
        for _ in 0..times {
            assert_eq!(leg.apply(&event), Applied::Accepted);
        }
    }
}

fn filled(quantity: Quantity) -> [Act; 2] {
    [Act::Fills(quantity), Act::Becomes(OrderState::Filled)]
}

/// A fill, and the end of an order that asked for more; no fill of nothing.
fn cut_off(quantity: Quantity) -> Vec<Act> {
    let fills = quantity.is_positive().then_some(Act::Fills(quantity));
    let end = Act::Becomes(OrderState::Expired);
    fills.into_iter().chain([end]).collect()
}

/// Half of it in whole lots.
pub(super) fn half_of(quantity: Quantity) -> Quantity {
    let lot = atto(LOT);
    of_atto(atto(quantity) / 2 / lot * lot)
}
