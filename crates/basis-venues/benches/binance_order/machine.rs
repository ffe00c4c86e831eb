//! The machine of the venue, started at a venue in process; its orders go over the wire.

use std::collections::VecDeque;
use std::error::Error;

use basis_core::instruction::Instruction;
use basis_core::transport::{Request, Transport, TransportError};
use basis_core::types::{Span, Timestamp};
use basis_core::venue_event::{EventKind, OrderState};
use basis_live::actor::{Command, Input, Output, RequestId, VenueMachine};
use basis_live::net::HttpTransport;
use basis_sim::server::Server;
use basis_sim::server::binance::{AccountSettings, Permissions, Settings, Verifier};
use basis_testkit::{BTC, START, q, rules};
use basis_venues::binance::live::{BinanceMachine, Endpoints, LiveSettings, Signers};
use tokio::runtime::Runtime;

use super::{BOOK, KEY, SECRET, keys};

type Failed = Box<dyn Error>;

/// Between two orders on the machine's clock: its limits are those of the venue.
const APART: Span = Span::from_nanos(250_000_000);

/// A machine that may trade.
pub(crate) struct ReadyMachine {
    machine: BinanceMachine,
    server: Server,
    now: Timestamp,
    outputs: Vec<Output>,
    /// What it wants sent.
    sending: VecDeque<(RequestId, Request)>,
    /// Whether an order was reported as filled, and a fill.
    reported: (bool, bool),
}

impl ReadyMachine {
    /// Starts one whose orders go to `origin`.
    pub(crate) fn start(origin: &str) -> Result<Self, Failed> {
        let snapshot = rules("binance").at(START).clone();
        let mut server = Server::new(Settings::of_rules(&snapshot, 1), START);
        server.at(START, |exchange| {
            let account = exchange.add_account(AccountSettings {
                spot: vec![(basis_testkit::USDT, q("1000000"))],
                ..AccountSettings::entry_tier()
            });
            let secret = Verifier::Hmac(SECRET.into());
            exchange.add_key(account, KEY, secret, Permissions::trading());
        });
        let settings = LiveSettings {
            usdm: false,
            streams: false,
            ..LiveSettings::new(BOOK, Endpoints::on_loopback(origin)?, vec![BTC])
        };
        let signers = Signers {
            spot: Box::new(keys()?),
            usdm: Box::new(keys()?),
        };
        let mut own = Self {
            machine: BinanceMachine::new(settings, snapshot, signers, None),
            server,
            now: START,
            outputs: Vec::new(),
            sending: VecDeque::new(),
            reported: (false, false),
        };
        for _ in 0..100 {
            own.settle()?;
        }
        Ok(own)
    }

    /// Lets time pass, and has the venue in process answer what the machine reads in the meantime.
    pub(crate) fn settle(&mut self) -> Result<(), Failed> {
        self.now = self.now.plus(APART);
        self.handle(Input::Timer);
        for _ in 0..1_000 {
            let Some((id, request)) = self.sending.pop_front() else {
                return Ok(());
            };
            let (_, result) = self.server.call(self.now, request);
            let result = result.map_err(|_broken| TransportError::Unanswered("broken".to_owned()));
            self.handle(Input::Answer { id, result });
        }
        Err("the machine does not come to rest".into())
    }

    fn handle(&mut self, input: Input) {
        self.machine.handle(self.now, input, &mut self.outputs);
        for output in self.outputs.drain(..) {
            match output {
                Output::Send { id, request, .. } => self.sending.push_back((id, request)),
                Output::Event(event) => match event.kind {
                    EventKind::Order(update) => {
                        self.reported.0 |= update.state == OrderState::Filled;
                    }
                    EventKind::Fill(_) => self.reported.1 = true,
                    _ => {}
                },
                _ => {}
            }
        }
    }

    /// An instruction to the events of its fill.
    pub(crate) fn order(
        &mut self,
        instruction: Instruction,
        (runtime, transport): (&Runtime, &HttpTransport),
    ) -> Result<(), Failed> {
        self.handle(Input::Command(Command::Execute(vec![instruction])));
        let first = self.sending.pop_front();
        let (id, request) = first.ok_or("the order does not leave")?;
        let result = runtime.block_on(transport.send(request));
        self.handle(Input::Answer { id, result });
        if std::mem::take(&mut self.reported) == (true, true) {
            Ok(())
        } else {
            Err("the order is not reported as filled".into())
        }
    }
}
