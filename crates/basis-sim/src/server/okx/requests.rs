//! A request's way through path, limits, clock, key, signature and maintenance, and the answer's form.

use basis_core::transport::{Request, Response};
use basis_core::types::Timestamp;
use serde_json::{Value, json};

use super::error::{ApiError, MAINTAINED, envelope};
use super::params::Params;
use super::routes::{self, Access, Call, Route};
use super::{Exchange, Key};
use crate::server::http::{header, html, target_of};

/// How far a stamp may be off, in either direction.
const WINDOW_MS: i64 = 30_000;
/// What the deadline of a request bounds.
const BOUNDED: [&str; 4] = [
    "/api/v5/trade/order",
    "/api/v5/trade/batch-orders",
    "/api/v5/trade/amend-order",
    "/api/v5/trade/amend-batch-orders",
];

impl Exchange {
    /// Answers a request that was let in at `let_in_ms` and is worked off now.
    pub(super) fn answer(&mut self, request: &Request, let_in_ms: i64) -> Response {
        let target = target_of(&request.url);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let Some(route) = routes::find(request.method, path) else {
            return html(404, "Not Found");
        };
        let is_order = request.method == "POST" && path.starts_with("/api/v5/trade/");
        match self.route(route, request, (target, query), let_in_ms) {
            Ok(data) => self.reply(&data, is_order, let_in_ms),
            Err(e) => {
                let body = json!({ "code": e.code.to_string(), "data": [], "msg": e.msg });
                envelope(e.status, &body)
            }
        }
    }

    fn route(
        &mut self,
        route: &Route,
        request: &Request,
        (target, query): (&str, &str),
        let_in_ms: i64,
    ) -> Result<Vec<Value>, ApiError> {
        let mut account = 0;
        let mut name = "";
        if route.access != Access::Open {
            name = header(request, "OK-ACCESS-KEY").unwrap_or_default();
            let key = self.admit(request, target, let_in_ms)?;
            account = key.account;
            let may = &key.permissions;
            let allowed = match route.access {
                Access::Open | Access::Read => true,
                Access::Trade => may.trade,
                Access::Withdraw => may.withdraw,
            };
            if !allowed {
                let text = "This API key doesn't have permission to use this function";
                return Err(ApiError::new(50_120, text));
            }
        }
        let requests = if request.method == "GET" {
            vec![Params::of_query(query)?]
        } else {
            Params::of_body(&request.body)?
        };
        let is_act = matches!(route.access, Access::Trade | Access::Withdraw);
        if is_act && self.own.is_maintained {
            return Err(ApiError {
                status: 503,
                ..ApiError::new(50_001, MAINTAINED)
            });
        }
        let endpoint = (route.method, route.path);
        for (pool, most, count) in route.limit.of(endpoint, account, &requests) {
            if !self.own.usage.admits(self.now, pool, most, count) {
                return Err(ApiError::too_often());
            }
        }
        let is_late = self.check_deadline(route.path, request, let_in_ms)?;
        let mut call = Call {
            requests: &requests,
            account,
            key: name,
            is_late,
        };
        (route.answer)(self, &mut call)
    }

    /// Checks network, clock, key, passphrase and signature; returns the key.
    fn admit(&self, request: &Request, target: &str, let_in_ms: i64) -> Result<&Key, ApiError> {
        let text = |name| header(request, name).unwrap_or_default();
        let (name, sign) = (text("OK-ACCESS-KEY"), text("OK-ACCESS-SIGN"));
        let (stamp, passphrase) = (text("OK-ACCESS-TIMESTAMP"), text("OK-ACCESS-PASSPHRASE"));
        for (header, value, code) in [
            ("OK-ACCESS-KEY", name, 50_103),
            ("OK-ACCESS-PASSPHRASE", passphrase, 50_104),
            ("OK-ACCESS-SIGN", sign, 50_106),
            ("OK-ACCESS-TIMESTAMP", stamp, 50_107),
        ] {
            if value.is_empty() {
                let text = format!("Request header \"{header}\" can't be empty.");
                return Err(ApiError::unauthorized(code, &text));
            }
        }
        check_stamp(stamp, let_in_ms)?;
        let wants_demo = text("x-simulated-trading") == "1";
        let Some(key) = self.own.keys.get(name) else {
            return Err(ApiError::unauthorized(50_119, "API key doesn't exist"));
        };
        if wants_demo != self.own.is_demo {
            let text = "APIKey does not match current environment.";
            return Err(ApiError::unauthorized(50_101, text));
        }
        if key.passphrase != passphrase {
            let text = "Request header \"OK-ACCESS-PASSPHRASE\" incorrect.";
            return Err(ApiError::unauthorized(50_105, text));
        }
        let mut payload = [stamp, request.method, target].concat().into_bytes();
        payload.extend_from_slice(&request.body);
        if !key.verifier.accepts(&payload, sign) {
            return Err(ApiError::unauthorized(50_113, "Invalid Sign"));
        }
        Ok(key)
    }

    /// Checks the deadline of what can have one: past when the request was let in refuses all of it, past since
    /// then each order in it.
    fn check_deadline(
        &self,
        path: &str,
        request: &Request,
        let_in_ms: i64,
    ) -> Result<bool, ApiError> {
        let deadline = header(request, "expTime").filter(|text| !text.is_empty());
        let Some(deadline) = deadline.filter(|_| BOUNDED.contains(&path)) else {
            return Ok(false);
        };
        let deadline: i64 = deadline
            .parse()
            .ok()
            .ok_or_else(|| ApiError::parameter("expTime"))?;
        if deadline < let_in_ms {
            let text = "The expTime can't be earlier than the current system time. Please adjust the expTime \
                        and try again.";
            return Err(ApiError::new(50_036, text));
        }
        Ok(deadline < self.now)
    }

    /// A success, or the orders of a request that were not taken.
    fn reply(&self, data: &[Value], is_order: bool, let_in_ms: i64) -> Response {
        let refused = |row: &&Value| row.get("sCode").is_some_and(|code| code != "0");
        let (refused, all) = (data.iter().filter(refused).count(), data.len());
        let (code, msg) = match refused {
            0 => ("0", ""),
            count if count == all => ("1", "All operations failed"),
            _ => ("2", "Bulk operation partially succeeded."),
        };
        let mut body = json!({ "code": code, "data": data, "msg": msg });
        if let Some(body) = body.as_object_mut().filter(|_| is_order) {
            for (name, ms) in [("inTime", let_in_ms), ("outTime", self.now)] {
                body.insert(name.to_owned(), json!(format!("{ms}000")));
            }
        }
        envelope(200, &body)
    }
}

/// An instant as `2020-12-08T09:08:57.715Z`, not too far from the venue's.
fn check_stamp(stamp: &str, now: i64) -> Result<(), ApiError> {
    let is_whole = stamp.len() == 24 && stamp.ends_with('Z');
    let at = Some(stamp).filter(|_| is_whole);
    let at = at.and_then(|stamp| Timestamp::parse(stamp).ok());
    let Some(at) = at else {
        let text = "Invalid OK-ACCESS-TIMESTAMP";
        return Err(ApiError::unauthorized(50_112, text));
    };
    let off = (at.nanos() / 1_000_000).saturating_sub(now);
    if off.abs() > WINDOW_MS {
        return Err(ApiError::unauthorized(50_102, "Timestamp request expired"));
    }
    Ok(())
}
