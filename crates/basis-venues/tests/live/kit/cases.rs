//! Each fault alone, for each request that acts, at spot and perpetuals.

use basis_core::instruction::TimeInForce;
use basis_core::types::Side;
use basis_sim::server::faults::{Fault, Rule, When};
use basis_sim::server::unified::Category;
use basis_testkit::{BTC, perp_limit, perp_market, set_leverage, spot_limit, spot_market};

use super::Bench;
use super::plan::{Move, Plan, moved};
use super::schedules::found;
use super::teeth::Tooth;
use super::venue::Temper;

/// What is done, and the request that it is done by.
fn doings<B: Bench>() -> Vec<(&'static str, Vec<(i64, Move)>)> {
    let rest_spot = spot_limit(Side::Buy, "0.02", "49000", TimeInForce::Gtc);
    let rest_perp = perp_limit(Side::Buy, "0.02", "49000", TimeInForce::Gtc);
    let fills = spot_limit(Side::Sell, "0.05", "50005", TimeInForce::Gtc);
    let paths = B::PATHS;
    let (create, cancel, amend) = (paths.place, paths.cancel, paths.amend);
    vec![
        (
            create,
            vec![(0, Move::Execute(spot_market(Side::Buy, "0.02")))],
        ),
        (
            create,
            vec![(0, Move::Execute(perp_market(BTC, Side::Sell, "0.02")))],
        ),
        (
            create,
            vec![
                (0, Move::Execute(fills)),
                (400, Move::Trade(Category::Spot, Side::Buy, "0.2")),
            ],
        ),
        (
            create,
            vec![
                (0, Move::RejectNext),
                (1, Move::Execute(perp_market(BTC, Side::Buy, "0.02"))),
            ],
        ),
        (
            cancel,
            vec![
                (0, Move::Execute(rest_spot.clone())),
                (1_000, Move::Cancel(0)),
            ],
        ),
        (
            cancel,
            vec![
                (0, Move::Execute(rest_perp.clone())),
                (1_000, Move::Cancel(0)),
                (1_001, Move::Trade(Category::Linear, Side::Sell, "2")),
            ],
        ),
        (
            amend,
            vec![
                (0, Move::Execute(rest_perp)),
                (1_000, Move::Amend(0, Some("0.03"), Some("49100"))),
            ],
        ),
        (
            amend,
            vec![
                (0, Move::Execute(rest_spot)),
                (1_000, Move::Amend(0, Some("0.01"), None)),
            ],
        ),
        (
            paths.transfer,
            vec![(0, Move::Execute(moved::<B>("100", true)))],
        ),
        (
            paths.leverage,
            vec![(0, Move::Execute(set_leverage("5", None)))],
        ),
    ]
}

fn faults<B: Bench>() -> Vec<Fault> {
    let mut faults = vec![
        Fault::DropRequest,
        Fault::DropReply,
        Fault::DelayRequest(1_000),
        Fault::DelayRequest(5_000),
        Fault::DelayEngine(2_000),
        Fault::DelayEngine(9_900),
        Fault::DelayReply(5_000),
        Fault::DelayReply(20_000),
        Fault::Garble,
        Fault::Freeze(2_000),
        Fault::Freeze(8_000),
        Fault::Restart(3_000),
    ];
    for reply in B::refused() {
        faults.push(Fault::Reply {
            reply,
            taken: false,
        });
    }
    for reply in B::uncertain() {
        for taken in [false, true] {
            let reply = reply.clone();
            faults.push(Fault::Reply { reply, taken });
        }
    }
    faults
}

fn tempers() -> [Temper; 3] {
    [
        Temper::default(),
        Temper {
            stale_reads_ms: 3_000,
            late_rows_ms: 4_000,
            engine_ms: 900,
            request_ms: 40,
            reply_ms: 60,
            clock_ahead_ms: 900,
            transfer_delay_ms: 2_000,
            ..Temper::default()
        },
        Temper {
            duplicate_rows: true,
            transfers_fail: true,
            transfer_delay_ms: 500,
            engine_ms: 50,
            clock_ahead_ms: -900,
            ..Temper::default()
        },
    ]
}

pub(crate) fn each_fault_alone<B: Bench>() {
    let mut failed = Vec::new();
    for (path, moves) in doings::<B>() {
        for fault in faults::<B>() {
            for temper in tempers() {
                let plan = Plan {
                    seed: 1,
                    temper,
                    faults: vec![Rule::on("POST", path, When::Nth(1), fault.clone())],
                    moves: moves.clone(),
                    tooth: Tooth::None,
                    faults_until_ms: 5_000,
                };
                let found = found::<B>(&plan);
                if !found.is_empty() {
                    failed.push(format!("{path} {moves:?} {fault:?} {temper:?}: {found:?}"));
                }
            }
        }
    }
    let count = failed.len();
    failed.truncate(6);
    assert_eq!(count, 0, "{}", failed.join("\n"));
}
