//! Aave V3: a whole market of `@aave/core-v3` 1.19.3 ("3.0"), or of revision 5 ("3.2").
//!
//! The market has the real pool, configurator, tokens, rate strategies and oracle behind their
//! proxies; only the price feeds are the package's mocks, whose price is written into their storage.
//! Reserves are named by their index. State is read from the storage, [`Market::account`] asks the
//! pool.

mod deploy;

use crate::abi::{Token as Argument, call, from_address, mapping_slot, tuple};
use crate::args;
use crate::callback::calling_back;
use crate::token::Token;
use crate::{Address, Evm, Output, Revert, U256, user};

pub use deploy::{EMode, ReserveConfig, Version};

/// How many users are funded and have approved the pool: [`user`]`(0)` to `user(USERS - 1)`.
pub const USERS: u8 = 6;

/// Base units of each token that each user begins with: 2^110, about 1.3·10^33.
pub const FUNDS: U256 = U256::from_limbs([0, 1 << 46, 0, 0]);

/// Variable, the only rate mode that is left.
const VARIABLE: u8 = 2;

/// A market.
#[derive(Debug)]
pub struct Market {
    /// The chain; its time is the caller's to move.
    pub evm: Evm,
    /// Which version.
    pub version: Version,
    /// The `PoolAddressesProvider`.
    pub provider: Address,
    /// The pool's proxy.
    pub pool: Address,
    /// The configurator's proxy.
    pub configurator: Address,
    /// The `AaveOracle`.
    pub oracle: Address,
    /// The `AaveProtocolDataProvider`.
    pub data_provider: Address,
    /// Where the aTokens of the treasury go.
    pub treasury: Address,
    /// The reserves, in the order of their identifiers.
    pub reserves: Vec<Reserve>,
}

/// Where a reserve's contracts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// The asset.
    pub token: Token,
    /// Its aToken.
    pub a_token: Address,
    /// Its variable debt token.
    pub variable_debt: Address,
    /// Its rate strategy; one for all reserves in 3.2.
    pub strategy: Address,
    /// Its price feed.
    pub feed: Address,
}

/// A reserve as stored: nothing is accrued beyond `last_update`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReserveState {
    /// The packed `ReserveConfigurationMap`.
    pub configuration: U256,
    /// Ray.
    pub liquidity_index: U256,
    /// Ray per year.
    pub liquidity_rate: U256,
    /// Ray.
    pub variable_borrow_index: U256,
    /// Ray per year.
    pub variable_borrow_rate: U256,
    /// Unix seconds.
    pub last_update: u64,
    /// Scaled aTokens owed to the treasury.
    pub accrued_to_treasury: U256,
    /// Base units minted by bridges.
    pub unbacked: U256,
    /// Isolated debt, 2 decimals.
    pub isolation_mode_total_debt: U256,
    /// Base units that 3.2 counts itself; 0 in 3.0.
    pub virtual_underlying: U256,
    /// Scaled supply of the aToken.
    pub scaled_supply: U256,
    /// Scaled supply of the variable debt token.
    pub scaled_variable_debt: U256,
    /// Base units of the asset that the aToken holds.
    pub cash: U256,
}

/// A user in one reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserReserve {
    /// Scaled aTokens.
    pub scaled_supply: U256,
    /// Scaled variable debt.
    pub scaled_variable_debt: U256,
    /// Whether what is supplied serves as collateral.
    pub is_collateral: bool,
    /// Whether the user's bitmap says that there is debt.
    pub is_borrowing: bool,
}

/// `getUserAccountData`: values in the base currency, 8 decimals, accrued to the block's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Value of the collateral.
    pub total_collateral_base: U256,
    /// Value of the debt.
    pub total_debt_base: U256,
    /// What may still be borrowed.
    pub available_borrows_base: U256,
    /// Mean, in basis points.
    pub current_liquidation_threshold: U256,
    /// Mean, in basis points.
    pub ltv: U256,
    /// Wad; 2^256 − 1 without debt.
    pub health_factor: U256,
}

/// What is seized from whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liquidation {
    /// The reserve whose collateral the liquidator takes.
    pub collateral: usize,
    /// The reserve whose debt it repays.
    pub debt: usize,
    /// Whose.
    pub user: Address,
    /// Base units of debt, at most; 2^256 − 1 for all that may be.
    pub debt_to_cover: U256,
    /// Whether it takes aTokens instead of the asset.
    pub receive_a_token: bool,
}

impl Market {
    /// Supplies base units of a reserve's asset.
    ///
    /// # Errors
    /// The pool's code, such as `"51"` for a full supply cap.
    pub fn supply(
        &mut self,
        user: Address,
        reserve: usize,
        amount: U256,
    ) -> Result<Output, Revert> {
        let asset = self.asset(reserve);
        let signature = "supply(address,uint256,address,uint16)";
        self.send(user, signature, args![asset, amount, user, 0_u8])
    }

    /// Withdraws base units, 2^256 − 1 for all; returns how many.
    ///
    /// # Errors
    /// The pool's code, such as `"35"` for a health factor below 1.
    pub fn withdraw(
        &mut self,
        user: Address,
        reserve: usize,
        amount: U256,
    ) -> Result<U256, Revert> {
        let asset = self.asset(reserve);
        let signature = "withdraw(address,uint256,address)";
        let output = self.send(user, signature, args![asset, amount, user])?;
        Ok(output.word(0))
    }

    /// Borrows base units at the variable rate.
    ///
    /// # Errors
    /// The pool's code, such as `"36"` when the collateral does not cover it.
    pub fn borrow(
        &mut self,
        user: Address,
        reserve: usize,
        amount: U256,
    ) -> Result<Output, Revert> {
        let asset = self.asset(reserve);
        let signature = "borrow(address,uint256,uint256,uint16,address)";
        self.send(user, signature, args![asset, amount, VARIABLE, 0_u8, user])
    }

    /// Repays base units of a user's own debt, 2^256 − 1 for all; returns how many.
    ///
    /// # Errors
    /// The pool's code, such as `"39"` when there is no debt.
    pub fn repay(&mut self, user: Address, reserve: usize, amount: U256) -> Result<U256, Revert> {
        let asset = self.asset(reserve);
        let signature = "repay(address,uint256,uint256,address)";
        let output = self.send(user, signature, args![asset, amount, VARIABLE, user])?;
        Ok(output.word(0))
    }

    /// Repays with the user's aTokens of the same asset; returns how many base units.
    ///
    /// # Errors
    /// The pool's code.
    pub fn repay_with_a_tokens(
        &mut self,
        user: Address,
        reserve: usize,
        amount: U256,
    ) -> Result<U256, Revert> {
        let asset = self.asset(reserve);
        let signature = "repayWithATokens(address,uint256,uint256)";
        let output = self.send(user, signature, args![asset, amount, VARIABLE])?;
        Ok(output.word(0))
    }

    /// Liquidates.
    ///
    /// # Errors
    /// The pool's code, such as `"45"` when the health factor is not below 1.
    pub fn liquidate(&mut self, by: Address, what: Liquidation) -> Result<Output, Revert> {
        let (collateral, debt) = (self.asset(what.collateral), self.asset(what.debt));
        let signature = "liquidationCall(address,address,address,uint256,bool)";
        let (amount, a_token) = (what.debt_to_cover, what.receive_a_token);
        self.send(
            by,
            signature,
            args![collateral, debt, what.user, amount, a_token],
        )
    }

    /// Enters an eMode, or leaves it with 0.
    ///
    /// # Errors
    /// The pool's code.
    pub fn set_e_mode(&mut self, user: Address, category: u8) -> Result<Output, Revert> {
        self.send(user, "setUserEMode(uint8)", args![category])
    }

    /// Says whether what a user has supplied serves as collateral.
    ///
    /// # Errors
    /// The pool's code.
    pub fn set_collateral(
        &mut self,
        user: Address,
        reserve: usize,
        is_collateral: bool,
    ) -> Result<Output, Revert> {
        let asset = self.asset(reserve);
        let signature = "setUserUseReserveAsCollateral(address,bool)";
        self.send(user, signature, args![asset, is_collateral])
    }

    /// Moves aTokens, in base units of the asset.
    ///
    /// # Errors
    /// The pool's code.
    pub fn transfer_a_token(
        &mut self,
        reserve: usize,
        from: Address,
        to: Address,
        amount: U256,
    ) -> Result<Output, Revert> {
        let a_token = self.reserves[reserve].a_token;
        let data = call("transfer(address,uint256)", args![to, amount]);
        self.evm.send(from, a_token, data)
    }

    /// Mints what the treasury is owed.
    pub fn mint_to_treasury(&mut self, reserve: usize) {
        let assets = vec![self.asset(reserve).into()];
        let data = call("mintToTreasury(address[])", &[Argument::Array(assets)]);
        self.evm.administer(self.pool, data);
    }

    /// Borrows base units for the length of a transaction, through the package's receiver, which
    /// mints the premium itself.
    ///
    /// # Errors
    /// The pool's code.
    pub fn flash_loan(&mut self, reserve: usize, amount: U256) -> Result<Output, Revert> {
        let receiver = deploy::flash_receiver(self);
        let asset = self.asset(reserve);
        let signature = "flashLoanSimple(address,address,uint256,bytes,uint16)";
        self.send(user(0), signature, args![receiver, asset, amount, "", 0_u8])
    }

    /// Borrows base units for the length of a transaction in which `user` calls the pool with `inner`; the
    /// user pays loan and premium back.
    ///
    /// # Errors
    /// The code of the pool, of the loan or of what runs inside.
    pub fn flash_loan_around(
        &mut self,
        user: Address,
        reserve: usize,
        amount: U256,
        inner: Vec<u8>,
    ) -> Result<Output, Revert> {
        // `executeOperation(address,uint256,uint256,address,bytes)`: five words before the bytes.
        self.evm.set_code(user, calling_back(4 + 5 * 32));
        let asset = self.asset(reserve);
        let signature = "flashLoanSimple(address,address,uint256,bytes,uint16)";
        self.send(user, signature, args![user, asset, amount, inner, 0_u8])
    }

    /// The call with which `user` borrows, for [`Market::flash_loan_around`].
    pub fn borrow_call(&self, user: Address, reserve: usize, amount: U256) -> Vec<u8> {
        let asset = self.asset(reserve);
        let signature = "borrow(address,uint256,uint256,uint16,address)";
        call(signature, args![asset, amount, VARIABLE, 0_u8, user])
    }

    /// The call with which `user` withdraws, for [`Market::flash_loan_around`].
    pub fn withdraw_call(&self, user: Address, reserve: usize, amount: U256) -> Vec<u8> {
        let asset = self.asset(reserve);
        call(
            "withdraw(address,uint256,address)",
            args![asset, amount, user],
        )
    }

    /// Sets a reserve's price, in the base currency with 8 decimals.
    pub fn set_price(&mut self, reserve: usize, price: U256) {
        let feed = self.reserves[reserve].feed;
        // `_latestAnswer` is the feed's only state variable.
        self.evm.set_storage(feed, U256::ZERO, price);
    }

    /// Returns a reserve's price, in the base currency with 8 decimals.
    pub fn price(&self, reserve: usize) -> U256 {
        self.evm.storage(self.reserves[reserve].feed, U256::ZERO)
    }

    /// Has the configurator do something, as administrator: `("setReserveFreeze(address,bool)", ..)`.
    ///
    /// # Errors
    /// Its reason.
    pub fn configure(&mut self, signature: &str, tokens: &[Argument]) -> Result<Output, Revert> {
        self.evm
            .send(crate::ADMIN, self.configurator, call(signature, tokens))
    }

    /// Returns the asset of a reserve.
    pub fn asset(&self, reserve: usize) -> Address {
        self.reserves[reserve].token.address
    }

    /// Returns a reserve as stored.
    pub fn reserve(&self, reserve: usize) -> ReserveState {
        let tokens = &self.reserves[reserve];
        let slot = mapping_slot(
            from_address(tokens.token.address),
            U256::from(slots::RESERVES),
        );
        let at = |n: u8| self.evm.storage(self.pool, slot + U256::from(n));
        let (liquidity, borrow, times, owed, limits) = (at(1), at(2), at(3), at(8), at(9));
        let supply = |token, at: u8| self.evm.storage(token, U256::from(at));
        ReserveState {
            configuration: at(0),
            liquidity_index: low(liquidity),
            liquidity_rate: high(liquidity),
            variable_borrow_index: low(borrow),
            variable_borrow_rate: high(borrow),
            last_update: (high(times) & U256::from((1_u64 << 40) - 1)).to(),
            accrued_to_treasury: low(owed),
            unbacked: high(owed),
            isolation_mode_total_debt: low(limits),
            virtual_underlying: high(limits),
            scaled_supply: supply(tokens.a_token, slots::A_TOKEN_USERS + 2),
            scaled_variable_debt: supply(tokens.variable_debt, slots::DEBT_TOKEN_USERS + 2),
            cash: tokens.token.balance(&self.evm, tokens.a_token),
        }
    }

    /// Returns what a user has in a reserve, as stored.
    pub fn user_reserve(&self, user: Address, reserve: usize) -> UserReserve {
        let tokens = &self.reserves[reserve];
        let key = from_address(user);
        let scaled = |token, users: u8| {
            let slot = mapping_slot(key, U256::from(users));
            low(self.evm.storage(token, slot))
        };
        let slot = mapping_slot(key, U256::from(slots::USERS_CONFIG));
        let flags = self.evm.storage(self.pool, slot);
        UserReserve {
            scaled_supply: scaled(tokens.a_token, slots::A_TOKEN_USERS),
            scaled_variable_debt: scaled(tokens.variable_debt, slots::DEBT_TOKEN_USERS),
            is_collateral: flags.bit(2 * reserve + 1),
            is_borrowing: flags.bit(2 * reserve),
        }
    }

    /// Returns a user's eMode, 0 for none.
    pub fn e_mode(&self, user: Address) -> u8 {
        let slot = mapping_slot(from_address(user), U256::from(slots::USERS_E_MODE));
        self.evm.storage(self.pool, slot).to()
    }

    /// Asks the pool for a user's values.
    ///
    /// # Errors
    /// The pool's reason: a price of 0 panics (division), an overflow too.
    pub fn account(&mut self, user: Address) -> Result<Account, Revert> {
        let data = call("getUserAccountData(address)", args![user]);
        let output = self.evm.view(self.pool, data)?;
        Ok(Account {
            total_collateral_base: output.word(0),
            total_debt_base: output.word(1),
            available_borrows_base: output.word(2),
            current_liquidation_threshold: output.word(3),
            ltv: output.word(4),
            health_factor: output.word(5),
        })
    }

    /// Asks the pool for the liquidity index at the block's time (ray).
    pub fn normalized_income(&mut self, reserve: usize) -> U256 {
        let asset = self.asset(reserve);
        let data = call("getReserveNormalizedIncome(address)", args![asset]);
        self.evm.read(self.pool, data)
    }

    /// Asks the pool for the variable borrow index at the block's time (ray).
    pub fn normalized_debt(&mut self, reserve: usize) -> U256 {
        let asset = self.asset(reserve);
        let data = call("getReserveNormalizedVariableDebt(address)", args![asset]);
        self.evm.read(self.pool, data)
    }

    /// Asks a reserve's rate strategy for the liquidity rate and the variable borrow rate (ray per
    /// year) at any debt and cash, in base units, and any reserve factor, in basis points.
    ///
    /// # Errors
    /// The strategy's reason, as when debt and cash overflow together.
    pub fn rates(
        &mut self,
        reserve: usize,
        debt: U256,
        cash: U256,
        reserve_factor: u16,
    ) -> Result<(U256, U256), Revert> {
        let Reserve {
            token, strategy, ..
        } = self.reserves[reserve];
        let asset = token.address;
        let (signature, fields) = match self.version {
            Version::V30 => {
                // It reads the cash itself: what the last address, here nobody's, has.
                let holder = user(202);
                let slot = mapping_slot(from_address(holder), U256::ZERO);
                self.evm.set_storage(asset, slot, cash);
                (
                    "(uint256,uint256,uint256,uint256,uint256,uint256,uint256,address,address)",
                    tuple(args![
                        0_u8,
                        0_u8,
                        0_u8,
                        0_u8,
                        debt,
                        0_u8,
                        reserve_factor,
                        asset,
                        holder
                    ]),
                )
            }
            Version::V32 => (
                "(uint256,uint256,uint256,uint256,uint256,address,bool,uint256)",
                tuple(args![
                    0_u8,
                    0_u8,
                    0_u8,
                    debt,
                    reserve_factor,
                    asset,
                    true,
                    cash
                ]),
            ),
        };
        let data = call(&format!("calculateInterestRates({signature})"), &[fields]);
        let output = self.evm.view(strategy, data)?;
        // 3.0 answers with the stable rate in between.
        let variable = match self.version {
            Version::V30 => 2,
            Version::V32 => 1,
        };
        Ok((output.word(0), output.word(variable)))
    }

    /// Asks the aToken for a user's balance at the block's time, in base units.
    pub fn supplied(&mut self, user: Address, reserve: usize) -> U256 {
        let token = self.reserves[reserve].a_token;
        self.evm
            .read(token, call("balanceOf(address)", args![user]))
    }

    /// Asks the variable debt token for a user's debt at the block's time, in base units.
    pub fn borrowed(&mut self, user: Address, reserve: usize) -> U256 {
        let token = self.reserves[reserve].variable_debt;
        self.evm
            .read(token, call("balanceOf(address)", args![user]))
    }

    fn send(
        &mut self,
        user: Address,
        signature: &str,
        arguments: &[Argument],
    ) -> Result<Output, Revert> {
        self.evm.send(user, self.pool, call(signature, arguments))
    }
}

/// Where the contracts keep their state, the same in both versions; a test holds it against the views.
mod slots {
    /// Of the pool: `_reserves`, after the 52 slots of `VersionedInitializable`.
    pub(super) const RESERVES: u8 = 52;
    /// Of the pool: `_usersConfig`.
    pub(super) const USERS_CONFIG: u8 = 53;
    /// Of the pool: `_usersEModeCategory`.
    pub(super) const USERS_E_MODE: u8 = 56;
    /// Of the aToken: `_userState`; `_totalSupply` comes two slots later.
    pub(super) const A_TOKEN_USERS: u8 = 52;
    /// Of the debt token, the same.
    pub(super) const DEBT_TOKEN_USERS: u8 = 56;
}

fn low(word: U256) -> U256 {
    word & U256::from(u128::MAX)
}

fn high(word: U256) -> U256 {
    word >> 128
}

#[cfg(test)]
mod tests {
    use super::*;

    const USDC: usize = 0;
    const WETH: usize = 1;

    fn market(version: Version) -> Option<Market> {
        let weth = ReserveConfig {
            symbol: "WETH",
            decimals: 18,
            price: 300_000_000_000,
            ltv: 8_050,
            liquidation_threshold: 8_300,
            liquidation_bonus: 10_500,
            optimal_usage: 8_000,
            base_rate: 25,
            slope1: 380,
            slope2: 8_000,
            ..ReserveConfig::default()
        };
        let e_mode = EMode {
            category: 1,
            ltv: 9_000,
            liquidation_threshold: 9_300,
            liquidation_bonus: 10_200,
            reserves: vec![WETH],
        };
        Market::new(version, &[ReserveConfig::default(), weth], &[e_mode])
    }

    fn whole(n: u64, decimals: u8) -> U256 {
        U256::from(n) * U256::from(10).pow(U256::from(decimals))
    }

    fn lends_and_liquidates(version: Version) {
        let Some(mut market) = market(version) else {
            return;
        };
        let (lender, borrower) = (user(0), user(1));
        market.supply(lender, USDC, whole(100_000, 6)).unwrap();
        market.supply(borrower, WETH, whole(10, 18)).unwrap();
        market.borrow(borrower, USDC, whole(20_000, 6)).unwrap();
        let refused = market.borrow(borrower, USDC, whole(10_000, 6)).unwrap_err();
        assert_eq!(refused.text(), "36");

        market.evm.advance(365 * 86_400);
        let owed = market.borrowed(borrower, USDC);
        assert!(owed > whole(20_000, 6), "{owed}");
        let repaid = market.repay(borrower, USDC, whole(100, 6)).unwrap();
        assert_eq!(repaid, whole(100, 6));
        let what = Liquidation {
            collateral: WETH,
            debt: USDC,
            user: borrower,
            debt_to_cover: U256::MAX,
            receive_a_token: false,
        };
        assert_eq!(market.liquidate(user(2), what).unwrap_err().text(), "45");
        market.set_price(WETH, U256::from(240_000_000_000_u64));
        assert!(market.account(borrower).unwrap().health_factor < whole(1, 18));
        market.liquidate(user(2), what).unwrap();
        market.flash_loan(USDC, whole(5_000, 6)).unwrap();
        market.mint_to_treasury(USDC);
        market.withdraw(lender, USDC, whole(50_000, 6)).unwrap();
    }

    #[test]
    fn version_30_lends_and_liquidates() {
        lends_and_liquidates(Version::V30);
    }

    #[test]
    fn version_32_lends_and_liquidates() {
        lends_and_liquidates(Version::V32);
    }

    fn storage_equals_views(version: Version) {
        let Some(mut market) = market(version) else {
            return;
        };
        let (lender, borrower) = (user(0), user(1));
        market.supply(lender, USDC, whole(100_000, 6)).unwrap();
        market.supply(borrower, WETH, whole(10, 18)).unwrap();
        market.set_e_mode(borrower, 1).unwrap();
        market.set_e_mode(borrower, 0).unwrap();
        market.borrow(borrower, USDC, whole(20_000, 6)).unwrap();
        market.set_e_mode(lender, 1).unwrap();
        market.evm.advance(86_400);
        market.supply(lender, USDC, whole(1, 6)).unwrap();
        let (asset, state) = (market.asset(USDC), market.reserve(USDC));
        let data = call("getReserveData(address)", args![asset]);
        let view = market.evm.view(market.pool, data).unwrap();
        let words = [
            state.configuration,
            state.liquidity_index,
            state.liquidity_rate,
            state.variable_borrow_index,
            state.variable_borrow_rate,
            view.word(5), // the stable rate, which nobody pays
            U256::from(state.last_update),
        ];
        for (n, word) in words.into_iter().enumerate() {
            assert_eq!(word, view.word(n), "word {n}");
        }
        assert_eq!(state.accrued_to_treasury, view.word(12));
        assert!(state.accrued_to_treasury > U256::ZERO);
        let tokens = market.reserves[USDC];
        for (token, supply, balance, whose) in [
            (
                tokens.a_token,
                state.scaled_supply,
                market.user_reserve(lender, USDC).scaled_supply,
                lender,
            ),
            (
                tokens.variable_debt,
                state.scaled_variable_debt,
                market.user_reserve(borrower, USDC).scaled_variable_debt,
                borrower,
            ),
        ] {
            let data = call("getScaledUserBalanceAndSupply(address)", args![whose]);
            let view = market.evm.view(token, data).unwrap();
            assert_eq!((balance, supply), (view.word(0), view.word(1)));
            assert!(balance > U256::ZERO);
        }
        if version == Version::V32 {
            assert_eq!(state.virtual_underlying, state.cash);
        }
        let index = state.variable_borrow_index;
        let debt = market.borrowed(borrower, USDC);
        assert_eq!(market.normalized_debt(USDC), index);
        let rates = market.rates(USDC, debt, state.cash, 1_000).unwrap();
        assert_eq!(rates, (state.liquidity_rate, state.variable_borrow_rate));
        assert_eq!(state.cash, whole(80_001, 6));
        assert!(market.user_reserve(lender, USDC).is_collateral);
        assert!(market.user_reserve(borrower, USDC).is_borrowing);
        assert_eq!((market.e_mode(lender), market.e_mode(borrower)), (1, 0));
    }

    #[test]
    fn version_30_stores_what_its_views_say() {
        storage_equals_views(Version::V30);
    }

    #[test]
    fn version_32_stores_what_its_views_say() {
        storage_equals_views(Version::V32);
    }
}
