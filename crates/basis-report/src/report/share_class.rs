//! The attribution in a share class that is not a dollar, with the numeraire apart.

use serde_json::Value as Json;

use crate::page::html::{self, Form, escape, table, text};

/// The buckets in the share class; nothing where that is a dollar.
pub(super) fn attribution(summary: &Json) -> String {
    let Some(buckets) = summary["attribution_share_class"].as_object() else {
        return String::new();
    };
    let class = text(&summary["share_class"]);
    let rows: Vec<_> = buckets
        .iter()
        .filter(|(name, raw)| *name == "residual" || text(raw) != "0")
        .map(|(name, raw)| {
            let key = format!("attribution_share_class.{}", escape(name));
            let form = if name == "residual" {
                Form::Plain
            } else {
                Form::Money
            };
            vec![
                escape(&name.replace('_', " ")),
                html::value(&key, raw, form),
            ]
        })
        .collect();
    let title = format!(
        "The same in {class}: each bucket at the price of its step; numeraire is what the moves of that \
         price did to the equity"
    );
    table(&title, &["bucket", &class], &rows, true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_class_that_is_no_dollar_has_a_numeraire() {
        let dollars = json!({ "share_class": "USDT", "attribution_share_class": null });
        assert_eq!(attribution(&dollars), "");
        let ether = json!({
            "share_class": "ETH",
            "attribution_share_class": { "numeraire": "84.5", "fees": "0", "residual": "0" },
        });
        let html = attribution(&ether);
        assert!(html.contains("attribution_share_class.numeraire") && html.contains("84.5"));
        assert!(html.contains("residual") && !html.contains("fees"));
    }
}
