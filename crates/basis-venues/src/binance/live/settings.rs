//! What a live Binance is set to, and which hosts it may speak to.

use basis_core::error::{Code, ComponentError};
use basis_core::instruction::OperationKind;
use basis_core::num::{Bps, Value};
use basis_core::types::{BookId, Span, Symbol};

use crate::binance::codec::{COLLAR_WIDTH, Network, Product, public_stream_origin, stream_origin};
use crate::credentials::BasisEnvironment;

/// Scheme and host of each product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Spot, `/api`.
    pub spot: String,
    /// USD-M, `/fapi`.
    pub usdm: String,
    /// Transfers and permissions, `/sapi`; test networks have none.
    pub wallet: Option<String>,
    /// The private stream of spot: its WebSocket API.
    pub spot_stream: String,
    /// The private stream of USD-M.
    pub usdm_stream: String,
    /// The public streams of spot.
    pub spot_public: String,
    /// The public streams of USD-M.
    pub usdm_public: String,
}

impl Endpoints {
    /// Returns the venue's own hosts for `environment`.
    #[must_use]
    pub fn of(environment: BasisEnvironment) -> Self {
        let network = Network::of(environment);
        let rest = |product| network.rest(product).ok().map(ToOwned::to_owned);
        Self {
            spot: rest(Product::Spot).unwrap_or_default(),
            usdm: rest(Product::UsdM).unwrap_or_default(),
            wallet: rest(Product::Wallet),
            spot_stream: stream_origin(network, Product::Spot).to_owned(),
            usdm_stream: stream_origin(network, Product::UsdM).to_owned(),
            spot_public: public_stream_origin(network, Product::Spot).to_owned(),
            usdm_public: public_stream_origin(network, Product::UsdM).to_owned(),
        }
    }

    /// Returns one host of this machine for everything.
    ///
    /// # Errors
    /// EIF-002 for an origin that is not on this machine: nothing but the venue's own hosts and the
    /// loopback interface is ever spoken to, and a main network never by an override.
    pub fn on_loopback(origin: &str) -> Result<Self, ComponentError> {
        let host = origin.strip_prefix("http://");
        let host = host.map(|rest| rest.rsplit_once(':').map_or(rest, |(host, _)| host));
        if !matches!(host, Some("127.0.0.1" | "localhost")) {
            let message = format!(
                "venue_settings.binance.live.endpoint: `{origin}` is not on this machine; it must begin with \
                 http://127.0.0.1: or http://localhost:, or be left out for the venue's own hosts"
            );
            return Err(ComponentError::new(Code::VenueInvalid, message).with_reason("endpoint"));
        }
        let stream = origin.replacen("http", "ws", 1);
        Ok(Self {
            spot: origin.to_owned(),
            usdm: origin.to_owned(),
            wallet: Some(origin.to_owned()),
            spot_stream: stream.clone(),
            spot_public: stream.clone(),
            usdm_public: format!("{stream}/public"),
            usdm_stream: stream,
        })
    }

    /// Returns the host of `product`.
    #[must_use]
    pub fn origin(&self, product: Product) -> Option<&str> {
        match product {
            Product::Spot => Some(&self.spot),
            Product::UsdM => Some(&self.usdm),
            Product::Wallet => self.wallet.as_deref(),
        }
    }

    /// Checks that hosts and environment are of one network: no credentials of tests against real money, and
    /// none of real money anywhere else.
    ///
    /// # Errors
    /// EIF-002 with host and environment.
    pub fn check(&self, environment: BasisEnvironment) -> Result<(), ComponentError> {
        let own = Self::of(environment);
        let is_own = *self == own;
        let hosts = [Some(&self.spot), Some(&self.usdm), self.wallet.as_ref()];
        let public = self.usdm_public.trim_end_matches("/public");
        let streams = [
            &self.spot_stream,
            &self.usdm_stream,
            &self.spot_public,
            public,
        ];
        let streams = streams.map(|origin| origin.replacen("ws", "http", 1));
        let on_loopback = hosts
            .into_iter()
            .flatten()
            .chain(&streams)
            .all(|origin| Self::on_loopback(origin).is_ok());
        if is_own || (on_loopback && !environment.is_mainnet()) {
            return Ok(());
        }
        let hosts: Vec<_> = hosts.into_iter().flatten().map(String::as_str).collect();
        let message = format!(
            "BASIS_ENVIRONMENT={environment} does not go with {}: it speaks to {}{}",
            hosts.join(", "),
            own.spot,
            if environment.is_mainnet() {
                " alone"
            } else {
                " or to this machine"
            }
        );
        Err(ComponentError::new(Code::VenueInvalid, message).with_reason("environment"))
    }
}

/// What a live Binance is set to.
#[derive(Clone, Debug)]
pub struct LiveSettings {
    /// Whose client order ids are given.
    pub book: BookId,
    /// The hosts.
    pub endpoints: Endpoints,
    /// What is managed: nothing else is ordered, and nothing else is read.
    pub symbols: Vec<Symbol>,
    /// Whether spot is traded.
    pub spot: bool,
    /// Whether USD-M perpetuals are traded.
    pub usdm: bool,
    /// The position mode that the account must be in.
    pub hedge_mode: bool,
    /// How far from the best opposite quote a market order may fill.
    pub collar: Bps,
    /// The most that one order may be worth, in its quote asset; no limit without it.
    pub order_value_max: Option<Value>,
    /// The operations that may be sent.
    pub operations: Vec<OperationKind>,
    /// After how long without word of ours the venue cancels the orders of an instrument of USD-M. It cancels
    /// foreign ones too: only for an account that is ours alone.
    pub dead_man: Option<Span>,
    /// Whether the private streams are listened to; without them everything is read by REST.
    pub streams: bool,
}

impl LiveSettings {
    /// What Binance executes live.
    pub const OPERATIONS: [OperationKind; 6] = [
        OperationKind::SpotTrade,
        OperationKind::PerpTrade,
        OperationKind::CancelOrder,
        OperationKind::AmendOrder,
        OperationKind::SetLeverage,
        OperationKind::Transfer,
    ];

    /// Spot and USD-M in one-way mode, every operation, no limit of an order's value.
    #[must_use]
    pub fn new(book: BookId, endpoints: Endpoints, symbols: Vec<Symbol>) -> Self {
        Self {
            book,
            endpoints,
            symbols,
            spot: true,
            usdm: true,
            hedge_mode: false,
            collar: COLLAR_WIDTH,
            order_value_max: None,
            operations: Self::OPERATIONS.to_vec(),
            dead_man: None,
            streams: true,
        }
    }

    /// The products that are traded.
    pub(super) fn products(&self) -> impl Iterator<Item = Product> + use<> {
        let (spot, usdm) = (self.spot, self.usdm);
        let spot = spot.then_some(Product::Spot);
        spot.into_iter().chain(usdm.then_some(Product::UsdM))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_is_on_this_machine_or_refused() {
        for origin in ["http://127.0.0.1:8080", "http://localhost:80"] {
            assert!(Endpoints::on_loopback(origin).is_ok(), "{origin}");
        }
        for origin in [
            "https://api.binance.com",
            "http://127.0.0.1.example:80",
            "http://api.binance.com:80",
            "127.0.0.1:80",
            "",
        ] {
            let e = Endpoints::on_loopback(origin).unwrap_err();
            assert_eq!((e.code, e.reason), (Code::VenueInvalid, Some("endpoint")));
        }
    }

    #[test]
    fn hosts_and_environment_are_of_one_network() {
        use BasisEnvironment::{Dev, Prod, Staging};
        for environment in BasisEnvironment::ALL {
            assert!(Endpoints::of(environment).check(environment).is_ok());
        }
        for (hosts, environment) in [(Prod, Dev), (Dev, Prod), (Dev, Staging)] {
            let e = Endpoints::of(hosts).check(environment).unwrap_err();
            assert_eq!(e.reason, Some("environment"), "{e:?}");
        }
        let here = Endpoints::on_loopback("http://127.0.0.1:9").unwrap();
        assert!(here.check(Dev).is_ok());
        assert!(here.check(Prod).is_err());
    }
}
