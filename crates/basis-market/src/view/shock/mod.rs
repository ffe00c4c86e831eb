//! Stress overlays: what a view shows, changed by a "what if".
//!
//! A [`Shock`] is one sentence (`ETH -20% at 2025-02-03T00:00Z over 1h`, see [`Shock::parse`]); a
//! [`ShockSet`] is the list of a run. A view that is given a set ([`super::ViewPolicy::shocks`]) is
//! built over a market in which the touched series are shocked copies, so venues, books, risk and
//! strategies see one and the same world, and an unshocked run reads what it always read.
//!
//! **Invariants.** The shocked value of an instant follows from values known at that instant and from
//! the sentences, never from a later one. Several shocks of one value act in the order given. A
//! factor of exactly one leaves a number alone to its last digit.

mod apply;
mod bars;
mod parse;
mod rows;

use basis_core::num::{Fixed18, MathError, Rounding};
use basis_core::types::{Asset, SeriesId, SeriesKind, Span, Timestamp, Venue};

use crate::series::SeriesError;

pub use parse::ShockParseError;

/// Assets after which others are named: what moves their price moves every token of theirs.
const ROOTS: [&str; 2] = ["ETH", "BTC"];

/// What a price may be quoted in when it counts as one in USD.
const DOLLARS: [&str; 4] = ["USDT", "USDC", "DAI", "USD"];

/// What a shock acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Prices, and the oracles of a root asset with them.
    Everything,
    /// Prices: bars and the market rate of a staking token.
    Market,
    /// Prices of one kind of series.
    Kind(SeriesKind),
    /// Values of lending oracles.
    Oracle,
    /// The rate at which a protocol redeems a staking token.
    Protocol,
    /// Funding rates.
    Funding,
    /// The variable borrow rate of a reserve, and its index.
    Borrow,
    /// The liquidity rate of a reserve, and its index.
    Supply,
    /// Gas fees.
    Gas,
    /// Everything of a venue: nothing trades there.
    Outage,
    /// Withdrawals of a venue.
    Halt,
}

/// How far a shock moves what it acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// Times this; of a price `-20%` is 0.8.
    Times(Fixed18),
    /// Plus this fraction.
    Plus(Fixed18),
    /// On or off.
    Whole,
}

/// One "what if": what, by how much, from when, over what span and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shock {
    text: String,
    target: Target,
    asset: Option<Asset>,
    venue: Option<Venue>,
    size: Size,
    at: Timestamp,
    over: Span,
    /// When it begins to go back; never, when there is none.
    until: Option<Timestamp>,
}

/// The shocks of a run, in the order given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShockSet {
    shocks: Vec<Shock>,
}

/// A set of shocks that does not fit a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShockError {
    /// A shock of nothing that the run reads.
    #[error("shock `{shock}` touches nothing of this run; it reads {there}")]
    Untouched {
        /// The sentence.
        shock: String,
        /// The series and venues there are.
        there: String,
    },
    /// A shocked value is none, as a price that rounds to zero.
    #[error("under the shocks {0}")]
    Value(#[from] SeriesError),
    /// A shocked value left the range of exact arithmetic.
    #[error("shocked value of {series}: {source}")]
    Math {
        /// The series.
        series: SeriesId,
        /// What is wrong with it.
        source: MathError,
    },
}

impl Shock {
    /// The sentence it was read from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// When it begins.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// The first instant at which nothing is left of it; the end of time when it stays.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.until
            .map_or(Timestamp::MAX, |until| until.plus(self.over))
    }

    /// The first instant from which on it changes no more: wholly there, or wholly gone.
    #[must_use]
    pub fn settles_at(&self) -> Timestamp {
        self.until.unwrap_or(self.at).plus(self.over)
    }

    /// The two ramps: where the effect grows, and where it goes back.
    fn ramps(&self) -> impl Iterator<Item = (Timestamp, Timestamp)> + '_ {
        let ramp = |from: Timestamp| (from, from.plus(self.over));
        std::iter::once(ramp(self.at)).chain(self.until.map(ramp))
    }

    /// Instants at which its course bends.
    fn knots(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.ramps().flat_map(|(from, to)| [from, to])
    }

    /// How much of it is in force at `now`, 0 to 1; rounded half-even.
    fn strength(&self, now: Timestamp) -> Result<Fixed18, MathError> {
        if now < self.at || now >= self.end() {
            return Ok(Fixed18::ZERO);
        }
        let part = |since: Timestamp| -> Result<Fixed18, MathError> {
            let passed = now.since(since);
            if passed >= self.over {
                return Ok(Fixed18::ONE);
            }
            let whole = |span: Span| Fixed18::from_mantissa(i128::from(span.nanos()));
            whole(passed).div(whole(self.over), Rounding::HalfEven)
        };
        match self.until {
            Some(until) if now >= until => Fixed18::ONE.sub(part(until)?),
            _ => part(self.at),
        }
    }

    /// What a number is multiplied by when `strength` of the shock is in force.
    fn factor_of(&self, strength: Fixed18) -> Result<Fixed18, MathError> {
        match self.size {
            Size::Times(full) => {
                let change = full.sub(Fixed18::ONE)?;
                Fixed18::ONE.add(change.mul(strength, Rounding::HalfEven)?)
            }
            Size::Plus(_) | Size::Whole => Ok(Fixed18::ONE),
        }
    }

    fn factor(&self, now: Timestamp) -> Result<Fixed18, MathError> {
        self.factor_of(self.strength(now)?)
    }

    /// What is left of `rate` under the shock; rounded half-even.
    fn rate(&self, rate: Fixed18, now: Timestamp) -> Result<Fixed18, MathError> {
        let strength = self.strength(now)?;
        if strength.is_zero() {
            return Ok(rate);
        }
        match self.size {
            Size::Plus(full) => rate.add(full.mul(strength, Rounding::HalfEven)?),
            Size::Times(_) => rate.mul(self.factor_of(strength)?, Rounding::HalfEven),
            Size::Whole => Ok(rate),
        }
    }

    /// Whether it acts on series of `venue`.
    fn is_at(&self, venue: Venue) -> bool {
        self.venue.is_none_or(|own| own == venue)
    }

    /// Whether `base` is its asset, a wrapped form of it, or, for a root, a token of it.
    fn names(&self, base: &str, with_tokens: bool) -> bool {
        let Some(asset) = &self.asset else {
            return false;
        };
        let asset = asset.as_str();
        if with_tokens && ROOTS.contains(&asset) {
            return base.ends_with(asset);
        }
        base == asset || matches!(base.strip_prefix(['w', 'W']), Some(inner) if inner == asset)
    }

    fn is_of_root(&self) -> bool {
        let asset = self.asset.as_ref();
        asset.is_some_and(|asset| ROOTS.contains(&asset.as_str()))
    }

    /// Whether it moves the market price that `id` records.
    fn moves_market(&self, id: SeriesId) -> bool {
        let kind_fits = match self.target {
            Target::Everything | Target::Market => true,
            // Who moves a perp moves what it is marked at.
            Target::Kind(SeriesKind::Perp) => {
                matches!(id.kind, SeriesKind::Perp | SeriesKind::Mark)
            }
            Target::Kind(kind) => kind == id.kind,
            _ => false,
        };
        if !kind_fits || !self.is_at(id.venue) {
            return false;
        }
        let (base, in_dollars) = pair(&id);
        match id.kind {
            // A price in ETH is a ratio: it moves with the token, not with ETH.
            SeriesKind::Spot
            | SeriesKind::Perp
            | SeriesKind::Mark
            | SeriesKind::Index
            | SeriesKind::Peg
            | SeriesKind::Dex
            | SeriesKind::StakingMarket => {
                (in_dollars || !self.is_of_root()) && self.names(base, in_dollars)
            }
            _ => false,
        }
    }

    /// Whether it moves the oracle value that `id` records: an oracle's own, or that of a reserve.
    fn moves_oracle(&self, id: SeriesId) -> bool {
        let fits = match self.target {
            // The oracle of a staking token does not look at the market.
            Target::Everything => self.venue.is_none() && self.is_of_root(),
            Target::Oracle => self.is_at(id.venue),
            _ => false,
        };
        let (base, in_dollars) = pair(&id);
        fits && match id.kind {
            SeriesKind::Oracle | SeriesKind::AaveReserve => {
                (in_dollars || !self.is_of_root()) && self.names(base, in_dollars)
            }
            _ => false,
        }
    }

    /// Whether it moves the interest of the reserve `id`.
    fn moves_reserve(&self, id: SeriesId, side: Target) -> bool {
        let is_its = || {
            let asset = self.asset.as_ref();
            asset.is_some_and(|asset| asset.as_str() == id.symbol.as_str())
        };
        self.target == side
            && id.kind == SeriesKind::AaveReserve
            && self.is_at(id.venue)
            && is_its()
    }

    fn moves_protocol(&self, id: SeriesId) -> bool {
        self.target == Target::Protocol
            && id.kind == SeriesKind::StakingRate
            && self.is_at(id.venue)
            && self.names(pair(&id).0, false)
    }

    fn moves_funding(&self, id: SeriesId) -> bool {
        self.target == Target::Funding
            && id.kind == SeriesKind::Funding
            && self.is_at(id.venue)
            && self.names(pair(&id).0, false)
    }

    fn moves_gas(&self, id: SeriesId) -> bool {
        self.target == Target::Gas && id.kind == SeriesKind::Gas && self.is_at(id.venue)
    }

    /// Whether `id` shows something else because of it.
    #[must_use]
    pub fn touches(&self, id: SeriesId) -> bool {
        match self.target {
            Target::Outage => self.is_at(id.venue),
            Target::Halt => false,
            _ => {
                self.moves_market(id)
                    || self.moves_oracle(id)
                    || self.moves_reserve(id, Target::Borrow)
                    || self.moves_reserve(id, Target::Supply)
                    || self.moves_protocol(id)
                    || self.moves_funding(id)
                    || self.moves_gas(id)
            }
        }
    }
}

/// The base of a series' symbol, and whether its price is in USD.
fn pair(id: &SeriesId) -> (&str, bool) {
    let symbol = id.symbol.as_str();
    // `WETHUSDT_3000` ends in a pool's fee, `weETH_ETH` in what the rate is in.
    let (pair, rest) = symbol.split_once('_').unwrap_or((symbol, ""));
    match id.kind {
        SeriesKind::AaveReserve => (symbol, true),
        SeriesKind::Spot
        | SeriesKind::Perp
        | SeriesKind::Mark
        | SeriesKind::Index
        | SeriesKind::Peg
        | SeriesKind::Dex
        | SeriesKind::Funding => {
            let in_dollars = DOLLARS.iter().find_map(|quote| pair.strip_suffix(quote));
            let in_ether = || pair.strip_suffix("WETH").or(pair.strip_suffix("ETH"));
            match in_dollars.filter(|base| !base.is_empty()) {
                Some(base) => (base, true),
                None => (in_ether().unwrap_or(pair), false),
            }
        }
        _ => (pair, DOLLARS.contains(&rest)),
    }
}

impl ShockSet {
    /// Reads one sentence per text.
    ///
    /// # Errors
    /// The first [`ShockParseError`].
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, ShockParseError> {
        let shocks = texts.iter().map(|text| Shock::parse(text.as_ref()));
        Ok(Self {
            shocks: shocks.collect::<Result<_, _>>()?,
        })
    }

    /// A set of `shocks`, which act in this order.
    #[must_use]
    pub const fn new(shocks: Vec<Shock>) -> Self {
        Self { shocks }
    }

    /// The shocks, in order.
    #[must_use]
    pub fn shocks(&self) -> &[Shock] {
        &self.shocks
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.shocks.is_empty()
    }

    fn is_in_force(&self, target: Target, venue: Venue, now: Timestamp) -> bool {
        self.shocks.iter().any(|shock| {
            shock.target == target
                && shock.venue == Some(venue)
                && shock.at <= now
                && now < shock.end()
        })
    }

    /// Whether `venue` is out at `now`.
    #[must_use]
    pub fn is_out(&self, venue: Venue, now: Timestamp) -> bool {
        self.is_in_force(Target::Outage, venue, now)
    }

    /// Whether nothing can be withdrawn from `venue` at `now`.
    #[must_use]
    pub fn withdrawals_halted(&self, venue: Venue, now: Timestamp) -> bool {
        self.is_in_force(Target::Halt, venue, now)
    }

    /// Refuses a shock that touches none of `series` and, where it halts withdrawals, none of
    /// `venues`.
    ///
    /// # Errors
    /// [`ShockError::Untouched`] for the first such shock, naming what there is.
    pub fn check(&self, series: &[SeriesId], venues: &[Venue]) -> Result<(), ShockError> {
        let touches = |shock: &Shock| match (shock.target, shock.venue) {
            (Target::Halt, Some(venue)) => venues.contains(&venue),
            _ => series.iter().any(|id| shock.touches(*id)),
        };
        let Some(shock) = self.shocks.iter().find(|shock| !touches(shock)) else {
            return Ok(());
        };
        let there: Vec<String> = if shock.target == Target::Halt {
            venues.iter().map(ToString::to_string).collect()
        } else {
            series.iter().map(ToString::to_string).collect()
        };
        Err(ShockError::Untouched {
            shock: shock.text.clone(),
            there: there.join(", "),
        })
    }
}

#[cfg(test)]
mod tests;
