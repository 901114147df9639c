"""The two-bucket split, awarded credits first, by window functions: DuckDB and Polars over the same columns, one thread each.

With G what was awarded and C what was charged so far, awarded credits spent so far are C + min(0, min over the past of
(G - C)): the balance of a queue that cannot go below nothing. Lots, costs, refunds, expiry and holds are left out: this is
the easier question. Loading the columns is not timed. Prints JSON.
"""

import json
import sys
import time
from pathlib import Path

import duckdb
import numpy
import polars

NAMES = ["account", "seq", "module", "awarded", "purchased", "charged"]

SPLIT = """
WITH sums AS (
    SELECT account, seq, module, charged,
        sum(awarded) OVER past AS granted,
        sum(charged) OVER past AS total
    FROM entries
    WINDOW past AS (PARTITION BY account ORDER BY seq ROWS UNBOUNDED PRECEDING)
), spent AS (
    SELECT account, seq, module, charged,
        total + least(0, min(granted - total) OVER past) AS awarded
    FROM sums
    WINDOW past AS (PARTITION BY account ORDER BY seq ROWS UNBOUNDED PRECEDING)
), split AS (
    SELECT module, charged, awarded - lag(awarded, 1, 0) OVER (PARTITION BY account ORDER BY seq) AS awarded
    FROM spent
)
SELECT module, sum(awarded)::BIGINT, sum(charged - awarded)::BIGINT
FROM split WHERE charged > 0 GROUP BY module ORDER BY module
"""


def fastest(rounds, work):
    """The shortest of some rounds in seconds, and what was found: module, awarded, purchased."""
    best, found = float("inf"), None
    for _ in range(rounds):
        start = time.perf_counter()
        found = work()
        best = min(best, time.perf_counter() - start)
    return {"seconds": best, "modules": found}


def ask_duckdb(frame):
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    connection.execute("SET enable_progress_bar = false")
    connection.register("columns", frame.to_arrow())
    connection.execute("CREATE TABLE entries AS SELECT * FROM columns")
    return lambda: connection.execute(SPLIT).fetchall()


def ask_polars(frame):
    granted, total = polars.col("awarded").cum_sum(), polars.col("charged").cum_sum()
    spent = total + polars.min_horizontal(polars.lit(0), (granted - total).cum_min())
    awarded = polars.col("spent") - polars.col("before")
    split = (
        frame.lazy()
        .select(
            "module",
            "charged",
            spent=spent.over("account", order_by="seq"),
            before=spent.shift(1, fill_value=0).over("account", order_by="seq"),
        )
        .filter(polars.col("charged") > 0)
        .group_by("module")
        .agg(awarded=awarded.sum(), purchased=(polars.col("charged") - awarded).sum())
        .sort("module")
    )
    return lambda: split.collect().rows()


def main():
    directory, rounds = Path(sys.argv[1]), int(sys.argv[2])
    columns = {name: numpy.fromfile(directory / name, dtype="<i8") for name in NAMES}
    frame = polars.DataFrame(columns)
    found = {"entries": frame.height}
    found["duckdb"] = fastest(rounds, ask_duckdb(frame))
    found["polars"] = fastest(rounds, ask_polars(frame))
    print(json.dumps(found))


main()
