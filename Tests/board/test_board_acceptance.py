"""Acceptance lines of platform.md that need a domain whose things are talked about: through a real octetd-board."""

import concurrent.futures
import contextlib
import itertools
import random

import grpc
import pytest
from support.authorization.answers import make_request
from support.board import BOARD, PROGRAM, TERMS, ask, hide, listen, pin
from support.notices import DEMO_PASSWORD
from support.people import Person, Stranger, first_row, outcome, request_id
from support.rides import Conversation
from support.server import second_node

ADMIN = "octet.admin.v1.AdminService"
CHAT = "octet.chat.v1.ChatService"
SEARCH = "octet.search.v1.SearchService"
SOCIAL = "octet.social.v1"
COMMENTS = f"{SOCIAL}.CommentService"
NOT_FOUND, PRECONDITION = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION
STREAM_SECONDS = 300


@pytest.fixture
def people(board):
    with board.channel() as channel:
        yield [Person(channel, f"p_{request_id()[:8]}") for _ in range(2)] + [Stranger(channel)]


def code_of(call):
    return outcome(call)[:2]


def end_of(stream):
    """With which status a stream ends; its rows before that are dropped."""
    return code_of(lambda: [None for _ in stream])[0]


def word():
    return "w" + request_id().replace("-", "")


def hits(person, text, **fields):
    return [hit.subject_id for hit in ask(person, f"{SEARCH}/Search", text=text, **fields).hits]


def talk(person, room, text):
    """A stream in a room, on which something has been said."""
    stream = Conversation(person, f"{CHAT}/Chat", timeout=STREAM_SECONDS)
    for frame in ({"join": {}}, {"post": {"request_id": request_id(), "text": text}}):
        stream.send(make_request(f"{CHAT}/Chat", {"room_id": room, "frame": frame}))
    stream.next(lambda row: row.frame.HasField("post_accepted"))
    return stream


def test_acceptance_7_what_hangs_on_a_thing_made_private_is_hidden_with_it(people):
    owner, reader, nobody = people
    title = word()
    advert = pin(owner, title).id
    comment = ask(reader, f"{COMMENTS}/PostComment", subject_id=advert, text="Is it still there?")
    room = ask(owner, f"{CHAT}/OpenRoom", kind="ROOM_KIND_THREAD", subject_id=advert).id
    talking = talk(reader, room, "Hello")
    streams = {person: listen(person, f"{COMMENTS}/WatchComments", subject_id=advert, timeout=STREAM_SECONDS)
               for person in people}  # fmt: skip
    for stream in streams.values():
        assert [each.id for each in first_row(stream).snapshot.comments] == [comment.id]
    counters = listen(reader, f"{SOCIAL}.ReactionService/WatchCounters", subject_id=advert, timeout=STREAM_SECONDS)
    assert first_row(counters).counters.comments == 1
    reads = {
        f"{BOARD}/GetAdvert": {"advert_id": advert},
        f"{COMMENTS}/ListComments": {"subject_id": advert},
        f"{SOCIAL}.ReactionService/WatchCounters": {"subject_id": advert},
        f"{SOCIAL}.ReviewService/ListReviews": {"subject_id": advert},
    }
    writes = {
        f"{COMMENTS}/PostComment": {"subject_id": advert, "text": "Me too"},
        f"{SOCIAL}.ReactionService/SetReaction": {"subject_id": comment.id, "kind": "REACTION_KIND_LIKE"},
        f"{SOCIAL}.ModerationService/ReportContent": {"target_id": comment.id, "policy": "POLICY_SPAM"},
        f"{CHAT}/ListMessages": {"room_id": room},
    }

    def answers(person, calls):
        streamed = f"{SOCIAL}.ReactionService/WatchCounters"
        return {
            code_of(lambda path=path, fields=fields: next(listen(person, path, **fields)) if path == streamed
                    else ask(person, path, **fields))[0]
            for path, fields in calls.items()
        }  # fmt: skip

    assert hits(nobody, title) == [advert]
    assert answers(reader, reads) == answers(nobody, reads) == {grpc.StatusCode.OK}
    hide(owner, advert)
    assert end_of(streams[reader]) == end_of(streams[nobody]) == end_of(counters) == NOT_FOUND
    with pytest.raises(EOFError, match="NOT_FOUND"):
        while True:
            talking.next()
    assert answers(reader, {**reads, **writes}) == answers(nobody, reads) == {NOT_FOUND}
    for person in people:
        assert hits(person, title) == []
    # The owner's stream goes on.
    later = ask(owner, f"{COMMENTS}/PostComment", subject_id=advert, text="Still here")
    assert next(row.comment.id for row in streams[owner] if row.WhichOneof("event") == "comment") == later.id
    streams[owner].cancel()

    hide(owner, advert, False)
    assert hits(nobody, title) == [advert]
    listed = ask(nobody, f"{COMMENTS}/ListComments", subject_id=advert).comments
    assert {each.id for each in listed} == {comment.id, later.id}


@pytest.fixture
def ways(board, tmp_path):
    """Channels to the nodes, of which there are two where the engine allows it."""
    with contextlib.ExitStack() as stack:
        nodes = [board]
        if "--database" in board.flags:
            nodes.append(stack.enter_context(second_node(board, tmp_path / "second", *board.flags, program=PROGRAM)))
        yield [stack.enter_context(node.channel()) for node in nodes]


COMMITS, ADVERTS, PAGE, THREADS = 500, 120, 10, 8


def test_acceptance_12_between_two_pages_no_hit_is_repeated_missed_or_invisible(people, ways):
    """Also behind a balancer that goes round."""
    owner, reader, _ = people
    turns = itertools.cycle(ways)
    rng, common = random.Random(12), word()
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        there = list(pool.map(lambda n: pin(owner, f"{common} {n}").id, range(ADVERTS)))
        reader.channel = next(turns)
        page = ask(reader, f"{SEARCH}/Search", text=common, page_size=PAGE)
        seen = [hit.subject_id for hit in page.hits]
        assert len(set(seen)) == PAGE
        unseen = sorted(set(there) - set(seen))
        hidden = rng.sample(unseen, 30)
        removed = rng.sample(sorted(set(unseen) - set(hidden)), 30)
        shown_again = sorted(set(unseen) - set(hidden) - set(removed))[:20]
        changes = [lambda one=one: hide(owner, one) for one in hidden]
        changes += [lambda one=one: ask(owner, f"{BOARD}/RemoveAdvert", advert_id=one) for one in removed]
        changes += [lambda one=one: (hide(owner, one), hide(owner, one, False)) for one in shown_again]
        made = COMMITS - len(hidden) - len(removed) - 2 * len(shown_again)
        changes += [lambda n=n: pin(owner, f"{common} new {n}") for n in range(made)]
        rng.shuffle(changes)
        for _ in pool.map(lambda change: change(), changes):
            pass
    while page.next_page_token:
        reader.channel = next(turns)
        page = ask(reader, f"{SEARCH}/Search", text=common, page_size=PAGE, page_token=page.next_page_token)
        seen += [hit.subject_id for hit in page.hits]
    assert len(seen) == len(set(seen)), "a hit is repeated"
    assert not set(seen) & {*hidden, *removed}, "a hit is invisible"
    assert set(seen) == set(there) - {*hidden, *removed}, "a hit is missed"


def test_acceptance_15_at_a_rows_end_the_next_one_is_in_force(board):
    with board.channel() as channel:
        ops = Person(channel, "demo_ops", DEMO_PASSWORD, register=False)
        first, last = 4_000_000_000, 4_000_000_100

        def put(begin, end, days):
            times = {"from_time": {"seconds": begin}} | ({"to_time": {"seconds": end}} if end else {})
            values = {"hanging_days": {"integer": days}}
            return ask(ops, f"{ADMIN}/PutTableRow", table=TERMS, key="advert", values=values, **times)

        def days(seconds, nanos=0):
            at_time = {"seconds": seconds, "nanos": nanos}
            return ask(Stranger(channel), f"{BOARD}/GetTerms", at_time=at_time).hanging_days

        put(first, last, 3)
        put(last, None, 5)
        assert [days(first - 1, 999_999_999), days(first), days(last - 1, 999_999_999), days(last)] == [7, 3, 3, 5]
        for begin, end in ((first, last), (first - 50, first + 1), (last - 1, last + 1), (last + 7, None)):
            assert code_of(lambda begin=begin, end=end: put(begin, end, 9)) == (PRECONDITION, "TABLE_OVERLAP")
        assert days(last - 1) == 3
