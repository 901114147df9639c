//! When a field of the form is shown: the `dependson=EXPR` of a UI hint.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// The longest expression, in bytes.
const MAX_LENGTH: usize = 4096;
/// How deep brackets may nest.
const MAX_DEPTH: usize = 64;

/// An expression over other variables: `==`, `!=`, `&&`, `||`, `!` and brackets.
///
/// Values are compared by their text, so that `count=='1'` and `count==1` are the same. A word that names no
/// variable stands for itself. Serialized as its text.
///
/// ```
/// use rad_core::module::DependsOn;
///
/// let shown: DependsOn = "(environment=='production' && encrypt==true)".parse()?;
/// assert!(shown.holds(|name| match name {
///     "environment" => Some("production".into()),
///     "encrypt" => Some(true.into()),
///     _ => None,
/// }));
/// # Ok::<(), rad_core::module::DependsOnError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DependsOn {
    text: String,
    tree: Tree,
}

/// A text that is not such an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct DependsOnError {
    /// What is wrong.
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Tree {
    Or(Vec<Tree>),
    And(Vec<Tree>),
    Not(Box<Tree>),
    Equal(Operand, Operand),
    Different(Operand, Operand),
    True(Operand),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operand {
    Literal(String),
    /// A variable or, if there is none of the name, the word itself.
    Word(String),
}

impl DependsOn {
    /// Whether the expression holds for the values of the variables; `None` is a variable that does not exist.
    pub fn holds(&self, value: impl Fn(&str) -> Option<Json>) -> bool {
        self.tree.holds(&|word| value(word).map(|value| text_of(&value)))
    }

    /// The words that can name variables.
    pub fn names(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        self.tree.collect(&mut names);
        names
    }

    /// The words that must name variables, since they stand on the left of a comparison or alone.
    pub(super) fn subjects(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        self.tree.collect_subjects(&mut names);
        names
    }
}

impl Tree {
    fn holds(&self, value: &dyn Fn(&str) -> Option<String>) -> bool {
        match self {
            Self::Or(parts) => parts.iter().any(|part| part.holds(value)),
            Self::And(parts) => parts.iter().all(|part| part.holds(value)),
            Self::Not(part) => !part.holds(value),
            Self::Equal(a, b) => a.text(value) == b.text(value),
            Self::Different(a, b) => a.text(value) != b.text(value),
            Self::True(operand) => operand.text(value) == "true",
        }
    }

    fn collect<'a>(&'a self, names: &mut BTreeSet<&'a str>) {
        match self {
            Self::Or(parts) | Self::And(parts) => parts.iter().for_each(|part| part.collect(names)),
            Self::Not(part) => part.collect(names),
            Self::Equal(a, b) | Self::Different(a, b) => {
                names.extend([a, b].into_iter().filter_map(Operand::word))
            }
            Self::True(operand) => names.extend(operand.word()),
        }
    }

    fn collect_subjects<'a>(&'a self, names: &mut BTreeSet<&'a str>) {
        match self {
            Self::Or(parts) | Self::And(parts) => parts.iter().for_each(|part| part.collect_subjects(names)),
            Self::Not(part) => part.collect_subjects(names),
            Self::Equal(subject, _) | Self::Different(subject, _) | Self::True(subject) => {
                names.extend(subject.word());
            }
        }
    }
}

impl Operand {
    fn text(&self, value: &dyn Fn(&str) -> Option<String>) -> String {
        match self {
            Self::Literal(text) => text.clone(),
            Self::Word(word) => value(word).unwrap_or_else(|| word.clone()),
        }
    }

    fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word),
            Self::Literal(_) => None,
        }
    }
}

fn text_of(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl fmt::Display for DependsOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<DependsOn> for String {
    fn from(expression: DependsOn) -> Self {
        expression.text
    }
}

impl TryFrom<String> for DependsOn {
    type Error = DependsOnError;

    fn try_from(text: String) -> Result<Self, DependsOnError> {
        text.parse()
    }
}

impl FromStr for DependsOn {
    type Err = DependsOnError;

    fn from_str(text: &str) -> Result<Self, DependsOnError> {
        if text.len() > MAX_LENGTH {
            return Err(error(format!("longer than {MAX_LENGTH} bytes")));
        }
        let tokens = tokens(text)?;
        let mut parser = Parser { tokens: &tokens, depth: 0 };
        let tree = parser.alternatives()?;
        match parser.tokens.first() {
            None => Ok(Self { text: text.to_owned(), tree }),
            Some(token) => Err(error(format!("unexpected {token}"))),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Sign(&'static str),
    Literal(String),
    Word(String),
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sign(sign) => write!(f, "{sign:?}"),
            Self::Literal(text) | Self::Word(text) => write!(f, "{text:?}"),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, DependsOnError> {
    const SIGNS: [&str; 7] = ["==", "!=", "&&", "||", "!", "(", ")"];
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            tokens.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if let '\'' | '"' = first {
            let inside = &rest[1..];
            let end = inside.find(first).ok_or_else(|| error(format!("{first} is not closed")))?;
            tokens.push(Token::Literal(inside[..end].to_owned()));
            rest = &inside[end + 1..];
        } else {
            let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | '@' | '+');
            let end = rest.find(|c: char| !word(c)).unwrap_or(rest.len());
            if end == 0 {
                return Err(error(format!("unexpected {first:?}")));
            }
            let (found, after) = rest.split_at(end);
            tokens.push(match found {
                "true" | "false" => Token::Literal(found.to_owned()),
                _ if found.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
                    Token::Literal(found.to_owned())
                }
                _ => Token::Word(found.strip_prefix("var.").unwrap_or(found).to_owned()),
            });
            rest = after;
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: &'a [Token],
    depth: usize,
}

impl Parser<'_> {
    fn take(&mut self, sign: &'static str) -> bool {
        match self.tokens.split_first() {
            Some((Token::Sign(found), rest)) if *found == sign => {
                self.tokens = rest;
                true
            }
            _ => false,
        }
    }

    fn alternatives(&mut self) -> Result<Tree, DependsOnError> {
        let mut parts = vec![self.conjunction()?];
        while self.take("||") {
            parts.push(self.conjunction()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Tree::Or(parts) })
    }

    fn conjunction(&mut self) -> Result<Tree, DependsOnError> {
        let mut parts = vec![self.term()?];
        while self.take("&&") {
            parts.push(self.term()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Tree::And(parts) })
    }

    fn term(&mut self) -> Result<Tree, DependsOnError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(error("nested too deep"));
        }
        let tree = if self.take("!") {
            Tree::Not(Box::new(self.term()?))
        } else if self.take("(") {
            let inner = self.alternatives()?;
            if !self.take(")") {
                return Err(error("a bracket is not closed"));
            }
            inner
        } else {
            let left = self.operand()?;
            if self.take("==") {
                Tree::Equal(left, self.operand()?)
            } else if self.take("!=") {
                Tree::Different(left, self.operand()?)
            } else {
                Tree::True(left)
            }
        };
        self.depth -= 1;
        Ok(tree)
    }

    fn operand(&mut self) -> Result<Operand, DependsOnError> {
        let (first, rest) = self.tokens.split_first().ok_or_else(|| error("the expression ends too soon"))?;
        let operand = match first {
            Token::Literal(text) => Operand::Literal(text.clone()),
            Token::Word(word) => Operand::Word(word.clone()),
            Token::Sign(sign) => return Err(error(format!("unexpected {sign:?}"))),
        };
        self.tokens = rest;
        Ok(operand)
    }
}

fn error(message: impl Into<String>) -> DependsOnError {
    DependsOnError { message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(text: &str) -> bool {
        let values = json!({"yes": true, "no": false, "size": 3, "zone": "eu", "none": null});
        text.parse::<DependsOn>().unwrap().holds(|name| values.get(name).cloned())
    }

    #[test]
    fn operators_bind_as_usual() {
        for text in [
            "yes",
            "yes==true",
            "var.yes == true",
            "!no && size=='3'",
            "no || yes && zone==eu",
            "!(no || zone!='eu')",
            "size==3",
            "none==''",
            "(((yes)))",
        ] {
            assert!(holds(text), "{text}");
        }
        for text in ["no", "yes && no", "(no || yes) && zone=='us'", "zone", "size != 3", "unknown"] {
            assert!(!holds(text), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let deep = "(".repeat(5000);
        for text in [
            "",
            "a ==",
            "== a",
            "(a",
            "a)",
            "a = b",
            "'a",
            "a b",
            "&& a",
            "a;b",
            "!".repeat(99).as_str(),
            &deep,
        ] {
            assert!(text.parse::<DependsOn>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_the_words() {
        let expression: DependsOn = "a==b && !(c || 'd'=='e')".parse().unwrap();
        assert_eq!(expression.names().into_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(expression.subjects().into_iter().collect::<Vec<_>>(), ["a", "c"]);
    }
}
