//! Best bid and ask from the public streams: what a market order's collar is measured from, where one is there that
//! came a moment ago. Otherwise the quote is read by REST.

use std::collections::BTreeMap;

use basis_core::num::Price;
use basis_core::types::{Side, Span, Timestamp};

use super::BinanceMachine;
use super::admit::product_of;
use crate::binance::codec::Product;
use crate::binance::codec::replies::BookTicker;
use crate::binance::codec::stream::{QuoteFact, quote_frame};

/// How old a quote may be.
const AGE_MAX: Span = Span::from_seconds(1);

/// The newest quote of each instrument.
#[derive(Debug, Default)]
pub(super) struct Quotes(BTreeMap<(Product, String), Quote>);

#[derive(Debug)]
struct Quote {
    /// The venue's number of the state of its book.
    update: u64,
    received: Timestamp,
    ticker: BookTicker,
}

impl Quotes {
    /// Forgets the quotes of a product whose stream was lost: its numbers may begin anew.
    pub(super) fn forget(&mut self, of: Product) {
        self.0.retain(|(product, _), _| *product != of);
    }
}

impl BinanceMachine {
    /// The streams of the managed instruments of `product`, as a URL names them.
    pub(super) fn quote_streams(&self, product: Product) -> Vec<String> {
        let own = self.rules.instruments.iter();
        let own = own.filter(|rules| product_of(rules.key.kind) == product);
        let managed = own.filter(|rules| self.settings.symbols.contains(&rules.key.symbol));
        let names = managed.map(|rules| rules.venue_symbol.as_str().to_ascii_lowercase());
        names.map(|name| format!("{name}@bookTicker")).collect()
    }

    /// Takes a frame of a public stream. An older state than is known says nothing.
    pub(super) fn quote_shown(&mut self, (place, product): (usize, Product), frame: &[u8]) {
        let (update, ticker) = match quote_frame(frame) {
            Ok(QuoteFact::Quote { update, ticker }) => (update, ticker),
            Ok(QuoteFact::Ended) => return self.stream_ended(place, "the venue ends it"),
            Ok(QuoteFact::Other(_)) => return,
            Err(e) => return self.stream_ended(place, &format!("a frame cannot be read: {e}")),
        };
        let key = (product, ticker.symbol.clone());
        let known = self.quotes.0.get(&key);
        if known.is_none_or(|known| known.update < update) {
            let received = self.now;
            let quote = Quote {
                update,
                received,
                ticker,
            };
            self.quotes.0.insert(key, quote);
        }
    }

    /// What an order of `side` would take first, where a stream has just shown it.
    pub(super) fn fresh_quote(&self, product: Product, symbol: &str, side: Side) -> Option<Price> {
        let quote = self.quotes.0.get(&(product, symbol.to_owned()))?;
        let is_fresh = self.now.since(quote.received) <= AGE_MAX;
        quote.ticker.opposite(side).filter(|_| is_fresh)
    }
}
