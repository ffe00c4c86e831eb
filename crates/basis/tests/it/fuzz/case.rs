//! The command line that a seed stands for.

/// A generator whose every number follows from its seed (`SplitMix64`).
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `count`.
    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(count).unwrap()).unwrap()
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Whether an event of so many percent comes to be.
    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

pub(super) const MODES: [&str; 7] = [
    "btc_basis",
    "eth_basis",
    "pure_lending",
    "eth_staking_only",
    "eth_leveraged",
    "usdt_market_neutral_no_leverage",
    "usdt_market_neutral",
];

/// Settings that every mode knows.
const ALL: [&str; 14] = [
    "fill_at=next_open",
    "execution.failure_policy=halt",
    "execution.failure_policy=continue",
    "execution.naked_time_max_seconds=0",
    "execution.naked_delta_max=0",
    "reserve_ratio=0",
    "reserve_ratio=0.5",
    "equity_deviation=0.001",
    "min_transfer=0",
    "min_transfer=5000",
    "rebalance_min_interval_minutes=1440",
    "risk.exit_cost_max=0.001",
    "data.step_minutes=120",
    "data.step_minutes=1440",
];

/// Those of modes with perps.
const HEDGED: [&str; 23] = [
    "risk.venue_share_max=0.4",
    "risk.venue_share_max=0.9",
    "min_transfer=1",
    "expected_carry.horizon_hours=null",
    "expected_carry.horizon_hours=null",
    "expected_carry.horizon_hours=24",
    "hedge_leverage=2",
    "hedge_leverage=0.1",
    "hedge_allocation={binance: 1, bybit: 0, okx: 0}",
    "hedge_allocation={binance: 0.5, bybit: 0.5, okx: 0}",
    "utilization_band=0.01",
    "delta_tolerance=0.1",
    "entry_time_max_hours=1",
    "spot_venue=bybit",
    "risk.net_delta_halt=0.0001",
    "risk.distance_warn=0.9",
    "venue_settings.bybit.margin_mode=isolated",
    "venue_settings.binance.slippage=none",
    "venue_settings.binance.slippage=fixed_bps",
    "venue_settings.binance.leverage=50",
    "venue_settings.okx.max_participation=0.001",
    "venue_settings.okx.transfer_failures=[{transfer: 1, at: arrive}]",
    "venue_settings.binance.transfer_failures=[{transfer: 2, at: send}]",
];

/// Those of modes with a staking token.
const STAKED: [&str; 7] = [
    "max_slippage_bps=5",
    "lst_type=wstETH",
    "stake_route=market",
    "gas_reserve_eth=0",
    "gas_reserve_eth=1",
    "venue_settings.curve.pools={weETHWETH: {depth: 100}}",
    "exit_route=market",
];

/// Those of modes that lend or loop.
const LENDING: [&str; 5] = [
    "target_ltv=0.5",
    "target_ltv=0",
    "max_ltv=0.9",
    "risk.health_factor_deleverage=1.14",
    "venue_settings.aave.own_size=false",
];

const CAPITAL: [&str; 13] = [
    "0.1",
    "1",
    "10",
    "40",
    "99",
    "100",
    "1000",
    "54321.123456",
    "100000",
    "1000000",
    "50000000",
    "300000000",
    "1000000000000",
];

/// Sentences up to their instant, and what says how long.
const SHOCKS: [(&str, &str); 9] = [
    ("ASSET +40%", "over"),
    ("ASSET -60%", "over"),
    ("perp ASSET +15%", "over"),
    ("spot ASSET -5%", "over"),
    ("funding ASSET -0.5%", "for"),
    ("protocol weETH -5%", "over"),
    ("borrow WETH +30%", "for"),
    ("outage okx", "for"),
    ("halt withdrawals bybit", "for"),
];

/// The days of 2024 that runs begin at: the staking tokens are recorded from May on.
const FIRST_DAYS: [(u32, u32); 9] = [
    (1, 3),
    (2, 28),
    (3, 12),
    (5, 16),
    (6, 30),
    (8, 1),
    (8, 4),
    (11, 5),
    (12, 27),
];

/// The arguments that `seed` stands for, over the recorded data or else the built-in market.
pub(super) fn arguments(seed: u64, recorded: bool) -> Vec<String> {
    let mut draws = Draws(seed);
    let mode = MODES[usize::try_from(seed % 7).unwrap()];
    let is_staked = !matches!(mode, "btc_basis" | "eth_basis" | "pure_lending");
    let first = if is_staked && recorded { 3 } else { 0 };
    let (month, day) = FIRST_DAYS[first + draws.below(FIRST_DAYS.len() - first)];
    let days = u32::try_from(draws.pick(&[1_usize, 2, 3, 5, 10, 21])).unwrap();
    let from = format!("2024-{month:02}-{day:02}");
    let end = day_after(month, day, days);
    let mut arguments: Vec<String> = ["backtest", mode, "--json", "--from", &from, "--to", &end]
        .map(str::to_owned)
        .to_vec();
    let mut set = |text: &str| arguments.extend(["--set".to_owned(), text.to_owned()]);
    set("data.gaps=hold");
    let asset = if mode == "btc_basis" { "BTC" } else { "ETH" };
    let is_hedged = mode.contains("basis") || mode.contains("neutral");
    if recorded && is_hedged {
        for kind in ["perp", "funding"] {
            set(&format!(
                "data.proxies.{kind}.okx.{asset}USDT={kind}.bybit.{asset}USDT"
            ));
        }
    }
    let mut known = ALL.to_vec();
    if is_hedged {
        known.extend(HEDGED);
    }
    if is_staked {
        known.extend(STAKED);
    }
    if matches!(
        mode,
        "pure_lending" | "eth_leveraged" | "usdt_market_neutral"
    ) {
        known.extend(LENDING);
    }
    for _ in 0..draws.below(5) {
        set(draws.pick(&known));
    }
    let next = day_after(month, day, 1);
    if draws.chance(25) {
        let amount = draws.pick(&["10", "50000", "1000000", "0.000001"]);
        set(&format!(
            "withdrawals=[{{ at: {next}T05:30:00Z, amount: {amount} }}]"
        ));
    }
    if draws.chance(15) {
        let amount = draws.pick(&["1234.5", "0.5", "10000000"]);
        set(&format!(
            "deposits=[{{ at: {next}T07:00:00Z, amount: {amount} }}]"
        ));
    }
    if draws.chance(60) {
        arguments.extend(["--capital".to_owned(), draws.pick(&CAPITAL).to_owned()]);
    }
    if draws.chance(30) {
        let ((shock, lasts), hours) = (draws.pick(&SHOCKS), draws.pick(&[1_usize, 3, 12]));
        let shock = shock.replace("ASSET", asset);
        let text = format!("{shock} at {from}T12:00:00Z {lasts} {hours}h");
        arguments.extend(["--shock".to_owned(), text]);
    }
    arguments
}

/// The date so many days after one of 2024.
fn day_after(month: u32, day: u32, days: u32) -> String {
    let lengths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let (mut year, mut month, mut day) = (2024, month, day + days);
    for length in lengths
        .iter()
        .skip(usize::try_from(month - 1).unwrap())
        .chain(&[31])
    {
        if day <= *length {
            break;
        }
        day -= length;
        month += 1;
        if month > 12 {
            (year, month) = (year + 1, 1);
        }
    }
    format!("{year}-{month:02}-{day:02}")
}
