"""kill -9 of the server, or of the database under it, at random moments of a mixed load, over and over.

Riders ask for quotes, request rides, cancel most of them, watch the others and talk to their drivers; drivers take
offers and drive to the payment. After each kill: every acknowledged write is there, once, and its repeat gets the
reply that was given; every topic is dense; the audit finds nothing; timers that must be there are there.

OCTET_KILL_ROUNDS sets the number of rounds, a few by default (`make storm`: a hundred on SQLite, thirty each on
PostgreSQL), OCTET_KILL_SEED the seed, which is printed.
"""

import os
import random
import statistics
import time

import pytest
from support.installation import HOLES, Installation
from support.rides import RIDES, check_invariants, estimate, rides
from support.storm import Crowd, RideWorld, spoken_in
from support.world import check_replays

ROUNDS = os.environ.get("OCTET_KILL_ROUNDS")
SEED = os.environ.get("OCTET_KILL_SEED")
RIDERS, DRIVERS = 8, 4
MOST_WRITES = 120
ROUND_SECONDS = 15
SAMPLE = 50
FLAGS = ("--seed-demo", "--rate-limits", "standard=100000/100000,expensive=100000/100000,telemetry=100000/100000")

# Each change of a ride is one event of its topic.
UNTOLD = """
    SELECT (SELECT COALESCE(SUM(version), 0) FROM rides_rides)
      - (SELECT COALESCE(SUM(last_sequence), 0) FROM octet_topics WHERE topic LIKE 'ride/%')
"""
UNTIMED = """
    SELECT r.id FROM rides_rides r WHERE r.state IN (3, 4) AND NOT EXISTS (
      SELECT 1 FROM octet_timers t WHERE t.kind = 'rides.search' AND t.key = CAST(r.id AS TEXT))
"""


def listed(world, rider):
    """The ids of all rides of a rider."""
    service = rides("ride_service")
    ids, token = [], ""
    while True:
        request = service.ListRidesRequest(side=service.RIDE_SIDE_RIDER, page_size=500, page_token=token)
        reply = world.insist(rider, lambda: rider.call(f"{RIDES}.RideService/ListRides", request))
        ids += [ride.id for ride in reply.rides]
        token = reply.next_page_token
        if not token:
            return ids


def requested(acknowledged, rider):
    return [entry.reply.id for entry in acknowledged
            if entry.person is rider and entry.path.endswith("/RequestRide")]  # fmt: skip


def check(world, crowd, installation, since, rng):
    with world.lock:
        acknowledged = list(world.acknowledged)
    check_replays(world, acknowledged[since:] + rng.sample(acknowledged, min(SAMPLE, len(acknowledged))))
    for rider in crowd.riders:
        there = listed(world, rider)
        assert len(there) == len(set(there))
        lost = set(requested(acknowledged, rider)) - set(there)
        assert not lost, f"acknowledged and gone: {lost}"
    assert installation.query(HOLES) == [], "topics with holes"
    assert installation.query(UNTOLD) == ["0"], "changes of rides without an event, or events without a change"
    assert installation.query(UNTIMED) == [], "searches without an end"
    assert world.insist(crowd.operator, lambda: check_invariants(crowd.operator)) == []


def check_all(world, crowd, installation, rng):
    """When everybody has finished: what is there is what was acknowledged, no more and no less."""
    check(world, crowd, installation, len(world.acknowledged), rng)
    for rider in crowd.riders:
        # Newest first.
        assert listed(world, rider) == requested(world.acknowledged, rider)[::-1]
    for ride_id in {said.ride_id for said in world.said}:
        of_ride = [said for said in world.said if said.ride_id == ride_id]
        person = of_ride[0].person
        messages = world.insist(person, lambda person=person, ride_id=ride_id: spoken_in(person, ride_id))
        assert [message.number for message in messages] == list(range(1, len(of_ride) + 1))
        expected = sorted((said.number, said.person.user_id, said.text) for said in of_ride)
        assert [(message.number, message.author_id, message.text) for message in messages] == expected


@pytest.mark.parametrize(
    "engine, victim, rounds", [("SQLite", "server", 4), ("PostgreSQL", "server", 2), ("PostgreSQL", "database", 2)]
)
def test_no_acknowledged_write_is_lost_or_doubled(tmp_path, engine, victim, rounds, request):
    seed = int(SEED or random.SystemRandom().randrange(1 << 32))
    print(f"seed {seed}")
    rng = random.Random(seed)
    installation = Installation(tmp_path, engine, *FLAGS)
    request.addfinalizer(installation.discard)
    world = RideWorld(installation.channel, seed)
    crowd = Crowd(world, RIDERS, DRIVERS)
    recoveries = []
    for _ in range(int(ROUNDS or rounds)):
        since = len(world.acknowledged)
        world.wait_for(world.count + rng.randrange(1, MOST_WRITES), ROUND_SECONDS)
        killed_at = time.monotonic()
        installation.kill(world, victim)
        # Begun after the kill, unlike those that are under way.
        world.call(crowd.operator, f"{RIDES}.PricingService/EstimateFare", estimate())
        recoveries.append(time.monotonic() - killed_at)
        check(world, crowd, installation, since, rng)
    crowd.finish()
    assert not world.failures, world.failures
    check_all(world, crowd, installation, rng)
    assert installation.stop() == 0
    print(
        f"{engine}, {victim} killed {len(recoveries)} times: {world.count} acknowledged writes, {len(world.said)} of them"
        f" messages, {world.rides_finished} rides to the end, {world.changes_seen} changes watched; written again after"
        f" {statistics.median(recoveries):.1f} s, at most {max(recoveries):.1f} s"
    )
