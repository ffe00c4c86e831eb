//! What a measure of risk is made of, and the formulas of ratio, distance and time.
//!
//! **Invariants.** Values and distances are exact decimals, rounded towards the danger. Only times are
//! floats: they extrapolate the carry of an instant, are for reading and decide nothing.

use serde::{Deserialize, Serialize};

use basis_core::num::{Fixed18, Rate, Rounding, Value};

use super::isolated::margin_ratio;
use crate::limits::{RiskConfig, RiskLevel, distance_rung, health_rung};

pub(super) const DAYS_PER_YEAR: f64 = 365.0;

/// Later than this, a thousand years, counts as never.
const DAYS_MAX: f64 = 365_000.0;

/// Which way a price must move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A rise liquidates.
    Up,
    /// A fall liquidates.
    Down,
}

impl Direction {
    /// The word in a table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// A pool of margin: a perp account without its isolated positions, or one of those.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MarginMeasure {
    /// Collateral plus unrealised result.
    pub balance: Value,
    /// Below this the venue liquidates; > 0.
    pub maintenance: Value,
    /// What a relative move of 1 adds to the maintenance margin, tiers as they are, >= 0.
    pub slope: Value,
    /// Σ quantity × mark, short < 0.
    pub net_notional: Value,
    /// What funding costs a day at the rates last settled, < 0 when it is received; absent before a
    /// position's first settlement.
    pub funding_cost_per_day: Option<f64>,
}

impl MarginMeasure {
    /// Maintenance margin ÷ balance; the venue liquidates at 1.
    #[must_use]
    pub fn ratio(&self) -> Rate {
        margin_ratio(self.balance, self.maintenance)
    }

    /// The relative move x of all marks of the pool that liquidates it, and which way.
    ///
    /// With balance B, maintenance M, its slope S and net notional V, the move makes them B + V·x and
    /// M + S·x, which meet at x = (B − M) ÷ (S − V). Zero when they have met; none when no move does
    /// it, a fall by all of the price included.
    #[must_use]
    pub fn distance(&self) -> Option<(Rate, Direction)> {
        liquidation_distance(
            (self.balance, self.maintenance),
            (self.slope, self.net_notional),
        )
    }

    /// Days until funding has eaten what the balance has above maintenance; none when it is received.
    #[must_use]
    pub fn days(&self) -> Option<f64> {
        let cost = self.funding_cost_per_day.filter(|cost| *cost > 0.0)?;
        let buffer = self.balance.to_f64() - self.maintenance.to_f64();
        Some(buffer.max(0.0) / cost).filter(|days| *days <= DAYS_MAX)
    }
}

/// As [`MarginMeasure::distance`], of balance and maintenance, slope and net notional.
#[must_use]
pub(crate) fn liquidation_distance(
    (balance, maintenance): (Value, Value),
    (slope, net_notional): (Value, Value),
) -> Option<(Rate, Direction)> {
    let buffer = balance.sub(maintenance).ok()?;
    let closing = slope.sub(net_notional).ok()?;
    if closing.is_zero() {
        return None;
    }
    let direction = if closing.is_positive() {
        Direction::Up
    } else {
        Direction::Down
    };
    if !buffer.is_positive() {
        return Some((Rate::ZERO, direction));
    }
    let moved = buffer.ratio(closing.abs().ok()?, Rounding::Floor).ok()?;
    let is_possible = direction == Direction::Up || moved < Rate::ONE;
    is_possible.then_some((moved, direction))
}

/// A lending account that owes something.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LendingMeasure {
    /// Collateral × threshold ÷ debt, Morpho's LLTV being the threshold; liquidated below 1.
    pub health_factor: Rate,
    /// Yearly rate that the debt costs.
    pub borrow_rate: Rate,
    /// Yearly rate that the collateral earns, its staking yield left out.
    pub supply_rate: Rate,
    /// Worth of the collateral at the books' marks, USD.
    pub collateral: Value,
    /// The part of it that is staking tokens, USD.
    pub staked: Value,
    /// What the growth of their protocol rates adds to the collateral, per year, over the last day;
    /// absent while a rate has no day behind it.
    pub staking_growth: Option<f64>,
}

impl LendingMeasure {
    /// The relative fall of the collateral against the debt that liquidates: 1 − 1 ÷ health factor.
    #[must_use]
    pub fn distance(&self) -> Rate {
        let left = Rate::ONE.div(self.health_factor, Rounding::Ceil);
        let fall = left.and_then(|left| Ok(Rate::new(Fixed18::ONE.sub(left.get())?)));
        fall.map_or(Rate::ZERO, |fall| fall.max(Rate::ZERO))
    }

    /// The relative fall of the oracle's rates of the staking tokens alone that does it: the distance
    /// over their share of the collateral. None without any, or when no fall would.
    #[must_use]
    pub fn rate_distance(&self) -> Option<Rate> {
        if !self.staked.is_positive() {
            return None;
        }
        let over = self.collateral.ratio(self.staked, Rounding::Floor).ok()?;
        let fall = self.distance().mul(over, Rounding::Floor).ok()?;
        (fall < Rate::ONE).then_some(fall)
    }

    /// Days until the health factor is 1 at the present carry: ln(factor) ÷ (what debt costs − what
    /// collateral earns). None when the collateral earns as much, or what it earns is not known yet.
    #[must_use]
    pub fn days(&self) -> Option<f64> {
        let earned = self.supply_rate.to_f64() + self.staking_growth?;
        let falls = self.borrow_rate.to_f64() - earned;
        let above = self.health_factor.to_f64().ln().max(0.0);
        let days = above / falls * DAYS_PER_YEAR;
        (falls > 0.0 && days <= DAYS_MAX).then_some(days)
    }
}

/// What the market pays for a staking token, and its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenMeasure {
    /// ETH per token in the market.
    pub market: Rate,
    /// ETH per token at the protocol, > 0.
    pub protocol: Rate,
}

impl TokenMeasure {
    /// 1 − market ÷ protocol; < 0 for a premium.
    #[must_use]
    pub fn discount(&self) -> Rate {
        let paid = self.market.div(self.protocol, Rounding::Floor);
        let off = paid.and_then(|paid| Fixed18::ONE.sub(paid.get()));
        off.map_or(Rate::ZERO, Rate::new)
    }
}

/// What one row of the table is made of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskMeasure {
    /// Of a pool of margin.
    Margin(MarginMeasure),
    /// Of a lending account.
    Lending(LendingMeasure),
    /// Of a staking token; nothing is liquidated by a market's discount alone.
    Token(TokenMeasure),
}

impl RiskMeasure {
    /// The name of the measure.
    #[must_use]
    pub const fn measure(&self) -> &'static str {
        match self {
            Self::Margin(_) => "margin_ratio",
            Self::Lending(_) => "health_factor",
            Self::Token(_) => "lst_discount",
        }
    }

    /// The measure.
    #[must_use]
    pub fn value(&self) -> Rate {
        match self {
            Self::Margin(margin) => margin.ratio(),
            Self::Lending(lending) => lending.health_factor,
            Self::Token(token) => token.discount(),
        }
    }

    /// The relative move that liquidates, >= 0, and which way.
    #[must_use]
    pub fn distance(&self) -> Option<(Rate, Direction)> {
        match self {
            Self::Margin(margin) => margin.distance(),
            Self::Lending(lending) => Some((lending.distance(), Direction::Down)),
            Self::Token(_) => None,
        }
    }

    /// Days to liquidation at the present carry; none when it does not lead there.
    #[must_use]
    pub fn days(&self) -> Option<f64> {
        match self {
            Self::Margin(margin) => margin.days(),
            Self::Lending(lending) => lending.days(),
            Self::Token(_) => None,
        }
    }

    /// Whether it is nearer to danger than a measure of the same kind that was `worst`.
    pub(super) fn is_worse_than(&self, worst: Rate) -> bool {
        match self {
            Self::Margin(margin) if margin.balance.is_positive() => {
                // The ratio takes a division; a product tells as well.
                let tolerated = margin.balance.at_rate(worst, Rounding::Floor);
                tolerated.is_ok_and(|tolerated| margin.maintenance > tolerated)
                    && margin.ratio() > worst
            }
            Self::Margin(margin) => margin.ratio() > worst,
            Self::Lending(lending) => lending.health_factor < worst,
            Self::Token(token) => token.discount() > worst,
        }
    }

    /// Its place on the ladder.
    pub(super) fn level(&self, limits: &RiskConfig) -> RiskLevel {
        match self {
            Self::Margin(margin) => {
                let distance = margin.distance();
                distance.map_or(RiskLevel::Clear, |(distance, _)| {
                    distance_rung(limits, distance).0
                })
            }
            Self::Lending(lending) => health_rung(limits, lending.health_factor).0,
            Self::Token(_) => RiskLevel::Clear,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn margin(balance: &str, maintenance: &str, slope: &str, notional: &str) -> MarginMeasure {
        MarginMeasure {
            balance: balance.parse().unwrap(),
            maintenance: maintenance.parse().unwrap(),
            slope: slope.parse().unwrap(),
            net_notional: notional.parse().unwrap(),
            funding_cost_per_day: None,
        }
    }

    fn lending(factor: &str, borrow: &str, supply: &str, growth: f64) -> LendingMeasure {
        LendingMeasure {
            health_factor: factor.parse().unwrap(),
            borrow_rate: borrow.parse().unwrap(),
            supply_rate: supply.parse().unwrap(),
            collateral: Value::literal("1000"),
            staked: Value::literal("1000"),
            staking_growth: Some(growth),
        }
    }

    #[test]
    fn a_short_account_is_liquidated_by_a_rise() {
        // 1 BTC short at 50,000 with 10,250 of balance, 1 % less 50 of maintenance: 450. At a price of
        // 50,000 × (1 + x): 10,250 − 50,000·x = 450 + 500·x, so x = 9,800 ÷ 50,500.
        let short = margin("10250", "450", "500", "-50000");
        let (x, direction) = short.distance().unwrap();
        assert_eq!(direction, Direction::Up);
        assert_eq!(x, Rate::literal("0.194059405940594059"));
        assert_eq!(short.ratio(), Rate::literal("0.043902439024390244"));
    }

    #[test]
    fn a_long_account_is_liquidated_by_a_fall_unless_it_owns_all_it_holds() {
        let long = margin("10250", "450", "500", "50000");
        let (x, direction) = long.distance().unwrap();
        assert_eq!(direction, Direction::Down);
        assert_eq!(x, Rate::literal("0.197979797979797979"));
        assert_eq!(margin("60000", "450", "500", "50000").distance(), None);
        assert_eq!(margin("1", "450", "500", "500").distance(), None);
    }

    #[test]
    fn what_is_liquidated_already_has_no_distance_left() {
        let short = margin("400", "450", "500", "-50000");
        assert_eq!(short.distance(), Some((Rate::ZERO, Direction::Up)));
        let paying = MarginMeasure {
            funding_cost_per_day: Some(1.0),
            ..short
        };
        assert_eq!(paying.days(), Some(0.0));
        assert_eq!(lending("0.9", "0.1", "0", 0.0).distance(), Rate::ZERO);
        assert_eq!(lending("0.9", "0.1", "0", 0.0).days(), Some(0.0));
    }

    #[test]
    fn funding_takes_what_is_above_maintenance_and_never_when_it_is_received() {
        let at = |cost| MarginMeasure {
            funding_cost_per_day: cost,
            ..margin("10250", "450", "500", "-50000")
        };
        assert_eq!(at(Some(50.0)).days(), Some(196.0));
        assert_eq!(at(Some(-50.0)).days(), None);
        assert_eq!(at(Some(0.0)).days(), None);
        assert_eq!(at(None).days(), None);
    }

    #[test]
    fn an_aave_account_falls_to_where_its_health_factor_is_one() {
        // 1,000 of weETH at a threshold of 95 % against 912 of debt: HF = 950 ÷ 912 = 1.041666…
        let account = lending("1.041666666666666666", "0.05", "0.001", 0.03);
        // The debt is covered until the collateral is worth 960: a fall of 4 %.
        assert_eq!(account.distance(), Rate::literal("0.039999999999999999"));
        assert_eq!(account.rate_distance(), Some(account.distance()));
        // ln(1.041666…) ÷ (5 % − 0.1 % − 3 %) of a year.
        let days = account.days().unwrap();
        assert!((days - 784.212).abs() < 0.001, "{days}");
        assert_eq!(lending("1.04", "0.03", "0.001", 0.03).days(), None);
        let young = LendingMeasure {
            staking_growth: None,
            ..account
        };
        assert_eq!(young.days(), None, "no day of growth is known");
    }

    #[test]
    fn a_token_that_is_half_of_the_collateral_may_fall_twice_as_far() {
        let mut account = lending("1.25", "0.05", "0", 0.0);
        account.staked = Value::literal("500");
        assert_eq!(account.distance(), Rate::literal("0.2"));
        assert_eq!(account.rate_distance(), Some(Rate::literal("0.4")));
        account.staked = Value::literal("100");
        assert_eq!(account.rate_distance(), None, "no fall of it would do");
        account.staked = Value::ZERO;
        assert_eq!(account.rate_distance(), None);
    }

    #[test]
    fn a_discount_is_what_the_market_pays_less() {
        let token = |market| TokenMeasure {
            market: Rate::literal(market),
            protocol: Rate::literal("1.05"),
        };
        assert_eq!(token("0.9975").discount(), Rate::literal("0.05"));
        assert_eq!(token("1.06050").discount(), Rate::literal("-0.01"));
    }

    #[test]
    fn worse_is_nearer_to_liquidation() {
        let short = RiskMeasure::Margin(margin("10250", "450", "500", "-50000"));
        assert!(short.is_worse_than(Rate::literal("0.0439")));
        assert!(!short.is_worse_than(short.value()));
        assert!(RiskMeasure::Margin(margin("0", "1", "1", "1")).is_worse_than(Rate::ONE));
        let account = RiskMeasure::Lending(lending("1.25", "0.05", "0", 0.0));
        assert!(account.is_worse_than(Rate::literal("1.26")));
        assert!(!account.is_worse_than(Rate::literal("1.25")));
    }
}
