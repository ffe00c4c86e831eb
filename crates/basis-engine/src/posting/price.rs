//! The price of a line whose event states none, and where it is read.

use std::cell::RefCell;

use basis_core::journal::{MarkSubject, PostedMark};
use basis_core::num::Price;
use basis_core::types::{Asset, InstrumentKey, SeriesKind, Timestamp, Venue};
use basis_market::{Mark, MarketView, SlotId, is_dollar};

use super::PostingError;
use super::writer::known;

/// The price of what is valued at one dollar.
pub(super) const ONE_DOLLAR: Price = Price::literal("1");

/// The marks that posting reads: a view, or those that a journal kept.
pub trait Marks {
    /// The USD price of a unit of `asset` in a line that `venue` reports; `None` when nothing shows one.
    ///
    /// # Errors
    /// [`PostingError`] when it leaves the range, or was not kept.
    fn price(&self, asset: Asset, venue: Venue) -> Result<Option<Price>, PostingError>;

    /// The USD price of a unit of `asset` as it was `at` an instant within the wake's step; the price now where
    /// that instant shows none of its own.
    ///
    /// # Errors
    /// As [`Marks::price`].
    fn price_at(
        &self,
        asset: Asset,
        venue: Venue,
        at: Timestamp,
    ) -> Result<Option<Price>, PostingError>;

    /// The mark of an instrument, USD; `None` when nothing shows one.
    ///
    /// # Errors
    /// [`PostingError`] when it was not kept.
    fn mark(&self, instrument: InstrumentKey) -> Result<Option<Price>, PostingError>;
}

/// An asset's price is 1 for a dollar token; else the venue's own spot quote, against USDT before USDC,
/// whatever its state; else what the view values the asset at.
impl Marks for MarketView {
    fn price(&self, asset: Asset, venue: Venue) -> Result<Option<Price>, PostingError> {
        if is_dollar(asset) {
            return Ok(Some(ONE_DOLLAR));
        }
        if let Some(slot) = own_slot(self, asset, venue) {
            return Ok(known(self.quote(slot).mark));
        }
        let price = self.mark_of(asset).map(|mark| self.price_usd(mark));
        Ok(price.transpose().map(Option::flatten)?)
    }

    fn price_at(
        &self,
        asset: Asset,
        venue: Venue,
        at: Timestamp,
    ) -> Result<Option<Price>, PostingError> {
        let slot = match self.mark_of(asset) {
            _ if is_dollar(asset) || at >= self.now() => None,
            Some(Mark::Series(slot)) => Some(own_slot(self, asset, venue).unwrap_or(slot)),
            _ => own_slot(self, asset, venue),
        };
        let then = slot.map(|slot| self.mark_at(slot, at)).transpose()?;
        match then.flatten().and_then(known) {
            Some(price) => Ok(Some(price)),
            None => self.price(asset, venue),
        }
    }

    fn mark(&self, instrument: InstrumentKey) -> Result<Option<Price>, PostingError> {
        let slot = self.slot(instrument.series());
        Ok(slot.map(|slot| self.quote(self.mark_slot(slot)).mark))
    }
}

/// A view that notes what is read of it, for a journal.
#[derive(Debug)]
pub(crate) struct NotedMarks<'a> {
    view: &'a MarketView,
    noted: RefCell<Vec<PostedMark>>,
}

impl<'a> NotedMarks<'a> {
    pub(crate) const fn new(view: &'a MarketView) -> Self {
        let noted = RefCell::new(Vec::new());
        Self { view, noted }
    }

    /// What was read, each once.
    pub(crate) fn into_noted(self) -> Vec<PostedMark> {
        self.noted.into_inner()
    }

    fn note(&self, subject: MarkSubject, price: Option<Price>) {
        let mut noted = self.noted.borrow_mut();
        if noted.iter().all(|mark| mark.subject != subject) {
            noted.push(PostedMark { subject, price });
        }
    }
}

impl Marks for NotedMarks<'_> {
    fn price(&self, asset: Asset, venue: Venue) -> Result<Option<Price>, PostingError> {
        let price = self.view.price(asset, venue)?;
        if !is_dollar(asset) {
            self.note(MarkSubject::Asset { asset, venue }, price);
        }
        Ok(price)
    }

    fn price_at(
        &self,
        asset: Asset,
        venue: Venue,
        at: Timestamp,
    ) -> Result<Option<Price>, PostingError> {
        let price = self.view.price_at(asset, venue, at)?;
        if !is_dollar(asset) {
            self.note(MarkSubject::Asset { asset, venue }, price);
        }
        Ok(price)
    }

    fn mark(&self, instrument: InstrumentKey) -> Result<Option<Price>, PostingError> {
        let mark = self.view.mark(instrument)?;
        self.note(MarkSubject::Instrument(instrument), mark);
        Ok(mark)
    }
}

/// The marks that a journal kept with an event. A dollar token is a dollar.
#[derive(Clone, Copy, Debug)]
pub struct KeptMarks<'a>(pub &'a [PostedMark]);

impl Marks for KeptMarks<'_> {
    fn price(&self, asset: Asset, venue: Venue) -> Result<Option<Price>, PostingError> {
        if is_dollar(asset) {
            return Ok(Some(ONE_DOLLAR));
        }
        kept(self.0, MarkSubject::Asset { asset, venue })
    }

    fn price_at(
        &self,
        asset: Asset,
        venue: Venue,
        _: Timestamp,
    ) -> Result<Option<Price>, PostingError> {
        self.price(asset, venue)
    }

    fn mark(&self, instrument: InstrumentKey) -> Result<Option<Price>, PostingError> {
        kept(self.0, MarkSubject::Instrument(instrument))
    }
}

fn kept(marks: &[PostedMark], subject: MarkSubject) -> Result<Option<Price>, PostingError> {
    let mark = marks.iter().find(|mark| mark.subject == subject);
    mark.map(|mark| mark.price)
        .ok_or(PostingError::MarkNotKept(subject))
}

/// The venue's own spot series of `asset`.
fn own_slot(view: &MarketView, asset: Asset, venue: Venue) -> Option<SlotId> {
    let mut in_usdc = None;
    for (id, slot) in view.series() {
        if id.kind != SeriesKind::Spot || id.venue != venue {
            continue;
        }
        match id.symbol.as_str().strip_prefix(asset.as_str()) {
            Some("USDT") => return Some(slot),
            Some("USDC") => in_usdc = Some(slot),
            _ => {}
        }
    }
    in_usdc
}
