//! A refusal on its way out, small enough to pass through every function.

use basis_core::error::{Rejection, VenueError, VenueErrorKind};
use basis_core::instruction::OperationKind;
use basis_core::num::MathError;
use basis_core::types::{SeriesId, Span, Timestamp, Venue};
use basis_core::venue_event::Text;

/// Why an instruction was not executed.
#[derive(Debug)]
pub struct Refusal(pub Box<VenueErrorKind>);

impl Refusal {
    /// Refused for the reason of `kind`.
    #[must_use]
    pub fn new(kind: VenueErrorKind) -> Self {
        Self(Box::new(kind))
    }

    /// Refused by a rule of the venue, with the venue's code.
    pub fn rejected(reason: Rejection, venue_code: impl Into<Option<&'static str>>) -> Self {
        Self::new(VenueErrorKind::Rejected {
            reason,
            venue_code: venue_code.into().map(Text::Borrowed),
        })
    }

    /// Refused in words.
    pub fn other(text: impl Into<String>, venue_code: impl Into<Option<&'static str>>) -> Self {
        Self::rejected(Rejection::Other(text.into()), venue_code)
    }

    /// Refused because `series` is too old at `at`.
    #[must_use]
    pub fn stale(series: SeriesId, at: Timestamp, age: Span) -> Self {
        Self::rejected(Rejection::MarketStale { series, at, age }, None)
    }

    /// Refused because the venue has no such operation; it `can` do others.
    #[must_use]
    pub fn unsupported(venue: Venue, operation: OperationKind, can: &[OperationKind]) -> Self {
        let can: Vec<_> = can.iter().map(|kind| kind.as_str()).collect();
        Self::new(VenueErrorKind::Unsupported(format!(
            "{venue} executes no {operation}; it can: {}",
            can.join(", ")
        )))
    }

    /// The error of `venue`, which refused `operation`.
    #[must_use]
    pub fn at(self, venue: Venue, operation: &'static str) -> VenueError {
        VenueError::new(venue, operation, *self.0)
    }

    /// Not an instruction for this venue.
    pub fn invalid(text: impl Into<String>) -> Self {
        Self::new(VenueErrorKind::InvalidRequest(text.into()))
    }
}

impl From<MathError> for Refusal {
    fn from(e: MathError) -> Self {
        Self::invalid(format!("an amount is out of proportion: {e}"))
    }
}
