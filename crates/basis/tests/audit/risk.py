"""How far everything is from liquidation, derived anew: `risk.csv` and `risk` of `summary.json`.

The formulas are those of docs/run-directory.md. Measures and distances are exact; times are floats in
the run, so they are compared to the four places that are written.
"""

import math
from collections import defaultdict
from datetime import timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from amounts import ONE, ZERO, iso, rounded
from chain_data import DAY, RAY
from items import DOLLARS, is_position, plain
from lending import LENDER
from protocols import WAD, percent_mul

FILE = "risk.csv"
LEVELS = ("clear", "warn", "reduce_only", "top_up", "deleverage", "halt")
DAYS_MAX, DAYS_PER_YEAR = 365_000.0, 365.0
DAY_TOLERANCE = Decimal("0.00005")
# What a difference of two yearly rates may be off by, in floats: 365 x the last bit of a day's growth.
RATE_DOUBT = 2e-13
RATIO_MAX = Decimal("170141183460469231731.687303715884105727")  # of a balance that is gone
LADDERS = {  # `risk` of config.yaml; the defaults of docs/modes.md
    "distance": {"warn": "0.40", "reduce_only": "0.35", "top_up": "0.30", "deleverage": "0.22", "halt": "0.10"},
    "health_factor": {"warn": "1.20", "reduce_only": "1.15", "deleverage": "1.10", "halt": "1.04"},
}


def floor(value, decimals=18):
    return rounded(value, decimals, ROUND_FLOOR)


def ceiling(value, decimals=18):
    return rounded(value, decimals, ROUND_CEILING)


def blank(text):
    return Decimal(text) if text else None


class Pool:
    """A perp account without its isolated positions, or one of those."""

    def __init__(self, balance=ZERO):
        self.balance, self.gross, self.deductions, self.net = balance, ZERO, ZERO, ZERO
        self.cost, self.funded = 0.0, True  # of funding a day; whether every rate is known

    def add(self, result, net, parts, cost):
        self.balance += result
        self.net += net
        self.gross += parts[0]
        self.deductions += parts[1]
        self.cost += cost or 0.0
        self.funded = self.funded and cost is not None

    @property
    def needed(self):
        return self.gross - self.deductions

    def ratio(self):
        if not self.needed:
            return ZERO
        return ceiling(self.needed / self.balance) if self.balance > 0 else RATIO_MAX

    def distance(self):
        """The move of all marks at which balance and maintenance margin meet, and which way."""
        buffer, closing = self.balance - self.needed, self.gross - self.net
        if not closing:
            return None, ""
        direction = "up" if closing > 0 else "down"
        if buffer <= 0:
            return ZERO, direction
        moved = floor(buffer / abs(closing))
        return (moved, direction) if direction == "up" or moved < 1 else (None, "")

    def days(self):
        """Days, and what floats may be off by."""
        if not self.funded or self.cost <= 0:
            return None
        days = max(float(self.balance - self.needed), 0.0) / self.cost
        return days, days * 1e-12


class Isolated:
    """The margin an isolated position keeps, for every leverage that the rows so far allow.

    The leverage that a strategy sets is not in the run directory. It is a whole number, and the only
    unknown: one of them must explain every row there is.
    """

    def __init__(self, leverages):
        self.margins = {leverage: ZERO for leverage in leverages}

    def each(self, change):
        self.margins = {leverage: change(leverage, margin) for leverage, margin in self.margins.items()}


class Risk:
    def __init__(self, audit):
        self.audit = audit
        self.rows = defaultdict(dict)
        for number, row in audit.table(FILE):
            where, key = self.rows[row["timestamp"]], (row["account"], row["item"])
            audit.check(FILE, number, "one row per subject", False, key in where)
            where[key] = (number, row)
        limits = audit.config.get("risk") or {}
        self.ladders = {measure: [(level, Decimal(str(limits.get(f"{measure}_{level}", rungs[level])))) for level in LEVELS[:0:-1] if level in rungs]
                        for measure, rungs in LADDERS.items()}
        self.delta_halt = Decimal(str(limits["net_delta_halt"])) if limits.get("net_delta_halt") is not None else None
        self.settled, self.isolated, self.worst = {}, {}, {}
        self.level, self.drifted, self.adrift = 0, False, False
        self.judged, self.cut_before = None, set()
        self.changes = defaultdict(list)  # when a venue's leverage was set
        for _, row in audit.executions:
            if row["operation"] == "set_leverage" and row["status"] == "settled":
                self.changes[row["venue"]].append(row["timestamp"])
        self.growths = {}
        self.tokens = self.staking_tokens()

    def staking_tokens(self):
        """Tokens that the run reads both a protocol's and a market's rate of."""
        series = {}
        for name in self.audit.chain.covered:
            kind, _, symbol = name.split(".")
            if kind in ("staking_rate", "staking_market"):
                series.setdefault(symbol.removesuffix("_ETH"), {}).setdefault(kind, name)
        return {token: (names["staking_market"], names["staking_rate"]) for token, names in series.items() if len(names) == 2}

    # -- what the margin of isolated positions is made of --------------------------------------------------

    def is_isolated(self, item):
        venue = item.split(":")[0]
        settings = (self.audit.config.get("venue_settings") or {}).get(venue) or {}
        return settings.get("margin_mode") == "isolated"

    def fill(self, account, item, signed, price, realized, fee, decimals):
        """Before a fill is posted: opening takes initial margin, reducing gives its share back."""
        if not self.is_isolated(item):
            return
        held = self.audit.held[account, item]
        after, venue = held + signed, item.split(":")[0]
        if not after:
            self.isolated.pop(item, None)
            return
        if item not in self.isolated:
            settings = self.audit.config["venue_settings"][venue]
            known = [Decimal(str(settings.get("leverage") or 5))]
            changed = self.changes[venue] and self.changes[venue][0] <= iso(self.audit.now)
            self.isolated[item] = Isolated(map(Decimal, range(1, 126)) if changed else known)
        flips = held * after < 0
        opened = abs(after) if flips else max(abs(after) - abs(held), ZERO)
        worth = ceiling(opened * price)
        cash = self.audit.held[account, "USDT"] + realized - fee
        crossed = any(q and a == account and i != item and ":" in i and i not in self.isolated
                      for (a, i), q in self.audit.held.items())

        def change(leverage, margin):
            kept = ZERO if flips else margin
            if not flips and abs(after) < abs(held):
                kept = ceiling(ceiling(margin * abs(after) / abs(held)), decimals)
            own = kept + ceiling(ceiling(worth / leverage), decimals)
            others = sum((max(i.margins.values()) for name, i in self.isolated.items()
                          if name != item and name.split(":")[0] == venue), ZERO)
            left = cash - others - own
            return own + left if left < 0 and not crossed else own

        self.isolated[item].each(change)

    def paid(self, item, amount, flat=False):
        """Funding, and the result of what is closed by force, are the position's own."""
        if flat:
            self.isolated.pop(item, None)
        elif item in self.isolated:
            self.isolated[item].each(lambda _, margin: margin + amount)

    # -- the state at this moment ----------------------------------------------------------------------------

    def pools(self, marks):
        """Perp accounts with open positions, and isolated positions by leverage."""
        audit, cash, open_ones = self.audit, defaultdict(Decimal), []
        for (account, item), quantity in audit.held.items():
            if is_position(item):
                if quantity:
                    open_ones.append((account, item, quantity))
                elif audit.cost[account, item]:
                    cash[account] -= audit.cost[account, item]
        accounts = {account for account, _, _ in open_ones}
        if not accounts:
            return {}, {}
        for (account, item), quantity in audit.held.items():
            if account in accounts and item in DOLLARS:
                cash[account] += quantity
        shared, own = {account: Pool(cash[account]) for account in accounts}, {}
        for account, item, quantity in open_ones:
            mark = marks((account, item))
            key = tuple(item.split(":")[:3])
            parts = audit.rules.maintenance_parts(key, quantity, mark, audit.now)
            worth = rounded(quantity * mark)
            result = worth - audit.cost[account, item]
            cost = self.funding_cost(key, worth)
            if item not in self.isolated:
                shared[account].add(result, worth, parts, cost)
                continue
            for leverage, margin in self.isolated[item].margins.items():
                pool = own.setdefault((account, item), {}).setdefault(leverage, Pool(margin))
                pool.add(result, worth, parts, cost)
            shared[account].balance -= max(self.isolated[item].margins.values())
        return shared, own

    def funding_cost(self, key, worth):
        """What a position costs a day at the rate last settled; None before one."""
        if not worth:
            return 0.0
        rate = self.settled.get((key[0], key[2]))
        if rate is None:
            return None
        section = self.audit.rules.instrument(*key, self.audit.now).get("funding") or {}
        return float(worth) * float(rate) / (int(section.get("interval_hours", 8)) / 24)

    def health(self):
        """The pool's health factor and what it is made of; None without debt or prices."""
        chain, now = self.audit.chain, self.audit.now
        sums = {"shares": [0, 0, 0], "debt": [0, 0, 0]}  # worth, worth x threshold, worth x rate
        for (account, item), units in self.audit.units.items():
            side, colon, asset = item.partition(":")
            if account != LENDER or not colon or not units:
                continue
            price = chain.market.oracle(asset, now)
            if price is None or asset not in chain.lending.reserves:
                return None
            worth = int(units.scaleb(chain.decimals(asset))) * int(price.scaleb(8)) // 10**chain.decimals(asset)
            reserve, total = chain.lending.reserves[asset], sums[side]
            total[0] += worth
            total[2] += worth * (reserve.supply_rate if side == "shares" else reserve.debt_rate)
            if side == "shares":
                row = chain.market.risk[asset]
                prefix = "emode_" if chain.lending.e_mode() and row["emode"] else ""
                total[1] += worth * int(Decimal(row[prefix + "liquidation_threshold"]) * 10000)
        collateral, debt = sums["shares"], sums["debt"]
        if not debt[0]:
            return None
        threshold = collateral[1] // collateral[0] if collateral[0] else 0
        covered = percent_mul(collateral[0], threshold)
        factor = Decimal((covered * WAD + debt[0] // 2) // debt[0]).scaleb(-18)
        rate = lambda total: floor(Decimal(total[2] // total[0]) / RAY) if total[0] else ZERO
        return factor, rate(collateral), rate(debt)

    def lenders(self):
        """Lending accounts that owe something: health factor and yearly rates of collateral and debt."""
        chain = self.audit.chain
        health = self.health() if chain.lending.reserves else None
        return ([(LENDER, *health)] if health else []) + chain.morpho.standings()

    def rung(self, measure, value):
        if value is None:
            return "clear"  # no move liquidates
        met = (lambda limit: value <= limit) if measure == "distance" else (lambda limit: value < limit)
        return next((level for level, limit in self.ladders[measure] if met(limit)), "clear")

    # -- the level that risk saw, before it acted -----------------------------------------------------------

    def judge(self):
        """Called when everything that came about by itself is in the books."""
        if not self.audit.market:
            return
        shared, own = self.pools(self.audit.mark)
        pools = [(account, pool) for account, pool in shared.items()]
        pools += [(account, next(iter(own.values()))) for (account, _), own in own.items()]
        near = [(pool.distance()[0], account) for account, pool in pools if pool.needed > 0]
        near = min((pair for pair in near if pair[0] is not None), key=lambda pair: pair[0], default=(None, None))
        margin = LEVELS.index(self.rung("distance", near[0]))
        lending = max((LEVELS.index(self.rung("health_factor", factor)) for _, factor, _, _ in self.lenders()), default=0)
        cut, deleverage = self.cut_before, LEVELS.index("deleverage")
        self.cut_before = {account for account, pool in pools if pool.needed > 0
                           and LEVELS.index(self.rung("distance", pool.distance()[0])) >= deleverage}
        if LEVELS[margin] == "halt" and near[1] not in cut:
            margin = deleverage  # an account is cut before it halts the run
        ladder = max(margin, lending)
        net, _ = self.audit.deltas()
        worth = abs(net) * self.audit.market.reference.mark
        before = self.drifted
        self.drifted = self.delta_halt is not None and worth > self.audit.equity_now() * self.delta_halt
        self.judged = (LEVELS[ladder], before and self.drifted)

    def audit_level(self, number, stated):
        if not self.audit.check(FILE, number, "run_level is known", True, stated in LEVELS):
            return
        if not self.judged:
            return
        ladder, adrift = self.judged
        # A net delta beyond its limit, twice in a row, halts whatever the ladder says.
        by_delta = stated == "halt" != ladder and adrift
        self.audit.check(FILE, number, "run_level: the worst rung before risk acted", ladder if not by_delta else "halt", stated)

    # -- the rows of a step ------------------------------------------------------------------------------------

    def close_step(self, now, held, net_stated):
        """The rows that must stand at the end of this step, against those that do."""
        audit = self.audit
        rows, deltas = self.rows.pop(iso(now), {}), audit.deltas()
        # Without recorded data the marks are those of positions.csv.
        shared, own = self.pools(audit.mark if audit.market else lambda key: Decimal(held[key][1]["mark_price_usd"]))
        expected = {}
        for account, pool in shared.items():
            if pool.needed > 0:
                expected[account, ""] = ("margin_ratio", pool.ratio(), *pool.distance(), None, pool.days())
        for (account, item), pools in own.items():
            _, row = rows.get((account, item), (None, None))
            fits = [lev for lev, pool in pools.items() if row and pool.ratio() == Decimal(row["value"])]
            if fits:
                self.isolated[item].margins = {lev: self.isolated[item].margins[lev] for lev in fits}
            pool = pools[fits[0] if fits else next(iter(pools))]
            expected[account, item] = ("margin_ratio", pool.ratio(), *pool.distance(), None, pool.days())
        if audit.market:
            for lender in self.lenders():
                self.add_lending(expected, *lender)
            self.add_tokens(expected)
        for (account, item), (number, row) in rows.items():
            if (account, item) not in expected and self.is_derived(account, row):
                audit.check(FILE, number, f"{row['measure']} of {account or item}", "no row", row["value"])
            self.audit_common(number, row, deltas, net_stated)
        for key, values in expected.items():
            name = key[1] or key[0]
            if key not in rows:
                audit.check(FILE, "-", f"{iso(now)} {values[0]} of {name}", values[1], "no row")
                continue
            self.audit_row(*rows[key], name, values)
            self.keep_worst(key, values, now)
        stated = {row["run_level"] for _, row in rows.values()}
        if stated:
            audit.check(FILE, "-", f"{iso(now)} one run_level", 1, len(stated))
        if self.judged:
            ladder, adrift = self.judged
            level = next(iter(stated), ladder)
            self.level = max(self.level, LEVELS.index(level) if level in LEVELS else 0)
            self.adrift = self.adrift or adrift
        self.judged = None

    def is_derived(self, account, row):
        if row["measure"] == "margin_ratio":
            return True
        return self.audit.market is not None

    def audit_common(self, number, row, deltas, net_stated):
        """What is the same in every row of a step, and what a row says of its own value."""
        check = self.audit.check
        check(FILE, number, "net delta", net_stated, Decimal(row["net_delta_base"]))
        gross = Decimal(row["gross_delta_base"])
        if deltas:
            check(FILE, number, "gross delta", deltas[1], gross)
        part = rounded(Decimal(row["net_delta_base"]) / gross) if gross else None
        check(FILE, number, "net over gross delta", part, blank(row["net_delta_fraction"]))
        self.audit_level(number, row["run_level"])
        level = "clear" if row["measure"] == "lst_discount" else (
            self.rung("distance", blank(row["price_distance_fraction"])) if row["measure"] == "margin_ratio"
            else self.rung(row["measure"], Decimal(row["value"])))
        check(FILE, number, "rung of the value", level, row["level"])

    def audit_row(self, number, row, name, values):
        check = self.audit.check
        measure, value, distance, direction, of_rate, days = values
        check(FILE, number, f"measure of {name}", measure, row["measure"])
        check(FILE, number, f"{measure} of {name}", value, Decimal(row["value"]))
        check(FILE, number, f"distance of {name}", distance, blank(row["price_distance_fraction"]))
        check(FILE, number, f"direction of {name}", direction, row["price_direction"])
        check(FILE, number, f"distance of the rate of {name}", of_rate, blank(row["lst_rate_distance_fraction"]))
        if not self.audit.market:
            return
        time, doubt = days if days is not None and days[0] <= DAYS_MAX else (None, 0)
        check(FILE, number, f"days of {name}", None if time is None else Decimal(time),
              blank(row["time_to_liquidation_days"]), DAY_TOLERANCE + Decimal(doubt))

    def keep_worst(self, key, values, now):
        measure, value, distance, direction = values[:4]
        known = self.worst.get(key)
        worse = known is None or (value < known[1] if measure == "health_factor" else value > known[1])
        if worse:
            self.worst[key] = (measure, value, iso(now), distance, direction)

    def add_lending(self, expected, lender, factor, supplied_at, owed_at):
        audit = self.audit
        left = ceiling(ONE / factor) if factor else ONE  # without collateral nothing is left to fall
        distance = max(ONE - left, ZERO)
        collateral, staked, grown = ZERO, ZERO, 0.0
        for (account, item), units in audit.units.items():
            asset, sign = plain(item)
            if account != lender or sign < 0 or not units:
                continue
            worth = rounded(units * audit.mark((account, item)))
            collateral += worth
            _, grows = audit.chain.market.rate_series(asset) if audit.rated((account, item)) else (None, False)
            if grows:
                staked += worth
                growth = self.growth(asset)
                grown = None if grown is None or growth is None else grown + float(worth) * growth
        of_rate = floor(distance * floor(collateral / staked)) if staked else None
        of_rate = of_rate if of_rate is not None and of_rate < 1 else None
        days = None
        if grown is not None and collateral:
            falls = float(owed_at) - (float(supplied_at) + grown / float(collateral))
            if falls > 0:
                days = math.log(max(float(factor), 1.0)) / falls * DAYS_PER_YEAR
                days = days, days * RATE_DOUBT / falls
        expected[lender, ""] = ("health_factor", factor, distance, "down", of_rate, days)

    def growth(self, asset):
        """Yearly logarithmic growth of a token's rate over the last day that is recorded."""
        market, now = self.audit.chain.market, self.audit.now
        name, _ = market.rate_series(asset)
        found = market.newest(name, now)
        if not found:
            return None
        rate, known, _ = found
        if self.growths.get(asset, (None,))[0] != known:
            rows = market.rows(name)
            before = rows.newest(known - DAY) if rows else None
            growth = None
            if before:
                years = (known - before[1]) / timedelta(days=DAYS_PER_YEAR)
                growth = math.log(float(rate) / float(before[0])) / years
            self.growths[asset] = (known, growth)
        return self.growths[asset][1]

    def add_tokens(self, expected):
        market, now = self.audit.chain.market, self.audit.now
        for token, (paid, redeemed) in self.tokens.items():
            rates = [market.newest(name, now) for name in (paid, redeemed)]
            if all(rates) and rates[1][0] > 0:
                discount = ONE - floor(rates[0][0] / rates[1][0])
                expected["", token] = ("lst_discount", discount, None, "", None, None)

    # -- the summary ---------------------------------------------------------------------------------------------

    def finish(self):
        audit, file = self.audit, "summary.json"
        for stamp, rows in self.rows.items():
            audit.check(FILE, min(n for n, _ in rows.values()), f"{stamp} is a step", True, False)
        stated = audit.summary["risk"]
        if audit.market:
            # A halt for the net delta may fall into a step without rows.
            level = "halt" if self.adrift and stated["level"] == "halt" else LEVELS[self.level]
            audit.check(file, "risk.level", "the highest level of the steps", level, stated["level"])
        found = {(row["account"] or "", row["item"] or ""): row for row in stated["worst"]}
        derived = {key: row for key, row in found.items() if key in self.worst or self.is_derived(key[0], row)}
        audit.check(file, "risk.worst", "subjects", sorted(self.worst), sorted(derived))
        for key, worst in self.worst.items():
            row = found.get(key)
            if not row:
                continue
            names = ("measure", "value", "at", "distance", "direction")
            numbers = lambda text: None if text is None else Decimal(text)
            got = (row["measure"], Decimal(row["value"]), row["at"], numbers(row["distance"]), row["direction"] or "")
            for name, a, b in zip(names, worst, got):
                audit.check(file, f"risk.worst {key[1] or key[0]}", f"{name} of the worst row", a, b)
