//! What reads are about: one order, or a time.

use basis_core::types::{ClientOrderId, Timestamp};

/// How a request names an order where the venue's ids are texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedOrder {
    /// By our id of it: known before anything is sent.
    Client(ClientOrderId),
    /// By the venue's id.
    Venue(String),
}

/// From when to when, both inclusive, how many rows at most, and where the page before ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// First instant.
    pub from: Option<Timestamp>,
    /// Last instant.
    pub to: Option<Timestamp>,
    /// How many rows at most; absent leaves the venue's default.
    pub rows: Option<u32>,
    /// What the page before named as the place to go on from.
    pub cursor: Option<String>,
}
