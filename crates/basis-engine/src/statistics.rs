//! Time-weighted statistics of a run. Floats: for reading, never for books.

use serde::{Deserialize, Serialize};

use basis_core::num::Value;
use basis_core::types::Span;

const SECONDS_PER_YEAR: f64 = 365.0 * 86_400.0;

/// Time-weighted statistics; floats, for reading, never for books.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Time-weighted return over the run, 0.1 = 10 %.
    pub total_return: f64,
    /// The same per year of 365 days, compounded.
    pub apy: f64,
    /// Largest fall of the time-weighted index from its peak, >= 0.
    pub max_drawdown: f64,
    /// Mean over standard deviation of step returns, per year, without a risk-free rate; absent
    /// when they do not vary.
    pub sharpe: Option<f64>,
}

/// The statistics of the steps so far.
///
/// A step's return is (equity − external flow) ÷ equity before − 1: capital arrives after the move
/// of the step and before its trades. The first step, which only receives the capital, earns
/// equity ÷ capital − 1. A step that ends at zero or below earns −1: from there on the index is zero, and
/// the yearly return −1.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Running {
    index: f64,
    peak: f64,
    max_drawdown: f64,
    sum: f64,
    sum_of_squares: f64,
    count: f64,
    before: Value,
}

impl Default for Running {
    fn default() -> Self {
        Self {
            index: 1.0,
            peak: 1.0,
            max_drawdown: 0.0,
            sum: 0.0,
            sum_of_squares: 0.0,
            count: 0.0,
            before: Value::ZERO,
        }
    }
}

impl Running {
    /// Takes the next step.
    pub(crate) fn step(&mut self, equity: Value, flow: Value) {
        let (start, end) = if self.before.is_positive() {
            (self.before.to_f64(), equity.to_f64() - flow.to_f64())
        } else {
            (flow.to_f64(), equity.to_f64())
        };
        self.before = equity;
        if start <= 0.0 {
            return;
        }
        // A lost book has lost what it had, not what it owes beyond that.
        let earned = (end / start - 1.0).max(-1.0);
        self.index *= 1.0 + earned;
        self.peak = self.peak.max(self.index);
        self.max_drawdown = self.max_drawdown.max(1.0 - self.index / self.peak);
        self.sum += earned;
        self.sum_of_squares += earned * earned;
        self.count += 1.0;
    }

    /// Return, yearly return, drawdown and Sharpe of the time-weighted index.
    #[expect(
        clippy::cast_precision_loss,
        reason = "statistics only; step counts are far below 2^52"
    )]
    pub(crate) fn finish(self, step: Span) -> Statistics {
        let Self {
            index, sum, count, ..
        } = self;
        let step_seconds = step.seconds() as f64;
        let steps_per_year = SECONDS_PER_YEAR / step_seconds;
        let years = count / steps_per_year;
        let apy = if years > 0.0 {
            index.powf(1.0 / years) - 1.0
        } else {
            0.0
        };
        let sharpe = (count > 1.0).then(|| {
            let mean = sum / count;
            let variance = (self.sum_of_squares - count * mean * mean) / (count - 1.0);
            (variance > 0.0).then(|| mean / variance.sqrt() * steps_per_year.sqrt())
        });
        Statistics {
            total_return: index - 1.0,
            apy,
            max_drawdown: self.max_drawdown,
            sharpe: sharpe.flatten(),
        }
    }
}
