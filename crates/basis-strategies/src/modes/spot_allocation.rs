//! Which venues hold the spot of a basis, and how much of it.

use basis_core::error::ComponentError;
use basis_core::num::{Fixed18, Rate, Rounding};
use basis_core::types::{InstrumentKey, InstrumentKind, SeriesId, Venue};

use crate::config::ModeConfig;

/// The spot series at `venue`.
pub(super) fn series_at(config: &ModeConfig<'_>, venue: Venue) -> SeriesId {
    InstrumentKey::new(venue, InstrumentKind::Spot, config.symbol()).series()
}

/// Whether spot may be held beside the shorts without being told where: not in kind, where it is the capital
/// itself, and not in a hedged stake, which is bought in one place and leaves it.
pub(super) fn is_spread(config: &ModeConfig<'_>) -> bool {
    config.chain.is_none() && !config.is_in_kind()
}

/// The parts of the spot by venue, `spot_venue` first (with nothing, where it gets none); they sum to 1.
///
/// As `spot_allocation` says; else beside the shorts, in their shares, where a venue `has_series` of spot. What
/// other venues have of the shorts goes where spot and margin are least together: with h = `hedge_leverage` that is
/// spot part + hedge part ÷ h.
///
/// # Errors
/// POS-002 out of range.
pub(super) fn shares(
    config: &ModeConfig<'_>,
    has_series: &dyn Fn(Venue) -> bool,
) -> Result<Vec<(Venue, Rate)>, ComponentError> {
    let first = config.spot_venue;
    if !is_spread(config) {
        return Ok(vec![(first, Rate::ONE)]);
    }
    let mut parts = vec![(first, Rate::ZERO)];
    if !config.spot_allocation.is_empty() {
        for &(venue, share) in config.spot_allocation {
            give(&mut parts, venue, share)?;
        }
        return Ok(parts);
    }
    let mut rest = Rate::ONE;
    for &(venue, share) in config.hedge_allocation {
        if venue == first || has_series(venue) {
            give(&mut parts, venue, share)?;
            rest = rest.sub(share)?;
        }
    }
    if rest.is_positive() {
        level(config, &mut parts, rest)?;
    }
    Ok(parts)
}

/// Gives `rest` where spot and margin are least together, venues that come to hold as much alike; what rounding
/// leaves goes to the first.
fn level(
    config: &ModeConfig<'_>,
    parts: &mut Vec<(Venue, Rate)>,
    rest: Rate,
) -> Result<(), ComponentError> {
    let h = config.hedge_leverage;
    let mut loads = Vec::with_capacity(parts.len());
    for &(venue, spot) in parts.iter() {
        let mut shorts = config.hedge_allocation.iter();
        let short = shorts.find(|(of, _)| *of == venue);
        let short = short.map_or(Fixed18::ZERO, |(_, share)| share.get());
        loads.push((spot.get().add(short.div(h, Rounding::Floor)?)?, venue));
    }
    loads.sort_unstable();
    let mut left = rest.get();
    for (at, (load, _)) in loads.iter().enumerate() {
        let count = Fixed18::from_int(i64::try_from(at).unwrap_or(i64::MAX).saturating_add(1));
        let mut each = left.div(count, Rounding::Floor)?;
        if let Some((next, _)) = loads.get(at.saturating_add(1)) {
            each = each.min(next.sub(*load)?);
        }
        for (_, venue) in loads.iter().take(at.saturating_add(1)) {
            give(parts, *venue, Rate::new(each))?;
            left = left.sub(each)?;
        }
    }
    give(parts, config.spot_venue, Rate::new(left))
}

/// Adds to the part of a venue.
fn give(parts: &mut Vec<(Venue, Rate)>, venue: Venue, share: Rate) -> Result<(), ComponentError> {
    match parts.iter_mut().find(|(of, _)| *of == venue) {
        Some((_, part)) => *part = part.add(share)?,
        None => parts.push((venue, share)),
    }
    Ok(())
}
