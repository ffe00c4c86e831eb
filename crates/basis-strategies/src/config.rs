//! The keys of the modes, beside those that every mode has.

mod chain;

use std::ops::Deref;

use basis_core::config::{NodeValue, Reader};
use basis_core::fixed18;
use basis_core::num::{Fixed18, Rate};
use basis_core::types::{Symbol, Venue};
use basis_engine::RunConfig;

pub use chain::{ChainConfig, StakeRoute};

/// Groups of keys; a mode's folder says which are its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Uses {
    /// An exchange where the underlying is bought and sold: `spot_venue`.
    pub(crate) spot: bool,
    /// Perp shorts on several exchanges: `hedge_leverage`, `hedge_allocation`.
    pub(crate) hedge: bool,
    /// The chain: the keys of [`ChainConfig`].
    pub(crate) chain: bool,
}

impl Uses {
    /// Keys of the groups whose values may change between two starts of a book.
    pub(crate) fn may_change(self) -> Vec<&'static str> {
        let mut keys = Vec::new();
        if self.hedge {
            keys.extend(["hedge_allocation", "hedge_leverage"]);
        }
        if self.hedge && !self.chain {
            keys.push("spot_allocation");
        }
        if self.chain {
            keys.extend(chain::MAY_CHANGE);
        }
        keys
    }
}

/// The keys of a mode as one configuration has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    /// Where spot is bought; `None` in a mode that buys none.
    pub(crate) spot_venue: Option<Venue>,
    /// Perp notional over perp margin.
    hedge_leverage: Fixed18,
    /// Share of the hedge per venue, in the order written; sums to 1. Empty in a mode without a hedge.
    pub(crate) hedge_allocation: Vec<(Venue, Rate)>,
    /// The perpetual of the hedge where a venue has it under another symbol than that of the spot pair.
    hedge_symbols: Vec<(Venue, Symbol)>,
    /// Share of spot per venue, in the order written; sums to 1. Empty where the mode decides.
    spot_allocation: Vec<(Venue, Rate)>,
    /// The keys of the chain; `None` in a mode that does not touch it.
    pub(crate) chain: Option<ChainConfig>,
}

impl Keys {
    /// Reads the groups that a mode uses; `None` without a key that it cannot do without.
    pub(crate) fn read(r: &Reader<'_>, uses: Uses) -> Option<Self> {
        let spot_venue = uses.spot.then(|| r.required::<Venue>("spot_venue"));
        let keys = Self {
            spot_venue: spot_venue.flatten(),
            hedge_leverage: if uses.hedge {
                read_leverage(r)
            } else {
                Fixed18::ONE
            },
            hedge_allocation: if uses.hedge {
                read_allocation(r, "hedge_allocation", true)
            } else {
                Vec::new()
            },
            spot_allocation: if uses.hedge && !uses.chain {
                read_allocation(r, "spot_allocation", false)
            } else {
                Vec::new()
            },
            hedge_symbols: if uses.hedge {
                read_hedge_symbols(r)
            } else {
                Vec::new()
            },
            chain: uses
                .chain
                .then(|| ChainConfig::read(r, uses.spot && !uses.hedge)),
        };
        (spot_venue != Some(None)).then_some(keys)
    }

    /// The keys beside those of `run`.
    pub(crate) fn beside<'a>(&'a self, run: &'a RunConfig) -> ModeConfig<'a> {
        ModeConfig {
            run,
            spot_venue: self.spot_venue.unwrap_or(Venue::WALLET),
            hedge_leverage: self.hedge_leverage,
            hedge_allocation: &self.hedge_allocation,
            hedge_symbols: &self.hedge_symbols,
            spot_allocation: &self.spot_allocation,
            chain: self.chain.as_ref(),
        }
    }
}

/// A run's configuration with the keys of its mode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ModeConfig<'a> {
    run: &'a RunConfig,
    /// Where spot is bought; the wallet in a mode that buys none.
    pub(crate) spot_venue: Venue,
    /// Perp notional over perp margin.
    pub(crate) hedge_leverage: Fixed18,
    /// Share of the hedge per venue, in the order written; sums to 1. Empty in a mode without a hedge.
    pub(crate) hedge_allocation: &'a [(Venue, Rate)],
    /// The perpetual of the hedge where a venue has it under another symbol than that of the spot pair.
    pub(crate) hedge_symbols: &'a [(Venue, Symbol)],
    /// Share of spot per venue, in the order written; sums to 1. Empty where the mode decides.
    pub(crate) spot_allocation: &'a [(Venue, Rate)],
    /// The keys of the on-chain modes; `None` in a mode that does not touch the chain.
    pub(crate) chain: Option<&'a ChainConfig>,
}

impl ModeConfig<'_> {
    /// The symbol of the perpetual that hedges at `venue`.
    pub(crate) fn hedge_symbol(&self, venue: Venue) -> Symbol {
        let mut own = self.hedge_symbols.iter();
        own.find(|(of, _)| *of == venue)
            .map_or_else(|| self.symbol(), |(_, symbol)| *symbol)
    }
}

impl Deref for ModeConfig<'_> {
    type Target = RunConfig;

    fn deref(&self) -> &RunConfig {
        self.run
    }
}

/// Perp notional over perp margin unless configured: a short stands at .66 of its price from liquidation.
const HEDGE_LEVERAGE: Fixed18 = fixed18!("1.5");

fn read_leverage(r: &Reader<'_>) -> Fixed18 {
    let bounds = fixed18!("0.05")..=fixed18!("20");
    r.fixed("hedge_leverage", bounds, HEDGE_LEVERAGE)
}

/// Shares by venue that sum to 1; nothing where the key is null or empty and not `required`.
fn read_allocation(r: &Reader<'_>, key: &str, required: bool) -> Vec<(Venue, Rate)> {
    let mut shares = Vec::new();
    let mut sum = Fixed18::ZERO;
    // The share that was laid over the others is the one to blame.
    let whole = r.node(key).map(|node| node.location.source.clone());
    let mut changed = None;
    for entry in r.map(key) {
        if whole.as_ref() != Some(&entry.node.location.source) {
            changed = Some(entry.node.location.clone());
        }
        let path = format!("{key}.{}", entry.key);
        let report = |message: String| {
            r.problems()
                .add(&entry.node.location, path.clone(), message);
        };
        let NodeValue::Text(text) = &entry.node.value else {
            report("expected a share between 0 and 1".to_owned());
            continue;
        };
        match (Venue::new(&entry.key), text.parse::<Rate>()) {
            (Ok(venue), Ok(share)) if !share.is_negative() && share <= Rate::ONE => {
                sum = sum.add(share.get()).unwrap_or(Fixed18::MAX);
                if share.is_positive() {
                    shares.push((venue, share));
                }
            }
            (Err(e), _) => report(e.to_string()),
            (Ok(_), _) => report(format!("`{text}` is no share between 0 and 1")),
        }
    }
    let is_absent = !required && r.map(key).is_empty();
    if sum != Fixed18::ONE && !is_absent {
        let message = format!("the shares sum to {sum}; they must sum to 1");
        match changed {
            Some(place) => r.problems().add(&place, key, message),
            None => r.problem(key, message),
        }
    }
    shares
}

fn read_hedge_symbols(r: &Reader<'_>) -> Vec<(Venue, Symbol)> {
    let mut symbols = Vec::new();
    for entry in r.map("hedge_symbols") {
        let report = |message: String| {
            let path = format!("hedge_symbols.{}", entry.key);
            r.problems().add(&entry.node.location, path, message);
        };
        let NodeValue::Text(text) = &entry.node.value else {
            report("expected the symbol of a perpetual, as 1000PEPEUSDT".to_owned());
            continue;
        };
        match (Venue::new(&entry.key), Symbol::new(text)) {
            (Ok(venue), Ok(symbol)) => symbols.push((venue, symbol)),
            (Err(e), _) => report(e.to_string()),
            (Ok(_), Err(e)) => report(e.to_string()),
        }
    }
    symbols
}
