"""The numbers by which a book is said to change, derived anew from what was held before it did."""

import json
import re
from collections import defaultdict
from decimal import ROUND_CEILING, Decimal

from amounts import ZERO, iso, rounded
from items import DOLLARS, is_position, plain

FILE = "events"
NUMBER = r"(-?[0-9.]+)"
TRIGGER = re.compile(r"(\w+) " + NUMBER + ", limit " + NUMBER + ": (.*)")
PARTS = {
    "utilization": rf"held {NUMBER} of a target of {NUMBER} USD, equity {NUMBER} USD, owed {NUMBER}",
    "equity_deviation": rf"own {NUMBER} USD, {NUMBER} USD at the last rebalance, equity {NUMBER} USD, owed {NUMBER}",
    "delta": rf"long {NUMBER}, short {NUMBER} .*",
    "ltv": rf"debt {NUMBER} of a collateral of {NUMBER} ETH, target {NUMBER}",
}
NEAR = Decimal("1e-9")  # relative: roundings to 18 places, some of them of products


class Triggers:
    """Events of the state `trigger`, and those of risk, at the steps at which they were recorded."""

    def __init__(self, audit):
        self.audit, self.check = audit, audit.check
        self.at, self.risks, self.owns = defaultdict(list), defaultdict(list), []
        path = audit.run / "events"
        if not path.is_dir():
            return
        events = []
        for file in sorted(path.glob("*.jsonl")):
            events += [json.loads(line) for line in file.read_text().splitlines()]
        sent = set()
        for event in sorted(events, key=lambda event: event["seq"]):
            at, data = event["timestamp"], event["data"]
            if event["event_type"] == "instruction":
                sent.add(at)
            if event["event_type"] == "state_update" and data.get("state") == "trigger":
                # Later ones of a step see what the first has traded.
                self.at[at].append((event["seq"], data["detail"], at not in sent))
            if event["event_type"] == "risk" and at not in sent:
                self.risks[at].append((event["seq"], data))

    def judge(self, now):
        """Called when everything that came about by itself is in the books."""
        audit, at = self.audit, iso(now)
        if not audit.market:
            return
        equity = audit.equity_now()
        self.owns.append(equity)
        for seq, detail, is_first in self.at.pop(at, []):
            found = TRIGGER.fullmatch(detail)
            if not self.check(FILE, seq, "a trigger has its numbers", True, bool(found)):
                continue
            measure, value, limit, of = found[1], Decimal(found[2]), Decimal(found[3]), found[4]
            parts = re.fullmatch(PARTS.get(measure, "$^"), of)
            if not self.check(FILE, seq, f"what {measure} was computed from", True, bool(parts)):
                continue
            self.check(FILE, seq, f"{measure} is beyond its limit", True, value > limit)
            numbers = [Decimal(part) for part in parts.groups()]
            getattr(self, measure)(seq, (value, limit), numbers, is_first)
        for seq, data in self.risks.pop(at, []):
            self.risk(seq, data)

    def near(self, seq, what, wanted, found):
        off = abs(wanted - found)
        if not self.check(FILE, seq, what, True, off <= max(abs(wanted), Decimal(1)) * NEAR):
            self.check(FILE, seq, what, wanted, found)

    def config(self, key, default):
        value = self.audit.config.get(key)
        return Decimal(str(default if value is None else value))

    def capital(self, equity, owed):
        return (equity - owed) * (1 - self.config("reserve_ratio", 0))

    def utilization(self, seq, stated, numbers, is_first):
        held, target, equity, owed = numbers
        self.check(FILE, seq, "the limit of utilization", self.config("utilization_band", "0.25"), stated[1])
        self.near(seq, "utilization", (target - held) / target, stated[0])
        if not is_first:
            return
        self.near(seq, "the equity that utilization saw", self.audit.equity_now(), equity)
        stake = self.audit.config.get("stake_allocation_eth")
        h = self.config("hedge_leverage", "1.5")
        if stake is None:
            self.near(seq, "the target notional", self.capital(equity, owed) * h / (1 + h), target)

    def equity_deviation(self, seq, stated, numbers, is_first):
        own, last, equity, owed = numbers
        self.check(FILE, seq, "the limit of equity_deviation", self.config("equity_deviation", "0.02"), stated[1])
        self.near(seq, "equity_deviation", abs(own - last) / last, stated[0])
        if self.audit.config["share_class"] in DOLLARS:
            self.near(seq, "the equity less what is owed", equity - owed, own)
            known = any(abs(last - other) <= other * NEAR for other in self.owns)
            if owed == 0 and not self.audit.config.get("withdrawals"):
                self.check(FILE, seq, "the equity of the last rebalance was that of an earlier step or plan", True, known)
        self.owns.append(own)  # of a later plan of a step, which sees what the first has cost
        if is_first:
            self.near(seq, "the equity that equity_deviation saw", self.audit.equity_now(), equity)

    def delta(self, seq, stated, numbers, is_first):
        long, short = numbers
        self.check(FILE, seq, "the limit of delta", self.config("delta_tolerance", "0.005"), stated[1])
        self.near(seq, "delta", abs(long - short) / max(long, short), stated[0])
        if not is_first or self.audit.config["share_class"] not in DOLLARS:
            return
        audit = self.audit
        held = [key for key in audit.held if not is_position(key[1]) and plain(key[1])[0] not in DOLLARS]
        wanted = sum((audit.delta(key, audit.signed_units(key)) for key in held), ZERO)
        self.near(seq, "the long that delta saw", wanted, long)
        shorts = -sum((quantity for key, quantity in audit.held.items() if is_position(key[1])), ZERO)
        self.near(seq, "the short that delta saw", shorts, short)

    def ltv(self, seq, stated, numbers, is_first):
        debt, collateral, target = numbers
        ratio = rounded(debt / collateral, mode=ROUND_CEILING)
        self.near(seq, "ltv", abs(ratio - target), stated[0])
        if not is_first:
            return
        owed = sum((units for key, units in self.audit.units.items() if key[1].startswith("debt:")), ZERO)
        self.near(seq, "the debt that ltv saw", owed, debt)

    def risk(self, seq, data):
        """The measure, its value and the limit that risk says it met, before it acted."""
        if data["measure"] != "distance" or not self.audit.market:
            return
        shared, own = self.audit.risk.pools(self.audit.mark)
        account = data["account"]
        pools = [pool for where, pool in shared.items() if where == account]
        pools += [next(iter(kept.values())) for (where, _), kept in own.items() if where == account]
        distances = [pool.distance()[0] for pool in pools if pool.needed > 0]
        value = Decimal(str(data["value"]))
        if data["level"] != "clear":
            self.check(FILE, seq, "the distance that risk saw", True, value in distances)
