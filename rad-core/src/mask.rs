//! Keeping sensitive values out of logs: every runner passes what it reports through a [`Mask`].

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

/// What stands in the place of a sensitive value; Terraform's own words.
pub const MASKED: &str = "(sensitive value)";

/// Values shorter than this many characters are not masked: they stand in every other line, and masking them would
/// tell more about them than it hides.
const SHORTEST: usize = 3;

/// Lines of a multi-line value shorter than this many characters are masked only as part of the whole value.
const SHORTEST_LINE: usize = 5;

/// Replaces sensitive values wherever they occur in a text.
///
/// Strings and numbers of at least three characters are masked, at any depth of lists and objects; `true`, `false` and
/// `null` are not. A string is also found when its quotes and line feeds are escaped as in JSON, and a multi-line one
/// line by line.
///
/// ```
/// use rad_core::mask::Mask;
/// use serde_json::json;
///
/// let mask = Mask::new([&json!({ "user": "root", "password": "s3cret\"quote" })]);
/// assert_eq!(mask.apply("login root:s3cret\"quote"), "login (sensitive value):(sensitive value)");
/// assert_eq!(mask.apply(r#"{"p":"s3cret\"quote"}"#), r#"{"p":"(sensitive value)"}"#);
/// ```
#[derive(Clone, Default)]
pub struct Mask {
    patterns: BTreeSet<String>,
}

impl Mask {
    /// A mask over the strings and numbers inside `values`.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut mask = Self::default();
        values.into_iter().for_each(|value| mask.add(value));
        mask
    }

    /// Masks the strings and numbers inside `value` too.
    pub fn add(&mut self, value: &Value) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => self.add_pattern(&number.to_string(), SHORTEST),
            Value::String(text) => self.add_text(text),
            Value::Array(items) => items.iter().for_each(|item| self.add(item)),
            Value::Object(fields) => fields.values().for_each(|field| self.add(field)),
        }
    }

    /// The text with every sensitive value replaced by [`MASKED`]; values that overlap are replaced together.
    pub fn apply(&self, text: &str) -> String {
        let mut hidden: Vec<(usize, usize)> = Vec::new();
        for pattern in &self.patterns {
            let mut from = 0;
            while let Some(at) = text[from..].find(pattern.as_str()) {
                let start = from + at;
                hidden.push((start, start + pattern.len()));
                // One character on, not one pattern: occurrences may overlap.
                from = start + text[start..].chars().next().map_or(1, char::len_utf8);
            }
        }
        if hidden.is_empty() {
            return text.to_owned();
        }
        hidden.sort_unstable();
        let mut masked = String::with_capacity(text.len());
        let mut shown_to = 0;
        for (start, end) in hidden {
            // One that overlaps or adjoins the value before it shares what stands for that one.
            if start > shown_to || masked.is_empty() {
                masked.push_str(&text[shown_to..start]);
                masked.push_str(MASKED);
            }
            shown_to = shown_to.max(end);
        }
        masked.push_str(&text[shown_to..]);
        masked
    }

    fn add_text(&mut self, text: &str) {
        self.add_pattern(text, SHORTEST);
        self.add_pattern(text.trim(), SHORTEST);
        // As inside JSON, and inside JSON that is itself a string in JSON; by either habit of escaping.
        for escape in [escaped, escaped_for_html] {
            let once = escape(text);
            self.add_pattern(&once, SHORTEST);
            self.add_pattern(&escaped(&once), SHORTEST);
            self.add_pattern(&escaped_for_html(&once), SHORTEST);
        }
        if text.contains(['\n', '\r']) {
            text.lines().for_each(|line| self.add_pattern(line.trim(), SHORTEST_LINE));
        }
    }

    fn add_pattern(&mut self, pattern: &str, shortest: usize) {
        if pattern.chars().count() >= shortest && !pattern.trim().is_empty() {
            self.patterns.insert(pattern.to_owned());
        }
    }
}

/// The text as it stands between the quotes of a JSON string.
fn escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().to_owned()
}

/// The same as Terraform writes it, whose JSON can stand inside HTML.
fn escaped_for_html(text: &str) -> String {
    escaped(text).replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mask").field("patterns", &self.patterns.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_found_at_any_depth_escaped_and_line_by_line() {
        let key = "-----BEGIN KEY-----\nabcdef\n}\n";
        let mask = Mask::new([&json!([{ "key": key, "pin": 4711, "on": true, "none": null }])]);
        assert_eq!(mask.apply("pin 4711 true null }"), "pin (sensitive value) true null }");
        assert_eq!(mask.apply("  abcdef  "), "  (sensitive value)  ");
        let json = json!({ "key": key }).to_string();
        assert_eq!(mask.apply(&json), r#"{"key":"(sensitive value)"}"#);
        let mask = Mask::new([&json!("a&\"b\"")]);
        assert_eq!(mask.apply(r#""a\u0026\"b\"""#), r#""(sensitive value)""#);
        assert_eq!(mask.apply(r#""\"a\\u0026\\\"b\\\"\"""#), r#""\"(sensitive value)\"""#);
    }

    #[test]
    fn overlapping_and_adjoining_values_leave_nothing() {
        let mask = Mask::new([&json!(["abcdef", "defghi", "aaa"])]);
        assert_eq!(mask.apply("x abcdefghi y"), "x (sensitive value) y");
        assert_eq!(mask.apply("aaaaa"), MASKED);
        assert_eq!(mask.apply("abcdefabcdef"), MASKED);
    }

    #[test]
    fn short_and_blank_values_are_left_alone() {
        let mask = Mask::new([&json!(["ab", "   ", 7, ""])]);
        assert_eq!(mask.apply("ab    7"), "ab    7");
    }

    proptest! {
        #[test]
        fn no_masked_text_holds_a_value(
            values in prop::collection::vec("[a-cé\"\n]{3,8}", 1..4),
            text in "[a-dé\" ]{0,12}",
            at in 0usize..4,
        ) {
            let secret = values[at % values.len()].clone();
            let list = json!(values);
            let masked = Mask::new([&list]).apply(&format!("{text}{secret}{text}"));
            let left = masked.replace(MASKED, "\u{0}");
            for value in values.iter().filter(|value| !value.trim().is_empty()) {
                prop_assert!(!left.contains(value.as_str()), "{value:?} in {masked:?}");
            }
        }
    }
}
