//! Hand-computed ledgers of every behaviour, and conservation over random instructions.

mod advancing;
mod amending;
mod borrowing;
mod margin_binance;
mod margin_bybit;
mod margin_cases;
mod margin_okx;
mod modes;
mod next_open;
mod participation;
mod random;
mod reducing;
mod refusals;
mod reporting;
mod trading;
mod transfers;
