"""octetd backup and restore on a disk that is full, and killed at any of their steps: what was there is still there."""

import re
import shutil
import sqlite3
import subprocess
from contextlib import closing

import pytest

from support.people import Person
from support.server import BUILD, Server
from support.small_disk import SmallDisk
from support.subcommands import last_message, octetd

needs_small_disk = pytest.mark.skipif(not SmallDisk.can_be(), reason="no file system can be mounted here")

# What restore does to files, in the words of the system.
STEPS = ("ftruncate", "truncate", "pwrite64", "fsync", "fdatasync", "unlink", "rename")
# All of a kind that is seldom, and as many of the others.
KILLS_OF_A_KIND = 6


def people(database):
    """Who is in a database, which has to be sound."""
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {handle for (handle,) in connection.execute("SELECT handle FROM identity_users")}


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A data directory whose server was killed, so that what it acknowledged last is in the log alone."""
    data = tmp_path_factory.mktemp("killed")
    with Server(data) as server:
        with server.channel() as channel:
            for number in range(5):
                Person(channel, f"old_person_{number}")
        server.kill()
    assert (data / "octet.db-wal").stat().st_size > 0
    return data


@pytest.fixture
def old(killed, tmp_path):
    """That directory, to be worked on: the last one to close a database empties its log."""
    return shutil.copytree(killed, tmp_path / "old")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A backup of another database."""
    data = tmp_path_factory.mktemp("new")
    with Server(data) as server, server.channel() as channel:
        Person(channel, "new_person")
    copy = data / "copy.db"
    assert octetd("backup", "--data", data, "--to", copy).returncode == 0
    return copy


@needs_small_disk
def test_a_backup_to_a_full_disk_says_so_and_leaves_the_last_one(old, copy, tmp_path):
    with SmallDisk("16m") as disk:
        backup = ["backup", "--data", old, "--to", disk.inside / "octet.db", "--force"]
        place = disk.path / "octet.db"
        shutil.copy(copy, place)
        disk.fill(leaving=64 * 1024)
        result = octetd(*backup, under=disk.command)
        assert result.returncode == 74 and "disk is full" in last_message(result), result.stderr
        assert place.read_bytes() == copy.read_bytes()
        assert not place.with_suffix(".db.part").exists()
        disk.make_room()
        assert octetd(*backup, under=disk.command).returncode == 0
        assert "old_person_0" in people(shutil.copy(place, tmp_path))


@needs_small_disk
@pytest.mark.parametrize(
    "spare",
    [128 * 1024, 8 * 1024, -128 * 1024],
    ids=["room for the copy alone", "no room for the index of the log", "no room for the copy"],
)
def test_a_restore_on_a_full_disk_says_so_and_leaves_the_old_database(old, copy, tmp_path, spare):
    with SmallDisk("32m") as disk:
        restore = ["restore", "--from", copy, "--data", disk.inside / "data", "--force"]
        data = disk.path / "data"
        shutil.copytree(old, data)
        # The log of the old database is put into its file at last, which takes room, too.
        assert (data / "octet.db-wal").stat().st_size > (data / "octet.db").stat().st_size + 2 * abs(spare)
        disk.fill(leaving=copy.stat().st_size + spare)
        result = octetd(*restore, under=disk.command)
        assert result.returncode == 74 and "disk is full" in last_message(result), result.stderr
        assert not (data / "octet.db.part").exists()
        disk.make_room()
        with Server(disk.inside / "data", under=disk.command) as server, server.channel() as channel:
            for number in range(5):
                Person(channel, f"old_person_{number}", register=False)
        assert octetd(*restore, under=disk.command).returncode == 0
        assert "new_person" in people(shutil.copy(data / "octet.db", tmp_path))


def traced(data, copy, trace, *options):
    """Restores `copy`, with what it does to files written to `trace`; strace may be told to end it at one step."""
    command = ["strace", "-f", "-qq", "-o", trace, "-e", f"trace={','.join(STEPS)}", *options]
    restore = [BUILD / "octetd", "restore", "--from", copy, "--data", data, "--force"]
    return subprocess.run([*command, *restore], capture_output=True, text=True, timeout=120)


def test_a_restore_that_is_killed_leaves_the_old_database_or_the_new_one(killed, old, copy, tmp_path):
    before, after = people(old / "octet.db"), people(copy)
    assert before and after and not before & after
    trace, data = tmp_path / "trace", shutil.copytree(killed, tmp_path / "data")
    assert traced(data, copy, trace).returncode == 0
    made = re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.MULTILINE)
    outcomes = []
    for step in STEPS:
        count = made.count(step)
        for number in sorted({1 + count * part // KILLS_OF_A_KIND for part in range(KILLS_OF_A_KIND)} if count else ()):
            shutil.rmtree(data)
            shutil.copytree(killed, data)
            result = traced(data, copy, trace, "-e", f"inject={step}:signal=KILL:when={number}")
            assert result.returncode == -9, (step, number, result.stderr)
            found = people(data / "octet.db")
            assert found in (before, after), (step, number)
            outcomes.append(found == before)
            # The next one succeeds, whatever this one left.
            assert octetd("restore", "--from", copy, "--data", data, "--force").returncode == 0
            assert people(data / "octet.db") == after
    # All but the sync after the rename leave the old one.
    assert outcomes.count(True) > 10 and outcomes.count(False) == 1
