"""Very many HTTP/2 connections from one process, of bare frames."""

import resource
import selectors
import socket
import ssl
import struct
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = 4
HEADERS = 1
DATA = 0
# Besides connections: the standard streams, the selector, libraries.
SPARE_FILES = 200


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def raise_open_files(connections):
    """Raises the limit of open files as far as it may be. Fails if that does not allow so many connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + SPARE_FILES
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise RuntimeError(f"{connections} connections need {needed} open files, and {hard} are allowed: ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def address_of(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def literal(name, value):
    """A header field that is not indexed (RFC 7541 §6.2.2); both parts are shorter than 127 octets."""
    return bytes([0, len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def request(path, content_type="application/grpc"):
    fields = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost"),
              ("content-type", content_type), ("te", "trailers")]  # fmt: skip
    return b"".join(literal(name, value) for name, value in fields)


def open_at_once(address, count):
    """Opens all connections at the same time and waits until each has got the server's SETTINGS.

    Whoever says nothing for ten seconds is hung up on, and both sides may have stood still for so long: another one takes
    the place of such a connection. Returns the sockets and the seconds that it took.
    """
    hello = PREFACE + frame(SETTINGS, 0, 0)
    selector = selectors.DefaultSelector()
    start = time.monotonic()

    def begin():
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex(address)
        selector.register(connection, selectors.EVENT_WRITE)
        return connection

    def is_greeted(connection, events):
        if events & selectors.EVENT_WRITE:
            error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, "connect")
            connection.send(hello)
            selector.modify(connection, selectors.EVENT_READ)
            return False
        said = connection.recv(65536)
        if not said:
            raise ConnectionResetError("the server has closed a connection")
        if said[3:4] != bytes([SETTINGS]):
            raise RuntimeError("what the server says first is no SETTINGS")
        return True

    sockets = {begin() for _ in range(count)}
    waiting = count
    while waiting:
        ready = selector.select(timeout=120)
        if not ready:
            raise TimeoutError(f"{waiting} of {count} connections have no answer")
        for key, events in ready:
            try:
                if is_greeted(key.fileobj, events):
                    selector.unregister(key.fileobj)
                    waiting -= 1
            except ConnectionError:
                if time.monotonic() > start + 120:
                    raise
                selector.unregister(key.fileobj)
                key.fileobj.close()
                sockets.remove(key.fileobj)
                sockets.add(begin())
    elapsed = time.monotonic() - start
    selector.close()
    return list(sockets), elapsed


def open_encrypted(address, count, authority):
    """Opens connections under TLS, one after the other, each with the server's SETTINGS."""
    context = ssl.create_default_context(cafile=authority)
    context.set_alpn_protocols(["h2"])
    sockets = []
    for _ in range(count):
        connection = context.wrap_socket(socket.create_connection(address, timeout=120), server_hostname="localhost")
        connection.sendall(PREFACE + frame(SETTINGS, 0, 0))
        connection.recv(65536)
        sockets.append(connection)
    return sockets


def begin_calls(connection, path, count, message):
    """Begins calls that go on, and waits for the first bytes of the answer to each."""
    block = request(path)
    body = b"\x00" + struct.pack(">I", len(message)) + message
    frames = b""
    for number in range(count):
        stream = 2 * number + 1
        frames += frame(HEADERS, 4, stream, block) + frame(DATA, 1, stream, body)
    connection.setblocking(True)
    connection.settimeout(120)
    connection.sendall(frames)
    buffer, answered = b"", 0
    while answered < count:
        chunk = connection.recv(65536)
        if not chunk:
            raise OSError("the server has closed a connection")
        buffer += chunk
        while len(buffer) >= 9 and len(buffer) >= 9 + int.from_bytes(buffer[:3], "big"):
            length = int.from_bytes(buffer[:3], "big")
            answered += buffer[3] == DATA and length > 0
            buffer = buffer[9 + length :]
