//! Sums of revenue, folded by several processes at once.

use rad_billing::{PostgresLedger, postgres};

use crate::totals::are_right_while_they_are_folded;

#[tokio::test]
async fn sums_are_right_while_they_are_folded() {
    let ledger = super::ledger().await;
    are_right_while_they_are_folded(&ledger, async || ledger.fold_totals().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folds_of_several_processes_do_not_get_in_each_others_way() {
    let address = super::address().await;
    let open = async || PostgresLedger::new(postgres::open(&address).await.unwrap());
    let (one, two) = (open().await, open().await);
    let folds = [one.clone(), two.clone(), one.clone(), two].map(|ledger| {
        tokio::spawn(async move {
            let mut folded = 0;
            for _ in 0..200 {
                folded += ledger.fold_totals().await.unwrap();
                tokio::task::yield_now().await;
            }
            folded
        })
    });
    rad_core::conformance::ledger::totals::adds_up_every_range(&one).await;
    let mut folded = one.fold_totals().await.unwrap();
    for fold in folds {
        folded += fold.await.unwrap();
    }
    folded += one.fold_totals().await.unwrap();
    assert!(folded > 0);
    assert_eq!(rad_core::ledger::Ledger::verify_totals(&one).await.unwrap(), []);
}
