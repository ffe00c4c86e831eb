//! Lists of scenarios: read, chosen by name, and made into sentences about one run.
//!
//! **Invariant.** A sentence that leaves here reads as a shock.

use std::path::Path;

use basis_core::config::{Entry, Location, Node, NodeValue, Problems, Reader, nearest};
use basis_core::error::{Code, ComponentError};
use basis_core::num::{Fixed18, Rate};
use basis_core::types::{Asset, Span, Timestamp, Venue};
use basis_core::venue::VenueType;
use basis_market::Shock;
use basis_report::stress::{BASE, Criterion};

use crate::assembly::Setup;
use crate::config::embedded::{Embedded, SCENARIOS, TIERS};
use crate::config::{listed, read_file, yaml};

/// What a sentence may leave open, and what it stands for.
const PLACEHOLDERS: [(&str, &str); 4] = [
    ("underlying", "underlying"),
    ("lst", "liquid staking token"),
    ("cex", "exchange"),
    ("each_cex", "exchange"),
];

/// What makes a scenario one for each exchange of the mode.
const EACH: &str = "{each_cex}";

/// A named list of sentences, not yet about any run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    name: String,
    sentences: Vec<(String, Location)>,
    criterion: Criterion,
    /// The exchange whose holdings are lost at the end of the run, as it was written.
    lost: Option<(String, Location)>,
}

/// A scenario about one run.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Its sentences, each a shock.
    pub shocks: Vec<Shock>,
    /// The exchange that keeps what the book holds there.
    pub lost: Option<Venue>,
}

/// What the open places of sentences stand for in one run.
#[derive(Clone, Copy, Debug)]
pub struct Placeholders {
    /// `T`.
    pub at: Timestamp,
    /// `{underlying}`.
    pub underlying: Asset,
    /// `{lst}`; `None` in a mode without one.
    pub lst: Option<Asset>,
    /// `{cex}`; `None` in a mode that trades on no exchange.
    pub cex: Option<Venue>,
}

/// What became of a scenario's open places.
#[derive(Clone, Debug)]
pub enum Resolved {
    /// What it says.
    About(About),
    /// Why this run has nothing to put there.
    Inapplicable(String),
}

/// The scenarios built into the program.
///
/// # Errors
/// As [`read`].
pub fn builtin() -> Result<Vec<Scenario>, ComponentError> {
    embedded(SCENARIOS)
}

/// The scenarios of the three tiers, built into the program, each with what it has to show.
///
/// # Errors
/// As [`read`].
pub fn tiers() -> Result<Vec<Scenario>, ComponentError> {
    embedded(TIERS)
}

fn embedded(files: &[Embedded]) -> Result<Vec<Scenario>, ComponentError> {
    let mut all = Vec::new();
    for file in files {
        let node = yaml::parse(file.text, file.source)
            .map_err(|problems| listed(Code::ConfigFile, file.source, &problems))?;
        all.extend(of(&node, file.source)?);
    }
    Ok(all)
}

/// The scenarios of a file, in its order.
///
/// # Errors
/// CFG-002 when it cannot be read, CFG-001 with every problem of what it says.
pub fn read(path: &Path) -> Result<Vec<Scenario>, ComponentError> {
    of(&read_file(path)?, &path.display().to_string())
}

fn of(root: &Node, source: &str) -> Result<Vec<Scenario>, ComponentError> {
    let problems = Problems::new();
    let reader = Reader::new(root, "", &problems);
    let entries = reader.map("scenarios");
    let all: Vec<_> = entries
        .iter()
        .map(|entry| scenario(entry, &problems))
        .collect();
    if all.is_empty() {
        problems.add(&root.location, "scenarios", "there is no scenario");
    }
    reader.finish();
    let problems = problems.into_sorted();
    if problems.is_empty() {
        return Ok(all);
    }
    Err(listed(Code::ConfigInvalid, source, &problems))
}

/// One entry: its sentences, or a map of them with what they have to show.
fn scenario(entry: &Entry, problems: &Problems) -> Scenario {
    let path = format!("scenarios.{}", entry.key);
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if entry.key == BASE || !entry.key.chars().all(is_word) {
        let message = format!("a name is letters, digits, `_` and `-`, and not `{BASE}`");
        problems.add(&entry.location, path.clone(), message);
    }
    let (shocks, criterion, lost) = match &entry.node.value {
        NodeValue::Map(_) => {
            let reader = Reader::new(&entry.node, &path, problems);
            let criterion = criterion(&reader);
            let lost = reader.text("lost");
            let shocks = reader.node("shocks");
            reader.finish();
            (shocks, criterion, lost)
        }
        NodeValue::List(_) | NodeValue::Text(_) | NodeValue::Null => {
            (Some(&entry.node), Criterion::Report, None)
        }
    };
    Scenario {
        name: entry.key.clone(),
        sentences: sentences(shocks, (&path, &entry.location), problems),
        criterion,
        lost: lost.map(|text| (text.to_owned(), entry.location.clone())),
    }
}

/// What a scenario has to show: `must: survive`, `loss_below: 0.03`, or nothing.
fn criterion(reader: &Reader<'_>) -> Criterion {
    let choices = [("survive", Criterion::Survive)];
    let must = reader.choice("must", &choices, Criterion::Report);
    let Some(bound) = reader.within("loss_below", Fixed18::ZERO..=Fixed18::ONE) else {
        return must;
    };
    if must != Criterion::Report {
        reader.problem("loss_below", "what must survive has no bound on its loss");
    }
    Criterion::LossBelow(Rate::new(bound))
}

/// The sentences of a scenario, each with its place.
fn sentences(
    node: Option<&Node>,
    (path, place): (&str, &Location),
    problems: &Problems,
) -> Vec<(String, Location)> {
    let items = match node.map(|node| (node, &node.value)) {
        Some((_, NodeValue::List(items))) => items.as_slice(),
        Some((node, NodeValue::Text(_))) => std::slice::from_ref(node),
        None | Some((_, NodeValue::Null | NodeValue::Map(_))) => &[],
    };
    if items.is_empty() {
        let message = "expected a list of shocks, as `ETH -20% at T over 1h`";
        problems.add(place, path, message);
    }
    let mut sentences = Vec::with_capacity(items.len());
    for (number, item) in items.iter().enumerate() {
        match &item.value {
            NodeValue::Text(text) => match check(text) {
                Ok(()) => sentences.push((text.clone(), item.location.clone())),
                Err(message) => {
                    problems.add(&item.location, format!("{path}[{number}]"), message);
                }
            },
            NodeValue::Null | NodeValue::List(_) | NodeValue::Map(_) => {
                problems.add(&item.location, path, "expected a sentence");
            }
        }
    }
    sentences
}
/// Whether a sentence reads as a shock, whatever stands in its open places.
fn check(text: &str) -> Result<(), String> {
    let sample = Placeholders {
        at: Timestamp::EPOCH,
        underlying: Asset::literal("ETH"),
        lst: Some(Asset::literal("weETH")),
        cex: Some(Venue::literal("binance")),
    };
    let text = sample.fill(text).map_err(|open| open.to_string())?;
    Shock::parse(&text).map(|_| ()).map_err(|e| e.to_string())
}

/// Those of `all` that `names` asks for, in the order of the list; all of them without a name.
///
/// # Errors
/// CFG-005 for a name that is not there, with the nearest one and the list.
pub fn chosen(all: Vec<Scenario>, names: &[String]) -> Result<Vec<Scenario>, ComponentError> {
    let known = |name: &String| all.iter().any(|scenario| scenario.name == *name);
    let Some(unknown) = names.iter().find(|name| !known(name)) else {
        let asked = |scenario: &Scenario| names.is_empty() || names.contains(&scenario.name);
        return Ok(all.into_iter().filter(asked).collect());
    };
    let list: Vec<_> = all.iter().map(Scenario::name).collect();
    let near = nearest(unknown, list.iter().copied())
        .map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default();
    let message = format!(
        "unknown scenario `{unknown}`{near} (available: {})",
        list.join(", ")
    );
    Err(ComponentError::new(Code::Usage, message))
}

impl Scenario {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it has to show.
    #[must_use]
    pub const fn criterion(&self) -> Criterion {
        self.criterion
    }

    /// Itself, or one for each of `exchanges` where it speaks of `{each_cex}`.
    #[must_use]
    pub fn each(&self, exchanges: &[Venue]) -> Vec<Self> {
        let says = |(text, _): &(String, Location)| text.contains(EACH);
        if !self.sentences.iter().chain(&self.lost).any(says) || exchanges.is_empty() {
            return vec![self.clone()];
        }
        let about = |exchange: &Venue| {
            let fill = |(text, place): &(String, Location)| {
                (text.replace(EACH, exchange.as_str()), place.clone())
            };
            Self {
                name: format!("{}-{exchange}", self.name),
                sentences: self.sentences.iter().map(fill).collect(),
                lost: self.lost.as_ref().map(fill),
                criterion: self.criterion,
            }
        };
        exchanges.iter().map(about).collect()
    }

    /// What it says about one run.
    ///
    /// # Errors
    /// CFG-001 when a sentence does not read as a shock, with the place it was written at.
    pub fn resolve(&self, terms: &Placeholders) -> Result<Resolved, ComponentError> {
        let mut shocks = Vec::with_capacity(self.sentences.len());
        for (text, place) in &self.sentences {
            let filled = match terms.fill(text) {
                Ok(filled) => filled,
                Err(Open::Absent(what)) => {
                    return Ok(Resolved::Inapplicable(format!("the mode has no {what}")));
                }
                Err(open @ Open::Unknown(_)) => {
                    return Err(invalid(place, &self.name, &open));
                }
            };
            let shock = Shock::parse(&filled).map_err(|e| invalid(place, &self.name, &e))?;
            shocks.push(shock);
        }
        let lost = match &self.lost {
            None => None,
            Some((text, place)) => match terms.fill(text) {
                Err(Open::Absent(what)) => {
                    return Ok(Resolved::Inapplicable(format!("the mode has no {what}")));
                }
                Err(open @ Open::Unknown(_)) => return Err(invalid(place, &self.name, &open)),
                Ok(name) => {
                    let venue = Venue::new(&name).map_err(|e| invalid(place, &self.name, &e))?;
                    Some(venue)
                }
            },
        };
        Ok(Resolved::About(About { shocks, lost }))
    }
}

/// The exchanges that the mode of `setup` trades on: of its hedge in their order, then that of its spot.
#[must_use]
pub fn exchanges(setup: &Setup) -> Vec<Venue> {
    let trades = setup.mode().trades();
    let is_cex = |venue: &Venue| setup.registry().venue_type(*venue) == Some(VenueType::Cex);
    let hedges = trades.perps.iter().map(|(venue, _)| *venue);
    let mut all: Vec<Venue> = hedges.filter(is_cex).collect();
    if let Some(spot) = trades.spot.filter(is_cex)
        && !all.contains(&spot)
    {
        all.push(spot);
    }
    all
}

fn invalid(place: &Location, name: &str, message: &dyn std::fmt::Display) -> ComponentError {
    ComponentError::new(
        Code::ConfigInvalid,
        format!("{place}: scenarios.{name}: {message}"),
    )
}

/// Why an open place stays open.
#[derive(Debug)]
enum Open {
    /// The run has no such thing.
    Absent(&'static str),
    /// Nobody knows the word.
    Unknown(String),
}

impl std::fmt::Display for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absent(what) => write!(f, "the mode has no {what}"),
            Self::Unknown(what) => f.write_str(what),
        }
    }
}

impl Placeholders {
    /// What they are in the run of `setup` at `at`.
    #[must_use]
    pub fn of(setup: &Setup, at: Timestamp) -> Self {
        let registry = setup.registry();
        let trades = setup.mode().trades();
        let is_cex = |venue: &Venue| registry.venue_type(*venue) == Some(VenueType::Cex);
        let mut largest: Option<(Venue, basis_core::num::Rate)> = None;
        for (venue, share) in &trades.perps {
            // The first of several with the same share.
            if is_cex(venue) && largest.is_none_or(|(_, most)| *share > most) {
                largest = Some((*venue, *share));
            }
        }
        let spot = trades.spot.filter(is_cex);
        Self {
            at,
            underlying: setup.run().asset,
            lst: trades.staking_token,
            cex: largest.map(|(venue, _)| venue).or(spot),
        }
    }

    /// `text` with everything open filled in, words apart by one blank.
    fn fill(&self, text: &str) -> Result<String, Open> {
        let mut words = Vec::new();
        for word in text.split_whitespace() {
            let after_at = words.last().is_some_and(|last| last == "at");
            words.push(match word.strip_prefix('T') {
                Some(later) if after_at => self.instant(word, later)?,
                _ => self.word(word)?,
            });
        }
        Ok(words.join(" "))
    }

    /// `T`, or `T+6h`.
    fn instant(&self, word: &str, later: &str) -> Result<String, Open> {
        if later.is_empty() {
            return Ok(self.at.to_string());
        }
        let span = later.strip_prefix('+').and_then(span);
        let unknown = || Open::Unknown(format!("`{word}` is no instant; write T, or as T+6h"));
        Ok(self.at.plus(span.ok_or_else(unknown)?).to_string())
    }

    fn word(&self, word: &str) -> Result<String, Open> {
        let Some((before, rest)) = word.split_once('{') else {
            return Ok(word.to_owned());
        };
        let unclosed = || Open::Unknown(format!("`{word}`: the brace is not closed"));
        let (name, after) = rest.split_once('}').ok_or_else(unclosed)?;
        let names = PLACEHOLDERS.iter().map(|(name, _)| *name);
        let Some((_, what)) = PLACEHOLDERS.iter().find(|(known, _)| *known == name) else {
            let near = nearest(name, names.clone())
                .map(|near| format!("; did you mean `{{{near}}}`?"))
                .unwrap_or_default();
            let list: Vec<_> = names.map(|name| format!("{{{name}}}")).collect();
            let message = format!("unknown `{{{name}}}`{near} (known: {})", list.join(", "));
            return Err(Open::Unknown(message));
        };
        let value = match name {
            "underlying" => Some(self.underlying.to_string()),
            "lst" => self.lst.map(|lst| lst.to_string()),
            _ => self.cex.map(|cex| cex.to_string()),
        };
        let value = value.ok_or(Open::Absent(what))?;
        Ok(format!("{before}{value}{after}"))
    }
}

/// Reads `90min`, `6h`, `2d`, up to ten years.
#[must_use]
pub fn span(text: &str) -> Option<Span> {
    const DAYS_MAX: i64 = 3_650;
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let count = digits.parse::<i64>().ok().filter(|count| *count >= 0)?;
    let (unit, most) = match text.get(digits.len()..)? {
        "m" | "min" => (Span::from_minutes(1), DAYS_MAX * 24 * 60),
        "h" => (Span::HOUR, DAYS_MAX * 24),
        "d" => (Span::DAY, DAYS_MAX),
        _ => return None,
    };
    (count <= most).then(|| unit.times(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Placeholders {
        Placeholders {
            at: Timestamp::parse("2025-02-03T00:00:00Z").unwrap(),
            underlying: Asset::literal("BTC"),
            lst: None,
            cex: Some(Venue::literal("okx")),
        }
    }

    fn file(text: &str) -> Result<Vec<Scenario>, ComponentError> {
        of(&yaml::parse(text, "s.yaml").unwrap(), "s.yaml")
    }

    #[test]
    fn open_places_are_filled_with_what_the_run_has() {
        let fill = |text| terms().fill(text).unwrap();
        assert_eq!(
            fill("{underlying} -20%  at T over 1h"),
            "BTC -20% at 2025-02-03T00:00:00Z over 1h"
        );
        assert_eq!(
            fill("perp.{cex} {underlying} x2 at T+90min"),
            "perp.okx BTC x2 at 2025-02-03T01:30:00Z"
        );
        assert_eq!(
            fill("outage okx at 2025-02-01 for 6h"),
            "outage okx at 2025-02-01 for 6h"
        );
        let [scenario] = &file("scenarios:\n  a: market {lst} -5% at T\n").unwrap()[..] else {
            panic!("one scenario")
        };
        let Resolved::Inapplicable(why) = scenario.resolve(&terms()).unwrap() else {
            panic!("the mode has none")
        };
        assert_eq!(why, "the mode has no liquid staking token");
    }

    #[test]
    fn the_built_in_scenarios_read_and_are_at_least_twelve() {
        let all = builtin().unwrap();
        assert!(all.len() >= 12, "{}", all.len());
        let whole = Placeholders {
            lst: Some(Asset::literal("weETH")),
            ..terms()
        };
        for scenario in all.iter().chain(&tiers().unwrap()) {
            let Resolved::About(about) = scenario.resolve(&whole).unwrap() else {
                panic!("{}", scenario.name)
            };
            assert!(!about.shocks.is_empty());
        }
    }

    #[test]
    fn a_file_is_refused_with_every_problem_and_its_place() {
        let text = "scenarios:\n  a:\n    - '{underlyng} -1% at T'\n  b: []\n  c: BTC -1% at T+x\n  \
                    d: BTC -1%\nscenarois: {}\n";
        let e = file(text).unwrap_err();
        for part in [
            "s.yaml:3",
            "did you mean `{underlying}`?",
            "scenarios.b: expected a list of shocks",
            "`T+x` is no instant",
            "`at INSTANT`",
            "scenarois",
        ] {
            assert!(e.message.contains(part), "`{part}` is not in {}", e.message);
        }
        assert_eq!(e.code, Code::ConfigInvalid);
        assert!(file("scenarios: {}\n").is_err());
    }

    #[test]
    fn a_scenario_says_what_it_must_show_and_speaks_of_each_exchange() {
        let text = "scenarios:\n  a: { must: survive, shocks: ['outage {each_cex} at T for 6h'] }\n  \
                    b: { loss_below: 0.03, lost: '{each_cex}', shocks: BTC -1% at T }\n";
        let all = file(text).unwrap();
        let criteria: Vec<_> = all.iter().map(Scenario::criterion).collect();
        let bound = Criterion::LossBelow(Rate::literal("0.03"));
        assert_eq!(criteria, [Criterion::Survive, bound]);
        let exchanges = ["okx", "bybit"].map(Venue::literal);
        let each: Vec<_> = all.iter().flat_map(|s| s.each(&exchanges)).collect();
        let names: Vec<_> = each.iter().map(Scenario::name).collect();
        assert_eq!(names, ["a-okx", "a-bybit", "b-okx", "b-bybit"]);
        let Resolved::About(about) = each[3].resolve(&terms()).unwrap() else {
            panic!("it applies")
        };
        assert_eq!(about.lost, Some(exchanges[1]));
        let both = "scenarios:\n  a: { must: survive, loss_below: 0.03, shocks: BTC -1% at T }\n  \
                    b: { must: surive, shocks: BTC -1% at T }\n  c: { must: survive }\n";
        let e = file(both).unwrap_err();
        for part in [
            "no bound on its loss",
            "scenarios.b.must",
            "scenarios.c: expected a list",
        ] {
            assert!(e.message.contains(part), "`{part}` is not in {}", e.message);
        }
    }

    #[test]
    fn an_unknown_name_gets_the_nearest_one() {
        let all = builtin().unwrap();
        let e = chosen(all.clone(), &["up_20_1".to_owned()]).unwrap_err();
        assert!(
            e.message.contains("did you mean `up_20_1h`?"),
            "{}",
            e.message
        );
        let one = chosen(all.clone(), &["funding_flip".to_owned()]).unwrap();
        assert_eq!(one.len(), 1);
        assert_eq!(chosen(all.clone(), &[]).unwrap(), all);
    }
}
