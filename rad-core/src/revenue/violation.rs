//! Why the engine refuses an entry. A refusal changes nothing.

use chrono::{DateTime, Utc};

use super::{Bucket, LotSource};
use crate::id::AccountId;
use crate::money::{Amount, Credits, Currency, Rate};

/// Why an entry cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// Too few purchased credits, where only those may pay.
    #[error("{needed} purchased credits are needed and {available} are available: buy credits")]
    InsufficientPurchased {
        /// What is needed.
        needed: Credits,
        /// What there is of it.
        available: Credits,
    },
    /// Too few credits of both kinds.
    #[error("{needed} credits are needed and {available} are available: buy credits")]
    InsufficientTotal {
        /// What is needed.
        needed: Credits,
        /// What there is of it.
        available: Credits,
    },
    /// Too few awarded credits to remove.
    #[error("{needed} awarded credits are to be removed and {available} are available")]
    InsufficientAwarded {
        /// What is needed.
        needed: Credits,
        /// What there is of it.
        available: Credits,
    },
    /// Nothing can be held while credits are owed.
    #[error("{debt} credits are owed: buy credits to repay them first")]
    InDebt {
        /// What is owed.
        debt: Credits,
    },
    /// A number of credits that is zero or negative.
    #[error("{field} must be more than 0, not {value}")]
    NotPositive {
        /// The field.
        field: &'static str,
        /// Its value.
        value: Credits,
    },
    /// No entry of the account has this number.
    #[error("there is no hold {hold} in the account")]
    UnknownHold {
        /// The number given as a hold.
        hold: u64,
    },
    /// The entry exists and is not an open hold.
    #[error("entry {hold} is not an open hold: it was captured, released or has lapsed, or never was a hold")]
    HoldSettled {
        /// The number given as a hold.
        hold: u64,
    },
    /// More than the hold has.
    #[error("{amount} credits cannot be captured: hold {hold} has {held}")]
    ExceedsHold {
        /// The number given as a hold.
        hold: u64,
        /// What the hold has.
        held: Credits,
        /// What was asked for.
        amount: Credits,
    },
    /// A hold that would lapse before it begins.
    #[error("the hold would lapse at {expires}, which is past")]
    HoldInThePast {
        /// The time given.
        expires: DateTime<Utc>,
    },
    /// The entry is not a charge of the account.
    #[error("there is no charge {charge} in the account")]
    UnknownCharge {
        /// The number given as a charge.
        charge: u64,
    },
    /// More than is left to refund.
    #[error("{amount} credits cannot be refunded: {refundable} of charge {charge} are not yet refunded")]
    ExceedsCharge {
        /// The number given as a charge.
        charge: u64,
        /// What is not yet refunded.
        refundable: Credits,
        /// What was asked for.
        amount: Credits,
    },
    /// The entry did not open a lot of the account.
    #[error("there is no lot {lot} in the account")]
    UnknownLot {
        /// The number given as a lot.
        lot: u64,
    },
    /// More than is left to reverse.
    #[error("{amount} credits cannot be reversed: {reversible} of lot {lot} are not yet reversed")]
    ExceedsLot {
        /// The number given as a lot.
        lot: u64,
        /// What is not yet reversed.
        reversible: Credits,
        /// What was asked for.
        amount: Credits,
    },
    /// Nothing was paid for the lot, so no payment can be taken back.
    #[error("lot {lot} was not paid for: there is no payment to take back")]
    NotPaid {
        /// The number given as a lot.
        lot: u64,
    },
    /// The lot is frozen already.
    #[error("lot {lot} is frozen already")]
    AlreadyFrozen {
        /// The number given as a lot.
        lot: u64,
    },
    /// The lot is not frozen.
    #[error("lot {lot} is not frozen")]
    NotFrozen {
        /// The number given as a lot.
        lot: u64,
    },
    /// The lot has time left.
    #[error("lot {lot} has not expired")]
    NotExpired {
        /// The number given as a lot.
        lot: u64,
    },
    /// A lot that would be void at once.
    #[error("the credits would expire at {expires}, which is past")]
    AlreadyExpired {
        /// The time given.
        expires: DateTime<Utc>,
    },
    /// The source has lots of the other kind only.
    #[error("credits of source {source_kind:?} are not {bucket:?}")]
    WrongBucket {
        /// The source.
        source_kind: LotSource,
        /// The bucket given.
        bucket: Bucket,
    },
    /// Corrections have a kind of their own.
    #[error("a correction is not granted: post an adjustment, with its reason")]
    NotAGrant,
    /// A cost where nothing can have been paid, or a negative one.
    #[error("credits of source {source_kind:?} cannot cost {cost}")]
    WrongCost {
        /// The source.
        source_kind: LotSource,
        /// The cost given.
        cost: Amount,
    },
    /// The agent of a charge is the account that pays it.
    #[error("account {account} cannot be its own agent")]
    SelfReferral {
        /// The account.
        account: AccountId,
    },
    /// More than all of the revenue would be owed.
    #[error("the shares of partner ({partner}) and agent ({agent}) are more than 100 % together")]
    SharesExceedGross {
        /// The partner's share.
        partner: Rate,
        /// The agent's share.
        agent: Rate,
    },
    /// Partners' own shares must be in the order of their ids, each once.
    #[error("the partners' own shares are not in the order of their ids, or one stands twice")]
    UnorderedOverrides,
    /// Share rules whose version is not the next one.
    #[error("the share rules have version {actual}; the next one is {expected}")]
    RuleVersion {
        /// What it must be: the number of the entry.
        expected: u64,
        /// What it is.
        actual: u32,
    },
    /// Share rules that would change what was charged already.
    #[error(
        "share rules of {at} cannot be in force since {effective}: rates change from now on, never backwards"
    )]
    RulesBackdated {
        /// The time of the entry.
        at: DateTime<Utc>,
        /// The time given.
        effective: DateTime<Utc>,
    },
    /// The platform's currency cannot change under charges.
    #[error("the account's charges are in {expected}, not in {actual}")]
    CurrencyChanged {
        /// What it must be.
        expected: Currency,
        /// What it is.
        actual: Currency,
    },
    /// Nobody adjusts or refunds to their own balance.
    #[error("account {account} cannot change its own balance")]
    OwnBalance {
        /// The account.
        account: AccountId,
    },
    /// Adjustments and refunds are made by somebody.
    #[error("a refund or adjustment names who made it")]
    NoActor,
    /// Not a reason.
    #[error(
        "a reason has 1 to 500 bytes, no control character, and no '@': no e-mail address gets into a ledger"
    )]
    BadReason,
    /// Share rules go into the platform's account, and nothing else does.
    #[error("share rules, and only they, are entries of the platform's own account")]
    WrongKindOfAccount,
    /// The entry is another account's.
    #[error("the entry is of account {actual}, not of {expected}")]
    WrongAccount {
        /// What it must be.
        expected: AccountId,
        /// What it is.
        actual: AccountId,
    },
    /// A number that is not the next one.
    #[error("the entry has number {actual}; the next one of the account is {expected}")]
    OutOfSequence {
        /// What it must be.
        expected: u64,
        /// What it is.
        actual: u64,
    },
    /// A time before the entry that precedes it.
    #[error("the entry is of {at}, before the one it follows ({last})")]
    TimeBackwards {
        /// The time of the last entry.
        last: DateTime<Utc>,
        /// The time given.
        at: DateTime<Utc>,
    },
    /// A time that canonical bytes cannot carry.
    #[error("{at} is not a whole number of microseconds")]
    TimePrecision {
        /// The time given.
        at: DateTime<Utc>,
    },
    /// A number beyond what the engine counts with.
    #[error("{what} would be too large a number")]
    Overflow {
        /// What it is about.
        what: &'static str,
    },
    /// The state contradicts itself or lacks what [`needs`](super::AccountState::needs) asked for. Only a state put together
    /// from stored parts can meet it; that state must be thrown away and the account verified.
    #[error("the state of the account is inconsistent: {what}")]
    Inconsistent {
        /// What it is about.
        what: &'static str,
    },
}
