"""Swaps in pools that are known by their prices."""

from decimal import Decimal

from operations import GAS, exactly
from protocols import bar_swap

# Pools that need no settings; the table of docs/run-directory.md.
POOLS = {
    ("uniswap", "WETHUSDT"): ("dex.uniswap.WETHUSDT_3000", ("WETH", "USDT"), 3_000, 20_000_000),
    ("uniswap", "EIGENWETH"): ("dex.uniswap.EIGENWETH_3000", ("EIGEN", "WETH"), 3_000, 100),
    ("uniswap", "ETHFIWETH"): ("dex.uniswap.ETHFIWETH_3000", ("ETHFI", "WETH"), 3_000, 50),
    ("uniswap", "wstETHWETH"): ("staking_market.uniswap.wstETH_ETH", ("wstETH", "WETH"), 100, 20_000),
    ("curve", "weETHWETH"): ("staking_market.curve.weETH_ETH", ("weETH", "WETH"), 4_000_000, 5_000),
}
FEE_UNIT = {"uniswap": 1, "curve": 10_000}  # of a millionth


class Swaps:
    """What our swaps have made of each pool since its series last showed a value."""

    def __init__(self, chain):
        self.chain, self.audit = chain, chain.audit
        self.moved = {}  # by venue and pool: the value our swaps met, its volume, what they come to

    def pool(self, venue, name):
        own = dict((self.chain.settings.get(venue) or {}).get("pools") or {}).get(name) or {}
        default = POOLS.get((venue, name), (None, None, None, None))
        fee = int(own.get("fee", default[2]))
        number = lambda key, other: Decimal(str(own.get(key, other)))
        return {"series": own.get("series", default[0]), "assets": tuple(own.get("assets") or default[1]),
                "fee": -(-fee // FEE_UNIT[venue]), "impact": own.get("impact", "constant_product"),
                "depth": number("depth", default[3] or 0), "impact_bps": number("impact_bps", 10),
                "impact_max_bps": number("impact_max_bps", 500), "volume": own.get("volume", "usd")}

    def swap(self, venue, ask):
        chain = self.chain
        chain.gas_units = GAS[f"{venue}_swap"]
        pool, given, taken = self.pool(venue, ask["pool"]), ask["asset_in"], ask["asset_out"]
        mid, volume, state, known = chain.market.pool_price(pool["series"], chain.now)
        actual = chain.actual[min(len(chain.lines), len(chain.actual) - 1)]
        check = lambda what, want, found: self.audit.check("chain: swaps", actual.number, what, want, found)
        check(f"no swap at a price of {pool['series']} that is too old", True, state in ("fresh", "proxied"))
        if volume and pool["impact"] == "sqrt_impact" and pool["volume"] == "usd":
            volume = volume / chain.price(pool["assets"][1])
        decimals, sells = tuple(chain.decimals(asset) for asset in pool["assets"]), given == pool["assets"][0]
        # Our own swaps move a pool until its series shows the next value.
        place, moved = (venue, ask["pool"]), None
        if place in self.moved and self.moved[place][0] == (known, mid):
            _, volume, moved = self.moved[place]
        gets = lambda amount: bar_swap(pool, mid, volume, decimals, sells, amount, moved)
        if "amount_out" in ask:
            # What was paid must be the least that gets it; what it gets beyond stays with the pool.
            unit, out = Decimal(1).scaleb(-chain.decimals(given)), exactly(ask["amount_out"])
            amount = max(-actual.quantity, unit)
            got, after = gets(amount)
            check("exact outputs are of pools that have them", "uniswap", venue)
            check("what is paid gets the output", True, got >= out)
            check("a unit less does not get it", True, amount == unit or gets(amount - unit)[0] < out)
            check("the most that was asked for", True, amount <= exactly(ask["maximum_in"]))
        else:
            amount = chain.asked(given, ask["amount_in"])
            out, after = gets(amount)
            check("the least that was asked for", True, out >= Decimal(ask["minimum_out"]))
        self.moved[place] = (known, mid), volume, after
        chain.exchange(given, amount, taken, out)
