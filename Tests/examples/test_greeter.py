"""The example package: its client against its server over a socket, and gRPC's own client against it."""

import pathlib
import signal
import subprocess
import sys

import grpc
import pytest
from grpc_tools import protoc

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / ".build" / "examples" / "debug"
WAIT_SECONDS = 20


@pytest.fixture(scope="module")
def address():
    """Where a greeter-server of its own listens; it must end in good order."""
    process = subprocess.Popen([PROGRAMS / "greeter-server", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip().removeprefix("ready listen=")
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_SECONDS) == 0
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def stubs(tmp_path_factory):
    out = tmp_path_factory.mktemp("greeter-stubs")
    protos = ROOT / "Examples" / "Greeter" / "Protos"
    command = ["protoc", f"-I{protos}", f"--python_out={out}", f"--grpc_python_out={out}", "greeter/v1/greeter.proto"]
    assert protoc.main(command) == 0
    sys.path.insert(0, str(out))
    from greeter.v1 import greeter_pb2, greeter_pb2_grpc

    return greeter_pb2, greeter_pb2_grpc


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
