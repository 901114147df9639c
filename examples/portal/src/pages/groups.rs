//! `/publish/groups`: groups of people that modules trust by name.

use askama::Template;
use axum::http::StatusCode;
use rad_core::group::Group;
use rad_core::platform::PlatformError;

use super::{Answer, go, page, page_with};
use crate::error::PageError;
use crate::layout::{Layout, Section};
use crate::session::{Posted, Session};
use crate::show;

#[derive(Template)]
#[template(path = "pages/groups.html")]
struct GroupsPage {
    layout: Layout,
    for_platform: bool,
    groups: Vec<GroupView>,
    /// The form of a new group, as it was filled in.
    typed: GroupView,
}

#[derive(Default)]
struct GroupView {
    name: String,
    members: String,
    count: String,
    problem: Option<String>,
}

/// `GET /publish/groups`
pub(super) async fn list(session: Session) -> Answer {
    page(view(&session, None).await?)
}

/// `POST /publish/groups`
pub(super) async fn save(Posted { session, fields }: Posted) -> Answer {
    let (name, members) = (fields.text("name"), fields.text("members"));
    let emails = members.split([',', ';', ' ', '\n', '\r', '\t']).filter(|email| !email.is_empty());
    match session.actor.save_group(name, emails).await {
        Ok(_) => go("/publish/groups?notice=group"),
        Err(refusal @ PlatformError::Invalid { .. }) => {
            let (name, members) = (name.to_owned(), members.to_owned());
            let problem = Some(refusal.to_string());
            let typed = GroupView { name, members, problem, ..GroupView::default() };
            page_with(StatusCode::UNPROCESSABLE_ENTITY, view(&session, Some(typed)).await?)
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /publish/groups/remove`
pub(super) async fn remove(Posted { session, fields }: Posted) -> Answer {
    session.actor.remove_group(fields.text("name")).await?;
    go("/publish/groups?notice=group-removed")
}

async fn view(session: &Session, refused: Option<GroupView>) -> Result<GroupsPage, PageError> {
    let actor = &session.actor;
    let mut groups: Vec<GroupView> = actor.groups().await?.into_iter().map(group_view).collect();
    let mut typed = refused.unwrap_or_default();
    // What is wrong is said where it was typed: at the group itself, if there is one of that name.
    let same = groups.iter_mut().find(|group| group.name == typed.name.trim().to_lowercase());
    if let Some(group) = same {
        let GroupView { members, problem, .. } = std::mem::take(&mut typed);
        (group.members, group.problem) = (members, problem);
    }
    Ok(GroupsPage {
        for_platform: actor.publishes_as()?.partner().is_none(),
        groups,
        typed,
        layout: session.layout("Groups", Section::Publish).await?,
    })
}

fn group_view(group: Group) -> GroupView {
    let members: Vec<String> = group.members.into_iter().collect();
    GroupView {
        name: group.name.name().to_owned(),
        count: show::counted(members.len(), "member"),
        members: members.join("\n"),
        problem: None,
    }
}
