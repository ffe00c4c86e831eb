//! Live trading by hand: a venue's machine on sockets, and a journal around it.
//!
//! **Invariants.** An instruction is in the journal before the machine hears of it. What is open from an earlier
//! process is resolved before anything new is sent. A journal that cannot be written ends the process.

mod clock;
mod line;
mod outcomes;
mod session;
mod wire;

pub use self::clock::SystemClock;
pub use self::line::{Connected, Line, NotConnected};
pub use self::outcomes::{Outcome, Outcomes};
pub use self::session::{Book, FoundBook, Trader};
pub use self::wire::Sockets;
