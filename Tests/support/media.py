"""A client of MediaService: uploads with grpcio, chunk by chunk."""

import functools
import hashlib
import queue
import time

import grpc

from . import stubs
from .people import Person, reason_of, request_id

SERVICE = "octet.media.v1.MediaService"
CHUNK_BYTES = 1 << 20
# For how long the server may be too busy to open a stream.
BUSY_SECONDS = 60

media = stubs.module("octet.media.v1.media_service_pb2")
uploads = stubs.module("octet.media.v1.upload_pb2")
blobs = stubs.module("octet.media.v1.blob_pb2")

POLYNOMIAL = 0x82F63B78  # Castagnoli, bits reversed


@functools.cache
def _table():
    table = []
    for index in range(256):
        value = index
        for _ in range(8):
            value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


@functools.lru_cache(maxsize=64)
def crc32c(data):
    table, value = _table(), 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ table[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


class Stream:
    """An open stream of one upload."""

    def __init__(self, person, upload_id, timeout=600):
        deadline = time.monotonic() + BUSY_SECONDS
        while (first := self._open(person, upload_id, timeout, deadline)) is None:
            time.sleep(0.1)
        self.complete = first.complete if first.HasField("complete") else None
        self.opened = first.opened
        self.offset = first.opened.offset

    def _open(self, person, upload_id, timeout, deadline):
        """The first answer; None while the server is too busy, as when the stream before still holds the upload."""
        self._frames = queue.SimpleQueue()
        self.frame(open=media.UploadOpen(upload_id=upload_id))
        frames = iter(self._frames.get, None)
        self._responses = person.stream(f"{SERVICE}/UploadChunks", frames, timeout=timeout)
        try:
            return next(self._responses)
        except grpc.RpcError as error:
            self._frames.put(None)
            if reason_of(error) != "OVERLOADED" or time.monotonic() > deadline:
                raise
            return None

    def frame(self, **frame):
        self._frames.put(media.UploadChunksRequest(**frame))

    def send(self, data, offset=None):
        offset = self.offset if offset is None else offset
        self.frame(
            chunk=media.UploadChunk(epoch=self.opened.epoch, offset=offset, data=data, crc32c=crc32c(data))
        )
        self.offset = offset + len(data)

    def wait(self, offset=None):
        """Until all before an offset is acknowledged, or the upload is complete; returns the finished upload or None."""
        for response in self._responses:
            if response.HasField("complete"):
                return response.complete
            if offset is not None and response.ack.offset >= offset:
                return None
        raise AssertionError("the stream ended early")

    def cut(self):
        self._responses.cancel()
        self._frames.put(None)


class Uploader(Person):
    """A user who uploads."""

    def create(self, content, kind=blobs.BLOB_KIND_FILE):
        request = media.CreateUploadRequest(
            request_id=request_id(), kind=kind, length=len(content), sha256=hashlib.sha256(content).digest()
        )
        return self.call(f"{SERVICE}/CreateUpload", request)

    def create_open(self, kind=blobs.BLOB_KIND_FILE):
        """One whose end marker says how long and what it is."""
        return self.call(f"{SERVICE}/CreateUpload", media.CreateUploadRequest(request_id=request_id(), kind=kind))

    def upload(self, upload_id):
        return self.call(f"{SERVICE}/GetUpload", media.GetUploadRequest(upload_id=upload_id))

    def send(self, content, kind=blobs.BLOB_KIND_FILE):
        """Uploads in one go and returns the blob's id."""
        upload = self.create(content, kind)
        return self.go_on(upload.id, content).blob_id

    def go_on(self, upload_id, content):
        """Sends what is missing and returns the finished upload."""
        stream = Stream(self, upload_id)
        if stream.complete is not None:
            return stream.complete
        for start in range(stream.offset, len(content), CHUNK_BYTES):
            stream.send(content[start : start + CHUNK_BYTES])
        done = stream.wait()
        stream.cut()
        return done

    def blob(self, blob_id):
        return self.call(f"{SERVICE}/GetBlob", media.GetBlobRequest(blob_id=blob_id))

    def read(self, blob_id, profile=""):
        request = media.ReadBlobRequest(blob_id=blob_id, profile=profile)
        return b"".join(piece.data for piece in self.stream(f"{SERVICE}/ReadBlob", request))

    def sign(self, blob_id, name=""):
        request = media.SignUrlRequest(blob_id=blob_id, name=name)
        return self.call(f"{SERVICE}/SignUrl", request).path

    def watch(self, blob_id, timeout=600):
        """The blob once it is READY or FAILED."""
        responses = self.stream(f"{SERVICE}/WatchBlob", media.WatchBlobRequest(blob_id=blob_id), timeout=timeout)
        return [response.blob for response in responses if response.HasField("blob")][-1]
