//! Leverage, margin mode, position mode, transfers and withdrawals: what changes an account.

use basis_core::error::{Rejection, VenueErrorKind};
use basis_core::instruction::{MarginMode, SetLeverage, Transfer};
use basis_core::num::Fixed18;
use basis_core::rules::{InstrumentRules, RuleSnapshot};
use basis_core::types::{Account, ClientOrderId, InstrumentKind, Span};

use super::endpoint::Product;
use super::order::{Refusal, invalid, listed};
use super::params::Params;
use super::request::{Draft, Effect, Security};
pub use crate::wire::WithdrawalTarget;
use crate::wire::plan::{WithdrawalFee, withdrawn};

/// Returns the requests of a leverage change: the margin mode first, where it changes too.
pub(super) fn set_leverage(
    change: &SetLeverage,
    rules: &RuleSnapshot,
) -> Result<Vec<Draft>, Refusal> {
    let rules = listed(rules, InstrumentKind::Perp, change.symbol)?;
    let bound = rules
        .perp
        .as_ref()
        .map_or(Fixed18::ONE, |perp| perp.max_leverage);
    let leverage = change.leverage;
    if !leverage.is_multiple_of(Fixed18::ONE) || leverage < Fixed18::ONE || leverage > bound {
        return Err(VenueErrorKind::Rejected {
            reason: Rejection::Filter {
                instrument: rules.key,
                what: "leverage".into(),
                value: leverage.to_string(),
                bound: format!("a whole number from 1 to {bound}"),
            },
            venue_code: None,
        });
    }
    let symbol = || Params::default().with("symbol", rules.venue_symbol.as_str());
    let mut drafts = Vec::new();
    if let Some(mode) = change.margin_mode {
        let mode = match mode {
            MarginMode::Cross => "CROSSED",
            MarginMode::Isolated => "ISOLATED",
        };
        let params = symbol().with("marginType", mode);
        drafts.push(Draft::act(
            Product::UsdM,
            "POST",
            "/fapi/v1/marginType",
            params,
        ));
    }
    let params = symbol().with_decimal("leverage", leverage);
    drafts.push(Draft::act(
        Product::UsdM,
        "POST",
        "/fapi/v1/leverage",
        params,
    ));
    Ok(drafts)
}

/// Returns the request that chooses hedge mode (a long and a short position of each perpetual) or one-way
/// mode, for the whole account.
#[must_use]
pub fn set_position_mode(hedge: bool) -> Draft {
    let params = Params::default().with("dualSidePosition", if hedge { "true" } else { "false" });
    Draft::act(Product::UsdM, "POST", "/fapi/v1/positionSide/dual", params)
}

/// Returns the request that opens USD-M's private stream, or keeps it open for another hour: the stream's name is
/// the listen key of the answer. Asked again it answers with the same key, so it may be repeated.
#[must_use]
pub const fn open_listen_key() -> Draft {
    Draft {
        product: Product::UsdM,
        method: "POST",
        path: "/fapi/v1/listenKey",
        params: Params::new(),
        security: Security::ApiKey,
        effect: Effect::Read,
    }
}

/// Returns the request that has every order of an instrument of USD-M canceled `after` so long without another
/// one; zero stops the clock. It may be repeated.
#[must_use]
pub fn cancel_after(rules: &InstrumentRules, after: Span) -> Draft {
    let millis = after.nanos() / 1_000_000;
    let params = Params::default()
        .with("symbol", rules.venue_symbol.as_str())
        .with("countdownTime", millis.to_string());
    Draft {
        product: Product::UsdM,
        method: "POST",
        path: "/fapi/v1/countdownCancelAll",
        params,
        security: Security::Signed,
        effect: Effect::Read,
    }
}

/// Returns the venue's name of an account of ours.
fn wallet(account: Account) -> Result<&'static str, Refusal> {
    match account.name.as_str() {
        "spot" => Ok("MAIN"),
        "usdm" => Ok("UMFUTURE"),
        "funding" => Ok("FUNDING"),
        other => Err(invalid(format!(
            "`{other}` is no account of Binance; they are spot, usdm and funding"
        ))),
    }
}

/// Returns the venue's word for a transfer between two of its accounts.
pub(super) fn transfer_type(from: Account, to: Account) -> Result<String, Refusal> {
    let (payer, receiver) = (wallet(from)?, wallet(to)?);
    if payer == receiver {
        return Err(invalid(format!("{from} cannot transfer to itself")));
    }
    Ok(format!("{payer}_{receiver}"))
}

/// Returns the request of a transfer: universal between two accounts of the venue, a withdrawal otherwise.
///
/// A universal transfer bears no id of ours: what came of an unknown one is found in its history by amount
/// and time. The venue does not say whether the fee of a withdrawal comes out of its amount; it is assumed
/// to, so fee and amount are asked for together and the receiver gets at least what the instruction says.
pub(super) fn transfer(
    transfer: &Transfer,
    id: &ClientOrderId,
    rules: &RuleSnapshot,
    target: Option<&WithdrawalTarget>,
) -> Result<Draft, Refusal> {
    if !transfer.amount.is_positive() {
        let text = format!("the amount {} is not above zero", transfer.amount);
        return Err(invalid(text));
    }
    if transfer.from.venue == transfer.to.venue {
        let params = Params::default()
            .with("type", transfer_type(transfer.from, transfer.to)?)
            .with("asset", transfer.asset.as_str())
            .with_decimal("amount", transfer.amount.get());
        return Ok(Draft::act(
            Product::Wallet,
            "POST",
            "/sapi/v1/asset/transfer",
            params,
        ));
    }
    let (target, total) = withdrawn(transfer, rules, target, WithdrawalFee::Inside)?;
    let params = Params::default()
        .with("coin", transfer.asset.as_str())
        .with("network", target.network.as_str())
        .with("address", target.address.as_str())
        .with_some("addressTag", target.tag.as_deref())
        .with_decimal("amount", total.get())
        .with("withdrawOrderId", id.as_str());
    let path = "/sapi/v1/capital/withdraw/apply";
    Ok(Draft::act(Product::Wallet, "POST", path, params))
}
