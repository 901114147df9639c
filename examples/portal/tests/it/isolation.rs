//! What the operator says about runs reaches them, and the admin sees what this machine enforces of it.

use fantoccini::Locator;
use rad_core::source::SourceTree;
use rad_github::local::{WholeCommit, commit_tree};
use rad_runner::terraform::Network;

use crate::browser::Window;
use crate::portal::{Demo, deploy, publish_from, wait_for};

/// A module that prints what it may take.
const CURIOUS: &str = r#"
variable "public_access" { default = true }
variable "credit_cost" { default = 0 }
resource "terraform_data" "curious" {
  provisioner "local-exec" {
    command = "df -k /tmp | tail -n 1 | tr -s ' ' | cut -d ' ' -f 2; ulimit -n"
  }
}
"#;

#[tokio::test]
async fn what_the_operator_sets_reaches_the_runs() {
    let demo = Demo::start_with(|config| {
        config.runs.network = Network::Off;
        config.runs.limits.tmp = 3 << 20;
        config.runs.limits.open_files = 321;
        config.runs.log = 64 * 1024;
    })
    .await;
    let mut tree = SourceTree::default();
    tree.insert_file("modules/curious/main.tf", CURIOUS).unwrap();
    let at = chrono::Utc::now();
    let path = demo.dir.path().join("data/repos/curious");
    commit_tree(&path, WholeCommit { branch: "main", tree: &tree, message: "Add it\n", at }).unwrap();
    publish_from(&mut demo.signed_in("partner").await, "curious", &["curious"]).await;
    let mut user = demo.signed_in("user").await;
    let id = deploy(&mut user, "curious", &[]).await;
    let page = wait_for(&mut user, &id, "success").await;
    let run = page.between("/runs/", "/events").to_owned();
    let log = user.get(&format!("/runs/{run}/log")).await.body;
    assert!(log.contains("(local-exec): 3072") && log.contains("(local-exec): 321"), "{log}");
}

#[tokio::test]
async fn the_admin_sees_what_keeps_runs_within_bounds() {
    let demo = Demo::start_with(|config| config.runs.most.per_owner = Some(7)).await;
    for name in ["user", "finance"] {
        assert_eq!(demo.signed_in(name).await.get("/admin/isolation").await.status, 403);
    }
    let mut window = Window::open_as(&demo, "isolation-").await;
    window.sign_in(&demo, "admin").await;
    window.go("/admin/settings").await;
    window.click("a[href='/admin/isolation']").await;
    window.until("#measures", "files and processes of the host").await;
    window.until("#measures", "bubblewrap").await;
    window.until("#measures", "size of a run's directory").await;
    window.until("#gaps", "not wholly enforced").await;
    window.until("#bounds", "Runs at a time of one account").await;
    window.until("#bounds", "7").await;
    assert!(window.client.find_all(Locator::Css("#elsewhere")).await.unwrap().is_empty());
    window.picture("admin").await;
    window.client.clone().close().await.unwrap();
}
