//! The limits of a run, and how near it is to them.

use basis_core::config::Reader;
use basis_core::fixed18;
use basis_core::num::{Fixed18, Rate};
use basis_core::types::Venue;
use serde::{Deserialize, Serialize};

/// How far up the ladder things are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskLevel {
    /// Within all limits.
    #[default]
    Clear,
    /// Near a limit.
    Warn,
    /// Nothing may add exposure.
    ReduceOnly,
    /// Idle cash goes to the account, or positions are cut where there is none.
    TopUp,
    /// Positions are cut.
    Deleverage,
    /// Everything is closed.
    Halt,
}

impl RiskLevel {
    /// The word in the event log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Warn => "warn",
            Self::ReduceOnly => "reduce_only",
            Self::TopUp => "top_up",
            Self::Deleverage => "deleverage",
            Self::Halt => "halt",
        }
    }
}

/// The ladder of limits. Distance = the relative move of all marks of a pool of margin that liquidates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RiskConfig {
    /// From here on the event log says so; what is topped up or cut is brought back to here.
    pub distance_warn: Rate,
    /// From here on nothing may add exposure.
    pub distance_reduce_only: Rate,
    /// From here on idle cash goes to the account, and what it cannot mend is cut.
    pub distance_top_up: Rate,
    /// From here on positions are cut at once.
    pub distance_deleverage: Rate,
    /// Where cutting has left an account here, everything is closed and the strategy stops.
    pub distance_halt: Rate,
    /// Largest net delta, at the reference price over the equity, of any step before the run closes everything.
    pub net_delta_halt: Rate,
    /// Limits of a lending account.
    pub health: HealthLadder,
    /// Part of the equity that leaving everything may cost before nothing more is added; `None` without a
    /// bound.
    pub exit_cost_max: Option<Rate>,
    /// Part of the equity that one exchange may hold (spot, margin, what is on its way there): as configured; `None`
    /// leaves it to [`VenueShare`].
    pub venue_share_max: Option<Rate>,
    /// The same as it holds in this run; `None` where nothing bounds it.
    pub venue_share: Option<VenueShare>,
}

/// The part of the equity that one exchange may hold in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueShare {
    /// The bound.
    pub most: Rate,
    /// An exchange that alone has a spot series or sells a mode its stake, and its own bound.
    pub alone: Option<(Venue, Rate)>,
}

impl VenueShare {
    /// The bound without a configured one.
    pub const MOST: Rate = Rate::literal("0.5");
    /// The same of an exchange that stands alone.
    pub const MOST_ALONE: Rate = Rate::literal("0.75");

    /// As configured, else the bounds above with an exchange that stands `alone`.
    #[must_use]
    pub fn new(configured: Option<Rate>, alone: Option<Venue>) -> Self {
        match configured {
            Some(most) => Self { most, alone: None },
            None => Self {
                most: Self::MOST,
                alone: alone.map(|venue| (venue, Self::MOST_ALONE)),
            },
        }
    }

    /// The bound of `venue`.
    #[must_use]
    pub fn of(&self, venue: Venue) -> Rate {
        let own = self.alone.filter(|(alone, _)| *alone == venue);
        own.map_or(self.most, |(_, most)| most)
    }
}

/// The ladder of a lending account, by health factor; the protocol liquidates below 1. Each rung at or
/// below the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthLadder {
    /// Below this the event log says so.
    pub warn: Rate,
    /// Below this nothing may add exposure.
    pub reduce_only: Rate,
    /// Below this the loop is shrunk until the factor is back at `warn`.
    pub deleverage: Rate,
    /// Below this everything is closed and the strategy stops.
    pub halt: Rate,
}

impl HealthLadder {
    /// Warn below 1.20, reduce only below 1.15, deleverage below 1.10, halt below 1.04: in the e-mode of
    /// correlated assets the usual factors of 1.5 and 2 do not exist.
    pub const DEFAULT: Self = Self {
        warn: Rate::literal("1.2"),
        reduce_only: Rate::literal("1.15"),
        deleverage: Rate::literal("1.1"),
        halt: Rate::literal("1.04"),
    };

    pub(crate) fn read(r: &Reader<'_>) -> Self {
        let bounds = || Fixed18::ONE..=fixed18!("10");
        let default = Self::DEFAULT;
        let rate = |key: &str, default: Rate| Rate::new(r.fixed(key, bounds(), default.get()));
        let ladder = Self {
            warn: rate("health_factor_warn", default.warn),
            reduce_only: rate("health_factor_reduce_only", default.reduce_only),
            deleverage: rate("health_factor_deleverage", default.deleverage),
            halt: rate("health_factor_halt", default.halt),
        };
        let rungs = [
            ("health_factor_reduce_only", ladder.warn, ladder.reduce_only),
            (
                "health_factor_deleverage",
                ladder.reduce_only,
                ladder.deleverage,
            ),
            ("health_factor_halt", ladder.deleverage, ladder.halt),
        ];
        for (key, before, rung) in rungs {
            if rung > before {
                r.problem(key, format!("{rung} is above the step before it, {before}"));
            }
        }
        ladder
    }
}

impl RiskConfig {
    /// Reads the section `risk`, its health factors where a mode `lends`.
    pub(crate) fn read(r: &Reader<'_>, lends: bool) -> Self {
        let default = Self::DEFAULT;
        let rate = |key: &str, default: Rate| {
            Rate::new(r.fixed(key, Fixed18::ZERO..=fixed18!("10"), default.get()))
        };
        let venue_share_max = r.within("venue_share_max", fixed18!("0.01")..=Fixed18::ONE);
        let venue_share_max = venue_share_max.map(Rate::new);
        let risk = Self {
            distance_warn: rate("distance_warn", default.distance_warn),
            distance_reduce_only: rate("distance_reduce_only", default.distance_reduce_only),
            distance_top_up: rate("distance_top_up", default.distance_top_up),
            distance_deleverage: rate("distance_deleverage", default.distance_deleverage),
            distance_halt: rate("distance_halt", default.distance_halt),
            net_delta_halt: rate("net_delta_halt", default.net_delta_halt),
            health: if lends {
                HealthLadder::read(r)
            } else {
                default.health
            },
            exit_cost_max: r
                .within("exit_cost_max", Fixed18::ZERO..=Fixed18::ONE)
                .map(Rate::new),
            venue_share_max,
            venue_share: venue_share_max.map(|most| VenueShare::new(Some(most), None)),
        };
        let ladder = [
            (
                "distance_reduce_only",
                risk.distance_warn,
                risk.distance_reduce_only,
            ),
            (
                "distance_top_up",
                risk.distance_reduce_only,
                risk.distance_top_up,
            ),
            (
                "distance_deleverage",
                risk.distance_top_up,
                risk.distance_deleverage,
            ),
            (
                "distance_halt",
                risk.distance_deleverage,
                risk.distance_halt,
            ),
        ];
        for (key, before, rung) in ladder {
            if rung > before {
                r.problem(key, format!("{rung} is above the step before it, {before}"));
            }
        }
        for rung in ["warn", "reduce_only", "deleverage", "halt"] {
            let renamed = format!("margin_ratio_{rung}");
            if r.node(&renamed).is_some() {
                let message = format!(
                    "it is now `distance_{rung}`, the relative move of the price that liquidates: it counts \
                     down, from {} to {}",
                    default.distance_warn, default.distance_halt
                );
                r.problem(&renamed, message);
            }
        }
        risk
    }

    /// Warn at 0.40, reduce only at 0.35, top up at 0.30, deleverage at 0.22, halt at 0.10; net delta halt at
    /// 0.25.
    pub const DEFAULT: Self = Self {
        distance_warn: Rate::literal("0.4"),
        distance_reduce_only: Rate::literal("0.35"),
        distance_top_up: Rate::literal("0.3"),
        distance_deleverage: Rate::literal("0.22"),
        distance_halt: Rate::literal("0.1"),
        net_delta_halt: Rate::literal("0.25"),
        health: HealthLadder::DEFAULT,
        exit_cost_max: None,
        venue_share_max: None,
        venue_share: None,
    };
}

/// Where on the ladder a distance is, and the limit it has met; the first one while it is clear.
pub(crate) fn distance_rung(limits: &RiskConfig, distance: Rate) -> (RiskLevel, Rate) {
    let rungs = [
        (RiskLevel::Halt, limits.distance_halt),
        (RiskLevel::Deleverage, limits.distance_deleverage),
        (RiskLevel::TopUp, limits.distance_top_up),
        (RiskLevel::ReduceOnly, limits.distance_reduce_only),
        (RiskLevel::Warn, limits.distance_warn),
    ];
    let reached = rungs.into_iter().find(|(_, limit)| distance <= *limit);
    reached.unwrap_or((RiskLevel::Clear, limits.distance_warn))
}

/// Where on the ladder a health factor is, and the limit it has met; the first one while it is clear.
pub(crate) fn health_rung(limits: &RiskConfig, factor: Rate) -> (RiskLevel, Rate) {
    let ladder = limits.health;
    let rungs = [
        (RiskLevel::Halt, ladder.halt),
        (RiskLevel::Deleverage, ladder.deleverage),
        (RiskLevel::ReduceOnly, ladder.reduce_only),
        (RiskLevel::Warn, ladder.warn),
    ];
    let reached = rungs.into_iter().find(|(_, limit)| factor < *limit);
    reached.unwrap_or((RiskLevel::Clear, ladder.warn))
}

#[cfg(test)]
mod tests {
    use super::*;
    use basis_core::num::Rounding;

    /// The fall of a pair's rate that liquidates a loan of this health factor.
    fn fall(factor: Rate) -> Rate {
        let kept = Rate::ONE.div(factor, Rounding::Ceil).unwrap();
        Rate::ONE.sub(kept).unwrap()
    }

    #[test]
    fn rungs_of_a_loan_are_many_times_what_its_pair_has_ever_fallen() {
        let ladder = HealthLadder::DEFAULT;
        let rungs = [
            ladder.warn,
            ladder.reduce_only,
            ladder.deleverage,
            ladder.halt,
        ];
        let falls = rungs.map(|rung| fall(rung).get().to_f64());
        for (fall, documented) in falls.iter().zip([0.167, 0.130, 0.091, 0.038]) {
            assert!((fall - documented).abs() < 0.0006, "{falls:?}");
        }
        // weETH against ETH, 2024-08-06: the largest discount on record.
        assert!(falls.iter().all(|fall| *fall > 7.0 * 0.0052), "{falls:?}");
    }

    /// Threshold of the e-mode over the debt ratios: nothing that a default allows is a warning.
    #[test]
    fn default_debt_ratios_stand_above_the_first_rung() {
        let threshold = Rate::literal("0.95");
        for ltv in ["0.65", "0.75"] {
            let factor = threshold
                .div(ltv.parse().unwrap(), Rounding::Floor)
                .unwrap();
            assert_eq!(
                health_rung(&RiskConfig::DEFAULT, factor).0,
                RiskLevel::Clear,
                "{ltv}"
            );
        }
        // By the levels of perps the default itself would be at reduce only.
        let target = fall(
            threshold
                .div(Rate::literal("0.65"), Rounding::Floor)
                .unwrap(),
        );
        let as_perp = distance_rung(&RiskConfig::DEFAULT, target).0;
        assert_eq!(as_perp, RiskLevel::ReduceOnly);
    }
}
