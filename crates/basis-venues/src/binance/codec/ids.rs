//! How an order is named.

use basis_core::types::ClientOrderId;

pub use crate::wire::instruction_of;

/// How a request names an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderRef {
    /// By our id of it: known before anything is sent.
    Client(ClientOrderId),
    /// By the venue's number, which rises within a symbol.
    Venue(u64),
}
