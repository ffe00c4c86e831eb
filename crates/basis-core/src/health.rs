//! Health of a component: last update, last errors, error rate, latency.

use std::collections::VecDeque;

use crate::error::{Code, ComponentError, Severity};
use crate::types::{Span, Timestamp};
use serde::{Deserialize, Serialize};

/// Errors kept per component.
const ERRORS_KEPT: usize = 10;

/// How a component is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// All is well.
    #[default]
    Healthy,
    /// Works, with restrictions.
    Degraded,
    /// Must not be relied on.
    Unhealthy,
}

impl HealthState {
    /// `healthy`, `degraded` or `unhealthy`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// Health of one component.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    state: HealthState,
    updated_at: Option<Timestamp>,
    operations: u64,
    failures: u64,
    last_errors: VecDeque<(Timestamp, Code, String)>,
    latency_total: Span,
}

impl Health {
    /// Counts a success that took `latency`. A degraded component that works is healthy again.
    pub fn succeeded(&mut self, at: Timestamp, latency: Span) {
        self.updated_at = Some(at);
        self.operations += 1;
        self.latency_total =
            Span::from_nanos(self.latency_total.nanos().saturating_add(latency.nanos()));
        if self.state == HealthState::Degraded {
            self.state = HealthState::Healthy;
        }
    }

    /// Counts a failure; the last ten are kept. CRITICAL makes the component unhealthy for good,
    /// any other severity degrades it.
    pub fn failed(&mut self, at: Timestamp, e: &ComponentError) {
        self.updated_at = Some(at);
        self.operations += 1;
        self.failures += 1;
        self.state = match e.severity() {
            Severity::Critical => HealthState::Unhealthy,
            Severity::High | Severity::Medium => self.state.max(HealthState::Degraded),
            Severity::Low => self.state,
        };
        if self.last_errors.len() == ERRORS_KEPT {
            self.last_errors.pop_front();
        }
        self.last_errors.push_back((at, e.code, e.message.clone()));
    }

    /// How the component is.
    #[must_use]
    pub const fn state(&self) -> HealthState {
        self.state
    }

    /// When it last did something.
    #[must_use]
    pub const fn updated_at(&self) -> Option<Timestamp> {
        self.updated_at
    }

    /// Operations and failures so far.
    #[must_use]
    pub const fn counts(&self) -> (u64, u64) {
        (self.operations, self.failures)
    }

    /// The last ten errors, oldest first.
    pub fn last_errors(&self) -> impl Iterator<Item = &(Timestamp, Code, String)> {
        self.last_errors.iter()
    }

    /// Mean latency of the successes; zero when there are none.
    #[must_use]
    pub fn latency_mean(&self) -> Span {
        let successes = i64::try_from(self.operations - self.failures).unwrap_or(i64::MAX);
        Span::from_nanos(
            self.latency_total
                .nanos()
                .checked_div(successes)
                .unwrap_or(0),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn critical_errors_stick_and_lesser_ones_heal() {
        let mut health = Health::default();
        let now = Timestamp::EPOCH;
        health.failed(now, &ComponentError::new(Code::DataStale, "old"));
        assert_eq!(health.state(), HealthState::Degraded);
        health.succeeded(now, Span::from_seconds(2));
        assert_eq!(health.state(), HealthState::Healthy);
        assert_eq!(health.latency_mean(), Span::from_seconds(2));
        health.failed(now, &ComponentError::new(Code::CredentialsInvalid, "no"));
        health.succeeded(now, Span::ZERO);
        assert_eq!(health.state(), HealthState::Unhealthy);
        for _ in 0..20 {
            health.failed(now, &ComponentError::new(Code::DataStale, "old"));
        }
        assert_eq!(health.last_errors().count(), 10);
    }
}
