"""Acceptance 11 of shop.md: who waited before a queue opened is admitted by the published secret, whatever dies as it opens.

OCTET_QUEUERS sets how many wait: a thousand in `make storm`, where they take minutes to sign in.
"""

import concurrent.futures
import hashlib
import os
import time

import pytest
from support.board import GIVEAWAYS, PROGRAM, ask, listen, offer, pin, take_ticket
from support.installation import Installation
from support.notices import FLAGS, await_that
from support.people import Person, first_row
from support.queues import drawn
from support.world import PATIENCE_SECONDS, World

PEOPLE, THREADS = int(os.environ.get("OCTET_QUEUERS", "40")), 8
# So many listen at once at most: a place counts as left when nobody has for a minute.
LISTENERS = max(THREADS, min(PEOPLE, 64))
# Enough to be still at it when the node is killed, and done before the minute is over after which a place counts as left.
PER_SECOND = PEOPLE // 10
# By the servers' clocks, which this test sets: people come long before, and the second server starts just before. Their tokens
# are still good then.
BEGIN, LOBBY_SECONDS, LEAD_SECONDS = 1_800_000_000, 300, 3
ADMITTED = "SELECT id, is_lobby, sequence FROM queue_entries WHERE number IS NOT NULL ORDER BY number"


def order(entries, secret):
    """The lobby by the code of the entries' ids under the secret, then the others as they came."""
    lobby = [entry for entry in entries if entry[1]]
    lobby.sort(key=lambda entry: drawn(entry[0], secret))
    return lobby + sorted((entry for entry in entries if not entry[1]), key=lambda entry: entry[2])


def clock(begin):
    return {"BOARD_TIME": str(int(begin))}


@pytest.mark.parametrize("engine", ["SQLite", "PostgreSQL"])
def test_acceptance_11_the_order_of_the_lobby_outlives_the_node_that_opens_it(tmp_path, engine, request):
    installation = Installation(tmp_path, engine, *FLAGS, program=PROGRAM, env=clock(BEGIN))
    request.addfinalizer(installation.discard)
    begun = time.monotonic()
    world = World(installation.channel, 0)

    def giveaway():
        return world.insist(owner, lambda: ask(owner, f"{GIVEAWAYS}/GetGiveaway", advert_id=advert))

    def come(person):
        row = first_row(listen(person, f"{GIVEAWAYS}/JoinGiveaway", advert_id=advert))
        assert row.WhichOneof("event") == "lobby"

    def wait(person):
        return world.insist(person, lambda: take_ticket(person, advert))

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        owner, *people = pool.map(lambda number: Person(world.channel, f"queuer_{number}"), range(PEOPLE + 1))
    with concurrent.futures.ThreadPoolExecutor(LISTENERS) as pool:
        advert = pin(owner, "A boat").id
        opening = int(BEGIN + time.monotonic() - begun) + LOBBY_SECONDS
        before = offer(owner, advert, PEOPLE, open_time={"seconds": opening}, per_second=PER_SECOND)
        assert before.secret == b"" and len(before.secret_hash) == 32
        list(pool.map(come, people))
        assert (giveaway().waiting, giveaway().secret) == (PEOPLE, b"")

        installation.env = clock(opening - LEAD_SECONDS)
        started = time.monotonic()
        installation.kill(world, "server")
        await_that(lambda: giveaway().secret, "the queue does not open", PATIENCE_SECONDS)
        # Its clock goes on where that of the dead one was.
        installation.env = clock(opening - LEAD_SECONDS + time.monotonic() - started + 1)
        installation.kill(world, "server")
        assert None not in pool.map(wait, people), "somebody's place was given up"
    after = giveaway()
    assert hashlib.sha256(after.secret).digest() == before.secret_hash
    assert (after.waiting, after.admitted) == (0, PEOPLE)
    admitted = [tuple(map(int, row.split("|"))) for row in installation.query(ADMITTED)]
    assert len(admitted) == PEOPLE and all(is_lobby for _, is_lobby, _ in admitted)
    assert admitted == order(admitted, after.secret)
    assert installation.stop() == 0
