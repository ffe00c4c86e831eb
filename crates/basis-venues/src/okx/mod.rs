//! OKX: spot and linear swaps.
//!
//! In backtests it is the [simulated exchange](basis_sim::exchange) under OKX's rules
//! (`configs/venues/okx.yaml`) and refusal codes. Deposits arrive in `funding`; spot and swaps share
//! `trading`, of whose assets only USDT counts as collateral here, which is stricter than OKX.
//! Instructions carry base units; OKX counts swaps in contracts, so a quantity off the contract step
//! is refused in contracts.
//!
//! Margin mode is a property of each order at OKX and of a symbol here. Forced closing goes down two
//! tiers at a time from the third on.
//!
//! Live it is a machine without a socket (`okx::live`, with the feature `live`) on the pure halves
//! beside it: [`codec`], [`answer`], [`codes`].
//!
//! Codes (`errors`): OKX v5 error list. A post-only order that would take is accepted and then canceled by
//! OKX; here it is refused with OKX's reason.

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

/// OKX as the factory creates it.
#[derive(Debug)]
pub struct Okx;

impl ExchangeVenue for Okx {
    const PROFILE: &'static ExchangeProfile = &PROFILE;
    const DESCRIPTION: &'static str = "OKX spot and perpetual trading";
    const CREDENTIALS: CredentialSet = credentials::OKX;
    const MODULE: &'static str = module_path!();
    const DRY_RUN: Option<DryRunner> = Some(dry_run::dry_run);
    #[cfg(feature = "live")]
    const LIVE: Option<crate::driver::LiveBuilder> = Some(live::build);
}

/// The row of OKX in the driver table.
pub const DRIVER: VenueDriver = VenueDriver::of::<Exchange<Okx>>();
