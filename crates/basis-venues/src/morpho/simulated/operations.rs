//! Supply, withdraw, borrow and repay, of the loan asset or of collateral.

use basis_core::instruction::{AmountOrAll, Lending};
use basis_core::ledger::EntryKind;
use basis_core::num::{Quantity, U256};
use basis_core::types::{Item, Label};
use basis_protocols::gas::GasOperation;
use basis_protocols::morpho_blue::{AmountInput, Moved, Refusal as Revert};
use basis_sim::chain::{Changes, Transaction};
use basis_sim::lending::wrap_first;
use basis_sim::refusal::Refusal;

use super::market::{MarketState, Side};
use super::{MORPHO, Morpho, US, seconds};
use crate::morpho::errors::refused;

impl Morpho {
    pub(super) fn supply(
        &mut self,
        transaction: &mut Transaction<'_>,
        lending: &Lending,
    ) -> Result<(), Refusal> {
        let cell = self.market_for(lending)?;
        let asset = lending.asset;
        let amount = transaction.of_wallet(asset, lending.amount);
        let units = transaction.units(asset, amount)?;
        transaction.pay(asset, amount)?;
        let (name, now) = (cell.name(), seconds(transaction.now())?);
        let is_collateral = asset == cell.settings.collateral;
        let market = &mut cell.live_mut()?.market;
        if is_collateral {
            let supplied = market.supply_collateral(US, units);
            supplied.map_err(|e| refused(name, e))?;
            transaction.spend_gas(GasOperation::MorphoSupplyCollateral.gas());
            let place = (cell.account(), Item::Asset(asset));
            return transaction.book(EntryKind::Transfer, place, amount, amount);
        }
        let moved = market.supply(US, AmountInput::assets(units), now);
        let moved = moved.map_err(|e| refused(name, e))?;
        transaction.spend_gas(GasOperation::MorphoSupply.gas());
        book(transaction, cell, Side::Supply, &moved, false)
    }

    pub(super) fn withdraw(
        &mut self,
        transaction: &mut Transaction<'_>,
        lending: &Lending,
    ) -> Result<(), Refusal> {
        let cell = self.market_for(lending)?;
        if lending.asset == cell.settings.collateral {
            return withdraw_collateral(transaction, cell, lending);
        }
        let now = seconds(transaction.now())?;
        let live = cell.live_mut()?;
        let input = match lending.amount {
            AmountOrAll::Exactly(amount) => {
                AmountInput::assets(transaction.units(lending.asset, amount)?)
            }
            AmountOrAll::All => AmountInput::shares(live.market.position(US).supply_shares),
        };
        let moved = match live.market.withdraw(US, input, now) {
            Ok(moved) => moved,
            Err(e) => return Err(explained(cell, e, Side::Supply)),
        };
        transaction.spend_gas(GasOperation::MorphoWithdraw.gas());
        let amount = cell.live()?.loan(moved.assets)?;
        book(transaction, cell, Side::Supply, &moved, true)?;
        transaction.receive(lending.asset, amount)
    }

    pub(super) fn borrow(
        &mut self,
        transaction: &mut Transaction<'_>,
        lending: &Lending,
    ) -> Result<(), Refusal> {
        let cell = self.loan_market_for(lending)?;
        let asset = lending.asset;
        let AmountOrAll::Exactly(amount) = lending.amount else {
            return Err(Refusal::invalid(format!(
                "a borrow names its amount: `all` of {asset} says not how much"
            )));
        };
        let units = transaction.units(asset, amount)?;
        let price = cell.fresh_price(transaction.now())?;
        let now = seconds(transaction.now())?;
        let market = &mut cell.live_mut()?.market;
        let moved = match market.borrow(US, AmountInput::assets(units), price, now) {
            Ok(moved) => moved,
            Err(e) => return Err(explained(cell, e, Side::Debt)),
        };
        transaction.spend_gas(GasOperation::MorphoBorrow.gas());
        book(transaction, cell, Side::Debt, &moved, false)?;
        transaction.receive(asset, amount)
    }

    pub(super) fn repay(
        &mut self,
        transaction: &mut Transaction<'_>,
        lending: &Lending,
    ) -> Result<(), Refusal> {
        let cell = self.loan_market_for(lending)?;
        let now = seconds(transaction.now())?;
        let market = &mut cell.live_mut()?.market;
        let input = match lending.amount {
            AmountOrAll::Exactly(amount) => {
                AmountInput::assets(transaction.units(lending.asset, amount)?)
            }
            AmountOrAll::All => AmountInput::shares(U256::from(market.position(US).borrow_shares)),
        };
        let moved = match market.repay(US, input, now) {
            Ok(moved) => moved,
            Err(e) => return Err(explained(cell, e, Side::Debt)),
        };
        let amount = cell.live()?.loan(moved.assets)?;
        transaction.pay(lending.asset, amount)?;
        transaction.spend_gas(GasOperation::MorphoRepay.gas());
        book(transaction, cell, Side::Debt, &moved, true)
    }

    /// The market that is named, else the only one that has the asset.
    fn market_for(&mut self, lending: &Lending) -> Result<&mut MarketState, Refusal> {
        wrap_first(lending.asset, MORPHO)?;
        let asset = lending.asset;
        let fits = |cell: &MarketState| match lending.market {
            Some(name) => cell.name() == name,
            None => cell.has(asset),
        };
        let fitting: Vec<_> = self.markets.iter().filter(|cell| fits(cell)).collect();
        let names = |markets: &[&MarketState]| {
            let names: Vec<_> = markets.iter().map(|cell| cell.name().to_string()).collect();
            names.join(", ")
        };
        match fitting.as_slice() {
            [cell] if cell.has(asset) => {}
            [cell] => {
                return Err(Refusal::invalid(format!(
                    "{MORPHO} market {} has {} and {}, not {asset}",
                    cell.name(),
                    cell.settings.loan,
                    cell.settings.collateral
                )));
            }
            [] => {
                let all: Vec<_> = self.markets.iter().collect();
                let wanted = lending.market.map_or_else(
                    || format!("market of {asset}"),
                    |name: Label| format!("market {name}"),
                );
                return Err(Refusal::invalid(format!(
                    "{MORPHO} has no {wanted} in this run (markets: {})",
                    names(&all)
                )));
            }
            several => {
                return Err(Refusal::invalid(format!(
                    "{asset} is in {}; name one in `market`",
                    names(several)
                )));
            }
        }
        let found = self.markets.iter_mut().find(|cell| fits(cell));
        found.ok_or_else(|| Refusal::invalid(format!("{MORPHO} has no market of {asset}")))
    }

    fn loan_market_for(&mut self, lending: &Lending) -> Result<&mut MarketState, Refusal> {
        let cell = self.market_for(lending)?;
        if lending.asset == cell.settings.loan {
            return Ok(cell);
        }
        Err(Refusal::invalid(format!(
            "{} is the collateral of {MORPHO} market {}; what it lends is {}",
            lending.asset,
            cell.name(),
            cell.settings.loan
        )))
    }
}

fn withdraw_collateral(
    transaction: &mut Transaction<'_>,
    cell: &mut MarketState,
    lending: &Lending,
) -> Result<(), Refusal> {
    let asset = lending.asset;
    let now = seconds(transaction.now())?;
    // Without debt the contract reads no price.
    let price = if cell.owes() {
        cell.fresh_price(transaction.now())?
    } else {
        U256::ZERO
    };
    let live = cell.live_mut()?;
    let units = match lending.amount {
        AmountOrAll::Exactly(amount) => transaction.units(asset, amount)?,
        AmountOrAll::All => U256::from(live.market.position(US).collateral),
    };
    let amount = live.collateral(units)?;
    let withdrawn = live.market.withdraw_collateral(US, units, price, now);
    if let Err(e) = withdrawn {
        let there = live.collateral(U256::from(live.market.position(US).collateral))?;
        let name = cell.name();
        return Err(match e {
            Revert::ArithmeticPanic if amount > there => Refusal::other(
                format!("{MORPHO} market {name}: {there} {asset} of collateral, not {amount}"),
                Some("0x11"),
            ),
            e => refused(name, e),
        });
    }
    transaction.spend_gas(GasOperation::MorphoWithdrawCollateral.gas());
    let change = amount.neg()?;
    let item = Item::Asset(asset);
    transaction.book(EntryKind::Transfer, (cell.account(), item), change, change)?;
    transaction.receive(asset, amount)
}

/// Books what an operation did to one side.
fn book(
    transaction: &mut Transaction<'_>,
    cell: &mut MarketState,
    side: Side,
    moved: &Moved,
    leaves: bool,
) -> Result<(), Refusal> {
    let live = cell.live()?;
    let (mut shares, mut assets) = (live.loan(moved.shares)?, live.loan(moved.assets)?);
    if leaves {
        shares = shares.neg()?;
        assets = assets.neg()?;
    }
    let account = cell.account();
    transaction.book(
        EntryKind::Transfer,
        (account, cell.item(side)),
        shares,
        assets,
    )?;
    for each in Side::BOTH {
        let part = if each == side { assets } else { Quantity::ZERO };
        let remainder = cell.settle(each, part, transaction.now())?;
        if !remainder.is_zero() {
            let (kind, item) = (each.interest(), cell.item(each));
            transaction.book(kind, (account, item), Quantity::ZERO, remainder)?;
        }
    }
    Ok(())
}

/// The contract's refusal with what it is about.
fn explained(cell: &MarketState, e: Revert, side: Side) -> Refusal {
    let (name, loan) = (cell.name(), cell.settings.loan);
    let Ok(live) = cell.live() else {
        return refused(name, e);
    };
    let held = |units: Option<U256>| {
        let units = units.unwrap_or_default();
        live.loan(units)
            .map_or_else(|_| units.to_string(), |amount| amount.to_string())
    };
    match (e, side) {
        // All of nothing: the contract is given neither assets nor shares.
        (Revert::InconsistentInput, Side::Supply) => Refusal::other(
            format!("{MORPHO} market {name}: {e}; no {loan} is supplied"),
            None,
        ),
        (Revert::InconsistentInput, Side::Debt) => Refusal::other(
            format!("{MORPHO} market {name}: {e}; no {loan} is owed"),
            None,
        ),
        (Revert::InsufficientLiquidity, _) => {
            let left = held(Some(U256::from(live.market.totals().liquidity())));
            Refusal::other(
                format!("{MORPHO} market {name}: {e}; {left} {loan} are not lent"),
                None,
            )
        }
        (Revert::ArithmeticPanic, Side::Supply) => {
            let now = live.market.last_update();
            let supplied = held(live.market.expected_supply_assets(US, now).ok());
            Refusal::other(
                format!(
                    "{MORPHO} market {name}: {e}; {supplied} {loan} are supplied, `all` takes them"
                ),
                Some("0x11"),
            )
        }
        (Revert::ArithmeticPanic, Side::Debt) => {
            let now = live.market.last_update();
            let owed = held(live.market.expected_borrow_assets(US, now).ok());
            Refusal::other(
                format!(
                    "{MORPHO} market {name}: {e}; {owed} {loan} are owed, repay `all` to pay in full"
                ),
                Some("0x11"),
            )
        }
        (e, _) => refused(name, e),
    }
}
