//! What an instruction is turned into requests with.

use basis_core::rules::RuleSnapshot;
use basis_core::types::{BookId, InstructionId, Symbol};

use super::order::{Collar, KnownOrder, Refusal, invalid};

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

/// Where a withdrawal may go: an entry of the user's allow-list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithdrawalTarget {
    /// The venue's name of the chain, as `ETH`.
    pub network: String,
    /// The address.
    pub address: String,
    /// Memo or tag, where the chain has one.
    pub tag: Option<String>,
}

/// The order that an instruction is about: symbol and number alone do not say whether it is spot or perp.
pub(crate) fn known(
    order: Option<&KnownOrder>,
    instruction: InstructionId,
    symbol: Symbol,
) -> Result<&KnownOrder, Refusal> {
    match order {
        Some(order) if order.instruction == instruction && order.symbol == symbol => Ok(order),
        Some(order) => Err(invalid(format!(
            "the order {instruction} of {symbol} is asked for, and the one at hand is {} of {}",
            order.instruction, order.symbol
        ))),
        None => Err(invalid(format!(
            "no resting order of instruction {instruction} is known: it says whether {symbol} is spot or perp, \
             and what an amendment leaves as it is"
        ))),
    }
}
