//! The real network under a venue's machine.

use std::sync::Arc;
use std::time::Duration;

use basis_core::clock::Clock;
use basis_core::error::{Code, ComponentError};
use basis_core::transport::{Transport, TransportError};
use basis_live::actor::{Mailbox, Readiness, Task, Transports, VenueMachine};
use basis_live::net::{HttpTransport, Settings, system_certificates};

/// How long a venue may take to say whether it can be traded at.
const READY_MAX: Duration = Duration::from_secs(35);

/// Makes a connection of its own for each lane and each stream.
#[must_use]
pub fn transports() -> Transports {
    // Without certificates only this machine can be spoken to; the refusal says so.
    let settings = Settings {
        tls: system_certificates().ok(),
        connect_timeout: Duration::from_secs(5),
        answer_timeout: Duration::from_secs(11),
    };
    let streams = settings.clone();
    let make = move |_lane, origin: &str| {
        let transport = HttpTransport::new(origin, settings.clone());
        let transport = transport.map_err(|e| TransportError::NotSent(e.to_string()))?;
        Ok(Arc::new(transport) as Arc<dyn Transport>)
    };
    Transports::new(make, streams)
}

/// Runs `machine` on sockets until it says that it may trade. What it found out is in the mailbox's notices.
///
/// # Errors
/// Why it may not.
pub fn connect(
    machine: Box<dyn VenueMachine>,
    mailbox: &Mailbox,
    clock: Arc<dyn Clock>,
) -> Result<Task, ComponentError> {
    let failed = |text: String| ComponentError::new(Code::CreationFailed, text);
    let task = Task::spawn(machine, mailbox.clone(), clock, transports());
    let task = task.map_err(|e| failed(e.to_string()).with_source(e))?;
    mailbox.wait_until_decided(READY_MAX);
    match mailbox.readiness() {
        Readiness::Ready => Ok(task),
        Readiness::Refused(e) => Err(e),
        Readiness::Starting if mailbox.is_closed() => {
            Err(failed("the venue's thread has ended".to_owned()))
        }
        Readiness::Starting => {
            let text =
                format!("the venue did not say within {READY_MAX:?} whether it can be traded at");
            Err(failed(text).with_reason("timeout"))
        }
    }
}
