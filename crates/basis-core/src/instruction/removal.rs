//! Liquidity that is taken out of a pool, and the fields it is written in.

use serde::{Deserialize, Serialize};

use super::{AmountOrAll, amount};
use crate::num::{Fixed18, Quantity};
use crate::types::{Asset, Label};

/// Takes liquidity out of a pool.
///
/// Its fields in JSON are the pool's and those of one [`Withdrawal`]:
///
/// - `{"pool":"p","liquidity":"10","ticks":[-60,60],"minimum_out":["1","1"]}`, `ticks` only where
///   positions have a range;
/// - `{"pool":"p","liquidity":"10","asset_out":"USDC","minimum_out":["9.9"]}`;
/// - `{"pool":"p","amounts":["5","0","1"],"maximum_liquidity":"6.1"}`.
///
/// Fields of two of them together, and a field that one of them lacks, are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct RemoveLiquidity {
    /// The pool, by the name it has in the venue's settings.
    pub pool: Label,
    /// What is burnt, for what.
    pub withdrawal: Withdrawal,
}

/// What is burnt of a pool's liquidity, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Withdrawal {
    /// The same part of each of the pool's assets.
    InProportion {
        /// Liquidity (or pool tokens) to burn, > 0; `all` is what the position of these ticks, or the
        /// wallet's pool tokens, come to at that moment. Written as a plain decimal or `all`.
        liquidity: AmountOrAll,
        /// The price range of a concentrated position, lower tick then upper tick.
        ticks: Option<(i32, i32)>,
        /// The least of each of the pool's assets that is acceptable, in the pool's order.
        minimum_out: Vec<Quantity>,
    },
    /// One of the pool's assets alone, at the price that the pool makes: Curve's
    /// `remove_liquidity_one_coin`.
    InOneAsset {
        /// Pool tokens to burn, > 0, or `all` that the wallet holds.
        liquidity: AmountOrAll,
        /// What is taken.
        asset_out: Asset,
        /// The least of it that is acceptable; a list of one in JSON.
        minimum_out: Quantity,
    },
    /// Exactly these amounts, for as many pool tokens as they cost: Curve's
    /// `remove_liquidity_imbalance`.
    Exactly {
        /// Units of each of the pool's assets, in the pool's order; zeros allowed.
        amounts: Vec<Quantity>,
        /// The most pool tokens that may be burnt for them, > 0.
        maximum_liquidity: Fixed18,
    },
}

impl Withdrawal {
    /// The price range of the position, where it is given one.
    #[must_use]
    pub const fn ticks(&self) -> Option<(i32, i32)> {
        match self {
            Self::InProportion { ticks, .. } => *ticks,
            Self::InOneAsset { .. } | Self::Exactly { .. } => None,
        }
    }
}

/// Every field there is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    pool: Label,
    #[serde(
        default,
        serialize_with = "amount::plain",
        skip_serializing_if = "Option::is_none"
    )]
    liquidity: Option<AmountOrAll>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asset_out: Option<Asset>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ticks: Option<(i32, i32)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    minimum_out: Option<Vec<Quantity>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    amounts: Option<Vec<Quantity>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maximum_liquidity: Option<Fixed18>,
}

/// Why fields make no withdrawal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Misfit {
    #[error("missing field `{0}`; {FORMS}")]
    Missing(&'static str),
    #[error("`{0}` does not go with `{1}`; {FORMS}")]
    Apart(&'static str, &'static str),
    #[error("`minimum_out` has {0} amounts; beside `asset_out` it has one, of this asset")]
    Minimums(usize),
}

const FORMS: &str = "remove_liquidity takes `liquidity` and `minimum_out`, and `ticks` where positions \
     have a range; `liquidity`, `asset_out` and `minimum_out` for one asset alone; or `amounts` and \
     `maximum_liquidity`";

impl TryFrom<Fields> for RemoveLiquidity {
    type Error = Misfit;

    fn try_from(fields: Fields) -> Result<Self, Misfit> {
        let pool = fields.pool;
        let withdrawal = if fields.amounts.is_some() || fields.maximum_liquidity.is_some() {
            fields.exactly()
        } else {
            fields.burning()
        }?;
        Ok(Self { pool, withdrawal })
    }
}

impl Fields {
    fn exactly(self) -> Result<Withdrawal, Misfit> {
        let here = match self.amounts {
            Some(_) => "amounts",
            None => "maximum_liquidity",
        };
        for (field, given) in [
            ("liquidity", self.liquidity.is_some()),
            ("asset_out", self.asset_out.is_some()),
            ("ticks", self.ticks.is_some()),
            ("minimum_out", self.minimum_out.is_some()),
        ] {
            if given {
                return Err(Misfit::Apart(here, field));
            }
        }
        let missing = "maximum_liquidity";
        Ok(Withdrawal::Exactly {
            amounts: self.amounts.ok_or(Misfit::Missing("amounts"))?,
            maximum_liquidity: self.maximum_liquidity.ok_or(Misfit::Missing(missing))?,
        })
    }

    fn burning(self) -> Result<Withdrawal, Misfit> {
        let liquidity = self.liquidity.ok_or(Misfit::Missing("liquidity"))?;
        let minimum_out = self.minimum_out.ok_or(Misfit::Missing("minimum_out"))?;
        let Some(asset_out) = self.asset_out else {
            return Ok(Withdrawal::InProportion {
                liquidity,
                ticks: self.ticks,
                minimum_out,
            });
        };
        if self.ticks.is_some() {
            return Err(Misfit::Apart("asset_out", "ticks"));
        }
        let [minimum_out] = *minimum_out else {
            return Err(Misfit::Minimums(minimum_out.len()));
        };
        Ok(Withdrawal::InOneAsset {
            liquidity,
            asset_out,
            minimum_out,
        })
    }
}

impl From<RemoveLiquidity> for Fields {
    fn from(RemoveLiquidity { pool, withdrawal }: RemoveLiquidity) -> Self {
        let empty = Self {
            pool,
            liquidity: None,
            asset_out: None,
            ticks: None,
            minimum_out: None,
            amounts: None,
            maximum_liquidity: None,
        };
        match withdrawal {
            Withdrawal::InProportion {
                liquidity,
                ticks,
                minimum_out,
            } => Self {
                liquidity: Some(liquidity),
                ticks,
                minimum_out: Some(minimum_out),
                ..empty
            },
            Withdrawal::InOneAsset {
                liquidity,
                asset_out,
                minimum_out,
            } => Self {
                liquidity: Some(liquidity),
                asset_out: Some(asset_out),
                minimum_out: Some(vec![minimum_out]),
                ..empty
            },
            Withdrawal::Exactly {
                amounts,
                maximum_liquidity,
            } => Self {
                amounts: Some(amounts),
                maximum_liquidity: Some(maximum_liquidity),
                ..empty
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, from_str, from_value, json, to_string};

    use super::*;
    use crate::instruction::Operation;

    fn read(json: &Json) -> Result<RemoveLiquidity, String> {
        from_value(json.clone()).map_err(|e| e.to_string())
    }

    #[test]
    fn each_form_is_written_as_it_is_read() {
        for text in [
            r#"{"pool":"p","liquidity":"10","minimum_out":["1","1"]}"#,
            r#"{"pool":"p","liquidity":"all","ticks":[-60,60],"minimum_out":["1","0"]}"#,
            r#"{"pool":"p","liquidity":"10.5","asset_out":"USDC","minimum_out":["9.9"]}"#,
            r#"{"pool":"p","liquidity":"all","asset_out":"USDC","minimum_out":["0"]}"#,
            r#"{"pool":"p","amounts":["5","0","1"],"maximum_liquidity":"6.1"}"#,
        ] {
            let removal: RemoveLiquidity = from_str(text).unwrap();
            assert_eq!(to_string(&removal).unwrap(), text);
            let operation = format!(r#"{{"remove_liquidity":{text}}}"#);
            let read: Operation = from_str(&operation).unwrap();
            assert_eq!(read, Operation::RemoveLiquidity(removal));
            assert_eq!(to_string(&read).unwrap(), operation);
        }
        let null = json!({ "pool": "p", "liquidity": "1", "ticks": null, "minimum_out": [] });
        assert_eq!(read(&null).unwrap().withdrawal.ticks(), None);
    }

    #[test]
    fn fields_that_do_not_belong_together_are_told_which_do() {
        let forms = "`liquidity`, `asset_out` and `minimum_out` for one asset alone";
        for (fields, text) in [
            (json!({}), "missing field `liquidity`"),
            (json!({ "liquidity": "1" }), "missing field `minimum_out`"),
            (json!({ "minimum_out": ["1"] }), "missing field `liquidity`"),
            (
                json!({ "liquidity": "1", "asset_out": "USDC" }),
                "missing field `minimum_out`",
            ),
            (
                json!({ "amounts": ["1"] }),
                "missing field `maximum_liquidity`",
            ),
            (
                json!({ "maximum_liquidity": "1" }),
                "missing field `amounts`",
            ),
            (
                json!({ "amounts": ["1"], "maximum_liquidity": "1", "liquidity": "1" }),
                "`amounts` does not go with `liquidity`",
            ),
            (
                json!({ "liquidity": "1", "minimum_out": ["1"], "maximum_liquidity": "1" }),
                "`maximum_liquidity` does not go with `liquidity`",
            ),
            (
                json!({ "amounts": ["1"], "maximum_liquidity": "1", "minimum_out": ["1"] }),
                "`amounts` does not go with `minimum_out`",
            ),
            (
                json!({ "amounts": ["1"], "maximum_liquidity": "1", "ticks": [1, 2] }),
                "`amounts` does not go with `ticks`",
            ),
            (
                json!({ "amounts": ["1"], "maximum_liquidity": "1", "asset_out": "USDC" }),
                "`amounts` does not go with `asset_out`",
            ),
            (
                json!({ "liquidity": "1", "asset_out": "USDC", "minimum_out": ["1"], "ticks": [1, 2] }),
                "`asset_out` does not go with `ticks`",
            ),
        ] {
            let mut written = fields;
            written["pool"] = json!("p");
            let refused = read(&written).unwrap_err();
            assert!(refused.starts_with(text), "{written}: {refused}");
            assert!(refused.contains(forms), "{refused}");
        }
        for (field, value, text) in [
            ("minimum_out", json!(["1", "1"]), "has 2 amounts; beside"),
            ("minimum_out", json!([]), "has 0 amounts; beside"),
            ("surprise", json!(1), "unknown field `surprise`"),
            ("liquidity", json!("much"), "a decimal number or \"all\""),
            ("liquidity", json!(1.5), "quote the number"),
            ("asset_out", json!(""), "a name has 1 to 23"),
        ] {
            let mut written = json!({ "pool": "p", "liquidity": "1", "asset_out": "USDC",
                "minimum_out": ["1"] });
            written[field] = value;
            let refused = read(&written).unwrap_err();
            assert!(refused.contains(text), "{written}: {refused}");
        }
        let everything = json!({ "pool": "p", "amounts": ["1"], "maximum_liquidity": "all" });
        assert!(read(&everything).is_err(), "how much is to be said");
    }
}
