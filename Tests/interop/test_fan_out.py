"""What one client publishes reaches every open stream of the benchmark service, in order."""

import grpc
import pytest

from support import stubs
from support.server import Server

SUBSCRIBERS = 50
EVENTS = 20


@pytest.fixture
def server(tmp_path):
    with Server(tmp_path, "--benchmark", "--loops", "2", program="octet-interop") as server:
        yield server


def subscribe(stub, count):
    """Streams whose server has said that they are open."""
    calls = [stub.Subscribe(stubs.module("bench.v1.bench_pb2").SubscribeRequest()) for _ in range(count)]
    for call in calls:
        call.initial_metadata()
    return calls


def test_every_subscriber_receives_every_event(server):
    chunk = stubs.module("bench.v1.bench_pb2").Chunk
    broadcast = stubs.module("bench.v1.bench_pb2_grpc").BroadcastStub
    published = [chunk(seq=number, payload=b"event %d" % number) for number in range(EVENTS)]
    # Two connections, so that the streams live on two event loops.
    options = [[("grpc.use_local_subchannel_pool", 1), ("test.connection", number)] for number in range(2)]
    with (
        grpc.insecure_channel(server.address, options[0]) as first,
        grpc.insecure_channel(server.address, options[1]) as second,
    ):
        calls = subscribe(broadcast(first), SUBSCRIBERS) + subscribe(broadcast(second), SUBSCRIBERS)
        for call in calls[::10]:
            call.cancel()  # gone; the others miss nothing
        assert broadcast(first).Publish(iter(published), timeout=120).seq == EVENTS
        for number, call in enumerate(calls):
            if number % 10:
                assert [next(call) for _ in range(EVENTS)] == published
        for call in calls:
            call.cancel()
