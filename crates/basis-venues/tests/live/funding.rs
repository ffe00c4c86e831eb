//! Funding that the account pays and receives, and the dead-man switch.

use basis_core::instruction::{MarginMode, TimeInForce};
use basis_core::num::Rate;
use basis_core::types::{Side, Span};
use basis_core::venue_event::{EventKind, Funding};
use basis_sim::server::binance::Status;
use basis_sim::server::faults::{Fault, Rule, When};
use basis_testkit::{BTC, START, USDT, p, perp_limit, perp_market, q};

use crate::plan::{Move, Plan};
use crate::process::{InMemory, Store};
use crate::schedules::Run;
use crate::teeth::Tooth;
use crate::venue::{Temper, after};

const HOUR_MS: i64 = 3_600_000;

fn run_of(temper: Temper) -> Run<InMemory> {
    let plan = Plan {
        seed: 5,
        temper,
        faults: Vec::new(),
        moves: Vec::new(),
        tooth: Tooth::None,
        faults_until_ms: 0,
    };
    let mut run = Run::new(InMemory::new(), &plan);
    run.get_ready();
    run
}

fn payments(run: &Run<InMemory>) -> Vec<Funding> {
    let commits = run.store.commits();
    let events = commits.iter().flat_map(|commit| &commit.events);
    let payments = events.filter_map(|taken| match &taken.event.kind {
        EventKind::Funding(funding) => Some((**funding).clone()),
        _ => None,
    });
    payments.collect()
}

/// Sells 0.02 and sets a rate at which that receives 0.1.
fn short(run: &mut Run<InMemory>) {
    run.make(&Move::Execute(perp_market(BTC, Side::Sell, "0.02")));
    let now = run.process().now();
    let venue = &mut run.process().driver.network;
    venue.act(now, |exchange| {
        let rate = Rate::parse("0.0001").unwrap();
        exchange.set_funding_rate(BTC, rate).unwrap();
    });
}

fn run_to_hour(run: &mut Run<InMemory>, hour: i64, ms: i64) {
    run.run_to(after(START, hour * HOUR_MS + ms));
}

#[test]
fn a_payment_is_booked_once_at_its_scheduled_instant() {
    let late = Temper {
        late_rows_ms: 4_000,
        stale_reads_ms: 2_000,
        duplicate_rows: true,
        clock_ahead_ms: 700,
        ..Temper::default()
    };
    let polls = Temper {
        polls_only: true,
        ..late
    };
    for (temper, known_after_ms) in [(Temper::default(), 500), (late, 60_000), (polls, 60_000)] {
        let mut run = run_of(temper);
        short(&mut run);
        run_to_hour(&mut run, 8, known_after_ms);
        let found = payments(&run);
        assert_eq!(found.len(), 1, "{temper:?}: {found:?}");
        let expected = Funding {
            scheduled: START.plus(Span::from_hours(8)),
            margin: MarginMode::Cross,
            asset: USDT,
            position: q("-0.02"),
            mark: p("50000"),
            rate: Rate::parse("0.0001").unwrap(),
            amount: q("0.1"),
            proxy: None,
            ..found[0].clone()
        };
        assert_eq!(found[0], expected);
        run_to_hour(&mut run, 16, 300_000);
        let mut instants: Vec<_> = payments(&run).iter().map(|paid| paid.scheduled).collect();
        instants.dedup();
        assert_eq!(
            instants,
            [8, 16].map(|hours| START.plus(Span::from_hours(hours)))
        );
        assert_eq!(run.verdict(), Vec::<String>::new(), "{temper:?}");
    }
}

#[test]
fn a_payment_while_no_process_runs_is_booked_by_the_next_one() {
    let mut run = run_of(Temper::default());
    short(&mut run);
    run_to_hour(&mut run, 8, -100);
    run.make(&Move::KillAfter(0));
    run_to_hour(&mut run, 8, 120_000);
    assert_eq!(run.deaths, 1);
    assert_eq!(payments(&run).len(), 1);
    run_to_hour(&mut run, 16, 120_000);
    assert_eq!(run.verdict(), Vec::<String>::new());
}

#[test]
fn a_history_that_cannot_be_read_is_read_again() {
    let mut run = run_of(Temper::default());
    short(&mut run);
    let faults = [
        "/fapi/v1/income",
        "/fapi/v1/symbolConfig",
        "/fapi/v1/fundingRate",
    ];
    let faults = faults.map(|path| Rule::on("GET", path, When::Nth(1), Fault::Garble));
    run.process().driver.network.set_faults(faults.to_vec());
    run_to_hour(&mut run, 8, 60_000);
    assert_eq!(payments(&run).len(), 1);
    assert_eq!(run.verdict(), Vec::<String>::new());
}

fn guarded() -> Temper {
    Temper {
        dead_man_seconds: Some(30),
        ..Temper::default()
    }
}

/// The times that the venue was asked to wait, in milliseconds.
fn countdowns(run: &mut Run<InMemory>) -> Vec<String> {
    let sent = run.process().driver.network.sent.iter();
    let of = sent.filter_map(|(_, request)| {
        let (path, query) = request.url.split_once('?')?;
        let (_, rest) = query.split_once("countdownTime=")?;
        let time = rest.split('&').next()?;
        path.ends_with("/countdownCancelAll")
            .then(|| time.to_owned())
    });
    of.collect()
}

fn rest(run: &mut Run<InMemory>) {
    let order = perp_limit(Side::Buy, "0.02", "49000", TimeInForce::Gtc);
    run.make(&Move::Execute(order));
}

fn wait(run: &mut Run<InMemory>, ms: i64) {
    let at = after(run.process().now(), ms);
    run.run_to(at);
}

#[test]
fn the_venue_takes_orders_back_once_nothing_is_heard_of_us() {
    let mut run = run_of(guarded());
    rest(&mut run);
    wait(&mut run, 100_000);
    let count = countdowns(&mut run).len();
    assert!((9..=12).contains(&count), "{count}");
    let now = run.process().now();
    let mut venue = run.end();
    let account = venue.account;
    let status = |venue: &mut crate::venue::Venue, ms| {
        venue.act(after(now, ms), |exchange| {
            exchange.orders(account)[0].2.state.status
        })
    };
    assert_eq!(status(&mut venue, 15_000), Status::New);
    assert_eq!(status(&mut venue, 31_000), Status::Canceled);
}

#[test]
fn the_switch_is_off_unless_asked_for_and_disarmed_when_nothing_rests() {
    let mut run = run_of(Temper::default());
    rest(&mut run);
    wait(&mut run, 40_000);
    assert_eq!(countdowns(&mut run), Vec::<String>::new());
    let mut run = run_of(guarded());
    wait(&mut run, 40_000);
    assert_eq!(countdowns(&mut run), Vec::<String>::new());
    rest(&mut run);
    wait(&mut run, 5_000);
    // A renewal that is lost is sent again.
    let path = "/fapi/v1/countdownCancelAll";
    let lost = Rule::on("POST", path, When::Nth(1), Fault::DropRequest);
    run.process().driver.network.set_faults(vec![lost]);
    wait(&mut run, 7_000);
    assert_eq!(countdowns(&mut run), ["30000"; 3]);
    run.make(&Move::Cancel(0));
    wait(&mut run, 60_000);
    assert_eq!(countdowns(&mut run).last().unwrap(), "0");
    assert_eq!(countdowns(&mut run).len(), 4);
}

#[test]
fn an_account_with_a_foreign_order_is_not_ours_alone() {
    use basis_core::types::BookId;

    let mut run = run_of(guarded());
    rest(&mut run);
    wait(&mut run, 1_000);
    let now = run.process().now();
    let venue = run.end();
    let refused = crate::process::refusal_under(BookId::from_number(8), venue, now);
    assert_eq!(refused.reason, Some("sole_owner"), "{refused:?}");
}
