"""gRPC-Web, Connect and CORS with curl, against octet-interop."""

import base64
import gzip
import json
import urllib.parse

import pytest
from support.curl import curl, frame


def varint_field(number, value):
    """A field of a message below 128 in wire form."""
    return bytes([number << 3, value])


def test_json(web):
    answer = web.post("UnaryCall", '{"responseSize": 3}')
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.json == {"payload": {"body": "AAAA"}}


def test_protobuf(web):
    answer = web.post("UnaryCall", varint_field(2, 3), "application/proto")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/proto"
    assert answer.body == b"\x0a\x05\x12\x03\0\0\0"


def test_a_large_body(web):
    body = base64.b64encode(bytes(1_000_000)).decode()
    answer = web.post("UnaryCall", json.dumps({"payload": {"body": body}, "responseSize": 1_000_000}))
    assert len(base64.b64decode(answer.json["payload"]["body"])) == 1_000_000


def test_metadata_both_ways(web):
    echo = ["x-grpc-test-echo-initial: hello", "x-grpc-test-echo-trailing-bin: qrvM"]
    answer = web.post("UnaryCall", "{}", headers=["Connect-Protocol-Version: 1", *echo])
    assert answer.headers["x-grpc-test-echo-initial"] == "hello"
    assert answer.headers["trailer-x-grpc-test-echo-trailing-bin"] == "qrvM"


def test_an_error_is_json(web):
    answer = web.post("UnaryCall", '{"responseStatus": {"code": 5, "message": "no such ☺"}}')
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {"code": "not_found", "message": "no such ☺"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "is no valid grpc.testing.SimpleRequest"),
        ('{"responseSiz": 1}', 'there is no field "responseSiz"'),
        ('{"responseSize": "many"}', "responseSize:"),
    ],
)
def test_bad_json_is_explained(h2c, body, message):
    answer = h2c.post("UnaryCall", body)
    assert answer.status == 400
    assert answer.json["code"] == "invalid_argument"
    assert message in answer.json["message"]


def test_what_curl_sends_by_default_is_told_what_is_missing(h2c):
    answer = curl(h2c.url("UnaryCall"), *h2c.flags, data=b"{}")
    assert answer.status == 415
    assert answer.text.startswith("content-type must be one of: application/json")
    assert "application/json" in answer.headers["accept-post"]


def test_an_unknown_method(h2c):
    answer = h2c.post("Nothing", "{}")
    assert (answer.status, answer.json["code"]) == (501, "unimplemented")


def test_a_deadline(web):
    # For the second answer curl would not wait. A machine that stands still may give the first one no time either.
    request = '{"responseParameters": [{"size": 1}, {"size": 1, "intervalUs": 60000000}]}'
    for _ in range(5):
        answer = web.post(
            "StreamingOutputCall", frame(request.encode()), "application/connect+json", ["Connect-Timeout-Ms: 3000"]
        )
        if [flags for flags, _ in answer.frames] != [2]:
            break
    assert [flags for flags, _ in answer.frames] == [0, 2]
    assert json.loads(answer.frames[-1][1])["error"]["code"] == "deadline_exceeded"
    assert web.post("EmptyCall", "{}", headers=["Connect-Timeout-Ms: x"]).status == 400


def test_get(web):
    query = urllib.parse.urlencode({"connect": "v1", "encoding": "json", "message": '{"responseSize": 1}'})
    answer = web.get(f"CacheableUnaryCall?{query}")
    assert answer.status == 200
    assert answer.json == {"payload": {"body": "AA=="}}
    assert answer.headers["cache-control"] == "max-age=60, public"
    message = base64.urlsafe_b64encode(varint_field(2, 2)).decode().rstrip("=")
    answer = web.get(f"CacheableUnaryCall?encoding=proto&base64=1&message={message}")
    assert answer.body == b"\x0a\x04\x12\x02\0\0"


def test_get_is_for_methods_without_side_effects(h2c):
    answer = h2c.get("UnaryCall?encoding=json&message=%7B%7D")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_a_connect_stream(web):
    request = '{"responseParameters": [{"size": 1}, {"size": 2}]}'
    answer = web.post("StreamingOutputCall", frame(request.encode()), "application/connect+json")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/connect+json"
    assert answer.frames == [
        (0, b'{"payload":{"body":"AA=="}}'),
        (0, b'{"payload":{"body":"AAA="}}'),
        (2, b"{}"),
    ]


def test_a_connect_stream_of_requests(web):
    body = b"".join(frame(b"\x0a\x05\x12\x03abc") for _ in range(3))
    answer = web.post("StreamingInputCall", body, "application/connect+proto")
    assert answer.frames == [(0, varint_field(1, 9)), (2, b"{}")]


def test_a_connect_stream_in_both_directions(web):
    body = b"".join(frame(b'{"responseParameters": [{"size": %d}]}' % size) for size in (1, 2))
    answer = web.post("FullDuplexCall", body, "application/connect+json")
    assert [payload for _, payload in answer.frames] == [
        b'{"payload":{"body":"AA=="}}',
        b'{"payload":{"body":"AAA="}}',
        b"{}",
    ]


def test_an_answer_before_the_end_of_the_request_can_be_read(web):
    for content_type, status in (("application/json", 429), ("text/plain", 415)):
        answer = web.post("UnaryCall", bytes(10_000_000), content_type)
        assert answer.status == status
        assert answer.body


def test_grpc_web(web):
    body = frame(varint_field(2, 3))
    answer = web.post("UnaryCall", body, "application/grpc-web+proto", ["x-grpc-web: 1"])
    assert answer.headers["content-type"] == "application/grpc-web+proto"
    assert answer.frames == [(0, b"\x0a\x05\x12\x03\0\0\0"), (0x80, b"grpc-status: 0\r\n")]


def test_grpc_web_in_text(web):
    body = base64.b64encode(frame(varint_field(2, 4)))
    answer = web.post("UnaryCall", body, "application/grpc-web-text")
    assert answer.headers["content-type"] == "application/grpc-web-text+proto"
    # Each frame has its own padding.
    data, trailers = b"\0\0\0\0\x08\x0a\x06\x12\x04\0\0\0\0", frame(b"grpc-status: 0\r\n", 0x80)
    assert answer.body == base64.b64encode(data) + base64.b64encode(trailers)


def test_a_grpc_web_stream_that_fails(web):
    status = b"\x3a\x08\x08\x09\x12\x04late"
    request = b"\x12\x02\x08\x01" + status
    answer = web.post("StreamingOutputCall", frame(request), "application/grpc-web")
    assert answer.status == 200
    assert answer.frames[-1] == (0x80, b"grpc-status: 9\r\ngrpc-message: late\r\n")


def test_gzip(web):
    request = json.dumps({"payload": {"body": base64.b64encode(bytes(3000)).decode()}, "responseSize": 3}).encode()
    answer = web.post("UnaryCall", gzip.compress(request), headers=["content-encoding: gzip"])
    assert answer.json == {"payload": {"body": "AAAA"}}
    request = '{"responseSize": 3000, "responseCompressed": {"value": true}}'
    answer = web.post("UnaryCall", request, flags=["--compressed"])
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < 200
    assert answer.json == {"payload": {"body": base64.b64encode(bytes(3000)).decode()}}


def test_an_unknown_compression(h2c):
    answer = h2c.post("UnaryCall", b"x", headers=["content-encoding: br"])
    assert (answer.status, answer.json["code"]) == (501, "unimplemented")
    assert "gzip" in answer.json["message"]


def test_a_preflight(h2c):
    asked = ["access-control-request-method: POST", "access-control-request-headers: content-type,x-tenant"]
    answer = h2c.get("UnaryCall", ["origin: https://console.test", *asked], ["-X", "OPTIONS"])
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "https://console.test"
    assert answer.headers["access-control-allow-headers"] == "content-type, x-tenant"
    assert answer.headers["access-control-max-age"] == "7200"
    refused = h2c.get("UnaryCall", ["origin: https://evil.test", *asked], ["-X", "OPTIONS"])
    assert refused.status == 403
    assert "access-control-allow-origin" not in refused.headers


def test_an_answer_to_another_origin(h2c):
    answer = h2c.post("UnaryCall", "{}", headers=["origin: https://console.test"])
    assert answer.headers["access-control-allow-origin"] == "https://console.test"
    assert "content-type" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in h2c.post("UnaryCall", "{}", headers=["origin: https://x.test"]).headers
