"""Spot margin: what a spot account may owe, and what every full hour of owing must have cost."""

from datetime import datetime, timedelta, timezone
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from amounts import ZERO, iso, rounded


class Borrowing:
    """Debts of the exchanges that lend, by asset of their spot accounts."""

    def __init__(self, audit):
        self.audit, self.check = audit, audit.check
        self.rates, self.times, self.hours, self.paid = {}, {}, {}, set()
        for venue, settings in (audit.config.get("venue_settings") or {}).items():
            if venue not in audit.rules.venues or not (settings or {}).get("spot_margin"):
                continue
            accounts = audit.rules.at(venue, audit.steps[0])["accounts"]
            account = f"{venue}.{accounts.get('spot') or accounts['deposit']}"
            self.times[account] = Decimal(settings.get("spot_margin_leverage") or 3) - 1
            for row in settings.get("borrow") or []:
                self.rates[account, row["asset"]] = Decimal(row["hourly_rate"])

    def lends(self, account, item):
        return (account, item) in self.rates

    def debts(self, account):
        return [key for key in self.rates if key[0] == account and self.audit.held[key] < 0]

    def begin(self, now):
        """The full hours of the step at which a debt costs interest; they wait for their lines."""
        audit = self.audit
        since = audit.steps[audit.index - 1] if audit.index else now
        self.hours, self.paid = {}, set()
        for account in self.times:
            if self.debts(account):
                first = int(since.timestamp()) // 3600 * 3600 + 3600
                hours = range(first, int(now.timestamp()) + 1, 3600)
                self.hours[account] = [datetime.fromtimestamp(at, timezone.utc) for at in hours]

    def close(self, account=None, until=None):
        """Hours that are over: whatever is owed still has paid for each of them."""
        for place in [account] if account else list(self.hours):
            hours = self.hours.get(place) or []
            while hours and (until is None or hours[0] < until):
                at = hours.pop(0)
                for key in self.debts(place):
                    if self.interest(key):
                        self.check("ledger.csv", "-", f"interest on {key[1]} in {place} at {iso(at)}", True, (key, at) in self.paid)

    def interest(self, key):
        """Of one hour on what is owed: rounded up."""
        owed = rounded(-self.audit.held[key] * self.rates[key], mode=ROUND_CEILING)
        return rounded(owed, self.audit.rules.decimals(key[0].split(".")[0], key[1]), ROUND_CEILING)

    def before(self, lines):
        """At one instant interest comes after funding and before what arrives or fills."""
        first = lines[0]
        if first.word == "sent" and first.key[0] in self.times:
            self.check("ledger.csv", first.number, "nothing leaves an account that owes", [], self.debts(first.key[0]))
        for account in {line.key[0] for line in lines} & set(self.times):
            late = first.word in ("arrived", "fill")
            self.close(account, first.at + timedelta(microseconds=1) if late else first.at)

    def charged(self, lines):
        """Interest of an hour, one line; False for what else comes about by itself."""
        line, audit = lines[0], self.audit
        key = line.key
        if key[0] not in self.times:
            return False
        what = f"interest on {key[1]}"
        self.check("ledger.csv", line.number, f"{what} is one line", 1, len(lines))
        hours = self.hours.get(key[0]) or []
        if not self.check("ledger.csv", line.number, f"{what}: something is owed", True, key in self.debts(key[0])):
            return True
        self.check("ledger.csv", line.number, f"{what}: a full hour that is due", hours[0] if hours else None, line.at)
        owed, cost = audit.held[key], -self.interest(key)
        self.paid.add((key, line.at))
        expected = ("borrow_cost", cost, "", readings(line, owed, owed + cost))
        found = (line.kind, line.quantity, line.row["instruction_id"], line.event)
        for name, a, b in zip(("kind", "quantity = owed x rate, rounded up", "instruction_id", "cause"), expected, found):
            self.check("ledger.csv", line.number, f"{what}: {name}", a, b)
        return True

    def filled(self, lines):
        """What a trade borrows stays within the limit: so many times what the account is worth itself."""
        audit = self.audit
        for line in lines:
            account = line.key[0]
            grown = line.quantity < 0 and audit.held[line.key] < 0
            if not grown or account not in self.times or line.kind != "trade" or not audit.market:
                continue
            values = [rounded(quantity * audit.mark(key), mode=ROUND_FLOOR)
                      for key, quantity in audit.held.items() if key[0] == account and key[1].count(":") == 0]
            limit = rounded(sum(values, ZERO) * self.times[account], mode=ROUND_FLOOR)
            owed = -sum((value for value in values if value < 0), ZERO)
            self.check("ledger.csv", line.number, f"what {account} owes is within its limit", True, owed <= limit)


def readings(line, before, after):
    """The cause of a charge: what was owed before it and after."""
    account, item = line.key
    return f"accrual:{account}:{item}:{iso(line.at)}={plain(before)}:{iso(line.at)}={plain(after)}"


def plain(amount):
    """Without zeros at the end."""
    return f"{amount.normalize():f}"
