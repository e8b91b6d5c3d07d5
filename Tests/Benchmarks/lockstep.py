"""An HTTP/2 client whose traffic is the same in every run, for counting what a server does with it.

It sends requests in batches of one write each and waits for all answers of a batch before it sends the next, so that a
server on one event loop works in the same ticks every time. Only what a server of ours says is understood.
"""

import socket
import struct

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
LARGEST_WINDOW = (1 << 31) - 1
FIRST_WINDOW = 65_535
FRAME_SIZE = 16_384


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def message(wire_form):
    """A message of gRPC, uncompressed."""
    return b"\x00" + struct.pack(">I", len(wire_form)) + wire_form


def varint(value):
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)


def text(octets):
    """A text of a header block (RFC 7541 §5.2)."""
    length = bytes([len(octets)]) if len(octets) < 0x7F else b"\x7f" + varint(len(octets) - 0x7F)
    return length + octets


def literal(index, value, name=b""):
    """A header field that goes into the dynamic table (RFC 7541 §6.2.1)."""
    return bytes([0x40 | index]) + (text(name) if name else b"") + text(value)


def secret(name, value):
    """A header field that goes into no table, as clients send credentials (RFC 7541 §6.2.3)."""
    return b"\x10" + text(name) + text(value)


class Client:
    """One connection, which calls one path, with metadata that is secret."""

    def __init__(self, address, path, metadata=()):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = bytearray()
        self.next_stream = 1
        self.unfinished = 0
        self.awaited_pings = 0
        self.connection_window = FIRST_WINDOW
        self.stream_window = self.first_stream_window = FIRST_WINDOW
        # :method POST, :scheme http, then four literals, which later requests name by their place in the table.
        self.first_head = b"\x83\x86" + literal(4, path) + literal(1, address.encode())
        self.first_head += literal(31, b"application/grpc") + literal(0, b"trailers", name=b"te")
        self.later_head = b"\x83\x86\xc1\xc0\xbf\xbe"
        for name, value in metadata:
            field = secret(name.encode(), value.encode())
            self.first_head += field
            self.later_head += field
        settings = struct.pack(">HI", 4, LARGEST_WINDOW)
        self.socket.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, settings)
            + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", LARGEST_WINDOW - FIRST_WINDOW))
        )  # fmt: skip
        self.is_greeted = False
        while not self.is_greeted:
            self.receive()

    def head(self):
        """HEADERS of a new request."""
        block = self.first_head if self.next_stream == 1 else self.later_head
        head = frame(HEADERS, END_HEADERS, self.next_stream, block)
        self.next_stream += 2
        self.unfinished += 1
        return head

    def call(self, body, times):
        """Sends `times` requests with that body in one write and waits for their answers."""
        batch = bytearray()
        for _ in range(times):
            stream = self.next_stream
            batch += self.head() + frame(DATA, END_STREAM, stream, body)
        self.socket.sendall(batch)
        self.connection_window -= times * len(body)
        while self.unfinished:
            self.receive()

    def upload(self, body, times):
        """Sends one request with `times` bodies, as the windows allow, and waits for its answer."""
        stream = self.next_stream
        self.stream_window = self.first_stream_window
        self.socket.sendall(self.head())
        per_frame = FRAME_SIZE // len(body)
        while times:
            count = min(times, per_frame)
            while min(self.connection_window, self.stream_window) < count * len(body):
                self.receive()
            # The PING comes back when the tick is over in which the server has read both.
            self.socket.sendall(frame(DATA, 0, stream, body * count) + frame(PING, 0, 0, bytes(8)))
            self.awaited_pings += 1
            self.connection_window -= count * len(body)
            self.stream_window -= count * len(body)
            times -= count
            while self.awaited_pings:
                self.receive()
        self.socket.sendall(frame(DATA, END_STREAM, stream))
        while self.unfinished:
            self.receive()

    def receive(self):
        """Takes what the server has sent."""
        octets = self.socket.recv(1 << 20)
        if not octets:
            raise ConnectionError("the server has closed the connection")
        self.received += octets
        position = 0
        while len(self.received) - position >= 9:
            length = int.from_bytes(self.received[position : position + 3], "big")
            if len(self.received) - position < 9 + length:
                break
            kind, flags = self.received[position + 3 : position + 5]
            stream = int.from_bytes(self.received[position + 5 : position + 9], "big")
            self.take(kind, flags, stream, bytes(self.received[position + 9 : position + 9 + length]))
            position += 9 + length
        del self.received[:position]

    def take(self, kind, flags, stream, payload):
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            # A block that fails has a message in it; grpc-status 0 alone is short.
            if kind == HEADERS and len(payload) > 20:
                raise ConnectionError(f"the call failed: {payload!r}")
            self.unfinished -= 1
        elif kind == SETTINGS and not flags & ACK:
            for offset in range(0, len(payload), 6):
                name, value = struct.unpack_from(">HI", payload, offset)
                if name == 4:
                    self.stream_window = self.first_stream_window = value
            self.is_greeted = True
            self.socket.sendall(frame(SETTINGS, ACK, 0))
        elif kind == PING and flags & ACK:
            self.awaited_pings -= 1
        elif kind == PING:
            self.socket.sendall(frame(PING, ACK, 0, payload))
        elif kind == WINDOW_UPDATE:
            increment = int.from_bytes(payload, "big")
            if stream:
                self.stream_window += increment
            else:
                self.connection_window += increment
        elif kind in (RST_STREAM, GOAWAY):
            raise ConnectionError(f"the server has ended the call or the connection: {kind} {payload!r}")
