//! Atomic groups: all of their steps in one transaction, with a flash loan in front when asked.
//!
//! A step that says no venue goes to the only protocol that takes it; two candidates are a refusal.
//! The loan comes from the lender that is named, else from the cheapest; what it lends stands in the
//! wallet during the group as two `transfer` changes, what it costs as a `fee`: the lender's premium, and
//! no less than the fee of the venue that runs the group, by its dated rules. Meanwhile the lender is
//! without it: what a later step takes out of the same reserve finds that much less.
//!
//! It is not a planner: whoever composes the group works out what an earlier step returns, or lets a
//! later step take `all` that the wallet then holds of it.

use basis_core::error::{Rejection, VenueErrorKind};
use basis_core::instruction::{FlashLoan, Instruction, Operation};
use basis_core::ledger::EntryKind;
use basis_core::num::Quantity;
use basis_core::rules::Fees;
use basis_core::types::Venue;
use basis_protocols::gas::{CAST, CAST_FLASH_LOAN, CAST_STEP, TRANSACTION};

use super::{Protocol, Transaction};
use crate::refusal::Refusal;

/// Runs every step in order; the first refusal ends the group, and the chain puts everything back.
///
/// `all` in a step means what is there when its turn comes. The gas is one bill: the transaction's
/// base once, what each step uses beyond it, and what the cast adds.
pub(super) fn execute(
    transaction: &mut Transaction<'_>,
    protocols: &mut [Box<dyn Protocol>],
    fees: &Fees,
    steps: &[Instruction],
) -> Result<(), Refusal> {
    let mut gas = TRANSACTION.saturating_add(CAST);
    let mut loan = None;
    let mut rest = steps;
    if let Some((first, after)) = steps.split_first()
        && let Operation::FlashLoan(wanted) = &first.operation
    {
        let taken = borrow(transaction, protocols, first, wanted)
            .map_err(|refusal| in_step(refusal, 1, first, first.venue))?;
        loan = Some((wanted, taken));
        rest = after;
        gas = gas.saturating_add(CAST_FLASH_LOAN);
    }
    if rest.is_empty() {
        return Err(Refusal::invalid(
            "an atomic group without a step; give it at least one besides a flash loan",
        ));
    }
    for (at, step) in rest.iter().enumerate() {
        let number = at + 1 + usize::from(loan.is_some());
        if matches!(
            step.operation,
            Operation::FlashLoan(_) | Operation::Atomic(_)
        ) {
            return Err(Refusal::invalid(format!(
                "step {number}: {} stands inside an atomic group; a flash loan is its first step, and \
                 groups do not nest",
                step.operation.kind()
            )));
        }
        let protocol = route(protocols, step, number)?;
        let venue = Some(protocol.venue());
        transaction.set_gas(0);
        protocol
            .execute(transaction, &step.operation)
            .map_err(|refusal| in_step(refusal, number, step, venue))?;
        let own = transaction.gas().saturating_sub(TRANSACTION);
        gas = gas.saturating_add(own).saturating_add(CAST_STEP);
    }
    if let Some((loan, (lender, premium))) = loan {
        let decimals = transaction.decimals(loan.asset)?;
        let cost = fees.flash_loan_cost(loan.amount, premium, decimals)?;
        repay(transaction, loan, cost)?;
        if let Some(lender) = protocols.get_mut(lender) {
            lender.end_flash_loan(transaction)?;
        }
    }
    transaction.set_gas(gas);
    Ok(())
}

/// Pays the principal and what the loan costs.
fn repay(
    transaction: &mut Transaction<'_>,
    loan: &FlashLoan,
    cost: Quantity,
) -> Result<(), Refusal> {
    let (asset, needed) = (loan.asset, loan.amount.add(cost)?);
    let available = transaction.balance(asset);
    if needed > available {
        return Err(Refusal::new(VenueErrorKind::Reverted(format!(
            "the flash loan is not repaid: {needed} {asset} are due with the fee of {cost}, the \
             wallet holds {available} after the last step"
        ))));
    }
    transaction.pay(asset, loan.amount)?;
    transaction.charge(EntryKind::Fee, asset, cost)
}

/// Takes the loan from the protocol that is named, else from the one that asks the least; its place and
/// its premium.
fn borrow(
    transaction: &mut Transaction<'_>,
    protocols: &mut [Box<dyn Protocol>],
    step: &Instruction,
    loan: &FlashLoan,
) -> Result<(usize, Quantity), Refusal> {
    transaction.units(loan.asset, loan.amount)?;
    let mut cheapest: Option<(usize, Quantity)> = None;
    let mut refused = None;
    for (at, protocol) in protocols.iter().enumerate() {
        if step.venue.is_some_and(|venue| venue != protocol.venue()) {
            continue;
        }
        match protocol.flash_loan_premium(transaction, loan) {
            Ok(premium) => {
                if cheapest.is_none_or(|(_, least)| premium < least) {
                    cheapest = Some((at, premium));
                }
            }
            Err(refusal) => refused = Some(refusal),
        }
    }
    let Some((at, premium)) = cheapest else {
        return Err(refused.unwrap_or_else(|| {
            Refusal::other(
                format!("nobody on the chain gives flash loans of {}", loan.asset),
                None,
            )
        }));
    };
    if let Some(lender) = protocols.get_mut(at) {
        lender.begin_flash_loan(transaction, loan)?;
    }
    transaction.receive(loan.asset, loan.amount)?;
    Ok((at, premium))
}

/// The protocol that executes `step`: the named one, else the only one that accepts it.
fn route<'a>(
    protocols: &'a mut [Box<dyn Protocol>],
    step: &Instruction,
    number: usize,
) -> Result<&'a mut Box<dyn Protocol>, Refusal> {
    let kind = step.operation.kind();
    let candidates: Vec<_> = protocols
        .iter()
        .enumerate()
        .filter(|(_, p)| match step.venue {
            Some(venue) => p.venue() == venue,
            None => p.accepts(&step.operation),
        })
        .map(|(at, p)| (at, p.venue()))
        .collect();
    match candidates.as_slice() {
        [(at, _)] => protocols
            .get_mut(*at)
            .ok_or_else(|| Refusal::new(VenueErrorKind::NotReady)),
        [] => Err(Refusal::invalid(match step.venue {
            Some(venue) => format!("step {number}, {kind}: {venue} is no venue of this chain"),
            None => format!("step {number}: no venue of this chain executes this {kind}"),
        })),
        several => {
            let names: Vec<_> = several.iter().map(|(_, venue)| venue.to_string()).collect();
            Err(Refusal::invalid(format!(
                "step {number}, {kind}: {} can execute it; name one in `venue`",
                names.join(" and ")
            )))
        }
    }
}

/// Says in which step of the group a refusal arose; a code of the protocol stays with it.
fn in_step(refusal: Refusal, number: usize, step: &Instruction, venue: Option<Venue>) -> Refusal {
    let place = |text: &str| {
        let kind = step.operation.kind();
        match venue {
            Some(venue) => format!("step {number}, {kind} at {venue}: {text}"),
            None => format!("step {number}, {kind}: {text}"),
        }
    };
    match *refusal.0 {
        VenueErrorKind::Reverted(text) => Refusal::new(VenueErrorKind::Reverted(place(&text))),
        VenueErrorKind::InvalidRequest(text) => Refusal::invalid(place(&text)),
        VenueErrorKind::Unsupported(text) => {
            Refusal::new(VenueErrorKind::Unsupported(place(&text)))
        }
        VenueErrorKind::Rejected { reason, venue_code } => Refusal::new(VenueErrorKind::Rejected {
            reason: Rejection::Other(place(&reason.to_string())),
            venue_code,
        }),
        other => Refusal::new(other),
    }
}
