//! The report: one self-contained page about a run, or about several of them side by side.
//!
//! Everything shown comes from the files of the run directory, so the page that `basis backtest`
//! writes and the one that `basis report` makes later are the same bytes. Numbers of `summary.json`
//! are shown as they stand there; what the page adds (drawdown over time, the market's funding) is computed in
//! floats, for reading only, by formulas the page prints.
//!
//! It is not a second place where results are computed, and it asks nothing of the network.
//!
//! **Invariants.** All text from outside is escaped. Charts are thinned to some 1,200 instants, each
//! a real step; lows and highs of the leading series survive. Rows of a table are never held all at
//! once.

mod compare;
mod equity;
mod page;
mod positions;
mod risk;
mod sections;
mod share_class;
mod tear_sheet;
mod trades;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use basis_core::error::{Code, ComponentError};
use basis_core::types::Timestamp;
pub use compare::Difference;
use equity::{EquityCharts, Frame};
use positions::PositionCharts;
use risk::RiskCharts;
use serde_json::Value as Json;
use tear_sheet::Day;
use trades::Trades;

use crate::page::html::{float, text};
use crate::table::read::unreadable;

/// Name of the page in a run directory.
pub const FILE_NAME: &str = "report.html";

/// What a run directory holds, ready to be shown.
#[derive(Debug)]
pub struct RunReport {
    summary: Json,
    config: String,
    equity: EquityCharts,
    positions: PositionCharts,
    risk: RiskCharts,
    trades: Trades,
    invested: BTreeMap<String, f64>,
    days: Vec<Day>,
}

impl RunReport {
    /// Reads a whole run directory.
    ///
    /// # Errors
    /// `EVT-003` names the file, and the line, that is missing or malformed.
    pub fn read(directory: &Path) -> Result<Self, ComponentError> {
        let path = directory.join("summary.json");
        let text = fs::read_to_string(&path).map_err(|e| unreadable(&path, &e.to_string()))?;
        let summary = serde_json::from_str(&text).map_err(|e| unreadable(&path, &e.to_string()))?;
        Self::with_summary(directory, &summary)
    }

    /// Reads the tables of a run directory whose `summary.json` is not written yet.
    ///
    /// # Errors
    /// `EVT-003` as in [`RunReport::read`].
    pub fn with_summary(directory: &Path, summary: &Json) -> Result<Self, ComponentError> {
        let instant = |key: &str| {
            summary[key]
                .as_str()
                .and_then(|text| Timestamp::parse(text).ok())
                .map(Timestamp::seconds)
                .ok_or_else(|| {
                    let path = directory.join("summary.json");
                    unreadable(&path, &format!("`{key}` is no instant: {}", summary[key]))
                })
        };
        let range = (instant("from")?, instant("to")?);
        let path = directory.join("config.yaml");
        let config = fs::read_to_string(&path).map_err(|e| unreadable(&path, &e.to_string()))?;
        let fill_at = config
            .lines()
            .find_map(|line| line.strip_prefix("fill_at:"));
        let at_open = fill_at.is_some_and(|word| word.trim().trim_matches('"') == "next_open");
        let frame = Frame {
            range,
            share_class: summary["share_class"].as_str().unwrap_or_default(),
            start: float(&summary["equity_start"]).unwrap_or_default(),
        };
        std::thread::scope(|scope| {
            // The positions are by far the largest; all others together take less.
            let positions = scope.spawn(|| {
                let payments = trades::ledger(directory)?;
                let charts = positions::charts(directory, range, &payments.funding, at_open)?;
                Ok::<_, ComponentError>((payments, charts))
            });
            let equity = equity::charts(directory, frame);
            let trades = trades::executions(directory, range);
            let risk = risk::charts(directory, range);
            let (payments, positions) = positions
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            let (equity, mut trades) = (equity?, trades?);
            let days = tear_sheet::days(directory)?;
            trades.add_ledger(&payments);
            Ok(Self {
                config,
                equity,
                positions,
                risk: risk?,
                trades,
                days,
                invested: payments.invested,
                summary: summary.clone(),
            })
        })
    }

    /// Why and when the run failed, when it did: a directory of what came before.
    #[must_use]
    pub fn failed(&self) -> Option<&Json> {
        self.summary
            .get("failed")
            .filter(|failed| failed.is_object())
    }

    /// The page of this run.
    #[must_use]
    pub fn page(&self) -> String {
        page::run(self)
    }

    /// The numbers at the head of the page, as `summary.json` has them, with what each is counted in, what is to
    /// be said of the yearly return, and of a run that failed `failed`.
    #[must_use]
    pub fn headline(&self) -> BTreeMap<String, Json> {
        let rows = sections::HEADLINE.iter().map(|row| (row.key, row.pointer));
        let beside = [
            ("units", "/units"),
            ("apy_caveat", "/apy_caveat"),
            ("failed", "/failed"),
        ];
        rows.chain(beside)
            .filter_map(|(key, pointer)| {
                Some((key.to_owned(), self.summary.pointer(pointer)?.clone()))
            })
            .collect()
    }
}

/// One page that lays runs side by side, two to eight of them; each comes with the name it is shown by.
///
/// # Errors
/// `EVT-003` for a run that failed: its figures are not those of a whole run. CFG-005 for more runs than a page
/// has colors.
pub fn compare_page(runs: &[(&str, &RunReport)]) -> Result<String, ComponentError> {
    let most = compare::LABELS.len();
    if runs.len() > most {
        let message = format!(
            "{} runs do not fit on a page, which has {most} colors; compare fewer, or rank them with `basis sweep`",
            runs.len()
        );
        return Err(ComponentError::new(Code::Usage, message));
    }
    for (name, run) in runs {
        if let Some(failed) = run.failed() {
            let message = format!(
                "{name} is a run that failed ({} at {}); only whole runs are compared",
                text(&failed["code"]),
                text(&failed["at"])
            );
            return Err(ComponentError::new(Code::RunUnreadable, message));
        }
    }
    Ok(compare::page(runs))
}

/// The settings in which runs differ, by their key paths, without the venue rules.
#[must_use]
pub fn differences(runs: &[&RunReport]) -> Vec<Difference> {
    let configurations: Vec<&str> = runs.iter().map(|run| run.config.as_str()).collect();
    compare::differences(&configurations)
}

#[cfg(test)]
pub(crate) mod tests {
    use basis_engine::{StepChunk, StepSink as _, Stopped};

    use super::*;
    use crate::Format;
    use crate::directory::tests::Scratch;
    use crate::run::{RunWriter, sample};

    /// The run directory of the sample result.
    pub(crate) fn sample_run(name: &str) -> Scratch {
        let scratch = Scratch::new(name);
        let out = scratch.path.join("run");
        crate::run::write_run(&out, &sample::result(), &sample::context()).unwrap();
        scratch
    }

    #[test]
    fn a_page_made_later_equals_the_one_the_run_left() {
        let scratch = sample_run("same");
        let run = scratch.path.join("run");
        let left = fs::read_to_string(run.join(FILE_NAME)).unwrap();
        let made = RunReport::read(&run).unwrap().page();
        assert!(left == made);
    }

    #[test]
    fn a_run_that_failed_says_so_and_is_not_compared() {
        let scratch = sample_run("failed");
        let out = scratch.path.join("broken");
        let result = sample::result();
        let mut writer =
            RunWriter::create(&out, (result.share_class, result.range.0), Format::Csv).unwrap();
        let chunk = StepChunk {
            steps: result.steps.clone(),
            ledger: result.ledger.clone(),
        };
        writer.take(chunk).unwrap();
        let at = result.range.1;
        let stopped = Stopped {
            error: ComponentError::new(Code::PnlOpen, "a <residual>"),
            at,
            result,
        };
        writer.finish_failed(&stopped, &sample::context()).unwrap();
        let broken = RunReport::read(&out).unwrap();
        assert_eq!(
            broken.failed().unwrap()["code"],
            stopped.error.code.as_str()
        );
        assert_eq!(broken.failed().unwrap()["at"], at.to_string());
        assert!(broken.headline().contains_key("failed"));
        let page = broken.page();
        assert!(page.contains("<title>FAILED btc_basis"), "{page:.2000}");
        assert!(page.contains("<strong>FAILED</strong>") && page.contains("a &lt;residual&gt;"));
        assert!(page == fs::read_to_string(out.join(FILE_NAME)).unwrap());
        let whole = RunReport::read(&scratch.path.join("run")).unwrap();
        assert!(whole.failed().is_none() && !whole.page().contains("FAILED"));
        for runs in [
            [("x", &whole), ("y", &broken)],
            [("y", &broken), ("x", &whole)],
        ] {
            let e = compare_page(&runs).unwrap_err();
            assert!(e.message.starts_with("y is a run that failed (PNL-"), "{e}");
        }
        let e = compare_page(&[("x", &whole); 9]).unwrap_err();
        assert!(e.message.starts_with("9 runs do not fit on a page"), "{e}");
    }

    #[test]
    fn text_from_outside_cannot_become_markup() {
        let scratch = sample_run("escape");
        let run = scratch.path.join("run");
        let evil = "</script><script>alert(1)</script>";
        let config = format!("mode: \"{evil}\"\n");
        fs::write(run.join("config.yaml"), config).unwrap();
        let mut summary: Json =
            serde_json::from_str(&fs::read_to_string(run.join("summary.json")).unwrap()).unwrap();
        summary["mode"] = evil.into();
        summary["assumptions"][0]["text"] = evil.into();
        summary["data_source"] = evil.into();
        summary["halted"] = evil.into();
        let page = RunReport::with_summary(&run, &summary).unwrap().page();
        assert!(!page.contains(evil));
        assert!(page.contains("&lt;/script&gt;"));
    }

    #[test]
    fn a_directory_that_is_no_run_is_refused_by_file() {
        let scratch = Scratch::new("none");
        let e = RunReport::read(&scratch.path).unwrap_err();
        assert_eq!(e.code.as_str(), "EVT-003");
        assert!(e.message.contains("summary.json"), "{e}");
        scratch.write("summary.json", "{}");
        let e = RunReport::read(&scratch.path).unwrap_err();
        assert!(e.message.contains("`from` is no instant"), "{e}");
    }
}
