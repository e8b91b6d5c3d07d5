"""Attacks from several connections at once, while a well-behaved client calls: it is answered, and the server is left
with the memory, descriptors and threads that it had."""

import os
import pathlib
import select
import socket
import threading
import time

import grpc
import pytest
from attacks import ATTACKS, ENDING, GREETING, INPUT, UNARY
from support.connections import PREFACE, address_of, open_at_once, raise_open_files
from support.raw import RawClient, frame
from support.server import Server

ATTACKERS = 3
ATTACK_SECONDS = 0.5
# How much longer an attacker goes on that the server is to hang up on.
PATIENCE_SECONDS = 20
PAUSE_SECONDS = 0.02
# Every good call is answered within this, whatever others do.
ANSWER_SECONDS = 2
# How soon what the attackers held must be free again.
RECOVERY_SECONDS = 10
# Beyond what the server had before the first attack. Under attack: buffers of the sockets, answers that wait, requests
# that are not whole. Afterwards: what malloc keeps.
PEAK_BYTES = 256 << 20
LEFT_BYTES = 64 << 20
# Swift's pool has up to one for each processor, and lets them go when there is nothing to do.
POOL_THREADS = os.cpu_count()
# Answers have a time limit.
pytestmark = pytest.mark.alone
# Of the server whose slow bodies are tried.
MESSAGE_PERIOD_SECONDS = 1
SLOW_BODIES = 20
IDLE_CONNECTIONS = 10_000
IDLE_CONNECTION_BYTES = 14 << 10
ANSWER_BYTES = 1024


class Watched:
    """A server with one good client, and what it holds."""

    def __init__(self, server, channel):
        self.server = server
        self.proc = pathlib.Path("/proc") / str(server.process.pid)
        self.method = channel.unary_unary(UNARY)
        self.slowest = 0
        self.call()
        self.rss, self.threads, self.files = self.held()

    def held(self):
        status = dict(line.split(":", 1) for line in (self.proc / "status").read_text().splitlines())
        files = len(list((self.proc / "fd").iterdir()))
        return int(status["VmRSS"].split()[0]) << 10, int(status["Threads"]), files

    def call(self):
        # SimpleRequest.response_size = 1024
        start = time.monotonic()
        assert len(self.method(b"\x10\x80\x08", timeout=ANSWER_SECONDS)) > ANSWER_BYTES
        self.slowest = max(self.slowest, time.monotonic() - start)

    def check_recovery(self, kept=LEFT_BYTES):
        """The connections of the attackers are gone, and with them all that they held."""
        deadline = time.monotonic() + RECOVERY_SECONDS
        while True:
            self.call()
            rss, threads, files = self.held()
            has_recovered = (
                rss <= self.rss + kept and files <= self.files and threads <= self.threads + POOL_THREADS
            )
            if has_recovered or time.monotonic() > deadline:
                break
            # A thing to wait for that costs nothing: the server's next answer after a while.
            select.select([], [], [], PAUSE_SECONDS)
        assert files <= self.files
        assert threads <= self.threads + POOL_THREADS
        assert rss <= self.rss + kept


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("unused"), "--loops", "1", program="octet-interop") as server:
        with grpc.insecure_channel(server.address) as channel:
            yield Watched(server, channel)


class Attacker(threading.Thread):
    """Attacks over one connection after the other until the time is over, and it has lost one if it is to lose any."""

    def __init__(self, address, attack, until, is_ended, greeting=GREETING):
        super().__init__()
        self.address, self.attack, self.until, self.greeting = address, attack, until, greeting
        self.is_ended = is_ended
        self.connections = 0
        self.hang_ups = 0

    def is_over(self):
        patience = PATIENCE_SECONDS if self.is_ended and self.hang_ups == 0 else 0
        return time.monotonic() > self.until + patience

    def run(self):
        while not self.is_over():
            self.connections += 1
            with socket.create_connection(self.address, timeout=ANSWER_SECONDS) as connection:
                try:
                    self.use(connection)
                except TimeoutError:
                    continue
                except OSError:
                    self.hang_ups += 1

    def use(self, connection):
        connection.sendall(self.greeting)
        for chunk in self.attack():
            if self.is_over():
                return
            if chunk is not None:
                connection.sendall(chunk)
            # Answers are read when they are there, as long as there are any.
            while select.select([connection], [], [], PAUSE_SECONDS if chunk is None else 0)[0]:
                if not connection.recv(1 << 16):
                    self.hang_ups += 1
                    return
                if self.is_over():
                    return
        # All is said: until the server ends it.
        while not self.is_over():
            if select.select([connection], [], [], PAUSE_SECONDS)[0] and not connection.recv(1 << 16):
                self.hang_ups += 1
                return


def run(watched, attack, is_ended=False, greeting=GREETING):
    """Attacks, and calls meanwhile. If the attack `is_ended`, the server hangs up on each attacker at least once."""
    watched.slowest, calls, peak = 0, 0, 0
    until = time.monotonic() + ATTACK_SECONDS
    address = address_of(watched.server.address)
    attackers = [Attacker(address, attack, until, is_ended, greeting) for _ in range(ATTACKERS)]
    for attacker in attackers:
        attacker.start()
    while any(attacker.is_alive() for attacker in attackers):
        watched.call()
        calls += 1
        peak = max(peak, watched.held()[0])
    for attacker in attackers:
        attacker.join()
    print(f"{calls} calls, the slowest {watched.slowest:.3f} s; {peak - watched.rss >> 10} KiB more at the peak")
    assert calls > 0 and watched.slowest <= ANSWER_SECONDS
    assert all(attacker.connections for attacker in attackers)
    assert peak <= watched.rss + PEAK_BYTES
    watched.check_recovery()
    if is_ended:
        assert all(attacker.hang_ups for attacker in attackers), "each attacker should have lost a connection"


@pytest.mark.parametrize("name", ATTACKS)
def test_good_calls_are_answered_under(watched, name):
    run(watched, ATTACKS[name], is_ended=name in ENDING)


def test_good_calls_are_answered_under_a_slow_preface(watched):
    def octets():
        for octet in PREFACE:
            yield bytes([octet])
            yield None

    run(watched, octets, greeting=b"")


def trickle(address, path, begun, ends):
    """A call whose message comes octet by octet: notes the status with which the server ends it."""
    with RawClient(address) as client:
        ends.append(client.trickle(path, begun, b"\x0a").status)


def trickle_http1(address, ends):
    """The same over HTTP/1, in JSON."""
    with socket.create_connection(address_of(address), timeout=RECOVERY_SECONDS) as connection:
        head = f"POST {UNARY} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n"
        connection.sendall(head.encode())
        while not select.select([connection], [], [], PAUSE_SECONDS)[0]:
            connection.sendall(b" ")
        ends.append(int(connection.recv(1 << 16).split()[1]))


def test_slow_bodies_are_ended_and_streams_that_rest_are_not(tmp_path):
    period = ("--message-period", MESSAGE_PERIOD_SECONDS)
    with Server(tmp_path, "--loops", "1", *period, program="octet-interop") as server:
        with grpc.insecure_channel(server.address) as channel, RawClient(server.address) as resting:
            watched = Watched(server, channel)
            stream = resting.begin(INPUT)
            resting.send(stream, frame(b""))
            start = time.monotonic()
            ends, ends_http1 = [], []
            # Of a message of 1 MiB, the only one or the second, there is the prefix.
            bodies = [(UNARY, b"\0\0\x10\0\0"), (INPUT, frame(b"") + b"\0\0\x10\0\0")]
            attackers = [
                threading.Thread(target=trickle, args=(server.address, *bodies[index % len(bodies)], ends))
                for index in range(SLOW_BODIES)
            ] + [threading.Thread(target=trickle_http1, args=(server.address, ends_http1)) for _ in range(SLOW_BODIES)]
            for attacker in attackers:
                attacker.start()
            while any(attacker.is_alive() for attacker in attackers):
                watched.call()
                assert time.monotonic() - start < RECOVERY_SECONDS, "the server should have ended all of them"
            assert ends == [grpc.StatusCode.DEADLINE_EXCEEDED.value[0]] * SLOW_BODIES
            assert ends_http1 == [504] * SLOW_BODIES
            # The one that rests has rested for longer than anybody was given.
            while time.monotonic() - start < 3 * MESSAGE_PERIOD_SECONDS:
                watched.call()
            assert resting.read(stream, resting.send(stream, frame(b""), end=True)).status == 0
            watched.check_recovery()


def test_good_calls_are_answered_beside_idle_connections(watched):
    count = raise_open_files(IDLE_CONNECTIONS)
    assert count >= 1000, "the limit of open files is too low to learn anything"
    before = watched.held()[0]
    sockets, _ = open_at_once(address_of(watched.server.address), count)
    try:
        watched.slowest = 0
        for _ in range(100):
            watched.call()
        rss, threads, files = watched.held()
        assert watched.slowest <= ANSWER_SECONDS
        assert files >= watched.files + count and threads <= watched.threads + POOL_THREADS
        assert rss - before <= count * IDLE_CONNECTION_BYTES
    finally:
        for connection in sockets:
            connection.close()
    watched.check_recovery()
