"""Settings of a real octetd: flags, methods that are off on all nodes, dated rows, capacity, and the commands for them."""

import shutil
import sys
import time

import grpc
import pytest

from support import stubs
from support.authorization.answers import ask, contains, make_request
from support.notices import FLAGS
from support.paths import ROOT
from support.people import DEMO_PASSWORD, Person, Stranger, outcome, request_id
from support.server import Server
from support.staff import with_all_roles

sys.path.insert(0, str(ROOT / "Tests" / "octet"))
from client import Octet  # noqa: E402

ADMIN = "octet.admin.v1.AdminService"
ESTIMATE = f"{ADMIN}/EstimateCapacity"
METHOD_OFF = (grpc.StatusCode.UNAVAILABLE, "METHOD_OFF")


def service():
    return stubs.module("octet.admin.v1.admin_service_pb2")


def capacity(**load):
    return stubs.module("octet.admin.v1.capacity_pb2").EstimateCapacityRequest(**load)


def value(**which):
    return stubs.module("octet.admin.v1.flag_pb2").SettingValue(**which)


def put_flag(ops, name, setting, etag=""):
    request = service().PutFlagRequest(request_id=request_id(), name=name, value=setting, etag=etag)
    return ops.call(f"{ADMIN}/PutFlag", request)


def asked(person):
    return outcome(lambda: person.call(ESTIMATE, capacity(actors=1)))[:2]


def test_a_method_that_is_off_is_off_on_all_nodes_and_after_a_start(tmp_path, postgres):
    url = postgres.make_database()
    with Server(tmp_path / "a", "--database", url, "--seed-demo") as first:
        (tmp_path / "b").mkdir(mode=0o700)
        shutil.copy2(first.data / "root.key", tmp_path / "b" / "root.key")
        second = Server(tmp_path / "b", "--database", url, "--blobs", first.data / "blobs")
        with second, first.channel() as here, second.channel() as there:
            ops = Person(here, "demo_ops", DEMO_PASSWORD, register=False)
            assert asked(Stranger(here))[0] == asked(Stranger(there))[0] == grpc.StatusCode.OK
            flag = put_flag(ops, ESTIMATE, value(boolean=False))
            assert asked(Stranger(here)) == METHOD_OFF
            deadline = time.monotonic() + 120
            while asked(Stranger(there)) != METHOD_OFF:
                assert time.monotonic() < deadline, "the other node has not heard of it"
                time.sleep(0.05)
            assert flag.default_value.boolean and not flag.value.boolean
    with Server(tmp_path / "a", "--database", url) as first, first.channel() as here:
        assert asked(Stranger(here)) == METHOD_OFF
        ops = Person(here, "demo_ops", DEMO_PASSWORD, register=False)
        put_flag(ops, ESTIMATE, value(boolean=True), flag.etag)
        assert asked(Stranger(here))[0] == grpc.StatusCode.OK


def test_a_method_is_off_for_people_of_a_country(tmp_path):
    profiles = stubs.module("octet.identity.v1.profile_service_pb2")
    preferences = stubs.module("octet.identity.v1.preferences_pb2")
    with Server(tmp_path, "--seed-demo") as server, server.channel() as channel:
        ops = Person(channel, "demo_ops", DEMO_PASSWORD, register=False)
        people = {region: Person(channel, f"from_{region.lower()}") for region in ("IT", "FI")}
        for region, person in people.items():
            wanted = preferences.Preferences(language="en", region_code=region, time_zone="UTC")
            person.call("octet.identity.v1.ProfileService/SetPreferences",
                        profiles.SetPreferencesRequest(request_id=request_id(), preferences=wanted))  # fmt: skip
        flags = stubs.module("octet.admin.v1.flag_pb2")
        request = service().PutFlagRequest(request_id=request_id(), name=ESTIMATE, value=value(boolean=True))
        request.rules.append(flags.FlagRule(region_code="IT", value=value(boolean=False)))
        ops.call(f"{ADMIN}/PutFlag", request)
        assert asked(people["IT"]) == METHOD_OFF
        assert asked(people["FI"])[0] == asked(Stranger(channel))[0] == asked(ops)[0] == grpc.StatusCode.OK


# Without these nobody could switch anything on again.
ALWAYS_ON = {
    f"{ADMIN}/PutFlag",
    *(f"octet.identity.v1.SessionService/{name}" for name in ("GetChallenge", "Login", "RefreshSession")),
}


def switches(ops):
    names, token = set(), ""
    while True:
        request = service().ListFlagsRequest(prefix="octet.", page_size=500, page_token=token)
        page = ops.call(f"{ADMIN}/ListFlags", request)
        names |= {flag.name for flag in page.flags}
        token = page.next_page_token
        if not token:
            return names


def test_every_method_of_every_domain_is_switched_off_by_a_flag_of_its_own(tmp_path):
    files = [file for file in stubs.descriptor_set().file if file.package.startswith("octet.")]
    declared = {
        f"{file.package}.{each.name}/{method.name}" for file in files for each in file.service for method in each.method
    }
    with Server(tmp_path, *FLAGS) as server, server.channel() as channel:
        ops = Person(channel, "demo_ops", DEMO_PASSWORD, register=False)
        anybody = with_all_roles(channel)
        assert switches(ops) == declared
        for path in sorted(declared):
            refused, reason, flag = outcome(lambda path=path: put_flag(ops, path, value(boolean=False)))
            if path in ALWAYS_ON:
                assert (refused, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"), path
                continue
            answer = ask(anybody, path, make_request(path, {}))
            assert answer.code == METHOD_OFF[0] and contains(answer, METHOD_OFF[1]), (path, answer)
            put_flag(ops, path, value(boolean=True), flag.etag)


@pytest.fixture
def octet(server, tls, tmp_path):
    client = Octet(tmp_path, server.tls_address, "--cacert", str(tls / "ca.pem"))
    assert client("login", "demo_ops", stdin=DEMO_PASSWORD + "\n").code == 0
    return client


def test_commands(octet):
    load = ("--actors", "300000000", "--actions-per-actor", "10", "--bytes-per-write", "300", "--days-kept", "90")
    figures = octet("admin", "estimate-capacity", *load).json()
    assert (figures["writesPerSecond"], figures["bytesKept"]) == ("34722", "81000000000000")
    method = "octet.audit.v1.AuditService/ListHeads"
    off = octet("admin", "put-flag", "--name", method, "--value.boolean=false")
    assert off.code == 0, off.error
    assert octet("audit", "list-heads").code == 14
    listed = octet("admin", "list-flags", "--prefix", method).json()["flags"]
    assert [flag["name"] for flag in listed] == [method] and listed[0]["etag"] == "1"
    on = octet("admin", "put-flag", "--name", method, "--etag", "1", "--rules", '{"value": {"boolean": true}}')
    assert on.code == 0, on.error
    assert octet("audit", "list-heads").code == 0
    put_row = ("admin", "put-table-row", "--table", "admin.node_rates", "--key", "writes")
    row = octet(*put_row, "--values", 'per_second={"integer": 5000}')
    assert row.code == 0, row.error
    rows = octet("admin", "list-table-rows", "--table", "admin.node_rates").json()
    assert rows["rows"][0]["values"]["per_second"] == {"integer": "5000"}
    assert octet("admin", "estimate-capacity", *load).json()["writeNodes"] == "7"
    overlapping = octet(*put_row)
    assert overlapping.code == 9 and "TABLE_OVERLAP" in overlapping.error
    help_text = octet("admin", "--help").out
    assert "Computes what a planned load comes to" in help_text
