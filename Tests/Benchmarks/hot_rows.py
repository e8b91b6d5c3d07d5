"""Transfers a second between two rows of PostgreSQL: the storage API beside connections of libpq that know nothing of
each other, at READ COMMITTED and at SERIALIZABLE.

Usage: hot_rows.py [--seconds S] [--rounds N] [--callers N …]

Fails unless the storage API is at least as fast as libpq at READ COMMITTED, whichever order the rows are taken in, and
keeps at least FLOOR of what it does in the same round when the transfers are between rows of many.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from support.paths import ROOT  # noqa: E402
from support.postgres import PostgreSQL  # noqa: E402

BENCH = ROOT / ".build" / "release" / "storage-bench"
MANY = 10_000
FLOOR = 0.25


def output(*command):
    return subprocess.check_output([str(part) for part in command], text=True)


def naive(program, url, arguments, callers, ways, isolation):
    done, retried = output(program, url, arguments.seconds, callers, isolation, ways).split()
    return int(done), f"{retried} retries/s"


def api(accounts, url, arguments, callers, ways):
    text = output(arguments.bench, "hot", "--path", url, "--seconds", arguments.seconds, "--callers", callers,
                  "--ways", ways, "--accounts", accounts)  # fmt: skip
    assert "failed" not in text, text
    rate, p99 = (int(re.search(pattern, text).group(1)) for pattern in (r"(\d+)/s", r"p99 (\d+) us"))
    return rate, f"p99 {p99 / 1000:.0f} ms"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--callers", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--bench", type=pathlib.Path, default=BENCH)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, PostgreSQL("fsync=on") as postgres:
        program = pathlib.Path(folder) / "hot_postgres"
        include = output("pg_config", "--includedir").strip()
        output("gcc", "-O2", "-Wall", f"-I{include}", HERE / "peers" / "hot_postgres.c", "-o", program, "-lpq", "-lpthread")
        url = postgres.make_database()
        ways_to_write = {
            "libpq, READ COMMITTED": lambda *load: naive(program, url, arguments, *load, "committed"),
            "libpq, SERIALIZABLE": lambda *load: naive(program, url, arguments, *load, "serializable"),
            "storage API": lambda *load: api(2, url, arguments, *load),
            "storage API, many rows": lambda *load: api(MANY, url, arguments, *load),
        }
        is_met = True
        for callers in arguments.callers:
            for ways in ("one", "both"):
                # In turns, so that a busy machine slows all of them.
                runs = [{name: write(callers, ways) for name, write in ways_to_write.items()} for _ in range(arguments.rounds)]
                rates = {}
                for name in ways_to_write:
                    rates[name], more = sorted(run[name] for run in runs)[arguments.rounds // 2]
                    print(f"{callers} callers, {ways} way{'s' * (ways == 'both')}: {name}: {rates[name]}/s, {more}", flush=True)
                is_fast = rates["storage API"] >= rates["libpq, READ COMMITTED"]
                print(f"the storage API is at least as fast: {'met' if is_fast else 'MISSED'}")
                kept = rates["storage API"] / rates["storage API, many rows"]
                print(f"it keeps {kept:.2f} of its rate over many rows, at least {FLOOR}: {'met' if kept >= FLOOR else 'MISSED'}")
                is_met = is_met and is_fast and kept >= FLOOR
    sys.exit(not is_met)


if __name__ == "__main__":
    main()
