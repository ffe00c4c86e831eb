//! What the factory hands back: interfaces, and failures in words that name the way out.

use std::fmt;

use basis_core::config::{Location, Node, Problem, Problems, Reader};
use basis_core::error::{Code, ComponentError, Severity};
use basis_core::secret::{Credentials, Secret};
use basis_core::types::{Timestamp, Venue};
use basis_core::venue::{Dependencies, ExecutionMode};
use basis_market::ExecutionInterface;

use super::FactoryInputs;
use crate::driver::VenueDriver;

/// One interface the factory has created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreatedInterface {
    /// Its class name.
    pub class_name: &'static str,
    /// When it was ready, by the injected clock.
    pub at: Timestamp,
}

/// What came of creating all interfaces.
#[derive(Default)]
pub struct CreatedInterfaces {
    /// The interfaces, in the order of the keys of `venue_settings`.
    pub interfaces: Vec<Box<dyn ExecutionInterface>>,
    /// The venues that failed, in the same order. A key that is no venue name at all stands here
    /// with `_` for every character a name cannot have; its error shows it as written.
    pub failures: Vec<(Venue, ComponentError)>,
    /// Problems that were not failures: settings under lenient validation, for which the default
    /// is used, and a `venue_settings` that is no section.
    pub warnings: Vec<Problem>,
}

impl fmt::Debug for CreatedInterfaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let venues: Vec<_> = self.interfaces.iter().map(|i| i.venue()).collect();
        f.debug_struct("CreatedInterfaces")
            .field("interfaces", &venues)
            .field("failures", &self.failures)
            .field("warnings", &self.warnings)
            .finish()
    }
}

/// Shorter secrets (`1`, `mainnet`) are words that errors need.
const REDACTED_LENGTH_MIN: usize = 8;

/// What is wrong with `venue_settings` as a whole.
pub(super) fn shape_problems(venue_settings: &Node) -> Vec<Problem> {
    let problems = Problems::new();
    drop(Reader::new(venue_settings, "venue_settings", &problems));
    problems.into_sorted()
}

/// A driver's parser knows only its section; its problems get the whole key path here.
pub(super) fn with_whole_path(venue: Venue, mut problem: Problem) -> Problem {
    let section = format!("venue_settings.{venue}");
    if problem.path.is_empty() {
        problem.path = section;
    } else if !problem.path.starts_with(&section) {
        problem.path = format!("{section}.{}", problem.path);
    }
    problem
}

/// `key` as a venue name, with `_` for what a name cannot hold.
pub(super) fn label(key: &str) -> Venue {
    let text: String = key
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .take(23)
        .collect();
    Venue::new(key)
        .or_else(|_| Venue::new(&text))
        .unwrap_or(Venue::literal("_"))
}

/// The error with the place it is about.
pub(super) fn at(place: Option<&Location>, mut e: ComponentError) -> ComponentError {
    if let Some(place) = place {
        e.message = format!("{place}: {}", e.message);
    }
    e
}

/// The error with the venue it is about.
pub(super) fn about(venue: Venue, mut e: ComponentError) -> ComponentError {
    e.message = format!("{venue}: {}", e.message);
    e
}

pub(super) fn check_mode(driver: &VenueDriver, mode: ExecutionMode) -> Result<(), ComponentError> {
    let facts = &driver.facts;
    if facts.modes.contains(&mode) {
        return Ok(());
    }
    let works: Vec<_> = facts.modes.iter().map(|mode| mode.as_str()).collect();
    let works = match works.as_slice() {
        [] => "no mode".to_owned(),
        modes => modes.join(", "),
    };
    let message = format!(
        "{}: {} does not support mode `{}`; it works in {works}",
        facts.venue,
        facts.class_name,
        mode.as_str()
    );
    Err(ComponentError::new(Code::CreationFailed, message).with_reason("mode"))
}

/// Beyond what every interface needs, what the row lists and the mode has.
pub(super) fn check_dependencies(
    driver: &VenueDriver,
    inputs: &FactoryInputs,
    dependencies: &Dependencies,
) -> Result<(), ComponentError> {
    let mut missing = dependencies.missing();
    let live = inputs.surroundings.mode() == ExecutionMode::Live;
    let optional = [
        ("clock", dependencies.clock.is_none()),
        ("transport", live && dependencies.transport.is_none()),
    ];
    for (name, is_missing) in optional {
        if is_missing && driver.facts.dependencies.contains(&name) {
            missing.push(name);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(missing_dependencies(driver.facts.venue.as_str(), &missing))
}

pub(super) fn missing_dependencies(whose: &str, missing: &[&str]) -> ComponentError {
    let message = format!(
        "{whose}: missing dependencies: {}; pass all of them, or none and call \
         set_interface_dependencies before the first instruction",
        missing.join(", ")
    );
    ComponentError::new(Code::CreationFailed, message).with_reason("dependencies")
}

/// EIF-002 with every problem, when there is any.
pub(super) fn refuse_problems(
    venue: Venue,
    problems: &[Problem],
    contradictions: &[Problem],
) -> Result<(), ComponentError> {
    let all: Vec<_> = contradictions.iter().chain(problems).collect();
    let list: Vec<_> = all.iter().map(ToString::to_string).collect();
    let message = match list.as_slice() {
        [] => return Ok(()),
        [one] => format!("{venue}: venue settings: {one}"),
        many => format!(
            "{venue}: {} problems in venue settings:\n  {}",
            many.len(),
            many.join("\n  ")
        ),
    };
    let reason = if contradictions.is_empty() {
        "settings"
    } else {
        "environment"
    };
    Err(ComponentError::new(Code::VenueInvalid, message).with_reason(reason))
}

/// What a driver failed with, as the factory reports it: under EIF-001 unless the driver speaks
/// for the factory already or the failure is CRITICAL, and without any credential.
pub(super) fn driver_failure(
    driver: &VenueDriver,
    credentials: Option<&Credentials>,
    e: ComponentError,
) -> ComponentError {
    let e = without_credentials(driver, credentials, e);
    let speaks_for_factory = matches!(
        e.code,
        Code::CreationFailed | Code::VenueInvalid | Code::CredentialsInvalid
    );
    if speaks_for_factory || e.severity() == Severity::Critical {
        return e;
    }
    let mut wrapped = ComponentError::new(
        Code::CreationFailed,
        format!("{} could not be created: {e}", driver.facts.class_name),
    );
    wrapped.reason = e.reason;
    wrapped.retryable = e.retryable;
    wrapped.with_source(e)
}

/// Network libraries like to show the address they failed at, and some addresses hold a key.
fn without_credentials(
    driver: &VenueDriver,
    credentials: Option<&Credentials>,
    e: ComponentError,
) -> ComponentError {
    let Some(credentials) = credentials else {
        return e;
    };
    let secrets: Vec<_> = driver
        .facts
        .credentials
        .variables
        .iter()
        .filter_map(|(field, _)| credentials.get(field))
        .map(Secret::expose)
        .filter(|secret| secret.len() >= REDACTED_LENGTH_MIN)
        .collect();
    let shown = format!("{} {e:?}", e.chain().join(" "));
    if !secrets.iter().any(|secret| shown.contains(secret)) {
        return e;
    }
    let mut text = e.chain().join(": ");
    for secret in secrets {
        text = text.replace(secret, "[secret]");
    }
    // The source is dropped: whoever prints it would print the secret.
    ComponentError {
        message: text,
        source: None,
        ..e
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_no_names_get_a_readable_label() {
        assert_eq!(label("okx").as_str(), "okx");
        assert_eq!(label("bin ance").as_str(), "bin_ance");
        assert_eq!(label("").as_str(), "_");
        assert_eq!(label("a-venue-with-a-very-long-name").as_str().len(), 23);
    }
}
