//! Time-weighted statistics of a run. Floats: for reading, never for books.

use basis_core::num::Value;
use basis_core::types::Span;

use crate::result::{Statistics, StepColumns};

const SECONDS_PER_YEAR: f64 = 365.0 * 86_400.0;

/// Return, yearly return, drawdown and Sharpe of the time-weighted index.
///
/// A step's return is (equity − external flow) ÷ equity before − 1: capital arrives after the move
/// of the step and before its trades. The first step, which only receives the capital, earns
/// equity ÷ capital − 1.
#[expect(
    clippy::cast_precision_loss,
    reason = "statistics only; step counts are far below 2^52"
)]
pub(crate) fn of(steps: &StepColumns, step: Span) -> Statistics {
    let mut index = 1.0_f64;
    let mut peak = 1.0_f64;
    let mut max_drawdown = 0.0_f64;
    let (mut sum, mut sum_of_squares, mut count) = (0.0_f64, 0.0_f64, 0.0_f64);
    let mut before = Value::ZERO;
    for (equity, flow) in steps.equity_usd.iter().zip(&steps.external_flow_usd) {
        let (start, end) = if before.is_positive() {
            (before.to_f64(), equity.to_f64() - flow.to_f64())
        } else {
            (flow.to_f64(), equity.to_f64())
        };
        before = *equity;
        if start <= 0.0 {
            continue;
        }
        let earned = end / start - 1.0;
        index *= 1.0 + earned;
        peak = peak.max(index);
        max_drawdown = max_drawdown.max(1.0 - index / peak);
        sum += earned;
        sum_of_squares += earned * earned;
        count += 1.0;
    }
    let step_seconds = step.seconds() as f64;
    let steps_per_year = SECONDS_PER_YEAR / step_seconds;
    let years = count / steps_per_year;
    let apy = if years > 0.0 && index > 0.0 {
        index.powf(1.0 / years) - 1.0
    } else {
        0.0
    };
    let sharpe = (count > 1.0).then(|| {
        let mean = sum / count;
        let variance = (sum_of_squares - count * mean * mean) / (count - 1.0);
        (variance > 0.0).then(|| mean / variance.sqrt() * steps_per_year.sqrt())
    });
    Statistics {
        total_return: index - 1.0,
        apy,
        max_drawdown,
        sharpe: sharpe.flatten(),
    }
}
