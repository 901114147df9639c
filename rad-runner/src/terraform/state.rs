//! Watching the state file that an engine writes, and reading it from a directory that module code can write to.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rad_core::error::BackendError;
use rad_core::runner::Output;
use rustix::fs::{FileType, Mode, OFlags, fstat, open, openat};
use serde::Deserialize;
use serde_json::Value;

/// A state larger than this is not a state.
const LARGEST: u64 = 256 * 1024 * 1024;

/// A state file, found through its directory's handle: a link put in the directory's place leads nowhere.
#[derive(Debug, Clone)]
pub(super) struct StateFile {
    directory: Arc<OwnedFd>,
    name: &'static str,
    /// What the file looked like when it was read last.
    seen: Option<Stamp>,
}

/// When a file was written (seconds, nanoseconds), its size and its inode: another file is another stamp.
pub(super) type Stamp = (i64, i64, i64, u64);

/// What the platform reads of a state, format version 4.
#[derive(Debug, Deserialize)]
pub(super) struct State {
    serial: u64,
    #[serde(rename = "version")]
    _version: u64,
    #[serde(rename = "lineage")]
    _lineage: String,
    #[serde(default)]
    outputs: serde_json::Map<String, Value>,
    #[serde(default)]
    resources: Vec<StateResource>,
}

/// A resource or data source of a state: a block and all its instances.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StateResource {
    module: String,
    mode: String,
    #[serde(rename = "type")]
    ty: String,
    name: String,
    instances: Vec<StateInstance>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StateInstance {
    index_key: Value,
}

impl StateFile {
    /// A file in a directory that exists.
    pub(super) fn in_directory(directory: &Path, name: &'static str) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        let directory = Arc::new(open(directory, flags, Mode::empty())?);
        Ok(Self { directory, name, seen: None })
    }

    /// The complete state in the file, if it changed since it was last read.
    pub(super) async fn changed(&mut self) -> Result<Option<Bytes>, BackendError> {
        let mut reading = self.clone();
        let read = tokio::task::spawn_blocking(move || {
            let state = reading.read();
            (reading.seen, state)
        });
        let (seen, state) = read.await.map_err(failed)?;
        self.seen = seen;
        state.map_err(failed)
    }

    /// The complete state in the file, if it changed since it was last read.
    pub(super) fn read(&mut self) -> io::Result<Option<Bytes>> {
        let Some((stamp, bytes)) = self.content()? else {
            return Ok(None);
        };
        // One that is just being written is read again when it has changed.
        if self.seen == Some(stamp) || State::parse(&bytes).is_none() {
            return Ok(None);
        }
        self.seen = Some(stamp);
        Ok(Some(bytes))
    }

    /// Whether there is a complete state in the file, read before or not.
    pub(super) fn is_there(&self) -> io::Result<bool> {
        Ok(Self { seen: None, ..self.clone() }.read()?.is_some())
    }

    /// What is in the file, and when, how long and which file it was.
    pub(super) fn content(&self) -> io::Result<Option<(Stamp, Bytes)>> {
        // NONBLOCK: a pipe in the file's place would wait for a writer for ever.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::RDONLY;
        let Ok(file) = openat(&*self.directory, self.name, flags, Mode::empty()) else {
            return Ok(None);
        };
        let stat = fstat(&file)?;
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || size > LARGEST {
            return Ok(None);
        }
        let nanos = i64::try_from(stat.st_mtime_nsec).unwrap_or_default();
        let stamp = (stat.st_mtime, nanos, stat.st_size, stat.st_ino);
        if self.seen == Some(stamp) {
            return Ok(Some((stamp, Bytes::new())));
        }
        let mut bytes = Vec::new();
        File::from(file).take(LARGEST).read_to_end(&mut bytes)?;
        Ok(Some((stamp, bytes.into())))
    }
}

impl State {
    /// Reads a state; `None` if it is not complete.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// The serial of a state, which counts up with every change; `None` if it is not complete.
    pub(super) fn serial_of(bytes: &[u8]) -> Option<u64> {
        Self::parse(bytes).map(|state| state.serial)
    }

    /// Whether it knows of something that exists.
    pub(super) fn has_resources(&self) -> bool {
        !self.resources.is_empty()
    }

    /// The addresses of the resources it knows of, each instance once, in their order; data sources are none.
    pub(super) fn addresses(self) -> Vec<String> {
        let managed = self.resources.into_iter().filter(|resource| resource.mode == "managed");
        let mut addresses: Vec<String> = managed.flat_map(StateResource::addresses).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    /// The outputs, sensitive ones with their values.
    pub(super) fn outputs(self) -> Vec<Output> {
        let output = |(name, mut output): (String, Value)| Output {
            name,
            sensitive: output["sensitive"].as_bool().unwrap_or_default(),
            value: output["value"].take(),
        };
        self.outputs.into_iter().map(output).collect()
    }
}

impl StateResource {
    fn addresses(self) -> Vec<String> {
        let Self { module, ty, name, .. } = &self;
        let dot = if module.is_empty() { "" } else { "." };
        let block = format!("{module}{dot}{ty}.{name}");
        let address = |instance: &StateInstance| match &instance.index_key {
            Value::Null => block.clone(),
            // A number as it is, a text in quotes.
            key => format!("{block}[{key}]"),
        };
        self.instances.iter().map(address).collect()
    }
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BackendError {
    BackendError::permanent("reading the state file", error)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    const COMPLETE: &str = r#"{"version":4,"serial":7,"lineage":"x","outputs":{"a":{"value":1,"type":"number"},
        "b":{"value":"s","type":"string","sensitive":true}},"resources":[]}"#;

    #[test]
    fn only_complete_states_are_read_and_each_once() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = StateFile::in_directory(directory.path(), "state").unwrap();
        assert_eq!(file.read().unwrap(), None);
        let path = directory.path().join("state");
        for cut in [0, 1, COMPLETE.len() / 2, COMPLETE.len() - 1] {
            fs::write(&path, &COMPLETE[..cut]).unwrap();
            assert_eq!(file.read().unwrap(), None, "cut at {cut}");
        }
        fs::write(&path, COMPLETE).unwrap();
        let state = file.read().unwrap().unwrap();
        assert_eq!(file.read().unwrap(), None, "unchanged");
        assert_eq!(State::serial_of(&state), Some(7));
        let state = State::parse(&state).unwrap();
        assert!(!state.has_resources());
        let outputs = state.outputs();
        assert_eq!(outputs.iter().map(|output| output.sensitive).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn resources_have_the_addresses_that_people_know() {
        let state = r#"{"version":4,"serial":1,"lineage":"x","resources":[
            {"mode":"managed","type":"a","name":"one","instances":[{"attributes":{}}, {"deposed":"1"}]},
            {"mode":"managed","module":"module.m[\"k\"]","type":"a","name":"many","instances":[{"index_key":1},{"index_key":"x\"y"}]},
            {"mode":"data","type":"b","name":"read","instances":[{}]}]}"#;
        let addresses = State::parse(state.as_bytes()).unwrap().addresses();
        assert_eq!(addresses, ["a.one", r#"module.m["k"].a.many["x\"y"]"#, r#"module.m["k"].a.many[1]"#]);
    }

    #[test]
    fn what_is_no_regular_file_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let secret = directory.path().join("secret");
        fs::write(&secret, COMPLETE).unwrap();
        let room = directory.path().join("room");
        fs::create_dir(&room).unwrap();
        let mut file = StateFile::in_directory(&room, "state").unwrap();
        symlink(&secret, room.join("state")).unwrap();
        assert_eq!(file.read().unwrap(), None, "a link");
        fs::remove_file(room.join("state")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, room.join("state"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert_eq!(file.read().unwrap(), None, "a pipe");
        fs::rename(&room, directory.path().join("moved")).unwrap();
        symlink(directory.path(), &room).unwrap();
        fs::write(directory.path().join("state"), COMPLETE).unwrap();
        assert_eq!(file.read().unwrap(), None, "a link in the directory's place");
    }
}
