//! Aave V3's main market: supply, withdraw, borrow, repay, e-mode; liquidation and flash loans.
//!
//! Simulated: the pool's own arithmetic ([`basis_protocols::aave_v3`]) with us as its one user,
//! beside the totals that were recorded. A reserve starts from the newest recorded row; between rows
//! interest accrues at the recorded rates, and at each row indices, rates and totals snap to what was
//! recorded. With `own_size` (the default) our own supply and debt move utilization, and so the rates,
//! on the curve that the row implies (`curve`); an index then keeps its own ratio to the recorded
//! one. Without, indices are the recorded ones at every row, and interest is scaled units × index
//! growth to the unit. Prices are those of `MarketView::aave_oracle`.
//!
//! It is not the real pool: others do not react to us. What can be taken out is what the row says was
//! supplied and not borrowed, with our part of both. The risk table is one snapshot for all times. A
//! flash loan is out of the reserve while its group runs (`FlashLoanLogic.executeFlashLoanSimple`); its
//! premium raises the suppliers' index at the end, except without `own_size`. Liquidators are quick
//! and take all they may, once per step: the largest debt against the largest collateral, at the
//! pool's numbers.
//!
//! **Invariants.** The reported changes add up to the scaled units and to what they stand for. Nothing
//! is read before it was known. A refused instruction changes nothing.
//!
//! Sources: `basis_protocols::aave_v3`; risk parameters and rows from the data directory.

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

pub use self::config::AaveSettings;
pub(crate) use self::simulated::Aave;

pub(crate) const AAVE: Venue = Venue::literal("aave");

const OPERATIONS: &[OperationKind] = &[
    OperationKind::Supply,
    OperationKind::Withdraw,
    OperationKind::Borrow,
    OperationKind::Repay,
    OperationKind::SetEMode,
];

/// Aave as the factory creates it.
struct AaveDriver;

impl OnChainVenue for AaveDriver {
    type Settings = AaveSettings;

    const FACTS: OnChainFacts = OnChainFacts {
        venue: AAVE,
        venue_type: VenueType::OnChain,
        class_name: "AAVEExecutionInterface",
        module: module_path!(),
        description: "Aave V3 lending: supply, borrow, e-mode, flash loans",
        operations: OPERATIONS,
    };

    fn parse(node: &Node, problems: &Problems) -> AaveSettings {
        AaveSettings::read(node, problems)
    }

    fn protocol(settings: &AaveSettings) -> Option<Box<dyn Protocol>> {
        Some(Box::new(Aave::new(settings.clone())))
    }
}

/// The row of Aave in the driver table.
pub const DRIVER: VenueDriver = VenueDriver::of::<OnChain<AaveDriver>>();
