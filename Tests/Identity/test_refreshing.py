"""Refresh tokens of a real octetd: what is lost on the way is repeated, what was spent is not."""

import grpc
from support import stubs
from support.lossy_line import LossyLine
from support.notices import FLAGS
from support.people import DEADLINE_SECONDS, Person, Stranger, outcome, request_id
from support.server import Server

SESSIONS = "octet.identity.v1.SessionService"
ENDED = (grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED")

sessions = stubs.module("octet.identity.v1.session_service_pb2")


def refresh(caller, token, name=None):
    request = sessions.RefreshSessionRequest(request_id=name or request_id(), refresh_token=token)
    return caller.call(f"{SESSIONS}/RefreshSession", request).tokens


def list_sessions(person):
    return person.call(f"{SESSIONS}/ListSessions", sessions.ListSessionsRequest()).sessions


def refresh_in_vain(server, token, name):
    """Spends a token, and the reply is lost: the connection ends after the server has sent it."""
    with LossyLine(server.address) as line, grpc.insecure_channel(line.address) as channel:
        grpc.channel_ready_future(channel).result(DEADLINE_SECONDS)
        line.lose()
        request = sessions.RefreshSessionRequest(request_id=name, refresh_token=token)
        reply = Stranger(channel).begin(f"{SESSIONS}/RefreshSession", request)
        # What an access token begins with.
        line.await_lost(b"oa1.", DEADLINE_SECONDS)
        line.cut()
        assert outcome(reply.result)[0] == grpc.StatusCode.UNAVAILABLE


def test_acceptance_2_a_lost_reply_is_repeated_and_a_spent_token_ends_the_family(tmp_path, engine_flags):
    name = request_id()
    with Server(tmp_path, *FLAGS, *engine_flags) as server:
        ada = Person(server.channel(), "ada_r")
        other = Person(server.channel(), "ada_r", register=False)
        spent = ada.login.tokens.refresh_token
        refresh_in_vain(server, spent, name)
        pair = refresh(Stranger(server.channel()), spent, name)
        assert pair.refresh_token != spent
        server.kill()
    # Another process knows the pair as well, and none of it is stored.
    with Server(tmp_path, *FLAGS, *engine_flags) as server:
        channel = server.channel()
        stranger = Stranger(channel)
        assert refresh(stranger, spent, name) == pair
        stored = b"".join(path.read_bytes() for path in tmp_path.glob("octet.db*"))
        assert pair.refresh_token.encode() not in stored and pair.access_token.encode() not in stored
        newest = refresh(stranger, pair.refresh_token)
        ada.channel, ada.token = channel, newest.access_token
        other.channel = channel
        assert len(list_sessions(ada)) == 2
        # Somebody has the old token.
        assert outcome(lambda: refresh(stranger, spent))[:2] == ENDED
        assert outcome(lambda: refresh(stranger, newest.refresh_token))[:2] == ENDED
        assert outcome(lambda: list_sessions(ada))[:2] == ENDED
        # A session that was signed in on its own is another family.
        assert len(list_sessions(other)) == 1
