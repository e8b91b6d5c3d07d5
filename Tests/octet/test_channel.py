"""The client channel against foreign servers: targets, retries, pushback, hedging, servers that are killed."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import grpc
import pytest
import zoo
from client import Octet

HERE = pathlib.Path(__file__).parent
METHOD = "AnimalService/GetAnimal"
CAT = '{"animalId": "cat"}'
RETRY = """{"methodConfig": [{"name": [{"service": "zoo.animals.v1.AnimalService"}], "retryPolicy": {
  "maxAttempts": 4, "initialBackoff": "0.01s", "maxBackoff": "0.1s", "backoffMultiplier": 2,
  "retryableStatusCodes": ["UNAVAILABLE"]}}]}"""
HEDGING = """{"methodConfig": [{"name": [{"service": "zoo.animals.v1.AnimalService"}], "hedgingPolicy": {
  "maxAttempts": 3, "hedgingDelay": "0.2s", "nonFatalStatusCodes": ["UNAVAILABLE"]}}]}"""

# A server in a process of its own that dies without a word when it is asked for a cat.
DYING = """
import os, signal, sys
sys.path[:0] = sys.argv[1:3]
import zoo
def die(self, request, context):
    os.kill(os.getpid(), signal.SIGKILL)
zoo.Animals.GetAnimal = die
with zoo.Zoo() as server:
    print(server.port, flush=True)
    server.server.wait_for_termination()
"""


def call(tmp_path, target, config, *flags):
    return Octet(tmp_path, target, "--plaintext", "--service-config", config, *flags)(
        "call", METHOD, "-d", CAT, "--compact"
    )


@pytest.fixture
def flaky(monkeypatch):
    """Makes flaky servers; the zoo's own answer is replaced."""
    started, is_over = [], threading.Event()

    def start(failures, pushback=None, slow_first=False):
        calls, are_two = [], threading.Event()

        def get_animal(self, request, context):
            attempts = dict(context.invocation_metadata()).get("grpc-previous-rpc-attempts")
            calls.append((attempts, time.monotonic()))
            if {None, "1"} <= {each for each, _ in calls}:
                are_two.set()
            if slow_first:
                # Attempts get here in any order; the first two are there before one is answered.
                (is_over if attempts is None else are_two).wait(60)
            if len(calls) <= failures:
                if pushback is not None:
                    context.set_trailing_metadata([("grpc-retry-pushback-ms", pushback)])
                context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
            return zoo.animals_pb2.Animal(id="cat", name="Tom", legs=4)

        monkeypatch.setattr(zoo.Animals, "GetAnimal", get_animal)
        server = zoo.Zoo()
        server.server.start()
        started.append(server)
        return server, calls

    yield start
    is_over.set()
    for server in started:
        server.server.stop(None).wait()


def test_retries_until_it_succeeds(flaky, tmp_path):
    server, calls = flaky(3)
    result = call(tmp_path, server.address, RETRY)
    assert result.code == 0 and '"name":"Tom"' in result.out, result.error
    assert [attempts for attempts, _ in calls] == [None, "1", "2", "3"]


def test_gives_up_after_the_last_attempt(flaky, tmp_path):
    server, calls = flaky(9)
    assert call(tmp_path, server.address, RETRY).code == 14
    assert len(calls) == 4


def test_does_what_the_server_says_about_retries(flaky, tmp_path):
    server, calls = flaky(1, pushback="700")
    assert call(tmp_path, server.address, RETRY).code == 0
    assert calls[1][1] - calls[0][1] >= 0.7
    server, calls = flaky(1, pushback="-1")
    assert call(tmp_path, server.address, RETRY).code == 14
    assert len(calls) == 1


def test_hedges(flaky, tmp_path):
    """The first attempt is answered when the test is over: another one was."""
    server, calls = flaky(0, slow_first=True)
    assert call(tmp_path, server.address, HEDGING).code == 0
    assert {None, "1"} <= {attempts for attempts, _ in calls}


@pytest.mark.parametrize("form", ["dns:///localhost:{}", "ipv4:127.0.0.1:{}", "ipv4:127.0.0.1:1,127.0.0.1:{}"])
def test_takes_targets_in_the_syntax_of_grpc(form, tmp_path):
    with zoo.Zoo() as server:
        result = call(tmp_path, form.format(server.port), "{}")
        assert result.code == 0, result.error


def test_unix_sockets_are_targets(tmp_path):
    server = zoo.Zoo()
    assert server.server.add_insecure_port(f"unix:{tmp_path}/zoo") == 1
    with server:
        assert call(tmp_path, f"unix://{tmp_path}/zoo", "{}").code == 0


def test_says_what_is_wrong_with_a_target_or_a_config(tmp_path):
    assert call(tmp_path, "dns://8.8.8.8/x:1", "{}").code == 64
    result = call(tmp_path, "127.0.0.1:1", '{"methodConfig": 1}')
    assert result.code == 64 and "methodConfig is not an array" in result.error


def test_a_call_whose_server_is_killed_goes_to_the_next(tmp_path):
    command = [sys.executable, "-c", DYING, str(HERE), str(HERE.parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as dying, zoo.Zoo() as other:
        try:
            port = dying.stdout.readline().strip()
            result = call(tmp_path, f"ipv4:127.0.0.1:{port},127.0.0.1:{other.port}", RETRY)
            assert dying.wait(60) == -signal.SIGKILL
            assert result.code == 0 and '"name":"Tom"' in result.out, result.error
        finally:
            if dying.poll() is None:
                os.kill(dying.pid, signal.SIGKILL)


def test_without_a_policy_the_call_of_a_killed_server_is_unavailable(tmp_path):
    command = [sys.executable, "-c", DYING, str(HERE), str(HERE.parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as dying:
        try:
            port = dying.stdout.readline().strip()
            assert call(tmp_path, f"127.0.0.1:{port}", "{}").code == 14
        finally:
            if dying.poll() is None:
                os.kill(dying.pid, signal.SIGKILL)
