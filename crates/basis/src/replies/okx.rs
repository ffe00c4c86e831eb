//! OKX v5: `public/instruments` of SPOT and SWAP, `public/position-tiers`, `public/funding-rate`,
//! `account/trade-fee`.

use basis_core::num::Fixed18;
use serde_json::Value as Json;

use super::binance::bps;
use super::reply::{Reply, number, positive, rows, same, text};
use super::snapshot::{Instrument, Perp, Snapshot, Tier};

/// The entry tier's taker fee of swaps.
const TAKER_BPS: Fixed18 = Fixed18::literal("5");

/// Adds what the replies have of `symbol`: `SOLUSDT` and `SOL-USDT` are both its spot and its swap.
///
/// # Errors
/// Nothing, or something that no run could trade.
pub(super) fn snapshot(symbol: &str, replies: &[Reply], out: &mut Snapshot) -> Result<(), String> {
    let pair = symbol.strip_suffix("-SWAP").unwrap_or(symbol);
    let mut found = 0;
    for (reply, row) in rows(replies) {
        let id = text(row, "instId");
        let own = id.strip_suffix("-SWAP").unwrap_or(&id);
        if row.get("tickSz").is_none() || !same(own, pair) {
            continue;
        }
        let what = format!("{id} of OKX in {}", reply.name);
        let made = match text(row, "instType").as_str() {
            "SPOT" => spot(row, &reply.name, &what)?,
            "SWAP" => swap(row, reply, replies, &what)?,
            _ => continue,
        };
        out.keeps(&made.base, 8);
        out.keeps(&made.quote, 8);
        out.instruments.push(made);
        found += 1;
    }
    if found == 0 {
        return Err(format!(
            "{symbol} is in no instruments among the replies; save that of /api/v5/public/instruments \
             with instType=SPOT and with instType=SWAP"
        ));
    }
    for (reply, row) in rows(replies) {
        let kind = text(row, "instType");
        if row.get("maker").is_none() || !matches!(kind.as_str(), "SPOT" | "SWAP") {
            continue;
        }
        let what = format!("fees of OKX in {}", reply.name);
        // What is paid is negative; linear swaps have fields of their own.
        let fee = |plain: &str, linear: &str| {
            let key = if kind == "SWAP" && !text(row, linear).is_empty() {
                linear
            } else {
                plain
            };
            let paid = number(row, key, &what)?.neg().map_err(|e| e.to_string())?;
            bps(paid, &what)
        };
        out.fees(
            kind == "SWAP",
            (fee("maker", "makerU")?, fee("taker", "takerU")?),
            &what,
        )?;
    }
    Ok(())
}

fn spot(row: &Json, file: &str, what: &str) -> Result<Instrument, String> {
    let most = number(row, "maxLmtSz", what)?;
    let (base, quote) = (text(row, "baseCcy"), text(row, "quoteCcy"));
    Ok(Instrument {
        symbol: format!("{base}{quote}"),
        venue_symbol: text(row, "instId"),
        base,
        quote,
        tick: number(row, "tickSz", what)?,
        lot: number(row, "lotSz", what)?,
        least: number(row, "minSz", what)?,
        most,
        most_at_market: most,
        least_notional: Fixed18::ZERO,
        perp: None,
        source: vec![
            format!("filters: instruments in {file}"),
            "assumed: market orders have the maximum of limit orders (OKX limits what they are worth, \
             which no quantity says)"
                .to_owned(),
        ],
    })
}

fn swap(row: &Json, reply: &Reply, replies: &[Reply], what: &str) -> Result<Instrument, String> {
    if text(row, "ctType") != "linear" {
        return Err(format!(
            "{what} is {}; only linear swaps are run",
            text(row, "ctType")
        ));
    }
    let (base, quote) = (text(row, "ctValCcy"), text(row, "settleCcy"));
    let family = format!("{base}-{quote}");
    let mut source = vec![format!("filters: instruments in {}", reply.name)];
    let (tiers, from) = tiers(&family, replies, what)?;
    source.push(format!("tiers: position-tiers in {from}"));
    let size = number(row, "ctVal", what)?
        .mul(
            number(row, "ctMult", what)?,
            basis_core::num::Rounding::HalfEven,
        )
        .map_err(|e| format!("{what}: {e}"))?;
    let interval_hours = interval(&text(row, "instId"), replies, &mut source);
    let first = tiers
        .first()
        .map(|tier| tier.maintenance)
        .unwrap_or_default();
    let liquidation_fee_bps = bps(first, what)?
        .add(TAKER_BPS)
        .map_err(|e| e.to_string())?;
    source.push(
        "assumed: liquidation fee (OKX charges the taker rate and closes at the bankruptcy price: 5 bps \
         and the first tier's maintenance margin)"
            .to_owned(),
    );
    let most = number(row, "maxLmtSz", what)?;
    Ok(Instrument {
        symbol: format!("{base}{quote}"),
        venue_symbol: text(row, "instId"),
        base,
        quote,
        tick: number(row, "tickSz", what)?,
        lot: number(row, "lotSz", what)?,
        least: number(row, "minSz", what)?,
        most,
        most_at_market: positive(row, "maxMktSz", what)?.unwrap_or(most).min(most),
        least_notional: Fixed18::ZERO,
        perp: Some(Perp {
            contract_size: size,
            contracts: true,
            prices_contracts: false,
            interval_hours,
            liquidation_fee_bps,
            whole: true,
            tiers,
        }),
        source,
    })
}

/// The time between two settlements, of a reply of `funding-rate`; else the usual one, which is said.
fn interval(id: &str, replies: &[Reply], source: &mut Vec<String>) -> i64 {
    let at = |row: &Json, key: &str| text(row, key).parse::<i64>().ok();
    for (reply, row) in rows(replies) {
        if text(row, "instId") == id
            && let (Some(this), Some(next)) = (at(row, "fundingTime"), at(row, "nextFundingTime"))
            && let hours @ 1..=24 = (next - this) / 3_600_000
        {
            source.push(format!("funding interval: funding-rate in {}", reply.name));
            return hours;
        }
    }
    source.push(
        "assumed: funding every 8 hours (instruments does not say it; funding-rate does)"
            .to_owned(),
    );
    8
}

fn tiers(family: &str, replies: &[Reply], what: &str) -> Result<(Vec<Tier>, String), String> {
    let (mut tiers, mut from) = (Vec::new(), String::new());
    for (reply, row) in rows(replies) {
        if row.get("mmr").is_none() || text(row, "instFamily") != family {
            continue;
        }
        reply.name.clone_into(&mut from);
        tiers.push(Tier {
            up_to: number(row, "maxSz", what)?,
            initial: number(row, "imr", what)?,
            maintenance: number(row, "mmr", what)?,
            deduction: Fixed18::ZERO,
            leverage: number(row, "maxLever", what)?,
        });
    }
    if tiers.is_empty() {
        return Err(format!(
            "{what} has no margin tiers among the replies; save that of /api/v5/public/position-tiers \
             with instType=SWAP, tdMode=cross and instFamily={family}"
        ));
    }
    tiers.sort_by_key(|tier| tier.up_to);
    tiers.dedup_by_key(|tier| tier.up_to);
    Ok((tiers, from))
}
