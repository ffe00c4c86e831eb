//! One holding: what is held, what it is valued at, and where the step began.

use serde::{Deserialize, Serialize};

use basis_core::num::{Fixed18, MathError, Price, PriceChange, Quantity, Rounding, Value};
use basis_core::types::{Account, Item};
use basis_core::venue_event::Position;
use basis_market::{Mark, MarketView};

use crate::pnl::Attribution;

/// One holding, its price and where the step began.
#[derive(Clone, Debug)]
pub struct Holding {
    /// Whose.
    pub account: Account,
    /// What.
    pub item: Item,
    /// Signed units, scaled ones of an item that is scaled.
    pub quantity: Quantity,
    /// What they stand for, without the sign of a debt.
    pub units: Quantity,
    /// Open cost of a position; zero for assets.
    pub cost: Value,
    /// Units × mark at the last valuation, below zero for a debt; the units themselves for a
    /// stablecoin, zero while there is no price.
    pub value: Value,
    /// Units of the underlying that they stood for at the last valuation; zero for what is valued at 1
    /// and while there is no price.
    pub delta: Quantity,
    pub(super) mark: Option<Mark>,
    pub(super) is_priced: bool,
    pub(super) opening: StepOpening,
}

/// A holding as it stood when the step began.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct StepOpening {
    /// With the sign of a debt.
    pub(super) units: Quantity,
    /// Units of the underlying that they stood for.
    pub(super) delta: Quantity,
    /// The underlying's mark.
    pub(super) underlying: Price,
    /// Underlying units per unit; 1 but for a mark that is a rate.
    pub(super) rate: Fixed18,
    /// Whether they counted at a price.
    pub(super) is_priced: bool,
}

impl StepOpening {
    /// Books what the underlying moved `apart` from the reference, and what the rate grew to `rate` at
    /// the underlying's new mark.
    #[inline]
    pub(super) fn attribute(
        &self,
        step: &mut Attribution,
        apart: PriceChange,
        (underlying, rate, rated): (Price, Fixed18, Option<bool>),
    ) -> Result<(), MathError> {
        if !apart.is_zero() {
            let gain = self.delta.gain(apart, Rounding::HalfEven)?;
            step.basis = step.basis.add(gain)?;
        }
        let Some(is_yield) = rated.filter(|_| rate != self.rate) else {
            return Ok(());
        };
        let grown = underlying
            .get()
            .mul(rate.sub(self.rate)?, Rounding::HalfEven)?;
        let gain = self
            .units
            .gain(PriceChange::new(grown), Rounding::HalfEven)?;
        let bucket = if is_yield {
            &mut step.staking_yield
        } else {
            &mut step.basis
        };
        *bucket = bucket.add(gain)?;
        Ok(())
    }

    /// Books the whole value of what had no price when the step began, once it has one.
    pub(super) fn attribute_first_price(
        &self,
        step: &mut Attribution,
        price: Option<Price>,
    ) -> Result<(), MathError> {
        if let Some(price) = price {
            let gain = self.units.notional(price, Rounding::HalfEven)?;
            step.basis = step.basis.add(gain)?;
        }
        Ok(())
    }
}

impl Holding {
    /// Nothing of an item, valued by `mark`.
    pub(super) fn empty(account: Account, item: Item, mark: Option<Mark>) -> Self {
        Self {
            account,
            item,
            quantity: Quantity::ZERO,
            units: Quantity::ZERO,
            cost: Value::ZERO,
            value: Value::ZERO,
            delta: Quantity::ZERO,
            mark,
            is_priced: false,
            opening: StepOpening::default(),
        }
    }

    /// Returns what the holding stands for: above zero for what is ours, below for what we owe.
    ///
    /// # Errors
    /// [`MathError`] for a debt at the very bound of the range.
    #[inline]
    pub fn signed_units(&self) -> Result<Quantity, MathError> {
        signed(self.item, self.units)
    }

    /// Returns the holding as a venue reports it; `None` when it is zero.
    pub(super) fn position(&self) -> Option<Position> {
        if self.quantity.is_zero() && self.units.is_zero() {
            return None;
        }
        let (account, item) = (self.account, self.item);
        Some(Position::scaled(account, item, self.quantity, self.units))
    }

    /// Returns how it is valued; `None` when no series of the view values it.
    #[must_use]
    pub const fn mark(&self) -> Option<Mark> {
        self.mark
    }
}

/// `units` of `item` with the sign they count with.
#[inline]
pub(super) fn signed(item: Item, units: Quantity) -> Result<Quantity, MathError> {
    if item.is_debt() {
        units.neg()
    } else {
        Ok(units)
    }
}

/// Units of the underlying that `units` stand for at the view.
pub(super) fn delta(view: &MarketView, mark: Mark, units: Quantity) -> Result<Quantity, MathError> {
    match mark {
        Mark::Par => Ok(Quantity::ZERO),
        Mark::Series(_) => Ok(units),
        Mark::Rate { .. } => {
            let rate = view.rate_of(mark).unwrap_or(Fixed18::ZERO);
            Ok(Quantity::new(units.get().mul(rate, Rounding::HalfEven)?))
        }
    }
}
