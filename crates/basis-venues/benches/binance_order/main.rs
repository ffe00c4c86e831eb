//! What an order costs on this machine: from the instruction to the reply that has been read, over plain HTTP on
//! one connection that is kept, beside the same bytes over a bare socket and over hyper alone. The time is the
//! CPU time of the thread that sends; whoever answers has a thread of its own. The journal's commit is shown apart.
//!
//! `cargo bench -p basis-venues --features live --bench binance_order -- [ROUNDS [DIRECTORY]]`
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark reads the clock and prints"
)]

mod baseline;
mod counterpart;
mod machine;

use std::error::Error;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use basis_core::instruction::{Instruction, OpenInstruction, TimeInForce};
use basis_core::journal::{Commit, Journal, JournalHead};
use basis_core::rules::RuleSnapshot;
use basis_core::secret::Secret;
use basis_core::transport::{Request, Transport};
use basis_core::types::{BookId, Epoch, InstructionId, Side};
use basis_live::net::{HttpTransport, Settings};
use basis_live::sqlite::{Durability, SqliteJournal};
use basis_testkit::{START, rules, spot_limit};
use basis_venues::binance::answer::outcome;
use basis_venues::binance::codec::signing::Keys;
use basis_venues::binance::codec::{Context, Effect, Product, Stamp, replies, requests};
use basis_venues::binance::live::BinanceMachine;
use cpu_time::ThreadTime;
use tokio::runtime::Runtime;

use self::baseline::{BareSocket, Hyper};
use self::counterpart::Counterpart;
use self::machine::ReadyMachine;

pub(crate) const KEY: &str = "thekeyofthebenchmark";
pub(crate) const SECRET: &str = "a secret of some length for the HMAC key";
pub(crate) const BOOK: BookId = BookId::from_number(7);

/// Rounds that are not counted.
const WARM_UP: u32 = 200;
/// How many builds are timed together: one alone is shorter than the clock.
const BATCH: u32 = 64;

type Failed = Box<dyn Error>;

fn main() -> Result<(), Failed> {
    // Cargo adds `--bench`.
    let own = |argument: &String| !argument.starts_with("--");
    let mut arguments = std::env::args().skip(1).filter(own);
    let rounds = arguments.next().map_or(Ok(5_000), |text| text.parse())?;
    let directory = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    orders(rounds)?;
    builds(rounds)?;
    commits(rounds.min(2_000), &directory)
}

/// An order that fills at once at its limit.
pub(crate) fn instruction(number: u32) -> Instruction {
    let operation = spot_limit(Side::Buy, "0.01", "50000", TimeInForce::Ioc);
    Instruction::new(InstructionId::new(Epoch::new(1, 0), number), operation)
}

pub(crate) fn keys() -> Result<Keys, Failed> {
    let key = Secret::new(KEY.to_owned());
    Ok(Keys::new(key, &Secret::new(SECRET.to_owned()))?)
}

/// Turns instructions into signed requests, as the machine does.
struct Builder {
    rules: RuleSnapshot,
    keys: Keys,
    origin: String,
}

impl Builder {
    fn request(&self, instruction: &Instruction) -> Result<Request, Failed> {
        let context = Context {
            book: BOOK,
            rules: &self.rules,
            collar: None,
            order: None,
            withdrawal: None,
        };
        let drafts = requests(BinanceMachine::VENUE, instruction, &context)?;
        let draft = drafts.first().ok_or("an order is a request")?;
        Ok(draft.finish_at(&self.origin, Stamp::new(START), &self.keys))
    }
}

/// CPU time of this thread, and time that passed.
#[derive(Default)]
struct Times {
    cpu: Vec<Duration>,
    wall: Vec<Duration>,
}

impl Times {
    fn of<T>(&mut self, work: impl FnOnce() -> Result<T, Failed>) -> Result<T, Failed> {
        let (cpu, wall) = (ThreadTime::now(), Instant::now());
        let done = work()?;
        self.cpu.push(cpu.elapsed());
        self.wall.push(wall.elapsed());
        Ok(done)
    }

    fn show(&self, what: &str, parts: u32) {
        let at = |times: &[Duration], percent: usize| {
            let mut times = times.to_vec();
            times.sort_unstable();
            let time = times.get(times.len() * percent / 100);
            time.copied().unwrap_or_default() / parts
        };
        let (cpu, wall) = (&self.cpu, &self.wall);
        println!(
            "{what:<44} CPU median {:>9.2?}, 90 % {:>9.2?}; passed {:>9.2?}",
            at(cpu, 50),
            at(cpu, 90),
            at(wall, 50)
        );
    }

    fn forget(&mut self) {
        self.cpu.clear();
        self.wall.clear();
    }
}

/// One order after the other, the ways in turn, so that all meet the same machine.
fn orders(rounds: u32) -> Result<(), Failed> {
    let counterpart = Counterpart::start()?;
    let origin = counterpart.origin();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let builder = Builder {
        rules: rules("binance").at(START).clone(),
        keys: keys()?,
        origin: origin.clone(),
    };
    let settings = Settings {
        tls: None,
        connect_timeout: Duration::from_secs(5),
        answer_timeout: Duration::from_secs(5),
    };
    let transport = HttpTransport::new(&origin, settings.clone())?;
    let own = HttpTransport::new(&origin, settings)?;
    let mut socket = BareSocket::connect(counterpart.address)?;
    let mut hyper = Hyper::connect(&runtime, counterpart.address)?;
    let mut machine = ReadyMachine::start(&origin)?;
    let mut times: [Times; 5] = Default::default();
    for number in 1..=rounds.saturating_add(WARM_UP) {
        if number == WARM_UP {
            times.iter_mut().for_each(Times::forget);
        }
        let instruction = instruction(number);
        let ready = builder.request(&instruction)?;
        let [bare, alone, carried, codec, whole] = &mut times;
        let bytes = baseline::bytes(&ready, counterpart.address);
        bare.of(|| socket.exchange(&bytes))?;
        let request = baseline::request(&ready, counterpart.address)?;
        alone.of(|| hyper.exchange(&runtime, request))?;
        carried.of(|| Ok(runtime.block_on(transport.send(ready))?))?;
        codec.of(|| exchange(&builder, &instruction, (&runtime, &transport)))?;
        machine.settle()?;
        whole.of(|| machine.order(instruction, (&runtime, &own)))?;
    }
    println!("an order, {rounds} rounds, CPU time of the thread that sends");
    let names = [
        "bare socket, the bytes ready",
        "hyper alone, its request ready",
        "our transport, the request ready",
        "instruction, request, reply read",
        "the same through the venue's machine",
    ];
    for (name, times) in names.into_iter().zip(&times) {
        times.show(name, 1);
    }
    Ok(())
}

/// An instruction to its reply, read, without the machine's bookkeeping.
fn exchange(
    builder: &Builder,
    instruction: &Instruction,
    (runtime, transport): (&Runtime, &HttpTransport),
) -> Result<(), Failed> {
    let request = builder.request(instruction)?;
    let response = runtime.block_on(transport.send(request))?;
    outcome(Product::Spot, Effect::Act, &response).map_err(|failure| failure.kind.to_string())?;
    black_box(replies::order(&response.body)?);
    Ok(())
}

fn builds(rounds: u32) -> Result<(), Failed> {
    let builder = Builder {
        rules: rules("binance").at(START).clone(),
        keys: keys()?,
        origin: "https://api.binance.com".to_owned(),
    };
    let instruction = instruction(1);
    let mut times = Times::default();
    for _ in 0..rounds {
        times.of(|| {
            for _ in 0..BATCH {
                black_box(builder.request(black_box(&instruction))?);
            }
            Ok(())
        })?;
    }
    times.show("build and sign", BATCH);
    Ok(())
}

/// What stands before the first byte of an order: its instruction in the journal, synced.
fn commits(rounds: u32, directory: &Path) -> Result<(), Failed> {
    let path = directory.join(format!("basis-order-{}.db", std::process::id()));
    let head = JournalHead {
        book: BOOK.as_str().to_owned(),
        mode: "benchmark".to_owned(),
        config: String::new(),
        config_hash: String::new(),
    };
    let mut journal = SqliteJournal::create(&path, &head, Durability::Commit)?;
    journal.begin_start(START, 0, "benchmark")?;
    let mut times = Times::default();
    for number in 1..=rounds {
        let open = OpenInstruction {
            venue: BinanceMachine::VENUE,
            submitted_at: START,
            instruction: instruction(number),
        };
        let commit = Commit {
            at: START,
            instructions: vec![open],
            ..Commit::default()
        };
        times.of(|| Ok(journal.commit(&commit)?))?;
    }
    drop(journal);
    std::fs::remove_file(&path)?;
    times.show("commit of the instruction, synced", 1);
    Ok(())
}
