//! The limits of a lending account.

use basis_core::config::Reader;
use basis_core::fixed18;
use basis_core::num::{Fixed18, Rate};

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
