//! Plans that wait: for transfers under way, and for orders whose fills are not known yet.

use std::collections::VecDeque;

use basis_core::error::{ComponentError, VenueError};
use basis_core::execution::{Execution, ExecutionStatus, VenueEventKind};
use basis_core::instruction::OperationKind;
use basis_core::num::Quantity;
use basis_core::plan::{Action, Block, FailurePolicy, Leg};
use basis_core::types::{InstructionId, Timestamp};

use crate::tight_loop::changes_position;

/// What one leg came to.
pub(crate) type LegResult = Result<Execution, VenueError>;

/// A plan that waits for something under way.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) action: Action,
    pub(crate) blocks: VecDeque<Block>,
    pub(crate) waiting: Vec<InstructionId>,
    /// The block whose orders are waited for; its failure policy has not been applied yet.
    pub(crate) sent: Option<Sent>,
    pub(crate) since: Timestamp,
    pub(crate) traded: bool,
    pub(crate) failed: bool,
    /// External flows that were due when it was decided.
    pub(crate) flows: u64,
}

impl Parked {
    /// Notes what became of an instruction it waits for.
    pub(crate) fn hear(&mut self, happened: &VenueEventKind) {
        let Some(id) = happened.settles() else { return };
        self.waiting.retain(|waiting| *waiting != id);
        if let Some(sent) = &mut self.sent {
            sent.hear(id, happened);
        }
    }
}

/// A block that has been sent, and what its legs have come to so far.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) legs: Vec<Leg>,
    pub(crate) results: Vec<LegResult>,
    pub(crate) policy: FailurePolicy,
    pub(crate) started: Timestamp,
    /// The results of the block that this one undoes.
    pub(crate) undoes: Option<Vec<LegResult>>,
}

impl Sent {
    /// Whether an order of it is still to fill.
    pub(crate) fn waits(&self) -> bool {
        self.pending_orders().next().is_some()
    }

    /// Orders that are still to fill.
    pub(crate) fn pending_orders(&self) -> impl Iterator<Item = InstructionId> + '_ {
        let results = self.legs.iter().zip(&self.results);
        results.filter_map(|(leg, result)| {
            let execution = result.as_ref().ok()?;
            let pending = matches!(execution.status, ExecutionStatus::Pending { .. });
            (pending && is_order(leg)).then_some(execution.instruction)
        })
    }

    /// Legs that failed, each with why.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (&Leg, &VenueError)> {
        let results = self.legs.iter().zip(&self.results);
        results.filter_map(|(leg, result)| result.as_ref().err().map(|e| (leg, e)))
    }

    /// Whether anything of it filled.
    pub(crate) fn traded(&self) -> bool {
        let legs = self.legs.iter().zip(&self.results);
        let mut confirmed = legs.filter_map(|(leg, result)| Some((leg, result.as_ref().ok()?)));
        confirmed.any(|(leg, execution)| {
            !execution.fills.is_empty() || changes_position(leg.instruction.operation.kind())
        })
    }

    /// When its last fill happened.
    pub(crate) fn last_fill_at(&self) -> Option<Timestamp> {
        let fills = self.results.iter().flatten().flat_map(|e| &e.fills);
        fills.map(|fill| fill.at).max()
    }

    fn hear(&mut self, id: InstructionId, happened: &VenueEventKind) {
        let of_id = |result: &&mut LegResult| matches!(result, Ok(e) if e.instruction == id);
        let Some(result) = self.results.iter_mut().find(of_id) else {
            return;
        };
        if let VenueEventKind::OrderFailed { error, .. } = happened {
            *result = Err(error.as_ref().clone());
        } else if let Ok(execution) = result {
            execution.status = ExecutionStatus::Settled;
            if let VenueEventKind::LateFill { fill, .. } = happened {
                execution.fills.push(fill.clone());
            }
        }
    }
}

/// Whether a leg is an order, which fills or fails, and no transfer.
pub(crate) fn is_order(leg: &Leg) -> bool {
    let kind = leg.instruction.operation.kind();
    matches!(kind, OperationKind::SpotTrade | OperationKind::PerpTrade)
}

/// Signed base units that a block and its unwinding left, fees in base aside.
pub(crate) fn naked_delta(
    block: &[LegResult],
    unwinding: &[LegResult],
) -> Result<Quantity, ComponentError> {
    let mut net = Quantity::ZERO;
    let confirmed = block.iter().chain(unwinding).flatten();
    for fill in confirmed.flat_map(|execution| &execution.fills) {
        net = net.add(Quantity::new(
            fill.quantity.get().mul_int(fill.side.sign())?,
        ))?;
    }
    Ok(net)
}
