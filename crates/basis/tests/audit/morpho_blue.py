"""A market of Morpho Blue to the unit, written from Morpho.sol 1.0.0 and its libraries and from
AdaptiveCurveIrm.sol of morpho-blue-irm: ourselves against everybody else.

Shares round against whoever acts. The rate model counts in signed integers whose divisions go to zero.
"""

WAD = 10**18
YEAR = 365 * 86400
PRICE_SCALE = 10**36
VIRTUAL_SHARES, VIRTUAL_ASSETS = 10**6, 1
SHARES_PER_UNIT = 10**6  # at the beginning
LN_2, LN_WEI = 693147180559945309, -41446531673892822312
EXP_MAX, EXP_MAX_VALUE = 93859467695000404319, 57716089161558943949701069502944508345128422502756744429568
TARGET, STEEPNESS, SPEED = 9 * 10**17, 4 * WAD, 50 * WAD // YEAR
RATE_MIN, RATE_MAX = WAD // 1000 // YEAR, 2 * WAD // YEAR
LIQUIDATION_CURSOR, INCENTIVE_MAX = 3 * 10**17, 115 * 10**16


def up(a, b, c):
    return -(-a * b // c)


def to_zero(a, b):
    return a // b if (a < 0) == (b < 0) else -(-a // b)


def exp(x):
    """ExpLib.wExp: two terms around the nearest power of two."""
    if x < LN_WEI:
        return 0
    if x >= EXP_MAX:
        return EXP_MAX_VALUE
    q = to_zero(x + (LN_2 // 2 if x >= 0 else -(LN_2 // 2)), LN_2)
    r = x - q * LN_2
    near = WAD + r + r * r // WAD // 2
    return near << q if q >= 0 else near >> -q


class Market:
    def __init__(self, supplied, owed, lltv, fee, rate_at_target, now):
        self.supply, self.supply_shares = supplied, supplied * SHARES_PER_UNIT
        self.debt, self.debt_shares = owed, owed * SHARES_PER_UNIT
        self.lltv, self.fee, self.at_target, self.updated = lltv, fee, rate_at_target, now
        self.ours = {"shares": 0, "debt": 0, "collateral": 0}

    # -- interest

    def rate(self, seconds):
        """The average rate a second over the time before, and the curve's height after it."""
        usage = self.debt * WAD // self.supply if self.supply else 0
        error = to_zero((usage - TARGET) * WAD, WAD - TARGET if usage > TARGET else TARGET)
        moved = to_zero(SPEED * error, WAD) * seconds
        height = lambda by: min(max(to_zero(self.at_target * exp(by), WAD), RATE_MIN), RATE_MAX)
        end = average = self.at_target
        if moved:
            end = height(moved)
            average = (self.at_target + end + 2 * height(to_zero(moved, 2))) // 4
        slope = WAD - to_zero(WAD * WAD, STEEPNESS) if error < 0 else STEEPNESS - WAD
        return to_zero((to_zero(slope * error, WAD) + WAD) * average, WAD), end

    def accrue(self, now):
        seconds, self.updated = now - self.updated, now
        if not seconds:
            return
        rate, self.at_target = self.rate(seconds)
        first = rate * seconds
        second = first * first // (2 * WAD)
        interest = self.debt * (first + second + second * first // (3 * WAD)) // WAD
        self.debt += interest
        self.supply += interest
        fee = interest * self.fee // WAD
        if fee:
            self.supply_shares += self.to_shares("shares", fee, False, self.supply - fee)

    def totals(self, side):
        return (self.supply, self.supply_shares) if side == "shares" else (self.debt, self.debt_shares)

    def to_shares(self, side, assets, rounds_up, of=None):
        total, shares = self.totals(side)
        total = (total if of is None else of) + VIRTUAL_ASSETS
        top = assets * (shares + VIRTUAL_SHARES)
        return -(-top // total) if rounds_up else top // total

    def to_assets(self, side, shares, rounds_up):
        total, all_shares = self.totals(side)
        top = shares * (total + VIRTUAL_ASSETS)
        return -(-top // (all_shares + VIRTUAL_SHARES)) if rounds_up else top // (all_shares + VIRTUAL_SHARES)

    def balance(self, side):
        """What our shares stand for: a supply rounded down, a debt up."""
        return self.to_assets(side, self.ours[side], side == "debt")

    def yearly(self):
        """Simple yearly rates of suppliers and borrowers from now on, in wad."""
        rate = self.rate(0)[0] * YEAR
        earned = rate * self.debt // self.supply if self.supply else 0
        return earned * (WAD - self.fee) // WAD, rate

    # -- operations

    def move(self, side, assets, shares):
        self.ours[side] += shares
        if side == "shares":
            self.supply, self.supply_shares = self.supply + assets, self.supply_shares + shares
        else:
            self.debt, self.debt_shares = max(self.debt + assets, 0), self.debt_shares + shares

    def enter(self, side, assets):
        """supply or borrow: the shares that assets are."""
        shares = self.to_shares(side, assets, side == "debt")
        self.move(side, assets, shares)
        return shares

    def leave(self, side, assets=None):
        """withdraw or repay so many assets, or all our shares: assets and shares."""
        if assets is None:
            shares = self.ours[side]
            assets = self.to_assets(side, shares, side == "debt")
        else:
            shares = self.to_shares(side, assets, side == "shares")
        self.move(side, -assets, -shares)
        return assets, shares

    # -- health

    def credit(self, price):
        return self.ours["collateral"] * price // PRICE_SCALE * self.lltv // WAD

    def health(self, price):
        """What may be owed over what is, in wad, rounded down; None without debt."""
        return self.credit(price) * WAD // self.balance("debt") if self.ours["debt"] else None

    def incentive(self):
        return min(INCENTIVE_MAX, WAD * WAD // (WAD - LIQUIDATION_CURSOR * (WAD - self.lltv) // WAD))

    def seized_for(self, shares, price):
        return self.to_assets("debt", shares, False) * self.incentive() // WAD * PRICE_SCALE // price

    def repaid_for(self, seized, price):
        return self.to_shares("debt", up(up(seized, price, PRICE_SCALE), WAD, self.incentive()), True)

    def liquidate(self, price):
        """All of the debt against collateral for it, or all of the collateral, and what is then still owed is
        nobody's: what was seized, what was repaid and what was not, each as assets and shares."""
        held, shares = self.ours["collateral"], self.ours["debt"]
        seized = self.seized_for(shares, price)
        if seized > held:
            seized, shares = held, self.repaid_for(held, price)
            if shares > self.ours["debt"]:
                # Both roundings miss: what the collateral is worth, as far as debt goes.
                worth = held * price // PRICE_SCALE * WAD // self.incentive()
                shares = min(self.to_shares("debt", worth, False), self.ours["debt"])
                seized = self.seized_for(shares, price)
        assets = self.to_assets("debt", shares, True)
        self.move("debt", -assets, -shares)
        self.ours["collateral"] -= seized
        lost = (0, 0)
        if not self.ours["collateral"] and self.ours["debt"]:
            rest = self.ours["debt"]
            lost = min(self.balance("debt"), self.debt), rest
            self.supply -= lost[0]
            self.move("debt", -lost[0], -rest)
        return seized, (assets, shares), lost
