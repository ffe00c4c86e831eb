//! Modes: a strategy with its configuration, and the table a program runs them from.
//!
//! Open to everybody: a row says how the keys of its mode are read, and what is read says which series and
//! venues a run needs and builds the strategy. The engine knows no mode and none of their keys.
//!
//! **Invariant.** A mode has one row; rows keep the order in which they were added.

use std::fmt;
use std::sync::Arc;

use basis_core::config::{Node, Problems, Reader, nearest};
use basis_core::error::{Code, ComponentError};
use basis_core::num::{Quantity, Rate};
use basis_core::rules::RuleBook;
use basis_core::types::{Asset, SeriesId, Venue};
use basis_market::MarketData;

use crate::config::{RunConfig, RunRequest};
use crate::exit::ExitRoutes;
use crate::size::EntryShare;
use crate::strategy::Strategy;

/// A mode with its own keys as one configuration has them.
pub trait Mode: Send + Sync + fmt::Debug {
    /// The series a run needs, perp prices each with the funding that goes with it.
    fn required_series(&self, config: &RunConfig) -> Vec<SeriesId>;

    /// Series that a run reads when they are there, and does without when they are not: payments that
    /// began later, the prices of what they pay.
    fn optional_series(&self, _config: &RunConfig) -> Vec<SeriesId> {
        Vec::new()
    }

    /// The venues it cannot do without, the wallet apart.
    fn venues(&self, config: &RunConfig) -> Vec<Venue>;

    /// What it trades, for those beside it.
    fn trades(&self) -> Trades {
        Trades::default()
    }

    /// What is traded in each market at the entry; a run whose capital does not fit them is refused. Provided:
    /// nothing is known.
    fn entry(&self, _config: &RunConfig) -> Vec<EntryShare> {
        Vec::new()
    }

    /// The same on this market, where it is known which series there are. Provided: as without.
    fn entry_on(&self, config: &RunConfig, _data: &MarketData) -> Vec<EntryShare> {
        self.entry(config)
    }

    /// The exchange that alone can hold its spot on this market, or sells it its stake: it may hold more of the equity
    /// than another ([`VenueShare`](crate::limits::VenueShare)). Provided: none.
    fn spot_alone_at(&self, _config: &RunConfig, _data: &MarketData) -> Option<Venue> {
        None
    }

    /// How it leaves what it holds. Provided: where it trades spot, and no staking token.
    fn exit_routes(&self, _config: &RunConfig) -> ExitRoutes {
        ExitRoutes {
            spot: self.trades().spot,
            stakes: Vec::new(),
        }
    }

    /// Its own keys whose values may change between two starts of a book: they decide what is done next.
    fn may_change(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Units of the share class that stay in the wallet while a withdrawal is paid in parts: what pays for the
    /// gas of the rest. `None` where one is paid whole.
    fn kept_in_wallet(&self, _config: &RunConfig) -> Option<Quantity> {
        Some(Quantity::ZERO)
    }

    /// Refuses a configuration that can never work.
    ///
    /// # Errors
    /// STRAT-001 with the reason.
    fn check(&self, _config: &RunConfig, _rules: &RuleBook) -> Result<(), ComponentError> {
        Ok(())
    }

    /// Refuses a configuration that cannot work on this market.
    ///
    /// # Errors
    /// STRAT-001 with the reason.
    fn check_market(&self, _config: &RunConfig, _data: &MarketData) -> Result<(), ComponentError> {
        Ok(())
    }

    /// Creates the strategy.
    fn build(&self, config: &RunConfig, rules: &Arc<RuleBook>) -> Box<dyn Strategy>;
}

/// What a mode trades where: the start of a run refuses by it, and stress tables name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trades {
    /// Where the underlying is bought and sold.
    pub spot: Option<Venue>,
    /// Where perps are held, one position each, with the share of the hedge there.
    pub perps: Vec<(Venue, Rate)>,
    /// The liquid staking token that is held.
    pub staking_token: Option<Asset>,
}

/// One mode that runs.
#[derive(Clone, Copy, Debug)]
pub struct ModeRow {
    /// The name users type.
    pub name: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// Its settings, commented YAML: the lowest layer of every configuration of the mode.
    pub settings: &'static str,
    /// What the settings are called in messages.
    pub source: &'static str,
    /// Whether it has lending accounts; then the section `risk` has their health factors.
    pub lends: bool,
    /// Reads the keys that are its own from the root of the configuration, and reports what is wrong with
    /// them; `None` without one that it cannot do without.
    pub read: fn(&Reader<'_>) -> Option<Arc<dyn Mode>>,
}

/// The modes of a program.
#[derive(Clone, Debug, Default)]
pub struct Modes {
    rows: Vec<ModeRow>,
}

/// A mode that has a row already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("mode `{name}` has a row already; a mode of one's own needs a name of its own")]
pub struct DuplicateMode {
    /// The mode.
    pub name: &'static str,
}

impl From<DuplicateMode> for ComponentError {
    fn from(e: DuplicateMode) -> Self {
        Self::new(Code::ModeUnknown, e.to_string()).with_source(e)
    }
}

impl Modes {
    /// The same with `row`.
    ///
    /// # Errors
    /// When a mode of its name has a row already.
    pub fn with(mut self, row: ModeRow) -> Result<Self, DuplicateMode> {
        if self.rows.iter().any(|other| other.name == row.name) {
            return Err(DuplicateMode { name: row.name });
        }
        self.rows.push(row);
        Ok(self)
    }

    /// The rows, in order.
    #[must_use]
    pub fn rows(&self) -> &[ModeRow] {
        &self.rows
    }

    /// The row of the mode `name`.
    ///
    /// # Errors
    /// CFG-003 with the nearest mode and the list of them.
    pub fn require(&self, name: &str) -> Result<&ModeRow, ComponentError> {
        let found = self.rows.iter().find(|row| row.name == name);
        found.ok_or_else(|| {
            let near = nearest(name, self.names())
                .map(|near| format!("; did you mean `{near}`?"))
                .unwrap_or_default();
            let names: Vec<_> = self.names().collect();
            let message = format!(
                "unknown mode `{name}`{near} (available: {})",
                names.join(", ")
            );
            ComponentError::new(Code::ModeUnknown, message)
        })
    }

    fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.rows.iter().map(|row| row.name)
    }

    /// Reads `root`, the merged tree of a mode, with the keys that are the mode's own; every problem is
    /// reported with its place.
    ///
    /// Returns `None` when a value without which there is no run is missing or wrong; the caller
    /// must refuse whenever `problems` is not empty.
    #[must_use]
    pub fn read(
        &self,
        root: &Node,
        request: &RunRequest,
        problems: &Problems,
    ) -> Option<(RunConfig, Arc<dyn Mode>)> {
        let r = Reader::new(root, "", problems);
        let row = self.row_of(&r);
        // Every key is read before anything is given up, so that all problems show at once.
        let mode = row.and_then(|row| (row.read)(&r));
        let (name, lends) = row.map_or(("", false), |row| (row.name, row.lends));
        let config = RunConfig::read(&r, name, lends, request);
        r.finish();
        Some((config?, mode?))
    }

    fn row_of(&self, r: &Reader<'_>) -> Option<&ModeRow> {
        let name = r.required_text("mode")?;
        let found = self.rows.iter().find(|row| row.name == name);
        if found.is_none() {
            let names: Vec<_> = self.names().collect();
            r.problem(
                "mode",
                format!("`{name}` is no mode; there is {}", names.join(", ")),
            );
        }
        found
    }
}
