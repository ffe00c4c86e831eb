//! The machine of Bybit from its settings, environment and credentials.

use std::path::PathBuf;
use std::sync::Arc;

use basis_core::config::{Node, Problems, Reader};
use basis_core::error::{Code, ComponentError};
use basis_core::num::{Bps, Fixed18, Value};
use basis_core::secret::Secret;
use basis_core::venue::Capabilities;
use basis_live::actor::{FileSwitch, KillSwitch};

use super::{BybitMachine, Endpoint, LiveSettings, VISIBILITY};
use crate::bybit::codec::signing::Keys;
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

fn read(node: &Node) -> Result<Section, ComponentError> {
    let problems = Problems::new();
    let reader = Reader::new(node, "venue_settings.bybit", &problems);
    let modes = [("one_way", false), ("hedge", true)];
    let hedge_mode = reader.choice("position_mode", &modes, false);
    let empty = Node::empty_map(node.location.clone());
    let live = reader.section("live");
    let live = live.unwrap_or_else(|| Reader::new(&empty, "venue_settings.bybit.live", &problems));
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

/// Makes the machine, and says what it can do.
///
/// # Errors
/// EIF-002 for settings that are none, and for a host that is of another network than the environment;
/// EIF-003 for a key that is none.
pub fn build(request: &LiveRequest<'_>) -> Result<LiveVenue, ComponentError> {
    let section = read(request.section)?;
    let endpoint = match &section.endpoint {
        Some(origin) => Endpoint::on_loopback(origin)?,
        None => Endpoint::of(request.environment),
    };
    endpoint.check(request.environment)?;
    let field = |name: &str| {
        let field = request.credentials.get(name).cloned();
        field.unwrap_or_else(|| Secret::new(String::new()))
    };
    let keys = Keys::new(field("api_key"), &field("secret")).map_err(|e| {
        let message = format!("bybit, secret: {e}");
        ComponentError::new(Code::CredentialsInvalid, message)
            .with_reason("key")
            .with_source(e)
    })?;
    let settings = LiveSettings {
        spot: request.scope.spot,
        linear: request.scope.perps,
        hedge_mode: section.hedge_mode,
        collar: section.collar,
        order_value_max: section.order_value_max,
        ..LiveSettings::new(request.book, endpoint, request.scope.symbols.clone())
    };
    let switch = section.kill_file.map(FileSwitch::new);
    let switch = switch.map(|switch| Arc::new(switch) as Arc<dyn KillSwitch>);
    let capabilities = Capabilities {
        operations: settings.operations.clone(),
        hedge_mode: settings.hedge_mode,
        visibility_delay: VISIBILITY,
    };
    let machine = BybitMachine::new(settings, request.rules.clone(), Box::new(keys), switch);
    Ok(LiveVenue {
        machine: Box::new(machine),
        capabilities,
    })
}
