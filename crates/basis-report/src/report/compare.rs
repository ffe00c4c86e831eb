//! The page that lays two or more runs side by side.

use basis_core::num::Fixed18;
use serde_json::Value as Json;

use super::RunReport;
use super::sections::{HEADLINE, Scale, is_par, sign_class, unit};
use crate::page::html::{self, Form, amount, data, decimal, escape, figure, table, text};
use crate::page::series::{Chart, Series};
use crate::page::{day, frame, section, synthetic};

/// Lines of configuration that differ and are shown.
const DIFFERENCES_MAX: usize = 60;

/// A run with the name it is shown by.
pub(super) type Named<'a> = (&'a str, &'a RunReport);

/// What a run is called in the page; there are as many as the page has colors.
pub(super) const LABELS: [&str; 8] = ["A", "B", "C", "D", "E", "F", "G", "H"];
/// The charts of the runs, which have instants of their own and are joined by the page.
const INDEX_PARTS: [&str; 8] = [
    "index-0", "index-1", "index-2", "index-3", "index-4", "index-5", "index-6", "index-7",
];
const DRAWDOWN_PARTS: [&str; 8] = [
    "drawdown-0",
    "drawdown-1",
    "drawdown-2",
    "drawdown-3",
    "drawdown-4",
    "drawdown-5",
    "drawdown-6",
    "drawdown-7",
];

pub(super) fn page(runs: &[Named<'_>]) -> String {
    let names: Vec<&str> = runs.iter().map(|(name, _)| *name).collect();
    let title = names.join(" against ");
    let charts = |of: fn(&RunReport) -> &Chart| -> Vec<&Chart> {
        runs.iter().map(|(_, run)| of(run)).collect()
    };
    let index = Joined::of(&charts(|run| &run.equity.index), INDEX_PARTS);
    let drawdown = Joined::of(&charts(|run| &run.equity.drawdown), DRAWDOWN_PARTS);
    let joined: Vec<&Joined> = index.iter().chain(&drawdown).collect();
    let mut body = header(&title, runs);
    body.push_str(&section("result", "Result", &headline(runs)));
    let figures: String = joined.iter().map(|chart| figure(&chart.shown)).collect();
    body.push_str(&section("equity", "Equity and drawdown", &figures));
    body.push_str(&section("attribution", "Attribution", &attribution(runs)));
    body.push_str(&section("config", "Configuration", &settings_table(runs)));
    let parts: Vec<&Chart> = joined.iter().flat_map(|chart| &chart.parts).collect();
    let is_synthetic = runs.iter().any(|(_, run)| is_synthetic(run));
    frame(&title, is_synthetic, &body, &data(&parts, &[]))
}

fn is_synthetic(run: &RunReport) -> bool {
    field(run, "synthetic") == true
}

/// A key of the summary, null where there is none.
fn field<'a>(run: &'a RunReport, key: &str) -> &'a Json {
    run.summary.get(key).unwrap_or(&Json::Null)
}

/// The same chart of every run: as it is described, and as its parts.
#[derive(Debug)]
struct Joined {
    shown: Chart,
    parts: Vec<Chart>,
}

impl Joined {
    /// The table and the text alternative take their instants from the first; the others are read at or before
    /// them. None without a run.
    fn of(charts: &[&Chart], ids: [&'static str; 8]) -> Option<Self> {
        let first = *charts.first()?;
        let mut shown = Chart {
            series: Vec::new(),
            ..first.clone()
        };
        let mut parts = Vec::new();
        for (color, ((chart, id), label)) in charts.iter().zip(ids).zip(LABELS).enumerate() {
            let values = chart.series.first().map(|series| series.values.as_slice());
            let values = values.unwrap_or_default();
            parts.push(Chart {
                id,
                series: vec![Series::new(label, color, values.to_vec())],
                ..(*chart).clone()
            });
            let at_or_before = |at: &i64| {
                let next = chart.x.partition_point(|x| x <= at);
                let value = next.checked_sub(1).and_then(|place| values.get(place));
                value.copied().unwrap_or(f64::NAN)
            };
            let values = first.x.iter().map(at_or_before).collect();
            shown.series.push(Series::new(label, color, values));
        }
        Some(Self { shown, parts })
    }
}

fn header(title: &str, runs: &[Named<'_>]) -> String {
    let mut out = format!("<header><h1>{}</h1>", escape(title));
    for ((name, run), label) in runs.iter().zip(LABELS) {
        let summary = &run.summary;
        out.push_str(&format!(
            "<p><strong>{label}</strong> {}: {}, {} to {} UTC, share class {}, data: {}</p>",
            escape(name),
            escape(&text(&summary["mode"])),
            escape(&day(&summary["from"])),
            escape(&day(&summary["to"])),
            escape(&text(&summary["share_class"])),
            escape(&text(&summary["data_source"])),
        ));
    }
    out.push_str("</header>");
    let generated = runs.iter().find(|(_, run)| is_synthetic(run));
    out.push_str(&generated.map_or_else(String::new, |(_, run)| synthetic(&run.summary)));
    let differs = |key: &str| {
        let values = runs.iter().map(|(_, run)| field(run, key));
        values.clone().zip(values.skip(1)).any(|(a, b)| a != b)
    };
    if ["from", "to", "share_class"].into_iter().any(differs) {
        out.push_str(
            "<p class=\"banner\">The runs differ in dates or share class: compare rates, not \
             amounts.</p>",
        );
    }
    out
}

/// `""`, the labels of the runs, and of two runs their difference.
fn columns<'a>(first: &'a str, runs: &[Named<'_>]) -> Vec<&'a str> {
    let labels = LABELS.iter().take(runs.len()).copied();
    let difference = (runs.len() == 2).then_some("B − A");
    std::iter::once(first)
        .chain(labels)
        .chain(difference)
        .collect()
}

/// A row of figures at `key` of every run, with the difference of two.
fn figures(title: String, key: &str, raw: &[&Json], form: Form) -> Vec<String> {
    let cells = raw.iter().zip(LABELS).map(|(raw, label)| {
        let key = format!("{}.{}", label.to_lowercase(), escape(key));
        html::value(&key, raw, form)
    });
    let between = match raw {
        [a, b] => Some(difference(a, b, form)),
        _ => None,
    };
    std::iter::once(title).chain(cells).chain(between).collect()
}

fn headline(runs: &[Named<'_>]) -> String {
    let mut rows = Vec::new();
    for row in HEADLINE {
        // In a dollar class the dollars are the same number again.
        if row.key == "equity_end_usd" && runs.iter().all(|(_, run)| is_par(&run.summary)) {
            continue;
        }
        let raw: Vec<&Json> = runs
            .iter()
            .map(|(_, run)| run.summary.pointer(row.pointer).unwrap_or(&Json::Null))
            .collect();
        let mut units: Vec<String> = runs
            .iter()
            .map(|(_, run)| unit(row, &run.summary))
            .collect();
        units.dedup();
        let title = format!(
            "{} <span class=\"unit\">{}</span>",
            row.title,
            escape(&units.join(", "))
        );
        rows.push(figures(title, row.key, &raw, row.form));
    }
    table("Headline numbers", &columns("", runs), &rows, true)
}

/// B − A: exact for amounts, in percentage points for ratios.
fn difference(a: &Json, b: &Json, form: Form) -> String {
    if let (Some(a), Some(b)) = (a.as_str(), b.as_str()) {
        let exact = || {
            Some(
                (b.parse::<Fixed18>().ok()?)
                    .sub(a.parse().ok()?)
                    .ok()?
                    .to_string(),
            )
        };
        return exact().map_or_else(|| "–".to_owned(), |text| html::money(&text));
    }
    let (Some(from), Some(to)) = (a.as_f64(), b.as_f64()) else {
        return "–".to_owned();
    };
    match form {
        Form::Percent => format!("{} pp", decimal((to - from) * 100.0, 4)),
        Form::Plain => decimal(to - from, 0),
        Form::Money | Form::Number => decimal(to - from, 2),
    }
}

fn attribution(runs: &[Named<'_>]) -> String {
    let all: Vec<&Json> = runs
        .iter()
        .map(|(_, run)| field(run, "attribution"))
        .collect();
    let mut names: Vec<&String> = all
        .iter()
        .filter_map(|map| map.as_object())
        .flat_map(serde_json::Map::keys)
        .filter(|name| all.iter().any(|map| amount(&map[*name]) != 0.0))
        .collect();
    names.sort();
    names.dedup();
    let change = |name: &String| match all.as_slice() {
        [a, b] => amount(&b[name]) - amount(&a[name]),
        _ => 0.0,
    };
    let low = names.iter().map(|name| change(name)).fold(0.0, f64::min);
    let high = names.iter().map(|name| change(name)).fold(0.0, f64::max);
    let scale = Scale { low, high };
    let rows: Vec<_> = names
        .iter()
        .map(|name| {
            let raw: Vec<&Json> = all.iter().map(|map| &map[*name]).collect();
            let title = escape(&name.replace('_', " "));
            let mut row = figures(title, &format!("attribution.{name}"), &raw, Form::Money);
            if runs.len() == 2 {
                let by = change(name);
                row.push(scale.bar(0.0, by, sign_class(by).trim()));
            }
            row
        })
        .collect();
    let mut header = columns("bucket", runs);
    header.extend((runs.len() == 2).then_some(""));
    format!(
        "<div class=\"waterfall\">{}</div>",
        table("Attribution, USD", &header, &rows, true)
    )
}

/// A setting that is not the same in all runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its key path.
    pub key: String,
    /// Its value in each run, in their order; none where it is not set.
    pub values: Vec<Option<String>>,
}

/// The settings that differ between resolved configurations, by their key paths.
pub(super) fn differences(configurations: &[&str]) -> Vec<Difference> {
    let all: Vec<Vec<(String, String)>> =
        configurations.iter().map(|yaml| settings(yaml)).collect();
    let mut keys: Vec<&String> = all.iter().flatten().map(|(key, _)| key).collect();
    keys.sort();
    keys.dedup();
    let find = |list: &[(String, String)], key: &String| {
        let found = list.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.clone())
    };
    keys.into_iter()
        .map(|key| Difference {
            key: key.clone(),
            values: all.iter().map(|list| find(list, key)).collect(),
        })
        .filter(|row| {
            row.values
                .windows(2)
                .any(|pair| pair.first() != pair.last())
        })
        .collect()
}

fn settings_table(runs: &[Named<'_>]) -> String {
    let configurations: Vec<&str> = runs.iter().map(|(_, run)| run.config.as_str()).collect();
    differences_table(&differences(&configurations), runs.len())
}

fn differences_table(differences: &[Difference], runs: usize) -> String {
    if differences.is_empty() {
        return "<p>All runs have the same settings.</p>".to_owned();
    }
    let shown: Vec<Vec<String>> = differences
        .iter()
        .take(DIFFERENCES_MAX)
        .map(|row| {
            let cell = |value: &Option<String>| value.as_deref().map_or("–".to_owned(), escape);
            std::iter::once(escape(&row.key))
                .chain(row.values.iter().map(cell))
                .collect()
        })
        .collect();
    let caption = format!(
        "Settings that differ: {} of {}",
        shown.len(),
        differences.len()
    );
    let header: Vec<&str> = std::iter::once("setting")
        .chain(LABELS.into_iter().take(runs))
        .collect();
    table(&caption, &header, &shown, false)
}

/// Key paths and scalars of a resolved configuration up to its venue rules, which follow from dates.
fn settings(yaml: &str) -> Vec<(String, String)> {
    let mut path: Vec<(usize, String)> = Vec::new();
    let mut out = Vec::new();
    for line in yaml.lines().take_while(|line| *line != "rules:") {
        let text = line.trim_start();
        let depth = line.len() - text.len();
        let Some((key, value)) = text.split_once(':') else {
            continue;
        };
        path.retain(|(above, _)| *above < depth);
        let value = value.trim().trim_matches('"');
        let name = key.trim_start_matches("- ").to_owned();
        if value.is_empty() {
            path.push((depth, name));
            continue;
        }
        let mut full: Vec<&str> = path.iter().map(|(_, key)| key.as_str()).collect();
        full.push(&name);
        out.push((full.join("."), value.to_owned()));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::sample_run;
    use super::*;

    #[test]
    fn settings_are_named_by_their_path() {
        let yaml = "a: 1\ndata:\n  gaps: \"hold\"\n  proxies:\n    perp: x\nb: 2\nrules:\n  c: 3\n";
        let found: Vec<_> = settings(yaml)
            .into_iter()
            .map(|(key, value)| key + "=" + &value)
            .collect();
        assert_eq!(
            found,
            ["a=1", "data.gaps=hold", "data.proxies.perp=x", "b=2"]
        );
    }

    #[test]
    fn settings_that_differ_in_any_run_are_listed() {
        let found = differences(&["a: 1\nb: 2\n", "a: 1\nb: 2\n", "a: 1\nb: <3\nc: 4\n"]);
        let text = |value: &str| Some(value.to_owned());
        assert_eq!(
            found,
            [
                Difference {
                    key: "b".to_owned(),
                    values: vec![text("2"), text("2"), text("<3")],
                },
                Difference {
                    key: "c".to_owned(),
                    values: vec![None, None, text("4")],
                },
            ]
        );
        let table = differences_table(&found, 3);
        assert!(table.contains("&lt;3") && !table.contains(">a<"), "{table}");
    }

    #[test]
    fn differences_of_amounts_are_exact() {
        let exact = difference(&json!("0.10"), &json!("1000000.3"), Form::Money);
        assert_eq!(exact, "1,000,000.20");
        let points = difference(&json!(0.01), &json!(0.02), Form::Percent);
        assert_eq!(points, "1.0000 pp");
        assert_eq!(difference(&json!(null), &json!(1), Form::Number), "–");
    }

    #[test]
    fn a_run_against_itself_differs_in_nothing() {
        let scratch = sample_run("compare");
        let run = RunReport::read(&scratch.path.join("run")).unwrap();
        let two = page(&[("x<y", &run), ("z", &run)]);
        assert!(two.contains("x&lt;y against z"));
        assert!(two.contains("All runs have the same settings."));
        assert!(two.contains("data-key=\"b.return\" value=\"-0.00086\""));
        assert!(two.contains("B − A"));
        let three = page(&[("x", &run), ("y", &run), ("z", &run)]);
        assert!(three.contains("data-key=\"c.return\" value=\"-0.00086\""));
        assert!(three.contains("\"index-2\"") && !three.contains("B − A"));
    }
}
