"""The scripts that measure, each with its shortest look: what they print has its form. How fast anything is, they say
themselves; here it counts for nothing.
"""

import pathlib
import re
import sqlite3
import subprocess
import sys

import pytest
from storage_table import BENCH, plain_program

HERE = pathlib.Path(__file__).resolve().parent
# Without the servers whose compilers only `scripts/setup --benchmarks` installs, or that take long to compile.
SERVERS = ("octet", "octetd", "octetd, signed in", "octet, TLS", "nghttp2 in C", "grpcio")
NUMBER = r"[\d,]+(?:\.\d+)?"

# Servers are pinned to one core, and octetd refuses calls when it is starved.
pytestmark = pytest.mark.alone


def lines(script, *flags):
    done = subprocess.run(
        [sys.executable, HERE / script, "--quick", *flags], capture_output=True, text=True, timeout=1800
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_rpc_table():
    printed = lines("rpc_table.py", "--servers", *SERVERS)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed if line.startswith("|")]
    assert rows[0] == ["measure", *SERVERS]
    figures = {row[0]: dict(zip(SERVERS, row[1:])) for row in rows[2:]}
    assert len(figures) == 15
    echo = figures["echo 8×32, server CPU, µs per call"]
    assert all(re.fullmatch(NUMBER, echo[server]) for server in SERVERS), echo
    for row, cells in figures.items():
        assert re.fullmatch(NUMBER, cells["octet"]), row
        # Fan-out is not compared with it.
        if not row.startswith(("echo 8", "fan-out")):
            assert re.fullmatch(NUMBER, cells["grpcio"]), row
    # Of those whose servers were there: nghttp2, TLS, and the six of which grpcio is the only peer.
    targets = [line for line in printed if line.startswith("- target ")]
    assert len(targets) == 8
    assert all(re.search(rf": (met|missed) \(ratio {NUMBER}, wanted at (least|most) [\d.]+\)$", line) for line in targets)


def test_idle_connections():
    printed = lines("idle_connections.py")
    form = rf"(.+?) +-?{NUMBER} (s|KiB) +at most {NUMBER}(  TOO MUCH)?"
    found = [re.fullmatch(form, line) for line in printed]
    assert all(found), printed
    names = [match.group(1) for match in found]
    assert "an idle connection" in names and "an idle connection after a call" in names
    assert "growth over 20000 calls of octetd" in names
    assert len(names) == 11


def test_storage_table():
    header, row, latency = lines("storage_table.py")
    assert header.startswith("durable a second")
    assert re.fullmatch(r"orders, 64 +\d+ +\d+ +\d+ +[\d.]+ +(met|MISSED) +\d+ +[\d.]+ +(met|MISSED)", row)
    assert re.fullmatch(r"orders at \d+/s, half of the rate: p50 .* p99 under 10 ms: (met|MISSED)", latency)


def shape(database):
    """By table: its columns, indexes and declaration of what it is besides columns."""
    query = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    tables = {}
    for (name,) in database.execute(query).fetchall():
        columns = database.execute(f"PRAGMA table_info({name})").fetchall()
        indexes = [
            (index, unique, [column for _, _, column in database.execute(f"PRAGMA index_info({index})")])
            for _, index, unique, *_ in database.execute(f"PRAGMA index_list({name})")
        ]
        (kind,) = database.execute("SELECT ncol, wr, strict FROM pragma_table_list WHERE name = ?", (name,)).fetchall()
        tables[name] = (columns, sorted(indexes), kind)
    return tables


def test_the_c_program_fills_the_tables_of_the_storage_layer(tmp_path):
    """Otherwise their rates are of different work."""
    plain, ours = tmp_path / "plain.db", tmp_path / "ours.db"
    subprocess.run([plain_program(tmp_path), "orders", plain, "0", "64"], check=True, capture_output=True)
    options = ["--path", ours, "--seconds", "1", "--callers", "1"]
    subprocess.run([BENCH, "orders", *options], check=True, capture_output=True)
    with sqlite3.connect(plain) as plain_database, sqlite3.connect(ours) as our_database:
        theirs, known = shape(plain_database), shape(our_database)
    assert len(theirs) == 10
    assert theirs == {name: known[name] for name in theirs}
