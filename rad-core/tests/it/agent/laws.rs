//! Laws of changes: a diff leads to what it was made of, and no text makes the reader panic.

use proptest::prelude::*;
use rad_core::agent::ChangeSet;
use rad_core::source::SourceTree;

use super::changes::changed;

/// A text of a few lines, many of them alike.
fn text() -> impl Strategy<Value = String> {
    let line = prop_oneof![Just("a\n"), Just("b\n"), Just("\n"), Just("  c = \"é\"\n"), Just("-d\n")];
    (prop::collection::vec(line, 0..24), prop::option::of(Just("end")))
        .prop_map(|(lines, end)| lines.concat() + end.unwrap_or_default())
}

fn change(before: &str, after: &str) -> ChangeSet {
    let patch = diffy::create_patch(before, after).to_string();
    let patch = patch.replacen("--- original\n+++ modified\n", "--- a/x.tf\n+++ b/x.tf\n", 1);
    ChangeSet { base: None, patch: format!("diff --git a/x.tf b/x.tf\n{patch}"), message: String::new() }
}

fn tree(text: &str) -> SourceTree {
    let mut tree = SourceTree::default();
    tree.insert_file("x.tf", text.to_owned()).unwrap();
    tree
}

proptest! {
    #[test]
    fn a_diff_leads_to_what_it_was_made_of(before in text(), after in text()) {
        let (before, after, change) = (tree(&before), tree(&after), change(&before, &after));
        let changes = change.changes(&before, &before).unwrap();
        prop_assert_eq!(&changed(&before, &changes), &after);
        prop_assert_eq!(change.changes(&before, &after), Ok(Vec::new()));
    }

    #[test]
    fn a_merge_has_both_changes(top in text(), middle in text(), bottom in text()) {
        // Changes on either side of lines that nobody touches.
        let around = |top: &str, bottom: &str| format!("{top}1\n2\n3\n{}4\n5\n6\n{bottom}", middle.replace("end", ""));
        let (top, bottom) = (top.replace("end", ""), bottom.replace("end", ""));
        let (base, ours) = (around("", ""), around(&top, ""));
        let wanted = change(&base, &around("", &bottom));
        let changes = wanted.changes(&tree(&base), &tree(&ours)).unwrap();
        prop_assert_eq!(changed(&tree(&ours), &changes), tree(&around(&top, &bottom)));
    }

    #[test]
    fn no_text_makes_the_reader_panic(
        before in text(),
        after in text(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), "[-+ @ab/\\\\\"\n0-9,]{0,4}"), 0..6),
    ) {
        let ChangeSet { mut patch, .. } = change(&before, &after);
        for (at, put) in cuts {
            let mut at = at.index(patch.len());
            while !patch.is_char_boundary(at) {
                at -= 1;
            }
            let end = patch[at..].chars().next().map_or(at, |c| at + c.len_utf8());
            patch.replace_range(at..end, &put);
        }
        let change = ChangeSet { base: None, patch, message: String::new() };
        let shown = change.files();
        let applied = change.changes(&tree(&before), &tree(&after));
        prop_assert!(shown.is_ok() || applied.is_err(), "what cannot be shown is never applied");
    }
}
