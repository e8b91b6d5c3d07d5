"""Durable ride requests per second, and the memory of an idle octetd and of one with 1,000 open streams.

Usage: server_figures.py [--riders N] [--seconds S]
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests"))

from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: E402

from support.notices import FLAGS  # noqa: E402
from support.server import BUILD, Server  # noqa: E402

STREAMS = 1000
STREAMS_PER_CONNECTION = 50


def resident_mib(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024


def open_streams(server):
    """1,000 health watches, each having received its first message, over 20 connections."""
    import grpc

    watches = []
    for number in range(STREAMS // STREAMS_PER_CONNECTION):
        options = [("grpc.use_local_subchannel_pool", 1), ("octet.connection", number)]
        stub = health_pb2_grpc.HealthStub(grpc.insecure_channel(server.address, options))
        watches += [stub.Watch(health_pb2.HealthCheckRequest()) for _ in range(STREAMS_PER_CONNECTION)]
    for watch in watches:
        next(watch)
    return watches


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--riders", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        with Server(pathlib.Path(folder) / "memory", "--drain-timeout", "1") as server:
            idle = resident_mib(server.process)
            watches = open_streams(server)
            print(f"resident memory: {idle:.1f} MiB idle, {resident_mib(server.process):.1f} MiB with {STREAMS} streams")
            for watch in watches:
                watch.cancel()
        with Server(pathlib.Path(folder) / "rides", *FLAGS) as server:
            command = [BUILD / "house-load", "rides", server.address, arguments.riders, arguments.seconds]
            print(subprocess.check_output([str(part) for part in command], text=True).strip())


if __name__ == "__main__":
    main()
