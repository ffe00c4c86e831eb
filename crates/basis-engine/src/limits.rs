//! The limits of a run, and how near it is to them.

use basis_core::config::Reader;
use basis_core::fixed18;
use basis_core::num::{Fixed18, Rate};
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
            Self::Deleverage => "deleverage",
            Self::Halt => "halt",
        }
    }
}

/// The ladder of limits. Margin ratio = maintenance margin ÷ margin balance; the venue liquidates
/// at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RiskConfig {
    /// From here on the event log says so.
    pub margin_ratio_warn: Rate,
    /// From here on nothing may add exposure.
    pub margin_ratio_reduce_only: Rate,
    /// From here on positions are cut until the ratio is back at `reduce_only`.
    pub margin_ratio_deleverage: Rate,
    /// From here on everything is closed and the strategy stops.
    pub margin_ratio_halt: Rate,
    /// Largest net delta, at the reference price over the equity, of any step before the run closes everything.
    pub net_delta_halt: Rate,
    /// Limits of a lending account.
    pub health: HealthLadder,
    /// Part of the equity that leaving everything may cost before nothing more is added; `None` without a
    /// bound.
    pub exit_cost_max: Option<Rate>,
}

/// The ladder of a lending account, by health factor; the protocol liquidates below 1. Each rung at or
/// below the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthLadder {
    /// Below this the event log says so.
    pub warn: Rate,
    /// Below this nothing may add exposure.
    pub reduce_only: Rate,
    /// Below this the loop is shrunk until the factor is back at `reduce_only`.
    pub deleverage: Rate,
    /// Below this everything is closed and the strategy stops.
    pub halt: Rate,
}

impl HealthLadder {
    /// Warn below 1.03, reduce only below 1.02, deleverage below 1.015, halt below 1.005: in the
    /// e-mode of correlated assets the usual factors of 1.5 and 2 do not exist.
    pub const DEFAULT: Self = Self {
        warn: Rate::literal("1.03"),
        reduce_only: Rate::literal("1.02"),
        deleverage: Rate::literal("1.015"),
        halt: Rate::literal("1.005"),
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
    /// Warn at 0.3, reduce only at 0.5, deleverage at 0.7, halt at 0.9; net delta halt at 0.25.
    pub const DEFAULT: Self = Self {
        margin_ratio_warn: Rate::literal("0.3"),
        margin_ratio_reduce_only: Rate::literal("0.5"),
        margin_ratio_deleverage: Rate::literal("0.7"),
        margin_ratio_halt: Rate::literal("0.9"),
        net_delta_halt: Rate::literal("0.25"),
        health: HealthLadder::DEFAULT,
        exit_cost_max: None,
    };
}

/// Where on the ladder a margin ratio is, and the limit it has met; the first one while it is clear.
pub(crate) fn margin_rung(limits: &RiskConfig, ratio: Rate) -> (RiskLevel, Rate) {
    let rungs = [
        (RiskLevel::Halt, limits.margin_ratio_halt),
        (RiskLevel::Deleverage, limits.margin_ratio_deleverage),
        (RiskLevel::ReduceOnly, limits.margin_ratio_reduce_only),
        (RiskLevel::Warn, limits.margin_ratio_warn),
    ];
    let reached = rungs.into_iter().find(|(_, limit)| ratio >= *limit);
    reached.unwrap_or((RiskLevel::Clear, limits.margin_ratio_warn))
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
