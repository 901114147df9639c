//! What can be wrong with a local repository is said by what it is.

use std::fs;

use rad_core::access::Publisher;
use rad_core::repo::{RepoError, RepoSource as _};
use rad_core::source::{SourceTree, TreeEntry};
use rad_github::local::{LocalSource, TreeLimits, WholeCommit, commit_tree, read_path};

use crate::local::{Repositories, access};
use crate::{time, tree};

#[tokio::test]
async fn no_git_repository() {
    let fixture = Repositories::new();
    let root = fixture.root.path();
    fs::write(root.join("file"), "").unwrap();
    fs::create_dir_all(root.join("broken/.git")).unwrap();
    fs::create_dir(root.join("stray")).unwrap();
    fs::write(root.join("stray/.git"), "gitdir: nowhere").unwrap();
    for name in ["file", "broken", "stray"] {
        let refusal = fixture.source.head(access(name), None).await.unwrap_err();
        assert!(matches!(refusal, RepoError::NotARepository { .. }), "{name}: {refusal:?}");
        assert!(refusal.to_string().contains(name), "{refusal}");
    }
    let listed = fixture.source.repositories(Publisher::Platform, None).await.unwrap();
    let names: Vec<&str> = listed.iter().map(|repository| repository.name.as_str()).collect();
    assert_eq!(names, ["broken", "stray"], "what is broken is listed, files are not");
    assert!(LocalSource::new([root.join("missing")]).is_err());
}

#[tokio::test]
async fn an_empty_directory_is_an_empty_repository() {
    let fixture = Repositories::new();
    fs::create_dir(fixture.root.path().join("nothing")).unwrap();
    let refusal = fixture.source.head(access("nothing"), None).await.unwrap_err();
    assert!(matches!(refusal, RepoError::Empty { .. }), "{refusal:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_outside_of_the_root_is_reached() {
    use std::os::unix::fs::symlink;

    let outside = Repositories::new();
    let commit = outside.commit("secret", "main", &tree(&[("mod/main.tf", "secret")]));
    let secret = outside.root.path().join("secret");
    let fixture = Repositories::new();
    let root = fixture.root.path();
    symlink(&secret, root.join("linked")).unwrap();
    fs::create_dir(root.join("pointing")).unwrap();
    fs::write(root.join("pointing/.git"), format!("gitdir: {}", secret.display())).unwrap();
    fs::create_dir(root.join("linking")).unwrap();
    symlink(&secret, root.join("linking/.git")).unwrap();
    fixture.commit("borrowing", "main", &tree(&[("mod/main.tf", "")]));
    let alternates = root.join("borrowing/objects/info/alternates");
    fs::create_dir_all(alternates.parent().unwrap()).unwrap();
    fs::write(alternates, format!("{}\n", secret.join("objects").display())).unwrap();

    let escape = format!("../{}/secret", outside.root.path().file_name().unwrap().display());
    for name in ["linked", "pointing", "linking", "borrowing", &escape] {
        let refusal = fixture.source.tree(access(name), &commit, "").await.unwrap_err();
        let refused = matches!(refusal, RepoError::NotFound { .. } | RepoError::NotARepository { .. });
        assert!(refused, "{name}: {refusal:?}");
    }
    let listed = fixture.source.repositories(Publisher::Platform, None).await.unwrap();
    assert!(listed.iter().all(|repository| repository.name != "linked"), "{listed:?}");
}

#[tokio::test]
async fn a_tree_over_a_limit_is_refused_as_a_whole() {
    let fixture = Repositories::new();
    let files = tree(&[("a/b/c/main.tf", "12345678"), ("d.tf", "12"), ("e.tf", "")]);
    let commit = fixture.commit("git", "main", &files);
    let plain = fixture.root.path().join("plain");
    fs::create_dir_all(plain.join("a/b/c")).unwrap();
    for (path, text) in [("a/b/c/main.tf", "12345678"), ("d.tf", "12"), ("e.tf", "")] {
        fs::write(plain.join(path), text).unwrap();
    }
    let all = TreeLimits::default();
    for (limits, named) in [
        (TreeLimits { entries: 5, ..all }, "number of files"),
        (TreeLimits { file_bytes: 7, ..all }, "the size of"),
        (TreeLimits { total_bytes: 9, ..all }, "all files together"),
        (TreeLimits { depth: 3, ..all }, "the depth of"),
    ] {
        let source = fixture.source.clone().with_limits(limits);
        let from_git = source.tree(access("git"), &commit, "").await.unwrap_err();
        let from_disk = read_path(&plain, None, "", &limits).unwrap_err();
        for refusal in [from_git, from_disk] {
            assert!(matches!(refusal, RepoError::TooLarge { .. }), "{limits:?}: {refusal:?}");
        }
        let from_disk = read_path(&plain, None, "", &limits).unwrap_err().to_string();
        assert!(from_disk.contains(named), "{from_disk}");
    }
    let exact = TreeLimits { entries: 6, file_bytes: 8, total_bytes: 10, depth: 4 };
    assert_eq!(read_path(&plain, None, "", &exact).unwrap().tree, files, "the limits are the last allowed");
}

#[cfg(unix)]
#[tokio::test]
async fn names_that_cannot_be_kept_are_refused_by_name() {
    use std::os::unix::ffi::OsStrExt as _;

    let fixture = Repositories::new();
    let plain = fixture.root.path().join("plain");
    fs::create_dir(&plain).unwrap();
    for name in [&b"caf\xe9.tf"[..], b"back\\slash.tf"] {
        let path = plain.join(std::ffi::OsStr::from_bytes(name));
        fs::write(&path, "").unwrap();
        let refusal = fixture.source.head(access("plain"), None).await.unwrap_err();
        assert!(matches!(refusal, RepoError::UnusablePath { .. }), "{refusal:?}");
        fs::remove_file(path).unwrap();
    }

    let repo = gix::init_bare(fixture.root.path().join("git")).unwrap();
    let blob = repo.write_blob("").unwrap().detach();
    let mut editor = repo.edit_tree(repo.empty_tree().id).unwrap();
    let name = gix::bstr::BStr::new(b"caf\xe9.tf");
    editor.upsert(name, gix::objs::tree::EntryKind::Blob, blob).unwrap();
    let tree = editor.write().unwrap().detach();
    let author =
        gix::actor::SignatureRef { name: "rad".into(), email: "demo@example.com".into(), time: "0 +0000" };
    let none: [gix::ObjectId; 0] = [];
    let commit = repo.commit_as(author, author, "refs/heads/main", "A name", tree, none).unwrap();
    let commit = commit.to_string().parse().unwrap();
    let refusal = fixture.source.tree(access("git"), &commit, "").await.unwrap_err();
    assert!(matches!(&refusal, RepoError::UnusablePath { path } if path == "caf\u{fffd}.tf"), "{refusal:?}");
}

#[test]
fn a_path_of_the_command_line_is_refused_by_what_it_is() {
    let fixture = Repositories::new();
    let root = fixture.root.path();
    fs::write(root.join("file"), "").unwrap();
    fixture.commit("git", "main", &tree(&[("modules/hello/main.tf", "")]));
    fs::create_dir(root.join("plain")).unwrap();
    let limits = TreeLimits::default();
    let read =
        |name: &str, revision, sub_dir| read_path(&root.join(name), revision, sub_dir, &limits).unwrap_err();
    assert!(matches!(read("missing", None, ""), RepoError::NotFound { .. }));
    assert!(matches!(read("file", None, ""), RepoError::NotARepository { .. }));
    assert!(matches!(read("plain", Some("main"), ""), RepoError::NotARepository { .. }));
    assert!(matches!(read("git", Some("nope"), ""), RepoError::NoCommit { .. }));
    assert!(matches!(read("git", Some("main"), "nope"), RepoError::NoDirectory { .. }));
    assert!(matches!(read("plain", None, "../git"), RepoError::NoDirectory { .. }));
    assert!(matches!(read("plain", None, "nope"), RepoError::NoDirectory { .. }));
}

#[test]
fn commits_go_to_repositories_only() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("note.txt"), "mine").unwrap();
    let mut files = SourceTree::default();
    files.insert("link", TreeEntry::Symlink { target: "x".to_owned() }).unwrap();
    let new = WholeCommit { branch: "main", tree: &files, message: "A change", at: time() };
    let refusal = commit_tree(directory.path(), new).unwrap_err();
    assert!(matches!(refusal, RepoError::NotARepository { .. }), "{refusal:?}");
    let refusal =
        commit_tree(&directory.path().join("new"), WholeCommit { branch: "no..pe", ..new }).unwrap_err();
    assert!(matches!(refusal, RepoError::Backend(_)), "{refusal:?}");
}
