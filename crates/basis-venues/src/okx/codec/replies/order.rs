//! What replies say of orders.

use basis_core::num::{Price, Quantity};
use basis_core::rules::RuleSnapshot;
use basis_core::types::{InstructionId, InstrumentKind, PositionSide, Side, Span, Timestamp};
use basis_core::venue_event::{EventKind, OrderState, OrderUpdate, VenueEvent};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::wire::{
    data, instant_text, kind, only, optional, position_side, side, text_or_null, unit,
};
use crate::okx::codec::contracts::base_units;
use crate::wire::fill::of_symbol;
use crate::wire::{DecodeError, FillError, Forced};

/// How long an order that ended without a fill can still be asked for. Orders with fills are kept three months.
pub const UNFILLED_KEPT: Span = Span::from_hours(2);

/// What the venue took: a placement, an amendment or a cancellation. What became of it is not said.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// The venue's id of the order.
    pub ord_id: String,
    /// Our id of it.
    pub cl_ord_id: String,
    s_code: String,
}

/// Reads the acceptance of one placement, amendment or cancellation.
///
/// # Errors
/// [`DecodeError`], also where the request succeeded and the order in it did not.
pub fn accepted(body: &[u8]) -> Result<Accepted, DecodeError> {
    const WHAT: &str = "acceptance";
    let row = only::<Accepted>(WHAT, body)?;
    if row.s_code != "0" {
        let reason = format!("a refusal: {}", row.s_code);
        return Err(DecodeError::new(WHAT, "sCode", reason));
    }
    Ok(row)
}

/// An order as a query or the stream shows it, in what the venue counts: contracts for swaps.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderReply {
    /// Spot or swap.
    #[serde(rename = "instType", deserialize_with = "kind")]
    pub kind: InstrumentKind,
    /// The venue's symbol.
    pub inst_id: String,
    /// The venue's id of it.
    pub ord_id: String,
    /// The client order id that it was placed under; empty for orders of the venue.
    pub cl_ord_id: String,
    /// Its direction.
    #[serde(deserialize_with = "side")]
    pub side: Side,
    /// Which position of hedge mode.
    #[serde(deserialize_with = "position_side")]
    pub pos_side: Option<PositionSide>,
    /// Its state, by the venue's word; [`OrderReply::state`] says what it stands for.
    #[serde(deserialize_with = "known_state")]
    pub state: String,
    /// Size ordered; [`OrderReply::quantity`] is in base units. Of a spot market buy it counts quote.
    #[serde(deserialize_with = "unit")]
    pub sz: Quantity,
    /// Its limit; none for a market order.
    #[serde(deserialize_with = "optional")]
    pub px: Option<Price>,
    /// Size filled so far; [`OrderReply::filled`] is in base units.
    #[serde(deserialize_with = "unit")]
    pub acc_fill_sz: Quantity,
    /// `limit`, `ioc`, `fok` and `post_only`, as orders of ours; `market` and others are never ours.
    pub ord_type: String,
    /// Who or what cancelled it, by the venue's number.
    #[serde(default, deserialize_with = "text_or_null")]
    pub cancel_source: String,
    /// `normal`, or what kind of forced order it is.
    #[serde(default, deserialize_with = "text_or_null")]
    pub category: String,
    /// When the venue last changed it.
    #[serde(deserialize_with = "instant_text")]
    pub u_time: Timestamp,
}

const STATES: &[&str] = &[
    "live",
    "partially_filled",
    "filled",
    "canceled",
    "mmp_canceled",
];

/// A word that is not known is an error: it must not be taken for dead or alive.
fn known_state<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if STATES.contains(&text.as_str()) {
        return Ok(text);
    }
    Err(D::Error::custom(format_args!(
        "unknown order state `{text}`"
    )))
}

/// Sources of a cancellation by an order's own terms: FOK, IOC, price limits, reduce-only, post-only,
/// self-trade, and the bound of makers that one order takes.
const EXPIRES: &[&str] = &[
    "13", "14", "15", "17", "21", "22", "23", "27", "31", "32", "33",
];

impl OrderReply {
    /// Returns what its word stands for. A cancellation is an expiry where its source says so.
    #[must_use]
    pub fn state(&self) -> OrderState {
        match self.state.as_str() {
            "live" | "partially_filled" => OrderState::Working,
            "filled" => OrderState::Filled,
            _ if EXPIRES.contains(&self.cancel_source.as_str()) => OrderState::Expired,
            _ => OrderState::Cancelled,
        }
    }

    /// Returns which kind of forced order it is, where nobody placed it.
    #[must_use]
    pub fn forced(&self) -> Option<Forced> {
        match self.category.as_str() {
            "full_liquidation" | "partial_liquidation" => Some(Forced::Liquidation),
            "adl" => Some(Forced::AutoDeleverage),
            "delivery" => Some(Forced::Settlement),
            _ => None,
        }
    }

    /// Returns base units ordered.
    ///
    /// # Errors
    /// [`FillError`] where the rules do not list the instrument: its contracts cannot be counted.
    pub fn quantity(&self, rules: &RuleSnapshot) -> Result<Quantity, FillError> {
        let listed = of_symbol(rules, self.kind, &self.inst_id)?;
        Ok(base_units(listed, self.sz)?)
    }

    /// Returns base units filled so far: above zero in any final state, whatever its word.
    ///
    /// # Errors
    /// As [`OrderReply::quantity`].
    pub fn filled(&self, rules: &RuleSnapshot) -> Result<Quantity, FillError> {
        let listed = of_symbol(rules, self.kind, &self.inst_id)?;
        Ok(base_units(listed, self.acc_fill_sz)?)
    }

    /// Returns the event of `instruction` that it is.
    ///
    /// # Errors
    /// As [`OrderReply::quantity`].
    pub fn event(
        &self,
        rules: &RuleSnapshot,
        instruction: InstructionId,
        received_at: Timestamp,
    ) -> Result<VenueEvent, FillError> {
        let listed = of_symbol(rules, self.kind, &self.inst_id)?;
        let source = Some(self.cancel_source.as_str()).filter(|source| !source.is_empty());
        let update = OrderUpdate {
            instruction,
            state: self.state(),
            filled: base_units(listed, self.acc_fill_sz)?,
            venue_order_id: Some(self.ord_id.clone().into()),
            reason: source.map(|source| format!("cancelSource {source}").into()),
        };
        let (venue, kind) = (listed.key.venue, EventKind::Order(update));
        Ok(VenueEvent::new(venue, self.u_time, received_at, kind))
    }

    /// Checks what no order may say. The size of a market buy counts quote, and what it filled counts base.
    pub(in crate::okx::codec) fn checked(self) -> Result<Self, DecodeError> {
        let in_quote = self.ord_type == "market" && self.kind == InstrumentKind::Spot;
        if self.acc_fill_sz.is_negative() || (!in_quote && self.acc_fill_sz > self.sz) {
            let reason = format!("{} of {} is out of range", self.acc_fill_sz, self.sz);
            return Err(DecodeError::new("order", "accFillSz", reason));
        }
        Ok(self)
    }
}

/// Reads orders: one, open ones, or those that ended. An empty list is no proof that there is none.
///
/// # Errors
/// [`DecodeError`] for an unknown state too; one bad row makes the list unreadable.
pub fn orders(body: &[u8]) -> Result<Vec<OrderReply>, DecodeError> {
    let rows = data::<OrderReply>("orders", body)?;
    rows.into_iter().map(OrderReply::checked).collect()
}
