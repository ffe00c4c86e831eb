//! Events with the lines that the engine's posting makes of them.

use basis_core::error::VenueError;
use basis_core::ledger::LedgerEntry;
use basis_core::types::{InstructionId, Timestamp};
use basis_core::venue_event::{EventKind, Fill, OrderState, TransferStage, VenueEvent};
use basis_engine::posting::{NothingHeld, lines_of};
use basis_market::MarketView;

/// How far an instruction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExecutionStatus {
    Settled,
    /// It rests.
    Open,
    Pending {
        until: Option<Timestamp>,
    },
}

/// What an instruction came to at once, and the lines of that.
#[derive(Clone, Debug)]
pub(crate) struct Execution {
    pub(crate) instruction: InstructionId,
    pub(crate) status: ExecutionStatus,
    pub(crate) fills: Vec<Fill>,
    pub(crate) entries: Vec<LedgerEntry>,
    pub(crate) events: Vec<Reported>,
}

/// One event and its lines. A fill that its order ended with stands for the report of the order, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reported {
    pub(crate) at: Timestamp,
    pub(crate) kind: EventKind,
    pub(crate) entries: Vec<LedgerEntry>,
    settles: Option<InstructionId>,
}

impl Reported {
    /// The instruction it is about.
    pub(crate) fn settles(&self) -> Option<InstructionId> {
        self.settles
    }

    /// The state it reports of an order, without a fill.
    pub(crate) fn order_state(&self) -> Option<OrderState> {
        match &self.kind {
            EventKind::Order(update) => Some(update.state),
            _ => None,
        }
    }
}

/// Makes the lines of events. Every fill is followed by a report of its order, which is checked, and left out
/// where the order ended with that one fill.
pub(crate) fn reported(view: &MarketView, events: &[VenueEvent]) -> Vec<Reported> {
    let mut rows: Vec<Reported> = Vec::new();
    let mut events = events.iter();
    while let Some(event) = events.next() {
        assert_eq!(event.received_at, view.now(), "{event:?}");
        let posting = lines_of(event, view, &NothingHeld).unwrap();
        assert_eq!(posting.unpriced, [], "{event:?}");
        rows.push(Reported {
            at: event.at,
            kind: event.kind.clone(),
            entries: posting.lines,
            settles: event.instruction(),
        });
        if let EventKind::Fill(fill) = &event.kind {
            let order = events.next().expect("a report of the order");
            let EventKind::Order(update) = &order.kind else {
                panic!("a report of the order: {order:?}")
            };
            assert_eq!(order.at, event.at);
            assert_eq!(Some(update.instruction), fill.instruction);
            // What a bar had no room for expires with the fill, or rests on.
            let states = [OrderState::Filled, OrderState::Expired, OrderState::Working];
            assert!(states.contains(&update.state), "{update:?}");
            assert!(update.filled >= fill.quantity, "{update:?}");
            let is_whole = update.state.is_final() && update.filled == fill.quantity;
            if !is_whole {
                rows.push(Reported {
                    at: order.at,
                    kind: order.kind.clone(),
                    entries: Vec::new(),
                    settles: order.instruction(),
                });
            }
        }
    }
    rows
}

/// How far the last event of an instruction says that it has come.
pub(super) fn status(
    events: &[VenueEvent],
    id: InstructionId,
) -> Result<ExecutionStatus, VenueError> {
    let mut own = events
        .iter()
        .filter(|event| event.instruction() == Some(id));
    let last = own.next_back().expect("an event of the instruction");
    Ok(match &last.kind {
        EventKind::Order(update) => match update.state {
            OrderState::Working => ExecutionStatus::Open,
            OrderState::Submitted => ExecutionStatus::Pending { until: None },
            state => {
                assert!(state.is_final(), "{last:?}");
                ExecutionStatus::Settled
            }
        },
        EventKind::Done { .. } => ExecutionStatus::Settled,
        EventKind::Transfer(update) => match update.stage {
            TransferStage::Moved => ExecutionStatus::Settled,
            TransferStage::Sent => ExecutionStatus::Pending {
                until: update.until,
            },
            _ => panic!("an answer to a transfer: {last:?}"),
        },
        EventKind::Rejected { error, .. } => {
            assert_eq!(events.len(), 1, "a refusal comes alone");
            return Err((**error).clone());
        }
        _ => panic!("an answer to an instruction: {last:?}"),
    })
}
