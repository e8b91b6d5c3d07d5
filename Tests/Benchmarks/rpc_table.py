"""The RPC stack beside gRPC C++, gRPC-Go, grpcio and a plain HTTP/2 server in C, in turns, in one run; a Markdown table.

Each server has one event loop and is pinned to core 0 (the peers have the threads that they make), what drives
it to core 1. What is compared is the server's CPU time, which is steadier on a noisy machine than calls per second.
docs/benchmarks.md says what the rows mean. Exit code 1 if a target other than the goal is missed, but for --quick. Usage: rpc_table.py [--quick] [--rounds N]
[--servers NAME...] [--sleepy-reader]
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests"))

from h2load import calls  # noqa: E402
from new_user import metadata_of_new_user  # noqa: E402
from peers.build import WORK, build  # noqa: E402

from support.connections import raise_open_files  # noqa: E402
from support.server import BUILD, make_certificate  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
SERVER_CORE, LOAD_CORE = "0", "1"
ECHO = "/bench.v1.Bench/Echo"
SMALL, LARGE = 100, 65_536
OCTET, OCTETD, OCTET_TLS, CONSTANT = "octet", "octetd", "octet, TLS", "nghttp2 in C"
SIGNED_IN = "octetd, signed in"
CPP, GO, GRPCIO = "gRPC C++", "gRPC-Go", "grpcio"
SERVERS = (OCTET, OCTETD, SIGNED_IN, OCTET_TLS, CONSTANT, CPP, GO, GRPCIO)
PEERS = (CPP, GO, GRPCIO)
# All that octetd does for a call, at bounds that no call meets.
UNREFUSED = ("--rate-limits", "standard=1000000/1000000", "--queue-delay", "60s")
# Messages of 100 bytes in one call, so that a call takes a fraction of a second.
SMALL_COUNT = {OCTET: 400_000, CPP: 50_000, GO: 100_000, GRPCIO: 5_000}

# (row, digits after the point); what a server has no figure for is left out.
CALLS, CPU = "echo 8×32, calls/s", "echo 8×32, server CPU, µs per call"
P50, P99 = "echo 1×1, p50, µs", "echo 1×1, p99, µs"
DOWN, DOWN_CPU = "100-byte messages down, per second", "100-byte messages down, per server CPU second"
UP, UP_CPU = "100-byte messages up, per second", "100-byte messages up, per server CPU second"
GIB_DOWN, GIB_UP = "1 GiB down, server CPU, µs per 64 KiB message", "1 GiB up, server CPU, µs per 64 KiB message"
GIB_DOWN_RATE, GIB_UP_RATE = "1 GiB down, MiB/s", "1 GiB up, MiB/s"
FAN_ONE = "fan-out, one event at a time, deliveries per server CPU second"
FAN_EIGHT = "fan-out, eight events at a time, deliveries per server CPU second"
FAN_EIGHT_RATE = "fan-out, eight events at a time, deliveries per second"
ROWS = (
    (CALLS, 0), (CPU, 2), (P50, 1), (P99, 1), (DOWN, 0), (DOWN_CPU, 0), (UP, 0), (UP_CPU, 0), (GIB_DOWN, 2),
    (GIB_DOWN_RATE, 0), (GIB_UP, 2), (GIB_UP_RATE, 0), (FAN_ONE, 0), (FAN_EIGHT, 0), (FAN_EIGHT_RATE, 0),
)  # fmt: skip


class Extent:
    """How long and how much."""

    def __init__(self, quick, rounds, download):
        self.download = download
        self.rounds = rounds or (1 if quick else 3)
        self.echo_seconds = 1 if quick else 2
        self.seconds = 0.4 if quick else 1
        self.large_count = 2048 if quick else 16_384  # of 64 KiB: 128 MiB and 1 GiB
        self.connections, self.readers = (10, 1000) if quick else (100, 10_000)


class Measured:
    """A server pinned to its core. A context manager."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            ["taskset", "-c", SERVER_CORE, *map(str, command)], stdout=subprocess.PIPE, text=True
        )
        found = re.search(r"127\.0\.0\.1:\d+", self.process.stdout.readline())
        if not found:
            self.__exit__()
            sys.exit(f"{command[0]} did not say where it listens")
        self.address = found.group()

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def h2load(server, scheme, seconds, body, metadata):
    """(calls per second, server CPU in µs per call) with 8 connections of 32 streams each."""
    before = server.cpu_seconds()
    url, pinned = f"{scheme}://{server.address}{ECHO}", ("taskset", "-c", LOAD_CORE)
    done, octets = calls(url, body, seconds, 8, 32, *pinned, metadata=metadata)
    used = server.cpu_seconds() - before
    # An answer is as long as the request.
    if octets < done * pathlib.Path(body).stat().st_size:
        sys.exit(f"{server.address} did not echo: {octets} octets for {done} calls")
    return done / seconds, used / done * 1e6


def drive(server, *arguments):
    """What stream_load reports, with `cpu`: the server's CPU seconds from when it begins to measure."""
    command = ["taskset", "-c", LOAD_CORE, WORK / "stream_load", server.address, *arguments]
    with subprocess.Popen(
        [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as load:
        if load.stdout.readline() != "ready\n":
            sys.exit(f"failed: {' '.join(map(str, command))}")
        before = server.cpu_seconds()
        load.stdin.write("go\n")
        load.stdin.flush()
        line = load.stdout.readline()
        used = server.cpu_seconds() - before
    if load.returncode or not line:
        sys.exit(f"failed: {' '.join(map(str, command))}")
    return json.loads(line) | {"cpu": max(used, 1 / TICKS)}


def measure_echo(server, extent, name, body):
    scheme = "https" if name == OCTET_TLS else "http"
    metadata = metadata_of_new_user(server.address) if name == SIGNED_IN else ()
    lines = [f"{key}: {value}" for key, value in metadata]
    rate, cpu = h2load(server, scheme, extent.echo_seconds, body, lines)
    return {CALLS: rate, CPU: cpu}


def measure_latency(server, extent):
    found = drive(server, "echo", extent.seconds)
    return {P50: found["p50"], P99: found["p99"]}


def measure_streams(server, extent, small_count):
    figures = {}
    for mode, rate, per_cpu in ((extent.download, DOWN, DOWN_CPU), ("upload", UP, UP_CPU)):
        found = drive(server, mode, small_count, SMALL, extent.seconds)
        figures[rate] = found["messages"] / found["seconds"]
        figures[per_cpu] = found["messages"] / found["cpu"]
    for mode, rate, per_message in ((extent.download, GIB_DOWN_RATE, GIB_DOWN), ("upload", GIB_UP_RATE, GIB_UP)):
        found = drive(server, mode, extent.large_count, LARGE, 0)
        figures[rate] = found["messages"] * LARGE / found["seconds"] / (1 << 20)
        figures[per_message] = found["cpu"] / found["messages"] * 1e6
    return figures


def measure_fan_out(server, extent):
    figures = {}
    for ahead, per_cpu, rate in ((1, FAN_ONE, None), (8, FAN_EIGHT, FAN_EIGHT_RATE)):
        found = drive(server, "fanout", extent.connections, extent.readers, ahead, extent.seconds)
        figures[per_cpu] = found["messages"] / found["cpu"]
        if rate:
            figures[rate] = found["messages"] / found["seconds"]
    return figures


def one_round(commands, extent, body):
    """{(row, server): figure}; every part has a process of its own, so that none has another's memory."""
    parts = [(name, measure_echo, (name, body)) for name in SERVERS]
    parts += [(name, measure_latency, ()) for name in (OCTET, *PEERS)]
    parts += [(name, measure_streams, (SMALL_COUNT[name],)) for name in (OCTET, *PEERS)]
    parts += [(name, measure_fan_out, ()) for name in (OCTET, CPP, GO)]
    figures = {}
    for name, measure, arguments in parts:
        if name not in commands:
            continue
        with Measured(commands[name]) as server:
            for row, figure in measure(server, extent, *arguments).items():
                figures[row, name] = figure
    return figures


def table(figures, servers):
    lines = [f"| measure | {' | '.join(servers)} |", f"| --- |{' ---: |' * len(servers)}"]
    for row, digits in ROWS:
        cells = [f"{figures[row, name]:,.{digits}f}" if (row, name) in figures else "" for name in servers]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines)


# A goal that is not reached yet; its miss is printed and fails nothing.
GOAL = "echo 8×32: octetd's CPU per call at most a fifth of gRPC-Go's"
# (what is wanted, row, server, the best of which servers it is measured by, the ratio, whether that is the least)
TARGETS = (
    ("echo 8×32: octetd's CPU per call at most a fifth of gRPC C++'s", CPU, OCTETD, (CPP,), 0.2, False),
    (GOAL, CPU, OCTETD, (GO,), 0.2, False),
    ("echo 8×32: octetd's CPU per call at most twice nghttp2's", CPU, OCTETD, (CONSTANT,), 2, False),
    ("echo 8×32 under TLS: at most 1.4 times our cleartext", CPU, OCTET_TLS, (OCTET,), 1.4, False),
    ("echo 1×1: p50 no worse than the best peer", P50, OCTET, PEERS, 1, False),
    ("echo 1×1: p99 no worse than the best peer", P99, OCTET, PEERS, 1, False),
    *((f"{row}: ahead of every peer", row, OCTET, PEERS, 1, True) for row in (DOWN_CPU, UP_CPU)),
    *((f"{row}: less than every peer", row, OCTET, PEERS, 1, False) for row in (GIB_DOWN, GIB_UP)),
    *((f"{row}: at least five times gRPC-Go's", row, OCTET, (GO,), 5, True) for row in (FAN_ONE, FAN_EIGHT)),
)


def targets(figures):
    """A line for each target whose servers were measured, and whether it fails the run."""
    for sentence, row, name, others, bound, at_least in TARGETS:
        known = [figures[row, other] for other in others if (row, other) in figures]
        if (row, name) not in figures or not known:
            continue
        ratio = figures[row, name] / (max(known) if at_least else min(known))
        is_met = ratio >= bound if at_least else ratio <= bound
        wanted = f"{'at least' if at_least else 'at most'} {bound:g}"
        line = f"- target {sentence}: {'met' if is_met else 'missed'} (ratio {ratio:.2f}, wanted {wanted})"
        yield line, not is_met and sentence != GOAL


def machine(servers):
    """What the figures depend on."""
    words = lambda *command: subprocess.check_output(command, text=True, stderr=subprocess.STDOUT).split("\n")  # noqa: E731
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text()).group(1)
    gib = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text()).group(1)) / (1 << 20)
    system = re.search(r'PRETTY_NAME="(.*)"', pathlib.Path("/etc/os-release").read_text()).group(1)
    swift = next(line for line in words("swift", "--version") if "Swift version" in line)
    versions = [swift, words("g++", "--version")[0]]
    if CPP in servers:
        versions.append(f"gRPC C++ {words('pkg-config', '--modversion', 'grpc++')[0]}")
    if GO in servers:
        go = words("dpkg-query", "-W", "-f", "${Version}", "golang-google-grpc-dev")[0]
        versions.append(f"gRPC-Go {go}, {words('go', 'version')[0]}")
    if GRPCIO in servers:
        versions.append(f"grpcio {words(sys.executable, '-c', 'import grpc; print(grpc.__version__)')[0]}")
    versions += [f"nghttp2 {words('pkg-config', '--modversion', 'libnghttp2')[0]}", words("openssl", "version")[0]]
    return "\n".join((
        f"{os.cpu_count()} cores ({model}), {gib:.0f} GiB, {system}, Linux {os.uname().release}.",
        "; ".join(versions) + ".",
        f"Load of the machine before the run: {os.getloadavg()[0]:.2f}.",
    ))  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short look: one round, a tenth of the work")
    parser.add_argument("--rounds", type=int, help="3 by default")
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=SERVERS, help="all by default")
    parser.add_argument("--sleepy-reader", action="store_true", help="who reads what goes down sleeps until it comes")
    arguments = parser.parse_args()
    extent = Extent(arguments.quick, arguments.rounds, "sleepy-download" if arguments.sleepy_reader else "download")
    raise_open_files(4096)
    servers = [name for name in SERVERS if name in arguments.servers]
    description = machine(servers)
    generated = build(cpp=CPP in servers, go=GO in servers)
    octet = [BUILD / "octet-interop", "--benchmark", "--loops", "1", "--listen", "127.0.0.1:0"]
    octetd = [BUILD / "octetd", "--loops", "1", "--listen", "127.0.0.1:0", *UNREFUSED]
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        message = b"\x0a\x64" + b"x" * SMALL  # EchoRequest{payload: 100 bytes}
        body = folder / "echo"
        body.write_bytes(b"\x00" + struct.pack(">I", len(message)) + message)
        tls = make_certificate(folder / "tls")
        commands = {
            OCTET: octet,
            OCTET_TLS: [*octet, "--tls-cert", tls / "cert.pem", "--tls-key", tls / "key.pem"],
            CONSTANT: [WORK / "nghttp2_constant"],
            OCTETD: [*octetd, "--services", "bench", "--data", folder / "data"],
            SIGNED_IN: [*octetd, "--services", "bench,identity", "--data", folder / "data-of-users"],
            CPP: [WORK / "grpc_cpp_server", "0"],
            GO: [WORK / "grpc_go_server", "0"],
            GRPCIO: [sys.executable, ROOT / "Tests/Benchmarks/peers/grpcio_server.py", generated],
        }
        commands = {name: commands[name] for name in servers}
        rounds = [one_round(commands, extent, body) for _ in range(extent.rounds)]
    figures = {key: statistics.median(figures[key] for figures in rounds) for key in rounds[0]}
    print(f"{description}\nMedians of {extent.rounds} round{'s' * (extent.rounds > 1)}, the servers in turns; "
          f"{extent.large_count * LARGE >> 20} MiB for the rows of 1 GiB, "
          f"{extent.readers:,} streams on {extent.connections} connections for fan-out.\n")  # fmt: skip
    print(table(figures, servers), end="\n\n")
    lines = list(targets(figures))
    print("\n".join(line for line, _ in lines))
    # A short look shows that everything works, not how fast.
    sys.exit(not arguments.quick and any(fails for _, fails in lines))


if __name__ == "__main__":
    main()
