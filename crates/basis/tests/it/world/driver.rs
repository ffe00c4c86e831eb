//! The driver rows of the slow venues, and their settings.

use basis::core::config::{Node, NodeValue, Problems, Reader};
use basis::core::error::ComponentError;
use basis::core::num::Rate;
use basis::core::types::{Span, Venue};
use basis::core::venue::{CredentialSet, ExecutionMode, VenueType};
use basis::market::ExecutionInterface;
use basis::venues::driver::{BuildContext, Driver, DriverFacts};

use super::answers::Answer;
use super::slow::{OPERATIONS, SlowVenue};
use super::{ALPHA, BETA};

/// What a test tells a slow venue through its settings.
#[derive(Clone, Debug)]
pub(crate) struct SlowSettings {
    /// How long an answer takes.
    pub(super) answer: Span,
    /// What orders of a side and quantity come to; all others fill.
    pub(super) answers: Vec<Answer>,
    /// Charged on the perp position at half past every hour; positive: longs pay.
    pub(super) funding_rate: Option<Rate>,
    /// Whether the fee of a spot buy comes out of what was bought.
    pub(super) fee_in_base: bool,
}

/// The driver of the venue `alpha`, which tests use for spot.
pub(crate) struct Alpha;

/// The driver of the venue `beta`, which tests use for perps.
pub(crate) struct Beta;

const fn facts(venue: Venue) -> DriverFacts {
    DriverFacts {
        venue,
        venue_type: VenueType::Cex,
        class_name: "SlowExecutionInterface",
        module: module_path!(),
        description: "A venue of a test that answers late",
        dependencies: &["position_monitor", "event_logger", "data_provider"],
        credentials: CredentialSet {
            name: "slow",
            variables: &[],
        },
        modes: &[ExecutionMode::Backtest],
        operations: OPERATIONS,
        listed: true,
    }
}

macro_rules! driver {
    ($name:ident, $venue:expr) => {
        impl Driver for $name {
            type Settings = SlowSettings;

            const FACTS: DriverFacts = facts($venue);

            fn parse(node: &Node, problems: &Problems) -> SlowSettings {
                SlowSettings::read(node, problems)
            }

            fn build(
                settings: &SlowSettings,
                context: BuildContext,
            ) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
                Ok(Box::new(SlowVenue::new($venue, settings.clone(), context)))
            }
        }
    };
}

driver!(Alpha, ALPHA);
driver!(Beta, BETA);

impl SlowSettings {
    fn read(node: &Node, problems: &Problems) -> Self {
        let reader = Reader::new(node, "", problems);
        let mut answers = Vec::new();
        for item in reader.list("answers") {
            match &item.value {
                NodeValue::Text(text) => match Answer::parse(text) {
                    Ok(answer) => answers.push(answer),
                    Err(e) => reader.problem("answers", format!("{text}: {e}")),
                },
                _ => reader.problem("answers", "expected text"),
            }
        }
        let settings = Self {
            answer: Span::from_seconds(reader.integer("answer_seconds", 0..=3600, 1)),
            answers,
            funding_rate: reader.parse("funding_rate"),
            fee_in_base: reader.boolean("fee_in_base", false),
        };
        reader.finish();
        settings
    }
}
