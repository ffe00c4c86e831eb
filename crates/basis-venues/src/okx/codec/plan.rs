//! One instruction, and the requests it becomes.

use basis_core::error::{VenueError, VenueErrorKind};
use basis_core::instruction::{Instruction, Operation};
use basis_core::types::{ClientOrderId, Venue};

use super::account;
use super::order::{self, AccountLevel};
use crate::wire::order::Refusal;
use crate::wire::plan::known;
use crate::wire::{Context, JsonDraft};

/// What an instruction is turned into requests with.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// As at every exchange.
    pub context: &'a Context<'a>,
    /// What the account can do.
    pub level: AccountLevel,
}

/// Returns the requests of `instruction` for an account at the default level, spot and swaps.
///
/// # Errors
/// As [`requests_with`].
pub fn requests(
    venue: Venue,
    instruction: &Instruction,
    context: &Context<'_>,
) -> Result<Vec<JsonDraft>, VenueError> {
    let level = AccountLevel::default();
    requests_with(venue, instruction, Terms { context, level })
}

/// Returns the requests of `instruction`, in the order they are sent: each after the one before is answered.
///
/// # Errors
/// [`VenueError`] when the venue would refuse it for a reason that is known here (a filter, by name, with
/// value and bound), or when it cannot be expressed. Nothing is sent then.
pub fn requests_with(
    venue: Venue,
    instruction: &Instruction,
    terms: Terms<'_>,
) -> Result<Vec<JsonDraft>, VenueError> {
    let operation = &instruction.operation;
    let draft = single(instruction, terms).map(|draft| vec![draft]);
    draft.map_err(|kind| VenueError::new(venue, operation.kind().as_str(), kind))
}

fn single(
    instruction: &Instruction,
    Terms { context, level }: Terms<'_>,
) -> Result<JsonDraft, Refusal> {
    let id = ClientOrderId::derive(context.book, instruction.id);
    let rules = context.rules;
    match &instruction.operation {
        Operation::SpotTrade(trade) => {
            order::place_spot(trade, &id, (rules, level), context.collar)
        }
        Operation::PerpTrade(trade) => {
            order::place_perp(trade, &id, (rules, level), context.collar)
        }
        Operation::AmendOrder(change) => {
            let known = known(context.order, change.order, change.symbol)?;
            order::amend(change, known, context.book, rules)
        }
        Operation::CancelOrder(cancel) => {
            let known = known(context.order, cancel.order, cancel.symbol)?;
            order::cancel(cancel, known.kind, context.book, rules)
        }
        Operation::SetLeverage(change) => account::set_leverage(change, (rules, level)),
        Operation::Transfer(transfer) => {
            account::transfer(transfer, &id, rules, context.withdrawal)
        }
        other => Err(VenueErrorKind::Unsupported(format!(
            "OKX does not execute {}",
            other.kind()
        ))),
    }
}
