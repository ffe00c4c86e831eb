//! The simulated pool: the market with us as its one user, moved along by the recorded rows.

mod balances;
mod curve;
mod lending_health;
mod liquidation;
mod listing;
mod operations;
mod reserves;

use basis_core::instruction::{FlashLoan, Operation};
use basis_core::num::{Bps, Fixed18, Quantity};
use basis_core::types::{Account, Asset, Item, Label, Timestamp, Venue};
use basis_core::venue::{FlashLoanTerms, Terms};
use basis_core::venue_event::{Events, LendingHealth, Position};
use basis_protocols::aave_v3::{self, AccountData, Market, Seconds, UserId};
use basis_sim::chain::{Protocol, Sync, Transaction};
use basis_sim::lending::seconds;
use basis_sim::refusal::Refusal;

use self::reserves::ReserveState;
use super::AaveSettings;
use super::errors::refused;
use super::{AAVE, OPERATIONS};

/// The only market.
const MAIN: Label = Label::literal("main");
const ACCOUNT: Account = Account::new(AAVE, MAIN);
/// We are the only user; everybody else is in the recorded totals.
const US: UserId = UserId(0);

/// The pool with our position in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Aave {
    settings: AaveSettings,
    market: Market,
    /// In the order of the settings, or of the risk table.
    reserves: Vec<ReserveState>,
    /// The instant of the last sync.
    synced_at: Option<Timestamp>,
    /// Our account as the last sync's liquidation test found it, while nothing has changed it since.
    computed: Option<(Seconds, AccountData)>,
    /// The flash loan of the group under way.
    lent: Option<aave_v3::FlashLoan>,
}

/// A side of a reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Supply,
    Debt,
}

impl Side {
    const fn item(self, asset: Asset) -> Item {
        match self {
            Self::Supply => Item::Shares(asset),
            Self::Debt => Item::Debt(asset),
        }
    }
}

impl Aave {
    pub(crate) fn new(settings: AaveSettings) -> Self {
        let mut market = Market::new(settings.version);
        // Rates come from the rows; see `curve`.
        market.hold_rates(true);
        market.set_flash_loan_premiums(settings.flash_loan_premium_bps, 0);
        // The first user of an empty market cannot be one too many.
        let us = market.add_user();
        debug_assert_eq!(us, Ok(US), "invariant: we are the first user");
        Self {
            settings,
            market,
            reserves: Vec::new(),
            synced_at: None,
            computed: None,
            lent: None,
        }
    }

    fn reserve_of(&self, asset: Asset) -> Option<(usize, &ReserveState)> {
        let reserves = self.reserves.iter().enumerate();
        reserves.into_iter().find(|(_, cell)| cell.asset == asset)
    }

    /// Whether we have anything here.
    fn holds(&self) -> bool {
        self.reserves.iter().any(ReserveState::is_held)
    }
}

impl Protocol for Aave {
    fn venue(&self) -> Venue {
        AAVE
    }

    fn snapshot(&self) -> Box<dyn Protocol> {
        Box::new(self.clone())
    }

    fn sync(&mut self, context: &Sync<'_>, events: &mut Events) -> Result<(), Refusal> {
        let now = context.view.now();
        if self.synced_at == Some(now) {
            return Ok(());
        }
        self.catch_up(context)?;
        self.synced_at = Some(now);
        self.accrue(events)?;
        self.liquidate(context.view, events)
    }

    fn next_event_at(&self) -> Option<Timestamp> {
        self.holds().then_some(Timestamp::MIN)
    }

    fn execute(
        &mut self,
        transaction: &mut Transaction<'_>,
        operation: &Operation,
    ) -> Result<(), Refusal> {
        self.computed = None;
        match operation {
            Operation::Supply(lending) => self.supply(transaction, lending),
            Operation::Withdraw(lending) => self.withdraw(transaction, lending),
            Operation::Borrow(lending) => self.borrow(transaction, lending),
            Operation::Repay(lending) => self.repay(transaction, lending),
            Operation::SetEMode(wanted) => self.set_e_mode(transaction, wanted.category),
            other => Err(Refusal::unsupported(AAVE, other.kind(), OPERATIONS)),
        }
    }

    fn positions(&self, positions: &mut Vec<Position>) -> Result<(), Refusal> {
        for cell in &self.reserves {
            for side in [Side::Supply, Side::Debt] {
                let quantity = self.scaled(cell, side)?;
                if quantity.is_zero() {
                    continue;
                }
                let units = self.balance(cell, side)?;
                let item = side.item(cell.asset);
                positions.push(Position::scaled(ACCOUNT, item, quantity, units));
            }
        }
        Ok(())
    }

    fn lending(&self, lending: &mut Vec<LendingHealth>) -> Result<(), Refusal> {
        lending.extend(self.lending_health()?);
        Ok(())
    }

    fn holding_of(&self, asset: Asset) -> Result<Quantity, Refusal> {
        match self.reserve_of(asset) {
            Some((_, cell)) => self.balance(cell, Side::Supply),
            None => Ok(Quantity::ZERO),
        }
    }

    fn accepts(&self, operation: &Operation) -> bool {
        match operation {
            Operation::Supply(lending)
            | Operation::Withdraw(lending)
            | Operation::Borrow(lending)
            | Operation::Repay(lending) => {
                lending.market.is_none_or(|market| market == MAIN)
                    && self.reserve_of(lending.asset).is_some()
            }
            Operation::SetEMode(_) => true,
            _ => false,
        }
    }

    fn flash_loan_premium(
        &self,
        transaction: &Transaction<'_>,
        loan: &FlashLoan,
    ) -> Result<Quantity, Refusal> {
        let (_, lent) = self.flash_loan(transaction, loan)?;
        transaction.amount(loan.asset, lent.premium)
    }

    fn terms(&self, context: &Sync<'_>) -> Result<Terms, Refusal> {
        let premium = Fixed18::from_int(self.settings.flash_loan_premium_bps.into());
        let mut flash_loans = Vec::new();
        for cell in &self.reserves {
            let Ok(listed) = cell.listed() else { continue };
            let reserve = self.market.reserve(listed.id).map_err(refused)?;
            flash_loans.push(FlashLoanTerms {
                asset: cell.asset,
                premium: Bps::new(premium),
                available: listed.units(reserve.state().cash)?,
            });
        }
        Ok(Terms {
            flash_loans,
            e_modes: self.e_modes(context.view.risk_parameters()),
            ..Terms::default()
        })
    }

    fn begin_flash_loan(
        &mut self,
        transaction: &mut Transaction<'_>,
        loan: &FlashLoan,
    ) -> Result<(), Refusal> {
        let (market, lent) = self.flash_loan(transaction, loan)?;
        self.market = market;
        self.lent = Some(lent);
        Ok(())
    }

    fn end_flash_loan(&mut self, transaction: &mut Transaction<'_>) -> Result<(), Refusal> {
        match self.lent.take() {
            Some(loan) => self.take_back(transaction, loan),
            None => Ok(()),
        }
    }
}
