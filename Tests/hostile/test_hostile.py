"""Attacks from several connections at once, while well-behaved clients call, over a connection that they have and over
new ones: they are answered, and the server is left with the memory, descriptors and threads that it had, and idle."""

import select
import socket
import threading
import time

import grpc
import pytest
from attacker import ATTACK_SECONDS, ATTACKERS, PATIENCE_SECONDS, under_attack
from attacks import (
    ATTACKS, ENDING, GREETING, INPUT, LEVELS, NESTING, READ_METADATA, SLOW, UNARY, nested_lists, stalled_answers,
)
from support.connections import PREFACE, address_of, open_at_once, raise_open_files
from support.raw import RawClient, frame
from support.server import Server, make_certificate
from watched import PAUSE_SECONDS, POOL_THREADS, Watched

# Good calls are answered within this, whatever others do. Where a machine stands still they are not: then it is tried
# anew, as an attack that starves them does so each time.
ANSWER_SECONDS = 2
TRIES = 5
# Beyond what the server had before the first attack: buffers of the sockets, answers that wait, requests that are not whole.
PEAK_BYTES = 256 << 20
# What the server may use of a processor while peers do little.
SLOW_SHARE = 0.25
# What attackers and good clients have open at a time, and as much again that the server has not closed yet.
OPEN_FILES = 2 * (ATTACKERS + 4) + 8
# Answers have a time limit.
pytestmark = pytest.mark.alone
# Of the server whose slow bodies are tried.
MESSAGE_PERIOD_SECONDS = 1
# Usually a body has a minute.
ENDED_SECONDS = 55
SLOW_BODIES = 20
IDLE_CONNECTIONS = 10_000
IDLE_CONNECTION_BYTES = 14 << 10
# Of the server whose peers take nothing: what it may hold for them, and what else they cost (their streams, what malloc
# keeps). Without a bound they could make it hold 80 KiB for each of 1024 streams of each connection: 8 GiB.
STALLED_CONNECTIONS = 100
STALLED_SECONDS = 3
HELD_BYTES = 64 << 20
STALLED_BYTES = 256 << 20


@pytest.fixture(scope="module")
def lasting_watched(tmp_path_factory):
    tls = make_certificate(tmp_path_factory.mktemp("tls"))
    certificate = ("--tls-listen", "127.0.0.1:0", "--tls-cert", tls / "cert.pem", "--tls-key", tls / "key.pem")
    flags = ("--loops", "1", "--nesting", *certificate)
    with Server(tmp_path_factory.mktemp("unused"), *flags, program="octet-interop") as server:
        with grpc.insecure_channel(server.address) as channel:
            yield Watched(server, channel, tls / "ca.pem")


@pytest.fixture
def watched(lasting_watched):
    """The same for all tests, of which none waits again for a server that does not answer any more."""
    assert not lasting_watched.is_lost, "a good call had no answer in an earlier test"
    return lasting_watched


def run(watched, attack, is_ended=False, greeting=GREETING):
    """Attacks, and calls meanwhile. If the attack `is_ended`, the server hangs up on each attacker at least once."""
    assert any(are_answered(watched, attack, is_ended, greeting) for _ in range(TRIES)), "good calls wait"


def are_answered(watched, attack, is_ended, greeting):
    """Whether good calls are answered in time during one attack. What it costs, and how it ends, is checked."""
    watched.slowest, calls = 0, 0
    peak, threads, files = watched.held()
    with under_attack(watched, attack, is_ended, greeting) as attackers:
        while any(attacker.is_alive() for attacker in attackers):
            watched.call()
            watched.call_anew()
            calls += 1
            peak, threads, files = map(max, (peak, threads, files), watched.held())
    print(f"{calls} calls, the slowest {watched.slowest:.3f} s; at the peak {peak - watched.rss >> 10} KiB, "
          f"{threads - watched.threads} threads and {files - watched.files} files more")  # fmt: skip
    have_begun = calls > 0 and all(attacker.connections for attacker in attackers)
    assert peak <= watched.rss + PEAK_BYTES
    assert threads <= watched.threads + POOL_THREADS
    slowest = watched.slowest
    watched.check_recovery()
    if is_ended and have_begun:
        assert all(attacker.hang_ups for attacker in attackers), "each attacker should have lost a connection"
    # Those that a server which stood still finds waiting are more, and many of them over.
    return have_begun and slowest <= ANSWER_SECONDS and files <= watched.files + OPEN_FILES


@pytest.mark.parametrize("name", ATTACKS)
def test_good_calls_are_answered_under(watched, name):
    run(watched, ATTACKS[name], is_ended=name in ENDING)


def slow_preface():
    for octet in PREFACE:
        yield bytes([octet])
        yield None


def test_good_calls_are_answered_under_a_slow_preface(watched):
    run(watched, slow_preface, greeting=b"")


@pytest.mark.parametrize("name", [*SLOW, "slow preface"])
def test_peers_that_do_little_cost_little(watched, name):
    attack, greeting = (SLOW[name], GREETING) if name in SLOW else (slow_preface, b"")
    for _ in range(TRIES):
        watched.check_idle()
        start, used = time.monotonic(), time.process_time()
        with under_attack(watched, attack, greeting=greeting) as attackers:
            share = watched.used_share(ATTACK_SECONDS)
            own_share = (time.process_time() - used) / (time.monotonic() - start)
        print(f"{share:.1%} of a processor, beside {own_share:.1%} of the peers")
        watched.check_recovery()
        # Where a processor is slow, it is for the peers as well.
        most = min(max(SLOW_SHARE, own_share), 2 * SLOW_SHARE)
        if all(attacker.connections for attacker in attackers) and share <= most:
            return
    raise AssertionError("what little the peers do costs much")


def test_nested_messages_and_bad_base64_are_read_and_refused(watched):
    """Attacks of such are of no use where nobody reads what they send."""
    with RawClient(watched.server.address) as client:
        invalid = grpc.StatusCode.INVALID_ARGUMENT.value[0]
        assert client.call(NESTING, frame(nested_lists(5))).messages == [(False, nested_lists(5))]
        assert client.call(NESTING, frame(nested_lists(LEVELS))).status == invalid
        assert client.call(UNARY, frame(b""), [(READ_METADATA, "!")]).status == invalid
        assert client.call(UNARY, frame(b""), [(READ_METADATA, "AQ")]).status == 0


def test_answers_that_nobody_takes_have_a_bound(tmp_path):
    """A hundred peers ask for more and more, and take none of it."""
    assert any(slowest_beside_stalled(tmp_path) <= ANSWER_SECONDS for _ in range(TRIES)), "good calls wait"


def slowest_beside_stalled(folder):
    with Server(folder, "--loops", "1", "--held-bytes", HELD_BYTES, program="octet-interop") as server:
        with grpc.insecure_channel(server.address) as channel:
            watched = Watched(server, channel)
            watched.slowest, peak, calls = 0, 0, 0
            start = time.monotonic()
            with under_attack(watched, stalled_answers, seconds=PATIENCE_SECONDS, count=STALLED_CONNECTIONS):
                # For a while, and until the server holds much.
                seconds = PATIENCE_SECONDS
                while time.monotonic() - start < seconds:
                    if peak - watched.rss > HELD_BYTES / 2:
                        seconds = STALLED_SECONDS
                    watched.call()
                    watched.call_anew()
                    peak = max(peak, watched.held()[0])
                    calls += 1
            slowest = watched.slowest
            print(f"{calls} calls, the slowest {slowest:.3f} s; {peak - watched.rss >> 10} KiB more at the peak")
            assert HELD_BYTES / 2 < peak - watched.rss <= HELD_BYTES + STALLED_BYTES
            watched.check_recovery()
            return slowest


def trickle(address, path, begun, ends):
    """A call whose message comes octet by octet: notes the status with which the server ends it."""
    with RawClient(address) as client:
        ends.append(client.trickle(path, begun, b"\x0a").status)


def trickle_http1(address, ends):
    """The same over HTTP/1, in JSON."""
    with socket.create_connection(address_of(address), timeout=PATIENCE_SECONDS) as connection:
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
                threading.Thread(
                    target=trickle, args=(server.address, *bodies[index % len(bodies)], ends), daemon=True
                )
                for index in range(SLOW_BODIES)
            ] + [
                threading.Thread(target=trickle_http1, args=(server.address, ends_http1), daemon=True)
                for _ in range(SLOW_BODIES)
            ]
            for attacker in attackers:
                attacker.start()
            while any(attacker.is_alive() for attacker in attackers):
                watched.call()
                assert time.monotonic() - start < ENDED_SECONDS, "the server should have ended all of them"
            assert ends == [grpc.StatusCode.DEADLINE_EXCEEDED.value[0]] * SLOW_BODIES
            assert ends_http1 == [504] * SLOW_BODIES
            # The one that rests has rested for longer than anybody was given.
            while time.monotonic() - start < 3 * MESSAGE_PERIOD_SECONDS:
                watched.call()
            assert resting.read(stream, resting.send(stream, frame(b""), end=True)).status == 0
            watched.check_recovery()


def slowest_of_many(watched):
    watched.slowest = 0
    for _ in range(100):
        watched.call()
    watched.call_anew()
    return watched.slowest


def test_good_calls_are_answered_beside_idle_connections(watched):
    count = IDLE_CONNECTIONS
    raise_open_files(count)
    before = watched.held()[0]
    sockets, _ = open_at_once(address_of(watched.server.address), count)
    try:
        assert any(slowest_of_many(watched) <= ANSWER_SECONDS for _ in range(TRIES)), "good calls wait"
        rss, threads, files = watched.held()
        watched.check_idle()
        assert files >= watched.files + count and threads <= watched.threads + POOL_THREADS
        assert rss - before <= count * IDLE_CONNECTION_BYTES
    finally:
        for connection in sockets:
            connection.close()
    watched.check_recovery()
