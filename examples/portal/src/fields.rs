//! The fields of a form or query, as they were sent: names and texts in order.

use std::fmt;
use std::str::FromStr;

use crate::error::PageError;

/// Fields taken from one request at the most.
const MOST: usize = 20_000;

/// Names and texts, in the order they were sent; a name can come several times.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads the URL-encoded form `name=text&…`.
    ///
    /// # Errors
    /// [`PageError::BadRequest`] above 20,000 fields.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, PageError> {
        let fields: Vec<_> = form_urlencoded::parse(bytes).into_owned().take(MOST + 1).collect();
        if fields.len() > MOST {
            return Err(PageError::BadRequest(format!("a form has at most {MOST} fields")));
        }
        Ok(Self(fields))
    }

    /// The last text under `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find_map(|(key, text)| (key == name).then_some(text.as_str()))
    }

    /// The last text under `name`, trimmed; empty where there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default().trim()
    }

    /// The texts under `name`.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter_map(move |(key, text)| (key == name).then_some(text.as_str()))
    }

    /// Whether a box of this name is ticked.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        matches!(self.get(name), Some("on" | "true" | "1"))
    }

    /// All fields in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// What the text under `name` stands for.
    ///
    /// # Errors
    /// [`PageError::BadRequest`] naming the field: for fields that people do not type themselves.
    pub(crate) fn parsed<T: FromStr>(&self, name: &str) -> Result<T, PageError> {
        self.text(name).parse().map_err(|_| {
            PageError::BadRequest(format!("the form's field {name:?} is missing or cannot be read"))
        })
    }
}

impl FromIterator<(String, String)> for Fields {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(fields: I) -> Self {
        Self(fields.into_iter().take(MOST).collect())
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Texts can be passwords.
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_order_and_the_last_one_counts() {
        let fields = Fields::parse(b"a=1&b=x+y&a=2&c=%C3%A9").unwrap();
        assert_eq!(fields.get("a"), Some("2"));
        assert_eq!(fields.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(fields.text("b"), "x y");
        assert_eq!(fields.text("c"), "é");
        assert!(fields.parsed::<u32>("b").is_err());
        assert!(!format!("{fields:?}").contains("x y"));
    }

    #[test]
    fn too_many_fields_are_refused() {
        assert!(Fields::parse("a=1&".repeat(MOST + 1).as_bytes()).is_err());
        assert!(Fields::parse("a=1&".repeat(MOST).as_bytes()).is_ok());
    }
}
