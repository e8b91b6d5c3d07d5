"""Several octetd on one PostgreSQL."""

import shutil
import time

import grpc
import pytest

from support import stubs
from support.people import Person, outcome, request_id
from support.server import Server

SESSION = "octet.identity.v1.SessionService"


def second_node(first, folder, url):
    """Another octetd of the same installation: with the same root key."""
    folder.mkdir(mode=0o700, exist_ok=True)
    shutil.copy2(first.data / "root.key", folder / "root.key")
    return Server(folder, "--database", url)


def test_a_node_with_another_root_key_does_not_start(tmp_path, postgres):
    url = postgres.make_database()
    with Server(tmp_path / "a", "--database", url):
        with pytest.raises(RuntimeError, match=r"octetd did not start \(74\)(.|\n)*root.key"):
            Server(tmp_path / "b", "--database", url)
        shutil.rmtree(tmp_path / "b")


def test_a_session_that_ends_on_one_node_ends_on_the_others(tmp_path, postgres):
    url = postgres.make_database()
    sessions = stubs.module("octet.identity.v1.session_service_pb2")
    with (
        Server(tmp_path / "a", "--database", url) as first,
        second_node(first, tmp_path / "b", url) as second,
        first.channel() as here,
        second.channel() as there,
    ):
        person = Person(here, f"user_{request_id()[:8]}")
        person.channel = there
        listing = lambda: outcome(lambda: person.call(f"{SESSION}/ListSessions", sessions.ListSessionsRequest()))  # noqa: E731
        code, _, reply = listing()
        assert code == grpc.StatusCode.OK and len(reply.sessions) == 1
        person.channel = here
        person.call(f"{SESSION}/Logout", sessions.LogoutRequest(request_id=request_id()))
        person.channel = there
        deadline = time.monotonic() + 20
        while listing()[0] == grpc.StatusCode.OK:
            assert time.monotonic() < deadline, "the other node has not heard of it"
            time.sleep(0.05)
        assert listing()[:2] == (grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED")


def test_a_database_that_is_not_there_is_said_at_once_and_without_its_password(tmp_path):
    with pytest.raises(RuntimeError) as error:
        Server(tmp_path, "--database", "postgres://octet:hush@127.0.0.1:1/none")
    assert "(74)" in str(error.value) and "hush" not in str(error.value)
