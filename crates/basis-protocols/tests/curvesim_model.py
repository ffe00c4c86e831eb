"""Random operations on Curve's own integer model, for the comparison in curve_stableswap_model.rs.

usage: curvesim_model.py KIND SEED STEPS    (PYTHONPATH: the folder that holds curvesim and gmpy2)

Writes one JSON object a line: the pool as it begins, then each operation with what it gave and the
pool after it. Every integer is a decimal string. A "refused" operation is one that the contract
reverts, for some number in it falls below zero; the model, whose integers have a sign, is set back.

The model is curvesim's CurvePool. Its package draws plots and calls services when it is imported;
the model needs none of that, so its modules are loaded without the package's own start.
"""

import importlib
import importlib.util
import json
import random
import sys
import types

WAD = 10**18
FEE = 10**10
DAY = 86_400


def load_model():
    found = importlib.util.find_spec("curvesim")
    for name in ("curvesim", "curvesim.pool", "curvesim.pool.stableswap"):
        folder = found.submodule_search_locations[0]
        package = types.ModuleType(name)
        package.__path__ = [folder + name.removeprefix("curvesim").replace(".", "/")]
        sys.modules[name] = package
    return importlib.import_module("curvesim.pool.stableswap.pool").CurvePool


CurvePool = load_model()


class NgPool(CurvePool):
    """The model with what CurveStableSwapNG does otherwise: A times 100, D_P divided by n^n at
    last, off-peg fees on unbalanced liquidity."""

    __slots__ = ()

    def get_D(self, xp, A):
        total, n = sum(xp), len(xp)
        ann, d, previous = A * n, total, 0
        while abs(d - previous) > 1:
            d_p = d
            for x in xp:
                d_p = d_p * d // x
            d_p //= n**n
            previous = d
            d = (ann * total // 100 + d_p * n) * d
            d //= (ann - 100) * previous // 100 + (n + 1) * d_p
        return d

    def get_y(self, i, j, x, xp):
        changed = xp[:]
        changed[i] = x
        return self.get_y_D(self.A, j, changed, self.D(xp))

    def get_y_D(self, A, i, xp, D):
        n = self.n
        others = [x for k, x in enumerate(xp) if k != i]
        ann, c = A * n, D
        for x in others:
            c = c * D // (x * n)
        c = c * D * 100 // (ann * n)
        b = sum(others) + D * 100 // ann
        y, previous = D, 0
        while abs(y - previous) > 1:
            previous, y = y, (y * y + c) // (2 * y + b - D)
        return y

    def grown(self, xpi, xpj, base):
        if (self.fee_mul or 0) <= FEE:
            return base
        near = (self.fee_mul - FEE) * 4 * xpi * xpj // (xpi + xpj) ** 2
        return self.fee_mul * base // (near + FEE)

    def imbalance_fees(self, new, D0, D1):
        n = self.n
        base = self.fee * n // (4 * (n - 1))
        fees = []
        for old, now, rate in zip(self.balances, new, self.rates):
            fee = self.grown(rate * (old + now) // WAD, (D0 + D1) // n, base)
            fees.append(fee * abs(D1 * old // D0 - now) // FEE)
        return fees

    def calc_token_amount(self, amounts, use_fee=False):
        new = [b + a for b, a in zip(self.balances, amounts)]
        D0, D1 = self.get_D_mem(self.balances, self.A), self.get_D_mem(new, self.A)
        fees = self.imbalance_fees(new, D0, D1) if use_fee else [0] * self.n
        D2 = self.get_D_mem([b - f for b, f in zip(new, fees)], self.A)
        minted = self.tokens * (D2 - D0) // D0
        return (minted, fees) if use_fee else minted

    def remove_liquidity_imbalance(self, amounts, max_burn_amount=None):
        new = [b - a for b, a in zip(self.balances, amounts)]
        D0, D1 = self.get_D_mem(self.balances, self.A), self.get_D_mem(new, self.A)
        fees = self.imbalance_fees(new, D0, D1)
        D2 = self.get_D_mem([b - f for b, f in zip(new, fees)], self.A)
        admin = [f * self.admin_fee // FEE for f in fees]
        self.balances = [b - f for b, f in zip(new, admin)]
        self.admin_balances = [a + f for a, f in zip(self.admin_balances, admin)]
        burned = (D0 - D2) * self.tokens // D0 + 1
        self.tokens -= burned
        return burned, fees

    def calc_withdraw_one_coin(self, token_amount, i, use_fee=True):
        n, xp = self.n, self._xp()
        D0 = self.D()
        D1 = D0 - token_amount * D0 // self.tokens
        y = self.get_y_D(self.A, i, xp, D1)
        base = self.fee * n // (4 * (n - 1))
        reduced = []
        for j, x in enumerate(xp):
            kept = x * D1 // D0
            expected, mean = (kept - y, (x + y) // 2) if j == i else (x - kept, x)
            fee = self.grown(mean, (D0 + D1) // (2 * n), base)
            reduced.append(x - fee * expected // FEE)
        dy = reduced[i] - self.get_y_D(self.A, i, reduced, D1)
        dy = (dy - 1) * WAD // self.rates[i]
        return dy, (xp[i] - y) * WAD // self.rates[i] - dy


class Ramp:
    """A on its way, as _A() computes it; the moving pools of the list change it slowly."""

    def __init__(self, initial, future, days):
        self.initial, self.future = initial, future
        self.start, self.end = 1_700_000_000, 1_700_000_000 + days * DAY

    def at(self, now):
        if now >= self.end:
            return self.future
        gone = abs(self.future - self.initial) * (now - self.start) // (self.end - self.start)
        return self.initial + gone if self.future > self.initial else self.initial - gone


# kind: template, decimals, ramp of A, fee, admin fee, off-peg multiplier, exchange rates, tokens
KINDS = {
    "three": ("three_pool", [18, 6, 6], Ramp(2000, 2000, 0), 1_000_000, 5_000_000_000, 0, [], 10**7),
    "two": ("three_pool", [18, 18], Ramp(100, 100, 0), 4_000_000, 5_000_000_000, 0, [], 10**6),
    "four": ("three_pool", [18, 6, 6, 18], Ramp(40, 400, 30), 3_000_000, 0, 0, [], 10**8),
    "rated": ("three_pool", [18, 18], Ramp(250, 250, 0), 500_000, 5_000_000_000, 0,
              [1_059_123_456_789_012_345, WAD], 10**4),
    "offpeg": ("three_pool", [18, 18], Ramp(300, 30, 20), 2_000_000, 5_000_000_000,
               5 * FEE, [1_150_000_000_000_000_000, WAD], 10**5),
    "free": ("three_pool", [6, 6], Ramp(1, 1, 0), 0, 0, 0, [], 10**3),
    "ng": ("stable_swap_ng", [18, 6], Ramp(20_000, 20_000, 0), 1_000_000, 5_000_000_000,
           2 * FEE, [], 10**6),
    "ng_rated": ("stable_swap_ng", [18, 18, 18], Ramp(5_000, 50_000, 40), 4_000_000,
                 5_000_000_000, 20 * FEE,
                 [1_059_123_456_789_012_345, 1_190_987_654_321_098_765, WAD], 10**5),
    "ng_four": ("stable_swap_ng", [18, 6, 8, 18], Ramp(150_000, 150_000, 0), 100_000,
                5_000_000_000, 10 * FEE, [], 10**9),
}


def text(value):
    if isinstance(value, (list, tuple)):
        return [text(entry) for entry in value]
    return str(int(value))


class Run:
    def __init__(self, kind, seed):
        template, decimals, ramp, fee, admin_fee, multiplier, rates, tokens = KINDS[kind]
        self.random = random.Random(f"{kind} {seed}")
        self.ramp, self.now = ramp, ramp.start
        self.drifts = bool(rates)
        self.whole = [tokens * 10**d for d in decimals]
        scale = [10 ** (36 - d) for d in decimals]
        rates = [s * r // WAD for s, r in zip(scale, rates or [WAD] * len(scale))]
        balances = [self.random.randrange(w // 2, w * 2) for w in self.whole]
        model = NgPool if template == "stable_swap_ng" else CurvePool
        self.pool = model(
            A=ramp.initial, D=balances, n=len(decimals), rates=rates, fee=fee,
            fee_mul=multiplier or None, admin_fee=admin_fee,
        )
        first = {"template": template, "fee": fee, "admin_fee": admin_fee, "multiplier": multiplier,
                 "ramp": [ramp.initial, ramp.future, ramp.start, ramp.end],
                 "rates": self.pool.rates}
        self.say({key: value if key == "template" else text(value) for key, value in first.items()})

    def say(self, step):
        pool = self.pool
        step["after"] = {
            "balances": text(pool.balances), "admin_balances": text(pool.admin_balances),
            "supply": text(pool.tokens), "d": text(pool.D()),
            "virtual_price": text(pool.get_virtual_price()),
        }
        print(json.dumps(step))

    def part(self, most, low=-12.0, high=-0.5):
        """A part of `most`, even in its logarithm; at least 1, and now and then no more."""
        if self.random.random() < 0.08:
            low = -30.0
        return max(1, int(most * 10 ** self.random.uniform(low, high)))

    def amounts(self, of, low=-12.0, high=-0.5):
        amounts = [self.part(w, low, high) if self.random.random() < 0.6 else 0 for w in of]
        return amounts if any(amounts) else [self.part(w, low, high) for w in of]

    def exchange(self):
        pool = self.pool
        i, j = self.random.sample(range(pool.n), 2)
        dx = self.part(pool.balances[i])
        xp = pool._xp()
        y = pool.get_y(i, j, xp[i] + dx * pool.rates[i] // WAD, xp)
        step = {"op": "exchange", "i": i, "j": j, "dx": text(dx), "y": text(y)}
        if xp[j] - y - 1 < 0:
            return step, True
        dy, fee = pool.exchange(i, j, dx)
        return step | {"dy": text(dy), "fee": text(fee)}, False

    def add_liquidity(self):
        pool = self.pool
        amounts = self.amounts(self.whole)
        new = [b + a for b, a in zip(pool.balances, amounts)]
        raised = pool.get_D_mem(new, pool.A) > pool.D()
        ng = isinstance(pool, NgPool)
        view = pool.calc_token_amount(amounts, use_fee=True)[0] if ng else pool.calc_token_amount(amounts)
        minted, fees = pool.calc_token_amount(amounts, use_fee=True)
        step = {"op": "add_liquidity", "amounts": text(amounts)}
        if not raised or minted < 0:
            return step, True
        assert pool.add_liquidity(amounts) == minted
        return step | {"minted": text(minted), "fees": text(fees), "view": text(view)}, False

    def remove_liquidity(self):
        pool = self.pool
        before, burn = pool.balances[:], self.part(pool.tokens)
        pool.remove_liquidity(burn)
        paid = [b - a for b, a in zip(before, pool.balances)]
        return {"op": "remove_liquidity", "burn": text(burn), "amounts": text(paid)}, False

    def remove_one_coin(self):
        pool = self.pool
        i = self.random.randrange(pool.n)
        burn = self.part(pool.tokens)
        xp, D0 = pool._xp(), pool.D()
        D1 = D0 - burn * D0 // pool.tokens
        y = pool.get_y_D(pool.A, i, xp, D1)
        step = {"op": "remove_liquidity_one_coin", "i": i, "burn": text(burn)}
        if xp[i] * D1 // D0 < y or xp[i] < y:
            return step, True
        dy, fee = pool.remove_liquidity_one_coin(burn, i)
        # A negative dy may stand for one that only just fell below zero before the division.
        return step | {"dy": text(dy), "fee": text(fee)}, dy < 0 or fee < 0

    def remove_imbalance(self):
        pool = self.pool
        amounts = self.amounts(pool.balances, high=-1.0)
        burned, fees = pool.remove_liquidity_imbalance(amounts)
        step = {"op": "remove_liquidity_imbalance", "amounts": text(amounts)}
        return step | {"burned": text(burned), "fees": text(fees)}, burned <= 1

    def pass_time(self):
        self.now += self.random.randrange(DAY)
        self.pool.A = self.ramp.at(self.now)
        if self.drifts:
            # An exchange rate grows, and once in a while falls.
            rate = self.pool.rates[0]
            factor = self.random.choice([1_000_123, 1_000_123, 1_000_123, 999_500])
            self.pool.rates = [rate * factor // 1_000_000] + self.pool.rates[1:]
        return {"op": "pass_time", "now": text(self.now), "rates": text(self.pool.rates)}, False

    def choose(self):
        value = sum(self.pool._xp())
        start = sum(w * r // WAD for w, r in zip(self.whole, self.pool.rates))
        if value < start // 100:
            return self.add_liquidity
        if value > start * 100:
            return self.remove_liquidity
        operations = [self.exchange, self.add_liquidity, self.remove_liquidity,
                      self.remove_one_coin, self.remove_imbalance, self.pass_time]
        return self.random.choices(operations, [50, 14, 6, 14, 10, 6])[0]

    def step(self):
        pool = self.pool
        kept = (pool.balances[:], pool.admin_balances[:], pool.tokens)
        step, refused = self.choose()()
        if refused:
            pool.balances, pool.admin_balances, pool.tokens = kept
        self.say(step | {"refused": refused})


def main():
    kind, seed, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
    run = Run(kind, seed)
    for _ in range(steps):
        run.step()


if __name__ == "__main__":
    main()
