"""Acceptance lines of video.md, stays.md and shop.md about the shared modules, through a real octetd-board."""

import time

import grpc
import pytest
from support.board import BOARD, GIVEAWAYS, ask, claim, listen, offer, pin, take_ticket
from support.notices import DEMO_PASSWORD, await_that
from support.people import Person, outcome, request_id
from support.rooms import CHAT, RoomStream
from support.stage import ROLES, SOCIAL

COMMENTS, REACTIONS, REVIEWS = f"{SOCIAL}.CommentService", f"{SOCIAL}.ReactionService", f"{SOCIAL}.ReviewService"
FOLLOWS, MODERATION = f"{SOCIAL}.FollowService", f"{SOCIAL}.ModerationService"
NOT_FOUND, PRECONDITION = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION
EXISTS = grpc.StatusCode.ALREADY_EXISTS
HOUR_SECONDS = 3600
# On a busy machine a ticket's second may be over before it is shown.
TRIES = 20


@pytest.fixture
def channel(board):
    with board.channel() as channel:
        yield channel


def somebody(channel):
    return Person(channel, f"p_{request_id()[:8]}")


def word():
    return "w" + request_id().replace("-", "")


def refusal(person, path, **fields):
    return outcome(lambda: ask(person, path, **fields))[:2]


def test_video_acceptance_10_who_is_blocked_finds_nothing_of_the_blocker(channel):
    blocker, blocked, owner = (somebody(channel) for _ in range(3))
    theirs, other = pin(blocker, word()).id, pin(owner, word()).id
    comments = {
        person: ask(person, f"{COMMENTS}/PostComment", subject_id=other, text=word()).id for person in (blocker, blocked)
    }
    room = ask(blocker, f"{CHAT.split('/')[0]}/OpenRoom", kind="ROOM_KIND_THREAD", subject_id=theirs).id

    def listed(person):
        return {comment.id for comment in ask(person, f"{COMMENTS}/ListComments", subject_id=other).comments}

    def answers(person):
        """Of calls about what the other has made."""
        comment = comments[blocker if person is blocked else blocked]
        like = {"subject_id": comment, "kind": "REACTION_KIND_LIKE"}
        yield refusal(person, f"{REACTIONS}/SetReaction", **like)
        if person is blocked:
            yield refusal(person, f"{COMMENTS}/ListComments", subject_id=theirs)
            yield refusal(person, f"{BOARD}/GetAdvert", advert_id=theirs)
            yield outcome(lambda: RoomStream(person, room_id=room).cut())[:2]

    assert set(answers(blocked)) | set(answers(blocker)) == {(grpc.StatusCode.OK, None)}
    ask(blocker, f"{FOLLOWS}/Block", user_id=blocked.user_id)
    assert set(answers(blocked)) | set(answers(blocker)) == {(NOT_FOUND, "NOT_FOUND")}
    assert listed(owner) == set(comments.values())
    assert [listed(person) for person in (blocker, blocked)] == [{comments[blocker]}, {comments[blocked]}]
    ask(blocker, f"{FOLLOWS}/Unblock", user_id=blocked.user_id)
    assert set(answers(blocked)) | set(answers(blocker)) == {(grpc.StatusCode.OK, None)}


def test_video_acceptance_16_an_appeal_is_decided_by_somebody_else(channel):
    author, reporter = somebody(channel), somebody(channel)
    admin = Person(channel, "demo_admin", DEMO_PASSWORD, register=False)
    moderators = [somebody(channel) for _ in range(2)]
    for moderator in moderators:
        ask(admin, f"{ROLES}/GrantRole", user_id=moderator.user_id, role="social.moderator")
    # The token names the grants of when it was made.
    first, second = (Person(channel, moderator.handle, register=False) for moderator in moderators)
    advert = pin(reporter, word()).id
    comment = ask(author, f"{COMMENTS}/PostComment", subject_id=advert, text=word()).id

    def listed():
        return [each.id for each in ask(reporter, f"{COMMENTS}/ListComments", subject_id=advert).comments]

    case = {"report_id": ask(reporter, f"{MODERATION}/ReportContent", target_id=comment, policy="POLICY_SPAM").id}
    ask(first, f"{MODERATION}/Decide", verdict="VERDICT_ACT", measure="MEASURE_REMOVE", policy="POLICY_SPAM", **case)
    assert listed() == []
    ask(author, f"{MODERATION}/Appeal", text="It is none", **case)
    overturned = {"verdict": "VERDICT_OVERTURN", **case}
    assert refusal(first, f"{MODERATION}/DecideAppeal", **overturned) == (PRECONDITION, "SAME_REVIEWER")
    assert listed() == []
    ask(second, f"{MODERATION}/DecideAppeal", **overturned)
    assert listed() == [comment]


def test_stays_acceptance_16_only_who_has_had_it_reviews_it_and_once(channel):
    owner, guest, other = (somebody(channel) for _ in range(3))
    advert = pin(owner, word()).id
    offer(owner, advert, pieces=2)
    claims = {person: claim(person, advert).id for person in (guest, other)}
    review = {"subject_id": advert, "score": 4, "text": word()}
    for key in (claims[other], advert):
        assert refusal(guest, f"{REVIEWS}/SubmitReview", key_id=key, **review) == (PRECONDITION, "NOT_ELIGIBLE")
    review["key_id"] = claims[guest]
    assert refusal(owner, f"{REVIEWS}/SubmitReview", **review) == (PRECONDITION, "NOT_ELIGIBLE")
    ask(guest, f"{REVIEWS}/SubmitReview", **review)
    assert refusal(guest, f"{REVIEWS}/SubmitReview", **review) == (EXISTS, "REVIEW_EXISTS")
    assert ask(owner, f"{REVIEWS}/ListReviews", subject_id=advert).review_count == 1


def test_shop_acceptance_13_nobody_is_served_without_a_ticket_of_his_own(channel):
    owner, guest, other = (somebody(channel) for _ in range(3))
    advert = pin(owner, word()).id
    offer(owner, advert, pieces=2)
    ticket = take_ticket(guest, advert)
    needed = (PRECONDITION, "ADMISSION_REQUIRED")
    for taken in ("none", ticket):
        assert refusal(other, f"{GIVEAWAYS}/ClaimPiece", advert_id=advert, ticket=taken) == needed
    ask(guest, f"{GIVEAWAYS}/ClaimPiece", advert_id=advert, ticket=ticket)
    assert refusal(guest, f"{GIVEAWAYS}/ClaimPiece", advert_id=advert, ticket=ticket) == needed


def test_a_queue_takes_so_many_and_lets_nobody_in_after_it_is_over(channel):
    owner, first, second = (somebody(channel) for _ in range(3))
    advert = pin(owner, word()).id
    later = {"open_time": {"seconds": int(time.time()) + HOUR_SECONDS}}
    offer(owner, advert, places=1, **later)

    def join(person):
        return outcome(lambda: next(listen(person, f"{GIVEAWAYS}/JoinGiveaway", advert_id=advert)))[:2]

    assert join(first) == (grpc.StatusCode.OK, None)
    assert join(second) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL")
    # Whoever has a place comes back to it; when it is given up, it is another's.
    assert join(first) == (grpc.StatusCode.OK, None)
    ask(first, f"{GIVEAWAYS}/LeaveGiveaway", advert_id=advert)
    assert join(second) == (grpc.StatusCode.OK, None)
    ask(owner, f"{BOARD}/RemoveAdvert", advert_id=advert)
    assert join(first)[0] == NOT_FOUND
    last = pin(owner, word()).id
    offer(owner, last)
    claim(first, last)
    advert = last
    assert join(second) == (PRECONDITION, "WINDOW_CLOSED")


def test_a_ticket_is_good_until_its_time_is_over(channel):
    owner, guest = somebody(channel), somebody(channel)
    advert = pin(owner, word()).id
    offer(owner, advert, ticket_time={"seconds": 1})

    def shown():
        """A ticket. One that is over before it can be shown is none."""
        for _ in range(TRIES):
            rows = listen(guest, f"{GIVEAWAYS}/JoinGiveaway", advert_id=advert)
            if ticket := next((row.ticket for row in rows if row.WhichOneof("event") == "ticket"), None):
                return ticket
        raise AssertionError("no ticket is shown")

    ticket = shown()
    await_that(lambda: time.time() > ticket.expire_time.seconds + 1, "time stands still")
    late = (PRECONDITION, "ADMISSION_EXPIRED")
    assert refusal(guest, f"{GIVEAWAYS}/ClaimPiece", advert_id=advert, ticket=ticket.text) == late
    for _ in range(TRIES):
        text = shown().text
        code, reason, piece = outcome(lambda text=text: ask(guest, f"{GIVEAWAYS}/ClaimPiece", advert_id=advert, ticket=text))
        if code == grpc.StatusCode.OK:
            break
        assert (code, reason) == late
    else:
        raise AssertionError("no ticket is good")
    assert piece.advert_id == advert
