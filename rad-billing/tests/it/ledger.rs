//! The ledger keeps the contract.

use rad_billing::SqliteLedger;
use rad_core::conformance::ledger;

use crate::database;

#[tokio::test]
async fn ledger_keeps_the_contract() {
    let database = database().await.unwrap();
    ledger::all(&SqliteLedger::new(database.pool.clone())).await;
}
