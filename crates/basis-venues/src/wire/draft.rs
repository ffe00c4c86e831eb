//! What every request of an exchange has: an effect, a stamp, and a mask for what is shown.

use basis_core::secret::Secret;
use basis_core::types::{Span, Timestamp};

/// What a request does at the venue, and with it what its failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Changes nothing: it may be repeated.
    Read,
    /// Places, changes or cancels something: it is sent at most once.
    Act,
}

/// When a signed request was made, and until when it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    at: Timestamp,
    window: Span,
}

impl Stamp {
    /// How long after its stamp a request of ours may still be accepted.
    pub const WINDOW: Span = Span::from_seconds(3);

    /// A stamp of the venue's time `at` (our clock and the measured offset), with the window of
    /// [`Stamp::WINDOW`].
    #[must_use]
    pub const fn new(at: Timestamp) -> Self {
        Self {
            at,
            window: Self::WINDOW,
        }
    }

    /// Returns the venue's time of the request.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// Returns the window in whole milliseconds.
    pub(crate) const fn window_millis(&self) -> i64 {
        self.window.nanos().div_euclid(1_000_000)
    }

    /// Returns the last instant at which the venue lets the request in. Binance spot does not check it in
    /// its engine: there 10 seconds come on top. OKX checks it of placements and amendments alone.
    #[must_use]
    pub const fn deadline(&self) -> Timestamp {
        self.at.plus(self.window)
    }
}

/// Stands where key and signature would: for requests that are shown and not sent.
#[derive(Clone, Debug)]
pub struct Masked {
    key: Secret,
}

impl Masked {
    /// What is shown in the place of a secret.
    pub const TEXT: &'static str = "MASKED";
}

impl Default for Masked {
    fn default() -> Self {
        Self {
            key: Secret::new(Self::TEXT.to_owned()),
        }
    }
}

impl Masked {
    /// Returns what stands for a secret.
    pub(crate) const fn secret(&self) -> &Secret {
        &self.key
    }
}
