//! The private streams: what they make known sooner, what goes wrong with them, and that they are never the
//! only proof.

use basis_core::instruction::{Operation, TimeInForce};
use basis_core::num::Quantity;
use basis_core::types::Side;
use basis_core::venue_event::EventKind;
use basis_sim::server::binance::Product;
use basis_sim::server::faults::{Fault, Rule, Target, When};
use basis_testkit::{BTC, perp_limit, perp_market, q, spot_limit, spot_market, transfer};

use crate::book::Ledger;
use crate::plan::{Move, Plan, account};
use crate::process::{InMemory, Store};
use crate::schedules::Run;
use crate::teeth::Tooth;
use crate::venue::{Temper, after};

const PERP_FRAME: &str = "ORDER_TRADE_UPDATE";
const SPOT_FRAME: &str = "executionReport";

fn plan(temper: Temper, faults: Vec<Rule>, moves: Vec<(i64, Move)>) -> Plan {
    Plan {
        seed: 11,
        temper,
        faults,
        moves,
        tooth: Tooth::None,
        faults_until_ms: 8_000,
    }
}

/// A process that is ready, whose streams have had time to open.
fn ready(temper: Temper) -> Run<InMemory> {
    let mut run = Run::new(InMemory::new(), &plan(temper, Vec::new(), Vec::new()));
    run.get_ready();
    wait(&mut run, 2_000);
    run
}

fn wait(run: &mut Run<InMemory>, ms: i64) {
    let at = after(run.process().now(), ms);
    run.run_to(at);
}

fn rests(product: Product) -> Operation {
    match product {
        Product::Spot => spot_limit(Side::Sell, "0.02", "49995", TimeInForce::Gtc),
        Product::UsdM => perp_limit(Side::Sell, "0.02", "49995", TimeInForce::Gtc),
    }
}

fn filled(run: &Run<InMemory>) -> Quantity {
    let ledger = Ledger::of(&run.store.commits());
    let mut sum = Quantity::ZERO;
    for fill in &ledger.fills {
        sum = sum.add(fill.quantity).unwrap();
    }
    sum
}

/// What was said of the connection, in order.
fn connectivity(run: &Run<InMemory>) -> Vec<(bool, String)> {
    let commits = run.store.commits();
    let events = commits.iter().flat_map(|commit| &commit.events);
    let said = events.filter_map(|taken| match &taken.event.kind {
        EventKind::Connectivity { connected, error } => {
            let text = error.as_ref().map(ToString::to_string);
            Some((*connected, text.unwrap_or_default()))
        }
        _ => None,
    });
    said.collect()
}

/// How often a path was asked for.
fn asked(run: &mut Run<InMemory>, method: &str, path: &str) -> usize {
    let sent = run.process().driver.network.sent.iter();
    let fits = sent.filter(|(_, request)| {
        request.method == method && request.url.split('?').next().unwrap().ends_with(path)
    });
    fits.count()
}

#[test]
fn a_fill_is_known_as_soon_as_its_frame_is_here() {
    for product in [Product::Spot, Product::UsdM] {
        for (polls_only, expected) in [(false, q("0.02")), (true, Quantity::ZERO)] {
            let temper = Temper {
                polls_only,
                ..Temper::default()
            };
            let mut run = ready(temper);
            run.make(&Move::Execute(rests(product)));
            // Between two questions of a client that only asks.
            wait(&mut run, 1_000);
            run.make(&Move::Trade(product, Side::Buy, "0.2"));
            wait(&mut run, 20);
            assert_eq!(
                filled(&run),
                expected,
                "{product:?}, polls only: {polls_only}"
            );
            wait(&mut run, 40_000);
            assert_eq!(filled(&run), q("0.02"));
            assert_eq!(run.verdict(), Vec::<String>::new());
        }
    }
}

#[test]
fn a_resting_order_is_asked_for_seldom_while_its_stream_is_live() {
    for (polls_only, bounds) in [(false, 1..=5), (true, 25..=35)] {
        let temper = Temper {
            polls_only,
            ..Temper::default()
        };
        let mut run = ready(temper);
        run.make(&Move::Execute(rests(Product::UsdM)));
        wait(&mut run, 60_000);
        let count = asked(&mut run, "GET", "/fapi/v1/order");
        assert!(bounds.contains(&count), "{count}, polls only: {polls_only}");
    }
}

fn doings() -> Vec<Vec<(i64, Move)>> {
    let moved = transfer("USDT", "100", account("spot"), account("usdm"));
    let rest_and_fill = |product| {
        vec![
            (0, Move::Execute(rests(product))),
            (700, Move::Trade(product, Side::Buy, "0.01")),
            (1_500, Move::Trade(product, Side::Buy, "0.2")),
        ]
    };
    let rest_and_cancel = |product| {
        vec![
            (0, Move::Execute(rests(product))),
            (1_000, Move::Cancel(0)),
            (1_001, Move::Trade(product, Side::Buy, "0.01")),
        ]
    };
    let amended = |product, price| {
        vec![
            (0, Move::Execute(rests(product))),
            (500, Move::Amend(0, Some("0.01"), price)),
            (1_500, Move::Trade(product, Side::Buy, "0.2")),
        ]
    };
    vec![
        vec![(0, Move::Execute(spot_market(Side::Buy, "0.02")))],
        vec![(0, Move::Execute(perp_market(BTC, Side::Sell, "0.02")))],
        rest_and_fill(Product::Spot),
        rest_and_fill(Product::UsdM),
        rest_and_cancel(Product::Spot),
        rest_and_cancel(Product::UsdM),
        amended(Product::Spot, None),
        amended(Product::UsdM, Some("49994")),
        vec![(0, Move::Execute(moved))],
    ]
}

fn stream_faults() -> Vec<Vec<Rule>> {
    let faults = [
        Fault::CloseStream,
        Fault::DropFrame,
        Fault::DuplicateFrame,
        Fault::DelayFrame(1_200),
        Fault::DelayFrame(30_000),
        Fault::GarbleFrame,
        Fault::Freeze(4_000),
        Fault::Restart(3_000),
    ];
    let mut rules = Vec::new();
    for fault in faults {
        for when in [When::Nth(1), When::Nth(2), When::Always] {
            let on = |event| Rule::on_frame(event, when, fault.clone());
            rules.push(vec![on(SPOT_FRAME), on(PERP_FRAME)]);
        }
    }
    // Closed, and then not to be had again.
    let refused = Rule {
        target: Target::Connection,
        when: When::Always,
        fault: Fault::RefuseConnection,
    };
    let closed = |event| Rule::on_frame(event, When::Nth(1), Fault::CloseStream);
    rules.push(vec![closed(SPOT_FRAME), closed(PERP_FRAME), refused]);
    rules
}

#[test]
fn each_stream_fault_alone_ends_as_the_venue_has_it() {
    let late = Temper {
        frame_ms: 90,
        reply_ms: 60,
        request_ms: 40,
        late_rows_ms: 3_000,
        stale_reads_ms: 2_000,
        ..Temper::default()
    };
    // Frames overtake the answers.
    let early = Temper {
        reply_ms: 300,
        duplicate_rows: true,
        ..Temper::default()
    };
    let mut failed = Vec::new();
    for moves in doings() {
        for faults in stream_faults() {
            for temper in [Temper::default(), late, early] {
                let plan = plan(temper, faults.clone(), moves.clone());
                let mut run = Run::new(InMemory::new(), &plan);
                run.carry_out(&plan);
                let found = run.verdict();
                if !found.is_empty() {
                    failed.push(format!("{faults:?} {moves:?} {temper:?}: {found:?}"));
                }
            }
        }
    }
    let count = failed.len();
    failed.truncate(4);
    assert_eq!(count, 0, "{}", failed.join("\n"));
}

#[test]
fn a_frame_that_never_comes_is_noticed_and_the_stream_opened_anew() {
    let mut run = ready(Temper::default());
    let gap = Rule::on_frame(PERP_FRAME, When::Always, Fault::DropFrame);
    run.process().driver.network.set_faults(vec![gap]);
    run.make(&Move::Execute(rests(Product::UsdM)));
    wait(&mut run, 100);
    run.make(&Move::Trade(Product::UsdM, Side::Buy, "0.2"));
    wait(&mut run, 60_000);
    assert_eq!(filled(&run), q("0.02"));
    let said = connectivity(&run);
    assert!(said[0].1.contains("is not on it"), "{said:?}");
    assert!(said[1].0, "{said:?}");
    assert!(asked(&mut run, "POST", "/fapi/v1/listenKey") >= 2);
}

#[test]
fn a_stream_that_falls_silent_is_noticed_and_opened_anew() {
    let mut run = ready(Temper::default());
    run.process().driver.network.is_deaf = true;
    run.make(&Move::Execute(rests(Product::Spot)));
    wait(&mut run, 100);
    run.make(&Move::Trade(Product::Spot, Side::Buy, "0.2"));
    wait(&mut run, 300_000);
    let said = connectivity(&run);
    for silent in [
        "the private stream of spot: ",
        "the private stream of USD-M: ",
    ] {
        let found = said.iter().any(|(is, text)| !is && text.contains(silent));
        assert!(found, "{said:?}");
    }
    run.process().driver.network.is_deaf = false;
    wait(&mut run, 90_000);
    assert!(connectivity(&run).last().unwrap().0);
    run.make(&Move::Execute(rests(Product::UsdM)));
    wait(&mut run, 100);
    run.make(&Move::Trade(Product::UsdM, Side::Buy, "0.2"));
    wait(&mut run, 20);
    assert_eq!(filled(&run), q("0.04"));
    assert_eq!(run.verdict(), Vec::<String>::new());
}

#[test]
fn a_listen_key_that_runs_out_is_replaced() {
    let mut run = ready(Temper::default());
    let lost = Rule::on(
        "POST",
        "/fapi/v1/listenKey",
        When::Always,
        Fault::DropRequest,
    );
    run.process().driver.network.set_faults(vec![lost]);
    wait(&mut run, 70 * 60_000);
    let said = connectivity(&run);
    assert!(
        said.iter()
            .any(|(_, text)| text.contains("the venue ended it")),
        "{said:?}"
    );
    run.calm();
    wait(&mut run, 90_000);
    let key = run.process().driver.network.urls.last().unwrap().clone();
    assert_ne!(
        Some(&key),
        run.process()
            .driver
            .network
            .urls
            .iter()
            .find(|url| url.contains("private"))
    );
    run.make(&Move::Execute(rests(Product::UsdM)));
    wait(&mut run, 100);
    run.make(&Move::Trade(Product::UsdM, Side::Buy, "0.2"));
    wait(&mut run, 20);
    assert_eq!(filled(&run), q("0.02"));
}

#[test]
fn streams_are_renewed_before_the_venue_ends_their_day() {
    let mut run = ready(Temper::default());
    wait(&mut run, 50 * 3_600_000);
    assert_eq!(connectivity(&run), []);
    let streams = run.process().driver.network.urls.len();
    assert_eq!(streams, 6, "two products, three days that are begun");
}

/// Whether a client that asks nothing ends as the venue has it.
fn trusting(faults: Vec<Rule>) -> Vec<String> {
    let plan = Plan {
        tooth: Tooth::TrustsStream,
        ..plan(Temper::default(), faults, Vec::new())
    };
    let mut run = Run::new(InMemory::new(), &plan);
    run.get_ready();
    wait(&mut run, 2_000);
    run.process().driver.network.set_faults(plan.faults.clone());
    run.make(&Move::Execute(rests(Product::UsdM)));
    wait(&mut run, 500);
    run.make(&Move::Trade(Product::UsdM, Side::Buy, "0.2"));
    wait(&mut run, 8_000);
    run.calm();
    wait(&mut run, 90_000);
    run.verdict()
}

#[test]
fn a_client_that_trusts_the_stream_alone_is_found() {
    assert_eq!(trusting(Vec::new()), Vec::<String>::new());
    // The second frame is the fill.
    let gap = Rule::on_frame(PERP_FRAME, When::Nth(2), Fault::DropFrame);
    let found = trusting(vec![gap]);
    assert!(
        found.iter().any(|text| text.contains("is not known")),
        "{found:?}"
    );
}
