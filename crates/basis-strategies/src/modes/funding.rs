//! Moving quote currency to where a hedged book needs it.
//!
//! Needs and surpluses are matched in a fixed order: inside a venue first, because that is at once
//! and free; then from the wallet; then from venue to venue. What is in flight counts where it goes.
//!
//! Margin leaves an account only where what stays keeps its shorts far from liquidation; for anything
//! but another margin, only while every account of the mode is. A venue without a fresh price gets none.

use basis_core::error::ComponentError;
use basis_core::instruction::Operation;
use basis_core::num::{Quantity, Rounding, Value};
use basis_core::plan::Leg;
use basis_core::types::{Account, Asset, Venue};

use super::Context;
use super::hedge::{Book, rules_of, send_cost};
use super::legs::transfer_leg;

/// The smallest of the last transfers that a withdrawal waits for, where the venue sends less.
const LAST_TRANSFER_MIN: Value = Value::literal("10");

/// A place that wants or has quote units.
#[derive(Clone, Copy, Debug)]
struct Place {
    account: Account,
    amount: Value,
}

/// Transfers to make now, in the order of their blocks.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// A venue that was to send something and cannot, its withdrawals being halted.
    pub(super) halted: Option<Venue>,
    /// Inside a venue: at once.
    pub(super) internal: Vec<Leg>,
    /// To another venue: to be waited for.
    pub(super) external: Vec<Leg>,
    /// What the transfers to other venues cost beside what arrives, quote units.
    pub(super) cost: Value,
}

impl Moves {
    pub(super) fn is_empty(&self) -> bool {
        self.internal.is_empty() && self.external.is_empty()
    }
}

/// What a venue's deposit account holds and no trade uses: quote units go to the perp account, base
/// units to the spot account.
pub(super) fn sweeps(context: &Context<'_>, book: &Book<'_>) -> Vec<Leg> {
    let mut legs = Vec::new();
    if book.base_sweepable.is_positive() {
        let (asset, from) = (context.config.asset, book.deposit_account());
        legs.push(transfer_leg(
            asset,
            book.base_sweepable,
            from,
            book.spot_account,
        ));
    }
    let arrived = book
        .hedges
        .iter()
        .filter(|hedge| hedge.sweepable.is_positive());
    legs.extend(arrived.map(|hedge| {
        let (from, to) = (hedge.accounts.deposit, hedge.accounts.perp);
        transfer_leg(book.quote, hedge.sweepable, from, to)
    }));
    legs
}

/// What would bring the accounts to their targets. `exact` fills every margin; otherwise only one
/// that has left its band. `spot_needs` are what the coming purchases of spot cost, by venue. What a venue with halted
/// withdrawals has stays for its own accounts; others send instead, as far as they can.
pub(super) fn moves(
    context: &Context<'_>,
    book: &Book<'_>,
    spot_needs: &[Value],
    exact: bool,
) -> Result<Moves, ComponentError> {
    let mut needs = needs(context, book, spot_needs, exact)?;
    let mut surpluses = surpluses(book, spot_needs)?;
    let tops_up = book.is_to_be_topped_up()?;
    let is_thin = book.hedges.iter().any(|h| h.margin < h.margin_kept);
    let mut moves = Moves::default();
    let mut rooms = Rooms::default();
    for same_venue in [true, false] {
        for need in &mut needs {
            for surplus in &mut surpluses {
                let same = need.account.venue == surplus.account.venue;
                if same != same_venue || need.account == surplus.account {
                    continue;
                }
                let is_margin = |account| book.hedges.iter().any(|h| h.account == account);
                let is_bound = if surplus.account == Account::WALLET {
                    tops_up
                } else {
                    is_thin && is_margin(surplus.account)
                };
                if is_bound && !is_margin(need.account) {
                    continue;
                }
                if !same && !context.sends(surplus.account.venue) {
                    if need.amount.min(surplus.amount) >= book.min_transfer {
                        moves.halted = Some(surplus.account.venue);
                    }
                    continue;
                }
                let cost = if same {
                    Value::ZERO
                } else {
                    let venue = surplus.account.venue;
                    Value::new(send_cost(context, venue, book.quote)?.get())
                };
                let minimum = smallest(context, book, surplus.account, need.account)?;
                let available = surplus.amount.sub(cost)?;
                let pays = need.account == Account::WALLET;
                let least = if pays { minimum } else { Value::ZERO };
                let mut amount = need.amount.max(least).min(available);
                if !same && let Some(room) = rooms.of(context, need.account.venue)? {
                    amount = amount.min(*room);
                }
                let amount = Value::new(amount.get().round_to_decimals(2, Rounding::Floor)?);
                if amount < minimum || !amount.is_positive() {
                    continue;
                }
                if !same && let Some(room) = rooms.of(context, need.account.venue)? {
                    *room = room.sub(amount)?;
                }
                moves.cost = moves.cost.add(cost)?;
                need.amount = need.amount.sub(amount)?.max(Value::ZERO);
                surplus.amount = available.sub(amount)?;
                let (from, to) = (surplus.account, need.account);
                let units = Quantity::new(amount.get());
                route(context, book.quote, from, to, units, &mut moves)?;
            }
        }
    }
    if !moves.external.iter().any(goes_to_wallet) && !tops_up && !is_thin {
        send_rest(context, book, spot_needs, &mut moves)?;
    }
    Ok(moves)
}

/// What exchanges may still be sent, of those that were asked about.
#[derive(Debug, Default)]
struct Rooms(Vec<(Venue, Option<Value>)>);

impl Rooms {
    /// What may still go to `venue`; `None` where nothing bounds it.
    fn of(
        &mut self,
        context: &Context<'_>,
        venue: Venue,
    ) -> Result<Option<&mut Value>, ComponentError> {
        let at = match self.0.iter().position(|(of, _)| *of == venue) {
            Some(at) => at,
            None => {
                self.0.push((venue, context.room_at(venue)?));
                self.0.len().saturating_sub(1)
            }
        };
        Ok(self.0.get_mut(at).and_then(|(_, room)| room.as_mut()))
    }
}

/// Whether a leg brings quote units to the wallet.
fn goes_to_wallet(leg: &Leg) -> bool {
    let operation = &leg.instruction.operation;
    matches!(operation, Operation::Transfer(transfer) if transfer.to == Account::WALLET)
}

/// Sends what a withdrawal still lacks where no place has `min_transfer` to spare: in as little as the venues
/// send, from as few places as have it, and only all of it. What is less than `min_transfer` may come out of
/// margin that is wanted, down to what the shorts that are held keep: nothing else would ever bring it.
fn send_rest(
    context: &Context<'_>,
    book: &Book<'_>,
    spot_needs: &[Value],
    moves: &mut Moves,
) -> Result<(), ComponentError> {
    if book.in_kind || !context.pending_withdrawal.is_positive() {
        return Ok(());
    }
    let coming = Value::new(context.coming_to(Venue::WALLET, book.quote)?.get());
    let there = book.wallet.add(coming)?;
    let mut rest = context.pending_withdrawal.sub(there)?;
    if !rest.is_positive() {
        return Ok(());
    }
    let mut places = spare_places(book, spot_needs, rest < book.min_transfer)?;
    places.sort_by_key(|place| std::cmp::Reverse(place.amount));
    let (mut sent, mut cost) = (Vec::new(), Value::ZERO);
    for place in places {
        let venue = place.account.venue;
        if !rest.is_positive() || !context.sends(venue) {
            continue;
        }
        let fee = Value::new(send_cost(context, venue, book.quote)?.get());
        let most = place.amount.sub(fee)?;
        let most = Value::new(most.get().round_to_decimals(2, Rounding::Floor)?);
        let least = smallest_of(context, book, venue)?;
        let wanted = Value::new(rest.get().round_to_decimals(2, Rounding::Ceil)?);
        let amount = wanted.max(least).min(most);
        if amount < least || !amount.is_positive() {
            continue;
        }
        rest = rest.sub(amount)?;
        cost = cost.add(fee)?;
        sent.push((place.account, Quantity::new(amount.get())));
    }
    if rest.is_positive() {
        return Ok(());
    }
    moves.cost = moves.cost.add(cost)?;
    for (from, units) in sent {
        route(context, book.quote, from, Account::WALLET, units, moves)?;
    }
    Ok(())
}

/// What the accounts can spare for a withdrawal: above their targets, or `down_to_kept` above what their shorts
/// keep.
fn spare_places(
    book: &Book<'_>,
    spot_needs: &[Value],
    down_to_kept: bool,
) -> Result<Vec<Place>, ComponentError> {
    let mut places = Vec::with_capacity(book.hedges.len() + book.spots.len());
    for spot in &book.spots {
        let (account, amount) = (spot.account, spot.cash);
        places.push(Place { account, amount });
    }
    for hedge in &book.hedges {
        let amount = if down_to_kept {
            hedge.margin_above_kept()?
        } else {
            hedge.spare_margin()?
        };
        let account = hedge.account;
        match places.iter_mut().find(|place| place.account == account) {
            Some(place) => place.amount = place.amount.min(amount),
            None => places.push(Place { account, amount }),
        }
    }
    for (place, need) in places.iter_mut().zip(spot_needs) {
        place.amount = place.amount.sub(*need)?;
    }
    Ok(places)
}

/// Brings `missing` quote units of idle capital to the perp account of `venue`: what has arrived there, the
/// wallet with its reserve, free cash of the spot account, what other accounts can spare. `None` where all
/// of it cannot be there within a step.
pub(super) fn top_up(
    context: &Context<'_>,
    book: &Book<'_>,
    venue: Venue,
    missing: Value,
) -> Result<Option<Moves>, ComponentError> {
    let Some(short) = book.hedges.iter().find(|hedge| hedge.venue == venue) else {
        return Ok(None);
    };
    let mut moves = Moves::default();
    let mut rest = missing;
    let mut room = context.room_at(venue)?;
    if short.sweepable.is_positive() {
        let arrived = short.sweepable;
        let (from, to) = (short.accounts.deposit, short.account);
        moves
            .internal
            .push(transfer_leg(book.quote, arrived, from, to));
        rest = rest.sub(Value::new(arrived.get()))?;
    }
    let mut places = vec![(Account::WALLET, book.wallet)];
    for spot in &book.spots {
        if spot.account != short.account {
            places.push((spot.account, book.free_cash_at(spot)?));
        }
    }
    for other in &book.hedges {
        if other.account != short.account && !book.is_spot_account(other.account) {
            places.push((other.account, other.spare_margin()?));
        }
    }
    // What is there at once comes first.
    places.sort_by_key(|(account, _)| account.venue != venue);
    for (from, free) in places {
        if !rest.is_positive() {
            break;
        }
        let is_here = from.venue == venue;
        if !is_here && !arrives_within_step(context, from.venue, book.quote)? {
            continue;
        }
        let cost = if is_here {
            Value::ZERO
        } else {
            Value::new(send_cost(context, from.venue, book.quote)?.get())
        };
        let amount = rest.max(book.min_transfer).min(free.sub(cost)?);
        let amount = Value::new(amount.get().round_to_decimals(2, Rounding::Ceil)?);
        let most = free.sub(cost)?;
        let most = room
            .filter(|_| !is_here)
            .map_or(most, |room| most.min(room));
        let amount = amount.min(Value::new(
            most.get().round_to_decimals(2, Rounding::Floor)?,
        ));
        if amount < book.min_transfer && amount < rest || !amount.is_positive() {
            continue;
        }
        rest = rest.sub(amount)?;
        if let Some(room) = room.as_mut().filter(|_| !is_here) {
            *room = room.sub(amount)?;
        }
        let units = Quantity::new(amount.get());
        route(context, book.quote, from, short.account, units, &mut moves)?;
    }
    Ok((!rest.is_positive()).then_some(moves))
}

/// Whether what leaves `venue` now is where it goes by the next step.
fn arrives_within_step(
    context: &Context<'_>,
    venue: Venue,
    asset: Asset,
) -> Result<bool, ComponentError> {
    let row = rules_of(context, venue)?.withdrawal(asset);
    let delay = row.map(|row| row.delay);
    Ok(context.sends(venue) && delay.is_some_and(|delay| delay <= context.config.step))
}

/// The smallest transfer. The last of a closed book goes to a withdrawal in as little as its venue sends;
/// what is missing there is rounded up to that.
fn smallest(
    context: &Context<'_>,
    book: &Book<'_>,
    from: Account,
    to: Account,
) -> Result<Value, ComponentError> {
    let is_last = to == Account::WALLET && !book.in_kind && book.is_flat();
    if !is_last {
        return Ok(book.min_transfer);
    }
    smallest_of(context, book, from.venue)
}

/// The smallest of the last transfers from `venue`: what it sends, and what is worth its fee.
fn smallest_of(
    context: &Context<'_>,
    book: &Book<'_>,
    venue: Venue,
) -> Result<Value, ComponentError> {
    let row = rules_of(context, venue)?.withdrawal(book.quote);
    let least = row.map_or(Value::ZERO, |row| Value::new(row.minimum.get()));
    Ok(LAST_TRANSFER_MIN.min(book.min_transfer).max(least))
}

fn needs(
    context: &Context<'_>,
    book: &Book<'_>,
    spot_needs: &[Value],
    exact: bool,
) -> Result<Vec<Place>, ComponentError> {
    let mut needs = Vec::with_capacity(book.hedges.len() + 2);
    let mut push = |account, amount: Value| {
        if amount.is_positive() {
            needs.push(Place { account, amount });
        }
    };
    // The wallet is refilled for withdrawals only: a reserve that has shrunk is no reason to pay
    // for transfers.
    if context.pending_withdrawal.is_positive() && !book.in_kind && !book.is_to_be_topped_up()? {
        push(Account::WALLET, book.wallet_target.sub(book.wallet)?);
    }
    let band = context.config.margin_deviation_threshold;
    for hedge in book.hedges.iter().filter(|hedge| hedge.fresh) {
        let missing = hedge.margin_target.sub(hedge.margin)?;
        let tolerated = hedge.margin_target.at_rate(band, Rounding::Floor)?;
        if exact || missing > tolerated {
            push(hedge.account, missing);
        }
    }
    for (spot, need) in book.spots.iter().zip(spot_needs) {
        // Below zero it is a margin's need, which is counted above.
        let free = book.free_cash_at(spot)?.max(Value::ZERO);
        push(spot.account, need.sub(free)?);
    }
    // One account can be both spot and perp account; then its needs add up.
    needs.sort_by_key(|need| (need.account != Account::WALLET, need.account));
    needs.dedup_by(|later, first| {
        let same = later.account == first.account;
        if same {
            first.amount = first.amount.add(later.amount).unwrap_or(first.amount);
        }
        same
    });
    reduce_by_coming(context, book, &mut needs)?;
    Ok(needs)
}

/// Takes off what is on its way to each venue.
fn reduce_by_coming(
    context: &Context<'_>,
    book: &Book<'_>,
    needs: &mut Vec<Place>,
) -> Result<(), ComponentError> {
    if context.in_flight.is_empty() {
        return Ok(());
    }
    let mut venues: Vec<(Venue, Value)> = Vec::new();
    for need in needs.iter_mut() {
        let venue = need.account.venue;
        if venues.iter().all(|(known, _)| *known != venue) {
            let coming = context.coming_to(venue, book.quote)?;
            venues.push((venue, Value::new(coming.get())));
        }
        for (_, coming) in venues.iter_mut().filter(|(known, _)| *known == venue) {
            let part = need.amount.min(*coming);
            (need.amount, *coming) = (need.amount.sub(part)?, coming.sub(part)?);
        }
    }
    needs.retain(|need| need.amount.is_positive());
    Ok(())
}

fn surpluses(book: &Book<'_>, spot_needs: &[Value]) -> Result<Vec<Place>, ComponentError> {
    let held_back = if book.is_to_be_topped_up()? {
        Value::ZERO
    } else {
        book.wallet_target
    };
    let mut places = vec![Place {
        account: Account::WALLET,
        amount: book.wallet.sub(held_back)?,
    }];
    for (at, spot) in book.spots.iter().enumerate() {
        let need = spot_needs.get(at).copied().unwrap_or_default();
        places.push(Place {
            account: spot.account,
            amount: book.free_cash_at(spot)?.sub(need)?,
        });
    }
    for hedge in book
        .hedges
        .iter()
        .filter(|hedge| !book.is_spot_account(hedge.account))
    {
        places.push(Place {
            account: hedge.account,
            amount: hedge.spare_margin()?,
        });
    }
    places.retain(|place| place.amount.is_positive());
    Ok(places)
}

/// The transfers that bring `units` from one account to another: out through the venue's deposit
/// account, in through the other's. The last hop inside the receiving venue follows on arrival.
pub(super) fn route(
    context: &Context<'_>,
    asset: Asset,
    from: Account,
    to: Account,
    units: Quantity,
    moves: &mut Moves,
) -> Result<(), ComponentError> {
    if from.venue == to.venue {
        moves.internal.push(transfer_leg(asset, units, from, to));
        return Ok(());
    }
    let gate = |venue: Venue| rules_of(context, venue).map(|rules| rules.accounts.deposit);
    let (out, into) = (gate(from.venue)?, gate(to.venue)?);
    if out != from {
        let with_fee = units.add(send_cost(context, from.venue, asset)?)?;
        moves
            .internal
            .push(transfer_leg(asset, with_fee, from, out));
    }
    moves.external.push(transfer_leg(asset, units, out, into));
    Ok(())
}
