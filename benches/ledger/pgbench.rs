//! PostgreSQL's own bench with the shortest post there is by hand: one prepared statement.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tokio::task::spawn_blocking;

/// Takes from a balance if there is enough, and notes it under a unique key.
const POST: &str = "\\set account random(1, :accounts)
WITH u AS (UPDATE balances SET balance = balance - 1 WHERE account = :account AND balance >= 1
    RETURNING account, balance)
INSERT INTO entries (account, key, at, amount, balance_after, body)
SELECT account, gen_random_uuid(), now(), 1, balance, 'project_debit' FROM u;
";

/// pgbench, and a database with balances.
pub(crate) struct Pgbench {
    program: PathBuf,
    address: String,
    script: tempfile::NamedTempFile,
}

impl Pgbench {
    pub(crate) async fn prepare(programs: &Path, address: &str, accounts: usize) -> anyhow::Result<Self> {
        let mut connection = PgConnection::connect(address).await?;
        for sql in [
            "CREATE TABLE balances (account int PRIMARY KEY, balance bigint NOT NULL) WITH (fillfactor = 60)",
            "CREATE TABLE entries (account int NOT NULL, key uuid NOT NULL, at timestamptz NOT NULL,
                 amount bigint NOT NULL, balance_after bigint NOT NULL, body text NOT NULL, UNIQUE (account, key))",
            &format!("INSERT INTO balances SELECT n, 1000000000000 FROM generate_series(1, {accounts}) n"),
            "VACUUM ANALYZE balances",
        ] {
            connection.execute(AssertSqlSafe(sql.to_owned())).await?;
        }
        let script = tempfile::NamedTempFile::new()?;
        std::fs::write(script.path(), POST)?;
        let found = programs.join("pgbench");
        let program = if found.exists() { found } else { "pgbench".into() };
        Ok(Self { program, address: address.to_owned(), script })
    }

    /// How many posts a second so many clients get acknowledged.
    pub(crate) async fn posts_per_second(
        &self,
        clients: u64,
        accounts: usize,
        time: Duration,
    ) -> anyhow::Result<f64> {
        let mut command = std::process::Command::new(&self.program);
        command
            .args(["--no-vacuum", "--protocol=prepared"])
            .arg(format!("--client={clients}"))
            .arg(format!("--jobs={}", clients.min(2)))
            .arg(format!("--time={}", time.as_secs()))
            .arg(format!("--define=accounts={accounts}"))
            .arg("--file")
            .arg(self.script.path())
            .arg(&self.address);
        let output = spawn_blocking(move || command.output()).await?.context("cannot run pgbench")?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
        let rate = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next());
        rate.context("pgbench tells no rate")?.parse().context("the rate of pgbench")
    }
}
