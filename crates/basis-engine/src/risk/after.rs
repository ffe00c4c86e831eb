//! The state after a block: how near to liquidation its legs would leave the accounts they touch.
//!
//! **Perp accounts.** Cash that leaves, or comes at once, and positions that orders change, at present
//! marks; what is on its way is nobody's collateral. Orders cost nothing here.
//!
//! **Lending accounts.** What is supplied, withdrawn, borrowed and repaid, in order, at the view's
//! prices, set in proportion to what the protocol makes of the account. The liquidation threshold stays
//! that of the whole collateral, so where assets of different thresholds stand together a result is an
//! approximation. What an efficiency mode would make of a debt nobody here knows.

use basis_core::error::ComponentError;
use basis_core::instruction::{
    AmountOrAll, Instruction, Lending, Operation, OperationKind, PerpTrade, Transfer,
};
use basis_core::num::{Fixed18, MathError, Price, Quantity, Rate, Rounding, Value};
use basis_core::plan::Block;
use basis_core::rules::RuleBook;
use basis_core::types::{Account, Asset, InstrumentKey, InstrumentKind, Item, Span, Venue};
use basis_market::{Mark, MarketView};
use basis_protocols::exchange;

use super::Pool;
use crate::account::{Books, Exposure, Holding, liquidation_distance};

/// How much faster collateral may leave than what it stands for, where both do: what sells the
/// collateral of a loan to repay it loses a part on the way.
const LEAVING_COST: Rate = Rate::literal("0.05");

/// An operation, and where it was addressed to.
pub(super) type Cause = (OperationKind, Venue);

/// What an account stands on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Collateral {
    /// Cross margin of a perp account, isolated positions apart.
    Margin(Pool),
    /// A lending account, in its protocol's base currency.
    Lending {
        collateral: Value,
        debt: Value,
        threshold: Rate,
    },
}

impl Collateral {
    /// Distance, or health factor; `None` without a position or a debt, or where no move liquidates.
    pub(super) fn measure(self) -> Result<Option<Rate>, ComponentError> {
        match self {
            Self::Margin(pool) => {
                let amounts = (pool.balance, pool.maintenance);
                let found = liquidation_distance(amounts, (pool.slope, pool.net_notional));
                let needs = pool.maintenance.is_positive();
                Ok(found.filter(|_| needs).map(|(distance, _)| distance))
            }
            Self::Lending {
                collateral,
                debt,
                threshold,
            } => {
                if !debt.is_positive() {
                    return Ok(None);
                }
                let covered = collateral.at_rate(threshold, Rounding::Floor)?;
                let factor = covered.ratio(debt, Rounding::Floor);
                Ok(Some(factor.unwrap_or(Rate::new(Fixed18::MAX))))
            }
        }
    }

    /// What stands there, and what it stands for.
    const fn sides(self) -> (Value, Value) {
        match self {
            Self::Margin(pool) => (pool.balance, pool.maintenance),
            Self::Lending {
                collateral, debt, ..
            } => (collateral, debt),
        }
    }

    /// Whether collateral left `before` no faster than what it stood for, but for [`LEAVING_COST`].
    fn shrank_from(self, before: Self) -> Result<bool, ComponentError> {
        let ((stood, needed), (stands, needs)) = (before.sides(), self.sides());
        if needs >= needed || !stood.is_positive() {
            return Ok(false);
        }
        let closed = Rate::ONE.sub(needs.ratio(needed, Rounding::Up)?)?;
        let most = closed.mul(Rate::ONE.add(LEAVING_COST)?, Rounding::Floor)?;
        Ok(stood.sub(stands)? <= stood.at_rate(most, Rounding::Floor)?)
    }

    /// Whether `self` is nearer to liquidation than `before`.
    fn is_worse_than(self, before: Self) -> Result<bool, ComponentError> {
        Ok(match (before.measure()?, self.measure()?) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(before), Some(after)) => after < before,
        })
    }
}

/// One account before and after.
#[derive(Clone, Copy, Debug)]
pub(super) struct AccountAfter {
    pub(super) account: Account,
    pub(super) before: Collateral,
    pub(super) after: Collateral,
    /// The last leg that brought it nearer to liquidation.
    pub(super) worsened_by: Option<Cause>,
    /// A change of efficiency mode while something was owed.
    pub(super) mode_changed_by: Option<Cause>,
}

impl AccountAfter {
    const fn of(account: Account, before: Collateral) -> Self {
        Self {
            account,
            before,
            after: before,
            worsened_by: None,
            mode_changed_by: None,
        }
    }

    /// Whether it stands better after the block.
    pub(super) fn is_better(&self) -> Result<bool, ComponentError> {
        self.before.is_worse_than(self.after)
    }

    /// Whether it stands worse after the block, which did not merely shrink it.
    pub(super) fn is_worse(&self) -> Result<bool, ComponentError> {
        let worse = self.after.is_worse_than(self.before)?;
        Ok(worse && !self.after.shrank_from(self.before)?)
    }

    /// Whether what brought it nearer to liquidation takes collateral away.
    pub(super) fn loses_collateral(&self) -> bool {
        let takes = [OperationKind::Transfer, OperationKind::Withdraw];
        self.worsened_by
            .is_some_and(|(operation, _)| takes.contains(&operation))
    }

    fn set(&mut self, after: Collateral, cause: Cause) -> Result<(), ComponentError> {
        if after.is_worse_than(self.after)? {
            self.worsened_by = Some(cause);
        }
        self.after = after;
        Ok(())
    }
}

/// All accounts before and after a block.
#[derive(Debug)]
pub(super) struct StateAfter<'a> {
    books: &'a Books,
    view: &'a MarketView,
    rules: &'a RuleBook,
    pub(super) accounts: Vec<AccountAfter>,
}

impl<'a> StateAfter<'a> {
    /// The accounts of `exposure` after `block`.
    pub(super) fn of(
        block: &Block,
        books: &'a Books,
        exposure: &Exposure,
        view: &'a MarketView,
        rules: &'a RuleBook,
    ) -> Result<Self, ComponentError> {
        let mut accounts = Vec::new();
        for pool in cross_margins(exposure) {
            let pool = pool?;
            accounts.push(AccountAfter::of(pool.account, Collateral::Margin(pool)));
        }
        accounts.extend(exposure.lending.iter().map(|lender| {
            let lending = Collateral::Lending {
                collateral: lender.collateral,
                debt: lender.debt,
                threshold: lender.liquidation_threshold,
            };
            AccountAfter::of(lender.account, lending)
        }));
        let mut state = Self {
            books,
            view,
            rules,
            accounts,
        };
        for leg in &block.legs {
            state.apply(&leg.instruction, leg.venue, exposure)?;
        }
        Ok(state)
    }

    fn apply(
        &mut self,
        instruction: &Instruction,
        venue: Venue,
        exposure: &Exposure,
    ) -> Result<(), ComponentError> {
        let operation = &instruction.operation;
        let cause = (operation.kind(), venue);
        let at = Some(venue);
        match operation {
            Operation::Transfer(transfer) => self.transfer(transfer, cause),
            Operation::PerpTrade(trade) => {
                let key = InstrumentKey::new(venue, InstrumentKind::Perp, trade.symbol)
                    .sided(trade.position_side);
                let is_isolated = exposure.isolated.iter().any(|own| own.instrument == key);
                if is_isolated {
                    return Ok(());
                }
                self.trade(key, trade, cause)
            }
            Operation::Atomic(steps) => {
                for step in steps {
                    let operation = &step.operation;
                    let cause = (operation.kind(), step.venue.unwrap_or(venue));
                    self.on_chain(operation, step.venue, cause)?;
                }
                Ok(())
            }
            other => self.on_chain(other, at, cause),
        }
    }

    fn on_chain(
        &mut self,
        operation: &Operation,
        venue: Option<Venue>,
        cause: Cause,
    ) -> Result<(), ComponentError> {
        match operation {
            Operation::Supply(lending)
            | Operation::Withdraw(lending)
            | Operation::Borrow(lending)
            | Operation::Repay(lending) => self.lend(lending, venue, cause),
            Operation::SetEMode(_) => {
                let owes = |account: &AccountAfter| match account.after {
                    Collateral::Lending { debt, .. } => debt.is_positive(),
                    Collateral::Margin(_) => false,
                };
                let accounts = self.accounts.iter_mut();
                let at = accounts.filter(|a| venue.is_none_or(|venue| a.account.venue == venue));
                for account in at.filter(|account| owes(account)) {
                    account.mode_changed_by = Some(cause);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn account(&mut self, account: Account) -> Option<&mut AccountAfter> {
        self.accounts.iter_mut().find(|a| a.account == account)
    }

    fn transfer(&mut self, transfer: &Transfer, cause: Cause) -> Result<(), ComponentError> {
        let is_collateral = self.view.mark_of(transfer.asset) == Some(Mark::Par);
        if !is_collateral {
            return Ok(());
        }
        let amount = Value::new(transfer.amount.get());
        self.move_cash(transfer.from, amount.neg()?, cause)?;
        let rules = self.rules.venue(transfer.from.venue);
        let rules = rules.map(|rules| rules.at(self.view.now()));
        let at_once = rules.is_some_and(|rules| rules.transfers.internal_delay == Span::ZERO);
        if transfer.to.venue == transfer.from.venue && at_once {
            self.move_cash(transfer.to, amount, cause)?;
        }
        Ok(())
    }

    fn move_cash(
        &mut self,
        account: Account,
        amount: Value,
        cause: Cause,
    ) -> Result<(), ComponentError> {
        self.change_margin(account, cause, |pool| {
            pool.balance = pool.balance.add(amount)?;
            Ok(())
        })
    }

    /// Changes the pool of `account`, where it is one of margin.
    fn change_margin(
        &mut self,
        account: Account,
        cause: Cause,
        change: impl FnOnce(&mut Pool) -> Result<(), ComponentError>,
    ) -> Result<(), ComponentError> {
        let Some(account) = self.account(account) else {
            return Ok(());
        };
        let Collateral::Margin(mut pool) = account.after else {
            return Ok(());
        };
        change(&mut pool)?;
        account.set(Collateral::Margin(pool), cause)
    }

    /// Changes the maintenance margin by what a trade changes of that of its position.
    fn trade(
        &mut self,
        key: InstrumentKey,
        trade: &PerpTrade,
        cause: Cause,
    ) -> Result<(), ComponentError> {
        let holdings = self.books.holdings().iter();
        let mut of_key = holdings.filter(|held| held.item == Item::Position(key));
        let Some(held) = of_key.find(|held| !held.quantity.is_zero()) else {
            return Ok(());
        };
        let rules = self.rules.venue(key.venue);
        let rules = rules.map(|rules| rules.at(self.view.now()));
        let rules = rules.and_then(|rules| rules.instrument(key.kind, key.symbol));
        let Some(perp) = rules.and_then(|rules| rules.perp.as_ref()) else {
            return Ok(());
        };
        let change = Quantity::new(trade.quantity.get().mul_int(trade.side.sign())?);
        let mut left = held.quantity.add(change)?;
        if trade.reduce_only && left.signum() != held.quantity.signum() {
            left = Quantity::ZERO;
        }
        let (size, notional) = (held.quantity.abs()?, held.value.abs()?);
        let part = left.abs()?.ratio(size, Rounding::Ceil)?;
        let before = exchange::margin::maintenance_parts(perp, size, notional)?;
        let kept = notional.at_rate(part, Rounding::Ceil)?;
        let after = exchange::margin::maintenance_parts(perp, left.abs()?, kept)?;
        let signed = if left.is_negative() {
            kept.neg()?
        } else {
            kept
        };
        let turned = signed.sub(held.value)?;
        self.change_margin(held.account, cause, |pool| {
            let maintenance = pool.maintenance.sub(before.0.sub(before.1)?)?;
            let maintenance = maintenance.add(after.0.sub(after.1)?)?;
            pool.maintenance = maintenance.max(Value::ZERO);
            pool.slope = pool.slope.sub(before.0)?.add(after.0)?.max(Value::ZERO);
            pool.net_notional = pool.net_notional.add(turned)?;
            Ok(())
        })
    }

    fn lend(
        &mut self,
        lending: &Lending,
        venue: Option<Venue>,
        cause: Cause,
    ) -> Result<(), ComponentError> {
        let (is_debt, grows) = match cause.0 {
            OperationKind::Supply => (false, true),
            OperationKind::Withdraw => (false, false),
            OperationKind::Borrow => (true, true),
            _ => (true, false),
        };
        let Some(account) = self.lender(lending, venue) else {
            return Ok(());
        };
        let Some(item) = self.side(account, is_debt, lending.asset) else {
            return Ok(());
        };
        let (moved, whole) = self.value_moved(account, item, lending, grows)?;
        let Some(state) = self.account(account) else {
            return Ok(());
        };
        let (
            Collateral::Lending {
                mut collateral,
                mut debt,
                threshold,
            },
            Collateral::Lending {
                collateral: collateral_before,
                debt: debt_before,
                ..
            },
        ) = (state.after, state.before)
        else {
            return Ok(());
        };
        let (side, base) = if is_debt {
            (&mut debt, debt_before)
        } else {
            (&mut collateral, collateral_before)
        };
        *side = if !grows && moved >= whole {
            Value::ZERO
        } else {
            // The protocol may count in another currency than USD, and by other prices than marks.
            let moved = if whole.is_positive() && base.is_positive() {
                moved.at_rate(base.ratio(whole, Rounding::HalfEven)?, Rounding::HalfEven)?
            } else {
                moved
            };
            let after = if grows {
                side.add(moved)?
            } else {
                side.sub(moved)?
            };
            after.max(Value::ZERO)
        };
        let after = Collateral::Lending {
            collateral,
            debt,
            threshold,
        };
        state.set(after, cause)
    }

    /// The lending account that an operation goes to, among those that hold something.
    fn lender(&self, lending: &Lending, venue: Option<Venue>) -> Option<Account> {
        let accounts = self.accounts.iter().filter(|account| {
            matches!(account.before, Collateral::Lending { .. })
                && venue.is_none_or(|venue| account.account.venue == venue)
                && lending
                    .market
                    .is_none_or(|name| account.account.name == name)
        });
        let accounts: Vec<_> = accounts.map(|account| account.account).collect();
        let has = |account: &&Account| {
            let held = self.held(**account);
            held.into_iter()
                .any(|held| held.item.asset() == Some(lending.asset))
        };
        match accounts.as_slice() {
            [only] => Some(*only),
            several => several.iter().find(has).copied(),
        }
    }

    fn held(&self, account: Account) -> impl Iterator<Item = &'a Holding> {
        let holdings = self.books.holdings().iter();
        holdings.filter(move |held| held.account == account && !held.quantity.is_zero())
    }

    /// What an operation with `asset` changes on one side of a lending account; `None` where that is no
    /// collateral: Morpho lends out what is supplied in the borrowed asset, and holds collateral as it is.
    fn side(&self, account: Account, is_debt: bool, asset: Asset) -> Option<Item> {
        if is_debt {
            return Some(Item::Debt(asset));
        }
        let mut assets = self
            .held(account)
            .filter(|held| matches!(held.item, Item::Asset(_)))
            .peekable();
        if assets.peek().is_none() {
            return Some(Item::Shares(asset));
        }
        let item = Item::Asset(asset);
        assets.any(|held| held.item == item).then_some(item)
    }

    /// USD value of what an operation moves, and of all that stands on its side of the account.
    fn value_moved(
        &self,
        account: Account,
        item: Item,
        lending: &Lending,
        grows: bool,
    ) -> Result<(Value, Value), ComponentError> {
        let side = self.held(account).filter(|held| is_alike(held.item, item));
        let whole = side
            .map(|held| held.value.abs())
            .try_fold(Value::ZERO, |sum, value| -> Result<Value, ComponentError> {
                Ok(sum.add(value?)?)
            })?;
        let held = self.books.holding(account, item);
        let owned = held.map_or(Quantity::ZERO, |held| held.units);
        let units = match lending.amount {
            AmountOrAll::Exactly(units) => units,
            AmountOrAll::All if grows => {
                let item = Item::Asset(lending.asset);
                self.books.quantity(Account::WALLET, item)
            }
            AmountOrAll::All => owned,
        };
        if !grows && units >= owned {
            let value = held.map_or(Ok(Value::ZERO), |held| held.value.abs())?;
            return Ok((value, whole));
        }
        let price = match self.view.mark_of(lending.asset) {
            Some(mark) => self.view.price_usd(mark)?,
            None => None,
        };
        let moved = units.notional(price.unwrap_or(Price::ZERO), Rounding::HalfEven)?;
        Ok((moved, whole))
    }
}

/// Whether two items stand on the same side of a lending account.
const fn is_alike(a: Item, b: Item) -> bool {
    matches!(
        (a, b),
        (Item::Debt(_), Item::Debt(_))
            | (Item::Shares(_), Item::Shares(_))
            | (Item::Asset(_), Item::Asset(_))
    )
}

/// The cross margin of every perp account, without what isolated positions keep.
pub(super) fn cross_margins(
    exposure: &Exposure,
) -> impl Iterator<Item = Result<Pool, MathError>> + '_ {
    exposure.margins.iter().map(|margin| {
        let mut pool = Pool {
            account: margin.account,
            isolated: false,
            balance: margin.margin_balance,
            maintenance: margin.maintenance_margin,
            slope: margin.maintenance_slope,
            net_notional: margin.net_notional,
        };
        for own in &exposure.isolated {
            if own.account == margin.account {
                pool.balance = pool.balance.sub(own.margin_balance)?;
                pool.maintenance = pool.maintenance.sub(own.maintenance_margin)?;
                pool.slope = pool.slope.sub(own.maintenance_slope)?;
                pool.net_notional = pool.net_notional.sub(own.net_notional)?;
            }
        }
        Ok(pool)
    })
}
