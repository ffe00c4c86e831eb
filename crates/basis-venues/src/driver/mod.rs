//! One row of the driver table: all that the factory knows of a venue.
//!
//! A venue implements [`Driver`] for a type of its own and exports `VenueDriver::of::<ThatType>()`. Its
//! settings keep their type from the parser to the build: nothing is cast, and there is no default to
//! fall back on.

mod dry_run;
mod exchange;
mod live;
mod on_chain;

use std::fmt;

use basis_core::config::{Node, Problems};
use basis_core::error::{Code, ComponentError};
use basis_core::instruction::OperationKind;
use basis_core::types::{Timestamp, Venue};
use basis_core::venue::{CredentialSet, Dependencies, ExecutionMode, VenueType};
use basis_market::ExecutionInterface;
use basis_sim::world::SimulatedWorld;

pub use self::dry_run::{DryRun, DryRunner};
pub use self::exchange::{Exchange, ExchangeVenue};
#[cfg(feature = "live")]
pub use self::live::{LiveBuilder, LiveRequest, LiveVenue};
pub use self::live::{LiveContext, LiveRuntime, LiveScope, Surroundings};
pub use self::on_chain::{OnChain, OnChainFacts, OnChainVenue};

/// The dependencies of every built-in interface, by the specification's names.
pub(crate) const DEPENDENCIES: &[&str] = &["position_monitor", "event_logger", "data_provider"];

/// What a row says of its venue.
#[derive(Clone, Copy, Debug)]
pub struct DriverFacts {
    /// The venue.
    pub venue: Venue,
    /// What sort of venue it is.
    pub venue_type: VenueType,
    /// `BinanceExecutionInterface`.
    pub class_name: &'static str,
    /// The module it lives in.
    pub module: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// Dependencies by the specification's names.
    pub dependencies: &'static [&'static str],
    /// The credentials live trading needs.
    pub credentials: CredentialSet,
    /// Modes that work.
    pub modes: &'static [ExecutionMode],
    /// Operations the interface executes.
    pub operations: &'static [OperationKind],
    /// Whether users see it in lists; the wallet is internal.
    pub listed: bool,
}

/// A venue as the factory creates it.
pub trait Driver: 'static {
    /// What its section `venue_settings.<venue>` reads as.
    type Settings: Send + Sync + 'static;

    /// What its row says.
    const FACTS: DriverFacts;

    /// What makes the exact requests of an instruction without sending them; `None` where there is nothing
    /// that could send them.
    const DRY_RUN: Option<DryRunner> = None;

    /// Reads the section. Every problem goes to `problems` with its place; whether a problem fails the
    /// venue or is a warning with the default is the factory's decision.
    fn parse(node: &Node, problems: &Problems) -> Self::Settings;

    /// Creates one interface. It may block, and gives up at the deadline of its context.
    ///
    /// # Errors
    /// [`ComponentError`]; a retryable one is tried again.
    fn build(
        settings: &Self::Settings,
        context: BuildContext,
    ) -> Result<Box<dyn ExecutionInterface>, ComponentError>;
}

/// What every interface works with, and by when it must be there.
#[derive(Clone, Debug)]
pub struct Handles {
    /// Handles it works with; they may follow later.
    pub dependencies: Dependencies,
    /// When the factory gives up on this attempt, by the clock of the dependencies.
    pub deadline: Timestamp,
}

/// What an interface is built into.
#[derive(Clone, Debug)]
pub enum BuildContext {
    /// The simulated world.
    Simulated(SimulatedWorld, Handles),
    /// The venue itself.
    Live(LiveContext, Handles),
}

impl BuildContext {
    /// What it works with, and by when it must be there.
    #[must_use]
    pub const fn handles(&self) -> &Handles {
        match self {
            Self::Simulated(_, handles) | Self::Live(_, handles) => handles,
        }
    }

    /// The simulated world, and the dependencies, that the interface of `venue` is built into.
    ///
    /// # Errors
    /// EIF-001 in live, which a simulation cannot do.
    pub fn simulated(self, venue: Venue) -> Result<(SimulatedWorld, Dependencies), ComponentError> {
        match self {
            Self::Simulated(world, handles) => Ok((world, handles.dependencies)),
            Self::Live(..) => Err(live_unavailable(venue)),
        }
    }
}

/// What is said where there is no live half.
fn live_unavailable(venue: Venue) -> ComponentError {
    let text = format!("{venue} has no live interface in this build; run a backtest");
    ComponentError::new(Code::CreationFailed, text).with_reason("live_unavailable")
}

/// Builds an interface from settings that have been read.
pub type Build =
    Box<dyn Fn(BuildContext) -> Result<Box<dyn ExecutionInterface>, ComponentError> + Send + Sync>;

/// One row of the driver table.
#[derive(Clone, Copy)]
pub struct VenueDriver {
    /// What it says of its venue.
    pub facts: DriverFacts,
    /// What makes the exact requests of an instruction without sending them.
    pub dry_run: Option<DryRunner>,
    read: fn(&Node, &Problems) -> Build,
    refusal: Option<fn() -> ComponentError>,
}

impl fmt::Debug for VenueDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.facts, f)
    }
}

impl VenueDriver {
    /// The row of `D`: the only way to make one.
    #[must_use]
    pub const fn of<D: Driver>() -> Self {
        Self {
            facts: D::FACTS,
            dry_run: D::DRY_RUN,
            read: read::<D>,
            refusal: None,
        }
    }

    /// The same row for those who only check: settings are read as before, and then every build fails
    /// with what `refusal` returns.
    #[must_use]
    pub const fn refusing(self, refusal: fn() -> ComponentError) -> Self {
        Self {
            refusal: Some(refusal),
            ..self
        }
    }

    /// Reads a section `venue_settings.<venue>`; what comes back builds from what it said.
    #[must_use]
    pub fn read(&self, node: &Node, problems: &Problems) -> Build {
        let build = (self.read)(node, problems);
        match self.refusal {
            Some(refusal) => Box::new(move |_| Err(refusal())),
            None => build,
        }
    }
}

fn read<D: Driver>(node: &Node, problems: &Problems) -> Build {
    let settings = D::parse(node, problems);
    Box::new(move |context| D::build(&settings, context))
}
