"""Statistics of summary.json and every row of daily_nav.csv, from equity.csv."""

from bisect import bisect_right
from datetime import timedelta
from decimal import Decimal

from amounts import ONE, ZERO, instant, rounded
from items import DOLLARS

DAY = timedelta(days=1)
DAYS_MIN = 30
NEAR = Decimal("1e-9")
ROOT = Decimal(365).sqrt()


class Index:
    """The time-weighted index: capital arrives after the move of its step and before its trades."""

    def __init__(self, start):
        self.start, self.value, self.peak, self.fall = start, ONE, ONE, ZERO
        self.before, self.steps, self.days = ZERO, 0, []
        self.day = self.opening = None

    def step(self, at, equity, flow):
        midnight = (at - timedelta(microseconds=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        if self.day is not None and midnight != self.day:
            self.close(True)
        if self.day is None:
            self.day, self.opening = midnight, self.value
        start, end = (self.before, equity - flow) if self.before > 0 else (flow, equity)
        self.before = equity
        if start > 0:
            self.value *= max(end, ZERO) / start  # a lost book has lost what it had, not what it owes
            self.peak = max(self.peak, self.value)
            self.fall = max(self.fall, 1 - self.value / self.peak)
            self.steps += 1
        if at == self.day + DAY:
            self.close(True)

    def close(self, ended):
        earned = self.value / self.opening - 1 if self.opening > 0 else None
        self.days.append((self.day, ended and self.day >= self.start, self.value, earned))
        self.day = None


class Performance:
    """How the run did, in its share class and in dollars."""

    def __init__(self, audit):
        self.audit, self.check = audit, audit.check

    def audit_performance(self, rows):
        audit, summary = self.audit, self.audit.summary
        start = instant(summary["from"])
        usd, own, flows = Index(start), Index(start), []
        in_dollars = audit.config["share_class"] in DOLLARS
        for row in rows:
            at = instant(row["timestamp"])
            equity, flow = Decimal(row["equity_usd"]), Decimal(row["external_flow_usd"])
            usd.step(at, *(Decimal(amount) for amount in row["in_dollars"][:2]))
            if not in_dollars:
                price = Decimal(row["reference_price_usd"])
                equity, flow = rounded(equity / price), rounded(flow / price)
            own.step(at, equity, flow)
            flows.append((at, flow))
        for index in (usd, own):
            if index.day is not None:
                index.close(False)
        self.statistics("", own, summary)
        if in_dollars and not rows[0]["peg_price_usd"]:
            self.check("summary.json", "statistics_usd", "none in a dollar class", None, summary["statistics_usd"])
        else:
            self.statistics("statistics_usd.", usd, summary["statistics_usd"])
        is_short = instant(summary["to"]) - start < DAYS_MIN * DAY
        self.check("summary.json", "apy_caveat", "a short run has one", is_short, summary["apy_caveat"] is not None)
        self.daily_nav(own, rows, flows)

    def statistics(self, where, index, stated):
        years = Decimal(index.steps) * self.audit.step_seconds() / (365 * 86400)
        apy = float(index.value) ** (1 / float(years)) - 1 if years > 0 else 0.0
        whole = [earned for _, is_whole, _, earned in index.days if is_whole and earned is not None]
        expected = {"return": index.value - 1, "max_drawdown": index.fall, "apy": Decimal(apy),
                    "whole_days": Decimal(len(whole)), **self.ratios(whole)}
        for name, value in expected.items():
            found = None if stated[name] is None else Decimal(repr(stated[name]))
            near = (Decimal("1e-6") if name in ("sharpe", "sortino") else NEAR) * (1 + abs(value or ZERO))
            self.check("summary.json", where + name, "time-weighted", value, found, near)

    def ratios(self, whole):
        """Of whole UTC days, a year of them; none under thirty."""
        names = ("sharpe", "sortino", "volatility")
        if len(whole) < DAYS_MIN:
            return dict.fromkeys(names)
        mean = sum(whole, ZERO) / len(whole)
        deviation = (sum(((e - mean) ** 2 for e in whole), ZERO) / (len(whole) - 1)).sqrt()
        # What is nearer to zero than a billionth is rounding: no loss, and no deviation.
        downside = (sum((e ** 2 for e in whole if e < -NEAR), ZERO) / len(whole)).sqrt()
        sharpe = mean / deviation * ROOT if deviation > NEAR else None
        sortino = mean / downside * ROOT if downside else None
        return dict(zip(names, (sharpe, sortino, deviation * ROOT)))

    def daily_nav(self, index, rows, flows):
        file, table = "daily_nav.csv", self.audit.table("daily_nav.csv")
        self.check(file, "end", "one row per day", len(index.days), len(table))
        peak, instants = ONE, [at for at, _ in flows]
        for (number, row), (day, is_whole, value, earned) in zip(table, index.days):
            peak = max(peak, value)
            first, end = bisect_right(instants, day), bisect_right(instants, day + DAY)
            last = rows[end - 1]
            exact = {"date": f"{day:%Y-%m-%d}", "whole_day": "true" if is_whole else "false",
                     "equity_usd": last["in_dollars"][0], "equity_share_class": last["equity_share_class"]}
            for name, expected in exact.items():
                self.check(file, number, name, expected, row[name])
            self.check(file, number, "external_flow_share_class", sum((flow for _, flow in flows[first:end]), ZERO),
                       Decimal(row["external_flow_share_class"]))
            for name, expected in (("nav", value), ("return", earned), ("drawdown", 1 - value / peak)):
                found = Decimal(row[name]) if row[name] else None
                self.check(file, number, name, expected, found, NEAR * (1 + abs(expected or ZERO)))
