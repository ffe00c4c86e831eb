"""Liquid staking: rates, queues and rewards as time passes, and every operation."""

from datetime import timedelta
from decimal import Decimal

from amounts import ZERO, rounded
from chain_data import RAY
from items import plain
from operations import BASE, GAS, WALLET, exactly
from protocols import StakePool

STAKING = {"etherfi": ("eETH", "weETH", 168), "lido": ("stETH", "wstETH", 72)}  # rebasing, wrapped, hours in the queue
LIDO_REQUEST_MAX, LIDO_REQUEST_MIN = 1000 * 10**18, 100
PROGRAMS = {"EIGEN": "reward_rate.etherfi.EIGEN", "ETHFI": "reward_top_up.etherfi.ETHFI"}


def wei(value):
    return Decimal(value).scaleb(-18)


class Ticket:
    def __init__(self, instruction, requests, due, wei):
        self.instruction, self.requests, self.due = instruction, requests, due
        self.booked, self.ready, self.final = wei, False, [None] * len(requests)


class StakingVenue:
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


class Staking:
    """All staking protocols of a run, and what counts for their rewards."""

    def __init__(self, chain):
        self.chain, self.audit = chain, chain.audit
        self.venues, self.history = {}, History()

    def advance_pool(self, venue, now):
        """A staking protocol: rates, tickets and rewards since the step before, in the order of their time."""
        chain = self.chain
        name = f"staking_rate.{venue}.{STAKING[venue][1]}_ETH"
        found = chain.market.newest(name, now) if name in chain.covered else None
        if not found:
            return
        if venue not in self.venues:
            hours = int(chain.settings[venue].get("queue_delay_hours") or STAKING[venue][2])
            self.venues[venue] = StakingVenue(venue, found[0], timedelta(hours=hours))
            self.venues[venue].rate = found[0]
            return
        pool, due = self.venues[venue], []
        rows = chain.market.rows(name)
        due += [(at, 0, "rate", rate) for at, rate in (rows.between(chain.synced, now) if rows else [])]
        if found[2] == "proxied" and found[0] != (due[-1][3] if due else pool.rate):
            due.append((max(found[1], chain.synced), 0, "rate", found[0]))
        if not chain.is_out(venue):
            # What was due while the protocol was out leaves the queue at the first step after.
            due += [(ticket.due if ticket.due > chain.synced else now, 2, "withdrawal requests", ticket)
                    for ticket in pool.tickets if not ticket.ready and ticket.due <= now]
        if venue == "etherfi":
            for asset, series in PROGRAMS.items():
                if series in chain.covered and chain.market.rows(series):
                    due += [(at, 3, asset, row) for at, row in chain.market.rows(series).between(chain.synced, now)]
        for at, _, what, value in sorted(due, key=lambda entry: entry[:2]):
            self.pass_by(pool, at, what, value)

    def pass_by(self, pool, at, what, value):
        lines, venue = self.chain.expected[pool.venue], pool.venue
        book = lambda changes: lines.extend((at, *change, "rebase") for change in changes)
        if what == "rate":
            pool.rate = value
            pool.pool.set_rate(value)
            book(pool.settle())
            self.weigh(at)
        elif what == "withdrawal requests":
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
        pool = self.venues.get("etherfi")
        if not pool:
            return
        held = ZERO
        for (account, item), units in self.audit.units.items():
            asset, sign = plain(item)
            if asset == pool.wrapped and sign > 0 and not account.startswith("in_flight"):
                held += units
        self.history.set(at, pool.pool.worth(int(held.scaleb(18)) + pool.own))

    def operate(self, venue, operation, ask):
        return getattr(self, f"do_{operation}")(self.venues[venue], ask)

    def gas_of(self, venue, *words):
        self.chain.gas_units += sum(GAS[f"{venue}_{word}"] - BASE for word in words) + BASE

    def settle_in(self, pool):
        for change in pool.settle():
            self.chain.book("rebase", *change)

    def shares_line(self, pool, moved, worth):
        self.chain.add(WALLET, f"shares:{pool.rebasing}", *moved, worth, "trade")

    def do_stake(self, pool, ask):
        chain = self.chain
        amount = chain.asked("ETH", ask["amount"])
        units = int(amount.scaleb(18))
        if ask["asset_out"] == pool.wrapped:
            self.gas_of(pool.venue, "stake", "wrap")
            chain.exchange("ETH", amount, pool.wrapped, wei(pool.stake_wrapped(units)))
        else:
            self.gas_of(pool.venue, "stake")
            worth = rounded(amount * chain.price("ETH"))
            chain.add(WALLET, "ETH", -amount, -amount, -worth, "trade")
            self.shares_line(pool, pool.shift(pool.pool.deposit(units)), worth)
        self.settle_in(pool)

    def rebasing(self, pool, amount):
        return pool.units if amount == "all" else int(exactly(amount).scaleb(18))

    def do_wrap(self, pool, ask):
        self.gas_of(pool.venue, "wrap")
        minted = pool.pool.to_shares(self.rebasing(pool, ask["amount"]))
        moved = pool.shift(-minted)
        worth = rounded(moved[1] * self.chain.price(pool.rebasing))
        self.shares_line(pool, moved, worth)
        self.chain.add(WALLET, pool.wrapped, wei(minted), wei(minted), -worth, "trade")
        self.settle_in(pool)

    def do_unwrap(self, pool, ask):
        chain = self.chain
        self.gas_of(pool.venue, "unwrap")
        amount = chain.asked(pool.wrapped, ask["amount"])
        worth = rounded(amount * chain.price(pool.wrapped))
        chain.add(WALLET, pool.wrapped, -amount, -amount, -worth, "trade")
        arrived = pool.pool.to_shares(pool.pool.worth(int(amount.scaleb(18))))
        self.shares_line(pool, pool.shift(arrived), worth)
        self.settle_in(pool)

    def do_unstake(self, pool, ask):
        """Joins the queue: a claim in ETH of a fixed amount, that waits for the delay of the settings."""
        chain = self.chain
        requests = []
        if ask["asset_in"] == pool.wrapped:
            chain.gas_units += GAS[f"{pool.venue}_unwrap"] - BASE
            amount = chain.asked(pool.wrapped, ask["amount"])
            rest, taken = int(amount.scaleb(18)), 0
            whole = pool.pool.to_shares(LIDO_REQUEST_MAX) if pool.venue == "lido" else rest
            while rest:
                part = min(rest, whole)
                returned = pool.pool.worth(part)
                if pool.venue == "lido" and returned < LIDO_REQUEST_MIN:
                    break
                requests.append((returned, pool.pool.to_shares(returned)))
                rest, taken = rest - part, taken + part
            worth = rounded(wei(taken) * chain.price(pool.wrapped))
            chain.add(WALLET, pool.wrapped, -wei(taken), -wei(taken), -worth, "trade")
        else:
            rest = self.rebasing(pool, ask["amount"])
            whole = LIDO_REQUEST_MAX if pool.venue == "lido" else rest
            while rest >= (LIDO_REQUEST_MIN if pool.venue == "lido" else 1):
                part = min(rest, whole)
                requests.append((part, pool.pool.to_shares(part)))
                rest -= part
            moved = pool.shift(-sum(shares for _, shares in requests))
            worth = -rounded(moved[1] * chain.price(pool.rebasing))
            self.shares_line(pool, moved, -worth)
        self.gas_of(pool.venue, *["request"] * len(requests))
        ticket = Ticket(chain.instruction, requests, chain.now + pool.delay, 0)
        ticket.booked = pool.worth(ticket)
        claim = wei(ticket.booked)
        chain.add(f"{pool.venue}.queue", "ETH", claim, claim, worth, "trade")
        known = next((t for t in pool.tickets if t.instruction == chain.instruction), None)
        if known:
            known.requests += requests
            known.final += [None] * len(requests)
            known.booked += ticket.booked
        else:
            pool.tickets.append(ticket)
        self.settle_in(pool)

    def do_claim_unstake(self, pool, ask):
        """Pays every ticket that has left the queue, or the one that is named."""
        chain = self.chain
        named = ask.get("ticket")
        ready = [t for t in pool.tickets if t.ready and (named is None or t.instruction == str(named))]
        line = chain.actual[0].number
        self.audit.check("chain: withdrawal requests", line, "a ticket has left the queue", True, bool(ready))
        count, account = sum(len(ticket.requests) for ticket in ready), f"{pool.venue}.claimable"
        self.gas_of(pool.venue, *["claim"] * count)
        for ticket in ready:
            self.audit.check("chain: withdrawal requests", line, "not before its delay", True, chain.now >= ticket.due)
            pool.tickets.remove(ticket)
            paid = 0
            for (amount, shares), final in zip(ticket.requests, ticket.final):
                claim = self.pay_claim(pool, amount, shares, final)
                paid += claim
            if paid != ticket.booked:
                chain.book("rebase", account, "ETH", wei(paid - ticket.booked), wei(paid - ticket.booked))
            chain.book("transfer", account, "ETH", -wei(paid), -wei(paid))
            chain.wallet_line("transfer", "ETH", wei(paid))
        self.settle_in(pool)

    def pay_claim(self, pool, amount, shares, final):
        if pool.venue == "lido":
            return final
        paid = pool.claim_of(amount, shares)
        pool.pool.burn(-(-paid * pool.pool.shares // pool.pool.ether), paid)
        return paid

    def do_claim_rewards(self, pool, ask):
        chain = self.chain
        chain.gas_units = GAS["king_claim"] + GAS["king_unwrap"] - BASE
        account, chain.topic = f"{pool.venue}.rewards", "rewards"
        for asset in PROGRAMS:
            waiting = self.audit.held[account, asset]
            if waiting and ask.get("asset") in (None, asset):
                chain.book("transfer", account, asset, -waiting, -waiting)
                chain.wallet_line("transfer", asset, waiting)
