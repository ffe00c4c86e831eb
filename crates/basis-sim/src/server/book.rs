//! An order book: what rests, by price, then by time.
//!
//! The book knows orders by number, owner, price and what is left of them, and nothing of money. A taker is
//! matched in two steps: [`OrderBook::plan`] says against whom it would trade and changes nothing, so that
//! funds, margin and post-only can be decided on it; [`OrderBook::apply`] then takes exactly that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use basis_core::num::{MathError, Price, Quantity};
use basis_core::types::Side;
use basis_protocols::exchange::orders::is_marketable;

/// An order that rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting {
    /// Its number, unique in the book.
    pub order: u64,
    /// Whose it is.
    pub owner: u32,
    /// Base units that are left, > 0.
    pub remaining: Quantity,
}

/// Who of two orders of one owner goes before they would trade with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelfTrade {
    /// Nobody: they trade.
    Allow,
    /// The order that takes.
    ExpireTaker,
    /// The order that rests.
    ExpireMaker,
    /// Both.
    ExpireBoth,
}

/// An order that comes to the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taker {
    /// Whose it is.
    pub owner: u32,
    /// Buy or sell.
    pub side: Side,
    /// The worst price; `None` takes any.
    pub limit: Option<Price>,
    /// Base units, > 0.
    pub quantity: Quantity,
    /// What becomes of orders of its own that stand in its way.
    pub self_trade: SelfTrade,
}

/// A trade between a taker and one resting order, at the latter's price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// The number of the order that rested.
    pub maker: u64,
    /// Whose that is.
    pub owner: u32,
    /// Quote per base.
    pub price: Price,
    /// Base units, > 0.
    pub quantity: Quantity,
}

/// What a taker would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Trades, in their order.
    pub matches: Vec<Match>,
    /// Resting orders that self-trade prevention takes out, by number.
    pub expired_makers: Vec<u64>,
    /// Whether self-trade prevention ends the taker.
    pub taker_expired: bool,
    /// What is left of the taker.
    pub remaining: Quantity,
}

impl Plan {
    /// Returns the base units that trade.
    ///
    /// # Errors
    /// [`MathError`] out of range.
    pub fn filled(&self) -> Result<Quantity, MathError> {
        let mut matches = self.matches.iter();
        matches.try_fold(Quantity::ZERO, |sum, m| sum.add(m.quantity))
    }
}

/// Resting orders of one instrument.
#[derive(Clone, Debug, Default)]
pub struct OrderBook {
    bids: BTreeMap<Price, VecDeque<Resting>>,
    asks: BTreeMap<Price, VecDeque<Resting>>,
    places: BTreeMap<u64, (Side, Price)>,
    changed: BTreeSet<(Side, Price)>,
}

impl OrderBook {
    /// Returns the best bid and the quantity there.
    #[must_use]
    pub fn best_bid(&self) -> Option<(Price, Quantity)> {
        self.levels(Side::Buy).next()
    }

    /// Returns the best ask and the quantity there.
    #[must_use]
    pub fn best_ask(&self) -> Option<(Price, Quantity)> {
        self.levels(Side::Sell).next()
    }

    /// Returns the levels of one side with the sum of what rests there, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = (Price, Quantity)> + '_ {
        self.queues(side).map(|(price, queue)| (price, sum(queue)))
    }

    /// Returns what rests at `price`; zero when nothing does.
    #[must_use]
    pub fn quantity_at(&self, side: Side, price: Price) -> Quantity {
        self.side(side).get(&price).map_or(Quantity::ZERO, sum)
    }

    /// Tells whether the order rests.
    #[must_use]
    pub fn contains(&self, order: u64) -> bool {
        self.places.contains_key(&order)
    }

    /// Returns how many orders rest.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Tells whether nothing rests.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Returns what `taker` would do, and changes nothing.
    ///
    /// # Errors
    /// [`MathError`] out of range.
    pub fn plan(&self, taker: &Taker) -> Result<Plan, MathError> {
        let mut plan = Plan {
            remaining: taker.quantity,
            ..Plan::default()
        };
        for (price, queue) in self.queues(taker.side.opposite()) {
            let reaches = |limit| is_marketable(taker.side, limit, price);
            if !taker.limit.is_none_or(reaches) {
                break;
            }
            for resting in queue {
                if plan.remaining.is_zero() {
                    return Ok(plan);
                }
                if resting.owner == taker.owner && taker.self_trade != SelfTrade::Allow {
                    if taker.self_trade != SelfTrade::ExpireTaker {
                        plan.expired_makers.push(resting.order);
                    }
                    if taker.self_trade != SelfTrade::ExpireMaker {
                        plan.taker_expired = true;
                        return Ok(plan);
                    }
                    continue;
                }
                let quantity = resting.remaining.min(plan.remaining);
                plan.remaining = plan.remaining.sub(quantity)?;
                plan.matches.push(Match {
                    maker: resting.order,
                    owner: resting.owner,
                    price,
                    quantity,
                });
            }
        }
        Ok(plan)
    }

    /// Takes what a plan made on this very book says out of it.
    ///
    /// # Errors
    /// [`MathError`] out of range.
    pub fn apply(&mut self, plan: &Plan) -> Result<(), MathError> {
        for order in &plan.expired_makers {
            self.remove(*order);
        }
        for m in &plan.matches {
            self.reduce(m.maker, m.quantity)?;
        }
        Ok(())
    }

    /// Puts an order at the end of the queue at `price`.
    pub fn insert(&mut self, side: Side, price: Price, resting: Resting) {
        self.places.insert(resting.order, (side, price));
        self.changed.insert((side, price));
        let levels = self.side_mut(side);
        levels.entry(price).or_default().push_back(resting);
    }

    /// Takes an order out; `None` when it does not rest.
    pub fn remove(&mut self, order: u64) -> Option<Resting> {
        let (side, price) = self.places.remove(&order)?;
        self.changed.insert((side, price));
        let levels = self.side_mut(side);
        let queue = levels.get_mut(&price)?;
        let at = queue.iter().position(|resting| resting.order == order)?;
        let resting = queue.remove(at);
        if queue.is_empty() {
            levels.remove(&price);
        }
        resting
    }

    /// Makes an order smaller by `quantity`, keeping its place in the queue; it goes when nothing is left.
    ///
    /// # Errors
    /// [`MathError`] out of range.
    pub fn reduce(&mut self, order: u64, quantity: Quantity) -> Result<(), MathError> {
        let Some(&(side, price)) = self.places.get(&order) else {
            return Ok(());
        };
        self.changed.insert((side, price));
        let queue = self.side_mut(side).get_mut(&price);
        let mut resting = queue.into_iter().flatten();
        let Some(resting) = resting.find(|resting| resting.order == order) else {
            return Ok(());
        };
        resting.remaining = resting.remaining.sub(quantity)?;
        if !resting.remaining.is_positive() {
            self.remove(order);
        }
        Ok(())
    }

    /// Returns the levels that changed since the last call.
    pub fn take_changes(&mut self) -> BTreeSet<(Side, Price)> {
        std::mem::take(&mut self.changed)
    }

    /// Tells whether a level changed since the last [`OrderBook::take_changes`].
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    fn queues(&self, side: Side) -> Box<dyn Iterator<Item = (Price, &VecDeque<Resting>)> + '_> {
        match side {
            Side::Buy => Box::new(self.bids.iter().rev().map(|(price, queue)| (*price, queue))),
            Side::Sell => Box::new(self.asks.iter().map(|(price, queue)| (*price, queue))),
        }
    }

    const fn side(&self, side: Side) -> &BTreeMap<Price, VecDeque<Resting>> {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    const fn side_mut(&mut self, side: Side) -> &mut BTreeMap<Price, VecDeque<Resting>> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }
}

fn sum(queue: &VecDeque<Resting>) -> Quantity {
    let mut all = queue.iter().map(|resting| resting.remaining);
    let total = all.try_fold(Quantity::ZERO, Quantity::add);
    total.expect("invariant: the filters bound each order, the venue their number")
}
