"""The photo of a profile on a real octetd: an upload becomes a picture at a path, which ends with the photo."""

import grpc
import pytest
from support import stubs
from support.curl import curl
from support.media import Uploader, blobs
from support.people import Person, Stranger, outcome, request_id
from support.pictures import picture as make_picture

PROFILES = "octet.identity.v1.ProfileService"

profiles = stubs.module("octet.identity.v1.profile_service_pb2")
preferences = stubs.module("octet.identity.v1.preferences_pb2")
follow = stubs.module("octet.social.v1.follow_service_pb2")


@pytest.fixture
def picture(tmp_path):
    return make_picture(tmp_path, "800x600")


def profile(caller, user):
    return caller.call(f"{PROFILES}/GetProfile", profiles.GetProfileRequest(user_id=user))


def update(person, **fields):
    etag = profile(person, person.user_id).etag
    request = profiles.UpdateProfileRequest(request_id=request_id(), etag=etag, **fields)
    return person.call(f"{PROFILES}/UpdateProfile", request)


def test_everybody_gets_the_photo_of_a_public_profile_until_it_is_taken_away(server, picture):
    with server.channel() as channel:
        ada, stranger = Uploader(channel, f"user_{request_id()[:8]}"), Stranger(channel)
        upload = ada.create(picture, blobs.BLOB_KIND_IMAGE)
        ada.go_on(upload.id, picture)
        photo = update(ada, photo_upload_id=upload.id).photo_id
        assert ada.watch(photo).state == blobs.BLOB_STATE_READY
        shown = profile(stranger, ada.user_id)
        assert shown.photo_id == photo
        url = f"http://{server.address}{shown.photo_path}"
        answer = curl(url)
        assert answer.status == 200 and answer.headers["content-type"] == "image/webp"
        update(ada, photo_upload_id="")
        assert profile(stranger, ada.user_id).photo_path == ""
        assert curl(url).status == 404


def test_a_photo_is_a_complete_upload_of_a_picture(server, picture):
    with server.channel() as channel:
        ada = Uploader(channel, f"user_{request_id()[:8]}")
        upload = ada.create(picture, blobs.BLOB_KIND_IMAGE)
        begun = outcome(lambda: update(ada, photo_upload_id=upload.id))
        assert begun[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "UPLOAD_INCOMPLETE")
        paper = ada.create(picture)
        ada.go_on(paper.id, picture)
        wrong = outcome(lambda: update(ada, photo_upload_id=paper.id))
        assert wrong[:2] == (grpc.StatusCode.INVALID_ARGUMENT, "WRONG_FILE_KIND")
        assert profile(ada, ada.user_id).photo_path == ""


def test_the_path_of_a_photo_ends_with_the_right_to_see_the_profile(server, picture):
    with server.channel() as channel:
        ada, bob = Uploader(channel, f"user_{request_id()[:8]}"), Person(channel, f"user_{request_id()[:8]}")
        upload = ada.create(picture, blobs.BLOB_KIND_IMAGE)
        ada.go_on(upload.id, picture)
        ada.watch(update(ada, photo_upload_id=upload.id).photo_id)

        def shown_to(viewer):
            return f"http://{server.address}{profile(viewer, ada.user_id).photo_path}"

        of_bob, of_nobody = shown_to(bob), shown_to(Stranger(channel))
        assert curl(of_bob).status == 200 and curl(of_nobody).status == 200
        block = follow.BlockRequest(request_id=request_id(), user_id=bob.user_id)
        ada.call("octet.social.v1.FollowService/Block", block)
        assert curl(of_bob).status == 404 and curl(of_nobody).status == 200
        hidden = preferences.Preferences(profile_visibility=preferences.PROFILE_VISIBILITY_PRIVATE)
        wish = profiles.SetPreferencesRequest(request_id=request_id(), preferences=hidden)
        ada.call(f"{PROFILES}/SetPreferences", wish)
        assert curl(of_nobody).status == 404 and curl(shown_to(ada)).status == 200
