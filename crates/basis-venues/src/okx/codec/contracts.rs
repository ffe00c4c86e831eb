//! Base units and what the venue counts: contracts for swaps, base units for spot. Nothing else converts.

use basis_core::num::{MathError, Quantity, Rounding};
use basis_core::rules::InstrumentRules;

/// Returns what one unit of a size stands for, in base units.
fn unit(rules: &InstrumentRules) -> Quantity {
    let perp = rules.perp.as_ref().filter(|perp| perp.counts_contracts);
    perp.map_or(Quantity::new(basis_core::num::Fixed18::ONE), |perp| {
        perp.contract_size
    })
}

/// Returns `quantity` as the venue counts it.
///
/// # Errors
/// [`MathError`] where the quotient is none that decimals hold: no multiple of a lot is one.
pub(super) fn size_of(rules: &InstrumentRules, quantity: Quantity) -> Result<Quantity, MathError> {
    let unit = unit(rules);
    let size = quantity.get().div(unit.get(), Rounding::Down)?;
    if size.mul(unit.get(), Rounding::Down)? == quantity.get() {
        Ok(Quantity::new(size))
    } else {
        Err(MathError::Overflow {
            op: "size in contracts",
        })
    }
}

/// Returns the base units of a `size` that the venue counted; the sign stays.
///
/// # Errors
/// [`MathError`] out of range.
pub(in crate::okx) fn base_units(
    rules: &InstrumentRules,
    size: Quantity,
) -> Result<Quantity, MathError> {
    let product = size.get().mul(unit(rules).get(), Rounding::HalfEven)?;
    Ok(Quantity::new(product))
}
