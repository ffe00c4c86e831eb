//! Safety before send: what is refused here, before a byte leaves.

use basis_core::error::{Rejection, VenueErrorKind};
use basis_core::instruction::{Instruction, Operation};
use basis_core::num::{MathError, Price, Quantity, Rounding};
use basis_core::types::{InstrumentKind, Symbol};

use super::BinanceMachine;
use crate::binance::codec::{Draft, Product};

impl BinanceMachine {
    /// Why `instruction` may not be sent at all; `None` when it may.
    pub(super) fn refuses(&self, instruction: &Instruction) -> Option<VenueErrorKind> {
        let operation = &instruction.operation;
        let kind = operation.kind();
        if !self.settings.operations.contains(&kind) {
            let text = format!("{kind} is not among the allowed operations");
            return Some(VenueErrorKind::Unsupported(text));
        }
        let is_cancel = matches!(operation, Operation::CancelOrder(_));
        if let Some(reason) = self.halted.as_ref().filter(|_| !is_cancel) {
            let text = format!("nothing is sent any more: {reason}");
            return Some(VenueErrorKind::Unavailable(text));
        }
        if let Some(reason) = self.stopped().filter(|_| !is_cancel) {
            return Some(VenueErrorKind::Unavailable(reason));
        }
        let (symbol, product) = place_of(operation)?;
        if let Some(symbol) = symbol.filter(|symbol| !self.settings.symbols.contains(symbol)) {
            let text = format!("{symbol} is not among the managed symbols");
            return Some(VenueErrorKind::InvalidRequest(text));
        }
        if product.is_some_and(|product| !self.is_traded(product)) {
            let text = format!("{kind}: this product is not traded by the settings");
            return Some(VenueErrorKind::InvalidRequest(text));
        }
        self.wrong_mode(operation)
    }

    /// Why the kill switch lets nothing out.
    pub(super) fn stopped(&self) -> Option<String> {
        self.switch.as_ref().and_then(|switch| switch.thrown())
    }

    fn is_traded(&self, product: Product) -> bool {
        match product {
            Product::Wallet => self.wire.has(Product::Wallet),
            other => self.settings.products().any(|traded| traded == other),
        }
    }

    /// A perp order must name a side exactly where the account has two.
    fn wrong_mode(&self, operation: &Operation) -> Option<VenueErrorKind> {
        let Operation::PerpTrade(trade) = operation else {
            return None;
        };
        let text = match (self.settings.hedge_mode, trade.position_side) {
            (true, None) => "the account is in hedge mode: position_side must say long or short",
            (false, Some(_)) => "the account is in one-way mode: position_side must be left out",
            _ => return None,
        };
        Some(VenueErrorKind::InvalidRequest(text.to_owned()))
    }

    /// Why an order that is ready to leave is too large.
    pub(super) fn too_large(&self, draft: &Draft) -> Result<Option<VenueErrorKind>, MathError> {
        let Some(max) = self.settings.order_value_max else {
            return Ok(None);
        };
        let value = |name: &str| {
            let mut pairs = draft.params.pairs().iter();
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let quantity = value("quantity").and_then(|text| Quantity::parse(text).ok());
        let price = value("price").and_then(|text| Price::parse(text).ok());
        let (Some(quantity), Some(price)) = (quantity, price) else {
            return Ok(None);
        };
        let notional = quantity.notional(price, Rounding::Up)?;
        Ok((notional > max).then(|| VenueErrorKind::Rejected {
            reason: Rejection::Other(format!(
                "the order's value of {notional} is above order_value_max of {max}"
            )),
            venue_code: None,
        }))
    }
}

/// The symbol and the product that an operation is about, where it says so.
const fn place_of(operation: &Operation) -> Option<(Option<Symbol>, Option<Product>)> {
    Some(match operation {
        Operation::SpotTrade(trade) => (Some(trade.symbol), Some(Product::Spot)),
        Operation::PerpTrade(trade) => (Some(trade.symbol), Some(Product::UsdM)),
        Operation::SetLeverage(change) => (Some(change.symbol), Some(Product::UsdM)),
        Operation::CancelOrder(cancel) => (Some(cancel.symbol), None),
        Operation::AmendOrder(amend) => (Some(amend.symbol), None),
        Operation::Transfer(_) => (None, Some(Product::Wallet)),
        _ => return None,
    })
}

/// Returns the product that lists `kind`.
pub(super) const fn product_of(kind: InstrumentKind) -> Product {
    match kind {
        InstrumentKind::Spot => Product::Spot,
        _ => Product::UsdM,
    }
}
