//! A live venue: a state machine without a socket and without a clock, and what drives it.
//!
//! A [`VenueMachine`] is given what happens ([`Input`]) with the instant it happens at, and answers with what
//! is to be done ([`Output`]). The same machine runs on sockets in a task of its own, and under virtual time
//! on one thread, where a test decides when and whether each answer arrives. The engine sees neither: it
//! holds a [`LiveInterface`], which passes commands on and hands events over.
//!
//! **Invariants.** A machine sends a request that acts at most once; nothing below it sends anything by
//! itself. Every queue is bounded: commands that find no room are refused, and a machine whose events nobody
//! takes is given no input until there is room.

mod handle;
mod limits;
mod mailbox;
#[cfg(feature = "net")]
mod socket;
mod stream;
mod switch;
#[cfg(feature = "net")]
mod task;
mod virtual_time;

use std::fmt;

use basis_core::instruction::Instruction;
use basis_core::journal::VenueRecord;
use basis_core::secret::Secret;
use basis_core::transport::{Request, Response, TransportError};
use basis_core::types::{Timestamp, Venue};
use basis_core::venue_event::{AccountSnapshot, VenueEvent};

pub use self::handle::LiveInterface;
pub use self::limits::{Cost, Counted, Limit, Priority, RateLimiter};
pub use self::mailbox::{Mailbox, Readiness};
pub use self::stream::{StreamId, StreamNews};
pub use self::switch::{FileSwitch, KillSwitch};
#[cfg(feature = "net")]
pub use self::task::{NotSpawned, Task, Transports};
pub use self::virtual_time::{Network, Restless, VirtualDriver};

/// Numbers a request within the life of a machine.
pub type RequestId = u64;

/// Which connection a request goes over: each carries one request at a time, so that no order waits for the
/// answer to a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    /// The machine's number of the host.
    pub host: u8,
    /// Whether it carries what acts; else what reads.
    pub acts: bool,
}

/// What the engine's side asks of a machine.
#[derive(Clone, Debug)]
pub enum Command {
    /// Execute these, in their order. They stand in the journal.
    Execute(Vec<Instruction>),
    /// An earlier process left this: find out what became of what was open before anything else.
    Recover(Box<VenueRecord>),
    /// Read the account anew.
    Snapshot,
}

/// What happens to a machine.
#[derive(Debug)]
pub enum Input {
    /// A command.
    Command(Command),
    /// What became of a request.
    Answer {
        /// Which.
        id: RequestId,
        /// The answer, or why there is none.
        result: Result<Response, TransportError>,
    },
    /// Something happened on a stream.
    Stream {
        /// Which.
        id: StreamId,
        /// What.
        news: StreamNews,
    },
    /// The instant that [`VenueMachine::due`] named has come.
    Timer,
}

/// What a machine wants done.
#[derive(Debug)]
pub enum Output {
    /// Send this, once, and bring what became of it.
    Send {
        /// Its number.
        id: RequestId,
        /// The connection.
        lane: Lane,
        /// The bytes.
        request: Request,
    },
    /// Open a stream; what comes of it is [`Input::Stream`].
    OpenStream {
        /// Its number.
        id: StreamId,
        /// Scheme, host, path and query; whoever knows it may be able to read the stream.
        url: Secret,
    },
    /// Send a text on a stream that is open.
    SendText {
        /// Which.
        id: StreamId,
        /// The text; it may hold a signature.
        text: Secret,
    },
    /// Close a stream, or stop opening it: nothing of it is news any more.
    CloseStream {
        /// Which.
        id: StreamId,
    },
    /// Report this to the engine.
    Event(Box<VenueEvent>),
    /// What the venue says we hold.
    Account(Box<AccountSnapshot>),
    /// Something that a person should know and the books need not.
    Notice(String),
    /// It may be used, or cannot be: said once.
    Ready(Result<(), basis_core::error::ComponentError>),
}

/// One venue's side of live trading, without a socket and without a clock.
pub trait VenueMachine: Send + fmt::Debug {
    /// Takes what happened at `now` and writes what is to be done to `outputs`. `now` never goes back.
    fn handle(&mut self, now: Timestamp, input: Input, outputs: &mut Vec<Output>);

    /// When it wants [`Input::Timer`], if nothing happens before.
    fn due(&self) -> Option<Timestamp>;
}

/// What the machines of live venues run on: threads and sockets, or virtual time on one thread.
pub trait Runtime: Send + Sync + fmt::Debug {
    /// The present.
    fn now(&self) -> Timestamp;

    /// Runs `machine` until it says that it may trade, and returns what the engine's side speaks to it through.
    /// It goes on running until that is closed. What it found out is in the mailbox's notices, also when it
    /// may not trade.
    ///
    /// # Errors
    /// Why it may not; EIF-001 with reason `timeout` when it has not said so by `deadline`.
    fn start(
        &self,
        venue: Venue,
        machine: Box<dyn VenueMachine>,
        deadline: Timestamp,
    ) -> Result<Mailbox, basis_core::error::ComponentError>;
}

impl<M: VenueMachine + ?Sized> VenueMachine for Box<M> {
    fn handle(&mut self, now: Timestamp, input: Input, outputs: &mut Vec<Output>) {
        M::handle(self, now, input, outputs);
    }

    fn due(&self) -> Option<Timestamp> {
        M::due(self)
    }
}
