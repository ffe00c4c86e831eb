//! Margin of the perp account or of one isolated position: balance and margins.
//!
//! Balance = cash + Σ unrealised result; an account is liquidated when it is at or below the
//! maintenance margin (facts: Binance, Bybit and OKX margin documentation).

use basis_core::num::{Fixed18, MathError, Price, Quantity, Value};
use basis_core::rules::InstrumentRules;
use basis_protocols::exchange;
use basis_protocols::exchange::PerpPosition;

/// What positions on one collateral have and need, in the settlement asset.
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
                let margin = exchange::margin::initial_margin(position.quantity, price, leverage)?;
                self.initial = self.initial.add(margin)?;
            }
            None => {
                let margin = exchange::margin::maintenance_margin(perp, position.quantity, price)?;
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

#[cfg(test)]
mod tests {
    use basis_core::num::{Bps, Rate, Rounding};
    use basis_core::rules::{MarginTier, PerpRules, TierMethod, TierUnit};
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
            let price = exchange::margin::liquidation_price(
                &perp(),
                &position,
                Value::new(cash.get()),
                Rounding::HalfEven,
            )
            .unwrap()
            .unwrap();
            let price = Price::new(price).unwrap();
            let balance = position
                .unrealized(price)
                .unwrap()
                .add(Value::new(cash.get()))
                .unwrap();
            let need =
                exchange::margin::maintenance_margin(&perp(), position.quantity, price).unwrap();
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
        let wallet = Value::literal("50001");
        let price =
            exchange::margin::liquidation_price(&perp(), &position, wallet, Rounding::HalfEven);
        assert!(!price.unwrap().unwrap().is_positive());
    }
}
