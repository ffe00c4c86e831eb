"""Lido, EtherFi and KING by another route, for tests/lst_vectors.rs.

Reads one JSON object per line (an operation), answers one per line (its result and the state after
it). Written from the published formulas alone and kept unlike the Rust code on purpose: exact
fractions instead of multiply-and-divide, dictionaries of accounts, Lido's queue as the contract
stores it (running sums and checkpoints), EtherFi's remainder as what its definition says it is.
"""

import json
import sys
from fractions import Fraction

RAY = 10**27


class Refused(Exception):
    pass


def demand(condition, words):
    if not condition:
        raise Refused(words)


class Pool:
    def __init__(self, shares, ether):
        self.total, self.ether = shares, ether
        self.shares, self.wrapped = {}, {}
        self.wrapped_supply = 0

    def to_shares(self, wei):
        return int(Fraction(wei * self.total, self.ether))

    def to_wei(self, shares):
        return int(Fraction(shares * self.ether, self.total))

    def mint(self, who, wei):
        minted = self.to_shares(wei)
        self.total += minted
        self.ether += wei
        self.shares[who] = self.shares.get(who, 0) + minted
        return minted

    def move(self, a, b, shares, words):
        demand(self.shares.get(a, 0) >= shares, words)
        self.shares[a] = self.shares.get(a, 0) - shares
        self.shares[b] = self.shares.get(b, 0) + shares

    def set_rate(self, mantissa):
        exact = Fraction(mantissa * self.total, 10**18)
        self.ether = -int(-exact // 1)

    def state(self):
        return {
            "total_shares": str(self.total),
            "total_pooled_ether": str(self.ether),
            "rate": str(self.to_wei(10**18)),
            "shares": [str(self.shares.get(who, 0)) for who in range(6)],
            "balances": [str(self.to_wei(self.shares.get(who, 0))) for who in range(6)],
            "wrapped": [str(self.wrapped.get(who, 0)) for who in range(6)],
            "wrapped_total": str(self.wrapped_supply),
        }


class Lido(Pool):
    def __init__(self, shares, ether):
        super().__init__(shares, ether)
        # Cumulative stETH, cumulative shares, owner, time; index 0 is the contract's dummy.
        self.queue = [(0, 0, None, 0)]
        self.claimed, self.final, self.checkpoints, self.locked = set(), 0, [], 0

    def submit(self, who, amount):
        demand(amount > 0, "ZERO_DEPOSIT")
        return self.mint(who, amount)

    def transfer(self, who, to, amount):
        shares = self.to_shares(amount)
        self.move(who, to, shares, "BALANCE_EXCEEDED")
        return shares

    def wrap(self, who, amount):
        demand(amount > 0, "wstETH: can't wrap zero stETH")
        minted = self.to_shares(amount)
        self.transfer(who, 0, amount)
        self.wrapped[who] = self.wrapped.get(who, 0) + minted
        self.wrapped_supply += minted
        return minted

    def unwrap(self, who, amount, to=None):
        demand(amount > 0, "wstETH: zero amount unwrap not allowed")
        demand(self.wrapped.get(who, 0) >= amount, "ERC20: burn amount exceeds balance")
        wei = self.to_wei(amount)
        self.wrapped[who] -= amount
        self.wrapped_supply -= amount
        self.transfer(0, who if to is None else to, wei)
        return wei

    def stake_and_wrap(self, who, amount):
        minted = self.submit(0, amount)
        self.wrapped[who] = self.wrapped.get(who, 0) + minted
        self.wrapped_supply += minted
        return minted

    def check(self, amount):
        demand(amount >= 100, "RequestAmountTooSmall")
        demand(amount <= 1000 * 10**18, "RequestAmountTooLarge")

    def enqueue(self, who, amount, shares, at):
        ether, before, _, _ = self.queue[-1]
        self.queue.append((ether + amount, before + shares, who, at))
        return len(self.queue) - 1

    def request(self, who, amount, at):
        self.check(amount)
        shares = self.to_shares(amount)
        self.transfer(who, 1, amount)
        return self.enqueue(who, amount, shares, at)

    def request_wrapped(self, who, amount, at):
        demand(self.wrapped.get(who, 0) >= amount, "ERC20: transfer amount exceeds balance")
        if amount > 0:
            self.check(self.to_wei(amount))
        wei = self.unwrap(who, amount, to=1)
        return self.enqueue(who, wei, self.to_shares(wei), at)

    def numbers(self, number):
        ether, shares, owner, _ = self.queue[number]
        return ether - self.queue[number - 1][0], shares - self.queue[number - 1][1], owner

    def payment(self, number, max_rate):
        ether, shares, _ = self.numbers(number)
        if ether * RAY // shares > max_rate:
            return shares * max_rate // RAY
        return ether

    def finalize(self, last):
        demand(self.final < last < len(self.queue), "InvalidRequestId")
        rate = self.ether * RAY // self.total
        ether = sum(self.payment(number, rate) for number in range(self.final + 1, last + 1))
        burned = self.queue[last][1] - self.queue[self.final][1]
        self.checkpoints.append((self.final + 1, rate))
        self.final = last
        self.locked += ether
        self.ether -= ether
        self.total -= burned
        self.shares[1] -= burned
        return ether

    def finalize_due(self, at, delay):
        due = [n for n in range(self.final + 1, len(self.queue)) if self.queue[n][3] + delay <= at]
        if not due:
            return 0
        self.finalize(max(due))
        return max(due)

    def claim(self, who, number):
        demand(number > 0, "InvalidRequestId")
        demand(number <= self.final, "RequestNotFoundOrNotFinalized")
        demand(number not in self.claimed, "RequestAlreadyClaimed")
        demand(self.numbers(number)[2] == who, "NotOwner")
        rate = [rate for start, rate in self.checkpoints if start <= number][-1]
        wei = self.payment(number, rate)
        self.claimed.add(number)
        self.locked -= wei
        return wei

    def state(self):
        return super().state() | {"locked": str(self.locked)}


class EtherFi(Pool):
    def __init__(self, shares, ether):
        super().__init__(shares, ether)
        self.requests, self.final, self.drawn = {}, 0, 0

    def submit(self, who, amount):
        demand(self.to_shares(amount) > 0, "InvalidAmount()")
        return self.mint(who, amount)

    def transfer(self, who, to, amount):
        shares = self.to_shares(amount)
        self.move(who, to, shares, "TRANSFER_AMOUNT_EXCEEDS_BALANCE")
        return shares

    def wrap(self, who, amount):
        demand(amount > 0, "weETH: can't wrap zero eETH")
        minted = self.transfer(who, 0, amount)
        self.wrapped[who] = self.wrapped.get(who, 0) + minted
        self.wrapped_supply += minted
        return minted

    def unwrap(self, who, amount):
        demand(amount > 0, "Cannot unwrap a zero amount")
        demand(self.wrapped.get(who, 0) >= amount, "ERC20: burn amount exceeds balance")
        wei = self.to_wei(amount)
        self.wrapped[who] -= amount
        self.wrapped_supply -= amount
        self.transfer(0, who, wei)
        return wei

    def request(self, who, amount, at):
        demand(amount < 2**96 and self.to_shares(amount) > 0, "InvalidAmount()")
        shares = self.transfer(who, 1, amount)
        self.drawn += 1
        self.requests[self.drawn] = (who, amount, shares, at)
        return self.drawn

    def finalize(self, last):
        demand(last >= self.final, "Cannot undo finalization")
        demand(last <= self.drawn, "Cannot finalize future requests")
        self.final = last
        return 0

    def finalize_due(self, at, delay):
        live = range(self.final + 1, self.drawn + 1)
        due = [n for n in live if self.requests[n][3] + delay <= at]
        self.final = max(due, default=self.final)
        return max(due, default=0)

    def claim(self, who, number):
        demand(0 < number <= self.drawn, "Request does not exist")
        demand(number in self.requests, "Already Claimed")
        owner, amount, shares, _ = self.requests[number]
        demand(owner == who, "Not the owner of the NFT")
        demand(number <= self.final, "Request is not finalized")
        wei = min(amount, self.to_wei(shares))
        burned = -int(-Fraction(wei * self.total, self.ether) // 1)
        del self.requests[number]
        self.total -= burned
        self.ether -= wei
        self.shares[1] -= burned
        return wei

    def state(self):
        live = sum(request[2] for request in self.requests.values())
        return super().state() | {"remainder": str(self.shares.get(1, 0) - live)}


class King:
    def __init__(self, supply, eigen, ethfi):
        self.supply, self.basket = supply, [eigen, ethfi]

    def deposit(self, king, eigen, ethfi):
        self.supply += king
        self.basket = [self.basket[0] + eigen, self.basket[1] + ethfi]
        return 0

    def redeem(self, king, held):
        demand(king <= held, "InsufficientShares()")
        demand(self.supply > 0, "TotalSupplyZero()")
        part = Fraction(king, self.supply)
        paid = [int(part * asset) for asset in self.basket]
        self.supply -= king
        self.basket = [asset - out for asset, out in zip(self.basket, paid)]
        return 0

    def state(self):
        return {"supply": str(self.supply), "basket": [str(asset) for asset in self.basket]}


KINDS = {"lido": Lido, "etherfi": EtherFi, "king": King}


def main():
    model = None
    for line in sys.stdin:
        step = json.loads(line)
        name = step.pop("op")
        arguments = {key: int(value) for key, value in step.items() if key != "kind"}
        answer = {}
        if name == "start":
            model = KINDS[step["kind"]](**arguments)
        else:
            try:
                answer["result"] = str(getattr(model, name)(**arguments) or 0)
            except Refused as refused:
                answer["refused"] = str(refused)
        answer["state"] = model.state()
        print(json.dumps(answer))


main()
