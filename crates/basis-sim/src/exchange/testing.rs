//! A desk for tests: one simulated exchange, hourly bars in code, a ledger that is checked.
//!
//! The ledger is what the engine's posting makes of the events; the desk compares its sums with the
//! venue's own tally after every call.

pub(crate) mod binance;
pub(crate) mod bybit;
pub(crate) mod okx;
mod reported;

use std::collections::BTreeMap;
use std::sync::Arc;

use basis_core::error::{VenueError, VenueErrorKind};
use basis_core::in_flight::InFlightTransfers;
use basis_core::instruction::{Instruction, Operation};
use basis_core::ledger::LedgerEntry;
use basis_core::num::{Price, Quantity, Rate};
use basis_core::rules::{RuleBook, VenueRules};
use basis_core::types::{
    Account, Asset, InstructionId, Item, Label, SeriesId, SeriesKind, Side, Span, Venue,
};
use basis_core::venue::FillAt;
use basis_core::venue_event::{EventKind, Events, Position, Text, VenueEvent};
use basis_market::ExecutionInterface;
use basis_market::{BarColumns, MarketData, MarketView, RateSeries, SeriesRequest, ViewPolicy};

use self::reported::status;
use super::{ExchangeProfile, ExchangeSettings, SimulatedExchange, Slippage};
use crate::settings::InitialBalance;

pub(crate) use self::reported::{Execution, ExecutionStatus, Reported, reported};
pub(crate) use basis_testkit::*;

const HOURS: usize = 60;

/// Hourly bars of one market; flat but for the bars named.
#[derive(Clone)]
pub(crate) struct Bars {
    rows: Vec<[Price; 4]>,
    present: Vec<bool>,
}

impl Bars {
    pub(crate) fn flat(price: &str) -> Self {
        Self {
            rows: vec![[p(price); 4]; HOURS],
            present: vec![true; HOURS],
        }
    }

    /// The bar that closes at `hour`: open, high, low, close; later bars are flat at its close.
    pub(crate) fn bar(mut self, hour: usize, prices: [&str; 4]) -> Self {
        self.rows[hour - 1] = prices.map(p);
        for row in &mut self.rows[hour..] {
            *row = [p(prices[3]); 4];
        }
        self
    }

    /// No bar closes at `hour`.
    pub(crate) fn gap(mut self, hour: usize) -> Self {
        self.present[hour - 1] = false;
        self
    }

    fn series(&self, id: SeriesId) -> BarColumns {
        let rows: Vec<_> = (0..).zip(&self.rows).zip(&self.present).collect();
        let rows: Vec<_> = rows.iter().filter(|row| *row.1).map(|row| row.0).collect();
        let column = |at: usize| rows.iter().map(|row| row.1[at]).collect();
        BarColumns {
            id,
            length: Span::from_hours(1),
            opened_at: rows
                .iter()
                .map(|row| START.plus(Span::from_hours(row.0)))
                .collect(),
            open: column(0),
            high: column(1),
            low: column(2),
            close: column(3),
            volume: vec![q("100"); rows.len()],
        }
    }
}

pub(crate) fn view(venues: &[Venue], btc: &Bars, rates: &[(i64, &str)]) -> MarketView {
    let mut data = MarketData::new("in code", true);
    let mut requests = Vec::new();
    for &venue in venues {
        for (kind, symbol, bars) in [
            (SeriesKind::Spot, BTC, btc),
            (SeriesKind::Perp, BTC, btc),
            (SeriesKind::Perp, ETH, &Bars::flat("2000")),
        ] {
            let id = SeriesId::new(kind, venue, symbol);
            data.add_bars(bars.series(id)).unwrap();
            let reference = None;
            requests.push(SeriesRequest { id, reference });
        }
        for symbol in [BTC, ETH] {
            let at = rates.iter().map(|r| START.plus(Span::from_hours(r.0)));
            data.add_rates(RateSeries {
                id: SeriesId::new(SeriesKind::Funding, venue, symbol),
                at: at.collect(),
                rate: rates.iter().map(|r| r.1.parse::<Rate>().unwrap()).collect(),
            })
            .unwrap();
        }
    }
    let mut view = MarketView::new(Arc::new(data), &requests, ViewPolicy::default()).unwrap();
    view.advance_to(START.plus(Span::from_hours(1))).unwrap();
    view
}

/// One venue, its view, and every line of what it has reported.
pub(crate) struct Desk {
    pub(crate) venue: SimulatedExchange,
    pub(crate) view: MarketView,
    pub(crate) transit: Arc<InFlightTransfers>,
    pub(crate) ledger: Vec<LedgerEntry>,
    initial: Vec<(Account, Asset, Quantity)>,
    next: u32,
}

impl Desk {
    /// A venue with `balances` (account, asset, quantity), without slippage, leverage 5, at hour 1.
    pub(crate) fn new(
        profile: &'static ExchangeProfile,
        bars: &Bars,
        rates: &[(i64, &str)],
        balances: &[(&str, &str, &str)],
    ) -> Self {
        let initial_balances: Vec<_> = balances
            .iter()
            .map(|(account, asset, quantity)| InitialBalance {
                account: Label::new(account).unwrap(),
                asset: Asset::new(asset).unwrap(),
                quantity: q(quantity),
            })
            .collect();
        let initial = initial_balances
            .iter()
            .map(|b| (Account::new(profile.venue, b.account), b.asset, b.quantity))
            .collect();
        let settings = ExchangeSettings {
            slippage: Slippage::None,
            initial_balances,
            ..ExchangeSettings::default()
        };
        let transit = Arc::new(InFlightTransfers::default());
        let fill_at = FillAt::default();
        let mut venue = SimulatedExchange::new(profile, settings, Arc::clone(&transit), fill_at);
        venue.set_dependencies(dependencies(&[profile.venue.as_str(), "wallet"]));
        Self {
            venue,
            view: view(&[profile.venue], bars, rates),
            transit,
            ledger: Vec::new(),
            initial,
            next: 1,
        }
    }

    pub(crate) fn slippage(mut self, slippage: Slippage) -> Self {
        self.venue.settings.slippage = slippage;
        self
    }

    /// Other settings than those of [`Desk::new`].
    pub(crate) fn with(mut self, change: impl FnOnce(&mut ExchangeSettings)) -> Self {
        change(&mut self.venue.settings);
        self
    }

    /// Taking orders fill at the open of the next bar.
    pub(crate) fn at_next_open(mut self) -> Self {
        self.venue.ready.as_mut().unwrap().fill_at = FillAt::NextOpen;
        self
    }

    /// Other rules of the venue than those of [`rules`].
    pub(crate) fn under(mut self, own: VenueRules) -> Self {
        let mut dependencies = dependencies(&[]);
        dependencies.data_provider = Some(Arc::new(RuleBook::new([own, rules("wallet")])));
        self.venue.set_dependencies(dependencies);
        self
    }

    pub(crate) fn account(&self, name: &str) -> Account {
        Account::new(self.venue.profile.venue, Label::new(name).unwrap())
    }

    /// Moves to `hour` and collects what happened.
    pub(crate) fn to(&mut self, hour: i64) -> Vec<Reported> {
        self.view
            .advance_to(START.plus(Span::from_hours(hour)))
            .unwrap();
        let events = self.poll();
        let rows = self.book(&events);
        self.check();
        rows
    }

    /// What the venue has to say at the view's instant, unbooked.
    pub(crate) fn poll(&mut self) -> Events {
        let mut events = Events::new();
        self.venue.poll_events(&self.view, &mut events);
        events
    }

    /// Posts events to the desk's ledger.
    pub(crate) fn book(&mut self, events: &[VenueEvent]) -> Vec<Reported> {
        let rows = reported(&self.view, events);
        let lines = rows.iter().flat_map(|row| &row.entries);
        self.ledger.extend(lines.cloned());
        rows
    }

    /// The operation as the next instruction, not sent.
    pub(crate) fn instruction(&mut self, operation: Operation) -> Instruction {
        let id = InstructionId::plain(self.next);
        self.next += 1;
        Instruction::new(id, operation)
    }

    /// Sends an instruction as it is; its events, unbooked.
    pub(crate) fn send(&mut self, instruction: &Instruction) -> Events {
        let mut events = Events::new();
        let instructions = std::slice::from_ref(instruction);
        self.venue
            .execute_instructions(&self.view, instructions, &mut events);
        events
    }

    pub(crate) fn run(&mut self, operation: Operation) -> Result<Execution, VenueError> {
        let instruction = self.instruction(operation);
        let events = self.send(&instruction);
        let rows = self.book(&events);
        self.check();
        let fills = rows.iter().filter_map(|row| match &row.kind {
            EventKind::Fill(fill) => Some((**fill).clone()),
            _ => None,
        });
        Ok(Execution {
            instruction: instruction.id,
            status: status(&events, instruction.id)?,
            fills: fills.collect(),
            entries: rows.iter().flat_map(|row| row.entries.clone()).collect(),
            events: rows,
        })
    }

    pub(crate) fn perp(&mut self, side: Side, quantity: &str) -> Result<Execution, VenueError> {
        self.run(perp_market(BTC, side, quantity))
    }

    /// The code and text of a refusal.
    pub(crate) fn refused(&mut self, operation: Operation) -> (Option<&'static str>, String) {
        let before = self.holdings();
        let e = self.run(operation).unwrap_err();
        assert_eq!(before, self.holdings(), "a refusal changes nothing");
        match e.kind {
            VenueErrorKind::Rejected { reason, venue_code } => {
                let code = venue_code.map(|code| match code {
                    Text::Borrowed(code) => code,
                    Text::Owned(code) => panic!("`{code}` is no code of a profile"),
                });
                (code, reason.to_string())
            }
            other => (None, other.to_string()),
        }
    }

    /// What the venue says when it is asked at an instant at which it has nothing else to say.
    pub(crate) fn holdings(&mut self) -> Vec<Position> {
        self.venue.request_snapshot();
        let events = self.poll();
        let [event] = events.as_slice() else {
            panic!("one answer: {events:?}")
        };
        assert!(
            matches!(event.kind, EventKind::Snapshot { .. }),
            "{event:?}"
        );
        let account = self.venue.account();
        assert_eq!((account.asked, account.answered), (event.at, event.at));
        assert_eq!(account.contradiction(), None);
        account.positions.clone()
    }

    pub(crate) fn held(&mut self, account: &str, asset: &str) -> Quantity {
        let item = Item::Asset(Asset::new(asset).unwrap());
        let account = self.account(account);
        let holdings = self.holdings();
        let row = holdings
            .iter()
            .find(|row| row.account == account && row.item == item);
        row.map_or(Quantity::ZERO, |row| row.quantity)
    }

    /// The sum of initial balances and ledger lines is what the venue holds, transit included.
    fn check(&mut self) {
        let mut causes: Vec<_> = self.ledger.iter().map(|entry| &entry.cause).collect();
        let count = causes.len();
        causes.sort();
        causes.dedup();
        assert_eq!(causes.len(), count, "causes are unique");
        let (sums, held) = self.sums_and_holdings();
        assert_eq!(sums, held, "holdings are the sum of the ledger");
    }

    /// What the ledger adds up to, and what the venue says it holds, by account and item.
    pub(crate) fn sums_and_holdings(&mut self) -> (Sums, Sums) {
        let mut sums = Sums::new();
        let mut add = |key, quantity: Quantity| {
            let sum = sums.entry(key).or_insert(Quantity::ZERO);
            *sum = sum.add(quantity).unwrap();
        };
        for (account, asset, quantity) in &self.initial {
            add((*account, Item::Asset(*asset)), *quantity);
        }
        for entry in &self.ledger {
            add((entry.account, entry.item), entry.quantity);
        }
        let mut held: Sums = self
            .holdings()
            .iter()
            .map(|row| ((row.account, row.item), row.quantity))
            .collect();
        for transfer in self.transit.in_flight() {
            let key = (Account::IN_FLIGHT, Item::Asset(transfer.asset));
            let sum = held.entry(key).or_insert(Quantity::ZERO);
            *sum = sum.add(transfer.amount).unwrap();
        }
        sums.retain(|_, sum| !sum.is_zero());
        (sums, held)
    }
}

/// Quantities by account and item.
type Sums = BTreeMap<(Account, Item), Quantity>;
