"""Lists of what people have done to things, turned page by page by a real client: all of it, nothing twice, in one order."""

import pytest
from support.board import ask, claim, offer, pin
from support.people import Person, request_id
from support.stage import SOCIAL

FOLLOWS, REACTIONS, SHARES = f"{SOCIAL}.FollowService", f"{SOCIAL}.ReactionService", f"{SOCIAL}.ShareService"
MODERATION, REVIEWS = f"{SOCIAL}.ModerationService", f"{SOCIAL}.ReviewService"
COUNT, SMALL = 5, 2


@pytest.fixture(scope="module")
def people(board):
    with board.channel() as channel:
        yield [Person(channel, f"p_{request_id()[:8]}") for _ in range(COUNT + 1)]


def pinned(owner):
    return [pin(owner, f"w{request_id()}").id for _ in range(COUNT)]


def reactions(owner, *others):
    things = pinned(others[0])
    for thing in things:
        ask(owner, f"{REACTIONS}/SetReaction", subject_id=thing, kind="REACTION_KIND_LIKE")
    fields = {"user_id": owner.user_id, "kind": "REACTION_KIND_LIKE"}
    return f"{REACTIONS}/ListReactions", fields, "reactions", lambda row: row.subject_id, things


def relations(owner, *others):
    muted = [other.user_id for other in others]
    for user in muted:
        ask(owner, f"{FOLLOWS}/Mute", user_id=user)
    fields = {"kind": "RELATION_KIND_MUTED"}
    return f"{FOLLOWS}/ListRelations", fields, "relations", lambda row: row.member.user_id, muted


def following(owner, *others):
    followed = [other.user_id for other in others]
    for user in followed:
        ask(owner, f"{FOLLOWS}/Follow", target_id=user)
    return f"{FOLLOWS}/ListFollowing", {"user_id": owner.user_id}, "follows", lambda row: row.target_id, followed


def share_links(owner, *others):
    links = [ask(owner, f"{SHARES}/CreateShareLink", subject_id=thing).id for thing in pinned(others[0])]
    return f"{SHARES}/ListShareLinks", {}, "links", lambda row: row.id, links


def cases(owner, *others):
    reports = [
        ask(owner, f"{MODERATION}/ReportContent", target_id=thing, policy="POLICY_SPAM").id for thing in pinned(others[0])
    ]
    return f"{MODERATION}/ListMyCases", {}, "cases", lambda row: row.id, reports


def reviews(owner, *others):
    advert = pinned(owner)[0]
    offer(owner, advert, pieces=COUNT)
    written = [
        ask(other, f"{REVIEWS}/SubmitReview", subject_id=advert, key_id=claim(other, advert).id, score=4).id
        for other in others
    ]
    return f"{REVIEWS}/ListReviews", {"subject_id": advert}, "reviews", lambda row: row.id, written


@pytest.mark.parametrize("made", [reactions, following, share_links, cases, reviews, relations])
def test_a_list_has_all_of_it_on_small_pages(people, made):
    path, fields, rows, key, wanted = made(*people)
    owner = people[0]
    whole = ask(owner, path, **fields)
    found = [key(row) for row in getattr(whole, rows)]
    assert sorted(found) == sorted(wanted) and whole.next_page_token == ""
    pages, token = [], None
    while token != "":
        page = ask(owner, path, page_size=SMALL, page_token=token or "", **fields)
        pages.append([key(row) for row in getattr(page, rows)])
        token = page.next_page_token
        assert len(pages) <= COUNT, "it has no end"
    assert [len(page) for page in pages] == [SMALL, SMALL, COUNT - 2 * SMALL]
    assert sum(pages, []) == found
