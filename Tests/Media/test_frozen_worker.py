"""A node that is frozen while it renders: acceptance of the platform 13."""

import contextlib
import os
import pathlib
import shutil
import signal
import urllib.parse

from support.media import SERVICE, Uploader, blobs, media
from support.notices import await_that
from support.pictures import generated
from support.server import Server

# Two nodes share the processors with what they render.
RENDERING_SECONDS = 600
# Longer than its rendering takes on any machine, and short enough to make.
FILM = ("-i", "testsrc2=size=1280x720:rate=30:duration=30", "-c:v", "libx264", "-preset", "ultrafast")


def programs(server):
    """The processes of the server's that render, and their states."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            number, rest = path.read_text().split(" (", 1)
        except OSError:
            continue  # It has ended meanwhile.
        name, rest = rest.rsplit(") ", 1)
        state, parent = rest.split()[:2]
        if name == "ffmpeg" and int(parent) == server.process.pid:
            found[int(number)] = state
    return found


def freeze(server):
    """Freezes a server with what it renders; returns those processes, none if it renders nothing."""
    server.process.send_signal(signal.SIGSTOP)
    for number in programs(server):
        with contextlib.suppress(ProcessLookupError):  # It has ended meanwhile.
            os.kill(number, signal.SIGSTOP)
    frozen = [number for number, state in programs(server).items() if state == "T"]
    if not frozen:
        server.process.send_signal(signal.SIGCONT)
    return frozen


def what_was_made(person, blob_id):
    made = person.call(f"{SERVICE}/ListRenditions", media.ListRenditionsRequest(blob_id=blob_id)).renditions
    return {one.profile: (one.length, person.read(blob_id, one.profile)) for one in made}


def test_acceptance_13_a_worker_frozen_past_its_lease_stops_and_leaves_one_effect(tmp_path, postgres):
    film = generated(tmp_path, "film.mp4", *FILM)
    url = postgres.make_database()
    database = urllib.parse.urlsplit(url).path[1:]
    nodes = []
    for name in "ab":
        folder = tmp_path / name
        folder.mkdir(mode=0o700)
        if nodes:
            shutil.copy2(nodes[0].data / "root.key", folder)
        nodes.append(Server(folder, "--database", url, "--blobs", tmp_path / "a/blobs"))
    try:
        person = Uploader(nodes[0].channel(), "filmmaker")
        blob_id = person.send(film, blobs.BLOB_KIND_VIDEO)
        frozen = []

        def rendering_is_frozen():
            if not frozen:
                for node in nodes:
                    if programs(node) and (processes := freeze(node)):
                        frozen.append((node, processes))
                        break
            return frozen

        await_that(rendering_is_frozen, "nobody renders", RENDERING_SECONDS)
        ((late, processes),) = frozen
        (other,) = (node for node in nodes if node is not late)
        person.channel = other.channel()
        assert person.watch(blob_id, RENDERING_SECONDS).state == blobs.BLOB_STATE_READY
        # The wait may have been longer than a login is good for.
        person = Uploader(other.channel(), person.handle, register=False)
        made = what_was_made(person, blob_id)
        assert set(made) == {"thumb", "poster", "240p", "480p", "720p"}
        assert all(programs(late).get(number) == "T" for number in processes)
        # It wakes, without its programs: it ends them, as nobody waits for what they make.
        late.process.send_signal(signal.SIGCONT)
        await_that(lambda: not programs(late), "a program of a worker that was lost runs on")
        await_that(lambda: not any((late.data / "media-work").iterdir()), "its files are there")
        await_that(
            lambda: postgres.run("SELECT COUNT(*) FROM octet_blob_uploads", database).strip() == "0",
            "what it has stored is there",
        )
        person = Uploader(late.channel(), person.handle, register=False)
        assert what_was_made(person, blob_id) == made
        assert postgres.run("SELECT COUNT(*) FROM octet_blobs", database).strip() == str(1 + len(made))
    finally:
        for node in nodes:
            node.process.send_signal(signal.SIGCONT)
            assert node.stop() == 0
