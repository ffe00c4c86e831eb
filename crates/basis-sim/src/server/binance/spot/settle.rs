//! What a spot trade moves: balances, fees, rebates, and what open orders hold back.

use basis_core::num::{Fixed18, Price, Quantity, Rate, Rounding, Value};
use basis_core::types::{Asset, Side, Symbol};
use basis_protocols::exchange::fees::fee_on;

use super::{DECIMALS, quote_of};
use crate::server::binance::account::Account;
use crate::server::binance::error::ApiError;
use crate::server::binance::market::{Fill, OrderKind, Status};
use crate::server::binance::orders::Ending;
use crate::server::binance::settings::Product;
use crate::server::binance::{Audience, Exchange};
use crate::server::book::Match;

const BNB: Asset = Asset::literal("BNB");

/// What of a fee is charged when it is paid in BNB.
pub(super) const fn bnb_share() -> Fixed18 {
    Fixed18::literal("0.75")
}

/// One side of a trade.
#[derive(Clone, Copy, Debug)]
struct Party {
    order: u64,
    is_maker: bool,
}

impl Exchange {
    /// Books a trade on both sides, the maker's first.
    pub(super) fn settle_spot(
        &mut self,
        symbol: Symbol,
        taker: u64,
        m: &Match,
    ) -> Result<(), ApiError> {
        let market = self.market_mut(Product::Spot, symbol)?;
        let trade = market.next_trade();
        market.last_price = Some(m.price);
        let maker = Party {
            order: m.maker,
            is_maker: true,
        };
        let taker = Party {
            order: taker,
            is_maker: false,
        };
        for party in [maker, taker] {
            self.settle_party(symbol, party, m, trade)?;
        }
        Ok(())
    }

    fn settle_party(
        &mut self,
        symbol: Symbol,
        party: Party,
        m: &Match,
        trade: u64,
    ) -> Result<(), ApiError> {
        let now = self.now;
        let bnb_price = self.settings.bnb_price;
        let market = self.market_mut(Product::Spot, symbol)?;
        let (base, quote) = (market.listing.rules.base, market.listing.rules.quote);
        let order = market.orders.get_mut(&party.order);
        let order = order.ok_or_else(ApiError::unknown_order)?;
        let value = quote_of(m.quantity, m.price)?;
        order.fill(now, m.quantity, value)?;
        let (id, side) = (order.account, order.side);
        let is_filled = order.state.status == Status::Filled;
        let amount = Quantity::new(value.get());
        let (paid, gained) = match side {
            Side::Buy => ((quote, amount), (base, m.quantity)),
            Side::Sell => ((base, m.quantity), (quote, amount)),
        };
        let account = self.account_mut(id);
        let (fee_asset, fee) = commission(account, party.is_maker, gained, value, bnb_price)?;
        if account.is_house {
            account.move_free(paid.0, paid.1.neg()?)?;
        } else {
            account.pay_locked(paid.0, paid.1)?;
        }
        account.move_free(gained.0, gained.1)?;
        account.move_free(fee_asset, fee.neg()?)?;
        self.take_fee(fee_asset, fee)?;
        self.hold_less(symbol, party.order, paid)?;
        let fill = Fill {
            trade,
            order: party.order,
            account: id,
            side,
            price: m.price,
            quantity: m.quantity,
            quote: value,
            commission: fee,
            commission_asset: fee_asset,
            is_maker: party.is_maker,
            realized: Value::ZERO,
            position_side: None,
            time_ms: now,
        };
        let market = self.market_mut(Product::Spot, symbol)?;
        market.fills.push(fill.clone());
        market.forget_if_done(party.order);
        if is_filled {
            self.usage.order_filled(now, id);
        }
        self.report_spot(symbol, party.order, "TRADE", Some(&fill))?;
        if party.is_maker {
            self.account_changed(id, symbol)?;
        }
        Ok(())
    }

    /// Takes what was paid out of what an order holds back, and frees what it no longer needs: a buy that
    /// traded below its limit, or one that is done.
    fn hold_less(
        &mut self,
        symbol: Symbol,
        id: u64,
        (asset, paid): (Asset, Quantity),
    ) -> Result<(), ApiError> {
        let market = self.market_mut(Product::Spot, symbol)?;
        let order = market.orders.get_mut(&id);
        let order = order.ok_or_else(ApiError::unknown_order)?;
        if order.held.is_zero() {
            return Ok(());
        }
        let held = order.held.sub(paid)?;
        let needed = match (order.side, order.kind) {
            (Side::Sell, _) => order.remaining(),
            (Side::Buy, OrderKind::Market) => held,
            (Side::Buy, OrderKind::Limit | OrderKind::LimitMaker) => {
                let needed = order
                    .remaining()
                    .notional(order.state.price, Rounding::Ceil)?;
                let needed = needed.get().round_to_decimals(DECIMALS, Rounding::Ceil)?;
                Quantity::new(needed).min(held)
            }
        };
        order.held = needed;
        let (account, freed) = (order.account, held.sub(needed)?);
        self.account_mut(account).lock(asset, freed.neg()?)?;
        Ok(())
    }

    /// Frees what an order holds back.
    pub(super) fn free_held(&mut self, symbol: Symbol, id: u64) -> Result<u32, ApiError> {
        let market = self.market_mut(Product::Spot, symbol)?;
        let rules = &market.listing.rules;
        let (base, quote) = (rules.base, rules.quote);
        let order = market.orders.get_mut(&id);
        let order = order.ok_or_else(ApiError::unknown_order)?;
        let asset = match order.side {
            Side::Buy => quote,
            Side::Sell => base,
        };
        let (account, held) = (order.account, std::mem::take(&mut order.held));
        self.account_mut(account).lock(asset, held.neg()?)?;
        Ok(account)
    }

    /// What the end of an open order frees and says.
    pub(in crate::server::binance) fn end_spot(
        &mut self,
        symbol: Symbol,
        id: u64,
        ending: Ending,
    ) -> Result<(), ApiError> {
        let account = self.free_held(symbol, id)?;
        let kind = match ending {
            Ending::Canceled => "CANCELED",
            _ => "EXPIRED",
        };
        self.report_spot(symbol, id, kind, None)?;
        self.account_changed(account, symbol)?;
        self.publish_book(Product::Spot, symbol)
    }

    pub(super) fn report_spot(
        &mut self,
        symbol: Symbol,
        id: u64,
        kind: &'static str,
        fill: Option<&Fill>,
    ) -> Result<(), ApiError> {
        let execution = self.next_id();
        let now = self.now;
        let market = self.market(Product::Spot, symbol)?;
        let order = market.orders.get(&id).ok_or_else(ApiError::unknown_order)?;
        let account = order.account;
        if self.account(account).is_house || !self.listening.spot_user {
            return Ok(());
        }
        let frame = super::streams::report(symbol, order, kind, fill, execution, now);
        self.emit(Audience::SpotUser(account), frame);
        Ok(())
    }
}

/// The fee of a fill and its asset: BNB where the account pays so and has enough, else what was gained.
fn commission(
    account: &Account,
    is_maker: bool,
    (asset, gained): (Asset, Quantity),
    value: Value,
    bnb_price: Price,
) -> Result<(Asset, Quantity), ApiError> {
    if account.is_house {
        return Ok((asset, Quantity::ZERO));
    }
    let rates = account.settings.spot_fees;
    let rate = if is_maker { rates.maker } else { rates.taker };
    if account.settings.spot_bnb_burn && rate.is_positive() {
        let discounted = rate.mul(Rate::new(bnb_share()), Rounding::Ceil)?;
        let exact = value.at_rate(discounted, Rounding::Ceil)?;
        let exact = exact.per(bnb_price, Rounding::Ceil)?.get();
        let fee = Quantity::new(exact.round_to_decimals(DECIMALS, Rounding::Ceil)?);
        if account.free(BNB) >= fee {
            return Ok((BNB, fee));
        }
    }
    Ok((asset, fee_on(gained, rate, DECIMALS)?))
}
