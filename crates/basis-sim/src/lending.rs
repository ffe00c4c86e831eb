//! What the lending protocols of the chain have in common: interest as an event, refusals for want of a
//! price or of a wrap.

use basis_core::error::NEVER;
use basis_core::types::{Asset, Timestamp, Venue};
use basis_core::venue_event::{Accrual, BalanceChange, Cursor, EventKind, Subject, VenueEvent};
use basis_market::OracleError;

use crate::chain::ETH;
use crate::refusal::Refusal;

/// The event that a balance at `venue` changed by itself between two readings of it.
pub fn accrual(
    venue: Venue,
    change: BalanceChange,
    (before, after): (Cursor, Cursor),
) -> VenueEvent {
    let subject = Subject::Holding {
        account: change.account,
        item: change.item,
    };
    let kind = EventKind::Accrual(Accrual {
        subject,
        before,
        after,
        changes: vec![change],
    });
    VenueEvent::new(venue, after.at, after.at, kind)
}

/// The refusal of an oracle without a price.
pub fn oracle_refusal(e: OracleError, at: Timestamp) -> Refusal {
    match e {
        OracleError::NoValue(series) => Refusal::stale(series, at, NEVER),
        OracleError::Math(e) => e.into(),
        other => Refusal::invalid(other.to_string()),
    }
}

/// Refuses ether itself, which lending markets take wrapped only.
///
/// # Errors
/// A refusal that says so.
pub fn wrap_first(asset: Asset, venue: Venue) -> Result<(), Refusal> {
    if asset != ETH {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "{venue} takes WETH, not ETH; wrap it first"
    )))
}

/// The block time of an instant.
///
/// # Errors
/// A refusal for an instant before 1970.
pub fn seconds(at: Timestamp) -> Result<u64, Refusal> {
    let Ok(seconds) = u64::try_from(at.seconds()) else {
        let text = format!("{at} is before the epoch of the chain");
        return Err(Refusal::invalid(text));
    };
    Ok(seconds)
}
