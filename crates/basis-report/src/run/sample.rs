//! A small result written by hand: one spot buy hedged by a short perp, one funding payment.

use std::sync::Arc;

use basis_core::event::{Component, Event, EventData};
use basis_core::health::Health;
use basis_core::instruction::MarginMode;
use basis_core::ledger::{Cause, EntryKind, LedgerEntry, TradeId};
use basis_core::num::{Price, Quantity, Rate, Rounding, Value};
use basis_core::types::{
    Account, Asset, InstructionId, InstrumentKey, InstrumentKind, Item, Label, RunId, Side, Span,
    Symbol, Timestamp, Venue,
};
use basis_core::venue_event::{EventKey, Fill, FlowId, LiquiditySide};
use basis_engine::account::{
    LendingMeasure, MarginMeasure, RiskColumns, RiskMeasure, RiskRow, RiskSubject, RiskSummary,
    TokenMeasure, WorstRisk,
};
use basis_engine::exit::ExitCost;
use basis_engine::pnl::Attribution;
use basis_engine::result::{
    Counts, ExecutionRow, ExitColumn, ExitSummary, MarginColumn, PriceColumn, RunResult,
    Statistics, StepColumns, StepEnd, UnbookedFunding,
};
use basis_engine::risk::RiskLevel;
use basis_market::{Coverage, Gap, GapTreatment, PriceState};

use super::{OutputContext, Timing};

pub(crate) fn context() -> OutputContext {
    OutputContext {
        config_yaml: "mode: \"btc_basis\"\n".to_owned(),
        config_hash: "00ff".to_owned(),
        run_id: RunId::from_number(7),
        flows: Vec::new(),
        timing: Timing {
            load_ms: 1.5,
            run_ms: 2.5,
            write_ms: None,
        },
        versions: vec![("basis", "0.1.0".to_owned())],
    }
}

const VENUE: Venue = Venue::literal("binance");
const USDT: Asset = Asset::literal("USDT");
const BTC: Asset = Asset::literal("BTC");

pub(super) fn instant(hour: i64) -> Timestamp {
    Timestamp::from_date(2024, 5, 1)
        .unwrap()
        .plus(Span::from_hours(hour))
}

fn key(kind: InstrumentKind) -> InstrumentKey {
    InstrumentKey::new(VENUE, kind, Symbol::literal("BTCUSDT"))
}

/// The second trade has a text that a CSV field must quote.
fn trade_id(number: u64) -> TradeId {
    match number {
        2 => TradeId::Text("a,\"b\"".into()),
        number => TradeId::Number(number),
    }
}

fn account(name: &str) -> Account {
    Account::new(VENUE, Label::new(name).unwrap())
}

fn account_of(kind: InstrumentKind) -> Account {
    account(if kind == InstrumentKind::Spot {
        "spot"
    } else {
        "usdm"
    })
}

struct Lines(Vec<LedgerEntry>);

impl Lines {
    /// Numbers are quantity, value and reference price.
    fn add(
        &mut self,
        hour: i64,
        (account, item): (Account, Item),
        numbers: (&str, &str, &str),
        kind: EntryKind,
        cause: (&Arc<EventKey>, u32),
    ) {
        self.0.push(LedgerEntry {
            at: instant(hour),
            account,
            item,
            quantity: numbers.0.parse().unwrap(),
            units: numbers.0.parse().unwrap(),
            value: numbers.1.parse().unwrap(),
            kind,
            instruction: (kind == EntryKind::Trade).then_some(InstructionId::plain(1)),
            reference_price: numbers.2.parse().unwrap(),
            cause: Cause::new(Arc::clone(cause.0), cause.1),
        });
    }
}

#[expect(
    clippy::too_many_lines,
    reason = "a table of lines, one after the other"
)]
fn ledger() -> Vec<LedgerEntry> {
    let (spot, usdm) = (account("spot"), account("usdm"));
    let cash = Item::Asset(USDT);
    let perp = Item::Position(key(InstrumentKind::Perp));
    let outside = |number| {
        let scheduled = instant(1);
        Arc::new(EventKey::CapitalFlow(FlowId {
            scheduled,
            number,
            part: 0,
        }))
    };
    let trade = |kind, id, side| {
        let (account, instrument) = (account_of(kind), key(kind));
        Arc::new(EventKey::Fill {
            account,
            instrument,
            trade: trade_id(id),
            side,
        })
    };
    let (bought, sold) = (
        trade(InstrumentKind::Spot, 1, Side::Buy),
        trade(InstrumentKind::Perp, 2, Side::Sell),
    );
    let mut lines = Lines(Vec::new());
    let l = &mut lines;
    let one = |quantity: &'static str| (quantity, quantity, "1");
    l.add(
        1,
        (spot, cash),
        one("70000"),
        EntryKind::Deposit,
        (&outside(0), 0),
    );
    l.add(
        1,
        (usdm, cash),
        one("30000"),
        EntryKind::Deposit,
        (&outside(1), 0),
    );
    l.add(
        1,
        (spot, Item::Asset(BTC)),
        ("1", "60006", "60000"),
        EntryKind::Trade,
        (&bought, 0),
    );
    l.add(
        1,
        (spot, cash),
        ("-60006", "-60006", "1"),
        EntryKind::Trade,
        (&bought, 1),
    );
    l.add(
        1,
        (usdm, perp),
        ("-1", "-60044", "60050"),
        EntryKind::Trade,
        (&sold, 0),
    );
    l.add(1, (usdm, cash), one("-30.022"), EntryKind::Fee, (&sold, 1));
    let funding = Arc::new(EventKey::Funding {
        account: usdm,
        instrument: key(InstrumentKind::Perp),
        margin: MarginMode::Cross,
        scheduled: instant(2),
    });
    l.add(
        2,
        (usdm, cash),
        one("6.02"),
        EntryKind::Funding,
        (&funding, 0),
    );
    // A third of the short is bought back at its mark.
    let closed = trade(InstrumentKind::Perp, 3, Side::Buy);
    l.add(
        2,
        (usdm, perp),
        ("0.25", "15050", "60200"),
        EntryKind::Trade,
        (&closed, 0),
    );
    l.add(
        2,
        (usdm, cash),
        one("-39"),
        EntryKind::RealizedPnl,
        (&closed, 1),
    );
    lines.0
}

fn fill(kind: InstrumentKind, side: Side, numbers: (&str, &str), id: TradeId) -> ExecutionRow {
    let fill = Fill {
        instruction: Some(InstructionId::plain(1)),
        account: account_of(kind),
        trade: id,
        instrument: key(kind),
        base: BTC,
        quote: USDT,
        side,
        quantity: Quantity::literal("1"),
        price: numbers.0.parse().unwrap(),
        turnover: Quantity::ZERO,
        reference: numbers.1.parse().unwrap(),
        fee_asset: USDT,
        fee: Quantity::literal("30.022"),
        fee_rate: Rate::literal("0.0005"),
        liquidity: LiquiditySide::Taker,
        realized: None,
        covered: Quantity::ZERO,
    };
    ExecutionRow {
        instruction: InstructionId::plain(1),
        venue: VENUE,
        operation: "perp_trade".into(),
        action: "entry_full".into(),
        status: "settled".into(),
        at: instant(1),
        fill: Some(fill),
        transfer: None,
        transaction: None,
    }
}

/// The perp account in both steps; in the second a lending account and a token beside it.
fn standings() -> [RiskMeasure; 4] {
    let value = |text: &str| text.parse::<Value>().unwrap();
    let margin = |balance, maintenance, notional, cost| {
        RiskMeasure::Margin(MarginMeasure {
            balance: value(balance),
            maintenance: value(maintenance),
            slope: value(maintenance),
            net_notional: value(notional),
            funding_cost_per_day: cost,
        })
    };
    [
        margin("29963.978", "240", "-60050", Some(24.076_416)),
        margin("29819.998", "180.6", "-45150", Some(-6.02)),
        RiskMeasure::Lending(LendingMeasure {
            health_factor: Rate::literal("1.25"),
            borrow_rate: Rate::literal("0.02"),
            supply_rate: Rate::literal("0"),
            collateral: value("1000"),
            staked: value("500"),
            staking_growth: Some(0.03),
        }),
        RiskMeasure::Token(TokenMeasure {
            market: Rate::literal("0.9975"),
            protocol: Rate::literal("1.05"),
        }),
    ]
}

fn subjects() -> Vec<RiskSubject> {
    let of = |account, item| RiskSubject { account, item };
    let lender = Account::new(Venue::literal("aave"), Label::literal("main"));
    vec![
        of(Some(account("usdm")), None),
        of(Some(lender), None),
        of(None, Some(Item::Asset(Asset::literal("weETH")))),
    ]
}

fn risk_columns() -> RiskColumns {
    let rows = standings().into_iter().zip([0, 0, 1, 2]);
    RiskColumns {
        subjects: subjects(),
        rows: rows
            .map(|(standing, subject)| RiskRow {
                subject,
                level: RiskLevel::Clear,
                standing,
            })
            .collect(),
        row_ends: vec![1, 4],
        gross_delta: vec![Quantity::literal("2"), Quantity::literal("1.75")],
        level: vec![RiskLevel::Clear; 2],
    }
}

fn risk_summary() -> RiskSummary {
    let [worst, _, lending, token] = standings();
    let standings = [(worst, 1), (lending, 2), (token, 2)];
    let worst = subjects().into_iter().zip(standings);
    RiskSummary {
        level: RiskLevel::Clear,
        worst: worst
            .map(|(subject, (standing, hour))| WorstRisk {
                subject,
                value: standing.value(),
                at: instant(hour),
                standing,
            })
            .collect(),
    }
}

/// Two steps; equity 100,000 comes in with the first.
fn exit(cost: &str, hours: Option<&str>) -> ExitCost {
    ExitCost {
        cost: cost.parse().unwrap(),
        hours: hours.map(|hours| hours.parse().unwrap()),
    }
}

#[expect(clippy::too_many_lines, reason = "one literal")]
pub(crate) fn result() -> RunResult {
    let value = |text: &str| text.parse::<Value>().unwrap();
    let price = |text: &str| text.parse::<Price>().unwrap();
    let step = |price, basis, funding, slippage, fees| Attribution {
        price: value(price),
        basis: value(basis),
        funding: value(funding),
        slippage: value(slippage),
        fees: value(fees),
        ..Attribution::default()
    };
    let column = |kind, marks: [&str; 2], states: [PriceState; 2]| PriceColumn {
        series: key(kind).series(),
        mark: marks.map(price).to_vec(),
        state: states.to_vec(),
    };
    let fresh = PriceState::Fresh;
    let gap = |treatment| Gap {
        series: key(InstrumentKind::Perp).series(),
        first: instant(2),
        last: instant(2),
        missing: 1,
        treatment,
    };
    let proxy = InstrumentKey::new(
        Venue::literal("bybit"),
        InstrumentKind::Perp,
        Symbol::literal("BTCUSDT"),
    );
    let end = |equity, flow, attribution, reference| StepEnd {
        equity_usd: value(equity),
        external_flow_usd: value(flow),
        attribution,
        reference: price(reference),
    };
    RunResult {
        peg: None,
        mode: "btc_basis",
        share_class: USDT,
        range: (instant(0), instant(2)),
        synthetic: false,
        data_source: "by hand".to_owned(),
        data_files: Vec::new(),
        steps: StepColumns {
            at: vec![instant(1), instant(2)],
            equity_usd: vec![value("99957.978"), value("99913.998")],
            external_flow_usd: vec![value("100000"), Value::ZERO],
            peg: Vec::new(),
            attribution: vec![
                step("0", "0", "0", "-12", "-30.022"),
                step("0", "-50", "6.02", "0", "0"),
            ],
            net_delta: vec![Quantity::ZERO, Quantity::literal("0.25")],
            reference: vec![price("60000"), price("60100")],
            ledger_rows: vec![6, 9],
            parked: vec![false; 2],
            tokens: Vec::new(),
            prices: vec![
                column(InstrumentKind::Spot, ["60000", "60100"], [fresh, fresh]),
                column(
                    InstrumentKind::Perp,
                    ["60050", "60200"],
                    [fresh, PriceState::Held],
                ),
            ],
            margins: vec![MarginColumn {
                account: account("usdm"),
                margin_balance: vec![value("29963.978"), value("29819.998")],
                maintenance_margin: vec![value("240"), value("180.6")],
            }],
            exit: vec![exit("12.5", Some("1")), exit("13.75", None)],
            exits: vec![ExitColumn {
                account: account("usdm"),
                exit: vec![exit("12.5", Some("1")), exit("13.75", None)],
            }],
            risk: risk_columns(),
        },
        ends: Some([
            end(
                "99957.978",
                "100000",
                step("0", "0", "0", "-12", "-30.022"),
                "60000",
            ),
            end(
                "99913.998",
                "0",
                step("0", "-50", "6.02", "0", "0"),
                "60100",
            ),
        ]),
        ledger: ledger(),
        executions: vec![
            fill(
                InstrumentKind::Spot,
                Side::Buy,
                ("60006", "60000"),
                TradeId::Number(1),
            ),
            fill(
                InstrumentKind::Perp,
                Side::Sell,
                ("60044", "60050"),
                trade_id(2),
            ),
            ExecutionRow {
                operation: "transfer".into(),
                fill: None,
                transfer: Some((
                    USDT,
                    Quantity::literal("5"),
                    account("spot"),
                    Account::WALLET,
                )),
                ..fill(
                    InstrumentKind::Spot,
                    Side::Buy,
                    ("1", "1"),
                    TradeId::Number(0),
                )
            },
        ],
        events: vec![
            Event::new(
                instant(0),
                Component::Engine,
                EventData::StateUpdate {
                    state: "started".into(),
                    detail: "a \"quoted\" word".to_owned(),
                },
            ),
            Event::new(
                instant(0),
                Component::ExecutionInterfaceFactory,
                EventData::InterfaceCreated {
                    venue: VENUE,
                    interface_class: "BinanceExecutionInterface".into(),
                    processing_time_ms: 3,
                },
            ),
        ],
        attribution: step("0", "-50", "6.02", "-12", "-30.022"),
        share_attribution: None,
        risk: risk_summary(),
        share_statistics: None,
        statistics: Statistics {
            total_return: -0.00086,
            ..Statistics::default()
        },
        benchmark: None,
        leverage: None,
        exit: Some(ExitSummary {
            last: exit("13.75", None),
            max_drawdown: 0.001,
        }),
        counts: Counts {
            steps: 2,
            fills: 2,
            ..Counts::default()
        },
        coverage: vec![Coverage {
            series: key(InstrumentKind::Perp).series(),
            expected: 2,
            present: 0,
            gaps: vec![
                gap(GapTreatment::Proxied(proxy.series())),
                gap(GapTreatment::Held),
            ],
            shifts: None,
            unscheduled: None,
            implausible: None,
            suspects: Vec::new(),
        }],
        unbooked_funding: vec![UnbookedFunding {
            series: key(InstrumentKind::Perp).funding_series(),
            at: instant(2),
            position: Quantity::literal("-1"),
            exposed_notional: Quantity::literal("1")
                .notional(price("60200"), Rounding::HalfEven)
                .unwrap(),
        }],
        refused_withdrawals: Vec::new(),
        shocks: Vec::new(),
        assumptions: vec!["1 USDT is 1 USD".to_owned()],
        never_held: None,
        halted: None,
        health: vec![("binance".to_owned(), Health::default())],
    }
}

/// The result's steps one at a time, each with the ledger lines posted within it.
pub(crate) fn step_by_step(result: &RunResult) -> Vec<(StepColumns, Vec<LedgerEntry>)> {
    let steps = &result.steps;
    let mut posted = 0;
    (0..steps.at.len())
        .map(|step| {
            let rows = steps.ledger_rows[step] as usize;
            let lines = result.ledger[posted..rows].to_vec();
            posted = rows;
            let prices = steps.prices.iter().map(|column| PriceColumn {
                series: column.series,
                mark: vec![column.mark[step]],
                state: vec![column.state[step]],
            });
            let margins = steps.margins.iter().map(|column| MarginColumn {
                account: column.account,
                margin_balance: vec![column.margin_balance[step]],
                maintenance_margin: vec![column.maintenance_margin[step]],
            });
            let columns = StepColumns {
                at: vec![steps.at[step]],
                equity_usd: vec![steps.equity_usd[step]],
                external_flow_usd: vec![steps.external_flow_usd[step]],
                peg: Vec::new(),
                attribution: vec![steps.attribution[step]],
                net_delta: vec![steps.net_delta[step]],
                reference: vec![steps.reference[step]],
                ledger_rows: vec![steps.ledger_rows[step]],
                parked: vec![steps.parked[step]],
                tokens: Vec::new(),
                prices: prices.collect(),
                margins: margins.collect(),
                exit: vec![steps.exit[step]],
                exits: steps
                    .exits
                    .iter()
                    .map(|column| ExitColumn {
                        account: column.account,
                        exit: vec![column.exit[step]],
                    })
                    .collect(),
                risk: RiskColumns {
                    subjects: steps.risk.subjects.clone(),
                    rows: steps.risk.rows_of(step).to_vec(),
                    row_ends: vec![steps.risk.rows_of(step).len()],
                    gross_delta: vec![steps.risk.gross_delta[step]],
                    level: vec![steps.risk.level[step]],
                },
            };
            (columns, lines)
        })
        .collect()
}
