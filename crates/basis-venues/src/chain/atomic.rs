//! Atomic groups: all of their steps in one transaction, with a flash loan in front when asked.

use basis_core::error::VenueErrorKind;
use basis_core::instruction::{FlashLoan, Instruction, Operation};
use basis_core::ledger::EntryKind;
use basis_core::num::Quantity;

use super::{Protocol, Refusal, Transaction};

/// Runs every step in order; the first refusal ends the group, and the chain puts everything back.
pub(super) fn execute(
    transaction: &mut Transaction<'_>,
    protocols: &mut [Box<dyn Protocol>],
    steps: &[Instruction],
) -> Result<(), Refusal> {
    let mut loan = None;
    let mut rest = steps;
    if let Some((first, after)) = steps.split_first()
        && let Operation::FlashLoan(wanted) = &first.operation
    {
        loan = Some((wanted, borrow(transaction, protocols, first, wanted)?));
        rest = after;
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
        protocol
            .execute(transaction, &step.operation)
            .map_err(|refusal| in_step(refusal, number, step))?;
    }
    if let Some((loan, premium)) = loan {
        transaction.pay(loan.asset, loan.amount)?;
        transaction.charge(EntryKind::Fee, loan.asset, premium)?;
    }
    Ok(())
}

/// Takes the loan from the protocol that is named, else from the one that asks the least; its premium.
fn borrow(
    transaction: &mut Transaction<'_>,
    protocols: &[Box<dyn Protocol>],
    step: &Instruction,
    loan: &FlashLoan,
) -> Result<Quantity, Refusal> {
    transaction.units(loan.asset, loan.amount)?;
    let mut cheapest: Option<Quantity> = None;
    let mut refused = None;
    for protocol in protocols {
        if step.venue.is_some_and(|venue| venue != protocol.venue()) {
            continue;
        }
        match protocol.flash_loan_premium(transaction, loan) {
            Ok(premium) => {
                cheapest = Some(cheapest.map_or(premium, |least| least.min(premium)));
            }
            Err(refusal) => refused = Some(refusal),
        }
    }
    let Some(premium) = cheapest else {
        return Err(refused.unwrap_or_else(|| {
            Refusal::other(
                format!("nobody on the chain gives flash loans of {}", loan.asset),
                None,
            )
        }));
    };
    transaction.receive(loan.asset, loan.amount)?;
    Ok(premium)
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

/// Says in which step of the group a refusal arose.
fn in_step(refusal: Refusal, number: usize, step: &Instruction) -> Refusal {
    let place = |text: &str| format!("step {number}, {}: {text}", step.operation.kind());
    match *refusal.0 {
        VenueErrorKind::Reverted(text) => Refusal::new(VenueErrorKind::Reverted(place(&text))),
        VenueErrorKind::InvalidRequest(text) => Refusal::invalid(place(&text)),
        VenueErrorKind::Unsupported(text) => {
            Refusal::new(VenueErrorKind::Unsupported(place(&text)))
        }
        VenueErrorKind::Rejected { reason, venue_code } => {
            Refusal::other(place(&reason.to_string()), venue_code)
        }
        other => Refusal::new(other),
    }
}
