//! How often a law is tried, and where its failures are kept.

use proptest::test_runner::{Config, FileFailurePersistence};

/// The configuration of a law that is usually tried on `usual` cases; `RAD_LAW_CASES`, or else `PROPTEST_CASES`, says
/// otherwise for all of them. What fails is shrunk and its seed kept in `proptest-regressions`, beside the directory of the
/// nearest `lib.rs` or `main.rs`, and tried first from then on.
///
/// ```
/// use proptest::prelude::*;
/// use rad_core::strategies::{cases, histories};
///
/// proptest!(cases(64), |(history in histories(1..20))| {
///     prop_assert!(history.entries.len() < 20);
/// });
/// ```
pub fn cases(usual: u32) -> Config {
    let asked = ["RAD_LAW_CASES", "PROPTEST_CASES"].into_iter().find_map(|name| std::env::var(name).ok());
    let cases = asked.and_then(|number| number.trim().parse().ok()).unwrap_or(usual);
    let seeds = FileFailurePersistence::SourceParallel("proptest-regressions");
    let usual = Config::default();
    let max_global_rejects = usual.max_global_rejects.max(cases);
    Config { cases, max_global_rejects, failure_persistence: Some(Box::new(seeds)), ..usual }
}
