"""What files must do, tried with a real client: acceptance of the platform 10 and 11, and of video 3 and 4."""

import concurrent.futures

import grpc
import pytest
from support.media import SERVICE, Stream, Uploader, blobs, crc32c, media, uploads
from support.people import Stranger, outcome, request_id
from support.pictures import generated, png_head
from support.server import Server

PEOPLE = 12


def delete(person, blob_id):
    return person.call(f"{SERVICE}/DeleteBlob", media.DeleteBlobRequest(request_id=request_id(), blob_id=blob_id))


def renditions(person, blob_id):
    return person.call(f"{SERVICE}/ListRenditions", media.ListRenditionsRequest(blob_id=blob_id)).renditions


def test_acceptance_10_one_photo_of_twelve_is_one_blob_with_one_set_of_renditions(server, tmp_path):
    photo = generated(tmp_path, "photo.jpg", "-i", "testsrc2=size=800x600", "-frames:v", "1")
    channel = server.channel()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        people = list(pool.map(lambda number: Uploader(channel, f"photographer_{number}"), range(PEOPLE)))
        ids = set(pool.map(lambda person: person.send(photo, blobs.BLOB_KIND_IMAGE), people))
    (blob_id,) = ids
    assert people[0].watch(blob_id).state == blobs.BLOB_STATE_READY
    made = [[(one.profile, one.length) for one in renditions(person, blob_id)] for person in people]
    assert [profile for profile, _ in made[0]] == ["w1280", "w160", "w640"] and made == made[:1] * PEOPLE
    small = people[0].read(blob_id, "w160")
    for person in people[:-1]:
        delete(person, blob_id)
        assert outcome(lambda person=person: person.read(blob_id, "w160"))[0] == grpc.StatusCode.NOT_FOUND
    assert people[-1].read(blob_id, "w160") == small and people[-1].read(blob_id) == photo
    delete(people[-1], blob_id)
    for who in (*people, Stranger(channel)):
        get = media.GetBlobRequest(blob_id=blob_id)
        code, reason, _ = outcome(lambda who=who, get=get: who.call(f"{SERVICE}/GetBlob", get))
        assert (code, reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


def test_acceptance_11_a_huge_png_is_refused_by_its_head(server):
    uploader = Uploader(server.channel(), "huge")
    blob = uploader.watch(uploader.send(png_head(100_000, 100_000), blobs.BLOB_KIND_IMAGE))
    assert (blob.state, blob.failure) == (blobs.BLOB_STATE_FAILED, "TOO_MANY_PIXELS")
    assert blob.width_px == 0 and not renditions(uploader, blob.id)


def test_video_acceptance_3_a_flipped_byte_leaves_the_offset(server):
    content = bytes(range(256)) * 100
    uploader = Uploader(server.channel(), "flipped")
    upload = uploader.create(content)
    stream = Stream(uploader, upload.id)
    stream.send(content[:10_000])
    stream.wait(10_000)
    damaged = bytearray(content[10_000:20_000])
    damaged[5_000] ^= 1
    # The checksum is that of what was meant to be sent.
    checksum = crc32c(content[10_000:20_000])
    stream.frame(chunk=media.UploadChunk(
        epoch=stream.opened.epoch, offset=10_000, data=bytes(damaged), crc32c=checksum))  # fmt: skip
    code, reason, _ = outcome(stream.wait)
    assert (code, reason) == (grpc.StatusCode.DATA_LOSS, "CHUNK_CHECKSUM")
    assert uploader.upload(upload.id).offset == 10_000
    assert uploader.read(uploader.go_on(upload.id, content).blob_id) == content


@pytest.mark.parametrize(
    ("name", "reason"), [("long", "TOO_LONG"), ("text", "UNSUPPORTED_FORMAT")], ids=["61 seconds", "text"]
)
def test_video_acceptance_4_what_is_no_short_film_fails_with_the_reason(server, tmp_path, name, reason):
    if name == "long":
        film = generated(tmp_path, "film.mp4", "-i", "testsrc2=size=64x64:rate=5:duration=61", "-c:v", "libx264",
                         "-preset", "ultrafast")  # fmt: skip
    else:
        film = b"This is no film, whatever it is called.\n" * 10
    uploader = Uploader(server.channel(), f"no_{name}_film")
    blob = uploader.watch(uploader.send(film, blobs.BLOB_KIND_VIDEO))
    assert (blob.state, blob.failure) == (blobs.BLOB_STATE_FAILED, reason)


def test_a_film_is_as_long_as_the_operator_lets_it(tmp_path, engine_flags):
    with Server(tmp_path, "--limits", "film-seconds=1", *engine_flags) as server, server.channel() as channel:
        uploader = Uploader(channel, "filmer")
        for seconds, state, reason in ((1, blobs.BLOB_STATE_READY, ""), (2, blobs.BLOB_STATE_FAILED, "TOO_LONG")):
            film = generated(tmp_path, f"{seconds}.mp4", "-i", f"testsrc2=size=64x64:rate=5:duration={seconds}",
                             "-c:v", "libx264", "-preset", "ultrafast")  # fmt: skip
            blob = uploader.watch(uploader.send(film, blobs.BLOB_KIND_VIDEO))
            assert (blob.state, blob.failure) == (state, reason)


def test_a_stranger_gets_the_files_of_nothing_that_is_not_public(server):
    channel = server.channel()
    blob_id = Uploader(channel, "private_owner").send(b"mine alone")
    stranger = Stranger(channel)
    calls = {
        "GetBlob": media.GetBlobRequest(blob_id=blob_id),
        "SignUrl": media.SignUrlRequest(blob_id=blob_id),
        "ListRenditions": media.ListRenditionsRequest(blob_id=blob_id),
    }
    for method, request in calls.items():
        code, reason, _ = outcome(lambda method=method, request=request: stranger.call(f"{SERVICE}/{method}", request))
        assert (code, reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND"), method
    read = media.ReadBlobRequest(blob_id=blob_id)
    assert outcome(lambda: list(stranger.stream(f"{SERVICE}/ReadBlob", read)))[1] == "NOT_FOUND"


def test_a_declared_hash_that_is_known_never_spares_the_bytes(server):
    channel = server.channel()
    owner, other = (Uploader(channel, f"hash_{name}") for name in ("owner", "other"))
    content = b"what only its owner has" * 100
    blob_id = owner.send(content)
    upload = other.create(content)
    assert (upload.state, upload.offset, upload.blob_id) == (uploads.UPLOAD_STATE_WAITING, 0, "")
    assert outcome(lambda: other.read(blob_id))[1] == "NOT_FOUND"
    assert other.go_on(upload.id, content).blob_id == blob_id
    assert other.read(blob_id) == content


def test_nothing_is_signed_of_what_failed_but_the_original(server):
    uploader = Uploader(server.channel(), "signer")
    content = png_head(100_000, 100_000) + b"signed"
    blob = uploader.watch(uploader.send(content, blobs.BLOB_KIND_IMAGE))
    assert blob.state == blobs.BLOB_STATE_FAILED
    code, reason, _ = outcome(lambda: uploader.sign(blob.id, "w160"))
    assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "WRONG_STATE")
    assert uploader.sign(blob.id)
