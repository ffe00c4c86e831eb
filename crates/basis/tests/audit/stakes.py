"""What leaving staking tokens and loans takes: in their pool, through the queue, or by sales that repay."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from amounts import ZERO, rounded
from chain_data import seconds
from items import plain
from operations import BASE, CAST, CAST_FLASH_LOAN, CAST_STEP, GAS, Unknown
from protocols import bar_swap

# Protocol and pool of each token; what its pool pays is what is borrowed against it.
TOKENS = {"weETH": ("etherfi", "curve", "weETHWETH"), "wstETH": ("lido", "uniswap", "wstETHWETH")}
PAID_IN = "WETH"
# Gas of a sale with what it pays unwrapped, of joining the queue and claiming, of repaying a loan by a sale.
SALE = BASE + CAST + sum(GAS[step] - BASE + CAST_STEP for step in ("curve_swap", "weth_unwrap"))
QUEUE = GAS["etherfi_request"] + GAS["etherfi_claim"]
REPAYMENT = (BASE + CAST + CAST_FLASH_LOAN
             + sum(GAS[step] - BASE + CAST_STEP for step in ("repay", "withdraw", "curve_swap")))


def up(value):
    return rounded(value, mode=ROUND_CEILING)


class Stakes:
    """How the staking token of a run's mode is left."""

    def __init__(self, audit):
        self.audit, self.token = audit, audit.config.get("lst_type")
        self.way = audit.config.get("exit_route") or "cheapest"
        self.max_slippage = Decimal(audit.config.get("max_slippage_bps") or 100) / 10000

    def concerns(self, key):
        """Whether a holding is left here: the token, free or supplied, and what is owed against it."""
        asset, sign = plain(key[1])
        return asset == (PAID_IN if sign < 0 else self.token) and not key[1].startswith("liquidity:")

    def leave(self, held, now):
        """Account, cost and hours of what is free, then of what is supplied; raises Unknown for a pool that is not derived."""
        audit, exits = self.audit, []
        if self.token is None or not any(self.concerns(key) for key in held):
            return exits
        sides = {side: [key for key in held if self.concerns(key) and key[1].startswith(side)] for side in ("shares:", "debt:")}
        free = [key for key in held if key[1] == self.token]
        if free:
            exits.append((free[-1][0], *self.leave_free(free[-1], now)))
        if sides["shares:"]:
            key = sides["shares:"][-1]
            cost, hours, sales = self.sold_in_parts(key, now)
            for debt in sides["debt:"][-1:]:
                owed = abs(rounded(audit.signed_units(debt) * audit.mark(debt)))
                cost += up(owed * self.flash_loan(now))
            exits.append((key[0], cost + sales * self.gas(REPAYMENT, now), hours))
        return exits

    def queued(self, held, now):
        """The account of the withdrawal requests that wait, and the hours until the last has left the queue."""
        if self.token is None:
            return None
        venue = TOKENS[self.token][0]
        waiting = [key for key in held if key[1] == "ETH" and key[0].split(".")[0] == venue]
        protocol = self.audit.chain.staking.venues.get(venue)
        due = [ticket.due for ticket in protocol.tickets if not ticket.ready] if protocol else []
        if not waiting or not due:
            return None
        left = max((max(due) - now).total_seconds(), 0)
        return waiting[0][0], up(Decimal(left) / 3600)

    def leave_free(self, key, now):
        ways = []
        if self.way in ("market", "cheapest"):
            units = self.audit.units[key]
            lost = self.sold(units, rounded(units * self.audit.mark(key)), now)
            if lost is not None:
                ways.append((lost + self.gas(SALE, now), ZERO))
        if self.way in ("queue", "cheapest"):
            forgone = self.forgone(key, now)
            if forgone is not None:
                ways.append((forgone[0] + self.gas(QUEUE, now), forgone[1]))
        # The sale comes first, so that it is taken where both lose the same.
        return min(ways, key=lambda way: way[0]) if ways else (ZERO, None)

    def sold_in_parts(self, key, now):
        """Cost, hours and number of the sales of a loop: halved until one loses no more than a swap may."""
        units, value = self.audit.units[key], rounded(self.audit.units[key] * self.audit.mark(key))
        whole = None
        for halvings in range(11):
            sales = 2 ** halvings
            part = up(value / sales)
            lost = self.sold(up(units / sales), part, now)
            if lost is None:
                break
            if lost <= rounded(part * self.max_slippage, mode=ROUND_FLOOR):
                step = up(Decimal(self.audit.step_seconds()) / 3600)
                return lost * sales, step * 2 * (halvings + sales - 1), sales
            whole = lost if whole is None else whole
        return whole or ZERO, None, 1

    def sold(self, units, value, now):
        """What the pool pays less than `value` for `units`; None where it cannot be asked."""
        chain = self.audit.chain
        _, venue, name = TOKENS[self.token]
        if chain.pools.takes(venue, "swap", {"pool": name}):
            raise Unknown("an exit through a pool that has a state")
        pool = chain.swaps.pool(venue, name)
        found = chain.market.pool_price(pool["series"], now)
        if not found or found[2] not in ("fresh", "proxied"):
            return None
        mid, volume, _, known = found
        if volume and pool["impact"] == "sqrt_impact" and pool["volume"] == "usd":
            volume = volume / chain.price(pool["assets"][1])
        moved = None
        if chain.swaps.moved.get((venue, name), (None,))[0] == (known, mid):
            _, volume, moved = chain.swaps.moved[venue, name]
        decimals, sells = tuple(chain.decimals(asset) for asset in pool["assets"]), self.token == pool["assets"][0]
        paid = bar_swap(pool, mid, volume, decimals, sells, units, moved)[0]
        if paid <= 0:
            return None
        return value - rounded(paid * self.audit.market.reference.mark, mode=ROUND_FLOOR)

    def forgone(self, key, now):
        """The yield that the queue gives up, and its hours: the growth of the last recorded day, never less than none."""
        chain, (venue, _, _) = self.audit.chain, TOKENS[self.token]
        protocol = chain.staking.venues.get(venue)
        if protocol is None:
            return None
        name = f"staking_rate.{venue}.{self.token}_ETH"
        newest, rows = chain.market.newest(name, now), chain.market.rows(name)
        daily = ZERO
        before = rows.newest(now, 1) if rows else None
        if newest and before:
            span = max(seconds(newest[1]) - seconds(before[1]), 1)
            daily = up(max(newest[0] - before[0], ZERO) * 86400 / span)
        days = up(Decimal(protocol.delay.total_seconds()) / 86400)
        ether = up(self.audit.units[key] * up(daily * days))
        return up(ether * self.audit.market.reference.mark), up(Decimal(protocol.delay.total_seconds()) / 3600)

    def gas(self, units, now):
        found = self.audit.chain.market.newest("gas.ethereum.gwei", now)
        return up(up(units * found[0] / 10**9) * self.audit.market.reference.mark) if found else ZERO

    def flash_loan(self, now):
        """What a loan costs within the group that leaves, a share of it."""
        rules = self.audit.rules
        fees = rules.at("instadapp", now).get("fees") if "instadapp" in rules.venues else None
        return Decimal((fees or {}).get("flash_loan_bps", 0)) / 10000
