//! Hosts and products.

use std::fmt;

use basis_core::types::InstrumentKind;

use crate::credentials::BasisEnvironment;

/// What lists of instruments, orders and fills are asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Product {
    /// Spot trading.
    Spot,
    /// Perpetual swaps.
    Swap,
}

impl Product {
    /// Returns the product that lists `kind`.
    #[must_use]
    pub const fn of(kind: InstrumentKind) -> Self {
        match kind {
            InstrumentKind::Spot => Self::Spot,
            _ => Self::Swap,
        }
    }

    /// `SPOT` or `SWAP`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spot => "SPOT",
            Self::Swap => "SWAP",
        }
    }
}

/// A network of OKX.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Network {
    /// Real money.
    Live,
    /// Play money: the same host with a header, and keys of its own.
    Demo,
}

/// A request that a network does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "OKX's demo has no deposits and withdrawals: they exist on the live network alone \
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

    /// Returns scheme and host of the REST interface: one for both networks. Accounts of some regions have
    /// another one.
    #[must_use]
    pub const fn rest(self) -> &'static str {
        "https://openapi.okx.com"
    }

    /// Returns the address of the private stream.
    #[must_use]
    pub const fn private_stream(self) -> &'static str {
        match self {
            Self::Live => "wss://ws.okx.com:8443/ws/v5/private",
            Self::Demo => "wss://wspap.okx.com:8443/ws/v5/private",
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
