//! What replies say of orders.

use basis_core::num::{Price, Quantity};
use basis_core::types::{InstructionId, Side, Timestamp, Venue};
use basis_core::venue_event::{EventKind, OrderState, OrderUpdate, VenueEvent};
use serde::Deserialize;

use super::wire::{
    DecodeError, decode, optional, optional_instant, optional_side, optional_state, unit,
};

/// An order as a reply shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderReply {
    /// The venue's symbol.
    pub symbol: String,
    /// The venue's number of it, unique within the symbol.
    pub order_id: u64,
    /// The client order id that it was placed under.
    pub client_order_id: String,
    /// Its direction; an acknowledgement alone does not say.
    pub side: Option<Side>,
    /// Its state; submitted where the venue only acknowledges.
    pub state: OrderState,
    /// Base units filled so far.
    pub filled: Quantity,
    /// Base units ordered, where the reply says.
    pub quantity: Option<Quantity>,
    /// Its limit, where the reply says.
    pub price: Option<Price>,
    /// Quote units filled so far, where the reply says.
    pub filled_quote: Option<Quantity>,
    /// When the venue last changed it.
    pub at: Timestamp,
    /// Why it ended, in the venue's word, where it says.
    pub reason: Option<String>,
    /// What filled at once; only spot's reply to a new order has them, all of them taken.
    pub fills: Vec<ImmediateFill>,
}

/// A fill within the reply to a spot order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImmediateFill {
    /// Its number, unique within the symbol.
    pub trade_id: u64,
    /// Quote per base unit.
    #[serde(deserialize_with = "unit")]
    pub price: Price,
    /// Base units.
    #[serde(deserialize_with = "unit")]
    pub qty: Quantity,
    /// The fee; above zero where it was paid.
    #[serde(deserialize_with = "unit")]
    pub commission: Quantity,
    /// What the fee was taken in.
    pub commission_asset: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    symbol: String,
    order_id: u64,
    client_order_id: String,
    orig_client_order_id: Option<String>,
    #[serde(default, deserialize_with = "optional_side")]
    side: Option<Side>,
    #[serde(default, deserialize_with = "optional_state")]
    status: Option<OrderState>,
    #[serde(default, deserialize_with = "optional")]
    executed_qty: Option<Quantity>,
    #[serde(default, alias = "qty", deserialize_with = "optional")]
    orig_qty: Option<Quantity>,
    #[serde(default, deserialize_with = "optional")]
    price: Option<Price>,
    #[serde(
        default,
        alias = "cumQuote",
        alias = "cumulativeQuoteQty",
        deserialize_with = "optional"
    )]
    cummulative_quote_qty: Option<Quantity>,
    #[serde(default, deserialize_with = "optional_instant")]
    transact_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "optional_instant")]
    update_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "optional_instant")]
    working_time: Option<Timestamp>,
    expiry_reason: Option<String>,
    #[serde(default)]
    fills: Vec<ImmediateFill>,
}

impl Row {
    fn into_reply(self, what: &'static str) -> Result<OrderReply, DecodeError> {
        let (state, filled) = match (self.status, self.executed_qty) {
            (Some(state), Some(filled)) => (state, filled),
            (None, None) => (OrderState::Submitted, Quantity::ZERO),
            (Some(_), None) => {
                return Err(DecodeError::new(
                    what,
                    "executedQty",
                    "missing beside a status",
                ));
            }
            (None, Some(_)) => {
                return Err(DecodeError::new(
                    what,
                    "status",
                    "missing beside executedQty",
                ));
            }
        };
        if filled.is_negative() || self.quantity_below(filled) {
            let reason = format!("{filled} is below zero or above origQty");
            return Err(DecodeError::new(what, "executedQty", reason));
        }
        let at = self
            .transact_time
            .or(self.update_time)
            .or(self.working_time);
        let at = at.ok_or_else(|| DecodeError::new(what, "updateTime", "missing"))?;
        Ok(OrderReply {
            symbol: self.symbol,
            order_id: self.order_id,
            // The reply to a cancel has the cancel's own id as `clientOrderId`, and the order's beside it.
            client_order_id: self.orig_client_order_id.unwrap_or(self.client_order_id),
            side: self.side,
            state,
            filled,
            quantity: self.orig_qty,
            price: self.price.filter(|price| price.is_positive()),
            filled_quote: self.cummulative_quote_qty,
            at,
            reason: self.expiry_reason.filter(|reason| reason != "NONE"),
            fills: self.fills,
        })
    }

    fn quantity_below(&self, filled: Quantity) -> bool {
        self.orig_qty.is_some_and(|ordered| filled > ordered)
    }
}

impl OrderReply {
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
            state: self.state,
            filled: self.filled,
            venue_order_id: Some(self.order_id.to_string().into()),
            reason: self.reason.clone().map(Into::into),
        };
        VenueEvent::new(venue, self.at, received_at, EventKind::Order(update))
    }
}

/// Reads one order: the reply to placing, modifying, cancelling or asking for it.
///
/// # Errors
/// [`DecodeError`] for what is no order, and for an unknown state.
pub fn order(body: &[u8]) -> Result<OrderReply, DecodeError> {
    decode::<Row>("order", body)?.into_reply("order")
}

/// Reads a list of orders.
///
/// # Errors
/// As [`order`]; one bad row makes the list unreadable.
pub fn orders(body: &[u8]) -> Result<Vec<OrderReply>, DecodeError> {
    let rows = decode::<Vec<Row>>("orders", body)?;
    rows.into_iter()
        .map(|row| row.into_reply("orders"))
        .collect()
}

/// What became of a cancel-and-replace that the venue carried out whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The order that was cancelled.
    pub cancelled: OrderReply,
    /// The order that was placed.
    pub placed: OrderReply,
}

/// Reads the reply to a cancel-and-replace of which both halves were done.
///
/// # Errors
/// As [`order`].
pub fn replaced(body: &[u8]) -> Result<Replaced, DecodeError> {
    const WHAT: &str = "cancel-and-replace";
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Reply {
        cancel_response: Row,
        new_order_response: Row,
    }
    let reply = decode::<Reply>(WHAT, body)?;
    Ok(Replaced {
        cancelled: reply.cancel_response.into_reply(WHAT)?,
        placed: reply.new_order_response.into_reply(WHAT)?,
    })
}

/// Reads the reply to an amendment that kept the order's place.
///
/// # Errors
/// As [`order`].
pub fn amended(body: &[u8]) -> Result<OrderReply, DecodeError> {
    const WHAT: &str = "amendment";
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Reply {
        #[serde(deserialize_with = "super::wire::instant")]
        transact_time: Timestamp,
        amended_order: Row,
    }
    let reply = decode::<Reply>(WHAT, body)?;
    let row = Row {
        // What it was called before; it is called `clientOrderId` now.
        orig_client_order_id: None,
        transact_time: Some(reply.transact_time),
        ..reply.amended_order
    };
    row.into_reply(WHAT)
}
