"""The Swift program `roundtrip`, and Python classes made of the descriptors that it has."""

import os
import pathlib
import struct
import subprocess

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Files that are described for reflection; no types are made of them.
DESCRIBED = ("google/protobuf/descriptor.proto", "octet/options/v1/options.proto")


def path():
    """The program: the one named by OCTET_ROUNDTRIP, the release build, or the debug build."""
    candidates = [ROOT / ".build/release/roundtrip", ROOT / ".build/debug/roundtrip"]
    named = os.environ.get("OCTET_ROUNDTRIP")
    for candidate in [pathlib.Path(named)] if named else candidates:
        if candidate.exists():
            return str(candidate)
    raise FileNotFoundError("no program `roundtrip`: run `make build`")


class Refused(Exception):
    """The Swift side answered with a failure."""


class RoundTrip:
    """Runs the program, which decodes and encodes what it is sent."""

    def __init__(self):
        self.process = subprocess.Popen([path()], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

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


def load_classes():
    """A class for each message type of the project, by full name."""
    described = subprocess.run([path(), "descriptors"], check=True, capture_output=True).stdout
    files = descriptor_pb2.FileDescriptorSet.FromString(described).file
    pool = descriptor_pool.DescriptorPool()
    waiting = {file.name: file for file in files}
    while waiting:
        ready = [file for file in waiting.values() if not any(name in waiting for name in file.dependency)]
        assert ready, f"circular imports among {sorted(waiting)}"
        for file in ready:
            pool.Add(waiting.pop(file.name))
    classes = {}

    def add(message):
        if not message.GetOptions().map_entry:
            classes[message.full_name] = message_factory.GetMessageClass(message)
            for nested in message.nested_types:
                add(nested)

    for file in files:
        if file.name not in DESCRIBED:
            for message in pool.FindFileByName(file.name).message_types_by_name.values():
                add(message)
    return classes
