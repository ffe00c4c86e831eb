//! The price of a line whose event states none.

use basis_core::num::{MathError, Price};
use basis_core::types::{Asset, SeriesKind, Venue};
use basis_market::{MarketView, is_dollar};

use super::writer::known;

/// The price of what is valued at one dollar.
pub(super) const ONE_DOLLAR: Price = Price::literal("1");

/// The USD price of a unit of `asset` in a line that `venue` reports: 1 for a dollar token; else the
/// venue's own spot quote, against USDT before USDC, whatever its state; else what the view values
/// the asset at. `None` when none of them shows one.
///
/// # Errors
/// [`MathError`] when a rate × its underlying's mark leaves the range.
pub(super) fn own_price(
    view: &MarketView,
    asset: Asset,
    venue: Venue,
) -> Result<Option<Price>, MathError> {
    if is_dollar(asset) {
        return Ok(Some(ONE_DOLLAR));
    }
    if let Some(quoted) = own_quote(view, asset, venue) {
        return Ok(known(quoted));
    }
    match view.mark_of(asset) {
        Some(mark) => view.dollars(mark),
        None => Ok(None),
    }
}

/// The mark of the venue's own spot series of `asset`; zero while it has shown nothing.
fn own_quote(view: &MarketView, asset: Asset, venue: Venue) -> Option<Price> {
    let mut in_usdc = None;
    for (id, slot) in view.series() {
        if id.kind != SeriesKind::Spot || id.venue != venue {
            continue;
        }
        match id.symbol.as_str().strip_prefix(asset.as_str()) {
            Some("USDT") => return Some(view.quote(slot).mark),
            Some("USDC") => in_usdc = Some(view.quote(slot).mark),
            _ => {}
        }
    }
    in_usdc
}
