//! What makes requests in the tests of Bybit and OKX.

use basis_core::error::VenueError;
use basis_core::instruction::{Instruction, Operation};
use basis_core::num::{Bps, Price, Quantity};
use basis_core::rules::{RuleSnapshot, WithdrawalRules};
use basis_core::types::{Account, Asset, BookId, InstructionId, Label, Span, Venue};
use basis_venues::wire::{
    Collar, Context, JsonDraft, KnownOrder, Payload, Scalar, WithdrawalTarget,
};
use serde_json::{Value, json};

use crate::compare::{limit, trade};

/// How a venue's codec turns an instruction into requests.
pub(crate) type Requests =
    fn(Venue, &Instruction, &Context<'_>) -> Result<Vec<JsonDraft>, VenueError>;

/// A codec with the rules it works by.
pub(crate) struct Bench {
    pub(crate) venue: Venue,
    pub(crate) rules: RuleSnapshot,
    pub(crate) requests: Requests,
}

impl Bench {
    pub(crate) const BOOK: u64 = 7;

    pub(crate) fn attempt(
        &self,
        operation: Value,
        order: Option<&KnownOrder>,
    ) -> Result<Vec<JsonDraft>, String> {
        let operation: Operation = serde_json::from_value(operation).unwrap();
        let instruction = Instruction::new(InstructionId::plain(2), operation);
        let collar = Collar {
            reference: Price::literal("37000"),
            width: Bps::literal("50"),
        };
        let context = Context {
            book: BookId::from_number(Self::BOOK),
            rules: &self.rules,
            collar: Some(collar),
            order,
            withdrawal: None,
        };
        (self.requests)(self.venue, &instruction, &context).map_err(|e| e.to_string())
    }

    /// What a withdrawal of `amount` USDT from `from` becomes, where the venue asks 1 for it and takes 6 decimals.
    pub(crate) fn withdrawal(&self, from: Account, amount: &str) -> Result<JsonDraft, String> {
        let usdt = Asset::literal("USDT");
        let mut rules = self.rules.clone();
        rules.transfers.withdrawals.push(WithdrawalRules {
            asset: usdt,
            network: Label::literal("ethereum"),
            fee: Quantity::literal("1"),
            minimum: Quantity::literal("2"),
            decimals: 6,
            delay: Span::from_minutes(5),
        });
        let operation = json!({"transfer": {"asset": "USDT", "amount": amount, "from": from,
            "to": {"venue": "wallet", "name": "main"}}});
        let operation = serde_json::from_value(operation).unwrap();
        let target = WithdrawalTarget {
            network: "USDT-ERC20".to_owned(),
            address: "0xabc".to_owned(),
            tag: Some("7".to_owned()),
        };
        let context = Context {
            book: BookId::from_number(Self::BOOK),
            rules: &rules,
            collar: None,
            order: None,
            withdrawal: Some(&target),
        };
        let instruction = Instruction::new(InstructionId::plain(2), operation);
        let drafts = (self.requests)(self.venue, &instruction, &context);
        drafts
            .map(|mut drafts| drafts.remove(0))
            .map_err(|e| e.to_string())
    }

    pub(crate) fn drafts(&self, operation: Value) -> Vec<JsonDraft> {
        self.attempt(operation, None).unwrap()
    }

    /// The limit order of instruction 1.
    pub(crate) fn known(kind: &str, side: &str) -> KnownOrder {
        let operation = trade(kind, side, "0.01", limit("36000", json!({})));
        let operation = serde_json::from_value(operation).unwrap();
        KnownOrder::opened_by(&Instruction::new(InstructionId::plain(1), operation)).unwrap()
    }
}

/// The value of a field of a body.
pub(crate) fn field(draft: &JsonDraft, name: &str) -> Option<String> {
    let Payload::Body(fields) = &draft.payload else {
        panic!("{} has no body", draft.path)
    };
    let mut pairs = fields.pairs().iter();
    pairs
        .find(|(key, _)| *key == name)
        .map(|(_, value)| match value {
            Scalar::Text(text) => text.clone(),
            Scalar::Number(number) => number.to_string(),
            Scalar::Flag(flag) => flag.to_string(),
            Scalar::Stamp => "the stamp".to_owned(),
        })
}
