//! What a live Bybit is set to, and which host it may speak to.

use basis_core::error::{Code, ComponentError};
use basis_core::instruction::OperationKind;
use basis_core::num::{Bps, Value};
use basis_core::types::{BookId, Symbol};

use crate::bybit::codec::{Category, Network};
use crate::credentials::BasisEnvironment;
use crate::wire::COLLAR_WIDTH;

/// The host, and what it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Scheme and host.
    pub origin: String,
    /// Whether there are transfers: the demo has none.
    pub has_wallet: bool,
}

impl Endpoint {
    /// Returns the venue's own host for `environment`.
    #[must_use]
    pub fn of(environment: BasisEnvironment) -> Self {
        let network = Network::of(environment);
        Self {
            origin: network.rest().to_owned(),
            has_wallet: network == Network::Live,
        }
    }

    /// Returns a host of this machine.
    ///
    /// # Errors
    /// EIF-002 for an origin that is not on this machine: nothing but the venue's own hosts and the
    /// loopback interface is ever spoken to, and a main network never by an override.
    pub fn on_loopback(origin: &str) -> Result<Self, ComponentError> {
        let host = origin.strip_prefix("http://");
        let host = host.map(|rest| rest.rsplit_once(':').map_or(rest, |(host, _)| host));
        if !matches!(host, Some("127.0.0.1" | "localhost")) {
            let message = format!(
                "venue_settings.bybit.live.endpoint: `{origin}` is not on this machine; it must begin with \
                 http://127.0.0.1: or http://localhost:, or be left out for the venue's own hosts"
            );
            return Err(ComponentError::new(Code::VenueInvalid, message).with_reason("endpoint"));
        }
        Ok(Self {
            origin: origin.to_owned(),
            has_wallet: true,
        })
    }

    /// Checks that host and environment are of one network: no credentials of tests against real money, and
    /// none of real money anywhere else.
    ///
    /// # Errors
    /// EIF-002 with host and environment.
    pub fn check(&self, environment: BasisEnvironment) -> Result<(), ComponentError> {
        let own = Self::of(environment);
        let on_loopback = Self::on_loopback(&self.origin).is_ok();
        if *self == own || (on_loopback && !environment.is_mainnet()) {
            return Ok(());
        }
        let message = format!(
            "BASIS_ENVIRONMENT={environment} does not go with {}: it speaks to {}{}",
            self.origin,
            own.origin,
            if environment.is_mainnet() {
                " alone"
            } else {
                " or to this machine"
            }
        );
        Err(ComponentError::new(Code::VenueInvalid, message).with_reason("environment"))
    }
}

/// What a live Bybit is set to.
#[derive(Clone, Debug)]
pub struct LiveSettings {
    /// Whose client order ids are given.
    pub book: BookId,
    /// The host.
    pub endpoint: Endpoint,
    /// What is managed: nothing else is ordered, and nothing else is read.
    pub symbols: Vec<Symbol>,
    /// Whether spot is traded.
    pub spot: bool,
    /// Whether linear perpetuals are traded.
    pub linear: bool,
    /// The position mode that every managed perpetual must be in.
    pub hedge_mode: bool,
    /// How far from the best opposite quote a market order may fill.
    pub collar: Bps,
    /// The most that one order may be worth, in its quote asset; no limit without it.
    pub order_value_max: Option<Value>,
    /// The operations that may be sent.
    pub operations: Vec<OperationKind>,
}

impl LiveSettings {
    /// What Bybit executes live.
    pub const OPERATIONS: [OperationKind; 6] = [
        OperationKind::SpotTrade,
        OperationKind::PerpTrade,
        OperationKind::CancelOrder,
        OperationKind::AmendOrder,
        OperationKind::SetLeverage,
        OperationKind::Transfer,
    ];

    /// Spot and linear in one-way mode, every operation, no limit of an order's value.
    #[must_use]
    pub fn new(book: BookId, endpoint: Endpoint, symbols: Vec<Symbol>) -> Self {
        Self {
            book,
            endpoint,
            symbols,
            spot: true,
            linear: true,
            hedge_mode: false,
            collar: COLLAR_WIDTH,
            order_value_max: None,
            operations: Self::OPERATIONS.to_vec(),
        }
    }

    /// Whether a category is traded.
    pub(super) fn trades(&self, category: Category) -> bool {
        match category {
            Category::Spot => self.spot,
            Category::Linear => self.linear,
        }
    }

    /// The categories that are traded.
    pub(super) fn categories(&self) -> Vec<Category> {
        let all = [Category::Spot, Category::Linear].into_iter();
        all.filter(|category| self.trades(*category)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_is_on_this_machine_or_refused() {
        for origin in ["http://127.0.0.1:8080", "http://localhost:80"] {
            assert!(Endpoint::on_loopback(origin).is_ok(), "{origin}");
        }
        for origin in [
            "https://api.bybit.com",
            "http://127.0.0.1.example:80",
            "127.0.0.1:80",
            "",
        ] {
            let e = Endpoint::on_loopback(origin).unwrap_err();
            assert_eq!((e.code, e.reason), (Code::VenueInvalid, Some("endpoint")));
        }
    }

    #[test]
    fn host_and_environment_are_of_one_network() {
        use BasisEnvironment::{Dev, Prod, Staging};
        for environment in BasisEnvironment::ALL {
            assert!(Endpoint::of(environment).check(environment).is_ok());
        }
        for (host, environment) in [(Prod, Dev), (Dev, Prod), (Dev, Staging)] {
            let e = Endpoint::of(host).check(environment).unwrap_err();
            assert_eq!(e.reason, Some("environment"), "{e:?}");
        }
        let here = Endpoint::on_loopback("http://127.0.0.1:9").unwrap();
        assert!(here.check(Dev).is_ok());
        assert!(here.check(Prod).is_err());
    }
}
