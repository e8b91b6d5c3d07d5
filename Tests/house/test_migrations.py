"""A step of the schema leaves the program of the version before able to serve."""

import sys

import pytest

from support.paths import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
import house_rules  # noqa: E402
import migrations  # noqa: E402

REFUSED = [
    ("DROP TABLE t", "takes away"),
    ("ALTER TABLE t DROP COLUMN a", "takes away"),
    ("DROP INDEX t_a", "takes an index"),
    ("ALTER TABLE t RENAME TO u", "renames"),
    ("ALTER TABLE t RENAME COLUMN a TO b", "renames"),
    ("ALTER TABLE t ADD COLUMN a INTEGER NOT NULL", "without a default"),
    ("ALTER TABLE t ADD COLUMN a INTEGER NOT NULL REFERENCES u (a)", "without a default"),
    ("ALTER TABLE t ADD COLUMN a INTEGER CHECK (a > 0)", "asks of a"),
    ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)", "asks of rows"),
    ("ALTER TABLE t ALTER COLUMN a SET NOT NULL", "changes a column"),
    ("CREATE UNIQUE INDEX i ON t (a)", "makes t unique by i"),
]


def step(*lines):
    script = "\n".join("      " + line for line in lines)
    return f'Migration(\n  "c", 2, "a step",\n  sql: """\n{script}\n    """),'


@pytest.mark.parametrize("sql, word", REFUSED)
def test_what_is_refused(sql, word):
    for text in (step("-- Why not?", f"{sql};", "CREATE TABLE v (a INTEGER PRIMARY KEY);"), f'Migration(sql: "{sql}")'):
        found = list(migrations.breaches(text))
        assert len(found) == 1 and word in found[0], found


@pytest.mark.parametrize("sql, _", REFUSED)
def test_a_reason_allows_it(sql, _):
    assert list(migrations.breaches(step("-- What it is.", "-- contract: nobody uses it", f"{sql};"))) == []
    # For this statement alone, and only with words.
    assert list(migrations.breaches(step("-- contract: nobody uses it", f"{sql};", f"{sql};"))) != []
    assert list(migrations.breaches(step("-- contract:", f"{sql};"))) != []


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE t (a INTEGER NOT NULL, b TEXT UNIQUE, PRIMARY KEY (a)); CREATE UNIQUE INDEX i ON t (b)",
        "ALTER TABLE t ADD COLUMN a INTEGER",
        "ALTER TABLE t ADD COLUMN a TEXT NOT NULL DEFAULT ''",
        "CREATE INDEX i ON t (a)",
        "UPDATE t SET a = 'DROP TABLE t; ALTER TABLE t RENAME TO u' WHERE a IS NULL",
        "-- Never DROP TABLE t; it is used.\n CREATE INDEX i ON t (a)",
    ],
)
def test_what_is_allowed(sql):
    assert list(migrations.breaches(step(f"{sql};"))) == []


def test_all_steps():
    found = [breach for path in house_rules.files_with_migrations() for breach in migrations.breaches(path.read_text())]
    assert found == []


def test_the_rule_sees_the_steps(monkeypatch):
    monkeypatch.setattr(migrations, "CONTRACT", migrations.re.compile("no such comment"))
    found = [breach for path in house_rules.files_with_migrations() for breach in migrations.breaches(path.read_text())]
    assert any("octet_timers_due" in breach for breach in found)
