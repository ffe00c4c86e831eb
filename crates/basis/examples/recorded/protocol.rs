//! The protocol for defaults of `docs/defaults.md`: candidates by a grid, the stress gate, a choice on 2024 alone,
//! and one look at 2025.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use basis::core::error::{Code, ComponentError};
use basis::report::stress::Criterion;
use basis::report::sweep::grid::Grid;
use basis::stress::scenarios::{self, Scenario};
use basis::sweep::parse;

use crate::bootstrap::{mean, standard_error};
use crate::figures::{Figures, hours, markdown, percent, weekly};
use crate::market::{Market, Mode, Range, year_2025};
use crate::runs::lending;
use crate::stress;

/// Modes that share a grid, the keys with their values, and the values of today. The keys that lever come first, and
/// no value of theirs is above today's: evidence may lower risk, never raise it.
struct Choice {
    modes: &'static [&'static str],
    levers: usize,
    grid: &'static [&'static str],
    today: &'static [&'static str],
    /// What turns the carry hurdle off.
    hurdle_off: &'static [&'static str],
}

const CHOICES: [Choice; 4] = [
    Choice {
        modes: &["btc_basis", "eth_basis"],
        levers: 1,
        grid: &[
            "hedge_leverage=0.5,0.75,1,1.25,1.5",
            "utilization_band=0.1,0.15,0.25,0.35,0.5",
            "margin_deviation_threshold=0.1,0.2,0.3,0.4",
        ],
        today: &["1.5", "0.25", "0.2"],
        hurdle_off: &["expected_carry.horizon_hours=null"],
    },
    Choice {
        modes: &["eth_leveraged"],
        levers: 1,
        grid: &[
            "target_ltv=0.3,0.4,0.5,0.6,0.65",
            "equity_deviation=0.01,0.02,0.05,0.1",
        ],
        today: &["0.65", "0.02"],
        hurdle_off: &["expected_carry.horizon_hours=null"],
    },
    Choice {
        modes: &["usdt_market_neutral_no_leverage"],
        levers: 1,
        grid: &[
            "stake_allocation_eth=0.3,0.4,0.5",
            "utilization_band=0.1,0.15,0.25,0.35,0.5",
            "margin_deviation_threshold=0.2,0.3,0.4",
        ],
        today: &["0.5", "0.25", "0.3"],
        hurdle_off: &[],
    },
    Choice {
        modes: &["usdt_market_neutral"],
        levers: 2,
        grid: &[
            "target_ltv=0.3,0.4,0.5,0.6,0.65",
            "stake_allocation_eth=0.3,0.4,0.5",
            "utilization_band=0.15,0.25,0.35,0.5",
        ],
        today: &["0.65", "0.5", "0.25"],
        hurdle_off: &["expected_carry.horizon_hours=null"],
    },
];

/// What a candidate came to over one span.
#[derive(Clone)]
struct Score {
    /// Net carry a year over lending, less what leaving takes.
    value: f64,
    error: f64,
    trades: u64,
    weeks: usize,
}

/// One choice being made.
struct Contest<'a> {
    choice: &'a Choice,
    grid: Grid,
    markets: Vec<Market>,
    lending: &'a Market,
    gate: Vec<Scenario>,
    /// What candidates failed of the gate, by their place in the grid.
    gated: RefCell<BTreeMap<usize, Vec<String>>>,
}

pub(crate) fn table(data: &Path, only: Option<&str>) -> Result<String, ComponentError> {
    let lending = lending(data)?;
    let gate: Vec<_> = scenarios::tiers()?
        .into_iter()
        .filter(|scenario| scenario.criterion() == Criterion::Survive)
        .collect();
    let mut text = String::new();
    let asked = |choice: &&Choice| only.is_none_or(|only| choice.modes.contains(&only));
    for choice in CHOICES.iter().filter(asked) {
        let named = choice.modes.iter().filter_map(|name| Mode::named(name));
        let markets: Result<Vec<_>, _> = named.map(|mode| Market::load(data, mode)).collect();
        let grid: Vec<_> = choice.grid.iter().map(|text| (*text).to_owned()).collect();
        let contest = Contest {
            choice,
            grid: parse::grid(&grid)?,
            markets: markets?,
            lending: &lending,
            gate: gate.clone(),
            gated: RefCell::default(),
        };
        text.push_str(&contest.report()?);
    }
    Ok(text)
}

impl Contest<'_> {
    fn sets(&self, index: usize) -> Vec<String> {
        let keys = self
            .grid
            .parameters()
            .iter()
            .map(|parameter| &parameter.key);
        let values = self.grid.values(index);
        let own = keys
            .zip(values)
            .map(|(key, value)| format!("{key}={value}"));
        let off = self.choice.hurdle_off.iter().map(|set| (*set).to_owned());
        off.chain(own).collect()
    }

    /// The mean over the modes, of the weeks that count for all of them.
    fn score(
        &self,
        index: usize,
        year: &dyn Fn(&Mode) -> Result<Range, ComponentError>,
    ) -> Result<Score, ComponentError> {
        let sets = self.sets(index);
        let (mut all, mut leaving, mut trades) = (Vec::new(), Vec::new(), 0);
        for market in &self.markets {
            let range = year(market.mode)?;
            let run = market.run(range, &sets)?;
            if run.halted.is_some() || run.never_held.is_some() {
                let message = format!(
                    "{}: {}: halted, or never held",
                    market.mode.name,
                    sets.join(" ")
                );
                return Err(ComponentError::new(Code::RiskHalted, message));
            }
            let own = Figures::of(&run);
            let capital = [format!("initial_capital={:.2}", own.capital_usd)];
            let benchmark = weekly(&self.lending.run(range, &capital)?);
            let excess = weekly(&run).into_iter().zip(benchmark);
            all.push(
                excess
                    .map(|(own, lent)| Some(own? - lent?))
                    .collect::<Vec<_>>(),
            );
            leaving.push(own.exit_cost * 8_760.0 / hours(range.1.since(range.0)));
            trades += run.counts.fills;
        }
        let weeks = all.iter().map(Vec::len).min().unwrap_or_default();
        let week = |at: usize| {
            let own: Option<Vec<f64>> = all
                .iter()
                .map(|mode| mode.get(at).copied().flatten())
                .collect();
            own.map(|own| mean(&own))
        };
        let excess: Vec<f64> = (0..weeks).filter_map(week).collect();
        let weeks_a_year = 365.0 / 7.0;
        Ok(Score {
            value: mean(&excess) * weeks_a_year - mean(&leaving),
            error: standard_error(&excess) * weeks_a_year,
            trades,
            weeks: excess.len(),
        })
    }

    /// What of the first tier a candidate fails over 2024, each scenario with its mode.
    fn gate(&self, index: usize) -> Result<Vec<String>, ComponentError> {
        if let Some(known) = self.gated.borrow().get(&index) {
            return Ok(known.clone());
        }
        let mut failed = Vec::new();
        for market in &self.markets {
            let range = market.mode.year_2024()?;
            let names = stress::failures(market, range, &self.sets(index), &self.gate)?;
            failed.extend(
                names
                    .iter()
                    .map(|name| format!("{} {name}", market.mode.name)),
            );
        }
        self.gated.borrow_mut().insert(index, failed.clone());
        Ok(failed)
    }

    /// The candidates one step away on one key.
    fn neighbors(&self, index: usize) -> Vec<usize> {
        let own = self.grid.places(index);
        let apart = |other: &usize| {
            let places = self.grid.places(*other);
            own.iter()
                .zip(&places)
                .map(|(a, b)| a.abs_diff(*b))
                .sum::<usize>()
                == 1
        };
        (0..self.grid.count()).filter(apart).collect()
    }

    /// The candidate of today.
    fn today(&self) -> Result<usize, ComponentError> {
        let is_it = |index: &usize| self.grid.values(*index) == self.choice.today;
        let found = (0..self.grid.count()).find(is_it);
        let message = "the values of today are not on the grid";
        found.ok_or_else(|| ComponentError::new(Code::Usage, message))
    }

    /// The first in `order` that passes the gate.
    fn passing(&self, order: impl Iterator<Item = usize>) -> Result<Option<usize>, ComponentError> {
        for index in order {
            if self.gate(index)?.is_empty() {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    fn report(&self) -> Result<String, ComponentError> {
        let year = |mode: &Mode| mode.year_2024();
        let mut scores = Vec::with_capacity(self.grid.count());
        let mut unsound = Vec::new();
        for index in 0..self.grid.count() {
            match self.score(index, &year) {
                Ok(score) => scores.push((index, score)),
                Err(e) => unsound.push(format!("{}: {}", self.sets(index).join(" "), e.message)),
            }
        }
        // The best of those that pass is found from above: what stands below it need not be stressed.
        scores.sort_by(|(_, a), (_, b)| b.value.total_cmp(&a.value));
        let order = scores.iter().map(|(index, _)| *index);
        let Some(best) = self.passing(order)? else {
            return Ok(format!(
                "## {}\n\nno candidate passes the gate\n",
                self.choice.modes.join(", ")
            ));
        };
        let chosen = self.choose(&scores, best)?;
        self.text(&scores, (best, chosen), &unsound)
    }

    /// Of all within one standard error of the best the least levered, then the one with the fewest trades, that
    /// passes the gate and whose neighbors lose at most one standard error.
    fn choose(
        &self,
        scores: &[(usize, Score)],
        best: usize,
    ) -> Result<Option<usize>, ComponentError> {
        let by_index: BTreeMap<_, _> = scores
            .iter()
            .map(|(index, score)| (*index, score))
            .collect();
        let Some(top) = by_index.get(&best) else {
            return Ok(None);
        };
        let mut near: Vec<_> = scores
            .iter()
            .filter(|(_, score)| score.value <= top.value && score.value >= top.value - top.error)
            .collect();
        near.sort_by_key(|(index, score)| {
            let levers: Vec<_> = self.grid.places(*index);
            (
                levers
                    .into_iter()
                    .take(self.choice.levers)
                    .collect::<Vec<_>>(),
                score.trades,
            )
        });
        let robust = near.iter().filter(|(index, score)| {
            self.neighbors(*index).iter().all(|other| {
                let least = score.value - score.error;
                by_index
                    .get(other)
                    .is_some_and(|other| other.value >= least)
            })
        });
        self.passing(robust.map(|(index, _)| *index))
    }

    fn text(
        &self,
        scores: &[(usize, Score)],
        (best, chosen): (usize, Option<usize>),
        unsound: &[String],
    ) -> Result<String, ComponentError> {
        let today = self.today()?;
        let mut text = format!(
            "## {}\n\n{} candidates, {} of them ran; {} were stressed.\n\n",
            self.choice.modes.join(", "),
            self.grid.count(),
            scores.len(),
            self.gated.borrow().len()
        );
        let mut heads: Vec<&str> = self.grid.parameters().iter().map(|p| &*p.key).collect();
        heads.extend([
            "which", "2024", "error", "trades", "weeks", "2025", "error", "gate",
        ]);
        let mut rows = Vec::new();
        let named = [
            (Some(today), "before"),
            (Some(best), "best"),
            (chosen, "chosen"),
        ];
        for (index, which) in named
            .iter()
            .filter_map(|(index, which)| Some(((*index)?, *which)))
        {
            let mut row: Vec<_> = self
                .grid
                .values(index)
                .iter()
                .map(|v| (*v).to_owned())
                .collect();
            row.push(which.to_owned());
            let score = scores
                .iter()
                .find(|(other, _)| *other == index)
                .map(|(_, score)| score);
            row.extend(score.map_or_else(
                || vec!["-".to_owned(); 4],
                |score| {
                    vec![
                        percent(score.value),
                        percent(score.error),
                        score.trades.to_string(),
                        score.weeks.to_string(),
                    ]
                },
            ));
            // The best is for reading; 2025 is looked at for the chosen and the one of before alone.
            row.extend(match which {
                "best" => ["-".to_owned(), "-".to_owned()],
                _ => match self.score(index, &|_| year_2025()) {
                    Ok(score) => [percent(score.value), percent(score.error)],
                    Err(e) => [e.message, "-".to_owned()],
                },
            });
            let failed = self.gate(index)?;
            row.push(if failed.is_empty() {
                "pass".to_owned()
            } else {
                format!("fails {}", failed.join(", "))
            });
            rows.push(row);
        }
        text.push_str(&markdown(&heads, &rows));
        text.push_str(&self.by_key(scores));
        text.extend(
            unsound
                .iter()
                .map(|line| format!("\nDid not run: {line}\n")),
        );
        Ok(text)
    }

    /// The mean score of all candidates with a value, key by key.
    fn by_key(&self, scores: &[(usize, Score)]) -> String {
        let mut rows = Vec::new();
        for (at, parameter) in self.grid.parameters().iter().enumerate() {
            for (place, value) in parameter.values.iter().enumerate() {
                let own = scores
                    .iter()
                    .filter(|(index, _)| self.grid.places(*index).get(at) == Some(&place));
                let own: Vec<f64> = own.map(|(_, score)| score.value).collect();
                rows.push(vec![
                    format!("`{}`", parameter.key),
                    value.clone(),
                    percent(mean(&own)),
                ]);
            }
        }
        format!(
            "\n{}\n",
            markdown(&["key", "value", "mean score of 2024"], &rows)
        )
    }
}
