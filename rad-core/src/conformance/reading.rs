//! The contract of [`ReadingStore`].

use super::{must, side_by_side};
use crate::access::Publisher;
use crate::id::AccountId;
use crate::module::{FoundModule, Place, SourceError, discover};
use crate::reading::{Reading, ReadingStore};
use crate::source::{CommitId, SourceTree};

/// The last reading is given as it was kept, to the reader that made it, until it is forgotten.
///
/// # Panics
/// If the contract is broken.
pub async fn keeps_the_last_reading(store: &dyn ReadingStore) {
    let publishers = [Publisher::Partner(AccountId::new()), Publisher::Partner(AccountId::new())];
    let last = async |publisher, reader| must("a reading is read", store.reading(publisher, reader).await);
    assert_eq!(last(publishers[0], "one").await, None, "there is none at first");
    must("forgetting what is not there", store.forget(publishers[0]).await);

    let whole = reading(publishers[0], 1, vec![unreadable("b"), module("c", 1), module("à", 1)]);
    must("a reading is kept", store.keep(&whole).await);
    assert_eq!(last(publishers[0], "one").await, Some(whole.clone()), "all of it");
    must("the same again", store.keep(&whole).await);
    assert_eq!(last(publishers[0], "one").await, Some(whole.clone()), "changes nothing");
    assert_eq!(last(publishers[0], "two").await, None, "another reader is not given it");
    assert_eq!(last(publishers[1], "one").await, None, "each publisher has its own");

    // One is gone, one changed, one is new, one reads now.
    let changed = reading(publishers[0], 2, vec![module("b", 2), module("c", 2), module("d", 1)]);
    must("a reading is kept", store.keep(&changed).await);
    assert_eq!(last(publishers[0], "one").await, Some(changed.clone()), "the last one counts");
    let mut modules = changed.modules;
    modules[0].outcome = unreadable("b").outcome;
    let other = Reading { reader: "two".to_owned(), modules, ..changed };
    must("another reader keeps", store.keep(&other).await);
    assert_eq!(last(publishers[0], "two").await, Some(other), "what it made of the same sources");
    assert_eq!(last(publishers[0], "one").await, None, "in place of the first one's");

    let empty = reading(publishers[1], 3, Vec::new());
    must("a reading is kept", store.keep(&empty).await);
    assert_eq!(last(publishers[1], "one").await, Some(empty), "a repository may hold no module");
    must("a reading is forgotten", store.forget(publishers[0]).await);
    assert_eq!(last(publishers[0], "two").await, None, "it is gone");
    assert!(last(publishers[1], "one").await.is_some(), "the others stay");
}

/// Of readings that are kept at the same time one stays, and is whole.
///
/// # Panics
/// If the contract is broken.
pub async fn keeps_one_of_racing_readings(store: &dyn ReadingStore) {
    let publisher = Publisher::Partner(AccountId::new());
    let readings: Vec<Reading> = (1..6)
        .map(|number| {
            let modules = ["a", "b", "c", "d", "e", "f"].into_iter().skip(usize::from(number) - 1);
            reading(publisher, number, modules.map(|name| module(name, number)).collect())
        })
        .collect();
    for round in 0..4 {
        for kept in side_by_side(readings.iter().map(|reading| store.keep(reading))).await {
            must("a reading is kept", kept);
        }
        let last = must("a reading is read", store.reading(publisher, "one").await);
        assert!(
            readings.iter().any(|one| Some(one) == last.as_ref()),
            "a mixture in round {round}: {last:?}"
        );
    }
}

fn reading(publisher: Publisher, commit: u8, modules: Vec<FoundModule>) -> Reading {
    Reading {
        publisher,
        reader: "one".to_owned(),
        repository: "octo/módules".to_owned(),
        sub_dir: "modules".to_owned(),
        commit: CommitId::from_sha1([commit; 20]),
        modules,
    }
}

/// A module whose manifest has something of everything.
fn module(name: &str, cost: u8) -> FoundModule {
    let source = format!(
        r#"terraform {{
             required_version = ">= 1.5"
             required_providers {{ random = {{ source = "hashicorp/random", version = "~> 3.0" }} }}
           }}
           variable "credit_cost" {{ default = {cost} }}
           variable "nodes" {{
             type        = map(object({{ size = optional(number, 1.50), zones = set(string) }}))
             default     = {{ a = {{ zones = ["x"] }} }}
             description = "Nodes. {{{{UIMeta group=2 order=1 dependson=(credit_cost==1) odd=}}}}"
             sensitive   = true
             validation {{
               condition     = length(var.nodes) > 0
               error_message = "One at least."
             }}
           }}
           variable "none" {{ default = null }}
           output "all" {{ value = var.nodes }}
           resource "terraform_data" "one" {{}}
           data "terraform_remote_state" "two" {{}}
           module "three" {{ source = "./three" }}"#
    );
    let mut tree = SourceTree::default();
    must("a file is inserted", tree.insert_file(format!("{name}/main.tf"), source));
    must("a file is inserted", tree.insert_file(format!("{name}/three/main.tf"), ""));
    must("a file is inserted", tree.insert_file(format!("{name}/README.md"), "# À\n\nA module\u{0}."));
    let module = discover(&tree).remove(0);
    assert!(module.outcome.is_ok(), "{module:?}");
    module
}

fn unreadable(name: &str) -> FoundModule {
    let error = SourceError::new(format!("{name}/main.tf"), Place { line: 3, column: 7 }, "ünreadable");
    FoundModule { outcome: Err(vec![error]), ..module(name, 1) }
}
