"""Every method, called by callers of every kind, about their own and other people's things."""

import collections
import itertools
import queue

import grpc
import pytest

from support import stubs
from support.authorization import table
from support.authorization.answers import (
    NOT_FOUND,
    OK,
    Answer,
    all_methods,
    ask,
    contains,
    make_request,
    policy_of,
)
from support.authorization.callers import MODERATORS, STAFF, VERIFIED, Citizen
from support.authorization.trial import Trial, refusal_by_policy, told_secrets
from support.authorization.world import absent
from support.board import BOARD, GIVEAWAYS
from support.people import method_descriptor

reviews = stubs.module("octet.social.v1.review_service_pb2")

WAIT_SECONDS = 300
REPEATS, TRIES = 3, 20


# Least numbers of methods that have tokens, and of those that give one here, as there are further pages.
LISTS_AND_WATCHES, WITH_MORE_PAGES = 30, 8
# And of filters of those lists.
FILTERS = 12
# What decides nothing of what is listed. Tags are counted for the first page alone.
NO_FILTERS = {"page_size", "page_token", "counted_tags"}


def test_every_method_has_a_row():
    assert set(all_methods()) == {row.path for row in table.ROWS}


def test_callers_hold_every_role_that_there_is(world):
    """A role that no policy names lets nobody in; a server whose policies name one that it has not does not start."""
    named = {role for path in all_methods() for role in policy_of(path).roles}
    assert world.callers.held() == {*STAFF, VERIFIED} | named


def answer_of(*replies):
    return Answer(OK, "", [], list(replies))


TOKENS = (
    ("page_token", "next_page_token", {"page_size": 1}, "BAD_PAGE_TOKEN"),
    ("resume_token", "resume_token", {}, "BAD_RESUME_TOKEN"),
)


def is_refused(answer, reason):
    return answer.code == grpc.StatusCode.INVALID_ARGUMENT and contains(answer, reason)


def rows_with_tokens(world):
    """(row, token's field, where a reply has one, reason, request's fields, who may) of all lists and watches."""
    for row in table.ROWS:
        world.beat()
        for field, of_reply, more, reason in TOKENS:
            if field in method_descriptor(row.path).input_type.fields_by_name and row.is_proved:
                trial = Trial(world, row)
                fields = {**row.request_fields(world, trial.identifier()), **more}
                names = sorted(trial.permitted(), key=lambda name: name != row.owner)
                yield row, field, of_reply, reason, fields, names


def test_a_token_that_is_made_up_is_refused(world):
    faults, paths = [], set()
    for row, field, _, reason, fields, names in rows_with_tokens(world):
        paths.add(row.path)
        answer = ask(world.callers[names[0]], row.path, make_request(row.path, {**fields, field: "bWFkZSB1cA"}))
        if not is_refused(answer, reason):
            faults.append(f"{row.name} takes a {field} that is made up: {answer}")
    assert faults == []
    assert len(paths) > LISTS_AND_WATCHES


def first_token(world, row, of_reply, fields, names):
    """The first of those who get a token, and the token."""
    for name in names:
        answer = ask(world.callers[name], row.path, make_request(row.path, fields))
        if answer.code == OK and (token := getattr(world.reply(row.path, answer), of_reply)):
            return name, token
    return None, ""


def test_a_token_of_somebody_else_is_refused(world):
    world.announce()
    for thing in ("address", "address", "session", "room", "share_link", "share_token"):
        world.fresh(thing)
    faults, paths = [], set()
    for row, field, of_reply, reason, fields, names in rows_with_tokens(world):
        # Who watches a thing of several people, or staff's, may go on where another of them was.
        if field == "resume_token" and (row.thing is not None or row.policy.roles):
            continue
        name, token = first_token(world, row, of_reply, fields, names)
        other = next((other for other in names if other != name), None)
        if not token or other is None:
            continue
        paths.add(row.path)
        answer = ask(world.callers[other], row.path, make_request(row.path, {**fields, field: token}))
        if not is_refused(answer, reason) or told_secrets(world, other, answer):
            faults.append(f"{row.name} takes a {field} of {name} from {other}: {answer}")
    assert faults == []
    assert len(paths) > WITH_MORE_PAGES, paths


def with_another(request, field, user_id):
    """A copy of a request in which one filter is another one, as valid as it was."""
    changed = type(request)()
    changed.CopyFrom(request)
    rules = field.GetOptions().Extensions[stubs.pool().FindExtensionByName("octet.options.v1.rules")]
    value = getattr(request, field.name)
    if field.is_repeated:
        getattr(changed, field.name).append("other")
    elif field.message_type is not None:
        part = field.message_type.fields[0]
        getattr(changed, field.name).CopyFrom(with_another(value, part, user_id))
    elif field.enum_type is not None:
        setattr(changed, field.name, next(each.number for each in field.enum_type.values if each.number not in (0, value)))
    elif field.type == field.TYPE_STRING:
        kind, _, number = absent(value or user_id).rpartition("_") if field.name.endswith("_id") else ("", "", "")
        setattr(changed, field.name, f"{rules.id_kind or kind}_{number}" if number else value + "x")
    else:
        setattr(changed, field.name, not value if field.type == field.TYPE_BOOL else value + 1)
    return changed


def test_a_token_of_another_filter_is_refused(world):
    world.announce()
    for thing in ("room", "message", "hidden_comment"):
        world.fresh(thing)
    faults, filters = [], set()
    for row, field, of_reply, reason, fields, names in rows_with_tokens(world):
        if field != "page_token":
            continue
        name, token = first_token(world, row, of_reply, fields, names)
        if not token:
            continue
        request = make_request(row.path, {**fields, field: token})
        for each in type(request).DESCRIPTOR.fields:
            if each.name in NO_FILTERS:
                continue
            filters.add((row.path, each.name))
            answer = ask(world.callers[name], row.path, with_another(request, each, world.callers[name].user_id))
            if not is_refused(answer, reason):
                faults.append(f"{row.name} takes a page_token with another {each.name}: {answer}")
    assert faults == []
    assert len(filters) > FILTERS, filters


def test_streams_tell_nothing_of_what_happens_to_others(world):
    callers = world.callers
    public = callers["driver"].user_id
    inbox, counters = "octet.notify.v1.NotificationService/WatchInbox", "octet.social.v1.ReactionService/WatchCounters"
    opened = {
        (name, path): callers[name].stream(path, make_request(path, fields), timeout=WAIT_SECONDS)
        for name, path, fields in (
            ("stranger", inbox, {}), ("blocked", inbox, {}), ("nobody", counters, {"subject_id": public}),
            ("stranger", counters, {"subject_id": public}),
        )
    }  # fmt: skip
    first = {key: next(stream) for key, stream in opened.items()}
    world.announce()
    for thing in ("room", "message", "address", "blob", "push", "session", "hidden_comment", "hidden_review", "thread"):
        world.fresh(thing)
    # What these streams do tell comes after it.
    users = {"user_ids": [callers[name].user_id for name in ("stranger", "blocked")]}
    texts = [{"language": "en", "title": "For all to see"}]
    world.call("ops", "octet.notify.v1.NotificationService/Announce", segment={"users": users}, texts=texts)
    world.call("lapsed", "octet.social.v1.FollowService/Follow", target_id=public)
    for (name, path), stream in opened.items():
        rows = [first[name, path]]
        for row in stream:
            rows.append(row)
            if row.WhichOneof("event") == "notice" if path == inbox else row.counters.followers == 1:
                break
        stream.cancel()
        assert told_secrets(world, name, answer_of(*(row.SerializeToString() for row in rows))) == []
        if path == inbox:
            titles = [row.notice.title for row in rows if row.WhichOneof("event") == "notice"]
            assert titles == ["For all to see"]
    world.call("lapsed", "octet.social.v1.FollowService/Unfollow", target_id=public)


def test_streams_that_all_may_open_tell_each_only_what_that_one_sees(world):
    callers, social, chat = world.callers, "octet.social.v1", "octet.chat.v1.ChatService"
    advert = world.call("spare", f"{BOARD}/PinAdvert", title="For all to see").id
    room = world.call("spare", f"{chat}/OpenRoom", kind="ROOM_KIND_THREAD", subject_id=advert).id
    # Owner and blocked have a block between them, in whatever stream they meet.
    watched = {
        f"{social}.CommentService/WatchComments": ({"subject_id": advert}, ("nobody", "stranger", "owner", "blocked")),
        f"{chat}/Chat": ({"room_id": room, "frame": {"join": {}}}, ("stranger", "owner", "blocked")),
        f"{social}.ModerationService/WatchQueue": ({}, ("moderator", "social.moderator")),
        "octet.admin.v1.AdminService/WatchFlags": ({}, ("ops",)),
    }
    opened, says = {}, queue.SimpleQueue()
    for path, (fields, names) in watched.items():
        for name in names:
            request = make_request(path, fields)
            # Whoever joins a room says nothing, and stays.
            frames = itertools.chain([request], iter(says.get, None))
            argument = frames if method_descriptor(path).client_streaming else request
            opened[name, path] = callers[name].stream(path, argument, timeout=WAIT_SECONDS)
    rows = {key: [next(stream)] for key, stream in opened.items()}
    world.thing("report")
    for thing in ("room", "message", "address", "blob", "push", "session", "hidden_comment", "hidden_review", "thread"):
        world.fresh(thing)
    world.announce()
    for name, other in (("owner", "blocked"), ("blocked", "owner")):
        text = world.word("said", *(set(callers.names()) - {other}))
        world.call(name, f"{social}.CommentService/PostComment", subject_id=advert, text=text)
        world.say(name, f"{chat}/Chat", text, room_id=room)
    world.held_comment("stranger", advert)
    # What these streams do tell comes after it.
    marker = "For all to see"
    world.call("lapsed", f"{social}.CommentService/PostComment", subject_id=advert, text=marker)
    world.say("lapsed", f"{chat}/Chat", marker, room_id=room)
    world.call("lapsed", f"{social}.ModerationService/ReportContent", target_id=advert, policy="POLICY_SPAM", text=marker)
    flag = world.call("ops", "octet.admin.v1.AdminService/PutFlag", **world.flag())
    for (name, path), stream in opened.items():
        end = (flag.name if path.endswith("WatchFlags") else marker).encode()
        for row in stream:
            rows[name, path].append(row)
            if end in row.SerializeToString():
                break
        else:
            raise AssertionError(f"{path} ended for {name}")
        stream.cancel()
        says.put(None)
        told = answer_of(*(row.SerializeToString() for row in rows[name, path]))
        assert told_secrets(world, name, told) == [], (name, path)


def test_counters_count_nothing_that_is_held_or_removed(world):
    social = "octet.social.v1"
    advert = world.call("spare", f"{BOARD}/PinAdvert", title="For all to see").id
    world.call("spare", f"{GIVEAWAYS}/OfferGiveaway", advert_id=advert, pieces=10)
    comment = world.call("lapsed", f"{social}.CommentService/PostComment", subject_id=advert, text="For all to see").id

    def counts():
        """As somebody who is nobody sees them."""
        path = f"{social}.ReactionService/WatchCounters"
        stream = world.callers["nobody"].stream(path, make_request(path, {"subject_id": advert}), timeout=WAIT_SECONDS)
        found = next(stream).counters
        stream.cancel()
        (shown,) = world.call("nobody", f"{social}.CommentService/ListComments", subject_id=advert).comments
        opinions = world.call("nobody", f"{social}.ReviewService/ListReviews", subject_id=advert)
        return found, shown.reply_count, shown.like_count, opinions

    before = counts()
    assert (before[0].comments, before[1], before[3].review_count) == (1, 0, 0)
    world.held_comment("stranger", advert)
    world.held_comment("stranger", advert, parent_id=comment)
    ticket = world.ticket_of("stranger", advert)
    claim = world.call("stranger", f"{GIVEAWAYS}/ClaimPiece", advert_id=advert, ticket=ticket).id
    review = {"subject_id": advert, "key_id": claim, "score": 1, "text": world.insulting_text("stranger")}
    assert world.call("stranger", f"{social}.ReviewService/SubmitReview", **review).state == reviews.REVIEW_STATE_HELD
    for parent in ("", comment):
        text = world.word("removed", "stranger", *MODERATORS)
        path = f"{social}.CommentService/PostComment"
        removed = world.call("stranger", path, subject_id=advert, text=text, parent_id=parent).id
        world.call("stranger", f"{social}.ReactionService/SetReaction", subject_id=removed, kind="REACTION_KIND_LIKE")
        world.call("moderator", f"{social}.CommentService/DeleteComment", comment_id=removed)
    assert counts() == before


def test_counters_count_nothing_that_is_hidden(world):
    callers, social = world.callers, "octet.social.v1"
    asked = Citizen(world.channel, "m_asked")
    callers.people["asked"] = asked
    preferences = {"profile_visibility": "PROFILE_VISIBILITY_FOLLOWERS"}
    world.call("asked", "octet.identity.v1.ProfileService/SetPreferences", preferences=preferences)

    def counters(name, subject):
        stream = callers[name].stream(f"{social}.ReactionService/WatchCounters",
                                      make_request(f"{social}.ReactionService/WatchCounters", {"subject_id": subject}),
                                      timeout=WAIT_SECONDS)  # fmt: skip
        found = next(stream).counters
        stream.cancel()
        return found

    # A request to follow somebody counts on neither side, and is in no list of others.
    before = counters("nobody", callers["stranger"].user_id)
    world.call("stranger", f"{social}.FollowService/Follow", target_id=asked.user_id)
    assert counters("nobody", callers["stranger"].user_id) == before
    assert counters("asked", asked.user_id).followers == 0
    followed = world.call("spare", f"{social}.FollowService/ListFollowing", user_id=callers["stranger"].user_id)
    assert asked.user_id not in {follow.target_id for follow in followed.follows}
    # What one is told counts for nobody else, and what is said in a room for none but its members.
    inbox = "octet.notify.v1.NotificationService/ListInbox"
    unread = world.call("spare", inbox).unread_count
    world.announce()
    assert world.call("spare", inbox).unread_count == unread
    room = world.thing("room")
    waiting = world.call("support", "octet.chat.v1.ChatService/ListRooms", waiting=True).rooms
    assert [(each.read_through, each.unread_count) for each in waiting if each.id == room] == [(0, 0)]
    assert room not in {each.id for each in world.call("support", "octet.chat.v1.ChatService/ListRooms").rooms}
    del callers.people["asked"]


def test_an_export_has_nothing_of_others(world):
    accounts = "octet.identity.v1.AccountService"
    for thing in ("ride", "room", "address", "blob", "report", "vehicle", "document", "hidden_comment", "hidden_review",
                  "thread"):  # fmt: skip
        world.thing(thing)
    for name in ("stranger", "driver", "blocked", "spare", "hidden", "lapsed"):
        export = world.call(name, f"{accounts}/StartExport")
        rows = callers_rows(world, name, f"{accounts}/WatchExport", {"export_id": export.id})
        (blob,) = {row.export.blob_id for row in rows if row.export.blob_id}
        content = world.callers[name].read(blob)
        assert world.callers[name].handle.encode() in content
        assert told_secrets(world, name, answer_of(content)) == []
    rows = callers_rows(world, "ops", "octet.audit.v1.AuditService/ExportRecords", {})
    assert told_secrets(world, "ops", answer_of(*(row.SerializeToString() for row in rows))) == []


def callers_rows(world, name, path, fields):
    return list(world.callers[name].stream(path, make_request(path, fields), timeout=WAIT_SECONDS))


def test_an_answer_about_what_is_hidden_costs_what_one_about_nothing_costs(world):
    """Counted in statements, not measured by a clock: so much else runs on a machine that tests. The engines run the same
    ones; PostgreSQL can count them."""
    if world.counter is None:
        pytest.skip("only PostgreSQL counts statements")
    faults = []
    for row in table.ROWS:
        world.beat()
        # Whoever has a link knows already that there was something.
        if row.thing in (None, "share_token"):
            continue
        # Whoever is blocked is a stranger where blocks are not asked for.
        for name in ("nobody", "stranger") if row.hidden_from is None else row.hidden_from:
            may = row.may(world.callers, name) or name in row.knowers
            if not may and refusal_by_policy(row, world.callers, name) is None:
                faults += [f"{row.name} by {name}: {surplus}" for surplus in surplus_work(world, row, name)]
    assert faults == [], "\n".join(faults)


def surplus_work(world, row, name):
    """By how many statements an answer about a hidden thing differs from one about none, by their texts. What the server
    does by itself meanwhile differs from time to time, and is not among it."""
    lasting = None
    for _ in range(TRIES):
        hidden = work_of(world, row, name, world.thing(row.thing))
        missing = work_of(world, row, name, world.missing(row.thing))
        found = {(text, hidden[text] - missing[text]) for text in hidden | missing if hidden[text] != missing[text]}
        lasting = found if lasting is None else lasting & found
        if not lasting:
            break
    return lasting


def is_nobodys(text):
    """Whether the server itself runs a statement so often that it cannot be told whose it is: the ends of transactions. And
    a turn's row is made by whoever first takes the turn, which others share by chance."""
    return text.startswith(("BEGIN", "COMMIT", "ROLLBACK")) or "social_turns" in text


def work_of(world, row, name, identifier):
    """The statements of a call, by text; the mean of several calls, rounded, as the last one of a call may be counted
    after its answer."""
    before = world.counter.count()
    for _ in range(REPEATS):
        request = make_request(row.path, row.request_fields(world, identifier))
        answer = ask(world.callers[name], row.path, request)
        assert answer.code == NOT_FOUND or answer.code in row.refusals
    after = world.counter.count()
    counted = {text: count - before.get(text, 0) for text, count in after.items() if not is_nobodys(text)}
    return collections.Counter({text: round(count / REPEATS) for text, count in counted.items()})


def test_nobody_is_told_more_than_is_theirs(world):
    """Last, as it ends sessions and accounts."""
    faults = [fault for row in table.ROWS for fault in Trial(world, row).run()]
    assert faults == [], "\n".join(faults)
