//! Modules that cannot be published are listed with the reasons; the others are listed all the same.

use std::os::unix::fs::symlink;

use crate::{HELLO, at, directory, repository, run};

#[test]
fn broken_hcl_is_placed_and_hides_nothing_else() {
    let broken = "variable \"x\" {\n  type = string\n";
    let directory = directory(&[("broken/main.tf", broken.as_bytes()), ("hello/main.tf", HELLO.as_bytes())]);
    run(&[at(&directory)])
        .ends_with(1)
        .says("broken: INVALID\n  broken/main.tf:2:16: ")
        .says("hello\n")
        .says("who  string, required")
        .says("2 modules, 1 invalid, 1 variable");
}

#[test]
fn places_start_at_the_root_of_the_repository() {
    let directory = directory(&[("modules/broken/main.tf", b"variable {")]);
    run(&[at(&directory), "--sub-dir", "modules"]).ends_with(1).says("  modules/broken/main.tf:1:");
}

#[test]
fn a_duplicate_variable_is_refused_where_it_is_repeated() {
    let files = [("twice/a.tf", HELLO), ("twice/b.tf", "\nvariable \"who\" {}\n")];
    let repository = repository(&files, &[]);
    run(&[at(&repository)]).ends_with(1).says("twice/b.tf:2:").says("who");
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    let directory = directory(&[("latin/main.tf", b"# caf\xe9\n")]);
    run(&[at(&directory)]).ends_with(1).says("latin: INVALID\n  latin/main.tf:1:6: ").says("UTF-8");
}

#[test]
fn links_out_of_the_repository_are_not_followed() {
    let secret = directory(&[("secret.tf", b"output \"leaked\" { value = 1 }")]);
    let target = secret.path().join("secret.tf");
    let repository = repository(
        &[("hello/main.tf", HELLO), ("outside/main.tf", HELLO)],
        &[("outside/link.tf", target.to_str().unwrap())],
    );
    let refused = |run: crate::Run| {
        run.ends_with(1)
            .says("outside: INVALID\n  outside/link.tf:1:1: ")
            .says("hello\n")
            .never_says("leaked");
    };
    refused(run(&[at(&repository)]));

    let on_disk = directory(&[("hello/main.tf", HELLO.as_bytes()), ("outside/main.tf", HELLO.as_bytes())]);
    symlink(&target, on_disk.path().join("outside/link.tf")).unwrap();
    refused(run(&[at(&on_disk)]));
}
