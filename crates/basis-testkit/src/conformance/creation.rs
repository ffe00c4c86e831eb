//! Cases of creation: what the factory makes, when it works, what is refused before anything is made.

use std::sync::Arc;

use basis::assembly::World;
use basis::core::config::{Node, Problems};
use basis::core::error::{Code, VenueErrorKind};
use basis::core::venue::FillAt;
use basis::venues::credentials::{BasisEnvironment, Variables};
use basis::venues::driver::{LiveRuntime, Surroundings};
use basis::venues::factory::{ExecutionInterfaceFactory, FactoryInputs, FactorySettings};

use super::desk::{Check, Desk, ensure};
use super::market::{self, Bench};
use super::script::{Script, Step};
use super::subjects::Subject;

/// An empty world at the opening.
fn world(bench: Bench) -> World {
    let at = market::hour(market::OPENING);
    World::new(at, bench.rules(), FillAt::Close)
}

/// 1: the factory's record, the interface and the driver row say the same.
pub(super) fn created(subject: &Subject) -> Check {
    let registry = subject.bench.registry();
    let row = registry.require(subject.venue).map_err(|e| e.to_string())?;
    let world = world(subject.bench);
    let mut factory = subject.bench.factory(&world, FactorySettings::default());
    let settings = subject.bench.settings();
    let dependencies = Some(world.dependencies());
    let created = factory.create_all_interfaces(&settings, dependencies);
    ensure!(created.failures.is_empty(), "{:?}", created.failures);
    let interface = created
        .interfaces
        .iter()
        .find(|i| i.venue() == row.facts.venue);
    let interface = interface.ok_or("not created")?;
    ensure!(
        interface.capabilities().operations == row.facts.operations,
        "the row lists {:?}, the interface {:?}",
        row.facts.operations,
        interface.capabilities().operations
    );
    let class = factory.interface_map().get(&row.facts.venue);
    ensure!(class == Some(&row.facts.class_name), "class {class:?}");
    let record = factory.created_interfaces().get(&row.facts.venue);
    let record = format!("{record:?}");
    ensure!(
        record.contains(row.facts.class_name),
        "recorded as {record}"
    );
    let info = factory.venue_info(subject.venue);
    let info = info.map_err(|e| e.to_string())?;
    ensure!(info.is_available, "not available: {info:?}");
    ensure!(info.venue_type == row.facts.venue_type, "type {info:?}");
    Ok(())
}

/// 2: refused as not ready until the dependencies are there.
pub(super) fn ready(subject: &Subject) -> Check {
    let view = subject.bench.view(None);
    let world = subject.bench.world(&view);
    let dependencies = world.dependencies();
    let mut desk = Desk::create(subject.bench, world, view, &subject.bench.settings(), None)?;
    let steps = Script::of(subject.script);
    let Some(Step::Act { operation, .. }) = steps.first() else {
        return Err("a script begins with an instruction".to_owned());
    };
    let e = match desk.probe(subject.venue, operation.clone())? {
        Err(e) => e,
        Ok(done) => return Err(format!("executed without dependencies: {done:?}")),
    };
    ensure!(e.kind == VenueErrorKind::NotReady, "found {e}");
    ensure!(e.code() == Code::CreationFailed, "found {}", e.code());
    let mut factory = subject
        .bench
        .factory(&desk.world, FactorySettings::default());
    let handed = factory.set_interface_dependencies(&mut desk.venues, dependencies);
    handed.map_err(|e| e.to_string())?;
    let done = desk.execute(subject.venue, 1, operation.clone())?;
    done.map(drop).map_err(|e| e.to_string())
}

/// 23: live trading is refused before anything is created: without a live half, and without credentials.
pub(super) fn live(subject: &Subject) -> Check {
    let world = world(subject.bench);
    let mut factory = ExecutionInterfaceFactory::new(FactoryInputs {
        registry: subject.bench.registry(),
        settings: FactorySettings::default(),
        surroundings: Surroundings::Live {
            environment: BasisEnvironment::default(),
            variables: Variables::default(),
            runtime: LiveRuntime::none(),
        },
        clock: Arc::new(world.clock.clone()),
        events: Arc::clone(&world.events) as _,
        config_hash: String::new(),
    });
    let dependencies = Some(world.dependencies());
    let created = factory.create_interface(subject.venue, None, dependencies);
    let Err(e) = created else {
        return Err("created".to_owned());
    };
    let info = factory
        .venue_info(subject.venue)
        .map_err(|e| e.to_string())?;
    if info.is_available {
        ensure!(e.code == Code::CredentialsInvalid, "code {}", e.code);
        ensure!(e.reason == Some("missing"), "reason {:?}", e.reason);
        return Ok(());
    }
    ensure!(e.code == Code::CreationFailed, "code {}", e.code);
    ensure!(e.reason == Some("mode"), "reason {:?}", e.reason);
    ensure!(
        e.message.contains(subject.venue) && e.message.contains("backtest"),
        "{}",
        e.message
    );
    Ok(())
}

/// 24: a slip of the pen in the settings fails the venue, or is a warning where validation is lenient.
pub(super) fn settings(subject: &Subject) -> Check {
    let section = format!("{}: {{ netwerk: mainnet }}", subject.venue);
    let section = market::parsed(&section);
    let world = world(subject.bench);
    let create = |settings: FactorySettings, section: &Node| {
        let mut factory = subject.bench.factory(&world, settings);
        factory.create_all_interfaces(section, Some(world.dependencies()))
    };
    let names = |text: &str| {
        let place = format!("{}.netwerk", subject.venue);
        text.contains(&place) && text.contains("did you mean `network`?")
    };
    let strict = create(FactorySettings::default(), &section);
    ensure!(strict.interfaces.is_empty(), "created in spite of it");
    let [(venue, e)] = &strict.failures[..] else {
        return Err(format!("failures {:?}", strict.failures));
    };
    ensure!(venue.as_str() == subject.venue, "{venue} failed");
    ensure!(e.code == Code::VenueInvalid, "code {}", e.code);
    ensure!(e.reason == Some("settings"), "reason {:?}", e.reason);
    ensure!(names(&e.message), "{}", e.message);
    let lenient = create(lenient(), &section);
    ensure!(lenient.failures.is_empty(), "{:?}", lenient.failures);
    ensure!(lenient.interfaces.len() == 1, "not created");
    let [warning] = &lenient.warnings[..] else {
        return Err(format!("warnings {:?}", lenient.warnings));
    };
    ensure!(names(&warning.to_string()), "{warning}");
    Ok(())
}

fn lenient() -> FactorySettings {
    let root = "component_config: { execution_interface_factory: { validation_strict: false } }";
    let problems = Problems::new();
    let settings = FactorySettings::read(&market::parsed(root), &problems, &Variables::default());
    assert_eq!(problems.into_sorted(), []);
    settings
}
