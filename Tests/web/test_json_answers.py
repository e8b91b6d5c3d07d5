"""curl with JSON makes the calls that are allowed, and is told what gRPC tells: by the table of all methods, with its
callers and its valid requests."""

import grpc
from google.protobuf import json_format

from support import stubs
from support.authorization import table
from support.authorization.answers import OK, Answer
from support.authorization.trial import Trial
from support.authorization.world import World
from support.board import PROGRAM
from support.curl import curl
from support.notices import FLAGS
from support.people import method_descriptor
from support.server import Server

# What an index is rebuilt with is there while it is rebuilt, how many records wait for the chain until it has taken them,
# until when a ride may be cancelled for nothing until then, jobs until they are done: all may end between two calls.
MOVES_BY_ITSELF = {
    "octet.audit.v1.AuditService/VerifyChain",
    "octet.jobs.v1.JobService/ListJobs",
    "octet.rides.v1.RideService/QuoteCancelFee",
    "octet.search.v1.SearchService/GetIndexState",
}


def is_unary(path):
    method = method_descriptor(path)
    return not method.client_streaming and not method.server_streaming


def fields_of(message):
    return {field.name for field, _ in message.ListFields()}


def code_of(word):
    return grpc.StatusCode.CANCELLED if word == "canceled" else grpc.StatusCode[word.upper()]


class CurlTrial(Trial):
    """Those who may call a unary method do so by curl. `is_accepted` says whether one of them was answered."""

    def __init__(self, world, row, address):
        super().__init__(world, row)
        self.address = address
        self.is_accepted = False

    def run(self):
        self.world.beat()
        self.permit(self.permitted(), self.identifier())
        return self.faults

    def send(self, name, request):
        path = self.row.path
        if not is_unary(path):
            return super().send(name, request)
        token = self.callers[name].token
        answer = curl(
            f"http://{self.address}/{path}",
            data=json_format.MessageToJson(request, descriptor_pool=stubs.pool()).encode(),
            content_type="application/json", headers=[f"authorization: Bearer {token}"] if token else [],
        )  # fmt: skip
        if answer.headers["content-type"] != "application/json":
            self.fault(name, "is not answered in JSON", answer)
        if answer.status != 200:
            return Answer(code_of(answer.json["code"]), answer.json.get("message", ""), [("json", answer.text)], [])
        self.is_accepted = True
        reply = stubs.message_class(method_descriptor(path).output_type.full_name)()
        json_format.ParseDict(answer.json, reply, descriptor_pool=stubs.pool())
        if json_format.MessageToDict(reply, descriptor_pool=stubs.pool()) != answer.json:
            self.fault(name, "is answered in JSON of another form than protobuf's", answer)
        if path not in MOVES_BY_ITSELF:
            self.compare(name, request, reply)
        return Answer(OK, "", [], [reply.SerializeToString()])

    def expect_reuse_refused(self, name, request):
        """The other body differs in a field that the server does not know, and JSON leaves those out: the matrix of the
        calls over gRPC tries it."""

    def compare(self, name, request, reply):
        """The same request over gRPC: one that changes something has its reply kept, others may find more by now."""
        again = self.callers[name].call(self.row.path, request)
        is_kept = "request_id" in request.DESCRIPTOR.fields_by_name
        if reply != again if is_kept else fields_of(reply) != fields_of(again):
            self.fault(name, "is told something else over gRPC", (reply, again))


def test_curl_is_told_what_grpc_tells(tmp_path):
    with Server(tmp_path, *FLAGS, program=PROGRAM) as server, server.channel() as channel:
        world = World(channel)
        trials = [CurlTrial(world, row, server.address) for row in table.ROWS]
        faults = [fault for trial in trials for fault in trial.run()]
        world.close()
    assert faults == [], "\n".join(faults)
    accepted = {trial.row.path for trial in trials if trial.is_accepted}
    allowed = {row.path for row in table.ROWS if row.is_proved and is_unary(row.path)}
    assert allowed <= accepted and len(allowed) > 80
