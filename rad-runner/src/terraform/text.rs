//! Text of a run as people may read it: first masked, then cleaned of control characters, and only then cut, so that no part
//! of a secret is left at the cut.

use rad_core::mask::Mask;

/// A text as it may be shown.
pub(super) fn shown(mask: &Mask, text: &str) -> String {
    let masked = mask.apply(text);
    let clean = cleaned(&masked);
    // Taking characters out may have put a value together.
    if clean.len() == masked.len() { clean } else { mask.apply(&clean) }
}

/// The beginning of a text that [was made to be shown](shown), with a mark where it was cut.
pub(super) fn shortened(mut shown: String, most: usize) -> String {
    if shown.len() > most {
        shown.truncate(shown.floor_char_boundary(most));
        shown.push('…');
        // What was cut takes no memory any more.
        shown.shrink_to_fit();
    }
    shown
}

/// The text without terminal sequences and control characters, line feeds and tabs kept.
fn cleaned(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' && characters.peek() == Some(&'[') {
            // A control sequence (ECMA-48 §5.4) runs to its final byte.
            characters.next();
            while characters.next_if(|c| !('@'..='~').contains(c)).is_some() {}
            characters.next();
        } else if !character.is_control() || matches!(character, '\n' | '\t') {
            clean.push(character);
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_sequences_and_control_characters_are_taken_out() {
        assert_eq!(cleaned("a\u{1b}[1;31mred\u{1b}[0m\tb\r\u{7}\nc\u{9b}"), "ared\tb\nc");
        assert_eq!(cleaned("cut \u{1b}[3"), "cut ");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(shortened("éé".to_owned(), 4), "éé");
        assert_eq!(shortened("ééé".to_owned(), 5), "éé…");
    }
}
