//! One market: its beginning, its interest, what we have in it.

use basis_core::ledger::EntryKind;
use basis_core::num::uint256::{amount_of, mul_div_floor, units_of};
use basis_core::num::{Fixed18, Quantity, Rate, Rounding, U256, Value};
use basis_core::types::{Account, Asset, Item, Label, Timestamp};
use basis_core::venue_event::{BalanceChange, Cursor, Events, LendingHealth, Position};
use basis_market::{OracleError, OracleRatio};
use basis_protocols::morpho_blue::{
    AdaptiveCurve, InterestRateModel, Market, MarketTerms, RatePerSecond, Totals, rate_of_wad,
};
use basis_sim::chain::Sync;
use basis_sim::lending::{accrual, oracle_refusal};
use basis_sim::refusal::Refusal;

use super::{FEE_RECIPIENT, MORPHO, Morpho, US, seconds};
use crate::morpho::config::MarketSettings;
use crate::morpho::errors::refused;

/// Shares to a base unit in a market at its beginning.
const SHARES_PER_UNIT: u128 = 1_000_000;
/// Decimals of a wad.
const WAD_DECIMALS: u32 = 18;

/// A market of the run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MarketState {
    pub(super) settings: MarketSettings,
    live: Option<Live>,
    price: Result<OracleRatio, OracleError>,
}

/// A market that has begun.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Live {
    pub(super) market: Market,
    loan_decimals: u32,
    collateral_decimals: u32,
    /// What the reports say our shares stand for, and since when.
    supplied: Cursor,
    owed: Cursor,
}

/// A side of a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Supply,
    Debt,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Supply, Self::Debt];

    pub(super) const fn interest(self) -> EntryKind {
        match self {
            Self::Supply => EntryKind::Interest,
            Self::Debt => EntryKind::BorrowCost,
        }
    }
}

impl Live {
    /// The reading of a side that the last report ended with.
    const fn booked(&self, side: Side) -> Cursor {
        match side {
            Side::Supply => self.supplied,
            Side::Debt => self.owed,
        }
    }

    /// Base units of the loan asset; also shares, 10^6 to the unit.
    pub(super) fn loan(&self, units: U256) -> Result<Quantity, Refusal> {
        let amount = amount_of(units, self.loan_decimals, Rounding::Down)?;
        Ok(Quantity::new(amount))
    }

    pub(super) fn collateral(&self, units: U256) -> Result<Quantity, Refusal> {
        let amount = amount_of(units, self.collateral_decimals, Rounding::Down)?;
        Ok(Quantity::new(amount))
    }
}

impl MarketState {
    pub(super) const fn new(settings: MarketSettings) -> Self {
        let price = Err(OracleError::Unvalued(settings.collateral));
        Self {
            settings,
            live: None,
            price,
        }
    }

    pub(super) const fn name(&self) -> Label {
        self.settings.name
    }

    pub(super) const fn account(&self) -> Account {
        Account::new(MORPHO, self.settings.name)
    }

    pub(super) fn has(&self, asset: Asset) -> bool {
        asset == self.settings.loan || asset == self.settings.collateral
    }

    pub(super) const fn item(&self, side: Side) -> Item {
        match side {
            Side::Supply => Item::Shares(self.settings.loan),
            Side::Debt => Item::Debt(self.settings.loan),
        }
    }

    pub(super) fn live(&self) -> Result<&Live, Refusal> {
        let name = self.name();
        let live = self.live.as_ref();
        live.ok_or_else(|| Refusal::invalid(format!("{MORPHO} market {name} has not begun")))
    }

    pub(super) fn live_mut(&mut self) -> Result<&mut Live, Refusal> {
        let name = self.name();
        let live = self.live.as_mut();
        live.ok_or_else(|| Refusal::invalid(format!("{MORPHO} market {name} has not begun")))
    }

    pub(super) fn is_held(&self) -> bool {
        self.live.as_ref().is_some_and(|live| {
            let position = live.market.position(US);
            !position.supply_shares.is_zero()
                || position.borrow_shares != 0
                || position.collateral != 0
        })
    }

    pub(super) fn owes(&self) -> bool {
        let live = self.live.as_ref();
        live.is_some_and(|live| live.market.position(US).borrow_shares != 0)
    }

    /// Base units of `asset` that the contract holds for this market.
    pub(super) fn held(&self, asset: Asset) -> Result<U256, Refusal> {
        let Some(live) = &self.live else {
            return Ok(U256::ZERO);
        };
        Ok(if asset == self.settings.loan {
            U256::from(live.market.totals().liquidity())
        } else if asset == self.settings.collateral {
            U256::from(live.market.position(US).collateral)
        } else {
            U256::ZERO
        })
    }

    /// Begins the market, or charges interest up to the view; reads the oracle.
    pub(super) fn catch_up(&mut self, context: &Sync<'_>) -> Result<(), Refusal> {
        let now = seconds(context.view.now())?;
        let name = self.name();
        match &mut self.live {
            None => self.live = Some(self.begin(context, now)?),
            Some(live) => {
                let accrued = live.market.accrue_interest(now);
                accrued.map_err(|e| refused(name, e))?;
            }
        }
        let (collateral, loan) = (self.settings.collateral, self.settings.loan);
        self.price = context.view.protocol_ratio(collateral, loan);
        Ok(())
    }

    fn begin(&self, context: &Sync<'_>, now: u64) -> Result<Live, Refusal> {
        let settings = &self.settings;
        let loan_decimals = context.decimals(settings.loan)?;
        let units = |amount: Fixed18| -> Result<u128, Refusal> {
            let units = units_of(amount, loan_decimals, Rounding::Down)?;
            Ok(units.saturating_to())
        };
        let wad = |rate: Rate| units_of(rate.get(), WAD_DECIMALS, Rounding::Down);
        let (supplied, owed) = (units(settings.total_supply)?, units(settings.total_borrow)?);
        let rate = RatePerSecond::from_apr(settings.rate_at_target)?;
        let curve = AdaptiveCurve::new(rate.wad().saturating_to());
        let curve = curve.unwrap_or_else(AdaptiveCurve::untouched);
        let terms = MarketTerms {
            lltv_wad: wad(settings.lltv)?,
            fee_wad: wad(settings.fee)?.saturating_to(),
            fee_recipient: FEE_RECIPIENT,
            irm: InterestRateModel::AdaptiveCurve(curve),
        };
        let totals = Totals {
            supply_assets: supplied,
            supply_shares: supplied.saturating_mul(SHARES_PER_UNIT),
            borrow_assets: owed,
            borrow_shares: owed.saturating_mul(SHARES_PER_UNIT),
        };
        let market = Market::from_totals(terms, totals, now);
        let unread = Cursor {
            at: context.view.now(),
            amount: Quantity::ZERO,
        };
        Ok(Live {
            market: market.map_err(|e| refused(settings.name, e))?,
            loan_decimals,
            collateral_decimals: context.decimals(settings.collateral)?,
            supplied: unread,
            owed: unread,
        })
    }

    /// Loan base units per collateral base unit × 10^36, whatever its age.
    pub(super) fn price(&self, now: Timestamp) -> Result<U256, Refusal> {
        let live = self.live()?;
        let ratio = self.price.map_err(|e| oracle_refusal(e, now))?;
        let unit = |decimals: u32| U256::from(10_u64).pow(U256::from(decimals));
        let (loan, collateral) = (unit(live.loan_decimals), unit(live.collateral_decimals));
        Ok(mul_div_floor(ratio.scaled_1e36, loan, collateral)?)
    }

    /// The same where it is not too old.
    pub(super) fn fresh_price(&self, now: Timestamp) -> Result<U256, Refusal> {
        if let Ok(ratio) = &self.price
            && !ratio.state.is_tradable()
        {
            return Err(Refusal::stale(ratio.series, now, ratio.age));
        }
        self.price(now)
    }

    /// Our shares of a side.
    fn shares(&self, side: Side) -> Result<Quantity, Refusal> {
        let live = self.live()?;
        let position = live.market.position(US);
        live.loan(match side {
            Side::Supply => position.supply_shares,
            Side::Debt => U256::from(position.borrow_shares),
        })
    }

    /// What they stand for; interest is charged up to the last sync.
    fn balance(&self, side: Side) -> Result<Quantity, Refusal> {
        let live = self.live()?;
        let now = live.market.last_update();
        let units = match side {
            Side::Supply => live.market.expected_supply_assets(US, now),
            Side::Debt => live.market.expected_borrow_assets(US, now),
        };
        live.loan(units.map_err(|e| refused(self.name(), e))?)
    }

    /// Takes note that the reports now say what a side stands for, an operation's `moved` at `now` among
    /// them; by how much they did not.
    pub(super) fn settle(
        &mut self,
        side: Side,
        moved: Quantity,
        now: Timestamp,
    ) -> Result<Quantity, Refusal> {
        let after = self.balance(side)?;
        let live = self.live_mut()?;
        let remainder = after.sub(live.booked(side).amount)?.sub(moved)?;
        if moved.is_zero() && remainder.is_zero() {
            return Ok(remainder);
        }
        let reading = Cursor {
            at: now,
            amount: after,
        };
        match side {
            Side::Supply => live.supplied = reading,
            Side::Debt => live.owed = reading,
        }
        Ok(remainder)
    }

    pub(super) fn positions(&self, positions: &mut Vec<Position>) -> Result<(), Refusal> {
        let Some(live) = &self.live else {
            return Ok(());
        };
        let account = self.account();
        for side in Side::BOTH {
            let (shares, units) = (self.shares(side)?, self.balance(side)?);
            positions.push(Position::scaled(account, self.item(side), shares, units));
        }
        let collateral = live.collateral(U256::from(live.market.position(US).collateral))?;
        let item = Item::Asset(self.settings.collateral);
        positions.push(Position::new(account, item, collateral));
        Ok(())
    }

    /// How far we are from liquidation, in units of the loan asset; none without debt while the oracle
    /// has no price. Collateral earns nothing here: the supply rate is that of a supply of the loan
    /// asset, zero without one.
    pub(super) fn standing(&self, now: Timestamp) -> Result<Option<LendingHealth>, Refusal> {
        if self.price.is_err() && !self.owes() {
            return Ok(None);
        }
        let (live, at) = (self.live()?, seconds(now)?);
        let price = self.price(now)?;
        let rejected = |e| refused(self.name(), e);
        let health = live.market.health(US, price, at).map_err(rejected)?;
        let rates = live.market.rates(at).map_err(rejected)?;
        let supplies = !live.market.position(US).supply_shares.is_zero();
        let earned = if supplies {
            rates.supply_apr_wad
        } else {
            U256::ZERO
        };
        let value = |units| live.loan(units).map(|amount| Value::new(amount.get()));
        Ok(Some(LendingHealth {
            account: self.account(),
            collateral: value(health.collateral_value)?,
            debt: value(health.borrowed_assets)?,
            liquidation_threshold: self.settings.lltv,
            max_ltv: self.settings.lltv,
            health_factor: health.health_factor_wad.map(factor),
            supply_rate: rate_of_wad(earned)?,
            borrow_rate: rate_of_wad(rates.borrow_apr_wad)?,
        }))
    }
}

/// A health factor; one beyond the range is the end of the range.
pub(super) fn factor(wad: U256) -> Rate {
    rate_of_wad(wad).unwrap_or_else(|_| Rate::new(Fixed18::MAX))
}

impl Morpho {
    /// Reports the interest since the last reports, an event for each balance.
    pub(super) fn accrue(&mut self, now: Timestamp, events: &mut Events) -> Result<(), Refusal> {
        for cell in self.markets.iter_mut().filter(|cell| cell.is_held()) {
            for side in Side::BOTH {
                let before = cell.live()?.booked(side);
                let grown = cell.settle(side, Quantity::ZERO, now)?;
                if grown.is_zero() {
                    continue;
                }
                let place = (cell.account(), cell.item(side));
                let change = BalanceChange::scaled(side.interest(), place, Quantity::ZERO, grown);
                events.push(accrual(MORPHO, change, (before, cell.live()?.booked(side))));
            }
        }
        Ok(())
    }
}
