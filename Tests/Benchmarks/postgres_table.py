"""Durable transactions per second on PostgreSQL through the storage API, by connections and transactions that share a
commit, with a server of its own that syncs its log.

Usage: postgres_table.py [--seconds S] [--bench PROGRAM …] [--pooler] [--growth] [--rows N N N] [--kinds KIND …]

Figures are medians of three rounds.

Several programs (builds of storage-bench) take turns, so that a busy machine slows all of them. With --pooler: through
PgBouncer, with a session for each client and with one for each transaction, where statements cannot stay prepared. With
--growth: the rate with none, a million and ten million rows there (or with as many as --rows says), of all kinds or of those
that --kinds names. The rows are filled in once; before each round the server is started again, with none of its files in the
system's memory. Fails if the last is below half of the second.
"""

import argparse
import functools
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from support.paths import ROOT  # noqa: E402
from support.pooler import pooler  # noqa: E402
from support.postgres import PostgreSQL, name_of  # noqa: E402

BENCH = ROOT / ".build" / "release" / "storage-bench"
ROUNDS = 3
SHAPES = ("orders", "transfers")
# Callers, connections and transactions that may share a commit.
DEFAULT_LOAD = (256, 4, 64)
LOADS = ((1, 1, 1), (256, 1, 1), (256, 8, 1), (256, 1, 64), DEFAULT_LOAD, (256, 8, 64), (256, 16, 64))
# Of a pooler: enough for all connections of a load, four of which read, as one that has a session keeps it.
SESSIONS = 24
GROWTH = (0, 1_000_000, 10_000_000)
GROWTH_KINDS = {
    "orders": ("orders", ()),
    "transfers": ("transfers", ("--requests", "v7")),
    "transfers, random request ids": ("transfers", ("--requests", "v4")),
    "transfers, kept for ever": ("transfers", ("--requests", "v7", "--keeping", "forever")),
    "transfers, kept for ever, random request ids": ("transfers", ("--requests", "v4", "--keeping", "forever")),
}
START_SECONDS = 300
LEAST_OF_GROWTH = 0.5


def measure(bench, url, shape, seconds, callers, writers, batch, rows=0, rounds=1, more=(), forget=None):
    """The rate, and the 99th percentile of the latency in milliseconds: medians of the rounds on one database.

    `forget` is called when the rows are there, before each round.
    """
    options = {"path": url, "seconds": seconds, "callers": callers, "writers": writers, "batch": batch, "rows": rows}
    options |= {"rounds": rounds}
    flags = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    if forget:
        flags += ["--forget", "ask"]
    command = [str(bench), shape, *flags, *more]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        text = ""
        for line in process.stdout:
            text += line
            if line == "forget\n":
                forget()
                process.stdin.write("\n")
                process.stdin.flush()
    assert process.returncode == 0 and "failed" not in text, text
    assert text.count("forget\n") == (rounds if forget and rows else 0), text
    found = re.findall(r": (\d+)/s, .*p99 (\d+) us", text)
    assert len(found) == rounds, text
    rates, p99s = zip(*found)
    return statistics.median(map(int, rates)), statistics.median(map(int, p99s)) / 1000


def forget_all(postgres):
    """Nothing of the database is in memory afterwards, neither the server's nor the system's."""
    postgres.run("CHECKPOINT")
    begun = postgres.run("SELECT pg_postmaster_start_time()")
    postgres.kill()
    deadline = time.monotonic() + START_SECONDS
    is_ready = ["pg_isready", "-q", "-h", postgres.folder, "-p", str(postgres.port)]
    while subprocess.run(is_ready).returncode != 0:
        assert time.monotonic() < deadline, "the server did not come back"
        time.sleep(0.1)
    assert postgres.run("SELECT pg_postmaster_start_time()") != begun
    for file in (pathlib.Path(postgres.folder) / "data" / "base").rglob("*"):
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def rounds(ways, shape, seconds, load):
    """Medians of each way, which take turns: ways are pairs of a program and a URL."""
    runs = [[measure(bench, url, shape, seconds, *load) for bench, url in ways] for _ in range(ROUNDS)]
    return [tuple(map(statistics.median, zip(*way))) for way in zip(*runs)]


def table(names, ways, seconds):
    print("| callers, connections × batch | " + " | ".join(f"{shape}: {name}" for shape in SHAPES for name in names) + " |")
    print("| --- |" + " ---: |" * (len(SHAPES) * len(names)))
    for load in LOADS:
        cells = [f"{rate:,.0f}/s, {p99:.0f} ms" for shape in SHAPES for rate, p99 in rounds(ways, shape, seconds, load)]
        print(f"| {load[0]}, {load[1]} × {load[2]} | " + " | ".join(cells) + " |", flush=True)


def grown(bench, postgres, shape, seconds, rows, more):
    """The rate with so many rows there."""
    if rows:
        url = postgres.make_database()
        forget = functools.partial(forget_all, postgres)
        rate, _ = measure(bench, url, shape, seconds, *DEFAULT_LOAD, rows=rows, rounds=ROUNDS, more=more, forget=forget)
        postgres.run(f"DROP DATABASE {name_of(url)}")
        return rate
    # Each round begins with none.
    urls = [postgres.make_database() for _ in range(ROUNDS)]
    rates = [measure(bench, url, shape, seconds, *DEFAULT_LOAD, more=more)[0] for url in urls]
    for url in urls:
        postgres.run(f"DROP DATABASE {name_of(url)}")
    return statistics.median(rates)


def growth(bench, postgres, seconds, sizes, kinds):
    is_met = True
    for kind in kinds:
        shape, more = GROWTH_KINDS[kind]
        rates = []
        for rows in sizes:
            rates.append(grown(bench, postgres, shape, seconds, rows, more))
            print(f"{kind}, {rows} there: {rates[-1]:.0f}/s", flush=True)
        ratio = rates[2] / max(1, rates[1])
        is_met = is_met and ratio >= LEAST_OF_GROWTH
        print(f"{kind}: {ratio:.2f} of the rate with {sizes[1]}; at least {LEAST_OF_GROWTH}")
    return is_met


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--bench", type=pathlib.Path, nargs="+", default=[BENCH])
    parser.add_argument("--pooler", action="store_true")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--rows", type=int, nargs=3, default=GROWTH)
    parser.add_argument("--kinds", nargs="+", choices=GROWTH_KINDS, default=list(GROWTH_KINDS))
    arguments = parser.parse_args()
    with PostgreSQL("fsync=on") as postgres:
        if arguments.growth:
            sys.exit(not growth(arguments.bench[0], postgres, arguments.seconds, arguments.rows, arguments.kinds))
        url = postgres.make_database()
        if not arguments.pooler:
            table([bench.name for bench in arguments.bench], [(bench, url) for bench in arguments.bench], arguments.seconds)
            return
        name = name_of(url)
        with pooler(postgres, "session", SESSIONS) as kept, pooler(postgres, "transaction", SESSIONS) as lost:
            ways = [(arguments.bench[0], place) for place in (url, kept(name), lost(name))]
            table(["direct", "a session each", "a session for each transaction"], ways, arguments.seconds)


if __name__ == "__main__":
    main()
