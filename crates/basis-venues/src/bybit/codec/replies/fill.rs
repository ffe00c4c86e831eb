//! What replies say of fills, and the event that a fill is.

use basis_core::num::{Price, Quantity};
use basis_core::rules::RuleSnapshot;
use basis_core::types::{InstructionId, InstrumentKind, PositionSide, Side, Timestamp};
use basis_core::venue_event::{TradeId, VenueEvent};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::order::forced;
use super::wire::{Page, instant_text, list, optional, side, text_or_null, unit};
use crate::wire::fill::{FillFacts, of_symbol};
use crate::wire::{DecodeError, FillError, Forced};

/// What an execution is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionKind {
    /// A fill.
    Trade,
    /// A fill that the venue forced.
    Forced(Forced),
    /// A funding settlement: no fill.
    Funding,
}

/// One execution: a fill, or a funding settlement.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// Spot or perp; a reply says it once for all rows, a frame in each.
    #[serde(skip)]
    pub kind: Option<InstrumentKind>,
    /// The venue's symbol.
    pub symbol: String,
    /// The venue's id of it.
    pub exec_id: String,
    /// The venue's word for what it is.
    pub exec_type: String,
    /// The order's id.
    pub order_id: String,
    /// Our id of the order; empty for orders of the venue.
    #[serde(deserialize_with = "text_or_null")]
    pub order_link_id: String,
    /// Who made the order.
    #[serde(default, deserialize_with = "text_or_null")]
    pub create_type: String,
    /// Our direction.
    #[serde(deserialize_with = "side")]
    pub side: Side,
    /// Quote per base unit.
    #[serde(deserialize_with = "unit")]
    pub exec_price: Price,
    /// Base units.
    #[serde(deserialize_with = "unit")]
    pub exec_qty: Quantity,
    /// Quote units.
    #[serde(deserialize_with = "unit")]
    pub exec_value: Quantity,
    /// What of the order is left.
    #[serde(deserialize_with = "optional")]
    pub leaves_qty: Option<Quantity>,
    /// The fee; below zero for a rebate. Of a funding settlement what was paid.
    #[serde(deserialize_with = "unit")]
    pub exec_fee: Quantity,
    /// What the fee was taken in; empty for what the product settles in.
    #[serde(default, deserialize_with = "text_or_null")]
    pub fee_currency: String,
    /// Whether it rested in the book.
    pub is_maker: bool,
    /// The mark at that moment.
    #[serde(default, deserialize_with = "optional")]
    pub mark_price: Option<Price>,
    /// The result that it settled; frames alone say it.
    #[serde(default, deserialize_with = "optional")]
    pub exec_pnl: Option<Quantity>,
    /// Whether it names fees beside its own (taxes of some countries).
    #[serde(default, deserialize_with = "has_content")]
    pub extra_fees: bool,
    /// When.
    #[serde(deserialize_with = "instant_text")]
    pub exec_time: Timestamp,
}

/// Whether there is anything in a field that is empty in one of three ways.
fn has_content<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(!["", "\"\"", "[]", "null"].contains(&raw.get()))
}

impl Execution {
    /// Returns what it is.
    ///
    /// # Errors
    /// [`DecodeError`] for a word that is not known: it must not be taken for a fill, nor for none.
    pub fn what(&self) -> Result<ExecutionKind, DecodeError> {
        match self.exec_type.as_str() {
            "Trade" => {
                Ok(forced(&self.create_type).map_or(ExecutionKind::Trade, ExecutionKind::Forced))
            }
            "AdlTrade" => Ok(ExecutionKind::Forced(Forced::AutoDeleverage)),
            "BustTrade" => Ok(ExecutionKind::Forced(Forced::Liquidation)),
            "Settle" | "Delivery" => Ok(ExecutionKind::Forced(Forced::Settlement)),
            "Funding" => Ok(ExecutionKind::Funding),
            other => {
                let reason = format!("unknown kind of execution `{other}`");
                Err(DecodeError::new("execution", "execType", reason))
            }
        }
    }

    /// Returns the event that it is, of `instruction` where its order is ours; the executions of hedge mode do
    /// not say which position they are of, so `position_side` is that of the order.
    ///
    /// # Errors
    /// [`FillError`] when the rules do not fit it.
    pub fn event(
        &self,
        rules: &RuleSnapshot,
        instruction: Option<InstructionId>,
        position_side: Option<PositionSide>,
        received_at: Timestamp,
    ) -> Result<VenueEvent, FillError> {
        let kind = self.kind.ok_or_else(|| FillError::Unclear {
            symbol: self.symbol.clone(),
            what: "the venue does not say whether it is spot or linear",
        })?;
        let listed = of_symbol(rules, kind, &self.symbol)?;
        // Perpetuals pay fees in what they settle in; the spot rule holds where the row does not say.
        let receives_base = (self.side == Side::Buy) != self.exec_fee.is_negative();
        let taken_in = match (self.fee_currency.as_str(), kind) {
            ("", InstrumentKind::Spot) if receives_base => listed.base.as_str(),
            ("", _) => listed.quote.as_str(),
            (named, _) => named,
        };
        if self.extra_fees {
            return Err(FillError::Unclear {
                symbol: self.symbol.clone(),
                what: "it names extra fees, and the venue does not say whether its fee holds them",
            });
        }
        let facts = FillFacts {
            kind,
            symbol: &self.symbol,
            trade: TradeId::Text(self.exec_id.as_str().into()),
            side: self.side,
            position_side,
            price: self.exec_price,
            quantity: self.exec_qty,
            turnover: self.exec_value,
            reference: self.mark_price.filter(|price| price.is_positive()),
            fee: self.exec_fee,
            fee_asset: taken_in,
            maker: self.is_maker,
            realized: self.exec_pnl,
            at: self.exec_time,
        };
        facts.event(rules, instruction, received_at)
    }

    /// Checks what no fill may be without.
    pub(in crate::bybit::codec) fn checked(self) -> Result<Self, DecodeError> {
        let is_fill = self.what()? != ExecutionKind::Funding;
        if is_fill && !self.exec_qty.is_positive() {
            let reason = format!("{} is not above zero", self.exec_qty);
            return Err(DecodeError::new("execution", "execQty", reason));
        }
        if is_fill && !self.exec_price.is_positive() {
            return Err(DecodeError::new("execution", "execPrice", "not above zero"));
        }
        Ok(self)
    }
}

/// Reads executions, newest first; funding settlements may be among them.
///
/// # Errors
/// [`DecodeError`]; one bad row makes the list unreadable.
pub fn executions(body: &[u8]) -> Result<Page<Execution>, DecodeError> {
    let (page, kind) = list::<Execution>("executions", body)?;
    let row = |row: Execution| Execution { kind, ..row }.checked();
    Ok(Page {
        rows: page.rows.into_iter().map(row).collect::<Result<_, _>>()?,
        next: page.next,
    })
}

/// Sorts executions as they happened: the venue lists those of one instant in any order.
pub fn sort_executions(rows: &mut [Execution]) {
    rows.sort_by(|a, b| {
        let order = (a.exec_time, &a.order_id).cmp(&(b.exec_time, &b.order_id));
        // The more of an order is left, the earlier was the fill.
        order
            .then_with(|| b.leaves_qty.cmp(&a.leaves_qty))
            .then_with(|| a.exec_id.cmp(&b.exec_id))
    });
}
