//! The simulated contract: its markets with us as the one named user.

mod liquidation;
mod market;
mod operations;

use basis_core::instruction::{FlashLoan, Operation};
use basis_core::num::uint256::{amount_of, units_of};
use basis_core::num::{Bps, Fixed18, Quantity, Rounding, U256};
use basis_core::types::{Asset, Timestamp, Venue};
use basis_core::venue::{FlashLoanTerms, Terms};
use basis_core::venue_event::{Events, LendingHealth, Position};
use basis_protocols::morpho_blue::{self, Refusal as Revert, User};
use basis_sim::chain::{Protocol, Sync, Transaction};
use basis_sim::lending::seconds;
use basis_sim::refusal::Refusal;

use self::market::MarketState;
use super::MorphoSettings;
use super::{MORPHO, OPERATIONS};

const US: User = User(0);
const FEE_RECIPIENT: User = User(1);

/// The contract with our positions in its markets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Morpho {
    markets: Vec<MarketState>,
    /// What it holds for markets that are not ours.
    balances: Vec<(Asset, Fixed18)>,
    synced_at: Option<Timestamp>,
    /// The flash loan of the group under way, base units.
    lent: Option<(Asset, U256)>,
}

impl Morpho {
    pub(crate) fn new(settings: &MorphoSettings) -> Self {
        Self {
            markets: settings
                .markets
                .iter()
                .cloned()
                .map(MarketState::new)
                .collect(),
            balances: settings.balances.clone(),
            synced_at: None,
            lent: None,
        }
    }

    /// Refuses what would transfer more than the flash loan under way has left in the contract, whose
    /// markets share one balance. `IERC20.safeTransfer` at the end of `Morpho.withdraw`, `borrow` and
    /// `withdrawCollateral` refuses it there.
    fn require_balance(&self, transaction: &Transaction<'_>) -> Result<(), Refusal> {
        let Some((asset, lent)) = self.lent else {
            return Ok(());
        };
        let held = self.held(transaction.decimals(asset)?, asset)?;
        if held >= lent {
            return Ok(());
        }
        let missing = transaction.amount(asset, lent.saturating_sub(held))?;
        let lent = transaction.amount(asset, lent)?;
        Err(Refusal::other(
            format!(
                "{MORPHO}: {}; the contract lacks {missing} {asset} while the flash loan of {lent} is out",
                Revert::TransferReverted
            ),
            None,
        ))
    }

    /// Base units of `asset` that the contract holds over all markets, a flash loan under way included.
    fn held(&self, decimals: u32, asset: Asset) -> Result<U256, Refusal> {
        let mut held = U256::ZERO;
        for (_, balance) in self.balances.iter().filter(|(named, _)| *named == asset) {
            if balance.is_positive() {
                let units = units_of(*balance, decimals, Rounding::Down)?;
                held = held.saturating_add(units);
            }
        }
        for cell in &self.markets {
            held = held.saturating_add(cell.held(asset)?);
        }
        Ok(held)
    }
}

impl Protocol for Morpho {
    fn venue(&self) -> Venue {
        MORPHO
    }

    fn snapshot(&self) -> Box<dyn Protocol> {
        Box::new(self.clone())
    }

    fn sync(&mut self, context: &Sync<'_>, events: &mut Events) -> Result<(), Refusal> {
        let now = context.view.now();
        if self.synced_at == Some(now) {
            return Ok(());
        }
        for cell in &mut self.markets {
            cell.catch_up(context)?;
        }
        self.synced_at = Some(now);
        self.accrue(now, events)?;
        self.liquidate(context.view, events)
    }

    fn next_event_at(&self) -> Option<Timestamp> {
        let held = self.markets.iter().any(MarketState::is_held);
        held.then_some(Timestamp::MIN)
    }

    fn execute(
        &mut self,
        transaction: &mut Transaction<'_>,
        operation: &Operation,
    ) -> Result<(), Refusal> {
        match operation {
            Operation::Supply(lending) => self.supply(transaction, lending),
            Operation::Withdraw(lending) => {
                self.withdraw(transaction, lending)?;
                self.require_balance(transaction)
            }
            Operation::Borrow(lending) => {
                self.borrow(transaction, lending)?;
                self.require_balance(transaction)
            }
            Operation::Repay(lending) => self.repay(transaction, lending),
            other => Err(Refusal::unsupported(MORPHO, other.kind(), OPERATIONS)),
        }
    }

    fn positions(&self, positions: &mut Vec<Position>) -> Result<(), Refusal> {
        for cell in &self.markets {
            cell.positions(positions)?;
        }
        Ok(())
    }

    fn lending(&self, lending: &mut Vec<LendingHealth>) -> Result<(), Refusal> {
        let Some(now) = self.synced_at else {
            return Ok(());
        };
        for cell in self.markets.iter().filter(|cell| cell.is_held()) {
            lending.extend(cell.standing(now)?);
        }
        Ok(())
    }

    fn accepts(&self, operation: &Operation) -> bool {
        match operation {
            Operation::Supply(lending)
            | Operation::Withdraw(lending)
            | Operation::Borrow(lending)
            | Operation::Repay(lending) => lending.market.is_some_and(|name| {
                let mut named = self.markets.iter().filter(|cell| cell.name() == name);
                named.any(|cell| cell.has(lending.asset))
            }),
            _ => false,
        }
    }

    fn flash_loan_premium(
        &self,
        transaction: &Transaction<'_>,
        loan: &FlashLoan,
    ) -> Result<Quantity, Refusal> {
        let wanted = transaction.units(loan.asset, loan.amount)?;
        let held = self.held(transaction.decimals(loan.asset)?, loan.asset)?;
        match morpho_blue::flash_loan(wanted, held) {
            Ok(_) => Ok(Quantity::ZERO),
            Err(_) => Err(Refusal::other(
                format!(
                    "{MORPHO} holds {} {} over the markets of the run, too little to lend {}; \
                     `balances` of its settings adds what it holds in others",
                    transaction.amount(loan.asset, held)?,
                    loan.asset,
                    loan.amount
                ),
                None,
            )),
        }
    }

    fn terms(&self, context: &Sync<'_>) -> Result<Terms, Refusal> {
        let mut assets: Vec<_> = self.balances.iter().map(|(asset, _)| *asset).collect();
        let markets = self.markets.iter().map(|cell| &cell.settings);
        assets.extend(markets.flat_map(|market| [market.loan, market.collateral]));
        assets.sort();
        assets.dedup();
        let mut flash_loans = Vec::new();
        for asset in assets {
            let decimals = context.decimals(asset)?;
            let held = self.held(decimals, asset)?;
            flash_loans.push(FlashLoanTerms {
                asset,
                premium: Bps::ZERO,
                available: Quantity::new(amount_of(held, decimals, Rounding::Down)?),
            });
        }
        Ok(Terms {
            flash_loans,
            ..Terms::default()
        })
    }

    fn begin_flash_loan(
        &mut self,
        transaction: &mut Transaction<'_>,
        loan: &FlashLoan,
    ) -> Result<(), Refusal> {
        self.flash_loan_premium(transaction, loan)?;
        self.lent = Some((loan.asset, transaction.units(loan.asset, loan.amount)?));
        Ok(())
    }

    fn end_flash_loan(&mut self, _: &mut Transaction<'_>) -> Result<(), Refusal> {
        self.lent = None;
        Ok(())
    }
}
