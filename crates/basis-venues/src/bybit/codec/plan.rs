//! One instruction, and the requests it becomes.

use basis_core::error::{VenueError, VenueErrorKind};
use basis_core::instruction::{Instruction, Operation};
use basis_core::types::{ClientOrderId, Venue};

use super::{account, order};
use crate::wire::order::Refusal;
use crate::wire::plan::known;
use crate::wire::{Context, JsonDraft};

/// Returns the requests of `instruction`, in the order they are sent: each after the one before is answered.
///
/// # Errors
/// [`VenueError`] when the venue would refuse it for a reason that is known here (a filter, by name, with
/// value and bound), or when it cannot be expressed. Nothing is sent then.
pub fn requests(
    venue: Venue,
    instruction: &Instruction,
    context: &Context<'_>,
) -> Result<Vec<JsonDraft>, VenueError> {
    let operation = &instruction.operation;
    let drafts = match operation {
        Operation::SetLeverage(change) => account::set_leverage(change, context.rules),
        _ => single(instruction, context).map(|draft| vec![draft]),
    };
    drafts.map_err(|kind| VenueError::new(venue, operation.kind().as_str(), kind))
}

fn single(instruction: &Instruction, context: &Context<'_>) -> Result<JsonDraft, Refusal> {
    let id = ClientOrderId::derive(context.book, instruction.id);
    let rules = context.rules;
    match &instruction.operation {
        Operation::SpotTrade(trade) => order::place_spot(trade, &id, rules, context.collar),
        Operation::PerpTrade(trade) => order::place_perp(trade, &id, rules, context.collar),
        Operation::AmendOrder(change) => {
            let known = known(context.order, change.order, change.symbol)?;
            order::amend(change, known, context.book, rules)
        }
        Operation::CancelOrder(cancel) => {
            let known = known(context.order, cancel.order, cancel.symbol)?;
            order::cancel(cancel, known.kind, context.book, rules)
        }
        Operation::Transfer(transfer) => {
            let id = (context.book, instruction.id);
            account::transfer(transfer, id, rules, context.withdrawal)
        }
        other => Err(VenueErrorKind::Unsupported(format!(
            "Bybit does not execute {}",
            other.kind()
        ))),
    }
}
