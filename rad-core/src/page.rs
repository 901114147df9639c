//! Keyset pages: a slice of an ordered listing and the place where the next one begins.

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
}

impl<T> Page<T> {
    /// A page with every item changed by `change`.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), next: self.next }
    }
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { items: Vec::new(), next: None }
    }
}
