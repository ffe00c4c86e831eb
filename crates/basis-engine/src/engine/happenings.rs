//! What venues report by themselves: posted to the books, counted, and told in the event log.

use basis_core::error::ComponentError;
use basis_core::event::{Component, Event, EventData, EventSink};
use basis_core::execution::{VenueEvent, VenueEventKind};
use basis_core::types::Label;

use super::Engine;
use crate::result::UnbookedFunding;

impl Engine {
    /// Posts the lines of `event`, which it takes out, and tells the rest.
    pub(super) fn take_event(&mut self, event: &mut VenueEvent) -> Result<(), ComponentError> {
        for entry in event.entries.drain(..) {
            self.books.post(&self.view, entry)?;
        }
        if let Some(parked) = &mut self.parked {
            parked.hear(&event.kind);
        }
        let counts = &mut self.tight.counts;
        match &event.kind {
            VenueEventKind::Funding {
                instrument, rate, ..
            } => {
                counts.funding_payments += 1;
                self.risk_view.settled(instrument.funding_series(), *rate);
            }
            VenueEventKind::Liquidation { .. } | VenueEventKind::LendingLiquidation { .. } => {
                counts.liquidations += 1;
            }
            VenueEventKind::FundingMissing {
                instrument,
                position,
                exposed_notional,
            } => {
                self.unbooked.push(UnbookedFunding {
                    series: instrument.funding_series(),
                    at: event.at,
                    position: *position,
                    exposed_notional: *exposed_notional,
                });
            }
            VenueEventKind::LateFill { instruction, fill } => {
                self.tight.keep_late_fill(event, *instruction, fill);
            }
            _ => {}
        }
        if let Some((what, detail)) = told(&event.kind) {
            let data = EventData::VenueEvent {
                venue: event.venue,
                what,
                detail,
            };
            self.events
                .record(Event::new(event.at, Component::TightLoop, data));
        }
        Ok(())
    }
}

/// What the event log says of a happening, by its name; nothing of those that happen at every turn.
fn told(kind: &VenueEventKind) -> Option<(Label, String)> {
    let (name, detail) = match kind {
        VenueEventKind::Liquidation {
            instrument,
            position,
            price,
            fee,
            margin_balance,
            maintenance_margin,
        } => (
            "liquidation",
            format!(
                "{instrument}: {position} closed at {price}, fee {fee}; margin balance \
                 {margin_balance} against maintenance {maintenance_margin}"
            ),
        ),
        VenueEventKind::LendingLiquidation {
            account,
            collateral,
            seized,
            debt,
            repaid,
            health_factor,
        } => (
            "liquidation",
            format!(
                "{account}: {seized} {collateral} taken for {repaid} {debt} of debt; health factor \
                 {health_factor}"
            ),
        ),
        VenueEventKind::LateFill { fill, .. } => {
            let (side, quantity, price) = (fill.side.as_str(), fill.quantity, fill.price);
            let detail = format!("{} {side} {quantity} at {price}", fill.instrument);
            ("late_fill", detail)
        }
        VenueEventKind::OrderFailed { instruction, error } => (
            "order_failed",
            format!("instruction {instruction}: {error}"),
        ),
        VenueEventKind::TransferArrived {
            instruction,
            account,
            asset,
            amount,
        } => (
            "transfer_arrived",
            format!("instruction {instruction}: {amount} {asset} in {account}"),
        ),
        VenueEventKind::Reward {
            account,
            asset,
            amount,
        } => ("reward", format!("{amount} {asset} in {account}")),
        VenueEventKind::TicketReady {
            instruction,
            asset,
            amount,
        } => (
            "ticket_ready",
            format!("instruction {instruction}: {amount} {asset} to be claimed"),
        ),
        VenueEventKind::Other { name, .. } => return Some((*name, String::new())),
        _ => return None,
    };
    Some((Label::literal(name), detail))
}
