//! `summary.json`, which is also what `--json` prints.

use basis_core::health::Health;
use basis_core::num::{MathError, Price, Value};
use basis_core::types::{Asset, Span};
use basis_engine::UnpaidWithdrawal;
use basis_engine::numeraire::ShareAttribution;
use basis_engine::pnl::Attribution;
use basis_engine::result::{
    Counts, PegResult, RefusedWithdrawal, RunResult, Statistics, Stopped, UnbookedFunding,
};
use basis_engine::statistics::{DAY, DAYS_MIN, yearly};
use basis_market::{Coverage, DataFile, Gap, GapTreatment, is_dollar};
use serde_json::{Map, Value as Json, json};

use super::{OutputContext, in_share_class, risk};

/// The summary of a run: amounts as decimal strings, statistics as numbers, keys sorted.
#[must_use]
pub fn summary(result: &RunResult, context: &OutputContext) -> Json {
    let (start, end) = equity_ends(result);
    let (start_usd, end_usd) = in_dollars(result, (start, end));
    let [first, last] = result
        .ends
        .map_or([None, None], |ends| ends.map(|end| Some(end.reference)));
    let class = |value: Option<Value>, reference: Option<Price>| -> Json {
        let amount = value.zip(class_price(result, reference));
        let share_class = result.share_class;
        text(amount.and_then(|(value, price)| in_share_class(share_class, value, price).ok()))
    };
    let versions: Map<_, _> = context
        .versions
        .iter()
        .map(|(name, version)| ((*name).to_owned(), json!(version)))
        .collect();
    let whole = json!({
        "mode": result.mode,
        "share_class": result.share_class,
        "from": result.range.0,
        "to": result.range.1,
        "synthetic": result.synthetic,
        "data_source": result.data_source,
        "data_files": result.data_files.iter().map(data_file).collect::<Vec<_>>(),
        "run_id": context.run_id.as_str(),
        "equity_start": class(start, first),
        "equity_end": class(end, last),
        "equity_start_usd": text(start_usd),
        "equity_end_usd": text(end_usd),
        "peg": result.peg.map(|peg| peg_ends(&peg)),
        "attribution": attribution(&result.attribution),
        "attribution_share_class": result.share_attribution.as_ref().map(share_attribution),
        "costs": costs(&result.attribution),
        "risk": risk::summary(&result.risk),
        "counts": counts(&result.counts),
        "coverage": result.coverage.iter().map(covered).collect::<Vec<_>>(),
        "gaps": result.coverage.iter().flat_map(|c| &c.gaps).map(gap).collect::<Vec<_>>(),
        "proxies": proxies(&result.coverage),
        "shifts": result.coverage.iter().filter_map(shifted).collect::<Vec<_>>(),
        "implausible": result.coverage.iter().filter_map(implausible).collect::<Vec<_>>(),
        "unscheduled": result.coverage.iter().filter_map(unscheduled).collect::<Vec<_>>(),
        "shocks": result.shocks,
        "assumptions": assumptions(&result.assumptions),
        "unbooked_funding": result.unbooked_funding.iter().map(unbooked).collect::<Vec<_>>(),
        "unbooked_funding_total": exposed_total(&result.unbooked_funding),
        "refused_withdrawals": result.refused_withdrawals.iter().map(refused).collect::<Vec<_>>(),
        "unpaid_withdrawals": result.unpaid_withdrawals(&context.flows).map(unpaid).collect::<Vec<_>>(),
        "halted": result.halted,
        "config_hash": context.config_hash,
        "versions": versions,
        "health": result.health.iter().map(health).collect::<Vec<_>>(),
        "timing": {
            "load_ms": context.timing.load_ms,
            "run_ms": context.timing.run_ms,
            "write_ms": context.timing.write_ms,
        },
    });
    let exit = exit(result, (end, end_usd), |amount| class(amount, last));
    [headline(result), exit, whole]
        .into_iter()
        .filter_map(|part| match part {
            Json::Object(fields) => Some(fields),
            _ => None,
        })
        .flatten()
        .collect::<Map<_, _>>()
        .into()
}

/// The statistics that lead, in the share class, and beside them those in dollars where that is another.
fn headline(result: &RunResult) -> Json {
    let mut headline = statistics(&result.headline());
    if let Json::Object(fields) = &mut headline {
        let usd = result.share_statistics.map(|_| result.statistics);
        let usd = result.peg.map(|peg| peg.statistics).or(usd);
        let beside = [
            ("apy_caveat", apy_caveat(result)),
            (
                "statistics_usd",
                usd.as_ref().map_or(Json::Null, statistics),
            ),
            ("units", units(result.share_class)),
        ];
        fields.extend(beside.map(|(key, value)| (key.to_owned(), value)));
    }
    headline
}

/// Statistics by their names.
fn statistics(statistics: &Statistics) -> Json {
    json!({
        "return": statistics.total_return,
        "apy": statistics.apy,
        "max_drawdown": statistics.max_drawdown,
        "sharpe": statistics.sharpe,
        "sortino": statistics.sortino,
        "volatility": statistics.volatility,
        "whole_days": statistics.whole_days,
    })
}

/// What the book earned and stands at, and what leaving everything takes at the end; amounts in the share class as `class` has them.
fn exit(
    result: &RunResult,
    (end, end_usd): (Option<Value>, Option<Value>),
    class: impl Fn(Option<Value>) -> Json,
) -> Json {
    let cost = result.exit.map(|exit| exit.last.cost);
    let less = |end: Option<Value>| end.zip(cost).and_then(|(end, cost)| end.sub(cost).ok());
    let value = less(end);
    json!({
        "leverage": text(result.leverage),
        "carry": carry(&result.attribution),
        "benchmark": benchmark(result),
        "written_off": text(Some(result.attribution.written_off)),
        "never_held": result.never_held,
        "exit_value": class(value),
        "exit_value_usd": text(less(end_usd)),
        "exit_cost": class(cost),
        "exit_cost_usd": text(cost),
        "exit_hours": text(result.exit.and_then(|exit| exit.last.hours)),
        "max_drawdown_exit": result.exit.map(|exit| exit.max_drawdown),
    })
}

/// What the figures at the head of the summary are counted in.
fn units(share_class: Asset) -> Json {
    let of = |what: &str| format!("{what} in {share_class}");
    json!({
        "equity_start": share_class,
        "equity_end": share_class,
        "equity_start_usd": "USD",
        "equity_end_usd": "USD",
        "return": of("fraction of the equity"),
        "apy": of("fraction of the equity a year"),
        "max_drawdown": of("fraction of the peak"),
        "exit_value": share_class,
        "exit_cost": share_class,
        "exit_value_usd": "USD",
        "exit_cost_usd": "USD",
        "exit_hours": "hours",
        "leverage": "ratio to the equity",
        "carry": "USD",
        "written_off": "USD",
        "max_drawdown_exit": of("fraction of the peak"),
        "sharpe": of("ratio a year of daily returns"),
        "sortino": of("ratio a year of daily returns"),
        "volatility": of("fraction a year of daily returns"),
        "attribution": "USD",
        "attribution_share_class": share_class,
        "costs": "USD",
    })
}

/// Why the yearly return of a short run is no forecast; null for one of [`DAYS_MIN`] days or more.
fn apy_caveat(result: &RunResult) -> Json {
    let span = result.range.1.since(result.range.0);
    if span >= DAY.times(i64::from(DAYS_MIN)) {
        return Json::Null;
    }
    let (days, hours) = (span.seconds() / 86_400, span.seconds() % 86_400 / 3_600);
    json!(format!(
        "extrapolated from {days} d {hours} h to a year; under {DAYS_MIN} days this says little"
    ))
}

/// The summary of a run that failed: what came of it before, with the key `failed`.
#[must_use]
pub fn failed_summary(stopped: &Stopped, context: &OutputContext) -> Json {
    let mut all = summary(&stopped.result, context);
    // Before the first step there is no instant but the start.
    let at = stopped.at.max(stopped.result.range.0);
    if let Json::Object(all) = &mut all {
        let failed = json!({
            "code": stopped.error.code.as_str(),
            "message": stopped.error.message,
            "at": at,
        });
        all.insert("failed".to_owned(), failed);
    }
    all
}

/// Equity before the first step and after the last, USD.
///
/// The start is what the identity of every step leaves: the end less what came from outside and what
/// the buckets explain. When the first capital itself came within the run, it is the start.
fn equity_ends(result: &RunResult) -> (Option<Value>, Option<Value>) {
    let Some([first, last]) = result.ends else {
        return (None, None);
    };
    let start = || -> Result<Value, MathError> {
        let mut before = first.equity_usd.sub(first.external_flow_usd)?;
        // In tokens: the peg moves nothing there.
        for (_, value) in first.attribution.rows() {
            before = before.sub(value)?;
        }
        Ok(if before.is_zero() {
            first.external_flow_usd
        } else {
            before
        })
    };
    (start().ok(), Some(last.equity_usd))
}

/// The same ends in dollars at the peg, where one is read.
fn in_dollars(
    result: &RunResult,
    (start, end): (Option<Value>, Option<Value>),
) -> (Option<Value>, Option<Value>) {
    let (Some(peg), Some([first, _])) = (result.peg, result.ends) else {
        return (start, end);
    };
    let [first_peg, last_peg] = peg.ends;
    let begins = start == Some(first.external_flow_usd);
    let at_start = if begins { first_peg.flow } else { Value::ZERO };
    let add = |amount: Option<Value>, more: Value| amount.and_then(|amount| amount.add(more).ok());
    (add(start, at_start), add(end, last_peg.value))
}

/// The peg at both ends.
fn peg_ends(peg: &PegResult) -> Json {
    let [first, last] = peg.ends.map(|step| text(Some(step.price)));
    json!({ "start": first, "end": last })
}

/// One for a class at par, whatever the reference; none where there is no step.
fn class_price(result: &RunResult, reference: Option<Price>) -> Option<Price> {
    if is_dollar(result.share_class) {
        return Some(Price::literal("1"));
    }
    reference
}

fn text(value: Option<impl ToString>) -> Json {
    value.map_or(Json::Null, |value| json!(value.to_string()))
}

fn attribution(attribution: &Attribution) -> Json {
    attribution
        .rows()
        .iter()
        .map(|(bucket, value)| ((*bucket).to_owned(), json!(value.to_string())))
        .collect::<Map<_, _>>()
        .into()
}

/// The same buckets in the share class, and what the move of its price did.
fn share_attribution(share: &ShareAttribution) -> Json {
    let rows = share.buckets.rows();
    rows.iter()
        .chain(&[("numeraire", share.numeraire)])
        .map(|(bucket, value)| ((*bucket).to_owned(), json!(value.to_string())))
        .collect::<Map<_, _>>()
        .into()
}

/// What lending the capital at the recorded rate would have earned, in dollars.
fn benchmark(result: &RunResult) -> Json {
    let Some(lent) = &result.benchmark else {
        return Json::Null;
    };
    let (from, to) = result.range;
    let total = lent.total_return.get().to_f64();
    json!({
        "name": "supply_rate",
        "series": lent.series.to_string(),
        "return": total,
        "apy": yearly(total, to.since(from)),
    })
}

/// What the book earned by being held, what it borrowed for, and the difference; USD.
fn carry(attribution: &Attribution) -> Json {
    let earned = [
        attribution.funding,
        attribution.interest,
        attribution.staking_yield,
        attribution.rewards,
        attribution.liquidity_fees,
    ];
    let earned = earned
        .iter()
        .try_fold(Value::ZERO, |sum, value| sum.add(*value));
    let borrowed = attribution.borrow_cost.neg();
    let net = earned.and_then(|earned| earned.add(attribution.borrow_cost));
    json!({
        "yield": text(earned.ok()),
        "borrow_cost": text(borrowed.ok()),
        "net": text(net.ok()),
    })
}

/// Costs are the buckets that cost, turned round: 5 means that 5 were paid. What others bore of a liquidation
/// was no cost of ours, and makes none less.
fn costs(attribution: &Attribution) -> Json {
    let liquidation = attribution.liquidation.sub(attribution.written_off);
    let liquidation = liquidation.unwrap_or(attribution.liquidation);
    let paid = [
        ("fees", attribution.fees),
        ("slippage", attribution.slippage),
        ("gas", attribution.gas),
        ("borrow_cost", attribution.borrow_cost),
        ("transfer_cost", attribution.transfer_cost),
        ("liquidation", liquidation),
    ];
    let total = paid
        .iter()
        .try_fold(Value::ZERO, |sum, (_, value)| sum.sub(*value));
    let mut fields: Map<_, _> = paid
        .iter()
        .map(|(name, value)| ((*name).to_owned(), text(value.neg().ok())))
        .collect();
    fields.insert("total".to_owned(), text(total.ok()));
    fields.into()
}

fn counts(counts: &Counts) -> Json {
    json!({
        "steps": counts.steps,
        "orders": counts.orders,
        "fills": counts.fills,
        "rebalances": counts.rebalances,
        "liquidations": counts.liquidations,
        "transfers": counts.transfers,
        "funding_payments": counts.funding_payments,
        "rejections": counts.rejections,
        "rebalances_deferred": counts.rebalances_deferred,
        "stood_aside_steps": counts.stood_aside_steps,
    })
}

fn covered(coverage: &Coverage) -> Json {
    json!({
        "series": coverage.series.to_string(),
        "expected": coverage.expected,
        "present": coverage.present,
    })
}

fn gap(gap: &Gap) -> Json {
    let (treatment, proxy) = match gap.treatment {
        GapTreatment::Proxied(proxy) => ("proxied", Some(proxy.to_string())),
        GapTreatment::Held => ("held", None),
        GapTreatment::Unbooked => ("unbooked", None),
        GapTreatment::Ended => ("ended", None),
        GapTreatment::Suspect => ("suspect", None),
    };
    json!({
        "series": gap.series.to_string(),
        "first": gap.first,
        "last": gap.last,
        "missing": gap.missing,
        "treatment": treatment,
        "proxy": proxy,
    })
}

fn data_file(file: &DataFile) -> Json {
    json!({ "series": file.series, "path": file.path, "sha256": file.sha256 })
}

/// Rows that stood for an instant beside theirs.
fn shifted(coverage: &Coverage) -> Option<Json> {
    let shifts = coverage.shifts?;
    let millis = |span: Span| span.nanos().div_euclid(1_000_000);
    Some(json!({
        "series": coverage.series.to_string(),
        "rows": shifts.rows,
        "first": shifts.first,
        "last": shifts.last,
        "least_ms": millis(shifts.least),
        "most_ms": millis(shifts.most),
    }))
}

/// Rows beyond the usual bounds, which the configured ones take.
fn implausible(coverage: &Coverage) -> Option<Json> {
    let found = coverage.implausible.as_ref()?;
    Some(json!({
        "series": coverage.series.to_string(),
        "rows": found.rows,
        "first": found.first,
        "last": found.last,
        "what": found.what,
    }))
}

/// Rows that stood for no instant at all.
fn unscheduled(coverage: &Coverage) -> Option<Json> {
    let stray = coverage.unscheduled?;
    Some(json!({
        "series": coverage.series.to_string(),
        "rows": stray.rows,
        "first": stray.first,
        "last": stray.last,
    }))
}

/// One row per series and proxy that filled anything, with how many values it filled.
fn proxies(coverage: &[Coverage]) -> Vec<Json> {
    let mut rows: Vec<(String, String, u64)> = Vec::new();
    for gap in coverage.iter().flat_map(|c| &c.gaps) {
        let GapTreatment::Proxied(proxy) = gap.treatment else {
            continue;
        };
        let (series, proxy) = (gap.series.to_string(), proxy.to_string());
        match rows
            .iter_mut()
            .find(|row| row.0 == series && row.1 == proxy)
        {
            Some(row) => row.2 += gap.missing,
            None => rows.push((series, proxy, gap.missing)),
        }
    }
    rows.into_iter()
        .map(
            |(series, proxy, values)| json!({ "series": series, "proxy": proxy, "values": values }),
        )
        .collect()
}

fn assumptions(assumptions: &[String]) -> Vec<Json> {
    assumptions
        .iter()
        .map(|text| json!({ "text": text }))
        .collect()
}

fn exposed_total(missing: &[UnbookedFunding]) -> Json {
    let total = missing
        .iter()
        .try_fold(Value::ZERO, |sum, row| sum.add(row.exposed_notional));
    text(total.ok())
}

fn unbooked(row: &UnbookedFunding) -> Json {
    json!({
        "series": row.series.to_string(),
        "at": row.at,
        "position": row.position.to_string(),
        "exposed_notional": row.exposed_notional.to_string(),
    })
}

fn refused(row: &RefusedWithdrawal) -> Json {
    json!({
        "at": row.at,
        "refused_at": row.refused_at,
        "asked": row.asked.to_string(),
        "available": row.available.to_string(),
    })
}

fn unpaid(withdrawal: UnpaidWithdrawal) -> Json {
    json!({
        "at": withdrawal.at,
        "asked": withdrawal.asked.to_string(),
        "paid": withdrawal.paid.to_string(),
    })
}

fn health((name, health): &(String, Health)) -> Json {
    let (operations, failures) = health.counts();
    let errors: Vec<_> = health
        .last_errors()
        .map(|(at, code, message)| json!({ "at": at, "code": code.as_str(), "message": message }))
        .collect();
    json!({
        "name": name,
        "state": health.state().as_str(),
        "updated_at": health.updated_at(),
        "operations": operations,
        "failures": failures,
        "latency_mean_ms": health.latency_mean().nanos() / 1_000_000,
        "last_errors": errors,
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn amounts_are_text_and_statistics_numbers() {
        let json = summary(&sample::result(), &sample::context());
        for (path, expected) in [
            ("/equity_start", "100000"),
            ("/equity_end_usd", "99913.998"),
            ("/attribution/basis", "-50"),
            ("/attribution/residual", "0"),
            ("/costs/fees", "30.022"),
            ("/costs/total", "42.022"),
            ("/from", "2024-05-01T00:00:00Z"),
            ("/unbooked_funding_total", "60200"),
            ("/unbooked_funding/0/series", "funding.binance.BTCUSDT"),
            ("/gaps/0/proxy", "perp.bybit.BTCUSDT"),
            ("/gaps/1/treatment", "held"),
            ("/assumptions/0/text", "1 USDT is 1 USD"),
            ("/health/0/state", "healthy"),
            ("/risk/level", "clear"),
            ("/risk/worst/0/account", "binance.usdm"),
            ("/risk/worst/0/measure", "margin_ratio"),
            ("/risk/worst/0/value", "0.008009617414616978"),
            ("/risk/worst/0/at", "2024-05-01T01:00:00Z"),
        ] {
            assert_eq!(
                json.pointer(path).and_then(Json::as_str),
                Some(expected),
                "{path}"
            );
        }
        assert_eq!(json.pointer("/proxies/0/values"), Some(&json!(1)));
        assert_eq!(json.pointer("/return"), Some(&json!(-0.00086)));
        assert_eq!(json.pointer("/timing/write_ms"), Some(&Json::Null));
        assert_eq!(json.pointer("/sharpe"), Some(&Json::Null));
    }

    #[test]
    fn another_share_class_is_converted_at_the_reference() {
        let mut result = sample::result();
        result.share_class = basis_core::types::Asset::literal("BTC");
        for (end, price) in result.ends.iter_mut().flatten().zip(["50000", "62500"]) {
            end.reference = price.parse().unwrap();
        }
        let json = summary(&result, &sample::context());
        assert_eq!(json["equity_start"], "2");
        assert_eq!(json["equity_end"], "1.598623968");
        assert_eq!(json["equity_end_usd"], "99913.998");
    }
}
