//! What is found out at a start: key, account, position mode and rules.

use basis_core::error::Code;
use basis_core::instruction::MarginMode;
use basis_core::types::InstrumentKind;

use super::{ORDERS, VENUE, page, reports};
use crate::bybit::codec::replies::{self, Listed, Tiers};
use crate::bybit::codec::{Category, open_orders_of, reads};
use crate::live::codec::{Problem, Setup, Step, StepFound};
use crate::live::{LiveSettings, check_mode, refused};
use crate::wire::JsonDraft;

/// Instruments of a page, the most that the venue gives.
const ROWS: u32 = 1_000;

pub(super) fn steps(Setup { settings, rules }: Setup<'_>) -> Vec<Step> {
    let mut steps = vec![Step::Permissions, Step::Account];
    if settings.perps {
        let perps = rules.instruments.iter().filter(|rules| {
            rules.key.kind == InstrumentKind::Perp && settings.symbols.contains(&rules.key.symbol)
        });
        steps.extend(perps.map(|rules| Step::Tiers(rules.key)));
    }
    steps.extend(settings.kinds().into_iter().map(Step::Rules));
    steps
}

pub(super) fn question(step: Step, Setup { rules, .. }: Setup<'_>) -> Option<JsonDraft> {
    let listed = |key: basis_core::types::InstrumentKey| rules.instrument(key.kind, key.symbol);
    Some(match step {
        Step::Clock => reads::server_time(),
        Step::Permissions => reads::key_permissions(),
        Step::Account => reads::account_info(),
        Step::Tiers(key) => reads::tiers(listed(key)?),
        Step::Interval(_) => return None,
        Step::Rules(kind) => reads::instruments(Category::of(kind), &page(ROWS, None)),
        Step::PositionMode(key) => reads::position(listed(key)?),
        Step::Orders(key) => open_orders_of(listed(key)?, &page(ORDERS, None)),
    })
}

pub(super) fn take(
    known: &mut Vec<Tiers>,
    step: Step,
    Setup { settings, .. }: Setup<'_>,
    body: &[u8],
) -> Result<StepFound, Problem> {
    match step {
        Step::Clock | Step::Interval(_) => {}
        Step::Permissions => check_permissions(body, settings)?,
        Step::Account => check_account(body)?,
        Step::Tiers(_) => known.extend(replies::tiers(body)?),
        Step::Rules(kind) => {
            let symbols = &settings.symbols;
            let listed = match Category::of(kind) {
                Category::Linear => replies::perp_instruments(body, VENUE, symbols, known)?,
                Category::Spot => replies::spot_instruments(body, VENUE, symbols)?,
            };
            let trading = listed.into_iter().filter(|row: &Listed| row.trading);
            return Ok(StepFound::Rules(trading.map(|row| row.rules).collect()));
        }
        Step::PositionMode(key) => {
            // A position of index 0 is that of one-way mode.
            let rows = replies::positions(body)?.rows;
            let Some(row) = rows.first() else {
                return Err(Problem::Passing(format!("{key} has no position row")));
            };
            let hedge = row.position_idx.is_some();
            check_mode(VENUE, &key.to_string(), (hedge, settings.hedge_mode))?;
        }
        Step::Orders(_) => {
            let rows = replies::orders(body)?.rows;
            return Ok(StepFound::Orders(
                rows.into_iter().map(reports::order).collect(),
            ));
        }
    }
    Ok(StepFound::Nothing)
}

pub(super) fn describe(step: Step, Setup { rules, .. }: Setup<'_>) -> Option<String> {
    Some(match step {
        Step::Permissions => "key: it may trade what is traded, and may not withdraw".to_owned(),
        Step::Account => "account: unified, in cross margin mode".to_owned(),
        Step::Rules(kind) => {
            let of_kind = rules.instruments.iter();
            let of_kind = of_kind.filter(|rules| rules.key.kind == kind);
            let names: Vec<_> = of_kind.map(|rules| rules.venue_symbol.as_str()).collect();
            let category = Category::of(kind).as_str();
            format!("rules: {category} trades {}", names.join(", "))
        }
        _ => return None,
    })
}

/// Withdrawals are off, so a key that could withdraw is more than is needed.
fn check_permissions(body: &[u8], settings: &LiveSettings) -> Result<(), Problem> {
    let may = replies::key_permissions(body)?;
    let invalid = |reason, text| Err(refused(Code::CredentialsInvalid, reason, text));
    if may.withdraw {
        let text = "the key may withdraw, and withdrawals are off: take that permission from it at the venue";
        return invalid("withdrawals", text);
    }
    if may.read_only {
        let text = "the key may only read: make one at the venue that may trade";
        return invalid("read_only", text);
    }
    if settings.perps && !may.perps {
        let text = "the key may not trade contracts, and perpetuals are traded: give it that permission, or trade \
                    spot alone";
        return invalid("futures", text);
    }
    if settings.spot && !may.spot {
        let text = "the key may not trade spot, and spot is traded: give it that permission, or trade \
                    perpetuals alone";
        return invalid("spot", text);
    }
    Ok(())
}

/// The unified account of the second generation, in cross margin mode, is what is traded in.
fn check_account(body: &[u8]) -> Result<(), Problem> {
    let info = replies::account_info(body)?;
    if !matches!(info.unified_margin_status, 5 | 6) {
        let text = format!(
            "the account is no unified account 2.0 (unifiedMarginStatus {}, and 5 or 6 is one): upgrade it at the \
             venue",
            info.unified_margin_status
        );
        return Err(refused(Code::CreationFailed, "account_mode", text));
    }
    let mode = match info.margin_mode {
        Some(MarginMode::Cross) => return Ok(()),
        Some(MarginMode::Isolated) => "isolated",
        None => "portfolio",
    };
    let text = format!(
        "the account is in {mode} margin mode, which is one for the whole account, and cross alone is traded: \
         choose cross margin at the venue"
    );
    Err(refused(Code::CreationFailed, "margin_mode", text))
}
