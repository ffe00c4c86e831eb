//! Hosts and categories.

use std::fmt;

use basis_core::types::InstrumentKind;

use crate::credentials::BasisEnvironment;

/// What a request about instruments names first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// Spot trading.
    Spot,
    /// Perpetuals margined and settled in what they are priced in.
    Linear,
}

impl Category {
    /// Returns the category that lists `kind`.
    #[must_use]
    pub const fn of(kind: InstrumentKind) -> Self {
        match kind {
            InstrumentKind::Spot => Self::Spot,
            _ => Self::Linear,
        }
    }

    /// Returns the kind of its instruments.
    #[must_use]
    pub const fn kind(self) -> InstrumentKind {
        match self {
            Self::Spot => InstrumentKind::Spot,
            Self::Linear => InstrumentKind::Perp,
        }
    }

    /// `spot` or `linear`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spot => "spot",
            Self::Linear => "linear",
        }
    }
}

/// A network of Bybit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Network {
    /// Real money.
    Live,
    /// Play money on the live market's prices; keys of their own.
    Demo,
}

/// A request that a network does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Bybit's demo has no transfers, deposits and withdrawals: they exist on the live network alone \
     (BASIS_ENVIRONMENT=staging or prod)"
)]
pub struct NoSuchHost;

impl Network {
    /// Returns the network that an environment trades on: the live one for main networks, else the demo.
    #[must_use]
    pub const fn of(environment: BasisEnvironment) -> Self {
        if environment.is_mainnet() {
            Self::Live
        } else {
            Self::Demo
        }
    }

    /// `live` or `demo`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Demo => "demo",
        }
    }

    /// Returns scheme and host of the REST interface.
    #[must_use]
    pub const fn rest(self) -> &'static str {
        match self {
            Self::Live => "https://api.bybit.com",
            Self::Demo => "https://api-demo.bybit.com",
        }
    }

    /// Returns the address of the private stream.
    #[must_use]
    pub const fn private_stream(self) -> &'static str {
        match self {
            Self::Live => "wss://stream.bybit.com/v5/private",
            Self::Demo => "wss://stream-demo.bybit.com/v5/private",
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
