//! ERC-20 tokens that anybody may mint: Aave's `MintableERC20`.

use super::artifact::Artifact;
use super::{Address, Evm, Revert, U256};
use crate::abi::{call, from_address, mapping_slot};
use crate::args;

/// The package that the token comes from.
pub const ARTIFACT: &str = "node_modules/@aave/core-v3/artifacts/contracts/mocks/tokens/MintableERC20.sol/MintableERC20.json";

/// A token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Where it is.
    pub address: Address,
    /// How many digits of its base unit make one whole.
    pub decimals: u8,
}

impl Token {
    /// Deploys a token without any supply.
    pub fn deploy(evm: &mut Evm, symbol: &str, decimals: u8) -> Self {
        let address = Artifact::load(ARTIFACT).deploy(evm, args![symbol, symbol, decimals]);
        Self { address, decimals }
    }

    /// Mints `amount` base units to `to`.
    pub fn mint(&self, evm: &mut Evm, to: Address, amount: U256) {
        evm.administer(
            self.address,
            call("mint(address,uint256)", args![to, amount]),
        );
    }

    /// Lets `spender` take everything from `owner`.
    pub fn approve(&self, evm: &mut Evm, owner: Address, spender: Address) {
        let data = call("approve(address,uint256)", args![spender, U256::MAX]);
        evm.send(owner, self.address, data).unwrap();
    }

    /// Moves `amount` base units.
    ///
    /// # Errors
    /// The token's reason.
    pub fn transfer(
        &self,
        evm: &mut Evm,
        from: Address,
        to: Address,
        amount: U256,
    ) -> Result<(), Revert> {
        let data = call("transfer(address,uint256)", args![to, amount]);
        evm.send(from, self.address, data).map(drop)
    }

    /// Returns the base units that `owner` has.
    pub fn balance(&self, evm: &Evm, owner: Address) -> U256 {
        // `_balances` is the first state variable.
        evm.storage(self.address, mapping_slot(from_address(owner), U256::ZERO))
    }
}

/// Deploys two tokens in the order of their addresses.
pub fn deploy_pair(evm: &mut Evm, decimals0: u8, decimals1: u8) -> (Token, Token) {
    let artifact = Artifact::load(ARTIFACT);
    let mut token = |name: &str, decimals: u8| Token {
        address: artifact.deploy(evm, args![name, name, decimals]),
        decimals,
    };
    let lower = token("TK0", decimals0);
    // Addresses come from a hash: after a few attempts one is above.
    loop {
        let higher = token("TK1", decimals1);
        if higher.address > lower.address {
            return (lower, higher);
        }
    }
}

#[test]
fn a_token_mints_moves_and_refuses_what_is_not_there() {
    if !super::artifact::installed(&[ARTIFACT]) {
        return;
    }
    let (mut evm, one, two) = (Evm::new(), super::user(1), super::user(2));
    let token = Token::deploy(&mut evm, "TKN", 6);
    token.mint(&mut evm, one, U256::from(100));
    token.transfer(&mut evm, one, two, U256::from(40)).unwrap();
    let data = call("balanceOf(address)", args![two]);
    assert_eq!(evm.read(token.address, data), U256::from(40));
    assert_eq!(token.balance(&evm, one), U256::from(60));
    let refused = token
        .transfer(&mut evm, one, two, U256::from(61))
        .unwrap_err();
    assert!(refused.text().contains("exceeds balance"), "{refused:?}");
}

#[test]
fn wrapped_ether_takes_the_native_coin() {
    let artifact = "node_modules/canonical-weth/build/contracts/WETH9.json";
    if !super::artifact::installed(&[artifact]) {
        return;
    }
    let (mut evm, owner) = (Evm::new(), super::user(1));
    let weth = Artifact::load(artifact).deploy(&mut evm, &[]);
    evm.set_balance(owner, U256::from(10));
    let deposit = call("deposit()", &[]);
    let done = evm.send_value(owner, weth, deposit, U256::from(7)).unwrap();
    assert_eq!(done.logs.len(), 1);
    let balance = evm.read(weth, call("balanceOf(address)", args![owner]));
    assert_eq!(balance, U256::from(7));
    let before = evm.snapshot();
    let withdraw = call("withdraw(uint256)", args![7_u8]);
    evm.send(owner, weth, withdraw.clone()).unwrap();
    // Old code: a refusal without a reason.
    assert_eq!(evm.send(owner, weth, withdraw).unwrap_err(), Revert::Empty);
    evm.restore(&before);
    assert_eq!(
        evm.storage(weth, mapping_slot(from_address(owner), U256::from(3))),
        balance
    );
}
