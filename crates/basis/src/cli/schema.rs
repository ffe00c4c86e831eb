//! The JSON Schema of instructions, restricted to what a venue takes.
//!
//! Written by hand next to the types of `basis_core::instruction`; a test holds the two together by
//! taking an example of every operation through both. A schema derived from the types would bring a crate and
//! its macros into `basis-core`, whose tree is a fixed list, and would still be told by hand what is not in
//! the types: which operations a venue takes, and the forms of numbers, names and amounts, which read
//! themselves.

use basis_core::instruction::OperationKind;
use serde_json::{Map, Value as Json, json};

/// The schema of an instruction that is one of `operations`.
pub(super) fn instructions(operations: &[OperationKind]) -> Json {
    let variants: Vec<_> = operations
        .iter()
        .map(|kind| {
            json!({
                "type": "object",
                "properties": { "id": { "$ref": "#/$defs/id" }, kind.as_str(): payload(*kind) },
                "required": [kind.as_str()],
                "additionalProperties": false,
            })
        })
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Instruction",
        "oneOf": variants,
        "$defs": {
            "id": {
                "description": "never reused within an account; 1 when absent",
                "type": "integer",
                "minimum": 0,
            },
            "decimal": {
                "description": "an exact decimal as text, at most 18 decimals",
                "type": "string",
                "pattern": "^-?[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]+)?$",
            },
            "name": {
                "type": "string",
                "pattern": "^[A-Za-z0-9_/:+-]{1,23}$",
            },
            "account": {
                "type": "object",
                "properties": {
                    "venue": { "$ref": "#/$defs/name" },
                    "name": { "$ref": "#/$defs/name" },
                },
                "required": ["venue", "name"],
            },
            "amount": {
                "description": "so many units, or all there is",
                "oneOf": [
                    { "const": "all" },
                    { "$ref": "#/$defs/decimal" },
                    {
                        "type": "object",
                        "properties": { "exactly": { "$ref": "#/$defs/decimal" } },
                        "required": ["exactly"],
                        "additionalProperties": false,
                    },
                ],
            },
            "ticks": {
                "description": "lower tick, upper tick",
                "type": ["array", "null"],
                "items": { "type": "integer" },
                "minItems": 2,
                "maxItems": 2,
            },
        },
    })
}

/// A field of a payload: name, schema, whether it must be there.
type Field = (&'static str, Json, bool);

fn reference(name: &str) -> Json {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn optional(name: &str) -> Json {
    json!({ "oneOf": [reference(name), { "type": "null" }] })
}

fn one_of(words: &[&str]) -> Json {
    json!({ "enum": words })
}

fn nullable(words: &[&str]) -> Json {
    json!({ "oneOf": [one_of(words), { "type": "null" }] })
}

fn decimals() -> Json {
    json!({ "type": "array", "items": reference("decimal") })
}

fn object(fields: &[Field]) -> Json {
    let required: Vec<_> = fields
        .iter()
        .filter(|(_, _, required)| *required)
        .map(|(name, ..)| *name)
        .collect();
    let properties: Map<String, Json> = fields
        .iter()
        .map(|(name, schema, _)| ((*name).to_owned(), schema.clone()))
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn payload(kind: OperationKind) -> Json {
    use OperationKind as Kind;
    let name = || reference("name");
    let decimal = || reference("decimal");
    let fields = match kind {
        Kind::SpotTrade => trade(false),
        Kind::PerpTrade => trade(true),
        Kind::CancelOrder => vec![("symbol", name(), true), ("order", reference("id"), true)],
        Kind::AmendOrder => vec![
            ("symbol", name(), true),
            ("order", reference("id"), true),
            ("quantity", optional("decimal"), false),
            ("limit_price", optional("decimal"), false),
        ],
        Kind::SetLeverage => leverage(),
        Kind::Swap => return swap(),
        Kind::AddLiquidity => vec![
            ("pool", name(), true),
            ("amounts", decimals(), true),
            ("ticks", reference("ticks"), false),
            ("minimum_liquidity", decimal(), true),
        ],
        Kind::RemoveLiquidity => return json!({ "oneOf": removals().map(|form| object(&form)) }),
        Kind::CollectFees => vec![("pool", name(), true), ("ticks", reference("ticks"), false)],
        Kind::Supply | Kind::Withdraw | Kind::Borrow | Kind::Repay => vec![
            ("asset", name(), true),
            ("amount", reference("amount"), true),
            ("market", optional("name"), false),
        ],
        Kind::SetEMode => {
            let category = json!({ "type": "integer", "minimum": 0, "maximum": 255 });
            vec![("category", category, true)]
        }
        Kind::Stake | Kind::Unstake | Kind::Wrap | Kind::Unwrap => vec![
            ("asset_in", name(), true),
            ("asset_out", name(), true),
            ("amount", reference("amount"), true),
        ],
        Kind::ClaimUnstake => vec![("request", reference("id"), false)],
        Kind::ClaimRewards => vec![("asset", optional("name"), false)],
        Kind::FlashLoan => vec![("asset", name(), true), ("amount", decimal(), true)],
        Kind::Transfer => vec![
            ("asset", name(), true),
            ("amount", decimal(), true),
            ("from", reference("account"), true),
            ("to", reference("account"), true),
        ],
        Kind::Atomic => {
            return json!({
                "description": "instructions, in order, all or none",
                "type": "array",
                "items": { "type": "object" },
            });
        }
    };
    object(&fields)
}

/// In proportion, in one asset, of exact amounts.
fn removals() -> [Vec<Field>; 3] {
    let pool = || ("pool", reference("name"), true);
    let liquidity = || ("liquidity", reference("amount"), true);
    let one =
        json!({ "type": "array", "items": reference("decimal"), "minItems": 1, "maxItems": 1 });
    [
        vec![
            pool(),
            liquidity(),
            ("ticks", reference("ticks"), false),
            ("minimum_out", decimals(), true),
        ],
        vec![
            pool(),
            liquidity(),
            ("asset_out", reference("name"), true),
            ("minimum_out", one, true),
        ],
        vec![
            pool(),
            ("amounts", decimals(), true),
            ("maximum_liquidity", reference("decimal"), true),
        ],
    ]
}

/// The two forms of a swap.
fn swap() -> Json {
    let form = |amounts: [(&'static str, &str); 2]| {
        let names = ["pool", "asset_in", "asset_out"].map(|field| (field, "name"));
        let fields = names.into_iter().chain(amounts);
        let fields: Vec<_> = fields
            .map(|(field, kind)| (field, reference(kind), true))
            .collect();
        object(&fields)
    };
    json!({
        "description": "gives exactly amount_in, or takes exactly amount_out where the venue's \
                        contracts can (Uniswap)",
        "oneOf": [
            form([("amount_in", "amount"), ("minimum_out", "decimal")]),
            form([("amount_out", "decimal"), ("maximum_in", "decimal")]),
        ],
    })
}

fn leverage() -> Vec<Field> {
    vec![
        ("symbol", reference("name"), true),
        ("leverage", reference("decimal"), true),
        ("margin_mode", nullable(&["cross", "isolated"]), false),
    ]
}

fn trade(perp: bool) -> Vec<Field> {
    let mut fields = vec![
        ("symbol", reference("name"), true),
        ("side", one_of(&["buy", "sell"]), true),
        ("quantity", reference("decimal"), true),
        ("order_type", one_of(&["market", "limit"]), true),
        ("limit_price", optional("decimal"), false),
        (
            "time_in_force",
            one_of(&["gtc", "ioc", "fok", "post_only"]),
            false,
        ),
    ];
    if perp {
        fields.push(("reduce_only", json!({ "type": "boolean" }), false));
        fields.push(("position_side", nullable(&["long", "short"]), false));
    }
    fields
}

#[cfg(test)]
mod tests {
    use basis_core::instruction::Instruction;

    use super::*;

    /// One payload of every operation with every field of its first form.
    fn examples() -> Vec<(OperationKind, Json)> {
        use OperationKind as Kind;
        let order = |perp: bool| {
            let mut order = json!({
                "symbol": "BTCUSDT", "side": "buy", "quantity": "0.01", "order_type": "limit",
                "limit_price": "60000", "time_in_force": "post_only",
            });
            if perp {
                order["reduce_only"] = json!(true);
                order["position_side"] = json!("long");
            }
            order
        };
        let lending = json!({ "asset": "USDT", "amount": { "exactly": "5" }, "market": "main" });
        let staking = json!({ "asset_in": "ETH", "asset_out": "weETH", "amount": "all" });
        let ticks = json!([-100, 100]);
        let account = |name: &str| json!({ "venue": "okx", "name": name });
        vec![
            (Kind::SpotTrade, order(false)),
            (Kind::PerpTrade, order(true)),
            (
                Kind::CancelOrder,
                json!({ "symbol": "BTCUSDT", "order": 3 }),
            ),
            (
                Kind::AmendOrder,
                json!({ "symbol": "BTCUSDT", "order": 3, "quantity": "1", "limit_price": "2" }),
            ),
            (
                Kind::SetLeverage,
                json!({ "symbol": "BTCUSDT", "leverage": "3", "margin_mode": "isolated" }),
            ),
            (
                Kind::Swap,
                json!({ "pool": "p", "asset_in": "WETH", "asset_out": "USDT", "amount_in": "1",
                        "minimum_out": "2000" }),
            ),
            (
                Kind::AddLiquidity,
                json!({ "pool": "p", "amounts": ["1", "2"], "ticks": ticks,
                        "minimum_liquidity": "1" }),
            ),
            (
                Kind::RemoveLiquidity,
                json!({ "pool": "p", "liquidity": "1", "ticks": ticks,
                        "minimum_out": ["1", "2"] }),
            ),
            (Kind::CollectFees, json!({ "pool": "p", "ticks": ticks })),
            (Kind::Supply, lending.clone()),
            (Kind::Withdraw, lending.clone()),
            (Kind::Borrow, lending.clone()),
            (Kind::Repay, lending),
            (Kind::SetEMode, json!({ "category": 1 })),
            (Kind::Stake, staking.clone()),
            (Kind::Unstake, staking.clone()),
            (Kind::ClaimUnstake, json!({ "request": 4 })),
            (Kind::Wrap, staking.clone()),
            (Kind::Unwrap, staking),
            (Kind::ClaimRewards, json!({ "asset": "EIGEN" })),
            (Kind::FlashLoan, json!({ "asset": "WETH", "amount": "10" })),
            (
                Kind::Transfer,
                json!({ "asset": "USDT", "amount": "5", "from": account("funding"),
                        "to": account("trading") }),
            ),
            (Kind::Atomic, json!([{ "id": 2, "claim_rewards": {} }])),
        ]
    }

    /// The same for every other form.
    fn further_forms() -> [(OperationKind, Json); 3] {
        let exact = json!({
            "pool": "p", "asset_in": "WETH", "asset_out": "USDT", "amount_out": "2000",
            "maximum_in": "1",
        });
        let one =
            json!({ "pool": "p", "liquidity": "all", "asset_out": "USDC", "minimum_out": ["1"] });
        let exactly = json!({ "pool": "p", "amounts": ["1", "2"], "maximum_liquidity": "3" });
        [
            (OperationKind::Swap, exact),
            (OperationKind::RemoveLiquidity, one),
            (OperationKind::RemoveLiquidity, exactly),
        ]
    }

    fn parse(kind: OperationKind, payload: &Json) -> Result<Instruction, serde_json::Error> {
        serde_json::from_value(json!({ "id": 1, kind.as_str(): payload }))
    }

    #[test]
    fn every_operation_reads_and_writes_in_the_documented_form() {
        let examples = examples();
        let kinds: Vec<_> = examples.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, OperationKind::ALL);
        for (kind, payload) in examples.into_iter().chain(further_forms()) {
            let instruction = parse(kind, &payload).unwrap();
            assert_eq!(instruction.operation.kind(), kind);
            let written = serde_json::to_value(&instruction).unwrap();
            let again: Instruction = serde_json::from_value(written).unwrap();
            assert_eq!(again, instruction, "{kind}");
        }
    }

    #[test]
    fn the_schema_knows_exactly_the_fields_of_the_types() {
        for (kind, example) in examples().into_iter().chain(further_forms()) {
            let Some(fields) = example.as_object() else {
                continue;
            };
            let schema = payload(kind);
            let forms = schema["oneOf"]
                .as_array()
                .map_or_else(|| std::slice::from_ref(&schema), Vec::as_slice);
            let of_form = |form: &&Json| {
                let properties = form["properties"].as_object().unwrap();
                properties.keys().eq(fields.keys())
            };
            assert_eq!(
                forms.iter().filter(of_form).count(),
                1,
                "{kind}: {fields:?}"
            );
            for field in fields.keys() {
                let mut without = example.clone();
                without.as_object_mut().unwrap().remove(field);
                let takes = |form: &Json| {
                    let known = form["properties"].as_object().unwrap();
                    let rest = without.as_object().unwrap();
                    let mut required = form["required"].as_array().unwrap().iter();
                    rest.keys().all(|field| known.contains_key(field))
                        && required.all(|field| rest.contains_key(field.as_str().unwrap()))
                };
                let taken = parse(kind, &without).is_ok();
                assert_eq!(taken, forms.iter().any(takes), "{kind} without {field}");
            }
            let mut with_more = example.clone();
            with_more["surprise"] = json!(1);
            assert!(parse(kind, &with_more).is_err(), "{kind}");
        }
    }

    #[test]
    fn a_venue_is_offered_only_what_it_takes() {
        let schema = instructions(&[OperationKind::Transfer]);
        assert_eq!(schema["oneOf"].as_array().unwrap().len(), 1);
        assert!(schema["oneOf"][0]["properties"]["transfer"].is_object());
    }
}
