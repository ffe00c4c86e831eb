"""The market as a run under shocks saw it: the recorded data, changed as the sentences of config.yaml say.

Sentences and their effect are those of docs/stress.md. Every product is rounded half-even at 18 places.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Optional

from amounts import ONE, ZERO, rounded
from chain_data import RAY, SLACK
from items import DOLLARS
from protocols import compounded, linear

ROOTS = ("ETH", "BTC")
PRICES = ("spot", "perp", "mark", "index", "peg", "dex", "staking_market")
ORACLES = ("oracle", "aave_reserve")
SCOPES = ("market", "spot", "perp", "peg", "dex", "oracle", "protocol", "funding", "borrow", "supply", "gas", "outage", "halt")
RATES = ("funding", "borrow", "supply")
SPANS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "min": timedelta(minutes=1), "h": timedelta(hours=1),
         "d": timedelta(days=1)}


def moment(text):
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=timezone.utc)


def span(text):
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    return int(digits) * SPANS[text[len(digits):]]


def base_of(series):
    """What a series prices, and whether in dollars."""
    kind, _, symbol = series.split(".")
    if kind == "aave_reserve":
        return symbol, True
    pair, _, unit = symbol.partition("_")
    if kind in ("spot", "perp", "mark", "index", "peg", "dex", "funding"):
        for dollar in DOLLARS:
            if pair.endswith(dollar) and pair != dollar:
                return pair.removesuffix(dollar), True
        return pair.removesuffix("WETH") if pair.endswith("WETH") else pair.removesuffix("ETH"), False
    return pair, unit in DOLLARS


@dataclass
class Shock:
    text: str
    scope: str  # a word of SCOPES, or "" for an asset alone
    venue: Optional[str]
    asset: Optional[str]
    times: Optional[Decimal]
    plus: Optional[Decimal]
    start: datetime
    ramp: timedelta
    back: Optional[datetime]

    @staticmethod
    def read(text):
        """[WHAT] ASSET CHANGE at INSTANT [over SPAN] [for SPAN]"""
        words = text.split()
        head, _, venue = words[0].partition(".")
        scope = head if head in SCOPES else ""
        rest = words[1:] if scope else words
        asset = None
        if scope == "halt":
            rest = rest[1:]  # `withdrawals`
        if scope in ("outage", "halt"):
            venue, rest = rest[0], rest[1:]
        elif scope != "gas":
            asset, rest = rest[0], rest[1:]
        times = plus = None
        if scope not in ("outage", "halt"):
            change, rest = rest[0], rest[1:]
            if change[0] == "x":
                times = Decimal(change[1:])
            else:
                part = Decimal(change.removesuffix("%")) / 100
                times, plus = (None, part) if scope in RATES else (1 + part, None)
        clauses = dict(zip(rest[::2], rest[1::2], strict=True))
        if not {"at"} <= set(clauses) <= {"at", "over", "for"}:
            raise ValueError(f"shock `{text}` cannot be read")
        start = moment(clauses["at"])
        ramp = span(clauses["over"]) if "over" in clauses else timedelta(0)
        back = start + span(clauses["for"]) if "for" in clauses else None
        return Shock(text, scope, venue or None, asset, times, plus, start, ramp, back)

    # -- when --------------------------------------------------------------------------------------------

    def strength(self, at):
        """How much of it is there, 0 to 1."""
        def way(since):
            passed = at - since
            if passed >= self.ramp:
                return ONE
            return rounded(Decimal(passed // timedelta.resolution) / Decimal(self.ramp // timedelta.resolution))

        if at < self.start or self.back is not None and at >= self.back + self.ramp:
            return ZERO
        return ONE - way(self.back) if self.back is not None and at >= self.back else way(self.start)

    def factor(self, at):
        return ONE if self.times is None else ONE + rounded((self.times - 1) * self.strength(at))

    def rate(self, rate, at):
        part = self.strength(at)
        if not part:
            return rate
        return rate + rounded(self.plus * part) if self.plus is not None else rounded(rate * self.factor(at))

    def ramps(self):
        starts = [self.start] + ([self.back] if self.back is not None else [])
        return [(at, at + self.ramp) for at in starts]

    def bends(self):
        return [at for ramp in self.ramps() for at in ramp]

    def lasts(self, at):
        return self.start <= at and (self.back is None or at < self.back + self.ramp)

    # -- what --------------------------------------------------------------------------------------------

    def names(self, base):
        """Whether its asset is `base`, or what that wraps."""
        return base == self.asset or base[:1] in ("w", "W") and base[1:] == self.asset

    def means(self, series):
        """Whether its asset is what the series prices. Prices in ETH are ratios, which a root leaves alone."""
        base, in_dollars = base_of(series)
        if self.asset in ROOTS:
            return in_dollars and base.endswith(self.asset)
        return self.names(base)

    def at_venue(self, series):
        return self.venue is None or series.split(".")[1] == self.venue

    def moves_price(self, series):
        kind = series.split(".")[0]
        moved = ("perp", "mark") if self.scope == "perp" else (self.scope,)
        fits = self.scope in ("", "market") or self.scope in ("spot", "perp", "peg", "dex") and kind in moved
        return fits and kind in PRICES and self.at_venue(series) and self.means(series)

    def moves_oracle(self, series):
        """A price of a root moves the oracles of it and its tokens in dollars; no other price does."""
        fits = self.scope == "" and self.asset in ROOTS or self.scope == "oracle" and self.at_venue(series)
        return fits and series.split(".")[0] in ORACLES and self.means(series)

    def moves_rate(self, series):
        """The rate of exchange at a protocol, of funding, of a reserve, or of gas."""
        kind = {"protocol": "staking_rate"}.get(self.scope, self.scope)
        if kind not in ("staking_rate", "funding", "gas") or kind != series.split(".")[0] or not self.at_venue(series):
            return False
        return kind == "gas" or self.names(base_of(series)[0])


def product(shocks, at):
    factor = ONE
    for shock in shocks:
        factor = rounded(factor * shock.factor(at))
    return factor


class Interest:
    """One side of a reserve: the recorded index and rate, and those that the shocks make of them."""

    def __init__(self, shocks, grow):
        self.shocks, self.grow, self.since = shocks, grow, None

    def rate(self, recorded, at):
        if not any(shock.lasts(at) for shock in self.shocks):
            return recorded
        units, rest = divmod(recorded, 10**9)  # 18 places are shocked, the last nine carried along
        rate = Decimal(units).scaleb(-18)
        for shock in self.shocks:
            rate = shock.rate(rate, at)
        return max(int(rate.scaleb(18)), 0) * 10**9 + rest

    def step(self, at, rate, index):
        """Shocked rate and index at `at`; `index` None where nothing was recorded."""
        if self.since is None or index is not None and self.indices[0] == self.indices[1] and self.rates[0] == self.rates[1]:
            self.indices = (index, index)
        else:
            passed = int((at - self.since).total_seconds())
            foreseen, grown = (i * self.grow(r, passed) // RAY for i, r in zip(self.indices, self.rates))
            # A row corrects the recorded index; the shocked one keeps its ratio to it.
            self.indices = (foreseen, grown) if index is None else (index, grown * index // foreseen)
        self.rates, self.since = (rate, self.rate(rate, at)), at
        return self.rates[1], self.indices[1]


class Shocks:
    """All sentences of a run, and the series as they leave them."""

    def __init__(self, texts, reference, grid):
        self.all = [Shock.read(text) for text in texts]
        self.reference, self.grid, self.closes = reference, grid, None

    def is_out(self, venue, at):
        return any(s.scope == "outage" and s.venue == venue and s.lasts(at) for s in self.all)

    def is_halted(self, venue, at):
        return any(s.scope == "halt" and s.venue == venue and s.lasts(at) for s in self.all)

    # -- bars and funding --------------------------------------------------------------------------------

    def bars(self, series, known_at, rows):
        """Close and open x the factor at their instants, extremes x the greatest and the least within the bar."""
        shocks = [shock for shock in self.all if shock.moves_price(series)]
        if not shocks:
            return rows
        decimals = 18 if series.startswith("dex.") else 8
        times = lambda price, factor: price if factor == 1 else rounded(rounded(price * factor), decimals)
        shocked = list(rows)
        first, last = (pick(bend for shock in shocks for bend in shock.bends()) for pick in (min, max))
        settled = None  # the factors of a bar that opens after the last bend
        for at, (known, row) in enumerate(zip(known_at, rows)):
            if known < first:
                continue
            close, high, low, volume, opening, opened = row
            factors = settled or [ONE] * 4
            for shock in () if settled else shocks:
                ends = [shock.factor(opened), shock.factor(known)]
                within = ends + [shock.factor(bend) for bend in shock.bends() if opened < bend < known]
                by = (ends[1], max(within), min(within), ends[0])
                factors = [rounded(a * b) for a, b in zip(factors, by)]
            settled = factors if opened >= last else None
            prices = [times(price, factor) for price, factor in zip((close, high, low, opening), factors)]
            shocked[at] = (*prices[:3], volume, prices[3], opened)
        return shocked

    def funding(self, series, rates):
        for shock in (shock for shock in self.all if shock.moves_rate(series)):
            rates = {at: shock.rate(rate, at) for at, rate in rates.items()}
        return rates

    # -- rows --------------------------------------------------------------------------------------------

    def timeline(self, shocks, known_at, interval):
        """Instants of the recorded rows, and of those put in while one is fresh: each with its recorded row."""
        line = [(at, index) for index, at in enumerate(known_at)]
        instants = set()
        for start, end in (ramp for shock in shocks for ramp in shock.ramps()):
            instants |= {start, end}
            at = start - timedelta(seconds=start.timestamp() % self.grid.total_seconds()) + self.grid
            while at < end + self.grid:  # the first close after a ramp is the one that shows its end
                instants.add(at)
                at += self.grid
        for at in instants - set(known_at):
            index = sum(1 for known in known_at if known <= at) - 1
            if index >= 0 and (interval is None or at < known_at[index] + interval + SLACK):
                line.append((at, index))
        return sorted(line)

    def follows(self, series):
        """Oracles in dollars of the reference or its tokens move with it between their rows."""
        root, (base, in_dollars) = base_of(self.reference)[0], base_of(series)
        return series.split(".")[0] in ORACLES and in_dollars and bool(root) and base.endswith(root)

    def rows(self, series, rows, closes):
        """The rows of a series that is no bar; `closes` are recorded bars of the reference."""
        kind = series.split(".")[0]
        if kind.startswith("reward") or not rows.known_at:
            return rows.known_at, rows.rows
        if kind == "aave_reserve":
            return self.reserve(series, rows)
        moves = {"staking_market": Shock.moves_price, "oracle": Shock.moves_oracle}.get(kind, Shock.moves_rate)
        own = [shock for shock in self.all if moves(shock, series)]
        follows = self.follows(series)
        led = [shock for shock in self.all if follows and shock.moves_price(self.reference)]
        if not own and not led:
            return rows.known_at, rows.rows

        def led_by(at):
            """What the shocks have made of the reference's newest close."""
            newest = closes.closed(at)
            return product(led, newest[0] if newest else at)

        def stands(at, stated):
            if kind == "gas":
                return all(shock.strength(at) == shock.strength(stated) for shock in own)
            return rounded(product(own, at) * led_by(stated)) == rounded(product(own, stated) * led_by(at))

        def value(recorded, then, at):
            now, before = closes.closed(at), closes.closed(then)
            if follows and at != then and now and before:
                recorded = rounded(recorded * now[1] / before[1])
            return rounded(recorded * product(own, at))

        known, shocked, stated = [], [], None
        for at, index in self.timeline(own + led, rows.known_at, rows.interval):
            then = rows.known_at[index]
            if at != then and stands(at, stated):
                continue
            known.append(at)
            shocked.append(value(rows.rows[index], then, at))
            stated = at
        return known, shocked

    def reserve(self, series, rows):
        """The pool accrues at the shocked rates, and later indices keep what they added."""
        symbol = series.split(".")[2]
        of = {side: [s for s in self.all if s.scope == side and s.asset == symbol and s.at_venue(series)] for side in ("supply", "borrow")}
        both = of["borrow"] + of["supply"]
        if not both:
            return rows.known_at, rows.rows
        supply, borrow = Interest(of["supply"], linear), Interest(of["borrow"], compounded)
        known, shocked, stated = [], [], None
        for at, index in self.timeline(both, rows.known_at, rows.interval):
            row, then = rows.rows[index], rows.known_at[index]
            recorded = at == then
            if not recorded and all(shock.strength(at) == shock.strength(stated) for shock in both):
                continue
            sides = {}
            for name, side in (("liquidity", supply), ("borrow", borrow)):
                sides[f"{name}_rate"], sides[f"{name}_index"] = side.step(
                    at, row[f"{name}_rate"], row[f"{name}_index"] if recorded else None)
            known.append(at)
            shocked.append(row | sides)
            stated = at
        return known, shocked
