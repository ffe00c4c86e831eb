//! The parts of the page that are text and tables.

use std::collections::BTreeMap;

use basis_core::num::Fixed18;
use serde_json::Value as Json;

use super::RunReport;
use super::equity::is_dollar;
use crate::page::html::{self, Form, amount, decimal, escape, folded, table, text};

/// A number at the head of the page.
#[derive(Debug)]
pub(super) struct Headline {
    /// Its key in the page.
    pub(super) key: &'static str,
    /// Where it stands in `summary.json`.
    pub(super) pointer: &'static str,
    pub(super) title: &'static str,
    /// Unit; `class` is the share class, `in class` a figure of the equity in it.
    pub(super) unit: &'static str,
    pub(super) form: Form,
    pub(super) definition: &'static str,
}

macro_rules! headline {
    ($($key:literal $pointer:literal $title:literal $unit:literal $form:ident $definition:literal;)*) => {
        &[$(Headline {
            key: $key, pointer: $pointer, title: $title, unit: $unit, form: Form::$form,
            definition: $definition,
        }),*]
    };
}

pub(super) const HEADLINE: &[Headline] = headline![
    "return" "/return" "Return" "in class" Percent "time-weighted over the run";
    "apy" "/apy" "APY" "in class" Percent "the return per year of 365 days, compounded";
    "benchmark.return" "/benchmark/return" "Lending" "in USD" Percent "return of the dollar token lent to Aave at the recorded rate over the same time";
    "max_drawdown" "/max_drawdown" "Largest drawdown" "in class" Percent "fall of the time-weighted index from its peak after a step";
    "max_drawdown_exit" "/max_drawdown_exit" "Largest drawdown, exit value" "in class" Percent "the same of the equity less what leaving costs";
    "sharpe" "/sharpe" "Sharpe" "in class" Number "mean ÷ deviation of daily returns × √365, no risk-free rate; none under 30 whole UTC days";
    "sortino" "/sortino" "Sortino" "in class" Number "mean ÷ downside deviation of daily returns × √365; none under 30 whole UTC days";
    "volatility" "/volatility" "Volatility" "in class" Percent "deviation of daily returns × √365; none under 30 whole UTC days";
    "equity_start" "/equity_start" "Equity at the start" "class" Money "first capital";
    "equity_end" "/equity_end" "Equity at the end" "class" Money "worth of all holdings at marks";
    "equity_end_usd" "/equity_end_usd" "Equity at the end" "USD" Money "the same, in US dollars";
    "exit_value" "/exit_value" "Exit value" "class" Money "equity at the end less what leaving costs";
    "exit_hours" "/exit_hours" "Hours to leave" "" Plain "until all is sold and sent home";
    "leverage" "/leverage" "Leverage" "" Plain "absolute deltas over equity, at the end";
    "carry.net" "/carry/net" "Carry" "USD" Money "funding, interest, staking, rewards and pool fees less what was borrowed for";
    "costs.total" "/costs/total" "Costs" "USD" Money "fees, slippage, gas, borrowing, transfers, liquidation";
    "attribution.residual" "/attribution/residual" "Unexplained" "USD" Plain "change of equity that no bucket explains";
    "counts.fills" "/counts/fills" "Fills" "" Plain "confirmed executions of orders";
    "counts.rebalances" "/counts/rebalances" "Rebalances" "" Plain "plans that traded after the entry";
    "counts.liquidations" "/counts/liquidations" "Liquidations" "" Plain "positions closed by a venue";
    "counts.steps" "/counts/steps" "Steps" "" Plain "of the clock";
];

/// The unit of a headline number in this run.
pub(super) fn unit(row: &Headline, summary: &Json) -> String {
    let class = summary["share_class"].as_str().unwrap_or_default();
    match row.unit {
        "class" => class.to_owned(),
        "in class" => format!("in {class}"),
        other => other.to_owned(),
    }
}

/// Whether the share class is a dollar.
pub(super) fn is_par(summary: &Json) -> bool {
    summary["share_class"].as_str().is_some_and(is_dollar)
}

pub(super) fn headline(summary: &Json) -> String {
    let is_par = is_par(summary);
    let mut out = String::from("<dl class=\"headline\">");
    for row in HEADLINE {
        // In a dollar class the dollars are the same number again.
        if row.key == "equity_end_usd" && is_par {
            continue;
        }
        let raw = at(summary, row.pointer);
        let number = html::value(row.key, raw, row.form);
        let unit = escape(&unit(row, summary));
        let below = match row.form {
            Form::Percent | Form::Number
                if raw.is_number()
                    && !row.key.starts_with("max_drawdown")
                    && row.key != "volatility" =>
            {
                sign_class(amount(raw))
            }
            _ => "",
        };
        out.push_str(&format!(
            "<div><dt>{}</dt><dd class=\"number{below}\">{number} <span class=\"unit\">{unit}</span>\
             </dd><dd class=\"definition\">{}</dd></div>",
            row.title,
            definition(row, summary)
        ));
    }
    out.push_str("</dl>");
    out
}

/// What the number says, and of the yearly return of a short run why it is no forecast.
fn definition(row: &Headline, summary: &Json) -> String {
    match summary["apy_caveat"].as_str() {
        Some(caveat) if row.key == "apy" => format!("{}; {}", row.definition, escape(caveat)),
        _ => row.definition.to_owned(),
    }
}

/// Class of a number that can be good or bad.
pub(super) const fn sign_class(number: f64) -> &'static str {
    if number > 0.0 {
        " gain"
    } else if number < 0.0 {
        " loss"
    } else {
        ""
    }
}

/// Attribution as a waterfall: each bar starts where the one before it ended.
pub(super) fn waterfall(summary: &Json) -> String {
    let empty = serde_json::Map::new();
    let buckets = summary["attribution"].as_object().unwrap_or(&empty);
    let mut moved: Vec<(&String, f64, &Json)> = buckets
        .iter()
        .filter(|(name, raw)| *name != "residual" && text(raw) != "0")
        .map(|(name, raw)| (name, amount(raw), raw))
        .collect();
    // What earned first, what cost after it: the bars go up once and come down once.
    moved.sort_by(|a, b| b.1.total_cmp(&a.1));
    let total: f64 = moved.iter().map(|bar| bar.1).sum();
    let (mut low, mut high, mut sum) = (0.0_f64, 0.0_f64, 0.0_f64);
    for (_, value, _) in &moved {
        sum += value;
        (low, high) = (low.min(sum), high.max(sum));
    }
    let scale = Scale { low, high };
    let mut rows = Vec::new();
    let mut before = 0.0;
    for (name, value, raw) in moved {
        let label = escape(&name.replace('_', " "));
        let key = format!("attribution.{}", escape(name));
        let bar = scale.bar(before, before + value, sign_class(value).trim());
        rows.push(vec![label, bar, html::value(&key, raw, Form::Money)]);
        before += value;
    }
    let bar = scale.bar(0.0, total, "sum");
    rows.push(vec!["sum".to_owned(), bar, exact_sum(buckets)]);
    let residual = html::value(
        "attribution.residual",
        at(summary, "/attribution/residual"),
        Form::Plain,
    );
    rows.push(vec!["residual".to_owned(), String::new(), residual]);
    let body = table(
        "Attribution over the whole run, USD",
        &["bucket", "", "USD"],
        &rows,
        true,
    );
    format!("<div class=\"waterfall\">{body}</div>")
}

/// The sum of all buckets, exact and then cut like the buckets above it.
fn exact_sum(buckets: &serde_json::Map<String, Json>) -> String {
    let sum = buckets.values().try_fold(Fixed18::ZERO, |sum, raw| {
        let value = text(raw).parse::<Fixed18>().ok()?;
        sum.add(value).ok()
    });
    sum.map_or_else(|| "–".to_owned(), |sum| html::money(&sum.to_string()))
}

/// The range of a waterfall.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Scale {
    /// A bar from `from` to `to` on a line that marks zero.
    pub(super) fn bar(self, from: f64, to: f64, class: &str) -> String {
        let span = (self.high - self.low).max(f64::MIN_POSITIVE);
        let place = |value: f64| (value - self.low) / span * 1000.0;
        let (left, right) = (place(from.min(to)), place(from.max(to)));
        let (zero, width) = (place(0.0), (right - left).max(2.0));
        format!(
            "<svg viewBox=\"-4 0 1008 20\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
             <line x1=\"{zero:.1}\" x2=\"{zero:.1}\" y1=\"0\" y2=\"20\"/>\
             <rect class=\"{class}\" x=\"{left:.1}\" y=\"3\" width=\"{width:.1}\" height=\"14\"/></svg>"
        )
    }
}

pub(super) fn funding(run: &RunReport) -> String {
    let unbooked = rows_of(at(&run.summary, "/unbooked_funding"));
    let missing = |venue: &str| {
        let series = format!("funding.{venue}.");
        let of_venue = |row: &&Json| text(&row["series"]).starts_with(&series);
        unbooked.iter().filter(of_venue).count()
    };
    let rows: Vec<_> = run
        .positions
        .venues
        .iter()
        .map(|(venue, sums)| {
            let market = sums.rates * sums.notional;
            vec![
                escape(venue),
                sums.payments.to_string(),
                decimal(sums.received, 2),
                decimal(sums.notional, 2),
                decimal(sums.rates * 100.0, 4),
                decimal(market, 2),
                decimal(sums.received - market, 2),
                missing(venue).to_string(),
            ]
        })
        .collect();
    table(
        "Funding received against the market's rates",
        &[
            "venue",
            "payments",
            "received, USD",
            "mean notional, USD",
            "sum of rates, %",
            "rates × mean notional, USD",
            "difference, USD",
            "instants without a rate",
        ],
        &rows,
        true,
    )
}

pub(super) fn costs(run: &RunReport) -> String {
    let empty = serde_json::Map::new();
    let costs = at(&run.summary, "/costs").as_object().unwrap_or(&empty);
    let total = amount(at(&run.summary, "/costs/total"));
    let share = |value: f64| {
        if total > 0.0 {
            decimal(value / total * 100.0, 1)
        } else {
            "–".to_owned()
        }
    };
    let (sums, parts): (Vec<_>, Vec<_>) = costs.iter().partition(|(name, _)| *name == "total");
    let rows: Vec<_> = parts
        .into_iter()
        .chain(sums)
        .map(|(name, raw)| {
            let key = format!("costs.{}", escape(name));
            let number = html::value(&key, raw, Form::Money);
            vec![escape(&name.replace('_', " ")), number, share(amount(raw))]
        })
        .collect();
    let whole = table("Costs, paid > 0", &["cost", "USD", "% of all"], &rows, true);
    let rows: Vec<_> = run
        .trades
        .venues
        .iter()
        .map(|(venue, costs)| {
            let bps = |value: f64| {
                if costs.turnover > 0.0 {
                    decimal(value / costs.turnover * 10_000.0, 2)
                } else {
                    "–".to_owned()
                }
            };
            vec![
                escape(venue),
                costs.fills.to_string(),
                decimal(costs.turnover, 2),
                decimal(costs.fees, 2),
                bps(costs.fees),
                decimal(costs.slippage, 2),
                bps(costs.slippage),
                decimal(costs.transfers, 2),
            ]
        })
        .collect();
    let header = [
        "venue",
        "fills",
        "turnover, USD",
        "fees, USD",
        "fees, bps of turnover",
        "slippage, USD",
        "slippage, bps",
        "transfers and gas, USD",
    ];
    whole + &table("Costs by venue", &header, &rows, true)
}

/// Gaps by series and treatment, with the single gaps folded away.
pub(super) fn gaps(summary: &Json) -> String {
    let list = rows_of(&summary["gaps"]);
    if list.is_empty() {
        return "<p>Every series was complete.</p>".to_owned();
    }
    let mut groups: BTreeMap<(String, String, String), (u64, u64)> = BTreeMap::new();
    for gap in list {
        let key = (
            text(&gap["series"]),
            text(&gap["treatment"]),
            text(&gap["proxy"]),
        );
        let group = groups.entry(key).or_default();
        group.0 += 1;
        group.1 += gap["missing"].as_u64().unwrap_or_default();
    }
    let rows: Vec<_> = groups
        .into_iter()
        .map(|((series, treatment, proxy), (count, missing))| {
            let words = [series, treatment, proxy].map(|word| escape(&word));
            let numbers = [count, missing].map(|number| number.to_string());
            words.into_iter().chain(numbers).collect()
        })
        .collect();
    let groups = table(
        "Gaps by series",
        &["series", "treatment", "proxy", "gaps", "missing values"],
        &rows,
        false,
    );
    let each = listed(
        "Every gap",
        list,
        &["series", "first", "last", "missing", "treatment", "proxy"],
    );
    groups + &folded(&format!("Every gap ({})", list.len()), &each)
}

pub(super) fn unbooked(summary: &Json) -> String {
    let list = rows_of(&summary["unbooked_funding"]);
    if list.is_empty() {
        return "<p>Every funding instant with a position had a rate.</p>".to_owned();
    }
    let total = html::value(
        "unbooked_funding_total",
        &summary["unbooked_funding_total"],
        Form::Money,
    );
    let each = listed(
        "Funding instants without a rate",
        list,
        &["series", "at", "position", "exposed_notional"],
    );
    format!(
        "<p>{} instants booked nothing because nobody recorded a rate; they left {total} USD of \
         notional exposed in all. At 0.01 % per instant that is {} USD.</p>{}",
        list.len(),
        decimal(amount(&summary["unbooked_funding_total"]) * 0.0001, 2),
        folded(&format!("Every instant ({})", list.len()), &each)
    )
}

pub(super) fn proxies(summary: &Json) -> String {
    let list = rows_of(&summary["proxies"]);
    if list.is_empty() {
        return "<p>No series stood in for another.</p>".to_owned();
    }
    listed("Proxies", list, &["series", "proxy", "values"])
}

pub(super) fn coverage(summary: &Json) -> String {
    let list = rows_of(&summary["coverage"]);
    listed(
        "Series and how complete they are",
        list,
        &["series", "expected", "present"],
    )
}

pub(super) fn health(summary: &Json) -> String {
    let list = rows_of(&summary["health"]);
    let keys = [
        "name",
        "state",
        "operations",
        "failures",
        "latency_mean_ms",
        "updated_at",
    ];
    listed("Health of every component at the end", list, &keys)
}

pub(super) fn assumptions(summary: &Json) -> String {
    let items: String = rows_of(&summary["assumptions"])
        .iter()
        .map(|row| format!("<li>{}</li>", escape(&text(&row["text"]))))
        .collect();
    format!("<ul>{items}</ul>")
}

/// Every single number of the summary, in full. Timing is left out: it is the machine's, not the run's.
pub(super) fn exact(summary: &Json) -> String {
    let mut rows = Vec::new();
    let fields = summary.as_object().into_iter().flatten();
    for (key, value) in fields.filter(|(key, _)| *key != "timing") {
        match value {
            Json::Object(fields) => rows.extend(
                fields
                    .iter()
                    .map(|(name, value)| exact_row(&format!("{key}.{name}"), value)),
            ),
            Json::Array(_) => {}
            value => rows.push(exact_row(key, value)),
        }
    }
    table(
        "summary.json, value by value",
        &["key", "value"],
        &rows,
        false,
    )
}

fn exact_row(key: &str, value: &Json) -> Vec<String> {
    vec![
        escape(key),
        format!("<code>{}</code>", escape(&text(value))),
    ]
}

/// What stands at `pointer`, null when nothing does.
fn at<'a>(summary: &'a Json, pointer: &str) -> &'a Json {
    summary.pointer(pointer).unwrap_or(&Json::Null)
}

fn rows_of(list: &Json) -> &[Json] {
    list.as_array().map_or(&[], Vec::as_slice)
}

fn listed(caption: &str, list: &[Json], keys: &[&str]) -> String {
    let cells = |row: &Json| keys.iter().map(|key| escape(&text(&row[*key]))).collect();
    let rows: Vec<Vec<String>> = list.iter().map(cells).collect();
    let header: Vec<String> = keys.iter().map(|key| key.replace('_', " ")).collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    table(caption, &header, &rows, false)
}
