"""What people are to each other, through a real octetd, also through kill -9 while many change their minds at once.

OCTET_SOCIAL_USERS sets how many do, OCTET_SOCIAL_SEED the seed, which is printed.
"""

import concurrent.futures
import itertools
import os
import random
import threading
import time

import grpc
from support import stubs
from support.board import PROGRAM, pin
from support.notices import DEMO_PASSWORD, FLAGS, PATIENCE_SECONDS, inbox
from support.people import Person, first_row, outcome, request_id
from support.server import Server

USERS = int(os.environ.get("OCTET_SOCIAL_USERS", "50"))
SEED = os.environ.get("OCTET_SOCIAL_SEED")
KILLS, THREADS = 2, 16
# What may come of a call whose server is killed: nobody knows whether it was done.
BROKEN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL,
          grpc.StatusCode.DEADLINE_EXCEEDED)  # fmt: skip

follow = stubs.module("octet.social.v1.follow_service_pb2")
reactions = stubs.module("octet.social.v1.reaction_service_pb2")
moderation = stubs.module("octet.social.v1.moderation_service_pb2")
audit = stubs.module("octet.audit.v1.audit_service_pb2")
profiles = stubs.module("octet.identity.v1.profile_service_pb2")
roles = stubs.module("octet.identity.v1.role_service_pb2")
LIKE = reactions.REACTION_KIND_LIKE


def call(person, method, request):
    return person.call(f"octet.social.v1.{method}", request)


def moderator(channel):
    admin = Person(channel, "demo_admin", DEMO_PASSWORD, register=False)
    grant = roles.GrantRoleRequest(request_id=request_id(), user_id=admin.user_id, role="social.moderator")
    admin.call("octet.identity.v1.RoleService/GrantRole", grant)
    return admin


def broken_invariants(channel):
    ops = Person(channel, "demo_ops", DEMO_PASSWORD, register=False)
    reports = ops.call("octet.audit.v1.AuditService/CheckInvariants", audit.CheckInvariantsRequest()).invariants
    assert {report.number for report in reports if report.domain == "social"} >= {3, 7, 11}
    return [report for report in reports if report.violations]


def followers(person, target):
    found, token = [], ""
    while True:
        request = follow.ListFollowersRequest(target_id=target, page_size=20, page_token=token)
        page = call(person, "FollowService/ListFollowers", request)
        found += [one.member.user_id for one in page.followers]
        token = page.next_page_token
        if not token:
            return found


def counters(person, target):
    stream = person.stream("octet.social.v1.ReactionService/WatchCounters",
                           reactions.WatchCountersRequest(subject_id=target))  # fmt: skip
    first = next(stream).counters
    stream.cancel()
    return first


def test_following_blocking_and_moderation_from_outside(tmp_path, engine_flags):
    with Server(tmp_path, *FLAGS, *engine_flags) as server:
        channel = server.channel()
        admin, ada, bob = moderator(channel), Person(channel, "ada_s"), Person(channel, "bob_s")
        stream = bob.stream("octet.social.v1.ReactionService/WatchCounters",
                            reactions.WatchCountersRequest(subject_id=ada.user_id))  # fmt: skip
        assert next(stream).counters.followers == 0
        request = follow.FollowRequest(request_id=request_id(), target_id=ada.user_id)
        assert call(bob, "FollowService/Follow", request).state == follow.FOLLOW_STATE_FOLLOWING
        assert first_row(stream).counters.followers == 1
        assert [one.kind for one in inbox(ada)] == ["social.followed"]
        report = call(
            bob,
            "ModerationService/ReportContent",
            moderation.ReportContentRequest(
                request_id=request_id(), target_id=ada.user_id, policy=moderation.POLICY_IMPERSONATION),
        )
        call(ada, "FollowService/Block", follow.BlockRequest(request_id=request_id(), user_id=bob.user_id))
        seen = profiles.GetProfileRequest(user_id=ada.user_id)
        for refused in (
            lambda: bob.call("octet.identity.v1.ProfileService/GetProfile", seen),
            lambda: call(bob, "FollowService/Follow",
                         follow.FollowRequest(request_id=request_id(), target_id=ada.user_id)),
            lambda: followers(bob, ada.user_id),
            lambda: list(stream),
        ):  # fmt: skip
            assert outcome(refused)[0] == grpc.StatusCode.NOT_FOUND
        # A repeat gets the reply that was given.
        assert call(bob, "FollowService/Follow", request).state == follow.FOLLOW_STATE_FOLLOWING
        queue = call(admin, "ModerationService/ListQueue", moderation.ListQueueRequest()).reports
        assert [one.id for one in queue] == [report.id]
        decide = moderation.DecideRequest(
            request_id=request_id(), report_id=report.id, verdict=moderation.VERDICT_REJECT)
        assert call(admin, "ModerationService/Decide", decide).state == moderation.REPORT_STATE_REJECTED
        refused = outcome(lambda: call(bob, "ModerationService/ListQueue", moderation.ListQueueRequest()))
        assert refused[0] == grpc.StatusCode.PERMISSION_DENIED
        assert broken_invariants(channel) == []
        channel.close()


class Wish:
    """Something that a fan does, and takes back, and does. What is asked for in doubt is asked again, with the same id,
    until there is an answer."""

    def __init__(self, person, do, undo):
        """`do` and `undo` are each the name of a method and what makes its request from a request_id."""
        self.person, self.do, self.undo = person, do, undo
        self.is_done = False
        self.pending = None

    def step(self):
        """Returns whether there was an answer."""
        name, make_request = self.undo if self.is_done else self.do
        if self.pending is None:
            self.pending = make_request(request_id())
        code, reason, _ = outcome(lambda: call(self.person, name, self.pending))
        if code != grpc.StatusCode.OK:
            assert code in BROKEN, f"{code} {reason}"
            return False
        self.is_done = not self.is_done
        self.pending = None
        return True

    def settle(self, deadline):
        """Returns whether nothing is in doubt any more. A server that has just started may be too busy for a call or two."""
        while self.pending is not None and not self.step():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)  # As a client's backoff.
        return True


class Fan:
    """Somebody who likes an advert and follows its owner, for a while, and by turns."""

    def __init__(self, channel, number, star, advert):
        self.person = Person(channel, f"fan_{number}")
        self.like = Wish(
            self.person,
            ("ReactionService/SetReaction",
             lambda key: reactions.SetReactionRequest(request_id=key, subject_id=advert, kind=LIKE)),
            ("ReactionService/ClearReaction",
             lambda key: reactions.ClearReactionRequest(request_id=key, subject_id=advert, kind=LIKE)),
        )  # fmt: skip
        self.follow = Wish(
            self.person,
            ("FollowService/Follow", lambda key: follow.FollowRequest(request_id=key, target_id=star)),
            ("FollowService/Unfollow", lambda key: follow.UnfollowRequest(request_id=key, target_id=star)),
        )
        self.acknowledged = 0

    def settle(self, deadline):
        return self.like.settle(deadline) and self.follow.settle(deadline)

    def run(self, stopped):
        for wish in itertools.cycle((self.like, self.follow)):
            if stopped.is_set() or not wish.step():
                return
            self.acknowledged += 1

    def likes(self):
        """The things that the server says this fan likes."""
        request = reactions.ListReactionsRequest(kind=LIKE)
        return [one.subject_id for one in call(self.person, "ReactionService/ListReactions", request).reactions]


def test_acceptance_5_counters_are_their_rows_after_each_kill(tmp_path, engine_flags):
    seed = int(SEED) if SEED else random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    with Server(tmp_path, *FLAGS, *engine_flags, program=PROGRAM) as server:
        channel = server.channel()
        star = Person(channel, "star")
        advert = pin(star, "A lamp").id
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            fans = list(pool.map(lambda number: Fan(channel, number, star.user_id, advert), range(USERS)))
        channel.close()
    for round_number in range(KILLS + 1):
        server = Server(tmp_path, *FLAGS, *engine_flags, program=PROGRAM)
        channel = server.channel()
        for person in [star, *(fan.person for fan in fans)]:
            person.channel = channel
            person.renew()
        # What was in doubt is settled first: repeats get the answer of what was done.
        deadline = time.monotonic() + PATIENCE_SECONDS
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            assert all(pool.map(lambda fan, deadline=deadline: fan.settle(deadline), fans))
        assert [fan.likes() for fan in fans] == [[advert] * fan.like.is_done for fan in fans]
        assert counters(star, advert).likes == sum(fan.like.is_done for fan in fans)
        expected = {fan.person.user_id for fan in fans if fan.follow.is_done}
        found = followers(star, star.user_id)
        assert len(found) == len(set(found)) and set(found) == expected
        assert counters(star, star.user_id).followers == len(expected)
        for fan in rng.sample(fans, 5):
            assert counters(star, fan.person.user_id).following == int(fan.follow.is_done)
        assert broken_invariants(channel) == []
        if round_number == KILLS:
            assert server.stop() == 0
            channel.close()
            return
        before = sum(fan.acknowledged for fan in fans)
        wanted = before + rng.randrange(len(fans), 4 * len(fans))
        stopped = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(len(fans)) as pool:
            running = [pool.submit(fan.run, stopped) for fan in fans]
            while sum(fan.acknowledged for fan in fans) < wanted and not all(one.done() for one in running):
                concurrent.futures.wait(running, timeout=0.01)
            server.kill()
            stopped.set()
            for one in running:
                one.result()
        channel.close()
