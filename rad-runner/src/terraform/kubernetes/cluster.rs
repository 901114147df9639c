//! What a run needs of the API server. Calls are repeated while it is away for a moment; each may be repeated safely.

use std::time::Duration;

use futures_util::stream::{BoxStream, SelectAll, StreamExt, select_all};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams};
use kube::runtime::watcher::{self, watcher};
use kube::runtime::{WatchStreamExt, watcher::Config};
use kube::{Api, Client};
use rad_core::error::BackendError;
use rad_core::id::{DeploymentId, RunId};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::manifest::{APPLY, DEPLOYMENT, ENGINE, HEAD, INSTANCE, KEPT, RUN, name, owner_reference};

/// How long a call is repeated.
const PATIENCE: Duration = Duration::from_secs(30);

/// The first and the longest pause between two tries.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));

/// How often it is asked whether objects are gone.
const GONE_YET: Duration = Duration::from_millis(300);

/// Who writes, as the API server notes it.
const WRITER: &str = "rad";

/// The API server, in one namespace.
#[derive(Debug, Clone)]
pub(super) struct Cluster {
    pub(super) jobs: Api<Job>,
    pub(super) pods: Api<Pod>,
    pub(super) secrets: Api<Secret>,
}

/// What may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// The Job or its pod.
    Run,
    /// The state.
    State,
}

impl Cluster {
    pub(super) fn new(client: Client, namespace: &str) -> Self {
        Self {
            jobs: Api::namespaced(client.clone(), namespace),
            pods: Api::namespaced(client.clone(), namespace),
            secrets: Api::namespaced(client, namespace),
        }
    }

    pub(super) async fn job(&self, run: RunId) -> Result<Option<Job>, BackendError> {
        patiently("looking for a Job", || async { self.jobs.get_opt(&name(run)).await }).await
    }

    /// Makes a Job; one of this name that exists already is as good.
    pub(super) async fn create(&self, job: &Job) -> Result<(), BackendError> {
        patiently("making a Job", || async {
            match self.jobs.create(&PostParams::default(), job).await {
                Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
                made => made.map(drop),
            }
        })
        .await
    }

    pub(super) async fn secret(&self, name: &str) -> Result<Option<Secret>, BackendError> {
        patiently("reading a Secret", || async { self.secrets.get_opt(name).await }).await
    }

    /// Makes or replaces a Secret.
    pub(super) async fn put(&self, secret_name: &str, secret: &Value) -> Result<(), BackendError> {
        let written = PatchParams::apply(WRITER).force();
        patiently("writing a Secret", || async {
            self.secrets.patch(secret_name, &written, &Patch::Apply(secret)).await.map(drop)
        })
        .await
    }

    /// Lets a suspended Job begin.
    pub(super) async fn begin(&self, run: RunId) -> Result<(), BackendError> {
        self.change(run, &json!({ "spec": { "suspend": false } })).await
    }

    /// Says on a Job that its plan may be applied.
    pub(super) async fn let_apply(&self, run: RunId) -> Result<(), BackendError> {
        self.change(run, &json!({ "metadata": { "annotations": { APPLY: "yes" } } })).await
    }

    async fn change(&self, run: RunId, change: &Value) -> Result<(), BackendError> {
        let params = PatchParams::default();
        patiently("changing a Job", || async {
            found(self.jobs.patch(&name(run), &params, &Patch::Merge(change)).await).map(drop)
        })
        .await
    }

    /// Has a Job deleted, once its pod has ended in order.
    pub(super) async fn delete(&self, run: RunId) -> Result<(), BackendError> {
        let foreground = DeleteParams::foreground();
        patiently("deleting a Job", || async {
            found(self.jobs.delete(&name(run), &foreground).await).map(drop)
        })
        .await
    }

    /// Waits until a run has neither Job nor pod.
    pub(super) async fn gone(&self, run: RunId, within: Duration) -> Result<(), BackendError> {
        let latest = Instant::now() + within;
        while self.job(run).await?.is_some() || !self.pods(run).await?.is_empty() {
            if Instant::now() > latest {
                let what = format!("{} is still there after {} seconds", name(run), within.as_secs());
                return Err(BackendError::unavailable("waiting for the end of a pod", what));
            }
            sleep(GONE_YET).await;
        }
        Ok(())
    }

    pub(super) async fn pods(&self, run: RunId) -> Result<Vec<Pod>, BackendError> {
        list(&self.pods, "looking for a pod", &format!("{RUN}={run}")).await
    }

    /// The Jobs that a worker made, or that a deployment has.
    pub(super) async fn jobs_of(&self, whose: Whose<'_>) -> Result<Vec<Job>, BackendError> {
        list(&self.jobs, "listing Jobs", &whose.selector()).await
    }

    /// The Secrets of the states of runs.
    pub(super) async fn states(&self, whose: Whose<'_>) -> Result<Vec<Secret>, BackendError> {
        list(&self.secrets, "reading a state", &format!("{},{KEPT}", whose.selector())).await
    }

    /// Has the Secrets of a run's state vanish with its Job.
    pub(super) async fn hand_over(&self, run: RunId, job: &Job) -> Result<(), BackendError> {
        let owned = json!({ "metadata": { "ownerReferences": [owner_reference(job)] } });
        let params = PatchParams::default();
        for secret in self.states(Whose::Run(run)).await? {
            let Some(name) = &secret.metadata.name else { continue };
            patiently("handing over a state", || async {
                found(self.secrets.patch(name, &params, &Patch::Merge(&owned)).await).map(drop)
            })
            .await?;
        }
        Ok(())
    }

    /// Deletes Secrets of states.
    pub(super) async fn forget(&self, states: &[Secret]) -> Result<(), BackendError> {
        let params = DeleteParams::default();
        for name in states.iter().filter_map(|secret| secret.metadata.name.as_deref()) {
            patiently("deleting a state", || async {
                found(self.secrets.delete(name, &params).await).map(drop)
            })
            .await?;
        }
        Ok(())
    }

    /// How the log of a run's engine begins; `None` while it has none.
    pub(super) async fn log_start(&self, pod: &str, bytes: usize) -> Result<Option<String>, BackendError> {
        let limit = i64::try_from(bytes).unwrap_or(i64::MAX);
        let params = LogParams {
            container: Some(ENGINE.to_owned()),
            limit_bytes: Some(limit),
            ..LogParams::default()
        };
        patiently("reading the log of a pod", || async {
            match self.pods.logs(pod, &params).await {
                Ok(log) => Ok(Some(log)),
                // The container is not there yet, or not any more.
                Err(kube::Error::Api(status)) if matches!(status.code, 400 | 404) => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// Tells when something of a run may have changed; never ends.
    pub(super) fn news(&self, run: RunId) -> SelectAll<BoxStream<'static, News>> {
        let of_run = format!("{RUN}={run}");
        select_all([
            changes(self.jobs.clone(), &of_run, News::Run),
            changes(self.pods.clone(), &of_run, News::Run),
            changes(self.secrets.clone(), &format!("{of_run},{KEPT}={HEAD}"), News::State),
        ])
    }
}

/// Whose objects are meant.
#[derive(Debug, Clone, Copy)]
pub(super) enum Whose<'a> {
    /// A run's.
    Run(RunId),
    /// A deployment's.
    Deployment(DeploymentId),
    /// A worker's.
    Instance(&'a str),
}

impl Whose<'_> {
    fn selector(self) -> String {
        match self {
            Self::Run(run) => format!("{RUN}={run}"),
            Self::Deployment(deployment) => format!("{DEPLOYMENT}={deployment}"),
            Self::Instance(instance) => format!("{INSTANCE}={instance}"),
        }
    }
}

/// Says `news` whenever an object was listed, changed or deleted; what goes wrong is tried again, more and more slowly.
fn changes<K>(api: Api<K>, labels: &str, news: News) -> BoxStream<'static, News>
where
    K: kube::Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    watcher(api, Config::default().labels(labels))
        .default_backoff()
        .filter_map(move |event| async move {
            match event {
                Ok(watcher::Event::Init | watcher::Event::InitDone) => None,
                Ok(_) => Some(news),
                Err(error) => {
                    tracing::debug!(%error, "a watch is begun again");
                    // What changed meanwhile may be gone when it is listed.
                    Some(news)
                }
            }
        })
        .boxed()
}

async fn list<K>(api: &Api<K>, during: &'static str, labels: &str) -> Result<Vec<K>, BackendError>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    let params = ListParams::default().labels(labels);
    patiently(during, || async { Ok(api.list(&params).await?.items) }).await
}

/// What is not there needs no change.
fn found<T>(result: kube::Result<T>) -> kube::Result<Option<T>> {
    match result {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
        other => other.map(Some),
    }
}

/// Repeats a call that may succeed later.
async fn patiently<T, F>(during: &'static str, call: impl Fn() -> F) -> Result<T, BackendError>
where
    F: Future<Output = kube::Result<T>>,
{
    let latest = Instant::now() + PATIENCE;
    let mut pause = PAUSES.0;
    loop {
        match call().await {
            Ok(value) => return Ok(value),
            Err(error) if !passes(&error) => return Err(BackendError::permanent(during, error)),
            Err(error) if Instant::now() + pause > latest => {
                return Err(BackendError::unavailable(during, error));
            }
            Err(error) => tracing::debug!(%error, during, "the API server is asked again"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Whether the same call may succeed later: the API server said so, or nothing.
fn passes(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => status.code == 429 || status.code >= 500 || status.code == 409,
        kube::Error::HyperError(_)
        | kube::Error::Service(_)
        | kube::Error::ReadEvents(_)
        | kube::Error::SerdeError(_)
        | kube::Error::HttpError(_) => true,
        _ => false,
    }
}
