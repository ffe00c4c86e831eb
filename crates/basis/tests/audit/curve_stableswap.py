"""A Curve StableSwap pool to the unit, written from the contracts.

`three_pool` is StableSwap3Pool.vy, `base` SwapTemplateBase.vy, `stableswap_ng` CurveStableSwapNG.vy 7.0.0.
Balances are those of the liquidity: what is the admin's lies beside them. Every division rounds down.
No contract moves a pool to a price: `move_to` is the search of docs/simulated-chain.md.
"""

from copy import deepcopy

FEE_UNIT = 10**10
PRECISION = 10**18
A_PRECISION = {"three_pool": 1, "base": 100, "stableswap_ng": 100}
# How many times as much of one coin as of the other the outside trader leaves.
IMBALANCE = 100


class TooLittle(Exception):
    """An input that is too little to be exchanged."""


class OutOfReach(Exception):
    """A price to which no exchange brings a pool."""


class Pool:
    def __init__(self, template, a, fee, admin_fee, offpeg, balances, rates):
        self.template, self.fee, self.admin_fee, self.offpeg = template, fee, admin_fee, offpeg
        self.precision = A_PRECISION[template]
        self.amp = a * self.precision
        self.n, self.balances, self.rates = len(balances), list(balances), list(rates)
        self.admin, self.supply = [0] * len(balances), 0

    # -- the curve

    def scaled(self, balances):
        """Balances in common units (_xp_mem)."""
        return [rate * balance // PRECISION for rate, balance in zip(self.rates, balances)]

    def invariant(self, balances):
        """get_D, by Newton's iteration."""
        xp, n = self.scaled(balances), self.n
        total = d = sum(xp)
        if not total:
            return 0
        ann = self.amp * n
        for _ in range(255):
            product = d
            for x in xp:
                product = product * d // x if self.template == "stableswap_ng" else product * d // (x * n)
            if self.template == "stableswap_ng":
                product //= n**n
            before = d
            above = (ann * total // self.precision + product * n) * d
            d = above // ((ann - self.precision) * d // self.precision + (n + 1) * product)
            if abs(d - before) <= 1:
                return d
        raise ValueError("get_D does not converge")

    def balance_for(self, j, xp, d):
        """get_y: what balance of coin `j` keeps the invariant beside the other `xp`."""
        ann, c, total = self.amp * self.n, d, 0
        for k, x in enumerate(xp):
            if k != j:
                total += x
                c = c * d // (x * self.n)
        c = c * d * self.precision // (ann * self.n)
        b, y = total + d * self.precision // ann, d
        for _ in range(255):
            before = y
            y = (y * y + c) // (2 * y + b - d)
            if abs(y - before) <= 1:
                return y
        raise ValueError("get_y does not converge")

    def fee_at(self, xi, xj, fee):
        """_dynamic_fee: the fee grows off the peg."""
        if self.template != "stableswap_ng" or self.offpeg <= FEE_UNIT:
            return fee
        return self.offpeg * fee // ((self.offpeg - FEE_UNIT) * 4 * xi * xj // (xi + xj) ** 2 + FEE_UNIT)

    # -- operations

    def exchange(self, i, j, given):
        """What is paid of coin `j` for `given` of coin `i`, the fee in it, and the admin's part of that."""
        xp = self.scaled(self.balances)
        x = xp[i] + given * self.rates[i] // PRECISION
        after = xp[:i] + [x] + xp[i + 1:]
        y = self.balance_for(j, after, self.invariant(self.balances))
        out = xp[j] - y - 1
        if out < 0:
            raise TooLittle
        fee = out * self.fee_at((xp[i] + x) // 2, (xp[j] + y) // 2, self.fee) // FEE_UNIT
        admin = fee * self.admin_fee // FEE_UNIT
        paid, kept, admin = (part * PRECISION // self.rates[j] for part in (out - fee, fee, admin))
        self.balances[i] += given
        self.balances[j] -= paid + admin
        self.admin[j] += admin
        return paid, kept, admin

    def price(self):
        """get_p(0): coin 0 for a unit of coin 1 at the margin, both in common units; 18 decimals."""
        xp, n = self.scaled(self.balances), self.n
        d = self.invariant(self.balances)
        product = d // n**n
        for x in xp:
            product = product * d // x
        weighted = self.amp * n * xp[0] // self.precision
        return PRECISION * (weighted + product * xp[0] // xp[1]) // (weighted + product)

    def move_to(self, target):
        """Exchanges what brings a pool of two coins to a price: the coin taken and what `exchange` says,
        nothing where it stands there."""
        start = self.price()
        if start == target:
            return None
        i, j = (1, 0) if start > target else (0, 1)
        given = Search(self, i, j, target, start).amount()
        try:
            return (j, *self.exchange(i, j, given)) if given else None
        except TooLittle:
            return None

    def rebalance(self, balances, before, after):
        """Takes the fees of a change to `balances`, whose invariants are given; returns the one with them."""
        base, n = self.fee * self.n // (4 * (self.n - 1)), self.n
        fees = []
        for rate, old, new in zip(self.rates, self.balances, balances):
            fee = self.fee_at(rate * (old + new) // PRECISION, (before + after) // n, base)
            fees.append(fee * abs(after * old // before - new) // FEE_UNIT)
        admin = [fee * self.admin_fee // FEE_UNIT for fee in fees]
        self.balances = [new - part for new, part in zip(balances, admin)]
        self.admin = [own + part for own, part in zip(self.admin, admin)]
        return self.invariant([new - fee for new, fee in zip(balances, fees)])

    def add_liquidity(self, amounts):
        """The pool tokens minted."""
        grown = [balance + amount for balance, amount in zip(self.balances, amounts)]
        before, after = self.invariant(self.balances), self.invariant(grown)
        if self.supply:
            minted = self.supply * (self.rebalance(grown, before, after) - before) // before
        else:
            self.balances, minted = grown, after
        self.supply += minted
        return minted

    def remove_imbalance(self, amounts):
        """remove_liquidity_imbalance: the pool tokens burnt for exactly these amounts."""
        left = [balance - amount for balance, amount in zip(self.balances, amounts)]
        before, after = self.invariant(self.balances), self.invariant(left)
        burnt = (before - self.rebalance(left, before, after)) * self.supply // before + 1
        self.supply -= burnt
        return burnt

    def remove_one_coin(self, tokens, i):
        """remove_liquidity_one_coin: what is paid of coin `i`."""
        xp, base, n = self.scaled(self.balances), self.fee * self.n // (4 * (self.n - 1)), self.n
        before = self.invariant(self.balances)
        after = before - tokens * before // self.supply
        y = self.balance_for(i, xp, after)
        reduced = []
        for j, x in enumerate(xp):
            kept = x * after // before
            expected, middle = (kept - y, (x + y) // 2) if j == i else (x - kept, x)
            reduced.append(x - self.fee_at(middle, (before + after) // (2 * n), base) * expected // FEE_UNIT)
        paid = (reduced[i] - self.balance_for(i, reduced, after) - 1) * PRECISION // self.rates[i]
        fee = (xp[i] - y) * PRECISION // self.rates[i] - paid
        admin = fee * self.admin_fee // FEE_UNIT
        self.balances[i] -= paid + admin
        self.admin[i] += admin
        self.supply -= tokens
        return paid

    def shares_of(self, tokens):
        """What pool tokens stand for of every coin."""
        return [balance * tokens // self.supply for balance in self.balances]

    def remove_liquidity(self, tokens):
        """Pays the same part of every coin; the new template pays its admin out on the way."""
        paid = self.shares_of(tokens)
        self.balances = [balance - out for balance, out in zip(self.balances, paid)]
        self.supply -= tokens
        if self.template == "stableswap_ng":
            self.admin = [0] * self.n
        return paid


class Search:
    """For the amount of coin `i` that brings the price to `target`, between one that falls short of it and
    one that is too much."""

    def __init__(self, pool, i, j, target, start):
        self.pool, self.ends, self.target = pool, (i, j), target
        self.short = (0, start)
        self.long = (max(pool.balances[i] >> 10, 1), None)

    def amount(self):
        met = self.bracket()
        return self.narrow() if met is None else met

    def try_out(self, amount):
        """How an amount ends, `met`, `short`, `crossed` or `beyond`, and the price it leads to."""
        (i, j), after = self.ends, deepcopy(self.pool)
        try:
            after.exchange(i, j, amount)
            price = after.price()
        except TooLittle:
            return "short", self.short[1]
        except (ValueError, ZeroDivisionError):
            return "beyond", None
        if price == self.target:
            return "met", price
        # Giving coin 1 makes the price fall.
        if (price < self.target) == (i == 1):
            return "crossed", price
        xp = after.scaled(after.balances)
        return ("short", price) if xp[i] <= IMBALANCE * xp[j] else ("beyond", None)

    def bracket(self):
        """Doubles a thousandth of the balance until it is too much."""
        while True:
            amount = self.long[0]
            how, price = self.try_out(amount)
            if how == "met":
                return amount
            if how != "short":
                self.long = amount, price
                return None
            self.short, self.long = (amount, price), (2 * amount, None)

    def narrow(self):
        """Where a straight line between both prices meets the one sought; each fourth time the middle."""
        tried = 0
        while (width := self.long[0] - self.short[0]) > 1:
            tried += 1
            part, (_, near), (_, far) = width // 2, self.short, self.long
            if far is not None and tried % 4:
                part = min(max(width * abs(near - self.target) // abs(near - far), 1), width - 1)
            amount = self.short[0] + part
            how, price = self.try_out(amount)
            if how == "met":
                return amount
            if how == "short":
                self.short = amount, price
            else:
                self.long = amount, price
        if self.long[1] is None:
            raise OutOfReach
        return self.short[0]
