//! Stream connections: what a path opens, what a client may say on it, what it gets.

pub(super) mod keys;
mod ws_api;

use std::collections::BTreeSet;

use basis_core::transport::Response;
use serde_json::{Value, json};

use self::ws_api::Session;
use super::settings::Product;
use super::{Audience, Event, Exchange, Listening};
use crate::server::http::{html, percent_decode, target_of};
use crate::server::venue;

/// One connection.
#[derive(Clone, Debug)]
pub(super) enum Channel {
    /// The USD-M user stream of a listen key; `combined` wraps each frame in the key.
    User {
        account: u32,
        key: String,
        combined: bool,
    },
    /// Streams by name; `combined` wraps each frame in its stream's name.
    Public {
        product: Product,
        names: BTreeSet<String>,
        combined: bool,
    },
    /// The spot WebSocket API.
    Api(Session),
}

impl Channel {
    /// Opens what `url` names.
    ///
    /// # Errors
    /// The answer to the upgrade that the venue refuses.
    pub(super) fn open(exchange: &Exchange, url: &str) -> Result<Self, Response> {
        let target = target_of(url);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if path == "/ws-api/v3" {
            return Ok(Self::Api(Session::new(exchange.now)));
        }
        let is_usdm_host = url.contains("://fstream") || url.contains("://demo-fstream");
        let (product, path) = ["/public", "/market", "/private"]
            .into_iter()
            .find_map(|prefix| Some((Product::UsdM, path.strip_prefix(prefix)?)))
            .unwrap_or(if is_usdm_host {
                (Product::UsdM, path)
            } else {
                (Product::Spot, path)
            });
        let (names, combined) = if let Some(names) = path.strip_prefix("/ws") {
            (names.trim_start_matches('/'), false)
        } else if path == "/stream" {
            (parameter(query, "streams").unwrap_or_default(), true)
        } else {
            return Err(html(404, "Not Found"));
        };
        let names = percent_decode(names).ok_or_else(|| html(400, "Bad Request"))?;
        let key = parameter(query, "listenKey").unwrap_or(names.as_str());
        if let Some(account) = exchange.listener(key) {
            return Ok(Self::User {
                account,
                key: key.to_owned(),
                combined,
            });
        }
        let names = names.split('/').filter(|name| !name.is_empty());
        Ok(Self::Public {
            product,
            names: names.map(str::to_owned).collect(),
            combined,
        })
    }
}

impl venue::Channel<Exchange> for Channel {
    fn text(&mut self, exchange: &mut Exchange, text: &str) -> Vec<String> {
        let message: Option<Value> = serde_json::from_str(text).ok();
        let Some(message) = message.filter(Value::is_object) else {
            let error =
                json!({ "code": 3, "msg": "Invalid JSON: expected value at line 1 column 1" });
            return vec![json!({ "error": error }).to_string()];
        };
        match self {
            Self::Api(session) => vec![session.call(exchange, &message).to_string()],
            Self::Public { names, .. } => vec![subscribe(names, &message).to_string()],
            Self::User { .. } => Vec::new(),
        }
    }

    /// A listen key that has run out gets its end and no more.
    fn frame(&self, exchange: &Exchange, event: &Event) -> Option<String> {
        match (self, &event.audience) {
            (
                Self::User {
                    account,
                    key,
                    combined,
                },
                Audience::UsdMUser(of),
            ) if account == of => {
                let is_end = event.body.get("listenKey").and_then(Value::as_str) == Some(key);
                if exchange.listener(key).is_none() && !is_end {
                    return None;
                }
                Some(if *combined {
                    json!({ "stream": key, "data": event.body }).to_string()
                } else {
                    event.body.to_string()
                })
            }
            (
                Self::Public {
                    product,
                    names,
                    combined,
                },
                Audience::Public(of, name),
            ) if product == of => {
                let heard = names.iter().find(|wanted| base_name(wanted) == name)?;
                Some(if *combined {
                    json!({ "stream": heard, "data": event.body }).to_string()
                } else {
                    event.body.to_string()
                })
            }
            (Self::Api(_), Audience::SpotSessions) => {
                Some(json!({ "event": event.body }).to_string())
            }
            (Self::Api(session), Audience::SpotUser(account)) => {
                let id = session.subscription(*account)?;
                Some(json!({ "subscriptionId": id, "event": event.body }).to_string())
            }
            _ => None,
        }
    }

    fn add_to(&self, listening: &mut Listening) {
        match self {
            Self::User { .. } => listening.usdm_user = true,
            Self::Public { .. } => listening.public = true,
            Self::Api(_) => listening.spot_user = true,
        }
    }

    fn messages_per_second_max(&self) -> u32 {
        match self {
            Self::Api(_)
            | Self::Public {
                product: Product::Spot,
                ..
            } => 5,
            Self::User { .. } | Self::Public { .. } => 10,
        }
    }

    fn ping_rules(&self) -> (i64, i64) {
        match self {
            Self::Api(_)
            | Self::Public {
                product: Product::Spot,
                ..
            } => (20_000, 60_000),
            Self::User { .. } | Self::Public { .. } => (180_000, 600_000),
        }
    }
}

/// The stream that a name means, without the speed behind it.
fn base_name(name: &str) -> &str {
    let speeds = ["@100ms", "@250ms", "@500ms", "@1s", "@1000ms"];
    let mut without = speeds
        .into_iter()
        .filter_map(|speed| name.strip_suffix(speed));
    without.next().unwrap_or(name)
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let found = pairs.find(|(candidate, _)| *candidate == name)?;
    Some(found.1)
}

/// `SUBSCRIBE`, `UNSUBSCRIBE` and `LIST_SUBSCRIPTIONS`.
fn subscribe(names: &mut BTreeSet<String>, message: &Value) -> Value {
    let id = message.get("id").cloned().unwrap_or_default();
    let params = message.get("params").and_then(Value::as_array);
    let wanted = params.into_iter().flatten().filter_map(Value::as_str);
    let wanted: Vec<String> = wanted.map(str::to_owned).collect();
    match message.get("method").and_then(Value::as_str) {
        Some("SUBSCRIBE") => names.extend(wanted),
        Some("UNSUBSCRIBE") => names.retain(|name| !wanted.contains(name)),
        Some("LIST_SUBSCRIPTIONS") => {
            let list: Vec<&String> = names.iter().collect();
            return json!({ "result": list, "id": id });
        }
        _ => {
            let error = json!({ "code": 2, "msg": "Invalid request: unknown variant" });
            return json!({ "error": error, "id": id });
        }
    }
    json!({ "result": null, "id": id })
}
