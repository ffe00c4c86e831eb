//! The whole conformance suite at `quay`.

use basis_testkit::conformance::{self, Added, Bench, OneAccount, Subject};

struct Quay;

impl OneAccount for Quay {
    const VENUE: &'static str = "quay";
    const ACCOUNT: &'static str = "main";
    const PLACE: &'static str = "quay.main";
    const SPOT: &'static [&'static str] = &["spot.quay.ETHUSDT"];
    const BENCH: Bench = Bench::with(Added {
        driver: own_exchange::DRIVER,
        settings: "quay: { slippage: none, initial_balances: { main: { USDT: 50000, ETH: 10 } } }\n",
        rules: own_exchange::RULES,
        series: &[
            ("spot.quay.ETHUSDT", "spot.bybit.ETHUSDT"),
            ("perp.quay.ETHUSDT", "perp.bybit.ETHUSDT"),
            ("funding.quay.ETHUSDT", "funding.bybit.ETHUSDT"),
        ],
    });
}

#[test]
fn an_exchange_of_ones_own_passes_every_case() {
    let quay = [Subject::exchange::<Quay>()];
    conformance::run_all(&quay);
    assert_eq!(conformance::skips(&quay), [(21, "quay")]);
}
