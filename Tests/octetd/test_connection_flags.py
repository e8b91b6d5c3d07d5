"""octetd's flags about connections and load: each has the effect that it promises."""

import contextlib
import pathlib
import signal
import socket
import struct
import subprocess

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from support import stubs
from support.connections import PREFACE, SETTINGS, address_of, frame
from support.health import check_health
from support.people import outcome
from support.promises import TRIES, within
from support.server import BUILD, Server

PING, GOAWAY = 6, 7
ACKNOWLEDGED = 1
PATIENCE_SECONDS = 60
ECHO = "/bench.v1.Bench/Echo"
NO_RATE_LIMIT = "standard=1000000/1000000"
PROBES = 30
# Under load each takes milliseconds.
MOST_PROBES = 5000


class Frames:
    """A connection of bare frames, which answers to nothing by itself. A context manager."""

    def __init__(self, address):
        self.socket = socket.create_connection(address_of(address), timeout=PATIENCE_SECONDS)
        self.buffer = b""
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0))

    def next(self, kind):
        """Flags and payload of the next frame of a kind; None at the end of the connection."""
        while True:
            while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
                try:
                    octets = self.socket.recv(65536)
                except ConnectionResetError:
                    return None
                if not octets:
                    return None
                self.buffer += octets
            length = int.from_bytes(self.buffer[:3], "big")
            head, payload, self.buffer = self.buffer[:9], self.buffer[9 : 9 + length], self.buffer[9 + length :]
            if head[3] == kind:
                return head[4], payload

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def test_asks_silent_clients_for_a_sign_of_life_and_closes_those_that_give_none(tmp_path):
    assert any(is_asked_and_closed(tmp_path / str(number)) for number in range(TRIES)), "it is closed too early"


def is_asked_and_closed(folder):
    """False for a peer that is closed before it has answered, which is late where a machine stands still."""
    with Server(folder, "--keepalive-time", 1, "--keepalive-timeout", 2) as server, Frames(server.address) as peer:
        # One that answers is asked again.
        for answers in (True, True, False):
            if (asked := peer.next(PING)) is None:
                return False
            flags, payload = asked
            assert flags == 0
            if answers:
                try:
                    peer.socket.sendall(frame(PING, ACKNOWLEDGED, 0, payload))
                except OSError:
                    return False
        assert peer.next(PING) is None
    return True


def test_drains_connections_without_calls_and_no_others(tmp_path):
    with Server(tmp_path, "--max-connection-idle", 1, "--drain-timeout", 1) as server, server.channel() as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=PATIENCE_SECONDS)
        next(watch)
        with Frames(server.address) as idle:
            _, payload = idle.next(GOAWAY)
            assert struct.unpack(">I", payload[4:8]) == (0,)
            while idle.next(GOAWAY) is not None:
                pass
        # It is older than the other one was.
        assert watch.is_active()
        watch.cancel()


def own_address():
    """An address of this machine that is not the loopback's; None if there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Sends nothing; only looks for the way.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return probe.getsockname()[0]


def is_served(address):
    with Frames(address) as connection:
        return connection.next(SETTINGS) is not None


def test_an_address_gets_so_many_connections(tmp_path):
    own = own_address()
    if own is None:
        pytest.skip("the machine has no network")
    with Server(tmp_path, "--max-connections-per-address", 2, listen=f"{own}:0") as server:
        with Frames(server.address) as first:
            with Frames(server.address) as second:
                assert first.next(SETTINGS) is not None and second.next(SETTINGS) is not None
                with Frames(server.address) as third:
                    assert third.next(SETTINGS) is None
            # One that ends makes room, as soon as the server has seen it.
            within(PATIENCE_SECONDS, lambda: is_served(server.address), "there is no room")


def test_another_server_takes_over_at_the_same_port(tmp_path):
    with Server(tmp_path / "first", "--reuse-port", "--loops", 2) as first:
        alone = subprocess.run(
            [BUILD / "octetd", "--listen", first.address, "--data", tmp_path / "alone"], capture_output=True,
            timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip
        assert alone.returncode == 69
        with Server(tmp_path / "second", "--reuse-port", listen=first.address) as second:
            assert second.address == first.address
            first.process.send_signal(signal.SIGTERM)
            assert first.process.wait(PATIENCE_SECONDS) == 0
            with second.channel() as channel:
                assert check_health(channel) == health_pb2.HealthCheckResponse.SERVING


@contextlib.contextmanager
def overload(server, folder):
    """Far more calls than the server can answer, for as long as the body takes."""
    body = pathlib.Path(folder) / "body"
    body.write_bytes(b"\x00" + struct.pack(">I", 102) + b"\x0a\x64" + b"x" * 100)
    command = ["h2load", "-D", "600", "-t", "4", "-c", "64", "-m", "100", "-d", body]
    command += ["-H", "content-type: application/grpc", "-H", "te: trailers", f"http://{server.address}{ECHO}"]
    load = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL)
    try:
        yield
        assert load.poll() is None
    finally:
        load.kill()
        load.wait()


def echo(channel):
    messages = stubs.module("bench.v1.bench_pb2")
    method = channel.unary_unary(ECHO, messages.EchoRequest.SerializeToString, messages.EchoReply.FromString)
    return outcome(lambda: method(messages.EchoRequest(payload=b"x"), timeout=PATIENCE_SECONDS))[:2]


@pytest.mark.alone
def test_calls_are_refused_when_requests_wait_for_the_queue_delay(tmp_path):
    flags = ("--services", "identity,bench", "--rate-limits", NO_RATE_LIMIT, "--loops", 1)
    with Server(tmp_path / "data", *flags, "--queue-delay", "1ms") as server, server.channel() as channel:
        assert echo(channel) == (grpc.StatusCode.OK, None)
        with overload(server, tmp_path):
            answers = (echo(channel) for _ in range(MOST_PROBES))
            refused = next((answer for answer in answers if answer[0] != grpc.StatusCode.OK), None)
            assert refused == (grpc.StatusCode.UNAVAILABLE, "OVERLOADED")
            # Whether it is well, it says always.
            assert check_health(channel) == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.alone
def test_no_call_is_refused_without_a_queue_delay(tmp_path):
    flags = ("--services", "identity,bench", "--rate-limits", NO_RATE_LIMIT, "--loops", 1)
    with Server(tmp_path / "data", *flags, "--queue-delay", "0s") as server, server.channel() as channel:
        with overload(server, tmp_path):
            assert {echo(channel) for _ in range(PROBES)} == {(grpc.StatusCode.OK, None)}
