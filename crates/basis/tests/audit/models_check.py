#!/usr/bin/env python3
"""Holds the auditor's StableSwap against steps of Curve's own integer model, read from stdin as
crates/basis-protocols/tests/curvesim_model.py writes them: exit code 1 at the first difference.

    curvesim_model.py KIND SEED STEPS | models_check.py TEMPLATE
"""

import json
import sys
from collections import Counter

from curve_stableswap import Pool


def numbers(values):
    return [int(value) for value in values]


def amplification(ramp, now):
    """_A() of the contracts on its way from one value to the other."""
    first, last, start, end = ramp
    if now >= end:
        return last
    gone = abs(last - first) * (now - start) // (end - start)
    return first + gone if last > first else first - gone


def play(pool, step, unit, ramp):
    """What the step gives, as the model says it."""
    operation = step["op"]
    if operation == "exchange":
        paid, fee, _ = pool.exchange(step["i"], step["j"], int(step["dx"]))
        return [paid, fee], numbers([step["dy"], step["fee"]])
    if operation == "add_liquidity":
        return [pool.add_liquidity(numbers(step["amounts"]))], numbers([step["minted"]])
    if operation == "remove_liquidity":
        # The admin is not paid out in the model.
        admin = list(pool.admin)
        paid = pool.remove_liquidity(int(step["burn"]))
        pool.admin = admin
        return paid, numbers(step["amounts"])
    if operation == "remove_liquidity_one_coin":
        return [pool.remove_one_coin(int(step["burn"]), step["i"])], numbers([step["dy"]])
    if operation == "remove_liquidity_imbalance":
        return [pool.remove_imbalance(numbers(step["amounts"]))], numbers([step["burned"]])
    pool.amp, pool.rates = amplification(ramp, int(step["now"])) * unit, numbers(step["rates"])
    return [], []


def main():
    template, lines = sys.argv[1], (json.loads(line) for line in sys.stdin)
    start, counts = next(lines), Counter()
    ramp, unit = numbers(start["ramp"]), 100 if template == "base" else 1
    settings = [int(start[key]) for key in ("fee", "admin_fee", "multiplier")]
    pool = Pool(template, 1, *settings, numbers(start["after"]["balances"]), numbers(start["rates"]))
    pool.amp, pool.supply = ramp[0] * unit, int(start["after"]["supply"])
    for number, step in enumerate(lines, 1):
        if step["refused"]:
            continue
        found, expected = play(pool, step, unit, ramp)
        after = step["after"]
        found += [*pool.balances, *pool.admin, pool.supply, pool.invariant(pool.balances)]
        expected += numbers([*after["balances"], *after["admin_balances"], after["supply"], after["d"]])
        if found != expected:
            print(f"step {number}, {step['op']}: expected {expected}, found {found}")
            return 1
        counts[step["op"]] += 1
    print(", ".join(f"{count} {operation}" for operation, count in sorted(counts.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
