//! A file that is there whole or not at all.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::failure::{InputError, InputFault};

/// A file being written. Until [`finish`](Self::finish) it has another name in the same directory; dropped before, it is gone.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    replace: bool,
    file: BufWriter<NamedTempFile>,
}

impl NewFile {
    /// Begins a file. With `replace` one that is there is replaced in the end.
    ///
    /// # Errors
    /// [`InputFault::Exists`], [`InputFault::Write`].
    pub fn create(path: &Path, replace: bool) -> Result<Self, InputError> {
        if !replace && fs::symlink_metadata(path).is_ok() {
            return Err(InputError::new(path.display().to_string(), InputFault::Exists));
        }
        let directory =
            path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = builder().tempfile_in(directory);
        let file = file.map_err(|error| unwritten(path, error))?;
        Ok(Self { path: path.to_owned(), replace, file: BufWriter::with_capacity(1 << 20, file) })
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// [`InputFault::Exists`] if one with that name appeared meanwhile, [`InputFault::Write`].
    pub fn finish(self) -> Result<(), InputError> {
        let Self { path, replace, file } = self;
        let failed = |error: io::Error| unwritten(&path, error);
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.as_file().sync_all().map_err(failed)?;
        let named = if replace { file.persist(&path) } else { file.persist_noclobber(&path) };
        named.map(|_| ()).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => InputError::new(path.display().to_string(), InputFault::Exists),
            _ => failed(error.error),
        })
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Temporary files are for their owner only; this one is to become a file like others.
fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".revenue-audit-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}

/// The error of a write that failed.
pub fn unwritten(path: &Path, error: io::Error) -> InputError {
    InputError::new(path.display().to_string(), InputFault::Write(error))
}
