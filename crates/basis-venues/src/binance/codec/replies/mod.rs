//! What replies say, read into types of ours.

mod account;
mod fill;
mod instruments;
mod limits;
mod market;
mod order;
mod wallet;
pub(super) mod wire;

pub use self::account::{
    Balance, Leverage, PerpPosition, hedge_mode, leverages, perp_balances, positions, spot_balances,
};
pub use self::fill::{FillError, FillReply, immediate_fills, perp_fills, spot_fills};
pub use self::instruments::{Listed, Tiers, perp_instruments, spot_instruments, tiers};
pub use self::limits::{LimitRow, limits};
pub use self::market::{
    BookTicker, FeeRates, FundingInterval, FundingPayment, FundingRate, MarkPrice, book_ticker,
    funding_history, funding_intervals, funding_payments, mark_price, perp_fee_rates, server_time,
    spot_fee_rates,
};
pub use self::order::{ImmediateFill, OrderReply, Replaced, amended, order, orders, replaced};
pub use self::wallet::{
    Deposit, DepositAddress, KeyPermissions, TransferRow, Withdrawn, deposit_address, deposits,
    key_permissions, listen_key, transfer_id, transfers, withdrawal_id, withdrawals,
};
pub use self::wire::DecodeError;
