//! The parameters of a sweep as a user writes them.
//!
//! A parameter is `key.path=item,item,…`. An item is a value, or `lo:hi:step` for the exact decimals
//! from `lo` to `hi` (inclusive when a step lands on it). Commas inside brackets and quotes belong to
//! the value.
//!
//! **Invariant.** No range passes through a float.

use basis_core::config::Node;
use basis_core::error::{Code, ComponentError};
use basis_report::sweep::grid::{Grid, Parameter, VARIANTS_MAX};

use super::values::{expand, is_same, items, too_many};
use crate::config::layers::Template;

/// What says where a value comes from.
pub(super) const OPTION: &str = "--param";

/// Keys that cannot change a result, or that are the sweep's own.
const FIXED_KEYS: [&str; 4] = ["mode", "execution_mode", "log_level", "component_config"];

/// Reads every `key=values` of the command line.
///
/// # Errors
/// CFG-005 with everything wrong at once: no `=`, no values, a repeated value, a range that is
/// empty or never ends, keys given twice or within each other, more than [`VARIANTS_MAX`]
/// variants.
pub fn grid(texts: &[String]) -> Result<Grid, ComponentError> {
    let mut wrong = Vec::new();
    let mut parameters: Vec<Parameter> = Vec::new();
    for text in texts {
        match parameter(text) {
            Ok(parameter) => {
                wrong.extend(conflict(&parameters, &parameter.key));
                parameters.push(parameter);
            }
            Err(why) => wrong.push(format!("{OPTION} {text}: {why}")),
        }
    }
    if texts.is_empty() {
        wrong.push(format!(
            "a sweep needs at least one {OPTION} key=a,b,c or {OPTION} key=lo:hi:step"
        ));
    }
    let sizes: Vec<_> = parameters
        .iter()
        .map(|p| p.values.len().to_string())
        .collect();
    match Grid::new(parameters) {
        Some(grid) if wrong.is_empty() => return Ok(grid),
        Some(_) => {}
        None => wrong.push(format!(
            "{} are more than the {VARIANTS_MAX} variants of one sweep; take coarser steps, or sweep in \
             parts",
            sizes.join(" x ")
        )),
    }
    Err(ComponentError::new(Code::Usage, wrong.join("\n  ")))
}

/// Every value as a layer over the configuration, per parameter.
///
/// # Errors
/// CFG-001, CFG-002 or CFG-005 for values that are no YAML or name a file that is not there; the
/// message lists them all.
pub(super) fn layers(grid: &Grid) -> Result<Vec<Vec<Node>>, ComponentError> {
    let mut failures = Vec::new();
    let mut all = Vec::new();
    for parameter in grid.parameters() {
        let mut layers = Vec::new();
        for value in &parameter.values {
            match Template::layer(OPTION, &format!("{}={value}", parameter.key)) {
                Ok(layer) => layers.push(layer),
                Err(e) => failures.push(e),
            }
        }
        all.push(layers);
    }
    crate::assembly::together(failures).map_or(Ok(all), Err)
}

fn conflict(before: &[Parameter], key: &str) -> Option<String> {
    let within = |inner: &str, outer: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    before.iter().find_map(|other| {
        if other.key == key {
            return Some(format!(
                "{OPTION} {key} is given twice; write its values in one, separated by commas"
            ));
        }
        (within(key, &other.key) || within(&other.key, key)).then(|| {
            let other = &other.key;
            format!("{OPTION} {key} and {OPTION} {other} set the same value; keep one of them")
        })
    })
}

fn parameter(text: &str) -> Result<Parameter, String> {
    let (key, values) = text
        .split_once('=')
        .ok_or("there is no `=`; write key=a,b,c or key=lo:hi:step")?;
    let key = key.trim();
    if key.split('.').any(str::is_empty) {
        return Err("the key path has an empty part".to_owned());
    }
    let first = key.split('.').next().unwrap_or_default();
    if FIXED_KEYS.contains(&first) {
        return Err(format!(
            "`{first}` does not change results; sweep another key"
        ));
    }
    if values.trim().is_empty() {
        return Err("there is no value after `=`".to_owned());
    }
    let mut all: Vec<String> = Vec::new();
    for item in items(values) {
        if item.is_empty() {
            return Err(
                "there is an empty value between commas; write null for nothing".to_owned(),
            );
        }
        for value in expand(item)? {
            if all.iter().any(|other| is_same(other, &value)) {
                return Err(format!("the value {value} is there twice"));
            }
            all.push(value);
        }
        if all.len() > VARIANTS_MAX {
            return Err(too_many(all.len().to_string()));
        }
    }
    Ok(Parameter {
        key: key.to_owned(),
        values: all,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(texts: &[&str]) -> Result<Grid, String> {
        let texts: Vec<_> = texts.iter().map(|&text| text.to_owned()).collect();
        grid(&texts).map_err(|e| {
            assert_eq!(e.code, Code::Usage);
            e.message
        })
    }

    fn values(text: &str) -> Vec<String> {
        read(&[text]).unwrap().parameters()[0].values.clone()
    }

    #[test]
    fn ranges_are_exact_and_hold_their_end_when_a_step_lands_on_it() {
        assert_eq!(values("k=1:2:0.5"), ["1", "1.5", "2"]);
        assert_eq!(values("k=0.1:0.35:0.1"), ["0.1", "0.2", "0.3"]);
        assert_eq!(values("k=0.1:1:0.1").last().unwrap(), "1");
        assert_eq!(values("k=0.1:1:0.1").len(), 10);
        assert_eq!(values("k=2:1:-0.5"), ["2", "1.5", "1"]);
        assert_eq!(values("k=-1:1:1"), ["-1", "0", "1"]);
        assert_eq!(values("k=3:3:7"), ["3"]);
        assert_eq!(values("k=9,1:2:1,x"), ["9", "1", "2", "x"]);
    }

    #[test]
    fn values_with_commas_and_colons_of_their_own_stay_whole() {
        assert_eq!(
            values("a={binance: 1, okx: 0},{binance: 0.5, okx: 0.5}"),
            ["{binance: 1, okx: 0}", "{binance: 0.5, okx: 0.5}"]
        );
        assert_eq!(values("a=\"x,y\",z"), ["\"x,y\"", "z"]);
        assert_eq!(
            values("from=2024-05-01T00:00:00Z,2024-06-01"),
            ["2024-05-01T00:00:00Z", "2024-06-01"]
        );
        assert_eq!(values("a=okx:perp:BTCUSDT"), ["okx:perp:BTCUSDT"]);
    }

    #[test]
    fn slips_name_themselves_and_the_way_out() {
        for (text, expected) in [
            ("k", "there is no `=`; write key=a,b,c"),
            ("k=", "no value after `=`"),
            ("=1", "the key path has an empty part"),
            ("a..b=1", "the key path has an empty part"),
            ("k=1,,2", "an empty value between commas"),
            ("k=1,2,1.0", "the value 1.0 is there twice"),
            ("k=1:2:0", "the step of 1:2:0 is 0"),
            (
                "k=1:2:-1",
                "the range 1:2:-1 is empty: 2 is above 1; give a positive step",
            ),
            (
                "k=2:1:1",
                "the range 2:1:1 is empty: 1 is below 2; give a negative step",
            ),
            ("k=1:2", "`1:2` is no range; write lo:hi:step"),
            ("k=1:x:2", "`x` in the range 1:x:2"),
            (
                "k=0:10000:1",
                "10001 values are more than the 10000 variants",
            ),
            (
                "k=0:100000000000000000000:0.000000000000000001",
                "are more than the 10000",
            ),
            (
                "log_level=INFO,ERROR",
                "`log_level` does not change results",
            ),
        ] {
            let e = read(&[text]).unwrap_err();
            assert!(e.contains(expected), "{text}: {e}");
            assert!(e.starts_with("--param"), "{e}");
        }
        assert!(read(&[]).unwrap_err().contains("at least one --param"));
    }

    #[test]
    fn every_slip_is_reported_at_once() {
        let e = read(&["a=1:2:0", "b=1", "b=2", "c.d=1", "c=2"]).unwrap_err();
        for expected in [
            "step of 1:2:0",
            "--param b is given twice",
            "--param c and --param c.d",
        ] {
            assert!(e.contains(expected), "{e}");
        }
    }

    #[test]
    fn the_bound_holds_for_the_product_of_parameters() {
        assert_eq!(
            read(&["a=1:100:1", "b=1:100:1"]).unwrap().count(),
            VARIANTS_MAX
        );
        let e = read(&["a=1:100:1", "b=1:101:1"]).unwrap_err();
        assert!(
            e.contains("100 x 101 are more than the 10000 variants"),
            "{e}"
        );
    }
}
