//! What the event log says of an event.

use basis_core::types::Label;
use basis_core::venue_event::{EventKind, OrderState, RedemptionStage, TransferStage, VenueEvent};

use super::intake::Arrival;

/// A word and figures for an event; nothing of those that come at every turn, or of answers, which the
/// log shows with their instructions.
pub(super) fn describe(event: &VenueEvent, arrival: Arrival) -> Option<(Label, String)> {
    if let EventKind::Other(other) = &event.kind {
        return Some((other.name, String::new()));
    }
    let own = match arrival {
        Arrival::Answer => None,
        Arrival::Poll => late(&event.kind),
    };
    let (name, detail) = own.or_else(|| by_itself(&event.kind))?;
    Some((Label::literal(name), detail))
}

/// What became of an instruction after its answer.
fn late(kind: &EventKind) -> Option<(&'static str, String)> {
    let described = match kind {
        EventKind::Fill(fill) => {
            let (side, quantity, price) = (fill.side.as_str(), fill.quantity, fill.price);
            let detail = format!("{} {side} {quantity} at {price}", fill.instrument);
            ("late_fill", detail)
        }
        EventKind::Rejected { instruction, error } => (
            "order_failed",
            format!("instruction {instruction}: {error}"),
        ),
        EventKind::OutcomeUnknown { instruction, error } => (
            "outcome_unknown",
            format!("instruction {instruction}: {error}"),
        ),
        EventKind::Order(update) => match update.state {
            OrderState::Cancelled | OrderState::Expired => ("order_canceled", String::new()),
            OrderState::Working => ("order_resting", String::new()),
            _ => return None,
        },
        _ => return None,
    };
    Some(described)
}

/// What a venue did of its own accord.
fn by_itself(kind: &EventKind) -> Option<(&'static str, String)> {
    let described = match kind {
        EventKind::Liquidation(close) => (
            "liquidation",
            format!(
                "{}: {} closed at {}, fee {}; margin balance {} against maintenance {}",
                close.instrument,
                close.closing.neg().unwrap_or_default(),
                close.price,
                close.fee,
                close.margin_balance,
                close.maintenance_margin
            ),
        ),
        EventKind::LendingLiquidation(taken) => (
            "liquidation",
            format!(
                "{}: {} {} taken for {} {} of debt; health factor {}",
                taken.account,
                taken.seized,
                taken.collateral,
                taken.repaid,
                taken.debt,
                taken.health_factor
            ),
        ),
        EventKind::Transfer(update) => match update.stage {
            TransferStage::Credited => (
                "transfer_arrived",
                format!(
                    "instruction {}: {} {} in {}",
                    update.id, update.amount, update.asset, update.to
                ),
            ),
            TransferStage::Returned => ("transfer_returned", String::new()),
            _ => return None,
        },
        EventKind::Reward(reward) => (
            "reward",
            format!("{} {} in {}", reward.amount, reward.asset, reward.account),
        ),
        EventKind::Redemption(request) if request.stage == RedemptionStage::Ready => (
            "withdrawal_ready",
            format!(
                "instruction {}: {} {} to be claimed",
                request.instruction, request.amount, request.asset
            ),
        ),
        EventKind::Rules { from } => ("rules_changed", format!("from {from}")),
        EventKind::CapitalFlow(flow) if flow.amount.is_negative() => ("withdrawal", String::new()),
        EventKind::CapitalFlow(_) => ("deposit", String::new()),
        _ => return None,
    };
    Some(described)
}
