//! What the made-up API server stores: objects with versions, their history for watches, and the faults it is to show.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use uuid::Uuid;

/// A kind of objects, as paths name it.
pub(crate) type Kind = &'static str;

pub(crate) const KINDS: [Kind; 3] = ["jobs", "pods", "secrets"];

/// A cluster with one namespace.
#[derive(Clone)]
pub(crate) struct Cluster {
    stored: Arc<Mutex<Stored>>,
    /// Counts up with every change of anything.
    changes: Arc<watch::Sender<u64>>,
    /// Where pods get their volumes.
    pub(crate) root: PathBuf,
}

#[derive(Default)]
struct Stored {
    objects: BTreeMap<(Kind, String), Value>,
    version: u64,
    history: Vec<(u64, Kind, &'static str, Value)>,
    /// Watches cannot begin before this version.
    compacted: u64,
    logs: BTreeMap<String, Vec<(DateTime<Utc>, String)>>,
    requests: Vec<String>,
    faults: Faults,
}

/// What goes wrong.
#[derive(Default)]
pub(crate) struct Faults {
    /// Answers with these statuses to requests that contain these words.
    pub(crate) answers: VecDeque<(&'static str, u16)>,
    /// Breaks the connection over which a log is followed after so many lines.
    pub(crate) cut_logs_after: Option<usize>,
    /// Breaks the connection of a watch after each event.
    pub(crate) cut_watches: bool,
    /// Makes no pods.
    pub(crate) no_pods: bool,
    /// The log up to here is rotated away.
    pub(crate) rotated: usize,
}

impl Cluster {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { stored: Arc::default(), changes: Arc::new(watch::Sender::new(0)), root }
    }

    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn faults<T>(&self, set: impl FnOnce(&mut Faults) -> T) -> T {
        set(&mut self.stored().faults)
    }

    pub(crate) fn changed(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Waits until the cluster is as wanted.
    pub(crate) async fn until(&self, wanted: impl Fn(&Self) -> bool) {
        let mut changed = self.changed();
        while !wanted(self) {
            changed.changed().await.unwrap();
        }
    }

    pub(crate) fn tell(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Notes a request; the status with which it fails, if it is to.
    pub(crate) fn note(&self, request: &str) -> Option<u16> {
        let mut stored = self.stored();
        stored.requests.push(request.to_owned());
        let place = stored.faults.answers.iter().position(|(words, _)| request.contains(words))?;
        stored.faults.answers.remove(place).map(|(_, status)| status)
    }

    /// How many requests contained these words.
    pub(crate) fn requests(&self, words: &str) -> usize {
        self.stored().requests.iter().filter(|request| request.contains(words)).count()
    }

    pub(crate) fn version(&self) -> u64 {
        self.stored().version
    }

    pub(crate) fn get(&self, kind: Kind, name: &str) -> Option<Value> {
        self.stored().objects.get(&(kind, name.to_owned())).cloned()
    }

    pub(crate) fn list(&self, kind: Kind, selector: &str) -> Vec<Value> {
        let stored = self.stored();
        let of_kind =
            stored.objects.iter().filter(|((of, _), object)| *of == kind && selects(selector, object));
        of_kind.map(|(_, object)| object.clone()).collect()
    }

    /// Stores an object; a new one gets what the API server adds.
    pub(crate) fn put(&self, kind: Kind, mut object: Value) -> Value {
        let mut stored = self.stored();
        stored.version += 1;
        let version = stored.version;
        let metadata = &mut object["metadata"];
        let name = metadata["name"].as_str().unwrap().to_owned();
        metadata["resourceVersion"] = version.to_string().into();
        metadata["namespace"] = "runs".into();
        let event = if metadata["uid"].is_null() { "ADDED" } else { "MODIFIED" };
        if metadata["uid"].is_null() {
            metadata["uid"] = Uuid::new_v4().to_string().into();
            metadata["creationTimestamp"] = now().into();
        }
        stored.history.push((version, kind, event, object.clone()));
        stored.objects.insert((kind, name), object.clone());
        drop(stored);
        self.tell();
        object
    }

    /// Changes an object that is there.
    pub(crate) fn change(&self, kind: Kind, name: &str, change: impl FnOnce(&mut Value)) {
        if let Some(mut object) = self.get(kind, name) {
            change(&mut object);
            self.put(kind, object);
        }
    }

    pub(crate) fn remove(&self, kind: Kind, name: &str) -> Option<Value> {
        let mut stored = self.stored();
        let object = stored.objects.remove(&(kind, name.to_owned()))?;
        stored.version += 1;
        let version = stored.version;
        stored.history.push((version, kind, "DELETED", object.clone()));
        // What it owns goes with it.
        let uid = &object["metadata"]["uid"];
        let owned = |(key, owned): (&(Kind, String), &Value)| {
            let owners = owned["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
            owners.iter().any(|owner| owner["uid"] == *uid).then(|| key.clone())
        };
        let dependents: Vec<_> = stored.objects.iter().filter_map(owned).collect();
        drop(stored);
        for (kind, name) in dependents {
            self.remove(kind, &name);
        }
        self.tell();
        Some(object)
    }

    /// The events of a kind after a version; `None` if they are not kept any more.
    pub(crate) fn events(&self, kind: Kind, selector: &str, after: u64) -> Option<Vec<(u64, Value)>> {
        let stored = self.stored();
        if after < stored.compacted {
            return None;
        }
        let later = stored
            .history
            .iter()
            .filter(|(version, of, _, object)| *version > after && *of == kind && selects(selector, object));
        Some(
            later
                .map(|(version, _, event, object)| (*version, json!({ "type": event, "object": object })))
                .collect(),
        )
    }

    /// Forgets the history: watches have to begin with a list again.
    pub(crate) fn compact(&self) {
        let mut stored = self.stored();
        stored.version += 1;
        stored.compacted = stored.version;
        stored.history.clear();
        drop(stored);
        self.tell();
    }

    pub(crate) fn log(&self, pod: &str, line: String) {
        self.stored().logs.entry(pod.to_owned()).or_default().push((Utc::now(), line));
        self.tell();
    }

    /// The log of a pod as far as the node keeps it.
    pub(crate) fn lines(&self, pod: &str) -> Vec<(DateTime<Utc>, String)> {
        let stored = self.stored();
        let lines = stored.logs.get(pod).cloned().unwrap_or_default();
        lines.into_iter().skip(stored.faults.rotated).collect()
    }
}

/// A time as the API server writes it.
pub(crate) fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Merges a patch into an object, RFC 7396.
pub(crate) fn merge(object: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    for (name, value) in fields {
        match value {
            Value::Null => drop(object.as_object_mut().unwrap().remove(name)),
            value => merge(&mut object[name], value),
        }
    }
}

fn selects(selector: &str, object: &Value) -> bool {
    let labels = &object["metadata"]["labels"];
    selector.split(',').filter(|one| !one.is_empty()).all(|one| match one.split_once('=') {
        Some((label, value)) => labels[label] == value,
        None => !labels[one].is_null(),
    })
}
