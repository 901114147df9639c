//! Comparing the sums that are kept with the lines.

use chrono::NaiveDate;
use rad_core::id::{AccountId, ModuleId};
use rad_core::ledger::TotalsFinding;
use rad_core::revenue::Group;
use sqlx::FromRow;

use super::super::listing::Sql;
use super::folding::SPREAD;
use super::reading::date;
use super::{AGENT, MODULE, PARTNER, totals};
use crate::database::bytes;

/// A day whose sums for a scope are not those of its lines.
#[derive(Debug, FromRow)]
pub(in super::super) struct CheckRow {
    scope: i64,
    partner: Vec<u8>,
    agent: Vec<u8>,
    module: Vec<u8>,
    day: i64,
    kept_lines: i64,
    kept_gross: i64,
    kept_partner: i64,
    kept_agent: i64,
    lines: i64,
    gross: i64,
    partner_share: i64,
    agent_share: i64,
}

/// Selects [`CheckRow`]s, at most 100.
pub(in super::super) fn select_wrong_days<S: Sql>(sql: &mut S) {
    sql.text(
        "SELECT CAST(scope AS BIGINT) AS scope, partner, agent, module, day,
            CAST(sum(kept_lines) AS BIGINT) AS kept_lines, CAST(sum(kept_gross) AS BIGINT) AS kept_gross,
            CAST(sum(kept_partner) AS BIGINT) AS kept_partner, CAST(sum(kept_agent) AS BIGINT) AS kept_agent,
            CAST(sum(lines) AS BIGINT) AS lines, CAST(sum(gross) AS BIGINT) AS gross,
            CAST(sum(partner_share) AS BIGINT) AS partner_share, CAST(sum(agent_share) AS BIGINT) AS agent_share
         FROM (
            SELECT scope, partner, agent, module, day, lines AS kept_lines, gross AS kept_gross,
                partner_share AS kept_partner, agent_share AS kept_agent,
                0 AS lines, 0 AS gross, 0 AS partner_share, 0 AS agent_share
            FROM ledger_revenue_days
            UNION ALL
            SELECT scope, partner, agent, module, day, lines, gross, partner_share, agent_share, 0, 0, 0, 0
            FROM (",
    );
    sql.text(SPREAD.0).text("ledger_revenue_deltas").text(SPREAD.1);
    sql.text(
        ") AS kept
            UNION ALL
            SELECT scope, partner, agent, module, day, 0, 0, 0, 0, lines, gross, partner_share, agent_share
            FROM (",
    );
    sql.text(SPREAD.0);
    sql.text(
        "(SELECT day, partner, agent, module, count(*) AS lines, sum(gross) AS gross,
                sum(partner_share) AS partner_share, sum(agent_share) AS agent_share
             FROM (SELECT ",
    );
    sql.text(S::DAY);
    sql.text(
        " AS day, coalesce(partner, substr(module, 1, 0)) AS partner,
                coalesce(agent, substr(module, 1, 0)) AS agent, module, gross, partner_share, agent_share
              FROM ledger_lines) AS each
             GROUP BY 1, 2, 3, 4)",
    );
    sql.text(SPREAD.1);
    sql.text(
        ") AS booked
         ) AS compared
         GROUP BY 1, 2, 3, 4, 5
         HAVING sum(kept_lines) <> sum(lines) OR sum(kept_gross) <> sum(gross)
             OR sum(kept_partner) <> sum(partner_share) OR sum(kept_agent) <> sum(agent_share)
         ORDER BY 5, 1, 2, 3, 4 LIMIT 100",
    );
}

impl From<CheckRow> for TotalsFinding {
    fn from(row: CheckRow) -> Self {
        // Ids that cannot be are told of as zeros: this is about what is stored wrong.
        let account = |id: &[u8]| {
            let whole = || AccountId::from_bytes(bytes(id).unwrap_or([0; 16]));
            if id.is_empty() { None } else { Some(whole()) }
        };
        let groups = [
            (PARTNER, Group::Partner(account(&row.partner))),
            (AGENT, Group::Agent(account(&row.agent))),
            (MODULE, Group::Module(ModuleId::from_bytes(bytes(&row.module).unwrap_or([0; 16])))),
        ];
        let of = groups.into_iter().filter(|(bit, _)| row.scope & bit != 0).map(|(_, group)| group).collect();
        Self {
            day: date(row.day).unwrap_or(if row.day < 0 { NaiveDate::MIN } else { NaiveDate::MAX }),
            of,
            kept: totals(row.kept_lines, row.kept_gross, row.kept_partner, row.kept_agent),
            lines: totals(row.lines, row.gross, row.partner_share, row.agent_share),
        }
    }
}
