//! Faults by rule and by seed: what goes wrong on the way to the venue, in it, and on the way back.
//!
//! A [`Rule`] says of which requests or frames it speaks, which of these it hits, and how. All draws come
//! from one seed in the order of the traffic, so that a schedule repeats to the byte.

use basis_core::transport::Response;
use serde_json::json;

use super::http::html;
use super::random::Random;

/// What of the traffic a rule speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Requests with this method and path; `None` for any.
    Request {
        /// `GET`, `POST`, `PUT` or `DELETE`.
        method: Option<&'static str>,
        /// As `/api/v3/order`.
        path: Option<&'static str>,
    },
    /// Frames whose event is `event`, as `executionReport`; `None` for any.
    Frame {
        /// The event's name.
        event: Option<&'static str>,
    },
    /// New stream connections.
    Connection,
}

/// Which of the traffic that a rule speaks of it hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// All of it.
    Always,
    /// The n-th alone, counted from 1.
    Nth(u32),
    /// Each with a chance of so many in 10,000.
    Chance(u32),
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request never arrives, and its connection breaks.
    DropRequest,
    /// The request is taken; the connection breaks before the answer.
    DropReply,
    /// The request arrives later, in milliseconds; its stamp grows old on the way.
    DelayRequest(i64),
    /// The request is let in, and reaches the engine later, in milliseconds: spot's takes it then whatever its
    /// stamp says, USD-M's refuses what has grown old with -5028. Spot answers -1007 after ten seconds.
    DelayEngine(i64),
    /// The answer comes later, in milliseconds.
    DelayReply(i64),
    /// The request is taken, and the answer's body is cut and spoiled.
    Garble,
    /// The answer is another one; whether the request was taken is the rule's to say.
    Reply {
        /// What comes instead.
        reply: Failure,
        /// Whether the venue took the request all the same.
        taken: bool,
    },
    /// Nothing at all is taken or sent for so many milliseconds; what waits is taken then.
    Freeze(i64),
    /// The venue stops and starts again after so many milliseconds with all it knew: connections close,
    /// and what is under way is lost.
    Restart(i64),
    /// The stream is closed instead of the frame.
    CloseStream,
    /// The frame is never sent: the sequence skips.
    DropFrame,
    /// The frame is sent twice.
    DuplicateFrame,
    /// The frame and all after it come later, in milliseconds.
    DelayFrame(i64),
    /// The frame's text is cut and spoiled.
    GarbleFrame,
    /// A stream connection is refused.
    RefuseConnection,
}

/// An answer that stands for the venue's own, as documented; those with a name are Binance's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// 429 with -1003 and `Retry-After` in seconds.
    TooManyRequests(i64),
    /// 418 with -1003 and `Retry-After` in seconds.
    Banned(i64),
    /// 403 of the firewall.
    Firewall,
    /// 408 with -1007: the backend did not answer in time.
    BackendTimeout,
    /// 503 with "Unknown error…": the outcome is unknown.
    UnknownError,
    /// 503 with "Service Unavailable.": it failed.
    ServiceUnavailable,
    /// 503 with "Internal error; unable to process…", the text of -1001.
    InternalError,
    /// 503 with -1008: overloaded, it failed.
    Overloaded,
    /// 500 with -1006.
    UnexpectedResponse,
    /// 502 with a page of a proxy.
    BadGateway,
    /// 504 with a page of a proxy.
    GatewayTimeout,
    /// 200 with a page instead of JSON.
    Page,
    /// A refusal of the venue by status, code and text.
    Error {
        /// HTTP status.
        status: u16,
        /// Binance's number.
        code: i64,
        /// Binance's text.
        msg: &'static str,
    },
    /// An answer of another venue, as that documents it.
    Answer(Response),
}

impl Failure {
    /// Returns the answer.
    #[must_use]
    pub fn response(&self) -> Response {
        let error = |status, code: i64, msg: &str| Response {
            status,
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body: json!({ "code": code, "msg": msg }).to_string().into_bytes(),
        };
        let waits = |mut response: Response, seconds: i64| {
            let header = ("Retry-After".to_owned(), seconds.to_string());
            response.headers.push(header);
            response
        };
        match self {
            Self::TooManyRequests(seconds) => {
                waits(error(429, -1003, "Too many requests."), *seconds)
            }
            Self::Banned(seconds) => waits(
                error(418, -1003, "Way too many requests; IP banned."),
                *seconds,
            ),
            Self::Firewall => html(403, "Forbidden"),
            Self::BackendTimeout => error(
                408,
                -1007,
                "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
            ),
            Self::UnknownError => error(
                503,
                -1000,
                "Unknown error, please check your request or try again later.",
            ),
            Self::ServiceUnavailable => error(503, -1000, "Service Unavailable."),
            Self::InternalError => error(
                503,
                -1001,
                "Internal error; unable to process your request. Please try again.",
            ),
            Self::Overloaded => error(
                503,
                -1008,
                "Server is currently overloaded with other requests. Please try again in a few minutes.",
            ),
            Self::UnexpectedResponse => error(
                500,
                -1006,
                "An unexpected response was received from the message bus. Execution status unknown.",
            ),
            Self::BadGateway => html(502, "Bad Gateway"),
            Self::GatewayTimeout => html(504, "Gateway Timeout"),
            Self::Page => html(200, "Maintenance"),
            Self::Error { status, code, msg } => error(*status, *code, msg),
            Self::Answer(response) => response.clone(),
        }
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Of what.
    pub target: Target,
    /// Which of it.
    pub when: When,
    /// How.
    pub fault: Fault,
}

impl Rule {
    /// A rule on requests with `method` and `path`.
    #[must_use]
    pub const fn on(method: &'static str, path: &'static str, when: When, fault: Fault) -> Self {
        Self {
            target: Target::Request {
                method: Some(method),
                path: Some(path),
            },
            when,
            fault,
        }
    }

    /// A rule on frames with `event`.
    #[must_use]
    pub const fn on_frame(event: &'static str, when: When, fault: Fault) -> Self {
        Self {
            target: Target::Frame { event: Some(event) },
            when,
            fault,
        }
    }
}

/// Rules in force, and what they have seen.
#[derive(Clone, Debug)]
pub(super) struct Faults {
    rules: Vec<(Rule, u32)>,
    random: Random,
    injected: u64,
}

/// What the traffic is at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Traffic<'a> {
    Request { method: &'a str, path: &'a str },
    Frame { event: &'a str },
    Connection,
}

impl Target {
    fn speaks_of(&self, traffic: Traffic<'_>) -> bool {
        match (self, traffic) {
            (Self::Request { method, path }, Traffic::Request { method: m, path: p }) => {
                method.is_none_or(|method| method == m) && path.is_none_or(|path| path == p)
            }
            (Self::Frame { event }, Traffic::Frame { event: e }) => {
                event.is_none_or(|event| event == e)
            }
            (Self::Connection, Traffic::Connection) => true,
            _ => false,
        }
    }
}

impl Faults {
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            rules: Vec::new(),
            // Another stream than the venue's ids have.
            random: Random::new(seed ^ 0x5bf0_3635_dee6_d2d1),
            injected: 0,
        }
    }

    pub(super) fn set(&mut self, rules: Vec<Rule>) {
        self.rules = rules.into_iter().map(|rule| (rule, 0)).collect();
    }

    /// How many faults there were.
    pub(super) const fn injected(&self) -> u64 {
        self.injected
    }

    /// Whether any rule is in force.
    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Draws the faults of this piece of traffic, in the order of the rules.
    pub(super) fn draw(&mut self, traffic: Traffic<'_>) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (rule, seen) in &mut self.rules {
            if !rule.target.speaks_of(traffic) {
                continue;
            }
            *seen = seen.saturating_add(1);
            let hits = match rule.when {
                When::Always => true,
                When::Nth(n) => *seen == n,
                When::Chance(bps) => self.random.hits(bps),
            };
            if hits {
                faults.push(rule.fault.clone());
            }
        }
        self.injected += u64::try_from(faults.len()).unwrap_or(0);
        faults
    }

    /// Cuts and spoils text; always another text, and no JSON.
    pub(super) fn garble(&mut self, text: &[u8]) -> Vec<u8> {
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX).max(1);
        let kept = usize::try_from(self.random.next() % length).unwrap_or(0);
        let mut spoiled = text.get(..kept).unwrap_or_default().to_vec();
        spoiled.extend_from_slice(b"\x7f{");
        spoiled
    }
}
