"""The trail of a real octetd: what staff do and may not do is recorded, and the chain is whole, also after a crash."""

import grpc
import pytest

from support import stubs
from support.authorization.answers import all_methods, ask, make_request, policy_of
from support.installation import Installation
from support.media import Uploader
from support.notices import FLAGS
from support.people import DEMO_PASSWORD, Person, info_of, method_descriptor, newcomers, outcome, request_id
from support.promises import TRIES, kept_by_one, within
from support.server import Server
from support.staff import ROLES, with_all_roles

AUDIT = "octet.audit.v1.AuditService"
GRANT = "octet.identity.v1.RoleService/GrantRole"


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


@pytest.mark.alone
def test_a_record_is_sealed_within_a_second(server):
    with server.channel() as channel:
        admin = Person(channel, "demo_admin", DEMO_PASSWORD, register=False)
        ops = Person(channel, "demo_ops", DEMO_PASSWORD, register=False)
        people = [person.user_id for person in newcomers(channel, TRIES)]
        is_sealed = lambda user_id: records(ops, object_id=user_id)[0].number > 0  # noqa: E731
        make = lambda user_id: grant(admin, user_id, "moderator")  # noqa: E731
        kept_by_one(SEALED_SECONDS, people, make, is_sealed, "no record is sealed")


def subject_field(method):
    """The field of a method's request that says what it is about; None if there is none."""
    rules = stubs.pool().FindExtensionByName("octet.options.v1.rules")
    texts = [
        (field.name, field.GetOptions().Extensions[rules].id_kind)
        for field in method.input_type.fields
        if field.type == field.TYPE_STRING and not field.is_repeated and field.containing_oneof is None
    ]
    named = [(name, kind) for name, kind in texts if kind]
    called = [(name, "store") for name, _ in texts if name.endswith("_id") and name != "request_id"]
    return next(iter(named + called), None)


def is_read_by_staff(policy):
    return not policy.mutates and any(role.split(".")[-1] in ROLES for role in policy.roles)


def test_a_read_by_staff_is_recorded_with_what_it_was_about_also_if_it_is_refused(tmp_path):
    tried = 0
    with Server(tmp_path, *FLAGS) as server, server.channel() as channel:
        staff = with_all_roles(channel)
        for path in all_methods():
            field = subject_field(method_descriptor(path))
            # octetd is without the example domain.
            if not is_read_by_staff(policy_of(path)) or field is None or path.startswith("octet.pinboard."):
                continue
            name, kind = field
            subject = f"{kind}_0000000000001"
            answer = ask(staff, path, make_request(path, {name: subject}))
            (record,) = records(staff, action=f"/{path}")
            reason = "" if answer.code == grpc.StatusCode.OK else "NOT_FOUND"
            told = (record.actor_id, record.object_id, record.refusal)
            assert told == (staff.user_id, subject, reason), (path, answer)
            tried += 1
    assert tried >= 12


def test_what_a_role_alone_shows_is_recorded(server):
    media, chat = "octet.media.v1.MediaService", "octet.chat.v1.ChatService"
    profiles, verifications = "octet.identity.v1.ProfileService", "octet.identity.v1.VerificationService"
    page = b"%PDF a page with a picture " * 1000
    with server.channel() as channel:
        ada = Uploader(channel, f"user_{request_id()[:8]}")
        staff = with_all_roles(channel, Uploader)

        def of_ada(path, **fields):
            return ada.call(path, make_request(path, fields))

        def expect_a_record(path, subject, by_ada=True, **fields):
            """Staff asks and is on record; whose it is asks, and is not."""
            for person in (ada, staff) if by_ada else (staff,):
                answer = ask(person, path, make_request(path, fields))
                assert answer.code == grpc.StatusCode.OK, (path, answer)
            found = records(staff, action=f"/{path}", object_id=subject, actor_id=staff.user_id)
            assert [record.refusal for record in found] == [""], path
            assert len(records(staff, action=f"/{path}", actor_id=ada.user_id)) == 0, path

        upload = ada.create(page)
        ada.go_on(upload.id, page)
        document = {"kind": "VERIFICATION_DOCUMENT_KIND_PASSPORT", "upload_id": upload.id}
        (kept,) = of_ada(f"{verifications}/SubmitVerification", documents=[document]).documents
        for name in ("GetBlob", "ReadBlob", "SignUrl", "ListRenditions"):
            expect_a_record(f"{media}/{name}", kept.blob_id, blob_id=kept.blob_id)
        of_ada(f"{profiles}/SetPreferences", preferences={"profile_visibility": "PROFILE_VISIBILITY_PRIVATE"})
        expect_a_record(f"{profiles}/GetProfile", ada.user_id, user_id=ada.user_id)
        room = of_ada(f"{chat}/OpenRoom", kind="ROOM_KIND_SUPPORT").id
        expect_a_record(f"{chat}/Chat", room, room_id=room, frame={"join": {}})
        expect_a_record(f"{chat}/ListRooms", "", by_ada=False, waiting=True)
        # What all see is nobody's secret.
        etag = of_ada(f"{profiles}/GetPreferences").etag
        public = {"profile_visibility": "PROFILE_VISIBILITY_PUBLIC", "etag": etag}
        of_ada(f"{profiles}/SetPreferences", preferences=public)
        expect_a_record(f"{profiles}/GetProfile", ada.user_id, user_id=ada.user_id)


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


@pytest.mark.parametrize("engine", ("SQLite", "PostgreSQL"))
def test_acceptance_14_one_altered_byte_breaks_the_chain_and_is_named(tmp_path, engine, request):
    installation = Installation(tmp_path, engine, "--seed-demo")
    request.addfinalizer(installation.discard)
    with installation.channel as channel:
        admin = Person(channel, "demo_admin", DEMO_PASSWORD, register=False)
        ops = Person(channel, "demo_ops", DEMO_PASSWORD, register=False)
        for name in ("ada", "bob_", "eve"):
            assert grant(admin, Person(channel, name).user_id, "moderator")[0] == grpc.StatusCode.OK
        within(SEALED_SECONDS, lambda: all(each.number > 0 for each in records(ops, action="role.granted")), MISSING)
        number = records(ops, actor_id=admin.user_id)[1].number
        assert ops.call(f"{AUDIT}/VerifyChain", messages().VerifyChainRequest()).records_verified >= 3
    assert installation.server.stop() == 0
    # A role of another name, one byte away.
    installation.execute(
        f"UPDATE audit_records SET details = replace(details, 'moderator', 'moderatos') WHERE number = {number}"
    )
    with Server(tmp_path, *installation.flags) as server, server.channel() as channel:
        ops = Person(channel, "demo_ops", DEMO_PASSWORD, register=False)
        with pytest.raises(grpc.RpcError) as error:
            ops.call(f"{AUDIT}/VerifyChain", messages().VerifyChainRequest())
        info = info_of(error.value)
        assert (error.value.code(), info.reason) == (grpc.StatusCode.DATA_LOSS, "CHAIN_BROKEN")
        assert info.metadata["number"] == str(number)
