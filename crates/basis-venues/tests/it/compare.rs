//! Every recorded request of official SDKs and CCXT beside ours: the same method, path and parameters, or a
//! reason why not.

use std::collections::BTreeMap;

use basis_core::transport::Request;
use basis_venues::wire::{JsonDraft, Payload, Scalar};
use serde_json::{Value, json};

use crate::vectors::file;

/// What ours is compared with.
pub(crate) enum Ours {
    /// The same request.
    Same(Vec<JsonDraft>),
    /// The same but for these parameters, which differ for the reason.
    But(&'static [&'static str], &'static str, Vec<JsonDraft>),
    /// Not an operation of ours, for the reason.
    Not(&'static str),
}

/// Method, host, path and parameters.
type Comparable = (String, String, String, BTreeMap<String, Value>);

/// How the requests of a venue are compared.
pub(crate) struct Comparison<'a> {
    /// The file of recorded requests.
    pub(crate) file: &'a str,
    /// Makes the exact request of a draft for a case.
    pub(crate) finish: &'a dyn Fn(&JsonDraft, &str) -> Request,
    /// What requests to a path have of their own.
    pub(crate) own: &'a [(&'a str, &'a str)],
    /// What names an order, and is another id in each client.
    pub(crate) id: &'a str,
    /// Hosts that stand for one another.
    pub(crate) hosts: &'a [(&'a str, &'a str)],
    /// Paths that stand for one another.
    pub(crate) paths: &'a [(&'a str, &'a str)],
}

impl Comparison<'_> {
    fn ours(&self, draft: &JsonDraft, case: &str, differing: &[&str]) -> Comparable {
        let request = (self.finish)(draft, case);
        let place = request.url.split('?').next().unwrap();
        let host = place.strip_suffix(draft.path).unwrap().to_owned();
        let params: BTreeMap<_, _> = match &draft.payload {
            Payload::Query(params) => params
                .pairs()
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str())))
                .collect(),
            Payload::Body(fields) => fields
                .pairs()
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Value::from(as_text(value))))
                .collect(),
        };
        self.sent_as_it_is(draft, &request, &params);
        let params = self.normalised(draft.path, params, differing);
        (
            request.method.to_owned(),
            renamed(self.hosts, host),
            draft.path.to_owned(),
            params,
        )
    }

    /// What is compared is what is sent: the bytes of query or body say the same.
    fn sent_as_it_is(
        &self,
        draft: &JsonDraft,
        request: &Request,
        params: &BTreeMap<String, Value>,
    ) {
        match &draft.payload {
            Payload::Query(params) => {
                assert!(request.body.is_empty());
                let query = request.url.split_once('?').map_or("", |(_, query)| query);
                assert_eq!(query, params.encode());
            }
            Payload::Body(_) => {
                let body: BTreeMap<String, Value> = serde_json::from_slice(&request.body).unwrap();
                assert_eq!(body.len(), params.len());
                for (name, value) in body {
                    let text = value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned);
                    assert_eq!(Value::from(text), params[&name], "{name}");
                }
            }
        }
    }

    fn theirs(&self, request: &Value, differing: &[&str]) -> Comparable {
        let text = |key: &str| request[key].as_str().unwrap().to_owned();
        let params = request["params_normalised"].as_object().unwrap().clone();
        let path = renamed(self.paths, text("path"));
        let params = self.normalised(&path, params.into_iter().collect(), differing);
        let host = renamed(self.hosts, text("base"));
        (text("method"), host, path, params)
    }

    fn normalised(
        &self,
        path: &str,
        mut params: BTreeMap<String, Value>,
        differing: &[&str],
    ) -> BTreeMap<String, Value> {
        params.retain(|name, _| {
            !self.own.contains(&(path, name.as_str())) && !differing.contains(&name.as_str())
        });
        if let Some(id) = params.get_mut(self.id) {
            *id = json!("an id");
        }
        params
    }

    /// Compares every case; returns how many are the same, the same with a difference, and not ours.
    pub(crate) fn run(&self, ours: impl Fn(&str) -> Ours) -> Option<(usize, usize, usize)> {
        let recorded: Value = serde_json::from_str(&file(self.file)?).unwrap();
        let (mut same, mut but, mut not) = (0, 0, 0);
        for case in recorded["cases"].as_array().unwrap() {
            let name = case["id"].as_str().unwrap();
            let (differing, drafts): (&[&str], _) = match ours(name) {
                Ours::Same(drafts) => {
                    same += 1;
                    (&[], drafts)
                }
                Ours::But(differing, reason, drafts) => {
                    assert!(!reason.is_empty() && !differing.is_empty());
                    but += 1;
                    (differing, drafts)
                }
                Ours::Not(reason) => {
                    assert!(!reason.is_empty());
                    not += 1;
                    continue;
                }
            };
            let ours = drafts.iter().map(|draft| self.ours(draft, name, differing));
            let ours: Vec<_> = ours.collect();
            let variants = case["variants"].as_array().unwrap();
            let expected = variants
                .iter()
                .filter(|variant| variant["do_not_expect"].is_null());
            let (mut matching, mut all) = (0, 0);
            for variant in expected {
                let requests = variant["requests"].as_array().unwrap().iter();
                let theirs: Vec<_> = requests.map(|r| self.theirs(r, differing)).collect();
                all += 1;
                if ours == theirs {
                    matching += 1;
                } else {
                    // Where the clients disagree, the venue's documentation decides.
                    assert_eq!(case["agree"], json!(false), "{name}: {ours:#?} {theirs:#?}");
                }
            }
            assert!(matching > 0 && all > 0, "{name}: {ours:#?}");
        }
        Some((same, but, not))
    }
}

/// What stands for `name`.
fn renamed(table: &[(&str, &str)], name: String) -> String {
    let known = table.iter().find(|(from, _)| *from == name);
    known.map_or(name, |(_, to)| (*to).to_owned())
}

fn as_text(value: &Scalar) -> String {
    match value {
        Scalar::Text(text) => text.clone(),
        Scalar::Number(number) => number.to_string(),
        Scalar::Flag(flag) => flag.to_string(),
        Scalar::Stamp => "1700000000000".to_owned(),
    }
}

/// An operation `kind` of BTCUSDT.
pub(crate) fn trade(kind: &str, side: &str, quantity: &str, more: Value) -> Value {
    let mut fields = json!({"symbol": "BTCUSDT", "side": side, "quantity": quantity});
    fields
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!({ kind: fields })
}

/// The terms of a limit order.
pub(crate) fn limit(price: &str, more: Value) -> Value {
    let mut fields = json!({"order_type": "limit", "limit_price": price});
    fields
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    fields
}
