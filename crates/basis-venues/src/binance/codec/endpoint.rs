//! Hosts: which network a product is traded on.

use std::fmt;

use crate::credentials::BasisEnvironment;

/// What a request is about, and with it which hosts and weights apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Product {
    /// Spot trading, `/api`.
    Spot,
    /// USD-M perpetuals, `/fapi`.
    UsdM,
    /// Transfers, deposits, withdrawals and key permissions, `/sapi`; on the live network alone.
    Wallet,
}

/// A network of Binance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Network {
    /// Real money.
    Live,
    /// Features, limits and filters as live, play money.
    Demo,
}

/// A product that a network does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Binance's test hosts have no /sapi: transfers, deposits, withdrawals and key permissions exist on the live \
     network alone (BASIS_ENVIRONMENT=staging or prod)"
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

    /// Returns scheme and host of `product`'s REST interface.
    ///
    /// # Errors
    /// [`NoSuchHost`] for the wallet of a test network.
    pub const fn rest(self, product: Product) -> Result<&'static str, NoSuchHost> {
        match (self, product) {
            (Self::Live, Product::Spot | Product::Wallet) => Ok("https://api.binance.com"),
            (Self::Live, Product::UsdM) => Ok("https://fapi.binance.com"),
            (Self::Demo, Product::Spot) => Ok("https://demo-api.binance.com"),
            (Self::Demo, Product::UsdM) => Ok("https://demo-fapi.binance.com"),
            (Self::Demo, Product::Wallet) => Err(NoSuchHost),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
