//! The figures of a summary that a sweep has columns for.

use std::cmp::Ordering;
use std::sync::LazyLock;

use basis_core::config::nearest;
use basis_core::error::{Code, ComponentError};
use basis_core::num::Fixed18;
use basis_engine::pnl::Attribution;

/// What kind of figure a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An exact decimal; text in JSON.
    Amount,
    /// A statistic or a count; a number in JSON.
    Number,
}

impl Kind {
    /// The order of two figures of this kind, given as text.
    #[must_use]
    pub fn compare(self, a: &str, b: &str) -> Ordering {
        match self {
            Self::Amount => Fixed18::parse(a).ok().cmp(&Fixed18::parse(b).ok()),
            Self::Number => {
                let number = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
                number(a).total_cmp(&number(b))
            }
        }
    }
}

/// A figure of the summary that has a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its place in `summary.json`, parts joined by dots.
    pub name: String,
    /// How it is compared and written.
    pub kind: Kind,
    /// Whether the smallest ranks first: drawdown, costs and counts.
    pub least_first: bool,
}

/// Every field, in the order of the columns.
pub static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let amounts = [
        "equity_start",
        "equity_end",
        "equity_start_usd",
        "equity_end_usd",
        "exit_value",
        "exit_cost",
        "exit_hours",
    ];
    let statistics = [
        "return",
        "apy",
        "max_drawdown",
        "max_drawdown_exit",
        "sharpe",
        "sortino",
        "volatility",
    ];
    let is_least = |name: &str| {
        matches!(
            name,
            "max_drawdown" | "max_drawdown_exit" | "volatility" | "exit_cost" | "exit_hours"
        )
    };
    let costs = [
        "total",
        "fees",
        "slippage",
        "gas",
        "borrow_cost",
        "transfer_cost",
        "liquidation",
    ];
    let counts = [
        "steps",
        "orders",
        "fills",
        "rebalances",
        "liquidations",
        "transfers",
        "funding_payments",
        "rejections",
        "rebalances_deferred",
        "stood_aside_steps",
    ];
    let field = |name: String, kind, least_first| Field {
        name,
        kind,
        least_first,
    };
    let buckets = Attribution::default().rows();
    amounts
        .map(|name| field(name.to_owned(), Kind::Amount, is_least(name)))
        .into_iter()
        .chain(statistics.map(|name| field(name.to_owned(), Kind::Number, is_least(name))))
        .chain(buckets.map(|(name, _)| field(format!("attribution.{name}"), Kind::Amount, false)))
        .chain(costs.map(|name| field(format!("costs.{name}"), Kind::Amount, true)))
        .chain(counts.map(|name| field(format!("counts.{name}"), Kind::Number, true)))
        .collect()
});

/// The index in [`FIELDS`] of `name`; its last part will do where only one field has it.
///
/// # Errors
/// CFG-005 with the nearest field and the list of them.
pub fn find_field(name: &str) -> Result<usize, ComponentError> {
    if let Some(at) = FIELDS.iter().position(|field| field.name == name) {
        return Ok(at);
    }
    let ends: Vec<_> = FIELDS
        .iter()
        .enumerate()
        .filter(|(_, field)| field.name.rsplit('.').next() == Some(name))
        .collect();
    if let [(at, _)] = ends.as_slice() {
        return Ok(*at);
    }
    let names = || FIELDS.iter().map(|field| field.name.as_str());
    let hint = if ends.is_empty() {
        nearest(name, names()).map(|near| format!("; did you mean `{near}`?"))
    } else {
        let several: Vec<_> = ends.iter().map(|(_, field)| field.name.as_str()).collect();
        Some(format!("; it could be {}", several.join(" or ")))
    };
    let message = format!(
        "--rank {name}: no such field{} (fields: {})",
        hint.unwrap_or_default(),
        names().collect::<Vec<_>>().join(", ")
    );
    Err(ComponentError::new(Code::Usage, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_end_and_slips_get_the_nearest() {
        assert_eq!(FIELDS[find_field("orders").unwrap()].name, "counts.orders");
        let e = find_field("fees").unwrap_err();
        assert!(e.message.contains("attribution.fees or costs.fees"), "{e}");
        let e = find_field("sharp").unwrap_err();
        assert!(e.message.contains("did you mean `sharpe`?"), "{e}");
    }
}
