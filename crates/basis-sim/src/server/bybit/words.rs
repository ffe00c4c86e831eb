//! Bybit's words for what the venue knows.

use basis_core::types::Side;

use super::{Category, Ending, LogKind, OrderState, Status, TimeInForce};

/// The word for a side.
pub(super) const fn side_word(side: Side) -> &'static str {
    match side {
        Side::Buy => "Buy",
        Side::Sell => "Sell",
    }
}

/// The word for how long an order stands.
pub(super) const fn force_word(force: TimeInForce) -> &'static str {
    match force {
        TimeInForce::Gtc => "GTC",
        TimeInForce::Ioc => "IOC",
        TimeInForce::Fok => "FOK",
        TimeInForce::PostOnly => "PostOnly",
    }
}

/// The word for how an order stands; one of spot that ended with fills has a word of its own.
pub(super) fn status_word(category: Category, state: &OrderState) -> &'static str {
    match state.status {
        Status::New => "New",
        Status::PartiallyFilled => "PartiallyFilled",
        Status::Filled => "Filled",
        Status::Cancelled if category == Category::Spot && state.executed.is_positive() => {
            "PartiallyFilledCanceled"
        }
        Status::Cancelled => "Cancelled",
        Status::Rejected => "Rejected",
    }
}

/// The words for why an order ended, and for who ended it.
pub(super) const fn ending_words(ending: Option<Ending>) -> (&'static str, &'static str) {
    match ending {
        None => ("EC_NoError", "UNKNOWN"),
        Some(Ending::ByUser | Ending::DeadMan) => ("EC_PerCancelRequest", "CancelByUser"),
        Some(Ending::WouldTake) => ("EC_PostOnlyWillTakeLiquidity", "UNKNOWN"),
        Some(Ending::NothingAtOnce) => ("EC_NoImmediateQtyToFill", "UNKNOWN"),
        Some(Ending::NotWhole) => ("EC_NoEnoughQtyToFill", "UNKNOWN"),
        Some(Ending::SelfTrade) => ("EC_BySelfMatch", "CancelBySmp"),
        Some(Ending::NothingToReduce) => ("EC_NoError", "CancelByReduceOnly"),
        Some(Ending::Refused) => ("EC_Others", "UNKNOWN"),
    }
}

/// The word for what a row of the log is of.
pub(super) const fn log_word(kind: LogKind) -> &'static str {
    match kind {
        LogKind::Trade => "TRADE",
        LogKind::Funding => "SETTLEMENT",
        LogKind::TransferIn => "TRANSFER_IN",
        LogKind::TransferOut => "TRANSFER_OUT",
    }
}
