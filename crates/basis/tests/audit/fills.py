"""Fills: price, filters, fee and ledger lines, from the order, the rules and the market."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from amounts import ONE, ZERO, instant, iso, rounded, to_step
from config_file import dig
from items import contract
from market import impact_bps

ACTIONS = ("entry_full", "entry_partial", "exit_full", "exit_partial", "sell_dust", "late_fill")


class Fills:
    """Orders that filled, by the event of their lines, and forced closes."""

    def __init__(self, audit):
        self.audit, self.check = audit, audit.check
        self.next_open = audit.config.get("fill_at") == "next_open"
        # Orders whose fill was not known yet when they were sent.
        self.sent = {row["instruction_id"]: instant(row["timestamp"]) for _, row in audit.executions
                     if row["status"] == "pending" and row["operation"] in ("spot_trade", "perp_trade")}
        self.by_event, self.known = {}, set()
        self.taken = {}  # of the newest bar, by instrument
        self.rested = set()  # orders that a bar has filled in part or whole

    def read(self):
        """Fills of executions.csv by the event of their lines."""
        fills, known, file = self.by_event, set(), "executions.csv"
        for number, row in self.audit.executions:
            self.check(file, number, "action is known", True, row["action"] in ACTIONS)
            self.check(file, number, "status is known", True, row["status"] in ("settled", "open", "pending"))
            if row["transfer_asset"]:
                self.check(file, number, "operation", "transfer", row["operation"])
                self.check(file, number, "venue", row["from_account"].split(".")[0], row["venue"])
            if row["instrument"]:
                venue, kind, _ = contract(row["instrument"])
                late = row["action"] == "late_fill"
                self.check(file, number, "venue", venue, row["venue"])
                self.check(file, number, "operation", kind if late else f"{kind}_trade", row["operation"])
                self.check(file, number, "side is known", True, row["side"] in ("buy", "sell"))
                if not self.check(file, number, "liquidity is known", True, row["liquidity"] in ("maker", "taker")):
                    continue
                trade = (row["instrument"], row["trade_id"])
                self.check("executions.csv", number, "trade id is unique", False, trade in known)
                known.add(trade)
                account = self.account(venue, kind, instant(row["timestamp"]))
                event = f"fill:{account}:{':'.join(trade)}:{row['side']}"
                fills[event] = (number, row)
                self.known.add(event)

    def audit_trade(self, lines):
        """The lines of a fill follow from the fill; the fill follows from market and rules."""
        audit = self.audit
        first = lines[0]
        fill = self.by_event.pop(first.event, None)
        if not self.check("ledger.csv", first.number, f"{first.event} is in executions.csv", True, fill is not None):
            return
        number, row = fill
        venue, kind, symbol = contract(row["instrument"])
        rules = audit.rules.instrument(venue, kind, symbol, first.at)
        sign = 1 if row["side"] == "buy" else -1
        quantity, price, mark = (Decimal(row[c]) for c in ("quantity_base", "price_quote", "mark_price_quote"))
        for line in lines:
            self.check("executions.csv", number, "instant", line.row["timestamp"], row["timestamp"])
        self.audit_instant(number, row, first.at)
        self.audit_price(number, row, rules, sign, quantity, price, mark)
        rate = audit.rules.fee_rate(venue, kind, row["liquidity"], first.at)
        self.check("executions.csv", number, f"{row['liquidity']} fee rate of {venue} {kind}", rate, Decimal(row["fee_rate"]))
        make = self.spot_lines if kind == "spot" else self.perp_lines
        expected, fee, fee_asset = make(venue, row["instrument"], rules, sign * quantity, price, mark, rate, first.at)
        self.check("executions.csv", number, "fee asset", fee_asset, row["fee_asset"])
        self.check("executions.csv", number, "fee = turnover x rate, rounded up", fee, Decimal(row["fee"]))
        audit.compare(lines, expected, row["instruction_id"])
        if kind == "perp":
            decimals = audit.rules.decimals(venue, rules["quote"])
            realized = self.realized(first.key[0], first.key[1], sign * quantity, price, decimals)
            audit.risk.fill(*first.key, sign * quantity, price, realized, fee, decimals)
        slippage = sum((rounded(line.quantity * line.reference) - line.value
                        for line in lines if line.kind == "trade"), ZERO)
        self.check("executions.csv", number, "slippage", slippage, Decimal(row["slippage_usd"]))

    def audit_slippage(self):
        """Of a transaction the column is that of its lines, and with what pools did by themselves it adds up."""
        audit, file = self.audit, "executions.csv"
        by_hash, beside = {}, ZERO
        for line in audit.ledger:
            if line.kind != "trade":
                continue
            lost = rounded(line.units * line.reference) - line.value
            if line.word == "transaction":
                digest = line.event.split(":")[1]
                by_hash[digest] = by_hash.get(digest, ZERO) + lost
            elif line.event not in self.known:
                beside += lost
        column = ZERO
        for number, row in audit.executions:
            if row["slippage_usd"]:
                column += Decimal(row["slippage_usd"])
            if row["transaction"]:
                stated = Decimal(row["slippage_usd"]) if row["slippage_usd"] else None
                self.check(file, number, "slippage of its transaction", by_hash.get(row["transaction"]), stated)
        self.check(file, "end", "slippage, and that of no instruction of ours, adds up to the bucket",
                   audit.replay.totals["slippage"], column + beside)

    def audit_instant(self, number, row, at):
        """An order fills at the step that decided it, or with `next_open` when the bar after it opens."""
        audit = self.audit
        if row["liquidity"] == "maker":
            return
        late = row["action"] == "late_fill"
        self.check("executions.csv", number, "an order that takes fills late only at the next open", self.next_open, late)
        if not late:
            self.check("executions.csv", number, "an order that takes fills at its step", audit.now, at)
            return
        before = audit.steps[audit.index - 1] if audit.index else None
        self.check("executions.csv", number, "the order was sent at the step before", before, self.sent.get(row["instruction_id"]))
        stamp = before and f"{iso(before)[:-1]}.000000001Z"
        self.check("executions.csv", number, "it fills just after that step", stamp, row["timestamp"])

    def audit_price(self, number, row, rules, sign, quantity, price, mark):
        """Filters, and the price from mark, slippage model and tick."""
        audit = self.audit
        what = f"{row['side']} {row['instrument']}"
        self.check("executions.csv", number, f"{what}: multiple of the lot", ZERO, quantity % rules["lot_size"])
        # The last part of a resting order may be less than an order may be.
        is_rest, maker = row["instruction_id"] in self.rested, row["liquidity"] == "maker"
        self.check("executions.csv", number, f"{what}: at least the minimum", True, is_rest or quantity >= rules["min_quantity"])
        self.check("executions.csv", number, f"{what}: at most the maximum", True, quantity <= rules["max_quantity"])
        self.check("executions.csv", number, f"{what}: multiple of the tick", ZERO, price % rules["tick_size"])
        venue, kind, symbol = contract(row["instrument"])
        closes = sign * audit.held[self.account(venue, "perp"), row["instrument"]] < 0
        reduces = closes if kind == "perp" else sign < 0
        series = audit.market.series[f"{kind}.{venue}.{symbol}"] if audit.market else None
        opening = series and self.next_open and row["liquidity"] == "taker"
        # Of its own bar an order at the next open sees nothing but that open.
        seen = series.seen[0] if opening else series.mark if series else mark
        if not is_rest and not (kind == "perp" and closes):  # exchanges waive the floor for what only closes
            self.check("executions.csv", number, f"{what}: notional at least the minimum", True,
                       quantity * seen >= rules["min_notional"])
        if not audit.market:
            return
        marked = audit.market.series[audit.market.marked_by(series.name)]
        self.check("executions.csv", number, f"{what}: mark", marked.open if opening else marked.mark, mark)
        if opening:
            self.check("executions.csv", number, f"{what}: the bar opens where it was decided",
                       audit.steps[audit.index - 1], series.opened)
        self.check("executions.csv", number, f"{what}: no order on a held mark", True, series.state in ("fresh", "proxied"))
        settings = dig(audit.config, "venue_settings", venue, default={})
        if maker:
            through = series.low < price if sign > 0 else series.high > price
            self.check("executions.csv", number, f"{what}: the bar traded through the limit", True, through)
            self.rested.add(row["instruction_id"])
            bars = series.bars(series.state, audit.now)
            self.participation(number, what, settings, ((venue, kind, symbol), bars.known_at), bars, quantity, reduces)
            return
        model = settings.get("slippage") or "sqrt_impact"
        bars = series.bars(*series.seen[1:]) if opening else series.bars(series.state, audit.now)
        taken = self.participation(number, what, settings, ((venue, kind, symbol), bars.known_at), bars, quantity, reduces)
        bps = ZERO if model == "none" else Decimal(settings.get("slippage_bps") or 1)
        if model == "sqrt_impact":
            bps += impact_bps(bars, taken, Decimal(settings.get("impact") or 1))
        against = ROUND_CEILING if sign > 0 else ROUND_FLOOR
        traded = series.open if opening else series.mark
        expected = to_step(rounded(traded * (1 + sign * bps / 10000), mode=against), rules["tick_size"], against)
        self.check("executions.csv", number, f"{what}: price = mark with {model} slippage, on the tick", expected, price)

    def participation(self, number, what, settings, bar, bars, quantity, reduces):
        """What our orders have taken of the newest bar with this one: no more than the settings allow."""
        key, known_at = bar
        before = self.taken.get(key)
        taken = quantity + (before[1] if before and before[0] == known_at else ZERO)
        self.taken[key] = (known_at, taken)
        share = settings.get("max_participation") or "0.05"
        if share != "none":
            share = min(Decimal(share) * (4 if reduces else 1), ONE)
            most = rounded(bars.last_volume * share, mode=ROUND_FLOOR)
            self.check("executions.csv", number, f"{what}: takes at most {share} of the bar's {bars.last_volume}", True, taken <= most)
        return taken

    def account(self, venue, use, at=None):
        accounts = self.audit.rules.at(venue, at or self.audit.now)["accounts"]
        return f"{venue}.{accounts.get(use) or accounts['deposit']}"

    def spot_lines(self, venue, _, rules, signed, price, mark, rate, at):
        audit = self.audit
        base, quote = rules["base"], rules["quote"]
        account = self.account(venue, "spot")
        mode = ROUND_CEILING if signed > 0 else ROUND_FLOOR
        turnover = rounded(rounded(abs(signed) * price, mode=mode), audit.rules.decimals(venue, quote), mode)
        paid = turnover if signed > 0 else -turnover
        in_base = signed > 0 and (audit.rules.at(venue, at)["fees"].get("spot_buy_fee_asset") or "base") == "base"
        asset, amount, reference = (base, signed, mark) if in_base else (quote, turnover, ONE)
        fee = rounded(rounded(amount * rate, mode=ROUND_CEILING), audit.rules.decimals(venue, asset), ROUND_CEILING)
        lines = [(account, base, signed, paid, "trade", mark), (account, quote, -paid, -paid, "trade", ONE)]
        if fee:
            lines.append((account, asset, -fee, rounded(-fee * reference), "fee", reference))
        return lines, fee, asset

    def perp_lines(self, venue, item, rules, signed, price, mark, rate, at):
        quote = rules["quote"]
        account = self.account(venue, "perp")
        decimals = self.audit.rules.decimals(venue, quote)
        turnover = rounded(abs(signed) * price, mode=ROUND_CEILING)
        fee = rounded(rounded(turnover * rate, mode=ROUND_CEILING), decimals, ROUND_CEILING)
        lines = [(account, item, signed, rounded(signed * price), "trade", mark)]
        realized = self.realized(account, item, signed, price, decimals)
        if realized:
            lines.append((account, quote, realized, realized, "realized_pnl", ONE))
        if fee:
            lines.append((account, quote, -fee, -fee, "fee", ONE))
        return lines, fee, quote

    def realized(self, account, item, signed, price, decimals):
        """Result of the part that closes: price less average cost, rounded down, against us."""
        held, cost = self.audit.held[account, item], self.audit.cost[account, item]
        if held * signed >= 0:
            return ZERO
        after = held + signed
        crosses = after * held < 0
        opened = rounded(after * price) if crosses else ZERO
        kept = ZERO if crosses or after == 0 else rounded(cost * after / held)
        return rounded(kept + opened - cost - rounded(signed * price), decimals, ROUND_FLOOR)

    def audit_liquidation(self, lines):
        """A forced close: all or a part of the position, at a price of the bar, with the fee of the rules."""
        audit = self.audit
        first = lines[0]
        account, item = first.key
        held = audit.held[first.key]
        if first.quantity == -held:
            audit.funding.due = {name: key for name, key in audit.funding.due.items() if key != first.key}
        venue, kind, symbol = contract(item)
        rules = audit.rules.instrument(venue, kind, symbol, first.at)
        price = first.reference
        decimals = audit.rules.decimals(venue, rules["quote"])
        closes = first.quantity * held < 0 and abs(first.quantity) <= abs(held)
        self.check("ledger.csv", first.number, "a liquidation closes the position or a part of it", True, closes)
        self.check("ledger.csv", first.number, "value", rounded(first.quantity * price), first.value)
        realized = self.realized(account, item, first.quantity, price, decimals)
        booked = sum((line.quantity for line in lines if line.kind == "realized_pnl"), ZERO)
        self.check("ledger.csv", first.number, "realized result", realized, booked)
        full = rounded(rounded(abs(first.quantity) * price, mode=ROUND_CEILING)
                       * Decimal(rules["liquidation_fee_bps"]) / 10000, decimals, ROUND_CEILING)
        fee = -sum((line.quantity for line in lines if line.kind == "liquidation" and line.quantity < 0), ZERO)
        self.check("ledger.csv", first.number, "liquidation fee is at most that of the rules", True, fee <= full)
        audit.risk.paid(item, realized - fee, first.quantity == -held)
        if audit.market:
            series = audit.market.series[audit.series_of(first.key)]
            low, high = series.low - rules["tick_size"], series.high + rules["tick_size"]
            self.check("ledger.csv", first.number, "closing price lies in the bar", True, low <= price <= high)
