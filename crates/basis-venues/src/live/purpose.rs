//! What a request is for.

use basis_core::error::VenueErrorKind;
use basis_core::transport::{Response, TransportError};
use basis_core::types::{InstructionId, Timestamp};

use super::codec::LiveCodec;
use crate::wire::{Class, Effect, Failure, Success};

/// What a request is for: its answer goes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A step of the start.
    Start,
    /// The venue's time.
    Clock,
    /// The best bid and ask that an order's collar is measured from.
    Quote(InstructionId),
    /// Places the order of an instruction.
    Place(InstructionId),
    /// Carries out an instruction that is no order.
    Change(InstructionId),
    /// Asks for an order in the list that its round has come to.
    Order(InstructionId),
    /// Asks for the fills of an order.
    Fills(InstructionId),
    /// Asks what became of an instruction that is no order.
    Asked(InstructionId),
    /// Fills since the cursor of the instrument at this place.
    Recent(usize),
    /// A part of the account.
    Account,
}

impl Purpose {
    /// Whether it must not leave while the outcome of another instruction is unknown.
    pub(super) const fn waits_for_unknown(self) -> bool {
        matches!(self, Self::Place(_))
    }
}

/// What became of a request.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) purpose: Purpose,
    /// When it left, by our clock.
    pub(super) sent_at: Timestamp,
    /// The body of a success.
    pub(super) result: Result<Vec<u8>, Failure>,
}

/// Returns what `result` says of a request.
pub(super) fn judge(
    codec: &dyn LiveCodec,
    effect: Effect,
    result: Result<Response, TransportError>,
) -> Result<Vec<u8>, Failure> {
    let failed = |kind| Failure {
        kind,
        class: Class::Unknown,
        code: None,
        banned_until: None,
    };
    match result {
        Ok(response) => match codec.outcome(effect, &response) {
            // A setting that is as it was asked to be has nothing to read.
            Ok(Success::Answered | Success::AlreadySo) => Ok(response.body),
            Err(failure) => Err(failure),
        },
        Err(TransportError::NotSent(text)) => Err(failed(VenueErrorKind::Unavailable(text))),
        Err(e) => {
            let kind = match effect {
                Effect::Read => VenueErrorKind::Unavailable(e.to_string()),
                Effect::Act => VenueErrorKind::OutcomeUnknown(e.to_string()),
            };
            Err(failed(kind))
        }
    }
}
