//! A machine under virtual time, on one thread: a test's network decides when each answer arrives, and
//! whether. Nothing waits; the same inputs give the same outputs.

use std::fmt;

use basis_core::secret::Secret;
use basis_core::transport::Request;
use basis_core::types::Timestamp;

use super::{Command, Input, Lane, Mailbox, Output, RequestId, StreamId, VenueMachine};

/// The most inputs of one run: more is a machine that turns in circles.
const INPUTS_MAX: usize = 100_000;

/// What lies between a machine and its venue.
pub trait Network {
    /// Takes a request that leaves at `now`.
    fn send(&mut self, now: Timestamp, id: RequestId, lane: Lane, request: Request);

    /// Opens a stream at `now`. A network without streams opens none: the machine stops waiting by itself.
    fn open_stream(&mut self, _now: Timestamp, _id: StreamId, _url: &Secret) {}

    /// Takes a text that leaves on a stream at `now`; on one that is closed it goes nowhere.
    fn send_text(&mut self, _now: Timestamp, _id: StreamId, _text: &Secret) {}

    /// Closes a stream at `now`.
    fn close_stream(&mut self, _now: Timestamp, _id: StreamId) {}

    /// When something next arrives at the machine.
    fn due(&self) -> Option<Timestamp>;

    /// What arrives at `now`, in order.
    fn arrivals(&mut self, now: Timestamp, inputs: &mut Vec<Input>);
}

/// The machine did not come to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restless {
    /// The instant it did not get past.
    pub at: Timestamp,
}

impl fmt::Display for Restless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the machine took {INPUTS_MAX} inputs and is still at {}",
            self.at
        )
    }
}

impl std::error::Error for Restless {}

/// A machine, its network and its mailbox.
#[derive(Debug)]
pub struct VirtualDriver<M, N> {
    /// The machine.
    pub machine: M,
    /// What lies between it and its venue.
    pub network: N,
    mailbox: Mailbox,
    now: Timestamp,
    outputs: Vec<Output>,
}

impl<M: VenueMachine, N: Network> VirtualDriver<M, N> {
    /// A machine at `now` that has seen nothing yet.
    #[must_use]
    pub const fn new(machine: M, network: N, mailbox: Mailbox, now: Timestamp) -> Self {
        Self {
            machine,
            network,
            mailbox,
            now,
            outputs: Vec::new(),
        }
    }

    /// The present.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Leaves a command; it is taken at the present instant when the machine runs on.
    ///
    /// # Errors
    /// The command comes back when the queue is full.
    pub fn command(&self, command: Command) -> Result<(), Command> {
        self.mailbox.command(command)
    }

    fn input(&mut self, input: Input) {
        self.machine.handle(self.now, input, &mut self.outputs);
        for output in std::mem::take(&mut self.outputs) {
            match self.mailbox.deliver(output) {
                Some(Output::Send { id, lane, request }) => {
                    self.network.send(self.now, id, lane, request);
                }
                Some(Output::OpenStream { id, url }) => {
                    self.network.open_stream(self.now, id, &url);
                }
                Some(Output::SendText { id, text }) => self.network.send_text(self.now, id, &text),
                Some(Output::CloseStream { id }) => self.network.close_stream(self.now, id),
                _ => {}
            }
        }
    }

    /// When something happens next.
    fn due(&self) -> Option<Timestamp> {
        let network = self.network.due();
        self.machine.due().into_iter().chain(network).min()
    }

    /// Runs up to `until`, which is the present afterwards; or only until `done` says so.
    ///
    /// # Errors
    /// [`Restless`].
    pub fn run_until(
        &mut self,
        until: Timestamp,
        done: &mut dyn FnMut(&Mailbox) -> bool,
    ) -> Result<(), Restless> {
        let mut arrivals = Vec::new();
        for _ in 0..INPUTS_MAX {
            while let Some(command) = self.mailbox.next_command() {
                self.input(Input::Command(command));
            }
            if done(&self.mailbox) {
                return Ok(());
            }
            let Some(due) = self.due().filter(|due| *due <= until) else {
                self.now = self.now.max(until);
                return Ok(());
            };
            self.now = self.now.max(due);
            if self.network.due().is_some_and(|due| due <= self.now) {
                self.network.arrivals(self.now, &mut arrivals);
                for input in arrivals.drain(..) {
                    self.input(input);
                }
            }
            if self.machine.due().is_some_and(|due| due <= self.now) {
                self.input(Input::Timer);
            }
        }
        Err(Restless { at: self.now })
    }
}
