"""Memory of a server: for each idle connection in the clear, after a call, and under TLS, for each idle stream, after all
have gone, and after a million calls: unary ones, streams of a few messages, and those of octetd. Fails if a figure is over
its bound.

Usage: idle_connections.py [--connections N] [--calls N] [--quick]
"""

import argparse
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests"))

from support.connections import (  # noqa: E402
    address_of,
    begin_calls,
    open_at_once,
    open_encrypted,
    raise_open_files,
)
from support.server import BUILD, make_certificate  # noqa: E402

KIB = 1024
CLEAR_BOUND_KIB = 14
TLS_BOUND_KIB = 42
OPEN_BOUND_SECONDS = 2
# What may stay once all are gone, however many they were: free lists of a loop, and what the allocator cannot give back.
# A hundredth of what they took, so that a few objects which leak from each connection are seen.
REST_BOUND_KIB = 4 * KIB
GROWTH_BOUND_KIB = 4 * KIB
# Messages of a stream, each way.
MESSAGES_PER_STREAM = 4
STREAMS_PER_CONNECTION = 100
WATCH = "/grpc.health.v1.Health/Watch"
ECHO = "/bench.v1.Bench/Echo"
CHAT = "/bench.v1.Bench/Chat"
# The first field of an EchoRequest, of 100 bytes.
ECHO_REQUEST = b"\x0a\x64" + b"x" * 100
INTEROP = ("octet-interop", "--benchmark")
# With all that it does for a call by default, at a rate at which no call is refused.
OCTETD = ("octetd", "--services", "bench", "--rate-limits", "standard=1000000/1000000", "--queue-delay", "60s",
          "--log-level", "warning")


class Server:
    """A server with one loop."""

    def __init__(self, *flags, program=INTEROP):
        name, *own = program
        command = [BUILD / name, "--listen", "127.0.0.1:0", "--loops", "1", *own, *flags]
        self.process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)
        self.address = re.search(r"=(\S+)", self.process.stdout.readline()).group(1)

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def settled_kib(self, seconds):
        """The least of some seconds: memory is given back by a thread of its own."""
        end = time.monotonic() + seconds
        least = self.resident_kib()
        while time.monotonic() < end:
            time.sleep(0.1)
            least = min(least, self.resident_kib())
        return least

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Report:
    """How much is measured, and what is found."""

    def __init__(self, connections, calls, settling_seconds):
        self.connections = connections
        self.calls = calls
        # How long a server gets to give memory back.
        self.settling_seconds = settling_seconds
        self.failed = False

    def settled(self, server):
        return server.settled_kib(self.settling_seconds)

    def line(self, what, value, unit, bound):
        is_over = value > bound
        self.failed |= is_over
        print(f"{what:<44} {value:10.1f} {unit:<8} at most {bound:.1f}{'  TOO MUCH' if is_over else ''}")


def close_all(sockets):
    for connection in sockets:
        connection.close()


def warm(server):
    """What a server allocates once is not charged to connections."""
    sockets, _ = open_at_once(address_of(server.address), 50)
    begin_calls(sockets[0], WATCH, 10, b"")
    close_all(sockets)


def in_the_clear(report):
    count = report.connections
    with Server() as server:
        warm(server)
        before = server.settled_kib(1)
        sockets, seconds = open_at_once(address_of(server.address), count)
        report.line(f"opening {count} connections at once", seconds, "s", OPEN_BOUND_SECONDS)
        taken = server.resident_kib() - before
        report.line("an idle connection", taken / count, "KiB", CLEAR_BOUND_KIB)
        # What a connection keeps of a call: the tables of HPACK, which are made for the first one.
        for connection in sockets:
            begin_calls(connection, ECHO, 1, ECHO_REQUEST)
        taken = server.resident_kib() - before
        report.line("an idle connection after a call", taken / count, "KiB", CLEAR_BOUND_KIB)
        close_all(sockets)
        rest = report.settled(server) - before
        report.line("kept after all have closed", rest, "KiB", REST_BOUND_KIB)


def streams(report):
    count = report.connections
    with Server() as server:
        warm(server)
        before = server.settled_kib(1)
        sockets, _ = open_at_once(address_of(server.address), count // STREAMS_PER_CONNECTION)
        connected = server.resident_kib()
        for connection in sockets:
            begin_calls(connection, WATCH, STREAMS_PER_CONNECTION, b"")
        taken = server.resident_kib() - connected
        report.line(f"an idle stream of {count}", taken / count, "KiB", CLEAR_BOUND_KIB)
        close_all(sockets)
        rest = report.settled(server) - before
        report.line("kept after all have ended", rest, "KiB", REST_BOUND_KIB)


def encrypted(report):
    count = report.connections
    with tempfile.TemporaryDirectory() as folder:
        tls = make_certificate(pathlib.Path(folder) / "tls")
        with Server("--tls-cert", tls / "cert.pem", "--tls-key", tls / "key.pem") as server:
            close_all(open_encrypted(address_of(server.address), 50, tls / "ca.pem"))
            before = server.settled_kib(1)
            sockets = open_encrypted(address_of(server.address), count, tls / "ca.pem")
            taken = server.resident_kib() - before
            report.line(f"an idle connection under TLS, of {count}", taken / count, "KiB", TLS_BOUND_KIB)
            close_all(sockets)
            rest = report.settled(server) - before
            report.line("kept after all have closed", rest, "KiB", REST_BOUND_KIB)


def calls(report, what, path, messages=1, program=INTEROP, flags=()):
    """Calls with so many messages each way."""
    count = report.calls
    with Server(*flags, program=program) as server, tempfile.NamedTemporaryFile() as body:
        # A Chunk has its payload in the second field.
        message = ECHO_REQUEST if path == ECHO else b"\x12" + ECHO_REQUEST[1:]
        frame = b"\x00" + struct.pack(">I", len(message)) + message
        body.write(frame * messages)
        body.flush()

        def load(number):
            command = ["h2load", "-n", str(number), "-c", "8", "-m", "32", "-d", body.name]
            command += ["-H", "content-type: application/grpc", "-H", "te: trailers", f"http://{server.address}{path}"]
            output = subprocess.check_output(command, text=True)
            assert f"{number} succeeded" in output, output
            # A call that fails, or answers with less, is no measure of one that works.
            octets = int(re.search(r"\((\d+)\) data", output).group(1))
            assert octets == number * messages * len(frame), output

        load(max(count // 10, 1000))
        before = server.resident_kib()
        load(count)
        report.line(f"growth over {count} {what}", server.resident_kib() - before, "KiB", GROWTH_BOUND_KIB)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="a short look: a fiftieth of the work, and no bound counts")
    arguments = parser.parse_args()
    part = 50 if arguments.quick else 1
    report = Report(arguments.connections // part, arguments.calls // part, settling_seconds=5 / part)
    raise_open_files(report.connections)
    in_the_clear(report)
    streams(report)
    encrypted(report)
    calls(report, "calls", ECHO)
    calls(report, "streams", CHAT, messages=MESSAGES_PER_STREAM)
    with tempfile.TemporaryDirectory() as folder:
        calls(report, "calls of octetd", ECHO, program=OCTETD, flags=("--data", folder))
    sys.exit(report.failed and not arguments.quick)


if __name__ == "__main__":
    main()
