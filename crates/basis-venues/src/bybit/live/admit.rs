//! Safety before send: what is refused here, before a byte leaves.

use basis_core::error::{Rejection, VenueErrorKind};
use basis_core::instruction::{Instruction, MarginMode, Operation};
use basis_core::num::{MathError, Price, Quantity, Rounding};
use basis_core::types::Symbol;

use super::BybitMachine;
use crate::bybit::codec::Category;
use crate::wire::{JsonDraft, Payload, Scalar};

impl BybitMachine {
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
        let (symbol, category) = place_of(operation)?;
        if let Some(symbol) = symbol.filter(|symbol| !self.settings.symbols.contains(symbol)) {
            let text = format!("{symbol} is not among the managed symbols");
            return Some(VenueErrorKind::InvalidRequest(text));
        }
        if category.is_some_and(|category| !self.settings.trades(category)) {
            let text = format!("{kind}: this category is not traded by the settings");
            return Some(VenueErrorKind::InvalidRequest(text));
        }
        self.wrong_mode(operation)
    }

    /// Why the kill switch lets nothing out.
    pub(super) fn stopped(&self) -> Option<String> {
        self.switch.as_ref().and_then(|switch| switch.thrown())
    }

    /// What does not fit how the account is set up.
    fn wrong_mode(&self, operation: &Operation) -> Option<VenueErrorKind> {
        let text = match operation {
            Operation::PerpTrade(trade) => match (self.settings.hedge_mode, trade.position_side) {
                (true, None) => {
                    "the account is in hedge mode: position_side must say long or short"
                }
                (false, Some(_)) => {
                    "the account is in one-way mode: position_side must be left out"
                }
                _ => return None,
            },
            Operation::SetLeverage(change) if change.margin_mode == Some(MarginMode::Isolated) => {
                "Bybit's margin mode is one for the whole account, and cross alone is traded live: leave \
                 margin_mode out or say cross"
            }
            Operation::Transfer(transfer) if transfer.from.venue != transfer.to.venue => {
                "withdrawals are off"
            }
            Operation::Transfer(_) if !self.settings.endpoint.has_wallet => {
                "the demo has no transfers: they exist on the live network alone"
            }
            _ => return None,
        };
        Some(VenueErrorKind::InvalidRequest(text.to_owned()))
    }

    /// Why an order that is ready to leave is too large.
    pub(super) fn too_large(&self, draft: &JsonDraft) -> Result<Option<VenueErrorKind>, MathError> {
        let Some(max) = self.settings.order_value_max else {
            return Ok(None);
        };
        let Payload::Body(fields) = &draft.payload else {
            return Ok(None);
        };
        let text = |wanted: &str| {
            let mut pairs = fields.pairs().iter();
            match pairs.find(|(name, _)| *name == wanted)? {
                (_, Scalar::Text(text)) => Some(text.as_str()),
                _ => None,
            }
        };
        let quantity = text("qty").and_then(|text| Quantity::parse(text).ok());
        let price = text("price").and_then(|text| Price::parse(text).ok());
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

/// The symbol and the category that an operation is about, where it says so.
const fn place_of(operation: &Operation) -> Option<(Option<Symbol>, Option<Category>)> {
    Some(match operation {
        Operation::SpotTrade(trade) => (Some(trade.symbol), Some(Category::Spot)),
        Operation::PerpTrade(trade) => (Some(trade.symbol), Some(Category::Linear)),
        Operation::SetLeverage(change) => (Some(change.symbol), Some(Category::Linear)),
        Operation::CancelOrder(cancel) => (Some(cancel.symbol), None),
        Operation::AmendOrder(amend) => (Some(amend.symbol), None),
        Operation::Transfer(_) => (None, None),
        _ => return None,
    })
}
