//! The gas reserve of a book whose capital is not ETH: bought at the spot venue, sent to the wallet.
//!
//! A transaction needs ETH before anything on the chain can be swapped for it, so the first of it
//! cannot come from a pool. The steps follow from what is where: ETH that is bought is sent, quote
//! units that have arrived buy it, and otherwise quote units set out from the wallet.

use basis_core::error::ComponentError;
use basis_core::num::{Quantity, Rate, Rounding, Value};
use basis_core::plan::{Action, Block, FailurePolicy, Leg, Plan};
use basis_core::types::{Account, InstrumentKind, Item, Side, Venue};

use basis_market::GasFees;
use basis_protocols::gas::ether_cost;

use super::super::funding::{Moves, route};
use super::super::hedge::{instrument, rules_of, send_cost};
use super::super::legs::transfer_leg;
use super::super::{Context, Decision};
use super::ETH;
use super::series::GAS;

/// What is sent for the purchase above its price: moves while it is under way, fee and lot.
const BUFFER: Rate = Rate::literal("0.03");

/// What must be left of the buffer when it arrives; a move on the way is no reason to send more, which
/// costs a transfer again.
const LEFT: Rate = Rate::literal("0.005");

/// Decimals an amount sent is cut to: no venue sends more of them.
const SENT_DECIMALS: u32 = 8;

/// What so many units of gas cost now, ETH; zero where the view knows no price of gas.
///
/// # Errors
/// POS-002 out of range.
pub(in super::super) fn cost(
    context: &Context<'_>,
    units: u64,
) -> Result<Quantity, ComponentError> {
    let slot = context.view.row_slot::<GasFees>(GAS);
    let Some(fees) = slot.and_then(|slot| context.view.gas(slot)) else {
        return Ok(Quantity::ZERO);
    };
    Ok(ether_cost(units, fees.row.gas_price_gwei)?)
}

/// The next step towards a `reserve` of ETH, when less than half of it is left.
///
/// # Errors
/// STRAT-001 when the spot venue lists no ETH; POS-002 out of range.
pub(in super::super) fn top_up(
    context: &Context<'_>,
    reserve: Quantity,
) -> Result<Option<Decision>, ComponentError> {
    let held = context.books.quantity(Account::WALLET, Item::Asset(ETH));
    if held.add(held)? >= reserve {
        return Ok(None);
    }
    let missing = reserve.sub(held)?;
    let venue = context.config.spot_venue;
    // What is bought could not be sent. What is left of the reserve pays meanwhile.
    if let Some(halted) = [venue, Venue::WALLET]
        .into_iter()
        .find(|v| !context.sends(*v))
    {
        return Ok((!held.is_positive()).then_some(Decision::Halted("gas_reserve", halted)));
    }
    let spot = instrument(context, venue, InstrumentKind::Spot)?;
    let accounts = rules_of(context, venue)?.accounts;
    let quote = spot.quote;
    let wanted = missing
        .add(send_cost(context, venue, ETH)?)?
        .max(least_withdrawal(context, venue)?);
    let holds = |account, asset| context.books.quantity(account, Item::Asset(asset));
    let arrived = holds(accounts.deposit, quote);
    if accounts.deposit != accounts.spot && arrived.is_positive() {
        let sweep = transfer_leg(quote, arrived, accounts.deposit, accounts.spot);
        return Ok(Some(act(vec![vec![sweep]])));
    }
    let bought = holds(accounts.spot, ETH);
    // What the exchange keeps of a purchase as its fee must not start another one.
    let enough = wanted
        .at_rate(Rate::literal("0.9"), Rounding::Floor)?
        .max(least_withdrawal(context, venue)?);
    if bought.is_positive() && bought >= enough {
        return send(context, accounts.spot, bought);
    }
    let Some(price) = context.view.quote_of(spot.key.series()) else {
        return Ok(None);
    };
    if !price.state.is_tradable() {
        return Ok(Some(Decision::Deferred("gas_reserve")));
    }
    let short = with_fee(context, venue, wanted.sub(bought.min(wanted))?)?;
    let size = short
        .round_to_lot(spot.lot_size, Rounding::Ceil)?
        .max(spot.min_quantity);
    let cost = size
        .notional(price.mark, Rounding::Ceil)?
        .max(spot.min_notional);
    let enough = cost.at_rate(Rate::ONE.add(LEFT)?, Rounding::Ceil)?;
    let cost = cost.at_rate(Rate::ONE.add(BUFFER)?, Rounding::Ceil)?;
    let cash = Value::new(holds(accounts.spot, quote).get());
    if cash >= enough {
        let size = size.max(
            spot.min_notional
                .per(price.mark, Rounding::Ceil)?
                .round_to_lot(spot.lot_size, Rounding::Ceil)?,
        );
        let buy = Leg::market(spot.key, Side::Buy, size, false);
        return Ok(Some(act(vec![vec![buy]])));
    }
    let amount = cost.sub(cash)?.get().round_to_decimals(2, Rounding::Ceil)?;
    let mut moves = Moves::default();
    let amount = Quantity::new(amount);
    route(
        context,
        quote,
        Account::WALLET,
        accounts.spot,
        amount,
        &mut moves,
    )?;
    Ok(Some(act(vec![moves.internal, moves.external])))
}

/// What must be bought for `ether` to be there after the fee that is taken out of it.
fn with_fee(
    context: &Context<'_>,
    venue: Venue,
    ether: Quantity,
) -> Result<Quantity, ComponentError> {
    let fees = rules_of(context, venue)?.fees;
    let kept = Rate::ONE.sub(fees.spot.taker)?;
    Ok(ether.div_rate(kept, Rounding::Ceil)?)
}

/// Sends the ETH that was bought, less what sending costs.
fn send(
    context: &Context<'_>,
    from: Account,
    bought: Quantity,
) -> Result<Option<Decision>, ComponentError> {
    let cost = send_cost(context, from.venue, ETH)?;
    let amount = bought.sub(cost)?.get();
    let amount = Quantity::new(amount.round_to_decimals(SENT_DECIMALS, Rounding::Floor)?);
    let mut moves = Moves::default();
    route(context, ETH, from, Account::WALLET, amount, &mut moves)?;
    Ok(Some(act(vec![moves.internal, moves.external])))
}

/// The least ETH that `venue` sends, its cost included.
fn least_withdrawal(context: &Context<'_>, venue: Venue) -> Result<Quantity, ComponentError> {
    let row = rules_of(context, venue)?.withdrawal(ETH);
    let least = row.map_or(Quantity::ZERO, |row| Quantity::new(row.minimum.get()));
    Ok(least.add(send_cost(context, venue, ETH)?)?)
}

fn act(blocks: Vec<Vec<Leg>>) -> Decision {
    let blocks = blocks.into_iter().filter(|legs| !legs.is_empty());
    let blocks = blocks.map(|legs| Block {
        legs,
        failure_policy: FailurePolicy::Halt,
    });
    Decision::Act(Plan {
        action: Action::EntryPartial,
        reason: "gas_reserve".into(),
        blocks: blocks.collect(),
    })
}
