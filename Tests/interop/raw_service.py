"""The compressed cases of grpc.testing.TestService on raw.RawServer: it sees on the wire which messages are compressed."""

import gzip

from cases import SERVICE
from support.raw import frame

HEAD = [(":status", "200"), ("content-type", "application/grpc")]
OK = [("grpc-status", "0")]
NOT_AS_EXPECTED = [("grpc-status", "3"), ("grpc-message", "the message is not compressed as expected")]


class RawService:
    """`answer` is for a RawServer; `seen` lists the heads of all requests."""

    def __init__(self, messages):
        self.messages = messages
        self.seen = []

    def answer(self, headers, received):
        self.seen.append(headers)
        assert "gzip" in headers["grpc-accept-encoding"].split(",")
        if any(compressed for compressed, _ in received):
            assert headers["grpc-encoding"] == "gzip"
        name = headers[":path"].removeprefix(f"/{SERVICE}/")
        return {
            "UnaryCall": self.unary,
            "StreamingInputCall": self.input,
            "StreamingOutputCall": self.output,
        }[name](received)

    def _is_as_expected(self, request, compressed):
        return not request.HasField("expect_compressed") or request.expect_compressed.value == compressed

    def unary(self, received):
        [(compressed, wire)] = received
        request = self.messages.SimpleRequest.FromString(wire)
        if not self._is_as_expected(request, compressed):
            return [*HEAD, *NOT_AS_EXPECTED], b"", None
        reply = self.messages.SimpleResponse(payload=self.messages.Payload(body=bytes(request.response_size)))
        return (
            [*HEAD, ("grpc-encoding", "gzip")],
            frame(reply.SerializeToString(), request.response_compressed.value),
            OK,
        )

    def input(self, received):
        total = 0
        for compressed, wire in received:
            request = self.messages.StreamingInputCallRequest.FromString(wire)
            if not self._is_as_expected(request, compressed):
                return [*HEAD, *NOT_AS_EXPECTED], b"", None
            total += len(request.payload.body)
        reply = self.messages.StreamingInputCallResponse(aggregated_payload_size=total)
        return HEAD, frame(reply.SerializeToString()), OK

    def output(self, received):
        [(_, wire)] = received
        body = b""
        for parameters in self.messages.StreamingOutputCallRequest.FromString(wire).response_parameters:
            payload = self.messages.Payload(body=bytes(parameters.size))
            reply = self.messages.StreamingOutputCallResponse(payload=payload)
            body += frame(reply.SerializeToString(), parameters.compressed.value)
        return [*HEAD, ("grpc-encoding", "gzip")], body, OK


def bomb(size):
    """A compressed message of `size` zeros, with its prefix."""
    payload = gzip.compress(bytes(size))
    return b"\x01" + len(payload).to_bytes(4, "big") + payload
