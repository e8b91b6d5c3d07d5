"""gRPC by hand over the package `h2`: shows the bytes that grpcio hides, and sends what it never would."""

import gzip
import select
import socket
import struct
import threading

import h2.config
import h2.connection
import h2.events

PATIENCE_SECONDS = 120
# Between two pieces of a body that trickles.
TRICKLE_SECONDS = 0.02
REQUEST_HEADERS = [("content-type", "application/grpc"), ("te", "trailers")]


def frame(payload, compressed=False):
    """A message with its prefix; compressed by gzip if asked."""
    if compressed:
        payload = gzip.compress(payload, mtime=0)
    return struct.pack(">BI", compressed, len(payload)) + payload


def unframe(body):
    """The messages of a body: (whether it is compressed, wire form). Fails for what gzip cannot read."""
    messages = []
    while body:
        compressed, length = struct.unpack(">BI", body[:5])
        payload, body = body[5 : 5 + length], body[5 + length :]
        assert len(payload) == length and compressed in (0, 1)
        messages.append((bool(compressed), gzip.decompress(payload) if compressed else payload))
    return messages


class Answer:
    """All that came back on a stream."""

    def __init__(self):
        self.headers = {}
        self.body = b""
        self.trailers = {}
        self.is_trailers_only = False
        self.reset = None
        self.is_over = False

    @property
    def status(self):
        """The gRPC status, wherever it is."""
        return int({**self.headers, **self.trailers}["grpc-status"])

    @property
    def messages(self):
        return unframe(self.body)


class RawClient:
    """A blocking client: one connection, one call at a time. A context manager."""

    def __init__(self, address, header_encoding="utf-8"):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS)
        # Requests that break the rules are to reach the server.
        config = h2.config.H2Configuration(
            client_side=True, header_encoding=header_encoding, validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )  # fmt: skip
        self.connection = h2.connection.H2Connection(config)
        self.connection.initiate_connection()
        self.authority = address
        self._flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _flush(self):
        self.socket.sendall(self.connection.data_to_send())

    def begin(self, path, headers=(), end=False):
        """Sends the head of a request; returns the stream's id."""
        stream = self.connection.get_next_available_stream_id()
        head = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", self.authority)]
        self.connection.send_headers(stream, [*head, *REQUEST_HEADERS, *headers], end_stream=end)
        self._flush()
        return stream

    def send(self, stream, data, end=False, answer=None):
        """Sends body bytes as the windows allow; stops if the server ends the stream first. Returns what came meanwhile."""
        answer = answer or Answer()
        while data and not answer.is_over:
            room = min(
                self.connection.local_flow_control_window(stream), self.connection.max_outbound_frame_size, len(data)
            )
            if room == 0:
                self.receive(stream, answer)
                continue
            self.connection.send_data(stream, data[:room], end_stream=end and room == len(data))
            data = data[room:]
            self._flush()
        return answer

    def read(self, stream, answer=None, until=lambda answer: False):
        """Waits for the end of the stream, or until something holds."""
        answer = answer or Answer()
        while not answer.is_over and not until(answer):
            self.receive(stream, answer)
        return answer

    def call(self, path, body=b"", headers=()):
        """A whole call: head, body, end."""
        stream = self.begin(path, headers, end=not body)
        return self.read(stream, self.send(stream, body, end=True) if body else None)

    def trickle(self, path, begun, piece):
        """A call whose body comes piece by piece, for as long as the server lets it."""
        stream, answer = self.begin(path), Answer()
        self.send(stream, begun, answer=answer)
        while not answer.is_over:
            self.send(stream, piece, answer=answer)
            while not answer.is_over and select.select([self.socket], [], [], TRICKLE_SECONDS)[0]:
                self.receive(stream, answer)
        return answer

    def receive(self, stream, answer):
        """Waits for octets, and adds to `answer` what they are for that stream."""
        data = self.socket.recv(65536)
        assert data, "the server closed the connection"
        for event in self.connection.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if getattr(event, "stream_id", None) != stream:
                assert not isinstance(event, h2.events.ConnectionTerminated), event
                continue
            if isinstance(event, h2.events.ResponseReceived):
                answer.headers = dict(event.headers)
                answer.is_trailers_only = event.stream_ended is not None
            elif isinstance(event, h2.events.DataReceived):
                answer.body += event.data
            elif isinstance(event, h2.events.TrailersReceived):
                answer.trailers = dict(event.headers)
            elif isinstance(event, h2.events.StreamReset):
                answer.reset = event.error_code
                answer.is_over = True
            if isinstance(event, h2.events.StreamEnded):
                answer.is_over = True
        self._flush()


class RawServer:
    """Answers each request when it has ended. A context manager; `address` is where it listens.

    `answer` takes the request's headers and messages, as `unframe` gives them, and returns the headers of the answer, its
    body, and its trailers (None for none); or an HTTP/2 error code to reset the stream with.
    """

    def __init__(self, answer):
        self.answer = answer
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.failures = []

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        if kind is None:
            assert not self.failures, self.failures

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        connection = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8", validate_outbound_headers=False)
        )
        connection.initiate_connection()
        client.sendall(connection.data_to_send())
        requests, outgoing = {}, {}
        with client:
            while data := self._receive(client):
                for event in connection.receive_data(data):
                    self._take(connection, event, requests, outgoing)
                self._write(connection, outgoing)
                try:
                    client.sendall(connection.data_to_send())
                except OSError:
                    return

    @staticmethod
    def _receive(client):
        """Nothing when the client is gone."""
        try:
            return client.recv(65536)
        except OSError:
            return b""

    def _take(self, connection, event, requests, outgoing):
        if isinstance(event, h2.events.RequestReceived):
            requests[event.stream_id] = (dict(event.headers), bytearray())
        elif isinstance(event, h2.events.DataReceived):
            requests[event.stream_id][1].extend(event.data)
            connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            requests.pop(event.stream_id, None)
            outgoing.pop(event.stream_id, None)
        elif isinstance(event, h2.events.StreamEnded):
            headers, body = requests.pop(event.stream_id)
            try:
                answer = self.answer(headers, unframe(bytes(body)))
            except Exception as failure:  # Shown when the test is over; the client gets a plain failure.
                self.failures.append(repr(failure))
                answer = ([(":status", "500")], b"", None)
            if isinstance(answer, int):
                connection.reset_stream(event.stream_id, answer)
                return
            head, body, trailers = answer
            ends = not body and trailers is None
            connection.send_headers(event.stream_id, head, end_stream=ends)
            if not ends:
                outgoing[event.stream_id] = [body, trailers]

    @staticmethod
    def _write(connection, outgoing):
        for stream, entry in list(outgoing.items()):
            while entry[0]:
                room = min(connection.local_flow_control_window(stream), connection.max_outbound_frame_size)
                if room == 0:
                    break
                connection.send_data(stream, entry[0][:room], end_stream=len(entry[0]) <= room and entry[1] is None)
                entry[0] = entry[0][room:]
            if not entry[0]:
                if entry[1] is not None:
                    connection.send_headers(stream, entry[1], end_stream=True)
                del outgoing[stream]
