"""What scripts/distribute prints covers every table of octetd's database, and is possible there.

Citus is not in Debian. In its place two functions stand that check what its documentation demands of a table: that the
column is there, NOT NULL, and part of every unique index; that a table of which every node has a copy has a key by which
its rows are found there; and that a foreign key leads to a row on the same node.
"""

import subprocess
import sys
import urllib.parse

import pytest

from support.paths import ROOT
from support.server import Server

sys.path.insert(0, str(ROOT / "scripts"))
import distribution  # noqa: E402

FUNCTIONS = """
  CREATE TABLE pg_dist_partition (logicalrelid regclass PRIMARY KEY, partmethod "char" NOT NULL, partkey int);
  CREATE FUNCTION create_reference_table(t regclass) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    ASSERT EXISTS (SELECT FROM pg_index WHERE indrelid = t AND indisprimary), t || ' has no primary key';
    INSERT INTO pg_dist_partition VALUES (t, 'n');
  END $$;
  CREATE FUNCTION create_distributed_table(t regclass, key text) RETURNS void LANGUAGE plpgsql AS $$
  DECLARE number int;
  BEGIN
    SELECT attnum INTO STRICT number FROM pg_attribute WHERE attrelid = t AND attname = key AND attnotnull;
    ASSERT (SELECT indkey[0] = number FROM pg_index WHERE indrelid = t AND indisprimary), t || ' is not led by ' || key;
    ASSERT (SELECT bool_and(number = ANY (indkey)) FROM pg_index WHERE indrelid = t AND indisunique),
      key || ' is not in every unique index of ' || t;
    INSERT INTO pg_dist_partition VALUES (t, 'h', number);
  END $$;
"""
# Foreign keys that lead away: to a table that is not on every node, unless both tables are distributed by columns that
# the key holds together (or both stay on the coordinator).
LEADING_AWAY = """
  SELECT f.conrelid::regclass || ' to ' || f.confrelid::regclass FROM pg_constraint f
  LEFT JOIN pg_dist_partition a ON a.logicalrelid = f.conrelid
  LEFT JOIN pg_dist_partition b ON b.logicalrelid = f.confrelid
  WHERE f.contype = 'f' AND b.partmethod IS DISTINCT FROM 'n'
    AND NOT (a.logicalrelid IS NULL AND b.logicalrelid IS NULL)
    AND (array_position(f.conkey, a.partkey::smallint) = array_position(f.confkey, b.partkey::smallint)) IS NOT TRUE
"""
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'pg_dist_partition'"


def test_every_table_is_distributed(tmp_path, postgres):
    url = postgres.make_database()
    with Server(tmp_path, "--database", url):
        pass
    database = urllib.parse.urlsplit(url).path[1:]
    commands = subprocess.check_output([ROOT / "scripts/distribute"], text=True)
    # Twice, as after an update.
    postgres.run(FUNCTIONS + commands + commands, database)
    told = set(postgres.run("SELECT logicalrelid FROM pg_dist_partition", database).split())
    whole = set(postgres.run("SELECT logicalrelid FROM pg_dist_partition WHERE partmethod = 'n'", database).split())
    local = {line.split()[1] for line in commands.splitlines() if line.startswith("--")}
    tables = set(postgres.run(TABLES, database).split())
    assert len(told) > 20
    assert whole and whole == {name for name in told if distribution.EXCEPTIONS.get(name, ("",))[0] == "reference"}
    assert {name for name, (kind, _) in distribution.EXCEPTIONS.items() if kind == "reference"} <= whole
    assert postgres.run(LEADING_AWAY, database).split("\n") == [""]
    assert told | (local & tables) == tables and not told & local


@pytest.mark.parametrize(
    "sql, leads_away",
    [
        ("CREATE TABLE t (a bigint PRIMARY KEY, b bigint REFERENCES whole)", False),
        ("CREATE TABLE t (a bigint PRIMARY KEY REFERENCES spread)", False),
        ("CREATE TABLE t (a bigint PRIMARY KEY, b bigint REFERENCES spread)", True),
        ("CREATE TABLE t (a bigint PRIMARY KEY REFERENCES one)", True),
    ],
)
def test_a_foreign_key_that_leads_away_is_found(postgres, sql, leads_away):
    database = urllib.parse.urlsplit(postgres.make_database()).path[1:]
    tables = "".join(f"CREATE TABLE {name} (a bigint PRIMARY KEY);" for name in ("whole", "spread", "one"))
    told = "SELECT create_reference_table('whole'), create_distributed_table('spread', 'a');"
    postgres.run(f"{FUNCTIONS}{tables}{sql};{told} SELECT create_distributed_table('t', 'a');", database)
    assert bool(postgres.run(LEADING_AWAY, database).strip()) == leads_away
