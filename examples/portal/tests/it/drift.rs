//! Checking deployments for drift, over HTTP and in a browser. What the engine finds is played: no provider that drifts comes with it.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rad_runner::terraform::{ProviderMirror, find_engine};

use crate::browser::Window;
use crate::portal::{Demo, MODULES, deploy, publish, wait_for};

/// What stands before the engine once two machines of a fleet drifted: lines and a plan as Terraform writes them.
const DRIFTED: &str = r#"
case "$1 $*" in
"plan "*" -refresh-only"*)
    "$real" "$@" || exit 1
    cat <<'END'
{"@level":"info","@message":"terraform_data.machine[1]: Drift detected (update)","@module":"terraform.ui","change":{"resource":{"addr":"terraform_data.machine[1]"},"action":"update"},"type":"resource_drift"}
{"@level":"info","@message":"terraform_data.machine[2]: Drift detected (delete)","@module":"terraform.ui","change":{"resource":{"addr":"terraform_data.machine[2]"},"action":"delete"},"type":"resource_drift"}
END
    exit 0
    ;;
"show "*)
    cat <<'END'
{"format_version":"1.2","resource_drift":[{"address":"terraform_data.machine[1]","change":{"actions":["update"],"before":{"input":"small","token":"a"},"after":{"input":"large <b>","token":"b"},"before_sensitive":{"token":true},"after_sensitive":{"token":true}}}]}
END
    exit 0
    ;;
esac
"#;

/// Writes an engine that does something before the one of this machine.
fn stand_before(engine: &Path, script: &str) {
    let real = find_engine().expect("OpenTofu or Terraform on this machine");
    let text = format!("#!/bin/sh\nreal={}\n{script}\nexec \"$real\" \"$@\"\n", real.display());
    std::fs::write(engine, text).unwrap();
    std::fs::set_permissions(engine, Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_deployment_is_checked_for_drift_in_a_browser() {
    let scripts = tempfile::tempdir().unwrap();
    let engine = scripts.path().join("terraform");
    stand_before(&engine, "");
    let demo = Demo::start_with(|config| {
        config.runs.terraform = Some(engine.clone());
        // Runs see `/usr`, and a mirror; an engine that lies elsewhere is seen as part of one.
        let real = find_engine().and_then(|real| real.parent().map(Path::to_owned));
        let elsewhere = real.filter(|directory| !directory.starts_with("/usr"));
        config.runs.provider_mirror = elsewhere.map(ProviderMirror::Directory);
    })
    .await;
    publish(&mut demo.signed_in("partner").await, &MODULES).await;
    demo.award("user", "40").await;
    let mut user = demo.signed_in("user").await;
    let id = deploy(&mut user, "fleet", &[("v/size", "3"), ("v/pause", "0")]).await;
    let address = format!("/deployments/{id}");
    let early = user.post(&format!("{address}/check"), &[]).await;
    assert!([409, 422].contains(&early.status.as_u16()), "nothing is deployed yet: {}", early.status);
    wait_for(&mut user, &id, "success").await.assert_has("id=\"check\"");
    let mut agent = demo.signed_in("agent").await;
    assert_eq!(agent.post(&format!("{address}/check"), &[]).await.status, 404);

    let mut window = Window::open_as(&demo, "drift-").await;
    window.sign_in(&demo, "user").await;
    window.go(&address).await;
    window.click("#check").await;
    window.until("#drift", "No drift").await;
    window.until("#status", "success").await;
    window.until("#history", "Check for drift").await;
    window.picture("none").await;
    let shown = user.get(&format!("/api/v1{address}")).await;
    shown.assert_has("\"drift\":[]");
    shown.assert_has("\"action\":\"check\"");

    stand_before(&engine, DRIFTED);
    window.click("#check").await;
    window.until("#drift", "terraform_data.machine[2]").await;
    window.until("#drift", "\"large <b>\"").await;
    window.until("#drift", "token: sensitive").await;
    window.until("#status", "success").await;
    window.picture("found").await;
    let shown = user.get(&format!("/api/v1{address}")).await;
    shown.assert_has("{\"address\":\"terraform_data.machine[2]\",\"change\":\"delete\",\"attributes\":[]}");
    let versions = user.get(&format!("{address}/states")).await;
    assert!(!versions.body.contains("version-2"), "a check writes no state: {}", versions.body);
    window.client.clone().close().await.unwrap();
}
