//! The section `venue_settings.<venue>` of a staking venue.

use basis_core::config::{Node, Problems, Reader};
use basis_core::types::Span;
use basis_core::venue::VenueType;

use crate::settings::read_common;

/// The longest queue that the settings take, a year.
const QUEUE_DELAY_HOURS_MAX: i64 = 8_760;

/// Settings of a staking venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StakingSettings {
    /// How long a redemption request waits.
    pub queue_delay: Span,
}

impl StakingSettings {
    /// Reads the section. Problems go to `problems`; what is wrong reads as its default.
    pub fn read(node: &Node, problems: &Problems, default_hours: i64) -> Self {
        let reader = Reader::new(node, "", problems);
        read_common(&reader, VenueType::OnChain);
        let bounds = 0..=QUEUE_DELAY_HOURS_MAX;
        let hours = reader.integer("queue_delay_hours", bounds, default_hours);
        reader.finish();
        Self {
            queue_delay: Span::from_hours(hours),
        }
    }
}
