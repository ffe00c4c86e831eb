//! Fills and forced closes.

use basis_core::ledger::EntryKind;
use basis_core::num::{Fixed18, MathError, Price, Quantity, Rounding};
use basis_core::types::{Account, Asset, InstrumentKey, InstrumentKind, Item, Side};
use basis_core::venue_event::{Fill, Liquidation};
use basis_market::is_dollar;
use basis_protocols::exchange::PerpPosition;

use super::writer::{Writer, known, not_negative, positive, value_of};
use super::{Held, PostingError};

impl Writer<'_> {
    /// The lines of a fill: base, quote, fee, covered for spot; position, result, fee, covered for a
    /// perp. A result, a fee and a cover of zero make none.
    pub(super) fn fill(&mut self, fill: &Fill, held: &dyn Held) -> Result<(), PostingError> {
        positive("fill quantity", fill.quantity.get())?;
        positive("fill price", fill.price.get())?;
        not_negative("turnover", fill.turnover)?;
        not_negative("covered", fill.covered)?;
        if is_spot(fill.instrument) {
            self.spot(fill)
        } else {
            self.perp(fill, held)
        }
    }

    fn spot(&mut self, fill: &Fill) -> Result<(), PostingError> {
        if fill.realized.is_some_and(|realized| !realized.is_zero()) {
            return Err(PostingError::NotPerp(fill.instrument));
        }
        let quote_price = self.own_price(fill.quote)?;
        let base_price = base_price(fill, quote_price)?;
        let (base_change, quote_change) = match fill.side {
            Side::Buy => (fill.quantity, fill.turnover.neg()?),
            Side::Sell => (fill.quantity.neg()?, fill.turnover),
        };
        let kind = EntryKind::Trade;
        let (base, quote) = (Item::Asset(fill.base), Item::Asset(fill.quote));
        // The two sides cancel out to the last unit: the base cost what the quote was valued at.
        let value = value_of(quote, quote_change, quote_price)?;
        let amounts = (base_change, base_change);
        self.push(
            kind,
            (fill.account, base),
            amounts,
            value.neg()?,
            base_price,
        )?;
        let amounts = (quote_change, quote_change);
        self.push(kind, (fill.account, quote), amounts, value, quote_price)?;
        let fee_price = if fill.fee_asset == fill.base {
            base_price
        } else {
            self.own_price(fill.fee_asset)?
        };
        let fee = (fill.fee_asset, fill.fee.neg()?);
        self.booked(EntryKind::Fee, fill.account, fee, fee_price)?;
        let covered = (fill.quote, fill.covered);
        self.booked(EntryKind::WriteOff, fill.account, covered, quote_price)
    }

    fn perp(&mut self, fill: &Fill, held: &dyn Held) -> Result<(), PostingError> {
        let settled_at = settlement_price(fill.instrument, fill.quote)?;
        let change = match fill.side {
            Side::Buy => fill.quantity,
            Side::Sell => fill.quantity.neg()?,
        };
        let place = (fill.account, Item::Position(fill.instrument));
        let prices = (fill.price, fill.reference);
        self.position(EntryKind::Trade, place, change, prices)?;
        let realized = match fill.realized {
            Some(realized) => realized,
            None => average_cost_result(fill, change, held)?,
        };
        let realized = (fill.quote, realized);
        self.booked(EntryKind::RealizedPnl, fill.account, realized, settled_at)?;
        let fee_price = self.own_price(fill.fee_asset)?;
        let fee = (fill.fee_asset, fill.fee.neg()?);
        self.booked(EntryKind::Fee, fill.account, fee, fee_price)?;
        let covered = (fill.quote, fill.covered);
        self.booked(EntryKind::WriteOff, fill.account, covered, settled_at)
    }

    /// The lines of a forced close: as a perp's fill at its price, which is its reference too.
    pub(super) fn forced_close(&mut self, close: &Liquidation) -> Result<(), PostingError> {
        if close.closing.is_zero() {
            let what = "quantity of a forced close";
            return Err(PostingError::Zero { what });
        }
        positive("price of a forced close", close.price.get())?;
        not_negative("liquidation fee", close.fee)?;
        not_negative("covered", close.covered)?;
        if is_spot(close.instrument) {
            return Err(PostingError::NotPerp(close.instrument));
        }
        let settled_at = settlement_price(close.instrument, close.quote)?;
        let account = close.account;
        let place = (account, Item::Position(close.instrument));
        let prices = (close.price, close.price);
        self.position(EntryKind::Trade, place, close.closing, prices)?;
        let realized = (close.quote, close.realized);
        self.booked(EntryKind::RealizedPnl, account, realized, settled_at)?;
        let fee = (close.quote, close.fee.neg()?);
        self.booked(EntryKind::Liquidation, account, fee, settled_at)?;
        let covered = (close.quote, close.covered);
        self.booked(EntryKind::WriteOff, account, covered, settled_at)
    }

    /// A line of an asset, unless the amount is zero.
    fn booked(
        &mut self,
        kind: EntryKind,
        account: Account,
        (asset, amount): (Asset, Quantity),
        price: Option<Price>,
    ) -> Result<(), PostingError> {
        if amount.is_zero() {
            return Ok(());
        }
        self.book(kind, (account, Item::Asset(asset)), (amount, amount), price)
    }
}

fn is_spot(instrument: InstrumentKey) -> bool {
    instrument.kind.contract() == InstrumentKind::Spot
}

/// The USD mark of a spot fill's base: its reference is in the quote asset.
fn base_price(fill: &Fill, quote_price: Option<Price>) -> Result<Option<Price>, MathError> {
    if is_dollar(fill.quote) {
        return Ok(known(fill.reference));
    }
    let Some(quote_price) = quote_price else {
        return Ok(None);
    };
    let reference = fill.reference.get();
    let price = reference.mul(quote_price.get(), Rounding::HalfEven)?;
    Ok(known(Price::new(price)?))
}

/// The price of what a perp settles in. Open costs are sums in the settlement asset and count as USD, so
/// it is one dollar or refused.
fn settlement_price(
    instrument: InstrumentKey,
    asset: Asset,
) -> Result<Option<Price>, PostingError> {
    if is_dollar(asset) {
        Ok(Some(super::price::ONE_DOLLAR))
    } else {
        Err(PostingError::Settlement { instrument, asset })
    }
}

/// The result of what a fill closes, where the venue reports none: closed × (price − average cost), exact
/// to the last of 18 decimals.
fn average_cost_result(
    fill: &Fill,
    change: Quantity,
    held: &dyn Held,
) -> Result<Quantity, PostingError> {
    let Some((quantity, cost)) = held.open_position(fill.account, fill.instrument) else {
        return Ok(Quantity::ZERO);
    };
    let open = PerpPosition { quantity, cost };
    let filled = open.fill(change, fill.price, Fixed18::DECIMALS)?;
    Ok(Quantity::new(filled.realized.get()))
}
