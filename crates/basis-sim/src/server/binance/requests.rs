//! A request's way through path, limits, key, signature and clock, and the answer's form.

use basis_core::transport::{Request, Response};
use serde_json::Value;

use super::Exchange;
use super::error::ApiError;
use super::params::Params;
use super::routes::{self, Call, Family, Route, Security};
use crate::server::http::{header, html, target_of};

/// How far a stamp may be ahead.
const AHEAD_MS_MAX: i64 = 1000;
/// The window when none is sent.
const WINDOW_MS: i64 = 5000;
/// The largest window.
const WINDOW_MS_MAX: i64 = 60_000;
/// Stamps above this are microseconds.
const MILLIS_MAX: i64 = 100_000_000_000_000;

impl Exchange {
    /// Answers a request that arrives now.
    pub fn answer(&mut self, request: &Request) -> Response {
        let target = target_of(&request.url);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let Some(family) = Family::of(path).filter(|family| self.has(*family)) else {
            return html(404, "Not Found");
        };
        let Some(route) = routes::find(request.method, path) else {
            return self.no_route(request.method, path, family);
        };
        let Ok(body) = str::from_utf8(&request.body) else {
            let error = ApiError::new(-1100, "Illegal characters found in a parameter.");
            return self.reply(family, None, Err(error));
        };
        let (account, result) = self.route(route, family, request, (query, body));
        self.reply(family, account, result)
    }

    /// Answers a request that was let in at `let_in_ms` and reaches the engine now.
    pub(super) fn answer_late(&mut self, request: &Request, let_in_ms: i64) -> Response {
        self.let_in_ms = Some(let_in_ms);
        let response = self.answer(request);
        self.let_in_ms = None;
        response
    }

    fn has(&self, family: Family) -> bool {
        family != Family::Wallet || self.settings.has_wallet
    }

    fn no_route(&mut self, method: &str, path: &str, family: Family) -> Response {
        if family == Family::UsdM {
            let text = format!("Path {path}, Method {method} is invalid");
            return self.reply(family, None, Err(ApiError::with_status(404, -5000, text)));
        }
        html(404, "Not Found")
    }

    fn route(
        &mut self,
        route: &Route,
        family: Family,
        request: &Request,
        (query, body): (&str, &str),
    ) -> (Option<u32>, Result<Value, ApiError>) {
        let params = Params::parse(query, body);
        let weight = params.as_ref().map_or(1, |params| route.weight.of(params));
        if let Err(error) = self.usage.request(self.now, family, weight) {
            return (None, Err(error));
        }
        let params = match params {
            Ok(params) => params,
            Err(error) => return (None, Err(error)),
        };
        let named = header(request, "x-mbx-apikey");
        let account = match self.admit(route.security, named, &params, (query, body)) {
            Ok(account) => account,
            Err(error) => return (None, Err(error)),
        };
        // USD-M's engine looks at the window once more, spot's does not.
        let is_acting = route.method != "GET" && route.security != Security::Named;
        if family == Family::UsdM
            && is_acting
            && self.let_in_ms.is_some()
            && Self::check_stamp_at(self.now, &params).is_err()
        {
            let text = "Timestamp for this request is outside of the ME recvWindow.";
            return (account, Err(ApiError::new(-5028, text)));
        }
        let call = Call {
            family,
            params: &params,
            account: account.unwrap_or_default(),
            key: named.unwrap_or_default(),
        };
        (account, (route.answer)(self, &call))
    }

    /// Checks key, signature, clock and permission; returns the key's account.
    fn admit(
        &self,
        security: Security,
        named: Option<&str>,
        params: &Params,
        (query, body): (&str, &str),
    ) -> Result<Option<u32>, ApiError> {
        if security == Security::Open {
            return Ok(None);
        }
        let name = named.ok_or_else(bad_key_format)?;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(bad_key_format());
        }
        let key = self.keys.get(name).ok_or_else(ApiError::rejected_key)?;
        if security != Security::Named {
            self.check_stamp(params)?;
            let signature = params.required("signature")?;
            let payload = [unsigned(query), unsigned(body)].concat();
            if !key.verifier.accepts(payload.as_bytes(), signature) {
                return Err(ApiError::new(
                    -1022,
                    "Signature for this request is not valid.",
                ));
            }
        }
        let may = &key.permissions;
        let allowed = match security {
            Security::Open | Security::Named => true,
            Security::Read => may.reading,
            Security::Spot => may.spot,
            Security::Futures => may.futures,
            Security::Transfer => may.universal_transfer,
        };
        if allowed {
            Ok(Some(key.account))
        } else {
            Err(ApiError::rejected_key())
        }
    }

    /// Checks stamp and window against the venue's clock when the request was let in.
    pub(super) fn check_stamp(&self, params: &Params) -> Result<(), ApiError> {
        Self::check_stamp_at(self.let_in_ms.unwrap_or(self.now), params)
    }

    fn check_stamp_at(now: i64, params: &Params) -> Result<(), ApiError> {
        let stamp = params.integer("timestamp")?;
        let stamp = stamp.ok_or_else(|| ApiError::missing("timestamp"))?;
        let stamp_ms = if stamp > MILLIS_MAX {
            stamp / 1000
        } else {
            stamp
        };
        let window = params.get("recvWindow").map(|text| {
            // Up to three decimals; those below a millisecond cannot matter to a clock of milliseconds.
            let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
            let window = whole.parse::<i64>().ok().filter(|window| *window >= 0);
            window.ok_or_else(|| ApiError::illegal("recvWindow", "^[0-9]{1,5}(\\.[0-9]{1,3})?$"))
        });
        let window = window.transpose()?.unwrap_or(WINDOW_MS);
        if window > WINDOW_MS_MAX {
            return Err(ApiError::new(-1131, "recvWindow must be less than 60000"));
        }
        if stamp_ms >= now.saturating_add(AHEAD_MS_MAX) {
            return Err(ApiError::new(
                -1021,
                "Timestamp for this request was 1000ms ahead of the server's time.",
            ));
        }
        if now.saturating_sub(stamp_ms) > window {
            return Err(ApiError::new(
                -1021,
                "Timestamp for this request is outside of the recvWindow.",
            ));
        }
        Ok(())
    }

    fn reply(
        &self,
        family: Family,
        account: Option<u32>,
        result: Result<Value, ApiError>,
    ) -> Response {
        let mut headers = vec![(
            "Content-Type".to_owned(),
            "application/json;charset=UTF-8".to_owned(),
        )];
        let weight = self.usage.weight(self.now, family);
        let prefix = match family {
            Family::Spot | Family::UsdM => "X-MBX-USED-WEIGHT-1M",
            Family::Wallet => "X-SAPI-USED-IP-WEIGHT-1M",
        };
        headers.push((prefix.to_owned(), weight.to_string()));
        let counted = account.filter(|_| family != Family::Wallet);
        // Refused USD-M orders carry no counters.
        let counted = counted.filter(|_| family == Family::Spot || result.is_ok());
        if let Some(account) = counted {
            let counts = self.usage.order_counts(self.now, family, account);
            for (interval, many, _, count) in counts {
                let letter = interval.get(..1).unwrap_or_default();
                let name = format!("X-MBX-ORDER-COUNT-{many}{letter}");
                headers.push((name, count.to_string()));
            }
        }
        let (status, body) = match result {
            Ok(body) => (200, body),
            Err(error) => {
                if let Some(seconds) = error.retry_after_s {
                    headers.push(("Retry-After".to_owned(), seconds.to_string()));
                }
                (error.status, error.body())
            }
        };
        Response {
            status,
            headers,
            body: serde_json::to_vec(&body).expect("invariant: every key is a text"),
        }
    }
}

fn bad_key_format() -> ApiError {
    ApiError::with_status(401, -2014, "API-key format invalid.")
}

/// What of a query or a body is signed: all but the signature.
fn unsigned(text: &str) -> String {
    if !text.contains("signature=") {
        return text.to_owned();
    }
    let rest: Vec<&str> = text
        .split('&')
        .filter(|pair| !pair.starts_with("signature="))
        .collect();
    rest.join("&")
}
