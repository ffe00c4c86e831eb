//! Flash loans of Morpho Blue: anything the contract holds, free of charge.

use super::refusal::Refusal;
use basis_core::num::U256;

/// Returns what is to be given back in the same transaction for a flash loan of `assets` base units
/// of a token of which the contract, over all its markets, holds `held`: the same amount.
///
/// Mirrors `Morpho.flashLoan`. A market's own part of `held` is its
/// [`liquidity`](super::Totals::liquidity), and all collateral deposited.
///
/// # Errors
/// [`Refusal::ZeroAssets`]; [`Refusal::TransferReverted`] beyond what the contract holds.
pub fn flash_loan(assets: U256, held: U256) -> Result<U256, Refusal> {
    if assets.is_zero() {
        return Err(Refusal::ZeroAssets);
    }
    if assets > held {
        return Err(Refusal::TransferReverted);
    }
    Ok(assets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flash_loan_is_free_and_bounded_by_the_contract_s_balance() {
        let held = U256::from(100_u8);
        assert_eq!(flash_loan(held, held), Ok(held));
        assert_eq!(flash_loan(U256::ZERO, held), Err(Refusal::ZeroAssets));
        assert_eq!(
            flash_loan(held + U256::ONE, held),
            Err(Refusal::TransferReverted)
        );
    }
}
