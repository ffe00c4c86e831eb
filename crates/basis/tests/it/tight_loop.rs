//! The engine with venues that are not ours: pending futures, late fills, refused legs.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use basis::core::clock::{Clock, VirtualClock};
use basis::core::error::Code;
use basis::core::executor::{BoxFuture, Executor, ExecutorError};
use basis::core::instruction::Intent;
use basis::core::journal::{Journal, JournalError, Outcome as Recorded};
use basis::core::plan::{Action, Block, FailurePolicy, Leg, Plan};
use basis::core::types::{InstructionId, Side, Span, Timestamp};

use crate::world::{ALPHA, BETA, START, World, hour, lines, order, q, send};

const FLAT: [(&str, &str); 8] = [("60000", "60100"); 8];

fn plan(blocks: Vec<Vec<Leg>>, failure_policy: FailurePolicy) -> Plan {
    let blocks = blocks
        .into_iter()
        .map(|legs| Block {
            legs,
            failure_policy,
        })
        .collect();
    Plan {
        action: Action::EntryFull,
        reason: "test",
        blocks,
    }
}

/// Hour 1: fund both venues. Hour 3 (the wallet's transfers take 15 minutes): trade.
fn plans(blocks: Vec<Vec<Leg>>, policy: FailurePolicy) -> Vec<(Timestamp, Plan)> {
    let fund = plan(
        vec![vec![send("200000", ALPHA), send("100000", BETA)]],
        FailurePolicy::Halt,
    );
    vec![(hour(1), fund), (hour(3), plan(blocks, policy))]
}

/// What funding leaves in the ledger before any trade.
fn funding_lines() -> Vec<String> {
    [
        "wallet.main USDT 1000000 1000000 deposit",
        "wallet.main USDT -200000 -200000 transfer",
        "wallet.main USDT -10 -10 transfer_cost",
        "in_flight.main USDT 200000 200000 transfer",
        "wallet.main USDT -100000 -100000 transfer",
        "wallet.main USDT -10 -10 transfer_cost",
        "in_flight.main USDT 100000 100000 transfer",
        "in_flight.main USDT -200000 -200000 transfer",
        "alpha.main USDT 200000 200000 transfer",
        "in_flight.main USDT -100000 -100000 transfer",
        "beta.main USDT 100000 100000 transfer",
    ]
    .map(str::to_owned)
    .to_vec()
}

const SPOT: [&str; 3] = [
    "alpha.main BTC 1 60000 trade",
    "alpha.main USDT -60000 -60000 trade",
    "alpha.main USDT -60 -60 fee",
];
const SPOT_BACK: [&str; 3] = [
    "alpha.main BTC -1 -60000 trade",
    "alpha.main USDT 60000 60000 trade",
    "alpha.main USDT -60 -60 fee",
];
const PERP: [&str; 2] = [
    "beta.main beta:perp:BTCUSDT -1.5 -90150 trade",
    "beta.main USDT -45.075 -45.075 fee",
];
const PERP_BACK: [&str; 2] = [
    "beta.main beta:perp:BTCUSDT 1.5 90150 trade",
    "beta.main USDT -45.075 -45.075 fee",
];
const NEXT: [&str; 2] = [
    "beta.main beta:perp:BTCUSDT -0.25 -15025 trade",
    "beta.main USDT -7.5125 -7.5125 fee",
];

fn compensate() -> FailurePolicy {
    FailurePolicy::Compensate {
        naked_delta_max: q("0.001"),
        naked_time_max: Span::from_minutes(1),
    }
}

fn refused(settings: &'static str, policy: FailurePolicy) -> Vec<String> {
    let trade = vec![order(ALPHA, Side::Buy, "1"), order(BETA, Side::Sell, "1.5")];
    let next = vec![order(BETA, Side::Sell, "0.25")];
    let world = World {
        closes: FLAT.to_vec(),
        settings,
        plans: plans(vec![trade, next], policy),
        journal: None,
    };
    let result = world.run().result.unwrap();
    assert_eq!(result.counts.rejections, 1);
    assert!(
        result
            .steps
            .attribution
            .iter()
            .all(|step| step.residual.is_zero())
    );
    lines(&result)
}

fn after_funding(parts: &[&[&str]]) -> Vec<String> {
    let mut expected = funding_lines();
    expected.extend(
        parts
            .iter()
            .flat_map(|part| part.iter().map(|line| (*line).to_owned())),
    );
    expected
}

const SPOT_REFUSED: &str = "{ wallet: {}, alpha: { refuse: 1 }, beta: {} }";
const PERP_REFUSED: &str = "{ wallet: {}, alpha: {}, beta: { refuse: 1.5 } }";

#[test]
fn halt_keeps_what_filled_and_drops_the_rest_of_the_plan() {
    assert_eq!(
        refused(SPOT_REFUSED, FailurePolicy::Halt),
        after_funding(&[&PERP])
    );
    assert_eq!(
        refused(PERP_REFUSED, FailurePolicy::Halt),
        after_funding(&[&SPOT])
    );
}

#[test]
fn continue_keeps_what_filled_and_goes_on_with_the_next_block() {
    assert_eq!(
        refused(SPOT_REFUSED, FailurePolicy::Continue),
        after_funding(&[&PERP, &NEXT])
    );
    assert_eq!(
        refused(PERP_REFUSED, FailurePolicy::Continue),
        after_funding(&[&SPOT, &NEXT])
    );
}

#[test]
fn compensate_unwinds_the_legs_that_filled() {
    assert_eq!(
        refused(SPOT_REFUSED, compensate()),
        after_funding(&[&PERP, &PERP_BACK])
    );
    assert_eq!(
        refused(PERP_REFUSED, compensate()),
        after_funding(&[&SPOT, &SPOT_BACK])
    );
}

#[test]
fn open_delta_beyond_its_bound_stops_the_run() {
    // The unwinding sell of 1.5 is refused as well, so 1.5 stay open.
    let world = World {
        closes: FLAT.to_vec(),
        settings: "{ wallet: {}, alpha: { refuse: 1 }, beta: { answer_seconds: 50 } }",
        plans: plans(
            vec![vec![
                order(ALPHA, Side::Buy, "1"),
                order(BETA, Side::Sell, "1.5"),
            ]],
            compensate(),
        ),
        journal: None,
    };
    // 50 seconds to fill and 50 to unwind are beyond the minute that delta may stand open.
    let e = world.run().result.unwrap_err();
    assert_eq!(e.code, Code::NakedDelta);
    assert!(e.message.contains("bound 1min"), "{}", e.message);
}

#[test]
fn legs_overlap_late_fills_and_own_funding_reach_the_books() {
    let world = World {
        closes: vec![
            ("60000", "60100"),
            ("60000", "60100"),
            ("60000", "60100"),
            ("61000", "61200"),
            ("61000", "61200"),
        ],
        settings: "
wallet: {}
alpha: { answer_seconds: 3 }
beta: { answer_seconds: 5, fills_late: true, funding_rate: 0.0001 }",
        plans: plans(
            vec![vec![
                order(ALPHA, Side::Buy, "1"),
                order(BETA, Side::Sell, "1"),
            ]],
            compensate(),
        ),
        journal: None,
    };
    let outcome = world.run();
    let result = outcome.result.unwrap();
    // Both were sent before either answered, and the faster answered first.
    let expected = [
        "alpha sent 3",
        "beta sent 4",
        "alpha answered 3",
        "beta answered 4",
    ];
    assert_eq!(outcome.trace, expected);
    let mut ledger = after_funding(&[&SPOT]);
    ledger.extend(
        [
            // Half at once: 0.5 × 60,100 and its fee.
            "beta.main beta:perp:BTCUSDT -0.5 -30050 trade",
            "beta.main USDT -15.025 -15.025 fee",
            // At half past three, on the position of 0.5 at the mark the view shows at four.
            "beta.main USDT 3.06 3.06 funding",
            // The other half, twenty to four, at 61,200.
            "beta.main beta:perp:BTCUSDT -0.5 -30600 trade",
            "beta.main USDT -15.3 -15.3 fee",
            // Half past four, on the whole position.
            "beta.main USDT 6.12 6.12 funding",
        ]
        .map(str::to_owned),
    );
    assert_eq!(lines(&result), ledger);
    assert_eq!(result.counts.fills, 3);
    assert!(
        result
            .steps
            .attribution
            .iter()
            .all(|step| step.residual.is_zero())
    );
    // 1 BTC from 60,000 to 61,000, short half from 60,100 and half from 61,200, funding, fees.
    let equity = "1000000 - 20 + 1000 - 0.5 * 1100 + 9.18 - 60 - 15.025 - 15.3";
    let expected = q("1000348.855");
    assert_eq!(
        result.steps.equity_usd.last().unwrap().get(),
        expected.get(),
        "{equity}"
    );
}

#[test]
fn two_overlapping_legs_take_as_long_as_the_slower_one() {
    let world = World {
        closes: FLAT[..3].to_vec(),
        settings: "{ wallet: {}, alpha: { answer_seconds: 3 }, beta: { answer_seconds: 5 } }",
        plans: plans(
            vec![vec![
                order(ALPHA, Side::Buy, "1"),
                order(BETA, Side::Sell, "1"),
            ]],
            compensate(),
        ),
        journal: None,
    };
    let outcome = world.run();
    outcome.result.unwrap();
    assert_eq!(outcome.clock.now(), hour(3).plus(Span::from_seconds(5)));
}

/// A journal that only remembers the order of things.
#[derive(Debug, Default)]
struct Remembering {
    lines: Arc<Mutex<Vec<String>>>,
    refuse: bool,
}

impl Journal for Remembering {
    fn record_intents(&mut self, intents: &[Intent]) -> Result<(), JournalError> {
        if self.refuse {
            return Err(JournalError("disk full".to_owned()));
        }
        let ids: Vec<_> = intents
            .iter()
            .map(|intent| intent.instruction.id.0)
            .collect();
        self.lines.lock().unwrap().push(format!("intents {ids:?}"));
        Ok(())
    }

    fn record_outcomes(
        &mut self,
        outcomes: &[(InstructionId, Recorded)],
    ) -> Result<(), JournalError> {
        let words = outcomes.iter().map(|(id, outcome)| match outcome {
            Recorded::Confirmed(_) => format!("{id} confirmed"),
            Recorded::Failed(_) => format!("{id} failed"),
            Recorded::Unknown(_) => format!("{id} unknown"),
        });
        self.lines
            .lock()
            .unwrap()
            .push(words.collect::<Vec<_>>().join(", "));
        Ok(())
    }

    fn open_intents(&self) -> Result<Vec<Intent>, JournalError> {
        Ok(Vec::new())
    }
}

fn journaled(settings: &'static str, refuse: bool) -> (crate::world::Outcome, Vec<String>) {
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let journal = Remembering {
        lines: Arc::clone(&lines),
        refuse,
    };
    let world = World {
        closes: FLAT.to_vec(),
        settings,
        plans: plans(
            vec![vec![
                order(ALPHA, Side::Buy, "1"),
                order(BETA, Side::Sell, "1"),
            ]],
            FailurePolicy::Halt,
        ),
        journal: Some(Box::new(journal)),
    };
    let outcome = world.run();
    let lines = lines.lock().unwrap().clone();
    (outcome, lines)
}

#[test]
fn nothing_is_sent_unless_the_intents_are_written() {
    let (outcome, _) = journaled("{ wallet: {}, alpha: {}, beta: {} }", true);
    assert!(outcome.result.unwrap_err().message.contains("disk full"));
    assert_eq!(outcome.trace, [""; 0], "no venue was asked anything");
}

#[test]
fn an_unknown_outcome_is_recorded_and_never_sent_again() {
    let (outcome, journal) = journaled("{ wallet: {}, alpha: { lose: 1 }, beta: {} }", false);
    assert_eq!(
        journal,
        [
            "intents [1, 2]",
            "1 confirmed, 2 confirmed",
            "intents [3, 4]",
            "3 unknown, 4 confirmed"
        ]
    );
    assert_eq!(outcome.result.unwrap_err().code, Code::OutcomeUnknown);
    let sent = outcome
        .trace
        .iter()
        .filter(|line| *line == "alpha sent 3")
        .count();
    assert_eq!(sent, 1);
}

/// A single-thread tokio with paused time, as the tests of live trading will use.
#[derive(Debug)]
struct PausedTokio(tokio::runtime::Runtime);

impl Executor for PausedTokio {
    fn complete(
        &mut self,
        future: Pin<&mut (dyn Future<Output = ()> + '_)>,
    ) -> Result<(), ExecutorError> {
        self.0.block_on(future);
        Ok(())
    }
}

/// Paused tokio time, shown as the engine's.
#[derive(Debug)]
struct TokioClock(VirtualClock);

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let wait = u64::try_from(at.since(self.now()).nanos()).unwrap_or(0);
        Box::pin(tokio::time::sleep(std::time::Duration::from_nanos(wait)))
    }
}

#[test]
fn the_same_venues_run_on_a_paused_tokio() {
    let world = World {
        closes: FLAT.to_vec(),
        settings: "{ wallet: {}, alpha: { answer_seconds: 3 }, beta: { answer_seconds: 5 } }",
        plans: plans(
            vec![vec![
                order(ALPHA, Side::Buy, "1"),
                order(BETA, Side::Sell, "1"),
            ]],
            compensate(),
        ),
        journal: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let clock = VirtualClock::new(START);
    let venue_clock = Arc::new(TokioClock(clock.clone()));
    let outcome = world.run_on(clock, venue_clock, Box::new(PausedTokio(runtime.unwrap())));
    let result = outcome.result.unwrap();
    assert_eq!(
        outcome.trace.last().map(String::as_str),
        Some("beta answered 4")
    );
    assert_eq!(result.counts.fills, 2);
}
