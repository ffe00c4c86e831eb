"""The dated rules of the venues: the snapshots under `rules` of config.yaml."""

from datetime import datetime, timezone
from decimal import ROUND_CEILING, Decimal

from amounts import ONE, ZERO, rounded


class Rules:
    def __init__(self, tree):
        self.venues = {}
        self.kept = {}  # decimals by venue and asset
        self.cache = {}
        for venue, file in tree.items():
            rows = sorted(file["snapshots"], key=lambda row: row["effective_from"])
            self.venues[venue] = rows
            for row in rows:
                for asset in row.get("assets") or []:
                    self.kept.setdefault((venue, asset["asset"]), int(asset["decimals"]))

    def decimals(self, venue, asset):
        """With which a venue keeps an asset: by its own rules, else as the chain does; None where nobody says so.

        On the way between two venues an amount has at most what the finer one keeps."""
        if ("decimals", venue, asset) not in self.cache:
            of_asset = {name: decimals for (name, known), decimals in self.kept.items() if known == asset}
            other = of_asset.get("wallet", next(iter(of_asset.values()), None))
            finest = max(of_asset.values(), default=None)
            self.cache["decimals", venue, asset] = finest if venue == "in_flight" else of_asset.get(venue, other)
        return self.cache["decimals", venue, asset]

    def at(self, venue, at):
        """The newest snapshot in force; before the first one, the first."""
        day = at.date()
        if (venue, day) not in self.cache:
            rows = self.venues[venue]
            in_force = [row for row in rows if row["effective_from"][:10] <= day.isoformat()]
            self.cache[venue, day] = in_force[-1] if in_force else rows[0]
        return self.cache[venue, day]

    def fee_rate(self, venue, kind, liquidity, at):
        return Decimal(self.at(venue, at)["fees"][kind][f"{liquidity}_bps"]) / 10000

    def instrument(self, venue, kind, symbol, at):
        """Filters in base units: what the venue counts in contracts is multiplied out."""
        snapshot = self.at(venue, at)
        known = (venue, snapshot["effective_from"], kind, symbol)
        if known in self.cache:
            return self.cache[known]
        for row in snapshot["instruments"]:
            if (row["kind"], row["symbol"]) == (kind, symbol):
                size = Decimal(row["contract_size"]) if kind == "perp" else ONE
                out = dict(row)
                for key in ("lot_size", "min_quantity", "max_quantity", "max_market_quantity"):
                    out[key] = Decimal(row[key]) * size
                out["tick_size"] = Decimal(row["tick_size"])
                if row.get("price_unit") == "contract":
                    out["tick_size"] = rounded(out["tick_size"] / size)
                out["min_notional"] = Decimal(row.get("min_notional") or 0)
                out["contract_size"] = size
                out["steps"] = [(Decimal(tier["up_to"]), Decimal(tier["maintenance_margin_rate"]), Decimal(tier.get("deduction") or 0))
                                for tier in row.get("tiers") or []]
                self.cache[known] = out
                return out
        raise KeyError(f"config.yaml: no rules for {venue}:{kind}:{symbol}")

    def listed(self, venue, kind, symbol, at):
        """As `instrument`; None where no rules list it."""
        try:
            return self.instrument(venue, kind, symbol, at)
        except KeyError:
            return None

    def interval_hours(self, venue, symbol, at):
        """The hours between settlements of a perp; 8 where no rules list it."""
        try:
            funding = self.instrument(venue, "perp", symbol, at).get("funding") or {}
        except KeyError:
            return 8
        return int(funding.get("interval_hours", 8))

    def settlements(self, venue, symbol, since, until):
        """Every settlement in (since, until], each by the snapshot in force at its own instant."""
        hour = (int(since.timestamp()) // 3600 + 1) * 3600
        while hour <= until.timestamp():
            at = datetime.fromtimestamp(hour, timezone.utc)
            funding = self.instrument(venue, "perp", symbol, at).get("funding") or {}
            interval, anchor = int(funding.get("interval_hours", 8)), int(funding.get("anchor_hour_utc", 0))
            if (hour // 3600 - anchor) % interval == 0:
                yield at
            hour += 3600

    def maintenance(self, key, quantity, mark, at):
        """Maintenance margin: notional x rate of its tier - deduction, each rounded up."""
        gross, deduction = self.maintenance_parts(key, quantity, mark, at)
        return gross - deduction

    def maintenance_parts(self, key, quantity, mark, at):
        """What moves with the price, and the deduction that does not."""
        rules = self.instrument(*key, at)
        notional = rounded(abs(quantity) * mark, mode=ROUND_CEILING)
        measure = notional
        if rules.get("tier_unit") == "contracts":
            measure = abs(quantity) / rules["contract_size"]
        steps = rules["steps"]
        _, rate, deduction = next((step for step in steps if measure <= step[0]), steps[-1])
        gross = rounded(notional * rate, mode=ROUND_CEILING)
        return gross, ZERO if rules.get("tier_method") == "whole" else deduction
