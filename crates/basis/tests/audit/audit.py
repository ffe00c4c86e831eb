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
import json
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

from actions import Actions
from amounts import ONE, ZERO, instant, rounded
from borrowing import Borrowing
from chain import Chain
from chain_data import ETHERS, STATES
from config_file import dig, read_yaml
from exits import Exits
from fills import Fills
from funding import Funding
from items import DOLLARS, contract, is_position, plain
from ledger import Line, audit_ledger
from market import Market
from replay import Replay
from results import Results
from risk import Risk
from rules import Rules
from transfers import Transfers
from triggers import Triggers


class Audit:
    """One run: its files, what is held and what it is worth; the checks are in the modules beside this one."""

    def __init__(self, run, data):
        self.run, self.differences, self.counts, self.skipped = run, [], defaultdict(int), []
        self.unchecked = defaultdict(int)  # what is not derived, by name
        self.exit_sums = 0  # steps whose exit is not derived: what is left in pools given by their state
        self.config = read_yaml((run / "config.yaml").read_text())
        self.summary = json.loads((run / "summary.json").read_text())
        self.rules = Rules(self.config["rules"])
        self.ledger = [Line(n, row) for n, row in self.table("ledger.csv")]
        self.equity = [(n, instant(row["timestamp"]), row) for n, row in self.table("equity.csv")]
        self.executions = self.table("executions.csv")
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
        share, quote = self.config["share_class"], self.config["reference_price"].split(".")[2].removeprefix(self.base)
        self.dollar = share if share in DOLLARS else quote  # what everything is counted in
        self.series_by_key, self.rated_by_key = {}, {}
        self.held, self.cost, self.units = defaultdict(Decimal), defaultdict(Decimal), defaultdict(Decimal)
        self.replay, self.results = Replay(self), Results(self)
        self.fills, self.funding, self.transfers = Fills(self), Funding(self), Transfers(self)
        self.chain, self.borrowing = Chain(self), Borrowing(self)
        self.risk, self.exits, self.triggers = Risk(self), Exits(self), Triggers(self)

    def table(self, name):
        """Rows of a CSV file with their line numbers; the header is line 1."""
        with (self.run / name).open(newline="") as file:
            return list(enumerate(csv.DictReader(file), 2))

    def skip(self, why):
        self.skipped.append(why)

    def leave_out(self, name):
        """Counts something of which only the sums are checked."""
        self.unchecked[name] += 1

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
        """The price series of a holding, of a position that of its marks; None for what the run values at 1."""
        if key not in self.series_by_key:
            self.series_by_key[key] = self.priced_by(*key)
        return self.series_by_key[key]

    def priced_by(self, account, item):
        if is_position(item):
            venue, kind, symbol = contract(item)
            name = f"{kind}.{venue}.{symbol}"
            return self.market.marked_by(name) if self.market else name
        item, _ = plain(item)
        if item in DOLLARS:
            return None
        reference = self.config["reference_price"]
        venue = account.split(".")[0]
        own = f"spot.{venue}.{reference.split('.')[2]}"
        return own if venue == self.spot_venue or self.market and own in self.market.series else reference

    def rated(self, key):
        """The token a holding is of when it is valued at a rate in ETH; None for anything else."""
        if key not in self.rated_by_key:
            asset, _ = plain(key[1])
            others = is_position(key[1]) or asset in DOLLARS or asset in ETHERS or asset in (self.base, "ETH", "BTC")
            self.rated_by_key[key] = None if others else asset
        return self.rated_by_key[key]

    def rate(self, key):
        """ETH per unit as the marks have it, its state, and whether its growth is yield."""
        asset = self.rated(key)
        return (ONE, None, None) if asset is None else self.chain.market.rate(asset, self.now)

    def signed_units(self, key):
        return -self.units[key] if key[1].startswith("debt:") else self.units[key]

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

    def compare(self, lines, expected, instruction):
        names = ("account", "item", "quantity", "value_usd", "kind", "reference_price_usd")
        for line, want in zip(lines, expected):
            found = (*line.key, line.quantity, line.value, line.kind, line.reference)
            for name, a, b in zip(names, want, found):
                self.check("ledger.csv", line.number, f"{name} of {line.event}", a, b)
            self.check("ledger.csv", line.number, "instruction_id", instruction, line.row["instruction_id"])
        # An account that a close leaves flat and below zero is made good by the insurance fund.
        extra = lines[len(expected):]
        made_good = len(extra) == 1 and extra[0].kind == "write_off" and extra[0].quantity > 0
        self.check("ledger.csv", lines[-1].number, f"number of lines of {lines[0].event}",
                   len(expected) + (1 if made_good else 0), len(lines))

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

    def equity_now(self):
        """What is held is worth at the marks of this instant, open cost off."""
        keys = {*self.units, *self.cost}
        return sum((rounded(self.signed_units(key) * self.mark(key)) - self.cost[key] for key in keys
                    if self.units[key] or self.cost[key]), ZERO)

    def delta(self, key, units):
        """Units of the underlying that a holding stands for."""
        return units if self.rated(key) is None or not units else rounded(units * self.rate(key)[0])

    def step_seconds(self):
        return int(dig(self.config, "data", "step_minutes", default=60)) * 60

    def audit(self):
        self.results.audit_clock()
        self.step_of = audit_ledger(self)
        self.replay.replay()
        self.risk.finish()
        self.transfers.audit_transfers()
        self.transfers.audit_flows()
        self.results.audit_summary()
        Actions(self).audit_actions()
        self.fills.audit_slippage()
        self.results.audit_coverage()
        return self.differences


def report(audit):
    for text in audit.skipped:
        print(f"SKIPPED: {text}")
    if audit.exit_sums:
        print(f"exit value: {audit.exit_sums} steps with what is left in a pool given by its state, of which the sums are checked")
    for name, count in sorted(audit.unchecked.items()):
        print(f"SKIPPED: {count} x {name}: not derived, only the sums are checked")
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
        found.append({"checks": audit.counts, "skipped": audit.skipped, "unchecked": audit.unchecked, "exit_sums": audit.exit_sums,
                      "differences": audit.differences})
        if not arguments.json:
            if len(arguments.runs) > 1:
                print(f"{run}:")
            report(audit)
    if arguments.json:
        print(json.dumps(found if len(found) > 1 else found[0], indent=2))
    return code


if __name__ == "__main__":
    sys.exit(main())
