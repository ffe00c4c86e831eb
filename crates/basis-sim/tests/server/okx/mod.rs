//! OKX in process.

mod kit;
mod orders;
