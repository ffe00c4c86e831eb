//! The conformance suite (`basis_testkit::conformance`) at the ten listed venues and the wallet, in a world that
//! has all eleven on one chain and the built-in synthetic market.

use basis::venues::registry::Registry;
use basis_testkit::conformance::{self, CASES, SUBJECTS};

macro_rules! cases {
    ($($test:ident = $number:literal;)*) => {
        $(#[test]
        fn $test() {
            conformance::run($number, SUBJECTS);
        })*
    };
}

cases! {
    case_01_creation = 1;
    case_02_readiness = 2;
    case_03_unsupported = 3;
    case_04_unknown = 4;
    case_05_no_amount = 5;
    case_06_too_much = 6;
    case_07_bounds = 7;
    case_08_decimals = 8;
    case_09_stale = 9;
    case_10_missing = 10;
    case_11_supported = 11;
    case_12_sums = 12;
    case_13_causes = 13;
    case_14_untouched = 14;
    case_15_values = 15;
    case_16_deterministic = 16;
    case_17_once = 17;
    case_18_due = 18;
    case_19_health = 19;
    case_20_sorted = 20;
    case_21_all_or_nothing = 21;
    case_22_gas = 22;
    case_23_live = 23;
    case_24_settings = 24;
    case_25_terms = 25;
    case_26_taken_on = 26;
    case_27_polled_again = 27;
    case_28_keys = 28;
    case_29_json = 29;
    case_30_account = 30;
    case_31_one_refusal = 31;
}

#[test]
fn all_scripts_side_by_side_in_one_world() {
    conformance::side_by_side(SUBJECTS);
}

#[test]
fn the_table_of_skips() {
    assert_eq!(
        conformance::skips(SUBJECTS),
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
