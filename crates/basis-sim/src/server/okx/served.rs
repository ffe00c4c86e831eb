//! OKX's ways below the wire, and how it is opened.

use basis_core::num::Fixed18;
use basis_core::transport::{Request, Response};
use basis_core::types::Timestamp;

use super::limits::Usage;
use super::settings::LEVERAGE;
use super::wallet::Funding;
use super::{Category, Exchange, Okx, Settings};
use crate::server::unified::{Opening, Ways};
use crate::server::venue::VenueSettings;

impl VenueSettings for Settings {
    type Venue = Exchange;

    fn seed(&self) -> u64 {
        self.seed
    }

    fn open(self, at: Timestamp) -> Exchange {
        let own = Okx {
            limits: self.limits,
            is_demo: self.is_demo,
            keys: Default::default(),
            usage: Usage::new(self.limits),
            accounts: Default::default(),
            terms: Default::default(),
            countdowns: Default::default(),
            funding: Funding::new(self.chains),
            announced: Vec::new(),
            is_maintained: false,
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

impl Ways for Okx {
    const LEVERAGE: Fixed18 = LEVERAGE;
    const REBATES_IN_GIVEN: bool = false;
    const ENDS_WHERE_FILLED: bool = true;

    fn id(_: Category, number: u64, _: &mut dyn FnMut() -> u64) -> String {
        number.to_string()
    }

    /// Of spot in quote, where the account pays so.
    fn pays_in_quote(exchange: &Exchange, account: u32) -> bool {
        let profile = exchange.own.accounts.get(&account);
        profile.is_some_and(|profile| profile.fees_in_quote)
    }

    fn answer(exchange: &mut Exchange, request: &Request, let_in_ms: i64) -> Response {
        exchange.answer(request, let_in_ms)
    }

    fn next_due(exchange: &Exchange) -> Option<i64> {
        let dues = [exchange.next_countdown(), exchange.next_movement()];
        dues.into_iter().flatten().min()
    }

    fn run_due(exchange: &mut Exchange) {
        exchange.run_countdowns();
        exchange.run_movements();
    }
}
