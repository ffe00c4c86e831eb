//! What margin an account has, and what its positions and orders bind of it.

use basis_core::num::{Fixed18, Price, Quantity, Value};
use basis_core::types::{Asset, PositionSide, Side, Symbol};
use basis_protocols::exchange::PerpPosition;
use basis_protocols::exchange::margin::{
    PositionLimit, initial_margin, maintenance_margin, order_margin, position_limit,
};
use basis_protocols::exchange::orders::{opening_part, signed};

use super::{DECIMALS, is_closing};
use crate::server::binance::Exchange;
use crate::server::binance::account::Position;
use crate::server::binance::error::ApiError;
use crate::server::binance::market::Draft;
use crate::server::binance::settings::Product;

/// Margin of one asset of an account.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Margins {
    /// Wallet, isolated margins included.
    pub(super) wallet: Value,
    /// What isolated positions keep.
    pub(super) isolated: Value,
    /// Unrealised result of all positions.
    pub(super) unrealized: Value,
    /// Unrealised result of cross positions.
    pub(super) cross_unrealized: Value,
    /// Initial margin of all positions.
    pub(super) initial: Value,
    /// Initial margin of cross positions.
    pub(super) cross_initial: Value,
    /// Maintenance margin of all positions.
    pub(super) maintenance: Value,
    /// What open orders hold back.
    pub(super) orders: Value,
}

impl Margins {
    /// What new orders and transfers may take.
    pub(super) fn available(&self) -> Result<Value, ApiError> {
        let cross = self.wallet.sub(self.isolated)?.add(self.cross_unrealized)?;
        let available = cross.sub(self.cross_initial)?.sub(self.orders)?;
        Ok(available.max(Value::ZERO))
    }
}

/// What a position is worth and needs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PositionMargin {
    pub(super) unrealized: Value,
    pub(super) initial: Value,
    pub(super) maintenance: Value,
}

impl Exchange {
    /// What a position is worth and needs at its mark.
    pub(super) fn position_margin(
        &self,
        account: u32,
        symbol: Symbol,
        position: &PerpPosition,
    ) -> Result<PositionMargin, ApiError> {
        let rules = &self.market(Product::UsdM, symbol)?.listing.rules;
        let (Some(mark), Some(perp)) = (self.mark(symbol), &rules.perp) else {
            return Ok(PositionMargin::default());
        };
        let leverage = self.account(account).config(symbol).leverage;
        Ok(PositionMargin {
            unrealized: position.unrealized(mark)?,
            initial: initial_margin(position.quantity, mark, leverage)?,
            maintenance: maintenance_margin(perp, position.quantity, mark)?,
        })
    }

    /// What an account has and binds of a margin asset, out of the wallet and positions given.
    pub(super) fn margins(
        &self,
        id: u32,
        asset: Asset,
        wallet: Quantity,
        positions: &std::collections::BTreeMap<(Symbol, Option<PositionSide>), Position>,
    ) -> Result<Margins, ApiError> {
        let mut margins = Margins {
            wallet: Value::new(wallet.get()),
            ..Margins::default()
        };
        for ((symbol, _), position) in positions {
            if self.market(Product::UsdM, *symbol)?.listing.rules.quote != asset {
                continue;
            }
            let here = self.position_margin(id, *symbol, &position.perp)?;
            margins.unrealized = margins.unrealized.add(here.unrealized)?;
            margins.initial = margins.initial.add(here.initial)?;
            margins.maintenance = margins.maintenance.add(here.maintenance)?;
            if self.account(id).config(*symbol).isolated {
                let kept = Value::new(position.isolated_wallet.get());
                margins.isolated = margins.isolated.add(kept)?;
            } else {
                margins.cross_unrealized = margins.cross_unrealized.add(here.unrealized)?;
                margins.cross_initial = margins.cross_initial.add(here.initial)?;
            }
        }
        for market in self.markets_of(Product::UsdM, None)? {
            if market.listing.rules.quote == asset {
                for order in market.open_orders(id) {
                    margins.orders = margins.orders.add(Value::new(order.held.get()))?;
                }
            }
        }
        Ok(margins)
    }

    /// What an account has and binds now.
    pub(super) fn margins_now(&self, id: u32, asset: Asset) -> Result<Margins, ApiError> {
        let account = self.account(id);
        let wallet = account.margin_balance(asset);
        self.margins(id, asset, wallet, &account.usdm.positions)
    }

    /// Returns what an account may move out of its margin wallet.
    pub(in crate::server::binance) fn transferable(
        &self,
        id: u32,
        asset: Asset,
    ) -> Result<Quantity, ApiError> {
        let available = self.margins_now(id, asset)?.available()?;
        let wallet = self.account(id).margin_balance(asset);
        Ok(Quantity::new(available.get()).min(wallet))
    }

    /// Checks the size and the margin of an order that would rest or trade at up to `price`; returns what it
    /// holds back.
    pub(super) fn order_margin(
        &self,
        symbol: Symbol,
        draft: &Draft,
        price: Price,
    ) -> Result<Quantity, ApiError> {
        let account = self.account(draft.account);
        let rules = &self.market(Product::UsdM, symbol)?.listing.rules;
        let Some(perp) = &rules.perp else {
            return Err(ApiError::invalid_symbol());
        };
        let config = account.config(symbol);
        let held = account.position(symbol, draft.position_side).perp.quantity;
        let size = signed(draft.side, draft.quantity)?;
        let opening = opening_part(held, size)?;
        if opening.is_zero() {
            return Ok(Quantity::ZERO);
        }
        let mark = self.mark(symbol).unwrap_or(price);
        let mut after = held.add(size)?;
        for order in self
            .market(Product::UsdM, symbol)?
            .open_orders(draft.account)
        {
            let same = order.position_side == draft.position_side && order.side == draft.side;
            if same && !is_closing(order) {
                after = after.add(signed(order.side, order.remaining())?)?;
            }
        }
        let limit = position_limit(perp, after, mark, config.leverage)?;
        if matches!(
            limit,
            Some(PositionLimit::LastTier { .. } | PositionLimit::Leverage { .. })
        ) {
            return Err(ApiError::new(
                -2027,
                "Exceeded the maximum allowable position at current leverage.",
            ));
        }
        // A sale below the mark binds what it would at the mark.
        let price = match draft.side {
            Side::Buy => price,
            Side::Sell => price.max(mark),
        };
        let rate = account.settings.usdm_fees.taker;
        let quantities = (opening, draft.quantity);
        Ok(order_margin(
            quantities,
            price,
            config.leverage,
            rate,
            DECIMALS,
        )?)
    }
}

/// The largest notional that a leverage allows; that of the last tier it allows.
pub(super) fn notional_max(perp: &basis_core::rules::PerpRules, leverage: Fixed18) -> Fixed18 {
    let mut allowing = perp.tiers.iter().rev();
    let tier = allowing.find(|tier| leverage <= tier.max_leverage);
    tier.map_or(Fixed18::ZERO, |tier| tier.up_to)
}
