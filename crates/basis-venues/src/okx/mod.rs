//! OKX: spot and linear swaps.
//!
//! In backtests it is the [simulated exchange](crate::cex) under OKX's rules
//! (`configs/venues/okx.yaml`) and refusal codes. Deposits arrive in `funding`; spot and swaps share
//! `trading`, of whose assets only USDT counts as collateral here, which is stricter than OKX.
//! Instructions carry base units; OKX counts swaps in contracts, so a quantity off the contract step
//! is refused in contracts.
//!
//! Margin mode is a property of each order at OKX and of a symbol here. Forced closing goes down two
//! tiers at a time from the third on.
//!
//! Codes: OKX v5 error list. A post-only order that would take is accepted and then canceled by
//! OKX; here it is refused with OKX's reason.

use basis_core::config::{Node, Problems};
use basis_core::error::ComponentError;
use basis_core::types::Venue;
use basis_market::ExecutionInterface;

use crate::cex::{self, CexProfile, CexSettings, ModeCodes, PartialLiquidation, RefusalCodes};
use crate::credentials;
use crate::driver::{BuildContext, Driver, DriverFacts, VenueDriver};

/// Names and refusal codes of OKX.
pub const PROFILE: CexProfile = CexProfile {
    venue: Venue::literal("okx"),
    class_name: "OKXExecutionInterface",
    spot: RefusalCodes {
        unknown_symbol: "51001",
        no_quantity: "51000",
        lot_size: "51121",
        quantity_min: "51020",
        quantity_max: "51005",
        tick_size: "51000",
        notional_min: "51020",
        funds: "51008",
        reduce_only: "51169",
        position_limit: "51004",
        leverage: "59102",
        no_order: "51400",
        post_only: None,
        fill_or_kill: None,
    },
    perp: RefusalCodes {
        unknown_symbol: "51001",
        no_quantity: "51000",
        lot_size: "51121",
        quantity_min: "51020",
        quantity_max: "51005",
        tick_size: "51000",
        notional_min: "51020",
        funds: "51008",
        reduce_only: "51169",
        position_limit: "51004",
        leverage: "59102",
        no_order: "51400",
        post_only: None,
        fill_or_kill: None,
    },
    post_only_reason: "canceled by the venue: the post-only order would take liquidity (cancelSource 31)",
    reduce_only_skips_notional: false,
    modes: ModeCodes {
        position_side: "51000",
        hedge_reduce_only: None,
        margin_mode_positions: "59000",
        margin_mode_orders: "59000",
        isolated_leverage: None,
        leverage_funds: "59108",
        no_amend: "51503",
        amend_incomplete: "51000",
        spot_amend: None,
    },
    margin_mode_of_account: false,
    amend_whole: false,
    amend_cancels_post_only: true,
    partial_liquidation: PartialLiquidation::TwoTiers,
};

/// OKX as the factory creates it.
#[derive(Debug)]
pub struct Okx;

impl Driver for Okx {
    type Settings = CexSettings;

    const FACTS: DriverFacts = cex::facts(
        &PROFILE,
        "OKX spot and perpetual trading",
        credentials::OKX,
        module_path!(),
    );

    fn parse(node: &Node, problems: &Problems) -> CexSettings {
        cex::parse_settings(node, problems)
    }

    fn build(
        settings: &CexSettings,
        context: BuildContext,
    ) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
        cex::build(&PROFILE, settings, context)
    }
}

/// The row of OKX in the driver table.
pub const DRIVER: VenueDriver = VenueDriver::of::<Okx>();
