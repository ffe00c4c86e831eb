"""What happens on chain, derived anew: accrued interest, staking, rewards, and every transaction.

A step begins with what comes about by itself (`begin`); then each transaction is worked out from its
request in executions.csv (`transaction`), line by line. State that only the protocols know (indices,
pools, tickets) is kept here; what we hold is read from the ledger before each event.
"""

import json
from collections import defaultdict
from decimal import ROUND_CEILING, Decimal

from amounts import ZERO, rounded
from chain_data import ChainMarket
from items import plain
from lending import LENDING, Lending
from morpho import Morpho
from operations import BASE, CAST, CAST_FLASH_LOAN, CAST_STEP, GAS, WALLET, Unknown, exactly
from pools import Pools
from protocols import percent_mul
from staking import STAKING, Staking
from swaps import POOLS, Swaps

VENUES = {"aave", "morpho", "lido", "etherfi", "uniswap", "curve", "instadapp"}


class Chain:
    """The transactions of a run, and the protocols as far as they are derived."""

    def __init__(self, audit):
        self.audit, self.config = audit, audit.config
        self.covered = [row["series"] for row in audit.summary["coverage"]]
        self.market = ChainMarket(audit.market, self.covered) if audit.market else None
        settings = audit.config.get("venue_settings") or {}
        self.settings = {venue: settings.get(venue) or {} for venue in VENUES}
        self.requests = {row["transaction"]: (number, row) for number, row in audit.executions if row.get("transaction")}
        self.lending, self.staking, self.swaps, self.pools = Lending(self), Staking(self), Swaps(self), Pools(self)
        self.morpho = Morpho(self)
        self.synced, self.expected, self.hashes = None, defaultdict(list), []
        self.active = bool(VENUES & set(settings))
        self.names = []

    def is_out(self, venue):
        return self.market.market.shocks.is_out(venue, self.now)

    def decimals(self, asset):
        return self.audit.rules.decimals("wallet", asset)

    def amount(self, asset, units):
        return Decimal(units).scaleb(-self.decimals(asset))

    def begin(self, now):
        """Rows that became known, and the lines they must leave in this step."""
        self.now, self.expected = now, defaultdict(list)
        if not self.market or not self.active:
            return
        self.lending.accrue(now)
        for venue in STAKING:
            if venue in self.config["venue_settings"]:
                self.staking.advance_pool(venue, now)
        self.pools.follow()
        self.morpho.begin(now)
        self.synced = now

    def own_event(self, lines):
        """Lines that came about by themselves, against what was expected, in order."""
        check, venue, topic = self.audit.check, lines[0].venue, lines[0].topic
        for line in lines:
            unit_line = line.quantity == line.units or line.quantity == 0
            check("chain: accruals", line.number, "units move with the quantity, or alone", True,
                  unit_line or line.kind in ("liquidation", "write_off"))
            check("chain: accruals", line.number, "no instruction is behind it", "", line.row["instruction_id"])
            if not self.market or topic in ("liquidation", "liquidity"):
                continue
            want = self.expected[venue].pop(0) if self.expected[venue] else None
            if not check("chain: accruals", line.number, f"{line.kind} of {line.key[1]} has a cause", True, want is not None):
                continue
            found = (line.at, *line.key, line.quantity, line.units, line.kind)
            for name, a, b in zip(("instant", "account", "item", "quantity", "units", "kind"), want, found):
                check(f"chain: {want[5]}", line.number, f"{name} of {line.kind} of {want[2]}", a, b)
            check(f"chain: {want[5]}", line.number, f"mark of {want[2]}", self.audit.mark(line.key), line.reference)
        if topic == "liquidation" and self.market:
            (self.morpho.liquidated if venue == "morpho" else self.lending.liquidation)(lines)
        if topic == "liquidity":
            trades = sum((line.value for line in lines if line.kind == "trade"), ZERO)
            check("chain: accruals", lines[0].number, "what a pool turned cancels out", ZERO, trades)
            self.pools.followed(lines)

    def end(self, now):
        """Nothing that was due is left out; what counts for rewards from here on."""
        for venue, left in self.expected.items():
            for entry in left:
                self.audit.check("chain: accruals", "-", f"{entry[5]} of {entry[2]} in {entry[1]} at {entry[0]}", entry[4], "no line")
        if self.market and self.active:
            self.staking.weigh(now)
            self.lending.audit_indices(now)
            self.lending.audit_health(now)
            self.pools.end()
            self.morpho.end()

    def transaction(self, lines):
        """The lines of one transaction, from its request."""
        check, first = self.audit.check, lines[0]
        _, digest, *stage = first.event.split(":")
        check("chain: transactions", first.number, "it is mined, and never was taken out of the chain", ["0", "mined"], stage)
        check("chain: transactions", first.number, "a hash is used once", False, digest in self.hashes)
        self.hashes.append(digest)
        order = [line.index for line in lines]
        check("chain: transactions", first.number, "its changes are numbered without a gap", list(range(len(lines))), order)
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
        steps = body if name == "atomic" else [{"venue": row["venue"], name: body}]
        if not self.market:
            for step in steps:
                self.audit.leave_out(f"{self.operation_of(step)[0]} at {step.get('venue') or 'no named venue'}")
            return
        try:
            self.morpho.sync(self.now)
            self.derive(row["instruction_id"], steps, name == "atomic", lines)
        except Unknown as unknown:
            self.audit.leave_out(str(unknown))
            self.lose(steps, str(unknown))

    def operation_of(self, step):
        """The operation of a step and what it asks for."""
        found, = ((key, ask) for key, ask in step.items() if key not in ("id", "venue"))
        return found

    def lose(self, steps, why):
        """The pools of the steps that were not worked out are not known any more."""
        for step in steps[self.done:]:
            operation, ask = self.operation_of(step)
            if "pool" in ask:
                self.pools.lose(step.get("venue") or self.only_venue(operation, ask), ask["pool"], why)

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
                owed = max(owed, self.flash_loan_fee(loan["asset"], amount, lines[0].at))
                self.audit.check("chain: flash loans", lines[0].number, f"fee of a loan of {lender}", owed, premium)

    def flash_loan_fee(self, asset, amount, at):
        """The least that a loan costs within a group: a dated rule of the venue that runs it, rounded up to the unit."""
        if "instadapp" not in self.audit.rules.venues:
            return ZERO
        bps = (self.audit.rules.at("instadapp", at).get("fees") or {}).get("flash_loan_bps", 0)
        return rounded(amount * Decimal(bps) / 10000, self.decimals(asset), ROUND_CEILING)

    def derive(self, instruction, steps, group, lines):
        """Works the request out step by step and compares every line with what must be there."""
        self.lines, self.actual, self.gas_units, self.instruction = [], lines, 0, instruction
        self.topic = "flash loans"
        self.wallet = {item: quantity for (account, item), quantity in self.audit.held.items() if account == WALLET}
        self.lending.extra = defaultdict(Decimal)
        gas, loan, names = BASE + CAST, None, []
        for self.done, step in enumerate(steps):
            operation, ask = self.operation_of(step)
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
            fee = self.flash_loan_fee(loan[0], loan[1], self.now)
            if loan[2] == "aave":
                bps = int(self.settings["aave"].get("flash_loan_premium_bps", 5))
                premium = percent_mul(int(loan[1].scaleb(self.decimals(loan[0]))), bps)
                self.lending.take_back(loan[0], premium)
                fee = max(fee, self.amount(loan[0], premium))
            if fee:
                self.wallet_line("fee", loan[0], -fee)
        self.pay_gas(gas if group else self.gas_units)
        self.compare(lines)
        self.names = names

    def posted(self, number):
        """After the lines are in the books."""
        names, self.names = self.names, []
        self.lending.audit_loan_to_value(number, names)

    def compare(self, lines):
        check = self.audit.check
        for line, want in zip(lines, self.lines):
            found = (*line.key, line.quantity, line.units, line.value, line.kind, line.reference)
            topic = want[5] if want[5] in ("gas", "interest", "borrow_cost", "rebase", "fee", "liquidity_fee") else want[7]
            for name, a, b in zip(("account", "item", "quantity", "units", "value_usd", "kind", "reference_price_usd"), want, found):
                check(f"chain: {topic}", line.number, f"{name} of {want[5]} of {want[1]} ({want[7]})", a, b)
        check("chain: transactions", lines[0].number, "number of lines", len(self.lines), len(lines))

    def only_venue(self, operation, ask):
        if operation in LENDING or operation == "set_e_mode":
            return "aave" if ask.get("market") is None else "morpho"
        if "pool" in ask:
            named = [venue for venue, pool in POOLS if pool == ask["pool"]]
            return named[0] if len(named) == 1 else self.pools.venue_of(ask["pool"])
        assets = {ask.get("asset_in"), ask.get("asset_out")}
        if assets == {"ETH", "WETH"}:
            return "wallet"
        return next((venue for venue, (a, b, _) in STAKING.items() if assets & {a, b}), None)

    def operate(self, venue, operation, ask):
        self.topic = "swaps" if operation == "swap" else "lending" if operation in LENDING else "staking"
        if operation in LENDING and venue == "aave":
            return self.lending.lend(operation, ask)
        if operation in LENDING and venue == "morpho":
            return self.morpho.operate(operation, ask)
        if operation == "set_e_mode" and venue == "aave":
            self.lending.category, self.gas_units = int(ask["category"]), GAS["set_e_mode"]
            return None
        if self.pools.takes(venue, operation, ask):
            return self.pools.operate(venue, operation, ask)
        if operation == "swap":
            return self.swaps.swap(venue, ask)
        if operation in ("wrap", "unwrap") and venue == "wallet":
            self.gas_units = GAS[f"weth_{operation}"]
            amount = self.asked(ask["asset_in"], ask["amount"])
            return self.exchange(ask["asset_in"], amount, ask["asset_out"], amount)
        if venue in self.staking.venues:
            self.audit.check("chain: staking", self.actual[0].number, f"{venue} is not out", False, self.is_out(venue))
            return self.staking.operate(venue, operation, ask)
        raise Unknown(f"{operation} at {venue}")

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
        self.add(WALLET, asset, amount, amount, rounded(amount * self.price(asset)), kind)

    def move(self, asset, amount):
        self.wallet_line("transfer", asset, amount)

    def book(self, kind, account, item, quantity, units):
        asset, sign = plain(item)
        self.add(account, item, quantity, units, sign * rounded(units * self.price(asset)), kind)

    def asked(self, asset, amount):
        return self.wallet.get(asset, ZERO) if amount == "all" else exactly(amount)

    def exchange(self, given, amount, taken, received):
        worth = rounded(amount * self.price(given))
        self.add(WALLET, given, -amount, -amount, -worth, "trade")
        self.add(WALLET, taken, received, received, worth, "trade")

    def pay_gas(self, units):
        found = self.market.newest("gas.ethereum.gwei", self.now)
        self.audit.check("chain: gas", self.actual[-1].number, "a gas price was recorded and fresh", "fresh", found and found[2])
        if found:
            self.wallet_line("gas", "ETH", -rounded(units * found[0] / 10**9, 18, ROUND_CEILING))
