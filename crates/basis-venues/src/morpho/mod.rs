//! Morpho Blue: isolated markets, free flash loans.
//!
//! Simulated: the contract's own arithmetic ([`basis_protocols::morpho_blue`]) with us as the one
//! named user. **No market's totals are recorded**: each begins, when the run first uses the chain, with
//! the totals and the rate of the settings, and the adaptive curve alone moves it from there; others
//! neither come nor go. Its rates are therefore an assumption, not history. The oracle is the ratio of
//! protocol rates, or of the run's dollar values where the two assets have different underlyings
//! ([`MarketView::protocol_ratio`](basis_market::MarketView::protocol_ratio)).
//!
//! Accounts are `morpho.<market>`. Supply and debt are shares, counted 10^6 to the unit of the loan
//! asset as the contract mints them at first; collateral is a plain holding that earns nothing. A flash
//! loan is out of the contract's one balance while its group runs.
//!
//! **Invariants.** The reported changes add up to the shares and to what they stand for. A refused
//! instruction changes nothing.

mod config;
mod errors;
mod simulated;
#[cfg(test)]
mod tests;

use basis_core::config::{Node, Problems};
use basis_core::instruction::OperationKind;
use basis_core::types::Venue;
use basis_core::venue::VenueType;
use basis_sim::chain::Protocol;

use crate::driver::{OnChain, OnChainFacts, OnChainVenue, VenueDriver};

pub use self::config::{MarketSettings, MorphoSettings};
pub(crate) use self::simulated::Morpho;

pub(crate) const MORPHO: Venue = Venue::literal("morpho");

const OPERATIONS: &[OperationKind] = &[
    OperationKind::Supply,
    OperationKind::Withdraw,
    OperationKind::Borrow,
    OperationKind::Repay,
];

/// Morpho as the factory creates it.
struct MorphoDriver;

impl OnChainVenue for MorphoDriver {
    type Settings = MorphoSettings;

    const FACTS: OnChainFacts = OnChainFacts {
        venue: MORPHO,
        venue_type: VenueType::OnChain,
        class_name: "MorphoExecutionInterface",
        module: module_path!(),
        description: "Morpho Blue lending: isolated markets, free flash loans",
        operations: OPERATIONS,
    };

    fn parse(node: &Node, problems: &Problems) -> MorphoSettings {
        MorphoSettings::read(node, problems)
    }

    fn protocol(settings: &MorphoSettings) -> Option<Box<dyn Protocol>> {
        Some(Box::new(Morpho::new(settings)))
    }
}

/// The row of Morpho in the driver table.
pub const DRIVER: VenueDriver = VenueDriver::of::<OnChain<MorphoDriver>>();
