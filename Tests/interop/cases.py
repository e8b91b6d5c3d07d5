"""What the tests of grpc.testing share: calls of a channel, and requests."""

import queue

import grpc
import pytest

SERVICE = "grpc.testing.TestService"
ECHO_INITIAL = "x-grpc-test-echo-initial"
ECHO_TRAILING = "x-grpc-test-echo-trailing-bin"
METADATA = ((ECHO_INITIAL, "test_initial_metadata_value"), (ECHO_TRAILING, b"\x0a\x0b\x0a\x0b\x0a\x0b"))
# Every code of gRPC but OK.
CODES = [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]


class Requests:
    """An iterator over requests that the test feeds."""

    def __init__(self):
        self.queue = queue.Queue()

    def send(self, message):
        self.queue.put(message)

    def finish(self):
        self.queue.put(None)

    def __iter__(self):
        return self

    def __next__(self):
        message = self.queue.get()
        if message is None:
            raise StopIteration
        return message


class Stub:
    def __init__(self, channel, messages):
        self.channel = channel
        self.messages = messages

    def method(self, name, kind, response, service=SERVICE):
        return getattr(self.channel, kind)(
            f"/{service}/{name}",
            request_serializer=lambda message: message if isinstance(message, bytes) else message.SerializeToString(),
            response_deserializer=response.FromString if response else lambda data: data,
        )

    @property
    def unary(self):
        return self.method("UnaryCall", "unary_unary", self.messages.SimpleResponse)

    @property
    def output(self):
        return self.method("StreamingOutputCall", "unary_stream", self.messages.StreamingOutputCallResponse)

    @property
    def input(self):
        return self.method("StreamingInputCall", "stream_unary", self.messages.StreamingInputCallResponse)

    @property
    def duplex(self):
        return self.method("FullDuplexCall", "stream_stream", self.messages.StreamingOutputCallResponse)

    @property
    def half_duplex(self):
        return self.method("HalfDuplexCall", "stream_stream", self.messages.StreamingOutputCallResponse)

    def request(self, response_size, body_size, **fields):
        return self.messages.SimpleRequest(
            response_size=response_size, payload=self.messages.Payload(body=bytes(body_size)), **fields
        )

    def output_request(self, *sizes, body_size=0, interval_us=0):
        parameters = [self.messages.ResponseParameters(size=size, interval_us=interval_us) for size in sizes]
        return self.messages.StreamingOutputCallRequest(
            response_parameters=parameters, payload=self.messages.Payload(body=bytes(body_size))
        )

    def input_request(self, size, **fields):
        return self.messages.StreamingInputCallRequest(payload=self.messages.Payload(body=bytes(size)), **fields)

    def all_kinds(self, body_size):
        """A call of each kind whose (first) request has a payload of `body_size` bytes, by name."""
        output = self.output_request(1, body_size=body_size)
        return {
            "unary": lambda: self.unary(self.request(1, body_size), timeout=300),
            "server streaming": lambda: list(self.output(output, timeout=300)),
            "client streaming": lambda: self.input(iter([self.input_request(body_size)]), timeout=300),
            "bidirectional": lambda: list(self.duplex(iter([output]), timeout=300)),
        }


def fails_with(code, call):
    with pytest.raises(grpc.RpcError) as caught:
        call()
    assert caught.value.code() == code
    return caught.value
