//! What an answer says of the request, whoever gave it.

use basis_core::error::{Rejection, VenueErrorKind};
use basis_core::types::{Span, Timestamp};

use super::class::Class;
use super::draft::Effect;

/// Why a request did not do what it asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// As the engine takes it.
    pub kind: VenueErrorKind,
    /// What the venue's code says.
    pub class: Class,
    /// The venue's code, where there was one.
    pub code: Option<i64>,
    /// Until when the venue takes nothing more, where its text says so.
    pub banned_until: Option<Timestamp>,
}

/// What an answer without a failure says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Success {
    /// The venue answers what was asked; the body is to be read.
    Answered,
    /// A setting was as it was asked to be; there is nothing to read.
    AlreadySo,
}

impl Failure {
    /// Returns the failure that a code of `class` is; `None` where it says that nothing had to be done.
    ///
    /// An order of which nothing certain is said has an unknown outcome; a read may be repeated.
    pub(crate) fn by_class(
        class: Class,
        effect: Effect,
        status: u16,
        (code, text): (Option<i64>, &str),
        retry_after: Option<Span>,
    ) -> Option<Self> {
        let number = code.unwrap_or_default();
        let coded = || format!("{} (venue code {number})", short(text));
        let kind = match class {
            Class::AlreadySo => return None,
            Class::Limit => VenueErrorKind::RateLimited { retry_after },
            Class::Credentials => VenueErrorKind::Auth(coded()),
            Class::Unknown => return Some(uncertain(effect, status, (code, text))),
            // An order exists and bears the id, or its change is under way: what is so is asked.
            Class::Duplicate | Class::HalfDone | Class::InProgress => {
                VenueErrorKind::OutcomeUnknown(coded())
            }
            // A read may be repeated once the clock is right.
            Class::Clock if effect == Effect::Read => VenueErrorKind::Unavailable(coded()),
            Class::Clock
            | Class::Overloaded
            | Class::ListenKey
            | Class::Filter
            | Class::Funds
            | Class::PositionLimit
            | Class::Refused
            | Class::OrderGone
            | Class::Archived
            | Class::Blocked
            | Class::PositionMode
            | Class::AccountMode
            | Class::NoPosition
            | Class::Restricted
            | Class::Liquidation
            | Class::TooManyOrders => return Some(rejected(class, number, text)),
        };
        Some(Self {
            kind,
            class,
            code,
            banned_until: None,
        })
    }
}

/// Certainly not accepted.
pub(crate) fn rejected(class: Class, code: i64, text: &str) -> Failure {
    Failure {
        kind: VenueErrorKind::Rejected {
            reason: Rejection::Other(short(text)),
            venue_code: Some(code.to_string().into()),
        },
        class,
        code: Some(code),
        banned_until: None,
    }
}

/// Nothing certain: of a read that it may be repeated, of an order that its outcome is unknown.
pub(crate) fn uncertain(effect: Effect, status: u16, (code, text): (Option<i64>, &str)) -> Failure {
    let text = match code {
        Some(code) => format!("HTTP {status}, venue code {code}: {}", short(text)),
        None => format!("HTTP {status} without an answer of the venue"),
    };
    Failure {
        kind: match effect {
            Effect::Read => VenueErrorKind::Unavailable(text),
            Effect::Act => VenueErrorKind::OutcomeUnknown(text),
        },
        class: Class::Unknown,
        code,
        banned_until: None,
    }
}

/// The venue's text, of bounded length and without control characters.
pub(crate) fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
