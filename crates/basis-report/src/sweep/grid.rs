//! The grid of a sweep: its parameters and the variants they make.
//!
//! **Invariant.** Variants are in the order written, the last parameter changing fastest, and number 1
//! is the first.

/// Most variants of one sweep.
pub const VARIANTS_MAX: usize = 10_000;

/// One swept key with its values as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Dotted key path.
    pub key: String,
    /// The values in the order written; at least one, all different.
    pub values: Vec<String>,
}

/// The parameters of a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    parameters: Vec<Parameter>,
    count: usize,
}

impl Grid {
    /// The grid of `parameters`, at least one; none when it has more than [`VARIANTS_MAX`] variants.
    #[must_use]
    pub fn new(parameters: Vec<Parameter>) -> Option<Self> {
        let count = parameters.iter().try_fold(1_usize, |product, parameter| {
            product.checked_mul(parameter.values.len())
        })?;
        (count <= VARIANTS_MAX).then_some(Self { parameters, count })
    }

    /// The parameters in the order written.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// How many variants there are, 1 to [`VARIANTS_MAX`].
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Which value of each parameter the variant at `index` (from 0) has.
    #[must_use]
    pub fn places(&self, index: usize) -> Vec<usize> {
        let mut rest = index;
        let mut places: Vec<_> = self
            .parameters
            .iter()
            .rev()
            .map(|parameter| {
                let size = parameter.values.len().max(1);
                let place = rest % size;
                rest /= size;
                place
            })
            .collect();
        places.reverse();
        places
    }

    /// The values of the variant at `index` (from 0), one per parameter.
    #[must_use]
    pub fn values(&self, index: usize) -> Vec<&str> {
        let places = self.places(index);
        let chosen = self.parameters.iter().zip(places);
        chosen
            .map(|(parameter, place)| parameter.values.get(place).map_or("", String::as_str))
            .collect()
    }

    /// The variant at `index` in words: `hedge_leverage=2, reserve_ratio=0.1`.
    #[must_use]
    pub fn describe(&self, index: usize) -> String {
        let keys = self.parameters.iter().map(|parameter| &parameter.key);
        let pairs: Vec<_> = keys
            .zip(self.values(index))
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        pairs.join(", ")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A grid of keys and their values.
    pub(in super::super) fn grid(parameters: &[(&str, &[&str])]) -> Grid {
        let parameters = parameters.iter().map(|(key, values)| Parameter {
            key: (*key).to_owned(),
            values: values.iter().map(|&value| value.to_owned()).collect(),
        });
        Grid::new(parameters.collect()).unwrap()
    }

    #[test]
    fn the_last_parameter_changes_fastest() {
        let grid = grid(&[("a", &["1", "2"]), ("b", &["x", "y", "z"])]);
        let all: Vec<_> = (0..grid.count())
            .map(|at| grid.values(at).concat())
            .collect();
        assert_eq!(all, ["1x", "1y", "1z", "2x", "2y", "2z"]);
        assert_eq!(grid.describe(4), "a=2, b=y");
    }
}
