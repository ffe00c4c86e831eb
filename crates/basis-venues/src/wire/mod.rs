//! What the codecs of exchanges have in common: the order before it is any venue's, query strings and
//! bodies, decimals and instants in replies, classes of error codes, and what an answer says.
//!
//! **Invariants.** No venue is named in a condition here: what one does its own way it hands in. As sans-IO
//! as the codecs: no socket, no clock. Nothing here prints a key or a signature.

pub(crate) mod answer;
mod class;
pub(crate) mod draft;
#[cfg(feature = "live")]
pub(crate) mod encoding;
pub(crate) mod fill;
mod forced;
pub(crate) mod ids;
pub(crate) mod json;
pub(crate) mod order;
pub(crate) mod params;
pub(crate) mod plan;
mod reference;

pub use self::answer::{Failure, Success};
pub use self::class::{Action, Class};
pub use self::draft::{Effect, Fields, HeaderSigner, JsonDraft, Masked, Payload, Scalar, Stamp};
pub use self::fill::FillError;
pub use self::forced::Forced;
pub use self::ids::instruction_of;
pub use self::json::DecodeError;
pub use self::order::{COLLAR_WIDTH, Collar, KnownOrder};
pub use self::params::{Params, millis};
pub use self::plan::{Context, WithdrawalTarget};
pub use self::reference::{NamedOrder, Range};
