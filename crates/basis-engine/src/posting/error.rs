//! What makes an event impossible to book.

use basis_core::error::{Code, ComponentError};
use basis_core::journal::MarkSubject;
use basis_core::num::{Fixed18, MathError};
use basis_core::types::{Asset, InstrumentKey, Item};

/// Why an event is impossible. Nothing of it is booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PostingError {
    /// An amount that must be above zero is not.
    #[error("{what} {value} must be above zero")]
    NotPositive {
        /// Which amount.
        what: &'static str,
        /// The value reported.
        value: Fixed18,
    },
    /// An amount that may be zero is below it.
    #[error("{what} {value} must not be below zero")]
    Negative {
        /// Which amount.
        what: &'static str,
        /// The value reported.
        value: Fixed18,
    },
    /// An amount whose sign decides what is booked is zero.
    #[error("{what} is zero")]
    Zero {
        /// Which amount.
        what: &'static str,
    },
    /// A spot fill with the result of a position, or a spot instrument where only a perp can stand.
    #[error("{0} is no perpetual")]
    NotPerp(InstrumentKey),
    /// A perp that settles in what is not valued at one dollar: its open cost would count as dollars.
    #[error("{instrument} settles in {asset}, which is not valued at one dollar")]
    Settlement {
        /// Which perp.
        instrument: InstrumentKey,
        /// What it settles in.
        asset: Asset,
    },
    /// A balance change of a position or of a realised result: only fills carry them.
    #[error("a balance change of {0} that only a fill can make")]
    NotAChange(Item),
    /// A position taken over without its entry price.
    #[error("{0} is adopted without an entry price")]
    NoEntryPrice(InstrumentKey),
    /// A mark that the journal did not keep with the event.
    #[error("the journal kept no mark of {0} with the event")]
    MarkNotKept(MarkSubject),
    /// An amount leaves the range of exact arithmetic.
    #[error(transparent)]
    Overflow(#[from] MathError),
}

impl From<PostingError> for ComponentError {
    fn from(e: PostingError) -> Self {
        match e {
            PostingError::Overflow(e) => Self::from(e),
            _ => Self::new(Code::VenueEventInvalid, e.to_string()).with_source(e),
        }
    }
}
