//! The values of a parameter: items between commas, and ranges of exact decimals.

use basis_core::num::{Fixed18, MathError};
use basis_report::sweep::grid::VARIANTS_MAX;

/// Two texts of one value: the same text, or the same decimal.
pub(super) fn is_same(a: &str, b: &str) -> bool {
    a == b || matches!((Fixed18::parse(a), Fixed18::parse(b)), (Ok(a), Ok(b)) if a == b)
}

/// Splits at the commas that stand outside brackets and quotes.
pub(super) fn items(text: &str) -> Vec<&str> {
    let (mut depth, mut quote, mut start) = (0_usize, None, 0);
    let mut items = Vec::new();
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '{' | '[') => depth += 1,
            (None, '}' | ']') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                items.push(text.get(start..at).unwrap_or_default().trim());
                start = at + 1;
            }
            (None, _) => {}
        }
    }
    items.push(text.get(start..).unwrap_or_default().trim());
    items
}

/// A value as it stands, or the values of a range: what has colons and begins with a decimal.
pub(super) fn expand(item: &str) -> Result<Vec<String>, String> {
    let parts: Vec<_> = item.split(':').map(str::trim).collect();
    let first = parts.first().copied().unwrap_or_default();
    if parts.len() < 2 || Fixed18::parse(first).is_err() {
        return Ok(vec![item.to_owned()]);
    }
    let [lo, hi, step] = parts.as_slice() else {
        return Err(format!("`{item}` is no range; write lo:hi:step"));
    };
    let number =
        |text: &str| Fixed18::parse(text).map_err(|e| format!("`{text}` in the range {item}: {e}"));
    range(item, number(lo)?, number(hi)?, number(step)?)
}

pub(super) fn too_many(count: impl std::fmt::Display) -> String {
    format!(
        "{count} values are more than the {VARIANTS_MAX} variants of one sweep; take a larger step"
    )
}

fn range(item: &str, lo: Fixed18, hi: Fixed18, step: Fixed18) -> Result<Vec<String>, String> {
    let outside = |e: MathError| format!("the range {item} leaves the range of decimals: {e}");
    if step.is_zero() {
        return Err(format!(
            "the step of {item} is 0, so the range never ends; give a step other than 0"
        ));
    }
    let width = hi.sub(lo).map_err(outside)?;
    if !width.is_zero() && width.is_negative() != step.is_negative() {
        let (away, sign) = if step.is_negative() {
            ("above", "positive")
        } else {
            ("below", "negative")
        };
        return Err(format!(
            "the range {item} is empty: {hi} is {away} {lo}; give a {sign} step, or swap the ends"
        ));
    }
    // Both have the sign of the step, so the quotient is the number of whole steps.
    let steps = width.mantissa() / step.mantissa();
    let count = usize::try_from(steps).map_or(usize::MAX, |steps| steps.saturating_add(1));
    if count > VARIANTS_MAX {
        return Err(too_many(steps.saturating_add(1)));
    }
    let mut values = Vec::with_capacity(count);
    let mut value = lo;
    for number in 1..=count {
        values.push(value.to_string());
        if number < count {
            value = value.add(step).map_err(outside)?;
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn prop_ranges_step_exactly_and_stay_inside(
            lo in -1_000_000_i64..1_000_000,
            width in 0_i64..100_000,
            step in 50_i64..1_000,
        ) {
            let scale = |n: i64| Fixed18::from_ratio(n, 1_000, basis_core::num::Rounding::HalfEven).unwrap();
            let (from, to, by) = (scale(lo), scale(lo + width), scale(step));
            let all = range("r", from, to, by).unwrap();
            prop_assert_eq!(i64::try_from(all.len()).unwrap(), width / step + 1);
            for (text, at) in all.iter().zip(0..) {
                prop_assert_eq!(Fixed18::parse(text).unwrap(), scale(lo + at * step));
            }
        }
    }
}
