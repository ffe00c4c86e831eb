//! Series of a chart, thinned while they are read.

/// Intervals a run is cut into; each keeps its lowest and its highest step.
const BUCKETS: i64 = 600;

/// How a chart is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A line per series.
    Line,
    /// One line, filled down to zero.
    Area,
    /// Bands on top of each other, what is below zero downward; the last series, their sum, is a
    /// line.
    Stack,
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Area => "area",
            Self::Stack => "stack",
        }
    }
}

/// One chart over time.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// Its name in the page, as `equity`.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// What the values are counted in.
    pub(crate) unit: String,
    /// What the values are, with the formula.
    pub(crate) note: String,
    pub(crate) kind: Kind,
    /// Decimals shown.
    pub(crate) decimals: usize,
    /// Seconds since 1970, ascending.
    pub(crate) x: Vec<i64>,
    pub(crate) series: Vec<Series>,
}

/// One line of a chart.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) label: String,
    /// Which of the page's colors it has.
    pub(crate) color: usize,
    pub(crate) dashed: bool,
    /// One per instant; NaN where there is none.
    pub(crate) values: Vec<f64>,
}

impl Series {
    pub(crate) fn new(label: impl Into<String>, color: usize, values: Vec<f64>) -> Self {
        Self {
            label: label.into(),
            color,
            dashed: false,
            values,
        }
    }

    /// First, lowest, highest and last value; none when there is no value.
    pub(crate) fn key_numbers(&self) -> Option<[f64; 4]> {
        let mut found = self.values.iter().copied().filter(|v| v.is_finite());
        let first = found.next()?;
        let start = [first; 4];
        Some(found.fold(start, |[first, low, high, _], value| {
            [first, low.min(value), high.max(value), value]
        }))
    }
}

/// Fills of one instrument and side, in order of time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Markers {
    pub(crate) at: Vec<i64>,
    pub(crate) price: Vec<f64>,
    pub(crate) quantity: Vec<f64>,
    pub(crate) fills: Vec<u32>,
}

/// One kept step.
#[derive(Clone, Debug, Default)]

struct Point {
    at: i64,
    key: f64,
    values: Vec<f64>,
}

/// Keeps of every interval the step with the lowest and the one with the highest key, and of the
/// run its first and last step. Every kept step is whole: nothing is averaged.
#[derive(Debug)]
pub(crate) struct Sampler {
    from: i64,
    to: i64,
    bucket: i64,
    low: Option<Point>,
    high: Option<Point>,
    last: Option<Point>,
    kept: Vec<Point>,
}

impl Sampler {
    /// For steps from `from` to `to`, in seconds.
    pub(crate) const fn new((from, to): (i64, i64)) -> Self {
        Self {
            from,
            to,
            bucket: i64::MIN,
            low: None,
            high: None,
            last: None,
            kept: Vec::new(),
        }
    }

    /// Whether no step has been taken.
    pub(crate) const fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// Takes the step at `at`, which must not be before the last one.
    pub(crate) fn push(&mut self, at: i64, key: f64, values: &[f64]) {
        let bucket = (at - self.from).saturating_mul(BUCKETS) / (self.to - self.from).max(1);
        if bucket != self.bucket {
            self.flush();
            self.bucket = bucket;
        }
        let point = || Point {
            at,
            key,
            values: values.to_vec(),
        };
        if self.kept.is_empty() && self.low.is_none() {
            self.kept.push(point());
        }
        if self.low.as_ref().is_none_or(|low| key < low.key) {
            self.low = Some(point());
        }
        if self.high.as_ref().is_none_or(|high| key > high.key) {
            self.high = Some(point());
        }
        match &mut self.last {
            Some(last) => {
                last.at = at;
                last.values.clear();
                last.values.extend_from_slice(values);
            }
            None => self.last = Some(point()),
        }
    }

    fn flush(&mut self) {
        let mut pair = [self.low.take(), self.high.take()];
        pair.sort_by_key(|point| point.as_ref().map(|point| point.at));
        for point in pair.into_iter().flatten() {
            self.keep(point);
        }
    }

    fn keep(&mut self, point: Point) {
        if self.kept.last().is_none_or(|kept| kept.at < point.at) {
            self.kept.push(point);
        }
    }

    /// The kept instants, and a column per value; NaN where a step had fewer values.
    pub(crate) fn finish(mut self) -> (Vec<i64>, Vec<Vec<f64>>) {
        self.flush();
        if let Some(last) = self.last.take() {
            self.keep(last);
        }
        let width = self
            .kept
            .iter()
            .map(|point| point.values.len())
            .max()
            .unwrap_or_default();
        let column = |index: usize| {
            self.kept
                .iter()
                .map(|point| point.values.get(index).copied().unwrap_or(f64::NAN))
                .collect()
        };
        let columns = (0..width).map(column).collect();
        (self.kept.iter().map(|point| point.at).collect(), columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lows_and_highs_of_long_runs_survive_the_thinning() {
        let mut sampler = Sampler::new((0, 100_000));
        for at in 1..=100_000_i64 {
            let value = match at {
                33_333 => 50.0,
                66_666 => -50.0,
                _ => f64::from(u8::try_from(at % 7).unwrap()),
            };
            sampler.push(at, value, &[value, 1.0]);
        }
        let (x, columns) = sampler.finish();
        assert!(x.len() > 1_000 && x.len() <= 1_204, "{}", x.len());
        assert!(x.is_sorted_by(|a, b| a < b));
        assert_eq!((x[0], *x.last().unwrap()), (1, 100_000));
        assert!(columns[0].contains(&50.0) && columns[0].contains(&-50.0));
        assert_eq!(columns[1].len(), x.len());
    }

    #[test]
    fn short_runs_keep_every_step() {
        let mut sampler = Sampler::new((0, 3));
        for (at, value) in [(1, 5.0), (2, 4.0), (3, 4.0)] {
            sampler.push(at, value, &[value]);
        }
        let (x, columns) = sampler.finish();
        assert_eq!(x, [1, 2, 3]);
        assert_eq!(columns, [[5.0, 4.0, 4.0]]);
    }

    #[test]
    fn values_that_appear_later_are_blank_before() {
        let mut sampler = Sampler::new((0, 2));
        sampler.push(1, 0.0, &[]);
        sampler.push(2, 0.0, &[7.0]);
        let (_, columns) = sampler.finish();
        assert!(columns[0][0].is_nan());
        let series = Series::new("x", 0, columns[0].clone());
        assert_eq!(series.key_numbers(), Some([7.0; 4]));
    }
}
