//! The page that lays two runs side by side.

use basis_core::num::Fixed18;
use serde_json::Value as Json;

use super::RunReport;
use super::sections::{HEADLINE, Scale, is_par, sign_class, unit};
use crate::page::html::{self, Form, amount, data, decimal, escape, figure, table, text};
use crate::page::series::{Chart, Series};
use crate::page::{day, frame, section, synthetic};

/// Lines of configuration that differ and are shown.
const DIFFERENCES_MAX: usize = 60;

pub(super) fn page(a: (&str, &RunReport), b: (&str, &RunReport)) -> String {
    let runs = [a, b];
    let title = format!("{} against {}", a.0, b.0);
    let [index_a, index_b] = runs.map(|(_, run)| &run.equity.index);
    let [fall_a, fall_b] = runs.map(|(_, run)| &run.equity.drawdown);
    let index = both(index_a, index_b, ("index-a", "index-b"));
    let drawdown = both(fall_a, fall_b, ("drawdown-a", "drawdown-b"));
    let pairs = [&index, &drawdown].map(|pair| (&pair.shown, &pair.parts));
    let mut body = header(&title, runs);
    body.push_str(&section("result", "Result", &headline(a.1, b.1)));
    let figures: String = pairs.iter().map(|(shown, _)| figure(shown)).collect();
    body.push_str(&section("equity", "Equity and drawdown", &figures));
    body.push_str(&section(
        "attribution",
        "Attribution",
        &attribution(&a.1.summary, &b.1.summary),
    ));
    body.push_str(&section(
        "config",
        "Configuration",
        &differences(&a.1.config, &b.1.config),
    ));
    let charts: Vec<&Chart> = pairs.iter().flat_map(|(_, parts)| parts.iter()).collect();
    let is_synthetic = runs
        .iter()
        .any(|(_, run)| is_true(&run.summary, "synthetic"));
    frame(&title, is_synthetic, &body, &data(&charts, &[]))
}

fn is_true(summary: &Json, key: &str) -> bool {
    summary[key] == true
}

/// The same chart of two runs: as it is described, and as its two parts, which have instants of
/// their own and are joined by the page.
#[derive(Debug)]
struct Pair {
    shown: Chart,
    parts: [Chart; 2],
}

fn both(a: &Chart, b: &Chart, ids: (&'static str, &'static str)) -> Pair {
    let part = |chart: &Chart, id, label: &str, color| {
        let values = chart.series.first().map(|series| series.values.clone());
        Chart {
            id,
            series: vec![Series::new(label, color, values.unwrap_or_default())],
            ..chart.clone()
        }
    };
    let parts = [part(a, ids.0, "A", 0), part(b, ids.1, "B", 1)];
    // The table and the text alternative take their instants from A; B is read at or before them.
    let at_or_before = |at: i64| {
        let next = b.x.partition_point(|x| *x <= at);
        let values = b.series.first().map(|series| &series.values);
        let value = next.checked_sub(1).and_then(|i| values?.get(i));
        value.copied().unwrap_or(f64::NAN)
    };
    let of_b = a.x.iter().map(|at| at_or_before(*at)).collect();
    let mut shown = part(a, a.id, "A", 0);
    shown.series.push(Series::new("B", 1, of_b));
    Pair { shown, parts }
}

fn header(title: &str, runs: [(&str, &RunReport); 2]) -> String {
    let mut out = format!("<header><h1>{}</h1>", escape(title));
    for ((name, run), label) in runs.iter().zip(["A", "B"]) {
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
    let [a, b] = runs.map(|(_, run)| &run.summary);
    out.push_str(&if is_true(a, "synthetic") {
        synthetic(a)
    } else {
        synthetic(b)
    });
    if ["from", "to", "share_class"]
        .iter()
        .any(|key| a[key] != b[key])
    {
        out.push_str(
            "<p class=\"banner\">The runs differ in dates or share class: compare rates, not \
             amounts.</p>",
        );
    }
    out
}

fn headline(a: &RunReport, b: &RunReport) -> String {
    let mut rows = Vec::new();
    for row in HEADLINE {
        // In a dollar class the dollars are the same number again.
        if row.key == "equity_end_usd" && is_par(&a.summary) && is_par(&b.summary) {
            continue;
        }
        let [raw_a, raw_b] =
            [a, b].map(|run| run.summary.pointer(row.pointer).unwrap_or(&Json::Null));
        let [mut unit, other] = [a, b].map(|run| unit(row, &run.summary));
        if unit != other {
            unit = format!("{unit}, {other}");
        }
        let title = format!(
            "{} <span class=\"unit\">{}</span>",
            row.title,
            escape(&unit)
        );
        rows.push(vec![
            title,
            html::value(&format!("a.{}", row.key), raw_a, row.form),
            html::value(&format!("b.{}", row.key), raw_b, row.form),
            difference(raw_a, raw_b, row.form),
        ]);
    }
    table("Headline numbers", &["", "A", "B", "B − A"], &rows, true)
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

fn attribution(a: &Json, b: &Json) -> String {
    let (a, b) = (&a["attribution"], &b["attribution"]);
    let mut names: Vec<&String> = [a, b]
        .iter()
        .filter_map(|map| map.as_object())
        .flat_map(serde_json::Map::keys)
        .filter(|name| amount(&a[*name]) != 0.0 || amount(&b[*name]) != 0.0)
        .collect();
    names.sort();
    names.dedup();
    let change = |name: &String| amount(&b[name]) - amount(&a[name]);
    let low = names.iter().map(|name| change(name)).fold(0.0, f64::min);
    let high = names.iter().map(|name| change(name)).fold(0.0, f64::max);
    let scale = Scale { low, high };
    let rows: Vec<_> = names
        .iter()
        .map(|name| {
            let by = change(name);
            vec![
                escape(&name.replace('_', " ")),
                html::value(
                    &format!("a.attribution.{}", escape(name)),
                    &a[*name],
                    Form::Money,
                ),
                html::value(
                    &format!("b.attribution.{}", escape(name)),
                    &b[*name],
                    Form::Money,
                ),
                difference(&a[*name], &b[*name], Form::Money),
                scale.bar(0.0, by, sign_class(by).trim()),
            ]
        })
        .collect();
    let header = ["bucket", "A", "B", "B − A", ""];
    format!(
        "<div class=\"waterfall\">{}</div>",
        table("Attribution, USD", &header, &rows, true)
    )
}

/// Settings that differ, by their key path.
fn differences(a: &str, b: &str) -> String {
    let (a, b) = (settings(a), settings(b));
    let mut keys: Vec<&String> = a.iter().chain(&b).map(|(key, _)| key).collect();
    keys.sort();
    keys.dedup();
    let find = |list: &[(String, String)], key: &String| {
        let found = list.iter().find(|(name, _)| name == key);
        found.map_or_else(|| "–".to_owned(), |(_, value)| value.clone())
    };
    let rows: Vec<Vec<String>> = keys
        .into_iter()
        .map(|key| [key.clone(), find(&a, key), find(&b, key)])
        .filter(|[_, a, b]| a != b)
        .map(|row| row.iter().map(|cell| escape(cell)).collect())
        .collect();
    if rows.is_empty() {
        return "<p>Both runs have the same settings.</p>".to_owned();
    }
    let shown = rows
        .get(..DIFFERENCES_MAX.min(rows.len()))
        .unwrap_or_default();
    let caption = format!("Settings that differ: {} of {}", shown.len(), rows.len());
    table(&caption, &["setting", "A", "B"], shown, false)
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
        let table = differences("a: 1\nb: 2\n", "a: 1\nb: <3\n");
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
        let page = page(("x<y", &run), ("z", &run));
        assert!(page.contains("x&lt;y against z"));
        assert!(page.contains("Both runs have the same settings."));
        assert!(page.contains("data-key=\"b.return\" value=\"-0.00086\""));
    }
}
