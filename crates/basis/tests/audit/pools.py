"""Pools that have a state: what every swap, deposit, withdrawal and collection moved, to the unit.

A pool starts from its settings in config.yaml and is moved by our own operations, in the order of the
ledger; one that follows a series also by each new value of it, which `follow` works out before anything
else of a step. Each pool gives the same few things: its positions (`stakes`), and what an operation moved.
From those the lines are made, as docs/run-directory.md has them.
"""

from copy import deepcopy
from decimal import Decimal

import curve_stableswap
import uniswap_v3
from amounts import ZERO, rounded
from operations import BASE, GAS, Unknown, exactly

OPERATIONS = ("swap", "add_liquidity", "remove_liquidity", "collect_fees")
TOPICS = {"swap": "pool swaps", "add_liquidity": "deposits", "remove_liquidity": "withdrawals",
          "collect_fees": "collections"}
OTHERS, OURS = "others", "ours"
COMMON = {"model", "assets", "fee", "own_size"}


def units_of(amount, decimals):
    return int(Decimal(str(amount)).scaleb(decimals))


def known_keys(name, own, keys):
    for key in own:
        if key not in COMMON | keys:
            raise Unknown(f"pool {name} with `{key}` in its settings")


def only_keys(operation, ask, keys):
    for key in ask:
        if key not in keys:
            raise Unknown(f"{operation} with `{key}` in a pool that has a state")


class Stake:
    """A position: its liquidity, what burning it pays, what it may collect; in units."""

    def __init__(self, liquidity, units, owed=()):
        self.liquidity, self.units, self.owed = liquidity, list(units), list(owed)


class Ranges:
    """A pool of Uniswap V3, and our positions in it by their ticks."""

    KEYS = {"tick_spacing", "price", "sqrt_price_x96", "ranges", "follows"}
    venue, sources = "uniswap", ()

    def __init__(self, name, own, decimals):
        known_keys(name, own, self.KEYS)
        self.decimals, self.follows, self.own_size = decimals, own.get("follows"), own.get("own_size", True)
        given = own.get("sqrt_price_x96")
        price = int(given) if given is not None else uniswap_v3.price_of(Decimal(str(own["price"])), decimals)
        self.pool = uniswap_v3.Pool(int(own["fee"]), int(own["tick_spacing"]), price)
        for entry in own["ranges"]:
            self.pool.mint(OTHERS, int(entry["lower"]), int(entry["upper"]), int(entry["liquidity"]))
        self.ours, self.followed = [], None

    def refresh(self, _):
        """Nothing outside but the series it follows matters to it."""

    def move_to(self, value):
        """One trader moves it to a price, token1 per token0, and pays for that; his fees are to collect."""
        target = uniswap_v3.price_of(value, self.decimals)
        if target != self.pool.price:
            self.pool.swap(target < self.pool.price, 2**200, target)

    def stakes(self):
        positions = {}
        for ticks in sorted(self.ours):
            liquidity = self.pool.positions[OURS, *ticks].liquidity
            positions[ticks] = Stake(liquidity, self.pool.principal(*ticks, liquidity), self.pool.owed(OURS, *ticks))
        return positions

    def swap(self, source, _, amount, exact_in=True):
        """The other amount, the gas, and no fee in the units: fees are collected."""
        pool = self.pool if self.own_size else deepcopy(self.pool)
        left, other, crossed = pool.swap(source == 0, amount, None, exact_in)
        if left:
            raise Unknown("a swap beyond the liquidity of a pool at uniswap")
        return other, GAS["uniswap_swap"] + (crossed - 1) * GAS["uniswap_tick"], None

    def add(self, ticks, most):
        edges = [uniswap_v3.price_at(tick) for tick in ticks]
        liquidity = uniswap_v3.liquidity_for(self.pool.price, *edges, most)
        paid = self.pool.mint(OURS, *ticks, liquidity)
        gas = GAS["uniswap_increase" if ticks in self.ours else "uniswap_mint"]
        self.ours = sorted({*self.ours, ticks})
        return liquidity, paid, gas

    def remove(self, ticks, liquidity):
        paid = self.pool.burn(OURS, *ticks, liquidity)
        self.pool.collect(OURS, *ticks, paid)
        self.forget_empty()
        return paid, GAS["uniswap_burn"] + GAS["uniswap_collect"] - BASE

    def collect(self, ticks):
        self.pool.burn(OURS, *ticks, 0)
        paid = self.pool.collect(OURS, *ticks)
        self.forget_empty()
        return paid, GAS["uniswap_collect"]

    def forget_empty(self):
        held = self.stakes()
        self.ours = [ticks for ticks in self.ours if held[ticks].liquidity or any(held[ticks].owed)]


class Stable:
    """A StableSwap pool of Curve, and our pool tokens."""

    KEYS = {"template", "a", "balances", "rates", "admin_fee", "offpeg_fee_multiplier", "lp_supply", "follows"}
    venue = "curve"

    def __init__(self, name, own, decimals):
        known_keys(name, own, self.KEYS)
        self.decimals, self.own_size, self.ours = decimals, own.get("own_size", True), 0
        self.follows, self.followed = own.get("follows"), None
        self.sources = own.get("rates") or [1] * len(decimals)
        self.supply = own.get("lp_supply")
        template, offpeg = own.get("template", "stableswap_ng"), int(own.get("offpeg_fee_multiplier", 0))
        if template != "stableswap_ng" and offpeg:
            raise Unknown(f"pool {name} of template {template} with `offpeg_fee_multiplier`")
        balances = [units_of(balance, places) for balance, places in zip(own["balances"], decimals)]
        self.pool = curve_stableswap.Pool(
            template, int(own["a"]), int(own["fee"]), int(own.get("admin_fee", 5 * 10**9)), offpeg, balances, [0] * len(decimals))

    def refresh(self, rate_of):
        """Rates as of now; at the first operation also the pool tokens of the balances given."""
        self.pool.rates = [units_of(rate_of(source), 36 - places) for source, places in zip(self.sources, self.decimals)]
        if not self.pool.supply:
            supply = self.supply
            self.pool.supply = self.pool.invariant(self.pool.balances) if supply is None else units_of(supply, 18)

    def move_to(self, value):
        """One trader moves it to a price, coin 1 per coin 0, and pays the fee: what of that is in the units of
        our tokens."""
        first, other = (rate // 10 ** (18 - places) for rate, places in zip(self.pool.rates, self.decimals))
        moved = self.pool.move_to(first * 10**36 // (other * units_of(value, 18)))
        return self.earned(moved[0], *moved[2:]) if moved else None

    def earned(self, coin, fee, admin):
        return (coin, (fee - admin) * self.ours // self.pool.supply) if self.ours else None

    def stakes(self):
        return {None: Stake(self.ours, self.pool.shares_of(self.ours))} if self.ours else {}

    def swap(self, source, target, given, exact_in=True):
        """What it pays, the gas, and what of its fee is in the units of our tokens."""
        if not exact_in:
            raise Unknown("a swap for an exact output at curve")
        pool = self.pool if self.own_size else deepcopy(self.pool)
        paid, fee, admin = pool.exchange(source, target, given)
        gas = GAS["curve_swap" if pool.n == 2 else "curve_swap_more"]
        return paid, gas, self.earned(target, fee, admin) if self.own_size else None

    def add(self, _, amounts):
        minted = self.pool.add_liquidity(amounts)
        self.ours += minted
        return minted, amounts, GAS["curve_add"]

    def remove(self, _, tokens):
        self.ours -= tokens
        return self.pool.remove_liquidity(tokens), GAS["curve_remove"]

    def remove_one(self, coin, tokens):
        self.ours -= tokens
        paid = [0] * self.pool.n
        paid[coin] = self.pool.remove_one_coin(tokens, coin)
        return paid, GAS["curve_remove_one"]

    def remove_exactly(self, amounts):
        """The tokens burnt, and the gas."""
        burnt = self.pool.remove_imbalance(amounts)
        self.ours -= burnt
        return burnt, GAS["curve_remove_exactly"]


MODELS = {model.venue: model for model in (Ranges, Stable)}


class Pools:
    """All pools of a run that have a state."""

    def __init__(self, chain):
        self.chain, self.audit = chain, chain.audit
        self.open, self.lost, self.expected = {}, {}, {}

    def settings(self, venue, name):
        named = (self.chain.settings.get(venue) or {}).get("pools") or {}
        own = named.get(name) or {}
        return own if own.get("model") == "state" else None

    def venue_of(self, name):
        """The only venue with a pool of that name that has a state."""
        named = [venue for venue in MODELS if self.settings(venue, name)]
        return named[0] if len(named) == 1 else None

    def takes(self, venue, operation, ask):
        return operation in OPERATIONS and self.settings(venue, ask["pool"]) is not None

    def pool(self, venue, name):
        """The pool as it stands; refuses one that an operation has changed in a way that is not known."""
        if (venue, name) in self.lost:
            raise Unknown(self.lost[venue, name])
        if (venue, name) not in self.open:
            own = self.settings(venue, name)
            decimals = [self.chain.decimals(asset) for asset in own["assets"]]
            self.open[venue, name] = MODELS[venue](name, own, decimals)
        return self.open[venue, name]

    def lose(self, venue, name, why):
        """From here on its state is not known."""
        if self.settings(venue, name):
            self.lost.setdefault((venue, name), f"{why}, or what came after it in pool {name} of {venue}")

    def rate_of(self, source):
        text = str(source)
        if not text.startswith("staking_rate."):
            return Decimal(text)
        return self.shown(text)[0]

    def shown(self, series):
        """The newest value of a series and which of its values it is."""
        found = self.chain.market.pool_price(series, self.chain.now)
        fresh = found is not None and found[2] in ("fresh", "proxied")
        return (found[0], found[3]) if fresh else (None, None)

    # -- what a price did

    def follow(self):
        """Pools that follow a series, moved to its value of now; what that must leave in the ledger."""
        self.expected = {venue: [] for venue in MODELS}
        for venue in MODELS:
            named = (self.chain.settings.get(venue) or {}).get("pools") or {}
            for name, own in sorted(named.items()):
                if own.get("model") != "state" or "follows" not in own or (venue, name) in self.lost:
                    continue
                try:
                    self.follow_one(venue, name, own["assets"])
                except Unknown as unknown:
                    self.lose(venue, name, str(unknown))

    def follow_one(self, venue, name, assets):
        pool = self.pool(venue, name)
        value, known = self.shown(pool.follows)
        fresh = value is not None and all(self.rate_of(source) is not None for source in pool.sources)
        if not fresh or known == pool.followed:
            return
        pool.refresh(self.rate_of)
        before, pool.followed = pool.stakes(), known
        earned = pool.move_to(value)
        chain = self.chain
        chain.lines, chain.wallet, chain.topic = [], {}, "pool moves"
        self.book_swap(f"{venue}.{name}", assets, before, pool.stakes(), earned)
        self.expected[venue] += chain.lines

    def followed(self, lines):
        """The lines of what a price did to liquidity, those of pools that are not known apart."""
        venue = lines[0].venue
        known = [line for line in lines if (venue, line.key[0].partition(".")[2]) not in self.lost]
        if not self.chain.market or len(known) < len(lines):
            self.audit.leave_out(f"what a price did to liquidity at {venue}")
        if not self.chain.market or not known:
            return
        count = len(known)  # of one position; those of the others follow, and `end` finds what is left out
        self.chain.lines, self.expected[venue] = self.expected[venue][:count], self.expected[venue][count:]
        self.chain.compare(known)
        for line in known:
            self.audit.check("chain: pool moves", line.number, "instant", self.chain.now, line.at)

    def end(self):
        """Nothing that a price did is left out, and the books hold what the pools owe us."""
        check, audit = self.audit.check, self.audit
        for entry in sum(self.expected.values(), []):
            check("chain: pool moves", "-", f"{entry[5]} of {entry[1]} in {entry[0]} at {self.chain.now}", entry[3], "no line")
        for (venue, name), pool in self.open.items():
            if (venue, name) in self.lost:
                continue
            account, assets = f"{venue}.{name}", self.settings(venue, name)["assets"]
            stakes, owed = pool.stakes(), [0] * len(assets)
            for ticks, stake in stakes.items():
                for place, (asset, units) in enumerate(zip(assets, stake.units)):
                    key = (account, item_of(asset, ticks))
                    check("chain: pools", "-", f"liquidity of {key}", Decimal(stake.liquidity).scaleb(-18), audit.held[key])
                    check("chain: pools", "-", f"units of {key}", self.chain.amount(asset, units), audit.units[key])
                    owed[place] += stake.owed[place] if stake.owed else 0
            for asset, units in zip(assets, owed):
                check("chain: pools", "-", f"fees of {account} in {asset}", self.chain.amount(asset, units), audit.held[account, asset])

    # -- operations

    def operate(self, venue, operation, ask):
        chain, name = self.chain, ask["pool"]
        chain.topic = TOPICS[operation]
        pool, own = self.pool(venue, name), self.settings(venue, name)
        if pool.follows:
            shown = self.shown(pool.follows)[0]
            self.audit.check(f"chain: {chain.topic}", chain.actual[0].number, f"the price that {name} follows is fresh", True, shown is not None)
        pool.refresh(self.rate_of)
        getattr(self, f"do_{operation}")(pool, (f"{venue}.{name}", own["assets"]), ask)

    def at_least(self, what, least, found):
        self.audit.check(f"chain: {self.chain.topic}", self.chain.actual[0].number, f"{what}: the least that was asked for", True, found >= least)

    def at_most(self, what, most, found):
        self.audit.check(f"chain: {self.chain.topic}", self.chain.actual[0].number, f"{what}: the most that was asked for", True, found <= most)

    def do_swap(self, pool, place, ask):
        exact_in = "amount_out" not in ask
        amounts = {"amount_in", "minimum_out"} if exact_in else {"amount_out", "maximum_in"}
        only_keys("swap", ask, {"pool", "asset_in", "asset_out", *amounts})
        chain, (account, assets), before = self.chain, place, pool.stakes()
        given, taken = ask["asset_in"], ask["asset_out"]
        ends = assets.index(given), assets.index(taken)
        if exact_in:
            amount = chain.asked(given, ask["amount_in"])
            units, chain.gas_units, earned = pool.swap(*ends, units_of(amount, pool.decimals[ends[0]]))
            received = chain.amount(taken, units)
            self.at_least("swap", exactly(ask["minimum_out"]), received)
        else:
            received = exactly(ask["amount_out"])
            units, chain.gas_units, earned = pool.swap(*ends, units_of(received, pool.decimals[ends[1]]), False)
            amount = chain.amount(given, units)
            self.at_most("swap", exactly(ask["maximum_in"]), amount)
        chain.exchange(given, amount, taken, received)
        self.book_swap(account, assets, before, pool.stakes(), earned)

    def do_add_liquidity(self, pool, place, ask):
        only_keys("add_liquidity", ask, {"pool", "amounts", "ticks", "minimum_liquidity"})
        chain, (account, assets), ticks = self.chain, place, ticks_of(ask)
        most = [units_of(exactly(amount), places) for amount, places in zip(ask["amounts"], pool.decimals)]
        before = pool.stakes().get(ticks) or Stake(0, [0] * len(assets))
        minted, paid, chain.gas_units = pool.add(ticks, most)
        liquidity = Decimal(minted).scaleb(-18)
        self.at_least("liquidity", exactly(ask["minimum_liquidity"]), liquidity)
        for asset, units in zip(assets, paid):
            if units:
                chain.wallet_line("transfer", asset, -chain.amount(asset, units))
        for asset, units in zip(assets, paid):
            chain.book("transfer", account, item_of(asset, ticks), liquidity, chain.amount(asset, units))
        after = pool.stakes()[ticks].units
        rest = [now - then - units for now, then, units in zip(after, before.units, paid)]
        self.turn(account, assets, ticks, rest)

    def do_remove_liquidity(self, pool, place, ask):
        chain, (account, assets), ticks = self.chain, place, ticks_of(ask)
        before = pool.stakes()[ticks]
        liquidity, paid = self.withdraw(pool, assets, ask, ticks, before)
        for asset, units in zip(assets, paid):
            chain.book("transfer", account, item_of(asset, ticks), -liquidity, -chain.amount(asset, units))
        for asset, units in zip(assets, paid):
            if units:
                chain.wallet_line("transfer", asset, chain.amount(asset, units))
        after = pool.stakes().get(ticks) or Stake(0, [0] * len(assets))
        rest = [now - then + units for now, then, units in zip(after.units, before.units, paid)]
        self.turn(account, assets, ticks, rest)

    def withdraw(self, pool, assets, ask, ticks, stake):
        """In proportion, in one coin alone, or exact amounts: the liquidity burnt and what is paid of each."""
        chain = self.chain
        if "amounts" in ask:
            only_keys("remove_liquidity", ask, {"pool", "amounts", "maximum_liquidity"})
            paid = [units_of(exactly(amount), places) for amount, places in zip(ask["amounts"], pool.decimals)]
            burnt, chain.gas_units = pool.remove_exactly(paid)
            liquidity = Decimal(burnt).scaleb(-18)
            self.at_most("liquidity", exactly(ask["maximum_liquidity"]), liquidity)
            return liquidity, paid
        only_keys("remove_liquidity", ask, {"pool", "liquidity", "ticks", "minimum_out", "asset_out"})
        whole = ask["liquidity"] == "all"
        liquidity = Decimal(stake.liquidity).scaleb(-18) if whole else exactly(ask["liquidity"])
        burnt, only = units_of(liquidity, 18), ask.get("asset_out")
        if only is None:
            paid, chain.gas_units = pool.remove(ticks, burnt)
        else:
            paid, chain.gas_units = pool.remove_one(assets.index(only), burnt)
        paid_of = dict(zip(assets, paid))
        for asset, least in zip(assets if only is None else [only], ask["minimum_out"]):
            self.at_least(asset, exactly(least), chain.amount(asset, paid_of[asset]))
        return liquidity, paid

    def do_collect_fees(self, pool, place, ask):
        only_keys("collect_fees", ask, {"pool", "ticks"})
        chain, (account, assets) = self.chain, place
        paid, chain.gas_units = pool.collect(ticks_of(ask))
        for asset, units in zip(assets, paid):
            if units:
                amount = chain.amount(asset, units)
                chain.book("transfer", account, asset, -amount, -amount)
                chain.wallet_line("transfer", asset, amount)

    # -- lines of our positions

    def book_swap(self, account, assets, before, after, earned):
        """What a swap did to each position: the fee in its units, what it turned, fees to collect."""
        chain = self.chain
        for ticks, then in before.items():
            now = after[ticks]
            rest = [new - old for new, old in zip(now.units, then.units)]
            if earned and earned[1]:
                place, fee = earned
                asset = assets[place]
                chain.book("liquidity_fee", account, item_of(asset, ticks), ZERO, chain.amount(asset, fee))
                rest[place] -= fee
            self.turn(account, assets, ticks, rest)
            for asset, new, old in zip(assets, now.owed, then.owed):
                if new != old:
                    fee = chain.amount(asset, new - old)
                    chain.book("liquidity_fee", account, asset, fee, fee)

    def turn(self, account, assets, ticks, changes):
        """Units that no amount explains: `trade` at the worth of what left, `fee` where none came or left."""
        chain = self.chain
        moved = [(asset, chain.amount(asset, units)) for asset, units in zip(assets, changes) if units]
        coming = [units for _, units in moved if units > 0]
        if not coming or len(coming) == len(moved):
            for asset, units in moved:
                chain.book("fee", account, item_of(asset, ticks), ZERO, units)
            return
        worths = [rounded(units * chain.price(asset)) for asset, units in moved]
        given = left = -sum((worth for worth in worths if worth < 0), ZERO)
        taken, count = sum((worth for worth in worths if worth > 0), ZERO), len(coming)
        for (asset, units), worth in zip(moved, worths):
            value = worth
            if units > 0:
                count -= 1
                # The last takes what the roundings before it left.
                value = left if not count or not taken else rounded(given * worth / taken)
                left -= value
            chain.add(account, item_of(asset, ticks), ZERO, units, value, "trade")


def ticks_of(ask):
    return tuple(map(int, ask["ticks"])) if ask.get("ticks") is not None else None


def item_of(asset, ticks):
    return f"liquidity:{asset}" + (f":{ticks[0]}:{ticks[1]}" if ticks else "")
