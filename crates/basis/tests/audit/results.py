"""summary.json: totals, counts, coverage and statistics, from the tables and the data."""

import hashlib
import json
from bisect import bisect_left, bisect_right
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from statistics import median

from amounts import ONE, ZERO, instant, iso, rounded
from chain_data import ROW_KINDS, SLACK
from items import DOLLARS
from market import TOLERANCE as TOLERANCE_OF_STAMPS
from performance import Performance
from replay import BUCKETS, TOLERANCE


def stamp(at):
    """An instant with the fraction that stamps of venues have."""
    whole = iso(at)
    return f"{whole[:-1]}.{at.microsecond:06d}000Z" if at.microsecond and "." not in whole else whole


class Results:
    """What the run says of itself as a whole."""

    def __init__(self, audit):
        self.audit, self.check = audit, audit.check

    def audit_summary(self):
        audit = self.audit
        s, file = audit.summary, "summary.json"
        rows = [row for _, _, row in audit.equity]
        equity = [Decimal(row["equity_usd"]) for row in rows]
        flows = [Decimal(row["external_flow_usd"]) for row in rows]
        self.check(file, "equity_end_usd", "last equity", Decimal(rows[-1]["in_dollars"][0]), Decimal(s["equity_end_usd"]))
        self.check(file, "equity_start_usd", "first capital", Decimal(rows[0]["in_dollars"][1]), Decimal(s["equity_start_usd"]))
        if audit.config["share_class"] in DOLLARS:
            self.check(file, "equity_start", "initial_capital of config.yaml",
                       Decimal(audit.config["initial_capital"]), Decimal(s["equity_start"]))
        ends = [row["peg_price_usd"] for row in (rows[0], rows[-1])]
        self.check(file, "peg", "at both ends", {"start": ends[0], "end": ends[1]} if ends[0] else None, s["peg"])
        first = flows[0]
        if audit.config["share_class"] not in DOLLARS:
            first = rounded(first / Decimal(rows[0]["reference_price_usd"]))
        self.check(file, "equity_start", "first capital, share class", first, Decimal(s["equity_start"]))
        self.check(file, "shocks", "as in config.yaml", audit.config.get("shocks") or [], s["shocks"])
        for key in ("mode", "share_class"):
            self.check(file, key, "as in config.yaml", audit.config[key], s[key])
        for key in ("from", "to"):
            self.check(file, key, "as in config.yaml", audit.config.get(key) or s[key], s[key])
        resolved = hashlib.sha256((audit.run / "config.yaml").read_bytes()).hexdigest()
        if audit.market:
            for entry in s["data_files"]:
                digest = hashlib.sha256((audit.market.directory / entry["path"]).read_bytes()).hexdigest()
                self.check(file, "data_files", f"SHA-256 of {entry['path']}", digest, entry["sha256"])
        self.check(file, "config_hash", "SHA-256 of config.yaml", resolved, s["config_hash"])
        self.check(file, "equity_end", "last equity, share class", Decimal(rows[-1]["equity_share_class"]), Decimal(s["equity_end"]))
        self.audit_share_class(rows, equity, flows)
        for bucket in (*BUCKETS, "peg", "residual"):
            self.check(file, f"attribution.{bucket}", "sum over the steps", audit.replay.totals[bucket], Decimal(s["attribution"][bucket]))
        costs = {name: -audit.replay.totals[name] for name in ("fees", "slippage", "gas", "borrow_cost", "transfer_cost", "liquidation")}
        # What others bore of a liquidation was no cost.
        written_off = sum((line.value for line in audit.ledger if line.kind == "write_off"), ZERO)
        self.check(file, "written_off", "debt left to lenders, and what insurance funds covered", written_off, Decimal(s["written_off"]))
        costs["liquidation"] += written_off
        for name, cost in (*costs.items(), ("total", sum(costs.values(), ZERO))):
            self.check(file, f"costs.{name}", "buckets that cost, turned round", cost, Decimal(s["costs"][name]))
        topics = list({line.event: line.topic for line in audit.ledger}.values())
        counted = {"steps": len(rows), "fills": sum(1 for _, r in audit.executions if r["instrument"]),
                   "liquidations": topics.count("forced") + topics.count("liquidation"), "funding_payments": sum(1 for line in audit.ledger if line.word == "funding"),
                   "transfers": sum(1 for _, r in audit.executions if r["transfer_asset"] and
                                    r["from_account"].split(".")[0] != r["to_account"].split(".")[0])}
        counted |= self.count_orders()
        for name, value in counted.items():
            self.check(file, f"counts.{name}", "counted in the files", value, s["counts"][name])
        left = [str(row) for rows in audit.funding.unbooked.values() for row in rows]
        self.check(file, "unbooked_funding", "rows that no instant explains", [], sorted(left))
        total = sum((Decimal(r["exposed_notional"]) for r in s["unbooked_funding"]), ZERO)
        self.check(file, "unbooked_funding_total", "sum", total, Decimal(s["unbooked_funding_total"]))
        self.check("executions.csv", "-", "fills without ledger lines", [], sorted(audit.fills.by_event))
        self.check("executions.csv", "-", "transactions without ledger lines", [], sorted(audit.chain.requests))
        Performance(self.audit).audit_performance(rows)
        audit.exits.audit_summary(rows)

    def audit_share_class(self, rows, equity, flows):
        """The buckets in the share class: each over the reference price of its step, the numeraire apart."""
        audit = self.audit
        stated, file = audit.summary["attribution_share_class"], "summary.json"
        if audit.config["share_class"] in DOLLARS:
            self.check(file, "attribution_share_class", "none in dollars", None, stated)
            for number, _, row in audit.equity:
                self.check("equity.csv", number, "no numeraire in dollars", "", row["numeraire_share_class"])
            return
        totals, before, then = defaultdict(Decimal), ZERO, None
        for (number, _, row), value, flow in zip(audit.equity, equity, flows):
            now = Decimal(row["reference_price_usd"])
            opening = rounded(before / then) if then else ZERO
            parts = {bucket: rounded(Decimal(row[bucket]) / now) for bucket in BUCKETS}
            parts["numeraire"] = rounded(before / now) - opening
            residual = rounded(value / now) - opening - rounded(flow / now) - sum(parts.values(), ZERO)
            self.check("equity.csv", number, "residual in the share class is rounding", ZERO, residual, TOLERANCE)
            self.check("equity.csv", number, "numeraire in the share class", parts["numeraire"],
                       Decimal(row["numeraire_share_class"] or "Infinity"))
            # In the share class nothing is in dollars: the peg moves nothing.
            for bucket, part in (*parts.items(), ("peg", ZERO), ("residual", residual)):
                totals[bucket] += part
            before, then = value, now
        self.check(file, "attribution_share_class", "buckets", sorted(totals), sorted(stated))
        for bucket, total in totals.items():
            self.check(file, f"attribution_share_class.{bucket}", "sum over the steps", total, Decimal(stated[bucket]))
        last = rounded(equity[-1] / Decimal(rows[-1]["reference_price_usd"]))
        outside = sum((rounded(f / Decimal(r["reference_price_usd"])) for f, r in zip(flows, rows)), ZERO)
        self.check(file, "attribution_share_class", "buckets and capital come to the equity",
                   last, outside + sum(totals.values(), ZERO))

    def count_orders(self):
        """Orders and refused legs, from the events of the instructions."""
        audit = self.audit
        path = audit.run / "events" / "tight_loop_events.jsonl"
        if not path.exists():
            audit.skip("no events/tight_loop_events.jsonl: counts.orders and counts.rejections are not checked")
            return {}
        events = [json.loads(line) for line in path.read_text().splitlines()]
        sent = [e["data"] for e in events if e["event_type"] == "instruction"]
        left = defaultdict(list)
        for line in audit.ledger:
            left[line.row["instruction_id"]].append(line.number)
        for data in sent:
            if data["outcome"] == "failed":
                ident = str(data["instruction_id"])
                self.check("ledger.csv", "-", f"rows that the refused instruction {ident} left", [], left[ident])
        return {"orders": sum(1 for d in sent if d["operation"] in ("spot_trade", "perp_trade")),
                "rejections": sum(1 for d in sent if d["outcome"] == "failed")}

    def audit_coverage(self):
        """What each series holds of the dates: its gaps, and what stands in for them."""
        audit = self.audit
        if not audit.market:
            return
        start, end = instant(audit.summary["from"]), instant(audit.summary["to"])
        stated = {row["series"] for row in audit.summary["coverage"]}
        used = {audit.config["reference_price"]} | {audit.series_of(line.key) for line in audit.ledger} - {None}
        used |= {audit.chain.market.rate_series(line.asset)[0] for line in audit.ledger if audit.rated(line.key)}
        used |= {name.replace("mark.", "perp.", 1) for name in used}
        used |= {name.replace("perp.", "funding.", 1) for name in used if name.startswith("perp.")}
        self.check("summary.json", "coverage", "every series used is covered", [], sorted(used - stated))
        coverage, gaps, proxies, shifts, unscheduled = [], [], {}, [], []
        for series in (row["series"] for row in audit.summary["coverage"]):
            kind = series.split(".")[0]
            proxy = audit.market.proxies.get(series)
            if kind.startswith("reward"):
                row, gap = self.payments(series, (start, end))
                coverage.append(row)
                gaps += gap
                continue
            if kind in ROW_KINDS:
                due, own, other = self.due_rows(series, proxy, (start, end))
            elif kind == "funding":
                due, own, other, stray = self.due_settlements(series, proxy, (start, end))
                unscheduled += stray
            else:
                due, own, other = self.due_bars(series, proxy, (start, end))
            row, last, before = {"series": series, "expected": len(due), "present": 0}, None, None
            shifted = []
            for at in due:
                if at in own:
                    row["present"] += 1
                    stamped, instant_of = own[at]
                    if stamped != instant_of:
                        shifted.append((stamped, stamped - instant_of))
                else:
                    filled = at in other
                    how = "proxied" if filled else "unbooked" if kind == "funding" else "held"
                    if last and last["treatment"] == how and instant(last["last"]) == before:
                        last |= {"last": iso(at), "missing": last["missing"] + 1}
                    else:
                        last = {"series": series, "first": iso(at), "last": iso(at), "missing": 1,
                                "treatment": how, "proxy": proxy if filled else None}
                        gaps.append(last)
                    if filled:
                        proxies[series, proxy] = proxies.get((series, proxy), 0) + 1
                before = at
            gaps += self.suspects(series, (start, end)) if kind == "funding" else []
            if shifted:
                millis = [shift // timedelta(milliseconds=1) for _, shift in shifted]
                shifts.append({"series": series, "rows": len(shifted), "first": stamp(shifted[0][0]),
                               "last": stamp(shifted[-1][0]), "least_ms": min(millis), "most_ms": max(millis)})
            coverage.append(row)
        used = [{"series": a, "proxy": b, "values": n} for (a, b), n in proxies.items()]
        for key, expected in (("coverage", coverage), ("gaps", gaps), ("proxies", used), ("shifts", shifts),
                              ("unscheduled", unscheduled)):
            found = audit.summary[key]
            self.check("summary.json", key, "number of rows", len(expected), len(found))
            for at, (want, got) in enumerate(zip(expected, found)):
                self.check("summary.json", f"{key}[{at}]", "re-derived from the data", want, got)

    def suspects(self, series, dates):
        """Months of a perp whose mean funding is far from the median of three venues or more."""
        (start, end), audit = dates, self.audit
        symbol = series.split(".")[2]
        stated = [row["series"] for row in audit.summary["coverage"]]
        loaded = set(stated) | {audit.market.proxies[name] for name in stated if name in audit.market.proxies}
        months = defaultdict(dict)
        for name in loaded:
            kind, venue, its = name.split(".")
            if kind != "funding" or its != symbol:
                continue
            rows = defaultdict(list)
            for at, rate in sorted(audit.market.raw_funding(name).items()):
                hour = at + TOLERANCE_OF_STAMPS
                rows[hour.year, hour.month].append((at, rate))
            for month, found in rows.items():
                if len(found) < 10:
                    continue
                at = found[0][0]
                every = audit.rules.interval_hours(venue, symbol, at)
                mean = sum(rate for _, rate in found) * 8760 / (every * len(found))
                months[month][name] = (mean, found[0][0], found[-1][0])
        gaps = []
        for month in sorted(months):
            venues = months[month]
            if len(venues) < 3 or series not in venues:
                continue
            mean, first, last = venues[series]
            if abs(mean - median(value[0] for value in venues.values())) > Decimal("0.15") and last > start and first <= end:
                gaps.append({"series": series, "first": stamp(first), "last": stamp(last), "missing": 0,
                             "treatment": "suspect", "proxy": None})
        return gaps

    def payments(self, series, dates):
        """Payments are due at no date, but a series that ends long before the run is a gap from there."""
        (start, end), rows = dates, self.audit.chain.market.recorded(series)
        known = list(rows.known_at) if rows else []
        paid = sum(1 for at in known if start < at <= end)
        gaps = []
        longest = max((b - a for a, b in zip(known, known[1:])), default=timedelta(days=31))
        if known and end - known[-1] > longest:
            gaps.append({"series": series, "first": iso(max(known[-1], start)), "last": iso(end), "missing": 1,
                         "treatment": "ended", "proxy": None})
        return {"series": series, "expected": paid + len(gaps), "present": paid}, gaps

    def due_bars(self, series, proxy, dates):
        """A bar is due at every multiple of its length."""
        (start, end), market = dates, self.audit.market
        bars = market.bars(series)
        every = bars.length if bars else market.step
        at = start - timedelta(seconds=start.timestamp() % every.total_seconds()) + every
        due = []
        while at <= end:
            due.append(at)
            at += every
        return due, {at: (at, at) for at in market.instants(series)}, market.instants(proxy)

    def due_settlements(self, series, proxy, dates):
        """A settlement is due when the dated rules say; a row within the tolerance of one is its value."""
        (start, end), audit = dates, self.audit
        _, venue, symbol = series.split(".")
        near = list(audit.rules.settlements(venue, symbol, start - 2 * TOLERANCE_OF_STAMPS, end + 2 * TOLERANCE_OF_STAMPS))
        def settled(name):
            found, stray = {}, []
            for at in sorted(audit.market.instants(name)):
                if not start - TOLERANCE_OF_STAMPS <= at <= end + TOLERANCE_OF_STAMPS:
                    continue
                slot = bisect_left(near, at - TOLERANCE_OF_STAMPS)
                hit = near[slot] if slot < len(near) and near[slot] <= at + TOLERANCE_OF_STAMPS else None
                if hit is not None and not start < hit <= end:
                    continue
                if hit is not None and hit not in found:
                    found[hit] = (at, hit)
                elif start < at <= end:
                    stray.append(at)
            return found, stray
        own, stray = settled(series)
        other = settled(proxy)[0] if proxy else {}
        lost = [{"series": series, "rows": len(stray), "first": stamp(stray[0]), "last": stamp(stray[-1])}] if stray else []
        return [at for at in near if start < at <= end], own, other, lost

    def due_rows(self, series, proxy, dates):
        """A row that holds is due one interval after the one before, wherever in the interval that was read."""
        (start, end), market = dates, self.audit.chain.market
        rows = market.recorded(series)
        stand_in = market.recorded(proxy) if proxy else None
        known, others = (list(r.known_at) if r else [] for r in (rows, stand_in))
        every = rows.interval if rows else self.audit.market.step
        late = min(SLACK, every / 2)
        def nearest(times, at):
            inside = times[bisect_right(times, at - every + late):bisect_right(times, at + late)]
            return min(inside, key=lambda t: (abs(t - at), -t.timestamp()), default=None)
        at = start - timedelta(seconds=start.timestamp() % every.total_seconds())
        due, own, other = [], {}, set()
        while at <= end - SLACK:
            due.append(at)
            found = nearest(known, at)
            if found is not None:
                floor = found - timedelta(seconds=found.timestamp() % every.total_seconds())
                grid = next((g for g in (floor, floor + every) if abs(found - g) <= TOLERANCE_OF_STAMPS), None)
                own[at] = (found, grid or floor)
                at = grid or found
            elif nearest(others, at) is not None:
                other.add(at)
            at += every
        return due, own, other

    def audit_clock(self):
        audit = self.audit
        step = timedelta(seconds=audit.step_seconds())
        start, end = instant(audit.summary["from"]), instant(audit.summary["to"])
        offset = start.timestamp() % step.total_seconds()
        expected = start - timedelta(seconds=offset) + step
        for number, at, _ in audit.equity:
            if not self.check("equity.csv", number, "one row per step", iso(expected), iso(at)):
                break
            expected += step
        self.check("equity.csv", "end", "the run ends within a step of `to`", True, audit.steps[-1] <= end < expected)
