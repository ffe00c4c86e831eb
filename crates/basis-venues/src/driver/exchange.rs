//! The driver of an exchange that is simulated: names and codes are its own, everything else is what
//! [`basis_sim::exchange`] does.

use std::marker::PhantomData;

use basis_core::config::{Node, Problems};
use basis_core::error::ComponentError;
use basis_core::venue::{CredentialSet, ExecutionMode, VenueType};
use basis_market::ExecutionInterface;
use basis_sim::exchange::{self, ExchangeProfile, ExchangeSettings};

use super::{BuildContext, DEPENDENCIES, Driver, DriverFacts, DryRunner};

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

    /// What makes the machine that trades at the venue itself, where there is one.
    #[cfg(feature = "live")]
    const LIVE: Option<super::LiveBuilder> = None;
}

/// The driver of the exchange `V`.
#[derive(Debug)]
pub struct Exchange<V>(PhantomData<V>);

impl<V: ExchangeVenue> Driver for Exchange<V> {
    type Settings = ExchangeSettings;

    const FACTS: DriverFacts = DriverFacts {
        venue: V::PROFILE.venue,
        venue_type: VenueType::Cex,
        class_name: V::PROFILE.class_name,
        module: V::MODULE,
        description: V::DESCRIPTION,
        dependencies: DEPENDENCIES,
        credentials: V::CREDENTIALS,
        modes: &[ExecutionMode::Backtest],
        operations: exchange::OPERATIONS,
        listed: true,
    };

    const DRY_RUN: Option<DryRunner> = V::DRY_RUN;

    #[cfg(feature = "live")]
    const LIVE: Option<super::LiveBuilder> = V::LIVE;

    fn parse(node: &Node, problems: &Problems) -> ExchangeSettings {
        ExchangeSettings::read(node, problems)
    }

    fn build(
        settings: &ExchangeSettings,
        context: BuildContext,
    ) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
        let (world, dependencies) = context.simulated(V::PROFILE.venue)?;
        exchange::create(V::PROFILE, settings, world, dependencies)
    }
}
