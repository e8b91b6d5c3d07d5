"""Uploads that go on at another octetd of the same installation: what is acknowledged anywhere is what is stored."""

import random
import shutil

import grpc
import pytest

from support.media import Stream, Uploader
from support.people import outcome
from support.s3 import ACCESS_KEY, S3, SECRET_KEY
from support.server import Server

SEED = 20_261_126


class Nodes:
    """Nodes on one database and one store. A name that is started again is that node once more."""

    def __init__(self, folder, url, store, chunk, chunks):
        self.folder, self.flags = folder, ["--database", url, *store]
        # What is acknowledged together: on S3 a part of 8 MiB.
        self.chunk, self.chunks = chunk, chunks
        self.running = {}

    def start(self, name):
        folder = self.folder / name
        folder.mkdir(mode=0o700, exist_ok=True)
        if name != "a":
            shutil.copy2(self.folder / "a/root.key", folder / "root.key")
        self.running[name] = Server(folder, *self.flags)

    def kill(self, name):
        self.running[name].kill()
        self.start(name)

    def at(self, name, person):
        """The same person, at this node."""
        moved = Uploader.__new__(Uploader)
        moved.__dict__.update(person.__dict__, channel=self.running[name].channel())
        return moved

    @property
    def unit(self):
        return self.chunk * self.chunks

    def content(self, units):
        # One chunk again and again: its checksum is computed once.
        return random.Random(SEED).randbytes(self.chunk) * (self.chunks * units)

    def send(self, stream, content):
        """One unit from where the stream is."""
        start = stream.offset
        for offset in range(start, min(start + self.unit, len(content)), self.chunk):
            stream.send(content[offset : offset + self.chunk], offset=offset)


@pytest.fixture(scope="module")
def s3():
    with S3() as server:
        yield server


@pytest.fixture(params=["folder", "S3"])
def nodes(request, tmp_path, postgres, monkeypatch):
    if request.param == "S3":
        monkeypatch.setenv("OCTET_S3_SECRET_KEY", SECRET_KEY)
        endpoint = request.getfixturevalue("s3").endpoint
        store = ["--s3-endpoint", endpoint, "--s3-bucket", "blobs", "--s3-prefix", tmp_path.name,
                 "--s3-access-key", ACCESS_KEY]  # fmt: skip
        nodes = Nodes(tmp_path, postgres.make_database(), store, 1 << 20, 8)
    else:
        nodes = Nodes(tmp_path, postgres.make_database(), ["--blobs", tmp_path / "blobs"], 40_000, 1)
    for name in "ab":
        nodes.start(name)
    yield nodes
    for server in nodes.running.values():
        assert server.stop() == 0


def test_a_late_node_cannot_write(nodes):
    whole = nodes.content(3)
    here = Uploader(nodes.running["a"].channel(), "late")
    there = nodes.at("b", here)
    upload = here.create(whole)
    older = Stream(here, upload.id)
    nodes.send(older, whole)
    older.wait(nodes.unit)
    newer = Stream(there, upload.id)
    assert newer.offset == nodes.unit and newer.opened.epoch > older.opened.epoch
    nodes.send(newer, whole)
    newer.wait(2 * nodes.unit)
    # What comes late comes to the right place, and is something else.
    nodes.send(older, bytes(len(whole)))
    code, reason, _ = outcome(lambda: older.wait(2 * nodes.unit))
    assert (code, reason) == (grpc.StatusCode.ABORTED, "WRITER_FENCED")
    nodes.kill("b")
    there = nodes.at("b", here)
    assert here.upload(upload.id).offset == there.upload(upload.id).offset == 2 * nodes.unit
    done = there.go_on(upload.id, whole)
    assert here.read(done.blob_id) == whole == there.read(done.blob_id)


def test_what_either_node_acknowledged_survives_both(nodes):
    """Writers on both nodes take the upload from each other, with bytes on their way, and nodes die at that."""
    whole = nodes.content(4)
    person = Uploader(nodes.running["a"].channel(), "hunted")
    upload = person.create(whole)
    acknowledged, before = 0, None
    for turn in range(6):
        name = "ab"[turn % 2]
        stream = Stream(nodes.at(name, person), upload.id)
        assert stream.offset >= acknowledged, "what was acknowledged is gone"
        if before is not None:
            # Goes on as if it had heard of nothing; what comes of it is its own affair.
            nodes.send(before, bytes(len(whole)))
        if stream.offset < len(whole) - nodes.unit:
            target = stream.offset + nodes.unit
            nodes.send(stream, whole)
            stream.wait(target)
            acknowledged = target
        before = stream
        if turn % 3 == 2:
            nodes.kill(name)
            before = None
        assert nodes.at("ba"[turn % 2], person).upload(upload.id).offset >= acknowledged
    done = nodes.at("b", person).go_on(upload.id, whole)
    assert nodes.at("a", person).read(done.blob_id) == whole
