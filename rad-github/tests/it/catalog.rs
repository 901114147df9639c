//! The catalogue and the archive keep the contracts in either database, and last.

use std::path::Path;

use rad_core::catalog::{
    CatalogChange, CatalogError, ModuleCatalog as _, Publisher, Revision, SourceArchive as _,
};
use rad_core::conformance::{archive, catalog};
use rad_core::error::FailureKind;
use rad_core::id::{AccountId, ModuleId};
use rad_core::module::{Manifest, Values};
use rad_github::{SqlArchive, SqlCatalog, migrate};
use rad_sql::testing::TestDatabase;
use rad_sql::{Database, sql};
use tokio::task::JoinSet;

use crate::{one_of_each, time, tree};

async fn open(path: &Path) -> Database {
    let database = rad_sql::sqlite::open(path).await.unwrap().into();
    migrate(&database).await.unwrap();
    database
}

fn failure(error: CatalogError) -> FailureKind {
    match error {
        CatalogError::Backend(error) => error.kind(),
        other => panic!("a failure of the backend, not {other:?}"),
    }
}

/// A catalogue with one module.
async fn published(database: &Database) -> (SqlCatalog, ModuleId) {
    let catalogue = SqlCatalog::new(database.clone());
    let source = tree(&[("main.tf", "variable \"a\" {}")]);
    let digest = source.digest();
    let revision = Revision {
        repository: "samples".to_owned(),
        commit: digest.to_string().parse().unwrap(),
        digest,
        manifest: Manifest::read("hello", &source).unwrap(),
        values: Values::new(),
    };
    let publish = CatalogChange::Publish { name: "hello".to_owned(), revision };
    catalogue.apply(Publisher::Platform, 0, &[publish], time()).await.unwrap();
    let (_, listings) = catalogue.catalogue_of(Publisher::Platform).await.unwrap();
    (catalogue, listings[0].id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_catalogue_keeps_the_contract() {
    for test in one_of_each().await {
        catalog::all(&SqlCatalog::new(test.database.clone())).await;
    }
}

#[tokio::test]
async fn the_archive_keeps_the_contract() {
    for test in one_of_each().await {
        archive::all(&SqlArchive::new(test.database.clone())).await;
    }
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rad.db");
    let database = open(&path).await;
    let source = tree(&[("main.tf", "variable \"b\" {}")]);
    let digest = SqlArchive::new(database.clone()).store(&source).await.unwrap();
    let (catalogue, module) = published(&database).await;
    let listing = catalogue.listing(module).await.unwrap();
    database.close().await;

    let database = open(&path).await;
    let (version, listings) =
        SqlCatalog::new(database.clone()).catalogue_of(Publisher::Platform).await.unwrap();
    assert_eq!((version, listings), (1, vec![listing]));
    assert_eq!(SqlArchive::new(database).load(&digest).await.unwrap(), source);
}

/// Who counts what others are adding to must not lose any of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ratings_of_many_at_once_are_all_counted() {
    for TestDatabase { database, .. } in &one_of_each().await {
        let (catalogue, module) = published(database).await;
        let mut rating = JoinSet::new();
        for stars in [1, 2, 3, 4, 5, 5, 5, 5] {
            let catalogue = catalogue.clone();
            rating.spawn(async move { catalogue.rate(AccountId::new(), module, stars).await });
        }
        for rated in rating.join_all().await {
            rated.unwrap();
        }
        let stats = catalogue.listing(module).await.unwrap().stats;
        assert_eq!((stats.ratings, stats.stars), (8, 30));
    }
}

#[tokio::test]
async fn an_altered_archive_is_found() {
    for TestDatabase { database, .. } in &one_of_each().await {
        let sources = SqlArchive::new(database.clone());
        let (one, other) = (tree(&[("main.tf", "1")]), tree(&[("main.tf", "2")]));
        let digest = sources.store(&one).await.unwrap();
        sources.store(&other).await.unwrap();
        for text in [
            "UPDATE catalog_archives SET packed = (SELECT b.packed FROM catalog_archives b WHERE b.digest <> $1)
             WHERE digest = $1",
            "UPDATE catalog_archives SET packed = substr(packed, 1, 5) WHERE digest = $1",
            "UPDATE catalog_archives SET packed = substr(packed, 1, 0) WHERE digest = $1",
        ] {
            sql(text).bind(&digest).execute(database, "altering").await.unwrap();
            assert_eq!(failure(sources.load(&digest).await.unwrap_err()), FailureKind::Corrupt, "{text}");
        }
        assert_eq!(sources.load(&other.digest()).await.unwrap(), other);
    }
}

#[tokio::test]
async fn a_damaged_listing_is_corrupt_and_not_a_panic() {
    for TestDatabase { database, .. } in &one_of_each().await {
        let (catalogue, module) = published(database).await;
        for text in [
            "UPDATE catalog_listings SET manifest = '{'",
            "UPDATE catalog_listings SET manifest = '{}', commit_id = 'main'",
        ] {
            sql(text).execute(database, "damaging").await.unwrap();
            assert_eq!(failure(catalogue.listing(module).await.unwrap_err()), FailureKind::Corrupt, "{text}");
        }
    }
}

#[tokio::test]
async fn the_tables_stand_beside_those_of_others() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(&directory.path().join("rad.db")).await;
    let foreign = sql("CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY)");
    foreign.execute(&database, "making a table").await.unwrap();
    migrate(&database).await.unwrap();
    let tables = sql("SELECT name FROM sqlite_schema WHERE type = 'table'").rows(&database, "listing").await;
    for row in tables.unwrap() {
        let name: String = row.get("name").unwrap();
        assert!(
            name.starts_with("catalog_") || name.starts_with("refine_") || name == "_sqlx_migrations",
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_locked_file_can_be_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rad.db");
    open(&path).await.close().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(&path)
        .busy_timeout(std::time::Duration::from_millis(50));
    let pool = sqlx::sqlite::SqlitePool::connect_with(options).await.unwrap();
    let _writer = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let catalogue = SqlCatalog::new(pool.clone());
    let refusal = catalogue.apply(Publisher::Platform, 0, &[], time()).await.unwrap_err();
    assert_eq!(failure(refusal), FailureKind::Unavailable);
    let refusal = SqlArchive::new(pool).store(&tree(&[("main.tf", "")])).await.unwrap_err();
    assert_eq!(failure(refusal), FailureKind::Unavailable);
}
