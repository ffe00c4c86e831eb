"""Funding: what every instant at which a position was held must have paid."""

from collections import defaultdict
from decimal import ROUND_FLOOR, Decimal

from amounts import instant, iso, rounded
from items import contract, instrument_of, is_position, side


class Funding:
    """Settlements, due and booked."""

    def __init__(self, audit):
        self.audit, self.check = audit, audit.check
        self.due, self.held_before = {}, {}
        self.unbooked = defaultdict(list)
        for row in audit.summary["unbooked_funding"]:
            self.unbooked[row["series"], row["at"]].append(row)

    def expect_funding(self, now):
        """Instants in (the step before, now] at which a position is held settle funding, each side its own."""
        audit = self.audit
        self.due = {}
        self.held_before = dict(audit.held)
        since = audit.steps[audit.index - 1] if audit.index else now
        for (account, item), quantity in audit.held.items():
            if not is_position(item) or quantity == 0:
                continue
            venue, _, symbol = contract(item)
            for when in audit.rules.settlements(venue, symbol, since, now):
                self.due[venue, symbol, iso(when), side(item)] = (account, item)

    def mark_at(self, key, when):
        """The mark of the instant: a step may be longer than the interval."""
        audit = self.audit
        if when == audit.now:
            return audit.mark(key)
        return audit.market.series[audit.series_of(key)].at(when, audit.market.age_max)

    def audit_funding(self, lines):
        """A settlement is one line; in hedge mode each side of a perp has its own."""
        line = lines[0]
        self.check("ledger.csv", line.number, "a settlement is one line", 1, len(lines))
        # funding:ACCOUNT:INSTRUMENT:MARGIN:INSTANT
        _, account, rest = line.event.split(":", 2)
        item = instrument_of(rest, 4)
        margin, stamp = rest[len(item) + 1:].split(":", 1)
        self.check("ledger.csv", line.number, "account of the event", account, line.key[0])
        self.check("ledger.csv", line.number, "margin mode is known", True, margin in ("cross", "isolated"))
        venue, _, symbol = contract(item)
        self.audit_settlement(line, (venue, symbol, stamp, side(item)))

    def audit_settlement(self, line, name):
        audit = self.audit
        venue, symbol, stamp, _ = name
        if not self.check("ledger.csv", line.number, "a position was held at the funding instant",
                          True, name in self.due) or not audit.market:
            self.due.pop(name, None)
            return
        account, item = self.due.pop(name)
        when = instant(stamp)
        rate = audit.market.rate(venue, symbol, when)
        if not self.check("ledger.csv", line.number, "a rate is recorded", True, rate is not None):
            return
        notional = rounded(audit.held[account, item] * self.mark_at((account, item), when))
        amount = rounded(-rounded(notional * rate), audit.rules.decimals(venue, "USDT"), ROUND_FLOOR)
        self.check("ledger.csv", line.number, "funding = -(position x mark x rate)", amount, line.quantity)
        audit.risk.settled[venue, symbol] = rate
        audit.risk.paid(item, amount)
        self.check("ledger.csv", line.number, "account", account, line.key[0])
        self.check("ledger.csv", line.number, "instant", when, line.at)

    def report_unbooked(self):
        """What was due and not booked must be in the summary, with what it left exposed."""
        audit = self.audit
        for (venue, symbol, stamp, _), key in sorted(self.due.items(), key=lambda due: due[1]):
            rows = self.unbooked[f"funding.{venue}.{symbol}", stamp]
            found = rows.pop(0) if rows else None
            what = f"funding of {venue} {symbol} at {stamp} is booked or listed as unbooked"
            if not self.check("summary.json", "unbooked_funding", what, True, found is not None):
                continue
            self.check("summary.json", "unbooked_funding", f"position at {stamp}", self.held_before[key], Decimal(found["position"]))
            if audit.market:
                rate = audit.market.rate(venue, symbol, instant(stamp))
                self.check("summary.json", "unbooked_funding", f"no rate at {stamp}", None, rate)
                worth = rounded(abs(self.held_before[key]) * self.mark_at(key, instant(stamp)))
                self.check("summary.json", "unbooked_funding", f"notional at {stamp}", worth, Decimal(found["exposed_notional"]))
