"""A Uniswap V3 pool to the unit, written from the contracts of v3-core 1.0.1 and v3-periphery 1.4.4.

TickMath, SqrtPriceMath, SwapMath, Tick, Position and UniswapV3Pool; LiquidityAmounts for what a deposit
pays for. Prices are square roots of token1 per token0 in units, x 2^96. What wraps in the contract
wraps here. The observations are left out: no amount depends on them.
"""

from math import isqrt

Q96, Q128 = 2**96, 2**128
TICK_MAX = 887_272
PRICE_MIN, PRICE_MAX = 4295128739, 1461446703485210103287273052203988822378723970342
FEE_UNIT = 10**6
# TickMath: sqrt(1.0001)^-(2^n) x 2^128.
ROOTS = (
    0xFFFCB933BD6FAD37AA2D162D1A594001, 0xFFF97272373D413259A46990580E213A, 0xFFF2E50F5F656932EF12357CF3C7FDCC,
    0xFFE5CACA7E10E4E61C3624EAA0941CD0, 0xFFCB9843D60F6159C9DB58835C926644, 0xFF973B41FA98C081472E6896DFB254C0,
    0xFF2EA16466C96A3843EC78B326B52861, 0xFE5DEE046A99A2A811C461F1969C3053, 0xFCBE86C7900A88AEDCFFC83B479AA3A4,
    0xF987A7253AC413176F2B074CF7815E54, 0xF3392B0822B70005940C7A398E4B70F3, 0xE7159475A2C29B7443B29C7FA6E889D9,
    0xD097F3BDFD2022B8845AD8F792AA5825, 0xA9F746462D870FDF8A65DC1F90E061E5, 0x70D869A156D2A1B890BB3DF62BAF32F7,
    0x31BE135F97D08FD981231505542FCFA6, 0x9AA508B5B7A84E1C677DE54F3E99BC9, 0x5D6AF8DEDB81196699C329225EE604,
    0x2216E584F5FA1EA926041BEDFE98, 0x48A170391F7DC42444E8FA2,
)


def ceil_div(a, b):
    return -(-a // b)


def price_at(tick):
    """The price at a tick, rounded up."""
    ratio = Q128
    for bit, root in enumerate(ROOTS):
        if abs(tick) >> bit & 1:
            ratio = ratio * root >> 128
    if tick > 0:
        ratio = (2**256 - 1) // ratio
    return ceil_div(ratio, 2**32)


def tick_at(price):
    """The greatest tick whose price is not above."""
    low, high = -TICK_MAX, TICK_MAX
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if price_at(middle) <= price else (low, middle - 1)
    return low


def price_of(token1, decimals):
    """The price at which a whole token0 costs `token1`, rounded down."""
    up, down = token1.as_integer_ratio()
    return isqrt(up * 10**decimals[1] * 2**192 // (down * 10**decimals[0]))


def amount0(a, b, liquidity, up):
    """Token0 between two prices."""
    a, b = sorted((a, b))
    top = (liquidity << 96) * (b - a)
    return ceil_div(ceil_div(top, b), a) if up else top // b // a


def amount1(a, b, liquidity, up):
    """Token1 between two prices."""
    product = liquidity * abs(b - a)
    return ceil_div(product, Q96) if up else product // Q96


def price_after_input(price, liquidity, amount, falls):
    """Where an amount given, its fee taken, leaves the price: not past what it pays for."""
    if not falls:
        return price + (amount << 96) // liquidity
    if not amount:
        return price
    top, product = liquidity << 96, amount * price
    if product < 2**256 and top + product < 2**256:
        return ceil_div(top * price, top + product)
    return ceil_div(top, top // price + amount)


def price_after_output(price, liquidity, amount, falls):
    """Where an amount paid leaves the price: at least as far as pays it."""
    if falls:
        return price - ceil_div(amount << 96, liquidity)
    if not amount:
        return price
    return ceil_div((liquidity << 96) * price, (liquidity << 96) - amount * price)


def step_out(price, target, liquidity, remaining, fee):
    """SwapMath.computeSwapStep of an exact output: the price after it, taken, given and the fee."""
    falls = price >= target
    into, out_of = (amount0, amount1) if falls else (amount1, amount0)
    given, after = out_of(price, target, liquidity, False), target
    if remaining < given:
        after = price_after_output(price, liquidity, remaining, falls)
        if after != target:
            given = min(out_of(price, after, liquidity, False), remaining)
        given = min(given, remaining)
    taken = into(price, after, liquidity, True)
    return after, taken, given, ceil_div(taken * fee, FEE_UNIT - fee)


def step_in(price, target, liquidity, remaining, fee):
    """SwapMath.computeSwapStep of an exact input: the price after it, taken, given and the fee."""
    falls = price >= target
    into, out_of = (amount0, amount1) if falls else (amount1, amount0)
    net = remaining * (FEE_UNIT - fee) // FEE_UNIT
    taken, after = into(price, target, liquidity, True), target
    if net < taken:
        after = price_after_input(price, liquidity, net, falls)
        if after != target:
            taken = into(price, after, liquidity, True)
    kept = remaining - taken if after != target else ceil_div(taken * fee, FEE_UNIT - fee)
    return after, taken, out_of(price, after, liquidity, False), kept


def liquidity_for(price, lower, upper, amounts):
    """LiquidityAmounts.getLiquidityForAmounts: the most that the amounts pay for between two prices."""
    of0 = lambda a, b: amounts[0] * (a * b // Q96) // (b - a)
    of1 = lambda a, b: amounts[1] * Q96 // (b - a)
    if price <= lower:
        return of0(lower, upper)
    return min(of0(price, upper), of1(lower, price)) if price < upper else of1(lower, upper)


class Position:
    def __init__(self):
        self.liquidity, self.inside, self.owed = 0, (0, 0), [0, 0]

    def earned(self, inside):
        """Fees since they were last credited."""
        return [(now - then) % 2**256 * self.liquidity // Q128 % Q128 for now, then in zip(inside, self.inside)]

    def update(self, inside, change):
        self.owed = [(owed + more) % Q128 for owed, more in zip(self.owed, self.earned(inside))]
        self.inside = inside
        self.liquidity += change


class Tick:
    def __init__(self, outside):
        self.gross, self.net, self.outside = 0, 0, outside


class Pool:
    """One pool. Owners of positions are words."""

    def __init__(self, fee, spacing, price):
        self.fee, self.spacing, self.price, self.tick = fee, spacing, price, tick_at(price)
        self.liquidity, self.growth, self.ticks, self.positions = 0, [0, 0], {}, {}

    # -- positions

    def inside(self, lower, upper):
        """Fee growth between two ticks (Tick.getFeeGrowthInside)."""
        grown = []
        for token, total in enumerate(self.growth):
            below, above = self.ticks[lower].outside[token], self.ticks[upper].outside[token]
            below = below if self.tick >= lower else total - below
            above = above if self.tick < upper else total - above
            grown.append((total - below - above) % 2**256)
        return tuple(grown)

    def principal(self, lower, upper, liquidity, up=False):
        """What a liquidity between two ticks is of each token, at the price of now."""
        a, b = price_at(lower), price_at(upper)
        at = min(max(self.price, a), b)
        if self.tick < lower:
            at = a
        elif self.tick >= upper:
            at = b
        return [amount0(at, b, liquidity, up), amount1(a, at, liquidity, up)]

    def modify(self, owner, lower, upper, change):
        """UniswapV3Pool._modifyPosition without the amounts."""
        for tick, sign in ((lower, 1), (upper, -1)) if change else ():
            if tick not in self.ticks:
                self.ticks[tick] = Tick(list(self.growth) if tick <= self.tick else [0, 0])
            self.ticks[tick].gross += change
            self.ticks[tick].net += sign * change
        position = self.positions.setdefault((owner, lower, upper), Position())
        if position.liquidity or change:
            position.update(self.inside(lower, upper), change)
        for tick in (lower, upper):
            if tick in self.ticks and not self.ticks[tick].gross:
                del self.ticks[tick]
        if lower <= self.tick < upper:
            self.liquidity += change

    def mint(self, owner, lower, upper, liquidity):
        self.modify(owner, lower, upper, liquidity)
        return self.principal(lower, upper, liquidity, True)

    def burn(self, owner, lower, upper, liquidity):
        """Credits the fees and what the liquidity is."""
        self.modify(owner, lower, upper, -liquidity)
        paid = self.principal(lower, upper, liquidity)
        position = self.positions[owner, lower, upper]
        position.owed = [(owed + more) % Q128 for owed, more in zip(position.owed, paid)]
        return paid

    def collect(self, owner, lower, upper, most=(Q128 - 1, Q128 - 1)):
        position = self.positions[owner, lower, upper]
        paid = [min(owed, limit) for owed, limit in zip(position.owed, most)]
        position.owed = [owed - out for owed, out in zip(position.owed, paid)]
        return paid

    def owed(self, owner, lower, upper):
        """Fees to collect, those not credited yet included."""
        position = self.positions[owner, lower, upper]
        if not position.liquidity:
            return list(position.owed)
        return [owed + more for owed, more in zip(position.owed, position.earned(self.inside(lower, upper)))]

    # -- swaps

    def next_tick(self, falls):
        """The next tick with liquidity at its edge, or the last of the word of 256 (TickBitmap)."""
        here = self.tick // self.spacing
        if falls:
            edge = here // 256 * 256
            known = [tick for tick in self.ticks if edge <= tick // self.spacing <= here]
            tick = max(known, default=edge * self.spacing)
        else:
            edge = (here + 1) // 256 * 256 + 255
            known = [tick for tick in self.ticks if here < tick // self.spacing <= edge]
            tick = min(known, default=edge * self.spacing)
        return min(max(tick, -TICK_MAX), TICK_MAX), tick in self.ticks

    def cross(self, tick, falls):
        info = self.ticks[tick]
        info.outside = [(total - outside) % 2**256 for total, outside in zip(self.growth, info.outside)]
        self.liquidity += -info.net if falls else info.net

    def swap(self, falls, amount, limit=None, exact_in=True):
        """UniswapV3Pool.swap, of token0 for token1 where the price falls: what is left of the exact amount,
        the other amount, and the ticks crossed."""
        limit = limit or (PRICE_MIN + 1 if falls else PRICE_MAX - 1)
        other = crossed = 0
        while amount and self.price != limit:
            tick, is_edge = self.next_tick(falls)
            edge = price_at(tick)
            target = max(edge, limit) if falls else min(edge, limit)
            start = self.price
            step = step_in if exact_in else step_out
            self.price, taken, given, kept = step(start, target, self.liquidity, amount, self.fee)
            exact, moved = (taken + kept, given) if exact_in else (given, taken + kept)
            amount, other = amount - exact, other + moved
            if self.liquidity:
                token = 0 if falls else 1
                self.growth[token] = (self.growth[token] + kept * Q128 // self.liquidity) % 2**256
            if self.price == edge:
                if is_edge:
                    self.cross(tick, falls)
                    crossed += 1
                self.tick = tick - 1 if falls else tick
            elif self.price != start:
                self.tick = tick_at(self.price)
        return amount, other, crossed
