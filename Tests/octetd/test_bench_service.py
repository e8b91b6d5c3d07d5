"""octetd serves the benchmark only where it was asked for, with what it does for every call."""

import sqlite3

import grpc

from support import bench_requests, stubs
from support.people import outcome
from support.server import Server

ECHO = "/bench.v1.Bench/Echo"


def echo(channel, payload):
    messages = stubs.module("bench.v1.bench_pb2")
    method = channel.unary_unary(
        ECHO, messages.EchoRequest.SerializeToString, messages.EchoReply.FromString)
    return outcome(lambda: method(messages.EchoRequest(payload=payload)))


def test_it_is_not_there_by_default(server):
    with server.channel() as channel:
        assert echo(channel, b"x")[0] == grpc.StatusCode.UNIMPLEMENTED


def test_it_is_there_when_named_and_its_calls_are_limited_like_all(tmp_path):
    with (
        Server(tmp_path, "--services", "identity,bench", "--rate-limits", "standard=1/3") as server,
        server.channel() as channel,
    ):
        # One more each second: on a busy machine it takes a while until they come faster than that.
        answered = 0
        while (answer := echo(channel, b"x" * 100)[:2]) == (grpc.StatusCode.OK, None) and answered < 1000:
            answered += 1
        assert answered >= 3 and answer == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")


def test_its_transactions_are_in_the_database_when_they_are_answered(tmp_path):
    messages = stubs.module("bench.v1.transactions_pb2")

    def call(channel, name, request, response):
        method = channel.unary_unary(
            f"/bench.v1.Transactions/{name}", type(request).SerializeToString, response.FromString)
        return outcome(lambda: method(request))[0]

    order, transfer = bench_requests.order(), bench_requests.transfer()
    with Server(tmp_path, "--services", "identity,bench") as server, server.channel() as channel:
        # The same octets again are no repeat.
        for _ in range(3):
            placed = call(channel, "PlaceOrder", order, messages.PlaceOrderResponse)
            moved = call(channel, "Transfer", transfer, messages.TransferResponse)
            assert (placed, moved) == (grpc.StatusCode.OK, grpc.StatusCode.OK)
        order.lines[0].quantity, transfer.request_id = 0, "?"
        for wrong, name in ((order, "PlaceOrder"), (transfer, "Transfer")):
            assert call(channel, name, wrong, messages.TransferResponse) == grpc.StatusCode.INVALID_ARGUMENT
        server.kill()
    database = sqlite3.connect(tmp_path / "octet.db")
    counts = [
        database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in ("bench_orders", "bench_items", "bench_transfers", "bench_entries")
    ]
    assert counts == [3, 6, 3, 6]
    # A server without the benchmark lives with what it left.
    with Server(tmp_path) as server, server.channel() as channel:
        assert echo(channel, b"x")[0] == grpc.StatusCode.UNIMPLEMENTED
