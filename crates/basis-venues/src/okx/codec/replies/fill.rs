//! What replies say of fills, and the event that a fill is.

use basis_core::num::{Price, Quantity, Rounding};
use basis_core::rules::RuleSnapshot;
use basis_core::types::{InstructionId, InstrumentKind, PositionSide, Side, Timestamp};
use basis_core::venue_event::{TradeId, VenueEvent};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::wire::{
    data, instant_text, kind, optional, optional_instant_text, position_side, side, text_or_null,
    unit,
};
use crate::okx::codec::contracts::base_units;
use crate::wire::fill::{FillFacts, of_symbol};
use crate::wire::{DecodeError, FillError};

/// One fill of ours, in what the venue counts: contracts for swaps, fees below zero where they were paid.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FillReply {
    /// Spot or swap: trade ids repeat across instruments.
    #[serde(rename = "instType", deserialize_with = "kind")]
    pub kind: InstrumentKind,
    /// The venue's symbol.
    pub inst_id: String,
    /// The venue's number of it, unique within the instrument; below zero for forced fills.
    pub trade_id: String,
    /// The order's id.
    pub ord_id: String,
    /// Our id of the order; empty for orders of the venue.
    #[serde(deserialize_with = "text_or_null")]
    pub cl_ord_id: String,
    /// The bill it was booked with: the cursor of lists. Frames have none.
    #[serde(default, deserialize_with = "text_or_null")]
    pub bill_id: String,
    /// Our direction.
    #[serde(deserialize_with = "side")]
    pub side: Side,
    /// Which position of hedge mode.
    #[serde(default, deserialize_with = "position_side")]
    pub pos_side: Option<PositionSide>,
    /// Quote per base unit.
    #[serde(deserialize_with = "unit")]
    pub fill_px: Price,
    /// Size.
    #[serde(deserialize_with = "unit")]
    pub fill_sz: Quantity,
    /// Below zero where it was paid, above for a rebate.
    #[serde(deserialize_with = "unit")]
    pub fee: Quantity,
    /// What the fee was taken in.
    pub fee_ccy: String,
    /// Whether it rested in the book.
    #[serde(rename = "execType", deserialize_with = "maker")]
    pub maker: bool,
    /// The mark at that moment.
    #[serde(default, rename = "fillMarkPx", deserialize_with = "optional")]
    pub mark: Option<Price>,
    /// The result that a swap's fill settled.
    #[serde(default, rename = "fillPnl", deserialize_with = "optional")]
    pub realized: Option<Quantity>,
    /// When it filled.
    #[serde(default, deserialize_with = "optional_instant_text")]
    pub fill_time: Option<Timestamp>,
    /// When it was booked.
    #[serde(deserialize_with = "instant_text")]
    pub ts: Timestamp,
}

/// `T` took, `M` rested. An empty word, as forced fills have, is a taker's.
pub(in crate::okx::codec) fn maker<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<bool, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "M" => Ok(true),
        "T" | "" => Ok(false),
        other => Err(D::Error::custom(format_args!(
            "unknown side of liquidity `{other}`"
        ))),
    }
}

impl FillReply {
    /// Returns when it filled; lists are in the order of it.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.fill_time.unwrap_or(self.ts)
    }

    /// Returns base units.
    ///
    /// # Errors
    /// [`FillError`] where the rules do not list the instrument: its contracts cannot be counted.
    pub fn quantity(&self, rules: &RuleSnapshot) -> Result<Quantity, FillError> {
        let listed = of_symbol(rules, self.kind, &self.inst_id)?;
        Ok(base_units(listed, self.fill_sz)?)
    }

    /// Returns the event that it is, of `instruction` where its order is ours.
    ///
    /// # Errors
    /// [`FillError`] when the rules do not fit it.
    pub fn event(
        &self,
        rules: &RuleSnapshot,
        instruction: Option<InstructionId>,
        received_at: Timestamp,
    ) -> Result<VenueEvent, FillError> {
        let listed = of_symbol(rules, self.kind, &self.inst_id)?;
        let quantity = base_units(listed, self.fill_sz)?;
        let turnover = quantity.notional(self.fill_px, Rounding::HalfEven)?;
        let trade = self.trade_id.parse().map(TradeId::Number);
        let facts = FillFacts {
            kind: self.kind,
            symbol: &self.inst_id,
            trade: trade.unwrap_or_else(|_negative| TradeId::Text(self.trade_id.as_str().into())),
            side: self.side,
            position_side: self.pos_side,
            price: self.fill_px,
            quantity,
            turnover: Quantity::new(turnover.get()),
            reference: self.mark.filter(|mark| mark.is_positive()),
            fee: self.fee.neg()?,
            fee_asset: &self.fee_ccy,
            maker: self.maker,
            realized: self.realized,
            at: self.at(),
        };
        facts.event(rules, instruction, received_at)
    }

    /// Checks what no fill may be without.
    pub(in crate::okx::codec) fn checked(self) -> Result<Self, DecodeError> {
        let wrong = |field, reason: &str| Err(DecodeError::new("fill", field, reason));
        if self.trade_id.is_empty() {
            return wrong("tradeId", "missing");
        }
        if !self.fill_sz.is_positive() {
            return wrong("fillSz", "not above zero");
        }
        if !self.fill_px.is_positive() {
            return wrong("fillPx", "not above zero");
        }
        Ok(self)
    }
}

/// Reads fills, newest first.
///
/// # Errors
/// [`DecodeError`]; one bad row makes the list unreadable.
pub fn fills(body: &[u8]) -> Result<Vec<FillReply>, DecodeError> {
    let rows = data::<FillReply>("fills", body)?;
    rows.into_iter().map(FillReply::checked).collect()
}

/// Sorts fills as they happened: lists are in the order of their booking.
pub fn sort_fills(rows: &mut [FillReply]) {
    rows.sort_by(|a, b| (a.at(), &a.inst_id, &a.trade_id).cmp(&(b.at(), &b.inst_id, &b.trade_id)));
}
