"""Arithmetic of the protocols, in whole units, written from their contracts.

Aave V3 (WadRayMath, MathUtils, DefaultReserveInterestRateStrategy), Lido and EtherFi (shares of a pool
of ether), and the estimate of a pool of which only prices are recorded.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from amounts import rounded
from chain_data import RAY, seconds

YEAR = 365 * 86400
WAD = 10**18


def ray_mul(a, b):
    return (a * b + RAY // 2) // RAY


def ray_div(a, b):
    return (a * RAY + b // 2) // b


def percent_mul(value, bps):
    return (value * bps + 5000) // 10000


def linear(rate, span):
    return RAY + rate * span // YEAR


def compounded(rate, span):
    """Three terms of compounding every second."""
    if span == 0:
        return RAY
    two = ray_mul(rate, rate) // (YEAR * YEAR)
    three = ray_mul(two, rate) // YEAR
    second = span * (span - 1) * two // 2
    third = span * (span - 1) * max(span - 2, 0) * three // 6
    return RAY + rate * span // YEAR + second + third


class Reserve:
    """One reserve of the lending pool: indices, rates and our scaled units in it."""

    def __init__(self, row, known, decimals, kink, own_size, version):
        self.decimals, self.kink, self.own_size, self.version = decimals, kink, own_size, version
        self.row, self.row_at = row, seconds(known)
        self.place(row["liquidity_index"], row["borrow_index"], row["liquidity_rate"], row["borrow_rate"], self.row_at)

    def place(self, supply, debt, supply_rate, debt_rate, at):
        self.supply_index, self.debt_index, self.placed = supply, debt, supply
        self.supply_rate, self.debt_rate, self.last = supply_rate, debt_rate, at

    def index(self, side, at):
        span = at - self.last
        if side == "shares":
            return self.supply_index if span == 0 else ray_mul(linear(self.supply_rate, span), self.supply_index)
        return self.debt_index if span == 0 else ray_mul(compounded(self.debt_rate, span), self.debt_index)

    def balance(self, side, scaled, at):
        return ray_mul(scaled, self.index(side, at))

    def update(self, at, owed):
        """What an operation does first: both indices move to `at`."""
        if at == self.last:
            return
        if self.supply_rate:
            self.supply_index = self.index("shares", at)
        if owed or self.row["debt"]:
            self.debt_index = self.index("debt", at)
        self.last = at

    def snap(self, row, known, supplied, owed):
        """A recorded row: indices and rates as recorded; with own size our index keeps its ratio to it."""
        at, before, before_at = seconds(known), self.row, self.row_at
        supply, debt, span = row["liquidity_index"], row["borrow_index"], at - before_at
        if self.own_size and supplied:
            foreseen = ray_mul(linear(before["liquidity_rate"], span), before["liquidity_index"])
            supply = self.index("shares", at) * supply // foreseen
        if self.own_size and owed:
            foreseen = ray_mul(compounded(before["borrow_rate"], span), before["borrow_index"])
            debt = self.index("debt", at) * debt // foreseen
        self.row, self.row_at = row, at
        self.place(supply, debt, row["liquidity_rate"], row["borrow_rate"], at)
        self.move_rates(at, supplied, owed)

    def move_rates(self, at, supplied, owed):
        """With own size: the recorded rates and what our supply and debt change on the curve of the row."""
        if not self.own_size:
            return
        own, debt = self.balance("shares", supplied, at), self.balance("debt", owed, at)
        rates = self.rates_with(own, debt)
        self.place(self.index("shares", at), self.index("debt", at), *rates, at)

    def share_premium(self, at, premium, supplied, owed):
        """The end of a flash loan: its premium raises the suppliers' index, which is the recorded one without
        own size."""
        supply, debt = self.index("shares", at), self.index("debt", at)
        if self.own_size:
            scaled = ray_div(int(self.row["supplied"] * 10**self.decimals), self.placed) + supplied
            supply = ray_mul(ray_div(premium * 10**9, ray_mul(scaled, supply) * 10**9) + RAY, supply)
        self.place(supply, debt, self.supply_rate, self.debt_rate, at)
        self.move_rates(at, supplied, owed)

    def rates_with(self, own, debt):
        row, unit = self.row, 10**self.decimals
        total = int(row["supplied"] * unit)
        lent = int(row["debt"] * unit)
        rate, optimal, slope2 = row["borrow_rate"], *self.kink
        recorded = (row["liquidity_rate"], rate)
        if lent == 0 or rate == 0:
            return recorded
        usage = ray_div(lent, max(total, lent))
        if usage == 0:
            return recorded
        slope1 = 0
        if usage <= optimal:
            slope1 = ray_div(ray_mul(rate, optimal), usage)
        else:
            above = ray_div(usage - optimal, RAY - optimal)
            rest = rate - ray_mul(slope2, above)
            if rest >= 0:
                slope1 = rest
            else:
                slope2 = ray_div(rate, above)
        paid = ray_mul(rate, usage)
        factor = 0
        if paid:
            factor = 10000 - ray_mul(min(ray_div(row["liquidity_rate"], paid), RAY), 10000)
        cash = max(total - lent, 0)

        def at(available, owed):
            if owed == 0:
                return 0, 0
            used = ray_div(owed, available + owed)
            if used > optimal:
                borrow = slope1 + ray_mul(slope2, ray_div(used - optimal, RAY - optimal))
            else:
                borrow = ray_div(ray_mul(slope1, used), optimal)
            average = borrow
            if self.version == "3.0":
                average = ray_div(ray_mul(owed * 10**9, borrow), owed * 10**9)
            return percent_mul(ray_mul(average, used), 10000 - factor), borrow

        without = at(cash, lent)
        moved = at(max(cash + own - debt, 0), lent + debt)
        return tuple(max(r + w - o, 0) if r + w >= o else 0 for r, w, o in zip(recorded, moved, without))


class StakePool:
    """A pool of ether and its shares at the recorded rate, with what we brought beside it."""

    def __init__(self, rate):
        self.shares = RAY
        self.set_rate(rate)

    def set_rate(self, rate):
        wei = int(rate.scaleb(18))
        self.ether = -(-wei * self.shares // WAD)

    def worth(self, shares):
        return shares * self.ether // self.shares

    def to_shares(self, wei):
        return wei * self.shares // self.ether

    def deposit(self, wei):
        minted = self.to_shares(wei)
        self.shares += minted
        self.ether += wei
        return minted

    def burn(self, shares, wei):
        self.shares -= shares
        self.ether -= wei


def bar_swap(pool, mid, volume, decimals, sells, amount, moved):
    """What a swap gets at a recorded price, and where it leaves the pool: fee first, then the model's
    impact, from where the swaps at the same price left it; every rounding against us.

    `moved` is what those come to: whether they sold, what they gave less fees, what they took; None at rest.
    """
    decimals_in, decimals_out = decimals if sells else decimals[::-1]
    net = rounded(rounded(amount * (1_000_000 - pool["fee"]) / 1_000_000, 18, ROUND_FLOOR), decimals_in, ROUND_FLOOR)
    returned = Decimal(0)
    if moved and moved[0] != sells:
        sold, given, taken = moved
        if net < taken:
            left = least_given(pool, mid, volume, sold, decimals_out, given, taken - net)
            return given - left, (sold, left, taken - net)
        net, returned, moved = net - taken, given, None
    given, taken = moved[1:] if moved else (Decimal(0), Decimal(0))
    given += net
    out = max(Decimal(0), rounded(from_rest(pool, mid, volume, sells, given) - taken, decimals_out, ROUND_FLOOR))
    moves = pool["impact"] in ("constant_product", "sqrt_impact") and given
    return returned + out, (sells, given, taken + out) if moves else None


def least_given(pool, mid, volume, sells, decimals, enough, wanted):
    """The least amount in whole units that gets as much from the pool at rest."""
    unit, little, enough = Decimal(1).scaleb(-decimals), 0, int(enough.scaleb(decimals))
    while enough - little > 1:
        middle = (enough + little) // 2
        if from_rest(pool, mid, volume, sells, middle * unit) >= wanted:
            enough = middle
        else:
            little = middle
    return enough * unit


def from_rest(pool, mid, volume, sells, net):
    """What an amount, its fee taken, gets from a pool that nothing has moved."""
    down = lambda value: rounded(value, 18, ROUND_FLOOR)
    up = lambda value: rounded(value, 18, ROUND_CEILING)
    impact = pool["impact"]
    if impact == "constant_product":
        worth = down(net * mid) if sells else net
        out = down(pool["depth"] * worth / (pool["depth"] + worth))
        return out if sells else down(out / mid)
    bps = Decimal(0)
    if impact == "fixed_bps":
        bps = pool["impact_bps"]
    elif impact == "sqrt_impact":
        bps = pool["impact_max_bps"]
        if volume > 0:
            share = up((up(net * mid) if sells else net) / volume)
            bps = min(bps, up(pool["impact_bps"] * up(share.sqrt())))
    price = down(mid * (10000 - bps) / 10000) if sells else up(mid * (10000 + bps) / 10000)
    return down(net * price) if sells else down(net / price)
