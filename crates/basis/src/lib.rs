//! `basis`: delta-neutral and yield strategies across exchanges, DEXes and on-chain protocols
//! through one execution interface, the same in backtest and live.
//!
//! This crate puts the parts together. A program of your own that adds venues has the whole command
//! line by one call:
//!
//! ```no_run
//! use basis::venues::registry::Registry;
//!
//! let registry = Registry::builtin(); // .with(MY_VENUE)?
//! std::process::exit(basis::cli::run(registry));
//! ```
//!
//! Without the command line: [`config::layers::resolve`] makes a [`assembly::Setup`],
//! [`assembly::run_backtest`] runs it, [`output`] writes what came of it.
//!
//! **Invariant.** Only this crate reads the environment and the wall clock, prints, and exits.

pub mod assembly;
pub mod cli;
pub mod config;
pub mod output;
pub mod report;
pub mod stress;
pub mod sweep;

pub use basis_core as core;
pub use basis_data as data;
pub use basis_engine as engine;
pub use basis_market as market;
pub use basis_protocols as protocols;
pub use basis_sim as sim;
pub use basis_venues as venues;
