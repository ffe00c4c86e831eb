//! Listen keys of the USD-M user stream.

use serde_json::{Value, json};

use crate::server::binance::error::ApiError;
use crate::server::binance::routes::Call;
use crate::server::binance::{Audience, Exchange};

/// How long a key is good after it was made or extended.
const VALID_MS: i64 = 3_600_000;

/// A listen key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) struct ListenKey {
    pub(in crate::server) account: u32,
    expires_ms: i64,
}

/// `POST /fapi/v1/listenKey`: the account's key, extended; a new one where there is none.
pub(in crate::server::binance) fn make(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let key = match own_key(exchange, call.account) {
        Some(key) => key,
        None => exchange.random.text(64),
    };
    let listen_key = ListenKey {
        account: call.account,
        expires_ms: exchange.now.saturating_add(VALID_MS),
    };
    exchange.listen_keys.insert(key.clone(), listen_key);
    Ok(json!({ "listenKey": key }))
}

/// `PUT /fapi/v1/listenKey`.
pub(in crate::server::binance) fn extend(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let Some(key) = own_key(exchange, call.account) else {
        return Err(ApiError::new(-1125, "This listenKey does not exist."));
    };
    if let Some(listen_key) = exchange.listen_keys.get_mut(&key) {
        listen_key.expires_ms = exchange.now.saturating_add(VALID_MS);
    }
    Ok(json!({ "listenKey": key }))
}

/// `DELETE /fapi/v1/listenKey`.
pub(in crate::server::binance) fn close(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    if let Some(key) = own_key(exchange, call.account) {
        exchange.listen_keys.remove(&key);
    }
    Ok(json!({}))
}

fn own_key(exchange: &Exchange, account: u32) -> Option<String> {
    let mut keys = exchange.listen_keys.iter();
    let found = keys.find(|(_, listen_key)| listen_key.account == account)?;
    Some(found.0.clone())
}

impl Exchange {
    /// The account of a listen key that is good.
    pub(in crate::server) fn listener(&self, key: &str) -> Option<u32> {
        Some(self.listen_keys.get(key)?.account)
    }

    /// When a listen key next runs out.
    pub(in crate::server::binance) fn next_expiry(&self) -> Option<i64> {
        self.listen_keys.values().map(|key| key.expires_ms).min()
    }

    /// Ends keys that ran out, and says so to their streams.
    pub(in crate::server::binance) fn expire_listen_keys(&mut self) {
        let now = self.now;
        let expired = self
            .listen_keys
            .iter()
            .filter(|(_, key)| key.expires_ms <= now);
        let expired: Vec<(String, u32)> = expired
            .map(|(name, key)| (name.clone(), key.account))
            .collect();
        for (name, account) in expired {
            self.listen_keys.remove(&name);
            let frame = json!({ "e": "listenKeyExpired", "E": now, "listenKey": name });
            self.emit(Audience::UsdMUser(account), frame);
        }
    }
}
