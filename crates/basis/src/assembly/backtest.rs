//! The front door for runs.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use basis_core::config::Problem;
use basis_core::error::ComponentError;
use basis_core::journal::JournalReader;
use basis_core::types::{RunId, Venue};
use basis_engine::{
    Engine, EngineJournal, EngineParts, NullSink, Progress, Recovery, RunResult, StepSink, Stopped,
};
use basis_market::{Coverage, MarketData};
use basis_report::Format;
use basis_report::run::{OutputContext, RunWriter, Timing, WriteReport};
use basis_sim::chain::SimulatedChain;
use basis_venues::factory::CreatedInterfaces;
use cpu_time::ThreadTime;

use super::{Setup, World, assumptions, require_needed};

/// One backtest, ready to start.
pub struct Backtest {
    setup: Setup,
    engine: Engine,
    chain: SimulatedChain,
    warnings: Vec<Problem>,
    unavailable: Vec<(Venue, ComponentError)>,
}

/// What a run directory says of the run that its result does not depend on.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// Names the run.
    pub run_id: RunId,
    /// How long reading and checking the data took, milliseconds.
    pub load_ms: f64,
}

/// A run with what is written about it.
#[derive(Debug)]
pub struct Finished {
    /// What it yielded; its steps are in the directory alone.
    pub result: RunResult,
    /// What the summary is made with.
    pub context: OutputContext,
}

/// A run that failed.
#[derive(Debug)]
pub struct Unfinished {
    /// Why.
    pub error: ComponentError,
    /// What it left, or why it left nothing; absent where nothing was to be left.
    pub written: Option<Result<WriteReport, ComponentError>>,
}

impl From<ComponentError> for Unfinished {
    fn from(error: ComponentError) -> Self {
        Self {
            error,
            written: None,
        }
    }
}

impl fmt::Debug for Backtest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backtest")
            .field("warnings", &self.warnings)
            .field("unavailable", &self.unavailable)
            .finish_non_exhaustive()
    }
}

impl Backtest {
    /// Runs `setup` on `data` from start to end, over the dates it says or, where it says none, all that
    /// its series cover.
    ///
    /// # Errors
    /// As [`Backtest::prepare`] and [`Backtest::run_here`].
    pub fn run(data: Arc<MarketData>, setup: &Setup) -> Result<RunResult, ComponentError> {
        Self::prepare(data, setup)?.run_here(&mut |_| {})
    }

    /// Gives the run its dates and makes its interfaces and its engine.
    ///
    /// # Errors
    /// As [`Setup::fitted`]; when a venue the mode needs cannot be created (naming all of them at once),
    /// and whatever [`Engine::new`] refuses.
    pub fn prepare(data: Arc<MarketData>, setup: &Setup) -> Result<Self, ComponentError> {
        Self::journaled(data, setup, None)
    }

    /// The same with a journal, in which everything is written down before anything is sent.
    ///
    /// # Errors
    /// As [`Backtest::prepare`].
    pub fn journaled(
        data: Arc<MarketData>,
        setup: &Setup,
        journal: Option<EngineJournal>,
    ) -> Result<Self, ComponentError> {
        let setup = setup.clone().fitted(&data)?;
        let world = World::of(&setup);
        let CreatedInterfaces {
            interfaces,
            failures,
            warnings,
        } = world.create_interfaces(setup.registry(), &setup);
        let unavailable = require_needed(&setup, &interfaces, failures)?;
        let parts = EngineParts {
            config: setup.run().clone(),
            data,
            rules: world.rules,
            interfaces,
            clock: world.clock,
            journal,
            events: world.events,
            positions: world.positions,
            transit: world.simulated.transit,
        };
        let engine = Engine::new(parts, setup.mode())?;
        Ok(Self {
            setup,
            engine,
            chain: world.simulated.chain,
            warnings,
            unavailable,
        })
    }

    /// The configuration with its dates.
    #[must_use]
    pub const fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Settings that were not understood and for which the default stands (lenient validation).
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// Venues that could not be created and that the mode does not need.
    #[must_use]
    pub fn unavailable(&self) -> &[(Venue, ComponentError)] {
        &self.unavailable
    }

    /// Goes on from what a journal holds, in a run that is as it was made.
    ///
    /// # Errors
    /// As [`Engine::recover`].
    pub fn recover(&mut self, reader: &dyn JournalReader) -> Result<Recovery, ComponentError> {
        self.engine.recover(reader)
    }

    /// Takes what `venue` holds beyond the books into them, and commits that.
    ///
    /// # Errors
    /// As [`Engine::adopt`], and when the journal cannot be written.
    pub fn adopt(&mut self, venue: Venue) -> Result<usize, ComponentError> {
        self.engine.adopt_now(venue)
    }

    /// Runs to the end, telling `progress` about a hundred times how far it is. The result holds every
    /// step.
    ///
    /// # Errors
    /// Whatever stops the engine; CRITICAL ones want a restart.
    pub fn run_here(self, progress: &mut dyn FnMut(Progress)) -> Result<RunResult, ComponentError> {
        let result = self.engine.run(progress)?;
        Ok(with_assumptions(result, &self.setup, &self.chain))
    }

    /// The same with the steps handed to `sink` as they are closed; the result holds none of them.
    ///
    /// # Errors
    /// As [`Backtest::run_here`], and whatever the sink refuses.
    pub fn run_into(
        self,
        sink: &mut dyn StepSink,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<RunResult, ComponentError> {
        let result = self.engine.run_into(sink, progress)?;
        Ok(with_assumptions(result, &self.setup, &self.chain))
    }

    /// Runs to the end and writes the run directory `out`, or nothing where there is none. A run that
    /// fails leaves its directory too, which says so.
    ///
    /// # Errors
    /// As [`Backtest::run_into`], EVT-001 when `out` cannot be used and EVT-002 when it cannot be written.
    pub fn run_to(
        self,
        out: Option<(&Path, Format)>,
        stamp: Stamp,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Finished, Unfinished> {
        let mut context = context(&self.setup, stamp);
        let run = self.setup.run();
        let frame = (run.share_class, run.from);
        let begin = |(out, format)| RunWriter::create(out, frame, format);
        let mut writer = out.map(begin).transpose()?;
        let started = ThreadTime::now();
        let ran = match &mut writer {
            Some(writer) => self.engine.run_or_stop(writer, progress),
            None => self.engine.run_or_stop(&mut NullSink, progress),
        };
        context.timing.run_ms = started.elapsed().as_secs_f64() * 1_000.0;
        match ran {
            Ok(result) => {
                let result = with_assumptions(result, &self.setup, &self.chain);
                if let Some(writer) = writer {
                    let WriteReport { write_ms, .. } = writer.finish(&result, &context)?;
                    context.timing.write_ms = Some(write_ms);
                }
                Ok(Finished { result, context })
            }
            Err(stopped) => {
                let Stopped { error, at, result } = *stopped;
                let result = with_assumptions(result, &self.setup, &self.chain);
                let stopped = Stopped { error, at, result };
                let written = writer.map(|writer| writer.finish_failed(&stopped, &context));
                Err(Unfinished {
                    error: stopped.error,
                    written,
                })
            }
        }
    }
}

/// Adds to what the result rests on: rules outside their dates, rows off their schedule, and how the
/// protocols of the chain were simulated.
fn with_assumptions(mut result: RunResult, setup: &Setup, chain: &SimulatedChain) -> RunResult {
    result.assumptions.extend(assumptions::of_rules(setup));
    let off_schedule = result.coverage.iter().flat_map(Coverage::notes);
    result.assumptions.extend(off_schedule);
    result.assumptions.extend(chain.assumptions());
    result
}

/// What the result depends on beside configuration and data: the program, the commit it was built from
/// (`unknown` outside a checkout) and the features it was built with.
#[must_use]
pub fn versions() -> Vec<(&'static str, String)> {
    let features = [
        ("live", cfg!(feature = "live")),
        ("parquet", cfg!(feature = "parquet")),
    ];
    let built: Vec<&str> = features
        .iter()
        .filter(|(_, is_built)| *is_built)
        .map(|(name, _)| *name)
        .collect();
    vec![
        ("basis", env!("CARGO_PKG_VERSION").to_owned()),
        ("commit", env!("BUILD_COMMIT").to_owned()),
        ("features", built.join(", ")),
    ]
}

fn context(setup: &Setup, stamp: Stamp) -> OutputContext {
    OutputContext {
        config_yaml: setup.config_yaml().to_owned(),
        config_hash: setup.config_hash().to_owned(),
        run_id: stamp.run_id,
        flows: setup.run().flows.clone(),
        timing: Timing {
            load_ms: stamp.load_ms,
            ..Timing::default()
        },
        versions: versions(),
    }
}
