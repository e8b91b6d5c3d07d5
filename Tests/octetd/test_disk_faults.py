"""octetd on a disk that is full, that fails, and that has lost what was on it: what callers, probes and operators see."""

import http.client
import json
import resource
import shutil
import sqlite3
from contextlib import closing

import grpc
import pytest

from support import stubs
from support.people import PASSWORD, Person, outcome, request_id
from support.promises import within
from support.server import Server
from support.small_disk import SmallDisk
from support.subcommands import last_message, octetd

ADMIN = ("--admin-listen", "127.0.0.1:0")
READY = (200, "ready\n")
NOT_READY = (503, "not ready\ndatabase: failed\n")
PAGE = 4096


def readiness(server):
    with closing(http.client.HTTPConnection(server.ready["admin"], timeout=120)) as connection:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def expect(server, wanted):
    """A probe has two seconds to look at the database, which pass where the machine stands still."""
    within(10, lambda: readiness(server) == wanted, f"it does not say {wanted}")


def registration(handle):
    accounts = stubs.module("octet.identity.v1.account_service_pb2")
    return accounts.RegisterRequest(request_id=request_id(), handle=handle, password=PASSWORD)


def register(person, request):
    return outcome(lambda: person.call("octet.identity.v1.AccountService/Register", request))


def reads(person):
    profiles = stubs.module("octet.identity.v1.profile_service_pb2")
    person.call("octet.identity.v1.ProfileService/GetPreferences", profiles.GetPreferencesRequest())
    return True


def await_fault(server, status, word):
    """Until the log says of the disk what a client got, and why."""

    def is_told():
        faults = [event for event in map(json.loads, server.log) if event["event"] == "fault"]
        return any(event["status"] == status and word in event["error"] for event in faults)

    within(10, is_told, "the log does not say what happened")


@pytest.mark.skipif(not SmallDisk.can_be(), reason="no file system can be mounted here")
def test_a_full_disk_fails_what_needs_room_until_there_is_some(tmp_path):
    with SmallDisk("64m") as disk, Server(disk.inside / "data", *ADMIN, under=disk.command) as server:
        with server.channel() as channel:
            person = Person(channel, "before_full")
            disk.fill()
            request = registration("while_full")
            with pytest.raises(grpc.RpcError) as refused:
                person.call("octet.identity.v1.AccountService/Register", request)
            assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
            assert refused.value.details() == "there is no room to store this; nothing was done"
            assert register(person, request)[:2] == (grpc.StatusCode.UNAVAILABLE, "STORAGE_FULL")
            # What needs no room goes on, so the server is ready.
            assert reads(person)
            expect(server, READY)
            await_fault(server, "UNAVAILABLE", "diskFull")
            disk.make_room()
            assert register(person, request)[0] == grpc.StatusCode.OK
            Person(channel, "while_full", register=False)


def test_a_disk_that_fails_gets_no_more_writes_until_the_server_is_started_again(tmp_path):
    # A write beyond the process's limit fails, once the signal that it comes with is not deadly.
    survives = ["env", "--ignore-signal=XFSZ"]
    with Server(tmp_path, *ADMIN, under=survives) as server, server.channel() as channel:
        person = Person(channel, "before_failure")
        length = (tmp_path / "octet.db-wal").stat().st_size
        before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (length, resource.RLIM_INFINITY))
        request = registration("in_failure")
        assert register(person, request)[:2] == (grpc.StatusCode.UNAVAILABLE, "STORAGE_FAILED")
        expect(server, NOT_READY)
        # What the disk does later proves nothing about what it did.
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)
        assert register(person, request)[:2] == (grpc.StatusCode.UNAVAILABLE, "STORAGE_FAILED")
        expect(server, NOT_READY)
        assert reads(person)
        await_fault(server, "UNAVAILABLE", "ioFailure")
    with Server(tmp_path, *ADMIN) as server, server.channel() as channel:
        expect(server, READY)
        person = Person(channel, "before_failure", register=False)
        assert register(person, request)[0] == grpc.StatusCode.OK
        Person(channel, "in_failure", register=False)


def root_page(database, table):
    with closing(sqlite3.connect(database)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
    return page


def damage(database, page):
    with open(database, "r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(b"\xaa" * PAGE)


def test_damage_that_a_call_meets_is_data_loss_and_ends_all_writes(tmp_path):
    with Server(tmp_path) as server, server.channel() as channel:
        Person(channel, "before_damage")
    database = tmp_path / "octet.db"
    damage(database, root_page(database, "identity_users"))
    with Server(tmp_path, *ADMIN) as server, server.channel() as channel:
        expect(server, READY)
        lost = (grpc.StatusCode.DATA_LOSS, "STORAGE_DAMAGED")
        assert outcome(lambda: Person(channel, "before_damage", register=False))[:2] == lost
        expect(server, NOT_READY)
        assert outcome(lambda: Person(channel, "after_damage"))[:2] == lost
        await_fault(server, "DATA_LOSS", "corrupt")


@pytest.mark.parametrize("is_backed_up", [False, True], ids=["at once", "after a backup"])
def test_damage_that_a_crash_left_is_found_before_anybody_is_served(tmp_path, is_backed_up):
    """What a crash has left is the mark that the next start looks for damage; a backup reads it and lets it be."""
    whole, damaged = tmp_path / "whole", tmp_path / "damaged"
    with Server(whole) as server, server.channel() as channel:
        Person(channel, "before_crash")
    page = root_page(whole / "octet.db", "identity_addresses")
    with Server(whole) as server:
        with server.channel() as channel:
            Person(channel, "last_acknowledged")
        server.kill()
    shutil.copytree(whole, damaged)
    if is_backed_up:
        copy = octetd("backup", "--data", damaged, "--to", tmp_path / "copy.db")
        assert copy.returncode == 0, copy.stderr
    damage(damaged / "octet.db", page)
    result = octetd("--listen", "127.0.0.1:0", "--data", damaged)
    assert result.returncode == 74, result.stderr
    assert "corrupt" in last_message(result) and str(damaged) in last_message(result)
    assert "ready" not in result.stdout
    # Without the damage nothing is missing.
    with Server(whole) as server, server.channel() as channel:
        Person(channel, "last_acknowledged", register=False)


@pytest.mark.skipif(not SmallDisk.can_be(), reason="no file system can be mounted here")
def test_a_start_on_a_full_disk_says_so():
    with SmallDisk("8m") as disk:
        disk.fill()
        result = octetd("--listen", "127.0.0.1:0", "--data", disk.inside / "data", under=disk.command)
        assert result.returncode == 74, result.stderr
        assert "No space left" in last_message(result) or "full" in last_message(result)
