"""octetd backup and restore, with a server that is in use meanwhile."""

import contextlib
import json
import shutil
import sqlite3
import threading

import grpc
import pytest

from support.people import Person, first_row, outcome
from support.postgres import name_of
from support.promises import SLACK_SECONDS
from support.rides import RIDES, Rider, check_invariants, rides, staff
from support.server import Server
from support.subcommands import last_message, octetd

RIDERS = 8
# How often a node renews its number, and sees then whether the database was restored.
RENEWED_SECONDS = 15


class Load:
    """Riders who request rides and cancel them, each as fast as answers come, until the end of the block."""

    def __init__(self, riders):
        self.acknowledged = []
        self._is_over = threading.Event()
        self.is_running = threading.Event()
        self._threads = [threading.Thread(target=self._ride, args=(rider,)) for rider in riders]

    def _ride(self, rider):
        while not self._is_over.is_set():
            ride = rider.request_ride()
            self.acknowledged.append((rider.handle, ride.id))
            rider.ride_call("CancelRide", ride.id)
            if len(self.acknowledged) >= 5 * RIDERS:
                self.is_running.set()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        assert self.is_running.wait(300), "the server did not answer enough requests"
        return self

    def __exit__(self, *_):
        self._is_over.set()
        for thread in self._threads:
            thread.join(300)


def test_a_backup_under_load_is_whole(tmp_path):
    data, copy, restored = tmp_path / "data", tmp_path / "copies" / "octet.db", tmp_path / "restored"
    with Server(data, "--seed-demo") as server:
        with server.channel() as channel:
            riders = [Rider(channel, f"backup_rider_{number}") for number in range(RIDERS)]
            with Load(riders) as load:
                acknowledged = list(load.acknowledged)
                result = octetd("backup", "--data", data, "--to", copy)
                assert result.returncode == 0, result.stderr
            # More was acknowledged while the copy was made or after it.
            assert len(load.acknowledged) > len(acknowledged)
            refused = octetd("restore", "--from", copy, "--data", data, "--force")
            assert refused.returncode == 74 and "in use" in last_message(refused)
    result = octetd("restore", "--from", copy, "--data", restored)
    assert result.returncode == 0, result.stderr
    # The keys are kept apart from the database, so they are carried apart.
    shutil.copy(data / "root.key", restored)
    with Server(restored) as server, server.channel() as channel:
        assert check_invariants(staff(channel)) == []
        people = {}
        for handle, ride_id in acknowledged:
            if handle not in people:
                people[handle] = Rider(channel, handle, register=False)
            assert people[handle].ride_call("GetRide", ride_id).id == ride_id


def next_row(rider, ride_id, token=""):
    """The next thing that a watch says."""
    request = rides("ride_service").WatchRideRequest(ride_id=ride_id, resume_token=token)
    call = rider.stream(f"{RIDES}.RideService/WatchRide", request, timeout=300)
    row = first_row(call)
    call.cancel()
    return row


def test_a_restore_makes_resume_tokens_too_old(tmp_path):
    """The number in the token is given again after the restore, to another event."""
    data, copy = tmp_path / "data", tmp_path / "copy.db"
    with Server(data, "--seed-demo") as server, server.channel() as channel:
        rider = Rider(channel, "restored_rider")
        ride_id = rider.request_ride().id
        assert octetd("backup", "--data", data, "--to", copy).returncode == 0
        rider.ride_call("CancelRide", ride_id)
        token = next_row(rider, ride_id).resume_token
    assert octetd("restore", "--from", copy, "--data", data, "--force").returncode == 0
    with Server(data) as server, server.channel() as channel:
        rider = Rider(channel, "restored_rider", register=False)
        rider.ride_call("CancelRide", ride_id)
        code, reason, _ = outcome(lambda: next_row(rider, ride_id, token))
        assert (code, reason) == (grpc.StatusCode.OUT_OF_RANGE, "RESUME_TOKEN_TOO_OLD")
        assert next_row(rider, ride_id).resume_token != token


def test_restored_takes_no_copy_and_makes_no_database(tmp_path):
    data = tmp_path / "data"
    copied = octetd("restored", "--from", tmp_path / "copy.db", "--data", data)
    assert copied.returncode == 64 and "belong to" in last_message(copied)
    missing = octetd("restored", "--data", data)
    assert missing.returncode == 74 and "there is no database" in last_message(missing)
    assert not data.exists()


def test_no_other_history_begins_in_a_file_that_is_served(tmp_path):
    with Server(tmp_path / "data"):
        refused = octetd("restored", "--data", tmp_path / "data")
        assert refused.returncode == 74 and "in use" in last_message(refused)


def refuse_restored(*flags):
    result = octetd("restored", *flags)
    assert result.returncode == 74 and "no server has used this database" in last_message(result)
    assert "history_begun" not in result.stderr


def test_restored_leaves_somebody_elses_database_as_it_is(tmp_path, postgres):
    url = postgres.make_database()
    postgres.run("CREATE TABLE theirs ()", name_of(url))
    refuse_restored("--data", tmp_path / "data", "--database", url)
    tables = "SELECT relname FROM pg_class WHERE relnamespace = CAST('public' AS regnamespace)"
    assert postgres.run(tables, name_of(url)) == "theirs\n"
    assert not (tmp_path / "data").exists()


def test_restored_leaves_somebody_elses_file_as_it_is(tmp_path):
    def dump():
        with contextlib.closing(sqlite3.connect(tmp_path / "octet.db")) as database:
            return list(database.iterdump())

    with contextlib.closing(sqlite3.connect(tmp_path / "octet.db")) as database:
        database.execute("CREATE TABLE theirs (a)")
    before = dump()
    refuse_restored("--data", tmp_path)
    assert dump() == before and "theirs" in str(before)


def test_other_tools_restores_are_told(tmp_path, postgres):
    flags = ["--data", tmp_path / "data", "--database", postgres.make_database()]
    with Server(tmp_path / "data", *flags[2:], "--seed-demo") as server, server.channel() as channel:
        rider = Rider(channel, "restored_rider")
        ride_id = rider.request_ride().id
        token = next_row(rider, ride_id).resume_token
        rider.ride_call("CancelRide", ride_id)
        assert next_row(rider, ride_id, token).resume_token != token
    result = octetd("restored", *flags)
    assert result.returncode == 0, result.stderr
    with Server(tmp_path / "data", *flags[2:]) as server, server.channel() as channel:
        rider = Rider(channel, "restored_rider", register=False)
        code, reason, _ = outcome(lambda: next_row(rider, ride_id, token))
        assert (code, reason) == (grpc.StatusCode.OUT_OF_RANGE, "RESUME_TOKEN_TOO_OLD")
        assert next_row(rider, ride_id).resume_token


def test_a_node_ends_when_its_database_was_restored_under_it(tmp_path, postgres):
    flags = ["--data", tmp_path / "data", "--database", postgres.make_database()]
    with Server(tmp_path / "data", *flags[2:]) as server:
        result = octetd("restored", *flags)
        assert result.returncode == 0, result.stderr
        assert server.wait(RENEWED_SECONDS + SLACK_SECONDS) == 74
        events = [json.loads(line) for line in server.log]
        (lost,) = [event for event in events if event["event"] == "node_lost"]
        assert lost["level"] == "error" and "the database was restored" in lost["message"]
        assert "the database was restored" in events[-1]["message"]
    # Its memory is gone; what the database says is all that the next one knows.
    with Server(tmp_path / "data", *flags[2:]):
        pass


def test_nothing_is_replaced_without_force(tmp_path):
    first, second, copy = tmp_path / "first", tmp_path / "second", tmp_path / "copy.db"
    for data, handle in ((first, "only_first"), (second, "only_second")):
        with Server(data) as server, server.channel() as channel:
            Person(channel, handle)
    assert octetd("backup", "--data", first, "--to", copy).returncode == 0
    for arguments in (("backup", "--data", second, "--to", copy), ("restore", "--from", copy, "--data", second)):
        result = octetd(*arguments)
        assert result.returncode == 73 and "--force" in last_message(result)
    assert octetd("restore", "--from", copy, "--data", second, "--force").returncode == 0
    shutil.copy(first / "root.key", second)
    with Server(second) as server, server.channel() as channel:
        Person(channel, "only_first", register=False)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["backup"], 64),
        (["restore", "--to", "x.db"], 64),
        (["backup", "--to", "x.db", "--from", "y.db"], 64),
        (["--force", "--listen", "127.0.0.1:0"], 64),
        (["backup", "--to", "copy.db"], 74),
        (["restore", "--from", "/nonexistent.db"], 74),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, arguments, code):
    paths = [str(tmp_path / part) if part == "copy.db" else part for part in arguments]
    result = octetd(*paths, "--data", tmp_path / "none")
    assert result.returncode == code
    assert last_message(result)
    assert not (tmp_path / "copy.db").exists()


SECRET_URL = "postgres://octet:hunter2@db.example/octet"


@pytest.mark.parametrize("said_by", ["flag", "environment", "file"])
@pytest.mark.parametrize("subcommand", ["backup", "restore", "scrub"])
def test_another_engine_is_refused(tmp_path, subcommand, said_by):
    """The data directory holds what an earlier server left; taken for the data, it would make a stale backup."""
    data, copy = tmp_path / "data", tmp_path / "copy.db"
    with Server(data):
        pass
    assert octetd("backup", "--data", data, "--to", copy).returncode == 0
    left = (data / "octet.db").read_bytes()
    operands = {"backup": ["--to", tmp_path / "new.db"], "restore": ["--from", copy, "--force"], "scrub": []}
    arguments, environment = [subcommand, *operands[subcommand], "--data", data], {}
    if said_by == "flag":
        arguments += ["--database", SECRET_URL]
    elif said_by == "environment":
        environment["OCTET_DATABASE"] = SECRET_URL
    else:
        (tmp_path / "octetd.conf").write_text(f"database = {SECRET_URL}\n")
        arguments += ["--config", tmp_path / "octetd.conf"]
    result = octetd(*arguments, **environment)
    assert result.returncode == 64, result.stderr
    assert "PostgreSQL" in last_message(result)
    assert "hunter2" not in result.stderr
    assert not (tmp_path / "new.db").exists()
    assert (data / "octet.db").read_bytes() == left
