//! Failures as a user sees them, and the exit codes.

use std::io::Write as _;

use basis_core::error::{Code, ComponentError, Severity};
use serde_json::{Value as Json, json};

/// Everything went well.
pub(super) const OK: i32 = 0;
/// The run failed.
pub(super) const RUN_FAILED: i32 = 1;
/// The command line, the configuration or the start-up is at fault.
pub(super) const USAGE: i32 = 2;
/// A CRITICAL failure while running; a supervisor restarts.
const RESTART: i32 = 75;

/// A failure with the exit code that follows from when it happened.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: ComponentError,
    pub(super) exit: i32,
}

impl From<ComponentError> for Failure {
    /// Before anything runs, every failure is the start-up's.
    fn from(error: ComponentError) -> Self {
        Self { error, exit: USAGE }
    }
}

impl Failure {
    /// A failure while running: CRITICAL asks for a restart.
    pub(super) fn running(error: ComponentError) -> Self {
        let exit = if error.severity() == Severity::Critical {
            RESTART
        } else {
            RUN_FAILED
        };
        Self { error, exit }
    }

    /// The command line asks for something that is not there.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        ComponentError::new(Code::Usage, message).into()
    }
}

/// Writes `e` to stderr, as text or as one JSON object, and returns nothing: an error that cannot be
/// written has nowhere to go.
pub(super) fn report(e: &ComponentError, json: bool) {
    let text = if json {
        format!("{}\n", as_json(e))
    } else {
        as_text(e)
    };
    std::io::stderr()
        .lock()
        .write_all(text.as_bytes())
        .unwrap_or_default();
}

fn as_text(e: &ComponentError) -> String {
    let reason = e
        .reason
        .map(|reason| format!(" ({reason})"))
        .unwrap_or_default();
    let mut text = format!("error[{}]{reason}: {}\n", e.code, e.message);
    for cause in causes(e) {
        text.push_str(&format!("  caused by: {cause}\n"));
    }
    text.push_str(&format!("  help: {}\n", e.code.entry().resolution));
    text
}

fn as_json(e: &ComponentError) -> Json {
    json!({
        "error": {
            "code": e.code.as_str(),
            "component": e.component(),
            "severity": e.severity().as_str(),
            "reason": e.reason,
            "message": e.message,
            "causes": causes(e),
            "resolution": e.code.entry().resolution,
        }
    })
}

/// The causes that say something the message does not.
fn causes(e: &ComponentError) -> Vec<String> {
    let mut causes = e.chain().split_off(1);
    causes.retain(|cause| !e.message.contains(cause.as_str()));
    causes.dedup();
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_names_code_message_cause_and_way_out() {
        let source = std::io::Error::other("disk on fire");
        let e = ComponentError::new(Code::ConfigFile, "x.yaml cannot be read").with_source(source);
        assert_eq!(
            as_text(&e),
            "error[CFG-002]: x.yaml cannot be read\n  caused by: disk on fire\n  \
             help: Check the path and that the file is YAML.\n"
        );
        let json = as_json(&e);
        assert_eq!(json["error"]["code"], "CFG-002");
        assert_eq!(json["error"]["causes"][0], "disk on fire");
    }

    #[test]
    fn exit_codes_follow_from_when_and_how_bad() {
        let at_start: Failure = ComponentError::new(Code::CredentialsInvalid, "no").into();
        assert_eq!(at_start.exit, 2);
        assert_eq!(
            Failure::running(ComponentError::new(Code::PnlOpen, "x")).exit,
            75
        );
        assert_eq!(
            Failure::running(ComponentError::new(Code::OrderFailed, "x")).exit,
            1
        );
    }
}
