"""Market data: bars and funding rates as recorded, and the marks a run could know of them."""

import csv
from bisect import bisect_right
from collections import namedtuple
from copy import copy
from datetime import datetime, timedelta, timezone
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cache

from amounts import ONE, ZERO, instant, rounded
from chain_data import ROW_KINDS
from config_file import dig
from shocks import Shocks

LENGTHS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
# How far from its instant a settlement may be stamped.
TOLERANCE = timedelta(seconds=60)


# How many completed bars an impact is measured by.
ACTIVITY_BARS = 24

# The newest bars: when the last one was known and what it traded, the sum of the squared returns, that of the volumes.
Activity = namedtuple("Activity", "known_at last_volume squared_returns volume")
NO_BARS = Activity(None, ZERO, ZERO, ZERO)


def impact_bps(bars, quantity, factor):
    """factor x sigma x the root of quantity / V: the number of bars cancels out of sigma and V."""
    if bars.volume <= 0:
        return ZERO
    share = rounded(quantity / bars.volume, mode=ROUND_CEILING)
    root = rounded(rounded(bars.squared_returns * share, mode=ROUND_CEILING).sqrt(), mode=ROUND_FLOOR)
    return rounded(factor * root, mode=ROUND_CEILING) * 10000


class Series:
    """Marks of one price series, step by step, as the run could know them."""

    def __init__(self, market, name):
        self.name = name
        self.own = market.bars(name)
        proxy = market.proxies.get(name)
        self.proxy = market.bars(proxy) if proxy else None
        self.anchor = None
        self.mark, self.state, self.now = None, "missing", None
        self.open = self.high = self.low = self.volume = ZERO
        self.opened = None
        self.seen = (None, "missing", None)

    def bars(self, state, now):
        """What the market did over the newest bars of the series that was shown."""
        shown = {"fresh": self.own, "proxied": self.proxy}.get(state)
        return shown.activity(now) if shown else NO_BARS

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
        self.seen = (self.mark, self.state, self.now)
        self.now = now
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
def recorded_bars(path, length, volume_unit, price_unit):
    """The bars of a file, read once for all runs."""
    return Bars(path, length, volume_unit, price_unit) if path.exists() else None


@cache
def recorded_funding(path):
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {instant(row["timestamp"]): Decimal(row["funding_rate"]) for row in csv.DictReader(file)}


class Bars:
    """A bar is known when it closes: its opening time plus its length."""

    def __init__(self, path, length, volume_unit, price_unit):
        self.length, self.known_at, self.rows = length, [], []
        self.squares, self.activities = {}, {}
        with path.open(newline="") as file:
            lines = csv.reader(file)
            header = next(lines)
            at, *columns = (header.index(name) for name in ("timestamp", "close", "high", "low", "volume", "open"))
            for row in lines:
                opened = instant(row[at])
                close, high, low, volume, first = (Decimal(row[column]) for column in columns)
                if price_unit != ONE:  # a price of several base units
                    close, high, low, first = (rounded(price / price_unit) for price in (close, high, low, first))
                self.known_at.append(opened + length)
                self.rows.append((close, high, low, volume * volume_unit, first, opened))

    def shocked(self, shocks, name):
        other = copy(self)
        other.rows = shocks.bars(name, self.known_at, self.rows)
        if other.rows is not self.rows:
            other.squares, other.activities = {}, {}
        return other

    def closed(self, now):
        """When the newest bar that is known closed, and its close; however old."""
        at = bisect_right(self.known_at, now) - 1
        return (self.known_at[at], self.rows[at][0]) if at >= 0 else None

    def activity(self, now):
        """What the newest bars did that are known at an instant, whatever their age."""
        at = bisect_right(self.known_at, now)
        if at not in self.activities:
            places = range(max(at - ACTIVITY_BARS, 0), at)
            self.activities[at] = Activity(self.known_at[at - 1], self.rows[at - 1][3],
                                           sum((self.square(place) for place in places), ZERO),
                                           sum((self.rows[place][3] for place in places), ZERO))
        return self.activities[at]

    def square(self, place):
        """The squared return of a bar."""
        if place not in self.squares:
            row = self.rows[place]
            self.squares[place] = rounded(rounded((row[0] - row[4]) / row[4]), 9) ** 2
        return self.squares[place]

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
        for path in directory.glob("mark/*/*.csv"):
            venue, symbol = path.parent.name, path.stem.rpartition("_")[0]
            if self.file(directory / "perp" / venue, symbol):  # its closes stand in for missing marks
                self.proxies.setdefault(f"mark.{venue}.{symbol}", f"perp.{venue}.{symbol}")
        self.shocks = Shocks(config.get("shocks") or [], config["reference_price"], self.step)
        self.recorded = self.load(config["reference_price"])  # as it was, without any shock
        self.reference = Series(self, config["reference_price"])
        self.series = {self.reference.name: self.reference}

    def bars(self, name):
        if name is None:
            return None
        if name not in self.cache:
            bars = self.load(name)
            self.cache[name] = bars and bars.shocked(self.shocks, name)
        return self.cache[name]

    def marked_by(self, name):
        """The series that marks what trades by another: of a perp its marks, where they are recorded or replaced."""
        mark = name.replace("perp.", "mark.", 1)
        return mark if mark != name and (self.bars(mark) or self.bars(self.proxies.get(mark))) else name

    def load(self, name):
        kind, venue, symbol = name.split(".")
        folder = self.directory / kind
        found = self.file(folder if kind == "peg" else folder / venue, symbol)
        if not found:
            return None
        path, length = found
        volume = price = ONE
        if kind in ("perp", "mark", "index"):
            row = self.rules.listed(venue, "perp", symbol, datetime.now(timezone.utc))
            if row and row.get("quantity_unit") == "contracts":
                volume = row["contract_size"]
            if row and row.get("price_unit") == "contract":
                price = row["contract_size"]
        return recorded_bars(path, length, volume, price)

    def file(self, folder, symbol):
        """The file of a series of bars and their length: that of the step, else the only other one."""
        for path in (folder / f"{symbol}_{self.suffix}.csv", *sorted(folder.glob(f"{symbol}_*.csv"))):
            count, unit = path.stem.rpartition("_")[2][:-1], path.stem[-1]
            if path.exists() and path.stem.rpartition("_")[0] == symbol and count.isdigit() and unit in LENGTHS:
                return path, int(count) * LENGTHS[unit]
        return None

    def rate(self, venue, symbol, at):
        """The rate settled at the instant, of the series or of its proxy; None when nobody has it."""
        name = f"funding.{venue}.{symbol}"
        for candidate in (name, self.proxies.get(name)):
            rates = self.funding(candidate) if candidate else {}
            if at in rates:
                return rates[at]
            near = [row for row in rates if abs(row - at) <= TOLERANCE] if self.is_shifted(candidate) else []
            if near:
                return rates[min(near, key=lambda row: (abs(row - at), row))]
        return None

    def is_shifted(self, name):
        """Whether a funding series has rows that lie on no full hour."""
        if name is None:
            return False
        if ("shifted", name) not in self.cache:
            self.cache["shifted", name] = any(row.timestamp() % 3600 for row in self.funding(name))
        return self.cache["shifted", name]

    def raw_funding(self, name):
        """The rates as recorded, without any shock."""
        if ("raw", name) not in self.cache:
            _, venue, symbol = name.split(".")
            self.cache["raw", name] = recorded_funding(self.directory / "funding" / venue / f"{symbol}.csv")
        return self.cache["raw", name]

    def funding(self, name):
        if name not in self.cache:
            self.cache[name] = self.shocks.funding(name, self.raw_funding(name))
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
                follows = not series.name.startswith(("dex.", "peg."))
                series.advance(now, self.age_max, self.reference.mark if follows else None)
        for series in self.series.values():
            if series.state in ("fresh", "proxied") and self.shocks.is_out(series.name.split(".")[1], now):
                series.state = "held"
