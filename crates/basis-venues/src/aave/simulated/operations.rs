//! Supply, withdraw, borrow, repay and e-mode.

use basis_core::instruction::{AmountOrAll, FlashLoan, Lending};
use basis_core::ledger::EntryKind;
use basis_core::num::{Quantity, U256};
use basis_core::types::{Asset, Timestamp};
use basis_protocols::aave_v3::{self, ALL, Market, Outcome, Payer, Revert};
use basis_protocols::gas::GasOperation;
use basis_sim::chain::{Changes, Transaction};
use basis_sim::lending::oracle_refusal;
use basis_sim::refusal::Refusal;

use super::reserves::ReserveState;
use super::{AAVE, ACCOUNT, Aave, MAIN, Side, US, seconds};
use crate::aave::errors::refused;

impl Aave {
    pub(super) fn supply(
        &mut self,
        transaction: &mut Transaction<'_>,
        lending: &Lending,
    ) -> Result<(), Refusal> {
        let at = self.reserve_for(lending, transaction.now())?;
        let asset = lending.asset;
        let amount = transaction.of_wallet(asset, lending.amount);
        let units = transaction.units(asset, amount)?;
        transaction.pay(asset, amount)?;
        let (id, now) = (self.cell(at)?.listed()?.id, seconds(transaction.now())?);
        let outcome = self.market.supply(US, id, units, now).map_err(refused)?;
        transaction.spend_gas(GasOperation::AaveSupply.gas());
        self.book(transaction, at, Side::Supply, &outcome, false)
    }

    pub(super) fn withdraw(
        &mut self,
        transaction: &mut Transaction<'_>,
        lending: &Lending,
    ) -> Result<(), Refusal> {
        let at = self.reserve_for(lending, transaction.now())?;
        let asset = lending.asset;
        let units = match lending.amount {
            AmountOrAll::Exactly(amount) => transaction.units(asset, amount)?,
            AmountOrAll::All => ALL,
        };
        if self.owes()? {
            self.require_prices(None, transaction.now())?;
        }
        let (id, now) = (self.cell(at)?.listed()?.id, seconds(transaction.now())?);
        let outcome = match self.market.withdraw(US, id, units, now) {
            Ok(outcome) => outcome,
            Err(e) => {
                let cell = self.cell(at)?;
                let wanted = match lending.amount {
                    AmountOrAll::Exactly(amount) => amount,
                    AmountOrAll::All => self.balance(cell, Side::Supply)?,
                };
                return Err(self.short(e, cell, wanted));
            }
        };
        transaction.spend_gas(GasOperation::AaveWithdraw.gas());
        self.book(transaction, at, Side::Supply, &outcome, true)?;
        let amount = self.cell(at)?.listed()?.units(outcome.amount)?;
        transaction.receive(asset, amount)
    }

    pub(super) fn borrow(
        &mut self,
        transaction: &mut Transaction<'_>,
        lending: &Lending,
    ) -> Result<(), Refusal> {
        let at = self.reserve_for(lending, transaction.now())?;
        let asset = lending.asset;
        let AmountOrAll::Exactly(amount) = lending.amount else {
            return Err(Refusal::invalid(format!(
                "a borrow names its amount: `all` of {asset} says not how much"
            )));
        };
        let units = transaction.units(asset, amount)?;
        self.require_prices(Some(asset), transaction.now())?;
        let (id, now) = (self.cell(at)?.listed()?.id, seconds(transaction.now())?);
        let outcome = match self.market.borrow(US, id, units, now) {
            Ok(outcome) => outcome,
            Err(e) => return Err(self.short(e, self.cell(at)?, amount)),
        };
        transaction.spend_gas(GasOperation::AaveBorrow.gas());
        self.book(transaction, at, Side::Debt, &outcome, false)?;
        transaction.receive(asset, amount)
    }

    pub(super) fn repay(
        &mut self,
        transaction: &mut Transaction<'_>,
        lending: &Lending,
    ) -> Result<(), Refusal> {
        let at = self.reserve_for(lending, transaction.now())?;
        let asset = lending.asset;
        let units = match lending.amount {
            AmountOrAll::Exactly(amount) => transaction.units(asset, amount)?,
            AmountOrAll::All => ALL,
        };
        let (id, now) = (self.cell(at)?.listed()?.id, seconds(transaction.now())?);
        let repaid = self.market.repay(US, id, units, Payer::Debtor, now);
        let outcome = repaid.map_err(refused)?;
        let amount = self.cell(at)?.listed()?.units(outcome.amount)?;
        transaction.pay(asset, amount)?;
        transaction.spend_gas(GasOperation::AaveRepay.gas());
        self.book(transaction, at, Side::Debt, &outcome, true)
    }

    pub(super) fn set_e_mode(
        &mut self,
        transaction: &mut Transaction<'_>,
        category: u8,
    ) -> Result<(), Refusal> {
        let account = *self.market.account(US).map_err(refused)?;
        if account.collateral | account.borrowing != 0 {
            self.require_prices(None, transaction.now())?;
        }
        let now = seconds(transaction.now())?;
        let set = self.market.set_user_e_mode(US, category, now);
        set.map_err(refused)?;
        transaction.spend_gas(GasOperation::AaveSetEMode.gas());
        Ok(())
    }

    /// The market with the loan paid out, and the loan.
    pub(super) fn flash_loan(
        &self,
        transaction: &Transaction<'_>,
        loan: &FlashLoan,
    ) -> Result<(Market, aave_v3::FlashLoan), Refusal> {
        let now = transaction.now();
        let (_, cell) = self.open(loan.asset, now)?;
        let id = cell.listed()?.id;
        let units = transaction.units(loan.asset, loan.amount)?;
        let mut market = self.market.clone();
        let lent = market.begin_flash_loan(id, units, seconds(now)?);
        let lent = lent.map_err(|e| self.short(e, cell, loan.amount))?;
        Ok((market, lent))
    }

    /// Takes a flash loan back; the premium is the suppliers', us among them.
    pub(super) fn take_back(
        &mut self,
        transaction: &mut Transaction<'_>,
        loan: aave_v3::FlashLoan,
    ) -> Result<(), Refusal> {
        self.computed = None;
        let now = seconds(transaction.now())?;
        let mut reserves = self.reserves.iter();
        let lends = |cell: &ReserveState| cell.listed().is_ok_and(|l| l.id == loan.reserve);
        let Some(at) = reserves.position(lends) else {
            return Err(Refusal::invalid(format!("{AAVE} has no reserve that lent")));
        };
        let before = self.indices(at, now)?;
        let ended = self.market.end_flash_loan(loan, now);
        let _: aave_v3::FlashLoanOutcome = ended.map_err(refused)?;
        if !self.settings.own_size {
            // The recorded index has the premiums of that day in it.
            self.keep_indices(at, before)?;
            return self.note_indices(at, now);
        }
        self.note_indices(at, now)?;
        let grown = self.settle(at, Side::Supply, Quantity::ZERO)?;
        if !grown.is_zero() {
            let item = Side::Supply.item(self.cell(at)?.asset);
            let kind = Side::Supply.interest();
            transaction.book(kind, (ACCOUNT, item), Quantity::ZERO, grown)?;
        }
        self.move_rates(at, now)
    }

    fn reserve_for(&self, lending: &Lending, now: Timestamp) -> Result<usize, Refusal> {
        if let Some(market) = lending.market.filter(|market| *market != MAIN) {
            return Err(Refusal::invalid(format!(
                "{AAVE} has no market {market}; its only one is {MAIN}"
            )));
        }
        self.open(lending.asset, now).map(|(at, _)| at)
    }

    fn cell(&self, at: usize) -> Result<&ReserveState, Refusal> {
        let cell = self.reserves.get(at);
        cell.ok_or_else(|| Refusal::invalid(format!("{AAVE} has no reserve {at}")))
    }

    fn owes(&self) -> Result<bool, Refusal> {
        Ok(self.market.account(US).map_err(refused)?.borrowing != 0)
    }

    /// Refuses while a price that the pool would read is missing or too old.
    fn require_prices(&self, also: Option<Asset>, now: Timestamp) -> Result<(), Refusal> {
        for cell in &self.reserves {
            if !cell.is_held() && also != Some(cell.asset) {
                continue;
            }
            let quote = cell.oracle.map_err(|e| oracle_refusal(e, now))?;
            if !quote.state.is_tradable() {
                return Err(Refusal::stale(quote.series, now, quote.age));
            }
        }
        Ok(())
    }

    /// Books what an operation did to one side, and lets it move the rates.
    fn book(
        &mut self,
        transaction: &mut Transaction<'_>,
        at: usize,
        side: Side,
        outcome: &Outcome,
        leaves: bool,
    ) -> Result<(), Refusal> {
        let cell = self.cell(at)?;
        let listed = cell.listed()?;
        let mut quantity = listed.units(U256::from(outcome.scaled))?;
        let mut moved = listed.units(outcome.amount)?;
        if leaves {
            quantity = quantity.neg()?;
            moved = moved.neg()?;
        }
        let item = side.item(cell.asset);
        transaction.book(EntryKind::Transfer, (ACCOUNT, item), quantity, moved)?;
        let remainder = self.settle(at, side, moved)?;
        if !remainder.is_zero() {
            let kind = side.interest();
            transaction.book(kind, (ACCOUNT, item), Quantity::ZERO, remainder)?;
        }
        self.move_rates(at, seconds(transaction.now())?)
    }

    /// The pool's refusal; where arithmetic fell below zero, what the reserve holds.
    pub(super) fn short(&self, e: Revert, cell: &ReserveState, wanted: Quantity) -> Refusal {
        let cash = cell.listed().and_then(|listed| {
            let reserve = self.market.reserve(listed.id).map_err(refused)?;
            listed.units(reserve.state().cash)
        });
        match (e, cash) {
            (Revert::Arithmetic | Revert::Underlying, Ok(cash)) if cash < wanted => {
                let code = (e == Revert::Arithmetic).then_some("0x11");
                let asset = cell.asset;
                let text = format!(
                    "the reserve of {asset} holds {cash}, too little for {wanted}: the rest is lent"
                );
                Refusal::other(text, code)
            }
            _ => refused(e),
        }
    }
}
