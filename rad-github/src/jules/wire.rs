//! What the API sends and takes, and how it reads here. Nothing that is new in the API is an error.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use rad_core::agent::{
    Activity, ActivityEvent, AgentSession, AgentSource, Artifact, ChangeSet, Media, NewAgentSession,
    Originator, Plan, PlanStep, PullRequest, SessionState,
};
use rad_core::source::Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::github::failure::ApiError;

/// Characters of a command's output that are kept.
const OUTPUT: usize = 64 << 10;

/// A page of a listing.
pub(super) trait Page: serde::de::DeserializeOwned {
    /// What is listed.
    type Item;

    /// The items, and what the next page is asked for with.
    fn into_parts(self) -> (Vec<Self::Item>, Option<String>);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sources {
    #[serde(default)]
    sources: Vec<Source>,
    next_page_token: Option<String>,
}

impl Page for Sources {
    type Item = Source;

    fn into_parts(self) -> (Vec<Source>, Option<String>) {
        (self.sources, self.next_page_token)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Source {
    name: String,
    github_repo: Option<GitHubRepo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GitHubRepo {
    #[serde(default)]
    owner: String,
    repo: String,
}

impl From<Source> for AgentSource {
    fn from(source: Source) -> Self {
        let repository = source.github_repo.map(|GitHubRepo { owner, repo }| {
            // An agent beside the platform works on repositories that have no owner.
            if owner.is_empty() { repo } else { format!("{owner}/{repo}") }
        });
        Self { name: source.name, repository }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewSession<'a> {
    prompt: &'a str,
    title: &'a str,
    source_context: SourceContext<'a>,
    require_plan_approval: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SourceContext<'a> {
    source: &'a str,
    github_repo_context: GitHubRepoContext<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GitHubRepoContext<'a> {
    starting_branch: &'a str,
}

impl<'a> From<&'a NewAgentSession> for NewSession<'a> {
    fn from(new: &'a NewAgentSession) -> Self {
        Self {
            prompt: &new.prompt,
            title: &new.title,
            source_context: SourceContext {
                source: &new.source,
                github_repo_context: GitHubRepoContext { starting_branch: &new.branch },
            },
            require_plan_approval: new.require_plan_approval,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Message<'a> {
    pub(super) prompt: &'a str,
}

/// An empty object, or what is in it does not matter.
#[derive(Serialize, Deserialize)]
pub(super) struct Nothing {}

#[derive(Deserialize)]
pub(super) struct Session {
    #[serde(default)]
    name: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    state: String,
    url: Option<String>,
    #[serde(default)]
    outputs: Vec<Output>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Output {
    pull_request: Option<PullRequestOutput>,
    change_set: Option<Value>,
}

#[derive(Deserialize)]
struct PullRequestOutput {
    url: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    description: String,
}

impl Session {
    /// The session as it reads here.
    pub(super) fn told(self) -> Result<AgentSession, ApiError> {
        let name = if self.name.is_empty() { self.id } else { self.name };
        if name.is_empty() {
            return Err(ApiError::Unreadable("a session has neither a name nor an id".into()));
        }
        // A session that was only just made may not have a state yet.
        let state = if self.state.is_empty() { "STATE_UNSPECIFIED".to_owned() } else { self.state };
        let mut told = AgentSession {
            name,
            state: SessionState::from(state),
            url: self.url.filter(|url| is_link(url)),
            pull_request: None,
            change: None,
        };
        for output in self.outputs {
            if let Some(pull) = output.pull_request.filter(|pull| is_link(&pull.url)) {
                let PullRequestOutput { url, title, description } = pull;
                told.pull_request = Some(PullRequest { url, title, description });
            }
            told.change = output.change_set.as_ref().and_then(change_set).or(told.change);
        }
        Ok(told)
    }
}

/// Whether people can follow it: nothing but an address of the web.
fn is_link(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Activities {
    #[serde(default)]
    activities: Vec<Map<String, Value>>,
    next_page_token: Option<String>,
}

impl Page for Activities {
    type Item = Map<String, Value>;

    fn into_parts(self) -> (Vec<Self::Item>, Option<String>) {
        (self.activities, self.next_page_token)
    }
}

/// An activity as it reads here.
pub(super) fn activity(told: Map<String, Value>) -> Activity {
    let text = |name: &str| told.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let id = text("id").or_else(|| text("name")?.rsplit('/').next());
    // One without a name is told from others by what it is.
    let id = id.map_or_else(
        || Digest::of(Value::Object(told.clone()).to_string().as_bytes()).to_string(),
        str::to_owned,
    );
    let artifacts = told.get("artifacts").and_then(Value::as_array);
    Activity {
        id,
        at: text("createTime")
            .and_then(|time| Some(DateTime::parse_from_rfc3339(time).ok()?.with_timezone(&Utc))),
        originator: match text("originator") {
            Some("user") => Originator::User,
            Some("agent") => Originator::Agent,
            Some("system") => Originator::System,
            other => Originator::Other(short(other.unwrap_or_default())),
        },
        event: event(&told),
        description: text("description").map(str::to_owned),
        artifacts: artifacts.into_iter().flatten().map(artifact).collect(),
    }
}

#[derive(Deserialize)]
struct PlanGenerated {
    plan: WirePlan,
}

#[derive(Deserialize)]
struct WirePlan {
    #[serde(default)]
    id: String,
    #[serde(default)]
    steps: Vec<WireStep>,
}

#[derive(Deserialize)]
struct WireStep {
    #[serde(default)]
    title: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    index: i64,
}

/// What the activity is: the one of its members that says so.
fn event(told: &Map<String, Value>) -> ActivityEvent {
    const COMMON: [&str; 6] = ["name", "id", "description", "createTime", "originator", "artifacts"];
    let Some((name, body)) =
        told.iter().find(|(name, body)| body.is_object() && !COMMON.contains(&name.as_str()))
    else {
        return ActivityEvent::Other { name: String::new() };
    };
    let text = |member: &str| body.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    match name.as_str() {
        "planGenerated" => match PlanGenerated::deserialize(body) {
            Err(_) => ActivityEvent::Other { name: short(name) },
            Ok(PlanGenerated { plan: WirePlan { id, mut steps } }) => {
                steps.sort_by_key(|step| step.index);
                let steps = steps
                    .into_iter()
                    .map(|WireStep { title, description, .. }| PlanStep { title, description });
                ActivityEvent::PlanGenerated(Plan { id, steps: steps.collect() })
            }
        },
        "planApproved" => ActivityEvent::PlanApproved { plan: text("planId") },
        "userMessaged" => ActivityEvent::UserMessaged { message: text("userMessage") },
        "agentMessaged" => ActivityEvent::AgentMessaged { message: text("agentMessage") },
        "progressUpdated" => {
            ActivityEvent::Progressed { title: text("title"), description: text("description") }
        }
        "sessionCompleted" => ActivityEvent::Completed,
        "sessionFailed" => ActivityEvent::Failed { reason: text("reason") },
        _ => ActivityEvent::Other { name: short(name) },
    }
}

/// The content of the artifact at a place of an activity, if that is a picture or the like.
pub(super) fn media(told: &Map<String, Value>, place: usize) -> Result<Option<Media>, ApiError> {
    let Some(body) = told.get("artifacts").and_then(|artifacts| artifacts.get(place)?.get("media")) else {
        return Ok(None);
    };
    let text = |member: &str| body.get(member).and_then(Value::as_str).unwrap_or_default();
    let data = text("data");
    if data.len() / 4 * 3 > Media::MAX_BYTES {
        return Err(ApiError::Unreadable(
            format!("a picture has more than {} bytes", Media::MAX_BYTES).into(),
        ));
    }
    let content = STANDARD.decode(data).map_err(|error| ApiError::Unreadable(error.into()))?;
    Ok(Some(Media { media_type: short(text("mimeType")), content: content.into() }))
}

fn artifact(told: &Value) -> Artifact {
    let found = told.as_object().and_then(|members| members.iter().find(|(_, body)| body.is_object()));
    let Some((name, body)) = found else { return Artifact::Other { name: String::new() } };
    let text = |member: &str| body.get(member).and_then(Value::as_str).unwrap_or_default();
    match name.as_str() {
        "changeSet" => {
            change_set(body).map_or_else(|| Artifact::Other { name: short(name) }, Artifact::Change)
        }
        "bashOutput" => Artifact::CommandOutput {
            command: text("command").to_owned(),
            output: text("output").chars().take(OUTPUT).collect(),
            exit_code: body.get("exitCode").and_then(Value::as_i64),
        },
        "media" => Artifact::Media { media_type: short(text("mimeType")) },
        _ => Artifact::Other { name: short(name) },
    }
}

/// A change, if the patch is there.
fn change_set(body: &Value) -> Option<ChangeSet> {
    let patch = body.get("gitPatch")?;
    let text = |member: &str| patch.get(member).and_then(Value::as_str);
    Some(ChangeSet {
        base: text("baseCommitId").and_then(|base| base.parse().ok()),
        patch: text("unidiffPatch")?.to_owned(),
        message: text("suggestedCommitMessage").unwrap_or_default().to_owned(),
    })
}

fn short(text: &str) -> String {
    text.chars().take(100).collect()
}
