"""What a caller is told, to the byte."""

import collections

import grpc

from .. import stubs
from ..people import DEADLINE_SECONDS, method_descriptor, request_id

POLICY = "octet.options.v1.policy"
OK, NOT_FOUND = grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND
DENIED, UNAUTHENTICATED = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED

FAILED_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION

Answer = collections.namedtuple("Answer", "code text details replies")


def policy_of(path):
    return method_descriptor(path).GetOptions().Extensions[stubs.pool().FindExtensionByName(POLICY)]


def all_methods():
    """Every method that the protos declare, by service."""
    for file in stubs.descriptor_set(*stubs.ALL_ROOTS).file:
        if file.package.startswith("octet."):
            for service in file.service:
                yield from (f"{file.package}.{service.name}/{method.name}" for method in service.method)


def make_request(path, fields):
    """The request of a method; one that changes something gets a request_id of its own."""
    method = method_descriptor(path)
    request = stubs.message_class(method.input_type.full_name)(**fields)
    if "request_id" in method.input_type.fields_by_name and not request.request_id:
        request.request_id = request_id()
    return request


def ask(caller, path, request):
    """Calls a method of any kind with one message. Of a stream the first row is read, of one that ends by itself all
    that was sent until then."""
    method = method_descriptor(path)
    argument = iter([request]) if method.client_streaming else request
    replies = []
    try:
        if method.server_streaming:
            call = caller.stream(path, argument, timeout=DEADLINE_SECONDS)
            ends_by_itself = method.name in ("ReadBlob", "ExportRecords", "WatchExport")
            for reply in call:
                replies.append(reply.SerializeToString())
                if not ends_by_itself:
                    break
            call.cancel()
        else:
            replies.append(caller.call(path, request).SerializeToString())
    except grpc.RpcError as error:
        trailers = sorted((key, value) for key, value in error.trailing_metadata() or () if key.startswith("grpc-"))
        return Answer(error.code(), error.details(), trailers, replies)
    return Answer(OK, "", [], replies)


def without(answer, identifier):
    """The answer as text, with an id that it may repeat left out."""
    return repr(answer).replace(identifier, "ID")


def contains(answer, needle):
    """Whether the answer has some text in it, be it in a row or in an error."""
    wanted = needle.encode()
    texts = [value if isinstance(value, bytes) else value.encode() for _, value in answer.details]
    return any(wanted in part for part in (*answer.replies, *texts, (answer.text or "").encode()))
