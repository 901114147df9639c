//! What a change does, and where it does not fit.

use std::collections::BTreeMap;

use rad_core::agent::ChangeSet;
use rad_core::agent::change::{ChangeError, FileDiffKind, LineKind};
use rad_core::repo::FileChange;
use rad_core::source::{SourceTree, TreeEntry};

/// Written by `git diff --cached -M` (Git 2.x) for the trees of [`before`] and [`after`].
const EVERY_KIND: &str = include_str!("every_kind.patch");

const MAIN: &str = "variable \"a\" {\n  type = string\n}\n\nvariable \"b\" {\n  type = number\n}\n\n\
                    output \"x\" {\n  value = var.a\n}\n";

fn change(patch: &str) -> ChangeSet {
    ChangeSet { base: None, patch: patch.to_owned(), message: String::new() }
}

fn file(text: &str) -> TreeEntry {
    TreeEntry::File { bytes: text.to_owned().into(), executable: false }
}

fn link(target: &str) -> TreeEntry {
    TreeEntry::Symlink { target: target.to_owned() }
}

fn tree(entries: &[(&str, TreeEntry)]) -> SourceTree {
    let mut tree = SourceTree::default();
    for (path, entry) in entries {
        tree.insert(*path, entry.clone()).unwrap();
    }
    tree
}

fn before() -> SourceTree {
    tree(&[
        ("mod/main.tf", file(MAIN)),
        ("mod/moved.tf", file("one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n")),
        ("mod/gone.tf", file("gone\n")),
        ("mod/noend.txt", file("no end")),
        ("mod/crlf.tf", file("a\r\nb\r\n")),
        ("mod/run.sh", file("#!/bin/sh\necho\n")),
        ("mod/link", link("main.tf")),
        ("mod/é \"q\".tf", file("q\n")),
        ("mod/empty.tf", file("")),
    ])
}

fn after() -> SourceTree {
    let main = MAIN.replace("string\n", "string\n  default = \"é\"\n").replace("var.a", "var.b");
    tree(&[
        ("mod/main.tf", file(&main)),
        ("mod/sub/moved.tf", file("one\ntwo\nthree\nFOUR\nfive\nsix\nseven\neight\n")),
        ("mod/noend.txt", file("no end\nbut more")),
        ("mod/crlf.tf", file("a\r\nB\r\n")),
        ("mod/run.sh", TreeEntry::File { bytes: "#!/bin/sh\necho\n".into(), executable: true }),
        ("mod/link", link("moved.tf")),
        ("mod/é \"q\".tf", file("Q\n")),
        ("mod/fresh.tf", file("fresh\n")),
        ("mod/blank.tf", file("")),
    ])
}

/// The tree with the changes in it.
pub(super) fn changed(tree: &SourceTree, changes: &[FileChange]) -> SourceTree {
    let mut entries: BTreeMap<&str, &TreeEntry> = tree.iter().collect();
    for change in changes {
        match change {
            FileChange::Put { path, entry } => drop(entries.insert(path, entry)),
            FileChange::Remove { path } => assert!(entries.remove(path.as_str()).is_some(), "{path}"),
        }
    }
    let mut tree = SourceTree::default();
    for (path, entry) in entries {
        tree.insert(path, entry.clone()).unwrap();
    }
    tree
}

fn conflict(patch: &str, base: &SourceTree, head: &SourceTree) -> (String, Option<usize>) {
    match change(patch).changes(base, head) {
        Err(ChangeError::Conflict { path, line, .. }) => (path, line),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_patch_of_git_does_what_git_meant() {
    let changes = change(EVERY_KIND).changes(&before(), &before()).unwrap();
    assert_eq!(changed(&before(), &changes), after());
    assert_eq!(change(EVERY_KIND).changes(&before(), &after()), Ok(Vec::new()), "it is there already");
    let cut = EVERY_KIND.trim_end();
    assert_eq!(change(cut).changes(&before(), &before()), Ok(changes), "the end of the last line is lost");
}

#[test]
fn a_change_is_shown_file_by_file_with_its_lines() {
    let files = change(EVERY_KIND).files().unwrap();
    let kinds: Vec<(&str, &FileDiffKind)> =
        files.iter().map(|file| (file.path.as_str(), &file.kind)).collect();
    assert_eq!(kinds[0], ("mod/blank.tf", &FileDiffKind::Renamed { from: "mod/empty.tf".to_owned() }));
    assert_eq!(kinds[2], ("mod/fresh.tf", &FileDiffKind::Added));
    assert_eq!(kinds[3], ("mod/gone.tf", &FileDiffKind::Removed));
    assert_eq!(kinds[9], ("mod/é \"q\".tf", &FileDiffKind::Changed));

    let main = files.iter().find(|file| file.path == "mod/main.tf").unwrap();
    assert_eq!(main.counts(), (2, 1));
    let lines: Vec<_> = main.hunks[1].lines.iter().map(|line| (line.kind, line.old, line.new)).collect();
    assert_eq!(
        lines[2..5],
        [
            (LineKind::Context, Some(9), Some(10)),
            (LineKind::Removed, Some(10), None),
            (LineKind::Added, None, Some(11)),
        ]
    );
    assert_eq!(main.hunks[1].lines[3].text, "  value = var.a");
}

#[test]
fn what_nobody_would_see_is_spelled_out() {
    let patch = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+a\u{202e}b\u{0}\tc\r\n";
    let files = change(patch).files().unwrap();
    assert_eq!(files[0].hunks[0].lines[1].text, "a⟨U+202E⟩b⟨U+0000⟩\tc⟨U+000D⟩");
}

#[test]
fn a_change_is_merged_with_what_came_onto_the_branch() {
    let mut head = before();
    let with_more = MAIN.replace("number", "bool");
    head.insert_file("mod/main.tf", with_more.clone()).unwrap();
    head.insert_file("mod/other.tf", "other\n").unwrap();
    let changes = change(EVERY_KIND).changes(&before(), &head).unwrap();
    let merged = changed(&head, &changes);
    let wanted = with_more.replace("string\n", "string\n  default = \"é\"\n").replace("var.a", "var.b");
    assert_eq!(merged.file("mod/main.tf").map(|bytes| &bytes[..]), Some(wanted.as_bytes()));
    assert!(merged.file("mod/other.tf").is_some(), "what the change does not name stays");
    assert!(merged.file("mod/gone.tf").is_none());
}

#[test]
fn what_does_not_fit_the_branch_names_file_and_line() {
    let with = |path: &str, entry: Option<TreeEntry>| {
        let mut head = before();
        drop(head.remove(path));
        if let Some(entry) = entry {
            head.insert(path, entry).unwrap();
        }
        conflict(EVERY_KIND, &before(), &head)
    };
    let other_line = file(&MAIN.replace("var.a", "var.c"));
    assert_eq!(with("mod/main.tf", Some(other_line)).0, "mod/main.tf");
    assert_eq!(with("mod/main.tf", None), ("mod/main.tf".to_owned(), None));
    assert_eq!(with("mod/gone.tf", Some(file("still needed\n"))), ("mod/gone.tf".to_owned(), None));
    assert_eq!(with("mod/fresh.tf", Some(file("theirs\n"))), ("mod/fresh.tf".to_owned(), None));
    assert_eq!(with("mod/fresh.tf/below.tf", Some(file(""))), ("mod/fresh.tf".to_owned(), None));
    assert_eq!(with("mod/link", Some(link("elsewhere"))), ("mod/link".to_owned(), None));
    assert_eq!(with("mod/noend.txt", Some(file("\0"))), ("mod/noend.txt".to_owned(), None));
}

#[test]
fn a_hunk_that_stands_elsewhere_is_a_conflict_even_where_it_would_fit() {
    let base = tree(&[("x", file("a\nb\na\nb\n"))]);
    let at_three = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -3,2 +3,2 @@\n-a\n+A\n b\n";
    let changes = change(at_three).changes(&base, &base).unwrap();
    assert_eq!(changed(&base, &changes), tree(&[("x", file("a\nb\nA\nb\n"))]));
    let at_two = at_three.replace("-3,2 +3,2", "-2,2 +2,2");
    assert_eq!(conflict(&at_two, &base, &base), ("x".to_owned(), Some(2)));
    let beyond = at_three.replace("-3,2 +3,2", "-30,2 +30,2");
    assert_eq!(conflict(&beyond, &base, &base), ("x".to_owned(), Some(30)));
}

#[test]
fn what_is_not_there_is_a_conflict() {
    let base = tree(&[("x", file("a\n")), ("y", file("b\n"))]);
    for (patch, path) in [
        ("diff --git a/z b/z\n--- a/z\n+++ b/z\n@@ -1 +1 @@\n-a\n+b\n", "z"),
        ("diff --git a/z b/z\ndeleted file mode 100644\n--- a/z\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n", "z"),
        ("diff --git a/z b/w\nsimilarity index 100%\nrename from z\nrename to w\n", "z"),
        ("diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to y\n", "y"),
        ("diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+n\n", "x"),
        ("diff --git a/x b/x\ndeleted file mode 100644\n", "x"),
        (
            "diff --git a/s b/s\nnew file mode 160000\n--- /dev/null\n+++ b/s\n@@ -0,0 +1 @@\n+Subproject commit 1\n",
            "s",
        ),
        (
            "diff --git a/i.png b/i.png\nnew file mode 100644\nBinary files /dev/null and b/i.png differ\n",
            "i.png",
        ),
    ] {
        assert_eq!(conflict(patch, &base, &base).0, path, "{patch}");
    }
    let twice = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n".repeat(2);
    assert_eq!(conflict(&twice, &base, &base).0, "x");
}

#[test]
fn a_path_that_leaves_the_repository_is_refused_before_anything_is_shown() {
    for path in ["../x", "/etc/passwd", "a/../../x", ".git/config", "sub/.GIT/hooks/pre-commit", "a//b"] {
        let patch = format!(
            "diff --git a/q b/q\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+n\n"
        );
        let refused = change(&patch).files().unwrap_err();
        assert!(matches!(refused, ChangeError::Conflict { .. }), "{path}: {refused}");
        let renamed = format!("diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to {path}\n");
        assert!(change(&renamed).changes(&tree(&[("x", file("a\n"))]), &SourceTree::default()).is_err());
    }
}

#[test]
fn limits_and_nonsense_are_refused_in_words() {
    let long = change(&"x".repeat(ChangeSet::MAX_BYTES + 1)).files().unwrap_err();
    assert!(matches!(long, ChangeError::TooLarge { .. }), "{long}");
    let many: String = (0..=ChangeSet::MAX_FILES)
        .map(|n| format!("diff --git a/{n} b/{n}\nold mode 100644\nnew mode 100755\n"))
        .collect();
    let many = change(&many).files().unwrap_err();
    assert_eq!(
        many.to_string(),
        "the change is too large: the number of its files is 501, and the limit is 500: ask for a smaller one"
    );
    for nonsense in ["hello", "--- a/x\n+++ b/x\n@@ -1,9 +1 @@\n-a\n", "diff --git a/x b/x\n@@ x @@\n"] {
        let refused = change(nonsense).files();
        assert!(matches!(refused, Err(ChangeError::Unreadable { .. })), "{nonsense:?}: {refused:?}");
    }
    assert_eq!(change(" \n").files(), Ok(Vec::new()), "an empty patch changes nothing");
}
