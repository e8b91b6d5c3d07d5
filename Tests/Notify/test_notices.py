"""Notices through a real octetd: from an announcement to the inbox, the stream and the spool, also through kill -9.

OCTET_NOTICES sets how many notices are written while the server is killed, OCTET_NOTICE_SEED the seed, which is printed.
"""

import concurrent.futures
import os
import random
import threading

import grpc
import pytest
from support.codes import proved_person
from support.mail import Mailbox, MailServer
from support.notices import (
    FLAGS,
    SERVICE,
    announce,
    announce_to,
    await_that,
    call,
    inbox,
    letters,
    notice,
    notify,
    register_push,
    roles,
    staff,
)
from support.people import Person, Stranger, first_row, request_id
from support.server import Server

NOTICES = int(os.environ.get("OCTET_NOTICES", "1200"))
SEED = os.environ.get("OCTET_NOTICE_SEED")
USERS, KILLS, ANNOUNCERS = 6, 4, 4
# Of those sent at once when the server dies, nobody has noted that they were taken.
MAILS_AT_ONCE = 16


def test_from_an_announcement_to_the_spool(tmp_path, engine_flags):
    with Server(tmp_path, *FLAGS, *engine_flags) as server:
        channel = server.channel()
        ops, ada, eve = staff(channel), Person(channel, "ada_n"), Person(channel, "eve_n")
        device = register_push(ada, "https://push.example/ada")
        rows = ada.stream(f"{SERVICE}/WatchInbox", notify.WatchInboxRequest())
        assert next(rows).snapshot.last_number == 0
        announce(ops, [ada.user_id], "Hello", text="Good news")
        row = first_row(rows)
        assert (row.notice.number, row.notice.title, row.notice.text) == (1, "Hello", "Good news")
        rows.cancel()
        name = f"{row.notice.id}.push.{device.id}.json"
        await_that(lambda: name in letters(tmp_path / "spool"), "the letter is not in the spool")
        letter = letters(tmp_path / "spool")[name]
        assert letter["address"] == "https://push.example/ada" and letter["title"] == "Hello"
        assert inbox(eve) == []
        reply = call(ada, "MarkRead", notify.MarkReadRequest(request_id=request_id(), number=1))
        assert (reply.read_through, reply.unread_count) == (1, 0)
        # A resumed stream begins with what came after its token.
        again = ada.stream(f"{SERVICE}/WatchInbox", notify.WatchInboxRequest(resume_token=row.resume_token))
        assert first_row(again).read_through == 1
        again.cancel()
        request = notify.ListDeliveriesRequest(user_id=ada.user_id)
        await_that(
            lambda: [d.state for d in call(ops, "ListDeliveries", request).deliveries] == [notice.DELIVERY_STATE_SENT],
            "the delivery is not settled",
        )


def test_an_announcement_to_those_who_hold_a_role(tmp_path, engine_flags):
    with Server(tmp_path, *FLAGS, *engine_flags) as server:
        channel = server.channel()
        admin = staff(channel)
        # In the order of their ids: whoever comes last is told last, and all of them in one transaction.
        former, other, holder = (Person(channel, handle) for handle in ("former_r", "other_r", "holder_r"))

        def change(method, **fields):
            request = getattr(roles, f"{method}Request")(request_id=request_id(), **fields)
            return admin.call(f"octet.identity.v1.RoleService/{method}", request)

        grant = change("GrantRole", user_id=former.user_id, role="rides.ops")
        change("GrantRole", user_id=other.user_id, role="rides.support")
        change("GrantRole", user_id=holder.user_id, role="rides.ops")
        announce_to(admin, notice.Segment(role="rides.ops"), "First")
        await_that(lambda: [row.title for row in inbox(holder)] == ["First"], "the holder is not told")
        assert [row.title for row in inbox(former)] == ["First"]
        change("RevokeRole", grant_id=grant.id)
        announce_to(admin, notice.Segment(role="rides.ops"), "Second")
        await_that(lambda: [row.title for row in inbox(holder)] == ["Second", "First"], "the holder is not told again")
        assert [row.title for row in inbox(former)] == ["First"]
        assert inbox(other) == []


def test_a_ride_tells_its_rider(tmp_path):
    """The kinds of rides are there to be chosen, so rides declare them."""
    with Server(tmp_path, *FLAGS) as server:
        rider = Person(server.channel(), "rider_n")
        settings = call(rider, "GetChannels", notify.GetChannelsRequest())
        kinds = {kind.kind: list(kind.channels) for kind in settings.kinds}
        assert kinds["rides.driver_arrived"] == [notice.CHANNEL_PUSH]
        request = notify.SetChannelsRequest(request_id=request_id(), etag=settings.etag)
        request.kinds.add(kind="rides.driver_arrived", channels=[notice.CHANNEL_SMS])
        changed = call(rider, "SetChannels", request)
        assert {kind.kind: list(kind.channels) for kind in changed.kinds}["rides.driver_arrived"] == [notice.CHANNEL_SMS]


def test_a_token_that_is_none_stops_nothing(tmp_path):
    with Server(tmp_path, *FLAGS) as server:
        stranger = Stranger(server.channel())
        try:
            call(stranger, "Unsubscribe", notify.UnsubscribeRequest(request_id=request_id(), token="ou1.AAAA.BBBB"))
            raise AssertionError("it was taken")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT


class Announcers:
    """Threads that announce until they are told to stop or the server is gone, and what was acknowledged to them."""

    def __init__(self, server, names, acknowledged):
        self.stopped = threading.Event()
        self.channel = server.channel()
        self.ops = staff(self.channel)
        self.names, self.acknowledged = names, acknowledged

    def run(self, users):
        while not self.stopped.is_set():
            try:
                title = next(self.names)
            except StopIteration:
                return
            try:
                announce(self.ops, users, title)
            except grpc.RpcError:
                return  # Killed: the outcome of this one is unknown.
            self.acknowledged.append(title)


def numbered(count):
    """Names from any thread."""
    lock, left = threading.Lock(), iter(range(count))

    class Names:
        def __next__(self):
            with lock:
                return f"n{next(left)}"

    return Names()


def choose_push_and_mail(person):
    etag = call(person, "GetChannels", notify.GetChannelsRequest()).etag
    request = notify.SetChannelsRequest(request_id=request_id(), etag=etag)
    request.kinds.add(kind="notify.announcement", channels=[notice.CHANNEL_PUSH, notice.CHANNEL_MAIL])
    call(person, "SetChannels", request)


@pytest.mark.parametrize("mails", ["spooled", "by SMTP"])
def test_acceptance_8_kill_during_many_notices(tmp_path, engine_flags, mails):
    seed = int(SEED) if SEED else random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    names, acknowledged, devices, spool = numbered(NOTICES // USERS), [], {}, tmp_path / "spool"
    flags = (*FLAGS, "--limits", "mails-per-day=1000000", *engine_flags)
    with Server(tmp_path, *flags) as server:
        people = [
            proved_person(server.channel(), spool, f"user_n{number}", f"n{number}@example.org") for number in range(USERS)
        ]
        for person in people:
            devices[person.user_id] = register_push(person, f"https://push.example/{person.handle}").id
            choose_push_and_mail(person)
        told_before = {person.user_id: len(inbox(person)) for person in people}
    users = list(devices)
    mailbox = Mailbox()
    with MailServer(mailbox) as post:
        if mails == "by SMTP":
            flags += ("--smtp-server", f"localhost:{post.port}", "--smtp-from", "a@example.org", "--smtp-tls=false")
        for round_number in range(KILLS + 1):
            server = Server(tmp_path, *flags)
            before = len(acknowledged)
            crowd = Announcers(server, names, acknowledged)
            share = max(1, NOTICES // USERS // (KILLS + 2))
            with concurrent.futures.ThreadPoolExecutor(ANNOUNCERS) as pool:
                running = [pool.submit(crowd.run, users) for _ in range(ANNOUNCERS)]
                if round_number < KILLS:
                    wanted = before + rng.randrange(1, share + 1)
                    await_that(
                        lambda: len(acknowledged) >= wanted or all(one.done() for one in running), "nothing is announced")
                    server.kill()
                    crowd.stopped.set()
                for one in running:
                    one.result()
        ops, channel = crowd.ops, server.channel()
        # Their logins may be good no more.
        people = [Person(channel, person.handle, register=False) for person in people]

        def settled():
            states = (notice.DELIVERY_STATE_QUEUED, notice.DELIVERY_STATE_DEFERRED)
            open_ones = [call(ops, "ListDeliveries", notify.ListDeliveriesRequest(state=state)) for state in states]
            # By their names: some that were not acknowledged are told as well, and of these as many say nothing.
            told = all(set(acknowledged) <= {one.title for one in inbox(person)} for person in people)
            return told and not any(page.deliveries for page in open_ones)

        def mailed():
            return [message["message-id"].strip("<>").split("@")[0] + ".json" for *_, message in mailbox.mails]

        def wanted_and_found():
            """The names of letters: whatever committed is told, also what was not acknowledged before a kill."""
            wanted = set()
            for person in people:
                notices = inbox(person)
                for one in notices[: len(notices) - told_before[person.user_id]]:
                    wanted |= {f"{one.id}.push.{devices[person.user_id]}.json", f"{one.id}.mail.json"}
            ids = {name.split(".")[0] for name in wanted}
            return wanted, {name for name in [*letters(spool), *mailed()] if name.split(".")[0] in ids}

        def all_is_there():
            nonlocal wanted, found
            wanted, found = wanted_and_found()
            return wanted <= found

        wanted, found = set(), set()
        await_that(settled, "not all is sent")
        await_that(all_is_there, "a letter is missing")
        await_that(lambda: not any(name.startswith(".") for name in letters(spool)), "half a letter")
        assert found == wanted, "one letter for each notice and way"
        for person in people:
            notices = inbox(person)
            assert [one.number for one in notices] == list(range(len(notices), 0, -1)), "numbers are dense"
            titles = [one.title for one in notices]
            assert len(set(titles)) == len(titles), "nobody is told twice"
            assert set(acknowledged) <= set(titles), "what was acknowledged is told"
        by_mail = [name for name in mailed() if name in wanted]
        if mails == "by SMTP":
            # What had been taken is known by its name if it comes again.
            assert len(wanted) / 2 <= len(by_mail) <= len(wanted) / 2 + KILLS * MAILS_AT_ONCE
        else:
            assert by_mail == []
        assert server.stop() == 0
