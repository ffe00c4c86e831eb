//! Keys that the sections `venue_settings.<venue>` of several simulated venues share.

use basis_core::config::{NodeValue, Reader};
use basis_core::error::{Code, ComponentError};
use basis_core::num::Quantity;
use basis_core::types::{Asset, Label, Venue};
use basis_core::venue::{Dependencies, VenueType};

/// Assets an account holds from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitialBalance {
    /// The venue's name for the account.
    pub account: Label,
    /// The asset.
    pub asset: Asset,
    /// Units, >= 0.
    pub quantity: Quantity,
}

/// Which transfer fails, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferFailure {
    /// Which one.
    pub transfer: FailingTransfer,
    /// How.
    pub stage: FailureStage,
}

/// A transfer out of an account of the venue, by instruction or by count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailingTransfer {
    /// That of the instruction with this number among those of its start.
    Instruction(u32),
    /// The nth that the venue's rules allow, from 1.
    Nth(u64),
}

/// How far a failing transfer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureStage {
    /// The venue refuses it; nothing moves.
    Rejected,
    /// It leaves, and comes back to its sender after the delay, the fee with it.
    Returned,
}

/// The keys every venue's section may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommonSettings {
    /// Whether the venue's test network is meant; live only.
    pub testnet: bool,
    /// The network named in the section.
    pub network: Option<String>,
    /// Requests or orders per span of time, by key; live only.
    pub rate_limits: Vec<(&'static str, i64)>,
}

/// Reads venue type, dependencies, network and limits.
pub fn read_common(reader: &Reader<'_>, venue_type: VenueType) -> CommonSettings {
    if let Some(written) = reader.text("venue_type")
        && !written.eq_ignore_ascii_case(venue_type.as_str())
    {
        let expected = venue_type.as_str();
        reader.problem(
            "venue_type",
            format!("`{written}` does not fit this venue; it is {expected}"),
        );
    }
    for node in reader.list("dependencies") {
        if !matches!(node.value, NodeValue::Text(_)) {
            reader.problem("dependencies", "expected a list of names");
        }
    }
    let strategies = ["slow", "standard", "fast"];
    if let Some(written) = reader.text("gas_strategy")
        && !strategies.contains(&written)
    {
        let known = strategies.join(", ");
        reader.problem("gas_strategy", format!("`{written}` is none of {known}"));
    }
    let mut rate_limits = Vec::new();
    if let Some(limits) = reader.section("rate_limits") {
        for key in [
            "requests_per_minute",
            "requests_per_second",
            "orders_per_second",
            "orders_per_day",
        ] {
            let limit = limits.within(key, 1..=10_000_000);
            rate_limits.extend(limit.map(|limit| (key, limit)));
        }
        limits.finish();
    }
    CommonSettings {
        testnet: reader.boolean("testnet", false),
        network: reader.text("network").map(str::to_owned),
        rate_limits,
    }
}

/// Reads `transfer_failures`: a list of `{nth or instruction, stage}`.
pub fn read_transfer_failures(reader: &Reader<'_>) -> Vec<TransferFailure> {
    let mut failures = Vec::new();
    for (node, at) in reader.list("transfer_failures").iter().zip(0..) {
        let path = reader.path_of(&format!("transfer_failures[{at}]"));
        let row = Reader::new(node, path, reader.problems());
        let number = |key: &str| row.within(key, 1..=i64::MAX);
        let number = |key: &str| number(key).and_then(|n| u64::try_from(n).ok());
        let transfer = match (number("nth"), number("instruction")) {
            (Some(nth), None) => Some(FailingTransfer::Nth(nth)),
            (None, Some(id)) => u32::try_from(id).ok().map(FailingTransfer::Instruction),
            _ => {
                row.problem("nth", "give either nth or instruction, a number from 1");
                None
            }
        };
        let stages = [
            ("rejected", FailureStage::Rejected),
            ("returned", FailureStage::Returned),
        ];
        let stage = row.choice("stage", &stages, FailureStage::Rejected);
        row.finish();
        failures.extend(transfer.map(|transfer| TransferFailure { transfer, stage }));
    }
    failures
}

/// Reads `initial_balances`: account → asset → quantity.
pub fn read_balances(reader: &Reader<'_>) -> Vec<InitialBalance> {
    let mut balances = Vec::new();
    for entry in reader.map("initial_balances") {
        let path = format!("initial_balances.{}", entry.key);
        let Ok(account) = Label::new(&entry.key) else {
            reader.problem(
                "initial_balances",
                format!("`{}` is no account name", entry.key),
            );
            continue;
        };
        let assets = Reader::new(&entry.node, reader.path_of(&path), reader.problems());
        for held in entry.node.entries() {
            let asset = Asset::new(&held.key)
                .map_err(|e| assets.problem(&held.key, e.to_string()))
                .ok();
            let quantity = assets.required::<Quantity>(&held.key);
            let (Some(asset), Some(quantity)) = (asset, quantity) else {
                continue;
            };
            if quantity.is_negative() {
                assets.problem(&held.key, format!("{quantity} is below zero"));
                continue;
            }
            balances.push(InitialBalance {
                account,
                asset,
                quantity,
            });
        }
        assets.finish();
    }
    balances
}

/// Reads a map from assets to values.
pub fn by_asset<T>(
    reader: &Reader<'_>,
    key: &str,
    read: impl Fn(&Reader<'_>, &str) -> Option<T>,
) -> Vec<(Asset, T)> {
    let mut rows = Vec::new();
    let Some(section) = reader.section(key) else {
        return rows;
    };
    for entry in reader.map(key) {
        match Asset::new(&entry.key) {
            Ok(asset) => rows.extend(read(&section, &entry.key).map(|value| (asset, value))),
            Err(e) => section.problem(&entry.key, e.to_string()),
        }
    }
    section.finish();
    rows
}

/// Refuses rules that are missing and initial balances in accounts that they do not name; without a
/// data provider nothing is known yet.
///
/// # Errors
/// [`ComponentError`] naming the venue and what is missing.
pub(crate) fn check_balances(
    venue: Venue,
    dependencies: &Dependencies,
    balances: &[InitialBalance],
) -> Result<(), ComponentError> {
    let Some(data) = dependencies.data_provider.as_ref() else {
        return Ok(());
    };
    let Some(rules) = data.rules(venue) else {
        return Err(ComponentError::new(
            Code::CreationFailed,
            format!(
                "{venue} has no rules: add configs/venues/{venue}.yaml or name a file of rules"
            ),
        )
        .with_reason("rules_missing"));
    };
    for balance in balances {
        let known = rules.snapshots().iter().any(|snapshot| {
            let accounts = snapshot.accounts;
            [accounts.deposit, accounts.spot, accounts.perp]
                .iter()
                .any(|account| account.name == balance.account)
        });
        if !known {
            return Err(ComponentError::new(
                Code::ConfigInvalid,
                format!(
                    "venue_settings.{venue}.initial_balances.{}: {venue} has no such account; its \
                     rules name {}",
                    balance.account,
                    rules
                        .snapshots()
                        .first()
                        .map_or_else(String::new, |s| format!(
                            "{}, {} and {}",
                            s.accounts.deposit.name, s.accounts.spot.name, s.accounts.perp.name
                        ))
                ),
            ));
        }
    }
    Ok(())
}
