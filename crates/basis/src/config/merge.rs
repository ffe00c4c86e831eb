//! Rules of the user's laid over those built in, instrument by instrument.
//!
//! An instrument that the user's file lists is the user's alone, on every day: before its first snapshot
//! there, that one holds. What the file does not list stays as it is built in: other instruments, and
//! whichever of accounts, fees, transfers and assets its snapshots leave out. Rows of `assets` and of
//! `transfers.withdrawals` are merged by their asset.

use basis_core::config::{Entry, Node, NodeValue};

/// The snapshots of `own` over those of `builtin`, both trees of one venue.
pub(super) fn over(builtin: &Node, own: &Node) -> Node {
    let (Some(below), Some(above)) = (snapshots(builtin), snapshots(own)) else {
        // Nothing to merge: what is wrong with it is told where it is read.
        return own.clone();
    };
    let mut days: Vec<&str> = below.iter().chain(above).filter_map(day).collect();
    days.sort_unstable();
    days.dedup();
    let listed: Vec<_> = above
        .iter()
        .flat_map(instruments)
        .filter_map(name)
        .collect();
    let merged = days.iter().filter_map(|day| {
        let (below, above) = (in_force(below, day)?, in_force(above, day)?);
        Some(merged(below, above, day, &listed))
    });
    let merged = NodeValue::List(merged.collect());
    let mut tree = own.clone();
    if let NodeValue::Map(entries) = &mut tree.value
        && let Some(entry) = entries.iter_mut().find(|entry| entry.key == "snapshots")
    {
        entry.node.value = merged;
    }
    tree
}

fn snapshots(tree: &Node) -> Option<&[Node]> {
    let list = list(tree.get("snapshots")?)?;
    let dated = list.iter().all(|snapshot| day(snapshot).is_some());
    (dated && !list.is_empty()).then_some(list)
}

fn list(node: &Node) -> Option<&[Node]> {
    match &node.value {
        NodeValue::List(items) => Some(items),
        _ => None,
    }
}

fn text<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    match &node.get(key)?.value {
        NodeValue::Text(text) => Some(text),
        _ => None,
    }
}

fn day(snapshot: &Node) -> Option<&str> {
    text(snapshot, "effective_from")
}

fn instruments(snapshot: &Node) -> &[Node] {
    snapshot
        .get("instruments")
        .and_then(list)
        .unwrap_or_default()
}

fn name(instrument: &Node) -> Option<(&str, &str)> {
    Some((text(instrument, "kind")?, text(instrument, "symbol")?))
}

/// The newest snapshot that is not after `day`; before the first, the first.
fn in_force<'a>(snapshots: &'a [Node], day: &str) -> Option<&'a Node> {
    let past = snapshots
        .iter()
        .filter(|snapshot| self::day(snapshot) <= Some(day));
    past.max_by_key(|snapshot| self::day(snapshot))
        .or_else(|| snapshots.iter().min_by_key(|snapshot| self::day(snapshot)))
}

fn merged(below: &Node, above: &Node, day: &str, listed: &[(&str, &str)]) -> Node {
    let mut out = above.clone();
    let place = out.location.clone();
    out.set_path("effective_from", Node::text(day, place));
    let NodeValue::Map(entries) = &mut out.value else {
        return out;
    };
    let others = instruments(below).iter();
    let others = others.filter(|row| name(row).is_none_or(|name| !listed.contains(&name)));
    append(
        entries,
        "instruments",
        others.cloned().collect(),
        &below.location,
    );
    for entry in below.entries() {
        match entries.iter_mut().find(|own| own.key == entry.key) {
            None => entries.push(entry.clone()),
            Some(own) if entry.key == "assets" => add_rows(&mut own.node, &entry.node),
            Some(own) if entry.key == "transfers" => {
                if let (NodeValue::Map(own), Some(rows)) =
                    (&mut own.node.value, entry.node.get("withdrawals"))
                    && let Some(own) = own.iter_mut().find(|own| own.key == "withdrawals")
                {
                    add_rows(&mut own.node, rows);
                }
            }
            Some(_) => {}
        }
    }
    out
}

/// Appends rows to the list under `key`, which is made where it is not there.
fn append(
    entries: &mut Vec<Entry>,
    key: &str,
    rows: Vec<Node>,
    place: &basis_core::config::Location,
) {
    if rows.is_empty() {
        return;
    }
    match entries.iter_mut().find(|entry| entry.key == key) {
        Some(entry) => {
            if let NodeValue::List(own) = &mut entry.node.value {
                own.extend(rows);
            }
        }
        None => entries.push(Entry {
            key: key.to_owned(),
            location: place.clone(),
            node: Node {
                value: NodeValue::List(rows),
                location: place.clone(),
            },
        }),
    }
}

/// The rows of `below` whose asset `own` has no row of.
fn add_rows(own: &mut Node, below: &Node) {
    let NodeValue::List(rows) = &mut own.value else {
        return;
    };
    for row in list(below).unwrap_or_default() {
        let asset = text(row, "asset");
        if !rows.iter().any(|own| text(own, "asset") == asset) {
            rows.push(row.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml;

    fn merge(own: &str) -> String {
        let builtin = "venue: x\nsnapshots:\n\
             - {effective_from: 2024-01-01, accounts: {deposit: a}, fees: {source: b}, instruments: \
             [{kind: spot, symbol: A, lot: 1}, {kind: perp, symbol: A, lot: 2}], assets: [{asset: A, decimals: 8}]}\n\
             - {effective_from: 2025-01-01, accounts: {deposit: c}, fees: {source: d}, instruments: \
             [{kind: spot, symbol: A, lot: 3}, {kind: perp, symbol: A, lot: 4}]}\n";
        let read = |text| yaml::parse(text, "r.yaml").unwrap();
        let merged = over(&read(builtin), &read(own));
        let rows = snapshots(&merged).unwrap().iter().map(|snapshot| {
            let rows = instruments(snapshot).iter().map(|row| {
                let (kind, symbol) = name(row).unwrap();
                format!("{kind} {symbol} {}", text(row, "lot").unwrap())
            });
            let rows: Vec<_> = rows.collect();
            let deposit = text(snapshot.get("accounts").unwrap(), "deposit").unwrap();
            let assets = snapshot
                .get("assets")
                .and_then(list)
                .unwrap_or_default()
                .len();
            format!(
                "{} {deposit} {assets}: {}",
                day(snapshot).unwrap(),
                rows.join(", ")
            )
        });
        rows.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn an_instrument_of_the_users_stands_beside_those_built_in() {
        let own = "venue: x\nsnapshots:\n- {effective_from: 2024-06-01, instruments: \
                   [{kind: perp, symbol: B, lot: 9}], assets: [{asset: B, decimals: 2}]}\n";
        assert_eq!(
            merge(own),
            "2024-01-01 a 2: perp B 9, spot A 1, perp A 2\n\
             2024-06-01 a 2: perp B 9, spot A 1, perp A 2\n\
             2025-01-01 c 1: perp B 9, spot A 3, perp A 4"
        );
    }

    #[test]
    fn an_instrument_of_both_is_the_users_on_every_day() {
        let own = "venue: x\nsnapshots:\n- {effective_from: 2024-06-01, accounts: {deposit: z}, \
                   instruments: [{kind: perp, symbol: A, lot: 9}]}\n";
        assert_eq!(
            merge(own),
            "2024-01-01 z 1: perp A 9, spot A 1\n\
             2024-06-01 z 1: perp A 9, spot A 1\n\
             2025-01-01 z 0: perp A 9, spot A 3"
        );
    }

    #[test]
    fn rules_without_a_dated_snapshot_are_left_to_the_reader() {
        let own = yaml::parse("venue: x\nsnapshots: [{}]\n", "r.yaml").unwrap();
        let builtin = yaml::parse(
            "venue: x\nsnapshots: [{effective_from: 2024-01-01}]\n",
            "b.yaml",
        );
        assert_eq!(
            yaml::to_yaml(&over(&builtin.unwrap(), &own)),
            yaml::to_yaml(&own)
        );
    }
}
