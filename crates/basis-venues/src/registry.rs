//! The driver table: which venues there are and how their interfaces are created.
//!
//! Open to everybody: a program of your own starts from [`Registry::builtin`] and adds rows with
//! [`Registry::with`]; nothing else has to change.
//!
//! **Invariant.** A venue has one row; rows keep the order in which they were added.

use basis_core::config::nearest;
use basis_core::error::{Code, ComponentError};
use basis_core::instruction::OperationKind;
use basis_core::types::Venue;
use basis_core::venue::{ExecutionMode, VenueType};
use serde::{Serialize, Serializer};

use crate::driver::VenueDriver;

/// The rows the factory works from.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    drivers: Vec<VenueDriver>,
}

/// A venue that has a row already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "venue `{venue}` has a driver already ({present}); {refused} needs a venue name of its own, \
     or start from an empty registry"
)]
pub struct DuplicateVenue {
    /// The venue.
    pub venue: Venue,
    /// Class name of the row that is there.
    pub present: &'static str,
    /// Class name of the row that was refused.
    pub refused: &'static str,
}

impl From<DuplicateVenue> for ComponentError {
    fn from(e: DuplicateVenue) -> Self {
        Self::new(Code::VenueInvalid, e.to_string()).with_source(e)
    }
}

/// What users are told of a venue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VenueInfo {
    /// The venue.
    pub venue: Venue,
    /// `CEX`, `DEX` or `OnChain`.
    #[serde(serialize_with = "venue_type_text")]
    pub venue_type: VenueType,
    /// The class name of its interface, `BinanceExecutionInterface`.
    pub class_name: &'static str,
    /// The module the interface lives in.
    pub module: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// Dependencies by the specification's names.
    pub dependencies: Vec<&'static str>,
    /// Modes that work.
    #[serde(serialize_with = "mode_texts")]
    pub modes: Vec<ExecutionMode>,
    /// Operations its interface executes; `capabilities` in JSON.
    #[serde(rename = "capabilities", serialize_with = "operation_texts")]
    pub operations: Vec<OperationKind>,
    /// Whether an interface can be created: in some mode, or in the mode of the factory asked.
    pub is_available: bool,
}

impl VenueInfo {
    /// What the row says; available when any mode works.
    #[must_use]
    pub fn of(driver: &VenueDriver) -> Self {
        let facts = &driver.facts;
        Self {
            venue: facts.venue,
            venue_type: facts.venue_type,
            class_name: facts.class_name,
            module: facts.module,
            description: facts.description,
            dependencies: facts.dependencies.to_vec(),
            modes: facts.modes.to_vec(),
            operations: facts.operations.to_vec(),
            is_available: !facts.modes.is_empty(),
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serialize_with asks for"
)]
fn venue_type_text<S: Serializer>(
    venue_type: &VenueType,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(venue_type.as_str())
}

fn mode_texts<S: Serializer>(modes: &[ExecutionMode], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(modes.iter().map(|mode| mode.as_str()))
}

fn operation_texts<S: Serializer>(
    operations: &[OperationKind],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(operations.iter().map(|operation| operation.as_str()))
}

impl Registry {
    /// The drivers that come with the program: the exchanges, the on-chain venues and, unlisted,
    /// the wallet.
    #[must_use]
    pub fn builtin() -> Self {
        Self {
            drivers: vec![
                crate::binance::DRIVER,
                crate::bybit::DRIVER,
                crate::okx::DRIVER,
                crate::uniswap::DRIVER,
                crate::curve::DRIVER,
                crate::aave::DRIVER,
                crate::morpho::DRIVER,
                crate::lido::DRIVER,
                crate::etherfi::DRIVER,
                crate::instadapp::DRIVER,
                crate::wallet::DRIVER,
            ],
        }
    }

    /// No drivers.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            drivers: Vec::new(),
        }
    }

    /// The same with one more driver.
    ///
    /// # Errors
    /// [`DuplicateVenue`] when the venue has a row already.
    pub fn with(mut self, driver: VenueDriver) -> Result<Self, DuplicateVenue> {
        if let Some(present) = self.find(driver.facts.venue) {
            return Err(DuplicateVenue {
                venue: driver.facts.venue,
                present: present.facts.class_name,
                refused: driver.facts.class_name,
            });
        }
        self.drivers.push(driver);
        Ok(self)
    }

    /// The row of `venue`.
    #[must_use]
    pub fn find(&self, venue: Venue) -> Option<&VenueDriver> {
        self.drivers
            .iter()
            .find(|driver| driver.facts.venue == venue)
    }

    /// The row of the venue with this name.
    #[must_use]
    pub fn find_name(&self, name: &str) -> Option<&VenueDriver> {
        self.drivers
            .iter()
            .find(|driver| driver.facts.venue.as_str() == name)
    }

    /// Every row, internal ones included.
    pub fn all(&self) -> impl Iterator<Item = &VenueDriver> {
        self.drivers.iter()
    }

    /// The rows users see.
    pub fn listed(&self) -> impl Iterator<Item = &VenueDriver> {
        self.drivers.iter().filter(|driver| driver.facts.listed)
    }

    /// What sort of venue it is; `None` when it has no row.
    #[must_use]
    pub fn venue_type(&self, venue: Venue) -> Option<VenueType> {
        self.find(venue).map(|driver| driver.facts.venue_type)
    }

    /// The rows users see, ready for output.
    #[must_use]
    pub fn infos(&self) -> Vec<VenueInfo> {
        self.listed().map(VenueInfo::of).collect()
    }

    /// The row of the venue with this name, or what to tell its user.
    ///
    /// # Errors
    /// EIF-002 with reason `unknown_venue`, the nearest known venue and the list of them.
    pub fn require(&self, name: &str) -> Result<&VenueDriver, ComponentError> {
        self.find_name(name).ok_or_else(|| self.unknown(name))
    }

    fn unknown(&self, name: &str) -> ComponentError {
        let listed: Vec<_> = self.listed().map(|driver| driver.facts.venue).collect();
        let near = nearest(name, listed.iter().map(Venue::as_str))
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        let names: Vec<_> = listed.iter().map(Venue::as_str).collect();
        let choices = if names.is_empty() {
            "none: the registry is empty".to_owned()
        } else {
            names.join(", ")
        };
        let message = format!("unknown venue `{name}`{near} (available: {choices})");
        ComponentError::new(Code::VenueInvalid, message).with_reason("unknown_venue")
    }
}

#[cfg(test)]
mod tests {
    use basis_core::config::{Node, Problems};
    use basis_market::ExecutionInterface;

    use super::*;
    use crate::credentials::{NONE, SETS};
    use crate::driver::{BuildContext, Driver, DriverFacts};

    struct Kraken;

    impl Driver for Kraken {
        type Settings = ();

        const FACTS: DriverFacts = DriverFacts {
            venue: Venue::literal("kraken"),
            venue_type: VenueType::Cex,
            class_name: "KrakenExecutionInterface",
            module: "somewhere::kraken",
            description: "A third party's venue.",
            dependencies: &["position_monitor"],
            credentials: NONE,
            modes: &[ExecutionMode::Backtest],
            operations: &[OperationKind::SpotTrade],
            listed: true,
        };

        fn parse(_: &Node, _: &Problems) {}

        fn build((): &(), _: BuildContext) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
            Err(ComponentError::new(Code::CreationFailed, "not here"))
        }
    }

    const ROW: VenueDriver = VenueDriver::of::<Kraken>();

    #[test]
    fn builtin_venues_are_distinct_and_state_what_works() {
        let registry = Registry::builtin();
        let mut again = Registry::empty();
        for driver in registry.all() {
            again = again.with(*driver).unwrap();
            assert!(!driver.facts.description.is_empty() && !driver.facts.operations.is_empty());
            let venue = driver.facts.venue;
            let exchanges = ["binance", "bybit", "okx"];
            let is_live = cfg!(feature = "live") && exchanges.contains(&venue.as_str());
            let live = is_live.then_some(ExecutionMode::Live);
            let modes: Vec<_> = [ExecutionMode::Backtest].into_iter().chain(live).collect();
            assert_eq!(driver.facts.modes, modes);
        }
        let listed: Vec<_> = registry
            .listed()
            .map(|driver| (driver.facts.venue.to_string(), driver.facts.class_name))
            .collect();
        assert_eq!(
            listed,
            [
                ("binance".to_owned(), "BinanceExecutionInterface"),
                ("bybit".to_owned(), "BybitExecutionInterface"),
                ("okx".to_owned(), "OKXExecutionInterface"),
                ("uniswap".to_owned(), "UniswapExecutionInterface"),
                ("curve".to_owned(), "CurveExecutionInterface"),
                ("aave".to_owned(), "AAVEExecutionInterface"),
                ("morpho".to_owned(), "MorphoExecutionInterface"),
                ("lido".to_owned(), "LidoExecutionInterface"),
                ("etherfi".to_owned(), "EtherFiExecutionInterface"),
                ("instadapp".to_owned(), "InstadappExecutionInterface"),
            ]
        );
        assert_eq!(registry.all().count(), 11, "and the wallet");
    }

    #[test]
    fn builtin_rows_use_the_specified_variables() {
        for driver in Registry::builtin().all() {
            assert!(
                SETS.contains(&driver.facts.credentials),
                "{}",
                driver.facts.venue
            );
        }
    }

    #[test]
    fn third_parties_add_rows_and_a_second_row_for_a_venue_is_refused() {
        let registry = Registry::builtin().with(ROW).unwrap();
        assert_eq!(registry.venue_type(ROW.facts.venue), Some(VenueType::Cex));
        assert_eq!(registry.venue_type(Venue::literal("nowhere")), None);
        let e = registry.with(ROW).unwrap_err();
        assert!(
            e.to_string()
                .contains("`kraken` has a driver already (KrakenExecutionInterface)")
        );
        assert_eq!(ComponentError::from(e).code, Code::VenueInvalid);
    }

    #[test]
    fn unlisted_rows_are_found_but_not_shown() {
        let mut hidden = ROW;
        hidden.facts.venue = Venue::WALLET;
        hidden.facts.listed = false;
        let registry = Registry::empty().with(hidden).unwrap().with(ROW).unwrap();
        assert!(registry.find(Venue::WALLET).is_some());
        let shown: Vec<_> = registry
            .infos()
            .into_iter()
            .map(|info| info.venue)
            .collect();
        assert_eq!(shown, [ROW.facts.venue]);
    }

    #[test]
    fn unknown_venues_get_the_nearest_name_and_the_list() {
        let registry = Registry::empty().with(ROW).unwrap();
        let e = registry.require("krakn").unwrap_err();
        assert_eq!(
            e.to_string(),
            "EIF-002 unknown venue `krakn`; did you mean `kraken`? (available: kraken)"
        );
        assert!(
            Registry::empty()
                .require("")
                .unwrap_err()
                .message
                .contains("registry is empty")
        );
    }

    #[test]
    fn info_rows_serialise_in_the_documented_form() {
        let json = serde_json::to_string(&VenueInfo::of(&ROW)).unwrap();
        assert_eq!(
            json,
            r#"{"venue":"kraken","venue_type":"CEX","class_name":"KrakenExecutionInterface","module":"somewhere::kraken","description":"A third party's venue.","dependencies":["position_monitor"],"modes":["backtest"],"capabilities":["spot_trade"],"is_available":true}"#
        );
    }
}
