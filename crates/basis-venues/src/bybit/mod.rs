//! Bybit: spot and linear perpetuals in one unified account.
//!
//! In backtests it is the [simulated exchange](basis_sim::exchange) under Bybit's rules
//! (`configs/venues/bybit.yaml`) and refusal codes. Spot, collateral and deposits share the account
//! `unified`; of its assets only USDT counts as collateral here, which is stricter than Bybit.
//!
//! The margin mode is one for the account. Forced closing goes to the lower tier at which the margin
//! holds, else everything goes.
//!
//! Live it is a machine without a socket (`bybit::live`, with the feature `live`) on the pure halves
//! beside it: [`codec`], [`answer`], [`codes`].
//!
//! Codes (`errors`): Bybit v5 error list. A post-only order that would take is accepted and then canceled by
//! Bybit; here it is refused with Bybit's reason.

pub mod answer;
pub mod codec;
pub mod codes;
mod dry_run;
mod errors;
#[cfg(feature = "live")]
mod limits;
#[cfg(feature = "live")]
pub mod live;
mod simulated;

use basis_core::venue::CredentialSet;
use basis_sim::exchange::ExchangeProfile;

use self::simulated::PROFILE;
use crate::credentials;
use crate::driver::{DryRunner, Exchange, ExchangeVenue, VenueDriver};

/// Bybit as the factory creates it.
#[derive(Debug)]
pub struct Bybit;

impl ExchangeVenue for Bybit {
    const PROFILE: &'static ExchangeProfile = &PROFILE;
    const DESCRIPTION: &'static str = "Bybit spot and perpetual trading";
    const CREDENTIALS: CredentialSet = credentials::BYBIT;
    const MODULE: &'static str = module_path!();
    const DRY_RUN: Option<DryRunner> = Some(dry_run::dry_run);
    #[cfg(feature = "live")]
    const LIVE: Option<crate::driver::LiveBuilder> = Some(live::build);
}

/// The row of Bybit in the driver table.
pub const DRIVER: VenueDriver = VenueDriver::of::<Exchange<Bybit>>();
