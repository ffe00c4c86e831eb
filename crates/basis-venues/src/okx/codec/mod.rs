//! OKX's wire, without a socket and without a clock: an instruction becomes exact requests, a reply or a
//! frame becomes facts. v5, spot and linear swaps.
//!
//! **Its own ways.** Swaps are counted in contracts, here and nowhere else. A request succeeds, and each of
//! its orders has an answer of its own (`sCode`). A client order id is unique among pending orders only, and
//! an order without a fill is forgotten two hours after its end. The deadline `expTime` bounds placements
//! and amendments, nothing else. The margin mode is each order's (`tdMode`): cross for swaps. Fees are below
//! zero where they are paid; they are turned here.
//!
//! **Invariants.** Decimals are texts and never pass through a float. An unknown word in the state of an
//! order, a fill or a position is an error; elsewhere it is kept as text. No type here prints a key, a
//! passphrase or a signature. Source: OKX's v5 documentation.

mod account;
mod contracts;
mod endpoint;
mod order;
mod plan;
pub mod reads;
pub mod replies;
mod request;
#[cfg(feature = "live")]
pub mod signing;
pub mod stream;

pub use self::account::{cancel_all_after, set_position_mode};
#[cfg(feature = "live")]
pub(super) use self::contracts::base_units;
pub use self::endpoint::{Network, NoSuchHost, Product};
pub use self::order::{AccountLevel, open_orders, open_orders_of, query};
pub use self::plan::{Terms, requests, requests_with};
pub use self::request::{STAMP_WINDOW, deadline, finish, finish_at, is_bounded, signed_text};
