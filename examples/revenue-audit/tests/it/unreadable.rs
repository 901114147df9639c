//! What cannot be read at all: exit code 2, and what to do about it.

use crate::common::audit;

#[test]
fn a_source_of_no_known_kind_and_one_that_is_not_there_are_named() {
    let directory = tempfile::tempdir().unwrap();
    for (source, kind, mend) in
        [("books.xlsx", "UnknownFormat", ".jsonl"), ("books.jsonl", "Open", "check the name")]
    {
        let said = audit(directory.path(), &["replay", source, "--json"]);
        assert_eq!(said.code, 2, "{said:?}");
        let error = &said.json()["error"];
        assert_eq!((error["kind"].as_str(), error["source"].as_str()), (Some(kind), Some(source)));
        assert!(error["mend"].as_str().unwrap().contains(mend), "{error}");
        assert!(said.err.contains(mend), "{}", said.err);
    }
}

#[test]
fn a_time_that_is_none_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let said = audit(directory.path(), &["replay", "books.jsonl", "--from", "yesterday"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("give a day such as 2026-10-01"), "{}", said.err);
}
