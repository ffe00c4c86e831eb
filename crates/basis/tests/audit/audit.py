#!/usr/bin/env python3
"""Re-derives every number of a run directory from its ledger, its rules and the market data.

    python3 audit.py RUN... --data DIR [--json]

Exit code 0: everything agrees; 1: at least one difference, each printed with file, row, what was
expected and what was found; 2: the run directory or the data cannot be read. A run under shocks is
held against the data as its sentences change them (docs/stress.md).

This program shares no code with `basis`. It reads the run directory (config.yaml, summary.json and
the CSV files) and the recorded data, nothing else, and needs only Python 3.11. The formulas are those
of docs/run-directory.md. Amounts are decimals of 60 digits, rounded only where the document says so.
"""

import argparse
import csv
import hashlib
import json
import sys
from bisect import bisect_right
from collections import defaultdict
from copy import copy
from datetime import datetime, timedelta, timezone
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, getcontext
from functools import cache
from pathlib import Path

from chain import Chain, plain
from chain_data import ETHERS, ROW_KINDS, SLACK, STATES
from risk import Risk
from shocks import Shocks

getcontext().prec = 60
ZERO, ONE = Decimal(0), Decimal(1)
DOLLARS = ("USDT", "USDC", "DAI", "USD")
BUCKETS = ("price", "basis", "funding", "interest", "borrow_cost", "staking_yield", "rewards",
           "liquidity_fees", "slippage", "fees", "gas", "transfer_cost", "liquidation")
KIND_BUCKET = {"fee": "fees", "funding": "funding", "interest": "interest", "rebase": "staking_yield",
               "borrow_cost": "borrow_cost", "reward": "rewards", "liquidity_fee": "liquidity_fees", "gas": "gas",
               "transfer_cost": "transfer_cost", "liquidation": "liquidation"}
KINDS = set(KIND_BUCKET) | {"trade", "realized_pnl", "transfer", "deposit", "withdrawal"}
ACTIONS = ("entry_full", "entry_partial", "exit_full", "exit_partial", "sell_dust", "late_fill")
TOLERANCE = Decimal("1e-9")  # of equity, for sums of many rounded products
OPENING = timedelta(microseconds=1)  # how `instant` reads the nanosecond after a step, when the next bar opens


def rounded(value, decimals=18, mode=ROUND_HALF_EVEN):
    return value.quantize(Decimal(1).scaleb(-decimals), rounding=mode)


def to_step(value, step, mode):
    """The multiple of `step` next to `value`."""
    return (value / step).quantize(ONE, rounding=mode) * step


@cache
def instant(text):
    if text[10:11] != "T" or text[-1:] != "Z":
        raise ValueError(f"`{text}` is no UTC instant")
    seconds, _, fraction = text[:-1].partition(".")
    micros, rest = divmod(int(fraction.ljust(9, "0")), 1000)
    # Nanoseconds are rounded up to what this Python's clock can hold.
    return datetime.fromisoformat(seconds + "+00:00") + timedelta(microseconds=micros + (rest > 0))


def iso(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


# --- config.yaml: block maps, `- ` lists, scalars as JSON strings or plain words ------------------

def scalar(text):
    if text in ("", "null", "~"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if text in ("[]", "{}"):
        return [] if text == "[]" else {}
    return json.loads(text) if text.startswith('"') else text


def split_key(text):
    """`key: rest`, or None when the line is no entry of a map."""
    if text.startswith('"'):
        end = json.JSONDecoder().raw_decode(text)[1]
        key, rest = json.loads(text[:end]), text[end:]
        return (key, rest[1:].strip()) if rest.startswith(":") else None
    key, colon, rest = text.partition(":")
    return (key, rest.strip()) if colon and (not rest or rest[0] == " ") else None


def read_yaml(text):
    lines = []
    for number, raw in enumerate(text.splitlines(), 1):
        body = raw.strip()
        if body and not body.startswith("#") and body != "---":
            lines.append((len(raw) - len(raw.lstrip()), body, number))

    def block(at, indent):
        """The value whose lines start at `at`, indented by `indent`; and the line after it."""
        if lines[at][1].startswith("- ") or lines[at][1] == "-":
            items = []
            while at < len(lines) and lines[at][0] == indent and lines[at][1][:1] == "-":
                inner = lines[at][1][1:].strip()
                if not inner:
                    value, at = block(at + 1, lines[at + 1][0])
                elif split_key(inner):
                    # `- key: value` opens a map that goes on below, indented past the dash.
                    column = indent + len(lines[at][1]) - len(inner)
                    lines[at] = (column, inner, lines[at][2])
                    value, at = block(at, column)
                else:
                    value, at = scalar(inner), at + 1
                items.append(value)
            return items, at
        entries = {}
        while at < len(lines) and lines[at][0] == indent:
            pair = split_key(lines[at][1])
            if pair is None:
                raise ValueError(f"config.yaml line {lines[at][2]}: no `key: value`")
            key, rest = pair
            at += 1
            if rest:
                entries[key] = scalar(rest)
            elif at < len(lines) and (lines[at][0] > indent or
                                      lines[at][0] == indent and lines[at][1][:1] == "-"):
                entries[key], at = block(at, lines[at][0])
            else:
                entries[key] = None
        return entries, at

    if not lines:
        return {}
    value, at = block(0, lines[0][0])
    if at != len(lines):
        raise ValueError(f"config.yaml line {lines[at][2]}: indentation ends no block")
    return value


def dig(tree, *keys, default=None):
    for key in keys:
        if not isinstance(tree, dict) or tree.get(key) is None:
            return default
        tree = tree[key]
    return tree


# --- rules: the snapshots under `rules` of config.yaml --------------------------------------------

class Rules:
    def __init__(self, tree):
        self.venues = {}
        self.decimals = {}
        self.cache = {}
        for venue, file in tree.items():
            rows = sorted(file["snapshots"], key=lambda row: row["effective_from"])
            self.venues[venue] = rows
            for row in rows:
                for asset in row.get("assets") or []:
                    self.decimals.setdefault(asset["asset"], int(asset["decimals"]))

    def at(self, venue, at):
        """The newest snapshot in force; before the first one, the first."""
        rows = self.venues[venue]
        day = at.strftime("%Y-%m-%d")
        in_force = [row for row in rows if row["effective_from"][:10] <= day]
        return in_force[-1] if in_force else rows[0]

    def fee_rate(self, venue, kind, liquidity, at):
        return Decimal(self.at(venue, at)["fees"][kind][f"{liquidity}_bps"]) / 10000

    def instrument(self, venue, kind, symbol, at):
        """Filters in base units: what the venue counts in contracts is multiplied out."""
        snapshot = self.at(venue, at)
        known = (venue, snapshot["effective_from"], kind, symbol)
        if known in self.cache:
            return self.cache[known]
        for row in snapshot["instruments"]:
            if (row["kind"], row["symbol"]) == (kind, symbol):
                size = Decimal(row["contract_size"]) if kind == "perp" else ONE
                out = dict(row)
                for key in ("lot_size", "min_quantity", "max_quantity", "max_market_quantity"):
                    out[key] = Decimal(row[key]) * size
                out["tick_size"] = Decimal(row["tick_size"])
                out["min_notional"] = Decimal(row.get("min_notional") or 0)
                out["contract_size"] = size
                self.cache[known] = out
                return out
        raise KeyError(f"config.yaml: no rules for {venue}:{kind}:{symbol}")

    def maintenance(self, key, quantity, mark, at):
        """Maintenance margin: notional x rate of its tier - deduction, each rounded up."""
        gross, deduction = self.maintenance_parts(key, quantity, mark, at)
        return gross - deduction

    def maintenance_parts(self, key, quantity, mark, at):
        """What moves with the price, and the deduction that does not."""
        rules = self.instrument(*key, at)
        notional = rounded(abs(quantity) * mark, mode=ROUND_CEILING)
        measure = notional
        if rules.get("tier_unit") == "contracts":
            measure = abs(quantity) / rules["contract_size"]
        tiers = rules["tiers"]
        tier = next((t for t in tiers if measure <= Decimal(t["up_to"])), tiers[-1])
        gross = rounded(notional * Decimal(tier["maintenance_margin_rate"]), mode=ROUND_CEILING)
        whole = rules.get("tier_method") == "whole"
        return gross, ZERO if whole else Decimal(tier.get("deduction") or 0)


# --- market data: bars and funding rates as recorded ----------------------------------------------

class Series:
    """Marks of one price series, step by step, as the run could know them."""

    def __init__(self, market, name):
        self.name = name
        self.own = market.bars(name)
        proxy = market.proxies.get(name)
        self.proxy = market.bars(proxy) if proxy else None
        self.anchor = None
        self.mark, self.state = None, "missing"
        self.open = self.high = self.low = self.volume = ZERO
        self.opened = None
        self.seen = (None, ZERO)

    def at(self, now, age_max=None):
        """The close as it was known at another instant, held where it was too old; None before one."""
        for bars in (self.own, self.proxy):
            newest = bars.newest(now, age_max) if bars else None
            if newest:
                return newest[0]
        held = self.own.closed(now) if self.own else None
        return held and held[1]

    def advance(self, now, age_max, reference):
        # What a decision at the step before saw.
        self.seen = (self.mark, self.volume)
        for bars, state in ((self.own, "fresh"), (self.proxy, "proxied")):
            newest = bars.newest(now, age_max) if bars else None
            if newest:
                self.mark, self.high, self.low, self.volume, self.open, self.opened = newest
                self.state = state
                self.anchor = (self.mark, self.mark if reference is None else reference)
                return
        if self.anchor is None:
            return
        mark, then = self.anchor
        moves = reference is not None and reference > 0 and then > 0
        self.mark = rounded(rounded(mark * reference / then), 8) if moves else mark
        self.state, self.volume = "held", ZERO
        self.open = self.high = self.low = self.mark
        self.opened = None


@cache
def recorded_bars(path, length, volume_unit):
    """The bars of a file, read once for all runs."""
    return Bars(path, length, volume_unit) if path.exists() else None


@cache
def recorded_funding(path):
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {instant(row["timestamp"]): Decimal(row["funding_rate"]) for row in csv.DictReader(file)}


class Bars:
    """A bar is known when it closes: its opening time plus its length."""

    def __init__(self, path, length, volume_unit):
        self.length, self.known_at, self.rows = length, [], []
        with path.open(newline="") as file:
            lines = csv.reader(file)
            header = next(lines)
            at, *columns = (header.index(name) for name in ("timestamp", "close", "high", "low", "volume", "open"))
            for row in lines:
                opened = instant(row[at])
                close, high, low, volume, first = (Decimal(row[column]) for column in columns)
                self.known_at.append(opened + length)
                self.rows.append((close, high, low, volume * volume_unit, first, opened))

    def shocked(self, shocks, name):
        other = copy(self)
        other.rows = shocks.bars(name, self.known_at, self.rows)
        return other

    def closed(self, now):
        """When the newest bar that is known closed, and its close; however old."""
        at = bisect_right(self.known_at, now) - 1
        return (self.known_at[at], self.rows[at][0]) if at >= 0 else None

    def newest(self, now, age_max):
        """Close, high, low, volume, open and opening time of the newest bar that is known and not too old."""
        at = bisect_right(self.known_at, now) - 1
        if at < 0 or now - self.known_at[at] >= (age_max or self.length):
            return None
        return self.rows[at]


class Market:
    def __init__(self, directory, config, rules):
        self.directory, self.rules, self.cache = directory, rules, {}
        minutes = int(dig(config, "data", "step_minutes", default=60))
        self.step = timedelta(minutes=minutes)
        self.suffix = f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"
        age = dig(config, "data", "bar_age_max_minutes")
        self.age_max = timedelta(minutes=int(age)) if age else None
        self.proxies = {}
        for kind, venues in (dig(config, "data", "proxies", default={}) or {}).items():
            for venue, symbols in (venues or {}).items():
                for symbol, proxy in (symbols or {}).items():
                    self.proxies[f"{kind}.{venue}.{symbol}"] = proxy
        self.shocks = Shocks(config.get("shocks") or [], config["reference_price"], self.step)
        self.recorded = self.load(config["reference_price"])  # as it was, without any shock
        self.reference = Series(self, config["reference_price"])
        self.series = {self.reference.name: self.reference}

    def bars(self, name):
        if name not in self.cache:
            bars = self.load(name)
            self.cache[name] = bars and bars.shocked(self.shocks, name)
        return self.cache[name]

    def load(self, name):
        kind, venue, symbol = name.split(".")
        path = self.directory / kind / venue / f"{symbol}_{self.suffix}.csv"
        unit = ONE
        if venue == "okx" and kind == "perp":  # recorded in contracts
            unit = self.rules.instrument(venue, kind, symbol, datetime.now(timezone.utc))["contract_size"]
        return recorded_bars(path, self.step, unit)

    def rate(self, venue, symbol, at):
        """The rate settled at the instant, of the series or of its proxy; None when nobody has it."""
        name = f"funding.{venue}.{symbol}"
        for candidate in (name, self.proxies.get(name)):
            rates = self.funding(candidate) if candidate else {}
            if at in rates:
                return rates[at]
        return None

    def funding(self, name):
        if name not in self.cache:
            _, venue, symbol = name.split(".")
            rates = recorded_funding(self.directory / "funding" / venue / f"{symbol}.csv")
            self.cache[name] = self.shocks.funding(name, rates)
        return self.cache[name]

    def instants(self, name):
        """When the values of a series became known."""
        if name is None:
            return set()
        if name.startswith("funding."):
            return set(self.funding(name))
        if name.split(".")[0] in ROW_KINDS:
            return set()
        bars = self.bars(name)
        return set(bars.known_at) if bars else set()

    def want(self, names):
        for name in names:
            self.series.setdefault(name, Series(self, name))

    def advance(self, now):
        self.reference.advance(now, self.age_max, None)
        for series in self.series.values():
            if series is not self.reference:
                # A pool's price in ETH does not follow the dollar price of anything.
                follows = not series.name.startswith("dex.")
                series.advance(now, self.age_max, self.reference.mark if follows else None)
        for series in self.series.values():
            if series.state in ("fresh", "proxied") and self.shocks.is_out(series.name.split(".")[1], now):
                series.state = "held"


# --- the run directory ----------------------------------------------------------------------------

class Line:
    """One ledger line."""

    def __init__(self, number, row):
        self.number, self.row = number, row
        self.at = instant(row["timestamp"])
        self.key = (row["account"], row["item"])
        self.quantity, self.value = Decimal(row["quantity"]), Decimal(row["value_usd"])
        self.asset, sign = plain(row["item"])
        self.units = Decimal(row["units"])
        self.signed = sign * self.units  # below zero for what is owed
        self.reference, self.kind = Decimal(row["reference_price_usd"]), row["kind"]
        self.happening = row["cause"].rpartition("#")[0]
        word, _, rest = self.happening.partition(":")
        if word == "log":  # one transaction; its lines are numbered by the log's index
            self.happening = self.happening.rpartition(":")[0]
        self.word = word
        # Of what came about by itself on chain: interest, staking, or the pool's liquidation.
        self.topic = rest.split(":")[1] if word == "other" else word
        # trade:venue:kind:SYMBOL:id, in hedge mode trade:venue:kind:SYMBOL:side:id; liquidation alike
        self.instrument = instrument_of(rest) if word in ("trade", "liquidation") else None


SIDES = ("long", "short")


def is_position(item):
    """venue:kind:SYMBOL, or venue:kind:SYMBOL:side in hedge mode."""
    return item.count(":") >= 2 and not item.startswith("liquidity:")


def contract(item):
    """Venue, kind and symbol of a position, whatever its side."""
    venue, kind, symbol = item.split(":")[:3]
    return venue, kind, symbol


def side(item):
    """The side of a position in hedge mode."""
    last = item.rpartition(":")[2]
    return last if last in SIDES else None


def instrument_of(rest):
    """The instrument at the beginning of `venue:kind:SYMBOL[:side]:id`."""
    parts = rest.split(":")
    sided = len(parts) > 4 and parts[3] in SIDES
    return ":".join(parts[:4 if sided else 3])


class Audit:
    dollars, iso = DOLLARS, staticmethod(iso)

    def __init__(self, run, data):
        self.run, self.differences, self.counts, self.skipped = run, [], defaultdict(int), []
        self.config = read_yaml((run / "config.yaml").read_text())
        self.summary = json.loads((run / "summary.json").read_text())
        self.rules = Rules(self.config["rules"])
        self.ledger = [Line(n, row) for n, row in self.table("ledger.csv")]
        self.equity = [(n, instant(row["timestamp"]), row) for n, row in self.table("equity.csv")]
        self.executions = self.table("executions.csv")
        self.next_open = self.config.get("fill_at") == "next_open"
        # Orders whose fill was not known yet when they were sent.
        self.sent = {row["instruction_id"]: instant(row["timestamp"]) for _, row in self.executions
                     if row["status"] == "pending" and row["operation"] in ("spot_trade", "perp_trade")}
        self.steps = [at for _, at, _ in self.equity]
        self.market = None
        if self.summary["synthetic"]:
            self.skip("the market is synthetic: marks, funding rates and held prices have no files")
        elif data is None:
            self.skip("no --data: marks, funding rates and held prices are not checked")
        else:
            self.market = Market(data, self.config, self.rules)
        self.spot_venue = self.config.get("spot_venue")
        self.base = self.config["reference_price"].split(".")[2]
        for dollar in DOLLARS:
            self.base = self.base.removesuffix(dollar)
        self.chain = Chain(self)
        self.risk = Risk(self)

    def table(self, name):
        """Rows of a CSV file with their line numbers; the header is line 1."""
        with (self.run / name).open(newline="") as file:
            return list(enumerate(csv.DictReader(file), 2))

    def skip(self, why):
        self.skipped.append(why)

    def check(self, file, row, what, expected, found, tolerance=ZERO):
        self.counts[file] += 1
        if isinstance(expected, Decimal) and isinstance(found, Decimal):
            if abs(expected - found) <= tolerance:
                return True
        elif expected == found:
            return True
        file = "ledger.csv" if file.startswith("chain: ") else file  # the topic of a line
        self.differences.append({"file": file, "row": row, "what": what,
                                 "expected": str(expected), "found": str(found)})
        return False

    def series_of(self, key):
        """The price series of a holding; None for what the run values at 1."""
        account, item = key
        if is_position(item):
            venue, kind, symbol = contract(item)
            return f"{kind}.{venue}.{symbol}"
        item, _ = plain(item)
        if item in DOLLARS:
            return None
        reference = self.config["reference_price"]
        venue = account.split(".")[0]
        return f"spot.{venue}.{reference.split('.')[2]}" if venue == self.spot_venue else reference

    def rated(self, key):
        """The token a holding is of when it is valued at a rate in ETH; None for anything else."""
        if is_position(key[1]):
            return None
        asset, _ = plain(key[1])
        return None if asset in DOLLARS or asset in ETHERS or asset in (self.base, "ETH", "BTC") else asset

    def rate(self, key):
        """ETH per unit as the marks have it, its state, and whether its growth is yield."""
        asset = self.rated(key)
        return (ONE, None, None) if asset is None else self.chain.market.rate(asset, self.now)

    def signed_units(self, key):
        return -self.units[key] if key[1].startswith("debt:") else self.units[key]

    # -- (a) the ledger by itself ------------------------------------------------------------------

    def audit_ledger(self):
        causes, held, stood_for = {}, defaultdict(Decimal), defaultdict(Decimal)
        legs = defaultdict(Decimal)
        step = 0
        self.step_of = []
        for index, line in enumerate(self.ledger):
            row = line.row
            self.check("ledger.csv", line.number, "seq", index, int(row["seq"]))
            self.check("ledger.csv", line.number, "cause is unique", None, causes.get(row["cause"]))
            causes[row["cause"]] = f"also on row {line.number}"
            self.check("ledger.csv", line.number, "kind is known", True, line.kind in KINDS)
            while step < len(self.steps) and self.steps[step] < line.at:
                step += 1
            self.step_of.append(step)
            if line.kind != "trade":
                worth = rounded(line.signed * line.reference)
                self.check("ledger.csv", line.number, "value = units x reference price", worth, line.value)
            elif line.instrument and line.instrument.split(":")[1] == "spot":
                legs[line.happening, line.number - int(row["cause"].rpartition("#")[2])] += line.value
            item = row["item"]
            if line.asset in self.rules.decimals:
                unit = Decimal(1).scaleb(-self.rules.decimals[line.asset])
                if item == line.asset:
                    self.check("ledger.csv", line.number, "quantity in units of the asset", ZERO, line.quantity % unit)
                self.check("ledger.csv", line.number, "units in units of the asset", ZERO, line.units % unit)
            if item == line.asset or is_position(item):
                self.check("ledger.csv", line.number, "what is not scaled stands for itself", line.quantity, line.units)
            stood_for[line.key] += line.units
            if line.asset in DOLLARS:
                self.check("ledger.csv", line.number, "reference price of a dollar", ONE, line.reference)
            held[line.key] += line.quantity
            last = line.word == "log" or index + 1 == len(self.ledger) or self.ledger[index + 1].happening != line.happening
            if last and not is_position(item):
                self.check("ledger.csv", line.number, f"{item} in {row['account']} is not below zero",
                           True, held[line.key] >= 0 and stood_for[line.key] >= 0)
        for (happening, first), total in legs.items():
            self.check("ledger.csv", first, f"legs of {happening} cancel out", ZERO, total)
        self.check("ledger.csv", len(self.ledger) + 1, "every line lies within the run", True,
                   not self.step_of or self.step_of[-1] < len(self.steps))

    # -- the replay: everything that needs holdings at a step ---------------------------------------

    def replay(self):
        """Walks the steps; checks positions.csv, equity.csv, funding and fills on the way."""
        self.held, self.cost, self.units = defaultdict(Decimal), defaultdict(Decimal), defaultdict(Decimal)
        self.fills = self.fills_by_cause()
        self.unbooked = defaultdict(list)
        for row in self.summary["unbooked_funding"]:
            self.unbooked[row["series"], row["at"]].append(row)
        positions = defaultdict(dict)
        for number, row in self.table("positions.csv"):
            where = positions[row["timestamp"]]
            self.check("positions.csv", number, "one row per holding", False, (row["account"], row["item"]) in where)
            where[row["account"], row["item"]] = (number, row)
        if self.market:
            self.market.want(name for name in {self.series_of(line.key) for line in self.ledger} if name)
            self.market.want(name for name in self.chain.covered if name.startswith("dex."))
        opening, before, next_line = None, ZERO, 0
        self.totals = defaultdict(Decimal)
        for index, (number, now, row) in enumerate(self.equity):
            if self.market:
                self.market.advance(now)
            self.now, self.index = now, index
            buckets = defaultdict(Decimal)
            happenings = []
            while next_line < len(self.ledger) and self.step_of[next_line] <= index:
                happenings.append(self.happening(next_line))
                next_line += len(happenings[-1])
            # What filled when the bar opened is held at the funding instants within it, at every venue.
            for lines in filter(self.at_opening, happenings):
                self.post_happening(lines, buckets)
            self.chain.begin(now)
            self.expect_funding(now)
            judged = False
            for lines in happenings:
                if not self.at_opening(lines):
                    if not judged and self.is_act(lines[0]):
                        self.risk.judge()
                        judged = True
                    self.post_happening(lines, buckets)
            self.report_unbooked()
            self.chain.end(now)
            if not judged:
                self.risk.judge()
            held = positions.pop(iso(now), {})
            equity = self.audit_positions(now, held)
            opening = self.audit_equity(number, row, equity, before, opening, buckets)
            self.risk.close_step(now, held, Decimal(row["net_delta_base"]))
            before = equity
        for stamp, rows in positions.items():
            self.check("positions.csv", min(n for n, _ in rows.values()), f"{stamp} is a step", True, False)

    def is_act(self, line):
        """Whether the strategy or risk did it at this step, after risk had judged."""
        if line.word == "trade":
            fill = self.fills.get(line.happening)
            return fill is not None and fill[1]["action"] != "late_fill"
        return line.word in ("log", "transfer_out")

    def at_opening(self, lines):
        return self.index > 0 and lines[0].word == "trade" and lines[0].at == self.steps[self.index - 1] + OPENING

    def mark(self, key):
        name = self.series_of(key)
        if name is None:
            return ONE
        mark = self.market.series[name].mark
        return mark if self.rated(key) is None else rounded(mark * self.rate(key)[0])

    def mark_state(self, key):
        """The less certain of the price and the rate."""
        name, rated = self.series_of(key), self.rated(key) is not None
        if name is None or not self.market:
            return "par" if name is None else None
        states = [self.market.series[name].state] + ([self.rate(key)[1]] if rated else [])
        return max(states, key=STATES.index)

    def happening(self, first):
        """The lines of one happening, from its first on."""
        lines = [self.ledger[first]]
        for index in range(first + 1, len(self.ledger)):
            if self.ledger[index].happening != lines[0].happening:
                break
            lines.append(self.ledger[index])
        return lines

    def post_happening(self, lines, buckets):
        """Posts the lines of one happening, checked against what should have happened."""
        word = lines[0].word
        if word == "trade":
            self.audit_trade(lines)
        elif word == "funding":
            self.audit_funding(lines)
        elif word == "liquidation":
            self.audit_liquidation(lines)
        elif word == "log":
            self.chain.transaction(lines)
        elif word == "other":
            self.chain.own_happening(lines)
        for line in lines:
            self.held[line.key] += line.quantity
            self.units[line.key] += line.units
            if is_position(line.key[1]) and line.kind == "trade":
                self.cost[line.key] += line.value
            if line.kind == "realized_pnl":
                self.cost[line.key[0], line.instrument] += line.value
            if line.kind == "trade":
                buckets["slippage"] += rounded(line.signed * line.reference) - line.value
            elif line.kind in KIND_BUCKET:
                buckets[KIND_BUCKET[line.kind]] += line.value
            elif line.kind in ("deposit", "withdrawal"):
                buckets["external_flow"] += line.value
            if self.market and self.series_of(line.key):
                # What the mark has moved since the line, within the step: of a fill at the bar's open the
                # part that the reference moved is known, else all of it counts as the reference's.
                moved = self.mark(line.key) - line.reference
                if self.at_opening(lines):
                    reference = self.market.reference.mark - self.market.reference.open
                    buckets["basis"] += rounded(line.signed * (moved - reference))
                    moved = reference
                buckets["price"] += rounded(line.signed * moved)
        if word == "log":
            self.chain.posted(lines[0].number)

    # -- (b) funding -------------------------------------------------------------------------------

    def expect_funding(self, now):
        """Instants in (the step before, now] at which a position is held settle funding, each side its own."""
        self.due = {}
        self.held_before = dict(self.held)
        since = self.steps[self.index - 1] if self.index else now
        for (account, item), quantity in self.held.items():
            if not is_position(item) or quantity == 0:
                continue
            venue, kind, symbol = contract(item)
            section = self.rules.instrument(venue, kind, symbol, now).get("funding") or {}
            interval = int(section.get("interval_hours", 8)) * 3600
            anchor = int(section.get("anchor_hour_utc", 0)) * 3600
            at = (int(since.timestamp()) - anchor) // interval * interval + anchor + interval
            while at <= now.timestamp():
                when = datetime.fromtimestamp(at, timezone.utc)
                self.due[venue, symbol, iso(when), side(item)] = (account, item)
                at += interval

    def audit_funding(self, lines):
        """A settlement: one line, or in hedge mode line 0 for the long and line 1 for the short position."""
        _, venue, symbol, stamp = lines[0].happening.split(":", 3)
        for line in lines:
            sided = SIDES[int(line.row["cause"].rpartition("#")[2]) & 1]
            name = (venue, symbol, stamp, sided)
            self.audit_settlement(line, name if name in self.due else (venue, symbol, stamp, None))

    def audit_settlement(self, line, name):
        venue, symbol, stamp, _ = name
        if not self.check("ledger.csv", line.number, "a position was held at the funding instant",
                          True, name in self.due) or not self.market:
            self.due.pop(name, None)
            return
        account, item = self.due.pop(name)
        when = instant(stamp)
        rate = self.market.rate(venue, symbol, when)
        if not self.check("ledger.csv", line.number, "a rate is recorded", True, rate is not None):
            return
        notional = rounded(self.held[account, item] * self.mark((account, item)))
        amount = rounded(-rounded(notional * rate), self.rules.decimals["USDT"], ROUND_FLOOR)
        self.check("ledger.csv", line.number, "funding = -(position x mark x rate)", amount, line.quantity)
        self.risk.settled[venue, symbol] = rate
        self.risk.paid(item, amount)
        self.check("ledger.csv", line.number, "account", account, line.key[0])
        self.check("ledger.csv", line.number, "instant", when, line.at)

    def report_unbooked(self):
        """What was due and not booked must be in the summary, with what it left exposed."""
        for (venue, symbol, stamp, _), key in sorted(self.due.items(), key=lambda due: due[1]):
            rows = self.unbooked[f"funding.{venue}.{symbol}", stamp]
            found = rows.pop(0) if rows else None
            what = f"funding of {venue} {symbol} at {stamp} is booked or listed as unbooked"
            if not self.check("summary.json", "unbooked_funding", what, True, found is not None):
                continue
            self.check("summary.json", "unbooked_funding", f"position at {stamp}", self.held_before[key], Decimal(found["position"]))
            if self.market:
                rate = self.market.rate(venue, symbol, instant(stamp))
                self.check("summary.json", "unbooked_funding", f"no rate at {stamp}", None, rate)
                worth = rounded(abs(self.held_before[key]) * self.mark(key))
                self.check("summary.json", "unbooked_funding", f"notional at {stamp}", worth, Decimal(found["exposed_notional"]))

    # -- (c) fills, fees, filters --------------------------------------------------------------------

    def fills_by_cause(self):
        fills, file = {}, "executions.csv"
        for number, row in self.executions:
            self.check(file, number, "action is known", True, row["action"] in ACTIONS)
            self.check(file, number, "status is known", True, row["status"] in ("settled", "open", "pending"))
            if row["transfer_asset"]:
                self.check(file, number, "operation", "transfer", row["operation"])
                self.check(file, number, "venue", row["from_account"].split(".")[0], row["venue"])
            if row["instrument"]:
                venue, kind, _ = contract(row["instrument"])
                late = row["action"] == "late_fill"
                self.check(file, number, "venue", venue, row["venue"])
                self.check(file, number, "operation", kind if late else f"{kind}_trade", row["operation"])
                self.check(file, number, "side is known", True, row["side"] in ("buy", "sell"))
                if not self.check(file, number, "liquidity is known", True, row["liquidity"] in ("maker", "taker")):
                    continue
                cause = f"trade:{row['instrument']}:{row['trade_id']}"
                self.check("executions.csv", number, "trade id is unique", False, cause in fills)
                fills[cause] = (number, row)
        return fills

    def audit_trade(self, lines):
        """The lines of a fill follow from the fill; the fill follows from market and rules."""
        first = lines[0]
        fill = self.fills.pop(first.happening, None)
        if not self.check("ledger.csv", first.number, f"{first.happening} is in executions.csv", True, fill is not None):
            return
        number, row = fill
        venue, kind, symbol = contract(row["instrument"])
        rules = self.rules.instrument(venue, kind, symbol, first.at)
        sign = 1 if row["side"] == "buy" else -1
        quantity, price, mark = (Decimal(row[c]) for c in ("quantity_base", "price_quote", "mark_price_quote"))
        for line in lines:
            self.check("executions.csv", number, "instant", line.row["timestamp"], row["timestamp"])
        self.audit_instant(number, row, first.at)
        self.audit_price(number, row, rules, sign, quantity, price, mark)
        rate = self.rules.fee_rate(venue, kind, row["liquidity"], first.at)
        self.check("executions.csv", number, f"{row['liquidity']} fee rate of {venue} {kind}", rate, Decimal(row["fee_rate"]))
        make = self.spot_lines if kind == "spot" else self.perp_lines
        expected, fee, fee_asset = make(venue, row["instrument"], rules, sign * quantity, price, mark, rate, first.at)
        self.check("executions.csv", number, "fee asset", fee_asset, row["fee_asset"])
        self.check("executions.csv", number, "fee = turnover x rate, rounded up", fee, Decimal(row["fee"]))
        self.compare(lines, expected, row["instruction_id"])
        if kind == "perp":
            decimals = self.rules.decimals[rules["quote"]]
            realized = self.realized(first.key[0], first.key[1], sign * quantity, price, decimals)
            self.risk.fill(*first.key, sign * quantity, price, realized, fee, decimals)
        slippage = sum((rounded(line.quantity * line.reference) - line.value
                        for line in lines if line.kind == "trade"), ZERO)
        self.check("executions.csv", number, "slippage", slippage, Decimal(row["slippage_usd"]))

    def audit_instant(self, number, row, at):
        """An order fills at the step that decided it, or with `next_open` when the bar after it opens."""
        if row["liquidity"] == "maker":
            return
        late = row["action"] == "late_fill"
        self.check("executions.csv", number, "an order that takes fills late only at the next open", self.next_open, late)
        if not late:
            self.check("executions.csv", number, "an order that takes fills at its step", self.now, at)
            return
        before = self.steps[self.index - 1] if self.index else None
        self.check("executions.csv", number, "the order was sent at the step before", before, self.sent.get(row["instruction_id"]))
        stamp = before and f"{iso(before)[:-1]}.000000001Z"
        self.check("executions.csv", number, "it fills just after that step", stamp, row["timestamp"])

    def audit_price(self, number, row, rules, sign, quantity, price, mark):
        """Filters, and the price from mark, slippage model and tick."""
        what = f"{row['side']} {row['instrument']}"
        self.check("executions.csv", number, f"{what}: multiple of the lot", ZERO, quantity % rules["lot_size"])
        self.check("executions.csv", number, f"{what}: at least the minimum", True, quantity >= rules["min_quantity"])
        self.check("executions.csv", number, f"{what}: at most the maximum", True, quantity <= rules["max_quantity"])
        self.check("executions.csv", number, f"{what}: multiple of the tick", ZERO, price % rules["tick_size"])
        venue, kind, symbol = contract(row["instrument"])
        closes = sign * self.held[self.account(venue, "perp"), row["instrument"]] < 0
        series = self.market.series[f"{kind}.{venue}.{symbol}"] if self.market else None
        opening = series and self.next_open and row["liquidity"] == "taker"
        # Of its own bar an order at the next open sees nothing but that open.
        seen, volume = series.seen if opening else (mark, series.volume if series else ZERO)
        if not (kind == "perp" and closes):  # exchanges waive the floor for what only closes
            self.check("executions.csv", number, f"{what}: notional at least the minimum", True,
                       quantity * seen >= rules["min_notional"])
        if not self.market:
            return
        self.check("executions.csv", number, f"{what}: mark", series.open if opening else series.mark, mark)
        if opening:
            self.check("executions.csv", number, f"{what}: the bar opens where it was decided",
                       self.steps[self.index - 1], series.opened)
        self.check("executions.csv", number, f"{what}: no order on a held mark", True, series.state in ("fresh", "proxied"))
        if row["liquidity"] == "maker":
            through = series.low < price if sign > 0 else series.high > price
            self.check("executions.csv", number, f"{what}: the bar traded through the limit", True, through)
            return
        settings = dig(self.config, "venue_settings", venue, default={})
        model = settings.get("slippage") or "fixed_bps"
        bps = ZERO
        if model == "fixed_bps":
            bps = Decimal(settings.get("slippage_bps") or 1)
        elif model == "sqrt_impact":
            bps = Decimal(settings.get("impact_max_bps") or 500)
            if volume > 0:
                share = rounded(quantity / volume, mode=ROUND_CEILING).sqrt()
                impact = Decimal(settings.get("impact_bps") or 10) * rounded(share, mode=ROUND_FLOOR)
                bps = min(bps, rounded(impact, mode=ROUND_CEILING))
        against = ROUND_CEILING if sign > 0 else ROUND_FLOOR
        expected = to_step(rounded(mark * (1 + sign * bps / 10000), mode=against), rules["tick_size"], against)
        self.check("executions.csv", number, f"{what}: price = mark with {model} slippage, on the tick", expected, price)

    def account(self, venue, use):
        accounts = self.rules.at(venue, self.now)["accounts"]
        return f"{venue}.{accounts.get(use) or accounts['deposit']}"

    def spot_lines(self, venue, _, rules, signed, price, mark, rate, at):
        base, quote = rules["base"], rules["quote"]
        account = self.account(venue, "spot")
        mode = ROUND_CEILING if signed > 0 else ROUND_FLOOR
        turnover = rounded(rounded(abs(signed) * price, mode=mode), self.rules.decimals[quote], mode)
        paid = turnover if signed > 0 else -turnover
        in_base = signed > 0 and (self.rules.at(venue, at)["fees"].get("spot_buy_fee_asset") or "base") == "base"
        asset, amount, reference = (base, signed, mark) if in_base else (quote, turnover, ONE)
        fee = rounded(rounded(amount * rate, mode=ROUND_CEILING), self.rules.decimals[asset], ROUND_CEILING)
        lines = [(account, base, signed, paid, "trade", mark), (account, quote, -paid, -paid, "trade", ONE)]
        if fee:
            lines.append((account, asset, -fee, rounded(-fee * reference), "fee", reference))
        return lines, fee, asset

    def perp_lines(self, venue, item, rules, signed, price, mark, rate, at):
        quote = rules["quote"]
        account = self.account(venue, "perp")
        decimals = self.rules.decimals[quote]
        turnover = rounded(abs(signed) * price, mode=ROUND_CEILING)
        fee = rounded(rounded(turnover * rate, mode=ROUND_CEILING), decimals, ROUND_CEILING)
        lines = [(account, item, signed, rounded(signed * price), "trade", mark)]
        realized = self.realized(account, item, signed, price, decimals)
        if realized:
            lines.append((account, quote, realized, realized, "realized_pnl", ONE))
        if fee:
            lines.append((account, quote, -fee, -fee, "fee", ONE))
        return lines, fee, quote

    def realized(self, account, item, signed, price, decimals):
        """Result of the part that closes: price less average cost, rounded down, against us."""
        held, cost = self.held[account, item], self.cost[account, item]
        if held * signed >= 0:
            return ZERO
        after = held + signed
        crosses = after * held < 0
        opened = rounded(after * price) if crosses else ZERO
        kept = ZERO if crosses or after == 0 else rounded(cost * after / held)
        return rounded(kept + opened - cost - rounded(signed * price), decimals, ROUND_FLOOR)

    def compare(self, lines, expected, instruction):
        names = ("account", "item", "quantity", "value_usd", "kind", "reference_price_usd")
        for line, want in zip(lines, expected):
            found = (*line.key, line.quantity, line.value, line.kind, line.reference)
            for name, a, b in zip(names, want, found):
                self.check("ledger.csv", line.number, f"{name} of {line.happening}", a, b)
            self.check("ledger.csv", line.number, "instruction_id", instruction, line.row["instruction_id"])
        # An account that a close leaves flat and below zero is made good by the insurance fund.
        extra = lines[len(expected):]
        made_good = len(extra) == 1 and extra[0].kind == "liquidation" and extra[0].quantity > 0
        self.check("ledger.csv", lines[-1].number, f"number of lines of {lines[0].happening}",
                   len(expected) + (1 if made_good else 0), len(lines))

    def audit_liquidation(self, lines):
        """A forced close: all or a part of the position, at a price of the bar, with the fee of the rules."""
        first = lines[0]
        account, item = first.key
        held = self.held[first.key]
        if first.quantity == -held:
            self.due = {name: key for name, key in self.due.items() if key != first.key}
        venue, kind, symbol = contract(item)
        rules = self.rules.instrument(venue, kind, symbol, first.at)
        price = first.reference
        decimals = self.rules.decimals[rules["quote"]]
        closes = first.quantity * held < 0 and abs(first.quantity) <= abs(held)
        self.check("ledger.csv", first.number, "a liquidation closes the position or a part of it", True, closes)
        self.check("ledger.csv", first.number, "value", rounded(first.quantity * price), first.value)
        realized = self.realized(account, item, first.quantity, price, decimals)
        booked = sum((line.quantity for line in lines if line.kind == "realized_pnl"), ZERO)
        self.check("ledger.csv", first.number, "realized result", realized, booked)
        full = rounded(rounded(abs(first.quantity) * price, mode=ROUND_CEILING)
                       * Decimal(rules["liquidation_fee_bps"]) / 10000, decimals, ROUND_CEILING)
        fee = -sum((line.quantity for line in lines if line.kind == "liquidation" and line.quantity < 0), ZERO)
        self.check("ledger.csv", first.number, "liquidation fee is at most that of the rules", True, fee <= full)
        self.risk.paid(item, realized - fee, first.quantity == -held)
        if self.market:
            series = self.market.series[self.series_of(first.key)]
            low, high = series.low - rules["tick_size"], series.high + rules["tick_size"]
            self.check("ledger.csv", first.number, "closing price lies in the bar", True, low <= price <= high)

    # -- positions.csv and margins -------------------------------------------------------------------

    def audit_positions(self, now, rows):
        """Holdings, marks and margins of the step; returns equity, or None without marks."""
        file, equity = "positions.csv", ZERO
        expected = {key: q for key, q in self.held.items() if q or self.units[key] or self.cost[key]}
        balance, needed = defaultdict(Decimal), defaultdict(Decimal)
        for key, quantity in expected.items():
            account, item = key
            if key not in rows:
                self.check(file, "-", f"{iso(now)} {account} {item}", quantity, "no row")
            number, row = rows.get(key, ("-", {}))
            mark = self.mark(key) if self.market else Decimal(row.get("mark_price_usd") or 0)
            value = rounded(self.signed_units(key) * mark) - self.cost[key]
            equity += value
            if item in DOLLARS or is_position(item):
                balance[account] += value
            if is_position(item):
                needed[account] += self.rules.maintenance(contract(item), quantity, mark, now)
            if not row:
                continue
            self.check(file, number, f"quantity of {item} in {account}", quantity, Decimal(row["quantity"]))
            self.check(file, number, f"units of {item} in {account}", self.units[key], Decimal(row["units"]))
            self.check(file, number, f"mark of {item}", mark, Decimal(row["mark_price_usd"] or 0))
            self.check(file, number, f"value of {item} in {account}", value, Decimal(row["value_usd"] or 0))
            state = self.mark_state(key)
            if state:
                self.check(file, number, f"state of the mark of {item}", state, row["mark_state"])
            cost = Decimal(row["open_cost_usd"]) if row["open_cost_usd"] else ZERO
            self.check(file, number, f"open cost of {item}", self.cost[key], cost)
        shown = set()
        for key, (number, row) in rows.items():
            if row["margin_balance_usd"]:
                account = key[0]
                shown.add(account)
                self.check(file, number, f"margin balance of {account}", balance[account], Decimal(row["margin_balance_usd"]))
                self.check(file, number, f"maintenance margin of {account}", needed[account], Decimal(row["maintenance_margin_usd"]))
            if key not in expected and (key[0] not in needed or Decimal(row["quantity"])):
                self.check(file, number, f"{key[1]} in {key[0]}", "no row", row["quantity"])
        self.check(file, "-", f"{iso(now)} accounts with a margin", sorted(needed), sorted(shown))
        for account, margin in needed.items():
            if self.market and self.market.shocks.is_out(account.split(".")[0], now):
                continue  # an exchange that is out liquidates nothing before it is back
            self.check(file, "-", f"{iso(now)} {account} stands above its maintenance margin", True, balance[account] > margin)
        return equity

    # -- (d) equity and (e) attribution --------------------------------------------------------------

    def audit_equity(self, number, row, equity, before, opening, buckets):
        file = "equity.csv"
        self.check(file, number, "equity = sum of holdings at their marks", equity, Decimal(row["equity_usd"]))
        flow = buckets.pop("external_flow", ZERO)
        self.check(file, number, "external flow", flow, Decimal(row["external_flow_usd"]))
        share = equity
        reference = Decimal(row["reference_price_usd"])
        if self.config["share_class"] not in DOLLARS:
            share = rounded(equity / reference)
        self.check(file, number, "equity in the share class", share, Decimal(row["equity_share_class"]))
        held = {key: self.signed_units(key) for key, units in self.units.items() if self.series_of(key)}
        deltas = self.deltas()
        if deltas:
            self.check(file, number, "net delta", deltas[0], Decimal(row["net_delta_base"]))
        exact = list(BUCKETS)
        if self.market:
            self.check(file, number, "reference price", self.market.reference.mark, reference)
            if opening:
                self.market_moves(opening, buckets)
        else:
            by_marks = ("price", "basis", "staking_yield")
            exact = [b for b in BUCKETS if b not in by_marks]
            for bucket in by_marks:
                buckets[bucket] = Decimal(row[bucket])
        for bucket in exact:
            self.check(file, number, f"bucket {bucket}", buckets[bucket], Decimal(row[bucket]))
        for bucket in BUCKETS:
            self.totals[bucket] += Decimal(row[bucket])
        residual = equity - before - flow - sum((buckets[b] for b in BUCKETS), ZERO)
        self.totals["residual"] += Decimal(row["residual"])
        self.check(file, number, "residual", residual, Decimal(row["residual"]))
        self.check(file, number, "residual is rounding", ZERO, residual, TOLERANCE * max(abs(equity), ONE))
        if self.market:
            marks = {key: (q, self.delta(key, q), self.market.series[self.series_of(key)].mark, self.rate(key)[0])
                     for key, q in held.items() if q}
            return marks, self.market.reference.mark
        return None

    def deltas(self):
        """Net and gross delta of all holdings; None for tokens without a market to rate them by."""
        net = gross = ZERO
        for key, units in self.units.items():
            if not units or not self.series_of(key):
                continue
            if not self.market and self.rated(key):
                return None
            delta = self.delta(key, self.signed_units(key))
            net, gross = net + delta, gross + abs(delta)
        return net, gross

    def delta(self, key, units):
        """Units of the underlying that a holding stands for."""
        return units if self.rated(key) is None or not units else rounded(units * self.rate(key)[0])

    def market_moves(self, opening, buckets):
        """price = delta at the start x move of the reference; basis = what marks moved beyond it."""
        marks, reference = opening
        move = self.market.reference.mark - reference
        buckets["price"] += rounded(sum((delta for _, delta, _, _ in marks.values()), ZERO) * move)
        for key, (units, delta, mark, rate) in marks.items():
            now = self.market.series[self.series_of(key)].mark
            buckets["basis"] += rounded(delta * (now - mark - move))
            after, _, grows = self.rate(key)
            if after != rate:
                bucket = "staking_yield" if grows else "basis"
                buckets[bucket] += rounded(units * rounded(now * (after - rate)))

    # -- (f) transfers -------------------------------------------------------------------------------

    def audit_transfers(self):
        """What left arrives, whole and in time; nothing is lost on the way."""
        orders = {row["instruction_id"]: (n, row) for n, row in self.executions if row["transfer_asset"]}
        out, back = defaultdict(list), defaultdict(list)
        for line in self.ledger:
            if line.word in ("transfer_out", "transfer_in"):
                number = line.happening.partition(":")[2]
                (out if line.word == "transfer_out" else back)[number].append(line)
        for number, row in orders.values():
            self.check("executions.csv", number, "a transfer leaves its account", True, row["instruction_id"] in out)
        flying, end = defaultdict(Decimal), self.steps[-1]
        for ident, lines in out.items():
            first, known = lines[0], orders.get(ident)
            if not self.check("ledger.csv", first.number, f"transfer {ident} is in executions.csv", True, known is not None):
                continue
            row = known[1]
            asset, amount = row["transfer_asset"], Decimal(row["transfer_amount"])
            source, target = row["from_account"], row["to_account"]
            venues = {account.split(".")[0] for account in (source, target)}
            if not self.check("executions.csv", known[0], "both venues have rules", True, venues <= set(self.rules.venues)):
                continue
            fee, delay = self.route(known[0], source, target, asset, amount, first.at)
            self.check("executions.csv", known[0], "instant", first.at, instant(row["timestamp"]))
            arrival = back.pop(ident, [])
            at_once = source.split(".")[0] == target.split(".")[0] and not delay
            landing = target if at_once else "in_flight.main"
            self.check("executions.csv", known[0], "status", "settled" if at_once else "pending", row["status"])
            price = first.reference
            expected = [(source, asset, -amount, rounded(-amount * price), "transfer", price)]
            if fee:
                expected.append((source, asset, -fee, rounded(-fee * price), "transfer_cost", price))
            expected.append((landing, asset, amount, rounded(amount * price), "transfer", price))
            self.compare(lines, expected, ident)
            if at_once:
                self.check("ledger.csv", first.number, f"transfer {ident} arrives once", 0, len(arrival))
                continue
            due = first.at + delay
            if due > end:
                self.check("ledger.csv", first.number, f"transfer {ident} is still in flight", 0, len(arrival))
                flying[asset] += amount
                continue
            if not self.check("ledger.csv", first.number, f"transfer {ident} arrives by {iso(due)}", True, bool(arrival)):
                continue
            price = arrival[0].reference
            self.check("ledger.csv", arrival[0].number, f"arrival of transfer {ident}", due, arrival[0].at)
            self.compare(arrival, [("in_flight.main", asset, -amount, rounded(-amount * price), "transfer", price),
                                   (target, asset, amount, rounded(amount * price), "transfer", price)], ident)
        for ident, lines in back.items():
            self.check("ledger.csv", lines[0].number, f"transfer {ident} that arrives has left", True, False)
        for (account, item), quantity in self.held.items():
            if account == "in_flight.main":
                self.check("ledger.csv", "end", f"{item} in flight", flying[item], quantity)

    def route(self, number, source, target, asset, amount, at):
        """Fee and delay of a transfer by the rules of the sending venue."""
        venue, rules = source.split(".")[0], self.rules.at(source.split(".")[0], at)
        moves = rules["transfers"]
        if venue == target.split(".")[0]:
            internal = moves.get("internal") or {}
            return Decimal(internal.get("fee") or 0), timedelta(seconds=int(internal.get("delay_seconds") or 0))
        row = next((w for w in moves["withdrawals"] if w["asset"] == asset), None)
        if not self.check("executions.csv", number, f"{asset} can leave {venue}", True, row is not None):
            return ZERO, timedelta(0)
        if self.market:
            closed = self.market.shocks.is_halted(venue, at) or self.market.shocks.is_out(venue, at)
            self.check("executions.csv", number, f"withdrawals from {venue} are open", False, closed)
        self.check("executions.csv", number, "amount is at least the minimum", True, amount >= Decimal(row["minimum"]))
        self.check("executions.csv", number, "amount has the decimals allowed", ZERO,
                   amount % Decimal(1).scaleb(-int(row["decimals"])))
        for venue, place in ((venue, source), (target.split(".")[0], target)):
            gate = f"{venue}.{self.rules.at(venue, at)['accounts']['deposit']}"
            self.check("executions.csv", number, f"account for money over the border of {venue}", gate, place)
        return Decimal(row["fee"]), timedelta(seconds=int(row["delay_seconds"]))

    # -- capital flows -------------------------------------------------------------------------------

    def audit_flows(self):
        """Every scheduled flow comes in full, once; a withdrawal may be refused, with what there was."""
        flows = [(instant(row["at"]), sign * Decimal(row["amount"])) for key, sign in (("deposits", 1), ("withdrawals", -1))
                 for row in self.config.get(key) or []]
        flows.sort(key=lambda flow: flow[0])
        first = self.steps[0]
        flows = [(first, Decimal(self.config["initial_capital"]), 0)] + [(*flow, n) for n, flow in enumerate(flows, 1)]
        refused = [(instant(row["at"]), Decimal(row["asked"]), row) for row in self.summary["refused_withdrawals"]]
        booked = {line.happening: line for line in self.ledger if line.word == "external"}
        for at, amount, number in flows:
            line = booked.pop(f"external:{iso(at)}:{number}", None)
            where = line.number if line else "-"
            row = next((r for r in refused if r[:2] == (at, -amount)), None)
            if row:
                refused.remove(row)
                self.check("ledger.csv", where, f"withdrawal of {iso(at)} that was refused", None, line)
                self.check("summary.json", "refused_withdrawals", f"less was there than asked on {iso(at)}", True,
                           Decimal(row[2]["available"]) < -amount)
            elif line:
                self.check("ledger.csv", where, f"amount of the flow of {iso(at)}", amount, line.quantity)
                kind = "deposit" if amount > 0 else "withdrawal"
                self.check("ledger.csv", where, f"kind of the flow of {iso(at)}", kind, line.kind)
                self.check("ledger.csv", where, f"flow of {iso(at)} is not early", True, line.at >= at)
            elif amount > 0:
                self.check("ledger.csv", where, f"deposit of {iso(at)}", amount, "no line")
        self.check("summary.json", "refused_withdrawals", "rows that nothing asked for", [], [iso(r[0]) for r in refused])
        self.check("ledger.csv", "-", "flows that nobody scheduled", [], sorted(booked))

    # -- (g) the summary -----------------------------------------------------------------------------

    def audit_summary(self):
        s, file = self.summary, "summary.json"
        rows = [row for _, _, row in self.equity]
        equity = [Decimal(row["equity_usd"]) for row in rows]
        flows = [Decimal(row["external_flow_usd"]) for row in rows]
        self.check(file, "equity_end_usd", "last equity", equity[-1], Decimal(s["equity_end_usd"]))
        self.check(file, "equity_start_usd", "first capital", flows[0], Decimal(s["equity_start_usd"]))
        self.check(file, "equity_start_usd", "initial_capital of config.yaml",
                   Decimal(self.config["initial_capital"]) if self.config["share_class"] in DOLLARS else flows[0],
                   Decimal(s["equity_start_usd"]))
        first = flows[0]
        if self.config["share_class"] not in DOLLARS:
            first = rounded(first / Decimal(rows[0]["reference_price_usd"]))
        self.check(file, "equity_start", "first capital, share class", first, Decimal(s["equity_start"]))
        self.check(file, "shocks", "as in config.yaml", self.config.get("shocks") or [], s["shocks"])
        for key in ("mode", "share_class"):
            self.check(file, key, "as in config.yaml", self.config[key], s[key])
        for key in ("from", "to"):
            self.check(file, key, "as in config.yaml", self.config.get(key) or s[key], s[key])
        resolved = hashlib.sha256((self.run / "config.yaml").read_bytes()).hexdigest()
        self.check(file, "config_hash", "SHA-256 of config.yaml", resolved, s["config_hash"])
        self.check(file, "equity_end", "last equity, share class", Decimal(rows[-1]["equity_share_class"]), Decimal(s["equity_end"]))
        self.audit_share_class(rows, equity, flows)
        for bucket in (*BUCKETS, "residual"):
            self.check(file, f"attribution.{bucket}", "sum over the steps", self.totals[bucket], Decimal(s["attribution"][bucket]))
        costs = {name: -self.totals[name] for name in ("fees", "slippage", "gas", "borrow_cost", "transfer_cost", "liquidation")}
        for name, cost in (*costs.items(), ("total", sum(costs.values(), ZERO))):
            self.check(file, f"costs.{name}", "buckets that cost, turned round", cost, Decimal(s["costs"][name]))
        happenings = {line.happening: line.topic for line in self.ledger}
        count = lambda word: sum(1 for w in happenings.values() if w == word)
        counted = {"steps": len(rows), "fills": sum(1 for _, r in self.executions if r["instrument"]),
                   "liquidations": count("liquidation"), "funding_payments": sum(1 for line in self.ledger if line.word == "funding"),
                   "transfers": sum(1 for _, r in self.executions if r["transfer_asset"] and
                                    r["from_account"].split(".")[0] != r["to_account"].split(".")[0])}
        counted |= self.count_orders()
        for name, value in counted.items():
            self.check(file, f"counts.{name}", "counted in the files", value, s["counts"][name])
        left = [str(row) for rows in self.unbooked.values() for row in rows]
        self.check(file, "unbooked_funding", "rows that no instant explains", [], sorted(left))
        total = sum((Decimal(r["exposed_notional"]) for r in s["unbooked_funding"]), ZERO)
        self.check(file, "unbooked_funding_total", "sum", total, Decimal(s["unbooked_funding_total"]))
        self.check("executions.csv", "-", "fills without ledger lines", [], sorted(self.fills))
        self.check("executions.csv", "-", "transactions without ledger lines", [], sorted(self.chain.requests))
        self.audit_statistics(equity, flows)

    def audit_share_class(self, rows, equity, flows):
        """The buckets in the share class: each over the reference price of its step, the numeraire apart."""
        stated, file = self.summary["attribution_share_class"], "summary.json"
        if self.config["share_class"] in DOLLARS:
            self.check(file, "attribution_share_class", "none in dollars", None, stated)
            for number, _, row in self.equity:
                self.check("equity.csv", number, "no numeraire in dollars", "", row["numeraire_share_class"])
            return
        totals, before, then = defaultdict(Decimal), ZERO, None
        for (number, _, row), value, flow in zip(self.equity, equity, flows):
            now = Decimal(row["reference_price_usd"])
            opening = rounded(before / then) if then else ZERO
            parts = {bucket: rounded(Decimal(row[bucket]) / now) for bucket in BUCKETS}
            parts["numeraire"] = rounded(before / now) - opening
            residual = rounded(value / now) - opening - rounded(flow / now) - sum(parts.values(), ZERO)
            self.check("equity.csv", number, "residual in the share class is rounding", ZERO, residual, TOLERANCE)
            self.check("equity.csv", number, "numeraire in the share class", parts["numeraire"],
                       Decimal(row["numeraire_share_class"] or "Infinity"))
            for bucket, part in (*parts.items(), ("residual", residual)):
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
        path = self.run / "events" / "tight_loop_events.jsonl"
        if not path.exists():
            self.skip("no events/tight_loop_events.jsonl: counts.orders and counts.rejections are not checked")
            return {}
        events = [json.loads(line) for line in path.read_text().splitlines()]
        sent = [e["data"] for e in events if e["event_type"] == "instruction"]
        left = defaultdict(list)
        for line in self.ledger:
            left[line.row["instruction_id"]].append(line.number)
        for data in sent:
            if data["outcome"] == "failed":
                ident = str(data["instruction_id"])
                self.check("ledger.csv", "-", f"rows that the refused instruction {ident} left", [], left[ident])
        return {"orders": sum(1 for d in sent if d["operation"] in ("spot_trade", "perp_trade")),
                "rejections": sum(1 for d in sent if d["outcome"] == "failed")}

    def audit_coverage(self):
        """What each series holds of the dates: its gaps, and what stands in for them."""
        if not self.market:
            return
        start, end = instant(self.summary["from"]), instant(self.summary["to"])
        stated = {row["series"] for row in self.summary["coverage"]}
        used = {self.config["reference_price"]} | {self.series_of(line.key) for line in self.ledger} - {None}
        used |= {self.chain.market.rate_series(line.asset)[0] for line in self.ledger if self.rated(line.key)}
        used |= {name.replace("perp.", "funding.", 1) for name in used if name.startswith("perp.")}
        self.check("summary.json", "coverage", "every series used is covered", [], sorted(used - stated))
        coverage, gaps, proxies = [], [], {}
        for series in (row["series"] for row in self.summary["coverage"]):
            kind, venue, symbol = series.split(".")
            every, proxy = self.market.step, self.market.proxies.get(series)
            if kind == "funding":
                section = self.rules.instrument(venue, "perp", symbol, start).get("funding") or {}
                every = timedelta(hours=int(section.get("interval_hours", 8)))
            own, other = self.market.instants(series), self.market.instants(proxy)
            rows = self.chain.market.recorded(series) if kind in ROW_KINDS else None
            if kind in ROW_KINDS:
                own = set(rows.known_at) if rows else set()
                stand_in = self.chain.market.recorded(proxy) if proxy else None
                other = set(stand_in.known_at) if stand_in else set()
            if kind.startswith("reward"):
                paid = sum(1 for at in own if start < at <= end)
                coverage.append({"series": series, "expected": paid, "present": paid})
                continue
            until = end
            at = start - timedelta(seconds=start.timestamp() % every.total_seconds()) + every
            if rows:
                every = rows.interval
                at = start - timedelta(seconds=start.timestamp() % every.total_seconds())
                until = end - SLACK
            row, last = {"series": series, "expected": 0, "present": 0}, None
            while at <= until:
                row["expected"] += 1
                if at in own:
                    row["present"] += 1
                else:
                    filled = at in other
                    how = "proxied" if filled else "unbooked" if kind == "funding" else "held"
                    if last and last["treatment"] == how and instant(last["last"]) + every == at:
                        last |= {"last": iso(at), "missing": last["missing"] + 1}
                    else:
                        last = {"series": series, "first": iso(at), "last": iso(at), "missing": 1,
                                "treatment": how, "proxy": proxy if filled else None}
                        gaps.append(last)
                    if filled:
                        proxies[series, proxy] = proxies.get((series, proxy), 0) + 1
                at += every
            coverage.append(row)
        used = [{"series": a, "proxy": b, "values": n} for (a, b), n in proxies.items()]
        for key, expected in (("coverage", coverage), ("gaps", gaps), ("proxies", used)):
            found = self.summary[key]
            self.check("summary.json", key, "number of rows", len(expected), len(found))
            for at, (want, got) in enumerate(zip(expected, found)):
                self.check("summary.json", f"{key}[{at}]", "re-derived from the data", want, got)

    def audit_statistics(self, equity, flows):
        """Time-weighted: capital arrives after the move of its step and before its trades."""
        index = peak = ONE
        drawdown, before, earned = ZERO, ZERO, []
        for value, flow in zip(equity, flows):
            start, end = (before, value - flow) if before > 0 else (flow, value)
            before = value
            if start <= 0:
                continue
            earned.append(end / start - 1)
            index *= end / start
            peak = max(peak, index)
            drawdown = max(drawdown, 1 - index / peak)
        years = Decimal(len(earned)) * self.step_seconds() / (365 * 86400)
        apy = float(index) ** (1 / float(years)) - 1 if years > 0 and index > 0 else 0.0
        near = Decimal("1e-9")
        for name, value in (("return", index - 1), ("max_drawdown", drawdown), ("apy", Decimal(apy))):
            self.check("summary.json", name, "time-weighted", value, Decimal(repr(self.summary[name])), near * (1 + abs(value)))
        if len(earned) > 1 and self.summary["sharpe"] is not None:
            mean = sum(earned, ZERO) / len(earned)
            variance = sum(((e - mean) ** 2 for e in earned), ZERO) / (len(earned) - 1)
            per_year = Decimal(365 * 86400) / self.step_seconds()
            sharpe = mean / variance.sqrt() * per_year.sqrt()
            self.check("summary.json", "sharpe", "mean over deviation, per year", sharpe,
                       Decimal(repr(self.summary["sharpe"])), Decimal("1e-6") * (1 + abs(sharpe)))

    def step_seconds(self):
        return int(dig(self.config, "data", "step_minutes", default=60)) * 60

    def audit_clock(self):
        step = timedelta(seconds=self.step_seconds())
        start, end = instant(self.summary["from"]), instant(self.summary["to"])
        offset = start.timestamp() % step.total_seconds()
        expected = start - timedelta(seconds=offset) + step
        for number, at, _ in self.equity:
            if not self.check("equity.csv", number, "one row per step", iso(expected), iso(at)):
                break
            expected += step
        self.check("equity.csv", "end", "the run ends within a step of `to`", True, self.steps[-1] <= end < expected)

    def audit(self):
        self.audit_clock()
        self.audit_ledger()
        self.replay()
        self.risk.finish()
        self.audit_transfers()
        self.audit_flows()
        self.audit_summary()
        self.audit_coverage()
        return self.differences


def report(audit):
    for text in audit.skipped:
        print(f"SKIPPED: {text}")
    differences = audit.differences
    for d in differences[:200]:
        print(f"{d['file']} row {d['row']}: {d['what']}: expected {d['expected']}, found {d['found']}")
    if len(differences) > 200:
        print(f"… and {len(differences) - 200} more")
    done = ", ".join(f"{n} in {file}" for file, n in sorted(audit.counts.items()))
    print(f"{len(differences)} differences in {sum(audit.counts.values())} checks ({done})")


def main():
    parser = argparse.ArgumentParser(description="Re-derives every number of run directories.")
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="a run directory")
    parser.add_argument("--data", type=Path, help="the data directory the runs were made from")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON, of several runs as a list")
    arguments = parser.parse_args()
    code, found = 0, []
    for run in arguments.runs:
        try:
            audit = Audit(run, arguments.data)
            audit.audit()
        except (OSError, KeyError, ValueError, ArithmeticError, TypeError, AttributeError, IndexError) as e:
            print(f"audit: cannot read {run}: {type(e).__name__}: {e}", file=sys.stderr)
            return 2
        code = max(code, 1 if audit.differences else 0)
        found.append({"checks": audit.counts, "skipped": audit.skipped, "differences": audit.differences})
        if not arguments.json:
            if len(arguments.runs) > 1:
                print(f"{run}:")
            report(audit)
    if arguments.json:
        print(json.dumps(found if len(found) > 1 else found[0], indent=2))
    return code


if __name__ == "__main__":
    sys.exit(main())
