//! One instruction, and the requests it becomes.

use basis_core::error::{VenueError, VenueErrorKind};
use basis_core::instruction::{Instruction, Operation};
use basis_core::num::Bps;
use basis_core::rules::RuleSnapshot;
use basis_core::types::{BookId, ClientOrderId, InstructionId, Symbol, Venue};

use super::account::{self, WithdrawalTarget};
use super::order::{self, Collar, KnownOrder, Refusal};
use super::request::Draft;

/// What an instruction is turned into requests with.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Whose ids are given: client order ids derive from it.
    pub book: BookId,
    /// The venue's rules in force.
    pub rules: &'a RuleSnapshot,
    /// Where a market order's limit is measured from; needed by market orders alone.
    pub collar: Option<Collar>,
    /// The order that an amendment or a cancellation is about, as far as it is known.
    pub order: Option<&'a KnownOrder>,
    /// Where a withdrawal goes; none while they are off.
    pub withdrawal: Option<&'a WithdrawalTarget>,
}

/// How far a market order's limit lies from its reference price where nothing else is said, in bps.
pub const COLLAR_WIDTH: Bps = Bps::literal("50");

/// Returns the requests of `instruction`, in the order they are sent: each after the one before is answered.
///
/// # Errors
/// [`VenueError`] when the venue would refuse it for a reason that is known here (a filter, by name, with
/// value and bound), or when it cannot be expressed. Nothing is sent then.
pub fn requests(
    venue: Venue,
    instruction: &Instruction,
    context: &Context<'_>,
) -> Result<Vec<Draft>, VenueError> {
    let operation = &instruction.operation;
    let drafts = match operation {
        Operation::SetLeverage(change) => account::set_leverage(change, context.rules),
        _ => single(instruction, context).map(|draft| vec![draft]),
    };
    drafts.map_err(|kind| VenueError::new(venue, operation.kind().as_str(), kind))
}

fn single(instruction: &Instruction, context: &Context<'_>) -> Result<Draft, Refusal> {
    let id = ClientOrderId::derive(context.book, instruction.id);
    let rules = context.rules;
    match &instruction.operation {
        Operation::SpotTrade(trade) => order::place_spot(trade, &id, rules, context.collar),
        Operation::PerpTrade(trade) => order::place_perp(trade, &id, rules, context.collar),
        Operation::AmendOrder(change) => {
            let known = known(context.order, change.order, change.symbol)?;
            order::amend(change, known, (context.book, &id), rules)
        }
        Operation::CancelOrder(cancel) => {
            let known = known(context.order, cancel.order, cancel.symbol)?;
            order::cancel(cancel, known.kind, context.book, rules)
        }
        Operation::Transfer(transfer) => {
            account::transfer(transfer, &id, rules, context.withdrawal)
        }
        other => Err(VenueErrorKind::Unsupported(format!(
            "Binance does not execute {}",
            other.kind()
        ))),
    }
}

/// The order that an instruction is about: symbol and number alone do not say whether it is spot or perp.
fn known(
    order: Option<&KnownOrder>,
    instruction: InstructionId,
    symbol: Symbol,
) -> Result<&KnownOrder, Refusal> {
    match order {
        Some(order) if order.instruction == instruction && order.symbol == symbol => Ok(order),
        Some(order) => Err(order::invalid(format!(
            "the order {instruction} of {symbol} is asked for, and the one at hand is {} of {}",
            order.instruction, order.symbol
        ))),
        None => Err(order::invalid(format!(
            "no resting order of instruction {instruction} is known: it says whether {symbol} is spot or perp, \
             and what an amendment leaves as it is"
        ))),
    }
}
