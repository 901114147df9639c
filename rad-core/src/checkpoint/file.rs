//! A checkpoint in a file, for whoever has no access to the database: JSON Lines, first the signed checkpoint, then the heads
//! of all accounts it covers, in account order.

use std::io::{self, BufRead, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Checkpoint, Head, SignedCheckpoint, Tree};
use crate::id::AccountId;

/// Bytes of a line at the most.
const LONGEST_LINE: u64 = 4 << 10;

/// Writes a checkpoint and its heads.
///
/// ```
/// use rad_core::checkpoint::{Checkpoint, FileReader, FileWriter, SigningKey, Tree};
/// use rad_core::source::Digest;
///
/// let key = SigningKey::from_hex(&"5e".repeat(32).into())?;
/// let (at, root, none) = (chrono::Utc::now(), Tree::default().root(), Digest::ZERO);
/// let first = Checkpoint { number: 1, at, accounts: 0, entries: 0, root, changes: none, previous: none };
/// let mut file = FileWriter::new(Vec::new(), &first.sign(&key))?;
/// // file.add(&head)? for each account
/// let bytes = file.finish()?;
///
/// let mut file = FileReader::new(bytes.as_slice())?;
/// assert!(file.checkpoint().is_intact() && file.checkpoint().key == key.public());
/// assert_eq!(file.next_head()?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FileWriter<W>(W);

impl<W: Write> FileWriter<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn new(out: W, checkpoint: &SignedCheckpoint) -> io::Result<Self> {
        let mut file = Self(out);
        file.write(checkpoint)?;
        Ok(file)
    }

    /// Adds the head of the next account.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add(&mut self, head: &Head) -> io::Result<()> {
        self.write(head)
    }

    /// Gives back what was written to.
    ///
    /// # Errors
    /// If it cannot be flushed.
    pub fn finish(mut self) -> io::Result<W> {
        self.0.flush()?;
        Ok(self.0)
    }

    fn write(&mut self, line: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, line)?;
        self.0.write_all(b"\n")
    }
}

/// Reads what [`FileWriter`] wrote, one head at a time.
#[derive(Debug)]
pub struct FileReader<R> {
    input: R,
    checkpoint: SignedCheckpoint,
    line: u64,
    tree: Tree,
    entries: u64,
    last: Option<AccountId>,
}

impl<R: BufRead> FileReader<R> {
    /// Reads the checkpoint itself. Whether its signature is right, and whose it is, is for the caller to ask.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn new(mut input: R) -> Result<Self, FileError> {
        let first = read_line(&mut input, 1)?;
        let checkpoint = first.ok_or_else(|| wrong(1, "there is no checkpoint"))?;
        Ok(Self { input, checkpoint, line: 1, tree: Tree::default(), entries: 0, last: None })
    }

    /// The checkpoint.
    pub const fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// The next head; `None` after the last, once all together are what the checkpoint says. Until then they are claims.
    ///
    /// # Errors
    /// [`FileError`], for a file that ends too soon, too.
    pub fn next_head(&mut self) -> Result<Option<Head>, FileError> {
        let line = self.line.saturating_add(1);
        let Some(head) = read_line::<Head>(&mut self.input, line)? else {
            return self.check().map(|()| None);
        };
        if self.last.is_some_and(|last| head.account <= last) {
            return Err(wrong(line, "the account does not come after the one before it"));
        }
        (self.line, self.last) = (line, Some(head.account));
        self.tree.push(&head);
        self.entries = self.entries.saturating_add(head.seq);
        Ok(Some(head))
    }

    fn check(&self) -> Result<(), FileError> {
        let Checkpoint { accounts, entries, root, .. } = self.checkpoint.checkpoint;
        let fits = self.tree.leaves() == accounts && self.entries == entries && self.tree.root() == root;
        if fits { Ok(()) } else { Err(FileError::Heads) }
    }
}

/// Why a file is no checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It cannot be read.
    #[error("the checkpoint cannot be read")]
    Io(#[from] io::Error),
    /// A line is not what belongs there.
    #[error("line {line} of the checkpoint: {problem}")]
    Line {
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// The heads are not those that were signed.
    #[error("the heads in the file are not those that its checkpoint was made over")]
    Heads,
}

fn wrong(line: u64, problem: impl Into<String>) -> FileError {
    FileError::Line { line, problem: problem.into() }
}

/// The value in the next line; `None` at the end.
fn read_line<T: DeserializeOwned>(input: &mut impl BufRead, line: u64) -> Result<Option<T>, FileError> {
    let mut text = Vec::new();
    input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut text)?;
    if text.is_empty() {
        return Ok(None);
    }
    if !text.ends_with(b"\n") {
        return Err(wrong(line, format!("it has no end, or is longer than {LONGEST_LINE} bytes")));
    }
    serde_json::from_slice(&text).map(Some).map_err(|error| wrong(line, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::SigningKey;
    use crate::source::Digest;

    fn file(heads: &[Head]) -> Vec<u8> {
        let key = SigningKey::from_hex(&"5e".repeat(32).into()).unwrap();
        let mut tree = Tree::default();
        heads.iter().for_each(|head| tree.push(head));
        let (accounts, entries) = (tree.leaves(), heads.iter().map(|head| head.seq).sum());
        let (at, root, none) = (chrono::DateTime::UNIX_EPOCH, tree.root(), Digest::ZERO);
        let checkpoint = Checkpoint { number: 1, at, accounts, entries, root, changes: none, previous: none };
        let mut file = FileWriter::new(Vec::new(), &checkpoint.sign(&key)).unwrap();
        heads.iter().for_each(|head| file.add(head).unwrap());
        file.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Vec<Head>, FileError> {
        let mut file = FileReader::new(bytes)?;
        assert!(file.checkpoint().is_intact());
        std::iter::from_fn(|| file.next_head().transpose()).collect()
    }

    fn heads() -> [Head; 3] {
        [1, 2, 3].map(|n| Head { account: AccountId::from_bytes([n; 16]), seq: 4, hash: Digest::of(&[n]) })
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(read(&file(&heads())).unwrap(), heads());
        assert_eq!(read(&file(&[])).unwrap(), []);
    }

    #[test]
    fn what_is_altered_is_refused() {
        let text = String::from_utf8(file(&heads())).unwrap();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let [checkpoint, first, second, third] = lines[..] else { panic!("{lines:?}") };
        for (altered, expected) in [
            ([checkpoint, first, second].concat(), "not those"),
            ([checkpoint, first, second, &third.replace(":4", ":5")].concat(), "not those"),
            ([checkpoint, second, first, third].concat(), "line 3"),
            ([checkpoint, first, first].concat(), "line 3"),
            ([checkpoint, first, "{}\n"].concat(), "line 3"),
            (text.trim_end().to_owned(), "no end"),
            (" ".repeat(5_000), "no end"),
            (String::new(), "no checkpoint"),
        ] {
            let error = read(altered.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
