"""The lines of ledger.csv, and what holds of them without anything else."""

from collections import defaultdict
from decimal import Decimal

from amounts import ONE, ZERO, instant, rounded
from items import DOLLARS, REBASING, instrument_of, is_position, plain

KIND_BUCKET = {"fee": "fees", "funding": "funding", "interest": "interest", "rebase": "staking_yield",
               "borrow_cost": "borrow_cost", "reward": "rewards", "liquidity_fee": "liquidity_fees", "gas": "gas",
               "transfer_cost": "transfer_cost", "liquidation": "liquidation", "write_off": "liquidation"}
OWN = ("accrual", "reward", "redemption", "lending_liquidation", "other")
KINDS = set(KIND_BUCKET) | {"trade", "realized_pnl", "transfer", "deposit", "withdrawal"}


class Line:
    """One ledger line."""

    def __init__(self, number, row):
        self.number, self.row = number, row
        self.at = instant(row["timestamp"])
        self.key = (row["account"], row["item"])
        self.quantity, self.value = Decimal(row["quantity"]), Decimal(row["value_usd"])
        self.asset, sign = plain(row["item"])
        self.units = Decimal(row["units"])
        self.signed = sign * self.units  # below zero for what is owed
        self.reference, self.kind = Decimal(row["reference_price_usd"]), row["kind"]
        self.event, _, index = row["cause"].rpartition("#")
        self.index = int(index)  # which of the event's lines
        word, _, rest = self.event.partition(":")
        self.word = self.topic = word
        self.instrument = self.venue = None
        if word == "fill":
            # fill:ACCOUNT:INSTRUMENT:TRADE:SIDE. Without an order of ours behind it the exchange closed by force.
            self.instrument = instrument_of(rest.partition(":")[2], 2)
            self.word = self.topic = "fill" if row["instruction_id"] else "forced"
        elif word == "transfer":  # transfer:INSTRUCTION:STAGE
            self.word = "sent" if rest.rpartition(":")[2] in ("sent", "moved") else "arrived"
        elif word in OWN:
            # Of what came about by itself on chain: interest, staking, a pool that a price moved, or a liquidation.
            self.word, self.venue = "own", row["account"].partition(".")[0]
            if self.venue == "wallet":
                self.venue = REBASING.get(self.asset, self.venue)
            pool = word == "accrual" and rest.split(":")[1] == "pool"  # accrual:ACCOUNT:pool:ITEM:BEFORE:AFTER
            self.topic = "liquidity" if pool else "liquidation" if word == "lending_liquidation" else word


def audit_ledger(audit):
    """Checks every line by itself; returns the step that each belongs to."""
    causes, held, stood_for = {}, defaultdict(Decimal), defaultdict(Decimal)
    legs = defaultdict(Decimal)
    step, step_of, turned = 0, [], set()
    for index, line in enumerate(audit.ledger):
        row = line.row
        audit.check("ledger.csv", line.number, "seq", index, int(row["seq"]))
        audit.check("ledger.csv", line.number, "cause is unique", None, causes.get(row["cause"]))
        causes[row["cause"]] = f"also on row {line.number}"
        audit.check("ledger.csv", line.number, "kind is known", True, line.kind in KINDS)
        while step < len(audit.steps) and audit.steps[step] < line.at:
            step += 1
        if audit.transfers.at_once(line) and audit.steps[step:step + 1] == [line.at]:
            step += 1
        step_of.append(step)
        if line.kind != "trade":
            worth = rounded(line.signed * line.reference)
            audit.check("ledger.csv", line.number, "value = units x reference price", worth, line.value)
        elif line.instrument and line.instrument.split(":")[1] == "spot":
            legs[line.event, line.number - line.index] += line.value
        item = row["item"]
        decimals = audit.rules.decimals(line.key[0].split(".")[0], line.asset)
        if decimals is not None:
            unit = Decimal(1).scaleb(-decimals)
            if item == line.asset:
                audit.check("ledger.csv", line.number, "quantity in units of the asset", ZERO, line.quantity % unit)
            audit.check("ledger.csv", line.number, "units in units of the asset", ZERO, line.units % unit)
        if item == line.asset or is_position(item):
            audit.check("ledger.csv", line.number, "what is not scaled stands for itself", line.quantity, line.units)
        stood_for[line.key] += line.units
        if line.asset in DOLLARS:
            audit.check("ledger.csv", line.number, "reference price of a dollar", ONE, line.reference)
        held[line.key] += line.quantity
        whole = index + 1 == len(audit.ledger) or audit.ledger[index + 1].event != line.event
        settled = []
        if item.startswith("liquidity:"):
            # What a pool turns of one asset into another within a transaction may come after what it paid.
            turned.add(line.key)
        elif (whole or line.word == "transaction") and not is_position(item):
            settled.append(line.key)
        if whole:
            settled += sorted(turned)
            turned.clear()
        for account, item in settled:
            audit.check("ledger.csv", line.number, f"{item} in {account} is not below zero",
                        True, audit.borrowing.lends(account, item) or held[account, item] >= 0 and stood_for[account, item] >= 0)
    for (event, first), total in legs.items():
        audit.check("ledger.csv", first, f"legs of {event} cancel out", ZERO, total)
    audit.check("ledger.csv", len(audit.ledger) + 1, "every line lies within the run", True,
               not step_of or step_of[-1] < len(audit.steps))
    return step_of
