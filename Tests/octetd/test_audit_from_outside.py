"""The trail as somebody who has nothing but what the server tells can read and check it."""

import hashlib
import struct
import subprocess
import time

import grpc
import pytest
from support import stubs
from support.people import DEMO_PASSWORD, Person, Stranger, outcome, request_id
from support.server import Server

AUDIT = "octet.audit.v1.AuditService"
SEALED_WITHIN_SECONDS = 120
PEOPLE = 5
# What the DER form of an Ed25519 key begins with (RFC 8410).
KEY_HEAD = bytes.fromhex("302a300506032b6570032100")

audit = stubs.module("octet.audit.v1.audit_service_pb2")
roles = stubs.module("octet.identity.v1.role_service_pb2")


def integers(*numbers):
    return b"".join(struct.pack(">q", number) for number in numbers)


def nanoseconds(time_message):
    return time_message.seconds * 10**9 + time_message.nanos


def link(previous, record):
    """A record's hash, by the rule in the comment of AuditRecord.hash."""
    body = previous + integers(record.number, record.sequence, nanoseconds(record.create_time))
    details = "\n".join(f"{each.name}={each.value}" for each in record.details)
    for text in (record.actor_id, record.action, record.object_id, record.refusal, details):
        body += integers(len(text.encode())) + text.encode()
    return hashlib.blake2b(body, digest_size=32).digest()


def export(ops, after=0, **filters):
    request = audit.ExportRecordsRequest(after_number=after, filter=audit.RecordFilter(**filters))
    return [record for part in ops.stream(f"{AUDIT}/ExportRecords", request) for record in part.records]


def page(ops, size=0, token="", **filters):
    request = audit.ListRecordsRequest(page_size=size, page_token=token, filter=audit.RecordFilter(**filters))
    return ops.call(f"{AUDIT}/ListRecords", request)


def pages(ops, size, **filters):
    """All records that a filter lets pass, page by page."""
    found, token = [], ""
    while True:
        answer = page(ops, size, token, **filters)
        assert len(answer.records) == size or not answer.next_page_token
        found += answer.records
        token = answer.next_page_token
        if not token:
            return found


def is_signed(head, public_key, folder):
    """Whether openssl finds the signature good, by the rule in the comment of ChainHead.signature."""
    message = b"octet audit head 1\0" + integers(head.number, nanoseconds(head.sign_time)) + head.hash
    for name, content in (("key.der", KEY_HEAD + public_key), ("message", message), ("signature", head.signature)):
        (folder / name).write_bytes(content)
    verify = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key.der", "-rawin", "-in", "message"]
    done = subprocess.run([*verify, "-sigfile", "signature"], cwd=folder, capture_output=True, check=False)
    return done.returncode == 0


@pytest.fixture
def trail(tmp_path, engine_flags):
    """Ops of a server, an admin who has made some people moderators, and these; all of that is sealed."""
    with Server(tmp_path / "data", "--seed-demo", *engine_flags) as server, server.channel() as channel:
        admin = Person(channel, "demo_admin", DEMO_PASSWORD, register=False)
        ops = Person(channel, "demo_ops", DEMO_PASSWORD, register=False)
        people = [Person(channel, f"moderator_{number}") for number in range(PEOPLE)]
        for person in people:
            request = roles.GrantRoleRequest(request_id=request_id(), user_id=person.user_id, role="moderator")
            admin.call("octet.identity.v1.RoleService/GrantRole", request)
        deadline = time.monotonic() + SEALED_WITHIN_SECONDS
        while not all(record.number for record in page(ops, actor_id=admin.user_id).records):
            assert time.monotonic() < deadline, "it was not sealed"
            time.sleep(0.05)
        yield ops, admin, people


def test_the_chain_and_its_heads_are_computed_again_from_an_export(trail, tmp_path):
    ops, _, _ = trail
    records = export(ops)
    assert [record.number for record in records] == list(range(1, len(records) + 1)) and len(records) >= PEOPLE
    hashes = {0: bytes(32)}
    for record in records:
        hashes[record.number] = link(hashes[record.number - 1], record)
        assert hashes[record.number] == record.hash, record.number
    altered = audit.AuditRecord()
    altered.CopyFrom(records[-1])
    altered.object_id += "0"
    assert link(hashes[len(records) - 1], altered) != records[-1].hash
    # Whoever has kept a head knows of each record before it, without a role.
    answer = Stranger(ops.channel).call(f"{AUDIT}/ListHeads", audit.ListHeadsRequest())
    assert answer.heads
    for head in answer.heads:
        assert head.hash == hashes[head.number]
        assert is_signed(head, answer.public_key, tmp_path)
    other = audit.ChainHead()
    other.CopyFrom(answer.heads[0])
    other.number += 1
    assert not is_signed(other, answer.public_key, tmp_path)


def test_an_export_goes_on_after_a_number(trail):
    ops, admin, _ = trail
    records = export(ops)
    for after in (1, len(records) - 1):
        assert export(ops, after)[: len(records) - after] == records[after:]
    mine = export(ops, actor_id=admin.user_id)
    assert len(mine) == PEOPLE and all(record.action == "role.granted" for record in mine)
    assert export(ops, mine[1].number, actor_id=admin.user_id) == mine[2:]
    assert export(ops, mine[-1].number, actor_id=admin.user_id) == []


def test_records_are_listed_page_by_page_and_by_each_filter(trail):
    ops, admin, people = trail
    by_admin = {"actor_id": admin.user_id}
    whole = list(page(ops, **by_admin).records)
    assert [record.object_id for record in whole] == [person.user_id for person in reversed(people)], "newest first"
    for size in (1, 2, PEOPLE):
        assert pages(ops, size, **by_admin) == whole
    assert [record.object_id for record in pages(ops, 2, object_id=people[0].user_id)] == [people[0].user_id]
    assert pages(ops, 2, action="role.granted", **by_admin) == whole
    assert pages(ops, 2, action="role.revoked", **by_admin) == []
    # The first instant is meant, the last one is not.
    between = {"from_time": whole[3].create_time, "to_time": whole[1].create_time}
    assert pages(ops, 2, **between, **by_admin) == whole[2:4]
    token = page(ops, 2, **by_admin).next_page_token
    code, reason, _ = outcome(lambda: page(ops, 2, token, object_id=people[0].user_id))
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "BAD_PAGE_TOKEN")
