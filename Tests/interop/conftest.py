"""Stubs of grpc.testing, under another name than grpc/testing: the Python package `grpc` is grpcio itself."""

import importlib
import pathlib
import subprocess
import sys

import grpc
import pytest
from support.paths import PROTOS
from support.server import Server

try:
    from grpc_tools import protoc as grpc_tools_protoc
except ImportError:
    grpc_tools_protoc = None


@pytest.fixture(scope="session")
def messages(tmp_path_factory):
    """The module with the messages of grpc.testing."""
    source, out = tmp_path_factory.mktemp("protos"), tmp_path_factory.mktemp("stubs")
    for path in (PROTOS / "grpc" / "testing").glob("*.proto"):
        text = path.read_text().replace('import "grpc/testing/', 'import "interop_testing/')
        target = source / "interop_testing" / path.name
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)
    files = [str(path.relative_to(source)) for path in sorted(pathlib.Path(source).rglob("*.proto"))]
    command = ["protoc", f"-I{source}", f"--python_out={out}", *files]
    # Debian's Python has the protobuf runtime that goes with Debian's protoc.
    if grpc_tools_protoc is None:
        subprocess.run(["/usr/bin/protoc", *command[1:]], check=True)
    else:
        assert grpc_tools_protoc.main(command) == 0
    sys.path.insert(0, str(out))
    return importlib.import_module("interop_testing.messages_pb2")


@pytest.fixture(scope="module")
def server_address(tmp_path_factory):
    """The address of an octet-interop of its own."""
    with Server(tmp_path_factory.mktemp("unused"), "--loops", "1", program="octet-interop") as server:
        yield server.address


@pytest.fixture(scope="module")
def interop(server_address):
    """A channel to that server."""
    with grpc.insecure_channel(server_address) as channel:
        yield channel
