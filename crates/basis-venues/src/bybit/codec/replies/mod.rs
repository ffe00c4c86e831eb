//! What replies say, read into types of ours.

mod account;
mod fill;
mod instruments;
mod market;
mod order;
mod wallet;
pub(super) mod wire;

pub(in crate::bybit::codec) use self::account::AccountRow;
pub use self::account::{
    AccountInfo, Balance, Position, UnifiedAccount, account_info, balances, funding_balances,
    positions,
};
pub use self::fill::{Execution, ExecutionKind, executions, sort_executions};
pub use self::instruments::{Listed, Tiers, perp_instruments, spot_instruments, tiers};
pub use self::market::{
    FeeRates, FundingPayment, FundingRate, PerpTicker, Ticker, best_of_book, fee_rates,
    funding_history, funding_payments, perp_ticker, server_time, ticker,
};
pub use self::order::{Accepted, OrderReply, UNFILLED_KEPT, accepted, orders};
pub use self::wallet::{
    Chain, Coin, Deposit, DepositAddress, KeyPermissions, TransferRow, TransferStatus, Withdrawn,
    coins, deposit_address, deposits, key_permissions, transferred, transfers, withdrawable,
    withdrawal_id, withdrawals,
};
pub use self::wire::{Page, next_page};
pub use crate::wire::{DecodeError, FillError};
