//! Bybit's ways below the wire, and how it is opened.

use basis_core::num::Fixed18;
use basis_core::transport::{Request, Response};
use basis_core::types::Timestamp;

use super::limits::Usage;
use super::{Bybit, Category, Exchange, Settings};
use crate::server::unified::{Opening, Ways};
use crate::server::venue::VenueSettings;

impl VenueSettings for Settings {
    type Venue = Exchange;

    fn seed(&self) -> u64 {
        self.seed
    }

    fn open(self, at: Timestamp) -> Exchange {
        let own = Bybit {
            limits: self.limits,
            has_wallet: self.has_wallet,
            keys: Default::default(),
            usage: Usage::new(self.limits),
            links: Default::default(),
            recent_since_ms: i64::MIN,
        };
        let opening = Opening {
            own,
            seed: self.seed,
            first_id: self.first_id,
            listings: self.listings,
            latency: self.latency,
            behavior: self.behavior,
            engine_ms: self.engine_ms,
            clock_ahead_ms: self.clock_ahead_ms,
        };
        Exchange::open_at(opening, at)
    }
}

impl Ways for Bybit {
    const LEVERAGE: Fixed18 = Fixed18::from_int(10);
    const REBATES_IN_GIVEN: bool = true;
    const ENDS_WHERE_FILLED: bool = false;

    /// A number on spot, a UUID of perpetuals.
    fn id(category: Category, number: u64, draw: &mut dyn FnMut() -> u64) -> String {
        match category {
            Category::Spot => number.to_string(),
            Category::Linear => {
                let drawn = draw();
                format!(
                    "{:08x}-{:04x}-4{:03x}-8{:03x}-{number:012x}",
                    drawn >> 32,
                    drawn >> 16 & 0xffff,
                    drawn >> 4 & 0xfff,
                    drawn & 0xfff
                )
            }
        }
    }

    /// The window is checked where the request is worked off: what grew old on its way is refused.
    fn answer(exchange: &mut Exchange, request: &Request, _let_in_ms: i64) -> Response {
        exchange.answer(request)
    }

    fn restarted(exchange: &mut Exchange) {
        exchange.own.recent_since_ms = exchange.now;
    }
}
