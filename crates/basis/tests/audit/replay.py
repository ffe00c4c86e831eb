"""The walk through the steps: holdings, positions.csv, equity.csv and the buckets of the attribution."""

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

from amounts import ONE, ZERO, iso, rounded
from items import DOLLARS, contract, is_position
from ledger import KIND_BUCKET

BUCKETS = ("price", "basis", "funding", "interest", "borrow_cost", "staking_yield", "rewards",
           "liquidity_fees", "slippage", "fees", "gas", "transfer_cost", "liquidation")
TOLERANCE = Decimal("1e-9")  # of equity, for sums of many rounded products
OPENING = timedelta(microseconds=1)  # how `instant` reads the nanosecond after a step, when the next bar opens


class Replay:
    """Posts the ledger step by step, each event checked before it is posted."""

    def __init__(self, audit):
        self.audit, self.check = audit, audit.check
        self.totals, self.peg_before = defaultdict(Decimal), ZERO

    def replay(self):
        """Walks the steps; checks positions.csv, equity.csv, funding and fills on the way."""
        audit = self.audit
        audit.fills.read()
        positions = defaultdict(dict)
        for number, row in audit.table("positions.csv"):
            where = positions[row["timestamp"]]
            self.check("positions.csv", number, "one row per holding", False, (row["account"], row["item"]) in where)
            where[row["account"], row["item"]] = (number, row)
        if audit.market:
            named = {audit.series_of(line.key) for line in audit.ledger} - {None}
            audit.market.want(named | {name.replace("mark.", "perp.", 1) for name in named})
            audit.market.want(name for name in audit.chain.covered if name.startswith(("dex.", "peg.")))
        opening, before, next_line = None, ZERO, 0
        for index, (number, now, row) in enumerate(audit.equity):
            if audit.market:
                audit.market.advance(now)
            audit.now, audit.index = now, index
            audit.transfers.note_gas(now)
            buckets = defaultdict(Decimal)
            events = []
            while next_line < len(audit.ledger) and audit.step_of[next_line] <= index:
                events.append(self.lines_of_event(next_line))
                next_line += len(events[-1])
            # What filled when the bar opened is held at the funding instants within it, at every venue.
            for lines in filter(self.at_opening, events):
                self.post_event(lines, buckets)
            audit.chain.begin(now)
            audit.funding.expect_funding(now)
            audit.borrowing.begin(now)
            judged = False
            for lines in events:
                if not self.at_opening(lines):
                    if not judged and self.is_act(lines[0]):
                        audit.borrowing.close()
                        audit.risk.judge()
                        audit.triggers.judge(now)
                        judged = True
                    self.post_event(lines, buckets)
            audit.funding.report_unbooked()
            audit.borrowing.close()
            audit.chain.end(now)
            if not judged:
                audit.risk.judge()
                audit.triggers.judge(now)
            held = positions.pop(iso(now), {})
            equity = self.audit_positions(now, held)
            opening = self.audit_equity(number, row, equity, before, opening, buckets)
            audit.risk.close_step(now, held, Decimal(row["net_delta_base"]))
            audit.exits.close_step(number, row, now, index, equity, held)
            before = equity
        for stamp, rows in positions.items():
            self.check("positions.csv", min(n for n, _ in rows.values()), f"{stamp} is a step", True, False)

    def is_act(self, line):
        """Whether the strategy or risk did it at this step, after risk had judged."""
        if line.word == "fill":
            fill = self.audit.fills.by_event.get(line.event)
            return fill is not None and fill[1]["action"] != "late_fill"
        return line.word in ("transaction", "sent")

    def at_opening(self, lines):
        audit = self.audit
        return audit.index > 0 and lines[0].word == "fill" and lines[0].at == audit.steps[audit.index - 1] + OPENING

    def lines_of_event(self, first):
        """The lines of one event, from its first on."""
        audit = self.audit
        lines = [audit.ledger[first]]
        for index in range(first + 1, len(audit.ledger)):
            if audit.ledger[index].event != lines[0].event:
                break
            lines.append(audit.ledger[index])
        return lines

    def post_event(self, lines, buckets):
        """Posts the lines of one event, checked against what should have happened."""
        audit = self.audit
        word = lines[0].word
        audit.borrowing.before(lines)
        if word == "fill":
            audit.fills.audit_trade(lines)
        elif word == "funding":
            audit.funding.audit_funding(lines)
        elif word == "forced":
            audit.fills.audit_liquidation(lines)
        elif word == "transaction":
            audit.chain.transaction(lines)
        elif word == "own" and not audit.borrowing.charged(lines):
            audit.chain.own_event(lines)
        for line in lines:
            audit.held[line.key] += line.quantity
            audit.units[line.key] += line.units
            if is_position(line.key[1]) and line.kind == "trade":
                audit.cost[line.key] += line.value
            if line.kind == "realized_pnl":
                audit.cost[line.key[0], line.instrument] += line.value
            if line.kind == "trade":
                buckets["slippage"] += rounded(line.signed * line.reference) - line.value
            elif line.kind in KIND_BUCKET:
                buckets[KIND_BUCKET[line.kind]] += line.value
            elif line.kind in ("deposit", "withdrawal"):
                buckets["external_flow"] += line.value
            if audit.market and audit.series_of(line.key):
                # What the mark has moved since the line, within the step: of a fill at the bar's open the
                # part that the reference moved is known, else all of it counts as the reference's.
                moved = audit.mark(line.key) - line.reference
                if self.at_opening(lines):
                    reference = audit.market.reference.mark - audit.market.reference.open
                    buckets["basis"] += rounded(line.signed * (moved - reference))
                    moved = reference
                buckets["price"] += rounded(line.signed * moved)
        if word == "transaction":
            audit.chain.posted(lines[0].number)
        if word == "fill" and not self.at_opening(lines):
            audit.borrowing.filled(lines)

    def audit_positions(self, now, rows):
        """Holdings, marks and margins of the step; returns equity, or None without marks."""
        audit = self.audit
        file, equity = "positions.csv", ZERO
        expected = {key: q for key, q in audit.held.items() if q or audit.units[key] or audit.cost[key]}
        balance, needed = defaultdict(Decimal), defaultdict(Decimal)
        for key, quantity in expected.items():
            account, item = key
            if key not in rows:
                self.check(file, "-", f"{iso(now)} {account} {item}", quantity, "no row")
            number, row = rows.get(key, ("-", {}))
            mark = audit.mark(key) if audit.market else Decimal(row.get("mark_price_usd") or 0)
            value = rounded(audit.signed_units(key) * mark) - audit.cost[key]
            equity += value
            if item in DOLLARS or is_position(item):
                balance[account] += value
            if is_position(item):
                needed[account] += audit.rules.maintenance(contract(item), quantity, mark, now)
            if not row:
                continue
            self.check(file, number, f"quantity of {item} in {account}", quantity, Decimal(row["quantity"]))
            self.check(file, number, f"units of {item} in {account}", audit.units[key], Decimal(row["units"]))
            self.check(file, number, f"mark of {item}", mark, Decimal(row["mark_price_usd"] or 0))
            self.check(file, number, f"value of {item} in {account}", value, Decimal(row["value_usd"] or 0))
            state = audit.mark_state(key)
            if state:
                self.check(file, number, f"state of the mark of {item}", state, row["mark_state"])
            cost = Decimal(row["open_cost_usd"]) if row["open_cost_usd"] else ZERO
            self.check(file, number, f"open cost of {item}", audit.cost[key], cost)
        shown = set()
        for key, (number, row) in rows.items():
            if row["margin_balance_usd"]:
                account = key[0]
                shown.add(account)
                self.check(file, number, f"margin balance of {account}", balance[account], Decimal(row["margin_balance_usd"]))
                self.check(file, number, f"maintenance margin of {account}", needed[account], Decimal(row["maintenance_margin_usd"]))
            if key not in expected and (key[0] not in needed or Decimal(row["quantity"])):
                self.check(file, number, f"{key[1]} in {key[0]}", "no row", row["quantity"])
        self.check(file, "-", f"{iso(now)} accounts with a margin", sorted(needed), sorted(shown))
        for account, margin in needed.items():
            if audit.market and audit.market.shocks.is_out(account.split(".")[0], now):
                continue  # an exchange that is out liquidates nothing before it is back
            self.check(file, "-", f"{iso(now)} {account} stands above its maintenance margin", True, balance[account] > margin)
        return equity

    def audit_equity(self, number, row, equity, before, opening, buckets):
        audit = self.audit
        file = "equity.csv"
        flow = buckets.pop("external_flow", ZERO)
        self.audit_peg(number, row, equity, flow)
        self.check(file, number, "equity = sum of holdings at their marks", equity, Decimal(row["equity_usd"]))
        self.check(file, number, "external flow", flow, Decimal(row["external_flow_usd"]))
        share = equity
        reference = Decimal(row["reference_price_usd"])
        if audit.config["share_class"] not in DOLLARS:
            share = rounded(equity / reference)
        self.check(file, number, "equity in the share class", share, Decimal(row["equity_share_class"]))
        held = {key: audit.signed_units(key) for key, units in audit.units.items() if audit.series_of(key)}
        deltas = audit.deltas()
        if deltas:
            self.check(file, number, "net delta", deltas[0], Decimal(row["net_delta_base"]))
        exact = list(BUCKETS)
        if audit.market:
            self.check(file, number, "reference price", audit.market.reference.mark, reference)
            if opening:
                self.market_moves(opening, buckets)
        else:
            by_marks = ("price", "basis", "staking_yield")
            exact = [b for b in BUCKETS if b not in by_marks]
            for bucket in by_marks:
                buckets[bucket] = Decimal(row[bucket])
        for bucket in exact:
            self.check(file, number, f"bucket {bucket}", buckets[bucket], Decimal(row[bucket]))
        for bucket in BUCKETS:
            self.totals[bucket] += Decimal(row[bucket])
        residual = equity - before - flow - sum((buckets[b] for b in BUCKETS), ZERO)
        self.totals["residual"] += Decimal(row["residual"])
        self.check(file, number, "residual", residual, Decimal(row["residual"]))
        self.check(file, number, "residual is rounding", ZERO, residual, TOLERANCE * max(abs(equity), ONE))
        if audit.market:
            marks = {key: (q, audit.delta(key, q), audit.market.series[audit.series_of(key)].mark, audit.rate(key)[0])
                     for key, q in held.items() if q}
            return marks, audit.market.reference.mark
        return None

    def audit_peg(self, number, row, equity, flow):
        """What the dollar token's price in dollars adds to a step; `row` is left in tokens, with the dollars beside."""
        audit, file = self.audit, "equity.csv"
        name = f"peg.usd.{audit.dollar}USD"
        read = name in audit.chain.covered
        self.check(file, number, "a price of the dollar token where a series is read", read, row["peg_price_usd"] != "")
        price = Decimal(row["peg_price_usd"] or 1)
        if audit.market and read:
            mark = audit.market.series[name].mark
            self.check(file, number, "price of the dollar token", ONE if mark is None else mark, price)
        above = lambda tokens: rounded(tokens * (price - 1))
        value, more = above(equity), above(flow)
        self.check(file, number, "bucket peg", value - self.peg_before - more, Decimal(row["peg"]))
        self.totals["peg"] += Decimal(row["peg"])
        self.peg_before = value
        row["in_dollars"] = (row["equity_usd"], row["external_flow_usd"], row["exit_value_usd"])
        for column, change in (("equity_usd", value), ("external_flow_usd", more), ("exit_value_usd", value)):
            row[column] = str(Decimal(row[column]) - change)

    def market_moves(self, opening, buckets):
        """price = delta at the start x move of the reference; basis = what marks moved beyond it."""
        audit = self.audit
        marks, reference = opening
        move = audit.market.reference.mark - reference
        buckets["price"] += rounded(sum((delta for _, delta, _, _ in marks.values()), ZERO) * move)
        for key, (units, delta, mark, rate) in marks.items():
            now = audit.market.series[audit.series_of(key)].mark
            buckets["basis"] += rounded(delta * (now - mark - move))
            after, _, grows = audit.rate(key)
            if after != rate:
                bucket = "staking_yield" if grows else "basis"
                buckets[bucket] += rounded(units * rounded(now * (after - rate)))
