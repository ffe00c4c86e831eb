//! What the on-chain modes are decided by beside the keys that every mode has.

use basis_core::config::Reader;
use basis_core::fixed18;
use basis_core::num::{Bps, Fixed18, Quantity, Rate, Rounding, Value};
use basis_core::types::{Asset, Venue};

/// How something gets into a liquid staking token, or out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StakeRoute {
    /// At the protocol's own rate; out of it through the withdrawal queue.
    Protocol,
    /// In the pool that trades it.
    Market,
    /// Whichever leaves more, the delay of the queue booked at the yield that is given up; only out.
    Cheapest,
}

/// Keys whose values may change between two starts of a book.
pub(super) const MAY_CHANGE: [&str; 8] = [
    "gas_reserve_eth",
    "gas_reserve_usd",
    "max_ltv",
    "max_slippage_bps",
    "max_stake_spread_move",
    "stake_allocation_eth",
    "target_ltv",
    "target_ltv_low",
];

/// The keys of the on-chain modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainConfig {
    /// The liquid staking token: `weETH` or `wstETH`.
    pub lst: Asset,
    /// Where it comes from.
    pub stake_route: StakeRoute,
    /// How unlevered amounts leave it; levered ones always leave through the market.
    pub exit_route: StakeRoute,
    /// ETH kept in the wallet to pay gas with, >= 0; topped up when less than half of it is left. Zero where
    /// it is kept by its value.
    pub gas_reserve: Quantity,
    /// The same by its value, USD, where it is the only ETH of a book of dollars; zero elsewhere.
    pub gas_reserve_usd: Value,
    /// Share of the capital that is staked in a market-neutral mode, 0 to 1; the rest is margin.
    pub stake_allocation: Rate,
    /// Debt over collateral that a leveraged stake is built to, 0 to 0.95.
    pub target_ltv: Rate,
    /// Debt over collateral while the debt does not pay, 0 to 0.95, at most the target.
    pub target_ltv_low: Rate,
    /// Debt over collateral that no step may pass.
    pub max_ltv: Rate,
    /// Fall of the token against ETH that the default target survives, 0 to 0.5.
    pub max_stake_spread_move: Rate,
    /// What a swap may lose against the value at marks before it is refused, 0 to 1000.
    pub max_slippage: Bps,
    /// The same for the sale of rewards, whose pools are thin.
    pub reward_slippage: Bps,
    /// Who lends.
    pub lending_venue: Venue,
}

impl ChainConfig {
    /// Reads the keys from the root of a mode's configuration; the gas reserve in dollars where ETH is held for
    /// nothing else.
    pub(crate) fn read(r: &Reader<'_>, gas_in_dollars: bool) -> Self {
        let lst = [
            ("weETH", Asset::literal("weETH")),
            ("wstETH", Asset::literal("wstETH")),
        ];
        let into = [
            ("protocol", StakeRoute::Protocol),
            ("market", StakeRoute::Market),
        ];
        let out = [
            ("cheapest", StakeRoute::Cheapest),
            ("queue", StakeRoute::Protocol),
            ("market", StakeRoute::Market),
        ];
        let one = || Fixed18::ZERO..=Fixed18::ONE;
        let ltv = |key: &str| r.within(key, Fixed18::ZERO..=fixed18!("0.95"));
        let max_ltv = ltv("max_ltv").unwrap_or(fixed18!("0.75"));
        let spread = r.fixed(
            "max_stake_spread_move",
            Fixed18::ZERO..=fixed18!("0.5"),
            fixed18!("0.02"),
        );
        let target = ltv("target_ltv").unwrap_or_else(|| default_target(max_ltv, spread));
        let low = ltv("target_ltv_low").unwrap_or(Fixed18::ZERO);
        if low > target {
            let message = format!("{low} is above target_ltv {target}; lower it");
            r.problem("target_ltv_low", message);
        }
        let (gas_reserve, gas_reserve_usd) = read_gas(r, gas_in_dollars);
        Self {
            lst: r.choice("lst_type", &lst, lst[0].1),
            stake_route: r.choice("stake_route", &into, StakeRoute::Protocol),
            exit_route: r.choice("exit_route", &out, StakeRoute::Cheapest),
            gas_reserve,
            gas_reserve_usd,
            stake_allocation: Rate::new(r.fixed("stake_allocation_eth", one(), fixed18!("0.5"))),
            target_ltv: Rate::new(target),
            target_ltv_low: Rate::new(low),
            max_ltv: Rate::new(max_ltv),
            max_stake_spread_move: Rate::new(spread),
            max_slippage: Bps::new(r.fixed(
                "max_slippage_bps",
                Fixed18::ZERO..=fixed18!("1000"),
                fixed18!("100"),
            )),
            reward_slippage: Bps::new(r.fixed(
                "reward_slippage_bps",
                Fixed18::ZERO..=fixed18!("5000"),
                fixed18!("500"),
            )),
            lending_venue: r.parse("lending_venue").unwrap_or(Venue::literal("aave")),
        }
    }
}

fn read_gas(r: &Reader<'_>, in_dollars: bool) -> (Quantity, Value) {
    if !in_dollars {
        let bounds = Fixed18::ZERO..=fixed18!("1000");
        let ether = r.fixed("gas_reserve_eth", bounds, fixed18!("0.05"));
        return (Quantity::new(ether), Value::ZERO);
    }
    if r.node("gas_reserve_eth").is_some() {
        let message = "it is now `gas_reserve_usd`, the value of the ETH that pays for gas (30)";
        r.problem("gas_reserve_eth", message);
    }
    let bounds = Fixed18::ZERO..=fixed18!("100000");
    let dollars = r.fixed("gas_reserve_usd", bounds, fixed18!("30"));
    (Quantity::ZERO, Value::new(dollars))
}

/// `max_ltv` × (1 − `max_stake_spread_move`): after such a fall of the collateral the debt is at
/// `max_ltv`.
fn default_target(max_ltv: Fixed18, spread: Fixed18) -> Fixed18 {
    let kept = Fixed18::ONE.sub(spread).unwrap_or(Fixed18::ZERO);
    max_ltv.mul(kept, Rounding::Floor).unwrap_or(Fixed18::ZERO)
}
