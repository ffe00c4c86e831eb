"""What an account can hold, by the name it has in the files."""

from functools import cache

DOLLARS = ("USDT", "USDC", "DAI", "USD")
SIDES = ("long", "short")
# Tokens whose balances grow in the wallet, and whose protocol makes them grow.
REBASING = {"eETH": "etherfi", "stETH": "lido"}


@cache
def plain(item):
    """The asset of an item, and 1, or -1 for a debt."""
    side, colon, asset = item.partition(":")
    if colon and side == "liquidity":
        return asset.split(":")[0], 1
    return (asset, -1 if side == "debt" else 1) if colon and side in ("shares", "debt") else (item, 1)


@cache
def is_position(item):
    """venue:kind:SYMBOL, or venue:kind:SYMBOL:side in hedge mode."""
    return item.count(":") >= 2 and not item.startswith("liquidity:")


@cache
def contract(item):
    """Venue, kind and symbol of a position, whatever its side."""
    venue, kind, symbol = item.split(":")[:3]
    return venue, kind, symbol


def side(item):
    """The side of a position in hedge mode."""
    last = item.rpartition(":")[2]
    return last if last in SIDES else None


def instrument_of(rest, after):
    """The instrument at the beginning of `venue:kind:SYMBOL[:side]:...`, which at least `after` parts follow."""
    parts = rest.split(":")
    sided = len(parts) > 3 + after and parts[3] in SIDES
    return ":".join(parts[:4 if sided else 3])
