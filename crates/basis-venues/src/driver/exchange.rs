//! The driver of an exchange: names and codes are its own. Simulated, everything else is what
//! [`basis_sim::exchange`] does; live, its machine trades at the venue itself.

use std::marker::PhantomData;

use basis_core::config::{Node, Problems};
use basis_core::error::ComponentError;
use basis_core::venue::{CredentialSet, ExecutionMode, VenueType};
use basis_market::ExecutionInterface;
use basis_sim::exchange::{self, ExchangeProfile, ExchangeSettings};

use super::{BuildContext, DEPENDENCIES, Driver, DriverFacts, DryRunner, Handles, LiveContext};

/// An exchange: what its row says that no other's does.
pub trait ExchangeVenue: 'static {
    /// Names and refusal codes.
    const PROFILE: &'static ExchangeProfile;

    /// One sentence.
    const DESCRIPTION: &'static str;

    /// The credentials live trading needs.
    const CREDENTIALS: CredentialSet;

    /// The module it lives in.
    const MODULE: &'static str;

    /// What makes its requests without sending them, where there is a codec.
    const DRY_RUN: Option<DryRunner> = None;

    /// What makes its live side, where there is one.
    #[cfg(feature = "live")]
    const LIVE: Option<super::LiveBuilder> = None;
}

/// The section of an exchange: as a simulation reads it, and as it is written for the live side.
#[derive(Debug)]
pub struct Section {
    settings: ExchangeSettings,
    node: Node,
}

/// The driver of the exchange `V`.
#[derive(Debug)]
pub struct Exchange<V>(PhantomData<V>);

impl<V: ExchangeVenue> Driver for Exchange<V> {
    type Settings = Section;

    const FACTS: DriverFacts = DriverFacts {
        venue: V::PROFILE.venue,
        venue_type: VenueType::Cex,
        class_name: V::PROFILE.class_name,
        module: V::MODULE,
        description: V::DESCRIPTION,
        dependencies: DEPENDENCIES,
        credentials: V::CREDENTIALS,
        modes: if trades_live::<V>() {
            &[ExecutionMode::Backtest, ExecutionMode::Live]
        } else {
            &[ExecutionMode::Backtest]
        },
        operations: exchange::OPERATIONS,
        listed: true,
    };

    const DRY_RUN: Option<DryRunner> = V::DRY_RUN;

    fn parse(node: &Node, problems: &Problems) -> Section {
        Section {
            settings: ExchangeSettings::read(node, problems),
            node: node.clone(),
        }
    }

    fn build(
        section: &Section,
        context: BuildContext,
    ) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
        match context {
            BuildContext::Simulated(world, handles) => {
                exchange::create(V::PROFILE, &section.settings, world, handles.dependencies)
            }
            BuildContext::Live(live, handles) => create_live::<V>(section, &live, handles),
        }
    }
}

#[cfg(feature = "live")]
const fn trades_live<V: ExchangeVenue>() -> bool {
    V::LIVE.is_some()
}

#[cfg(not(feature = "live"))]
const fn trades_live<V: ExchangeVenue>() -> bool {
    false
}

#[cfg(feature = "live")]
fn create_live<V: ExchangeVenue>(
    section: &Section,
    live: &LiveContext,
    handles: Handles,
) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
    let venue = V::PROFILE.venue;
    match V::LIVE {
        Some(builder) => super::live::create((venue, builder), &section.node, live, handles),
        None => Err(super::live_unavailable(venue)),
    }
}

#[cfg(not(feature = "live"))]
fn create_live<V: ExchangeVenue>(
    _section: &Section,
    _live: &LiveContext,
    _handles: Handles,
) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
    Err(super::live_unavailable(V::PROFILE.venue))
}
