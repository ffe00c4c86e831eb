//! All pairs of faults over three venues, and chance ones, against the oracle.

use basis_core::plan::FailurePolicy;
use basis_core::types::{Side, Span};
use proptest::prelude::*;

use super::oracle::{Verdict, verdict};
use super::simulator::{Behaviour, Cancel, Outcome, Rest, Scripted, Unwinding, World, run};
use super::{ALPHA, BETA, COMPENSATE, GAMMA, LOT, atto, quantity, second};

const BEHAVIOURS: [Behaviour; 10] = [
    Behaviour::Filled,
    Behaviour::Partly,
    Behaviour::Rejected,
    Behaviour::UnknownFilled,
    Behaviour::UnknownDead,
    Behaviour::UnknownForEver,
    Behaviour::KeyRevoked,
    Behaviour::FilledLate,
    Behaviour::Resting,
    Behaviour::RestingPartly,
];
const CANCELS: [Cancel; 3] = [Cancel::Accepted, Cancel::Refused, Cancel::TooLate];
const RESTS: [Rest; 4] = [Rest::Filled, Rest::Partly, Rest::Rejected, Rest::Unknown];
const UNWINDINGS: [Unwinding; 6] = [
    Unwinding::Filled,
    Unwinding::Partly,
    Unwinding::Rejected,
    Unwinding::Unknown,
    Unwinding::Late,
    Unwinding::Slow,
];

/// Ten spot against six and four perp, all of which fill.
fn plan() -> [Scripted; 3] {
    let leg = |venue, side, asked, part| Scripted {
        venue,
        side,
        quantity: quantity(asked),
        part: quantity(part),
        behaviour: Behaviour::Filled,
        cancel: Cancel::Accepted,
        rest: Rest::Filled,
        unwinding: Unwinding::Filled,
    };
    [
        leg(ALPHA, Side::Buy, "10", "6"),
        leg(BETA, Side::Sell, "6", "3"),
        leg(GAMMA, Side::Sell, "4", "1.6"),
    ]
}

fn world(legs: [Scripted; 3], policy: FailurePolicy, latency: i64) -> World {
    World {
        legs: legs.to_vec(),
        policy,
        latency,
        abandoned_at: None,
    }
}

/// Runs a block and compares what came of it with the oracle and with what must hold of every block.
fn check(world: &World) {
    let outcome = run(world);
    let expected = verdict(world);
    let stuck = |at: &usize| world.legs[*at].venue;
    let actual = Verdict {
        ended: outcome
            .end
            .as_ref()
            .map(|(_, at)| at.since(second(0)).seconds()),
        failed: outcome.end.as_ref().is_some_and(|(end, _)| end.failed),
        plan_ends: outcome.end.as_ref().is_some_and(|(end, _)| end.plan_ends),
        stuck: expected.stuck.clone(),
        net: outcome.net.clone(),
        ..expected
    };
    assert_eq!(actual, expected, "{world:#?}\n{outcome:#?}");
    let Some((end, _)) = &outcome.end else { return };
    let venues: Vec<_> = expected.stuck.iter().map(stuck).collect();
    assert_eq!(end.stuck, venues, "{world:#?}\n{outcome:#?}");
    assert_eq!(end.traded, outcome.fills.is_some(), "{world:#?}");
    check_bounds(world, &outcome, &expected);
}

/// What must hold of every block, whatever became of it.
fn check_bounds(world: &World, outcome: &Outcome, expected: &Verdict) {
    let (end, ended) = outcome.end.as_ref().unwrap();
    let count = |word| outcome.counts.get(word).copied().unwrap_or_default();
    let legs = world.legs.len();
    assert!(count("cancel") <= legs, "{outcome:#?}");
    assert!(count("complete") <= 3 * legs, "{outcome:#?}");
    assert!(count("cut") + count("unwind") <= legs, "{outcome:#?}");
    let FailurePolicy::Compensate {
        naked_delta_max,
        naked_time_max,
    } = world.policy
    else {
        assert_eq!(count("complete") + count("cut") + count("unwind"), 0);
        assert_eq!(end.beyond_bound, None);
        return;
    };
    let Some((first, last)) = outcome.fills else {
        return;
    };
    let latency = Span::from_seconds(world.latency);
    let in_time = first.plus(naked_time_max);
    // What unwinds leaves in time, and whatever becomes of it the block ends.
    assert!(
        outcome.unwound_at.is_none_or(|at| at <= in_time),
        "{outcome:#?}"
    );
    let longest = in_time.plus(naked_time_max.max(latency));
    assert!(*ended <= longest.max(second(120)), "{outcome:#?}");
    let closes = expected.failed && expected.stuck.is_empty() && !expected.surprised;
    if closes {
        // All that stays open are parts of lots.
        let dust = atto(LOT) * legs as i128;
        assert!(expected.open.abs() < dust, "{expected:#?}");
    }
    let late = last.since(first) > naked_time_max;
    let large = expected.open.abs() > atto(naked_delta_max) || expected.surprised;
    let beyond = expected.failed && (late || large);
    if !expected.surprised {
        assert_eq!(
            end.beyond_bound.is_some(),
            beyond,
            "{world:#?}\n{outcome:#?}"
        );
    }
    if closes
        && world.latency == 0
        && world
            .legs
            .iter()
            .all(|leg| leg.unwinding != Unwinding::Late)
    {
        assert_eq!(end.beyond_bound, None, "{world:#?}\n{outcome:#?}");
    }
}

/// Every pair of legs with every pair of behaviours, changed further by `change`.
fn pairs(mut change: impl FnMut([Scripted; 3])) {
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        for first in BEHAVIOURS {
            for second in BEHAVIOURS {
                let mut legs = plan();
                legs[one].behaviour = first;
                legs[other].behaviour = second;
                change(legs);
            }
        }
    }
}

#[test]
fn all_pairs_of_faults_end_as_the_oracle_says_where_nothing_is_compensated() {
    for policy in [FailurePolicy::Halt, FailurePolicy::Continue] {
        pairs(|legs| {
            for cancel in CANCELS {
                for latency in [0, 1] {
                    let legs = legs.map(|leg| Scripted { cancel, ..leg });
                    check(&world(legs, policy, latency));
                }
            }
        });
    }
}

#[test]
fn all_pairs_of_faults_end_as_the_oracle_says_whatever_becomes_of_unwinding() {
    pairs(|legs| {
        for unwinding in UNWINDINGS {
            for cancel in CANCELS {
                for rest in RESTS {
                    for latency in [0, 1] {
                        let legs = legs.map(|leg| Scripted {
                            cancel,
                            rest,
                            unwinding,
                            ..leg
                        });
                        check(&world(legs, COMPENSATE, latency));
                    }
                }
            }
        }
    });
}

fn any_leg() -> impl Strategy<Value = (Behaviour, Cancel, Rest, Unwinding)> {
    use proptest::sample::select;
    (
        select(&BEHAVIOURS[..]),
        select(&CANCELS[..]),
        select(&RESTS[..]),
        select(&UNWINDINGS[..]),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn prop_three_faulty_legs_end_as_the_oracle_says(
        faults in [any_leg(), any_leg(), any_leg()],
        policy in proptest::sample::select(&[FailurePolicy::Halt, FailurePolicy::Continue, COMPENSATE][..]),
        latency in 0i64..3,
    ) {
        let mut legs = plan();
        for (leg, (behaviour, cancel, rest, unwinding)) in legs.iter_mut().zip(faults) {
            *leg = Scripted { behaviour, cancel, rest, unwinding, ..*leg };
        }
        check(&world(legs, policy, latency));
    }
}
