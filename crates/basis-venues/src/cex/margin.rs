//! Cross margin of the perp account: balance, margins, liquidation price.
//!
//! Balance = cash + Σ unrealised result; an account is liquidated when it is at or below the
//! maintenance margin (facts: Binance, Bybit and OKX margin documentation).

use basis_core::num::{Fixed18, MathError, Price, Quantity, Rounding, Value};
use basis_core::protocol::perp::PerpPosition;
use basis_core::rules::{InstrumentRules, PerpRules, TierMethod, TierUnit};

/// What a cross account has and needs, in the settlement asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Margin {
    /// Cash plus unrealised results.
    pub(crate) balance: Value,
    /// Initial margin bound by positions.
    pub(crate) initial: Value,
    /// Below or at this the account is liquidated.
    pub(crate) maintenance: Value,
}

impl Margin {
    pub(crate) const fn of_cash(cash: Quantity) -> Self {
        Self {
            balance: Value::new(cash.get()),
            initial: Value::ZERO,
            maintenance: Value::ZERO,
        }
    }

    /// Adds a position at `price`; leaves `initial` alone without a leverage.
    pub(crate) fn add(
        &mut self,
        rules: &InstrumentRules,
        position: &PerpPosition,
        price: Price,
        leverage: Option<Fixed18>,
    ) -> Result<(), MathError> {
        self.balance = self.balance.add(position.unrealized(price)?)?;
        let Some(perp) = &rules.perp else {
            return Ok(());
        };
        match leverage {
            Some(leverage) => {
                let margin = perp.initial_margin(position.quantity, price, leverage)?;
                self.initial = self.initial.add(margin)?;
            }
            None => {
                let margin = perp.maintenance_margin(position.quantity, price)?;
                self.maintenance = self.maintenance.add(margin)?;
            }
        }
        Ok(())
    }

    /// What may be bound anew: balance − initial margin; negative when over-bound.
    pub(crate) fn available(&self) -> Result<Value, MathError> {
        self.balance.sub(self.initial)
    }
}

/// The price at which the balance of an account with this one position meets its maintenance
/// margin: cash + q·p − c = |q|·p·r − d, so p = (c − cash − d) ÷ (q − |q|·r), with rate r and
/// deduction d of the tier that |q|·p falls into.
///
/// Not positive: no price reaches it. `None` when no tier holds its own solution, which happens
/// only with tables whose margin jumps at a bound.
pub(crate) fn liquidation_price(
    perp: &PerpRules,
    position: &PerpPosition,
    cash: Quantity,
    rounding: Rounding,
) -> Result<Option<Fixed18>, MathError> {
    let size = position.quantity.abs()?.get();
    let last = perp.tiers.last().map(|tier| tier.up_to);
    let mut below = None;
    for tier in &perp.tiers {
        let deduction = match perp.tier_method {
            TierMethod::Deduction => tier.deduction,
            TierMethod::Whole => Value::ZERO,
        };
        let numerator = position.cost.get().sub(cash.get())?.sub(deduction.get())?;
        let margin = size.mul(tier.maintenance_margin_rate.get(), Rounding::HalfEven)?;
        let denominator = position.quantity.get().sub(margin)?;
        let price = numerator.div(denominator, rounding)?;
        let measure = match perp.tier_unit {
            TierUnit::Notional if price.is_positive() => size.mul(price, Rounding::Ceil)?,
            TierUnit::Notional => Fixed18::ZERO,
            TierUnit::Base => size,
        };
        let above_floor = below.is_none_or(|floor| measure > floor);
        let within = measure <= tier.up_to || Some(tier.up_to) == last;
        if above_floor && within {
            return Ok(Some(price));
        }
        below = Some(tier.up_to);
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use basis_core::num::{Bps, Rate};
    use basis_core::rules::MarginTier;
    use basis_core::types::Span;

    use super::*;

    fn perp() -> PerpRules {
        let tier = |up_to, rate: &str, deduction: &str| MarginTier {
            up_to: Fixed18::from_int(up_to),
            initial_margin_rate: Rate::literal("0.1"),
            maintenance_margin_rate: rate.parse().unwrap(),
            deduction: deduction.parse().unwrap(),
            max_leverage: Fixed18::from_int(10),
        };
        PerpRules {
            contract_size: Quantity::literal("1"),
            counts_contracts: false,
            funding_interval: Span::from_hours(8),
            funding_anchor: Span::ZERO,
            max_leverage: Fixed18::from_int(10),
            liquidation_fee: Bps::literal("50"),
            tier_method: TierMethod::Deduction,
            tier_unit: TierUnit::Notional,
            tiers: vec![tier(50_000, "0.004", "0"), tier(500_000, "0.005", "50")],
        }
    }

    #[test]
    fn margin_balance_meets_maintenance_at_the_liquidation_price() {
        for (quantity, cost, cash) in [
            ("-1", "-50000", "10000"),
            ("1", "50000", "10000"),
            ("0.5", "30000", "9000"),
        ] {
            let position = PerpPosition {
                quantity: quantity.parse().unwrap(),
                cost: cost.parse().unwrap(),
            };
            let cash: Quantity = cash.parse().unwrap();
            let price = liquidation_price(&perp(), &position, cash, Rounding::HalfEven)
                .unwrap()
                .unwrap();
            let price = Price::new(price).unwrap();
            let balance = position
                .unrealized(price)
                .unwrap()
                .add(Value::new(cash.get()))
                .unwrap();
            let need = perp().maintenance_margin(position.quantity, price).unwrap();
            let apart = balance.sub(need).unwrap().abs().unwrap();
            assert!(
                apart < Value::literal("0.000000000001"),
                "{quantity}: {apart}"
            );
        }
    }

    #[test]
    fn a_fully_funded_long_has_no_liquidation_price() {
        let position = PerpPosition {
            quantity: Quantity::literal("1"),
            cost: Value::literal("50000"),
        };
        let price = liquidation_price(
            &perp(),
            &position,
            Quantity::literal("50001"),
            Rounding::HalfEven,
        );
        assert!(!price.unwrap().unwrap().is_positive());
    }
}
