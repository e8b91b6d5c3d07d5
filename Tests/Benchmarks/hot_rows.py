"""Transfers a second between two rows of PostgreSQL: the storage API beside connections of libpq that know nothing of
each other, at READ COMMITTED and at SERIALIZABLE. The callers of the storage API share out among so many processes, each a
node, as --nodes says.

Usage: hot_rows.py [--seconds S] [--rounds N] [--callers N …] [--nodes N …]

Fails unless the storage API is at least as fast as libpq at READ COMMITTED, whichever order the rows are taken in and
however many nodes write them, and keeps at least FLOOR of what it does in the same round when the transfers are between
rows of many.
"""

import argparse
import concurrent.futures
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
MANY_ROWS = ", many rows"
FLOOR = 0.25


def output(*command):
    return subprocess.check_output([str(part) for part in command], text=True)


def naive(program, url, arguments, callers, ways, isolation):
    done, retried = output(program, url, arguments.seconds, callers, isolation, ways).split()
    return int(done), f"{retried} retries/s"


def api(accounts, nodes, url, arguments, callers, ways):
    command = [arguments.bench, "hot", "--path", url, "--seconds", arguments.seconds, "--callers", callers // nodes,
               "--ways", ways, "--accounts", accounts]  # fmt: skip
    with concurrent.futures.ThreadPoolExecutor(nodes) as pool:
        texts = list(pool.map(lambda _: output(*command), range(nodes)))
    assert not any("failed" in text for text in texts), texts
    rates, p99s = ([int(re.search(pattern, text).group(1)) for text in texts] for pattern in (r"(\d+)/s", r"p99 (\d+) us"))
    return sum(rates), f"p99 {max(p99s) / 1000:.0f} ms"


def name(nodes):
    return "storage API" if nodes == 1 else f"storage API, {nodes} nodes"


def judge(way, rates):
    is_fast = rates[way] >= rates["libpq, READ COMMITTED"]
    print(f"{way}: at least as fast as libpq: {'met' if is_fast else 'MISSED'}")
    kept = rates[way] / max(1, rates[way + MANY_ROWS])
    print(f"{way}: keeps {kept:.2f} of its rate over many rows, at least {FLOOR}: {'met' if kept >= FLOOR else 'MISSED'}")
    return is_fast and kept >= FLOOR


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--callers", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2])
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
        }
        for nodes in arguments.nodes:
            ways_to_write[name(nodes)] = lambda *load, nodes=nodes: api(2, nodes, url, arguments, *load)
            ways_to_write[name(nodes) + MANY_ROWS] = lambda *load, nodes=nodes: api(MANY, nodes, url, arguments, *load)
        is_met = True
        for callers in arguments.callers:
            for ways in ("one", "both"):
                # In turns, so that a busy machine slows all of them.
                runs = [{way: write(callers, ways) for way, write in ways_to_write.items()} for _ in range(arguments.rounds)]
                rates = {}
                for way in ways_to_write:
                    rates[way], more = sorted(run[way] for run in runs)[arguments.rounds // 2]
                    print(f"{callers} callers, {ways} way{'s' * (ways == 'both')}: {way}: {rates[way]}/s, {more}", flush=True)
                for nodes in arguments.nodes:
                    is_met = judge(name(nodes), rates) and is_met
    sys.exit(not is_met)


if __name__ == "__main__":
    main()
