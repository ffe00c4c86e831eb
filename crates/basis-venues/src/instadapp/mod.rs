//! Instadapp: groups of operations that happen whole or not at all.
//!
//! In backtests a group is one transaction on the simulated chain: an optional flash loan in front,
//! then each step at the protocol that takes it, from the wallet and back into it. It has no state of
//! its own; the smart account that a live group runs through is the wallet here.
//!
//! A step that is refused undoes the whole group, and the refusal names step, operation, reason and
//! the protocol's own code. The gas is one bill
//! ([`basis_protocols::gas::atomic_gas`] says of what).

use basis_core::config::{Node, Problems, Reader};
use basis_core::instruction::OperationKind;
use basis_core::types::Venue;
use basis_core::venue::VenueType;
use basis_sim::chain::Protocol;
use basis_sim::settings::read_common;

use crate::driver::{OnChain, OnChainFacts, OnChainVenue, VenueDriver};

const VENUE: Venue = Venue::literal("instadapp");

const OPERATIONS: &[OperationKind] = &[OperationKind::Atomic];

/// Instadapp as the factory creates it.
struct Instadapp;

impl OnChainVenue for Instadapp {
    type Settings = ();

    const FACTS: OnChainFacts = OnChainFacts {
        venue: VENUE,
        venue_type: VenueType::OnChain,
        class_name: "InstadappExecutionInterface",
        module: module_path!(),
        description: "Instadapp smart account: atomic groups with a flash loan in front",
        operations: OPERATIONS,
    };

    /// The section holds the keys of every venue and no others.
    fn parse(node: &Node, problems: &Problems) {
        let reader = Reader::new(node, "", problems);
        read_common(&reader, VenueType::OnChain);
        reader.finish();
    }

    fn protocol((): &()) -> Option<Box<dyn Protocol>> {
        None
    }
}

/// The row of Instadapp in the driver table.
pub const DRIVER: VenueDriver = VenueDriver::of::<OnChain<Instadapp>>();
