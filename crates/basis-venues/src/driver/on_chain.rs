//! The driver of a venue on the simulated chain: its protocol is its own, everything else is what
//! [`basis_sim::chain`] does.

use std::marker::PhantomData;

use basis_core::config::{Node, Problems};
use basis_core::error::ComponentError;
use basis_core::instruction::OperationKind;
use basis_core::types::Venue;
use basis_core::venue::{ExecutionMode, VenueType};
use basis_market::ExecutionInterface;
use basis_sim::chain::{self, Protocol};

use super::{BuildContext, DEPENDENCIES, Driver, DriverFacts};
use crate::credentials;

/// What the row of a venue on the chain says that no other's does.
#[derive(Clone, Copy, Debug)]
pub struct OnChainFacts {
    /// The venue.
    pub venue: Venue,
    /// What sort of venue it is.
    pub venue_type: VenueType,
    /// `LidoExecutionInterface`.
    pub class_name: &'static str,
    /// The module it lives in.
    pub module: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// Operations the interface executes.
    pub operations: &'static [OperationKind],
}

/// A venue on the chain.
pub trait OnChainVenue: 'static {
    /// What its section `venue_settings.<venue>` reads as.
    type Settings: Send + Sync + 'static;

    /// What its row says.
    const FACTS: OnChainFacts;

    /// Reads the section. Every problem goes to `problems` with its place.
    fn parse(node: &Node, problems: &Problems) -> Self::Settings;

    /// The protocol that the settings describe; `None` for a venue without state of its own.
    fn protocol(settings: &Self::Settings) -> Option<Box<dyn Protocol>>;
}

/// The driver of the venue `V`; it trades through the wallet and its node.
#[derive(Debug)]
pub struct OnChain<V>(PhantomData<V>);

impl<V: OnChainVenue> Driver for OnChain<V> {
    type Settings = V::Settings;

    const FACTS: DriverFacts = DriverFacts {
        venue: V::FACTS.venue,
        venue_type: V::FACTS.venue_type,
        class_name: V::FACTS.class_name,
        module: V::FACTS.module,
        description: V::FACTS.description,
        dependencies: DEPENDENCIES,
        credentials: credentials::ALCHEMY,
        modes: &[ExecutionMode::Backtest],
        operations: V::FACTS.operations,
        listed: true,
    };

    fn parse(node: &Node, problems: &Problems) -> V::Settings {
        V::parse(node, problems)
    }

    fn build(
        settings: &V::Settings,
        context: BuildContext,
    ) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
        let (world, dependencies) = context.simulated(V::FACTS.venue)?;
        let OnChainFacts {
            venue, operations, ..
        } = V::FACTS;
        let protocol = V::protocol(settings);
        Ok(chain::create(
            venue,
            operations,
            protocol,
            world.chain,
            dependencies,
        ))
    }
}
