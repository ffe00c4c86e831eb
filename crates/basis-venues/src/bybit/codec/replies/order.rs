//! What replies say of orders.

use basis_core::num::{Price, Quantity};
use basis_core::types::{
    InstructionId, InstrumentKind, PositionSide, Side, Span, Timestamp, Venue,
};
use basis_core::venue_event::{EventKind, OrderState, OrderUpdate, VenueEvent};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::wire::{
    Page, instant_text, list, optional, position_side, result, side, text_or_null, unit,
};
use crate::wire::{DecodeError, Forced};

/// How long an order that ended without a fill can still be asked for. Orders with fills are kept two years.
pub const UNFILLED_KEPT: Span = Span::from_hours(24);

/// What the venue took: a placement, an amendment or a cancellation. What became of it is not said.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// The venue's id of the order.
    pub order_id: String,
    /// Our id of it.
    pub order_link_id: String,
}

/// Reads the acceptance of a placement, an amendment or a cancellation.
///
/// # Errors
/// [`DecodeError`], also for a refusal.
pub fn accepted(body: &[u8]) -> Result<Accepted, DecodeError> {
    result("acceptance", body)
}

/// An order as a query or the stream shows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderReply {
    /// Spot or perp; the reply says it once for all rows.
    #[serde(skip)]
    pub kind: Option<InstrumentKind>,
    /// The venue's symbol.
    pub symbol: String,
    /// The venue's id of it.
    pub order_id: String,
    /// The client order id that it was placed under; empty for orders of the venue.
    #[serde(deserialize_with = "text_or_null")]
    pub order_link_id: String,
    /// Its direction.
    #[serde(deserialize_with = "side")]
    pub side: Side,
    /// Which position of hedge mode.
    #[serde(default, deserialize_with = "position_side")]
    pub position_idx: Option<PositionSide>,
    /// Its state, by the venue's word; [`OrderReply::state`] says what it stands for.
    #[serde(deserialize_with = "known_status")]
    pub order_status: String,
    /// `Limit`, as every order of ours, or `Market`.
    #[serde(default, deserialize_with = "text_or_null")]
    pub order_type: String,
    /// Base units ordered; of a spot market order, which is never ours, it may be quote units.
    #[serde(deserialize_with = "unit")]
    pub qty: Quantity,
    /// Its limit; zero for a market order.
    #[serde(deserialize_with = "optional")]
    pub price: Option<Price>,
    /// Base units filled so far: above zero in any final state, whatever its word.
    #[serde(deserialize_with = "unit")]
    pub cum_exec_qty: Quantity,
    /// Quote units filled so far.
    #[serde(deserialize_with = "unit")]
    pub cum_exec_value: Quantity,
    /// Average price; none while nothing is filled.
    #[serde(default, deserialize_with = "optional")]
    pub avg_price: Option<Price>,
    /// Why it was rejected or cancelled.
    #[serde(default, deserialize_with = "text_or_null")]
    pub reject_reason: String,
    /// Who cancelled it.
    #[serde(default, deserialize_with = "text_or_null")]
    pub cancel_type: String,
    /// Who made it.
    #[serde(default, deserialize_with = "text_or_null")]
    pub create_type: String,
    /// When the venue last changed it.
    #[serde(deserialize_with = "instant_text")]
    pub updated_time: Timestamp,
}

const STATUSES: &[&str] = &[
    "New",
    "PartiallyFilled",
    "Untriggered",
    "Triggered",
    "Filled",
    "Cancelled",
    "PartiallyFilledCanceled",
    "Deactivated",
    "Rejected",
];

/// A word that is not known is an error: it must not be taken for dead or alive.
fn known_status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if STATUSES.contains(&text.as_str()) {
        return Ok(text);
    }
    Err(D::Error::custom(format_args!(
        "unknown order state `{text}`"
    )))
}

/// Reasons for which an order ends by its own terms; the venue has no word of its own for it.
const EXPIRES: &[&str] = &[
    "EC_NoImmediateQtyToFill",
    "EC_CancelForNoFullFill",
    "EC_NoEnoughQtyToFill",
    "EC_PostOnlyWillTakeLiquidity",
];

const EXPIRES_BY_VENUE: &[&str] = &["CancelBySmp", "CancelByReduceOnly"];

impl OrderReply {
    /// Returns what its word stands for. `Cancelled` is an expiry where the reason says so.
    #[must_use]
    pub fn state(&self) -> OrderState {
        match self.order_status.as_str() {
            "Untriggered" | "Triggered" => OrderState::Submitted,
            "New" | "PartiallyFilled" => OrderState::Working,
            "Filled" => OrderState::Filled,
            "Rejected" => OrderState::Rejected,
            _ if EXPIRES.contains(&self.reject_reason.as_str())
                || EXPIRES_BY_VENUE.contains(&self.cancel_type.as_str()) =>
            {
                OrderState::Expired
            }
            _ => OrderState::Cancelled,
        }
    }

    /// Returns why it ended, where it ended without filling whole and the venue says. A cancellation that met
    /// the last fill leaves its own reason on an order that filled.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        if self.order_status == "Filled" {
            return None;
        }
        let says = |text: &&str| !["", "UNKNOWN", "EC_NoError"].contains(text);
        let reasons = [self.reject_reason.as_str(), self.cancel_type.as_str()];
        reasons.into_iter().find(says)
    }

    /// Returns which kind of forced order it is, where nobody placed it.
    #[must_use]
    pub fn forced(&self) -> Option<Forced> {
        forced(&self.create_type)
    }

    /// Returns the event of `instruction` that it is.
    #[must_use]
    pub fn event(
        &self,
        venue: Venue,
        instruction: InstructionId,
        received_at: Timestamp,
    ) -> VenueEvent {
        let update = OrderUpdate {
            instruction,
            state: self.state(),
            filled: self.cum_exec_qty,
            venue_order_id: Some(self.order_id.clone().into()),
            reason: self.reason().map(|reason| reason.to_owned().into()),
        };
        let kind = EventKind::Order(update);
        VenueEvent::new(venue, self.updated_time, received_at, kind)
    }

    /// Checks what no order may say.
    pub(in crate::bybit::codec) fn checked(self) -> Result<Self, DecodeError> {
        let in_quote = self.order_type == "Market" && self.kind != Some(InstrumentKind::Perp);
        if self.cum_exec_qty.is_negative() || (!in_quote && self.cum_exec_qty > self.qty) {
            let reason = format!("{} of {} is out of range", self.cum_exec_qty, self.qty);
            return Err(DecodeError::new("order", "cumExecQty", reason));
        }
        Ok(self)
    }
}

/// Which kind of forced order a way of creation stands for.
pub(in crate::bybit::codec) fn forced(create_type: &str) -> Option<Forced> {
    match create_type {
        "CreateByLiq" | "CreateByTakeOver_PassThrough" => Some(Forced::Liquidation),
        "CreateByAdl_PassThrough" => Some(Forced::AutoDeleverage),
        "CreateBySettle" => Some(Forced::Settlement),
        _ => None,
    }
}

/// Reads orders: of one id, open ones, or those that closed. An empty list is no proof that there is none.
///
/// # Errors
/// [`DecodeError`] for an unknown state too; one bad row makes the list unreadable.
pub fn orders(body: &[u8]) -> Result<Page<OrderReply>, DecodeError> {
    let (page, kind) = list::<OrderReply>("orders", body)?;
    let row = |row: OrderReply| OrderReply { kind, ..row }.checked();
    Ok(Page {
        rows: page.rows.into_iter().map(row).collect::<Result<_, _>>()?,
        next: page.next,
    })
}
