//! How a market comes to be.

use super::{FUNDS, Market, Reserve, USERS};
use crate::abi::{self, Token as Argument, call, tuple};
use crate::args;
use crate::artifact::{Artifact, installed};
use crate::token::{self, Token};
use crate::{ADMIN, Address, Evm, U256, user};

const NPM: &str = "node_modules/@aave/core-v3/artifacts/contracts";
const PYTHON: &str = "python/eth_defi/abi/aave_v3";

/// One basis point, in ray.
const BPS_RAY: U256 = U256::from_limbs([200_376_420_520_689_664, 5_421, 0, 0]);

/// Which contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `@aave/core-v3` 1.19.3, pool revision 1: stable debt exists (and is off), a reserve has one
    /// eMode, cash is the aToken's balance.
    V30,
    /// Pool revision 5, from web3-ethereum-defi 1.2: no stable debt, eModes by bitmap, cash is
    /// counted by the pool.
    V32,
}

/// A reserve to be.
#[derive(Clone, Debug)]
pub struct ReserveConfig {
    /// The asset's symbol.
    pub symbol: &'static str,
    /// The asset's decimals.
    pub decimals: u8,
    /// In the base currency, 8 decimals.
    pub price: u64,
    /// Basis points; 0 for what cannot be borrowed against.
    pub ltv: u16,
    /// Basis points; 0 for what is no collateral.
    pub liquidation_threshold: u16,
    /// Basis points, the whole with the bonus: 10500 for 5 %; 0 for what is no collateral.
    pub liquidation_bonus: u16,
    /// Basis points of the interest.
    pub reserve_factor: u16,
    /// Basis points of the bonus.
    pub liquidation_protocol_fee: u16,
    /// Whole tokens, 0 for none.
    pub supply_cap: u64,
    /// Whole tokens, 0 for none.
    pub borrow_cap: u64,
    /// Whether it can be borrowed.
    pub borrowing: bool,
    /// Basis points: the kink.
    pub optimal_usage: u16,
    /// Basis points per year at no usage.
    pub base_rate: u32,
    /// Basis points per year from there to the kink.
    pub slope1: u32,
    /// Basis points per year from the kink to full usage.
    pub slope2: u32,
}

impl Default for ReserveConfig {
    /// A stablecoin of 6 decimals.
    fn default() -> Self {
        Self {
            symbol: "USDC",
            decimals: 6,
            price: 100_000_000,
            ltv: 7_700,
            liquidation_threshold: 8_000,
            liquidation_bonus: 10_450,
            reserve_factor: 1_000,
            liquidation_protocol_fee: 1_000,
            supply_cap: 0,
            borrow_cap: 0,
            borrowing: true,
            optimal_usage: 9_000,
            base_rate: 0,
            slope1: 400,
            slope2: 6_000,
        }
    }
}

/// An eMode to be.
#[derive(Clone, Debug)]
pub struct EMode {
    /// 1 to 255.
    pub category: u8,
    /// Basis points.
    pub ltv: u16,
    /// Basis points.
    pub liquidation_threshold: u16,
    /// Basis points, the whole with the bonus.
    pub liquidation_bonus: u16,
    /// The reserves in it, both as collateral and to be borrowed.
    pub reserves: Vec<usize>,
}

impl Market {
    /// Deploys a market and funds the users. None when the packages are not installed.
    ///
    /// Flash loans cost 5 basis points, all of them the suppliers'.
    pub fn new(version: Version, reserves: &[ReserveConfig], e_modes: &[EMode]) -> Option<Self> {
        let pool = version.path("PoolAddressesProvider");
        if !installed(&[&pool, token::ARTIFACT]) {
            return None;
        }
        let mut market = Self::core(version);
        let strategies = market.strategies(reserves);
        let feeds: Vec<_> = reserves
            .iter()
            .map(|config| {
                let feed = version.load("MockAggregator");
                feed.deploy(&mut market.evm, args![config.price])
            })
            .collect();
        let tokens: Vec<_> = reserves
            .iter()
            .map(|config| Token::deploy(&mut market.evm, config.symbol, config.decimals))
            .collect();
        market.deploy_oracle(&tokens, &feeds);
        market.init_reserves(reserves, &tokens, &strategies);
        for (n, token) in tokens.into_iter().enumerate() {
            let data = call("getReserveData(address)", args![token.address]);
            let data = market.evm.view(market.pool, data).unwrap();
            market.reserves.push(Reserve {
                token,
                a_token: data.address(8),
                variable_debt: data.address(10),
                strategy: strategies[n],
                feed: feeds[n],
            });
            for n in 0..USERS {
                token.mint(&mut market.evm, user(n), FUNDS);
                token.approve(&mut market.evm, user(n), market.pool);
            }
        }
        for (reserve, config) in reserves.iter().enumerate() {
            market.apply(reserve, config);
        }
        for e_mode in e_modes {
            market.add_e_mode(e_mode);
        }
        market.set("updateFlashloanPremiumTotal(uint128)", args![5_u8]);
        Some(market)
    }

    /// Deploys everything that there is one of.
    fn core(version: Version) -> Self {
        let mut evm = Evm::new();
        let one = |evm: &mut Evm, name, arguments: &[_]| version.load(name).deploy(evm, arguments);
        let provider = one(&mut evm, "PoolAddressesProvider", args!["basis", ADMIN]);
        evm.administer(provider, call("setACLAdmin(address)", args![ADMIN]));
        let acl = one(&mut evm, "ACLManager", args![provider]);
        evm.administer(provider, call("setACLManager(address)", args![acl]));
        for role in ["Pool", "Risk", "AssetListing", "Emergency"] {
            evm.administer(acl, call(&format!("add{role}Admin(address)"), args![ADMIN]));
        }
        let libraries = deploy_libraries(&mut evm, version);
        let pool = version.load(version.instance("Pool")).link(&libraries);
        let pool = pool.deploy(&mut evm, args![provider]);
        evm.administer(provider, call("setPoolImpl(address)", args![pool]));
        let configurator = version.load(version.instance("PoolConfigurator"));
        let configurator = configurator.link(&libraries).deploy(&mut evm, &[]);
        let data = call("setPoolConfiguratorImpl(address)", args![configurator]);
        evm.administer(provider, data);
        let data_provider = one(&mut evm, "AaveProtocolDataProvider", args![provider]);
        let data = call("setPoolDataProvider(address)", args![data_provider]);
        evm.administer(provider, data);
        let found = |evm: &mut Evm, getter| abi::to_address(evm.read(provider, call(getter, &[])));
        Self {
            pool: found(&mut evm, "getPool()"),
            configurator: found(&mut evm, "getPoolConfigurator()"),
            evm,
            version,
            provider,
            oracle: Address::ZERO,
            data_provider,
            treasury: user(200),
            reserves: Vec::new(),
        }
    }

    /// Deploys the rate strategies: one per reserve in 3.0, one for all in 3.2.
    fn strategies(&mut self, reserves: &[ReserveConfig]) -> Vec<Address> {
        let provider = self.provider;
        let artifact = self.version.load(self.version.strategy());
        if self.version == Version::V32 {
            let one = artifact.deploy(&mut self.evm, args![provider]);
            return vec![one; reserves.len()];
        }
        let ray = |bps: u32| U256::from(bps) * BPS_RAY;
        let deploy = |config: &ReserveConfig| {
            let (optimal, base) = (ray(config.optimal_usage.into()), ray(config.base_rate));
            let (slope1, slope2) = (ray(config.slope1), ray(config.slope2));
            // The five numbers of stable debt, which is off.
            let arguments = args![
                provider, optimal, base, slope1, slope2, 0_u8, 0_u8, 0_u8, 0_u8, 0_u8
            ];
            artifact.deploy(&mut self.evm, arguments)
        };
        reserves.iter().map(deploy).collect()
    }

    fn deploy_oracle(&mut self, tokens: &[Token], feeds: &[Address]) {
        let assets = tokens.iter().map(|token| token.address.into()).collect();
        let feeds = feeds.iter().map(|feed| (*feed).into()).collect();
        let arguments = [
            self.provider.into(),
            Argument::Array(assets),
            Argument::Array(feeds),
            Address::ZERO.into(),
            Address::ZERO.into(),
            100_000_000_u64.into(),
        ];
        self.oracle = self
            .version
            .load("AaveOracle")
            .deploy(&mut self.evm, &arguments);
        let data = call("setPriceOracle(address)", args![self.oracle]);
        self.evm.administer(self.provider, data);
    }

    fn init_reserves(&mut self, configs: &[ReserveConfig], tokens: &[Token], rates: &[Address]) {
        let (version, pool, none) = (self.version, self.pool, Address::ZERO);
        let a_token = version.load(version.instance("AToken"));
        let a_token = a_token.deploy(&mut self.evm, args![pool]);
        let debt = version.load(version.instance("VariableDebtToken"));
        let debt = debt.deploy(&mut self.evm, args![pool]);
        let stable = match version {
            Version::V30 => version
                .load("StableDebtToken")
                .deploy(&mut self.evm, args![pool]),
            Version::V32 => none,
        };
        // Empty parameters would be refused.
        let parameters = || vec![0x10];
        let treasury = self.treasury;
        let inputs = configs
            .iter()
            .zip(tokens)
            .zip(rates)
            .map(|((config, token), rate)| {
                let (name, asset) = (config.symbol, token.address);
                match version {
                    Version::V30 => tuple(args![
                        a_token,
                        stable,
                        debt,
                        token.decimals,
                        *rate,
                        asset,
                        treasury,
                        none,
                        name,
                        name,
                        name,
                        name,
                        name,
                        name,
                        parameters()
                    ]),
                    Version::V32 => tuple(args![
                        a_token,
                        debt,
                        true,
                        *rate,
                        asset,
                        treasury,
                        none,
                        name,
                        name,
                        name,
                        name,
                        parameters(),
                        rate_data(config)
                    ]),
                }
            });
        let inputs = Argument::Array(inputs.collect());
        let signature = match version {
            Version::V30 => {
                "initReserves((address,address,address,uint8,address,address,address,address,\
                 string,string,string,string,string,string,bytes)[])"
            }
            Version::V32 => {
                "initReserves((address,address,bool,address,address,address,address,\
                 string,string,string,string,bytes,bytes)[])"
            }
        };
        self.set(signature, &[inputs]);
    }

    /// Sets what [`ReserveConfig`] says, after the reserve has been listed.
    fn apply(&mut self, reserve: usize, config: &ReserveConfig) {
        let asset = self.asset(reserve);
        if config.liquidation_threshold > 0 {
            let (threshold, bonus) = (config.liquidation_threshold, config.liquidation_bonus);
            self.set(
                "configureReserveAsCollateral(address,uint256,uint256,uint256)",
                args![asset, config.ltv, threshold, bonus],
            );
        }
        let (borrowing, factor) = (config.borrowing, config.reserve_factor);
        self.set("setReserveBorrowing(address,bool)", args![asset, borrowing]);
        self.set("setReserveFactor(address,uint256)", args![asset, factor]);
        let fee = config.liquidation_protocol_fee;
        self.set(
            "setLiquidationProtocolFee(address,uint256)",
            args![asset, fee],
        );
        self.set("setReserveFlashLoaning(address,bool)", args![asset, true]);
        self.set(
            "setSupplyCap(address,uint256)",
            args![asset, config.supply_cap],
        );
        self.set(
            "setBorrowCap(address,uint256)",
            args![asset, config.borrow_cap],
        );
    }

    /// Adds an eMode.
    pub fn add_e_mode(&mut self, e_mode: &EMode) {
        let (category, ltv) = (e_mode.category, e_mode.ltv);
        let (threshold, bonus) = (e_mode.liquidation_threshold, e_mode.liquidation_bonus);
        match self.version {
            Version::V30 => self.set(
                "setEModeCategory(uint8,uint16,uint16,uint16,address,string)",
                args![category, ltv, threshold, bonus, Address::ZERO, "e"],
            ),
            Version::V32 => self.set(
                "setEModeCategory(uint8,uint16,uint16,uint16,string)",
                args![category, ltv, threshold, bonus, "e"],
            ),
        }
        for reserve in &e_mode.reserves {
            let asset = self.asset(*reserve);
            if self.version == Version::V30 {
                self.set(
                    "setAssetEModeCategory(address,uint8)",
                    args![asset, category],
                );
                continue;
            }
            for what in ["Collateral", "Borrowable"] {
                let signature = format!("setAsset{what}InEMode(address,uint8,bool)");
                self.set(&signature, args![asset, category, true]);
            }
        }
    }

    /// Replaces a reserve's rate curve.
    pub fn set_rates(&mut self, reserve: usize, config: &ReserveConfig) {
        let asset = self.asset(reserve);
        match self.version {
            Version::V30 => {
                let strategy = self.strategies(std::slice::from_ref(config))[0];
                self.set(
                    "setReserveInterestRateStrategyAddress(address,address)",
                    args![asset, strategy],
                );
                self.reserves[reserve].strategy = strategy;
            }
            Version::V32 => self.set(
                "setReserveInterestRateData(address,bytes)",
                args![asset, rate_data(config)],
            ),
        }
    }

    fn set(&mut self, signature: &str, arguments: &[Argument]) {
        let done = self.configure(signature, arguments);
        done.unwrap_or_else(|why| panic!("{signature}: {why:?}"));
    }
}

impl Version {
    /// Where a contract's artifact is.
    fn path(self, name: &str) -> String {
        let folder = match (self, name) {
            (Self::V32, _) => return format!("{PYTHON}/{name}.json"),
            (_, "PoolAddressesProvider" | "ACLManager") => "protocol/configuration",
            (_, "AToken" | "StableDebtToken" | "VariableDebtToken") => "protocol/tokenization",
            (_, "AaveOracle" | "AaveProtocolDataProvider") => "misc",
            (_, "MockAggregator") => "mocks/oracle/CLAggregators",
            (_, "MockFlashLoanSimpleReceiver") => {
                return format!(
                    "{NPM}/mocks/flashloan/MockSimpleFlashLoanReceiver.sol/{name}.json"
                );
            }
            (_, name) if name.ends_with("Logic") => "protocol/libraries/logic",
            _ => "protocol/pool",
        };
        format!("{NPM}/{folder}/{name}.sol/{name}.json")
    }

    fn load(self, name: &str) -> Artifact {
        Artifact::load(&self.path(name))
    }

    /// 3.2 keeps what only a deployment needs in contracts of their own.
    fn instance(self, name: &'static str) -> &'static str {
        match (self, name) {
            (Self::V30, name) => name,
            (Self::V32, "Pool") => "PoolInstance",
            (Self::V32, "PoolConfigurator") => "PoolConfiguratorInstance",
            (Self::V32, "AToken") => "ATokenInstance",
            (Self::V32, _) => "VariableDebtTokenInstance",
        }
    }

    const fn strategy(self) -> &'static str {
        match self {
            Self::V30 => "DefaultReserveInterestRateStrategy",
            Self::V32 => "DefaultReserveInterestRateStrategyV2",
        }
    }
}

/// `FlashLoanLogic` comes after `BorrowLogic`, which it links.
fn deploy_libraries(evm: &mut Evm, version: Version) -> Vec<(&'static str, Address)> {
    let mut done = Vec::new();
    for name in [
        "BorrowLogic",
        "BridgeLogic",
        "ConfiguratorLogic",
        "EModeLogic",
        "FlashLoanLogic",
        "LiquidationLogic",
        "PoolLogic",
        "SupplyLogic",
    ] {
        let address = version.load(name).link(&done).deploy(evm, &[]);
        done.push((name, address));
    }
    done
}

/// `abi.encode(InterestRateData)` of 3.2.
fn rate_data(config: &ReserveConfig) -> Vec<u8> {
    abi::encode(args![
        config.optimal_usage,
        config.base_rate,
        config.slope1,
        config.slope2
    ])
}

/// The package's receiver of flash loans, a new one each time: its code is what matters.
pub(super) fn flash_receiver(market: &mut Market) -> Address {
    let artifact = market.version.load("MockFlashLoanSimpleReceiver");
    artifact.deploy(&mut market.evm, args![market.provider])
}
