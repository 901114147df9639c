//! A process that is killed while it posts loses nothing that it was told is posted.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rad_billing::{SqliteLedger, sqlite};
use rad_core::id::AccountId;
use rad_core::ledger::{Ledger, LedgerExt};
use rad_core::money::Credits;

use crate::{award, database};

/// Set for the process that is to be killed: the database file.
const FILE: &str = "RAD_BILLING_TEST_POST_UNTIL_KILLED";

const ROUNDS: u64 = 6;

/// The account everybody posts to.
const ACCOUNT: AccountId = AccountId::from_bytes([7; 16]);

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let database = database().await.unwrap();
    let path = database.dir.path().join("rad.db");
    database.pool.close().await;
    let open = async || {
        let pool = sqlite::open(&path).await.unwrap();
        Box::new(SqliteLedger::new(pool)) as Box<dyn Ledger>
    };
    survives_kill_9("crash::posts_until_killed_where_asked_to", FILE, path.as_os_str(), open).await;
}

#[tokio::test]
async fn posts_until_killed_where_asked_to() {
    let Some(path) = std::env::var_os(FILE) else { return };
    post_until_killed(&SqliteLedger::new(sqlite::open(&PathBuf::from(path)).await.unwrap())).await;
}

/// Kills processes that post, and checks each time that what they were told is there, once.
///
/// `test` is the test that posts until it is killed where `variable` says `place`.
pub(crate) async fn survives_kill_9(
    test: &str,
    variable: &str,
    place: &OsStr,
    open: impl AsyncFn() -> Box<dyn Ledger>,
) {
    let mut acknowledged = 0;
    for round in 1..=ROUNDS {
        let last = start_and_kill(test, variable, place, 7 * round);
        assert!(last > acknowledged, "round {round} posted nothing");

        let ledger = open().await;
        // The post that may have been under way: the same again settles it, once.
        let next = ledger.post(award(ACCOUNT, last + 1, 1)).await.unwrap();
        assert_eq!(next.entry.seq, last + 1, "{last} was acknowledged");
        assert_eq!(ledger.state(ACCOUNT).await.unwrap().seq(), last + 1, "round {round}");
        assert_eq!(ledger.verify(ACCOUNT).await.unwrap(), [], "round {round}");
        acknowledged = last + 1;
    }
    let balance = open().await.balance(ACCOUNT, chrono::DateTime::UNIX_EPOCH).await.unwrap();
    let seq = Credits::from_micros(i64::try_from(acknowledged).unwrap() * 1_000_000);
    assert_eq!(balance.spendable(), seq, "each post counts once");
}

/// Posts one after the other, and says so after each.
#[allow(clippy::print_stdout, reason = "whoever started the process reads it")]
pub(crate) async fn post_until_killed(ledger: &dyn Ledger) {
    let first = ledger.state(ACCOUNT).await.unwrap().seq() + 1;
    for number in first.. {
        let posted = ledger.post(award(ACCOUNT, number, 1)).await.unwrap();
        println!("posted {}", posted.entry.seq);
    }
}

/// Starts this test binary again as a process that posts, kills it after some acknowledgements, and gives the last one.
fn start_and_kill(test: &str, variable: &str, place: &OsStr, acknowledgements: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(variable, place)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut posted =
        lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("posted ")?.parse().ok());
    let killed_at = posted.nth(usize::try_from(acknowledgements).unwrap() - 1).unwrap_or(0);
    child.kill().unwrap();
    child.wait().unwrap();
    // What it still said before the signal reached it counts, too.
    posted.last().unwrap_or(killed_at)
}
