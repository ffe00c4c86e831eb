//! The spot leg of a hedged book at the venues that hold it.
//!
//! Sizing aims at a sum; here it is spread. What is bought goes where most is missing of a venue's part, what is
//! sold comes from where most is held above it, and nothing moves between venues for its own sake. A venue without a
//! fresh price keeps what it has.

use basis_core::error::ComponentError;
use basis_core::num::{Fixed18, Quantity, Rate, Rounding, Value};
use basis_core::plan::Leg;
use basis_core::rules::InstrumentRules;
use basis_core::types::{Account, Side};

use super::Context;
use super::hedge::{Book, SPOT_BUFFER};
use super::layout::{Layout, SpotLayout, is_fresh};
use super::legs::split;

/// One venue's spot as it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpotPlace<'a> {
    /// Its market and its fees.
    pub(super) layout: &'a SpotLayout,
    pub(super) account: Account,
    /// Whether its market can be traded now.
    pub(super) fresh: bool,
    /// Base units held.
    pub(super) held: Quantity,
    /// Quote units in the account.
    pub(super) cash: Value,
    /// Most that can be bought here now, for want of cash or volume; `None` without a bound.
    pub(super) most_bought: Option<Quantity>,
    /// Most that can be sold here now, for want of volume; `None` without a bound.
    pub(super) most_sold: Option<Quantity>,
}

impl<'a> SpotPlace<'a> {
    /// Every venue of the layout.
    pub(super) fn read(context: &Context<'_>, layout: &'a Layout) -> Vec<Self> {
        let books = context.books;
        let places = layout.spots.iter().map(|place| Self {
            layout: place,
            account: place.account,
            fresh: place.slot.is_some_and(|slot| is_fresh(context, slot)),
            held: books.quantity_at(place.held_at),
            cash: Value::new(books.quantity_at(place.cash_at).get()),
            most_bought: None,
            most_sold: None,
        });
        places.collect()
    }

    pub(super) fn rules(&self) -> &'a InstrumentRules {
        &self.layout.rules
    }
}

/// An amount spread over venues: as much of each one's wish as there is, in order of `wishes`, then wherever there
/// is room; what would be no order at a venue goes with a larger one.
fn spread(
    total: Quantity,
    wishes: &[Quantity],
    rooms: &[Quantity],
    smallest: &[Quantity],
) -> Result<Vec<Quantity>, ComponentError> {
    let of = |list: &[Quantity], at: usize| list.get(at).copied().unwrap_or_default();
    let mut order: Vec<usize> = (0..wishes.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(of(wishes, *at)));
    let (mut given, mut left) = (vec![Quantity::ZERO; wishes.len()], total);
    for by_wish in [true, false] {
        for &at in &order {
            let Some(part) = given.get_mut(at) else {
                continue;
            };
            let room = of(rooms, at).sub(*part)?;
            let more = if by_wish {
                of(wishes, at).min(room)
            } else {
                room
            };
            let more = more.min(left).max(Quantity::ZERO);
            *part = part.add(more)?;
            left = left.sub(more)?;
        }
    }
    for at in 0..given.len() {
        let part = of(&given, at);
        if part.is_zero() || part >= of(smallest, at) {
            continue;
        }
        let takes = |other: &usize| {
            let held = of(&given, *other);
            let room = of(rooms, *other).sub(held);
            *other != at
                && held >= of(smallest, *other)
                && held.is_positive()
                && room.is_ok_and(|room| room >= part)
        };
        let Some(other) = order.iter().copied().find(takes) else {
            continue;
        };
        let sum = of(&given, other).add(part)?;
        if let Some(held) = given.get_mut(other) {
            *held = sum;
        }
        if let Some(held) = given.get_mut(at) {
            *held = Quantity::ZERO;
        }
    }
    Ok(given)
}

impl Book<'_> {
    /// Base units wanted at each venue, for all of them to come to `spot_target` as far as they can be traded.
    pub(super) fn spot_targets(&self) -> Result<Vec<Quantity>, ComponentError> {
        if self.spots.len() < 2 {
            return Ok(vec![self.spot_target]);
        }
        let change = self.spot_target.sub(self.spot)?;
        let buys = !change.is_negative();
        let unbounded = Quantity::new(Fixed18::MAX);
        let (mut wishes, mut rooms, mut smallest) = (Vec::new(), Vec::new(), Vec::new());
        for place in &self.spots {
            let part = self
                .spot_target
                .at_rate(place.layout.share, Rounding::Floor)?;
            let missing = part.sub(place.held)?;
            let is_first = self.sells_first == Some(place.account.venue);
            let (wish, most) = match buys {
                true => (missing, place.most_bought.unwrap_or(unbounded)),
                false if is_first => (unbounded, place.most_sold.unwrap_or(unbounded)),
                false => (missing.neg()?, place.most_sold.unwrap_or(unbounded)),
            };
            let room = if !place.fresh {
                Quantity::ZERO
            } else if buys {
                most
            } else {
                most.min(place.held)
            };
            wishes.push(wish.max(Quantity::ZERO));
            rooms.push(room.max(Quantity::ZERO));
            smallest.push(self.smallest_spot(place)?);
        }
        let given = spread(change.abs()?, &wishes, &rooms, &smallest)?;
        let mut targets = Vec::with_capacity(given.len());
        for (place, given) in self.spots.iter().zip(given) {
            targets.push(if buys {
                place.held.add(given)?
            } else {
                place.held.sub(given)?
            });
        }
        Ok(targets)
    }

    /// Base units held at a venue; of one alone what the book counts, also when orders have been counted in.
    fn held_at(&self, place: &SpotPlace<'_>) -> Quantity {
        if self.spots.len() < 2 {
            self.spot
        } else {
            place.held
        }
    }

    /// The smallest order of a venue.
    fn smallest_spot(&self, place: &SpotPlace<'_>) -> Result<Quantity, ComponentError> {
        let rules = place.rules();
        if !self.spot_price.is_positive() {
            return Ok(rules.min_quantity);
        }
        let by_notional = rules.min_notional.per(self.spot_price, Rounding::Ceil)?;
        Ok(rules.min_quantity.max(by_notional).max(rules.lot_size))
    }

    /// Spot that cannot be sold now while other spot can; zero where there is one venue, whose orders wait.
    pub(super) fn stuck_spot(&self) -> Result<Quantity, ComponentError> {
        if self.spots.len() < 2 {
            return Ok(Quantity::ZERO);
        }
        let stuck = self.spots.iter().filter(|place| !place.fresh);
        let mut sum = Quantity::ZERO;
        for place in stuck {
            sum = sum.add(place.held)?;
        }
        Ok(sum)
    }

    /// Spot that can be sold now, where several venues hold it; all of it where one does.
    pub(super) fn sellable_spot(&self) -> Result<Quantity, ComponentError> {
        Ok(self.spot.sub(self.stuck_spot()?)?)
    }

    /// What the coming purchase costs at each venue.
    pub(super) fn spot_needs(&self) -> Result<Vec<Value>, ComponentError> {
        let mut needs = Vec::with_capacity(self.spots.len());
        for (place, target) in self.spots.iter().zip(self.spot_targets()?) {
            let bought = target.sub(self.held_at(place))?.max(Quantity::ZERO);
            needs.push(bought.notional(self.spot_price, Rounding::Ceil)?);
        }
        Ok(needs)
    }

    /// Quote units of `spot_venue`'s spot account that no margin target claims.
    pub(super) fn free_spot_cash(&self) -> Result<Value, ComponentError> {
        self.free_of(self.spot_account, self.spot_cash)
    }

    /// Quote units of every venue's spot account that no margin target claims.
    pub(super) fn free_cash_at(&self, place: &SpotPlace<'_>) -> Result<Value, ComponentError> {
        self.free_of(place.account, place.cash)
    }

    fn free_of(&self, account: Account, cash: Value) -> Result<Value, ComponentError> {
        let shared = self.hedges.iter().find(|hedge| hedge.account == account);
        match shared {
            Some(hedge) => Ok(cash.min(hedge.spare_margin()?)),
            None => Ok(cash),
        }
    }

    /// Whether an account holds spot.
    pub(super) fn is_spot_account(&self, account: Account) -> bool {
        self.spots.iter().any(|place| place.account == account)
    }

    /// The highest taker fee of the spot leg.
    pub(super) fn spot_taker_fee(&self) -> Rate {
        let fees = self.spots.iter().map(|place| place.layout.fees.taker);
        fees.max().unwrap_or(self.layout().spot_fees.taker)
    }

    /// Aims at no more spot than the free balances of the spot accounts buy.
    pub(super) fn aim_within_cash(&mut self, context: &Context<'_>) -> Result<(), ComponentError> {
        if self.spot_target <= self.spot {
            return Ok(());
        }
        let targets = self.spot_targets()?;
        let mut affordable = Vec::with_capacity(targets.len());
        for (place, target) in self.spots.iter().zip(targets) {
            let wanted = target.sub(self.held_at(place))?.max(Quantity::ZERO);
            let cost = self.impact_of_buying_at(context, place, wanted)?;
            let above = Rate::ONE.add(SPOT_BUFFER)?.add(cost)?;
            let price = self.spot_price.at_rate(above, Rounding::Ceil)?;
            let kept = Rate::ONE.sub(place.layout.fees.taker)?;
            let cash = self.free_cash_at(place)?;
            affordable.push(if cash.is_positive() {
                cash.per(price, Rounding::Floor)?
                    .at_rate(kept, Rounding::Floor)?
            } else {
                Quantity::ZERO
            });
        }
        for (place, most) in self.spots.iter_mut().zip(affordable) {
            place.most_bought = Some(most);
        }
        let reach = if let [only] = self.spots.as_slice() {
            self.spot.add(only.most_bought.unwrap_or_default())?
        } else {
            let mut targets = self.spot_targets()?.into_iter();
            targets.try_fold(Quantity::ZERO, Quantity::add)?
        };
        if reach < self.spot_target {
            self.aim(reach)?;
            // In kind more can be owed than is held: then shorts of nothing would still ask for that.
            self.spot_target = self.spot_target.min(reach);
        }
        Ok(())
    }

    /// Sells `size` base units of spot at `spot_venue`.
    pub(super) fn sale(&self, size: Quantity) -> Result<Vec<Leg>, ComponentError> {
        let rules = self.layout().spot();
        let size = size.round_to_lot(rules.lot_size, Rounding::Floor)?;
        let orders = split(size, rules, self.spot_price, false)?;
        let legs = orders.into_iter();
        Ok(legs
            .map(|quantity| Leg::market(rules.key, Side::Sell, quantity, false))
            .collect())
    }

    /// One order at each of the venues that hold most above their part, `size` base units in all where they have
    /// them; where no venue has a fresh price, as if all had.
    pub(super) fn sales_where_held(&self, size: Quantity) -> Result<Vec<Leg>, ComponentError> {
        let any_fresh = self.spots.iter().any(|place| place.fresh);
        let kept = self.spot.sub(size)?.max(Quantity::ZERO);
        let mut places = Vec::with_capacity(self.spots.len());
        for place in self.spots.iter().filter(|it| it.fresh || !any_fresh) {
            let part = kept.at_rate(place.layout.share, Rounding::Floor)?;
            places.push((place.held.sub(part)?, place));
        }
        places.sort_by_key(|(above, _)| std::cmp::Reverse(*above));
        let (mut legs, mut rest) = (Vec::new(), size);
        for (_, place) in places {
            let rules = place.rules();
            let part = rest.min(place.held).min(rules.max_market_quantity);
            let part = part.round_to_lot(rules.lot_size, Rounding::Floor)?;
            let notional = part.notional(self.spot_price, Rounding::Floor)?;
            if part.is_positive() && part >= rules.min_quantity && notional >= rules.min_notional {
                legs.push(Leg::market(rules.key, Side::Sell, part, false));
                rest = rest.sub(part)?;
            }
        }
        Ok(legs)
    }

    /// Buys enough at every venue that its target arrives after a fee taken in base, or sells the excess.
    pub(super) fn spot_legs(&self) -> Result<Vec<Leg>, ComponentError> {
        let mut legs = Vec::new();
        for (place, target) in self.spots.iter().zip(self.spot_targets()?) {
            let rules = place.rules();
            let change = target.sub(self.held_at(place))?;
            let (side, size) = if change.is_negative() {
                let size = change.abs()?;
                (
                    Side::Sell,
                    size.round_to_lot(rules.lot_size, Rounding::Floor)?,
                )
            } else {
                let gross = if place.layout.buy_fee_in_base {
                    let kept = Rate::ONE.sub(place.layout.fees.taker)?;
                    change.div_rate(kept, Rounding::Ceil)?
                } else {
                    change
                };
                (
                    Side::Buy,
                    gross.round_to_lot(rules.lot_size, Rounding::Ceil)?,
                )
            };
            let quantities = split(size, rules, self.spot_price, false)?.into_iter();
            legs.extend(quantities.map(|quantity| Leg::market(rules.key, side, quantity, false)));
        }
        Ok(legs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(texts: &[&str]) -> Vec<Quantity> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn wishes_come_first_and_the_rest_goes_where_there_is_room() {
        let (rooms, smallest) = (all(&["5", "100", "0"]), all(&["0.1", "0.1", "0.1"]));
        let given = spread(
            Quantity::literal("12"),
            &all(&["8", "3", "9"]),
            &rooms,
            &smallest,
        );
        assert_eq!(given.unwrap(), all(&["5", "7", "0"]));
        let given = spread(
            Quantity::literal("500"),
            &all(&["8", "3", "9"]),
            &rooms,
            &smallest,
        );
        assert_eq!(given.unwrap(), all(&["5", "100", "0"]));
    }

    #[test]
    fn what_is_no_order_goes_with_a_larger_one() {
        let rooms = all(&["100", "100"]);
        let given = spread(
            Quantity::literal("4.05"),
            &all(&["4", "0.05"]),
            &rooms,
            &all(&["0.1", "0.1"]),
        );
        assert_eq!(given.unwrap(), all(&["4.05", "0"]));
    }
}
