//! Terraform's regular expressions (RE2 as Go has it) on the `regex` crate.
//!
//! Both are linear-time engines of one family; what they write differently is translated here: Go's `\d \w \s \b`
//! know ASCII only, and its character classes know no set operations. What cannot be translated is deferred.

use regex::{Regex, RegexBuilder};

use super::Fault;

/// Compiles a pattern written for Terraform.
pub(super) fn compile(pattern: &str) -> Result<Regex, Fault> {
    let translated = translate(pattern)?;
    RegexBuilder::new(&translated)
        .size_limit(1 << 20)
        .build()
        .map_err(|_| Fault::deferred(format!("the pattern {pattern:?} is not understood")))
}

fn translate(pattern: &str) -> Result<String, Fault> {
    let mut output = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => escape(rest.next(), &mut output, false)?,
            '[' => class(&mut rest, &mut output)?,
            '(' if rest.peek() == Some(&'?') => {
                output.push(c);
                flags(&mut rest, &mut output)?;
            }
            _ => output.push(c),
        }
    }
    Ok(output)
}

/// `\x` outside or inside of a class.
fn escape(escaped: Option<char>, output: &mut String, in_class: bool) -> Result<(), Fault> {
    let Some(escaped) = escaped else { return Err(Fault::failed("the pattern ends with a backslash")) };
    let set = match escaped {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        's' => "[\\t\\n\\x0C\\r ]",
        'S' => "[^\\t\\n\\x0C\\r ]",
        'b' if !in_class => "(?-u:\\b)",
        'B' | 'Q' | 'C' | 'b' | '<' | '>' | 'u' | 'U' => {
            return Err(Fault::deferred(format!("\\{escaped} in a pattern")));
        }
        _ => {
            output.push('\\');
            output.push(escaped);
            return Ok(());
        }
    };
    output.push_str(set);
    Ok(())
}

/// A class up to its closing bracket, without the set operations that Go does not know.
fn class(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, output: &mut String) -> Result<(), Fault> {
    output.push('[');
    if rest.peek() == Some(&'^') {
        output.extend(rest.next());
    }
    if rest.peek() == Some(&']') {
        rest.next();
        output.push_str("\\]");
    }
    while let Some(c) = rest.next() {
        match c {
            ']' => {
                output.push(c);
                return Ok(());
            }
            '\\' => escape(rest.next(), output, true)?,
            '[' if rest.peek() == Some(&':') => {
                output.push(c);
                for c in rest.by_ref() {
                    output.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            '[' | '&' | '~' => output.extend(['\\', c]),
            // Rust reads a doubled hyphen as a set difference; a single one is a range in both.
            '-' if rest.peek() == Some(&'-') => output.push_str("\\-"),
            _ => output.push(c),
        }
    }
    Err(Fault::failed("a class in the pattern is not closed"))
}

/// What follows `(?`: only the flags both engines know.
fn flags(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, output: &mut String) -> Result<(), Fault> {
    output.extend(rest.next());
    if let Some('P' | '<') = rest.peek() {
        return Ok(());
    }
    while let Some(c) = rest.next_if(|c| !matches!(c, ':' | ')')) {
        if !matches!(c, 'i' | 'm' | 's' | 'U' | '-') {
            return Err(Fault::deferred(format!("the flag {c:?} in a pattern")));
        }
        output.push(c);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_know_ascii_only() {
        assert!(compile(r"^\d+$").unwrap().is_match("123"));
        assert!(!compile(r"^\d+$").unwrap().is_match("١٢٣"));
        assert!(compile(r"^[\w.-]+$").unwrap().is_match("a_b.c-d"));
        assert!(!compile(r"^[\w]+$").unwrap().is_match("é"));
        assert!(compile(r"^[^\W]+$").unwrap().is_match("abc"));
        assert!(compile(r"\bcat\b").unwrap().is_match("a cat"));
    }

    #[test]
    fn brackets_and_doubled_signs_are_literal_in_a_class() {
        for (pattern, text) in
            [("^[[]$", "["), ("^[a&&b]$", "&"), ("^[]a]+$", "]a"), ("^[[:alpha:]-]+$", "a-b")]
        {
            assert!(compile(pattern).unwrap().is_match(text), "{pattern}");
        }
    }

    #[test]
    fn what_is_not_shared_is_deferred() {
        for pattern in [r"(?x) a", r"\Qa\E", "a{,3}b"] {
            assert!(matches!(compile(pattern), Err(Fault::Deferred(_))), "{pattern}");
        }
    }
}
