//! The private directory of a run: what lies where, the module unpacked, the values and the state written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use rad_core::id::RunId;
use rad_core::module::Values;
use rad_core::runner::Diagnostic;
use rad_core::source::{SourceTree, TreeEntry};
use secrecy::ExposeSecret;

use super::credentials::Granted;
use super::layout;
use super::network::RESOLVER;
use super::tree;

/// The file of the state in [`Room::State`].
pub(super) const STATE: &str = "terraform.tfstate";

/// The file of the values in [`Room::Inputs`].
pub(super) const VALUES: &str = "values.tfvars.json";

/// The file of ephemeral values, which an apply wants again.
pub(super) const EPHEMERAL: &str = "ephemeral.tfvars.json";

/// The script in [`Room::Inputs`] that exports the run's credentials.
pub(super) const CREDENTIALS: &str = "credentials.sh";

/// The directory in [`Room::Inputs`] with the files among the credentials.
const CREDENTIAL_FILES: &str = "credentials";

/// The file in [`Room::Inputs`] that names the name server.
pub(super) const RESOLV_CONF: &str = "resolv.conf";

/// The private directory of one run.
#[derive(Debug, Clone)]
pub(super) struct Workspace {
    root: PathBuf,
}

/// A part of a run's directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// The module.
    Module,
    /// The state and the plan.
    State,
    /// What the engine keeps about the module: providers, child modules.
    Data,
    /// The values.
    Inputs,
    /// The home directory of module code.
    Home,
}

/// Why a module could not be laid out.
#[derive(Debug)]
pub(super) enum LayoutError {
    /// The module's own fault.
    Module(Diagnostic),
    /// The machine's.
    Io(io::Error),
}

impl From<io::Error> for LayoutError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Room {
    pub(super) const ALL: [Self; 5] = [Self::Module, Self::State, Self::Data, Self::Inputs, Self::Home];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Module => "module",
            Self::State => "state",
            Self::Data => "data",
            Self::Inputs => "inputs",
            Self::Home => "home",
        }
    }

    /// Whether module code may only read it.
    pub(super) fn is_read_only(self) -> bool {
        self == Self::Inputs
    }
}

impl Workspace {
    /// The directory of a run, which may not exist.
    pub(super) fn of(work_root: &Path, run: RunId) -> Self {
        Self { root: work_root.join(run.to_string()) }
    }

    /// Makes the directory and its parts, for their owner only.
    pub(super) fn create(&self) -> io::Result<()> {
        private_directory(&self.root)?;
        Room::ALL.iter().try_for_each(|room| private_directory(&self.path(*room)))?;
        self.write(Room::Inputs, "passwd", b"module:x:1000:1000::/work/home:/bin/sh\n")?;
        self.write(Room::Inputs, "group", b"module:x:1000:\n")?;
        self.write(Room::Inputs, RESOLV_CONF, format!("nameserver {RESOLVER}\n").as_bytes())
    }

    /// The directory itself, of which module code sees only the rooms.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn path(&self, room: Room) -> PathBuf {
        self.root.join(room.name())
    }

    /// Writes a file that only its owner reads.
    pub(super) fn write(&self, room: Room, name: &str, content: &[u8]) -> io::Result<()> {
        new_file(&self.path(room).join(name), 0o600)?.write_all(content)
    }

    /// Writes the values of variables.
    pub(super) fn write_values(&self, name: &str, values: &Values) -> io::Result<()> {
        self.write(Room::Inputs, name, &serde_json::to_vec(values).map_err(io::Error::other)?)
    }

    /// Writes what the run logs on with, if it is given anything; `inside` is where module code finds the inputs.
    pub(super) fn write_credentials(&self, granted: &Granted, inside: &Path) -> io::Result<()> {
        if granted.is_empty() {
            return Ok(());
        }
        let files = Path::new(CREDENTIAL_FILES);
        private_directory(&self.path(Room::Inputs).join(files))?;
        for (name, content) in granted.files() {
            new_file(&self.path(Room::Inputs).join(files).join(name), 0o600)?
                .write_all(content.as_bytes())?;
        }
        let script = granted.script(&inside.join(files));
        self.write(Room::Inputs, CREDENTIALS, script.expose_secret().as_bytes())
    }

    /// Unpacks a module. Its links must stay inside; what it brings of the engine's own files is left out.
    pub(super) fn unpack(&self, source: &SourceTree, state_inside: &Path) -> Result<(), LayoutError> {
        let module = self.path(Room::Module);
        for (path, entry) in layout::contents(source, state_inside).map_err(LayoutError::Module)? {
            let place = module.join(&path);
            parents(&module, &path)?;
            match entry {
                TreeEntry::File { bytes, executable } => {
                    new_file(&place, if executable { 0o700 } else { 0o600 })?.write_all(&bytes)?;
                }
                TreeEntry::Symlink { target } => symlink(target, place)?,
            }
        }
        Ok(())
    }

    /// Removes the directory and all that is in it.
    pub(super) fn remove(&self) -> io::Result<()> {
        tree::remove(&self.root)
    }
}

/// Makes a directory for its owner only.
pub(super) fn private_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)
}

/// Makes the directories above a path of the module; a link or a file in the way is refused.
fn parents(module: &Path, path: &str) -> io::Result<()> {
    let mut directory = module.to_owned();
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in parts {
        directory.push(part);
        match private_directory(&directory) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !fs::symlink_metadata(&directory)?.is_dir() {
                    return Err(io::Error::other(format!(
                        "{path} lies below something that is no directory"
                    )));
                }
            }
            made => made?,
        }
    }
    Ok(())
}

fn new_file(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terraform::layout::OVERRIDE;

    fn unpacked(entries: &[(&str, TreeEntry)]) -> (tempfile::TempDir, Workspace, Result<(), LayoutError>) {
        let root = tempfile::tempdir().unwrap();
        let workspace = Workspace::of(root.path(), RunId::new());
        workspace.create().unwrap();
        let mut source = SourceTree::default();
        for (path, entry) in entries {
            source.insert(*path, entry.clone()).unwrap();
        }
        let result = workspace.unpack(&source, Path::new("/work/state/terraform.tfstate"));
        (root, workspace, result)
    }

    fn link(target: &str) -> TreeEntry {
        TreeEntry::Symlink { target: target.into() }
    }

    fn file(content: &'static str) -> TreeEntry {
        TreeEntry::File { bytes: content.into(), executable: true }
    }

    #[test]
    fn links_that_leave_the_module_are_refused() {
        for (path, target) in [
            ("l", "/etc/passwd"),
            ("l", "../x"),
            ("a/l", "../../x"),
            ("a/l", "b/../../../x"),
            ("l", "a/../x"),
            ("l", ""),
        ] {
            let (_root, _, result) = unpacked(&[(path, link(target))]);
            assert!(matches!(result, Err(LayoutError::Module(_))), "{path} -> {target}");
        }
        let inside =
            [("main.tf", file("")), ("a/l", link("../main.tf")), ("m", link("a/l")), ("n", link("./a"))];
        let (_root, workspace, result) = unpacked(&inside);
        result.unwrap();
        assert!(workspace.path(Room::Module).join("n/l").canonicalize().unwrap().ends_with("module/main.tf"));
    }

    #[test]
    fn a_link_whose_place_is_a_directory_is_an_error() {
        let (_root, _, result) = unpacked(&[("a", link(".")), ("a/b", file(""))]);
        assert!(result.is_err());
    }

    #[test]
    fn files_are_private_and_the_state_stays_with_the_platform() {
        use std::os::unix::fs::PermissionsExt;
        let files = [
            ("s/run.sh", file("#!")),
            (".terraform/evil", file("")),
            (OVERRIDE, file("evil")),
            ("terraform.tfstate", file("")),
        ];
        let (_root, workspace, result) = unpacked(&files);
        result.unwrap();
        let module = workspace.path(Room::Module);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&module), mode(&module.join("s/run.sh"))), (0o700, 0o700));
        assert!(!module.join(".terraform").exists() && !module.join("terraform.tfstate").exists());
        let written = fs::read_to_string(module.join(OVERRIDE)).unwrap();
        assert!(written.contains("path = \"/work/state/terraform.tfstate\""), "{written}");
        workspace.remove().unwrap();
        assert!(!module.exists());
    }
}
