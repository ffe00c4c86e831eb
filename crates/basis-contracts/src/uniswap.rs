//! Uniswap V3 as deployed: factory and pools of `@uniswap/v3-core` 1.0.1.
//!
//! The pools are used directly, without the periphery's routers: a user is an account that carries
//! [`payer_code`], so that a pool can call back whoever called it and be paid at once. Positions
//! belong to the users themselves. State is read from the storage, which costs nothing.

use super::artifact::{Artifact, installed};
use super::token::{self, Token};
use super::{Address, Evm, I256, Output, Revert, U256, keccak256, user};
use crate::abi::{Token as Argument, call, from_address, mapping_slot};
use crate::args;

const FACTORY: &str =
    "node_modules/@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json";

/// How many users are funded: [`user`]`(0)` to `user(USERS - 1)`.
pub const USERS: u8 = 4;

/// Base units of either token that each user begins with.
pub const FUNDS: U256 = U256::from_limbs([0, 0, 0, 1]);

/// A factory with two tokens, `token0` < `token1` as pools order them.
#[derive(Debug)]
pub struct Market {
    /// The chain; its time is the caller's to move.
    pub evm: Evm,
    /// The factory; [`super::ADMIN`] owns it.
    pub factory: Address,
    /// The token with the lower address.
    pub token0: Token,
    /// The token with the higher address.
    pub token1: Token,
}

/// A pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Where it is.
    pub address: Address,
    /// Its fee, in hundredths of a basis point.
    pub fee: u32,
    /// Ticks that may be initialized are multiples of it.
    pub tick_spacing: i32,
}

/// `slot0`, without the flag of the reentrancy lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot0 {
    /// √(token1 / token0), Q64.96.
    pub sqrt_price_x96: U256,
    /// The tick of the price.
    pub tick: i32,
    /// Where the newest observation is.
    pub observation_index: u16,
    /// How many observations are kept.
    pub observation_cardinality: u16,
    /// How many will be.
    pub observation_cardinality_next: u16,
    /// The protocol's share of the fee: 1/n, low nibble of token 0, high nibble of token 1.
    pub fee_protocol: u8,
}

/// What a swap depends on and changes, beside the ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Price, tick and protocol fee.
    pub slot0: Slot0,
    /// Liquidity in range.
    pub liquidity: u128,
    /// Fees per unit of liquidity since ever, Q128.128, wrapping.
    pub fee_growth_global0_x128: U256,
    /// Fees per unit of liquidity since ever, Q128.128, wrapping.
    pub fee_growth_global1_x128: U256,
    /// Fees owed to the protocol, in base units.
    pub protocol_fees0: u128,
    /// Fees owed to the protocol, in base units.
    pub protocol_fees1: u128,
}

/// A tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// Liquidity that refers to it.
    pub liquidity_gross: u128,
    /// Liquidity added when the price passes upwards.
    pub liquidity_net: i128,
    /// Fee growth on the other side of it, Q128.128, wrapping.
    pub fee_growth_outside0_x128: U256,
    /// Fee growth on the other side of it, Q128.128, wrapping.
    pub fee_growth_outside1_x128: U256,
    /// Whether it is in the bitmap.
    pub initialized: bool,
}

/// A position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Its liquidity.
    pub liquidity: u128,
    /// Fee growth inside its range at its last change, Q128.128, wrapping.
    pub fee_growth_inside0_last_x128: U256,
    /// Fee growth inside its range at its last change, Q128.128, wrapping.
    pub fee_growth_inside1_last_x128: U256,
    /// What it may collect, in base units.
    pub tokens_owed0: u128,
    /// What it may collect, in base units.
    pub tokens_owed1: u128,
}

/// Runtime code of a user: pays whoever calls, which is a pool, the amounts that it asks for.
///
/// Both callbacks, `uniswapV3MintCallback(uint256,uint256,bytes)` and
/// `uniswapV3SwapCallback(int256,int256,bytes)`, have the two amounts as their first words; the
/// users send the two tokens' addresses as the bytes. In Solidity:
///
/// ```text
/// if (amount0 > 0) token0.transfer(msg.sender, amount0);
/// if (amount1 > 0) token1.transfer(msg.sender, amount1);
/// ```
pub fn payer_code() -> Vec<u8> {
    let mut code = Vec::new();
    for (amount, token) in [(0x04, 0x84), (0x24, 0xa4)] {
        code.extend([0x60, amount, 0x35]); // PUSH1 amount CALLDATALOAD
        code.extend([0x80, 0x60, 0x00, 0x12, 0x15]); // DUP1 PUSH1 0 SLT ISZERO: amount <= 0
        let target = code.len() + 1;
        code.extend([0x60, 0x00, 0x57]); // PUSH1 (end) JUMPI
        code.extend([0x63, 0xa9, 0x05, 0x9c, 0xbb]); // PUSH4 selector of transfer(address,uint256)
        code.extend([0x60, 0xe0, 0x1b, 0x60, 0x00, 0x52]); // PUSH1 224 SHL PUSH1 0 MSTORE
        code.extend([0x33, 0x60, 0x04, 0x52]); // CALLER PUSH1 4 MSTORE
        code.extend([0x80, 0x60, 0x24, 0x52]); // DUP1 PUSH1 36 MSTORE
        code.extend([0x60, 0x00, 0x60, 0x00, 0x60, 0x44]); // nothing returned, 68 bytes in
        code.extend([0x60, 0x00, 0x60, 0x00]); // from 0, no value
        code.extend([0x60, token, 0x35]); // PUSH1 token CALLDATALOAD
        code.extend([0x5a, 0xf1, 0x50]); // GAS CALL POP
        code[target] = u8::try_from(code.len()).unwrap();
        code.extend([0x5b, 0x50]); // JUMPDEST POP
    }
    code.push(0x00); // STOP
    code
}

impl Market {
    /// Deploys factory and tokens and funds the users. None when the packages are not installed.
    ///
    /// The fees 500, 3000 and 10000 are enabled, and 100 as on the main network.
    pub fn new(decimals0: u8, decimals1: u8) -> Option<Self> {
        if !installed(&[FACTORY, token::ARTIFACT]) {
            return None;
        }
        let mut evm = Evm::new();
        let factory = Artifact::load(FACTORY).deploy(&mut evm, &[]);
        let (token0, token1) = token::deploy_pair(&mut evm, decimals0, decimals1);
        let payer = payer_code();
        for n in 0..USERS {
            evm.set_code(user(n), payer.clone());
            token0.mint(&mut evm, user(n), FUNDS);
            token1.mint(&mut evm, user(n), FUNDS);
        }
        let mut market = Self {
            evm,
            factory,
            token0,
            token1,
        };
        market.enable_fee(100, 1);
        Some(market)
    }

    /// Enables pools of another fee, in hundredths of a basis point, below 1,000,000.
    pub fn enable_fee(&mut self, fee: u32, tick_spacing: i32) {
        let data = call("enableFeeAmount(uint24,int24)", args![fee, tick_spacing]);
        self.evm.administer(self.factory, data);
    }

    /// Creates and initializes a pool.
    ///
    /// # Panics
    /// When the pool exists, the fee is not enabled or the price is out of bounds.
    pub fn create_pool(&mut self, fee: u32, sqrt_price_x96: U256) -> Pool {
        let (token0, token1) = (self.token0.address, self.token1.address);
        let data = call(
            "createPool(address,address,uint24)",
            args![token0, token1, fee],
        );
        let address = self.evm.administer(self.factory, data).address(0);
        let spacing = self.evm.read(address, call("tickSpacing()", &[]));
        self.evm
            .administer(address, call("initialize(uint160)", args![sqrt_price_x96]));
        Pool {
            address,
            fee,
            tick_spacing: spacing.to(),
        }
    }

    /// Adds liquidity to a user's position; returns what the user paid of either token.
    ///
    /// # Errors
    /// The pool's reason: `"TLU"`, `"TLM"`, `"TUM"`, `"LO"`, or none when `liquidity` is 0.
    pub fn mint(
        &mut self,
        pool: Pool,
        user: Address,
        lower: i32,
        upper: i32,
        liquidity: u128,
    ) -> Result<(U256, U256), Revert> {
        let data = call(
            "mint(address,int24,int24,uint128,bytes)",
            args![user, lower, upper, liquidity, self.tokens()],
        );
        let output = self.evm.send(user, pool.address, data)?;
        Ok((output.word(0), output.word(1)))
    }

    /// Takes liquidity out of a user's position; the returned amounts are now owed to it. With
    /// `liquidity` 0 it only brings the fees owed up to date.
    ///
    /// # Errors
    /// The pool's reason: `"LS"` when there is less, `"NP"` when there is no position.
    pub fn burn(
        &mut self,
        pool: Pool,
        user: Address,
        lower: i32,
        upper: i32,
        liquidity: u128,
    ) -> Result<(U256, U256), Revert> {
        let data = call("burn(int24,int24,uint128)", args![lower, upper, liquidity]);
        let output = self.evm.send(user, pool.address, data)?;
        Ok((output.word(0), output.word(1)))
    }

    /// Pays out what is owed to a user's position, at most the two amounts.
    ///
    /// # Errors
    /// The pool's reason.
    pub fn collect(
        &mut self,
        pool: Pool,
        user: Address,
        (lower, upper): (i32, i32),
        (most0, most1): (u128, u128),
    ) -> Result<(u128, u128), Revert> {
        let data = call(
            "collect(address,int24,int24,uint128,uint128)",
            args![user, lower, upper, most0, most1],
        );
        let output = self.evm.send(user, pool.address, data)?;
        Ok((output.word(0).to(), output.word(1).to()))
    }

    /// Swaps: `amount` > 0 is what goes in, < 0 what comes out. Returns both amounts as the pool
    /// counts them: > 0 taken from the user, < 0 paid.
    ///
    /// # Errors
    /// The pool's reason: `"AS"` for amount 0, `"SPL"` for a limit on the wrong side.
    pub fn swap(
        &mut self,
        pool: Pool,
        user: Address,
        zero_for_one: bool,
        amount: I256,
        sqrt_price_limit_x96: U256,
    ) -> Result<(I256, I256), Revert> {
        let data = self.swap_data(user, zero_for_one, amount, sqrt_price_limit_x96);
        let output = self.evm.send(user, pool.address, data)?;
        Ok((output.int(0), output.int(1)))
    }

    /// Tries a swap and forgets it: what [`Self::swap`] would return.
    ///
    /// # Errors
    /// As [`Self::swap`].
    pub fn quote(
        &mut self,
        pool: Pool,
        user: Address,
        zero_for_one: bool,
        amount: I256,
        sqrt_price_limit_x96: U256,
    ) -> Result<(I256, I256), Revert> {
        let data = self.swap_data(user, zero_for_one, amount, sqrt_price_limit_x96);
        let output = self.evm.view_as(user, pool.address, data)?;
        Ok((output.int(0), output.int(1)))
    }

    /// Sets the protocol's share of the fee to 1/n, each 0 or 4 to 10.
    ///
    /// # Errors
    /// The pool's reason.
    pub fn set_fee_protocol(&mut self, pool: Pool, n0: u8, n1: u8) -> Result<Output, Revert> {
        let data = call("setFeeProtocol(uint8,uint8)", args![n0, n1]);
        self.evm.send(super::ADMIN, pool.address, data)
    }

    /// Pays the protocol's fees out to the administrator, at most the two amounts; one base unit
    /// stays behind when all is asked for.
    ///
    /// # Errors
    /// The pool's reason.
    pub fn collect_protocol(
        &mut self,
        pool: Pool,
        (most0, most1): (u128, u128),
    ) -> Result<(u128, u128), Revert> {
        let to = crate::ADMIN;
        let signature = "collectProtocol(address,uint128,uint128)";
        let data = call(signature, args![to, most0, most1]);
        let output = self.evm.send(to, pool.address, data)?;
        Ok((output.word(0).to(), output.word(1).to()))
    }

    /// Returns price, liquidity and fees of a pool: its storage from slot 0 to slot 4, where
    /// [`Evm::set_storage`] can put what no sequence of swaps would reach.
    pub fn state(&self, pool: Pool) -> State {
        let at = |slot: u8| self.evm.storage(pool.address, U256::from(slot));
        let fees = at(3);
        State {
            slot0: unpack_slot0(at(0)),
            fee_growth_global0_x128: at(1),
            fee_growth_global1_x128: at(2),
            protocol_fees0: low_u128(fees),
            protocol_fees1: low_u128(fees >> 128),
            liquidity: low_u128(at(4)),
        }
    }

    /// Returns a tick, all zero when it is not initialized.
    pub fn tick(&self, pool: Pool, tick: i32) -> Tick {
        let slot = mapping_slot(signed_key(tick), U256::from(5));
        let at = |n: u8| self.evm.storage(pool.address, slot + U256::from(n));
        let liquidity = at(0);
        Tick {
            liquidity_gross: low_u128(liquidity),
            liquidity_net: low_u128(liquidity >> 128).cast_signed(),
            fee_growth_outside0_x128: at(1),
            fee_growth_outside1_x128: at(2),
            initialized: at(3).bit(248),
        }
    }

    /// Returns a word of the bitmap of initialized ticks: bit `i` of word `w` is the tick
    /// `(256 w + i) × tick_spacing`.
    pub fn tick_bitmap(&self, pool: Pool, word: i16) -> U256 {
        let slot = mapping_slot(signed_key(word.into()), U256::from(6));
        self.evm.storage(pool.address, slot)
    }

    /// Returns a user's position, all zero when there is none.
    pub fn position(&self, pool: Pool, user: Address, lower: i32, upper: i32) -> Position {
        let mut key = user.to_vec();
        key.extend(&lower.to_be_bytes()[1..]);
        key.extend(&upper.to_be_bytes()[1..]);
        let slot = mapping_slot(keccak256(key).into(), U256::from(7));
        let at = |n: u8| self.evm.storage(pool.address, slot + U256::from(n));
        let owed = at(3);
        Position {
            liquidity: low_u128(at(0)),
            fee_growth_inside0_last_x128: at(1),
            fee_growth_inside1_last_x128: at(2),
            tokens_owed0: low_u128(owed),
            tokens_owed1: low_u128(owed >> 128),
        }
    }

    fn swap_data(
        &self,
        user: Address,
        zero_for_one: bool,
        amount: I256,
        sqrt_price_limit_x96: U256,
    ) -> Vec<u8> {
        call(
            "swap(address,bool,int256,uint160,bytes)",
            args![
                user,
                zero_for_one,
                amount,
                sqrt_price_limit_x96,
                self.tokens()
            ],
        )
    }

    /// What the users' code expects of a callback's bytes.
    fn tokens(&self) -> Argument {
        let words = [self.token0, self.token1].map(|token| from_address(token.address));
        Argument::Bytes(words.map(|word| word.to_be_bytes::<32>()).concat())
    }
}

fn unpack_slot0(packed: U256) -> Slot0 {
    let field = |from: usize, bits: usize| (packed >> from) & ((U256::ONE << bits) - U256::ONE);
    let tick: u32 = field(160, 24).to();
    Slot0 {
        sqrt_price_x96: field(0, 160),
        // The sign of 24 bits, moved up and down again.
        tick: (tick << 8).cast_signed() >> 8,
        observation_index: field(184, 16).to(),
        observation_cardinality: field(200, 16).to(),
        observation_cardinality_next: field(216, 16).to(),
        fee_protocol: field(232, 8).to(),
    }
}

fn low_u128(word: U256) -> u128 {
    let limbs = word.as_limbs();
    u128::from(limbs[0]) | u128::from(limbs[1]) << 64
}

fn signed_key(key: i32) -> U256 {
    I256::try_from(key).unwrap().into_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A price of 1.
    const ONE_X96: U256 = U256::from_limbs([0, 1 << 32, 0, 0]);

    const LOWEST_LIMIT: U256 = U256::from_limbs([4_295_128_740, 0, 0, 0]);

    fn int(n: i64) -> I256 {
        I256::try_from(n).unwrap()
    }

    #[test]
    fn a_pool_takes_liquidity_swaps_and_pays_fees() {
        let Some(mut market) = Market::new(18, 6) else {
            return;
        };
        let pool = market.create_pool(3000, ONE_X96);
        assert_eq!(pool.tick_spacing, 60);
        let (maker, taker) = (user(0), user(1));
        let paid = market.mint(pool, maker, -600, 600, 1_000_000_000).unwrap();
        assert!(paid.0 > U256::ZERO && paid.0 == paid.1, "{paid:?}");

        let before = market.token1.balance(&market.evm, taker);
        let quote = market.quote(pool, taker, true, int(1_000_000), LOWEST_LIMIT);
        let swapped = market.swap(pool, taker, true, int(1_000_000), LOWEST_LIMIT);
        let (amount0, amount1) = swapped.clone().unwrap();
        assert_eq!(quote, swapped);
        assert_eq!(amount0, int(1_000_000));
        let received = market.token1.balance(&market.evm, taker) - before;
        assert_eq!(I256::from_raw(received), -amount1);

        market.burn(pool, maker, -600, 600, 400_000_000).unwrap();
        let position = market.position(pool, maker, -600, 600);
        assert_eq!(position.liquidity, 600_000_000);
        let all = (u128::MAX, u128::MAX);
        let collected = market.collect(pool, maker, (-600, 600), all).unwrap();
        assert_eq!(collected, (position.tokens_owed0, position.tokens_owed1));
    }

    #[test]
    fn refusals_come_with_the_pools_reason() {
        let Some(mut market) = Market::new(18, 18) else {
            return;
        };
        let pool = market.create_pool(500, ONE_X96);
        let refused = market.mint(pool, user(0), 600, -600, 1).unwrap_err();
        assert_eq!(refused.text(), "TLU");
        let refused = market
            .swap(pool, user(0), true, int(0), LOWEST_LIMIT)
            .unwrap_err();
        assert_eq!(refused.text(), "AS");
        let refused = market.burn(pool, user(3), -10, 10, 0).unwrap_err();
        assert_eq!(refused.text(), "NP");
    }

    #[test]
    fn storage_holds_what_the_views_say() {
        let Some(mut market) = Market::new(18, 18) else {
            return;
        };
        let pool = market.create_pool(3000, ONE_X96);
        market.set_fee_protocol(pool, 4, 7).unwrap();
        market.mint(pool, user(0), -120, 60, 5_000_000_000).unwrap();
        market.evm.advance(12);
        market
            .swap(pool, user(1), true, int(30_000_000), LOWEST_LIMIT)
            .unwrap();
        market.burn(pool, user(0), -120, 60, 7).unwrap();

        let state = market.state(pool);
        let mut view = |data: Vec<u8>| market.evm.view(pool.address, data).unwrap();
        let slot0 = view(call("slot0()", &[]));
        assert_eq!(state.slot0.sqrt_price_x96, slot0.word(0));
        assert_eq!(int(state.slot0.tick.into()), slot0.int(1));
        assert_eq!(
            U256::from(state.slot0.observation_cardinality),
            slot0.word(3)
        );
        assert_eq!(U256::from(state.slot0.fee_protocol), slot0.word(5));
        let global0 = view(call("feeGrowthGlobal0X128()", &[]));
        assert_eq!(state.fee_growth_global0_x128, global0.word(0));
        let fees = view(call("protocolFees()", &[]));
        assert_eq!(U256::from(state.protocol_fees0), fees.word(0));
        assert_eq!(
            U256::from(state.liquidity),
            view(call("liquidity()", &[])).word(0)
        );
        let ticks = view(call("ticks(int24)", args![-120_i32]));
        let bitmap = view(call("tickBitmap(int16)", args![-1_i16]));
        let mut key = user(0).to_vec();
        key.extend([0xff, 0xff, 0x88, 0x00, 0x00, 0x3c]); // -120, 60
        let stored = view(call("positions(bytes32)", args![keccak256(key)]));

        let tick = market.tick(pool, -120);
        assert_eq!(U256::from(tick.liquidity_gross), ticks.word(0));
        assert_eq!(I256::try_from(tick.liquidity_net).unwrap(), ticks.int(1));
        assert_eq!(tick.fee_growth_outside0_x128, ticks.word(2));
        assert!(tick.initialized);
        assert_eq!(market.tick_bitmap(pool, -1), bitmap.word(0));
        let position = market.position(pool, user(0), -120, 60);
        assert_eq!(U256::from(position.liquidity), stored.word(0));
        assert_eq!(position.fee_growth_inside0_last_x128, stored.word(1));
        assert_eq!(U256::from(position.tokens_owed0), stored.word(3));
        assert!(position.tokens_owed0 > 0);
        let paid = market
            .collect_protocol(pool, (u128::MAX, u128::MAX))
            .unwrap();
        assert_eq!(paid, (state.protocol_fees0 - 1, 0));
    }
}
