//! Bybit: spot and linear perpetuals in one unified account.
//!
//! In backtests it is the [simulated exchange](crate::cex) under Bybit's rules
//! (`configs/venues/bybit.yaml`) and refusal codes. Spot, collateral and deposits share the account
//! `unified`; of its assets only USDT counts as collateral here, which is stricter than Bybit.
//!
//! The margin mode is one for the account. Forced closing goes to the lower tier at which the margin
//! holds, else everything goes.
//!
//! Codes: Bybit v5 error list. A post-only order that would take is accepted and then canceled by
//! Bybit; here it is refused with Bybit's reason.

use basis_core::config::{Node, Problems};
use basis_core::error::ComponentError;
use basis_core::types::Venue;
use basis_market::ExecutionInterface;

use crate::cex::{self, CexProfile, CexSettings, ModeCodes, PartialLiquidation, RefusalCodes};
use crate::credentials;
use crate::driver::{BuildContext, Driver, DriverFacts, VenueDriver};

/// Names and refusal codes of Bybit.
pub const PROFILE: CexProfile = CexProfile {
    venue: Venue::literal("bybit"),
    class_name: "BybitExecutionInterface",
    spot: RefusalCodes {
        unknown_symbol: "170121",
        no_quantity: "170130",
        lot_size: "170137",
        quantity_min: "170136",
        quantity_max: "170124",
        tick_size: "170134",
        notional_min: "170140",
        funds: "170131",
        reduce_only: "110017",
        position_limit: "170131",
        leverage: "110013",
        no_order: "170213",
        post_only: None,
        fill_or_kill: None,
    },
    perp: RefusalCodes {
        unknown_symbol: "10001",
        no_quantity: "10001",
        lot_size: "10001",
        quantity_min: "10001",
        quantity_max: "10001",
        tick_size: "10001",
        notional_min: "110094",
        funds: "110007",
        reduce_only: "110017",
        position_limit: "110090",
        leverage: "110013",
        no_order: "110001",
        post_only: None,
        fill_or_kill: None,
    },
    post_only_reason: "canceled by the venue: EC_PostOnlyWillTakeLiquidity",
    reduce_only_skips_notional: false,
    modes: ModeCodes {
        position_side: "10001",
        hedge_reduce_only: None,
        margin_mode_positions: "3400045",
        margin_mode_orders: "3400045",
        isolated_leverage: None,
        leverage_funds: "110012",
        no_amend: "110001",
        amend_incomplete: "10001",
        spot_amend: None,
    },
    margin_mode_of_account: true,
    amend_whole: false,
    amend_cancels_post_only: true,
    partial_liquidation: PartialLiquidation::OneOrder,
};

/// Bybit as the factory creates it.
#[derive(Debug)]
pub struct Bybit;

impl Driver for Bybit {
    type Settings = CexSettings;

    const FACTS: DriverFacts = cex::facts(
        &PROFILE,
        "Bybit spot and perpetual trading",
        credentials::BYBIT,
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

/// The row of Bybit in the driver table.
pub const DRIVER: VenueDriver = VenueDriver::of::<Bybit>();
