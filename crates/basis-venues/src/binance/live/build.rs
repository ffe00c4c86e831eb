//! The machine of Binance from its settings, environment and credentials.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use basis_core::config::{Node, Problems, Reader};
use basis_core::error::{Code, ComponentError};
use basis_core::num::{Bps, Fixed18, Value};
use basis_core::secret::{Credentials, Secret};
use basis_core::types::Span;
use basis_live::actor::{FileSwitch, KillSwitch, VenueMachine};

use super::{BinanceMachine, Endpoints, LiveSettings, Signers};
use crate::binance::codec::signing::Keys;
use crate::binance::codec::{COLLAR_WIDTH, Signer};
use crate::driver::LiveRequest;

/// The widest collar that can be set, in bps.
const COLLAR_MAX: Fixed18 = Fixed18::literal("500");

/// The times of the dead-man switch that can be set.
const DEAD_MAN_SECONDS: RangeInclusive<i64> = 10..=3_600;

/// What the section says of live trading, beside what a simulation reads of it.
struct Section {
    endpoint: Option<String>,
    kill_file: Option<PathBuf>,
    order_value_max: Option<Value>,
    collar: Bps,
    hedge_mode: bool,
    dead_man: Option<Span>,
}

fn read(node: &Node) -> Result<Section, ComponentError> {
    let problems = Problems::new();
    let reader = Reader::new(node, "venue_settings.binance", &problems);
    let modes = [("one_way", false), ("hedge", true)];
    let hedge_mode = reader.choice("position_mode", &modes, false);
    let empty = Node::empty_map(node.location.clone());
    let live = reader.section("live");
    let live =
        live.unwrap_or_else(|| Reader::new(&empty, "venue_settings.binance.live", &problems));
    let collar = live.fixed("collar_bps", Fixed18::ONE..=COLLAR_MAX, COLLAR_WIDTH.get());
    let value = live.parse::<Value>("order_value_max");
    if value.is_some_and(|value| !value.is_positive()) {
        live.problem("order_value_max", "it must be above zero");
    }
    let dead_man = live.within::<i64>("dead_man_seconds", DEAD_MAN_SECONDS);
    let sole_owner = live.boolean("sole_owner", false);
    if dead_man.is_some() && !sole_owner {
        let text = "the venue would cancel every order of the instrument, foreign ones too: it needs \
                    sole_owner: true, which declares the account ours alone";
        live.problem("dead_man_seconds", text);
    }
    let section = Section {
        endpoint: live.text("endpoint").map(ToOwned::to_owned),
        kill_file: live.text("kill_file").map(PathBuf::from),
        order_value_max: value,
        collar: Bps::new(collar),
        hedge_mode,
        dead_man: dead_man.map(Span::from_seconds),
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

/// Makes the machine.
///
/// # Errors
/// EIF-002 for settings that are none, and for hosts that are of another network than the environment;
/// EIF-003 for a key that is none.
pub fn build(request: &LiveRequest<'_>) -> Result<Box<dyn VenueMachine>, ComponentError> {
    let section = read(request.section)?;
    let endpoints = match &section.endpoint {
        Some(origin) => Endpoints::on_loopback(origin)?,
        None => Endpoints::of(request.environment),
    };
    endpoints.check(request.environment)?;
    let signers = Signers {
        spot: keys(request.credentials, "spot_api_key", "spot_secret")?,
        usdm: keys(request.credentials, "futures_api_key", "futures_secret")?,
    };
    let (spot, usdm) = request.products;
    let settings = LiveSettings {
        spot,
        usdm,
        hedge_mode: section.hedge_mode,
        collar: section.collar,
        order_value_max: section.order_value_max,
        dead_man: section.dead_man,
        ..LiveSettings::new(request.book, endpoints, request.symbols.clone())
    };
    let switch = section.kill_file.map(FileSwitch::new);
    let switch = switch.map(|switch| Arc::new(switch) as Arc<dyn KillSwitch>);
    let machine = BinanceMachine::new(settings, request.rules.clone(), signers, switch);
    Ok(Box::new(machine))
}

fn keys(
    credentials: &Credentials,
    api_key: &str,
    secret: &str,
) -> Result<Box<dyn Signer + Send>, ComponentError> {
    let field = |name: &str| {
        let field = credentials.get(name).cloned();
        field.unwrap_or_else(|| Secret::new(String::new()))
    };
    let keys = Keys::new(field(api_key), &field(secret)).map_err(|e| {
        let message = format!("binance, {secret}: {e}");
        ComponentError::new(Code::CredentialsInvalid, message)
            .with_reason("key")
            .with_source(e)
    })?;
    Ok(Box::new(keys))
}
