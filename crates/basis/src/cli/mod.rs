//! The command line.
//!
//! stdout is the result, stderr everything else; `--json` changes the form of both, not the content.
//! Exit codes: 0 ok, 1 the run failed, 2 usage, configuration or start-up, 75 a CRITICAL failure while
//! running (a supervisor restarts).

mod answer;
mod backtest;
mod check;
#[cfg(feature = "live")]
mod connect;
mod data;
mod errors;
mod explain;
mod import;
mod instruct;
mod journal;
mod market;
mod progress;
mod report;
mod report_cmd;
mod rules;
mod schema;
mod stress;
mod stressed;
mod sweep;
mod swept;
mod venues;

use std::cell::Cell;
use std::io::Write as _;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use basis_core::config::NodeValue;
use basis_core::error::{Code, ComponentError};
use clap::{Args, Parser, Subcommand};

use crate::app::App;
use crate::config::environment::{Environment, LOG_LEVEL};
use crate::config::layers::{LogLevel, Request};
use errors::Failure;

/// Delta-neutral and yield strategies across venues through one execution interface.
#[derive(Debug, Parser)]
#[command(
    name = "basis",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
#[command(
    after_help = "Exit codes: 0 ok, 1 the run failed, 2 usage, configuration or start-up, \
                        75 a critical failure while running."
)]
struct Cli {
    /// Print results and errors as JSON.
    #[arg(long, global = true)]
    json: bool,
    /// No notes and no progress on stderr.
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a mode on recorded data, or on the built-in synthetic market.
    Backtest(backtest::Arguments),
    /// Run many variants of a mode on one data set, and rank them.
    Sweep(sweep::Arguments),
    /// Run a mode under every scenario of a list, and hold each result against the run without.
    Stress(stress::Arguments),
    /// List the venues and what each can do.
    Venues,
    /// Check that a mode (all of them without MODE) is configured soundly and can be created.
    Check(check::Arguments),
    /// Execute one instruction on a fresh simulated venue and print what it confirmed.
    Instruct(instruct::Arguments),
    /// Look at market data, and bring files into it.
    #[command(subcommand)]
    Data(data::Command),
    /// Make rules of a venue out of its own replies.
    #[command(subcommand)]
    Rules(rules::Command),
    /// Look into the journal of a run: what was asked, what came of it, what is open.
    Journal(journal::Arguments),
    /// Write the page of a run from its directory, or one that compares several runs.
    Report(report_cmd::Arguments),
    /// Explain an error code; without CODE list them all.
    Explain(explain::Arguments),
}

/// Where configuration comes from beside the mode's own file.
#[derive(Debug, Default, Args)]
struct ConfigArguments {
    /// Lay this YAML file over the mode's own.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one value, over file and environment; may be repeated.
    #[arg(long = "set", value_name = "KEY.PATH=VALUE")]
    sets: Vec<String>,
}

/// What a run is made of: market, configuration, span and capital.
#[derive(Debug, Default, Args)]
struct RunArguments {
    /// Directory of recorded data. Default: `BASIS_DATA_DIR`, else a built-in synthetic market.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArguments,
    /// Shock the market, as `ETH -20% at 2025-02-03T00:00Z over 1h`; may be repeated, after those of
    /// the key `shocks`. See docs/stress.md.
    #[arg(long = "shock", value_name = "SENTENCE", allow_hyphen_values = true)]
    shocks: Vec<String>,
    /// First day, or the exclusive start instant. Default: what the data covers.
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// Last day (all of it), or the inclusive end instant.
    #[arg(long, value_name = "DATE")]
    to: Option<String>,
    /// Capital at the start, in the share class.
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    capital: Option<String>,
}

impl RunArguments {
    /// Returns the mode: `named`, else that of the configuration file, as a run's own `config.yaml` has it.
    fn mode(&self, named: Option<&str>) -> Result<String, ComponentError> {
        if let Some(mode) = named {
            return Ok(mode.to_owned());
        }
        let Some(path) = &self.config.config else {
            let message =
                "no MODE: name one, as `btc_basis`, or give --config the config.yaml of a run";
            return Err(ComponentError::new(Code::Usage, message));
        };
        let file = crate::config::read_file(path)?;
        match file.get("mode").map(|node| &node.value) {
            Some(NodeValue::Text(mode)) => Ok(mode.clone()),
            _ => {
                let message = format!(
                    "no MODE, and {} has no `mode`: name one, as `btc_basis`",
                    path.display()
                );
                Err(ComponentError::new(Code::Usage, message))
            }
        }
    }

    fn request<'a>(&'a self, mode: &'a str) -> Request<'a> {
        Request {
            capital: self.capital.as_deref(),
            from: self.from.as_deref(),
            to: self.to.as_deref(),
            shocks: &self.shocks,
            ..self.config.request(mode)
        }
    }
}

impl ConfigArguments {
    fn request<'a>(&'a self, mode: &'a str) -> Request<'a> {
        Request {
            mode,
            file: self.config.as_deref(),
            sets: &self.sets,
            ..Request::default()
        }
    }
}

/// What every command works with.
#[derive(Debug)]
struct Session {
    app: App,
    environment: Environment,
    json: bool,
    quiet: bool,
    level: Cell<LogLevel>,
}

impl Session {
    /// Prints the result, or a part of it.
    fn print(&self, text: &str) -> Result<(), Failure> {
        let written = std::io::stdout().lock().write_all(text.as_bytes());
        match written {
            // Whoever closed the pipe has read enough.
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            Err(e) => Err(Failure::running(
                ComponentError::new(
                    Code::OutputFailed,
                    format!("the result cannot be written to stdout: {e}"),
                )
                .with_source(e),
            )),
            Ok(()) => Ok(()),
        }
    }

    /// Prints a result as JSON.
    fn print_json(&self, value: &serde_json::Value) -> Result<(), Failure> {
        self.print(&format!("{value:#}\n"))
    }

    /// Tells the user something that is no result.
    fn note(&self, level: LogLevel, text: &str) {
        if !self.quiet && level >= self.level.get() {
            let kind = if level >= LogLevel::Warning {
                "warning"
            } else {
                "note"
            };
            self.say(kind, text);
        }
    }

    fn say_note(&self, text: &str) {
        self.note(LogLevel::Info, text);
    }

    fn warn(&self, text: &str) {
        self.note(LogLevel::Warning, text);
    }

    /// A line on stderr; with `--json` an object with one field.
    fn say(&self, kind: &str, text: &str) {
        let line = if self.json {
            serde_json::json!({ kind: text }).to_string()
        } else {
            format!("{kind}: {text}")
        };
        writeln!(std::io::stderr().lock(), "{line}").unwrap_or_default();
    }

    fn warn_of_environment(&self) {
        for warning in self.environment.warnings() {
            self.warn(warning);
        }
    }
}

/// Runs the command line of this process with the venues and modes of `app` and returns the exit code; a
/// registry of venues alone has the built-in modes.
#[must_use]
pub fn run(app: impl Into<App>) -> i32 {
    let arguments: Vec<_> = std::env::args_os().collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(e) => return usage(&e, json),
    };
    match execute(cli, app.into()) {
        Ok(()) => errors::OK,
        Err(failure) => {
            errors::report(&failure.error, json);
            failure.exit
        }
    }
}

/// Help and version are results; anything else clap has to say is a failure.
fn usage(e: &clap::Error, json: bool) -> i32 {
    if json && e.use_stderr() {
        let text = e.render().to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
        errors::report(&Failure::usage(text).error, true);
    } else {
        e.print().unwrap_or_default();
    }
    if e.use_stderr() {
        errors::USAGE
    } else {
        errors::OK
    }
}

fn execute(cli: Cli, app: App) -> Result<(), Failure> {
    let environment = Environment::read(Path::new(""), &app.venues)?;
    let level = log_level(&environment)
        // Commands with a configuration report it there, with everything else that is wrong.
        .or_else(|e| {
            if command_has_config(&cli.command) {
                Ok(LogLevel::Info)
            } else {
                Err(e)
            }
        })?;
    let Cli {
        json,
        quiet,
        command,
    } = cli;
    let session = Session {
        app,
        environment,
        json,
        quiet,
        level: Cell::new(level),
    };
    if !matches!(
        command,
        Command::Backtest(_) | Command::Sweep(_) | Command::Stress(_) | Command::Instruct(_)
    ) {
        // Those say first what data they run on.
        session.warn_of_environment();
    }
    match command {
        Command::Backtest(arguments) => backtest::run(&arguments, &session),
        Command::Sweep(arguments) => sweep::run(&arguments, &session),
        Command::Stress(arguments) => stress::run(&arguments, &session),
        Command::Venues => venues::run(&session),
        Command::Check(arguments) => check::run(&arguments, &session),
        Command::Instruct(arguments) => instruct::run(&arguments, &session),
        Command::Data(command) => data::run(&command, &session),
        Command::Rules(command) => rules::run(&command, &session),
        Command::Journal(arguments) => journal::run(&arguments, &session),
        Command::Report(arguments) => report_cmd::run(&arguments, &session),
        Command::Explain(arguments) => explain::run(&arguments, &session),
    }
}

/// How many threads run: as many as were asked for, else as there are cores.
fn threads(asked: Option<u16>) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
    asked.map_or_else(cores, usize::from)
}

fn command_has_config(command: &Command) -> bool {
    matches!(
        command,
        Command::Backtest(_)
            | Command::Sweep(_)
            | Command::Stress(_)
            | Command::Check(_)
            | Command::Data(_)
    )
}

fn log_level(environment: &Environment) -> Result<LogLevel, ComponentError> {
    let Some(text) = environment.setting(LOG_LEVEL) else {
        return Ok(LogLevel::default());
    };
    let found = LogLevel::ALL.iter().find(|(name, _)| *name == text);
    found.map(|(_, level)| *level).ok_or_else(|| {
        let names: Vec<_> = LogLevel::ALL.iter().map(|(name, _)| *name).collect();
        let message = format!(
            "environment {LOG_LEVEL}: `{text}` is none of {}",
            names.join(", ")
        );
        ComponentError::new(Code::ConfigInvalid, message)
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
