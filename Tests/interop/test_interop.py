"""The public gRPC interoperability cases (interop-test-descriptions.md) with grpcio's client against octet-interop."""

import grpc
import pytest
from cases import CODES, ECHO_INITIAL, ECHO_TRAILING, METADATA, Requests, Stub, fails_with
from support.server import Server


@pytest.fixture
def stub(interop, messages):
    return Stub(interop, messages)


def test_empty_unary(stub):
    assert stub.method("EmptyCall", "unary_unary", None)(b"", timeout=120) == b""


def test_large_unary(stub):
    assert len(stub.unary(stub.request(314159, 271828), timeout=120).payload.body) == 314159


def test_client_streaming(stub):
    sizes = (27182, 8, 1828, 45904)
    response = stub.input((stub.input_request(size) for size in sizes), timeout=120)
    assert response.aggregated_payload_size == 74922


def test_server_streaming(stub):
    sizes = [31415, 9, 2653, 58979]
    assert [len(item.payload.body) for item in stub.output(stub.output_request(*sizes), timeout=120)] == sizes


def test_server_streaming_with_intervals(stub):
    request = stub.output_request(1, 2, 3, interval_us=5000)
    assert [len(item.payload.body) for item in stub.output(request, timeout=120)] == [1, 2, 3]


def test_ping_pong(stub):
    requests = Requests()
    call = stub.duplex(requests, timeout=120)
    for sent, wanted in ((27182, 31415), (8, 9), (1828, 2653), (45904, 58979)):
        requests.send(stub.output_request(wanted, body_size=sent))
        assert len(next(call).payload.body) == wanted
    requests.finish()
    assert list(call) == []


def test_half_duplex(stub):
    requests = iter([stub.output_request(size) for size in (1, 2, 3)])
    assert [len(item.payload.body) for item in stub.half_duplex(requests, timeout=120)] == [1, 2, 3]


def test_empty_stream(stub):
    assert list(stub.duplex(iter([]), timeout=120)) == []


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
    _, call = stub.unary.with_call(stub.request(314159, 271828), metadata=METADATA, timeout=120)
    check_metadata(call)
    call = stub.duplex(iter([stub.output_request(314159, body_size=271828)]), metadata=METADATA, timeout=120)
    assert len(list(call)) == 1
    check_metadata(call)


def check_metadata(call):
    assert dict(call.initial_metadata())[ECHO_INITIAL] == METADATA[0][1]
    assert dict(call.trailing_metadata())[ECHO_TRAILING] == METADATA[1][1]


def test_cacheable_unary(stub):
    """grpcio cannot ask by GET; what a cache needs to know is there all the same."""
    method = stub.method("CacheableUnaryCall", "unary_unary", stub.messages.SimpleResponse)
    for _ in range(2):
        answer, call = method.with_call(
            stub.request(314159, 271828), metadata=(("x-user-ip", "1.2.3.4"),), timeout=120
        )
        assert len(answer.payload.body) == 314159
        assert "max-age=" in dict(call.initial_metadata())["cache-control"]


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, None])
def test_client_compressed_unary(stub, compression):
    compressed = compression is not None
    request = stub.request(314159, 271828)
    request.expect_compressed.value = compressed
    assert len(stub.unary(request, compression=compression, timeout=120).payload.body) == 314159
    request.expect_compressed.value = not compressed
    fails_with(grpc.StatusCode.INVALID_ARGUMENT, lambda: stub.unary(request, compression=compression, timeout=120))


def test_client_compressed_streaming(stub):
    expected = stub.messages.BoolValue(value=True)
    requests = [stub.input_request(27182, expect_compressed=expected), stub.input_request(45904)]
    fails_with(grpc.StatusCode.INVALID_ARGUMENT, lambda: stub.input(iter(requests), timeout=120))
    response = stub.input(iter(requests), compression=grpc.Compression.Gzip, timeout=120)
    assert response.aggregated_payload_size == 73086


def test_deflate_is_refused(stub):
    """It is in grpcio's list, and not in ours."""
    request = stub.request(1, 271828)
    fails_with(
        grpc.StatusCode.UNIMPLEMENTED,
        lambda: stub.unary(request, compression=grpc.Compression.Deflate, timeout=120),
    )


def test_server_compressed_unary(stub):
    """That it is compressed on the wire is seen in test_raw.py: grpcio hides it."""
    for compressed in (True, False):
        request = stub.request(314159, 271828)
        request.response_compressed.value = compressed
        assert len(stub.unary(request, timeout=120).payload.body) == 314159


def test_server_compressed_streaming(stub):
    request = stub.output_request(31415, 92653)
    request.response_parameters[0].compressed.value = True
    request.response_parameters[1].compressed.value = False
    assert [len(item.payload.body) for item in stub.output(request, timeout=120)] == [31415, 92653]


def test_pick_first_unary(tmp_path, messages):
    """Of two servers, all calls go to one."""
    with Server(tmp_path, program="octet-interop") as one, Server(tmp_path, program="octet-interop") as other:
        target = f"ipv4:{one.address},{other.address}"
        with grpc.insecure_channel(target, options=[("grpc.lb_policy_name", "pick_first")]) as channel:
            stub = Stub(channel, messages)
            request = stub.request(1, 1, fill_server_id=True)
            ids = {stub.unary(request, timeout=120).server_id for _ in range(20)}
        assert len(ids) == 1 and "" not in ids
        with grpc.insecure_channel(target, options=[("grpc.lb_policy_name", "round_robin")]) as channel:
            stub = Stub(channel, messages)
            # The second connection may come after some calls.
            while len(ids) < 2:
                ids.add(stub.unary(request, timeout=120).server_id)


def test_rpc_soak(stub):
    for _ in range(200):
        assert len(stub.unary(stub.request(314159, 271828), timeout=120).payload.body) == 314159


def test_channel_soak(server_address, messages):
    for _ in range(50):
        # Without a pool of its own, a channel would share its connection with the last one.
        with grpc.insecure_channel(server_address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            stub = Stub(channel, messages)
            assert len(stub.unary(stub.request(314159, 271828), timeout=120).payload.body) == 314159


@pytest.mark.parametrize("kind", ["unary", "server streaming", "client streaming", "bidirectional"])
def test_an_oversized_message_is_refused_with_a_status(stub, kind):
    fails_with(grpc.StatusCode.RESOURCE_EXHAUSTED, stub.all_kinds(5 << 20)[kind])
    # At the limit's near side all is well, and the connection has not suffered.
    stub.all_kinds((4 << 20) - 100)[kind]()


@pytest.mark.parametrize("kind", ["unary", "server streaming", "client streaming", "bidirectional"])
def test_a_bomb_is_refused_with_a_status(server_address, messages, kind):
    channel = grpc.insecure_channel(server_address, compression=grpc.Compression.Gzip)
    with channel:
        stub = Stub(channel, messages)
        fails_with(grpc.StatusCode.RESOURCE_EXHAUSTED, stub.all_kinds(200 << 20)[kind])
        stub.all_kinds((4 << 20) - 100)[kind]()


@pytest.mark.parametrize("code", CODES)
def test_every_code_and_its_message(stub, code):
    for text in ("", "plain", "100 % – 😈\r\n\0"):
        status = stub.messages.EchoStatus(code=code.value[0], message=text)
        error = fails_with(code, lambda: stub.unary(stub.messages.SimpleRequest(response_status=status), timeout=120))
        assert error.details() == text
        call = stub.duplex(iter([stub.messages.StreamingOutputCallRequest(response_status=status)]), timeout=120)
        assert fails_with(code, lambda: next(call)).details() == text


def test_binary_metadata_of_every_length(stub):
    values = [bytes(range(length)) for length in range(40)]
    sent = tuple((ECHO_TRAILING, value) for value in values)
    _, call = stub.unary.with_call(stub.request(1, 1), metadata=sent, timeout=120)
    assert [value for key, value in call.trailing_metadata() if key == ECHO_TRAILING] == values


def test_metadata_beyond_the_limits_is_refused_with_a_status(stub):
    def call(metadata):
        return stub.unary(stub.request(1, 1), metadata=metadata, timeout=120)

    call(tuple((f"x-{index}", "v") for index in range(180)))
    fails_with(
        grpc.StatusCode.RESOURCE_EXHAUSTED, lambda: call(tuple((f"x-{index}", "v") for index in range(300)))
    )
    call((("x-long", "v" * 15_000),))
    fails_with(grpc.StatusCode.RESOURCE_EXHAUSTED, lambda: call((("x-long", "v" * 17_000),)))
    call(())


def test_half_close_reaches_the_handler_in_every_kind(stub):
    """A handler that reads to the end answers when the client has ended, and not before."""
    requests = Requests()
    call = stub.half_duplex(requests, timeout=120)
    requests.send(stub.output_request(7))
    assert not call.done()
    requests.finish()
    assert [len(item.payload.body) for item in call] == [7]
    requests = Requests()
    future = stub.input.future(requests, timeout=120)
    requests.send(stub.input_request(9))
    assert not future.done()
    requests.finish()
    assert future.result().aggregated_payload_size == 9
