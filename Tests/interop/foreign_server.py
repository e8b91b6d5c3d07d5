"""grpc.testing.TestService on grpcio, as interop-test-descriptions.md describes it.

grpcio does not tell a handler whether a message came compressed, so `expect_compressed` is not checked; raw_service.py and
grpc_cpp_server.cc do that.
"""

import concurrent.futures
import os
import time

import grpc
from cases import ECHO_INITIAL, ECHO_TRAILING, SERVICE

LARGEST_MESSAGE = 64 << 20


def echo_metadata(context):
    received = dict(context.invocation_metadata())
    if ECHO_INITIAL in received:
        context.send_initial_metadata(((ECHO_INITIAL, received[ECHO_INITIAL]),))
    if ECHO_TRAILING in received:
        context.set_trailing_metadata(((ECHO_TRAILING, received[ECHO_TRAILING]),))


def obey(request, context):
    """Ends the call if the request asks for a status."""
    if request.HasField("response_status") and request.response_status.code:
        code = next(code for code in grpc.StatusCode if code.value[0] == request.response_status.code)
        context.abort(code, request.response_status.message)


class Service(grpc.GenericRpcHandler):
    def __init__(self, messages):
        self.messages = messages
        self.server_id = f"grpcio-{os.getpid()}"
        m = messages
        self.methods = {
            "EmptyCall": grpc.unary_unary_rpc_method_handler(lambda request, context: b""),
            "UnaryCall": self._handler("unary_unary", self.unary, m.SimpleRequest),
            "CacheableUnaryCall": self._handler("unary_unary", self.cacheable, m.SimpleRequest),
            "StreamingInputCall": self._handler("stream_unary", self.input, m.StreamingInputCallRequest),
            "StreamingOutputCall": self._handler("unary_stream", self.output, m.StreamingOutputCallRequest),
            "FullDuplexCall": self._handler("stream_stream", self.duplex, m.StreamingOutputCallRequest),
        }

    def service(self, details):
        service, _, name = details.method.lstrip("/").partition("/")
        return self.methods.get(name) if service == SERVICE else None

    @staticmethod
    def _handler(kind, body, request):
        return getattr(grpc, f"{kind}_rpc_method_handler")(
            body, request_deserializer=request.FromString, response_serializer=lambda reply: reply.SerializeToString()
        )

    def unary(self, request, context):
        echo_metadata(context)
        obey(request, context)
        context.set_compression(
            grpc.Compression.Gzip if request.response_compressed.value else grpc.Compression.NoCompression
        )
        reply = self.messages.SimpleResponse(payload=self.messages.Payload(body=bytes(request.response_size)))
        if request.fill_server_id:
            reply.server_id = self.server_id
        return reply

    def cacheable(self, request, context):
        context.send_initial_metadata((("cache-control", "max-age=60, public"),))
        return self.unary(request, context)

    def input(self, requests, context):
        total = sum(len(request.payload.body) for request in requests)
        return self.messages.StreamingInputCallResponse(aggregated_payload_size=total)

    def output(self, request, context):
        context.set_compression(grpc.Compression.Gzip)
        echo_metadata(context)
        yield from self._answer(request, context)

    def duplex(self, requests, context):
        echo_metadata(context)
        for request in requests:
            yield from self._answer(request, context)

    def _answer(self, request, context):
        obey(request, context)
        for parameters in request.response_parameters:
            time.sleep(parameters.interval_us / 1e6)
            if not parameters.compressed.value:
                context.disable_next_message_compression()
            payload = self.messages.Payload(body=bytes(parameters.size))
            yield self.messages.StreamingOutputCallResponse(payload=payload)


class ForeignServer:
    """A context manager; `address` is where it listens."""

    def __init__(self, *handlers, options=()):
        pool = concurrent.futures.ThreadPoolExecutor(max_workers=16)
        self.server = grpc.server(pool, handlers=handlers, options=options)
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *_):
        self.server.stop(grace=None).wait()
