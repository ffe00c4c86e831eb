//! Margins and liquidation prices of Binance USD-M, by hand.
//!
//! Sources: the formula and the example of Binance's FAQ "How to Calculate Liquidation Price of
//! USDⓈ-M Futures Contracts" (two positions of one cross account; as recorded in freqtrade's tests),
//! its brackets of 2021-03-18 (announcement of that day; ETHUSDT by the recording that the example
//! fits), and the brackets of `configs/venues/binance.yaml` of 2024-01-01. Every expected number was
//! computed apart from this code, by bisection of wallet + result = maintenance in decimals; the
//! comments give the closed form. IM: initial margin, MM: maintenance margin, LP: liquidation price.

use basis_core::rules::{TierMethod, TierUnit};

use super::margin_cases::{Case, Tiers, check};

/// BTCUSDT, `configs/venues/binance.yaml`, 2024-01-01: bound, rate, deduction, leverage.
const BTC_2024: Tiers = &[
    ("50000", "0.004", "0", "125"),
    ("500000", "0.005", "50", "100"),
    ("8000000", "0.01", "2550", "50"),
    ("50000000", "0.025", "122550", "20"),
    ("80000000", "0.05", "1372550", "10"),
    ("100000000", "0.1", "5372550", "5"),
];

/// BTCUSDT 125x, Binance's announcement of 2021-03-18; the FAQ's "1,300" is in it.
const BTC_2021: Tiers = &[
    ("50000", "0.004", "0", "125"),
    ("250000", "0.005", "50", "100"),
    ("1000000", "0.01", "1300", "50"),
    ("10000000", "0.025", "16300", "20"),
    ("20000000", "0.05", "266300", "10"),
    ("50000000", "0.1", "1266300", "5"),
];

/// ETHUSDT 100x of that time, a public recording of Binance's own page.
const ETH_2021: Tiers = &[
    ("10000", "0.005", "0", "100"),
    ("100000", "0.0065", "15", "75"),
    ("500000", "0.01", "365", "50"),
    ("1000000", "0.02", "5365", "25"),
    ("2000000", "0.05", "35365", "10"),
    ("5000000", "0.1", "135365", "5"),
    ("10000000", "0.125", "260365", "4"),
];

const CASES: &[Case] = &[
    // IM 3,683.979 × 1,335.18 ÷ 5; MM 4,918,775.08122 × 0.1 − 135,365;
    // LP (5,366,967.96636 − 1,407,887.628556 − 135,365) ÷ (3,683.979 − 3,683.979 × 0.1).
    // FAQ, cross: 1,535,443.01 less the other's margin 71,200.811444 and loss 56,354.57 gives
    // 1,153.26.
    Case {
        name: "the FAQ's ETHUSDT long, cross",
        tiers: ETH_2021,
        quantity: "3683.979",
        entry: "1456.84",
        wallet: "1407887.628556",
        mark: "1335.18",
        leverage: "5",
        initial: "983755.016244",
        maintenance: "356512.508122",
        liquidation: Some("1153.26"),
    },
    // IM 109.488 × 31,967.27 ÷ 20; MM 3,500,032.45776 × 0.025 − 16,300;
    // LP (3,556,387.02624 − 730,737.612 − 16,300) ÷ (109.488 − 109.488 × 0.025).
    // FAQ, cross: 1,535,443.01 less the other's margin 356,512.508 and loss 448,192.89 gives
    // 26,316.89.
    Case {
        name: "the FAQ's BTCUSDT long, cross",
        tiers: BTC_2021,
        quantity: "109.488",
        entry: "32481.98",
        wallet: "730737.612",
        mark: "31967.27",
        leverage: "20",
        initial: "175001.622888",
        maintenance: "71200.811444",
        liquidation: Some("26316.89"),
    },
    // IM 3,683.979 × 1,335.18 ÷ 5; MM 4,918,775.08122 × 0.1 − 135,365;
    // LP (5,366,967.96636 − 1,535,443.01 − 135,365) ÷ (3,683.979 − 3,683.979 × 0.1).
    // freqtrade's test of the same example without the other position: 1,114.78.
    Case {
        name: "the FAQ's ETHUSDT long, isolated",
        tiers: ETH_2021,
        quantity: "3683.979",
        entry: "1456.84",
        wallet: "1535443.01",
        mark: "1335.18",
        leverage: "5",
        initial: "983755.016244",
        maintenance: "356512.508122",
        liquidation: Some("1114.78"),
    },
    // IM 109.488 × 31,967.27 ÷ 20; MM 3,500,032.45776 × 0.025 − 16,300;
    // LP (3,556,387.02624 − 1,535,443.01 − 16,300) ÷ (109.488 − 109.488 × 0.025).
    // freqtrade's test of the same example without the other position: 18,778.73.
    Case {
        name: "the FAQ's BTCUSDT long, isolated",
        tiers: BTC_2021,
        quantity: "109.488",
        entry: "32481.98",
        wallet: "1535443.01",
        mark: "31967.27",
        leverage: "20",
        initial: "175001.622888",
        maintenance: "71200.811444",
        liquidation: Some("18778.73"),
    },
    // IM 0.5 × 60,000 ÷ 10; MM 30,000 × 0.004;
    // LP (30,000 − 3,000) ÷ (0.5 − 0.5 × 0.004).
    Case {
        name: "first bracket, isolated long at 10",
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
        name: "first bracket, isolated short at 10",
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
    // IM 0.8 × 50,000 ÷ 125; MM 40,000 × 0.004;
    // LP (40,000 − 320) ÷ (0.8 − 0.8 × 0.004).
    Case {
        name: "first bracket, isolated long at 125",
        tiers: BTC_2024,
        quantity: "0.8",
        entry: "50000",
        wallet: "320",
        mark: "50000",
        leverage: "125",
        initial: "320",
        maintenance: "160",
        liquidation: Some("49799.2"),
    },
    // IM 0.8 × 50,000 ÷ 125; MM 40,000 × 0.004;
    // LP (−40,000 − 320) ÷ (−0.8 − 0.8 × 0.004).
    Case {
        name: "first bracket, isolated short at 125",
        tiers: BTC_2024,
        quantity: "-0.8",
        entry: "50000",
        wallet: "320",
        mark: "50000",
        leverage: "125",
        initial: "320",
        maintenance: "160",
        liquidation: Some("50199.2"),
    },
    // IM 1 × 50,000 ÷ 5; MM 50,000 × 0.004;
    // LP (50,000 − 10,000) ÷ (1 − 1 × 0.004).
    Case {
        name: "exactly at the first bound",
        tiers: BTC_2024,
        quantity: "1",
        entry: "50000",
        wallet: "10000",
        mark: "50000",
        leverage: "5",
        initial: "10000",
        maintenance: "200",
        liquidation: Some("40160.64"),
    },
    // IM 1.001 × 50,000 ÷ 5; MM 50,050 × 0.005 − 50;
    // LP (50,050 − 10,010) ÷ (1.001 − 1.001 × 0.004).
    Case {
        name: "one lot above the first bound",
        tiers: BTC_2024,
        quantity: "1.001",
        entry: "50000",
        wallet: "10010",
        mark: "50000",
        leverage: "5",
        initial: "10010",
        maintenance: "200.25",
        liquidation: Some("40160.64"),
    },
    // IM 0.9 × 50,000 ÷ 5; MM 45,000 × 0.004;
    // LP (−45,000 − 9,000 − 50) ÷ (−0.9 − 0.9 × 0.005).
    Case {
        name: "a short whose loss lifts it into the second bracket",
        tiers: BTC_2024,
        quantity: "-0.9",
        entry: "50000",
        wallet: "9000",
        mark: "50000",
        leverage: "5",
        initial: "9000",
        maintenance: "180",
        liquidation: Some("59756.77"),
    },
    // IM 1.1 × 50,000 ÷ 5; MM 55,000 × 0.005 − 50;
    // LP (55,000 − 11,000) ÷ (1.1 − 1.1 × 0.004).
    Case {
        name: "a long whose loss brings it down into the first bracket",
        tiers: BTC_2024,
        quantity: "1.1",
        entry: "50000",
        wallet: "11000",
        mark: "50000",
        leverage: "5",
        initial: "11000",
        maintenance: "225",
        liquidation: Some("40160.64"),
    },
    // IM 5 × 61,000 ÷ 10; MM 305,000 × 0.005 − 50;
    // LP (300,000 − 100,000 − 50) ÷ (5 − 5 × 0.005).
    Case {
        name: "second bracket, cross long on a larger wallet",
        tiers: BTC_2024,
        quantity: "5",
        entry: "60000",
        wallet: "100000",
        mark: "61000",
        leverage: "10",
        initial: "30500",
        maintenance: "1475",
        liquidation: Some("40190.95"),
    },
    // IM 5 × 59,000 ÷ 10; MM 295,000 × 0.005 − 50;
    // LP (−300,000 − 100,000 − 50) ÷ (−5 − 5 × 0.005).
    Case {
        name: "second bracket, cross short on a larger wallet",
        tiers: BTC_2024,
        quantity: "-5",
        entry: "60000",
        wallet: "100000",
        mark: "59000",
        leverage: "10",
        initial: "29500",
        maintenance: "1425",
        liquidation: Some("79611.94"),
    },
    // IM 2 × 39,000 ÷ 20; MM 78,000 × 0.005 − 50;
    // LP (80,000 − 6,500 − 50) ÷ (2 − 2 × 0.005).
    Case {
        name: "second bracket, wallet less a loss elsewhere",
        tiers: BTC_2024,
        quantity: "2",
        entry: "40000",
        wallet: "6500",
        mark: "39000",
        leverage: "20",
        initial: "3900",
        maintenance: "340",
        liquidation: Some("36909.55"),
    },
    // IM 20 × 60,000 ÷ 50; MM 1,200,000 × 0.01 − 2,550;
    // LP (1,200,000 − 24,000 − 2,550) ÷ (20 − 20 × 0.01).
    Case {
        name: "third bracket, isolated long at 50",
        tiers: BTC_2024,
        quantity: "20",
        entry: "60000",
        wallet: "24000",
        mark: "60000",
        leverage: "50",
        initial: "24000",
        maintenance: "9450",
        liquidation: Some("59265.15"),
    },
    // IM 20 × 60,000 ÷ 50; MM 1,200,000 × 0.01 − 2,550;
    // LP (−1,200,000 − 24,000 − 2,550) ÷ (−20 − 20 × 0.01).
    Case {
        name: "third bracket, isolated short at 50",
        tiers: BTC_2024,
        quantity: "-20",
        entry: "60000",
        wallet: "24000",
        mark: "60000",
        leverage: "50",
        initial: "24000",
        maintenance: "9450",
        liquidation: Some("60720.3"),
    },
    // IM 100 × 62,000 ÷ 5; MM 6,200,000 × 0.01 − 2,550;
    // LP (−6,000,000 − 1,200,000 − 2,550) ÷ (−100 − 100 × 0.01).
    Case {
        name: "third bracket, the short's loss stays in it",
        tiers: BTC_2024,
        quantity: "-100",
        entry: "60000",
        wallet: "1200000",
        mark: "62000",
        leverage: "5",
        initial: "1240000",
        maintenance: "59450",
        liquidation: Some("71312.38"),
    },
    // IM 200 × 60,000 ÷ 20; MM 12,000,000 × 0.025 − 122,550;
    // LP (12,000,000 − 600,000 − 122,550) ÷ (200 − 200 × 0.025).
    Case {
        name: "fourth bracket, isolated long at 20",
        tiers: BTC_2024,
        quantity: "200",
        entry: "60000",
        wallet: "600000",
        mark: "60000",
        leverage: "20",
        initial: "600000",
        maintenance: "177450",
        liquidation: Some("57833.08"),
    },
    // IM 134 × 59,700 ÷ 20; MM 7,999,800 × 0.01 − 2,550;
    // LP (−8,040,000 − 402,000 − 122,550) ÷ (−134 − 134 × 0.025).
    Case {
        name: "fourth bracket, short near its lower bound",
        tiers: BTC_2024,
        quantity: "-134",
        entry: "60000",
        wallet: "402000",
        mark: "59700",
        leverage: "20",
        initial: "399990",
        maintenance: "77448",
        liquidation: Some("62355.66"),
    },
    // IM 1,000 × 60,000 ÷ 10; MM 60,000,000 × 0.05 − 1,372,550;
    // LP (60,000,000 − 6,000,000 − 1,372,550) ÷ (1,000 − 1,000 × 0.05).
    Case {
        name: "fifth bracket, long at 10",
        tiers: BTC_2024,
        quantity: "1000",
        entry: "60000",
        wallet: "6000000",
        mark: "60000",
        leverage: "10",
        initial: "6000000",
        maintenance: "1627450",
        liquidation: Some("55397.32"),
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
    // IM 1 × 50,000 ÷ 1; MM 50,000 × 0.004;
    // LP (−50,000 − 50,000 − 50) ÷ (−1 − 1 × 0.005).
    Case {
        name: "a fully margined short",
        tiers: BTC_2024,
        quantity: "-1",
        entry: "50000",
        wallet: "50000",
        mark: "50000",
        leverage: "1",
        initial: "50000",
        maintenance: "200",
        liquidation: Some("99552.24"),
    },
    // IM 0.001 × 100,000 ÷ 5; MM 100 × 0.004;
    // LP (100 − 20) ÷ (0.001 − 0.001 × 0.004).
    Case {
        name: "the smallest lot",
        tiers: BTC_2024,
        quantity: "0.001",
        entry: "100000",
        wallet: "20",
        mark: "100000",
        leverage: "5",
        initial: "20",
        maintenance: "0.4",
        liquidation: Some("80321.29"),
    },
];

#[test]
fn margins_and_liquidation_prices_are_those_computed_by_hand() {
    assert!(CASES.len() >= 20);
    check(CASES, TierMethod::Deduction, TierUnit::Notional);
}

#[test]
fn the_deduction_is_the_one_of_the_faq() {
    // FAQ: "250,000 × (1 % − 0.5 %) + 50 USDT = 1,300 USDT"; every row follows from the one before.
    for tiers in [BTC_2024, BTC_2021, ETH_2021] {
        super::margin_cases::check_deductions(tiers);
    }
}
