"""Whoever may not post does so by no method whose proto says that it posts."""

import time

import grpc
from support import stubs
from support.authorization.answers import all_methods, ask, make_request, policy_of
from support.notices import DEMO_PASSWORD
from support.people import Person, outcome, request_id
from support.rides import STATION, Driver, Rider, demo_city, staff
from support.rooms import CHAT, RoomStream
from support.server import Server

HOUR_SECONDS = 3600
EXAMPLE = "octet.pinboard."  # which octetd does not serve
# Streams are not refused as a whole: each row is.
RIDE_CHAT = "octet.rides.v1.RideService/RideChat"

chat = stubs.module("octet.chat.v1.chat_service_pb2")


def requests(subject):
    """A request of each method that posts. What it is about need not be there: that comes later."""
    comment, review = "cmt_0000000000000", "rev_0000000000000"
    return {
        "octet.social.v1.CommentService/PostComment": {"subject_id": subject, "text": "Well said"},
        "octet.social.v1.CommentService/EditComment": {"comment_id": comment, "text": "So it is", "etag": "00"},
        "octet.social.v1.ReviewService/SubmitReview": {"subject_id": subject, "key_id": subject, "score": 5},
        "octet.social.v1.ReviewService/UpdateReview": {"review_id": review, "score": 4, "etag": "00"},
        "octet.social.v1.ReviewService/ReplyReview": {"review_id": review, "text": "Thank you"},
    }


def say(person, path, **where):
    """Says something in a room, and returns the answer."""
    stream = RoomStream(person, path, **where)
    answer = stream.say("Hello")
    stream.close()
    return answer


def ride_with_driver(rider, driver):
    """The id of a ride on its way, in which both can talk."""
    session = driver.session_at(STATION)
    ride = rider.request_ride()
    session.take_offer(ride.id)
    return ride.id


def test_a_restricted_account_posts_by_no_method(tmp_path, engine_flags):
    with Server(tmp_path, "--seed-demo", *engine_flags) as server, server.channel() as channel:
        admin = Person(channel, "demo_admin", DEMO_PASSWORD, register=False)
        ada, bob = Rider(channel, "ada"), Person(channel, "bob_")
        operator = staff(channel)
        driver = Driver(channel, "driver", operator, demo_city(operator))
        posting = requests(bob.user_id)
        declared = {path for path in all_methods() if policy_of(path).posts and not path.startswith(EXAMPLE)}
        assert declared == set(posting) | {CHAT, RIDE_CHAT}
        opened = {"request_id": request_id(), "kind": chat.ROOM_KIND_SUPPORT}
        room = ada.call("octet.chat.v1.ChatService/OpenRoom", chat.OpenRoomRequest(**opened)).id
        talks = {CHAT: {"room_id": room}, RIDE_CHAT: {"ride_id": ride_with_driver(ada, driver)}}
        for path, where in talks.items():
            assert say(ada, path, **where).number == 1
        end = {"seconds": int(time.time()) + HOUR_SECONDS}
        grant = {"user_id": admin.user_id, "role": "social.moderator"}
        for path, fields in (
            ("octet.identity.v1.RoleService/GrantRole", grant),
            ("octet.social.v1.ModerationService/RestrictAccount",
             {"user_id": ada.user_id, "end_time": end, "policy": "POLICY_SPAM"}),
        ):  # fmt: skip
            admin.call(path, make_request(path, fields))
        for path, fields in posting.items():
            code, reason, _ = outcome(lambda path=path, fields=fields: ada.call(path, make_request(path, fields)))
            assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "RESTRICTED"), path
            assert "RESTRICTED" not in repr(ask(bob, path, make_request(path, fields))), path
        for path, where in talks.items():
            assert say(ada, path, **where).reason == "RESTRICTED"
        assert say(driver, RIDE_CHAT, **talks[RIDE_CHAT]).number == 2
