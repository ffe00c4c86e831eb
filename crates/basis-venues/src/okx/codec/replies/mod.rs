//! What replies say, read into types of ours.

mod account;
mod fill;
mod instruments;
mod market;
mod order;
mod wallet;
pub(super) mod wire;

pub(in crate::okx::codec) use self::account::AccountRow;
pub use self::account::{
    AccountConfig, Balance, Leverage, Position, TradingAccount, account_config, balances,
    funding_balances, leverage, positions,
};
pub use self::fill::{FillReply, fills, sort_fills};
pub use self::instruments::{Listed, Tiers, spot_instruments, swap_instruments, tiers};
pub use self::market::{
    FeeRates, FundingPayment, FundingRate, FundingSettlement, MarkPrice, Ticker, best_of_book,
    fee_rates, funding_history, funding_payments, funding_rate, mark_price, server_time, ticker,
};
pub use self::order::{Accepted, OrderReply, UNFILLED_KEPT, accepted, orders};
pub use self::wallet::{
    Currency, Deposit, DepositAddress, TransferState, TransferStatus, Withdrawn, currencies,
    deposit_address, deposits, transfer_id, transfer_state, transfer_states, withdrawable,
    withdrawal_id, withdrawals,
};
pub use crate::wire::{DecodeError, FillError};
