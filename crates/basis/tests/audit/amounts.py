"""Exact amounts and instants, and how they are rounded and written."""

from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, getcontext
from functools import cache

getcontext().prec = 60
ZERO, ONE = Decimal(0), Decimal(1)
UNITS = [ONE.scaleb(-decimals) for decimals in range(28)]


def rounded(value, decimals=18, mode=ROUND_HALF_EVEN):
    return value.quantize(UNITS[decimals], rounding=mode)


def to_step(value, step, mode):
    """The multiple of `step` next to `value`."""
    return (value / step).quantize(ONE, rounding=mode) * step


@cache
def instant(text):
    if text[10:11] != "T" or text[-1:] != "Z":
        raise ValueError(f"`{text}` is no UTC instant")
    seconds, _, fraction = text[:-1].partition(".")
    micros, rest = divmod(int(fraction.ljust(9, "0")), 1000)
    # Nanoseconds are rounded up to what this Python's clock can hold.
    return datetime.fromisoformat(seconds + "+00:00") + timedelta(microseconds=micros + (rest > 0))


@cache
def iso(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
