//! One transaction on the simulated chain: what it moves, what it costs, which changes it reports.

use basis_core::error::{Rejection, VenueErrorKind};
use basis_core::instruction::AmountOrAll;
use basis_core::ledger::EntryKind;
use basis_core::num::uint256::{amount_of, units_of};
use basis_core::num::{Fixed18, Price, Quantity, Rounding, U256};
use basis_core::types::{Account, Asset, InstructionId, Item, Span, Timestamp, Venue};
use basis_core::venue::DataProvider;
use basis_core::venue_event::{
    BalanceChange, EventKind, TransactionHash, TransactionStage, TransactionUpdate, VenueEvent,
};
use basis_market::{GAS_SERIES, GasFees, MarketView};

use super::{Changes, Sync};
use crate::holdings::Holdings;
use crate::refusal::Refusal;

/// Gas is paid in it.
pub const ETH: Asset = Asset::literal("ETH");

/// What most protocols take instead.
pub const WETH: Asset = Asset::literal("WETH");

/// Tokens whose balances change by themselves: no plain holding of them would stay true.
const REBASING: [Asset; 2] = [Asset::literal("stETH"), Asset::literal("eETH")];

const GWEI_PER_ETH: i64 = 1_000_000_000;

/// A transaction under way.
///
/// Every change of the wallet goes through here and is reported. Protocols change their own state and
/// report with [`Changes::book`] what that did to our holdings there.
#[derive(Debug)]
pub struct Transaction<'a> {
    view: &'a MarketView,
    data: &'a dyn DataProvider,
    instruction: InstructionId,
    hash: TransactionHash,
    wallet: &'a mut Holdings,
    changes: Vec<BalanceChange>,
    /// Exchanges so far; their numbers count up.
    exchanges: u32,
    gas_units: u64,
    waits: bool,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(
        view: &'a MarketView,
        data: &'a dyn DataProvider,
        instruction: InstructionId,
        number: u64,
        wallet: &'a mut Holdings,
    ) -> Self {
        let mut hash = [0; 32];
        for (place, byte) in hash.iter_mut().skip(24).zip(number.to_be_bytes()) {
            *place = byte;
        }
        Self {
            view,
            data,
            instruction,
            hash: TransactionHash::new(hash),
            wallet,
            changes: Vec::new(),
            exchanges: 0,
            gas_units: 0,
            waits: false,
        }
    }

    /// Market data at this instant.
    pub const fn view(&self) -> &'a MarketView {
        self.view
    }

    /// This instant.
    pub const fn now(&self) -> Timestamp {
        self.view.now()
    }

    /// The instruction that is being executed, the whole group's within a group.
    pub const fn instruction(&self) -> InstructionId {
        self.instruction
    }

    /// What a protocol may look at.
    pub const fn context(&self) -> Sync<'a> {
        Sync {
            view: self.view,
            data: self.data,
        }
    }

    /// Decimals of `asset` on the chain.
    ///
    /// # Errors
    /// A refusal when no rules file has them.
    pub fn decimals(&self, asset: Asset) -> Result<u32, Refusal> {
        decimals(self.data, asset)
    }

    /// `amount` (> 0) in base units of `asset`.
    ///
    /// # Errors
    /// A refusal for zero, less, or more digits than the asset has.
    pub fn units(&self, asset: Asset, amount: Quantity) -> Result<U256, Refusal> {
        base_units(asset, self.decimals(asset)?, amount)
    }

    /// Base units of `asset` as an amount.
    ///
    /// # Errors
    /// A refusal when an amount leaves the range.
    pub fn amount(&self, asset: Asset, units: U256) -> Result<Quantity, Refusal> {
        let decimals = self.decimals(asset)?;
        Ok(Quantity::new(amount_of(units, decimals, Rounding::Down)?))
    }

    /// What the wallet holds of `asset`.
    pub fn balance(&self, asset: Asset) -> Quantity {
        self.wallet.get(Account::WALLET, asset)
    }

    /// How much of the wallet's `asset` is meant.
    pub fn of_wallet(&self, asset: Asset, amount: AmountOrAll) -> Quantity {
        match amount {
            AmountOrAll::Exactly(amount) => amount,
            AmountOrAll::All => self.balance(asset),
        }
    }

    /// Takes `amount` of `asset` from the wallet, for something that is worth as much.
    ///
    /// # Errors
    /// A refusal when the wallet holds less.
    pub fn pay(&mut self, asset: Asset, amount: Quantity) -> Result<(), Refusal> {
        self.require(asset, amount)?;
        self.wallet_change(EntryKind::Transfer, asset, amount.neg()?)
    }

    /// Gives `amount` of `asset` to the wallet, for something that was worth as much.
    ///
    /// # Errors
    /// As [`Changes::push`].
    pub fn receive(&mut self, asset: Asset, amount: Quantity) -> Result<(), Refusal> {
        self.wallet_change(EntryKind::Transfer, asset, amount)
    }

    /// Takes a cost of `kind` from the wallet.
    ///
    /// # Errors
    /// A refusal when the wallet holds less.
    pub fn charge(
        &mut self,
        kind: EntryKind,
        asset: Asset,
        amount: Quantity,
    ) -> Result<(), Refusal> {
        if amount.is_zero() {
            return Ok(());
        }
        self.require(asset, amount)?;
        self.wallet_change(kind, asset, amount.neg()?)
    }

    /// The number of an exchange that has no sides yet.
    pub const fn next_exchange(&mut self) -> u32 {
        let number = self.exchanges;
        self.exchanges = number.saturating_add(1);
        number
    }

    /// Exchanges `given` of the wallet for `taken`. What was given prices both sides, so that what the
    /// exchange lost or gained against the marks shows as slippage.
    ///
    /// # Errors
    /// A refusal when the wallet holds less than is given.
    pub fn exchange(
        &mut self,
        (asset_in, given): (Asset, Quantity),
        (asset_out, taken): (Asset, Quantity),
    ) -> Result<(), Refusal> {
        self.require(asset_in, given)?;
        let number = self.next_exchange();
        self.give(asset_in, given, number, true)?;
        self.take(asset_out, taken, number, false)
    }

    /// The side of exchange `number` that leaves the wallet, `amount` >= 0; whether it `prices` the
    /// exchange.
    ///
    /// # Errors
    /// A refusal when the wallet holds less.
    pub fn give(
        &mut self,
        asset: Asset,
        amount: Quantity,
        number: u32,
        prices: bool,
    ) -> Result<(), Refusal> {
        let (place, amount) = ((Account::WALLET, Item::Asset(asset)), amount.neg()?);
        self.trade(place, (amount, amount), number, prices)
    }

    /// The side of exchange `number` that arrives in the wallet, `amount` >= 0; whether it `prices` the
    /// exchange.
    ///
    /// # Errors
    /// As [`Changes::push`].
    pub fn take(
        &mut self,
        asset: Asset,
        amount: Quantity,
        number: u32,
        prices: bool,
    ) -> Result<(), Refusal> {
        let place = (Account::WALLET, Item::Asset(asset));
        self.trade(place, (amount, amount), number, prices)
    }

    /// Adds the gas of an operation, counted as a transaction that does only this
    /// ([`GasOperation::gas`](basis_protocols::gas::GasOperation::gas)); within a group the steps
    /// share one bill.
    pub const fn spend_gas(&mut self, units: u64) {
        self.gas_units = self.gas_units.saturating_add(units);
    }

    /// Replaces the gas so far: one bill for a whole group.
    pub(super) const fn set_gas(&mut self, units: u64) {
        self.gas_units = units;
    }

    /// The gas so far.
    pub(super) const fn gas(&self) -> u64 {
        self.gas_units
    }

    /// What the instruction began goes on by itself: a request waits in a queue.
    pub const fn waits(&mut self) {
        self.waits = true;
    }

    /// Refuses when the wallet holds less than `needed`.
    ///
    /// # Errors
    /// A refusal with what is needed and what is there.
    pub fn require(&self, asset: Asset, needed: Quantity) -> Result<(), Refusal> {
        plain(asset)?;
        let available = self.balance(asset);
        if needed <= available {
            return Ok(());
        }
        let reason = Rejection::InsufficientBalance {
            asset,
            needed,
            available,
        };
        Err(Refusal::rejected(reason, None))
    }

    fn wallet_change(
        &mut self,
        kind: EntryKind,
        asset: Asset,
        quantity: Quantity,
    ) -> Result<(), Refusal> {
        let place = (Account::WALLET, Item::Asset(asset));
        self.book(kind, place, quantity, quantity)
    }

    /// What the gas costs in ETH: units × the recorded gas price, rounded up to the wei.
    ///
    /// # Errors
    /// A refusal when the run reads no gas series, or its newest value is too old.
    fn gas_fee(&self) -> Result<Quantity, Refusal> {
        if self.gas_units == 0 {
            return Ok(Quantity::ZERO);
        }
        let Some(slot) = self.view.row_slot::<GasFees>(GAS_SERIES) else {
            return Err(Refusal::invalid(format!(
                "the run reads no {GAS_SERIES}, so the gas of a transaction has no price"
            )));
        };
        let known = self.view.gas(slot).filter(|fees| fees.state.is_tradable());
        let Some(fees) = known else {
            let age = self.view.gas(slot).map_or(Span::ZERO, |fees| fees.age);
            return Err(Refusal::stale(GAS_SERIES, self.now(), age));
        };
        let units = Fixed18::from_int(i64::try_from(self.gas_units).unwrap_or(i64::MAX));
        let gwei = fees.row.gas_price_gwei;
        let fee = units.mul_div(gwei, Fixed18::from_int(GWEI_PER_ETH), Rounding::Up)?;
        Ok(Quantity::new(fee))
    }

    /// Pays the gas and reports the transaction of an instruction addressed to `venue`.
    pub(super) fn finish(mut self, venue: Venue) -> Result<VenueEvent, Refusal> {
        let fee = self.gas_fee()?;
        self.charge(EntryKind::Gas, ETH, fee)?;
        let now = self.now();
        let mined = TransactionUpdate {
            instruction: Some(self.instruction),
            hash: self.hash,
            inclusion: 0,
            stage: TransactionStage::Mined,
            changes: self.changes,
            waits: self.waits,
            replaced_by: None,
            error: None,
        };
        let kind = EventKind::Transaction(Box::new(mined));
        Ok(VenueEvent::new(venue, now, now, kind))
    }
}

/// Decimals of `asset` on the chain.
pub(super) fn decimals(data: &dyn DataProvider, asset: Asset) -> Result<u32, Refusal> {
    data.decimals(Venue::WALLET, asset).ok_or_else(|| {
        Refusal::invalid(format!(
            "{asset} is no known asset: its decimals are in no rules file; add it under `assets`"
        ))
    })
}

/// `amount` (> 0) in base units of `asset`, which has so many `decimals`.
///
/// # Errors
/// A refusal for zero, less, or more digits than the asset has.
pub fn base_units(asset: Asset, decimals: u32, amount: Quantity) -> Result<U256, Refusal> {
    if !amount.is_positive() {
        return Err(Refusal::invalid(format!(
            "{amount} {asset} is no amount; it must be above zero"
        )));
    }
    if amount.get().round_to_decimals(decimals, Rounding::Down)? != amount.get() {
        return Err(Refusal::invalid(format!(
            "{amount} {asset} has more than the {decimals} decimals of {asset}"
        )));
    }
    Ok(units_of(amount.get(), decimals, Rounding::Down)?)
}

/// Refuses a token of which the wallet keeps no plain holding.
fn plain(asset: Asset) -> Result<(), Refusal> {
    if REBASING.contains(&asset) {
        return Err(Refusal::invalid(format!(
            "{asset} rebases: the wallet keeps its shares, which only its own protocol moves; use the \
             wrapped token"
        )));
    }
    Ok(())
}

impl Changes for Transaction<'_> {
    fn push(&mut self, change: BalanceChange) -> Result<(), Refusal> {
        // What the run cannot value it does not do.
        let price = price_of(self.view, change.item)?;
        change.units.notional(price, Rounding::HalfEven)?;
        if let Item::Asset(asset) = change.item
            && change.account == Account::WALLET
        {
            plain(asset)?;
            if change.quantity.is_negative() {
                self.require(asset, change.quantity.neg()?)?;
            }
            self.wallet.add(change.account, asset, change.quantity)?;
        }
        self.changes.push(change);
        Ok(())
    }
}

fn asset_of(item: Item) -> Result<Asset, Refusal> {
    item.asset().ok_or_else(|| {
        Refusal::new(VenueErrorKind::InvalidRequest(format!(
            "{item} is no asset of the chain"
        )))
    })
}

/// The price the run values a unit of `asset` at, in USD.
fn price(view: &MarketView, asset: Asset) -> Result<Price, Refusal> {
    let price = match view.mark_of(asset) {
        Some(mark) => view.price_usd(mark)?,
        None => None,
    };
    price.ok_or_else(|| {
        Refusal::invalid(format!(
            "{asset} has no price: the run reads no series that values it, or it has shown nothing yet \
             (spot.*.{asset}USDT, staking_rate.*.{asset}_ETH or dex.*.{asset}WETH_*; what stands for \
             ether needs spot.*.ETHUSDT too)"
        ))
    })
}

/// The price the run values a unit of the asset behind `item` at, in USD.
///
/// # Errors
/// A refusal naming the asset when the run reads no series that prices it.
pub fn price_of(view: &MarketView, item: Item) -> Result<Price, Refusal> {
    price(view, asset_of(item)?)
}
