//! The conformance suite: numbered cases that hold for every venue, run through the factory.
//!
//! A case runs at each [`Subject`], in a world that has all built-in venues on one chain, the built-in
//! synthetic market, and the venue of somebody else's where the subject brings one ([`Bench::with`]). A venue
//! skips a case only when none of its capabilities could fail it; [`skips`] says which.
//! `docs/conformance.md` lists the cases and how to add a venue.

mod answer;
mod bookkeeping;
mod creation;
mod desk;
mod market;
mod refusals;
mod repeats;
mod script;
mod subjects;
mod terms;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use basis::core::instruction::OperationKind;

use self::desk::{Check, Desk};

pub use self::market::{Added, Bench};
pub use self::script::{Script, Status, op};
pub use self::subjects::{Amount, OneAccount, Probe, SUBJECTS, Subject};

/// One case.
#[derive(Debug)]
pub struct Case {
    /// Its number in the documentation.
    pub number: u32,
    /// What must hold.
    pub title: &'static str,
    /// Why a venue with these operations cannot be put to it.
    denied: fn(&[OperationKind]) -> Option<&'static str>,
    run: fn(&Subject) -> Check,
}

/// No capabilities excuse from the case.
fn never(_: &[OperationKind]) -> Option<&'static str> {
    None
}

/// Quantities have 18 decimals: one with too many cannot be written where every asset has as many.
fn only_ether(operations: &[OperationKind]) -> Option<&'static str> {
    let of_ether = |kind: &OperationKind| {
        matches!(
            kind,
            OperationKind::Stake
                | OperationKind::Unstake
                | OperationKind::ClaimUnstake
                | OperationKind::Wrap
                | OperationKind::Unwrap
                | OperationKind::ClaimRewards
        )
    };
    let all = operations.iter().all(of_ether);
    all.then_some("its operations deal in assets of 18 decimals only, as many as a quantity has")
}

/// Orders on a book are no transactions on the chain.
fn off_chain(operations: &[OperationKind]) -> Option<&'static str> {
    let trades = operations.contains(&OperationKind::SpotTrade);
    trades.then_some("its operations are no transactions, so none can be a step of a group")
}

macro_rules! cases {
    ($($number:literal: $title:literal, $denied:path, $run:path;)*) => {
        /// The cases, in order.
        pub const CASES: &[Case] = &[
            $(Case { number: $number, title: $title, denied: $denied, run: $run },)*
        ];
    };
}

cases! {
    1: "created by the factory as the driver row says", never, creation::created;
    2: "not ready before its dependencies, ready after", never, creation::ready;
    3: "every operation outside the capabilities is refused", never, refusals::unsupported;
    4: "unknown asset, symbol, pool, market, account, order, withdrawal request", never, refusals::unknown;
    5: "zero and negative amounts", never, refusals::no_amount;
    6: "above what is there", never, refusals::too_much;
    7: "below a minimum, above a cap or maximum", never, refusals::bounds;
    8: "more decimals than the asset has", only_ether, refusals::decimals;
    9: "a price or rate that is too old", never, refusals::stale;
    10: "a series that the run does not read is named", never, refusals::missing;
    11: "every supported operation, settled, open or pending as documented", never, bookkeeping::supported;
    12: "lines add up to positions, quantity and units", never, bookkeeping::sums;
    13: "no cause twice", never, bookkeeping::causes;
    14: "refusals in the middle of a script touch nothing", never, refusals::untouched;
    15: "trades cancel out, other lines are units at the reference price", never, bookkeeping::values;
    16: "two worlds, the same events and lines byte for byte", never, bookkeeping::deterministic;
    17: "asked twice at one instant, nothing new", never, bookkeeping::once;
    18: "not due means nothing to say", never, bookkeeping::due;
    19: "healthy after a success, failures counted", never, refusals::health;
    20: "positions sorted, no empty rows", never, bookkeeping::sorted;
    21: "a failing step in a group restores everything", off_chain, refusals::all_or_nothing;
    22: "gas once per transaction, in ETH, and none otherwise", never, bookkeeping::gas;
    23: "live is refused with its reason", never, creation::live;
    24: "an unknown key is refused or warned of, with the nearest one", never, creation::settings;
    25: "terms are how the venue deals", never, terms::terms;
    26: "an instruction taken on before does nothing", never, repeats::taken_on;
    27: "polled again after instructions, nothing to add", never, repeats::polled_again;
    28: "a fact has one key, and is booked once however often it is reported", never, repeats::keys;
    29: "every event survives JSON unchanged", never, repeats::json;
    30: "account() never waits and is empty before the first answer", never, repeats::account;
    31: "a refusal is one event and nothing else", never, repeats::one_refusal;
}

/// What the interface of each subject can do.
fn capabilities(subjects: &[Subject]) -> BTreeMap<&'static str, Vec<OperationKind>> {
    let of = |subject: &Subject| {
        let mut desk = Desk::new(subject.bench).unwrap();
        let venue = desk.venue(subject.venue);
        (subject.venue, venue.capabilities().operations.clone())
    };
    subjects.iter().map(of).collect()
}

/// Runs one case at every subject; a line says how it went at each.
///
/// # Panics
/// With every finding, not only the first.
#[expect(clippy::print_stdout, reason = "a skip must be loud")]
pub fn run(number: u32, subjects: &[Subject]) {
    let case = CASES.iter().find(|case| case.number == number).unwrap();
    let capabilities = capabilities(subjects);
    let mut findings = String::new();
    for subject in subjects {
        let Subject { venue, .. } = subject;
        let verdict = match (case.denied)(&capabilities[venue]) {
            Some(reason) => format!("SKIP: {reason}"),
            None => match (case.run)(subject) {
                Ok(()) => "pass".to_owned(),
                Err(finding) => {
                    writeln!(findings, "case {number} at {venue}: {finding}").unwrap();
                    "FAIL".to_owned()
                }
            },
        };
        println!("case {number:02} {venue:<9} {verdict} ({})", case.title);
    }
    assert!(findings.is_empty(), "{}:\n{findings}", case.title);
}

/// Runs every case at every subject.
///
/// # Panics
/// As [`run`].
pub fn run_all(subjects: &[Subject]) {
    for case in CASES {
        run(case.number, subjects);
    }
}

/// Plays the scripts of built-in venues side by side in one world, where they share chain and wallet.
///
/// # Panics
/// With the finding.
pub fn side_by_side(subjects: &[Subject]) {
    bookkeeping::side_by_side(subjects).unwrap();
}

/// The cases that subjects skip, in order.
#[must_use]
pub fn skips(subjects: &[Subject]) -> Vec<(u32, &'static str)> {
    let capabilities = capabilities(subjects);
    let mut skips = Vec::new();
    for case in CASES {
        for Subject { venue, .. } in subjects {
            if (case.denied)(&capabilities[venue]).is_some() {
                skips.push((case.number, *venue));
            }
        }
    }
    skips
}
