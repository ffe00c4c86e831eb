//! Each fault alone, for each request that acts, at spot and USD-M.

use basis_core::instruction::TimeInForce;
use basis_core::types::Side;
use basis_sim::server::binance::Product;
use basis_sim::server::faults::{Failure, Fault, Rule, When};
use basis_testkit::{BTC, perp_limit, perp_market, spot_limit, spot_market, transfer};

use crate::plan::{Move, Plan, account};
use crate::process::InMemory;
use crate::schedules::Run;
use crate::teeth::Tooth;
use crate::venue::Temper;

/// Method and path of a request, and the moves that it is made by.
type Doing = (&'static str, &'static str, Vec<(i64, Move)>);

/// What is done, and the request that it is done by.
fn doings() -> Vec<Doing> {
    let rest_spot = spot_limit(Side::Buy, "0.02", "49000", TimeInForce::Gtc);
    let rest_perp = perp_limit(Side::Buy, "0.02", "49000", TimeInForce::Gtc);
    let fills = spot_limit(Side::Sell, "0.05", "50005", TimeInForce::Gtc);
    let moved = transfer("USDT", "100", account("spot"), account("usdm"));
    vec![
        (
            "POST",
            "/api/v3/order",
            vec![(0, Move::Execute(spot_market(Side::Buy, "0.02")))],
        ),
        (
            "POST",
            "/fapi/v1/order",
            vec![(0, Move::Execute(perp_market(BTC, Side::Sell, "0.02")))],
        ),
        (
            "POST",
            "/api/v3/order",
            vec![
                (0, Move::Execute(fills)),
                (400, Move::Trade(Product::Spot, Side::Buy, "0.2")),
            ],
        ),
        (
            "DELETE",
            "/api/v3/order",
            vec![
                (0, Move::Execute(rest_spot.clone())),
                (1_000, Move::Cancel(0)),
            ],
        ),
        (
            "DELETE",
            "/fapi/v1/order",
            vec![
                (0, Move::Execute(rest_perp.clone())),
                (1_000, Move::Cancel(0)),
                (1_001, Move::Trade(Product::UsdM, Side::Sell, "2")),
            ],
        ),
        (
            "PUT",
            "/fapi/v1/order",
            vec![
                (0, Move::Execute(rest_perp)),
                (1_000, Move::Amend(0, Some("0.03"), Some("49100"))),
            ],
        ),
        (
            "PUT",
            "/api/v3/order/amend/keepPriority",
            vec![
                (0, Move::Execute(rest_spot)),
                (1_000, Move::Amend(0, Some("0.01"), None)),
            ],
        ),
        (
            "POST",
            "/sapi/v1/asset/transfer",
            vec![(0, Move::Execute(moved))],
        ),
    ]
}

pub(crate) fn faults() -> Vec<Fault> {
    let failures = [
        Failure::TooManyRequests(2),
        Failure::Banned(5),
        Failure::Firewall,
        Failure::BackendTimeout,
        Failure::UnknownError,
        Failure::ServiceUnavailable,
        Failure::InternalError,
        Failure::UnexpectedResponse,
        Failure::BadGateway,
        Failure::GatewayTimeout,
        Failure::Page,
        Failure::Error {
            status: 400,
            code: -1021,
            msg: "Timestamp for this request is outside of the recvWindow.",
        },
        Failure::Error {
            status: 400,
            code: -1999,
            msg: "A new rule.",
        },
    ];
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
    for failure in failures {
        let certain = matches!(
            failure,
            Failure::TooManyRequests(_) | Failure::Banned(_) | Failure::Error { code: -1021, .. }
        );
        faults.push(Fault::Reply {
            reply: failure.clone(),
            taken: false,
        });
        if !certain {
            faults.push(Fault::Reply {
                reply: failure,
                taken: true,
            });
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
            request_ms: 40,
            reply_ms: 60,
            clock_ahead_ms: 900,
            transfer_delay_ms: 2_000,
            ..Temper::default()
        },
        Temper {
            duplicate_rows: true,
            burns_bnb: true,
            clock_ahead_ms: -900,
            ..Temper::default()
        },
    ]
}

#[test]
fn each_fault_alone_ends_as_the_venue_has_it() {
    let mut failed = Vec::new();
    for (method, path, moves) in doings() {
        for fault in faults() {
            for temper in tempers() {
                let rule = Rule::on(method, path, When::Nth(1), fault.clone());
                let plan = Plan {
                    seed: 1,
                    temper,
                    faults: vec![rule],
                    moves: moves.clone(),
                    tooth: Tooth::None,
                    faults_until_ms: 5_000,
                };
                let mut run = Run::new(InMemory::new(), &plan);
                run.carry_out(&plan);
                let found = run.verdict();
                if !found.is_empty() {
                    failed.push(format!("{method} {path} {fault:?} {temper:?}: {found:?}"));
                }
            }
        }
    }
    let count = failed.len();
    failed.truncate(6);
    assert_eq!(count, 0, "{}", failed.join("\n"));
}
