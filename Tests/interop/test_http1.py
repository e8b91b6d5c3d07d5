"""HTTP/1.1 clients of others against octet-interop: curl and Python's http.client."""

import http.client
import subprocess

import pytest
from support.server import Server

GRPC = {"content-type": "application/grpc", "te": "trailers"}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("unused"), "--loops", "1", program="octet-interop") as server:
        yield server.address


@pytest.fixture
def connection(address):
    connection = http.client.HTTPConnection(address, timeout=120)
    yield connection
    connection.close()


def curl(*arguments):
    command = ["curl", "-sS", "-i", "--max-time", "120", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_curl_without_flags_is_answered(address):
    answer = curl("-d", "{", "-H", "content-type: text/csv", f"http://{address}/grpc.testing.TestService/EmptyCall")
    assert answer.startswith("HTTP/1.1 415 Unsupported Media Type\n")
    assert "application/grpc" in answer


def test_curl_sends_a_large_body(address, tmp_path):
    (tmp_path / "body").write_bytes(bytes(3_000_000))
    answer = curl("-H", "Expect:", "-T", tmp_path / "body", "-X", "POST", f"http://{address}/a/b")
    assert "415 Unsupported Media Type" in answer


def test_grpc_is_told_to_come_by_http2(connection):
    connection.request("POST", "/grpc.testing.TestService/EmptyCall", b"\0\0\0\0\0", GRPC)
    answer = connection.getresponse()
    assert answer.status == 505
    assert b"gRPC needs HTTP/2" in answer.read()


def test_a_connection_is_used_again(connection):
    connection.connect()
    socket = connection.sock
    for body in (b"", b"x", b"x" * 100_000, iter([b"a", b"b" * 50_000, b"c"])):
        connection.request("POST", "/a/b", body, {"content-type": "text/csv"})
        answer = connection.getresponse()
        assert answer.status == 415
        assert answer.read()
        assert connection.sock is socket


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE"])
def test_methods_that_mean_nothing_here(connection, method):
    for path in ("/", "*") if method == "OPTIONS" else ("/",):
        connection.request(method, path)
        answer = connection.getresponse()
        assert answer.status == 405
        assert (answer.read() == b"") == (method == "HEAD")


def test_a_malformed_request_gets_a_readable_answer(connection):
    connection.putrequest("POST", "/")
    connection.putheader("Content-Length", "1")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 400
    assert answer.getheader("connection") == "close"
    assert b"Transfer-Encoding" in answer.read()
