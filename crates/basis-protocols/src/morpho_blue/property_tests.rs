//! What holds in any market after any operations.

use proptest::prelude::*;

use super::*;
use basis_core::num::{Fixed18, U256};

const FEE_RECIPIENT: User = User(0);
const USERS: u16 = 4;
const START: u64 = 1_700_000_000;

#[derive(Clone, Debug)]
enum Step {
    Supply(AmountInput),
    Withdraw(AmountInput),
    WithdrawMost,
    Borrow(AmountInput),
    BorrowMost,
    Repay(AmountInput),
    RepayAll,
    SupplyCollateral(U256),
    WithdrawCollateral(U256),
    Liquidate(u16, LiquidationInput),
    LiquidateFully(u16),
    Accrue,
    SetFee(U256),
}

#[derive(Clone, Debug)]
struct Act {
    step: Step,
    user: User,
    elapsed: u64,
    price: U256,
}

/// A number of any length up to `bits`, so that small and large ones are equally likely.
fn uint(bits: u32) -> impl Strategy<Value = U256> {
    (any::<u128>(), 128 - bits..=128)
        .prop_map(|(x, shift)| U256::from(x.checked_shr(shift).unwrap_or(0)))
}

fn amount() -> impl Strategy<Value = AmountInput> {
    prop_oneof![
        4 => uint(45).prop_map(AmountInput::assets),
        4 => uint(65).prop_map(AmountInput::shares),
        1 => (uint(2), uint(2)).prop_map(|(assets, shares)| AmountInput { assets, shares }),
    ]
}

fn liquidation() -> impl Strategy<Value = LiquidationInput> {
    prop_oneof![
        uint(60).prop_map(LiquidationInput::seizing),
        uint(65).prop_map(LiquidationInput::repaying),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => amount().prop_map(Step::Supply),
        3 => amount().prop_map(Step::Withdraw),
        2 => Just(Step::WithdrawMost),
        4 => amount().prop_map(Step::Borrow),
        4 => Just(Step::BorrowMost),
        3 => amount().prop_map(Step::Repay),
        2 => Just(Step::RepayAll),
        6 => uint(60).prop_map(Step::SupplyCollateral),
        2 => uint(60).prop_map(Step::WithdrawCollateral),
        2 => (0..USERS, liquidation()).prop_map(|(whose, input)| Step::Liquidate(whose, input)),
        3 => (0..USERS).prop_map(Step::LiquidateFully),
        1 => Just(Step::Accrue),
        1 => uint(60).prop_map(Step::SetFee),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    // Around 3,000 units of 6 decimals for one of 18: 3e27, moved by half to double.
    let price = (1_u64..=4).prop_map(|x| U256::from(x) * U256::from(10_u8).pow(U256::from(27_u8)));
    let elapsed = prop_oneof![Just(0), 1_u64..100, 1_u64..31_536_000];
    (step(), 0..USERS, elapsed, price).prop_map(|(step, user, elapsed, price)| Act {
        step,
        user: User(user),
        elapsed,
        price,
    })
}

fn model() -> impl Strategy<Value = InterestRateModel> {
    prop_oneof![
        Just(InterestRateModel::None),
        Just(InterestRateModel::Utilization),
        Just(InterestRateModel::AdaptiveCurve(AdaptiveCurve::untouched())),
    ]
}

fn market(irm: InterestRateModel, fee_wad: u128) -> Market {
    let terms = MarketTerms {
        lltv_wad: U256::from(860_000_000_000_000_000_u64),
        fee_wad,
        fee_recipient: FEE_RECIPIENT,
        irm,
    };
    Market::create(terms, START).unwrap()
}

/// The tokens the contract would hold, and what it holds beyond its books.
#[derive(Default)]
struct Vault {
    loan: U256,
    surplus: U256,
    collateral: U256,
}

impl Vault {
    fn receive_repayment(&mut self, assets: U256, debt_before: u128) {
        self.loan += assets;
        self.surplus += assets.saturating_sub(U256::from(debt_before));
    }

    fn apply(&mut self, market: &mut Market, act: &Act, now: u64) -> Result<bool, Refusal> {
        let (user, price) = (act.user, act.price);
        let debt_before = market.expected_totals(now)?.borrow_assets;
        match act.step.clone() {
            Step::Supply(amount) => self.loan += market.supply(user, amount, now)?.assets,
            Step::Withdraw(amount) => self.loan -= market.withdraw(user, amount, now)?.assets,
            Step::WithdrawMost => {
                let most = market.max_withdraw(user, now)?;
                let moved = market.withdraw(user, AmountInput::assets(most), now);
                assert_eq!(moved.is_err(), most.is_zero(), "{moved:?}");
                self.loan -= moved?.assets;
            }
            Step::Borrow(amount) => self.loan -= market.borrow(user, amount, price, now)?.assets,
            Step::BorrowMost => {
                let most = market.max_borrow(user, price, now)?;
                let more = AmountInput::assets(most + U256::ONE);
                assert!(market.borrow(user, more, price, now).is_err());
                let moved = market.borrow(user, AmountInput::assets(most), price, now);
                assert_eq!(moved.is_err(), most.is_zero(), "{moved:?}");
                self.loan -= moved?.assets;
            }
            Step::Repay(amount) => {
                let assets = market.repay(user, amount, now)?.assets;
                self.receive_repayment(assets, debt_before);
            }
            Step::RepayAll => {
                let shares = U256::from(market.position(user).borrow_shares);
                let assets = market.repay(user, AmountInput::shares(shares), now)?.assets;
                self.receive_repayment(assets, debt_before);
            }
            Step::SupplyCollateral(assets) => {
                market.supply_collateral(user, assets)?;
                self.collateral += assets;
            }
            Step::WithdrawCollateral(assets) => {
                market.withdraw_collateral(user, assets, price, now)?;
                self.collateral -= assets;
            }
            Step::Liquidate(whose, input) => {
                let done = market.liquidate(User(whose), input, price, now)?;
                return Ok(self.receive_liquidation(&done, debt_before));
            }
            Step::LiquidateFully(whose) => {
                let input = market.full_liquidation(User(whose), price, now)?;
                let done = market.liquidate(User(whose), input, price, now);
                if input == LiquidationInput::default() {
                    return done.map(|_| false);
                }
                return Ok(self.receive_liquidation(&done.unwrap(), debt_before));
            }
            Step::Accrue => drop(market.accrue_interest(now)?),
            Step::SetFee(fee) => drop(market.set_fee(fee, now)?),
        }
        Ok(false)
    }

    fn receive_liquidation(&mut self, done: &Liquidation, debt_before: u128) -> bool {
        self.receive_repayment(done.repaid_assets, debt_before);
        self.collateral -= done.seized_assets;
        done.bad_debt_assets > 0
    }

    fn check(&self, market: &Market) {
        let totals = market.totals();
        let books = U256::from(totals.supply_assets) - U256::from(totals.borrow_assets);
        assert_eq!(self.loan, books + self.surplus, "loan asset conserved");
        let positions: Vec<Position> = (0..USERS).map(|u| market.position(User(u))).collect();
        let supplied = positions.iter().map(|p| p.supply_shares).sum::<U256>();
        assert_eq!(supplied, U256::from(totals.supply_shares));
        let owed = positions.iter().map(|p| p.borrow_shares).sum::<u128>();
        assert_eq!(owed, totals.borrow_shares);
        let collateral = positions.iter().map(|p| p.collateral).sum::<u128>();
        assert_eq!(self.collateral, U256::from(collateral));
    }
}

/// Whether the supply share is worth no less in `after` than in `before`.
fn share_price_holds(before: &Totals, after: &Totals) -> bool {
    let with = |assets: u128, shares: u128| {
        (U256::from(assets + 1)).checked_mul(U256::from(shares + 1_000_000))
    };
    with(after.supply_assets, before.supply_shares)
        >= with(before.supply_assets, after.supply_shares)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn prop_books_balance_and_shares_never_lose(
        irm in model(),
        fee in 0..=math::FEE_MAX_WAD,
        acts in prop::collection::vec(act(), 1..60),
    ) {
        let mut market = market(irm, fee);
        let mut vault = Vault::default();
        let mut now = START;
        for act in &acts {
            now += act.elapsed;
            let before = market.clone();
            let expected = market.expected_totals(now).unwrap();
            match vault.apply(&mut market, act, now) {
                Ok(lost) => {
                    prop_assert!(lost || share_price_holds(before.totals(), market.totals()));
                    let held = share_price_holds(&expected, market.totals());
                    // Collateral alone charges no interest, so it may be behind what is expected.
                    prop_assert!(lost || held || matches!(act.step, Step::SupplyCollateral(_)));
                }
                Err(_) => prop_assert!(market == before, "a refusal changed the market"),
            }
            prop_assert!(market.totals().borrow_assets <= market.totals().supply_assets);
            vault.check(&market);
        }
    }

    #[test]
    fn prop_round_trips_never_profit(
        irm in model(),
        acts in prop::collection::vec(act(), 1..30),
        amount in amount(),
        elapsed in 0_u64..1_000_000,
    ) {
        let mut market = market(irm, math::FEE_MAX_WAD);
        let mut vault = Vault::default();
        let mut now = START;
        for act in &acts {
            now += act.elapsed;
            vault.apply(&mut market, act, now).ok();
        }
        now += elapsed;
        let newcomer = User(7);
        let mut lender = market.clone();
        if let Ok(paid) = lender.supply(newcomer, amount, now) {
            let shares = lender.position(newcomer).supply_shares;
            if let Ok(back) = lender.withdraw(newcomer, AmountInput::shares(shares), now) {
                prop_assert!(back.assets <= paid.assets);
            }
        }
        let price = U256::from(10_u8).pow(U256::from(45_u8));
        market.supply_collateral(newcomer, U256::from(10_u8).pow(U256::from(20_u8))).unwrap();
        if let Ok(received) = market.borrow(newcomer, amount, price, now) {
            let shares = U256::from(market.position(newcomer).borrow_shares);
            let back = market.repay(newcomer, AmountInput::shares(shares), now).unwrap();
            prop_assert!(back.assets >= received.assets);
        }
    }

    #[test]
    fn prop_views_say_what_operations_do(
        irm in model(),
        acts in prop::collection::vec(act(), 1..40),
        elapsed in 0_u64..10_000_000,
    ) {
        let mut market = market(irm, math::FEE_MAX_WAD);
        let mut vault = Vault::default();
        let mut now = START;
        for act in &acts {
            now += act.elapsed;
            vault.apply(&mut market, act, now).ok();
        }
        now += elapsed;
        let mut later = market.clone();
        later.accrue_interest(now).unwrap();
        prop_assert_eq!(&market.expected_totals(now).unwrap(), later.totals());
        let rates = market.rates(now).unwrap();
        prop_assert!(rates.supply_apr_wad <= rates.borrow_apr_wad);
        for user in (0..USERS).map(User) {
            let owed = market.expected_borrow_assets(user, now).unwrap();
            let shares = U256::from(market.position(user).borrow_shares);
            let mut debtor = market.clone();
            if let Ok(moved) = debtor.repay(user, AmountInput::shares(shares), now) {
                prop_assert_eq!(moved.assets, owed);
            }
            if let Some(price) = market.liquidation_price(user, now).unwrap() {
                prop_assert!(market.health(user, price, now).unwrap().is_healthy);
                let below = market.health(user, price - U256::ONE, now).unwrap();
                prop_assert!(!below.is_healthy && below.health_factor_wad < Some(math::WAD));
                let free = market.max_withdraw_collateral(user, price, now).unwrap();
                prop_assert!(free.is_zero(), "nothing to spare at the liquidation price");
            }
        }
    }

    #[test]
    fn prop_collateral_beyond_need_can_leave_and_not_one_unit_more(
        collateral in 1_000_000_u64.., debt in 1_u64..1_000_000_000_000, price in 1_u64..1_000_000,
    ) {
        let mut market = market(InterestRateModel::None, 0);
        let user = User(1);
        let scaled = U256::from(price) * U256::from(10_u8).pow(U256::from(24_u8));
        market.supply(User(0), AmountInput::assets(U256::from(u64::MAX)), START).unwrap();
        market.supply_collateral(user, U256::from(collateral)).unwrap();
        let debt = AmountInput::assets(U256::from(debt));
        prop_assume!(market.borrow(user, debt, scaled, START).is_ok());
        let most = market.max_withdraw_collateral(user, scaled, START).unwrap();
        let more = market.clone().withdraw_collateral(user, most + U256::ONE, scaled, START);
        prop_assert_eq!(more, Err(Refusal::InsufficientCollateral));
        if !most.is_zero() {
            prop_assert!(market.withdraw_collateral(user, most, scaled, START).is_ok());
        }
    }

    #[test]
    fn prop_rates_stay_within_the_curve_s_bounds(
        borrowed in 0_u128..=1_000_000, elapsed in 0_u64..400_000_000,
        start in AdaptiveCurve::RATE_AT_TARGET_MIN..=AdaptiveCurve::RATE_AT_TARGET_MAX,
    ) {
        let totals = Totals {
            supply_assets: 1_000_000,
            borrow_assets: borrowed,
            ..Totals::default()
        };
        let curve = AdaptiveCurve::new(start).unwrap();
        let (rate, after) = curve.borrow_rate(&totals, elapsed).unwrap();
        let end = after.rate_at_target();
        prop_assert!(AdaptiveCurve::new(end).is_some());
        if borrowed >= 900_000 {
            prop_assert!(end + start / 100 >= start, "busy: no cheaper, but for the polynomial");
        } else {
            prop_assert!(end <= start + start / 100, "idle: no dearer");
        }
        let bounds = (start.min(end) / 5, (start.max(end)) * 5);
        let rate = u64::try_from(rate).unwrap();
        prop_assert!((bounds.0..=bounds.1).contains(&rate), "{rate} outside {bounds:?}");
    }

    #[test]
    fn prop_the_exponential_is_within_one_percent(x in -40_000_000_000_000_000_000_i128..93_000_000_000_000_000_000) {
        let approximate = w_exp(I256::from_i128(x)).unwrap().to_u256().unwrap();
        let exact = Fixed18::from_mantissa(x).to_f64().exp() * 1e18;
        let off = (f64::from(approximate) - exact).abs();
        prop_assert!(off <= exact * 0.01 + 1.0, "{approximate} for e^{x}, not {exact}");
    }
}
