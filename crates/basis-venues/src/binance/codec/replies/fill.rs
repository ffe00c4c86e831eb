//! What replies say of fills, and the event that a fill is.

use basis_core::num::{Price, Quantity, Rounding};
use basis_core::rules::RuleSnapshot;
use basis_core::types::{InstructionId, InstrumentKind, PositionSide, Side, Timestamp};
use basis_core::venue_event::{TradeId, VenueEvent};
use serde::Deserialize;

use super::order::{ImmediateFill, OrderReply};
use super::wire::{DecodeError, decode, instant, position_side, side, unit};
pub use crate::wire::FillError;
use crate::wire::fill::FillFacts;

/// One fill of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FillReply {
    /// Spot or perp: trade ids repeat across products.
    pub kind: InstrumentKind,
    /// The venue's symbol.
    pub symbol: String,
    /// The venue's number of it, unique within the symbol.
    pub trade_id: u64,
    /// The order's number; no list of fills names client order ids.
    pub order_id: u64,
    /// Our direction.
    pub side: Side,
    /// Which position of hedge mode.
    pub position_side: Option<PositionSide>,
    /// Quote per base unit.
    pub price: Price,
    /// Base units, > 0.
    pub quantity: Quantity,
    /// Quote units.
    pub quote_quantity: Quantity,
    /// The fee; below zero for a rebate.
    pub fee: Quantity,
    /// What the fee was taken in.
    pub fee_asset: String,
    /// Whether it rested in the book.
    pub maker: bool,
    /// The result that a perp fill settled.
    pub realized: Option<Quantity>,
    /// When.
    pub at: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpotRow {
    symbol: String,
    id: u64,
    order_id: u64,
    #[serde(deserialize_with = "unit")]
    price: Price,
    #[serde(deserialize_with = "unit")]
    qty: Quantity,
    #[serde(deserialize_with = "unit")]
    quote_qty: Quantity,
    #[serde(deserialize_with = "unit")]
    commission: Quantity,
    commission_asset: String,
    #[serde(deserialize_with = "instant")]
    time: Timestamp,
    is_buyer: bool,
    is_maker: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PerpRow {
    symbol: String,
    id: u64,
    order_id: u64,
    #[serde(deserialize_with = "side")]
    side: Side,
    #[serde(deserialize_with = "position_side")]
    position_side: Option<PositionSide>,
    #[serde(deserialize_with = "unit")]
    price: Price,
    #[serde(deserialize_with = "unit")]
    qty: Quantity,
    #[serde(deserialize_with = "unit")]
    quote_qty: Quantity,
    #[serde(deserialize_with = "unit")]
    realized_pnl: Quantity,
    #[serde(deserialize_with = "unit")]
    commission: Quantity,
    commission_asset: String,
    #[serde(deserialize_with = "instant")]
    time: Timestamp,
    maker: bool,
}

/// Reads the fills of a spot symbol.
///
/// # Errors
/// [`DecodeError`]; one bad row makes the list unreadable.
pub fn spot_fills(body: &[u8]) -> Result<Vec<FillReply>, DecodeError> {
    let rows = decode::<Vec<SpotRow>>("fills", body)?;
    let fill = |row: SpotRow| FillReply {
        kind: InstrumentKind::Spot,
        symbol: row.symbol,
        trade_id: row.id,
        order_id: row.order_id,
        side: if row.is_buyer { Side::Buy } else { Side::Sell },
        position_side: None,
        price: row.price,
        quantity: row.qty,
        quote_quantity: row.quote_qty,
        fee: row.commission,
        fee_asset: row.commission_asset,
        maker: row.is_maker,
        realized: None,
        at: row.time,
    };
    rows.into_iter().map(fill).map(FillReply::checked).collect()
}

/// Reads the fills of a USD-M symbol.
///
/// # Errors
/// As [`spot_fills`].
pub fn perp_fills(body: &[u8]) -> Result<Vec<FillReply>, DecodeError> {
    let rows = decode::<Vec<PerpRow>>("fills", body)?;
    let fill = |row: PerpRow| FillReply {
        kind: InstrumentKind::Perp,
        symbol: row.symbol,
        trade_id: row.id,
        order_id: row.order_id,
        side: row.side,
        position_side: row.position_side,
        price: row.price,
        quantity: row.qty,
        quote_quantity: row.quote_qty,
        fee: row.commission,
        fee_asset: row.commission_asset,
        maker: row.maker,
        realized: Some(row.realized_pnl),
        at: row.time,
    };
    rows.into_iter().map(fill).map(FillReply::checked).collect()
}

/// Returns what filled at once, out of the reply to a spot order.
///
/// # Errors
/// [`DecodeError`] when the reply names fills and no side, or an amount is out of range.
pub fn immediate_fills(order: &OrderReply) -> Result<Vec<FillReply>, DecodeError> {
    let row = |fill: &ImmediateFill| {
        let side = order
            .side
            .ok_or_else(|| DecodeError::new("order", "side", "missing beside fills"))?;
        let turnover = fill.qty.notional(fill.price, Rounding::HalfEven);
        let turnover = turnover.map_err(|e| DecodeError::new("order", "fills", e.to_string()))?;
        FillReply {
            kind: InstrumentKind::Spot,
            symbol: order.symbol.clone(),
            trade_id: fill.trade_id,
            order_id: order.order_id,
            side,
            position_side: None,
            price: fill.price,
            quantity: fill.qty,
            quote_quantity: Quantity::new(turnover.get()),
            fee: fill.commission,
            fee_asset: fill.commission_asset.clone(),
            maker: false,
            realized: None,
            at: order.at,
        }
        .checked()
    };
    order.fills.iter().map(row).collect()
}

impl FillReply {
    /// Checks what no fill may be without.
    pub(in crate::binance::codec) fn checked(self) -> Result<Self, DecodeError> {
        if !self.quantity.is_positive() {
            let reason = format!("{} is not above zero", self.quantity);
            return Err(DecodeError::new("fill", "qty", reason));
        }
        if !self.price.is_positive() {
            return Err(DecodeError::new("fill", "price", "not above zero"));
        }
        Ok(self)
    }

    /// Returns the event that it is, of `instruction` where its order is ours.
    ///
    /// `reference` is the mark at that moment; where none is known the fill's own price stands in for it. The
    /// fee's rate is computed from fee and fill where the fee is in base or quote; a fee in another coin says
    /// nothing of its rate, and the rules' rate stands in.
    ///
    /// # Errors
    /// [`FillError`] when the rules do not fit it.
    pub fn event(
        &self,
        rules: &RuleSnapshot,
        instruction: Option<InstructionId>,
        reference: Option<Price>,
        received_at: Timestamp,
    ) -> Result<VenueEvent, FillError> {
        let facts = FillFacts {
            kind: self.kind,
            symbol: &self.symbol,
            trade: TradeId::Number(self.trade_id),
            side: self.side,
            position_side: self.position_side,
            price: self.price,
            quantity: self.quantity,
            turnover: self.quote_quantity,
            reference,
            fee: self.fee,
            fee_asset: &self.fee_asset,
            maker: self.maker,
            realized: self.realized,
            at: self.at,
        };
        facts.event(rules, instruction, received_at)
    }
}
