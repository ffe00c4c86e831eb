//! One hedged pair, ten spot at alpha against ten perp at beta: what is sent, in which order and size,
//! how the block ends and what is held then, case by case.

use basis_core::num::Quantity;
use basis_core::plan::FailurePolicy;
use basis_core::types::{Side, Span};

use super::simulator::{Behaviour, Cancel, Rest, Scripted, Unwinding, World, run};
use super::{ALPHA, BETA, COMPENSATE, of_atto, quantity, second};

/// A leg that fills, with everything that goes well afterwards.
fn leg(behaviour: Behaviour) -> Scripted {
    Scripted {
        venue: ALPHA,
        side: Side::Buy,
        quantity: quantity("10"),
        part: quantity("6"),
        behaviour,
        cancel: Cancel::Accepted,
        rest: Rest::Filled,
        unwinding: Unwinding::Filled,
    }
}

fn pair(spot: Scripted, perp: Scripted, policy: FailurePolicy) -> World {
    let perp = Scripted {
        venue: BETA,
        side: Side::Sell,
        ..perp
    };
    World {
        legs: vec![spot, perp],
        policy,
        latency: 0,
        abandoned_at: None,
    }
}

/// What the machine sends after the plan's legs, how it ends, and what is held at alpha and beta once
/// everything is known.
fn story(world: &World) -> String {
    let outcome = run(world);
    let mut lines = outcome.sent.clone();
    lines.push(outcome.end.map_or_else(
        || "waits".to_owned(),
        |(end, at)| {
            let seconds = at.since(second(0)).seconds();
            let mut line = format!("{seconds}s {}", if end.failed { "failed" } else { "done" });
            if end.plan_ends {
                line.push_str(", plan over");
            }
            for venue in end.stuck {
                line.push_str(&format!(", {venue} stuck"));
            }
            if let Some((open, took)) = end.beyond_bound {
                line.push_str(&format!(", {open} open for {}s", took.seconds()));
            }
            line
        },
    ));
    let held: Vec<_> = outcome
        .net
        .iter()
        .map(|net| of_atto(*net).to_string())
        .collect();
    lines.push(held.join(" "));
    lines.join(" | ")
}

fn assert_story(world: &World, expected: &str) {
    assert_eq!(story(world), expected, "{world:#?}");
}

/// The other leg fills at once. Rows: what the faulty leg does; columns: halt, continue, compensate.
fn assert_table(
    table: [(Behaviour, [&str; 3]); 9],
    world: impl Fn(Scripted, FailurePolicy) -> World,
) {
    let policies = [FailurePolicy::Halt, FailurePolicy::Continue, COMPENSATE];
    for (behaviour, row) in table {
        for (policy, expected) in policies.into_iter().zip(row) {
            assert_story(&world(leg(behaviour), policy), expected);
        }
    }
}

#[test]
fn the_perp_leg_of_a_pair_fails_in_every_way_under_every_policy() {
    let rejected = [
        "0s failed, plan over | 9.99 0",
        "0s failed | 9.99 0",
        "0s unwind sell 9.99 alpha | 0s failed, plan over | 0 0",
    ];
    let table = [
        (Behaviour::Filled, ["0s done | 9.99 -10"; 3]),
        (
            Behaviour::Partly,
            [
                "0s failed, plan over | 9.99 -6",
                "0s failed | 9.99 -6",
                "0s complete sell 4 beta | 0s done | 9.99 -10",
            ],
        ),
        (Behaviour::Rejected, rejected),
        (
            Behaviour::UnknownFilled,
            [
                "0s failed, plan over | 9.99 -10",
                "0s failed | 9.99 -10",
                "20s done | 9.99 -10",
            ],
        ),
        (
            Behaviour::UnknownDead,
            [
                "0s failed, plan over | 9.99 0",
                "0s failed | 9.99 0",
                "20s unwind sell 9.99 alpha | 20s failed, plan over | 0 0",
            ],
        ),
        (
            Behaviour::UnknownForEver,
            [
                "0s failed, plan over | 9.99 0",
                "0s failed | 9.99 0",
                "60s unwind sell 9.99 alpha | 60s failed, plan over | 0 0",
            ],
        ),
        (Behaviour::KeyRevoked, rejected),
        (Behaviour::FilledLate, ["25s done | 9.99 -10"; 3]),
        (
            Behaviour::Resting,
            [
                "0s done | 9.99 0",
                "0s done | 9.99 0",
                "60s cancel beta | 60s unwind sell 9.99 alpha | 60s failed, plan over | 0 0",
            ],
        ),
    ];
    assert_table(table, |faulty, policy| {
        pair(leg(Behaviour::Filled), faulty, policy)
    });
}

#[test]
fn the_spot_leg_of_a_pair_fails_in_every_way_under_every_policy() {
    let rejected = [
        "0s failed, plan over | 0 -10",
        "0s failed | 0 -10",
        "0s unwind buy 10 beta | 0s failed, plan over | 0 0",
    ];
    let table = [
        (Behaviour::Filled, ["0s done | 9.99 -10"; 3]),
        (
            Behaviour::Partly,
            [
                "0s failed, plan over | 5.994 -10",
                "0s failed | 5.994 -10",
                "0s complete buy 4 alpha | 0s done | 9.99 -10",
            ],
        ),
        (Behaviour::Rejected, rejected),
        (
            Behaviour::UnknownFilled,
            [
                "0s failed, plan over | 9.99 -10",
                "0s failed | 9.99 -10",
                "20s done | 9.99 -10",
            ],
        ),
        (
            Behaviour::UnknownDead,
            [
                "0s failed, plan over | 0 -10",
                "0s failed | 0 -10",
                "20s unwind buy 10 beta | 20s failed, plan over | 0 0",
            ],
        ),
        (
            Behaviour::UnknownForEver,
            [
                "0s failed, plan over | 0 -10",
                "0s failed | 0 -10",
                "60s unwind buy 10 beta | 60s failed, plan over | 0 0",
            ],
        ),
        (Behaviour::KeyRevoked, rejected),
        (Behaviour::FilledLate, ["25s done | 9.99 -10"; 3]),
        (
            Behaviour::Resting,
            [
                "0s done | 0 -10",
                "0s done | 0 -10",
                "60s cancel alpha | 60s unwind buy 10 beta | 60s failed, plan over | 0 0",
            ],
        ),
    ];
    assert_table(table, |faulty, policy| {
        pair(faulty, leg(Behaviour::Filled), policy)
    });
}

#[test]
fn an_order_that_rests_and_is_taken_back_in_vain() {
    let resting = |cancel| Scripted {
        cancel,
        ..leg(Behaviour::Resting)
    };
    let world = |cancel| pair(leg(Behaviour::Filled), resting(cancel), COMPENSATE);
    // It fills before its cancellation, and all is well.
    assert_story(
        &world(Cancel::TooLate),
        "60s cancel beta | 60s done | 9.99 -10",
    );
    // It goes on working: nobody waits for it beyond the bound.
    assert_story(
        &world(Cancel::Refused),
        "60s cancel beta | 60s unwind sell 9.99 alpha | 60s failed, plan over | 0 0",
    );
    // What it has filled by then stays, and its sibling is cut to it: 4 × 0.999 in whole lots.
    assert_story(
        &pair(
            leg(Behaviour::Filled),
            leg(Behaviour::RestingPartly),
            COMPENSATE,
        ),
        "60s cancel beta | 60s cut sell 3.99 alpha | 60s failed, plan over | 6 -6",
    );
    // The answer takes a second, and the bound has passed: its fill is a surprise that is reported.
    assert_story(
        &World {
            latency: 1,
            ..world(Cancel::TooLate)
        },
        "61s cancel beta | 61s unwind sell 9.99 alpha \
         | 62s failed, plan over, -9.99 open for 61s | 0 -10",
    );
}

#[test]
fn what_rests_is_taken_back_under_every_policy_once_a_leg_has_failed() {
    let world = |behaviour, policy| pair(leg(behaviour), leg(Behaviour::Resting), policy);
    let both = [
        (FailurePolicy::Halt, "failed, plan over"),
        (FailurePolicy::Continue, "failed"),
    ];
    for (policy, failed) in both {
        for (behaviour, held) in [
            (Behaviour::Rejected, "0 0"),
            (Behaviour::KeyRevoked, "0 0"),
            (Behaviour::Partly, "5.994 0"),
            (Behaviour::UnknownForEver, "0 0"),
            (Behaviour::UnknownFilled, "9.99 0"),
        ] {
            let expected = format!("0s cancel beta | 0s {failed} | {held}");
            assert_story(&world(behaviour, policy), &expected);
        }
        let expected = "25s done | 9.99 0";
        assert_story(&world(Behaviour::FilledLate, policy), expected);
    }
    let expected = "0s cancel beta | 0s failed, plan over | 0 0";
    assert_story(&world(Behaviour::Rejected, COMPENSATE), expected);
    let expected = "20s cancel beta | 20s failed, plan over | 0 0";
    assert_story(&world(Behaviour::UnknownDead, COMPENSATE), expected);
}

#[test]
fn what_filled_in_part_is_completed_and_then_its_sibling_is_cut() {
    let partly = |rest| Scripted {
        rest,
        ..leg(Behaviour::Partly)
    };
    let world = |rest| pair(leg(Behaviour::Filled), partly(rest), COMPENSATE);
    // 6 + 2 + 1 + 0.5: 95 %. Of the spot 0.5 × 0.999 are too many, 0.49 in whole lots.
    assert_story(
        &world(Rest::Partly),
        "0s complete sell 4 beta | 0s complete sell 2 beta | 0s complete sell 1 beta \
         | 0s cut sell 0.49 alpha | 0s failed, plan over | 9.5 -9.5",
    );
    // 60 %: 4 × 0.999 too many.
    assert_story(
        &world(Rest::Rejected),
        "0s complete sell 4 beta | 0s cut sell 3.99 alpha | 0s failed, plan over | 6 -6",
    );
    assert_story(
        &world(Rest::Unknown),
        "0s complete sell 4 beta | 60s cut sell 3.99 alpha | 60s failed, plan over | 6 -6",
    );
    // What it was completed with is cut with it, in one order: 6 + 2 + 1 + 0.5 of the spot, all of them
    // bought at a fee of 0.1 %, against 60 % of the perp.
    let mut world = pair(partly(Rest::Partly), partly(Rest::Rejected), COMPENSATE);
    assert_story(
        &world,
        "0s complete buy 4 alpha | 0s complete sell 4 beta \
         | 0s cut sell 1.99 alpha | 0s failed, plan over | 6.002 -6",
    );
    // Both in equal parts: nothing is left to cut.
    world.legs[0].rest = Rest::Rejected;
    assert_story(
        &world,
        "0s complete buy 4 alpha | 0s complete sell 4 beta | 0s failed, plan over | 5.994 -6",
    );
}

#[test]
fn what_is_short_by_less_than_a_lot_is_not_short() {
    for (part, compensated) in [
        ("9.995", "0s done | 9.99 -9.995"),
        ("9.99", "0s complete sell 0.01 beta | 0s done | 9.99 -10"),
    ] {
        let perp = Scripted {
            part: quantity(part),
            ..leg(Behaviour::Partly)
        };
        assert_story(&pair(leg(Behaviour::Filled), perp, COMPENSATE), compensated);
    }
    let perp = Scripted {
        part: quantity("9.995"),
        ..leg(Behaviour::Partly)
    };
    let world = pair(leg(Behaviour::Filled), perp, FailurePolicy::Halt);
    assert_story(&world, "0s done | 9.99 -9.995");
}

#[test]
fn what_unwinds_and_fails_is_not_unwound_again() {
    let world = |unwinding| {
        let spot = Scripted {
            unwinding,
            ..leg(Behaviour::Filled)
        };
        pair(spot, leg(Behaviour::Rejected), COMPENSATE)
    };
    assert_story(
        &world(Unwinding::Rejected),
        "0s unwind sell 9.99 alpha | 0s failed, plan over, alpha stuck, 9.99 open for 0s | 9.99 0",
    );
    assert_story(
        &world(Unwinding::Unknown),
        "0s unwind sell 9.99 alpha | 60s failed, plan over, alpha stuck, 9.99 open for 0s | 9.99 0",
    );
    assert_story(
        &world(Unwinding::Partly),
        "0s unwind sell 9.99 alpha | 0s failed, plan over, alpha stuck, 5 open for 0s | 5 0",
    );
    assert_story(
        &world(Unwinding::Slow),
        "0s unwind sell 9.99 alpha | 60s failed, plan over, alpha stuck, 9.99 open for 0s | 0 0",
    );
    // Reported as working and filled later, it is waited for and not taken back.
    assert_story(
        &world(Unwinding::Late),
        "0s unwind sell 9.99 alpha | 20s failed, plan over | 0 0",
    );
}

#[test]
fn a_block_without_fills_is_waited_for_only_while_something_may_come_of_it() {
    let world = |spot, perp| pair(leg(spot), leg(perp), COMPENSATE);
    assert_story(
        &world(Behaviour::Resting, Behaviour::Resting),
        "waits | 0 0",
    );
    // What is unknown may have filled when it was sent.
    let expected = "60s failed, plan over | 0 0";
    assert_story(
        &world(Behaviour::Rejected, Behaviour::UnknownForEver),
        expected,
    );
    let expected = "60s cancel alpha | 60s failed, plan over | 0 0";
    assert_story(
        &world(Behaviour::Resting, Behaviour::UnknownForEver),
        expected,
    );
}

#[test]
fn an_answer_that_takes_time_is_waited_for() {
    let mut world = pair(leg(Behaviour::Filled), leg(Behaviour::Partly), COMPENSATE);
    world.latency = 2;
    assert_story(&world, "2s complete sell 4 beta | 4s done | 9.99 -10");
    world.legs[1].behaviour = Behaviour::Rejected;
    assert_story(
        &world,
        "2s unwind sell 9.99 alpha | 4s failed, plan over | 0 0",
    );
    world.policy = FailurePolicy::Halt;
    world.legs[0].behaviour = Behaviour::Resting;
    assert_story(&world, "2s cancel alpha | 4s failed, plan over | 0 0");
}

#[test]
fn an_abandoned_block_ends_as_its_policy_says_and_waits_for_nothing() {
    let mut world = pair(leg(Behaviour::Filled), leg(Behaviour::Resting), COMPENSATE);
    world.abandoned_at = Some(second(10));
    let expected = "10s cancel beta | 10s unwind sell 9.99 alpha | 10s failed, plan over | 0 0";
    assert_story(&world, expected);
    // What unwinds is under way: its venue is not stuck.
    world.latency = 1;
    assert_story(&world, expected);
    world.legs[1].behaviour = Behaviour::UnknownForEver;
    let expected = "10s unwind sell 9.99 alpha | 10s failed, plan over | 0 0";
    assert_story(&world, expected);
    world.legs[0].unwinding = Unwinding::Rejected;
    world.latency = 0;
    let expected = "10s unwind sell 9.99 alpha \
         | 10s failed, plan over, alpha stuck, 9.99 open for 0s | 9.99 0";
    assert_story(&world, expected);
    // What has not been answered is taken back too.
    let mut world = pair(
        leg(Behaviour::Filled),
        leg(Behaviour::FilledLate),
        FailurePolicy::Halt,
    );
    world.abandoned_at = Some(second(10));
    assert_story(&world, "10s cancel beta | 10s failed, plan over | 9.99 0");
}

#[test]
fn without_time_to_wait_what_is_known_at_once_still_completes() {
    let policy = FailurePolicy::Compensate {
        naked_delta_max: Quantity::ZERO,
        naked_time_max: Span::ZERO,
    };
    let world = pair(leg(Behaviour::Filled), leg(Behaviour::Partly), policy);
    assert_story(&world, "0s complete sell 4 beta | 0s done | 9.99 -10");
}
