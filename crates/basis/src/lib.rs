//! `basis`: delta-neutral and yield strategies across exchanges, DEXes and on-chain protocols
//! through one execution interface, the same in backtest and live.
//!
//! This crate puts the parts together. A program of your own that adds venues or modes has the whole
//! command line by one call:
//!
//! ```no_run
//! let app = basis::App::builtin(); // .with_venue(MY_VENUE)?.with_mode(MY_MODE)?
//! std::process::exit(basis::cli::run(app));
//! ```
//!
//! Without the command line: [`config::layers::resolve`] makes an [`assembly::Setup`], which says what data
//! it reads, and [`assembly::Backtest`] runs it. The command line runs by the same door, so that both
//! leave the same directory:
//!
//! ```no_run
//! use basis::assembly::Backtest;
//! use basis::config::{environment::Environment, layers};
//! use basis::venues::registry::Registry;
//!
//! # fn main() -> Result<(), basis::core::error::ComponentError> {
//! let request = layers::Request { mode: "btc_basis", ..layers::Request::default() };
//! let registry = Registry::builtin();
//! let setup = layers::resolve(&request, &Environment::default(), &registry)?.setup;
//! let loaded = basis::data::load("data".as_ref(), &setup.data_request()?, &|_| {})?;
//! let result = Backtest::run(loaded.data, &setup)?;
//! # Ok(())
//! # }
//! ```
//!
//! **Invariant.** Only this crate reads the environment and the wall clock, prints, and exits.

mod app;
pub mod assembly;
pub mod cli;
pub mod config;
pub mod journal;
pub mod replies;
pub mod stress;
pub mod sweep;
#[cfg(feature = "live")]
pub mod trading;

pub use app::App;
pub use basis_core as core;
pub use basis_data as data;
pub use basis_engine as engine;
pub use basis_live as live;
pub use basis_market as market;
pub use basis_protocols as protocols;
pub use basis_report as report;
pub use basis_sim as sim;
pub use basis_strategies as strategies;
pub use basis_venues as venues;
