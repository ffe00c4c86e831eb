//! What is found out at a start: key, account, position mode and rules.

use basis_core::error::Code;
use basis_core::types::{InstrumentKey, InstrumentKind};

use super::{Codec, VENUE, is_swap, questions, reports};
use crate::live::codec::{Problem, Setup, Step, StepFound};
use crate::live::{LiveSettings, check_mode, refused};
use crate::okx::codec::replies::{self, AccountConfig, Listed};
use crate::okx::codec::{AccountLevel, Product, open_orders_of, reads};
use crate::wire::JsonDraft;

pub(super) fn steps(Setup { settings, rules }: Setup<'_>) -> Vec<Step> {
    let mut steps = vec![Step::Account];
    if settings.perps {
        let perps = rules.instruments.iter().filter(|rules| {
            rules.key.kind == InstrumentKind::Perp && settings.symbols.contains(&rules.key.symbol)
        });
        let keys = perps.map(|rules| rules.key);
        steps.extend(keys.flat_map(|key| [Step::Tiers(key), Step::Interval(key)]));
    }
    steps.extend(settings.kinds().into_iter().map(Step::Rules));
    steps
}

pub(super) fn question(step: Step, Setup { rules, .. }: Setup<'_>) -> Option<JsonDraft> {
    let listed = |key: InstrumentKey| rules.instrument(key.kind, key.symbol);
    Some(match step {
        Step::Clock => reads::server_time(),
        Step::Account => reads::account_config(),
        Step::Tiers(key) => reads::tiers(listed(key)?),
        Step::Interval(key) => reads::funding_rate(listed(key)?),
        Step::Rules(kind) => reads::instruments(Product::of(kind)),
        Step::Orders(key) => open_orders_of(listed(key)?, &questions::page(None, None)),
        // One request says all of it.
        Step::Permissions | Step::PositionMode(_) => return None,
    })
}

pub(super) fn take(
    codec: &mut Codec,
    step: Step,
    Setup { settings, rules }: Setup<'_>,
    body: &[u8],
) -> Result<StepFound, Problem> {
    match step {
        Step::Clock | Step::Permissions | Step::PositionMode(_) => {}
        Step::Account => {
            let config = replies::account_config(body)?;
            check_key(&config)?;
            check_account(&config, settings)?;
            codec.level = config.level;
        }
        Step::Tiers(key) => {
            if let Some(listed) = rules.instrument(key.kind, key.symbol) {
                let family = reads::family(listed);
                codec.tiers.push(replies::tiers(body, &family)?);
            }
        }
        Step::Interval(_) => {
            let rate = replies::funding_rate(body)?;
            codec
                .intervals
                .push((rate.inst_id.clone(), rate.interval()));
        }
        Step::Rules(kind) => {
            let symbols = &settings.symbols;
            let listed = if is_swap(kind) {
                let known = (codec.tiers.as_slice(), codec.intervals.as_slice());
                replies::swap_instruments(body, VENUE, symbols, known)?
            } else {
                replies::spot_instruments(body, VENUE, symbols)?
            };
            let trading = listed.into_iter().filter(|row: &Listed| row.trading);
            return Ok(StepFound::Rules(trading.map(|row| row.rules).collect()));
        }
        Step::Orders(_) => return Ok(StepFound::Orders(reports::orders(rules, body)?.rows)),
    }
    Ok(StepFound::Nothing)
}

pub(super) fn describe(
    level: AccountLevel,
    step: Step,
    Setup { settings, rules }: Setup<'_>,
) -> Option<String> {
    Some(match step {
        Step::Account => {
            let mode = if settings.hedge_mode {
                "hedge"
            } else {
                "one-way"
            };
            format!(
                "key and account: it may trade, and may not withdraw; {}, positions in {mode} mode",
                level_name(level)
            )
        }
        Step::Rules(kind) => {
            let of_kind = rules.instruments.iter();
            let of_kind = of_kind.filter(|rules| rules.key.kind == kind);
            let names: Vec<_> = of_kind.map(|rules| rules.venue_symbol.as_str()).collect();
            let product = Product::of(kind).as_str();
            format!("rules: {product} trades {}", names.join(", "))
        }
        _ => return None,
    })
}

const fn level_name(level: AccountLevel) -> &'static str {
    match level {
        AccountLevel::Spot => "level 1, spot alone",
        AccountLevel::Futures => "level 2, spot and swaps",
        AccountLevel::MultiCurrency => "level 3, multi-currency margin",
        AccountLevel::Portfolio => "level 4, portfolio margin",
    }
}

/// Withdrawals are off, so a key that could withdraw is more than is needed.
fn check_key(config: &AccountConfig) -> Result<(), Problem> {
    let invalid = |reason, text| Err(refused(Code::CredentialsInvalid, reason, text));
    let (Some(withdraw), Some(trade)) = (config.withdraw, config.trade) else {
        let text = "the venue does not say what the key may do (perm): a key that may withdraw is not traded with";
        return invalid("permissions", text);
    };
    if withdraw {
        let text = "the key may withdraw, and withdrawals are off: take that permission from it at the venue";
        return invalid("withdrawals", text);
    }
    if !trade {
        let text = "the key may only read: make one at the venue that may trade";
        return invalid("read_only", text);
    }
    Ok(())
}

/// Swaps need an account of level 2, and nothing is traded that could borrow unasked.
fn check_account(config: &AccountConfig, settings: &LiveSettings) -> Result<(), Problem> {
    if settings.perps && config.level == AccountLevel::Spot {
        let text = "the account is at level 1 (acctLv), spot alone, and perpetuals are traded: choose level 2 or \
                    more at the venue, or trade spot alone";
        return Err(refused(Code::CreationFailed, "account_mode", text));
    }
    let whole = matches!(
        config.level,
        AccountLevel::MultiCurrency | AccountLevel::Portfolio
    );
    if settings.spot && whole && config.auto_loan {
        let text = "the account is at level 3 or 4 and borrows by itself (autoLoan): a spot order could sell what \
                    is not there; turn it off at the venue, or trade perpetuals alone";
        return Err(refused(Code::CreationFailed, "auto_loan", text));
    }
    if settings.perps {
        check_mode(VENUE, "the account", (config.hedge, settings.hedge_mode))?;
    }
    Ok(())
}
