//! Attempts, their time limit and the waits between them.
//!
//! Only for creating interfaces: that sends no order, so it is free to repeat, and an interface that
//! came too late may be dropped. Orders have their own rules.

use basis_core::clock::Clock;
use basis_core::error::{Code, ComponentError, Severity};
use basis_core::types::{Span, Timestamp};

use super::FactorySettings;

/// The longest wait between two attempts.
const WAIT_MAX: Span = Span::from_seconds(30);

/// An attempt failed and another follows.
pub(super) struct NextAttempt<'a> {
    /// What went wrong.
    pub(super) error: &'a ComponentError,
    /// Attempts made so far, from 1.
    pub(super) made: u32,
    /// Time until the next.
    pub(super) wait: Span,
}

/// Repeats `attempt` until it succeeds in time, fails for good or has failed 1 + `max_retries` times.
/// It is given its deadline; one that returns at the deadline or later has failed whatever it returns.
pub(super) fn with_retries<T>(
    clock: &dyn Clock,
    settings: &FactorySettings,
    mut attempt: impl FnMut(Timestamp) -> Result<T, ComponentError>,
    mut before_next: impl FnMut(NextAttempt<'_>),
) -> Result<T, ComponentError> {
    let mut made = 0;
    loop {
        let deadline = clock.now().plus(settings.timeout());
        let result = attempt(deadline);
        let is_late = clock.now() >= deadline;
        let error = match result {
            Ok(value) if !is_late => return Ok(value),
            Err(e) if !is_late => e,
            Ok(_) | Err(_) => timed_out(settings.timeout()),
        };
        made += 1;
        if made > settings.max_retries() || !may_retry(&error) {
            return Err(after(error, made));
        }
        let wait = wait_after(made);
        before_next(NextAttempt {
            error: &error,
            made,
            wait,
        });
        clock.wait_until(clock.now().plus(wait));
    }
}

fn timed_out(timeout: Span) -> ComponentError {
    let message =
        format!("not done within {timeout} (component_config.execution_interface_factory.timeout)");
    ComponentError::new(Code::CreationFailed, message)
        .with_reason("timeout")
        .retryable()
}

/// EIF-002 and EIF-003 are never worth another try, whatever a driver says of them.
fn may_retry(error: &ComponentError) -> bool {
    error.retryable
        && error.severity() == Severity::High
        && !matches!(error.code, Code::VenueInvalid | Code::CredentialsInvalid)
}

fn after(mut error: ComponentError, made: u32) -> ComponentError {
    if made > 1 {
        error.message = format!("{} (after {made} attempts)", error.message);
    }
    error
}

/// 1 s, 2 s, 4 s … up to [`WAIT_MAX`], after `made` failed attempts.
fn wait_after(made: u32) -> Span {
    let seconds = 1_i64
        .checked_shl(made.saturating_sub(1))
        .unwrap_or(i64::MAX);
    Span::from_seconds(seconds).min(WAIT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_thirty_seconds() {
        let waits: Vec<_> = (1..=8).map(|made| wait_after(made).seconds()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(wait_after(u32::MAX), WAIT_MAX);
    }

    #[test]
    fn only_high_and_retryable_failures_are_tried_again() {
        let retryable = |code| ComponentError::new(code, "x").retryable();
        assert!(may_retry(&retryable(Code::CreationFailed)));
        assert!(may_retry(&retryable(Code::VenueUnavailable)));
        assert!(!may_retry(&ComponentError::new(Code::CreationFailed, "x")));
        assert!(!may_retry(&retryable(Code::VenueInvalid)));
        assert!(!may_retry(&retryable(Code::CredentialsInvalid)));
        assert!(!may_retry(&retryable(Code::OutcomeUnknown)), "CRITICAL");
    }
}
