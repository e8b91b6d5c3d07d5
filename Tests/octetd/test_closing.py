"""Closing accounts, exports and machines, on a real octetd; the archive is read by Python's tarfile."""

import hashlib
import io
import json
import subprocess
import tarfile
import time
import urllib.request

import grpc

from support import stubs
from support.machines import CREDENTIALS, Machine, make_credential
from support.media import Uploader
from support.people import DEMO_PASSWORD, Person, Stranger, outcome, request_id
from support.rides import Rider
from support.server import BUILD, Server

ACCOUNTS = "octet.identity.v1.AccountService"
SESSIONS = "octet.identity.v1.SessionService"


def identity(name):
    return stubs.module(f"octet.identity.v1.{name}_pb2")


def close(person):
    request = identity("account_service").CloseAccountRequest(request_id=request_id())
    return outcome(lambda: person.call(f"{ACCOUNTS}/CloseAccount", request))


def test_a_closed_account_is_out_until_its_owner_logs_in(server):
    with server.channel() as channel:
        rider = Rider(channel, f"rider_{request_id()[:8]}")
        ride = rider.request_ride()
        assert close(rider)[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "CLOSE_BLOCKED")
        rider.ride_call("CancelRide", ride.id)
        code, _, user = close(rider)
        assert code == grpc.StatusCode.OK and user.state == identity("account_service").USER_STATE_CLOSING
        assert user.erase_time.seconds - user.create_time.seconds >= 14 * 86400
        listing = identity("session_service").ListSessionsRequest()
        assert outcome(lambda: rider.call(f"{SESSIONS}/ListSessions", listing))[1] == "SESSION_ENDED"
        again = Person(channel, rider.handle, register=False)
        assert again.login.user.state == identity("account_service").USER_STATE_NEW
        assert not again.login.user.HasField("erase_time")


def test_whoever_is_suspended_closes_the_account_by_its_password(server, tmp_path):
    messages = identity("account_service")
    with server.channel() as channel:
        nobody = Stranger(channel)
        admin = Person(channel, "demo_admin", DEMO_PASSWORD, register=False)
        person = Person(channel, f"user_{request_id()[:8]}")
        machine = Machine(channel, tmp_path)
        machine.login(make_credential(admin, machine, "support", name="the night watch").id)

        def change(method):
            request = getattr(messages, f"{method}Request")(request_id=request_id(), user_id=person.user_id)
            return machine.call(f"{ACCOUNTS}/{method}", request)

        def close_by(password):
            request = messages.CloseSuspendedAccountRequest(
                request_id=request_id(), login_name=person.handle, password=password
            )
            return outcome(lambda: nobody.call(f"{ACCOUNTS}/CloseSuspendedAccount", request))

        def login():
            return outcome(lambda: Person(channel, person.handle, register=False))

        assert close_by(person.password)[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "WRONG_STATE")
        change("SuspendAccount")
        assert close_by("something else")[:2] == (grpc.StatusCode.UNAUTHENTICATED, "WRONG_CREDENTIALS")
        code, _, user = close_by(person.password)
        assert code == grpc.StatusCode.OK and user.state == messages.USER_STATE_CLOSING
        assert login()[:2] == (grpc.StatusCode.PERMISSION_DENIED, "ACCOUNT_SUSPENDED")
        assert change("RestoreAccount").state == messages.USER_STATE_CLOSING
        assert login()[2].login.user.state == messages.USER_STATE_NEW


def test_an_export_is_an_archive_of_all_domains(server):
    messages = identity("export")
    with server.channel() as channel:
        person = Uploader(channel, f"user_{request_id()[:8]}")
        stranger = Uploader(channel, f"user_{request_id()[:8]}")
        start = messages.StartExportRequest(request_id=request_id())
        begun = person.call(f"{ACCOUNTS}/StartExport", start)
        watch = messages.WatchExportRequest(export_id=begun.id)
        refused = outcome(lambda: list(stranger.stream(f"{ACCOUNTS}/WatchExport", watch)))
        assert refused[0] == grpc.StatusCode.NOT_FOUND
        *_, news = [part for part in person.stream(f"{ACCOUNTS}/WatchExport", watch) if part.export.id]
        last = news.export
        assert last.state == messages.EXPORT_STATE_READY and last.files_done == last.files_total
        content = person.read(last.blob_id)
        assert hashlib.sha256(content).hexdigest() == last.sha256 and len(content) == last.size_bytes
        assert outcome(lambda: stranger.read(last.blob_id))[0] == grpc.StatusCode.NOT_FOUND
        with urllib.request.urlopen(f"http://{server.address}{news.path}") as reply:
            assert reply.read() == content
        assert 3500 < news.path_expire_time.seconds - time.time() < 3700
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            names = archive.getnames()
            lines = archive.extractfile("identity.jsonl").read().decode().splitlines()
        assert {"identity.jsonl", "notify.jsonl", "chat.jsonl", "rides.jsonl"} <= set(names)
        records = [json.loads(line) for line in lines]
        assert records[0]["kind"] == "User" and records[0]["record"]["handle"] == person.handle
        again = messages.StartExportRequest(request_id=request_id())
        assert outcome(lambda: person.call(f"{ACCOUNTS}/StartExport", again))[1] == "RATE_LIMITED"


def test_a_machine_signs_in_with_its_key_and_does_what_its_role_allows(server, tmp_path):
    messages = identity("credential_service")
    with server.channel() as channel:
        admin = Person(channel, "demo_admin", DEMO_PASSWORD, register=False)
        somebody = Person(channel, f"user_{request_id()[:8]}")
        machine = Machine(channel, tmp_path)
        credential = make_credential(admin, machine, "support", name="the night watch")
        machine.login(credential.id)
        suspend = identity("account_service").SuspendAccountRequest(request_id=request_id(), user_id=somebody.user_id)
        suspended = machine.call(f"{ACCOUNTS}/SuspendAccount", suspend)
        assert suspended.state == identity("account_service").USER_STATE_SUSPENDED
        listing = identity("session_service").ListSessionsRequest()
        assert outcome(lambda: machine.call(f"{SESSIONS}/ListSessions", listing))[1] == "PERMISSION_DENIED"
        revoke = messages.RevokeCredentialRequest(request_id=request_id(), credential_id=credential.id)
        admin.call(f"{CREDENTIALS}/RevokeCredential", revoke)
        restore = identity("account_service").RestoreAccountRequest(request_id=request_id(), user_id=somebody.user_id)
        assert outcome(lambda: machine.call(f"{ACCOUNTS}/RestoreAccount", restore))[1] == "SESSION_ENDED"


def test_a_database_is_scrubbed_while_it_is_not_served(tmp_path):
    def scrub():
        command = [str(BUILD / "octetd"), "scrub", "--data", str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    with Server(tmp_path) as server, server.channel() as channel:
        Person(channel, "somebody")
        assert scrub().returncode == 74
    done = scrub()
    assert done.returncode == 0 and '"scrubbed"' in done.stderr, done.stderr
    with Server(tmp_path) as server, server.channel() as channel:
        assert Person(channel, "somebody", register=False).user_id
