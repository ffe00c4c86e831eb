//! The modes, one folder each, and what several of them share.

pub mod btc_basis;
mod built_in;
mod carry;
mod chain;
pub mod eth_basis;
pub mod eth_leveraged;
pub mod eth_staking_only;
mod funding;
mod hedge;
mod in_kind;
mod layout;
mod leaving;
mod legs;
pub mod pure_lending;
mod spot_allocation;
mod spot_perp;
mod spots;
mod triggers;
pub mod usdt_market_neutral;
pub mod usdt_market_neutral_no_leverage;
mod volume;

use basis_core::error::ComponentError;
use basis_engine::mode::{ModeRow, Modes};
use basis_engine::strategy::{Checkpoint, Decision};
use basis_market::MarketData;

use crate::config::{ModeConfig, Uses};
use built_in::{BuiltIn, Context, KeyedStrategy};

/// Every mode that comes with the program.
const ROWS: [ModeRow; 7] = [
    btc_basis::MODE,
    eth_basis::MODE,
    pure_lending::MODE,
    eth_staking_only::MODE,
    eth_leveraged::MODE,
    usdt_market_neutral_no_leverage::MODE,
    usdt_market_neutral::MODE,
];

/// The modes that come with the program.
///
/// # Panics
/// Never: the rows have a name each.
#[must_use]
pub fn builtin() -> Modes {
    ROWS.into_iter().fold(Modes::default(), |modes, row| {
        modes
            .with(row)
            .expect("invariant: the rows above have a name each")
    })
}

/// Any market will do.
fn any_market(_config: &ModeConfig<'_>, _data: &MarketData) -> Result<(), ComponentError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use basis_core::error::Code;

    use super::*;

    #[test]
    fn unknown_modes_get_the_nearest_one_and_the_list() {
        let e = builtin().require("btc_bass").unwrap_err();
        assert_eq!(e.code, Code::ModeUnknown);
        assert!(
            e.message.contains("did you mean `btc_basis`?"),
            "{}",
            e.message
        );
    }

    #[test]
    fn a_name_that_is_taken_is_refused() {
        let e = builtin().with(btc_basis::MODE).unwrap_err();
        assert!(e.to_string().contains("`btc_basis` has a row"), "{e}");
    }
}
