"""What the platform does in a second: logins, refreshes, uploads, notices to all inboxes, searches among all users.

Usage: platform_figures.py [--seconds S] [--inboxes N] [--users N] [--folder DIR] [PART…]

The parts are sessions, uploads, inboxes and search; all of them by default. One octetd on SQLite and its callers share the
machine. The folder is for the databases, on the disk that is measured. Inboxes and users beyond a handful come by rows of
`identity_users` that are copied with the server stopped: to register them would take their passwords' hashes, a tenth of a
second each.
"""

import argparse
import json
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests"))

from support import notices, stubs  # noqa: E402
from support.people import Person, request_id  # noqa: E402
from support.server import BUILD, Server  # noqa: E402

SEARCH = "octet.search.v1.SearchService"
QUERIES = 300
ROWS_PER_TRANSACTION = 10_000
NANOSECONDS = 1_000_000_000
# An access token is good for ten minutes.
TOKEN_SECONDS = 300


def load(kind, server, callers, seconds, lines=None):
    """What house-load prints."""
    command = [BUILD / "house-load", kind, server.address, callers, seconds]
    output = subprocess.check_output([str(part) for part in command], text=True, input=lines)
    return json.loads(output)


def tell(name, figures, unit="calls_per_s"):
    rate = figures[unit]
    p50, p99 = figures["p50_us"] / 1000, figures["p99_us"] / 1000
    suffix = {"calls_per_s": "/s", "mib_per_s": " MiB/s"}[unit]
    print(f"{name}: {rate:,.0f}{suffix}, p50 {p50:.1f} ms, p99 {p99:.1f} ms", flush=True)


def sessions(folder, arguments):
    with Server(folder, *notices.FLAGS) as server:
        for callers in (1, 8):
            tell(f"logins, {callers} at a time", load("login", server, callers, arguments.seconds))
        for callers in (1, 64):
            tell(f"refreshes, {callers} at a time", load("refresh", server, callers, arguments.seconds))


def uploads(folder, arguments):
    with Server(folder, *notices.FLAGS) as server:
        for callers in (1, 4):
            figures = load("upload", server, callers, arguments.seconds)
            tell(f"uploads of 64 MiB, {callers} at a time", figures, "mib_per_s")


def copy_users(folder, profiles):
    """Makes a user per profile, (display name, about), as copies of `the_last_one`, whose id is after all of theirs."""
    with Server(folder, *notices.FLAGS) as server, server.channel() as channel:
        Person(channel, "the_last_one")
    database = sqlite3.connect(folder / "octet.db")
    columns = [row[1] for row in database.execute("PRAGMA table_info(identity_users)")]
    found = database.execute("SELECT * FROM identity_users WHERE handle_key = 'the_last_one'").fetchone()
    model = dict(zip(columns, found))
    insert = f"INSERT INTO identity_users ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    for number, (name, about) in enumerate(profiles, 1):
        handle = f"user_{number}"
        copy = model | {
            "id": model["id"] - number,
            "handle": handle,
            "handle_key": handle,
            "display_name": name,
            "about": about,
        }
        database.execute(insert, [copy[column] for column in columns])
        if number % ROWS_PER_TRANSACTION == 0:
            database.commit()
    database.commit()
    database.close()


def inboxes(folder, arguments):
    copy_users(folder, ((f"User {number}", "") for number in range(arguments.inboxes)))
    with Server(folder, *notices.FLAGS) as server, server.channel() as channel:
        last = Person(channel, "the_last_one", register=False)
        watch = last.stream(f"{notices.SERVICE}/WatchInbox", notices.notify.WatchInboxRequest(), timeout=600)
        next(watch)
        request = notices.notify.AnnounceRequest(request_id=request_id())
        request.segment.everyone.SetInParent()
        request.texts.add(language="en", title="To all", text="One event for every inbox.")
        admin = notices.staff(channel)
        begun_at, start = time.time(), time.monotonic()
        notices.call(admin, "Announce", request)
        # Members are told by their ids in order.
        while next(watch).WhichOneof("event") != "notice":
            pass
        took = time.monotonic() - start
        watch.cancel()
    database = sqlite3.connect(folder / "octet.db")
    told_at = [row[0] for row in database.execute("SELECT created_at FROM notify_inbox ORDER BY created_at")]
    told = len(told_at)
    assert told > arguments.inboxes, f"only {told} were told"
    p50, p99 = (told_at[told * part // 100] / NANOSECONDS - begun_at for part in (50, 99))
    print(
        f"one announcement to {told:,} inboxes: {took:.1f} s, {told / took:,.0f} notices/s;"
        f" from the call to a notice's transaction p50 {p50:.1f} s, p99 {p99:.1f} s",
        flush=True,
    )


def corpus(documents, queries):
    command = [BUILD / "storage-bench", "corpus", "--documents", documents, "--queries", queries]
    with subprocess.Popen([str(part) for part in command], text=True, stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            yield line.rstrip("\n").split("\t")


def await_rest(server):
    """Until the server has nothing left to do: merging goes on after an index was built."""

    def ticks():
        return sum(map(int, pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().split(")")[1].split()[11:13]))

    while True:
        before = ticks()
        time.sleep(3)
        if ticks() - before < 60:
            return


def search(folder, arguments):
    service = stubs.module("octet.search.v1.search_service_pb2")
    copy_users(folder, corpus(arguments.users, 0))
    kinds = {}
    for kind, line in corpus(0, QUERIES):
        kinds.setdefault(kind, []).append(line)
    with Server(folder, *notices.FLAGS) as server, server.channel() as channel:
        ops = Person(channel, "demo_ops", notices.DEMO_PASSWORD, register=False)
        start = signed_in = time.monotonic()
        ops.call(f"{SEARCH}/Reindex", service.ReindexRequest(request_id=request_id()))
        state = None
        while state is None or state.HasField("rebuild"):
            time.sleep(1)
            if time.monotonic() - signed_in > TOKEN_SECONDS:
                signed_in = time.monotonic()
                ops = Person(channel, "demo_ops", notices.DEMO_PASSWORD, register=False)
            state = ops.call(f"{SEARCH}/GetIndexState", service.GetIndexStateRequest())
        took = time.monotonic() - start
        print(f"index of {state.documents:,} users: {took:.0f} s, {state.documents / took:,.0f}/s", flush=True)
        await_rest(server)
        for kind, lines in kinds.items():
            tell(f"search, {kind}", load("search", server, 1, arguments.seconds, "\n".join(lines)))
        mixed = "\n".join(line for group in zip(*kinds.values()) for line in group)
        tell("search, all kinds, 8 at a time", load("search", server, 8, arguments.seconds, mixed))


PARTS = {"sessions": sessions, "uploads": uploads, "inboxes": inboxes, "search": search}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--inboxes", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / ".build" / "benchmarks")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for part in arguments.parts or PARTS:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            PARTS[part](pathlib.Path(folder) / "data", arguments)


if __name__ == "__main__":
    main()
