//! A request's way through address, path, key, clock, signature and limit, and the answer's form.

use basis_core::transport::{Request, Response};
use serde_json::{Value, json};

use super::Exchange;
use super::error::ApiError;
use super::limits::Quota;
use super::params::Params;
use super::routes::{self, Access, Call, Route};
use crate::server::http::{header, html, target_of};

/// How far a stamp may be ahead.
const AHEAD_MS_MAX: i64 = 1_000;
/// The window when none is sent.
const WINDOW_MS: i64 = 5_000;

impl Exchange {
    /// Answers a request that arrives now.
    pub(super) fn answer(&mut self, request: &Request) -> Response {
        let target = target_of(&request.url);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        // The gateway also turns away a read with a body.
        let is_odd = request.method == "GET" && !request.body.is_empty();
        if !self.own.usage.admits(self.now) || is_odd {
            return html(403, "Forbidden");
        }
        let Some(route) = routes::find(request.method, path) else {
            return html(404, "Not Found");
        };
        let mut quota = None;
        let result = self.route(route, request, query, &mut quota);
        self.reply(route, result, quota)
    }

    fn route(
        &mut self,
        route: &Route,
        request: &Request,
        query: &str,
        quota: &mut Option<Quota>,
    ) -> Result<Answered, ApiError> {
        let params = if request.method == "GET" {
            Params::of_query(query)?
        } else {
            Params::of_body(&request.body)?
        };
        let (mut account, mut key) = (0, "");
        if route.access != Access::Open {
            key = header(request, "x-bapi-api-key").unwrap_or_default();
            account = self.admit(route, request, &params, (key, query))?;
            let count = route.limit.of(&params);
            let counted = self
                .own
                .usage
                .count(self.now, (count.0, account), (count.1, count.2));
            *quota = Some(counted);
            if counted.is_over {
                return Err(ApiError::new(
                    10006,
                    "Too many visits. Exceeded the API Rate Limit.",
                ));
            }
        }
        let mut call = Call {
            params: &params,
            account,
            key,
            each: Vec::new(),
        };
        let result = (route.answer)(self, &mut call)?;
        Ok(Answered {
            result,
            each: call.each,
        })
    }

    /// Checks key, clock, signature and permission; returns the key's account.
    fn admit(
        &self,
        route: &Route,
        request: &Request,
        params: &Params,
        (name, query): (&str, &str),
    ) -> Result<u32, ApiError> {
        let key = self.own.keys.get(name);
        let key = key.ok_or_else(|| ApiError::new(10003, "API key is invalid."))?;
        let text = |name| header(request, name).unwrap_or_default();
        let (stamp, window) = (text("x-bapi-timestamp"), text("x-bapi-recv-window"));
        self.check_stamp(stamp, window)?;
        let mut payload = [stamp, name, window].concat().into_bytes();
        if request.method == "GET" {
            payload.extend_from_slice(query.as_bytes());
        } else {
            payload.extend_from_slice(&request.body);
        }
        if !key.verifier.accepts(&payload, text("x-bapi-sign")) {
            let text = "Error sign, please check your signature generation algorithm.";
            return Err(ApiError::new(10004, text));
        }
        let may = &key.permissions;
        let allowed = match route.access {
            Access::Open | Access::Read => true,
            Access::Trade if may.read_only => false,
            Access::Trade => match params.text("category") {
                Some("spot") => may.spot,
                _ => may.contracts,
            },
            Access::Transfer => may.transfer && !may.read_only,
        };
        if allowed {
            return Ok(key.account);
        }
        let text = "Permission denied, please check your API key permissions.";
        Err(ApiError::new(10005, text))
    }

    fn check_stamp(&self, stamp: &str, window: &str) -> Result<(), ApiError> {
        let refused = || {
            let now = self.now;
            let text = format!(
                "invalid request, please check your server timestamp or recv_window param. \
                 req_timestamp[{stamp}],server_timestamp[{now}],recv_window[{window}]"
            );
            ApiError::new(10002, text)
        };
        let at = stamp.parse::<i64>().ok().ok_or_else(refused)?;
        let allowed = if window.is_empty() {
            WINDOW_MS
        } else {
            window.parse::<i64>().ok().ok_or_else(refused)?
        };
        let is_late = self.now.saturating_sub(allowed) > at;
        if is_late || at >= self.now.saturating_add(AHEAD_MS_MAX) {
            return Err(refused());
        }
        Ok(())
    }

    fn reply(
        &self,
        route: &Route,
        result: Result<Answered, ApiError>,
        quota: Option<Quota>,
    ) -> Response {
        let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        if let Some(quota) = quota {
            for (name, value) in [
                ("X-Bapi-Limit", i64::from(quota.limit)),
                ("X-Bapi-Limit-Status", i64::from(quota.left)),
                ("X-Bapi-Limit-Reset-Timestamp", quota.reset_ms),
            ] {
                headers.push((name.to_owned(), value.to_string()));
            }
        }
        let (code, msg, result, each) = match result {
            Ok(answered) => (0, route.ok.to_owned(), answered.result, answered.each),
            Err(error) => (error.code, error.msg, error.result, Vec::new()),
        };
        let more = if each.is_empty() {
            json!({})
        } else {
            json!({ "list": each })
        };
        let body = json!({
            "retCode": code, "retMsg": msg, "result": result, "retExtInfo": more, "time": self.now
        });
        Response {
            status: 200,
            headers,
            body: body.to_string().into_bytes(),
        }
    }
}

/// What an endpoint answers with, and what a batch says of each of its requests.
struct Answered {
    result: Value,
    each: Vec<Value>,
}
