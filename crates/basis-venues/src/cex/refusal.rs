//! A refusal on its way out, small enough to pass through every function.

use basis_core::error::{Rejection, VenueErrorKind};
use basis_core::num::MathError;
use basis_core::venue_event::Text;

/// Why an instruction was not executed.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) Box<VenueErrorKind>);

impl Refusal {
    pub(crate) fn new(kind: VenueErrorKind) -> Self {
        Self(Box::new(kind))
    }

    /// Refused by a rule of the venue, with the venue's code.
    pub(crate) fn rejected(reason: Rejection, venue_code: impl Into<Option<&'static str>>) -> Self {
        Self::new(VenueErrorKind::Rejected {
            reason,
            venue_code: venue_code.into().map(Text::Borrowed),
        })
    }

    /// Refused in words.
    pub(crate) fn other(
        text: impl Into<String>,
        venue_code: impl Into<Option<&'static str>>,
    ) -> Self {
        Self::rejected(Rejection::Other(text.into()), venue_code)
    }

    /// Not an instruction for this venue.
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::new(VenueErrorKind::InvalidRequest(text.into()))
    }
}

impl From<MathError> for Refusal {
    fn from(e: MathError) -> Self {
        Self::invalid(format!("an amount is out of proportion: {e}"))
    }
}
