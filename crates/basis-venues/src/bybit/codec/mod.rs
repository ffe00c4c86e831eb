//! Bybit's wire, without a socket and without a clock: an instruction becomes exact requests, a reply or a
//! frame becomes facts. v5 of a unified account, spot and linear perpetuals.
//!
//! **Its own ways.** An accepted order, amendment or cancellation is no outcome: the stream or a query says
//! what came of it, even that it was rejected. A client order id is unique for ever, so that a clash says
//! that an order bears it. The margin mode is one for the account. Reads take their parameters in the query,
//! everything else in a JSON body, and the bytes sent are the bytes signed. A refusal is HTTP 200 with a
//! `retCode` that is not zero.
//!
//! **Invariants.** Decimals are texts and never pass through a float. An unknown word in the state of an
//! order, a fill or a position is an error; elsewhere it is kept as text. No type here prints a key or a
//! signature. Source: Bybit's v5 documentation.

mod account;
mod endpoint;
mod order;
mod plan;
pub mod reads;
pub mod replies;
mod request;
#[cfg(feature = "live")]
pub mod signing;
pub mod stream;

pub use self::account::{
    cancel_on_disconnect, set_account_position_mode, set_margin_mode, set_position_mode,
    transfer_id,
};
pub use self::endpoint::{Category, Network, NoSuchHost};
pub use self::order::{open_orders, open_orders_of, order_history, query};
pub use self::plan::requests;
pub use self::request::{finish, finish_at, signed_text};
