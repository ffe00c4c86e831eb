"""What a request on chain says, what its transaction uses of gas, and what is not derived."""

from decimal import Decimal

WALLET = "wallet.main"

# Gas of a whole transaction that does only this; the table of docs/run-directory.md.
BASE, CAST, CAST_STEP, CAST_FLASH_LOAN = 21_000, 35_000, 9_000, 210_000
GAS = {
    "weth_wrap": 45_000, "weth_unwrap": 35_300, "supply": 177_000, "withdraw": 198_000, "borrow": 255_000,
    "repay": 162_000, "set_e_mode": 105_000, "uniswap_swap": 138_000, "curve_swap": 130_000,
    "uniswap_tick": 26_000, "uniswap_mint": 428_000, "uniswap_increase": 185_000, "uniswap_burn": 190_000,
    "uniswap_collect": 150_000, "curve_swap_more": 150_000, "curve_add": 230_000, "curve_remove": 180_000,
    "curve_remove_one": 210_000, "curve_remove_exactly": 230_000,
    "morpho_supply": 91_000, "morpho_withdraw": 86_000, "morpho_borrow": 94_000, "morpho_repay": 91_000,
    "morpho_supply_collateral": 57_000, "morpho_withdraw_collateral": 91_000,
    "lido_stake": 90_000, "lido_wrap": 140_000, "lido_unwrap": 115_000, "lido_request": 228_000, "lido_claim": 90_000,
    "etherfi_stake": 91_000, "etherfi_wrap": 161_000, "etherfi_unwrap": 101_000, "etherfi_request": 220_000,
    "etherfi_claim": 110_000, "king_claim": 130_000, "king_unwrap": 250_000,
}


def exactly(amount):
    """An exact amount, written as a plain decimal or as {"exactly": decimal}."""
    return Decimal(amount["exactly"] if isinstance(amount, dict) else amount)


class Unknown(Exception):
    """An operation whose numbers the auditor does not derive, by the name it is counted under."""
