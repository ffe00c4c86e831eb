//! What a live exchange is set to, and which host it may speak to.

use basis_core::error::{Code, ComponentError};
use basis_core::instruction::OperationKind;
use basis_core::num::{Bps, Value};
use basis_core::types::{BookId, InstrumentKind, Symbol, Venue};

use crate::credentials::BasisEnvironment;
use crate::wire::COLLAR_WIDTH;

/// The host, and what it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Scheme and host.
    pub origin: String,
    /// Whether the venue's accounts can be transferred between there.
    pub has_wallet: bool,
}

impl Endpoint {
    /// Returns a host of this machine.
    ///
    /// # Errors
    /// EIF-002 for an origin that is not on this machine: nothing but the venue's own hosts and the
    /// loopback interface is ever spoken to, and a main network never by an override.
    pub fn on_loopback(venue: Venue, origin: &str) -> Result<Self, ComponentError> {
        let host = origin.strip_prefix("http://");
        let host = host.map(|rest| rest.rsplit_once(':').map_or(rest, |(host, _)| host));
        if !matches!(host, Some("127.0.0.1" | "localhost")) {
            let message = format!(
                "venue_settings.{venue}.live.endpoint: `{origin}` is not on this machine; it must begin with \
                 http://127.0.0.1: or http://localhost:, or be left out for the venue's own hosts"
            );
            return Err(ComponentError::new(Code::VenueInvalid, message).with_reason("endpoint"));
        }
        Ok(Self {
            origin: origin.to_owned(),
            has_wallet: true,
        })
    }

    /// Checks that host and environment are of one network, whose own host is `own`: no credentials of tests
    /// against real money, and none of real money anywhere else.
    ///
    /// # Errors
    /// EIF-002 with host and environment.
    pub fn check(
        &self,
        own: &Self,
        (venue, environment): (Venue, BasisEnvironment),
    ) -> Result<(), ComponentError> {
        let on_loopback = Self::on_loopback(venue, &self.origin).is_ok();
        if self == own || (on_loopback && !environment.is_mainnet()) {
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

/// What a live exchange is set to.
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
    pub perps: bool,
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
    /// What is executed live.
    pub const OPERATIONS: [OperationKind; 6] = [
        OperationKind::SpotTrade,
        OperationKind::PerpTrade,
        OperationKind::CancelOrder,
        OperationKind::AmendOrder,
        OperationKind::SetLeverage,
        OperationKind::Transfer,
    ];

    /// Spot and perpetuals in one-way mode, every operation, no limit of an order's value.
    #[must_use]
    pub fn new(book: BookId, endpoint: Endpoint, symbols: Vec<Symbol>) -> Self {
        Self {
            book,
            endpoint,
            symbols,
            spot: true,
            perps: true,
            hedge_mode: false,
            collar: COLLAR_WIDTH,
            order_value_max: None,
            operations: Self::OPERATIONS.to_vec(),
        }
    }

    /// Whether instruments of a kind are traded.
    pub(crate) fn trades(&self, kind: InstrumentKind) -> bool {
        match kind {
            InstrumentKind::Spot => self.spot,
            _ => self.perps,
        }
    }

    /// The kinds that are traded.
    pub(crate) fn kinds(&self) -> Vec<InstrumentKind> {
        let all = [InstrumentKind::Spot, InstrumentKind::Perp].into_iter();
        all.filter(|kind| self.trades(*kind)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VENUE: Venue = Venue::literal("bybit");

    #[test]
    fn an_override_is_on_this_machine_or_refused() {
        for origin in ["http://127.0.0.1:8080", "http://localhost:80"] {
            assert!(Endpoint::on_loopback(VENUE, origin).is_ok(), "{origin}");
        }
        for origin in [
            "https://venue.example",
            "http://127.0.0.1.example:80",
            "127.0.0.1:80",
            "",
        ] {
            let e = Endpoint::on_loopback(VENUE, origin).unwrap_err();
            assert_eq!((e.code, e.reason), (Code::VenueInvalid, Some("endpoint")));
        }
    }

    #[test]
    fn host_and_environment_are_of_one_network() {
        use BasisEnvironment::{Dev, Prod, Staging};
        let of = |environment: BasisEnvironment| Endpoint {
            origin: format!("https://{}.example", environment.is_mainnet()),
            has_wallet: true,
        };
        for environment in BasisEnvironment::ALL {
            let own = of(environment);
            assert!(own.check(&own, (VENUE, environment)).is_ok());
        }
        for (host, environment) in [(Prod, Dev), (Dev, Prod), (Dev, Staging)] {
            let checked = of(host).check(&of(environment), (VENUE, environment));
            assert_eq!(checked.unwrap_err().reason, Some("environment"));
        }
        let here = Endpoint::on_loopback(VENUE, "http://127.0.0.1:9").unwrap();
        assert!(here.check(&of(Dev), (VENUE, Dev)).is_ok());
        assert!(here.check(&of(Prod), (VENUE, Prod)).is_err());
    }
}
