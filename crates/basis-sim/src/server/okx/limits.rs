//! Requests at each endpoint: of an address, of an account, of an account in one instrument.

use std::collections::BTreeMap;

use super::settings::Limits;

/// The window of most limits.
const TWO_SECONDS: i64 = 2_000;

/// What is counted together: an endpoint's requests of an account, or those of it in one instrument.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pool {
    endpoint: (&'static str, &'static str),
    account: u32,
    of: String,
}

impl Pool {
    pub(super) const fn new(
        endpoint: (&'static str, &'static str),
        account: u32,
        of: String,
    ) -> Self {
        Self {
            endpoint,
            account,
            of,
        }
    }
}

/// What was asked lately.
#[derive(Clone, Debug)]
pub(super) struct Usage {
    limits: Limits,
    /// Windows, and how much came in them.
    pools: BTreeMap<Pool, (i64, u32)>,
}

impl Usage {
    pub(super) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            pools: BTreeMap::new(),
        }
    }

    /// Counts `count` of a pool that takes `most` in `window_ms`; tells whether they are let in. What is not
    /// let in is not counted.
    pub(super) fn admits(
        &mut self,
        now: i64,
        pool: Pool,
        (most, window_ms): (u32, i64),
        count: u32,
    ) -> bool {
        let most = most.saturating_mul(self.limits.endpoint_factor);
        let window = now.div_euclid(window_ms);
        let entry = self.pools.entry(pool).or_default();
        if entry.0 != window {
            *entry = (window, 0);
        }
        let used = entry.1.saturating_add(count);
        if used > most {
            return false;
        }
        entry.1 = used;
        true
    }

    /// Counts new and amended orders of an account, whatever the endpoint.
    pub(super) fn admits_orders(&mut self, now: i64, account: u32, count: u32) -> bool {
        let most = self.limits.orders_2s;
        let pool = Pool::new(("POST", "new and amended orders"), account, String::new());
        self.admits(now, pool, (most, TWO_SECONDS), count)
    }
}
