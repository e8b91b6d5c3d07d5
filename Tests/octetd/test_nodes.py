"""Several octetd on one PostgreSQL."""

import json
import shutil
import socket
import sqlite3
import time
import urllib.parse
import urllib.request

import grpc
import pytest

from support import stubs
from support.nats import nats
from support.people import DEMO_PASSWORD, Person, newcomers, outcome, request_id
from support.promises import TRIES, kept_by_one, within
from support.server import Server, second_node
from test_process import last_event, run

SESSION = "octet.identity.v1.SessionService"
ROLE = "octet.identity.v1.RoleService"
ADMIN = "octet.admin.v1.AdminService"
# Within what time a change of sessions and rights is known on all nodes.
PROMISED_SECONDS = 1
BUS_SECONDS = 10
REFUSED = (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")


def test_a_node_with_another_root_key_does_not_start(tmp_path, postgres):
    url = postgres.make_database()
    with Server(tmp_path / "a", "--database", url):
        with pytest.raises(RuntimeError, match=r"octetd did not start \(74\)(.|\n)*root.key"):
            Server(tmp_path / "b", "--database", url)
        shutil.rmtree(tmp_path / "b")


@pytest.mark.alone
def test_a_session_that_ends_on_one_node_ends_on_the_others(tmp_path, postgres):
    url = postgres.make_database()
    sessions = stubs.module("octet.identity.v1.session_service_pb2")
    with (
        Server(tmp_path / "a", "--database", url) as first,
        second_node(first, tmp_path / "b", "--database", url) as second,
        first.channel() as here,
        second.channel() as there,
    ):
        people = newcomers(here, TRIES)

        def listing(person):
            person.channel = there
            return outcome(lambda: person.call(f"{SESSION}/ListSessions", sessions.ListSessionsRequest()))

        def log_out(person):
            person.channel = here
            person.call(f"{SESSION}/Logout", sessions.LogoutRequest(request_id=request_id()))

        for person in people:
            code, _, reply = listing(person)
            assert code == grpc.StatusCode.OK and len(reply.sessions) == 1
        has_ended = lambda person: listing(person)[0] != grpc.StatusCode.OK  # noqa: E731
        kept_by_one(PROMISED_SECONDS, people, log_out, has_ended, "the other node has not heard of a session's end")
        assert listing(people[0])[:2] == (grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED")


@pytest.mark.alone
def test_a_stream_on_one_node_ends_with_the_role_that_is_lost_on_another(tmp_path, postgres):
    url = postgres.make_database()
    roles = stubs.module("octet.identity.v1.role_service_pb2")
    service = stubs.module("octet.admin.v1.admin_service_pb2")
    flag = stubs.module("octet.admin.v1.flag_pb2")
    with (
        Server(tmp_path / "a", "--database", url, "--seed-demo") as first,
        second_node(first, tmp_path / "b", "--database", url) as second,
        first.channel() as here,
        second.channel() as there,
    ):
        admin = Person(here, "demo_admin", DEMO_PASSWORD, register=False)
        ops = Person(here, "demo_ops", DEMO_PASSWORD, register=False)
        people = newcomers(here, TRIES)
        flags = service.WatchFlagsRequest()
        etag = ""

        def grant(person):
            wanted = roles.GrantRoleRequest(request_id=request_id(), user_id=person.user_id, role="ops")
            person.grant = admin.call(f"{ROLE}/GrantRole", wanted)
            person.channel = there

        def may_watch(person):
            return outcome(lambda: next(person.stream(f"{ADMIN}/WatchFlags", flags)))[0] == grpc.StatusCode.OK

        def revoke(person):
            person.events = person.stream(f"{ADMIN}/WatchFlags", flags)
            next(person.events)
            wanted = roles.RevokeRoleRequest(request_id=request_id(), grant_id=person.grant.id)
            admin.call(f"{ROLE}/RevokeRole", wanted)

        def has_ended(person):
            nonlocal etag
            value = flag.SettingValue(boolean=True)
            put = service.PutFlagRequest(request_id=request_id(), name=f"{ADMIN}/ListFlags", value=value, etag=etag)
            etag = ops.call(f"{ADMIN}/PutFlag", put).etag
            code, reason, _ = outcome(lambda: next(person.events))
            assert code == grpc.StatusCode.OK or (code, reason) == REFUSED
            return code != grpc.StatusCode.OK

        for person in people:
            grant(person)
        for person in people:
            within(PROMISED_SECONDS, lambda person=person: may_watch(person), "the other node has not heard of a role")
        kept_by_one(PROMISED_SECONDS, people, revoke, has_ended, "a stream has outlived the role")


NODE_NUMBERS = 1024


def test_a_start_that_fails_gives_its_number_back(tmp_path):
    with Server(tmp_path):
        pass
    database = sqlite3.connect(tmp_path / "octet.db")
    with database:
        # Other processes have all numbers but one for the next hour.
        (mine,) = database.execute("SELECT node FROM octet_nodes").fetchone()
        expiry = time.time_ns() + 3_600_000_000_000
        others = [(node, bytes(16), expiry) for node in range(NODE_NUMBERS) if node != mine]
        database.executemany("INSERT INTO octet_nodes (node, claim, expires_at) VALUES (?, ?, ?)", others)
    database.close()
    for _ in range(2):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            result = run("--listen", f"127.0.0.1:{taken.getsockname()[1]}", "--data", tmp_path)
        assert result.returncode == 69, result.stderr
    with Server(tmp_path):
        result = run("--listen", "127.0.0.1:0", "--data", tmp_path)
        assert result.returncode == 74  # In use; it is not this one that has the number.


@pytest.mark.parametrize("bus", [("nats://",), ("tls://localhost", "--bus-ca", "/nonexistent.pem")])
def test_a_start_that_fails_right_after_joining_gives_its_number_back(tmp_path, postgres, bus):
    url = postgres.make_database()
    result = run("--listen", "127.0.0.1:0", "--data", tmp_path, "--database", url, "--bus", *bus)
    assert result.returncode == 64 and "bus" in last_event(result.stderr)["message"], result.stderr
    held = f"SELECT count(*), sum(CAST(expires_at > {time.time_ns()} AS INTEGER)) FROM octet_nodes"
    assert postgres.run(held, database=urllib.parse.urlsplit(url).path[1:]).strip() == "1|0"


def test_reaches_the_bus_over_tls(tmp_path, postgres, tls):
    certificate = ["--tls", "--tlscert", tls / "cert.pem", "--tlskey", tls / "key.pem"]
    with nats(tmp_path, -1, *certificate, "-m", "-1") as url:
        # Written soon after the line that says that it listens.
        notes = lambda: [path.read_text() for path in tmp_path.glob("nats-server_*.ports")]  # noqa: E731
        within(BUS_SECONDS, lambda: any(map(str.strip, notes())), "the server does not say where it listens")
        monitor = json.loads(notes()[0])["monitoring"][0]
        bus = "tls://localhost:" + url.rsplit(":", 1)[1]
        flags = ["--database", postgres.make_database(), "--bus", bus, "--bus-ca", tls / "ca.pem"]
        with Server(tmp_path / "data", *flags):

            def versions():
                with urllib.request.urlopen(f"{monitor}/connz") as reply:
                    connections = json.load(reply)["connections"]
                return [each.get("tls_version") for each in connections if each.get("name") == "octetd"]

            within(BUS_SECONDS, versions, "the node has not reached the bus")
            assert versions() == ["1.3"]


def test_a_database_that_is_not_there_is_said_at_once_and_without_its_password(tmp_path):
    with pytest.raises(RuntimeError) as error:
        Server(tmp_path, "--database", "postgres://octet:hush@127.0.0.1:1/none")
    assert "(74)" in str(error.value) and "hush" not in str(error.value)


def test_why_a_database_lets_nobody_in_is_said(tmp_path, postgres):
    url = postgres.make_database().replace("/test", "/no_test")
    result = run("--listen", "127.0.0.1:0", "--data", tmp_path, "--database", url)
    assert result.returncode == 74
    message = last_event(result.stderr)["message"]
    assert "the server has no such database" in message and "3D000" in message
