//! The pool's own numbers: every step of a recorded run of the 3.0 contracts, repeated.
//!
//! The recording is shared test data beside the checkout; without it the test says so and passes.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test of its own outside any test module"
)]

use std::path::{Path, PathBuf};

use basis_core::num::U256;
use basis_protocols::aave_v3::{
    AccountData, EModeCategory, LiquidationCall, Market, Payer, PoolError, RateStrategy,
    ReserveConfig, ReserveId, ReserveState, Revert, Seconds, Seized, UserId, Version,
};
use serde_json::Value;

fn recording() -> Option<Value> {
    let path: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/onchain/aave3.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED: {} is not there", path.display());
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

/// Numbers come as decimal text or as JSON numbers.
fn number(value: &Value) -> U256 {
    match value {
        Value::String(text) => text.parse().unwrap(),
        Value::Number(number) => U256::from(number.as_u64().unwrap()),
        other => panic!("not a number: {other}"),
    }
}

fn small<T: TryFrom<U256>>(value: &Value) -> T
where
    T::Error: std::fmt::Debug,
{
    T::try_from(number(value)).unwrap()
}

/// The recorded market: its reserves in the recording's order, six users, one e-mode.
fn listed(recording: &Value) -> (Market, Vec<String>) {
    let mut market = Market::new(Version::V3_0);
    let mut names = Vec::new();
    for reserve in recording["reserves"].as_array().unwrap() {
        let curve = &reserve["rateStrategyRay"];
        let strategy = RateStrategy::from_ray(
            small(&curve["optimalUsageRatio"]),
            small(&curve["baseVariableBorrowRate"]),
            small(&curve["variableRateSlope1"]),
            small(&curve["variableRateSlope2"]),
        );
        let config = ReserveConfig {
            ltv_bps: small(&reserve["ltv"]),
            liquidation_threshold_bps: small(&reserve["liquidationThreshold"]),
            liquidation_bonus_bps: small(&reserve["liquidationBonus"]),
            reserve_factor_bps: small(&reserve["reserveFactorBps"]),
            liquidation_protocol_fee_bps: small(&reserve["liquidationProtocolFeeBps"]),
            e_mode_category: small(&reserve["eMode"]),
            ..ReserveConfig::new(small(&reserve["decimals"]), strategy.unwrap())
        };
        let state = ReserveState::listed(number(&reserve["initialPrice"]));
        market.add_reserve(config, state).unwrap();
        names.push(reserve["asset"].as_str().unwrap().to_owned());
    }
    for (category, terms) in recording["eModeCategories"].as_object().unwrap() {
        let terms = EModeCategory {
            ltv_bps: small(&terms["ltv"]),
            liquidation_threshold_bps: small(&terms["liquidationThreshold"]),
            liquidation_bonus_bps: small(&terms["liquidationBonus"]),
            collateral: 0,
            borrowable: 0,
        };
        market
            .set_e_mode_category(category.parse().unwrap(), terms)
            .unwrap();
    }
    market.set_flash_loan_premiums(
        small(&recording["flashLoanPremiumBps"]),
        small(&recording["flashLoanPremiumToProtocolBps"]),
    );
    for _ in 0..6 {
        market.add_user().unwrap();
    }
    (market, names)
}

/// One recorded step, on the market.
struct Step<'a> {
    recorded: &'a Value,
    names: &'a [String],
}

impl Step<'_> {
    fn reserve(&self, key: &str) -> ReserveId {
        let name = self.recorded[key].as_str().unwrap();
        let place = self.names.iter().position(|known| known == name).unwrap();
        ReserveId(u8::try_from(place).unwrap())
    }

    fn now(&self) -> Seconds {
        small(&self.recorded["timestamp"])
    }

    fn amount(&self) -> U256 {
        number(&self.recorded["amount"])
    }

    fn user(&self) -> UserId {
        UserId(small(&self.recorded["user"]))
    }

    fn run(&self, market: &mut Market) -> Result<(), Revert> {
        let (user, now) = (self.user(), self.now());
        let amount = self.amount();
        match self.recorded["op"].as_str().unwrap() {
            "supply" => market
                .supply(user, self.reserve("asset"), amount, now)
                .map(drop),
            "withdraw" => market
                .withdraw(user, self.reserve("asset"), amount, now)
                .map(drop),
            "borrow" => market
                .borrow(user, self.reserve("asset"), amount, now)
                .map(drop),
            "repay" => market
                .repay(user, self.reserve("asset"), amount, Payer::Debtor, now)
                .map(drop),
            "setUserEMode" => market.set_user_e_mode(user, u8::try_from(amount).unwrap(), now),
            "priceSet" => market.set_price(self.reserve("asset"), amount),
            "flashLoanSimple" => self.flash_loan(market),
            "liquidationCall" => self.liquidation(market),
            other => panic!("unknown step {other}"),
        }
    }

    /// The recorded borrower that fails has not got the premium: the pool never takes back.
    fn flash_loan(&self, market: &mut Market) -> Result<(), Revert> {
        let (id, now) = (self.reserve("asset"), self.now());
        if self.recorded["receiverFails"] == true {
            let mut attempt = market.clone();
            let loan = attempt.begin_flash_loan(id, self.amount(), now)?;
            assert_eq!(loan.amount, self.amount());
            return Err(Revert::Underlying);
        }
        market.flash_loan_simple(id, self.amount(), now).map(drop)
    }

    fn liquidation(&self, market: &mut Market) -> Result<(), Revert> {
        let call = LiquidationCall {
            user: self.user(),
            collateral: self.reserve("collateralAsset"),
            debt: self.reserve("asset"),
            debt_to_cover: self.amount(),
            seized: Seized::Underlying,
        };
        assert_eq!(self.recorded["receiveAToken"], false);
        let done = market.liquidation_call(call, self.now())?;
        let seized = number(&self.recorded["collateralSeizedByLiquidator"]);
        assert_eq!(done.collateral_seized, seized);
        Ok(())
    }

    fn compare_reserve(&self, market: &Market, recorded: &Value) {
        let name = recorded["asset"].as_str().unwrap();
        let place = self.names.iter().position(|known| known == name).unwrap();
        let id = ReserveId(u8::try_from(place).unwrap());
        let state = market.reserve(id).unwrap().state();
        let pairs = [
            ("liquidityIndex", U256::from(state.liquidity_index_ray)),
            (
                "variableBorrowIndex",
                U256::from(state.variable_borrow_index_ray),
            ),
            (
                "currentLiquidityRate",
                U256::from(state.rates.liquidity_rate_ray),
            ),
            (
                "currentVariableBorrowRate",
                U256::from(state.rates.variable_borrow_rate_ray),
            ),
            ("lastUpdateTimestamp", U256::from(state.last_update)),
            ("accruedToTreasury", U256::from(state.accrued_to_treasury)),
            ("aTokenScaledTotalSupply", state.scaled_supply),
            ("variableDebtScaledTotalSupply", state.scaled_debt),
            ("cash", state.cash),
            (
                "normalizedIncome",
                market.normalized_income_ray(id, self.now()).unwrap(),
            ),
            (
                "normalizedVariableDebt",
                market.normalized_debt_ray(id, self.now()).unwrap(),
            ),
        ];
        self.compare(name, recorded, &pairs);
    }

    fn compare_account(&self, market: &Market, recorded: &Value) {
        let user = UserId(small(&recorded["user"]));
        let AccountData {
            total_collateral_base,
            total_debt_base,
            available_borrows_base,
            current_liquidation_threshold_bps,
            ltv_bps,
            health_factor_wad,
            ..
        } = market.account_data(user, self.now()).unwrap();
        let pairs = [
            ("totalCollateralBase", total_collateral_base),
            ("totalDebtBase", total_debt_base),
            ("availableBorrowsBase", available_borrows_base),
            (
                "currentLiquidationThreshold",
                U256::from(current_liquidation_threshold_bps),
            ),
            ("ltv", U256::from(ltv_bps)),
            ("healthFactor", health_factor_wad),
            ("eMode", U256::from(market.account(user).unwrap().e_mode)),
        ];
        self.compare("account", recorded, &pairs);
        for (place, name) in self.names.iter().enumerate() {
            let id = ReserveId(u8::try_from(place).unwrap());
            let position = market.position(user, id).unwrap();
            let supplied = market.supply_balance(user, id, self.now()).unwrap();
            let owed = market.debt_balance(user, id, self.now()).unwrap();
            let pairs = [
                ("scaledATokenBalance", U256::from(position.scaled_supply)),
                ("aTokenBalance", supplied),
                ("scaledVariableDebt", U256::from(position.scaled_debt)),
                ("variableDebt", owed),
            ];
            let recorded = recorded["reserves"].get(name).unwrap();
            self.compare(name, recorded, &pairs);
        }
    }

    fn compare(&self, of: &str, recorded: &Value, pairs: &[(&str, U256)]) {
        for (key, computed) in pairs {
            assert_eq!(
                *computed,
                number(&recorded[*key]),
                "step {}: {key} of {of}",
                self.recorded["n"]
            );
        }
    }
}

/// The recorded text of a revert, as this module says it.
fn expected_revert(text: &str) -> Revert {
    let reason = text.strip_prefix("execution reverted: ").unwrap_or(text);
    if let Ok(code) = reason.parse() {
        return PoolError::from_code(code).unwrap().into();
    }
    if reason.contains("0x11") {
        return Revert::Arithmetic;
    }
    assert_eq!(reason, "ERC20: transfer amount exceeds balance");
    Revert::Underlying
}

#[test]
fn every_recorded_step_ends_in_the_recorded_state() {
    let Some(recording) = recording() else {
        return;
    };
    let (mut market, names) = listed(&recording);
    let steps = recording["steps"].as_array().unwrap();
    let mut refused = 0;
    for recorded in steps {
        let step = Step {
            recorded,
            names: &names,
        };
        let before = market.clone();
        let done = step.run(&mut market);
        if recorded["ok"] == true {
            assert_eq!(done, Ok(()), "step {}", recorded["n"]);
        } else {
            let expected = expected_revert(recorded["revert"].as_str().unwrap());
            assert_eq!(done, Err(expected), "step {}", recorded["n"]);
            assert_eq!(market, before, "step {}", recorded["n"]);
            refused += 1;
        }
        for key in ["reserve", "collateralReserve"] {
            if recorded.get(key).is_some_and(Value::is_object) {
                step.compare_reserve(&market, &recorded[key]);
            }
        }
        if recorded.get("account").is_some_and(Value::is_object) {
            step.compare_account(&market, &recorded["account"]);
        }
    }
    assert_eq!((steps.len(), refused), (138, 36));
}
