//! What a strategy sees, decides and remembers; the strategies themselves are crates above this one.
//!
//! A strategy reads the view and the books and returns the next feasible [`Plan`] towards its
//! target; it sees no venue and does no I/O. It is asked again at every step without a plan under way,
//! so a plan holds only what can be done now, and the rest follows from the state that results. A plan that
//! has sent its last transfer has ended: what is on its way is in [`Context::in_flight`] until it arrives, and
//! each arrival can be traded in the step that follows it.

use basis_core::error::{Code, ComponentError};
use basis_core::instruction::Swap;
use basis_core::journal::JournalError;
use basis_core::num::{Quantity, Rate, Rounding, Value};
use basis_core::plan::{FailurePolicy, Plan};
use basis_core::rules::RuleBook;
use basis_core::types::{Asset, Venue};
use basis_core::venue::Terms;
use basis_market::MarketView;
use serde::{Deserialize, Serialize};

use crate::account::{Books, Exposure};
use crate::config::RunConfig;
use crate::venue_share::Spread;

pub use crate::venue_share::OpenTransfer;

/// Answers how a venue of the run deals, when a strategy asks.
pub trait Venues: std::fmt::Debug {
    /// The terms of `venue` at the view; the default for a venue that the run does not have.
    ///
    /// # Errors
    /// The venue's own when it cannot say.
    fn terms(&self, venue: Venue, view: &MarketView) -> Result<Terms, ComponentError>;

    /// What a swap at `venue` would pay now; `None` where it would be refused.
    fn quote(&self, venue: Venue, swap: &Swap, view: &MarketView) -> Option<Quantity>;
}

/// All a strategy may read.
#[derive(Debug)]
pub struct Context<'a> {
    /// Market data at this instant.
    pub view: &'a MarketView,
    /// Holdings, valued at this instant.
    pub books: &'a Books,
    /// Delta and margins.
    pub exposure: &'a Exposure,
    /// Rules of every venue.
    pub rules: &'a RuleBook,
    /// The run's configuration.
    pub config: &'a RunConfig,
    /// Transfers on their way, in the order they were sent: no account's collateral, and not to be sent again.
    pub in_flight: &'a [OpenTransfer],
    /// Capital asked back by the schedule and not yet paid out, in the share class.
    pub pending_withdrawal: Value,
    /// External flows so far, counted; a change means positions must be scaled.
    pub flows_seen: u64,
    /// Risk allows nothing that adds exposure.
    pub reduce_only: bool,
    /// The venues of the run.
    pub venues: &'a dyn Venues,
}

impl Context<'_> {
    /// How `venue` deals now: queues, flash loans, efficiency modes.
    ///
    /// # Errors
    /// The venue's own when it cannot say.
    pub fn terms(&self, venue: Venue) -> Result<Terms, ComponentError> {
        self.venues.terms(venue, self.view)
    }

    /// Units of `asset` on their way to any account of `venue`.
    ///
    /// # Errors
    /// POS-002 out of range.
    pub fn coming_to(&self, venue: Venue, asset: Asset) -> Result<Quantity, ComponentError> {
        let coming = self.in_flight.iter();
        let coming =
            coming.filter(|transfer| transfer.to.venue == venue && transfer.asset == asset);
        coming.map(|transfer| transfer.amount).try_fold(
            Quantity::ZERO,
            |sum, amount| -> Result<Quantity, ComponentError> { Ok(sum.add(amount)?) },
        )
    }

    /// USD that may still be sent to `venue` within `risk.venue_share_max`, below zero where it holds more than it may;
    /// `None` where nothing bounds it.
    ///
    /// # Errors
    /// POS-002 out of range.
    pub fn room_at(&self, venue: Venue) -> Result<Option<Value>, ComponentError> {
        let spread = Spread {
            books: self.books,
            in_flight: self.in_flight,
            view: self.view,
            rules: self.rules,
            config: self.config,
        };
        spread.room_at(venue)
    }

    /// Whether anything can be sent away from `venue` now: a halt of its withdrawals or an outage keeps it
    /// there.
    #[must_use]
    pub fn sends(&self, venue: Venue) -> bool {
        !self.view.withdrawals_halted(venue) && !self.view.is_out(venue)
    }

    /// What happens to a block of the mode when a leg fails, its bound on open delta in base units at the
    /// reference price, rounded down; nothing may stay open while there is no price.
    #[must_use]
    pub fn failure_policy(&self) -> FailurePolicy {
        let FailurePolicy::Compensate {
            naked_delta_max,
            naked_time_max,
        } = self.config.failure_policy
        else {
            return self.config.failure_policy;
        };
        let bound = if self.config.is_in_kind() {
            naked_delta_max
        } else {
            let reference = self.view.quote(self.books.reference()).mark;
            let bound = Value::new(naked_delta_max.get()).per(reference, Rounding::Floor);
            bound.unwrap_or(Quantity::ZERO)
        };
        FailurePolicy::Compensate {
            naked_delta_max: bound,
            naked_time_max,
        }
    }

    /// The equity in units of the share class, rounded down.
    ///
    /// # Errors
    /// POS-002 out of range.
    pub fn equity_in_share_class(&self) -> Result<Quantity, ComponentError> {
        self.in_share_class(self.books.equity())
    }

    /// An amount of USD in units of the share class, rounded down.
    ///
    /// # Errors
    /// POS-002 out of range.
    pub fn in_share_class(&self, amount: Value) -> Result<Quantity, ComponentError> {
        if !self.config.is_in_kind() {
            return Ok(Quantity::new(amount.get()));
        }
        let reference = self.view.quote(self.books.reference()).mark;
        Ok(amount.per(reference, Rounding::Floor)?)
    }
}

/// Why exposure is not added. It displays as a clause for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortfall {
    /// Too little of the look-back is recorded.
    LookBack {
        /// Settlements that are.
        recorded: u32,
        /// Settlements that were due.
        due: u32,
    },
    /// Too few days of the look-back are recorded.
    Days {
        /// Days that are.
        recorded: u32,
        /// Days that it takes.
        due: u32,
    },
    /// The carry is below the cost.
    Carry {
        /// What is expected over the horizon, USD.
        expected: Value,
        /// What opening and closing costs, USD.
        cost: Value,
        /// The part of it that brings the margin there, USD.
        transfers: Value,
        /// The part of it that the capital would earn lent, where that is asked, USD.
        lent: Value,
    },
}

impl Shortfall {
    /// The state in the event log.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match self {
            Self::LookBack { .. } | Self::Days { .. } => "look_back_short",
            Self::Carry { .. } => "carry_below_cost",
        }
    }
}

impl std::fmt::Display for Shortfall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::LookBack { recorded, due } => {
                write!(
                    f,
                    "{recorded} of {due} settlements of the look-back are recorded"
                )
            }
            Self::Days { recorded, due } => {
                write!(f, "{recorded} of {due} days of the look-back are recorded")
            }
            Self::Carry {
                expected,
                cost,
                transfers,
                lent,
            } => {
                write!(
                    f,
                    "the expected carry of {expected} USD is not above the round trip of {cost} USD, {transfers} USD \
                     of it for transfers"
                )?;
                if lent.is_zero() {
                    return Ok(());
                }
                write!(f, " and {lent} USD that lending would earn")
            }
        }
    }
}

/// What a strategy decided.
#[derive(Debug)]
pub enum Decision {
    /// Nothing to do.
    Hold,
    /// Something to do, put off because a market it needs has no fresh price.
    Deferred(&'static str),
    /// Something to do that is not expected to earn its cost, and by how much it falls short.
    Uneconomic(&'static str, Shortfall),
    /// Something to do that this venue keeps from being done: it is out, or its withdrawals are halted.
    Halted(&'static str, Venue),
    /// Something to do that waits for what a venue has not got, in words.
    Waits(&'static str, String),
    /// Do this.
    Act(Plan),
    /// Do this, decided by numbers that the event log is to have.
    Weighed(Plan, Weighed),
    /// The same of a plan that has come to be decided by a measure beyond its limit, whose numbers come first.
    Triggered(Plan, Trigger, Option<Weighed>),
}

/// A measure beyond its limit, which made a book change. It displays as the log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// Which: `equity_deviation`, `utilization`, `delta`, `ltv`.
    pub measure: &'static str,
    /// What it came to.
    pub value: Rate,
    /// What it may come to.
    pub limit: Rate,
    /// The numbers that it was computed from.
    pub of: String,
}

impl std::fmt::Display for Trigger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            measure,
            value,
            limit,
            of,
        } = self;
        write!(f, "{measure} {value}, limit {limit}: {of}")
    }
}

impl Decision {
    /// The same, with the numbers of what triggered a plan; nothing is added to what is no plan.
    #[must_use]
    pub fn triggered_by(self, trigger: Option<Trigger>) -> Self {
        match (self, trigger) {
            (Self::Act(plan), Some(trigger)) => Self::Triggered(plan, trigger, None),
            (Self::Weighed(plan, weighed), Some(trigger)) => {
                Self::Triggered(plan, trigger, Some(weighed))
            }
            (other, _) => other,
        }
    }
}

/// The numbers that a plan was decided by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighed {
    /// The state in the event log.
    pub state: &'static str,
    /// The numbers, a clause for people.
    pub detail: String,
}

/// What a strategy knows beyond books and market, as a journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    version: u32,
    state: serde_json::Value,
}

impl Checkpoint {
    /// A state of the given version.
    ///
    /// # Errors
    /// STRAT-001 for a state that has no JSON.
    pub fn of(version: u32, state: &impl Serialize) -> Result<Self, ComponentError> {
        let state = serde_json::to_value(state).map_err(|e| {
            let message = format!("the strategy's state cannot be written as JSON: {e}");
            ComponentError::new(Code::StrategyInfeasible, message)
        })?;
        Ok(Self { version, state })
    }

    /// The state, which must be of `version`.
    ///
    /// # Errors
    /// EXEC-005 for another version; EXEC-006 when it cannot be read.
    pub fn read<T: for<'de> Deserialize<'de>>(&self, version: u32) -> Result<T, ComponentError> {
        if self.version != version {
            let differs = JournalError::Differs {
                key: "the version of the strategy's state".to_owned(),
                journal: self.version.to_string(),
                start: version.to_string(),
            };
            return Err(differs.into());
        }
        T::deserialize(&self.state).map_err(|e| {
            let problem = format!("the strategy's state cannot be read: {e}");
            JournalError::Inconsistent(problem).into()
        })
    }
}

/// A strategy mode at work.
pub trait Strategy: Send + std::fmt::Debug {
    /// The next plan towards the target.
    ///
    /// # Errors
    /// STRAT-001 or STRAT-002 when the target cannot be built; POS-002 out of range.
    fn decide(&mut self, context: &Context<'_>) -> Result<Decision, ComponentError>;

    /// The plan that closes everything that can be traded now; `None` when nothing is open.
    ///
    /// # Errors
    /// POS-002 out of range.
    fn exit(&mut self, context: &Context<'_>) -> Result<Option<Plan>, ComponentError>;

    /// The plan that cuts the exposure held through `venue` by `fraction` (0 to 1).
    ///
    /// # Errors
    /// POS-002 out of range.
    fn deleverage(
        &mut self,
        context: &Context<'_>,
        venue: Venue,
        fraction: Rate,
    ) -> Result<Option<Plan>, ComponentError>;

    /// The plan that brings `missing` (> 0) quote units of idle capital to the perp account at `venue`, where
    /// all of it can be there within a step; else `None`, and risk has the account cut.
    ///
    /// # Errors
    /// POS-002 out of range.
    fn top_up(
        &mut self,
        _context: &Context<'_>,
        _venue: Venue,
        _missing: Value,
    ) -> Result<Option<Plan>, ComponentError> {
        Ok(None)
    }

    /// The most of the share class that could be paid out now, with everything closed and its cost off;
    /// the equity unless the strategy knows better. A withdrawal of more is refused.
    ///
    /// # Errors
    /// POS-002 out of range.
    fn payable(&mut self, context: &Context<'_>) -> Result<Quantity, ComponentError> {
        context.equity_in_share_class()
    }

    /// Whether the book is still being built for the `flows_seen` external flows so far, with capital
    /// that is exposed by itself: its net delta is then the capital's, not a broken hedge.
    fn is_building(&self, _flows_seen: u64) -> bool {
        false
    }

    /// Whether its sizing counts [`Context::in_flight`], so that it can be asked while transfers are on their
    /// way and trades each arrival at the step after it. One that does not would send again what has not
    /// arrived: it is asked when all of it has.
    fn counts_in_flight(&self) -> bool {
        false
    }

    /// What it has to know to go on after a restart, when it is asked for nothing in between.
    ///
    /// # Errors
    /// STRAT-001 for a state that cannot be written.
    fn save(&self) -> Result<Checkpoint, ComponentError>;

    /// Goes on from what it saved.
    ///
    /// # Errors
    /// EXEC-005 for a state of another version; EXEC-006 for one that cannot be read.
    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), ComponentError>;

    /// Tells the strategy that its last plan has come to its end: whether it traded without a leg
    /// being undone, and how many external flows were due by then.
    fn completed(&mut self, flows_seen: u64, traded: bool);
}
