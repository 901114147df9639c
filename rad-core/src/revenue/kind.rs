//! The kinds of entries, by name.

use std::fmt;
use std::str::FromStr;

use super::Body;
use crate::id::ParseIdError;

/// Everything that lists the kinds, from one list: each kind has the name of its [`Body`], and one of its own.
macro_rules! kinds {
    ($($kind:ident = $name:literal,)*) => {
        /// The kind of an entry, without what it says.
        ///
        /// ```
        /// use rad_core::revenue::EntryKind;
        ///
        /// assert_eq!("project_debit".parse(), Ok(EntryKind::ProjectDebit));
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum EntryKind {
            $(#[doc = concat!("[`Body::", stringify!($kind), "`].")] $kind,)*
        }

        impl EntryKind {
            /// Every kind, in the order of [`Body`].
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$kind),*];

            /// The kind of an entry with this body.
            pub const fn of(body: &Body) -> Self {
                match body {
                    $(Body::$kind(_) => Self::$kind,)*
                }
            }

            /// The kind's name, as in JSON.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$kind),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    Grant = "grant",
    Hold = "hold",
    Capture = "capture",
    Release = "release",
    Refund = "refund",
    Freeze = "freeze",
    Unfreeze = "unfreeze",
    Reversal = "reversal",
    Expiry = "expiry",
    ProjectDebit = "project_debit",
    Adjustment = "adjustment",
    ShareRules = "share_rules",
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for EntryKind {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        Self::named(text).ok_or_else(|| ParseIdError::new("EntryKind", text))
    }
}
