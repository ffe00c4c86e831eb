"""What leaving everything takes after each step, derived anew from holdings, rules, bars and pools.

Where a staking token is left in a pool given by its state, only the sums are checked.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from amounts import ZERO, instant, iso, rounded
from chain_data import ETHERS
from config_file import dig
from items import DOLLARS, contract, is_position, plain
from market import impact_bps
from operations import Unknown
from performance import NEAR, Index
from stakes import Stakes

FILE = "equity.csv"


def ceil18(value):
    return rounded(value, mode=ROUND_CEILING)


class Exits:
    """The exit columns of equity.csv and positions.csv."""

    def __init__(self, audit):
        self.audit, self.check = audit, audit.check
        self.order = {}  # holdings in the order they were first posted
        self.posted = 0
        self.last_rate = {}  # by market and account: what an order cost when it could last be traded
        self.values, self.stakes = [], Stakes(audit)
        self.share_class = audit.config["share_class"]
        self.in_kind = self.share_class not in DOLLARS

    def close_step(self, number, row, now, index, equity, rows):
        audit = self.audit
        while self.posted < len(audit.ledger) and audit.step_of[self.posted] <= index:
            self.order.setdefault(audit.ledger[self.posted].key)
            self.posted += 1
        cost, value = Decimal(row["exit_cost_usd"]), Decimal(row["exit_value_usd"])
        hours = Decimal(row["exit_hours"]) if row["exit_hours"] else None
        self.values.append(value)
        self.check(FILE, number, "exit value = equity - exit cost", equity - cost, value)
        stated, shown = {}, set()
        for (account, _), (line, held) in rows.items():
            first = account not in shown
            shown.add(account)
            if held["exit_cost_usd"]:
                self.check("positions.csv", line, "an account's exit stands on its first row", True, first)
                stated[account] = (line, Decimal(held["exit_cost_usd"]), held["exit_hours"])
        total = sum((cost for _, cost, _ in stated.values()), ZERO)
        self.check("positions.csv", "-", f"{iso(now)} exit costs add up to that of the step", cost, total)
        if not audit.market:
            return
        try:
            if any(self.is_foreign(key) for key in self.order if audit.units[key]):
                raise Unknown("a token or a loan that no mode leaves")
            wanted, accounts = self.derive(now)
        except Unknown:
            audit.exit_sums += 1
            return
        self.check(FILE, number, "exit cost", wanted[0], cost)
        self.check(FILE, number, "exit hours", wanted[1], hours)
        for account, (amount, last) in accounts.items():
            if (amount, last) == (ZERO, ZERO):
                continue
            line, found, found_hours = stated.pop(account, ("-", None, ""))
            self.check("positions.csv", line, f"exit cost of {account}", amount, found)
            self.check("positions.csv", line, f"exit hours of {account}", last, Decimal(found_hours) if found_hours else None)
        for account, (line, amount, _) in stated.items():
            self.check("positions.csv", line, f"exit cost of {account}", "none", amount)

    def is_foreign(self, key):
        if is_position(key[1]) or self.stakes.concerns(key):
            return False
        asset, _ = plain(key[1])
        rewards = key[0].endswith(".rewards") or key[0].startswith("wallet.")
        known = rewards or asset in DOLLARS or asset in ETHERS or asset in (self.audit.base, "ETH", "BTC")
        return key[1].startswith("debt:") or not known

    def derive(self, now):
        """What leaving takes, and what of it each account does."""
        audit, accounts = self.audit, {}

        def count(account, cost, hours):
            known = accounts.get(account, (ZERO, ZERO))
            accounts[account] = (known[0] + cost, slower(known[1], hours))

        held = [key for key in self.order if audit.units[key]]
        cost, hours = ZERO, ZERO
        for account, amount, last in self.stakes.leave(held, now):
            cost, hours = cost + amount, slower(hours, last)
            count(account, amount, last)
        queued = self.stakes.queued(held, now)
        if queued:
            hours = slower(hours, queued[1])
            count(queued[0], ZERO, queued[1])
        left = hours
        for key in (key for key in self.order if is_position(key[1])):
            amount, last = self.market(contract(key[1]), key[0], abs(audit.held[key]), "perp", now)
            cost, hours = cost + amount, slower(hours, last)
            count(key[0], amount, last)
        spot = self.spot(now)
        if spot:
            sold = [key for key in held if not is_position(key[1]) and (plain(key[1])[0] in DOLLARS) == self.in_kind]
            for place, own in self.places(sold, spot, now).items():
                amount, last = self.market(place, None, self.sold(own, place), "spot", now)
                # What the stakes pay is sold once they have been left.
                cost, hours = cost + amount, slower(hours, None if left is None or last is None else left + last)
                if own:
                    count(own[0][0], amount, last)
        whole, sale = cost, hours
        for venue in dict.fromkeys(key[0].split(".")[0] for key in self.order):
            way = self.way_home(venue, now)
            own = [key for key in held if key[0].split(".")[0] == venue]
            if way is None or not own:
                continue
            fee = Decimal(way["fee"])
            if self.in_kind:
                fee = ceil18(fee * audit.market.reference.mark)
            if sum((self.worth(key) for key in own), ZERO) > fee:
                delay = ceil18(Decimal(way["delay_seconds"]) / 3600)
                whole, hours = whole + fee, slower(hours, None if sale is None else sale + delay)
                count(own[0][0], fee, delay)
        # No way out of liquidity is known: it counts at its mark, and nothing says when it is left.
        if any(key[1].startswith("liquidity:") for key in held):
            hours = None
        return (whole, hours), accounts

    def places(self, sold, spot, now):
        """What is sold in which market: where it lies, if there is one, else at the mode's own."""
        places = {spot: []}
        for key in sold:
            own = None if self.in_kind else self.spot(now, key[0].split(".")[0])
            places.setdefault(own or spot, []).append(key)
        return places

    def sold(self, keys, spot):
        """Base units traded in the spot market on the way out."""
        audit = self.audit
        if self.in_kind:
            mark = audit.market.series[".".join((spot[1], spot[0], spot[2]))].mark
            return ceil18(max(sum((self.worth(key) for key in keys), ZERO), ZERO) / mark)
        return abs(sum((audit.delta(key, audit.signed_units(key)) for key in keys), ZERO))

    def worth(self, key):
        audit = self.audit
        return rounded(audit.signed_units(key) * audit.mark(key)) - audit.cost[key]

    def market(self, market, account, quantity, use, now):
        """Cost and hours of selling `quantity` in slices of what a bar has room for."""
        venue, kind, symbol = market
        if not quantity:
            return ZERO, ZERO
        settings = dig(self.audit.config, "venue_settings", venue, default={})
        model = settings.get("slippage") or "sqrt_impact"
        half = ZERO if model == "none" else Decimal(settings.get("slippage_bps") or 1)
        series = self.audit.market.series[f"{kind}.{venue}.{symbol}"]
        share = settings.get("max_participation") or "0.05"
        rate, hours = self.last_rate.get((market, account), ceil18(half / 10000)), None
        if series.state in ("fresh", "proxied"):
            bars = series.bars(series.state, now)
            room = None if share == "none" else rounded(bars.last_volume * Decimal(share), mode=ROUND_FLOOR)
            slice_ = quantity if room is None else min(quantity, room)
            factor = Decimal(settings.get("impact") or 1) if model == "sqrt_impact" else ZERO
            if slice_ > 0 and (bars.volume > 0 or not factor):
                rate = ceil18((half + (impact_bps(bars, slice_, factor) if factor else ZERO)) / 10000)
                slices = ceil18(quantity / slice_).to_integral_value(ROUND_CEILING)
                bar = ceil18(Decimal(self.audit.market.step.total_seconds()) / 3600)
                hours = ZERO if slice_ >= quantity else ceil18((slices - 1) * bar)
        self.last_rate[market, account] = rate
        fee = self.audit.rules.fee_rate(venue, use, "taker", now)
        return ceil18(ceil18(quantity * series.mark) * (fee + rate)), hours

    def spot(self, now, venue=None):
        """The market of the underlying at a venue, by default where the mode trades it; None without one."""
        audit = self.audit
        venue = venue or audit.spot_venue
        if not venue or venue not in audit.rules.venues:
            return None
        for row in audit.rules.at(venue, now).get("instruments") or []:
            name = f"spot.{venue}.{row['symbol']}"
            if row["kind"] == "spot" and name in audit.market.series:
                return venue, "spot", row["symbol"]
        return None

    def way_home(self, venue, now):
        """How the share class leaves an exchange; None from anywhere else."""
        snapshot = self.audit.rules.at(venue, now) if venue in self.audit.rules.venues else {}
        if not snapshot.get("instruments"):
            return None
        ways = (snapshot.get("transfers") or {}).get("withdrawals") or []
        return next((way for way in ways if way["asset"] == self.share_class), None)

    def audit_summary(self, rows):
        """The last step's, and the largest fall of the index of the exit value."""
        s, last, file = self.audit.summary, rows[-1], "summary.json"
        for key in ("exit_value", "exit_cost"):
            amount = Decimal(last[f"{key}_usd"])
            dollars = Decimal(last["in_dollars"][2]) if key == "exit_value" else amount
            self.check(file, f"{key}_usd", "that of the last step", dollars, Decimal(s[f"{key}_usd"]))
            share = rounded(amount / Decimal(last["reference_price_usd"])) if self.in_kind else amount
            self.check(file, key, "the same in the share class", share, Decimal(s[key]))
        hours = Decimal(last["exit_hours"]) if last["exit_hours"] else None
        self.check(file, "exit_hours", "that of the last step", hours, s["exit_hours"] and Decimal(s["exit_hours"]))
        index = Index(instant(s["from"]))
        for value, row in zip(self.values, rows):
            flow = Decimal(row["external_flow_usd"])
            if self.in_kind:
                price = Decimal(row["reference_price_usd"])
                value, flow = rounded(value / price), rounded(flow / price)
            index.step(instant(row["timestamp"]), value, flow)
        found = Decimal(repr(s["max_drawdown_exit"]))
        self.check(file, "max_drawdown_exit", "largest fall of the exit value's index", index.fall, found, NEAR)


def slower(one, other):
    return None if one is None or other is None else max(one, other)
