"""What octetd's flags and the policies of its protos bound."""

import re
import time

import grpc
import pytest

from support import stubs
from support.paths import ROOT
from support.people import Person, outcome, reason_of, request_id
from support.rides import DEMO_PASSWORD, Rider, rides
from support.server import Server
from test_process import run

SESSION = "octet.identity.v1.SessionService"
DAY_SECONDS = 86_400


def test_rates_are_what_the_flag_says(tmp_path):
    with Server(tmp_path, "--rate-limits", "standard=1/5,expensive=9/90") as server, server.channel() as channel:
        person = Person(channel, f"user_{request_id()[:8]}")
        sessions = stubs.module("octet.identity.v1.session_service_pb2")

        def listing():
            return outcome(lambda: person.call(f"{SESSION}/ListSessions", sessions.ListSessionsRequest()))

        # One more each second: on a busy machine it takes a while until they come faster than that.
        answered = 0
        while (answer := listing()[:2]) == (grpc.StatusCode.OK, None) and answered < 1000:
            answered += 1
        assert answered >= 5 and answer == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")


def test_the_guide_names_each_limit():
    result = run("--limits", "nothing=1")
    assert result.returncode == 64
    names = re.search(r"there are (.*)", result.stderr).group(1).split(", ")
    guide = (ROOT / "docs/guides/settings.md").read_text()
    section = guide.split("## Limits that an operator chooses", 1)[1].split("\n## ", 1)[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert [name for row in rows for name in re.findall("`([a-z-]+)`", row)] == names


def test_people_have_what_the_flag_says(tmp_path):
    with Server(tmp_path, "--limits", "sessions=2,addresses=1") as server, server.channel() as channel:
        people = [Person(channel, "somebody", register=register) for register in (True, False, False)]
        sessions = stubs.module("octet.identity.v1.session_service_pb2")
        listing = people[-1].call(f"{SESSION}/ListSessions", sessions.ListSessionsRequest())
        assert len(listing.sessions) == 2
        code, reason, _ = outcome(lambda: people[0].call(f"{SESSION}/ListSessions", sessions.ListSessionsRequest()))
        assert (code, reason) == (grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED")
        service = stubs.module("octet.identity.v1.profile_service_pb2")
        profile = stubs.module("octet.identity.v1.profile_pb2")

        def put():
            address = profile.PostalAddress(recipient="Ada", lines=["Street 1"], locality="Town", region_code="FI")
            request = service.PutAddressRequest(request_id=request_id(), address=address)
            return outcome(lambda: people[-1].call("octet.identity.v1.ProfileService/PutAddress", request))

        assert put()[0] == grpc.StatusCode.OK
        assert put()[:2] == (grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED")


def test_what_people_do_to_others_is_bounded_as_the_flag_says(tmp_path):
    limits = (
        "follows-per-day=1,blocks-and-mutes=0,reports-per-day=0,links-per-day=0,emojis-per-day=0,uploads-per-day=0,"
        "upload-mebibytes=1"
    )
    with Server(tmp_path, "--limits", limits) as server, server.channel() as channel:
        ada, bob, eve, dan = (Person(channel, handle) for handle in ("ada", "bob_", "eve", "dan"))
        social = {name: stubs.module(f"octet.social.v1.{name}_service_pb2") for name in ("follow", "moderation", "share")}

        def refused(service, method, message, **fields):
            request = message(request_id=request_id(), **fields)
            return outcome(lambda: ada.call(f"octet.social.v1.{service}/{method}", request))[1]

        follow, moderation, share = social.values()
        first_day = time.time() // DAY_SECONDS
        follows = [refused("FollowService", "Follow", follow.FollowRequest, target_id=person.user_id)
                   for person in (bob, eve, dan)]  # fmt: skip
        days = 1 + time.time() // DAY_SECONDS - first_day
        assert follows[0] is None and set(follows[1:]) <= {None, "LIMIT_EXCEEDED"} and follows.count(None) <= days
        assert refused("FollowService", "Block", follow.BlockRequest, user_id=eve.user_id) == "LIMIT_EXCEEDED"
        assert refused("ShareService", "CreateShareLink", share.CreateShareLinkRequest,
                       subject_id=bob.user_id) == "LIMIT_EXCEEDED"  # fmt: skip
        assert refused("ModerationService", "ReportContent", moderation.ReportContentRequest, target_id=bob.user_id,
                       policy=moderation.POLICY_SPAM) == "LIMIT_EXCEEDED"  # fmt: skip
        media = stubs.module("octet.media.v1.media_service_pb2")
        for length, reason in ((1 << 20, "LIMIT_EXCEEDED"), ((1 << 20) + 1, "UPLOAD_TOO_LARGE")):
            request = media.CreateUploadRequest(request_id=request_id(), kind=1, length=length)
            assert outcome(lambda request=request: ada.call("octet.media.v1.MediaService/CreateUpload", request))[1] == reason


def test_one_caller_cannot_open_watches_without_end(server):
    """WatchRide has max_concurrent_calls_per_caller: 64."""
    with server.channel() as channel:
        rider = Rider(channel, f"user_{request_id()[:8]}")
        ride = rider.request_ride()
        request = rides("ride_service").WatchRideRequest(ride_id=ride.id)
        watches = [rider.stream("octet.rides.v1.RideService/WatchRide", request) for _ in range(64)]
        for watch in watches:
            next(iter(watch))
        one_more = rider.stream("octet.rides.v1.RideService/WatchRide", request)
        with pytest.raises(grpc.RpcError) as error:
            next(iter(one_more))
        assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert reason_of(error.value) == "TOO_MANY_CALLS"
        for watch in watches:
            watch.cancel()


def test_a_session_of_a_driver_takes_short_messages_only(server):
    """DriverSession has max_message_bytes: 65536."""
    with server.channel() as channel:
        person = Person(channel, "demo_driver", password=DEMO_PASSWORD, register=False)
        frame = rides("driver_session").DriverSessionRequest(request_id="x" * 70_000)
        call = person.stream("octet.rides.v1.DriverService/DriverSession", iter([frame]))
        code, _, _ = outcome(lambda: list(call))
        assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
