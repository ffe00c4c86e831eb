//! Morpho Blue with one market, and the rate model that sets it: the bytecode of
//! `@morpho-org/morpho-blue-bundlers` 1.1.2.
//!
//! The oracle is the package's mock, whose price can be set. Amounts are given as assets or as
//! shares, never both, as the contract wants it. State is read from the storage.

use super::artifact::{Artifact, installed};
use super::token::{self, Token};
use super::{ADMIN, Address, Evm, Output, Revert, U256, keccak256, user};
use crate::abi::{self, Token as Argument, call, from_address, mapping_slot, tuple};
use crate::args;

const FACTORIES: &str = "node_modules/@morpho-org/morpho-blue-bundlers/types/factories";

/// `MarketParams`.
const PARAMS: &str = "(address,address,address,address,uint256)";

/// How many users are funded and have approved Morpho: [`user`]`(0)` to `user(USERS - 1)`.
pub const USERS: u8 = 6;

/// Base units of either token that each user begins with: 2^110, about 1.3·10^33.
pub const FUNDS: U256 = U256::from_limbs([0, 1 << 46, 0, 0]);

/// Runtime code that answers whatever it is asked with the first word of its storage:
/// PUSH0 SLOAD PUSH0 MSTORE PUSH1 32 PUSH0 RETURN.
const FIXED_RATE: [u8; 8] = [0x5f, 0x54, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3];

/// What a market is made of.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Decimals of the loan token.
    pub loan_decimals: u8,
    /// Decimals of the collateral token.
    pub collateral_decimals: u8,
    /// Liquidation loan-to-value, wad.
    pub lltv: U256,
    /// The fee recipient's part of the interest, wad, at most 0.25.
    pub fee: U256,
    /// Who sets the rate.
    pub irm: Irm,
}

/// Who sets the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Irm {
    /// `AdaptiveCurveIrm`, what all markets of the main network use.
    Adaptive,
    /// A rate that the test sets: see [`Market::set_rate`], 0 at first.
    Fixed,
}

/// Morpho with one market.
#[derive(Debug)]
pub struct Market {
    /// The chain; its time is the caller's to move.
    pub evm: Evm,
    /// Morpho; [`ADMIN`] owns it.
    pub morpho: Address,
    /// The rate model.
    pub irm: Address,
    /// The price mock.
    pub oracle: Address,
    /// What is lent.
    pub loan: Token,
    /// What is pledged.
    pub collateral: Token,
    /// Wad.
    pub lltv: U256,
    /// The market's identifier.
    pub id: U256,
    /// Who gets the fee, in supply shares.
    pub fee_recipient: Address,
}

/// `market(id)`, as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Base units of the loan token.
    pub total_supply_assets: U256,
    /// Shares.
    pub total_supply_shares: U256,
    /// Base units of the loan token.
    pub total_borrow_assets: U256,
    /// Shares.
    pub total_borrow_shares: U256,
    /// Unix seconds.
    pub last_update: u64,
    /// Wad.
    pub fee: U256,
}

/// `position(id, user)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Shares.
    pub supply_shares: U256,
    /// Shares.
    pub borrow_shares: U256,
    /// Base units of the collateral token.
    pub collateral: U256,
}

/// An amount, in either of the two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Base units of the loan token; of the collateral token in a liquidation.
    Assets(U256),
    /// Shares; of the borrower's debt in a liquidation.
    Shares(U256),
}

impl Market {
    /// Deploys Morpho with one market at a price of 1 (see [`Self::set_price`]) and funds the users.
    /// None when the packages are not installed.
    ///
    /// # Panics
    /// When Morpho refuses the configuration.
    pub fn new(config: Config) -> Option<Self> {
        let morpho = format!("{FACTORIES}/lib/morpho-blue/src/Morpho__factory.js");
        if !installed(&[&morpho, token::ARTIFACT]) {
            return None;
        }
        let mut evm = Evm::new();
        let morpho = Artifact::load(&morpho).deploy(&mut evm, args![ADMIN]);
        let adaptive = "lib/morpho-blue-irm/src/adaptive-curve-irm/AdaptiveCurveIrm";
        let factory = |name: &str| Artifact::load(&format!("{FACTORIES}/{name}__factory.js"));
        let irm = match config.irm {
            Irm::Adaptive => factory(adaptive).deploy(&mut evm, args![morpho]),
            Irm::Fixed => {
                let irm = user(201);
                evm.set_code(irm, FIXED_RATE);
                irm
            }
        };
        let oracle = factory("src/mocks/OracleMock").deploy(&mut evm, &[]);
        let mut market = Self {
            loan: Token::deploy(&mut evm, "LOAN", config.loan_decimals),
            collateral: Token::deploy(&mut evm, "COLL", config.collateral_decimals),
            evm,
            morpho,
            irm,
            oracle,
            lltv: config.lltv,
            id: U256::ZERO,
            fee_recipient: user(200),
        };
        market.id = keccak256(abi::encode(&[market.params()])).into();
        let exponent = 36 + u32::from(config.loan_decimals) - u32::from(config.collateral_decimals);
        market.set_price(U256::from(10).pow(U256::from(exponent)));
        market.open(config.fee);
        for n in 0..USERS {
            for token in [market.loan, market.collateral] {
                token.mint(&mut market.evm, user(n), FUNDS);
                token.approve(&mut market.evm, user(n), morpho);
            }
        }
        Some(market)
    }

    /// Creates the market and sets its fee.
    fn open(&mut self, fee: U256) {
        let (params, recipient) = (self.params(), self.fee_recipient);
        let create = format!("createMarket({PARAMS})");
        for data in [
            call("enableIrm(address)", args![self.irm]),
            call("enableLltv(uint256)", args![self.lltv]),
            call(&create, std::slice::from_ref(&params)),
            call("setFeeRecipient(address)", args![recipient]),
        ] {
            self.evm.administer(self.morpho, data);
        }
        // Morpho refuses to set the fee to what it is.
        if !fee.is_zero() {
            let data = call(&format!("setFee({PARAMS},uint256)"), &[params, fee.into()]);
            self.evm.administer(self.morpho, data);
        }
    }

    /// Supplies; returns assets and shares.
    ///
    /// # Errors
    /// Morpho's reason: `"inconsistent input"`, ...
    pub fn supply(&mut self, user: Address, amount: Amount) -> Result<(U256, U256), Revert> {
        self.lend("supply", user, amount, "".into())
    }

    /// Withdraws; returns assets and shares.
    ///
    /// # Errors
    /// Morpho's reason, such as `"insufficient liquidity"`; a panic beyond what the user has.
    pub fn withdraw(&mut self, user: Address, amount: Amount) -> Result<(U256, U256), Revert> {
        self.lend("withdraw", user, amount, user.into())
    }

    /// Borrows; returns assets and shares.
    ///
    /// # Errors
    /// Morpho's reason, such as `"insufficient collateral"`.
    pub fn borrow(&mut self, user: Address, amount: Amount) -> Result<(U256, U256), Revert> {
        self.lend("borrow", user, amount, user.into())
    }

    /// Repays; returns assets and shares.
    ///
    /// # Errors
    /// Morpho's reason; a panic beyond what the user owes.
    pub fn repay(&mut self, user: Address, amount: Amount) -> Result<(U256, U256), Revert> {
        self.lend("repay", user, amount, "".into())
    }

    /// Pledges base units of collateral. No interest is accrued.
    ///
    /// # Errors
    /// Morpho's reason.
    pub fn supply_collateral(&mut self, user: Address, amount: U256) -> Result<Output, Revert> {
        let arguments = [self.params(), amount.into(), user.into(), "".into()];
        let signature = format!("supplyCollateral({PARAMS},uint256,address,bytes)");
        self.send(user, &signature, &arguments)
    }

    /// Takes base units of collateral back.
    ///
    /// # Errors
    /// Morpho's reason, such as `"insufficient collateral"`.
    pub fn withdraw_collateral(&mut self, user: Address, amount: U256) -> Result<Output, Revert> {
        let arguments = [self.params(), amount.into(), user.into(), user.into()];
        let signature = format!("withdrawCollateral({PARAMS},uint256,address,address)");
        self.send(user, &signature, &arguments)
    }

    /// Liquidates by collateral seized or debt shares repaid; returns assets seized and repaid.
    ///
    /// # Errors
    /// Morpho's reason, such as `"position is healthy"`.
    pub fn liquidate(
        &mut self,
        by: Address,
        borrower: Address,
        amount: Amount,
    ) -> Result<(U256, U256), Revert> {
        let (seized, repaid) = amount.pair();
        let params = self.params();
        let arguments = [params, borrower.into(), seized, repaid, "".into()];
        let signature = format!("liquidate({PARAMS},address,uint256,uint256,bytes)");
        let output = self.send(by, &signature, &arguments)?;
        Ok((output.word(0), output.word(1)))
    }

    /// Accrues the interest.
    ///
    /// # Errors
    /// Morpho's reason.
    pub fn accrue_interest(&mut self) -> Result<Output, Revert> {
        let params = [self.params()];
        self.send(user(0), &format!("accrueInterest({PARAMS})"), &params)
    }

    /// Sets the fee, wad.
    ///
    /// # Errors
    /// Morpho's reason: `"already set"`, `"max fee exceeded"`.
    pub fn set_fee(&mut self, fee: U256) -> Result<Output, Revert> {
        let arguments = [self.params(), fee.into()];
        self.send(ADMIN, &format!("setFee({PARAMS},uint256)"), &arguments)
    }

    /// Sets the price: base units of loan per base unit of collateral, × 10^36.
    pub fn set_price(&mut self, price: U256) {
        let data = call("setPrice(uint256)", args![price]);
        self.evm.administer(self.oracle, data);
    }

    /// Returns the price as [`Self::set_price`] takes it.
    pub fn price(&mut self) -> U256 {
        self.evm.read(self.oracle, call("price()", &[]))
    }

    /// Sets the rate of [`Irm::Fixed`], wad per second.
    pub fn set_rate(&mut self, rate: U256) {
        self.evm.set_storage(self.irm, U256::ZERO, rate);
    }

    /// Returns the market as stored.
    pub fn state(&self) -> State {
        let slot = mapping_slot(self.id, U256::from(3));
        let at = |n: u8| self.evm.storage(self.morpho, slot + U256::from(n));
        let (supply, borrow, rest) = (at(0), at(1), at(2));
        State {
            total_supply_assets: low(supply),
            total_supply_shares: supply >> 128,
            total_borrow_assets: low(borrow),
            total_borrow_shares: borrow >> 128,
            last_update: low(rest).to(),
            fee: rest >> 128,
        }
    }

    /// Returns a user's position.
    pub fn position(&self, user: Address) -> Position {
        let slot = mapping_slot(self.id, U256::from(2));
        let slot = mapping_slot(from_address(user), slot);
        let borrowed = self.evm.storage(self.morpho, slot + U256::ONE);
        Position {
            supply_shares: self.evm.storage(self.morpho, slot),
            borrow_shares: low(borrowed),
            collateral: borrowed >> 128,
        }
    }

    /// Returns the rate at target of the adaptive model, wad per second.
    pub fn rate_at_target(&self) -> U256 {
        self.evm
            .storage(self.irm, mapping_slot(self.id, U256::ZERO))
    }

    /// Asks the model for the borrow rate at the block's time, wad per second.
    ///
    /// # Errors
    /// The model's reason.
    pub fn borrow_rate(&mut self) -> Result<U256, Revert> {
        let state = self.state();
        self.borrow_rate_of(&state)
    }

    /// Asks the model for the rate of any market, wad per second; the rate at target is this one's.
    ///
    /// # Errors
    /// The model's reason.
    pub fn borrow_rate_of(&mut self, state: &State) -> Result<U256, Revert> {
        let market = tuple(args![
            state.total_supply_assets,
            state.total_supply_shares,
            state.total_borrow_assets,
            state.total_borrow_shares,
            state.last_update,
            state.fee,
        ]);
        let words = "(uint128,uint128,uint128,uint128,uint128,uint128)";
        let signature = format!("borrowRateView({PARAMS},{words})");
        let data = call(&signature, &[self.params(), market]);
        Ok(self.evm.view(self.irm, data)?.word(0))
    }

    fn params(&self) -> Argument {
        let (loan, collateral) = (self.loan.address, self.collateral.address);
        tuple(args![loan, collateral, self.oracle, self.irm, self.lltv])
    }

    /// The call with which `user` withdraws, to be made within a flash loan.
    pub fn withdraw_call(&self, user: Address, amount: Amount) -> Vec<u8> {
        let (assets, shares) = amount.pair();
        let arguments = [self.params(), assets, shares, user.into(), user.into()];
        let signature = format!("withdraw({PARAMS},uint256,uint256,address,address)");
        call(&signature, &arguments)
    }

    /// The four operations on the loan token; the last argument is a receiver or a callback's data.
    fn lend(
        &mut self,
        name: &str,
        user: Address,
        amount: Amount,
        last: Argument,
    ) -> Result<(U256, U256), Revert> {
        let kind = match last {
            Argument::Bytes(_) => "bytes",
            _ => "address",
        };
        let (assets, shares) = amount.pair();
        let arguments = [self.params(), assets, shares, user.into(), last];
        let signature = format!("{name}({PARAMS},uint256,uint256,address,{kind})");
        let output = self.send(user, &signature, &arguments)?;
        Ok((output.word(0), output.word(1)))
    }

    fn send(
        &mut self,
        user: Address,
        signature: &str,
        arguments: &[Argument],
    ) -> Result<Output, Revert> {
        self.evm.send(user, self.morpho, call(signature, arguments))
    }
}

impl Amount {
    /// The two arguments, one of them 0.
    fn pair(self) -> (Argument, Argument) {
        match self {
            Self::Assets(assets) => (assets.into(), U256::ZERO.into()),
            Self::Shares(shares) => (U256::ZERO.into(), shares.into()),
        }
    }
}

fn low(word: U256) -> U256 {
    word & U256::from(u128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn market(irm: Irm) -> Option<Market> {
        Market::new(Config {
            loan_decimals: 6,
            collateral_decimals: 18,
            lltv: U256::from(860_000_000_000_000_000_u64),
            fee: U256::from(100_000_000_000_000_000_u64),
            irm,
        })
    }

    fn whole(n: u64, decimals: u8) -> U256 {
        U256::from(n) * U256::from(10).pow(U256::from(decimals))
    }

    #[test]
    fn a_market_lends_accrues_and_liquidates() {
        let Some(mut market) = market(Irm::Adaptive) else {
            return;
        };
        let (lender, borrower) = (user(0), user(1));
        let price = market.price() * U256::from(3_000);
        market.set_price(price);
        let amount = Amount::Assets(whole(100_000, 6));
        let (assets, shares) = market.supply(lender, amount).unwrap();
        assert_eq!((assets, shares), (whole(100_000, 6), whole(100_000, 12)));
        market.supply_collateral(borrower, whole(10, 18)).unwrap();
        market
            .borrow(borrower, Amount::Assets(whole(20_000, 6)))
            .unwrap();
        let refused = market
            .borrow(borrower, Amount::Assets(whole(9_000, 6)))
            .unwrap_err();
        assert_eq!(refused.text(), "insufficient collateral");

        market.evm.advance(365 * 86_400);
        let rate = market.borrow_rate().unwrap();
        assert!(rate > U256::ZERO);
        market.accrue_interest().unwrap();
        assert!(market.state().total_borrow_assets > whole(20_000, 6));
        assert!(market.position(market.fee_recipient).supply_shares > U256::ZERO);
        let half = Amount::Assets(whole(5, 18));
        let refused = market.liquidate(user(2), borrower, half).unwrap_err();
        assert_eq!(refused.text(), "position is healthy");
        market.set_price(price * U256::from(3) / U256::from(4));
        market.liquidate(user(2), borrower, half).unwrap();
        let owed = market.position(borrower).borrow_shares;
        market.repay(borrower, Amount::Shares(owed)).unwrap();
        assert_eq!(market.position(borrower).borrow_shares, U256::ZERO);
        market.withdraw_collateral(borrower, whole(5, 18)).unwrap();
        let all = market.position(lender).supply_shares;
        market.withdraw(lender, Amount::Shares(all)).unwrap();
        let refused = market
            .withdraw(lender, Amount::Shares(U256::ONE))
            .unwrap_err();
        assert_eq!(refused, Revert::Panic(0x11));
    }

    #[test]
    fn storage_holds_what_the_views_say() {
        for irm in [Irm::Adaptive, Irm::Fixed] {
            let Some(mut market) = market(irm) else {
                return;
            };
            let borrower = user(1);
            market
                .supply(user(0), Amount::Assets(whole(1_000, 6)))
                .unwrap();
            market
                .supply_collateral(borrower, whole(1_000, 18))
                .unwrap();
            market
                .borrow(borrower, Amount::Assets(whole(800, 6)))
                .unwrap();
            market.evm.advance(1_000_000);
            market
                .supply(borrower, Amount::Assets(whole(7, 6)))
                .unwrap();
            let (state, position) = (market.state(), market.position(borrower));
            let id = market.id;
            let data = call("market(bytes32)", args![id]);
            let view = market.evm.view(market.morpho, data).unwrap();
            let words = [
                state.total_supply_assets,
                state.total_supply_shares,
                state.total_borrow_assets,
                state.total_borrow_shares,
                U256::from(state.last_update),
                state.fee,
            ];
            for (n, word) in words.into_iter().enumerate() {
                assert!(word == view.word(n) && !word.is_zero(), "word {n}");
            }
            let data = call("position(bytes32,address)", args![id, borrower]);
            let view = market.evm.view(market.morpho, data).unwrap();
            assert_eq!(position.supply_shares, view.word(0));
            assert_eq!(position.borrow_shares, view.word(1));
            assert_eq!(position.collateral, view.word(2));
            if irm == Irm::Adaptive {
                let data = call("rateAtTarget(bytes32)", args![id]);
                assert_eq!(market.rate_at_target(), market.evm.read(market.irm, data));
            }
        }
    }
}
