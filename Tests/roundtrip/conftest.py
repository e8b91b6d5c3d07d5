"""Runs the Swift side and makes Python classes of its descriptors."""

import os
import struct
import subprocess
import pathlib

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Refused(Exception):
    """The Swift side answered with a failure."""


class RoundTrip:
    """The program `roundtrip`, which decodes and encodes what it is sent."""

    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, operation: str, name: str, payload: bytes) -> bytes:
        request = operation.encode()
        for part in (name.encode(), payload):
            request += struct.pack("<I", len(part)) + part
        self.process.stdin.write(request)
        self.process.stdin.flush()
        head = self.process.stdout.read(5)
        assert len(head) == 5, f"roundtrip ended while it handled {name}"
        failed, count = struct.unpack("<BI", head)
        answer = self.process.stdout.read(count)
        if failed:
            raise Refused(answer.decode())
        return answer


def program():
    return os.environ.get("OCTET_ROUNDTRIP", str(ROOT / ".build/debug/roundtrip"))


def load_classes():
    """A class for each message type of the project, by full name."""
    described = subprocess.run([program(), "descriptors"], check=True, capture_output=True).stdout
    files = descriptor_pb2.FileDescriptorSet.FromString(described).file
    pool = descriptor_pool.DescriptorPool()
    waiting = {file.name: file for file in files}
    while waiting:
        ready = [file for file in waiting.values() if not any(name in waiting for name in file.dependency)]
        assert ready, f"circular imports among {sorted(waiting)}"
        for file in ready:
            pool.Add(waiting.pop(file.name))
    classes = {}
    skipped = ("google/protobuf/descriptor.proto", "octet/options/v1/options.proto")

    def add(message):
        if not message.GetOptions().map_entry:
            classes[message.full_name] = message_factory.GetMessageClass(message)
            for nested in message.nested_types:
                add(nested)

    for file in files:
        if file.name not in skipped:
            for message in pool.FindFileByName(file.name).message_types_by_name.values():
                add(message)
    return classes


CLASSES = load_classes()


@pytest.fixture(scope="session")
def swift():
    runner = RoundTrip(program())
    yield runner
    runner.process.stdin.close()
    assert runner.process.wait(10) == 0


@pytest.fixture(scope="session")
def classes():
    return CLASSES


def pytest_generate_tests(metafunc):
    if "message_type" in metafunc.fixturenames:
        metafunc.parametrize("message_type", sorted(CLASSES))
