"""Money on its way: transfers between accounts, deposits and withdrawals."""

from collections import defaultdict
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal

from amounts import ZERO, instant, iso, rounded
from items import DOLLARS


class Transfers:
    """What left an account, and what came in from outside."""

    def __init__(self, audit):
        self.audit, self.check = audit, audit.check
        # What left, by instruction: its instant, and whether the settings have it come back.
        self.left = {line.event.split(":")[1]: line.at for line in audit.ledger if line.word == "sent"}
        self.returning = set(self.failing())
        self.gas = {}  # ETH per unit of gas and dollars per ETH, by step

    def note_gas(self, now):
        """What gas costs at a step, where a run reads it: the price of ETH is that of its pool where nothing else is."""
        audit = self.audit
        if not audit.market or "gas.ethereum.gwei" not in audit.chain.covered:
            return
        found = audit.chain.market.newest("gas.ethereum.gwei", now)
        if not found or found[2] not in ("fresh", "proxied"):
            return
        pool = audit.market.series.get("dex.uniswap.WETHUSDT_3000")
        ether = audit.market.reference.mark if audit.base == "ETH" else pool and pool.mark
        self.gas[now] = (found[0], ether)

    def wallet_fee(self, row, at):
        """Gas of a transfer out of the wallet, in what is sent; the flat fee where that is not known."""
        gwei, ether = self.gas.get(at, (None, None))
        asset = row["asset"]
        if gwei is None or asset != "ETH" and (asset not in DOLLARS or ether is None):
            return Decimal(row["fee"])
        gas = rounded((21_000 if asset == "ETH" else 51_700) * gwei / 10**9, 18, ROUND_CEILING)
        if asset == "ETH":
            return gas
        return rounded(rounded(gas * ether, mode=ROUND_CEILING), int(row["decimals"]), ROUND_CEILING)

    def failing(self):
        """Transfers that `transfer_failures` has come back to their sender. Those that it has refused were
        counted by their venue too, and are in no table."""
        settings, counted = self.audit.config.get("venue_settings") or {}, defaultdict(int)
        for _, row in self.audit.executions:
            if not row["transfer_asset"]:
                continue
            venue, ident = row["from_account"].split(".")[0], row["instruction_id"]
            stages = {("nth", int(f["nth"])) if "nth" in f else ("instruction", int(f["instruction"])): f["stage"]
                      for f in (settings.get(venue) or {}).get("transfer_failures") or []}
            counted[venue] += 1
            while stages.get(("nth", counted[venue])) == "rejected":
                counted[venue] += 1
            stage = stages.get(("nth", counted[venue])) or stages.get(("instruction", int(ident.rpartition("-")[2])))
            if stage == "returned":
                yield ident

    def at_once(self, line):
        """Whether a line is of a transfer without delay that came back: its venue finds it at the next step."""
        return line.event.endswith(":returned") and self.left.get(line.event.split(":")[1]) == line.at

    def audit_transfers(self):
        """What left arrives, whole and in time, or comes back with its fee; nothing is lost on the way."""
        audit = self.audit
        orders = {row["instruction_id"]: (n, row) for n, row in audit.executions if row["transfer_asset"]}
        out, back = defaultdict(list), defaultdict(list)
        for line in audit.ledger:
            if line.word in ("sent", "arrived"):
                (out if line.word == "sent" else back)[line.event.split(":")[1]].append(line)
        for number, row in orders.values():
            self.check("executions.csv", number, "a transfer leaves its account", True, row["instruction_id"] in out)
        flying, end = defaultdict(Decimal), audit.steps[-1]
        for ident, lines in out.items():
            first, known = lines[0], orders.get(ident)
            if not self.check("ledger.csv", first.number, f"transfer {ident} is in executions.csv", True, known is not None):
                continue
            row = known[1]
            asset, amount = row["transfer_asset"], Decimal(row["transfer_amount"])
            source, target = row["from_account"], row["to_account"]
            venues = {account.split(".")[0] for account in (source, target)}
            if not self.check("executions.csv", known[0], "both venues have rules", True, venues <= set(audit.rules.venues)):
                continue
            fee, delay = self.route(known[0], source, target, asset, amount, first.at)
            if source.startswith("wallet.") and not audit.market and "gas.ethereum.gwei" in audit.chain.covered:
                # Gas has no file: what was paid is as stated.
                fee = -sum((line.quantity for line in lines if line.kind == "transfer_cost"), ZERO)
            self.check("executions.csv", known[0], "instant", first.at, instant(row["timestamp"]))
            arrival = back.pop(ident, [])
            returns = ident in self.returning
            at_once = source.split(".")[0] == target.split(".")[0] and not delay and not returns
            landing = target if at_once else "in_flight.main"
            stage = "moved" if at_once else "sent"
            self.check("ledger.csv", first.number, f"stage of transfer {ident}", f"transfer:{ident}:{stage}", first.event)
            self.check("executions.csv", known[0], "status", "settled" if at_once else "pending", row["status"])
            price = first.reference
            self.audit_price(first, (source, asset), first.at)
            expected = [(source, asset, -amount, rounded(-amount * price), "transfer", price)]
            if fee:
                expected.append((source, asset, -fee, rounded(-fee * price), "transfer_cost", price))
            expected.append((landing, asset, amount, rounded(amount * price), "transfer", price))
            audit.compare(lines, expected, ident)
            if at_once:
                self.check("ledger.csv", first.number, f"transfer {ident} arrives once", 0, len(arrival))
                continue
            due = first.at + delay
            if due > end or returns and not delay and due == end:
                self.check("ledger.csv", first.number, f"transfer {ident} is still in flight", 0, len(arrival))
                flying[asset] += amount
                continue
            if not self.check("ledger.csv", first.number, f"transfer {ident} arrives by {iso(due)}", True, bool(arrival)):
                continue
            price, place = arrival[0].reference, source if returns else target
            self.audit_price(arrival[0], (place, asset), due)
            stage = "returned" if returns else "credited"
            self.check("ledger.csv", arrival[0].number, f"end of transfer {ident}", f"transfer:{ident}:{stage}", arrival[0].event)
            self.check("ledger.csv", arrival[0].number, f"arrival of transfer {ident}", due, arrival[0].at)
            expected = [("in_flight.main", asset, -amount, rounded(-amount * price), "transfer", price),
                        (place, asset, amount, rounded(amount * price), "transfer", price)]
            if returns and fee:
                expected.append((place, asset, fee, rounded(fee * price), "transfer_cost", price))
            audit.compare(arrival, expected, ident)
        for ident, lines in back.items():
            self.check("ledger.csv", lines[0].number, f"transfer {ident} that arrives has left", True, False)
        for (account, item), quantity in audit.held.items():
            if account == "in_flight.main":
                self.check("ledger.csv", "end", f"{item} in flight", flying[item], quantity)

    def audit_price(self, line, key, at):
        """What moves is valued at the mark of that instant, where a bar of its own shows one."""
        audit = self.audit
        name = audit.series_of(key)
        if not audit.market or audit.rated(key):
            return
        if name is None:
            self.check("ledger.csv", line.number, "a dollar is a dollar", Decimal(1), line.reference)
            return
        series = audit.market.series[name]
        newest = next((bars.newest(at, audit.market.age_max) for bars in (series.own, series.proxy) if bars), None)
        if newest:
            self.check("ledger.csv", line.number, f"mark of {key[1]} at {iso(at)}", newest[0], line.reference)

    def route(self, number, source, target, asset, amount, at):
        """Fee and delay of a transfer by the rules of the sending venue."""
        audit = self.audit
        venue, rules = source.split(".")[0], audit.rules.at(source.split(".")[0], at)
        moves = rules["transfers"]
        if venue == target.split(".")[0]:
            internal = moves.get("internal") or {}
            return Decimal(internal.get("fee") or 0), timedelta(seconds=int(internal.get("delay_seconds") or 0))
        row = next((w for w in moves["withdrawals"] if w["asset"] == asset), None)
        if not self.check("executions.csv", number, f"{asset} can leave {venue}", True, row is not None):
            return ZERO, timedelta(0)
        if audit.market:
            closed = audit.market.shocks.is_halted(venue, at) or audit.market.shocks.is_out(venue, at)
            self.check("executions.csv", number, f"withdrawals from {venue} are open", False, closed)
        self.check("executions.csv", number, "amount is at least the minimum", True, amount >= Decimal(row["minimum"]))
        self.check("executions.csv", number, "amount has the decimals allowed", ZERO,
                   amount % Decimal(1).scaleb(-int(row["decimals"])))
        receives = audit.rules.decimals(target.split(".")[0], asset)
        self.check("executions.csv", number, "amount has the decimals the receiver keeps", ZERO,
                   amount % Decimal(1).scaleb(-receives))
        for venue, place in ((venue, source), (target.split(".")[0], target)):
            gate = f"{venue}.{audit.rules.at(venue, at)['accounts']['deposit']}"
            self.check("executions.csv", number, f"account for money over the border of {venue}", gate, place)
        fee = self.wallet_fee(row, at) if source.startswith("wallet.") else Decimal(row["fee"])
        return fee, timedelta(seconds=int(row["delay_seconds"]))

    def audit_flows(self):
        """Every scheduled flow comes in full, once; a withdrawal is paid in parts, and what is left of it may be refused,
        with what there was."""
        audit = self.audit
        flows = [(instant(row["at"]), sign * Decimal(row["amount"])) for key, sign in (("deposits", 1), ("withdrawals", -1))
                 for row in audit.config.get(key) or []]
        flows.sort(key=lambda flow: flow[0])
        first = audit.steps[0]
        flows = [(first, Decimal(audit.config["initial_capital"]), 0)] + [(*flow, n) for n, flow in enumerate(flows, 1)]
        refused = [(instant(row["at"]), Decimal(row["asked"]), row) for row in audit.summary["refused_withdrawals"]]
        unpaid = [(instant(row["at"]), Decimal(row["asked"]), Decimal(row["paid"]))
                  for row in audit.summary["unpaid_withdrawals"]]
        booked = {line.event: line for line in audit.ledger if line.word == "capital_flow"}
        for at, amount, number in flows:
            name = f"capital_flow:{iso(at)}:{number}"
            lines = [booked.pop(name, None)]
            while lines[-1]:
                lines.append(booked.pop(f"{name}:{len(lines)}", None))
            lines.pop()
            paid = sum((line.quantity for line in lines), ZERO)
            where = lines[0].number if lines else "-"
            rest = paid - amount
            row = next((r for r in refused if r[:2] == (at, rest)), None) if amount < 0 and rest > 0 else None
            for line in lines:
                kind = "deposit" if amount > 0 else "withdrawal"
                self.check("ledger.csv", line.number, f"kind of the flow of {iso(at)}", kind, line.kind)
                self.check("ledger.csv", line.number, f"flow of {iso(at)} is not early", True, line.at >= at)
            if row:
                refused.remove(row)
                self.check("summary.json", "refused_withdrawals", f"less was there than asked on {iso(at)}", True,
                           Decimal(row[2]["available"]) < rest)
            elif amount > 0 or rest <= 0:
                self.check("ledger.csv", where, f"amount of the flow of {iso(at)}", amount, paid)
                self.check("ledger.csv", where, f"parts of the deposit of {iso(at)}", True, amount < 0 or len(lines) == 1)
            else:
                row = (at, -amount, -paid)
                self.check("summary.json", "unpaid_withdrawals", f"withdrawal of {iso(at)}", True, row in unpaid)
                unpaid = [other for other in unpaid if other != row]
        self.check("summary.json", "unpaid_withdrawals", "rows that were paid", [], [iso(row[0]) for row in unpaid])
        self.check("summary.json", "refused_withdrawals", "rows that nothing asked for", [], [iso(r[0]) for r in refused])
        self.check("ledger.csv", "-", "flows that nobody scheduled", [], sorted(booked))
