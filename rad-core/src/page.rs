//! Keyset pages: a slice of an ordered listing, and the places where the next one begins and the one before ends.

use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A place in a listing, opaque to everybody but the backend that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(String);

impl Cursor {
    /// A cursor with a backend's own text; at most 512 bytes are kept.
    pub fn new(text: impl Into<String>) -> Self {
        let mut text = text.into();
        if text.len() > 512 {
            text = text.chars().take(128).collect();
        }
        Self(text)
    }

    /// The backend's own text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A slice of an ordered listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items, in the listing's order.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last page.
    pub next: Option<Cursor>,
    /// Where the page before ends; `None` on the first page, and in listings that go one way only.
    #[serde(default)]
    pub previous: Option<Cursor>,
}

impl<T> Page<T> {
    /// A page of a listing that goes one way only.
    pub const fn one_way(items: Vec<T>, next: Option<Cursor>) -> Self {
        Self { items, next, previous: None }
    }

    /// A page with every item changed by `change`.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), next: self.next, previous: self.previous }
    }
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { items: Vec::new(), next: None, previous: None }
    }
}

/// Which page of a listing is asked for, where pages go both ways; `P` is a place in the listing.
///
/// ```
/// use rad_core::page::{Cursor, Turn};
///
/// // A listing of numbers that go up, three to a page.
/// let page = |turn: Turn<u64>| {
///     let found: Vec<u64> = match turn {
///         Turn::First => (1..=8).take(4).collect(),
///         Turn::After(place) => (1..=8).filter(|n| *n > place).take(4).collect(),
///         Turn::Before(place) => (1..=8).rev().filter(|n| *n < place).take(4).collect(),
///     };
///     turn.page(found, 3, |n| *n)
/// };
/// let second = page(page(Turn::First).next.as_ref().map_or(Ok(Turn::First), Turn::read)?);
/// assert_eq!(second.items, [4, 5, 6]);
/// let first = page(second.previous.as_ref().map_or(Ok(Turn::First), Turn::read)?);
/// assert_eq!((first.items, first.previous), (vec![1, 2, 3], None));
/// assert!(Turn::<u64>::read(&Cursor::new("4")).is_err());
/// # Ok::<(), rad_core::page::BadCursor>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn<P> {
    /// The first page.
    First,
    /// The page that begins right after a place.
    After(P),
    /// The page that ends right before a place.
    Before(P),
}

impl<P> Turn<P> {
    /// The place that the page begins or ends at; none for the first page.
    pub const fn place(&self) -> Option<&P> {
        match self {
            Self::First => None,
            Self::After(place) | Self::Before(place) => Some(place),
        }
    }

    /// Whether what is to be found rises from the [place](Self::place), in a listing that goes up or down itself: a page before
    /// a place is found backwards.
    pub const fn rises(&self, listing_rises: bool) -> bool {
        listing_rises != matches!(self, Self::Before(_))
    }
}

impl<P: Display + FromStr> Turn<P> {
    /// Reads a cursor that [`page`](Self::page) wrote.
    ///
    /// # Errors
    /// [`BadCursor`] for any other text.
    pub fn read(cursor: &Cursor) -> Result<Self, BadCursor> {
        let text = cursor.as_str();
        let read = || {
            let (turn, place): (fn(P) -> Self, &str) = match text.split_once('-')? {
                ("after", place) => (Self::After, place),
                ("before", place) => (Self::Before, place),
                _ => return None,
            };
            // Nothing is read that would not be written the same.
            place.parse().ok().filter(|read: &P| read.to_string() == place).map(turn)
        };
        read().ok_or_else(|| BadCursor { text: text.chars().take(40).collect() })
    }

    /// The cursor of the page, which [`read`](Self::read) reads; none for the first page.
    pub fn cursor(&self) -> Option<Cursor> {
        match self {
            Self::First => None,
            Self::After(place) => Some(Cursor::new(format!("after-{place}"))),
            Self::Before(place) => Some(Cursor::new(format!("before-{place}"))),
        }
    }

    /// Makes the page of what was found. `found` begins at the place and goes away from it: forwards, or for a page
    /// [before](Self::Before) a place backwards; it has one item more than `limit` if there are more.
    pub fn page<T>(&self, mut found: Vec<T>, limit: usize, place: impl Fn(&T) -> P) -> Page<T> {
        let has_more = found.len() > limit;
        found.truncate(limit);
        let goes_back = matches!(self, Self::Before(_));
        if goes_back {
            found.reverse();
        }
        // Behind the place that was asked for there is the item it is the place of.
        let (has_previous, has_next) = match self {
            Self::First => (false, has_more),
            Self::After(_) => (true, has_more),
            Self::Before(_) => (has_more, true),
        };
        let next = found.last().filter(|_| has_next).and_then(|last| Self::After(place(last)).cursor());
        let previous =
            found.first().filter(|_| has_previous).and_then(|first| Self::Before(place(first)).cursor());
        Page { items: found, next, previous }
    }
}

/// A cursor that is none of the listing's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no page of this listing: leave it out to begin at the first page")]
pub struct BadCursor {
    /// How it begins.
    pub text: String,
}
