"""curl as a client of the web protocols."""

import dataclasses
import json
import struct
import subprocess
import tempfile

DEADLINE_SECONDS = 120


@dataclasses.dataclass
class Answer:
    status: int
    version: str
    headers: dict
    body: bytes

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def frames(self):
        """(flags, payload) of each frame of a stream."""
        frames, rest = [], self.body
        while rest:
            flags, length = struct.unpack(">BI", rest[:5])
            assert len(rest) >= 5 + length, "the body ends within a frame"
            frames.append((flags, rest[5 : 5 + length]))
            rest = rest[5 + length :]
        return frames


def curl(url, *arguments, data=None, content_type=None, headers=()):
    """Runs curl; `data` becomes the body of a POST, byte for byte."""
    command = ["curl", "-sS", "--max-time", str(DEADLINE_SECONDS), *arguments]
    for header in headers:
        command += ["-H", header]
    if content_type is not None:
        command += ["-H", f"content-type: {content_type}"]
    with tempfile.NamedTemporaryFile() as head, tempfile.NamedTemporaryFile() as body:
        command += ["-D", head.name, "-o", body.name, "-w", "%{http_code} %{http_version}"]
        if data is not None:
            command += ["--data-binary", "@-"]
        done = subprocess.run([*command, url], input=data, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        status, version = done.stdout.decode().split()
        return Answer(int(status), version, parse_head(head.read().decode("latin-1")), body.read())


def parse_head(text):
    """The fields of the last head: informational ones may come before it. Values of one name are joined."""
    fields = {}
    for line in text.replace("\r\n", "\n").strip().split("\n\n")[-1].split("\n")[1:]:
        name, value = line.split(":", 1)
        name, value = name.strip().lower(), value.strip()
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def frame(payload, flags=0):
    return struct.pack(">BI", flags, len(payload)) + payload
