//! A resolved configuration.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use basis_core::config::{Location, Node, NodeValue};
use basis_core::error::ComponentError;
use basis_core::num::Fixed18;
use basis_core::rules::{PerpRules, RuleBook};
use basis_core::types::{InstrumentKind, SeriesId, SeriesKind, Timestamp, Venue};
use basis_data::LoadRequest;
use basis_engine::RunConfig;
use basis_engine::mode::Mode;
use basis_market::MarketData;
use basis_venues::factory::FactorySettings;
use basis_venues::registry::Registry;
use sha2::{Digest, Sha256};

use super::fitting;
use super::rules::Rules;
use super::yaml;

/// A resolved configuration: everything a run is decided by, but the data.
#[derive(Clone, Debug)]
pub struct Setup {
    run: RunConfig,
    mode: Arc<dyn Mode>,
    rules: Arc<Rules>,
    factory: FactorySettings,
    registry: Arc<Registry>,
    tree: Node,
    sealed: OnceLock<Sealed>,
}

/// The resolved configuration as text, made when it is first asked for.
#[derive(Clone, Debug)]
struct Sealed {
    yaml: String,
    hash: String,
}

impl Setup {
    /// From the merged tree (without the section `rules`) and what was read from it, with the venues it
    /// was read for. Setups may share rules and registry.
    #[must_use]
    pub fn new(
        tree: Node,
        (run, mode): (RunConfig, Arc<dyn Mode>),
        rules: impl Into<Arc<Rules>>,
        factory: FactorySettings,
        registry: Arc<Registry>,
    ) -> Self {
        Self {
            run,
            mode,
            rules: rules.into(),
            factory,
            registry,
            tree,
            sealed: OnceLock::new(),
        }
    }

    /// The same over `(from, to]`.
    #[must_use]
    pub fn with_range(mut self, from: Timestamp, to: Timestamp) -> Self {
        self.run.from = from;
        self.run.to = to;
        for (key, at) in [("from", from), ("to", to)] {
            let place = Location::new("the data", 0);
            self.tree.set_path(key, Node::text(at.to_string(), place));
        }
        self.sealed = OnceLock::new();
        self
    }

    /// Whether it says by itself that it is over `(from, to]`.
    pub(super) fn is_over(&self, from: Timestamp, to: Timestamp) -> bool {
        let says = |key, at: Timestamp| {
            let node = self.tree.get(key);
            node.is_some_and(|node| node.value == NodeValue::Text(at.to_string()))
        };
        (self.run.from, self.run.to) == (from, to) && says("from", from) && says("to", to)
    }

    /// Emits the resolved configuration and hashes it.
    fn sealed(&self) -> &Sealed {
        self.sealed.get_or_init(|| {
            let mut tree = self.tree.clone();
            // A backtest is a backtest whatever the environment says.
            tree.set_path(
                "execution_mode",
                Node::text("backtest", Location::new("resolved", 0)),
            );
            let mut yaml = yaml::to_yaml(&tree);
            yaml.push_str(&self.rules.yaml_in_force(self.run.from, self.run.to));
            let hash = Sha256::digest(yaml.as_bytes()).iter().fold(
                String::with_capacity(64),
                |mut hex, byte| {
                    write!(hex, "{byte:02x}").unwrap_or_default();
                    hex
                },
            );
            Sealed { yaml, hash }
        })
    }

    /// The typed configuration.
    #[must_use]
    pub const fn run(&self) -> &RunConfig {
        &self.run
    }

    /// The mode with its own keys.
    #[must_use]
    pub fn mode(&self) -> &dyn Mode {
        self.mode.as_ref()
    }

    /// The rules of every venue of the run.
    #[must_use]
    pub fn rules(&self) -> &Arc<RuleBook> {
        &self.rules.book
    }

    /// How interfaces are created.
    #[must_use]
    pub const fn factory(&self) -> &FactorySettings {
        &self.factory
    }

    /// The venues it knows.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The section `venue_settings`.
    #[must_use]
    pub fn venue_settings(&self) -> Node {
        let empty = || Node::empty_map(self.tree.location.clone());
        self.tree
            .get("venue_settings")
            .cloned()
            .unwrap_or_else(empty)
    }

    /// The resolved configuration with the rules in force, in the subset of YAML that
    /// [`yaml::to_yaml`] documents. Given as `--config`, it runs the same again.
    #[must_use]
    pub fn config_yaml(&self) -> &str {
        &self.sealed().yaml
    }

    /// SHA-256 of [`Setup::config_yaml`], hexadecimal.
    #[must_use]
    pub fn config_hash(&self) -> &str {
        &self.sealed().hash
    }

    /// Every series the run reads: prices, funding, the reference, and the proxies of these.
    ///
    /// # Errors
    /// STRAT-001 for a configuration that can never work.
    pub fn required_series(&self) -> Result<Vec<SeriesId>, ComponentError> {
        basis_engine::required_series(self.mode(), &self.dated(), &self.rules.book)
    }

    /// The run with a start to read dated rules at.
    fn dated(&self) -> RunConfig {
        let mut run = self.run.clone();
        if run.from == Timestamp::MIN {
            // Without a start the newest rules say what a venue lists.
            let venues = self
                .rules
                .trees
                .iter()
                .filter_map(|(venue, _)| self.rules.book.venue(*venue));
            let newest = venues
                .flat_map(|rules| rules.snapshots())
                .map(|s| s.effective_from)
                .max();
            run.from = newest.unwrap_or(run.from);
        }
        run
    }

    /// Every series the run reads when it is there: those it needs, and those it can do without.
    ///
    /// # Errors
    /// As [`Setup::required_series`].
    pub fn wanted_series(&self) -> Result<Vec<SeriesId>, ComponentError> {
        basis_engine::wanted_series(self.mode(), &self.dated(), &self.rules.book)
    }

    /// What to load for it: every series it reads, and what a unit of recorded volume is where a venue
    /// counts contracts.
    ///
    /// # Errors
    /// As [`Setup::required_series`].
    pub fn data_request(&self) -> Result<LoadRequest, ComponentError> {
        let ids = self.wanted_series()?;
        Ok(load_request(ids, self.rules()))
    }

    /// The same over the dates that `data` has for it: those it says, else all that its series cover.
    ///
    /// # Errors
    /// DATA-001 for series that are neither there nor replaced, CFG-004 for dates outside the data.
    pub fn fitted(self, data: &MarketData) -> Result<Self, ComponentError> {
        fitting::fit(self, data)
    }

    /// The venues without which the mode cannot run.
    #[must_use]
    pub fn needed_venues(&self) -> Vec<Venue> {
        basis_engine::needed_venues(self.mode(), &self.run)
    }
}

/// What to load of `ids`, with the units that venues count and price in.
pub(crate) fn load_request(ids: Vec<SeriesId>, rules: &RuleBook) -> LoadRequest {
    LoadRequest {
        volume_multipliers: volume_multipliers(&ids, rules),
        price_units: price_units(&ids, rules),
        ids,
    }
}

/// The perpetual of a series of bars, by the newest rules.
fn perp_of(id: SeriesId, rules: &RuleBook) -> Option<&PerpRules> {
    if !matches!(
        id.kind,
        SeriesKind::Perp | SeriesKind::Mark | SeriesKind::Index
    ) {
        return None;
    }
    let snapshot = rules.venue(id.venue)?.at(Timestamp::MAX);
    let instrument = snapshot.instrument(InstrumentKind::Perp, id.symbol)?;
    instrument.perp.as_ref()
}

/// Base units that a recorded price is of, where a venue prices contracts.
fn price_units(ids: &[SeriesId], rules: &RuleBook) -> BTreeMap<SeriesId, Fixed18> {
    let unit = |id: &SeriesId| {
        let perp = perp_of(*id, rules)?;
        perp.prices_contracts.then_some(perp.contract_size.get())
    };
    ids.iter().filter_map(|id| Some((*id, unit(id)?))).collect()
}

/// Base units per unit of recorded volume, where a venue counts contracts.
fn volume_multipliers(ids: &[SeriesId], rules: &RuleBook) -> BTreeMap<SeriesId, Fixed18> {
    let contract_size = |id: &SeriesId| {
        let perp = perp_of(*id, rules)?;
        perp.counts_contracts.then_some(perp.contract_size.get())
    };
    ids.iter()
        .filter_map(|id| Some((*id, contract_size(id)?)))
        .collect()
}
