"""Durable transactions per second through the storage API, beside a plain C program that runs the same statements.

Usage: storage_table.py [--seconds S] [--quick] [--growth] [--rows N N N] [--cache-mib N] [--folder DIR]

They take turns with the same transactions as calls of a whole octetd, so that a busy machine slows all of them. Then the
latency of commits at half of the rate, over checkpoints. With --growth: the rate with none, a million and ten million
rows there (or with as many as --rows says), which are filled in once, with caches that begin each round cold and a page
cache of 64 MiB, or of as many as --cache-mib says: octetd has 256 (some minutes, and 5 GB of disk). Figures are medians of three rounds. Fails if a target is missed.
"""

import argparse
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "Tests"))

from h2load import calls  # noqa: E402

from support import bench_requests  # noqa: E402
from support.server import Server  # noqa: E402

BENCH = ROOT / ".build" / "release" / "storage-bench"
PLAIN_SOURCE = HERE / "peers" / "plain_sqlite.c"
# Batches of the C program, and callers: two batches, so that one gathers while the other one is committed.
BATCHES = {64: 128, 256: 512}
LEAST_RATIO = 0.8
# The same through octetd: connections that have as many calls under way in all as the storage API has callers.
LEAST_SERVER_RATIO = 0.6
CONNECTIONS = 8
CALLS = {"orders": ("PlaceOrder", bench_requests.order), "transfers": ("Transfer", bench_requests.transfer)}
# All that octetd does for a call, at bounds that no call meets.
UNREFUSED = ("--rate-limits", "standard=1000000/1000000", "--queue-delay", "60s")
LONGEST_P99_MS = 10
ROUNDS = 3
GROWTH = (0, 1_000_000, 10_000_000)
LEAST_GROWTH = 0.5
GROWTH_CACHE_MIB = 64


class Extent:
    """How long, how often, and which transactions."""

    def __init__(self, quick, seconds):
        self.seconds = 1 if quick else seconds
        self.rounds = 1 if quick else ROUNDS
        self.shapes = ("orders",) if quick else tuple(CALLS)
        self.batches = (64,) if quick else tuple(BATCHES)


def plain_program(folder):
    program = folder / "plain_sqlite"
    subprocess.run(["gcc", "-O2", PLAIN_SOURCE, "-o", program, "-lsqlite3"], check=True)
    return program


def run(folder, *command):
    """Runs a program with a database of its own, and returns what it says."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        path = pathlib.Path(place) / "bench.db"
        return subprocess.check_output([str(part).replace("DATABASE", str(path)) for part in command], text=True)


def medians(rounds):
    return {name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}


def figures_of(line):
    """By name: percentiles of the latency and the longest in microseconds, the rate, transactions in a commit, and more."""
    figures = {name: int(value) for name, value in re.findall(r"(p[\d.]+|max) (\d+) us", line)}
    figures["rate"] = int(re.search(r"(\d+)/s", line).group(1))
    figures["checkpoints"] = int(re.search(r"(\d+) checkpoints", line).group(1))
    figures["batch"] = float(re.search(r"([\d.]+) in a commit", line).group(1))
    return figures


def api(bench, folder, shape, seconds, **options):
    """Runs storage-bench; returns its figures, medians if it does several rounds."""
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    text = run(folder, bench, shape, "--path", "DATABASE", "--seconds", seconds, *flags)
    assert "failed" not in text, text
    return medians([figures_of(line) for line in text.splitlines() if "/s, p50" in line])


class Targets:
    """What is wanted, and what of it was missed."""

    def __init__(self):
        self.missed = []

    def mark(self, name, is_met):
        if not is_met:
            self.missed.append(name)
        return "met" if is_met else "MISSED"

    def exit(self):
        if self.missed:
            sys.exit(f"missed: {', '.join(self.missed)}")


def through_server(folder, shape, seconds, callers):
    """Transactions a second as unary calls, over cleartext HTTP/2, of an octetd with all that it does for a call."""
    method, request = CALLS[shape]
    body = folder / f"{shape}-request"
    body.write_bytes(bench_requests.framed(request()))
    with tempfile.TemporaryDirectory(dir=folder) as data:
        with Server(data, "--services", "bench", "--loops", "1", *UNREFUSED) as server:
            url = f"http://{server.address}/bench.v1.Transactions/{method}"
            return calls(url, body, seconds, CONNECTIONS, callers // CONNECTIONS)[0] / seconds


def compare(targets, bench, plain, folder, extent):
    """Beside the batches of the C program, those that the storage API makes of so many callers."""
    seconds = extent.seconds
    print(
        f"{'durable a second':<16} {'plain C':>8} {'storage API':>12} {'batch':>6} {'ratio':>6} {f'≥ {LEAST_RATIO}':>7}"
        f" {'octetd':>8} {'ratio':>6} {f'≥ {LEAST_SERVER_RATIO}':>7}"
    )
    rates = {}
    for shape in extent.shapes:
        for batch in extent.batches:
            callers = BATCHES[batch]
            rounds = []
            for _ in range(extent.rounds):
                theirs = float(run(folder, plain, shape, "DATABASE", seconds, batch))
                ours = api(bench, folder, shape, seconds, callers=callers)
                served = through_server(folder, shape, seconds, callers)
                rounds.append((theirs, ours["rate"], ours["batch"], served))
            theirs, ours, gathered, served = (statistics.median(column) for column in zip(*rounds))
            ratio = statistics.median(ours / theirs for theirs, ours, _, _ in rounds)
            server_ratio = statistics.median(served / theirs for theirs, _, _, served in rounds)
            rates[shape] = ours
            name = f"{shape}, {batch}"
            api_mark = targets.mark(f"{name} through the API", ratio >= LEAST_RATIO)
            server_mark = targets.mark(f"{name} through octetd", server_ratio >= LEAST_SERVER_RATIO)
            print(
                f"{name:<16} {theirs:>8.0f} {ours:>12.0f} {gathered:>6.0f} {ratio:>6.2f} {api_mark:>7}"
                f" {served:>8.0f} {server_ratio:>6.2f} {server_mark:>7}",
                flush=True,
            )
    return rates


def latency(targets, bench, folder, extent, rates):
    for shape, rate in rates.items():
        load = {"callers": 256, "rate": int(rate / 2)}
        figures = medians([api(bench, folder, shape, 2 * extent.seconds, **load) for _ in range(extent.rounds)])
        print(
            f"{shape} at {figures['rate']:.0f}/s, half of the rate: p50 {figures['p50'] / 1000:.1f} ms,"
            f" p99 {figures['p99'] / 1000:.1f} ms, p99.9 {figures['p99.9'] / 1000:.1f} ms over"
            f" {figures['checkpoints']:.0f} checkpoints; p99 under {LONGEST_P99_MS} ms:"
            f" {targets.mark(f'p99 of {shape}', figures['p99'] < LONGEST_P99_MS * 1000)}"
        )


def grown(bench, folder, shape, seconds, rows, options):
    load = {"callers": 256, "rows": rows, **options}
    if rows:
        return api(bench, folder, shape, seconds, rounds=ROUNDS, **load)
    # Each round begins with none.
    return medians([api(bench, folder, shape, seconds, **load) for _ in range(ROUNDS)])


def growth(targets, bench, folder, seconds, sizes, cache):
    kinds = {
        "orders": {},
        "transfers": {"requests": "v7"},
        "transfers, random request ids": {"requests": "v4"},
        "transfers, kept for ever": {"requests": "v7", "keeping": "forever"},
        "transfers, kept for ever, random request ids": {"requests": "v4", "keeping": "forever"},
    }
    for kind, options in kinds.items():
        rates = []
        for rows in sizes:
            figures = grown(bench, folder, kind.split(",")[0], seconds, rows, {"cache": cache, **options})
            rates.append(figures["rate"])
            print(f"{kind}, {rows} there: {rates[-1]:.0f}/s, {figures['batch']:.0f} in a commit", flush=True)
        ratio = rates[2] / max(1, rates[1])
        is_met = targets.mark(f"growth of {kind}", ratio >= LEAST_GROWTH)
        print(f"{kind}: {ratio:.2f} of the rate with {sizes[1]}; at least {LEAST_GROWTH}: {is_met}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a short look: a round of some, and no target counts")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--rows", type=int, nargs=3, default=GROWTH)
    parser.add_argument("--cache-mib", type=int, default=GROWTH_CACHE_MIB)
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / ".build" / "benchmarks")
    parser.add_argument("--bench", type=pathlib.Path, default=BENCH)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    targets = Targets()
    if arguments.growth:
        growth(targets, arguments.bench, arguments.folder, arguments.seconds, arguments.rows, arguments.cache_mib)
    else:
        plain = plain_program(arguments.folder)
        extent = Extent(arguments.quick, arguments.seconds)
        rates = compare(targets, arguments.bench, plain, arguments.folder, extent)
        latency(targets, arguments.bench, arguments.folder, extent, rates)
    if not arguments.quick:
        targets.exit()


if __name__ == "__main__":
    main()
