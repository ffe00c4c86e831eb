//! One backtest from a program, on the built-in synthetic market, and its run directory:
//! `cargo run --example backtest -- DIR`.

use std::path::PathBuf;
use std::sync::Arc;

use basis::assembly::{Backtest, Finished, Stamp};
use basis::config::environment::Environment;
use basis::config::layers::{self, Request};
use basis::core::error::ComponentError;
use basis::core::types::RunId;
use basis::data::{SyntheticSpec, synthetic};
use basis::report::Format;
use basis::report::run::summary;
use basis::venues::registry::Registry;

#[expect(clippy::print_stdout, reason = "a command-line program")]
fn main() -> Result<(), ComponentError> {
    let sets = ["from=2024-01-01".to_owned(), "to=2024-02-29".to_owned()];
    let request = Request {
        mode: "btc_basis",
        sets: &sets,
        ..Request::default()
    };
    let registry = Registry::builtin();
    let setup = layers::resolve(&request, &Environment::default(), &registry)?.setup;
    // Recorded data comes from `basis::data::load(directory, &setup.data_request()?, ..)`.
    let data = Arc::new(synthetic(&SyntheticSpec::default()));
    let out = std::env::args_os().nth(1).map(PathBuf::from);
    let place = out.as_deref().map(|out| (out, Format::Csv));
    let stamp = Stamp {
        run_id: RunId::from_number(1),
        load_ms: 0.0,
    };
    let ran = Backtest::prepare(data, &setup)?.run_to(place, stamp, &mut |_| {});
    let Finished { result, context } = ran.map_err(|unfinished| unfinished.error)?;
    println!("{:#}", summary(&result, &context));
    Ok(())
}
