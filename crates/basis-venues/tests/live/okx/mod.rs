//! The live client of OKX against an OKX in process, under virtual time: as for Binance, by OKX's ways.

mod bench;
mod ways;

use self::bench::Okx;
use crate::kit::teeth::{Tooth, finds};
use crate::kit::{cases, kills, schedules};

#[test]
fn each_fault_alone_at_okx_ends_as_the_venue_has_it() {
    cases::each_fault_alone::<Okx>();
}

#[test]
fn a_process_killed_at_any_step_at_okx_is_resumed_without_a_second_order() {
    kills::killed_at_any_step::<Okx>();
}

#[test]
fn a_journal_that_cannot_be_written_stops_the_process_at_okx_before_it_sends() {
    kills::journal_that_cannot_be_written::<Okx>();
}

#[test]
fn random_schedules_at_okx_end_as_the_venue_has_them() {
    schedules::random_schedules::<Okx>();
}

#[test]
fn random_schedules_at_okx_on_a_journal_file_end_as_the_venue_has_them() {
    schedules::schedules_on_a_journal_file::<Okx>();
}

#[test]
fn a_seed_is_one_schedule_at_okx() {
    schedules::a_seed_is_one_schedule::<Okx>();
}

#[test]
fn no_secret_of_okx_in_journals_events_notices_and_debug_output() {
    schedules::no_secret_is_shown::<Okx>();
}

#[test]
fn an_order_sent_again_at_okx_is_found() {
    assert!(finds::<Okx>(Tooth::Retries) > 0);
}

#[test]
fn a_number_given_twice_at_okx_is_found() {
    assert!(finds::<Okx>(Tooth::ReusesIds) > 0);
}

#[test]
fn not_found_taken_for_dead_at_okx_is_found() {
    assert!(finds::<Okx>(Tooth::Impatient) > 0);
}

#[test]
fn an_acceptance_taken_for_an_order_at_okx_is_found() {
    assert!(finds::<Okx>(Tooth::TakesAcceptance) > 0);
}
