//! The tables of `docs/results.md` and `docs/defaults.md`, made from recorded data and printed as markdown:
//!
//! ```sh
//! cargo run --release -p basis --example recorded -- runs DIR      # every mode at its defaults
//! cargo run --release -p basis --example recorded -- capacity DIR  # by capital and impact
//! cargo run --release -p basis --example recorded -- stress DIR    # the three tiers
//! cargo run --release -p basis --example recorded -- defaults DIR  # the protocol for defaults
//! ```
//!
//! A mode's name behind DIR makes the table of that mode alone. What goes wrong is said on stderr, and the exit
//! code is then 1.

mod bootstrap;
mod capacity;
mod figures;
mod market;
mod protocol;
mod runs;
mod stress;

use std::path::Path;
use std::process::ExitCode;

use basis::core::error::ComponentError;

use crate::market::{MODES, Mode};

const USAGE: &str = "recorded runs|capacity|stress|defaults DIR [MODE]";

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program"
)]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, data, only) = match arguments.as_slice() {
        [command, data] => (command.as_str(), data, None),
        [command, data, mode] => (command.as_str(), data, Some(mode.as_str())),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let modes: Vec<&Mode> = MODES
        .iter()
        .filter(|mode| only.is_none_or(|only| only == mode.name))
        .collect();
    let data = Path::new(data);
    let made: Result<String, ComponentError> = match command {
        _ if modes.is_empty() => {
            eprintln!("{USAGE}: there is no such mode");
            return ExitCode::from(2);
        }
        "runs" => runs::table(data, &modes),
        "capacity" => capacity::table(data, &modes),
        "stress" => stress::table(data, &modes),
        "defaults" => protocol::table(data, only),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match made {
        Ok(table) => {
            print!("{table}");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}
