//! The catalogue and the archive on SQLite keep the contracts, and last.

use std::path::Path;

use rad_core::catalog::{
    CatalogChange, CatalogError, ModuleCatalog as _, Publisher, Revision, SourceArchive as _,
};
use rad_core::conformance::{archive, catalog};
use rad_core::error::FailureKind;
use rad_core::id::ModuleId;
use rad_core::module::{Manifest, Values};
use rad_github::catalog::{SqliteArchive, SqliteCatalog};
use rad_github::sqlite::{migrate, open};
use tempfile::TempDir;

use crate::{time, tree};

fn database() -> (TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rad.db");
    (directory, path)
}

fn failure(error: CatalogError) -> FailureKind {
    match error {
        CatalogError::Backend(error) => error.kind(),
        other => panic!("a failure of the backend, not {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_catalogue_keeps_the_contract() {
    let (_directory, path) = database();
    catalog::all(&SqliteCatalog::new(open(&path).await.unwrap())).await;
}

#[tokio::test]
async fn the_archive_keeps_the_contract() {
    let (_directory, path) = database();
    archive::all(&SqliteArchive::new(open(&path).await.unwrap())).await;
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let (_directory, path) = database();
    let pool = open(&path).await.unwrap();
    let source = tree(&[("main.tf", "variable \"a\" {}")]);
    let digest = SqliteArchive::new(pool.clone()).store(&source).await.unwrap();
    let revision = Revision {
        repository: "samples".to_owned(),
        commit: digest.to_string().parse().unwrap(),
        digest,
        manifest: Manifest::read("hello", &source).unwrap(),
        values: Values::new(),
    };
    let publish = CatalogChange::Publish { name: "hello".to_owned(), revision: revision.clone() };
    SqliteCatalog::new(pool.clone()).apply(Publisher::Platform, 0, &[publish], time()).await.unwrap();
    pool.close().await;

    let pool = open(&path).await.unwrap();
    let (version, listings) =
        SqliteCatalog::new(pool.clone()).catalogue_of(Publisher::Platform).await.unwrap();
    assert_eq!((version, &listings[0].revision), (1, &revision));
    assert_eq!(SqliteArchive::new(pool).load(&digest).await.unwrap(), source);
}

#[tokio::test]
async fn an_altered_archive_is_found() {
    let (_directory, path) = database();
    let pool = open(&path).await.unwrap();
    let sources = SqliteArchive::new(pool.clone());
    let (one, other) = (tree(&[("main.tf", "1")]), tree(&[("main.tf", "2")]));
    let digest = sources.store(&one).await.unwrap();
    sources.store(&other).await.unwrap();
    for sql in [
        "UPDATE catalog_archives SET packed = (SELECT b.packed FROM catalog_archives b WHERE b.digest <> ?1)
         WHERE digest = ?1",
        "UPDATE catalog_archives SET packed = substr(packed, 1, 5) WHERE digest = ?1",
        "UPDATE catalog_archives SET packed = x'' WHERE digest = ?1",
    ] {
        sqlx::query(sql).bind(digest.as_bytes().as_slice()).execute(&pool).await.unwrap();
        assert_eq!(failure(sources.load(&digest).await.unwrap_err()), FailureKind::Corrupt, "{sql}");
    }
    assert_eq!(sources.load(&other.digest()).await.unwrap(), other);
}

#[tokio::test]
async fn a_damaged_listing_is_corrupt_and_not_a_panic() {
    let (_directory, path) = database();
    let pool = open(&path).await.unwrap();
    let catalogue = SqliteCatalog::new(pool.clone());
    catalog::publishes_updates_and_withdraws(&catalogue).await;
    let id: Vec<u8> = sqlx::query_scalar("SELECT id FROM catalog_listings").fetch_one(&pool).await.unwrap();
    let id = ModuleId::from_bytes(id.try_into().unwrap());
    for sql in [
        "UPDATE catalog_listings SET manifest = '{'",
        "UPDATE catalog_listings SET manifest = '{}', commit_id = 'main'",
    ] {
        sqlx::query(sql).execute(&pool).await.unwrap();
        assert_eq!(failure(catalogue.listing(id).await.unwrap_err()), FailureKind::Corrupt, "{sql}");
    }
}

#[tokio::test]
async fn the_schema_is_made_once_beside_that_of_others() {
    let (directory, path) = database();
    let pool = open(&path).await.unwrap();
    sqlx::query("CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY)").execute(&pool).await.unwrap();
    migrate(&pool).await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .fetch_all(&pool)
        .await
        .unwrap();
    let ours = |name: &str| name.starts_with("catalog_") || name.starts_with("refine_");
    assert!(tables.iter().all(|name| ours(name) || name == "_sqlx_migrations"), "{tables:?}");

    sqlx::query("UPDATE catalog_migrations SET version = version + 1000").execute(&pool).await.unwrap();
    assert_eq!(migrate(&pool).await.unwrap_err().kind(), FailureKind::Permanent, "a newer schema is refused");
    let no_file = directory.path().join("missing/rad.db");
    assert_eq!(open(&no_file).await.unwrap_err().kind(), FailureKind::Unavailable);
    assert!(open(Path::new("/dev/null")).await.is_err());
}

#[tokio::test]
async fn a_locked_database_can_be_tried_again() {
    let (_directory, path) = database();
    open(&path).await.unwrap().close().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(&path)
        .busy_timeout(std::time::Duration::from_millis(50));
    let pool = sqlx::sqlite::SqlitePool::connect_with(options).await.unwrap();
    let _writer = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let catalogue = SqliteCatalog::new(pool.clone());
    let refusal = catalogue.apply(Publisher::Platform, 0, &[], time()).await.unwrap_err();
    assert_eq!(failure(refusal), FailureKind::Unavailable);
    let refusal = SqliteArchive::new(pool).store(&tree(&[("main.tf", "")])).await.unwrap_err();
    assert_eq!(failure(refusal), FailureKind::Unavailable);
}
