//! Our own on-chain wallet, internal: what it does stands in [`basis_sim::wallet`].

use basis_core::config::{Node, Problems};
use basis_core::error::ComponentError;
use basis_core::types::Venue;
use basis_core::venue::{ExecutionMode, VenueType};
use basis_market::ExecutionInterface;
use basis_sim::wallet::{self, WalletSettings};

use crate::credentials;
use crate::driver::{BuildContext, DEPENDENCIES, Driver, DriverFacts, VenueDriver};

/// The wallet as the factory creates it.
struct Wallet;

impl Driver for Wallet {
    type Settings = WalletSettings;

    const FACTS: DriverFacts = DriverFacts {
        venue: Venue::WALLET,
        venue_type: VenueType::OnChain,
        class_name: "WalletExecutionInterface",
        module: module_path!(),
        description: "Our on-chain wallet: deposits, withdrawals, funding of venues",
        dependencies: DEPENDENCIES,
        credentials: credentials::ALCHEMY,
        modes: &[ExecutionMode::Backtest],
        operations: wallet::OPERATIONS,
        listed: false,
    };

    fn parse(node: &Node, problems: &Problems) -> WalletSettings {
        WalletSettings::read(node, problems)
    }

    fn build(
        settings: &WalletSettings,
        context: BuildContext,
    ) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
        let (world, dependencies) = context.simulated(Venue::WALLET)?;
        wallet::create(settings, world, dependencies)
    }
}

/// The row of the wallet in the driver table.
pub const DRIVER: VenueDriver = VenueDriver::of::<Wallet>();
