//! Parses Terraform's native syntax, including what Terraform takes and the parser does not.
//!
//! Two things that stand in published modules are refused by the parser: expressions of a `for` in braces that go on
//! in the next line, and objects that name a key twice (Terraform takes the last). A file it refuses is tried again on
//! a copy in which these are written differently; no place in the text moves.

use hcl_edit::parser::{Error, parse_body};
use hcl_edit::structure::Body;

/// How many repeated keys are tolerated in one file, since each costs a parse.
const MAX_REPEATED: u32 = 16;

/// Parses a file.
pub(super) fn parse(text: &str) -> Result<Body, Error> {
    let refused = match parse_body(text) {
        Ok(body) => return Ok(body),
        Err(refused) => refused,
    };
    let joined = join_continuations(text);
    let (mut copy, mut error) = match joined.map(|joined| (parse_body(&joined), joined)) {
        Some((Ok(body), _)) => return Ok(body),
        // What gets further is closer to the real mistake.
        Some((Err(again), joined)) if again.location().offset() > refused.location().offset() => {
            (joined, again)
        }
        _ => (text.to_owned(), refused),
    };
    for number in 0..MAX_REPEATED {
        match rename_repeated(&copy, &error, number) {
            Some(renamed) => copy = renamed,
            None => break,
        }
        match parse_body(&copy) {
            Ok(body) => return Ok(body),
            Err(next) => error = next,
        }
    }
    Err(error)
}

/// The text with blanks for each line break next to an operator, if there is any.
fn join_continuations(text: &str) -> Option<String> {
    const FIRST: [&str; 6] = ["? ", ": ", "&& ", "|| ", "== ", "!= "];
    const LAST: [&str; 5] = ["&&", "||", "?", "==", "!="];
    let mut joined = String::with_capacity(text.len());
    let mut found = false;
    let mut before = "";
    for line in text.split_inclusive('\n') {
        let goes_on = LAST.iter().any(|sign| before.trim_end().ends_with(sign))
            || FIRST.iter().any(|sign| line.trim_start().starts_with(sign));
        // After a comment the line break must stay.
        if goes_on && before.ends_with('\n') && !before.contains('#') && !before.contains("//") {
            let kept = joined.trim_end_matches(['\r', '\n']).len();
            let blanks = joined.len() - kept;
            joined.truncate(kept);
            joined.extend(std::iter::repeat_n(' ', blanks));
            found = true;
        }
        joined.push_str(line);
        before = line;
    }
    found.then_some(joined)
}

/// The text with another name, of the same length, for the repeated key that was refused.
///
/// Not inside of variables, whose defaults and types are read from the copy.
fn rename_repeated(text: &str, error: &Error, number: u32) -> Option<String> {
    if !error.message().contains("redefined object key") {
        return None;
    }
    let offset = error.location().offset();
    let (before, from_key) = (text.get(..offset)?, text.get(offset..)?);
    let opens_block = |line: &&str| line.starts_with(|c: char| c.is_ascii_alphabetic());
    if before.lines().rev().find(opens_block).is_none_or(|line| line.starts_with("variable")) {
        return None;
    }
    let end = from_key.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).unwrap_or(0);
    let mut name = vec![b'z'; end];
    let mut rest = number + 1;
    for byte in name.iter_mut().rev() {
        *byte = b'a' + u8::try_from(rest % 26).unwrap_or(0);
        rest /= 26;
    }
    let name = String::from_utf8(name).ok().filter(|name| name.len() > 2)?;
    Some(format!("{before}{name}{}", from_key.get(end..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_terraform_takes_is_taken() {
        for text in [
            "locals {\n  a = { for k, v in b : k =>\n    v == 1\n    ? { x = 1 }\n    : { x = 2 }\n  }\n}\n",
            "locals {\n  a = {\n    for k in b : k =>\n    k.c &&\n    k.d\n  }\n}\n",
            "locals {\r\n  a = {\r\n    for k in b : k =>\r\n    k.c\r\n    || k.d\r\n  }\r\n}\r\n",
            "locals {\n  a = { key = 1, b = { key = 2, other = 3, key = 4, key = 5 }, key = 6 }\n}\n",
        ] {
            assert!(parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_stays_wrong_where_it_is() {
        let line = |text: &str| {
            let offset = parse(text).map(|_| ()).map_err(|e| e.location().offset());
            offset.map_err(|offset| text[..offset].lines().count())
        };
        assert_eq!(line("locals {\n  a = 1\n  ? 2\n  : 3\n}\nb =\n"), Err(6));
        assert_eq!(line("locals {\n  abc = { key = 1, key = 2 }\n  d = \n}\n"), Err(3));
        assert_eq!(line("variable \"x\" {\n  default = { key = 1, key = 2 }\n}\n"), Err(2));
        assert!(parse(&"locals {\n  a = { key = 1, key = 1 }\n}\n".repeat(40)).is_err());
    }
}
