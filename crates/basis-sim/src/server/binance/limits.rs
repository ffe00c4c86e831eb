//! Request weights, order counts, refusals and bans.

use std::collections::BTreeMap;

use super::error::ApiError;
use super::routes::Family;
use super::settings::Limits;

/// Windows of order counters, in milliseconds.
const TEN_SECONDS: i64 = 10_000;
const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;

/// A count within a fixed window.
#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    window: i64,
    count: u32,
}

impl Counter {
    fn at(self, now: i64, length_ms: i64) -> u32 {
        if self.window == now.div_euclid(length_ms) {
            self.count
        } else {
            0
        }
    }

    fn add(&mut self, now: i64, length_ms: i64, by: u32) -> u32 {
        self.count = self.at(now, length_ms).saturating_add(by);
        self.window = now.div_euclid(length_ms);
        self.count
    }

    fn take_back(&mut self, now: i64, length_ms: i64, by: u32) {
        self.count = self.at(now, length_ms).saturating_sub(by);
        self.window = now.div_euclid(length_ms);
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct OrderCounters {
    short: Counter,
    long: Counter,
}

/// Requests that came from one address, and orders by account.
#[derive(Clone, Debug)]
pub(super) struct Usage {
    limits: Limits,
    weights: BTreeMap<Family, Counter>,
    orders: BTreeMap<(Family, u32), OrderCounters>,
    refusals: Counter,
    banned_until_ms: i64,
}

/// An order counter: interval, how many of it, the most, and how many there were.
pub(super) type OrderCount = (&'static str, u32, u32, u32);

impl Usage {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            weights: BTreeMap::new(),
            orders: BTreeMap::new(),
            refusals: Counter::default(),
            banned_until_ms: 0,
        }
    }

    const fn weight_max(&self, family: Family) -> u32 {
        match family {
            Family::Spot => self.limits.spot_weight_1m,
            Family::UsdM => self.limits.usdm_weight_1m,
            Family::Wallet => self.limits.wallet_weight_1m,
        }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// 418 under a ban, 429 over the weight of the minute; going on after these brings a ban.
    pub(super) fn request(
        &mut self,
        now: i64,
        family: Family,
        weight: u32,
    ) -> Result<(), ApiError> {
        if now < self.banned_until_ms {
            return Err(self.ban(now));
        }
        let max = self.weight_max(family);
        let counter = self.weights.entry(family).or_default();
        if counter.add(now, MINUTE, weight) <= max {
            return Ok(());
        }
        if self.refusals.add(now, MINUTE, 1) > self.limits.refusals_before_ban {
            self.banned_until_ms = now.saturating_add(self.limits.ban_s.saturating_mul(1000));
            return Err(self.ban(now));
        }
        let text = match family {
            Family::UsdM => format!(
                "Too many requests; current limit of IP is {max} requests per minute. Please use the websocket for \
                 live updates to avoid polling the API."
            ),
            Family::Spot | Family::Wallet => format!(
                "Too much request weight used; current limit is {max} request weight per 1 MINUTE. Please use \
                 WebSocket Streams for live updates to avoid polling the API."
            ),
        };
        let mut error = ApiError::with_status(429, -1003, text);
        error.retry_after_s = Some(seconds_to_next(now, MINUTE));
        Err(error)
    }

    /// Bans the address, as too many refusals do.
    pub(super) fn ban_for(&mut self, now: i64, seconds: i64) {
        self.banned_until_ms = now.saturating_add(seconds.saturating_mul(1000));
    }

    fn ban(&self, now: i64) -> ApiError {
        let until = self.banned_until_ms;
        let text = format!(
            "Way too much request weight used; IP banned until {until}. Please use WebSocket Streams for live updates \
             to avoid bans."
        );
        let mut error = ApiError::with_status(418, -1003, text);
        error.retry_after_s = Some(until.saturating_sub(now).saturating_add(999) / 1000);
        error
    }

    /// The windows of order counters: length, interval, how many of it, the most.
    const fn windows(&self, family: Family) -> [(i64, &'static str, u32, u32); 2] {
        match family {
            Family::UsdM => [
                (TEN_SECONDS, "SECOND", 10, self.limits.usdm_orders_10s),
                (MINUTE, "MINUTE", 1, self.limits.usdm_orders_1m),
            ],
            Family::Spot | Family::Wallet => [
                (TEN_SECONDS, "SECOND", 10, self.limits.spot_orders_10s),
                (DAY, "DAY", 1, self.limits.spot_orders_1d),
            ],
        }
    }

    /// Counts an order.
    ///
    /// # Errors
    /// 429 with -1015 when there were too many.
    pub(super) fn order(&mut self, now: i64, family: Family, account: u32) -> Result<(), ApiError> {
        let [short, long] = self.windows(family);
        let counters = self.orders.entry((family, account)).or_default();
        for (counter, (length, interval, many, max)) in
            [(&counters.short, short), (&counters.long, long)]
        {
            if counter.at(now, length) >= max {
                let text = format!(
                    "Too many new orders; current limit is {max} orders per {many} {interval}."
                );
                let mut error = ApiError::with_status(429, -1015, text);
                error.retry_after_s = Some(seconds_to_next(now, length));
                return Err(error);
            }
        }
        counters.short.add(now, short.0, 1);
        counters.long.add(now, long.0, 1);
        Ok(())
    }

    /// Gives a spot order back to the count: those that trade are not counted.
    pub(super) fn order_filled(&mut self, now: i64, account: u32) {
        let [short, long] = self.windows(Family::Spot);
        let counters = self.orders.entry((Family::Spot, account)).or_default();
        counters.short.take_back(now, short.0, 1);
        counters.long.take_back(now, long.0, 1);
    }

    /// Returns how many orders there were in each window.
    pub(super) fn order_counts(&self, now: i64, family: Family, account: u32) -> [OrderCount; 2] {
        let counters = self.orders.get(&(family, account));
        let counters = counters.copied().unwrap_or_default();
        let [short, long] = self.windows(family);
        [(counters.short, short), (counters.long, long)].map(
            |(counter, (length, interval, many, max))| {
                (interval, many, max, counter.at(now, length))
            },
        )
    }

    /// Returns the weight used in this minute.
    pub(super) fn weight(&self, now: i64, family: Family) -> u32 {
        let counter = self.weights.get(&family).copied();
        counter.unwrap_or_default().at(now, MINUTE)
    }
}

const fn seconds_to_next(now: i64, length_ms: i64) -> i64 {
    (length_ms - now.rem_euclid(length_ms) + 999) / 1000
}
