"""channelz of octetd, with grpcio's own stubs: for admins only, and only when asked for."""

import concurrent.futures
import time

import grpc
import pytest
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc

from support.people import Person, outcome, request_id
from support.promises import TRIES
from support.rides import DEMO_PASSWORD
from support.server import Server

TIMEOUT = 120


@pytest.fixture(scope="module")
def server(tmp_path_factory, tls):
    with Server(tmp_path_factory.mktemp("data"), "--seed-demo", "--channelz", tls=tls) as server:
        yield server


@pytest.fixture(scope="module")
def admin(server):
    with server.secure_channel() as channel:
        yield Person(channel, "demo_admin", password=DEMO_PASSWORD, register=False)


def ask(person, method, request):
    stub = channelz_pb2_grpc.ChannelzStub(person.channel)
    return getattr(stub, method)(request, timeout=TIMEOUT, metadata=person.metadata)


def refusal(person, method, request):
    with pytest.raises(grpc.RpcError) as error:
        ask(person, method, request)
    return error.value.code()


def test_only_admins_may_look(server):
    with server.channel() as channel:
        user = Person(channel, f"user_{request_id()[:8]}")
        assert refusal(user, "GetServers", channelz_pb2.GetServersRequest()) == grpc.StatusCode.PERMISSION_DENIED
        user.token = None
        assert refusal(user, "GetServers", channelz_pb2.GetServersRequest()) == grpc.StatusCode.UNAUTHENTICATED


def test_it_is_not_there_unless_asked_for(tmp_path):
    with Server(tmp_path) as server, server.channel() as channel:
        with pytest.raises(grpc.RpcError) as error:
            channelz_pb2_grpc.ChannelzStub(channel).GetServers(channelz_pb2.GetServersRequest(), timeout=TIMEOUT)
        assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_from_the_servers_to_a_socket_under_tls(server, admin):
    answer = ask(admin, "GetServers", channelz_pb2.GetServersRequest())
    assert answer.end
    (found,) = answer.server
    assert found.data.calls_succeeded >= 1
    assert {server.address, f"{server.tls_address} (TLS)"} == {socket.name for socket in found.listen_socket}
    again = ask(admin, "GetServer", channelz_pb2.GetServerRequest(server_id=found.ref.server_id)).server
    assert again.data.calls_started > found.data.calls_started

    request = channelz_pb2.GetServerSocketsRequest(server_id=found.ref.server_id)
    found = [
        outcome(lambda name=name: ask(admin, "GetSocket", channelz_pb2.GetSocketRequest(socket_id=name.socket_id)))
        for name in ask(admin, "GetServerSockets", request).socket_ref
    ]
    # Others may have gone meanwhile.
    assert {code for code, _, _ in found} <= {grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND}
    sockets = [answer.socket for code, _, answer in found if code == grpc.StatusCode.OK]
    # The one that asks is among them.
    (own,) = [socket for socket in sockets if socket.HasField("security")]
    assert own.security.tls.standard_name.startswith("TLS_")
    assert own.security.tls.local_certificate[0] == 0x30
    assert own.remote.tcpip_address.ip_address == bytes([127, 0, 0, 1])
    assert own.local.tcpip_address.port == int(server.tls_address.rsplit(":", 1)[1])
    assert own.data.streams_started > own.data.streams_succeeded >= 3
    assert own.data.messages_received >= own.data.messages_sent >= 3
    assert own.data.remote_flow_control_window.value > 0


def test_what_is_not_there_is_not_found(admin):
    for method, request in [
        ("GetServer", channelz_pb2.GetServerRequest(server_id=987654321)),
        ("GetSocket", channelz_pb2.GetSocketRequest(socket_id=987654321)),
        ("GetChannel", channelz_pb2.GetChannelRequest(channel_id=987654321)),
        ("GetSubchannel", channelz_pb2.GetSubchannelRequest(subchannel_id=987654321)),
    ]:
        assert refusal(admin, method, request) == grpc.StatusCode.NOT_FOUND
    assert ask(admin, "GetTopChannels", channelz_pb2.GetTopChannelsRequest()).end


def channel_to_the_collector(person, wanted):
    """The only channel of octetd, once it has this state."""
    end = time.monotonic() + TIMEOUT
    while True:
        (channel,) = ask(person, "GetTopChannels", channelz_pb2.GetTopChannelsRequest()).channel
        if channel.data.state.state == wanted:
            return channel
        assert time.monotonic() < end, channel
        # As often as one caller may ask.
        time.sleep(0.1)


def subchannels(person, channel):
    requests = [channelz_pb2.GetSubchannelRequest(subchannel_id=ref.subchannel_id) for ref in channel.subchannel_ref]
    return [ask(person, "GetSubchannel", request).subchannel for request in requests]


def test_a_channel_and_how_it_came_to_its_state(tmp_path, tls):
    assert any(comes_to_its_state(tmp_path / str(number), tls) for number in range(TRIES)), "another way each time"


def comes_to_its_state(folder, tls):
    """False for a connection that was given up and made again before the collector spoke: none waits for ever."""
    State, Severity = channelz_pb2.ChannelConnectivityState, channelz_pb2.ChannelTraceEvent
    collector = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    port = collector.add_insecure_port("127.0.0.1:0")
    flags = ("--seed-demo", "--channelz", "--otlp-endpoint", f"http://127.0.0.1:{port}")
    with Server(folder, *flags, tls=tls) as server, server.secure_channel() as connection:
        admin = Person(connection, "demo_admin", password=DEMO_PASSWORD, register=False)
        # Bound and not served: the connection is made, and nobody speaks HTTP/2.
        channel = channel_to_the_collector(admin, State.CONNECTING)
        assert channel.data.target == f"127.0.0.1:{port}"
        before = [found.data.state.state for found in subchannels(admin, channel)]

        collector.start()
        channel = channel_to_the_collector(admin, State.READY)
        (subchannel,) = subchannels(admin, channel)
        assert subchannel.data.state.state == State.READY and len(subchannel.socket_ref) == 1
        states = [event.description.removeprefix("State change to ") for event in subchannel.data.trace.events]
        collector.stop(grace=None).wait()
        assert states[0] == "IDLE" and states[-2:] == ["CONNECTING", "READY"], states
        if before != [State.CONNECTING] or states != ["IDLE", "CONNECTING", "READY"]:
            return False

        channel = channel_to_the_collector(admin, State.TRANSIENT_FAILURE)
        trace = channel.data.trace
        assert trace.num_events_logged >= len(trace.events) > 4 and trace.HasField("creation_timestamp")
        (created,) = [event for event in trace.events if event.description == "Subchannel created"]
        assert created.subchannel_ref == channel.subchannel_ref[0]
        failures = [event for event in trace.events if "TRANSIENT_FAILURE: " in event.description]
        assert failures and all(event.severity == Severity.CT_WARNING for event in failures)
        times = [event.timestamp.ToNanoseconds() for event in trace.events]
        assert times == sorted(times)
    return True
