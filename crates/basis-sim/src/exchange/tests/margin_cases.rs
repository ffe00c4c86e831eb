//! The form of the margin tables and how a row is checked against the venue's rules.

use basis_core::num::{Bps, Fixed18, Price, Quantity, Rate, Rounding, Value};
use basis_core::rules::{MarginTier, PerpRules, TierMethod, TierUnit};
use basis_core::types::Span;
use basis_protocols::exchange;
use basis_protocols::exchange::PerpPosition;

/// Rows of bound, maintenance rate, deduction, highest leverage.
pub(super) type Tiers = &'static [(&'static str, &'static str, &'static str, &'static str)];

/// One position by hand.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) tiers: Tiers,
    /// Signed base units.
    pub(super) quantity: &'static str,
    pub(super) entry: &'static str,
    /// Isolated margin, or the cross wallet less what other positions need and have lost.
    pub(super) wallet: &'static str,
    pub(super) mark: &'static str,
    pub(super) leverage: &'static str,
    pub(super) initial: &'static str,
    pub(super) maintenance: &'static str,
    /// To two decimals, half-even; `None` when no price liquidates.
    pub(super) liquidation: Option<&'static str>,
}

fn fixed(text: &str) -> Fixed18 {
    Fixed18::parse(text).unwrap()
}

pub(super) fn perp(tiers: Tiers, tier_method: TierMethod, tier_unit: TierUnit) -> PerpRules {
    let tier = |row: &(&str, &str, &str, &str)| MarginTier {
        up_to: fixed(row.0),
        initial_margin_rate: Rate::ZERO,
        maintenance_margin_rate: Rate::new(fixed(row.1)),
        deduction: Value::new(fixed(row.2)),
        max_leverage: fixed(row.3),
    };
    PerpRules {
        contract_size: Quantity::literal("1"),
        counts_contracts: false,
        prices_contracts: false,
        funding_interval: Span::from_hours(8),
        funding_anchor: Span::ZERO,
        funding_rate_max: None,
        max_leverage: Fixed18::from_int(125),
        liquidation_fee: Bps::ZERO,
        tier_method,
        tier_unit,
        tiers: tiers.iter().map(tier).collect(),
    }
}

pub(super) fn check(cases: &[Case], method: TierMethod, unit: TierUnit) {
    for case in cases {
        let name = case.name;
        let rules = perp(case.tiers, method, unit);
        let quantity: Quantity = case.quantity.parse().unwrap();
        let (entry, mark): (Price, Price) =
            (case.entry.parse().unwrap(), case.mark.parse().unwrap());
        let cost = quantity.notional(entry, Rounding::HalfEven).unwrap();
        let position = PerpPosition { quantity, cost };
        let initial = exchange::margin::initial_margin(quantity, mark, fixed(case.leverage));
        assert_eq!(initial.unwrap(), Value::new(fixed(case.initial)), "{name}");
        let maintenance = exchange::margin::maintenance_margin(&rules, quantity, mark).unwrap();
        assert_eq!(maintenance, Value::new(fixed(case.maintenance)), "{name}");
        let wallet = Value::new(fixed(case.wallet));
        let solved =
            exchange::liquidation::liquidation_price(&rules, &position, wallet, Rounding::HalfEven);
        let solved = solved.unwrap().unwrap();
        let rounded = solved.round_to_decimals(2, Rounding::HalfEven).unwrap();
        match case.liquidation {
            Some(price) => assert_eq!(rounded, fixed(price), "{name}"),
            None => assert!(!solved.is_positive(), "{name}: {solved}"),
        }
    }
}

/// Each deduction is bound × rate step more than the one before, so margin is continuous.
pub(super) fn check_deductions(tiers: Tiers) {
    for pair in tiers.windows(2) {
        let [below, above] = pair else { continue };
        let step = fixed(above.1).sub(fixed(below.1)).unwrap();
        let more = fixed(below.0).mul(step, Rounding::HalfEven).unwrap();
        assert_eq!(
            fixed(below.2).add(more).unwrap(),
            fixed(above.2),
            "{above:?}"
        );
    }
}
