//! The shared samples of the venue's replies, and a comparison of a reply's form with one.

use std::path::Path;

use serde_json::Value;

/// Fields of conditional orders, coin-margined contracts and self-trade records, which are not here.
const ABSENT: &[&str] = &[
    "activatePrice",
    "priceRate",
    "pair",
    "baseQty",
    "cumBase",
    "code",
    "msg",
    "AP",
    "cr",
    "v",
    "rateType",
];

/// A file of the shared vectors; `None`, loudly, where it is not there.
pub(crate) fn file(name: &str) -> Option<Value> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Beside the checkout, or beside the folder of worktrees.
    let places = ["../../../shared", "../../../../shared"];
    let mut paths = places
        .iter()
        .map(|place| here.join(place).join("vectors/cex").join(name));
    let text = paths.find_map(|path| std::fs::read_to_string(path).ok());
    if text.is_none() {
        eprintln!("SKIPPED: the shared file {name} is not there");
    }
    Some(serde_json::from_str(&text?).unwrap())
}

/// A sample by file and name.
pub(crate) fn sample(file_name: &str, name: &str) -> Option<Value> {
    let items = &file(&format!("responses/{file_name}.json"))?["items"];
    let item = &items[name];
    assert!(!item.is_null(), "{file_name} has no {name}");
    Some(item.clone())
}

/// What of a reply is not of the sample's form: fields that only one of them has, and other kinds of values.
pub(crate) fn differences(reply: &Value, sample: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", reply, sample, &mut found);
    found
}

fn compare(path: &str, reply: &Value, sample: &Value, found: &mut Vec<String>) {
    match (reply, sample) {
        (Value::Object(reply), Value::Object(sample)) => {
            for (name, value) in reply {
                match sample.get(name) {
                    Some(of_sample) => compare(&format!("{path}.{name}"), value, of_sample, found),
                    None => found.push(format!("{path}.{name} is not in the sample")),
                }
            }
            for name in sample.keys() {
                if !reply.contains_key(name) && !ABSENT.contains(&name.as_str()) {
                    found.push(format!("{path}.{name} is missing"));
                }
            }
        }
        (Value::Array(reply), Value::Array(sample)) => {
            if let (Some(reply), Some(sample)) = (reply.first(), sample.first()) {
                compare(&format!("{path}[0]"), reply, sample, found);
            }
        }
        // `commissionAsset` of a frame without a fee, and the like.
        (Value::Null, _) | (_, Value::Null) => {}
        _ if kind(reply) == kind(sample) => {}
        _ => found.push(format!("{path}: {reply} where the sample has {sample}")),
    }
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}
