//! An in-memory chain that runs the contracts their authors ship, and the markets built from them.
//!
//! [`Evm`] is one block that can be moved in time: no mempool, no gas price, no signatures. What a
//! contract answers is therefore its code and nothing else. It is not a node: what needs receipts,
//! reorganisations or an RPC interface is tested elsewhere.
//!
//! [`uniswap`], [`aave`] and [`morpho`] are whole markets with funded users ([`user`]) and typed
//! operations and reads; anything else is a call away ([`Evm::send`], [`Evm::view`], [`abi::call`]).
//! A market is `None` when the packages below `tests/chain` are not installed; the test then returns.
//!
//! ```no_run
//! use basis_contracts::random::Random;
//! use basis_contracts::{I256, U256, uniswap, user};
//!
//! let Some(mut market) = uniswap::Market::new(18, 6) else {
//!     return;
//! };
//! let pool = market.create_pool(3000, U256::ONE << 96);
//! market.mint(pool, user(0), -600, 600, 1_000_000_000).unwrap();
//! let mut random = Random::new(20_260_101);
//! for _ in 0..10_000 {
//!     market.evm.advance(12);
//!     let amount = I256::from_raw(random.amount(100));
//!     let limit = U256::from(4_295_128_740_u64);
//!     let real = market.swap(pool, user(1), true, amount, limit);
//!     // Ours with the same numbers; then `real` and `market.state(pool)` against it.
//! }
//! ```

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "only tests use it: it may fail as loudly as they"
)]

pub mod aave;
pub mod abi;
pub mod artifact;
pub mod callback;
pub mod morpho;
pub mod random;
pub mod token;
pub mod uniswap;

use std::fmt;

use revm::context::result::{ExecutionResult, Output as RawOutput};
use revm::context::{BlockEnv, TxEnv};
use revm::database::InMemoryDB;
use revm::handler::MainnetContext;
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Bytes, Log, TxKind};
use revm::state::{AccountInfo, Bytecode};
use revm::{Context, ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainContext, MainnetEvm};

pub use revm::primitives::{Address, B256, I256, U256, keccak256};

/// The first block's time, in Unix seconds.
pub const GENESIS: u64 = 1_700_000_000;

/// What deploys contracts and administers the markets.
pub const ADMIN: Address = Address::new([0xAD; 20]);

/// Gas of a transaction: more than any of them needs.
const GAS: u64 = 1_000_000_000;

/// Returns the address of user `n` (0-based), who is nobody in particular.
pub const fn user(n: u8) -> Address {
    let mut bytes = [0x10; 20];
    bytes[19] = n;
    Address::new(bytes)
}

/// Why a transaction did not happen. Its effects are undone.
#[derive(Clone, PartialEq, Eq)]
pub enum Revert {
    /// `require` or `revert` with a text: `"STF"`, Aave's `"35"`.
    Text(String),
    /// Solidity's own check: 0x11 overflow, 0x12 division by zero, 0x32 index out of bounds.
    Panic(u64),
    /// A custom error: selector and arguments.
    Custom(Bytes),
    /// `revert()` or `require` without a reason.
    Empty,
    /// The machine stopped: out of gas, invalid opcode (`assert` of old compilers).
    Halt(String),
}

impl Revert {
    /// Reads the reason from what the contract returned.
    fn new(output: &Bytes) -> Self {
        match output.get(..4) {
            None => Self::Empty,
            Some([0x08, 0xc3, 0x79, 0xa0]) => Self::Text(abi::text(&output[4..], 0)),
            Some([0x4e, 0x48, 0x7b, 0x71]) => Self::Panic(abi::word(&output[4..], 0).to()),
            Some(_) => Self::Custom(output.clone()),
        }
    }

    /// Returns the reason's text; empty when the revert is of another kind.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }
}

impl fmt::Debug for Revert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "reverted: {text}"),
            Self::Panic(code) => write!(f, "panicked: {code:#04x}"),
            Self::Custom(data) => write!(f, "reverted with {data}"),
            Self::Empty => write!(f, "reverted without a reason"),
            Self::Halt(reason) => write!(f, "halted: {reason}"),
        }
    }
}

/// What a transaction or a view gave.
#[derive(Clone, Debug)]
pub struct Output {
    /// The returned bytes; read them with [`Self::word`] and its like.
    pub bytes: Bytes,
    /// The events, in order.
    pub logs: Vec<Log>,
    /// Gas, refunds taken off.
    pub gas_used: u64,
}

impl Output {
    /// Returns the `n`th 32-byte word.
    pub fn word(&self, n: usize) -> U256 {
        abi::word(&self.bytes, n)
    }

    /// Returns the `n`th word as a signed number (`int256`, `int24`, ...).
    pub fn int(&self, n: usize) -> I256 {
        I256::from_raw(self.word(n))
    }

    /// Returns the `n`th word as an address.
    pub fn address(&self, n: usize) -> Address {
        abi::to_address(self.word(n))
    }
}

/// The chain.
pub struct Evm {
    inner: MainnetEvm<MainnetContext<InMemoryDB>>,
}

impl fmt::Debug for Evm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let block = &self.inner.ctx.block;
        write!(f, "Evm at {} (block {})", block.timestamp, block.number)
    }
}

/// The state of a chain, to come back to.
#[derive(Clone, Debug)]
pub struct Snapshot {
    database: InMemoryDB,
    block: BlockEnv,
}

impl Default for Evm {
    fn default() -> Self {
        Self::new()
    }
}

impl Evm {
    /// Creates a chain at block 1, [`GENESIS`], under the rules of Cancun.
    pub fn new() -> Self {
        let block = BlockEnv {
            number: U256::from(1),
            timestamp: U256::from(GENESIS),
            gas_limit: u64::MAX,
            ..BlockEnv::default()
        };
        let inner = Context::mainnet()
            .with_db(InMemoryDB::default())
            .with_block(block)
            .modify_cfg_chained(|cfg| {
                cfg.set_spec_and_mainnet_gas_params(SpecId::CANCUN);
                cfg.disable_nonce_check = true;
                // Users carry code of their own, where a protocol calls back whoever called it.
                cfg.disable_eip3607 = true;
                cfg.tx_gas_limit_cap = Some(u64::MAX);
                cfg.limit_contract_code_size = Some(usize::MAX);
                cfg.limit_contract_initcode_size = Some(usize::MAX);
            })
            .build_mainnet();
        Self { inner }
    }

    /// Returns the block's time, in Unix seconds.
    pub fn time(&self) -> u64 {
        self.inner.ctx.block.timestamp.to()
    }

    /// Sets the block's time, in Unix seconds, and begins the next block.
    pub fn set_time(&mut self, seconds: u64) {
        self.inner.ctx.block.timestamp = U256::from(seconds);
        self.inner.ctx.block.number += U256::ONE;
    }

    /// Begins the next block, `seconds` later.
    pub fn advance(&mut self, seconds: u64) {
        self.set_time(self.time() + seconds);
    }

    /// Returns the block's number.
    pub fn block(&self) -> u64 {
        self.inner.ctx.block.number.to()
    }

    /// Sets the block's number.
    pub fn set_block(&mut self, number: u64) {
        self.inner.ctx.block.number = U256::from(number);
    }

    /// Deploys a contract from its creation code and arguments, as [`ADMIN`].
    ///
    /// # Panics
    /// When its constructor reverts.
    pub fn deploy(&mut self, creation: impl Into<Bytes>) -> Address {
        let (result, address) = self.execute(ADMIN, TxKind::Create, creation.into(), U256::ZERO);
        result.expect("a contract deploys");
        address.unwrap()
    }

    /// Sends a transaction and keeps its effects, if it succeeds.
    ///
    /// # Errors
    /// The contract's reason.
    pub fn send(
        &mut self,
        from: Address,
        to: Address,
        data: impl Into<Bytes>,
    ) -> Result<Output, Revert> {
        self.send_value(from, to, data, U256::ZERO)
    }

    /// Sends a transaction with `value` wei and keeps its effects, if it succeeds.
    ///
    /// # Errors
    /// The contract's reason.
    pub fn send_value(
        &mut self,
        from: Address,
        to: Address,
        data: impl Into<Bytes>,
        value: U256,
    ) -> Result<Output, Revert> {
        self.execute(from, TxKind::Call(to), data.into(), value).0
    }

    /// Sends a transaction of [`ADMIN`] that has to succeed.
    ///
    /// # Panics
    /// When it reverts.
    pub fn administer(&mut self, to: Address, data: impl Into<Bytes>) -> Output {
        self.send(ADMIN, to, data).expect("the administrator may")
    }

    /// Asks a contract; nothing is kept.
    ///
    /// # Errors
    /// The contract's reason.
    pub fn view(&mut self, to: Address, data: impl Into<Bytes>) -> Result<Output, Revert> {
        self.view_as(ADMIN, to, data)
    }

    /// Asks a contract as `from`; nothing is kept, so it is a rehearsal of a transaction as well.
    ///
    /// # Errors
    /// The contract's reason.
    pub fn view_as(
        &mut self,
        from: Address,
        to: Address,
        data: impl Into<Bytes>,
    ) -> Result<Output, Revert> {
        let tx = transaction(from, TxKind::Call(to), data.into(), U256::ZERO);
        let result = self
            .inner
            .transact_one(tx)
            .expect("the transaction is valid");
        // Dropping the journal is what leaves the state as it was.
        drop(self.inner.finalize());
        outcome(result).0
    }

    /// Asks a contract what it cannot refuse and returns the first word of its answer.
    ///
    /// # Panics
    /// When it reverts.
    pub fn read(&mut self, to: Address, data: impl Into<Bytes>) -> U256 {
        self.view(to, data).expect("the view answers").word(0)
    }

    /// Returns a word of a contract's storage.
    pub fn storage(&self, contract: Address, slot: U256) -> U256 {
        let database = &self.inner.ctx.journaled_state.database;
        database
            .cache
            .accounts
            .get(&contract)
            .and_then(|account| account.storage.get(&slot))
            .copied()
            .unwrap_or_default()
    }

    /// Writes a word of a contract's storage.
    pub fn set_storage(&mut self, contract: Address, slot: U256, value: U256) {
        let database = &mut self.inner.ctx.journaled_state.database;
        database
            .insert_account_storage(contract, slot, value)
            .unwrap();
    }

    /// Puts runtime code at an address; its storage stays.
    pub fn set_code(&mut self, address: Address, runtime: impl Into<Bytes>) {
        let code = Bytecode::new_legacy(runtime.into());
        let database = &mut self.inner.ctx.journaled_state.database;
        let info = database.load_account(address).unwrap().info.clone();
        let info = AccountInfo {
            code_hash: code.hash_slow(),
            code: Some(code),
            ..info
        };
        database.insert_account_info(address, info);
    }

    /// Gives an account `wei` of the native coin, instead of what it had.
    pub fn set_balance(&mut self, address: Address, wei: U256) {
        let database = &mut self.inner.ctx.journaled_state.database;
        let mut info = database.load_account(address).unwrap().info.clone();
        info.balance = wei;
        database.insert_account_info(address, info);
    }

    /// Returns the state to come back to.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            database: self.inner.ctx.journaled_state.database.clone(),
            block: self.inner.ctx.block.clone(),
        }
    }

    /// Comes back to a state.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        self.inner.ctx.journaled_state.database = snapshot.database.clone();
        self.inner.ctx.block = snapshot.block.clone();
    }

    fn execute(
        &mut self,
        from: Address,
        kind: TxKind,
        data: Bytes,
        value: U256,
    ) -> (Result<Output, Revert>, Option<Address>) {
        let tx = transaction(from, kind, data, value);
        let result = self
            .inner
            .transact_commit(tx)
            .expect("the transaction is valid");
        outcome(result)
    }
}

fn transaction(from: Address, kind: TxKind, data: Bytes, value: U256) -> TxEnv {
    TxEnv {
        caller: from,
        gas_limit: GAS,
        kind,
        data,
        value,
        ..TxEnv::default()
    }
}

fn outcome(result: ExecutionResult) -> (Result<Output, Revert>, Option<Address>) {
    match result {
        ExecutionResult::Success {
            gas, logs, output, ..
        } => {
            let (bytes, address) = match output {
                RawOutput::Call(bytes) => (bytes, None),
                RawOutput::Create(bytes, address) => (bytes, address),
            };
            let output = Output {
                bytes,
                logs,
                gas_used: gas.tx_gas_used(),
            };
            (Ok(output), address)
        }
        ExecutionResult::Revert { output, .. } => (Err(Revert::new(&output)), None),
        ExecutionResult::Halt { reason, .. } => (Err(Revert::Halt(format!("{reason:?}"))), None),
    }
}
