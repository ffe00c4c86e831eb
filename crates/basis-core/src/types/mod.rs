//! Identifiers and time: the words every other module speaks in.
//!
//! Sign conventions of the whole code base, stated once:
//! order and fill quantities are positive and the side gives the direction; a position quantity is
//! signed, long > 0 and short < 0; debt is a positive amount of a debt position; funding that we pay
//! is negative; a fee is a cost and therefore >= 0 on a fill, and a negative quantity in the ledger.

mod ids;
mod item;
mod label;
mod time;

pub use ids::{
    Account, Asset, BookId, ClientOrderId, Epoch, EpochError, InstructionId, InstructionIdError,
    InstrumentKey, InstrumentKind, PositionSide, RunId, SeriesId, SeriesKind, Side, Symbol, Venue,
};
pub use item::{Item, TickRange};
pub use label::{Label, LabelError};
pub use time::{Span, Timestamp, TimestampError};
