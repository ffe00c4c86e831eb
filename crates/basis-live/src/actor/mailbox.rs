//! What the engine's thread and a venue's actor exchange.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use basis_core::error::ComponentError;
use basis_core::venue_event::{AccountSnapshot, VenueEvent};

use super::{Command, Output};

/// The most commands that wait for the actor.
const COMMANDS_MAX: usize = 256;
/// As many events may wait for the engine before the actor takes no further input.
const EVENTS_MAX: usize = 8_192;
/// The most notices that are kept; the oldest go first.
const NOTICES_MAX: usize = 256;

/// Whether a venue may be used.
#[derive(Clone, Debug)]
pub enum Readiness {
    /// It is being found out.
    Starting,
    /// It may.
    Ready,
    /// It may not.
    Refused(ComponentError),
}

#[derive(Debug)]
struct Content {
    commands: VecDeque<Command>,
    events: Vec<VenueEvent>,
    account: Arc<AccountSnapshot>,
    notices: VecDeque<String>,
    readiness: Readiness,
    closed: bool,
}

/// Commands one way, events the other. Clones are the same mailbox.
#[derive(Clone, Debug)]
pub struct Mailbox {
    shared: Arc<Shared>,
}

/// Wakes the actor; whether it took the wake.
type Waker = Box<dyn Fn() -> bool + Send + Sync>;

struct Shared {
    content: Mutex<Content>,
    /// Something arrived for the engine's side.
    news: Condvar,
    waker: OnceLock<Waker>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("content", &self.content)
            .finish_non_exhaustive()
    }
}

impl Default for Mailbox {
    fn default() -> Self {
        Self {
            shared: Arc::new(Shared {
                content: Mutex::new(Content {
                    commands: VecDeque::new(),
                    events: Vec::new(),
                    account: Arc::default(),
                    notices: VecDeque::new(),
                    readiness: Readiness::Starting,
                    closed: false,
                }),
                news: Condvar::new(),
                waker: OnceLock::new(),
            }),
        }
    }
}

impl Mailbox {
    /// Nothing in it; the venue is starting.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        // Every change is one push, pop or assignment: a panic elsewhere leaves nothing half done.
        let content = self.shared.content.lock();
        content.unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a command for the actor.
    ///
    /// # Errors
    /// The command comes back when the queue is full or the actor has ended.
    pub fn command(&self, command: Command) -> Result<(), Command> {
        let mut content = self.content();
        if content.closed || content.commands.len() >= COMMANDS_MAX {
            return Err(command);
        }
        content.commands.push_back(command);
        drop(content);
        if let Some(waker) = self.shared.waker.get() {
            waker();
        }
        Ok(())
    }

    /// Calls `waker` after each command; the first one that is set stays.
    pub fn on_command(&self, waker: Waker) {
        self.shared.waker.set(waker).ok();
    }

    /// Takes the oldest command.
    #[must_use]
    pub fn next_command(&self) -> Option<Command> {
        self.content().commands.pop_front()
    }

    /// Whether the engine has room for more events.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.content().events.len() < EVENTS_MAX
    }

    /// Leaves what a machine says for the engine; what is no news to it comes back.
    #[must_use]
    pub fn deliver(&self, output: Output) -> Option<Output> {
        let mut content = self.content();
        match output {
            Output::Event(event) => content.events.push(*event),
            Output::Account(account) => content.account = Arc::from(account),
            Output::Ready(Ok(())) => content.readiness = Readiness::Ready,
            Output::Ready(Err(e)) => content.readiness = Readiness::Refused(e),
            Output::Notice(text) => {
                if content.notices.len() >= NOTICES_MAX {
                    content.notices.pop_front();
                }
                content.notices.push_back(text);
            }
            other @ (Output::Send { .. }
            | Output::OpenStream { .. }
            | Output::SendText { .. }
            | Output::CloseStream { .. }) => return Some(other),
        }
        drop(content);
        self.shared.news.notify_all();
        None
    }

    /// Ends the actor, or says that it has ended: nothing is taken any more.
    pub fn close(&self) {
        self.content().closed = true;
        self.shared.news.notify_all();
        if let Some(waker) = self.shared.waker.get() {
            waker();
        }
    }

    /// Whether the actor has ended, or is to end.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.content().closed
    }

    /// Moves all events that are there to `events`.
    pub fn take_events(&self, events: &mut Vec<VenueEvent>) {
        events.append(&mut self.content().events);
    }

    /// Whether events are there.
    #[must_use]
    pub fn has_events(&self) -> bool {
        !self.content().events.is_empty()
    }

    /// What the venue said last of what we hold.
    #[must_use]
    pub fn account(&self) -> Arc<AccountSnapshot> {
        Arc::clone(&self.content().account)
    }

    /// Takes the notices that are there.
    #[must_use]
    pub fn take_notices(&self) -> Vec<String> {
        self.content().notices.drain(..).collect()
    }

    /// Whether the venue may be used.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        self.content().readiness.clone()
    }

    /// Waits until the venue is no longer starting or the actor has ended, at most `timeout`.
    pub fn wait_until_decided(&self, timeout: Duration) {
        let is_open = |content: &mut Content| {
            !content.closed && matches!(content.readiness, Readiness::Starting)
        };
        let news = &self.shared.news;
        drop(news.wait_timeout_while(self.content(), timeout, is_open));
    }

    /// Waits until events are there, the venue is no longer starting or the actor has ended, at most
    /// `timeout`. For those who have no wake source: start-up and the command line.
    pub fn wait(&self, timeout: Duration) {
        let content = self.content();
        let is_starting = |content: &Content| matches!(content.readiness, Readiness::Starting);
        let was_starting = is_starting(&content);
        let nothing = |content: &mut Content| {
            content.events.is_empty() && !content.closed && is_starting(content) == was_starting
        };
        let waited = self
            .shared
            .news
            .wait_timeout_while(content, timeout, nothing);
        drop(waited);
    }
}
