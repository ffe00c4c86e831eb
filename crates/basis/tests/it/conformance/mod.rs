//! The conformance suite: numbered cases that hold for every built-in venue, run through the factory.
//!
//! Each case runs on each of the ten listed venues and the wallet, in a world that has all eleven on one
//! chain and the built-in synthetic market. A venue skips a case only when none of its capabilities could
//! fail it; which ones those are stands in [`the_table_of_skips`], so that none is skipped silently.
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
use basis::venues::registry::Registry;

use self::desk::{Check, Desk};
use self::subjects::{SUBJECTS, Subject};

/// One case.
struct Case {
    number: u32,
    title: &'static str,
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
    ($($number:literal $test:ident: $title:literal, $denied:path, $run:path;)*) => {
        const CASES: &[Case] = &[
            $(Case { number: $number, title: $title, denied: $denied, run: $run },)*
        ];

        $(#[test]
        fn $test() {
            run_case($number);
        })*
    };
}

cases! {
    1 case_01_creation: "created by the factory as the driver row says", never, creation::created;
    2 case_02_readiness: "not ready before its dependencies, ready after", never, creation::ready;
    3 case_03_unsupported: "every operation outside the capabilities is refused", never, refusals::unsupported;
    4 case_04_unknown: "unknown asset, symbol, pool, market, account, order, ticket", never, refusals::unknown;
    5 case_05_no_amount: "zero and negative amounts", never, refusals::no_amount;
    6 case_06_too_much: "above what is there", never, refusals::too_much;
    7 case_07_bounds: "below a minimum, above a cap or maximum", never, refusals::bounds;
    8 case_08_decimals: "more decimals than the asset has", only_ether, refusals::decimals;
    9 case_09_stale: "a price or rate that is too old", never, refusals::stale;
    10 case_10_missing: "a series that the run does not read is named", never, refusals::missing;
    11 case_11_supported: "every supported operation, settled, open or pending as documented", never, bookkeeping::supported;
    12 case_12_sums: "lines add up to positions, quantity and units", never, bookkeeping::sums;
    13 case_13_causes: "no cause twice", never, bookkeeping::causes;
    14 case_14_untouched: "refusals in the middle of a script touch nothing", never, refusals::untouched;
    15 case_15_values: "trades cancel out, other lines are units at the reference price", never, bookkeeping::values;
    16 case_16_deterministic: "two worlds, the same events and lines byte for byte", never, bookkeeping::deterministic;
    17 case_17_once: "asked twice at one instant, nothing new", never, bookkeeping::once;
    18 case_18_due: "not due means nothing to say", never, bookkeeping::due;
    19 case_19_health: "healthy after a success, failures counted", never, refusals::health;
    20 case_20_sorted: "positions sorted, no empty rows", never, bookkeeping::sorted;
    21 case_21_all_or_nothing: "a failing step in a group restores everything", off_chain, refusals::all_or_nothing;
    22 case_22_gas: "gas once per transaction, in ETH, and none otherwise", never, bookkeeping::gas;
    23 case_23_live: "live is refused with its reason", never, creation::live;
    24 case_24_settings: "an unknown key is refused or warned of, with the nearest one", never, creation::settings;
    25 case_25_terms: "terms are how the venue deals", never, terms::terms;
    26 case_26_taken_on: "an instruction taken on before does nothing", never, repeats::taken_on;
    27 case_27_polled_again: "polled again after instructions, nothing to add", never, repeats::polled_again;
    28 case_28_keys: "a fact has one key, and is booked once however often it is reported", never, repeats::keys;
    29 case_29_json: "every event survives JSON unchanged", never, repeats::json;
    30 case_30_account: "account() never waits and is empty before the first answer", never, repeats::account;
    31 case_31_one_refusal: "a refusal is one event and nothing else", never, repeats::one_refusal;
}

/// What the interface of each subject can do.
fn capabilities() -> BTreeMap<&'static str, Vec<OperationKind>> {
    let mut desk = Desk::new().unwrap();
    let of = |subject: &Subject| {
        let venue = desk.venue(subject.venue);
        (subject.venue, venue.capabilities().operations.clone())
    };
    SUBJECTS.iter().map(of).collect()
}

/// Runs one case on every venue; every finding is told, not only the first.
#[expect(clippy::print_stdout, reason = "a skip must be loud")]
fn run_case(number: u32) {
    let case = CASES.iter().find(|case| case.number == number).unwrap();
    let capabilities = capabilities();
    let mut findings = String::new();
    for subject in SUBJECTS {
        let Subject { venue, .. } = subject;
        let can = capabilities.get(venue).unwrap();
        let verdict = match (case.denied)(can) {
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

#[test]
fn all_scripts_side_by_side_in_one_world() {
    bookkeeping::side_by_side().unwrap();
}

#[test]
fn the_table_of_skips() {
    let capabilities = capabilities();
    let mut skips = Vec::new();
    for case in CASES {
        for Subject { venue, .. } in SUBJECTS {
            if (case.denied)(&capabilities[venue]).is_some() {
                skips.push((case.number, *venue));
            }
        }
    }
    assert_eq!(
        skips,
        [
            (8, "lido"),
            (8, "etherfi"),
            (21, "binance"),
            (21, "bybit"),
            (21, "okx"),
        ]
    );
}

#[test]
fn every_venue_has_its_subject_and_every_case_its_number() {
    let subjects = SUBJECTS.iter().map(|subject| subject.venue);
    let registry = Registry::builtin();
    let rows = registry.all().map(|row| row.facts.venue.as_str());
    assert!(subjects.eq(rows), "one subject a row, in their order");
    let numbers = CASES.iter().map(|case| case.number);
    assert!(numbers.eq(1..=31));
}
