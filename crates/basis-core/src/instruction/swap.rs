//! A swap and the two pairs of amounts it may name, how they are read and written.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{AmountOrAll, amount};
use crate::num::Quantity;
use crate::types::{Asset, Label};

/// A swap in one pool. In a group, an input of `all` takes what the step before gave, so that a route
/// over several pools is a group of swaps.
///
/// Written with the pair of its [`SwapAmounts`] beside the other fields; one pair must be there, whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct Swap {
    /// The pool, by the name it has in the venue's settings.
    pub pool: Label,
    /// What is given.
    pub asset_in: Asset,
    /// What is taken.
    pub asset_out: Asset,
    /// Which side is fixed, and the guard on the other.
    pub amounts: SwapAmounts,
}

/// The fixed side of a swap and what is acceptable of the other. No guard has a default: a missing one
/// is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwapAmounts {
    /// Gives exactly so much, as the router's `exactInputSingle`.
    ExactInput {
        /// Units given, > 0; `all` is what the wallet holds of `asset_in` at that moment. Written as a
        /// plain decimal or `all`.
        amount_in: AmountOrAll,
        /// The least of `asset_out` that is acceptable, >= 0.
        minimum_out: Quantity,
    },
    /// Takes exactly so much, as the router's `exactOutputSingle`.
    ExactOutput {
        /// Units taken, > 0.
        amount_out: Quantity,
        /// The most of `asset_in` that is acceptable, >= 0.
        maximum_in: Quantity,
    },
}

impl SwapAmounts {
    /// Units of `asset_out` that the swap gives at least, if it is done.
    #[must_use]
    pub const fn least_out(&self) -> Quantity {
        match self {
            Self::ExactInput { minimum_out, .. } => *minimum_out,
            Self::ExactOutput { amount_out, .. } => *amount_out,
        }
    }
}

/// A swap as it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Swap", deny_unknown_fields)]
struct Fields {
    pool: Label,
    asset_in: Asset,
    asset_out: Asset,
    #[serde(
        default,
        serialize_with = "amount::plain",
        skip_serializing_if = "Option::is_none"
    )]
    amount_in: Option<AmountOrAll>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    minimum_out: Option<Quantity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    amount_out: Option<Quantity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maximum_in: Option<Quantity>,
}

impl From<Swap> for Fields {
    fn from(swap: Swap) -> Self {
        let fields = Self {
            pool: swap.pool,
            asset_in: swap.asset_in,
            asset_out: swap.asset_out,
            amount_in: None,
            minimum_out: None,
            amount_out: None,
            maximum_in: None,
        };
        match swap.amounts {
            SwapAmounts::ExactInput {
                amount_in,
                minimum_out,
            } => Self {
                amount_in: Some(amount_in),
                minimum_out: Some(minimum_out),
                ..fields
            },
            SwapAmounts::ExactOutput {
                amount_out,
                maximum_in,
            } => Self {
                amount_out: Some(amount_out),
                maximum_in: Some(maximum_in),
                ..fields
            },
        }
    }
}

impl TryFrom<Fields> for Swap {
    type Error = NoPair;

    fn try_from(fields: Fields) -> Result<Self, NoPair> {
        let amounts = match fields {
            Fields {
                amount_in: Some(amount_in),
                minimum_out: Some(minimum_out),
                amount_out: None,
                maximum_in: None,
                ..
            } => SwapAmounts::ExactInput {
                amount_in,
                minimum_out,
            },
            Fields {
                amount_in: None,
                minimum_out: None,
                amount_out: Some(amount_out),
                maximum_in: Some(maximum_in),
                ..
            } => SwapAmounts::ExactOutput {
                amount_out,
                maximum_in,
            },
            _ => return Err(NoPair::of(&fields)),
        };
        Ok(Self {
            pool: fields.pool,
            asset_in: fields.asset_in,
            asset_out: fields.asset_out,
            amounts,
        })
    }
}

const INPUT: [&str; 2] = ["amount_in", "minimum_out"];
const OUTPUT: [&str; 2] = ["amount_out", "maximum_in"];

/// Fields of a swap that are not one whole pair.
struct NoPair {
    /// Which of [`INPUT`], then of [`OUTPUT`], are given.
    given: [[bool; 2]; 2],
}

impl NoPair {
    const fn of(fields: &Fields) -> Self {
        Self {
            given: [
                [fields.amount_in.is_some(), fields.minimum_out.is_some()],
                [fields.amount_out.is_some(), fields.maximum_in.is_some()],
            ],
        }
    }
}

impl fmt::Display for NoPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [input, output] = self.given;
        let names = [(INPUT, input), (OUTPUT, output)];
        match (input.contains(&true), output.contains(&true)) {
            (false, false) => f.write_str("the amounts are missing")?,
            (true, true) => {
                let pairs = names.map(|(names, given)| names.into_iter().zip(given));
                let given = pairs.into_iter().flatten().filter(|(_, given)| *given);
                let given: Vec<_> = given.map(|(name, _)| format!("`{name}`")).collect();
                write!(f, "{} are of two pairs", given.join(", "))?;
            }
            (is_input, _) => {
                let (pair, given) = if is_input { names[0] } else { names[1] };
                let [there, missing] = if given[0] { pair } else { [pair[1], pair[0]] };
                write!(f, "missing field `{missing}` beside `{there}`")?;
            }
        }
        f.write_str(
            "; a swap names `amount_in` and `minimum_out` for an exact input, or `amount_out` and \
             `maximum_in` for an exact output",
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::super::{Instruction, Operation};
    use super::*;

    fn with(amounts: &Json) -> Json {
        let mut swap = json!({ "pool": "p", "asset_in": "WETH", "asset_out": "USDT" });
        for (name, amount) in amounts.as_object().unwrap() {
            swap[name] = amount.clone();
        }
        swap
    }

    fn read(amounts: &Json) -> Result<SwapAmounts, String> {
        let swap = serde_json::from_value::<Swap>(with(amounts));
        swap.map(|swap| swap.amounts).map_err(|e| e.to_string())
    }

    #[test]
    fn each_pair_reads_and_writes_byte_for_byte() {
        let given = [
            (
                r#""amount_in":"1","minimum_out":"1990""#,
                SwapAmounts::ExactInput {
                    amount_in: AmountOrAll::Exactly(Quantity::literal("1")),
                    minimum_out: Quantity::literal("1990"),
                },
            ),
            (
                r#""amount_in":"all","minimum_out":"0""#,
                SwapAmounts::ExactInput {
                    amount_in: AmountOrAll::All,
                    minimum_out: Quantity::ZERO,
                },
            ),
            (
                r#""amount_out":"2000","maximum_in":"1.1""#,
                SwapAmounts::ExactOutput {
                    amount_out: Quantity::literal("2000"),
                    maximum_in: Quantity::literal("1.1"),
                },
            ),
        ];
        for (pair, amounts) in given {
            let text = format!(
                r#"{{"id":3,"swap":{{"pool":"p","asset_in":"WETH","asset_out":"USDT",{pair}}}}}"#
            );
            let read: Instruction = serde_json::from_str(&text).unwrap();
            let Operation::Swap(swap) = &read.operation else {
                panic!("{read:?}")
            };
            assert_eq!(swap.amounts, amounts);
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
        }
    }

    #[test]
    fn what_is_no_pair_is_refused_with_what_is_missing_or_mixed() {
        let one = "1";
        for (given, text) in [
            (json!({}), "the amounts are missing; a swap names"),
            (
                json!({ "amount_in": one }),
                "missing field `minimum_out` beside `amount_in`",
            ),
            (
                json!({ "minimum_out": one }),
                "missing field `amount_in` beside `minimum_out`",
            ),
            (
                json!({ "amount_out": one }),
                "missing field `maximum_in` beside `amount_out`",
            ),
            (
                json!({ "maximum_in": one, "amount_out": null }),
                "missing field `amount_out` beside `maximum_in`",
            ),
            (
                json!({ "amount_in": one, "maximum_in": one }),
                "`amount_in`, `maximum_in` are of two pairs",
            ),
            (
                json!({ "amount_in": one, "minimum_out": one, "amount_out": one }),
                "`amount_in`, `minimum_out`, `amount_out` are of two pairs",
            ),
            (
                json!({ "amount_in": one, "minimum_out": one, "fee": one }),
                "unknown field `fee`",
            ),
            (
                json!({ "amount_out": "all", "maximum_in": one }),
                "\"all\": ",
            ),
            (
                json!({ "amount_out": 1.5, "maximum_in": one }),
                "quote the number",
            ),
        ] {
            let refused = read(&given).unwrap_err();
            assert!(refused.contains(text), "{given}: {refused}");
        }
    }

    proptest! {
        /// Of the sixteen ways to give or leave out the four amounts two are a swap.
        #[test]
        fn prop_only_whole_pairs_are_a_swap(given in any::<[bool; 4]>()) {
            let names = ["amount_in", "minimum_out", "amount_out", "maximum_in"];
            let named = names.into_iter().zip(given).filter(|(_, given)| *given);
            let amounts: Json = named.map(|(name, _)| (name.to_owned(), json!("2"))).collect::<serde_json::Map<_, _>>().into();
            let pair = [[true, true, false, false], [false, false, true, true]].contains(&given);
            prop_assert_eq!(read(&amounts).is_ok(), pair, "{}", amounts);
        }
    }
}
