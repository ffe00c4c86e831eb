//! Margins and liquidation prices of Bybit linear perpetuals, by hand.
//!
//! Sources: Bybit's help center, "Maintenance Margin (USDT Contract)" (the tiers and the example of
//! XYZUSDT, 0.5 % up to 2,000,000 and 0.56 % up to 2,600,000 of BTCUSDT), "Liquidation Price (USDT
//! Contract)" (long of 1 BTC at 20,000 and leverage 50), and the tiers of `configs/venues/bybit.yaml`
//! of 2024-01-01. Bybit's estimated closing fee is not modelled. Every expected number was computed
//! apart from this code, by bisection of wallet + result = maintenance in decimals; the comments give
//! the closed form. IM: initial margin, MM: maintenance margin, LP: liquidation price.

use basis_core::rules::{TierMethod, TierUnit};

use super::margin_cases::{Case, Tiers, check};

/// The help center's illustration; deductions by its own formula, leverage assumed.
const XYZ: Tiers = &[
    ("1000", "0.02", "0", "25"),
    ("2000", "0.025", "5", "20"),
    ("3000", "0.03", "15", "16"),
    ("4000", "0.035", "30", "14"),
    ("5000", "0.04", "50", "12"),
];

/// The finer table of the help center, undated; leverage assumed.
const BTC_UNDATED: Tiers = &[
    ("2000000", "0.005", "0", "100"),
    ("2600000", "0.0056", "1200", "90"),
    ("3200000", "0.0063", "3020", "80"),
];

/// BTCUSDT, `configs/venues/bybit.yaml`, 2024-01-01: bound, rate, deduction, leverage.
const BTC_2024: Tiers = &[
    ("2000000", "0.005", "0", "100"),
    ("4000000", "0.01", "10000", "57.14"),
    ("6000000", "0.015", "30000", "40"),
    ("8000000", "0.02", "60000", "30.76"),
    ("10000000", "0.025", "100000", "25"),
];

const CASES: &[Case] = &[
    // IM 100 × 35 ÷ 10; MM 3,500 × 0.035 − 30;
    // LP (3,500 − 350 − 30) ÷ (100 − 100 × 0.035).
    // Documented: position value 3,500, IM 350, MM 20 + 25 + 30 + 17.5 = 92.5 tier by tier.
    Case {
        name: "the help center's XYZUSDT long",
        tiers: XYZ,
        quantity: "100",
        entry: "35",
        wallet: "350",
        mark: "35",
        leverage: "10",
        initial: "350",
        maintenance: "92.5",
        liquidation: Some("32.33"),
    },
    // IM 20 × 35 ÷ 10; MM 700 × 0.02;
    // LP (700 − 70) ÷ (20 − 20 × 0.02).
    Case {
        name: "XYZUSDT in its first tier",
        tiers: XYZ,
        quantity: "20",
        entry: "35",
        wallet: "70",
        mark: "35",
        leverage: "10",
        initial: "70",
        maintenance: "14",
        liquidation: Some("32.14"),
    },
    // IM 40 × 25 ÷ 10; MM 1,000 × 0.02;
    // LP (1,000 − 100) ÷ (40 − 40 × 0.02).
    Case {
        name: "XYZUSDT exactly at the first bound",
        tiers: XYZ,
        quantity: "40",
        entry: "25",
        wallet: "100",
        mark: "25",
        leverage: "10",
        initial: "100",
        maintenance: "20",
        liquidation: Some("22.96"),
    },
    // IM 50 × 30 ÷ 10; MM 1,500 × 0.025 − 5;
    // LP (1,500 − 150 − 5) ÷ (50 − 50 × 0.025).
    Case {
        name: "XYZUSDT in its second tier",
        tiers: XYZ,
        quantity: "50",
        entry: "30",
        wallet: "150",
        mark: "30",
        leverage: "10",
        initial: "150",
        maintenance: "32.5",
        liquidation: Some("27.59"),
    },
    // IM 80 × 35 ÷ 10; MM 2,800 × 0.03 − 15;
    // LP (−2,800 − 280 − 30) ÷ (−80 − 80 × 0.035).
    Case {
        name: "XYZUSDT in its third tier, short",
        tiers: XYZ,
        quantity: "-80",
        entry: "35",
        wallet: "280",
        mark: "35",
        leverage: "10",
        initial: "280",
        maintenance: "69",
        liquidation: Some("37.56"),
    },
    // IM 120 × 40 ÷ 10; MM 4,800 × 0.04 − 50;
    // LP (−4,800 − 480 − 50) ÷ (−120 − 120 × 0.04).
    Case {
        name: "XYZUSDT in its fifth tier, short",
        tiers: XYZ,
        quantity: "-120",
        entry: "40",
        wallet: "480",
        mark: "40",
        leverage: "10",
        initial: "480",
        maintenance: "142",
        liquidation: Some("42.71"),
    },
    // IM 40 × 50,000 ÷ 10; MM 2,000,000 × 0.005;
    // LP (2,000,000 − 200,000) ÷ (40 − 40 × 0.005).
    // Documented: 0.5 % up to 2,000,000.
    Case {
        name: "the documented value of 2,000,000",
        tiers: BTC_UNDATED,
        quantity: "40",
        entry: "50000",
        wallet: "200000",
        mark: "50000",
        leverage: "10",
        initial: "200000",
        maintenance: "10000",
        liquidation: Some("45226.13"),
    },
    // IM 52 × 50,000 ÷ 10; MM 2,600,000 × 0.0056 − 1,200;
    // LP (2,600,000 − 260,000 − 1,200) ÷ (52 − 52 × 0.0056).
    // Documented: 0.56 % in the tier up to 2,600,000; the deduction by the help center's
    // formula.
    Case {
        name: "the documented value of 2,600,000",
        tiers: BTC_UNDATED,
        quantity: "52",
        entry: "50000",
        wallet: "260000",
        mark: "50000",
        leverage: "10",
        initial: "260000",
        maintenance: "13360",
        liquidation: Some("45230.21"),
    },
    // IM 1 × 20,000 ÷ 50; MM 20,000 × 0.005;
    // LP (20,000 − 400) ÷ (1 − 1 × 0.005).
    // The help center's older formula keeps MM at entry: 19,700; at mark, as since, 1.51 lower.
    Case {
        name: "the help center's long of 1 BTC at 50",
        tiers: BTC_2024,
        quantity: "1",
        entry: "20000",
        wallet: "400",
        mark: "20000",
        leverage: "50",
        initial: "400",
        maintenance: "100",
        liquidation: Some("19698.49"),
    },
    // IM 1 × 8,000 ÷ 40; MM 8,000 × 0.005;
    // LP (−8,000 − 200) ÷ (−1 − 1 × 0.005).
    // The older formula: 8,160; at mark 0.8 lower.
    Case {
        name: "a short of 1 BTC at 40",
        tiers: BTC_2024,
        quantity: "-1",
        entry: "8000",
        wallet: "200",
        mark: "8000",
        leverage: "40",
        initial: "200",
        maintenance: "40",
        liquidation: Some("8159.2"),
    },
    // IM 0.5 × 60,000 ÷ 10; MM 30,000 × 0.005;
    // LP (30,000 − 3,000) ÷ (0.5 − 0.5 × 0.005).
    Case {
        name: "first tier, isolated long at 10",
        tiers: BTC_2024,
        quantity: "0.5",
        entry: "60000",
        wallet: "3000",
        mark: "60000",
        leverage: "10",
        initial: "3000",
        maintenance: "150",
        liquidation: Some("54271.36"),
    },
    // IM 0.5 × 60,000 ÷ 10; MM 30,000 × 0.005;
    // LP (−30,000 − 3,000) ÷ (−0.5 − 0.5 × 0.005).
    Case {
        name: "first tier, isolated short at 10",
        tiers: BTC_2024,
        quantity: "-0.5",
        entry: "60000",
        wallet: "3000",
        mark: "60000",
        leverage: "10",
        initial: "3000",
        maintenance: "150",
        liquidation: Some("65671.64"),
    },
    // IM 1 × 60,000 ÷ 100; MM 60,000 × 0.005;
    // LP (60,000 − 600) ÷ (1 − 1 × 0.005).
    Case {
        name: "first tier, isolated long at 100",
        tiers: BTC_2024,
        quantity: "1",
        entry: "60000",
        wallet: "600",
        mark: "60000",
        leverage: "100",
        initial: "600",
        maintenance: "300",
        liquidation: Some("59698.49"),
    },
    // IM 1 × 60,000 ÷ 10; MM 60,000 × 0.005;
    // LP (60,000 − 7,200) ÷ (1 − 1 × 0.005).
    Case {
        name: "extra margin lowers the price of a long",
        tiers: BTC_2024,
        quantity: "1",
        entry: "60000",
        wallet: "7200",
        mark: "60000",
        leverage: "10",
        initial: "6000",
        maintenance: "300",
        liquidation: Some("53065.33"),
    },
    // IM 10 × 61,000 ÷ 10; MM 610,000 × 0.005;
    // LP (−600,000 − 300,000) ÷ (−10 − 10 × 0.005).
    Case {
        name: "first tier, cross short on a larger wallet",
        tiers: BTC_2024,
        quantity: "-10",
        entry: "60000",
        wallet: "300000",
        mark: "61000",
        leverage: "10",
        initial: "61000",
        maintenance: "3050",
        liquidation: Some("89552.24"),
    },
    // IM 40 × 50,000 ÷ 10; MM 2,000,000 × 0.005;
    // LP (2,000,000 − 200,000) ÷ (40 − 40 × 0.005).
    Case {
        name: "exactly at the first bound",
        tiers: BTC_2024,
        quantity: "40",
        entry: "50000",
        wallet: "200000",
        mark: "50000",
        leverage: "10",
        initial: "200000",
        maintenance: "10000",
        liquidation: Some("45226.13"),
    },
    // IM 40.001 × 50,000 ÷ 10; MM 2,000,050 × 0.01 − 10,000;
    // LP (2,000,050 − 200,005) ÷ (40.001 − 40.001 × 0.005).
    Case {
        name: "one lot above the first bound",
        tiers: BTC_2024,
        quantity: "40.001",
        entry: "50000",
        wallet: "200005",
        mark: "50000",
        leverage: "10",
        initial: "200005",
        maintenance: "10000.5",
        liquidation: Some("45226.13"),
    },
    // IM 38 × 50,000 ÷ 10; MM 1,900,000 × 0.005;
    // LP (−1,900,000 − 190,000 − 10,000) ÷ (−38 − 38 × 0.01).
    Case {
        name: "a short whose loss lifts it into the second tier",
        tiers: BTC_2024,
        quantity: "-38",
        entry: "50000",
        wallet: "190000",
        mark: "50000",
        leverage: "10",
        initial: "190000",
        maintenance: "9500",
        liquidation: Some("54716"),
    },
    // IM 42 × 50,000 ÷ 10; MM 2,100,000 × 0.01 − 10,000;
    // LP (2,100,000 − 210,000) ÷ (42 − 42 × 0.005).
    Case {
        name: "a long whose loss brings it down into the first tier",
        tiers: BTC_2024,
        quantity: "42",
        entry: "50000",
        wallet: "210000",
        mark: "50000",
        leverage: "10",
        initial: "210000",
        maintenance: "11000",
        liquidation: Some("45226.13"),
    },
    // IM 60 × 50,000 ÷ 50; MM 3,000,000 × 0.01 − 10,000;
    // LP (−3,000,000 − 60,000 − 10,000) ÷ (−60 − 60 × 0.01).
    Case {
        name: "second tier, isolated short at 50",
        tiers: BTC_2024,
        quantity: "-60",
        entry: "50000",
        wallet: "60000",
        mark: "50000",
        leverage: "50",
        initial: "60000",
        maintenance: "20000",
        liquidation: Some("50660.07"),
    },
    // IM 100 × 49,500 ÷ 10; MM 4,950,000 × 0.015 − 30,000;
    // LP (5,000,000 − 480,000 − 30,000) ÷ (100 − 100 × 0.015).
    Case {
        name: "third tier, cross long less a loss elsewhere",
        tiers: BTC_2024,
        quantity: "100",
        entry: "50000",
        wallet: "480000",
        mark: "49500",
        leverage: "10",
        initial: "495000",
        maintenance: "44250",
        liquidation: Some("45583.76"),
    },
    // IM 180 × 50,000 ÷ 25; MM 9,000,000 × 0.025 − 100,000;
    // LP (−9,000,000 − 360,000 − 100,000) ÷ (−180 − 180 × 0.025).
    Case {
        name: "fifth tier, isolated short at 25",
        tiers: BTC_2024,
        quantity: "-180",
        entry: "50000",
        wallet: "360000",
        mark: "50000",
        leverage: "25",
        initial: "360000",
        maintenance: "125000",
        liquidation: Some("51273.71"),
    },
    // IM 2 × 30,000 ÷ 1; MM 60,000 × 0.005;
    // even at a price of zero the wallet covers the loss: no liquidation price.
    Case {
        name: "a fully paid long is never liquidated",
        tiers: BTC_2024,
        quantity: "2",
        entry: "30000",
        wallet: "60000.5",
        mark: "30000",
        leverage: "1",
        initial: "60000",
        maintenance: "300",
        liquidation: None,
    },
    // IM 0.001 × 100,000 ÷ 10; MM 100 × 0.005;
    // LP (100 − 10) ÷ (0.001 − 0.001 × 0.005).
    Case {
        name: "the smallest lot",
        tiers: BTC_2024,
        quantity: "0.001",
        entry: "100000",
        wallet: "10",
        mark: "100000",
        leverage: "10",
        initial: "10",
        maintenance: "0.5",
        liquidation: Some("90452.26"),
    },
];

#[test]
fn margins_and_liquidation_prices_are_those_computed_by_hand() {
    assert!(CASES.len() >= 20);
    check(CASES, TierMethod::Deduction, TierUnit::Notional);
}

#[test]
fn deductions_follow_from_bounds_and_rates() {
    for tiers in [XYZ, BTC_UNDATED, BTC_2024] {
        super::margin_cases::check_deductions(tiers);
    }
}
