//! Binance's wire, without a socket and without a clock: an instruction becomes exact requests, a reply or
//! a frame becomes facts.
//!
//! Everything is text in and text out. Who sends it, when, and what becomes of it without an answer is not
//! known here. Sources: Binance's spot API documentation, its USD-M and wallet SDKs.
//!
//! **Invariants.** A query string is built by hand, parameters in the query alone, `signature` last.
//! Decimals are read from their digits and never pass through a float. An unknown word in the state of an
//! order, a fill or a position is an error; elsewhere it is kept as text. An order is addressed by the
//! client order id that derives from its instruction. No type here prints a key or a signature.

mod account;
mod endpoint;
mod ids;
mod order;
mod plan;
pub mod reads;
pub mod replies;
mod request;
#[cfg(feature = "live")]
pub mod signing;
pub mod stream;
mod subscribe;

use crate::wire::params;

pub use self::account::{WithdrawalTarget, cancel_after, open_listen_key, set_position_mode};
pub use self::endpoint::{Network, NoSuchHost, Product};
pub use self::ids::{OrderRef, instruction_of};
pub use self::order::{Collar, KnownOrder, open_orders, open_orders_of, query};
pub use self::plan::{COLLAR_WIDTH, Context, requests};
pub use self::request::{Draft, Effect, Masked, Security, Signer, Stamp};
pub use self::subscribe::{
    SubscriptionRefusal, perp_stream, spot_stream, spot_subscription, stream_origin, subscription,
};
pub use crate::wire::{Params, millis};
