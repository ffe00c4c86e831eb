//! Requests of an address, and of an account at each endpoint.

use std::collections::{BTreeMap, VecDeque};

use super::settings::Limits;

const FIVE_SECONDS: i64 = 5_000;
const SECOND: i64 = 1_000;

/// How an endpoint's limit stands after a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota {
    pub(super) limit: u32,
    pub(super) left: u32,
    pub(super) reset_ms: i64,
    pub(super) is_over: bool,
}

/// What was asked lately.
#[derive(Clone, Debug)]
pub(super) struct Usage {
    limits: Limits,
    address: VecDeque<i64>,
    banned_until_ms: i64,
    /// Group and account: a second, and how many requests came in it.
    endpoints: BTreeMap<(&'static str, u32), (i64, u32)>,
}

impl Usage {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            address: VecDeque::new(),
            banned_until_ms: 0,
            endpoints: BTreeMap::new(),
        }
    }

    /// Counts a request of the address; tells whether it is let in.
    pub(super) fn admits(&mut self, now: i64) -> bool {
        if now < self.banned_until_ms {
            return false;
        }
        self.address.retain(|at| now - at < FIVE_SECONDS);
        self.address.push_back(now);
        let most = usize::try_from(self.limits.requests_5s).unwrap_or(usize::MAX);
        if self.address.len() <= most {
            return true;
        }
        self.ban_for(now, self.limits.ban_s);
        false
    }

    pub(super) fn ban_for(&mut self, now: i64, seconds: i64) {
        self.banned_until_ms = now.saturating_add(seconds.saturating_mul(1000));
        self.address.clear();
    }

    /// Counts `count` requests of an account at an endpoint that takes `limit` a second.
    pub(super) fn count(
        &mut self,
        now: i64,
        (group, account): (&'static str, u32),
        (limit, count): (u32, u32),
    ) -> Quota {
        let limit = limit.saturating_mul(self.limits.endpoint_factor);
        let second = now.div_euclid(SECOND);
        let entry = self.endpoints.entry((group, account)).or_default();
        if entry.0 != second {
            *entry = (second, 0);
        }
        let used = entry.1.saturating_add(count);
        let is_over = used > limit;
        if !is_over {
            entry.1 = used;
        }
        let reset_ms = if is_over { (second + 1) * SECOND } else { now };
        Quota {
            limit,
            left: limit.saturating_sub(entry.1),
            reset_ms,
            is_over,
        }
    }
}
