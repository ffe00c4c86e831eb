//! Scripts of valid instructions, and operations written briefly.

use basis::core::instruction::{Operation, OperationKind};
use serde_json::{Value as Json, json};

/// How far an instruction must have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Settled,
    /// An order in the book.
    Open,
    /// Under way: in a queue, or between two venues.
    Pending,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Act {
        venue: &'static str,
        id: u32,
        operation: Operation,
        expected: Status,
    },
    /// So many hours, one by one.
    Wait(i64),
}

/// Steps in order; instructions count from 1.
#[derive(Debug)]
pub struct Script {
    steps: Vec<Step>,
    instructions: u32,
}

impl Script {
    pub(super) fn of(write: fn(&mut Self)) -> Vec<Step> {
        Self::after(0, write)
    }

    /// The same with instructions that count on from `instructions`.
    pub(super) fn after(instructions: u32, write: fn(&mut Self)) -> Vec<Step> {
        let mut script = Self {
            steps: Vec::new(),
            instructions,
        };
        write(&mut script);
        script.steps
    }

    /// Adds an instruction and returns its id.
    pub fn act(&mut self, venue: &'static str, operation: Operation, expected: Status) -> u32 {
        self.instructions += 1;
        let id = self.instructions;
        self.steps.push(Step::Act {
            venue,
            id,
            operation,
            expected,
        });
        id
    }

    /// Adds an instruction that is done at once.
    pub fn settle(&mut self, venue: &'static str, operation: Operation) {
        self.act(venue, operation, Status::Settled);
    }

    /// Adds so many hours, one by one.
    pub fn wait(&mut self, hours: i64) {
        self.steps.push(Step::Wait(hours));
    }
}

/// An operation from its JSON form.
pub fn op(json: Json) -> Operation {
    let text = json.to_string();
    serde_json::from_value(json).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn amount(text: &str) -> Json {
    match text {
        "all" => json!("all"),
        exactly => json!({ "exactly": exactly }),
    }
}

pub(super) fn spot(symbol: &str, side: &str, quantity: &str) -> Operation {
    op(json!({ "spot_trade": {
        "symbol": symbol, "side": side, "quantity": quantity, "order_type": "market",
    }}))
}

pub(super) fn perp(symbol: &str, side: &str, quantity: &str, reduce_only: bool) -> Operation {
    op(json!({ "perp_trade": {
        "symbol": symbol, "side": side, "quantity": quantity, "order_type": "market",
        "reduce_only": reduce_only,
    }}))
}

pub(super) fn limit(side: &str, quantity: &str, price: &str) -> Operation {
    op(json!({ "spot_trade": {
        "symbol": "ETHUSDT", "side": side, "quantity": quantity, "order_type": "limit",
        "limit_price": price,
    }}))
}

pub(super) fn cancel(symbol: &str, order: u32) -> Operation {
    op(json!({ "cancel_order": { "symbol": symbol, "order": order } }))
}

pub(super) fn amend(symbol: &str, order: u32, quantity: &str) -> Operation {
    op(json!({ "amend_order": { "symbol": symbol, "order": order, "quantity": quantity } }))
}

pub(super) fn leverage(symbol: &str, leverage: &str) -> Operation {
    op(json!({ "set_leverage": { "symbol": symbol, "leverage": leverage } }))
}

/// A transfer between accounts written `venue.name`.
pub(super) fn transfer(asset: &str, units: &str, from: &str, to: &str) -> Operation {
    let account = |text: &str| {
        let (venue, name) = text.split_once('.').expect("an account");
        json!({ "venue": venue, "name": name })
    };
    op(json!({ "transfer": {
        "asset": asset, "amount": units, "from": account(from), "to": account(to),
    }}))
}

pub(super) fn swap(pool: &str, way: [&str; 2], amount_in: &str, minimum_out: &str) -> Operation {
    op(json!({ "swap": {
        "pool": pool, "asset_in": way[0], "asset_out": way[1], "amount_in": amount_in,
        "minimum_out": minimum_out,
    }}))
}

/// Exactly `amount_out` for at most `maximum_in`.
pub(super) fn swap_for(
    pool: &str,
    way: [&str; 2],
    amount_out: &str,
    maximum_in: &str,
) -> Operation {
    op(json!({ "swap": {
        "pool": pool, "asset_in": way[0], "asset_out": way[1], "amount_out": amount_out,
        "maximum_in": maximum_in,
    }}))
}

/// At most so much of each asset into a pool.
pub(super) fn add_liquidity(pool: &str, ticks: Option<[i32; 2]>, amounts: &[&str]) -> Operation {
    op(json!({ "add_liquidity": {
        "pool": pool, "amounts": amounts, "ticks": ticks, "minimum_liquidity": "0",
    }}))
}

/// Liquidity out of a pool of so many assets.
pub(super) fn remove_liquidity(
    pool: &str,
    ticks: Option<[i32; 2]>,
    liquidity: &str,
    minimum_out: &[&str],
) -> Operation {
    op(json!({ "remove_liquidity": {
        "pool": pool, "liquidity": liquidity, "ticks": ticks, "minimum_out": minimum_out,
    }}))
}

/// Pool tokens burnt for one coin alone.
pub(super) fn remove_one(pool: &str, liquidity: &str, asset: &str, minimum: &str) -> Operation {
    op(json!({ "remove_liquidity": {
        "pool": pool, "liquidity": liquidity, "asset_out": asset, "minimum_out": [minimum],
    }}))
}

/// Exactly these amounts for at most so many pool tokens.
pub(super) fn remove_exactly(pool: &str, amounts: &[&str], maximum: &str) -> Operation {
    op(json!({ "remove_liquidity": {
        "pool": pool, "amounts": amounts, "maximum_liquidity": maximum,
    }}))
}

pub(super) fn collect_fees(pool: &str, ticks: Option<[i32; 2]>) -> Operation {
    op(json!({ "collect_fees": { "pool": pool, "ticks": ticks } }))
}

/// `supply`, `withdraw`, `borrow` or `repay`, in a named market unless it is empty.
pub(super) fn lend(kind: &str, asset: &str, units: &str, market: &str) -> Operation {
    let market = (!market.is_empty()).then_some(market);
    op(json!({ kind: { "asset": asset, "amount": amount(units), "market": market } }))
}

pub(super) fn e_mode(category: u8) -> Operation {
    op(json!({ "set_e_mode": { "category": category } }))
}

/// `stake`, `unstake`, `wrap` or `unwrap`.
pub(super) fn staking(kind: &str, way: [&str; 2], units: &str) -> Operation {
    op(json!({ kind: { "asset_in": way[0], "asset_out": way[1], "amount": amount(units) } }))
}

pub(super) fn claim(request: u32) -> Operation {
    op(json!({ "claim_unstake": { "request": request } }))
}

pub(super) fn claim_rewards(asset: &str) -> Operation {
    op(json!({ "claim_rewards": { "asset": asset } }))
}

pub(super) fn flash_loan(asset: &str, units: &str) -> Operation {
    op(json!({ "flash_loan": { "asset": asset, "amount": units } }))
}

/// A group of steps, each addressed to a venue.
pub(super) fn atomic(steps: &[(&str, Operation)]) -> Operation {
    use basis::core::instruction::Instruction;
    let step = |(venue, operation): &(&str, Operation)| {
        Instruction::step(venue.parse().expect("a venue"), operation.clone())
    };
    Operation::Atomic(steps.iter().map(step).collect())
}

/// An operation of this kind, of a form that some venue takes.
pub(super) fn sample(kind: OperationKind) -> Operation {
    match kind {
        OperationKind::SpotTrade => spot("ETHUSDT", "buy", "1"),
        OperationKind::PerpTrade => perp("ETHUSDT", "buy", "1", false),
        OperationKind::CancelOrder => cancel("ETHUSDT", 1),
        OperationKind::AmendOrder => amend("ETHUSDT", 1, "0.4"),
        OperationKind::SetLeverage => leverage("ETHUSDT", "2"),
        OperationKind::Swap => swap("WETHUSDT", ["WETH", "USDT"], "1", "0"),
        OperationKind::AddLiquidity => op(json!({ "add_liquidity": {
            "pool": "WETHUSDT", "amounts": ["1", "1"], "minimum_liquidity": "0",
        }})),
        OperationKind::RemoveLiquidity => op(json!({ "remove_liquidity": {
            "pool": "WETHUSDT", "liquidity": "1", "minimum_out": ["0", "0"],
        }})),
        OperationKind::CollectFees => op(json!({ "collect_fees": { "pool": "WETHUSDT" } })),
        OperationKind::Supply => lend("supply", "WETH", "1", ""),
        OperationKind::Withdraw => lend("withdraw", "WETH", "1", ""),
        OperationKind::Borrow => lend("borrow", "WETH", "1", ""),
        OperationKind::Repay => lend("repay", "WETH", "1", ""),
        OperationKind::SetEMode => e_mode(1),
        OperationKind::Stake => staking("stake", ["ETH", "wstETH"], "1"),
        OperationKind::Unstake => staking("unstake", ["wstETH", "ETH"], "1"),
        OperationKind::ClaimUnstake => claim(1),
        OperationKind::Wrap => staking("wrap", ["ETH", "WETH"], "1"),
        OperationKind::Unwrap => staking("unwrap", ["WETH", "ETH"], "1"),
        OperationKind::ClaimRewards => claim_rewards("EIGEN"),
        OperationKind::FlashLoan => flash_loan("WETH", "1"),
        OperationKind::Transfer => transfer("USDT", "100", "wallet.main", "binance.spot"),
        OperationKind::Atomic => {
            atomic(&[("uniswap", swap("WETHUSDT", ["WETH", "USDT"], "1", "0"))])
        }
    }
}
