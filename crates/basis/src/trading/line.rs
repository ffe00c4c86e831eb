//! The way to a live venue: the factory with its checks, credentials, deadline and retries, and the venue's
//! machine on a thread.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use basis_core::clock::Clock;
use basis_core::config::Node;
use basis_core::error::ComponentError;
use basis_core::event::EventSink;
use basis_core::rules::RuleBook;
use basis_core::types::{BookId, Venue};
use basis_core::venue::Dependencies;
use basis_engine::{EventLog, SharedPositions};
use basis_live::actor::Mailbox;
use basis_market::ExecutionInterface;
use basis_venues::credentials::{BasisEnvironment, Variables};
use basis_venues::driver::{LiveRuntime, LiveScope, Surroundings};
use basis_venues::factory::{ExecutionInterfaceFactory, FactoryInputs, FactorySettings};
use basis_venues::registry::Registry;

use super::wire::Sockets;

/// What a venue is connected to for.
#[derive(Clone, Debug)]
pub struct Line {
    /// The driver table.
    pub registry: Registry,
    /// The environment variables: which networks, and the credentials.
    pub variables: Variables,
    /// Whose client order ids are given.
    pub book: BookId,
    /// Rules of the configuration; the venue's own are read over them.
    pub rules: Arc<RuleBook>,
    /// What is traded.
    pub scope: LiveScope,
    /// Time limit, retries, strictness.
    pub factory: FactorySettings,
}

/// A venue that may be traded at. Dropping it ends the venue's thread.
pub struct Connected {
    /// The venue.
    pub venue: Venue,
    /// What the engine's side and the machine exchange.
    pub mailbox: Mailbox,
    /// Its interface.
    pub interface: Box<dyn ExecutionInterface>,
    _sockets: Arc<Sockets>,
}

impl fmt::Debug for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected")
            .field("venue", &self.venue)
            .finish_non_exhaustive()
    }
}

/// A venue that may not be traded at.
#[derive(Debug)]
pub struct NotConnected {
    /// What it found out all the same.
    pub notices: Vec<String>,
    /// Why not.
    pub error: ComponentError,
}

impl Line {
    /// Creates the live interface of `venue` from its section of the settings.
    ///
    /// # Errors
    /// What the factory refuses, or the venue.
    pub fn connect(
        self,
        venue: Venue,
        section: &Node,
        clock: Arc<dyn Clock>,
    ) -> Result<Connected, Box<NotConnected>> {
        let sockets = Arc::new(Sockets::new(Arc::clone(&clock)));
        let created = self.create((venue, section), Arc::clone(&sockets), clock);
        match (created, sockets.mailbox(venue)) {
            (Ok(interface), Some(mailbox)) => Ok(Connected {
                venue,
                mailbox,
                interface,
                _sockets: sockets,
            }),
            (created, _) => {
                let none = || {
                    let text = format!("{venue} has no thread");
                    ComponentError::new(basis_core::error::Code::CreationFailed, text)
                };
                Err(Box::new(NotConnected {
                    notices: sockets.notices(venue),
                    error: created.err().unwrap_or_else(none),
                }))
            }
        }
    }

    fn create(
        self,
        (venue, section): (Venue, &Node),
        sockets: Arc<Sockets>,
        clock: Arc<dyn Clock>,
    ) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
        let environment = BasisEnvironment::read(&self.variables)?;
        let events: Arc<dyn EventSink> = EventLog::new();
        let dependencies = Dependencies {
            position_reader: Some(SharedPositions::new()),
            event_sink: Some(Arc::clone(&events)),
            data_provider: Some(Arc::clone(&self.rules) as _),
            clock: Some(Arc::clone(&clock)),
            ..Dependencies::default()
        };
        let scopes = BTreeMap::from([(venue, self.scope)]);
        let mut factory = ExecutionInterfaceFactory::new(FactoryInputs {
            registry: self.registry,
            settings: self.factory,
            surroundings: Surroundings::Live {
                environment,
                variables: self.variables,
                runtime: LiveRuntime::new(self.book, self.rules, scopes, sockets),
            },
            clock,
            events,
            config_hash: String::new(),
        });
        factory.create_interface(venue.as_str(), Some(section), Some(dependencies))
    }
}
