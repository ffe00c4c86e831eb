//! What a run under shocks came to, held against the run without them.
//!
//! **Invariant.** No amount passes through a float; the drawdown is a statistic and does.

use std::collections::BTreeSet;

use basis_core::error::{Code, ComponentError};
use basis_core::event::EventData;
use basis_core::ledger::EntryKind;
use basis_core::num::{Quantity, Rate, Rounding, Value};
use basis_core::types::{Span, Timestamp, Venue};
use basis_core::venue::VenueType;
use basis_engine::account::RiskMeasure;
use basis_engine::result::StepColumns;
use basis_engine::risk::RiskLevel;
use basis_engine::statistics::TimeWeighted;
use basis_engine::{RunConfig, RunResult};
use basis_market::Shock;
use basis_report::run::{in_share_class, value_held_at};
use basis_report::stress::{Figures, Safety};
use basis_venues::registry::Registry;

use super::scenarios::About;

/// What the figures of every scenario of one command rest on.
#[derive(Clone, Copy, Debug)]
pub struct Measure<'a> {
    /// The configuration of the base run.
    pub config: &'a RunConfig,
    /// Which venues are exchanges.
    pub registry: &'a Registry,
    /// Whether the mode keeps perps against what it holds.
    pub hedges: bool,
    /// The run without the scenario; it holds its steps.
    pub base: &'a RunResult,
}

/// From when to when a scenario's shocks change something: the first instant and the last bend.
#[derive(Clone, Copy, Debug)]
struct Window {
    from: Timestamp,
    settled: Timestamp,
}

impl Window {
    fn of(shocks: &[Shock]) -> Option<Self> {
        Some(Self {
            from: shocks.iter().map(Shock::at).min()?,
            settled: shocks.iter().map(Shock::settles_at).max()?,
        })
    }
}

impl Measure<'_> {
    /// The figures of `run`, a run under the shocks of `about` that holds its steps and ends with the base run or
    /// before; without a shock those of the whole run.
    ///
    /// # Errors
    /// POS-002 when an amount leaves the range of exact arithmetic.
    pub fn figures(&self, run: &RunResult, about: &About) -> Result<Figures, ComponentError> {
        let window = Window::of(&about.shocks);
        let since = window.map_or(Timestamp::MIN, |window| window.from);
        let base = &self.base.steps;
        let before = base.at.partition_point(|at| *at < since).saturating_sub(1);
        let equity_at_shock = self.equity(base, before)?;
        let end = run.steps.at.len().saturating_sub(1);
        let equity_end = self
            .equity(&run.steps, end)?
            .sub(self.lost(run, about.lost)?)?;
        let base_end = self.equity(base, same_step(base, run))?;
        let loss = base_end.sub(equity_end)?;
        let loss_of_equity = equity_at_shock
            .is_positive()
            .then(|| loss.ratio(equity_at_shock, Rounding::HalfEven))
            .transpose()?;
        let actions = self.risk_actions(run, since);
        let first = actions.first().copied();
        let (closed, repaid) = self.liquidations(run, since);
        let liquidated: BTreeSet<_> = closed.iter().chain(&repaid).copied().collect();
        let count = |list: &[Timestamp]| u64::try_from(list.len()).unwrap_or(u64::MAX);
        Ok(Figures {
            shock_at: window.map(|window| window.from),
            equity_at_shock,
            equity_end,
            loss,
            loss_of_equity,
            max_drawdown: self.drawdown(&run.steps, since)?,
            least_distance: least_distance(&run.steps, since).map(|(distance, _)| distance),
            was_held: base
                .risk
                .gross_delta
                .get(before)
                .is_some_and(|gross| gross.is_positive()),
            liquidations_cex: count(&closed),
            liquidations_lending: count(&repaid),
            risk_actions: count(&actions),
            first_action_after: first.zip(window).map(|(at, window)| at.since(window.from)),
            safety: match window {
                Some(window) => self.safety(&run.steps, window, &liquidated)?,
                None => Safety::NotAsked,
            },
            halted: run.halted.clone(),
            residual: run.attribution.residual,
        })
    }

    /// Equity after a step, in the share class at that step's reference; zero without steps.
    fn equity(&self, steps: &StepColumns, step: usize) -> Result<Quantity, ComponentError> {
        self.amount(steps, &steps.equity_usd, step)
    }

    /// What the books hold at the exchange that keeps it, at the end and in the share class.
    fn lost(&self, run: &RunResult, venue: Option<Venue>) -> Result<Quantity, ComponentError> {
        let (Some(venue), Some(price)) = (venue, run.steps.reference.last()) else {
            return Ok(Quantity::ZERO);
        };
        let value = value_held_at(run, venue)?;
        Ok(in_share_class(self.config.share_class, value, *price)?)
    }

    fn amount(
        &self,
        steps: &StepColumns,
        column: &[Value],
        step: usize,
    ) -> Result<Quantity, ComponentError> {
        let (Some(value), Some(price)) = (column.get(step), steps.reference.get(step)) else {
            return Ok(Quantity::ZERO);
        };
        Ok(in_share_class(self.config.share_class, *value, *price)?)
    }

    /// The step returns of the run's own statistics, from the last step before `since` on.
    fn drawdown(&self, steps: &StepColumns, since: Timestamp) -> Result<f64, ComponentError> {
        let first = steps.at.partition_point(|at| *at < since).max(1);
        let mut index = TimeWeighted::new(since);
        // What stood before the first of them is the capital it starts with.
        for step in (first - 1)..steps.at.len() {
            let Some(at) = steps.at.get(step) else { break };
            let equity = self.equity(steps, step)?;
            let flow = if step < first {
                equity
            } else {
                self.amount(steps, &steps.external_flow_usd, step)?
            };
            index.step(*at, Value::new(equity.get()), Value::new(flow.get()));
        }
        Ok(index.finish(self.config.step).max_drawdown)
    }

    /// Instants of the plans that risk started: no other plan starts while it deleverages or has
    /// halted the strategy.
    fn risk_actions(&self, run: &RunResult, since: Timestamp) -> Vec<Timestamp> {
        let (mut acts, mut halted) = (false, false);
        let mut actions = Vec::new();
        for event in &run.events {
            match &event.data {
                EventData::Risk { level, .. } => {
                    let rungs = [RiskLevel::Deleverage, RiskLevel::Halt];
                    acts = rungs.iter().any(|rung| rung.as_str() == *level);
                }
                EventData::StateUpdate { state, .. } if *state == "halted" => halted = true,
                EventData::Plan { .. } if (acts || halted) && event.at >= since => {
                    actions.push(event.at);
                }
                _ => {}
            }
        }
        actions
    }

    /// Instants of liquidations: of exchanges, and of lending protocols.
    fn liquidations(&self, run: &RunResult, since: Timestamp) -> (Vec<Timestamp>, Vec<Timestamp>) {
        let is_cex = |venue: Venue| self.registry.venue_type(venue) == Some(VenueType::Cex);
        let closed = run.events.iter().filter(|event| {
            let EventData::VenueEvent { venue, what, .. } = &event.data else {
                return false;
            };
            event.at >= since && what.as_str() == "liquidation" && is_cex(*venue)
        });
        // A liquidator repays one debt at a time, and the ledger has one line of it.
        let repaid = run.ledger.iter().filter(|line| {
            line.at >= since
                && line.kind == EntryKind::Liquidation
                && line.item.is_debt()
                && !is_cex(line.account.venue)
        });
        (
            closed.map(|event| event.at).collect(),
            repaid.map(|line| line.at).collect(),
        )
    }

    /// From the shock to the first step after the last one that was not safe while the shocks still
    /// changed something.
    fn safety(
        &self,
        steps: &StepColumns,
        window: Window,
        liquidated: &BTreeSet<Timestamp>,
    ) -> Result<Safety, ComponentError> {
        // A step that liquidated is not safe, even where the strategy stood again at its end.
        let is_safe = |step: usize| {
            let hit = steps.at.get(step).is_some_and(|at| liquidated.contains(at));
            Ok::<_, ComponentError>(!hit && self.is_safe(steps, step)?)
        };
        // A jump shows at its very instant, so that step counts.
        let first = steps.at.partition_point(|at| *at < window.from);
        // What the last bend does shows at the first step that sees it.
        let seen = steps.at.partition_point(|at| *at < window.settled);
        let count = steps.at.len();
        let mut last = None;
        for step in first..count.min(seen + 1) {
            if !is_safe(step)? {
                last = Some(step);
            }
        }
        let Some(last) = last else {
            return Ok(Safety::After(Span::default()));
        };
        for step in last + 1..count {
            if is_safe(step)?
                && let Some(at) = steps.at.get(step)
            {
                return Ok(Safety::After(at.since(window.from)));
            }
        }
        Ok(Safety::Never)
    }

    /// Whether risk asks nothing, the hedge holds, and no plan waits that does not in the base run.
    fn is_safe(&self, steps: &StepColumns, step: usize) -> Result<bool, ComponentError> {
        let calm = steps
            .risk
            .level
            .get(step)
            .is_none_or(|level| *level <= RiskLevel::Warn);
        let waits = |steps: &StepColumns| steps.parked.get(step).is_some_and(|parked| *parked);
        let waiting = waits(steps) && !waits(&self.base.steps);
        Ok(calm && !waiting && self.is_hedged(steps, step)?)
    }

    /// Whether the net delta is within its tolerance: `delta_tolerance` of equity, or dust. Only asked
    /// where a hedge keeps it near zero.
    fn is_hedged(&self, steps: &StepColumns, step: usize) -> Result<bool, ComponentError> {
        if !self.hedges || self.config.is_in_kind() {
            return Ok(true);
        }
        let columns = (
            steps.net_delta.get(step),
            steps.reference.get(step),
            steps.equity_usd.get(step),
        );
        let (Some(net), Some(price), Some(equity)) = columns else {
            return Ok(true);
        };
        let open = net.abs()?.notional(*price, Rounding::Floor)?;
        let tolerated = equity.at_rate(self.config.delta_tolerance, Rounding::Floor)?;
        let dust = Value::new(self.config.dust_threshold.get());
        Ok(open <= tolerated || open <= dust)
    }
}

/// The step of `base` at which `run` ends.
fn same_step(base: &StepColumns, run: &RunResult) -> usize {
    let end = run.steps.at.last().copied().unwrap_or(Timestamp::MAX);
    base.at.partition_point(|at| *at <= end).saturating_sub(1)
}

/// The least distance of a perp account or isolated position to its liquidation after a step from `since` on, with the
/// instant; of a loan where there was none of these, for a loan's hardly moves with the price. Absent where nothing
/// can be liquidated.
#[must_use]
pub fn least_distance(steps: &StepColumns, since: Timestamp) -> Option<(Rate, Timestamp)> {
    let first = steps.at.partition_point(|at| *at < since);
    let instants = || steps.at.iter().enumerate().skip(first);
    let least = |of: fn(&RiskMeasure) -> bool| {
        let rows = instants().flat_map(|(step, at)| {
            let rows = steps.risk.rows_of(step).iter();
            let rows = rows.filter(|row| of(&row.standing));
            rows.filter_map(move |row| Some((row.standing.distance()?.0, *at)))
        });
        rows.min()
    };
    let margin = |measure: &RiskMeasure| matches!(measure, RiskMeasure::Margin(_));
    least(margin).or_else(|| least(|_| true))
}

/// A failure that says which run it is about.
pub(super) fn without_steps() -> ComponentError {
    ComponentError::new(Code::DatesInvalid, "the run has no step")
}
