//! Records of the event log: facts, in order, as plain data.
//!
//! The log's own types; amounts are exact values that the writer prints as strings. Two runs with
//! the same config, data and seed record the same events but for run id and wall-clock fields.

use std::fmt;

use crate::error::{Code, ComponentError, Severity};
use crate::instruction::OperationKind;
use crate::num::{Quantity, Value};
use crate::plan::Action;
use crate::types::{Account, InstructionId, Item, Label, Timestamp, Venue};
use crate::venue_event::Text;
use serde::{Deserialize, Serialize};

/// Who records an event; each has its own file `<name>_events.jsonl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Component {
    /// Creates the interfaces.
    ExecutionInterfaceFactory,
    /// Drives blocks.
    TightLoop,
    /// Keeps the books.
    PositionMonitor,
    /// Compares books and venues.
    Reconciliation,
    /// Reckons exposure.
    ExposureMonitor,
    /// Watches limits.
    RiskMonitor,
    /// Decides.
    StrategyManager,
    /// Attributes results.
    PnlMonitor,
    /// Serves data.
    DataProvider,
    /// Runs it all.
    Engine,
}

impl Component {
    /// Every component, in file order.
    pub const ALL: [Self; 10] = [
        Self::ExecutionInterfaceFactory,
        Self::TightLoop,
        Self::PositionMonitor,
        Self::Reconciliation,
        Self::ExposureMonitor,
        Self::RiskMonitor,
        Self::StrategyManager,
        Self::PnlMonitor,
        Self::DataProvider,
        Self::Engine,
    ];

    /// The name inside an event, as the specification writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExecutionInterfaceFactory => "ExecutionInterfaceFactory",
            Self::TightLoop => "TightLoop",
            Self::PositionMonitor => "PositionMonitor",
            Self::Reconciliation => "Reconciliation",
            Self::ExposureMonitor => "ExposureMonitor",
            Self::RiskMonitor => "RiskMonitor",
            Self::StrategyManager => "StrategyManager",
            Self::PnlMonitor => "PnlMonitor",
            Self::DataProvider => "DataProvider",
            Self::Engine => "Engine",
        }
    }

    /// The stem of its file: `execution_interface_factory` in
    /// `execution_interface_factory_events.jsonl`.
    #[must_use]
    pub const fn file_stem(self) -> &'static str {
        match self {
            Self::ExecutionInterfaceFactory => "execution_interface_factory",
            Self::TightLoop => "tight_loop",
            Self::PositionMonitor => "position_monitor",
            Self::Reconciliation => "reconciliation",
            Self::ExposureMonitor => "exposure_monitor",
            Self::RiskMonitor => "risk_monitor",
            Self::StrategyManager => "strategy_manager",
            Self::PnlMonitor => "pnl_monitor",
            Self::DataProvider => "data_provider",
            Self::Engine => "engine",
        }
    }
}

/// One fact for the log. The writer adds `seq` and `run_id`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, by the run's clock.
    pub at: Timestamp,
    /// Who records it.
    pub component: Component,
    /// What.
    pub data: EventData,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventData {
    /// A component is ready.
    ComponentInitialization {
        /// Venues the factory can create.
        available_venues: Vec<Venue>,
        /// Hash of the resolved configuration, hexadecimal.
        config_hash: String,
    },
    /// The factory created an interface.
    InterfaceCreated {
        /// For which venue.
        venue: Venue,
        /// The class name of the driver row.
        interface_class: Text,
        /// Time taken by the clock seam, milliseconds; a wall-clock field.
        processing_time_ms: i64,
    },
    /// A plan was decided.
    Plan {
        /// What it is for.
        action: Action,
        /// Why.
        reason: Text,
        /// How many blocks.
        blocks: usize,
        /// How many legs in all.
        legs: usize,
    },
    /// An instruction went to a venue, and what came back.
    Instruction {
        /// Which.
        id: InstructionId,
        /// Where to.
        venue: Venue,
        /// Which operation.
        operation: OperationKind,
        /// `settled`, `open`, `pending`, or the error.
        outcome: InstructionOutcome,
    },
    /// A failure policy acted.
    FailurePolicyApplied {
        /// `halt`, `continue` or `compensate`.
        policy: Text,
        /// Legs that failed.
        failed: Vec<InstructionId>,
        /// Instructions that unwind the others.
        unwinding: Vec<InstructionId>,
    },
    /// Books and venues were compared.
    Reconciliation {
        /// Positions compared.
        compared: usize,
        /// Differences, empty when they agree.
        differences: Vec<Difference>,
    },
    /// A parked plan, a risk state, a skipped rebalance: a state with a reason.
    StateUpdate {
        /// A stable word for the state.
        state: Text,
        /// Why, with values.
        detail: String,
    },
    /// Something a venue did by itself.
    VenueEvent {
        /// Where.
        venue: Venue,
        /// A stable word for it.
        what: Label,
        /// With values.
        detail: String,
    },
    /// A limit or state of risk.
    Risk {
        /// A stable word: `warn`, `reduce_only`, `deleverage`, `halt`, `clear`.
        level: Text,
        /// What was measured.
        measure: Text,
        /// Its value.
        value: Value,
        /// The limit it met.
        limit: Value,
        /// Where.
        account: Option<Account>,
    },
    /// A failure.
    Error {
        /// Registered code.
        code: Code,
        /// The message.
        message: String,
        /// The severity.
        severity: Severity,
        /// Causes, outermost first.
        causes: Vec<String>,
    },
}

/// One holding on which books and venue differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Whose.
    pub account: Account,
    /// What.
    pub item: Item,
    /// What the books say.
    pub expected: Quantity,
    /// What the venue says.
    pub actual: Quantity,
}

/// How one instruction ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstructionOutcome {
    /// Done.
    Settled,
    /// Resting.
    Open,
    /// Under way.
    Pending,
    /// Failed with this code and message.
    Failed(Code, String),
}

impl EventData {
    /// The `event_type` field.
    #[must_use]
    pub const fn event_type(&self) -> &'static str {
        match self {
            Self::ComponentInitialization { .. } => "component_initialization",
            Self::InterfaceCreated { .. } => "interface_created",
            Self::Plan { .. } => "plan",
            Self::Instruction { .. } => "instruction",
            Self::FailurePolicyApplied { .. } => "failure_policy_applied",
            Self::Reconciliation { .. } => "reconciliation",
            Self::StateUpdate { .. } => "state_update",
            Self::VenueEvent { .. } => "venue_event",
            Self::Risk { .. } => "risk",
            Self::Error { .. } => "error",
        }
    }
}

impl Event {
    /// An event of `component` at `at`.
    #[must_use]
    pub const fn new(at: Timestamp, component: Component, data: EventData) -> Self {
        Self {
            at,
            component,
            data,
        }
    }

    /// The error event of `e`.
    #[must_use]
    pub fn error(at: Timestamp, component: Component, e: &ComponentError) -> Self {
        Self::new(
            at,
            component,
            EventData::Error {
                code: e.code,
                message: e.message.clone(),
                severity: e.severity(),
                causes: e.chain().split_off(1),
            },
        )
    }
}

/// Takes events. Shared by every component of a run.
pub trait EventSink: Send + Sync + fmt::Debug {
    /// Records one event; must not block for long and must not fail silently: a sink that cannot
    /// keep an event stops the run when it is next asked.
    fn record(&self, event: Event);
}
