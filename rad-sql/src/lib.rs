//! One SQL text for two databases.
#![doc = include_str!("../README.md")]

mod column;
mod database;
mod error;
#[cfg(feature = "postgres")]
pub mod postgres;
mod row;
mod schema;
pub mod sqlite;
mod statement;
#[cfg(feature = "testing")]
pub mod testing;
mod value;

pub use column::Column;
pub use database::{Database, On, Transaction};
pub use error::{failed, is_taken};
pub use row::Row;
pub use schema::Schema;
pub use statement::{Statement, sql};
pub use value::{Value, json, word};
