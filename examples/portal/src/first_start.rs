//! What a portal that has no account yet makes for itself: demo accounts and a demo repository, or one admin.

use anyhow::Context;
use include_dir::{Dir, include_dir};
use rad_core::access::{Role, Roles};
use rad_core::directory::{Account, DirectoryError, NewAccount};
use rad_core::money::Rate;
use rad_core::platform::{Platform, PlatformError};
use rad_core::settings::Settings;
use rad_core::source::SourceTree;
use rad_github::local::{WholeCommit, commit_tree};
use secrecy::SecretString;

use crate::config::Config;
use crate::given;
use crate::password;

/// The sample modules, part of the binary.
static MODULES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../modules");

/// The demo repository's name, below the directory of repositories.
const DEMO_REPOSITORY: &str = "demo-modules";

/// The demo's partner.
const PARTNER: &str = "partner@example.com";

/// An account made at the first start.
#[derive(Debug, Clone)]
pub struct FirstAccount {
    /// The e-mail to sign in with.
    pub email: String,
    /// The password; printed once, kept only as its hash.
    pub password: SecretString,
    /// What the account is for, in a few words.
    pub purpose: &'static str,
}

/// The demo accounts after the admin: name, role, purpose.
const DEMO: [(&str, Role, &str); 4] = [
    ("finance", Role::Finance, "sees all revenue, awards credits, sets shares"),
    ("partner", Role::Partner, "connects the repository demo-modules and publishes"),
    ("agent", Role::Agent, "referred user@example.com and earns a share"),
    ("user", Role::User, "buys credits and deploys"),
];

/// Makes the first accounts, if there is none yet.
///
/// # Errors
/// If they or the demo repository cannot be made.
pub(crate) async fn first_start(config: &Config, platform: &Platform) -> anyhow::Result<Vec<FirstAccount>> {
    let operations = platform.operations();
    let (first, new) =
        account("admin", Role::Admin, "makes accounts, awards credits, changes settings").await?;
    let admin = match operations.found(new).await {
        Ok(admin) => admin,
        // Another process that starts at this moment was faster.
        Err(PlatformError::Invalid { .. } | PlatformError::Directory(DirectoryError::EmailTaken { .. })) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error).context("the first account cannot be made"),
    };
    let mut made = vec![first];
    if config.demo {
        make_demo_repository(config).await?;
        made.extend(make_demo(platform, &admin).await?);
    }
    Ok(made)
}

async fn make_demo(platform: &Platform, admin: &Account) -> anyhow::Result<Vec<FirstAccount>> {
    let admin = platform.actor(admin.id).await?;
    let in_force = admin.platform_settings().await?;
    let settings = Settings {
        partner_revenue_share: Rate::from_basis_points(2_000)?,
        agent_revenue_share: Rate::from_basis_points(500)?,
        credits_per_unit: "10".parse()?,
        ..in_force.settings
    };
    admin.change_settings(in_force.version, &settings).await?;
    let mut made = Vec::new();
    let mut agent = None;
    for (name, role, purpose) in DEMO {
        let (first, mut new) = account(name, role, purpose).await?;
        new.referred_by = if role == Role::User { agent } else { None };
        let account = admin.create_account(new).await?;
        if role == Role::Agent {
            agent = Some(account.id);
        }
        made.push(first);
    }
    Ok(made)
}

async fn account(
    name: &str,
    role: Role,
    purpose: &'static str,
) -> anyhow::Result<(FirstAccount, NewAccount)> {
    let password = password::random()?;
    let email = format!("{name}@example.com");
    let new = NewAccount {
        email: email.clone(),
        name: format!("{}{}", name[..1].to_uppercase(), &name[1..]),
        roles: Roles::from([role, Role::User]),
        referred_by: None,
        password_hash: Some(password::hash(password.clone()).await?),
    };
    Ok((FirstAccount { email, password, purpose }, new))
}

/// Commits the sample modules to a repository of their own, under `modules/` as real ones are laid out, and gives it to the
/// demo's partner.
async fn make_demo_repository(config: &Config) -> anyhow::Result<()> {
    let path = config.repos_dir.join(DEMO_REPOSITORY);
    if path.exists() {
        return Ok(());
    }
    let given = config.repos_dir.join(given::FILE);
    if !given.exists() {
        let text = format!(
            "# Which partner may publish from which repository of this directory.\n{PARTNER}: {DEMO_REPOSITORY}\n"
        );
        tokio::fs::write(&given, text).await.context("the demo repository cannot be given to the partner")?;
    }
    let mut tree = SourceTree::default();
    add(&mut tree, &MODULES)?;
    let readme =
        "# Demo modules\n\nSample Terraform modules that apply without any cloud. They are in `modules/`.\n";
    tree.insert_file("README.md", readme)?;
    let at = chrono::Utc::now();
    let commit = move || {
        let message = "Add the sample modules\n";
        commit_tree(&path, WholeCommit { branch: "main", tree: &tree, message, at })
    };
    tokio::task::spawn_blocking(commit).await?.context("the demo repository cannot be made")?;
    Ok(())
}

fn add(tree: &mut SourceTree, directory: &'static Dir<'_>) -> anyhow::Result<()> {
    for file in directory.files() {
        let path = file.path().to_str().context("a sample module has a path that is not UTF-8")?;
        // What running Terraform in the source directory leaves behind is no part of a module.
        let plain = !path.contains(".tfstate") && !path.ends_with(".lock.hcl");
        if plain {
            tree.insert_file(format!("modules/{path}"), file.contents())?;
        }
    }
    for below in directory.dirs().filter(|below| !below.path().ends_with(".terraform")) {
        add(tree, below)?;
    }
    Ok(())
}
