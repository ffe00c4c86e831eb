//! Margins and liquidation prices of OKX swaps, by hand: the tier of the size applies to all of it.
//!
//! Sources: OKX's announcements "OKX position tiers to be adjusted" (CHZUSDT; a contract of 10 CHZ is
//! assumed) and "OKX to adjust position tiers of perpetual swaps" of 2023-05-15 (AAVEUSDT, before; its
//! contract is taken as 1), the facts that maintenance = contracts × value × mark × rate, and the tiers
//! of `configs/venues/okx.yaml` of 2024-01-01. OKX publishes no worked liquidation price of a swap, and
//! its closing fee in the margin ratio is not modelled. Every expected number was computed apart from
//! this code, by bisection of wallet + result = maintenance in decimals; the comments give the closed
//! form. IM: initial margin, MM: maintenance margin, LP: liquidation price.

use basis_core::rules::{TierMethod, TierUnit};

use super::margin_cases::{Case, Tiers, check};

/// BTC-USDT-SWAP, `configs/venues/okx.yaml`, 2024-01-01, in BTC: 1,000 contracts are 10.
const BTC_2024: Tiers = &[
    ("10", "0.004", "0", "100"),
    ("50", "0.005", "0", "66.66"),
    ("200", "0.0075", "0", "50"),
    ("400", "0.0125", "0", "40"),
    ("600", "0.0175", "0", "33.33"),
    ("800", "0.0225", "0", "28.57"),
];

/// CHZUSDT as announced, in CHZ.
const CHZ: Tiers = &[
    ("50000", "0.01", "0", "75"),
    ("75000", "0.015", "0", "50"),
    ("150000", "0.02", "0", "20"),
    ("300000", "0.025", "0", "18.18"),
];

/// AAVEUSDT before 2023-05-19, in AAVE.
const AAVE: Tiers = &[
    ("250", "0.01", "0", "75"),
    ("625", "0.015", "0", "50"),
    ("6000", "0.02", "0", "20"),
];

const CASES: &[Case] = &[
    // IM 1 × 10,000 ÷ 10; MM 10,000 × 0.004;
    // LP (10,000 − 1,000) ÷ (1 − 1 × 0.004).
    // A guide's example of OKX's formula: initial margin 1,000 USDT.
    Case {
        name: "1 BTC at 10,000 and 10 binds 1,000",
        tiers: BTC_2024,
        quantity: "1",
        entry: "10000",
        wallet: "1000",
        mark: "10000",
        leverage: "10",
        initial: "1000",
        maintenance: "40",
        liquidation: Some("9036.14"),
    },
    // IM 0.5 × 60,000 ÷ 10; MM 30,000 × 0.004;
    // LP (30,000 − 3,000) ÷ (0.5 − 0.5 × 0.004).
    Case {
        name: "first tier, isolated long at 10",
        tiers: BTC_2024,
        quantity: "0.5",
        entry: "60000",
        wallet: "3000",
        mark: "60000",
        leverage: "10",
        initial: "3000",
        maintenance: "120",
        liquidation: Some("54216.87"),
    },
    // IM 0.5 × 60,000 ÷ 10; MM 30,000 × 0.004;
    // LP (−30,000 − 3,000) ÷ (−0.5 − 0.5 × 0.004).
    Case {
        name: "first tier, isolated short at 10",
        tiers: BTC_2024,
        quantity: "-0.5",
        entry: "60000",
        wallet: "3000",
        mark: "60000",
        leverage: "10",
        initial: "3000",
        maintenance: "120",
        liquidation: Some("65737.05"),
    },
    // IM 2 × 60,000 ÷ 100; MM 120,000 × 0.004;
    // LP (120,000 − 1,200) ÷ (2 − 2 × 0.004).
    Case {
        name: "first tier, isolated long at 100",
        tiers: BTC_2024,
        quantity: "2",
        entry: "60000",
        wallet: "1200",
        mark: "60000",
        leverage: "100",
        initial: "1200",
        maintenance: "480",
        liquidation: Some("59638.55"),
    },
    // IM 10 × 50,000 ÷ 10; MM 500,000 × 0.004;
    // LP (500,000 − 50,000) ÷ (10 − 10 × 0.004).
    Case {
        name: "1,000 contracts are the first tier",
        tiers: BTC_2024,
        quantity: "10",
        entry: "50000",
        wallet: "50000",
        mark: "50000",
        leverage: "10",
        initial: "50000",
        maintenance: "2000",
        liquidation: Some("45180.72"),
    },
    // IM 10.01 × 50,000 ÷ 10; MM 500,500 × 0.005;
    // LP (500,500 − 50,050) ÷ (10.01 − 10.01 × 0.005).
    Case {
        name: "1,001 contracts pay the second tier's rate on all",
        tiers: BTC_2024,
        quantity: "10.01",
        entry: "50000",
        wallet: "50050",
        mark: "50000",
        leverage: "10",
        initial: "50050",
        maintenance: "2502.5",
        liquidation: Some("45226.13"),
    },
    // IM 10 × 70,000 ÷ 5; MM 700,000 × 0.004;
    // LP (−500,000 − 100,000) ÷ (−10 − 10 × 0.004).
    Case {
        name: "the tier does not follow the price, short",
        tiers: BTC_2024,
        quantity: "-10",
        entry: "50000",
        wallet: "100000",
        mark: "70000",
        leverage: "5",
        initial: "140000",
        maintenance: "2800",
        liquidation: Some("59760.96"),
    },
    // IM 10.01 × 30,000 ÷ 5; MM 300,300 × 0.005;
    // LP (500,500 − 100,100) ÷ (10.01 − 10.01 × 0.005).
    Case {
        name: "the tier does not follow the price, long",
        tiers: BTC_2024,
        quantity: "10.01",
        entry: "50000",
        wallet: "100100",
        mark: "30000",
        leverage: "5",
        initial: "60060",
        maintenance: "1501.5",
        liquidation: Some("40201.01"),
    },
    // IM 20 × 61,000 ÷ 10; MM 1,220,000 × 0.005;
    // LP (1,200,000 − 500,000) ÷ (20 − 20 × 0.005).
    Case {
        name: "second tier, cross long on a larger wallet",
        tiers: BTC_2024,
        quantity: "20",
        entry: "60000",
        wallet: "500000",
        mark: "61000",
        leverage: "10",
        initial: "122000",
        maintenance: "6100",
        liquidation: Some("35175.88"),
    },
    // IM 20 × 59,000 ÷ 10; MM 1,180,000 × 0.005;
    // LP (−1,200,000 − 500,000) ÷ (−20 − 20 × 0.005).
    Case {
        name: "second tier, cross short on a larger wallet",
        tiers: BTC_2024,
        quantity: "-20",
        entry: "60000",
        wallet: "500000",
        mark: "59000",
        leverage: "10",
        initial: "118000",
        maintenance: "5900",
        liquidation: Some("84577.11"),
    },
    // IM 50 × 40,000 ÷ 50; MM 2,000,000 × 0.005;
    // LP (2,000,000 − 40,000) ÷ (50 − 50 × 0.005).
    Case {
        name: "5,000 contracts are the second tier",
        tiers: BTC_2024,
        quantity: "50",
        entry: "40000",
        wallet: "40000",
        mark: "40000",
        leverage: "50",
        initial: "40000",
        maintenance: "10000",
        liquidation: Some("39396.98"),
    },
    // IM 50.01 × 40,000 ÷ 50; MM 2,000,400 × 0.0075;
    // LP (−2,000,400 − 40,008) ÷ (−50.01 − 50.01 × 0.0075).
    Case {
        name: "5,001 contracts are the third",
        tiers: BTC_2024,
        quantity: "-50.01",
        entry: "40000",
        wallet: "40008",
        mark: "40000",
        leverage: "50",
        initial: "40008",
        maintenance: "15003",
        liquidation: Some("40496.28"),
    },
    // IM 150 × 49,500 ÷ 20; MM 7,425,000 × 0.0075;
    // LP (7,500,000 − 355,000) ÷ (150 − 150 × 0.0075).
    Case {
        name: "third tier, wallet less a loss elsewhere",
        tiers: BTC_2024,
        quantity: "150",
        entry: "50000",
        wallet: "355000",
        mark: "49500",
        leverage: "20",
        initial: "371250",
        maintenance: "55687.5",
        liquidation: Some("47993.28"),
    },
    // IM 200 × 50,000 ÷ 50; MM 10,000,000 × 0.0075;
    // LP (−10,000,000 − 200,000) ÷ (−200 − 200 × 0.0075).
    Case {
        name: "20,000 contracts are the third tier",
        tiers: BTC_2024,
        quantity: "-200",
        entry: "50000",
        wallet: "200000",
        mark: "50000",
        leverage: "50",
        initial: "200000",
        maintenance: "75000",
        liquidation: Some("50620.35"),
    },
    // IM 300 × 60,000 ÷ 40; MM 18,000,000 × 0.0125;
    // LP (18,000,000 − 450,000) ÷ (300 − 300 × 0.0125).
    Case {
        name: "fourth tier, isolated long at 40",
        tiers: BTC_2024,
        quantity: "300",
        entry: "60000",
        wallet: "450000",
        mark: "60000",
        leverage: "40",
        initial: "450000",
        maintenance: "225000",
        liquidation: Some("59240.51"),
    },
    // IM 500 × 60,000 ÷ 25; MM 30,000,000 × 0.0175;
    // LP (−30,000,000 − 1,200,000) ÷ (−500 − 500 × 0.0175).
    Case {
        name: "fifth tier, isolated short at 25",
        tiers: BTC_2024,
        quantity: "-500",
        entry: "60000",
        wallet: "1200000",
        mark: "60000",
        leverage: "25",
        initial: "1200000",
        maintenance: "525000",
        liquidation: Some("61326.78"),
    },
    // IM 700 × 61,000 ÷ 10; MM 42,700,000 × 0.0225;
    // LP (−42,000,000 − 4,200,000) ÷ (−700 − 700 × 0.0225).
    Case {
        name: "sixth tier, cross short",
        tiers: BTC_2024,
        quantity: "-700",
        entry: "60000",
        wallet: "4200000",
        mark: "61000",
        leverage: "10",
        initial: "4270000",
        maintenance: "960750",
        liquidation: Some("64547.68"),
    },
    // IM 50,000 × 0.1 ÷ 50; MM 5,000 × 0.01;
    // LP (5,000 − 100) ÷ (50,000 − 50,000 × 0.01).
    // Documented: tier 1 up to 5,000 contracts at 1.00 %.
    Case {
        name: "CHZUSDT, 5,000 contracts: 1 %",
        tiers: CHZ,
        quantity: "50000",
        entry: "0.1",
        wallet: "100",
        mark: "0.1",
        leverage: "50",
        initial: "100",
        maintenance: "50",
        liquidation: Some("0.1"),
    },
    // IM 75,000 × 0.1 ÷ 20; MM 7,500 × 0.015;
    // LP (7,500 − 375) ÷ (75,000 − 75,000 × 0.015).
    // Documented: tier 2 up to 7,500 contracts at 1.50 %.
    Case {
        name: "CHZUSDT, 7,500 contracts: 1.5 %",
        tiers: CHZ,
        quantity: "75000",
        entry: "0.1",
        wallet: "375",
        mark: "0.1",
        leverage: "20",
        initial: "375",
        maintenance: "112.5",
        liquidation: Some("0.1"),
    },
    // IM 300,000 × 0.1 ÷ 10; MM 30,000 × 0.025;
    // LP (−30,000 − 3,000) ÷ (−300,000 − 300,000 × 0.025).
    // Documented: tier 4, 15,000 more, at 2.50 %.
    Case {
        name: "CHZUSDT, 30,000 contracts, short: 2.5 %",
        tiers: CHZ,
        quantity: "-300000",
        entry: "0.1",
        wallet: "3000",
        mark: "0.1",
        leverage: "10",
        initial: "3000",
        maintenance: "750",
        liquidation: Some("0.11"),
    },
    // IM 251 × 80 ÷ 20; MM 20,080 × 0.015;
    // LP (20,080 − 1,004) ÷ (251 − 251 × 0.015).
    // Documented: tier 2 from 250 contracts at 1.50 % before 2023-05-19.
    Case {
        name: "AAVEUSDT, 251 units: 1.5 %",
        tiers: AAVE,
        quantity: "251",
        entry: "80",
        wallet: "1004",
        mark: "80",
        leverage: "20",
        initial: "1004",
        maintenance: "301.2",
        liquidation: Some("77.16"),
    },
    // IM 6,000 × 80 ÷ 20; MM 480,000 × 0.02;
    // LP (−480,000 − 24,000) ÷ (−6,000 − 6,000 × 0.02).
    // Documented: tier 3 up to 6,000 contracts at 2.00 % before 2023-05-19.
    Case {
        name: "AAVEUSDT, 6,000 units, short: 2 %",
        tiers: AAVE,
        quantity: "-6000",
        entry: "80",
        wallet: "24000",
        mark: "80",
        leverage: "20",
        initial: "24000",
        maintenance: "9600",
        liquidation: Some("82.35"),
    },
    // IM 1 × 50,000 ÷ 1; MM 50,000 × 0.004;
    // even at a price of zero the wallet covers the loss: no liquidation price.
    Case {
        name: "a fully paid long is never liquidated",
        tiers: BTC_2024,
        quantity: "1",
        entry: "50000",
        wallet: "50001",
        mark: "50000",
        leverage: "1",
        initial: "50000",
        maintenance: "200",
        liquidation: None,
    },
    // IM 0.01 × 100,000 ÷ 5; MM 1,000 × 0.004;
    // LP (1,000 − 200) ÷ (0.01 − 0.01 × 0.004).
    Case {
        name: "the smallest contract",
        tiers: BTC_2024,
        quantity: "0.01",
        entry: "100000",
        wallet: "200",
        mark: "100000",
        leverage: "5",
        initial: "200",
        maintenance: "4",
        liquidation: Some("80321.29"),
    },
];

#[test]
fn margins_and_liquidation_prices_are_those_computed_by_hand() {
    assert!(CASES.len() >= 20);
    check(CASES, TierMethod::Whole, TierUnit::Base);
}
