//! How far an instruction has come, read from the events that answer it.

use basis::core::error::VenueError;
use basis::core::ledger::LedgerEntry;
use basis::core::types::{InstructionId, Timestamp, Venue};
use basis::core::venue_event::{
    EventKind, OrderState, TransactionStage, TransactionUpdate, TransferStage, VenueEvent,
};

use super::desk::{Check, ensure};
use super::script::Status;

/// What came of an instruction that was not refused.
#[derive(Clone, Debug)]
pub(super) struct Done {
    pub(super) instruction: InstructionId,
    /// Who answered.
    pub(super) venue: Venue,
    pub(super) status: Status,
    /// When what is pending is expected to end.
    pub(super) until: Option<Timestamp>,
    /// Venues whose queues it joined.
    pub(super) queues: Vec<Venue>,
    /// The lines of all the events of the answer.
    pub(super) lines: Vec<LedgerEntry>,
}

/// Why `instruction` was refused, if it was.
pub(super) fn refusal(events: &[VenueEvent], instruction: InstructionId) -> Option<VenueError> {
    events.iter().find_map(|event| match &event.kind {
        EventKind::Rejected {
            instruction: refused,
            error,
        } if *refused == instruction => Some(VenueError::clone(error)),
        _ => None,
    })
}

impl Done {
    /// Reads `events`; what they say of anything else is left out.
    pub(super) fn of(
        instruction: InstructionId,
        events: &[VenueEvent],
        lines: Vec<LedgerEntry>,
    ) -> Check<Self> {
        let mut answer = None;
        let mut until = None;
        let mut queues = Vec::new();
        let own = |event: &&VenueEvent| event.instruction() == Some(instruction);
        for event in events.iter().filter(own) {
            let status = match &event.kind {
                EventKind::Fill(_) => continue,
                EventKind::Order(order) => match order.state {
                    OrderState::Working => Status::Open,
                    OrderState::Submitted => Status::Pending,
                    OrderState::Filled | OrderState::Cancelled | OrderState::Expired => {
                        Status::Settled
                    }
                    _ => return Err(format!("instruction {instruction}: {event:?}")),
                },
                EventKind::Transaction(transaction) => {
                    ensure!(
                        transaction.stage == TransactionStage::Mined && transaction.inclusion == 0,
                        "a simulated transaction is mined at once: {transaction:?}"
                    );
                    if transaction.waits {
                        queues = joined(transaction);
                        Status::Pending
                    } else {
                        Status::Settled
                    }
                }
                EventKind::Transfer(transfer) => match transfer.stage {
                    TransferStage::Sent => {
                        until = transfer.until;
                        Status::Pending
                    }
                    TransferStage::Moved => Status::Settled,
                    _ => return Err(format!("instruction {instruction}: {event:?}")),
                },
                EventKind::Done { .. } => Status::Settled,
                _ => return Err(format!("instruction {instruction}: {event:?}")),
            };
            if let Some((_, before)) = answer {
                let goes_on = before == Status::Open && status == Status::Settled;
                ensure!(
                    goes_on,
                    "instruction {instruction} is answered twice: {events:?}"
                );
            }
            answer = Some((event.venue, status));
        }
        let (venue, status) = answer
            .ok_or_else(|| format!("instruction {instruction} is not answered: {events:?}"))?;
        Ok(Self {
            instruction,
            venue,
            status,
            until,
            queues,
            lines,
        })
    }
}

/// The venues in whose accounts the transaction left something.
fn joined(transaction: &TransactionUpdate) -> Vec<Venue> {
    let is_queue = |venue: &Venue| *venue != Venue::WALLET;
    let arrived = transaction
        .changes
        .iter()
        .filter(|c| c.quantity.is_positive());
    arrived.map(|c| c.account.venue).filter(is_queue).collect()
}
