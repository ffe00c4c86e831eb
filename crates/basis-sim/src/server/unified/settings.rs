//! What such a venue is opened with.

use basis_core::num::Quantity;
use basis_core::rules::{InstrumentRules, MakerTaker};
use basis_core::types::{Asset, InstrumentKind};

use crate::server::venue::{Behavior, Latency};

/// Categories of instruments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// Spot.
    Spot,
    /// Perpetuals margined and settled in the quote coin.
    Linear,
}

/// Returns the category that lists an instrument.
pub(super) fn category_of(rules: &InstrumentRules) -> Category {
    match rules.key.kind {
        InstrumentKind::Spot => Category::Spot,
        _ => Category::Linear,
    }
}

/// The venue as it starts.
#[derive(Clone, Debug)]
pub(in crate::server) struct Opening<W> {
    pub(in crate::server) own: W,
    pub(in crate::server) seed: u64,
    pub(in crate::server) first_id: u64,
    pub(in crate::server) listings: Vec<InstrumentRules>,
    pub(in crate::server) latency: Latency,
    pub(in crate::server) behavior: Behavior,
    pub(in crate::server) engine_ms: i64,
    pub(in crate::server) clock_ahead_ms: i64,
}

/// An account as it starts.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct AccountTerms {
    pub(in crate::server) unified: Vec<(Asset, Quantity)>,
    pub(in crate::server) fund: Vec<(Asset, Quantity)>,
    pub(in crate::server) spot_fees: MakerTaker,
    pub(in crate::server) linear_fees: MakerTaker,
}
