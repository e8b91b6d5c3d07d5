"""Uploads to a real octetd: cut anywhere, also by a crash, they go on where they were acknowledged."""

import hashlib
import random
import time

import grpc
import pytest

from support.media import BUSY_SECONDS, Stream, Uploader, crc32c, media
from support.people import outcome
from support.raw import RawClient, frame
from support.server import Server

SEED = 20_261_126
PIECE = 50_000
PIECES = 6


def content(size=PIECE * PIECES, seed=SEED):
    return random.Random(seed).randbytes(size)


def test_the_checksum_is_castagnoli():
    assert crc32c(b"123456789") == 0xE3069283


def break_off(server, uploader, stream, kills, engine_flags):
    """Cuts the stream, or kills the server and starts it again."""
    if not kills:
        stream.cut()
        return server, uploader
    server.kill()
    server = Server(server.data, *engine_flags)
    return server, Uploader(server.channel(), uploader.handle, register=False)


@pytest.mark.parametrize("kills", [False, True], ids=["cut", "kill -9"])
def test_a_cut_at_the_end_marker_of_an_open_length_loses_nothing(tmp_path, engine_flags, kills):
    """Before it, and after it is sent."""
    whole = content(2 * PIECE)
    end = media.UploadEnd(length=len(whole), sha256=hashlib.sha256(whole).digest())
    server = Server(tmp_path, *engine_flags)
    uploader = Uploader(server.channel(), "camera")
    try:
        upload = uploader.create_open()
        stream = Stream(uploader, upload.id)
        for start in range(0, len(whole), PIECE):
            stream.send(whole[start : start + PIECE])
        stream.wait(len(whole))
        server, uploader = break_off(server, uploader, stream, kills, engine_flags)
        assert uploader.upload(upload.id).offset == len(whole)
        stream = Stream(uploader, upload.id)
        assert stream.offset == len(whole)
        stream.frame(end=end)
        server, uploader = break_off(server, uploader, stream, kills, engine_flags)
        stream = Stream(uploader, upload.id)
        done = stream.complete
        if done is None:
            assert stream.offset == len(whole)
            stream.frame(end=end)
            done = stream.wait()
        assert uploader.read(done.blob_id) == whole
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize("kills", [False, True], ids=["cut", "kill -9"])
def test_a_cut_at_each_border_of_chunks_loses_nothing(tmp_path, engine_flags, kills):
    whole = content()
    server = Server(tmp_path, *engine_flags)
    uploader = Uploader(server.channel(), "border")
    upload = uploader.create(whole)
    try:
        for start in range(0, len(whole), PIECE):
            stream = Stream(uploader, upload.id)
            assert stream.offset == start
            stream.send(whole[start : start + PIECE])
            is_last = start + PIECE == len(whole)
            # With the last piece the upload ends; how far that has come when the stream is cut is left to chance.
            if not is_last:
                stream.wait(start + PIECE)
            server, uploader = break_off(server, uploader, stream, kills, engine_flags)
            if not is_last:
                assert uploader.upload(upload.id).offset == start + PIECE
        done = uploader.go_on(upload.id, whole)
        assert uploader.go_on(upload.id, whole) == done
        assert hashlib.sha256(uploader.read(done.blob_id)).digest() == hashlib.sha256(whole).digest()
    finally:
        assert server.stop() == 0


def begin_raw(raw, uploader, upload_id):
    """Opens a stream by hand and returns its number and what it was told."""
    opening = media.UploadChunksRequest(open=media.UploadOpen(upload_id=upload_id))
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        stream = raw.begin("/octet.media.v1.MediaService/UploadChunks", uploader.metadata)
        raw.send(stream, frame(opening.SerializeToString()))
        answer = raw.read(stream, until=lambda answer: answer.messages)
        if answer.messages:
            return stream, media.UploadChunksResponse.FromString(answer.messages[0][1]).opened
        # The stream before may still hold the upload.
        assert answer.status == grpc.StatusCode.UNAVAILABLE.value[0] and time.monotonic() < deadline, answer.trailers
        time.sleep(0.1)


def chunk_frame(whole, opened, size=PIECE):
    data = whole[opened.offset : opened.offset + size]
    chunk = media.UploadChunk(epoch=opened.epoch, offset=opened.offset, data=data, crc32c=crc32c(data))
    return frame(media.UploadChunksRequest(chunk=chunk).SerializeToString())


@pytest.mark.parametrize("kills", [False, True], ids=["cut", "kill -9"])
def test_a_cut_within_a_chunk_leaves_the_offset_before_it(tmp_path, engine_flags, kills):
    whole, rng = content(), random.Random(SEED)
    server = Server(tmp_path, *engine_flags)
    uploader = Uploader(server.channel(), "within")
    upload = uploader.create(whole)
    try:
        for round_number in range(4):
            with RawClient(server.address) as raw:
                stream, opened = begin_raw(raw, uploader, upload.id)
                assert opened.offset == round_number * PIECE
                first = chunk_frame(whole, opened)
                raw.send(stream, first)
                expected = opened.offset + PIECE
                raw.read(stream, until=lambda answer: any(
                    media.UploadChunksResponse.FromString(body).ack.offset == expected for _, body in answer.messages
                ))  # fmt: skip
                opened.offset = expected
                second = chunk_frame(whole, opened)
                raw.send(stream, second[: rng.randrange(1, len(second))])
                if kills:
                    server.kill()
            if kills:
                server = Server(tmp_path, *engine_flags)
                uploader = Uploader(server.channel(), "within", register=False)
            assert uploader.upload(upload.id).offset == expected
        done = uploader.go_on(upload.id, whole)
        assert uploader.read(done.blob_id) == whole
    finally:
        assert server.stop() == 0


def test_a_crash_in_a_fast_upload_loses_nothing_that_was_acknowledged(tmp_path, engine_flags):
    size = 1 << 20
    whole, rng = content(12 * size), random.Random(SEED)
    server = Server(tmp_path, *engine_flags)
    uploader = Uploader(server.channel(), "fast")
    upload = uploader.create(whole)
    acknowledged = 0
    try:
        for _ in range(3):
            stream = Stream(uploader, upload.id)
            # All chunks are of one size, so it goes on between two.
            assert stream.offset >= acknowledged and stream.offset % size == 0
            target = max(stream.offset, acknowledged) + rng.randrange(1, 4) * size
            # More than is waited for is on its way when the server dies, but not all.
            for start in range(stream.offset, min(target + 2 * size, len(whole) - size), size):
                stream.send(whole[start : start + size])
            target = min(target, stream.offset)
            if target > acknowledged:
                stream.wait(target)
                acknowledged = target
            server.kill()
            server = Server(tmp_path, *engine_flags)
            uploader = Uploader(server.channel(), "fast", register=False)
            assert uploader.upload(upload.id).offset >= acknowledged
        done = uploader.go_on(upload.id, whole)
        assert uploader.read(done.blob_id) == whole
    finally:
        assert server.stop() == 0


def test_of_two_writers_the_newer_goes_on(server):
    whole = content()
    with server.channel() as channel:
        uploader = Uploader(channel, "two_writers")
        upload = uploader.create(whole)
        older = Stream(uploader, upload.id)
        older.send(whole[:PIECE])
        older.wait(PIECE)
        newer = Stream(uploader, upload.id)
        code, reason, _ = outcome(older.wait)
        assert (code, reason) == (grpc.StatusCode.ABORTED, "WRITER_FENCED")
        newer.send(whole[PIECE:])
        assert newer.wait().blob_id
