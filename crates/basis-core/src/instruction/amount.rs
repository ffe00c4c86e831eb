//! How an [`AmountOrAll`] is read and written.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::AmountOrAll;
use crate::num::Quantity;

/// Everything there is.
const ALL: &str = "all";

/// The key of an exact amount.
const EXACTLY: &str = "exactly";

impl From<Quantity> for AmountOrAll {
    fn from(amount: Quantity) -> Self {
        Self::Exactly(amount)
    }
}

impl fmt::Display for AmountOrAll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(amount) => fmt::Display::fmt(amount, f),
            Self::All => f.pad(ALL),
        }
    }
}

/// Writes an exact amount as a plain decimal.
#[expect(clippy::ref_option, reason = "the signature that serde calls")]
pub(super) fn plain<S: Serializer>(
    amount: &Option<AmountOrAll>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match amount {
        Some(AmountOrAll::Exactly(amount)) => amount.serialize(serializer),
        Some(AmountOrAll::All) => serializer.serialize_str(ALL),
        None => serializer.serialize_none(),
    }
}

/// Needs a self-describing format, as every decimal does.
impl<'de> Deserialize<'de> for AmountOrAll {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AmountVisitor)
    }
}

struct AmountVisitor;

impl<'de> Visitor<'de> for AmountVisitor {
    type Value = AmountOrAll;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a quoted decimal number such as "1.5", {"exactly":"1.5"} or "all""#)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<AmountOrAll, E> {
        if text == ALL {
            return Ok(AmountOrAll::All);
        }
        let amount = Quantity::deserialize(StrDeserializer::<E>::new(text));
        amount.map(AmountOrAll::Exactly).map_err(|e| {
            E::custom(format_args!(
                "{e}; an amount is a decimal number or \"{ALL}\""
            ))
        })
    }

    fn visit_u64<E: Error>(self, int: u64) -> Result<AmountOrAll, E> {
        self.visit_str(&int.to_string())
    }

    fn visit_i64<E: Error>(self, int: i64) -> Result<AmountOrAll, E> {
        self.visit_str(&int.to_string())
    }

    fn visit_f64<E: Error>(self, float: f64) -> Result<AmountOrAll, E> {
        Err(E::custom(format_args!(
            "floating point number {float}: quote the number, as in \"{float}\", to keep it exact"
        )))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AmountOrAll, A::Error> {
        let Some(key) = map.next_key::<String>()? else {
            return Err(A::Error::missing_field(EXACTLY));
        };
        if key != EXACTLY {
            return Err(A::Error::unknown_field(&key, &[EXACTLY]));
        }
        let amount = map.next_value()?;
        match map.next_key::<String>()? {
            None => Ok(AmountOrAll::Exactly(amount)),
            Some(key) if key == EXACTLY => Err(A::Error::duplicate_field(EXACTLY)),
            Some(key) => Err(A::Error::unknown_field(&key, &[EXACTLY])),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, from_value, json, to_value};

    use super::super::{Lending, RemoveLiquidity, Swap};
    use super::*;

    fn read(json: Json) -> Result<AmountOrAll, String> {
        from_value(json).map_err(|e| e.to_string())
    }

    #[test]
    fn three_forms_are_read() {
        let exactly = |text| Ok(AmountOrAll::Exactly(Quantity::literal(text)));
        assert_eq!(read(json!("1.5")), exactly("1.5"));
        assert_eq!(read(json!({ "exactly": "1.5" })), exactly("1.5"));
        assert_eq!(read(json!(2)), exactly("2"));
        assert_eq!(read(json!("all")), Ok(AmountOrAll::All));
    }

    #[test]
    fn anything_else_is_refused_with_what_is_expected() {
        for (given, text) in [
            (json!(1.5), "quote the number, as in \"1.5\""),
            (json!("everything"), "\"everything\": "),
            (json!("everything"), "a decimal number or \"all\""),
            (json!("ALL"), "\"ALL\": "),
            (json!(null), "or \"all\""),
            (json!({}), "missing field `exactly`"),
            (json!({ "exact": "1" }), "unknown field `exact`"),
            (
                json!({ "exactly": "1", "of": "WETH" }),
                "unknown field `of`",
            ),
            (json!({ "exactly": 1.5 }), "quote the number"),
        ] {
            let refused = read(given.clone()).unwrap_err();
            assert!(refused.contains(text), "{given}: {refused}");
        }
        let twice = r#"{"exactly":"1","exactly":"2"}"#;
        let refused = serde_json::from_str::<AmountOrAll>(twice).unwrap_err();
        assert!(refused.to_string().contains("duplicate field"), "{refused}");
    }

    #[test]
    fn records_are_written_as_ever() {
        let swap = json!({ "pool": "p", "asset_in": "WETH", "asset_out": "USDT", "amount_in": "1.5",
            "minimum_out": "0" });
        let lending = json!({ "asset": "WETH", "amount": { "exactly": "1.5" } });
        let removal = json!({ "pool": "p", "liquidity": "1.5", "ticks": [-60, 60],
            "minimum_out": ["0", "0"] });
        for (field, mut written) in [
            ("amount_in", swap),
            ("amount", lending),
            ("liquidity", removal),
        ] {
            let again = |json: &Json| match field {
                "amount_in" => to_value(from_value::<Swap>(json.clone()).unwrap()).unwrap(),
                "liquidity" => {
                    to_value(from_value::<RemoveLiquidity>(json.clone()).unwrap()).unwrap()
                }
                _ => to_value(from_value::<Lending>(json.clone()).unwrap()).unwrap(),
            };
            assert_eq!(again(&written), written);
            written[field] = json!("all");
            assert_eq!(again(&written), written);
        }
    }
}
