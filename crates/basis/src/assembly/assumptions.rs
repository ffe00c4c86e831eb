//! What a result rests on beside its data: rules outside their dates.

use basis_core::types::{Span, Timestamp, Venue};

use super::Setup;

/// Rules that nobody has dated again for so long are said to be old.
const RULES_AGE: Span = Span::DAY.times(366);

/// A line for each venue whose rules begin after the run does, and for each whose newest are old.
pub(super) fn of_rules(setup: &Setup) -> Vec<String> {
    let (from, to) = (setup.run().from, setup.run().to);
    let mut lines = Vec::new();
    for venue in setup.needed_venues() {
        let Some(rules) = setup.rules().venue(venue) else {
            continue;
        };
        let dates = || rules.snapshots().iter().map(|rules| rules.effective_from);
        if let Some(first) = dates().min().filter(|first| *first > from) {
            lines.push(format!(
                "the rules of {venue} begin on {}: they stand in for the days before, from {}",
                day(first),
                day(from)
            ));
        }
        if let Some(last) = dates().max().filter(|last| to.since(*last) > RULES_AGE) {
            lines.push(old(venue, last, to));
        }
    }
    lines
}

fn old(venue: Venue, last: Timestamp, to: Timestamp) -> String {
    format!(
        "the newest rules of {venue} are of {}: they are taken to hold until {}",
        day(last),
        day(to)
    )
}

fn day(at: Timestamp) -> String {
    let (year, month, day) = at.date();
    format!("{year:04}-{month:02}-{day:02}")
}
