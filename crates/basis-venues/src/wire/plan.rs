//! What an instruction is turned into requests with.

use basis_core::error::{Rejection, VenueErrorKind};
use basis_core::instruction::Transfer;
use basis_core::num::{Quantity, Rounding};
use basis_core::rules::RuleSnapshot;
use basis_core::types::{Account, BookId, InstructionId, Symbol};

use super::order::{Collar, KnownOrder, Refusal, invalid, out_of_range};

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

/// Returns the venue's names of the account that pays a transfer and, where both are the venue's, of the one
/// that receives it; `wallet` names them.
pub(crate) fn parties(
    transfer: &Transfer,
    wallet: fn(Account) -> Result<&'static str, Refusal>,
) -> Result<(&'static str, Option<&'static str>), Refusal> {
    if !transfer.amount.is_positive() {
        let text = format!("the amount {} is not above zero", transfer.amount);
        return Err(invalid(text));
    }
    let payer = wallet(transfer.from)?;
    if transfer.from.venue != transfer.to.venue {
        return Ok((payer, None));
    }
    let receiver = wallet(transfer.to)?;
    if payer == receiver {
        let text = format!("{} cannot transfer to itself", transfer.from);
        return Err(invalid(text));
    }
    Ok((payer, Some(receiver)))
}

/// Whether the fee of a withdrawal comes out of the amount that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WithdrawalFee {
    /// It does: what is asked for is what is to arrive and the fee.
    Inside,
    /// It is charged beside it: what is asked for arrives.
    OnTop,
}

/// Returns where a withdrawal goes and how much is asked for, in decimals that the venue accepts.
pub(crate) fn withdrawn<'a>(
    transfer: &Transfer,
    rules: &RuleSnapshot,
    target: Option<&'a WithdrawalTarget>,
    fee: WithdrawalFee,
) -> Result<(&'a WithdrawalTarget, Quantity), Refusal> {
    if transfer.from != rules.accounts.deposit {
        return Err(invalid(format!(
            "withdrawals leave from {}, not from {}; transfer there first",
            rules.accounts.deposit, transfer.from
        )));
    }
    let Some(target) = target else {
        return Err(VenueErrorKind::Unsupported(format!(
            "withdrawals are off: no address of {} is on the allow-list",
            transfer.to
        )));
    };
    let terms = rules.withdrawal(transfer.asset).ok_or_else(|| {
        invalid(format!(
            "the rules list no withdrawal of {}",
            transfer.asset
        ))
    })?;
    if transfer.amount < terms.minimum {
        return Err(VenueErrorKind::Rejected {
            reason: Rejection::BelowMinimum {
                what: "withdrawal".into(),
                asset: transfer.asset,
                value: transfer.amount,
                minimum: terms.minimum,
            },
            venue_code: None,
        });
    }
    let amount = match fee {
        WithdrawalFee::Inside => transfer.amount.add(terms.fee).map_err(out_of_range)?,
        WithdrawalFee::OnTop => transfer.amount,
    };
    let amount = amount.get();
    let amount = amount.round_to_decimals(terms.decimals, Rounding::Down);
    Ok((target, Quantity::new(amount.map_err(out_of_range)?)))
}
