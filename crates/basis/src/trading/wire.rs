//! The real network under the machines of venues.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use basis_core::clock::Clock;
use basis_core::error::{Code, ComponentError};
use basis_core::transport::{Transport, TransportError};
use basis_core::types::{Timestamp, Venue};
use basis_live::actor::{Mailbox, Runtime, Task, Transports, VenueMachine};
use basis_live::net::{HttpTransport, Settings, system_certificates};

/// Makes a connection of its own for each lane and each stream.
fn transports() -> Transports {
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

/// Machines on threads and sockets. Dropping it ends them.
#[derive(Debug)]
pub struct Sockets {
    clock: Arc<dyn Clock>,
    /// The last start of each venue; no thread where it failed.
    started: Mutex<BTreeMap<Venue, (Mailbox, Option<Task>)>>,
}

impl Sockets {
    /// None runs yet.
    #[must_use]
    pub const fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            started: Mutex::new(BTreeMap::new()),
        }
    }

    fn started(&self) -> MutexGuard<'_, BTreeMap<Venue, (Mailbox, Option<Task>)>> {
        // Every change is one insertion: a panic elsewhere leaves nothing half done.
        self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the last start of `venue` is spoken to through.
    #[must_use]
    pub fn mailbox(&self, venue: Venue) -> Option<Mailbox> {
        let started = self.started();
        started.get(&venue).map(|(mailbox, _)| mailbox.clone())
    }

    /// What a person should know of `venue`, said so far.
    #[must_use]
    pub fn notices(&self, venue: Venue) -> Vec<String> {
        let mailbox = self.mailbox(venue);
        mailbox.map_or_else(Vec::new, |mailbox| mailbox.take_notices())
    }
}

impl Runtime for Sockets {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn start(
        &self,
        venue: Venue,
        machine: Box<dyn VenueMachine>,
        deadline: Timestamp,
    ) -> Result<Mailbox, ComponentError> {
        let mailbox = Mailbox::new();
        let clock = Arc::clone(&self.clock);
        let task = Task::spawn(machine, mailbox.clone(), clock, transports())
            .map_err(|e| ComponentError::new(Code::CreationFailed, e.to_string()).with_source(e))?;
        let left = deadline.since(self.clock.now()).nanos().max(0);
        mailbox.wait_until_decided(Duration::from_nanos(left.unsigned_abs()));
        let decided = mailbox.decided();
        let task = decided.is_ok().then_some(task);
        self.started().insert(venue, (mailbox.clone(), task));
        decided.map(|()| mailbox)
    }
}
