"""Search over many documents on PostgreSQL, with a server of its own as docs/adr/0016 describes it: it syncs its log, and has
512 MB of shared buffers. Fails if the 99th percentile of a kind of query is above 20 ms.

Usage: postgres_search.py [--bench PROGRAM] [--documents N] [--queries N] [--peer]

With --peer: tsvector with GIN in place of the index, without a target.
"""

import argparse
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from support.paths import ROOT  # noqa: E402
from support.postgres import PostgreSQL  # noqa: E402

LONGEST_P99_MS = 20


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=pathlib.Path, default=ROOT / ".build" / "release" / "storage-bench")
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--peer", action="store_true")
    arguments = parser.parse_args()
    target = ["--peer", "yes"] if arguments.peer else ["--longest-p99", str(LONGEST_P99_MS)]
    with PostgreSQL("fsync=on", "shared_buffers=512MB") as postgres:
        command = [arguments.bench, "search", "--path", postgres.make_database(), *target]
        command += ["--documents", str(arguments.documents), "--queries", str(arguments.queries)]
        sys.exit(subprocess.run(command).returncode)


if __name__ == "__main__":
    main()
