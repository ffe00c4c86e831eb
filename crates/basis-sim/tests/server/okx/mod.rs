//! OKX in process, spoken to over its wire forms alone.

mod accounts;
mod conservation;
mod faults;
mod kit;
mod orders;
mod reads;
mod recorded;
mod security;
mod wallet;
