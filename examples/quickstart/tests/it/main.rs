//! The program runs to its end with the real engine, and its figures are those of the books.

use std::process::Command;

#[test]
fn the_loop_prints_its_figures() {
    let run = Command::new(env!("CARGO_BIN_EXE_quickstart")).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{out}{err}");
    for line in [
        "buy       100 credits for 10.00 USD",
        "price     20 = 10 awarded + 10 purchased",
        "Apply complete! Resources: 7 added, 0 changed, 0 destroyed.",
        "left      0 awarded, 90 purchased",
        "revenue   Partner: 0.20 USD of a charge of 20 credits",
        "revenue   Agent: 0.05 USD of a charge of 20 credits",
        "revenue   All: 1.00 USD of a charge of 20 credits",
        "Apply complete! Resources: 0 added, 0 changed, 7 destroyed.",
        "done      deleted",
    ] {
        assert!(out.lines().any(|printed| printed == line), "{line:?} is not in\n{out}");
    }
    assert!(!out.contains("correct-horse-battery"), "a sensitive value was printed");
}
