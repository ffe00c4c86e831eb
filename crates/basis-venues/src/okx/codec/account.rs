//! Leverage, position mode, transfers and withdrawals: what changes an account.

use basis_core::error::{Rejection, VenueErrorKind};
use basis_core::instruction::{MarginMode, SetLeverage, Transfer};
use basis_core::num::Fixed18;
use basis_core::rules::RuleSnapshot;
use basis_core::types::{Account, ClientOrderId, InstrumentKind};

use super::order::AccountLevel;
use crate::wire::order::{Refusal, invalid, listed};
use crate::wire::plan::{WithdrawalFee, parties, withdrawn};
use crate::wire::{Fields, JsonDraft, WithdrawalTarget};

/// Returns the request of a leverage change: that of one swap in cross mode. The margin mode is each order's,
/// and cross is the only one that swaps have here.
pub(super) fn set_leverage(
    change: &SetLeverage,
    (rules, level): (&RuleSnapshot, AccountLevel),
) -> Result<JsonDraft, Refusal> {
    let rules = listed(rules, InstrumentKind::Perp, change.symbol)?;
    if change.margin_mode == Some(MarginMode::Isolated) {
        return Err(VenueErrorKind::Unsupported(
            "isolated swaps are not offered at every account level, and the venue's pages contradict one \
             another: use cross"
                .to_owned(),
        ));
    }
    if level == AccountLevel::Portfolio {
        return Err(VenueErrorKind::Unsupported(
            "an account with portfolio margin (level 4) has no leverage to set".to_owned(),
        ));
    }
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
                bound: format!("lever: a multiple of {step} from 1 to {bound}"),
            },
            venue_code: None,
        });
    }
    let fields = Fields::default()
        .with("instId", rules.venue_symbol.as_str())
        .with("lever", leverage.to_string())
        .with("mgnMode", "cross");
    Ok(JsonDraft::act("/api/v5/account/set-leverage", fields))
}

/// Returns the request that chooses hedge mode (a long and a short position of each swap) or one-way mode, for
/// the whole account.
#[must_use]
pub fn set_position_mode(hedge: bool) -> JsonDraft {
    let mode = if hedge { "long_short_mode" } else { "net_mode" };
    let fields = Fields::default().with("posMode", mode);
    JsonDraft::act("/api/v5/account/set-position-mode", fields)
}

/// Returns the request that has the venue cancel orders once it has not come again for `seconds`: all of the
/// account, whoever placed them, or those with `tag`. 0 stops it.
///
/// # Errors
/// Refuses seconds other than 0 and 10 to 120, and a tag that is none.
pub fn cancel_all_after(seconds: u32, tag: Option<&str>) -> Result<JsonDraft, VenueErrorKind> {
    if seconds != 0 && !(10..=120).contains(&seconds) {
        let text = format!("timeOut {seconds} is neither 0 nor from 10 to 120 seconds");
        return Err(invalid(text));
    }
    let is_tag = |tag: &str| {
        (1..=16).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
        let text = format!("the tag `{tag}` is not 1 to 16 letters and digits");
        return Err(invalid(text));
    }
    let fields = Fields::default()
        .with("timeOut", seconds.to_string())
        .with_some("tag", tag);
    Ok(JsonDraft::act("/api/v5/trade/cancel-all-after", fields))
}

/// Returns the venue's number of an account of ours.
fn wallet(account: Account) -> Result<&'static str, Refusal> {
    match account.name.as_str() {
        "funding" => Ok("6"),
        "trading" => Ok("18"),
        other => Err(invalid(format!(
            "`{other}` is no account of OKX; they are funding and trading"
        ))),
    }
}

/// Returns the request of a transfer: between the two accounts of the venue, or a withdrawal on chain.
///
/// Both bear our id, by which they are found again. The fee of a withdrawal is charged on top, so that what
/// the instruction says arrives.
pub(super) fn transfer(
    transfer: &Transfer,
    id: &ClientOrderId,
    rules: &RuleSnapshot,
    target: Option<&WithdrawalTarget>,
) -> Result<JsonDraft, Refusal> {
    let (payer, receiver) = parties(transfer, wallet)?;
    if let Some(receiver) = receiver {
        let fields = Fields::default()
            .with("ccy", transfer.asset.as_str())
            .with("amt", transfer.amount.to_string())
            .with("from", payer)
            .with("to", receiver)
            .with("type", "0")
            .with("clientId", id.as_str());
        return Ok(JsonDraft::act("/api/v5/asset/transfer", fields));
    }
    let (target, amount) = withdrawn(transfer, rules, target, WithdrawalFee::OnTop)?;
    let address = match &target.tag {
        Some(tag) => format!("{}:{tag}", target.address),
        None => target.address.clone(),
    };
    let fields = Fields::default()
        .with("ccy", transfer.asset.as_str())
        .with("amt", amount.to_string())
        .with("dest", "4")
        .with("toAddr", address)
        .with("chain", target.network.as_str())
        .with("clientId", id.as_str());
    Ok(JsonDraft::act("/api/v5/asset/withdrawal", fields).on_live_only())
}
