//! The process killed at every step: every input that its machine takes and every commit of its journal.

use basis_core::instruction::TimeInForce;
use basis_core::types::Side;
use basis_sim::server::binance::Product;
use basis_testkit::{BTC, perp_market, spot_limit, spot_market, transfer};

use crate::plan::{Move, Plan, account};
use crate::process::InMemory;
use crate::schedules::Run;
use crate::teeth::Tooth;
use crate::venue::Temper;

fn plans() -> Vec<Plan> {
    let plan = |moves| Plan {
        seed: 3,
        temper: Temper {
            request_ms: 10,
            reply_ms: 10,
            transfer_delay_ms: 1_000,
            ..Temper::default()
        },
        faults: Vec::new(),
        moves,
        tooth: Tooth::None,
        faults_until_ms: 6_000,
    };
    let rest = spot_limit(Side::Sell, "0.05", "50005", TimeInForce::Gtc);
    let moved = transfer("USDT", "100", account("spot"), account("usdm"));
    vec![
        plan(vec![
            (0, Move::Execute(spot_market(Side::Buy, "0.02"))),
            (1_000, Move::Execute(perp_market(BTC, Side::Sell, "0.02"))),
        ]),
        plan(vec![
            (0, Move::Execute(rest)),
            (900, Move::Trade(Product::Spot, Side::Buy, "0.03")),
            (2_500, Move::Cancel(0)),
        ]),
        plan(vec![(0, Move::Execute(moved))]),
    ]
}

fn with(plan: &Plan, first: Move) -> Plan {
    let mut moves = vec![(0, first)];
    moves.extend(plan.moves.iter().cloned());
    Plan {
        moves,
        ..plan.clone()
    }
}

fn ends_well(plan: &Plan) -> (u32, u64) {
    let mut run = Run::new(InMemory::new(), plan);
    run.carry_out(plan);
    assert_eq!(run.verdict(), Vec::<String>::new(), "{plan:?}");
    (run.deaths, run.process().inputs)
}

#[test]
fn a_process_killed_at_any_step_is_resumed_without_a_second_order() {
    for plan in plans() {
        let mut steps = 0;
        loop {
            let (deaths, _) = ends_well(&with(&plan, Move::KillAfter(steps)));
            if deaths == 0 {
                break;
            }
            // Later steps are reads of what is known already.
            steps += if steps < 60 { 1 } else { 7 };
            if steps > 150 {
                break;
            }
        }
        assert!(steps > 10, "{steps}");
    }
}

#[test]
fn a_journal_that_cannot_be_written_stops_the_process_before_it_sends() {
    for plan in plans() {
        let mut commits = 0;
        loop {
            let (deaths, _) = ends_well(&with(&plan, Move::DiskFull(commits)));
            if deaths == 0 {
                break;
            }
            commits += 1;
        }
        assert!(commits >= 2, "{commits}");
    }
}
