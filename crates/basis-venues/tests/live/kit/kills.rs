//! The process killed at every step: every input that its machine takes and every commit of its journal.

use basis_core::instruction::TimeInForce;
use basis_core::types::Side;
use basis_sim::server::unified::Category;
use basis_testkit::{BTC, perp_market, spot_limit, spot_market};

use super::Bench;
use super::plan::{Move, Plan, moved};
use super::schedules::Run;
use super::teeth::Tooth;
use super::venue::Temper;
use crate::process::InMemory;

fn plans<B: Bench>() -> Vec<Plan> {
    let plan = |moves| Plan {
        seed: 3,
        temper: Temper {
            request_ms: 10,
            reply_ms: 10,
            engine_ms: 30,
            transfer_delay_ms: 1_000,
            ..Temper::default()
        },
        faults: Vec::new(),
        moves,
        tooth: Tooth::None,
        faults_until_ms: 6_000,
    };
    let rest = spot_limit(Side::Sell, "0.05", "50005", TimeInForce::Gtc);
    vec![
        plan(vec![
            (0, Move::Execute(spot_market(Side::Buy, "0.02"))),
            (1_000, Move::Execute(perp_market(BTC, Side::Sell, "0.02"))),
        ]),
        plan(vec![
            (0, Move::Execute(rest)),
            (900, Move::Trade(Category::Spot, Side::Buy, "0.03")),
            (2_500, Move::Cancel(0)),
        ]),
        plan(vec![(0, Move::Execute(moved::<B>("100", false)))]),
    ]
}

/// Runs `plan` with one more move at its beginning; returns how often the process died.
fn deaths<B: Bench>(plan: &Plan, first: Move) -> u32 {
    let mut moves = vec![(0, first)];
    moves.extend(plan.moves.iter().cloned());
    let plan = Plan {
        moves,
        ..plan.clone()
    };
    let mut run = Run::<B, _>::new(InMemory::new(), &plan);
    run.carry_out(&plan);
    assert_eq!(run.verdict(), Vec::<String>::new(), "{plan:?}");
    run.deaths
}

pub(crate) fn killed_at_any_step<B: Bench>() {
    for plan in plans::<B>() {
        let mut steps = 0;
        while steps <= 150 && deaths::<B>(&plan, Move::KillAfter(steps)) > 0 {
            // Later steps are reads of what is known already.
            steps += if steps < 60 { 1 } else { 7 };
        }
        assert!(steps > 10, "{steps}");
    }
}

pub(crate) fn journal_that_cannot_be_written<B: Bench>() {
    for plan in plans::<B>() {
        let mut commits = 0;
        while deaths::<B>(&plan, Move::DiskFull(commits)) > 0 {
            commits += 1;
        }
        assert!(commits >= 2, "{commits}");
    }
}
