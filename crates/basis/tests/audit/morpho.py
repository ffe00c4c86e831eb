"""Morpho as a run has it: markets of the settings, their interest, our operations and liquidations.

No market's totals are recorded. Each begins at the first transaction of the run with those of its
settings. Interest is charged at every transaction and, while we hold anything, at every step.
"""

from decimal import ROUND_FLOOR, Decimal

from amounts import ONE, ZERO, rounded
from chain_data import seconds
from items import DOLLARS
from morpho_blue import PRICE_SCALE, YEAR, Market
from operations import GAS, Unknown, exactly

VENUE = "morpho"
KINDS = {"shares": "interest", "debt": "borrow_cost"}


def wad(text):
    return int(Decimal(str(text)).scaleb(18))


class Place:
    """A market of the settings, once it has begun, and what its lines say our shares stand for."""

    def __init__(self, chain, own, now):
        self.chain, self.name = chain, own["name"]
        self.account, self.loan, self.collateral = f"{VENUE}.{self.name}", own["loan"], own["collateral"]
        units = lambda key: int(Decimal(str(own.get(key, 0))).scaleb(chain.decimals(self.loan)))
        rate = wad(own.get("rate_at_target", "0.04")) // YEAR
        self.market = Market(units("total_supply"), units("total_borrow"), wad(own["lltv"]), wad(own.get("fee", 0)), rate, now)
        self.booked = {"shares": 0, "debt": 0}

    def is_held(self):
        return any(self.market.ours.values())

    def settle(self, side, moved=0):
        """Units that the lines do not explain yet."""
        after = self.market.balance(side)
        rest, self.booked[side] = after - self.booked[side] - moved, after
        return rest

    def price(self):
        """Units of the loan asset per unit of collateral, x 10^36: by rates alone of one underlying."""
        audit = self.chain.audit
        sides = []
        for asset in (self.collateral, self.loan):
            dollar = asset in DOLLARS
            rate = ONE if dollar else audit.rate((self.account, asset))[0]
            sides.append((rate, None if dollar else "spot"))
        if sides[0][1] != sides[1][1]:
            spot = audit.market.reference.mark
            sides = [(rounded(rate * spot, 18, ROUND_FLOOR) if of else rate, of) for rate, of in sides]
        ratio = int(sides[0][0].scaleb(18)) * PRICE_SCALE // int(sides[1][0].scaleb(18))
        return ratio * 10 ** self.chain.decimals(self.loan) // 10 ** self.chain.decimals(self.collateral)


class Morpho:
    """All markets of a run."""

    def __init__(self, chain):
        self.chain, self.audit = chain, chain.audit
        self.places, self.synced, self.forced = [], None, []

    def settings(self):
        return self.chain.settings[VENUE].get("markets") or []

    def begin(self, now):
        self.forced = []
        if any(place.is_held() for place in self.places):
            self.sync(now)

    def sync(self, now):
        """Interest up to now, and its lines; then liquidations."""
        if self.synced == now:
            return
        self.synced, chain = now, self.chain
        if not self.places:
            self.places = [Place(chain, own, seconds(now)) for own in self.settings()]
        for place in self.places:
            place.market.accrue(seconds(now))
        for place in filter(Place.is_held, self.places):
            for side, kind in KINDS.items():
                grown = place.settle(side)
                if grown:
                    chain.expected[VENUE].append((now, place.account, f"{side}:{place.loan}", ZERO, chain.amount(place.loan, grown), kind))
        for place in self.places:
            if place.market.ours["debt"] and place.market.credit(place.price()) < place.market.balance("debt"):
                self.liquidate(place)

    def liquidate(self, place):
        chain = self.chain
        chain.lines, chain.wallet, chain.topic = [], {}, "liquidation"
        seized, *left = place.market.liquidate(place.price())
        gone = chain.amount(place.collateral, seized)
        if seized:
            chain.book("liquidation", place.account, place.collateral, -gone, -gone)
        for (assets, shares), kind in zip(left, ("liquidation", "write_off")):
            if shares:
                chain.book(kind, place.account, f"debt:{place.loan}", -chain.amount(place.loan, shares), -chain.amount(place.loan, assets))
        moved = {"shares": 0, "debt": -sum(assets for assets, _ in left)}
        for side, kind in KINDS.items():
            rest = place.settle(side, moved[side])
            if rest:
                chain.book("liquidation" if side == "shares" else kind, place.account, f"{side}:{place.loan}", ZERO, chain.amount(place.loan, rest))
        self.forced += chain.lines

    def liquidated(self, lines):
        """Lines of liquidations, against what the markets must have done."""
        self.chain.lines, self.forced = self.forced[:len(lines)], self.forced[len(lines):]
        self.chain.compare(lines)

    def end(self):
        """No liquidation is left out, and the books hold what the markets say."""
        check, chain, audit = self.audit.check, self.chain, self.audit
        for entry in self.forced:
            check("chain: liquidation", "-", f"{entry[5]} of {entry[1]} in {entry[0]} at {chain.now}", entry[3], "no line")
        for place in self.places:
            for side in KINDS:
                key = (place.account, f"{side}:{place.loan}")
                check("chain: morpho", "-", f"shares of {key}", chain.amount(place.loan, place.market.ours[side]), audit.held[key])
                check("chain: morpho", "-", f"units of {key}", chain.amount(place.loan, place.booked[side]), audit.units[key])
            key = (place.account, place.collateral)
            check("chain: morpho", "-", f"collateral of {key}", chain.amount(place.collateral, place.market.ours["collateral"]), audit.held[key])

    # -- operations

    def place_of(self, ask):
        """The market that is named, else the only one that has the asset."""
        fits = [p for p in self.places if (p.name == ask["market"] if ask.get("market") is not None
                                           else ask["asset"] in (p.loan, p.collateral))]
        if len(fits) != 1:
            raise Unknown(f"an operation on {ask['asset']} at morpho in no single market")
        return fits[0]

    def operate(self, operation, ask):
        chain, place, asset = self.chain, self.place_of(ask), ask["asset"]
        chain.topic = "morpho"
        if asset == place.collateral:
            return self.pledge(place, operation, ask)
        enters, side = operation in ("supply", "borrow"), "shares" if operation in ("supply", "withdraw") else "debt"
        chain.gas_units, market = GAS[f"morpho_{operation}"], place.market
        if enters:
            assets = int(chain.asked(asset, ask["amount"]).scaleb(chain.decimals(asset)))
            shares = market.enter(side, assets)
        else:
            exact = None if ask["amount"] == "all" else int(exactly(ask["amount"]).scaleb(chain.decimals(asset)))
            assets, shares = market.leave(side, exact)
        sign, amount = (1 if enters else -1), chain.amount(asset, assets)
        if operation in ("supply", "repay"):
            chain.wallet_line("transfer", asset, -amount)
        chain.book("transfer", place.account, f"{side}:{asset}", sign * chain.amount(asset, shares), sign * amount)
        for each, kind in KINDS.items():
            rest = place.settle(each, sign * assets if each == side else 0)
            if rest:
                chain.book(kind, place.account, f"{each}:{asset}", ZERO, chain.amount(asset, rest))
        if operation in ("withdraw", "borrow"):
            chain.wallet_line("transfer", asset, amount)
        self.audit_health(place, operation)

    def pledge(self, place, operation, ask):
        """Collateral in or out."""
        chain, asset, ours = self.chain, place.collateral, place.market.ours
        chain.gas_units = GAS[f"morpho_{operation}_collateral"]
        if operation == "withdraw" and ask["amount"] == "all":
            units = ours["collateral"]
        else:
            units = int(chain.asked(asset, ask["amount"]).scaleb(chain.decimals(asset)))
        amount, sign = chain.amount(asset, units), 1 if operation == "supply" else -1
        ours["collateral"] += sign * units
        if sign > 0:
            chain.wallet_line("transfer", asset, -amount)
        chain.book("transfer", place.account, asset, sign * amount, sign * amount)
        if sign < 0:
            chain.wallet_line("transfer", asset, amount)
        self.audit_health(place, operation)

    def audit_health(self, place, operation):
        if operation in ("borrow", "withdraw") and place.market.ours["debt"]:
            self.audit.check("chain: health", self.chain.actual[0].number, f"{place.account} owes no more than it may", True,
                             place.market.credit(place.price()) >= place.market.balance("debt"))

    # -- for risk.csv

    def standings(self):
        """Account, health factor, and the yearly rates of what is supplied and owed, where something is."""
        found = []
        for place in self.places:
            factor = place.market.health(place.price()) if place.market.ours["debt"] else None
            if factor is not None:
                earned, paid = place.market.yearly()
                rates = [Decimal(rate).scaleb(-18) for rate in (earned if place.market.ours["shares"] else 0, paid)]
                found.append((place.account, Decimal(factor).scaleb(-18), *rates))
        return found
