//! What a block must come to, said from the faults of its legs alone: no line of the machine is used.
//! Instants are seconds after the plan's legs were sent, amounts units of 10⁻¹⁸.

use basis_core::plan::FailurePolicy;
use basis_core::types::Side;

use super::simulator::{
    Behaviour, Cancel, LATE_AT, RESOLVED_AT, Rest, Scripted, UNWOUND_AFTER, Unwinding, World,
    half_of,
};
use super::{ALPHA, LOT, atto, of_atto};

/// The bound in time of the policy.
const NAKED_MAX: i64 = 60;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// When it ends; `None`: it waits for ever.
    pub(super) ended: Option<i64>,
    pub(super) failed: bool,
    pub(super) plan_ends: bool,
    /// Legs whose unwinding did not fill whole.
    pub(super) stuck: Vec<usize>,
    /// Signed base units per leg in the end, net of fees.
    pub(super) net: Vec<i128>,
    /// Signed base units that the block itself leaves open, less the share of the plan that is kept.
    pub(super) open: i128,
    /// Whether an order filled after the block had stopped waiting for it.
    pub(super) surprised: bool,
}

/// What the legs have filled, and when.
struct Course<'a> {
    world: &'a World,
    filled: Vec<i128>,
    now: i64,
    first_fill: Option<i64>,
}

pub(super) fn verdict(world: &World) -> Verdict {
    let (lag, legs) = (world.latency, &world.legs);
    let is = |behaviour: Behaviour| legs.iter().any(|leg| leg.behaviour == behaviour);
    let any_unknown = is(Behaviour::UnknownFilled) || is(Behaviour::UnknownDead);
    let compensates = matches!(world.policy, FailurePolicy::Compensate { .. });
    // When everything that can become known by itself is known, unless a policy does not wait.
    let mut now = lag;
    if any_unknown && compensates {
        now = now.max(RESOLVED_AT);
    }
    if is(Behaviour::FilledLate) {
        now = now.max(LATE_AT);
    }
    let by_itself = |leg: &Scripted| match leg.behaviour {
        Behaviour::Filled => (lag, atto(leg.quantity)),
        Behaviour::Partly | Behaviour::RestingPartly => (lag, atto(leg.part)),
        Behaviour::UnknownFilled => (RESOLVED_AT, atto(leg.quantity)),
        Behaviour::FilledLate => (LATE_AT, atto(leg.quantity)),
        _ => (0, 0),
    };
    let own: Vec<_> = legs.iter().map(by_itself).collect();
    let first_fill = own
        .iter()
        .filter(|(_, filled)| *filled > 0)
        .map(|(at, _)| *at)
        .min();
    let filled = own.iter().map(|(_, filled)| *filled).collect();
    let course = Course {
        world,
        filled,
        now,
        first_fill,
    };
    if compensates {
        course.compensated()
    } else {
        course.kept()
    }
}

impl Course<'_> {
    fn is(&self, behaviour: Behaviour) -> bool {
        self.world.legs.iter().any(|leg| leg.behaviour == behaviour)
    }

    fn has_refusal(&self) -> bool {
        self.is(Behaviour::Rejected)
            || self.is(Behaviour::KeyRevoked)
            || self.is(Behaviour::UnknownDead)
    }

    fn resting(&self) -> Vec<(usize, Cancel)> {
        let rests =
            |leg: &Scripted| matches!(leg.behaviour, Behaviour::Resting | Behaviour::RestingPartly);
        let legs = self.world.legs.iter().enumerate();
        let resting = legs.filter(|(_, leg)| rests(leg));
        resting.map(|(at, leg)| (at, leg.cancel)).collect()
    }

    fn too_late(&self) -> Vec<usize> {
        let mut resting = self.resting();
        resting.retain(|(_, cancel)| *cancel == Cancel::TooLate);
        resting.into_iter().map(|(at, _)| at).collect()
    }

    /// Fills what rests and is taken back too late.
    fn taken_back(&mut self) {
        for at in self.too_late() {
            self.filled[at] = atto(self.world.legs[at].quantity);
            self.first_fill = self.first_fill.or(Some(self.now));
        }
    }

    /// What fills of a leg in base, net of the fee of spot buys.
    fn net(&self, at: usize, filled: i128) -> i128 {
        let leg = &self.world.legs[at];
        let in_base = leg.venue == ALPHA && leg.side == Side::Buy;
        filled - if in_base { filled / 1000 } else { 0 }
    }

    fn signed(&self, at: usize, amount: i128) -> i128 {
        i128::from(self.world.legs[at].side.sign()) * amount
    }

    fn verdict(self, failed: bool) -> Verdict {
        let net = (0..self.filled.len()).map(|at| self.signed(at, self.net(at, self.filled[at])));
        Verdict {
            ended: Some(self.now),
            failed,
            plan_ends: failed && self.world.policy != FailurePolicy::Continue,
            net: net.collect(),
            ..Verdict::default()
        }
    }

    /// Under `Halt` and `Continue`: what filled stays; an unknown leg counts as failed; what rests goes on
    /// where nothing failed, and is taken back otherwise.
    fn kept(mut self) -> Verdict {
        let unresolved = self.is(Behaviour::UnknownFilled) && self.now < RESOLVED_AT;
        let failed = self.has_refusal()
            || self.is(Behaviour::Partly)
            || self.is(Behaviour::UnknownForEver)
            || unresolved;
        if failed && !self.resting().is_empty() {
            self.now += self.world.latency;
            self.taken_back();
        }
        self.verdict(failed)
    }

    fn compensated(mut self) -> Verdict {
        let for_ever = self.is(Behaviour::UnknownForEver);
        let rests = !self.resting().is_empty();
        let answers = |cancel| self.resting().iter().any(|(_, answer)| *answer == cancel);
        let (goes_on, too_late) = (answers(Cancel::Refused), answers(Cancel::TooLate));
        let mut surprised = false;
        if rests && self.has_refusal() && !for_ever {
            // It can only be taken back, which is asked as soon as nothing else is awaited.
            self.now += self.world.latency;
            self.taken_back();
            if goes_on {
                let Some(first) = self.first_fill else {
                    return self.waits();
                };
                self.now = first + NAKED_MAX;
            }
        } else if rests || for_ever {
            // What is unknown may have filled when it was sent.
            let Some(first) = self.first_fill.or(for_ever.then_some(0)) else {
                return self.waits();
            };
            self.now = first + NAKED_MAX;
            // The answer to a cancellation at the bound counts only if it is there at once.
            surprised = too_late && self.world.latency > 0;
            if too_late && !surprised {
                // Where only that fill opens delta, what is unknown gets its time again.
                self.now += if self.first_fill.is_none() {
                    NAKED_MAX
                } else {
                    0
                };
                self.taken_back();
            }
        } else if !self.has_refusal() {
            self.complete();
        }
        let mut verdict = self.cut();
        verdict.surprised = surprised;
        for at in self.too_late().into_iter().filter(|_| surprised) {
            let rest = atto(self.world.legs[at].quantity) - self.filled[at];
            verdict.net[at] += self.signed(at, self.net(at, rest));
        }
        verdict
    }

    fn waits(self) -> Verdict {
        let ended = None;
        Verdict {
            ended,
            ..self.verdict(false)
        }
    }

    /// Orders what is missing, up to three times, as long as nothing is refused or unknown.
    fn complete(&mut self) {
        let mut hopeless = self.first_fill.is_none();
        for _ in 0..3 {
            let mut unknown = false;
            let mut any = false;
            for (at, leg) in self.world.legs.iter().enumerate() {
                let missing = atto(leg.quantity) - self.filled[at];
                if hopeless || missing < atto(LOT) {
                    continue;
                }
                any = true;
                match leg.rest {
                    Rest::Filled => self.filled[at] += missing,
                    Rest::Partly => self.filled[at] += atto(half_of(of_atto(missing))),
                    Rest::Rejected | Rest::Unknown => {}
                }
                unknown |= leg.rest == Rest::Unknown;
            }
            let asked = |leg: &Scripted| leg.behaviour == Behaviour::Partly;
            let mut asked = self.world.legs.iter().filter(|leg| asked(leg));
            hopeless |= asked.any(|leg| matches!(leg.rest, Rest::Rejected | Rest::Unknown));
            if any {
                self.now += self.world.latency;
            }
            if unknown {
                self.now = self.first_fill.unwrap_or_default() + NAKED_MAX;
            }
        }
    }

    /// Brings every leg down to the smallest share, in whole lots.
    fn cut(&self) -> Verdict {
        let mut verdict = Course {
            filled: self.filled.clone(),
            ..*self
        }
        .verdict(true);
        let legs = &self.world.legs;
        let share = |at: &usize| (self.filled[*at], atto(legs[*at].quantity));
        let least = (0..legs.len()).map(|at| share(&at));
        let least = least.min_by(|a, b| (a.0 * b.1).cmp(&(b.0 * a.1))).unwrap();
        if least.1 - least.0 < atto(LOT) {
            (verdict.failed, verdict.plan_ends) = (false, false);
            return verdict;
        }
        let (lot, mut took) = (atto(LOT), 0);
        for (at, leg) in legs
            .iter()
            .enumerate()
            .filter(|(at, _)| self.filled[*at] > 0)
        {
            let (filled, net) = (self.filled[at], self.net(at, self.filled[at]));
            let kept = atto(leg.quantity) * least.0 / least.1;
            let excess = net - net * kept / filled;
            verdict.open += self.signed(at, excess);
            let excess = excess / lot * lot;
            if excess == 0 {
                continue;
            }
            let (closed, time) = match leg.unwinding {
                Unwinding::Filled => (excess, self.world.latency),
                Unwinding::Late => (excess, UNWOUND_AFTER),
                Unwinding::Partly => (atto(half_of(of_atto(excess))), self.world.latency),
                Unwinding::Rejected => (0, self.world.latency),
                Unwinding::Unknown | Unwinding::Slow => (0, NAKED_MAX),
            };
            let afterwards = if leg.unwinding == Unwinding::Slow {
                excess
            } else {
                closed
            };
            took = took.max(time);
            if closed < excess {
                verdict.stuck.push(at);
            }
            verdict.net[at] -= self.signed(at, afterwards);
            verdict.open -= self.signed(at, closed);
        }
        verdict.ended = Some(self.now + took);
        verdict
    }
}
