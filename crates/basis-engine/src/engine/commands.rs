//! What an operator may ask: pause, resume, stop, kill.

use basis_core::error::ComponentError;
use basis_core::instruction::{CancelOrder, Operation};
use basis_core::plan::{Block, FailurePolicy, Leg};

use super::Engine;
use super::turn::Stage;
use crate::wake::Command;

impl Engine {
    /// Does what an operator asks.
    pub(super) fn command(&mut self, command: Command) -> Result<(), ComponentError> {
        let at = self.view.now();
        let stage = match command {
            Command::Pause => {
                self.run_state.paused = true;
                self.state(at, "paused", "an operator paused the strategy".to_owned());
                return Ok(());
            }
            Command::Resume => {
                self.run_state.paused = false;
                self.desk.lift_halts();
                let detail = "an operator resumed the strategy and lifted the halts of venues";
                self.state(at, "resumed", detail.to_owned());
                return Ok(());
            }
            Command::Stop => Stage::Stopping,
            Command::Kill { flatten } => Stage::Killing { flatten },
        };
        self.run_turn(false, stage)
    }

    /// Cancels what earlier blocks left in a book; `None` when there is nothing.
    pub(super) fn cancel_outstanding(&self) -> Option<Block> {
        let open = self.desk.outstanding.values();
        let legs: Vec<_> = open
            .filter(|run| run.is_working())
            .filter_map(|run| {
                let asked = run.order()?;
                let cancel = Operation::CancelOrder(CancelOrder {
                    symbol: asked.instrument.symbol,
                    order: run.leg.instruction.id,
                });
                Some(Leg::new(run.leg.venue, cancel))
            })
            .collect();
        (!legs.is_empty()).then_some(Block {
            legs,
            failure_policy: FailurePolicy::Continue,
        })
    }
}
