//! UI hints: the `{{UIMeta key=value … flag}}` part of a variable's description.

use serde::{Deserialize, Serialize};

use super::depends_on::DependsOn;

/// How the form shows a variable.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct UiHints {
    /// The page of the form: `group=N`. Group 0 is asked of the publisher; no group comes last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<u32>,
    /// The place on the page: `order=N`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<u32>,
    /// The only values that may be chosen, if there are any: `options=a,b,c`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Whether the value may change without anything being created anew: `updatesafe`.
    pub update_safe: bool,
    /// Whether the form insists on a value even if Terraform does not: `required`.
    pub required: bool,
    /// When the field is shown: `dependson=EXPR`; always if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depends_on: Option<DependsOn>,
}

/// What a description says to people and to the form.
pub(super) struct Described {
    pub(super) text: String,
    pub(super) hints: UiHints,
    /// What was not understood; it breaks nothing.
    pub(super) warnings: Vec<String>,
}

/// Takes the UI hints out of a description.
pub(super) fn describe(description: &str) -> Described {
    let mut described = Described { text: String::new(), hints: UiHints::default(), warnings: Vec::new() };
    let mut rest = description;
    while let Some((before, after)) = split_marker(rest) {
        described.text.push_str(before);
        let (hints, after) = match after.split_once("}}") {
            Some(parts) => parts,
            None => {
                described.warnings.push("{{UIMeta is not closed with }}".to_owned());
                (after, "")
            }
        };
        read(hints, &mut described);
        rest = after;
    }
    described.text.push_str(rest);
    described.text = described.text.trim().to_owned();
    described
}

/// Splits at the next `{{UIMeta`, whatever its case: what stands before and after it.
fn split_marker(text: &str) -> Option<(&str, &str)> {
    text.match_indices("{{").find_map(|(start, _)| {
        let inside = text.get(start + 2..)?.trim_start();
        let name = inside.get(..6)?;
        let after = inside.get(6..)?;
        let ends = after.is_empty() || after.starts_with(|c: char| c.is_whitespace() || c == '}');
        (name.eq_ignore_ascii_case("uimeta") && ends).then(|| (text.get(..start).unwrap_or(""), after))
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Key {
    Group,
    Order,
    Options,
    DependsOn,
}

fn read(hints: &str, described: &mut Described) {
    let mut open: Option<(Key, String)> = None;
    for word in hints.split_whitespace() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) if !value.starts_with('=') => (name, Some(value)),
            _ => (word, None),
        };
        let key = match (name.to_ascii_lowercase().as_str(), value) {
            ("group", Some(_)) => Some(Key::Group),
            ("order", Some(_)) => Some(Key::Order),
            ("options", Some(_)) => Some(Key::Options),
            ("dependson", Some(_)) => Some(Key::DependsOn),
            _ => None,
        };
        if let (Some(key), Some(value)) = (key, value) {
            close(open.replace((key, value.to_owned())), described);
            continue;
        }
        match name.to_ascii_lowercase().as_str() {
            "updatesafe" if value.is_none() && word.len() == 10 => described.hints.update_safe = true,
            "required" if value.is_none() && word.len() == 8 => described.hints.required = true,
            _ => match &mut open {
                // An expression may have blanks around its operators, a list of options after its commas.
                Some((Key::DependsOn, text)) => {
                    text.push(' ');
                    text.push_str(word);
                }
                Some((Key::Options, text)) if text.ends_with(',') || word.starts_with(',') => {
                    text.push_str(word)
                }
                _ => described.warnings.push(format!("UIMeta: {word:?} is not known")),
            },
        }
    }
    close(open, described);
}

fn close(pending: Option<(Key, String)>, described: &mut Described) {
    let Some((key, value)) = pending else { return };
    let hints = &mut described.hints;
    let number =
        |name: &str| value.parse().map_err(|_| format!("UIMeta: {name}={value} is not a whole number"));
    let outcome = match key {
        Key::Group => number("group").map(|group| hints.group = Some(group)),
        Key::Order => number("order").map(|order| hints.order = Some(order)),
        Key::Options => {
            let options = value.split(',').map(str::trim).filter(|option| !option.is_empty());
            hints.options = options.map(str::to_owned).collect();
            if hints.options.is_empty() { Err("UIMeta: options= names no option".to_owned()) } else { Ok(()) }
        }
        Key::DependsOn => value
            .parse()
            .map(|expression| hints.depends_on = Some(expression))
            .map_err(|e| format!("UIMeta: dependson={value}: {e}")),
    };
    described.warnings.extend(outcome.err());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_in_any_order_and_case() {
        let described = describe(
            "Zone. {{uimeta UPDATESAFE order=102 Options=a,b, c dependson=(x=='1' && y != \"z\") GROUP=2 required}} More.",
        );
        assert_eq!(described.warnings, Vec::<String>::new());
        assert_eq!(described.text, "Zone.  More.");
        let hints = described.hints;
        assert_eq!((hints.group, hints.order), (Some(2), Some(102)));
        assert_eq!(hints.options, ["a", "b", "c"]);
        assert!(hints.update_safe && hints.required);
        assert_eq!(hints.depends_on.unwrap().to_string(), "(x=='1' && y != \"z\")");
    }

    #[test]
    fn what_is_malformed_warns_and_breaks_nothing() {
        for (text, warnings) in [
            ("A {{UIMeta group=x order=1}}", 1),
            ("A {{UIMeta colour=red bold group=1}}", 2),
            ("A {{UIMeta group=1", 1),
            ("A {{UIMeta options= }}", 1),
            ("A {{UIMeta dependson=((a }}", 1),
            ("A {{UIMeta}}", 0),
        ] {
            let described = describe(text);
            assert_eq!(described.warnings.len(), warnings, "{text}: {:?}", described.warnings);
            assert_eq!(described.text, "A");
        }
    }

    #[test]
    fn other_braces_are_text() {
        for text in ["Use {{name}} here", "{{UIMetadata x}}", "{{", "a {{ b"] {
            assert_eq!(describe(text).text, text);
        }
    }
}
