"""What becomes a file's name is on disk before, and the name after: seen from outside, by the calls to the system. A test
that looks at files alone passes without a single sync."""

import subprocess

import pytest

from support.file_calls import FileCalls, check_renames
from support.media import Stream, Uploader
from support.server import BUILD, Server

CONTENT = bytes(range(256)) * 4096


def test_contents_are_on_disk_before_they_have_a_name(tmp_path):
    traced = FileCalls(tmp_path)
    data = tmp_path / "data"
    with Server(data, under=traced.command) as server, server.channel() as channel:
        uploader = Uploader(channel, "durable")
        stream = Stream(uploader, uploader.create(CONTENT).id)
        half = len(CONTENT) // 2
        stream.send(CONTENT[:half])
        stream.wait(half)
        # What was acknowledged is taken up again after a crash: it has to be on disk.
        stream.send(CONTENT[half:])
        assert stream.wait().blob_id
        stream.cut()
    uploads, blobs = f"{data}/blobs/uploads/", f"{data}/blobs/blobs/"
    calls = traced.read()
    placed = [path for path in check_renames(calls, data) if path.startswith(blobs)]
    assert len(placed) == 1

    # A checkpoint speaks of what is on disk, and is so itself before it is acknowledged.
    states = [index for index, (what, path, _) in enumerate(calls)
              if what == "write" and path.startswith(uploads) and path.endswith(".state")]  # fmt: skip
    assert states
    for index in states:
        state = calls[index][1]
        of_content = [what for what, path, _ in calls[:index] if path == state.removesuffix(".state")]
        assert of_content[-1] == "sync", "a checkpoint speaks of what is not on disk"
        assert [what for what, path, _ in calls[index + 1 :] if path == state][:1] == ["sync"]
    assert ("sync", uploads.rstrip("/"), None) in calls[states[0] :], "the checkpoint's name was not made durable"


@pytest.mark.parametrize("subcommand", ["backup", "restore"])
def test_a_copy_is_on_disk_before_it_has_its_name(tmp_path, subcommand):
    data, copy, restored = tmp_path / "data", tmp_path / "copies" / "octet.db", tmp_path / "restored"
    with Server(data, "--seed-demo"):
        pass
    backup = [BUILD / "octetd", "backup", "--data", data, "--to", copy]
    restore = [BUILD / "octetd", "restore", "--from", copy, "--data", restored]
    traced = FileCalls(tmp_path)
    if subcommand == "backup":
        subprocess.run([*traced.command, *backup], check=True, timeout=120)
        name = str(copy)
    else:
        subprocess.run(backup, check=True, timeout=120)
        subprocess.run([*traced.command, *restore], check=True, timeout=120)
        name = str(restored / "octet.db")
    calls = traced.read()
    assert check_renames(calls, tmp_path) == [name]
    # The folder is new: its own name is durable, too.
    assert ("sync", str(tmp_path), None) in calls
