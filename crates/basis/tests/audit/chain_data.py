"""Recorded rows of the data directory that are no bars: rates, oracles, reserves, gas, rewards.

Nothing of `basis` is used here; the layout is that of docs/data.md, the formulas those of
docs/run-directory.md.
"""

import csv
from bisect import bisect_right
from datetime import datetime, timedelta, timezone
from decimal import ROUND_FLOOR, Decimal
from functools import cache

from amounts import rounded

RAY = 10**27
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SLACK = HOUR  # how much longer than its interval a row stays fresh
ROW_KINDS = ("staking_rate", "staking_market", "oracle", "aave_reserve", "gas", "reward_rate", "reward_top_up")
ETHERS = ("WETH", "stETH", "eETH")
STATES = ("par", "fresh", "proxied", "held", "missing")


def seconds(at):
    return int(at.timestamp())


def day(text):
    return datetime.fromisoformat(text + "T00:00:00+00:00")


class Rows:
    """Rows known at their own instants, one every `interval`; None for rows at dates of their own."""

    def __init__(self, interval, known_at, rows):
        self.interval, self.known_at, self.rows = interval, known_at, rows

    def newest(self, now, back=0):
        """The newest known row or the one so many `back`, its instant, and whether it is fresh."""
        at = bisect_right(self.known_at, now) - 1 - back
        if at < 0:
            return None
        known = self.known_at[at]
        return self.rows[at], known, self.interval is None or now < known + self.interval + SLACK

    def between(self, after, until):
        """Rows that became known in (after, until]; `after` None: from the first on."""
        first = 0 if after is None else bisect_right(self.known_at, after)
        return list(zip(self.known_at[first:], self.rows[first:]))[:max(0, bisect_right(self.known_at, until) - first)]


def ray(text):
    return int(Decimal(text).scaleb(27))


def reserve_row(row):
    return {"liquidity_index": ray(row["liquidity_index"]), "liquidity_rate": ray(row["liquidity_rate"]),
            "borrow_index": ray(row["variable_borrow_index"]), "borrow_rate": ray(row["variable_borrow_rate"]),
            "supplied": Decimal(row["total_supplied"]), "debt": Decimal(row["total_variable_debt"])}


def reward_row(row, first, per_eth):
    """A period is whole days, the last one included; amounts are per ETH held all of it."""
    return day(row[first]), day(row["staking_period_end"]) + DAY, int(Decimal(row[per_eth]).scaleb(18))


@cache
def load_rows(directory, name):
    """The rows of a series, read once for all runs; None where the directory has none."""
    kind, venue, symbol = name.split(".")
    stem = {"staking_rate": f"staking/{symbol}_protocol", "staking_market": f"staking/{symbol}_market",
            "oracle": f"aave/oracle/{symbol}", "aave_reserve": f"aave/reserves/{symbol}", "gas": f"gas/{venue}"}.get(kind)
    if stem:
        for suffix, interval in (("1d", DAY), ("1h", HOUR), ("1m", timedelta(minutes=1))):
            path = directory / f"{stem}_{suffix}.csv"
            if path.exists():
                break
    else:
        interval = None
        path = directory / "rewards" / ("etherfi_eigen.csv" if kind == "reward_rate" else "etherfi_ethfi_topups.csv")
    if not path.exists():
        return None
    known, rows = [], []
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if kind == "reward_rate":
                known.append(day(row["staking_period_end"]) + DAY)
                rows.append(reward_row(row, "staking_period_start", "eigen_per_eth"))
                continue
            if kind == "reward_top_up":
                known.append(day(row["top_up_date"]) + DAY)
                rows.append(reward_row(row, "staking_period_start", "ethfi_per_eeth_distributed"))
                continue
            known.append(datetime.fromisoformat(row["timestamp"][:-1] + "+00:00").astimezone(timezone.utc))
            if kind == "aave_reserve":
                rows.append(reserve_row(row))
            else:
                column = {"oracle": "price", "staking_rate": "protocol_rate", "staking_market": "market_rate",
                          "gas": "gas_price_gwei"}[kind]
                rows.append(Decimal(row[column]))
    return Rows(interval, known, rows)


def risk_table(directory):
    path = directory / "aave" / "risk_parameters.csv"
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {row["asset"]: row for row in csv.DictReader(file)}


class ChainMarket:
    """What the run values tokens by, and what the pool's oracle says, step by step."""

    def __init__(self, market, covered):
        self.market, self.covered, self.cache, self.files = market, covered, {}, {}
        self.valued_by, self.asked, self.answers = {}, None, {}  # answers are those of one instant
        self.risk = risk_table(market.directory)

    def recorded(self, name):
        if name not in self.files:
            self.files[name] = load_rows(self.market.directory, name)
        return self.files[name]

    def rows(self, name):
        """The rows as the run saw them: the recorded ones, under its shocks."""
        if name not in self.cache:
            rows = self.recorded(name)
            if rows:
                rows = Rows(rows.interval, *self.market.shocks.rows(name, rows, self.market.recorded))
            self.cache[name] = rows
        return self.cache[name]

    def newest(self, name, now):
        """Row, instant and state: the series' own while fresh, else its proxy's, else the own one held."""
        if self.asked != now:
            self.asked, self.answers = now, {}
        if name not in self.answers:
            self.answers[name] = self.found(name, now)
        return self.answers[name]

    def found(self, name, now):
        held = None
        for candidate, state in ((name, "fresh"), (self.market.proxies.get(name), "proxied")):
            rows = self.rows(candidate) if candidate else None
            found = rows.newest(now) if rows else None
            if found and found[2]:
                return found[0], found[1], "held" if self.market.shocks.is_out(name.split(".")[1], now) else state
            if found and held is None:
                held = (found[0], found[1], "held")
        return held

    def rate_series(self, asset):
        """The series that says how many ETH a token is, and whether its growth is yield."""
        if asset not in self.valued_by:
            self.valued_by[asset] = self.valuing(asset)
        return self.valued_by[asset]

    def valuing(self, asset):
        for name in self.covered:
            kind, _, symbol = name.split(".")
            if kind == "staking_rate" and symbol == f"{asset}_ETH":
                return name, True
        for name in self.covered:
            kind, _, symbol = name.split(".")
            if kind == "dex" and symbol.split("_")[0] == f"{asset}WETH":
                return name, False
        return None

    def rate(self, asset, now):
        """ETH per token, the state of the series that says so, and whether growth is yield."""
        name, grows = self.rate_series(asset)
        if name.startswith("dex."):
            series = self.market.series[name]
            return (series.mark, series.state, grows) if series.mark is not None else None
        found = self.newest(name, now)
        return (found[0], found[2], grows) if found else None

    def pool_price(self, name, now):
        """Newest price of a pool's series, its volume, state, and which of the series' values it is."""
        if name.startswith("dex."):
            series = self.market.series[name]
            return series.mark, series.volume, series.state, series.opened
        found = self.newest(name, now)
        return (found[0], Decimal(0), found[2], found[1]) if found else None

    def oracle(self, asset, now):
        """The pool's price with 8 decimals, USD; None before a row."""
        if asset in ("ETH", "WETH"):
            found = self.newest("oracle.aave.WETH_USD", now)
            if not found:
                return None
            price, known, _ = found
            if known != now:
                spot = self.market.reference
                then = spot.at(known, self.market.age_max) or spot.mark
                price = rounded(rounded(price * spot.mark / then), 8)
            return rounded(price, 8, ROUND_FLOOR)
        if self.rows(f"oracle.aave.{asset}_ETH"):
            found, ether = self.newest(f"oracle.aave.{asset}_ETH", now), self.oracle("WETH", now)
            if not found or ether is None:
                return None
            return rounded(rounded(ether * found[0]), 8)
        found = self.newest(f"oracle.aave.{asset}_USD", now)
        return rounded(found[0], 8, ROUND_FLOOR) if found else None
