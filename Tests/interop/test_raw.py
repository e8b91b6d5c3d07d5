"""What is on the wire between a client made by hand and octet-interop."""

import gzip

import pytest
from cases import SERVICE
from support.raw import RawClient, frame

UNARY, INPUT, OUTPUT, DUPLEX = (
    f"/{SERVICE}/{name}" for name in ("UnaryCall", "StreamingInputCall", "StreamingOutputCall", "FullDuplexCall")
)
KINDS = pytest.mark.parametrize("path", [UNARY, INPUT, OUTPUT, DUPLEX])
ACCEPTS_GZIP = [("grpc-accept-encoding", "identity,gzip")]
SENDS_GZIP = [("grpc-encoding", "gzip")]
OK, INVALID_ARGUMENT, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL = 0, 3, 4, 8, 12, 13


@pytest.fixture
def client(server_address):
    with RawClient(server_address) as client:
        yield client


def unary_request(messages, **fields):
    request = messages.SimpleRequest(response_size=314159, payload=messages.Payload(body=bytes(271828)))
    for name, value in fields.items():
        getattr(request, name).value = value
    return request.SerializeToString()


# Compression


@pytest.mark.parametrize("compressed", [True, False])
def test_server_compressed_unary(client, messages, compressed):
    request = frame(unary_request(messages, response_compressed=compressed))
    answer = client.call(UNARY, request, ACCEPTS_GZIP)
    [(was_compressed, reply)] = answer.messages
    assert answer.status == OK and was_compressed == compressed
    assert answer.headers.get("grpc-encoding") == ("gzip" if compressed else None)
    assert len(messages.SimpleResponse.FromString(reply).payload.body) == 314159
    assert (len(answer.body) < 10_000) == compressed


def test_nothing_is_compressed_for_a_client_that_cannot_read_it(client, messages):
    for headers in ((), [("grpc-accept-encoding", "identity,deflate")]):
        answer = client.call(UNARY, frame(unary_request(messages, response_compressed=True)), headers)
        assert answer.status == OK and [compressed for compressed, _ in answer.messages] == [False]
        assert "grpc-encoding" not in answer.headers


def test_server_compressed_streaming(client, messages):
    request = messages.StreamingOutputCallRequest()
    for size, compressed in ((31415, True), (92653, False)):
        request.response_parameters.add(size=size).compressed.value = compressed
    answer = client.call(OUTPUT, frame(request.SerializeToString()), ACCEPTS_GZIP)
    assert answer.status == OK and answer.headers["grpc-encoding"] == "gzip"
    sizes = [len(messages.StreamingOutputCallResponse.FromString(reply).payload.body) for _, reply in answer.messages]
    assert sizes == [31415, 92653]
    assert [compressed for compressed, _ in answer.messages] == [True, False]


def test_client_compressed_unary(client, messages):
    for expected in (True, False):
        for compressed in (True, False):
            request = frame(unary_request(messages, expect_compressed=expected), compressed)
            answer = client.call(UNARY, request, SENDS_GZIP)
            assert answer.status == (OK if compressed == expected else INVALID_ARGUMENT)


def test_client_compressed_streaming(client, messages):
    def request(size, expected, compressed):
        message = messages.StreamingInputCallRequest(payload=messages.Payload(body=bytes(size)))
        message.expect_compressed.value = expected
        return frame(message.SerializeToString(), compressed)

    body = request(27182, True, True) + request(45904, False, False)
    answer = client.call(INPUT, body, SENDS_GZIP)
    [(_, reply)] = answer.messages
    assert messages.StreamingInputCallResponse.FromString(reply).aggregated_payload_size == 73086
    assert client.call(INPUT, request(27182, True, False), SENDS_GZIP).status == INVALID_ARGUMENT


@KINDS
def test_an_unknown_encoding_is_unimplemented_and_the_known_ones_are_named(client, path):
    answer = client.call(path, frame(b""), [("grpc-encoding", "zstd")])
    assert answer.status == UNIMPLEMENTED and answer.is_trailers_only
    assert answer.headers["grpc-accept-encoding"] == "identity,gzip"


@KINDS
@pytest.mark.parametrize("headers", [[], [("grpc-encoding", "identity")]])
def test_a_compressed_message_without_encoding_is_internal(client, path, headers):
    assert client.call(path, frame(b"", compressed=True), headers).status == INTERNAL


@KINDS
def test_a_compressed_message_that_is_no_gzip_is_internal(client, path):
    whole = frame(bytes(1000), compressed=True)
    broken = whole[:-1] + bytes([whole[-1] ^ 1])
    assert client.call(path, broken, SENDS_GZIP).status == INTERNAL


@KINDS
def test_a_bomb_is_resource_exhausted(client, path):
    """1 GiB of zeros in 1 MB, and it costs the server no more than the limit of 4 MiB."""
    bomb = gzip.compress(bytes(64 << 20)) * 16
    body = b"\x01" + len(bomb).to_bytes(4, "big") + bomb
    answer = client.call(path, body, SENDS_GZIP)
    assert answer.status == RESOURCE_EXHAUSTED and answer.reset in (None, 0)
    assert client.call(UNARY, frame(b"")).status == OK


# Length prefixes


@KINDS
def test_an_oversized_message_is_refused_at_its_prefix(client, path):
    stream = client.begin(path)
    client.send(stream, b"\x00\xff\xff\xff\xff" + bytes(100))
    answer = client.read(stream)
    assert answer.status == RESOURCE_EXHAUSTED and answer.is_trailers_only


@KINDS
def test_an_oversized_message_that_is_sent_whole_is_refused_with_a_status(client, path):
    answer = client.call(path, frame(bytes(8 << 20)))
    assert answer.status == RESOURCE_EXHAUSTED and answer.reset in (None, 0)
    assert client.call(UNARY, frame(b"")).status == OK


# Deadlines


@pytest.mark.parametrize("timeout", ["99999999n", "100000u", "100m"])
@pytest.mark.parametrize("path", [INPUT, DUPLEX])
def test_the_server_ends_a_call_whose_handler_waits_for_input(client, path, timeout):
    """The client has no clock of its own here, and sends nothing."""
    stream = client.begin(path, [("grpc-timeout", timeout)])
    answer = client.read(stream)
    assert answer.status == DEADLINE_EXCEEDED and answer.is_trailers_only


@pytest.mark.parametrize("timeout", ["60S", "1M", "1H", "99999999H", "00000001H"])
def test_every_unit_is_known(client, messages, timeout):
    assert client.call(UNARY, frame(unary_request(messages)), [("grpc-timeout", timeout)]).status == OK


@KINDS
@pytest.mark.parametrize("timeout", ["", "1", "S", "1s", "1.5S", "-1S", "+1S", "100000000S", "1 S", "1D"])
def test_a_malformed_timeout_is_refused(client, path, timeout):
    assert client.call(path, frame(b""), [("grpc-timeout", timeout)]).status == INVALID_ARGUMENT


# Metadata


@pytest.mark.parametrize("value", ["q6ur", "q6urAA==", "q6urAA", "q6ur,q6urAA=="])
def test_binary_metadata_padded_or_not(client, messages, value):
    name = "x-grpc-test-echo-trailing-bin"
    answer = client.call(UNARY, frame(unary_request(messages)), [(name, value)])
    assert answer.status == OK
    assert answer.trailers[name].replace(" ", "") in ("q6ur", "q6urAA")


def test_invalid_base64_is_the_clients_fault(client, messages):
    for value in ("!", "A", "q6ur=", "q6ur===="):
        answer = client.call(UNARY, frame(unary_request(messages)), [("x-grpc-test-echo-trailing-bin", value)])
        assert answer.status == INVALID_ARGUMENT


def test_an_answer_has_head_body_and_trailers_and_an_error_trailers_only(client, messages):
    answer = client.call(UNARY, frame(unary_request(messages)))
    assert answer.headers == {":status": "200", "content-type": "application/grpc"}
    assert answer.trailers == {"grpc-status": "0"} and not answer.is_trailers_only
    status = messages.EchoStatus(code=5, message="nothing – here")
    answer = client.call(UNARY, frame(messages.SimpleRequest(response_status=status).SerializeToString()))
    assert answer.is_trailers_only and answer.headers == {
        ":status": "200", "content-type": "application/grpc", "grpc-status": "5",
        "grpc-message": "nothing %E2%80%93 here",
    }  # fmt: skip
