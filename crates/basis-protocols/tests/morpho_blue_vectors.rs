//! Morpho Blue against recorded runs of the real contracts: every step, refusals included.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "the helpers of tests may fail as loudly as the tests"
)]

use std::fs;
use std::path::Path;

use basis_core::num::U256;
use basis_protocols::morpho_blue::{
    AdaptiveCurve, AmountInput, InterestRateModel, LiquidationInput, Market, MarketTerms, Refusal,
    Totals, User, flash_loan,
};
use serde_json::Value;

const FEE_RECIPIENT: User = User(9);

fn vectors(name: &str) -> Option<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/vectors/onchain")
        .join(name);
    let Ok(text) = fs::read_to_string(&path) else {
        eprintln!("SKIPPED: {} is not here", path.display());
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

fn units(value: &Value) -> U256 {
    match value {
        Value::Null => U256::ZERO,
        Value::Number(number) => U256::from(number.as_u64().unwrap()),
        text => text.as_str().unwrap().parse().unwrap(),
    }
}

fn small(value: &Value) -> u128 {
    u128::try_from(units(value)).unwrap()
}

fn account(value: &Value) -> User {
    User(u16::try_from(value.as_u64().unwrap()).unwrap())
}

fn totals(market: &Value) -> Totals {
    Totals {
        supply_assets: small(&market["totalSupplyAssets"]),
        supply_shares: small(&market["totalSupplyShares"]),
        borrow_assets: small(&market["totalBorrowAssets"]),
        borrow_shares: small(&market["totalBorrowShares"]),
    }
}

fn run(market: &mut Market, step: &Value, price: U256) -> Result<(), Refusal> {
    let user = account(&step["user"]);
    let now = step["timestamp"].as_u64().unwrap();
    let amount = AmountInput {
        assets: units(&step["assets"]),
        shares: units(&step["shares"]),
    };
    match step["op"].as_str().unwrap() {
        "supply" => market.supply(user, amount, now).map(drop),
        "withdraw" => market.withdraw(user, amount, now).map(drop),
        "borrow" => market.borrow(user, amount, price, now).map(drop),
        "repay" => market.repay(user, amount, now).map(drop),
        "supplyCollateral" => market.supply_collateral(user, amount.assets),
        "withdrawCollateral" => market
            .withdraw_collateral(user, amount.assets, price, now)
            .map(drop),
        "accrueInterest" => market.accrue_interest(now).map(drop),
        "flashLoan" => {
            let held = U256::from(market.totals().liquidity());
            let due = flash_loan(amount.assets, held)?;
            assert_eq!(due - amount.assets, units(&step["premium"]));
            Ok(())
        }
        "liquidate" => {
            let input = LiquidationInput {
                seized_assets: units(&step["seizedAssets"]),
                repaid_shares: units(&step["repaidShares"]),
            };
            let borrower = account(&step["borrower"]);
            let done = market.liquidate(borrower, input, price, now)?;
            let bad = step["badDebt"].as_bool().unwrap_or(false);
            assert_eq!(done.bad_debt_assets > 0, bad);
            Ok(())
        }
        other => panic!("unknown operation {other}"),
    }
}

fn check(market: &Market, step: &Value, outcome: Result<(), Refusal>) {
    let n = &step["n"];
    match outcome {
        Ok(()) => assert_eq!(step["ok"], true, "step {n} was refused"),
        Err(refusal) => {
            let text = format!("execution reverted: {refusal}");
            assert_eq!(step["revert"], text.as_str(), "step {n}");
        }
    }
    assert_eq!(*market.totals(), totals(&step["market"]), "step {n}");
    let last_update = U256::from(market.last_update());
    assert_eq!(last_update, units(&step["market"]["lastUpdate"]), "{n}");
    assert_eq!(market.terms().fee_wad, small(&step["market"]["fee"]));
    let whose = step.get("borrower").unwrap_or(&step["user"]);
    let position = market.position(account(whose));
    let expected = &step["position"];
    assert_eq!(position.supply_shares, units(&expected["supplyShares"]));
    assert_eq!(position.borrow_shares, small(&expected["borrowShares"]));
    assert_eq!(position.collateral, small(&expected["collateral"]));
    if let Some(shares) = step.get("feeRecipientShares") {
        let recipient = market.position(FEE_RECIPIENT);
        assert_eq!(recipient.supply_shares, units(shares), "step {n}");
    }
}

#[test]
fn a_market_with_the_package_s_rate_model_follows_the_contract() {
    let Some(file) = vectors("morpho.json") else {
        return;
    };
    let terms = MarketTerms {
        lltv_wad: units(&file["lltv"]),
        fee_wad: small(&file["fee"]),
        fee_recipient: FEE_RECIPIENT,
        irm: InterestRateModel::Utilization,
    };
    let mut market = Market::create(terms, 1_700_000_000).unwrap();
    let steps = file["steps"].as_array().unwrap();
    for step in steps {
        let before = market.clone();
        let outcome = run(&mut market, step, units(&step["oraclePrice"]));
        check(&market, step, outcome);
        assert!(outcome.is_ok() || market == before, "a refusal changed it");
    }
    let refused = steps.iter().filter(|step| step["ok"] == false).count();
    assert_eq!((steps.len(), refused), (129, 33));
}

#[test]
fn a_market_with_the_adaptive_curve_follows_the_contract() {
    let Some(file) = vectors("morpho_adaptive_irm.json") else {
        return;
    };
    let constants = &file["constants"];
    assert_eq!(
        units(&constants["INITIAL_RATE_AT_TARGET"]),
        U256::from(AdaptiveCurve::RATE_AT_TARGET_INITIAL)
    );
    let terms = MarketTerms {
        lltv_wad: units(&file["lltv"]),
        fee_wad: small(&file["fee"]),
        fee_recipient: FEE_RECIPIENT,
        irm: InterestRateModel::AdaptiveCurve(AdaptiveCurve::untouched()),
    };
    let created = file["createdAt"].as_u64().unwrap();
    let mut market = Market::create(terms, created).unwrap();
    let first = market.rates(created).unwrap().rate_at_target.wad();
    assert_eq!(first, units(&file["rateAtTargetAfterCreateMarket"]));
    // The oracle's price is not in the file; every borrow there that fails, fails on liquidity.
    let price = U256::from(10_u8).pow(U256::from(45_u8));
    for step in file["steps"].as_array().unwrap() {
        let outcome = run(&mut market, step, price);
        check(&market, step, outcome);
        let now = step["timestamp"].as_u64().unwrap();
        let InterestRateModel::AdaptiveCurve(curve) = market.terms().irm else {
            panic!("the model changed");
        };
        let stored = U256::from(curve.rate_at_target());
        assert_eq!(stored, units(&step["rateAtTargetPerSecondWad"]));
        let view = market.rates(now).unwrap().borrow_average.wad();
        assert_eq!(view, units(&step["borrowRateViewPerSecondWad"]), "{step}");
    }
}
