"""The scripts whose figures fill docs/benchmarks.md and the decisions, each with little to do: that they run, and what they
print. How fast anything is counts for nothing here, so those that fail by a rate may.
"""

import pathlib
import re
import subprocess
import sys

import pytest
from storage_table import BENCH

HERE = pathlib.Path(__file__).resolve().parent
NUMBER = r"[\d,]+(?:\.\d+)?"
LATENCIES = rf"p50 {NUMBER} ms, p99 {NUMBER} ms"


def lines(script, *flags, may_miss=False):
    command = [sys.executable, HERE / script, *map(str, flags)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    # A script that breaks ends with 1 as well, and has something to say on its standard error.
    assert done.returncode == 0 or may_miss and done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stdout + done.stderr
    return done.stdout.splitlines()


def assert_form(printed, *forms):
    assert len(printed) == len(forms), printed
    for line, form in zip(printed, forms):
        assert re.fullmatch(form, line), f"{line!r} is not {form!r}"


def test_growth_on_postgresql():
    printed = lines("postgres_table.py", "--growth", "--seconds", 1, "--rows", 0, 1000, 2000, "--kinds", "orders", may_miss=True)
    rates = [rf"orders, {rows} there: \d+/s" for rows in (0, 1000, 2000)]
    assert_form(printed, *rates, rf"orders: {NUMBER} of the rate with 1000; at least 0.5")


def test_rows_that_all_write():
    printed = lines("hot_rows.py", "--seconds", 1, "--rounds", 1, "--callers", 4, may_miss=True)
    forms = []
    for ways in ("one way", "both ways"):
        forms += [rf"4 callers, {ways}: libpq, {level}: \d+/s, \d+ retries/s" for level in ("READ COMMITTED", "SERIALIZABLE")]
        ours = ("storage API", "storage API, 2 nodes")
        forms += [rf"4 callers, {ways}: {way}{rows}: \d+/s, p99 \d+ ms" for way in ours for rows in ("", ", many rows")]
        for way in ours:
            forms += [rf"{way}: at least as fast as libpq: (met|MISSED)"]
            forms += [rf"{way}: keeps {NUMBER} of its rate over many rows, at least 0.25: (met|MISSED)"]
    assert_form(printed, *forms)


def assert_kinds(printed):
    kinds = [line for line in printed if re.search(rf"p50 {NUMBER} .*p99 {NUMBER} ", line)]
    assert len(kinds) >= 10, printed


@pytest.mark.parametrize("peer", [(), ("--peer",)], ids=["ours", "tsvector"])
def test_search_on_postgresql(peer):
    assert_kinds(lines("postgres_search.py", "--documents", 2000, "--queries", 5, *peer, may_miss=not peer))


@pytest.mark.parametrize("peer", [(), ("--peer", "yes")], ids=["ours", "FTS5"])
def test_search_on_sqlite(peer, tmp_path):
    flags = ["--path", tmp_path / "search.db", "--documents", "2000", "--queries", "5", "--seconds", "1"]
    assert_kinds(subprocess.check_output([BENCH, "search", *flags, *peer], text=True).splitlines())


def test_rides():
    # More than an address may register without a puzzle.
    memory, load = lines("server_figures.py", "--riders", 110, "--seconds", 1)
    assert re.fullmatch(rf"resident memory: {NUMBER} MiB idle, {NUMBER} MiB with 1000 streams", memory)
    assert re.search(r"p99", load)


def test_platform(tmp_path):
    flags = ("--seconds", 1, "--inboxes", 50, "--users", 500, "--folder", tmp_path)
    told, index, *searches, mixed = lines("platform_figures.py", *flags, "inboxes", "search")
    form = rf"one announcement to \d+ inboxes: {NUMBER} s, {NUMBER} notices/s; from .* p50 {NUMBER} s, p99 {NUMBER} s"
    assert re.fullmatch(form, told)
    assert re.fullmatch(rf"index of 50\d users: \d+ s, {NUMBER}/s", index)
    assert len(searches) == 10
    assert all(re.fullmatch(rf"search, .+: {NUMBER}/s, {LATENCIES}", line) for line in searches), searches
    assert re.fullmatch(rf"search, all kinds, 8 at a time: {NUMBER}/s, {LATENCIES}", mixed)
