//! The saved seeds of fuzzing, and every cut of them, through what the fuzz targets look for.

use std::path::Path;

use arbitrary::{Arbitrary, Unstructured};

#[allow(clippy::expect_used, unreachable_pub, reason = "a library of its own, whose laws fail by panicking")]
#[path = "../../fuzz/lib.rs"]
mod laws;

/// Gives a law each seed of its target as libFuzzer would, whole and cut off.
fn replay<'a, T: Arbitrary<'a>>(seeds: &'a [Vec<u8>], law: impl Fn(T)) {
    for seed in seeds {
        let step = (seed.len() / 64).max(1);
        for end in (0..seed.len()).step_by(step).chain([seed.len()]) {
            if let Ok(input) = T::arbitrary_take_rest(Unstructured::new(&seed[..end])) {
                law(input);
            }
        }
    }
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let seeds: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|seed| std::fs::read(seed.unwrap().path()).unwrap())
        .collect();
    assert!(!seeds.is_empty(), "{target} has seeds");
    seeds
}

#[test]
fn what_the_fuzz_targets_look_for_holds_for_their_seeds() {
    replay(&seeds("archive"), |(is_packed, bytes)| laws::archive(is_packed, bytes));
    replay(&seeds("depends_on"), laws::depends_on);
    replay(&seeds("hints"), laws::hints);
    replay(&seeds("manifest"), |(is_json, source)| laws::manifest(is_json, source));
    replay(&seeds("patch"), laws::patch);
    replay(&seeds("webhook"), |(kind, body)| laws::webhook(kind, body));
}

#[test]
fn every_target_is_replayed() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/targets");
    let mut names: Vec<String> = std::fs::read_dir(targets)
        .unwrap()
        .map(|target| target.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["archive", "depends_on", "hints", "manifest", "patch", "webhook"], "as above");
}
