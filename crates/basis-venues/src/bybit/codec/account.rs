//! Leverage, margin mode, position mode, transfers and withdrawals: what changes an account.

use basis_core::error::{Rejection, VenueErrorKind};
use basis_core::instruction::{MarginMode, SetLeverage, Transfer};
use basis_core::num::Fixed18;
use basis_core::rules::{InstrumentRules, RuleSnapshot};
use basis_core::types::{Account, Asset, BookId, ClientOrderId, InstructionId, InstrumentKind};

use super::endpoint::Category;
use crate::wire::order::{Refusal, invalid, listed};
use crate::wire::plan::{WithdrawalFee, parties, withdrawn};
use crate::wire::{Fields, JsonDraft, Scalar, WithdrawalTarget};

/// Returns the requests of a leverage change: the margin mode of the whole account first, where it changes too.
pub(super) fn set_leverage(
    change: &SetLeverage,
    rules: &RuleSnapshot,
) -> Result<Vec<JsonDraft>, Refusal> {
    let rules = listed(rules, InstrumentKind::Perp, change.symbol)?;
    let bound = rules
        .perp
        .as_ref()
        .map_or(Fixed18::ONE, |perp| perp.max_leverage);
    let (leverage, step) = (change.leverage, Fixed18::literal("0.01"));
    if !leverage.is_multiple_of(step) || leverage < Fixed18::ONE || leverage > bound {
        return Err(VenueErrorKind::Rejected {
            reason: Rejection::Filter {
                instrument: rules.key,
                what: "leverage".into(),
                value: leverage.to_string(),
                bound: format!("leverageFilter: a multiple of {step} from 1 to {bound}"),
            },
            venue_code: None,
        });
    }
    let mut drafts: Vec<_> = change
        .margin_mode
        .map(set_margin_mode)
        .into_iter()
        .collect();
    let fields = perp(rules)
        .with("buyLeverage", leverage.to_string())
        .with("sellLeverage", leverage.to_string());
    drafts.push(JsonDraft::act("/v5/position/set-leverage", fields));
    Ok(drafts)
}

fn perp(rules: &InstrumentRules) -> Fields {
    Fields::default()
        .with("category", Category::Linear.as_str())
        .with("symbol", rules.venue_symbol.as_str())
}

/// Returns the request that chooses on which collateral positions stand, for the whole account.
#[must_use]
pub fn set_margin_mode(mode: MarginMode) -> JsonDraft {
    let mode = match mode {
        MarginMode::Cross => "REGULAR_MARGIN",
        MarginMode::Isolated => "ISOLATED_MARGIN",
    };
    let fields = Fields::default().with("setMarginMode", mode);
    JsonDraft::act("/v5/account/set-margin-mode", fields)
}

/// Returns the request that chooses hedge mode (a long and a short position) or one-way mode for one
/// perpetual. Perpetuals that settle in USDC have one-way mode alone.
#[must_use]
pub fn set_position_mode(rules: &InstrumentRules, hedge: bool) -> JsonDraft {
    let fields = perp(rules).with("mode", mode(hedge));
    JsonDraft::act("/v5/position/switch-mode", fields)
}

/// The same for all perpetuals that settle in `settle`; those with positions or orders are skipped by the
/// venue, without a word.
#[must_use]
pub fn set_account_position_mode(settle: Asset, hedge: bool) -> JsonDraft {
    let fields = Fields::default()
        .with("category", Category::Linear.as_str())
        .with("coin", settle.as_str())
        .with("mode", mode(hedge));
    JsonDraft::act("/v5/position/switch-mode", fields)
}

const fn mode(hedge: bool) -> Scalar {
    Scalar::Number(if hedge { 3 } else { 0 })
}

/// Returns the request that has the venue cancel all orders of a category, whoever placed them, once our
/// private stream has been gone for `seconds`. It needs the topic `dcp`, and an institutional account.
///
/// # Errors
/// Refuses less than 3 and more than 300 seconds.
pub fn cancel_on_disconnect(category: Category, seconds: u32) -> Result<JsonDraft, VenueErrorKind> {
    if !(3..=300).contains(&seconds) {
        let text = format!("timeWindow {seconds} is not from 3 to 300 seconds");
        return Err(invalid(text));
    }
    let product = match category {
        Category::Spot => "SPOT",
        Category::Linear => "DERIVATIVES",
    };
    let fields = Fields::default()
        .with("product", product)
        .with("timeWindow", Scalar::Number(i64::from(seconds)));
    Ok(JsonDraft::act("/v5/order/disconnected-cancel-all", fields))
}

/// Returns the venue's name of an account of ours.
fn wallet(account: Account) -> Result<&'static str, Refusal> {
    match account.name.as_str() {
        "unified" => Ok("UNIFIED"),
        "funding" => Ok("FUND"),
        other => Err(invalid(format!(
            "`{other}` is no account of Bybit; they are unified and funding"
        ))),
    }
}

/// Returns the id under which a transfer is asked for, and found again: a UUID of the same instruction always,
/// and of no other.
///
/// 122 bits are free in a UUID: 32 of the counter, 32 of the epoch's start, 16 of the epoch's random part and
/// 42 of the book.
#[must_use]
pub fn transfer_id(book: BookId, instruction: InstructionId) -> String {
    let book = u64::from_str_radix(book.as_str(), 36).unwrap_or_default();
    let epoch = instruction.epoch();
    let (seconds, random) = (epoch.seconds(), epoch.random() & 0xffff);
    let (high, low) = (book >> 30 & 0xfff, book & 0x3fff_ffff);
    // Version 4 and variant 1, as the venue's own clients make them: 1000 and two bits of the book's.
    let (first, second) = (low >> 16, low & 0xffff);
    format!(
        "{seconds:08x}-{random:04x}-4{high:03x}-{:04x}-{second:04x}{:08x}",
        0x8000 | first,
        instruction.counter(),
    )
}

/// Returns the request of a transfer: between the two accounts of the venue, or a withdrawal.
///
/// The fee of a withdrawal is charged on top, so that what the instruction says arrives.
pub(super) fn transfer(
    transfer: &Transfer,
    (book, instruction): (BookId, InstructionId),
    rules: &RuleSnapshot,
    target: Option<&WithdrawalTarget>,
) -> Result<JsonDraft, Refusal> {
    let (payer, receiver) = parties(transfer, wallet)?;
    if let Some(receiver) = receiver {
        let fields = Fields::default()
            .with("transferId", transfer_id(book, instruction))
            .with("coin", transfer.asset.as_str())
            .with("amount", transfer.amount.to_string())
            .with("fromAccountType", payer)
            .with("toAccountType", receiver);
        return Ok(JsonDraft::act("/v5/asset/transfer/inter-transfer", fields).on_live_only());
    }
    let (target, amount) = withdrawn(transfer, rules, target, WithdrawalFee::OnTop)?;
    let leaves = if payer == "FUND" { "FUND" } else { "UTA" };
    let fields = Fields::default()
        .with("coin", transfer.asset.as_str())
        .with("chain", target.network.as_str())
        .with("address", target.address.as_str())
        .with_some("tag", target.tag.as_deref())
        .with("amount", amount.to_string())
        .with("timestamp", Scalar::Stamp)
        .with("forceChain", Scalar::Number(1))
        .with("accountType", leaves)
        .with("feeType", Scalar::Number(0))
        .with(
            "requestId",
            ClientOrderId::derive(book, instruction).as_str(),
        );
    Ok(JsonDraft::act("/v5/asset/withdraw/create", fields).on_live_only())
}
