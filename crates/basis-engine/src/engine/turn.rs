//! What the engine does in one wake after it has taken the news: one stage after the other.
//!
//! Every stage that sends something can be entered again: what it has done stands in the plan under way
//! and its block, so that a run that was cut off in the middle of a wake goes on from where it was.

use std::collections::VecDeque;

use basis_core::error::ComponentError;
use basis_core::num::{Rate, Value};
use basis_core::plan::{Action, Plan};
use basis_core::types::{Account, Timestamp};
use basis_market::Mark;
use serde::{Deserialize, Serialize};

use super::Engine;
use super::plans::{ActivePlan, PLAN_AGE_MAX};
use crate::risk::Verdict;

/// Most plans a strategy may start within one step: sweep, raise margin, move, trade, and two to spare.
const DECISIONS_PER_STEP_MAX: u32 = 6;

/// The rest of a wake.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Turn {
    /// Whether a step is closed at its end.
    pub(super) is_step: bool,
    /// Whether a block ran.
    acted: bool,
    pub(super) stage: Stage,
}

/// What is being done.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// The plan under way goes on.
    Resuming {
        /// Whether a block of it was under way.
        orders_were_open: bool,
    },
    /// The plan under way is given up, because it has waited for too long.
    Aging {
        /// For what, in words.
        detail: String,
        /// As of [`Stage::Resuming`].
        orders_were_open: bool,
    },
    /// The strategy is asked.
    Deciding {
        /// How often it may be asked in this step.
        left: u32,
    },
    /// What it decided is carried out.
    Trading {
        /// How often it may be asked in this step after that.
        left: u32,
    },
    /// The plan under way is given up for one of risk.
    Preempting(Plan),
    /// The plan of risk is carried out.
    Reducing,
    /// The plan under way is given up, and the run ends.
    Stopping,
    /// The plan under way is given up, and nothing is decided any more.
    Killing {
        /// Whether positions are closed.
        flatten: bool,
    },
    /// What earlier blocks left in a book is taken back.
    Cancelling {
        /// As of [`Stage::Killing`].
        flatten: bool,
    },
    /// Nothing more.
    Done,
}

impl Engine {
    /// The first stage of a step after `verdict`.
    pub(super) fn first_stage(
        &mut self,
        at: Timestamp,
        verdict: Verdict,
    ) -> Result<Stage, ComponentError> {
        match (&self.run_state.halted, verdict) {
            _ if self.run_state.holds => Ok(Stage::Done),
            (Some(_), _) | (None, Verdict::Halt) => self.halt(at),
            (None, verdict) => self.reducing(verdict),
        }
    }

    /// The stage that does what risk demands of one account.
    fn reducing(&mut self, verdict: Verdict) -> Result<Stage, ComponentError> {
        match verdict {
            Verdict::Deleverage {
                account,
                fraction,
                missing,
            } => {
                let cut = self.ask_strategy(true, |strategy, context| {
                    strategy.deleverage(context, account.venue, fraction)
                })?;
                // What cannot be cut now, a stake in a queue, stands on idle cash meanwhile.
                let still = missing.sub(self.coming_to(account)?)?;
                let brought = self.bring_margin(account, still)?;
                let plan = match (cut, brought) {
                    (Some(mut cut), Some(brought)) => {
                        cut.blocks.extend(brought.blocks);
                        Some(cut)
                    }
                    (cut, brought) => cut.or(brought),
                };
                Ok(plan.map_or(Stage::Done, Stage::Preempting))
            }
            Verdict::TopUp {
                account,
                missing,
                fraction,
            } => self.top_up(account, missing, fraction),
            Verdict::Proceed | Verdict::Halt => {
                Ok(self.resuming().unwrap_or_else(|| self.deciding()))
            }
        }
    }

    /// Brings margin to an account that is low on it, with what is on its way there counted; what cannot be
    /// brought is cut at once.
    fn top_up(
        &mut self,
        account: Account,
        missing: Value,
        fraction: Rate,
    ) -> Result<Stage, ComponentError> {
        let coming = self.coming_to(account)?;
        if coming >= missing {
            return Ok(self.resuming().unwrap_or_else(|| self.deciding()));
        }
        let plan = match self.bring_margin(account, missing.sub(coming)?)? {
            Some(plan) => Some(plan),
            None => self.ask_strategy(true, |strategy, context| {
                strategy.deleverage(context, account.venue, fraction)
            })?,
        };
        Ok(plan.map_or(Stage::Done, Stage::Preempting))
    }

    /// The plan that brings `missing` quote units of idle capital to an account.
    fn bring_margin(
        &mut self,
        account: Account,
        missing: Value,
    ) -> Result<Option<Plan>, ComponentError> {
        if !missing.is_positive() {
            return Ok(None);
        }
        self.ask_strategy(true, |strategy, context| {
            strategy.top_up(context, account.venue, missing)
        })
    }

    /// Quote units on their way to the venue of an account.
    fn coming_to(&self, account: Account) -> Result<Value, ComponentError> {
        let coming = self.run_state.in_flight.iter().filter(|transfer| {
            transfer.to.venue == account.venue
                && self.view.mark_of(transfer.asset) == Some(Mark::Par)
        });
        let mut coming = coming.map(|transfer| Value::new(transfer.amount.get()));
        Ok(coming.try_fold(Value::ZERO, Value::add)?)
    }

    /// The stage that goes on with the plan under way; `None` without one.
    pub(super) fn resuming(&self) -> Option<Stage> {
        let orders_were_open = self.plan.as_ref()?.run.is_some();
        Some(Stage::Resuming { orders_were_open })
    }

    fn deciding(&self) -> Stage {
        if self.run_state.paused || self.awaits_transfers() {
            return Stage::Done;
        }
        Stage::Deciding {
            left: DECISIONS_PER_STEP_MAX,
        }
    }

    /// Whether transfers are on their way that the strategy does not count.
    fn awaits_transfers(&self) -> bool {
        let now = self.view.now();
        let mut in_flight = self.run_state.in_flight.iter();
        !self.strategy.counts_in_flight()
            && in_flight.any(|transfer| now.since(transfer.sent_at) <= PLAN_AGE_MAX)
    }

    /// Does the rest of a wake from `stage` on, and closes the step if it is one.
    pub(super) fn run_turn(&mut self, is_step: bool, stage: Stage) -> Result<(), ComponentError> {
        self.turn = Some(Turn {
            is_step,
            acted: false,
            stage,
        });
        self.finish_turn()
    }

    /// Goes on with the turn under way to its end.
    pub(super) fn finish_turn(&mut self) -> Result<(), ComponentError> {
        let at = self.view.now();
        while let Some(turn) = &self.turn
            && !matches!(turn.stage, Stage::Done)
        {
            let stage = turn.stage.clone();
            let next = self.run_stage(at, stage)?;
            if let Some(turn) = &mut self.turn {
                turn.stage = next;
            }
        }
        let turn = self.turn.take();
        if let Some(turn) = turn.filter(|turn| turn.is_step) {
            if turn.acted {
                self.refresh_exposure()?;
            }
            self.close_step(at)?;
        }
        Ok(())
    }

    fn run_stage(&mut self, at: Timestamp, stage: Stage) -> Result<Stage, ComponentError> {
        match stage {
            Stage::Resuming { orders_were_open } => self.resume_plan(at, orders_were_open),
            Stage::Aging {
                detail,
                orders_were_open,
            } => {
                self.abandon_plan()?;
                self.state(at, "plan_abandoned", detail);
                self.after_resuming(false, orders_were_open)
            }
            Stage::Deciding { left } => {
                if left == 0 || at < self.run_state.pause_until || !self.decide(at)? {
                    return Ok(Stage::Done);
                }
                Ok(Stage::Trading { left: left - 1 })
            }
            Stage::Trading { left } => {
                if !self.run_plan()? {
                    return Ok(Stage::Done);
                }
                self.has_acted(true);
                if self.plan.is_some() || self.awaits_transfers() {
                    return Ok(Stage::Done);
                }
                // What has just been done shows in the next decision of the same step.
                self.refresh_exposure()?;
                Ok(Stage::Deciding { left })
            }
            Stage::Preempting(plan) => {
                // Its transfers arrive all the same.
                if self.plan.is_some() {
                    self.abandon_plan()?;
                    self.state(at, "plan_preempted", "risk acts first".to_owned());
                }
                self.start(plan);
                Ok(Stage::Reducing)
            }
            Stage::Reducing => self.reduce(),
            Stage::Stopping => {
                self.abandon_plan()?;
                self.state(at, "stopped", "an operator stopped the run".to_owned());
                self.run_state.ended = true;
                Ok(Stage::Done)
            }
            Stage::Killing { flatten } => {
                self.abandon_plan()?;
                let Some(block) = self.cancel_outstanding() else {
                    return self.killed(at, flatten);
                };
                let none = VecDeque::new();
                self.plan = Some(ActivePlan::new(Action::ExitPartial, none, at, 0));
                if let Some(turn) = &mut self.turn {
                    turn.stage = Stage::Cancelling { flatten };
                }
                self.submit_block(block)?;
                Ok(Stage::Cancelling { flatten })
            }
            Stage::Cancelling { flatten } => {
                let end = self.drive_block()?.unwrap_or_default();
                self.end_block(at, &end);
                self.plan = None;
                self.killed(at, flatten)
            }
            Stage::Done => Ok(Stage::Done),
        }
    }

    /// Carries out the plan of risk, and yields the stage of the next account: each is seen to in the step
    /// that finds it low.
    fn reduce(&mut self) -> Result<Stage, ComponentError> {
        let went_on = self.run_plan()?;
        self.has_acted(went_on);
        if self.plan.is_some() || self.run_state.halted.is_some() {
            return Ok(Stage::Done);
        }
        self.refresh_exposure()?;
        match self.risk.next_account(&self.exposure)? {
            Some(verdict) => self.reducing(verdict),
            None => Ok(Stage::Done),
        }
    }

    fn has_acted(&mut self, acted: bool) {
        if let Some(turn) = &mut self.turn {
            turn.acted |= acted;
        }
    }

    /// Goes on with the plan under way, if what it waits for has come.
    fn resume_plan(
        &mut self,
        at: Timestamp,
        orders_were_open: bool,
    ) -> Result<Stage, ComponentError> {
        let Some(plan) = &self.plan else {
            return self.after_resuming(false, orders_were_open);
        };
        // What has come may change what the block under way needs, and by when.
        if plan.under_way.is_empty() && self.run_plan()? {
            return self.after_resuming(true, orders_were_open);
        }
        if let Some(plan) = &self.plan
            && at.since(plan.since) > PLAN_AGE_MAX
        {
            let detail = format!("{:?} after {PLAN_AGE_MAX}", plan.waiting);
            return Ok(Stage::Aging {
                detail,
                orders_were_open,
            });
        }
        self.after_resuming(false, orders_were_open)
    }

    /// What follows on a plan that went on, or did not: the next decision, when its orders were open until
    /// now, for the fills are those of the step before.
    fn after_resuming(
        &mut self,
        went_on: bool,
        orders_were_open: bool,
    ) -> Result<Stage, ComponentError> {
        let is_step = self.turn.as_ref().is_some_and(|turn| turn.is_step);
        if !is_step || self.plan.is_some() || !orders_were_open {
            self.has_acted(went_on);
            return Ok(Stage::Done);
        }
        self.has_acted(true);
        self.books.value(&self.view)?;
        self.exposure.refresh(&self.books, &self.view)?;
        Ok(self.deciding())
    }

    /// Closes what can be closed; at the first call also stops the strategy.
    fn halt(&mut self, at: Timestamp) -> Result<Stage, ComponentError> {
        if self.run_state.halted.is_none() {
            let mut reason = format!("risk halted the strategy at {at}");
            if let Some(breach) = self.risk.breach() {
                reason.push_str(&format!(": {breach}"));
            }
            self.state(at, "halted", reason.clone());
            self.run_state.halted = Some(reason);
        }
        let plan = self.ask_strategy(true, |strategy, context| strategy.exit(context))?;
        Ok(plan.map_or(Stage::Done, Stage::Preempting))
    }

    /// What follows on a kill once nothing is open any more.
    fn killed(&mut self, at: Timestamp, flatten: bool) -> Result<Stage, ComponentError> {
        let what = if flatten { "closed" } else { "held" };
        let reason = format!("an operator killed the run at {at}: positions are {what}");
        self.state(at, "halted", reason.clone());
        self.run_state.halted = Some(reason);
        self.run_state.holds = !flatten;
        if !flatten {
            return Ok(Stage::Done);
        }
        self.refresh_exposure()?;
        self.halt(at)
    }
}
