//! ETH into WETH and back, one for one.

use basis_core::instruction::Operation;
use basis_core::types::{Timestamp, Venue};
use basis_core::venue_event::{Events, Position};
use basis_protocols::gas::GasOperation;

use crate::chain::{ETH, Protocol, Sync, Transaction, WETH};
use crate::refusal::Refusal;

/// The contract `WETH9`: it holds nothing of ours but what it wrapped, which is in the wallet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weth;

impl Protocol for Weth {
    fn venue(&self) -> Venue {
        Venue::WALLET
    }

    fn snapshot(&self) -> Box<dyn Protocol> {
        Box::new(*self)
    }

    fn sync(&mut self, _: &Sync<'_>, _: &mut Events) -> Result<(), Refusal> {
        Ok(())
    }

    fn next_event_at(&self) -> Option<Timestamp> {
        None
    }

    fn execute(
        &mut self,
        transaction: &mut Transaction<'_>,
        operation: &Operation,
    ) -> Result<(), Refusal> {
        let (ask, (given, taken), gas) = match operation {
            Operation::Wrap(ask) => (ask, (ETH, WETH), GasOperation::WethDeposit),
            Operation::Unwrap(ask) => (ask, (WETH, ETH), GasOperation::WethWithdraw),
            other => {
                let kind = other.kind();
                return Err(Refusal::unsupported(Venue::WALLET, kind, super::OPERATIONS));
            }
        };
        if (ask.asset_in, ask.asset_out) != (given, taken) {
            return Err(Refusal::invalid(format!(
                "the wallet does not {} {} into {}; it wraps ETH into WETH and unwraps WETH into ETH",
                operation.kind(),
                ask.asset_in,
                ask.asset_out
            )));
        }
        let amount = transaction.of_wallet(given, ask.amount);
        transaction.units(given, amount)?;
        transaction.spend_gas(gas.gas());
        transaction.exchange((given, amount), (taken, amount))
    }

    fn positions(&self, _: &mut Vec<Position>) -> Result<(), Refusal> {
        Ok(())
    }

    fn accepts(&self, operation: &Operation) -> bool {
        match operation {
            Operation::Wrap(ask) => (ask.asset_in, ask.asset_out) == (ETH, WETH),
            Operation::Unwrap(ask) => (ask.asset_in, ask.asset_out) == (WETH, ETH),
            _ => false,
        }
    }
}
