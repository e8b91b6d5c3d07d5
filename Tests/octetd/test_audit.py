"""The trail of a real octetd: what staff do and may not do is recorded, and the chain is whole, also after a crash."""

import sqlite3

import grpc
import pytest

from support import stubs
from support.people import Person, info_of, outcome, request_id
from support.promises import TRIES, kept_by_one, within
from support.server import Server

AUDIT = "octet.audit.v1.AuditService"
GRANT = "octet.identity.v1.RoleService/GrantRole"
DEMO_PASSWORD = "octet-demo-2026"


def messages():
    return stubs.module("octet.audit.v1.audit_service_pb2")


def grant(person, user_id, role):
    roles = stubs.module("octet.identity.v1.role_service_pb2")
    return outcome(
        lambda: person.call(GRANT, roles.GrantRoleRequest(request_id=request_id(), user_id=user_id, role=role))
    )


def records(ops, **filters):
    request = messages().ListRecordsRequest(filter=messages().RecordFilter(**filters))
    return ops.call(f"{AUDIT}/ListRecords", request).records


# Within what time records are sealed, and how long a sealer that was killed keeps others from it.
SEALED_SECONDS, LEASE_SECONDS = 1, 2
MISSING = "it was not recorded"


def test_a_grant_and_a_refused_call_are_recorded(server):
    with server.channel() as channel:
        admin = Person(channel, "demo_admin", DEMO_PASSWORD, register=False)
        ops = Person(channel, "demo_ops", DEMO_PASSWORD, register=False)
        somebody = Person(channel, f"user_{request_id()[:8]}")
        assert grant(admin, somebody.user_id, "moderator")[0] == grpc.StatusCode.OK
        (record,) = records(ops, object_id=somebody.user_id)
        assert (record.action, record.actor_id) == ("role.granted", admin.user_id)
        assert [(each.name, each.value) for each in record.details] == [("role", "moderator")]
        verify = messages().VerifyChainRequest()
        code, reason, _ = outcome(lambda: somebody.call(f"{AUDIT}/VerifyChain", verify))
        assert (code, reason) == (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
        within(SEALED_SECONDS, lambda: records(ops, actor_id=somebody.user_id), MISSING)
        (refused,) = records(ops, actor_id=somebody.user_id)
        assert (refused.action, refused.refusal) == (f"/{AUDIT}/VerifyChain", "PERMISSION_DENIED")
        within(SEALED_SECONDS, lambda: records(ops, actor_id=somebody.user_id)[0].number > 0, MISSING)
        assert ops.call(f"{AUDIT}/VerifyChain", verify).records_verified >= 2
        parts = ops.stream(f"{AUDIT}/ExportRecords", messages().ExportRecordsRequest())
        exported = [each.number for part in parts for each in part.records]
        assert exported == list(range(1, len(exported) + 1)) and len(exported) >= 2
        checked = ops.call(f"{AUDIT}/CheckInvariants", messages().CheckInvariantsRequest()).invariants
        assert {each.domain for each in checked} >= {"identity", "audit"}
        assert all(each.violations == 0 for each in checked)
        sequences = {each.snapshot_sequence for each in checked if each.domain != "audit"}
        assert min(sequences) >= 2


def test_a_record_is_sealed_within_a_second(server):
    with server.channel() as channel:
        admin = Person(channel, "demo_admin", DEMO_PASSWORD, register=False)
        ops = Person(channel, "demo_ops", DEMO_PASSWORD, register=False)
        people = [Person(channel, f"user_{request_id()[:8]}").user_id for _ in range(TRIES)]
        is_sealed = lambda user_id: records(ops, object_id=user_id)[0].number > 0  # noqa: E731
        make = lambda user_id: grant(admin, user_id, "moderator")  # noqa: E731
        kept_by_one(SEALED_SECONDS, people, make, is_sealed, "no record is sealed")


def test_what_was_committed_before_a_crash_is_sealed_after_it(tmp_path):
    with Server(tmp_path, "--seed-demo") as server, server.channel() as channel:
        admin = Person(channel, "demo_admin", DEMO_PASSWORD, register=False)
        somebody = Person(channel, "somebody")
        assert grant(admin, somebody.user_id, "moderator")[0] == grpc.StatusCode.OK
        server.kill()
    with Server(tmp_path) as server, server.channel() as channel:
        ops = Person(channel, "demo_ops", DEMO_PASSWORD, register=False)
        within(LEASE_SECONDS + SEALED_SECONDS, lambda: records(ops, object_id=somebody.user_id)[0].number > 0, MISSING)
        verified = ops.call(f"{AUDIT}/VerifyChain", messages().VerifyChainRequest())
        assert verified.records_verified >= 1 and verified.heads_verified >= 1


def test_acceptance_14_one_altered_byte_breaks_the_chain_and_is_named(tmp_path):
    with Server(tmp_path, "--seed-demo") as server, server.channel() as channel:
        admin = Person(channel, "demo_admin", DEMO_PASSWORD, register=False)
        ops = Person(channel, "demo_ops", DEMO_PASSWORD, register=False)
        for name in ("ada", "bob_", "eve"):
            assert grant(admin, Person(channel, name).user_id, "moderator")[0] == grpc.StatusCode.OK
        within(SEALED_SECONDS, lambda: all(each.number > 0 for each in records(ops, action="role.granted")), MISSING)
        number = records(ops, actor_id=admin.user_id)[1].number
        assert ops.call(f"{AUDIT}/VerifyChain", messages().VerifyChainRequest()).records_verified >= 3
    database = sqlite3.connect(tmp_path / "octet.db")
    with database:
        # A role of another name, one byte away.
        sql = "UPDATE audit_records SET details = replace(details, 'moderator', 'moderatos') WHERE number = ?"
        assert database.execute(sql, (number,)).rowcount == 1
    database.close()
    with Server(tmp_path) as server, server.channel() as channel:
        ops = Person(channel, "demo_ops", DEMO_PASSWORD, register=False)
        with pytest.raises(grpc.RpcError) as error:
            ops.call(f"{AUDIT}/VerifyChain", messages().VerifyChainRequest())
        info = info_of(error.value)
        assert (error.value.code(), info.reason) == (grpc.StatusCode.DATA_LOSS, "CHAIN_BROKEN")
        assert info.metadata["number"] == str(number)
