//! A venue on its real hosts: what an interface of it is made of.

#[cfg(feature = "live")]
use std::collections::BTreeMap;
use std::sync::Arc;

#[cfg(feature = "live")]
use basis_core::config::Node;
#[cfg(feature = "live")]
use basis_core::error::{Code, ComponentError};
#[cfg(feature = "live")]
use basis_core::rules::{RuleBook, RuleSnapshot};
use basis_core::secret::Credentials;
use basis_core::types::Symbol;
#[cfg(feature = "live")]
use basis_core::types::{BookId, Venue};
#[cfg(feature = "live")]
use basis_core::venue::Capabilities;
use basis_core::venue::ExecutionMode;
#[cfg(feature = "live")]
use basis_live::actor::{LiveInterface, Runtime, VenueMachine};
#[cfg(feature = "live")]
use basis_market::ExecutionInterface;
use basis_sim::world::SimulatedWorld;

#[cfg(feature = "live")]
use super::Handles;
use crate::credentials::{BasisEnvironment, Variables};

/// What interfaces are created into.
#[derive(Clone, Debug)]
pub enum Surroundings {
    /// The world that simulated venues share.
    Simulated(SimulatedWorld),
    /// The venues themselves.
    Live {
        /// Which networks and which credentials.
        environment: BasisEnvironment,
        /// The environment variables; only credentials are read from them.
        variables: Variables,
        /// What machines run on.
        runtime: LiveRuntime,
    },
}

impl Surroundings {
    /// Whether interfaces simulate or trade.
    #[must_use]
    pub const fn mode(&self) -> ExecutionMode {
        match self {
            Self::Simulated(_) => ExecutionMode::Backtest,
            Self::Live { .. } => ExecutionMode::Live,
        }
    }
}

/// What is traded at a venue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveScope {
    /// What is managed.
    pub symbols: Vec<Symbol>,
    /// Whether spot is traded.
    pub spot: bool,
    /// Whether perpetuals are.
    pub perps: bool,
}

/// What the machines of live venues run on, and for whom. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct LiveRuntime {
    #[cfg(feature = "live")]
    trading: Option<Arc<Trading>>,
}

#[cfg(feature = "live")]
#[derive(Debug)]
struct Trading {
    book: BookId,
    rules: Arc<RuleBook>,
    scopes: BTreeMap<Venue, LiveScope>,
    runtime: Arc<dyn Runtime>,
}

impl LiveRuntime {
    /// One on which nothing runs: whoever only checks settings and credentials builds nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Machines on `runtime` that give client order ids of `book`, under `rules`, each with what is traded at
    /// its venue.
    #[cfg(feature = "live")]
    #[must_use]
    pub fn new(
        book: BookId,
        rules: Arc<RuleBook>,
        scopes: BTreeMap<Venue, LiveScope>,
        runtime: Arc<dyn Runtime>,
    ) -> Self {
        let trading = Trading {
            book,
            rules,
            scopes,
            runtime,
        };
        Self {
            trading: Some(Arc::new(trading)),
        }
    }
}

/// A live venue's surroundings.
#[derive(Clone, Debug)]
pub struct LiveContext {
    /// Which networks it is for.
    pub environment: BasisEnvironment,
    /// Its credentials.
    pub credentials: Arc<Credentials>,
    /// What its machine runs on.
    pub runtime: LiveRuntime,
}

/// What the live side of a venue is made of.
#[cfg(feature = "live")]
#[derive(Clone, Debug)]
pub struct LiveRequest<'a> {
    /// Its section `venue_settings.<venue>`.
    pub section: &'a Node,
    /// Which networks it is for.
    pub environment: BasisEnvironment,
    /// Its credentials.
    pub credentials: &'a Credentials,
    /// The rules of the configuration; the venue's own are read over them.
    pub rules: &'a RuleSnapshot,
    /// Whose client order ids are given.
    pub book: BookId,
    /// What is traded.
    pub scope: &'a LiveScope,
}

/// The live side of a venue.
#[cfg(feature = "live")]
#[derive(Debug)]
pub struct LiveVenue {
    /// What trades.
    pub machine: Box<dyn VenueMachine>,
    /// What it can do.
    pub capabilities: Capabilities,
}

/// Makes the live side of a venue; it opens no socket and reads no clock.
#[cfg(feature = "live")]
pub type LiveBuilder = fn(&LiveRequest<'_>) -> Result<LiveVenue, ComponentError>;

/// Runs the machine of `venue` until it says that it may trade, and returns the engine's side of it.
#[cfg(feature = "live")]
pub(super) fn create(
    (venue, builder): (Venue, LiveBuilder),
    section: &Node,
    context: &LiveContext,
    handles: Handles,
) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
    let failed = |code, reason, text: String| ComponentError::new(code, text).with_reason(reason);
    let Some(trading) = &context.runtime.trading else {
        let text = format!("{venue}: nothing runs here; settings and credentials are in order");
        return Err(failed(Code::CreationFailed, "live_unavailable", text));
    };
    let Some(rules) = trading.rules.venue(venue) else {
        let text = format!("there are no rules of {venue}; give them with --rules FILE");
        return Err(failed(Code::ConfigInvalid, "rules", text));
    };
    let nothing = LiveScope::default();
    let live = builder(&LiveRequest {
        section,
        environment: context.environment,
        credentials: &context.credentials,
        rules: rules.at(trading.runtime.now()),
        book: trading.book,
        scope: trading.scopes.get(&venue).unwrap_or(&nothing),
    })?;
    let mailbox = trading
        .runtime
        .start(venue, live.machine, handles.deadline)?;
    let interface = LiveInterface::new(venue, live.capabilities, mailbox, handles.dependencies);
    Ok(Box::new(interface))
}
