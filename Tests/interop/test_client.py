"""octet-interop as the client of the public interoperability cases: against grpcio, against gRPC C++ and a server made by
hand, which see what is compressed, and against octet-interop."""

import itertools
import subprocess

import grpc
import pytest
from cases import SERVICE
from foreign_server import ForeignServer, Service
from grpc_cpp import running_cpp_server
from support.raw import RawClient, RawServer, frame, unframe
from raw_service import HEAD, OK, RawService, bomb
from support.server import BUILD, Server

CASES = (
    "empty_unary large_unary cacheable_unary client_streaming server_streaming ping_pong empty_stream "
    "client_compressed_unary server_compressed_unary client_compressed_streaming server_compressed_streaming "
    "cancel_after_begin cancel_after_first_response timeout_on_sleeping_server custom_metadata "
    "status_code_and_message special_status_message unimplemented_method unimplemented_service pick_first_unary "
    "rpc_soak channel_soak "
    # Not among the public ones.
    "oversized_request oversized_response every_status"
).split()
COMPRESSED = [case for case in CASES if "compressed" in case]
# What only a server can pass that sees whether a message came compressed.
NOT_ON_GRPCIO = {"client_compressed_unary", "client_compressed_streaming"}
TIMEOUT_SECONDS = 300
# Their usual limits, a second for a call and ten for all, are those of a machine without other work.
PATIENT = ("--soak_per_iteration_max_acceptable_latency_ms=240000", "--soak_overall_timeout_seconds=240")


def run(address, case, *flags):
    host, port = address.rsplit(":", 1)
    command = [BUILD / "octet-interop", "--client", f"--server_host={host}", f"--server_port={port}"]
    # The last one of a flag counts.
    flags = [f"--test_case={case}", *(PATIENT if case.endswith("soak") else ()), *flags]
    return subprocess.run([*command, *flags], capture_output=True, text=True, timeout=TIMEOUT_SECONDS)


def passes(address, case, *flags):
    result = run(address, case, *flags)
    assert result.returncode == 0, result.stderr
    assert f"{case}: passed" in result.stdout


def fails(address, case, *flags):
    """Returns what the client complains of."""
    result = run(address, case, *flags)
    assert result.returncode == 1, result.stdout
    return result.stderr


@pytest.fixture(scope="module")
def foreign(messages):
    with ForeignServer(Service(messages)) as server:
        yield server.address


@pytest.fixture(scope="module")
def cpp():
    with running_cpp_server() as address:
        yield address


def test_the_list_of_cases_is_whole():
    result = run("127.0.0.1:1", "list")
    assert result.stdout.split() == CASES


@pytest.mark.parametrize("case", [case for case in CASES if case not in NOT_ON_GRPCIO])
def test_against_grpcio(foreign, case):
    passes(foreign, case)


@pytest.mark.parametrize("case", CASES)
def test_against_grpc_cpp(cpp, case):
    passes(cpp, case)


def test_grpc_cpp_sees_what_is_compressed(cpp):
    """Its answers to the four ways that `expect_compressed` and a message can be."""
    with RawClient(cpp) as client:
        for expected, compressed in itertools.product((True, False), repeat=2):
            # A SimpleRequest, and a StreamingInputCallRequest: `expect_compressed` with its value.
            for method, field in (("UnaryCall", b"\x42"), ("StreamingInputCall", b"\x12")):
                message = field + (b"\x02\x08\x01" if expected else b"\x00")
                answer = client.call(
                    f"/{SERVICE}/{method}", frame(message, compressed), [("grpc-encoding", "gzip")]
                )
                assert answer.status == (0 if expected == compressed else 3), (method, expected, compressed)


@pytest.mark.parametrize("case", COMPRESSED)
def test_against_a_server_that_sees_what_is_compressed(messages, case):
    service = RawService(messages)
    with RawServer(service.answer) as server:
        passes(server.address, case)
    assert service.seen


@pytest.mark.parametrize("case", CASES)
def test_against_octet_interop(server_address, case):
    passes(server_address, case)


def test_a_cacheable_answer_is_asked_for_by_get_where_the_server_takes_it(foreign, server_address):
    assert "by GET too" in run(server_address, "cacheable_unary").stdout
    assert "by GET too" not in run(foreign, "cacheable_unary").stdout


def test_over_tls(tmp_path, tls):
    flags = ("--tls-cert", tls / "cert.pem", "--tls-key", tls / "key.pem")
    with Server(tmp_path, *flags, program="octet-interop") as server:
        address = server.ready["tls"]
        passes(address, "large_unary", "--use_tls=true", f"--ca_file={tls / 'ca.pem'}")
        assert "certificate" in fails(address, "large_unary", "--use_tls=true")


def test_the_soak_tests_count_failures(foreign):
    passes(foreign, "rpc_soak", "--soak_iterations=50", "--soak_num_threads=2")
    flags = ("--soak_iterations=3", "--soak_per_iteration_max_acceptable_latency_ms=0")
    assert "3 were too slow" in fails(foreign, "channel_soak", *flags)
    passes(foreign, "channel_soak", *flags, "--soak_max_failures=3")
    assert "within the time" in fails(foreign, "rpc_soak", "--soak_overall_timeout_seconds=0")


def unary_answer(head, body, trailers):
    return lambda headers, received: (head, body, trailers)


@pytest.mark.parametrize("case", ["server_compressed_unary", "server_compressed_streaming"])
def test_a_server_that_does_not_compress_fails(messages, case):
    service = RawService(messages)

    def plain(headers, received):
        head, body, trailers = service.answer(headers, received)
        body = b"".join(frame(message) for _, message in unframe(body))
        return head, body, trailers

    with RawServer(plain) as server:
        assert "compressed is false and should be true" in fails(server.address, case)


@pytest.mark.parametrize(
    "head, body, code",
    [
        ([*HEAD, ("grpc-encoding", "gzip")], bomb(200 << 20), "RESOURCE_EXHAUSTED"),
        ([*HEAD, ("grpc-encoding", "zstd")], frame(b"", True), "INTERNAL"),
        (HEAD, frame(b"", True), "INTERNAL"),
        ([*HEAD, ("grpc-encoding", "gzip")], b"\x01\0\0\0\x03abc", "INTERNAL"),
        (HEAD, frame(bytes(5 << 20)), "RESOURCE_EXHAUSTED"),
        (HEAD, b"\0\xff\xff\xff\xff", "RESOURCE_EXHAUSTED"),
        (HEAD, b"\x02\0\0\0\0", "INTERNAL"),
        ([*HEAD, ("x-large", "v" * 20_000)], frame(b""), "RESOURCE_EXHAUSTED"),
    ],
)
def test_a_bad_answer_becomes_its_code(head, body, code):
    with RawServer(unary_answer(head, body, OK)) as server:
        for case in ("empty_unary", "empty_stream"):
            assert code in fails(server.address, case)


@pytest.mark.parametrize(
    "body, code",
    [
        (b"", "UNIMPLEMENTED"), (frame(b"") + frame(b""), "UNIMPLEMENTED"),
        (b"\0", "INTERNAL"), (frame(b"") + b"\0", "INTERNAL"),
    ],
)  # fmt: skip
def test_a_unary_answer_has_exactly_one_message(body, code):
    with RawServer(unary_answer(HEAD, body, OK)) as server:
        assert code in fails(server.address, "empty_unary")


@pytest.mark.parametrize(
    "status, code",
    [
        (400, "INTERNAL"), (401, "UNAUTHENTICATED"), (403, "PERMISSION_DENIED"), (404, "UNIMPLEMENTED"),
        (429, "UNAVAILABLE"), (502, "UNAVAILABLE"), (503, "UNAVAILABLE"), (504, "UNAVAILABLE"), (500, "UNKNOWN"),
        (302, "UNKNOWN"), (200, "UNKNOWN"),
    ],
)  # fmt: skip
def test_an_answer_without_a_grpc_status_has_that_of_its_http_status(status, code):
    head = [(":status", str(status)), ("content-type", "text/html")]
    for body in (b"<html>", b""):
        with RawServer(unary_answer(head, body, None)) as server:
            assert code in fails(server.address, "empty_unary")


def test_a_grpc_status_goes_before_an_http_status():
    head = [(":status", "503"), ("content-type", "application/grpc"), ("grpc-status", "7"), ("grpc-message", "%C3%BC")]
    with RawServer(unary_answer(head, b"", None)) as server:
        assert "PERMISSION_DENIED: ü" in fails(server.address, "empty_unary")


@pytest.mark.parametrize(
    "error, code",
    [
        (0, "INTERNAL"), (1, "INTERNAL"), (2, "INTERNAL"), (3, "INTERNAL"), (4, "INTERNAL"), (6, "INTERNAL"),
        (7, "UNAVAILABLE"), (8, "CANCELLED"), (9, "INTERNAL"), (10, "INTERNAL"), (11, "RESOURCE_EXHAUSTED"),
        (12, "PERMISSION_DENIED"), (13, "INTERNAL"), (0xABCD, "INTERNAL"),
    ],
)  # fmt: skip
def test_a_reset_becomes_its_code(error, code):
    with RawServer(lambda headers, received: error) as server:
        assert code in fails(server.address, "empty_unary")


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_every_code_and_its_message(code):
    head = [*HEAD, ("grpc-status", str(code.value[0])), ("grpc-message", "100%25 %F0%9F%98%88 %zz")]
    with RawServer(unary_answer(head, b"", None)) as server:
        assert f"{code.name}: 100% 😈 %zz" in fails(server.address, "empty_unary")
