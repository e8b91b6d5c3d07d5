"""Whoever may not post does so by no method whose proto says that it posts."""

import queue
import time

import grpc
from support import stubs
from support.authorization.answers import all_methods, ask, make_request, policy_of
from support.people import Person, outcome, request_id
from support.server import Server

DEMO_PASSWORD = "octet-demo-2026"
HOUR_SECONDS = 3600
EXAMPLE = "octet.pinboard."  # which octetd does not serve
# Streams are not refused as a whole: each row is. Those of a ride are the rooms' own, and its room opens with a driver.
CHAT = "octet.chat.v1.ChatService/Chat"
STREAMS = {CHAT, "octet.rides.v1.RideService/RideChat"}

chat = stubs.module("octet.chat.v1.chat_service_pb2")
frames = stubs.module("octet.chat.v1.frames_pb2")


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


def say(person, room):
    """Says something in a room, and returns the answer's row."""
    outgoing = queue.Queue()
    for frame in ({"join": {}}, {"post": {"request_id": request_id(), "text": "Hello"}}):
        outgoing.put(chat.ChatRequest(room_id=room, frame=frames.ClientFrame(**frame)))
    rows = person.stream(CHAT, iter(outgoing.get, None))
    answer = next(row.frame for row in rows if row.frame.WhichOneof("frame") in ("post_accepted", "post_refused"))
    outgoing.put(None)
    rows.cancel()
    return answer


def test_a_restricted_account_posts_by_no_method(tmp_path, engine_flags):
    with Server(tmp_path, "--seed-demo", *engine_flags) as server, server.channel() as channel:
        admin = Person(channel, "demo_admin", DEMO_PASSWORD, register=False)
        ada, bob = Person(channel, "ada"), Person(channel, "bob_")
        posting = requests(bob.user_id)
        declared = {path for path in all_methods() if policy_of(path).posts and not path.startswith(EXAMPLE)}
        assert declared == set(posting) | STREAMS
        opened = {"request_id": request_id(), "kind": chat.ROOM_KIND_SUPPORT}
        room = ada.call("octet.chat.v1.ChatService/OpenRoom", chat.OpenRoomRequest(**opened)).id
        assert say(ada, room).WhichOneof("frame") == "post_accepted"
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
        assert say(ada, room).post_refused.reason == "RESTRICTED"
