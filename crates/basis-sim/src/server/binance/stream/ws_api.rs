//! The spot WebSocket API, as far as the user stream needs it: sessions and subscriptions.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::server::binance::Exchange;
use crate::server::binance::error::ApiError;
use crate::server::binance::params::Params;
use crate::server::binance::routes::Family;

/// What a connection to the WebSocket API has done.
#[derive(Clone, Debug)]
pub(in crate::server) struct Session {
    connected_ms: i64,
    /// Key, account, and since when.
    logon: Option<(String, u32, i64)>,
    subscriptions: BTreeMap<u64, u32>,
    next_subscription: u64,
}

impl Session {
    pub(super) const fn new(now: i64) -> Self {
        Self {
            connected_ms: now,
            logon: None,
            subscriptions: BTreeMap::new(),
            next_subscription: 0,
        }
    }

    /// The subscription under which an account is heard.
    pub(super) fn subscription(&self, account: u32) -> Option<u64> {
        let mut all = self.subscriptions.iter();
        all.find(|(_, of)| **of == account).map(|(id, _)| *id)
    }

    /// Answers one request.
    pub(super) fn call(&mut self, exchange: &mut Exchange, message: &Value) -> Value {
        let id = message.get("id").cloned().unwrap_or_default();
        let method = message
            .get("method")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let weighed = exchange.usage.request(exchange.now, Family::Spot, 2);
        let result = weighed.and_then(|()| self.answer(exchange, method, message));
        let limit = json!({
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": exchange.settings.limits.spot_weight_1m,
            "count": exchange.usage.weight(exchange.now, Family::Spot),
        });
        match result {
            Ok(result) => {
                json!({ "id": id, "status": 200, "result": result, "rateLimits": [limit] })
            }
            Err(error) => json!({
                "id": id, "status": error.status, "error": error.body(), "rateLimits": [limit]
            }),
        }
    }

    fn answer(
        &mut self,
        exchange: &Exchange,
        method: &str,
        message: &Value,
    ) -> Result<Value, ApiError> {
        let params = params_of(message);
        match method {
            "ping" => Ok(json!({})),
            "time" => Ok(json!({ "serverTime": exchange.now })),
            "session.logon" => {
                let (key, account) = signer(exchange, &params)?;
                if !exchange
                    .keys
                    .get(&key)
                    .is_some_and(|key| key.verifier.is_ed25519())
                {
                    let text = "Unsupported API key type: only Ed25519 keys may log on.";
                    return Err(ApiError::new(-4056, text));
                }
                self.logon = Some((key, account, exchange.now));
                Ok(self.status(exchange))
            }
            "session.status" => Ok(self.status(exchange)),
            "session.logout" => {
                self.logon = None;
                Ok(self.status(exchange))
            }
            "userDataStream.subscribe" => {
                let logon = self.logon.as_ref();
                let (_, account, _) = logon.ok_or_else(ApiError::rejected_key)?;
                self.subscribe(*account)
            }
            "userDataStream.subscribe.signature" => {
                let (_, account) = signer(exchange, &params)?;
                self.subscribe(account)
            }
            "userDataStream.unsubscribe" => {
                let id = Params::from_pairs(params).id("subscriptionId")?;
                match id {
                    Some(id) => drop(self.subscriptions.remove(&id)),
                    None => self.subscriptions.clear(),
                }
                Ok(json!({}))
            }
            _ => Err(ApiError::new(-1020, "This operation is not supported.")),
        }
    }

    fn subscribe(&mut self, account: u32) -> Result<Value, ApiError> {
        if self.subscription(account).is_some() {
            let text = "User Data Stream subscription already active.";
            return Err(ApiError::new(-2035, text));
        }
        let id = self.next_subscription;
        self.next_subscription += 1;
        self.subscriptions.insert(id, account);
        Ok(json!({ "subscriptionId": id }))
    }

    fn status(&self, exchange: &Exchange) -> Value {
        let logon = self.logon.as_ref();
        json!({
            "apiKey": logon.map(|(key, _, _)| key),
            "authorizedSince": logon.map(|(_, _, since)| since),
            "connectedSince": self.connected_ms,
            "returnRateLimits": true,
            "serverTime": exchange.now,
            "userDataStream": !self.subscriptions.is_empty(),
        })
    }
}

fn params_of(message: &Value) -> Vec<(String, String)> {
    let params = message.get("params").and_then(Value::as_object);
    let pairs = params.into_iter().flatten();
    let pairs = pairs.map(|(name, value)| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        (name.clone(), text)
    });
    pairs.collect()
}

/// Checks key, clock and signature: parameters sorted by name, not encoded.
fn signer(exchange: &Exchange, params: &[(String, String)]) -> Result<(String, u32), ApiError> {
    let all = Params::from_pairs(params.to_vec());
    let name = all.required("apiKey")?;
    let key = exchange.keys.get(name).ok_or_else(ApiError::rejected_key)?;
    exchange.check_stamp(&all)?;
    let signature = all.required("signature")?;
    let mut signed: Vec<&(String, String)> = params
        .iter()
        .filter(|(name, _)| name != "signature")
        .collect();
    signed.sort();
    let pairs: Vec<String> = signed
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if !key.verifier.accepts(pairs.join("&").as_bytes(), signature) {
        return Err(ApiError::new(
            -1022,
            "Signature for this request is not valid.",
        ));
    }
    if !key.permissions.reading {
        return Err(ApiError::rejected_key());
    }
    Ok((name.to_owned(), key.account))
}
