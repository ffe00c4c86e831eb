//! Safety before send: what is refused here, before a byte leaves.

use basis_core::error::{Rejection, VenueErrorKind};
use basis_core::instruction::{Instruction, Operation};
use basis_core::num::{MathError, Rounding};
use basis_core::types::{InstrumentKind, Symbol};

use super::Machine;
use super::codec::RequestTerms;

impl Machine {
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
        let (symbol, traded) = place_of(operation)?;
        if let Some(symbol) = symbol.filter(|symbol| !self.settings.symbols.contains(symbol)) {
            let text = format!("{symbol} is not among the managed symbols");
            return Some(VenueErrorKind::InvalidRequest(text));
        }
        if let Some(traded) = traded.filter(|traded| !self.settings.trades(*traded)) {
            let text = format!("{kind}: {} is not traded by the settings", traded.as_str());
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
                _ => {
                    return self
                        .codec
                        .unfit(operation)
                        .map(VenueErrorKind::InvalidRequest);
                }
            },
            Operation::Transfer(transfer) if transfer.from.venue != transfer.to.venue => {
                "withdrawals are off"
            }
            _ => {
                let unfit = self.codec.unfit(operation);
                return unfit.map(VenueErrorKind::InvalidRequest);
            }
        };
        Some(VenueErrorKind::InvalidRequest(text.to_owned()))
    }

    /// Why an order of `quantity` at `price` is too large, as it leaves or as it is amended.
    pub(super) fn too_large(
        &self,
        (quantity, price): RequestTerms,
    ) -> Result<Option<VenueErrorKind>, MathError> {
        let (Some(max), Some(quantity), Some(price)) =
            (self.settings.order_value_max, quantity, price)
        else {
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

/// The symbol and the kind that an operation is about, where it says so.
const fn place_of(operation: &Operation) -> Option<(Option<Symbol>, Option<InstrumentKind>)> {
    Some(match operation {
        Operation::SpotTrade(trade) => (Some(trade.symbol), Some(InstrumentKind::Spot)),
        Operation::PerpTrade(trade) => (Some(trade.symbol), Some(InstrumentKind::Perp)),
        Operation::SetLeverage(change) => (Some(change.symbol), Some(InstrumentKind::Perp)),
        Operation::CancelOrder(cancel) => (Some(cancel.symbol), None),
        Operation::AmendOrder(amend) => (Some(amend.symbol), None),
        Operation::Transfer(_) => (None, None),
        _ => return None,
    })
}
