"""What scripts/distribute prints covers every table of octetd's database, and is possible there.

Citus is not in Debian. In its place two functions stand that check what its documentation demands of a table: that the
column is there, NOT NULL, and part of every unique index.
"""

import subprocess
import urllib.parse

from support.paths import ROOT
from support.server import Server

FUNCTIONS = """
  CREATE TABLE pg_dist_partition (logicalrelid regclass PRIMARY KEY);
  CREATE FUNCTION create_reference_table(t regclass) RETURNS void LANGUAGE sql AS
    $$ INSERT INTO pg_dist_partition VALUES (t) $$;
  CREATE FUNCTION create_distributed_table(t regclass, key text) RETURNS void LANGUAGE plpgsql AS $$
  DECLARE number int;
  BEGIN
    SELECT attnum INTO STRICT number FROM pg_attribute WHERE attrelid = t AND attname = key AND attnotnull;
    ASSERT (SELECT indkey[0] = number FROM pg_index WHERE indrelid = t AND indisprimary), t || ' is not led by ' || key;
    ASSERT (SELECT bool_and(number = ANY (indkey)) FROM pg_index WHERE indrelid = t AND indisunique),
      key || ' is not in every unique index of ' || t;
    INSERT INTO pg_dist_partition VALUES (t);
  END $$;
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
    local = {line.split()[1] for line in commands.splitlines() if line.startswith("--")}
    tables = set(postgres.run(TABLES, database).split())
    assert len(told) > 20
    assert told | (local & tables) == tables and not told & local
