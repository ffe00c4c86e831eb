//! Limits of requests and orders, as a venue counts them.
//!
//! A venue counts weight and orders over intervals of its clock, says in headers how much is used, and names
//! a time to wait when it is too much. Reads stop at four fifths of a limit, so that there is always room
//! for an order.

use basis_core::types::{Span, Timestamp};

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counted {
    /// The weight of requests.
    Weight,
    /// Orders.
    Orders,
}

/// At most so much in each interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is counted.
    pub counted: Counted,
    /// The interval, > 0; it begins at a multiple of itself.
    pub interval: Span,
    /// The most within it.
    pub max: u32,
}

/// Which share of a limit a request may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// All of it.
    Order,
    /// Four fifths of it.
    Read,
}

/// What a request uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Weight.
    pub weight: u32,
    /// Orders.
    pub orders: u32,
    /// Whose share it uses.
    pub priority: Priority,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    limit: Limit,
    began: Timestamp,
    used: u32,
}

/// What may be sent now.
#[derive(Clone, Debug, Default)]
pub struct RateLimiter {
    windows: Vec<Window>,
    held_until: Option<Timestamp>,
}

impl Window {
    fn roll(&mut self, now: Timestamp) {
        let began = now.floor_to(self.limit.interval);
        if began > self.began {
            (self.began, self.used) = (began, 0);
        }
    }

    const fn amount(&self, cost: Cost) -> u32 {
        match self.limit.counted {
            Counted::Weight => cost.weight,
            Counted::Orders => cost.orders,
        }
    }

    fn has_room(&self, cost: Cost) -> bool {
        let amount = self.amount(cost);
        let share = match cost.priority {
            Priority::Order => self.limit.max,
            Priority::Read => self.limit.max.saturating_sub(self.limit.max / 5),
        };
        amount == 0 || self.used.saturating_add(amount) <= share
    }
}

impl RateLimiter {
    /// Nothing used yet.
    #[must_use]
    pub fn new(limits: &[Limit]) -> Self {
        let window = |limit: &Limit| Window {
            limit: *limit,
            began: Timestamp::MIN,
            used: 0,
        };
        Self {
            windows: limits.iter().map(window).collect(),
            held_until: None,
        }
    }

    /// Takes the limits that the venue publishes; what is counted already stays counted.
    pub fn set_limits(&mut self, limits: &[Limit]) {
        let old = std::mem::take(&mut self.windows);
        self.windows = Self::new(limits).windows;
        for window in &mut self.windows {
            let same = |other: &&Window| {
                other.limit.counted == window.limit.counted
                    && other.limit.interval == window.limit.interval
            };
            if let Some(before) = old.iter().find(same) {
                (window.began, window.used) = (before.began, before.used);
            }
        }
    }

    /// Counts a request at `now`.
    ///
    /// # Errors
    /// When it may not be sent yet: the instant at which it may be asked again. Nothing is counted then.
    pub fn admit(&mut self, now: Timestamp, cost: Cost) -> Result<(), Timestamp> {
        if let Some(until) = self.held_until {
            if now < until {
                return Err(until);
            }
            self.held_until = None;
        }
        for window in &mut self.windows {
            window.roll(now);
        }
        let full = self.windows.iter().filter(|window| !window.has_room(cost));
        let free_at = full.map(|window| window.began.plus(window.limit.interval));
        if let Some(at) = free_at.max() {
            return Err(at);
        }
        for window in &mut self.windows {
            window.used = window.used.saturating_add(window.amount(cost));
        }
        Ok(())
    }

    /// Takes what the venue says is used of the limit over `interval`. It may count what others send too;
    /// what it has not counted yet stays counted here.
    pub fn observe(&mut self, now: Timestamp, counted: Counted, interval: Span, used: u32) {
        for window in &mut self.windows {
            if window.limit.counted == counted && window.limit.interval == interval {
                window.roll(now);
                window.used = window.used.max(used);
            }
        }
    }

    /// Sends nothing before `until`.
    pub fn hold(&mut self, until: Timestamp) {
        self.held_until = self.held_until.max(Some(until));
    }

    /// Until when nothing is sent.
    #[must_use]
    pub const fn held_until(&self) -> Option<Timestamp> {
        self.held_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Span = Span::from_seconds(60);

    fn limiter() -> RateLimiter {
        let limit = |counted, interval, max| Limit {
            counted,
            interval,
            max,
        };
        RateLimiter::new(&[
            limit(Counted::Weight, MINUTE, 100),
            limit(Counted::Orders, Span::from_seconds(10), 2),
        ])
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(6_000 + seconds)
    }

    fn read(weight: u32) -> Cost {
        Cost {
            weight,
            orders: 0,
            priority: Priority::Read,
        }
    }

    const ORDER: Cost = Cost {
        weight: 1,
        orders: 1,
        priority: Priority::Order,
    };

    #[test]
    fn reads_leave_a_fifth_of_the_weight_to_orders() {
        let mut limiter = limiter();
        assert_eq!(limiter.admit(at(5), read(80)), Ok(()));
        assert_eq!(limiter.admit(at(5), read(1)), Err(at(60)));
        assert_eq!(limiter.admit(at(5), ORDER), Ok(()));
        assert_eq!(limiter.admit(at(60), read(80)), Ok(()));
    }

    #[test]
    fn orders_are_counted_in_their_own_interval() {
        let mut limiter = limiter();
        assert_eq!(limiter.admit(at(9), ORDER), Ok(()));
        assert_eq!(limiter.admit(at(9), ORDER), Ok(()));
        assert_eq!(limiter.admit(at(9), ORDER), Err(at(10)));
        assert_eq!(limiter.admit(at(9), read(1)), Ok(()));
        assert_eq!(limiter.admit(at(10), ORDER), Ok(()));
    }

    #[test]
    fn what_the_venue_counts_more_is_counted_and_what_it_counts_less_is_not_forgotten() {
        let mut limiter = limiter();
        limiter.observe(at(1), Counted::Weight, MINUTE, 79);
        assert_eq!(limiter.admit(at(1), read(1)), Ok(()));
        limiter.observe(at(1), Counted::Weight, MINUTE, 3);
        assert_eq!(limiter.admit(at(1), read(1)), Err(at(60)));
    }

    #[test]
    fn a_ban_holds_orders_too_and_the_later_one_counts() {
        let mut limiter = limiter();
        limiter.hold(at(120));
        limiter.hold(at(90));
        assert_eq!(limiter.admit(at(0), ORDER), Err(at(120)));
        assert_eq!(limiter.admit(at(120), ORDER), Ok(()));
    }

    #[test]
    fn published_limits_keep_what_was_counted() {
        let mut limiter = limiter();
        assert_eq!(limiter.admit(at(1), read(50)), Ok(()));
        limiter.set_limits(&[Limit {
            counted: Counted::Weight,
            interval: MINUTE,
            max: 60,
        }]);
        assert_eq!(limiter.admit(at(1), read(1)), Err(at(60)));
    }
}
