//! Groups, watches, readings and deliveries keep the contracts in either database.

use rad_core::conformance::{delivery, group, reading, watch};
use rad_github::{SqlDeliveries, SqlGroups, SqlReadings, SqlWatches};

use crate::one_of_each;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_keep_the_contract() {
    for test in one_of_each().await {
        group::keeps_groups(&SqlGroups::new(test.database.clone())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watches_keep_the_contract() {
    for test in one_of_each().await {
        watch::all(&SqlWatches::new(test.database.clone())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readings_keep_the_contract() {
    for test in one_of_each().await {
        let store = SqlReadings::new(test.database.clone());
        reading::keeps_the_last_reading(&store).await;
        reading::keeps_one_of_racing_readings(&store).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_keep_the_contract() {
    for test in one_of_each().await {
        let store = SqlDeliveries::new(test.database.clone());
        delivery::takes_deliveries_once(&store).await;
        delivery::one_of_many_takes_a_delivery(&store).await;
    }
}
