//! Lists of scenarios: read, chosen by name, and made into sentences about one run.
//!
//! **Invariant.** A sentence that leaves here reads as a shock.

use std::path::Path;

use basis_core::config::{Location, Node, NodeValue, Problems, Reader, nearest};
use basis_core::error::{Code, ComponentError};
use basis_core::types::{Asset, Span, Timestamp, Venue};
use basis_core::venue::VenueType;
use basis_market::Shock;
use basis_report::stress::BASE;

use crate::assembly::Setup;
use crate::config::embedded::SCENARIOS;
use crate::config::{listed, read_file, yaml};

/// What a sentence may leave open, and what it stands for.
const PLACEHOLDERS: [(&str, &str); 3] = [
    ("underlying", "underlying"),
    ("lst", "liquid staking token"),
    ("cex", "exchange"),
];

/// A named list of sentences, not yet about any run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    name: String,
    sentences: Vec<(String, Location)>,
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
    /// Its sentences, each a shock.
    Shocks(Vec<Shock>),
    /// Why this run has nothing to put there.
    Inapplicable(String),
}

/// The scenarios built into the program.
///
/// # Errors
/// As [`read`].
pub fn builtin() -> Result<Vec<Scenario>, ComponentError> {
    let mut all = Vec::new();
    for file in SCENARIOS {
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
    let mut all = Vec::with_capacity(entries.len());
    for entry in entries {
        let path = format!("scenarios.{}", entry.key);
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if entry.key == BASE || !entry.key.chars().all(is_word) {
            let message = format!("a name is letters, digits, `_` and `-`, and not `{BASE}`");
            problems.add(&entry.location, path.clone(), message);
        }
        let items = match &entry.node.value {
            NodeValue::List(items) => items.as_slice(),
            NodeValue::Text(_) => std::slice::from_ref(&entry.node),
            NodeValue::Null | NodeValue::Map(_) => &[],
        };
        if items.is_empty() {
            let message = "expected a list of shocks, as `ETH -20% at T over 1h`";
            problems.add(&entry.location, path.clone(), message);
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
                _ => problems.add(&item.location, path.clone(), "expected a sentence"),
            }
        }
        all.push(Scenario {
            name: entry.key.clone(),
            sentences,
        });
    }
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

    /// Its sentences about one run.
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
        Ok(Resolved::Shocks(shocks))
    }
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

/// `90min`, `6h`, `2d`, up to ten years.
fn span(text: &str) -> Option<Span> {
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
        for scenario in &all {
            let Resolved::Shocks(shocks) = scenario.resolve(&whole).unwrap() else {
                panic!("{}", scenario.name)
            };
            assert!(!shocks.is_empty());
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
