//! `/publish`: the modules of the connected repository, the plan of a change, and the change.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::http::StatusCode;
use rad_core::module::{Manifest, ValueProblem, Values, convert};
use rad_core::platform::{GridEntry, GridState, ModuleGrid, PlatformError, Selection, SyncPlan};
use rad_core::source::CommitId;
use rad_core::watch::{PlannedStep, StepKind, SyncRecord};

use super::{Answer, go, page, page_with};
use crate::error::PageError;
use crate::fields::Fields;
use crate::layout::{Layout, Section};
use crate::module_form::{FieldView, FormView, Node, values};
use crate::session::{Posted, Session};
use crate::show;

/// Syncs of the past that are shown.
const SYNCS: u32 = 10;

#[derive(Template)]
#[template(path = "pages/publish.html")]
struct PublishPage {
    layout: Layout,
    repository: String,
    branch: String,
    commit: String,
    sub_dir: String,
    problems: Vec<String>,
    counts: Vec<(&'static str, usize)>,
    may_refine: bool,
    for_platform: bool,
    auto_update: bool,
    /// When the repository was last looked at without being told, and what kept it from being read.
    looked: Option<String>,
    unread: Option<String>,
    syncs: Vec<SyncView>,
    entries: Vec<EntryView>,
}

/// A sync there was.
struct SyncView {
    time: String,
    machine_time: String,
    commit: Option<String>,
    by_itself: bool,
    steps: Vec<StepView>,
}

struct EntryView {
    name: String,
    /// Who finds it on the Deploy page.
    shown_to: String,
    state: &'static str,
    selectable: bool,
    selected: bool,
    description: String,
    facts: String,
    reasons: Vec<String>,
    warnings: Vec<String>,
    fields: Vec<FieldView>,
    open: bool,
}

#[derive(Template)]
#[template(path = "pages/publish_plan.html")]
struct PlanPage {
    layout: Layout,
    commit: String,
    short_commit: String,
    version: u64,
    is_empty: bool,
    steps: Vec<StepView>,
    carried: Vec<(String, String)>,
}

struct StepView {
    module: String,
    kind: &'static str,
    reason: String,
}

/// `GET /publish`
pub(super) async fn show(session: Session) -> Answer {
    let grid = match session.actor.module_grid().await {
        Err(PlatformError::NotConnected) => return go("/profile#repository"),
        other => other?,
    };
    page(view(&session, &grid, None, Vec::new(), &Wrong::new()).await?)
}

/// `POST /publish/plan`
pub(super) async fn plan(form: Posted) -> Answer {
    let Posted { session, fields } = &form;
    let grid = session.actor.module_grid().await?;
    if let Some(pressed) = fields.get("do").filter(|pressed| *pressed != "plan") {
        let fields = with_rows_changed(fields, pressed);
        return page(view(session, &grid, Some(&fields), Vec::new(), &Wrong::new()).await?);
    }
    let selection = match selection(&grid, fields) {
        Ok(selection) => selection,
        Err(wrong) => {
            let modules: Vec<&str> = wrong.keys().map(String::as_str).collect();
            let sentence = format!("Publish-time values need another look: {}.", modules.join(", "));
            return refuse(session, &grid, fields, sentence, &wrong).await;
        }
    };
    match session.actor.plan_sync(&selection).await {
        Ok(plan) => page(plan_page(session, plan, fields).await?),
        Err(refusal @ PlatformError::Unpublishable { .. }) => {
            refuse(session, &grid, fields, refusal.to_string(), &Wrong::new()).await
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /publish/apply`
pub(super) async fn apply(form: Posted) -> Answer {
    let Posted { session, fields } = &form;
    let (commit, version): (CommitId, u64) = (fields.parsed("commit")?, fields.parsed("version")?);
    let grid = session.actor.module_grid().await?;
    let selection = selection(&grid, fields).map_err(|_| PlatformError::PlanChanged)?;
    session.actor.apply_sync(&selection, &commit, version).await?;
    go("/publish?notice=published")
}

/// `POST /publish/auto-update`
pub(super) async fn auto_update(Posted { session, fields }: Posted) -> Answer {
    let on = fields.is_on("on");
    session.actor.set_auto_update(on).await?;
    go(if on { "/publish?notice=auto-on" } else { "/publish?notice=auto-off" })
}

async fn refuse(
    session: &Session,
    grid: &ModuleGrid,
    fields: &Fields,
    problem: String,
    wrong: &Wrong,
) -> Answer {
    let html = view(session, grid, Some(fields), vec![problem], wrong).await?;
    page_with(StatusCode::UNPROCESSABLE_ENTITY, html)
}

/// The prefix of the publish-time values of a module.
fn prefix(module: &str) -> String {
    format!("p/{module}")
}

/// What is wrong with publish-time values, by module.
type Wrong = BTreeMap<String, Vec<ValueProblem>>;

/// What the form selects; only values that differ from the module's own defaults are the publisher's.
fn selection(grid: &ModuleGrid, fields: &Fields) -> Result<Selection, Wrong> {
    let modules: BTreeSet<String> = fields.all("module").map(str::to_owned).collect();
    let mut chosen = BTreeMap::new();
    let mut problems = BTreeMap::new();
    for entry in grid.entries.iter().filter(|entry| modules.contains(&entry.name)) {
        let Some(manifest) = &entry.manifest else { continue };
        let typed = Node::read(fields, &prefix(&entry.name));
        let checked = values(manifest.publish_fields(), &typed).and_then(|values| {
            let own = own_values(manifest, values);
            manifest.check_publish_values(&own).map(|_| own)
        });
        match checked {
            Ok(own) => drop(chosen.insert(entry.name.clone(), own)),
            Err(wrong) => drop(problems.insert(entry.name.clone(), wrong)),
        }
    }
    if problems.is_empty() { Ok(Selection { modules, values: chosen }) } else { Err(problems) }
}

fn own_values(manifest: &Manifest, mut values: Values) -> Values {
    values.retain(|name, value| {
        let variable = manifest.variable(name);
        let same = variable.is_some_and(|variable| {
            let value = convert(value, &variable.ty).ok();
            value.is_some()
                && value == variable.default.as_ref().and_then(|value| convert(value, &variable.ty).ok())
        });
        !same
    });
    values
}

/// The fields after a row was added or removed by a button of the form.
fn with_rows_changed(fields: &Fields, pressed: &str) -> Fields {
    let mut all: Vec<(String, String)> =
        fields.iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    match pressed.split_once(':') {
        Some(("remove", row)) => {
            let below = format!("{row}/");
            all.retain(|(name, _)| name != row && !name.starts_with(&below));
        }
        Some(("add", list)) => {
            let below = format!("{list}/");
            let numbers =
                all.iter().filter_map(|(name, _)| name.strip_prefix(&below)?.split('/').next()?.parse().ok());
            let next: u32 = numbers.max().map_or(0, |last: u32| last.saturating_add(1));
            all.push((format!("{list}/{next}"), String::new()));
        }
        _ => {}
    }
    all.into_iter().collect()
}

async fn view(
    session: &Session,
    grid: &ModuleGrid,
    typed: Option<&Fields>,
    problems: Vec<String>,
    wrong: &Wrong,
) -> Result<PublishPage, PageError> {
    let connection = session.actor.connection().await?;
    let states = ["new", "published", "changed", "invalid", "gone"];
    let count = |state| grid.entries.iter().filter(|entry| state_of(entry) == state).count();
    let counts = states.map(|state| (state, count(state))).into_iter().filter(|(_, count)| *count > 0);
    let watch = session.actor.watch().await?;
    let last = watch.as_ref().map(|watch| &watch.last);
    Ok(PublishPage {
        for_platform: grid.publisher.partner().is_none(),
        auto_update: watch.as_ref().is_some_and(|watch| watch.auto_update),
        looked: last.and_then(|look| look.read_at).map(show::time),
        unread: last.and_then(|look| look.problem.clone()),
        syncs: session.actor.syncs(SYNCS).await?.into_iter().map(sync_view).collect(),
        layout: session.layout("Publish", Section::Publish).await?,
        repository: grid.repository.clone(),
        branch: grid.head.branch.clone(),
        commit: grid.head.commit.short().to_owned(),
        sub_dir: connection.map(|connection| connection.sub_dir).unwrap_or_default(),
        problems,
        counts: counts.collect(),
        may_refine: session.actor.has_agent().await?,
        entries: grid.entries.iter().map(|entry| entry_view(entry, typed, wrong)).collect(),
    })
}

fn state_of(entry: &GridEntry) -> &'static str {
    match entry.state {
        GridState::New => "new",
        GridState::Published => "published",
        GridState::Changed => "changed",
        GridState::Invalid(_) => "invalid",
        GridState::Gone => "gone",
    }
}

fn entry_view(entry: &GridEntry, typed: Option<&Fields>, wrong: &Wrong) -> EntryView {
    let mut reasons: Vec<String> = match &entry.state {
        GridState::Invalid(errors) => errors.iter().map(ToString::to_string).collect(),
        GridState::Gone => vec!["no longer in the repository".to_owned()],
        _ => Vec::new(),
    };
    // What is on offer and can no longer be read stays ticked, and can be withdrawn.
    let is_offered_unread = matches!(entry.state, GridState::Invalid(_)) && entry.is_published();
    let selectable = entry.manifest.is_some() || is_offered_unread;
    if let Some(listing) = entry.listing.as_ref().filter(|_| is_offered_unread) {
        let commit = listing.revision.commit.short();
        reasons.push(format!("it stays on offer as it is at {commit} while it is ticked"));
    }
    let selected = match typed {
        Some(fields) => fields.all("module").any(|name| name == entry.name),
        None => entry.is_published(),
    };
    let published = entry.listing.as_ref().map(|listing| &listing.revision.values);
    let pressed = typed.and_then(|fields| fields.get("do")?.split_once(':')).map(|(_, path)| path);
    let nothing = Fields::default();
    let problems = wrong.get(&entry.name).map(Vec::as_slice).unwrap_or_default();
    let fields = entry.manifest.as_ref().map(|manifest| {
        let node = Node::read(typed.unwrap_or(&nothing), &prefix(&entry.name));
        let published = published.cloned().unwrap_or_default();
        let form = FormView::for_publisher(manifest, &published, &node, problems, prefix(&entry.name));
        form.pages.into_iter().flat_map(|page| page.fields).collect()
    });
    let warnings = entry.manifest.iter().flat_map(|manifest| &manifest.warnings);
    EntryView {
        name: entry.name.clone(),
        shown_to: entry.manifest.as_ref().map(shown_to).unwrap_or_default(),
        state: state_of(entry),
        selectable,
        selected: selected && selectable,
        description: entry.manifest.as_ref().map(|manifest| manifest.description.clone()).unwrap_or_default(),
        facts: entry.manifest.as_ref().map(facts).unwrap_or_default(),
        reasons,
        warnings: warnings
            .map(|warning| format!("{}:{}: {}", warning.file, warning.line, warning.message))
            .collect(),
        fields: fields.unwrap_or_default(),
        open: !problems.is_empty()
            || pressed.is_some_and(|path| path.starts_with(&format!("{}/", prefix(&entry.name)))),
    }
}

/// Who finds a partner's module on the Deploy page.
fn shown_to(manifest: &Manifest) -> String {
    let metadata = &manifest.metadata;
    if metadata.public_access {
        return "everybody".to_owned();
    }
    let people: BTreeSet<String> = metadata
        .trusted_users
        .iter()
        .chain(&metadata.shared_users)
        .map(|email| email.to_lowercase())
        .collect();
    let people = match people.len() {
        0 => None,
        1 => Some("1 other person".to_owned()),
        many => Some(format!("{many} other people")),
    };
    let groups = metadata.trusted_groups.iter().map(|name| format!("group {name}"));
    let all: Vec<String> = people.into_iter().chain(groups).collect();
    if all.is_empty() { "nobody but you".to_owned() } else { format!("you, {}", all.join(", ")) }
}

fn step_view(step: PlannedStep) -> StepView {
    let kind = match step.kind {
        StepKind::Publish => "publish",
        StepKind::Update => "update",
        StepKind::Withdraw => "withdraw",
        StepKind::Keep => "keep",
    };
    StepView { module: step.module, kind, reason: step.reason }
}

fn sync_view(sync: SyncRecord) -> SyncView {
    // What stays as a person left it is no news.
    let told = sync.steps.into_iter().filter(|step| sync.by.is_none() || step.kind != StepKind::Keep);
    SyncView {
        time: show::time(sync.at),
        machine_time: show::machine_time(sync.at),
        commit: sync.commit.map(|commit| commit.short().to_owned()),
        by_itself: sync.by.is_none(),
        steps: told.map(step_view).collect(),
    }
}

fn facts(manifest: &Manifest) -> String {
    let cost = manifest.metadata.credit_cost;
    let resources: u32 = manifest.resources.values().sum();
    let asked: usize = manifest.pages().iter().map(|page| page.fields.len()).sum();
    let counted = [
        show::counted(asked, "question"),
        show::counted(resources as usize, "resource"),
        show::counted(manifest.outputs.len(), "output"),
    ];
    format!("{cost} credits · {}", counted.join(" · "))
}

async fn plan_page(session: &Session, plan: SyncPlan, fields: &Fields) -> Result<PlanPage, PageError> {
    let carried = fields
        .iter()
        .filter(|(name, _)| *name == "module" || name.starts_with("p/"))
        .map(|(name, text)| (name.to_owned(), text.to_owned()));
    Ok(PlanPage {
        layout: session.layout("Plan", Section::Publish).await?,
        commit: plan.commit.to_string(),
        short_commit: plan.commit.short().to_owned(),
        version: plan.version,
        is_empty: plan.is_empty(),
        steps: plan.steps.into_iter().map(step_view).collect(),
        carried: carried.collect(),
    })
}
