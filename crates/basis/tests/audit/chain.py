"""What happens on chain, derived anew: accrued interest, staking, rewards, and every transaction.

A step begins with what comes about by itself (`begin`); then each transaction is worked out from its
request in executions.csv (`transaction`), line by line. State that only the protocols know (indices,
pools, tickets) is kept here; what we hold is read from the ledger before each happening.
"""

import json
from collections import defaultdict
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal

from chain_data import ChainMarket, RAY, quantized, seconds
from protocols import Reserve, StakePool, bar_swap, percent_mul, ray_div, ray_mul

ZERO = Decimal(0)
WALLET, LENDER = "wallet.main", "aave.main"

# Gas of a whole transaction that does only this; the table of docs/run-directory.md.
BASE, CAST, CAST_STEP, CAST_FLASH_LOAN = 21_000, 35_000, 9_000, 210_000
GAS = {
    "weth_wrap": 45_000, "weth_unwrap": 35_300, "supply": 177_000, "withdraw": 198_000, "borrow": 255_000,
    "repay": 162_000, "set_e_mode": 105_000, "uniswap_swap": 138_000, "curve_swap": 130_000,
    "lido_stake": 90_000, "lido_wrap": 140_000, "lido_unwrap": 115_000, "lido_request": 228_000, "lido_claim": 90_000,
    "etherfi_stake": 91_000, "etherfi_wrap": 161_000, "etherfi_unwrap": 101_000, "etherfi_request": 220_000,
    "etherfi_claim": 110_000, "king_claim": 130_000, "king_unwrap": 250_000,
}

# Pools that need no settings; the table of docs/run-directory.md.
POOLS = {
    ("uniswap", "WETHUSDT"): ("dex.uniswap.WETHUSDT_3000", ("WETH", "USDT"), 3_000, 20_000_000),
    ("uniswap", "EIGENWETH"): ("dex.uniswap.EIGENWETH_3000", ("EIGEN", "WETH"), 3_000, 100),
    ("uniswap", "ETHFIWETH"): ("dex.uniswap.ETHFIWETH_3000", ("ETHFI", "WETH"), 3_000, 50),
    ("uniswap", "wstETHWETH"): ("staking_market.uniswap.wstETH_ETH", ("wstETH", "WETH"), 100, 20_000),
    ("curve", "weETHWETH"): ("staking_market.curve.weETH_ETH", ("weETH", "WETH"), 4_000_000, 5_000),
}
FEE_UNIT = {"uniswap": 1, "curve": 10_000}  # of a millionth
STAKING = {"etherfi": ("eETH", "weETH", 168), "lido": ("stETH", "wstETH", 72)}  # rebasing, wrapped, hours in the queue
LIDO_REQUEST_MAX, LIDO_REQUEST_MIN = 1000 * 10**18, 100
PROGRAMS = {"EIGEN": "reward_rate.etherfi.EIGEN", "ETHFI": "reward_top_up.etherfi.ETHFI"}
LENDING = ("supply", "withdraw", "borrow", "repay")
VENUES = {"aave", "morpho", "lido", "etherfi", "uniswap", "curve", "instadapp"}


def plain(item):
    """The asset of an item, and 1, or -1 for a debt."""
    side, colon, asset = item.partition(":")
    if colon and side == "liquidity":
        return asset.split(":")[0], 1
    return (asset, -1 if side == "debt" else 1) if colon and side in ("shares", "debt") else (item, 1)


def exactly(amount):
    """An exact amount, written as a plain decimal or as {"exactly": decimal}."""
    return Decimal(amount["exactly"] if isinstance(amount, dict) else amount)


class Unknown(Exception):
    """An operation whose numbers the auditor does not derive."""


class Ticket:
    def __init__(self, instruction, requests, due, wei):
        self.instruction, self.requests, self.due = instruction, requests, due
        self.booked, self.ready, self.final = wei, False, [None] * len(requests)


class Staking:
    """One liquid-staking protocol with our tickets in its queue."""

    def __init__(self, venue, rate, delay):
        self.venue, self.delay = venue, delay
        self.rebasing, self.wrapped, _ = STAKING[venue]
        self.pool, self.own, self.units, self.tickets = StakePool(rate), 0, 0, []

    def claim_of(self, amount, shares):
        if self.venue == "etherfi":
            return min(amount, self.pool.worth(shares))
        rate = self.pool.ether * RAY // self.pool.shares
        return amount if amount * RAY // shares <= rate else shares * rate // RAY

    def worth(self, ticket):
        return sum(final if final is not None else self.claim_of(*request)
                   for request, final in zip(ticket.requests, ticket.final))

    def settle(self):
        """What each holding gained or lost since it was booked: account, item, quantity, units."""
        changes, worth = [], self.pool.worth(self.own)
        if worth != self.units:
            changes.append((WALLET, f"shares:{self.rebasing}", ZERO, wei(worth - self.units)))
            self.units = worth
        for ticket in self.tickets:
            worth = self.worth(ticket)
            if worth != ticket.booked:
                gained = wei(worth - ticket.booked)
                place = f"{self.venue}.{'claimable' if ticket.ready else 'queue'}"
                changes.append((place, "ETH", gained, gained))
                ticket.booked = worth
        return changes

    def finalize(self, at):
        if self.venue != "lido":
            return
        for ticket in self.tickets:
            if ticket.due <= at and None in ticket.final:
                ticket.final = [self.claim_of(*request) for request in ticket.requests]
                self.pool.burn(sum(shares for _, shares in ticket.requests), sum(ticket.final))

    def stake_wrapped(self, amount):
        shares = self.pool.deposit(amount)
        return shares if self.venue == "lido" else self.pool.to_shares(self.pool.worth(shares))

    def shift(self, shares):
        """Our rebasing shares change; how much in shares and in units since they were last booked."""
        self.own += shares
        worth = self.pool.worth(self.own)
        moved, self.units = worth - self.units, worth
        return wei(shares), wei(moved)


def wei(value):
    return Decimal(value).scaleb(-18)


class History:
    """A step function of time and its integral, wei x nanoseconds."""

    def __init__(self):
        self.points = []

    def set(self, at, value):
        if not self.points and not value:
            return
        if self.points and self.points[-1][0] == at:
            self.points[-1] = (at, self.points[-1][1], value)
        elif not self.points or self.points[-1][2] != value:
            self.points.append((at, self.until(at), value))

    def until(self, at):
        for since, integral, value in reversed(self.points):
            if since <= at:
                return integral + value * int((at - since) / timedelta(microseconds=1)) * 1000
        return 0


class Chain:
    def __init__(self, audit):
        self.audit, self.config = audit, audit.config
        self.covered = [row["series"] for row in audit.summary["coverage"]]
        self.market = ChainMarket(audit.market, self.covered) if audit.market else None
        settings = audit.config.get("venue_settings") or {}
        self.settings = {venue: settings.get(venue) or {} for venue in VENUES}
        self.requests = {row["transaction"]: (number, row) for number, row in audit.executions if row.get("transaction")}
        self.reserves, self.staking, self.history = {}, {}, History()
        self.synced, self.expected, self.hashes = None, defaultdict(list), []
        self.active = bool(VENUES & set(settings))
        self.names, self.category, self.liquidated_at = [], 0, None
        self.moved = {}  # pools of bars: the value our swaps met, its volume, what they come to

    # -- holdings as the ledger has them ------------------------------------------------------------

    def scaled(self, side, asset):
        return int(self.audit.held[LENDER, f"{side}:{asset}"].scaleb(self.decimals(asset)))

    def units(self, side, asset):
        return int(self.audit.units[LENDER, f"{side}:{asset}"].scaleb(self.decimals(asset)))

    def is_out(self, venue):
        return self.market.market.shocks.is_out(venue, self.now)

    def decimals(self, asset):
        return self.audit.rules.decimals[asset]

    def amount(self, asset, units):
        return Decimal(units).scaleb(-self.decimals(asset))

    # -- what comes about by itself -------------------------------------------------------------------

    def begin(self, now):
        """Rows that became known, and the lines they must leave in this step."""
        self.now, self.expected = now, defaultdict(list)
        if not self.market or not self.active:
            return
        self.accrue(now)
        for venue in STAKING:
            if venue in self.config["venue_settings"]:
                self.advance_pool(venue, now)
        self.synced = now

    def accrue(self, now):
        """The lending pool: snaps at recorded rows, then one line per balance that changed."""
        if "aave" not in self.config["venue_settings"]:
            return
        settings = self.settings["aave"]
        named = settings.get("assets") or list(self.market.risk)
        for asset in named:
            name = f"aave_reserve.aave.{asset}"
            found = self.market.newest(name, now) if name in self.covered and asset in self.market.risk else None
            if not found:
                continue
            owned = {side: self.scaled(side, asset) for side in ("shares", "debt")}
            if asset not in self.reserves:
                slope = Decimal(str((settings.get("slope2") or {}).get(asset, "0.8")))
                kink = [int(Decimal(x).scaleb(27)) for x in (self.market.risk[asset]["optimal_utilization"], slope)]
                own_size = settings.get("own_size", True) is not False
                self.reserves[asset] = Reserve(found[0], found[1], self.decimals(asset), kink, own_size,
                                               str(settings.get("version", "3.2")))
            else:
                reserve = self.reserves[asset]
                for known, row in self.market.rows(name).between(self.synced, now):
                    reserve.snap(row, known, owned["shares"], owned["debt"])
            for side, kind in (("shares", "interest"), ("debt", "borrow_cost")):
                grown = self.reserves[asset].balance(side, owned[side], seconds(now)) - self.units(side, asset)
                if grown:
                    self.expected["aave"].append((now, LENDER, f"{side}:{asset}", ZERO, self.amount(asset, grown), kind))

    def advance_pool(self, venue, now):
        """A staking protocol: rates, tickets and rewards since the step before, in the order of their time."""
        name = f"staking_rate.{venue}.{STAKING[venue][1]}_ETH"
        found = self.market.newest(name, now) if name in self.covered else None
        if not found:
            return
        if venue not in self.staking:
            hours = int(self.settings[venue].get("queue_delay_hours") or STAKING[venue][2])
            self.staking[venue] = Staking(venue, found[0], timedelta(hours=hours))
            self.staking[venue].rate = found[0]
            return
        pool, due = self.staking[venue], []
        rows = self.market.rows(name)
        due += [(at, 0, "rate", rate) for at, rate in (rows.between(self.synced, now) if rows else [])]
        if found[2] == "proxied" and found[0] != (due[-1][3] if due else pool.rate):
            due.append((max(found[1], self.synced), 0, "rate", found[0]))
        if not self.is_out(venue):
            # What was due while the protocol was out leaves the queue at the first step after.
            due += [(ticket.due if ticket.due > self.synced else now, 2, "tickets", ticket)
                    for ticket in pool.tickets if not ticket.ready and ticket.due <= now]
        if venue == "etherfi":
            for asset, series in PROGRAMS.items():
                if series in self.covered and self.market.rows(series):
                    due += [(at, 3, asset, row) for at, row in self.market.rows(series).between(self.synced, now)]
        for at, _, what, value in sorted(due, key=lambda entry: entry[:2]):
            self.pass_by(pool, at, what, value)

    def pass_by(self, pool, at, what, value):
        lines, venue = self.expected[pool.venue], pool.venue
        book = lambda changes: lines.extend((at, *change, "rebase") for change in changes)
        if what == "rate":
            pool.rate = value
            pool.pool.set_rate(value)
            book(pool.settle())
            self.weigh(at)
        elif what == "tickets":
            pool.finalize(at)
            book(pool.settle())
            for ticket in (t for t in pool.tickets if not t.ready and t.due <= at):
                ticket.ready, paid = True, wei(ticket.booked)
                lines.append((at, f"{venue}.queue", "ETH", -paid, -paid, "transfer"))
                lines.append((at, f"{venue}.claimable", "ETH", paid, paid, "transfer"))
        else:
            start, end, per_eth = value
            whole = int((end - start) / timedelta(microseconds=1)) * 1000
            held = self.history.until(end) - self.history.until(start)
            paid = wei(per_eth * held // (whole * 10**18))
            if paid:
                lines.append((at, f"{venue}.rewards", what, paid, paid, "reward"))

    def weigh(self, at):
        """What counts for EtherFi's rewards from `at` on, in wei of ETH: its token wherever we hold it."""
        pool = self.staking.get("etherfi")
        if not pool:
            return
        held = ZERO
        for (account, item), units in self.audit.units.items():
            asset, sign = plain(item)
            if asset == pool.wrapped and sign > 0 and not account.startswith("in_flight"):
                held += units
        self.history.set(at, pool.pool.worth(int(held.scaleb(18)) + pool.own))

    def own_happening(self, lines):
        """Lines that came about by themselves, against what was expected, in order."""
        check, venue = self.audit.check, lines[0].happening.split(":")[1]
        for line in lines:
            unit_line = line.quantity == line.units or line.quantity == 0
            check("chain: accruals", line.number, "units move with the quantity, or alone", True,
                  unit_line or line.kind == "liquidation")
            check("chain: accruals", line.number, "no instruction is behind it", "", line.row["instruction_id"])
            if not self.market or line.happening.split(":")[2] in ("liquidation", "liquidity"):
                continue
            want = self.expected[venue].pop(0) if self.expected[venue] else None
            if not check("chain: accruals", line.number, f"{line.kind} of {line.key[1]} has a cause", True, want is not None):
                continue
            found = (line.at, *line.key, line.quantity, line.units, line.kind)
            for name, a, b in zip(("instant", "account", "item", "quantity", "units", "kind"), want, found):
                check(f"chain: {want[5]}", line.number, f"{name} of {line.kind} of {want[2]}", a, b)
            check(f"chain: {want[5]}", line.number, f"mark of {want[2]}", self.audit.mark(line.key), line.reference)
        if lines[0].happening.split(":")[2] == "liquidation":
            self.liquidation(lines)
        if lines[0].happening.split(":")[2] == "liquidity":
            trades = sum((line.value for line in lines if line.kind == "trade"), ZERO)
            check("chain: accruals", lines[0].number, "what a pool turned cancels out", ZERO, trades)
            if self.market:
                self.audit.skip(f"ledger.csv line {lines[0].number}: what a pool at {venue} did to liquidity is not "
                                "derived; only its totals are checked")

    def end(self, now):
        """Nothing that was due is left out; what counts for rewards from here on."""
        for venue, left in self.expected.items():
            for entry in left:
                self.audit.check("chain: accruals", "-", f"{entry[5]} of {entry[2]} in {entry[1]} at {entry[0]}", entry[4], "no line")
        if self.market and self.active:
            self.weigh(now)
            self.audit_indices(now)
            self.audit_health(now)

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

    # -- the lending account ----------------------------------------------------------------------------

    def standing(self, now):
        """Collateral, debt and the collateral at its threshold, by the pool's oracle."""
        worth = {"shares": ZERO, "debt": ZERO}
        threshold = borrowable = ZERO
        for (account, item), units in self.audit.units.items():
            side, colon, asset = item.partition(":")
            if account != LENDER or not colon or not units:
                continue
            price = self.market.oracle(asset, now)
            if price is None:
                return None
            worth[side] += units * price
            if side == "shares":
                row = self.market.risk[asset]
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
        if standing and self.liquidated_at != now and not self.is_out("aave"):
            self.audit.check("chain: health", "-", f"{now} the lending account stands above liquidation", True, standing[2] >= standing[1])

    def audit_loan_to_value(self, number, names):
        if not {"borrow", "withdraw"} & set(names) or not self.market:
            return
        standing = self.standing(self.now)
        if not standing or not standing[1]:
            return
        collateral, debt, threshold, borrowable = standing
        self.audit.check("chain: health", number, "the account stands above liquidation after it", True, threshold >= debt)
        if "borrow" in names:
            self.audit.check("chain: health", number, "debt is at most what the pool lends against the collateral", True, debt <= borrowable)
            most = self.config.get("max_ltv")
            if most:
                self.audit.check("chain: health", number, "debt over collateral is at most max_ltv", True, debt <= collateral * Decimal(most))

    def liquidation(self, lines):
        """Below a health factor of one: the debt by its close factor, the collateral for it and the bonus."""
        self.liquidated_at, check, now = self.now, self.audit.check, self.now
        if not self.market:
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
        row = self.market.risk[collateral]
        bonus = Decimal(row["emode_liquidation_bonus" if self.e_mode() and row["emode"] else "liquidation_bonus"])
        bonus = 10000 + int(bonus * 10000)
        prices = [int(self.market.oracle(asset, now).scaleb(8)) for asset in (collateral, debt)]
        units = [10**self.decimals(asset) for asset in (collateral, debt)]
        amount = percent_mul(prices[1] * repaid * units[0] // (prices[0] * units[1]), bonus)
        held = ray_mul(scaled[collateral, "shares"], indices[0])
        if amount > held:
            worth = prices[0] * held * units[1] // (prices[1] * units[0])
            amount, repaid = held, (worth * 10000 + bonus // 2) // bonus
        part = int(self.settings["aave"].get("liquidation_protocol_fee_bps", 1000))
        fee = percent_mul(amount - (amount * 10000 + bonus // 2) // bonus, part)
        seized = ray_div(amount - fee, indices[0])
        moved = seized + min(ray_div(fee, indices[0]), scaled[collateral, "shares"] - seized)
        self.lines, self.wallet, self.topic = [], {}, "liquidation"
        for asset, side, scaled_out, out, index, kind in (
                (collateral, "shares", moved, amount, indices[0], "interest"),
                (debt, "debt", ray_div(repaid, indices[1]), repaid, indices[1], "borrow_cost")):
            item = f"{side}:{asset}"
            self.book("liquidation", LENDER, item, -self.amount(asset, scaled_out), -self.amount(asset, out))
            scaled[asset, side] -= scaled_out
            rest = ray_mul(scaled[asset, side], index) - self.units(side, asset) + out
            if rest:
                self.book(kind, LENDER, item, ZERO, self.amount(asset, rest))
        self.compare(lines)
        for asset in (collateral, debt):
            self.reserves[asset].move_rates(seconds(now), scaled[asset, "shares"], scaled[asset, "debt"])

    # -- transactions --------------------------------------------------------------------------------------

    def transaction(self, lines):
        """The lines of one transaction, from its request."""
        check, first = self.audit.check, lines[0]
        digest = first.happening.partition(":")[2]
        check("chain: transactions", first.number, "a hash is used once", False, digest in self.hashes)
        self.hashes.append(digest)
        order = [int(line.row["cause"].split(":")[2].partition("#")[0]) for line in lines]
        check("chain: transactions", first.number, "its logs are numbered without a gap", list(range(len(lines))), order)
        known = self.requests.pop(digest, None)
        if not check("chain: transactions", first.number, f"{digest} is in executions.csv", True, known is not None):
            return
        number, row = known
        operation = json.loads(row["request"])
        for line in lines:
            check("chain: transactions", line.number, "instruction_id", row["instruction_id"], line.row["instruction_id"])
            check("chain: transactions", line.number, "instant", row["timestamp"], line.row["timestamp"])
            check("chain: transactions", line.number, "it is mined at its step", self.now, line.at)
            check("chain: transactions", line.number, "kind of a transaction's line", True, line.kind in
                  ("trade", "transfer", "fee", "gas", "interest", "borrow_cost", "rebase", "liquidity_fee"))
        worth = sum((line.value for line in lines if line.kind == "trade"), ZERO)
        check("chain: transactions", first.number, "its exchanges cancel out", ZERO, worth)
        check("chain: gas", first.number, "one gas line, the last", ["gas"], [line.kind for line in lines if line.kind == "gas"])
        check("chain: gas", lines[-1].number, "gas is paid last, in ETH of the wallet", ("gas", WALLET, "ETH"),
              (lines[-1].kind, *lines[-1].key))
        (name, body), = operation.items()
        check("executions.csv", number, "operation", name, row["operation"])
        self.audit_loan(number, body if name == "atomic" else [], lines)
        if not self.market:
            return
        try:
            self.derive(number, row, name, body, lines)
        except Unknown as unknown:
            self.audit.skip(f"executions.csv row {number}: {unknown}")

    def audit_loan(self, number, steps, lines):
        """A flash loan goes back whole, with its premium, within the transaction."""
        for step in steps:
            loan = step.get("flash_loan")
            if not loan:
                continue
            moved = [line.units for line in lines if line.kind == "transfer" and line.key == (WALLET, loan["asset"])]
            amount = Decimal(loan["amount"])
            self.audit.check("chain: flash loans", lines[0].number, "the loan comes first", amount, moved[0] if moved else None)
            self.audit.check("chain: flash loans", lines[0].number, "and goes back last", -amount, moved[-1] if moved else None)
            premium = -sum((line.units for line in lines if line.kind == "fee"), ZERO)
            owed, lender = ZERO, step.get("venue")
            if lender == "aave":
                bps = int(self.settings["aave"].get("flash_loan_premium_bps", 5))
                owed = self.amount(loan["asset"], percent_mul(int(amount.scaleb(self.decimals(loan["asset"]))), bps))
            if lender in ("aave", "morpho"):
                self.audit.check("chain: flash loans", lines[0].number, f"premium of {lender}", owed, premium)

    def derive(self, number, row, name, body, lines):
        """Works the request out step by step and compares every line with what must be there."""
        self.lines, self.actual, self.gas_units, self.instruction = [], lines, 0, row["instruction_id"]
        self.topic = "flash loans"
        self.wallet = {item: quantity for (account, item), quantity in self.audit.held.items() if account == WALLET}
        self.extra = defaultdict(Decimal)
        steps, group = (body, True) if name == "atomic" else ([{"venue": row["venue"], name: body}], False)
        gas, loan, names = BASE + CAST, None, []
        for step in steps:
            (operation, ask), = ((k, v) for k, v in step.items() if k not in ("id", "venue"))
            names.append(operation)
            if operation == "flash_loan":
                loan = (ask["asset"], Decimal(ask["amount"]), step.get("venue"))
                self.move(loan[0], loan[1])
                gas += CAST_FLASH_LOAN
                continue
            self.gas_units = 0
            self.operate(step.get("venue") or self.only_venue(operation, ask), operation, ask)
            gas += self.gas_units - BASE + CAST_STEP
        if loan:
            self.topic = "flash loans"
            self.move(loan[0], -loan[1])
            if loan[2] == "aave":
                bps = int(self.settings["aave"].get("flash_loan_premium_bps", 5))
                fee = percent_mul(int(loan[1].scaleb(self.decimals(loan[0]))), bps)
                if fee:
                    self.wallet_line("fee", loan[0], -self.amount(loan[0], fee))
                self.take_back(loan[0], fee)
        self.pay_gas(gas if group else self.gas_units)
        self.compare(lines)
        self.names = names

    def posted(self, number):
        """After the lines are in the books."""
        names, self.names = self.names, []
        self.audit_loan_to_value(number, names)

    def compare(self, lines):
        check = self.audit.check
        for line, want in zip(lines, self.lines):
            found = (*line.key, line.quantity, line.units, line.value, line.kind, line.reference)
            topic = want[5] if want[5] in ("gas", "interest", "borrow_cost", "rebase", "fee") else want[7]
            for name, a, b in zip(("account", "item", "quantity", "units", "value_usd", "kind", "reference_price_usd"), want, found):
                check(f"chain: {topic}", line.number, f"{name} of {want[5]} of {want[1]} ({want[7]})", a, b)
        check("chain: transactions", lines[0].number, "number of lines", len(self.lines), len(lines))

    def only_venue(self, operation, ask):
        if operation in LENDING or operation == "set_e_mode":
            return "aave"
        if operation == "swap":
            named = [venue for venue, pool in POOLS if pool == ask["pool"]]
            return named[0] if len(named) == 1 else None
        assets = {ask.get("asset_in"), ask.get("asset_out")}
        if assets == {"ETH", "WETH"}:
            return "wallet"
        return next((venue for venue, (a, b, _) in STAKING.items() if assets & {a, b}), None)

    def operate(self, venue, operation, ask):
        self.topic = "swaps" if operation == "swap" else "lending" if operation in LENDING else "staking"
        if operation in LENDING and venue == "aave":
            return self.lend(operation, ask)
        if operation == "set_e_mode" and venue == "aave":
            self.category, self.gas_units = int(ask["category"]), GAS["set_e_mode"]
            return None
        if operation == "swap":
            return self.swap(venue, ask)
        if operation in ("wrap", "unwrap") and venue == "wallet":
            self.gas_units = GAS[f"weth_{operation}"]
            amount = self.asked(ask["asset_in"], ask["amount"])
            return self.exchange(ask["asset_in"], amount, ask["asset_out"], amount)
        if venue in self.staking:
            self.audit.check("chain: staking", self.actual[0].number, f"{venue} is not out", False, self.is_out(venue))
            return getattr(self, f"do_{operation}")(self.staking[venue], ask)
        raise Unknown(f"{operation} at {venue} is not derived; only its totals are checked")

    # lines

    def price(self, asset):
        return self.audit.mark((WALLET, asset))

    def add(self, account, item, quantity, units, value, kind):
        asset, _ = plain(item)
        self.lines.append((account, item, quantity, units, value, kind, self.price(asset), self.topic_of(kind)))
        if account == WALLET and asset == item:
            self.wallet[item] = self.wallet.get(item, ZERO) + quantity

    def topic_of(self, kind):
        return kind if kind == "gas" else self.topic

    def wallet_line(self, kind, asset, amount):
        self.add(WALLET, asset, amount, amount, quantized(amount * self.price(asset)), kind)

    def move(self, asset, amount):
        self.wallet_line("transfer", asset, amount)

    def book(self, kind, account, item, quantity, units):
        asset, sign = plain(item)
        self.add(account, item, quantity, units, sign * quantized(units * self.price(asset)), kind)

    def asked(self, asset, amount):
        return self.wallet.get(asset, ZERO) if amount == "all" else exactly(amount)

    def exchange(self, given, amount, taken, received):
        worth = quantized(amount * self.price(given))
        self.add(WALLET, given, -amount, -amount, -worth, "trade")
        self.add(WALLET, taken, received, received, worth, "trade")

    def pay_gas(self, units):
        found = self.market.newest("gas.ethereum.gwei", self.now)
        self.audit.check("chain: gas", self.actual[-1].number, "a gas price was recorded and fresh", "fresh", found and found[2])
        if found:
            self.wallet_line("gas", "ETH", -quantized(units * found[0] / 10**9, 18, ROUND_CEILING))

    # lending

    def lend(self, operation, ask):
        self.gas_units = GAS[operation]
        asset, at = ask["asset"], seconds(self.now)
        if asset not in self.reserves:
            raise Unknown(f"{asset} is no reserve that was recorded")
        reserve, unit = self.reserves[asset], self.decimals(asset)
        side = "shares" if operation in ("supply", "withdraw") else "debt"
        item, leaves = f"{side}:{asset}", operation in ("withdraw", "repay")
        scaled = {s: self.scaled(s, asset) + self.extra[s, asset, "scaled"] for s in ("shares", "debt")}
        before = self.units(side, asset) + self.extra[side, asset, "units"]
        reserve.update(at, scaled["debt"])
        balance = reserve.balance(side, scaled[side], at)
        if operation == "supply":
            amount = int(self.asked(asset, ask["amount"]).scaleb(unit))
        elif ask["amount"] == "all":
            amount = balance
        else:
            amount = int(exactly(ask["amount"]).scaleb(unit))
            amount = min(amount, balance) if operation == "repay" else amount
        moved = ray_div(amount, reserve.index(side, at))
        sign = -1 if leaves else 1
        paid = self.amount(asset, amount)
        if operation in ("supply", "repay"):
            self.wallet_line("transfer", asset, -paid)
        self.book("transfer", LENDER, item, sign * self.amount(asset, moved), sign * paid)
        scaled[side] += sign * int(moved)
        after = reserve.balance(side, int(scaled[side]), at)
        rest = after - before - sign * amount
        if rest:
            self.book("interest" if side == "shares" else "borrow_cost", LENDER, item, ZERO, self.amount(asset, rest))
        self.extra[side, asset, "scaled"] += sign * int(moved)
        self.extra[side, asset, "units"] += sign * amount + rest
        reserve.move_rates(at, int(scaled["shares"]), int(scaled["debt"]))
        if operation in ("withdraw", "borrow"):
            self.wallet_line("transfer", asset, paid)

    def take_back(self, asset, premium):
        """The lender shares the premium among its suppliers, us included."""
        if asset not in self.reserves:
            raise Unknown(f"{asset} is no reserve that was recorded")
        reserve, at = self.reserves[asset], seconds(self.now)
        scaled = {s: int(self.scaled(s, asset) + self.extra[s, asset, "scaled"]) for s in ("shares", "debt")}
        reserve.share_premium(at, premium, scaled["shares"], scaled["debt"])
        rest = reserve.balance("shares", scaled["shares"], at) - self.units("shares", asset) - self.extra["shares", asset, "units"]
        if rest:
            self.book("interest", LENDER, f"shares:{asset}", ZERO, self.amount(asset, rest))
            self.extra["shares", asset, "units"] += rest

    # swaps

    def pool(self, venue, name):
        own = dict((self.settings.get(venue) or {}).get("pools") or {}).get(name) or {}
        default = POOLS.get((venue, name), (None, None, None, None))
        if own.get("model", "bars") != "bars":
            raise Unknown(f"pool {name} of {venue} is given by its state")
        fee = int(own.get("fee", default[2]))
        number = lambda key, other: Decimal(str(own.get(key, other)))
        return {"series": own.get("series", default[0]), "assets": tuple(own.get("assets") or default[1]),
                "fee": -(-fee // FEE_UNIT[venue]), "impact": own.get("impact", "constant_product"),
                "depth": number("depth", default[3] or 0), "impact_bps": number("impact_bps", 10),
                "impact_max_bps": number("impact_max_bps", 500), "volume": own.get("volume", "usd")}

    def swap(self, venue, ask):
        self.gas_units = GAS[f"{venue}_swap"]
        pool, amount = self.pool(venue, ask["pool"]), self.asked(ask["asset_in"], ask["amount_in"])
        mid, volume, state, known = self.market.pool_price(pool["series"], self.now)
        line = self.actual[min(len(self.lines), len(self.actual) - 1)].number
        check = self.audit.check
        check("chain: swaps", line, f"no swap at a price of {pool['series']} that is too old", True, state in ("fresh", "proxied"))
        if volume and pool["impact"] == "sqrt_impact" and pool["volume"] == "usd":
            volume = volume / self.price(pool["assets"][1])
        decimals = tuple(self.decimals(asset) for asset in pool["assets"])
        # Our own swaps move a pool until its series shows the next value.
        place, moved = (venue, ask["pool"]), None
        if place in self.moved and self.moved[place][0] == (known, mid):
            _, volume, moved = self.moved[place]
        out, moved = bar_swap(pool, mid, volume, decimals, ask["asset_in"] == pool["assets"][0], amount, moved)
        self.moved[place] = (known, mid), volume, moved
        check("chain: swaps", line, "the least that was asked for", True, out >= Decimal(ask["minimum_out"]))
        self.exchange(ask["asset_in"], amount, ask["asset_out"], out)

    # staking

    def gas_of(self, venue, *words):
        self.gas_units += sum(GAS[f"{venue}_{word}"] - BASE for word in words) + BASE

    def settle_in(self, pool):
        for change in pool.settle():
            self.book("rebase", *change)

    def shares_line(self, pool, moved, worth):
        self.add(WALLET, f"shares:{pool.rebasing}", *moved, worth, "trade")

    def do_stake(self, pool, ask):
        amount = self.asked("ETH", ask["amount"])
        units = int(amount.scaleb(18))
        if ask["asset_out"] == pool.wrapped:
            self.gas_of(pool.venue, "stake", "wrap")
            self.exchange("ETH", amount, pool.wrapped, wei(pool.stake_wrapped(units)))
        else:
            self.gas_of(pool.venue, "stake")
            worth = quantized(amount * self.price("ETH"))
            self.add(WALLET, "ETH", -amount, -amount, -worth, "trade")
            self.shares_line(pool, pool.shift(pool.pool.deposit(units)), worth)
        self.settle_in(pool)

    def rebasing(self, pool, amount):
        return pool.units if amount == "all" else int(exactly(amount).scaleb(18))

    def do_wrap(self, pool, ask):
        self.gas_of(pool.venue, "wrap")
        minted = pool.pool.to_shares(self.rebasing(pool, ask["amount"]))
        moved = pool.shift(-minted)
        worth = quantized(moved[1] * self.price(pool.rebasing))
        self.shares_line(pool, moved, worth)
        self.add(WALLET, pool.wrapped, wei(minted), wei(minted), -worth, "trade")
        self.settle_in(pool)

    def do_unwrap(self, pool, ask):
        self.gas_of(pool.venue, "unwrap")
        amount = self.asked(pool.wrapped, ask["amount"])
        worth = quantized(amount * self.price(pool.wrapped))
        self.add(WALLET, pool.wrapped, -amount, -amount, -worth, "trade")
        arrived = pool.pool.to_shares(pool.pool.worth(int(amount.scaleb(18))))
        self.shares_line(pool, pool.shift(arrived), worth)
        self.settle_in(pool)

    def do_unstake(self, pool, ask):
        """Joins the queue: a claim in ETH of a fixed amount, that waits for the delay of the settings."""
        requests = []
        if ask["asset_in"] == pool.wrapped:
            self.gas_units += GAS[f"{pool.venue}_unwrap"] - BASE
            amount = self.asked(pool.wrapped, ask["amount"])
            rest, taken = int(amount.scaleb(18)), 0
            whole = pool.pool.to_shares(LIDO_REQUEST_MAX) if pool.venue == "lido" else rest
            while rest:
                part = min(rest, whole)
                returned = pool.pool.worth(part)
                if pool.venue == "lido" and returned < LIDO_REQUEST_MIN:
                    break
                requests.append((returned, pool.pool.to_shares(returned)))
                rest, taken = rest - part, taken + part
            worth = quantized(wei(taken) * self.price(pool.wrapped))
            self.add(WALLET, pool.wrapped, -wei(taken), -wei(taken), -worth, "trade")
        else:
            rest = self.rebasing(pool, ask["amount"])
            whole = LIDO_REQUEST_MAX if pool.venue == "lido" else rest
            while rest >= (LIDO_REQUEST_MIN if pool.venue == "lido" else 1):
                part = min(rest, whole)
                requests.append((part, pool.pool.to_shares(part)))
                rest -= part
            moved = pool.shift(-sum(shares for _, shares in requests))
            worth = -quantized(moved[1] * self.price(pool.rebasing))
            self.shares_line(pool, moved, -worth)
        self.gas_of(pool.venue, *["request"] * len(requests))
        ticket = Ticket(self.instruction, requests, self.now + pool.delay, 0)
        ticket.booked = pool.worth(ticket)
        claim = wei(ticket.booked)
        self.add(f"{pool.venue}.queue", "ETH", claim, claim, worth, "trade")
        known = next((t for t in pool.tickets if t.instruction == self.instruction), None)
        if known:
            known.requests += requests
            known.final += [None] * len(requests)
            known.booked += ticket.booked
        else:
            pool.tickets.append(ticket)
        self.settle_in(pool)

    def do_claim_unstake(self, pool, ask):
        """Pays every ticket that has left the queue, or the one that is named."""
        named = ask.get("ticket")
        ready = [t for t in pool.tickets if t.ready and (named is None or t.instruction == str(named))]
        line = self.actual[0].number
        self.audit.check("chain: tickets", line, "a ticket has left the queue", True, bool(ready))
        count, account = sum(len(ticket.requests) for ticket in ready), f"{pool.venue}.claimable"
        self.gas_of(pool.venue, *["claim"] * count)
        for ticket in ready:
            self.audit.check("chain: tickets", line, "not before its delay", True, self.now >= ticket.due)
            pool.tickets.remove(ticket)
            paid = 0
            for (amount, shares), final in zip(ticket.requests, ticket.final):
                claim = self.pay_claim(pool, amount, shares, final)
                paid += claim
            if paid != ticket.booked:
                self.book("rebase", account, "ETH", wei(paid - ticket.booked), wei(paid - ticket.booked))
            self.book("transfer", account, "ETH", -wei(paid), -wei(paid))
            self.wallet_line("transfer", "ETH", wei(paid))
        self.settle_in(pool)

    def pay_claim(self, pool, amount, shares, final):
        if pool.venue == "lido":
            return final
        paid = pool.claim_of(amount, shares)
        pool.pool.burn(-(-paid * pool.pool.shares // pool.pool.ether), paid)
        return paid

    def do_claim_rewards(self, pool, ask):
        self.gas_units = GAS["king_claim"] + GAS["king_unwrap"] - BASE
        account, self.topic = f"{pool.venue}.rewards", "rewards"
        for asset in PROGRAMS:
            waiting = self.audit.held[account, asset]
            if waiting and ask.get("asset") in (None, asset):
                self.book("transfer", account, asset, -waiting, -waiting)
                self.wallet_line("transfer", asset, waiting)
