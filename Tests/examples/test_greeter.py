"""The example package: its clients against its servers over a socket, and gRPC's own client against them."""

import contextlib
import importlib
import pathlib
import signal
import subprocess
import sys

import grpc
import pytest
from grpc_tools import protoc

ROOT = pathlib.Path(__file__).resolve().parents[2]
GREETER = ROOT / "Examples" / "Greeter"
PROGRAMS = ROOT / ".build" / "examples" / "debug"
WAIT_SECONDS = 120
# The promise of the guide, for a server and a client of one unary method.
MOST_LINES = 20


@contextlib.contextmanager
def running(program, address):
    """A server of the package; it must end in good order."""
    process = subprocess.Popen([PROGRAMS / program, address], stdout=subprocess.PIPE, text=True)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_SECONDS) == 0
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def address():
    """Where a greeter-server of its own listens."""
    with running("greeter-server", "127.0.0.1:0") as process:
        yield process.stdout.readline().strip().removeprefix("ready listen=")


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """Imports Python's messages and stubs of a proto of the package."""
    out = tmp_path_factory.mktemp("greeter-stubs")
    sys.path.insert(0, str(out))

    def load(name):
        command = ["protoc", f"-I{GREETER / 'Protos'}", f"--python_out={out}", f"--grpc_python_out={out}"]
        assert protoc.main([*command, f"{name}/v1/{name}.proto"]) == 0
        return [importlib.import_module(f"{name}.v1.{name}_{suffix}") for suffix in ("pb2", "pb2_grpc")]

    return load


@pytest.fixture(scope="module")
def stubs(generated):
    return generated("greeter")


def test_its_own_client_makes_calls_of_all_kinds(address):
    client = subprocess.run([PROGRAMS / "greeter-client", address], capture_output=True, text=True, timeout=WAIT_SECONDS)
    assert client.returncode == 0, client.stderr
    assert client.stdout.splitlines() == [
        "Hello, Ann!",
        "Hello, Bob, 1!",
        "Hello, Bob, 2!",
        "Hello, Bob, 3!",
        "Hello, Ann, Bob, Cy!",
        "Hello, Dan!",
        "Hello, Eve!",
        "refused: INVALID_ARGUMENT: whom?",
    ]


def test_a_foreign_client_makes_calls_of_all_kinds(address, stubs):
    messages, services = stubs
    with grpc.insecure_channel(address) as channel:
        greeter = services.GreeterStub(channel)

        def request(name, times=0):
            return messages.GreetRequest(name=name, times=times)

        assert greeter.Greet(request("Ann"), timeout=WAIT_SECONDS).text == "Hello, Ann!"
        often = greeter.GreetOften(request("Bob", 2), timeout=WAIT_SECONDS)
        assert [reply.text for reply in often] == ["Hello, Bob, 1!", "Hello, Bob, 2!"]
        names = [request("Ann"), request("Cy")]
        assert greeter.GreetAll(iter(names), timeout=WAIT_SECONDS).text == "Hello, Ann, Cy!"
        each = greeter.GreetEach(iter(names), timeout=WAIT_SECONDS)
        assert [reply.text for reply in each] == ["Hello, Ann!", "Hello, Cy!"]
        with pytest.raises(grpc.RpcError) as refusal:
            greeter.Greet(request(""), timeout=WAIT_SECONDS)
        assert refusal.value.code() == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("program", ["hello-server", "hello-client"])
def test_a_unary_method_takes_twenty_lines_each(program):
    (source,) = (GREETER / "Sources" / program).iterdir()
    assert len(source.read_text().splitlines()) <= MOST_LINES


def test_hello_is_said_to_its_own_and_to_a_foreign_client(generated, tmp_path):
    """Both clients wait for the server to listen."""
    messages, services = generated("hello")
    address = f"unix:{tmp_path / 'hello'}"
    with running("hello-server", address):
        client = subprocess.run(
            [PROGRAMS / "hello-client", address], capture_output=True, text=True, timeout=WAIT_SECONDS
        )
        assert (client.returncode, client.stdout) == (0, "Hello, Ann!\n"), client.stderr
        with grpc.insecure_channel(address) as channel:
            say = services.HelloStub(channel).SayHello
            reply = say(messages.HelloRequest(name="Bob"), timeout=WAIT_SECONDS, wait_for_ready=True)
            assert reply.text == "Hello, Bob!"
