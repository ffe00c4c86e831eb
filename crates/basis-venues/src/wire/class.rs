//! What an error code says, and what follows from it: the same few classes for every exchange.

/// What a code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Nothing certain: the venue failed on its way, or the code is not known.
    Unknown,
    /// A limit of requests or orders; not accepted.
    Limit,
    /// Too busy to take it.
    Overloaded,
    /// The stamp is out of its window; not accepted.
    Clock,
    /// Key, signature, address or permission refused.
    Credentials,
    /// The stream's listen key is gone; a new one opens the stream again.
    ListenKey,
    /// The request is wrong as it stands, or misses a filter.
    Filter,
    /// Balance or margin does not cover it.
    Funds,
    /// A bound on position or leverage.
    PositionLimit,
    /// The order was refused for what it is, and is dead: FOK, post-only, price band, reduce-only.
    Refused,
    /// The order is filled, cancelled, expired, or was never there.
    OrderGone,
    /// The order died without a fill, long ago.
    Archived,
    /// An order bears the client id already.
    Duplicate,
    /// It is as it was asked to be.
    AlreadySo,
    /// The order, or its change, is being processed; what comes of it is asked after a short wait.
    InProgress,
    /// Open orders, positions or the asset mode stand against the change.
    Blocked,
    /// The position side does not fit the account's position mode.
    PositionMode,
    /// The account's level does not have it.
    AccountMode,
    /// There is no position to close or reduce, or less than asked.
    NoPosition,
    /// One half of a cancel-and-replace was done, the other not.
    HalfDone,
    /// Trading is closed, or only allowed to reduce.
    Restricted,
    /// The account is being liquidated.
    Liquidation,
    /// Too many open orders.
    TooManyOrders,
}

/// What follows from a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A read may be repeated; an order has an unknown outcome, and is asked for by its client id.
    Query,
    /// Certainly not accepted, and a repeat can pass: after a wait, as a new instruction.
    BackOff,
    /// Certainly not accepted: measure the clock anew; a repeat is a new instruction.
    ResyncClock,
    /// Nothing more is sent to the venue until somebody looks.
    Stop,
    /// Certainly not accepted, and never repeated as it stands.
    Permanent,
    /// Certainly not accepted: order less, or bring funds.
    Reduce,
    /// Counts as done.
    Done,
    /// Make a new listen key.
    RenewListenKey,
    /// Read the account's modes anew before anything else.
    RereadModes,
    /// Certainly not accepted: read the positions anew before anything else.
    RereadPositions,
    /// Certainly not accepted, and never will be before the account is set up otherwise at the venue.
    Configure,
}

impl Class {
    /// Returns what follows from it.
    #[must_use]
    pub const fn action(self) -> Action {
        match self {
            Self::Unknown
            | Self::OrderGone
            | Self::Duplicate
            | Self::InProgress
            | Self::HalfDone => Action::Query,
            Self::Limit | Self::Overloaded | Self::TooManyOrders => Action::BackOff,
            Self::Clock => Action::ResyncClock,
            Self::Credentials | Self::Liquidation | Self::Restricted => Action::Stop,
            Self::Filter | Self::Refused | Self::Archived | Self::Blocked => Action::Permanent,
            Self::Funds | Self::PositionLimit => Action::Reduce,
            Self::AlreadySo => Action::Done,
            Self::ListenKey => Action::RenewListenKey,
            Self::PositionMode => Action::RereadModes,
            Self::AccountMode => Action::Configure,
            Self::NoPosition => Action::RereadPositions,
        }
    }
}
