"""What hostile peers send, as bare frames. Each attack makes the chunks of one connection after its greeting; None
stands for a pause. A list of them is `ATTACKS`."""

import gzip
import itertools
import struct

from support.connections import PREFACE, SETTINGS, frame, literal

DATA, HEADERS, PRIORITY, RESET, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 6, 8, 9
END_STREAM, END_HEADERS = 1, 4
SERVICE = "/grpc.testing.TestService/"
UNARY, INPUT, OUTPUT = SERVICE + "UnaryCall", SERVICE + "StreamingInputCall", SERVICE + "StreamingOutputCall"
# Gives back a google.protobuf.Value.
NESTING = "/octet.interop.Nesting/Echo"
GREETING = PREFACE + frame(SETTINGS, 0, 0)
CALLS_PER_CHUNK = 50
# 4 chunks of 16 KiB each fill what a stream may hold of its answer.
DOWNLOAD = b"\x12\x04\x08\x80\x80\x01" * 16
GZIP_BOMB = gzip.compress(bytes((4 << 20) - 64))
# Binary metadata that the server reads in every call.
READ_METADATA = "x-grpc-test-echo-trailing-bin"
# Far more levels than a message may have, and still a short one.
LEVELS = 2000
# The bomb in JSON: blanks, and a long text in base 64.
JSON_BOMB = gzip.compress(b"{}" + b" " * ((4 << 20) - 64))
JSON_TEXT = gzip.compress(b'{"payload":{"body":"' + b"A" * ((4 << 20) - 64) + b'"}}')
# What is short and long to decode: two million inner messages, and a number of four million digits.
ELEMENTS = gzip.compress(b"\x12\x00" * ((2 << 20) - 32))
JSON_NUMBER = gzip.compress(b'{"responseSize":' + b"1" * ((4 << 20) - 64) + b"}")


def varint(number):
    octets = b""
    while number >= 128:
        octets, number = octets + bytes([number & 127 | 128]), number >> 7
    return octets + bytes([number])


def nested_lists(levels):
    """A google.protobuf.Value of lists in lists: its `list_value` is field 6, whose `values` are field 1."""
    value = b""
    for _ in range(levels):
        items = b"\x0a" + varint(len(value)) + value
        value = b"\x32" + varint(len(items)) + items
    return value


def long_literal(name, value):
    """A field that is not indexed, with a value of any length."""
    rest, length = len(value) - 127, b"\x7f"
    while rest >= 128:
        length, rest = length + bytes([rest & 127 | 128]), rest >> 7
    return bytes([0, len(name)]) + name.encode() + length + bytes([rest]) + value.encode()


def head(path=UNARY, te="trailers", content_type="application/grpc", extra=b"", repeated=b""):
    fields = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost")]
    regular = [(name, value) for name, value in (("te", te), ("content-type", content_type)) if value is not None]
    return (
        b"".join(literal(*field) for field in fields) + repeated + b"".join(literal(*field) for field in regular) + extra
    )


def streams():
    return itertools.count(1, 2)


def message(payload, compressed=0):
    return struct.pack(">BI", compressed, len(payload)) + payload


def block_frames(stream, block, flags=0):
    """HEADERS and as many CONTINUATION as a block needs."""
    pieces = [block[at : at + 16384] for at in range(0, len(block), 16384)]
    kinds = [(HEADERS, flags)] + [(CONTINUATION, 0)] * (len(pieces) - 1)
    last = len(pieces) - 1
    return b"".join(
        frame(kind, flags | (END_HEADERS if at == last else 0), stream, piece)
        for at, ((kind, flags), piece) in enumerate(zip(kinds, pieces, strict=True))
    )


def body_frames(stream, body):
    pieces = [body[at : at + 16384] for at in range(0, len(body), 16384)] or [b""]
    last = len(pieces) - 1
    return b"".join(frame(DATA, END_STREAM if at == last else 0, stream, piece) for at, piece in enumerate(pieces))


def calls(block, body=None, more=lambda stream: b"", at_once=CALLS_PER_CHUNK):
    """Whole calls, over and over."""
    ids = streams()
    while True:
        chunk = b""
        for stream in itertools.islice(ids, at_once):
            chunk += block_frames(stream, block, END_STREAM if body is None else 0)
            chunk += (b"" if body is None else body_frames(stream, body)) + more(stream)
        yield chunk


def flood(one, opening=b""):
    """One frame, over and over."""
    yield opening + frame(HEADERS, END_HEADERS, 1, head(INPUT))
    chunk = one * (65536 // len(one))
    while True:
        yield chunk


def continuation():
    yield frame(HEADERS, 0, 1, head())
    while True:
        yield frame(CONTINUATION, 0, 1, literal("x", "y")) * 100


def header_bomb():
    """A field of 4,000 octets goes into the dynamic table; each further octet repeats it."""
    field = b"\x40" + long_literal("bomb", "b" * 4000)[1:]
    yield frame(HEADERS, END_HEADERS, 1, head() + field + bytes([0x80 | 62]) * 4000)


def stalled_answers():
    """Answers that nobody may send, and more and more of them."""
    yield frame(SETTINGS, 0, 0, b"\x00\x04" + bytes(4))
    ids = streams()
    while True:
        for stream in itertools.islice(ids, CALLS_PER_CHUNK):
            yield frame(HEADERS, END_HEADERS, stream, head(OUTPUT)) + body_frames(stream, message(DOWNLOAD))
        yield None


def zero_windows():
    """Many answers that nobody may send."""
    yield frame(SETTINGS, 0, 0, b"\x00\x04" + bytes(4))
    for stream in itertools.islice(streams(), 200):
        yield frame(HEADERS, END_HEADERS, stream, head(OUTPUT)) + body_frames(stream, message(DOWNLOAD))
    while True:
        yield None


def drip(start, octets):
    """A beginning, and then one octet after the other."""
    yield start
    for octet in octets:
        yield bytes([octet])
        yield None


def slow_bodies():
    ids = list(itertools.islice(streams(), 200))
    yield b"".join(frame(HEADERS, END_HEADERS, stream, head()) for stream in ids)
    yield b"".join(frame(DATA, 0, stream, b"\x00\x00\x10\x00\x00") for stream in ids)
    while True:
        yield b"".join(frame(DATA, 0, stream, b"\x0a") for stream in ids)
        yield None


RESETS = {
    "rapid reset": lambda: calls(head(INPUT), b"", lambda stream: frame(RESET, 0, stream, b"\0\0\0\x08")),
    "rapid reset of open calls": lambda: (
        b"".join(
            frame(HEADERS, END_HEADERS, stream, head(INPUT)) + frame(RESET, 0, stream, b"\0\0\0\x08")
            for stream in range(first, first + 100, 2)
        )
        for first in itertools.count(1, 100)
    ),
    "made you reset: longer than declared": lambda: calls(
        head(INPUT, extra=literal("content-length", "1")), bytes(2)
    ),
    "made you reset: no increment": lambda: (
        b"".join(
            frame(HEADERS, END_HEADERS, stream, head(INPUT)) + frame(WINDOW_UPDATE, 0, stream, bytes(4))
            for stream in range(first, first + 100, 2)
        )
        for first in itertools.count(1, 100)
    ),
    "a message after the end": lambda: (
        b"".join(
            frame(HEADERS, END_HEADERS, stream, head(INPUT)) + frame(DATA, END_STREAM, stream, message(b""))
            + frame(DATA, 0, stream, message(b""))
            for stream in range(first, first + 100, 2)
        )
        for first in itertools.count(1, 100)
    ),
    "a pseudo-header twice": lambda: calls(head(repeated=literal(":path", UNARY))),
    "a path without slash": lambda: calls(head(UNARY[1:])),
}  # fmt: skip

FLOODS = {
    "CONTINUATION": continuation,
    "PING": lambda: flood(frame(PING, 0, 0, bytes(8))),
    "SETTINGS": lambda: flood(frame(SETTINGS, 0, 0)),
    "empty DATA": lambda: flood(frame(DATA, 0, 1)),
    "PRIORITY": lambda: flood(frame(PRIORITY, 0, 1, bytes(5))),
    "unknown frames": lambda: flood(frame(0x77, 0, 0, bytes(3))),
    "header bomb": header_bomb,
    "20,000 tiny headers": lambda: calls(head(extra=literal("a", "") * 20_000)),
    "header lists over the limit": lambda: calls(head(extra=long_literal("x", "v" * 20_000))),
    "huge metadata": lambda: calls(head(extra=long_literal("x", "v" * 100_000))),
    "window updates": lambda: flood(frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\x01")),
    "window updates of the connection": lambda: flood(frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\x01")),
    "too large a window": lambda: flood(frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff")),
}

SLOW = {
    "zero windows with many streams": zero_windows,
    "slow headers": lambda: drip(frame(HEADERS, 0, 1, head())[:9], head()),
    "slow bodies": slow_bodies,
}

# Nothing here ends the connection: each call is answered.
CALLS = {
    "4 GiB length prefixes": lambda: calls(head(), b"\x00\xff\xff\xff\xff" + bytes(100)),
    "compressed without encoding": lambda: calls(head(), message(b"", compressed=1)),
    "gzip bombs": lambda: itertools.islice(
        calls(head(extra=literal("grpc-encoding", "gzip")), message(GZIP_BOMB, compressed=1), at_once=200), 1
    ),
    "gzip bombs in streams": lambda: itertools.islice(
        calls(
            head(INPUT, extra=literal("grpc-encoding", "gzip")), message(GZIP_BOMB, compressed=1) * 10, at_once=20
        ),
        1,
    ),
    "gzip bombs in JSON": lambda: itertools.islice(
        calls(head(te=None, content_type="application/json", extra=literal("content-encoding", "gzip")), JSON_BOMB,
              at_once=200),
        1,
    ),
    "gzip bombs in streams of JSON": lambda: itertools.islice(
        calls(
            head(INPUT, te=None, content_type="application/connect+json",
                 extra=literal("connect-content-encoding", "gzip")),
            message(JSON_TEXT, compressed=1) * 4, at_once=50,
        ),
        1,
    ),
    "two million elements": lambda: itertools.islice(
        calls(head(OUTPUT, extra=literal("grpc-encoding", "gzip")), message(ELEMENTS, compressed=1), at_once=200), 1
    ),
    "long numbers in JSON": lambda: itertools.islice(
        calls(head(te=None, content_type="application/json", extra=literal("content-encoding", "gzip")), JSON_NUMBER,
              at_once=200),
        1,
    ),
    "truncated protobuf": lambda: calls(head(), message(b"\x0a\x7f")),
    "messages in messages": lambda: calls(head(NESTING), message(nested_lists(LEVELS))),
    "groups in groups of an unknown field": lambda: calls(head(), message(b"\xa3\x06" * 5000)),
    "arrays in arrays of JSON": lambda: calls(head(te=None, content_type="application/json"), b"[" * 100_000),
    "no te": lambda: calls(head(te=None), message(b"")),
    "wrong content types": lambda: calls(head(content_type="text/plain"), message(b"")),
    "invalid base64": lambda: calls(head(extra=literal(READ_METADATA, "!")), message(b"")),
    "large metadata": lambda: calls(head(extra=long_literal("x", "v" * 12_000)), message(b"")),
}

# The first two end the connection, with GOAWAY.
ENDING = {**RESETS, **FLOODS}
ATTACKS = {**ENDING, **SLOW, **CALLS}
