"""What ends a day later, with servers that begin at instants of this test's choice: contents that nobody has any more, and
uploads that get no bytes."""

import grpc
import pytest
from support.board import PROGRAM, ask
from support.media import SERVICE, Stream, Uploader, blobs, uploads
from support.notices import FLAGS, await_that
from support.people import outcome
from support.server import Server

DAY, HOUR, MINUTE = 86_400, 3600, 60
# 2026-06-01T12:00:00Z.
NOON = 1_780_315_200
# A server has done what a test asks of it in less than this time.
A_WHILE = 10 * MINUTE


def test_contents_go_a_day_after_the_last_has_given_them_up_and_idle_uploads_expire(tmp_path, engine_flags, picture):
    """Acceptance line 10 of the platform."""
    data = tmp_path / "data"

    def files():
        return {path for path in (data / "blobs/blobs").rglob("*") if path.is_file()}

    def server(begin):
        return Server(data, *FLAGS, *engine_flags, program=PROGRAM, env={"BOARD_TIME": str(begin)})

    with server(NOON - HOUR) as first, first.channel() as channel:
        early = Uploader(channel, "early")
        ask(early, f"{SERVICE}/DeleteBlob", blob_id=early.send(b"given up an hour before"))
        (old,) = files()
    with server(NOON) as second, second.channel() as channel:
        people = [Uploader(channel, name) for name in ("late", "later")]
        blob = people[0].send(picture, blobs.BLOB_KIND_IMAGE)
        assert people[0].watch(blob).state == blobs.BLOB_STATE_READY
        made = files() - {old}
        # The picture, and two smaller ones.
        assert len(made) == 3
        assert people[1].send(picture, blobs.BLOB_KIND_IMAGE) == blob
        for person in people:
            ask(person, f"{SERVICE}/DeleteBlob", blob_id=blob)
        begun = [people[0].create(b"never sent"), people[0].create(b"sent in part")]
        stream = Stream(people[0], begun[1].id)
        stream.send(b"sent")
        stream.wait(4)
        stream.cut()
    # Not a day yet since noon, and more than one since the hour before.
    with server(NOON + DAY - A_WHILE) as third, third.channel() as channel:
        await_that(lambda: old not in files(), "what was given up first does not go")
        assert made <= files()
        late = Uploader(channel, "late", register=False)
        states = [late.upload(upload.id).state for upload in begun]
        assert states == [uploads.UPLOAD_STATE_WAITING, uploads.UPLOAD_STATE_RECEIVING]
    with server(NOON + DAY + A_WHILE) as last, last.channel() as channel:
        await_that(lambda: not made & files(), "a picture of nobody's does not go")
        late = Uploader(channel, "late", register=False)
        for upload in begun:
            assert late.upload(upload.id).state == uploads.UPLOAD_STATE_EXPIRED
            code, reason, _ = outcome(lambda upload=upload: Stream(late, upload.id))
            assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "UPLOAD_EXPIRED")
