//! A leveraged stake: a liquid staking token as collateral against WETH debt, built, shrunk and left by
//! one transaction each, with a flash loan in front.
//!
//! With C the collateral and D the debt in ETH at the protocol's rate, and p what a flash loan costs of its
//! amount: to bring own capital e in at a debt ratio ℓ, borrow F = (ℓ × (C + e) − D) ÷ (1 + p − ℓ), stake
//! e + F, supply it, and repay F × (1 + p) out of the new debt. To shrink the debt by x, repay it from the flash loan, withdraw and sell
//! enough of the token to repay that. A step that would pass the pool's limit reverts whole. What a flash
//! loan costs, who has enough to give it and which efficiency mode is entered, the venues say; the least
//! that it costs is a rule of the venue that runs the groups.

use basis_core::error::{Code, ComponentError};
use basis_core::instruction::{AmountOrAll, FlashLoan, Instruction, Lending, Operation, SetEMode};
use basis_core::num::{Bps, Fixed18, Quantity, Rate, Rounding};
use basis_core::plan::Leg;
use basis_core::types::{Asset, Item, Venue};

use super::super::Context;
use super::places::Places;
use super::stake::{GROUPS, Token, group};
use super::{ETH, WETH, floor_to_unit, settings};

/// A flash loan of WETH: who gives it, how much, and what is returned with the premium.
#[derive(Clone, Copy, Debug)]
struct Borrowed {
    lender: Venue,
    loan: Quantity,
    due: Quantity,
}

/// The loop as it stands.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Loop {
    /// The token.
    pub(in super::super) token: Token,
    /// Who lends.
    pub(in super::super) venue: Venue,
    /// Collateral, units of the token.
    pub(in super::super) collateral: Quantity,
    /// Debt, WETH.
    pub(in super::super) debt: Quantity,
    /// Collateral in ETH at the protocol's rate.
    pub(in super::super) collateral_ether: Quantity,
}

impl Loop {
    /// Reads the loop from the books.
    ///
    /// # Errors
    /// EXP-001 before the token has shown a rate; POS-002 out of range.
    pub(in super::super) fn read(
        context: &Context<'_>,
        places: &Places,
    ) -> Result<Self, ComponentError> {
        let token = places.token;
        let units = |at| {
            let holding = context.books.holding_at(at);
            holding.map(|held| held.units).unwrap_or_default()
        };
        let collateral = units(places.collateral);
        let collateral_ether = if collateral.is_zero() {
            Quantity::ZERO
        } else {
            token.ether(context, collateral)?
        };
        Ok(Self {
            token,
            venue: settings(context)?.lending_venue,
            collateral,
            debt: units(places.debt),
            collateral_ether,
        })
    }

    /// Whether nothing is supplied or owed.
    pub(in super::super) const fn is_empty(&self) -> bool {
        self.collateral.is_zero() && self.debt.is_zero()
    }

    /// Collateral less debt, in ETH at the protocol's rate.
    ///
    /// # Errors
    /// POS-002 out of range.
    pub(in super::super) fn equity(&self) -> Result<Quantity, ComponentError> {
        Ok(self.collateral_ether.sub(self.debt)?)
    }

    /// Debt over collateral at the protocol's rate.
    ///
    /// # Errors
    /// POS-002 out of range.
    pub(in super::super) fn ltv(&self) -> Result<Rate, ComponentError> {
        if self.collateral_ether.is_zero() {
            return Ok(Rate::ZERO);
        }
        Ok(self.debt.ratio(self.collateral_ether, Rounding::Up)?)
    }

    /// The transaction that brings `own` ETH of the wallet in and the debt ratio to `ltv`; `None` when
    /// that takes no more debt.
    ///
    /// # Errors
    /// POS-002 out of range; STRAT-001 for an asset without decimals.
    pub(in super::super) fn grow(
        &self,
        context: &Context<'_>,
        own: Quantity,
        ltv: Rate,
    ) -> Result<Option<Leg>, ComponentError> {
        let whole = self.collateral_ether.add(own)?;
        let wanted = whole.at_rate(ltv, Rounding::Floor)?.sub(self.debt)?;
        if !wanted.is_positive() {
            return Ok(None);
        }
        let drawn = |lender| lender == self.venue;
        // Who has enough is asked for more than is borrowed in the end: what a loan costs is not known yet.
        let loan = wanted.div_rate(Rate::ONE.sub(ltv)?, Rounding::Floor)?;
        let loan = floor_to_unit(context, WETH, loan)?;
        // The lending venue would have to find the loan and the new debt.
        let cost = borrow(context, loan, drawn)?.cost()?;
        let cost = Rate::new(cost.get().div(loan.get(), Rounding::Ceil)?);
        let kept = Rate::ONE.add(cost)?.sub(ltv)?;
        let loan = wanted.div_rate(kept, Rounding::Floor)?;
        let flash = borrow(context, floor_to_unit(context, WETH, loan)?, drawn)?;
        let mut steps = vec![flash.step()];
        steps.extend(self.token.stake_steps(context, own, loan)?);
        steps.push(self.lend(Operation::Supply, self.token.asset, AmountOrAll::All));
        // Collateral without debt may have been supplied without it.
        if self.debt.is_zero() {
            let category = self.e_mode(context)?;
            let mode = Operation::SetEMode(SetEMode { category });
            steps.push(Instruction::step(self.venue, mode));
        }
        let borrowed = AmountOrAll::Exactly(flash.due);
        steps.push(self.lend(Operation::Borrow, WETH, borrowed));
        Ok(Some(group(steps)))
    }

    /// The transaction that brings `own` ETH of the wallet in without any debt.
    ///
    /// # Errors
    /// As [`Loop::grow`].
    pub(in super::super) fn supply(
        &self,
        context: &Context<'_>,
        own: Quantity,
    ) -> Result<Leg, ComponentError> {
        let mut steps = self.token.stake_steps(context, own, Quantity::ZERO)?;
        steps.push(self.lend(Operation::Supply, self.token.asset, AmountOrAll::All));
        Ok(group(steps))
    }

    /// The transaction that repays `debt` out of the collateral and takes `more` units of the token
    /// with it into the wallet as WETH.
    ///
    /// # Errors
    /// As [`Loop::grow`].
    pub(in super::super) fn shrink(
        &self,
        context: &Context<'_>,
        debt: Quantity,
        more: Quantity,
    ) -> Result<Leg, ComponentError> {
        let debt = floor_to_unit(context, WETH, debt.min(self.debt))?;
        let flash = borrow(context, debt, |_| false)?;
        let units = self.sold_for(context, flash.due)?.add(more)?;
        let units = units.min(self.collateral);
        let repaid = if debt == self.debt {
            AmountOrAll::All
        } else {
            AmountOrAll::Exactly(debt)
        };
        self.unwind(flash, repaid, units, context)
    }

    /// Whether the pool takes the sale that repaying `debt` needs now.
    ///
    /// # Errors
    /// As [`Loop::grow`].
    pub(in super::super) fn pool_takes(
        &self,
        context: &Context<'_>,
        debt: Quantity,
    ) -> Result<bool, ComponentError> {
        let debt = floor_to_unit(context, WETH, debt.min(self.debt))?;
        let due = borrow(context, debt, |_| false)?.due;
        let units = self.sold_for(context, due)?.min(self.collateral);
        let sale = self.token.sale(context, units, due)?;
        let Operation::Swap(swap) = &sale.operation else {
            return Ok(false);
        };
        let quote = context.venues.quote(self.token.market, swap, context.view);
        Ok(quote.is_some())
    }

    /// The transaction that repays everything, withdraws everything and sells it for WETH.
    ///
    /// # Errors
    /// As [`Loop::grow`].
    pub(in super::super) fn close(&self, context: &Context<'_>) -> Result<Leg, ComponentError> {
        if self.debt.is_zero() {
            let token = self.token;
            let steps = vec![
                self.lend(Operation::Withdraw, token.asset, AmountOrAll::All),
                token.sale(context, self.collateral, Quantity::ZERO)?,
            ];
            return Ok(group(steps));
        }
        let flash = borrow(context, self.debt, |_| false)?;
        self.unwind(flash, AmountOrAll::All, self.collateral, context)
    }

    /// The transaction that leaves with `part` of the loop, 0 to 1, at the debt ratio it has.
    ///
    /// # Errors
    /// As [`Loop::grow`].
    pub(in super::super) fn leave(
        &self,
        context: &Context<'_>,
        part: Rate,
    ) -> Result<Leg, ComponentError> {
        if part >= Rate::ONE || self.debt.is_zero() {
            return self.close(context);
        }
        let debt = self.debt.at_rate(part, Rounding::Ceil)?;
        let debt = floor_to_unit(context, WETH, debt)?;
        let flash = borrow(context, debt, |_| false)?;
        let share = self.collateral.at_rate(part, Rounding::Floor)?;
        let share = floor_to_unit(context, self.token.asset, share)?;
        let units = share
            .max(self.sold_for(context, flash.due)?)
            .min(self.collateral);
        let repaid = AmountOrAll::Exactly(debt);
        self.unwind(flash, repaid, units, context)
    }

    fn unwind(
        &self,
        flash: Borrowed,
        repaid: AmountOrAll,
        units: Quantity,
        context: &Context<'_>,
    ) -> Result<Leg, ComponentError> {
        let withdrawn = if units == self.collateral && repaid == AmountOrAll::All {
            AmountOrAll::All
        } else {
            AmountOrAll::Exactly(units)
        };
        Ok(group(vec![
            flash.step(),
            self.lend(Operation::Repay, WETH, repaid),
            self.lend(Operation::Withdraw, self.token.asset, withdrawn),
            self.token.sale(context, units, flash.due)?,
        ]))
    }

    /// Units of the token that bring at least `due` WETH in the pool, with room for its fee and our own
    /// impact.
    fn sold_for(&self, context: &Context<'_>, due: Quantity) -> Result<Quantity, ComponentError> {
        let fair = self.token.rate_now(context).unwrap_or(Fixed18::ONE);
        let market = self.token.market_rate_now(context).unwrap_or(fair);
        let kept = Rate::ONE.sub(settings(context)?.max_slippage.to_rate(Rounding::Up)?)?;
        let rate = Rate::new(market.min(fair)).mul(kept, Rounding::Floor)?;
        let units = due.div_rate(rate, Rounding::Ceil)?;
        floor_to_unit(context, self.token.asset, units)
    }

    /// The efficiency mode of the lending venue that token and debt are both in.
    fn e_mode(&self, context: &Context<'_>) -> Result<u8, ComponentError> {
        let (token, venue) = (self.token.asset, self.venue);
        let modes = context.terms(venue)?.e_modes;
        let fits = |asset: &Asset| *asset == token || *asset == WETH;
        let mode = modes
            .iter()
            .find(|mode| mode.assets.iter().filter(|asset| fits(asset)).count() == 2);
        mode.map(|mode| mode.category).ok_or_else(|| {
            let message = format!(
                "{venue} has no efficiency mode with both {token} and {WETH}, without which no such debt \
                 ratio is lent; see e-modes in aave/risk_parameters.csv"
            );
            ComponentError::new(Code::StrategyInfeasible, message)
        })
    }

    fn lend(
        &self,
        operation: fn(Lending) -> Operation,
        asset: Asset,
        amount: AmountOrAll,
    ) -> Instruction {
        let lending = Lending {
            asset,
            amount,
            market: None,
        };
        Instruction::step(self.venue, operation(lending))
    }
}

impl Borrowed {
    /// What the loan costs.
    fn cost(&self) -> Result<Quantity, ComponentError> {
        Ok(self.due.sub(self.loan)?)
    }

    fn step(&self) -> Instruction {
        let loan = FlashLoan {
            asset: WETH,
            amount: self.loan,
        };
        Instruction::step(self.lender, Operation::FlashLoan(loan))
    }
}

/// A flash loan of `loan` WETH from the venue that asks the least among those that have it; of equals the
/// first of the run. Of a venue that is `drawn` on again by as much later in the group twice that must be
/// there. Where nobody has enough, the one with the most is asked, and refuses in its own words.
///
/// # Errors
/// STRAT-001 when no venue of the run gives flash loans of WETH; what a venue says when it is asked.
fn borrow(
    context: &Context<'_>,
    loan: Quantity,
    drawn: impl Fn(Venue) -> bool,
) -> Result<Borrowed, ComponentError> {
    let mut best: Option<(Venue, Offer)> = None;
    for &venue in &context.config.venues {
        for terms in context.terms(venue)?.flash_loans {
            if terms.asset != WETH {
                continue;
            }
            let premium = loan.at_rate(terms.premium.to_rate(Rounding::Up)?, Rounding::Ceil)?;
            let mut needed = loan;
            if drawn(venue) {
                needed = needed.add(loan)?.add(premium)?;
            }
            let offer = Offer {
                covers: terms.available >= needed,
                premium,
                available: terms.available,
            };
            if best.is_none_or(|(_, known)| offer.beats(&known)) {
                best = Some((venue, offer));
            }
        }
    }
    let Some((lender, offer)) = best else {
        let message = format!(
            "no venue of the run gives flash loans of {WETH}, which the leveraged stake is built with; \
             add morpho or aave to venue_settings"
        );
        return Err(ComponentError::new(Code::StrategyInfeasible, message));
    };
    Ok(Borrowed {
        lender,
        loan,
        due: loan.add(cost(context, loan, offer.premium)?)?,
    })
}

/// What a flash loan of `loan` WETH costs at the venue that asks the least.
///
/// # Errors
/// As [`borrow`].
pub(super) fn flash_loan_cost(
    context: &Context<'_>,
    loan: Quantity,
) -> Result<Quantity, ComponentError> {
    if loan.is_zero() {
        return Ok(Quantity::ZERO);
    }
    borrow(context, loan, |_| false)?.cost()
}

/// What a flash loan of `loan` WETH costs within a group when its lender asks `premium`.
fn cost(
    context: &Context<'_>,
    loan: Quantity,
    premium: Quantity,
) -> Result<Quantity, ComponentError> {
    let Some(rules) = context.rules.venue(GROUPS) else {
        return Ok(premium);
    };
    let fees = rules.at(context.view.now()).fees;
    let decimals = context.rules.asset_decimals(GROUPS, WETH);
    Ok(fees.flash_loan_cost(loan, premium, decimals.unwrap_or(18))?)
}

/// What is returned for a flash loan of `loan` WETH to `lender`.
///
/// # Errors
/// What the venue says when it is asked; POS-002 out of range.
pub(in super::super) fn due_to(
    context: &Context<'_>,
    lender: Venue,
    loan: Quantity,
) -> Result<Quantity, ComponentError> {
    let offers = context.terms(lender)?.flash_loans;
    let offer = offers.iter().find(|offer| offer.asset == WETH);
    let premium = offer.map_or(Bps::ZERO, |offer| offer.premium);
    let premium = loan.at_rate(premium.to_rate(Rounding::Up)?, Rounding::Ceil)?;
    Ok(loan.add(cost(context, loan, premium)?)?)
}

/// A flash loan that is to be had.
#[derive(Clone, Copy, Debug)]
struct Offer {
    covers: bool,
    premium: Quantity,
    available: Quantity,
}

impl Offer {
    fn beats(&self, other: &Self) -> bool {
        match (self.covers, other.covers) {
            (true, true) => self.premium < other.premium,
            (false, false) => self.available > other.available,
            (covers, _) => covers,
        }
    }
}

/// WETH that a sale left over, to be turned back into ETH.
pub(in super::super) fn leftover(context: &Context<'_>) -> Quantity {
    let wallet = basis_core::types::Account::WALLET;
    context.books.quantity(wallet, Item::Asset(WETH))
}

/// ETH of the wallet above what pays for gas.
///
/// # Errors
/// STRAT-001 in a mode without the keys of the chain; POS-002 out of range.
pub(in super::super) fn spare_ether(context: &Context<'_>) -> Result<Quantity, ComponentError> {
    let wallet = basis_core::types::Account::WALLET;
    let held = context.books.quantity(wallet, Item::Asset(ETH));
    let spare = held.sub(settings(context)?.gas_reserve)?;
    Ok(spare.max(Quantity::ZERO))
}
