"""The public gRPC interoperability cases (interop-test-descriptions.md) against octet-interop, but for compression."""

import queue

import grpc
import pytest

ECHO_INITIAL = "x-grpc-test-echo-initial"
ECHO_TRAILING = "x-grpc-test-echo-trailing-bin"
METADATA = ((ECHO_INITIAL, "test_initial_metadata_value"), (ECHO_TRAILING, b"\x0a\x0b\x0a\x0b\x0a\x0b"))


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

    def method(self, name, kind, response, service="grpc.testing.TestService"):
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

    def request(self, response_size, body_size):
        return self.messages.SimpleRequest(
            response_size=response_size, payload=self.messages.Payload(body=bytes(body_size))
        )

    def output_request(self, *sizes, body_size=0, interval_us=0):
        parameters = [self.messages.ResponseParameters(size=size, interval_us=interval_us) for size in sizes]
        return self.messages.StreamingOutputCallRequest(
            response_parameters=parameters, payload=self.messages.Payload(body=bytes(body_size))
        )

    def input_request(self, size):
        return self.messages.StreamingInputCallRequest(payload=self.messages.Payload(body=bytes(size)))


@pytest.fixture
def stub(interop, messages):
    return Stub(interop, messages)


def fails_with(code, call):
    with pytest.raises(grpc.RpcError) as caught:
        call()
    assert caught.value.code() == code
    return caught.value


def test_empty_unary(stub):
    assert stub.method("EmptyCall", "unary_unary", None)(b"", timeout=10) == b""


def test_large_unary(stub):
    assert len(stub.unary(stub.request(314159, 271828), timeout=10).payload.body) == 314159


def test_client_streaming(stub):
    sizes = (27182, 8, 1828, 45904)
    response = stub.input((stub.input_request(size) for size in sizes), timeout=10)
    assert response.aggregated_payload_size == 74922


def test_server_streaming(stub):
    sizes = [31415, 9, 2653, 58979]
    assert [len(item.payload.body) for item in stub.output(stub.output_request(*sizes), timeout=10)] == sizes


def test_server_streaming_with_intervals(stub):
    request = stub.output_request(1, 2, 3, interval_us=5000)
    assert [len(item.payload.body) for item in stub.output(request, timeout=10)] == [1, 2, 3]


def test_ping_pong(stub):
    requests = Requests()
    call = stub.duplex(requests, timeout=10)
    for sent, wanted in ((27182, 31415), (8, 9), (1828, 2653), (45904, 58979)):
        requests.send(stub.output_request(wanted, body_size=sent))
        assert len(next(call).payload.body) == wanted
    requests.finish()
    assert list(call) == []


def test_half_duplex(stub):
    requests = iter([stub.output_request(size) for size in (1, 2, 3)])
    assert [len(item.payload.body) for item in stub.half_duplex(requests, timeout=10)] == [1, 2, 3]


def test_empty_stream(stub):
    assert list(stub.duplex(iter([]), timeout=10)) == []


def test_cancel_after_begin(stub):
    requests = Requests()
    call = stub.input.future(requests)
    call.cancel()
    assert call.code() == grpc.StatusCode.CANCELLED
    requests.finish()


def test_cancel_after_first_response(stub):
    requests = Requests()
    call = stub.duplex(requests)
    requests.send(stub.output_request(31415, body_size=27182))
    next(call)
    call.cancel()
    fails_with(grpc.StatusCode.CANCELLED, lambda: next(call))
    requests.finish()


def test_timeout_on_sleeping_server(stub):
    requests = Requests()
    call = stub.duplex(requests, timeout=0.001)
    requests.send(stub.output_request(body_size=27182))
    fails_with(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: next(call))
    requests.finish()


def test_status_code_and_message(stub):
    status = stub.messages.EchoStatus(code=2, message="test status message")
    error = fails_with(
        grpc.StatusCode.UNKNOWN, lambda: stub.unary(stub.messages.SimpleRequest(response_status=status))
    )
    assert error.details() == "test status message"
    call = stub.duplex(iter([stub.messages.StreamingOutputCallRequest(response_status=status)]))
    assert fails_with(grpc.StatusCode.UNKNOWN, lambda: next(call)).details() == "test status message"


def test_special_status_message(stub):
    text = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
    status = stub.messages.EchoStatus(code=2, message=text)
    error = fails_with(
        grpc.StatusCode.UNKNOWN, lambda: stub.unary(stub.messages.SimpleRequest(response_status=status))
    )
    assert error.details() == text


def test_unimplemented_method(stub):
    fails_with(
        grpc.StatusCode.UNIMPLEMENTED, lambda: stub.method("UnimplementedCall", "unary_unary", None)(b"")
    )


def test_unimplemented_service(stub):
    method = stub.method("UnimplementedCall", "unary_unary", None, service="grpc.testing.UnimplementedService")
    fails_with(grpc.StatusCode.UNIMPLEMENTED, lambda: method(b""))


def test_custom_metadata(stub):
    _, call = stub.unary.with_call(stub.request(314159, 271828), metadata=METADATA, timeout=10)
    check_metadata(call)
    call = stub.duplex(iter([stub.output_request(314159, body_size=271828)]), metadata=METADATA, timeout=10)
    assert len(list(call)) == 1
    check_metadata(call)


def check_metadata(call):
    assert dict(call.initial_metadata())[ECHO_INITIAL] == METADATA[0][1]
    assert dict(call.trailing_metadata())[ECHO_TRAILING] == METADATA[1][1]


def test_rpc_soak(stub):
    for _ in range(200):
        assert len(stub.unary(stub.request(3141, 2718), timeout=10).payload.body) == 3141


def test_an_oversized_message_is_refused_with_a_status(stub):
    fails_with(grpc.StatusCode.RESOURCE_EXHAUSTED, lambda: stub.unary(stub.request(1, 5 << 20), timeout=10))
