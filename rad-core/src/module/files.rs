//! The Terraform files of one module directory: which they are, and their text.

use crate::source::{SourceTree, TreeEntry};

use super::source_error::{LineIndex, Place, SourceError};

/// The largest file that is read, in bytes: 2 MiB.
const MAX_FILE: usize = 2 << 20;
/// The most Terraform files one directory may hold.
const MAX_FILES: usize = 1000;
/// How many links may lead to links.
const MAX_LINKS: usize = 8;

/// What is said of a file that OpenTofu takes in the place of another, so that the two engines would run different modules.
pub(super) const ONLY_TOFU: &str =
    "only OpenTofu reads this file, and takes it in place of the one that ends in .tf: give it that ending";

/// A file to read, in the order in which Terraform reads them: overriding files last.
pub(super) struct SourceFile<'a> {
    /// The path from the root of the searched tree, for messages.
    pub(super) path: String,
    pub(super) text: &'a str,
    pub(super) syntax: Syntax,
    pub(super) overriding: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    Native,
    Json,
}

/// Whether the path, relative to a module's directory, names a file that Terraform reads.
pub(super) fn is_source(path: &str) -> bool {
    syntax(path).is_some()
}

fn syntax(path: &str) -> Option<Syntax> {
    // Nested directories are modules of their own; hidden files and editors' leftovers are not read.
    if path.contains('/') || path.starts_with(['.', '#']) {
        return None;
    }
    if path.ends_with(".tf.json") {
        Some(Syntax::Json)
    } else {
        path.ends_with(".tf").then_some(Syntax::Native)
    }
}

fn overrides(path: &str) -> bool {
    let stem = path.strip_suffix(".tf.json").or_else(|| path.strip_suffix(".tf")).unwrap_or(path);
    stem == "override" || stem.ends_with("_override")
}

/// The readable files of a directory, and what is wrong with the others.
pub(super) fn read<'a>(directory: &str, tree: &'a SourceTree) -> (Vec<SourceFile<'a>>, Vec<SourceError>) {
    let mut files = Vec::new();
    let mut errors = Vec::new();
    for (path, entry) in tree.iter() {
        let full = format!("{directory}/{path}");
        if let TreeEntry::Symlink { target } = entry
            && resolve(path, target).is_none()
        {
            errors.push(SourceError::new(
                full,
                Place::START,
                format!("the link to {target:?} leaves the directory of the module"),
            ));
            continue;
        }
        if !path.contains('/') && (path.ends_with(".tofu") || path.ends_with(".tofu.json")) {
            errors.push(SourceError::new(full, Place::START, ONLY_TOFU));
            continue;
        }
        let Some(syntax) = syntax(path) else { continue };
        match text(tree, path) {
            Ok(text) => files.push(SourceFile { path: full, text, syntax, overriding: overrides(path) }),
            Err((place, message)) => errors.push(SourceError::new(full, place, message)),
        }
    }
    if files.len() > MAX_FILES {
        let message = format!("the directory holds more than {MAX_FILES} Terraform files");
        errors.push(SourceError::new(directory, Place::START, message));
        files.truncate(MAX_FILES);
    }
    files.sort_by_key(|file| file.overriding);
    (files, errors)
}

/// The text of a file; a link is followed within the directory.
fn text<'a>(tree: &'a SourceTree, path: &str) -> Result<&'a str, (Place, String)> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match tree.entry(&path) {
            Some(TreeEntry::File { bytes, .. }) => return decode(bytes),
            Some(TreeEntry::Symlink { target }) => match resolve(&path, target) {
                Some(next) => path = next,
                None => break,
            },
            None => return Err((Place::START, format!("the link leads to {path:?}, which does not exist"))),
        }
    }
    Err((Place::START, "the link does not lead to a file of the module".to_owned()))
}

fn decode(bytes: &[u8]) -> Result<&str, (Place, String)> {
    if bytes.len() > MAX_FILE {
        return Err((Place::START, format!("the file is larger than {} MiB", MAX_FILE >> 20)));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let offset = e.valid_up_to();
        let before = bytes.get(..offset).and_then(|valid| std::str::from_utf8(valid).ok()).unwrap_or("");
        let place = LineIndex::new(before).place(before, before.len());
        (place, format!("the file is not UTF-8 text: byte {offset} cannot be read; save it as UTF-8"))
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The path a link leads to, relative to the directory of the module; `None` if it leaves that directory.
fn resolve(link: &str, target: &str) -> Option<String> {
    if target.is_empty() || target.starts_with('/') || target.contains(['\\', '\0', ':']) {
        return None;
    }
    let mut parts: Vec<&str> = link.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_inside() {
        assert_eq!(resolve("a/x.tf", "../y.tf").as_deref(), Some("y.tf"));
        assert_eq!(resolve("x.tf", "./sub/../y.tf").as_deref(), Some("y.tf"));
        for target in ["../y.tf", "/etc/passwd", "sub/../../y", "", "C:\\x"] {
            assert_eq!(resolve("x.tf", target), None, "{target}");
        }
    }

    #[test]
    fn only_terraform_files_of_the_directory_itself_are_sources() {
        for path in ["main.tf", "a.tf.json", "override.tf"] {
            assert!(is_source(path), "{path}");
        }
        for path in ["sub/main.tf", ".hidden.tf", "#main.tf", "main.tf~", "x.json", "main.tfvars"] {
            assert!(!is_source(path), "{path}");
        }
        assert!(overrides("override.tf.json") && overrides("x_override.tf") && !overrides("x.tf"));
    }
}
