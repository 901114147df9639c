//! `generate`: whole files, the same for a seed, and nothing overwritten.

use std::fs;

use crate::common::audit;

const ARGUMENTS: [&str; 7] = ["generate", "--accounts", "5", "--entries", "300", "--seed", "2"];

#[test]
fn the_same_seed_writes_the_same_file_and_nothing_else_is_left() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["one.csv", "two.csv"] {
        let said = audit(directory.path(), &[&ARGUMENTS[..], &["-o", name, "--json"]].concat());
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!((&said.json()["entries"], &said.json()["output"]), (&300.into(), &name.into()));
    }
    let read = |name| fs::read_to_string(directory.path().join(name)).unwrap();
    assert_eq!(read("one.csv"), read("two.csv"));
    assert_eq!(read("one.csv").lines().count(), 301);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
}

#[test]
fn a_file_that_is_there_stays_unless_it_is_forced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("books.jsonl");
    fs::write(&path, "mine").unwrap();
    let arguments = [&ARGUMENTS[..], &["-o", "books.jsonl", "--json"]].concat();
    let said = audit(directory.path(), &arguments);
    assert_eq!((said.code, said.json()["error"]["kind"].as_str()), (2, Some("Exists")), "{said:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");

    let said = audit(directory.path(), &[&arguments[..], &["--force"]].concat());
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 300);
}

#[test]
fn arguments_that_do_not_fit_are_named() {
    let directory = tempfile::tempdir().unwrap();
    for (arguments, kind, source) in [
        (["--accounts", "5", "-o", "books.txt"], "UnknownFormat", "books.txt"),
        (["--accounts", "0", "-o", "books.csv"], "Argument", "--accounts"),
        (["--accounts", "99999", "-o", "books.csv"], "Argument", "--entries"),
        (["--accounts", "5", "-o", "nowhere/books.csv"], "Write", "nowhere/books.csv"),
    ] {
        let said = audit(directory.path(), &[&["generate", "--json"], &arguments[..]].concat());
        let error = &said.json()["error"];
        assert_eq!(said.code, 2, "{said:?}");
        assert_eq!((error["kind"].as_str(), error["source"].as_str()), (Some(kind), Some(source)));
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}
