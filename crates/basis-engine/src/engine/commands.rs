//! What an operator may ask: pause, resume, stop, kill.

use basis_core::error::ComponentError;
use basis_core::instruction::{CancelOrder, Operation};
use basis_core::plan::{Block, FailurePolicy, Leg};

use super::Engine;
use crate::wake::Command;

impl Engine {
    /// Does what an operator asks.
    pub(super) fn command(&mut self, command: Command) -> Result<(), ComponentError> {
        let at = self.view.now();
        match command {
            Command::Pause => {
                self.paused = true;
                self.state(at, "paused", "an operator paused the strategy".to_owned());
            }
            Command::Resume => {
                self.paused = false;
                self.desk.lift_halts();
                let detail = "an operator resumed the strategy and lifted the halts of venues";
                self.state(at, "resumed", detail.to_owned());
            }
            Command::Stop => {
                self.abandon_plan()?;
                self.state(at, "stopped", "an operator stopped the run".to_owned());
                self.ended = true;
            }
            Command::Kill { flatten } => {
                self.abandon_plan()?;
                self.cancel_outstanding()?;
                let what = if flatten { "closed" } else { "held" };
                let reason = format!("an operator killed the run at {at}: positions are {what}");
                self.state(at, "halted", reason.clone());
                self.halted = Some(reason);
                self.holds = !flatten;
                if flatten {
                    self.refresh_exposure()?;
                    self.halt(at)?;
                }
            }
        }
        Ok(())
    }

    /// Takes back what earlier blocks left in a book.
    fn cancel_outstanding(&mut self) -> Result<(), ComponentError> {
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
        if legs.is_empty() {
            return Ok(());
        }
        let failure_policy = FailurePolicy::Continue;
        self.run_alone(Block {
            legs,
            failure_policy,
        })
    }
}
