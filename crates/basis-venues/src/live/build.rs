//! The settings of a machine from a venue's section, its environment and what is traded.

use std::path::PathBuf;
use std::sync::Arc;

use basis_core::config::{Node, Problems, Reader};
use basis_core::error::{Code, ComponentError};
use basis_core::num::{Bps, Fixed18, Value};
use basis_core::secret::Secret;
use basis_core::types::{Span, Venue};
use basis_core::venue::Capabilities;
use basis_live::actor::{FileSwitch, KillSwitch};

use super::codec::LiveCodec;
use super::{Endpoint, LiveSettings, Machine};
use crate::driver::{LiveRequest, LiveVenue};
use crate::wire::COLLAR_WIDTH;

/// The widest collar that can be set, in bps.
const COLLAR_MAX: Fixed18 = Fixed18::literal("500");

/// What the section says of live trading, beside what a simulation reads of it.
struct Section {
    endpoint: Option<String>,
    kill_file: Option<PathBuf>,
    order_value_max: Option<Value>,
    collar: Bps,
    hedge_mode: bool,
}

fn read(venue: Venue, node: &Node) -> Result<Section, ComponentError> {
    let problems = Problems::new();
    let path = format!("venue_settings.{venue}");
    let reader = Reader::new(node, &path, &problems);
    let modes = [("one_way", false), ("hedge", true)];
    let hedge_mode = reader.choice("position_mode", &modes, false);
    let empty = Node::empty_map(node.location.clone());
    let path = format!("{path}.live");
    let live = reader.section("live");
    let live = live.unwrap_or_else(|| Reader::new(&empty, &path, &problems));
    let collar = live.fixed("collar_bps", Fixed18::ONE..=COLLAR_MAX, COLLAR_WIDTH.get());
    let value = live.parse::<Value>("order_value_max");
    if value.is_some_and(|value| !value.is_positive()) {
        live.problem("order_value_max", "it must be above zero");
    }
    let section = Section {
        endpoint: live.text("endpoint").map(ToOwned::to_owned),
        kill_file: live.text("kill_file").map(PathBuf::from),
        order_value_max: value,
        collar: Bps::new(collar),
        hedge_mode,
    };
    live.finish();
    let found: Vec<_> = problems
        .into_sorted()
        .iter()
        .map(ToString::to_string)
        .collect();
    if found.is_empty() {
        return Ok(section);
    }
    Err(ComponentError::new(Code::VenueInvalid, found.join("; ")).with_reason("settings"))
}

/// What a machine is built of, but for its codec.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) settings: LiveSettings,
    switch: Option<Arc<dyn KillSwitch>>,
}

impl Built {
    /// Reads the section of `venue`, whose own host is `own`.
    ///
    /// # Errors
    /// EIF-002 for settings that are none, and for a host that is of another network than the environment.
    pub(crate) fn of(
        venue: Venue,
        own: &Endpoint,
        request: &LiveRequest<'_>,
    ) -> Result<Self, ComponentError> {
        let section = read(venue, request.section)?;
        let endpoint = match &section.endpoint {
            Some(origin) => Endpoint::on_loopback(venue, origin)?,
            None => own.clone(),
        };
        endpoint.check(own, (venue, request.environment))?;
        let settings = LiveSettings {
            spot: request.scope.spot,
            perps: request.scope.perps,
            hedge_mode: section.hedge_mode,
            collar: section.collar,
            order_value_max: section.order_value_max,
            ..LiveSettings::new(request.book, endpoint, request.scope.symbols.clone())
        };
        let switch = section.kill_file.map(FileSwitch::new);
        let switch = switch.map(|switch| Arc::new(switch) as Arc<dyn KillSwitch>);
        Ok(Self { settings, switch })
    }

    /// The machine, and what it can do; `visibility` is how long its reads may lag.
    pub(crate) fn machine(
        self,
        codec: Box<dyn LiveCodec>,
        visibility: Span,
        request: &LiveRequest<'_>,
    ) -> LiveVenue {
        let capabilities = Capabilities {
            operations: self.settings.operations.clone(),
            hedge_mode: self.settings.hedge_mode,
            visibility_delay: visibility,
        };
        let machine = Machine::new(codec, self.settings, request.rules.clone(), self.switch);
        LiveVenue {
            machine: Box::new(machine),
            capabilities,
        }
    }
}

/// A field of the credentials; empty where there is none.
pub(crate) fn credential(request: &LiveRequest<'_>, name: &str) -> Secret {
    let field = request.credentials.get(name).cloned();
    field.unwrap_or_else(|| Secret::new(String::new()))
}

/// The error of a secret that is no key.
pub(crate) fn no_key<E>(venue: Venue, e: E) -> ComponentError
where
    E: std::error::Error + Send + Sync + 'static,
{
    let message = format!("{venue}, secret: {e}");
    ComponentError::new(Code::CredentialsInvalid, message)
        .with_reason("key")
        .with_source(e)
}
