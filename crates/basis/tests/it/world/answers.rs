//! What a slow venue answers to an order, as a test writes it: `"sell 1: 1s fills 0.5; 2h fills 0.5"`.
//!
//! The order first (side and base units), then one step after the other: how long after the order was
//! taken it becomes known (`s`, `min`, `h`; the venue's own delay where it is left out), and what.

use std::collections::VecDeque;

use basis::core::error::{Rejection, VenueErrorKind};
use basis::core::num::Quantity;
use basis::core::types::{Side, Span};

use super::q;

/// What becomes known of an order at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// `fills`: base units, all that is left where no number follows; `of 40min` sets when it happened,
    /// counted from when the order was taken.
    Fills(Option<Quantity>, Option<Span>),
    /// `rests`: the order is in the book.
    Rests,
    /// `cancelled`, by the venue.
    Cancelled,
    /// `expired`.
    Expired,
    /// `lost`: proven never to have been accepted.
    Lost,
    /// `refused`, `revoked` (the credentials), `garbled` (an answer that cannot be read).
    Fails(VenueErrorKind),
    /// `unknown`: the connection dropped after sending.
    Unknown,
    /// `again`: everything that was reported of the order, once more.
    Again,
}

/// The answer to orders of one side and quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) side: Side,
    pub(crate) quantity: Quantity,
    pub(crate) steps: Vec<(Option<Span>, Step)>,
}

impl Answer {
    /// Reads one line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (order, steps) = text.split_once(": ").ok_or("an order, `: ` and steps")?;
        let (side, quantity) = order.split_once(' ').ok_or("a side and a quantity")?;
        let side = match side {
            "buy" => Side::Buy,
            "sell" => Side::Sell,
            other => return Err(format!("{other} is no side")),
        };
        let quantity = quantity.parse().map_err(|e| format!("{quantity}: {e}"))?;
        let steps = steps
            .split("; ")
            .map(parse_step)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            side,
            quantity,
            steps,
        })
    }
}

fn parse_step(text: &str) -> Result<(Option<Span>, Step), String> {
    let mut words: VecDeque<&str> = text.split(' ').collect();
    let after = words.front().and_then(|word| parse_span(word));
    if after.is_some() {
        words.pop_front();
    }
    let step = match words.pop_front().unwrap_or_default() {
        "fills" => {
            let number = words.front().is_some_and(|word| *word != "of");
            let part = if number { words.pop_front() } else { None };
            let since = words.pop_front().and_then(|_| words.pop_front());
            Step::Fills(part.map(q), since.and_then(parse_span))
        }
        "rests" => Step::Rests,
        "cancelled" => Step::Cancelled,
        "expired" => Step::Expired,
        "lost" => Step::Lost,
        "unknown" => Step::Unknown,
        "again" => Step::Again,
        "refused" => Step::Fails(VenueErrorKind::Rejected {
            reason: Rejection::Other("the test refuses this order".to_owned()),
            venue_code: Some("-1".into()),
        }),
        "revoked" => Step::Fails(VenueErrorKind::Auth("the key was revoked".to_owned())),
        "garbled" => Step::Fails(VenueErrorKind::Decode("<html>200 OK".to_owned())),
        other => return Err(format!("{other} is no step")),
    };
    match words.pop_front() {
        Some(word) => Err(format!("{word} is too much")),
        None => Ok((after, step)),
    }
}

/// `90s`, `20min`, `2h`.
fn parse_span(word: &str) -> Option<Span> {
    let digits = word.trim_end_matches(char::is_alphabetic);
    let number: i64 = digits.parse().ok()?;
    match word.get(digits.len()..)? {
        "s" => Some(Span::from_seconds(number)),
        "min" => Some(Span::from_minutes(number)),
        "h" => Some(Span::from_hours(number)),
        _ => None,
    }
}
