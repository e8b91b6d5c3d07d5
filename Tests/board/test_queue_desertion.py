"""Acceptance 12 of shop.md: who leads a queue and has been gone for a minute is passed over, and the next is admitted at once.

A server that starts gives everybody a minute anew, so a minute goes by here. When places were left and when they were called is
read from what the server has written down: a machine that is slow to do either changes nothing.
"""

import collections
import concurrent.futures
import time

import grpc
from support.board import GIVEAWAYS, PROGRAM, ask, listen, offer, pin
from support.installation import Installation
from support.notices import FLAGS, await_that
from support.people import Person, first_row
from support.queues import drawn
from support.world import PATIENCE_SECONDS

SECOND = 1_000_000_000
LIMIT, TICKET = 60 * SECOND, 300 * SECOND
JOIN = f"{GIVEAWAYS}/JoinGiveaway"
# So many leave each queue, and one stays, who leads one queue in eight, and hardly ever all of those that open last.
GONE, EARLIER, LAST = 7, 6, 8
# From the offers to the last opening, in seconds. The longer ones are for a machine on which some leave too late for the first.
LEADS = (75, 150, 400)
TRIES = 3
ADMITTED, ABANDONED = 2, 5
ENTRIES = """
    SELECT v.subject, e.id, e.state, COALESCE(p.unseen_since, 0)
    FROM queue_entries e JOIN queue_events v ON v.id = e.event_id
    LEFT JOIN queue_presence p ON p.event_id = e.event_id AND p.entry_id = e.id
"""

Entry = collections.namedtuple("Entry", "id state unseen_since")


def desert(person, advert):
    """Takes a place, and hangs up."""
    stream = listen(person, JOIN, advert_id=advert)
    first_row(stream)
    stream.cancel()


def ticket_of(stream):
    """None if there is none."""
    try:
        return next((row.ticket for row in stream if row.WhichOneof("event") == "ticket"), None)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.DEADLINE_EXCEEDED:
            raise
        return None


def test_acceptance_12_a_head_gone_for_a_minute_is_passed_over_and_the_next_is_admitted_at_once(tmp_path, request):
    def run(engine):
        for number in range(TRIES):
            folder = tmp_path / f"{engine}{number}"
            folder.mkdir()
            if pass_over(folder, engine, request):
                return
        raise AssertionError(f"{engine}: the wrong ones are passed over each time")

    # The minute goes by on both engines at once.
    with concurrent.futures.ThreadPoolExecutor() as engines:
        list(engines.map(run, ["SQLite", "PostgreSQL"]))


def pass_over(folder, engine, request):
    """Whether those are passed over who are to be. That is false, too, if the server did not come to run for long: then
    who stays is not heard of either, or all who left have their minute anew. Nothing else excuses that it is false."""
    installation = Installation(folder, engine, *FLAGS, program=PROGRAM)
    request.addfinalizer(installation.discard)

    def entries(adverts):
        """All places, by advert."""
        found = {advert: [] for advert in adverts}
        for row in installation.query(ENTRIES):
            advert, *numbers = row.split("|")
            if advert in found:
                found[advert].append(Entry(*map(int, numbers)))
        return found

    def all_left(adverts):
        """When each place that was left was left, once the server has written it down."""
        left = {}

        def are_written():
            for places in entries(adverts).values():
                left.update({place.id: place.unseen_since for place in places if place.unseen_since})
            return len(left) == GONE * len(adverts)

        await_that(are_written, "not all places count as left")
        return left

    with concurrent.futures.ThreadPoolExecutor(GONE + 1) as pool:
        stays, *gone = pool.map(lambda number: Person(installation.channel, f"queuer_{number}"), range(GONE + 1))
        for lead in LEADS:
            # The tokens are good for ten minutes.
            list(pool.map(Person.log_in, [stays, *gone]))
            opening = int(time.time()) + lead
            openings = [opening - seconds for seconds in range(EARLIER, 0, -1)] + [opening] * LAST
            adverts = []
            for number, instant in enumerate(openings):
                adverts.append(pin(stays, f"A boat, {number}").id)
                # All are called at once.
                offer(stays, adverts[-1], open_time={"seconds": instant}, per_second=GONE + 1)
            streams = [listen(stays, JOIN, timeout=lead + PATIENCE_SECONDS, advert_id=advert) for advert in adverts]
            for stream in streams:
                first_row(stream)
            list(pool.map(lambda person, adverts=adverts: [desert(person, advert) for advert in adverts], gone))
            left = all_left(adverts)
            if max(left.values()) + LIMIT <= opening * SECOND:
                break
            for stream in streams:
                stream.cancel()
        else:
            raise AssertionError("it takes minutes to leave")

    tickets = [ticket_of(stream) for stream in streams]
    if None in tickets:
        print(f"{engine}: whoever stays is not admitted")
        assert installation.stop() == 0
        return False
    stays.log_in()
    places, leads = entries(adverts), 0
    for number, (advert, ticket) in enumerate(zip(adverts, tickets, strict=True)):
        called = ticket.expire_time.seconds * SECOND + ticket.expire_time.nanos - TICKET
        states = {place.id: place.state for place in places[advert]}
        # To the nanosecond, so that those are let in who have been gone for a second less than a minute.
        wanted = {
            place: ABANDONED if place in left and called - left[place] >= LIMIT else ADMITTED for place in states
        }
        assert len(states) == GONE + 1
        wrong = {place for place in states if states[place] != wanted[place]}
        told = f"{engine}, {advert}: {states}, not {wanted}"
        are_spared = all(states[place] == ADMITTED for place in states.keys() & left.keys())
        assert are_spared or not wrong & left.keys(), told
        if wrong:
            print(told)
            assert installation.stop() == 0
            return False
        admitted = list(states.values()).count(ADMITTED)
        after = ask(stays, f"{GIVEAWAYS}/GetGiveaway", advert_id=advert)
        assert (after.waiting, after.admitted) == (0, admitted)
        if number >= EARLIER:
            assert admitted == 1
            leads += min(states, key=lambda place: drawn(place, after.secret)) in left
    assert leads > 0, "whoever stayed led all queues"
    assert installation.stop() == 0
    return True
