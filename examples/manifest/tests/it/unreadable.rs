//! Input that cannot be read ends with 2 and a sentence that says what to do.

use crate::{HELLO, at, directory, repository, run};

#[test]
fn nothing_is_there() {
    let directory = directory(&[]);
    let gone = format!("{}/gone", at(&directory));
    run(&[&gone]).ends_with(2).complains("there is no directory or Git repository at");
    run(&[&format!("{gone}@main")]).ends_with(2).complains("/gone\"");
    run(&[]).ends_with(2).complains("DIR|GIT_REPO[@REV]");
}

#[test]
fn there_is_no_such_revision() {
    let repository = repository(&[("hello/main.tf", HELLO)], &[]);
    for revision in ["nope", "0123456789abcdef", ""] {
        let source = format!("{}@{revision}", at(&repository));
        run(&[&source]).ends_with(2).complains(&format!("has no branch, tag or commit {revision:?}"));
    }
}

#[test]
fn it_is_not_a_repository() {
    let directory = directory(&[("hello/main.tf", HELLO.as_bytes())]);
    run(&[&format!("{}@main", at(&directory))]).ends_with(2).complains("is not a Git repository");
    let file = format!("{}/hello/main.tf", at(&directory));
    run(&[&file]).ends_with(2).complains("it is a file");
}

#[test]
fn the_repository_is_empty() {
    let bare = directory(&[
        ("HEAD", b"ref: refs/heads/main\n"),
        ("objects/info/keep", b""),
        ("refs/heads/keep", b""),
        ("config", b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n"),
    ]);
    std::fs::remove_file(bare.path().join("refs/heads/keep")).unwrap();
    run(&[at(&bare)]).ends_with(2).complains("has no commit yet");
    run(&[at(&directory(&[]))]).ends_with(2).complains("none of its directories holds a .tf");
}

#[test]
fn the_sub_directory_is_missing() {
    let repository = repository(&[("hello/main.tf", HELLO)], &[]);
    for sub_dir in ["modules", "../..", "/etc", "hello/main.tf"] {
        let missing = format!("has no directory {sub_dir:?}");
        run(&[at(&repository), "--sub-dir", sub_dir]).ends_with(2).complains(&missing);
    }
}

#[test]
fn the_modules_are_elsewhere() {
    let directory = directory(&[("a/modules/hello/main.tf", HELLO.as_bytes())]);
    run(&[at(&directory), "--sub-dir", "a"]).ends_with(2).complains("add --sub-dir a/modules");
    let module = format!("{}/a/modules/hello", at(&directory));
    run(&[&module]).ends_with(2).complains("it is itself a module: give the directory above it");
}
