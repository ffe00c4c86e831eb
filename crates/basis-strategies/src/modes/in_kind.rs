//! Capital that comes and goes in the asset itself.
//!
//! It arrives in the wallet, the spot venue turns a part of it into margin, and a withdrawal goes back
//! as the asset. Nothing here trades a perp.

use basis_core::error::ComponentError;
use basis_core::num::{Quantity, Rounding, Value};
use basis_core::plan::Leg;
use basis_core::types::{Account, Venue};

use super::Context;
use super::funding::{Moves, route};
use super::hedge::{Book, NEAR, least_sent, send_cost};
use super::volume::{Pace, room};

/// Decimals an amount sent is cut to: no venue sends more of them.
const SENT_DECIMALS: u32 = 8;

/// Brings what the wallet holds above its target to the spot venue. `exact` brings all of it;
/// otherwise only when the wallet has left its band.
pub(super) fn bring(
    context: &Context<'_>,
    book: &Book<'_>,
    exact: bool,
) -> Result<Option<Moves>, ComponentError> {
    if !book.in_kind {
        return Ok(None);
    }
    let surplus = book.wallet_base.sub(book.wallet_base_target)?;
    let band = book
        .wallet_base_target
        .at_rate(context.config.margin_deviation_threshold, Rounding::Floor)?;
    if !exact && surplus <= band {
        return Ok(None);
    }
    let cost = send_cost(context, Venue::WALLET, context.config.asset)?;
    send(
        context,
        Account::WALLET,
        book.spot_account,
        surplus.sub(cost)?,
    )
}

/// Sends a due withdrawal back to the wallet: while the book is being scaled down, once the spot account
/// has all of it to spare, for the rest may have to be bought first; after that whatever is still missing,
/// for it is hedged there as in the spot account.
pub(super) fn ship(
    context: &Context<'_>,
    book: &Book<'_>,
    scale: bool,
) -> Result<Option<Moves>, ComponentError> {
    if !book.ship.is_positive() || !book.spot_price.is_positive() {
        return Ok(None);
    }
    let core = if scale {
        book.notional_target.per(book.spot_price, Rounding::Floor)?
    } else {
        Quantity::ZERO
    };
    let spare = book.spot.sub(core)?.min(book.ship);
    if scale && spare < book.ship {
        return Ok(None);
    }
    let cost = send_cost(context, book.spot_account.venue, context.config.asset)?;
    send(
        context,
        book.spot_account,
        Account::WALLET,
        spare.sub(cost)?,
    )
}

/// The transfer, when it is worth one and the sender sends.
fn send(
    context: &Context<'_>,
    from: Account,
    to: Account,
    amount: Quantity,
) -> Result<Option<Moves>, ComponentError> {
    let config = context.config;
    if !context.sends(from.venue) {
        return Ok(None);
    }
    let amount = Quantity::new(
        amount
            .get()
            .round_to_decimals(SENT_DECIMALS, Rounding::Floor)?,
    );
    if !amount.is_positive() || amount < least_sent(context, from.venue, config.asset)? {
        return Ok(None);
    }
    let mut moves = Moves::default();
    route(context, config.asset, from, to, amount, &mut moves)?;
    Ok(Some(moves))
}

/// Sells spot above the target where the quote units in all accounts are well below what the margins
/// need, and never more than the shorts leave unhedged.
pub(super) fn raise_margin(
    context: &Context<'_>,
    book: &Book<'_>,
) -> Result<Option<Vec<Leg>>, ComponentError> {
    if !book.in_kind {
        return Ok(None);
    }
    let shared = book.hedges.iter().any(|h| h.account == book.spot_account);
    let mut cash = if shared { Value::ZERO } else { book.spot_cash };
    let mut wanted = Value::ZERO;
    for hedge in &book.hedges {
        cash = cash.add(hedge.margin)?.add(hedge.coming)?;
        wanted = wanted.add(hedge.margin_target)?;
    }
    let missing = wanted.sub(cash)?;
    let band = wanted.at_rate(NEAR, Rounding::Floor)?;
    if missing <= band {
        return Ok(None);
    }
    let naked = book.spot.add(book.outside)?.sub(book.short()?)?;
    let excess = book.spot.sub(book.spot_target)?.min(naked);
    let size = excess.min(missing.per(book.spot_price, Rounding::Ceil)?);
    let market = (book.layout().spot(), book.layout().spot_slot);
    let room = room(context, book.spot_account.venue, market, Pace::Planned)?;
    let size = room.map_or(size, |room| size.min(room));
    if !size.is_positive() {
        return Ok(None);
    }
    let legs = book.sale(size)?;
    Ok((!legs.is_empty()).then_some(legs))
}

/// Whether a margin, with what is on its way to it, is further below its target than counts as there.
pub(super) fn is_short_of_margin(book: &Book<'_>) -> Result<bool, ComponentError> {
    for hedge in &book.hedges {
        let band = hedge.margin_target.at_rate(NEAR, Rounding::Floor)?;
        if hedge.missing_margin()? > band {
            return Ok(true);
        }
    }
    Ok(false)
}
