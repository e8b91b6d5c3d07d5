"""Acceptance 11 of shop.md: who waited before a queue opened is admitted by the published secret, whatever dies as it opens."""

import concurrent.futures
import hashlib
import hmac
import time

import pytest
from support.board import GIVEAWAYS, PROGRAM, ask, offer, pin, take_ticket
from support.installation import Installation
from support.notices import FLAGS, await_that
from support.people import Person
from support.world import PATIENCE_SECONDS, World

PEOPLE = 40
# Enough for most to come before.
LEAD_SECONDS = 15
DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
ADMITTED = "SELECT id, is_lobby, sequence FROM queue_entries WHERE number IS NOT NULL ORDER BY number"


def printed(number):
    return "qe_" + "".join(DIGITS[number >> shift & 31] for shift in range(60, -1, -5))


def order(entries, secret):
    """The lobby by the code of the entries' ids under the secret, then the others as they came."""
    lobby = [entry for entry in entries if entry[1]]
    lobby.sort(key=lambda entry: hmac.new(secret, printed(entry[0]).encode(), hashlib.sha256).digest())
    return lobby + sorted((entry for entry in entries if not entry[1]), key=lambda entry: entry[2])


@pytest.mark.parametrize("engine", ["SQLite", "PostgreSQL"])
def test_acceptance_11_the_order_of_the_lobby_outlives_the_node_that_opens_it(tmp_path, engine, request):
    installation = Installation(tmp_path, engine, *FLAGS, program=PROGRAM)
    request.addfinalizer(installation.discard)
    world = World(installation.channel, 0)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        owner, *people = pool.map(lambda number: Person(world.channel, f"queuer_{number}"), range(PEOPLE + 1))
    advert = pin(owner, "A boat").id
    before = offer(owner, advert, PEOPLE, open_time={"seconds": int(time.time()) + LEAD_SECONDS})
    assert before.secret == b"" and len(before.secret_hash) == 32

    def wait(person):
        while world.insist(person, lambda: take_ticket(person, advert)) is None:
            pass

    def giveaway():
        return world.insist(owner, lambda: ask(owner, f"{GIVEAWAYS}/GetGiveaway", advert_id=advert))

    with concurrent.futures.ThreadPoolExecutor(PEOPLE) as pool:
        tickets = [pool.submit(wait, person) for person in people]
        await_that(lambda: giveaway().secret, "the queue does not open", PATIENCE_SECONDS)
        installation.kill(world, "server")
        for ticket in tickets:
            ticket.result()
    after = giveaway()
    assert hashlib.sha256(after.secret).digest() == before.secret_hash
    assert (after.waiting, after.admitted) == (0, PEOPLE)
    admitted = [tuple(map(int, row.split("|"))) for row in installation.query(ADMITTED)]
    assert admitted == order(admitted, after.secret)
    assert sum(is_lobby for _, is_lobby, _ in admitted) > 1
    assert installation.stop() == 0
