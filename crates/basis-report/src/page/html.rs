//! Small pieces of markup: escaping, numbers, tables, charts and their data.

use std::fmt::Write as _;

use basis_core::types::Timestamp;
use serde_json::{Value as Json, json};

use super::series::{Chart, Markers};

/// Rows of the table behind a chart.
const TABLE_ROWS: usize = 25;

/// Text as it may stand between tags and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + (text.len() >> 4));
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A string as it is, anything else as JSON; a dash for nothing.
pub(crate) fn text(value: &Json) -> String {
    match value {
        Json::Null => "–".to_owned(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// How a value of the summary is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// To the cent, cut and not rounded.
    Money,
    /// A ratio in percent, four decimals.
    Percent,
    /// Two decimals.
    Number,
    /// As it is.
    Plain,
}

/// A value of the summary for reading; the exact one goes beside it.
pub(crate) fn shown(value: &Json, form: Form) -> String {
    let number = |scale: f64, decimals: usize, unit: &str| {
        value.as_f64().map_or_else(
            || "–".to_owned(),
            |number| signed(&format!("{:.decimals$}{unit}", number * scale)),
        )
    };
    match form {
        Form::Money => money(&text(value)),
        Form::Percent => number(100.0, 4, " %"),
        Form::Number => number(1.0, 2, ""),
        Form::Plain => grouped(&text(value)),
    }
}

/// A decimal cut to the cent, thousands apart.
pub(crate) fn money(text: &str) -> String {
    let Some((whole, fraction)) = text.split_once('.') else {
        let digits = text.trim_start_matches('-');
        let is_number = !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit());
        return if is_number {
            signed(&format!("{}.00", grouped(text)))
        } else {
            text.to_owned()
        };
    };
    let cents: String = fraction.chars().chain("00".chars()).take(2).collect();
    signed(&format!("{}.{cents}", grouped(whole)))
}

/// A float cut to `decimals`, thousands apart; a dash for none.
pub(crate) fn decimal(number: f64, decimals: usize) -> String {
    if !number.is_finite() {
        return "–".to_owned();
    }
    let text = format!("{:.decimals$}", cut(number, decimals));
    match text.split_once('.') {
        Some((whole, fraction)) => signed(&format!("{}.{fraction}", grouped(whole))),
        None => signed(&grouped(&text)),
    }
}

/// With a real minus sign; a zero that was cut has none.
fn signed(text: &str) -> String {
    match text.strip_prefix('-') {
        Some(rest) if rest.chars().any(|c| ('1'..='9').contains(&c)) => format!("\u{2212}{rest}"),
        Some(rest) => rest.to_owned(),
        None => text.to_owned(),
    }
}

/// Whole digits in groups of three; anything else as it is.
fn grouped(text: &str) -> String {
    let digits = text.trim_start_matches('-');
    if digits.len() < 4 || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return text.to_owned();
    }
    let mut out = text.strip_suffix(digits).unwrap_or_default().to_owned();
    for (at, c) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A number of the summary, with its key and its exact value for machines.
pub(crate) fn value(key: &str, raw: &Json, form: Form) -> String {
    let exact = escape(&text(raw));
    format!(
        "<data data-key=\"{key}\" value=\"{exact}\" title=\"{exact}\">{}</data>",
        escape(&shown(raw, form))
    )
}

/// A table; cells are markup. Every column but the first is aligned right when `numeric`.
pub(crate) fn table(caption: &str, header: &[&str], rows: &[Vec<String>], numeric: bool) -> String {
    let class = if numeric { " class=\"numeric\"" } else { "" };
    let mut out = String::new();
    open_table(&mut out, caption, header, class);
    for row in rows {
        out.push_str("<tr>");
        for (at, cell) in row.iter().enumerate() {
            if at == 0 {
                push(&mut out, format_args!("<th scope=\"row\">{cell}</th>"));
            } else {
                push(&mut out, format_args!("<td>{cell}</td>"));
            }
        }
        out.push_str("</tr>");
    }
    out.push_str(TABLE_END);
    out
}

/// What ends a table that [`open_table`] began.
pub(crate) const TABLE_END: &str = "</tbody></table></div>";

/// The beginning of a table that scrolls by itself, up to its rows; `class` is an attribute or nothing.
pub(crate) fn open_table(out: &mut String, caption: &str, header: &[&str], class: &str) {
    push(
        out,
        format_args!(
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table{class}>\
             <caption>{0}</caption><thead><tr>",
            escape(caption)
        ),
    );
    for cell in header {
        push(out, format_args!("<th scope=\"col\">{}</th>", escape(cell)));
    }
    out.push_str("</tr></thead><tbody>");
}

/// Something long, folded away.
pub(crate) fn folded(summary: &str, body: &str) -> String {
    format!(
        "<details><summary>{}</summary>{body}</details>",
        escape(summary)
    )
}

/// A chart with its text alternative; the page's script draws it from the data of the same name.
pub(crate) fn figure(chart: &Chart) -> String {
    let id = chart.id;
    format!(
        "<figure id=\"chart-{id}\"><figcaption><h3>{title} <span class=\"unit\">{unit}</span></h3>\
         <p>{note}</p></figcaption><div class=\"plot\" data-chart=\"{id}\" role=\"img\" \
         aria-label=\"{label}\" tabindex=\"0\"></div><div class=\"keys\"></div>{data}</figure>",
        title = escape(chart.title),
        unit = escape(&chart.unit),
        note = escape(&chart.note),
        label = escape(&alternative(chart)),
        data = folded("Data table", &data_table(chart)),
    )
}

/// What the chart says, in a sentence per line.
fn alternative(chart: &Chart) -> String {
    let mut out = format!("{}, {}.", chart.title, chart.unit);
    if let (Some(first), Some(last)) = (chart.x.first(), chart.x.last()) {
        push(
            &mut out,
            format_args!(" From {} to {}.", day(*first), day(*last)),
        );
    }
    for series in &chart.series {
        if let Some(numbers) = series.key_numbers() {
            let [first, low, high, last] = numbers.map(|n| decimal(n, chart.decimals));
            push(
                &mut out,
                format_args!(
                    " {}: starts at {first}, lowest {low}, highest {high}, ends at {last}.",
                    series.label
                ),
            );
        }
    }
    out
}

/// Evenly chosen instants of the chart; the files of the run hold all of them.
fn data_table(chart: &Chart) -> String {
    let mut header = vec!["time, UTC"];
    header.extend(chart.series.iter().map(|series| series.label.as_str()));
    let last = chart.x.len().saturating_sub(1);
    let count = TABLE_ROWS.min(chart.x.len());
    let rows: Vec<Vec<String>> = (0..count)
        .map(|row| row * last / count.saturating_sub(1).max(1))
        .map(|at| {
            let mut cells = vec![chart.x.get(at).map_or_else(String::new, |at| minute(*at))];
            cells.extend(chart.series.iter().map(|series| {
                let value = series.values.get(at).copied().unwrap_or(f64::NAN);
                decimal(value, chart.decimals)
            }));
            cells
        })
        .collect();
    let caption = format!(
        "{}, {}: {count} of {} instants",
        chart.title,
        chart.unit,
        chart.x.len()
    );
    table(&caption, &header, &rows, true)
}

/// Charts and markers as the page's script reads them, safe inside a script element.
pub(crate) fn data(charts: &[&Chart], markers: &[(String, i8, &Markers)]) -> String {
    let mut out = String::with_capacity(1 << 18);
    out.push_str("<script type=\"application/json\" id=\"data\">{\"charts\":{");
    for (at, chart) in charts.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        chart_data(&mut out, chart);
    }
    out.push_str("},\"markers\":[");
    for (at, (label, direction, markers)) in markers.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        let label = script_safe(&json!(label));
        push(
            &mut out,
            format_args!("{{\"label\":{label},\"side\":{direction},\"t\":"),
        );
        instants(&mut out, &markers.at);
        out.push_str(",\"p\":");
        floats(&mut out, &markers.price, 4);
        out.push_str(",\"q\":");
        floats(&mut out, &markers.quantity, 8);
        push(&mut out, format_args!(",\"n\":{:?}}}", markers.fills));
    }
    out.push_str("]}</script>");
    out
}

fn chart_data(out: &mut String, chart: &Chart) {
    let unit = script_safe(&json!(chart.unit));
    push(
        out,
        format_args!(
            "\"{}\":{{\"kind\":\"{}\",\"unit\":{unit},\"decimals\":{},\"x\":",
            chart.id,
            chart.kind.as_str(),
            chart.decimals
        ),
    );
    instants(out, &chart.x);
    out.push_str(",\"series\":[");
    for (at, series) in chart.series.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push(
            out,
            format_args!(
                "{{\"label\":{},\"color\":{},\"dashed\":{},\"values\":",
                script_safe(&json!(series.label)),
                series.color,
                series.dashed
            ),
        );
        floats(out, &series.values, chart.decimals);
        out.push('}');
    }
    out.push_str("]}");
}

/// The first instant, then the step from each to the next: a fifth of the size.
fn instants(out: &mut String, instants: &[i64]) {
    out.push('[');
    let mut before = 0;
    for (at, instant) in instants.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push(out, format_args!("{}", instant - before));
        before = *instant;
    }
    out.push(']');
}

/// Cut to `decimals` as amounts are, not rounded; what a float is short of by its own error is not
/// cut.
fn cut(value: f64, decimals: usize) -> f64 {
    let scale = 10_f64.powi(i32::try_from(decimals).unwrap_or(0));
    (value * scale * (1.0 + 4.0 * f64::EPSILON)).trunc() / scale
}

fn floats(out: &mut String, values: &[f64], decimals: usize) {
    out.push('[');
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        if value.is_finite() {
            let start = out.len();
            push(out, format_args!("{:.decimals$}", cut(*value, decimals)));
            if decimals > 0 {
                let trimmed = out.trim_end_matches('0').trim_end_matches('.').len();
                out.truncate(trimmed.max(start + 1));
            }
        } else {
            out.push_str("null");
        }
    }
    out.push(']');
}

/// JSON that cannot end the script element it stands in.
fn script_safe(value: &Json) -> String {
    value.to_string().replace('<', "\\u003c")
}

pub(crate) fn day(seconds: i64) -> String {
    minute(seconds).chars().take(10).collect()
}

/// `2024-05-01 08:00`.
pub(crate) fn minute(seconds: i64) -> String {
    let text = Timestamp::from_seconds(seconds).to_string();
    text.replace('T', " ").chars().take(16).collect()
}

/// A decimal string or a number, as a float.
pub(crate) fn float(value: &Json) -> Option<f64> {
    match value {
        Json::String(text) => text.parse().ok(),
        other => other.as_f64(),
    }
}

/// A decimal string or number of the summary as a float, 0 when there is none.
pub(crate) fn amount(value: &Json) -> f64 {
    float(value).unwrap_or_default()
}

pub(crate) fn push(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments)
        .expect("invariant: a String takes every write");
}

#[cfg(test)]
mod tests {
    use super::super::series::{Kind, Series};
    use super::*;

    #[test]
    fn numbers_are_grouped_cut_and_signed() {
        for (text, expected) in [
            ("1021894.4281568352", "1,021,894.42"),
            ("-622.43", "\u{2212}622.43"),
            ("-0.001", "0.00"),
            ("7", "7.00"),
            ("–", "–"),
        ] {
            assert_eq!(money(text), expected);
        }
        assert_eq!(shown(&json!(0.021_894_428), Form::Percent), "2.1894 %");
        assert_eq!(shown(&json!(null), Form::Number), "–");
        assert_eq!(shown(&json!(9504), Form::Plain), "9,504");
        assert_eq!(decimal(-1234.5, 1), "\u{2212}1,234.5");
    }

    #[test]
    fn data_is_small_and_cannot_leave_its_element() {
        let chart = Chart {
            id: "x",
            title: "X",
            unit: "</script>".to_owned(),
            note: "<b>".to_owned(),
            kind: Kind::Line,
            decimals: 2,
            x: vec![1_000, 1_060],
            series: vec![Series::new("<i>", 0, vec![1.5, f64::NAN])],
        };
        let text = data(&[&chart], &[]);
        assert!(text.contains("\"x\":[1000,60]"), "{text}");
        assert!(text.contains("[1.5,null]"), "{text}");
        assert_eq!(text.matches("</script>").count(), 1);
        let figure = figure(&chart);
        assert!(
            figure.contains("&lt;b&gt;") && !figure.contains("<b>"),
            "{figure}"
        );
        assert!(figure.contains("starts at 1.50, lowest 1.50"), "{figure}");
    }

    #[test]
    fn chart_values_are_cut_like_amounts() {
        for (value, expected) in [
            (101_775.569_9, "101775.56"),
            (0.29, "0.29"),
            (-0.999, "-0.99"),
        ] {
            assert_eq!(format!("{:.2}", cut(value, 2)), expected);
        }
        assert!(cut(f64::NAN, 2).is_nan());
    }

    #[test]
    fn zero_keeps_a_digit() {
        let mut out = String::new();
        floats(&mut out, &[0.0, 100.0, -0.25], 2);
        assert_eq!(out, "[0,100,-0.25]");
    }
}
