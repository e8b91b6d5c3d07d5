"""Every table of every component says how a distributed engine is to keep it, and its keys allow that."""

import re
import sys

import pytest

from support.paths import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
import distribution  # noqa: E402
import house_rules  # noqa: E402


def test_all_migrations():
    tables, found = 0, [breach for _, breach in house_rules.table_breaches()]
    for path in house_rules.files_with_migrations():
        text = path.read_text()
        tables += len(distribution.TABLE.findall(text))
        found += [f"{path.name}: {breach}" for breach in distribution.breaches(text)]
    assert tables > 30, "the migrations were not found"
    assert found == []


@pytest.mark.parametrize(
    "sql, word",
    [
        ("CREATE TABLE t (a INTEGER NOT NULL, PRIMARY KEY (a)) WITHOUT ROWID;", "does not say"),
        ("-- distributed by a\n\nCREATE TABLE t (a INTEGER PRIMARY KEY);", "does not say"),
        ("-- local:\nCREATE TABLE t (a INTEGER PRIMARY KEY);", "does not say"),
        ("-- distributed by a\nCREATE TABLE t (a INTEGER NOT NULL);", "no primary key"),
        ("-- distributed by b\nCREATE TABLE t (a INTEGER, b INTEGER, PRIMARY KEY (a, b));", "led by a"),
        ("-- distributed by b\nCREATE TABLE t (a INTEGER PRIMARY KEY, b INTEGER);", "led by a"),
        ("-- distributed by a\nCREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT UNIQUE);", "not in UNIQUE"),
        ("-- distributed by a\nCREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL UNIQUE);", "not in UNIQUE"),
        (
            "-- distributed by a\nCREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT);\nCREATE UNIQUE INDEX i ON t (b);",
            "unique index i",
        ),
        (
            "-- distributed by a\nCREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT);\n"
            "CREATE UNIQUE INDEX IF NOT EXISTS i ON t (b);",
            "unique index i",
        ),
    ],
)
def test_what_is_refused(sql, word):
    assert any(word in breach for breach in distribution.breaches(sql, {}))


def test_no_table_becomes_an_exception_by_a_comment():
    sql = "-- local: a reason\nCREATE TABLE t (a INTEGER PRIMARY KEY);"
    for exceptions in ({}, {"t": ("reference", "few")}, {"u": ("local", "few")}):
        assert any("EXCEPTIONS" in breach for breach in distribution.breaches(sql, exceptions))
    assert list(distribution.breaches(sql, {"t": ("local", "few")})) == []
    # Nor does an exception become distributed while it is in the list.
    sql = "-- distributed by a\nCREATE TABLE t (a INTEGER PRIMARY KEY);"
    assert any("EXCEPTIONS" in breach for breach in distribution.breaches(sql, {"t": ("local", "few")}))


def test_each_exception_says_how_much_there_is():
    for table, (kind, size) in distribution.EXCEPTIONS.items():
        assert kind in ("local", "reference") and size, table


DISTRIBUTED = "-- distributed by a\nCREATE TABLE d (a INTEGER NOT NULL, b INTEGER NOT NULL, PRIMARY KEY (a, b));\n"
REFERENCE = "-- reference: few\nCREATE TABLE r (a INTEGER PRIMARY KEY);\n"
LOCAL = "-- local: one\nCREATE TABLE l (a INTEGER PRIMARY KEY);\n"


@pytest.mark.parametrize(
    "sql, is_possible",
    [
        ("-- distributed by x\nCREATE TABLE t (x INTEGER PRIMARY KEY REFERENCES r (a));", True),
        ("-- distributed by x\nCREATE TABLE t (x INTEGER PRIMARY KEY, y INTEGER REFERENCES r);", True),
        ("-- local: one\nCREATE TABLE t (x INTEGER PRIMARY KEY REFERENCES l (a));", True),
        (
            "-- distributed by x\nCREATE TABLE t (x INTEGER NOT NULL, y INTEGER, PRIMARY KEY (x),\n"
            "  FOREIGN KEY (x, y) REFERENCES d (a, b));",
            True,
        ),
        # By another column than the one that says where a row lies.
        (
            "-- distributed by x\nCREATE TABLE t (x INTEGER NOT NULL, y INTEGER, PRIMARY KEY (x),\n"
            "  FOREIGN KEY (x, y) REFERENCES d (b, a));",
            False,
        ),
        ("-- distributed by x\nCREATE TABLE t (x INTEGER PRIMARY KEY, y INTEGER NOT NULL REFERENCES d (a));", False),
        ("-- distributed by x\nCREATE TABLE t (x INTEGER PRIMARY KEY REFERENCES l (a));", False),
        ("-- reference: few\nCREATE TABLE t (x INTEGER PRIMARY KEY REFERENCES d (a));", False),
        ("-- reference: few\nCREATE TABLE t (x INTEGER PRIMARY KEY REFERENCES l (a));", False),
        ("-- local: one\nCREATE TABLE t (x INTEGER PRIMARY KEY, y INTEGER REFERENCES d (a));", False),
        ("ALTER TABLE l ADD COLUMN x INTEGER REFERENCES d (a);", False),
        ("ALTER TABLE d ADD COLUMN x INTEGER REFERENCES r (a);", True),
    ],
)
def test_a_row_and_what_it_refers_to_are_on_one_node(sql, is_possible):
    found = list(distribution.foreign_key_breaches([DISTRIBUTED + REFERENCE, LOCAL, sql]))
    assert (found == []) == is_possible, found


@pytest.mark.parametrize(
    "sql",
    [
        "-- distributed by a\nCREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT);\nCREATE INDEX i ON t (b);",
        "-- What it holds.\n-- distributed by a\nCREATE TABLE t (\n  a INTEGER NOT NULL,\n  -- b is, or not.\n"
        "  b INTEGER NOT NULL,\n  PRIMARY KEY (a, b)\n) WITHOUT ROWID;\nCREATE UNIQUE INDEX i ON t (b, a);",
        "-- reference: few rows\nCREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT UNIQUE);",
        "-- local: one counter\n  CREATE TABLE IF NOT EXISTS t (a INTEGER PRIMARY KEY);",
    ],
)
def test_what_is_allowed(sql):
    kind = re.search("local|reference", sql)
    exceptions = {"t": (kind.group(), "few")} if kind else {}
    assert list(distribution.breaches(sql, exceptions)) == []
