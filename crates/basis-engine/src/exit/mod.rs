//! What the book is worth when it has to be sold, beside its value at marks.
//!
//! Everything is left by the mode's own exit at the present prices, volumes and pools: positions and spot by
//! market orders at `max_participation`, with fee, half spread and the impact of their own slices; staking
//! tokens in their pool or through their queue, with the yield that the queue forgoes; loans by sales with
//! a flash loan in front; then what came of it is sent home. What is in the wallet in the share class costs
//! nothing.
//!
//! **Invariants.** It reads books, view and the venues' terms, and changes none of them. The books must have
//! been valued at the view. An account's costs are its own, and the costs of the accounts add up to the
//! whole. What has no known way out (a staking token, a loan or liquidity that the mode's routes do not name) counts at
//! its mark, leaves the hours empty and is among the assumptions of the result. Where a market cannot be traded now, its last known cost stands and the hours are unknown.

mod market;
mod stake;
mod unrouted;

use std::sync::Arc;

use basis_core::error::ComponentError;
use basis_core::num::{Fixed18, Quantity, Rounding, Value};
use basis_core::rules::RuleBook;
use basis_core::types::{Account, Asset, InstrumentKind, Item, Span, Timestamp, Venue};
use basis_market::{MarketView, is_dollar};
use serde::{Deserialize, Serialize};

use self::market::MarketExit;
use self::stake::StakeState;
use self::unrouted::Unrouted;
use crate::account::Books;
use crate::config::RunConfig;
use crate::strategy::Venues;

pub use self::stake::{StakeExit, StakeWay};

/// How a mode leaves what its markets alone do not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExitRoutes {
    /// Where what is not the share class is sold, or the share class bought back in kind.
    pub spot: Option<Venue>,
    /// The staking tokens it holds.
    pub stakes: Vec<StakeExit>,
}

/// What leaving takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitCost {
    /// What is lost against the marks, USD, >= 0 but for a pool that pays more than the mark.
    pub cost: Value,
    /// Hours until all is sold and sent home; `None` while a market that it needs cannot be traded.
    pub hours: Option<Fixed18>,
}

/// What leaving one account takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountExit {
    /// The account.
    pub account: Account,
    /// What leaving it takes.
    pub exit: ExitCost,
}

/// Values exits, step by step.
#[derive(Debug)]
pub(crate) struct ExitValuer {
    routes: ExitRoutes,
    /// How each of its stakes is left now.
    stakes: Vec<StakeState>,
    rules: Arc<RuleBook>,
    share_class: Asset,
    in_kind: bool,
    step: Span,
    markets: Vec<MarketExit>,
    homeward: Vec<Homeward>,
    holdings_seen: usize,
    rules_until: Timestamp,
    /// By account, sorted; as of the last valuation.
    accounts: Vec<AccountExit>,
    /// Where in `accounts` each part of the last valuation was counted, in the order they were.
    places: Vec<usize>,
    /// Parts of this valuation counted so far.
    counted: usize,
    /// What it knows no way out of.
    unrouted: Unrouted,
}

/// What is sent home from a venue once it is sold.
#[derive(Clone, Debug)]
struct Homeward {
    account: Account,
    holdings: Vec<usize>,
    fee: Quantity,
    hours: Fixed18,
}

impl ExitCost {
    /// Nothing to do.
    pub const NONE: Self = Self {
        cost: Value::ZERO,
        hours: Some(Fixed18::ZERO),
    };

    /// Both side by side: the costs add up, and the slower one decides.
    fn beside(self, other: Self) -> Result<Self, ComponentError> {
        let hours = self.hours.zip(other.hours);
        Ok(Self {
            cost: self.cost.add(other.cost)?,
            hours: hours.map(|(one, other)| one.max(other)),
        })
    }

    /// `next` when this is done: costs and hours add up.
    fn then(self, next: Self) -> Result<Self, ComponentError> {
        let hours = self.hours.zip(next.hours);
        Ok(Self {
            cost: self.cost.add(next.cost)?,
            hours: hours.map(|(one, next)| one.add(next)).transpose()?,
        })
    }
}

impl ExitValuer {
    /// A valuer of the exits of a mode.
    pub(crate) fn new(config: &RunConfig, rules: &Arc<RuleBook>, routes: ExitRoutes) -> Self {
        Self {
            routes,
            stakes: Vec::new(),
            rules: Arc::clone(rules),
            share_class: config.share_class,
            in_kind: config.is_in_kind(),
            step: config.step,
            markets: Vec::new(),
            homeward: Vec::new(),
            holdings_seen: 0,
            rules_until: Timestamp::MIN,
            accounts: Vec::new(),
            places: Vec::new(),
            counted: 0,
            unrouted: Unrouted::default(),
        }
    }

    /// What the result has to say of it: holdings that were there and that no way out is known of.
    pub(crate) fn assumptions(&self) -> Vec<String> {
        self.unrouted.assumptions()
    }

    /// What leaving each account takes, as of the last valuation; nothing for one that has been left.
    pub(crate) fn accounts(&self) -> &[AccountExit] {
        &self.accounts
    }

    /// Computes what leaving everything takes now.
    ///
    /// # Errors
    /// What a venue says when it is asked for its terms; POS-002 out of range.
    pub(crate) fn refresh(
        &mut self,
        books: &Books,
        view: &MarketView,
        venues: &dyn Venues,
    ) -> Result<ExitCost, ComponentError> {
        if books.holdings().len() != self.holdings_seen || view.now() >= self.rules_until {
            self.rebuild(books, view, venues)?;
        }
        for row in &mut self.accounts {
            row.exit = ExitCost::NONE;
        }
        self.counted = 0;
        let stakes = self.leave_stakes(books, view, venues)?;
        let sold = self.sell(books, view, stakes)?;
        let mut whole = sold;
        for at in 0..self.homeward.len() {
            let Some(home) = self.homeward.get(at) else {
                continue;
            };
            let Some(sent) = self.send(books, view, home)? else {
                continue;
            };
            let account = first_of(books, &home.holdings).unwrap_or(home.account);
            whole = whole.beside(ExitCost {
                cost: sent.cost,
                hours: sold.then(sent)?.hours,
            })?;
            self.count(account, sent)?;
        }
        if self.unrouted.is_held(books) {
            whole.hours = None;
        }
        Ok(whole)
    }

    /// What leaving the staking tokens takes, the loans on them included.
    fn leave_stakes(
        &mut self,
        books: &Books,
        view: &MarketView,
        venues: &dyn Venues,
    ) -> Result<ExitCost, ComponentError> {
        let mut left = ExitCost::NONE;
        for at in 0..self.routes.stakes.len() {
            let (Some(route), Some(state)) = (self.routes.stakes.get(at), self.stakes.get_mut(at))
            else {
                continue;
            };
            for (account, exit) in route
                .leave(state, books, view, venues)?
                .into_iter()
                .flatten()
            {
                left = left.beside(exit)?;
                self.count(account, exit)?;
            }
            let (Some(route), Some(state)) = (self.routes.stakes.get(at), self.stakes.get(at))
            else {
                continue;
            };
            if let Some((account, wait)) = route.wait_for_queue(state, books, view, venues)? {
                left = left.beside(wait)?;
                self.count(account, wait)?;
            }
        }
        Ok(left)
    }

    /// What selling in the markets takes, spot once the stakes have been left.
    fn sell(
        &mut self,
        books: &Books,
        view: &MarketView,
        stakes: ExitCost,
    ) -> Result<ExitCost, ComponentError> {
        let mut whole = stakes;
        for at in 0..self.markets.len() {
            let Some(market) = self.markets.get_mut(at) else {
                continue;
            };
            let exit = market.leave(books, view)?;
            let account = market.account_of(books);
            let after = if market.is_spot() {
                stakes.then(exit)?.hours
            } else {
                exit.hours
            };
            whole = whole.beside(ExitCost {
                cost: exit.cost,
                hours: after,
            })?;
            self.count(account, exit)?;
        }
        Ok(whole)
    }

    /// What sending home takes; `None` where there is nothing worth its cost.
    fn send(
        &self,
        books: &Books,
        view: &MarketView,
        home: &Homeward,
    ) -> Result<Option<ExitCost>, ComponentError> {
        let mut value = Value::ZERO;
        for &at in &home.holdings {
            let holding = books.holding_at(Some(at));
            let held = holding.map_or(Value::ZERO, |held| match held.item {
                Item::Position(_) => held.value.sub(held.cost).unwrap_or(held.value),
                _ => held.value,
            });
            value = value.add(held)?;
        }
        let fee = if self.in_kind {
            let reference = view.quote(books.reference()).mark;
            home.fee.notional(reference, Rounding::Ceil)?
        } else {
            Value::new(home.fee.get())
        };
        Ok((value > fee).then_some(ExitCost {
            cost: fee,
            hours: Some(home.hours),
        }))
    }

    /// Adds to what leaving an account takes.
    fn count(&mut self, account: Account, exit: ExitCost) -> Result<(), ComponentError> {
        let part = self.counted;
        self.counted += 1;
        // Step after step the same parts come in the same order.
        let known = self.places.get(part).copied();
        let is_its = |at: &usize| {
            let row = self.accounts.get(*at);
            row.is_some_and(|row| row.account == account)
        };
        let at = match known.filter(is_its) {
            Some(at) => at,
            None => self.place(account, part),
        };
        if let Some(row) = self.accounts.get_mut(at) {
            row.exit = row.exit.beside(exit)?;
        }
        Ok(())
    }

    /// Where an account's exit is, a new one if need be; kept for the part that asks.
    fn place(&mut self, account: Account, part: usize) -> usize {
        let known = self
            .accounts
            .binary_search_by_key(&account, |row| row.account);
        let at = known.unwrap_or_else(|at| {
            let exit = ExitCost::NONE;
            self.accounts.insert(at, AccountExit { account, exit });
            at
        });
        self.places.truncate(part);
        self.places.resize(part, usize::MAX);
        self.places.push(at);
        at
    }

    /// Finds markets and ways home anew: a holding was added, or dated rules changed.
    fn rebuild(
        &mut self,
        books: &Books,
        view: &MarketView,
        venues: &dyn Venues,
    ) -> Result<(), ComponentError> {
        let now = view.now();
        self.holdings_seen = books.holdings().len();
        self.rules_until = Timestamp::MAX;
        let mut stakes = Vec::with_capacity(self.routes.stakes.len());
        for route in &self.routes.stakes {
            let rules = self.rules.venue(route.groups);
            let change = rules.and_then(|rules| rules.next_change(now));
            self.rules_until = self.rules_until.min(change.unwrap_or(Timestamp::MAX));
            let fees = rules.map(|rules| rules.at(now).fees);
            let delay = venues.terms(route.protocol, view)?.unstake_delay;
            stakes.push(route.state(books, view, fees.unwrap_or_default(), (delay, self.step))?);
        }
        self.stakes = stakes;
        self.unrouted.find(books, view, &self.routes);
        let mut markets = Vec::new();
        let mut homeward: Vec<Homeward> = Vec::new();
        for (at, holding) in books.holdings().iter().enumerate() {
            let account = holding.account;
            let Some(rules) = self.rules.venue(account.venue) else {
                continue;
            };
            let change = rules.next_change(now);
            self.rules_until = self.rules_until.min(change.unwrap_or(Timestamp::MAX));
            let rules = rules.at(now);
            if let Item::Position(key) = holding.item
                && let Some(market) = MarketExit::of(view, venues, rules, key, account)?
            {
                markets.push(market.with(at));
            }
            if venues.terms(account.venue, view)?.taking.is_none() {
                continue;
            }
            let known = homeward
                .iter_mut()
                .find(|home| home.account.venue == account.venue);
            match known {
                Some(home) => home.holdings.push(at),
                None => {
                    let way = rules.withdrawal(self.share_class);
                    homeward.extend(way.map(|way| Homeward {
                        account: rules.accounts.deposit,
                        holdings: vec![at],
                        fee: way.fee,
                        hours: hours_of(way.delay),
                    }));
                }
            }
        }
        markets.extend(self.spot_markets(books, view, venues)?);
        // What was measured of a market stays known.
        for market in &mut markets {
            if let Some(before) = self.markets.iter().find(|known| known.is_same(market)) {
                market.remember(before);
            }
        }
        (self.markets, self.homeward) = (markets, homeward);
        Ok(())
    }

    /// The markets of the underlying: that of the mode, and of every other exchange which holds some and has one.
    fn spot_markets(
        &self,
        books: &Books,
        view: &MarketView,
        venues: &dyn Venues,
    ) -> Result<Vec<MarketExit>, ComponentError> {
        let Some(first) = self.routes.spot else {
            return Ok(Vec::new());
        };
        let Some(main) = self.spot_market(first, view, venues)? else {
            return Ok(Vec::new());
        };
        let mut beside: Vec<(Venue, MarketExit)> = Vec::new();
        let mut main = main;
        for (at, holding) in books.holdings().iter().enumerate() {
            let is_position = matches!(holding.item, Item::Position(_));
            let dollars = holding.item.asset().is_some_and(is_dollar);
            if is_position || dollars != self.in_kind {
                continue;
            }
            let venue = holding.account.venue;
            if venue == first || self.in_kind {
                main = main.with(at);
                continue;
            }
            if let Some((_, market)) = beside.iter_mut().find(|(of, _)| *of == venue) {
                *market = market.clone().with(at);
                continue;
            }
            match self.spot_market(venue, view, venues)? {
                Some(market) => beside.push((venue, market.with(at))),
                None => main = main.with(at),
            }
        }
        let main = if self.in_kind { main.buys() } else { main };
        let beside = beside.into_iter().map(|(_, market)| market);
        Ok(std::iter::once(main).chain(beside).collect())
    }

    /// The market of the underlying at `venue`.
    fn spot_market(
        &self,
        venue: Venue,
        view: &MarketView,
        venues: &dyn Venues,
    ) -> Result<Option<MarketExit>, ComponentError> {
        let Some(rules) = self.rules.venue(venue) else {
            return Ok(None);
        };
        let rules = rules.at(view.now());
        let listed = rules.instruments.iter();
        let mut spots = listed.filter(|listed| {
            listed.key.kind == InstrumentKind::Spot && view.slot(listed.key.series()).is_some()
        });
        let Some(spot) = spots.next() else {
            return Ok(None);
        };
        MarketExit::of(view, venues, rules, spot.key, rules.accounts.spot)
    }
}

/// The account of the first of `holdings` that is not empty.
fn first_of(books: &Books, holdings: &[usize]) -> Option<Account> {
    let mut held = holdings.iter().filter_map(|at| books.holding_at(Some(*at)));
    let first = held.find(|held| !held.units.is_zero());
    first.map(|held| held.account)
}

/// A span in hours, rounded up at 18 decimals.
fn hours_of(span: Span) -> Fixed18 {
    let seconds = Fixed18::from_int(span.seconds());
    let hours = seconds.div(Fixed18::from_int(3_600), Rounding::Ceil);
    hours.unwrap_or(Fixed18::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(cost: &str, hours: Option<i64>) -> ExitCost {
        ExitCost {
            cost: cost.parse().unwrap(),
            hours: hours.map(Fixed18::from_int),
        }
    }

    #[test]
    fn side_by_side_the_slower_decides_and_in_turn_hours_add_up() {
        let (one, other) = (exit("3", Some(5)), exit("4", Some(2)));
        assert_eq!(one.beside(other).unwrap(), exit("7", Some(5)));
        assert_eq!(one.then(other).unwrap(), exit("7", Some(7)));
        assert_eq!(one.beside(ExitCost::NONE).unwrap(), one);
    }

    #[test]
    fn hours_are_unknown_where_any_part_s_are() {
        let unknown = exit("1", None);
        assert_eq!(unknown.beside(exit("4", Some(2))).unwrap(), exit("5", None));
        assert_eq!(exit("4", Some(2)).then(unknown).unwrap(), exit("5", None));
    }

    #[test]
    fn a_minute_is_a_sixtieth_of_an_hour_rounded_up() {
        let minute = basis_core::types::Span::from_hours(1).nanos() / 60;
        let hours = hours_of(basis_core::types::Span::from_nanos(minute));
        assert_eq!(hours, Fixed18::literal("0.016666666666666667"));
    }
}
