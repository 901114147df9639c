//! The engine against SQL: of grants and captures alone, window functions over the plain history find the same split of
//! every charge over the two buckets, awarded credits first. They know nothing of lots, holds or the engine.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rad_core::id::AccountId;
use rad_core::money::Credits;
use rad_core::revenue::{AccountState, Body, Bucket, Entry};
use rad_core::strategies::{Script, cases, scripts};
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Row, SqlitePool};
use tokio::runtime::Runtime;

/// All awarded credits used up to a charge are all charged ones, less the most by which the charges up to any point so far
/// exceeded what had been awarded by then; what a charge adds to them is its awarded part.
const SPLIT: &str = "
    WITH running AS (
        SELECT account, seq, kind, credits,
               SUM(CASE kind WHEN 'awarded' THEN credits ELSE 0 END) OVER history AS awarded,
               SUM(CASE kind WHEN 'charge' THEN credits ELSE 0 END) OVER history AS charged
        FROM entries
        WINDOW history AS (PARTITION BY account ORDER BY seq ROWS UNBOUNDED PRECEDING)
    ), used AS (
        SELECT account, seq, credits, charged + MIN(0, MIN(awarded - charged) OVER history) AS used
        FROM running
        WHERE kind = 'charge'
        WINDOW history AS (PARTITION BY account ORDER BY seq ROWS UNBOUNDED PRECEDING)
    )
    SELECT account, seq, credits, used - LAG(used, 1, 0) OVER (PARTITION BY account ORDER BY seq) AS awarded
    FROM used
    ORDER BY account, seq";

/// How many steps an account has; half of them at the least are entries that are taken.
const STEPS: usize = 220;

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn window_functions_split_every_charge_as_the_engine_does(
        scripts in prop::collection::vec(scripts(STEPS..STEPS + 40), 2..4),
    ) {
        let histories: Vec<Vec<Entry>> = scripts.into_iter().enumerate().map(|(number, script)| played(number, script)).collect();
        prop_assert!(histories.iter().map(Vec::len).sum::<usize>() >= 200);
        let runtime = Runtime::new().unwrap();
        let by_sql = runtime.block_on(split_by_sql(&histories)).unwrap();
        let mut by_engine = BTreeMap::new();
        for history in &histories {
            let mut state = AccountState::new(history[0].account);
            for entry in history {
                let effect = state.apply(entry).unwrap();
                if let Body::Capture(_) = &entry.body {
                    let taken = |bucket| -> i64 {
                        effect.parts.iter().filter(|part| part.bucket == bucket).map(|part| part.credits.micros()).sum()
                    };
                    let charge = (entry.account.to_string(), entry.seq as i64);
                    by_engine.insert(charge, (taken(Bucket::Awarded), taken(Bucket::Purchased)));
                }
            }
        }
        prop_assert!(!by_engine.is_empty());
        prop_assert_eq!(by_sql, by_engine);
    }
}

/// A history of grants, and of holds that are captured, in whole or in part, right away; nothing runs out.
fn played(number: usize, mut script: Script) -> Vec<Entry> {
    let mut capture_next = false;
    for action in &mut script.actions {
        // The kinds of steps: 0 to 4 are grants, 5 to 8 holds, 9 to 11 captures, again and again from 20 on.
        let grants = action.which.is_multiple_of(3);
        action.kind = match (capture_next, grants) {
            (true, _) => 9,
            (false, true) => action.kind / 20 % 4 * 20,
            (false, false) => 5,
        };
        capture_next = !capture_next && !grants;
        // Small enough to fit together, many enough to be charged.
        let most = if action.kind == 5 { 20_000_000 } else { 200_000_000 };
        action.credits = Credits::from_micros(action.credits.micros().rem_euclid(most) + 1_000);
        (action.lasts, action.share) = (None, action.share.max(1));
    }
    let account = AccountId::from_bytes([number as u8 + 1; 16]);
    script
        .play(account)
        .into_iter()
        .filter(|attempt| attempt.refused.is_none())
        .map(|attempt| attempt.entry)
        .collect()
}

async fn split_by_sql(histories: &[Vec<Entry>]) -> Result<BTreeMap<(String, i64), (i64, i64)>, sqlx::Error> {
    let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
    sqlx::query("CREATE TABLE entries (account TEXT, seq INTEGER, kind TEXT, credits INTEGER)")
        .execute(&pool)
        .await?;
    insert(&pool, histories.iter().flatten()).await?;
    let rows = sqlx::query(SPLIT).fetch_all(&pool).await?;
    let split = |row: &sqlx::sqlite::SqliteRow| {
        let (credits, awarded): (i64, i64) = (row.get("credits"), row.get("awarded"));
        ((row.get("account"), row.get("seq")), (awarded, credits - awarded))
    };
    Ok(rows.iter().map(split).collect())
}

async fn insert(pool: &SqlitePool, entries: impl Iterator<Item = &Entry>) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    for entry in entries {
        let (kind, credits) = match &entry.body {
            Body::Grant(grant) if grant.bucket == Bucket::Awarded => ("awarded", grant.credits),
            Body::Grant(grant) => ("purchased", grant.credits),
            Body::Capture(capture) => ("charge", capture.amount),
            _ => continue,
        };
        sqlx::query("INSERT INTO entries VALUES (?, ?, ?, ?)")
            .bind(entry.account.to_string())
            .bind(entry.seq as i64)
            .bind(kind)
            .bind(credits.micros())
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await
}
