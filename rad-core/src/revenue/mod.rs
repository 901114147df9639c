#![doc = include_str!("README.md")]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod balance;
mod body;
mod chain;
mod coding;
mod effect;
mod entry;
mod exact;
mod history;
pub mod journal;
mod kind;
mod lot;
mod observer;
mod policy;
mod share;
mod state;
pub mod statement;
mod summary;
mod terms;
mod text;
mod violation;

pub use balance::{Balance, Split, SplitPart};
pub use body::{
    Adjustment, Body, Capture, Expiry, Freeze, Grant, Hold, Paid, ProjectDebit, Refund, Release, Reversal,
    ReversalCause, Unfreeze,
};
pub use chain::{Audit, Broken, EntryHasher, Sealed};
pub use coding::{CodingError, Compact};
pub use effect::{DebtChange, DebtOf, Earning, Effect, LineKind, Move, Part, Place, RevenueLine};
pub use entry::{Entry, EntryId, EntryKey};
pub use history::{ShareHistory, TermDifference, TermsError};
pub use kind::EntryKind;
pub use lot::{Bucket, Lot, LotSource};
pub use observer::Observer;
pub use policy::{BurnOrder, Policies, RevenueBasis, Rounding};
pub use share::Shares;
pub use state::{AccountState, Charge, Debt, Needs, OpenHold, Snapshot};
pub use summary::{Booked, Group, Grouping, Summary, Totals};
pub use terms::{ChargeTerms, PLATFORM_ACCOUNT, PartnerRate, ShareRules};
pub use text::Reason;
pub use violation::Violation;
