"""channelz of octetd, with grpcio's own stubs: for admins only, and only when asked for."""

import grpc
import pytest
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc

from support.people import Person, request_id
from support.rides import DEMO_PASSWORD
from support.server import Server

TIMEOUT = 20


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
    sockets = [
        ask(admin, "GetSocket", channelz_pb2.GetSocketRequest(socket_id=name.socket_id)).socket
        for name in ask(admin, "GetServerSockets", request).socket_ref
    ]
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
