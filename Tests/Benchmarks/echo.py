"""Unary echo of 100 bytes: octet-interop against gRPC C++, in turns, in one run.

The server is pinned to core 0 and the load generator (h2load) to core 1. What is compared is the server's CPU time per
call, which is steadier on a noisy machine than calls per second. Usage: echo.py [--rounds N] [--seconds S]
"""

import argparse
import os
import pathlib
import re
import statistics
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / ".build" / "benchmarks"
TICKS = os.sysconf("SC_CLK_TCK")
# (name, connections, streams on each)
SHAPES = (("1x1", 1, 1), ("8x32", 8, 32))


def build_peer():
    """Builds the gRPC C++ server once."""
    WORK.mkdir(parents=True, exist_ok=True)
    binary = WORK / "grpc_cpp_echo"
    source = ROOT / "Tests" / "Benchmarks" / "peers" / "grpc_cpp_echo.cc"
    if binary.exists() and binary.stat().st_mtime > source.stat().st_mtime:
        return binary
    plugin = subprocess.check_output(["which", "grpc_cpp_plugin"], text=True).strip()
    subprocess.run(
        ["protoc", f"-I{ROOT / 'Protos'}", f"--cpp_out={WORK}", f"--grpc_out={WORK}",
         f"--plugin=protoc-gen-grpc={plugin}", "bench/v1/bench.proto"],
        check=True,
    )  # fmt: skip
    flags = subprocess.check_output(["pkg-config", "--cflags", "--libs", "grpc++", "protobuf"], text=True).split()
    generated = sorted(map(str, (WORK / "bench" / "v1").glob("*.cc")))
    subprocess.run(["g++", "-O2", f"-I{WORK}", str(source), *generated, "-o", str(binary), *flags], check=True)
    return binary


def echo_request():
    """A gRPC frame with EchoRequest{payload: 100 bytes}."""
    message = b"\x0a\x64" + b"x" * 100
    return b"\x00" + struct.pack(">I", len(message)) + message


class Measured:
    """A server pinned to core 0."""

    def __init__(self, command):
        self.process = subprocess.Popen(["taskset", "-c", "0", *map(str, command)], stdout=subprocess.PIPE, text=True)
        found = re.search(r"127\.0\.0\.1:\d+", self.process.stdout.readline())
        if not found:
            self.stop()
            sys.exit(f"{command[0]} did not say where it listens")
        self.address = found.group()

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def load(server, connections, streams, seconds, body):
    """Runs h2load and returns (calls per second, server CPU in µs per call)."""
    before = server.cpu_seconds()
    output = subprocess.check_output(
        ["taskset", "-c", "1", "h2load", f"-D{seconds}", f"-c{connections}", f"-m{streams}", "-d", body,
         "-H", "content-type: application/grpc", "-H", "te: trailers",
         f"http://{server.address}/bench.v1.Bench/Echo"],
        text=True, stderr=subprocess.STDOUT,
    )  # fmt: skip
    used = server.cpu_seconds() - before
    done = int(re.search(r"(\d+) succeeded", output).group(1))
    failed = int(re.search(r"(\d+) failed", output).group(1))
    if not done or failed:
        sys.exit(f"h2load failed:\n{output}")
    return done / seconds, used / done * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    arguments = parser.parse_args()
    peers = {
        "octet": [ROOT / ".build/release/octet-interop", "--benchmark", "--loops", "1", "--listen", "127.0.0.1:0"],
        "gRPC C++": [build_peer(), "0"],
    }
    results = {}
    with tempfile.NamedTemporaryFile() as body:
        body.write(echo_request())
        body.flush()
        for _ in range(arguments.rounds):
            for name, command in peers.items():
                server = Measured(command)
                try:
                    for shape, connections, streams in SHAPES:
                        measured = load(server, connections, streams, arguments.seconds, body.name)
                        results.setdefault((shape, name), []).append(measured)
                finally:
                    server.stop()
    print("| shape | server | calls/s | server CPU, µs per call | gRPC C++ / this |")
    print("| --- | --- | ---: | ---: | ---: |")
    for shape, _, _ in SHAPES:
        reference = statistics.median(cpu for _, cpu in results[shape, "gRPC C++"])
        for name in peers:
            rate = statistics.median(rate for rate, _ in results[shape, name])
            cpu = statistics.median(cpu for _, cpu in results[shape, name])
            print(f"| {shape} | {name} | {rate:,.0f} | {cpu:.2f} | {reference / cpu:.1f} |")


if __name__ == "__main__":
    main()
