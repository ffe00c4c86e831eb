//! The machine against written replies: one situation a test.

mod changes;
mod orders;
mod script;
mod starts;

use basis_core::venue_event::{EventKind, OrderState, VenueEvent};

/// The states that orders were reported in, in order.
fn states(events: &[VenueEvent]) -> Vec<OrderState> {
    let state = |event: &VenueEvent| match &event.kind {
        EventKind::Order(update) => Some(update.state),
        _ => None,
    };
    events.iter().filter_map(state).collect()
}

/// Kinds of events in order, fills with their numbers.
fn kinds(events: &[VenueEvent]) -> Vec<String> {
    let kind = |event: &VenueEvent| match &event.kind {
        EventKind::Fill(fill) => format!("fill {}", fill.trade),
        EventKind::Order(update) => format!("{} {}", update.state.as_str(), update.filled),
        EventKind::Transfer(update) => update.stage.as_str().to_owned(),
        other => other.as_str().to_owned(),
    };
    events.iter().map(kind).collect()
}

/// The text of the first refusal.
fn refusal(events: &[VenueEvent]) -> String {
    let text = |event: &VenueEvent| match &event.kind {
        EventKind::Rejected { error, .. } => Some(error.to_string()),
        _ => None,
    };
    events.iter().find_map(text).unwrap_or_default()
}
