"""The lending pool: accrued interest, every operation on it, its standing and its liquidations."""

from collections import defaultdict
from decimal import Decimal

from amounts import ZERO
from chain_data import seconds
from items import plain
from operations import GAS, Unknown, exactly
from protocols import Reserve, percent_mul, ray_div, ray_mul

LENDER = "aave.main"
LENDING = ("supply", "withdraw", "borrow", "repay")


class Lending:
    """The reserves of the pool, and our account in it."""

    def __init__(self, chain):
        self.chain, self.audit = chain, chain.audit
        self.reserves, self.category, self.liquidated_at = {}, 0, None
        self.extra = defaultdict(Decimal)  # what the transaction under way has moved

    def scaled(self, side, asset):
        return int(self.audit.held[LENDER, f"{side}:{asset}"].scaleb(self.chain.decimals(asset)))

    def units(self, side, asset):
        return int(self.audit.units[LENDER, f"{side}:{asset}"].scaleb(self.chain.decimals(asset)))

    def accrue(self, now):
        """The lending pool: snaps at recorded rows, then one line per balance that changed."""
        chain = self.chain
        if "aave" not in chain.config["venue_settings"]:
            return
        settings = chain.settings["aave"]
        named = settings.get("assets") or list(chain.market.risk)
        for asset in named:
            name = f"aave_reserve.aave.{asset}"
            found = chain.market.newest(name, now) if name in chain.covered and asset in chain.market.risk else None
            if not found:
                continue
            owned = {side: self.scaled(side, asset) for side in ("shares", "debt")}
            if asset not in self.reserves:
                slope = Decimal(str((settings.get("slope2") or {}).get(asset, "0.8")))
                kink = [int(Decimal(x).scaleb(27)) for x in (chain.market.risk[asset]["optimal_utilization"], slope)]
                own_size = settings.get("own_size", True) is not False
                self.reserves[asset] = Reserve(found[0], found[1], chain.decimals(asset), kink, own_size,
                                               str(settings.get("version", "3.2")))
            else:
                reserve = self.reserves[asset]
                for known, row in chain.market.rows(name).between(chain.synced, now):
                    reserve.snap(row, known, owned["shares"], owned["debt"])
            for side, kind in (("shares", "interest"), ("debt", "borrow_cost")):
                grown = self.reserves[asset].balance(side, owned[side], seconds(now)) - self.units(side, asset)
                if grown:
                    chain.expected["aave"].append((now, LENDER, f"{side}:{asset}", ZERO, chain.amount(asset, grown), kind))

    def audit_indices(self, now):
        """Without own size a balance is scaled units x the recorded index wherever a row says the index."""
        for asset, reserve in self.reserves.items():
            if reserve.own_size or reserve.row_at != seconds(now):
                continue
            for side, column in (("shares", "liquidity_index"), ("debt", "borrow_index")):
                scaled = self.scaled(side, asset)
                if scaled:
                    self.audit.check("chain: index", "-", f"{now} {side}:{asset} = scaled units x recorded index",
                                     ray_mul(scaled, reserve.row[column]), self.units(side, asset))

    def standing(self, now):
        """Collateral, debt and the collateral at its threshold, by the pool's oracle."""
        worth = {"shares": ZERO, "debt": ZERO}
        threshold = borrowable = ZERO
        for (account, item), units in self.audit.units.items():
            side, colon, asset = item.partition(":")
            if account != LENDER or not colon or not units:
                continue
            price = self.chain.market.oracle(asset, now)
            if price is None:
                return None
            worth[side] += units * price
            if side == "shares":
                row = self.chain.market.risk[asset]
                prefix = "emode_" if self.e_mode() and row["emode"] else ""
                threshold += units * price * Decimal(row[prefix + "liquidation_threshold"])
                borrowable += units * price * Decimal(row[prefix + "ltv"])
        return worth["shares"], worth["debt"], threshold, borrowable

    def e_mode(self):
        return self.category != 0

    def audit_health(self, now):
        if not any(item.startswith("debt:") and units for (account, item), units in self.audit.units.items() if account == LENDER):
            return
        standing = self.standing(now)
        # What is worth less than a unit of the oracle pays for no liquidation: the debt stays.
        if standing and standing[0] >= Decimal("1e-8") and self.liquidated_at != now and not self.chain.is_out("aave"):
            self.audit.check("chain: health", "-", f"{now} the lending account stands above liquidation", True, standing[2] >= standing[1])

    def audit_loan_to_value(self, number, names):
        audit = self.audit
        chain = self.chain
        if not {"borrow", "withdraw"} & set(names) or not chain.market:
            return
        standing = self.standing(chain.now)
        if not standing or not standing[1]:
            return
        collateral, debt, threshold, borrowable = standing
        audit.check("chain: health", number, "the account stands above liquidation after it", True, threshold >= debt)
        if "borrow" in names:
            audit.check("chain: health", number, "debt is at most what the pool lends against the collateral", True, debt <= borrowable)
            most = chain.config.get("max_ltv")
            if most:
                audit.check("chain: health", number, "debt over collateral is at most max_ltv", True, debt <= collateral * Decimal(most))

    def liquidation(self, lines):
        """Below a health factor of one: the debt by its close factor, the collateral for it and the bonus."""
        chain = self.chain
        self.liquidated_at, check, now = chain.now, self.audit.check, chain.now
        if not chain.market:
            return
        standing, first = self.standing(now), lines[0].number
        taken = {plain(line.key[1])[1]: line for line in lines if line.kind == "liquidation"}
        if not check("chain: liquidation", first, "collateral and debt, both priced", ([-1, 1], True),
                     (sorted(taken), standing is not None)):
            return
        check("chain: liquidation", first, "the health factor was below one", True, standing[2] < standing[1])
        collateral, debt = (plain(taken[side].key[1])[0] for side in (1, -1))
        seller, owed = self.reserves[collateral], self.reserves[debt]
        scaled = {(asset, side): self.scaled(side, asset) for asset in {collateral, debt} for side in ("shares", "debt")}
        owed.update(seconds(now), scaled[debt, "debt"])
        seller.update(seconds(now), scaled[collateral, "debt"])
        indices = seller.index("shares", seconds(now)), owed.index("debt", seconds(now))
        whole = ray_mul(scaled[debt, "debt"], indices[1])
        health = standing[2] / standing[1]
        repaid = percent_mul(whole, 5000 if health > Decimal("0.95") else 10000)
        row = chain.market.risk[collateral]
        bonus = Decimal(row["emode_liquidation_bonus" if self.e_mode() and row["emode"] else "liquidation_bonus"])
        bonus = 10000 + int(bonus * 10000)
        prices = [int(chain.market.oracle(asset, now).scaleb(8)) for asset in (collateral, debt)]
        units = [10**chain.decimals(asset) for asset in (collateral, debt)]
        amount = percent_mul(prices[1] * repaid * units[0] // (prices[0] * units[1]), bonus)
        held = ray_mul(scaled[collateral, "shares"], indices[0])
        if amount > held:
            worth = prices[0] * held * units[1] // (prices[1] * units[0])
            amount, repaid = held, (worth * 10000 + bonus // 2) // bonus
        part = int(chain.settings["aave"].get("liquidation_protocol_fee_bps", 1000))
        fee = percent_mul(amount - (amount * 10000 + bonus // 2) // bonus, part)
        seized = ray_div(amount - fee, indices[0])
        left, charged = scaled[collateral, "shares"] - seized, ray_div(fee, indices[0])
        if charged > left:  # the pool takes what is left, and says what that stands for
            amount, charged = amount - fee + ray_mul(left, indices[0]), left
        moved = seized + charged
        chain.lines, chain.wallet, chain.topic = [], {}, "liquidation"
        for asset, side, scaled_out, out, index, kind in (
                (collateral, "shares", moved, amount, indices[0], "interest"),
                (debt, "debt", ray_div(repaid, indices[1]), repaid, indices[1], "borrow_cost")):
            item = f"{side}:{asset}"
            chain.book("liquidation", LENDER, item, -chain.amount(asset, scaled_out), -chain.amount(asset, out))
            scaled[asset, side] -= scaled_out
            rest = ray_mul(scaled[asset, side], index) - self.units(side, asset) + out
            if rest:
                chain.book(kind, LENDER, item, ZERO, chain.amount(asset, rest))
        secured = any(self.scaled("shares", asset) for asset in self.reserves if asset != collateral) or scaled[collateral, "shares"]
        if not secured and scaled[debt, "debt"]:  # without recourse: the lender keeps what nothing stands behind
            rest = ray_mul(scaled[debt, "debt"], indices[1])
            chain.book("write_off", LENDER, f"debt:{debt}", -chain.amount(debt, scaled[debt, "debt"]), -chain.amount(debt, rest))
            scaled[debt, "debt"] = 0
        chain.compare(lines)
        for asset in (collateral, debt):
            self.reserves[asset].move_rates(seconds(now), scaled[asset, "shares"], scaled[asset, "debt"])

    def lend(self, operation, ask):
        chain = self.chain
        chain.gas_units = GAS[operation]
        asset, at = ask["asset"], seconds(chain.now)
        if asset not in self.reserves:
            raise Unknown(f"{asset} at aave, of which no reserve is recorded")
        reserve, unit = self.reserves[asset], chain.decimals(asset)
        side = "shares" if operation in ("supply", "withdraw") else "debt"
        item, leaves = f"{side}:{asset}", operation in ("withdraw", "repay")
        scaled = {s: self.scaled(s, asset) + self.extra[s, asset, "scaled"] for s in ("shares", "debt")}
        before = self.units(side, asset) + self.extra[side, asset, "units"]
        reserve.update(at, scaled["debt"])
        balance = reserve.balance(side, scaled[side], at)
        if operation == "supply":
            amount = int(chain.asked(asset, ask["amount"]).scaleb(unit))
        elif ask["amount"] == "all":
            amount = balance
        else:
            amount = int(exactly(ask["amount"]).scaleb(unit))
            amount = min(amount, balance) if operation == "repay" else amount
        moved = ray_div(amount, reserve.index(side, at))
        sign = -1 if leaves else 1
        paid = chain.amount(asset, amount)
        if operation in ("supply", "repay"):
            chain.wallet_line("transfer", asset, -paid)
        chain.book("transfer", LENDER, item, sign * chain.amount(asset, moved), sign * paid)
        scaled[side] += sign * int(moved)
        after = reserve.balance(side, int(scaled[side]), at)
        rest = after - before - sign * amount
        if rest:
            chain.book("interest" if side == "shares" else "borrow_cost", LENDER, item, ZERO, chain.amount(asset, rest))
        self.extra[side, asset, "scaled"] += sign * int(moved)
        self.extra[side, asset, "units"] += sign * amount + rest
        reserve.move_rates(at, int(scaled["shares"]), int(scaled["debt"]))
        if operation in ("withdraw", "borrow"):
            chain.wallet_line("transfer", asset, paid)

    def take_back(self, asset, premium):
        """The lender shares the premium among its suppliers, us included."""
        chain = self.chain
        if asset not in self.reserves:
            raise Unknown(f"{asset} at aave, of which no reserve is recorded")
        reserve, at = self.reserves[asset], seconds(chain.now)
        scaled = {s: int(self.scaled(s, asset) + self.extra[s, asset, "scaled"]) for s in ("shares", "debt")}
        reserve.share_premium(at, premium, scaled["shares"], scaled["debt"])
        rest = reserve.balance("shares", scaled["shares"], at) - self.units("shares", asset) - self.extra["shares", asset, "units"]
        if rest:
            chain.book("interest", LENDER, f"shares:{asset}", ZERO, chain.amount(asset, rest))
            self.extra["shares", asset, "units"] += rest
