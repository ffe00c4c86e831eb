//! The live client of Bybit against a Bybit in process, under virtual time: as for Binance, by Bybit's ways.

mod bench;
mod ways;

use self::bench::Bybit;
use crate::kit::teeth::{Tooth, finds};
use crate::kit::{cases, kills, schedules};

#[test]
fn each_fault_alone_at_bybit_ends_as_the_venue_has_it() {
    cases::each_fault_alone::<Bybit>();
}

#[test]
fn a_process_killed_at_any_step_at_bybit_is_resumed_without_a_second_order() {
    kills::killed_at_any_step::<Bybit>();
}

#[test]
fn a_journal_that_cannot_be_written_stops_the_process_at_bybit_before_it_sends() {
    kills::journal_that_cannot_be_written::<Bybit>();
}

#[test]
fn random_schedules_at_bybit_end_as_the_venue_has_them() {
    schedules::random_schedules::<Bybit>();
}

#[test]
fn random_schedules_at_bybit_on_a_journal_file_end_as_the_venue_has_them() {
    schedules::schedules_on_a_journal_file::<Bybit>();
}

#[test]
fn a_seed_is_one_schedule_at_bybit() {
    schedules::a_seed_is_one_schedule::<Bybit>();
}

#[test]
fn no_secret_of_bybit_in_journals_events_notices_and_debug_output() {
    schedules::no_secret_is_shown::<Bybit>();
}

#[test]
fn an_order_sent_again_at_bybit_is_found() {
    assert!(finds::<Bybit>(Tooth::Retries) > 0);
}

#[test]
fn a_number_given_twice_at_bybit_is_found() {
    assert!(finds::<Bybit>(Tooth::ReusesIds) > 0);
}

#[test]
fn not_found_taken_for_dead_at_bybit_is_found() {
    assert!(finds::<Bybit>(Tooth::Impatient) > 0);
}

#[test]
fn an_acceptance_taken_for_an_order_at_bybit_is_found() {
    assert!(finds::<Bybit>(Tooth::TakesAcceptance) > 0);
}
