//! What a run's pod is given: the module and the state as an archive in numbered parts, the values as files.

use std::io;
use std::path::Path;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use rad_core::error::BackendError;
use rad_core::runner::{Diagnostic, RunJob};
use rad_core::source::TreeEntry;
use secrecy::ExposeSecret;
use tar::{Builder, EntryType, Header};

use super::manifest::{CREDENTIALS_INSIDE, STATE_INSIDE};
use crate::terraform::credentials::Granted;
use crate::terraform::layout::{contents, declared};
use crate::terraform::workspace::{CREDENTIALS, EPHEMERAL, VALUES};

/// How many bytes one Secret takes; the API server allows 1 MiB.
pub(super) const PART: usize = 900_000;

/// The most parts that an archive may have.
const PARTS: usize = 24;

/// The file that lists what is masked in the log besides the values: a worker that carries the run on reads it.
const MASKED: &str = "masked.json";

/// The key of the file in its Secret.
pub(super) const CONTENT: &str = "content";

/// A file that a Secret holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Input {
    /// Its path below the inputs of the pod.
    pub(super) file: String,
    /// What is in it.
    pub(super) content: Bytes,
}

/// Why a run cannot be packed.
#[derive(Debug)]
pub(super) enum PackError {
    /// The module's or the values' own fault.
    Module(Diagnostic),
    /// The platform's.
    Machinery(BackendError),
}

impl From<io::Error> for PackError {
    fn from(error: io::Error) -> Self {
        Self::Machinery(BackendError::permanent("packing a module", error))
    }
}

/// The inputs of a run, each small enough for a Secret of its own; first what is masked.
pub(super) fn pack(job: &RunJob, granted: &Granted) -> Result<Vec<Input>, PackError> {
    let (values, ephemeral) = declared(job);
    let mut inputs = credentials(granted)?;
    for (file, values) in [(VALUES, values), (EPHEMERAL, ephemeral)] {
        if file == EPHEMERAL && values.is_empty() {
            continue;
        }
        let content = serde_json::to_vec(&values).map_err(io::Error::other)?;
        if content.len() > PART {
            return Err(too_large("The values are too large", content.len(), PART));
        }
        inputs.push(Input { file: file.to_owned(), content: content.into() });
    }
    let archive = Bytes::from(archive(job)?);
    if archive.len() > PART * PARTS {
        return Err(too_large("The module is too large", archive.len(), PART * PARTS));
    }
    for (part, start) in (0..archive.len()).step_by(PART).enumerate() {
        let content = archive.slice(start..archive.len().min(start + PART));
        // Two digits: a shell lists the parts in their order.
        inputs.push(Input { file: format!("part-{part:02}"), content });
    }
    Ok(inputs)
}

/// What is masked, as [`pack`] wrote it.
pub(super) fn masked(content: &[u8]) -> Option<Vec<String>> {
    serde_json::from_slice(content).ok()
}

fn credentials(granted: &Granted) -> Result<Vec<Input>, PackError> {
    let masked = serde_json::to_vec(&granted.secrets().collect::<Vec<_>>()).map_err(io::Error::other)?;
    let mut files = vec![(MASKED.to_owned(), Bytes::from(masked))];
    if !granted.is_empty() {
        let script = granted.script(Path::new(CREDENTIALS_INSIDE));
        files.push((CREDENTIALS.to_owned(), script.expose_secret().to_owned().into()));
    }
    for (name, content) in granted.files() {
        files.push((format!("credentials/{name}"), content.to_owned().into()));
    }
    let input = |(file, content): (String, Bytes)| match content.len() {
        bytes if bytes > PART => Err(too_large("The credentials are too large", bytes, PART)),
        _ => Ok(Input { file, content }),
    };
    files.into_iter().map(input).collect()
}

fn archive(job: &RunJob) -> Result<Vec<u8>, PackError> {
    let mut archive = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, entry) in contents(&job.source, Path::new(STATE_INSIDE)).map_err(PackError::Module)? {
        let path = format!("module/{path}");
        match entry {
            TreeEntry::File { bytes, executable } => {
                let mode = if executable { 0o700 } else { 0o600 };
                archive.append_data(&mut header(&bytes, mode), path, &*bytes)?;
            }
            TreeEntry::Symlink { target } => {
                let mut header = header(&[], 0o777);
                header.set_entry_type(EntryType::Symlink);
                archive.append_link(&mut header, path, target)?;
            }
        }
    }
    if let Some(state) = &job.state {
        archive.append_data(&mut header(state, 0o600), "state/terraform.tfstate", &**state)?;
    }
    Ok(archive.into_inner()?.finish()?)
}

fn header(content: &[u8], mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    header
}

fn too_large(what: &str, bytes: usize, limit: usize) -> PackError {
    let detail = format!(
        "{bytes} bytes are to be handed to a pod, compressed where they are files; the Secrets of one run hold {limit}."
    );
    PackError::Module(Diagnostic::error(format!("{what} for a run on Kubernetes"), detail))
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::io::Read;

    use flate2::read::GzDecoder;
    use rad_core::conformance::runner::{Modules, TerraformModules};
    use rad_core::id::{DeploymentId, RunId};
    use rad_core::runner::{Action, Consent, RunLimits};
    use rad_core::source::SourceTree;
    use serde_json::json;

    use super::*;

    pub(crate) fn job(source: SourceTree, values: serde_json::Value) -> RunJob {
        RunJob {
            run: RunId::new(),
            deployment: DeploymentId::new(),
            action: Action::Create,
            source,
            values: serde_json::from_value(values).unwrap(),
            sensitive: Vec::new(),
            state: Some(Bytes::from_static(b"{}")),
            consent: Consent::Everything,
            limits: RunLimits::of(std::time::Duration::from_secs(1)),
        }
    }

    fn packed(source: SourceTree, values: serde_json::Value) -> Result<Vec<Input>, PackError> {
        pack(&job(source, values), &Granted::default())
    }

    fn unpacked(inputs: &[Input]) -> BTreeMap<String, Vec<u8>> {
        let parts: Vec<&Input> = inputs.iter().filter(|input| input.file.starts_with("part-")).collect();
        assert!(parts.windows(2).all(|pair| pair[0].file < pair[1].file));
        let packed = parts.iter().flat_map(|part| part.content.to_vec()).collect::<Vec<u8>>();
        let mut archive = tar::Archive::new(GzDecoder::new(&*packed));
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.path().unwrap().display().to_string(), content)
        });
        entries.collect()
    }

    #[test]
    fn a_module_its_state_and_its_values_are_packed() {
        let inputs = packed(TerraformModules.greeter(), json!({ "who": "Ada", "unknown": 1 })).unwrap();
        assert_eq!((&*inputs[0].file, &*inputs[0].content), (MASKED, &b"[]"[..]));
        assert_eq!(inputs[1].file, VALUES);
        assert_eq!(inputs[1].content, r#"{"who":"Ada"}"#, "only what the module declares");
        let files = unpacked(&inputs);
        assert!(
            files.contains_key("module/main.tf") && files.contains_key("module/zzzz_platform_override.tf")
        );
        assert_eq!(files["state/terraform.tfstate"], b"{}");
    }

    #[test]
    fn credentials_are_packed_with_what_is_masked() {
        let granted = Granted::default().variable("KEY", "s3cret").file("FILE", "key.json", "{1}");
        let inputs = pack(&job(TerraformModules.greeter(), json!({})), &granted).unwrap();
        assert_eq!(masked(&inputs[0].content).unwrap(), ["s3cret", "{1}"]);
        assert_eq!(
            inputs[1].content,
            "export KEY='s3cret'\nexport FILE='/rad/inputs/credentials/key.json'\n"
        );
        assert_eq!((&*inputs[2].file, &*inputs[2].content), ("credentials/key.json", &b"{1}"[..]));
    }

    #[test]
    fn what_does_not_fit_one_secret_is_split_and_what_fits_none_is_refused() {
        // Nothing that can be compressed.
        let noise = |bytes: usize| {
            let mut seed = 1_u64;
            let next = |_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                seed.to_be_bytes()[0]
            };
            (0..bytes).map(next).collect::<Vec<u8>>()
        };
        let with = |bytes| {
            let mut source = TerraformModules.greeter();
            source.insert_file("noise.bin", noise(bytes)).unwrap();
            packed(source, json!({}))
        };
        let inputs = with(2 * PART).unwrap();
        assert_eq!(inputs.iter().filter(|input| input.file.starts_with("part-")).count(), 3);
        assert!(inputs.iter().all(|input| input.content.len() <= PART));
        assert_eq!(unpacked(&inputs)["module/noise.bin"], noise(2 * PART));
        let Err(PackError::Module(refusal)) = with(PART * PARTS) else { panic!("it is too large") };
        assert!(refusal.detail.contains("21600000"), "{refusal:?}");

        let values = json!({ "who": "x".repeat(PART) });
        let Err(PackError::Module(refusal)) = packed(TerraformModules.greeter(), values) else {
            panic!("they are too large")
        };
        assert!(refusal.summary.contains("values"), "{refusal:?}");
    }
}
