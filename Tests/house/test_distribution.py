"""Every table of every component says how a distributed engine is to keep it, and its keys allow that."""

import sys

import pytest

from support.paths import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
import distribution  # noqa: E402
import house_rules  # noqa: E402


def test_all_migrations():
    tables, found = 0, []
    for path in house_rules.swift_files():
        if house_rules.is_of_tests(path) or house_rules.target_of(path) in house_rules.WITHOUT_OWN_TABLES:
            continue
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
    ],
)
def test_what_is_refused(sql, word):
    assert any(word in breach for breach in distribution.breaches(sql))


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
    assert list(distribution.breaches(sql)) == []
